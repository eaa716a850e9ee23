/**
 * WAV files: read with every usual encoding and every usual oddity, written as 16-bit PCM or 32-bit float.
 *
 * Sources: Microsoft, "Multiple Channel Audio Data and WAVE Files" (2007); EBU Tech 3306 (RF64); values as libsndfile's.
 *
 * @module
 */

import { AudioError } from "../errors.ts";
import type { Waveform } from "../types.ts";
import { describeNonAudio, tagAt, viewOf } from "./bytes.ts";
import { bytesPerSample, deinterleave, type PcmEncoding } from "./pcm.ts";
import {
  type DecodedAudio,
  type DecodeOptions,
  MAX_SAMPLE_RATE_HZ,
  MIN_SAMPLE_RATE_HZ,
  requirePlausible,
} from "./types.ts";

const FORMAT_PCM = 1;
const FORMAT_FLOAT = 3;
const FORMAT_ALAW = 6;
const FORMAT_MULAW = 7;
const FORMAT_EXTENSIBLE = 0xfffe;

/** Names of encodings that we do not read, so that the error can say what the file is. */
const OTHER_FORMATS: Record<number, string> = {
  0x02: "Microsoft ADPCM",
  0x11: "IMA ADPCM",
  0x31: "GSM 6.10",
  0x50: "MPEG",
  0x55: "MP3",
  0xff: "AAC",
};

/** The sizes that writers put where they cannot seek back: all ones, and SoX's 0x7ffff000. */
function isUnknownSize(size: number): boolean {
  return size === 0xffffffff || size === 0x7ffff000;
}

/** What the header of a WAV file says, before any sample is read. */
export interface WavHeader {
  /** How a sample is stored. */
  readonly encoding: PcmEncoding;
  /** Number of channels. */
  readonly channels: number;
  /** Sampling rate in Hz. */
  readonly sampleRateHz: number;
  /** Position of the first sample in bytes. */
  readonly dataStart: number;
  /** Bytes of samples, whole frames only. */
  readonly dataBytes: number;
  /** Samples a channel. */
  readonly frames: number;
  /** False in RIFX files, whose numbers have the high byte first. */
  readonly littleEndian: boolean;
}

/** True where the bytes start as a WAV file (RIFF, RIFX, RF64 or BW64 with form type WAVE). */
export function isWav(bytes: Uint8Array): boolean {
  return ["RIFF", "RIFX", "RF64", "BW64"].includes(tagAt(bytes, 0)) && tagAt(bytes, 8) === "WAVE";
}

/** True where the bytes from `at` to the end are nothing but whole chunks: a data chunk of size 0 is then really empty. */
function isChunkChain(bytes: Uint8Array, at: number, u32: (at: number) => number): boolean {
  while (at < bytes.length) {
    if (at + 8 > bytes.length || !/^[\x20-\x7e]{4}$/.test(tagAt(bytes, at))) return false;
    const size = u32(at + 4);
    at += 8 + size;
    // The last padding byte is often missing.
    if (at < bytes.length || size % 2 === 0) at += size % 2;
  }
  return at === bytes.length;
}

/**
 * Reads and checks the header of a WAV file.
 *
 * @param bytes The whole file (or its beginning, with `totalBytes` in the options).
 * @param file Its name, for errors.
 * @param options `totalBytes`: size of the file where `bytes` holds only its beginning.
 * @throws {AudioError} when it is not a WAV file that can be decoded.
 */
