import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { RandomState } from "../../lib/random.ts";
import { groupKFold, kFold, stratifiedKFold, type TrainTest, trainTestSplit } from "../../lib/split/sklearn.ts";

// scikit-learn 1.9.1's rows, made by tests/golden/make_split.py (exact, in order).
interface Arguments {
  test_size?: number;
  train_size?: number;
}
interface PlainCase {
  n: number;
  args: Arguments;
  seed: number;
  error?: true;
  trainHash: string;
  testHash: string;
  train?: number[];
  test?: number[];
}
interface StratifiedCase extends PlainCase {
  classes: number;
  made: number;
  labels?: number[];
}
interface FoldCase {
  n: number;
  classes: number;
  made: number;
  seed: number;
  nSplits: number;
  kFold: string | null;
  kFoldShuffled: string | null;
  stratifiedKFold: string | null;
  stratifiedKFoldShuffled: string | null;
  groupKFold: string | null;
}
const golden = JSON.parse(readFileSync(new URL("../golden/split.json", import.meta.url), "utf8")) as {
  plain: PlainCase[];
  stratified: StratifiedCase[];
  folds: FoldCase[];
};

function digest(items: readonly (string | number)[]): string {
  return createHash("sha256").update(items.join(",")).digest("hex").slice(0, 16);
}

/** The labels of `make_split.py`, drawn again. */
function labelsOf(seed: number, n: number, classes: number): number[] {
  const rng = new RandomState(seed);
  const labels = Array.from({ length: 3 * classes }, (_, i) => Math.floor(i / 3));
  for (const x of rng.randomSample(n - 3 * classes)) labels.push(Math.trunc(classes * (x * x)));
  rng.shuffle(labels);
  return labels;
}

function options({ test_size, train_size }: Arguments) {
  return {
    ...(test_size === undefined ? {} : { testSize: test_size }),
    ...(train_size === undefined ? {} : { trainSize: train_size }),
  };
}

Deno.test("trainTestSplit returns scikit-learn's rows in scikit-learn's order", () => {
  assert.equal(golden.plain.length, 120);
  for (const expected of golden.plain) {
    const call = () => trainTestSplit(expected.n, { ...options(expected.args), randomState: expected.seed });
    if (expected.error) {
      assert.throws(call, RangeError);
      continue;
    }
    const { train, test } = call();
    const which = JSON.stringify(expected);
    if (expected.train !== undefined) assert.deepEqual({ train, test }, { train: expected.train, test: expected.test });
    assert.equal(digest(train), expected.trainHash, which);
    assert.equal(digest(test), expected.testHash, which);
  }
});

Deno.test("stratified, it draws every class as scikit-learn does, ties included", () => {
  assert.equal(golden.stratified.length, 300);
  for (const expected of golden.stratified) {
    const labels = labelsOf(expected.made, expected.n, expected.classes);
    if (expected.labels !== undefined) assert.deepEqual(labels, expected.labels);
    const call = () =>
      trainTestSplit(labels, { ...options(expected.args), randomState: expected.seed, stratify: true });
    if (expected.error) {
      assert.throws(call, { name: "RangeError", message: /to stratify/ });
      continue;
    }
    const { train, test } = call();
    const which = JSON.stringify(expected);
    assert.equal(digest(train), expected.trainHash, which);
    assert.equal(digest(test), expected.testHash, which);
  }
});

Deno.test("kFold, stratifiedKFold and groupKFold deal rows as scikit-learn does", () => {
  for (const expected of golden.folds) {
    const labels = labelsOf(expected.made, expected.n, expected.classes);
    const { nSplits } = expected;
    const check = (name: string, wanted: string | null, call: () => TrainTest[]): void => {
      if (wanted === null) {
        assert.throws(call, { name: "RangeError", message: /nSplits/ });
        return;
      }
      const folds = call().map(({ train, test }) => `${digest(train)}/${digest(test)}`);
      assert.equal(digest(folds), wanted, `${name} ${JSON.stringify(expected)}`);
    };
    const shuffled = { nSplits, shuffle: true, randomState: expected.seed };
    check("kFold", expected.kFold, () => kFold(expected.n, { nSplits }));
    check("kFold shuffled", expected.kFoldShuffled, () => kFold(expected.n, shuffled));
    check("stratifiedKFold", expected.stratifiedKFold, () => stratifiedKFold(labels, { nSplits }));
    check("stratifiedKFold shuffled", expected.stratifiedKFoldShuffled, () => stratifiedKFold(labels, shuffled));
    check("groupKFold", expected.groupKFold, () => groupKFold(labels, { nSplits }));
  }
});

