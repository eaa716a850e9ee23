/**
 * Colours that stay apart for people with colour-vision deficiency and are readable on light and on dark ground.
 *
 * Sources: Okabe and Ito, "Color Universal Design" (2008) for categories; matplotlib's viridis and magma (Smith and
 * van der Walt, CC0) and ColorBrewer's Blues for values, each sampled at nine stops.
 *
 * @module
 */

import type { Emotion } from "../types.ts";
import type { ColorScale } from "./types.ts";

/** Okabe and Ito's palette without black (invisible on dark) in an order that keeps neighbours far apart. */
export const OKABE_ITO = [
  "#0072B2",
  "#D55E00",
  "#009E73",
  "#CC79A7",
  "#E69F00",
  "#56B4E9",
  "#7F7F7F",
  "#B5A400",
] as const;

/** One colour an emotion, the same in every figure. */
export const EMOTION_COLORS: Readonly<Record<Emotion, string>> = {
  neutral: "#7F7F7F",
  calm: "#56B4E9",
  happy: "#E69F00",
  sad: "#0072B2",
  angry: "#D55E00",
  fearful: "#CC79A7",
  disgust: "#009E73",
  surprised: "#B5A400",
  bored: "#6A51A3",
};

/** Text and axes on light ground; `renderSvg` turns it light on dark ground. */
export const INK = "#24292F";

/** Secondary text and reference lines: readable on both grounds. */
export const MUTED = "#767D86";

/** matplotlib's viridis. */
export const VIRIDIS: ColorScale = stops(
  "440154 472D7B 3B528B 2C728E 21918C 28AE80 5EC962 ADDC30 FDE725",
);

/** matplotlib's magma: dark to light, the usual colours of a spectrogram. */
export const MAGMA: ColorScale = stops(
  "000004 1D1147 51127C 832681 B73779 E75263 FC8961 FEC488 FCFDBF",
);

/** ColorBrewer's Blues: white to dark blue, for counts and shares. */
export const BLUES: ColorScale = stops(
  "F7FBFF DEEBF7 C6DBEF 9ECAE1 6BAED6 4292C6 2171B5 08519C 08306B",
);

function stops(list: string): ColorScale {
  const colors = list.split(" ");
  return colors.map((hex, i) => [i / (colors.length - 1), `#${hex}`] as const);
}

/** Red, green, blue and opacity; colours in 0…255, opacity in [0, 1]. */
export type Rgba = readonly [number, number, number, number];

/**
 * Reads `#rgb`, `#rrggbb`, `rgb(…)` and `rgba(…)`.
 *
 * @returns the colour, or `undefined` for any other notation.
 */
export function parseColor(text: string): Rgba | undefined {
  const hex = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(text)?.[1];
  if (hex !== undefined) {
    const full = hex.length === 3 ? hex.replace(/./g, "$&$&") : hex;
    const value = parseInt(full, 16);
    return [value >> 16, (value >> 8) & 255, value & 255, 1];
  }
  const parts = /^rgba?\(\s*([\d.]+)\s*,\s*([\d.]+)\s*,\s*([\d.]+)\s*(?:,\s*([\d.]+)\s*)?\)$/i.exec(text);
  return parts ? [Number(parts[1]), Number(parts[2]), Number(parts[3]), Number(parts[4] ?? 1)] : undefined;
}

/** The same colour with the given opacity, as `rgba(…)`. */
export function withOpacity(color: string, opacity: number): string {
  const parsed = parseColor(color);
  return parsed ? `rgba(${parsed[0]},${parsed[1]},${parsed[2]},${opacity})` : color;
}

/**
 * Colour of a value on a scale, interpolated linearly in sRGB as Plotly does.
 *
 * @param scale Stops in ascending order from 0 to 1.
 * @param position In [0, 1]; values outside are clamped.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(colorAt([[0, "#000000"], [1, "#ffffff"]], 0.5), [128, 128, 128]);
 * ```
 */
export function colorAt(scale: ColorScale, position: number): readonly [number, number, number] {
  const p = Math.min(1, Math.max(0, position));
  let i = 1;
  while (i < scale.length - 1 && scale[i]![0] < p) i++;
  const [from, a] = scale[i - 1]!;
  const [to, b] = scale[i] ?? scale[i - 1]!;
  const low = parseColor(a) ?? [0, 0, 0, 1], high = parseColor(b) ?? [0, 0, 0, 1];
  const share = to > from ? (p - from) / (to - from) : 0;
  const mix = (k: 0 | 1 | 2) => Math.round(low[k] + (high[k] - low[k]) * share);
  return [mix(0), mix(1), mix(2)];
}

/** `#rrggbb` of a colour in 0…255. */
export function toHex(rgb: readonly [number, number, number]): string {
  return `#${rgb.map((v) => v.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * Black or white text, whichever has more contrast on the given ground (WCAG 2.1 relative luminance).
 */
export function textOn(rgb: readonly [number, number, number]): "#FFFFFF" | "#111111" {
  const channel = (v: number) => v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const luminance = 0.2126 * channel(rgb[0]) + 0.7152 * channel(rgb[1]) + 0.0722 * channel(rgb[2]);
  return 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.0556 ? "#FFFFFF" : "#111111";
}

/** Colour of a class: the emotion's own, otherwise the palette's entry for its index. */
export function classColor(label: string, index: number): string {
  return (EMOTION_COLORS as Readonly<Record<string, string>>)[label] ?? OKABE_ITO[index % OKABE_ITO.length]!;
}
