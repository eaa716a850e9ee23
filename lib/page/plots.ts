/**
 * The three pictures of a recording on one time axis: waveform, spectrogram, probabilities.
 *
 * @module
 */

/// <reference lib="dom" />

import { classColor, colorAt } from "../figures/color.ts";
import type { ColorScale } from "../figures/types.ts";
import { fitCanvas, styleOf } from "./dom.ts";
import type { Clip, SpectrogramPicture, Timeline } from "./protocol.ts";

/** From the ground of the page through its own colour to ink (light) or light (dark); brightness is monotone in both. */
const SPECTROGRAM: Readonly<Record<"light" | "dark", ColorScale>> = {
  light: [[0, "#faf8f2"], [0.25, "#dbe8e6"], [0.55, "#7fb0b5"], [0.8, "#2b6b77"], [1, "#0c2830"]],
  dark: [[0, "#181b20"], [0.25, "#1d3a42"], [0.55, "#33808d"], [0.8, "#8ccad2"], [1, "#f6f4e6"]],
};

const isDark = (): boolean => matchMedia("(prefers-color-scheme: dark)").matches;

/** Dashes that tell lines apart without their colour. */
const DASHES: readonly (readonly number[])[] = [[], [7, 4], [2, 3], [9, 3, 2, 3], [4, 4], [12, 4], [1, 4], [
  6,
  2,
  2,
  2,
]];

/** Dashes of the label at that place, for canvas and legend. */
export function dashesOf(index: number): readonly number[] {
  return DASHES[index % DASHES.length]!;
}

/** Colour of a label, a little lighter on dark ground. */
export function colorOf(label: string, index: number): string {
  return classColor(label, index);
}

/** Draws the waveform: for every column the least and the greatest sample. */
export function drawWaveform(canvas: HTMLCanvasElement, { samples }: Clip): void {
  const { context, width, height } = fitCanvas(canvas);
  const middle = height / 2;
  let peak = 1e-4;
  for (const sample of samples) peak = Math.max(peak, Math.abs(sample));
  const scale = (middle - 2) / peak;
  context.fillStyle = styleOf("--wave");
  const columns = Math.max(1, Math.floor(width));
  for (let x = 0; x < columns; x++) {
    const from = Math.floor(x / columns * samples.length);
    const to = Math.max(from + 1, Math.floor((x + 1) / columns * samples.length));
    let low = Infinity, high = -Infinity;
    for (let i = from; i < to && i < samples.length; i++) {
      const sample = samples[i]!;
      if (sample < low) low = sample;
      if (sample > high) high = sample;
    }
    if (high < low) continue;
    context.fillRect(x, middle - high * scale - 0.5, 1, Math.max(1, (high - low) * scale + 1));
  }
}

/** Text that is readable on any ground. */
function label(
  context: CanvasRenderingContext2D,
  text: string,
  x: number,
  y: number,
  ground: string,
  ink: string,
): void {
  context.lineWidth = 3;
  context.lineJoin = "round";
  context.strokeStyle = ground;
  context.strokeText(text, x, y);
  context.fillStyle = ink;
  context.fillText(text, x, y);
}

/** Draws the spectrogram: dark for silence on dark ground, light for silence on light ground. */
export function drawSpectrogram(canvas: HTMLCanvasElement, picture: SpectrogramPicture): void {
  const { context, width, height } = fitCanvas(canvas);
  const { columns, rows, levels, ticks } = picture;
  const dark = isDark(), scale = SPECTROGRAM[dark ? "dark" : "light"];
  const colors = Uint8Array.from({ length: 3 * 256 }, (_, i) => {
    const level = Math.floor(i / 3) / 255;
    return colorAt(scale, level)[i % 3]!;
  });
  const image = new ImageData(columns, rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = 4 * ((rows - 1 - row) * columns + column), color = 3 * levels[row * columns + column]!;
      image.data.set(colors.subarray(color, color + 3), at);
      image.data[at + 3] = 255;
    }
  }
  const whole = document.createElement("canvas");
  whole.width = columns;
  whole.height = rows;
  whole.getContext("2d")!.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(whole, 0, 0, width, height);
  context.font = `11px ${styleOf("--sans")}`;
  context.textBaseline = "middle";
  let last = Infinity;
  for (const [hz, share] of ticks) {
    const y = height * (1 - share);
    if (last - y < 16 || y < 8 || y > height - 8) continue;
    last = y;
    const text = hz >= 1000 ? `${hz / 1000}k` : `${hz}`;
    label(context, text, 6, y, dark ? "#000" : "#fff", dark ? "#fff" : "#222");
  }
}

