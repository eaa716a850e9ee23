/**
 * Figures of evaluation: confusion matrices, learning curves, intervals beside published values.
 *
 * @module
 */

import { axis, baseLayout, brief, type FigureOptions, listed, significant, widest } from "./base.ts";
import { lineFigure, type LineFigureOptions, type LineSeries, type Reference, withReference } from "./charts.ts";
import { BLUES, classColor, colorAt, INK, MUTED, OKABE_ITO, textOn } from "./color.ts";
import { formatNumber } from "./ticks.ts";
import type { Annotation, Figure, ScatterTrace, Shape, Trace } from "./types.ts";

/** Options of {@linkcode confusionFigure}. */
export interface ConfusionFigureOptions extends FigureOptions {
  /** Writes the share of the row under each count. */
  readonly shares?: boolean;
}

/**
 * A confusion matrix: rows are true classes, columns predictions, colours the share of the row, text the counts.
 *
 * @param labels Names of the classes.
 * @param matrix Counts, `[truth][prediction]`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const figure = confusionFigure(["angry", "sad"], [[8, 2], [1, 9]]);
 * assert.match(figure.layout.meta!.description, /angry 80%/);
 * ```
 */
export function confusionFigure(
  labels: readonly string[],
  matrix: readonly (readonly number[])[],
  options: ConfusionFigureOptions = {},
): Figure {
  const totals = matrix.map((row) => row.reduce((sum, v) => sum + v, 0));
  const z = matrix.map((row, r) => row.map((v) => totals[r]! > 0 ? significant(v / totals[r]!, 4) : null));
  const shares = options.shares ?? labels.length <= 10;
  const annotations: Annotation[] = matrix.flatMap((row, r) =>
    row.map((count, c): Annotation => {
      const share = z[r]![c] ?? 0;
      return {
        text: shares && count > 0 ? `${count}<br><sub>${formatNumber(share, ".0%")}</sub>` : String(count),
        x: labels[c]!,
        y: labels[r]!,
        xref: "x",
        yref: "y",
        showarrow: false,
        font: { size: labels.length > 10 ? 10 : 12, color: z[r]![c] === null ? MUTED : textOn(colorAt(BLUES, share)) },
      };
    })
  );
  const recalls = labels.map((label, i) => `${label} ${totals[i]! > 0 ? formatNumber(z[i]![i]!, ".0%") : "no rows"}`);
  const size = Math.max(360, 130 + labels.length * 46);
  return {
    data: [{
      type: "heatmap",
      z,
      x: labels,
      y: labels,
      colorscale: BLUES,
      zmin: 0,
      zmax: 1,
      xgap: 2,
      ygap: 2,
      showscale: true,
      colorbar: {
        title: { text: "Share of the true class", side: "right" },
        tickformat: ".0%",
        thickness: 14,
        outlinewidth: 0,
      },
      hovertemplate: "true %{y}, predicted %{x}: %{z:.1%}<extra></extra>",
    }],
    layout: {
      ...baseLayout({ height: size, width: size + 150, ...options }, `Confusion matrix. Recall: ${listed(recalls)}.`),
      annotations,
      xaxis: axis("Predicted", { type: "category", showgrid: false }),
      yaxis: axis("True", { type: "category", showgrid: false, autorange: "reversed" }),
    },
  };
}

/** One curve of training, or several that are averaged. */
export interface LearningCurve {
  /** Name in the legend, for example `validation`. */
  readonly name: string;
  /** Values by epoch, one list a run; lists may differ in length. */
  readonly runs: readonly ArrayLike<number>[];
  /** CSS colour; from the palette when absent. */
  readonly color?: string;
  /** Dash pattern. */
  readonly dash?: "solid" | "dot" | "dash";
}

/** Options of {@linkcode learningCurveFigure}. */
export interface LearningCurveFigureOptions extends LineFigureOptions {
  /**
   * Title of the vertical axis: what is drawn, for example `Loss`. Without a legend, so with a single curve, its name
   * stands behind; absent, the name stands alone.
   */
  readonly yTitle?: string;
  /** Epoch (from 1) whose weights were kept. */
  readonly bestEpoch?: number;
}

/** How many epochs a run has: up to its last value that is a number. */
function epochsOf(run: ArrayLike<number>): number {
  let length = run.length;
  while (length > 0 && !Number.isFinite(run[length - 1])) length--;
  return length;
}

/** The last epoch that at least half of the runs have; of runs without any value nothing is known. */
function drawnEpochs(runs: readonly ArrayLike<number>[]): number {
  const lengths = runs.map(epochsOf).filter((length) => length > 0).sort((a, b) => b - a);
  return lengths[Math.ceil(lengths.length / 2) - 1] ?? 0;
}

