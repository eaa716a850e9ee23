/**
 * The shelf of corpora: one file a corpus, one line here.
 *
 * @module
 */

import { CorpusError } from "../errors.ts";
import { compareWithManifest, type ManifestDifference } from "./check.ts";
import type { Corpus } from "./corpus.ts";
import { findOnShelf, type FoundCorpora } from "./find.ts";
import { type IndexedCorpora, indexOnShelf, type IndexOptions } from "./indexing.ts";
import type { Manifest } from "./manifest.ts";
import { cremaD } from "./crema-d.ts";
import { emoDb } from "./emo-db.ts";
import { ravdess } from "./ravdess.ts";
import { savee } from "./savee.ts";
import { synthetic } from "./synthetic.ts";
import { tess } from "./tess.ts";

/** The corpora that serlab knows, in the order of its tables. */
export const corpora: readonly Corpus[] = [ravdess, cremaD, tess, savee, emoDb, synthetic];

/**
 * Finds the corpora under a folder by the names of their files, at any depth.
 *
 * @param dir The folder.
 * @returns the corpora with their recordings and what is missing; audio files that no parser knows.
 * @throws {CorpusError} when the folder is not there or cannot be read.
 */
export async function findCorpora(dir: string): Promise<FoundCorpora> {
  try {
    return await findOnShelf(corpora, dir);
  } catch (error) {
    if (!(error instanceof CorpusError)) throw error;
    throw new CorpusError(
      `${error.message.slice(0, -1)}; "deno task data list" says which corpora there are and how to get them.`,
      { cause: error },
    );
  }
}

/**
 * Indexes the corpora under a folder: every recording with what its name says, its SHA-256, rate, channels and length.
 *
 * @param dir The folder; corpora may lie at any depth under it, and each row's path is relative to it.
 * @returns rows ordered by corpus and key, whatever the layout of the folders; what is missing, extra and was ignored.
 * @throws {CorpusError} when the folder or the corpus is not there (it says how to get it), when recordings are missing
 * or extra and `allowIncomplete` is not set, when an audio file has a name that no parser knows and `unknown` is not
 * `ignore`, when a file is not audio, and when two files of one name differ.
 * @throws {UsageError} for a corpus or a speaker that is not known.
 *
 * @example The data of study 000
 * ```ts ignore
 * const manifest = await indexCorpus("../shared/corpora", {
 *   corpus: "ravdess",
 *   speakers: ["ravdess-01", "ravdess-02", "ravdess-03", "ravdess-04"],
 * });
 * ```
 */
export function indexCorpus(dir: string, options: IndexOptions = {}): Promise<IndexedCorpora> {
  return indexOnShelf(corpora, dir, options);
}

/**
 * Compares a folder with a manifest, joined by key: what is missing, extra, changed.
 *
 * @throws {CorpusError} when the folder is not there or cannot be read.
 */
export function verifyManifest(dir: string, manifest: Pick<Manifest, "rows">): Promise<ManifestDifference> {
  return compareWithManifest(corpora, dir, manifest);
}

export type { BadFile, ManifestDifference } from "./check.ts";
export type { Corpus, DownloadSource, ExpectedPart, Licence, Oddity, Speaker } from "./corpus.ts";
export { describeMissing, type FoundCorpora, type FoundCorpus } from "./find.ts";
export { type GenericOptions, indexFolder, indexTable } from "./generic.ts";
export { type LabelMap, labelMaps, mapLabel } from "./labels.ts";
export type { IndexedCorpora, IndexOptions } from "./indexing.ts";
export { type Manifest, manifestHash, orderRows, readManifest, writeManifest } from "./manifest.ts";
export { type SynthesisOptions, synthesize, type SyntheticCorpus } from "./synthetic.ts";
export { speak, type UtteranceRequest } from "./voice.ts";
