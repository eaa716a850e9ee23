/**
 * Checkpoints: named float arrays and a JSON part in one file, written whole or not at all.
 *
 * Layout: the line `serlab-checkpoint 1`, one line of JSON (`{ "meta", "arrays": [{ "name", "shape" }] }`), then the
 * arrays' little-endian float32 values one after the other.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { existsSync, rmSync } from "node:fs";
import { concatBytes } from "../bytes.ts";
import { FormatError } from "../errors.ts";
import { readFileOr, sha256Hex, writeFileAtomic } from "../io.ts";
import type { NdArray } from "../types.ts";

const MAGIC = "serlab-checkpoint 1\n";

/** What a checkpoint holds. */
export interface Checkpoint {
  /** Anything that JSON can say. */
  readonly meta: unknown;
  /** Arrays by name. */
  readonly arrays: Readonly<Record<string, NdArray>>;
}

/** Bytes of a checkpoint file. */
export function encodeCheckpoint({ meta, arrays }: Checkpoint): Uint8Array {
  const entries = Object.entries(arrays);
  const bodies = entries.map(([, { data }]) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  const hash = createHash("sha256");
  for (const body of bodies) hash.update(body);
  const header = { meta, arrays: entries.map(([name, { shape }]) => ({ name, shape })), sha256: hash.digest("hex") };
  const head = new TextEncoder().encode(`${MAGIC}${JSON.stringify(header)}\n`);
  return concatBytes([head, ...bodies]);
}

/**
 * Reads the bytes of a checkpoint file.
 *
 * @throws {FormatError} when they are not one, or are damaged.
 */
export function decodeCheckpoint(bytes: Uint8Array, file: string): Checkpoint {
  const magic = new TextEncoder().encode(MAGIC);
  const end = bytes.indexOf(10, magic.length);
  if (!magic.every((byte, i) => bytes[i] === byte) || end < 0) throw new FormatError(`${file}: not a checkpoint.`);
  let header: { meta: unknown; arrays: { name: string; shape: number[] }[]; sha256: string };
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(magic.length, end)));
  } catch {
    throw new FormatError(`${file}: the checkpoint's header is damaged.`);
  }
  const body = new Uint8Array(bytes.subarray(end + 1)); // a copy of its own, aligned for Float32Array
  if (sha256Hex(body) !== header.sha256) throw new FormatError(`${file}: the checkpoint is damaged.`);
  const arrays: Record<string, NdArray> = {};
  let at = 0;
  for (const { name, shape } of header.arrays) {
    const length = shape.reduce((a, b) => a * b, 1);
    arrays[name] = { data: new Float32Array(body.buffer, at, length), shape };
    at += length * 4;
  }
  return { meta: header.meta, arrays };
}

/** Where the checkpoints of one training go. */
export interface CheckpointStore {
  /** The last checkpoint, or null. */
  load(): Checkpoint | null;
  /** Puts a checkpoint in the place of the last one. */
  save(checkpoint: Checkpoint): void;
  /** Removes it: the training is done. */
  clear(): void;
}

/** Checkpoints in one file. */
export function checkpointFile(path: string): CheckpointStore {
  return {
    load: () => existsSync(path) ? decodeCheckpoint(readFileOr(path, FormatError), path) : null,
    save: (checkpoint) => writeFileAtomic(path, encodeCheckpoint(checkpoint)),
    clear: () => rmSync(path, { force: true }),
  };
}
