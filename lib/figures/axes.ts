/**
 * Axes: which there are in a figure, what they span, and where their ticks are.
 *
 * @module
 */

import { formatNumber, linearTicks, logTicks, type Tick } from "./ticks.ts";
import { lineWidth, parseText } from "./text.ts";
import type { Axis, Coordinate, ErrorBar, Figure, HeatmapTrace, Trace, XAxisId, YAxisId } from "./types.ts";

/** An axis with all that the picture needs to know. */
export interface AxisState {
  /** `x`, `y2`, … */
  readonly id: XAxisId | YAxisId;
  /** Horizontal? */
  readonly horizontal: boolean;
  /** What the layout says. */
  readonly spec: Axis;
  /** Kind. */
  readonly type: "linear" | "log" | "category";
  /** Categories in order; empty on other axes. */
  readonly categories: readonly string[];
  /** Part of the plotting area, [0, 1]. */
  readonly domain: readonly [number, number];
  /** First value at the left or bottom, log₁₀ on a log axis. */
  low: number;
  /** Last value; less than `low` when reversed. */
  high: number;
  /** The axis it stands at. */
  readonly anchor: string;
}

/** Where one bar is: its span across (positions) and along (values), both as numbers on their axes. */
export interface PlacedBar {
  /** Edges on the position axis. */
  readonly across: readonly [number, number];
  /** Start and end on the value axis, in data units. */
  readonly along: readonly [number, number];
}

/** Places all bars of a figure as its `barmode` says. */
export function placeBars(figure: Figure, axes: ReadonlyMap<string, AxisState>): Map<Trace, PlacedBar[]> {
  const { barmode = "group", bargap = 0.2 } = figure.layout;
  const placed = new Map<Trace, PlacedBar[]>();
  const subplots = new Map<string, (Trace & { type: "bar" })[]>();
  for (const trace of figure.data) {
    if (trace.type !== "bar") continue;
    const key = `${trace.xaxis ?? "x"} ${trace.yaxis ?? "y"}`;
    subplots.set(key, [...(subplots.get(key) ?? []), trace]);
  }
  for (const traces of subplots.values()) {
    const positions = traces.map((trace) => {
      const vertical = (trace.orientation ?? "v") === "v";
      const axis = axes.get(vertical ? trace.xaxis ?? "x" : trace.yaxis ?? "y")!;
      return (vertical ? trace.x : trace.y).map((v) => onAxis(axis, v));
    });
    const sorted = [...new Set(positions.flat())].sort((a, b) => a - b);
    let distance = Infinity;
    for (let i = 1; i < sorted.length; i++) distance = Math.min(distance, sorted[i]! - sorted[i - 1]!);
    if (!Number.isFinite(distance)) distance = 1;
    const tops = new Map<string, number>();
    traces.forEach((trace, t) => {
      const values = (trace.orientation ?? "v") === "v" ? trace.y : trace.x;
      const beside = barmode === "group" && trace.width === undefined ? traces.length : 1;
      placed.set(
        trace,
        positions[t]!.map((at, i) => {
          const total = typeof trace.width === "number" ? trace.width : trace.width?.[i] ?? distance * (1 - bargap);
          const width = total / beside;
          const centre = at + (beside > 1 ? (t - (beside - 1) / 2) * width : 0);
          const value = Number(values[i] ?? NaN);
          const key = `${at} ${value < 0 ? "-" : "+"}`;
          const base = barmode === "stack" ? tops.get(key) ?? 0 : 0;
          if (barmode === "stack" && Number.isFinite(value)) tops.set(key, base + value);
          return { across: [centre - width / 2, centre + width / 2] as const, along: [base, base + value] as const };
        }),
      );
    });
  }
  return placed;
}

