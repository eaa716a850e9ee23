/**
 * The short-time Fourier transform, its inverse, and spectrograms.
 *
 * @module
 */

import { AudioError, UsageError } from "../errors.ts";
import type { Matrix } from "../types.ts";
import { LOG_TABLE, powerToDb } from "./decibels.ts";
import { RealFft, sharedFft } from "./fft.ts";
import {
  type AudioInput,
  integerOption,
  isMatrix,
  matrixOf,
  samplesOf,
  type SpectralInput,
  transpose,
} from "./input.ts";
import { type FramePlan, Kernel, kernel, type SparseBank } from "./kernel.ts";
import { getWindow, type WindowSpec } from "./windows.ts";

/** How samples beyond the ends are made up: zeros, the mirrored signal (NumPy's `reflect`), or the end sample. */
export type PadMode = "constant" | "reflect" | "edge";

/** Options of everything that cuts audio into frames and transforms them; names and defaults are librosa's. */
export interface StftOptions {
  /** Length of a frame and of its transform in samples; default 2048. */
  readonly nFft?: number;
  /** Samples from one frame to the next; default `floor(winLength / 4)`, in feature functions 512. */
  readonly hopLength?: number;
  /** Length of the window in samples, at most `nFft`; default `nFft`. */
  readonly winLength?: number;
  /** The window; default `hann`, periodic. */
  readonly window?: WindowSpec;
  /** Whether frame t is centred at sample `t * hopLength` (default), the ends padded; otherwise it begins there. */
  readonly center?: boolean;
  /** How the ends are padded when centred; default `constant`, zeros. */
  readonly padMode?: PadMode;
}

/** A complex spectrogram, `[1 + nFft / 2, frames]`. */
export interface ComplexMatrix {
  /** Real parts. */
  readonly re: Float32Array;
  /** Imaginary parts. */
  readonly im: Float32Array;
  /** Bins and frames. */
  readonly shape: readonly [number, number];
}

/** A frame plan: options resolved and checked, with the window laid out over `nFft` samples. */
interface Plan extends FramePlan {
  readonly center: boolean;
}

/** Windows already laid out, by name and lengths. */
const windows = new Map<string, Float64Array>();

function layWindow(window: WindowSpec, winLength: number, nFft: number): Float64Array {
  const make = () => {
    const padded = new Float64Array(nFft);
    padded.set(getWindow(window, winLength), (nFft - winLength) >> 1);
    return padded;
  };
  if (typeof window !== "string") return make();
  const key = `${window} ${winLength} ${nFft}`;
  let laid = windows.get(key);
  if (laid === undefined) {
    if (windows.size >= 32) windows.clear();
    windows.set(key, laid = make());
  }
  return laid;
}

function planOf(options: StftOptions): Plan {
  const nFft = integerOption("nFft", options.nFft ?? 2048, 1);
  const winLength = integerOption("winLength", options.winLength ?? nFft, 1);
  if (winLength > nFft) throw new UsageError(`winLength is at most nFft, ${nFft}, not ${winLength}.`);
  const hop = integerOption("hopLength", options.hopLength ?? Math.max(1, Math.floor(winLength / 4)), 1);
  const padMode = options.padMode ?? "constant";
  if (padMode !== "constant" && padMode !== "reflect" && padMode !== "edge") {
    throw new UsageError(`padMode is constant, reflect or edge, not "${padMode}".`);
  }
  const center = options.center ?? true;
  return {
    nFft,
    hop,
    window: layWindow(options.window ?? "hann", winLength, nFft),
    center,
    origin: center ? -Math.floor(nFft / 2) : 0,
    copy: (samples, from, target) => copyPadded(samples, from, target, padMode),
  };
}

/**
 * Number of frames that audio of `length` samples is cut into: `1 + floor((length + padding - nFft) / hopLength)`.
 *
 * @throws {AudioError} when the audio is shorter than one frame and frames are not centred.
 */
