/**
 * Study 001's pictures: a mel spectrogram as matplotlib draws it and Pillow shrinks it, without drawing it.
 *
 * The published input is a PNG: librosa's specshow on a figure of 10×6 inches at 100 dpi, axes off, the bounding box
 * tight, 775×462 pixels; then resized to 300×50. Every pixel of the large picture is one cell of the spectrogram, so
 * equal rows are filtered once and neighbouring weights of one cell are added up beforehand: the same integers as
 * Pillow's, for a fraction of the work.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { Matrix, NdArray } from "../types.ts";
import { integerOption, matrixOf } from "./input.ts";
import { melFrequencies } from "./mel.ts";

/** matplotlib's jet: where each channel's straight pieces end, and its value there. */
const JET: readonly (readonly (readonly [number, number])[])[] = [
  [[0, 0], [0.35, 0], [0.66, 1], [0.89, 1], [1, 0.5]],
  [[0, 0], [0.125, 0], [0.375, 1], [0.64, 1], [0.91, 0], [1, 0]],
  [[0, 0.5], [0.11, 1], [0.34, 1], [0.65, 0], [1, 0]],
];

/**
 * The 256 colours of matplotlib's `jet` map, `[256, 3]`, red, green, blue, 0 … 255.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual([...jetColors().subarray(0, 3)], [0, 0, 128]);
 * ```
 */
export function jetColors(): Uint8Array {
  const colors = new Uint8Array(256 * 3);
  JET.forEach((pieces, channel) => {
    // Most values end on a half, so the order of the operations is matplotlib's: the index goes through
    // [0, 1] and back.
    for (let i = 0; i < 256; i++) {
      const x = i * (1 / 255) * 255;
      const right = Math.max(1, pieces.findIndex(([at]) => at * 255 >= x));
      const [x0, y0] = pieces[right - 1]!, [x1, y1] = pieces[right]!;
      const share = (x - x0 * 255) / (x1 * 255 - x0 * 255);
      colors[3 * i + channel] = Math.floor((share * (y1 - y0) + y0) * 255 + 0.5);
    }
  });
  return colors;
}

const colors = jetColors();

/** Index of the colour of each value: autoscaled from the smallest to the largest, in matplotlib's 32-bit steps. */
function colorIndices(values: Float32Array): Uint8Array {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const x = values[i]!;
    if (x < low) low = x;
    if (x > high) high = x;
  }
  const out = new Uint8Array(values.length);
  if (!(high > low)) return out;
  const span = Math.fround(high - low);
  for (let i = 0; i < values.length; i++) {
    out[i] = Math.min(255, Math.fround(Math.fround(values[i]! - low) / span) * 256);
  }
  return out;
}

/** matplotlib's symmetric logarithm of base 2, straight up to 1000 Hz, which librosa takes for its mel axis. */
function symlog(hz: number): number {
  const size = Math.abs(hz), linear = 1 / (1 - 1 / 2);
  return size <= 1000 ? hz * linear : Math.sign(hz) * 1000 * (linear + Math.log2(size / 1000));
}

/** First pixel of each cell and the end of the last, for cells centred at `centres` drawn over `pixels` pixels. */
function cellPixels(centres: ArrayLike<number>, pixels: number, scale: (x: number) => number): Int32Array {
  const n = centres.length;
  // A single cell has no neighbour to halve the distance to: it fills the picture.
  const edges = Float64Array.from({ length: n + 1 }, (_, i) => {
    if (n === 1) return i;
    if (i === 0) return centres[0]! - (centres[1]! - centres[0]!) / 2;
    if (i === n) return centres[n - 1]! + (centres[n - 1]! - centres[n - 2]!) / 2;
    return centres[i - 1]! + (centres[i]! - centres[i - 1]!) / 2;
  }).map(scale);
  // Agg snaps the edges of upright rectangles to whole pixels. Edges on half a pixel are common, so the affine map is
  // put together as matplotlib puts it: unit square first, pixels after.
  const first = edges[0]!, unit = 1 / (edges[n]! - first), slope = pixels * unit, offset = pixels * (-first * unit);
  return Int32Array.from(edges, (edge) => Math.floor(slope * edge + offset + 0.5));
}

