/**
 * Charts: bars, counts, histograms, lines, scatter, boxes with their points.
 *
 * @module
 */

import {
  axis,
  baseLayout,
  brief,
  extremes,
  type FigureOptions,
  liftLegend,
  listed,
  type Series,
  significant,
  widest,
} from "./base.ts";
import { classColor, MUTED, withOpacity } from "./color.ts";
import type { Annotation, Axis, Figure, Layout, ScatterTrace, Shape, Trace } from "./types.ts";

/** Options of figures with two titled axes. */
export interface ChartOptions extends FigureOptions {
  /** Title of the horizontal axis, with its unit. */
  readonly xTitle?: string;
  /** Title of the vertical axis, with its unit. */
  readonly yTitle?: string;
}

/** Options of {@linkcode barFigure} and {@linkcode countFigure}. */
export interface BarFigureOptions extends ChartOptions {
  /** `v`: bars upwards; `h`: bars to the right, the first label on top. */
  readonly orientation?: "v" | "h";
  /** How several series stand: beside each other or on each other. */
  readonly mode?: "group" | "stack";
  /** Writes the value at each bar: a number of decimals. */
  readonly decimals?: number;
  /** Half lengths of error bars, for a single series. */
  readonly errors?: ArrayLike<number>;
  /** A line across, for example the chance level. */
  readonly reference?: Reference;
  /** With a single series: one colour for all bars, or one a bar by the name of its class. */
  readonly colorBy?: "series" | "label";
}

/**
 * Bars, one group a label.
 *
 * @param labels Names of the groups.
 * @param series The values, one a label; several series become several bars a label.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const figure = barFigure(["angry", "sad"], [{ name: "clips", values: [12, 9] }], { decimals: 0 });
 * assert.deepEqual(figure.data[0]!.type === "bar" && figure.data[0]!.y, [12, 9]);
 * ```
 */
export function barFigure(
  labels: readonly string[],
  series: readonly Series[],
  options: BarFigureOptions = {},
): Figure {
  const { orientation = "v", mode = "group" } = options;
  const vertical = orientation === "v";
  const several = series.length > 1;
  const data: Trace[] = series.map((s, k) => {
    const values = labels.map((_, i) => Number.isFinite(s.values[i]) ? significant(s.values[i]!) : null);
    const colors = options.colorBy === "label" && !several
      ? labels.map((label, i) => classColor(label, i))
      : s.color ?? classColor(several ? s.name : "", k);
    const error = options.errors && !several
      ? {
        type: "data" as const,
        symmetric: true,
        array: labels.map((_, i) => significant(options.errors![i] ?? 0)),
        thickness: 1.5,
        width: 4,
      }
      : undefined;
    return {
      type: "bar",
      orientation,
      name: s.name,
      x: vertical ? labels : values,
      y: vertical ? values : labels,
      marker: { color: colors },
      ...(options.decimals === undefined || error ? {} : {
        text: values.map((v) => v === null ? "" : v.toFixed(options.decimals)),
        textposition: mode === "stack" && several ? "inside" as const : "outside" as const,
      }),
      ...(error ? vertical ? { error_y: error } : { error_x: error } : {}),
      hovertemplate: vertical
        ? "%{x}: %{y}<extra>%{fullData.name}</extra>"
        : "%{y}: %{x}<extra>%{fullData.name}</extra>",
    };
  });
  if (options.decimals !== undefined && options.errors && series.length === 1) {
    data.push(textBeyond(labels, series[0]!, options.errors, options.decimals, vertical));
  }
  const words = series.map((s) => {
    const [low, high] = extremes(s.values);
    return `${s.name} from ${brief(low)} to ${brief(high)}`;
  });
  const layout = baseLayout(options, `Bar chart over ${listed(labels)}: ${words.join("; ")}.`, several);
  const categories: Axis = { type: "category", showgrid: false, categoryorder: "array", categoryarray: [...labels] };
  const values = axis(vertical ? options.yTitle : options.xTitle, {
    rangemode: "tozero",
    // Plotly leaves no room for the text at the bars' ends.
    ...(options.decimals === undefined || (mode === "stack" && several) ? {} : roomForText(series, options.errors)),
  });
  const names = axis(vertical ? options.xTitle : options.yTitle, {
    ...categories,
    ...(vertical ? {} : { autorange: "reversed" as const }),
  });
  return {
    data,
    layout: withReference(
      {
        ...layout,
        barmode: mode,
        bargap: several ? 0.25 : 0.3,
        xaxis: vertical ? names : values,
        yaxis: vertical ? values : names,
      },
      options.reference,
      vertical ? "y" : "x",
    ),
  };
}