/** Centres of the columns (`x`) or rows (`y`) of a heatmap. */
export function heatmapCentres(trace: HeatmapTrace, axis: "x" | "y"): readonly (number | string)[] {
  const given = trace[axis];
  if (given) return given;
  const count = axis === "x" ? trace.z[0]?.length ?? 0 : trace.z.length;
  const first = (axis === "x" ? trace.x0 : trace.y0) ?? 0, distance = (axis === "x" ? trace.dx : trace.dy) ?? 1;
  return Array.from({ length: count }, (_, i) => first + i * distance);
}

/** Edges between cells whose centres are given: midpoints, and half a cell beyond the ends. */
export function cellEdges(centres: readonly number[]): number[] {
  const n = centres.length;
  if (n === 0) return [];
  if (n === 1) return [centres[0]! - 0.5, centres[0]! + 0.5];
  const edges = [centres[0]! - (centres[1]! - centres[0]!) / 2];
  for (let i = 1; i < n; i++) edges.push((centres[i - 1]! + centres[i]!) / 2);
  edges.push(centres[n - 1]! + (centres[n - 1]! - centres[n - 2]!) / 2);
  return edges;
}

/** Value of a coordinate on an axis: log₁₀ on a log axis, index on a category axis, NaN for a gap. */
export function onAxis(axis: AxisState, value: Coordinate | undefined): number {
  if (value === null || value === undefined) return NaN;
  if (axis.type === "category") {
    if (typeof value === "number" && !axis.categories.includes(String(value))) return value;
    const index = axis.categories.indexOf(String(value));
    return index < 0 ? NaN : index;
  }
  const number = Number(value);
  return axis.type === "log" ? (number > 0 ? Math.log10(number) : NaN) : number;
}

/** Ends of an error bar at `value`, in data units. */
export function errorEnds(error: ErrorBar, i: number, value: number): readonly [number, number] {
  const up = error.array[i] ?? 0;
  const down = error.symmetric ? up : error.arrayminus?.[i] ?? 0;
  return [value - down, value + up];
}

/** Reads the axes of a figure and finds what each spans. */
export function readAxes(figure: Figure): Map<string, AxisState> {
  const { data, layout } = figure;
  const ids = new Set<XAxisId | YAxisId>();
  for (const trace of data) ids.add(trace.xaxis ?? "x").add(trace.yaxis ?? "y");
  for (const key of Object.keys(layout)) {
    const match = /^([xy])axis(\d*)$/.exec(key);
    if (match) ids.add(`${match[1]}${match[2]}` as XAxisId | YAxisId);
  }
  const axes = new Map<string, AxisState>();
  for (const id of ids) axes.set(id, readAxis(figure, id));
  spanAxes(figure, axes);
  return axes;
}

function tracesOn(figure: Figure, id: string): Trace[] {
  return figure.data.filter((t) => (t.xaxis ?? "x") === id || (t.yaxis ?? "y") === id);
}

function positionsOf(trace: Trace, horizontal: boolean): readonly Coordinate[] {
  if (trace.type === "heatmap") return heatmapCentres(trace, horizontal ? "x" : "y");
  if (trace.type === "box") return (horizontal ? trace.x : trace.y) ?? [];
  return horizontal ? trace.x : trace.y;
}

function readAxis(figure: Figure, id: XAxisId | YAxisId): AxisState {
  const horizontal = id.startsWith("x");
  const spec = (figure.layout as Readonly<Record<string, Axis | undefined>>)[`${id[0]}axis${id.slice(1)}`] ?? {};
  const seen: string[] = [];
  let text = false;
  for (const trace of tracesOn(figure, id)) {
    for (const value of positionsOf(trace, horizontal)) {
      if (value === null) continue;
      if (typeof value === "string" && (value.trim() === "" || Number.isNaN(Number(value)))) text = true;
      if (spec.type === "category" || text) seen.push(String(value));
    }
  }
  const type = spec.type ?? (text ? "category" : "linear");
  const categories = type === "category" ? [...new Set([...(spec.categoryarray ?? []), ...seen])] : [];
  return {
    id,
    horizontal,
    spec,
    type,
    categories,
    domain: spec.domain ?? [0, 1],
    low: NaN,
    high: NaN,
    anchor: spec.anchor && spec.anchor !== "free" ? spec.anchor : horizontal ? "y" : "x",
  };
}

