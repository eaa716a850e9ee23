import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { demo } from "../../experiments/demo.ts";
import { findSearch } from "../../experiments/searches.ts";
import { workerArgs } from "../../lib/commands/sweep.ts";
import type { Search } from "../../lib/search/declare.ts";
import { sweepFolds } from "../../lib/search/folds.ts";
import { inProcessExecutor } from "../../lib/search/in_process.ts";
import { localExecutor } from "../../lib/search/local.ts";
import { sweepText } from "../../lib/search/report.ts";
import { optimism } from "../../lib/search/optimism.ts";
import { readSweep, readTrial, type Sweep, sweepFolder, trialRows } from "../../lib/search/store.ts";
import {
  configurationsLookedAt,
  defineSweep,
  hasEnded,
  runSweep,
  type SweepRequest,
  unsealSweep,
} from "../../lib/search/sweep.ts";
import { createTrialRunner, makeJob, runTrial, trialSeed } from "../../lib/search/trial.ts";
import { faultySearch, hillSearch, slowSearch } from "../../lib/search/toy.ts";
import type { Executor, TrialRecord } from "../../lib/search/types.ts";
import type { ProtocolName } from "../../lib/study/declare.ts";
import { prepare } from "../../lib/study/run.ts";
import type { Dataset } from "../../lib/training/dataset.ts";
import { engine } from "../engine/engine_for_tests.ts";
import { prepareSmall, smallCorpus, temporaryFolder, tinyCorpora } from "../study/small.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What of a trial must not depend on who ran it, when and where. */
function essence(record: TrialRecord, sweep: Sweep): unknown {
  const { worker: _w, seconds: _s, peakMemoryMb: _p, rungs, ...rest } = record;
  const path = record.predictions === null ? null : join(sweep.dir, "trials", record.predictions);
  return {
    ...rest,
    rungs: rungs.map(({ epochs, score }) => ({ epochs, score })),
    predictions: path === null ? null : readFileSync(path, "utf8"),
  };
}

const essences = (sweep: Sweep): unknown[] => sweep.trials.map((each) => essence(each, sweep));

const functionRequest = (search: Search, more: Partial<SweepRequest> = {}): SweepRequest => ({
  search,
  method: "grid",
  protocol: "function",
  out: temporaryFolder(),
  prepared: null,
  ...more,
});

const local = (workers: number, settings: { corpora?: string; checkpoints?: string } = {}): Executor =>
  localExecutor({
    workers,
    threads: 1,
    graceSec: 0,
    args: workerArgs({ corpora: settings.corpora ?? "", checkpoints: settings.checkpoints, cache: false }),
  });

/** Runs a sweep and closes its executor. */
async function sweepWith(request: SweepRequest, executor: Executor): Promise<Sweep> {
  try {
    return await runSweep(request, { executor });
  } finally {
    await executor.close();
  }
}

const here = (): Executor => inProcessExecutor(createTrialRunner({ find: findSearch, corpora: "" }));

Deno.test("a study's sweep gives the same trials on one worker and on two, scores, predictions and choices alike", async () => {
  const corpora = await smallCorpus();
  const prepared = await prepareSmall(demo);
  const run = async (workers: number): Promise<Sweep> => {
    const out = temporaryFolder();
    const request: SweepRequest = {
      search: findSearch("demo"),
      method: "halving",
      protocol: "clean",
      out,
      prepared,
      trials: 3,
      epochs: 3,
    };
    return await sweepWith(request, local(workers, { corpora, checkpoints: join(out, ".checkpoints", "sweeps", "x") }));
  };
  const one = await run(1), two = await run(2);
  assert.deepEqual(essences(two), essences(one));
  // Two outer folds: three configurations and the baseline in each.
  assert.equal(one.trials.length, 8);
  assert.ok(hasEnded(one));
  assert.deepEqual(one.trials.filter(({ fold }) => fold === 0).map(({ status }) => status).sort(), [
    "done",
    "done",
    "pruned",
    "pruned",
  ]);
  assert.ok(one.trials.every(({ threads }) => threads === 1));
  assert.equal(configurationsLookedAt(one), 3);
  const done = one.trials.find(({ status, role }) => status === "done" && role === "candidate")!;
  assert.deepEqual(done.rungs.map(({ epochs }) => epochs), [1, 3]);
  assert.deepEqual(done.history.map(({ epoch }) => epoch), [1, 2, 3]);
  const rows = trialRows(one, done)!;
  assert.equal(rows.length, one.definition.folds[0]!.scored);
  assert.equal(rows.filter(({ truth, prediction }) => truth === prediction).length / rows.length, done.score);
  // One speaker is scored in a fold of two: nothing can be resampled.
  assert.equal(optimism(one), null);
});

