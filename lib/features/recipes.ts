/**
 * Named recipes: the exact input of each published study, from a waveform.
 *
 * A recipe says how audio is loaded (rate, offset, duration) and turns the loaded waveform into numbers. Its name,
 * version and parameters make its hash, so a cache knows when numbers changed.
 *
 * @module
 */

import { resample } from "../audio/resample.ts";
import { AudioError, UsageError } from "../errors.ts";
import type { NdArray, Waveform } from "../types.ts";
import { chromaOfFrames } from "./chroma.ts";
import { powerToDb } from "./decibels.ts";
import { EGEMAPS_RATE_HZ, egemapsLike, egemapsLikeNames } from "./functionals.ts";
import { resize } from "./imresize.ts";
import { samplesOf, transpose, withChecked } from "./input.ts";
import { logMelSpectrogram, melOfFrames, melspectrogram, mfcc, mfccOfFrames } from "./mel.ts";
import { melPicture } from "./picture.ts";
import { dbSpectra, frameSpectra } from "./spectrum.ts";
import { rms, zeroCrossingRate } from "./temporal.ts";

/** How audio is loaded for a recipe; `loadAudio` of `lib/audio/load.ts` takes it as it is. */
export interface RecipeLoad {
  /** Rate in Hz, or `null` for the file's own. */
  readonly sampleRateHz: number | null;
  /** Start in seconds; absent means 0. */
  readonly offsetSec?: number;
  /** Length in seconds; absent means to the end. */
  readonly durationSec?: number;
  /** Whether audio no longer than the offset is heard whole, from its start; absent means that it is refused. */
  readonly wholeIfShort?: boolean;
}

/** A named way from a waveform to numbers. */
export interface Recipe {
  /** Its name, by which {@linkcode recipe} finds it. */
  readonly name: string;
  /** Counts up when its numbers change. */
  readonly version: number;
  /** One sentence: what it computes and which study uses it. */
  readonly describe: string;
  /** Rate, offset and duration at which audio is loaded. */
  readonly load: RecipeLoad;
  /** The same rate as `load.sampleRateHz`. */
  readonly sampleRateHz: number | null;
  /** Every number that the recipe depends on; part of its hash. */
  readonly parameters: Readonly<Record<string, number | string | boolean | null>>;
  /** The shape of its result, `null` where it depends on the audio's length. */
  readonly shape: readonly (number | null)[];
  /**
   * Features of audio that was loaded as `load` says.
   *
   * @throws {AudioError} when the audio is unusable (no samples, a sample that is not finite).
   * @throws {UsageError} when its rate is not the recipe's.
   */
  extract(wave: Waveform): NdArray;
}

/** What a recipe's numbers are found by in a cache; anything else that is computed from an input may have one too. */
export type RecipeIdentity = Pick<Recipe, "name" | "version" | "load" | "parameters">;

/** A recipe's parts, with the checks put before its `extract`. */
function define(parts: Omit<Recipe, "sampleRateHz">): Recipe {
  return {
    ...parts,
    sampleRateHz: parts.load.sampleRateHz,
    extract(wave) {
      const rate = parts.load.sampleRateHz;
      if (rate !== null && wave.sampleRateHz !== rate) {
        throw new UsageError(`Recipe ${parts.name} takes audio at ${rate} Hz, not at ${wave.sampleRateHz} Hz.`);
      }
      // Once for all features of the recipe.
      return withChecked(samplesOf(wave), () => parts.extract(wave));
    },
  };
}

/**
 * Study 000: the linear-frequency STFT magnitude in dB, resized to 64×64.
 *
 * Level is kept (`ref` 1.0, so printed floors lie near -51 to -63 dB); the time axis is stretched to 64 columns
 * whatever the duration. The study then standardised with the mean and deviation of all clips before splitting:
 * that leak belongs to its protocol, not to this recipe.
 */
export const study000: Recipe = define({
  name: "study000",
  version: 1,
  describe: "64×64 picture of the linear-frequency STFT in dB at 48 kHz, level kept, duration lost (study 000)",
  load: { sampleRateHz: 48000 },
  parameters: { nFft: 2048, hopLength: 512, ref: 1, amin: 1e-5, topDb: 80, rows: 64, columns: 64 },
  shape: [64, 64],
  extract(wave) {
    const { data, frames, bins, top } = dbSpectra(wave, { nFft: 2048, hopLength: 512 }, 1e-5);
    // The frames still lie one after the other, so the small result is turned instead of the large input.
    return { data: transpose(resize(data, frames, bins, 64, 64, true, top - 80).data, 64, 64), shape: [64, 64] };
  },
});

