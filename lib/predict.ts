/**
 * From a waveform to an answer, with a bundle and nothing else. Browser-safe with all that it imports.
 *
 * @module
 */

import { resample } from "./audio/resample.ts";
import type { Bundle, BundleInfo } from "./bundle.ts";
import { AudioError, FormatError, UsageError } from "./errors.ts";
import { extractFrom, type Recipe, recipe } from "./features/recipes.ts";
import {
  answerDoubts,
  type AudioSource,
  describeRecording,
  type Doubt,
  doubtsOf,
  type Recording,
} from "./predict_doubts.ts";
import { applyTemperature } from "./training/calibration.ts";
import { applyScaler } from "./training/dataset.ts";
import { outlierScore } from "./training/outlier.ts";
import type { NdArray, Waveform } from "./types.ts";

export type { AudioSource, Doubt, DoubtId, Recording } from "./predict_doubts.ts";

/** An answer. */
export interface Prediction {
  /** The most probable label. */
  readonly emotion: string;
  /** Whether the bundle cannot say; `emotion` is the arg-max all the same. */
  readonly abstained: boolean;
  /** Calibrated probability of each label, in the bundle's order; they sum to 1. */
  readonly probabilities: Readonly<Record<string, number>>;
  /** What speaks against relying on the answer, one sentence each. */
  readonly warnings: readonly string[];
  /** The same as data: which doubt, what it cost on the bundle's test clips, whether the answer is 'cannot say' for it. */
  readonly doubts: readonly Doubt[];
  /** Calibrated probability of `emotion`. */
  readonly confidence: number;
  /** How far the input lies from the training rows, above 1 for outside; null where the bundle does not say. */
  readonly outlying: number | null;
  /** What the recording is like: level, clipping, bandwidth. */
  readonly recording: Recording;
}

/** An answer for a stretch of a recording. */
export interface WindowPrediction extends Prediction {
  /** Start of the stretch in seconds. */
  readonly startSec: number;
  /** Its end in seconds. */
  readonly endSec: number;
}

/** Options of {@linkcode predict}. */
export interface PredictOptions {
  /** Where the recording comes from: a strongly compressed file is warned of. */
  readonly source?: AudioSource;
}

/** Options of {@linkcode predictWindows}. */
export interface WindowOptions extends PredictOptions {
  /** Length of a window in seconds; default: the median of the bundle's training recordings, or 3 s. */
  readonly windowSec?: number;
  /** From one window's start to the next one's, in seconds; default half a window. */
  readonly hopSec?: number;
  /** Is told after each window. */
  readonly onWindow?: (window: WindowPrediction, done: number, total: number) => void;
}

/**
 * Values of one example as many as the model takes: where the recipe's number follows from the audio's length, zeros are
 * put after the last value, or values beyond the model's left out, as training did.
 */
function fitted(values: Float32Array, size: number, { name, shape }: Recipe, bundle: string): Float32Array {
  if (values.length === size) return values;
  if (!shape.includes(null)) {
    throw new FormatError(`${bundle}: takes ${size} values, the features ${name} gave ${values.length}.`);
  }
  const data = new Float32Array(size);
  data.set(values.subarray(0, size));
  return data;
}

/** The rate that audio is brought to for a bundle, Hz; null where every rate is taken as it is. */
export function wantedRate(info: BundleInfo): number | null {
  return recipe(info.features.recipe).sampleRateHz ?? info.sampleRateHz;
}

/**
 * A recording's features as a bundle's model takes them, not yet scaled: `[1, …shape]`.
 *
 * @param info What the bundle says.
 * @param wave Mono audio of any length and rate.
 * @throws {AudioError} when the audio is unusable.
 */
export function modelFeatures(info: BundleInfo, wave: Waveform): NdArray {
  const features = recipe(info.features.recipe);
  const { sampleRateHz } = info;
  // Features at the file's own rate mean another thing at another rate than the training's.
  const isForeign = features.sampleRateHz === null && sampleRateHz !== null && wave.sampleRateHz !== sampleRateHz &&
    wave.samples.length > 0;
  const { data } = extractFrom(features, isForeign ? resample(wave, sampleRateHz) : wave);
  const size = info.features.shape.reduce((a, b) => a * b, 1);
  return { data: fitted(data, size, features, info.name), shape: [1, ...info.features.shape] };
}

/**
 * Predicts the emotion of one recording of any length and rate.
 *
 * @param bundle The bundle.
 * @param wave Mono audio.
 * @throws {AudioError} when the audio is unusable (no samples, a sample that is not finite).
 * @throws {FormatError} when the bundle's model gives no probabilities.
 */
