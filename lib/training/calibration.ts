/**
 * What a probability is worth: temperature scaling, calibration error, and accuracy by the share of answers given.
 *
 * Rows are class probabilities one after the other, `[n, classes]`; truths are class indices. Browser-safe.
 *
 * @module
 */

import type { NdArray } from "../types.ts";

/** Smallest probability that still has a logarithm: single precision's smallest normal number. */
const LEAST = 2 ** -126;

/** Accuracy on the rows that are answered when the most certain share of them is. */
export interface CoveragePoint {
  /** Share of the rows that is answered, in (0, 1]. */
  readonly coverage: number;
  /** Least confidence among them: the threshold that gives this coverage. */
  readonly threshold: number;
  /** Share of the answered rows that is right. */
  readonly accuracy: number;
  /** Number of answered rows. */
  readonly n: number;
}

/**
 * Probabilities at another temperature: softmax(log p / T), row by row.
 *
 * Source: C. Guo et al., "On calibration of modern neural networks", ICML 2017.
 *
 * @param probabilities Rows `[n, classes]`.
 * @param temperature Above 0; 1 changes nothing, more makes rows more even. The most probable class stays the same.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const rows = { data: Float32Array.of(0.8, 0.2), shape: [1, 2] as const };
 * const [p] = applyTemperature(rows, 2).data;
 * assert.ok(Math.abs(p! - 2 / 3) < 1e-6); // the odds 4 to 1 become 2 to 1
 * ```
 */
export function applyTemperature(
  probabilities: NdArray<readonly [number, number]>,
  temperature: number,
): NdArray<readonly [number, number]> {
  if (!(temperature > 0 && temperature < Infinity)) {
    throw new RangeError(`a temperature must be above 0, not ${temperature}.`);
  }
  const { data, shape } = probabilities;
  if (temperature === 1) return probabilities;
  const [n, classes] = shape;
  const out = new Float32Array(data.length), powers = new Float64Array(classes);
  for (let row = 0; row < n; row++) {
    const at = row * classes;
    let top = -Infinity, sum = 0;
    for (let k = 0; k < classes; k++) {
      powers[k] = Math.log(Math.max(LEAST, data[at + k]!)) / temperature;
      if (powers[k]! > top) top = powers[k]!;
    }
    for (let k = 0; k < classes; k++) sum += powers[k] = Math.exp(powers[k]! - top);
    for (let k = 0; k < classes; k++) out[at + k] = powers[k]! / sum;
  }
  return { data: out, shape };
}

function checkRows({ data, shape: [n, classes] }: NdArray<readonly [number, number]>, truth: ArrayLike<number>): void {
  if (n === 0) throw new RangeError("there are no rows.");
  if (truth.length !== n || data.length !== n * classes) {
    throw new RangeError(
      `${n} rows of ${classes} need as many truths and values, not ${truth.length}, ${data.length}.`,
    );
  }
}

/**
 * Mean negative logarithm of the true class's probability (NLL).
 *
 * @param probabilities Rows `[n, classes]`.
 * @param truth Class index of each row.
 */
export function negativeLogLikelihood(
  probabilities: NdArray<readonly [number, number]>,
  truth: ArrayLike<number>,
): number {
  checkRows(probabilities, truth);
  const { data, shape: [n, classes] } = probabilities;
  let sum = 0;
  for (let row = 0; row < n; row++) sum -= Math.log(Math.max(LEAST, data[row * classes + truth[row]!]!));
  return sum / n;
}

/**
 * The temperature with the least NLL, found by golden-section search over its logarithm in [0.05, 20]. The NLL is convex
 * in 1 / T, so there is one minimum.
 *
 * @param probabilities Rows `[n, classes]` that the model was not trained on.
 * @param truth Class index of each row.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * // Says 99 % and is right three times out of four.
 * const rows = { data: Float32Array.of(0.99, 0.01, 0.99, 0.01, 0.99, 0.01, 0.99, 0.01), shape: [4, 2] as const };
 * const temperature = fitTemperature(rows, [0, 0, 0, 1]);
 * assert.ok(Math.abs(temperature - Math.log(99) / Math.log(3)) < 1e-4);
 * ```
 */
export function fitTemperature(probabilities: NdArray<readonly [number, number]>, truth: ArrayLike<number>): number {
  checkRows(probabilities, truth);
  const { data, shape: [n, classes] } = probabilities;
  const logs = Float64Array.from(data, (p) => Math.log(Math.max(LEAST, p)));
  const loss = (logTemperature: number): number => {
    const factor = Math.exp(-logTemperature);
    let total = 0;
    for (let row = 0; row < n; row++) {
      const at = row * classes;
      let top = -Infinity, sum = 0;
      for (let k = 0; k < classes; k++) top = Math.max(top, logs[at + k]! * factor);
      for (let k = 0; k < classes; k++) sum += Math.exp(logs[at + k]! * factor - top);
      total += Math.log(sum) + top - logs[at + truth[row]!]! * factor;
    }
    return total;
  };
  const golden = (Math.sqrt(5) - 1) / 2;
  let low = Math.log(0.05), high = Math.log(20);
  let a = high - golden * (high - low), b = low + golden * (high - low);
  let lossA = loss(a), lossB = loss(b);
  while (high - low > 1e-7) {
    if (lossA <= lossB) {
      [high, b, lossB] = [b, a, lossA];
      a = high - golden * (high - low);
      lossA = loss(a);
    } else {
      [low, a, lossA] = [a, b, lossB];
      b = low + golden * (high - low);
      lossB = loss(b);
    }
  }
  return Math.exp((low + high) / 2);
}

