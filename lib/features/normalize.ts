/**
 * Scaling of vectors to a norm of 1, and differences over time.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { Matrix } from "../types.ts";
import { integerOption, matrixOf } from "./input.ts";

/** The smallest normal 32-bit number: librosa leaves vectors with a smaller norm as they are. */
export const TINY = 1.1754943508222875e-38;

/** Divides `count` values from `at`, `stride` apart, by their p-norm unless that is tiny (librosa.util.normalize 0.11). */
export function normalizeInPlace(
  values: Float32Array | Float64Array,
  norm: number,
  at = 0,
  count: number = values.length,
  stride = 1,
): void {
  let length = 0;
  const end = at + count * stride;
  if (norm === Infinity) { for (let i = at; i < end; i += stride) length = Math.max(length, Math.abs(values[i]!)); }
  else if (norm === 1) { for (let i = at; i < end; i += stride) length += Math.abs(values[i]!); }
  else if (norm === 2) {
    for (let i = at; i < end; i += stride) length += values[i]! * values[i]!;
    length = Math.sqrt(length);
  } else {
    for (let i = at; i < end; i += stride) length += Math.abs(values[i]!) ** norm;
    length **= 1 / norm;
  }
  if (!(length >= TINY)) return;
  for (let i = at; i < end; i += stride) values[i]! /= length;
}

/**
 * Each column divided by its norm; columns of zeros stay zeros (librosa.util.normalize 0.11, axis 0).
 *
 * @param matrix `[bins, frames]`.
 * @param options `norm`: `Infinity` (default), or any positive number.
 * @throws {UsageError} for a norm that is not positive.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const matrix = { data: Float32Array.of(1, 0, 4, 0), shape: [2, 2] } as const;
 * assert.deepEqual([...normalize(matrix).data], [0.25, 0, 1, 0]);
 * ```
 */
export function normalize(matrix: Matrix, options: { readonly norm?: number } = {}): Matrix {
  const { data, shape: [rows, frames] } = matrixOf(matrix);
  const norm = options.norm ?? Infinity;
  if (!(norm > 0)) throw new UsageError(`norm is a positive number or Infinity, not ${norm}.`);
  const out = data.slice();
  for (let t = 0; t < frames; t++) normalizeInPlace(out, norm, t, rows, frames);
  return { data: out, shape: [rows, frames] };
}

/**
 * Weights that give, from `width` neighbouring values, the `order`-th derivative at position `at` of the polynomial of
 * degree `order` that fits them best (Savitzky & Golay 1964).
 *
 * The derivative of a fit of degree d, taken d times, is a constant: the same at every position of the window, so the
 * weights do not depend on where in the window they are evaluated.
 */
function savitzkyGolay(width: number, order: number): Float64Array {
  const half = (width - 1) / 2;
  // Gram–Schmidt of the monomials over the window; the last one, scaled, is the weight vector.
  const basis: Float64Array[] = [];
  let last = new Float64Array(0);
  for (let d = 0; d <= order; d++) {
    const v = Float64Array.from({ length: width }, (_, i) => ((i - half) / half) ** d);
    for (let pass = 0; pass < 2; pass++) {
      for (const b of basis) {
        const dot = v.reduce((sum, x, i) => sum + x * b[i]!, 0);
        for (let i = 0; i < width; i++) v[i]! -= dot * b[i]!;
      }
    }
    last = v;
    const length = Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));
    basis.push(v.map((x) => x / length));
  }
  // c = <y, v> / <v, v> is the leading coefficient in units of half a window; d! turns it into the derivative.
  let factorial = 1;
  for (let d = 2; d <= order; d++) factorial *= d;
  const scale = factorial / last.reduce((sum, x) => sum + x * x, 0) / half ** order;
  return last.map((x) => x * scale);
}

/** How {@linkcode delta} makes up values beyond the ends. */
export type DeltaMode = "interp" | "nearest" | "mirror" | "constant" | "wrap";

/** Options of {@linkcode delta}; names and defaults are librosa's. */
export interface DeltaOptions {
  /** Number of frames that a value is computed from, odd, at least 3; default 9. */
  readonly width?: number;
  /** 1 (default) for velocity, 2 for acceleration. */
  readonly order?: number;
  /** The ends: `interp` (default) fits the first and the last `width` frames, the others make values up. */
  readonly mode?: DeltaMode;
}

/**
 * Derivative of each row over time by a Savitzky–Golay filter (librosa.feature.delta 0.11).
 *
 * @param matrix `[bins, frames]`.
 * @returns `[bins, frames]`, per frame.
 * @throws {UsageError} when `width` is even, too small, or (mode `interp`) larger than the number of frames.
 * @example A ramp has a constant slope.
 * ```ts
 * import assert from "node:assert/strict";
 * const ramp = { data: Float32Array.from({ length: 12 }, (_, t) => 3 * t), shape: [1, 12] } as const;
 * assert.ok(delta(ramp).data.every((x) => Math.abs(x - 3) < 1e-6));
 * ```
 */
export function delta(matrix: Matrix, options: DeltaOptions = {}): Matrix {
  const { data, shape: [rows, frames] } = matrixOf(matrix);
  const width = integerOption("width", options.width ?? 9, 3);
  const order = integerOption("order", options.order ?? 1, 1);
  const mode = options.mode ?? "interp";
  if (width % 2 === 0) throw new UsageError(`width is odd, not ${width}.`);
  if (order >= width) throw new UsageError(`order is less than width, ${width}, not ${order}.`);
  if (mode === "interp" && width > frames) {
    throw new UsageError(`delta with mode "interp" needs at least ${width} frames (its width), not ${frames}.`);
  }
  const weights = savitzkyGolay(width, order);
  const half = (width - 1) / 2;
  const outside = (row: number, i: number): number => {
    if (mode === "constant") return 0;
    if (mode === "nearest") return data[row + (i < 0 ? 0 : frames - 1)]!;
    if (mode === "wrap") return data[row + (((i % frames) + frames) % frames)]!;
    if (mode !== "mirror") throw new UsageError(`mode is interp, nearest, mirror, constant or wrap, not "${mode}".`);
    if (frames === 1) return data[row]!;
    const period = 2 * (frames - 1), m = ((i % period) + period) % period;
    return data[row + (m < frames ? m : period - m)]!;
  };
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) {
    const row = r * frames;
    for (let t = 0; t < frames; t++) {
      const centre = mode === "interp" ? Math.min(frames - 1 - half, Math.max(half, t)) : t;
      let sum = 0;
      for (let k = 0; k < width; k++) {
        const i = centre - half + k;
        sum += weights[k]! * (i >= 0 && i < frames ? data[row + i]! : outside(row, i));
      }
      out[row + t] = sum;
    }
  }
  return { data: out, shape: [rows, frames] };
}