/**
 * Study 001: the picture of the mel spectrogram in dB under its own maximum, autoscaled `jet` colours, 50×300 pixels.
 *
 * The scale is each clip's own and the whole clip fills the width: loudness and duration are both erased, and `jet`
 * is not monotone in brightness. The study declared its networks with width and height exchanged; the array that they
 * were fed is this one, 50 rows of 300 columns.
 */
export const study001: Recipe = define({
  name: "study001",
  version: 1,
  describe: "50×300 RGB picture of the mel spectrogram in dB, jet colours, loudness and duration lost (study 001)",
  load: { sampleRateHz: 22050 },
  parameters: { nFft: 2048, hopLength: 512, nMels: 128, fmax: 8000, ref: "max", drawn: "775x462", size: "300x50" },
  shape: [50, 300, 3],
  extract: (wave) => melPicture(powerToDb(melspectrogram(wave, { fmax: 8000 }), { ref: "max" })),
});

/** Vectors laid end to end. */
function concatenate(...parts: readonly Float32Array[]): NdArray {
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return { data, shape: [data.length] };
}

/**
 * Study 002: zero-crossing rate, RMS and 20 MFCC of 2.5 s from 0.6 s on, as one vector of 22 values a frame.
 *
 * 108 frames (2376 values) for audio of 3.1 s or more. Shorter audio gives shorter vectors, `22 T`, which the study
 * padded with zeros at the right: then RMS and MFCC begin at other columns in every row. That flaw is reproduced by
 * padding this vector; padding the audio to 2.5 s before extracting is the fair way. The first 0.6 s are thrown away,
 * speech or not.
 */
export const study002: Recipe = define({
  name: "study002",
  version: 1,
  describe: "ZCR, RMS and 20 MFCC of 2.5 s from 0.6 s on, one unpadded vector of 22 values a frame (study 002)",
  load: { sampleRateHz: 22050, offsetSec: 0.6, durationSec: 2.5 },
  parameters: { frameLength: 2048, hopLength: 512, nMels: 128, nMfcc: 20, order: "zcr,rms,mfcc by frame" },
  shape: [null],
  extract(wave) {
    const { zeroCrossings, energy, coefficients } = study002Values(study002Samples(wave, false));
    return concatenate(zeroCrossings, energy, coefficients);
  },
});

/** Samples of the 2.5 s that study 002 loads: 108 frames. */
const STUDY002_SAMPLES = 55125;

/** Audio cut to 2.5 s (a stretched copy is longer than what was loaded) and, where wanted, padded with zeros to it. */
function study002Samples({ samples, sampleRateHz }: Waveform, padded: boolean): Waveform {
  if (samples.length === STUDY002_SAMPLES || (samples.length < STUDY002_SAMPLES && !padded)) {
    return { samples, sampleRateHz };
  }
  if (samples.length > STUDY002_SAMPLES) return { samples: samples.subarray(0, STUDY002_SAMPLES), sampleRateHz };
  const longer = new Float32Array(STUDY002_SAMPLES);
  longer.set(samples);
  return { samples: longer, sampleRateHz };
}

/** The three parts of study 002's vector; coefficients frame by frame. */
function study002Values(wave: Waveform) {
  const { data, shape: [rows, frames] } = mfcc(wave, { nMfcc: 20 });
  return {
    frames,
    zeroCrossings: zeroCrossingRate(wave).data,
    energy: rms(wave).data,
    coefficients: transpose(data, rows, frames),
  };
}

/**
 * Study 002 repaired: the same values of audio that was padded with zeros to 2.5 s, so that a value stands in the same
 * column whatever the duration.
 *
 * The offset drops the first 0.6 s, in RAVDESS mostly silence. Audio of 0.6 s or less would be gone with it, so it is
 * heard whole, from its start; a new file may have any length. No recording of the corpora is that short.
 */
export const study002Padded: Recipe = define({
  name: "study002-padded",
  version: 1,
  describe:
    "ZCR, RMS and 20 MFCC of 2.5 s from 0.6 s on, short audio padded with zeros, 2376 values (study 002, repaired)",
  load: { ...study002.load, wholeIfShort: true },
  parameters: { ...study002.parameters, samples: STUDY002_SAMPLES },
  shape: [2376],
  extract(wave) {
    const { zeroCrossings, energy, coefficients } = study002Values(study002Samples(wave, true));
    return concatenate(zeroCrossings, energy, coefficients);
  },
});

