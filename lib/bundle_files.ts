/**
 * Bundles as folders.
 *
 * @module
 */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type * as tf from "@tensorflow/tfjs";
import { type Bundle, type BundleInfo, decodeBundle, encodeBundle } from "./bundle.ts";
import { FormatError, WriteError } from "./errors.ts";
import { readFileOr, systemReason } from "./io.ts";

/**
 * Writes a bundle as a folder, whole or not at all; an older bundle of that name is replaced.
 *
 * @throws {WriteError} when it cannot be written.
 */
export async function writeBundle(folder: string, info: BundleInfo, model: tf.LayersModel): Promise<void> {
  const files = await encodeBundle(info, model);
  const temporary = `${folder}.${Deno.pid}.tmp`, old = `${folder}.${Deno.pid}.old.tmp`;
  try {
    mkdirSync(temporary, { recursive: true });
    for (const [name, bytes] of files) writeFileSync(join(temporary, name), bytes);
    if (existsSync(folder)) renameSync(folder, old);
    renameSync(temporary, folder);
    rmSync(old, { recursive: true, force: true });
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw new WriteError(`${folder}: cannot be written, ${systemReason(error)}.`, { cause: error });
  }
}

/**
 * Reads a bundle from a folder.
 *
 * @throws {FormatError} when the folder is missing or is no bundle of this version, or any of its files was changed.
 */
export async function readBundle(folder: string): Promise<Bundle> {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (!stat) throw new FormatError(`${folder}: no such bundle.`);
  if (!stat.isDirectory()) throw new FormatError(`${folder}: not a bundle, which is a folder.`);
  const names = readdirSync(folder).filter((name) => /^(bundle\.json|model\.json|weights\.bin)$/.test(name));
  const files = new Map(names.map((name) => [name, readFileOr(join(folder, name), FormatError)]));
  return await decodeBundle(files, basename(folder) || folder);
}
