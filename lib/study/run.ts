/**
 * Runs a declared study: one variant under one protocol with one seed is one run record.
 *
 * What is finished is kept: a run whose record stands there is not made again, and of a run under way every finished
 * fold is kept, and of the fold in work the last checkpoint.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { loadAudio } from "../audio/load.ts";
import type { BundleInfo, ExpectedAccuracy } from "../bundle.ts";
import { writeBundle } from "../bundle_files.ts";
import { corpora, indexCorpus, manifestHash } from "../corpora/mod.ts";
import type { Engine } from "../engine/tf.ts";
import { createTrainer } from "../engine/mod.ts";
import { UsageError } from "../errors.ts";
import { recipe, recipeHash } from "../features/recipes.ts";
import { canonicalJson, sha256Hex } from "../io.ts";
import { stream } from "../random.ts";
import { gatherEnvironment, gitCommit, lockHash } from "../results/environment.ts";
import {
  type FoldPart,
  hasRunRecord,
  mergeFolds,
  readFolds,
  readRunRecord,
  recordPath,
  type RunId,
  type RunRecord,
  writeFold,
  writeRunRecord,
} from "../results/record.ts";
import { checkFolds, type Fold, splitHash } from "../split/mod.ts";
import { checkpointFile } from "../training/checkpoint.ts";
import { applyScaler, type Dataset, fitScaler, type Scaler, stack, take, takeRows } from "../training/dataset.ts";
import { evaluatePredictions, mostProbable, type PredictionRow } from "../training/evaluate.ts";
import { type EpochLog, fit } from "../training/train.ts";
import type { ManifestRow, NdArray } from "../types.ts";
import type { Protocol, ProtocolName, Study, Variant } from "./declare.ts";

/** How to prepare the data of a study. */
export interface PrepareOptions {
  /** Folder with the corpora, at any depth. */
  readonly dir: string;
  /** Share of the recordings, drawn by corpus and class; default 1. */
  readonly fraction?: number | undefined;
  /** Go on when recordings are missing; recorded. */
  readonly allowIncomplete?: boolean | undefined;
  /** Is told how many recordings are done. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** The data of a study, ready for any of its variants and protocols. */
export interface Prepared {
  /** The study. */
  readonly study: Study;
  /** Its recordings in label order, then by key: the order of the original's folders. */
  readonly rows: readonly ManifestRow[];
  /** Unscaled features `[n, …inputShape]`. */
  readonly x: NdArray;
  /** Class index of each recording. */
  readonly y: Int32Array;
  /** Hash of the manifest. */
  readonly manifest: string;
  /** Keys of recordings that a complete corpus would have. */
  readonly missing: readonly string[];
  /** Share of the recordings used. */
  readonly fraction: number;
  /** Seconds spent on features. */
  readonly seconds: number;
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
  /** Stops the run at the next step when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Receives one line when training cannot be compiled. */
  readonly onNotice?: ((line: string) => void) | undefined;
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
 * Finds, checks and hashes a study's recordings and extracts their features.
 *
 * @throws {CorpusError} when a corpus is missing or incomplete; {AudioError} when a recording cannot be read.
 */
export async function prepare(study: Study, options: PrepareOptions): Promise<Prepared> {
  const { dir, fraction = 1 } = options;
  const { rows: all, missing } = await indexCorpus(dir, {
    corpus: study.corpora,
    ...(study.speakers ? { speakers: study.speakers } : {}),
    allowIncomplete: options.allowIncomplete ?? false,
  });
  const labelled = all.filter((row) => study.label(row) !== null);
  const label = (row: ManifestRow): string => study.label(row)!;
  const drawn = fraction < 1 ? drawFraction(labelled, label, fraction) : labelled;
  const index = new Map(study.labels.map((name, i) => [name, i]));
  const rows = [...drawn].sort((a, b) => index.get(label(a))! - index.get(label(b))! || (a.key < b.key ? -1 : 1));

  const started = performance.now();
  const features = recipe(study.recipe);
  const arrays: NdArray[] = [];
  for (const row of rows) {
    const { data } = features.extract(await loadAudio(join(dir, row.path), features.load));
    arrays.push({ data, shape: study.inputShape });
    options.onProgress?.(arrays.length, rows.length);
  }
  return {
    study,
    rows,
    x: stack(arrays),
    y: Int32Array.from(rows, (row) => index.get(label(row))!),
    manifest: manifestHash(rows),
    missing,
    fraction,
    seconds: (performance.now() - started) / 1000,
  };
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
export function findProtocol(study: Study, name: string): Protocol {
  return find("protocol", name, study.protocols as Record<string, Protocol>, study);
}

/** Highest resident memory of this process so far, MiB. */
function peakMemoryMb(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

/** Everything about a run that is known before it starts. */
interface Plan {
  readonly id: RunId;
  readonly variant: Variant;
  readonly protocol: Protocol;
  readonly epochs: number;
  readonly folds: readonly Fold[];
  readonly split: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Hash of all that decides the run's numbers. */
  readonly identity: string;
}

function planRun(prepared: Prepared, options: RunOptions): Plan {
  const { study, rows, manifest, fraction, missing } = prepared;
  const variant = findVariant(study, options.variant);
  const protocol = findProtocol(study, options.protocol);
  const id: RunId = { study: study.id, protocol: options.protocol, variant: options.variant, seed: options.seed };
  const epochs = options.epochs ?? variant.plan.epochs;
  const { earlyStopping, reduceOnPlateau, keepBest } = variant.plan;
  const watched = [earlyStopping?.monitor, reduceOnPlateau?.monitor, keepBest];
  const folds = protocol.folds(rows, {
    seed: options.seed,
    variant: options.variant,
    needsValidation: watched.some((monitor) => monitor?.startsWith("val")),
  });
  checkFolds(folds, rows.length);
  const split = splitHash(folds, rows.map((row) => row.key));
  const features = recipe(study.recipe);
  const config = {
    describe: variant.describe,
    protocol: protocol.describe,
    features: { recipe: features.name, hash: recipeHash(features), ...features.parameters },
    scaler: { kind: study.scaler, rows: protocol.scalerRows },
    optimizer: variant.optimizer,
    plan: { ...variant.plan, epochs },
    labels: study.labels,
    ...(missing.length > 0 ? { missing } : {}),
  };
  const identity = sha256Hex(canonicalJson({ id, config, manifest, split, fraction }));
  return { id, variant, protocol, epochs, folds, split, config, identity };
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
  const plan = planRun(prepared, options);
  const { study, rows } = prepared;
  if (!options.fresh && hasRunRecord(options.out, plan.id)) {
    const record = readRunRecord(recordPath(options.out, plan.id));
    checkSame(record, prepared, plan, options.out);
    if (!options.bundle || existsSync(options.bundle)) return { record, kept: true };
  }
  const parts: FoldPart[] = readFolds(options.out, plan.id, plan.identity);
  for (const [index, fold] of plan.folds.entries()) {
    const bundle = index === 0 ? options.bundle : undefined;
    if (parts.some((part) => part.fold.fold === index) && !bundle) continue;
    const part = await runFold(prepared, plan, { ...options, bundle }, fold, index);
    if (plan.folds.length > 1) writeFold(options.out, plan.id, plan.identity, part);
    parts.push(part);
  }
  parts.sort((a, b) => a.fold.fold - b.fold.fold);
  const { folds, predictions, seconds } = mergeFolds(parts);
  const speakersOf = (indices: readonly number[]): number => new Set(indices.map((i) => rows[i]!.speaker)).size;
  const count = (part: "train" | "validation" | "test"): number => plan.folds.reduce((n, f) => n + f[part].length, 0);
  const claim = study.claims.find((each) => each.variant === options.variant);
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
      validation: count("validation"),
      test: count("test"),
      speakersTrain: speakersOf(plan.folds.flatMap((fold) => fold.train)),
      speakersTest: speakersOf(plan.folds.flatMap((fold) => fold.test)),
    },
    bySpeaker: plan.protocol.bySpeaker,
    folds,
    seconds: { ...seconds, features: prepared.seconds },
    peakMemoryMb: peakMemoryMb(),
  }, predictions);
  return { record, kept: false };
}

/** A record that stands where a run's would must be of that run: the same data, split and settings. */
function checkSame(record: RunRecord, prepared: Prepared, plan: Plan, out: string): void {
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

async function runFold(
  prepared: Prepared,
  plan: Plan,
  options: RunOptions,
  fold: Fold,
  index: number,
): Promise<FoldPart> {
  const { study, rows, x: raw, y } = prepared;
  const scalerRows = plan.protocol.scalerRows === "all" ? raw : takeRows(raw, fold.train);
  const scaler = fitScaler(study.scaler, scalerRows);
  const data: Dataset = { x: applyScaler(scaler, raw), y };
  const model = plan.variant.model({ classes: study.labels.length, seed: options.seed });
  const trainer = createTrainer(model, {
    optimizer: plan.variant.optimizer,
    seed: options.seed,
    onNotice: options.onNotice ?? (() => {}),
  });
  const { protocol, variant, seed } = plan.id;
  const checkpoint = checkpointFile(
    join(
      options.out,
      ".checkpoints",
      `${study.id}-${protocol}-${variant}-s${seed}-${index}-${plan.identity.slice(0, 8)}`,
    ),
  );
  try {
    const started = performance.now();
    const { history } = await fit(trainer, take(data, fold.train), { ...plan.variant.plan, epochs: plan.epochs }, {
      seed,
      validation: fold.validation.length > 0 ? take(data, fold.validation) : undefined,
      checkpoint,
      identity: `${plan.identity} ${index}`,
      signal: options.signal,
      onEpoch: (log) => options.onEpoch?.(log, { name: fold.name, index, count: plan.folds.length }),
    });
    const trained = performance.now();
    const { data: p } = await trainer.predict(takeRows(data.x, fold.test));
    const classes = study.labels.length;
    const predictions = fold.test.map((row, i): PredictionRow => {
      const { key, speaker } = rows[row]!;
      const probabilities = p.slice(i * classes, (i + 1) * classes);
      const prediction = mostProbable(probabilities, study.labels);
      return {
        key,
        parent: key,
        copy: 0,
        speaker,
        fold: index,
        truth: study.labels[y[row]!]!,
        prediction,
        probabilities,
      };
    });
    const evaluated = performance.now();
    if (options.bundle) await saveBundle(prepared, plan, options, scaler, model, predictions);
    checkpoint.clear();
    return {
      fold: { fold: index, name: fold.name, history },
      predictions: { labels: study.labels, rows: predictions },
      seconds: { features: 0, train: (trained - started) / 1000, evaluate: (evaluated - trained) / 1000 },
    };
  } finally {
    trainer.dispose();
    model.dispose();
  }
}

async function saveBundle(
  { study, manifest }: Prepared,
  plan: Plan,
  options: RunOptions,
  scaler: Scaler,
  model: tf.LayersModel,
  predictions: readonly PredictionRow[],
): Promise<void> {
  const features = recipe(study.recipe);
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
    version: 1,
    name: `${study.id}-${plan.id.variant}`,
    features: { recipe: features.name, hash: recipeHash(features), shape: study.inputShape },
    scaler,
    labels: study.labels,
    provenance: {
      study: study.id,
      variant: plan.id.variant,
      protocol: plan.id.protocol,
      seed: plan.id.seed,
      commit: gitCommit(ROOT),
      manifest,
      split: plan.split,
      corpora: study.corpora.map((id) => ({
        id,
        licence: corpora.find((c) => c.id === id)?.licence.name ?? "unknown",
      })),
      expected,
    },
  };
  await writeBundle(options.bundle!, info, model);
}
