/**
 * Is this folder what it should be? Counts, names, hashes and known oddities of the corpora under it.
 *
 * @module
 */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { SerlabError } from "../errors.ts";
import type { ManifestRow, Utterance, VocalChannel } from "../types.ts";
import { byCodeUnits, type Corpus, countBy, type Oddity } from "./corpus.ts";
import { describeExtra, describeMissing, findOnShelf, type FoundCorpus } from "./find.ts";
import { mapConcurrently, readRow } from "./indexing.ts";
import { type Manifest, readManifest } from "./manifest.ts";

/** A file that cannot be used, and why. */
export interface BadFile {
  /** Its path relative to the folder. */
  readonly path: string;
  /** Why, in one sentence that names the file. */
  readonly reason: string;
}

/** A count beside the one that a complete corpus has. */
export interface CountCheck {
  /** The label or the speaker. */
  readonly name: string;
  /** How many recordings there are. */
  readonly found: number;
  /** How many there should be; absent where that is not known. */
  readonly expected?: number;
}

/** What was found of one corpus, its speech or its song. */
export interface CorpusCheck {
  /** Identifier of the corpus. */
  readonly id: string;
  /** Speech or song. */
  readonly channel: VocalChannel;
  /** Number of recordings. */
  readonly files: number;
  /** Number of a complete copy; absent for corpora that are never complete. */
  readonly expected?: number;
  /** What is missing, in words; absent when nothing is. */
  readonly missing?: string;
  /** Keys of the missing recordings, as far as they are known by name. */
  readonly missingKeys: readonly string[];
  /** What is extra, in words; absent when nothing is. */
  readonly extra?: string;
  /** Keys of recordings that a complete copy does not hold, or that are there a second time under another name. */
  readonly extraKeys: readonly string[];
  /** Recordings a label. */
  readonly emotions: readonly CountCheck[];
  /** Recordings a speaker. */
  readonly speakers: readonly CountCheck[];
  /** Files that cannot be used: not audio, cut off, Git LFS pointers. */
  readonly bad: readonly BadFile[];
  /** Paths of files that are there twice under one name. */
  readonly copies: readonly string[];
  /** Keys of recordings whose files are the same to the byte. */
  readonly identical: readonly (readonly string[])[];
  /** Known oddities that concern recordings that are there, or the corpus as a whole. */
  readonly oddities: readonly Oddity[];
  /** How many files have the hash on record. */
  readonly verified: number;
  /** Keys of recordings whose file has another hash than the one on record. */
  readonly changed: readonly string[];
}

/** What was found under a folder. */
export interface CheckReport {
  /** The folder. */
  readonly dir: string;
  /** The corpora. */
  readonly corpora: readonly CorpusCheck[];
  /** Audio files whose names no parser knows. */
  readonly unknown: readonly string[];
  /** Folders that cannot be read. */
  readonly unreadable: readonly string[];
  /** Whether there is a corpus and nothing is missing, extra, bad, changed, unknown or unreadable. */
  readonly ok: boolean;
}