interface Span {
  low: number;
  high: number;
  padLow: number;
  padHigh: number;
}

function spanAxes(figure: Figure, axes: Map<string, AxisState>): void {
  const groups = new Map<string, AxisState[]>();
  const bars = placeBars(figure, axes);
  for (const axis of axes.values()) {
    let root = axis;
    for (let hops = 0; root.spec.matches && axes.has(root.spec.matches) && hops < axes.size; hops++) {
      root = axes.get(root.spec.matches)!;
    }
    groups.set(root.id, [...(groups.get(root.id) ?? []), axis]);
  }
  for (const members of groups.values()) {
    const span: Span = { low: Infinity, high: -Infinity, padLow: 0, padHigh: 0 };
    for (const axis of members) {
      for (const trace of tracesOn(figure, axis.id)) widen(span, trace, axis, bars.get(trace) ?? []);
      if (axis.type === "category") grow(span, -0.5, axis.categories.length - 0.5);
      if (axis.spec.rangemode === "tozero") {
        if (span.low >= 0) span.low = 0, span.padLow = 0;
        else if (span.high <= 0) span.high = 0, span.padHigh = 0;
      }
    }
    if (!(span.low <= span.high)) span.low = 0, span.high = 1;
    if (span.low === span.high) {
      const half = span.low === 0 ? 1 : Math.abs(span.low) * 0.1;
      span.low -= half;
      span.high += half;
    }
    const width = span.high - span.low;
    const low = span.low - width * span.padLow, high = span.high + width * span.padHigh;
    for (const axis of members) {
      const fixed = axis.spec.range ?? members.find((m) => m.spec.range)?.spec.range;
      [axis.low, axis.high] = fixed ?? (axis.spec.autorange === "reversed" ? [high, low] : [low, high]);
    }
  }
}

function grow(span: Span, ...values: number[]): void {
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < span.low) span.low = value;
    if (value > span.high) span.high = value;
  }
}

function widen(span: Span, trace: Trace, axis: AxisState, bars: readonly PlacedBar[]): void {
  const { horizontal } = axis;
  const pad = (low: number, high: number) => {
    span.padLow = Math.max(span.padLow, low);
    span.padHigh = Math.max(span.padHigh, high);
  };
  switch (trace.type) {
    case "heatmap": {
      if (axis.type === "category") return;
      const centres = positionsOf(trace, horizontal).map((v) => onAxis(axis, v));
      grow(span, ...cellEdges(centres));
      return;
    }
    case "box": {
      const across = (trace.orientation ?? "v") === (horizontal ? "v" : "h");
      if (across) {
        for (const v of positionsOf(trace, horizontal)) grow(span, onAxis(axis, v) - 0.5, onAxis(axis, v) + 0.5);
        return;
      }
      for (const list of [trace.lowerfence, trace.upperfence]) for (const v of list) grow(span, onAxis(axis, v));
      pad(0.05, 0.05);
      return;
    }
    case "bar": {
      const along = (trace.orientation ?? "v") === (horizontal ? "h" : "v");
      if (!along) {
        if (axis.type !== "category") { for (const bar of bars) grow(span, ...bar.across); }
        return;
      }
      const error = horizontal ? trace.error_x : trace.error_y;
      bars.forEach(({ along: [base, end] }, i) => {
        grow(span, onAxis(axis, base), onAxis(axis, end));
        if (error) { for (const tip of errorEnds(error, i, end)) grow(span, onAxis(axis, tip)); }
      });
      const room = trace.textposition === "outside" ? 0.1 : 0.05;
      pad(span.low < 0 ? room : 0, span.high > 0 ? room : 0);
      return;
    }
    case "scatter": {
      const error = horizontal ? trace.error_x : trace.error_y;
      positionsOf(trace, horizontal).forEach((value, i) => {
        grow(span, onAxis(axis, value));
        if (error && value !== null) {
          for (const end of errorEnds(error, i, Number(value))) grow(span, onAxis(axis, end));
        }
      });
      if (trace.fill === "tozeroy" && !horizontal && axis.type === "linear") grow(span, 0);
      if (axis.type === "category") return;
      if (!horizontal || trace.mode !== "lines") pad(0.05, 0.05);
    }
  }
}

