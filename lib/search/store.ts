/**
 * A sweep's files: `sweep.json` (what it is), `trials/<hash>.json` with validation predictions beside them, and
 * `unsealed.json` once the test rows have been looked at.
 *
 * @module
 */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { FormatError } from "../errors.ts";
import { readFileOr, writeFileAtomic } from "../io.ts";
import { parseCsvFile } from "../results/csv.ts";
import { type Environment, prettyJson } from "../results/record.ts";
import type { Interval, IntervalKind, ScoredRow } from "../training/statistics.ts";
import type { PublishedSearch } from "./declare.ts";
import type { Space } from "./space.ts";
import type { Configuration, MethodName, Metric, TrialRecord } from "./types.ts";

/** What a sweep says of an outer fold. */
export interface SweepFold {
  /** Its name. */
  readonly name: string;
  /** Rows that a trial learns from, those of its inner trainings added up. */
  readonly train: number;
  /** Rows that are scored. */
  readonly scored: number;
  /** Speakers of the scored rows. */
  readonly speakers: number;
  /** Sealed rows. */
  readonly test: number;
}

/** `sweep.json`: all that decides a sweep's trials. */
export interface SweepDefinition {
  /** Magic string. */
  readonly format: "serlab-sweep";
  /** Version of the format. */
  readonly version: 1;
  /** Name of its folder: `<study>-<method>-<protocol>`. */
  readonly name: string;
  /** Study, or the name of a function. */
  readonly study: string;
  /** Variant that is changed. */
  readonly variant: string;
  /** One sentence. */
  readonly describe: string;
  /** Method. */
  readonly method: MethodName;
  /** Protocol. */
  readonly protocol: string;
  /** Score. */
  readonly metric: Metric;
  /** What is chosen from. */
  readonly space: Space;
  /** Configurations asked for in every outer fold. */
  readonly trials: number;
  /** Most epochs of a trial. */
  readonly epochs: number;
  /** Halving: one in so many goes on; TPE: suggestions at once. Absent for other methods. */
  readonly eta?: number;
  /** TPE: how many are suggested at once. */
  readonly batch?: number;
  /** Seed of the split, of what is drawn of the recordings and of the space. */
  readonly seed: number;
  /** Threads of every trial's engine. */
  readonly threads: number;
  /** Inner trainings of a trial. */
  readonly innerFolds: number;
  /** Seconds that a job may take. */
  readonly timeLimitSec: number;
  /** Share of the recordings. */
  readonly fraction: number;
  /** Hash of the manifest. */
  readonly manifest: string;
  /** Hash of deno.lock. */
  readonly lock: string | null;
  /** Commit of the code that began it. */
  readonly commit: string | null;
  /** What began it; what computed, each trial says. */
  readonly environment: Pick<Environment, "deno" | "cpu" | "cores">;
  /** What trials are scored on. */
  readonly scoredOn: string;
  /** Whether whole speakers are scored: what the bootstrap resamples. */
  readonly bySpeaker: boolean;
  /** Outer folds; each has a search of its own. */
  readonly folds: readonly SweepFold[];
  /** A published search like it. */
  readonly published?: PublishedSearch;
}

/** Scores of test rows. */
export interface TestScores {
  /** File of the predictions, beside `unsealed.json`. */
  readonly predictions: string;
  /** Rows. */
  readonly n: number;
  /** Recordings among them. */
  readonly recordings: number;
  /** Speakers. */
  readonly speakers: number;
  /** Share predicted rightly. */
  readonly accuracy: number;
  /** Recall averaged over classes. */
  readonly uar: number;
  /** 95 % intervals. */
  readonly interval: { readonly kind: IntervalKind; readonly accuracy: Interval; readonly uar: Interval };
}

/** The configuration that a fold's search chose. */
export interface Winner {
  /** Outer fold. */
  readonly fold: number;
  /** Its trial. */
  readonly hash: string;
  /** Its configuration. */
  readonly config: Configuration;
  /** Its validation score. */
  readonly score: number;
  /** How many configurations the fold's search had looked at. */
  readonly looked: number;
}

