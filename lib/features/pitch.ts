/**
 * Fundamental frequency: YIN and its probabilistic form.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { sharedFft } from "./fft.ts";
import { SingleRealFft } from "./fft32.ts";
import { type AudioInput, integerOption, rateOf, samplesOf } from "./input.ts";
import { type FramePlan, kernel } from "./kernel.ts";
import { copyPadded, frameCount, type PadMode } from "./spectrum.ts";

/** Options of {@linkcode yin}; names and defaults are librosa's, which has no default range. */
export interface YinOptions {
  /** Lowest frequency in Hz; for speech 65. */
  readonly fmin: number;
  /** Highest frequency in Hz; for speech 500. */
  readonly fmax: number;
  /** Sampling rate in Hz; default the waveform's, or 22,050. */
  readonly sr?: number;
  /** Length of a frame in samples; default 2048. */
  readonly frameLength?: number;
  /** Samples from one frame to the next; default a quarter of the frame. */
  readonly hopLength?: number;
  /** YIN takes the shortest period whose difference falls below this; default 0.1. */
  readonly troughThreshold?: number;
  /** Whether frame t is centred at sample `t * hopLength` (default), the ends padded; otherwise it begins there. */
  readonly center?: boolean;
  /** How the ends are padded when centred; default `constant`, zeros. */
  readonly padMode?: PadMode;
}

/** The smallest normal 64-bit number, which keeps librosa's division by a mean of zero finite. */
const TINY_64 = 2.2250738585072014e-308;

/** What both methods start from. */
interface Setup {
  readonly sr: number;
  readonly frameLength: number;
  readonly hop: number;
  readonly frames: number;
  readonly minPeriod: number;
  readonly maxPeriod: number;
  /** Number of periods from `minPeriod` to `maxPeriod`. */
  readonly periods: number;
}

/**
 * Calls `visit` for each frame with the cumulative mean normalised difference function of its periods, and the shifts
 * of the parabolas through each three neighbours; both arrays are reused.
 */
function visitDifferences(
  samples: Float32Array,
  options: YinOptions & { readonly sr: number },
  visit: (difference: Float64Array, shifts: Float64Array, frame: number, setup: Setup) => void,
): Setup {
  const { sr, fmin, fmax } = options;
  const frameLength = integerOption("frameLength", options.frameLength ?? 2048, 4);
  const hop = integerOption("hopLength", options.hopLength ?? Math.floor(frameLength / 4), 1);
  if (!(fmin > 0 && fmax > fmin && fmax <= sr / 2)) {
    throw new UsageError(
      `Pitch is sought between 0 < fmin < fmax ≤ ${sr / 2} Hz (half the rate), not ${fmin}, ${fmax}.`,
    );
  }
  if (!(Math.ceil(sr / fmin) < frameLength - 1)) {
    throw new UsageError(`A frame of ${frameLength} samples is too short for a period of ${fmin} Hz at ${sr} Hz.`);
  }
  const center = options.center ?? true, padMode = options.padMode ?? "constant";
  const n = samples.length;
  const frames = frameCount(n, frameLength, hop, center);
  const minPeriod = Math.floor(sr / fmax), maxPeriod = Math.min(Math.ceil(sr / fmin), frameLength - 1);
  const periods = maxPeriod - minPeriod + 1;
  const setup: Setup = { sr, frameLength, hop, frames, minPeriod, maxPeriod, periods };
  const shifts = new Float64Array(periods);
  const withShifts = (difference: Float64Array, t: number) => {
    for (let k = 1; k < periods - 1; k++) {
      const below = difference[k - 1]!, x = difference[k]!, above = difference[k + 1]!;
      const a = above + below - 2 * x, b = (above - below) / 2;
      shifts[k] = Math.abs(b) >= Math.abs(a) ? 0 : -b / a;
    }
    visit(difference, shifts, t, setup);
  };
  const plan = {
    nFft: frameLength,
    hop,
    window: NO_WINDOW,
    origin: center ? -Math.floor(frameLength / 2) : 0,
    copy: (from: Float32Array, at: number, target: Float32Array) => copyPadded(from, at, target, padMode),
  };
  const single = frameLength >= 64 && frameLength <= 32768 && (frameLength & (frameLength - 1)) === 0;
  const fast = single ? kernel() : undefined;
  if (fast !== undefined) {
    fast.yin(samples, plan, frames, singleFft(2 * frameLength).passes, minPeriod, maxPeriod, withShifts);
  } else slowDifferences(samples, plan, setup, single, withShifts);
  return setup;
}

