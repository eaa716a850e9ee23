/**
 * The mel scale, its filter bank, mel spectrograms, MFCC.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { Matrix } from "../types.ts";
import { type DecibelOptions, powerToDb } from "./decibels.ts";
import { integerOption, isMatrix, matrixOf, rateOf, samplesOf, type SpectralInput, transpose } from "./input.ts";
import { kernel, type SparseBank } from "./kernel.ts";
import { normalizeInPlace } from "./normalize.ts";
import { applyBank, bandPowers, type FrameSpectra, frameSpectra, type StftOptions } from "./spectrum.ts";

/** Hz a mel below the break of Slaney's scale. */
const HZ_PER_MEL = 200 / 3;
/** Where Slaney's scale turns logarithmic, in Hz and in mels. */
const BREAK_HZ = 1000, BREAK_MEL = BREAK_HZ / HZ_PER_MEL;
/** Natural logarithm of the ratio of neighbouring mels above the break: 27 steps make a factor of 6.4. */
const LOG_STEP = Math.log(6.4) / 27;

/**
 * Mels of a frequency in Hz (librosa.hz_to_mel): Slaney's Auditory Toolbox (1998), linear below 1 kHz and logarithmic
 * above, or with `htk` the formula of the HTK book, `2595 log10(1 + f / 700)`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.ok(Math.abs(hzToMel(60) - 0.9) < 1e-12);
 * assert.ok(Math.abs(hzToMel(1000, { htk: true }) - 999.985537) < 1e-5);
 * ```
 */
export function hzToMel(hz: number, options: { readonly htk?: boolean } = {}): number {
  if (options.htk) return 2595 * Math.log10(1 + hz / 700);
  return hz >= BREAK_HZ ? BREAK_MEL + Math.log(hz / BREAK_HZ) / LOG_STEP : hz / HZ_PER_MEL;
}

/**
 * Frequency in Hz of mels (librosa.mel_to_hz), the inverse of {@linkcode hzToMel}.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.ok(Math.abs(melToHz(3) - 200) < 1e-9);
 * ```
 */
export function melToHz(mel: number, options: { readonly htk?: boolean } = {}): number {
  if (options.htk) return 700 * (10 ** (mel / 2595) - 1);
  return mel >= BREAK_MEL ? BREAK_HZ * Math.exp(LOG_STEP * (mel - BREAK_MEL)) : HZ_PER_MEL * mel;
}

/**
 * Frequencies in Hz that lie evenly on the mel scale from `fmin` to `fmax` (librosa.mel_frequencies).
 *
 * @param nMels How many; default 128.
 * @param options `fmin` 0 Hz, `fmax` 11,025 Hz, `htk` false.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual([...melFrequencies(3, { fmax: 400 })].map(Math.round), [0, 200, 400]);
 * ```
 */
export function melFrequencies(
  nMels = 128,
  options: { readonly fmin?: number; readonly fmax?: number; readonly htk?: boolean } = {},
): Float64Array {
  integerOption("nMels", nMels, 1);
  const low = hzToMel(options.fmin ?? 0, options), high = hzToMel(options.fmax ?? 11025, options);
  const step = nMels === 1 ? 0 : (high - low) / (nMels - 1);
  return Float64Array.from(
    { length: nMels },
    (_, i) => melToHz(i === nMels - 1 && i > 0 ? high : low + i * step, options),
  );
}

/** Options of the mel filter bank; names and defaults are librosa's. */
export interface MelOptions {
  /** Number of bands; default 128. */
  readonly nMels?: number;
  /** Lowest frequency in Hz; default 0. */
  readonly fmin?: number;
  /** Highest frequency in Hz; default half the sampling rate. */
  readonly fmax?: number;
  /** HTK's formula instead of Slaney's; default false. */
  readonly htk?: boolean;
  /** `slaney` (default): each triangle has unit area; a number: that norm of each filter is 1; `null`: peaks of 1. */
  readonly norm?: "slaney" | number | null;
}

const banks = new Map<string, SparseBank>();

