/**
 * FLAC: lossless, so decoded here exactly, with every frame's checksum verified.
 *
 * Source: RFC 9639.
 *
 * @module
 */

import { AudioError } from "../errors.ts";
import { id3Length, tagAt, viewOf } from "./bytes.ts";
import { type DecodedAudio, requirePlausible } from "./types.ts";

/** True where the bytes start as a FLAC file, with or without an ID3 tag before it. */
export function isFlac(bytes: Uint8Array): boolean {
  return tagAt(bytes, id3Length(bytes)) === "fLaC";
}

/** Thrown where the bits run out; {@linkcode decodeFlac} says what that means. */
class OutOfBits extends Error {}

class BitReader {
  /** Position in bits. */
  at: number;

  constructor(readonly bytes: Uint8Array, byte: number) {
    this.at = byte * 8;
  }

  get byte(): number {
    return Math.ceil(this.at / 8);
  }

  /** An unsigned number of up to 36 bits. */
  read(bits: number): number {
    if (this.at + bits > this.bytes.length * 8) throw new OutOfBits();
    let value = 0;
    while (bits > 0) {
      const free = 8 - this.at % 8;
      const take = Math.min(free, bits);
      const part = this.bytes[Math.floor(this.at / 8)]! >> free - take & (1 << take) - 1;
      value = value * (1 << take) + part;
      this.at += take;
      bits -= take;
    }
    return value;
  }

  /** A number in two's complement. */
  signed(bits: number): number {
    if (bits === 0) return 0;
    const value = this.read(bits);
    return value >= 2 ** (bits - 1) ? value - 2 ** bits : value;
  }

  /** Number of zero bits before the next one bit. */
  unary(): number {
    let zeros = 0;
    for (;;) {
      const index = Math.floor(this.at / 8);
      if (index >= this.bytes.length) throw new OutOfBits();
      const used = this.at % 8;
      const rest = this.bytes[index]! << used & 0xff;
      if (rest) {
        const leading = Math.clz32(rest) - 24;
        this.at += leading + 1;
        return zeros + leading;
      }
      zeros += 8 - used;
      this.at += 8 - used;
    }
  }
}

/** Table of a CRC with the high bit first. */
function crcTable(bits: number, polynomial: number): Uint16Array {
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << bits - 8;
    for (let i = 0; i < 8; i++) crc = crc & 1 << bits - 1 ? crc << 1 ^ polynomial : crc << 1;
    return crc & 2 ** bits - 1;
  });
}

const CRC8 = crcTable(8, 0x07);
const CRC16 = crcTable(16, 0x8005);

function crc8(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let i = from; i < to; i++) crc = CRC8[crc ^ bytes[i]!]!;
  return crc;
}

function crc16(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  for (let i = from; i < to; i++) crc = (crc << 8 & 0xffff) ^ CRC16[crc >> 8 ^ bytes[i]!]!;
  return crc;
}

/** Coefficients of the fixed predictors of order 0 to 4, newest sample first. */
const FIXED = [[], [1], [2, -1], [3, -3, 1], [4, -6, 4, -1]];

/** Rice-coded residuals of a subframe, into `out` from index `order` on. */
function readResidual(reader: BitReader, out: Float64Array, length: number, order: number): boolean {
  const method = reader.read(2);
  if (method > 1) return false;
  const parameterBits = method ? 5 : 4;
  const escape = 2 ** parameterBits - 1;
  const partitionOrder = reader.read(4);
  const partitionLength = length / 2 ** partitionOrder;
  if (!Number.isInteger(partitionLength) || partitionLength < order) return false;
  let i = order;
  for (let end = partitionLength; end <= length; end += partitionLength) {
    const parameter = reader.read(parameterBits);
    if (parameter === escape) {
      const bits = reader.read(5);
      for (; i < end; i++) out[i] = reader.signed(bits);
    } else {
      const scale = 2 ** parameter;
      for (; i < end; i++) {
        const folded = reader.unary() * scale + reader.read(parameter);
        out[i] = folded % 2 ? -(folded + 1) / 2 : folded / 2;
      }
    }
  }
  return true;
}

