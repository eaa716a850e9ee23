import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { RandomState } from "../../lib/random.ts";
import { lintSplit } from "../../lib/split/lint.ts";
import {
  clipIntervals,
  meanSd,
  minimumDetectableDifference,
  normalQuantile,
  pairedDifferences,
  quantile,
  type ScoredRow,
  signFlipTest,
  speakerIntervals,
  speakerScores,
  tInterval,
  tProbability,
  tQuantile,
  wilsonInterval,
} from "../../lib/training/statistics.ts";

// SciPy 1.17.1, made by tests/golden/make_metrics.py: t quantiles within 1e-9 relative, Wilson within 1e-12,
// probabilities of the exact sign-flip test within 1e-12.
const golden = JSON.parse(readFileSync(new URL("../golden/metrics.json", import.meta.url), "utf8")) as {
  t: [number, number, number][];
  wilson: [number, number, number, number][];
  flips: { differences: number[]; p: number }[];
};

function near(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected}`);
}

/** Rows of speakers whose clips are right with a given probability. */
function draw(rng: RandomState, speakers: number, clips: number, p: (speaker: number) => number): ScoredRow[] {
  const rows: ScoredRow[] = [];
  for (let s = 0; s < speakers; s++) {
    for (let i = 0; i < clips; i++) {
      const truth = ["a", "b", "c", "d"][i % 4]!;
      rows.push({ parent: `${s}-${i}`, speaker: `s${s}`, truth, prediction: rng.randomSample() < p(s) ? truth : "x" });
    }
  }
  return rows;
}

Deno.test("quantiles of Student's t and of the normal distribution are SciPy's", () => {
  for (const [p, df, t] of golden.t) {
    near(tQuantile(p, df), t, 1e-9 * Math.abs(t));
    near(tQuantile(1 - p, df), -t, 1e-9 * Math.abs(t));
    near(tProbability(t, df), p, 1e-12);
  }
  near(normalQuantile(0.975), 1.959963984540054, 1e-14);
  near(normalQuantile(1e-10), -6.361340902404056, 1e-12);
  near(normalQuantile(0.3), -0.5244005127080409, 1e-14);
  assert.equal(normalQuantile(0.5), 0);
  assert.throws(() => tQuantile(1, 3), RangeError);
});

Deno.test("Wilson's interval is SciPy's, and gives the published studies' table", () => {
  for (const [k, n, low, high] of golden.wilson) {
    const interval = wilsonInterval(k, n);
    near(interval[0], low, 1e-12);
    near(interval[1], high, 1e-12);
  }
  const table: [number, number, string, string][] = [
    [24, 36, "50.3", "79.8"],
    [28, 36, "61.9", "88.3"],
    [18, 36, "34.5", "65.5"],
    [105, 154, "60.5", "75.0"],
    [117, 154, "68.6", "82.0"],
    [122, 154, "72.1", "84.9"],
    [0.9842 * 9722, 9722, "98.2", "98.6"],
    [0.50873 * 2233, 2233, "48.8", "52.9"],
    [0.6386 * 2233, 2233, "61.8", "65.8"],
    [113, 192, "51.8", "65.6"],
    [119, 192, "54.9", "68.5"],
    [0.7118 * 288, 288, "65.7", "76.1"],
  ];
  for (const [k, n, low, high] of table) {
    assert.deepEqual(wilsonInterval(k, n).map((p) => (100 * p).toFixed(1)), [low, high], `${k} of ${n}`);
  }
  assert.throws(() => wilsonInterval(2, 1), RangeError);
  assert.throws(() => wilsonInterval(0, 0), RangeError);
});

Deno.test("the linter's width of a test is Wilson's at one half", () => {
  for (const n of [36, 154, 2232]) {
    const rows = Array.from({ length: n + 1 }, (_, i) => ({ key: `${i}`, split: i ? "test" : "train", label: "x" }));
    const [low, high] = wilsonInterval(n / 2, n);
    const { message } = lintSplit(rows).findings.at(-1)!;
    assert.ok(message.includes(`± ${(50 * (high - low)).toFixed(1)} points`), message);
  }
});

Deno.test("independent clips have Wilson's interval; four copies of every clip have the same one, not a narrower", () => {
  const rows = draw(new RandomState(1), 4, 40, () => 0.6);
  const plain = clipIntervals([rows]);
  const right = rows.filter((row) => row.truth === row.prediction).length;
  assert.equal(plain.kind, "wilson");
  assert.equal(plain.recordings, 160);
  assert.deepEqual(plain.interval.accuracy, wilsonInterval(right, 160));
  const copied = clipIntervals([rows.flatMap((row) => [row, row, row, row])]);
  assert.equal(copied.kind, "wilson-by-recording");
  assert.equal(copied.recordings, 160);
  near(copied.interval.accuracy[0], plain.interval.accuracy[0], 1e-12);
  near(copied.interval.uar[1], plain.interval.uar[1], 1e-12);
});

Deno.test("the UAR's interval is Wilson's for one class, and covers the truth as often as it says", () => {
  const single = draw(new RandomState(2), 2, 30, () => 0.5).map((row) => ({
    ...row,
    truth: "a",
    prediction: row.prediction === "x" ? "x" : "a",
  }));
  const one = clipIntervals([single]).interval;
  near(one.uar[0], one.accuracy[0], 1e-12);
  near(one.uar[1], one.accuracy[1], 1e-12);
  // Classes of very unequal recall and size: the UAR's truth is the mean recall.
  const recall: Record<string, number> = { a: 0.95, b: 0.6, c: 0.3, d: 0.75 };
  const size: Record<string, number> = { a: 8, b: 20, c: 30, d: 12 };
  const truth = Object.values(recall).reduce((sum, r) => sum + r, 0) / 4;
  const rng = new RandomState(3);
  let covered = 0;
  const rounds = 2000;
  for (let i = 0; i < rounds; i++) {
    const rows: ScoredRow[] = [];
    for (const label of Object.keys(recall)) {
      for (let j = 0; j < size[label]!; j++) {
        const prediction = rng.randomSample() < recall[label]! ? label : "x";
        rows.push({ parent: `${label}${j}`, speaker: "s", truth: label, prediction });
      }
    }
    const [low, high] = clipIntervals([rows]).interval.uar;
    if (low <= truth && truth <= high) covered++;
  }
  near(covered / rounds, 0.95, 0.02);
});

Deno.test("by speaker: bootstrap from ten speakers on, a t interval from four, the range below", () => {
  const rng = new RandomState(4);
  const kinds: Record<number, string> = {
    1: "speaker-range",
    3: "speaker-range",
    4: "speaker-t",
    9: "speaker-t",
    10: "speaker-bootstrap",
    24: "speaker-bootstrap",
  };
  for (const [k, kind] of Object.entries(kinds)) {
    const rows = draw(rng, Number(k), 40, () => 0.5);
    const found = speakerIntervals([rows]);
    assert.equal(found.kind, kind);
    assert.equal(found.speakers, Number(k));
    assert.equal(found.recordings, 40 * Number(k));
    const each = [...speakerScores(rows).values()].map((score) => score.accuracy);
    if (kind === "speaker-range") assert.deepEqual(found.interval.accuracy, [Math.min(...each), Math.max(...each)]);
    if (kind === "speaker-t") assert.deepEqual(found.interval.accuracy, tInterval(each));
    // The order of rows and the names of speakers do not count.
    assert.deepEqual(speakerIntervals([[...rows].reverse()]), found);
  }
});

Deno.test("an interval by bootstrap follows from the rows alone, whatever was asked for before", () => {
  const sets = [10, 11, 12, 13, 14, 15].map((k) => draw(new RandomState(k), k, 20, (s) => (s % 3) / 2));
  const first = sets.map((rows) => speakerIntervals([rows]));
  const backwards = [...sets].reverse().map((rows) => speakerIntervals([rows])).reverse();
  assert.deepEqual(backwards, first);
  assert.equal(new Set(first.map(({ interval }) => interval.accuracy.join())).size, sets.length);
});

Deno.test("the t interval of four speakers is the textbook's", () => {
  // mean 0.55, sd 0.129099, t(0.975, 3) = 3.182446: half width 0.205426
  const [low, high] = tInterval([0.4, 0.5, 0.6, 0.7]);
  near(low, 0.55 - 0.20542603, 1e-7);
  near(high, 0.55 + 0.20542603, 1e-7);
  assert.deepEqual(tInterval([0, 1]), [0, 1]);
});

Deno.test("the bootstrap over speakers is as wide as speakers differ, not as clips are many", () => {
  // Speakers of 0.3 or 0.7, 200 clips each: the clips' own interval would be ± 2 points.
  const rows = draw(new RandomState(5), 24, 200, (s) => s % 2 ? 0.3 : 0.7);
  const bySpeaker = speakerIntervals([rows]).interval.accuracy;
  const byClip = clipIntervals([rows]).interval.accuracy;
  const each = [...speakerScores(rows).values()].map((score) => score.accuracy);
  const expected = 2 * 1.96 * meanSd(each).sd! / Math.sqrt(24);
  near(bySpeaker[1] - bySpeaker[0], expected, 0.1 * expected);
  assert.ok(bySpeaker[1] - bySpeaker[0] > 5 * (byClip[1] - byClip[0]));
});

Deno.test("the sign-flip test is SciPy's exact permutation test", () => {
  for (const { differences, p } of golden.flips) {
    const result = signFlipTest(differences);
    assert.ok(result.tested && result.exact);
    near(result.p, p, 1e-12);
    // Which model comes first does not count.
    const other = signFlipTest(differences.map((difference) => -difference));
    assert.ok(other.tested);
    near(other.p, p, 1e-12);
  }
  const clear = signFlipTest([0.1, 0.2, 0.1, 0.3, 0.1, 0.2]);
  assert.ok(clear.tested);
  assert.equal(clear.p, 2 / 64);
  const none = signFlipTest([0, 0, 0, 0, 0, 0]);
  assert.ok(none.tested);
  assert.equal(none.p, 1);
});

Deno.test("with more than 16 speakers random patterns come close to all patterns, the same for the same seed", () => {
  const rng = new RandomState(6);
  const differences = [...rng.normal(0.02, 0.05, 20)];
  const result = signFlipTest(differences, { seed: 1 });
  assert.ok(result.tested && !result.exact);
  assert.deepEqual(signFlipTest(differences, { seed: 1 }), result);
  // All 2^20 patterns, counted here.
  let sums = [0];
  for (const difference of differences) sums = sums.flatMap((sum) => [sum + difference, sum - difference]);
  const observed = Math.abs(sums[0]!) - 1e-12;
  const exact = sums.filter((sum) => Math.abs(sum) >= observed).length / sums.length;
  near(result.p, exact, 4 * Math.sqrt(exact * (1 - exact) / 100_000));
});

Deno.test("under six speakers nothing can be tested, and the sentence says why", () => {
  const result = signFlipTest([0.5, 0.5, 0.5, 0.5]);
  assert.ok(!result.tested);
  assert.equal(result.mean, 0.5);
  assert.equal(
    result.reason,
    "cannot be tested: with 4 speakers even the clearest difference has p = 0.125, and at least 6 are needed",
  );
});

Deno.test("two models are compared by speaker on the same rows, seeds averaged and not pooled", () => {
  const rng = new RandomState(7);
  const good = [draw(rng, 8, 20, () => 0.8), draw(rng, 8, 20, () => 0.8)];
  const bad = [draw(rng, 8, 20, () => 0.4)];
  const differences = pairedDifferences(good, bad);
  assert.equal(differences.size, 8);
  for (const [speaker, difference] of differences) {
    const mean = (runs: ScoredRow[][]) =>
      runs.reduce((sum, rows) => sum + speakerScores(rows).get(speaker)!.accuracy, 0) / runs.length;
    near(difference, mean(good) - mean(bad), 1e-12);
  }
  const test = signFlipTest([...differences.values()]);
  assert.ok(test.tested && test.p < 0.02);
  assert.throws(() => pairedDifferences(good, [draw(rng, 7, 20, () => 0.5)]), /same test rows/);
});

Deno.test("mean and standard deviation over seeds: sample deviation, none for one seed", () => {
  assert.deepEqual(meanSd([2, 4, 4, 4, 5, 5, 7, 9]), { mean: 5, sd: Math.sqrt(32 / 7), n: 8 });
  assert.deepEqual(meanSd([0.5]), { mean: 0.5, sd: null, n: 1 });
  assert.throws(() => meanSd([]), RangeError);
  assert.equal(quantile([1, 2, 3, 4], 0.5), 2.5);
  near(quantile([1, 2, 3, 4], 0.975), 3.925, 1e-12);
});

Deno.test("a difference of the minimum detectable size is found with the power stated", () => {
  assert.equal(minimumDetectableDifference({ clips: 240, speakers: 4 }), null);
  // More clips or speakers find smaller differences.
  const mdd = (clips: number, speakers: number) => minimumDetectableDifference({ clips, speakers })!;
  assert.ok(mdd(1440, 24) < mdd(720, 24) && mdd(1440, 24) < mdd(1440, 12));
  for (const speakers of [6, 7, 8, 12]) {
    const clips = 60 * speakers;
    const difference = mdd(clips, speakers);
    // Each clip: only the first model right with (d + δ) / 2, only the second with (d − δ) / 2.
    const rng = new RandomState(8);
    let found = 0;
    const rounds = 400;
    for (let i = 0; i < rounds; i++) {
      const differences = Array.from({ length: speakers }, () => {
        let sum = 0;
        for (let j = 0; j < clips / speakers; j++) {
          const u = rng.randomSample();
          sum += u < (0.3 + difference) / 2 ? 1 : u < 0.3 ? -1 : 0;
        }
        return sum / (clips / speakers);
      });
      const test = signFlipTest(differences);
      if (test.tested && test.p <= 0.05) found++;
    }
    near(found / rounds, 0.8, 0.08);
  }
});

Deno.test("several seeds give the interval of their mean and never a larger n", () => {
  const rng = new RandomState(10);
  const runs = Array.from({ length: 5 }, () => draw(rng, 6, 20, () => 0.5));
  const mean = runs.reduce((sum, rows) => sum + rows.filter((row) => row.truth === row.prediction).length / 120, 0) / 5;
  const clips = clipIntervals(runs);
  assert.equal(clips.recordings, 120);
  near(clips.interval.accuracy[0], wilsonInterval(mean * 120, 120)[0], 1e-12);
  // Other test clips for every seed: still the n of one run.
  const others = runs.map((rows, seed) => rows.map((row) => ({ ...row, parent: `${seed}/${row.parent}` })));
  assert.deepEqual(clipIntervals(others).interval, clips.interval);
  // The same run five times is worth one run.
  assert.deepEqual(clipIntervals([runs[0]!, runs[0]!]).interval, clipIntervals([runs[0]!]).interval);
  const speaker = speakerIntervals([runs[0]!]);
  const repeated = speakerIntervals([runs[0]!, runs[0]!, runs[0]!]);
  near(repeated.interval.accuracy[0], speaker.interval.accuracy[0], 1e-12);
  assert.equal(repeated.speakers, 6);
  const means = [0, 1, 2, 3, 4, 5].map((s) =>
    runs.reduce((sum, rows) => sum + speakerScores(rows).get(`s${s}`)!.accuracy, 0) / 5
  );
  near(speakerIntervals(runs).interval.accuracy[1], tInterval(means)[1], 1e-12);
  assert.throws(() => clipIntervals([]), RangeError);
  assert.throws(() => speakerIntervals([[]]), RangeError);
});
