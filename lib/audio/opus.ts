/**
 * Opus packets to samples, for Ogg and WebM. The decoder (libopus in WebAssembly) is loaded on first use.
 *
 * Sources: RFC 6716 (packets), RFC 7845 (identification header, pre-skip, gain).
 *
 * @module
 */

import { AudioError } from "../errors.ts";
import { loadCodec, tagAt, viewOf } from "./bytes.ts";
import { requireFinite } from "./pcm.ts";
import { type DecodedAudio, requirePlausible } from "./types.ts";

/** Opus is decoded at this rate, whatever rate was recorded. */
export const OPUS_RATE_HZ = 48_000;

/** Samples a channel of each of the 32 configurations of a packet's first byte. */
const FRAME_SAMPLES = [480, 960, 1920, 2880, 480, 960, 1920, 2880, 480, 960, 1920, 2880, 480, 960, 480, 960]
  .concat([120, 240, 480, 960, 120, 240, 480, 960, 120, 240, 480, 960, 120, 240, 480, 960]);

/** What the identification header of an Opus stream says. */
export interface OpusHead {
  /** Number of channels, 1 to 8. */
  readonly channels: number;
  /** Samples to leave out at the start, at 48 kHz. */
  readonly preSkip: number;
  /** Factor for all samples. */
  readonly gain: number;
  /** Number of coded streams. */
  readonly streams: number;
  /** How many of them hold two channels. */
  readonly coupled: number;
  /** Coded channel of each channel. */
  readonly mapping: number[];
}

/**
 * Reads the identification header (`OpusHead`).
 *
 * @throws {AudioError} when it is cut short, of another version, or of a channel layout that is not read.
 */
export function parseOpusHead(packet: Uint8Array, file: string): OpusHead {
  if (packet.length < 19 || tagAt(packet, 0, 8) !== "OpusHead") {
    throw new AudioError(file, "its Opus header is cut short");
  }
  const view = viewOf(packet);
  if (packet[8]! >> 4 !== 0) throw new AudioError(file, `its Opus header has version ${packet[8]}; version 1 is read`);
  const channels = packet[9]!;
  const family = packet[18]!;
  const gain = 10 ** (view.getInt16(16, true) / (20 * 256));
  const common = { channels, preSkip: view.getUint16(10, true), gain };
  if (family === 0 && (channels === 1 || channels === 2)) {
    return { ...common, streams: 1, coupled: channels - 1, mapping: channels === 1 ? [0] : [0, 1] };
  }
  if (family === 1 && channels >= 1 && channels <= 8 && packet.length >= 21 + channels) {
    const streams = packet[19]!;
    const coupled = packet[20]!;
    const mapping = [...packet.subarray(21, 21 + channels)];
    const coded = streams + coupled;
    if (streams >= 1 && coupled <= streams && coded <= 8 && mapping.every((m) => m < coded)) {
      return { ...common, streams, coupled, mapping };
    }
  }
  throw new AudioError(file, `has ${channels} channels of Opus mapping family ${family}; families 0 and 1 are read`);
}

/** Samples a channel that a packet decodes to, at 48 kHz; 0 for a packet that breaks the rules. */
export function opusPacketFrames(packet: Uint8Array): number {
  if (packet.length === 0) return 0;
  const code = packet[0]! & 3;
  const count = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 0) & 63;
  const frames = count * FRAME_SAMPLES[packet[0]! >> 3]!;
  return frames <= 5760 ? frames : 0;
}

/**
 * Decodes the packets of one stream.
 *
 * @param packets Audio packets in order, headers left out.
 * @param head Identification header.
 * @param limits `wanted`: samples a channel after the pre-skip, or `discard`: how many to leave out at the end;
 * `fileBytes`: size of the file.
 * @param file Name of the file, for errors.
 * @throws {AudioError} when a packet is corrupt, packets are missing, or nothing is left after the pre-skip.
 */
export async function decodeOpusPackets(
  packets: Uint8Array[],
  head: OpusHead,
  limits: { wanted?: number; discard?: number; fileBytes: number },
  file: string,
): Promise<Omit<DecodedAudio, "container">> {
  const expected = packets.reduce((sum, packet) => sum + opusPacketFrames(packet), 0);
  const shape = { sampleRateHz: OPUS_RATE_HZ, channels: head.channels };
  requirePlausible({ ...shape, frames: expected }, limits.fileBytes, file);
  const left = expected - head.preSkip;
  const wanted = limits.wanted ?? left - (limits.discard ?? 0);
  if (wanted <= 0) throw new AudioError(file, "holds no samples");
  if (wanted > left) {
    throw new AudioError(file, `is truncated: it declares ${wanted} samples and ${wanted - left} of them are missing`);
  }
  const { OpusDecoder } = await loadCodec(file, "Opus", () => import("opus-decoder"));
  const decoder = new OpusDecoder({
    channels: head.channels,
    streamCount: head.streams,
    coupledStreamCount: head.coupled,
    channelMappingTable: head.mapping,
    preSkip: 0,
  });
  try {
    await decoder.ready;
    const { channelData, samplesDecoded, errors } = decoder.decodeFrames(packets);
    if (errors.length || samplesDecoded !== expected || channelData.length !== head.channels) {
      const why = errors[0]?.message ?? `${samplesDecoded} samples instead of ${expected}`;
      throw new AudioError(file, `is corrupt: its Opus data cannot be decoded (${why})`);
    }
    const channels = channelData.map((samples) => samples.slice(head.preSkip, head.preSkip + wanted));
    if (head.gain !== 1) {
      for (const samples of channels) for (let i = 0; i < samples.length; i++) samples[i] = samples[i]! * head.gain;
    }
    requireFinite(channels, file);
    return { channels, sampleRateHz: OPUS_RATE_HZ, encoding: "opus" };
  } finally {
    decoder.free();
  }
}
