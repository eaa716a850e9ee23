/**
 * Leading and trailing silence.
 *
 * @module
 */

import type { Waveform } from "../types.ts";

/** Options of {@linkcode trim}. */
export interface TrimOptions {
  /** Frames quieter than the loudest by more than this many dB count as silence (default 60). */
  readonly topDb?: number;
  /** Samples of a frame (default 2048). */
  readonly frameLength?: number;
  /** Samples between frames (default 512). */
  readonly hopLength?: number;
}

/**
 * Cuts silence from both ends: `librosa.effects.trim` 0.11 with `ref=np.max`.
 *
 * RMS of centred, zero-padded frames in dB below the loudest frame; the result starts at the first frame above -topDb and
 * ends one hop after the last. Where all frames are equally loud, an all-zero signal included, nothing is cut.
 *
 * @param wave Mono audio.
 * @param options Threshold and frames.
 * @returns The trimmed audio, and `start` and `end` in samples of the original (`end` exclusive).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const samples = new Float32Array(40960);
 * samples.fill(0.5, 16384, 20480);
 * const { wave, start, end } = trim({ samples, sampleRateHz: 16000 });
 * assert.deepEqual([start, end, wave.samples.length], [15872, 21504, 5632]);
 * ```
 */
export function trim(
  wave: Waveform,
  options: TrimOptions = {},
): { readonly wave: Waveform; readonly start: number; readonly end: number } {
  const { topDb = 60, frameLength = 2048, hopLength = 512 } = options;
  const { samples, sampleRateHz } = wave;
  const half = Math.floor(frameLength / 2);
  const frames = 1 + Math.floor((samples.length + 2 * half - frameLength) / hopLength);
  // Sums of squares of whole hops are shared by neighbouring frames; a frame is a difference of running sums.
  const running = new Float64Array(samples.length + 1);
  for (let i = 0; i < samples.length; i++) running[i + 1] = running[i]! + samples[i]! * samples[i]!;
  const clamp = (i: number) => Math.max(0, Math.min(samples.length, i));
  const power = new Float64Array(Math.max(0, frames));
  let loudest = 0;
  for (let f = 0; f < frames; f++) {
    const from = f * hopLength - half;
    power[f] = (running[clamp(from + frameLength)]! - running[clamp(from)]!) / frameLength;
    loudest = Math.max(loudest, power[f]!);
  }
  // librosa floors amplitudes at 1e-5 before it takes the logarithm, so powers at 1e-10.
  const floor = 1e-10;
  const limit = -topDb + 10 * Math.log10(Math.max(floor, loudest));
  const loud = (f: number) => 10 * Math.log10(Math.max(floor, power[f]!)) > limit;
  let first = 0;
  while (first < frames && !loud(first)) first++;
  if (first === frames) return { wave: { samples: samples.subarray(0, 0), sampleRateHz }, start: 0, end: 0 };
  let last = frames - 1;
  while (!loud(last)) last--;
  const start = first * hopLength;
  const end = Math.min(samples.length, (last + 1) * hopLength);
  return { wave: { samples: samples.subarray(start, end), sampleRateHz }, start, end };
}