/** Title of the vertical axis; a single curve's name stands nowhere else. */
function curveTitle(curves: readonly LearningCurve[], yTitle: string | undefined): string | undefined {
  if (curves.length !== 1 || yTitle === "") return yTitle;
  const { name } = curves[0]!;
  if (yTitle === undefined) return name;
  return yTitle.toLowerCase() === name.toLowerCase() ? yTitle : `${yTitle} (${name})`;
}

/**
 * Learning curves over epochs, from 1: the mean of several runs with a band of one standard deviation.
 *
 * A run that has stopped is in the mean of its own epochs only. Mean and band end where fewer than half of a curve's runs
 * are left, because the last ones are no sample of all; the figure then says so. A single run is drawn whole.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const figure = learningCurveFigure([{ name: "training", runs: [[1, 0.5], [0.8, 0.3]] }], { yTitle: "Loss" });
 * const line = figure.data.at(-1)!;
 * assert.deepEqual(line.type === "scatter" && line.y, [0.9, 0.4]);
 * ```
 */
export function learningCurveFigure(
  curves: readonly LearningCurve[],
  options: LearningCurveFigureOptions = {},
): Figure {
  const series = curves.map((curve, k): LineSeries => {
    const length = drawnEpochs(curve.runs);
    const mean: number[] = [], low: number[] = [], high: number[] = [];
    for (let epoch = 0; epoch < length; epoch++) {
      const values = curve.runs.map((run) => run[epoch]).filter((v): v is number =>
        v !== undefined && Number.isFinite(v)
      );
      const average = values.reduce((sum, v) => sum + v, 0) / values.length;
      const sd = values.length > 1
        ? Math.sqrt(values.reduce((sum, v) => sum + (v - average) ** 2, 0) / (values.length - 1))
        : 0;
      mean.push(average);
      low.push(average - sd);
      high.push(average + sd);
    }
    return {
      name: curve.name,
      x: mean.map((_, i) => i + 1),
      y: mean,
      color: curve.color ?? OKABE_ITO[k % OKABE_ITO.length]!,
      ...(curve.dash ? { dash: curve.dash } : {}),
      ...(curve.runs.length > 1 ? { band: { low, high } } : {}),
    };
  });
  const yTitle = curveTitle(curves, options.yTitle);
  const whole = lineFigure(series, { xTitle: "Epoch", ...options, ...(yTitle === undefined ? {} : { yTitle }) });
  const isCut = curves.some(({ runs }) => runs.some((run) => epochsOf(run) > drawnEpochs(runs)));
  const figure = isCut ? withCutNote(whole) : whole;
  if (options.bestEpoch === undefined) return figure;
  const best = options.bestEpoch;
  const shape: Shape = {
    type: "line",
    xref: "x",
    yref: "y domain",
    x0: best,
    x1: best,
    y0: 0,
    y1: 1,
    layer: "below",
    line: { color: MUTED, width: 1.5, dash: "dot" },
  };
  const label: Annotation = {
    text: `kept: epoch ${best}`,
    x: best,
    y: 1,
    xref: "x",
    yref: "y domain",
    xanchor: "left",
    yanchor: "top",
    xshift: 4,
    showarrow: false,
    font: { size: 11, color: MUTED },
  };
  return {
    data: figure.data,
    layout: {
      ...figure.layout,
      shapes: [...(figure.layout.shapes ?? []), shape],
      annotations: [...(figure.layout.annotations ?? []), label],
    },
  };
}

/** Says above the plot, at its right end, where the curves end. */
function withCutNote({ data, layout }: Figure): Figure {
  const note: Annotation = {
    text: "ends when most have stopped",
    x: 1,
    y: 1,
    xref: "x domain",
    yref: "y domain",
    xanchor: "right",
    yanchor: "bottom",
    yshift: 3,
    showarrow: false,
    font: { size: 11, color: MUTED },
  };
  const description = `${layout.meta?.description ?? ""} Drawn while at least half of the runs are left.`.trim();
  return {
    data,
    layout: { ...layout, annotations: [...(layout.annotations ?? []), note], meta: { ...layout.meta, description } },
  };
}

/** One row of a {@linkcode forestFigure}. */
export interface ForestRow {
  /** Name of the row. */
  readonly label: string;
  /** The estimate. */
  readonly value: number;
  /** Ends of its interval. */
  readonly interval?: readonly [number, number];
  /** What it is an instance of, for example the protocol: one colour and one line in the legend a group. */
  readonly group?: string;
  /** The published value, drawn as a hollow diamond. */
  readonly published?: number;
}