Deno.test("a larger budget that goes on from a smaller one's checkpoint equals one from the start", async () => {
  const prepared = await prepareSmall(demo);
  const search = findSearch("demo");
  const job = (epochs: number) =>
    makeJob({
      sweep: "demo-test-clean",
      rows: "validation",
      study: "demo",
      variant: "cnn",
      protocol: "clean",
      fold: 0,
      innerFolds: 1,
      config: { rate: 0.001, dropout: 0.5, batchSize: 16 },
      dataSeed: 0,
      epochs,
      metric: "accuracy",
      threads: 1,
      manifest: prepared.manifest,
      fraction: 1,
      timeLimitSec: 600,
    });
  const context = { search, prepared, engine };
  const checkpoints = temporaryFolder();
  await runTrial(job(1), { ...context, checkpoints });
  assert.equal(readdirSync(checkpoints).length, 1);
  const resumed = await runTrial(job(3), { ...context, checkpoints });
  const whole = await runTrial(job(3), context);
  assert.ok(resumed.status === "done" && whole.status === "done");
  assert.equal(resumed.predictions, whole.predictions);
  assert.deepEqual(resumed.history, whole.history);
  // A smaller budget than the checkpoint's starts anew.
  const again = await runTrial(job(1), { ...context, checkpoints });
  assert.ok(again.status === "done");
  assert.deepEqual(again.history, whole.history.slice(0, 1));
  await assert.rejects(
    runTrial({ ...job(1), manifest: "0".repeat(64) }, context),
    /The recordings of study demo here are not the sweep's: their manifest is [0-9a-f]{12}… and not 000000000000…/,
  );
  await assert.rejects(runTrial({ ...job(1), lock: "other" }, context), /another version of serlab/);
  const late = await runTrial({ ...job(500), timeLimitSec: 0.05 }, context);
  assert.ok(late.status === "failed");
  assert.equal(late.reason, "took longer than its time limit of 0.05 s");
  const wild = makeJob({ ...job(2), config: { rate: 0.01, dropout: 0, batchSize: 16 } });
  const diverging = {
    ...search,
    change: (...args: Parameters<Extract<Search, { kind: "study" }>["change"]>) => ({
      ...(search as Extract<Search, { kind: "study" }>).change(...args),
      optimizer: { kind: "sgd", learningRate: 1e30 } as const,
    }),
  } as Search;
  const nan = await runTrial(wild, { ...context, search: diverging });
  assert.ok(nan.status === "failed");
  assert.match(nan.reason, /^the loss is not a number after epoch [12]$|^its predictions are not numbers$/);
});

Deno.test("a trial of frozen layers is that of the whole model: the same predictions with their features and without", async () => {
  const prepared = await prepareSmall(demo);
  const base = findSearch("demo") as Extract<Search, { kind: "study" }>;
  const frozen = (through: boolean): Search => ({
    ...base,
    study: {
      ...demo,
      variants: {
        cnn: {
          ...demo.variants["cnn"]!,
          // A change of batches, one that changes nothing, makes every row pass through the frozen layers every time.
          ...(through ? { batch: { describe: "none", apply: ({ x, y }: Dataset) => ({ x, targets: y }) } } : {}),
        },
      },
    },
    change: (config, variant) => ({
      ...base.change(config, variant),
      model: (options) => {
        const model = base.change(config, variant).model(options);
        for (const layer of model.layers.slice(0, 2)) layer.trainable = false;
        return model;
      },
    }),
  });
  const job = makeJob({
    sweep: "demo-grid-clean",
    rows: "validation",
    study: "demo",
    variant: "cnn",
    protocol: "clean",
    fold: 1,
    innerFolds: 1,
    config: { rate: 0.001, dropout: 0.5, batchSize: 16 },
    dataSeed: 0,
    epochs: 4,
    metric: "accuracy",
    threads: 1,
    manifest: prepared.manifest,
    fraction: 1,
    timeLimitSec: 600,
  });
  const features = await runTrial(job, { search: frozen(false), prepared, engine });
  const whole = await runTrial(job, { search: frozen(true), prepared, engine });
  assert.ok(features.status === "done" && whole.status === "done");
  assert.equal(features.predictions, whole.predictions);
  features.history.forEach(({ loss, epoch }, i) => {
    assert.ok(Math.abs(loss! - whole.history[i]!.loss!) < 1e-4 * loss!, `epoch ${epoch}: ${loss}`);
  });
});

