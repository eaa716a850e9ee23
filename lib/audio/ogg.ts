/**
 * Ogg files with one Vorbis or Opus stream: pages and packets are read and checked here, codecs are loaded on first use.
 *
 * Sources: RFC 3533 (Ogg), RFC 7845 (Opus in Ogg), the Vorbis I specification.
 *
 * @module
 */

import { concatBytes } from "../bytes.ts";
import { AudioError } from "../errors.ts";
import { loadCodec, tagAt, viewOf } from "./bytes.ts";
import { decodeOpusPackets, opusPacketFrames, parseOpusHead } from "./opus.ts";
import { requireFinite } from "./pcm.ts";
import { type DecodedAudio, requirePlausible } from "./types.ts";

/** True where the bytes start as an Ogg file. */
export function isOgg(bytes: Uint8Array): boolean {
  return tagAt(bytes, 0) === "OggS";
}

let crcTable: Uint32Array | undefined;

/** The checksum of a page, whose own four bytes (22 to 25) count as zero. */
function pageChecksum(page: Uint8Array): number {
  crcTable ??= Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte << 24;
    for (let i = 0; i < 8; i++) crc = crc < 0 ? crc << 1 ^ 0x04c11db7 : crc << 1;
    return crc >>> 0;
  });
  let crc = 0;
  for (let i = 0; i < page.length; i++) {
    const byte = i >= 22 && i < 26 ? 0 : page[i]!;
    crc = crc << 8 ^ crcTable[crc >>> 24 ^ byte]!;
  }
  return crc >>> 0;
}

interface Stream {
  readonly packets: Uint8Array[];
  readonly pages: Uint8Array[];
  /** Granule position of each packet: of its page where it is the last that ends there, otherwise undefined. */
  readonly granules: (number | undefined)[];
  ended: boolean;
}

/** Reads all pages of the first logical stream. */
function readStream(bytes: Uint8Array, file: string): Stream {
  const view = viewOf(bytes);
  const stream: Stream = { packets: [], pages: [], granules: [], ended: false };
  let serial: number | undefined;
  let sequence = 0;
  let open: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    if (tagAt(bytes, at) !== "OggS") {
      const cut = bytes.length - at < 4 && "OggS".startsWith(tagAt(bytes, at, bytes.length - at));
      throw new AudioError(
        file,
        cut ? `is truncated inside the page at byte ${at}` : `is corrupt: no Ogg page starts at byte ${at}`,
      );
    }
    const segments = bytes[at + 26] ?? 0;
    let end = at + 27 + segments;
    if (end > bytes.length || at + 27 > bytes.length) {
      throw new AudioError(file, `is truncated inside the page at byte ${at}`);
    }
    for (let i = 0; i < segments; i++) end += bytes[at + 27 + i]!;
    if (end > bytes.length) {
      throw new AudioError(file, `is truncated: ${end - bytes.length} bytes of the page at byte ${at} are missing`);
    }
    const page = bytes.subarray(at, end);
    if (view.getUint32(at + 22, true) !== pageChecksum(page)) {
      throw new AudioError(file, `is corrupt: the checksum of the page at byte ${at} does not fit`);
    }
    const flags = bytes[at + 5]!;
    const pageSerial = view.getUint32(at + 14, true);
    if (serial === undefined) serial = pageSerial;
    if (pageSerial !== serial) {
      throw new AudioError(file, "holds more than one Ogg stream; files with a single Vorbis or Opus stream are read");
    }
    if (view.getUint32(at + 18, true) !== sequence++) {
      throw new AudioError(file, `is corrupt: a page is missing before byte ${at}`);
    }
    stream.pages.push(page);
    const low = view.getUint32(at + 6, true);
    const high = view.getInt32(at + 10, true);
    const granule = high * 2 ** 32 + low;
    let place = at + 27 + segments;
    let lastEnded = -1;
    for (let i = 0; i < segments; i++) {
      const size = bytes[at + 27 + i]!;
      open.push(bytes.subarray(place, place + size));
      place += size;
      if (size < 255) {
        stream.packets.push(open.length === 1 ? open[0]! : concatBytes(open));
        stream.granules.push(undefined);
        lastEnded = stream.packets.length - 1;
        open = [];
      }
    }
    if (lastEnded >= 0 && granule >= 0) stream.granules[lastEnded] = granule;
    if (flags & 4) stream.ended = true;
    at = end;
  }
  return stream;
}

