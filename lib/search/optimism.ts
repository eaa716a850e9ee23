/**
 * What the best of many scores is worth. The maximum over configurations is chosen on the rows it is measured on, so it
 * promises too much; how much, follows from the predictions of all configurations.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { stream } from "../random.ts";
import { type Interval, normalQuantile, quantile } from "../training/statistics.ts";
import { finalists, type Sweep, type TrialRow, trialRows } from "./store.ts";
import type { Metric, TrialRecord } from "./types.ts";

/** Options of {@linkcode selectionOptimism}. */
export interface OptimismOptions {
  /** What is resampled together: whole speakers, or recordings where speakers are mixed. */
  readonly unit: "speaker" | "recording";
  /** Score. Default accuracy. */
  readonly metric?: Metric;
  /** Resamples. Default 2000. */
  readonly samples?: number;
  /** Seed. Default 0. */
  readonly seed?: number;
}

/** What the maximum promises too much. */
export interface Optimism {
  /** Configurations that could be chosen. */
  readonly configurations: number;
  /** The score of the chosen one, on the rows it was chosen on. */
  readonly maximum: number;
  /** Its number in the list given. */
  readonly chosen: number;
  /** What the choice is worth on rows that did not choose: bootstrap bias-corrected. */
  readonly corrected: number;
  /** `maximum − corrected`. */
  readonly optimism: number;
  /** 95 % interval of the corrected score over resamples. */
  readonly interval: Interval;
  /** Speakers or recordings that were resampled. */
  readonly units: number;
  /** What was resampled. */
  readonly unit: "speaker" | "recording";
}

/** Rows and hits of every configuration, by unit and class. */
interface Counts {
  readonly units: number;
  readonly classes: number;
  /** `[unit · classes]` rows. */
  readonly rows: Float64Array;
  /** One `[unit · classes]` a configuration: rows predicted rightly. */
  readonly hits: readonly Float64Array[];
}

type Row = Pick<TrialRow, "key" | "copy" | "parent" | "speaker" | "truth" | "prediction">;

function count(trials: readonly (readonly Row[])[], { unit, metric = "accuracy" }: OptimismOptions): Counts {
  const first = trials[0]!;
  const identity = (rows: readonly Row[]): string =>
    rows.map((row) => `${row.key} ${row.copy} ${row.truth}`).sort().join("\n");
  const expected = identity(first);
  if (trials.some((rows) => identity(rows) !== expected)) {
    throw new UsageError("Configurations compare only on the same validation rows; these have different ones.");
  }
  const unitOf = (row: Row): string => unit === "speaker" ? row.speaker : row.parent;
  const unitAt = new Map([...new Set(first.map(unitOf))].sort().map((name, i) => [name, i]));
  // Accuracy needs no classes apart.
  const classOf = (row: Row): string => metric === "uar" ? row.truth : "";
  const classAt = new Map([...new Set(first.map(classOf))].sort().map((name, i) => [name, i]));
  const size = unitAt.size * classAt.size;
  const at = (row: Row): number => unitAt.get(unitOf(row))! * classAt.size + classAt.get(classOf(row))!;
  const rows = new Float64Array(size);
  for (const row of first) rows[at(row)]!++;
  const hits = trials.map((all) => {
    const own = new Float64Array(size);
    for (const row of all) if (row.truth === row.prediction) own[at(row)]!++;
    return own;
  });
  return { units: unitAt.size, classes: classAt.size, rows, hits };
}

/** Score of one configuration on units with weights; NaN where they hold no row. */
function scoreOn({ units, classes, rows }: Counts, hits: Float64Array, weights: ArrayLike<number>): number {
  let sum = 0, present = 0;
  for (let c = 0; c < classes; c++) {
    let right = 0, n = 0;
    for (let u = 0; u < units; u++) {
      const weight = weights[u]!;
      if (weight === 0) continue;
      right += weight * hits[u * classes + c]!;
      n += weight * rows[u * classes + c]!;
    }
    if (n === 0) continue;
    sum += right / n;
    present++;
  }
  return present === 0 ? NaN : sum / present;
}

