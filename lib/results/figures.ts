/**
 * The pictures of the report: confusion matrices, learning curves, claims beside what is left.
 *
 * @module
 */

import { confusionFigure, forestFigure, learningCurveFigure, renderSvg, smallMultiples } from "../figures/mod.ts";
import type { HistoryEntry } from "./record.ts";
import { type Cell, type ClaimText, isMain, middleRun, oneAnswer, shortened, type StudyText } from "./summary.ts";

/** The study with its cells. */
export interface StudyCells {
  /** Identifier. */
  readonly id: string;
  /** Its declaration, where there is one. */
  readonly study: StudyText | undefined;
  /** Its cells. */
  readonly cells: readonly Cell[];
}

/** A file name for a cell's picture, below `figures/`. */
export function cellFigureName(id: string, cell: Cell, what: "confusion" | "learning"): string {
  return `${id}-${cell.protocol}-${cell.variant}-${what}.svg`;
}

function measuredOn(cell: Cell): string {
  const { recordings, speakers } = cell.intervals;
  return `${recordings} clips of ${speakers} ${speakers === 1 ? "speaker" : "speakers"}`;
}

/** Whether a study was published by somebody; otherwise it is work of this project that others rest on. */
export function isPublished({ claims }: StudyText): boolean {
  return claims.length > 0;
}

/** The pooled confusion matrix of a cell's seed of middle accuracy as SVG. */
export function cellConfusionSvg(id: string, cell: Cell): string {
  const { record } = middleRun(cell);
  const { labels, matrix } = record.metrics.confusion;
  return renderSvg(confusionFigure(labels, matrix, {
    title: `Study ${id}, ${cell.variant}, ${cell.protocol}`,
    subtitle: `seed ${record.seed}, ${record.metrics.n} test rows`,
  }));
}

/** Loss and accuracy over epochs of all seeds and folds of a cell as SVG; null where no epoch was recorded. */
export function cellLearningSvg(id: string, cell: Cell): string | null {
  const histories = cell.runs.flatMap(({ record }) => record.folds.map((fold) => fold.history));
  const curve = (of: keyof HistoryEntry): number[][] =>
    histories
      .map((history) => history.map((entry) => entry[of]).map((value) => value ?? NaN))
      .filter((values) => values.some(Number.isFinite));
  const panel = (name: string, training: keyof HistoryEntry, validation: keyof HistoryEntry) => {
    const curves = [
      { name: "training", runs: curve(training) },
      { name: "validation", runs: curve(validation) },
    ].filter(({ runs }) => runs.length > 0);
    return curves.length === 0 ? null : learningCurveFigure(curves, { title: name, yTitle: name });
  };
  const panels = [panel("Loss", "loss", "valLoss"), panel("Accuracy", "accuracy", "valAccuracy")]
    .filter((each) => each !== null);
  if (panels.length === 0) return null;
  const trainings = histories.length;
  return renderSvg(smallMultiples(panels, {
    title: `Study ${id}, ${cell.variant}, ${cell.protocol}`,
    subtitle: trainings === 1 ? "one training" : `mean ± sd of ${trainings} trainings`,
    columns: 2,
    shareY: false,
    panelHeight: 220,
  }));
}

/** The claim that the forest shows beside a variant's reproduction: its first; undefined where nothing is shown. */
export function forestClaim(study: StudyText, cells: readonly Cell[], variant: string): ClaimText | undefined {
  const isShown = cells.some((cell) =>
    cell.variant === variant && cell.protocol === "as-published" && isMain(cell, study) && oneAnswer(cell) === null
  );
  return isShown ? study.claims.find((each) => each.variant === variant) : undefined;
}

/**
 * Claims of published studies beside reproduced and clean accuracies with their intervals as SVG, failed trainings left
 * out; null without cells.
 */
export function forestSvg(parts: readonly StudyCells[]): string | null {
  const rows = parts.flatMap(({ id, study, cells }) =>
    study === undefined || !isPublished(study) ? [] : cells
      .filter((cell) => isMain(cell, study) && oneAnswer(cell) === null)
      .map((cell) => {
        const claim = cell.protocol === "as-published" ? forestClaim(study, cells, cell.variant) : undefined;
        const [low, high] = cell.intervals.interval.accuracy;
        const value = cell.accuracy.mean;
        return {
          label: `${id} ${cell.variant}${shortened(cell, study) === null ? "" : " *"}`,
          group: cell.protocol === "clean" ? "clean" : "as published",
          value,
          // A mean of unevenly tested speakers may lie outside the pooled score: the bar still holds both.
          interval: [Math.min(low, value), Math.max(high, value)] as const,
          ...(claim === undefined ? {} : { published: claim.accuracy }),
        };
      })
  );
  if (rows.length === 0) return null;
  const marked = rows.some(({ label }) => label.endsWith(" *"));
  return renderSvg(forestFigure(rows, {
    title: "Published accuracy, reproduced, and without leaks",
    subtitle: `mean over seeds with 95 % interval${marked ? "; * on fewer recordings or epochs than the study" : ""}`,
    xTitle: "Accuracy",
    range: [0, 1],
  }));
}

/** What a cell's picture shows, for readers who cannot see it. */
export function cellFigureText(id: string, cell: Cell, what: "confusion" | "learning"): string {
  const name = `study ${id}, ${cell.variant}, ${cell.protocol}`;
  return what === "confusion"
    ? `Confusion matrix of ${name}: ${measuredOn(cell)}`
    : `Loss and accuracy over epochs of ${name}`;
}
