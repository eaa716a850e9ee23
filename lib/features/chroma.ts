/**
 * Pitch classes: tuning, chroma, tonal centroids.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { Matrix } from "../types.ts";
import { integerOption, matrixOf, rateOf, type SpectralInput, transpose } from "./input.ts";
import { kernel } from "./kernel.ts";
import { normalizeInPlace } from "./normalize.ts";
import { type FrameSpectra, frameSpectra, type StftOptions } from "./spectrum.ts";

/** Options of {@linkcode piptrack}. */
export interface PiptrackOptions extends StftOptions {
  /** Sampling rate in Hz; default the waveform's, or 22,050. */
  readonly sr?: number;
  /** Lowest frequency in Hz; default 150. */
  readonly fmin?: number;
  /** Highest frequency in Hz; default 4000. */
  readonly fmax?: number;
  /** Peaks lower than this share of a frame's largest value are left out; default 0.1. */
  readonly threshold?: number;
}

/** Visits the interpolated spectral peaks of all frames, in librosa's 32-bit arithmetic. */
function visitPeaks(
  { data, frames, bins, nFft }: FrameSpectra,
  sr: number,
  options: PiptrackOptions,
  visit: (bin: number, frame: number, frequency: number, magnitude: number) => void,
): void {
  const fmin = Math.max(0, options.fmin ?? 150), fmax = Math.min(options.fmax ?? 4000, sr / 2);
  const threshold = Math.fround(options.threshold ?? 0.1);
  let first = 0, end = 0;
  while (first < bins && (first * sr) / nFft < fmin) first++;
  while (end < bins && (end * sr) / nFft < fmax) end++;
  for (let t = 0; t < frames; t++) {
    const at = t * bins;
    let largest = -Infinity;
    for (let k = 0; k < bins; k++) if (data[at + k]! > largest) largest = data[at + k]!;
    const least = Math.fround(threshold * largest);
    // The lowest bin has no neighbour below and the highest none above: librosa finds no peak in the one, and in the
    // other one without interpolation.
    for (let k = Math.max(1, first); k < end; k++) {
      const x = data[at + k]!, below = data[at + k - 1]!;
      if (!(x > least && x > below)) continue;
      if (k === bins - 1) {
        visit(k, t, Math.fround((k * sr) / nFft), x);
        continue;
      }
      const above = data[at + k + 1]!;
      if (!(x >= above)) continue;
      const a = Math.fround(above + below) - 2 * x, b = Math.fround(Math.fround(above - below) / 2);
      const shift = Math.abs(b) >= Math.abs(a) ? 0 : Math.fround(-b / a);
      visit(k, t, Math.fround(((k + shift) * sr) / nFft), Math.fround(x + Math.fround(0.5 * b * shift)));
    }
  }
}

/**
 * Pitch tracking by parabolic interpolation of spectral peaks (librosa.piptrack 0.11).
 *
 * @param input Audio, or a magnitude spectrogram `[1 + nFft / 2, frames]`.
 * @returns Frequencies in Hz and magnitudes of the peaks, both `[1 + nFft / 2, frames]`, 0 where there is no peak.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} for an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const samples = Float32Array.from({ length: 22050 }, (_, i) => Math.sin((2 * Math.PI * 440 * i) / 22050));
 * const { pitches } = piptrack(samples);
 * assert.ok(Math.abs(pitches.data[41 * 44 + 20]! - 440) < 1);
 * ```
 */
export function piptrack(
  input: SpectralInput,
  options: PiptrackOptions = {},
): { readonly pitches: Matrix; readonly magnitudes: Matrix } {
  const spectra = frameSpectra(input, options, 1, "numpy");
  const { frames, bins } = spectra;
  const pitches = new Float32Array(bins * frames), magnitudes = new Float32Array(bins * frames);
  visitPeaks(spectra, rateOf(input, options.sr), options, (k, t, frequency, magnitude) => {
    pitches[k * frames + t] = frequency;
    magnitudes[k * frames + t] = magnitude;
  });
  const shape = [bins, frames] as const;
  return { pitches: { data: pitches, shape }, magnitudes: { data: magnitudes, shape } };
}

