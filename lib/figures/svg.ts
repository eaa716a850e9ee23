/**
 * Draws a {@linkcode Figure} as SVG without a browser: what nbviewer, GitHub and reports show where Plotly cannot run.
 *
 * Equal figures give equal text. Layers: `axes.ts` says what the axes span, this module finds the margins, then draws
 * grid, heatmaps, bars, boxes, lines and points, axes, shapes, annotations, colour bars, legend and title.
 *
 * @module
 */

import {
  type AxisState,
  axisTicks,
  cellEdges,
  errorEnds,
  heatmapCentres,
  onAxis,
  placeBars,
  type PlacedBar,
  readAxes,
} from "./axes.ts";
import { colorAt, INK, MUTED, OKABE_ITO, parseColor, textOn, toHex } from "./color.ts";
import { encodeIndexedPng, toBase64 } from "./png.ts";
import { escapeXml, FONT_FAMILY, lineWidth, parseText, plainText, SMALL, type Span, wrapLine } from "./text.ts";
import { formatNumber, linearTicks, type Tick } from "./ticks.ts";
import type {
  Annotation,
  BarTrace,
  BoxTrace,
  ErrorBar,
  Figure,
  HeatmapTrace,
  Marker,
  ScatterTrace,
  Shape,
  Trace,
} from "./types.ts";

/** How a figure is drawn. */
export interface RenderOptions {
  /** Width in pixels; 720 when neither this nor the layout says. */
  readonly width?: number;
  /** Height in pixels; 400 when neither this nor the layout says. */
  readonly height?: number;
  /**
   * Ground and text: `light`, `dark`, or `auto` (the default), which is light unless the reader's system asks for dark.
   * The picture always brings its own ground, so it is readable wherever it stands.
   */
  readonly theme?: "light" | "dark" | "auto";
}

interface Colors {
  readonly ground: string;
  readonly text: string;
  readonly muted: string;
  readonly grid: string;
  readonly line: string;
}

const LIGHT: Colors = { ground: "#FFFFFF", text: INK, muted: "#59616B", grid: "#E4E7EB", line: "#A9B0B8" };
const DARK: Colors = { ground: "#161A20", text: "#E6E9ED", muted: "#A4ACB6", grid: "#2C333C", line: "#6B7480" };

const TICK_SIZE = 11, TITLE_SIZE = 12, HEAD_SIZE = 16, LEGEND_SIZE = 12;
const LEGEND_ROW = LEGEND_SIZE * 1.5;
const EDGE = 12;

