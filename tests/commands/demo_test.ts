import assert from "node:assert/strict";
import { join } from "node:path";
import { study000 } from "../../experiments/s000_ravdess_cnn.ts";
import { recordPath, verifyRunRecord } from "../../lib/results/record.ts";
import { runStudy } from "../../lib/study/run.ts";
import { prepareSmall, temporaryFolder } from "../study/small.ts";
import { engine } from "../engine/engine_for_tests.ts";
import { hasStack, serlab } from "./run_cli.ts";

Deno.test("demo goes the whole way, says each step in a line, and is better than guessing on unknown speakers", async () => {
  const out = temporaryFolder();
  const { code, out: text, err } = await serlab(["demo", "--out", out]);
  assert.equal(code, 0, err);
  assert.ok(!hasStack(text + err), err);
  const lines = text.trim().split("\n");
  ["engine", "corpus", "features", "training", "result", "bundle", "prediction"].forEach((step, i) =>
    assert.ok(lines[i]!.startsWith(`${i + 1}. ${step}: `), lines[i]!)
  );
  const { record } = verifyRunRecord(recordPath(out, { study: "demo", protocol: "clean", variant: "cnn", seed: 0 }));
  assert.equal(record.counts.test, 256, "every recording is tested once");
  assert.equal(record.counts.speakersTest, 8);
  const [low] = record.metrics.interval.accuracy;
  assert.ok(low > 1 / 8, `the interval ends at ${low}`);
  assert.ok(record.metrics.accuracy < 0.9, "the corpus is not trivial");
  assert.ok(record.peakMemoryMb < 2000, `${record.peakMemoryMb} MiB`);
});

Deno.test("training on wasm follows native training until rounding parts them", async () => {
  const prepared = await prepareSmall(study000);
  const native = temporaryFolder(), wasm = temporaryFolder();
  const options = { variant: "vanilla", protocol: "as-published", seed: 0, epochs: 2 } as const;
  const { record } = await runStudy(prepared, { ...options, engine, out: native });
  const script = `
    import { startEngine } from "./lib/engine/tf.ts";
    import { runStudy } from "./lib/study/run.ts";
    import { study000 } from "./experiments/s000_ravdess_cnn.ts";
    import { prepareSmall } from "./tests/study/small.ts";
    const engine = await startEngine({ backend: "wasm" });
    await runStudy(await prepareSmall(study000), { ...${JSON.stringify(options)}, engine, out: ${
    JSON.stringify(wasm)
  } });`;
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", script],
    cwd: join(import.meta.dirname!, "..", ".."),
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const other = verifyRunRecord(recordPath(wasm, record)).record;
  assert.equal(other.environment.backend, "wasm");
  assert.equal(other.split, record.split);
  // No dropout in this variant: backends may draw their masks differently.
  for (const [i, fold] of record.folds.entries()) {
    const [a, b] = [fold.history[0]!.loss!, other.folds[i]!.history[0]!.loss!];
    assert.ok(Math.abs(a - b) < 1e-3 * a, `first epoch's loss ${a} natively, ${b} on wasm`);
  }
});
