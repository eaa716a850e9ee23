/**
 * scikit-learn's splits, row for row and in its order: `train_test_split`, `KFold`, `StratifiedKFold`, `GroupKFold`.
 *
 * Source: behaviour of sklearn.model_selection 1.9.1 (`_split.py`, `utils/extmath.py`).
 *
 * @module
 */

import { RandomState } from "../random.ts";

/** A label or group of a row. */
export type Label = string | number;

/** Two sets of row numbers, in the order in which scikit-learn returns them. */
export interface TrainTest {
  /** Rows to learn from. */
  readonly train: number[];
  /** Rows to test on. */
  readonly test: number[];
}

/** Options of {@linkcode trainTestSplit}. */
export interface TrainTestSplitOptions {
  /** Share in (0, 1) or, as an integer ≥ 1, number of test rows. Default: what `trainSize` leaves, else 0.25. */
  readonly testSize?: number;
  /** Share in (0, 1) or, as an integer ≥ 1, number of training rows. Default: what `testSize` leaves. */
  readonly trainSize?: number;
  /** Seed, or a generator that is drawn from. Required unless `shuffle` is false. */
  readonly randomState?: number | RandomState;
  /** A label for every row: each class keeps its share in both sets. `true` takes the labels given as `rows`. */
  readonly stratify?: readonly Label[] | boolean;
  /** Whether rows are drawn at random (default); false takes the first rows for training, the next for the test. */
  readonly shuffle?: boolean;
}

/** Options of {@linkcode kFold} and {@linkcode stratifiedKFold}. */
export interface KFoldOptions {
  /** Number of folds, at least 2. Default 5. */
  readonly nSplits?: number;
  /** Whether rows are shuffled before they are dealt out. Default false. */
  readonly shuffle?: boolean;
  /** Seed, or a generator that is drawn from. Required where `shuffle` is true. */
  readonly randomState?: number | RandomState;
}

/** The distinct values in order (numbers by size, texts by code unit), and the number of each row's value. */
export interface Unique<T extends Label> {
  /** Distinct values, sorted. */
  readonly values: T[];
  /** For every row the index of its value in `values`. */
  readonly inverse: number[];
  /** How many rows have each value. */
  readonly counts: number[];
}

/**
 * Distinct values of an array, sorted, with inverse and counts (NumPy's `unique`).
 *
 * @throws {RangeError} when numbers and texts are mixed.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(unique(["b", "a", "b"]), { values: ["a", "b"], inverse: [1, 0, 1], counts: [1, 2] });
 * ```
 */
export function unique<T extends Label>(items: readonly T[]): Unique<T> {
  const values = [...new Set(items)];
  if (new Set(values.map((value) => typeof value)).size > 1) {
    throw new RangeError("labels must be all numbers or all texts.");
  }
  values.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const position = new Map(values.map((value, i) => [value, i]));
  const counts = values.map(() => 0);
  const inverse = items.map((item) => {
    const i = position.get(item)!;
    counts[i]!++;
    return i;
  });
  return { values, inverse, counts };
}

function generator(randomState: number | RandomState | undefined): RandomState {
  if (randomState === undefined) throw new RangeError("randomState is required: a random split needs a seed.");
  return typeof randomState === "number" ? new RandomState(randomState) : randomState;
}

/** Sizes of both sets as scikit-learn rounds them: the test up, the training set down. */
function sizes(n: number, testSize: number | undefined, trainSize: number | undefined): [number, number] {
  const check = (size: number | undefined, name: string): void => {
    if (size === undefined) return;
    const count = Number.isInteger(size) && size >= 1 && size < n;
    if (!count && !(size > 0 && size < 1)) {
      throw new RangeError(`${name} must be a share in (0, 1) or an integer from 1 to ${n - 1}, not ${size}.`);
    }
  };
  if (testSize === undefined && trainSize === undefined) testSize = 0.25;
  check(testSize, "testSize");
  check(trainSize, "trainSize");
  const tested = testSize === undefined ? undefined : testSize < 1 ? Math.ceil(testSize * n) : testSize;
  const trained = trainSize === undefined ? undefined : trainSize < 1 ? Math.floor(trainSize * n) : trainSize;
  const nTrain = trained ?? n - tested!;
  const nTest = tested ?? n - trained!;
  if (
    nTrain + nTest > n || (testSize !== undefined && trainSize !== undefined && testSize < 1 && trainSize < 1 &&
      testSize + trainSize > 1)
  ) {
    throw new RangeError(`trainSize and testSize ask for more than the ${n} rows there are.`);
  }
  if (nTrain === 0) throw new RangeError(`of ${n} rows none would be left for training.`);
  return [nTrain, nTest];
}

