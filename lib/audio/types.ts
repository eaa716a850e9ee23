/**
 * What decoding yields, whatever the container.
 *
 * @module
 */

import { AudioError } from "../errors.ts";
import type { Waveform } from "../types.ts";

/** The containers that {@linkcode DecodedAudio} can come from; `m4a` is MP4 with AAC or Opus. */
export type Container = "wav" | "aiff" | "flac" | "mp3" | "ogg-vorbis" | "ogg-opus" | "webm-opus" | "m4a" | "aac";

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

/** Which samples of a file are wanted, as numbers of samples a channel. */
export interface SampleRange {
  /** The first one. */
  readonly start: number;
  /** The one after the last. */
  readonly end: number;
}

/** Options of decoding. */
export interface DecodeOptions {
  /**
   * Chooses the wanted samples (at least one, within the file) when their number and rate are known; absent: all. Where
   * the encoding allows it the others are not decoded.
   */
  readonly range?: ((frames: number, sampleRateHz: number) => SampleRange) | undefined;
}

/** Lowest sampling rate that is taken for real, in Hz. */
export const MIN_SAMPLE_RATE_HZ = 1_000;

/** Highest sampling rate that is taken for real, in Hz. */
export const MAX_SAMPLE_RATE_HZ = 768_000;

/** Most samples over all channels that one file may decode to: 1 GiB of floats, an hour and a half at 48 kHz mono. */
const MAX_SAMPLES = 2 ** 28;

/**
 * Refuses what a header says of rate, channels and length where no recording is like that, before anything is allocated.
 *
 * @param claim What the header (or the decoder so far) says; `frames` are samples a channel.
 * @param fileBytes Size of the file: compressed audio holds at most some hundred samples a byte, so a small file that
 * claims to hold hours is corrupt or hostile.
 * @param file Name of the file, for the error.
 * @throws {AudioError} naming the value and the rule.
 */
export function requirePlausible(
  claim: { sampleRateHz: number; channels: number; frames: number },
  fileBytes: number,
  file: string,
): void {
  const { sampleRateHz, channels, frames } = claim;
  if (!(sampleRateHz >= MIN_SAMPLE_RATE_HZ && sampleRateHz <= MAX_SAMPLE_RATE_HZ)) {
    throw new AudioError(
      file,
      `its header declares ${sampleRateHz} Hz; rates from ${MIN_SAMPLE_RATE_HZ} to ${MAX_SAMPLE_RATE_HZ} Hz are read`,
    );
  }
  if (channels < 1) throw new AudioError(file, "its header declares 0 channels");
  const most = Math.min(MAX_SAMPLES, 2 ** 22 + 512 * fileBytes);
  if (frames * channels > most) {
    throw new AudioError(
      file,
      `declares ${frames} samples in ${channels} channels; a file of ${fileBytes} bytes may hold ${most} in all`,
    );
  }
}

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