/** The numbers of bars that have error bars, beyond those. */
function textBeyond(
  labels: readonly string[],
  series: Series,
  errors: ArrayLike<number>,
  decimals: number,
  vertical: boolean,
): Trace {
  const ends = labels.map((_, i) => {
    const end = series.values[i]! + (errors[i] ?? 0);
    return Number.isFinite(end) ? significant(end) : null;
  });
  return {
    type: "scatter",
    mode: "text",
    x: vertical ? labels : ends,
    y: vertical ? ends : labels,
    text: labels.map((_, i) => Number.isFinite(series.values[i]) ? series.values[i]!.toFixed(decimals) : ""),
    textposition: vertical ? "top center" : "middle right",
    showlegend: false,
    hoverinfo: "skip",
  };
}

/** A range of the value axis that ends a tenth beyond the longest bar. */
function roomForText(series: readonly Series[], errors: ArrayLike<number> | undefined): Axis {
  const ends = series.flatMap((s) => Array.from(s.values, (v, i) => v + (v < 0 ? -1 : 1) * (errors?.[i] ?? 0)));
  const [low, high] = extremes(ends);
  if (!(high > low) && !(Math.abs(high) > 0)) return {};
  const [bottom, top] = [Math.min(0, low), Math.max(0, high)];
  const room = 0.1 * (top - bottom);
  return { range: [significant(bottom < 0 ? bottom - room : 0, 4), significant(top > 0 ? top + room : 0, 4)] };
}

/** A level to compare with, for example chance. */
export interface Reference {
  /** Where the line is. */
  readonly value: number;
  /** What stands at its end. */
  readonly label: string;
}

/** Adds a dashed line across the plotting area, with its label outside at the end; no reference changes nothing. */
export function withReference(layout: Layout, reference: Reference | undefined, on: "x" | "y"): Layout {
  if (reference === undefined) return layout;
  const { value, label } = reference;
  const line = { color: MUTED, width: 1.5, dash: "dash" as const };
  const font = { size: 11, color: MUTED };
  const across: Shape = on === "y"
    ? { type: "line", xref: "x domain", yref: "y", x0: 0, x1: 1, y0: value, y1: value, line, layer: "below" }
    : { type: "line", xref: "x", yref: "y domain", x0: value, x1: value, y0: 0, y1: 1, line, layer: "below" };
  const name: Annotation = on === "y"
    ? {
      ...{ text: label, x: 1, y: value, xref: "x domain", yref: "y", xanchor: "left", yanchor: "middle" },
      ...{ xshift: 5, showarrow: false, font },
    }
    : {
      ...{ text: label, x: value, y: 1, xref: "x", yref: "y domain", xanchor: "center", yanchor: "bottom" },
      ...{ showarrow: false, font },
    };
  const { margin = {} } = layout;
  const room = on === "y"
    ? { r: Math.max(margin.r ?? 16, Math.ceil(widest([label], 11)) + 16) }
    : { t: (margin.t ?? 40) + 16 };
  return {
    ...(on === "x" ? liftLegend(layout, 16) : layout),
    margin: { ...margin, ...room },
    shapes: [...(layout.shapes ?? []), across],
    annotations: [...(layout.annotations ?? []), name],
  };
}

/** Options of {@linkcode countFigure}. */
export interface CountFigureOptions extends BarFigureOptions {
  /** Order of the labels; by first occurrence when absent. */
  readonly order?: readonly string[];
  /** A second property of every item: one series a value of it. */
  readonly by?: readonly string[];
}

/**
 * How often each label occurs.
 *
 * @param items One label an item.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const figure = countFigure(["sad", "angry", "sad"], { order: ["angry", "sad"] });
 * assert.deepEqual(figure.data[0]!.type === "bar" && figure.data[0]!.y, [1, 2]);
 * ```
 */