/** A rectangle in pixels, y downwards. */
interface Rect {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Draws a figure as SVG.
 *
 * @returns one `<svg>` element with `<title>` and `<desc>`, scaled down to the width of what it stands in.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const svg = renderSvg({ data: [{ type: "bar", x: ["a", "b"], y: [1, 2] }], layout: { title: { text: "Two" } } });
 * assert.match(svg, /^<svg [^>]*viewBox="0 0 720 400"/);
 * assert.match(svg, /<title[^>]*>Two<\/title>/);
 * ```
 */
export function renderSvg(figure: Figure, options: RenderOptions = {}): string {
  return new Drawing(figure, options).toString();
}

/** Pixels, to a tenth: finer is invisible and costs bytes. */
function px(value: number): string {
  return String(Math.round(value * 10) / 10 + 0);
}

function fnv1a(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(36);
}

type Role = keyof Colors;

class Drawing {
  readonly #figure: Figure;
  readonly #width: number;
  readonly #height: number;
  readonly #theme: "light" | "dark" | "auto";
  /** Distinguishes this picture's classes and identifiers from another's on the same page. */
  readonly #id: string;
  readonly #axes: Map<string, AxisState>;
  readonly #bars: Map<Trace, PlacedBar[]>;
  readonly #colors = new Map<Trace, string>();
  readonly #out: string[] = [];
  readonly #title: Span[][];
  readonly #legend: Legend;
  #paper: Rect;

  constructor(figure: Figure, options: RenderOptions) {
    this.#figure = figure;
    this.#width = options.width ?? figure.layout.width ?? 720;
    this.#height = options.height ?? figure.layout.height ?? 400;
    this.#theme = options.theme ?? "auto";
    this.#id = `f${fnv1a(JSON.stringify([figure, this.#width, this.#height, this.#theme]))}`;
    const colorway = figure.layout.colorway ?? OKABE_ITO;
    figure.data.forEach((trace, i) => this.#colors.set(trace, mainColor(trace) ?? colorway[i % colorway.length]!));
    this.#axes = readAxes(figure);
    this.#bars = placeBars(figure, this.#axes);
    this.#title = parseText(figure.layout.title?.text ?? "").flatMap((line, i) =>
      wrapLine(line, HEAD_SIZE, this.#width - 2 * EDGE, i === 0)
    ).filter((line) => line.length > 0);
    this.#legend = layOutLegend(figure, this.#width - 2 * EDGE - 48);
    this.#paper = this.#findPaper();
  }

  toString(): string {
    const { layout } = this.#figure;
    const title = plainText(layout.title?.text ?? "", ": ") || "Figure";
    const description = layout.meta?.description ?? describe(this.#figure, this.#axes);
    const id = this.#id;
    this.#ground();
    const subplots = this.#subplots();
    for (const subplot of subplots) this.#grid(subplot);
    this.#shapes("below");
    subplots.forEach((subplot, i) => this.#traces(subplot, i));
    for (const axis of this.#axes.values()) this.#axis(axis);
    this.#shapes("above");
    this.#annotations();
    this.#colorBars();
    this.#drawLegend();
    this.#drawTitle();
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${this.#width}" height="${this.#height}" ` +
      `viewBox="0 0 ${this.#width} ${this.#height}" style="max-width:100%;height:auto" role="img" ` +
      `aria-labelledby="${id}-t ${id}-d" font-family="${escapeXml(FONT_FAMILY)}">` +
      `<title id="${id}-t">${escapeXml(title)}</title><desc id="${id}-d">${escapeXml(description)}</desc>` +
      `${this.#style()}${this.#out.join("")}</svg>`;
  }

  // ---- colours -------------------------------------------------------------------------------------------------

  get #palette(): Colors {
    return this.#theme === "dark" ? DARK : LIGHT;
  }

  /** In `auto` the light colours stand in attributes, and this sheet replaces them on dark ground. */
  #style(): string {
    if (this.#theme !== "auto") return "";
    const id = this.#id;
    const rules = (Object.keys(DARK) as Role[]).flatMap((role) => [
      `.${id}-${role}-f{fill:${DARK[role]}}`,
      `.${id}-${role}-s{stroke:${DARK[role]}}`,
    ]);
    return `<style>@media (prefers-color-scheme:dark){${rules.join("")}}</style>`;
  }

  #paint(property: "fill" | "stroke", role: Role): string {
    const color = `${property}="${this.#palette[role]}"`;
    return this.#theme === "auto" ? `class="${this.#id}-${role}-${property[0]}" ${color}` : color;
  }

  /** A colour of the figure; the ink of text turns light on dark ground. */
  #use(property: "fill" | "stroke", color: string): string {
    if (color.toUpperCase() === INK) return this.#paint(property, "text");
    return `${property}="${escapeXml(color)}"`;
  }

  // ---- layout --------------------------------------------------------------------------------------------------

  /** The plotting area: what the margins leave, which depend on the ticks, which depend on the plotting area. */
  #findPaper(): Rect {
    const { layout } = this.#figure;
    const head = this.#headHeight();
    const least = { l: layout.margin?.l ?? EDGE, r: layout.margin?.r ?? EDGE, t: EDGE, b: layout.margin?.b ?? EDGE };
    let margin = { l: 50, r: 20, t: head + 10, b: 45 };
    for (let pass = 0; pass < 4; pass++) {
      this.#paper = this.#inside(margin);
      const need = { ...least, t: head + 8 };
      for (const axis of this.#axes.values()) {
        const box = this.#axisBox(axis);
        if (!box) continue;
        need.l = Math.max(need.l, this.#paper.left - box.left + EDGE - 4);
        need.r = Math.max(need.r, box.left + box.width - (this.#paper.left + this.#paper.width) + EDGE - 2);
        need.b = Math.max(need.b, box.top + box.height - (this.#paper.top + this.#paper.height) + EDGE - 2);
        need.t = Math.max(need.t, head + 2 + Math.max(0, this.#paper.top - box.top));
      }
      let right = need.r;
      for (const annotation of layout.annotations ?? []) {
        const box = this.#annotationBox(annotation);
        if (!box) continue;
        right = Math.max(right, box.left + box.width - (this.#paper.left + this.#paper.width) + EDGE - 2);
        need.t = Math.max(need.t, head + 2 + Math.max(0, this.#paper.top - box.top));
        need.b = Math.max(need.b, box.top + box.height - (this.#paper.top + this.#paper.height) + EDGE - 2);
      }
      need.r = right;
      for (const trace of this.#scaled()) need.r = Math.max(need.r, this.#colorBarRoom(trace));
      if (!this.#legend.horizontal && this.#legend.entries.length > 0) {
        need.r = Math.max(need.r, this.#legend.width + 16 + EDGE);
      }
      margin = need;
    }
    return this.#inside(margin);
  }

  #inside(margin: { l: number; r: number; t: number; b: number }): Rect {
    return {
      left: margin.l,
      top: margin.t,
      width: Math.max(20, this.#width - margin.l - margin.r),
      height: Math.max(20, this.#height - margin.t - margin.b),
    };
  }

  #headHeight(): number {
    const title = this.#title.reduce((sum, line) => sum + lineHeight(line), 0);
    const legend = this.#legend.horizontal && this.#legend.entries.length > 0 ? this.#legend.height + 6 : 0;
    return EDGE + (title > 0 ? title + 2 : -4) + legend;
  }

  /** Pixels of the domain of an axis: start and length, from the left or from the bottom upwards (negative). */
  #extent(axis: AxisState): readonly [number, number] {
    const [from, to] = axis.domain;
    const paper = this.#paper;
    return axis.horizontal
      ? [paper.left + from * paper.width, (to - from) * paper.width]
      : [paper.top + (1 - from) * paper.height, -(to - from) * paper.height];
  }

  /** Pixel of a position on an axis (log₁₀, index or value). */
  #pixel(axis: AxisState, at: number): number {
    const [start, length] = this.#extent(axis);
    return start + (at - axis.low) / (axis.high - axis.low) * length;
  }

  #ticks(axis: AxisState): { ticks: Tick[]; angle: number } {
    return axisTicks(axis, Math.abs(this.#extent(axis)[1]), axis.spec.tickfont?.size ?? TICK_SIZE);
  }

  /** The line along which an axis stands: the low end of its anchor's domain. */
  #base(axis: AxisState): number {
    const anchor = this.#axes.get(axis.anchor);
    const from = anchor?.domain[0] ?? 0;
    const paper = this.#paper;
    return axis.horizontal ? paper.top + (1 - from) * paper.height : paper.left + from * paper.width;
  }

  /** How far tick texts reach from the axis line. */
  #tickReach(axis: AxisState): number {
    if (axis.spec.showticklabels === false) return 4;
    const size = axis.spec.tickfont?.size ?? TICK_SIZE;
    const { ticks, angle } = this.#ticks(axis);
    const boxes = ticks.map((t) => textBox(t.text, size));
    const width = Math.max(0, ...boxes.map((b) => b.width)), height = Math.max(size, ...boxes.map((b) => b.height));
    if (!axis.horizontal) return width + 7;
    const turn = Math.abs(angle) * Math.PI / 180;
    return 6 + (angle === 0 ? height : width * Math.sin(turn) + size * Math.cos(turn));
  }

  /** Everything that an axis draws outside its subplot. */
  #axisBox(axis: AxisState): Rect | undefined {
    if (axis.spec.visible === false) return undefined;
    const [start, length] = this.#extent(axis);
    const base = this.#base(axis);
    const title = axis.spec.title?.text ? TITLE_SIZE + 7 : 0;
    const reach = this.#tickReach(axis) + title;
    const size = axis.spec.tickfont?.size ?? TICK_SIZE;
    if (!axis.horizontal) {
      const top = start + length;
      return {
        left: base - reach,
        top: top - (axis.spec.showticklabels === false ? 0 : 4),
        width: reach,
        height: -length + 8,
      };
    }
    let left = start, right = start + length;
    if (axis.spec.showticklabels !== false) {
      const { ticks, angle } = this.#ticks(axis);
      for (const tick of ticks) {
        const { width } = textBox(tick.text, size);
        const at = this.#pixel(axis, tick.at);
        if (angle === 0) left = Math.min(left, at - width / 2), right = Math.max(right, at + width / 2);
        else {
          const along = width * Math.cos(angle * Math.PI / 180);
          if (angle < 0) left = Math.min(left, at - along);
          else right = Math.max(right, at + along);
        }
      }
    }
    return { left, top: base, width: right - left, height: reach };
  }

  // ---- parts ---------------------------------------------------------------------------------------------------

  #ground(): void {
    const { paper_bgcolor: paper } = this.#figure.layout;
    const fill = paper ? `fill="${escapeXml(paper)}"` : this.#paint("fill", "ground");
    this.#out.push(`<rect width="${this.#width}" height="${this.#height}" ${fill}/>`);
  }

  #subplots(): { x: AxisState; y: AxisState; traces: Trace[] }[] {
    const subplots = new Map<string, { x: AxisState; y: AxisState; traces: Trace[] }>();
    for (const trace of this.#figure.data) {
      const x = this.#axes.get(trace.xaxis ?? "x")!, y = this.#axes.get(trace.yaxis ?? "y")!;
      const key = `${x.id}${y.id}`;
      const found = subplots.get(key) ?? { x, y, traces: [] };
      found.traces.push(trace);
      subplots.set(key, found);
    }
    return [...subplots.values()];
  }

  #rect(x: AxisState, y: AxisState): Rect {
    const [left, width] = this.#extent(x), [bottom, height] = this.#extent(y);
    return { left, top: bottom + height, width, height: -height };
  }

  #grid({ x, y, traces }: { x: AxisState; y: AxisState; traces: Trace[] }): void {
    const rect = this.#rect(x, y);
    const covered = traces.some((t) => t.type === "heatmap");
    const lines: string[] = [], zero: string[] = [];
    for (const axis of [x, y]) {
      if (axis.spec.visible === false || covered) continue;
      const shown = axis.spec.showgrid ?? axis.type !== "category";
      const draw = (at: number) => {
        const p = this.#pixel(axis, at);
        return axis.horizontal
          ? `M${px(p)},${px(rect.top)}v${px(rect.height)}`
          : `M${px(rect.left)},${px(p)}h${px(rect.width)}`;
      };
      if (shown) { for (const tick of this.#ticks(axis).ticks) lines.push(draw(tick.at)); }
      const low = Math.min(axis.low, axis.high), high = Math.max(axis.low, axis.high);
      if (axis.spec.zeroline && axis.type === "linear" && low <= 0 && high >= 0) zero.push(draw(0));
    }
    if (lines.length) this.#out.push(`<path d="${lines.join("")}" fill="none" ${this.#paint("stroke", "grid")}/>`);
    if (zero.length) this.#out.push(`<path d="${zero.join("")}" fill="none" ${this.#paint("stroke", "line")}/>`);
  }

  #axis(axis: AxisState): void {
    if (axis.spec.visible === false) return;
    const [start, length] = this.#extent(axis);
    const base = this.#base(axis);
    const size = axis.spec.tickfont?.size ?? TICK_SIZE;
    const { ticks, angle } = this.#ticks(axis);
    if (axis.spec.showline) {
      const d = axis.horizontal ? `M${px(start)},${px(base)}h${px(length)}` : `M${px(base)},${px(start)}v${px(length)}`;
      this.#out.push(`<path d="${d}" fill="none" ${this.#paint("stroke", "line")}/>`);
    }
    if (axis.spec.ticks === "outside") {
      const d = ticks.map((t) => {
        const p = this.#pixel(axis, t.at);
        return axis.horizontal ? `M${px(p)},${px(base)}v4` : `M${px(base)},${px(p)}h-4`;
      });
      this.#out.push(`<path d="${d.join("")}" fill="none" ${this.#paint("stroke", "line")}/>`);
    }
    if (axis.spec.showticklabels !== false) {
      const anchor = axis.horizontal ? angle === 0 ? "middle" : angle < 0 ? "end" : "start" : "end";
      this.#out.push(`<g font-size="${size}" text-anchor="${anchor}" ${this.#paint("fill", "muted")}>`);
      for (const tick of ticks) {
        if (tick.text === "") continue;
        const p = this.#pixel(axis, tick.at);
        const lines = parseText(tick.text);
        if (!axis.horizontal) this.#text(lines, base - 7, p + size * 0.36 - (lines.length - 1) * size * 0.58, size);
        else if (angle === 0) this.#text(lines, p, base + 6 + size * 0.86, size);
        else {this.#text(
            lines,
            p + (angle < 0 ? 3 : -3),
            base + 7 + size * 0.6,
            size,
            `rotate(${angle} ${px(p)} ${px(base + 7)})`,
          );}
      }
      this.#out.push("</g>");
    }
    const title = axis.spec.title?.text;
    if (title) {
      const middle = start + length / 2;
      const reach = this.#tickReach(axis);
      this.#out.push(`<g font-size="${TITLE_SIZE}" text-anchor="middle" ${this.#paint("fill", "text")}>`);
      if (axis.horizontal) this.#text(parseText(title), middle, base + reach + TITLE_SIZE + 2, TITLE_SIZE);
      else {
        const x = base - reach - 6;
        this.#text(parseText(title), x, middle, TITLE_SIZE, `rotate(-90 ${px(x)} ${px(middle)})`);
      }
      this.#out.push("</g>");
    }
  }

  /** Lines of text, the first with its baseline at `y`. */
  #text(
    lines: readonly (readonly Span[])[],
    x: number,
    y: number,
    size: number,
    transform = "",
    attributes = "",
  ): void {
    const at = (line: number) => `x="${px(x)}" y="${px(y + line * size * 1.25)}"`;
    const content = lines.map((line, i) => {
      const spans = line.map((span) => styled(span, size)).join("");
      return i === 0 && lines.length === 1 ? spans : `<tspan ${at(i)}>${spans}</tspan>`;
    }).join("");
    const turned = transform ? ` transform="${transform}"` : "";
    this.#out.push(`<text ${at(0)}${turned}${attributes ? ` ${attributes}` : ""}>${content}</text>`);
  }

  // ---- traces --------------------------------------------------------------------------------------------------

  #traces({ x, y, traces }: { x: AxisState; y: AxisState; traces: Trace[] }, index: number): void {
    const rect = this.#rect(x, y);
    const clip = `${this.#id}-c${index}`;
    // Half a line's width of slack, so that a line along the edge is drawn whole.
    this.#out.push(
      `<clipPath id="${clip}"><rect x="${px(rect.left - 1)}" y="${px(rect.top - 1)}" width="${px(rect.width + 2)}" ` +
        `height="${px(rect.height + 2)}"/></clipPath><g clip-path="url(#${clip})">`,
    );
    for (const type of ["heatmap", "bar", "box", "scatter"] as const) {
      traces.forEach((trace, i) => {
        if (trace.type !== type) return;
        const faded = trace.opacity !== undefined && trace.opacity < 1;
        if (faded) this.#out.push(`<g opacity="${trace.opacity}">`);
        if (trace.type === "heatmap") this.#heatmap(trace, x, y);
        else if (trace.type === "bar") this.#bar(trace, x, y);
        else if (trace.type === "box") this.#box(trace, x, y);
        else this.#scatter(trace, x, y, traces.slice(0, i).findLast((t) => t.type === "scatter"));
        if (faded) this.#out.push("</g>");
      });
    }
    this.#out.push("</g>");
    // Markers and text may stand over the edge, as long as their points are inside.
    for (const trace of traces) {
      if (trace.type === "bar") this.#barText(trace, x, y);
      else if (trace.type === "scatter") this.#points(trace, x, y, rect);
    }
  }

  #scatter(trace: ScatterTrace, x: AxisState, y: AxisState, before: Trace | undefined): void {
    const color = this.#colors.get(trace)!;
    const points = trace.x.map((value, i) =>
      [this.#pixel(x, onAxis(x, value)), this.#pixel(y, onAxis(y, trace.y[i]))] as const
    );
    if (trace.fill && trace.fill !== "none") {
      let d = "";
      if (trace.fill === "toself") d = linePath(points, "linear", true);
      else {
        const run = points.filter(([a, b]) => Number.isFinite(a) && Number.isFinite(b));
        let back: (readonly [number, number])[] = [];
        if (trace.fill === "tozeroy" && run.length > 0) {
          const zero = this.#pixel(
            y,
            y.type === "linear"
              ? Math.max(Math.min(y.low, y.high), Math.min(0, Math.max(y.low, y.high)))
              : Math.min(y.low, y.high),
          );
          back = [[run.at(-1)![0], zero], [run[0]![0], zero]];
        } else if (before?.type === "scatter") {
          back = before.x.map((v, i) => [this.#pixel(x, onAxis(x, v)), this.#pixel(y, onAxis(y, before.y[i]))] as const)
            .filter(([a, b]) => Number.isFinite(a) && Number.isFinite(b)).reverse();
        }
        d = linePath([...run, ...back], "linear", true);
      }
      if (d) {
        this.#out.push(
          `<path d="${d}" fill="${escapeXml(trace.fillcolor ?? color)}"${
            trace.fillcolor ? "" : ' fill-opacity="0.3"'
          }/>`,
        );
      }
    }
    if (trace.mode.includes("lines") && trace.line?.width !== 0) {
      const d = linePath(points, trace.line?.shape ?? "linear", false);
      const width = trace.line?.width ?? 2;
      if (d) {
        this.#out.push(
          `<path d="${d}" fill="none" ${this.#use("stroke", color)} stroke-width="${width}" ` +
            `stroke-linejoin="round"${dashes(trace.line?.dash, width)}/>`,
        );
      }
    }
    if (trace.error_x) this.#errors(trace.error_x, trace.x.map(Number), points, x, color);
    if (trace.error_y) this.#errors(trace.error_y, trace.y.map(Number), points, y, color);
  }

  #points(trace: ScatterTrace, x: AxisState, y: AxisState, rect: Rect): void {
    if (trace.mode === "lines") return;
    const color = this.#colors.get(trace)!;
    const points = trace.x.map((value, i) => {
      const [a, b] = [this.#pixel(x, onAxis(x, value)), this.#pixel(y, onAxis(y, trace.y[i]))];
      const inside = a >= rect.left - 0.5 && a <= rect.left + rect.width + 0.5 && b >= rect.top - 0.5 &&
        b <= rect.top + rect.height + 0.5;
      return inside ? [a, b] as const : [NaN, NaN] as const;
    });
    if (trace.mode.includes("markers")) this.#markers(points, trace.marker ?? {}, color);
    if (trace.mode.includes("text") && trace.text) {
      const position = trace.textposition ?? "middle center";
      const away = (trace.mode.includes("markers") ? (trace.marker?.size ?? 6) / 2 : 0) + 3;
      const anchor = position === "middle right" ? "start" : "middle";
      this.#out.push(`<g font-size="${TICK_SIZE}" text-anchor="${anchor}" ${this.#paint("fill", "text")}>`);
      points.forEach(([a, b], i) => {
        const text = trace.text![i];
        if (!text || !Number.isFinite(a) || !Number.isFinite(b)) return;
        const dy = position === "top center"
          ? -away
          : position === "bottom center"
          ? away + TICK_SIZE * 0.8
          : TICK_SIZE * 0.36;
        this.#text(parseText(text), a + (position === "middle right" ? away : 0), b + dy, TICK_SIZE);
      });
      this.#out.push("</g>");
    }
  }

  #errors(
    error: ErrorBar,
    values: readonly number[],
    points: readonly (readonly [number, number])[],
    axis: AxisState,
    color: string,
  ): void {
    const cap = error.width ?? 4;
    const d = points.map(([a, b], i) => {
      const [low, high] = errorEnds(error, i, values[i] ?? NaN);
      const from = this.#pixel(axis, onAxis(axis, low)), to = this.#pixel(axis, onAxis(axis, high));
      if (!Number.isFinite(from) || !Number.isFinite(to)) return "";
      const [across, along] = axis.horizontal ? [b, "h"] as const : [a, "v"] as const;
      const path = along === "h" ? `M${px(from)},${px(across)}H${px(to)}` : `M${px(across)},${px(from)}V${px(to)}`;
      if (cap <= 0) return path;
      return path +
        [from, to].map((end) =>
          along === "h"
            ? `M${px(end)},${px(across - cap)}v${px(2 * cap)}`
            : `M${px(across - cap)},${px(end)}h${px(2 * cap)}`
        ).join("");
    }).join("");
    if (d) {
      this.#out.push(
        `<path d="${d}" fill="none" ${this.#use("stroke", error.color ?? color)} stroke-width="${
          error.thickness ?? 1.5
        }"/>`,
      );
    }
  }

  #markers(points: readonly (readonly [number, number])[], marker: Marker, color: string): void {
    const size = marker.size ?? 6, symbol = marker.symbol ?? "circle";
    const open = symbol.endsWith("-open") || symbol === "cross" || symbol === "x";
    const stroke = (own: string) =>
      open
        ? `fill="none" ${this.#use("stroke", own)} stroke-width="${marker.line?.width ?? 1.5}"`
        : `${this.#use("fill", own)}${
          marker.line?.width
            ? ` ${this.#use("stroke", marker.line.color ?? color)} stroke-width="${marker.line.width}"`
            : ""
        }`;
    const groups = new Map<string, string[]>();
    points.forEach(([a, b], i) => {
      if (!Number.isFinite(a) || !Number.isFinite(b)) return;
      const own = Array.isArray(marker.color) ? (marker.color as readonly string[])[i] ?? color : color;
      const list = groups.get(own) ?? [];
      list.push(symbolAt(symbol, a, b, size / 2));
      groups.set(own, list);
    });
    const opacity = marker.opacity !== undefined ? ` opacity="${marker.opacity}"` : "";
    for (const [own, shapes] of groups) {
      // The opacity belongs to each point, so that overlapping points show.
      const each = opacity ? shapes.map((s) => s.replace("/>", `${opacity}/>`)) : shapes;
      this.#out.push(`<g ${stroke(own)}>${each.join("")}</g>`);
    }
  }

  #barRects(trace: BarTrace, x: AxisState, y: AxisState): (Rect & { readonly tip: number })[] {
    const vertical = (trace.orientation ?? "v") === "v";
    const [position, value] = vertical ? [x, y] : [y, x];
    const floor = value.type === "log" ? Math.min(value.low, value.high) : NaN;
    return (this.#bars.get(trace) ?? []).map(({ across, along }) => {
      const [a, b] = across.map((v) => this.#pixel(position, v)) as [number, number];
      const from = this.#pixel(value, value.type === "log" && along[0] <= 0 ? floor : onAxis(value, along[0]));
      const to = this.#pixel(value, onAxis(value, along[1]));
      const [lowAcross, highAcross] = [Math.min(a, b), Math.max(a, b)],
        [lowAlong, highAlong] = [Math.min(from, to), Math.max(from, to)];
      return vertical
        ? { left: lowAcross, top: lowAlong, width: highAcross - lowAcross, height: highAlong - lowAlong, tip: to }
        : { left: lowAlong, top: lowAcross, width: highAlong - lowAlong, height: highAcross - lowAcross, tip: to };
    });
  }

  #bar(trace: BarTrace, x: AxisState, y: AxisState): void {
    const color = this.#colors.get(trace)!;
    const rects = this.#barRects(trace, x, y);
    const own = trace.marker?.color;
    const opacity = trace.marker?.opacity !== undefined ? ` fill-opacity="${trace.marker.opacity}"` : "";
    const line = trace.marker?.line?.width
      ? ` ${this.#use("stroke", trace.marker.line.color ?? color)} stroke-width="${trace.marker.line.width}"`
      : "";
    this.#out.push(`<g ${this.#use("fill", color)}${opacity}${line}>`);
    rects.forEach((r, i) => {
      if (![r.left, r.top, r.width, r.height].every(Number.isFinite)) return;
      const fill = Array.isArray(own) ? ` fill="${escapeXml((own as readonly string[])[i] ?? color)}"` : "";
      this.#out.push(
        `<rect x="${px(r.left)}" y="${px(r.top)}" width="${px(r.width)}" height="${px(r.height)}"${fill}/>`,
      );
    });
    this.#out.push("</g>");
    const vertical = (trace.orientation ?? "v") === "v";
    const centres = rects.map((r) => [r.left + r.width / 2, r.top + r.height / 2] as const);
    const tops = (this.#bars.get(trace) ?? []).map((b) => b.along[1]);
    if (trace.error_y && vertical) this.#errors(trace.error_y, tops, centres, y, INK);
    if (trace.error_x && !vertical) this.#errors(trace.error_x, tops, centres, x, INK);
  }

  #barText(trace: BarTrace, x: AxisState, y: AxisState): void {
    const { text, textposition = "none" } = trace;
    if (!text || textposition === "none") return;
    const vertical = (trace.orientation ?? "v") === "v";
    const outside = textposition === "outside";
    const anchor = vertical ? "middle" : outside ? "start" : "end";
    this.#out.push(`<g font-size="${TICK_SIZE}" text-anchor="${anchor}" ${this.#paint("fill", "text")}>`);
    this.#barRects(trace, x, y).forEach((r, i) => {
      if (!text[i] || !Number.isFinite(r.tip)) return;
      const own = Array.isArray(trace.marker?.color) ? trace.marker.color[i] : this.#colors.get(trace);
      const rgb = parseColor(own ?? "");
      const fill = outside || !rgb ? "" : `fill="${textOn([rgb[0], rgb[1], rgb[2]])}"`;
      const error = vertical ? trace.error_y : trace.error_x;
      const value = this.#bars.get(trace)![i]!.along[1];
      const tip = error
        ? this.#pixel(vertical ? y : x, onAxis(vertical ? y : x, errorEnds(error, i, value)[1]))
        : r.tip;
      if (vertical) {
        const down = value < 0;
        const baseline = outside ? down ? tip + TICK_SIZE + 1 : tip - 4 : down ? tip - 4 : tip + TICK_SIZE + 2;
        this.#text(parseText(text[i]!), r.left + r.width / 2, baseline, TICK_SIZE, "", fill);
      } else {this.#text(
          parseText(text[i]!),
          outside ? tip + 4 : tip - 4,
          r.top + r.height / 2 + TICK_SIZE * 0.36,
          TICK_SIZE,
          "",
          fill,
        );}
    });
    this.#out.push("</g>");
  }

  #box(trace: BoxTrace, x: AxisState, y: AxisState): void {
    const color = this.#colors.get(trace)!;
    const vertical = (trace.orientation ?? "v") === "v";
    const [position, value] = vertical ? [x, y] : [y, x];
    const at = (vertical ? trace.x : trace.y) ?? trace.median.map((_, i) => i);
    const half = (trace.width ?? 0.5) / 2;
    const width = trace.line?.width ?? 1.5;
    const to = (p: number, v: number) => vertical ? `${px(p)},${px(v)}` : `${px(v)},${px(p)}`;
    at.forEach((centre, i) => {
      const [a, m, b] = [centre - half, centre, centre + half].map((v) => this.#pixel(position, v)) as [
        number,
        number,
        number,
      ];
      const [low, q1, median, q3, high] = [
        trace.lowerfence[i]!,
        trace.q1[i]!,
        trace.median[i]!,
        trace.q3[i]!,
        trace.upperfence[i]!,
      ]
        .map((v) => this.#pixel(value, onAxis(value, v))) as [number, number, number, number, number];
      const [c, d] = [(a + m) / 2, (m + b) / 2];
      this.#out.push(
        `<path d="M${to(a, q1)}L${to(b, q1)} ${to(b, q3)} ${to(a, q3)}Z" fill="${
          escapeXml(trace.fillcolor ?? color)
        }"` +
          `${trace.fillcolor ? "" : ' fill-opacity="0.3"'}/>` +
          `<path d="M${to(a, q1)}L${to(b, q1)} ${to(b, q3)} ${to(a, q3)}ZM${to(m, q1)}L${to(m, low)}M${to(m, q3)}L${
            to(m, high)
          }` +
          `M${to(c, low)}L${to(d, low)}M${to(c, high)}L${to(d, high)}" fill="none" ${
            this.#use("stroke", color)
          } stroke-width="${width}"/>` +
          `<path d="M${to(a, median)}L${to(b, median)}" fill="none" ${this.#use("stroke", color)} stroke-width="${
            width + 1
          }"/>`,
      );
    });
  }

