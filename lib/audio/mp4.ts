/**
 * AAC and Opus in M4A (MP4) files, fragmented ones as browsers record them included, and AAC in ADTS streams. Boxes and
 * frames are read and checked here. Access units of AAC-LC are decoded by `aac.ts`; for what it does not take, HE-AAC above
 * all, there is FAAD2 in WebAssembly, loaded on first use, in whose place the page puts the browser.
 *
 * Sources: ISO/IEC 14496-12 (boxes), 14496-14 (esds), 14496-3 (AudioSpecificConfig, ADTS).
 *
 * @module
 */

import { AudioError } from "../errors.ts";
import { decodeAacLc, isAacLc, UNIT_SAMPLES } from "./aac.ts";
import { id3Length, loadCodec, tagAt, viewOf } from "./bytes.ts";
import { decodeOpusPackets, OPUS_RATE_HZ, type OpusHead, parseOpusHead } from "./opus.ts";
import { requireFinite } from "./pcm.ts";
import { type Container, type DecodedAudio, requirePlausible } from "./types.ts";

const RATES_HZ = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350] as const;

/** True where the bytes start as an MP4 file. */
export function isMp4(bytes: Uint8Array): boolean {
  return tagAt(bytes, 4) === "ftyp" || (tagAt(bytes, 4) === "moov" && bytes.length > 16);
}

/** True where the bytes start as an ADTS stream, with or without an ID3 tag before it. */
export function isAdts(bytes: Uint8Array): boolean {
  const at = id3Length(bytes);
  return bytes[at] === 0xff && (bytes[at + 1]! & 0xf6) === 0xf0 && (bytes[at + 2]! >> 2 & 15) < RATES_HZ.length;
}

interface Box {
  readonly type: string;
  /** Place of the box itself, and of its content. */
  readonly at: number;
  readonly start: number;
  readonly end: number;
}

/** The boxes that lie one after the other in a stretch of the file. */
function* boxesIn(bytes: Uint8Array, from: number, to: number, file: string): Generator<Box> {
  const view = viewOf(bytes);
  for (let at = from; at + 8 <= to;) {
    let size = view.getUint32(at);
    let start = at + 8;
    if (size === 1 && start + 8 <= to) {
      size = view.getUint32(start) * 2 ** 32 + view.getUint32(start + 4);
      start += 8;
    } else if (size === 0) size = to - at;
    const end = at + size;
    const type = tagAt(bytes, at + 4);
    if (!/^[\x20-\x7e\xa9]{4}$/.test(type)) throw new AudioError(file, `is corrupt: no box starts at byte ${at}`);
    if (size < start - at) throw new AudioError(file, `is corrupt: the box at byte ${at} has a size of ${size} bytes`);
    if (end > to) {
      throw new AudioError(
        file,
        to === bytes.length
          ? `is truncated: ${end - to} bytes of its ${JSON.stringify(type)} box are missing`
          : `is corrupt: the box at byte ${at} is larger than the one around it`,
      );
    }
    yield { type, at, start, end };
    at = end;
  }
}

interface Track {
  codec: string;
  sound: boolean;
  id: number;
  asc: Uint8Array | undefined;
  /** Identification header, where the codec is Opus. */
  opus: OpusHead | undefined;
  /** Contents of the boxes that say which part of the decoded audio is meant. */
  trim: { elst?: Uint8Array; mdhd?: Uint8Array; stts?: Uint8Array };
  tables: { stsz?: Uint8Array; stsc?: Uint8Array; stco?: Uint8Array; co64?: Uint8Array };
}

/** The AudioSpecificConfig in an esds box: descriptor 3 holds 4 holds 5. */
function configIn(esds: Uint8Array): Uint8Array | undefined {
  let at = 4;
  for (;;) {
    const tag = esds[at++];
    let size = 0;
    for (let i = 0; i < 4; i++) {
      const byte = esds[at++] ?? 0;
      size = size << 7 | byte & 0x7f;
      if (byte < 0x80) break;
    }
    if (tag === undefined || at + size > esds.length) return undefined;
    if (tag === 5) return size >= 2 ? esds.slice(at, at + size) : undefined;
    if (tag === 3) {
      const flags = esds[at + 2] ?? 0;
      at += 3 + (flags & 0x80 ? 2 : 0) + (flags & 0x20 ? 2 : 0);
      if (flags & 0x40) at += 1 + (esds[at] ?? 0);
    } else if (tag === 4) at += 13;
    else at += size;
  }
}

