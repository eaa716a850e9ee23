/**
 * What the header of an audio file says: enough for a manifest, without decoding a sample.
 *
 * @module
 */

import { AudioError } from "../errors.ts";

/** Rate, channels and length of an audio file. */
export interface AudioHeader {
  /** The container by its content, whatever the file is called. */
  readonly container: "wav" | "aiff" | "flac";
  /** Sampling rate in Hz. */
  readonly sampleRateHz: number;
  /** Number of channels. */
  readonly channels: number;
  /** Samples a channel. */
  readonly frames: number;
}

function ascii(bytes: Uint8Array, at: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}

/**
 * First line of a Git LFS pointer: what a checkout without `git lfs` holds in place of a large file.
 * Source: Git LFS specification, version 1.
 */
const LFS_FIRST_LINE = "version https://git-lfs.github.com/spec/v1";

/** A Git LFS pointer: which file belongs in its place. */
export interface LfsPointer {
  /** SHA-256 of the file, lower-case hexadecimal. */
  readonly sha256: string;
  /** Its size in bytes. */
  readonly bytes: number;
}

/**
 * Reads a Git LFS pointer.
 *
 * @returns undefined when the bytes are something else.
 */
export function lfsPointer(bytes: Uint8Array): LfsPointer | undefined {
  if (bytes.length > 1024 || ascii(bytes, 0, LFS_FIRST_LINE.length) !== LFS_FIRST_LINE) return undefined;
  const text = ascii(bytes, 0, bytes.length);
  const sha256 = /^oid sha256:([0-9a-f]{64})$/m.exec(text)?.[1];
  const size = /^size (\d{1,15})$/m.exec(text)?.[1];
  return sha256 === undefined || size === undefined ? undefined : { sha256, bytes: Number(size) };
}

function wavHeader(bytes: Uint8Array, file: string): AudioHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let rate = 0;
  let channels = 0;
  let frameBytes = 0;
  for (let at = 12; at + 8 <= bytes.length;) {
    const id = ascii(bytes, at, 4);
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    if (id === "fmt ") {
      if (size < 16 || start + 16 > bytes.length) throw new AudioError(file, "its WAV format chunk is cut off");
      channels = view.getUint16(start + 2, true);
      rate = view.getUint32(start + 4, true);
      frameBytes = view.getUint16(start + 12, true);
      if (channels === 0 || rate === 0 || frameBytes === 0) {
        throw new AudioError(file, `its WAV header declares ${channels} channels at ${rate} Hz, which is impossible`);
      }
    } else if (id === "data") {
      if (frameBytes === 0) throw new AudioError(file, "its WAV data come before any format chunk");
      const left = bytes.length - start;
      // A recorder that could not seek back leaves 0 or 2³² − 1 (or 2³² − 1 less the headers): the data run to the end.
      const streamed = size >= 0xffffff00 || (size === 0 && left > 0 && left % frameBytes === 0);
      if (!streamed && size > left) {
        throw new AudioError(file, `it is truncated, its header declares ${size} bytes of audio and ${left} are there`);
      }
      const frames = Math.floor((streamed ? left : size) / frameBytes);
      return { container: "wav", sampleRateHz: rate, channels, frames };
    }
    at = start + size + (size & 1);
  }
  throw new AudioError(file, "it is a WAV file without audio data");
}

/** The 80-bit extended float in which AIFF keeps its sampling rate. */
function extended(view: DataView, at: number): number {
  const exponent = (view.getUint16(at) & 0x7fff) - 16383;
  return view.getUint32(at + 2) * 2 ** (exponent - 31) + view.getUint32(at + 6) * 2 ** (exponent - 63);
}

function aiffHeader(bytes: Uint8Array, file: string): AudioHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: AudioHeader | undefined;
  let frameBytes = 0;
  for (let at = 12; at + 8 <= bytes.length;) {
    const id = ascii(bytes, at, 4);
    const size = view.getUint32(at + 4);
    const start = at + 8;
    if (id === "COMM") {
      if (size < 18 || start + 18 > bytes.length) throw new AudioError(file, "its AIFF common chunk is cut off");
      const channels = view.getInt16(start);
      const rate = extended(view, start + 8);
      if (channels <= 0 || !(rate > 0) || !Number.isFinite(rate)) {
        throw new AudioError(file, `its AIFF header declares ${channels} channels at ${rate} Hz, which is impossible`);
      }
      frameBytes = channels * Math.ceil(view.getInt16(start + 6) / 8);
      header = { container: "aiff", sampleRateHz: rate, channels, frames: view.getUint32(start + 2) };
    } else if (id === "SSND") {
      if (start + size > bytes.length) {
        throw new AudioError(
          file,
          `it is truncated, its header declares ${size} bytes of audio and ${bytes.length - start} are there`,
        );
      }
      const compressed = ascii(bytes, 8, 4) === "AIFC";
      if (header !== undefined && !compressed && header.frames * frameBytes > size - 8) {
        throw new AudioError(
          file,
          `its AIFF header declares ${header.frames} frames, which its audio data cannot hold`,
        );
      }
    }
    at = start + size + (size & 1);
  }
  if (header === undefined) throw new AudioError(file, "it is an AIFF file without a common chunk");
  return header;
}

/** Source: RFC 9639, section 8.2 (streaminfo). */
function flacHeader(bytes: Uint8Array, file: string): AudioHeader {
  if (bytes.length < 26 || (bytes[4]! & 0x7f) !== 0) throw new AudioError(file, "its FLAC stream info is cut off");
  const rate = (bytes[18]! << 12) | (bytes[19]! << 4) | (bytes[20]! >> 4);
  const channels = ((bytes[20]! >> 1) & 7) + 1;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames = (bytes[21]! & 15) * 2 ** 32 + view.getUint32(22);
  if (rate === 0 || frames === 0) throw new AudioError(file, "its FLAC header does not tell rate or length");
  return { container: "flac", sampleRateHz: rate, channels, frames };
}

/**
 * Reads the header of a WAV, AIFF (AIFF-C) or FLAC file.
 *
 * @param bytes The file.
 * @param file Its name, for errors.
 * @returns undefined when the bytes begin like none of these.
 * @throws {AudioError} when the header is broken, or declares more audio than there is.
 */
export function audioHeader(bytes: Uint8Array, file: string): AudioHeader | undefined {
  const first = ascii(bytes, 0, 4);
  const form = ascii(bytes, 8, 4);
  if (first === "RIFF" && form === "WAVE") return wavHeader(bytes, file);
  if (first === "FORM" && (form === "AIFF" || form === "AIFC")) return aiffHeader(bytes, file);
  if (first === "fLaC") return flacHeader(bytes, file);
  return undefined;
}
