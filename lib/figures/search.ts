/**
 * Figures of hyper-parameter search: parallel coordinates.
 *
 * @module
 */

import { axis, baseLayout, brief, type FigureOptions, significant } from "./base.ts";
import { colorAt, MUTED, toHex, VIRIDIS } from "./color.ts";
import type { Annotation, Figure, ScatterTrace, Shape } from "./types.ts";

/** One upright axis. */
export interface ParallelAxis {
  /** What stands on it. */
  readonly name: string;
  /** Ticks: places in [0, 1] from the bottom, and their text. */
  readonly ticks: readonly (readonly [place: number, text: string])[];
}

/** One line across the axes. */
export interface ParallelLine {
  /** Place on every axis in [0, 1]; null where the line passes an axis by. */
  readonly places: readonly (number | null)[];
  /** What the line is coloured by. */
  readonly value: number;
  /** Text on hovering. */
  readonly text?: string;
  /** Whether it is drawn faintly: one that was given up. */
  readonly faint?: boolean;
}

/** Options of {@linkcode parallelCoordinatesFigure}. */
export interface ParallelCoordinatesOptions extends FigureOptions {
  /** Value of the first colour; default the least. */
  readonly low?: number;
  /** Value of the last colour; default the largest. */
  readonly high?: number;
}

/**
 * Lines across upright axes, one a configuration, coloured by their values; the best are drawn last, on top.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const axes = [{ name: "rate", ticks: [[0, "0.001"], [1, "0.1"]] as const }, { name: "accuracy", ticks: [] }];
 * const figure = parallelCoordinatesFigure(axes, [{ places: [0.2, 1], value: 0.8 }, { places: [0.9, 0], value: 0.5 }]);
 * assert.equal(figure.data.length, 2);
 * ```
 */
export function parallelCoordinatesFigure(
  axes: readonly ParallelAxis[],
  lines: readonly ParallelLine[],
  options: ParallelCoordinatesOptions = {},
): Figure {
  const values = lines.map(({ value }) => value);
  const low = options.low ?? Math.min(...values), high = options.high ?? Math.max(...values);
  const color = (value: number): string => toHex(colorAt(VIRIDIS, high > low ? (value - low) / (high - low) : 0.5));
  const order = lines.map((line, i) => ({ line, i })).sort((a, b) =>
    Number(b.line.faint ?? false) - Number(a.line.faint ?? false) || a.line.value - b.line.value || a.i - b.i
  );
  const data = order.map(({ line }): ScatterTrace => {
    const isThere = line.places.map((place) => place !== null);
    return {
      type: "scatter",
      mode: "lines",
      x: line.places.flatMap((_, i) => isThere[i] ? [i] : []),
      y: line.places.flatMap((place) => place === null ? [] : [significant(place, 4)]),
      line: { color: color(line.value), width: line.faint ? 1 : 2 },
      opacity: line.faint ? 0.4 : 0.85,
      showlegend: false,
      ...(line.text === undefined ? {} : { name: line.text, hovertemplate: "%{fullData.name}<extra></extra>" }),
    };
  });
  const shapes = axes.map((_, i): Shape => ({
    type: "line",
    xref: "x",
    yref: "y",
    x0: i,
    x1: i,
    y0: 0,
    y1: 1,
    layer: "below",
    line: { color: MUTED, width: 1 },
  }));
  const annotations = axes.flatMap(({ name, ticks }, i): Annotation[] => [
    { text: `<b>${name}</b>`, x: i, y: 1.1, xref: "x", yref: "y", showarrow: false, font: { size: 12 } },
    ...ticks.map(([place, text]): Annotation => ({
      text,
      x: i,
      y: significant(place, 4),
      xref: "x",
      yref: "y",
      xanchor: "left",
      xshift: 4,
      showarrow: false,
      font: { size: 10, color: MUTED },
      bgcolor: "rgba(255,255,255,0.7)",
    })),
  ]);
  const words =
    `Parallel coordinates of ${lines.length} configurations over ${axes.map(({ name }) => name).join(", ")}; ` +
    `values from ${brief(low)} to ${brief(high)}, the best on top.`;
  return {
    data,
    layout: {
      ...baseLayout({ height: 420, ...options }, words),
      shapes,
      annotations,
      xaxis: axis(undefined, { range: [-0.15, axes.length - 1 + 0.45], visible: false, showgrid: false }),
      yaxis: axis(undefined, { range: [-0.05, 1.18], visible: false, showgrid: false }),
    },
  };
}
