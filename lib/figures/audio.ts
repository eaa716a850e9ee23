/**
 * Figures of sound: waveforms and time–frequency pictures, small enough to be stored.
 *
 * @module
 */

import type { Matrix, Waveform } from "../types.ts";
import { axis, baseLayout, brief, extremes, type FigureOptions, quantizer, significant } from "./base.ts";
import { MAGMA, OKABE_ITO } from "./color.ts";
import { formatNumber } from "./ticks.ts";
import type { ColorScale, Figure, HeatmapTrace } from "./types.ts";

/** Options of {@linkcode waveformFigure}. */
export interface WaveformFigureOptions extends FigureOptions {
  /** Colour of the line. */
  readonly color?: string;
  /** At most so many points are kept; longer waves become the envelope of their least and greatest samples. */
  readonly maxPoints?: number;
  /** Time of the first sample in seconds. */
  readonly offsetSec?: number;
  /** Half the height of the axis; by default from the samples. */
  readonly amplitude?: number;
}

/**
 * The envelope of a wave: in each of the equal stretches of time, the least and the greatest sample, in the order in
 * which they occur, at their own times. A wave of at most `maxPoints` samples is returned whole.
 *
 * @param samples The wave.
 * @param maxPoints At least 2.
 * @returns indices of the samples that are kept, ascending.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = Float32Array.from({ length: 1000 }, (_, i) => i === 517 ? 1 : 0);
 * const kept = envelope(wave, 20);
 * assert.ok(kept.length <= 20 && kept.includes(517));
 * ```
 */
export function envelope(samples: Float32Array, maxPoints: number): number[] {
  const n = samples.length;
  if (n <= maxPoints) return Array.from({ length: n }, (_, i) => i);
  const bins = Math.max(1, Math.floor(maxPoints / 2));
  const kept: number[] = [];
  for (let bin = 0; bin < bins; bin++) {
    const from = Math.floor(bin * n / bins), to = Math.floor((bin + 1) * n / bins);
    let low = from, high = from;
    for (let i = from + 1; i < to; i++) {
      if (samples[i]! < samples[low]!) low = i;
      if (samples[i]! > samples[high]!) high = i;
    }
    if (low === high) kept.push(low);
    else kept.push(Math.min(low, high), Math.max(low, high));
  }
  return kept;
}

/**
 * A waveform: amplitude over time in seconds.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const samples = Float32Array.from({ length: 22050 }, (_, i) => Math.sin(i / 10));
 * const figure = waveformFigure({ samples, sampleRateHz: 22050 }, { title: "A tone", maxPoints: 500 });
 * assert.equal(figure.data[0]!.type, "scatter");
 * assert.ok(JSON.stringify(figure).length < 20_000);
 * ```
 */
export function waveformFigure(wave: Waveform, options: WaveformFigureOptions = {}): Figure {
  const { samples, sampleRateHz } = wave;
  const kept = envelope(samples, options.maxPoints ?? 1200);
  const [low, high] = extremes(samples);
  const peak = Math.max(Math.abs(low), Math.abs(high));
  const offset = options.offsetSec ?? 0;
  const duration = samples.length / sampleRateHz;
  const reach = options.amplitude ?? (peak > 0 ? peak * 1.05 : 1);
  const round = quantizer(2 * reach, 2000);
  return {
    data: [{
      type: "scatter",
      mode: "lines",
      x: kept.map((i) => Number((offset + i / sampleRateHz).toFixed(4))),
      y: kept.map((i) => Number.isFinite(samples[i]) ? round(samples[i]!) : null),
      line: { color: options.color ?? OKABE_ITO[0], width: 1 },
      showlegend: false,
      hovertemplate: "%{x:.3f} s: %{y:.3f}<extra></extra>",
    }],
    layout: {
      ...baseLayout(
        { height: 240, ...options },
        `Waveform of ${brief(duration)} s at ${sampleRateHz} Hz; its largest amplitude is ${brief(peak)}.`,
      ),
      xaxis: axis("Time (s)", { range: [offset, offset + Math.max(duration, 1e-6)] }),
      yaxis: axis("Amplitude", {
        range: [-reach, reach].map((v) => significant(v, 4)) as [number, number],
        zeroline: true,
      }),
    },
  };
}

