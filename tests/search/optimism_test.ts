import assert from "node:assert/strict";
import { findSearch } from "../../experiments/searches.ts";
import { stream } from "../../lib/random.ts";
import { hitCorrelation, publishedOptimism, selectionOptimism } from "../../lib/search/optimism.ts";
import type { TrialRow } from "../../lib/search/store.ts";

/** Predictions of configurations on rows of speakers; `p` is the chance of each to be right, `spread` varies by speaker. */
function simulate(
  shares: readonly number[],
  { speakers, rows, spread = 0, seed }: { speakers: number; rows: number; spread?: number; seed: number },
): TrialRow[][] {
  return shares.map((p, config) => {
    const rng = stream(seed, "simulated", config);
    return Array.from({ length: speakers }, (_, speaker) => {
      const own = p + spread * (2 * rng.randomSample() - 1);
      return Array.from({ length: rows }, (_, row): TrialRow => {
        const key = `${speaker}-${row}`, truth = row % 2 === 0 ? "sad" : "happy";
        const right = rng.randomSample() < own;
        const prediction = right ? truth : truth === "sad" ? "happy" : "sad";
        return { key, parent: key, copy: 0, speaker: `s${speaker}`, fold: 0, truth, prediction };
      });
    }).flat();
  });
}

Deno.test("of equally good configurations the best promises too much, and the corrected score does not", () => {
  // All have a true accuracy of 0.6: whatever is chosen is worth 0.6.
  let maximum = 0, corrected = 0;
  const runs = 12;
  for (let seed = 0; seed < runs; seed++) {
    const trials = simulate(Array(24).fill(0.6), { speakers: 20, rows: 8, seed });
    const { maximum: most, corrected: honest, configurations, units } = selectionOptimism(trials, {
      unit: "speaker",
      samples: 400,
      seed,
    });
    assert.deepEqual([configurations, units], [24, 20]);
    maximum += most / runs;
    corrected += honest / runs;
  }
  // The mean of the largest of 24 binomial shares of 160: 0.6 + 1.95 · √(0.6 · 0.4 / 160) = 0.675.
  assert.ok(Math.abs(maximum - 0.675) < 0.015, `maximum ${maximum}`);
  assert.ok(Math.abs(corrected - 0.6) < 0.015, `corrected ${corrected}`);
});

Deno.test("one configuration that is far better has next to no optimism", () => {
  const trials = simulate([0.5, 0.55, 0.85, 0.5], { speakers: 16, rows: 20, seed: 3 });
  const result = selectionOptimism(trials, { unit: "speaker" });
  assert.equal(result.chosen, 2);
  assert.ok(Math.abs(result.optimism) < 0.01, `${result.optimism}`);
  assert.ok(result.interval[0] < result.maximum && result.maximum < result.interval[1]);
});

Deno.test("speakers are drawn whole, and rows that share them widen the interval", () => {
  const trials = simulate([0.6, 0.6], { speakers: 12, rows: 30, spread: 0.35, seed: 5 });
  const bySpeaker = selectionOptimism(trials, { unit: "speaker", seed: 1 });
  const byClip = selectionOptimism(trials, { unit: "recording", seed: 1 });
  assert.deepEqual([bySpeaker.units, byClip.units], [12, 360]);
  const width = ({ interval: [low, high] }: typeof bySpeaker): number => high - low;
  assert.ok(width(bySpeaker) > 1.3 * width(byClip), `${width(bySpeaker)}, ${width(byClip)}`);
});

Deno.test("recall averaged over classes is what it says, and the first of equals is chosen", () => {
  const row = (key: string, truth: string, prediction: string): TrialRow => ({
    key,
    parent: key,
    copy: 0,
    speaker: key,
    fold: 0,
    truth,
    prediction,
  });
  const trial = [row("a", "sad", "sad"), row("b", "sad", "sad"), row("c", "sad", "sad"), row("d", "happy", "sad")];
  const other = [
    row("a", "sad", "sad"),
    row("b", "sad", "happy"),
    row("c", "sad", "happy"),
    row("d", "happy", "happy"),
  ];
  const uar = selectionOptimism([trial, other], { unit: "recording", metric: "uar" });
  assert.equal(uar.chosen, 1);
  assert.ok(Math.abs(uar.maximum - (1 / 3 + 1) / 2) < 1e-12);
  assert.equal(selectionOptimism([trial, other], { unit: "recording" }).chosen, 0);
  assert.equal(selectionOptimism([trial, trial], { unit: "recording" }).chosen, 0);
});

Deno.test("the same seed gives the same estimate; other rows, no trial, one speaker are refused", () => {
  const trials = simulate([0.5, 0.6], { speakers: 6, rows: 5, seed: 1 });
  assert.deepEqual(
    selectionOptimism(trials, { unit: "speaker", samples: 50 }),
    selectionOptimism(trials, { unit: "speaker", samples: 50 }),
  );
  assert.throws(() => selectionOptimism([], { unit: "speaker" }), /There is no configuration/);
  assert.throws(
    () => selectionOptimism([trials[0]!, trials[1]!.slice(1)], { unit: "speaker" }),
    /same validation rows/,
  );
  const one = trials.map((rows) => rows.filter(({ speaker }) => speaker === "s0"));
  assert.throws(() => selectionOptimism(one, { unit: "speaker" }), /cannot be estimated from one speaker/);
});

Deno.test("study 001's published maximum: 79.22 % of 154, best of 32, promises several points too much", () => {
  const { published } = findSearch("001") as Extract<ReturnType<typeof findSearch>, { kind: "study" }>;
  const result = publishedOptimism(published!.hits, published!.n);
  assert.equal((100 * result.maximum).toFixed(2), "79.22");
  assert.equal(result.configurations, 32);
  assert.ok(Math.abs(result.standardError - 0.0327) < 1e-3);
  // Nine lie within two standard errors; their mean is 75.7 %.
  assert.equal(result.near, 9);
  assert.ok(Math.abs(result.aboveNear - 0.0353) < 5e-4, `${result.aboveNear}`);
  assert.ok(result.resampled > 0.03 && result.resampled < 0.06, `${result.resampled}`);
  const together = publishedOptimism(published!.hits, published!.n, { correlation: 0.5, samples: 300 });
  assert.ok(together.resampled > 0.005 && together.resampled < 0.8 * result.resampled, `${together.resampled}`);
});

Deno.test("a published maximum's optimism vanishes where one stands alone, and is known where all are alike", () => {
  assert.ok(Math.abs(publishedOptimism([150, 50, 50, 50], 200).resampled) < 0.005);
  const alike = publishedOptimism(Array(32).fill(100), 200);
  // The mean of the largest of 32 standard normal numbers is 2.07.
  assert.ok(Math.abs(alike.resampled - 2.07 * Math.sqrt(0.25 / 200)) < 0.008, `${alike.resampled}`);
  assert.equal(alike.aboveNear, 0);
});

Deno.test("the correlation of hits is that of the simulated configurations", () => {
  const rows = (hits: readonly number[]) => hits.map((hit) => ({ truth: "a", prediction: hit === 1 ? "a" : "b" }));
  assert.equal(hitCorrelation([rows([1, 0, 1, 0]), rows([1, 0, 1, 0])]), 1);
  assert.equal(hitCorrelation([rows([1, 1, 0, 0]), rows([1, 0, 1, 0])]), 0);
  assert.equal(hitCorrelation([rows([1, 1]), rows([1, 0])]), null);
});
