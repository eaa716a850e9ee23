/**
 * Resizing of two-dimensional arrays with an anti-aliasing filter, as scikit-image does it.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { Matrix } from "../types.ts";
import { integerOption, matrixOf } from "./input.ts";
import { type AxisMap, kernel as compiled } from "./kernel.ts";
import { reflectIndex } from "./spectrum.ts";

const maps = new Map<string, AxisMap>();

/**
 * The Gaussian filter (scipy.ndimage.gaussian_filter: sigma = (factor - 1) / 2, cut at 4 sigma) and the linear
 * interpolation at pixel centres (scipy.ndimage.zoom, order 1, grid_mode) of one axis, both with `mirror` edges.
 */
function axisMap(from: number, to: number, antiAliasing: boolean): AxisMap {
  const key = `${from} ${to} ${antiAliasing}`;
  const known = maps.get(key);
  if (known !== undefined) return known;
  const factor = from / to;
  const sigma = antiAliasing ? Math.max(0, (factor - 1) / 2) : 0;
  // scipy leaves an axis alone when its sigma is at most 1e-15.
  const radius = sigma > 1e-15 ? Math.floor(4 * sigma + 0.5) : 0;
  const kernel = new Float64Array(2 * radius + 1);
  let total = 0;
  for (let k = -radius; k <= radius; k++) {
    total += kernel[k + radius] = radius === 0 ? 1 : Math.exp((-0.5 / (sigma * sigma)) * k * k);
  }
  for (let k = 0; k < kernel.length; k++) kernel[k]! /= total;
  const rows: Float64Array[] = [];
  const first = new Int32Array(to), count = new Int32Array(to);
  const dense = new Float64Array(from);
  for (let o = 0; o < to; o++) {
    let at = factor * (o + 0.5) - 0.5;
    if (from === 1) at = 0;
    else if (at < 0) at = -at;
    else if (at > from - 1) at = 2 * (from - 1) - at;
    const left = Math.floor(at), right = at - left;
    let low = from, high = -1;
    for (const [centre, share] of [[left, 1 - right], [left + 1, right]] as const) {
      if (share === 0) continue;
      const within = reflectIndex(centre, from);
      for (let k = -radius; k <= radius; k++) {
        const i = reflectIndex(within + k, from);
        dense[i]! += share * kernel[k + radius]!;
        if (i < low) low = i;
        if (i > high) high = i;
      }
    }
    first[o] = low;
    count[o] = high - low + 1;
    rows.push(dense.slice(low, high + 1));
    dense.fill(0, low, high + 1);
  }
  const stride = rows.reduce((most, row) => Math.max(most, row.length), 0);
  const weights = new Float64Array(to * stride);
  rows.forEach((row, o) => weights.set(row, o * stride));
  const map: AxisMap = { first, count, weights, stride };
  // Clips differ in length, so maps of many sizes come by; the oldest go.
  if (maps.size >= 64) maps.delete(maps.keys().next().value!);
  maps.set(key, map);
  return map;
}

/**
 * Resizes an image (`skimage.transform.resize(image, [rows, columns], anti_aliasing=True)` of scikit-image 0.26:
 * mode `reflect`, order 1, the result clipped to the image's range).
 *
 * Both filters are linear and separable, so each axis is one sparse matrix and only the pixels asked for are computed.
 *
 * @param image `[rows, columns]`.
 * @param shape Rows and columns of the result.
 * @param options `antiAliasing` (default true): smooth before sampling where the image shrinks.
 * @returns `[rows, columns]` as asked.
 * @throws {UsageError} when the image or the shape is empty.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const image = { data: Float32Array.of(0, 2, 4, 6), shape: [2, 2] } as const;
 * assert.deepEqual([...imresize(image, [2, 4], { antiAliasing: false }).data], [0.5, 0.5, 1.5, 1.5, 4.5, 4.5, 5.5, 5.5]);
 * ```
 */
export function imresize(
  image: Matrix,
  shape: readonly [number, number],
  options: { readonly antiAliasing?: boolean } = {},
): Matrix {
  const { data, shape: [rows, columns] } = matrixOf(image);
  const toRows = integerOption("The number of rows", shape[0], 1);
  const toColumns = integerOption("The number of columns", shape[1], 1);
  const antiAliasing = options.antiAliasing ?? true;
  if (typeof antiAliasing !== "boolean") throw new UsageError(`antiAliasing is true or false, not ${antiAliasing}.`);
  return resize(data, rows, columns, toRows, toColumns, antiAliasing, -Infinity);
}

/** {@linkcode imresize} of an image whose values below `least` count as `least`. */
export function resize(
  data: Float32Array,
  rows: number,
  columns: number,
  toRows: number,
  toColumns: number,
  antiAliasing: boolean,
  least: number,
): Matrix {
  const across = axisMap(columns, toColumns, antiAliasing);
  const down = axisMap(rows, toRows, antiAliasing);
  const { values: middle, low, high } = (compiled() ?? { resizeRows }).resizeRows(data, rows, columns, across, least);
  const out = new Float32Array(toRows * toColumns);
  const line = new Float64Array(toColumns);
  for (let r = 0; r < toRows; r++) {
    line.fill(0);
    const n = down.count[r]!, w = r * down.stride;
    for (let k = 0; k < n; k++) {
      const weight = down.weights[w + k]!, base = (down.first[r]! + k) * toColumns;
      for (let c = 0; c < toColumns; c++) line[c]! += weight * middle[base + c]!;
    }
    for (let c = 0; c < toColumns; c++) out[r * toColumns + c] = Math.min(high, Math.max(low, line[c]!));
  }
  return { data: out, shape: [toRows, toColumns] };
}

/** Rows resized along their length, and the range of the values: the loop for where no kernel is. */
function resizeRows(
  data: Float32Array,
  rows: number,
  columns: number,
  { first, count, weights, stride }: AxisMap,
  least: number,
): { readonly values: Float64Array; readonly low: number; readonly high: number } {
  const to = first.length, values = new Float64Array(rows * to);
  let low = Infinity, high = -Infinity;
  const row = new Float32Array(columns);
  for (let r = 0; r < rows; r++) {
    for (let k = 0; k < columns; k++) {
      const x = row[k] = Math.max(least, data[r * columns + k]!);
      if (x < low) low = x;
      if (x > high) high = x;
    }
    for (let o = 0; o < to; o++) {
      let sum = 0;
      for (let k = 0; k < count[o]!; k++) sum += weights[o * stride + k]! * row[first[o]! + k]!;
      values[r * to + o] = sum;
    }
  }
  return { values, low, high };
}