/**
 * Bootstrap bias-corrected cross-validation: units are drawn with replacement, for all configurations alike; the best
 * configuration on what was drawn is scored on the units that were not. The mean of those scores is what the choice is
 * worth.
 *
 * Source: I. Tsamardinos, E. Greasidou, G. Borboudakis, "Bootstrapping the out-of-sample predictions for efficient and
 * accurate cross-validation", Machine Learning 107, 2018 (BBC-CV).
 *
 * @param trials Validation predictions of every configuration, on the same rows.
 * @throws {UsageError} when there is no configuration, they were scored on different rows, or there is one unit only.
 */
export function selectionOptimism(trials: readonly (readonly Row[])[], options: OptimismOptions): Optimism {
  const { unit, samples = 2000, seed = 0 } = options;
  if (trials.length === 0) throw new UsageError("There is no configuration to choose from.");
  const counts = count(trials, options), { units, hits } = counts;
  if (units < 2) throw new UsageError(`The optimism of a choice cannot be estimated from one ${unit}.`);
  const best = (weights: ArrayLike<number>): number => {
    let chosen = 0, most = -Infinity;
    // Of equals the first, as the search chooses.
    hits.forEach((own, i) => {
      const score = scoreOn(counts, own, weights);
      if (score > most) [chosen, most] = [i, score];
    });
    return chosen;
  };
  const all = new Uint8Array(units).fill(1);
  const chosen = best(all), maximum = scoreOn(counts, hits[chosen]!, all);
  const rng = stream(seed, "optimism", unit, units);
  const outside: number[] = [];
  while (outside.length < samples) {
    const weights = new Float64Array(units);
    for (let i = 0; i < units; i++) weights[rng.randint(0, units)]!++;
    const rest = weights.map((weight) => weight === 0 ? 1 : 0);
    const score = scoreOn(counts, hits[best(weights)]!, rest);
    // Now and then few units are all drawn: nothing is left to score on.
    if (!Number.isNaN(score)) outside.push(score);
  }
  const corrected = outside.reduce((a, b) => a + b, 0) / samples;
  outside.sort((a, b) => a - b);
  return {
    configurations: trials.length,
    maximum,
    chosen,
    corrected,
    optimism: maximum - corrected,
    interval: [quantile(outside, 0.025), quantile(outside, 0.975)],
    units,
    unit,
  };
}

/** Optimism of a sweep's choices. */
export interface SweepOptimism {
  /** Fold by fold; null for one whose search has not ended or has one scored unit only. */
  readonly folds: readonly (Optimism | null)[];
  /** Mean over the folds of the chosen scores. */
  readonly maximum: number;
  /** Mean over the folds of the corrected scores. */
  readonly corrected: number;
  /** Their difference. */
  readonly optimism: number;
}

/**
 * The optimism of what a sweep chose, fold by fold and on average; null before a fold's search has ended.
 *
 * Of a halving search all configurations count with their predictions at the largest budget that they had: a
 * configuration that was pruned might have been chosen by other speakers.
 */
export function optimism(sweep: Sweep, options: Partial<OptimismOptions> = {}): SweepOptimism | null {
  const { definition } = sweep;
  const folds = definition.folds.map((_, fold): Optimism | null => {
    const own = finalists(sweep, fold);
    if (own.length === 0) return null;
    const isScored = (each: TrialRecord): boolean =>
      each.fold === fold && each.role === "candidate" && each.predictions !== null &&
      (each.status === "done" || each.status === "pruned");
    const rows = sweep.trials.filter(isScored).map((each) => trialRows(sweep, each)!);
    if (rows.length === 0 || rows.some((each) => each.length === 0)) return null;
    try {
      return selectionOptimism(rows, {
        unit: definition.bySpeaker ? "speaker" : "recording",
        metric: definition.metric,
        ...options,
      });
    } catch (error) {
      if (error instanceof UsageError) return null;
      throw error;
    }
  });
  const known = folds.filter((each) => each !== null);
  if (known.length === 0) return null;
  const mean = (of: (each: Optimism) => number): number =>
    known.reduce((sum, each) => sum + of(each), 0) / known.length;
  return {
    folds,
    maximum: mean((each) => each.maximum),
    corrected: mean((each) => each.corrected),
    optimism: mean((each) => each.optimism),
  };
}

