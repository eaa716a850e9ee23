/**
 * What a number is worth: intervals of accuracy and UAR, tests of a difference between two models, spread over seeds.
 *
 * Which interval belongs to which protocol (the project's rules):
 * clips split at random: Wilson, rows made from one recording counting once; speakers kept apart: by speaker, with at
 * least 10 speakers a bootstrap over speakers, with 4 to 9 a t interval over speaker scores, with fewer the range only.
 *
 * Browser-safe.
 *
 * @module
 */

import { stream } from "../random.ts";

/** Lower and upper end, both in [0, 1] for scores. */
export type Interval = readonly [number, number];

/** How an interval was made. */
export type IntervalKind = "wilson" | "wilson-by-recording" | "speaker-bootstrap" | "speaker-t" | "speaker-range";

/** One tested row, as far as statistics need it. */
export interface ScoredRow {
  /** The recording that the row was made from. */
  readonly parent: string;
  /** Who speaks. */
  readonly speaker: string;
  /** True label. */
  readonly truth: string;
  /** Predicted label. */
  readonly prediction: string;
}

/** Accuracy and UAR of the same rows. */
export interface Pair<T> {
  /** Of the share of rows predicted rightly. */
  readonly accuracy: T;
  /** Of the recall averaged over classes with rows. */
  readonly uar: T;
}

/** Intervals of both scores, and what they rest on. */
export interface ScoreIntervals {
  /** 95 % intervals (with fewer than four speakers: the range over speakers). */
  readonly interval: Pair<Interval>;
  /** How they were made. */
  readonly kind: IntervalKind;
  /** Number of independent recordings. */
  readonly recordings: number;
  /** Number of speakers. */
  readonly speakers: number;
}

/** Resamples of a bootstrap. */
export const BOOTSTRAP_SAMPLES = 10_000;

/** Most speakers for which a sign-flip test enumerates all flips (2^16). */
export const EXACT_FLIPS = 16;

/** Fewest speakers whose paired differences can reach 5 %: 2 / 2^6 = 0.031, but 2 / 2^5 = 0.0625. */
export const FEWEST_SPEAKERS = 6;

// ---------------------------------------------------------------------------------------------- distributions

/**
 * Quantile of the standard normal distribution.
 *
 * Source: M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics
 * 37(3), 1988 (PPND16, about 1 part in 10^16).
 *
 * @param p Probability in (0, 1).
 */
export function normalQuantile(p: number): number {
  if (!(p > 0 && p < 1)) throw new RangeError(`a probability in (0, 1) is needed, not ${p}.`);
  const polynomial = (coefficients: readonly number[], x: number): number =>
    coefficients.reduceRight((sum, coefficient) => sum * x + coefficient, 0);
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) {
    const r = 0.180625 - q * q;
    return q * polynomial([
      3.387132872796366608,
      133.14166789178437745,
      1971.5909503065514427,
      13731.693765509461125,
      45921.953931549871457,
      67265.770927008700853,
      33430.575583588128105,
      2509.0809287301226727,
    ], r) / polynomial([
      1,
      42.313330701600911252,
      687.1870074920579083,
      5394.1960214247511077,
      21213.794301586595867,
      39307.89580009271061,
      28729.085735721942674,
      5226.495278852545925,
    ], r);
  }
  let r = Math.sqrt(-Math.log(q < 0 ? p : 1 - p));
  let value: number;
  if (r <= 5) {
    r -= 1.6;
    value = polynomial([
      1.42343711074968357734,
      4.6303378461565452959,
      5.7694972214606914055,
      3.64784832476320460504,
      1.27045825245236838258,
      0.24178072517745061177,
      0.0227238449892691845833,
      7.7454501427834140764e-4,
    ], r) / polynomial([
      1,
      2.05319162663775882187,
      1.6763848301838038494,
      0.68976733498510000455,
      0.14810397642748007459,
      0.0151986665636164571966,
      5.475938084995344946e-4,
      1.05075007164441684324e-9,
    ], r);
  } else {
    r -= 5;
    value = polynomial([
      6.6579046435011037772,
      5.4637849111641143699,
      1.7848265399172913358,
      0.29656057182850489123,
      0.026532189526576123093,
      0.0012426609473880784386,
      2.71155556874348757815e-5,
      2.01033439929228813265e-7,
    ], r) / polynomial([
      1,
      0.59983220655588793769,
      0.13692988092273580531,
      0.0148753612908506148525,
      7.868691311456132591e-4,
      1.8463183175100546818e-5,
      1.4215117583164458887e-7,
      2.04426310338993978564e-15,
    ], r);
  }
  return q < 0 ? -value : value;
}

