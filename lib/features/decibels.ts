/**
 * Decibels: power and amplitude relative to a reference, floored.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { NdArray } from "../types.ts";

/** Options of {@linkcode powerToDb} and {@linkcode amplitudeToDb}; names and defaults are librosa's. */
export interface DecibelOptions {
  /** What 0 dB is: a value (its absolute value is taken), or `max`, the largest value of the array; default 1. */
  readonly ref?: number | "max";
  /** Smallest value that is told from zero, positive; default 1e-10 for power, 1e-5 for amplitude. */
  readonly amin?: number;
  /** Everything lower than the maximum by more than this many dB is raised to that; `null` raises nothing; default 80. */
  readonly topDb?: number | null;
}

/** Bits of the mantissa that choose a row of the table below. */
const TABLE_BITS = 9;
/** For each step of the mantissa from 1 to 2, both included: its reciprocal and its decimal logarithm. */
const RECIPROCAL = new Float64Array((1 << TABLE_BITS) + 1);
const LOGARITHM = new Float64Array((1 << TABLE_BITS) + 1);
/** For each biased exponent: the factor that takes the number to [1, 2). */
const SCALE = new Float64Array(2047);
for (let i = 0; i < RECIPROCAL.length; i++) {
  const step = 1 + i / (1 << TABLE_BITS);
  RECIPROCAL[i] = 1 / step;
  LOGARITHM[i] = Math.log10(step);
}
for (let e = 1; e < 2047; e++) SCALE[e] = 2 ** (1023 - e);
/** The same table for the compiled loop. */
export const LOG_TABLE: { readonly reciprocal: Float64Array; readonly logarithm: Float64Array } = {
  reciprocal: RECIPROCAL,
  logarithm: LOGARITHM,
};
const LOG10_2 = Math.log10(2), LOG10_E = Math.LOG10E;
/** Which 32-bit half of a 64-bit number holds sign and exponent on this machine. */
const HIGH = new Uint32Array(Float64Array.of(1).buffer)[1] === 0x3ff00000 ? 1 : 0;

/**
 * Decimal logarithms of positive numbers, in place, to about 1e-15 absolute: `Math.log10` costs six times as much,
 * and a spectrogram needs hundreds of thousands.
 *
 * A table holds the logarithm of 512 steps of the mantissa; from the nearest one, four terms of the series of log(1 + r)
 * do the rest (|r| <= 2^-10, so the fifth is below 2e-16). Exact at 1, so that the reference itself is 0 dB.
 */
export function log10InPlace(values: Float64Array, from = 0, to: number = values.length): void {
  const words = new Int32Array(values.buffer, values.byteOffset, values.length * 2);
  for (let i = from; i < to; i++) {
    const high = words[2 * i + HIGH]!;
    const exponent = high >> 20;
    // Zero, subnormal, negative, infinite, NaN: rare, so left to the slow way.
    if (exponent <= 0 || exponent >= 2047) {
      values[i] = Math.log10(values[i]!);
      continue;
    }
    const row = ((high & 0xfffff) + (1 << (19 - TABLE_BITS))) >> (20 - TABLE_BITS);
    const r = values[i]! * SCALE[exponent]! * RECIPROCAL[row]! - 1;
    values[i] = (exponent - 1023) * LOG10_2 + LOGARITHM[row]! +
      LOG10_E * (r * (1 - r * (0.5 - r * (0.3333333333333333 - r * 0.25))));
  }
}