/**
 * Draws of each class that come closest to its share, ties broken at random (`sklearn.utils.extmath._approximate_mode`).
 *
 * @param classCounts Population of every class.
 * @param nDraws How many to draw in all.
 */
export function approximateMode(classCounts: readonly number[], nDraws: number, rng: RandomState): number[] {
  const total = classCounts.reduce((sum, count) => sum + count, 0);
  const continuous = classCounts.map((count) => count / total * nDraws);
  const drawn = continuous.map(Math.floor);
  let missing = Math.trunc(nDraws - drawn.reduce((sum, count) => sum + count, 0));
  if (missing > 0) {
    const remainder = continuous.map((value, i) => value - drawn[i]!);
    const values = [...new Set(remainder)].sort((a, b) => b - a);
    for (const value of values) {
      const tied = remainder.flatMap((r, i) => r === value ? [i] : []);
      const now = Math.min(tied.length, missing);
      for (const i of rng.choice(tied.length, now, { replace: false })) drawn[tied[i]!]!++;
      missing -= now;
      if (missing === 0) break;
    }
  }
  return drawn;
}

function stratified(labels: readonly Label[], nTrain: number, nTest: number, rng: RandomState): TrainTest {
  const { values, inverse, counts } = unique(labels);
  const few = values.filter((_, i) => counts[i]! < 2);
  if (few.length > 0) throw new RangeError(`to stratify, every class needs at least 2 rows; ${few.join(", ")} has 1.`);
  for (const [name, size] of [["training", nTrain], ["test", nTest]] as const) {
    if (size < values.length) {
      throw new RangeError(
        `to stratify, the ${name} set of ${size} rows needs one of each of ${values.length} classes.`,
      );
    }
  }
  const rows: number[][] = values.map(() => []);
  inverse.forEach((label, row) => rows[label]!.push(row));
  const toTrain = approximateMode(counts, nTrain, rng);
  const toTest = approximateMode(counts.map((count, i) => count - toTrain[i]!), nTest, rng);
  const train: number[] = [];
  const test: number[] = [];
  rows.forEach((ofClass, i) => {
    const order = [...rng.permutation(ofClass.length)].map((at) => ofClass[at]!);
    train.push(...order.slice(0, toTrain[i]!));
    test.push(...order.slice(toTrain[i]!, toTrain[i]! + toTest[i]!));
  });
  return { train: rng.permutation(train), test: rng.permutation(test) };
}

/**
 * Splits rows into training and test exactly as scikit-learn's `train_test_split` does: same rows, same order.
 *
 * @param rows Number of rows, or an array with one entry a row (its labels, where `stratify` is true).
 * @throws {RangeError} for sizes that do not fit, a missing seed, or classes too small to stratify.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * // sklearn.model_selection.train_test_split(range(10), test_size=0.3, random_state=42)
 * assert.deepEqual(trainTestSplit(10, { testSize: 0.3, randomState: 42 }), {
 *   train: [0, 7, 2, 9, 4, 3, 6],
 *   test: [8, 1, 5],
 * });
 * ```
 */
export function trainTestSplit(rows: number | readonly unknown[], options: TrainTestSplitOptions = {}): TrainTest {
  const n = typeof rows === "number" ? rows : rows.length;
  if (!Number.isInteger(n) || n < 2) throw new RangeError(`a split needs at least 2 rows, not ${n}.`);
  const { testSize, trainSize, randomState, stratify = false, shuffle = true } = options;
  const [nTrain, nTest] = sizes(n, testSize, trainSize);
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  if (!shuffle) {
    if (stratify !== false) throw new RangeError("a split that is not shuffled cannot be stratified.");
    return { train: range(0, nTrain), test: range(nTrain, nTrain + nTest) };
  }
  const rng = generator(randomState);
  if (stratify === false) {
    const order = [...rng.permutation(n)];
    return { train: order.slice(nTest, nTest + nTrain), test: order.slice(0, nTest) };
  }
  const labels = stratify === true ? rows : stratify;
  if (typeof labels === "number" || !labels.every((label) => typeof label === "string" || typeof label === "number")) {
    throw new RangeError("to stratify, give a label (text or number) for every row.");
  }
  if (labels.length !== n) throw new RangeError(`to stratify ${n} rows, give ${n} labels, not ${labels.length}.`);
  return stratified(labels as Label[], nTrain, nTest, rng);
}

