/**
 * One trial's job, wherever it runs: in this process, in a local worker, on another machine.
 *
 * A job's result follows from the job and the recordings alone: the same on every worker with the same engine.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type * as tf from "@tensorflow/tfjs";
import { type BottleneckOptions, createTrainerOn, type TrainerOnRows } from "../engine/bottleneck.ts";
import { createTrainer, type CreateTrainerOptions } from "../engine/mod.ts";
import { type Engine, startEngine } from "../engine/tf.ts";
import { FormatError, SerlabError, UsageError } from "../errors.ts";
import { canonicalJson, sha256Hex } from "../io.ts";
import { streamSeed } from "../random.ts";
import { csvText } from "../results/csv.ts";
import { lockHash } from "../results/environment.ts";
import type { HistoryEntry } from "../results/record.ts";
import type { Example, ProtocolName, Study, Variant } from "../study/declare.ts";
import { inputOf } from "../study/features.ts";
import { applyPretrained, type LayerWeights, loadPretrained } from "../study/pretrained.ts";
import { featuresOf, findProtocol, findVariant, prepare, type Prepared } from "../study/run.ts";
import { type Checkpoint, checkpointFile, type CheckpointStore } from "../training/checkpoint.ts";
import { applyScaler, type Dataset, fitScaler, take, takeRows } from "../training/dataset.ts";
import { mostProbable } from "../training/evaluate.ts";
import { type EpochLog, fit } from "../training/train.ts";
import type { NdArray } from "../types.ts";
import type { FunctionSearch, Search, StudySearch } from "./declare.ts";
import { type InnerFold, type OuterFold, sweepFolds } from "./folds.ts";
import { checkConfiguration } from "./space.ts";
import type { Configuration, Metric, TrialJob, TrialOutcome } from "./types.ts";

/** Folder of this serlab. */
const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

const OWN_RESULTS = join(ROOT, "results");

let lock: string | null | undefined;

/** Hash of this serlab's lock file; null without one. */
export function ownLock(): string | null {
  return lock === undefined ? lock = lockHash(ROOT) : lock;
}

/** Version of what a job says and how it is done: a worker of another one is refused. */
export const SEARCH_VERSION = "1";

/** What a job is besides its identifiers. */
export type JobContent = Omit<TrialJob, "id" | "hash" | "seed" | "version" | "lock">;

/**
 * Seed of a configuration's training: follows from study, variant and configuration, so that it is the same in whatever
 * order, on whatever worker or machine it is tried.
 */
export function trialSeed(study: string, variant: string, config: Configuration): number {
  return streamSeed(0, "trial", study, variant, canonicalJson(config));
}

/** A job with its hash, seed and versions. */
export function makeJob(content: JobContent): TrialJob {
  const { study, variant, protocol, fold, innerFolds, config, dataSeed, metric, threads, manifest, fraction } = content;
  const seed = trialSeed(study, variant, config);
  const identity = { study, variant, protocol, fold, innerFolds, config, seed, dataSeed, metric, threads, manifest };
  const hash = sha256Hex(canonicalJson({ ...identity, fraction })).slice(0, 16);
  const id = `${content.rows === "test" ? "test-" : ""}${hash}-${content.epochs}`;
  return { ...content, id, hash, seed, version: SEARCH_VERSION, lock: ownLock() };
}

/** What a trial needs besides its job. */
export interface TrialContext {
  /** What is searched. */
  readonly search: Search;
  /** The recordings; null where a function is searched. */
  readonly prepared: Prepared | null;
  /** The engine; null where a function is searched. */
  readonly engine: Engine | null;
  /** Folders of results below which bundles with weights to start from lie. */
  readonly results?: readonly string[] | undefined;
  /** Weight file for a variant that starts from one. */
  readonly weights?: string | undefined;
  /** Folder of checkpoints: a larger budget goes on from a smaller one's. Without it every job starts anew. */
  readonly checkpoints?: string | undefined;
  /** Called when data and weights are there and the training begins: from then on the time limit counts. */
  readonly onBegin?: (() => void) | undefined;
  /** Ends the job: it has no outcome then. */
  readonly signal?: AbortSignal | undefined;
  /** Receives one line when training cannot be compiled or features cannot be kept. */
  readonly onNotice?: ((line: string) => void) | undefined;
  /** What trials share: scaled rows, weights to start from. Made when absent. */
  readonly memory?: TrialMemory | undefined;
}

