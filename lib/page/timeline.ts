/**
 * Probabilities over time: the same prediction on windows that move along a recording.
 *
 * @module
 */

import { resample } from "../audio/resample.ts";
import type { Bundle } from "../bundle.ts";
import { recipe } from "../features/recipes.ts";
import { type AudioSource, predict, windowSizes } from "../predict.ts";
import type { Clip, Timeline } from "./protocol.ts";

/** Length of a window of a short recording, s: long recordings have the bundle's own. */
const SHORT_WINDOW_SEC = 1.5;

/** Least step from window to window, s. */
const HOP_SEC = 0.125;

/** Most windows; longer recordings get longer steps. */
const MOST_WINDOWS = 160;

/**
 * Predicts window by window.
 *
 * @param bundle The bundle.
 * @param clip Mono audio.
 * @param signal Stops it.
 * @throws the signal's reason when it is aborted.
 */
export async function timelineOf(bundle: Bundle, clip: Clip, signal: AbortSignal): Promise<Timeline> {
  const { info } = bundle;
  const own = windowSizes(info).windowSec;
  const isLong = clip.samples.length / clip.sampleRateHz > 2.5 * own;
  // The change of rate is made once, so that windows have no edges of their own.
  const { samples, sampleRateHz } = resample(
    clip,
    recipe(info.features.recipe).sampleRateHz ?? info.sampleRateHz ?? clip.sampleRateHz,
  );
  const size = Math.min(samples.length, Math.round((isLong ? own : SHORT_WINDOW_SEC) * sampleRateHz));
  const room = samples.length - size;
  const hop = Math.max(Math.round(HOP_SEC * sampleRateHz), Math.ceil(room / (MOST_WINDOWS - 1)));
  const source: AudioSource = { ...clip.source, sampleRateHz: clip.sampleRateHz, isWindow: true };
  const timesSec: number[] = [], probabilities: number[][] = [], abstained: boolean[] = [];
  for (let start = 0; start <= room; start += hop) {
    signal.throwIfAborted();
    const part = { samples: samples.subarray(start, start + size), sampleRateHz };
    const answer = await predict(bundle, part, { source });
    timesSec.push((start + size / 2) / sampleRateHz);
    probabilities.push(info.labels.map((label) => answer.probabilities[label]!));
    abstained.push(answer.abstained);
    // Lets other questions and a stop in.
    if (timesSec.length % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return { timesSec, windowSec: size / sampleRateHz, labels: info.labels, probabilities, abstained };
}
