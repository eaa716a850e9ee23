/**
 * Stands in the page for `@audio/decode-aac`, whose FAAD2 is under the GPL and is not shipped: it tells, by an error,
 * what the browser's own decoder has to be told. `lib/serve/build.ts` puts it there.
 *
 * @module
 */

/** The stretch of the decoded audio that is meant. */
export interface Gapless {
  /** Samples to leave out at the start. */
  readonly start: number;
  /** Samples to keep, where the file says it. */
  readonly duration?: number;
}

/** Boxes that tell the stretch. */
interface Boxes {
  readonly elst?: Uint8Array;
  readonly mdhd?: Uint8Array;
  readonly mvhd?: Uint8Array;
  readonly asc: Uint8Array;
}

/** Thrown in the place of decoding: the browser has to do it. */
export class BrowserDecodes extends Error {
  /** Name of the class, which survives minification. */
  override readonly name = "BrowserDecodes";

  /**
   * Says what the browser has to be told.
   *
   * @param sampleRateHz Rate of the audio in Hz.
   * @param stretch The part that is meant.
   */
  constructor(readonly sampleRateHz: number, readonly stretch: Gapless) {
    super("AAC is decoded by the browser");
  }
}

const RATES_HZ = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];

/** A 32-bit number of a box; 64-bit ones are given by their position too. */
function u32(box: Uint8Array, at: number): number {
  return new DataView(box.buffer, box.byteOffset, box.byteLength).getUint32(at);
}

/**
 * The stretch that a single edit names (ISO/IEC 14496-12, `elst`): media time in the track's units, duration in the
 * movie's.
 */
export function gapless({ elst, mdhd, mvhd, asc }: Boxes): Gapless | null {
  if (!elst || !mdhd || !mvhd || elst.length < 20 || u32(elst, 4) !== 1) return null;
  const wide = elst[0] === 1;
  const units = wide ? u32(elst, 8) * 2 ** 32 + u32(elst, 12) : u32(elst, 8);
  const start = wide ? u32(elst, 16) * 2 ** 32 + u32(elst, 20) : u32(elst, 12);
  const mediaScale = u32(mdhd, mdhd[0] === 1 ? 20 : 12), movieScale = u32(mvhd, mvhd[0] === 1 ? 20 : 12);
  const rate = rateOf(asc);
  if (!mediaScale || !movieScale || !rate || start >= 2 ** 31) return null;
  return {
    start: Math.round(start / mediaScale * rate),
    ...(units > 0 && { duration: Math.round(units / movieScale * rate) }),
  };
}

function rateOf(asc: Uint8Array): number | undefined {
  return RATES_HZ[(asc[0]! & 7) << 1 | asc[1]! >> 7];
}

/** Samples of an access unit: FAAD2 leaves the first one out, which makes up for the delay of most encoders. */
const UNIT_SAMPLES = 1024;

/**
 * Never decodes. Without an edit list the first unit is left out, as the command line's decoder does.
 *
 * @throws {BrowserDecodes} always.
 */
export function decoder(options: { readonly asc: Uint8Array; readonly gapless?: Gapless }): never {
  throw new BrowserDecodes(rateOf(options.asc) ?? 48000, options.gapless ?? { start: UNIT_SAMPLES });
}
