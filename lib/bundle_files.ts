/**
 * Bundles as folders and as `.serlab` files.
 *
 * @module
 */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import {
  type Bundle,
  BUNDLE_FILES,
  type BundleFiles,
  type BundleInfo,
  type BundleParts,
  decodeBundle,
  type DecodeBundleOptions,
  encodeBundle,
  MOST_BUNDLE_BYTES,
} from "./bundle.ts";
import { packBundle, unpackBundle } from "./bundle_archive.ts";
import { FormatError, WriteError } from "./errors.ts";
import { readFileOr, systemReason, writeFileAtomic } from "./io.ts";

/** Ending of a bundle in one file. */
export const BUNDLE_ENDING = ".serlab";

/**
 * Writes a bundle's files whole or not at all: as one file where the path ends in `.serlab`, as a folder otherwise. An
 * older bundle of that name is replaced; anything else there is left alone.
 *
 * @throws {WriteError} when it cannot be written.
 */
export function writeBundleFiles(path: string, files: BundleFiles): void {
  if (path.endsWith(BUNDLE_ENDING)) {
    writeFileAtomic(path, packBundle(files));
    return;
  }
  const temporary = `${path}.${Deno.pid}.tmp`, old = `${path}.${Deno.pid}.old.tmp`;
  // A folder is replaced whole, so it must be one that is known to hold nothing else.
  if (existsSync(path) && !(existsSync(join(path, "bundle.json")) || isEmptyFolder(path))) {
    throw new WriteError(`${path}: cannot be written, it is there and no bundle.`);
  }
  try {
    mkdirSync(temporary, { recursive: true });
    for (const [name, bytes] of files) writeFileSync(join(temporary, name), bytes);
    if (existsSync(path)) renameSync(path, old);
    renameSync(temporary, path);
    rmSync(old, { recursive: true, force: true });
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw new WriteError(`${path}: cannot be written, ${systemReason(error)}.`, { cause: error });
  }
}

function isEmptyFolder(path: string): boolean {
  return statSync(path).isDirectory() && readdirSync(path).length === 0;
}

/**
 * Writes a bundle of a model, see {@linkcode writeBundleFiles}.
 *
 * @throws {WriteError} when it cannot be written.
 */
export async function writeBundle(
  path: string,
  info: BundleInfo,
  model: tf.LayersModel,
  parts: BundleParts = {},
): Promise<void> {
  writeBundleFiles(path, await encodeBundle(info, model, parts));
}

/**
 * Reads the files of a bundle, a folder or a `.serlab` file, without looking into them.
 *
 * @throws {FormatError} when there is none.
 */
export function readBundleFiles(path: string): BundleFiles {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw new FormatError(`${path}: no such bundle.`);
  if (stat.isFile()) {
    if (stat.size > MOST_BUNDLE_BYTES) throw new FormatError(`${path}: not a bundle, it has ${stat.size} bytes.`);
    return unpackBundle(readFileOr(path, FormatError), path);
  }
  if (!stat.isDirectory()) throw new FormatError(`${path}: not a bundle, which is a folder or a .serlab file.`);
  const there = new Set(readdirSync(path));
  const names = BUNDLE_FILES.filter((name) => there.has(name));
  return new Map(names.map((name) => {
    const file = join(path, name);
    const part = statSync(file);
    if (!part.isFile() || part.size > MOST_BUNDLE_BYTES) throw new FormatError(`${file}: is no file of a bundle.`);
    return [name, readFileOr(file, FormatError)];
  }));
}

/**
 * Reads a bundle from a folder or a `.serlab` file.
 *
 * @throws {FormatError} when it is missing or is no bundle that this serlab reads, or any of its files was changed.
 */
export async function readBundle(path: string, options: DecodeBundleOptions = {}): Promise<Bundle> {
  return await decodeBundle(readBundleFiles(path), basename(path) || path, options);
}