/** The identification header in a dOps box: that of Ogg with the high bytes first (Opus in ISOBMFF, section 4.3.2). */
function opusConfig(dops: Uint8Array, file: string): OpusHead {
  const packet = new Uint8Array(8 + dops.length);
  packet.set(Array.from("OpusHead", (c) => c.charCodeAt(0)));
  packet.set(dops, 8);
  packet[8] = 1;
  if (dops.length >= 11) {
    packet.subarray(10, 12).reverse();
    packet.subarray(12, 16).reverse();
    packet.subarray(16, 18).reverse();
  }
  return parseOpusHead(packet, file);
}

/** Seconds of the one edit of an edit list; nothing where there is none, several, or one without a length. */
function editDuration(elst: Uint8Array | undefined, mvhd: Uint8Array | undefined): number | undefined {
  if (!elst || !mvhd || elst.length < 20 || mvhd.length < 24 || viewOf(elst).getUint32(4) !== 1) return undefined;
  const units = elst[0] === 1
    ? viewOf(elst).getUint32(8) * 2 ** 32 + viewOf(elst).getUint32(12)
    : viewOf(elst).getUint32(8);
  const scale = viewOf(mvhd).getUint32(mvhd[0] === 1 ? 20 : 12);
  return scale > 0 && units > 0 ? units / scale : undefined;
}

/** The part of the decoded audio that is meant, in s. */
interface Stretch {
  readonly start: number;
  readonly duration?: number;
}

/** The numbers of a box's table; what lies beyond its end is left out. */
function* rowsOf(box: Uint8Array, width: number): Generator<DataView> {
  if (box.length < 8) return;
  const count = viewOf(box).getUint32(4);
  for (let i = 0, at = 8; i < count && at + width <= box.length; i++, at += width) {
    yield viewOf(box.subarray(at, at + width));
  }
}

/** Units a second of an mvhd or mdhd box; 0 where it is too short. */
function timescaleOf(box: Uint8Array | undefined): number {
  if (!box) return 0;
  const at = box[0] === 1 ? 20 : 12;
  return box.length < at + 4 ? 0 : viewOf(box).getUint32(at);
}

/**
 * The part of an AAC track that its one edit names (ISO/IEC 14496-12, 8.6.6), or else Apple's iTunSMPB tag; null where
 * nothing or several edits say it. The media ends where its units do, and an edit's length in the movie's coarser units
 * was rounded down.
 */
function stretchOf(
  { elst, mdhd, stts }: Track["trim"],
  mvhd: Uint8Array | undefined,
  ilst: Uint8Array | undefined,
  rateHz: number,
): Stretch | null {
  const wide = elst?.[0] === 1;
  const edits = [...rowsOf(elst ?? new Uint8Array(0), wide ? 20 : 12)].map((row) => ({
    duration: wide ? row.getUint32(0) * 2 ** 32 + row.getUint32(4) : row.getUint32(0),
    mediaTime: wide ? row.getInt32(8) * 2 ** 32 + row.getUint32(12) : row.getInt32(4),
  })).filter(({ mediaTime }) => mediaTime >= 0); // The others are pauses.
  if (edits.length > 1) return null;
  const [edit] = edits;
  const mediaScale = timescaleOf(mdhd), movieScale = timescaleOf(mvhd);
  if (edit && mediaScale > 0) {
    const start = edit.mediaTime / mediaScale;
    let media = 0;
    for (const row of rowsOf(stts ?? new Uint8Array(0), 8)) media += row.getUint32(0) * row.getUint32(4);
    // The tables of a fragmented file are empty.
    const ends = media > edit.mediaTime ? [media / mediaScale - start] : [];
    if (edit.duration > 0 && movieScale > 0) {
      ends.push((edit.duration + (movieScale < mediaScale ? 1 : 0)) / movieScale);
    }
    return { start, ...(ends.length > 0 && { duration: Math.min(...ends) }) };
  }
  const tag = /iTunSMPB.{4}data.{8}([0-9A-F\s]+)/is.exec(new TextDecoder("latin1").decode(ilst))?.[1];
  // Hexadecimal: something, samples before the audio, samples after it, samples of it.
  const [, before, , length] = tag?.trim().split(/\s+/).map((word) => Number.parseInt(word, 16)) ?? [];
  if (before === undefined || length === undefined) return null;
  return { start: before / rateHz, ...(length > 0 && { duration: length / rateHz }) };
}

