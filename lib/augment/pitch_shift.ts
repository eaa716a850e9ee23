/**
 * Pitch shift: higher or lower at the same speed; stretched in time, then resampled back to the old length.
 *
 * @module
 */

import { resample } from "../audio/resample.ts";
import { MAX_SAMPLE_RATE_HZ } from "../audio/types.ts";
import { UsageError } from "../errors.ts";
import type { Waveform } from "../types.ts";
import { type Augmentation, Fields, type Kind } from "./augmentation.ts";
import { stretchTime } from "./time_stretch.ts";

/** Largest shift either way, in octaves. */
const MAX_OCTAVES = 4;

/** Whether a shift is within bounds. */
function isShift(nSteps: number, binsPerOctave: number): boolean {
  return Number.isInteger(binsPerOctave) && binsPerOctave >= 1 && Math.abs(nSteps / binsPerOctave) <= MAX_OCTAVES;
}

/**
 * The fraction nearest to `x` whose parts are at most `most`, by continued fractions.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(nearestFraction(Math.PI, 1000), [355, 113]);
 * assert.deepEqual(nearestFraction(0.5, 1000), [1, 2]);
 * ```
 */
export function nearestFraction(x: number, most: number): [number, number] {
  let [p0, q0, p1, q1] = [0, 1, 1, 0];
  let rest = x;
  for (let i = 0; i < 64; i++) {
    const whole = Math.floor(rest);
    const p = whole * p1 + p0, q = whole * q1 + q0;
    if (p > most || q > most) {
      // The fractions between this one and the next may still come nearer.
      const fit = Math.floor(Math.min((most - p0) / p1, (most - q0) / q1));
      const between: [number, number] = [fit * p1 + p0, fit * q1 + q0];
      return Math.abs(between[0] / between[1] - x) < Math.abs(p1 / q1 - x) ? between : [p1, q1];
    }
    [p0, q0, p1, q1] = [p1, q1, p, q];
    const part = rest - whole;
    if (p === x * q || part < 1e-15) break;
    rest = 1 / part;
  }
  return [p1, q1];
}

/** Options of {@linkcode shiftPitch}. */
export interface ShiftPitchOptions {
  /** Steps of an octave; default 12, semitones. */
  readonly binsPerOctave?: number;
}

/**
 * Shifts the pitch of audio (librosa.effects.pitch_shift 0.11, with its default resampler `soxr_hq`).
 *
 * The rates' ratio is 2^(−nSteps / binsPerOctave), which is not rational; it is taken as the nearest fraction of integers
 * up to 768,000. Up to an octave that is less than 1e-8 off (a hundredth of a sample over 20 s at 48 kHz), and less than
 * 3e-7 up to four.
 *
 * @param wave Mono audio.
 * @param nSteps Steps up, or down where negative; need not be whole; at most 4 octaves.
 * @param options Steps of an octave.
 * @returns Audio of the same length and rate.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} when the shift is beyond 4 octaves.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = { samples: Float32Array.from({ length: 9000 }, (_, i) => Math.sin(i / 9)), sampleRateHz: 16000 };
 * assert.equal(shiftPitch(wave, 0.7).samples.length, 9000);
 * ```
 */
export function shiftPitch(wave: Waveform, nSteps: number, options: ShiftPitchOptions = {}): Waveform {
  const { binsPerOctave = 12 } = options;
  if (!isShift(nSteps, binsPerOctave)) {
    throw new UsageError(
      `A pitch shift is at most ${MAX_OCTAVES} octaves, not ${nSteps} steps of 1/${binsPerOctave} octave.`,
    );
  }
  const { samples, sampleRateHz } = wave;
  const rate = 2 ** (-nSteps / binsPerOctave);
  const stretched = stretchTime(wave, rate);
  const [fromHz, toHz] = nearestFraction(1 / rate, MAX_SAMPLE_RATE_HZ);
  const shifted = resample({ samples: stretched, sampleRateHz: fromHz }, toHz).samples;
  const out = new Float32Array(samples.length);
  out.set(shifted.subarray(0, out.length));
  return { samples: out, sampleRateHz };
}

/** What {@linkcode pitchShift} draws. */
export interface PitchShiftParams {
  /** Steps up. */
  readonly nSteps: number;
  /** Steps of an octave. */
  readonly binsPerOctave: number;
}

/** Options of {@linkcode pitchShift}: a list to draw from, or a range. */
export interface PitchShiftOptions {
  /** Steps to choose from, all alike; takes the place of the range. */
  readonly choices?: readonly number[];
  /** Least steps; default -2. */
  readonly minSteps?: number;
  /** Most steps; default 2. */
  readonly maxSteps?: number;
  /** Steps of an octave; default 12. */
  readonly binsPerOctave?: number;
}

/** Applies a recorded shift. */
export const pitchShiftKind: Kind<PitchShiftParams> = {
  name: "pitch-shift",
  version: 1,
  on: "wave",
  parse(params) {
    const fields = new Fields("pitch-shift", params);
    const binsPerOctave = fields.number("binsPerOctave", 1, 1200, true);
    const most = MAX_OCTAVES * binsPerOctave;
    return { nSteps: fields.number("nSteps", -most, most), binsPerOctave };
  },
  apply: (wave, { nSteps, binsPerOctave }) => shiftPitch(wave, nSteps, { binsPerOctave }),
};

/**
 * A pitch shift drawn from a list (study 001: 1, 2 or 3; study 002: always 0.7) or uniformly from a range.
 *
 * @throws {UsageError} when a shift is beyond 4 octaves, the list empty or the range in the wrong order.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { RandomState } from "../random.ts";
 * const wave = { samples: new Float32Array(100), sampleRateHz: 16000 };
 * const params = pitchShift({ choices: [0.7] }).draw(new RandomState(0), wave);
 * assert.deepEqual(params, { nSteps: 0.7, binsPerOctave: 12 });
 * ```
 */
export function pitchShift(options: PitchShiftOptions = {}): Augmentation<PitchShiftParams> {
  const { choices, minSteps = -2, maxSteps = 2, binsPerOctave = 12 } = options;
  for (const nSteps of choices ?? [minSteps, maxSteps]) {
    if (!isShift(nSteps, binsPerOctave)) {
      throw new UsageError(
        `A pitch shift is at most ${MAX_OCTAVES} octaves, not ${nSteps} steps of 1/${binsPerOctave} octave.`,
      );
    }
  }
  if (choices?.length === 0) throw new UsageError("A pitch shift is drawn from at least one choice.");
  if (!choices && minSteps > maxSteps) {
    throw new UsageError(`minSteps is at most maxSteps, ${maxSteps}, not ${minSteps}.`);
  }
  return {
    ...pitchShiftKind,
    draw(rng) {
      // One choice is no draw, as one value is none in a range that the studies write as a constant.
      const nSteps = !choices
        ? rng.uniform(minSteps, maxSteps)
        : choices.length === 1
        ? choices[0]!
        : choices[rng.randint(0, choices.length)]!;
      return { nSteps, binsPerOctave };
    },
  };
}