/** `unsealed.json`: the one look at the test rows. */
export interface Unsealed {
  /** Magic string. */
  readonly format: "serlab-unsealed";
  /** Version of the format. */
  readonly version: 1;
  /** Name of the sweep. */
  readonly sweep: string;
  /** `opened`: begun, and not finished; the same command goes on. */
  readonly status: "opened" | "done";
  /** Different configurations that were looked at before. */
  readonly looked: number;
  /** What each fold's search chose. */
  readonly winners: readonly Winner[];
  /** The chosen configurations on the test rows; null until done. */
  readonly chosen: TestScores | null;
  /** The study's own configuration on the same rows; null until done. */
  readonly baseline: TestScores | null;
  /** Chosen against baseline, in words. */
  readonly verdict: string | null;
  /** Commit of the code. */
  readonly commit: string | null;
}

/** A sweep as its files say. */
export interface Sweep {
  /** Its folder. */
  readonly dir: string;
  /** What it is. */
  readonly definition: SweepDefinition;
  /** Its trials, by fold, then by number; baselines first. */
  readonly trials: readonly TrialRecord[];
  /** The look at the test rows; null while they are sealed. */
  readonly unsealed: Unsealed | null;
}

/** Folder of a sweep below a folder of results. */
export function sweepFolder(results: string, study: string, method: string, protocol: string): string {
  return join(results, "sweeps", `${study}-${method}-${protocol}`);
}

function readJson(path: string, format: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(readFileOr(path, FormatError)));
  } catch (error) {
    if (error instanceof FormatError) throw error;
    throw new FormatError(`${path}: is not JSON (${(error as Error).message}).`, { cause: error });
  }
  const record = value as Record<string, unknown> | null;
  if (typeof record !== "object" || record === null || record["format"] !== format || record["version"] !== 1) {
    throw new FormatError(`${path}: is not a ${format} of version 1.`);
  }
  return record;
}

/**
 * Reads what a sweep is; null where none stands there.
 *
 * @throws {FormatError} when the file is none of ours.
 */
export function readDefinition(dir: string): SweepDefinition | null {
  const path = join(dir, "sweep.json");
  return existsSync(path) ? readJson(path, "serlab-sweep") as unknown as SweepDefinition : null;
}

/** Writes what a sweep is. */
export function writeDefinition(dir: string, definition: SweepDefinition): void {
  writeFileAtomic(join(dir, "sweep.json"), `${prettyJson(JSON.parse(JSON.stringify(definition)))}\n`);
}

const STATUSES = ["waiting", "running", "done", "pruned", "failed"];

/**
 * Reads a trial.
 *
 * @throws {FormatError} naming the file and the rule.
 */
export function readTrial(path: string): TrialRecord {
  const record = readJson(path, "serlab-trial") as unknown as TrialRecord;
  const rule = !STATUSES.includes(record.status)
    ? `status must be one of ${STATUSES.join(", ")}`
    : record.score !== null && !Number.isFinite(record.score)
    ? "score must be a number or null"
    : !Array.isArray(record.rungs) || typeof record.config !== "object" || record.config === null
    ? "config and rungs must be there"
    : !path.endsWith(`${record.hash}.json`)
    ? `a trial of this hash stands in ${record.hash}.json`
    : null;
  if (rule !== null) throw new FormatError(`${path}: ${rule}.`);
  return record;
}

/** Where a trial's record stands. */
export function trialPath(dir: string, hash: string): string {
  return join(dir, "trials", `${hash}.json`);
}

/** Name of a trial's predictions, beside its record. */
export function predictionsName(hash: string): string {
  return `${hash}.predictions.csv`;
}

/** Writes a trial, its predictions first: a record that names some has them. */
export function writeTrial(dir: string, record: TrialRecord, predictions?: string): void {
  if (predictions !== undefined && record.predictions !== null) {
    writeFileAtomic(join(dir, "trials", record.predictions), predictions);
  }
  writeFileAtomic(trialPath(dir, record.hash), `${prettyJson(record)}\n`);
}

