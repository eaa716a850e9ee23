/**
 * Experiments of the size of a lesson: features of some recordings, learners, folds, and what came of it, with the parts
 * that studies are run with and none of their files.
 *
 * @module
 */

import type * as tf from "@tensorflow/tfjs";
import { extractEach } from "../augment/extract.ts";
import type { AugmentationRecord } from "../augment/mod.ts";
import { createTrainer } from "../engine/mod.ts";
import type { OptimizerSpec } from "../engine/optimizers.ts";
import { startEngine } from "../engine/tf.ts";
import { UsageError } from "../errors.ts";
import type { Figure } from "../figures/mod.ts";
import { forestFigure, type ForestFigureOptions } from "../figures/mod.ts";
import { recipe as recipeOf } from "../features/recipes.ts";
import { stream } from "../random.ts";
import type { Fold } from "../split/mod.ts";
import { applyScaler, fitScaler, type ScalerKind, stack, take } from "../training/dataset.ts";
import { evaluatePredictions, type Metrics, mostProbable, type Predictions } from "../training/evaluate.ts";
import { type EpochLog, fit, type TrainingPlan } from "../training/train.ts";
import { EMOTIONS, type ManifestRow, type NdArray } from "../types.ts";
import { corpusTitle, type NotebookCorpus } from "./corpus.ts";
import { progress } from "./progress.ts";

/** A part of a corpus that a lesson can afford. */
export interface LessonCorpusOptions {
  /** At most so many speakers (default 8). */
  readonly speakers?: number;
  /** At most so many recordings of each (default 32). */
  readonly perSpeaker?: number;
}

/**
 * A part of a corpus: of one corpus (that which has most to give) the speakers with the most recordings, and of each as many
 * recordings of every emotion as there are places. Its title says which.
 *
 * @throws {UsageError} when no corpus has three speakers.
 */
export function lessonCorpus(
  corpus: NotebookCorpus,
  { speakers = 8, perSpeaker = 32 }: LessonCorpusOptions = {},
): NotebookCorpus {
  const parts = Object.values(Object.groupBy(corpus.rows, (row) => row.corpus)) as ManifestRow[][];
  const taken = parts.map((rows) => {
    const known = rows.filter(({ emotion }) => (EMOTIONS as readonly string[]).includes(emotion));
    const bySpeaker = Object.values(Object.groupBy(known, (row) => row.speaker)) as ManifestRow[][];
    const chosen = bySpeaker.map((own) => takeEach(own, perSpeaker))
      .sort((a, b) => b.length - a.length || (a[0]!.speaker < b[0]!.speaker ? -1 : 1)).slice(0, speakers);
    return chosen.sort((a, b) => a[0]!.speaker < b[0]!.speaker ? -1 : 1);
  });
  const size = (own: readonly ManifestRow[][]): number => own.reduce((sum, { length }) => sum + length, 0);
  const [most] = taken.filter((own) => own.length >= 3).sort((a, b) => size(b) - size(a));
  if (!most) throw new UsageError("A lesson needs a corpus with at least three speakers.");
  const rows = most.flat();
  const name = corpus.synthetic
    ? corpus.title
    : `${corpusTitle(rows[0]!.corpus)}, ${rows.length} clips of ${most.length} speakers`;
  return { ...corpus, rows, title: name };
}

/** Of every emotion equally many recordings, takes and sentences mixed. */
function takeEach(own: readonly ManifestRow[], most: number): ManifestRow[] {
  const classes = EMOTIONS.filter((emotion) => own.some((row) => row.emotion === emotion));
  const places = Math.max(1, Math.floor(most / classes.length));
  return classes.flatMap((emotion) => {
    const all = own.filter((row) => row.emotion === emotion);
    const order = stream(0, "lesson", own[0]!.speaker, emotion).permutation(all.length);
    return [...order.slice(0, places)].sort((a, b) => a - b).map((i) => all[i]!);
  });
}

/** Rows with features, ready to be learnt from. */
export interface LessonData {
  /** `[rows, …shape]`; the rows of a recording, itself and its copies, one after the other. */
  readonly x: NdArray;
  /** Class index of every row. */
  readonly y: Int32Array;
  /** Labels in the order of the class indices. */
  readonly labels: readonly string[];
  /** The recordings. */
  readonly recordings: readonly ManifestRow[];
  /** Rows of a recording. */
  readonly perRecording: number;
}

/** How features are made. */
export interface LessonDataOptions {
  /** Recordings; default all of the corpus. */
  readonly rows?: readonly ManifestRow[];
  /** Augmented copies of each recording, by its number. */
  readonly copies?: (row: ManifestRow) => readonly AugmentationRecord[];
}

/**
 * Features of recordings by a recipe's name, extracted on all cores, with a progress bar.
 *
 * @throws {AudioError} when a recording cannot be used.
 */
export async function lessonData(
  corpus: NotebookCorpus,
  recipe: string,
  options: LessonDataOptions = {},
): Promise<LessonData> {
  const recordings = options.rows ?? corpus.rows;
  const augment = (row: ManifestRow) => [null, ...(options.copies?.(row) ?? [])];
  const bar = progress(recordings.length, { label: `features ${recipe}`, leave: false });
  const arrays: NdArray[] = [];
  for await (
    const { items, failure } of extractEach(recordings, { dir: corpus.dir, recipe: recipeOf(recipe), augment })
  ) {
    if (failure) throw failure.error;
    for (const { features } of items) arrays.push(features);
    await bar.tick();
  }
  await bar.finish();
  const present = new Set<string>(recordings.map((row) => row.emotion));
  const labels: string[] = [...new Set([...EMOTIONS, ...present])].filter((label) => present.has(label));
  const perRecording = arrays.length / recordings.length;
  const y = Int32Array.from(
    { length: arrays.length },
    (_, row) => labels.indexOf(recordings[Math.floor(row / perRecording)]!.emotion),
  );
  return { x: stack(arrays), y, labels, recordings, perRecording };
}

