/**
 * What decoding yields, whatever the container.
 *
 * @module
 */

import type { Waveform } from "../types.ts";

/** The containers that {@linkcode DecodedAudio} can come from. */
export type Container = "wav" | "aiff" | "flac" | "mp3" | "ogg-vorbis" | "ogg-opus" | "webm-opus" | "mp4-aac" | "aac";

/** A decoded file: every channel at the file's own rate. */
export interface DecodedAudio {
  /** One array of samples a channel, all of equal length (at least 1), nominal range [-1, 1]. */
  readonly channels: readonly Float32Array[];
  /** Sampling rate in Hz. */
  readonly sampleRateHz: number;
  /** Container, told from the content and not from the name. */
  readonly container: Container;
  /** How the samples are stored: `pcm16`, `float32`, `mulaw`, `opus`, … */
  readonly encoding: string;
}

/** Highest sampling rate that is taken for real, in Hz. */
export const MAX_SAMPLE_RATE_HZ = 768_000;

/**
 * Down-mixes to one channel by the mean of the channels, as librosa.to_mono 0.11 does (float32 sums).
 *
 * @param decoded Channels and their rate. A single channel is returned as it is, not copied.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const channels = [Float32Array.of(0.5, 1), Float32Array.of(-0.5, 0)];
 * assert.deepEqual([...toMono({ channels, sampleRateHz: 8000 }).samples], [0, 0.5]);
 * ```
 */
export function toMono(decoded: Pick<DecodedAudio, "channels" | "sampleRateHz">): Waveform {
  const { channels, sampleRateHz } = decoded;
  const first = channels[0] ?? new Float32Array(0);
  if (channels.length < 2) return { samples: first, sampleRateHz };
  const samples = first.slice();
  for (let c = 1; c < channels.length; c++) {
    const channel = channels[c]!;
    for (let i = 0; i < samples.length; i++) samples[i] = samples[i]! + channel[i]!;
  }
  for (let i = 0; i < samples.length; i++) samples[i] = samples[i]! / channels.length;
  return { samples, sampleRateHz };
}
