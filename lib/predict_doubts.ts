/**
 * What speaks against relying on an answer: what is wrong with a recording, and what such a fault cost on the bundle's own
 * test clips. Browser-safe.
 *
 * @module
 */

import { audioBandwidth } from "./audio/doctor.ts";
import type { Container } from "./audio/types.ts";
import type { BundleInfo, Consequence } from "./bundle.ts";
import type { Waveform } from "./types.ts";

/** Where a recording comes from, as far as it is known. */
export interface AudioSource {
  /** Container, told from the content. */
  readonly container?: Container;
  /** Size of the file in bytes. */
  readonly bytes?: number;
  /** Rate that the file had before anything was done to it, Hz; default the waveform's. */
  readonly sampleRateHz?: number;
  /** Whether it is a window of a longer recording: then its length is nobody's fault. */
  readonly isWindow?: boolean;
}

/** Why a recording may be misjudged. */
export type DoubtId =
  | "silent"
  | "too-short"
  | "short"
  | "long"
  | "quiet"
  | "clipped"
  | "bandwidth"
  | "steady"
  | "compressed"
  | "outlier"
  | "uncertain";

/** One reason for doubt. */
export interface Doubt {
  /** Which. */
  readonly id: DoubtId;
  /** One sentence for people, the measured consequence included where there is one. */
  readonly text: string;
  /** What such a fault cost on the bundle's test clips; null where it was not measured. */
  readonly consequence: Consequence | null;
  /** Whether the answer is 'cannot say' for this reason alone. */
  readonly abstains: boolean;
}

/** What a recording is like. */
export interface Recording {
  /** Duration in seconds. */
  readonly durationSec: number;
  /** Largest absolute sample. */
  readonly peak: number;
  /** Level (root mean square) in dB relative to full scale; -Infinity for silence. */
  readonly rmsDbfs: number;
  /** Share of the samples in runs of at least three at full scale. */
  readonly clippedShare: number;
  /** Highest frequency that holds more than noise, Hz; 0 for silence. */
  readonly bandwidthHz: number;
  /**
   * How far the level moves, dB: from the 5th to the 95th percentile of stretches of 50 ms; Infinity where there are fewer
   * than 20 of them, or silence is among those.
   */
  readonly levelRangeDb: number;
}

/** Length of the stretches that the level is followed in, s: less than a syllable. */
const LEVEL_SEC = 0.05;

/** Fewest stretches that say how far a level moves. */
const LEVEL_STRETCHES = 20;

/** A level that moves less is no speech, dB: of 695 clips of five corpora the steadiest has 6.7, noise and tones 0 to 2. */
const STEADY_DB = 4;

/** Duration below which nothing can be said, s: no syllable is shorter. */
const TOO_SHORT_SEC = 0.1;

/** Duration that is short for any model, s. */
const SHORT_SEC = 0.6;

/** Samples at or above this magnitude count as full scale: 16-bit integers end one step below 1. */
const FULL_SCALE = 1 - 1.5 * 2 ** -15;

/** Peak below which a recording is very quiet whatever the training was like. */
const QUIET_PEAK = 1e-3;

/** How far below the training's quietest recordings a level is called quiet, dB. */
const QUIETER_DB = 3;

/** Bit rate at and below which a lossy file is said to be strongly compressed, kbit/s. */
const LOW_KBITS = 48;

/** Frames that the bandwidth is estimated from: enough to meet sibilants in a long recording. */
const BANDWIDTH_FRAMES = 64;

/**
 * What a recording is like: level and how far it moves, clipping, bandwidth.
 *
 * @param wave Mono audio.
 */