export function parseWavHeader(bytes: Uint8Array, file: string, options: { totalBytes?: number } = {}): WavHeader {
  if (!isWav(bytes)) throw new AudioError(file, isWavCut(bytes) ? truncatedHeader(bytes) : describeNonAudio(bytes));
  const totalBytes = options.totalBytes ?? bytes.length;
  const whole = totalBytes === bytes.length;
  const form = tagAt(bytes, 0);
  const littleEndian = form !== "RIFX";
  const wide = form === "RF64" || form === "BW64";
  const view = viewOf(bytes);
  const u16 = (at: number) => view.getUint16(at, littleEndian);
  const u32 = (at: number) => view.getUint32(at, littleEndian);
  const riffSize = u32(4);

  let wideDataBytes: number | undefined;
  let format: Pick<WavHeader, "encoding" | "channels" | "sampleRateHz"> | undefined;
  let at = 12;
  while (at + 8 <= bytes.length) {
    const tag = tagAt(bytes, at);
    const declared = u32(at + 4);
    const start = at + 8;
    if (tag === "data") {
      if (!format) throw new AudioError(file, "its data chunk comes before any fmt chunk, so its encoding is unknown");
      const there = totalBytes - start;
      let size = declared;
      if (wide && declared === 0xffffffff && wideDataBytes !== undefined) size = wideDataBytes;
      else if (isUnknownSize(declared)) size = there;
      else if (declared === 0 && there > 0) {
        const streamed = riffSize === 0 || isUnknownSize(riffSize);
        if (streamed || (whole && !isChunkChain(bytes, start, u32))) size = there;
      }
      if (size > there) {
        throw new AudioError(
          file,
          `is truncated: its header declares ${size} bytes of samples and ${size - there} of them are missing`,
        );
      }
      const frameBytes = bytesPerSample(format.encoding) * format.channels;
      const frames = Math.floor(size / frameBytes);
      if (frames === 0) throw new AudioError(file, "holds no samples");
      requirePlausible({ ...format, frames }, totalBytes, file);
      return { ...format, dataStart: start, dataBytes: frames * frameBytes, frames, littleEndian };
    }
    if (tag === "ds64" && wide && declared >= 28 && start + 28 <= bytes.length) {
      wideDataBytes = u32(start + 8) + u32(start + 12) * 2 ** 32;
    } else if (tag === "fmt ") {
      if (declared < 16 || start + Math.min(declared, 40) > bytes.length) {
        throw new AudioError(
          file,
          `its fmt chunk has ${Math.min(declared, bytes.length - start)} bytes, at least 16 are needed`,
        );
      }
      format = parseFormat(declared, start);
    }
    at = start + declared + declared % 2;
  }
  if (!whole && at < totalBytes) {
    throw new AudioError(file, "its data chunk lies beyond the part of the file that was read");
  }
  throw new AudioError(file, at > totalBytes ? "is truncated inside its header: no data chunk" : "has no data chunk");

  function parseFormat(size: number, start: number): Pick<WavHeader, "encoding" | "channels" | "sampleRateHz"> {
    let code = u16(start);
    const channels = u16(start + 2);
    const sampleRateHz = u32(start + 4);
    const blockAlign = u16(start + 12);
    const bits = u16(start + 14);
    requirePlausible({ sampleRateHz, channels, frames: 0 }, totalBytes, file);
    // The sub-format is a GUID whose first two bytes are the format code of old.
    if (code === FORMAT_EXTENSIBLE && size >= 40) code = u16(start + 24);
    // Samples of odd widths (12, 20 bits) are left-justified in whole bytes.
    const width = Math.ceil(bits / 8);
    let encoding: PcmEncoding | undefined;
    if (code === FORMAT_PCM) encoding = ([undefined, "pcm8u", "pcm16", "pcm24", "pcm32"] as const)[width];
    else if (code === FORMAT_FLOAT) encoding = bits === 32 ? "float32" : bits === 64 ? "float64" : undefined;
    else if (code === FORMAT_ALAW && bits === 8) encoding = "alaw";
    else if (code === FORMAT_MULAW && bits === 8) encoding = "mulaw";
    if (!encoding) {
      const name = OTHER_FORMATS[code];
      const what = name ??
        (code === FORMAT_PCM || code === FORMAT_FLOAT ? `${bits}-bit samples` : `format code ${code}`);
      throw new AudioError(file, `is a WAV file with ${what}; PCM of 8 to 32 bits, float, A-law and µ-law are read`);
    }
    if (blockAlign !== bytesPerSample(encoding) * channels) {
      throw new AudioError(
        file,
        `its header contradicts itself: ${channels} channels of ${bits} bits in frames of ${blockAlign} bytes`,
      );
    }
    return { encoding, channels, sampleRateHz };
  }
}

/** True where the file ends within its first 12 bytes, yet starts as RIFF. */
function isWavCut(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.length < 12 &&
    "RIFF".startsWith(tagAt(bytes, 0).slice(0, Math.min(4, bytes.length)));
}

function truncatedHeader(bytes: Uint8Array): string {
  return `is truncated inside its header: ${bytes.length} bytes in all`;
}

