/**
 * Noise: the forms of the studies, scaled by the recording's largest sample or by full scale, and noise at a given
 * signal-to-noise ratio, white or pink.
 *
 * The noise itself is made from a seed that is part of the record, so a record gives the same samples again.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { RealFft } from "../features/fft.ts";
import { RandomState } from "../random.ts";
import type { Waveform } from "../types.ts";
import { type Augmentation, Fields, type Kind } from "./augmentation.ts";

/** What a noise's amplitude is relative to: the largest sample (`np.amax(y)`, as in the studies) or full scale, 1. */
export type NoiseScale = "max" | "full-scale";

/** What {@linkcode noise} draws. */
export interface NoiseParams {
  /** Standard deviation of the noise, as a fraction of what `scale` says. */
  readonly amplitude: number;
  /** What it is a fraction of. */
  readonly scale: NoiseScale;
  /** Seed of the noise. */
  readonly seed: number;
}

/** Options of {@linkcode noise}: the amplitude is U(minFactor, maxFactor) · U(0, 1), or without the second factor. */
export interface NoiseOptions {
  /** Least factor; default 0.035. */
  readonly minFactor?: number;
  /** Greatest factor; default `minFactor`, which is then not drawn. */
  readonly maxFactor?: number;
  /** Whether the factor is multiplied by a number drawn from U(0, 1), as the studies do; default true. */
  readonly timesUniform?: boolean;
  /** What the amplitude is relative to; default `max`. */
  readonly scale?: NoiseScale;
}

function seedOf(rng: RandomState): number {
  return rng.uint32();
}

/** Applies recorded noise: `y + amplitude · max(y) · N(0, 1)`, or without max(y) for `full-scale`. */
export const noiseKind: Kind<NoiseParams> = {
  name: "noise",
  version: 1,
  on: "wave",
  parse(params) {
    const fields = new Fields("noise", params);
    return {
      amplitude: fields.number("amplitude", 0, 100),
      scale: fields.text("scale", ["max", "full-scale"]),
      seed: fields.seed("seed"),
    };
  },
  apply({ samples, sampleRateHz }, { amplitude, scale, seed }) {
    // The largest sample, not the largest magnitude: that is what the studies' np.amax takes.
    let peak = -Infinity;
    for (const x of samples) if (x > peak) peak = x;
    const deviation = amplitude * (scale === "max" ? (samples.length ? peak : 0) : 1);
    const rng = new RandomState(seed);
    const out = new Float32Array(samples.length);
    for (let i = 0; i < out.length; i++) out[i] = samples[i]! + deviation * rng.standardNormal();
    return { samples: out, sampleRateHz };
  },
};

/**
 * Gaussian noise of a drawn amplitude.
 *
 * @throws {UsageError} for factors that are negative, too large or in the wrong order.
 * @example Study 002's noise: 0.035 · U(0, 1) · max(y) · N(0, 1)
 * ```ts
 * import assert from "node:assert/strict";
 * import { RandomState } from "../random.ts";
 * const wave = { samples: Float32Array.of(0.5, 0, -0.5, 0), sampleRateHz: 22050 };
 * const noisy = noise();
 * const params = noisy.draw(new RandomState(0), wave);
 * assert.ok(params.amplitude < 0.035);
 * assert.deepEqual(noisy.apply(wave, params), noisy.apply(wave, params));
 * ```
 */
export function noise(options: NoiseOptions = {}): Augmentation<NoiseParams> {
  const { minFactor = 0.035, timesUniform = true, scale = "max" } = options;
  const maxFactor = options.maxFactor ?? minFactor;
  if (!(minFactor >= 0 && minFactor <= maxFactor && maxFactor <= 100)) {
    throw new UsageError(
      `A noise factor is drawn from a range within 0 to 100, not from ${minFactor} to ${maxFactor}.`,
    );
  }
  return {
    ...noiseKind,
    draw(rng) {
      const factor = minFactor === maxFactor ? minFactor : rng.uniform(minFactor, maxFactor);
      const amplitude = factor * (timesUniform ? rng.uniform(0, 1) : 1);
      return { amplitude, scale, seed: seedOf(rng) };
    },
  };
}

/** Colour of noise: equal power in every Hz (white) or in every octave (pink). */
export type NoiseColor = "white" | "pink";

