/**
 * From predictions to metrics: the one place where a test's rows become numbers.
 *
 * Browser-safe.
 *
 * @module
 */

import {
  type ClassScores,
  type ConfusionMatrix,
  confusionMatrix,
  logLoss,
  type PrecisionRecallF1,
  scores,
} from "./metrics.ts";
import { clipIntervals, type Interval, type IntervalKind, speakerIntervals } from "./statistics.ts";

/** One tested row with what the model said. */
export interface PredictionRow {
  /** Identifier of the row, unique together with `copy`. */
  readonly key: string;
  /** The recording that the row was made from. */
  readonly parent: string;
  /** 0 for the recording itself, 1… for augmented or duplicated rows. */
  readonly copy: number;
  /** Who speaks. */
  readonly speaker: string;
  /** Number of the fold that tested the row, from 0. */
  readonly fold: number;
  /** True label. */
  readonly truth: string;
  /** Predicted label: the first of the most probable ones. */
  readonly prediction: string;
  /** One probability a label, in the labels' order; single precision. */
  readonly probabilities: ArrayLike<number>;
}

/** All predictions of a run. */
export interface Predictions {
  /** The model's labels, in the order of its outputs. */
  readonly labels: readonly string[];
  /** One row a test example, in the order of testing. */
  readonly rows: readonly PredictionRow[];
}

/** Metrics of pooled test rows. */
export interface Metrics {
  /** Number of rows. */
  readonly n: number;
  /** Number of different recordings among them. */
  readonly recordings: number;
  /** Number of speakers. */
  readonly speakers: number;
  /** Share of rows predicted rightly. */
  readonly accuracy: number;
  /** Recall averaged over the classes that have rows. */
  readonly uar: number;
  /** F1 averaged over the union of the labels in truth and prediction. */
  readonly macroF1: number;
  /** Averages over the union of labels, every class alike. */
  readonly macro: PrecisionRecallF1;
  /** Averages weighted by the classes' rows. */
  readonly weighted: PrecisionRecallF1;
  /** Mean negative logarithm of the true label's probability. */
  readonly logLoss: number;
  /** 95 % intervals and how they were made (`speaker-range`: the range over speakers). */
  readonly interval: { readonly kind: IntervalKind; readonly accuracy: Interval; readonly uar: Interval };
  /** Every class that occurs. */
  readonly classes: readonly ClassScores[];
  /** Counts by true and predicted label, in the order of the model's labels. */
  readonly confusion: ConfusionMatrix;
  /** The same by corpus, where rows of several were tested. */
  readonly corpora?: readonly CorpusMetrics[];
}

/** Scores of the rows of one corpus. */
export interface CorpusMetrics
  extends Pick<Metrics, "n" | "recordings" | "speakers" | "accuracy" | "uar" | "macroF1" | "interval"> {
  /** The corpus: what stands before the `/` in the recordings' keys. */
  readonly corpus: string;
}

/** Options of {@linkcode evaluatePredictions}. */
export interface EvaluateOptions {
  /** Whether the test's speakers were unseen in training: decides the kind of interval. */
  readonly bySpeaker: boolean;
}

/** The label of the highest probability, the first one among equals (NumPy's `argmax`). */
export function mostProbable(probabilities: ArrayLike<number>, labels: readonly string[]): string {
  let best = 0;
  for (let i = 1; i < labels.length; i++) if (probabilities[i]! > probabilities[best]!) best = i;
  const label = labels[best];
  if (label === undefined) throw new RangeError("there are no labels.");
  return label;
}

/**
 * Makes sure that predictions are whole: labels known, one probability a label, the prediction the most probable label,
 * no row twice.
 *
 * @returns What is wrong in one sentence naming the row, or null.
 */
export function predictionsFault({ labels, rows }: Predictions): string | null {
  if (labels.length === 0 || new Set(labels).size !== labels.length) return "labels must differ and not be empty";
  if (rows.length === 0) return "there is no row";
  const known = new Set(labels);
  const seen = new Set<string>();
  for (const row of rows) {
    const name = `row ${row.key}${row.copy === 0 ? "" : ` (copy ${row.copy})`}`;
    const identity = JSON.stringify([row.key, row.copy]);
    if (seen.has(identity)) return `${name} stands there twice`;
    seen.add(identity);
    if (row.key === "" || row.parent === "" || row.speaker === "") return `${name} needs a key, a parent and a speaker`;
    if (!Number.isInteger(row.copy) || row.copy < 0) return `${name}: copy must be an integer from 0 on`;
    if (!Number.isInteger(row.fold) || row.fold < 0) return `${name}: fold must be an integer from 0 on`;
    for (const label of [row.truth, row.prediction]) {
      if (!known.has(label)) return `${name}: label ${label} is not one of ${labels.join(", ")}`;
    }
    if (row.probabilities.length !== labels.length) {
      return `${name}: ${labels.length} labels need as many probabilities, not ${row.probabilities.length}`;
    }
    let sum = 0;
    for (let i = 0; i < labels.length; i++) {
      const p = row.probabilities[i]!;
      if (!(p >= 0 && p <= 1 + 1e-6)) return `${name}: ${p} is not a probability`;
      sum += p;
    }
    if (Math.abs(sum - 1) > 1e-3) return `${name}: probabilities add up to ${sum}, not 1`;
    const best = mostProbable(Float32Array.from(row.probabilities), labels);
    if (best !== row.prediction) return `${name}: predicts ${row.prediction}, but ${best} is the most probable`;
  }
  return null;
}