/** Options of {@linkcode forestFigure}. */
export interface ForestFigureOptions extends FigureOptions {
  /** Title of the value axis. */
  readonly xTitle?: string;
  /** Ends of the value axis. */
  readonly range?: readonly [number, number];
  /** A vertical line, for example the chance level. */
  readonly reference?: Reference;
  /** Format of the numbers at the right, d3's notation. */
  readonly format?: string;
}

/**
 * Estimates with their intervals, one a row, the first on top; rows of equal label share a line.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const figure = forestFigure([{ label: "study 000", value: 0.61, interval: [0.44, 0.76], published: 0.667 }]);
 * assert.ok(figure.data.some((trace) => trace.name === "published"));
 * ```
 */
export function forestFigure(rows: readonly ForestRow[], options: ForestFigureOptions = {}): Figure {
  const { format = ".2f" } = options;
  const labels = [...new Set(rows.map((r) => r.label))];
  const groups = [...new Set(rows.map((r) => r.group ?? ""))];
  // A line for each group that a label has, and some room between labels.
  const gap = groups.length > 1 ? 0.6 : 0;
  const places = new Map<string, readonly [first: number, groups: readonly string[]]>();
  let lines = 0;
  for (const label of labels) {
    const own = groups.filter((group) => rows.some((row) => row.label === label && (row.group ?? "") === group));
    places.set(label, [lines, own]);
    lines += own.length + gap;
  }
  const place = ({ label, group = "" }: ForestRow): number => {
    const [first, own] = places.get(label)!;
    return first + own.indexOf(group);
  };
  const symbols = ["circle", "square", "triangle-up", "cross"] as const;
  const data: Trace[] = groups.map((group, k): ScatterTrace => {
    const own = rows.filter((r) => (r.group ?? "") === group);
    const color = classColor(group, k);
    return {
      type: "scatter",
      mode: "markers",
      name: group || "reproduced",
      x: own.map((r) => significant(r.value)),
      y: own.map((r) => Number(place(r).toFixed(3))),
      marker: { color, size: 9, symbol: symbols[k % symbols.length]! },
      error_x: {
        type: "data",
        symmetric: false,
        array: own.map((r) => r.interval ? significant(r.interval[1] - r.value) : 0),
        arrayminus: own.map((r) => r.interval ? significant(r.value - r.interval[0]) : 0),
        color,
        thickness: 2,
        width: 5,
      },
      text: own.map((r) => `${r.label}${group ? `, ${group}` : ""}`),
      hovertemplate: "%{text}: %{x}<extra></extra>",
    };
  });
  const claimed = rows.filter((r) => r.published !== undefined);
  if (claimed.length > 0) {
    data.push({
      type: "scatter",
      mode: "markers",
      name: "published",
      x: claimed.map((r) => significant(r.published!)),
      y: claimed.map((r) => Number(place(r).toFixed(3))),
      marker: { color: INK, size: 10, symbol: "diamond-open", line: { width: 1.5 } },
      text: claimed.map((r) => r.label),
      hovertemplate: "%{text}, published: %{x}<extra></extra>",
    });
  }
  const numbers = rows.map((r) =>
    formatNumber(r.value, format) +
    (r.interval ? ` [${formatNumber(r.interval[0], format)}, ${formatNumber(r.interval[1], format)}]` : "")
  );
  const annotations = rows.map((r, i): Annotation => ({
    text: numbers[i]!,
    x: 1,
    y: Number(place(r).toFixed(3)),
    xref: "x domain",
    yref: "y",
    xanchor: "left",
    yanchor: "middle",
    xshift: 10,
    showarrow: false,
    font: { size: 11 },
  }));
  const legend = groups.length > 1 || claimed.length > 0;
  const layout = baseLayout(
    {
      height: 110 + (legend ? 26 : 0) + (options.title ? 30 : 0) +
        Math.round(lines * (groups.length > 1 ? 20 : 34)),
      ...options,
    },
    `Estimates: ${
      rows.map((r, i) =>
        `${r.label}${r.group ? `, ${r.group}` : ""} ${numbers[i]}${
          r.published === undefined ? "" : `, published ${brief(r.published)}`
        }`
      ).join("; ")
    }.`,
    legend,
  );
  return {
    data,
    layout: withReference(
      {
        ...layout,
        margin: { ...layout.margin, r: Math.ceil(widest(numbers, 11) + 24) },
        annotations,
        xaxis: axis(options.xTitle, options.range ? { range: options.range } : {}),
        yaxis: axis(undefined, {
          tickvals: [...places.values()].map(([first, own]) => first + (own.length - 1) / 2),
          ticktext: labels,
          range: [lines - gap - 0.4, -0.6],
          showgrid: false,
        }),
      },
      options.reference,
      "x",
    ),
  };
}