/** Options of {@linkcode pitchTuning}. */
export interface TuningOptions {
  /** Step of the result in bins; default 0.01. */
  readonly resolution?: number;
  /** Bins an octave; default 12. */
  readonly binsPerOctave?: number;
}

/**
 * How far frequencies lie from the scale of A = 440 Hz, in fractions of a bin (librosa.pitch_tuning 0.11).
 *
 * @param frequencies In Hz; those at 0 are left out.
 * @returns The most frequent deviation, in [-0.5, 0.5); 0 without frequencies.
 * @throws {UsageError} for an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.ok(Math.abs(pitchTuning([440 * 2 ** (0.25 / 12), 220 * 2 ** (0.25 / 12)]) - 0.25) < 0.011);
 * ```
 */
export function pitchTuning(frequencies: ArrayLike<number>, options: TuningOptions = {}): number {
  const resolution = options.resolution ?? 0.01;
  const binsPerOctave = integerOption("binsPerOctave", options.binsPerOctave ?? 12, 1);
  if (!(resolution > 0)) throw new UsageError(`resolution is a positive number, not ${resolution}.`);
  const cells = Math.ceil(1 / resolution);
  const edge = (i: number) => i === cells ? 0.5 : -0.5 + i * (1 / cells);
  const counts = new Int32Array(cells);
  for (let i = 0; i < frequencies.length; i++) {
    const f = frequencies[i]!;
    if (!(f > 0)) continue;
    // librosa computes this in 32 bits, and its histogram has sharp edges.
    const octaves = Math.fround(Math.log2(Math.fround(f / 27.5)));
    const bins = Math.fround(binsPerOctave * octaves);
    let residual = bins - Math.floor(bins);
    if (residual >= 0.5) residual -= 1;
    let cell = Math.min(cells - 1, Math.max(0, Math.floor((residual + 0.5) * cells)));
    while (cell > 0 && residual < edge(cell)) cell--;
    while (cell < cells - 1 && residual >= edge(cell + 1)) cell++;
    counts[cell]!++;
  }
  let best = 0;
  for (let i = 1; i < cells; i++) if (counts[i]! > counts[best]!) best = i;
  return counts[best] === 0 ? 0 : edge(best);
}

/** Options of {@linkcode estimateTuning}. */
export interface EstimateTuningOptions extends PiptrackOptions, TuningOptions {}

/**
 * Tuning of audio in fractions of a bin from A = 440 Hz (librosa.estimate_tuning 0.11): of its spectral peaks, those
 * at least as strong as the median.
 *
 * @param input Audio, or a spectrogram `[1 + nFft / 2, frames]`.
 * @returns Deviation in [-0.5, 0.5), 0 where no peak is found.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} for an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(estimateTuning(new Float32Array(4096)), 0);
 * ```
 */
export function estimateTuning(input: SpectralInput, options: EstimateTuningOptions = {}): number {
  return tuningOfFrames(frameSpectra(input, options, 1, "numpy"), rateOf(input, options.sr), options);
}

/** {@linkcode estimateTuning} of ready spectra. */
export function tuningOfFrames(spectra: FrameSpectra, sr: number, options: EstimateTuningOptions = {}): number {
  const frequencies: number[] = [], magnitudes: number[] = [];
  visitPeaks(spectra, sr, options, (_k, _t, frequency, magnitude) => {
    if (frequency > 0) {
      frequencies.push(frequency);
      magnitudes.push(magnitude);
    }
  });
  const n = magnitudes.length;
  if (n === 0) return 0;
  const sorted = Float32Array.from(magnitudes).sort();
  const median = n % 2 === 1 ? sorted[(n - 1) / 2]! : Math.fround((sorted[n / 2 - 1]! + sorted[n / 2]!) / 2);
  return pitchTuning(frequencies.filter((_, i) => magnitudes[i]! >= median), options);
}

