/**
 * MP3 (MPEG audio layer III): the frames are walked and checked here, mpg123 in WebAssembly decodes them.
 *
 * Sources: ISO/IEC 11172-3 and 13818-3; the Xing and LAME tags as described in "Mp3 Info Tag rev 1" (G. Bouvigne).
 *
 * @module
 */

import { AudioError } from "../errors.ts";
import { id3Length, loadCodec, tagAt, viewOf } from "./bytes.ts";
import { requireFinite } from "./pcm.ts";
import { type DecodedAudio, requirePlausible } from "./types.ts";

const KBIT_PER_SECOND = [
  [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
] as const;
const RATES_HZ = [44100, 48000, 32000] as const;

interface FrameHeader {
  readonly length: number;
  readonly samples: number;
  readonly sampleRateHz: number;
  readonly channels: number;
  /** Bytes between the header and the audio data, where the first frame holds its tag. */
  readonly sideInfo: number;
}

/** The header of a layer III frame, or nothing where there is none. */
function frameHeader(bytes: Uint8Array, at: number): FrameHeader | undefined {
  const [a, b, c, d] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
  if (a !== 0xff || b === undefined || c === undefined || d === undefined || (b & 0xe6) !== 0xe2) return undefined;
  const version = b >> 3 & 3; // 0: MPEG 2.5, 2: MPEG 2, 3: MPEG 1
  const rate = RATES_HZ[c >> 2 & 3];
  const kbit = KBIT_PER_SECOND[version === 3 ? 0 : 1][(c >> 4) - 1];
  if (version === 1 || rate === undefined || kbit === undefined) return undefined;
  const sampleRateHz = version === 3 ? rate : version === 2 ? rate / 2 : rate / 4;
  const samples = version === 3 ? 1152 : 576;
  const channels = d >> 6 === 3 ? 1 : 2;
  return {
    length: Math.floor(samples / 8 * kbit * 1000 / sampleRateHz) + (c >> 1 & 1),
    samples,
    sampleRateHz,
    channels,
    sideInfo: version === 3 ? (channels === 1 ? 17 : 32) : channels === 1 ? 9 : 17,
  };
}

/** True where the bytes start as MP3: a frame after any ID3 tag, and another of the same rate right behind it. */
export function isMp3(bytes: Uint8Array): boolean {
  const at = id3Length(bytes);
  const first = frameHeader(bytes, at);
  if (!first) return false;
  const second = frameHeader(bytes, at + first.length);
  return at + first.length + 4 > bytes.length || second?.sampleRateHz === first.sampleRateHz;
}

/** True where nothing but tags or zeros follows. */
function isTrailer(bytes: Uint8Array, at: number): boolean {
  return tagAt(bytes, at, 3) === "TAG" || tagAt(bytes, at, 8) === "APETAGEX" || tagAt(bytes, at, 6) === "LYRICS" ||
    bytes.subarray(at).every((byte) => byte === 0);
}

/**
 * Decodes an MP3 file. Where it carries a LAME tag, the encoder's delay and padding are left out.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @throws {AudioError} when it is truncated inside a frame or has fewer frames than its tag says, when its frames do not
 * follow each other, or when it cannot be decoded.
 */
export async function decodeMp3(bytes: Uint8Array, file: string): Promise<DecodedAudio> {
  const start = id3Length(bytes);
  const first = frameHeader(bytes, start)!;
  const view = viewOf(bytes);
  let tagged: number | undefined;
  const tagPlace = start + 4 + first.sideInfo;
  if (["Xing", "Info"].includes(tagAt(bytes, tagPlace)) && tagPlace + 12 <= bytes.length) {
    if (view.getUint32(tagPlace + 4) & 1) tagged = view.getUint32(tagPlace + 8);
  }
  let frames = 0;
  let at = start;
  while (at < bytes.length) {
    const header = frameHeader(bytes, at);
    if (!header) {
      if (isTrailer(bytes, at)) break;
      if (bytes.length - at < 4) throw new AudioError(file, `is truncated inside the frame at byte ${at}`);
      throw new AudioError(file, `is corrupt: no MP3 frame starts at byte ${at}`);
    }
    if (header.sampleRateHz !== first.sampleRateHz) {
      throw new AudioError(
        file,
        `is corrupt: its rate changes from ${first.sampleRateHz} to ${header.sampleRateHz} Hz`,
      );
    }
    at += header.length;
    if (at > bytes.length) {
      throw new AudioError(file, `is truncated: ${at - bytes.length} bytes of its last frame are missing`);
    }
    frames++;
  }
  if (tagged !== undefined && frames - 1 < tagged) {
    throw new AudioError(
      file,
      `is truncated: its tag declares ${tagged} frames and ${tagged - frames + 1} are missing`,
    );
  }
  const { sampleRateHz } = first;
  requirePlausible({ sampleRateHz, channels: 2, frames: frames * first.samples }, bytes.length, file);
  const { MPEGDecoder } = await loadCodec(file, "MP3", () => import("mpg123-decoder"));
  const decoder = new MPEGDecoder();
  try {
    await decoder.ready;
    const { channelData, samplesDecoded, errors, sampleRate } = decoder.decode(bytes.subarray(start, at));
    if (errors.length) throw new AudioError(file, `is corrupt: its MP3 data cannot be decoded (${errors[0]!.message})`);
    if (samplesDecoded === 0) throw new AudioError(file, "holds no samples");
    if (sampleRate !== sampleRateHz) {
      throw new AudioError(file, `is corrupt: it decodes at ${sampleRate} Hz and its frames say ${sampleRateHz} Hz`);
    }
    // The decoder always gives two channels; of a mono file they are the same.
    const channels = channelData.slice(0, first.channels);
    requireFinite(channels, file);
    return { channels, sampleRateHz, container: "mp3", encoding: "mp3" };
  } finally {
    decoder.free();
  }
}
