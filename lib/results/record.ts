/**
 * The run record: what one training and test of one variant under one protocol with one seed gave, as files under
 * `results/<study>/<protocol>/<variant>-s<seed>.json` with its predictions beside it.
 *
 * The record is written last and whole, so a record that stands there is complete. While a run is under way every
 * finished fold is kept in `<variant>-s<seed>.partial/`, so a killed run loses at most the fold in work.
 *
 * @module
 */

import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { FormatError, UsageError } from "../errors.ts";
import { readFileOr, systemReason, writeFileAtomic } from "../io.ts";
import {
  evaluatePredictions,
  type Metrics,
  type PredictionRow,
  type Predictions,
  predictionsFault,
} from "../training/evaluate.ts";
import { csvText, float32Text, parseCsvFile } from "./csv.ts";

/** What names a run. */
export interface RunId {
  /** Study, e.g. `000`. */
  readonly study: string;
  /** Protocol, e.g. `clean`. */
  readonly protocol: string;
  /** Variant, e.g. `vanilla`. */
  readonly variant: string;
  /** Seed, an integer from 0 on. */
  readonly seed: number;
}

/** A published number that a run is set beside. */
export interface RunClaim {
  /** Published accuracy in [0, 1]. */
  readonly accuracy: number;
  /** Clips it was measured on. */
  readonly n: number;
  /** Where it stands. */
  readonly source: string;
}

/** What a run was made with. */
export interface Environment {
  /** Version of Deno. */
  readonly deno: string;
  /** Version of TensorFlow (native) or tf.js. */
  readonly tensorflow: string;
  /** Backend: `native`, `webgpu`, `wasm`. */
  readonly backend: string;
  /** Model of the processor. */
  readonly cpu: string;
  /** Processor cores that could be used. */
  readonly cores: number;
}

/** What is known after an epoch; a value that was not finite is null. */
export interface HistoryEntry {
  /** Number of the epoch, from 1. */
  readonly epoch: number;
  /** Mean training loss. */
  readonly loss?: number | null;
  /** Training accuracy. */
  readonly accuracy?: number | null;
  /** Validation loss. */
  readonly valLoss?: number | null;
  /** Validation accuracy. */
  readonly valAccuracy?: number | null;
  /** Learning rate. */
  readonly learningRate?: number | null;
}

/** How many rows and speakers a run had (over folds: summed rows, each speaker once). */
export interface RunCounts {
  /** Training rows. */
  readonly train: number;
  /** Validation rows. */
  readonly validation: number;
  /** Test rows. */
  readonly test: number;
  /** Speakers in training. */
  readonly speakersTrain: number;
  /** Speakers in the test. */
  readonly speakersTest: number;
}

/** What listeners made of the clips that the run tested. */
export interface ListenerScore {
  /** Corpus that the votes are of. */
  readonly corpus: string;
  /** SHA-256 of the file of the votes. */
  readonly source: string;
  /** Tested recordings that have votes. */
  readonly clips: number;
  /** Votes on them. */
  readonly votes: number;
  /** Chance that one listener names the label, averaged over the clips. */
  readonly accuracy: number;
  /** The same averaged over classes. */
  readonly uar: number;
  /** Share of the clips of which most listeners name the label. */
  readonly majority: number;
  /** Share of the same clips that the model gets right. */
  readonly model: number;
}

/** Seconds spent. */
export interface RunSeconds {
  /** On features. */
  readonly features: number;
  /** On training. */
  readonly train: number;
  /** On the test. */
  readonly evaluate: number;
}

/** A fold as its runner gives it. */
export interface FoldResult {
  /** Number of the fold, from 0. */
  readonly fold: number;
  /** What it is called, e.g. the speaker left out. */
  readonly name?: string;
  /** One entry an epoch. */
  readonly history: readonly HistoryEntry[];
}

/** A fold in a record: with the metrics of its own rows. */
export interface RecordedFold extends FoldResult {
  /** Scores of the fold's rows. */
  readonly metrics: Pick<Metrics, "n" | "accuracy" | "uar" | "macroF1" | "logLoss">;
}