export function frameCount(length: number, frameLength: number, hopLength: number, center: boolean): number {
  const padded = length + (center ? 2 * Math.floor(frameLength / 2) : 0);
  if (padded < frameLength) {
    throw new AudioError("audio", `has ${length} samples, a frame of ${frameLength} needs as many when not centred`);
  }
  return 1 + Math.floor((padded - frameLength) / hopLength);
}

/** Index into `length` samples of position `i`, which may lie outside, under NumPy's `reflect` padding. */
export function reflectIndex(i: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const m = ((i % period) + period) % period;
  return m < length ? m : period - m;
}

/** Copies samples `from …` to `target`, making up those beyond the ends. */
export function copyPadded(samples: Float32Array, from: number, target: Float32Array, padMode: PadMode): void {
  const length = samples.length, count = target.length;
  const first = Math.min(count, Math.max(0, -from)), last = Math.max(first, Math.min(count, length - from));
  if (last > first) target.set(samples.subarray(from + first, from + last), first);
  if (padMode === "constant") {
    target.fill(0, 0, first);
    target.fill(0, last);
    return;
  }
  const at = padMode === "reflect"
    ? (i: number) => reflectIndex(i, length)
    : (i: number) => Math.min(length - 1, Math.max(0, i));
  for (let i = 0; i < first; i++) target[i] = samples[at(from + i)]!;
  for (let i = last; i < count; i++) target[i] = samples[at(from + i)]!;
}

/**
 * Short-time Fourier transform (librosa.stft 0.11): frames times a window, transformed; computed in 64 bits.
 *
 * @param audio Samples.
 * @returns `[1 + nFft / 2, frames]`, with `1 + floor(length / hopLength)` frames when centred.
 * @throws {AudioError} when there are no samples, one is not finite, or uncentred audio is shorter than a frame.
 * @throws {UsageError} for an option out of range.
 * @example A cosine of 4 periods a frame stands in bin 4.
 * ```ts
 * import assert from "node:assert/strict";
 * const samples = Float32Array.from({ length: 256 }, (_, i) => Math.cos((2 * Math.PI * 4 * i) / 64));
 * const { re, shape } = stft(samples, { nFft: 64, window: "boxcar", center: false });
 * assert.deepEqual(shape, [33, 13]);
 * assert.ok(Math.abs(re[4 * 13]! - 32) < 1e-5);
 * ```
 */
export function stft(audio: AudioInput, options: StftOptions = {}): ComplexMatrix {
  const samples = samplesOf(audio);
  const plan = planOf(options);
  const frames = framesOf(samples, plan), bins = Math.floor(plan.nFft / 2) + 1;
  const fast = Kernel.takes(plan.nFft) ? kernel() : undefined;
  if (fast !== undefined) {
    const { re, im } = fast.spectra(samples, plan, frames);
    return { re: transpose(re, frames, bins), im: transpose(im, frames, bins), shape: [bins, frames] };
  }
  const outRe = new Float32Array(frames * bins), outIm = new Float32Array(frames * bins);
  visitSpectra(samples, plan, frames, ({ re, im }, t) => {
    outRe.set(re, t * bins);
    outIm.set(im, t * bins);
  });
  return { re: transpose(outRe, frames, bins), im: transpose(outIm, frames, bins), shape: [bins, frames] };
}

/** Options of {@linkcode istft}. */
export interface IstftOptions extends Omit<StftOptions, "padMode"> {
  /** Number of samples to give; default as many as the frames cover (without the padding when centred). */
  readonly length?: number;
}

