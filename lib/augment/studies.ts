/**
 * The augmentations of the published studies, with the numbers they were published with.
 *
 * @module
 */

import type { Augmentation } from "./augmentation.ts";
import { compose, type ComposeParams } from "./compose.ts";
import { noise, type NoiseParams } from "./noise.ts";
import { pitchShift, type PitchShiftParams } from "./pitch_shift.ts";
import { timeStretch } from "./time_stretch.ts";

/**
 * Study 001's noise: amplitude U(0.01, 0.04) · U(0, 1) · max(y), Gaussian.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { RandomState } from "../random.ts";
 * const wave = { samples: Float32Array.of(1), sampleRateHz: 22050 };
 * assert.ok(study001Noise().draw(new RandomState(3), wave).amplitude <= 0.04);
 * ```
 */
export function study001Noise(): Augmentation<NoiseParams> {
  return noise({ minFactor: 0.01, maxFactor: 0.04 });
}

/** Probability of each step of {@linkcode study001Copy}. */
const HALF = 0.5;

/**
 * An augmented copy of study 001: a stretch by U(0.8, 1.2), a pitch shift of 1, 2 or 3 semitones up, and noise, each
 * applied with probability 0.5, so that one copy in eight is the recording itself.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { RandomState } from "../random.ts";
 * const wave = { samples: Float32Array.of(1), sampleRateHz: 22050 };
 * assert.equal(study001Copy().draw(new RandomState(3), wave).steps.length, 3);
 * ```
 */
export function study001Copy(): Augmentation<ComposeParams> {
  return compose([
    { augmentation: timeStretch({ minRate: 0.8, maxRate: 1.2 }), p: HALF },
    { augmentation: pitchShift({ choices: [1, 2, 3] }), p: HALF },
    { augmentation: study001Noise(), p: HALF },
  ]);
}

/**
 * Study 002's noise: amplitude 0.035 · U(0, 1) · max(y), Gaussian.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { RandomState } from "../random.ts";
 * const wave = { samples: Float32Array.of(1), sampleRateHz: 22050 };
 * assert.ok(study002Noise().draw(new RandomState(3), wave).amplitude <= 0.035);
 * ```
 */
export function study002Noise(): Augmentation<NoiseParams> {
  return noise({ minFactor: 0.035 });
}

/**
 * Study 002's pitch shift: always 0.7 semitones up.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { RandomState } from "../random.ts";
 * const wave = { samples: Float32Array.of(1), sampleRateHz: 22050 };
 * assert.equal(study002PitchShift().draw(new RandomState(3), wave).nSteps, 0.7);
 * ```
 */
export function study002PitchShift(): Augmentation<PitchShiftParams> {
  return pitchShift({ choices: [0.7] });
}

/**
 * The three augmented rows that study 002 makes of each recording, in its order: noise; pitch shift; pitch shift, then
 * noise, whose amplitude is relative to the largest sample of the shifted audio.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(study002Copies().map(({ name }) => name), ["noise", "pitch-shift", "compose"]);
 * ```
 */
export function study002Copies(): [
  Augmentation<NoiseParams>,
  Augmentation<PitchShiftParams>,
  Augmentation<ComposeParams>,
] {
  return [study002Noise(), study002PitchShift(), compose([study002PitchShift(), study002Noise()])];
}