  // ---- heatmaps ------------------------------------------------------------------------------------------------

  #heatmap(trace: HeatmapTrace, x: AxisState, y: AxisState): void {
    const rows = trace.z.length, columns = trace.z[0]?.length ?? 0;
    if (rows === 0 || columns === 0) return;
    const xs = cellEdges(heatmapCentres(trace, "x").map((v) => onAxis(x, v))).map((v) => this.#pixel(x, v));
    const ys = cellEdges(heatmapCentres(trace, "y").map((v) => onAxis(y, v))).map((v) => this.#pixel(y, v));
    const position = (v: number) => (v - trace.zmin) / (trace.zmax - trace.zmin || 1);
    if (rows * columns <= 400) {
      const gapX = (trace.xgap ?? 0) / 2, gapY = (trace.ygap ?? 0) / 2;
      trace.z.forEach((row, r) =>
        row.forEach((v, c) => {
          if (v === null || !Number.isFinite(v)) return;
          const left = Math.min(xs[c]!, xs[c + 1]!) + gapX, top = Math.min(ys[r]!, ys[r + 1]!) + gapY;
          const width = Math.abs(xs[c + 1]! - xs[c]!) - 2 * gapX, height = Math.abs(ys[r + 1]! - ys[r]!) - 2 * gapY;
          this.#out.push(
            `<rect x="${px(left)}" y="${px(top)}" width="${px(width)}" height="${px(height)}" ` +
              `fill="${toHex(colorAt(trace.colorscale, position(v)))}"/>`,
          );
        })
      );
      return;
    }
    const left = Math.min(...xs), right = Math.max(...xs), top = Math.min(...ys), bottom = Math.max(...ys);
    // Cells of equal size become one pixel each; others are sampled on the screen's own pixels.
    const columnOf = pixelMap(xs), rowOf = pixelMap(ys);
    const width = columnOf.length, height = rowOf.length;
    const pixels = new Uint8Array(width * height);
    for (let j = 0; j < height; j++) {
      const row = trace.z[rowOf[j]!]!;
      for (let i = 0; i < width; i++) {
        const v = row[columnOf[i]!];
        pixels[j * width + i] = v === null || v === undefined || !Number.isFinite(v)
          ? 255
          : Math.round(Math.min(1, Math.max(0, position(v))) * 254);
      }
    }
    const palette = Array.from({ length: 256 }, (_, i) => colorAt(trace.colorscale, Math.min(i, 254) / 254));
    const png = toBase64(encodeIndexedPng({ width, height, pixels, palette, transparent: 255 }));
    this.#out.push(
      `<image x="${px(left)}" y="${px(top)}" width="${px(right - left)}" height="${px(bottom - top)}" ` +
        `preserveAspectRatio="none" image-rendering="optimizeSpeed" style="image-rendering:pixelated" href="data:image/png;base64,${png}"/>`,
    );
  }

  /** Traces that show a colour bar. */
  #scaled(): HeatmapTrace[] {
    return this.#figure.data.filter((t): t is HeatmapTrace => t.type === "heatmap" && t.showscale !== false);
  }

  #colorBarTicks(trace: HeatmapTrace): Tick[] {
    const bar = trace.colorbar ?? {};
    const length = this.#paper.height * (bar.len ?? 1);
    return (bar.tickvals
      ? bar.tickvals.map((at, i) => ({ at, text: bar.ticktext?.[i] ?? formatNumber(at, bar.tickformat ?? "") }))
      : linearTicks(trace.zmin, trace.zmax, Math.max(2, Math.floor(length / 34)), bar.tickformat))
      .map((t) => ({ at: t.at, text: t.text + (bar.ticksuffix ?? "") }));
  }

  #colorBarRoom(trace: HeatmapTrace): number {
    const width = Math.max(0, ...this.#colorBarTicks(trace).map((t) => textBox(t.text, TICK_SIZE).width));
    return 14 + (trace.colorbar?.thickness ?? 14) + 6 + width + (trace.colorbar?.title ? TITLE_SIZE + 10 : 0) + EDGE;
  }

  #colorBars(): void {
    for (const trace of this.#scaled()) {
      const bar = trace.colorbar ?? {};
      const thickness = bar.thickness ?? 14;
      const height = this.#paper.height * (bar.len ?? 1);
      const left = this.#paper.left + this.#paper.width + 14;
      const top = this.#paper.top + this.#paper.height * (1 - (bar.y ?? 0.5)) - height / 2;
      const id = `${this.#id}-b${this.#figure.data.indexOf(trace)}`;
      const stops = trace.colorscale.map(([at, color]) =>
        `<stop offset="${px(at * 1000)}" stop-color="${color}"/>`.replace(
          /offset="([\d.]+)"/,
          (_, v) => `offset="${Number(v) / 1000}"`,
        )
      );
      const ticks = this.#colorBarTicks(trace);
      const y = (v: number) => top + height * (1 - (v - trace.zmin) / (trace.zmax - trace.zmin || 1));
      this.#out.push(
        `<linearGradient id="${id}" x1="0" y1="1" x2="0" y2="0">${stops.join("")}</linearGradient>` +
          `<rect x="${px(left)}" y="${px(top)}" width="${thickness}" height="${px(height)}" fill="url(#${id})"/>` +
          `<g font-size="${TICK_SIZE}" ${this.#paint("fill", "muted")}>`,
      );
      for (const tick of ticks) {
        this.#text(parseText(tick.text), left + thickness + 6, y(tick.at) + TICK_SIZE * 0.36, TICK_SIZE);
      }
      this.#out.push("</g>");
      if (bar.title) {
        const x = left + thickness + 6 + Math.max(0, ...ticks.map((t) => textBox(t.text, TICK_SIZE).width)) + 10;
        const middle = top + height / 2;
        this.#out.push(`<g font-size="${TITLE_SIZE}" text-anchor="middle" ${this.#paint("fill", "text")}>`);
        this.#text(parseText(bar.title.text), x, middle, TITLE_SIZE, `rotate(90 ${px(x)} ${px(middle)})`);
        this.#out.push("</g>");
      }
    }
  }

  // ---- annotations, shapes, legend, title ----------------------------------------------------------------------

  /** Pixel of a place that an annotation or a shape names. */
  #place(reference: string, value: number | string): number {
    const name = reference.replace(" domain", "");
    if (reference === "paper") return NaN;
    const axis = this.#axes.get(name);
    if (!axis) return NaN;
    if (reference.endsWith(" domain")) {
      const [start, length] = this.#extent(axis);
      return start + Number(value) * length;
    }
    return this.#pixel(axis, onAxis(axis, value));
  }

  #placeX(reference: string, value: number | string): number {
    return reference === "paper" ? this.#paper.left + Number(value) * this.#paper.width : this.#place(reference, value);
  }

  #placeY(reference: string, value: number | string): number {
    return reference === "paper"
      ? this.#paper.top + (1 - Number(value)) * this.#paper.height
      : this.#place(reference, value);
  }

  #annotationBox(annotation: Annotation): Rect | undefined {
    const size = annotation.font?.size ?? TITLE_SIZE;
    const { width, height } = textBox(annotation.text, size);
    const x = this.#placeX(annotation.xref, annotation.x) + (annotation.xshift ?? 0);
    const y = this.#placeY(annotation.yref, annotation.y) - (annotation.yshift ?? 0);
    if (!Number.isFinite(x) || !Number.isFinite(y) || annotation.textangle) return undefined;
    const left = annotation.xanchor === "left" ? x : annotation.xanchor === "right" ? x - width : x - width / 2;
    const top = annotation.yanchor === "top" ? y : annotation.yanchor === "bottom" ? y - height : y - height / 2;
    return { left, top, width, height };
  }

  #annotations(): void {
    for (const annotation of this.#figure.layout.annotations ?? []) {
      const size = annotation.font?.size ?? TITLE_SIZE;
      const lines = parseText(annotation.text);
      const { height } = textBox(annotation.text, size);
      const x = this.#placeX(annotation.xref, annotation.x) + (annotation.xshift ?? 0);
      const y = this.#placeY(annotation.yref, annotation.y) - (annotation.yshift ?? 0);
      if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
      const top = annotation.yanchor === "top" ? y : annotation.yanchor === "bottom" ? y - height : y - height / 2;
      const anchor = annotation.xanchor === "left" ? "start" : annotation.xanchor === "right" ? "end" : "middle";
      const box = annotation.bgcolor ? this.#annotationBox(annotation) : undefined;
      if (box) {
        this.#out.push(
          `<rect x="${px(box.left - 3)}" y="${px(box.top - 2)}" width="${px(box.width + 6)}" height="${
            px(box.height + 4)
          }" rx="2" fill="${escapeXml(annotation.bgcolor!)}"/>`,
        );
      }
      const color = annotation.font?.color ? this.#use("fill", annotation.font.color) : this.#paint("fill", "text");
      const turn = annotation.textangle ? `rotate(${annotation.textangle} ${px(x)} ${px(y)})` : "";
      this.#text(lines, x, top + size * 0.86, size, turn, `font-size="${size}" text-anchor="${anchor}" ${color}`);
    }
  }

  #shapes(layer: "above" | "below"): void {
    for (const shape of this.#figure.layout.shapes ?? []) {
      if ((shape.layer ?? "above") === layer) this.#shape(shape);
    }
  }

  #shape(shape: Shape): void {
    const [x0, x1] = [this.#placeX(shape.xref, shape.x0), this.#placeX(shape.xref, shape.x1)];
    const [y0, y1] = [this.#placeY(shape.yref, shape.y0), this.#placeY(shape.yref, shape.y1)];
    if (![x0, x1, y0, y1].every(Number.isFinite)) return;
    const width = shape.line?.width ?? (shape.type === "line" ? 1.5 : 0);
    const stroke = width > 0
      ? ` ${this.#use("stroke", shape.line?.color ?? MUTED)} stroke-width="${width}"${dashes(shape.line?.dash, width)}`
      : "";
    const opacity = shape.opacity !== undefined ? ` opacity="${shape.opacity}"` : "";
    if (shape.type === "line") {
      this.#out.push(`<path d="M${px(x0)},${px(y0)}L${px(x1)},${px(y1)}" fill="none"${stroke}${opacity}/>`);
    } else {
      this.#out.push(
        `<rect x="${px(Math.min(x0, x1))}" y="${px(Math.min(y0, y1))}" width="${px(Math.abs(x1 - x0))}" ` +
          `height="${px(Math.abs(y1 - y0))}" fill="${escapeXml(shape.fillcolor ?? "none")}"${stroke}${opacity}/>`,
      );
    }
  }

  #drawLegend(): void {
    const { horizontal, entries } = this.#legend;
    if (entries.length === 0) return;
    const left = horizontal ? this.#paper.left : this.#paper.left + this.#paper.width + 16;
    const titleHeight = this.#title.reduce((sum, line) => sum + lineHeight(line), 0);
    const top = horizontal ? EDGE + (titleHeight > 0 ? titleHeight + 4 : 0) : this.#paper.top;
    this.#out.push(`<g font-size="${LEGEND_SIZE}" ${this.#paint("fill", "text")}>`);
    if (this.#legend.title) this.#text(parseText(this.#legend.title), left, top + LEGEND_SIZE, LEGEND_SIZE);
    for (const { trace, x, y } of entries) {
      const a = left + x, middle = top + y + LEGEND_ROW / 2;
      this.#swatch(trace, a, middle);
      this.#text(parseText(trace.name ?? ""), a + 28, middle + LEGEND_SIZE * 0.36, LEGEND_SIZE);
    }
    this.#out.push("</g>");
  }

  #swatch(trace: Trace, x: number, y: number): void {
    const color = this.#colors.get(trace)!;
    if (trace.type !== "scatter") {
      const own = trace.type === "box" && trace.fillcolor ? trace.fillcolor : color;
      const opacity = trace.type === "bar" ? trace.marker?.opacity ?? 1 : 1;
      this.#out.push(
        `<rect x="${px(x + 4)}" y="${px(y - 5)}" width="14" height="10" ${this.#use("fill", own)}` +
          `${opacity < 1 ? ` fill-opacity="${opacity}"` : ""}/>`,
      );
      return;
    }
    if (trace.fill && trace.fill !== "none" && trace.line?.width === 0) {
      this.#out.push(
        `<rect x="${px(x + 1)}" y="${px(y - 5)}" width="20" height="10" fill="${
          escapeXml(trace.fillcolor ?? color)
        }"/>`,
      );
      return;
    }
    if (trace.mode.includes("lines")) {
      const width = trace.line?.width ?? 2;
      this.#out.push(
        `<path d="M${px(x)},${px(y)}h22" fill="none" ${this.#use("stroke", color)} stroke-width="${width}"${
          dashes(trace.line?.dash, width)
        }/>`,
      );
    }
    if (trace.mode.includes("markers")) {
      const { color: _, opacity: __, ...marker } = trace.marker ?? {};
      this.#markers([[x + 11, y]], { ...marker, size: Math.min(marker.size ?? 6, 10) }, color);
    }
  }

  #drawTitle(): void {
    let y = EDGE;
    this.#title.forEach((line) => {
      const small = line.every((s) => s.shift !== "");
      const size = small ? HEAD_SIZE * SMALL : HEAD_SIZE;
      // A whole line in <sub> is a subtitle: small, but not lowered.
      const spans = small ? line.map((s) => ({ ...s, shift: "" as const })) : line;
      const style = small ? this.#paint("fill", "muted") : `font-weight="600" ${this.#paint("fill", "text")}`;
      this.#text([spans], Math.min(this.#paper.left, EDGE), y + size, size, "", `font-size="${size}" ${style}`);
      y += lineHeight(line);
    });
  }
}