/**
 * Decodes an Ogg file.
 *
 * The length is what the last granule position says: the encoder's padding at both ends is left out.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @throws {AudioError} when it is truncated (also where no page is marked as the last) or corrupt (a page's checksum
 * does not fit), holds something else than one Vorbis or Opus stream, or no samples.
 */
export async function decodeOgg(bytes: Uint8Array, file: string): Promise<DecodedAudio> {
  const stream = readStream(bytes, file);
  const head = stream.packets[0] ?? new Uint8Array(0);
  const opus = tagAt(head, 0, 8) === "OpusHead";
  const vorbis = tagAt(head, 0, 7) === "\x01vorbis";
  if (!opus && !vorbis) {
    const codec = /[\x20-\x7e]{4,}/.exec(tagAt(head, 0, Math.min(16, head.length)))?.[0];
    throw new AudioError(
      file,
      `is an Ogg file with ${codec ? JSON.stringify(codec) : "an unknown codec"}; Vorbis and Opus are read`,
    );
  }
  if (!stream.ended) throw new AudioError(file, "is truncated: none of its pages is marked as the last");
  const lastGranule = stream.granules.findLast((granule) => granule !== undefined) ?? 0;
  return opus ? await opusFrom(stream, lastGranule, bytes, file) : await vorbisFrom(stream, lastGranule, bytes, file);
}

async function opusFrom(stream: Stream, lastGranule: number, bytes: Uint8Array, file: string): Promise<DecodedAudio> {
  const head = parseOpusHead(stream.packets[0]!, file);
  const packets = stream.packets.slice(2);
  // The first page with audio says where the stream starts, unless it is also the last, whose end is trimmed.
  let before = 0;
  let start = 0;
  for (let i = 0; i < packets.length; i++) {
    before += opusPacketFrames(packets[i]!);
    const granule = stream.granules[i + 2];
    if (granule === undefined) continue;
    if (i < packets.length - 1) start = Math.max(0, granule - before);
    break;
  }
  const wanted = lastGranule - start - head.preSkip;
  return {
    ...await decodeOpusPackets(packets, head, { wanted, fileBytes: bytes.length }, file),
    container: "ogg-opus",
  };
}

async function vorbisFrom(stream: Stream, lastGranule: number, bytes: Uint8Array, file: string): Promise<DecodedAudio> {
  const head = stream.packets[0]!;
  if (head.length < 30) throw new AudioError(file, "its Vorbis header is cut short");
  const channels = head[11]!;
  const sampleRateHz = viewOf(head).getUint32(12, true);
  requirePlausible({ channels, sampleRateHz, frames: lastGranule }, bytes.length, file);
  const { OggVorbisDecoder } = await loadCodec(file, "Vorbis", () => import("@wasm-audio-decoders/ogg-vorbis"));
  const decoder = new OggVorbisDecoder();
  try {
    await decoder.ready;
    const { channelData, samplesDecoded, errors } = await decoder.decodeFile(bytes);
    if (errors.length) {
      throw new AudioError(file, `is corrupt: its Vorbis data cannot be decoded (${errors[0]!.message})`);
    }
    if (samplesDecoded === 0 || channelData.length === 0) throw new AudioError(file, "holds no samples");
    // Streams that start in the middle count their granules from there, so only too few samples can be told.
    requireFinite(channelData, file);
    return { channels: channelData, sampleRateHz, container: "ogg-vorbis", encoding: "vorbis" };
  } finally {
    decoder.free();
  }
}
