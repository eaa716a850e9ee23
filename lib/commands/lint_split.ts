/**
 * `lint-split`: finds leakage in anyone's split.
 *
 * @module
 */

import process from "node:process";
import { corpora } from "../corpora/mod.ts";
import { FormatError } from "../errors.ts";
import { readFileOr } from "../io.ts";
import { parseCsv } from "../results/csv.ts";
import { type LintRow, lintSplit, renderLint } from "../split/mod.ts";

const REQUIRED = ["key", "path", "split", "label"] as const;
const OPTIONAL = ["corpus", "speaker", "sentence", "take", "intensity", "parent", "sha256", "contentHash"] as const;

/** Rows of a manifest as texts by column, from CSV or JSON Lines, told apart by their first character. */
function readTable(text: string, file: string): Record<string, string>[] {
  if (text.trimStart().startsWith("{")) {
    return text.split("\n").filter((line) => line.trim()).map((line, i) => {
      try {
        const row = JSON.parse(line) as Record<string, unknown>;
        return Object.fromEntries(
          Object.entries(row).filter(([, value]) => value !== null && value !== "").map(([k, v]) => [k, String(v)]),
        );
      } catch {
        throw new FormatError(`${file}: line ${i + 1} is not JSON.`);
      }
    });
  }
  let lines: string[][];
  try {
    lines = parseCsv(text);
  } catch (error) {
    throw new FormatError(`${file}: ${(error as Error).message}.`, { cause: error });
  }
  const [head, ...rows] = lines;
  if (!head) throw new FormatError(`${file}: is empty.`);
  return rows.map((fields, i) => {
    if (fields.length !== head.length) {
      throw new FormatError(`${file}: line ${i + 2} has ${fields.length} fields, not ${head.length}.`);
    }
    return Object.fromEntries(head.map((name, c) => [name.trim(), fields[c]!]).filter(([, value]) => value !== ""));
  });
}

/**
 * Rows of a split manifest; what a row does not say of speaker, sentence and take is taken from its file name where a
 * corpus of the shelf knows it.
 *
 * @throws {FormatError} when the file is not such a manifest.
 */
export function readLintRows(text: string, file: string): LintRow[] {
  const table = readTable(text, file);
  if (table.length === 0) throw new FormatError(`${file}: holds no rows.`);
  return table.map((row, i) => {
    const missing = REQUIRED.find((name) => row[name] === undefined);
    if (missing) {
      throw new FormatError(`${file}: row ${i + 1} has no ${missing}; every row needs ${REQUIRED.join(", ")}.`);
    }
    const path = row["path"]!.replaceAll("\\", "/");
    const parsed = corpora.map((corpus) => corpus.parse(path)).find((utterance) => utterance !== undefined);
    const known: Partial<Record<typeof OPTIONAL[number], string>> = parsed
      ? {
        corpus: parsed.corpus,
        speaker: parsed.speaker,
        ...(parsed.sentence === undefined ? {} : { sentence: parsed.sentence }),
        ...(parsed.take === undefined ? {} : { take: parsed.take }),
        ...(parsed.intensity === undefined ? {} : { intensity: parsed.intensity }),
      }
      : {};
    const said = Object.fromEntries(
      OPTIONAL.filter((name) => row[name] !== undefined).map((name) => [name, row[name]!]),
    );
    return { key: row["key"]!, path, split: row["split"]!, label: row["label"]!, ...known, ...said };
  });
}

/** Lints a manifest; exit code 1 where a leak is found. */
export function lintSplitCommand(file: string, options: { readonly json?: boolean }): void {
  const text = new TextDecoder().decode(readFileOr(file, FormatError)).replace(/^\uFEFF/, "");
  const report = lintSplit(readLintRows(text, file));
  console.log(options.json ? JSON.stringify(report) : renderLint(report));
  process.exitCode = report.leak ? 1 : 0;
}