/** All that a run has to say but its predictions and what follows from them. */
export interface RunInput extends RunId {
  /** The published number of this variant, or null. */
  readonly claim: RunClaim | null;
  /** Git commit of the code, `-dirty` when changed; null without git. */
  readonly commit: string | null;
  /** SHA-256 of deno.lock; null without one. */
  readonly lock: string | null;
  /** SHA-256 of the manifest. */
  readonly manifest: string;
  /** SHA-256 of the split ({@linkcode splitHash} of lib/split). */
  readonly split: string;
  /** What it was made with. */
  readonly environment: Environment;
  /** All settings. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Share of the recordings used, in (0, 1]. */
  readonly fraction: number;
  /** Epochs asked for. */
  readonly epochs: number;
  /** Rows and speakers. */
  readonly counts: RunCounts;
  /** Whether test speakers were unseen in training: decides the kind of interval. */
  readonly bySpeaker: boolean;
  /** The folds, in order. */
  readonly folds: readonly FoldResult[];
  /** Seconds spent. */
  readonly seconds: RunSeconds;
  /** Peak resident memory in MiB. */
  readonly peakMemoryMb: number;
  /** Listeners on the same clips, where the corpus has votes. */
  readonly listeners?: ListenerScore;
  /** Audio files that lay there under names that no corpus uses and that were passed over; no row follows from them. */
  readonly ignored?: readonly string[];
}

/** A run record as it stands in its file. */
export interface RunRecord extends Omit<RunInput, "folds"> {
  /** Magic string. */
  readonly format: "serlab-run";
  /** Version of the format. */
  readonly version: 1;
  /** The folds, each with its scores. */
  readonly folds: readonly RecordedFold[];
  /** Metrics of all test rows of all folds together. */
  readonly metrics: Metrics;
  /** File of the predictions, beside the record. */
  readonly predictions: string;
}

/** A record and where it stands. */
export interface FoundRecord {
  /** Path of its file. */
  readonly path: string;
  /** What it says. */
  readonly record: RunRecord;
}

/** A finished fold of a run under way. */
export interface FoldPart {
  /** The fold. */
  readonly fold: FoldResult;
  /** Its test rows. */
  readonly predictions: Predictions;
  /** Seconds spent on it. */
  readonly seconds: RunSeconds;
}

/** Folders of results/ that hold no run records. */
const RESERVED = new Set(["sweeps", "bench", "bundles", "figures"]);

function checkId({ study, protocol, variant, seed }: RunId): void {
  for (const [what, name] of Object.entries({ study, protocol, variant })) {
    if (typeof name !== "string" || !/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
      throw new UsageError(`${what} ${name}: must be letters, digits, dots, dashes and underscores.`);
    }
  }
  if (RESERVED.has(study)) throw new UsageError(`study ${study}: this name is a folder of its own in the results.`);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new UsageError(`seed ${seed}: must be an integer from 0 on.`);
}

/**
 * Where a run's record stands: `<results>/<study>/<protocol>/<variant>-s<seed>.json`.
 *
 * @throws {UsageError} for a name that is no file name.
 */
export function recordPath(resultsDir: string, id: RunId): string {
  checkId(id);
  return join(resultsDir, id.study, id.protocol, `${id.variant}-s${id.seed}.json`);
}

/** Whether a run is finished: its record stands there. */
export function hasRunRecord(resultsDir: string, id: RunId): boolean {
  return existsSync(recordPath(resultsDir, id));
}

// ---------------------------------------------------------------------------------------------- predictions

const COLUMNS = ["key", "parent", "copy", "speaker", "fold", "truth", "prediction"] as const;

/**
 * Predictions as CSV: `key,parent,copy,speaker,fold,truth,prediction,p_<label>…`, one row a test example; probabilities
 * read back to the same single-precision numbers.
 *
 * @throws {UsageError} when the predictions are not whole.
 */