/** Study 002's repaired values frame by frame, 108 × 22 (ZCR, RMS, 20 MFCC): what a recurrent network reads. */
export const study002Frames: Recipe = define({
  name: "study002-frames",
  version: 1,
  describe: "The repaired values of study 002 frame by frame: 108 frames of ZCR, RMS and 20 MFCC",
  load: study002Padded.load,
  parameters: { ...study002Padded.parameters, order: "frames of zcr,rms,mfcc" },
  shape: [108, 22],
  extract(wave) {
    const { frames, zeroCrossings, energy, coefficients } = study002Values(study002Samples(wave, true));
    const data = new Float32Array(22 * frames);
    for (let t = 0; t < frames; t++) {
      data[22 * t] = zeroCrossings[t]!;
      data[22 * t + 1] = energy[t]!;
      data.set(coefficients.subarray(20 * t, 20 * t + 20), 22 * t + 2);
    }
    return { data, shape: [frames, 22] };
  },
});

/** Longest clip of CREMA-D in samples at 16 kHz, to which study 003 pads every clip. */
const STUDY003_SAMPLES = 80080;

/** Audio with zeros after its end, or cut, to the length that study 003 uses. */
function study003Samples({ samples, sampleRateHz }: Waveform): Waveform {
  const count = Math.min(samples.length, STUDY003_SAMPLES);
  padded003.set(samples.subarray(0, count));
  padded003.fill(0, count);
  return { samples: padded003, sampleRateHz };
}

/** Memory for the padded audio, which nothing keeps: fresh memory for every clip would soon have to be collected. */
const padded003 = new Float32Array(STUDY003_SAMPLES);

/**
 * Study 003's picture: the mel spectrogram in dB under its own maximum, of audio padded with zeros to 80,080 samples
 * (5.005 s at 16 kHz, the corpus's longest clip; longer audio is cut there).
 *
 * Not standardised, although the study's text says so: values lie in [-80, 0]. The padding tells the duration.
 */
export const study003: Recipe = define({
  name: "study003",
  version: 1,
  describe: "128×157 mel spectrogram in dB (ref max) of audio padded to 5.005 s at 16 kHz (study 003, 2D)",
  load: { sampleRateHz: 16000 },
  parameters: { samples: STUDY003_SAMPLES, nFft: 2048, hopLength: 512, nMels: 128, ref: "max", topDb: 80 },
  shape: [128, 157],
  extract: (wave) => logMelSpectrogram(study003Samples(wave), { ref: "max" }),
});

/**
 * Study 003's vector: 157 zero-crossing rates and 157 RMS values of the padded audio.
 *
 * The assignment's "energy" is the mean square; the study used the RMS, and so does this. Frames in the padding are
 * zero in both halves, which again tells the duration.
 */
export const study003Vector: Recipe = define({
  name: "study003-vector",
  version: 1,
  describe: "157 zero-crossing rates and 157 RMS values of audio padded to 5.005 s at 16 kHz (study 003, 1D)",
  load: { sampleRateHz: 16000 },
  parameters: { samples: STUDY003_SAMPLES, frameLength: 2048, hopLength: 512, order: "zcr,rms" },
  shape: [314],
  extract(wave) {
    const padded = study003Samples(wave);
    return concatenate(zeroCrossingRate(padded).data, rms(padded).data);
  },
});

/** Means over the frames of frame-by-frame values. */
function frameMeans(data: Float32Array, frames: number, width: number): Float32Array {
  const sums = new Float64Array(width);
  for (let t = 0; t < frames; t++) for (let k = 0; k < width; k++) sums[k]! += data[t * width + k]!;
  return Float32Array.from(sums, (sum) => sum / frames);
}

/** Means over time of 40 MFCC, 12 chroma values of |STFT| and 128 mel powers. */
function study004Means(wave: Waveform): NdArray {
  const sr = wave.sampleRateHz;
  const spectra = frameSpectra(wave, {}, 1, "numpy");
  const { frames } = spectra;
  const chroma = chromaOfFrames(spectra, sr);
  const mel = melOfFrames(spectra, sr, {}, true);
  const db = powerToDb({ data: mel, shape: [frames, 128] }).data;
  const coefficients = mfccOfFrames(db, frames, 128, 40);
  return concatenate(
    frameMeans(transpose(coefficients.data, 40, frames), frames, 40),
    frameMeans(transpose(chroma.data, 12, frames), frames, 12),
    frameMeans(mel, frames, 128),
  );
}

/**
 * Study 004: means over time of 40 MFCC, 12 chroma values and 128 mel powers, at the file's own rate.
 *
 * Chroma is taken from the magnitude |STFT|, not the power librosa would take. Nothing is scaled: the first MFCC is
 * near -500 and mel powers near 1e-5 in one vector, six orders of magnitude apart. Silence counts in the means.
 */
export const study004: Recipe = define({
  name: "study004",
  version: 1,
  describe: "Means over time of 40 MFCC, 12 chroma (of |STFT|) and 128 mel powers at the file's own rate (study 004)",
  load: { sampleRateHz: null },
  parameters: { nFft: 2048, hopLength: 512, nMels: 128, nMfcc: 40, nChroma: 12, order: "mfcc,chroma,mel" },
  shape: [180],
  extract: study004Means,
});