/** Logarithm of the gamma function for x > 0 (C. Lanczos, 1964; g = 7, nine terms as computed by P. Godfrey). */
function logGamma(x: number): number {
  const coefficients = [
    0.99999999999980993,
    676.5203681218851,
    -1259.1392167224028,
    771.32342877765313,
    -176.61502916214059,
    12.507343278686905,
    -0.13857109526572012,
    9.9843695780195716e-6,
    1.5056327351493116e-7,
  ];
  const z = x - 1;
  let sum = coefficients[0]!;
  for (let i = 1; i < coefficients.length; i++) sum += coefficients[i]! / (z + i);
  const t = z + 7.5;
  return 0.5 * Math.log(2 * Math.PI) + (z + 0.5) * Math.log(t) - t + Math.log(sum);
}

/**
 * Regularised incomplete beta function by its continued fraction (NIST Digital Library of Mathematical Functions,
 * 8.17.22), evaluated by Lentz's method.
 */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  const tiny = 1e-300;
  let c = 1;
  let d = 1 - (a + b) * x / (a + 1);
  d = 1 / (Math.abs(d) < tiny ? tiny : d);
  let fraction = d;
  for (let m = 1; m < 1000; m++) {
    const terms = [
      m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
      -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
    ];
    let step = 1;
    for (const term of terms) {
      d = 1 + term * d;
      d = 1 / (Math.abs(d) < tiny ? tiny : d);
      c = 1 + term / c;
      if (Math.abs(c) < tiny) c = tiny;
      step = c * d;
      fraction *= step;
    }
    if (Math.abs(step - 1) < 1e-16) break;
  }
  return front * fraction;
}

/** Probability that Student's t with `df` degrees of freedom is at most `t`. */
export function tProbability(t: number, df: number): number {
  if (!(df > 0)) throw new RangeError(`degrees of freedom must be positive, not ${df}.`);
  const tail = incompleteBeta(df / (df + t * t), df / 2, 0.5) / 2;
  return t > 0 ? 1 - tail : tail;
}

/**
 * Quantile of Student's t distribution.
 *
 * @param p Probability in (0, 1).
 * @param df Degrees of freedom, positive.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.ok(Math.abs(tQuantile(0.975, 3) - 3.182446305284263) < 1e-9);
 * ```
 */
export function tQuantile(p: number, df: number): number {
  if (!(p > 0 && p < 1)) throw new RangeError(`a probability in (0, 1) is needed, not ${p}.`);
  if (p === 0.5) return 0;
  if (p < 0.5) return -tQuantile(1 - p, df);
  // The probability grows with t: bracket, then halve until the bracket is two neighbouring numbers.
  let low = 0;
  let high = 1;
  while (tProbability(high, df) < p) {
    low = high;
    high *= 2;
  }
  for (;;) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) return middle;
    if (tProbability(middle, df) < p) low = middle;
    else high = middle;
  }
}

// ---------------------------------------------------------------------------------------------- intervals

function clip(value: number): number {
  return Math.min(1, Math.max(0, value));
}

/**
 * Wilson's score interval of a proportion.
 *
 * Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
 *
 * @param successes How many, from 0 to n; need not be whole (a mean over rows of one recording counts in part).
 * @param n Number of independent trials, positive.
 * @param level Coverage. Default 0.95.
 * @throws {RangeError} for numbers outside these ranges.
 *
 * @example Study 000's 24 of 36
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(wilsonInterval(24, 36).map((p) => (100 * p).toFixed(1)), ["50.3", "79.8"]);
 * ```
 */