/**
 * Inverse of {@linkcode stft} by windowed overlap-add, divided by the sum of squared windows (librosa.istft 0.11;
 * Griffin & Lim 1984).
 *
 * @param spectrum Complex spectrogram `[1 + nFft / 2, frames]`.
 * @returns Samples.
 * @throws {UsageError} for options or a shape out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const samples = Float32Array.from({ length: 5000 }, (_, i) => Math.sin(i * i * 1e-4));
 * const again = istft(stft(samples), { length: samples.length });
 * assert.ok(samples.every((x, i) => Math.abs(x - again[i]!) < 1e-5));
 * ```
 */
export function istft(spectrum: ComplexMatrix, options: IstftOptions = {}): Float32Array<ArrayBuffer> {
  const [bins, allFrames] = spectrum.shape;
  if (
    !(bins > 0 && allFrames > 0) || spectrum.re.length !== bins * allFrames || spectrum.im.length !== bins * allFrames
  ) {
    throw new UsageError(`A complex spectrogram is a non-empty [bins, frames] array, not [${bins}, ${allFrames}].`);
  }
  const plan = planOf({ ...options, nFft: options.nFft ?? Math.max(1, 2 * (bins - 1)) });
  const { nFft, hop, window } = plan;
  const fft = new RealFft(nFft);
  if (fft.bins !== bins) throw new UsageError(`nFft ${nFft} has ${fft.bins} bins, the spectrogram ${bins}.`);
  const margin = options.center ?? true ? Math.floor(nFft / 2) : 0;
  const frames = options.length === undefined
    ? allFrames
    : Math.min(allFrames, Math.ceil((integerOption("length", options.length, 0) + 2 * margin) / hop));
  const length = options.length ?? Math.max(0, nFft + hop * (frames - 1) - 2 * margin);
  const sum = new Float64Array(length), weight = new Float64Array(length);
  const re = transpose(spectrum.re, bins, allFrames), im = transpose(spectrum.im, bins, allFrames);
  for (let t = 0; t < frames; t++) {
    fft.re.set(re.subarray(t * bins, (t + 1) * bins));
    fft.im.set(im.subarray(t * bins, (t + 1) * bins));
    fft.inverse();
    const from = t * hop - margin;
    const first = Math.max(0, -from), last = Math.min(nFft, length - from);
    for (let i = first; i < last; i++) {
      const w = window[i]!;
      sum[from + i]! += w * fft.input[i]!;
      weight[from + i]! += w * w;
    }
  }
  const out = new Float32Array(length);
  // Where no window reaches, dividing would only blow rounding up: librosa leaves float32's tiniest numbers alone.
  for (let i = 0; i < length; i++) out[i] = weight[i]! > 1.1754943508222875e-38 ? sum[i]! / weight[i]! : sum[i]!;
  return out;
}

/** Number of frames of a plan. */
function framesOf(samples: Float32Array, plan: Plan): number {
  return frameCount(samples.length, plan.nFft, plan.hop, plan.center);
}

/** Transforms the frames of audio one after the other; `visit` gets the same buffers every time. */
function visitSpectra(
  samples: Float32Array,
  plan: Plan,
  frames: number,
  visit: (spectrum: RealFft, frame: number) => void,
): void {
  const fft = sharedFft(plan.nFft);
  const frame = new Float32Array(plan.nFft);
  for (let t = 0; t < frames; t++) {
    plan.copy(samples, plan.origin + t * plan.hop, frame);
    for (let i = 0; i < frame.length; i++) fft.input[i] = frame[i]! * plan.window[i]!;
    fft.forward();
    visit(fft, t);
  }
}

/**
 * Band energies of the power spectra of audio, `[frames, bands]`, without keeping the spectra.
 *
 * @param single Whether 32 bits are enough: where all that counts lies within 80 dB of the maximum, as `topDb` makes it,
 * they change some 0.001 dB and take half the time.
 */
