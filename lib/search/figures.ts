/**
 * Pictures of a sweep, for the report and for notebooks.
 *
 * @module
 */

import {
  barFigure,
  type Figure,
  type FigureOptions,
  heatmapFigure,
  type ParallelAxis,
  parallelCoordinatesFigure,
  type ParallelLine,
} from "../figures/mod.ts";
import { type Importance, importance } from "./importance.ts";
import { configurationText, type Parameter, placeOf, valueAt } from "./space.ts";
import type { Sweep } from "./store.ts";
import type { TrialRecord, Value } from "./types.ts";

function valueText(value: Value): string {
  return typeof value === "number" ? String(Number(value.toPrecision(3))) : String(value);
}

/** Ticks of a parameter's axis. */
function ticksOf(parameter: Parameter): [number, string][] {
  if (parameter.kind === "choice") {
    return parameter.values.map((value) => [placeOf(parameter, value), valueText(value)]);
  }
  const seen = new Map<string, number>();
  for (const place of [0, 0.25, 0.5, 0.75, 1]) {
    const value = valueAt(parameter, place);
    seen.set(valueText(value), Math.min(1, Math.max(0, placeOf(parameter, value))));
  }
  return [...seen].map(([text, place]) => [place, text]);
}

/** Scored trials of all folds, or of one. */
function scoredTrials(sweep: Sweep, fold: number | undefined): TrialRecord[] {
  return sweep.trials.filter((each) =>
    each.role === "candidate" && each.score !== null && (fold === undefined || each.fold === fold)
  );
}

/** Options of {@linkcode parallelCoordinates}. */
export interface ParallelOptions extends FigureOptions {
  /** One outer fold alone; default all. */
  readonly fold?: number;
}

/**
 * Parallel coordinates of a sweep: a line a trial over its parameters to its score; pruned ones faintly, at the score they
 * had when they were pruned.
 */
export function parallelCoordinates(sweep: Sweep, options: ParallelOptions = {}): Figure {
  const { fold, ...rest } = options;
  const { definition } = sweep, { space, metric } = definition;
  const trials = scoredTrials(sweep, fold);
  const scores = trials.map(({ score }) => score!);
  const low = Math.min(...scores), high = Math.max(...scores);
  const place = (score: number): number => high > low ? (score - low) / (high - low) : 0.5;
  const scoreTicks = trials.length === 0
    ? []
    : [...new Set([low, (low + high) / 2, high])].map((score) =>
      [place(score), `${(100 * score).toFixed(1)} %`] as const
    );
  const axes: ParallelAxis[] = [
    ...Object.entries(space).map(([name, parameter]) => ({ name, ticks: ticksOf(parameter) })),
    { name: metric, ticks: scoreTicks },
  ];
  const names = Object.entries(space);
  const lines = trials.map((trial, i): ParallelLine => ({
    places: [
      ...names.map(([name, parameter]) => {
        const value = trial.config[name];
        if (value === undefined) return null;
        // Lines through the same value of a choice are drawn a hair apart, so that they can be followed.
        const apart = parameter.kind === "choice" ? (i % 9 - 4) * 0.006 : 0;
        return placeOf(parameter, value) + apart;
      }),
      place(trial.score!),
    ],
    value: trial.score!,
    text: `${configurationText(trial.config)}: ${(100 * trial.score!).toFixed(2)} % after ${trial.epochs} epochs`,
    faint: trial.status === "pruned",
  }));
  return parallelCoordinatesFigure(axes, lines, {
    title: `Sweep ${definition.name}`,
    subtitle: `${trials.length} trials${
      fold === undefined && definition.folds.length > 1 ? ` in ${definition.folds.length} folds` : ""
    }, scored on ${definition.scoredOn}; pruned ones faintly`,
    ...rest,
  });
}

/** Bars of what mattered: every parameter, and the pairs that do something together. */
export function importanceFigure(
  { parameters, pairs, explained, configurations }: Importance,
  options: FigureOptions = {},
): Figure {
  const bars = [
    ...parameters.map(({ name, share }) => ({ name, share })),
    ...pairs.filter(({ share }) => share >= 0.02).slice(0, 5).map(({ names, share }) => ({
      name: names.join(" × "),
      share,
    })),
  ];
  return barFigure(bars.map(({ name }) => name), [{ name: "share", values: bars.map(({ share }) => 100 * share) }], {
    orientation: "h",
    decimals: 0,
    xTitle: "Share of the variance (%)",
    height: 120 + 30 * bars.length,
    title: "Which hyper-parameters mattered",
    subtitle: `functional ANOVA of a forest on ${configurations} scores${
      explained === null
        ? ""
        : `, of whose variance it explains ${(100 * Math.max(0, explained)).toFixed(0)} % out of bag`
    }`,
    ...options,
  });
}

/** What two parameters do together: the expected score over both; by default of the pair that matters most. */
export function interactionFigure(
  found: Importance,
  names: readonly [string, string] | undefined = found.pairs[0]?.names,
  options: FigureOptions = {},
): Figure {
  if (names === undefined) return heatmapFigure({ data: new Float32Array(0), shape: [0, 0] }, options);
  const [first, second] = names;
  const { rows, columns, scores } = found.marginal(first, second);
  const figure = heatmapFigure({ data: Float32Array.from(scores.flat()), shape: [rows.length, columns.length] }, {
    rows: rows.map(valueText),
    columns: columns.map(valueText),
    xTitle: second,
    yTitle: first,
    valueTitle: "Expected score",
    title: `${first} and ${second} together`,
    subtitle: "what the forest expects, averaged over the other parameters",
    ...options,
  });
  // Values stand beside each other as they were looked at, numbers too.
  const { xaxis, yaxis } = figure.layout;
  return {
    ...figure,
    layout: { ...figure.layout, xaxis: { ...xaxis, type: "category" }, yaxis: { ...yaxis, type: "category" } },
  };
}

/** The importance of a sweep's parameters as a figure; null with too few trials. */
export function sweepImportanceFigure(sweep: Sweep, options: FigureOptions = {}): Figure | null {
  const found = importance(sweep);
  return found === null ? null : importanceFigure(found, options);
}
