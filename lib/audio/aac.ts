/**
 * The decoder of AAC-LC: Symphonia's, compiled to WebAssembly (`aac/`), the same in a terminal and in a browser. It draws
 * the noise that an encoder leaves to the decoder from the same seed every time, so the same bytes give the same samples.
 *
 * @module
 */

import { AudioError } from "../errors.ts";
import { loadCodec } from "./bytes.ts";

/** Samples of an access unit. */
export const UNIT_SAMPLES = 1024;

/**
 * Longest access unit that is taken, bytes: the decoder's buffer of the standard holds 768 bytes a channel (ISO/IEC
 * 14496-3, 4.5.1), an ADTS frame 8,191.
 */
const MOST_UNIT_BYTES = 65_536;

/** What `aac/src/lib.rs` exports; pointers are addresses. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  open(rateHz: number, channels: number): number;
  input(stream: number, length: number): number;
  decode(stream: number): number;
  output(stream: number, channel: number): number;
}

/** Answers of `decode`. */
const DECODED = 0, UNSUPPORTED = 2;

/**
 * Place of each channel within a decoded unit, left and right first, by number of channels: there the centre comes first
 * (ISO/IEC 14496-3, table 1.19). Eight channels stay as they are.
 */
const ORDER: Readonly<Record<number, readonly number[]>> = {
  3: [1, 2, 0],
  4: [1, 2, 0, 3],
  5: [1, 2, 0, 3, 4],
  6: [1, 2, 0, 5, 3, 4],
};

let compiled: Promise<WebAssembly.Module> | undefined;

async function compile(): Promise<WebAssembly.Module> {
  const { AAC_WASM } = await import("./aac_wasm.ts");
  const deflated = new Blob([Uint8Array.from(atob(AAC_WASM.deflated), (c) => c.charCodeAt(0))]);
  const wasm = new Response(deflated.stream().pipeThrough(new DecompressionStream("deflate-raw")));
  return await WebAssembly.compile(await wasm.arrayBuffer());
}

/**
 * Whether an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1) announces what {@linkcode decodeAacLc} takes: low complexity,
 * units of 1,024 samples, a usual arrangement of channels, and no spectral band replication.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.ok(isAacLc(Uint8Array.of(0x12, 0x10))); // 44,100 Hz, stereo
 * assert.ok(!isAacLc(Uint8Array.of(0x2b, 0x11, 0x88, 0x00))); // HE-AAC
 * ```
 */
export function isAacLc(asc: Uint8Array): boolean {
  const [first, second = 0, third = 0, fourth = 0, fifth = 0] = asc;
  const channelCode = second >> 3 & 15;
  // The last three bits: short units, a core coder, an extension.
  if (first === undefined || first >> 3 !== 2 || channelCode < 1 || channelCode > 7 || (second & 7) !== 0) return false;
  const isExtended = (third << 3 | fourth >> 5) === 0x2b7;
  return !isExtended || (fourth & 31) !== 5 || fifth < 0x80;
}

/**
 * Decodes the access units of an AAC-LC stream.
 *
 * @param units The units in order; every stream has an own instance of the decoder, so a broken one leaves nothing behind.
 * @param stream Rate in Hz and channel configuration of its AudioSpecificConfig, for which {@linkcode isAacLc} is true.
 * @param file Name of the file, for errors.
 * @returns 1,024 samples a unit of each channel, or nothing where the stream turns out to need another decoder:
 * spectral band replication that nothing announced, coupled channels, other channels than announced.
 * @throws {AudioError} when a unit breaks the rules of the format.
 */
export async function decodeAacLc(
  units: readonly Uint8Array[],
  stream: { readonly rateHz: number; readonly channelCode: number },
  file: string,
): Promise<Float32Array[] | undefined> {
  const module = await loadCodec(file, "AAC", () =>
    compiled ??= compile().catch((error) => {
      compiled = undefined;
      throw error;
    }));
  const count = stream.channelCode === 7 ? 8 : stream.channelCode;
  const decoder = (await WebAssembly.instantiate(module)).exports as unknown as Exports;
  const handle = decoder.open(stream.rateHz, count);
  if (handle === 0) return undefined;
  const order = ORDER[count];
  const channels = Array.from({ length: count }, () => new Float32Array(units.length * UNIT_SAMPLES));
  for (const [i, unit] of units.entries()) {
    if (unit.length > MOST_UNIT_BYTES) {
      throw new AudioError(file, `is corrupt: access unit ${i} has ${unit.length} bytes, which no AAC has`);
    }
    let answer: number;
    try {
      const at = decoder.input(handle, unit.length);
      new Uint8Array(decoder.memory.buffer, at, unit.length).set(unit);
      answer = decoder.decode(handle);
    } catch (error) {
      // A panic of the decoder is a trap here; the instance is not used again.
      throw new AudioError(file, `is corrupt: access unit ${i} cannot be decoded`, { cause: error });
    }
    if (answer === UNSUPPORTED) return undefined;
    if (answer !== DECODED) throw new AudioError(file, `is corrupt: access unit ${i} cannot be decoded`);
    for (let c = 0; c < count; c++) {
      const at = decoder.output(handle, order?.[c] ?? c);
      channels[c]!.set(new Float32Array(decoder.memory.buffer, at, UNIT_SAMPLES), i * UNIT_SAMPLES);
    }
  }
  return channels;
}