export function bandPowers(samples: Float32Array, options: StftOptions, bank: SparseBank, single: boolean): Matrix {
  const plan = planOf({ hopLength: 512, ...options });
  const frames = framesOf(samples, plan);
  const fast = Kernel.takes(plan.nFft) ? kernel() : undefined;
  if (fast !== undefined) {
    return { data: fast.bandPowers(samples, plan, frames, bank, single), shape: [frames, bank.bands] };
  }
  const data = new Float32Array(frames * bank.bands);
  const power = new Float64Array(bank.bins);
  visitSpectra(samples, plan, frames, ({ re, im }, t) => {
    for (let k = 0; k < power.length; k++) power[k] = re[k]! * re[k]! + im[k]! * im[k]!;
    applyBank(bank, power, 0, data, t * bank.bands);
  });
  return { data, shape: [frames, bank.bands] };
}

/** Applies the filters to one spectrum that begins at `at`. */
export function applyBank(
  { bands, first, count, start, weights }: SparseBank,
  spectrum: ArrayLike<number>,
  at: number,
  out: Float32Array,
  to: number,
): void {
  for (let m = 0; m < bands; m++) {
    let sum = 0;
    const w = start[m]!, from = at + first[m]!, n = count[m]!;
    for (let k = 0; k < n; k++) sum += weights[w + k]! * spectrum[from + k]!;
    out[to + m] = sum;
  }
}

/** Absolute values in the 32-bit steps of NumPy's vector loop: max · sqrt(1 + (min / max)²), the sum fused. */
function numpyMagnitudes(re: Float64Array, im: Float64Array, out: Float32Array, at: number): void {
  for (let k = 0; k < re.length; k++) {
    const a = Math.abs(Math.fround(re[k]!)), b = Math.abs(Math.fround(im[k]!));
    const large = a > b ? a : b, small = a > b ? b : a;
    const ratio = large > 0 ? Math.fround(small / large) : 0;
    out[at + k] = large * Math.fround(Math.sqrt(Math.fround(ratio * ratio + 1)));
  }
}

/** Spectra that lie frame by frame (each frame's bins together), which is how most features read them. */
export interface FrameSpectra {
  /** Values, `frames * bins`. */
  readonly data: Float32Array;
  /** Number of frames. */
  readonly frames: number;
  /** Number of bins a frame. */
  readonly bins: number;
  /** Length of the transform in samples. */
  readonly nFft: number;
}

/**
 * The spectrogram of audio raised to `power`, or a ready one, frame by frame (librosa's `_spectrogram`).
 *
 * A ready spectrogram is taken as it is, whatever its power; it only has to be real and non-empty.
 *
 * @param rounding `numpy`: the last bit as NumPy's absolute value of a complex64 has it. Digital silence with a single
 * step in it has a flat spectrum, whose peaks are rounding; librosa's tuning estimate counts them all the same.
 */
export function frameSpectra(
  input: SpectralInput,
  options: StftOptions,
  power: number,
  rounding: "fast" | "numpy" = "fast",
): FrameSpectra {
  if (isMatrix(input)) {
    const { data, shape: [bins, frames] } = matrixOf(input);
    const asked = options.nFft ?? 2048;
    const nFft = Math.floor(asked / 2) + 1 === bins ? asked : 2 * (bins - 1);
    return { data: transpose(data, bins, frames), frames, bins, nFft };
  }
  const samples = samplesOf(input);
  const plan = planOf({ hopLength: 512, ...options });
  const frames = framesOf(samples, plan), bins = Math.floor(plan.nFft / 2) + 1;
  const fast = Kernel.takes(plan.nFft) ? kernel() : undefined;
  let data: Float32Array<ArrayBuffer>;
  let held = 2;
  if (fast !== undefined) {
    data = rounding === "numpy" ? fast.magnitudes(samples, plan, frames) : fast.powers(samples, plan, frames);
  } else {
    data = new Float32Array(frames * bins);
    visitSpectra(samples, plan, frames, ({ re, im }, t) => {
      if (rounding === "numpy") numpyMagnitudes(re, im, data, t * bins);
      else for (let k = 0; k < bins; k++) data[t * bins + k] = re[k]! * re[k]! + im[k]! * im[k]!;
    });
  }
  if (rounding === "numpy") held = 1;
  raise(data, power / held);
  return { data, frames, bins, nFft: plan.nFft };
}