// ---- helpers ---------------------------------------------------------------------------------------------------

function lineHeight(line: readonly Span[]): number {
  return line.every((s) => s.shift !== "") ? HEAD_SIZE * SMALL * 1.45 : HEAD_SIZE * 1.3;
}

function textBox(text: string, size: number): { width: number; height: number } {
  const lines = parseText(text);
  return { width: Math.max(0, ...lines.map((l) => lineWidth(l, size))), height: size * (1.25 * lines.length - 0.1) };
}

function styled(span: Span, size: number): string {
  const attributes = [
    span.bold ? 'font-weight="600"' : "",
    span.italic ? 'font-style="italic"' : "",
    span.shift ? `font-size="${px(size * SMALL)}" baseline-shift="${span.shift === "sub" ? "sub" : "super"}"` : "",
  ].filter(Boolean).join(" ");
  return attributes ? `<tspan ${attributes}>${escapeXml(span.text)}</tspan>` : escapeXml(span.text);
}

function mainColor(trace: Trace): string | undefined {
  if (trace.type === "heatmap") return undefined;
  const marker = trace.type === "box" ? undefined : trace.marker?.color;
  const single = typeof marker === "string" ? marker : undefined;
  const line = trace.type === "bar" ? undefined : trace.line?.color;
  return trace.type === "scatter" && trace.mode.includes("lines") ? line ?? single : single ?? line;
}

