import assert from "node:assert/strict";
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { studies } from "../../experiments/mod.ts";
import { demo } from "../../experiments/demo.ts";
import { UsageError } from "../../lib/errors.ts";
import { readRunRecord, recordPath } from "../../lib/results/record.ts";
import type { ProtocolName } from "../../lib/study/declare.ts";
import { readLintRows } from "../../lib/commands/lint_split.ts";
import { lintSplit } from "../../lib/split/mod.ts";
import { study000 } from "../../experiments/s000_ravdess_cnn.ts";
import { study001 } from "../../experiments/s001_ravdess_pictures.ts";
import { planRun, prepare, runFolds, runStudy, splitCsv } from "../../lib/study/run.ts";
import { engine } from "../engine/engine_for_tests.ts";
import { onSynthetic, prepareSmall, smallCorpus, temporaryFolder, tinyCorpora } from "./small.ts";

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

Deno.test("a missing bundle is made anew beside a record that stands, which is not touched", async () => {
  const prepared = await prepareSmall(demo);
  const out = temporaryFolder(), bundle = join(out, "bundles", "demo");
  const { record } = await runStudy(prepared, { ...options, out });
  const path = recordPath(out, record);
  const before = readFileSync(path, "utf8");
  const { kept } = await runStudy(prepared, { ...options, out, bundle });
  assert.equal(kept, true);
  assert.equal(existsSync(join(bundle, "bundle.json")), true);
  assert.equal(readFileSync(path, "utf8"), before);
});

Deno.test("a record made where no votes lay gets them when they lie there, and nothing else of it changes", async () => {
  const prepared = await prepareSmall(demo);
  const out = temporaryFolder();
  const { record } = await runStudy(prepared, { ...options, out });
  assert.equal(record.listeners, undefined);
  // Of ten listeners seven name the label that the actor was asked for.
  const byKey = new Map(prepared.rows.map((row) => [row.key, { [row.emotion]: 7, bored: 3 }]));
  const votes = { corpus: "synthetic", sha256: "0".repeat(64), byKey };
  const { record: heard, kept } = await runStudy({ ...prepared, votes }, { ...options, out });
  assert.equal(kept, true);
  const { listeners, ...rest } = heard;
  assert.deepEqual(rest, record);
  assert.equal(listeners!.clips, record.metrics.recordings);
  assert.equal(listeners!.votes, 10 * record.metrics.recordings);
  assert.ok(Math.abs(listeners!.accuracy - 0.7) < 1e-12 && listeners!.majority === 1);
  assert.equal(listeners!.model, record.metrics.accuracy);
  assert.deepEqual(readRunRecord(recordPath(out, record)), heard);
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
  await assert.rejects(
    prepare(onSynthetic(studies[0]!), { dir: await smallCorpus(), fraction: NaN }),
    /up to 1, not at NaN/,
  );
  await assert.rejects(prepare(studies[0]!, { dir: join(temporaryFolder(), "nothing") }), /nothing: .*no such/i);
});

