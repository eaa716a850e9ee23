/**
 * Which corpora lie under a folder, told from the names of the files at any depth.
 *
 * @module
 */

import { type Dirent, promises as fs } from "node:fs";
import { join } from "node:path";
import { CorpusError } from "../errors.ts";
import { systemReason } from "../io.ts";
import type { Utterance, VocalChannel } from "../types.ts";
import { byCodeUnits, type Corpus, type ExpectedPart } from "./corpus.ts";

/** A corpus, its speech or its song, as it was found under a folder. */
export interface FoundCorpus {
  /** The corpus. */
  readonly corpus: Corpus;
  /** Speech or song. */
  readonly channel: VocalChannel;
  /** The recordings, ordered by key; their paths are relative to the folder that was searched. */
  readonly utterances: readonly Utterance[];
  /** Further files of the same name elsewhere under the folder, as some redistributions nest a corpus in itself. */
  readonly copies: readonly Utterance[];
  /** What a complete copy holds; absent where no copy is complete by itself (the synthetic corpus). */
  readonly expected?: ExpectedPart;
  /** Keys of the recordings that are missing, as far as they are known by name. */
  readonly missing: readonly string[];
  /** How many recordings are missing, named or not. */
  readonly missingCount: number;
  /** Keys of the recordings that a complete copy does not hold, or that are there a second time under another name. */
  readonly extra: readonly string[];
}

/** What lies under a folder. */
export interface FoundCorpora {
  /** The folder that was searched. */
  readonly dir: string;
  /** The corpora, in the order of the shelf; speech before song. */
  readonly corpora: readonly FoundCorpus[];
  /** Audio files, by their names, that no parser knows: paths relative to the folder. */
  readonly unknown: readonly string[];
  /** Folders that cannot be read: `path: reason`. */
  readonly unreadable: readonly string[];
}

/** Names of folders that never hold a corpus. */
const SKIPPED_FOLDERS: ReadonlySet<string> = new Set(["node_modules", "__MACOSX"]);

/** What an audio file is called; every corpus on the shelf is distributed as `.wav`. */
const AUDIO_NAME = /\.wav$/i;

/** The files under a folder. */
export interface Listing {
  /** Paths relative to the folder, with `/`. */
  readonly files: readonly string[];
  /** Folders that cannot be read: `path: reason`. */
  readonly unreadable: readonly string[];
}

/**
 * Lists the files under a folder, depth first, in the order of their names. Links are followed, each real folder once,
 * so that a link that leads back up ends the walk there; hidden files and folders are left out (`._*`, `.DS_Store`, `.git`).
 *
 * @throws {CorpusError} when the folder itself is not there or cannot be read.
 */
export async function listFiles(dir: string): Promise<Listing> {
  const files: string[] = [];
  const unreadable: string[] = [];
  const visited = new Set<string>();
  const links: string[] = [];

  async function walk(relative: string): Promise<void> {
    const full = relative === "" ? dir : join(dir, relative);
    let entries: Dirent[];
    try {
      const real = await fs.realpath(full);
      if (visited.has(real)) return;
      visited.add(real);
      entries = await fs.readdir(full, { withFileTypes: true });
    } catch (error) {
      if (relative === "") throw error;
      unreadable.push(`${full}: ${systemReason(error)}`);
      return;
    }
    entries.sort((a, b) => byCodeUnits(a.name, b.name));
    for (const entry of entries) {
      if (entry.name.startsWith(".") || SKIPPED_FOLDERS.has(entry.name)) continue;
      const path = relative === "" ? entry.name : `${relative}/${entry.name}`;
      if (entry.isDirectory()) await walk(path);
      else if (entry.isFile()) files.push(path);
      else if (entry.isSymbolicLink()) links.push(path);
    }
  }

  /** What a link leads to. */
  async function follow(path: string): Promise<void> {
    let stat;
    try {
      stat = await fs.stat(join(dir, path));
    } catch {
      // It leads nowhere, or in a circle. By its name it may be a recording; reading it will say what is wrong.
      files.push(path);
      return;
    }
    if (stat.isDirectory()) await walk(path);
    else if (stat.isFile()) files.push(path);
  }

  try {
    await walk("");
    // Links come last, so that what is there both itself and through a link is known by its own path.
    for (let i = 0; i < links.length; i++) await follow(links[i]!);
  } catch (error) {
    throw new CorpusError(`${dir}: cannot be searched for a corpus, ${systemReason(error)}.`, { cause: error });
  }
  return { files, unreadable };
}

function missingOf(expected: ExpectedPart | undefined, there: ReadonlySet<string>): Pick<
  FoundCorpus,
  "missing" | "missingCount"