/** What the trials of a process share. */
export interface TrialMemory {
  /** Folds by what they follow from. */
  readonly folds: Map<string, { readonly examples: readonly Example[]; readonly folds: readonly OuterFold[] }>;
  /** The scaled features of the inner folds used last. */
  readonly data: Map<string, Dataset>;
  /** Weights to start from. */
  readonly weights: Map<string, LayerWeights>;
}

/** An empty memory. */
export function trialMemory(): TrialMemory {
  return { folds: new Map(), data: new Map(), weights: new Map() };
}

/** A trial that cannot be trained: its reason is its whole account. */
class TrialFailure extends Error {}

/** Why a training failed, in one sentence without a full stop. */
export function failureReason(error: unknown): string {
  if (error instanceof TrialFailure) return error.message;
  const text = (error instanceof Error ? error.message : String(error)).split("\n")[0]!.replace(/\.$/, "");
  // V8 for arrays, TensorFlow for tensors.
  const isMemory = /out of memory|\bOOM\b|allocation failed|invalid (typed )?array (buffer )?length|bad_alloc/i.test(
    text,
  );
  return isMemory ? `out of memory: ${text}` : text || "an error without a message";
}

/**
 * Does a job: trains its configuration and scores it.
 *
 * @returns the outcome; a configuration that cannot be trained (loss not a number, memory, time) is `failed`.
 * @throws {SerlabError} when the job cannot be begun here: another version, other recordings, weights that are missing.
 * @throws the signal's reason when it is aborted.
 */
export async function runTrial(job: TrialJob, context: TrialContext): Promise<TrialOutcome> {
  const { search, signal } = context;
  if (job.version !== SEARCH_VERSION || job.lock !== ownLock()) {
    throw new UsageError(
      "The sweep was made by another version of serlab than this worker's; bring both to the same commit.",
    );
  }
  if (search.id !== job.study) throw new UsageError(`A job of ${job.study} was given to a worker of ${search.id}.`);
  if (Object.keys(job.config).length > 0) checkConfiguration(search.space, job.config);
  const ready = search.kind === "study" ? await readyStudy(job, search, context) : null;
  context.onBegin?.();
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), job.timeLimitSec * 1000);
  const both = signal ? AbortSignal.any([signal, limit.signal]) : limit.signal;
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  try {
    const done = search.kind === "study"
      ? await trainAndScore(job, search, context, ready!, both)
      : await callFunction(job, search, both);
    return { ...done, seconds: seconds(), peakMemoryMb: Math.round(process.resourceUsage().maxRSS / 1024) };
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const reason = limit.signal.aborted ? timeReason(job) : failureReason(error);
    return { status: "failed", reason, seconds: seconds() };
  } finally {
    clearTimeout(timer);
  }
}

/** Why a job failed that took too long. */
export function timeReason({ timeLimitSec }: Pick<TrialJob, "timeLimitSec">): string {
  return `took longer than its time limit of ${timeLimitSec} s`;
}

/** A job that is done, but for what every job has. */
type Done = Omit<Extract<TrialOutcome, { status: "done" }>, "seconds" | "peakMemoryMb">;

async function callFunction(job: TrialJob, { evaluate }: FunctionSearch, signal: AbortSignal): Promise<Done> {
  const { config, seed, epochs } = job;
  const score = await evaluate(config, { seed, epochs, signal });
  if (Number.isNaN(score)) throw new TrialFailure("the loss is not a number after epoch 1");
  return { status: "done", score, predictions: "", history: [{ epoch: epochs }], trainSeconds: 0 };
}

/** All that a job's training needs, the same for all jobs of its fold. */
interface Ready {
  readonly prepared: Prepared;
  readonly variant: Variant;
  readonly examples: readonly Example[];
  readonly inner: readonly InnerFold[];
  readonly data: readonly Dataset[];
  readonly pretrained: LayerWeights | null;
}

/** The rows of a job: those of the search, or all of the outer fold. */
function rowsOfJob(job: TrialJob, { fold, inner }: OuterFold, validatesOnTest: boolean): readonly InnerFold[] {
  if (job.rows === "validation") return inner;
  return [{ train: fold.train, validation: validatesOnTest ? fold.test : fold.validation, score: fold.test }];
}