/** What can be said of a published maximum of which only the scores are known. */
export interface PublishedOptimism {
  /** The published maximum. */
  readonly maximum: number;
  /** Configurations. */
  readonly configurations: number;
  /** Rows that each was scored on. */
  readonly n: number;
  /** Standard error of one such score. */
  readonly standardError: number;
  /** What the best of drawn scores has above its own share, on average. */
  readonly resampled: number;
  /** How much the configurations' mistakes were taken to go together. */
  readonly correlation: number;
  /** How far the maximum lies above the mean of those that it cannot be told apart from, itself among them. */
  readonly aboveNear: number;
  /** How many those are: within two standard errors of the maximum. */
  readonly near: number;
}

/** Options of {@linkcode publishedOptimism}. */
export interface PublishedOptions extends Pick<OptimismOptions, "samples" | "seed"> {
  /** Correlation of two configurations' hits on the same row, as {@linkcode hitCorrelation} finds it; default 0. */
  readonly correlation?: number;
}

/**
 * Optimism of a published maximum, from the number of right rows of every configuration, by two roads that rest on
 * different assumptions.
 *
 * `resampled` takes the published shares for the true ones: rows are drawn anew with them, the best configuration is
 * taken, and what it has above its own share is averaged (a parametric bootstrap). Configurations that miss the same rows
 * scatter together, which makes it smaller: `correlation` (by a Gaussian copula). `aboveNear` takes the best ones for
 * equally good.
 *
 * @param hits Rows predicted rightly, by configuration.
 * @param n Rows.
 */
export function publishedOptimism(
  hits: readonly number[],
  n: number,
  { samples = 1000, seed = 0, correlation = 0 }: PublishedOptions = {},
): PublishedOptimism {
  const shares = hits.map((each) => each / n);
  const maximum = Math.max(...shares);
  const standardError = Math.sqrt(maximum * (1 - maximum) / n);
  const rng = stream(seed, "published optimism", n);
  // Latent correlation that gives two halves this one (Sheppard 1899); shares near a half hardly differ from it.
  const latent = Math.sin(Math.PI / 2 * Math.max(0, correlation));
  const bars = shares.map((p) => p <= 0 ? -Infinity : p >= 1 ? Infinity : normalQuantile(p));
  let sum = 0;
  for (let sample = 0; sample < samples; sample++) {
    const drawn = new Uint32Array(hits.length);
    for (let row = 0; row < n; row++) {
      const common = latent > 0 ? Math.sqrt(latent) * rng.normal(0, 1) : 0;
      for (let i = 0; i < drawn.length; i++) {
        const hit = latent > 0
          ? common + Math.sqrt(1 - latent) * rng.normal(0, 1) < bars[i]!
          : rng.randomSample() < shares[i]!;
        if (hit) drawn[i]!++;
      }
    }
    let best = 0;
    for (let i = 1; i < drawn.length; i++) if (drawn[i]! > drawn[best]!) best = i;
    sum += drawn[best]! / n - shares[best]!;
  }
  const near = shares.filter((share) => share >= maximum - 2 * standardError);
  return {
    maximum,
    configurations: hits.length,
    n,
    standardError,
    resampled: sum / samples,
    correlation,
    aboveNear: maximum - near.reduce((a, b) => a + b, 0) / near.length,
    near: near.length,
  };
}

/**
 * How much the mistakes of configurations go together: the correlation of two configurations' hits, averaged over all
 * pairs; null where no two of them have both hits and misses.
 *
 * @param trials Predictions of every configuration, on the same rows in the same order.
 */
export function hitCorrelation(trials: readonly (readonly Pick<Row, "truth" | "prediction">[])[]): number | null {
  const vectors = trials.map((rows) => Float64Array.from(rows, ({ truth, prediction }) => truth === prediction ? 1 : 0))
    .filter((hits) => hits.includes(0) && hits.includes(1));
  let sum = 0, pairs = 0;
  vectors.forEach((a, i) => {
    for (const b of vectors.slice(i + 1)) {
      const n = a.length, pa = a.reduce((x, y) => x + y, 0) / n, pb = b.reduce((x, y) => x + y, 0) / n;
      const both = a.reduce((x, y, k) => x + y * b[k]!, 0) / n;
      sum += (both - pa * pb) / Math.sqrt(pa * (1 - pa) * pb * (1 - pb));
      pairs++;
    }
  });
  return pairs === 0 ? null : sum / pairs;
}
