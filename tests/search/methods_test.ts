import assert from "node:assert/strict";
import { stream } from "../../lib/random.ts";
import {
  createStrategy,
  type Evaluation,
  halvingRungs,
  methodName,
  type Step,
  type Suggestion,
} from "../../lib/search/methods.ts";
import { choice, integer, type Space } from "../../lib/search/space.ts";
import { hillSearch } from "../../lib/search/toy.ts";
import type { Configuration, MethodName } from "../../lib/search/types.ts";

const SIGNAL = new AbortController().signal;
const climb = (config: Configuration, epochs: number): number =>
  hillSearch.evaluate(config, { seed: 0, epochs, signal: SIGNAL }) as number;

interface Run {
  readonly suggestions: Suggestion[];
  readonly ended: Evaluation[];
  readonly last: Step;
}

/** Runs a method to its end; `reported` lets a batch's results arrive in another order and not all at once. */
function run(
  method: MethodName,
  {
    trials = 40,
    seed = 0,
    space = hillSearch.space,
    reported = (batch: readonly Suggestion[]) => [...batch],
    restart = false,
  },
  score: (suggestion: Suggestion) => number | null = ({ config, epochs }) => climb(config, epochs),
): Run {
  const make = () => createStrategy(method, space, { trials, epochs: 27, seed });
  const suggestions: Suggestion[] = [], ended: Evaluation[] = [];
  let strategy = make();
  for (;;) {
    if (restart) strategy = make();
    const step = strategy.next(ended);
    if (step.suggestions.length === 0) return { suggestions, ended, last: step };
    for (const each of reported(step.suggestions)) {
      suggestions.push(each);
      ended.push({ number: each.number, epochs: each.epochs, score: score(each) });
    }
  }
}

const sorted = (suggestions: readonly Suggestion[]): Suggestion[] =>
  [...suggestions].sort((a, b) => a.epochs - b.epochs || a.number - b.number);

for (const method of ["grid", "random", "halving", "tpe"] as const) {
  Deno.test(`${method}: suggestions do not depend on the order in which trials end, nor on restarts`, () => {
    const expected = sorted(run(method, {}).suggestions);
    assert.ok(expected.length >= 18);
    const backwards = run(method, { reported: (batch) => [...batch].reverse() });
    assert.deepEqual(sorted(backwards.suggestions), expected);
    // One at a time, from the middle of what is open, everything forgotten in between.
    const single = run(method, { reported: (batch) => [batch[batch.length >> 1]!], restart: true });
    assert.deepEqual(sorted(single.suggestions), expected);
    assert.notDeepEqual(sorted(run(method, { seed: 1 }).suggestions), method === "grid" ? [] : expected);
  });

  Deno.test(`${method}: no configuration is tried twice, and a space with fewer points than trials is tried whole`, () => {
    const small: Space = { a: choice([1, 2, 3]), b: integer(0, 3) };
    const score = (): number => 0.5;
    const { suggestions } = run(method, { space: small, trials: 50 }, score);
    const first = suggestions.filter(({ epochs }) => epochs === suggestions[0]!.epochs);
    assert.equal(first.length, 12);
    assert.equal(new Set(first.map(({ config }) => JSON.stringify(config))).size, 12);
  });
}

Deno.test("halving gives each rung a third of the configurations and three times the epochs", () => {
  const rungs = (trials: number, epochs: number, eta?: number) =>
    halvingRungs(trials, epochs, eta).map((rung) => [rung.count, rung.epochs]);
  assert.deepEqual(rungs(27, 27), [[27, 1], [9, 3], [3, 9], [1, 27]]);
  assert.deepEqual(rungs(32, 25), [[32, 3], [10, 8], [3, 25]]);
  assert.deepEqual(rungs(16, 16, 2), [[16, 1], [8, 2], [4, 4], [2, 8], [1, 16]]);
  assert.deepEqual(rungs(1, 50), [[1, 50]]);
  assert.deepEqual(rungs(50, 1), [[50, 1]]);
  assert.deepEqual(rungs(27, 500), [[27, 19], [9, 56], [3, 167], [1, 500]]);
  assert.throws(() => halvingRungs(9, 9, 1), /eta must be above 1/);
});

