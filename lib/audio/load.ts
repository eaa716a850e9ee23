/**
 * Audio from files, as librosa.load 0.11 reads it. The one module of this folder that needs a file system.
 *
 * @module
 */

import { closeSync, openSync, readFileSync, readSync, statSync } from "node:fs";
import { AudioError } from "../errors.ts";
import { systemReason } from "../io.ts";
import type { Waveform } from "../types.ts";
import { decodeAudio } from "./decode.ts";
import { resample } from "./resample.ts";
import { type Container, type SampleRange, toMono } from "./types.ts";
import { isWav, parseWavHeader } from "./wav.ts";

export type { Waveform } from "../types.ts";

/** Files above this size are refused before they are read: what they hold would not fit in memory beside the rest. */
const MAX_FILE_BYTES = 2 ** 30;

/** Enough for the header of any ordinary WAV file, LIST and JUNK chunks included. */
const HEADER_BYTES = 65_536;

/** Options of {@linkcode loadAudio}. */
export interface LoadAudioOptions {
  /** Rate of the result in Hz (default 22,050 as librosa); `null` keeps the file's own rate. */
  readonly sampleRateHz?: number | null;
  /** Start in seconds (default 0), cut at the file's own rate before the change of rate. */
  readonly offsetSec?: number;
  /** Length in seconds (default: to the end), cut at the file's own rate before the change of rate. */
  readonly durationSec?: number;
  /** Whether a file no longer than the offset is read from its start; default false: it is refused. */
  readonly wholeIfShort?: boolean;
}

/** What {@linkcode readAudioInfo} says of a file. */
export interface AudioInfo {
  /** Sampling rate in Hz. */
  readonly sampleRateHz: number;
  /** Number of channels. */
  readonly channels: number;
  /** Samples a channel. */
  readonly frames: number;
  /** Duration in seconds. */
  readonly durationSec: number;
  /** Container, told from the content. */
  readonly container: Container;
  /** How the samples are stored. */
  readonly encoding: string;
  /** Size of the file in bytes. */
  readonly bytes: number;
}

/** Size of a regular file; refuses folders, devices and giants before anything is read. */
function checkedSize(path: string): number {
  const stat = statSync(path);
  if (stat.isDirectory()) throw new AudioError(path, "cannot be read, it is a folder");
  if (!stat.isFile()) throw new AudioError(path, "cannot be read, it is not a regular file");
  if (stat.size > MAX_FILE_BYTES) {
    throw new AudioError(path, `has ${stat.size} bytes; audio files of up to ${MAX_FILE_BYTES} bytes are read`);
  }
  return stat.size;
}

/** Turns what the file system throws into one sentence. */
function orAudioError<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof AudioError) throw error;
    throw new AudioError(path, `cannot be read, ${systemReason(error)}`, { cause: error });
  }
}

/**
 * Reads a file's bytes for decoding.
 *
 * @param path The file.
 * @param options `into`: memory to read into where the file fits; the result is then a part of it.
 * @throws {AudioError} naming the file when it cannot be read, is no regular file, or has more than 1 GiB.
 */
export function readAudioBytes(path: string, options: { readonly into?: Uint8Array } = {}): Uint8Array {
  return orAudioError(path, () => {
    const size = checkedSize(path), { into } = options;
    if (!into || size > into.length) return readFileSync(path);
    const handle = openSync(path, "r");
    try {
      // Until nothing comes any more, or memory is full: then the file has grown meanwhile, and is read as it is now.
      let at = 0;
      while (at < into.length) {
        const count = readSync(handle, into, at, into.length - at, null);
        if (count === 0) return into.subarray(0, at);
        at += count;
      }
    } finally {
      closeSync(handle);
    }
    return readFileSync(path);
  });
}

/** A stretch of time in a file, checked when the file's length is known. */
class Stretch {
  readonly #file: string;
  readonly #offsetSec: number;
  readonly #durationSec: number | undefined;
  readonly #wholeIfShort: boolean;

