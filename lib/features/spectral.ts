/**
 * Descriptions of each frame's spectrum: where it lies, how wide, how tonal.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { Matrix } from "../types.ts";
import { log10InPlace, powerToDb } from "./decibels.ts";
import { integerOption, rateOf, type SpectralInput, transpose } from "./input.ts";
import { TINY } from "./normalize.ts";
import { type FrameSpectra, frameSpectra, type StftOptions } from "./spectrum.ts";

/** Options of the functions here: the STFT's, and the rate. */
export interface SpectralOptions extends StftOptions {
  /** Sampling rate in Hz; default the waveform's, or 22,050. */
  readonly sr?: number;
}

/** Magnitude spectra, checked not to be negative. */
function magnitudes(input: SpectralInput, options: SpectralOptions): FrameSpectra & { readonly sr: number } {
  const spectra = frameSpectra(input, options, 1);
  for (let i = 0; i < spectra.data.length; i++) {
    if (!(spectra.data[i]! >= 0)) throw new UsageError(`A magnitude is not negative, not ${spectra.data[i]}.`);
  }
  return { ...spectra, sr: rateOf(input, options.sr) };
}

/** Centroid of each frame in Hz, 0 where there is no energy. */
function centroids({ data, frames, bins, nFft, sr }: FrameSpectra & { readonly sr: number }): Float64Array {
  const out = new Float64Array(frames);
  for (let t = 0; t < frames; t++) {
    let sum = 0, moment = 0;
    for (let k = 0, at = t * bins; k < bins; k++, at++) {
      sum += data[at]!;
      moment += k * data[at]!;
    }
    out[t] = sum >= TINY ? ((moment / sum) * sr) / nFft : (moment * sr) / nFft;
  }
  return out;
}

/**
 * Spectral centroid in Hz: the mean frequency weighted by magnitude (librosa.feature.spectral_centroid 0.11).
 *
 * @param input Audio, or a magnitude spectrogram `[1 + nFft / 2, frames]`.
 * @returns `[1, frames]`, in [0, sr / 2]; 0 in digital silence.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} for a negative magnitude or an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const spectrum = { data: Float32Array.of(0, 1, 1), shape: [3, 1] } as const;
 * assert.equal(spectralCentroid(spectrum, { sr: 8000, nFft: 4 }).data[0], 3000);
 * ```
 */
export function spectralCentroid(input: SpectralInput, options: SpectralOptions = {}): Matrix {
  const spectra = magnitudes(input, options);
  return { data: Float32Array.from(centroids(spectra)), shape: [1, spectra.frames] };
}

/** Options of {@linkcode spectralBandwidth}. */
export interface BandwidthOptions extends SpectralOptions {
  /** Whether each frame's magnitudes are scaled to a sum of 1; default true. */
  readonly norm?: boolean;
  /** Power of the deviation; default 2, a standard deviation. */
  readonly p?: number;
}

/**
 * Spectral bandwidth in Hz: the p-th order deviation from the centroid (librosa.feature.spectral_bandwidth 0.11).
 *
 * @param input Audio, or a magnitude spectrogram `[1 + nFft / 2, frames]`.
 * @returns `[1, frames]`, not negative.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} for a negative magnitude or an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const spectrum = { data: Float32Array.of(0, 1, 1), shape: [3, 1] } as const;
 * assert.equal(spectralBandwidth(spectrum, { sr: 8000, nFft: 4 }).data[0], 1000);
 * ```
 */