export function predictionsCsv(predictions: Predictions): string {
  const fault = predictionsFault(predictions);
  if (fault !== null) throw new UsageError(`predictions: ${fault}.`);
  return csvText([
    [...COLUMNS, ...predictions.labels.map((label) => `p_${label}`)],
    ...predictions.rows.map((row) => [
      row.key,
      row.parent,
      String(row.copy),
      row.speaker,
      String(row.fold),
      row.truth,
      row.prediction,
      ...Array.from(row.probabilities, float32Text),
    ]),
  ]);
}

/**
 * Reads what {@linkcode predictionsCsv} wrote.
 *
 * @param file Name for errors.
 * @throws {FormatError} naming the file and the rule.
 */
export function parsePredictions(text: string, file: string): Predictions {
  const [head, ...lines] = parseCsvFile(text, file);
  if (head === undefined || COLUMNS.some((name, i) => head[i] !== name)) {
    throw new FormatError(`${file}: the columns must begin with ${COLUMNS.join(",")}.`);
  }
  const labels = head.slice(COLUMNS.length).map((name) => {
    if (!name.startsWith("p_")) throw new FormatError(`${file}: column ${name} must be p_ and a label.`);
    return name.slice(2);
  });
  const number = (text: string, line: number): number => {
    const value = Number(text);
    if (text.trim() === "" || Number.isNaN(value)) {
      throw new FormatError(`${file}: line ${line}: ${text} is no number.`);
    }
    return value;
  };
  const rows = lines.map((fields, i): PredictionRow => {
    const line = i + 2;
    if (fields.length !== head.length) {
      throw new FormatError(`${file}: line ${line} has ${fields.length} fields, not ${head.length}.`);
    }
    const [key, parent, copy, speaker, fold, truth, prediction, ...p] = fields as [
      string,
      string,
      string,
      string,
      string,
      string,
      string,
      ...string[],
    ];
    return {
      key,
      parent,
      copy: number(copy, line),
      speaker,
      fold: number(fold, line),
      truth,
      prediction,
      probabilities: Float32Array.from(p, (each) => number(each, line)),
    };
  });
  const predictions = { labels, rows };
  const fault = predictionsFault(predictions);
  if (fault !== null) throw new FormatError(`${file}: ${fault}.`);
  return predictions;
}

/**
 * The metrics that follow from predictions: exactly those of the record they belong to.
 *
 * @param predictions Rows as {@linkcode readPredictions} reads them.
 * @param record The record, for the kind of interval.
 */
export function recomputeMetrics(predictions: Predictions, record: Pick<RunRecord, "bySpeaker">): Metrics {
  return evaluatePredictions(predictions, { bySpeaker: record.bySpeaker });
}

// ---------------------------------------------------------------------------------------------- writing

/** JSON with two spaces of indentation in which whatever fits on a line of 120 characters stands on one. */
export function prettyJson(value: unknown, indent = ""): string {
  const flat = JSON.stringify(value);
  if (flat === undefined || flat.length + indent.length <= 118 || value === null || typeof value !== "object") {
    return flat ?? "null";
  }
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    return `[\n${value.map((each) => `${deeper}${prettyJson(each, deeper)}`).join(",\n")}\n${indent}]`;
  }
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  const lines = entries.map(([key, each]) => `${deeper}${JSON.stringify(key)}: ${prettyJson(each, deeper)}`);
  return `{\n${lines.join(",\n")}\n${indent}}`;
}