Deno.test("halving lets the best go on, of equals the first, and says of each pruned one why", () => {
  const scores = new Map<number, number | null>([
    [0, 0.5],
    [1, 0.9],
    [2, null],
    [3, 0.5],
    [4, 0.7],
    [5, 0.5],
    [6, 0.1],
    [7, 0.2],
    [8, 0.3],
  ]);
  const { suggestions, last } = run("halving", { trials: 9 }, ({ number }) => scores.get(number)!);
  // 9 trials, 27 epochs: rungs of 9, 3, 1.
  assert.deepEqual(suggestions.filter(({ epochs }) => epochs === 9).map(({ number }) => number), [1, 4, 0]);
  assert.deepEqual(suggestions.filter(({ epochs }) => epochs === 27).map(({ number }) => number), [1]);
  const reasons = new Map(last.pruned.map(({ number, reason }) => [number, reason]));
  assert.equal(reasons.get(3), "rank 4 of 9 after 3 epochs, 3 went on");
  assert.equal(reasons.get(0), "rank 3 of 3 after 9 epochs, 1 went on");
  assert.equal(reasons.has(2), false, "one that failed is not pruned");
});

Deno.test("a search whose trials all fail ends", () => {
  for (const method of ["grid", "random", "halving", "tpe"] as const) {
    const { suggestions, last } = run(method, { trials: 18 }, () => null);
    assert.ok(suggestions.length >= 18);
    assert.deepEqual(last.suggestions, []);
  }
});

Deno.test("TPE finds a higher place on the hill than random search with as many trials, over 12 seeds", () => {
  const best = (method: MethodName, seed: number): number =>
    Math.max(...run(method, { seed, trials: 40 }).ended.map(({ score }) => score!));
  const seeds = Array.from({ length: 12 }, (_, seed) => seed);
  const mean = (method: MethodName): number => seeds.reduce((sum, seed) => sum + best(method, seed), 0) / seeds.length;
  const random = mean("random"), tpe = mean("tpe");
  assert.ok(tpe > random + 0.02, `TPE ${tpe.toFixed(4)}, random ${random.toFixed(4)}`);
  assert.ok(seeds.filter((seed) => best("tpe", seed) > best("random", seed)).length >= 8);
});

Deno.test("TPE goes where a choice with its conditional parameter pays, over 12 seeds", () => {
  let early = 0, late = 0;
  for (let seed = 0; seed < 12; seed++) {
    const { suggestions } = run("tpe", { trials: 60, seed });
    const regularised = (part: readonly Suggestion[]): number =>
      part.filter(({ config }) => config["regularised"] === true).length / part.length;
    early += regularised(suggestions.slice(0, 10)) / 12;
    late += regularised(suggestions.slice(40)) / 12;
  }
  assert.ok(early > 0.35 && early < 0.65, `${early} of the random ones`);
  assert.ok(late > 0.75, `${late} of the last ones`);
});

Deno.test("halving finds nearly what all epochs for all would, for a fraction of them", () => {
  let lost = 0, share = 0;
  for (let seed = 0; seed < 10; seed++) {
    // Scores scatter less than configurations differ.
    const noisy = ({ config, epochs, number }: Suggestion): number =>
      climb(config, epochs) + stream(seed, "noise", number, epochs).normal(0, 0.01);
    const full = run("random", { seed, trials: 27 }, noisy), cut = run("halving", { seed, trials: 27 }, noisy);
    const top = (each: Run): number =>
      Math.max(...each.suggestions.filter(({ epochs }) => epochs === 27).map(({ config }) => climb(config, 27)));
    lost += top(full) - top(cut);
    const cost = (each: Run): number => each.suggestions.reduce((sum, { epochs }) => sum + epochs, 0);
    share += cost(cut) / cost(full);
  }
  assert.ok(lost / 10 < 0.03, `${lost / 10} lost on average`);
  assert.ok(share / 10 < 0.16, `${share / 10} of the epochs`);
});

Deno.test("unknown methods and numbers of trials are refused in one line", () => {
  assert.throws(() => methodName("best"), /There is no method best; there are grid, random, halving, tpe/);
  assert.throws(() => createStrategy("random", hillSearch.space, { trials: 0, epochs: 1, seed: 0 }), /--trials takes/);
  assert.throws(() => createStrategy("grid", {}, { trials: 1, epochs: 1, seed: 0 }), /The search space is empty/);
});