/**
 * All metrics of a test, its intervals included; folds are pooled.
 *
 * Everything follows from the rows: the same rows, in memory or read back from a file, give the same numbers to the last
 * bit (probabilities count in single precision).
 *
 * @param predictions Rows with the model's labels.
 * @throws {RangeError} when the predictions are not whole (see {@linkcode predictionsFault}).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const row = { parent: "a", copy: 0, speaker: "s", fold: 0, truth: "sad" };
 * const metrics = evaluatePredictions({
 *   labels: ["happy", "sad"],
 *   rows: [
 *     { ...row, key: "a", prediction: "sad", probabilities: [0.25, 0.75] },
 *     { ...row, key: "b", parent: "b", prediction: "happy", probabilities: [0.5, 0.5] },
 *   ],
 * }, { bySpeaker: false });
 * assert.equal(metrics.accuracy, 0.5);
 * assert.equal(metrics.interval.kind, "wilson");
 * ```
 */
export function evaluatePredictions(predictions: Predictions, options: EvaluateOptions): Metrics {
  const fault = predictionsFault(predictions);
  if (fault !== null) throw new RangeError(`${fault}.`);
  const { labels, rows } = predictions;
  const corpusOf = (row: PredictionRow): string => row.parent.slice(0, Math.max(0, row.parent.indexOf("/")));
  const corpora = [...new Set(rows.map(corpusOf))].sort();
  const byCorpus = corpora.length < 2 ? [] : corpora.map((corpus): CorpusMetrics => {
    const own = metricsOf({ labels, rows: rows.filter((row) => corpusOf(row) === corpus) }, options);
    const { n, recordings, speakers, accuracy, uar, macroF1, interval } = own;
    return { corpus, n, recordings, speakers, accuracy, uar, macroF1, interval };
  });
  return { ...metricsOf(predictions, options), ...(byCorpus.length > 0 ? { corpora: byCorpus } : {}) };
}

/**
 * Predictions as a model would make them that knows some labels only: rows of other labels are left out, probabilities
 * are divided by their sum over the labels that are left.
 *
 * @param labels Some of the predictions' labels, in their order.
 */
export function restrictPredictions(predictions: Predictions, labels: readonly string[]): Predictions {
  const kept = labels.map((label) => predictions.labels.indexOf(label));
  if (kept.includes(-1)) throw new RangeError(`labels: there is no ${labels[kept.indexOf(-1)]}.`);
  const rows = predictions.rows.filter((row) => labels.includes(row.truth)).map((row): PredictionRow => {
    const chosen = kept.map((i) => row.probabilities[i]!);
    const sum = chosen.reduce((a, b) => a + b, 0);
    const probabilities = Float32Array.from(chosen, (p) => sum > 0 ? p / sum : 1 / chosen.length);
    return { ...row, probabilities, prediction: mostProbable(probabilities, labels) };
  });
  return { labels, rows };
}

function metricsOf({ labels, rows }: Predictions, options: EvaluateOptions): Metrics {
  const truth = rows.map((row) => row.truth);
  const confusion = confusionMatrix(truth, rows.map((row) => row.prediction), { labels });
  const { n, accuracy, uar, macro, weighted, classes } = scores(confusion);
  const { interval, kind } = options.bySpeaker ? speakerIntervals([rows]) : clipIntervals([rows]);
  return {
    n,
    recordings: new Set(rows.map((row) => row.parent)).size,
    speakers: new Set(rows.map((row) => row.speaker)).size,
    accuracy,
    uar,
    macroF1: macro.f1,
    macro,
    weighted,
    logLoss: logLoss(truth, rows.map((row) => Float32Array.from(row.probabilities)), labels),
    interval: { kind, ...interval },
    classes,
    confusion,
  };
}
