/**
 * One example of every figure, from a fixed generator: what the tests draw and what a person looks at.
 */

import {
  barFigure,
  boxFigure,
  classColor,
  confusionFigure,
  countFigure,
  type Figure,
  forestFigure,
  heatmapFigure,
  histogramFigure,
  learningCurveFigure,
  lineFigure,
  scatterFigure,
  smallMultiples,
  spectrogramFigure,
  VIRIDIS,
  waveformFigure,
} from "../../lib/figures/mod.ts";
import type { Matrix, Waveform } from "../../lib/types.ts";

const EIGHT = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"] as const;

// A linear congruential generator (Numerical Recipes, 1992) is enough for pictures.
let state = 1;
function noise(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 31 - 1;
}

/** A second of a falling tone with noise, 8 kHz. */
export function tone(): Waveform {
  const samples = Float32Array.from(
    { length: 8000 },
    (_, i) =>
      0.4 * Math.exp(-i / 3000) * Math.sin(2 * Math.PI * (400 * i / 8000 - 80 * (i / 8000) ** 2)) + 0.01 * noise(),
  );
  return { samples, sampleRateHz: 8000 };
}

/** A picture with a rising line, `[257, 120]`, in dB. */
export function ridge(): Matrix {
  const [bins, frames] = [257, 120];
  const data = new Float32Array(bins * frames);
  for (let k = 0; k < bins; k++) {
    for (let t = 0; t < frames; t++) data[k * frames + t] = -70 + 60 * Math.exp(-(((k - 20 - t) / 6) ** 2)) + noise();
  }
  return { data, shape: [bins, frames] };
}

const many = (n: number, make: (i: number) => number) => Array.from({ length: n }, (_, i) => make(i));