Deno.test("missing, extra and unknown files are named; allowed, they are recorded, and only then", async () => {
  const dir = tinyCorpora({ cremaD: 4 });
  const study = {
    ...demo,
    corpora: ["crema-d", "savee"],
    speakers: [...[1, 2, 3, 4].map((i) => `crema-d-100${i}`), "savee-DC"],
  };
  const plan = async () =>
    await planRun(await prepare(study, { dir, allowIncomplete: true }), { ...options, out: dir });
  const before = await plan();
  assert.equal((before.config.missing as string[]).length, 4 * (82 - 12) - 1 + 120);
  assert.equal(before.config.extra, undefined);

  copyFileSync(join(dir, "crema-d/1002_DFA_NEU_XX.wav"), join(dir, "crema-d/1002_TIE_NEU_XX.wav"));
  rmSync(join(dir, "crema-d/1002_DFA_NEU_XX.wav"));
  await assert.rejects(
    prepare(study, { dir }),
    /no speech file of savee .*; crema-d is incomplete, .*crema-d\/1002_TIE_NEU_XX; .*--allow-incomplete/,
  );
  writeFileSync(join(dir, "crema-d/take 3.wav"), "");
  await assert.rejects(prepare(study, { dir }), /unknown file name, crema-d\/take 3\.wav; .*--allow-incomplete/);
  assert.deepEqual((await prepare(study, { dir, allowIncomplete: true })).unknown, ["crema-d/take 3.wav"]);
  const { config, identity, examples } = await plan();
  assert.deepEqual(config.extra, ["crema-d/1002_TIE_NEU_XX"]);
  // No row follows from a file of unknown name: it stands in the record, but makes it no other run.
  rmSync(join(dir, "crema-d/take 3.wav"));
  assert.equal((await plan()).identity, identity);
  assert.ok((config.missing as string[]).includes("crema-d/1002_DFA_NEU_XX"));
  assert.ok((config.missing as string[]).includes("savee/DC_a01"));
  assert.ok(!(config.missing as string[]).includes("savee/JE_a01"));
  assert.equal(examples.length, 4 * 12);
  assert.notEqual(identity, before.identity);

  const whole = await prepareSmall(demo);
  const strict = await planRun(whole, { ...options, out: dir });
  for (const name of ["missing", "extra"]) assert.equal(name in strict.config, false, name);
  const allowed = await prepare(onSynthetic(demo), { dir: whole.dir, allowIncomplete: true });
  assert.equal((await planRun(allowed, { ...options, out: dir })).identity, strict.identity);
});

Deno.test("a split is written as lint-split reads it, and the linter finds what the protocol leaks", async () => {
  const dir = tinyCorpora({ ravdess: 6 });
  const prepared = await prepare(study001, { dir, allowIncomplete: true });
  const lint = (protocol: ProtocolName, variant = "cnn") =>
    lintSplit(readLintRows(splitCsv(prepared, { variant, protocol, seed: 0 }), "split.csv"));
  const status = (report: ReturnType<typeof lint>, check: string) =>
    report.findings.find((each) => each.check === check)!.status;
  assert.equal(status(lint("as-published"), "speakers"), "leak");
  const clean = lint("clean");
  assert.equal(clean.leak, false);
  assert.equal(status(clean, "speakers"), "clean");
  assert.equal(status(lint("speaker-sentence"), "sentences"), "clean");
  assert.equal(status(lint("clean", "cnn-augmented"), "recordings"), "clean");
  const published = await prepare(study000, { dir, allowIncomplete: true });
  const leaky = lintSplit(
    readLintRows(splitCsv(published, { variant: "vanilla", protocol: "as-published", seed: 0 }), "s"),
  );
  assert.equal(status(leaky, "scaler"), "leak");
  assert.throws(
    () => splitCsv(prepared, { variant: "cnn", protocol: "clean", seed: 0 }, 9),
    /There is no fold 9; clean has/,
  );
  assert.throws(
    () => splitCsv(prepared, { variant: "cnn", protocol: "cross-corpus", seed: 0 }),
    /Study 001: cross-corpus does not apply, the study has one corpus/,
  );
});

Deno.test("a run can be made fold by fold, and the last one puts the record together", async () => {
  const prepared = await prepareSmall(demo);
  const out = temporaryFolder(), whole = temporaryFolder();
  assert.deepEqual(await runFolds(prepared, { ...options, out }, [1]), { done: 1, total: 2 });
  assert.equal(existsSync(recordPath(out, { study: "demo", ...options })), false);
  assert.deepEqual(await runFolds(prepared, { ...options, out }, [0]), { done: 2, total: 2 });
  const trained: number[] = [];
  const { record } = await runStudy(prepared, { ...options, out, onEpoch: (_, { index }) => trained.push(index) });
  assert.deepEqual(trained, [], "nothing is trained again");
  const { record: expected } = await runStudy(prepared, { ...options, out: whole });
  assert.deepEqual(record.metrics, expected.metrics);
  await assert.rejects(
    runFolds(prepared, { ...options, out }, [2]),
    /There is no fold 2; clean has 2, numbered from 0/,
  );
});
