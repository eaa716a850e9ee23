/**
 * Several figures in one: small multiples with shared axes, one legend and one colour bar.
 *
 * @module
 */

import { baseLayout, type FigureOptions, liftLegend, listed } from "./base.ts";
import { parseText, plainText } from "./text.ts";
import type { Annotation, Axis, Figure, HeatmapTrace, Layout, Shape, Trace, XAxisId, YAxisId } from "./types.ts";

/** Options of {@linkcode smallMultiples}. */
export interface SmallMultiplesOptions extends FigureOptions {
  /** Panels a row. */
  readonly columns?: number;
  /** Titles of the panels; each figure's own title when absent. */
  readonly titles?: readonly string[];
  /** Whether all panels span the same on the horizontal axis, labelled at the bottom only. */
  readonly shareX?: boolean;
  /** Whether all panels span the same on the vertical axis, labelled at the left only. */
  readonly shareY?: boolean;
  /** Whether all heatmaps have the same colour scale, explained once. */
  readonly shareColor?: boolean;
  /** Height of a panel in pixels, when `height` is not given. */
  readonly panelHeight?: number;
}

type Letter = "x" | "y";

/**
 * Puts figures side by side, row by row.
 *
 * @param figures At least one.
 * @throws {RangeError} when there is no figure.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const one = { data: [{ type: "bar", x: ["a"], y: [1] }], layout: { title: { text: "One" } } } as const;
 * const figure = smallMultiples([one, one, one], { columns: 2, shareY: true });
 * assert.equal(figure.layout.yaxis3?.matches, "y");
 * assert.equal(figure.data.length, 3);
 * ```
 */
