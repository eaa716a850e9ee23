/**
 * What the builders share: the options of every figure, the layout that carries them, and rounding.
 *
 * @module
 */

import { INK, OKABE_ITO } from "./color.ts";
import { parseText, textWidth } from "./text.ts";
import type { Axis, Layout } from "./types.ts";

/** Options of every builder. */
export interface FigureOptions {
  /** Title: what is shown. */
  readonly title?: string;
  /** Second line, smaller: which data, how many, which protocol. */
  readonly subtitle?: string;
  /** Height in pixels. */
  readonly height?: number;
  /** Width in pixels; as wide as the page in Plotly and 720 in SVG when absent. */
  readonly width?: number;
  /** What the figure shows, in words, for those who cannot see it; by default the builder writes it. */
  readonly description?: string;
}

/** One named row of numbers. */
export interface Series {
  /** Name in the legend. */
  readonly name: string;
  /** The numbers. */
  readonly values: ArrayLike<number>;
  /** CSS colour; from the palette when absent. */
  readonly color?: string;
}

/** Layout with the house's looks: title at the left, palette, legend above the plot. */
export function baseLayout(options: FigureOptions, description: string, legend = false): Layout {
  const { title, subtitle } = options;
  const text = [
    title === undefined ? undefined : `<b>${title}</b>`,
    subtitle === undefined ? undefined : `<sub>${subtitle}</sub>`,
  ].filter((t) => t !== undefined);
  const top = 16 + (title === undefined ? 0 : 24) + (subtitle === undefined ? 0 : 20) + (legend ? 26 : 0);
  return {
    ...(text.length > 0
      ? {
        title: {
          text: text.join("<br>"),
          x: 0,
          xanchor: "left" as const,
          xref: "paper" as const,
          y: 1,
          yanchor: "top" as const,
          yref: "container" as const,
          // Plotly lifts a title of two lines by most of a line.
          pad: { t: text.length > 1 ? 26 : 14 },
          font: { size: 16, color: INK },
        },
      }
      : {}),
    ...(options.width === undefined ? {} : { width: options.width }),
    height: options.height ?? 360,
    margin: { t: top, l: 12, r: 16, b: 20 },
    showlegend: legend,
    ...(legend
      ? {
        legend: {
          orientation: "h" as const,
          x: 0,
          xanchor: "left" as const,
          y: 1.02,
          yanchor: "bottom" as const,
          traceorder: "normal" as const,
        },
      }
      : {}),
    colorway: [...OKABE_ITO],
    font: { family: "Helvetica, Arial, 'Liberation Sans', sans-serif", size: 12, color: INK },
    hovermode: "closest",
    meta: { description: options.description ?? description },
  };
}

/** Lifts a legend above the plot by so many pixels more, where text stands between. */
export function liftLegend(layout: Layout, pixels: number): Layout {
  if (layout.legend?.y === undefined) return layout;
  const inner = Math.max(60, (layout.height ?? 360) - (layout.margin?.t ?? 40) - 50);
  return { ...layout, legend: { ...layout.legend, y: Number((layout.legend.y + pixels / inner).toFixed(3)) } };
}

/** An axis with a title. */
export function axis(title: string | undefined, more: Axis = {}): Axis {
  return {
    ...(title === undefined || title === "" ? {} : { title: { text: title } }),
    zeroline: false,
    automargin: true,
    ...more,
  };
}

/**
 * Rounds to a number of significant digits: figures are stored as text, and nobody sees the seventh digit.
 */
export function significant(value: number, digits = 5): number {
  return Number.isFinite(value) ? Number(value.toPrecision(digits)) : value;
}

/**
 * Rounds to multiples of a step of 1, 2 or 5 times a power of ten, at most `range / parts`.
 */
export function quantizer(range: number, parts = 128): (value: number) => number {
  if (!(range > 0)) return (value) => value;
  const raw = range / parts;
  const power = Math.floor(Math.log10(raw));
  const factor = raw / 10 ** power >= 5 ? 5 : raw / 10 ** power >= 2 ? 2 : 1;
  const decimals = Math.max(0, -power);
  const step = factor * 10 ** power;
  return (value) => Number((Math.round(value / step) * step).toFixed(decimals));
}

/** A number for people: at most three significant digits. */
export function brief(value: number): string {
  if (!Number.isFinite(value)) return "not a number";
  return Math.abs(value) >= 1000 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

/** Width in pixels of the widest text, for margins that Plotly does not find by itself. */
export function widest(texts: readonly string[], size = 12): number {
  return Math.max(0, ...texts.flatMap((t) => parseText(t).map((l) => textWidth(l.map((s) => s.text).join(""), size))));
}

/** A list for people: `a, b and c`. */
export function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** The least and the greatest finite value; `[NaN, NaN]` when there is none. */
export function extremes(values: ArrayLike<number>): readonly [number, number] {
  let low = Infinity, high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const v = values[i]!;
    if (v < low && v > -Infinity) low = v;
    if (v > high && v < Infinity) high = v;
  }
  return low <= high ? [low, high] : [NaN, NaN];
}
