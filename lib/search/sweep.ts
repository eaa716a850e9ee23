/**
 * The coordinator of a sweep: asks the method what to try, has it done, keeps every trial, and goes on where it stopped.
 *
 * Only the coordinator writes records, each whole or not at all, so that whatever dies, a finished trial is kept and none
 * is there twice.
 *
 * @module
 */

import { rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { FormatError, UsageError } from "../errors.ts";
import { canonicalJson, writeFileAtomic } from "../io.ts";
import { compareRuns } from "../results/compare.ts";
import { csvText } from "../results/csv.ts";
import { gatherEnvironment, gitCommit } from "../results/environment.ts";
import { withLock } from "../setup/cache.ts";
import { applies, type ProtocolName } from "../study/declare.ts";
import { findProtocol, findVariant, type Prepared } from "../study/run.ts";
import { clipIntervals, speakerIntervals } from "../training/statistics.ts";
import { type Search, variantOf } from "./declare.ts";
import { sweepFolds } from "./folds.ts";
import { createStrategy, type Evaluation, type Strategy } from "./methods.ts";
import { checkSpace, configurationText, gridOf, type Space } from "./space.ts";
import {
  chosenTrial,
  finalists,
  parseTrialRows,
  predictionsName,
  readDefinition,
  readSweep,
  readTrials,
  readUnsealed,
  type Sweep,
  type SweepDefinition,
  sweepFolder,
  type TestScores,
  type TrialRow,
  type Unsealed,
  type Winner,
  writeDefinition,
  writeTrial,
  writeUnsealed,
} from "./store.ts";
import { makeJob, ownLock, scoreOf } from "./trial.ts";
import type { Configuration, Executor, MethodName, TrialJob, TrialOutcome, TrialRecord } from "./types.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Configurations of a search that names no number and is no grid. */
const TRIALS = 27;

/** What a sweep is to be. */
export interface SweepRequest {
  /** What is searched. */
  readonly search: Search;
  /** How. */
  readonly method: MethodName;
  /** Protocol that draws the folds; for a function any name. */
  readonly protocol: string;
  /** Folder of all results. */
  readonly out: string;
  /** The study's recordings; null for a function. */
  readonly prepared: Prepared | null;
  /** Configurations in every fold; default 27, of a grid all. */
  readonly trials?: number | undefined;
  /** Most epochs of a trial; default the variant's. */
  readonly epochs?: number | undefined;
  /** Seed of the split and of what is drawn; default 0. */
  readonly seed?: number | undefined;
  /** Threads of every trial; default 1. */
  readonly threads?: number | undefined;
  /** Seconds that a trial may take; default 3600. */
  readonly timeLimitSec?: number | undefined;
  /** Halving: one in so many goes on; default 3. */
  readonly eta?: number | undefined;
  /** Other than the search's own space, such as {@linkcode restrict} gives. */
  readonly space?: Space | undefined;
}

/** How a sweep is run. */
export interface SweepRun {
  /** What runs the trials. */
  readonly executor: Executor;
  /** Ends the sweep; what is finished is kept. */
  readonly signal?: AbortSignal | undefined;
  /** Is told whenever a trial starts or ends. */
  readonly onProgress?: ((progress: SweepProgress) => void) | undefined;
  /** Forget what is there and start anew; a sweep whose test rows were looked at is not forgotten. */
  readonly fresh?: boolean | undefined;
}

/** Where one fold's search stands. */
export interface FoldProgress {
  /** Name of the fold. */
  readonly name: string;
  /** Trials by status. */
  readonly counts: Readonly<Record<TrialRecord["status"], number>>;
  /** Best score at the largest budget so far. */
  readonly best: number | null;
  /** Its configuration. */
  readonly config: Configuration | null;
}

/** Where a sweep stands. */
export interface SweepProgress {
  /** What it is. */
  readonly definition: SweepDefinition;
  /** Its folds. */
  readonly folds: readonly FoldProgress[];
  /** Epochs that this run has trained. */
  readonly epochsDone: number;
  /** Epochs that are left, as far as is known. */
  readonly epochsLeft: number;
  /** Seconds that are left, from the time of what this run has done; null before the first trial has ended. */
  readonly secondsLeft: number | null;
  /** The trial that has just started or ended. */
  readonly trial: TrialRecord;
}

/**
 * What a sweep is, before anything runs.
 *
 * @throws {UsageError} when the space, the protocol or a number makes no sense.
 */
export function defineSweep(request: SweepRequest): SweepDefinition {
  const { search, method, protocol, prepared, seed = 0, threads = 1, timeLimitSec = 3600 } = request;
  const space = request.space ?? search.space;
  checkSpace(space);
  for (const [name, value] of Object.entries({ trials: request.trials, epochs: request.epochs, threads })) {
    if (value !== undefined && !(Number.isInteger(value) && value > 0)) {
      throw new UsageError(`--${name} takes a whole number of 1 or more, not ${value}.`);
    }
  }
  if (!(timeLimitSec > 0)) throw new UsageError(`--time-limit takes seconds above 0, not ${timeLimitSec}.`);
  if (!(Number.isInteger(seed) && seed >= 0)) {
    throw new UsageError(`--seed takes a whole number of 0 or more, not ${seed}.`);
  }
  const trials = method === "grid" ? gridOf(space).length : request.trials ?? TRIALS;
  const innerFolds = search.kind === "study" ? search.innerFolds ?? 1 : 1;
  const { deno, cpu, cores } = gatherEnvironment({ tensorflow: "", backend: "" });
  const shared = {
    format: "serlab-sweep" as const,
    version: 1 as const,
    name: basename(sweepFolder("", search.id, method, protocol)),
    study: search.id,
    variant: variantOf(search),
    describe: search.describe,
    method,
    protocol,
    metric: search.kind === "study" ? search.metric ?? "accuracy" : "accuracy" as const,
    space,
    trials,
    ...(method === "halving" ? { eta: request.eta ?? 3 } : {}),
    ...(method === "tpe" ? { batch: 4 } : {}),
    seed,
    threads,
    timeLimitSec,
    lock: ownLock(),
    commit: gitCommit(ROOT),
    environment: { deno, cpu, cores },
  };
  if (search.kind === "function") {
    return {
      ...shared,
      epochs: request.epochs ?? search.epochs ?? 1,
      innerFolds,
      fraction: 1,
      manifest: "",
      scoredOn: "the function's value",
      bySpeaker: false,
      folds: [{ name: "function", train: 0, scored: 0, speakers: 0, test: 0 }],
    };
  }
  if (prepared === null) throw new UsageError(`Study ${search.id} needs its recordings.`);
  const declared = findProtocol(search.study, protocol);
  if (!applies(declared)) {
    throw new UsageError(`Study ${search.id}: ${protocol} does not apply, ${declared.doesNotApply}.`);
  }
  const own = { variant: search.variant, protocol: protocol as ProtocolName, seed, innerFolds };
  const { table, folds } = sweepFolds(prepared, own);
  return {
    ...shared,
    epochs: request.epochs ?? findVariant(search.study, search.variant).plan.epochs,
    innerFolds: Math.max(...folds.map(({ inner }) => inner.length)),
    fraction: prepared.fraction,
    manifest: prepared.manifest,
    scoredOn: folds[0]!.scoredOn,
    bySpeaker: declared.bySpeaker,
    folds: folds.map(({ fold, inner }) => ({
      name: fold.name,
      train: inner.reduce((sum, { train }) => sum + train.length, 0),
      scored: inner.reduce((sum, { score }) => sum + score.length, 0),
      speakers: new Set(inner.flatMap(({ score }) => score.map((row) => table.examples[row]!.speaker))).size,
      test: fold.test.length,
    })),
    ...(search.published ? { published: search.published } : {}),
  };
}

/** What of two definitions may differ: a sweep goes on after a commit, on another machine, with another time limit. */
function lasting(definition: SweepDefinition): Record<string, unknown> {
  const { commit: _c, environment: _e, timeLimitSec: _t, describe: _d, published: _p, ...rest } = JSON.parse(
    JSON.stringify(definition),
  ) as SweepDefinition;
  return rest;
}

/** Refuses to go on with a sweep that was begun as another one. */
function checkSame(there: SweepDefinition, asked: SweepDefinition, dir: string): void {
  const before = lasting(there), now = lasting(asked);
  const differs = [...new Set([...Object.keys(before), ...Object.keys(now)])].filter((name) =>
    canonicalJson(before[name] ?? null) !== canonicalJson(now[name] ?? null)
  );
  if (differs.length === 0) return;
  const [first] = differs;
  const said = (value: unknown): string => {
    const text = JSON.stringify(value) ?? "none";
    return text.length > 40 ? "" : ` (${text})`;
  };
  throw new UsageError(
    `${dir}: was begun with another ${first}${said(before[first!])}, not this one${said(now[first!])}; ` +
      "choose another --out, or start anew with --fresh.",
  );
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

function noCounts(): Record<TrialRecord["status"], number> {
  return { waiting: 0, running: 0, done: 0, pruned: 0, failed: 0 };
}

/** The state of a sweep under way. */
class SweepState {
  readonly records = new Map<string, TrialRecord>();
  readonly strategies: readonly Strategy[];

  constructor(readonly dir: string, readonly definition: SweepDefinition) {
    const { method, space, trials, epochs, seed, eta, batch } = definition;
    const options = {
      trials,
      epochs,
      seed,
      ...(eta === undefined ? {} : { eta }),
      ...(batch === undefined ? {} : { batch }),
    };
    this.strategies = definition.folds.map(() => createStrategy(method, space, options));
    this.#folds = definition.folds.map(({ name }) => ({
      name,
      counts: noCounts(),
      best: null,
      config: null,
      epochs: 0,
    }));
    for (const record of readTrials(dir)) this.#note(record);
  }

  readonly #folds: (Mutable<FoldProgress> & { epochs: number })[];

  /** Takes a record into account. */
  #note(record: TrialRecord): void {
    const before = this.records.get(record.hash), fold = this.#folds[record.fold];
    this.records.set(record.hash, record);
    if (fold === undefined || record.role !== "candidate") return;
    const counts = { ...fold.counts };
    if (before !== undefined) counts[before.status]--;
    counts[record.status]++;
    fold.counts = counts;
    const { score, epochs } = record;
    if (score === null) return;
    if (epochs > fold.epochs || (epochs === fold.epochs && (fold.best === null || score > fold.best))) {
      Object.assign(fold, { best: score, config: record.config, epochs });
    }
  }

  /** A job of this sweep. */
  job(fold: number, config: Configuration, epochs: number, rows: TrialJob["rows"] = "validation"): TrialJob {
    const { name, study, variant, protocol, metric, innerFolds, seed, threads, manifest, fraction, timeLimitSec } =
      this.definition;
    return makeJob({
      sweep: name,
      rows,
      study,
      variant,
      protocol,
      fold,
      innerFolds,
      config,
      dataSeed: seed,
      epochs,
      metric,
      threads,
      manifest,
      fraction,
      timeLimitSec,
    });
  }

  /** What has ended in a fold, budget by budget. */
  evaluations(fold: number): Evaluation[] {
    return [...this.records.values()].filter((each) => each.fold === fold && each.role === "candidate").flatMap((
      each,
    ) => each.rungs.map(({ epochs, score }) => ({ number: each.number, epochs, score })));
  }

  /** What is to be done now; records are made of what is new, and those that go no further are pruned. */
  next(): { jobs: TrialJob[]; epochsLeft: number } {
    const jobs: TrialJob[] = [];
    let epochsLeft = 0;
    for (const [fold, strategy] of this.strategies.entries()) {
      if (this.definition.manifest !== "") {
        const baseline = this.job(fold, {}, this.definition.epochs);
        const record = this.records.get(baseline.hash) ?? this.waiting(baseline, -1);
        if (!record.rungs.some(({ epochs }) => epochs === baseline.epochs)) jobs.push(baseline);
      }
      const step = strategy.next(this.evaluations(fold));
      epochsLeft += step.epochsLeft;
      for (const { number, config, epochs } of step.suggestions) {
        const job = this.job(fold, config, epochs);
        const there = this.records.get(job.hash);
        if (there === undefined) this.waiting(job, number);
        else if (there.status !== "waiting") this.keep({ ...there, status: "waiting" });
        jobs.push(job);
      }
      const reasons = new Map(step.pruned.map(({ number, reason }) => [number, reason]));
      for (const record of this.records.values()) {
        const reason = record.fold === fold && record.role === "candidate" ? reasons.get(record.number) : undefined;
        if (reason !== undefined && record.status !== "pruned") this.keep({ ...record, status: "pruned", reason });
      }
    }
    return { jobs, epochsLeft };
  }

  waiting(job: TrialJob, number: number): TrialRecord {
    const { hash, study, variant, protocol, fold, config, metric, seed, threads } = job;
    return this.keep({
      format: "serlab-trial",
      version: 1,
      hash,
      status: "waiting",
      role: number < 0 ? "baseline" : "candidate",
      number,
      study,
      variant,
      protocol,
      fold,
      config,
      score: null,
      metric,
      seed,
      threads,
      epochs: 0,
      rungs: [],
      seconds: 0,
      reason: null,
      history: [],
      predictions: null,
      worker: null,
      engine: null,
      peakMemoryMb: null,
    });
  }

  keep(record: TrialRecord, predictions?: string): TrialRecord {
    writeTrial(this.dir, record, predictions);
    this.#note(record);
    return record;
  }

  started(job: TrialJob, worker: string): TrialRecord {
    return this.keep({ ...this.records.get(job.hash)!, status: "running", worker });
  }

  ended(job: TrialJob, outcome: TrialOutcome): TrialRecord {
    const record = this.records.get(job.hash)!;
    // What came twice (a queue may do that) counts once.
    if (record.rungs.some(({ epochs }) => epochs === job.epochs)) return record;
    const { seconds } = outcome, worker = outcome.worker ?? record.worker;
    const score = outcome.status === "done" ? outcome.score : null;
    const base = {
      ...record,
      worker,
      seconds: record.seconds + seconds,
      rungs: [...record.rungs, { epochs: job.epochs, score, seconds }],
    };
    if (outcome.status === "failed") {
      return this.keep({ ...base, status: "failed", score: null, reason: outcome.reason });
    }
    const isLast = job.epochs >= this.definition.epochs;
    return this.keep({
      ...base,
      // A rung's others may still prune it: until then it waits for more epochs.
      status: isLast ? "done" : "waiting",
      score,
      epochs: job.epochs,
      history: outcome.history,
      predictions: outcome.predictions === "" ? null : predictionsName(record.hash),
      engine: outcome.engine ?? null,
      peakMemoryMb: outcome.peakMemoryMb,
    }, outcome.predictions);
  }

  progress(): FoldProgress[] {
    return this.#folds.map(({ name, counts, best, config }) => ({ name, counts, best, config }));
  }

  /** What was running and has been given up is to be done again. */
  giveUp(): void {
    for (const record of this.records.values()) {
      if (record.status === "running") this.keep({ ...record, status: "waiting" });
    }
  }
}