export function wilsonInterval(successes: number, n: number, level = 0.95): Interval {
  if (!(n > 0) || !(successes >= 0 && successes <= n * (1 + 1e-12))) {
    throw new RangeError(`successes must be from 0 to n and n positive, not ${successes} of ${n}.`);
  }
  const z = normalQuantile((1 + level) / 2);
  const p = Math.min(1, successes / n);
  const centre = p + z * z / (2 * n);
  const half = z * Math.sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  const scale = 1 + z * z / n;
  // The ends are exactly 0 and 1 at the borders; rounding must not say otherwise.
  return [p === 0 ? 0 : clip((centre - half) / scale), p === 1 ? 1 : clip((centre + half) / scale)];
}

/** Mean and t interval of a few scores, cut to [0, 1]. */
export function tInterval(values: readonly number[], level = 0.95): Interval {
  const { mean, sd, n } = meanSd(values);
  if (sd === null) throw new RangeError("a t interval needs at least two values.");
  const half = tQuantile((1 + level) / 2, n - 1) * sd / Math.sqrt(n);
  return [clip(mean - half), clip(mean + half)];
}

/** Mean and standard deviation of values, and how many they are. */
export interface MeanSd {
  /** Arithmetic mean. */
  readonly mean: number;
  /** Standard deviation of a sample (divided by n − 1); null for one value. */
  readonly sd: number | null;
  /** Number of values. */
  readonly n: number;
}

/**
 * Mean ± standard deviation over seeds; seeds say how far training scatters and are never pooled into a larger n.
 *
 * @throws {RangeError} without values.
 */
export function meanSd(values: readonly number[]): MeanSd {
  const n = values.length;
  if (n === 0) throw new RangeError("a mean needs at least one value.");
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n === 1) return { mean, sd: null, n };
  return { mean, sd: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1)), n };
}

/**
 * Quantile by linear interpolation between order statistics (NumPy's default, method 7).
 *
 * @param sorted Values in ascending order.
 * @param p Probability in [0, 1].
 */
export function quantile(sorted: ArrayLike<number>, p: number): number {
  if (sorted.length === 0) throw new RangeError("a quantile needs at least one value.");
  const at = p * (sorted.length - 1);
  const below = Math.floor(at);
  const low = sorted[below]!;
  const high = sorted[Math.min(below + 1, sorted.length - 1)]!;
  return low + (at - below) * (high - low);
}

/** Rows counted by speaker and class: all that accuracy and UAR need. */
interface SpeakerCounts {
  readonly speakers: string[];
  readonly classes: string[];
  /** `[speaker][2][class]` one after the other: a speaker's rows, then those predicted rightly. */
  readonly flat: Float64Array;
}

function countBySpeaker(rows: readonly ScoredRow[]): SpeakerCounts {
  const speakers = [...new Set(rows.map((row) => row.speaker))].sort();
  const classes = [...new Set(rows.map((row) => row.truth))].sort();
  const speakerAt = new Map(speakers.map((name, i) => [name, i]));
  const classAt = new Map(classes.map((name, i) => [name, i]));
  const k = classes.length;
  const flat = new Float64Array(speakers.length * 2 * k);
  for (const row of rows) {
    const at = speakerAt.get(row.speaker)! * 2 * k + classAt.get(row.truth)!;
    flat[at]!++;
    if (row.prediction === row.truth) flat[at + k]!++;
  }
  return { speakers, classes, flat };
}

/** Accuracy and UAR of the speakers given (with repetition) pooled. */
function pooled({ classes, flat }: SpeakerCounts, chosen: ArrayLike<number>): Pair<number> {
  const k = classes.length;
  // Whole numbers: their sums are exact in any order.
  const sums = new Float64Array(2 * k);
  for (let j = 0; j < chosen.length; j++) {
    const from = chosen[j]! * 2 * k;
    for (let i = 0; i < 2 * k; i++) sums[i]! += flat[from + i]!;
  }
  let n = 0;
  let hits = 0;
  let recalls = 0;
  let present = 0;
  for (let i = 0; i < k; i++) {
    const rows = sums[i]!;
    const right = sums[k + i]!;
    n += rows;
    hits += right;
    if (rows === 0) continue;
    recalls += right / rows;
    present++;
  }
  return { accuracy: hits / n, uar: recalls / present };
}

