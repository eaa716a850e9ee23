/**
 * A study's features: extracted row by row on all cores, augmented copies included, from the cache where they are there.
 *
 * @module
 */

import type { AugmentationRecord } from "../augment/augmentation.ts";
import { recordOf } from "../augment/augmentation.ts";
import { extractEach } from "../augment/extract.ts";
import type { FeatureCache } from "../features/cache.ts";
import { type Recipe, recipe, recipeHash } from "../features/recipes.ts";
import { UsageError } from "../errors.ts";
import { stream } from "../random.ts";
import type { ManifestRow, NdArray, Waveform } from "../types.ts";
import type { Copies, Input, ProtocolName, Study, Variant } from "./declare.ts";

/** The input of one variant under one protocol. */
export interface ResolvedInput extends Input {
  /** The recipe, repaired or not. */
  readonly features: Recipe;
  /** Augmented rows. */
  readonly copies: Copies | undefined;
}

/** What a variant is fed under a protocol: the study's input with the variant's changes. */
export function inputOf(study: Study, variant: Variant, protocol: ProtocolName): ResolvedInput {
  const { recipe: name, repairedRecipe, inputShape, scaler } = { ...study, ...variant.input };
  // A variant with another recipe says itself how it is repaired.
  const repaired = variant.input?.recipe !== undefined ? variant.input.repairedRecipe : repairedRecipe;
  const used = protocol === "as-published" ? name : repaired ?? name;
  return { recipe: used, inputShape, scaler, features: recipe(used), copies: variant.copies };
}

/** An augmentation that looks at the audio cannot be drawn before the audio is there. */
const NO_AUDIO: Waveform = { samples: new Float32Array(0), sampleRateHz: 1 };

/**
 * What is made of a recording: itself, then each copy as its own generator draws it. The draw depends on the seed, the
 * recording and the copy alone.
 *
 * @throws {UsageError} when an augmentation draws from its input.
 */
export function copyRecords(key: string, copies: Copies | undefined, seed: number): (AugmentationRecord | null)[] {
  const drawn = (copies?.of ?? []).map((augmentation, i) => {
    if (augmentation.drawsFromInput) {
      throw new UsageError(`The augmentation ${augmentation.name} of a copy draws from the audio.`);
    }
    return recordOf(augmentation, augmentation.draw(stream(seed, "copy", key, i + 1), NO_AUDIO));
  });
  return [null, ...drawn];
}

/** Where and how to extract. */
export interface FeatureOptions {
  /** Folder of the corpora. */
  readonly dir: string;
  /** Seed of the copies. */
  readonly seed: number;
  /** A cache, or none. */
  readonly cache?: FeatureCache | boolean | undefined;
  /** Is told how many recordings are done. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Receives one line when results cannot be kept in the cache. */
  readonly onNotice?: ((line: string) => void) | undefined;
  /** Ends the extraction. */
  readonly signal?: AbortSignal | undefined;
}

/** Features and how long they took. */
export interface StudyFeatures {
  /** `[recordings · (1 + copies), …inputShape]`, the rows of a recording one after the other. */
  readonly x: NdArray;
  /** Seconds. */
  readonly seconds: number;
}

/**
 * Extracts the features of all recordings and their copies into one array.
 *
 * @throws {AudioError} when a recording cannot be used, {CorpusError} when its content is not the manifest's.
 */
export async function studyFeatures(
  rows: readonly ManifestRow[],
  input: ResolvedInput,
  options: FeatureOptions,
): Promise<StudyFeatures> {
  const { features, copies, inputShape } = input;
  const { dir, seed, cache, onProgress, onNotice, signal } = options;
  const started = performance.now();
  const size = inputShape.reduce((a, b) => a * b, 1);
  const perRecording = 1 + (copies?.of.length ?? 0);
  const isVariable = features.shape.includes(null);
  const data = new Float32Array(size * perRecording * rows.length);
  let done = 0;
  for await (
    const { index, items, failure } of extractEach(rows, {
      dir,
      recipe: features,
      augment: (row) => copyRecords(row.key, copies, seed),
      ...(cache ? { cache } : {}),
      ...(onNotice ? { onWarning: onNotice } : {}),
      ...(signal ? { signal } : {}),
    })
  ) {
    if (failure) throw failure.error;
    for (const { copy, features: values } of items) {
      if (values.data.length !== size && !isVariable) {
        throw new UsageError(`Recipe ${features.name} gives ${values.data.length} values, the model takes ${size}.`);
      }
      // Of vectors whose length follows from the audio's, the rest stays zero: study 002's flaw.
      data.set(values.data.subarray(0, size), (index * perRecording + copy) * size);
    }
    onProgress?.(++done, rows.length);
  }
  return {
    x: { data, shape: [rows.length * perRecording, ...inputShape] },
    seconds: (performance.now() - started) / 1000,
  };
}

/** What the features follow from, for a record's configuration and for what is kept in memory. */
export function inputIdentity(input: ResolvedInput, seed: number): string {
  const { features, inputShape, copies } = input;
  const drawn = copies ? [seed, copies.of.map(({ name, version }) => [name, version]), copies.describe] : null;
  return JSON.stringify([recipeHash(features), inputShape, drawn]);
}