/** Work on a sweep's folder, which nobody else may do at the same time. */
async function alone<T>(dir: string, work: () => Promise<T>): Promise<T> {
  return await withLock(join(dir, "sweep"), work, () => {
    throw new UsageError(`${dir}: another process is at work on this sweep.`);
  });
}

/** Folder of checkpoints of a sweep's trials under way; gone when it has ended. */
export function checkpointFolder(out: string, name: string): string {
  return join(out, ".checkpoints", "sweeps", name);
}

/**
 * Runs a sweep, or goes on with the one that stands there, until the method has nothing more to try.
 *
 * @throws {UsageError} when a sweep stands there that is another one, or another process is at work on it.
 * @throws the signal's reason when it is aborted.
 */
export async function runSweep(request: SweepRequest, run: SweepRun): Promise<Sweep> {
  const { executor, signal, onProgress } = run;
  const definition = defineSweep(request);
  const dir = sweepFolder(request.out, definition.study, definition.method, definition.protocol);
  return await alone(dir, async () => {
    if (run.fresh && readDefinition(dir) !== null) {
      if (readUnsealed(dir) !== null) {
        throw new UsageError(`${dir}: its test rows have been looked at; it is not forgotten, choose another --out.`);
      }
      rmSync(join(dir, "trials"), { recursive: true, force: true });
      rmSync(join(dir, "sweep.json"));
    }
    const there = readDefinition(dir);
    if (there === null) writeDefinition(dir, definition);
    else checkSame(there, definition, dir);
    const state = new SweepState(dir, { ...(there ?? definition), timeLimitSec: definition.timeLimitSec });
    let epochsDone = 0, secondsDone = 0;
    for (;;) {
      signal?.throwIfAborted();
      const { jobs, epochsLeft: later } = state.next();
      if (jobs.length === 0) break;
      let epochsLeft = later + jobs.reduce((sum, job) => sum + job.epochs, 0);
      const tell = (trial: TrialRecord): void => {
        const rate = epochsDone === 0 ? null : secondsDone / epochsDone;
        const secondsLeft = rate === null ? null : rate * epochsLeft / executor.workers;
        onProgress?.({ definition, folds: state.progress(), epochsDone, epochsLeft, secondsLeft, trial });
      };
      const running = executor.run(jobs, {
        onStart: (job, worker) => tell(state.started(job, worker)),
        onOutcome: (job, outcome) => {
          const trial = state.ended(job, outcome);
          epochsDone += job.epochs;
          epochsLeft -= job.epochs;
          secondsDone += outcome.seconds;
          tell(trial);
        },
        signal,
      });
      await running.catch((error) => {
        state.giveUp();
        throw error;
      });
    }
    rmSync(checkpointFolder(request.out, definition.name), { recursive: true, force: true });
    return readSweep(dir);
  });
}

