/**
 * What the page's worker does with sound: decode, draw the spectrogram, follow the probabilities over time.
 *
 * @module
 */

import { decodeAudio, toMono } from "../audio/mod.ts";
import { hzToMel, melspectrogram, powerToDb } from "../features/mod.ts";
import { BrowserDecodes } from "./aac.ts";
import type { Clip, Decoded, SpectrogramPicture } from "./protocol.ts";

/**
 * Decodes a file by its content, with the same code as the command line; HE-AAC is left to the browser.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @throws {AudioError} naming the file and what is wrong with it.
 */
export async function decodeFile(bytes: Uint8Array, file: string): Promise<Decoded> {
  try {
    const decoded = await decodeAudio(bytes, file);
    const { samples, sampleRateHz } = toMono(decoded);
    return {
      kind: "audio",
      clip: { samples, sampleRateHz, source: { container: decoded.container, bytes: bytes.length } },
    };
  } catch (error) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) {
      if (!(cause instanceof BrowserDecodes)) continue;
      const { sampleRateHz, stretch } = cause;
      const isMp4 = String.fromCharCode(...bytes.subarray(4, 8)) === "ftyp";
      return {
        kind: "browser",
        sampleRateHz,
        start: Math.round(stretch.start * sampleRateHz),
        length: stretch.duration === undefined ? null : Math.round(stretch.duration * sampleRateHz),
        source: { container: isMp4 ? "m4a" : "aac", bytes: bytes.length },
      };
    }
    throw error;
  }
}

/** Frequencies at the axis of the spectrogram, Hz. */
const TICKS_HZ = [250, 500, 1000, 2000, 4000, 8000, 16000] as const;

/** Levels this far below the maximum are drawn as nothing, dB. */
const RANGE_DB = 70;

/**
 * The mel spectrogram as a picture.
 *
 * @param clip Mono audio.
 * @param columns About how many columns are wanted.
 * @param rows Mel bands.
 */
export function spectrogramPicture({ samples, sampleRateHz }: Clip, columns: number, rows: number): SpectrogramPicture {
  const nFft = sampleRateHz > 24000 ? 2048 : sampleRateHz > 12000 ? 1024 : 512;
  const hopLength = Math.max(64, Math.ceil(samples.length / columns));
  const fmaxHz = Math.min(sampleRateHz / 2, 16000);
  const power = melspectrogram({ samples, sampleRateHz }, { nFft, hopLength, nMels: rows, fmax: fmaxHz });
  const db = powerToDb(power, { ref: "max", topDb: RANGE_DB });
  const levels = Uint8Array.from(db.data, (level) => Math.round(255 * Math.max(0, 1 + level / RANGE_DB)));
  const top = hzToMel(fmaxHz);
  return {
    columns: db.shape[1]!,
    rows,
    levels,
    fmaxHz,
    ticks: TICKS_HZ.filter((hz) => hz < fmaxHz * 0.98).map((hz) => [hz, hzToMel(hz) / top] as const),
  };
}
