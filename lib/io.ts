/**
 * Files: written to a temporary name and renamed, so that a reader never sees half of one.
 *
 * @module
 */

import { createHash, randomBytes } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { SerlabError, WriteError } from "./errors.ts";

/** The part of an error's message that says why a system call failed, without codes and paths. */
export function systemReason(error: unknown): string {
  const code = (error as { code?: string }).code;
  switch (code) {
    case "ENOENT":
      return "no such file or folder";
    case "EACCES":
    case "EPERM":
      return "no permission";
    case "EROFS":
      return "the file system is read-only";
    case "ENOSPC":
    case "EDQUOT":
      return "the disk is full";
    case "EISDIR":
      return "it is a folder";
    case "ENOTDIR":
      return "a part of the path is a file, not a folder";
    case "EFBIG":
      return "the file is too large";
    default:
      if (error instanceof Deno.errors.NotCapable) return "serlab was started without permission for it";
      return code ?? (error instanceof Error ? error.message : String(error));
  }
}

/**
 * Writes a file whole or not at all: to a temporary name beside it, flushed, then renamed. Folders are made.
 *
 * @param path Where the file shall stand.
 * @param content Bytes, or text that is written as UTF-8.
 * @throws {WriteError} when it cannot be written; nothing is left behind.
 */
export function writeFileAtomic(path: string, content: Uint8Array | string): void {
  const temporary = `${path}.${Deno.pid}-${randomBytes(4).toString("hex")}.tmp`;
  let handle: number | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true });
    handle = openSync(temporary, "wx");
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    for (let at = 0; at < bytes.length;) at += writeSync(handle, bytes, at, bytes.length - at);
    fsyncSync(handle);
    closeSync(handle);
    handle = undefined;
    renameSync(temporary, path);
  } catch (error) {
    if (handle !== undefined) closeSync(handle);
    try {
      rmSync(temporary, { force: true });
    } catch { /* the folder itself may be unwritable */ }
    throw new WriteError(`${path}: cannot be written, ${systemReason(error)}.`, { cause: error });
  }
}

/**
 * Makes a folder and checks that files can be written into it, so that long work does not find out at its end.
 *
 * @throws {WriteError} when they cannot.
 */
export function ensureWritable(folder: string): void {
  const probe = `${folder}/.${Deno.pid}-${randomBytes(4).toString("hex")}.tmp`;
  try {
    mkdirSync(folder, { recursive: true });
    closeSync(openSync(probe, "wx"));
    rmSync(probe);
  } catch (error) {
    throw new WriteError(`${folder}: cannot be written, ${systemReason(error)}.`, { cause: error });
  }
}

/**
 * Reads a file whole.
 *
 * @throws the given error class, naming the file, when it cannot be read.
 */
export function readFileOr<E extends SerlabError>(
  path: string,
  ErrorClass: new (message: string, options?: ErrorOptions) => E,
): Uint8Array {
  try {
    // A plain array: Node's Buffer has a slice() that shares memory instead of copying.
    const { buffer, byteOffset, byteLength } = readFileSync(path);
    return new Uint8Array(buffer, byteOffset, byteLength);
  } catch (error) {
    throw new ErrorClass(`${path}: cannot be read, ${systemReason(error)}.`, { cause: error });
  }
}

/** SHA-256 of bytes or of UTF-8 text, lower-case hexadecimal. */
export function sha256Hex(content: Uint8Array | string): string {
  return createHash("sha256").update(content).digest("hex");
}

/**
 * JSON with the keys of every object sorted, so that equal values have equal text (and equal hashes).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(canonicalJson({ b: 1, a: [2, { d: 3, c: 4 }] }), '{"a":[2,{"c":4,"d":3}],"b":1}');
 * ```
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_key, inner) =>
      inner !== null && typeof inner === "object" && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0))
        : inner,
  );
}
