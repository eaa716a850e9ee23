/**
 * The compressed forms in which files are sent.
 *
 * @module
 */

import { brotliCompressSync, constants, gzipSync } from "node:zlib";

/** Files that gain by compression. */
const TEXTUAL = /\.(js|css|json|svg|html|webmanifest|wasm|wav|serlab)$/;

/**
 * Compresses once and for all; small or incompressible files stay as they are.
 *
 * @param path Name of the file, which says what it is.
 * @param bytes The file.
 * @param quality Brotli's, 0 to 11.
 */
export function compressed(path: string, bytes: Uint8Array, quality = 11): { br?: Uint8Array; gz?: Uint8Array } {
  if (!TEXTUAL.test(path) || bytes.length < 256) return {};
  const br = new Uint8Array(brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: quality } }));
  if (br.length > 0.95 * bytes.length) return {};
  return { br, gz: new Uint8Array(gzipSync(bytes, { level: 9 })) };
}
