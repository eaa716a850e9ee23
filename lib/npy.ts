/**
 * NumPy's `.npy` files, little-endian float32 in C order: what `features` writes and what the golden values are.
 *
 * @module
 */

import { FormatError } from "./errors.ts";
import type { NdArray } from "./types.ts";

const MAGIC = "\x93NUMPY";

/**
 * Bytes of a version 1.0 `.npy` file.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const bytes = encodeNpy({ data: Float32Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] });
 * assert.deepEqual(decodeNpy(bytes, "x.npy").shape, [2, 3]);
 * assert.deepEqual([...decodeNpy(bytes, "x.npy").data], [1, 2, 3, 4, 5, 6]);
 * ```
 */
export function encodeNpy(array: NdArray): Uint8Array {
  const shape = array.shape.length === 1 ? `(${array.shape[0]},)` : `(${array.shape.join(", ")})`;
  const dictionary = `{'descr': '<f4', 'fortran_order': False, 'shape': ${shape}, }`;
  const header = dictionary.padEnd(Math.ceil((dictionary.length + 11) / 64) * 64 - 11, " ") + "\n";
  const bytes = new Uint8Array(10 + header.length + array.data.length * 4);
  for (let i = 0; i < 6; i++) bytes[i] = MAGIC.charCodeAt(i);
  const view = new DataView(bytes.buffer);
  view.setUint8(6, 1);
  view.setUint16(8, header.length, true);
  bytes.set(new TextEncoder().encode(header), 10);
  const start = 10 + header.length;
  for (let i = 0; i < array.data.length; i++) view.setFloat32(start + 4 * i, array.data[i]!, true);
  return bytes;
}

/**
 * Reads a `.npy` file of little-endian float32 (or float64, which is rounded) in C order.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @throws {FormatError} when it is not such a file.
 */
export function decodeNpy(bytes: Uint8Array, file: string): NdArray {
  // Not TextDecoder: its latin1 is windows-1252, which has another character at 0x93.
  const text = String.fromCharCode(...bytes.subarray(0, 6));
  if (text !== MAGIC || bytes.length < 10) throw new FormatError(`${file}: not a .npy file.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6]! >= 2;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (wide ? 12 : 10) + length;
  const header = new TextDecoder("latin1").decode(bytes.subarray(wide ? 12 : 10, start));
  const type = /'descr':\s*'([^']+)'/.exec(header)?.[1];
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1]?.split(",").map((s) => s.trim()).filter(Boolean).map(Number);
  if (!shape || (type !== "<f4" && type !== "<f8") || /'fortran_order':\s*True/.test(header)) {
    throw new FormatError(`${file}: only little-endian float32 or float64 in C order is read.`);
  }
  const size = shape.reduce((a, b) => a * b, 1);
  const width = type === "<f4" ? 4 : 8;
  if (bytes.length !== start + size * width) {
    throw new FormatError(`${file}: holds ${bytes.length - start} bytes of data, its header says ${size * width}.`);
  }
  const data = new Float32Array(size);
  for (let i = 0; i < size; i++) {
    data[i] = width === 4 ? view.getFloat32(start + 4 * i, true) : view.getFloat64(start + 8 * i, true);
  }
  return { data, shape };
}