export function countFigure(items: readonly string[], options: CountFigureOptions = {}): Figure {
  const present = new Set(items);
  const labels = options.order ? options.order.filter((l) => present.has(l)) : [...present];
  const groups = options.by ? [...new Set(options.by)] : ["count"];
  const series = groups.map((name, k) => {
    const counts = new Map(labels.map((label) => [label, 0]));
    items.forEach((item, i) => {
      if ((options.by === undefined || options.by[i] === name) && counts.has(item)) {
        counts.set(item, counts.get(item)! + 1);
      }
    });
    return {
      name,
      values: labels.map((label) => counts.get(label)!),
      color: classColor(groups.length > 1 ? name : "", k),
    };
  });
  return barFigure(labels, series, {
    yTitle: options.orientation === "h" ? "" : "Clips",
    ...(options.orientation === "h" ? { xTitle: "Clips" } : {}),
    decimals: 0,
    colorBy: options.by ? "series" : "label",
    mode: "stack",
    ...options,
  });
}

/** Options of {@linkcode histogramFigure}. */
export interface HistogramFigureOptions extends ChartOptions {
  /** Number of bins, or the rule that finds it: NumPy's `auto`. */
  readonly bins?: number | "auto";
}

/**
 * Edges of equal bins over all values, by NumPy's rule `auto`: the narrower of Freedman–Diaconis and Sturges
 * (numpy.histogram_bin_edges, 2.1).
 *
 * @returns ascending edges, one more than bins; one bin of width 1 around a single value.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(binEdges([0, 1, 2, 3, 4], 2), [0, 2, 4]);
 * ```
 */
export function binEdges(values: ArrayLike<number>, bins: number | "auto" = "auto"): number[] {
  const sorted = Float64Array.from(Array.from(values).filter(Number.isFinite)).sort();
  const n = sorted.length;
  if (n === 0) return [0, 1];
  const low = sorted[0]!, high = sorted[n - 1]!;
  if (low === high) return [low - 0.5, high + 0.5];
  let count = bins === "auto" ? 0 : Math.max(1, Math.round(bins));
  if (count === 0) {
    const sturges = (high - low) / (Math.log2(n) + 1);
    const diaconis = 2 * (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / Math.cbrt(n);
    // NumPy takes Sturges alone where the quartiles coincide, and never more bins than fit on a page here.
    count = Math.min(200, Math.ceil((high - low) / (diaconis > 0 ? Math.min(sturges, diaconis) : sturges)));
  }
  return Array.from({ length: count + 1 }, (_, i) => i === count ? high : low + (high - low) * i / count);
}

/**
 * Quantile of sorted values with linear interpolation (NumPy's default method).
 *
 * @param sorted Ascending, at least one.
 * @param q In [0, 1].
 */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  const at = q * (sorted.length - 1);
  const below = sorted[Math.floor(at)]!, above = sorted[Math.ceil(at)]!;
  return below + (above - below) * (at - Math.floor(at));
}

/**
 * Histogram of one or several sets of values on common bins.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const figure = histogramFigure([{ name: "durations", values: [1, 1.2, 1.3, 2] }], { bins: 2, xTitle: "Duration (s)" });
 * assert.deepEqual(figure.data[0]!.type === "bar" && figure.data[0]!.y, [3, 1]);
 * ```
 */
