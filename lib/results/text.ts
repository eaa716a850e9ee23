/**
 * Numbers, ranges and tables as the report writes them.
 *
 * @module
 */

import { formatFixed } from "../training/metrics.ts";
import type { Interval, IntervalKind, MeanSd } from "../training/statistics.ts";

/** A share as per cent. */
export function percent(value: number, decimals = 1): string {
  return `${formatFixed(100 * value, decimals)} %`;
}

/** Ends of an interval as per cent. */
export function range([low, high]: Interval): string {
  return `${formatFixed(100 * low, 1)} to ${percent(high)}`;
}

/** An interval as per cent; the score of a single speaker has none. */
export function intervalText(interval: Interval, kind: IntervalKind, speakers: number): string {
  return kind === "speaker-range" && speakers === 1 ? "–" : range(interval);
}

/** Mean and standard deviation over seeds as per cent. */
export function spread({ mean, sd }: MeanSd): string {
  return sd === null ? percent(mean) : `${formatFixed(100 * mean, 1)} ± ${percent(sd)}`;
}

/** A difference of shares in points with its sign. */
export function signedPoints(difference: number): string {
  const text = formatFixed(100 * difference, 1);
  return Number(text) > 0 ? `+${text}` : Number(text) === 0 ? "0.0" : text.replace("-", "−");
}

/** Ends of an interval of a difference, in points. */
export function signedRange([low, high]: Interval): string {
  return `${signedPoints(low)} to ${signedPoints(high)}`;
}

/** `1 clip`, `2 clips`. */
export function plural(count: number, one: string, more = `${one}s`): string {
  return `${count} ${count === 1 ? one : more}`;
}

/** Text that is safe in a table's cell. */
function cellText(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}

/** Where an interval comes from, in words. */
export function kindText(kind: IntervalKind, speakers: number): string {
  switch (kind) {
    case "wilson":
      return "Wilson";
    case "wilson-by-recording":
      return "Wilson, each recording once";
    case "speaker-bootstrap":
      return `bootstrap over ${speakers} speakers`;
    case "speaker-t":
      return `t over ${speakers} speakers`;
    case "speaker-range":
      return speakers === 1 ? "one speaker" : `only the range over ${speakers} speakers`;
  }
}

/**
 * A Markdown table.
 *
 * @param numbers How many of the last columns are aligned to the right.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[], numbers: number): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.map(cellText).join(" | ")} |`;
  return [
    line(head),
    `|${head.map((_, i) => i < head.length - numbers ? " --- " : " ---: ").join("|")}|`,
    ...rows.map(line),
  ];
}
