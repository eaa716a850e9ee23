import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { studies } from "../../experiments/mod.ts";
import { demo } from "../../experiments/demo.ts";
import { UsageError } from "../../lib/errors.ts";
import { recordPath } from "../../lib/results/record.ts";
import { prepare, runStudy } from "../../lib/study/run.ts";
import { engine } from "../engine/engine_for_tests.ts";
import { onSynthetic, prepareSmall, smallCorpus, temporaryFolder } from "./small.ts";

const options = { variant: "cnn", protocol: "clean", seed: 3, engine, epochs: 2 } as const;

Deno.test("the same seed gives identical predictions twice, another seed others", async () => {
  const prepared = await prepareSmall(demo);
  const predictions = async (seed: number): Promise<string> => {
    const out = temporaryFolder();
    const { record } = await runStudy(prepared, { ...options, seed, out });
    return readFileSync(join(out, "demo", "clean", record.predictions), "utf8");
  };
  const first = await predictions(3);
  assert.equal(await predictions(3), first);
  assert.notEqual(await predictions(4), first);
});

Deno.test("an interrupted run keeps its finished folds and goes on to the same result", async () => {
  const prepared = await prepareSmall(demo);
  const whole = temporaryFolder(), out = temporaryFolder();
  const { record: expected } = await runStudy(prepared, { ...options, out: whole });
  const abort = new AbortController();
  await assert.rejects(
    runStudy(prepared, {
      ...options,
      out,
      signal: abort.signal,
      onEpoch: (log, fold) => fold.index === 1 && log.epoch === 1 && abort.abort(new Error("Ctrl-C")),
    }),
    /Ctrl-C/,
  );
  assert.equal(existsSync(recordPath(out, expected)), false, "no half record");
  const folds: number[] = [];
  const { record, kept } = await runStudy(prepared, {
    ...options,
    out,
    onEpoch: (log, fold) => log.epoch === 1 && folds.push(fold.index),
  });
  assert.equal(kept, false);
  assert.deepEqual(folds, [1], "the first of the two folds is not trained again");
  assert.deepEqual(record.metrics, expected.metrics);
  const csv = (folder: string): string => readFileSync(join(folder, "demo", "clean", record.predictions), "utf8");
  assert.equal(csv(out), csv(whole));
  const again = await runStudy(prepared, { ...options, out });
  assert.equal(again.kept, true);
  assert.deepEqual(again.record, record);
});

Deno.test("a record of other data or settings is never taken for this run's", async () => {
  const prepared = await prepareSmall(demo);
  const out = temporaryFolder();
  const { record } = await runStudy(prepared, { ...options, out });
  await assert.rejects(
    runStudy(await prepareSmall(demo, 0.5), { ...options, out }),
    (error: Error) =>
      error instanceof UsageError && /cnn-s3\.json: was made with other data; .*--fresh/.test(error.message),
  );
  await assert.rejects(runStudy(prepared, { ...options, out, epochs: 1 }), /was made with other settings/);
  const { record: anew } = await runStudy(prepared, { ...options, out, epochs: 1, fresh: true });
  assert.equal(anew.epochs, 1);
  writeFileSync(recordPath(out, record), "{}");
  await assert.rejects(runStudy(prepared, { ...options, out }), /cnn-s3\.json: /);
});

Deno.test("a fraction keeps every class and is the same every time", async () => {
  const half = await prepareSmall(demo, 0.5);
  assert.equal(half.rows.length, 32);
  assert.equal(new Set(half.y).size, 8);
  assert.deepEqual((await prepareSmall(demo, 0.5)).rows, half.rows);
  assert.equal((await prepareSmall(demo, 0.01)).rows.length, 8, "at least one of each class");
});

Deno.test("unknown variants and protocols name what there is; a missing corpus says where to get it", async () => {
  const prepared = await prepareSmall(demo);
  const out = temporaryFolder();
  await assert.rejects(
    runStudy(prepared, { ...options, variant: "best", out }),
    /Study demo has no variant best; it has cnn/,
  );
  await assert.rejects(
    runStudy(prepared, { ...options, protocol: "random", out }),
    /Study demo has no protocol random; it has clean/,
  );
  await assert.rejects(prepare(studies[0]!, { dir: await smallCorpus() }), /ravdess.*get it/i);
  await assert.rejects(prepare(onSynthetic(studies[0]!), { dir: temporaryFolder() }), /get it/);
  await assert.rejects(prepare(studies[0]!, { dir: join(temporaryFolder(), "nothing") }), /nothing: .*no such/i);
});