async function readyStudy(job: TrialJob, search: StudySearch, context: TrialContext): Promise<Ready> {
  const { prepared } = context;
  if (prepared === null) throw new UsageError(`Study ${job.study} needs its recordings.`);
  if (prepared.manifest !== job.manifest) {
    throw new UsageError(
      `The recordings of study ${job.study} here are not the sweep's: their manifest is ` +
        `${prepared.manifest.slice(0, 12)}… and not ${job.manifest.slice(0, 12)}….`,
    );
  }
  const { study } = search, memory = context.memory ?? trialMemory();
  const protocolName = job.protocol as ProtocolName;
  const request = {
    variant: job.variant,
    protocol: protocolName,
    seed: job.dataSeed,
    innerFolds: job.innerFolds,
  };
  const name = canonicalJson([job.study, request, job.manifest]);
  let known = memory.folds.get(name);
  if (known === undefined) {
    const { table, folds } = sweepFolds(prepared, request);
    memory.folds.set(name, known = { examples: table.examples, folds });
  }
  const outer = known.folds[job.fold];
  if (outer === undefined) throw new UsageError(`There is no fold ${job.fold} in ${job.protocol}.`);
  const variant = findVariant(study, job.variant), protocol = findProtocol(study, protocolName);
  const inner = rowsOfJob(job, outer, "validatesOnTest" in protocol && protocol.validatesOnTest === true);
  const notice = context.onNotice ? { onNotice: context.onNotice } : {};
  const { x: raw } = await featuresOf(prepared, { ...request, ...notice });
  const y = new Int32Array(raw.shape[0]!);
  for (const { feature, label } of known.examples) y[feature] = study.labels.indexOf(label);
  const scalerKind = inputOf(study, variant, protocolName).scaler;
  const scalerRows = "scalerRows" in protocol && protocol.scalerRows === "all" ? "all" : "train";
  const data = inner.map((rows, i): Dataset => {
    if (scalerKind === "none") return { x: raw, y };
    const key = scalerRows === "all" ? `${name} all` : `${name} ${job.rows} ${job.fold} ${i}`;
    const there = memory.data.get(key);
    if (there) return there;
    // Those of one outer fold are held: more of study 002's would not fit.
    if (memory.data.size >= inner.length) memory.data.clear();
    const fitted = scalerRows === "all" ? undefined : featureRows(known.examples, rows.train);
    const made = { x: applyScaler(fitScaler(scalerKind, raw, fitted), raw), y };
    memory.data.set(key, made);
    return made;
  });
  return { prepared, variant, examples: known.examples, inner, data, pretrained: await weightsOf(variant, context) };
}

async function weightsOf({ pretrained }: Variant, context: TrialContext): Promise<LayerWeights | null> {
  if (pretrained === undefined) return null;
  const memory = context.memory ?? trialMemory(), key = canonicalJson(pretrained);
  const there = memory.weights.get(key);
  if (there) return there;
  const made = await loadPretrained(pretrained, {
    path: context.weights,
    results: [...(context.results ?? []), OWN_RESULTS] as string[] as [string, ...string[]],
  });
  memory.weights.set(key, made);
  return made;
}

/** Rows of the table as rows of the features, which duplicates share. */
function featureRows(examples: readonly Example[], rows: readonly number[]): Int32Array {
  return Int32Array.from(rows, (row) => examples[row]!.feature);
}

/** One tested row without its probabilities. */
interface ScoredPrediction {
  readonly key: string;
  readonly copy: number;
  readonly speaker: string;
  readonly fold: number;
  readonly truth: string;
  readonly prediction: string;
}