/** Room that a tick needs along the axis. */
const GAP = 10;

/**
 * Ticks of an axis that is `length` pixels long, and whether their text has to be turned.
 *
 * @returns ticks inside the range, and the rotation of their text in degrees.
 */
export function axisTicks(axis: AxisState, length: number, size: number): { ticks: Tick[]; angle: number } {
  const { spec } = axis;
  const low = Math.min(axis.low, axis.high), high = Math.max(axis.low, axis.high);
  const inside = (at: number) => at >= low - (high - low) * 1e-6 && at <= high + (high - low) * 1e-6;
  const pixels = length / (high - low);
  const widest = (ticks: readonly Tick[]) =>
    Math.max(0, ...ticks.flatMap((t) => parseText(t.text).map((line) => lineWidth(line, size))));
  if (axis.type === "category" || spec.tickvals) {
    const all: Tick[] = spec.tickvals
      ? spec.tickvals.map((v, i) => ({
        at: axis.type === "log" ? Math.log10(v) : v,
        text: spec.ticktext?.[i] ?? (spec.tickformat ? formatNumber(v, spec.tickformat) : formatNumber(v, "")) +
            (spec.ticksuffix ?? ""),
      }))
      : axis.categories.map((text, at) => ({ at, text }));
    const ticks = all.filter((t) => inside(t.at)).sort((a, b) => a.at - b.at);
    const angle = spec.tickangle ??
      (axis.horizontal && axis.type === "category" && crowded(ticks, pixels, size) ? -40 : 0);
    return { ticks: thin(ticks, pixels, axis.horizontal && angle === 0 ? widest(ticks) + 4 : size * 1.15), angle };
  }
  // Horizontally the text decides how many ticks there is room for, so the number is lowered until it fits.
  const least = !axis.horizontal && length >= 45 ? 3 : 1;
  for (let count = Math.max(least, Math.floor(length / (axis.horizontal ? 40 : 32)));; count--) {
    const ticks = (axis.type === "log"
      ? logTicks(low, high, count, spec.tickformat)
      : linearTicks(low, high, count, spec.tickformat, spec.dtick))
      .map((t) =>
        spec.ticksuffix ? { at: t.at, text: t.text + spec.ticksuffix } : t
      );
    const distance = ticks.length > 1 ? (ticks[1]!.at - ticks[0]!.at) * pixels : Infinity;
    if (!axis.horizontal || count <= 1 || widest(ticks) + GAP <= distance) {
      return {
        ticks: axis.type === "log" ? thin(ticks, pixels, axis.horizontal ? widest(ticks) + 4 : size * 1.15) : ticks,
        angle: spec.tickangle ?? 0,
      };
    }
  }
}

function crowded(ticks: readonly Tick[], pixels: number, size: number): boolean {
  return ticks.some((tick, i) => {
    const next = ticks[i + 1];
    if (!next) return false;
    const half = (t: Tick) => Math.max(0, ...parseText(t.text).map((line) => lineWidth(line, size))) / 2;
    return half(tick) + half(next) + 6 > (next.at - tick.at) * pixels;
  });
}

/** Drops texts that would run into the one before; grid lines stay. */
function thin(ticks: readonly Tick[], pixels: number, room: number): Tick[] {
  let last = -Infinity;
  return ticks.map((tick) => {
    if (tick.at * pixels - last < room - 0.01) return { at: tick.at, text: "" };
    last = tick.at * pixels;
    return tick;
  });
}
