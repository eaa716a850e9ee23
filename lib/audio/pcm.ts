/**
 * Raw samples to floats: the encodings that WAV and AIFF share, scaled as libsndfile scales them (x / 2^(bits - 1)).
 *
 * @module
 */

import { AudioError } from "../errors.ts";

/** How one sample lies in the file. */
export type PcmEncoding =
  | "pcm8u"
  | "pcm8"
  | "pcm16"
  | "pcm24"
  | "pcm32"
  | "float32"
  | "float64"
  | "alaw"
  | "mulaw";

/** Bytes that one sample takes. */
export function bytesPerSample(encoding: PcmEncoding): number {
  switch (encoding) {
    case "pcm8u":
    case "pcm8":
    case "alaw":
    case "mulaw":
      return 1;
    case "pcm16":
      return 2;
    case "pcm24":
      return 3;
    case "pcm32":
    case "float32":
      return 4;
    case "float64":
      return 8;
  }
}

/** ITU-T G.711 A-law byte to a sample of [-1, 1): 13 bits, left-justified in 16. */
function alaw(byte: number): number {
  const code = byte ^ 0x55;
  const segment = (code >> 4) & 7;
  const mantissa = (code & 15) << 4;
  const size = segment === 0 ? mantissa + 8 : (mantissa + 0x108) << (segment - 1);
  return (code & 0x80 ? size : -size) / 32768;
}

/** ITU-T G.711 µ-law byte to a sample of [-1, 1): 14 bits, left-justified in 16. */
function mulaw(byte: number): number {
  const code = ~byte & 0xff;
  const size = ((((code & 15) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84;
  return (code & 0x80 ? -size : size) / 32768;
}

const HOST_IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

const TABLES: Partial<Record<PcmEncoding, Float32Array>> = {};

/** Value of every possible byte of the one-byte encodings. */
function table(encoding: "pcm8u" | "pcm8" | "alaw" | "mulaw"): Float32Array {
  const known = TABLES[encoding];
  if (known) return known;
  const value = {
    pcm8u: (byte: number) => (byte - 128) / 128,
    pcm8: (byte: number) => (byte << 24 >> 24) / 128,
    alaw,
    mulaw,
  }[encoding];
  return TABLES[encoding] = Float32Array.from({ length: 256 }, (_, byte) => value(byte));
}

/** Every `step`-th word from `first` on, divided by 2^15. Four at a time: a loop of one costs four times as much. */
function scale16(words: Int16Array, first: number, step: number, out: Float32Array): void {
  const n = out.length, whole = n - n % 4;
  if (step === 1) {
    for (let i = 0; i < whole; i += 4) {
      out[i] = words[i]! * (1 / 32768);
      out[i + 1] = words[i + 1]! * (1 / 32768);
      out[i + 2] = words[i + 2]! * (1 / 32768);
      out[i + 3] = words[i + 3]! * (1 / 32768);
    }
    for (let i = whole; i < n; i++) out[i] = words[i]! * (1 / 32768);
    return;
  }
  for (let i = 0, at = first; i < n; i++, at += step) out[i] = words[at]! * (1 / 32768);
}

/**
 * Splits interleaved samples into channels and scales them.
 *
 * @param bytes The sample data alone; a last incomplete frame is left out.
 * @param layout Encoding, number of channels, and whether the low byte comes first.
 * @param file Name of the file, for errors.
 * @returns One array a channel.
 * @throws {AudioError} when there is no sample, or one that is NaN or infinite.
 */
export function deinterleave(
  bytes: Uint8Array,
  layout: { encoding: PcmEncoding; channels: number; littleEndian: boolean },
  file: string,
): Float32Array[] {
  const { encoding, channels: count, littleEndian } = layout;
  const width = bytesPerSample(encoding);
  const frames = Math.floor(bytes.length / (width * count));
  if (frames === 0) throw new AudioError(file, "holds no samples");
  const channels = Array.from({ length: count }, () => new Float32Array(frames));
  const step = width * count;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let c = 0; c < count; c++) {
    const out = channels[c]!;
    const start = c * width;
    switch (encoding) {
      case "pcm8u":
      case "pcm8":
      case "alaw":
      case "mulaw": {
        const values = table(encoding);
        for (let i = 0, at = start; i < frames; i++, at += step) out[i] = values[bytes[at]!]!;
        break;
      }
      case "pcm16":
        if (littleEndian && HOST_IS_LITTLE_ENDIAN) {
          // The commonest case by far: read two bytes at once. Dividing by a power of two is exact either way.
          const words = bytes.byteOffset % 2 === 0
            ? new Int16Array(bytes.buffer, bytes.byteOffset, frames * count)
            : new Int16Array(new Uint8Array(bytes.subarray(0, frames * step)).buffer);
          scale16(words, c, count, out);
        } else if (littleEndian) {
          for (let i = 0, at = start; i < frames; i++, at += step) {
            out[i] = ((bytes[at]! | bytes[at + 1]! << 8) << 16 >> 16) / 32768;
          }
        } else {
          for (let i = 0, at = start; i < frames; i++, at += step) {
            out[i] = ((bytes[at + 1]! | bytes[at]! << 8) << 16 >> 16) / 32768;
          }
        }
        break;
      case "pcm24": {
        const [low, high] = littleEndian ? [0, 2] : [2, 0];
        for (let i = 0, at = start; i < frames; i++, at += step) {
          out[i] = ((bytes[at + low]! << 8 | bytes[at + 1]! << 16 | bytes[at + high]! << 24) >> 8) / 8388608;
        }
        break;
      }
      case "pcm32":
        for (let i = 0, at = start; i < frames; i++, at += step) out[i] = view.getInt32(at, littleEndian) / 2147483648;
        break;
      case "float32":
        for (let i = 0, at = start; i < frames; i++, at += step) out[i] = view.getFloat32(at, littleEndian);
        break;
      case "float64":
        for (let i = 0, at = start; i < frames; i++, at += step) out[i] = view.getFloat64(at, littleEndian);
        break;
    }
  }
  if (encoding === "float32" || encoding === "float64") requireFinite(channels, file);
  return channels;
}

/** Largest absolute sample that is taken for audio: integers of 32 bits stored as floats without scaling still pass. */
const MAX_SAMPLE = 2 ** 32;

/**
 * Refuses samples that are not numbers, or so large that the sums of a filter overflow: one such sample would spread over
 * every feature that is computed from it.
 *
 * @throws {AudioError} naming the first such sample and its channel (both counted from 0).
 */
export function requireFinite(channels: readonly Float32Array[], file: string): void {
  for (let c = 0; c < channels.length; c++) {
    const samples = channels[c]!;
    for (let i = 0; i < samples.length; i++) {
      const x = samples[i]!;
      if (Math.abs(x) <= MAX_SAMPLE) continue;
      const place = `sample ${i} of channel ${c}`;
      if (Number.isFinite(x)) {
        throw new AudioError(file, `${place} is ${x.toPrecision(3)}, which is no audio (full scale is 1)`);
      }
      const what = Number.isNaN(x) ? "NaN" : "infinite";
      throw new AudioError(file, `${place} is ${what}; every sample must be a finite number`);
    }
  }
}
