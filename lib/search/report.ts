/**
 * What the report says of a sweep.
 *
 * @module
 */

import { renderSvg } from "../figures/mod.ts";
import type { SweepText } from "../results/sections.ts";
import { percent } from "../results/text.ts";
import { importanceFigure, interactionFigure, parallelCoordinates } from "./figures.ts";
import { type Importance, importance } from "./importance.ts";
import { hitCorrelation, optimism, publishedOptimism } from "./optimism.ts";
import { configurationText } from "./space.ts";
import { chosenTrial, finalists, findSweeps, type Sweep, testedRows, trialRows } from "./store.ts";
import { configurationsLookedAt, hasEnded, verdictOn } from "./sweep.ts";

/** A forest that explains less than this share of the scores out of bag has learnt nothing whose shares mean anything. */
const LEAST_EXPLAINED = 0.1;

/** Whether a forest has learnt enough for what mattered to be said. */
function isTelling({ explained }: Importance): boolean {
  return explained === null || explained >= LEAST_EXPLAINED;
}

/** What mattered most, in words; or that it cannot be said, and why. */
function importantText(found: Importance): string {
  const { parameters, explained } = found;
  if (!isTelling(found)) {
    return `cannot be said, because the forest explains ${
      percent(Math.max(0, explained!), 0)
    } of the scores out of bag: ` +
      "shares of that would be shares of chance";
  }
  const most = parameters.slice(0, 3).map(({ name, share: part }) => `${name} ${percent(part, 0)}`).join(", ");
  return explained === null ? most : `${most} (the forest explains ${percent(explained, 0)} of the scores out of bag)`;
}

/** Mean over the folds of how much the final configurations' mistakes go together. */
function correlationOf(sweep: Sweep): number | null {
  const known = sweep.definition.folds.flatMap((_, fold) => {
    const rows = finalists(sweep, fold).map((each) => trialRows(sweep, each)).filter((each) => each !== null);
    const own = rows.length < 2 ? null : hitCorrelation(rows);
    return own === null ? [] : [own];
  });
  return known.length === 0 ? null : known.reduce((a, b) => a + b, 0) / known.length;
}

/** All that the report needs of a sweep, figures drawn. */
export function sweepText(sweep: Sweep): SweepText {
  const { definition, trials, unsealed } = sweep;
  const { name, method, protocol, variant, describe, metric, published } = definition;
  const bias = optimism(sweep), found = importance(sweep);
  const counts = { done: 0, pruned: 0, failed: 0, open: 0 };
  for (const { role, status } of trials) {
    if (role === "candidate") counts[status === "waiting" || status === "running" ? "open" : status]++;
  }
  const correlation = published ? correlationOf(sweep) : null;
  const figures = new Map<string, string>();
  const isDrawn = trials.filter(({ role, score }) => role === "candidate" && score !== null).length >= 2;
  if (isDrawn) figures.set("parallel", renderSvg(parallelCoordinates(sweep, { width: 900 })));
  if (found !== null && isTelling(found)) {
    figures.set("importance", renderSvg(importanceFigure(found)));
    if ((found.pairs[0]?.share ?? 0) >= 0.02) figures.set("interaction", renderSvg(interactionFigure(found)));
  }
  return {
    study: /^\d+/.exec(definition.study)?.[0] ?? definition.study,
    name,
    method,
    protocol,
    variant,
    describe,
    metric,
    scoredOn: definition.scoredOn,
    epochs: definition.epochs,
    fraction: definition.fraction,
    threads: definition.threads,
    configurations: configurationsLookedAt(sweep),
    counts,
    ended: hasEnded(sweep),
    hours: trials.reduce((sum, { seconds }) => sum + seconds, 0) / 3600,
    folds: definition.folds.map((fold, index) => {
      const best = chosenTrial(sweep, index), own = bias?.folds[index] ?? null;
      const baseline = trials.find((each) => each.fold === index && each.role === "baseline");
      return {
        name: fold.name,
        scored: fold.scored,
        speakers: fold.speakers,
        best: best?.score ?? null,
        config: best === null ? "" : configurationText(best.config),
        corrected: own?.corrected ?? null,
        interval: own?.interval ?? null,
        units: own === null ? "" : `${own.units} ${own.unit}s`,
        baseline: baseline?.score ?? null,
      };
    }),
    optimism: bias === null ? null : { maximum: bias.maximum, corrected: bias.corrected, optimism: bias.optimism },
    failures: trials.filter(({ status }) => status === "failed").map(({ config, reason }) =>
      `${configurationText(config) || "the study's own configuration"}: ${reason}`
    ),
    important: found === null ? null : importantText(found),
    published: published === undefined ? null : {
      ...publishedOptimism(published.hits, published.n),
      source: published.source,
      note: published.note,
      together: correlation === null
        ? null
        : { correlation, optimism: publishedOptimism(published.hits, published.n, { correlation }).resampled },
    },
    unsealed: unsealed === null || unsealed.chosen === null || unsealed.baseline === null ? null : {
      looked: unsealed.looked,
      chosen: unsealed.chosen,
      baseline: unsealed.baseline,
      // From the predictions themselves, as the run records' verdicts are.
      verdict: verdictOn(
        testedRows(sweep, unsealed.chosen),
        testedRows(sweep, unsealed.baseline),
        definition.bySpeaker,
      ),
    },
    figures,
  };
}

/** What the report says of all sweeps of a folder of results. */
export function sweepTexts(results: string): SweepText[] {
  return findSweeps(results).map(sweepText);
}