function dashes(dash: string | undefined, width: number): string {
  const patterns: Readonly<Record<string, readonly number[]>> = {
    dot: [1, 2],
    dash: [4, 3],
    dashdot: [4, 2.5, 1, 2.5],
  };
  const pattern = patterns[dash ?? ""];
  return pattern ? ` stroke-dasharray="${pattern.map((v) => px(v * Math.max(1.5, width))).join(" ")}"` : "";
}

/** Path through points; a point that is not finite interrupts it. */
function linePath(points: readonly (readonly [number, number])[], shape: "linear" | "hv", closed: boolean): string {
  let d = "", pen = false;
  for (const [x, y] of points) {
    if (!Number.isFinite(x) || !Number.isFinite(y)) {
      if (closed && pen) d += "Z";
      pen = false;
      continue;
    }
    d += pen ? shape === "hv" ? `H${px(x)}V${px(y)}` : `L${px(x)},${px(y)}` : `M${px(x)},${px(y)}`;
    pen = true;
  }
  return closed && pen ? `${d}Z` : d;
}

function symbolAt(symbol: string, x: number, y: number, r: number): string {
  switch (symbol.replace("-open", "")) {
    case "square": {
      const s = r * 0.9;
      return `<rect x="${px(x - s)}" y="${px(y - s)}" width="${px(2 * s)}" height="${px(2 * s)}"/>`;
    }
    case "diamond": {
      const s = r * 1.25;
      return `<path d="M${px(x)},${px(y - s)}L${px(x + s)},${px(y)} ${px(x)},${px(y + s)} ${px(x - s)},${px(y)}Z"/>`;
    }
    case "triangle-up": {
      const s = r * 1.15;
      return `<path d="M${px(x)},${px(y - s)}L${px(x + s)},${px(y + s * 0.75)} ${px(x - s)},${px(y + s * 0.75)}Z"/>`;
    }
    case "cross":
      return `<path d="M${px(x - r)},${px(y)}h${px(2 * r)}M${px(x)},${px(y - r)}v${px(2 * r)}"/>`;
    case "x": {
      const s = r * 0.8;
      return `<path d="M${px(x - s)},${px(y - s)}l${px(2 * s)},${px(2 * s)}m0,${px(-2 * s)}l${px(-2 * s)},${
        px(2 * s)
      }"/>`;
    }
    case "line-ns":
      return `<path d="M${px(x)},${px(y - r)}v${px(2 * r)}"/>`;
    default:
      return `<circle cx="${px(x)}" cy="${px(y)}" r="${px(r)}"/>`;
  }
}

