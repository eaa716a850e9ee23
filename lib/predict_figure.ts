/**
 * Answers over time as a figure. Apart from `predict.ts`, so that an answer alone does not load figures. Browser-safe.
 *
 * @module
 */

import { type Figure, lineFigure } from "./figures/mod.ts";
import type { WindowPrediction } from "./predict.ts";

/**
 * Probabilities over time as a figure: one line a label, at the middle of each window; where the bundle cannot say, the
 * lines have a gap.
 *
 * @param windows What `predictWindows` gave, at least one.
 * @param options.title Title of the figure.
 * @param options.gaps Whether windows without an answer are left out. Default false.
 */
export function windowsFigure(
  windows: readonly WindowPrediction[],
  options: { readonly title?: string; readonly gaps?: boolean } = {},
): Figure {
  const { title = "Probabilities over time", gaps = false } = options;
  const x = windows.map(({ startSec, endSec }) => (startSec + endSec) / 2);
  const labels = Object.keys(windows[0]?.probabilities ?? {});
  return lineFigure(
    labels.map((name) => ({
      name,
      x,
      y: windows.map(({ probabilities, abstained }) => gaps && abstained ? NaN : probabilities[name]!),
      markers: windows.length < 60,
    })),
    { title, xTitle: "Time (s)", yTitle: "Probability", yRange: [0, 1] },
  );
}
