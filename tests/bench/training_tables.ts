/**
 * The training bench's tables: kept as JSON, row by row, so that any part can be measured by itself, and written as text.
 *
 * @module
 */

import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../../lib/io.ts";
import { quantile } from "../../lib/training/statistics.ts";

/** A row of a table. */
export type Row = Readonly<Record<string, unknown>>;

/** The smallest, the middle and the largest of some measurements. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Rounds to a number of digits after the point. */
export const round = (value: number, digits = 2): number => Number(value.toFixed(digits));

/** The middle of some measurements. */
export const median = (values: readonly number[]): number => quantile([...values].sort((a, b) => a - b), 0.5);

/** The spread of some measurements. */
export const spread = (values: readonly number[]): Spread => ({
  min: round(Math.min(...values)),
  median: round(median(values)),
  max: round(Math.max(...values)),
});

/** One table: its file, what names a row, and all rows' names in order. */
export interface Table {
  readonly file: string;
  readonly key: readonly string[];
  readonly order: readonly string[];
}

/** Rows of a table that are kept in a folder. */
export function load(folder: string, { file }: Pick<Table, "file">): Row[] {
  const path = join(folder, file);
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) as Row[] : [];
}

/** Puts rows into a table: in the place of those of the same name; rows that the bench no longer has go. */
export function merge(kept: readonly Row[], fresh: readonly Row[], { key, order }: Omit<Table, "file">): Row[] {
  const name = (row: Row): string => key.map((column) => String(row[column])).join(" | ");
  const byName = new Map([...kept, ...fresh].map((row) => [name(row), row]));
  return order.flatMap((one): Row[] => byName.has(one) ? [byName.get(one)!] : []);
}

/** {@linkcode merge}s rows into a table's file, at once and whole. */
export function save(folder: string, table: Table, fresh: readonly Row[]): void {
  mkdirSync(folder, { recursive: true });
  const rows = merge(load(folder, table), fresh, table);
  writeFileAtomic(join(folder, table.file), `[\n${rows.map((row) => "  " + JSON.stringify(row)).join(",\n")}\n]\n`);
}

/** A column of a printed table: its head, and what it shows of a row. */
export type Column = readonly [head: string, show: (row: Row) => unknown];

const isSpread = (value: object): value is Spread => "min" in value && "median" in value && "max" in value;

function text(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "object" && isSpread(value)) return `${value.min} / ${value.median} / ${value.max}`;
  if (typeof value !== "number" || value === 0) return String(value);
  return Math.abs(value) < 1e-3 ? value.toExponential(1) : String(round(value, 4));
}

/** Cells of a table as text, the head first. */
export function cells(rows: readonly Row[], columns: readonly Column[]): string[][] {
  return [columns.map(([head]) => head), ...rows.map((row) => columns.map(([, show]) => text(show(row))))];
}

/** Prints a table in columns. */
export function print(title: string, rows: readonly Row[], columns: readonly Column[]): void {
  const lines = cells(rows, columns);
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  console.log(`\n${title}`);
  for (const line of lines) console.log(line.map((cell, i) => cell.padEnd(widths[i]!)).join("  "));
}

/** A table as Markdown. */
export function markdown(rows: readonly Row[], columns: readonly Column[]): string {
  const [head, ...body] = cells(rows, columns);
  return [head!, head!.map(() => "---"), ...body].map((line) => `| ${line.join(" | ")} |`).join("\n");
}
