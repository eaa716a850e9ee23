/**
 * `lint-split`: finds leakage in anyone's split.
 *
 * @module
 */

import { join } from "node:path";
import process from "node:process";
import { audioContentHash } from "../audio/doctor.ts";
import { decodeAudio } from "../audio/decode.ts";
import { readAudioBytes } from "../audio/load.ts";
import { toMono } from "../audio/types.ts";
import { corpora } from "../corpora/mod.ts";
import { FormatError } from "../errors.ts";
import { fingerprint } from "../features/fingerprint.ts";
import { readFileOr, sha256Hex } from "../io.ts";
import { parseCsvFile } from "../results/csv.ts";
import { type LintRow, lintSplit, renderLint } from "../split/mod.ts";
import { progressBar } from "./progress.ts";

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
  const [head, ...rows] = parseCsvFile(text, file);
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
    const scaler = row["scaler"];
    if (scaler !== undefined && !/^(true|false|1|0|yes|no)$/i.test(scaler)) {
      throw new FormatError(`${file}: row ${i + 1}: scaler is ${scaler}; it must be true or false.`);
    }
    return {
      key: row["key"]!,
      path,
      split: row["split"]!,
      label: row["label"]!,
      ...known,
      ...said,
      ...(scaler === undefined ? {} : { scaler: /^(true|1|yes)$/i.test(scaler) }),
    };
  });
}

/** Options of the command. */
export interface LintSplitOptions {
  /** One JSON object. */
  readonly json?: boolean;
  /** Folder that the paths start from: the audio is read and compared. */
  readonly audio?: string;
}

/**
 * Rows with the hashes and the sound of their audio.
 *
 * @throws {AudioError} naming the file that cannot be read.
 */
export async function hearRows(
  rows: readonly LintRow[],
  dir: string,
  onProgress?: (done: number, total: number) => void,
): Promise<LintRow[]> {
  const heard = new Map<string, Pick<LintRow, "sha256" | "contentHash" | "fingerprint">>();
  const all: LintRow[] = [];
  for (const row of rows) {
    const path = join(dir, row.path!);
    let sound = heard.get(path);
    if (sound === undefined) {
      const bytes = readAudioBytes(path);
      const decoded = await decodeAudio(bytes, path);
      sound = {
        sha256: sha256Hex(bytes),
        contentHash: await audioContentHash(decoded),
        fingerprint: fingerprint(toMono(decoded)),
      };
      heard.set(path, sound);
    }
    all.push({ ...row, ...sound });
    onProgress?.(all.length, rows.length);
  }
  return all;
}

/** Lints a manifest; exit code 1 where a leak is found. */
export async function lintSplitCommand(file: string, options: LintSplitOptions): Promise<void> {
  const text = new TextDecoder().decode(readFileOr(file, FormatError)).replace(/^\uFEFF/, "");
  const rows = readLintRows(text, file);
  const bar = progressBar("lint-split");
  const heard = options.audio === undefined
    ? rows
    : await hearRows(rows, options.audio, (done, total) => bar.update(done, total, "files heard"));
  bar.end();
  const report = lintSplit(heard);
  console.log(options.json ? JSON.stringify(report) : renderLint(report));
  process.exitCode = report.leak ? 1 : 0;
}