function bankOf(sr: number, nFft: number, options: MelOptions): SparseBank {
  const nMels = integerOption("nMels", options.nMels ?? 128, 1);
  const fmin = options.fmin ?? 0, fmax = options.fmax ?? sr / 2, htk = options.htk ?? false;
  const norm = options.norm === undefined ? "slaney" : options.norm;
  const key = JSON.stringify([sr, nFft, nMels, fmin, fmax, htk, norm === Infinity ? "inf" : norm]);
  let bank = banks.get(key);
  if (bank !== undefined) return bank;
  if (!(fmin >= 0 && fmax > fmin)) {
    throw new UsageError(`Mel bands lie between 0 ≤ fmin < fmax, not from ${fmin} to ${fmax} Hz.`);
  }
  if (norm !== null && norm !== "slaney" && !(norm > 0)) {
    throw new UsageError(`norm is "slaney", null or a positive number, not ${norm}.`);
  }
  const bins = Math.floor(nFft / 2) + 1;
  const edges = melFrequencies(nMels + 2, { fmin, fmax, htk });
  const first = new Int32Array(nMels), count = new Int32Array(nMels), start = new Int32Array(nMels);
  const weights: number[] = [];
  for (let m = 0; m < nMels; m++) {
    const left = edges[m]!, centre = edges[m + 1]!, right = edges[m + 2]!;
    start[m] = weights.length;
    const scale = norm === "slaney" ? 2 / (right - left) : 1;
    for (let k = 0; k < bins; k++) {
      const f = (k * sr) / nFft;
      const height = Math.min((f - left) / (centre - left), (right - f) / (right - centre));
      if (!(height > 0)) continue;
      if (count[m] === 0) first[m] = k;
      count[m]!++;
      // librosa keeps the filters in 32 bits, rounding once for the triangle and once for its scale.
      weights.push(Math.fround(Math.fround(height) * scale));
    }
    if (typeof norm === "number") {
      const filter = Float64Array.from(weights.slice(start[m]!));
      normalizeInPlace(filter, norm);
      filter.forEach((w, i) => weights[start[m]! + i] = Math.fround(w));
    }
  }
  bank = {
    bands: nMels,
    bins,
    first,
    count,
    start,
    weights: Float64Array.from(weights),
    single: Float32Array.from(weights),
  };
  if (banks.size >= 32) banks.clear();
  banks.set(key, bank);
  return bank;
}

/**
 * Triangular filters on the mel scale (librosa.filters.mel 0.11).
 *
 * @param sr Sampling rate in Hz.
 * @param options Bands, `nFft` (default 2048) and the filters' norm.
 * @returns `[nMels, 1 + nFft / 2]`, not negative.
 * @throws {UsageError} for an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const { data, shape } = melFilters(22050, { nMels: 40 });
 * assert.deepEqual(shape, [40, 1025]);
 * // Slaney's norm: every triangle covers 1, in Hz.
 * const area = data.subarray(20 * 1025, 21 * 1025).reduce((a, b) => a + b) * 22050 / 2048;
 * assert.ok(Math.abs(area - 1) < 0.02);
 * ```
 */
export function melFilters(sr: number, options: MelOptions & { readonly nFft?: number } = {}): Matrix {
  const { bands: nMels, bins, first, count, start, weights } = bankOf(
    rateOf(new Float32Array(0), sr),
    integerOption("nFft", options.nFft ?? 2048, 1),
    options,
  );
  const data = new Float32Array(nMels * bins);
  for (let m = 0; m < nMels; m++) {
    data.set(weights.subarray(start[m], start[m]! + count[m]!), m * bins + first[m]!);
  }
  return { data, shape: [nMels, bins] };
}

/** Options of {@linkcode melspectrogram}. */
export interface MelSpectrogramOptions extends StftOptions, MelOptions {
  /** Sampling rate in Hz; default the waveform's, or 22,050. */
  readonly sr?: number;
  /** Exponent of the magnitude: 1 for amplitude, 2 (default) for power. */
  readonly power?: number;
}

/** Mel spectra of ready spectra, or of their squares, frame by frame, `frames * nMels`. */
export function melOfFrames(
  { data, frames, bins, nFft }: FrameSpectra,
  sr: number,
  options: MelOptions,
  square = false,
): Float32Array<ArrayBuffer> {
  const bank = bankOf(sr, nFft, options);
  const fast = kernel();
  if (fast !== undefined) return fast.bands(data, frames, bank, square);
  const out = new Float32Array(frames * bank.bands);
  const row = new Float32Array(bins);
  for (let t = 0; t < frames; t++) {
    for (let k = 0; k < bins; k++) row[k] = square ? data[t * bins + k]! * data[t * bins + k]! : data[t * bins + k]!;
    applyBank(bank, row, 0, out, t * bank.bands);
  }
  return out;
}