/** Options of {@linkcode spectrogramFigure}. */
export interface SpectrogramFigureOptions extends FigureOptions {
  /** Centre frequencies of the rows in Hz, ascending, `[bins]`. */
  readonly frequenciesHz: ArrayLike<number>;
  /** Distance of the frames in seconds: `hopLength / sampleRateHz`. */
  readonly secondsPerFrame: number;
  /** Time of the first frame in seconds. */
  readonly offsetSec?: number;
  /** How frequency is laid out: evenly in Hz, in octaves, or on Slaney's mel scale. */
  readonly scale?: "linear" | "log" | "mel";
  /** Lowest frequency drawn, in Hz; 0, or 50 on the log scale. */
  readonly lowHz?: number;
  /** Highest frequency drawn, in Hz. */
  readonly highHz?: number;
  /** Value of the first colour; the least value when absent. */
  readonly zmin?: number;
  /** Value of the last colour; the greatest value when absent. */
  readonly zmax?: number;
  /** What the colours mean, with its unit. */
  readonly valueTitle?: string;
  /** Colours. */
  readonly colorscale?: ColorScale;
  /** At most so many rows times columns are kept. */
  readonly maxCells?: number;
  /** How cells are joined: the greatest keeps harmonics visible, the mean keeps levels. */
  readonly reduce?: "max" | "mean";
  /** A curve over the picture, for example the pitch: Hz for each frame, NaN for gaps. */
  readonly curve?: { readonly name: string; readonly hz: ArrayLike<number> };
}

// Slaney's mel scale (Auditory Toolbox, 1998): linear up to 1 kHz, logarithmic above.
function toMel(hz: number): number {
  return hz < 1000 ? hz * 3 / 200 : 15 + Math.log(hz / 1000) / (Math.log(6.4) / 27);
}

const WARPS = { linear: (hz: number) => hz, log: (hz: number) => Math.log2(Math.max(hz, 1e-3)), mel: toMel } as const;

/** Frequencies at which a warped axis has ticks, in Hz. */
const ROUND_HZ = [50, 100, 200, 500, 1000, 2000, 4000, 8000, 16000];

/**
 * A time–frequency picture with its colour bar, joined to at most `maxCells` cells.
 *
 * @param values `[bins, frames]`, usually in dB.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const values = { data: new Float32Array(513 * 400).fill(-40), shape: [513, 400] as const };
 * const figure = spectrogramFigure(values, {
 *   frequenciesHz: Float64Array.from({ length: 513 }, (_, k) => k * 8000 / 512),
 *   secondsPerFrame: 0.01,
 * });
 * const heatmap = figure.data[0]!;
 * assert.ok(heatmap.type === "heatmap" && heatmap.z.length * heatmap.z[0]!.length <= 16_384);
 * ```
 */
