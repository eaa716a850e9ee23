/**
 * Gain: the whole recording louder or softer.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { Augmentation, Kind } from "./augmentation.ts";
import { Fields } from "./augmentation.ts";

/** What {@linkcode gain} draws. */
export interface GainParams {
  /** Gain in dB. */
  readonly gainDb: number;
}

/** Options of {@linkcode gain}. */
export interface GainOptions {
  /** Least gain in dB, from -120; default -12. */
  readonly minGainDb?: number;
  /** Greatest gain in dB, up to 120; default 12. */
  readonly maxGainDb?: number;
}

/** Applies a recorded gain: samples times 10^(gainDb / 20), not clipped. */
export const gainKind: Kind<GainParams> = {
  name: "gain",
  version: 1,
  on: "wave",
  parse: (params) => ({ gainDb: new Fields("gain", params).number("gainDb", -120, 120) }),
  apply({ samples, sampleRateHz }, { gainDb }) {
    const factor = 10 ** (gainDb / 20);
    return { samples: samples.map((x) => x * factor), sampleRateHz };
  },
};

/**
 * Gain drawn uniformly in dB. Samples may leave [-1, 1]; features do not mind, a sound card would.
 *
 * @throws {UsageError} when the range is empty or beyond ±120 dB.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = { samples: Float32Array.of(0.25, -0.5), sampleRateHz: 16000 };
 * const twice = gain().apply(wave, { gainDb: 20 * Math.log10(2) });
 * assert.deepEqual([...twice.samples], [0.5, -1]);
 * ```
 */
export function gain(options: GainOptions = {}): Augmentation<GainParams> {
  const { minGainDb = -12, maxGainDb = 12 } = options;
  if (!(minGainDb >= -120 && minGainDb <= maxGainDb && maxGainDb <= 120)) {
    throw new UsageError(`A gain is drawn from a range within ±120 dB, not from ${minGainDb} to ${maxGainDb}.`);
  }
  return { ...gainKind, draw: (rng) => ({ gainDb: rng.uniform(minGainDb, maxGainDb) }) };
}