export function spectralBandwidth(input: SpectralInput, options: BandwidthOptions = {}): Matrix {
  const p = options.p ?? 2, norm = options.norm ?? true;
  if (!(p > 0)) throw new UsageError(`p is a positive number, not ${p}.`);
  const spectra = magnitudes(input, options);
  const { data, frames, bins, nFft, sr } = spectra;
  const centre = centroids(spectra);
  const out = new Float32Array(frames);
  for (let t = 0; t < frames; t++) {
    let sum = 0, moment = 0;
    const step = sr / nFft;
    for (let k = 0, at = t * bins; k < bins; k++, at++) {
      const deviation = Math.abs(k * step - centre[t]!);
      sum += data[at]!;
      moment += data[at]! * (p === 2 ? deviation * deviation : deviation ** p);
    }
    if (norm && sum >= TINY) moment /= sum;
    out[t] = p === 2 ? Math.sqrt(moment) : moment ** (1 / p);
  }
  return { data: out, shape: [1, frames] };
}

/** Options of {@linkcode spectralRolloff}. */
export interface RolloffOptions extends SpectralOptions {
  /** Share of the summed magnitude below the roll-off frequency, in (0, 1); default 0.85. */
  readonly rollPercent?: number;
}

/**
 * Roll-off frequency in Hz: the lowest bin below (and with) which `rollPercent` of the summed magnitude lies
 * (librosa.feature.spectral_rolloff 0.11, whose sums are of 32 bits).
 *
 * @param input Audio, or a magnitude spectrogram `[1 + nFft / 2, frames]`.
 * @returns `[1, frames]`, in [0, sr / 2]; 0 in digital silence.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} for a negative magnitude or an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const spectrum = { data: Float32Array.of(6, 3, 1), shape: [3, 1] } as const;
 * assert.equal(spectralRolloff(spectrum, { sr: 8000, nFft: 4 }).data[0], 2000);
 * ```
 */
export function spectralRolloff(input: SpectralInput, options: RolloffOptions = {}): Matrix {
  const rollPercent = options.rollPercent ?? 0.85;
  if (!(rollPercent > 0 && rollPercent < 1)) throw new UsageError(`rollPercent lies in (0, 1), not at ${rollPercent}.`);
  const { data, frames, bins, nFft, sr } = magnitudes(input, options);
  const out = new Float32Array(frames);
  const sums = new Float32Array(bins);
  for (let t = 0; t < frames; t++) {
    let sum = 0;
    for (let k = 0, at = t * bins; k < bins; k++, at++) sums[k] = sum = Math.fround(sum + data[at]!);
    const threshold = Math.fround(Math.fround(rollPercent) * sum);
    let k = 0;
    while (sums[k]! < threshold) k++;
    out[t] = (k * sr) / nFft;
  }
  return { data: out, shape: [1, frames] };
}

/** Options of {@linkcode spectralFlatness}. */
export interface FlatnessOptions extends StftOptions {
  /** Smallest power that is told from zero; default 1e-10. */
  readonly amin?: number;
  /** Exponent of the magnitude; default 2. */
  readonly power?: number;
}

/**
 * Spectral flatness: the geometric over the arithmetic mean of the power (librosa.feature.spectral_flatness 0.11).
 *
 * @param input Audio, or a magnitude spectrogram `[1 + nFft / 2, frames]`.
 * @returns `[1, frames]`, in (0, 1]: 1 for white noise and for silence, near 0 for a tone.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} for a negative magnitude or an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const spectrum = { data: Float32Array.of(1, 2), shape: [2, 1] } as const;
 * assert.ok(Math.abs(spectralFlatness(spectrum).data[0]! - 2 / 2.5) < 1e-6);
 * ```
 */
export function spectralFlatness(input: SpectralInput, options: FlatnessOptions = {}): Matrix {
  const amin = options.amin ?? 1e-10, power = options.power ?? 2;
  if (!(amin > 0)) throw new UsageError(`amin is a positive number, not ${amin}.`);
  const { data, frames, bins } = magnitudes(input, options);
  const out = new Float32Array(frames);
  const line = new Float64Array(bins);
  for (let t = 0; t < frames; t++) {
    let mean = 0;
    for (let k = 0, at = t * bins; k < bins; k++, at++) {
      const x = data[at]!;
      mean += line[k] = Math.max(amin, power === 2 ? x * x : x ** power);
    }
    log10InPlace(line);
    let log = 0;
    for (let k = 0; k < bins; k++) log += line[k]!;
    out[t] = 10 ** (log / bins) / (mean / bins);
  }
  return { data: out, shape: [1, frames] };
}