/** A record from a run and its predictions; every number of the test follows from the predictions. */
function recordOf(run: RunInput, predictions: Predictions): RunRecord {
  const { study, variant, protocol, seed, claim, commit, lock, manifest, split, environment, config } = run;
  const { fraction, epochs, counts, bySpeaker, seconds, peakMemoryMb } = run;
  const numbers = run.folds.map((fold) => fold.fold);
  if (new Set(numbers).size !== numbers.length) throw new UsageError(`folds: ${numbers.join(", ")} are not different.`);
  const strange = predictions.rows.find((row) => !numbers.includes(row.fold));
  if (strange !== undefined) {
    throw new UsageError(`predictions: row ${strange.key} is of fold ${strange.fold}, which the run lacks.`);
  }
  const folds = run.folds.map((fold): RecordedFold => {
    const rows = predictions.rows.filter((row) => row.fold === fold.fold);
    if (rows.length === 0) throw new UsageError(`fold ${fold.fold}: has no test rows.`);
    const { n, accuracy, uar, macroF1, logLoss } = evaluatePredictions({ labels: predictions.labels, rows }, {
      bySpeaker: false,
    });
    return {
      fold: fold.fold,
      ...(fold.name === undefined ? {} : { name: fold.name }),
      metrics: { n, accuracy, uar, macroF1, logLoss },
      history: fold.history,
    };
  });
  const metrics = evaluatePredictions(predictions, { bySpeaker });
  if (counts.test !== metrics.n || counts.speakersTest !== metrics.speakers) {
    throw new UsageError(
      `counts: say ${counts.test} test rows of ${counts.speakersTest} speakers, but the predictions have ` +
        `${metrics.n} of ${metrics.speakers}.`,
    );
  }
  return {
    format: "serlab-run",
    version: 1,
    study,
    variant,
    protocol,
    seed,
    claim,
    commit,
    lock,
    manifest,
    split,
    environment,
    config,
    fraction,
    epochs,
    bySpeaker,
    counts,
    metrics,
    seconds,
    peakMemoryMb,
    ...(run.ignored ? { ignored: run.ignored } : {}),
    ...(run.listeners ? { listeners: run.listeners } : {}),
    predictions: `${variant}-s${seed}.predictions.csv`,
    folds,
  };
}

/**
 * Writes a run's predictions and then its record, whole or not at all, and removes the partial folds.
 *
 * Accuracy, UAR, intervals and all other scores are computed here from the predictions, so that no number can belong to
 * another model or other rows.
 *
 * @param resultsDir The folder of all results.
 * @returns The record as it was written.
 * @throws {UsageError} when the predictions are not whole or contradict the run; {WriteError} when it cannot be written.
 */
export function writeRunRecord(resultsDir: string, run: RunInput, predictions: Predictions): RunRecord {
  const path = recordPath(resultsDir, run);
  const csv = predictionsCsv(predictions);
  // As a reader will see it: not-finite history values as null, undefined left out.
  const text = prettyJson(JSON.parse(JSON.stringify(recordOf(run, predictions))));
  const record = parseRunRecord(text, path);
  writeFileAtomic(join(dirname(path), record.predictions), csv);
  writeFileAtomic(path, `${text}\n`);
  removeFolds(resultsDir, run);
  return record;
}

/**
 * Adds what listeners made of the tested clips to a record that was written where their votes did not lie; all else of
 * it stays as it is.
 *
 * @returns The record as it was written.
 * @throws {WriteError} when it cannot be written.
 */
export function addListeners(resultsDir: string, record: RunRecord, listeners: ListenerScore): RunRecord {
  const path = recordPath(resultsDir, record);
  const { predictions, folds, ...rest } = record;
  const text = prettyJson({ ...rest, listeners, predictions, folds });
  const written = parseRunRecord(text, path);
  writeFileAtomic(path, `${text}\n`);
  return written;
}

// ---------------------------------------------------------------------------------------------- reading

/** One rule of the record's shape. */
type Check = (value: unknown) => string | null;

const isText: Check = (value) => typeof value === "string" && value !== "" ? null : "must be a text";
const isNumber: Check = (value) => typeof value === "number" && Number.isFinite(value) ? null : "must be a number";
const isCount: Check = (value) =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 ? null : "must be an integer from 0 on";
const isShare: Check = (value) =>
  typeof value === "number" && value >= 0 && value <= 1 ? null : "must be a number from 0 to 1";
const isPositive: Check = (value) => typeof value === "number" && value >= 0 ? null : "must be a number from 0 on";
const isBoolean: Check = (value) => typeof value === "boolean" ? null : "must be true or false";
const isHash: Check = (value) =>
  typeof value === "string" && /^[0-9a-f]{64}$/.test(value) ? null : "must be a SHA-256 in lower-case hexadecimal";
