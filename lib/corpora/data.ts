/**
 * What the command `data` does, as functions that return data: list, get, check, index.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../errors.ts";
import { checkFolder, type CheckOptions, type CheckReport } from "./check.ts";
import type { Corpus } from "./corpus.ts";
import { getCorpus, type GetOptions, type GotPart } from "./download.ts";
import type { FoundCorpus } from "./find.ts";
import type { IndexedCorpora, IndexOptions } from "./indexing.ts";
import { manifestHash, writeManifest } from "./manifest.ts";
import { corpora, findCorpora, indexCorpus } from "./mod.ts";
import { synthesize } from "./synthetic.ts";

/** Folder of the manifests that come with serlab: hashes on record. */
const MANIFESTS = fileURLToPath(new URL("../../data/manifests", import.meta.url));

/** A corpus of the shelf, and what of it lies under a folder. */
export interface ListedCorpus {
  /** The corpus. */
  readonly corpus: Corpus;
  /** Whether `data get` can get it. */
  readonly downloadable: boolean;
  /** What was found, its speech and its song; empty without a folder or when there is nothing. */
  readonly found: readonly FoundCorpus[];
}

/**
 * Lists the corpora of the shelf, with what of each lies under a folder.
 *
 * @param dir The folder; without it, or when it does not exist, nothing is found.
 */
export async function dataList(dir?: string): Promise<ListedCorpus[]> {
  const found = dir !== undefined && existsSync(dir) ? (await findCorpora(dir)).corpora : [];
  return corpora.map((corpus) => ({
    corpus,
    downloadable: corpus.downloads.length > 0 || corpus.id === "synthetic",
    found: found.filter((part) => part.corpus === corpus),
  }));
}

/** What {@linkcode dataGet} did. */
export interface GotCorpus {
  /** Identifier of the corpus. */
  readonly id: string;
  /** What is there now; empty when it has to be got by hand. */
  readonly parts: readonly GotPart[];
  /** How to get it by hand: where to register, what to put where; absent when it is there. */
  readonly instructions?: string;
}

/**
 * Gets a corpus: downloads it where its licence lets anyone, makes the synthetic one, and says how for the others.
 *
 * @param name Identifier of the corpus.
 * @throws {UsageError} when there is no such corpus.
 * @throws {CorpusError} when the host fails or serves something else.
 * @throws {WriteError} when it cannot be written.
 */
export async function dataGet(name: string, options: GetOptions = {}): Promise<GotCorpus> {
  const corpus = corpora.find((one) => one.id === name.toLowerCase());
  if (corpus === undefined) {
    throw new UsageError(`There is no corpus "${name}"; serlab knows ${corpora.map((one) => one.id).join(", ")}.`);
  }
  if (corpus.id === "synthetic") {
    const { dir, files, written } = await synthesize({ dir: join(options.dir ?? "data", "synthetic") });
    return { id: corpus.id, parts: [{ channel: "speech", dir, files: files.length, downloaded: written > 0 }] };
  }
  if (corpus.downloads.length === 0) return { id: corpus.id, parts: [], instructions: corpus.howToGet };
  return { id: corpus.id, parts: await getCorpus(corpus, options) };
}

/**
 * Checks the corpora under a folder against what complete copies hold and the hashes on record in `data/manifests`.
 *
 * @param dir The folder.
 * @throws {CorpusError} when it is not there or cannot be read.
 */
export function dataCheck(dir: string, options: CheckOptions = {}): Promise<CheckReport> {
  return checkFolder(corpora, dir, { manifests: MANIFESTS, ...options });
}

/** What {@linkcode dataIndex} wrote. */
export interface WrittenIndex {
  /** The manifest, and what is extra or was ignored. */
  readonly manifest: IndexedCorpora;
  /** Its hash. */
  readonly hash: string;
  /** The file. */
  readonly path: string;
}

/**
 * Indexes the corpora under a folder and writes the manifest.
 *
 * @param dir The folder.
 * @param options Those of `indexCorpus`, and `out`: the file (default `data/manifests/<corpora>.jsonl`).
 * @throws {CorpusError} as `indexCorpus` does.
 * @throws {WriteError} when the manifest cannot be written.
 */
export async function dataIndex(
  dir: string,
  options: IndexOptions & { readonly out?: string } = {},
): Promise<WrittenIndex> {
  const { out, ...rest } = options;
  const manifest = await indexCorpus(dir, rest);
  const ids = [...new Set(manifest.rows.map((row) => row.corpus))].join("+");
  const path = out ?? join("data", "manifests", `${ids}.jsonl`);
  writeManifest(path, manifest);
  return { manifest, hash: manifestHash(manifest.rows), path };
}
