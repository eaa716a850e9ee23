/**
 * Time stretch: faster or slower at the same pitch, by a phase vocoder.
 *
 * Sources: J. L. Flanagan and R. M. Golden, "Phase Vocoder", Bell System Technical Journal 45 (1966); D. Ellis, "A Phase
 * Vocoder in Matlab" (2002), which librosa.phase_vocoder follows.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { sharedFft } from "../features/fft.ts";
import { type AudioInput, integerOption, samplesOf, transpose } from "../features/input.ts";
import { TINY } from "../features/normalize.ts";
import { type ComplexMatrix, frameCount } from "../features/spectrum.ts";
import { getWindow } from "../features/windows.ts";
import { type Augmentation, Fields, type Kind } from "./augmentation.ts";

/** Slowest and fastest rates that are taken: beyond, nothing of speech is left and memory runs out. */
export const STRETCH_RATES = { least: 0.05, most: 20 } as const;

function checkRate(rate: number): void {
  if (!(rate >= STRETCH_RATES.least && rate <= STRETCH_RATES.most)) {
    throw new UsageError(
      `A stretch's rate is a number from ${STRETCH_RATES.least} to ${STRETCH_RATES.most}, not ${rate}.`,
    );
  }
}

const TURN = 2 * Math.PI;

/** π in two parts, the first of 33 bits, so that its products with whole numbers up to 2^20 are exact. */
const PI_HIGH = 3.1415926534682512, PI_LOW = Math.PI - PI_HIGH + 1.2246467991473532e-16;

/**
 * Coefficients of atan(x) / x on [-1, 1] by powers of x², from its Chebyshev series 2 Σ (-1)^k q^(2k+1) / (2k+1)
 * T(2k+1), q = √2 - 1 (Rivlin, "Chebyshev Polynomials", 1990): 13 terms leave less than 1e-11.
 */
const ATAN: readonly number[] = (() => {
  const terms = 13;
  const out = new Array<number>(terms).fill(0);
  let before: number[] = [1], now: number[] = [0, 1];
  for (let degree = 1; degree < 2 * terms; degree++) {
    if (degree % 2 === 1) {
      const weight = 2 * (degree % 4 === 1 ? 1 : -1) * (Math.SQRT2 - 1) ** degree / degree;
      for (let power = 1; power <= degree; power += 2) out[(power - 1) / 2]! += weight * now[power]!;
    }
    // T(n + 1) = 2x T(n) - T(n - 1).
    const next = [0, ...now.map((c) => 2 * c)];
    before.forEach((c, power) => next[power]! -= c);
    [before, now] = [now, next];
  }
  return out;
})();

/**
 * Magnitudes and angles of complex numbers, written from index `at` on, to the rounding of 32-bit floats; several times
 * as fast as Math.atan2.
 */
function polar(re: Float32Array, im: Float32Array, magnitudes: Float32Array, angles: Float32Array, at: number): void {
  const [a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12] = ATAN as Tuple13;
  for (let k = 0; k < re.length; k++) {
    const x = re[k]!, y = im[k]!;
    const magnitude = Math.sqrt(x * x + y * y);
    magnitudes[at + k] = magnitude;
    // Half the angle from the horizontal axis lies within a quarter turn: tan(φ/2) = y / (|z| + |x|).
    const half = y / (magnitude + Math.abs(x) + 1e-300), h = half * half;
    // Estrin's order: shorter chains of dependent operations than Horner's.
    const h2 = h * h, h4 = h2 * h2;
    const low = (a0 + a1 * h) + (a2 + a3 * h) * h2;
    const middle = (a4 + a5 * h) + (a6 + a7 * h) * h2;
    const high = (a8 + a9 * h) + (a10 + a11 * h) * h2 + a12 * h4;
    const angle = 2 * half * (low + middle * h4 + high * (h4 * h4));
    angles[at + k] = x < 0 ? (y < 0 ? -Math.PI : Math.PI) - angle : angle;
  }
}

type Tuple13 = [number, number, number, number, number, number, number, number, number, number, number, number, number];

/**
 * Complex numbers from magnitudes and angles; cosine and sine rounded to 32 bits first, as librosa has them. Taylor
 * series after reduction to half a turn, without a branch.
 */
