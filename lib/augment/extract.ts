/**
 * A recipe's features of a whole corpus, augmented where wanted: on all cores, from the cache where they are there, in
 * the order of the rows, a broken file at a time.
 *
 * Memory is bounded: of the audio each worker holds one recording at a time, and no row is started before the results
 * of the rows some way before it were taken.
 *
 * @module
 */

import { join } from "node:path";
import { availableParallelism } from "node:os";
import { UsageError } from "../errors.ts";
import { beginInterruptible } from "../interruption.ts";
import { FeatureCache } from "../features/cache.ts";
import { type Recipe, recipe as recipeOf, recipeNames } from "../features/recipes.ts";
import type { NdArray } from "../types.ts";
import type { AugmentationRecord } from "./augmentation.ts";
import { JobPool, MOST_JOBS } from "./extract_pool.ts";

/** A row of a corpus: a manifest's row, or less. */
export interface ExtractRow {
  /** Path of the file below the corpus's folder. */
  readonly path: string;
  /** SHA-256 that the file must have; where it is absent it is computed when a cache is used. */
  readonly sha256?: string;
}

/** Options of {@linkcode extractEach} and {@linkcode extractAll}. */
export interface ExtractOptions<R extends ExtractRow> {
  /** Folder that the rows' paths start from. */
  readonly dir: string;
  /** The recipe, or its name. One that is not on the shelf is extracted in the caller's thread. */
  readonly recipe: Recipe | string;
  /**
   * What is made of each row, one result a record and null for the recording itself; default the recording alone. The
   * draws are made by the caller, who keeps the generator.
   */
  readonly augment?: (row: R, index: number) => readonly (AugmentationRecord | null)[];
  /** A cache; `true` for the default one; default none. */
  readonly cache?: FeatureCache | boolean;
  /** Number of workers; 0 extracts in the caller's thread. Default: one a core, none for fewer than 32 rows. */
  readonly workers?: number;
  /** Called after each row. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Called when results cannot be kept in the cache, once. */
  readonly onWarning?: (message: string) => void;
  /** Ends the extraction; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** One array of one row. */
export interface Extracted<R extends ExtractRow> {
  /** The row. */
  readonly row: R;
  /** Its place among the rows. */
  readonly index: number;
  /** Which of the row's records: 0 for the first. */
  readonly copy: number;
  /** The record; null for the recording itself. */
  readonly record: AugmentationRecord | null;
  /** The features. */
  readonly features: NdArray;
}

/** A row that gave nothing. */
export interface ExtractFailure<R extends ExtractRow> {
  /** The row. */
  readonly row: R;
  /** Its place among the rows. */
  readonly index: number;
  /** Why: an `AudioError` or a `CorpusError` for bad input; anything but a `SerlabError` is a defect. */
  readonly error: Error;
}

/** What {@linkcode extractAll} gives. */
export interface Extraction<R extends ExtractRow> {
  /** Arrays in the order of the rows and, within a row, of its records. */
  readonly items: readonly Extracted<R>[];
  /** Rows that gave nothing, in their order. */
  readonly failures: readonly ExtractFailure<R>[];
  /** How many arrays came from the cache. */
  readonly cached: number;
}

/** Rows below which starting workers costs more than they save. */
const FEW_ROWS = 32;

/** Rows that may be under way or waiting to be taken, for each worker: its two requests, and as many again. */
const WINDOW = 4 * MOST_JOBS;

/** All results of one row. */
export interface ExtractedRow<R extends ExtractRow> {
  /** The row. */
  readonly row: R;
  /** Its place among the rows. */
  readonly index: number;
  /** Its arrays; none where it failed. */
  readonly items: readonly Extracted<R>[];
  /** Why there are none. */
  readonly failure: ExtractFailure<R> | null;
  /** How many of the arrays came from the cache. */
  readonly cached: number;
}

/**
 * Extracts row after row, in order; the results of a row can be used and dropped before the next ones are made.
 *
 * @param rows Rows, such as a manifest's.
 * @param options Folder, recipe, augmentation, cache, workers.
 * @throws {UsageError} for an unknown recipe or a number of workers that is none.
 */
export async function* extractEach<R extends ExtractRow>(
  rows: readonly R[],
  options: ExtractOptions<R>,
): AsyncGenerator<ExtractedRow<R>, void, void> {
  const { dir, augment = () => [null], onProgress, onWarning } = options;
  const chosen = typeof options.recipe === "string" ? recipeOf(options.recipe) : options.recipe;
  const isOnShelf = recipeNames().includes(chosen.name) && recipeOf(chosen.name) === chosen;
  const wanted = options.workers ?? (rows.length < FEW_ROWS ? 0 : availableParallelism());
  if (!Number.isInteger(wanted) || wanted < 0 || wanted > 1024) {
    throw new UsageError(`The number of workers is an integer from 0 to 1024, not ${wanted}.`);
  }
  const cache = options.cache === true ? new FeatureCache() : options.cache || null;
  const pool = new JobPool(chosen, isOnShelf ? Math.min(wanted, rows.length) : 0);
  let hasWarned = false;

  /** Never rejects: a failure is a result. */
  const start = async (index: number): Promise<ExtractedRow<R>> => {
    const row = rows[index]!;
    try {
      const records = augment(row, index);
      const result = await pool.run({
        path: join(dir, row.path),
        sha256: row.sha256 ?? null,
        records,
        cacheDir: cache?.dir ?? null,
      });
      if (result.warning !== null && !hasWarned) {
        hasWarned = true;
        onWarning?.(result.warning);
      }
      const items = records.map((record, copy): Extracted<R> => ({
        row,
        index,
        copy,
        record,
        features: result.arrays[copy]!,
      }));
      return { row, index, items, failure: null, cached: result.cached };
    } catch (error) {
      const failure = { row, index, error: error instanceof Error ? error : new Error(String(error)) };
      return { row, index, items: [], failure, cached: 0 };
    }
  };

  const work = beginInterruptible();
  const signal = options.signal ? AbortSignal.any([options.signal, work.signal]) : work.signal;
  // Not Promise.race with one promise of the abort: that promise would keep every row's results until the end.
  let interrupt: () => void = () => {};
  const onAbort = (): void => interrupt();
  const take = (slot: Promise<ExtractedRow<R>>): Promise<ExtractedRow<R>> =>
    new Promise((resolve, reject) => {
      interrupt = () => reject(signal.reason);
      slot.then(resolve, reject);
    });
  signal.addEventListener("abort", onAbort);
  try {
    const window: Promise<ExtractedRow<R>>[] = [];
    let started = 0;
    for (let taken = 0; taken < rows.length; taken++) {
      signal.throwIfAborted();
      // A reorder buffer and a queue in one: rows are taken in order, whichever worker is first.
      while (started < rows.length && started - taken < WINDOW * Math.max(1, pool.size)) window.push(start(started++));
      const done = await take(window.shift()!);
      onProgress?.(taken + 1, rows.length);
      yield done;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    work.end();
    pool.close();
  }
}

/**
 * Extracts a whole corpus.
 *
 * Every failure is of its own row: the rest goes on and is there in the end.
 *
 * @param rows Rows, such as a manifest's.
 * @param options Folder, recipe, augmentation, cache, workers.
 * @throws {UsageError} for an unknown recipe or a number of workers that is none.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { encodeWav } from "../audio/mod.ts";
 * const dir = Deno.makeTempDirSync();
 * const wave = { samples: new Float32Array(48000).map((_, i) => Math.sin(i / 9)), sampleRateHz: 48000 };
 * Deno.writeFileSync(`${dir}/tone.wav`, encodeWav(wave));
 * const rows = [{ path: "tone.wav" }, { path: "missing.wav" }];
 * const { items, failures } = await extractAll(rows, { dir, recipe: "study000" });
 * assert.deepEqual(items[0]?.features.shape, [64, 64]);
 * assert.match(failures[0]!.error.message, /missing.wav: cannot be read/);
 * Deno.removeSync(dir, { recursive: true });
 * ```
 */
export async function extractAll<R extends ExtractRow>(
  rows: readonly R[],
  options: ExtractOptions<R>,
): Promise<Extraction<R>> {
  const items: Extracted<R>[] = [], failures: ExtractFailure<R>[] = [];
  let cached = 0;
  for await (const done of extractEach(rows, options)) {
    items.push(...done.items);
    if (done.failure) failures.push(done.failure);
    cached += done.cached;
  }
  return { items, failures, cached };
}
