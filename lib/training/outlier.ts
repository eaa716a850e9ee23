/**
 * How far an input lies from the rows that a model was trained on: a Mahalanobis distance with a shrunk covariance.
 * Browser-safe.
 *
 * @module
 */

import { FormatError } from "../errors.ts";
import type { NdArray } from "../types.ts";

/** One way of looking at features, and the distance in it. */
export interface OutlierView {
  /** Above 0 where a value's logarithm is taken, and then the least value that has one; else 0 `[size]`. */
  readonly floor: Float32Array;
  /** Mean of the training rows' values, or of their logarithms `[size]`. */
  readonly center: Float32Array;
  /** Standard deviation of the same `[size]`. */
  readonly spread: Float32Array;
  /** Mean of the training rows after standardisation and asinh `[size]`. */
  readonly mean: Float32Array;
  /** Lower triangle of a whitening matrix, row by row: `size · (size + 1) / 2` values. */
  readonly whitening: Float32Array;
}

/** How an input's distance from the training rows is computed. */
export interface OutlierModel {
  /** Successive features that are averaged to one value, so that at most 256 are left. */
  readonly pool: number;
  /** Number of values left. */
  readonly size: number;
  /** Values as they are and, where features can only be above 0, their logarithms. */
  readonly views: readonly OutlierView[];
  /** The distance in each view that counts as 1; see {@linkcode fitOutlierLimits}. */
  readonly limits: readonly number[];
}

/** Most values that a distance is taken of. */
const MOST_VALUES = 256;

/** How far below the training's least value a logarithm still goes on. */
const LOG_MARGIN = 1e-6;

/** Successive features averaged. */
function pooled(row: Float32Array, pool: number, size: number): Float64Array {
  if (pool === 1) return Float64Array.from(row);
  const out = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const end = Math.min(row.length, (i + 1) * pool);
    for (let k = i * pool; k < end; k++) out[i]! += row[k]! / (end - i * pool);
  }
  return out;
}

/**
 * What the distance is taken of: values (or logarithms) standardised, then asinh, which is linear near zero and
 * logarithmic beyond, so that a few extreme training rows do not make the covariance.
 */
function standardised(
  values: Float64Array,
  { floor, center, spread }: Pick<OutlierView, "floor" | "center" | "spread">,
): Float64Array {
  return values.map((value, i) => {
    const own = floor[i]! > 0 ? Math.log(Math.max(value, floor[i]!)) : value;
    return Math.asinh((own - center[i]!) / spread[i]!);
  });
}

/**
 * Fits the distance on training rows, not scaled.
 *
 * Features are looked at as they are, which shows what is too loud, and, where they are above 0 in every training row,
 * by their logarithm: powers lie decades apart, and what lacks a band altogether is told from what is merely quiet there
 * only so. The covariance is shrunk towards a multiple of the identity by as much as its own noise asks for, so that it
 * can be inverted with fewer rows than columns.
 *
 * Source: O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
 * Multivariate Analysis 88(2), 2004.
 *
 * @param x Features of rows `[n, …]`.
 * @param rows The rows to fit on; default all.
 * @returns a model whose limits are 1: the score is the distance itself.
 * @throws {RangeError} with fewer than two rows.
 */
export function fitOutlier(x: NdArray, rows?: ArrayLike<number>): OutlierModel {
  const inputs = x.shape.slice(1).reduce((a, b) => a * b, 1);
  const pool = Math.ceil(inputs / MOST_VALUES), size = Math.ceil(inputs / pool);
  const n = rows?.length ?? x.shape[0]!;
  if (n < 2) throw new RangeError(`a distance from rows needs at least two of them, not ${n}.`);
  const values = Array.from({ length: n }, (_, i) => {
    const row = rows ? rows[i]! : i;
    return pooled(x.data.subarray(row * inputs, (row + 1) * inputs), pool, size);
  });
  const plain = new Float32Array(size), floor = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    let least = Infinity;
    for (const row of values) least = Math.min(least, row[i]!);
    if (least > 0) floor[i] = least * LOG_MARGIN;
  }
  const views = [plain, ...(floor.some((value) => value > 0) ? [floor] : [])].map((each) => fitView(values, each));
  return { pool, size, views, limits: views.map(() => 1) };
}