/**
 * Decodes a WAV file: PCM of 8 to 32 bits, float of 32 or 64, A-law, µ-law, extensible headers, RF64, any channel count.
 *
 * Integers are divided by 2^(bits - 1), as libsndfile does. A data chunk of size 0 or 0xFFFFFFFF, which writers leave in
 * streams, means the rest of the file.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @param options `range`: the wanted samples. Integers outside of it are not read; floats are, for the check.
 * @throws {AudioError} when it is not a WAV file, is truncated, holds no samples, or holds NaN or infinite ones.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const bytes = encodeWav({ samples: Float32Array.of(0, 0.5, -1), sampleRateHz: 16000 });
 * const { channels, sampleRateHz } = decodeWav(bytes, "x.wav");
 * assert.equal(sampleRateHz, 16000);
 * assert.deepEqual([...channels[0]!], [0, 0.5, -1]);
 * assert.throws(() => decodeWav(bytes.subarray(0, 46), "x.wav"), /x\.wav: is truncated: .* 4 of them are missing\./);
 * ```
 */
export function decodeWav(bytes: Uint8Array, file: string, options: DecodeOptions = {}): DecodedAudio {
  const header = parseWavHeader(bytes, file);
  const { start, end } = options.range?.(header.frames, header.sampleRateHz) ?? { start: 0, end: header.frames };
  const isFloat = header.encoding === "float32" || header.encoding === "float64";
  const [from, to] = isFloat ? [0, header.frames] : [start, end];
  const frameBytes = header.dataBytes / header.frames;
  const data = bytes.subarray(header.dataStart + from * frameBytes, header.dataStart + to * frameBytes);
  const channels = deinterleave(data, header, file);
  return {
    channels: isFloat && options.range ? channels.map((samples) => samples.subarray(start, end)) : channels,
    sampleRateHz: header.sampleRateHz,
    container: "wav",
    encoding: header.encoding === "pcm8u" ? "pcm8" : header.encoding,
  };
}

/** Options of {@linkcode encodeWav}. */
export interface EncodeWavOptions {
  /** `pcm16` (default): rounded to the nearest of 65,536 steps and clipped to [-1, 1); `float32`: as it is. */
  readonly encoding?: "pcm16" | "float32";
}

/**
 * Encodes mono audio as a WAV file; equal samples give equal bytes.
 *
 * @throws {AudioError} when a sample is NaN or infinite, or the rate is not a whole number of Hz from 1,000 to 768,000.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = { samples: Float32Array.of(0.1, 2), sampleRateHz: 8000 };
 * assert.deepEqual([...decodeWav(encodeWav(wave, { encoding: "float32" }), "x").channels[0]!], [...wave.samples]);
 * assert.equal(decodeWav(encodeWav(wave), "x").channels[0]![1], 32767 / 32768); // clipped
 * ```
 */
export function encodeWav(wave: Waveform, options: EncodeWavOptions = {}): Uint8Array {
  const { samples, sampleRateHz } = wave;
  const float = options.encoding === "float32";
  if (!Number.isInteger(sampleRateHz) || sampleRateHz < MIN_SAMPLE_RATE_HZ || sampleRateHz > MAX_SAMPLE_RATE_HZ) {
    throw new AudioError(
      "waveform",
      `its rate is ${sampleRateHz} Hz; a whole number from ${MIN_SAMPLE_RATE_HZ} to ${MAX_SAMPLE_RATE_HZ} is needed`,
    );
  }
  const bad = samples.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) {
    throw new AudioError("waveform", `sample ${bad} is ${samples[bad]}; every sample must be a finite number`);
  }
  const width = float ? 4 : 2;
  // A float file needs the longer fmt chunk and a fact chunk; a PCM file has the 44 bytes that everything reads.
  const start = float ? 58 : 44;
  const dataBytes = samples.length * width;
  const bytes = new Uint8Array(start + dataBytes);
  const view = new DataView(bytes.buffer);
  const tag = (at: number, text: string) => {
    for (let i = 0; i < 4; i++) bytes[at + i] = text.charCodeAt(i);
  };
  tag(0, "RIFF");
  view.setUint32(4, bytes.length - 8, true);
  tag(8, "WAVE");
  tag(12, "fmt ");
  view.setUint32(16, float ? 18 : 16, true);
  view.setUint16(20, float ? FORMAT_FLOAT : FORMAT_PCM, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRateHz, true);
  view.setUint32(28, sampleRateHz * width, true);
  view.setUint16(32, width, true);
  view.setUint16(34, width * 8, true);
  if (float) {
    tag(38, "fact");
    view.setUint32(42, 4, true);
    view.setUint32(46, samples.length, true);
  }
  tag(start - 8, "data");
  view.setUint32(start - 4, dataBytes, true);
  for (let i = 0; i < samples.length; i++) {
    if (float) view.setFloat32(start + 4 * i, samples[i]!, true);
    else view.setInt16(start + 2 * i, Math.max(-32768, Math.min(32767, Math.round(samples[i]! * 32768))), true);
  }
  return bytes;
}