/** Options of {@linkcode checkFolder}. */
export interface CheckOptions {
  /** Folder of manifests with hashes on record (none where it does not exist). */
  readonly manifests?: string;
  /** Is told after every file how many are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Hashes on record, by key. */
function recordedHashes(folder: string | undefined): Map<string, string> {
  const hashes = new Map<string, string>();
  if (folder === undefined || !existsSync(folder)) return hashes;
  for (const name of readdirSync(folder).sort()) {
    if (!name.endsWith(".jsonl")) continue;
    for (const row of readManifest(join(folder, name)).rows) hashes.set(row.key, row.sha256);
  }
  return hashes;
}

interface Reading {
  readonly rows: readonly ManifestRow[];
  readonly bad: readonly BadFile[];
}

async function readAll(dir: string, utterances: readonly Utterance[], onFile: () => void): Promise<Reading> {
  const bad: BadFile[] = [];
  const rows = await mapConcurrently(utterances, 8, async (utterance) => {
    try {
      return await readRow(dir, utterance);
    } catch (error) {
      if (!(error instanceof SerlabError)) throw error;
      bad.push({ path: utterance.path, reason: error.message });
      return undefined;
    } finally {
      onFile();
    }
  });
  bad.sort((a, b) => byCodeUnits(a.path, b.path));
  return { rows: rows.filter((row) => row !== undefined), bad };
}

function compare(
  found: Readonly<Record<string, number>>,
  expected: Readonly<Record<string, number>>,
): CountCheck[] {
  return [...new Set([...Object.keys(expected), ...Object.keys(found)])].map((name) => ({
    name,
    found: found[name] ?? 0,
    ...(expected[name] === undefined ? {} : { expected: expected[name] }),
  }));
}

function checkPart(part: FoundCorpus, { rows, bad }: Reading, recorded: ReadonlyMap<string, string>): CorpusCheck {
  const { corpus, utterances, expected } = part;
  const byHash = Map.groupBy(rows, (row) => row.sha256);
  const there = new Set(utterances.map((utterance) => utterance.key));
  return {
    id: corpus.id,
    channel: part.channel,
    files: utterances.length,
    ...(expected === undefined ? {} : { expected: expected.files }),
    ...(part.missingCount === 0 ? {} : { missing: describeMissing(part) }),
    missingKeys: part.missing,
    ...(part.extra.length === 0 ? {} : { extra: describeExtra(part) }),
    extraKeys: part.extra,
    emotions: compare(countBy(utterances, (one) => one.emotion), expected?.perEmotion ?? {}),
    speakers: compare(countBy(utterances, (one) => one.speaker), expected?.perSpeaker ?? {}),
    bad,
    copies: part.copies.map((copy) => copy.path),
    identical: [...byHash.values()].filter((same) => same.length > 1).map((same) => same.map((row) => row.key).sort()),
    oddities: corpus.oddities.filter(({ keys }) => keys.length === 0 || keys.some((key) => there.has(key))),
    verified: rows.filter((row) => recorded.get(row.key) === row.sha256).length,
    changed: rows.filter((row) => recorded.has(row.key) && recorded.get(row.key) !== row.sha256).map((row) => row.key),
  };
}

/**
 * Checks the corpora under a folder: counts by class and speaker, every file's header, hashes on record, names that no
 * parser knows, files that are the same, and the oddities that the corpora are known for.
 *
 * @param shelf The corpora to look for.
 * @throws {CorpusError} when the folder is not there or cannot be read.
 */
export async function checkFolder(
  shelf: readonly Corpus[],
  dir: string,
  options: CheckOptions = {},
): Promise<CheckReport> {
  const found = await findOnShelf(shelf, dir);
  const recorded = recordedHashes(options.manifests);
  const total = found.corpora.reduce((sum, part) => sum + part.utterances.length, 0);
  let done = 0;
  const corpora: CorpusCheck[] = [];
  for (const part of found.corpora) {
    const reading = await readAll(dir, part.utterances, () => options.onProgress?.(++done, total));
    corpora.push(checkPart(part, reading, recorded));
  }
  const { unknown, unreadable } = found;
  const ok = corpora.length > 0 && unknown.length === 0 && unreadable.length === 0 &&
    corpora.every(({ missing, extraKeys, bad, changed }) =>
      missing === undefined && extraKeys.length + bad.length + changed.length === 0
    );
  return { dir, corpora, unknown, unreadable, ok };
}

/** How a folder differs from a manifest. */
export interface ManifestDifference {
  /** Keys of the manifest whose file is not there. */
  readonly missing: readonly string[];
  /** Keys of recordings that are there and not in the manifest, of the corpora and channels that it has. */
  readonly extra: readonly string[];
  /** Keys whose file has other content. */
  readonly changed: readonly string[];
  /** Files that cannot be used, which are neither missing nor counted as changed. */
  readonly bad: readonly BadFile[];
  /** Whether every row of the manifest is there, unchanged; extra recordings do no harm. */
  readonly ok: boolean;
}

/**
 * Compares a folder with a manifest. Recordings are joined by key, so the layout of the folders may differ; those of no
 * corpus on the shelf are looked for at their paths.
 *
 * @param shelf The corpora to look for.
 * @throws {CorpusError} when the folder is not there or cannot be read.
 */
export async function compareWithManifest(
  shelf: readonly Corpus[],
  dir: string,
  manifest: Pick<Manifest, "rows">,
): Promise<ManifestDifference> {
  const found = await findOnShelf(shelf, dir);
  const known = new Map(found.corpora.flatMap((part) => part.utterances).map((one) => [one.key, one]));
  const wanted: ManifestRow[] = [];
  const missing: string[] = [];
  for (const row of manifest.rows) {
    const there = known.get(row.key);
    if (there !== undefined) wanted.push({ ...row, path: there.path });
    else if (!shelf.some((corpus) => corpus.id === row.corpus) && existsSync(join(dir, row.path))) wanted.push(row);
    else missing.push(row.key);
  }
  const { rows, bad } = await readAll(dir, wanted, () => {});
  const recorded = new Map(manifest.rows.map((row) => [row.key, row.sha256]));
  const changed = rows.filter((row) => row.sha256 !== recorded.get(row.key)).map((row) => row.key);
  const parts = new Set(manifest.rows.map((row) => `${row.corpus} ${row.channel ?? "speech"}`));
  const extra = found.corpora.filter((part) => parts.has(`${part.corpus.id} ${part.channel}`))
    .flatMap((part) => part.utterances.map((one) => one.key)).filter((key) => !recorded.has(key));
  return { missing, extra, changed, bad, ok: missing.length + changed.length + bad.length === 0 };
}