const isRecord: Check = (value) =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? null : "must be an object";
const isInterval: Check = (value) =>
  Array.isArray(value) && value.length === 2 && value.every((end) => isShare(end) === null) && value[0] <= value[1]
    ? null
    : "must be two ascending numbers from 0 to 1";
const orNull = (check: Check): Check => (value) => value === null ? null : check(value) && `${check(value)} or null`;
const isOneOf = (...values: unknown[]): Check => (value) =>
  values.includes(value) ? null : `must be ${values.map((each) => JSON.stringify(each)).join(" or ")}`;
const listOf = (check: Check): Check => (value) => {
  if (!Array.isArray(value)) return "must be a list";
  for (const [i, each] of value.entries()) {
    const fault = check(each);
    if (fault !== null) return `entry ${i} ${fault}`;
  }
  return null;
};

/** Objects with named parts; parts that are not named may be there too. */
const shape = (parts: Readonly<Record<string, Check>>): Check => (value) => {
  if (isRecord(value) !== null) return "must be an object";
  for (const [name, check] of Object.entries(parts)) {
    const fault = check((value as Record<string, unknown>)[name]);
    if (fault !== null) {
      return fault.startsWith("must") ? `.${name} ${fault}` : `.${name}${fault.startsWith(".") ? "" : " "}${fault}`;
    }
  }
  return null;
};

const isPrf = shape({ precision: isShare, recall: isShare, f1: isShare });
const isRunRecord = shape({
  format: isOneOf("serlab-run"),
  version: isOneOf(1),
  study: isText,
  variant: isText,
  protocol: isText,
  seed: isCount,
  claim: orNull(shape({ accuracy: isShare, n: isCount, source: isText })),
  commit: orNull(isText),
  lock: orNull(isHash),
  manifest: isHash,
  split: isHash,
  environment: shape({ deno: isText, tensorflow: isText, backend: isText, cpu: isText, cores: isCount }),
  config: isRecord,
  fraction: isShare,
  epochs: isCount,
  bySpeaker: isBoolean,
  counts: shape({ train: isCount, validation: isCount, test: isCount, speakersTrain: isCount, speakersTest: isCount }),
  folds: listOf(shape({
    fold: isCount,
    metrics: shape({ n: isCount, accuracy: isShare, uar: isShare, macroF1: isShare, logLoss: isNumber }),
    history: listOf(shape({ epoch: isCount })),
  })),
  metrics: shape({
    n: isCount,
    recordings: isCount,
    speakers: isCount,
    accuracy: isShare,
    uar: isShare,
    macroF1: isShare,
    macro: isPrf,
    weighted: isPrf,
    logLoss: isNumber,
    interval: shape({
      kind: isOneOf("wilson", "wilson-by-recording", "speaker-bootstrap", "speaker-t", "speaker-range"),
      accuracy: isInterval,
      uar: isInterval,
    }),
    classes: listOf(shape({ label: isText, precision: isShare, recall: isShare, f1: isShare, support: isCount })),
    confusion: shape({ labels: listOf(isText), matrix: listOf(listOf(isCount)) }),
  }),
  seconds: shape({ features: isPositive, train: isPositive, evaluate: isPositive }),
  peakMemoryMb: isPositive,
  predictions: isText,
});

/**
 * Reads a record from its text.
 *
 * @param file Its path, which must agree with what it says of itself.
 * @throws {FormatError} naming the file and the rule it breaks.
 */