> {
  if (expected === undefined) return { missing: [], missingCount: 0 };
  const missing = expected.keys?.().filter((key) => !there.has(key)) ?? [];
  return { missing, missingCount: expected.keys ? missing.length : Math.max(0, expected.files - there.size) };
}

/** Extra recordings; of two that are the same by their names, the one that is called as in a complete copy is not. */
function extraOf(
  expected: ExpectedPart | undefined,
  utterances: readonly Utterance[],
  canonical: (utterance: Utterance) => string,
): string[] {
  const held = expected?.keys && new Set(expected.keys());
  const there = new Set(utterances.filter((one) => canonical(one) === one.key).map((one) => one.key));
  return utterances.filter((one) => {
    const key = canonical(one);
    if (held && !held.has(key)) return true;
    if (one.key === key) return false;
    const again = there.has(key);
    there.add(key);
    return again;
  }).map((one) => one.key);
}

/**
 * Sorts the files under a folder by corpus.
 *
 * @param shelf The corpora to look for.
 * @param dir The folder; the corpora may lie at any depth under it.
 * @throws {CorpusError} when the folder is not there or cannot be read.
 */
export async function findOnShelf(shelf: readonly Corpus[], dir: string): Promise<FoundCorpora> {
  const { files, unreadable } = await listFiles(dir);
  const parts = new Map<string, { first: Map<string, Utterance>; copies: Utterance[] }>();
  const unknown: string[] = [];
  for (const path of files) {
    if (!AUDIO_NAME.test(path)) continue;
    let utterance: Utterance | undefined;
    for (const corpus of shelf) if ((utterance = corpus.parse(path)) !== undefined) break;
    if (utterance === undefined) {
      unknown.push(path);
      continue;
    }
    const name = `${utterance.corpus} ${utterance.channel ?? "speech"}`;
    let part = parts.get(name);
    if (part === undefined) parts.set(name, part = { first: new Map(), copies: [] });
    if (part.first.has(utterance.key)) part.copies.push(utterance);
    else part.first.set(utterance.key, utterance);
  }
  const corpora: FoundCorpus[] = [];
  for (const corpus of shelf) {
    for (const channel of ["speech", "song"] as const) {
      const part = parts.get(`${corpus.id} ${channel}`);
      if (part === undefined) continue;
      const expected = corpus.expected.find((one) => one.channel === channel);
      const utterances = [...part.first.values()].sort((a, b) => byCodeUnits(a.key, b.key));
      const canonical = corpus.canonicalKey ?? ((utterance: Utterance) => utterance.key);
      corpora.push({
        corpus,
        channel,
        utterances,
        copies: part.copies,
        ...(expected === undefined ? {} : { expected }),
        ...missingOf(expected, new Set(utterances.map(canonical))),
        extra: extraOf(expected, utterances, canonical),
      });
    }
  }
  return { dir, corpora, unknown, unreadable };
}

/** The first five of some names, and how many more there are: `a, b, c, d, e and 3 more`. */
export function firstFive(names: readonly string[]): string {
  return names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");
}

/**
 * What is missing from a corpus, in words: whole speakers by their names, single files by theirs.
 *
 * @returns for example `1200 of 1440 files are missing: all of ravdess-05 to ravdess-24`.
 */
export function describeMissing(found: FoundCorpus): string {
  const total = found.expected?.files ?? 0;
  const head = `${found.missingCount} of ${total} files ${found.missingCount === 1 ? "is" : "are"} missing`;
  const there = new Map<string, number>();
  for (const { speaker } of found.utterances) there.set(speaker, (there.get(speaker) ?? 0) + 1);
  const absent = Object.keys(found.expected?.perSpeaker ?? {}).filter((speaker) => !there.has(speaker));
  const gone = new Set(absent);
  const details: string[] = [];
  if (absent.length > 0) {
    const names = absent.length > 4 ? `${absent[0]} … ${absent.at(-1)} (${absent.length} speakers)` : absent.join(", ");
    details.push(`all of ${names}`);
  }
  const single = found.missing.filter((key) => !gone.has(speakerOf(found.corpus, key) ?? ""));
  if (single.length > 0) details.push(firstFive(single));
  return details.length === 0 ? head : `${head}: ${details.join("; ")}`;
}

/**
 * What is extra in a corpus, in words.
 *
 * @returns for example `1 file is extra: crema-d/1002_TIE_NEU_XX`.
 */
export function describeExtra({ extra }: Pick<FoundCorpus, "extra">): string {
  return `${extra.length === 1 ? "1 file is" : `${extra.length} files are`} extra: ${firstFive(extra)}`;
}

/** The speaker of a recording, by its key. */
export function speakerOf(corpus: Corpus, key: string): string | undefined {
  return corpus.parse(`${key.slice(corpus.id.length + 1)}.wav`)?.speaker;
}