Deno.test("a trial's seed follows from study, variant and configuration, in whatever order its parameters stand", () => {
  const seed = trialSeed("004", "scaled", { rate: 0.1, hidden: 3 });
  assert.equal(trialSeed("004", "scaled", { hidden: 3, rate: 0.1 }), seed);
  assert.notEqual(trialSeed("004", "scaled", { hidden: 3, rate: 0.2 }), seed);
  assert.notEqual(trialSeed("003", "scaled", { hidden: 3, rate: 0.1 }), seed);
});

Deno.test("no trial sees a test row, and what it scores it has not learnt from: every study, every protocol", async () => {
  const dir = tinyCorpora({ ravdess: 24, cremaD: 91, others: true });
  for (const id of ["000", "001", "002", "003", "004"]) {
    const search = findSearch(id) as Extract<Search, { kind: "study" }>;
    const { study, variant } = search;
    const prepared = await prepare(study, { dir, allowIncomplete: true });
    for (const [protocol, declared] of Object.entries(study.protocols)) {
      if ("doesNotApply" in declared) continue;
      const { table, folds } = sweepFolds(prepared, {
        variant,
        protocol: protocol as ProtocolName,
        seed: 0,
        innerFolds: protocol === "clean" ? search.innerFolds ?? 1 : 1,
      });
      const of = (rows: readonly number[], what: "speaker" | "key"): Set<string> =>
        new Set(rows.map((row) => table.examples[row]![what]));
      for (const { fold, inner, scoredOn } of folds) {
        const sealed = new Set(fold.test);
        for (const { train, validation, score } of inner) {
          const what = `${id} ${protocol} ${fold.name}`;
          assert.ok(train.length > 0 && score.length > 0, what);
          const learnt = new Set(train);
          assert.ok(score.every((row) => !learnt.has(row)), `${what}: a scored row is learnt from`);
          if (scoredOn === "the test rows, as the study did") {
            assert.equal(`${id} ${protocol}`, "002 as-published");
            continue;
          }
          assert.ok([...train, ...validation, ...score].every((row) => !sealed.has(row)), `${what}: a test row`);
          if (protocol === "as-published") continue;
          const heard = of(train, declared.bySpeaker ? "speaker" : "key");
          const scored = of(score, declared.bySpeaker ? "speaker" : "key");
          assert.ok([...scored].every((each) => !heard.has(each)), `${what}: a scored speaker or recording was heard`);
          assert.ok(score.every((row) => table.examples[row]!.copy === 0), `${what}: a copy is scored`);
          if (declared.bySpeaker) {
            const tested = of(fold.test, "speaker");
            assert.ok([...heard, ...scored].every((each) => !tested.has(each)), `${what}: a test speaker`);
          }
        }
        // Inner trainings score different rows.
        const all = inner.flatMap(({ score }) => score);
        assert.equal(new Set(all).size, all.length);
      }
    }
  }
  const four = findSearch("004") as Extract<Search, { kind: "study" }>;
  const prepared = await prepare(four.study, { dir, allowIncomplete: true });
  const { folds } = sweepFolds(prepared, { variant: "scaled", protocol: "clean", seed: 0, innerFolds: 5 });
  const scored = folds[0]!.inner.flatMap(({ score }) => score);
  assert.equal(scored.length, folds[0]!.fold.train.length, "five parts score the whole training side");
});

Deno.test("a trial that goes wrong ends as failed with its reason, a worker that dies is replaced, and the rest goes on", async () => {
  const notices: string[] = [];
  const executor = localExecutor({
    workers: 2,
    threads: 1,
    graceSec: 1,
    args: workerArgs({ corpora: "" }),
    onNotice: (line) => notices.push(line),
  });
  const request = functionRequest(faultySearch, { timeLimitSec: 4 });
  const sweep = await sweepWith({
    ...request,
    space: {
      fault: { kind: "choice", values: ["none", "nan", "throw", "memory", "hang", "crash", "crash-once"] },
      number: { kind: "choice", values: [2] },
    },
  }, executor);
  const of = (fault: string): TrialRecord => sweep.trials.find(({ config }) => config["fault"] === fault)!;
  assert.deepEqual([of("none").status, of("none").score], ["done", 0.7]);
  assert.deepEqual([of("crash-once").status, of("crash-once").score], ["done", 0.7]);
  const reasons = {
    nan: "the loss is not a number after epoch 1",
    throw: "the model cannot be built",
    memory: "out of memory: Invalid typed array length: 9007199254740991",
    hang: "took longer than its time limit of 4 s",
    crash: "its worker ended with code 70, twice",
  };
  for (const [fault, reason] of Object.entries(reasons)) {
    assert.deepEqual([of(fault).status, of(fault).reason, of(fault).score], ["failed", reason, null]);
  }
  assert.equal(notices.filter((line) => /its trial is tried once more/.test(line)).length, 2);
});