export function spectrogramFigure(values: Matrix, options: SpectrogramFigureOptions): Figure {
  const { scale = "linear", secondsPerFrame, offsetSec = 0, maxCells = 16_384, reduce = "max" } = options;
  const [bins, frames] = values.shape;
  const hz = Array.from({ length: bins }, (_, i) => options.frequenciesHz[i] ?? NaN);
  const low = options.lowHz ?? (scale === "log" ? 50 : Math.min(hz[0] ?? 0, 0));
  const high = Math.min(options.highHz ?? Infinity, hz[bins - 1] ?? 0);
  const warp = WARPS[scale];
  const duration = frames * secondsPerFrame;
  const first = hz.findIndex((v) => v >= low);
  const last = hz.findLastIndex((v) => v <= high);
  const available = Math.max(1, last - first + 1);
  const wanted = Math.max(16, Math.round(Math.sqrt(maxCells * 0.5)));
  const rows = scale === "linear" ? Math.min(available, wanted) : Math.min(Math.max(available, 48), wanted);
  const columns = Math.max(1, Math.min(frames, Math.floor(maxCells / rows)));

  // Rows: equal stretches of the warped scale, each the bins whose centres fall in it, or else the nearest bin.
  const bottom = scale === "linear" ? first : warp(Math.max(low, scale === "log" ? 1 : 0)),
    top = scale === "linear" ? last + 1 : warp(high);
  const groups: number[][] = Array.from({ length: rows }, (_, r) => {
    const from = bottom + (top - bottom) * r / rows, to = bottom + (top - bottom) * (r + 1) / rows;
    const at = (i: number) => scale === "linear" ? i : warp(hz[i]!);
    const inside: number[] = [];
    for (let i = first; i <= last; i++) if (at(i) >= from && at(i) < to) inside.push(i);
    if (inside.length > 0) return inside;
    let nearest = first;
    for (let i = first; i <= last; i++) {
      if (Math.abs(at(i) - (from + to) / 2) < Math.abs(at(nearest) - (from + to) / 2)) nearest = i;
    }
    return [nearest];
  });
  const joined = groups.map((group) =>
    Array.from({ length: columns }, (_, c) => {
      const from = Math.floor(c * frames / columns), to = Math.max(from + 1, Math.floor((c + 1) * frames / columns));
      let best = -Infinity, sum = 0;
      for (const i of group) {
        for (let t = from; t < to; t++) {
          const v = values.data[i * frames + t]!;
          if (v > best) best = v;
          sum += v;
        }
      }
      return reduce === "max" ? best : sum / (group.length * (to - from));
    })
  );
  const [least, greatest] = extremes(joined.flat());
  const zmin = options.zmin ?? (Number.isFinite(least) ? least : 0),
    zmax = options.zmax ?? (Number.isFinite(greatest) ? greatest : 1);
  const round = quantizer(zmax - zmin);
  const z = joined.map((row) => row.map((v) => Number.isFinite(v) ? round(Math.min(zmax, Math.max(zmin, v))) : null));

  const centre = (group: readonly number[]) => hz[group[Math.floor(group.length / 2)]!]!;
  const step = (top - bottom) / rows;
  const inRows = (f: number) => (warp(f) - bottom) / step - 0.5;
  const labels = groups.map((g, r) =>
    `${Math.round(scale === "linear" ? centre(g) : unwarp(scale, bottom + (r + 0.5) * step))} Hz`
  );
  const ticks = ROUND_HZ.filter((f) =>
    f >= Math.max(low, scale === "mel" ? 200 : 50) && f <= high && (scale !== "mel" || f !== 200 || high < 4000)
  );
  const heatmap: HeatmapTrace = {
    type: "heatmap",
    z,
    x0: significant(offsetSec + (duration / columns - secondsPerFrame) / 2, 6),
    dx: significant(duration / columns, 8),
    ...(scale === "linear"
      ? {
        y0: significant(centreOfRow(hz, first, last, rows, 0), 6),
        dy: significant((hz[last]! - hz[first]!) / Math.max(1, available - 1) * available / rows, 8),
      }
      : { y: unique(labels) }),
    colorscale: options.colorscale ?? MAGMA,
    zmin: significant(zmin, 4),
    zmax: significant(zmax, 4),
    showscale: true,
    colorbar: { title: { text: options.valueTitle ?? "Level (dB)", side: "right" }, thickness: 14, outlinewidth: 0 },
    hovertemplate: `%{x:.2f} s, ${scale === "linear" ? "%{y:.0f} Hz" : "%{y}"}: %{z}<extra></extra>`,
  };
  const layout = baseLayout(
    { height: 320, ...options },
    `Spectrogram of ${brief(duration)} s from ${brief(low)} to ${brief(high)} Hz, ` +
      `levels from ${formatNumber(significant(zmin, 3), "")} to ${formatNumber(significant(zmax, 3), "")}.`,
    options.curve !== undefined,
  );
  const start = significant(offsetSec - secondsPerFrame / 2, 6);
  const curve = options.curve;
  return {
    data: [
      heatmap,
      ...(curve
        ? [{
          type: "scatter" as const,
          mode: "lines" as const,
          name: curve.name,
          x: Array.from({ length: curve.hz.length }, (_, t) => significant(offsetSec + t * secondsPerFrame, 5)),
          y: Array.from({ length: curve.hz.length }, (_, t) => {
            const f = curve.hz[t]!;
            return f > 0 ? significant(scale === "linear" ? f : inRows(f), 4) : null;
          }),
          line: { color: OKABE_ITO[5], width: 2.5 },
        }]
        : []),
    ],
    layout: {
      ...layout,
      xaxis: axis("Time (s)", { range: [start, significant(start + duration, 6)] }),
      yaxis: scale === "linear"
        ? axis("Frequency (Hz)", { range: [significant(hz[first] ?? 0), significant(hz[last] ?? 1)] })
        : axis("Frequency (Hz)", {
          type: "category",
          range: [-0.5, rows - 0.5],
          tickvals: ticks.map((f) => Number(inRows(f).toFixed(3))),
          ticktext: ticks.map(String),
        }),
    },
  };
}

