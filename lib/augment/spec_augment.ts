/**
 * SpecAugment: bands of frequency and stretches of time of a feature matrix are blanked.
 *
 * Source: D. S. Park et al., "SpecAugment: A Simple Data Augmentation Method for Automatic Speech Recognition",
 * Interspeech 2019. Its time warping, which the paper found to matter least, is left out.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { Matrix } from "../types.ts";
import { type Augmentation, Fields, type Kind } from "./augmentation.ts";

/** A mask: first bin or frame, and how many. */
export type Mask = readonly [start: number, width: number];

/** What masked cells become: the mean of the matrix, its least value (silence in dB), or a number. */
export type MaskFill = "mean" | "min" | number;

/** What {@linkcode specAugment} draws. */
export interface SpecAugmentParams {
  /** Bands of bins. */
  readonly frequencyMasks: readonly Mask[];
  /** Stretches of frames. */
  readonly timeMasks: readonly Mask[];
  /** What they become. */
  readonly fill: MaskFill;
}

/** Options of {@linkcode specAugment}; the paper's letters in brackets. */
export interface SpecAugmentOptions {
  /** Number of frequency masks (m_F); default 2. */
  readonly frequencyMasks?: number;
  /** Widest frequency mask in bins (F); default 27, for 80 to 128 mel bands. */
  readonly maxFrequencyWidth?: number;
  /** Number of time masks (m_T); default 2. */
  readonly timeMasks?: number;
  /** Widest time mask in frames (T); default 100. */
  readonly maxTimeWidth?: number;
  /** Widest time mask as a share of all frames (p), from 0 to 1; default 0.2. */
  readonly maxTimeShare?: number;
  /** What masked cells become; default `mean`. */
  readonly fill?: MaskFill;
}

/** Most masks of one kind. */
const MAX_MASKS = 1000;

function parseMasks(fields: Fields, field: string): Mask[] {
  return fields.list(field, MAX_MASKS).map((mask) => {
    const [start, width] = Array.isArray(mask) ? mask as unknown[] : [];
    const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
    if (!isCount(start) || !isCount(width) || (mask as unknown[]).length !== 2) {
      fields.fail(field, "a list of pairs of integers of at least 0");
    }
    return [start, width];
  });
}

/** Applies recorded masks; what of a mask lies beyond the matrix is ignored. */
export const specAugmentKind: Kind<SpecAugmentParams, Matrix> = {
  name: "spec-augment",
  version: 1,
  on: "features",
  parse(params) {
    const fields = new Fields("spec-augment", params);
    const fill = fields.raw("fill");
    return {
      frequencyMasks: parseMasks(fields, "frequencyMasks"),
      timeMasks: parseMasks(fields, "timeMasks"),
      fill: typeof fill === "number" ? fields.number("fill", -1e30, 1e30) : fields.text("fill", ["mean", "min"]),
    };
  },
  apply({ data, shape }, { frequencyMasks, timeMasks, fill }) {
    const [bins, frames] = shape;
    const out = data.slice();
    let value = typeof fill === "number" ? fill : 0;
    if (fill === "mean") {
      for (const x of data) value += x;
      value /= data.length || 1;
    } else if (fill === "min") {
      value = Infinity;
      for (const x of data) if (x < value) value = x;
    }
    for (const [start, width] of frequencyMasks) {
      out.fill(value, Math.min(bins, start) * frames, Math.min(bins, start + width) * frames);
    }
    for (const [start, width] of timeMasks) {
      const from = Math.min(frames, start), to = Math.min(frames, start + width);
      for (let bin = 0; bin < bins; bin++) out.fill(value, bin * frames + from, bin * frames + to);
    }
    return { data: out, shape };
  },
};

/**
 * Frequency and time masks of drawn width (0 to the widest, all alike) and place.
 *
 * @throws {UsageError} for an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const features = { data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] } as const;
 * const params = { frequencyMasks: [[0, 1]], timeMasks: [[2, 1]], fill: 0 } as const;
 * assert.deepEqual([...specAugment().apply(features, params).data], [0, 0, 0, 4, 5, 0]);
 * ```
 */
export function specAugment(options: SpecAugmentOptions = {}): Augmentation<SpecAugmentParams, Matrix> {
  const { maxFrequencyWidth = 27, maxTimeWidth = 100, maxTimeShare = 0.2, fill = "mean" } = options;
  const { frequencyMasks = 2, timeMasks = 2 } = options;
  const counts = { frequencyMasks, timeMasks };
  for (const [name, value] of Object.entries({ ...counts, maxFrequencyWidth, maxTimeWidth })) {
    const most = name in counts ? MAX_MASKS : Number.MAX_SAFE_INTEGER;
    if (!Number.isSafeInteger(value) || value < 0 || value > most) {
      throw new UsageError(`${name} is an integer from 0 to ${most}, not ${value}.`);
    }
  }
  if (!(maxTimeShare >= 0 && maxTimeShare <= 1)) {
    throw new UsageError(`maxTimeShare is a number from 0 to 1, not ${maxTimeShare}.`);
  }
  return {
    ...specAugmentKind,
    drawsFromInput: true,
    draw(rng, { shape: [bins, frames] }) {
      const masks = (count: number, widest: number, length: number): Mask[] =>
        Array.from({ length: count }, () => {
          const width = rng.randint(0, Math.min(widest, length) + 1);
          return [rng.randint(0, length - width + 1), width];
        });
      return {
        frequencyMasks: masks(frequencyMasks, maxFrequencyWidth, bins),
        timeMasks: masks(timeMasks, Math.min(maxTimeWidth, Math.floor(maxTimeShare * frames)), frames),
        fill,
      };
    },
  };
}