function rectangular(magnitudes: Float64Array, angles: Float32Array, re: Float32Array, im: Float32Array): void {
  for (let k = 0; k < angles.length; k++) {
    const angle = angles[k]!;
    const halfTurns = Math.floor(angle * (1 / Math.PI) + 0.5);
    const x = (angle - halfTurns * PI_HIGH) - halfTurns * PI_LOW, s = x * x;
    const sign = 1 - 2 * (halfTurns & 1);
    const s2 = s * s, s4 = s2 * s2;
    const sine = x * ((1 - s * (1 / 6)) + (1 / 120 - s * (1 / 5040)) * s2 +
      ((1 / 362880 - s * (1 / 39916800)) + (1 / 6227020800 - s * (1 / 1307674368000)) * s2) * s4);
    const cosine = (1 - s * 0.5) + (1 / 24 - s * (1 / 720)) * s2 +
      ((1 / 40320 - s * (1 / 3628800)) + (1 / 479001600 - s * (1 / 87178291200)) * s2) * s4 +
      s4 * s4 * (1 / 20922789888000);
    const length = sign * magnitudes[k]!;
    re[k] = Math.fround(cosine) * length;
    im[k] = Math.fround(sine) * length;
  }
}

/** Magnitudes and angles of a spectrogram, frame by frame, two frames of silence after the last one. */
interface PolarFrames {
  readonly magnitudes: Float32Array;
  readonly angles: Float32Array;
  readonly bins: number;
  readonly frames: number;
}

/** Makes the frames of a stretched spectrogram one after the other; `visit` gets the same buffers every time. */
function vocode(
  { magnitudes, angles, bins, frames }: PolarFrames,
  rate: number,
  hop: number,
  visit: (re: Float32Array, im: Float32Array, frame: number) => void,
): void {
  const step = 1 / (2 * (bins - 1) * (1 / TURN));
  const expected = Float64Array.from({ length: bins }, (_, k) => hop * (k * step));
  const phases = angles.slice(0, bins), lengths = new Float64Array(bins);
  const re = new Float32Array(bins), im = new Float32Array(bins);
  for (let t = 0; t < stretchedFrames(frames, rate); t++) {
    const place = t * rate;
    const frame = Math.floor(place), part = place - frame;
    const from = frame * bins, to = from + bins;
    for (let k = 0; k < bins; k++) lengths[k] = (1 - part) * magnitudes[from + k]! + part * magnitudes[to + k]!;
    rectangular(lengths, phases, re, im);
    visit(re, im, t);
    for (let k = 0; k < bins; k++) {
      const advance = expected[k]!;
      const excess = Math.fround(angles[to + k]! - angles[from + k]!) - advance;
      phases[k] = phases[k]! + (advance + (excess - TURN * Math.floor(excess * (1 / TURN) + 0.5)));
    }
  }
}

function stretchedFrames(frames: number, rate: number): number {
  return Math.ceil(frames / rate);
}

/** Nearest integer, halves to the even one (Python's round, NumPy's rint). */
export function roundHalfEven(x: number): number {
  const down = Math.floor(x);
  const part = x - down;
  return part > 0.5 || (part === 0.5 && down % 2 !== 0) ? down + 1 : down;
}

/**
 * Stretches a complex spectrogram in time (librosa.phase_vocoder 0.11): magnitudes are interpolated, phases advance by
 * what they advance from frame to frame in the original.
 *
 * Phases are summed in 32 bits where librosa does so. With growing time that rounding reaches some hundredths of a
 * radian in the upper bins; the result is the same only with the same rounding.
 *
 * @param spectrum `[1 + nFft / 2, frames]`.
 * @param rate Above 1 is faster.
 * @param options `hopLength` in samples, default a quarter of the transform's length.
 * @returns `[1 + nFft / 2, ceil(frames / rate)]`.
 * @throws {UsageError} when the rate is not from 0.05 to 20.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { stft } from "../features/spectrum.ts";
 * const spectrum = stft(Float32Array.from({ length: 8000 }, (_, i) => Math.sin(i / 5)));
 * assert.deepEqual(spectrum.shape, [1025, 16]);
 * assert.deepEqual(phaseVocoder(spectrum, 0.5).shape, [1025, 32]);
 * ```
 */
export function phaseVocoder(
  spectrum: ComplexMatrix,
  rate: number,
  options: { readonly hopLength?: number } = {},
): ComplexMatrix {
  checkRate(rate);
  const [bins, frames] = spectrum.shape;
  const nFft = 2 * (bins - 1);
  const hop = integerOption("hopLength", options.hopLength ?? Math.floor(nFft / 4), 1);
  const steps = stretchedFrames(frames, rate);
  const magnitudes = new Float32Array((frames + 2) * bins), angles = new Float32Array((frames + 2) * bins);
  polar(transpose(spectrum.re, bins, frames), transpose(spectrum.im, bins, frames), magnitudes, angles, 0);
  const outRe = new Float32Array(steps * bins), outIm = new Float32Array(steps * bins);
  vocode({ magnitudes, angles, bins, frames }, rate, hop, (re, im, t) => {
    outRe.set(re, t * bins);
    outIm.set(im, t * bins);
  });
  return { re: transpose(outRe, steps, bins), im: transpose(outIm, steps, bins), shape: [bins, steps] };
}