Deno.test("a sweep of which all is there runs nothing again; one that is another is refused", async () => {
  const request = functionRequest(hillSearch, { method: "halving", trials: 9 });
  const first = await sweepWith(request, here());
  const started: string[] = [];
  const counting: Executor = {
    ...here(),
    run: (jobs) => Promise.resolve(void started.push(...jobs.map(({ id }) => id))),
  };
  const again = await runSweep(request, { executor: counting });
  assert.deepEqual(started, []);
  assert.deepEqual(again.trials, first.trials);
  await assert.rejects(
    runSweep({ ...request, trials: 12 }, { executor: here() }),
    /hill-halving-function: was begun with another trials \(9\), not this one \(12\)/,
  );
  const anew = await runSweep({ ...request, trials: 12 }, { executor: here(), fresh: true });
  assert.equal(anew.trials.length, 12);
});

Deno.test("an outcome that comes twice counts once, and one that was interrupted goes on", async () => {
  const request = functionRequest(slowSearch);
  const abort = new AbortController();
  const runner = createTrialRunner({ find: findSearch, corpora: "" });
  const twice: Executor = {
    workers: 1,
    run: async (jobs, hooks) => {
      for (const [i, job] of jobs.entries()) {
        if (i === 5) abort.abort(new Error("Ctrl-C"));
        hooks.signal?.throwIfAborted();
        hooks.onStart(job, "a");
        const outcome = await runner.run(job);
        hooks.onOutcome(job, outcome);
        hooks.onOutcome(job, { ...outcome, seconds: 99 });
      }
    },
    close: () => Promise.resolve(),
  };
  await assert.rejects(runSweep(request, { executor: twice, signal: abort.signal }), /Ctrl-C/);
  const dir = sweepFolder(request.out, "slow", "grid", "function");
  const before = readSweep(dir).trials.filter(({ status }) => status === "done");
  assert.equal(before.length, 5);
  assert.ok(before.every(({ rungs, seconds }) => rungs.length === 1 && seconds < 50));
  const sweep = await sweepWith(request, here());
  assert.equal(sweep.trials.filter(({ status }) => status === "done").length, 40);
  for (const each of before) assert.deepEqual(sweep.trials.find(({ hash }) => hash === each.hash), each);
});

/** A coordinator of its own, as `deno task sweep` runs it. */
function coordinator(id: string, out: string, ...more: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      join(root, "lib", "cli.ts"),
      "sweep",
      id,
      "--method",
      "grid",
      "--out",
      out,
      ...more,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Reads a process's standard error until so many lines have come; the rest is read and dropped. */
async function linesFrom(child: Deno.ChildProcess, count: number): Promise<void> {
  const decoder = new TextDecoder();
  let lines = 0;
  const reader = child.stderr.getReader();
  while (lines < count) {
    const { value, done } = await reader.read();
    if (done) break;
    lines += decoder.decode(value).split("\n").length - 1;
  }
  (async () => {
    while (!(await reader.read()).done);
  })();
}

Deno.test("a coordinator killed with kill -9 and started again keeps what is finished and does nothing twice", async () => {
  const out = temporaryFolder();
  const expected = await sweepWith(functionRequest(slowSearch), here());
  const first = coordinator("slow", out, "--workers", "2");
  await linesFrom(first, 6);
  first.kill("SIGKILL");
  await Promise.all([first.status, first.stdout.cancel()]);
  const dir = sweepFolder(out, "slow", "grid", "function");
  const files = readdirSync(join(dir, "trials"));
  const kept = files.filter((name) => name.endsWith(".json")).map((name) => readTrial(join(dir, "trials", name)))
    .filter(({ status }) => status === "done");
  assert.ok(kept.length >= 1, "some had ended");
  const second = coordinator("slow", out, "--workers", "2");
  await linesFrom(second, Infinity);
  assert.equal((await second.status).code, 0);
  await second.stdout.cancel();
  const sweep = readSweep(dir);
  assert.deepEqual(essences(sweep), essences(expected));
  for (const each of kept) {
    assert.deepEqual(sweep.trials.find(({ hash }) => hash === each.hash), each, "a finished trial is not touched");
  }
});

Deno.test({
  name: "workers end with their coordinator, one that hangs too",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const out = temporaryFolder();
    const child = coordinator("faulty", out, "--set", "fault=hang");
    const folder = join(sweepFolder(out, "faulty", "grid", "function"), "trials");
    const isRunning = (): boolean =>
      existsSync(folder) &&
      readdirSync(folder).some((name) => name.endsWith(".json") && readTrial(join(folder, name)).status === "running");
    for (let i = 0; !isRunning(); i++) {
      assert.ok(i < 1200, "the coordinator has not begun within two minutes");
      await new Promise((done) => setTimeout(done, 100));
    }
    const workers = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ");
    assert.equal(workers.length, 1);
    child.kill("SIGKILL");
    await Promise.all([child.status, child.stdout.cancel(), child.stderr.cancel()]);
    const isThere = (): boolean => existsSync(`/proc/${workers[0]}/exe`);
    for (let i = 0; isThere() && i < 600; i++) await new Promise((done) => setTimeout(done, 100));
    assert.equal(isThere(), false, "the worker is still there after a minute");
  },
});