export function parseRunRecord(text: string, file: string): RunRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new FormatError(`${file}: is not JSON (${(error as Error).message}).`, { cause: error });
  }
  const fault = isRunRecord(value);
  if (fault !== null) throw new FormatError(`${file}: ${fault.replace(/^\./, "")}.`);
  const record = value as RunRecord;
  const { study, protocol, variant, seed, metrics, counts, folds } = record;
  const { labels, matrix } = metrics.confusion;
  const total = matrix.flat().reduce((sum, count) => sum + count, 0);
  const rule = matrix.length !== labels.length || matrix.some((row) => row.length !== labels.length)
    ? `metrics.confusion.matrix must have ${labels.length} rows and columns`
    : total !== metrics.n || counts.test !== metrics.n
    ? `metrics.n, counts.test and the sum of the confusion matrix must agree (${metrics.n}, ${counts.test}, ${total})`
    : folds.reduce((sum, fold) => sum + fold.metrics.n, 0) !== metrics.n
    ? `the folds' test rows must add up to metrics.n, ${metrics.n}`
    : record.predictions !== `${variant}-s${seed}.predictions.csv`
    ? `predictions must be ${variant}-s${seed}.predictions.csv`
    : basename(file) !== `${variant}-s${seed}.json` || basename(dirname(file)) !== protocol ||
        basename(dirname(dirname(file))) !== study
    ? `a record of this study, protocol, variant and seed stands in ${study}/${protocol}/${variant}-s${seed}.json`
    : null;
  if (rule !== null) throw new FormatError(`${file}: ${rule}.`);
  return record;
}

/**
 * Reads and checks a run record.
 *
 * @throws {FormatError} naming the file and the rule it breaks.
 */
export function readRunRecord(path: string): RunRecord {
  return parseRunRecord(new TextDecoder().decode(readFileOr(path, FormatError)), path);
}

/**
 * Reads the predictions of a record.
 *
 * @param recordFile Path of the record.
 * @throws {FormatError} naming the file and the rule it breaks.
 */
export function readPredictions(recordFile: string, record: Pick<RunRecord, "predictions">): Predictions {
  const path = join(dirname(recordFile), basename(record.predictions));
  return parsePredictions(new TextDecoder().decode(readFileOr(path, FormatError)), path);
}

/**
 * Recomputes a record's metrics from its predictions and compares them to the last digit.
 *
 * @param path The record's file.
 * @param record The record, where it was read already.
 * @returns The record with its predictions.
 * @throws {FormatError} when anything differs.
 */
export function verifyRunRecord(
  path: string,
  record: RunRecord = readRunRecord(path),
): { readonly record: RunRecord; readonly predictions: Predictions } {
  const predictions = readPredictions(path, record);
  const again: Record<string, unknown> = { ...recomputeMetrics(predictions, record) };
  for (const [name, value] of Object.entries(record.metrics)) {
    if (again[name] !== undefined && JSON.stringify(again[name]) !== JSON.stringify(value)) {
      throw new FormatError(
        `${path}: metrics.${name} is ${JSON.stringify(value)}, but the predictions give ${
          JSON.stringify(again[name])
        }.`,
      );
    }
  }
  return { record, predictions };
}

function entriesOf(folder: string): { readonly name: string; readonly folder: boolean }[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .map((entry) => ({ name: entry.name, folder: entry.isDirectory() }))
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return [];
    throw new FormatError(`${folder}: cannot be read, ${systemReason(error)}.`, { cause: error });
  }
}

/**
 * All run records under a results folder, sorted by study, protocol, variant and seed; none where there is no folder.
 *
 * @throws {FormatError} when one of them cannot be read or breaks a rule.
 */
export function findRunRecords(resultsDir: string): FoundRecord[] {
  const found: FoundRecord[] = [];
  for (const study of entriesOf(resultsDir)) {
    if (!study.folder || RESERVED.has(study.name) || study.name.startsWith(".")) continue;
    for (const protocol of entriesOf(join(resultsDir, study.name))) {
      if (!protocol.folder || protocol.name.startsWith(".")) continue;
      const folder = join(resultsDir, study.name, protocol.name);
      const records = entriesOf(folder)
        .filter((file) => !file.folder && /-s\d+\.json$/.test(file.name))
        .map(({ name }) => ({ path: join(folder, name), record: readRunRecord(join(folder, name)) }));
      records.sort(({ record: a }, { record: b }) =>
        a.variant < b.variant ? -1 : a.variant > b.variant ? 1 : a.seed - b.seed
      );
      found.push(...records);
    }
  }
  return found;
}