/**
 * Decodes the AAC or Opus track of an M4A (MP4) file.
 *
 * The edit list's part is given where there is one, so that the encoder's delay and padding are left out.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @throws {AudioError} when it is truncated or corrupt, or has no AAC or Opus track.
 */
export async function decodeMp4(bytes: Uint8Array, file: string): Promise<DecodedAudio> {
  const view = viewOf(bytes);
  const tracks: Track[] = [];
  const units: Uint8Array[] = [];
  let mvhd: Uint8Array | undefined;
  let ilst: Uint8Array | undefined;
  const defaultSizes = new Map<number, number>();
  const fragments: Box[] = [];

  const walk = (from: number, to: number) => {
    for (const box of boxesIn(bytes, from, to, file)) {
      const body = bytes.subarray(box.start, box.end);
      const track = tracks.at(-1);
      switch (box.type) {
        case "trak":
          tracks.push({ codec: "", sound: false, id: 0, asc: undefined, opus: undefined, trim: {}, tables: {} });
          walk(box.start, box.end);
          break;
        case "moov":
        case "mdia":
        case "minf":
        case "stbl":
        case "edts":
        case "mvex":
        case "udta":
          walk(box.start, box.end);
          break;
        case "meta":
          // ISO's has four bytes of version and flags before its boxes, QuickTime's has none.
          walk(box.start + (tagAt(body, 4) === "hdlr" ? 0 : 4), box.end);
          break;
        case "mvhd":
          mvhd = body;
          break;
        case "ilst":
          ilst = body;
          break;
        case "tkhd":
          if (track && body.length >= 24) track.id = viewOf(body).getUint32(body[0] === 1 ? 20 : 12);
          break;
        case "hdlr":
          if (track && tagAt(body, 8) === "soun") track.sound = true;
          break;
        case "stsd":
          if (track && body.length >= 8) walkEntry(track, box.start + 8, box.end);
          break;
        case "elst":
        case "mdhd":
        case "stts":
          if (track) track.trim[box.type] = body;
          break;
        case "stsz":
        case "stsc":
        case "stco":
        case "co64":
          if (track) track.tables[box.type] = body;
          break;
        case "trex":
          if (body.length >= 24) defaultSizes.set(viewOf(body).getUint32(4), viewOf(body).getUint32(16));
          break;
        case "moof":
          fragments.push(box);
          break;
      }
    }
  };
  const walkEntry = (track: Track, from: number, to: number) => {
    for (const entry of boxesIn(bytes, from, to, file)) {
      track.codec ||= entry.type;
      if ((entry.type !== "mp4a" && entry.type !== "Opus") || entry.end - entry.start < 28) continue;
      // QuickTime's versions 1 and 2 of the sound description are longer.
      const extra = [0, 16, 36][view.getUint16(entry.start + 8)] ?? 0;
      for (const box of boxesIn(bytes, Math.min(entry.end, entry.start + 28 + extra), entry.end, file)) {
        if (box.type === "esds") track.asc = configIn(bytes.subarray(box.start, box.end));
        if (box.type === "dOps") track.opus = opusConfig(bytes.subarray(box.start, box.end), file);
      }
    }
  };
  walk(0, bytes.length);

  const track = tracks.find(({ asc, opus, sound }) => (asc || opus) && sound);
  if (!track) {
    const codecs = tracks.filter(({ sound }) => sound).map(({ codec }) => codec).join(", ");
    throw new AudioError(
      file,
      tracks.length
        ? `is an MP4 file with ${codecs || "no audio track"}; AAC and Opus are read`
        : "has no moov box, so it is truncated",
    );
  }
  readTables(track);
  for (const box of fragments) readFragment(track.id, box);
  if (units.length === 0) throw new AudioError(file, "holds no samples");

  if (track.opus) {
    const durationSec = editDuration(track.trim.elst, mvhd);
    const limits = {
      ...(durationSec && { wanted: Math.round(durationSec * OPUS_RATE_HZ) }),
      fileBytes: bytes.length,
    };
    return { ...await decodeOpusPackets(units, track.opus, limits, file), container: "m4a" };
  }
  const asc = track.asc!;
  const trim = stretchOf(track.trim, mvhd, ilst, rateOf(asc, file));
  return await decodeUnits(units, asc, { trim, container: "m4a", fileBytes: bytes.length }, file);

  function unit(at: number, size: number): void {
    if (size === 0) throw new AudioError(file, "is corrupt: one of its access units has no bytes");
    if (at + size > bytes.length) {
      throw new AudioError(file, `is truncated: an access unit at byte ${at} lies beyond its end`);
    }
    units.push(bytes.subarray(at, at + size));
  }

  /** Access units by the sample tables: sizes, samples of each chunk, places of the chunks. */
  function readTables({ tables: { stsz, stsc, stco, co64 } }: Track): void {
    const places = stco ?? co64;
    if (!stsz || !stsc || !places || stsz.length < 12 || stsc.length < 8 || places.length < 8) return;
    const [sizes, runs, offsets] = [viewOf(stsz), viewOf(stsc), viewOf(places)];
    const common = sizes.getUint32(4);
    const count = sizes.getUint32(8);
    const chunks = offsets.getUint32(4);
    const runCount = runs.getUint32(4);
    const width = stco ? 4 : 8;
    if (
      stsz.length < 12 + (common ? 0 : 4 * count) || places.length < 8 + width * chunks ||
      stsc.length < 8 + 12 * runCount
    ) {
      throw new AudioError(file, "is corrupt: one of its sample tables is shorter than it says");
    }
    let sample = 0;
    let run = -1;
    for (let chunk = 0; chunk < chunks && sample < count; chunk++) {
      while (run + 1 < runCount && runs.getUint32(8 + 12 * (run + 1)) <= chunk + 1) run++;
      if (run < 0) throw new AudioError(file, "is corrupt: its first chunk has no entry in the sample table");
      let at = stco
        ? offsets.getUint32(8 + 4 * chunk)
        : offsets.getUint32(8 + 8 * chunk) * 2 ** 32 + offsets.getUint32(12 + 8 * chunk);
      for (let k = runs.getUint32(8 + 12 * run + 4); k > 0 && sample < count; k--, sample++) {
        const size = common || sizes.getUint32(12 + 4 * sample);
        unit(at, size);
        at += size;
      }
    }
    if (sample < count) throw new AudioError(file, "is corrupt: its sample table has fewer chunks than samples");
  }

  /** Access units of one movie fragment, as browsers that record MP4 write them. */
  function readFragment(trackId: number, moof: Box): void {
    for (const traf of boxesIn(bytes, moof.start, moof.end, file)) {
      if (traf.type !== "traf") continue;
      let base = moof.at;
      let defaultSize = defaultSizes.get(trackId) ?? 0;
      let own = false;
      let next = base;
      for (const box of boxesIn(bytes, traf.start, traf.end, file)) {
        const u32 = (at: number) => {
          if (at + 4 > box.end) throw new AudioError(file, `is corrupt: the box at byte ${box.at} is cut short`);
          return view.getUint32(at);
        };
        if (box.type === "tfhd") {
          const flags = u32(box.start);
          own = u32(box.start + 4) === trackId;
          let at = box.start + 8;
          if (flags & 1) {
            base = u32(at) * 2 ** 32 + u32(at + 4);
            at += 8;
          }
          if (flags & 2) at += 4;
          if (flags & 8) at += 4;
          if (flags & 16) defaultSize = u32(at);
          next = base;
        } else if (box.type === "trun" && own) {
          const flags = u32(box.start);
          const count = u32(box.start + 4);
          let at = box.start + 8;
          if (flags & 1) {
            next = base + (u32(at) | 0);
            at += 4;
          }
          if (flags & 4) at += 4;
          for (let k = 0; k < count; k++) {
            if (flags & 0x100) at += 4;
            const size = flags & 0x200 ? u32(at) : defaultSize;
            if (flags & 0x200) at += 4;
            if (flags & 0x400) at += 4;
            if (flags & 0x800) at += 4;
            if (next < 0) throw new AudioError(file, "is corrupt: an access unit lies before the file");
            unit(next, size);
            next += size;
          }
        }
      }
    }
  }
}