const NO_WINDOW = new Float64Array(0);

/** The differences without the kernel, frame by frame. */
function slowDifferences(
  samples: Float32Array,
  plan: FramePlan,
  { frames, minPeriod, maxPeriod, periods }: Setup,
  single: boolean,
  visit: (difference: Float64Array, frame: number) => void,
): void {
  const correlate = correlator(plan.nFft, maxPeriod, single);
  const frame = new Float32Array(plan.nFft), correlation = new Float64Array(maxPeriod + 1);
  const difference = new Float64Array(periods), energy = new Float32Array(maxPeriod);
  for (let t = 0; t < frames; t++) {
    plan.copy(samples, plan.origin + t * plan.hop, frame);
    correlate(frame, correlation);
    // Sums and differences are of 32 bits in librosa, the means of 64.
    let sum = 0;
    for (let k = 0; k < maxPeriod; k++) energy[k] = sum = Math.fround(sum + Math.fround(frame[k]! * frame[k]!));
    // librosa clears the difference at lag 0 in the array that still holds these sums, so lag 1 loses its own.
    energy[0] = 0;
    let total = 0;
    const zero = correlation[0]!;
    for (let k = 1; k <= maxPeriod; k++) {
      const d = Math.fround(2 * Math.fround(zero - correlation[k]!) - energy[k - 1]!);
      total = Math.fround(total + d);
      if (k >= minPeriod) difference[k - minPeriod] = d / (total / k + TINY_64);
    }
    visit(difference, t);
  }
}

const singles = new Map<number, SingleRealFft>();

/** A shared 32-bit transform. */
function singleFft(n: number): SingleRealFft {
  let fft = singles.get(n);
  if (fft === undefined) singles.set(n, fft = new SingleRealFft(n));
  return fft;
}

/**
 * What computes the autocorrelation of a frame up to `maxLag`: with SciPy's rounding where its transform has a power of
 * two for its length (frames that are a power of two themselves), in 64 bits otherwise.
 */
function correlator(
  frameLength: number,
  maxLag: number,
  single: boolean,
): (frame: Float32Array, out: Float64Array) => void {
  if (single) {
    const n = 2 * frameLength;
    const fft = singleFft(n);
    return (frame, out) => {
      fft.data.set(frame);
      fft.data.fill(0, frameLength);
      fft.forward();
      const x = fft.data;
      x[0] = x[0]! * x[0]!;
      x[n - 1] = x[n - 1]! * x[n - 1]!;
      for (let k = 1; k < n - 1; k += 2) {
        x[k] = Math.fround(x[k]! * x[k]!) + Math.fround(x[k + 1]! * x[k + 1]!);
        x[k + 1] = 0;
      }
      fft.inverse();
      for (let k = 0; k <= maxLag; k++) out[k] = fft.data[k]! / n;
    };
  }
  let size = 2;
  // Circular correlation of zero-padded frames: lags up to maxLag must not wrap round.
  while (size < frameLength + maxLag) size *= 2;
  const { input, re, im, bins } = sharedFft(size), fft = sharedFft(size);
  return (frame, out) => {
    input.set(frame);
    input.fill(0, frameLength);
    fft.forward();
    for (let k = 0; k < bins; k++) {
      re[k] = re[k]! * re[k]! + im[k]! * im[k]!;
      im[k] = 0;
    }
    fft.inverse();
    out.set(input.subarray(0, maxLag + 1));
  };
}