export function histogramFigure(series: readonly Series[], options: HistogramFigureOptions = {}): Figure {
  const all = series.flatMap((s) => Array.from(s.values).filter(Number.isFinite));
  const edges = binEdges(all, options.bins ?? "auto");
  const several = series.length > 1;
  const data: Trace[] = series.map((s, k) => {
    const counts = new Array<number>(edges.length - 1).fill(0);
    let at: number;
    for (const v of Array.from(s.values)) {
      if (!Number.isFinite(v)) continue;
      at = Math.min(edges.length - 2, Math.floor((v - edges[0]!) / (edges.at(-1)! - edges[0]!) * (edges.length - 1)));
      // The division may round across an edge.
      if (v < edges[at]!) at--;
      else if (at < edges.length - 2 && v >= edges[at + 1]!) at++;
      counts[at]!++;
    }
    return {
      type: "bar",
      name: s.name,
      x: counts.map((_, i) => significant((edges[i]! + edges[i + 1]!) / 2, 6)),
      y: counts,
      width: significant(edges[1]! - edges[0]!, 6),
      marker: {
        color: s.color ?? classColor(several ? s.name : "", k),
        opacity: several ? 0.55 : 1,
        line: { color: "#FFFFFF", width: 0.5 },
      },
      hovertemplate: "%{x}: %{y}<extra>%{fullData.name}</extra>",
    };
  });
  const [low, high] = extremes(all);
  return {
    data,
    layout: {
      ...baseLayout(
        options,
        `Histogram of ${listed(series.map((s) => s.name))}: ${all.length} values from ${brief(low)} to ${brief(high)}` +
          (all.length ? `, median ${brief(quantile(Float64Array.from(all).sort(), 0.5))}.` : "."),
        several,
      ),
      barmode: "overlay",
      bargap: 0,
      xaxis: axis(options.xTitle, { range: [significant(edges[0]!), significant(edges.at(-1)!)] }),
      yaxis: axis(options.yTitle ?? "Count", { rangemode: "tozero" }),
    },
  };
}

/** A log axis; very small and very large numbers are written as powers of ten. */
function logarithmic(values: readonly ArrayLike<number>[]): Axis {
  const [low, high] = extremes(values.flatMap((v) => Array.from(v).filter((n) => n > 0)));
  return { type: "log", ...(low < 1e-3 || high > 1e5 ? { exponentformat: "power" as const } : {}) };
}

/** One line of a {@linkcode lineFigure}. */
export interface LineSeries {
  /** Name in the legend. */
  readonly name: string;
  /** Horizontal coordinates, as many as `y`. */
  readonly x: ArrayLike<number>;
  /** Vertical coordinates; NaN leaves a gap. */
  readonly y: ArrayLike<number>;
  /** A band around the line: its lower and upper edge. */
  readonly band?: { readonly low: ArrayLike<number>; readonly high: ArrayLike<number> };
  /** CSS colour; from the palette when absent. */
  readonly color?: string;
  /** Dash pattern. */
  readonly dash?: "solid" | "dot" | "dash" | "dashdot";
  /** Whether points are marked. */
  readonly markers?: boolean;
}

/** Options of {@linkcode lineFigure}. */
export interface LineFigureOptions extends ChartOptions {
  /** Logarithmic horizontal axis. */
  readonly logX?: boolean;
  /** Logarithmic vertical axis. */
  readonly logY?: boolean;
  /** Fixed ends of the vertical axis. */
  readonly yRange?: readonly [number, number];
  /** A horizontal line, for example the chance level. */
  readonly reference?: Reference;
}

/**
 * Lines over a common horizontal axis, each with a band where it has one.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const figure = lineFigure([{ name: "loss", x: [1, 2, 3], y: [1.2, 0.8, 0.6] }], { xTitle: "Epoch" });
 * assert.equal(figure.layout.xaxis?.title?.text, "Epoch");
 * ```
 */