/** Accuracy and UAR (over the classes that the speaker has) of every speaker, by name in order. */
export function speakerScores(rows: readonly ScoredRow[]): ReadonlyMap<string, Pair<number>> {
  const counts = countBySpeaker(rows);
  return new Map(counts.speakers.map((speaker, i) => [speaker, pooled(counts, [i])]));
}

/** Mean over runs of what a run's rows give; a run without such rows does not count. */
function meanOver(runs: readonly (readonly ScoredRow[])[], of: (rows: readonly ScoredRow[]) => number | null): number {
  const values = runs.map(of).filter((value) => value !== null);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function shareRight(rows: readonly ScoredRow[]): number | null {
  if (rows.length === 0) return null;
  return rows.filter((row) => row.prediction === row.truth).length / rows.length;
}

/**
 * Intervals for clips that were split at random: Wilson's for the accuracy, with the number of recordings as n (rows
 * made from one recording count once); for the UAR the interval that follows from the Wilson intervals of the classes'
 * recalls.
 *
 * The UAR is a mean of K independent proportions rₖ with Wilson limits lₖ, uₖ; its limits are
 * mean − √Σ(rₖ − lₖ)² / K and mean + √Σ(uₖ − rₖ)² / K.
 *
 * Of several runs (seeds) the mean is taken, with the n of one run (the smallest): seeds are never pooled into a larger
 * n.
 *
 * Source: G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures: a general approach",
 * Statistics in Medicine 27, 2008 (MOVER).
 *
 * @param runs The rows of every run; for one run, `[rows]`.
 * @throws {RangeError} when there is no run or a run has no rows.
 */
export function clipIntervals(runs: readonly (readonly ScoredRow[])[]): ScoreIntervals {
  checkRuns(runs);
  const recordingsOf = (rows: readonly ScoredRow[]): number => new Set(rows.map((row) => row.parent)).size;
  const smallest = (counts: readonly number[]): number => Math.min(...counts.filter((count) => count > 0));
  const recordings = smallest(runs.map(recordingsOf));
  const accuracy = wilsonInterval(meanOver(runs, shareRight) * recordings, recordings);
  let sum = 0;
  let below = 0;
  let above = 0;
  const classes = [...new Set(runs.flat().map((row) => row.truth))].sort();
  for (const label of classes) {
    const own = runs.map((rows) => rows.filter((row) => row.truth === label));
    const n = smallest(own.map(recordingsOf));
    const recall = meanOver(own, shareRight);
    const [low, high] = wilsonInterval(recall * n, n);
    sum += recall;
    below += (recall - low) ** 2;
    above += (high - recall) ** 2;
  }
  const k = classes.length;
  return {
    interval: { accuracy, uar: [clip((sum - Math.sqrt(below)) / k), clip((sum + Math.sqrt(above)) / k)] },
    kind: runs.some((rows) => recordingsOf(rows) < rows.length) ? "wilson-by-recording" : "wilson",
    recordings,
    speakers: smallest(runs.map((rows) => new Set(rows.map((row) => row.speaker)).size)),
  };
}

function checkRuns(runs: readonly (readonly ScoredRow[])[]): void {
  if (runs.length === 0 || runs.some((rows) => rows.length === 0)) {
    throw new RangeError("an interval needs at least one row in every run.");
  }
}

const drawn = new Map<number, Uint32Array>();

/**
 * Which speakers every resample of the bootstrap takes, `[BOOTSTRAP_SAMPLES][speakers]`: a fixed stream that depends on
 * the number of speakers alone, so the last few are kept (reading all records asks for the same again and again).
 */
function resamples(speakers: number): Uint32Array {
  const known = drawn.get(speakers);
  if (known !== undefined) return known;
  const rng = stream(0, "bootstrap over speakers", speakers);
  const chosen = new Uint32Array(BOOTSTRAP_SAMPLES * speakers);
  for (let i = 0; i < BOOTSTRAP_SAMPLES; i++) chosen.set(rng.choice(speakers, speakers), i * speakers);
  if (drawn.size === 4) drawn.clear();
  drawn.set(speakers, chosen);
  return chosen;
}

/**
 * Intervals for speakers that were kept apart: with at least 10 speakers a percentile bootstrap over speakers
 * ({@linkcode BOOTSTRAP_SAMPLES} resamples of whole speakers, pooled as the score is), with 4 to 9 a t interval over
 * the speakers' scores, with fewer only their range.
 *
 * The bootstrap draws from a fixed stream, so that an interval follows from the rows alone. Of several runs (seeds) a
 * speaker's rows are taken together: the speakers stay the units, and seeds make no larger n.
 *
 * @param runs The rows of every run; for one run, `[rows]`.
 * @throws {RangeError} when there is no run or a run has no rows.
 */
export function speakerIntervals(runs: readonly (readonly ScoredRow[])[]): ScoreIntervals {
  checkRuns(runs);
  const rows = runs.flat();
  const counts = countBySpeaker(rows);
  const k = counts.speakers.length;
  const base = { recordings: new Set(rows.map((row) => row.parent)).size, speakers: k };
  if (k < 10) {
    const each = counts.speakers.map((_, i) => pooled(counts, [i]));
    const interval = (of: keyof Pair<number>): Interval => {
      const values = each.map((score) => score[of]);
      return k < 4 ? [Math.min(...values), Math.max(...values)] : tInterval(values);
    };
    return {
      ...base,
      kind: k < 4 ? "speaker-range" : "speaker-t",
      interval: { accuracy: interval("accuracy"), uar: interval("uar") },
    };
  }
  const chosen = resamples(k);
  const accuracy = new Float64Array(BOOTSTRAP_SAMPLES);
  const uar = new Float64Array(BOOTSTRAP_SAMPLES);
  for (let i = 0; i < BOOTSTRAP_SAMPLES; i++) {
    const sample = pooled(counts, chosen.subarray(i * k, (i + 1) * k));
    accuracy[i] = sample.accuracy;
    uar[i] = sample.uar;
  }
  const interval = (values: Float64Array): Interval => {
    values.sort();
    return [quantile(values, 0.025), quantile(values, 0.975)];
  };
  return { ...base, kind: "speaker-bootstrap", interval: { accuracy: interval(accuracy), uar: interval(uar) } };
}

// ---------------------------------------------------------------------------------------------- two models

/** Result of {@linkcode signFlipTest}. */
export type SignFlip =
  | {
    /** Whether the test could be made. */
    readonly tested: true;
    /** Mean difference over speakers. */
    readonly mean: number;
    /** Two-sided probability of so large a mean difference if neither model were better. */
    readonly p: number;
    /** Whether all sign patterns were tried; otherwise as many random ones as `flips` says. */
    readonly exact: boolean;
    /** Number of sign patterns tried. */
    readonly flips: number;
    /** Number of speakers. */
    readonly speakers: number;
  }
  | {
    /** Whether the test could be made. */
    readonly tested: false;
    /** Mean difference over speakers; null without any. */
    readonly mean: number | null;
    /** Why not, in one sentence. */
    readonly reason: string;
    /** Number of speakers. */
    readonly speakers: number;
  };

/** Options of {@linkcode signFlipTest}. */
export interface SignFlipOptions {
  /** Random sign patterns where there are too many to try all. Default 100,000. */
  readonly flips?: number;
  /** Seed of the random patterns. Default 0. */
  readonly seed?: number;
}

/**
 * Sign-flip (paired randomisation) test: if two models were alike, each speaker's difference could as well have the
 * other sign. Up to 16 speakers all 2ᵏ patterns are tried; beyond, random ones, the observed one counted among them.
 *
 * Source: R. A. Fisher, The Design of Experiments, 1935, § 21; random patterns: B. Phipson and G. K. Smyth,
 * "Permutation p-values should never be zero", 2010.
 *
 * @param differences One difference of scores a speaker (with several seeds: of the means over seeds).
 * @returns `tested: false` under {@linkcode FEWEST_SPEAKERS} speakers, where no difference could reach 5 %.
 */
export function signFlipTest(differences: readonly number[], options: SignFlipOptions = {}): SignFlip {
  const { flips = 100_000, seed = 0 } = options;
  const k = differences.length;
  if (differences.some((difference) => !Number.isFinite(difference))) {
    throw new RangeError("differences must be finite numbers.");
  }
  const sum = differences.reduce((total, difference) => total + difference, 0);
  if (k < FEWEST_SPEAKERS) {
    return {
      tested: false,
      mean: k === 0 ? null : sum / k,
      reason: `cannot be tested: with ${k} speaker${k === 1 ? "" : "s"} even the clearest difference has p = ` +
        `${Math.min(1, 2 / 2 ** k)}, and at least ${FEWEST_SPEAKERS} are needed`,
      speakers: k,
    };
  }
  // Patterns that differ from the observed sum by rounding only count as equal to it.
  const scale = differences.reduce((total, difference) => total + Math.abs(difference), 0);
  const bound = Math.abs(sum) - 1e-12 * scale;
  let extreme = 0;
  if (k <= EXACT_FLIPS) {
    const patterns = 2 ** k;
    for (let pattern = 0; pattern < patterns; pattern++) {
      let flipped = 0;
      for (let i = 0; i < k; i++) flipped += pattern & (1 << i) ? -differences[i]! : differences[i]!;
      if (Math.abs(flipped) >= bound) extreme++;
    }
    return { tested: true, mean: sum / k, p: extreme / patterns, exact: true, flips: patterns, speakers: k };
  }
  const rng = stream(seed, "sign flips", k);
  for (let draw = 0; draw < flips; draw++) {
    let flipped = 0;
    let bits = 0;
    for (let i = 0; i < k; i++) {
      if (i % 32 === 0) bits = rng.uint32();
      flipped += bits & 1 ? -differences[i]! : differences[i]!;
      bits >>>= 1;
    }
    if (Math.abs(flipped) >= bound) extreme++;
  }
  return { tested: true, mean: sum / k, p: (extreme + 1) / (flips + 1), exact: false, flips, speakers: k };
}

/**
 * Differences of two models' scores by speaker (first minus second), averaged over the runs of each model: what
 * {@linkcode signFlipTest} takes.
 *
 * @param first Rows of every run (seed) of the first model.
 * @param second Rows of every run of the second model, on the same recordings.
 * @param metric Which score. Default `accuracy`.
 * @throws {RangeError} when the runs were not tested on the same recordings and labels.
 */
export function pairedDifferences(
  first: readonly (readonly ScoredRow[])[],
  second: readonly (readonly ScoredRow[])[],
  metric: keyof Pair<number> = "accuracy",
): ReadonlyMap<string, number> {
  const identity = (rows: readonly ScoredRow[]): string =>
    rows.map((row) => JSON.stringify([row.parent, row.speaker, row.truth])).sort().join("\n");
  const runs = [...first, ...second];
  if (first.length === 0 || second.length === 0) throw new RangeError("each model needs at least one run.");
  const expected = identity(runs[0]!);
  if (runs.some((rows) => identity(rows) !== expected)) {
    throw new RangeError("two models compare only on the same test rows, and these runs have different ones.");
  }
  const mean = (each: readonly (readonly ScoredRow[])[]): Map<string, number> => {
    const sums = new Map<string, number>();
    for (const rows of each) {
      for (const [speaker, score] of speakerScores(rows)) {
        sums.set(speaker, (sums.get(speaker) ?? 0) + score[metric] / each.length);
      }
    }
    return sums;
  };
  const subtrahend = mean(second);
  return new Map([...mean(first)].map(([speaker, score]) => [speaker, score - subtrahend.get(speaker)!]));
}

/**
 * Differences of two models by recording (first minus second) on one test: of each the share of its rows that the one
 * has right less the other's.
 *
 * @throws {RangeError} when the two were not tested on the same rows.
 */
export function pairedByRecording(first: readonly ScoredRow[], second: readonly ScoredRow[]): number[] {
  const tally = (rows: readonly ScoredRow[]): Map<string, { rows: number; right: number }> => {
    const counts = new Map<string, { rows: number; right: number }>();
    for (const { parent, truth, prediction } of rows) {
      const name = `${parent} ${truth}`;
      const own = counts.get(name) ?? { rows: 0, right: 0 };
      counts.set(name, { rows: own.rows + 1, right: own.right + (prediction === truth ? 1 : 0) });
    }
    return counts;
  };
  const ours = tally(first), theirs = tally(second);
  if (ours.size !== theirs.size || [...ours].some(([name, { rows }]) => theirs.get(name)?.rows !== rows)) {
    throw new RangeError("two models compare only on the same test rows, and these runs have different ones.");
  }
  return [...ours].map(([name, { rows, right }]) => (right - theirs.get(name)!.right) / rows);
}

/**
 * Interval of the difference of two scores that were measured apart (first minus second), from their own intervals.
 *
 * Source: G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures: a general approach",
 * Statistics in Medicine 27, 2008 (MOVER); of two Wilson intervals it is Newcombe's.
 *
 * @example Newcombe 1998: 56 of 70 against 48 of 80
 * ```ts
 * import assert from "node:assert/strict";
 * const of = (right: number, n: number) => ({ value: right / n, interval: wilsonInterval(right, n) });
 * assert.deepEqual(differenceInterval(of(56, 70), of(48, 80)).map((d) => d.toFixed(4)), ["0.0524", "0.3339"]);
 * ```
 */
export function differenceInterval(
  first: { readonly value: number; readonly interval: Interval },
  second: { readonly value: number; readonly interval: Interval },
): Interval {
  const [low, high] = first.interval, [below, above] = second.interval;
  const difference = first.value - second.value;
  return [
    // A mean over unevenly tested speakers may lie outside the interval of the pooled score.
    difference - Math.hypot(Math.max(0, first.value - low), Math.max(0, above - second.value)),
    difference + Math.hypot(Math.max(0, high - first.value), Math.max(0, second.value - below)),
  ];
}

/** Options of {@linkcode minimumDetectableDifference}. */
export interface DetectableOptions {
  /** Number of test clips. */
  readonly clips: number;
  /** Number of test speakers. */
  readonly speakers: number;
  /** Share of the clips on which exactly one of the two models is right; 0 where `speakerSd` holds all. Default 0.3. */
  readonly disagreement?: number;
  /** Standard deviation over speakers of the true (or, with no disagreement, observed) difference. Default 0. */
  readonly speakerSd?: number;
  /** Probability of finding the difference. Default 0.8. */
  readonly power?: number;
  /** Two-sided level of the test. Default 0.05. */
  readonly alpha?: number;
}

/**
 * The smallest true difference of accuracy between two models that a paired test over speakers finds with the given
 * power; null under {@linkcode FEWEST_SPEAKERS} speakers, where none can be found.
 *
 * With k speakers of m = n / k clips, a speaker's difference varies by σ² = τ² + d / m (τ: `speakerSd`; d:
 * `disagreement`, the variance of one clip's difference, which is −1, 0 or 1), so the mean of k has the standard error
 * √(σ² / k), and the difference is (t₁₋α⸝₂ + t_power) of them, with k − 1 degrees of freedom. It is the usual formula of
 * the paired t test, which the sign-flip test follows closely (power 0.76 to 0.78 where 0.8 is asked for, 8 to 16
 * speakers of 60 clips, simulated). With 6 speakers only patterns of one sign reach 5 %, and with 7 nearly so: there the
 * formula's difference is found in 0.55 and 0.71 of the cases, and 1.3 and 1.1 times that difference is taken.
 *
 * Source: J. Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988, ch. 2.
 */
export function minimumDetectableDifference(options: DetectableOptions): number | null {
  const { clips, speakers: k, disagreement = 0.3, speakerSd = 0, power = 0.8, alpha = 0.05 } = options;
  if (!(clips >= k) || !(k >= 1)) throw new RangeError(`${clips} clips of ${k} speakers: each needs at least one.`);
  if (!(disagreement >= 0 && disagreement <= 1)) {
    throw new RangeError(`disagreement must be in [0, 1], not ${disagreement}.`);
  }
  if (k < FEWEST_SPEAKERS) return null;
  const variance = speakerSd ** 2 + disagreement / (clips / k);
  const granularity = k === 6 ? 1.3 : k === 7 ? 1.1 : 1;
  return granularity * (tQuantile(1 - alpha / 2, k - 1) + tQuantile(power, k - 1)) * Math.sqrt(variance / k);
}
