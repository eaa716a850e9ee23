/** The signal and the reference of tests/golden/make_augment.py, and comparisons that state their bound. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { RandomState } from "../../lib/random.ts";
import type { Waveform } from "../../lib/types.ts";

/** Every 97th sample of a result. */
export interface Sampled {
  readonly length: number;
  readonly values: readonly number[];
}

/** The reference. */
export const golden = JSON.parse(readFileSync(new URL("../golden/augment.json", import.meta.url), "utf8")) as {
  input: Sampled;
  stretch: (Sampled & { rate: number })[];
  pitch: (Sampled & { nSteps: number; binsPerOctave: number })[];
  noise: Sampled;
  roll: (Sampled & { shift: number })[];
  shifts: number[];
};

/** A glide with two partials that fades in and out, over noise: 20,011 samples at 16 kHz. */
export function glide(): Waveform {
  const n = 20011, noise = new RandomState(5).randomSample(n);
  const samples = Float32Array.from({ length: n }, (_, i) => {
    const t = i / 16000, end = (n - 1) / 16000;
    const tone = Math.sin(2 * Math.PI * (180 * t + 90 * t * t)) +
      0.4 * Math.sin(2 * Math.PI * (360 * t + 180 * t * t) + 1);
    return 0.3 * Math.sin(Math.PI * t / end) * tone + 0.01 * (2 * noise[i]! - 1);
  });
  return { samples, sampleRateHz: 16000 };
}

/** Asserts equal length, and every 97th sample within `bound`. */
export function closeToSampled(actual: Float32Array, expected: Sampled, bound: number, what: string): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  let most = 0;
  expected.values.forEach((value, i) => most = Math.max(most, Math.abs(actual[97 * i]! - value)));
  assert.ok(most <= bound, `${what}: differs by ${most}, allowed ${bound}`);
}