export function lineFigure(series: readonly LineSeries[], options: LineFigureOptions = {}): Figure {
  const numbers = (values: ArrayLike<number>) => Array.from(values, (v) => Number.isFinite(v) ? significant(v) : null);
  const data: Trace[] = series.flatMap((s, k) => {
    const color = s.color ?? classColor(s.name, k);
    const line: ScatterTrace = {
      type: "scatter",
      mode: s.markers ? "lines+markers" : "lines",
      name: s.name,
      x: numbers(s.x),
      y: numbers(s.y),
      line: { color, width: 2, ...(s.dash ? { dash: s.dash } : {}) },
      ...(s.markers ? { marker: { color, size: 6 } } : {}),
      hovertemplate: "%{x}: %{y:.4g}<extra>%{fullData.name}</extra>",
    };
    if (!s.band) return [line];
    const x = numbers(s.x);
    const band: ScatterTrace = {
      type: "scatter",
      mode: "lines",
      x: [...x, ...x.toReversed()],
      y: [...numbers(s.band.high), ...numbers(s.band.low).reverse()],
      fill: "toself",
      fillcolor: withOpacity(color, 0.2),
      line: { color, width: 0 },
      showlegend: false,
      hoverinfo: "skip",
    };
    return [band, line];
  });
  const words = series.map((s) => {
    const [low, high] = extremes(s.y);
    return `${s.name} between ${brief(low)} and ${brief(high)}, at the end ${brief(s.y[s.y.length - 1] ?? NaN)}`;
  });
  const yTitle = options.yTitle ?? (series.length === 1 ? series[0]!.name : undefined);
  return {
    data,
    layout: withReference(
      {
        ...baseLayout(options, `Line chart: ${words.join("; ")}.`, series.length > 1),
        xaxis: axis(options.xTitle, options.logX ? { type: "log", exponentformat: "power" } : {}),
        yaxis: axis(yTitle, {
          ...(options.logY ? { type: "log" as const, exponentformat: "power" as const } : {}),
          ...(options.yRange ? { range: options.yRange } : {}),
        }),
      },
      options.reference,
      "y",
    ),
  };
}

/** Options of {@linkcode scatterFigure}. */
export interface ScatterFigureOptions extends ChartOptions {
  /** Class of each point: one colour and one line in the legend a class. */
  readonly groups?: readonly string[];
  /** Order of the classes. */
  readonly order?: readonly string[];
  /** Text of each point on hovering. */
  readonly labels?: readonly string[];
  /** Draws the line y = x. */
  readonly identity?: boolean;
  /** Logarithmic horizontal axis. */
  readonly logX?: boolean;
  /** Logarithmic vertical axis. */
  readonly logY?: boolean;
  /** At most so many points are kept, evenly over the list. */
  readonly maxPoints?: number;
}

/**
 * Points, coloured by class.
 *
 * @param x Horizontal coordinates.
 * @param y Vertical coordinates, as many.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const figure = scatterFigure([1, 2, 3], [3, 1, 2], { groups: ["sad", "angry", "sad"] });
 * assert.equal(figure.data.length, 2);
 * ```
 */
export function scatterFigure(x: ArrayLike<number>, y: ArrayLike<number>, options: ScatterFigureOptions = {}): Figure {
  const { groups, labels, maxPoints = 5000 } = options;
  const n = Math.min(x.length, y.length);
  const keep = Math.min(n, maxPoints);
  const indices = Array.from({ length: keep }, (_, i) => Math.floor(i * n / keep));
  const present = new Set(groups ?? []);
  const names = groups ? (options.order ? options.order.filter((g) => present.has(g)) : [...present]) : ["points"];
  const symbols = ["circle", "square", "diamond", "triangle-up"] as const;
  const data: Trace[] = names.map((name, k) => {
    const own = groups ? indices.filter((i) => groups[i] === name) : indices;
    return {
      type: "scatter",
      mode: "markers",
      name,
      x: own.map((i) => Number.isFinite(x[i]) ? significant(x[i]!) : null),
      y: own.map((i) => Number.isFinite(y[i]) ? significant(y[i]!) : null),
      marker: {
        color: classColor(groups ? name : "", k),
        size: keep > 500 ? 5 : 7,
        opacity: 0.75,
        symbol: symbols[k % 4]!,
      },
      ...(labels ? { text: own.map((i) => labels[i] ?? "") } : {}),
      hovertemplate: `${labels ? "%{text}: " : ""}%{x:.4g}, %{y:.4g}<extra>%{fullData.name}</extra>`,
    };
  });
  const [lowX, highX] = extremes(x), [lowY, highY] = extremes(y);
  const low = Math.max(lowX, lowY), high = Math.min(highX, highY);
  const identity: Shape = {
    type: "line",
    xref: "x",
    yref: "y",
    x0: low,
    y0: low,
    x1: high,
    y1: high,
    layer: "below",
    line: { color: MUTED, width: 1.5, dash: "dash" },
  };
  return {
    data,
    layout: {
      ...baseLayout(
        options,
        `Scatter plot of ${n} points${groups ? ` in the classes ${listed(names)}` : ""}: ${
          options.xTitle ?? "x"
        } from ` +
          `${brief(lowX)} to ${brief(highX)}, ${options.yTitle ?? "y"} from ${brief(lowY)} to ${brief(highY)}.`,
        names.length > 1,
      ),
      xaxis: axis(options.xTitle, options.logX ? logarithmic([x]) : {}),
      yaxis: axis(options.yTitle, options.logY ? logarithmic([y]) : {}),
      ...(options.identity && high > low ? { shapes: [identity] } : {}),
    },
  };
}