/** How many different configurations a sweep's candidates are. */
export function configurationsLookedAt(sweep: Pick<Sweep, "trials">): number {
  const looked = sweep.trials.filter((each) => each.role === "candidate" && each.rungs.length > 0);
  return new Set(looked.map(({ config }) => canonicalJson(config))).size;
}

/** The one line that says what a look at the test rows gave. */
export function unsealedText({ looked, chosen, baseline, verdict }: Unsealed): string {
  if (chosen === null || baseline === null) return `${looked} configurations were looked at; the test is not finished`;
  const share = (value: number): string => `${(100 * value).toFixed(2)} %`;
  return `chosen of ${looked} configurations: ${share(chosen.accuracy)} on ${chosen.n} test rows; the study's own: ${
    share(baseline.accuracy)
  }; ${verdict}`;
}

/**
 * Opens the sealed test rows, once: every fold's chosen configuration and the study's own are trained on the fold's whole
 * training side and tested.
 *
 * That it was opened is recorded before anything is tested; interrupted, the same command goes on with the same choices.
 *
 * @throws {UsageError} when the search has not ended, or the rows have been looked at before.
 */
export async function unsealSweep(
  request: Pick<SweepRequest, "search" | "method" | "protocol" | "out" | "prepared">,
  { executor, signal }: Pick<SweepRun, "executor" | "signal">,
): Promise<Unsealed> {
  const { search, method, protocol, out } = request;
  const dir = sweepFolder(out, search.id, method, protocol);
  if (search.kind === "function") throw new UsageError(`${search.id} is a function: it has no test rows.`);
  if (readDefinition(dir) === null) throw new UsageError(`${dir}: there is no sweep to unseal.`);
  return await alone(dir, async () => {
    const sweep = readSweep(dir), { definition } = sweep;
    if (sweep.unsealed?.status === "done") {
      throw new UsageError(`${dir}: its test rows were looked at already (${unsealedText(sweep.unsealed)}).`);
    }
    const state = new SweepState(dir, definition);
    const open = definition.folds.map((_, fold) =>
      state.strategies[fold]!.next(state.evaluations(fold)).suggestions.length
    )
      .reduce((a, b) => a + b, 0);
    if (open > 0) throw new UsageError(`${dir}: the search has not ended, ${open} trials are open.`);
    const winners = definition.folds.map((each, fold): Winner => {
      const best = chosenTrial(sweep, fold);
      if (best === null) throw new UsageError(`${dir}: all trials of ${each.name} failed, there is nothing to test.`);
      const looked = sweep.trials.filter((trial) => trial.fold === fold && trial.role === "candidate").length;
      return { fold, hash: best.hash, config: best.config, score: best.score!, looked };
    });
    const begun: Unsealed = {
      format: "serlab-unsealed",
      version: 1,
      sweep: definition.name,
      status: "opened",
      looked: configurationsLookedAt(sweep),
      winners,
      chosen: null,
      baseline: null,
      verdict: null,
      commit: gitCommit(ROOT),
    };
    writeUnsealed(dir, begun);
    const jobs = winners.flatMap(({ fold, config }) =>
      [config, {}].map((each) => state.job(fold, each, definition.epochs, "test"))
    );
    const rows = new Map<string, TrialRow[]>();
    await executor.run(jobs, {
      onStart: () => {},
      onOutcome: (job, outcome) => {
        if (outcome.status === "failed") {
          throw new FormatError(
            `The test of ${configurationText(job.config) || "the baseline"} failed: ${outcome.reason}.`,
          );
        }
        rows.set(
          job.id,
          parseTrialRows(outcome.predictions, job.id).map((row) => ({ ...row, fold: job.fold })),
        );
      },
      signal,
    });
    const pooled = (which: 0 | 1): TrialRow[] => winners.flatMap((_, i) => rows.get(jobs[2 * i + which]!.id)!);
    const chosen = pooled(0), baseline = pooled(1);
    const done: Unsealed = {
      ...begun,
      status: "done",
      chosen: testScores(dir, "chosen", chosen, definition),
      baseline: testScores(dir, "baseline", baseline, definition),
      verdict: verdictOn(chosen, baseline, definition.bySpeaker),
    };
    writeUnsealed(dir, done);
    rmSync(checkpointFolder(out, definition.name), { recursive: true, force: true });
    return done;
  });
}