Deno.test("study 000's published split comes out: its class counts in test and validation, no neutral clip tested", () => {
  // 240 clips in label order: 16 neutral, then 32 of each other class; STUDIES.md derives the counts from the original.
  const labels = Array.from({ length: 240 }, (_, i) => i < 16 ? 0 : 1 + Math.floor((i - 16) / 32));
  const first = trainTestSplit(240, { testSize: 0.3, randomState: 42 });
  const second = trainTestSplit(first.test, { testSize: 0.5, randomState: 42 });
  const counts = (rows: number[]) =>
    labels.reduce<number[]>((sum, label, row) => {
      sum[label] = (sum[label] ?? 0) + (rows.includes(row) ? 1 : 0);
      return sum;
    }, []);
  const validation = second.train.map((i) => first.test[i]!);
  const test = second.test.map((i) => first.test[i]!);
  assert.equal(first.train.length, 168);
  assert.deepEqual(counts(test), [0, 4, 4, 4, 6, 7, 4, 7]);
  assert.deepEqual(counts(validation), [4, 4, 4, 6, 6, 1, 8, 3]);
  assert.equal(new Set([...first.train, ...validation, ...test]).size, 240);
});

Deno.test("labels may be texts, and a generator may be given in place of a seed", () => {
  const labels = ["sad", "happy", "sad", "happy", "sad", "sad", "happy", "happy"];
  const bySeed = trainTestSplit(labels, { testSize: 0.5, randomState: 3, stratify: true });
  const byGenerator = trainTestSplit(8, { testSize: 0.5, randomState: new RandomState(3), stratify: labels });
  assert.deepEqual(bySeed, byGenerator);
  assert.deepEqual(bySeed.test.map((row) => labels[row]).sort(), ["happy", "happy", "sad", "sad"]);
});

Deno.test("without shuffling the first rows train and the next test", () => {
  assert.deepEqual(trainTestSplit(5, { testSize: 2, shuffle: false }), { train: [0, 1, 2], test: [3, 4] });
  assert.throws(() => trainTestSplit(5, { shuffle: false, stratify: [1, 1, 1, 2, 2] }), /cannot be stratified/);
});

Deno.test("sizes, labels and seeds that do not fit are refused with the rule and the value", () => {
  for (const testSize of [0, 1.5, -0.1, 10, 11, NaN]) {
    assert.throws(() => trainTestSplit(10, { testSize, randomState: 0 }), {
      name: "RangeError",
      message: new RegExp(`not ${testSize}`),
    });
  }
  assert.throws(() => trainTestSplit(10, { testSize: 0.6, trainSize: 0.6, randomState: 0 }), /more than the 10 rows/);
  assert.throws(() => trainTestSplit(10, { testSize: 0.3 }), /randomState is required/);
  assert.throws(() => trainTestSplit(1, { randomState: 0 }), /at least 2 rows/);
  assert.throws(() => trainTestSplit(4, { randomState: 0, stratify: ["a", "a", "a", "b"] }), /b has 1/);
  assert.throws(() => trainTestSplit(4, { randomState: 0, stratify: ["a", "a"] }), /give 4 labels, not 2/);
  assert.throws(() => trainTestSplit(["a", 1, "a", 1], { randomState: 0, stratify: true }), /all numbers or all texts/);
  assert.throws(() => kFold(3, { nSplits: 4 }), /more than the 3 rows/);
  assert.throws(() => kFold(3, { nSplits: 1 }), /at least 2, not 1/);
  assert.throws(() => kFold(9, { shuffle: true }), /randomState is required/);
});