/** Whether period `i` is a local minimum, librosa's rule for the ends included. */
function isTrough(x: Float64Array, i: number): boolean {
  if (i === 0) return x[0]! < x[1]!;
  if (i === x.length - 1) return x[i]! < x[i - 1]!;
  return x[i]! < x[i - 1]! && x[i]! <= x[i + 1]!;
}

/**
 * Fundamental frequency by YIN (librosa.yin 0.11; de Cheveigné & Kawahara 2002).
 *
 * @param audio Samples.
 * @param options The range `fmin`, `fmax` in Hz, and frames.
 * @returns Hz, one value a frame; without voice some frequency of the range is given all the same.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} for a range that does not fit the rate or the frame.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const samples = Float32Array.from({ length: 8192 }, (_, i) => Math.sin((2 * Math.PI * 220 * i) / 22050));
 * assert.ok(Math.abs(yin(samples, { fmin: 65, fmax: 500 })[8]! - 220) < 0.5);
 * ```
 */
export function yin(audio: AudioInput, options: YinOptions): Float32Array<ArrayBuffer> {
  const samples = samplesOf(audio);
  const threshold = options.troughThreshold ?? 0.1;
  let out = new Float32Array(0);
  visitDifferences(samples, { ...options, sr: rateOf(audio, options.sr) }, (difference, shifts, t, setup) => {
    if (t === 0) out = new Float32Array(setup.frames);
    let best = -1, least = 0;
    for (let i = 0; i < setup.periods; i++) {
      if (difference[i]! < difference[least]!) least = i;
      if (difference[i]! < threshold && isTrough(difference, i)) {
        best = i;
        break;
      }
    }
    if (best < 0) {
      best = least;
      for (let i = least + 1; i < setup.periods; i++) if (difference[i]! < difference[best]!) best = i;
    }
    out[t] = setup.sr / (setup.minPeriod + best + shifts[best]!);
  });
  return out;
}

/** Options of {@linkcode pyin}; names and defaults are librosa's. */
export interface PyinOptions extends Omit<YinOptions, "troughThreshold"> {
  /** Number of thresholds that the distribution is spread over; default 100. */
  readonly nThresholds?: number;
  /** Shape of the beta prior over thresholds; default [2, 18]. */
  readonly betaParameters?: readonly [number, number];
  /** How strongly short periods are preferred among the troughs; default 2. */
  readonly boltzmannParameter?: number;
  /** Step of the pitch in semitones; default 0.1. */
  readonly resolution?: number;
  /** Fastest change of pitch in octaves per second; default 35.92. */
  readonly maxTransitionRate?: number;
  /** Probability to change between voiced and unvoiced from one frame to the next; default 0.01. */
  readonly switchProb?: number;
  /** Weight of the global minimum where no trough lies below a threshold; default 0.01. */
  readonly noTroughProb?: number;
  /** Pitch given for unvoiced frames; default NaN; `null` gives the best guess. */
  readonly fillNa?: number | null;
}

/** Pitch over time by {@linkcode pyin}. */
export interface PitchTrack {
  /** Fundamental frequency in Hz; `fillNa` (NaN) where unvoiced. */
  readonly f0: Float32Array;
  /** 1 where voiced, 0 where not. */
  readonly voicedFlag: Uint8Array;
  /** Probability that the frame is voiced, in [0, 1]. */
  readonly voicedProb: Float32Array;
}