function unwarp(scale: "log" | "mel", at: number): number {
  if (scale === "log") return 2 ** at;
  return at < 15 ? at * 200 / 3 : 1000 * Math.exp((at - 15) * Math.log(6.4) / 27);
}

/** Centre in Hz of a row of joined linear bins. */
function centreOfRow(hz: readonly number[], first: number, last: number, rows: number, row: number): number {
  const count = last - first + 1;
  const spacing = (hz[last]! - hz[first]!) / Math.max(1, count - 1);
  return hz[first]! + ((row + 0.5) * count / rows - 0.5) * spacing;
}

/** Category axes join equal names, so low rows that share a rounded frequency get an invisible mark. */
function unique(labels: readonly string[]): string[] {
  const seen = new Map<string, number>();
  return labels.map((label) => {
    const times = seen.get(label) ?? 0;
    seen.set(label, times + 1);
    return label + "\u200b".repeat(times);
  });
}

/** Options of {@linkcode heatmapFigure}. */
export interface HeatmapFigureOptions extends FigureOptions {
  /** Names of the rows, or their positions. */
  readonly rows?: readonly (string | number)[];
  /** Names of the columns, or their positions. */
  readonly columns?: readonly (string | number)[];
  /** Title of the horizontal axis. */
  readonly xTitle?: string;
  /** Title of the vertical axis. */
  readonly yTitle?: string;
  /** What the colours mean, with its unit. */
  readonly valueTitle?: string;
  /** Value of the first colour; the least value when absent. */
  readonly zmin?: number;
  /** Value of the last colour; the greatest value when absent. */
  readonly zmax?: number;
  /** Colours. */
  readonly colorscale?: ColorScale;
  /** Whether row 0 is at the top, as in a table. */
  readonly topDown?: boolean;
  /** At most so many rows times columns are kept, when neither rows nor columns have names. */
  readonly maxCells?: number;
}

/**
 * Any matrix as colours, for example MFCCs or a correlation.
 *
 * @param values `[rows, columns]`; NaN is drawn transparent.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const figure = heatmapFigure({ data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] }, { rows: ["a", "b"] });
 * assert.equal(figure.data[0]!.type, "heatmap");
 * ```
 */
export function heatmapFigure(values: Matrix, options: HeatmapFigureOptions = {}): Figure {
  const [rows, columns] = values.shape;
  const free = options.rows === undefined && options.columns === undefined;
  const maxCells = options.maxCells ?? 16_384;
  const join = free ? Math.max(1, Math.ceil(columns / Math.max(1, Math.floor(maxCells / rows)))) : 1;
  const width = Math.ceil(columns / join);
  const [least, greatest] = extremes(values.data);
  const zmin = options.zmin ?? (Number.isFinite(least) ? least : 0),
    zmax = options.zmax ?? (Number.isFinite(greatest) ? greatest : 1);
  const round = quantizer(zmax - zmin, 256);
  const z = Array.from({ length: rows }, (_, r) =>
    Array.from({ length: width }, (_, c) => {
      let sum = 0, n = 0;
      for (let k = c * join; k < Math.min(columns, (c + 1) * join); k++) sum += values.data[r * columns + k]!, n++;
      return Number.isFinite(sum) ? round(sum / n) : null;
    }));
  return {
    data: [{
      type: "heatmap",
      z,
      ...(options.columns ? { x: options.columns } : { x0: (join - 1) / 2, dx: join }),
      ...(options.rows ? { y: options.rows } : { y0: 0, dy: 1 }),
      // Cells with names are single things; a little ground between them tells them apart.
      ...(options.rows && options.columns && rows * columns <= 400 ? { xgap: 1, ygap: 1 } : {}),
      colorscale: options.colorscale ?? MAGMA,
      zmin: significant(zmin, 4),
      zmax: significant(zmax, 4),
      showscale: true,
      colorbar: {
        ...(options.valueTitle === undefined ? {} : { title: { text: options.valueTitle, side: "right" as const } }),
        thickness: 14,
        outlinewidth: 0,
      },
      hovertemplate: "%{y}, %{x}: %{z}<extra></extra>",
    }],
    layout: {
      ...baseLayout(
        options,
        `Heat map of ${rows} rows and ${columns} columns, values from ${brief(zmin)} to ${brief(zmax)}.`,
      ),
      xaxis: axis(options.xTitle, { showgrid: false }),
      yaxis: axis(options.yTitle, { showgrid: false, ...(options.topDown ? { autorange: "reversed" as const } : {}) }),
    },
  };
}