/** Values turned to dB: `squared` says that they are amplitudes, whose squares are power. */
function toDb(values: Float32Array, squared: boolean, options: DecibelOptions): Float32Array<ArrayBuffer> {
  const amin = options.amin ?? (squared ? 1e-5 : 1e-10);
  if (!(amin > 0)) throw new UsageError(`amin is a positive number, not ${amin}.`);
  const topDb = options.topDb === undefined ? 80 : options.topDb;
  if (topDb !== null && !(topDb >= 0)) throw new UsageError(`topDb is null or a number of dB from 0 up, not ${topDb}.`);
  const floor = squared ? amin * amin : amin;
  const out = new Float32Array(values.length);
  let largest = 0;
  const block = new Float64Array(Math.min(values.length, 4096));
  let ref = 1;
  if (options.ref === "max") {
    for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]!));
    ref = largest;
  } else if (options.ref !== undefined) ref = Math.abs(options.ref);
  if (!(ref >= 0)) throw new UsageError(`ref is "max" or a number, not ${options.ref}.`);
  const offset = 10 * Math.log10(Math.max(floor, squared ? ref * ref : ref));
  let top = -Infinity;
  for (let from = 0; from < values.length; from += block.length) {
    const count = Math.min(block.length, values.length - from);
    for (let i = 0; i < count; i++) {
      const x = values[from + i]!;
      const power = squared ? x * x : x;
      block[i] = power > floor ? power : floor;
    }
    log10InPlace(block, 0, count);
    for (let i = 0; i < count; i++) {
      const db = 10 * block[i]! - offset;
      if (db > top) top = db;
      out[from + i] = db;
    }
  }
  if (topDb !== null) {
    const least = top - topDb;
    for (let i = 0; i < out.length; i++) if (out[i]! < least) out[i] = least;
  }
  return out;
}

/**
 * Power in decibels, `10 log10(max(amin, S) / ref)`, at most `topDb` under its maximum (librosa.power_to_db 0.11).
 *
 * @param power Power, not negative, of any shape.
 * @returns dB, the same shape.
 * @throws {UsageError} for an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const power = { data: Float32Array.of(1, 0.1, 0), shape: [3] };
 * assert.deepEqual([...powerToDb(power).data], [0, -10, -80]);
 * assert.deepEqual([...powerToDb(power, { topDb: null }).data], [0, -10, -100]);
 * ```
 */
export function powerToDb<const S extends readonly number[]>(
  power: NdArray<S>,
  options: DecibelOptions = {},
): NdArray<S> {
  return { data: toDb(power.data, false, options), shape: power.shape };
}

/**
 * Amplitude in decibels, `20 log10(max(amin, |S|) / ref)`, at most `topDb` under its maximum (librosa.amplitude_to_db 0.11).
 *
 * @param amplitude Amplitude of any shape; its absolute value is taken.
 * @returns dB, the same shape.
 * @throws {UsageError} for an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const amplitude = { data: Float32Array.of(2, -0.2, 0), shape: [3] };
 * assert.deepEqual([...amplitudeToDb(amplitude, { ref: "max" }).data].map(Math.round), [0, -20, -80]);
 * ```
 */
export function amplitudeToDb<const S extends readonly number[]>(
  amplitude: NdArray<S>,
  options: DecibelOptions = {},
): NdArray<S> {
  return { data: toDb(amplitude.data, true, options), shape: amplitude.shape };
}

/**
 * Amplitude from decibels, `ref · 10^(dB / 20)` (librosa.db_to_amplitude).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(dbToAmplitude({ data: Float32Array.of(20), shape: [1] }).data[0], 10);
 * ```
 */
export function dbToAmplitude<const S extends readonly number[]>(
  db: NdArray<S>,
  options: { readonly ref?: number } = {},
): NdArray<S> {
  const ref = options.ref ?? 1;
  return { data: db.data.map((x) => ref * 10 ** (x / 20)), shape: db.shape };
}

/**
 * Power from decibels, `ref · 10^(dB / 10)` (librosa.db_to_power).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(dbToPower({ data: Float32Array.of(20), shape: [1] }).data[0], 100);
 * ```
 */
export function dbToPower<const S extends readonly number[]>(
  db: NdArray<S>,
  options: { readonly ref?: number } = {},
): NdArray<S> {
  const ref = options.ref ?? 1;
  return { data: db.data.map((x) => ref * 10 ** (x / 10)), shape: db.shape };
}