/** One subframe of `length` samples; false where it breaks a rule. */
function readSubframe(reader: BitReader, out: Float64Array, length: number, bitsPerSample: number): boolean {
  if (reader.read(1) !== 0) return false;
  const type = reader.read(6);
  const wasted = reader.read(1) ? reader.unary() + 1 : 0;
  const bits = bitsPerSample - wasted;
  if (bits < 1) return false;
  if (type === 0) {
    out.fill(reader.signed(bits), 0, length);
  } else if (type === 1) {
    for (let i = 0; i < length; i++) out[i] = reader.signed(bits);
  } else {
    const fixed = type >= 8 && type <= 12;
    if (!fixed && type < 32) return false;
    const order = fixed ? type - 8 : type - 31;
    if (order > length) return false;
    for (let i = 0; i < order; i++) out[i] = reader.signed(bits);
    let coefficients = FIXED[order] ?? [];
    let scale = 1;
    if (!fixed) {
      const precision = reader.read(4) + 1;
      const shift = reader.signed(5);
      if (precision === 16 || shift < 0) return false;
      coefficients = Array.from({ length: order }, () => reader.signed(precision));
      scale = 2 ** shift;
    }
    if (!readResidual(reader, out, length, order)) return false;
    // Doubles hold every sum exactly: 33-bit samples, 15-bit coefficients, 32 of them.
    for (let i = order; i < length; i++) {
      let sum = 0;
      for (let k = 0; k < order; k++) sum += coefficients[k]! * out[i - 1 - k]!;
      out[i] = out[i]! + Math.floor(sum / scale);
    }
  }
  if (wasted) { for (let i = 0; i < length; i++) out[i] = out[i]! * 2 ** wasted; }
  return true;
}

/**
 * Decodes a FLAC file. Values are the stored integers divided by 2^(bits - 1), exactly.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @throws {AudioError} when it is truncated or corrupt (a checksum does not fit), or holds no samples.
 */
