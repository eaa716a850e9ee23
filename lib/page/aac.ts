/**
 * Stands in the page for `@audio/decode-aac`, whose FAAD2 is under the GPL and is not shipped: it tells, by an error,
 * what the browser's own decoder has to be told. `lib/serve/build.ts` puts it there. Only what serlab's decoder does not
 * take comes here: HE-AAC and rarities.
 *
 * @module
 */

/** The stretch of the decoded audio that is meant, in s. */
export interface Gapless {
  /** Time to leave out at the start. */
  readonly start: number;
  /** Time to keep, where the file says it. */
  readonly duration?: number;
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
    super("AAC of this kind is decoded by the browser");
  }
}

const RATES_HZ = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];

/** Samples of an access unit: FAAD2 leaves the first one out, which makes up for the delay of most encoders. */
const UNIT_SAMPLES = 1024;

/**
 * Rate of the audio by an AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1). AAC-LC comes here because of spectral band
 * replication; where nothing announced it, it doubles the rate.
 */
function rateOf([first = 0, second = 0, third = 0, fourth = 0, fifth = 0]: Uint8Array, own: number): number {
  const type = first >> 3;
  if (type === 5 || type === 29) return RATES_HZ[(second & 7) << 1 | third >> 7] ?? own;
  const isExtended = (third << 3 | fourth >> 5) === 0x2b7 && (fourth & 31) === 5;
  if (isExtended && fifth >= 0x80) return RATES_HZ[fifth >> 3 & 15] ?? own;
  return type === 2 && (second & 7) === 0 && (second >> 3 & 15) !== 0 ? 2 * own : own;
}

/**
 * Never decodes. Without an edit list the first unit is left out, as the command line's decoder does.
 *
 * @throws {BrowserDecodes} always.
 */
export function decoder({ asc, gapless }: { readonly asc: Uint8Array; readonly gapless?: Gapless }): never {
  const own = RATES_HZ[(asc[0]! & 7) << 1 | asc[1]! >> 7] ?? 48000;
  throw new BrowserDecodes(rateOf(asc, own), gapless ?? { start: UNIT_SAMPLES / own });
}