/** Pillow's bicubic kernel (a = -0.5). */
function bicubic(x: number): number {
  const a = -0.5;
  x = Math.abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** Fixed-point precision of Pillow's 8-bit resampling. */
const PRECISION = 22;

/** For each output pixel, the cells under it and the sums of Pillow's integer weights over their pixels. */
interface Taps {
  readonly start: Int32Array;
  readonly cell: Int32Array;
  readonly weight: Int32Array;
}

function cellTaps(pixels: number, out: number, cellOf: Int32Array): Taps {
  const scale = pixels / out, filterScale = Math.max(1, scale), support = 2 * filterScale;
  const start = new Int32Array(out + 1);
  const cell: number[] = [], weight: number[] = [];
  for (let o = 0; o < out; o++) {
    const centre = (o + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(pixels, Math.trunc(centre + support + 0.5));
    const exact: number[] = [];
    for (let i = first; i < end; i++) exact.push(bicubic((i - centre + 0.5) / filterScale));
    const total = exact.reduce((a, b) => a + b, 0);
    exact.forEach((w, i) => {
      const scaled = (w / total) * 2 ** PRECISION;
      const fixed = Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
      const c = cellOf[first + i]!;
      if (cell.length > start[o]! && cell[cell.length - 1] === c) weight[weight.length - 1]! += fixed;
      else {
        cell.push(c);
        weight.push(fixed);
      }
    });
    start[o + 1] = cell.length;
  }
  return { start, cell: Int32Array.from(cell), weight: Int32Array.from(weight) };
}

/** The cell of each pixel, from the cells' first pixels. */
function pixelCells(bounds: Int32Array, pixels: number): Int32Array {
  const out = new Int32Array(pixels);
  // Cells thinner than a pixel may be snapped to nothing; the last one drawn over a pixel stays.
  for (let c = 0; c + 1 < bounds.length; c++) out.fill(c, Math.max(0, bounds[c]!), Math.max(0, bounds[c + 1]!));
  return out;
}

function toByte(sum: number): number {
  // Sums stay below 2^31: weights add up to 2^22, negative lobes included they stay under 2^23.
  const value = (sum + (1 << (PRECISION - 1))) >> PRECISION;
  return value < 0 ? 0 : value > 255 ? 255 : value;
}

/** Options of {@linkcode melPicture}. */
export interface PictureOptions {
  /** Lowest frequency of the bands in Hz; default 0. */
  readonly fmin?: number;
  /** Highest frequency of the bands in Hz; default 8000. */
  readonly fmax?: number;
  /** Sampling rate in Hz; default 22,050. It only moves edges that lie on half a pixel. */
  readonly sr?: number;
  /** Samples from one frame to the next; default 512, with the same effect. */
  readonly hopLength?: number;
  /** Size in pixels of what matplotlib draws; default [775, 462]. */
  readonly drawn?: readonly [width: number, height: number];
  /** Size in pixels of the picture; default [300, 50]. */
  readonly size?: readonly [width: number, height: number];
}

/**
 * A mel spectrogram in dB as a colour picture: librosa.display.specshow (0.11; mel axis, `jet`, autoscaled, axes off)
 * drawn by matplotlib, read and resized by Pillow (bicubic), divided by 255.
 *
 * Rows are not equally high: specshow's mel axis is straight up to 1 kHz and logarithmic above.
 *
 * @param db `[nMels, frames]`, for instance of `logMelSpectrogram` with `ref: "max"`.
 * @returns Red, green and blue in [0, 1], `[height, width, 3]`, high frequencies on top.
 * @throws {UsageError} for an empty matrix, a value that is not finite, or an option out of range.
 * @example One value everywhere is the lowest colour everywhere.
 * ```ts
 * import assert from "node:assert/strict";
 * const { data, shape } = melPicture({ data: new Float32Array(128 * 20).fill(-80), shape: [128, 20] });
 * assert.deepEqual(shape, [50, 300, 3]);
 * assert.deepEqual([...data.subarray(0, 3)].map((x) => Math.round(x * 255)), [0, 0, 128]);
 * ```
 */
export function melPicture(db: Matrix, options: PictureOptions = {}): NdArray<readonly [number, number, number]> {
  const { data, shape: [bands, frames] } = matrixOf(db);
  const [drawnWidth, drawnHeight] = options.drawn ?? [775, 462], [width, height] = options.size ?? [300, 50];
  for (const side of [drawnWidth, drawnHeight, width, height]) integerOption("A side of the picture", side, 1);
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i]!)) throw new UsageError(`A picture is drawn of finite numbers, not ${data[i]}.`);
  }
  const sr = options.sr ?? 22050, hopLength = options.hopLength ?? 512;
  if (!(sr > 0 && hopLength > 0)) throw new UsageError(`sr and hopLength are positive, not ${sr} and ${hopLength}.`);
  const fmin = options.fmin ?? 0, fmax = options.fmax ?? 8000;
  if (!(fmin >= 0 && fmax > fmin)) {
    throw new UsageError(`The bands lie between 0 ≤ fmin < fmax, not from ${fmin} to ${fmax} Hz.`);
  }
  const index = colorIndices(data);
  const times = Float64Array.from({ length: frames }, (_, t) => (t * hopLength) / sr);
  const columns = pixelCells(
    cellPixels(times, drawnWidth, (x) => x),
    drawnWidth,
  );
  // Row 0 of the picture is on top, band 0 at the bottom.
  const rows = pixelCells(cellPixels(melFrequencies(bands, { fmin, fmax }), drawnHeight, symlog), drawnHeight)
    .reverse();
  const across = cellTaps(drawnWidth, width, columns), down = cellTaps(drawnHeight, height, rows);

  const middle = new Uint8Array(bands * width * 3);
  for (let b = 0; b < bands; b++) {
    for (let x = 0; x < width; x++) {
      let red = 0, green = 0, blue = 0;
      for (let i = across.start[x]!, end = across.start[x + 1]!; i < end; i++) {
        const at = 3 * index[b * frames + across.cell[i]!]!, w = across.weight[i]!;
        red += w * colors[at]!;
        green += w * colors[at + 1]!;
        blue += w * colors[at + 2]!;
      }
      const to = 3 * (b * width + x);
      middle[to] = toByte(red);
      middle[to + 1] = toByte(green);
      middle[to + 2] = toByte(blue);
    }
  }
  const out = new Float32Array(height * width * 3);
  const line = new Int32Array(width * 3);
  for (let y = 0; y < height; y++) {
    line.fill(0);
    for (let i = down.start[y]!, end = down.start[y + 1]!; i < end; i++) {
      const from = down.cell[i]! * width * 3, w = down.weight[i]!;
      for (let x = 0; x < line.length; x++) line[x]! += w * middle[from + x]!;
    }
    for (let x = 0; x < line.length; x++) out[y * width * 3 + x] = toByte(line[x]!) / 255;
  }
  return { data: out, shape: [height, width, 3] };
}
