import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../study/small.ts";
import { report } from "./training.ts";
import { load, save, spread } from "./training_tables.ts";

const results = fileURLToPath(new URL("../../results/bench", import.meta.url));

Deno.test("a part of the bench replaces its own rows, in the table's order; rows that the bench no longer has go", () => {
  const folder = temporaryFolder();
  const table = { file: "t.json", key: ["model", "engine"], order: ["a | x", "a | y", "b | x"] };
  save(folder, { ...table, order: [...table.order, "old | x"] }, [
    { model: "b", engine: "x", ms: 1 },
    { model: "old", engine: "x", ms: 2 },
    { model: "a", engine: "y", ms: 3 },
  ]);
  save(folder, table, [{ model: "a", engine: "y", ms: 4 }, { model: "a", engine: "x", ms: 5 }]);
  assert.deepEqual(load(folder, table), [
    { model: "a", engine: "x", ms: 5 },
    { model: "a", engine: "y", ms: 4 },
    { model: "b", engine: "x", ms: 1 },
  ]);
  assert.deepEqual(spread([3, 1, 2, 10]), { min: 1, median: 2.5, max: 10 });
});

Deno.test("the bench's committed text is made from its committed rows, and every figure of issue 5 has its row", () => {
  const rows = JSON.parse(readFileSync(join(results, "training.json"), "utf8")) as Record<string, unknown>[];
  for (const { model, params, ours, keras, ratio } of rows) {
    for (const value of [params, ours, keras, ratio]) {
      assert.ok(Number.isFinite(value) && Number(value) > 0, `${model}`);
    }
    assert.ok(Math.abs(Number(ours) / Number(keras) - Number(ratio)) < 0.01 * Number(ratio) + 0.001, `${model}`);
  }
  assert.deepEqual(rows.map(({ model }) => model), [
    ...["cnn2d", "cnn-lstm", "study 002 Conv1D", "MLP", "study 003 2-D CNN, batch 1024", "VGG16 block5 fine-tuning"],
    ...["predict, 64 × cnn2d", "study 000 optimised", "study 003 1-D CNN", "study 000 vanilla, 50 epochs"],
    ...["study 000 optimised, 29 epochs", "study 003 1-D CNN, 5 epochs", "study 003 2-D CNN, 5 epochs"],
  ]);
  assert.ok(existsSync(join(results, "training.md")));
  assert.equal(readFileSync(join(results, "training.md"), "utf8"), report(results));
});