/** Raises values to a power, in place. */
function raise(data: Float32Array, exponent: number): void {
  if (exponent === 1) return;
  if (exponent === 0.5) { for (let i = 0; i < data.length; i++) data[i] = Math.sqrt(data[i]!); }
  else if (exponent === 2) { for (let i = 0; i < data.length; i++) data[i]! *= data[i]!; }
  else for (let i = 0; i < data.length; i++) data[i] = data[i]! ** exponent;
}

/**
 * Magnitude spectra of audio in dB (`amplitudeToDb` of ref 1 without `topDb`), frame by frame, and the largest value.
 */
export function dbSpectra(
  input: AudioInput,
  options: StftOptions,
  amin: number,
): FrameSpectra & { readonly top: number } {
  const samples = samplesOf(input);
  const plan = planOf({ hopLength: 512, ...options });
  const fast = Kernel.takes(plan.nFft) ? kernel() : undefined;
  if (fast !== undefined) {
    const frames = framesOf(samples, plan);
    const { data, top } = fast.powersDb(samples, plan, frames, amin * amin, 0, LOG_TABLE);
    return { data, top, frames, bins: plan.nFft / 2 + 1, nFft: plan.nFft };
  }
  const spectra = frameSpectra(input, options, 2);
  const { data } = powerToDb({ data: spectra.data, shape: [spectra.data.length] }, { amin: amin * amin, topDb: null });
  return { ...spectra, data, top: data.reduce((most, x) => Math.max(most, x), -Infinity) };
}

/**
 * Magnitude spectrogram raised to `power`: `np.abs(librosa.stft(y)) ** power`.
 *
 * @param audio Samples.
 * @param options As {@linkcode stft}, hop 512 by default; `power` 1 (default) for magnitude, 2 for power.
 * @returns `[1 + nFft / 2, frames]`, not negative.
 * @throws {AudioError} when there are no samples, one is not finite, or uncentred audio is shorter than a frame.
 * @throws {UsageError} for an option out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(spectrogram(new Float32Array(1000)).shape, [1025, 2]);
 * ```
 */
export function spectrogram(audio: AudioInput, options: StftOptions & { readonly power?: number } = {}): Matrix {
  const { data, frames, bins } = frameSpectra(audio, options, options.power ?? 1);
  return { data: transpose(data, frames, bins), shape: [bins, frames] };
}

/**
 * Magnitudes `[bins, frames]` of a complex spectrogram.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const magnitudes = magnitude({ re: Float32Array.of(3, 0), im: Float32Array.of(4, -2), shape: [1, 2] });
 * assert.deepEqual([...magnitudes.data], [5, 2]);
 * ```
 */
export function magnitude(spectrum: ComplexMatrix): Matrix {
  const data = new Float32Array(spectrum.re.length);
  for (let i = 0; i < data.length; i++) {
    const r = spectrum.re[i]!, j = spectrum.im[i]!;
    data[i] = Math.sqrt(r * r + j * j);
  }
  return { data, shape: spectrum.shape };
}

/**
 * Centre frequencies in Hz of the bins of a transform (librosa.fft_frequencies), `[1 + floor(nFft / 2)]`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual([...fftFrequencies({ sr: 16, nFft: 8 })], [0, 2, 4, 6, 8]);
 * ```
 */
export function fftFrequencies(options: { readonly sr?: number; readonly nFft?: number } = {}): Float64Array {
  const nFft = integerOption("nFft", options.nFft ?? 2048, 1);
  const sr = options.sr ?? 22050;
  return Float64Array.from({ length: Math.floor(nFft / 2) + 1 }, (_, k) => (k * sr) / nFft);
}
