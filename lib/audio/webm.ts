/**
 * WebM (Matroska) files with an Opus track, as browsers' MediaRecorder makes them.
 *
 * Sources: RFC 8794 (EBML), RFC 9559 (Matroska).
 *
 * @module
 */

import { AudioError } from "../errors.ts";
import { tagAt } from "./bytes.ts";
import { decodeOpusPackets, type OpusHead, parseOpusHead } from "./opus.ts";
import type { DecodedAudio } from "./types.ts";

const ID = {
  segment: 0x18538067,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackNumber: 0xd7,
  trackType: 0x83,
  codecId: 0x86,
  codecPrivate: 0x63a2,
  cluster: 0x1f43b675,
  blockGroup: 0xa0,
  block: 0xa1,
  simpleBlock: 0xa3,
  discardPadding: 0x75a2,
} as const;

/** Elements that are walked into rather than skipped. */
const MASTERS: ReadonlySet<number> = new Set([ID.segment, ID.tracks, ID.trackEntry, ID.cluster, ID.blockGroup]);

/** True where the bytes start as an EBML file (WebM, Matroska). */
export function isWebm(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1a && bytes[1] === 0x45 && bytes[2] === 0xdf && bytes[3] === 0xa3;
}

/** A number of variable length: its value, its number of bytes, and whether it is all ones (an unknown size). */
function variableInt(
  bytes: Uint8Array,
  at: number,
  keepMarker: boolean,
): { value: number; length: number; unknown: boolean } | undefined {
  const first = bytes[at];
  if (!first) return undefined;
  const length = Math.clz32(first) - 23;
  if (at + length > bytes.length) return undefined;
  let value = keepMarker ? first : first & (1 << 8 - length) - 1;
  let ones = (first & (1 << 8 - length) - 1) === (1 << 8 - length) - 1;
  for (let i = 1; i < length; i++) {
    const byte = bytes[at + i]!;
    value = value * 256 + byte;
    ones &&= byte === 0xff;
  }
  return { value, length, unknown: ones };
}

function unsigned(bytes: Uint8Array): number {
  return bytes.reduce((value, byte) => value * 256 + byte, 0);
}

/**
 * Decodes the first Opus track of a WebM file.
 *
 * The pre-skip at the start and the discard padding at the end are left out; gaps between blocks are not filled.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @throws {AudioError} when it has no Opus track, is truncated inside an element, or its packets are corrupt.
 */
export async function decodeWebm(bytes: Uint8Array, file: string): Promise<DecodedAudio> {
  const tracks: { number: number; type: number; codec: string; codecPrivate: Uint8Array | undefined }[] = [];
  const blocks: { track: number; data: Uint8Array; discardNs: number }[] = [];

  for (let at = 0; at < bytes.length;) {
    const id = variableInt(bytes, at, true);
    const size = id && variableInt(bytes, at + id.length, false);
    if (!id || !size || id.length > 4) {
      const cut = bytes.length - at < 12 && (id === undefined ? bytes[at] !== 0 : !size);
      throw new AudioError(
        file,
        cut ? "is truncated inside an element" : `is corrupt: no element starts at byte ${at}`,
      );
    }
    const start = at + id.length + size.length;
    if (MASTERS.has(id.value)) {
      if (!size.unknown && start + size.value > bytes.length) {
        throw truncated(start + size.value);
      }
      if (id.value === ID.trackEntry) tracks.push({ number: 0, type: 0, codec: "", codecPrivate: undefined });
      at = start;
      continue;
    }
    if (size.unknown) throw new AudioError(file, `is corrupt: the element at byte ${at} has no size`);
    const end = start + size.value;
    if (end > bytes.length) throw truncated(end);
    const body = bytes.subarray(start, end);
    const track = tracks.at(-1);
    if (id.value === ID.trackNumber && track) track.number = unsigned(body);
    else if (id.value === ID.trackType && track) track.type = unsigned(body);
    else if (id.value === ID.codecId && track) track.codec = tagAt(body, 0, body.length).replace(/\0+$/, "");
    else if (id.value === ID.codecPrivate && track) track.codecPrivate = body;
    else if (id.value === ID.simpleBlock || id.value === ID.block) {
      const number = variableInt(body, 0, false);
      const head = (number?.length ?? 0) + 3;
      if (!number || body.length < head) throw new AudioError(file, `is corrupt: the block at byte ${at} is cut short`);
      if (body[head - 1]! & 0x06) throw new AudioError(file, "has laced blocks, which are not read");
      blocks.push({ track: number.value, data: body.subarray(head), discardNs: 0 });
    } else if (id.value === ID.discardPadding && blocks.length) {
      const sign = (body[0] ?? 0) & 0x80 ? 256 ** body.length : 0;
      blocks.at(-1)!.discardNs = unsigned(body) - sign;
    }
    at = end;
  }

  const audio = tracks.filter((track) => track.type === 2);
  const track = audio.find(({ codec }) => codec === "A_OPUS");
  if (!track) {
    const found = audio.map(({ codec }) => codec).join(", ");
    throw new AudioError(file, `is a WebM or Matroska file with ${found || "no audio track"}; Opus is read`);
  }
  const head: OpusHead = parseOpusHead(track.codecPrivate ?? new Uint8Array(0), file);
  const own = blocks.filter((block) => block.track === track.number);
  if (own.length === 0) throw new AudioError(file, "holds no samples");
  const packets = own.map(({ data }) => data);
  const discard = Math.round(Math.max(0, own.at(-1)!.discardNs) * 48e-6);
  const limits = { discard, fileBytes: bytes.length };
  return { ...await decodeOpusPackets(packets, head, limits, file), container: "webm-opus" };

  function truncated(end: number): AudioError {
    return new AudioError(file, `is truncated: ${end - bytes.length} bytes are missing at its end`);
  }
}