function testScores(dir: string, name: string, rows: readonly TrialRow[], definition: SweepDefinition): TestScores {
  const predictions = `unsealed-${name}.predictions.csv`;
  const text = rows.map((row) => [
    row.key,
    row.parent,
    String(row.copy),
    row.speaker,
    String(row.fold),
    row.truth,
    row.prediction,
  ]);
  writeFileAtomic(
    join(dir, predictions),
    csvText([["key", "parent", "copy", "speaker", "fold", "truth", "prediction"], ...text]),
  );
  const { interval, kind, recordings, speakers } = definition.bySpeaker
    ? speakerIntervals([rows])
    : clipIntervals([rows]);
  return {
    predictions,
    n: rows.length,
    recordings,
    speakers,
    accuracy: scoreOf(rows, "accuracy"),
    uar: scoreOf(rows, "uar"),
    interval: { kind, ...interval },
  };
}

/** Chosen against baseline on the same rows, in words. */
export function verdictOn(chosen: readonly TrialRow[], baseline: readonly TrialRow[], bySpeaker: boolean): string {
  const estimate = (rows: readonly TrialRow[]) => ({
    value: scoreOf(rows, "accuracy"),
    interval: clipIntervals([rows]).interval.accuracy,
  });
  return compareRuns([chosen], [baseline], bySpeaker, () => [estimate(chosen), estimate(baseline)]).text;
}

/** Where a sweep stands that nobody may be at work on: for `sweep status`. */
export function sweepStatus(sweep: Sweep): FoldProgress[] {
  return sweep.definition.folds.map(({ name }, fold) => {
    const own = sweep.trials.filter((each) => each.fold === fold && each.role === "candidate");
    const counts = noCounts();
    for (const each of own) counts[each.status]++;
    const best = chosenTrial(sweep, fold);
    return { name, counts, best: best?.score ?? null, config: best?.config ?? null };
  });
}

/** Whether every fold has something to choose and nothing is open. */
export function hasEnded(sweep: Sweep): boolean {
  return sweep.definition.folds.every((_, fold) => finalists(sweep, fold).length > 0) &&
    sweep.trials.every(({ status }) => status !== "waiting" && status !== "running");
}