Deno.test("test rows are opened once: the choice and the study's own configuration, counted and recorded", async () => {
  const prepared = await prepareSmall(demo);
  const out = temporaryFolder();
  const request: SweepRequest = {
    search: findSearch("demo"),
    method: "random",
    protocol: "clean",
    out,
    prepared,
    trials: 2,
    epochs: 1,
  };
  const runner = createTrialRunner({ find: findSearch, corpora: await smallCorpus(), cache: false });
  // In the tests' own process the engine runs with the threads that it was started with.
  const executor = inProcessExecutor({ run: (job, hooks) => runner.run(job, hooks) });
  await assert.rejects(unsealSweep(request, { executor }), /demo-random-clean: there is no sweep to unseal/);
  const sweep = await runSweep(request, { executor });
  assert.equal(sweep.unsealed, null);
  const unsealed = await unsealSweep(request, { executor });
  assert.equal(unsealed.looked, 2);
  assert.equal(unsealed.winners.length, 2);
  assert.equal(unsealed.chosen!.n, 64, "every recording is tested once over the folds");
  assert.equal(unsealed.baseline!.n, 64);
  assert.match(unsealed.verdict!, /^cannot be tested: with 4 speakers/);
  assert.equal(sweepText(readSweep(sweep.dir)).unsealed!.verdict, unsealed.verdict);
  for (const { fold, score } of unsealed.winners) {
    const scores = sweep.trials.filter((each) => each.fold === fold && each.role === "candidate").map((each) =>
      each.score!
    );
    assert.equal(score, Math.max(...scores));
  }
  await assert.rejects(
    unsealSweep(request, { executor }),
    /its test rows were looked at already \(chosen of 2 configurations: /,
  );
  await assert.rejects(runSweep({ ...request, trials: 5 }, { executor, fresh: true }), /it is not forgotten/);
});

Deno.test("what makes no sense is refused in one line before anything runs", () => {
  const request = functionRequest(hillSearch);
  assert.throws(() => defineSweep({ ...request, trials: 0 }), /--trials takes a whole number of 1 or more, not 0/);
  assert.throws(() => defineSweep({ ...request, timeLimitSec: 0 }), /--time-limit takes seconds above 0/);
  assert.throws(() => defineSweep({ ...request, space: {} }), /The search space is empty/);
  assert.throws(() => defineSweep({ ...request, seed: -1 }), /--seed takes/);
});

Deno.test("misuse of the command is said in one line, with exit code 2", async () => {
  const out = temporaryFolder();
  const cases: [string[], RegExp][] = [
    [["004", "--method", "best"], /^serlab: There is no method best; there are grid, random, halving, tpe\.$/],
    [["004", "--set", "depth=3"], /^serlab: The search space has no parameter depth; it has rate, hidden/],
    [["004", "--set", "rate="], /^serlab: Parameter rate: has no values to choose from\.$/],
    [["hill", "--trials", "0"], /^error: --trials takes a whole number of 1 or more, not 0$/],
    [["004", "--corpora", join(out, "nothing")], /^serlab: .*nothing: .*no such file or folder/i],
  ];
  for (const [args, message] of cases) {
    const { code, stderr, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", join(root, "lib", "cli.ts"), "sweep", ...args, "--out", out],
      env: { NO_COLOR: "1" },
    }).output();
    const lines = new TextDecoder().decode(stderr).trim().split("\n");
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.match(lines[0]!, message);
    assert.equal(code, 2);
    assert.equal(stdout.length, 0);
  }
});