async function trainAndScore(
  job: TrialJob,
  search: StudySearch,
  context: TrialContext,
  ready: Ready,
  signal: AbortSignal,
): Promise<Done> {
  const { study } = search, { examples } = ready;
  const classes = study.labels.length;
  const variant = Object.keys(job.config).length === 0
    ? ready.variant
    : { ...ready.variant, ...search.change(job.config, ready.variant) };
  const predictions: ScoredPrediction[] = [];
  let history: readonly HistoryEntry[] = [], trainSeconds = 0;
  for (const [index, rows] of ready.inner.entries()) {
    const whole = ready.data[index]!;
    const model = variant.model({ classes, seed: job.seed });
    if (ready.pretrained) applyPretrained(model, ready.pretrained);
    const { batch } = variant;
    const { trainer, x } = await trainerOf(model, whole.x, batch !== undefined, {
      optimizer: variant.optimizer,
      seed: job.seed,
      cache: ready.prepared.cache,
      signal,
      onNotice: context.onNotice ?? (() => {}),
    });
    const data: Dataset = { x, y: whole.y };
    const store = context.checkpoints === undefined ? undefined : budgetStore(
      checkpointFile(join(context.checkpoints, `${job.rows === "test" ? "test-" : ""}${job.hash}-${index}`)),
      job.epochs,
    );
    try {
      const started = performance.now();
      const result = await fit(trainer, data, { ...variant.plan, epochs: job.epochs }, {
        seed: job.seed,
        rows: featureRows(examples, rows.train),
        order: variant.order?.(job.seed, classes),
        transform: batch && ((part, rng) => batch.apply(part, rng, classes)),
        validation: rows.validation.length > 0 ? take(data, featureRows(examples, rows.validation)) : undefined,
        checkpoint: store,
        checkpointAtEnd: true,
        identity: `${job.hash} ${index} ${job.rows}`,
        signal,
        onEpoch: (log) => {
          // What follows is lost: weights that are not numbers never become numbers again.
          if (!Number.isFinite(log.loss)) {
            throw new TrialFailure(`the loss is not a number after epoch ${log.epoch}`);
          }
        },
      });
      trainSeconds += (performance.now() - started) / 1000;
      if (index === 0) history = thin(result.history);
      const { data: p } = await trainer.predict(takeRows(data.x, featureRows(examples, rows.score)));
      if (p.some((value) => !Number.isFinite(value))) throw new TrialFailure("its predictions are not numbers");
      rows.score.forEach((row, i) => {
        const { key, copy, speaker, label } = examples[row]!;
        const prediction = mostProbable(p.subarray(i * classes, (i + 1) * classes), study.labels);
        predictions.push({ key, copy, speaker, fold: index, truth: label, prediction });
      });
    } catch (error) {
      if (!signal.aborted) store?.clear();
      throw error;
    } finally {
      trainer.dispose();
      model.dispose();
    }
  }
  return {
    status: "done",
    score: scoreOf(predictions, job.metric),
    predictions: trialCsv(predictions),
    history,
    trainSeconds,
    engine: `${context.engine!.backend}, ${context.engine!.version}`,
  };
}

/**
 * The trainer of a model and the rows to feed it: what frozen layers make of them, computed once for all configurations
 * that share those layers. Rows that are changed at every step have to pass through them every time.
 */
