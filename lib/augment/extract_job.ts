/**
 * One file's part of an extraction: read, check, decode, augment, extract, keep. Runs in a worker or in the caller's own
 * thread.
 *
 * @module
 */

import { loadAudioBytes, readAudioBytes } from "../audio/load.ts";
import { AudioError, CorpusError, SerlabError } from "../errors.ts";
import { FeatureCache } from "../features/cache.ts";
import type { Recipe } from "../features/recipes.ts";
import { sha256Hex } from "../io.ts";
import type { NdArray } from "../types.ts";
import type { AugmentationRecord } from "./augmentation.ts";
import { applyRecords } from "./record.ts";

/** What is wanted of one file; plain data. */
export interface Job {
  /** The file. */
  readonly path: string;
  /** SHA-256 that the file must have; null where it is not known. */
  readonly sha256: string | null;
  /** One a result; null is the recording itself. */
  readonly records: readonly (AugmentationRecord | null)[];
  /** Folder of the cache; null for none. */
  readonly cacheDir: string | null;
}

/** What a job gives; plain data. */
export interface JobResult {
  /** One array a record. */
  readonly arrays: readonly NdArray[];
  /** How many of them came from the cache. */
  readonly cached: number;
  /** Why something could not be kept in the cache; null when all was well. */
  readonly warning: string | null;
}

/** Memory for files, for one job at a time: most files fit, and fresh memory for each would soon have to be collected. */
let spare: Uint8Array | null = new Uint8Array(2 ** 20);

/**
 * Does one job.
 *
 * @throws {AudioError} when the file cannot be read or decoded, or the recipe cannot use it.
 * @throws {CorpusError} when its content is not the expected one.
 */
export async function runJob(job: Job, recipe: Recipe): Promise<JobResult> {
  const into = spare ?? new Uint8Array(0);
  spare = null;
  try {
    return await run(job, recipe, into);
  } finally {
    if (into.length > 0) spare = into;
  }
}

async function run(job: Job, recipe: Recipe, into: Uint8Array): Promise<JobResult> {
  const { path, records } = job;
  const cache = job.cacheDir === null ? null : new FeatureCache(job.cacheDir);
  const known = (content: string) =>
    records.map((augmentation) => cache?.get({ content, recipe, augmentation }) ?? null);
  // With a known hash the file itself may not be needed.
  let arrays = cache && job.sha256 !== null ? known(job.sha256) : records.map(() => null);
  if (arrays.every((array) => array !== null)) return { arrays, cached: records.length, warning: null };
  const bytes = readAudioBytes(path, { into });
  const content = job.sha256 !== null || cache ? sha256Hex(bytes) : "";
  if (job.sha256 !== null && content !== job.sha256) {
    throw new CorpusError(`${path}: its content changed, the manifest has SHA-256 ${job.sha256}, the file ${content}.`);
  }
  const key = (augmentation: AugmentationRecord | null) => ({ content, recipe, augmentation });
  if (cache && job.sha256 === null) arrays = known(content);
  const missing = [...arrays.keys()].filter((i) => arrays[i] === null);
  let warning: string | null = null;
  if (missing.length > 0) {
    const wave = await loadAudioBytes(bytes, path, recipe.load);
    const waves = applyRecords(wave, missing.map((i) => records[i]!));
    for (const i of missing) {
      const array = namingFile(path, () => recipe.extract(waves.next().value!));
      arrays[i] = array;
      try {
        cache?.put(key(records[i]!), array);
      } catch (error) {
        if (!(error instanceof SerlabError)) throw error;
        warning = error.message;
      }
    }
  }
  return { arrays: arrays as NdArray[], cached: records.length - missing.length, warning };
}

/** A recipe does not know which file its audio is of; an error shall. */
function namingFile<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof AudioError) throw new AudioError(path, `${error.file} ${error.rule}`, { cause: error });
    throw error;
  }
}
