/**
 * Time shift: the recording moved earlier or later, what leaves one end coming back at the other, or silence coming in.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { Augmentation, Kind } from "./augmentation.ts";
import { Fields } from "./augmentation.ts";

/** What comes in at the end that was left: the samples that went out at the other (`np.roll`), or zeros. */
export type ShiftFill = "wrap" | "zeros";

/** What {@linkcode timeShift} draws. */
export interface TimeShiftParams {
  /** Shift in samples; positive is later. */
  readonly shift: number;
  /** What comes in. */
  readonly fill: ShiftFill;
}

/** Options of {@linkcode timeShift}. */
export interface TimeShiftOptions {
  /** Largest shift either way, in samples; default 5000, as study 002 defines it. */
  readonly maxShift?: number;
  /** What comes in; default `wrap`. */
  readonly fill?: ShiftFill;
}

/** Applies a recorded shift. */
export const timeShiftKind: Kind<TimeShiftParams> = {
  name: "time-shift",
  version: 1,
  on: "wave",
  parse(params) {
    const fields = new Fields("time-shift", params);
    return { shift: fields.number("shift", -1e9, 1e9, true), fill: fields.text("fill", ["wrap", "zeros"]) };
  },
  apply({ samples, sampleRateHz }, { shift, fill }) {
    const n = samples.length;
    const out = new Float32Array(n);
    if (fill === "zeros") {
      if (Math.abs(shift) < n) {
        out.set(samples.subarray(Math.max(0, -shift), n - Math.max(0, shift)), Math.max(0, shift));
      }
    } else if (n > 0) {
      const later = ((shift % n) + n) % n;
      out.set(samples.subarray(0, n - later), later);
      out.set(samples.subarray(n - later), 0);
    }
    return { samples: out, sampleRateHz };
  },
};

/**
 * A shift of `int(U(-maxShift / 1000, maxShift / 1000) · 1000)` samples: study 002's `shift` with its default of 5000.
 *
 * @throws {UsageError} when `maxShift` is negative or not finite.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = { samples: Float32Array.of(1, 2, 3, 4), sampleRateHz: 8000 };
 * assert.deepEqual([...timeShift().apply(wave, { shift: 1, fill: "wrap" }).samples], [4, 1, 2, 3]);
 * assert.deepEqual([...timeShift().apply(wave, { shift: -1, fill: "zeros" }).samples], [2, 3, 4, 0]);
 * ```
 */
export function timeShift(options: TimeShiftOptions = {}): Augmentation<TimeShiftParams> {
  const { maxShift = 5000, fill = "wrap" } = options;
  if (!(maxShift >= 0 && maxShift <= 1e9)) {
    throw new UsageError(`maxShift is a number of samples from 0 to 1e9, not ${maxShift}.`);
  }
  const unit = maxShift / 1000;
  // The sum with 0 turns -0 into 0, which JSON cannot tell apart.
  return { ...timeShiftKind, draw: (rng) => ({ shift: Math.trunc(rng.uniform(-unit, unit) * 1000) + 0, fill }) };
}