/** Natural logarithm of the gamma function (Lanczos 1964, g = 7, nine terms). */
function logGamma(x: number): number {
  const c = [
    0.99999999999980993,
    676.5203681218851,
    -1259.1392167224028,
    771.32342877765313,
    -176.61502916214059,
    12.507343278686905,
    -0.13857109526572012,
    9.9843695780195716e-6,
    1.5056327351493116e-7,
  ];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  let sum = c[0]!;
  for (let i = 1; i < 9; i++) sum += c[i]! / (x - 1 + i);
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** Cumulative distribution of the beta distribution, by its continued fraction (DLMF 8.17.22, Lentz's method). */
export function betaCdf(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast on one side of the mean only; the other side is its complement.
  if (x > (a + 1) / (a + b + 2)) return 1 - betaCdf(1 - x, b, a);
  const front = Math.exp(
    logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x),
  ) / a;
  let f = 1, c = 1, d = 0;
  for (let i = 0; i <= 400; i++) {
    const m = i >> 1;
    const term = i === 0
      ? 1
      : i % 2 === 0
      ? (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
      : -((a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + term * d || 1e-300);
    c = 1 + term / c || 1e-300;
    f *= c * d;
    if (Math.abs(1 - c * d) < 1e-16) break;
  }
  return front * (f - 1);
}

/** The logarithm that librosa's Viterbi puts for a probability of 0. */
const LOG_ZERO = Math.log(TINY_64);

/**
 * `out[j]` = the largest `value[k] + kernel[|j - k|]` over |j - k| ≤ half, `from[j]` = the first such k.
 *
 * The kernel is concave, so the best k never moves down as j moves up: halving the range of j halves the range of k
 * with it, and the whole costs n log n instead of n times the width.
 */
function bestWithin(
  value: Float64Array,
  kernel: Float64Array,
  half: number,
  out: Float64Array,
  from: Int32Array,
  low: number,
  high: number,
  first: number,
  last: number,
): void {
  while (low <= high) {
    const j = (low + high) >> 1;
    let best = -Infinity, at = -1;
    for (let k = Math.max(first, j - half), end = Math.min(last, j + half); k <= end; k++) {
      const v = value[k]! + kernel[k < j ? j - k : k - j]!;
      if (v > best) {
        best = v;
        at = k;
      }
    }
    out[j] = best;
    from[j] = at;
    bestWithin(value, kernel, half, out, from, low, j - 1, first, at);
    low = j + 1;
    first = at;
  }
}

/**
 * Fundamental frequency by probabilistic YIN (librosa.pyin 0.11; Mauch & Dixon 2014): candidates of many thresholds,
 * then the most likely path through pitch and voicing.
 *
 * librosa's Viterbi compares every state with every other; here the path is the same, but transitions are searched
 * within their band only, and those of probability 0 count once, as the best state overall.
 *
 * @param audio Samples.
 * @param options The range `fmin`, `fmax` in Hz, frames, and the model's parameters.
 * @returns Pitch in Hz, voicing and its probability, one value a frame.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} for a range that does not fit the rate or the frame.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const samples = Float32Array.from({ length: 8192 }, (_, i) => Math.sin((2 * Math.PI * 220 * i) / 22050));
 * const { f0, voicedFlag } = pyin(samples, { fmin: 65, fmax: 500 });
 * assert.equal(voicedFlag[8], 1);
 * assert.ok(Math.abs(f0[8]! - 220) < 2);
 * ```
 */
export function pyin(audio: AudioInput, options: PyinOptions): PitchTrack {
  const samples = samplesOf(audio);
  const sr = rateOf(audio, options.sr);
  const { fmin, fmax, switchProb = 0.01, noTroughProb = 0.01, boltzmannParameter = 2 } = options;
  const nThresholds = integerOption("nThresholds", options.nThresholds ?? 100, 1);
  const [a, b] = options.betaParameters ?? [2, 18];
  const resolution = options.resolution ?? 0.1;
  if (!(resolution > 0 && resolution < 1)) throw new UsageError(`resolution lies in (0, 1), not at ${resolution}.`);
  if (!(switchProb > 0 && switchProb < 1)) throw new UsageError(`switchProb lies in (0, 1), not at ${switchProb}.`);
  if (!(a > 0 && b > 0)) throw new UsageError(`betaParameters are two positive numbers, not ${a} and ${b}.`);
  const prior = Float64Array.from(
    { length: nThresholds },
    (_, i) => betaCdf((i + 1) / nThresholds, a, b) - betaCdf(i / nThresholds, a, b),
  );
  const binsPerSemitone = Math.ceil(1 / resolution);
  const nPitch = Math.floor(12 * binsPerSemitone * Math.log2(fmax / fmin)) + 1;
  if (nPitch > 32767) throw new UsageError(`resolution ${resolution} makes ${nPitch} pitches, at most 32767 are kept.`);

  const model: CandidateModel = { fmin, prior, boltzmannParameter, noTroughProb, binsPerSemitone, nPitch };
  let observed = new Float64Array(0), voiced = new Float64Array(0);
  const { hop } = visitDifferences(samples, { ...options, sr }, (difference, shifts, t, setup) => {
    if (t === 0) {
      observed = new Float64Array(setup.frames * nPitch);
      voiced = new Float64Array(setup.frames);
    }
    voiced[t] = candidates(difference, shifts, setup, model, observed.subarray(t * nPitch, (t + 1) * nPitch));
  });

  const reach = rint(((options.maxTransitionRate ?? 35.92) * 12 * hop) / sr) * binsPerSemitone;
  // The band is as wide to both sides; librosa's is too unless the reach is odd.
  const states = decode(observed, voiced, nPitch, Math.ceil(reach / 2), switchProb);
  const fillNa = options.fillNa === undefined ? NaN : options.fillNa;
  return {
    f0: Float32Array.from(states, (state) => {
      return state >= nPitch && fillNa !== null ? fillNa : fmin * 2 ** ((state % nPitch) / (12 * binsPerSemitone));
    }),
    voicedFlag: Uint8Array.from(states, (state) => state < nPitch ? 1 : 0),
    voicedProb: Float32Array.from(voiced),
  };
}

/** The closest integer, halves to the even one, as Python and NumPy round. */
function rint(x: number): number {
  const r = Math.round(x);
  return r - x === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/** What turns troughs into probabilities. */
interface CandidateModel {
  readonly fmin: number;
  /** Probability of each threshold. */
  readonly prior: Float64Array;
  readonly boltzmannParameter: number;
  readonly noTroughProb: number;
  readonly binsPerSemitone: number;
  readonly nPitch: number;
}

/** Probabilities of the pitches of one frame, into `observed`; returns the probability that it is voiced. */
function candidates(
  difference: Float64Array,
  shifts: Float64Array,
  { sr, periods, minPeriod }: Setup,
  { fmin, prior, boltzmannParameter, noTroughProb, binsPerSemitone, nPitch }: CandidateModel,
  observed: Float64Array,
): number {
  const troughs: number[] = [];
  let lowest = 0;
  for (let i = 0; i < periods; i++) {
    if (!isTrough(difference, i)) continue;
    if (troughs.length > 0 && difference[i]! < difference[troughs[lowest]!]!) lowest = troughs.length;
    troughs.push(i);
  }
  if (troughs.length === 0) return 0;
  const heights = Float64Array.from(troughs, (i) => difference[i]!);
  const decay = Float64Array.from({ length: heights.length + 1 }, (_, i) => Math.exp(-boltzmannParameter * i));
  const chances = new Float64Array(heights.length);
  let unmatched = 0;
  for (let h = 0; h < prior.length; h++) {
    const threshold = (h + 1) / prior.length;
    // Where even the deepest trough is above the threshold, the lot are.
    if (heights[lowest]! >= threshold) {
      unmatched += prior[h]!;
      continue;
    }
    let count = 0;
    for (let j = 0; j < heights.length; j++) if (heights[j]! < threshold) count++;
    // Boltzmann's distribution over the troughs below the threshold, in order of period.
    const scale = (prior[h]! * (1 - decay[1]!)) / (1 - decay[count]!);
    for (let j = 0, rank = 0; rank < count; j++) {
      if (heights[j]! < threshold) chances[j]! += scale * decay[rank++]!;
    }
  }
  chances[lowest]! += noTroughProb * unmatched;
  for (let j = 0; j < heights.length; j++) {
    if (!(chances[j]! > 0)) continue;
    const period = minPeriod + troughs[j]! + shifts[troughs[j]!]!;
    // A pitch above the range is none; of two candidates in one bin the longer period counts, as in librosa.
    const bin = Math.max(0, rint(12 * binsPerSemitone * Math.log2(sr / period / fmin)));
    if (bin < nPitch) observed[bin] = chances[j]!;
  }
  let sum = 0;
  for (let i = 0; i < nPitch; i++) sum += observed[i]!;
  return Math.min(1, sum);
}

/**
 * The most likely path (Viterbi 1967): states 0 … n - 1 are the pitches voiced, n … 2n - 1 the same unvoiced.
 *
 * @param observed Probability of each pitch, frame by frame.
 * @param voiced Probability that the frame is voiced; the rest is spread evenly over the unvoiced states.
 * @param half How many pitches a frame may move, to each side, with a chance that falls linearly.
 */
function decode(
  observed: Float64Array,
  voiced: Float64Array,
  n: number,
  half: number,
  switchProb: number,
): Int32Array {
  const frames = voiced.length;
  const log = (p: number) => p > 0 ? Math.log(p) : LOG_ZERO;
  const kernel = new Float64Array(half + 1);
  for (let d = 0; d <= half; d++) kernel[d] = Math.log((half + 1 - d) / (half + 1));
  // Near the ends of the range the triangle is cut and scaled up again to a sum of 1.
  const rowLog = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    let sum = 0;
    for (let j = Math.max(0, k - half); j <= Math.min(n - 1, k + half); j++) sum += half + 1 - Math.abs(j - k);
    rowLog[k] = Math.log(sum / (half + 1));
  }
  const stay = Math.log(1 - switchProb), change = Math.log(switchProb);
  let v = new Float64Array(2 * n), next = new Float64Array(2 * n);
  const shifted = new Float64Array(n);
  const fromVoiced = new Float64Array(n), fromUnvoiced = new Float64Array(n);
  const voicedAt = new Int32Array(n), unvoicedAt = new Int32Array(n);
  const back = new Uint16Array(frames * 2 * n);
  for (let t = 0; t < frames; t++) {
    const silence = log((1 - voiced[t]!) / n), base = t * n;
    if (t === 0) {
      const start = Math.log(1 / (2 * n));
      for (let j = 0; j < n; j++) {
        v[j] = log(observed[j]!) + start;
        v[n + j] = silence + start;
      }
      continue;
    }
    let top = 0;
    for (let k = 1; k < 2 * n; k++) if (v[k]! > v[top]!) top = k;
    const leap = v[top]! + LOG_ZERO;
    for (let k = 0; k < n; k++) shifted[k] = v[k]! - rowLog[k]!;
    bestWithin(shifted, kernel, half, fromVoiced, voicedAt, 0, n - 1, 0, n - 1);
    for (let k = 0; k < n; k++) shifted[k] = v[n + k]! - rowLog[k]!;
    bestWithin(shifted, kernel, half, fromUnvoiced, unvoicedAt, 0, n - 1, 0, n - 1);
    for (let j = 0; j < n; j++) {
      for (let side = 0; side < 2; side++) {
        const a = fromVoiced[j]! + (side === 0 ? stay : change), b = fromUnvoiced[j]! + (side === 0 ? change : stay);
        let best = a, at = voicedAt[j]!;
        if (b > best) {
          best = b;
          at = n + unvoicedAt[j]!;
        }
        if (leap > best) {
          best = leap;
          at = top;
        }
        next[side * n + j] = best + (side === 0 ? log(observed[base + j]!) : silence);
        back[(t * 2 + side) * n + j] = at;
      }
    }
    [v, next] = [next, v];
  }
  const states = new Int32Array(frames);
  let last = 0;
  for (let k = 1; k < 2 * n; k++) if (v[k]! > v[last]!) last = k;
  for (let t = frames - 1; t >= 0; t--) {
    states[t] = last;
    last = back[t * 2 * n + last]!;
  }
  return states;
}