function checkFolds(nSplits: number, n: number, what: string): void {
  if (!Number.isInteger(nSplits) || nSplits < 2) {
    throw new RangeError(`nSplits must be an integer of at least 2, not ${nSplits}.`);
  }
  if (nSplits > n) throw new RangeError(`nSplits ${nSplits} is more than the ${n} ${what}.`);
}

/** Folds from the fold number of every row; rows in ascending order as scikit-learn's masks give them. */
function foldsOf(assignment: ArrayLike<number>, nSplits: number): TrainTest[] {
  const folds: TrainTest[] = Array.from({ length: nSplits }, () => ({ train: [], test: [] }));
  for (let row = 0; row < assignment.length; row++) {
    folds.forEach((fold, i) => (assignment[row] === i ? fold.test : fold.train).push(row));
  }
  return folds;
}

/**
 * Deals rows into folds of equal size, each tested once (scikit-learn's `KFold`).
 *
 * @param n Number of rows.
 * @throws {RangeError} when there are fewer rows than folds or a seed is missing.
 */
export function kFold(n: number, options: KFoldOptions = {}): TrainTest[] {
  const { nSplits = 5, shuffle = false, randomState } = options;
  checkFolds(nSplits, n, "rows");
  const order = Int32Array.from({ length: n }, (_, i) => i);
  if (shuffle) generator(randomState).shuffle(order);
  const assignment = new Int32Array(n);
  let at = 0;
  for (let fold = 0; fold < nSplits; fold++) {
    const size = Math.floor(n / nSplits) + (fold < n % nSplits ? 1 : 0);
    for (const end = at + size; at < end; at++) assignment[order[at]!] = fold;
  }
  return foldsOf(assignment, nSplits);
}

/**
 * Deals rows into folds in which every class keeps its share, each row tested once (scikit-learn's `StratifiedKFold`).
 *
 * @param labels A label for every row.
 * @throws {RangeError} when every class has fewer rows than there are folds or a seed is missing.
 */
export function stratifiedKFold(labels: readonly Label[], options: KFoldOptions = {}): TrainTest[] {
  const { nSplits = 5, shuffle = false, randomState } = options;
  checkFolds(nSplits, labels.length, "rows");
  // Classes are numbered in order of appearance.
  const number = new Map<Label, number>();
  const encoded = labels.map((label) => {
    if (!number.has(label)) number.set(label, number.size);
    return number.get(label)!;
  });
  const counts = Array.from({ length: number.size }, () => 0);
  for (const label of encoded) counts[label]!++;
  if (counts.every((count) => count < nSplits)) {
    throw new RangeError(`nSplits ${nSplits} is more than the rows of any class.`);
  }
  const rng = shuffle ? generator(randomState) : undefined;
  const allocation = Array.from({ length: nSplits }, () => counts.map(() => 0));
  encoded.toSorted((a, b) => a - b).forEach((label, i) => allocation[i % nSplits]![label]!++);
  const dealt = counts.map((_, label) => {
    const folds = allocation.flatMap((ofFold, fold) => Array.from({ length: ofFold[label]! }, () => fold));
    rng?.shuffle(folds);
    return folds;
  });
  const next = counts.map(() => 0);
  return foldsOf(encoded.map((label) => dealt[label]![next[label]!++]!), nSplits);
}

/**
 * Deals whole groups into folds of about equal size: the largest group goes to the lightest fold (scikit-learn's
 * `GroupKFold` without shuffling).
 *
 * @param groups The group of every row.
 * @throws {RangeError} when there are fewer groups than folds.
 */
export function groupKFold(groups: readonly Label[], options: { readonly nSplits?: number } = {}): TrainTest[] {
  const { nSplits = 5 } = options;
  const { values, inverse, counts } = unique(groups);
  checkFolds(nSplits, values.length, "groups");
  // Largest first; among equals the last one first, as a stable ascending sort read backwards gives.
  const order = counts.map((_, i) => i).sort((a, b) => counts[a]! - counts[b]! || a - b).reverse();
  const load = Array.from({ length: nSplits }, () => 0);
  const foldOf = counts.map(() => 0);
  for (const group of order) {
    const lightest = load.indexOf(Math.min(...load));
    load[lightest]! += counts[group]!;
    foldOf[group] = lightest;
  }
  return foldsOf(inverse.map((group) => foldOf[group]!), nSplits);
}
