/**
 * danfojs's tables without its noise.
 *
 * danfojs-node 1.1.2 needs no native addon: although its package names tfjs-node, its code loads plain
 * `@tensorflow/tfjs`, and no kernel is run by loading it. So tables work whether or not native TensorFlow is installed,
 * and they share the tf.js of the rest of serlab. Loading takes about half a second.
 *
 * It is loaded by `require`, and once more when a file of it is missing: every Deno that starts in this folder makes the
 * linked package anew that stands in for some of danfojs's own (docs/dependencies.md), and for a moment it is not there.
 *
 * @module
 */

import { createRequire } from "node:module";
import process from "node:process";
import type * as danfojs from "danfojs-node";

/** How often and how long a missing file is waited for, in all two seconds. */
const ATTEMPTS = 40, PAUSE_MS = 50;

/**
 * Requires a package, and waits up to two seconds for a file of it that is not there.
 *
 * @param from Path or URL of the file that requires it.
 * @param name Name of the package.
 */
export function requirePatiently(from: string, name: string): unknown {
  for (let attempt = 1;; attempt++) {
    try {
      return createRequire(from)(name);
    } catch (error) {
      // Not found, or found and gone before it was read.
      const isMissing = ["MODULE_NOT_FOUND", "ENOENT"].includes((error as { code?: string }).code ?? "") ||
        error instanceof Deno.errors.NotFound;
      if (!isMissing || attempt === ATTEMPTS) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
}

function load(): typeof danfojs {
  // It loads Node's old punycode, whose deprecation warning would stand in every notebook.
  const wasSilent = process.noDeprecation ?? false;
  process.noDeprecation = true;
  try {
    return requirePatiently(import.meta.url, "danfojs-node") as typeof danfojs;
  } finally {
    process.noDeprecation = wasSilent;
  }
}

const loaded = load();

/** danfojs's concat: frames or series below or beside each other. */
export const concat: typeof danfojs.concat = loaded.concat;
/** danfojs's merge: two frames joined by columns, as pandas does. */
export const merge: typeof danfojs.merge = loaded.merge;
/** danfojs's data frame. */
export const DataFrame: typeof danfojs.DataFrame = loaded.DataFrame;
/** A danfojs data frame. */
export type DataFrame = danfojs.DataFrame;
/** danfojs's series. */
export const Series: typeof danfojs.Series = loaded.Series;
/** A danfojs series. */
export type Series = danfojs.Series;
