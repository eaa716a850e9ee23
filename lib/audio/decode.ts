/**
 * Decoding of any container that we read, told by its content and not by its name.
 *
 * WAV, AIFF and FLAC are decoded by our own code. The decoders of the lossy codecs are WebAssembly and are loaded when
 * the first such file comes.
 *
 * @module
 */

import { AudioError } from "../errors.ts";
import { decodeAdts, decodeMp4, isAdts, isMp4 } from "./mp4.ts";
import { decodeAiff, isAiff } from "./aiff.ts";
import { describeNonAudio } from "./bytes.ts";
import { decodeFlac, isFlac } from "./flac.ts";
import { decodeMp3, isMp3 } from "./mp3.ts";
import { decodeOgg, isOgg } from "./ogg.ts";
import type { DecodedAudio, DecodeOptions } from "./types.ts";
import { decodeWav, isWav } from "./wav.ts";
import { decodeWebm, isWebm } from "./webm.ts";

type Decoder = (bytes: Uint8Array, file: string) => DecodedAudio | Promise<DecodedAudio>;

/** What starts like what, and who decodes it; asked in this order. */
const DECODERS: readonly { readonly name: string; is(bytes: Uint8Array): boolean; readonly decode: Decoder }[] = [
  { name: "WAV", is: isWav, decode: decodeWav },
  { name: "AIFF", is: isAiff, decode: decodeAiff },
  { name: "FLAC", is: isFlac, decode: decodeFlac },
  { name: "Ogg", is: isOgg, decode: decodeOgg },
  { name: "WebM", is: isWebm, decode: decodeWebm },
  { name: "MP4", is: isMp4, decode: decodeMp4 },
  { name: "AAC", is: isAdts, decode: decodeAdts },
  { name: "MP3", is: isMp3, decode: decodeMp3 },
];

/**
 * Whether a file begins like audio that we read: for looking through folders without reading every file whole.
 *
 * @param head The first bytes of the file, some thousand where there are as many.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.ok(looksLikeAudio(new TextEncoder().encode("fLaC and so on")));
 * assert.ok(!looksLikeAudio(new TextEncoder().encode("file,label")));
 * ```
 */
export function looksLikeAudio(head: Uint8Array): boolean {
  // A tag with a picture may be longer than what was read; what follows it, decoding tells.
  const isTagged = head[0] === 0x49 && head[1] === 0x44 && head[2] === 0x33;
  return isTagged || DECODERS.some(({ is }) => is(head));
}

/**
 * Decodes a file by its content: WAV, AIFF, FLAC, MP3, Ogg Vorbis and Opus, WebM Opus, M4A and AAC.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @param options `range`: the wanted samples.
 * @returns All channels at the file's own rate (Opus: 48,000 Hz). Where the container says how much of the decoded audio
 * is the encoder's padding, that is left out.
 * @throws {AudioError} when it is not audio that we read, is truncated or corrupt, holds no samples, or NaN.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const page = new TextEncoder().encode("<!DOCTYPE html><title>Sign in</title>");
 * await assert.rejects(decodeAudio(page, "03-01.wav"), /03-01\.wav: is an HTML page, not audio/);
 * ```
 */
export async function decodeAudio(
  bytes: Uint8Array,
  file: string,
  options: DecodeOptions = {},
): Promise<DecodedAudio> {
  const found = DECODERS.find(({ is }) => is(bytes));
  if (!found) {
    // What is shorter than a header may still say what it was to be.
    if (bytes.length < 12) return decodeWav(bytes, file);
    throw new AudioError(file, describeNonAudio(bytes));
  }
  try {
    if (found.decode === decodeWav) return decodeWav(bytes, file, options);
    const decoded = await found.decode(bytes, file);
    if (!options.range) return decoded;
    const { start, end } = options.range(decoded.channels[0]!.length, decoded.sampleRateHz);
    return { ...decoded, channels: decoded.channels.map((samples) => samples.subarray(start, end)) };
  } catch (error) {
    if (error instanceof AudioError) throw error;
    // A decoder's own exception, or a trap of its WebAssembly.
    const why = error instanceof Error ? error.message : String(error);
    throw new AudioError(file, `is corrupt: its ${found.name} data cannot be decoded (${why})`, { cause: error });
  }
}