async function trainerOf(
  model: tf.LayersModel,
  x: NdArray,
  isChanged: boolean,
  options: CreateTrainerOptions & BottleneckOptions,
): Promise<Pick<TrainerOnRows, "trainer" | "x">> {
  try {
    return isChanged ? { trainer: createTrainer(model, options), x } : await createTrainerOn(model, x, options);
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** A store that takes no state of more epochs than the budget has, or that cannot be read: the training starts anew. */
function budgetStore(store: CheckpointStore, epochs: number): CheckpointStore {
  return {
    ...store,
    load(): Checkpoint | null {
      try {
        const saved = store.load();
        const meta = saved?.meta as { loop?: { history?: unknown[] } } | undefined;
        return saved !== null && (meta?.loop?.history?.length ?? Infinity) <= epochs ? saved : null;
      } catch (error) {
        if (error instanceof FormatError) return null;
        throw error;
      }
    },
    save: (checkpoint) => store.save(checkpoint),
    clear: () => store.clear(),
  };
}

/** At most a hundred epochs, the last among them, with five digits: enough for a curve. */
function thin(history: readonly EpochLog[]): HistoryEntry[] {
  const step = Math.ceil(history.length / 100);
  const short = (value: number | undefined): number | undefined =>
    value === undefined ? undefined : Number(value.toPrecision(5));
  return history.filter((_, i) => (history.length - 1 - i) % step === 0).map((log) => {
    const { epoch, valLoss, valAccuracy } = log;
    return {
      epoch,
      loss: short(log.loss)!,
      accuracy: short(log.accuracy)!,
      ...(valLoss === undefined ? {} : { valLoss: Number.isFinite(valLoss) ? short(valLoss)! : null }),
      ...(valAccuracy === undefined ? {} : { valAccuracy: short(valAccuracy)! }),
      learningRate: short(log.learningRate)!,
    };
  });
}

/** Score of predictions. */
export function scoreOf(
  rows: readonly { readonly truth: string; readonly prediction: string }[],
  metric: Metric,
): number {
  if (metric === "accuracy") return rows.filter(({ truth, prediction }) => truth === prediction).length / rows.length;
  const all = new Map<string, [hits: number, rows: number]>();
  for (const { truth, prediction } of rows) {
    const [hits, n] = all.get(truth) ?? [0, 0];
    all.set(truth, [hits + (truth === prediction ? 1 : 0), n + 1]);
  }
  return [...all.values()].reduce((sum, [hits, n]) => sum + hits / n, 0) / all.size;
}

function trialCsv(rows: readonly ScoredPrediction[]): string {
  return csvText([
    ["key", "parent", "copy", "speaker", "fold", "truth", "prediction"],
    ...rows.map(({ key, copy, speaker, fold, truth, prediction }) => [
      key,
      key,
      String(copy),
      speaker,
      String(fold),
      truth,
      prediction,
    ]),
  ]);
}

/** Options of {@linkcode createTrialRunner}. */
export interface TrialRunnerOptions {
  /** What can be searched, by the job's `study`; throws a UsageError for what is unknown. */
  readonly find: (id: string) => Search;
  /** Folder with the corpora, at any depth. */
  readonly corpora: string;
  /** Folders of results below which bundles with weights to start from lie. */
  readonly results?: readonly string[] | undefined;
  /** Weight file for a variant that starts from one. */
  readonly weights?: string | undefined;
  /** Folder of checkpoints. */
  readonly checkpoints?: string | undefined;
  /** Go on when recordings are missing; the manifest's hash decides all the same. */
  readonly allowIncomplete?: boolean | undefined;
  /** Whether features are kept on disk; default true. */
  readonly cache?: boolean | undefined;
  /** Receives one line about something that is not an error. */
  readonly onNotice?: ((line: string) => void) | undefined;
}

/** Does jobs one after the other in this process; what they share is kept between them. */
export interface TrialRunner {
  /**
   * Does a job.
   *
   * @param hooks.onBegin Called when the training begins: from then on the time limit counts.
   * @param hooks.signal Ends it.
   * @throws {SerlabError} when it cannot be begun here (see {@linkcode runTrial}).
   */
  run(job: TrialJob, hooks?: Pick<TrialContext, "onBegin" | "signal">): Promise<TrialOutcome>;
}

/**
 * What every worker is made of: finds a job's study and recordings, starts the engine with the job's threads, runs it.
 *
 * A process runs jobs of one number of threads only, because TensorFlow takes it once.
 */
export function createTrialRunner(options: TrialRunnerOptions): TrialRunner {
  const data = new Map<string, Promise<Prepared>>();
  const memory = trialMemory();
  let threads: number | undefined;
  const prepareOnce = (study: Study, fraction: number): Promise<Prepared> => {
    const key = `${study.id} ${fraction}`;
    let there = data.get(key);
    if (there === undefined) {
      const { allowIncomplete, cache = true } = options;
      if (!existsSync(options.corpora)) throw new UsageError(`${options.corpora}: no such folder with corpora.`);
      there = prepare(study, { dir: options.corpora, fraction, allowIncomplete, cache });
      there.catch(() => data.delete(key));
      data.set(key, there);
    }
    return there;
  };
  return {
    async run(job, { onBegin, signal } = {}) {
      const search = options.find(job.study);
      if (search.kind === "study" && threads !== undefined && threads !== job.threads) {
        throw new UsageError(`This worker computes with ${threads} threads; the job asks for ${job.threads}.`);
      }
      if (search.kind === "study") threads = job.threads;
      const engine = search.kind === "study" ? await startEngine({ threads: job.threads }) : null;
      const prepared = search.kind === "study" ? await prepareOnce(search.study, job.fraction) : null;
      return await runTrial(job, {
        search,
        prepared,
        engine,
        results: options.results,
        weights: options.weights,
        checkpoints: options.checkpoints,
        onBegin,
        signal,
        onNotice: options.onNotice,
        memory,
      });
    },
  };
}

/** Whether an error says that a job cannot be begun, in one plain sentence. */
export function isRefusal(error: unknown): error is SerlabError {
  return error instanceof SerlabError;
}