/** Options of {@linkcode spectralContrast}. */
export interface ContrastOptions extends SpectralOptions {
  /** Upper edge of the lowest band in Hz; default 200. */
  readonly fmin?: number;
  /** Number of octave bands above it; default 6. */
  readonly nBands?: number;
  /** Share of the bins that make a peak and a valley, in (0, 1); default 0.02. */
  readonly quantile?: number;
  /** Whether peak and valley are subtracted as magnitudes rather than as dB; default false. */
  readonly linear?: boolean;
}

/** The closest integer, halves to the even one, as NumPy's rint. */
function rint(x: number): number {
  const r = Math.round(x);
  return r - x === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/**
 * Spectral contrast: by how many dB the strongest bins of each octave band exceed the weakest
 * (librosa.feature.spectral_contrast 0.11; Jiang et al. 2002).
 *
 * @param input Audio, or a magnitude spectrogram `[1 + nFft / 2, frames]`.
 * @returns dB (or magnitude when `linear`), `[nBands + 1, frames]`.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} for a band above the Nyquist frequency, or one without a bin.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const samples = Float32Array.from({ length: 22050 }, (_, i) => Math.sin(i * 0.3));
 * assert.deepEqual(spectralContrast(samples).shape, [7, 44]);
 * ```
 */
export function spectralContrast(input: SpectralInput, options: ContrastOptions = {}): Matrix {
  const fmin = options.fmin ?? 200, quantile = options.quantile ?? 0.02;
  const nBands = integerOption("nBands", options.nBands ?? 6, 1);
  if (!(quantile > 0 && quantile < 1)) throw new UsageError(`quantile lies in (0, 1), not at ${quantile}.`);
  if (!(fmin > 0)) throw new UsageError(`fmin is a positive number of Hz, not ${fmin}.`);
  const { data, frames, bins, nFft, sr } = frameSpectraWithRate(input, options);
  const edges = [0, ...Array.from({ length: nBands + 1 }, (_, i) => fmin * 2 ** i)];
  if (edges[nBands]! >= sr / 2) {
    throw new UsageError(`Band ${nBands} begins at ${edges[nBands]} Hz, above half the rate of ${sr} Hz.`);
  }
  const rows = nBands + 1;
  const peak = new Float32Array(rows * frames), valley = new Float32Array(rows * frames);
  for (let b = 0; b < rows; b++) {
    let first = 0, last = bins - 1;
    while (first < bins && (first * sr) / nFft < edges[b]!) first++;
    while (last >= 0 && (last * sr) / nFft > edges[b + 1]!) last--;
    if (last < first) throw new UsageError(`No bin lies from ${edges[b]} to ${edges[b + 1]} Hz; raise nFft or fmin.`);
    // A band begins with the last bin of the one below, and the highest takes all that remain.
    if (b > 0) first = Math.max(0, first - 1);
    if (b === nBands) last = bins - 1;
    const share = Math.max(1, rint(quantile * (last - first + 1)));
    // Every band but the highest leaves its last bin to the next.
    const end = b < nBands ? last : last + 1;
    extremes(data, frames, bins, first, end, share, valley.subarray(b * frames), peak.subarray(b * frames));
  }
  const shape = [rows, frames] as const;
  if (options.linear) return { data: peak.map((x, i) => x - valley[i]!), shape };
  const low = powerToDb({ data: valley, shape }).data;
  return { data: powerToDb({ data: peak, shape }).data.map((x, i) => x - low[i]!), shape };
}

function frameSpectraWithRate(
  input: SpectralInput,
  options: SpectralOptions,
): FrameSpectra & { readonly sr: number } {
  return { ...frameSpectra(input, options, 1), sr: rateOf(input, options.sr) };
}

/** Means of the `share` smallest and largest values of bins `first …end` of each frame. */
function extremes(
  data: Float32Array,
  frames: number,
  bins: number,
  first: number,
  end: number,
  share: number,
  lowest: Float32Array,
  highest: Float32Array,
): void {
  const n = Math.max(0, end - first);
  const count = Math.min(share, n);
  const small = new Float32Array(count), large = new Float32Array(count);
  for (let t = 0; t < frames; t++) {
    small.fill(Infinity);
    large.fill(-Infinity);
    for (let k = first, at = t * bins + first; k < end; k++, at++) {
      const x = data[at]!;
      // Both lists stay sorted, their worst member first: most values fail the first comparison.
      if (x < small[0]!) {
        let i = 0;
        while (i + 1 < count && small[i + 1]! > x) {
          small[i] = small[i + 1]!;
          i++;
        }
        small[i] = x;
      }
      if (x > large[0]!) {
        let i = 0;
        while (i + 1 < count && large[i + 1]! < x) {
          large[i] = large[i + 1]!;
          i++;
        }
        large[i] = x;
      }
    }
    let low = 0, high = 0;
    for (let i = 0; i < count; i++) {
      low += small[i]!;
      high += large[i]!;
    }
    lowest[t] = count > 0 ? low / count : 0;
    highest[t] = count > 0 ? high / count : 0;
  }
}

/**
 * Slope of each frame's spectrum in dB per kHz over a band, by least squares (the eGeMAPS set uses 0–500 and
 * 500–1500 Hz; Eyben et al. 2016).
 *
 * @param input Audio, or a power spectrogram `[1 + nFft / 2, frames]`.
 * @param options The band in Hz: `fmin` (default 0), `fmax` (default 500).
 * @returns `[1, frames]`.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} when the band holds fewer than two bins.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * // Power falls by 10 dB from bin to bin, bins lie 1 kHz apart.
 * const spectrum = { data: Float32Array.of(1, 0.1, 0.01), shape: [3, 1] } as const;
 * assert.ok(Math.abs(spectralSlope(spectrum, { sr: 4000, nFft: 4, fmax: 2000 }).data[0]! + 10) < 1e-4);
 * ```
 */
export function spectralSlope(
  input: SpectralInput,
  options: SpectralOptions & { readonly fmin?: number; readonly fmax?: number } = {},
): Matrix {
  const { data, frames, bins, nFft } = frameSpectra(input, options, 2);
  const sr = rateOf(input, options.sr);
  const fmin = options.fmin ?? 0, fmax = options.fmax ?? 500;
  const first = Math.max(0, Math.ceil((fmin * nFft) / sr)), last = Math.min(bins - 1, Math.floor((fmax * nFft) / sr));
  const n = last - first + 1;
  if (!(n >= 2)) throw new UsageError(`The band from ${fmin} to ${fmax} Hz holds fewer than two bins.`);
  const kHz = sr / nFft / 1000, middle = (first + last) / 2;
  let spread = 0;
  for (let k = first; k <= last; k++) spread += (k - middle) ** 2;
  const line = new Float64Array(n);
  const out = new Float32Array(frames);
  for (let t = 0; t < frames; t++) {
    for (let i = 0; i < n; i++) line[i] = Math.max(1e-10, data[t * bins + first + i]!);
    log10InPlace(line);
    let moment = 0;
    for (let i = 0; i < n; i++) moment += (first + i - middle) * line[i]!;
    out[t] = (10 * moment) / (spread * kHz);
  }
  return { data: out, shape: [1, frames] };
}

/** Turns frame-by-frame spectra to `[bins, frames]`. */
export function spectraToMatrix({ data, frames, bins }: FrameSpectra): Matrix {
  return { data: transpose(data, frames, bins), shape: [bins, frames] };
}