export function decodeFlac(bytes: Uint8Array, file: string): DecodedAudio {
  let at = id3Length(bytes) + 4;
  const view = viewOf(bytes);
  let info: { sampleRateHz: number; channels: number; bits: number; frames: number } | undefined;
  for (let last = false; !last;) {
    if (at + 4 > bytes.length) throw new AudioError(file, "is truncated inside its metadata");
    const head = view.getUint32(at);
    const size = head & 0xffffff;
    last = head >>> 31 === 1;
    if (at + 4 + size > bytes.length) throw new AudioError(file, "is truncated inside its metadata");
    if ((head >>> 24 & 0x7f) === 0) {
      if (size < 34) throw new AudioError(file, "its STREAMINFO block is cut short");
      const reader = new BitReader(bytes, at + 14);
      const sampleRateHz = reader.read(20);
      info = { sampleRateHz, channels: reader.read(3) + 1, bits: reader.read(5) + 1, frames: reader.read(36) };
    }
    at += 4 + size;
  }
  if (!info) throw new AudioError(file, "has no STREAMINFO block");
  requirePlausible(info, bytes.length, file);
  const { sampleRateHz, channels, bits, frames: declared } = info;
  if (bits < 4) throw new AudioError(file, `declares ${bits} bits a sample; FLAC has 4 to 32`);

  const blocks: Float32Array[][] = Array.from({ length: channels }, () => []);
  const scratch = [0, 1].map(() => new Float64Array(65536));
  const scale = 2 ** (1 - bits);
  let frames = 0;
  while (at < bytes.length && (declared === 0 || frames < declared)) {
    const frameAt = at;
    const corrupt = (what: string) =>
      new AudioError(file, `is corrupt: the frame at byte ${frameAt} ${what} (after ${frames} samples)`);
    try {
      const reader = new BitReader(bytes, at);
      if (reader.read(15) !== 0x7ffc) {
        // Tags of other programs may follow the last frame where the stream does not say how long it is.
        if (declared === 0 && frames > 0 && ["TAG", "APE"].includes(tagAt(bytes, at, 3))) break;
        throw corrupt("does not start as one");
      }
      reader.read(1);
      const sizeCode = reader.read(4);
      const rateCode = reader.read(4);
      const channelCode = reader.read(4);
      const bitsCode = reader.read(3);
      reader.read(1);
      // The number of the frame or sample, coded as UTF-8; its place in the file says the same.
      const first = reader.read(8);
      const more = first < 0x80 ? 0 : Math.clz32(~first << 24) - 1;
      reader.read(8 * Math.max(0, Math.min(more, 4)));
      if (more > 4) reader.read(8 * (more - 4));
      const length = sizeCode === 1
        ? 192
        : sizeCode >= 2 && sizeCode <= 5
        ? 576 << sizeCode - 2
        : sizeCode === 6
        ? reader.read(8) + 1
        : sizeCode === 7
        ? reader.read(16) + 1
        : sizeCode >= 8
        ? 256 << sizeCode - 8
        : 0;
      if (rateCode === 12) reader.read(8);
      else if (rateCode === 13 || rateCode === 14) reader.read(16);
      const headerEnd = reader.byte;
      if (reader.read(8) !== crc8(bytes, frameAt, headerEnd)) throw corrupt("has a header whose checksum does not fit");
      const frameBits = [bits, 8, 12, 0, 16, 20, 24, 32][bitsCode]!;
      const frameChannels = channelCode < 8 ? channelCode + 1 : 2;
      if (length === 0 || frameBits !== bits || frameChannels !== channels || channelCode > 10 || rateCode === 15) {
        throw corrupt("contradicts the header of the file");
      }
      frames += length;
      requirePlausible({ sampleRateHz, channels, frames }, bytes.length, file);
      const decoded: Float32Array[] = [];
      for (let c = 0; c < channels; c++) {
        const out = scratch[c % 2]!;
        const side = channelCode === 8 || channelCode === 10 ? 1 : channelCode === 9 ? 0 : -1;
        if (!readSubframe(reader, out, length, c === side ? bits + 1 : bits)) {
          throw corrupt("breaks a rule of the format");
        }
        if (channelCode < 8) decoded.push(Float32Array.from(out.subarray(0, length), (x) => x * scale));
      }
      if (channelCode >= 8) {
        const [a, b] = scratch as [Float64Array, Float64Array];
        const left = new Float32Array(length);
        const right = new Float32Array(length);
        for (let i = 0; i < length; i++) {
          const x = a[i]!;
          const y = b[i]!;
          // 8: left and side; 9: side and right; 10: mid and side, whose common last bit went lost in mid.
          const sum = channelCode === 10 ? 2 * x + Math.abs(y % 2) : 0;
          left[i] = (channelCode === 8 ? x : channelCode === 9 ? x + y : (sum + y) / 2) * scale;
          right[i] = (channelCode === 8 ? x - y : channelCode === 9 ? y : (sum - y) / 2) * scale;
        }
        decoded.push(left, right);
      }
      const bodyEnd = reader.byte;
      reader.at = bodyEnd * 8;
      if (reader.read(16) !== crc16(bytes, frameAt, bodyEnd)) throw corrupt("has a checksum that does not fit");
      decoded.forEach((block, c) => blocks[c]!.push(block));
      at = bodyEnd + 2;
    } catch (error) {
      if (!(error instanceof OutOfBits)) throw error;
      throw new AudioError(file, `is truncated inside the frame at byte ${frameAt}`);
    }
  }
  if (frames === 0) {
    throw new AudioError(
      file,
      declared ? `is truncated: none of its ${declared} samples is there` : "holds no samples",
    );
  }
  if (declared && frames !== declared) {
    throw new AudioError(
      file,
      frames < declared
        ? `is truncated: its header declares ${declared} samples and ${declared - frames} of them are missing`
        : `is corrupt: its header declares ${declared} samples and its frames hold ${frames}`,
    );
  }
  const join = (parts: Float32Array[]) => {
    const all = new Float32Array(frames);
    let place = 0;
    for (const part of parts) {
      all.set(part, place);
      place += part.length;
    }
    return all;
  };
  return { channels: blocks.map(join), sampleRateHz, container: "flac", encoding: `pcm${bits}` };
}