function fitView(values: readonly Float64Array[], floor: Float32Array): OutlierView {
  const n = values.length, size = floor.length;
  const center = new Float32Array(size), spread = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    const own = values.map((row) => floor[i]! > 0 ? Math.log(row[i]!) : row[i]!);
    const mean = own.reduce((a, b) => a + b, 0) / n;
    const deviation = Math.sqrt(own.reduce((a, b) => a + (b - mean) ** 2, 0) / n);
    center[i] = mean;
    // A constant feature must not be divided by rounding alone.
    spread[i] = deviation > 1e-6 * Math.abs(mean) + 1e-20 ? deviation : 1;
  }
  const all = values.map((row) => standardised(row, { floor, center, spread }));
  const mean = new Float64Array(size);
  for (const row of all) for (let i = 0; i < size; i++) mean[i]! += row[i]! / n;
  for (const row of all) for (let i = 0; i < size; i++) row[i]! -= mean[i]!;
  const covariance = new Float64Array(size * size);
  for (const row of all) {
    for (let i = 0; i < size; i++) {
      const value = row[i]! / n;
      for (let j = 0; j <= i; j++) covariance[i * size + j]! += value * row[j]!;
    }
  }
  let trace = 0, square = 0;
  for (let i = 0; i < size; i++) {
    trace += covariance[i * size + i]!;
    for (let j = 0; j < i; j++) square += 2 * covariance[i * size + j]! ** 2;
    square += covariance[i * size + i]! ** 2;
  }
  const level = trace / size;
  // How far the covariance is from the target, and how much of that is noise (per row, summed over rows).
  const distance = square - size * level ** 2;
  let noise = 0;
  for (const row of all) {
    let norm = 0, form = 0;
    for (let i = 0; i < size; i++) {
      norm += row[i]! ** 2;
      let inner = 0;
      for (let j = 0; j < i; j++) inner += covariance[i * size + j]! * row[j]!;
      form += row[i]! * (2 * inner + covariance[i * size + i]! * row[i]!);
    }
    noise += norm ** 2 - 2 * form + square;
  }
  const shrinkage = distance > 0 ? Math.min(1, noise / n ** 2 / distance) : 1;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) covariance[i * size + j]! *= 1 - shrinkage;
    covariance[i * size + i] = (1 - shrinkage) * covariance[i * size + i]! + shrinkage * level + 1e-9;
  }
  return { floor, center, spread, mean: Float32Array.from(mean), whitening: whiten(covariance, size) };
}

/** Inverse of the Cholesky factor of a covariance, lower triangle row by row. */
function whiten(covariance: Float64Array, size: number): Float32Array {
  const factor = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = covariance[i * size + j]!;
      for (let k = 0; k < j; k++) sum -= factor[i * size + k]! * factor[j * size + k]!;
      factor[i * size + j] = i === j ? Math.sqrt(Math.max(sum, 1e-12)) : sum / factor[j * size + j]!;
    }
  }
  const inverse = new Float64Array(size * size);
  for (let j = 0; j < size; j++) {
    inverse[j * size + j] = 1 / factor[j * size + j]!;
    for (let i = j + 1; i < size; i++) {
      let sum = 0;
      for (let k = j; k < i; k++) sum -= factor[i * size + k]! * inverse[k * size + j]!;
      inverse[i * size + j] = sum / factor[i * size + i]!;
    }
  }
  const packed = new Float32Array(size * (size + 1) / 2);
  for (let i = 0, at = 0; i < size; i++) for (let j = 0; j <= i; j++) packed[at++] = inverse[i * size + j]!;
  return packed;
}

/** Distance in one view: the root mean square of the whitened values, so about 1 for a row like the training's. */
function distance(values: Float64Array, view: OutlierView): number {
  const size = values.length, { mean, whitening } = view;
  const own = standardised(values, view);
  for (let i = 0; i < size; i++) own[i]! -= mean[i]!;
  let total = 0;
  for (let i = 0, at = 0; i < size; i++) {
    let sum = 0;
    for (let j = 0; j <= i; j++) sum += whitening[at++]! * own[j]!;
    total += sum * sum;
  }
  return Math.sqrt(total / size);
}

/**
 * Distances of one input's features (not scaled) from the training rows, one a view.
 *
 * @throws {FormatError} when the input has another size.
 */
export function outlierDistances({ pool, size, views }: OutlierModel, row: Float32Array): number[] {
  if (Math.ceil(row.length / pool) !== size) {
    throw new FormatError(`The outlier model has ${size} values, the input has ${Math.ceil(row.length / pool)}.`);
  }
  const values = pooled(row, pool, size);
  return views.map((view) => distance(values, view));
}

/**
 * Limits such that a share of rows lies inside all of them: in each view the same quantile, found by bisection.
 *
 * @param distances What {@linkcode outlierDistances} gave for each of the rows.
 * @param share Share of the rows that shall lie inside.
 */
export function fitOutlierLimits(distances: readonly (readonly number[])[], share: number): number[] {
  const views = distances[0]?.length ?? 0;
  const sorted = Array.from({ length: views }, (_, v) => distances.map((each) => each[v]!).sort((a, b) => a - b));
  const limitsAt = (place: number): number[] => sorted.map((values) => values[Math.min(values.length - 1, place)]!);
  let low = 0, high = distances.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1, limits = limitsAt(middle);
    const inside = distances.filter((each) => each.every((value, v) => value <= limits[v]!)).length;
    if (inside >= share * distances.length) high = middle;
    else low = middle + 1;
  }
  return limitsAt(low);
}

/**
 * How far an input lies outside: the largest of its distances, each divided by its limit; above 1 is outside.
 *
 * @param row Features of one input, not scaled.
 * @throws {FormatError} when the input has another size.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const data = Float32Array.from({ length: 400 }, (_, i) => Math.sin(i * i));
 * const model = fitOutlier({ data, shape: [200, 2] });
 * assert.ok(outlierScore(model, Float32Array.of(0, 0)) < 1);
 * assert.ok(outlierScore(model, Float32Array.of(50, -50)) > 3);
 * ```
 */
export function outlierScore(model: OutlierModel, row: Float32Array): number {
  return Math.max(...outlierDistances(model, row).map((value, v) => value / model.limits[v]!));
}
