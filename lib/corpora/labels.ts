/**
 * Which classes each study had, and which canonical label went into which.
 *
 * @module
 */

import { type Emotion, EMOTIONS } from "../types.ts";

/** The classes of a study. */
export interface LabelMap {
  /** The classes in the study's own order: a label's place is its class index. */
  readonly labels: readonly Emotion[];
  /** Canonical labels that became another class of the study; what stands neither here nor in `labels` is left out. */
  readonly merged: Readonly<Partial<Record<Emotion, Emotion>>>;
}

/** Study 000, RAVDESS: 8 classes, in the order of the codes in the file names. */
const study000: LabelMap = { labels: EMOTIONS, merged: {} };

/** Study 001, RAVDESS: the same 8, codes 1 to 8 less 1. */
const study001: LabelMap = { labels: EMOTIONS, merged: {} };

/** Study 002, four corpora: 7 classes in alphabetical order, calm counted as neutral. */
const study002: LabelMap = {
  labels: ["angry", "disgust", "fearful", "happy", "neutral", "sad", "surprised"],
  merged: { calm: "neutral" },
};

/** Study 003, CREMA-D: 6 classes in alphabetical order. */
const study003: LabelMap = { labels: ["angry", "disgust", "fearful", "happy", "neutral", "sad"], merged: {} };

/** Study 004, RAVDESS: 4 classes in alphabetical order; the other recordings were left out. */
const study004: LabelMap = { labels: ["calm", "disgust", "fearful", "happy"], merged: {} };

/** The label map of each study, by its identifier. */
export const labelMaps: Readonly<Record<"000" | "001" | "002" | "003" | "004", LabelMap>> = {
  "000": study000,
  "001": study001,
  "002": study002,
  "003": study003,
  "004": study004,
};

/**
 * The class that a recording belongs to in a study.
 *
 * @returns a label of the map; undefined when the study leaves recordings of this label out.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(mapLabel(labelMaps["002"], "calm"), "neutral");
 * assert.equal(mapLabel(labelMaps["004"], "angry"), undefined);
 * ```
 */
export function mapLabel(map: LabelMap, emotion: Emotion): Emotion | undefined {
  const label = map.merged[emotion] ?? emotion;
  return map.labels.includes(label) ? label : undefined;
}