/** What {@linkcode noiseAtSnr} draws. */
export interface NoiseAtSnrParams {
  /** Ratio of the recording's mean power to the noise's, in dB. */
  readonly snrDb: number;
  /** Colour of the noise. */
  readonly color: NoiseColor;
  /** Seed of the noise. */
  readonly seed: number;
}

/** Options of {@linkcode noiseAtSnr}. */
export interface NoiseAtSnrOptions {
  /** Least ratio in dB, from -60; default 5. */
  readonly minSnrDb?: number;
  /** Greatest ratio in dB, up to 120; default 30. */
  readonly maxSnrDb?: number;
  /** Colour; default `white`. */
  readonly color?: NoiseColor;
}

/**
 * Noise of mean 0 from a seed, of no particular level.
 *
 * Pink noise is white noise whose spectrum is divided by the square root of frequency, from 1/length on; its mean is
 * taken out with the bin at 0 Hz.
 *
 * @param length Number of samples.
 * @param options Colour and seed.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(coloredNoise(5, { seed: 1 }), coloredNoise(5, { seed: 1, color: "white" }));
 * assert.notDeepEqual(coloredNoise(5, { seed: 1 }), coloredNoise(5, { seed: 1, color: "pink" }));
 * ```
 */
export function coloredNoise(
  length: number,
  options: { readonly seed: number; readonly color?: NoiseColor },
): Float64Array<ArrayBuffer> {
  const rng = new RandomState(options.seed);
  const out = new Float64Array(length);
  if (options.color !== "pink") {
    for (let i = 0; i < length; i++) out[i] = rng.standardNormal();
    return out;
  }
  let n = 2;
  while (n < length) n *= 2;
  const fft = new RealFft(n);
  for (let i = 0; i < n; i++) fft.input[i] = rng.standardNormal();
  fft.forward();
  fft.re[0] = fft.im[0] = 0;
  for (let k = 1; k < fft.bins; k++) {
    const factor = 1 / Math.sqrt(k);
    fft.re[k]! *= factor;
    fft.im[k]! *= factor;
  }
  fft.inverse();
  out.set(fft.input.subarray(0, length));
  return out;
}

function meanSquare(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!;
  return values.length ? sum / values.length : 0;
}

/** Applies recorded noise at a signal-to-noise ratio, met exactly; digital silence stays silent. */
export const noiseAtSnrKind: Kind<NoiseAtSnrParams> = {
  name: "noise-at-snr",
  version: 1,
  on: "wave",
  parse(params) {
    const fields = new Fields("noise-at-snr", params);
    return {
      snrDb: fields.number("snrDb", -60, 120),
      color: fields.text("color", ["white", "pink"]),
      seed: fields.seed("seed"),
    };
  },
  apply({ samples, sampleRateHz }: Waveform, { snrDb, color, seed }) {
    const made = coloredNoise(samples.length, { seed, color });
    const power = meanSquare(made);
    const factor = power > 0 ? Math.sqrt(meanSquare(samples) / power) * 10 ** (-snrDb / 20) : 0;
    return { samples: samples.map((x, i) => x + factor * made[i]!), sampleRateHz };
  },
};

/**
 * Noise at a drawn signal-to-noise ratio, uniform in dB.
 *
 * @throws {UsageError} when the range is empty or beyond -60 to 120 dB.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = { samples: new Float32Array(16000).map((_, i) => Math.sin(i / 9)), sampleRateHz: 16000 };
 * const { samples } = noiseAtSnr().apply(wave, { snrDb: 20, color: "pink", seed: 7 });
 * const power = (x: Float32Array) => x.reduce((sum, value) => sum + value * value, 0);
 * const noise = samples.map((x, i) => x - wave.samples[i]!);
 * assert.ok(Math.abs(10 * Math.log10(power(wave.samples) / power(noise)) - 20) < 1e-3);
 * ```
 */
export function noiseAtSnr(options: NoiseAtSnrOptions = {}): Augmentation<NoiseAtSnrParams> {
  const { minSnrDb = 5, maxSnrDb = 30, color = "white" } = options;
  if (!(minSnrDb >= -60 && minSnrDb <= maxSnrDb && maxSnrDb <= 120)) {
    throw new UsageError(
      `A signal-to-noise ratio is drawn from a range within -60 to 120 dB, not from ${minSnrDb} to ${maxSnrDb}.`,
    );
  }
  return {
    ...noiseAtSnrKind,
    draw: (rng) => ({ snrDb: rng.uniform(minSnrDb, maxSnrDb), color, seed: seedOf(rng) }),
  };
}