/** Confidence (largest probability) of every row and whether its class is the true one. */
export function confidences(
  probabilities: NdArray<readonly [number, number]>,
  truth: ArrayLike<number>,
): { readonly confidence: Float64Array; readonly right: Uint8Array } {
  checkRows(probabilities, truth);
  const { data, shape: [n, classes] } = probabilities;
  const confidence = new Float64Array(n), right = new Uint8Array(n);
  for (let row = 0; row < n; row++) {
    let best = 0;
    for (let k = 1; k < classes; k++) if (data[row * classes + k]! > data[row * classes + best]!) best = k;
    confidence[row] = data[row * classes + best]!;
    right[row] = best === truth[row] ? 1 : 0;
  }
  return { confidence, right };
}

/**
 * Expected calibration error (ECE): the mean, over bins of confidence, of |accuracy − mean confidence|, weighted by rows.
 *
 * Source: M. P. Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015; 15 bins of
 * equal width, closed above, as Guo et al. 2017.
 *
 * @param probabilities Rows `[n, classes]`.
 * @param truth Class index of each row.
 * @param options.bins Number of bins. Default 15.
 * @returns a value in [0, 1].
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const rows = { data: Float32Array.of(1, 0, 1, 0), shape: [2, 2] as const };
 * assert.equal(expectedCalibrationError(rows, [0, 1]), 0.5); // certain twice, right once
 * ```
 */
export function expectedCalibrationError(
  probabilities: NdArray<readonly [number, number]>,
  truth: ArrayLike<number>,
  options: { readonly bins?: number } = {},
): number {
  const { bins = 15 } = options;
  const { confidence, right } = confidences(probabilities, truth);
  const sums = new Float64Array(bins), hits = new Float64Array(bins);
  confidence.forEach((value, row) => {
    const bin = Math.min(bins - 1, Math.max(0, Math.ceil(value * bins) - 1));
    sums[bin]! += value;
    hits[bin]! += right[row]!;
  });
  let error = 0;
  for (let bin = 0; bin < bins; bin++) error += Math.abs(hits[bin]! - sums[bin]!);
  return error / confidence.length;
}

/**
 * Accuracy by coverage: rows sorted by confidence, the most certain first; one point a row or tie, fewer when thinned.
 *
 * @param confidence Confidence of each row.
 * @param right 1 where a row was predicted rightly.
 * @param options.points About how many points are kept; default all.
 * @returns points of rising coverage; the last one answers every row.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const curve = coverageCurve([0.9, 0.6, 0.5, 0.8], [1, 0, 0, 1]);
 * assert.deepEqual(curve[1], { coverage: 0.5, threshold: 0.8, accuracy: 1, n: 2 });
 * assert.deepEqual(curve.at(-1), { coverage: 1, threshold: 0.5, accuracy: 0.5, n: 4 });
 * ```
 */
export function coverageCurve(
  confidence: ArrayLike<number>,
  right: ArrayLike<number>,
  options: { readonly points?: number } = {},
): CoveragePoint[] {
  const total = confidence.length;
  if (total === 0 || right.length !== total) throw new RangeError("a coverage curve needs rows, each right or wrong.");
  const order = Array.from({ length: total }, (_, i) => i).sort((a, b) => confidence[b]! - confidence[a]! || a - b);
  const all: CoveragePoint[] = [];
  let hits = 0;
  order.forEach((row, i) => {
    hits += right[row]!;
    const next = order[i + 1];
    // Rows of one confidence are answered together or not at all.
    if (next !== undefined && confidence[next] === confidence[row]) return;
    all.push({ coverage: (i + 1) / total, threshold: confidence[row]!, accuracy: hits / (i + 1), n: i + 1 });
  });
  const { points = all.length } = options;
  if (all.length <= points) return all;
  return Array.from({ length: points }, (_, i) => {
    const wanted = (i + 1) / points;
    return all.find(({ coverage }) => coverage >= wanted - 1e-12)!;
  }).filter((point, i, kept) => i === 0 || point !== kept[i - 1]);
}

/** A threshold and what it does on the rows that it was chosen on. */
export interface ChosenThreshold extends CoveragePoint {
  /** Whether the target was reached with at least the least coverage. */
  readonly reached: boolean;
}

/**
 * The lowest confidence threshold at which the answered rows reach an accuracy: as many answers as the target allows.
 *
 * @param confidence Confidence of each validation row.
 * @param right 1 where a row was predicted rightly.
 * @param options.target Accuracy wanted on the answered rows.
 * @param options.leastCoverage Share of the rows that is answered at least, default 0.2; where the target is not reached
 * with that many, the most accurate point that answers them is taken.
 */
export function chooseThreshold(
  confidence: ArrayLike<number>,
  right: ArrayLike<number>,
  options: { readonly target: number; readonly leastCoverage?: number },
): ChosenThreshold {
  const { target, leastCoverage = 0.2 } = options;
  const allowed = coverageCurve(confidence, right).filter(({ coverage }) => coverage >= leastCoverage);
  const reaching = allowed.filter(({ accuracy }) => accuracy >= target).at(-1);
  if (reaching) {
    // With every row answered there is nothing to hold back.
    return { ...reaching, threshold: reaching.coverage === 1 ? 0 : reaching.threshold, reached: true };
  }
  const best = allowed.reduce((a, b) => b.accuracy > a.accuracy ? b : a);
  return { ...best, reached: false };
}
