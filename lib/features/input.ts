/**
 * What the feature functions accept, and the checks they share: samples, a waveform, or a ready spectrogram.
 *
 * @module
 */

import { AudioError, UsageError } from "../errors.ts";
import type { Matrix, Waveform } from "../types.ts";

/** Mono audio: bare samples (then the rate is the option `sr`, 22,050 Hz unless given) or a waveform with its rate. */
export type AudioInput = Float32Array | Waveform;

/** Audio, or a spectrogram `[bins, frames]` that was computed before. */
export type SpectralInput = AudioInput | Matrix;

/** Whether the input is a ready `[bins, frames]` array rather than audio. */
export function isMatrix(input: SpectralInput): input is Matrix {
  return "shape" in input;
}

/** Sampling rate in Hz: the option, else the waveform's, else librosa's default of 22,050. */
export function rateOf(input: SpectralInput, sr: number | undefined): number {
  const rate = sr ?? ("sampleRateHz" in input ? input.sampleRateHz : 22050);
  if (!(rate > 0 && rate < Infinity)) throw new UsageError(`A sampling rate is a positive number of Hz, not ${rate}.`);
  return rate;
}

/** Samples that need no check for now. */
let checked: Float32Array | null = null;

/** Does work on samples that were checked: {@linkcode samplesOf} takes them as they are meanwhile. */
export function withChecked<T>(samples: Float32Array, work: () => T): T {
  const before = checked;
  checked = samples;
  try {
    return work();
  } finally {
    checked = before;
  }
}

/**
 * The samples of audio, checked.
 *
 * @throws {AudioError} when there are none, or one is NaN or infinite.
 */
export function samplesOf(input: AudioInput): Float32Array {
  const samples = input instanceof Float32Array ? input : input.samples;
  if (samples === checked) return samples;
  if (samples.length === 0) throw new AudioError("audio", "holds no samples");
  // A number less itself is 0, for NaN and the infinities it is NaN, which stays in a sum: one branch for all samples.
  let a = 0, b = 0, c = 0, d = 0;
  const n = samples.length, whole = n - n % 4;
  for (let i = 0; i < whole; i += 4) {
    a += samples[i]! - samples[i]!;
    b += samples[i + 1]! - samples[i + 1]!;
    c += samples[i + 2]! - samples[i + 2]!;
    d += samples[i + 3]! - samples[i + 3]!;
  }
  for (let i = whole; i < n; i++) a += samples[i]! - samples[i]!;
  if (a + b + c + d !== 0) {
    const at = samples.findIndex((x) => !Number.isFinite(x));
    throw new AudioError("audio", `sample ${at} is ${samples[at]}, samples must be finite numbers`);
  }
  return samples;
}

/**
 * A matrix, checked: its shape fits its data and no axis is empty.
 *
 * @throws {UsageError} when it does not.
 */
export function matrixOf(input: Matrix): Matrix {
  const [rows, columns] = input.shape;
  if (input.shape.length !== 2 || !(rows > 0) || !(columns > 0) || rows * columns !== input.data.length) {
    throw new UsageError(`A spectrogram is a non-empty [bins, frames] array, not [${input.shape.join(", ")}].`);
  }
  return input;
}

/**
 * An option that must be an integer of at least `least`.
 *
 * @throws {UsageError} when it is not.
 */
export function integerOption(name: string, value: number, least: number): number {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new UsageError(`${name} is an integer of at least ${least}, not ${value}.`);
  }
  return value;
}

/** A new `[rows, columns]` matrix of zeros. */
export function zeros(rows: number, columns: number): Matrix {
  return { data: new Float32Array(rows * columns), shape: [rows, columns] };
}

/** A matrix with rows and columns exchanged, copied in tiles that stay in the cache. */
export function transpose(data: Float32Array, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(data.length);
  const tile = 32;
  for (let r0 = 0; r0 < rows; r0 += tile) {
    const r1 = Math.min(rows, r0 + tile);
    for (let c0 = 0; c0 < columns; c0 += tile) {
      const c1 = Math.min(columns, c0 + tile);
      for (let c = c0; c < c1; c++) {
        for (let r = r0; r < r1; r++) out[c * rows + r] = data[r * columns + c]!;
      }
    }
  }
  return out;
}