/** Options of {@linkcode chromaFilters}; names and defaults are librosa's. */
export interface ChromaFilterOptions {
  /** Number of pitch classes; default 12. */
  readonly nChroma?: number;
  /** Deviation from A = 440 Hz in fractions of a class; default 0. */
  readonly tuning?: number;
  /** Centre of the weighting over octaves; default 5. */
  readonly ctroct?: number;
  /** Width of that Gaussian in octaves; `null` weights all octaves alike; default 2. */
  readonly octwidth?: number | null;
  /** Whether the first class is C (default) rather than A. */
  readonly baseC?: boolean;
}

/**
 * Filters from frequency bins to pitch classes (librosa.filters.chroma 0.11, after Ellis 2007).
 *
 * @param sr Sampling rate in Hz.
 * @returns `[nChroma, 1 + nFft / 2]`, not negative.
 * @throws {UsageError} for an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const { data, shape: [classes, bins] } = chromaFilters(22050);
 * const bin = Math.round((440 * 2048) / 22050);
 * const weights = Array.from({ length: classes }, (_, c) => data[c * bins + bin]!);
 * assert.equal(weights.indexOf(Math.max(...weights)), 9); // A
 * ```
 */
export function chromaFilters(
  sr: number,
  options: ChromaFilterOptions & { readonly nFft?: number } = {},
): Matrix {
  const nFft = integerOption("nFft", options.nFft ?? 2048, 2);
  const nChroma = integerOption("nChroma", options.nChroma ?? 12, 1);
  const { tuning = 0, ctroct = 5, baseC = true } = options;
  const octwidth = options.octwidth === undefined ? 2 : options.octwidth;
  const bins = Math.floor(nFft / 2) + 1;
  const reference = (440 * 2 ** (tuning / nChroma)) / 16;
  // Position of each bin in classes above the reference; one more is needed for the last bin's width.
  const position = new Float64Array(bins + 1);
  for (let k = 1; k <= bins; k++) position[k] = nChroma * Math.log2((k * sr) / nFft / reference);
  // 0 Hz has no logarithm: librosa puts it one and a half octaves below bin 1.
  position[0] = position[1]! - 1.5 * nChroma;
  // NumPy rounds halves to even.
  const halfway = nChroma / 2;
  const half = halfway % 1 === 0.5 ? 2 * Math.round(halfway / 2) : halfway;
  const out = new Float32Array(nChroma * bins);
  const column = new Float64Array(nChroma);
  const roll = baseC ? 3 * Math.floor(nChroma / 12) : 0;
  for (let k = 0; k < bins; k++) {
    // The highest of all nFft bins has a width of 1; it lies in the half that is dropped unless nFft is 2.
    const width = k === nFft - 1 ? 1 : Math.max(position[k + 1]! - position[k]!, 1);
    for (let c = 0; c < nChroma; c++) {
      const x = position[k]! - c + half + 10 * nChroma;
      const distance = x - Math.floor(x / nChroma) * nChroma - half;
      column[c] = Math.exp(-0.5 * ((2 * distance) / width) ** 2);
    }
    normalizeInPlace(column, 2);
    const weight = octwidth === null ? 1 : Math.exp(-0.5 * ((position[k]! / nChroma - ctroct) / octwidth) ** 2);
    for (let c = 0; c < nChroma; c++) out[((c - roll + nChroma) % nChroma) * bins + k] = column[c]! * weight;
  }
  return { data: out, shape: [nChroma, bins] };
}

/** Options of {@linkcode chromaStft}. */
export interface ChromaOptions extends StftOptions, ChromaFilterOptions {
  /** Sampling rate in Hz; default the waveform's, or 22,050. */
  readonly sr?: number;
  /** Norm of each frame: `Infinity` (default) makes the largest class 1; `null` leaves energies. */
  readonly norm?: number | null;
}