/** Options of {@linkcode boxFigure}. */
export interface BoxFigureOptions extends ChartOptions {
  /** Draws the single values beside the boxes. */
  readonly points?: boolean;
  /** At most so many points a box. */
  readonly maxPoints?: number;
  /** A line across, for example the chance level. */
  readonly reference?: Reference;
  /** Decimals of the hover text. */
  readonly decimals?: number;
}

/**
 * Box plots with the single values beside them: median, quartiles, whiskers to the last value within 1.5 times the
 * distance of the quartiles (Tukey, 1977; as matplotlib and Plotly draw them).
 *
 * @param series One box a series; series without finite values are left out.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const figure = boxFigure([{ name: "sad", values: [1, 2, 3, 4, 5] }]);
 * const box = figure.data[0]!;
 * assert.ok(box.type === "box");
 * assert.deepEqual([box.q1[0], box.median[0], box.q3[0]], [2, 3, 4]);
 * ```
 */
export function boxFigure(series: readonly Series[], options: BoxFigureOptions = {}): Figure {
  const { points = true, maxPoints = 200 } = options;
  const shown = series.map((s) => ({
    ...s,
    sorted: Float64Array.from(Array.from(s.values).filter(Number.isFinite)).sort(),
  }))
    .filter((s) => s.sorted.length > 0);
  const data: Trace[] = shown.flatMap((s, k): Trace[] => {
    const color = s.color ?? classColor(s.name, k);
    const [q1, median, q3] = [quantile(s.sorted, 0.25), quantile(s.sorted, 0.5), quantile(s.sorted, 0.75)];
    const reach = 1.5 * (q3 - q1);
    const inside = Array.from(s.sorted).filter((v) => v >= q1 - reach && v <= q3 + reach);
    const box: Trace = {
      type: "box",
      name: s.name,
      x: [points ? k - 0.14 : k],
      q1: [significant(q1)],
      median: [significant(median)],
      q3: [significant(q3)],
      lowerfence: [significant(Math.min(q1, inside[0]!))],
      upperfence: [significant(Math.max(q3, inside.at(-1)!))],
      width: points ? 0.4 : 0.55,
      line: { color, width: 1.5 },
      fillcolor: withOpacity(color, 0.3),
      showlegend: false,
    };
    if (!points) return [box];
    const keep = Math.min(s.sorted.length, maxPoints);
    const values = Array.from({ length: keep }, (_, i) => s.sorted[Math.floor(i * s.sorted.length / keep)]!);
    return [box, {
      type: "scatter",
      mode: "markers",
      name: s.name,
      // Multiples of the golden ratio spread evenly without a generator.
      x: values.map((_, i) => Number((k + 0.17 + 0.22 * ((i * 0.618034) % 1)).toFixed(3))),
      y: values.map((v) => significant(v)),
      marker: { color, size: 4, opacity: 0.6 },
      showlegend: false,
      hovertemplate: `%{y:.4g}<extra>${s.name}</extra>`,
    }];
  });
  const words = shown.map((s) => `${s.name}: median ${brief(quantile(s.sorted, 0.5))} of ${s.sorted.length}`);
  return {
    data,
    layout: withReference(
      {
        ...baseLayout(options, `Box plots. ${words.join("; ")}.`),
        xaxis: axis(options.xTitle, {
          tickvals: shown.map((_, k) => k),
          ticktext: shown.map((s) => s.name),
          range: [-0.55, Math.max(0, shown.length - 1) + 0.55],
          showgrid: false,
        }),
        yaxis: axis(options.yTitle),
      },
      options.reference,
      "y",
    ),
  };
}
