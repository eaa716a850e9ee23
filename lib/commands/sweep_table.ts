/**
 * A sweep's progress on stderr: a table where it is a terminal, one line an ended trial otherwise.
 *
 * @module
 */

import process from "node:process";
import { configurationText } from "../search/space.ts";
import type { FoldProgress, SweepProgress } from "../search/sweep.ts";

/** Shows where a sweep stands. */
export interface SweepTable {
  /** Shows a new state. */
  update(progress: SweepProgress): void;
  /** Writes a line that stays. */
  line(text: string): void;
  /** Removes the table. */
  end(): void;
}

/** Least time between two pictures, ms. */
const EVERY_MS = 100;

/** `1 h 05 min`, `3 min 20 s`, `12 s`. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (value: number): string => String(value).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)} min`;
}

function percentText(value: number | null): string {
  return value === null ? "–" : `${(100 * value).toFixed(2)} %`;
}

/** The table as lines of text, each at most `width` wide. */
export function tableLines({ definition, folds, secondsLeft }: SweepProgress, width: number): string[] {
  const head = ["fold", "waiting", "running", "done", "pruned", "failed", "best", "with"];
  const cells = folds.map(({ name, counts, best, config }: FoldProgress) => [
    name,
    ...(["waiting", "running", "done", "pruned", "failed"] as const).map((status) => String(counts[status])),
    percentText(best),
    config === null ? "" : configurationText(config),
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i]!.length)));
  const text = (row: readonly string[]): string =>
    row.map((cell, i) => i === 0 || i === row.length - 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))
      .join("  ").trimEnd().slice(0, width);
  const left = secondsLeft === null ? "time left not known yet" : `about ${durationText(secondsLeft)} left`;
  return [`sweep ${definition.name}: ${left}`.slice(0, width), text(head), ...cells.map(text)];
}

/** Progress of a sweep. */
export function sweepTable(): SweepTable {
  const live = process.stderr.isTTY === true;
  let shown = 0, last = -Infinity;
  const clear = (): void => {
    // Up over the table, and away with it.
    if (shown > 0) process.stderr.write(`\x1b[${shown}A\x1b[0J`);
    shown = 0;
  };
  return {
    update(progress) {
      const { trial, folds, definition, secondsLeft } = progress;
      if (!live) {
        if (trial.status === "running" || trial.rungs.length === 0) return;
        const { epochs, score } = trial.rungs.at(-1)!;
        const what = trial.role === "baseline" ? "the study's own" : configurationText(trial.config);
        const fold = folds.length > 1 ? `${definition.folds[trial.fold]!.name}, ` : "";
        const left = secondsLeft === null ? "" : `; about ${durationText(secondsLeft)} left`;
        console.error(
          `${fold}${what}: ${
            score === null ? `failed, ${trial.reason}` : percentText(score)
          } (${epochs} epochs${left})`,
        );
        return;
      }
      const now = performance.now();
      if (now - last < EVERY_MS && progress.epochsLeft > 0) return;
      last = now;
      const lines = tableLines(progress, (process.stderr.columns || 100) - 1);
      clear();
      process.stderr.write(lines.map((line) => `${line}\n`).join(""));
      shown = lines.length;
    },
    line(text) {
      clear();
      console.error(text);
    },
    end: clear,
  };
}
