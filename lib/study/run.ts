/**
 * Runs a declared study: one variant under one protocol with one seed is one run record.
 *
 * What is finished is kept: a run whose record stands there is not made again, and of a run under way every finished
 * fold is kept, and of the fold in work the last checkpoint (training/train.ts says what a kill loses).
 *
 * @module
 */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type * as tf from "@tensorflow/tfjs";
import { BUNDLE_VERSION, type BundleInfo, type ExpectedAccuracy } from "../bundle.ts";
import { writeBundle } from "../bundle_files.ts";
import { corpora, indexCorpus, manifestHash } from "../corpora/mod.ts";
import { findVotes, type ListenerVotes } from "../corpora/votes.ts";
import { createTrainerOn } from "../engine/bottleneck.ts";
import { createTrainer } from "../engine/mod.ts";
import type { Engine } from "../engine/tf.ts";
import type { Trainer } from "../engine/trainer.ts";
import { UsageError } from "../errors.ts";
import type { FeatureCache } from "../features/cache.ts";
import { recipeHash } from "../features/recipes.ts";
import { canonicalJson, sha256Hex } from "../io.ts";
import { RandomState, stream } from "../random.ts";
import { csvText } from "../results/csv.ts";
import { gatherEnvironment, gitCommit, lockHash } from "../results/environment.ts";
import {
  addListeners,
  type FoldPart,
  hasRunRecord,
  mergeFolds,
  readFolds,
  readPredictions,
  readRunRecord,
  recordPath,
  type RunId,
  type RunRecord,
  writeFold,
  writeRunRecord,
} from "../results/record.ts";
import { checkFolds, type Fold, splitHash } from "../split/mod.ts";
import { checkpointFile, type CheckpointStore } from "../training/checkpoint.ts";
import { applyScaler, type Dataset, fitScaler, type Scaler, take, takeRows } from "../training/dataset.ts";
import { evaluatePredictions, mostProbable, type PredictionRow } from "../training/evaluate.ts";
import { type EpochLog, fit } from "../training/train.ts";
import type { ManifestRow } from "../types.ts";
import {
  applies,
  type DoesNotApply,
  type Example,
  type Protocol,
  type ProtocolName,
  type Study,
  type StudySpeaker,
  type Variant,
} from "./declare.ts";
import { expand, oversampleTraining, withDuplicates } from "./examples.ts";
import { inputIdentity, inputOf, type ResolvedInput, type StudyFeatures, studyFeatures } from "./features.ts";
import { scoreListeners } from "./listeners.ts";
import { applyPretrained, type LayerWeights, loadPretrained } from "./pretrained.ts";

