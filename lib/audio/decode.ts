/**
 * Decoding of any container that we read, told by its content and not by its name.
 *
 * @module
 */

import { AudioError } from "../errors.ts";
import type { DecodedAudio } from "./types.ts";
import { decodeWav, describeNonAudio, isWav } from "./wav.ts";

/**
 * Decodes a file by its content.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @throws {AudioError} when it is not audio that we read, is truncated or corrupt, holds no samples, or NaN.
 */
// deno-lint-ignore require-await -- codecs are loaded on first use
export async function decodeAudio(bytes: Uint8Array, file: string): Promise<DecodedAudio> {
  if (isWav(bytes) || bytes.length < 12) return decodeWav(bytes, file);
  throw new AudioError(file, describeNonAudio(bytes));
}
