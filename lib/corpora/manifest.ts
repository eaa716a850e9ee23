/**
 * Manifests: which recordings there are, what they are, and the SHA-256 of each, as JSON Lines.
 *
 * The first line is a header, `{ "format": "serlab-manifest", "version": 1, … }`; every other line is one
 * {@linkcode ManifestRow}, ordered by corpus and key, so that the order does not depend on how the folders are laid out.
 *
 * @module
 */

import { FormatError } from "../errors.ts";
import { canonicalJson, readFileOr, sha256Hex, writeFileAtomic } from "../io.ts";
import { EMOTIONS, FURTHER_EMOTIONS, type ManifestRow } from "../types.ts";
import { byCodeUnits } from "./corpus.ts";

/** The recordings of one or more corpora, each with the hash of its file. */
export interface Manifest {
  /** One row a recording, ordered by {@linkcode orderRows}. */
  readonly rows: readonly ManifestRow[];
  /** Keys of recordings that a complete copy would hold and this one lacks, as far as they are known by name. */
  readonly missing: readonly string[];
}

/** Rows ordered by corpus, then by key (by UTF-16 code units): the same for every layout of the folders. */
export function orderRows<R extends { readonly corpus: string; readonly key: string }>(rows: readonly R[]): R[] {
  return [...rows].sort((a, b) => byCodeUnits(a.corpus, b.corpus) || byCodeUnits(a.key, b.key));
}

/**
 * The identity of a set of recordings: SHA-256 over key, SHA-256 and label of every row, sorted by key.
 *
 * It depends on what was recorded and how it is labelled, not on where the files lie or in which order they come.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const a = { key: "ravdess/a", sha256: "00", emotion: "sad" } as const;
 * const b = { key: "ravdess/b", sha256: "11", emotion: "calm" } as const;
 * assert.equal(manifestHash([a, b]), manifestHash([b, a]));
 * assert.notEqual(manifestHash([a, b]), manifestHash([a, { ...b, emotion: "sad" }]));
 * ```
 */
export function manifestHash(rows: readonly Pick<ManifestRow, "key" | "sha256" | "emotion">[]): string {
  const facts = rows.map((row) => [row.key, row.sha256, row.emotion] as const);
  facts.sort((a, b) => byCodeUnits(a[0], b[0]) || byCodeUnits(a[1], b[1]));
  return sha256Hex(JSON.stringify(facts));
}

/**
 * Writes a manifest as JSON Lines, whole or not at all.
 *
 * @param path Where it shall stand, usually `data/manifests/<name>.jsonl`.
 * @throws {WriteError} when it cannot be written.
 */
export function writeManifest(path: string, manifest: Manifest): void {
  const rows = orderRows(manifest.rows);
  const header = {
    format: "serlab-manifest",
    version: 1,
    rows: rows.length,
    hash: manifestHash(rows),
    missing: manifest.missing,
  };
  writeFileAtomic(path, [JSON.stringify(header), ...rows.map(canonicalJson)].join("\n") + "\n");
}

const ALL_EMOTIONS: ReadonlySet<unknown> = new Set([...EMOTIONS, ...FURTHER_EMOTIONS]);

/** What each field of a row must be. */
const FIELDS: Readonly<
  Record<keyof ManifestRow, { readonly optional?: true; readonly rule: (value: unknown) => boolean }>
> = {
  key: { rule: isText },
  path: { rule: isSafePath },
  corpus: { rule: isText },
  speaker: { rule: isText },
  sex: { optional: true, rule: (value) => value === "female" || value === "male" },
  emotion: { rule: (value) => ALL_EMOTIONS.has(value) },
  sentence: { optional: true, rule: isText },
  take: { optional: true, rule: isText },
  intensity: { optional: true, rule: isText },
  channel: { optional: true, rule: (value) => value === "speech" || value === "song" },
  sha256: { rule: (value) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value) },
  bytes: { rule: isCount },
  durationSec: { rule: (value) => typeof value === "number" && value >= 0 && Number.isFinite(value) },
  sampleRateHz: { rule: (value) => typeof value === "number" && value > 0 && Number.isFinite(value) },
  channels: { rule: (value) => isCount(value) && value !== 0 },
};

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "";
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** A path below the corpus's folder: relative, and with no way out of it. */
function isSafePath(value: unknown): boolean {
  return typeof value === "string" && value !== "" && !/^([/\\]|[A-Za-z]:)/.test(value) &&
    !value.split(/[/\\]/).includes("..");
}

function parseRow(value: unknown, where: string): ManifestRow {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new FormatError(`${where}: a row of a manifest must be a JSON object.`);
  }
  const record = value as Record<string, unknown>;
  for (const [name, { optional, rule }] of Object.entries(FIELDS)) {
    const field = record[name];
    if (field === undefined && optional) continue;
    if (!rule(field)) {
      throw new FormatError(`${where}: "${name}" of a manifest's row cannot be ${JSON.stringify(field) ?? "absent"}.`);
    }
  }
  return value as ManifestRow;
}

function parseLine(line: string, where: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new FormatError(`${where}: this line of a manifest is not JSON.`, { cause: error });
  }
}

/**
 * Reads a manifest and checks it: every field, the number of rows, the hash over all rows.
 *
 * @throws {FormatError} when it cannot be read, is not a manifest, or was cut or changed by hand.
 */
export function readManifest(path: string): Manifest {
  const text = new TextDecoder().decode(readFileOr(path, FormatError));
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const header = lines.length === 0 ? undefined : parseLine(lines[0]!, `${path}:1`) as Record<string, unknown> | null;
  if (header?.format !== "serlab-manifest") {
    throw new FormatError(`${path}: not a manifest, its first line must be {"format":"serlab-manifest", …}.`);
  }
  if (header.version !== 1) {
    throw new FormatError(
      `${path}: version ${JSON.stringify(header.version)} of manifests is unknown; this serlab reads 1.`,
    );
  }
  const missing = header.missing ?? [];
  if (!Array.isArray(missing) || !missing.every(isText)) {
    throw new FormatError(`${path}:1: "missing" must be a list of keys.`);
  }
  const rows = lines.slice(1).map((line, i) => parseRow(parseLine(line, `${path}:${i + 2}`), `${path}:${i + 2}`));
  if (header.rows !== rows.length) {
    throw new FormatError(
      `${path}: its header declares ${JSON.stringify(header.rows)} rows, but ${rows.length} are there.`,
    );
  }
  const keys = new Set<string>();
  for (const row of rows) {
    if (keys.has(row.key)) throw new FormatError(`${path}: the key ${row.key} stands there twice.`);
    keys.add(row.key);
  }
  if (header.hash !== manifestHash(rows)) {
    throw new FormatError(`${path}: its rows do not have the hash that its header declares; it was changed.`);
  }
  return { rows: orderRows(rows), missing: missing as string[] };
}