/**
 * Decodes an ADTS stream. It says nothing of the encoder's delay; the decoder leaves the first unit out, which makes up
 * for the 1,024 samples of most encoders, and the padding at the end stays.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @throws {AudioError} when a frame is cut short or does not follow the one before, or cannot be decoded.
 */
export async function decodeAdts(bytes: Uint8Array, file: string): Promise<DecodedAudio> {
  const units: Uint8Array[] = [];
  let config = 0;
  for (let at = id3Length(bytes); at < bytes.length;) {
    if (bytes.length - at < 7) {
      throw new AudioError(file, `is truncated inside the frame at byte ${at}`);
    }
    const [b1, b2, b3, b4, b5, b6] = bytes.subarray(at + 1, at + 7) as unknown as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const length = (b3 & 3) << 11 | b4 << 3 | b5 >> 5;
    const head = b1 & 1 ? 7 : 9;
    if (bytes[at] !== 0xff || (b1 & 0xf6) !== 0xf0 || length <= head) {
      if (tagAt(bytes, at, 3) === "TAG") break;
      throw new AudioError(file, `is corrupt: no ADTS frame starts at byte ${at}`);
    }
    if (b6 & 3) throw new AudioError(file, "has frames of several blocks, which are not read");
    const rateIndex = b2 >> 2 & 15;
    // Object type, rate and channels, as an AudioSpecificConfig has them.
    const own = ((b2 >> 6) + 1) << 11 | rateIndex << 7 | ((b2 & 1) << 2 | b3 >> 6) << 3;
    if (units.length && own !== config) throw new AudioError(file, `is corrupt: its format changes at byte ${at}`);
    config = own;
    if (at + length > bytes.length) {
      throw new AudioError(file, `is truncated: ${at + length - bytes.length} bytes of its last frame are missing`);
    }
    units.push(bytes.subarray(at + head, at + length));
    at += length;
  }
  if (units.length === 0) throw new AudioError(file, "holds no samples");
  const asc = Uint8Array.of(config >> 8, config & 0xff);
  return await decodeUnits(units, asc, { trim: null, container: "aac", fileBytes: bytes.length }, file);
}