/**
 * Chromagram from the STFT (librosa.feature.chroma_stft 0.11); the tuning is estimated unless given.
 *
 * @param input Audio (its power spectrogram is taken), or a spectrogram `[1 + nFft / 2, frames]` of any power.
 * @returns `[nChroma, frames]`, in [0, 1] with the default norm; zeros in digital silence.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} for an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const samples = Float32Array.from({ length: 22050 }, (_, i) => Math.sin((2 * Math.PI * 440 * i) / 22050));
 * const { data, shape: [, frames] } = chromaStft(samples);
 * assert.equal(data[9 * frames + 20], 1); // A
 * ```
 */
export function chromaStft(input: SpectralInput, options: ChromaOptions = {}): Matrix {
  return chromaOfFrames(frameSpectra(input, options, 2, "numpy"), rateOf(input, options.sr), options);
}

/** {@linkcode chromaStft} of ready spectra. */
export function chromaOfFrames(spectra: FrameSpectra, sr: number, options: ChromaOptions = {}): Matrix {
  const { data, frames, bins, nFft } = spectra;
  const norm = options.norm === undefined ? Infinity : options.norm;
  if (norm !== null && !(norm > 0)) throw new UsageError(`norm is null, Infinity or a positive number, not ${norm}.`);
  const nChroma = integerOption("nChroma", options.nChroma ?? 12, 1);
  const tuning = options.tuning ?? tuningOfFrames(spectra, sr, { binsPerOctave: nChroma });
  const filters = chromaFilters(sr, { ...options, nFft, tuning }).data;
  const out = transpose(filterFrames(data, frames, bins, filters, nChroma), frames, nChroma);
  if (norm !== null) { for (let t = 0; t < frames; t++) normalizeInPlace(out, norm, t, nChroma, frames); }
  return { data: out, shape: [nChroma, frames] };
}

/** Scalar products of each frame with each filter, `[frames, rows]`. */
function filterFrames(
  data: Float32Array,
  frames: number,
  bins: number,
  filters: Float32Array,
  rows: number,
): Float32Array {
  const fast = kernel();
  if (fast !== undefined) return fast.products(data, frames, bins, filters, rows);
  const out = new Float32Array(frames * rows);
  for (let t = 0; t < frames; t++) {
    for (let c = 0; c < rows; c++) {
      let sum = 0;
      for (let k = 0; k < bins; k++) sum += filters[c * bins + k]! * data[t * bins + k]!;
      out[t * rows + c] = sum;
    }
  }
  return out;
}

/**
 * Tonal centroids: fifths, minor and major thirds as two coordinates each (librosa.feature.tonnetz 0.11 with `chroma`
 * given; Harte, Sandler & Gasser 2006). librosa's own default chroma is a constant-Q one, which is not made here.
 *
 * @param chroma `[nChroma, frames]`, for instance of {@linkcode chromaStft}.
 * @returns `[6, frames]`, in [-1, 1].
 * @throws {UsageError} when the chroma is empty.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const chroma = { data: new Float32Array(12).fill(1), shape: [12, 1] } as const;
 * assert.ok(tonnetz(chroma).data.every((x) => Math.abs(x) < 1e-6));
 * ```
 */
export function tonnetz(chroma: Matrix): Matrix {
  const { data, shape: [classes, frames] } = matrixOf(chroma);
  const scale = [7 / 6, 7 / 6, 3 / 2, 3 / 2, 2 / 3, 2 / 3], radius = [1, 1, 1, 1, 0.5, 0.5];
  const out = new Float32Array(6 * frames);
  const column = new Float64Array(classes);
  for (let t = 0; t < frames; t++) {
    for (let c = 0; c < classes; c++) column[c] = data[c * frames + t]!;
    normalizeInPlace(column, 1);
    for (let i = 0; i < 6; i++) {
      let sum = 0;
      for (let c = 0; c < classes; c++) {
        // Even coordinates are sines, written as cosines half a turn of π/2 back.
        sum += column[c]! * Math.cos(Math.PI * (scale[i]! * ((12 * c) / classes) - (i % 2 === 0 ? 0.5 : 0)));
      }
      out[i * frames + t] = radius[i]! * sum;
    }
  }
  return { data: out, shape: [6, frames] };
}
