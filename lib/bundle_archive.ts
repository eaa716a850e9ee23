/**
 * Bundles as one file, `.serlab`: a ZIP archive of the bundle's files, stored and not compressed, so that equal bundles
 * are equal bytes and any tool can look inside. Browser-safe.
 *
 * @module
 */

import { unzipSync, zipSync } from "fflate";
import { BUNDLE_FILES, type BundleFiles, MOST_BUNDLE_BYTES } from "./bundle.ts";
import { FormatError } from "./errors.ts";

/** Whether bytes begin as a `.serlab` file does. */
export function isBundleArchive(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4;
}

/**
 * Puts a bundle's files into one file; the same files give the same bytes.
 *
 * @param files The bundle's files.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const files = new Map([["bundle.json", Uint8Array.of(123, 125)]]);
 * assert.deepEqual(unpackBundle(packBundle(files), "b.serlab"), files);
 * ```
 */
export function packBundle(files: BundleFiles): Uint8Array {
  const ordered: Record<string, Uint8Array> = {};
  for (const name of BUNDLE_FILES) {
    const bytes = files.get(name);
    if (bytes) ordered[name] = bytes;
  }
  // A fixed local time: ZIP knows neither time zones nor years before 1980.
  return zipSync(ordered, { level: 0, mtime: new Date(1980, 0, 1) });
}

/**
 * Takes a bundle's files out of one file. What is compressed, of another name or too large is refused before it is read.
 *
 * @param bytes The file.
 * @param name What to call it in errors.
 * @throws {FormatError} when it is no such file.
 */
export function unpackBundle(bytes: Uint8Array, name: string): BundleFiles {
  if (!isBundleArchive(bytes)) throw new FormatError(`${name}: not a bundle, which is a folder or a .serlab file.`);
  const known: readonly string[] = BUNDLE_FILES;
  const seen = new Set<string>();
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes, {
      filter(entry) {
        if (!known.includes(entry.name)) {
          throw new FormatError(
            `${name}: holds ${JSON.stringify(entry.name.slice(0, 80))}, which is no part of a bundle.`,
          );
        }
        if (seen.has(entry.name)) throw new FormatError(`${name}: holds ${entry.name} twice.`);
        seen.add(entry.name);
        // Stored as they are, files cannot be larger than the archive.
        if (entry.compression !== 0 || entry.size !== entry.originalSize || entry.size > MOST_BUNDLE_BYTES) {
          throw new FormatError(`${name}: ${entry.name} is compressed, a bundle's files are stored as they are.`);
        }
        return true;
      },
    });
  } catch (error) {
    if (error instanceof FormatError) throw error;
    throw new FormatError(`${name}: is damaged, it cannot be read as a .serlab file.`, { cause: error });
  }
  return new Map(Object.entries(files));
}