/** The rate that an AudioSpecificConfig names, Hz. */
function rateOf(asc: Uint8Array, file: string): number {
  const rateHz = RATES_HZ[(asc[0]! & 7) << 1 | asc[1]! >> 7];
  if (rateHz === undefined) throw new AudioError(file, "its AAC configuration names no usual rate");
  return rateHz;
}

/**
 * Decodes raw access units. The first unit holds the half of an overlap alone and is always left out, with or without an
 * edit list.
 */
async function decodeUnits(
  units: Uint8Array[],
  asc: Uint8Array,
  options: { trim: Stretch | null; container: Container; fileBytes: number },
  file: string,
): Promise<DecodedAudio> {
  const channelCode = asc[1]! >> 3 & 15;
  const declared = rateOf(asc, file);
  // With spectral band replication an access unit gives twice as many samples.
  const claim = { sampleRateHz: declared, channels: channelCode || 2, frames: 2 * units.length * UNIT_SAMPLES };
  requirePlausible(claim, options.fileBytes, file);
  const whole = isAacLc(asc) && await decodeAacLc(units, { rateHz: declared, channelCode }, file);
  if (whole) {
    const { start, duration = Infinity } = options.trim ?? { start: 0 };
    const from = Math.max(UNIT_SAMPLES, Math.round(start * declared));
    const channels = whole.map((samples) => samples.slice(from, from + Math.round(duration * declared)));
    if (!channels[0]!.length) throw new AudioError(file, "holds no samples");
    requireFinite(channels, file);
    return { channels, sampleRateHz: declared, container: options.container, encoding: "aac" };
  }
  const decoded = await decodeWithFaad(units, asc, options.trim, file);
  requirePlausible({ ...claim, sampleRateHz: decoded.sampleRateHz }, options.fileBytes, file);
  return { ...decoded, container: options.container, encoding: "aac" };
}

/** Decodes raw access units of another kind than AAC-LC. */
async function decodeWithFaad(
  units: Uint8Array[],
  asc: Uint8Array,
  trim: Stretch | null,
  file: string,
): Promise<Pick<DecodedAudio, "channels" | "sampleRateHz">> {
  const { decoder: makeDecoder } = await loadCodec(file, "AAC", () => import("@audio/decode-aac"));
  const decoder = await makeDecoder({ asc, ...(trim && { gapless: trim }) });
  try {
    const parts = [decoder.decode(units), decoder.flush()].filter(({ channelData }) => channelData[0]?.length);
    const first = parts[0];
    if (!first) throw new AudioError(file, "holds no samples");
    const channels = first.channelData.map((_, c) => {
      const own = parts.map(({ channelData }) => channelData[c] ?? new Float32Array(0));
      const all = new Float32Array(own.reduce((sum, part) => sum + part.length, 0));
      own.reduce((at, part) => (all.set(part, at), at + part.length), 0);
      return all;
    });
    requireFinite(channels, file);
    return { channels, sampleRateHz: first.sampleRate };
  } finally {
    decoder.free();
  }
}
