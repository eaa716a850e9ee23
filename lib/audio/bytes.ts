/**
 * Small readers that the containers share.
 *
 * @module
 */

import { AudioError } from "../errors.ts";

/**
 * Loads a decoder on first use. A decoder that is not there is no fault of the file, and the error says so.
 *
 * @throws {AudioError} when the module cannot be loaded.
 */
export async function loadCodec<T>(file: string, name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new AudioError(file, `needs the ${name} decoder, which could not be loaded (${why})`, { cause: error });
  }
}

/** Text of `length` bytes at a position, one character a byte. */
export function tagAt(bytes: Uint8Array, at: number, length = 4): string {
  let text = "";
  for (let i = 0; i < length; i++) text += String.fromCharCode(bytes[at + i] ?? 0);
  return text;
}

/** A view of the bytes for reading numbers. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Bytes that an ID3v2 tag takes at the head of a file: 0 where there is none. */
export function id3Length(bytes: Uint8Array): number {
  if (tagAt(bytes, 0, 3) !== "ID3" || bytes.length < 10) return 0;
  const size = bytes[6]! << 21 | bytes[7]! << 14 | bytes[8]! << 7 | bytes[9]!;
  // A footer repeats the ten bytes of the header.
  return 10 + size + (bytes[5]! & 0x10 ? 10 : 0);
}

/** Says what a file that is no audio file looks like, in the words that help its owner. */
export function describeNonAudio(bytes: Uint8Array): string {
  if (bytes.length === 0) return "is empty (0 bytes)";
  const text = tagAt(bytes, 0, Math.min(256, bytes.length)).replace(/^(\xef\xbb\xbf)?\s*/, "").toLowerCase();
  if (text.startsWith("version https://git-lfs")) {
    return "is a Git LFS pointer, not audio; fetch the real file (git lfs pull)";
  }
  if (/^(<!doctype html|<html|<head|<body)/.test(text)) {
    return "is an HTML page, not audio; the download was probably answered by a web page";
  }
  if (/^<(\?xml|error)/.test(text)) return "is an XML document, not audio";
  if (/^[{[]/.test(text)) return "is JSON, not audio";
  if (text.startsWith("pk\x03\x04")) return "is a ZIP archive, not audio";
  if (bytes.subarray(0, 256).every((byte) => byte === 0)) return "starts with nothing but zero bytes and is not audio";
  return "is not audio of a kind that is read (WAV, AIFF, FLAC, MP3, Ogg Vorbis or Opus, WebM Opus, M4A, AAC)";
}