/** What learns. */
export interface Learner {
  /** Its name. */
  readonly name: string;
  /**
   * Builds the network, which takes the recipe's values in its own shape; without it the learner names the training rows'
   * largest class.
   */
  readonly model?: (options: { readonly classes: number; readonly seed: number }) => tf.LayersModel;
  /** The optimiser (default Adam, 0.001). */
  readonly optimizer?: OptimizerSpec;
  /** Epochs, batches, callbacks (default 10 epochs of batches of 16). */
  readonly plan?: TrainingPlan;
  /** Scaler, fitted on training rows (default `none`). */
  readonly scaler?: ScalerKind;
}

/** What came of a learner. */
export interface LessonRun {
  /** Its name. */
  readonly name: string;
  /** Every tested row. */
  readonly predictions: Predictions;
  /** What they are worth. */
  readonly metrics: Metrics;
  /** The training of each fold. */
  readonly histories: readonly (readonly EpochLog[])[];
}

/** How folds are run. */
export interface EvaluateFoldsOptions {
  /** Whether the test speakers are unknown: decides the interval. */
  readonly bySpeaker: boolean;
  /** Seed of weights and orders (default 0). */
  readonly seed?: number;
}

/** Trains a learner on every fold and pools what it says of the tested rows. */
export async function evaluateFolds(
  data: LessonData,
  folds: readonly Fold[],
  learner: Learner,
  { bySpeaker, seed = 0 }: EvaluateFoldsOptions,
): Promise<LessonRun> {
  await startEngine();
  const { plan = { epochs: 10, batchSize: 16 }, scaler = "none" } = learner;
  const bar = progress(folds.length * plan.epochs, { label: learner.name, leave: false });
  const rows: Predictions["rows"][number][] = [], histories: EpochLog[][] = [];
  for (const [index, fold] of folds.entries()) {
    const probabilities = learner.model
      ? await trainFold(data, fold, { ...learner, plan, scaler, model: learner.model }, seed, histories, bar)
      : majority(data, fold);
    fold.test.forEach((row, i) => {
      const own = probabilities.subarray(i * data.labels.length, (i + 1) * data.labels.length);
      const { key, speaker } = data.recordings[Math.floor(row / data.perRecording)]!;
      rows.push({
        key,
        parent: key,
        copy: row % data.perRecording,
        speaker,
        fold: index,
        truth: data.labels[data.y[row]!]!,
        prediction: mostProbable(own, data.labels),
        probabilities: own,
      });
    });
  }
  await bar.tick(folds.length * plan.epochs - bar.done);
  await bar.finish();
  const predictions = { labels: data.labels, rows };
  return { name: learner.name, predictions, metrics: evaluatePredictions(predictions, { bySpeaker }), histories };
}

function majority(data: LessonData, fold: Fold): Float32Array {
  const k = data.labels.length, counts = new Float32Array(k);
  for (const row of fold.train) counts[data.y[row]!]!++;
  const shares = counts.map((count) => count / fold.train.length);
  const out = new Float32Array(fold.test.length * k);
  fold.test.forEach((_, i) => out.set(shares, i * k));
  return out;
}

type Network = Required<Pick<Learner, "model" | "plan" | "scaler">> & Learner;

async function trainFold(
  data: LessonData,
  fold: Fold,
  { model: build, optimizer = { kind: "adam", learningRate: 0.001 }, plan, scaler: kind }: Network,
  seed: number,
  histories: EpochLog[][],
  bar: { tick(steps?: number): Promise<void> },
): Promise<Float32Array> {
  const scaler = fitScaler(kind, data.x, fold.train);
  const model = build({ classes: data.labels.length, seed });
  const example = model.inputs[0]!.shape.slice(1) as number[];
  const part = (rows: readonly number[]) => {
    const { x, y } = take(data, rows);
    // The recipe's values in their order, in the shape that the model names ([64, 64, 1] for [64, 64]).
    return { x: { data: applyScaler(scaler, x).data, shape: [rows.length, ...example] }, y };
  };
  try {
    const trainer = createTrainer(model, { optimizer, seed });
    try {
      const validation = fold.validation.length > 0 ? part(fold.validation) : undefined;
      const ticks: Promise<void>[] = [];
      const { history } = await fit(trainer, part(fold.train), plan, {
        seed,
        validation,
        onEpoch: () => void ticks.push(bar.tick().catch(() => {})),
      });
      await Promise.all(ticks);
      histories.push([...history]);
      return (await trainer.predict(part(fold.test).x)).data as Float32Array;
    } finally {
      trainer.dispose();
    }
  } finally {
    model.dispose();
  }
}

/** Accuracies of runs with their intervals, one a line, and the chance level. */
export function runsFigure(runs: readonly LessonRun[], options: ForestFigureOptions = {}): Figure {
  const classes = runs[0]?.predictions.labels.length ?? 0;
  return forestFigure(
    runs.map(({ name, metrics: { accuracy, interval } }) => ({
      label: name,
      value: accuracy,
      interval: [Math.min(accuracy, interval.accuracy[0]), Math.max(accuracy, interval.accuracy[1])] as const,
    })),
    {
      xTitle: "Accuracy",
      range: [0, 1],
      ...(classes > 0 ? { reference: { value: 1 / classes, label: `chance 1/${classes}` } } : {}),
      ...options,
    },
  );
}