/** Transform and hop of {@linkcode stretchTime}. */
const N_FFT = 2048, HOP = 512;

/**
 * Stretches audio in time without changing its pitch (librosa.effects.time_stretch 0.11, transform 2048, hop 512).
 *
 * @param audio Samples.
 * @param rate Above 1 is faster, from 0.05 to 20.
 * @returns `round(length / rate)` samples (halves to even).
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} when the rate is out of range.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const second = Float32Array.from({ length: 22050 }, (_, i) => Math.sin(2 * Math.PI * 440 * i / 22050));
 * assert.equal(stretchTime(second, 1.25).length, 17640);
 * ```
 */
export function stretchTime(audio: AudioInput, rate: number): Float32Array<ArrayBuffer> {
  const samples = samplesOf(audio);
  checkRate(rate);
  const length = roundHalfEven(samples.length / rate);
  // istft(phaseVocoder(stft(samples), rate), { length }), but frame by frame, without the spectrograms between them.
  const fft = sharedFft(N_FFT), window = getWindow("hann", N_FFT), margin = N_FFT / 2;
  const bins = fft.bins, frames = frameCount(samples.length, N_FFT, HOP, true);
  const magnitudes = new Float32Array((frames + 2) * bins), angles = new Float32Array((frames + 2) * bins);
  const rounded = { re: new Float32Array(bins), im: new Float32Array(bins) };
  for (let t = 0; t < frames; t++) {
    const from = t * HOP - margin;
    const first = Math.max(0, -from), last = Math.max(first, Math.min(N_FFT, samples.length - from));
    fft.input.fill(0, 0, first);
    fft.input.fill(0, last);
    for (let i = first; i < last; i++) fft.input[i] = window[i]! * samples[from + i]!;
    fft.forward();
    rounded.re.set(fft.re);
    rounded.im.set(fft.im);
    polar(rounded.re, rounded.im, magnitudes, angles, t * bins);
  }
  const used = Math.min(stretchedFrames(frames, rate), Math.ceil((length + 2 * margin) / HOP));
  const sum = new Float64Array(length), weight = new Float64Array(length);
  vocode({ magnitudes, angles, bins, frames }, rate, HOP, (re, im, t) => {
    if (t >= used) return;
    fft.re.set(re);
    fft.im.set(im);
    fft.inverse();
    const from = t * HOP - margin;
    const first = Math.max(0, -from), last = Math.min(N_FFT, length - from);
    for (let i = first; i < last; i++) {
      const w = window[i]!;
      sum[from + i]! += w * fft.input[i]!;
      weight[from + i]! += w * w;
    }
  });
  const out = new Float32Array(length);
  // Where no window reaches, librosa leaves the rounding that is there alone.
  for (let i = 0; i < length; i++) out[i] = weight[i]! > TINY ? sum[i]! / weight[i]! : sum[i]!;
  return out;
}

/** What {@linkcode timeStretch} draws. */
export interface TimeStretchParams {
  /** Rate; above 1 is faster. */
  readonly rate: number;
}

/** Options of {@linkcode timeStretch}. */
export interface TimeStretchOptions {
  /** Slowest rate, from 0.05; default 0.8, as study 001 draws it. */
  readonly minRate?: number;
  /** Fastest rate, up to 20; default 1.2. */
  readonly maxRate?: number;
}

/** Applies a recorded stretch. */
export const timeStretchKind: Kind<TimeStretchParams> = {
  name: "time-stretch",
  version: 1,
  on: "wave",
  parse(params) {
    const rate = new Fields("time-stretch", params).number("rate", STRETCH_RATES.least, STRETCH_RATES.most);
    return { rate };
  },
  apply: (wave, { rate }) => ({ samples: stretchTime(wave, rate), sampleRateHz: wave.sampleRateHz }),
};

/**
 * A stretch whose rate is drawn uniformly: study 001's with the defaults.
 *
 * @throws {UsageError} when the range is empty or beyond 0.05 to 20.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = { samples: Float32Array.from({ length: 9000 }, (_, i) => Math.sin(i / 9)), sampleRateHz: 16000 };
 * assert.equal(timeStretch().apply(wave, { rate: 0.9 }).samples.length, 10000);
 * ```
 */
export function timeStretch(options: TimeStretchOptions = {}): Augmentation<TimeStretchParams> {
  const { minRate = 0.8, maxRate = 1.2 } = options;
  checkRate(minRate);
  checkRate(maxRate);
  if (minRate > maxRate) throw new UsageError(`minRate is at most maxRate, ${maxRate}, not ${minRate}.`);
  return { ...timeStretchKind, draw: (rng) => ({ rate: rng.uniform(minRate, maxRate) }) };
}