/** How to prepare the data of a study. */
export interface PrepareOptions {
  /** Folder with the corpora, at any depth. */
  readonly dir: string;
  /** Share of the recordings, drawn by corpus and class; default 1. */
  readonly fraction?: number | undefined;
  /** Go on when recordings are missing or extra, and ignore files of unknown names; recorded. */
  readonly allowIncomplete?: boolean | undefined;
  /** Where features are kept; `true` for the default folder; default nowhere. */
  readonly cache?: FeatureCache | boolean | undefined;
  /** Is told how many recordings are found and hashed. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** The data of a study, ready for any of its variants and protocols. */
export interface Prepared {
  /** The study. */
  readonly study: Study;
  /** Folder with the corpora. */
  readonly dir: string;
  /** Its recordings, in label order or corpus by corpus, then by key: the order of the original's folders. */
  readonly rows: readonly ManifestRow[];
  /** Class index of each recording. */
  readonly y: Int32Array;
  /** All speakers of the study, those too of whom the fraction holds nothing. */
  readonly speakers: readonly StudySpeaker[];
  /** Hash of the manifest. */
  readonly manifest: string;
  /** Keys of recordings that a complete corpus would have. */
  readonly missing: readonly string[];
  /** Keys of recordings that a complete corpus would not have. */
  readonly extra: readonly string[];
  /** Audio files of unknown names, which were ignored: paths relative to the folder. */
  readonly unknown: readonly string[];
  /** Share of the recordings used. */
  readonly fraction: number;
  /** Votes of listeners, where a corpus has them. */
  readonly votes: ListenerVotes | null;
  /** Where features are kept. */
  readonly cache: FeatureCache | boolean | undefined;
  /** The features extracted last, by what they follow from: runs share them. */
  readonly memory: Map<string, StudyFeatures>;
}

/** What and how to run. */
export interface RunOptions {
  /** Name of the variant. */
  readonly variant: string;
  /** Name of the protocol. */
  readonly protocol: ProtocolName;
  /** Seed. */
  readonly seed: number;
  /** Folder of all results. */
  readonly out: string;
  /** The engine that computes. */
  readonly engine: Engine;
  /** Other than the plan's number of epochs; recorded. */
  readonly epochs?: number | undefined;
  /** Make it again even where a record stands. */
  readonly fresh?: boolean | undefined;
  /** Where the model of the first fold goes as a bundle; default: nowhere. */
  readonly bundle?: string | undefined;
  /** Weight file for a variant that starts from one. */
  readonly weights?: string | undefined;
  /** Take any weight file, not only the official one (tests). */
  readonly allowAnyWeights?: boolean | undefined;
  /** Stops the run at the next step when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Receives one line when training cannot be compiled, or features cannot be kept. */
  readonly onNotice?: ((line: string) => void) | undefined;
  /** Is told how many recordings' features are there. */
  readonly onFeatures?: ((done: number, total: number) => void) | undefined;
  /** Is told after each epoch. */
  readonly onEpoch?: ((log: EpochLog, fold: { name: string; index: number; count: number }) => void) | undefined;
}

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Draws a share of the rows, the same of every corpus and label, at least one of each. */
function drawFraction(rows: readonly ManifestRow[], label: (row: ManifestRow) => string, share: number): ManifestRow[] {
  const strata = new Map<string, ManifestRow[]>();
  for (const row of rows) {
    const name = `${row.corpus}/${label(row)}`;
    strata.set(name, [...(strata.get(name) ?? []), row]);
  }
  const kept = new Set<ManifestRow>();
  for (const [name, all] of strata) {
    const order = stream(0, "fraction", name).permutation(all.length);
    const count = Math.max(1, Math.round(share * all.length));
    for (let i = 0; i < count; i++) kept.add(all[order[i]!]!);
  }
  return rows.filter((row) => kept.has(row));
}

/**
 * Finds, checks and hashes a study's recordings.
 *
 * @throws {CorpusError} when a corpus is missing, incomplete or has extra files; {AudioError} when a recording cannot be
 *   read; {UsageError} when the fraction is none.
 */
export async function prepare(study: Study, options: PrepareOptions): Promise<Prepared> {
  const { dir, fraction = 1, cache, onProgress } = options;
  if (!(fraction > 0 && fraction <= 1)) {
    throw new UsageError(`A fraction of the recordings lies above 0 and up to 1, not at ${fraction}.`);
  }
  const { rows: all, missing, extra, unknown } = await indexCorpus(dir, {
    corpus: study.corpora,
    ...(study.speakers ? { speakers: study.speakers } : {}),
    allowIncomplete: options.allowIncomplete ?? false,
    unknown: options.allowIncomplete ? "ignore" : "error",
    ...(onProgress ? { onProgress } : {}),
  });
  const labelled = all.filter((row) => study.label(row) !== null);
  const label = (row: ManifestRow): string => study.label(row)!;
  const drawn = fraction < 1 ? drawFraction(labelled, label, fraction) : labelled;
  const index = new Map(study.labels.map((name, i) => [name, i]));
  const place = study.order === "corpus"
    ? (row: ManifestRow) => study.corpora.indexOf(row.corpus)
    : (row: ManifestRow) => index.get(label(row))!;
  const rows = [...drawn].sort((a, b) => place(a) - place(b) || (a.key < b.key ? -1 : 1));
  const speakers = new Map(labelled.map(({ speaker, corpus }) => [speaker, { speaker, corpus }]));
  return {
    study,
    dir,
    rows,
    y: Int32Array.from(rows, (row) => index.get(label(row))!),
    speakers: [...speakers.values()].sort((a, b) => a.speaker < b.speaker ? -1 : 1),
    manifest: manifestHash(rows),
    missing,
    extra,
    unknown,
    fraction,
    votes: study.corpora.includes("crema-d") ? await findVotes(dir) : null,
    cache,
    memory: new Map(),
  };
}

/** What {@linkcode featuresOf} needs to know of a run. */
export type FeatureRequest =
  & Pick<RunOptions, "variant" | "protocol" | "seed">
  & Partial<Pick<RunOptions, "signal" | "onFeatures" | "onNotice">>;

/**
 * Features of a variant under a protocol, augmented copies as the seed draws them; kept in memory until others are asked
 * for.
 *
 * @throws {AudioError} when a recording cannot be used.
 */
export async function featuresOf(prepared: Prepared, request: FeatureRequest): Promise<StudyFeatures> {
  const { study, rows, dir, cache, memory } = prepared;
  const { seed, signal, onFeatures, onNotice } = request;
  const input = inputOf(study, findVariant(study, request.variant), request.protocol);
  const name = inputIdentity(input, seed);
  const there = memory.get(name);
  if (there) return there;
  // Only one set is held: two of study 001's augmented pictures would not fit.
  memory.clear();
  const made = await studyFeatures(rows, input, { dir, seed, cache, onProgress: onFeatures, onNotice, signal });
  memory.set(name, made);
  return made;
}

function find<T>(kind: string, name: string, all: Readonly<Record<string, T | undefined>>, study: Study): T {
  const found = all[name];
  if (found) return found;
  throw new UsageError(`Study ${study.id} has no ${kind} ${name}; it has ${Object.keys(all).join(", ")}.`);
}

/** The variant of that name, or a UsageError that lists what there is. */
export function findVariant(study: Study, name: string): Variant {
  return find("variant", name, study.variants, study);
}

/** The protocol of that name, or a UsageError that lists what there is. */
export function findProtocol(study: Study, name: string): Protocol | DoesNotApply {
  return find("protocol", name, study.protocols as Record<string, Protocol | DoesNotApply>, study);
}

/** Highest resident memory of this process so far, MiB. */
function peakMemoryMb(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

/** Everything about a run that is known before it starts. */
export interface RunPlan {
  /** Which run. */
  readonly id: RunId;
  /** The variant. */
  readonly variant: Variant;
  /** The protocol. */
  readonly protocol: Protocol;
  /** What the model is fed. */
  readonly input: ResolvedInput;
  /** Number of epochs. */
  readonly epochs: number;
  /** The table that the folds' row numbers count. */
  readonly examples: readonly Example[];
  /** Folds of its rows. */
  readonly folds: readonly Fold[];
  /** Hash of the split. */
  readonly split: string;
  /** What the record says of the settings. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Weights that the model starts from, or null. */
  readonly pretrained: LayerWeights | null;
  /** Hash of all that decides the run's numbers. */
  readonly identity: string;
}

/** Whether a variant's callbacks watch validation rows. */
export function needsValidation({ plan }: Variant): boolean {
  const watched = [plan.earlyStopping?.monitor, plan.reduceOnPlateau?.monitor, plan.keepBest];
  return watched.some((monitor) => monitor?.startsWith("val"));
}

/** The order in which the rows of a table whose split was not seeded are shuffled first, as study 001 did. */
export function seededOrder(seed: number, n: number): number[] {
  return [...stream(seed, "split", "order").permutation(n)];
}

/** The rows and folds of one run. */
export interface RunTable {
  /** All rows. */
  readonly examples: readonly Example[];
  /** Folds of them; a training row that was drawn to fill up its class stands there again. */
  readonly folds: readonly Fold[];
}

/**
 * Draws the table and the folds of a run.
 *
 * @throws {UsageError} when a variant or protocol is unknown, does not apply, or the recordings are too few for it.
 */
export function tableOf(prepared: Prepared, run: Pick<RunOptions, "variant" | "protocol" | "seed">): RunTable {
  const { study, rows, speakers } = prepared;
  const { seed } = run;
  const variant = findVariant(study, run.variant), protocol = findProtocol(study, run.protocol);
  if (!applies(protocol)) {
    throw new UsageError(`Study ${study.id}: ${run.protocol} does not apply, ${protocol.doesNotApply}.`);
  }
  const classOf = (example: Example): number => study.labels.indexOf(example.label);
  const when = variant.oversample ? protocol.oversample ?? "training" : null;
  let examples = expand(rows, (row) => study.label(row)!, variant.copies?.of.length ?? 0);
  if (when === "before-split" || when === "both") {
    examples = withDuplicates(examples, classOf, new RandomState(42), seededOrder(seed, examples.length));
  }
  let folds = protocol.folds(examples, {
    seed,
    variant: run.variant,
    needsValidation: needsValidation(variant),
    speakers,
  });
  checkFolds(folds, examples.length);
  if (when === "training" || when === "both") {
    folds = oversampleTraining(folds, examples.map(classOf), (fold) => stream(seed, "oversample", fold));
  }
  return { examples, folds };
}

/**
 * A run's split as `lint-split` reads it: one row a row of the fold, CSV with key, path, split, label and what the corpus
 * says of speaker, sentence, take; `parent`, and whether the scaler is fitted on the row.
 *
 * @param fold Number of the fold, from 0.
 * @throws {UsageError} when the run has no such fold.
 */
export function splitCsv(
  prepared: Prepared,
  run: Pick<RunOptions, "variant" | "protocol" | "seed">,
  fold = 0,
): string {
  const { examples, folds } = tableOf(prepared, run);
  const chosen = folds[fold];
  if (chosen === undefined) throw new UsageError(`There is no fold ${fold}; ${run.protocol} has ${folds.length}.`);
  const { scalerRows } = findProtocol(prepared.study, run.protocol) as Protocol;
  const { scaler } = inputOf(prepared.study, findVariant(prepared.study, run.variant), run.protocol);
  // Duplicates sound as their recording does; what an augmented copy's audio would hash to is not known.
  const own = new Set(examples.flatMap(({ copy, feature }) => copy === 0 ? [feature] : []));
  const head = [
    "key",
    "path",
    "split",
    "label",
    "corpus",
    "speaker",
    "sentence",
    "take",
    "intensity",
    "parent",
    "sha256",
  ];
  const names = new Map<string, number>();
  const lines = (["train", "validation", "test"] as const).flatMap((split) =>
    chosen[split].map((row) => {
      const { key, path, label, corpus, speaker, sentence, take, intensity, sha256, copy, feature } = examples[row]!;
      const name = copy === 0 ? key : `${key} ${copy}`;
      // A row that stands in training again is a duplicate of itself.
      const times = names.get(name) ?? 0;
      names.set(name, times + 1);
      const values = [
        split,
        label,
        corpus,
        speaker,
        sentence ?? "",
        take ?? "",
        intensity ?? "",
        key,
        own.has(feature) ? sha256 : "",
      ];
      const fitted = scaler !== "none" && (scalerRows === "all" || split === "train");
      return [times === 0 ? name : `${name} again ${times}`, path, ...values, String(fitted)];
    })
  );
  return csvText([[...head, "scaler"], ...lines]);
}

/**
 * Draws the rows and folds of a run and gathers all that decides its numbers.
 *
 * @throws {UsageError} when a variant or protocol is unknown, does not apply, or the recordings are too few for it.
 */
export async function planRun(prepared: Prepared, options: RunOptions): Promise<RunPlan> {
  const { study, manifest, fraction, missing, extra } = prepared;
  const { examples, folds } = tableOf(prepared, options);
  const variant = findVariant(study, options.variant);
  const protocol = findProtocol(study, options.protocol) as Protocol;
  const input = inputOf(study, variant, options.protocol);
  const id: RunId = { study: study.id, protocol: options.protocol, variant: options.variant, seed: options.seed };
  const epochs = options.epochs ?? variant.plan.epochs;
  const split = splitHash(folds, examples.map(({ key, copy }) => copy === 0 ? key : `${key} ${copy}`));
  const pretrained = variant.pretrained
    ? await loadPretrained(variant.pretrained, {
      path: options.weights,
      results: [options.out, join(ROOT, "results")],
      allowAnyFile: options.allowAnyWeights,
    })
    : null;
  const { features, copies } = input;
  const config = {
    describe: variant.describe,
    protocol: protocol.describe,
    features: { recipe: features.name, hash: recipeHash(features), ...features.parameters },
    scaler: { kind: input.scaler, rows: protocol.scalerRows },
    ...(copies
      ? { copies: { describe: copies.describe, of: copies.of.map(({ name, version }) => `${name} ${version}`) } }
      : {}),
    ...(variant.oversample ? { oversample: protocol.oversample ?? "training" } : {}),
    ...(variant.batch ? { batch: variant.batch.describe } : {}),
    ...(pretrained ? { pretrained: { describe: variant.pretrained!.describe, sha256: pretrained.sha256 } } : {}),
    optimizer: variant.optimizer,
    plan: { ...variant.plan, epochs },
    labels: study.labels,
    ...(missing.length > 0 ? { missing } : {}),
    ...(extra.length > 0 ? { extra } : {}),
  };
  const identity = sha256Hex(canonicalJson({ id, config, manifest, split, fraction }));
  return { id, variant, protocol, input, epochs, examples, folds, split, config, pretrained, identity };
}

/**
 * Runs one variant under one protocol with one seed, or returns the record that stands there.
 *
 * @returns the record, and whether it was there already.
 * @throws {UsageError} when a record stands there that was made from other data or settings.
 */
export async function runStudy(
  prepared: Prepared,
  options: RunOptions,
): Promise<{ readonly record: RunRecord; readonly kept: boolean }> {
  const plan = await planRun(prepared, options);
  const { study } = prepared;
  if (!options.fresh && hasRunRecord(options.out, plan.id)) {
    const path = recordPath(options.out, plan.id);
    let record = readRunRecord(path);
    checkSame(record, prepared, plan, options.out);
    if (record.listeners === undefined && prepared.votes !== null) {
      const heard = scoreListeners(prepared.votes, readPredictions(path, record).rows);
      if (heard !== null) record = addListeners(options.out, record, heard);
    }
    // A bundle that is missing (git does not hold the large ones) is trained again; the record stays what it is.
    if (options.bundle && !existsSync(options.bundle)) await runFold(prepared, plan, options, plan.folds[0]!, 0);
    return { record, kept: true };
  }
  const parts = await runParts(prepared, plan, options, () => true);
  const { folds, predictions, seconds } = mergeFolds(parts);
  const speakersOf = (indices: readonly number[]): number =>
    new Set(indices.map((i) => plan.examples[i]!.speaker)).size;
  const count = (part: "train" | "validation" | "test"): number => plan.folds.reduce((n, f) => n + f[part].length, 0);
  const claim = study.claims.find((each) => each.variant === options.variant);
  const listeners = scoreListeners(prepared.votes, predictions.rows);
  const record = writeRunRecord(options.out, {
    ...plan.id,
    claim: claim ? { accuracy: claim.accuracy, n: claim.n, source: claim.source } : null,
    commit: gitCommit(ROOT),
    lock: lockHash(ROOT),
    manifest: prepared.manifest,
    split: plan.split,
    environment: gatherEnvironment({ tensorflow: options.engine.version, backend: options.engine.backend }),
    config: plan.config,
    fraction: prepared.fraction,
    epochs: plan.epochs,
    counts: {
      train: count("train"),
      validation: count(plan.protocol.validatesOnTest ? "test" : "validation"),
      test: count("test"),
      speakersTrain: speakersOf(plan.folds.flatMap((fold) => fold.train)),
      speakersTest: speakersOf(plan.folds.flatMap((fold) => fold.test)),
    },
    bySpeaker: plan.protocol.bySpeaker,
    folds,
    seconds,
    peakMemoryMb: peakMemoryMb(),
    ...(listeners ? { listeners } : {}),
    ...(prepared.unknown.length > 0 ? { ignored: prepared.unknown } : {}),
  }, predictions);
  return { record, kept: false };
}

/**
 * Runs some folds of a run and keeps them: a long run can be made in parts, and `runStudy` puts them together.
 *
 * @param wanted Numbers of the folds, from 0.
 * @returns how many of the run's folds are finished, of how many.
 * @throws {UsageError} when the run has no such fold.
 */
export async function runFolds(
  prepared: Prepared,
  options: RunOptions,
  wanted: readonly number[],
): Promise<{ readonly done: number; readonly total: number }> {
  const plan = await planRun(prepared, options);
  const total = plan.folds.length;
  const unknown = wanted.find((fold) => !(fold >= 0 && fold < total));
  if (unknown !== undefined) {
    throw new UsageError(`There is no fold ${unknown}; ${options.protocol} has ${total}, numbered from 0.`);
  }
  if (!options.fresh && hasRunRecord(options.out, plan.id)) {
    checkSame(readRunRecord(recordPath(options.out, plan.id)), prepared, plan, options.out);
    return { done: total, total };
  }
  return { done: (await runParts(prepared, plan, options, (fold) => wanted.includes(fold))).length, total };
}

/** The finished folds, and those that are wanted and had to be made, in order. */
async function runParts(
  prepared: Prepared,
  plan: RunPlan,
  options: RunOptions,
  isWanted: (fold: number) => boolean,
): Promise<FoldPart[]> {
  const parts: FoldPart[] = options.fresh ? [] : readFolds(options.out, plan.id, plan.identity);
  for (const [index, fold] of plan.folds.entries()) {
    const bundle = index === 0 ? options.bundle : undefined;
    const there = parts.findIndex((part) => part.fold.fold === index);
    if (!isWanted(index) || (there >= 0 && !bundle)) continue;
    const part = await runFold(prepared, plan, { ...options, bundle }, fold, index);
    writeFold(options.out, plan.id, plan.identity, part);
    if (there >= 0) parts.splice(there, 1);
    parts.push(part);
  }
  return parts.sort((a, b) => a.fold.fold - b.fold.fold);
}

/** A record that stands where a run's would must be of that run: the same data, split and settings. */
function checkSame(record: RunRecord, prepared: Prepared, plan: RunPlan, out: string): void {
  const differs = record.manifest !== prepared.manifest
    ? "other data"
    : record.split !== plan.split
    ? "another split"
    : record.fraction !== prepared.fraction
    ? `the fraction ${record.fraction}`
    : canonicalJson(record.config) !== canonicalJson(JSON.parse(JSON.stringify(plan.config)))
    ? "other settings"
    : null;
  if (differs === null) return;
  const path = recordPath(out, plan.id);
  throw new UsageError(`${path}: was made with ${differs}; choose another --out, or make it again with --fresh.`);
}

/** A model that was trained on the rows of one fold; the caller disposes of it. */
export interface TrainedFold {
  /** The model, its weights those of the training's end. */
  readonly model: tf.LayersModel;
  /** The scaler that the protocol fitted. */
  readonly scaler: Scaler;
  /** Epoch by epoch. */
  readonly history: readonly EpochLog[];
  /** Seconds of compiling and training; of interrupted sessions those up to the checkpoint from which it went on. */
  readonly seconds: number;
  /** Seconds that the features took, whoever asked for them. */
  readonly featureSeconds: number;
  /** Class probabilities of rows of the run's table, one row after the other. */
  predict(rows: readonly number[]): Promise<Float32Array>;
  /** Frees the model. */
  dispose(): void;
}

/**
 * Trains a plan's model on the training rows of a fold, as the variant says.
 *
 * @param fold A fold of the plan, or one made of its training rows.
 * @param index Number of the fold, for progress and checkpoints.
 * @param checkpoint Where the training is kept while it runs; default nowhere.
 */
export async function trainFold(
  prepared: Prepared,
  plan: RunPlan,
  options: Pick<RunOptions, "variant" | "protocol" | "seed" | "signal" | "onNotice" | "onFeatures" | "onEpoch">,
  fold: Fold,
  index: number,
  checkpoint?: CheckpointStore,
): Promise<TrainedFold> {
  const { study } = prepared;
  const { examples, variant, protocol } = plan;
  const { x: raw, seconds: featureSeconds } = await featuresOf(prepared, options);
  const classes = study.labels.length;
  const y = new Int32Array(raw.shape[0]!);
  for (const { feature, label } of examples) y[feature] = study.labels.indexOf(label);
  // Rows of the table share features where one is the other's duplicate.
  const featureRows = (rows: readonly number[]): Int32Array => Int32Array.from(rows, (row) => examples[row]!.feature);
  const train = featureRows(fold.train), tested = protocol.validatesOnTest ? fold.test : fold.validation;
  const scaler = fitScaler(plan.input.scaler, raw, protocol.scalerRows === "all" ? undefined : train);
  const scaled = applyScaler(scaler, raw);
  const model = variant.model({ classes, seed: options.seed });
  const { seed } = plan.id;
  let trainer: Trainer | undefined;
  try {
    if (plan.pretrained) applyPretrained(model, plan.pretrained);
    const startedAt = performance.now();
    const { batch } = variant;
    const how = { optimizer: variant.optimizer, seed: options.seed, onNotice: options.onNotice ?? (() => {}) };
    // What frozen layers make of a row is computed once, unless rows are changed at each step.
    const fed = batch
      ? { trainer: createTrainer(model, how), x: scaled }
      : await createTrainerOn(model, scaled, { ...how, cache: prepared.cache, signal: options.signal });
    const running = trainer = fed.trainer;
    const data: Dataset = { x: fed.x, y };
    const { history, seconds } = await fit(running, data, { ...variant.plan, epochs: plan.epochs }, {
      seed,
      rows: train,
      order: variant.order?.(seed, classes),
      transform: batch && ((rows, rng) => batch.apply(rows, rng, classes)),
      validation: tested.length > 0 ? take(data, featureRows(tested)) : undefined,
      checkpoint,
      startedAt,
      identity: `${plan.identity} ${index}`,
      signal: options.signal,
      onEpoch: (log) => options.onEpoch?.(log, { name: fold.name, index, count: plan.folds.length }),
    });
    return {
      model,
      scaler,
      history,
      seconds,
      featureSeconds,
      predict: async (rows) => (await running.predict(takeRows(data.x, featureRows(rows)))).data,
      dispose() {
        running.dispose();
        model.dispose();
      },
    };
  } catch (error) {
    trainer?.dispose();
    model.dispose();
    throw error;
  }
}

async function runFold(
  prepared: Prepared,
  plan: RunPlan,
  options: RunOptions,
  fold: Fold,
  index: number,
): Promise<FoldPart> {
  const { study } = prepared;
  const { id: { protocol, variant, seed }, examples } = plan;
  const checkpoint = checkpointFile(
    join(
      options.out,
      ".checkpoints",
      `${study.id}-${protocol}-${variant}-s${seed}-${index}-${plan.identity.slice(0, 8)}`,
    ),
  );
  const trained = await trainFold(prepared, plan, options, fold, index, checkpoint);
  try {
    const { history, seconds, featureSeconds, scaler, model } = trained;
    const ended = performance.now();
    const predictions = rowsOf(await trained.predict(fold.test), fold.test, examples, study.labels, index);
    const evaluated = performance.now();
    if (options.bundle) await saveBundle(prepared, plan, options, scaler, model, predictions);
    checkpoint.clear();
    return {
      fold: { fold: index, name: fold.name, history },
      predictions: { labels: study.labels, rows: predictions },
      seconds: {
        // The same features serve all folds: they count once.
        features: index === 0 ? featureSeconds : 0,
        train: seconds,
        evaluate: (evaluated - ended) / 1000,
      },
    };
  } finally {
    trained.dispose();
  }
}

/** Predictions of rows of a run's table, from their probabilities one row after the other. */
export function rowsOf(
  probabilities: Float32Array,
  rows: readonly number[],
  examples: readonly Example[],
  labels: readonly string[],
  fold: number,
): PredictionRow[] {
  return rows.map((row, i): PredictionRow => {
    const { key, copy, speaker, label } = examples[row]!;
    const own = probabilities.slice(i * labels.length, (i + 1) * labels.length);
    const prediction = mostProbable(own, labels);
    return { key, parent: key, copy, speaker, fold, truth: label, prediction, probabilities: own };
  });
}

/** The rate that all recordings have, Hz; null where they have several. */
export function commonRate(rows: readonly ManifestRow[]): number | null {
  const rates = new Set(rows.map(({ sampleRateHz }) => sampleRateHz));
  return rates.size === 1 ? rows[0]!.sampleRateHz : null;
}

async function saveBundle(
  { study, rows, manifest }: Prepared,
  plan: RunPlan,
  options: RunOptions,
  scaler: Scaler,
  model: tf.LayersModel,
  predictions: readonly PredictionRow[],
): Promise<void> {
  const { features } = plan.input;
  const own = evaluatePredictions({ labels: study.labels, rows: predictions }, plan.protocol);
  const expected: ExpectedAccuracy[] = [
    { protocol: plan.id.protocol, accuracy: own.accuracy, interval: own.interval.accuracy, n: own.n },
  ];
  // What unknown speakers may expect, where the same variant has been run free of leakage.
  const clean = { ...plan.id, protocol: "clean" };
  if (plan.id.protocol !== "clean" && hasRunRecord(options.out, clean)) {
    const { metrics } = readRunRecord(recordPath(options.out, clean));
    const { accuracy, interval, n } = metrics;
    expected.push({ protocol: "clean", accuracy, interval: interval.accuracy, n });
  }
  const info: BundleInfo = {
    format: "serlab-bundle",
    version: BUNDLE_VERSION,
    name: `${study.id}-${plan.id.variant}`,
    features: { recipe: features.name, hash: recipeHash(features), shape: plan.input.inputShape },
    sampleRateHz: commonRate(rows),
    scaler,
    labels: study.labels,
    provenance: {
      study: study.id,
      variant: plan.id.variant,
      protocol: plan.id.protocol,
      seed: plan.id.seed,
      fold: 0,
      commit: gitCommit(ROOT),
      manifest,
      split: plan.split,
      corpora: study.corpora.map((id) => ({
        id,
        licence: corpora.find((c) => c.id === id)?.licence.name ?? "unknown",
      })),
      expected,
    },
    calibration: null,
    abstention: null,
    trained: null,
    consequences: [],
    measured: null,
  };
  await writeBundle(options.bundle!, info, model);
}
