import assert from "node:assert/strict";
import { findSearch } from "../../experiments/searches.ts";
import { renderSvg } from "../../lib/figures/mod.ts";
import { stream } from "../../lib/random.ts";
import {
  choice,
  createTrialRunner,
  drawConfiguration,
  gridOf,
  importance,
  importanceFigure,
  importanceOf,
  inProcessExecutor,
  interactionFigure,
  logUniform,
  parallelCoordinates,
  readSweep,
  runSweep,
  type Space,
  uniform,
} from "../../lib/search/mod.ts";
import { sweepText } from "../../lib/search/report.ts";
import { searchSummary, sweepSection } from "../../lib/results/sections.ts";
import type { Configuration } from "../../lib/search/types.ts";
import { temporaryFolder } from "../study/small.ts";

const space: Space = {
  rate: logUniform(1e-4, 1e-1),
  units: choice([16, 32, 64]),
  idle: uniform(0, 1),
};

const drawn = (count: number, score: (config: Configuration) => number) =>
  Array.from({ length: count }, (_, i) => {
    const config = drawConfiguration(space, stream(4, "draw", i));
    return { config, score: score(config) };
  });

/** Halving over 27 configurations of a known function. */
const hillSweep = () =>
  runSweep({
    search: findSearch("hill"),
    method: "halving",
    protocol: "function",
    out: temporaryFolder(),
    prepared: null,
    trials: 27,
  }, { executor: inProcessExecutor(createTrialRunner({ find: findSearch, corpora: "" })) });

Deno.test("the parameter that decides the score has nearly all of its variance, one that is idle next to none", () => {
  const found = importanceOf(space, drawn(120, ({ rate }) => Math.log10(rate as number)));
  const share = (name: string): number => found.parameters.find((each) => each.name === name)!.share;
  assert.equal(found.parameters[0]!.name, "rate");
  assert.ok(share("rate") > 0.9, `${share("rate")}`);
  assert.ok(share("idle") < 0.02 && share("units") < 0.02);
  assert.ok(found.explained! > 0.9);
  assert.ok(found.pairs.every((pair) => pair.share < 0.05));
});

Deno.test("two parameters that count only together show as a pair", () => {
  const found = importanceOf(
    space,
    drawn(200, ({ rate, units }) => ((rate as number) > 3e-3) === (units === 32) ? 1 : 0),
  );
  assert.deepEqual(found.pairs[0]!.names, ["rate", "units"]);
  assert.ok(found.pairs[0]!.share > 0.4, `${found.pairs[0]!.share}`);
  const { rows, columns, scores } = found.marginal("units", "rate");
  assert.deepEqual(rows, [16, 32, 64]);
  assert.ok(scores[1]!.at(-1)! > 0.7 && scores[1]![0]! < 0.3 && scores[0]!.at(-1)! < 0.3);
  assert.ok(columns.length >= 6);
});

Deno.test("on a whole grid the shares are those of the analysis of variance, and add up", () => {
  const grid: Space = { a: choice([1, 2, 3, 4]), b: choice([1, 2, 3, 4]) };
  const scored = gridOf(grid).flatMap((config) =>
    // Enough repetitions for the forest to follow every cell.
    Array.from({ length: 6 }, () => ({ config, score: 3 * (config["a"] as number) + (config["b"] as number) }))
  );
  const { parameters } = importanceOf(grid, scored);
  assert.ok(Math.abs(parameters[0]!.share - 0.9) < 0.05, `${parameters[0]!.share}`);
  assert.ok(Math.abs(parameters[1]!.share - 0.1) < 0.05, `${parameters[1]!.share}`);
});