/** Mel spectra of audio or of a spectrogram, frame by frame: `[frames, nMels]`; `single` as in `bandPowers`. */
export function melFrames(input: SpectralInput, options: MelSpectrogramOptions, single = false): Matrix {
  const sr = rateOf(input, options.sr);
  const power = options.power ?? 2;
  if (isMatrix(input) || power !== 2) {
    const spectra = frameSpectra(input, options, power);
    return { data: melOfFrames(spectra, sr, options), shape: [spectra.frames, options.nMels ?? 128] };
  }
  return bandPowers(samplesOf(input), options, bankOf(sr, options.nFft ?? 2048, options), single);
}

/**
 * Mel spectrogram of audio or of a spectrogram (librosa.feature.melspectrogram 0.11).
 *
 * @param input Audio, or a power spectrogram `[1 + nFft / 2, frames]`.
 * @param options STFT (2048, hop 512, hann, centred), filters (128 bands, Slaney) and `power` 2.
 * @returns Power (or amplitude) per band, `[nMels, frames]`, not negative.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} for an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = { samples: Float32Array.from({ length: 16000 }, (_, i) => Math.sin(i)), sampleRateHz: 16000 };
 * assert.deepEqual(melspectrogram(wave, { nMels: 40 }).shape, [40, 32]);
 * ```
 */
export function melspectrogram(input: SpectralInput, options: MelSpectrogramOptions = {}): Matrix {
  const { data, shape: [frames, nMels] } = melFrames(input, options);
  return { data: transpose(data, frames, nMels), shape: [nMels, frames] };
}

/** Cosines of the DCT-II of `n` values: `[count, n]`, orthonormal or unscaled (then with SciPy's factor 2). */
function dctBasis(count: number, n: number, ortho: boolean): Float32Array {
  const key = `${count} ${n} ${ortho}`;
  let basis = bases.get(key);
  if (basis !== undefined) return basis;
  basis = new Float32Array(count * n);
  for (let k = 0; k < count; k++) {
    const scale = !ortho ? 2 : Math.sqrt((k === 0 ? 1 : 2) / n);
    for (let i = 0; i < n; i++) basis[k * n + i] = scale * Math.cos((Math.PI * k * (2 * i + 1)) / (2 * n));
  }
  if (bases.size >= 16) bases.clear();
  bases.set(key, basis);
  return basis;
}
const bases = new Map<string, Float32Array>();

/**
 * Type II discrete cosine transform of the columns (scipy.fft.dct, axis -2).
 *
 * @param matrix `[rows, frames]`.
 * @param options `norm`: `ortho` (default) or `null`; `count`: how many coefficients, default all.
 * @returns `[count, frames]`.
 * @example A constant has only its mean.
 * ```ts
 * import assert from "node:assert/strict";
 * const { data } = dct({ data: Float32Array.of(3, 3, 3, 3), shape: [4, 1] });
 * assert.deepEqual([...data].map((x) => Math.round(x * 1e6) / 1e6 + 0), [6, 0, 0, 0]);
 * ```
 */
export function dct(
  matrix: Matrix,
  options: { readonly norm?: "ortho" | null; readonly count?: number } = {},
): Matrix {
  const { data, shape: [rows, frames] } = matrixOf(matrix);
  const count = Math.min(rows, integerOption("count", options.count ?? rows, 1));
  const turned = dctOfFrames(transpose(data, rows, frames), frames, rows, count, options.norm !== null);
  return { data: turned, shape: [count, frames] };
}

/** DCT-II of each frame's `n` values; the result is `[count, frames]`. */
function dctOfFrames(
  values: Float32Array,
  frames: number,
  n: number,
  count: number,
  ortho: boolean,
): Float32Array<ArrayBuffer> {
  const basis = dctBasis(count, n, ortho);
  const fast = kernel();
  if (fast !== undefined) return transpose(fast.products(values, frames, n, basis, count), frames, count);
  const out = new Float32Array(count * frames);
  for (let t = 0; t < frames; t++) {
    const at = t * n;
    for (let k = 0; k < count; k++) {
      let sum = 0;
      const b = k * n;
      for (let i = 0; i < n; i++) sum += basis[b + i]! * values[at + i]!;
      out[k * frames + t] = sum;
    }
  }
  return out;
}

