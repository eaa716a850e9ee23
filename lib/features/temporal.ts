/**
 * Features of the waveform itself: zero crossings and level.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { Matrix } from "../types.ts";
import { type AudioInput, integerOption, isMatrix, matrixOf, samplesOf, type SpectralInput } from "./input.ts";
import { frameCount, type PadMode, reflectIndex } from "./spectrum.ts";

/** How audio is cut into frames; names and defaults are librosa's. */
export interface FrameOptions {
  /** Length of a frame in samples; default 2048. */
  readonly frameLength?: number;
  /** Samples from one frame to the next; default 512. */
  readonly hopLength?: number;
  /** Whether frame t is centred at sample `t * hopLength` (default), the ends padded; otherwise it begins there. */
  readonly center?: boolean;
}

/** librosa's threshold under which a sample counts as zero, in the 32 bits in which it compares. */
const ZERO = Math.fround(1e-10);
/** The bits of -ZERO, plus 1. */
const ZERO_BITS = new Int32Array(Float32Array.of(-ZERO).buffer)[0]! + 1;

/**
 * Crossings between a sample and the one before it, in the blocks from `origin` on: entry b counts those of all blocks
 * before block b.
 */
function crossingsUpTo(samples: Float32Array, origin: number, block: number, blocks: number): Int32Array {
  const words = new Int32Array(samples.buffer, samples.byteOffset, samples.length);
  const upTo = new Int32Array(blocks + 1);
  let count = 0;
  for (let b = 0; b < blocks; b++) {
    const from = Math.max(1, origin + b * block), to = Math.min(words.length, origin + (b + 1) * block);
    if (from < to) {
      // Signs are as good as random, so no branches: of numbers with the sign bit set those below -ZERO have the greater
      // bits, and the sign bit of `x & ~(x - bits)` says that a number is one of them.
      let word = words[from - 1]!, before = word & ~(word - ZERO_BITS);
      for (let i = from; i < to; i++) {
        word = words[i]!;
        const now = word & ~(word - ZERO_BITS);
        count += (now ^ before) >>> 31;
        before = now;
      }
    }
    upTo[b + 1] = count;
  }
  return upTo;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/**
 * Share of neighbouring samples between which the sign changes (librosa.feature.zero_crossing_rate 0.11).
 *
 * The ends are padded with the end samples, a frame's first sample never counts, and zero (up to ±1e-10) is positive.
 *
 * @param audio Samples.
 * @returns `[1, frames]`, in [0, 1).
 * @throws {AudioError} when the audio is unusable.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const samples = Float32Array.from({ length: 4096 }, (_, i) => i % 2 ? -1 : 1);
 * assert.equal(zeroCrossingRate(samples, { center: false }).data[0], 2047 / 2048);
 * ```
 */
export function zeroCrossingRate(audio: AudioInput, options: FrameOptions = {}): Matrix {
  const samples = samplesOf(audio);
  const frameLength = integerOption("frameLength", options.frameLength ?? 2048, 1);
  const hop = integerOption("hopLength", options.hopLength ?? 512, 1);
  const center = options.center ?? true;
  const n = samples.length;
  const frames = frameCount(n, frameLength, hop, center);
  const origin = center ? -Math.floor(frameLength / 2) : 0;
  // Frames overlap: blocks that every frame is made of whole are counted once. The padding repeats the end samples and adds
  // no crossing.
  const block = gcd(frameLength, hop);
  const upTo = crossingsUpTo(samples, origin, block, ((frames - 1) * hop + frameLength) / block);
  const data = new Float32Array(frames);
  for (let t = 0; t < frames; t++) {
    const from = origin + t * hop, first = (t * hop) / block;
    const atFirst = from > 0 && from < n && (samples[from]! < -ZERO) !== (samples[from - 1]! < -ZERO) ? 1 : 0;
    data[t] = (upTo[first + frameLength / block]! - upTo[first]! - atFirst) / frameLength;
  }
  return { data, shape: [1, frames] };
}

/** Options of {@linkcode rms}. */
export interface RmsOptions extends FrameOptions {
  /** How the ends are padded when centred; default `constant`, zeros. */
  readonly padMode?: PadMode;
}

/**
 * Root mean square of each frame (librosa.feature.rms 0.11).
 *
 * @param input Samples, or a magnitude spectrogram `[1 + frameLength / 2, frames]`.
 * @returns `[1, frames]`, not negative.
 * @throws {AudioError} when the audio is unusable.
 * @throws {UsageError} when the spectrogram's bins do not fit `frameLength`.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const samples = Float32Array.from({ length: 4096 }, (_, i) => i % 2 ? -0.5 : 0.5);
 * assert.deepEqual([...rms(samples, { center: false }).data], [0.5, 0.5, 0.5, 0.5, 0.5]);
 * ```
 */
export function rms(input: SpectralInput, options: RmsOptions = {}): Matrix {
  const frameLength = integerOption("frameLength", options.frameLength ?? 2048, 1);
  if (isMatrix(input)) return rmsOfSpectrogram(matrixOf(input), frameLength);
  const samples = samplesOf(input);
  const hop = integerOption("hopLength", options.hopLength ?? 512, 1);
  const center = options.center ?? true;
  const padMode = options.padMode ?? "constant";
  const n = samples.length;
  const frames = frameCount(n, frameLength, hop, center);
  const origin = center ? -Math.floor(frameLength / 2) : 0;
  // Frames overlap: blocks that every frame is made of whole are summed once.
  const block = gcd(frameLength, hop);
  const blocks = frameLength / block;
  const sums = new Float64Array(((frames - 1) * hop) / block + blocks);
  for (let b = 0; b < sums.length; b++) {
    const from = origin + b * block, to = from + block;
    let sum = 0;
    if (from >= 0 && to <= n) {
      for (let i = from; i < to; i++) sum += samples[i]! * samples[i]!;
    } else if (padMode === "constant") {
      for (let i = Math.max(0, from), end = Math.min(n, to); i < end; i++) sum += samples[i]! * samples[i]!;
    } else {
      for (let i = from; i < to; i++) {
        const x = samples[padMode === "reflect" ? reflectIndex(i, n) : Math.min(n - 1, Math.max(0, i))]!;
        sum += x * x;
      }
    }
    sums[b] = sum;
  }
  const data = new Float32Array(frames);
  for (let t = 0; t < frames; t++) {
    let sum = 0;
    for (let b = (t * hop) / block, end = b + blocks; b < end; b++) sum += sums[b]!;
    data[t] = Math.sqrt(sum / frameLength);
  }
  return { data, shape: [1, frames] };
}

function rmsOfSpectrogram({ data, shape: [bins, frames] }: Matrix, frameLength: number): Matrix {
  if (bins !== Math.floor(frameLength / 2) + 1) {
    throw new UsageError(
      `A spectrogram of ${bins} bins has a frameLength of ${2 * bins - 2} or ${2 * bins - 1}, not ${frameLength}.`,
    );
  }
  const sums = new Float64Array(frames);
  for (let k = 0; k < bins; k++) {
    // Every bin stands for two of the full spectrum, but the one at 0 Hz and (even lengths) the one at Nyquist.
    const share = k === 0 || (k === bins - 1 && frameLength % 2 === 0) ? 1 : 2;
    for (let t = 0; t < frames; t++) sums[t]! += share * data[k * frames + t]! * data[k * frames + t]!;
  }
  return { data: Float32Array.from(sums, (sum) => Math.sqrt(sum) / frameLength), shape: [1, frames] };
}
