/**
 * The short-time Fourier transform, its inverse, and spectrograms.
 *
 * @module
 */

import { AudioError, UsageError } from "../errors.ts";
import type { Matrix } from "../types.ts";
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
interface Plan {
  readonly nFft: number;
  readonly hop: number;
  readonly window: Float64Array;
  readonly padMode: PadMode;
  /** First sample of frame 0, negative when centred. */
  readonly origin: number;
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
  return {
    nFft,
    hop,
    window: layWindow(options.window ?? "hann", winLength, nFft),
    padMode,
    origin: options.center ?? true ? -Math.floor(nFft / 2) : 0,
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

/** Copies samples `from …` into `frame`, padding both ends, times the window. */
function loadFrame(samples: Float32Array, from: number, plan: Plan, frame: Float64Array): void {
  const { nFft, window, padMode } = plan;
  const length = samples.length;
  const first = Math.min(nFft, Math.max(0, -from)), last = Math.max(first, Math.min(nFft, length - from));
  if (padMode === "constant") {
    frame.fill(0, 0, first);
    frame.fill(0, last);
  } else {
    for (let i = 0; i < nFft; i++) {
      if (i === first) i = last;
      if (i >= nFft) break;
      const at = from + i;
      frame[i] = window[i]! *
        samples[padMode === "reflect" ? reflectIndex(at, length) : Math.min(length - 1, Math.max(0, at))]!;
    }
  }
  for (let i = first, at = from + first; i < last; i++, at++) frame[i] = window[i]! * samples[at]!;
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
  const { hopLength = Math.max(1, Math.floor((options.winLength ?? options.nFft ?? 2048) / 4)) } = options;
  let outRe = new Float32Array(0), outIm = new Float32Array(0), bins = 0;
  const frames = visitSpectra(samples, { ...options, hopLength }, (spectrum, t, count) => {
    if (t === 0) {
      bins = spectrum.bins;
      outRe = new Float32Array(count * bins);
      outIm = new Float32Array(count * bins);
    }
    outRe.set(spectrum.re, t * bins);
    outIm.set(spectrum.im, t * bins);
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

/** Transforms the frames of audio one after the other; `visit` gets the same buffers every time. Returns their number. */
function visitSpectra(
  samples: Float32Array,
  options: StftOptions,
  visit: (spectrum: RealFft, frame: number, frames: number) => void,
): number {
  const plan = planOf({ hopLength: 512, ...options });
  const frames = frameCount(samples.length, plan.nFft, plan.hop, options.center ?? true);
  const fft = sharedFft(plan.nFft);
  for (let t = 0; t < frames; t++) {
    loadFrame(samples, plan.origin + t * plan.hop, plan, fft.input);
    fft.forward();
    visit(fft, t, frames);
  }
  return frames;
}

/**
 * Power spectra frame by frame, without keeping them: `visit` gets the same array `[1 + nFft / 2]` every time.
 *
 * @returns Number of frames.
 */
export function visitPower(
  samples: Float32Array,
  options: StftOptions,
  visit: (power: Float64Array, frame: number, frames: number) => void,
): number {
  let power = new Float64Array(0);
  return visitSpectra(samples, options, ({ re, im, bins }, t, frames) => {
    if (t === 0) power = new Float64Array(bins);
    for (let k = 0; k < bins; k++) power[k] = re[k]! * re[k]! + im[k]! * im[k]!;
    visit(power, t, frames);
  });
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
  let data = new Float32Array(0), width = 0;
  const frames = visitSpectra(samples, options, ({ re, im, bins }, t, count) => {
    if (t === 0) data = new Float32Array(count * (width = bins));
    const at = t * width;
    if (rounding === "numpy") numpyMagnitudes(re, im, data, at);
    else {for (let k = 0; k < width; k++) {
        data[at + k] = power === 2 ? re[k]! * re[k]! + im[k]! * im[k]! : Math.sqrt(re[k]! * re[k]! + im[k]! * im[k]!);
      }}
    if (power === 2 && rounding === "numpy") { for (let k = at; k < at + width; k++) data[k]! *= data[k]!; }
    else if (power !== 1 && power !== 2) { for (let k = at; k < at + width; k++) data[k] = data[k]! ** power; }
  });
  return { data, frames, bins: width, nFft: options.nFft ?? 2048 };
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