/** Options of {@linkcode mfcc}. */
export interface MfccOptions extends Omit<MelSpectrogramOptions, "norm"> {
  /** Number of coefficients; default 20. */
  readonly nMfcc?: number;
  /** Norm of the DCT-II: `ortho` (default) or `null`. */
  readonly norm?: "ortho" | null;
  /** Cepstral liftering: coefficient k is scaled by `1 + lifter / 2 · sin(π (k + 1) / lifter)`; default 0, none. */
  readonly lifter?: number;
  /** Norm of the mel filters; default `slaney`. */
  readonly melNorm?: "slaney" | number | null;
}

/**
 * Mel-frequency cepstral coefficients (librosa.feature.mfcc 0.11): the DCT-II of the mel spectrogram in dB
 * (`powerToDb` with ref 1.0 and topDb 80).
 *
 * @param input Audio, or a mel spectrogram in dB `[nMels, frames]`.
 * @returns `[nMfcc, frames]` (`[nMels, frames]` where there are fewer bands than coefficients).
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} for an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = { samples: Float32Array.from({ length: 22050 }, (_, i) => Math.sin(i * 0.1)), sampleRateHz: 22050 };
 * assert.deepEqual(mfcc(wave, { nMfcc: 13 }).shape, [13, 44]);
 * ```
 */
export function mfcc(input: SpectralInput, options: MfccOptions = {}): Matrix {
  const { norm, melNorm, nMfcc: asked, lifter = 0, ...rest } = options;
  const nMfcc = integerOption("nMfcc", asked ?? 20, 1);
  if (!(lifter >= 0)) throw new UsageError(`lifter is a number from 0 up, not ${lifter}.`);
  let frames: number, bands: number, db: Float32Array;
  if (isMatrix(input)) {
    const { data, shape } = matrixOf(input);
    [bands, frames] = shape;
    db = transpose(data, bands, frames);
  } else {
    const mel = melFrames(input, melNorm === undefined ? rest : { ...rest, norm: melNorm }, true);
    [frames, bands] = mel.shape;
    db = powerToDb(mel).data;
  }
  return mfccOfFrames(db, frames, bands, nMfcc, norm !== null, lifter);
}

/** MFCC of mel spectra in dB that lie frame by frame. */
export function mfccOfFrames(
  db: Float32Array,
  frames: number,
  bands: number,
  nMfcc: number,
  ortho = true,
  lifter = 0,
): Matrix {
  const count = Math.min(nMfcc, bands);
  const data = dctOfFrames(db, frames, bands, count, ortho);
  if (lifter > 0) {
    for (let k = 0; k < count; k++) {
      const scale = 1 + (lifter / 2) * Math.sin((Math.PI * (k + 1)) / lifter);
      for (let t = 0; t < frames; t++) data[k * frames + t]! *= scale;
    }
  }
  return { data, shape: [count, frames] };
}

/**
 * Mel spectrogram in decibels: `powerToDb(melspectrogram(input))`, in one go.
 *
 * @param input Audio, or a power spectrogram `[1 + nFft / 2, frames]`.
 * @param options Those of {@linkcode melspectrogram} and {@linkcode powerToDb}.
 * @returns dB, `[nMels, frames]`.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} for an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = { samples: Float32Array.from({ length: 8000 }, (_, i) => Math.sin(i * 0.1)), sampleRateHz: 8000 };
 * const { data } = logMelSpectrogram(wave, { nMels: 40, ref: "max" });
 * assert.equal(Math.max(...data), 0);
 * ```
 */
export function logMelSpectrogram(
  input: SpectralInput,
  options: MelSpectrogramOptions & DecibelOptions = {},
): Matrix {
  // What lies lower than topDb under the maximum is not seen.
  const topDb = options.topDb === undefined ? 80 : options.topDb;
  const mel = melFrames(input, options, topDb !== null && topDb <= 80);
  const { data, shape: [frames, nMels] } = powerToDb(mel, options);
  return { data: transpose(data, frames, nMels), shape: [nMels, frames] };
}