  /** @throws {AudioError} for a negative offset or a duration of 0 or less. */
  constructor(file: string, { offsetSec = 0, durationSec, wholeIfShort = false }: LoadAudioOptions) {
    if (!(offsetSec >= 0)) throw new AudioError(file, `the offset must be 0 s or more, not ${offsetSec}`);
    if (durationSec !== undefined && !(durationSec > 0)) {
      throw new AudioError(file, `the duration must be above 0 s, not ${durationSec}`);
    }
    this.#file = file;
    this.#offsetSec = offsetSec;
    this.#durationSec = durationSec;
    this.#wholeIfShort = wholeIfShort;
  }

  /**
   * Its samples, with librosa's rounding: both ends truncated to whole samples.
   *
   * @throws {AudioError} when it lies outside the file or holds no sample.
   */
  range(frames: number, sampleRateHz: number): SampleRange {
    const offset = Math.trunc(this.#offsetSec * sampleRateHz);
    const start = this.#wholeIfShort && offset >= frames ? 0 : offset;
    const length = this.#durationSec === undefined ? frames : Math.trunc(this.#durationSec * sampleRateHz);
    if (start >= frames) {
      const end = (frames / sampleRateHz).toFixed(3);
      throw new AudioError(this.#file, `the offset of ${this.#offsetSec} s lies at or beyond its end (${end} s)`);
    }
    if (length === 0) {
      throw new AudioError(this.#file, `a duration of ${this.#durationSec} s is less than one sample`);
    }
    return { start, end: Math.min(frames, start + length) };
  }
}

/**
 * Loads a file as mono audio at the wanted rate: librosa.load 0.11 with its defaults (22,050 Hz, mean of the channels,
 * soxr HQ's response).
 *
 * @param path Any file that {@linkcode decodeAudio} reads.
 * @param options Rate and stretch of time.
 * @throws {AudioError} naming the file, when it cannot be read or decoded.
 */
export async function loadAudio(path: string, options: LoadAudioOptions = {}): Promise<Waveform> {
  return await loadAudioBytes(readAudioBytes(path), path, options);
}

/**
 * {@linkcode loadAudio} of a file that was read already.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @param options Rate and stretch of time.
 * @throws {AudioError} naming the file, when it cannot be decoded.
 */
export async function loadAudioBytes(
  bytes: Uint8Array,
  file: string,
  options: LoadAudioOptions = {},
): Promise<Waveform> {
  const { sampleRateHz = 22_050, offsetSec = 0, durationSec } = options;
  const stretch = offsetSec === 0 && durationSec === undefined ? null : new Stretch(file, options);
  const range = stretch ? (frames: number, rate: number) => stretch.range(frames, rate) : undefined;
  const wave = toMono(await decodeAudio(bytes, file, { range }));
  return sampleRateHz === null ? wave : resample(wave, sampleRateHz);
}

/**
 * Says what a file holds. Of a WAV file only the header is read; others are decoded.
 *
 * @throws {AudioError} naming the file, when it cannot be read or decoded.
 */
export async function readAudioInfo(path: string): Promise<AudioInfo> {
  const bytes = orAudioError(path, () => checkedSize(path));
  const head = orAudioError(path, () => {
    const handle = openSync(path, "r");
    try {
      const buffer = new Uint8Array(Math.min(HEADER_BYTES, bytes));
      return buffer.subarray(0, readSync(handle, buffer, 0, buffer.length, 0));
    } finally {
      closeSync(handle);
    }
  });
  if (isWav(head)) {
    try {
      const { sampleRateHz, channels, frames, encoding } = parseWavHeader(head, path, { totalBytes: bytes });
      const name = encoding === "pcm8u" ? "pcm8" : encoding;
      return {
        sampleRateHz,
        channels,
        frames,
        durationSec: frames / sampleRateHz,
        container: "wav",
        encoding: name,
        bytes,
      };
    } catch (error) {
      // A header longer than the part that was read: only the whole file tells.
      if (head.length === bytes) throw error;
    }
  }
  const decoded = await decodeAudio(readAudioBytes(path), path);
  const frames = decoded.channels[0]!.length;
  return {
    sampleRateHz: decoded.sampleRateHz,
    channels: decoded.channels.length,
    frames,
    durationSec: frames / decoded.sampleRateHz,
    container: decoded.container,
    encoding: decoded.encoding,
    bytes,
  };
}