/** All trials of a sweep, by fold, then by number. */
export function readTrials(dir: string): TrialRecord[] {
  const folder = join(dir, "trials");
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter((name) => /^[0-9a-f]+\.json$/.test(name)).map((name) =>
    readTrial(join(folder, name))
  ).sort((a, b) => a.fold - b.fold || a.number - b.number || (a.hash < b.hash ? -1 : 1));
}

/** The look at the test rows; null while they are sealed. */
export function readUnsealed(dir: string): Unsealed | null {
  const path = join(dir, "unsealed.json");
  return existsSync(path) ? readJson(path, "serlab-unsealed") as unknown as Unsealed : null;
}

/** Writes the look at the test rows. */
export function writeUnsealed(dir: string, unsealed: Unsealed): void {
  writeFileAtomic(join(dir, "unsealed.json"), `${prettyJson(unsealed)}\n`);
}

/**
 * Reads a sweep.
 *
 * @param dir Its folder: `results/sweeps/<study>-<method>-<protocol>`.
 * @throws {FormatError} when there is none, or a file is damaged.
 */
export function readSweep(dir: string): Sweep {
  const definition = readDefinition(dir);
  if (definition === null) throw new FormatError(`${dir}: holds no sweep, there is no sweep.json.`);
  return { dir, definition, trials: readTrials(dir), unsealed: readUnsealed(dir) };
}

/** All sweeps of a folder of results, by name. */
export function findSweeps(results: string): Sweep[] {
  const folder = join(results, "sweeps");
  if (!existsSync(folder)) return [];
  return readdirSync(folder).sort().filter((name) => existsSync(join(folder, name, "sweep.json"))).map((name) =>
    readSweep(join(folder, name))
  );
}

/** A scored row of a trial. */
export interface TrialRow extends ScoredRow {
  /** Identifier of the recording. */
  readonly key: string;
  /** 0 for the recording itself. */
  readonly copy: number;
  /** Inner fold. */
  readonly fold: number;
}

const COLUMNS = ["key", "parent", "copy", "speaker", "fold", "truth", "prediction"];

/**
 * Reads predictions of a trial.
 *
 * @param file Name for errors.
 * @throws {FormatError} naming the file and the rule.
 */
export function parseTrialRows(text: string, file: string): TrialRow[] {
  const [head, ...rows] = parseCsvFile(text, file);
  if (head?.join() !== COLUMNS.join()) throw new FormatError(`${file}: the columns must be ${COLUMNS.join(",")}.`);
  return rows.map((fields, i): TrialRow => {
    if (fields.length !== COLUMNS.length) throw new FormatError(`${file}: line ${i + 2} has ${fields.length} fields.`);
    const [key, parent, copy, speaker, fold, truth, prediction] = fields as [
      string,
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    return { key, parent, copy: Number(copy), speaker, fold: Number(fold), truth, prediction };
  });
}

/** The validation predictions of a trial; null where it has none. */
export function trialRows(sweep: Sweep, trial: TrialRecord): TrialRow[] | null {
  if (trial.predictions === null) return null;
  const path = join(sweep.dir, "trials", trial.predictions);
  return parseTrialRows(new TextDecoder().decode(readFileOr(path, FormatError)), path);
}

/** The predictions of an unsealed test. */
export function testedRows({ dir }: Pick<Sweep, "dir">, { predictions }: TestScores): TrialRow[] {
  const path = join(dir, predictions);
  return parseTrialRows(new TextDecoder().decode(readFileOr(path, FormatError)), path);
}

/** The trials of a fold that can be chosen: candidates that had all epochs and did not fail. */
export function finalists(sweep: Pick<Sweep, "trials">, fold: number): TrialRecord[] {
  return sweep.trials.filter((each) =>
    each.fold === fold && each.role === "candidate" && each.status === "done" && each.score !== null
  );
}

/** The trial that a fold's search chooses: the best one, of equals the first; null before there is one. */
export function chosenTrial(sweep: Pick<Sweep, "trials">, fold: number): TrialRecord | null {
  return finalists(sweep, fold).reduce<TrialRecord | null>(
    (best, each) => best === null || each.score! > best.score! ? each : best,
    null,
  );
}
