/**
 * AIFF and AIFF-C files with uncompressed samples, A-law or µ-law. TESS is distributed with two of them, named `.wav`.
 *
 * Source: Apple, "Audio Interchange File Format AIFF-C" (1991).
 *
 * @module
 */

import { AudioError } from "../errors.ts";
import { tagAt, viewOf } from "./bytes.ts";
import { bytesPerSample, deinterleave, type PcmEncoding } from "./pcm.ts";
import { type DecodedAudio, requirePlausible } from "./types.ts";

/** True where the bytes start as an AIFF or AIFF-C file. */
export function isAiff(bytes: Uint8Array): boolean {
  return tagAt(bytes, 0) === "FORM" && (tagAt(bytes, 8) === "AIFF" || tagAt(bytes, 8) === "AIFC");
}

/** A number of 80 bits as SANE has it: sign, 15 bits of exponent, 64 of mantissa with an explicit first bit. */
function extended(view: DataView, at: number): number {
  const exponent = view.getUint16(at);
  const mantissa = view.getUint32(at + 2) * 2 ** 32 + view.getUint32(at + 6);
  return (exponent & 0x8000 ? -1 : 1) * mantissa * 2 ** ((exponent & 0x7fff) - 16383 - 63);
}

/** Encoding and byte order of an AIFF-C compression type, where we read it. */
function encodingOf(type: string, bits: number): { encoding: PcmEncoding; littleEndian: boolean } | undefined {
  const pcm = ([undefined, "pcm8", "pcm16", "pcm24", "pcm32"] as const)[Math.ceil(bits / 8)];
  switch (type) {
    case "NONE":
    case "twos":
      return pcm && { encoding: pcm, littleEndian: false };
    case "sowt":
      return pcm && { encoding: pcm, littleEndian: true };
    case "raw ":
      return { encoding: "pcm8u", littleEndian: false };
    case "in24":
      return { encoding: "pcm24", littleEndian: false };
    case "in32":
      return { encoding: "pcm32", littleEndian: false };
    case "fl32":
    case "FL32":
      return { encoding: "float32", littleEndian: false };
    case "fl64":
    case "FL64":
      return { encoding: "float64", littleEndian: false };
    case "alaw":
    case "ALAW":
      return { encoding: "alaw", littleEndian: false };
    case "ulaw":
    case "ULAW":
      return { encoding: "mulaw", littleEndian: false };
    default:
      return undefined;
  }
}

/**
 * Decodes an AIFF or AIFF-C file.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @throws {AudioError} when it breaks a rule of the format, is truncated, holds no samples, or NaN.
 */
export function decodeAiff(bytes: Uint8Array, file: string): DecodedAudio {
  const view = viewOf(bytes);
  let common: { channels: number; frames: number; bits: number; sampleRateHz: number; type: string } | undefined;
  let data: { start: number; declared: number } | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const tag = tagAt(bytes, at);
    const size = view.getUint32(at + 4);
    const start = at + 8;
    if (tag === "COMM") {
      if (size < 18 || start + size > bytes.length) throw new AudioError(file, "its COMM chunk is cut short");
      common = {
        channels: view.getUint16(start),
        frames: view.getUint32(start + 2),
        bits: view.getUint16(start + 6),
        sampleRateHz: extended(view, start + 8),
        type: tagAt(bytes, 8) === "AIFC" && size >= 22 ? tagAt(bytes, start + 18) : "NONE",
      };
    } else if (tag === "SSND") {
      if (start + 8 > bytes.length || size < 8) throw new AudioError(file, "its SSND chunk is cut short");
      const offset = view.getUint32(start);
      data = { start: start + 8 + offset, declared: size - 8 - offset };
    }
    at = start + size + size % 2;
  }
  if (!common) throw new AudioError(file, "has no COMM chunk, so its encoding is unknown");
  const { channels, frames, bits, sampleRateHz, type } = common;
  if (!Number.isInteger(sampleRateHz)) {
    throw new AudioError(file, `its rate of ${sampleRateHz} Hz is not a whole number`);
  }
  requirePlausible({ channels, frames, sampleRateHz }, bytes.length, file);
  const layout = encodingOf(type, bits);
  if (!layout) throw new AudioError(file, `is an AIFF file with ${bits}-bit samples of type ${JSON.stringify(type)}`);
  if (frames === 0) throw new AudioError(file, "holds no samples");
  if (!data) throw new AudioError(file, "has no SSND chunk");
  const needed = frames * channels * bytesPerSample(layout.encoding);
  const there = Math.max(0, Math.min(data.declared, bytes.length - data.start));
  if (there < needed) {
    throw new AudioError(
      file,
      `is truncated: its header declares ${needed} bytes of samples and ${needed - there} of them are missing`,
    );
  }
  return {
    channels: deinterleave(bytes.subarray(data.start, data.start + needed), { ...layout, channels }, file),
    sampleRateHz,
    container: "aiff",
    encoding: layout.encoding === "pcm8u" ? "pcm8" : layout.encoding,
  };
}