export async function predict(bundle: Bundle, wave: Waveform, options: PredictOptions = {}): Promise<Prediction> {
  const { info, model, outlier } = bundle;
  const features = modelFeatures(info, wave);
  const raw = await model.predict(applyScaler(info.scaler, features));
  const { data } = applyTemperature(raw, info.calibration?.temperature ?? 1);
  if (!data.every((p) => p >= 0 && p <= 1 + 1e-6)) {
    throw new FormatError(`${info.name}: its model gives something that is no probability for this recording.`);
  }
  let best = 0;
  data.forEach((p, i) => best = p > data[best]! ? i : best);
  const confidence = data[best]!;
  const outlying = outlier ? outlierScore(outlier, features.data) : null;
  const { sampleRateHz = wave.sampleRateHz } = options.source ?? {};
  const recording = describeRecording(wave);
  const doubts = [
    ...doubtsOf(info, recording, wantedRate(info), { ...options.source, sampleRateHz }),
    ...answerDoubts(info, { confidence, outlying }),
  ];
  return {
    emotion: info.labels[best]!,
    abstained: doubts.some(({ abstains }) => abstains),
    probabilities: Object.fromEntries(info.labels.map((label, i) => [label, data[i]!])),
    warnings: doubts.map(({ text }) => text),
    doubts,
    confidence,
    outlying,
    recording,
  };
}

/** Most windows of one recording: a day at a hop of one second. */
const MOST_WINDOWS = 86_400;

/**
 * Predicts a long recording window by window.
 *
 * The windows start at 0, hop, 2 · hop, …; one that reaches beyond the end is cut there, and left out where less than
 * half a window would be left (unless it is the only one).
 *
 * @param bundle The bundle.
 * @param wave Mono audio of any length and rate.
 * @throws {UsageError} when a window or hop is no positive number, or there would be more than 86,400 windows.
 * @throws {AudioError} when the audio is unusable.
 */
export async function predictWindows(
  bundle: Bundle,
  wave: Waveform,
  options: WindowOptions = {},
): Promise<WindowPrediction[]> {
  const { onWindow } = options;
  const { windowSec, hopSec } = windowSizes(bundle.info, options);
  if (wave.samples.length === 0) throw new AudioError("audio", "holds no samples");
  const rate = wantedRate(bundle.info);
  // The change of rate is made once, so that windows have no edges of their own.
  const whole = rate === null || rate === wave.sampleRateHz ? wave : resample(wave, rate);
  const { samples, sampleRateHz } = whole;
  const length = Math.max(1, Math.round(windowSec * sampleRateHz));
  const starts: number[] = [];
  for (let i = 0;; i++) {
    const start = Math.round(i * hopSec * sampleRateHz);
    if (i > 0 && samples.length - start < Math.max(1, length / 2)) break;
    if (i >= MOST_WINDOWS) {
      throw new UsageError(`There would be more than ${MOST_WINDOWS} windows; take a longer hop than ${hopSec} s.`);
    }
    starts.push(start);
    if (start + length >= samples.length) break;
  }
  const source: AudioSource = { ...options.source, sampleRateHz: wave.sampleRateHz, isWindow: true };
  const windows: WindowPrediction[] = [];
  for (const start of starts) {
    const part = { samples: samples.subarray(start, start + length), sampleRateHz };
    const answer = await predict(bundle, part, { source });
    const startSec = start / sampleRateHz, endSec = startSec + part.samples.length / sampleRateHz;
    const window: WindowPrediction = { startSec, endSec, ...answer };
    windows.push(window);
    onWindow?.(window, windows.length, starts.length);
  }
  return windows;
}

/**
 * Length and hop of a bundle's windows in seconds, as asked for or by default.
 *
 * @throws {UsageError} when one is no positive number.
 */
export function windowSizes(
  info: BundleInfo,
  options: { readonly windowSec?: number; readonly hopSec?: number } = {},
): { readonly windowSec: number; readonly hopSec: number } {
  const windowSec = options.windowSec ?? Math.round(10 * (info.trained?.medianSec ?? 3)) / 10;
  const hopSec = options.hopSec ?? windowSec / 2;
  for (const [name, value] of [["window", windowSec], ["hop", hopSec]] as const) {
    if (!(value > 0 && value <= 3600)) {
      throw new UsageError(`A ${name} lasts more than 0 and at most 3600 s, not ${value}.`);
    }
  }
  return { windowSec, hopSec };
}