/** Which cell each pixel shows, along ascending pixels, for cells whose edges are given in pixels. */
function pixelMap(edges: readonly number[]): number[] {
  const n = edges.length - 1;
  const descending = edges[n]! < edges[0]!;
  const total = Math.abs(edges[n]! - edges[0]!);
  const equal = edges.every((e, i) => Math.abs(Math.abs(e - edges[0]!) - i * total / n) < 0.25 * total / n);
  if (equal) return Array.from({ length: n }, (_, i) => descending ? n - 1 - i : i);
  const count = Math.min(1024, Math.max(1, Math.ceil(total)));
  const low = Math.min(edges[0]!, edges[n]!);
  const map: number[] = [];
  for (let i = 0, cell = descending ? n - 1 : 0; i < count; i++) {
    const at = low + (i + 0.5) * total / count;
    while (descending ? cell > 0 && at > edges[cell]! : cell < n - 1 && at > edges[cell + 1]!) {
      cell += descending ? -1 : 1;
    }
    map.push(cell);
  }
  return map;
}

interface Legend {
  readonly horizontal: boolean;
  readonly entries: readonly { readonly trace: Trace; readonly x: number; readonly y: number }[];
  readonly width: number;
  readonly height: number;
  readonly title: string;
}

function layOutLegend(figure: Figure, room: number): Legend {
  const { layout } = figure;
  const horizontal = layout.legend?.orientation === "h";
  const title = layout.legend?.title?.text ?? "";
  const named = figure.data.filter((t) => t.type !== "heatmap" && t.name !== undefined && t.showlegend !== false);
  const none: Legend = { horizontal, entries: [], width: 0, height: 0, title };
  if (layout.showlegend === false || named.length === 0 || (named.length === 1 && !layout.showlegend)) return none;
  if (layout.legend?.traceorder === "reversed") named.reverse();
  const titleWidth = title ? lineWidth(parseText(title)[0] ?? [], LEGEND_SIZE) + 10 : 0;
  let x = horizontal ? titleWidth : 0, y = horizontal || !title ? 0 : LEGEND_ROW, width = 0;
  const entries = named.map((trace) => {
    const own = 28 + lineWidth(parseText(trace.name ?? "")[0] ?? [], LEGEND_SIZE) + 16;
    if (horizontal && x > titleWidth && x + own > room) x = titleWidth, y += LEGEND_ROW;
    const entry = { trace, x, y };
    if (horizontal) x += own;
    else y += LEGEND_ROW;
    width = Math.max(width, horizontal ? x : own);
    return entry;
  });
  return { horizontal, entries, width, height: horizontal ? y + LEGEND_ROW : y, title };
}

function describe(figure: Figure, axes: ReadonlyMap<string, AxisState>): string {
  const kinds = new Map<string, number>();
  for (const trace of figure.data) kinds.set(trace.type, (kinds.get(trace.type) ?? 0) + 1);
  const names = { scatter: "line or scatter plot", bar: "bar chart", heatmap: "heat map", box: "box plot" };
  const parts = [...kinds].map(([kind, n]) => `${n > 1 ? `${n} traces: ` : ""}${names[kind as keyof typeof names]}`);
  const titles = [...new Set([...axes.values()].map((a) => a.spec.title?.text).filter((t) => t !== undefined))];
  const series = [...new Set(figure.data.flatMap((t) => t.name !== undefined ? [t.name] : []))];
  return [
    `${parts.join(", ")}.`,
    titles.length ? `Axes: ${titles.map((t) => plainText(t)).join("; ")}.` : "",
    series.length ? `Shown: ${series.map((t) => plainText(t)).join(", ")}.` : "",
  ].filter(Boolean).join(" ");
}
