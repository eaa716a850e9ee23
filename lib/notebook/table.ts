/**
 * Tables in notebooks.
 *
 * @module
 */

import { type Displayable, displayable, escapeHtml } from "./jupyter.ts";

/** The part of a danfojs DataFrame that a table needs. */
export interface FrameLike {
  /** Names of the columns. */
  readonly columns: readonly string[];
  /** Values, row by row. */
  readonly values: unknown;
}

/** How a table is written. */
export interface TableOptions {
  /** Line above the table. */
  readonly caption?: string;
  /** At most so many rows; the rest is counted below. */
  readonly maxRows?: number;
  /** Decimals of numbers that are not whole. */
  readonly decimals?: number;
  /** Columns to show, in this order; all when absent. */
  readonly columns?: readonly string[];
}

/**
 * A table as HTML and as plain text; numbers stand at the right, what is missing stays empty.
 *
 * @param content A danfojs DataFrame, or records.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const shown = table([{ class: "sad", clips: 3 }, { class: "angry", clips: 12 }]);
 * assert.equal(shown.mime["text/plain"], "class  clips\nsad        3\nangry     12");
 * ```
 */
export function table(
  content: FrameLike | readonly Readonly<Record<string, unknown>>[],
  options: TableOptions = {},
): Displayable {
  const { caption, maxRows = 20, decimals = 2 } = options;
  const { columns, rows } = readTable(content, options.columns);
  const shown = rows.slice(0, maxRows);
  const numeric = columns.map((_, c) =>
    rows.some((r) => isNumber(r[c])) && rows.every((r) => isNumber(r[c]) || isGap(r[c]))
  );
  const texts = shown.map((row) => row.map((value) => cell(value, decimals)));
  const rest = rows.length > maxRows ? `… and ${rows.length - maxRows} more rows` : "";
  return displayable({
    "text/html": html(columns, texts, numeric, caption, rest),
    "text/plain": plain(columns, texts, numeric, caption, rest),
  });
}

function readTable(
  content: FrameLike | readonly Readonly<Record<string, unknown>>[],
  wanted: readonly string[] | undefined,
): { columns: readonly string[]; rows: unknown[][] } {
  if (!Array.isArray(content)) {
    const frame = content as FrameLike;
    const values = frame.values as unknown[][];
    if (!wanted) return { columns: frame.columns, rows: values };
    const at = wanted.map((name) => frame.columns.indexOf(name));
    return { columns: wanted, rows: values.map((row) => at.map((i) => row[i])) };
  }
  const records = content as readonly Readonly<Record<string, unknown>>[];
  const columns = wanted ?? [...new Set(records.flatMap((record) => Object.keys(record)))];
  return { columns, rows: records.map((record) => columns.map((name) => record[name])) };
}

/** A number, or the text of one that has been rounded already. */
function isNumber(value: unknown): boolean {
  return typeof value === "number" || (typeof value === "string" && /^[−+-]?\d+(?:\.\d+)?(?: ?%)?$/.test(value));
}

function isGap(value: unknown): boolean {
  return value === null || value === undefined || value === "";
}

function cell(value: unknown, decimals: number): string {
  if (value === null || value === undefined || Number.isNaN(value)) return "";
  if (typeof value !== "number") return String(value);
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  return (Number.isInteger(value) ? String(value) : value.toFixed(decimals)).replace(/^-(?=.*[1-9])/, "−").replace(
    /^-/,
    "",
  );
}

function html(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  numeric: readonly boolean[],
  caption: string | undefined,
  rest: string,
): string {
  // Styles stand on the elements: a sheet would reach into the rest of the notebook.
  const line = "1px solid rgba(128,128,128,0.35)";
  const align = (c: number) => `text-align:${numeric[c] ? "right" : "left"}`;
  const head = columns.map((name, c) =>
    `<th scope="col" style="${align(c)};padding:4px 12px;border-bottom:2px solid rgba(128,128,128,0.6)">${
      escapeHtml(name)
    }</th>`
  );
  const body = rows.map((row) =>
    `<tr>${
      row.map((text, c) =>
        `<td style="${align(c)};padding:3px 12px;border-bottom:${line};font-variant-numeric:tabular-nums">${
          escapeHtml(text)
        }</td>`
      ).join("")
    }</tr>`
  );
  const title = caption
    ? `<caption style="text-align:left;padding:4px 12px;font-weight:600;white-space:nowrap">${
      escapeHtml(caption)
    }</caption>`
    : "";
  const foot = rest ? `<div style="padding:4px 12px;opacity:0.75">${rest}</div>` : "";
  return `<div style="overflow-x:auto"><table style="border-collapse:collapse;margin:0">${title}` +
    `<thead><tr>${head.join("")}</tr></thead><tbody>${body.join("")}</tbody></table>${foot}</div>`;
}

function plain(
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  numeric: readonly boolean[],
  caption: string | undefined,
  rest: string,
): string {
  const width = columns.map((name, c) => Math.max(name.length, ...rows.map((row) => row[c]!.length)));
  const write = (row: readonly string[]) =>
    row.map((text, c) => numeric[c] ? text.padStart(width[c]!) : text.padEnd(width[c]!)).join("  ").trimEnd();
  return [...(caption ? [caption] : []), write(columns), ...rows.map(write), ...(rest ? [rest] : [])].join("\n");
}