export function smallMultiples(figures: readonly Figure[], options: SmallMultiplesOptions = {}): Figure {
  if (figures.length === 0) throw new RangeError("Small multiples need at least one figure.");
  const { shareX = true, shareY = true, shareColor = true } = options;
  const columns = Math.min(figures.length, options.columns ?? Math.min(4, Math.ceil(Math.sqrt(figures.length))));
  const rows = Math.ceil(figures.length / columns);
  const titles = figures.map((f, i) => options.titles?.[i] ?? firstLine(f.layout.title?.text ?? ""));
  const titled = titles.some((t) => t !== "");
  const legend = figures.some((f) => f.layout.showlegend === true);
  const base = baseLayout(
    {
      ...options,
      height: options.height ??
        80 + (options.subtitle ? 20 : 0) + (legend ? 26 : 0) +
          rows * ((options.panelHeight ?? 150) + (shareX ? 24 : 56)),
    },
    `${figures.length} panels: ${listed(titles.map((t, i) => plainText(t) || `panel ${i + 1}`))}.`,
    legend,
  );

  // Gaps in pixels become fractions of the plotting area, as far as that is known before it is drawn.
  const inner = Math.max(60, (base.height ?? 400) - (base.margin?.t ?? 40) - 50);
  const gapY = Math.min(0.6 / rows, ((titled ? 24 : 10) + (shareX ? 0 : 40)) / inner);
  const gapX = Math.min(0.5 / columns, (shareY ? 24 : 62) / (options.width ?? 720));
  const width = (1 - gapX * (columns - 1)) / columns, height = (1 - gapY * (rows - 1)) / rows;

  const data: Trace[] = [], annotations: Annotation[] = [], shapes: Shape[] = [];
  const axes: Record<string, Axis> = {};
  const named = new Set<string>();
  const next = { x: 1, y: 1 };
  const heatmaps = figures.flatMap((f) => f.data.filter((t): t is HeatmapTrace => t.type === "heatmap"));
  const zmin = Math.min(...heatmaps.map((t) => t.zmin)), zmax = Math.max(...heatmaps.map((t) => t.zmax));
  const ranges = {
    x: shareX ? commonRange(figures, "xaxis") : undefined,
    y: shareY ? commonRange(figures, "yaxis") : undefined,
  };
  let scaled = false;
  figures.forEach((figure, i) => {
    const column = i % columns, row = Math.floor(i / columns);
    const left = column * (width + gapX), top = 1 - row * (height + gapY);
    const cell = { x: [left, left + width], y: [top - height, top] } as const;
    const rename = new Map<string, string>();
    const keys = new Set(["x", "y", ...figure.data.flatMap((t) => [t.xaxis ?? "x", t.yaxis ?? "y"])]);
    for (const key of Object.keys(figure.layout)) {
      const match = /^([xy])axis(\d*)$/.exec(key);
      if (match) keys.add(`${match[1]}${match[2]}`);
    }
    for (const key of keys) {
      const letter = key[0] as Letter;
      rename.set(key, `${letter}${next[letter] === 1 ? "" : next[letter]}`);
      next[letter]++;
    }
    const bottom = i + columns >= figures.length;
    for (const [old, id] of rename) {
      const letter = old[0] as Letter;
      const spec = (figure.layout as Readonly<Record<string, Axis | undefined>>)[`${letter}axis${old.slice(1)}`] ?? {};
      const [from, to] = cell[letter];
      const [a, b] = spec.domain ?? [0, 1];
      const shared = (letter === "x" ? shareX : shareY) && old.length === 1;
      const outer = letter === "x" ? bottom : column === 0;
      const { title, matches: _, ...rest } = spec;
      axes[`${letter}axis${id.slice(1)}`] = {
        ...rest,
        domain: [round(from + a * (to - from)), round(from + b * (to - from))],
        anchor: (rename.get(spec.anchor ?? (letter === "x" ? "y" : "x")) ?? (letter === "x" ? "y" : "x")) as
          | XAxisId
          | YAxisId,
        ...(shared && ranges[letter] ? { range: ranges[letter] } : {}),
        ...(shared && i > 0 ? { matches: letter as XAxisId | YAxisId } : {}),
        ...(shared && !outer ? { showticklabels: false } : title ? { title } : {}),
      };
    }
    for (const trace of figure.data) {
      const xaxis = rename.get(trace.xaxis ?? "x") as XAxisId, yaxis = rename.get(trace.yaxis ?? "y") as YAxisId;
      const repeated = trace.name !== undefined && named.has(trace.name);
      if (trace.name !== undefined) named.add(trace.name);
      const placed = {
        ...trace,
        xaxis,
        yaxis,
        ...(legend && trace.name !== undefined
          ? { legendgroup: trace.name, ...(repeated ? { showlegend: false } : {}) }
          : {}),
      };
      if (placed.type === "heatmap" && shareColor) {
        data.push({ ...placed, zmin, zmax, showscale: !scaled && placed.showscale !== false });
        scaled ||= placed.showscale !== false;
      } else if (placed.type === "heatmap") data.push({ ...placed, showscale: false });
      else data.push(placed);
    }
    const refer = (reference: string, letter: Letter): string => {
      if (reference === "paper") return `${rename.get(letter)} domain`;
      const [name, domain] = reference.split(" ");
      return [rename.get(name!) ?? name, domain].filter(Boolean).join(" ");
    };
    for (const a of figure.layout.annotations ?? []) {
      // What stands outside a single figure would run into the next panel, so it moves inside.
      const outside = a.x === 1 && a.xref.endsWith("domain") && a.xanchor === "left";
      annotations.push({
        ...a,
        xref: refer(a.xref, "x") as Annotation["xref"],
        yref: refer(a.yref, "y") as Annotation["yref"],
        ...(outside ? { xanchor: "right" as const, yanchor: "bottom" as const, xshift: 0 } : {}),
      });
    }
    for (const s of figure.layout.shapes ?? []) {
      shapes.push({ ...s, xref: refer(s.xref, "x") as Shape["xref"], yref: refer(s.yref, "y") as Shape["yref"] });
    }
    if (titles[i] !== "") {
      annotations.push({
        text: `<b>${titles[i]}</b>`,
        x: round(left),
        y: round(top),
        xref: "paper",
        yref: "paper",
        xanchor: "left",
        yanchor: "bottom",
        yshift: 3,
        showarrow: false,
        font: { size: 12 },
      });
    }
  });
  const first = figures[0]!.layout;
  return {
    data,
    layout: {
      ...(titled ? liftLegend(base, 18) : base),
      margin: { ...base.margin, t: (base.margin?.t ?? 16) + (titled ? 18 : 0) },
      ...(first.barmode ? { barmode: first.barmode } : {}),
      ...(first.bargap === undefined ? {} : { bargap: first.bargap }),
      annotations,
      shapes,
      ...axes,
    } as Layout,
  };
}

/** A range that holds the ranges of all figures; none when one of them leaves it open, or they run both ways. */
function commonRange(figures: readonly Figure[], key: "xaxis" | "yaxis"): readonly [number, number] | undefined {
  const ranges = figures.map((figure) => figure.layout[key]?.range);
  if (ranges.some((range) => range === undefined)) return undefined;
  const [starts, ends] = [ranges.map((range) => range![0]), ranges.map((range) => range![1])];
  if (ranges.every((range) => range![0] <= range![1])) return [Math.min(...starts), Math.max(...ends)];
  if (ranges.every((range) => range![0] >= range![1])) return [Math.max(...starts), Math.min(...ends)];
  return undefined;
}

function firstLine(text: string): string {
  return (parseText(text)[0] ?? []).map((span) => span.text).join("");
}

function round(value: number): number {
  return Number(value.toFixed(4)) + 0;
}