/** All examples by name. */
export function examples(): Record<string, Figure> {
  state = 1;
  const spectrum = ridge();
  const sound = tone();
  const hz = { frequenciesHz: many(257, (k) => k * 8000 / 512), secondsPerFrame: 128 / 8000 };
  const clips = EIGHT.flatMap((e, i) => many(i === 0 ? 4 : 8, () => 0).map(() => e));
  const falling = (k: number) => many(30, (i) => 2 * Math.exp(-i / (8 + k)) + 0.05 * noise());
  const note = { subtitle: "synthetic audio, seed 0" };
  return {
    waveform: waveformFigure(sound, { title: "Waveform", ...note }),
    spectrogramLinear: spectrogramFigure(spectrum, { ...hz, title: "Spectrogram, linear frequency" }),
    spectrogramLog: spectrogramFigure(spectrum, {
      ...hz,
      scale: "log",
      title: "Spectrogram with pitch",
      curve: { name: "pitch", hz: many(120, (t) => t < 10 ? NaN : (20 + t) * 8000 / 512) },
    }),
    spectrogramMel: spectrogramFigure(spectrum, { ...hz, scale: "mel", title: "Spectrogram, mel scale" }),
    correlation: heatmapFigure(
      { data: Float32Array.from({ length: 16 }, (_, i) => Math.cos(i * 1.7)), shape: [4, 4] },
      {
        rows: ["rms", "centroid", "pitch", "zero crossings"],
        columns: ["rms", "centroid", "pitch", "zero crossings"],
        colorscale: VIRIDIS,
        zmin: -1,
        zmax: 1,
        topDown: true,
        valueTitle: "Correlation",
        title: "Correlation of features",
      },
    ),
    mfcc: heatmapFigure({
      data: Float32Array.from({ length: 2600 }, (_, i) => 100 * Math.cos(i * 0.17)),
      shape: [20, 130],
    }, {
      xTitle: "Frame",
      yTitle: "Coefficient",
      valueTitle: "MFCC",
      title: "MFCC",
    }),
    bar: barFigure(EIGHT, [{ name: "recall", values: [0.61, 0.5, 0.44, 0.38, 0.72, 0.31, 0.45, 0.52] }], {
      title: "Recall by class",
      subtitle: "240 clips, 4 speakers",
      yTitle: "Recall",
      decimals: 2,
      errors: [0.05, 0.04, 0.06, 0.03, 0.02, 0.07, 0.05, 0.05],
      reference: { value: 0.125, label: "chance" },
      colorBy: "label",
    }),
    barGroups: barFigure(["000", "001", "002"], [
      { name: "as published", values: [0.66, 0.72, 0.61] },
      { name: "clean", values: [0.4, 0.51, 0.44] },
    ], { title: "Accuracy by protocol", xTitle: "Study", yTitle: "Accuracy", decimals: 2 }),
    barHorizontal: barFigure(["learning rate", "batch size", "units of the first hidden layer"], [
      { name: "importance", values: [0.5, 0.2, 0.15] },
    ], { orientation: "h", xTitle: "Share of variance", decimals: 2, title: "Importance" }),
    count: countFigure(clips, { order: EIGHT, title: "Clips a class", xTitle: "Emotion" }),
    countBy: countFigure(clips, {
      by: clips.map((_, i) => i % 2 ? "female" : "male"),
      title: "Clips by class and sex",
    }),
    countManySpeakers: countFigure(many(96, (i) => i % 24).map((i) => `speaker-number-${i}`), {
      colorBy: "series",
      title: "Clips a speaker",
    }),
    histogram: histogramFigure([{ name: "durations", values: many(200, () => 3 + noise() + noise()) }], {
      title: "Durations",
      xTitle: "Duration (s)",
      yTitle: "Clips",
    }),
    histograms: histogramFigure([
      { name: "female", values: many(200, () => 210 + 50 * (noise() + noise())) },
      { name: "male", values: many(200, () => 130 + 35 * (noise() + noise())) },
    ], { title: "Mean pitch", xTitle: "Pitch (Hz)", yTitle: "Clips" }),
    lines: lineFigure([
      { name: "ours", x: [128, 256, 512, 1024, 2048], y: [1, 2.2, 5, 11, 25], markers: true },
      { name: "theirs", x: [128, 256, 512, 1024, 2048], y: [8, 16, 30, 66, 130], markers: true, dash: "dash" },
    ], { logX: true, logY: true, xTitle: "Frames", yTitle: "Time (ms)", title: "Time by length" }),
    learningRate: lineFigure([{ name: "UAR", x: [1e-5, 1e-4, 1e-3, 1e-2], y: [0.3, 0.5, 0.6, 0.2], markers: true }], {
      logX: true,
      xTitle: "Learning rate",
      title: "Score over the learning rate",
      yRange: [0, 1],
      reference: { value: 0.125, label: "chance" },
    }),
    learningCurves: learningCurveFigure([
      { name: "training", runs: [falling(0), falling(1), falling(2)] },
      { name: "validation", runs: [falling(4), falling(5), falling(6)], dash: "dash" },
    ], { yTitle: "Loss", title: "Learning curves", subtitle: "mean ± sd of 3 seeds", bestEpoch: 21 }),
    stoppedEarly: smallMultiples(
      ["Loss", "Accuracy"].map((title) =>
        learningCurveFigure([
          { name: "training", runs: [falling(0), falling(1).slice(0, 9), falling(2).slice(0, 7)] },
          { name: "validation", runs: [falling(4), falling(5).slice(0, 9), falling(6).slice(0, 7)] },
        ], { title, yTitle: title })
      ),
      { columns: 2, shareY: false, title: "Learning curves", subtitle: "mean ± sd of 3 seeds" },
    ),
    scatter: scatterFigure(many(160, (i) => (i % 8) + noise()), many(160, (i) => ((i * 3) % 8) + noise()), {
      groups: many(160, (i) => i % 8).map((i) => EIGHT[i]!),
      order: EIGHT,
      xTitle: "First component",
      yTitle: "Second component",
      title: "Projection of the features",
    }),
    agreement: scatterFigure([1, 2, 3, 4], [1.1, 1.9, 3.2, 3.8], {
      identity: true,
      xTitle: "librosa",
      yTitle: "serlab",
      title: "Agreement",
    }),
    boxes: boxFigure(EIGHT.map((name, k) => ({ name, values: many(24, () => -25 + k + 5 * (noise() + noise())) })), {
      title: "Level by class",
      yTitle: "RMS level (dB)",
    }),
    confusion: confusionFigure(
      EIGHT,
      EIGHT.map((_, r) => EIGHT.map((_, c) => Math.max(0, Math.round((r === c ? 20 : 2) + 3 * noise())))),
      { title: "Confusion", subtitle: "rows are the truth" },
    ),
    forest: forestFigure(
      ["000", "001", "002"].flatMap((s, i) => [
        {
          label: `study ${s}`,
          group: "as published",
          value: 0.66 + 0.02 * i,
          interval: [0.5, 0.8] as const,
          published: 0.7,
        },
        { label: `study ${s}`, group: "clean", value: 0.4 + 0.02 * i, interval: [0.3, 0.52] as const },
      ]),
      {
        title: "Accuracy",
        subtitle: "95 % intervals",
        xTitle: "Accuracy",
        range: [0, 1],
        reference: { value: 0.125, label: "chance" },
      },
    ),
    spectrograms: smallMultiples(
      EIGHT.map((title) => spectrogramFigure(spectrum, { ...hz, scale: "mel", maxCells: 2000, title })),
      { columns: 4, title: "Spectrograms, one clip a class", ...note },
    ),
    waveforms: smallMultiples(
      EIGHT.map((title) => waveformFigure(sound, { color: classColor(title, 0), maxPoints: 200, title })),
      { columns: 4, panelHeight: 90, title: "Waveforms, one clip a class", ...note },
    ),
    notShared: smallMultiples(
      [1, 2, 3].map((fold) =>
        learningCurveFigure([
          { name: "training", runs: [falling(fold)] },
          { name: "validation", runs: [falling(fold + 5)] },
        ], { yTitle: "Loss", title: `fold ${fold}`, reference: { value: 1, label: "chance" } })
      ),
      { columns: 2, shareX: false, shareY: false, title: "Learning curves by fold" },
    ),
  };
}
