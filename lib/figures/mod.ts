/**
 * Figures: builders that return plain Plotly JSON, and an SVG renderer that needs no browser.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * const figure = barFigure(["angry", "sad"], [{ name: "clips", values: [12, 9] }], { title: "Clips a class" });
 * assert.match(renderSvg(figure), /^<svg /);
 * ```
 *
 * @module
 */

export * from "./types.ts";
export {
  heatmapFigure,
  type HeatmapFigureOptions,
  spectrogramFigure,
  type SpectrogramFigureOptions,
  waveformFigure,
  type WaveformFigureOptions,
} from "./audio.ts";
export type { FigureOptions, Series } from "./base.ts";
export {
  barFigure,
  type BarFigureOptions,
  boxFigure,
  type BoxFigureOptions,
  type ChartOptions,
  countFigure,
  type CountFigureOptions,
  histogramFigure,
  type HistogramFigureOptions,
  lineFigure,
  type LineFigureOptions,
  type LineSeries,
  type Reference,
  scatterFigure,
  type ScatterFigureOptions,
} from "./charts.ts";
export { BLUES, classColor, EMOTION_COLORS, INK, MAGMA, MUTED, OKABE_ITO, VIRIDIS, withOpacity } from "./color.ts";
export { smallMultiples, type SmallMultiplesOptions } from "./compose.ts";
export {
  confusionFigure,
  type ConfusionFigureOptions,
  forestFigure,
  type ForestFigureOptions,
  type ForestRow,
  type LearningCurve,
  learningCurveFigure,
  type LearningCurveFigureOptions,
} from "./evaluation.ts";
export {
  type ParallelAxis,
  parallelCoordinatesFigure,
  type ParallelCoordinatesOptions,
  type ParallelLine,
} from "./search.ts";
export { type RenderOptions, renderSvg } from "./svg.ts";
