/**
 * How far an input lies from the rows that a model was trained on: a Mahalanobis distance with a shrunk covariance.
 * Browser-safe.
 *
 * @module
 */

import { FormatError } from "../errors.ts";
import type { NdArray } from "../types.ts";

/** How an input's distance from the training rows is computed. */
export interface OutlierModel {
  /** Successive scaled values of an input that are averaged to one, so that at most 256 are left. */
  readonly pool: number;
  /** Number of values left. */
  readonly size: number;
  /** Mean of the training rows `[size]`, after pooling and asinh. */
  readonly mean: Float32Array;
  /** Lower triangle of a whitening matrix, row by row: `size · (size + 1) / 2` values. */
  readonly whitening: Float32Array;
}

/** Most values that a distance is taken of. */
const MOST_VALUES = 256;

/**
 * What the distance is taken of: successive values averaged, then asinh, which is linear near zero and logarithmic
 * beyond: powers have long tails, and a few loud rows must not make the covariance.
 */
function reduced(row: Float32Array, pool: number, size: number): Float64Array {
  const out = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    const end = Math.min(row.length, (i + 1) * pool);
    let sum = 0;
    for (let k = i * pool; k < end; k++) sum += row[k]!;
    out[i] = Math.asinh(sum / (end - i * pool));
  }
  return out;
}

/**
 * Fits the distance on scaled training rows.
 *
 * The covariance is shrunk towards a multiple of the identity by as much as its own noise asks for, so that it can be
 * inverted with fewer rows than columns.
 *
 * Source: O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
 * Multivariate Analysis 88(2), 2004.
 *
 * @param x Rows `[n, …]`, scaled as the model is fed.
 * @param rows The rows to fit on; default all.
 * @throws {RangeError} with fewer than two rows.
 */
export function fitOutlier(x: NdArray, rows?: ArrayLike<number>): OutlierModel {
  const inputs = x.shape.slice(1).reduce((a, b) => a * b, 1);
  const pool = Math.ceil(inputs / MOST_VALUES), size = Math.ceil(inputs / pool);
  const n = rows?.length ?? x.shape[0]!;
  if (n < 2) throw new RangeError(`a distance from rows needs at least two of them, not ${n}.`);
  const all = Array.from({ length: n }, (_, i) => {
    const row = rows ? rows[i]! : i;
    return reduced(x.data.subarray(row * inputs, (row + 1) * inputs), pool, size);
  });
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
  return { pool, size, mean: Float32Array.from(mean), whitening: whiten(covariance, size) };
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

/**
 * Distance of one scaled input from the training rows: the root mean square of its whitened values, so about 1 for a row
 * like those.
 *
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
  const { pool, size, mean, whitening } = model;
  if (Math.ceil(row.length / pool) !== size) {
    throw new FormatError(`The outlier model has ${size} values, the input has ${Math.ceil(row.length / pool)}.`);
  }
  const values = reduced(row, pool, size);
  for (let i = 0; i < size; i++) values[i]! -= mean[i]!;
  let total = 0;
  for (let i = 0, at = 0; i < size; i++) {
    let sum = 0;
    for (let j = 0; j <= i; j++) sum += whitening[at++]! * values[j]!;
    total += sum * sum;
  }
  return Math.sqrt(total / size);
}
