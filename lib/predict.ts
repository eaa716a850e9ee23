/**
 * From a waveform to an answer, with a bundle and nothing else. Browser-safe with all that it imports.
 *
 * @module
 */

import type { Bundle } from "./bundle.ts";
import { predictProbabilities } from "./engine/trainer.ts";
import { FormatError } from "./errors.ts";
import { extractFrom, type Recipe, recipe } from "./features/recipes.ts";
import { applyScaler } from "./training/dataset.ts";
import type { Waveform } from "./types.ts";

/** An answer. */
export interface Prediction {
  /** The most probable label. */
  readonly emotion: string;
  /** Whether the answer should not be relied on; `emotion` is the arg-max all the same. */
  readonly abstained: boolean;
  /** Probability of each label, in the bundle's order; they sum to 1. */
  readonly probabilities: Readonly<Record<string, number>>;
  /** What speaks against relying on the answer, one sentence each. */
  readonly warnings: readonly string[];
}

/** Shortest recording of which training gives any idea, s. */
const SHORT_SEC = 0.5;

/** Samples at or above this magnitude count as clipped. */
const FULL_SCALE = 0.999;

/** What is wrong with a recording for this bundle, one sentence each, and whether it holds nothing at all. */
function examine(wave: Waveform, rateHz: number | null): { silent: boolean; warnings: string[] } {
  const { samples, sampleRateHz } = wave;
  let peak = 0, clipped = 0;
  for (let i = 0; i < samples.length; i++) {
    const magnitude = Math.abs(samples[i]!);
    if (magnitude > peak) peak = magnitude;
    if (magnitude >= FULL_SCALE) clipped++;
  }
  const warnings: string[] = [];
  const silent = peak === 0;
  if (silent) warnings.push("The recording is silent: every sample is zero.");
  else if (peak < 1e-3) {
    warnings.push(`The recording is very quiet: its peak is ${decibels(peak)} dB below full scale.`);
  }
  const seconds = samples.length / sampleRateHz;
  if (seconds < SHORT_SEC) warnings.push(`The recording lasts only ${seconds.toFixed(2)} s.`);
  if (clipped > samples.length / 1000) {
    warnings.push(`The recording is clipped: ${(100 * clipped / samples.length).toFixed(1)} % of it is at full scale.`);
  }
  if (rateHz !== null && sampleRateHz < rateHz) {
    warnings.push(
      `The recording holds nothing above ${sampleRateHz / 2} Hz; the model was trained on audio at ${rateHz} Hz.`,
    );
  }
  return { silent, warnings };
}

function decibels(peak: number): string {
  return (-20 * Math.log10(peak)).toFixed(0);
}

/**
 * Values of one example as many as the model takes: where the recipe's number follows from the audio's length, zeros are
 * put after the last value, or values beyond the model's left out, as training did.
 */
function fitted(values: Float32Array, size: number, { name, shape }: Recipe, bundle: string): Float32Array {
  if (values.length === size) return values;
  if (!shape.includes(null)) {
    throw new FormatError(`${bundle}: takes ${size} values, the features ${name} gave ${values.length}.`);
  }
  const data = new Float32Array(size);
  data.set(values.subarray(0, size));
  return data;
}

/**
 * Predicts the emotion of one recording of any length and rate.
 *
 * @param bundle The bundle.
 * @param wave Mono audio.
 * @throws {AudioError} when the audio is unusable (no samples, a sample that is not finite).
 */
export async function predict(bundle: Bundle, wave: Waveform): Promise<Prediction> {
  const { info, model } = bundle;
  const features = recipe(info.features.recipe);
  const { silent, warnings } = examine(wave, features.sampleRateHz);
  const raw = extractFrom(features, wave);
  const size = info.features.shape.reduce((a, b) => a * b, 1);
  const x = applyScaler(info.scaler, {
    data: fitted(raw.data, size, features, info.name),
    shape: [1, ...info.features.shape],
  });
  const { data } = await predictProbabilities(model, x);
  let best = 0;
  data.forEach((p, i) => best = p > data[best]! ? i : best);
  return {
    emotion: info.labels[best]!,
    abstained: silent,
    probabilities: Object.fromEntries(info.labels.map((label, i) => [label, data[i]!])),
    warnings,
  };
}
