/**
 * Perceptual descriptors by Meyda, for exploration: how loud, how sharp, how spread over the ear's critical bands.
 *
 * This module is apart from `mod.ts`, so that what only wants librosa's features does not load Meyda.
 *
 * Meyda is pleasant where librosa has nothing; it does not define the same things alike (its spectral centroid is in
 * bins, its zero crossings are counts), so the studies' features never come from here.
 *
 * @module
 */

import MeydaModule from "meyda";
import { UsageError } from "../errors.ts";
import type { Matrix } from "../types.ts";
import { type AudioInput, integerOption, rateOf, samplesOf } from "./input.ts";
import { frameCount } from "./spectrum.ts";

/** What is used of Meyda; its types describe the ES module, Deno and bundlers may hand out either form. */
interface MeydaLike {
  sampleRate: number;
  bufferSize: number;
  windowingFunction: string;
  extract(features: readonly string[], frame: Float32Array): {
    readonly loudness?: { readonly total: number; readonly specific: Float32Array };
    readonly perceptualSharpness?: number;
    readonly perceptualSpread?: number;
  } | null;
}
const found = MeydaModule as unknown as MeydaLike & { readonly default?: MeydaLike };
const meyda: MeydaLike = found.default ?? found;

/** Number of critical bands on the Bark scale that Meyda uses. */
const BARK_BANDS = 24;

/** Options of {@linkcode perceptual}. */
export interface PerceptualOptions {
  /** Sampling rate in Hz; default the waveform's, or 22,050. */
  readonly sr?: number;
  /** Length of a frame in samples, a power of two; default 2048. */
  readonly frameLength?: number;
  /** Samples from one frame to the next; default 512. */
  readonly hopLength?: number;
}

/** Perceptual descriptors over time, one value a frame. */
export interface Perceptual {
  /** Total loudness: the sum over the Bark bands (Peeters 2004), without unit. */
  readonly loudness: Float32Array;
  /** Loudness of each Bark band, `[24, frames]`. */
  readonly specificLoudness: Matrix;
  /** Sharpness as Meyda has it (bands above the 15th enter by their weight, not by loudness); 0 in digital silence. */
  readonly sharpness: Float32Array;
  /** Spread: how little the loudest band dominates, in [0, 1]; 0 in digital silence. */
  readonly spread: Float32Array;
}

/**
 * Loudness, sharpness and spread of each frame (Meyda 5.6.3: `loudness`, `perceptualSharpness`, `perceptualSpread`;
 * hann window; frames centred, ends padded with zeros).
 *
 * @param audio Samples.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} when the frame's length is not a power of two.
 * @example A louder tone is louder.
 * ```ts
 * import assert from "node:assert/strict";
 * const tone = Float32Array.from({ length: 4096 }, (_, i) => 0.1 * Math.sin(i * 0.2));
 * const quiet = perceptual(tone), loud = perceptual(tone.map((x) => 5 * x));
 * assert.ok(loud.loudness[4]! > quiet.loudness[4]!);
 * ```
 */
export function perceptual(audio: AudioInput, options: PerceptualOptions = {}): Perceptual {
  const samples = samplesOf(audio);
  const sr = rateOf(audio, options.sr);
  const frameLength = integerOption("frameLength", options.frameLength ?? 2048, 64);
  if ((frameLength & (frameLength - 1)) !== 0) {
    throw new UsageError(`frameLength is a power of two, not ${frameLength}.`);
  }
  const hop = integerOption("hopLength", options.hopLength ?? 512, 1);
  const frames = frameCount(samples.length, frameLength, hop, true);
  const loudness = new Float32Array(frames), sharpness = new Float32Array(frames), spread = new Float32Array(frames);
  const specific = new Float32Array(BARK_BANDS * frames);
  // Meyda's settings are global: set before every use, whoever used it last.
  meyda.sampleRate = sr;
  meyda.bufferSize = frameLength;
  meyda.windowingFunction = "hanning";
  const frame = new Float32Array(frameLength);
  for (let t = 0; t < frames; t++) {
    frame.fill(0);
    const from = t * hop - frameLength / 2, first = Math.max(0, from);
    const part = samples.subarray(first, Math.max(first, from + frameLength));
    frame.set(part, first - from);
    const values = meyda.extract(["loudness", "perceptualSharpness", "perceptualSpread"], frame);
    const total = values?.loudness?.total ?? 0;
    loudness[t] = total;
    values?.loudness?.specific.forEach((x, band) => specific[band * frames + t] = x);
    // Meyda divides by the loudness, also by none.
    sharpness[t] = total > 0 ? values?.perceptualSharpness ?? 0 : 0;
    spread[t] = total > 0 ? values?.perceptualSpread ?? 0 : 0;
  }
  return { loudness, specificLoudness: { data: specific, shape: [BARK_BANDS, frames] }, sharpness, spread };
}