/** Draws the probabilities over time, one line a label; grey where the model cannot say. */
export function drawTimeline(
  canvas: HTMLCanvasElement,
  timeline: Timeline,
  durationSec: number,
): void {
  const { context, width, height } = fitCanvas(canvas);
  const { timesSec, labels, probabilities, abstained } = timeline;
  const top = 8, bottom = height - 8;
  const x = (sec: number): number => sec / durationSec * width;
  const y = (p: number): number => bottom - p * (bottom - top);
  context.font = `11px ${styleOf("--sans")}`;
  context.textBaseline = "middle";
  const step = timesSec.length > 1 ? timesSec[1]! - timesSec[0]! : durationSec;
  context.fillStyle = styleOf("--shade");
  abstained.forEach((doubt, i) => {
    if (doubt) context.fillRect(x(timesSec[i]! - step / 2), 0, x(step), height);
  });
  context.strokeStyle = styleOf("--rule");
  context.lineWidth = 1;
  for (const p of [0, 0.5, 1]) {
    context.beginPath();
    context.moveTo(0, y(p));
    context.lineTo(width, y(p));
    context.stroke();
  }
  const ground = styleOf("--card"), ink = styleOf("--muted");
  labels.forEach((name, k) => {
    context.strokeStyle = colorOf(name, k);
    context.lineWidth = 2.25;
    context.lineJoin = "round";
    context.setLineDash([...dashesOf(k)]);
    context.beginPath();
    const first = timesSec[0]!, last = timesSec.at(-1)!;
    const at = (sec: number, i: number): void => context.lineTo(x(sec), y(probabilities[i]![k]!));
    if (timesSec.length === 1) {
      at(0, 0);
      at(durationSec, 0);
    } else {
      // Before the first window's middle and after the last one's the line goes on as it is there, thinly.
      timesSec.forEach(at);
      context.stroke();
      context.globalAlpha = 0.35;
      context.beginPath();
      at(0, 0);
      at(first, 0);
      context.stroke();
      context.beginPath();
      at(last, timesSec.length - 1);
      at(durationSec, timesSec.length - 1);
    }
    context.stroke();
    context.globalAlpha = 1;
    context.setLineDash([]);
  });
  for (const p of [0, 0.5, 1]) label(context, `${100 * p} %`, 6, Math.min(bottom, Math.max(top, y(p))), ground, ink);
}

/** One curve of the classroom. */
export interface Curve {
  /** What it is called. */
  readonly name: string;
  /** Its colour. */
  readonly color: string;
  /** Its dashes. */
  readonly dashes: readonly number[];
  /** Its values in [0, 1], one an epoch. */
  readonly values: readonly number[];
}

/** Draws the classroom's curves. */
export function drawCurves(canvas: HTMLCanvasElement, curves: readonly Curve[], epochs: number, chance: number): void {
  const { context, width, height } = fitCanvas(canvas);
  const left = 48, right = width - 12, top = 12, bottom = height - 26;
  const x = (epoch: number): number => left + (epoch - 1) / Math.max(1, epochs - 1) * (right - left);
  const y = (share: number): number => bottom - share * (bottom - top);
  const ink = styleOf("--muted");
  context.font = `12px ${styleOf("--sans")}`;
  context.lineWidth = 1;
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    context.strokeStyle = styleOf("--rule");
    context.beginPath();
    context.moveTo(left, y(share));
    context.lineTo(right, y(share));
    context.stroke();
    context.fillStyle = ink;
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillText(`${100 * share} %`, left - 6, y(share));
  }
  context.textBaseline = "alphabetic";
  for (const epoch of [1, Math.round(epochs / 2), epochs]) {
    context.textAlign = epoch === 1 ? "left" : epoch === epochs ? "right" : "center";
    context.fillText(epoch === 1 ? "pass 1" : `${epoch}`, x(epoch), height - 8);
  }
  context.strokeStyle = ink;
  context.setLineDash([2, 4]);
  context.beginPath();
  context.moveTo(left, y(chance));
  context.lineTo(right, y(chance));
  context.stroke();
  for (const { color, dashes, values } of curves) {
    if (values.length === 0) continue;
    context.strokeStyle = color;
    context.lineWidth = 2.5;
    context.lineJoin = "round";
    context.setLineDash([...dashes]);
    context.beginPath();
    values.forEach((value, i) => context.lineTo(x(i + 1), y(value)));
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = color;
    context.beginPath();
    context.arc(x(values.length), y(values.at(-1)!), 4, 0, 2 * Math.PI);
    context.fill();
  }
}