// ---------------------------------------------------------------------------------------------- runs under way

function partFolder(resultsDir: string, id: RunId): string {
  return recordPath(resultsDir, id).replace(/\.json$/, ".partial");
}

/**
 * Keeps a finished fold of a run under way.
 *
 * @param identity What the run is made of (hash of configuration, split, manifest, code): another identity is another
 * run, whose folds do not count.
 * @throws {WriteError} when it cannot be written; {UsageError} when the predictions are not whole or of another fold.
 */
export function writeFold(resultsDir: string, id: RunId, identity: string, part: FoldPart): void {
  const { fold, predictions, seconds } = part;
  const strange = predictions.rows.find((row) => row.fold !== fold.fold);
  if (strange !== undefined) {
    throw new UsageError(`fold ${fold.fold}: row ${strange.key} is of fold ${strange.fold}.`);
  }
  const content = {
    format: "serlab-fold",
    version: 1,
    identity,
    fold,
    seconds,
    predictions: predictionsCsv(predictions),
  };
  writeFileAtomic(join(partFolder(resultsDir, id), `fold-${fold.fold}.json`), `${prettyJson(content)}\n`);
}

/**
 * The finished folds of a run under way, in order. A file that is damaged or of another identity counts as not done: its
 * fold is simply made again.
 */
export function readFolds(resultsDir: string, id: RunId, identity: string): FoldPart[] {
  const folder = partFolder(resultsDir, id);
  const parts: FoldPart[] = [];
  for (const { name } of entriesOf(folder)) {
    const number = /^fold-(\d+)\.json$/.exec(name)?.[1];
    if (number === undefined) continue;
    try {
      const path = join(folder, name);
      const value = JSON.parse(new TextDecoder().decode(readFileOr(path, FormatError)));
      const fault = shape({
        format: isOneOf("serlab-fold"),
        version: isOneOf(1),
        identity: isOneOf(identity),
        fold: shape({ fold: isOneOf(Number(number)), history: listOf(shape({ epoch: isCount })) }),
        seconds: shape({ features: isPositive, train: isPositive, evaluate: isPositive }),
        predictions: isText,
      })(value);
      if (fault !== null) continue;
      const predictions = parsePredictions(value.predictions, path);
      if (predictions.rows.some((row) => row.fold !== Number(number))) continue;
      parts.push({ fold: value.fold, seconds: value.seconds, predictions });
    } catch (error) {
      if (!(error instanceof FormatError) && !(error instanceof SyntaxError)) throw error;
    }
  }
  return parts.sort((a, b) => a.fold.fold - b.fold.fold);
}

/** Removes what {@linkcode writeFold} kept. */
export function removeFolds(resultsDir: string, id: RunId): void {
  rmSync(partFolder(resultsDir, id), { recursive: true, force: true });
}

/**
 * Puts folds together: their rows in the folds' order, their seconds added up.
 *
 * @throws {UsageError} without folds or when their labels differ.
 */
export function mergeFolds(parts: readonly FoldPart[]): {
  readonly folds: FoldResult[];
  readonly predictions: Predictions;
  readonly seconds: RunSeconds;
} {
  const [first] = parts;
  if (first === undefined) throw new UsageError("there is no fold to put together.");
  const { labels } = first.predictions;
  for (const { fold, predictions } of parts) {
    if (predictions.labels.join("\n") !== labels.join("\n")) {
      throw new UsageError(
        `fold ${fold.fold}: has the labels ${predictions.labels.join(", ")}, not ${labels.join(", ")}.`,
      );
    }
  }
  const sum = (of: keyof RunSeconds): number => parts.reduce((total, { seconds }) => total + seconds[of], 0);
  return {
    folds: parts.map(({ fold }) => fold),
    predictions: { labels, rows: parts.flatMap(({ predictions }) => predictions.rows) },
    seconds: { features: sum("features"), train: sum("train"), evaluate: sum("evaluate") },
  };
}