Deno.test("a sweep's pictures and its section of the report say what stands in its records", async () => {
  const sweep = await hillSweep();
  assert.deepEqual(readSweep(sweep.dir), sweep);
  const figure = parallelCoordinates(sweep);
  assert.equal(figure.data.length, 27);
  assert.equal(figure.data.filter((trace) => (trace.opacity ?? 1) < 0.5).length, 26, "pruned ones are faint");
  const absent = sweep.trials.find(({ config }) => config["dropout"] === undefined)!;
  assert.ok(absent, "a configuration without its conditional parameter passes its axis by");
  assert.match(renderSvg(figure), /^<svg /);
  const found = importance(sweep)!;
  assert.equal(found.configurations, 27);
  assert.equal(found.parameters[0]!.name, "rate");
  assert.match(renderSvg(importanceFigure(found)), /rate/);
  assert.match(renderSvg(interactionFigure(found, ["rate", "units"])), /units/);
  const text = sweepText(sweep);
  assert.deepEqual(text.counts, { done: 1, pruned: 26, failed: 0, open: 0 });
  const lines = sweepSection([text]).join("\n");
  assert.match(lines, /27 configurations, 27 epochs at most, 1 thread a trial/);
  assert.match(lines, /1 trained to the end, 26 pruned, 0 failed/);
  assert.match(lines, /The test rows are sealed/);
  const best = sweep.trials.find(({ status }) => status === "done")!;
  assert.ok(lines.includes(`${(100 * best.score!).toFixed(1)} %`));
  assert.deepEqual(sweepSection([]), []);
  const [line] = searchSummary([text]).filter((each) => each.startsWith(`| ${text.study} `));
  assert.ok(line!.includes(`halving, 27 | ${(100 * best.score!).toFixed(1)} % |`), line!);
  assert.match(line!, /\| sealed \| sealed \| – \|$/);
  const tested = { n: 40, speakers: 4, interval: { kind: "speaker-t", accuracy: [0.4, 0.6] } } as const;
  const unsealed = {
    looked: 27,
    chosen: { ...tested, accuracy: 0.525 },
    baseline: { ...tested, accuracy: 0.5 },
    verdict: "so",
  };
  assert.match(searchSummary([{ ...text, unsealed }]).join("\n"), /\| 52\.5 % \| 50\.0 % \| so \|/);
  assert.deepEqual(searchSummary([]), []);
  const { published } = findSearch("001") as Extract<ReturnType<typeof findSearch>, { kind: "study" }>;
  const beside = sweepText({ ...sweep, definition: { ...sweep.definition, published: published! } });
  assert.match(
    sweepSection([beside]).join("\n"),
    /79\.22 % is the largest of 32 accuracies on 154 validation rows .* the best of 32 would lie \d\.\d points above what it is worth on the average; 9 configurations lie within two standard errors of the maximum, which is 3\.5 points above their mean/,
  );
});

Deno.test("where the forest explains next to nothing, what mattered is not said, and not drawn", async () => {
  const sweep = await hillSweep();
  const told = sweepText(sweep);
  assert.match(told.important!, /^rate \d+ %, .* \(the forest explains \d\d % of the scores out of bag\)$/);
  assert.ok(told.figures.has("importance"));
  // The same configurations, with scores that do not follow from them.
  const trials = sweep.trials.map((trial, i) => {
    const score = stream(7, "chance", i).randomSample();
    return { ...trial, score, rungs: trial.rungs.map((rung) => ({ ...rung, score })) };
  });
  assert.ok(importance({ ...sweep, trials })!.explained! < 0.1);
  const text = sweepText({ ...sweep, trials });
  assert.deepEqual([...text.figures.keys()], ["parallel"]);
  assert.ok(
    sweepSection([text]).includes(
      "- **What mattered:** cannot be said, because the forest explains 0 % of the scores out of bag: " +
        "shares of that would be shares of chance.",
    ),
  );
});

Deno.test("importance needs some configurations", () => {
  assert.throws(() => importanceOf(space, drawn(3, () => 1)), /Importance needs at least 4 configurations/);
  assert.ok(importanceOf(space, drawn(8, () => 1)).parameters.every(({ share }) => share === 0));
});
