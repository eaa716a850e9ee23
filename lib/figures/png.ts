/**
 * A PNG encoder for pictures of at most 256 colours, which is all that a colour map needs.
 *
 * @module
 */

import { zlibSync } from "fflate";

/** A picture whose pixels are indices into a palette. */
export interface IndexedPicture {
  /** Width in pixels, at least 1. */
  readonly width: number;
  /** Height in pixels, at least 1. */
  readonly height: number;
  /** Palette index of every pixel, row by row from the top. */
  readonly pixels: Uint8Array;
  /** Red, green, blue of every palette entry, 0…255. */
  readonly palette: readonly (readonly [number, number, number])[];
  /** Palette entry that is drawn transparent. */
  readonly transparent?: number;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = CRC_TABLE[(c ^ byte) & 255]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

/**
 * Encodes a palette picture as PNG (ISO/IEC 15948, colour type 3, 8 bits a pixel). Equal input gives equal bytes.
 *
 * @throws {RangeError} when the number of pixels or of colours does not fit.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const png = encodeIndexedPng({ width: 1, height: 1, pixels: Uint8Array.of(0), palette: [[255, 0, 0]] });
 * assert.deepEqual([...png.subarray(1, 4)].map((c) => String.fromCharCode(c)).join(""), "PNG");
 * ```
 */
export function encodeIndexedPng(picture: IndexedPicture): Uint8Array {
  const { width, height, pixels, palette, transparent } = picture;
  if (width < 1 || height < 1 || pixels.length !== width * height) {
    throw new RangeError(`A picture of ${width} × ${height} needs as many pixels, got ${pixels.length}.`);
  }
  if (palette.length < 1 || palette.length > 256) {
    throw new RangeError(`A palette has 1 to 256 colours, got ${palette.length}.`);
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 3, 0, 0, 0], 8);
  // Every row starts with the number of its filter; 0 (none) suits palettes.
  const rows = new Uint8Array(height * (width + 1));
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const parts = [
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", header),
    chunk("PLTE", Uint8Array.from(palette.flat())),
  ];
  if (transparent !== undefined) {
    parts.push(chunk("tRNS", Uint8Array.from({ length: transparent + 1 }, (_, i) => i === transparent ? 0 : 255)));
  }
  parts.push(chunk("IDAT", zlibSync(rows, { level: 9 })), chunk("IEND", new Uint8Array(0)));
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Bytes as base64 with padding (RFC 4648). */
export function toBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let i = 0; i < bytes.length; i += 3) {
    const a = bytes[i]!, b = bytes[i + 1] ?? 0, c = bytes[i + 2] ?? 0;
    parts.push(
      BASE64[a >> 2]! + BASE64[((a & 3) << 4) | (b >> 4)]! +
        (i + 1 < bytes.length ? BASE64[((b & 15) << 2) | (c >> 6)]! : "=") +
        (i + 2 < bytes.length ? BASE64[c & 63]! : "="),
    );
  }
  return parts.join("");
}
