/**
 * Git LFS pointers: what a checkout without `git lfs` holds in place of a large file.
 *
 * Source: Git LFS specification, version 1 (docs/spec.md of git-lfs).
 *
 * @module
 */

const FIRST_LINE = "version https://git-lfs.github.com/spec/v1\n";

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
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const text = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0a".repeat(32)}\nsize 72156\n`;
 * assert.equal(lfsPointer(new TextEncoder().encode(text))?.bytes, 72156);
 * assert.equal(lfsPointer(new TextEncoder().encode("RIFF")), undefined);
 * ```
 */
export function lfsPointer(bytes: Uint8Array): LfsPointer | undefined {
  // The specification allows pointers of up to 1,024 bytes.
  if (bytes.length > 1024) return undefined;
  const text = new TextDecoder("latin1").decode(bytes).replaceAll("\r\n", "\n");
  if (!text.startsWith(FIRST_LINE)) return undefined;
  const sha256 = /^oid sha256:([0-9a-f]{64})$/m.exec(text)?.[1];
  const size = /^size (\d{1,15})$/m.exec(text)?.[1];
  return sha256 === undefined || size === undefined ? undefined : { sha256, bytes: Number(size) };
}