export function describeRecording({ samples, sampleRateHz }: Waveform): Recording {
  const stretch = Math.max(1, Math.round(LEVEL_SEC * sampleRateHz));
  const powers = new Float64Array(Math.floor(samples.length / stretch));
  let peak = 0, power = 0, clipped = 0, run = 0;
  for (let i = 0, left = stretch, before = 0, k = 0; i < samples.length; i++) {
    const magnitude = Math.abs(samples[i]!);
    if (magnitude > peak) peak = magnitude;
    power += magnitude * magnitude;
    if (--left === 0) {
      powers[k++] = power - before;
      before = power;
      left = stretch;
    }
    if (magnitude >= FULL_SCALE) {
      run++;
      clipped += run === 3 ? 3 : run > 3 ? 1 : 0;
    } else run = 0;
  }
  return {
    durationSec: samples.length / sampleRateHz,
    peak,
    rmsDbfs: 10 * Math.log10(power / Math.max(1, samples.length)),
    clippedShare: samples.length === 0 ? 0 : clipped / samples.length,
    bandwidthHz: peak > 0 ? audioBandwidth(samples, sampleRateHz, { bits: 16, mostFrames: BANDWIDTH_FRAMES }) : 0,
    levelRangeDb: levelRange(powers),
  };
}

/** From the 5th to the 95th percentile of powers, dB. */
function levelRange(powers: Float64Array): number {
  if (powers.length < LEVEL_STRETCHES) return Infinity;
  powers.sort();
  const low = powers[Math.round(0.05 * (powers.length - 1))]!, high = powers[Math.round(0.95 * (powers.length - 1))]!;
  return low > 0 ? 10 * Math.log10(high / low) : Infinity;
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/**
 * A measured consequence as the end of a sentence, such as `on our test clips accuracy fell from 58 % to 41 % with audio
 * at 8 kHz (n = 768)`.
 */
export function consequenceText({ before, after, describe, n }: Consequence): string {
  const change = after < before
    ? `fell from ${percent(before)} to ${percent(after)}`
    : `went from ${percent(before)} to ${percent(after)}`;
  return `on our test clips accuracy ${change} with ${describe} (n = ${n})`;
}

/**
 * Whether a fault leaves less than half of what the model knows beyond guessing: then its answer is no answer.
 *
 * @param consequence What was measured, or null.
 * @param labels Number of labels.
 */
export function isHopeless(consequence: Consequence | null, labels: number): boolean {
  if (!consequence) return false;
  const chance = 1 / labels;
  return consequence.after - chance < (consequence.before - chance) / 2;
}

/**
 * What is wrong with a recording for this bundle, the worst first.
 *
 * A fault that the recording has as much as the measured one, and that left the model guessing there, is a reason to say
 * nothing.
 *
 * @param info What the bundle says.
 * @param recording What the recording is like.
 * @param rateHz Rate of the recipe that the bundle is fed with, or null where the file's own counts.
 * @param source Where it comes from.
 */
export function doubtsOf(
  info: BundleInfo,
  recording: Recording,
  rateHz: number | null,
  source: AudioSource & { readonly sampleRateHz: number },
): Doubt[] {
  const { trained, consequences } = info;
  const { durationSec, peak, rmsDbfs, clippedShare } = recording;
  const doubts: Doubt[] = [];
  const add = (id: DoubtId, sentence: string, cost?: string, refuses: boolean | "if-hopeless" = false): void => {
    const consequence = consequences.find((each) => each.id === cost) ?? null;
    const text = consequence ? `${sentence}; ${consequenceText(consequence)}.` : `${sentence}.`;
    const abstains = refuses === "if-hopeless" ? isHopeless(consequence, info.labels.length) : refuses;
    doubts.push({ id, text, consequence, abstains });
  };
  const span = trained
    ? `; it was trained on ${seconds(trained.durationSec[0])} to ${seconds(trained.durationSec[1])}`
    : "";
  if (peak === 0) add("silent", "The recording is silent: every sample is zero", undefined, true);
  if (durationSec < TOO_SHORT_SEC) {
    add("too-short", `The recording lasts only ${seconds(durationSec)}, less than a syllable`, undefined, true);
  } else if (!source.isWindow && durationSec < Math.max(SHORT_SEC, trained ? trained.durationSec[0] / 2 : 0)) {
    const isMeasured = durationSec <= SHORT_SEC;
    add("short", `The recording lasts only ${seconds(durationSec)}${span}`, "short-0.5s", isMeasured && "if-hopeless");
  }
  if (!source.isWindow && trained && durationSec > 2 * trained.durationSec[1]) {
    add("long", `The recording lasts ${seconds(durationSec)}${span}: look at it in windows`);
  }
  const least = trained ? trained.rmsDbfs[0] - QUIETER_DB : -Infinity;
  if (peak > 0 && (peak < QUIET_PEAK || rmsDbfs < least)) {
    const level = peak < QUIET_PEAK
      ? `its peak is ${(-20 * Math.log10(peak)).toFixed(0)}`
      : `it lies ${(-rmsDbfs).toFixed(0)}`;
    add("quiet", `The recording is very quiet: ${level} dB below full scale`, "quiet-30dB");
  }
  if (clippedShare > 1e-3) {
    add("clipped", `The recording is clipped: ${(100 * clippedShare).toFixed(1)} % of it is at full scale`, "clipping");
  }
  if (peak > 0) {
    const half = source.sampleRateHz / 2;
    const highest = Math.min(half, recording.bandwidthHz);
    const wanted = trained ? 0.6 * trained.bandwidthHz[0] : rateHz === null ? 0 : rateHz / 2;
    const isNarrow = trained ? highest < wanted : half < wanted;
    if (isNarrow) {
      const shown = highest > 0.95 * half ? half : Math.round(highest / 100) * 100;
      const needed = trained
        ? `the training recordings reach ${(trained.bandwidthHz[0] / 1000).toFixed(1)} kHz`
        : `the model was trained on audio at ${rateHz} Hz`;
      add(
        "bandwidth",
        `The recording holds nothing above ${shown} Hz; ${needed}`,
        highest <= 4300 ? "bandwidth-8000" : highest <= 8500 ? "bandwidth-16000" : undefined,
        "if-hopeless",
      );
    }
  }
  if (peak > 0 && recording.levelRangeDb < STEADY_DB) {
    const range = recording.levelRangeDb.toFixed(1);
    add(
      "steady",
      `The recording sounds the same throughout, as no speech does: its level moves by ${range} dB`,
      undefined,
      true,
    );
  }
  const kbits = source.bytes === undefined ? Infinity : source.bytes * 8 / 1000 / Math.max(durationSec, 1e-3);
  if (source.container === "mp3" && durationSec >= 1 && kbits <= LOW_KBITS) {
    add(
      "compressed",
      `The recording is strongly compressed: MP3 at ${kbits.toFixed(0)} kbit/s`,
      "mp3-32k",
      "if-hopeless",
    );
  }
  return doubts;
}

/** Doubts that follow from the model's answer: an input unlike the training's, a probability that is too low. */
export function answerDoubts(
  info: BundleInfo,
  answer: { readonly confidence: number; readonly outlying: number | null },
): Doubt[] {
  const { abstention } = info;
  if (!abstention) return [];
  const { mostOutlying, leastConfidence, targetAccuracy } = abstention;
  const doubts: Doubt[] = [];
  if (answer.outlying !== null && mostOutlying !== null && answer.outlying > mostOutlying) {
    doubts.push({
      id: "outlier",
      text: `The recording is unlike those that the model was trained on: it lies ${
        (answer.outlying / mostOutlying).toFixed(1)
      } times as far from them as the farthest that is answered.`,
      consequence: null,
      abstains: true,
    });
  }
  if (answer.confidence < leastConfidence) {
    doubts.push({
      id: "uncertain",
      text: `The model is not sure enough: ${percent(answer.confidence)}, where ${
        percent(leastConfidence)
      } was needed for ${percent(targetAccuracy)} right answers.`,
      consequence: null,
      abstains: true,
    });
  }
  return doubts;
}

function seconds(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 0)} s`;
}
