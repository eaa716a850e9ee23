/**
 * The table of a study: its recordings, augmented copies of them, and duplicates of small classes.
 *
 * @module
 */

import { RandomState } from "../random.ts";
import type { Fold } from "../split/mod.ts";
import type { ManifestRow } from "../types.ts";
import type { Example } from "./declare.ts";

/**
 * All rows made of the recordings, those of one recording one after the other: the recording itself, then its copies.
 *
 * @param copies Number of augmented copies of each recording.
 */
export function expand(
  recordings: readonly ManifestRow[],
  label: (row: ManifestRow) => string,
  copies: number,
): Example[] {
  return recordings.flatMap((row, recording) => {
    const own = label(row);
    return Array.from({ length: copies + 1 }, (_, copy) => ({
      ...row,
      recording,
      copy,
      feature: recording * (copies + 1) + copy,
      label: own,
    }));
  });
}

/**
 * Which rows imbalanced-learn's `RandomOverSampler` adds: of every class but the largest, rows drawn with replacement
 * until it has as many as that, classes in the order of their names.
 *
 * Source: imbalanced-learn 0.12, `over_sampling/_random_over_sampler.py`.
 *
 * @param labels Class of every row; class indices keep the order of the study's labels.
 * @returns Row numbers, class by class.
 */
export function randomOverSampler(labels: readonly number[], rng: RandomState): number[] {
  const rows = new Map<number, number[]>();
  labels.forEach((label, row) => rows.set(label, [...(rows.get(label) ?? []), row]));
  const most = Math.max(...[...rows.values()].map((each) => each.length));
  return [...rows.keys()].sort((a, b) => a - b).flatMap((label) => {
    const own = rows.get(label)!;
    return Array.from({ length: most - own.length }, () => own[rng.randint(0, own.length)]!);
  });
}

/**
 * The table with duplicates at its end, drawn as {@linkcode randomOverSampler} does from the rows in a given order.
 *
 * @param classOf Class index of a row.
 * @param order The order in which the sampler sees the rows; default the table's.
 */
export function withDuplicates(
  examples: readonly Example[],
  classOf: (example: Example) => number,
  rng: RandomState,
  order: readonly number[] = examples.map((_, i) => i),
): Example[] {
  const copies = new Map<string, number>();
  for (const { key, copy } of examples) copies.set(key, Math.max(copies.get(key) ?? 0, copy));
  const labels = order.map((i) => classOf(examples[i]!));
  const added = randomOverSampler(labels, rng).map((at) => {
    const original = examples[order[at]!]!;
    const copy = copies.get(original.key)! + 1;
    copies.set(original.key, copy);
    return { ...original, copy };
  });
  return [...examples, ...added];
}

/** The folds with their training rows filled up by duplicates: a row that was drawn stands there again. */
export function oversampleTraining(
  folds: readonly Fold[],
  classes: readonly number[],
  rng: (fold: number) => RandomState,
): Fold[] {
  return folds.map((fold, i) => {
    const drawn = randomOverSampler(fold.train.map((row) => classes[row]!), rng(i));
    return { ...fold, train: [...fold.train, ...drawn.map((at) => fold.train[at]!)] };
  });
}

/** A set of recordings' rows: all of them for training, or the recordings themselves alone. */
export function rowsOf(
  examples: readonly Example[],
  recordings: Iterable<number>,
  which: "all" | "recordings",
): number[] {
  const wanted = new Set(recordings);
  return examples.flatMap((example, row) =>
    wanted.has(example.recording) && (which === "all" || example.copy === 0) ? [row] : []
  );
}

/** Numbers in the table of the recordings themselves, in order. */
export function recordingRows(examples: readonly Example[]): number[] {
  return examples.flatMap((example, row) => example.copy === 0 ? [row] : []);
}