/**
 * Study 004's means of audio brought to 32 kHz first.
 *
 * At RAVDESS's own 48 kHz a tenth of the mel bands lies above 16 kHz, where codecs, converters and microphones differ
 * most: standardised, those bands make an answer depend on the device. What practically every device passes is all that
 * these values see.
 */
export const study004At32k: Recipe = define({
  ...study004,
  name: "study004-32k",
  describe: "Study 004's means of audio brought to 32 kHz, so that what codecs and microphones cut off has no say",
  load: { sampleRateHz: 32000 },
});

/**
 * Voice statistics in the spirit of eGeMAPS, 75 values: inspired by that set and not equal to openSMILE's.
 *
 * No study uses it; it is the fair small baseline that they lack.
 */
export const egemapsLikeRecipe: Recipe = define({
  name: "egemaps-like",
  version: 1,
  describe:
    "75 statistics of pitch, loudness, MFCC 1-4, spectral slopes, jitter, shimmer (after eGeMAPS, not equal to it)",
  load: { sampleRateHz: EGEMAPS_RATE_HZ },
  parameters: { values: egemapsLikeNames.join(","), fmin: 60, fmax: 600, hopLength: 160, winLength: 400, nFft: 512 },
  shape: [egemapsLikeNames.length],
  extract: egemapsLike,
});

const all: readonly Recipe[] = [
  study000,
  study001,
  study002,
  study002Padded,
  study002Frames,
  study003,
  study003Vector,
  study004,
  study004At32k,
  egemapsLikeRecipe,
];

/** All recipes, by name. */
const shelf: ReadonlyMap<string, Recipe> = new Map(all.map((each) => [each.name, each]));

/**
 * Names of all recipes, in the order of the studies.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.ok(recipeNames().includes("study000"));
 * ```
 */
export function recipeNames(): string[] {
  return [...shelf.keys()];
}

/**
 * The recipe of that name.
 *
 * @throws {UsageError} when there is none, listing what there is.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = { samples: new Float32Array(48000), sampleRateHz: 48000 };
 * assert.deepEqual(recipe("study000").extract(wave).shape, [64, 64]);
 * ```
 */
export function recipe(name: string): Recipe {
  const found = shelf.get(name);
  if (found === undefined) {
    throw new UsageError(`There is no recipe "${name}"; there are ${recipeNames().join(", ")}.`);
  }
  return found;
}

/**
 * Hash of a recipe's name, version, loading and parameters (FNV-1a, 64 bits, hexadecimal): equal hashes mean equal
 * numbers from equal audio, which is what a cache needs to know. `wholeIfShort` is left out: it changes no number, only
 * which audio is refused.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.match(recipeHash(recipe("study000")), /^[0-9a-f]{16}$/);
 * ```
 */
export function recipeHash(recipe: RecipeIdentity): string {
  const sorted = (record: object) => Object.entries(record).sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  const { wholeIfShort: _, ...load } = recipe.load;
  const text = JSON.stringify([recipe.name, recipe.version, sorted(load), sorted(recipe.parameters)]);
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  }
  return hash.toString(16).padStart(16, "0");
}

/**
 * Features of any waveform: cut to the recipe's offset and duration (librosa.load's rounding), brought to its rate,
 * extracted. This is the way for audio that does not come from a file, such as a microphone.
 *
 * @throws {AudioError} when the audio is unusable, or ends before the recipe's offset and is not to be heard whole then.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = { samples: new Float32Array(16000), sampleRateHz: 16000 };
 * assert.deepEqual(extractFrom(recipe("study000"), wave).shape, [64, 64]);
 * ```
 */
export function extractFrom(recipe: Recipe, wave: Waveform): NdArray {
  const { sampleRateHz, offsetSec = 0, durationSec, wholeIfShort = false } = recipe.load;
  const offset = Math.trunc(offsetSec * wave.sampleRateHz), isShort = offset >= wave.samples.length;
  const start = isShort ? 0 : offset;
  // Audio without samples is refused as that, below.
  if (isShort && !wholeIfShort && wave.samples.length > 0) {
    throw new AudioError(
      "audio",
      `lasts ${(wave.samples.length / wave.sampleRateHz).toFixed(3)} s, recipe ${recipe.name} starts at ${offsetSec} s`,
    );
  }
  const end = durationSec === undefined ? undefined : start + Math.trunc(durationSec * wave.sampleRateHz);
  const cut = start === 0 && end === undefined ? wave : { ...wave, samples: wave.samples.subarray(start, end) };
  samplesOf(cut);
  return recipe.extract(sampleRateHz === null ? cut : resample(cut, sampleRateHz));
}
