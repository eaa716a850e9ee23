/**
 * Bottleneck features: what a model's frozen prefix makes of each row, computed once and kept.
 *
 * For who trains a model, {@linkcode createTrainerOn} is all there is: given a model and rows, it returns the trainer and
 * the rows to feed it. Where the model begins with frozen layers (VGG16 but for its last convolutions), the rows are the
 * prefix's features and the trainer runs the rest; else they are the rows that were given. Results are the same either
 * way: a step of the rest on features equals one of the whole model.
 *
 * On disk a row's features are an entry of the {@linkcode FeatureCache} beside the audio features: found by the SHA-256 of
 * the row's values, of the frozen weights and of the layers' settings. So configurations, folds, seeds and sweeps whose
 * models share a prefix share its features, a pass that was interrupted goes on where it stopped, and `prune` clears
 * both. Of several processes that want the same prefix one computes and the others wait.
 *
 * @module
 */

import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { UsageError, WriteError } from "../errors.ts";
import { type CacheKey, FeatureCache } from "../features/cache.ts";
import { recipeHash, type RecipeIdentity } from "../features/recipes.ts";
import { canonicalJson, sha256Hex } from "../io.ts";
import { withLock } from "../setup/cache.ts";
import type { NdArray } from "../types.ts";
import { createTrainer, type CreateTrainerOptions } from "./mod.ts";
import { nativeStatus } from "./native.ts";
import { type FrozenSplit, splitFrozenPrefix, suffixTrainer } from "./prefix.ts";
import { rows as rowsOf, type Trainer } from "./trainer.ts";

/** Counts up when the numbers of any prefix change for another reason than its layers and weights. */
const VERSION = 1;

/** Rows of a pass: the activations of VGG16's first layers are the largest, 1 MB a row and layer. */
const ROWS_AT_ONCE = 16;

/** Where bottleneck features are kept and who is told. */
export interface BottleneckOptions {
  /** Where they are kept; `true` for the default folder; default nowhere but in memory. */
  readonly cache?: FeatureCache | boolean | undefined;
  /** Ends the pass between two batches. */
  readonly signal?: AbortSignal | undefined;
  /** Receives one line when features cannot be kept. */
  readonly onNotice?: ((line: string) => void) | undefined;
  /** Is told how many rows' features are there. */
  readonly onPrefix?: ((done: number, total: number) => void) | undefined;
}

/** A trainer and the rows it is to be fed. */
export interface TrainerOnRows {
  /** The trainer of the whole model; dispose of it before the model. */
  readonly trainer: Trainer;
  /** The rows that were given, or what the frozen prefix makes of them, one for one. */
  readonly x: NdArray;
  /** Name of the last frozen layer, or null when the trainer runs the whole model. */
  readonly frozen: string | null;
}

/**
 * Makes the trainer of a model together with the rows to feed it: where the model begins with frozen layers they are
 * run once a row, and the trainer runs the rest on what they make. State, weights, predictions and losses are the whole
 * model's, and checkpoints of either kind are taken by the other.
 *
 * Not for rows that are changed at each step (SpecAugment, mixup on the input): use {@linkcode createTrainer} there.
 *
 * @param model The model, with the weights that it starts from.
 * @param x All rows `[n, …]` that will be trained on, validated on or predicted.
 * @throws {UsageError} when the rows are not of the model's shape, or as {@linkcode createTrainer}.
 */
export async function createTrainerOn(
  model: tf.LayersModel,
  x: NdArray,
  options: CreateTrainerOptions & BottleneckOptions,
): Promise<TrainerOnRows> {
  const split = splitFrozenPrefix(model);
  if (split === null) return { trainer: createTrainer(model, options), x, frozen: null };
  try {
    const features = await bottleneckFeatures(split, x, options);
    const trainer = suffixTrainer(model, split, createTrainer(split.suffix, options));
    return { trainer, x: features, frozen: split.layer };
  } catch (error) {
    split.dispose();
    throw error;
  }
}

/**
 * The features made last of an array by prefix, so that folds, seeds and a search's configurations in one process need
 * neither disk nor hashes.
 */
const made = new WeakMap<Float32Array, Map<string, NdArray>>();

/** Prefixes whose features of one array are held. */
const HELD = 2;

/**
 * What the prefix of a model makes of rows `[n, …]`: from memory, from the cache, or computed in batches and kept.
 *
 * @throws {UsageError} when the rows are not of the prefix's shape.
 * @throws the signal's reason when it is aborted; what was computed by then stays in the cache.
 */
export async function bottleneckFeatures(
  split: FrozenSplit,
  x: NdArray,
  options: BottleneckOptions = {},
): Promise<NdArray> {
  const { prefix, layer } = split;
  const wanted = prefix.inputs[0]!.shape.slice(1), shape = prefix.outputs[0]!.shape.slice(1) as number[];
  if (x.shape.slice(1).join() !== wanted.join()) {
    throw new UsageError(`The model ${split.suffix.name} takes rows of shape [${wanted}], not [${x.shape.slice(1)}].`);
  }
  const identity = prefixIdentity(prefix, layer);
  const hash = recipeHash(identity);
  let known = made.get(x.data);
  if (known === undefined) made.set(x.data, known = new Map());
  const there = known.get(hash);
  if (there !== undefined) return there;
  const n = x.shape[0]!, size = shape.reduce((a, b) => a * b, 1);
  const features: NdArray = { data: new Float32Array(n * size), shape: [n, ...shape] };
  const cache = options.cache === true ? new FeatureCache() : options.cache || null;
  const pass = new Pass(prefix, x, features, cache && new Keeper(cache, identity, options.onNotice), options);
  await pass.run(cache && join(cache.dir, `bottleneck-${hash}`));
  while (known.size >= HELD) known.delete(known.keys().next().value!);
  known.set(hash, features);
  return features;
}

/** Everything but the row that its features depend on, as the cache wants it. */
function prefixIdentity(prefix: tf.LayersModel, layer: string): RecipeIdentity {
  const weights = prefix.weights.map((weight) => {
    const value = weight.read(), data = value.dataSync();
    return [value.shape, sha256Hex(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))];
  });
  return {
    name: `bottleneck-${layer}`,
    version: VERSION,
    load: { sampleRateHz: null },
    parameters: {
      input: prefix.inputs[0]!.shape.slice(1).join(),
      layers: sha256Hex(
        canonicalJson(settingsOf(prefix.layers.map((each) => [each.getClassName(), each.getConfig()]))),
      ),
      weights: sha256Hex(canonicalJson(weights)),
      // Backends round differently; batches and threads were seen to make no difference.
      engine: tf.getBackend() === "tensorflow"
        ? nativeStatus().detail
        : `${tf.getBackend()} ${tf.version["tfjs-core"]}`,
    },
  };
}

/**
 * Settings that decide what a layer computes: not its name, nor how its weights began and are kept in bounds, nor what
 * the first layer of a sequential model says of the input.
 */
function settingsOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(settingsOf);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) =>
        !/^(name|trainable|seed|dtype|batchInputShape)$|(Initializer|Regularizer|Constraint)$/.test(name)
      )
      .map(([name, inner]) => [name, settingsOf(inner)]),
  );
}

/** Rows in the cache; a cache that cannot be written is given up with one notice. */
class Keeper {
  readonly #cache: FeatureCache;
  readonly #recipe: RecipeIdentity;
  readonly #onNotice: ((line: string) => void) | undefined;
  #writable = true;

  constructor(cache: FeatureCache, recipe: RecipeIdentity, onNotice: ((line: string) => void) | undefined) {
    this.#cache = cache;
    this.#recipe = recipe;
    this.#onNotice = onNotice;
  }

  #key(row: NdArray): CacheKey {
    const { buffer, byteOffset, byteLength } = row.data;
    return { content: sha256Hex(new Uint8Array(buffer, byteOffset, byteLength)), recipe: this.#recipe };
  }

  get(row: NdArray): NdArray | null {
    return this.#cache.get(this.#key(row));
  }

  put(row: NdArray, features: NdArray): void {
    if (!this.#writable) return;
    try {
      this.#cache.put(this.#key(row), features);
    } catch (error) {
      this.giveUp(error);
    }
  }

  giveUp(error: unknown): void {
    if (!(error instanceof WriteError)) throw error;
    if (this.#writable) this.#onNotice?.(`features: those of frozen layers are not kept: ${error.message}`);
    this.#writable = false;
  }
}

/** One pass of rows through a prefix. */
class Pass {
  readonly #missing = new Set<number>();

  constructor(
    readonly prefix: tf.LayersModel,
    readonly x: NdArray,
    readonly features: NdArray,
    readonly keeper: Keeper | null,
    readonly options: BottleneckOptions,
  ) {
    for (let row = 0; row < x.shape[0]!; row++) this.#missing.add(row);
  }

  /**
   * Fills in all features.
   *
   * @param lock Path beside which who computes is known to others; null where nobody shares.
   */
  async run(lock: string | null): Promise<void> {
    await this.#load();
    if (this.#missing.size === 0) return;
    if (lock === null) return await this.#compute();
    let held = false;
    try {
      await withLock(lock, async () => {
        held = true;
        await this.#load(); // who had the lock before may have made them all
        await this.#compute();
      });
    } catch (error) {
      if (held) throw error;
      this.keeper!.giveUp(error); // no lock can be made: nothing can be kept there
      await this.#compute();
    }
  }

  #row(array: NdArray, row: number): NdArray {
    const { data, shape } = rowsOf(array, row, row + 1);
    return { data, shape: shape.slice(1) };
  }

  async #pause(): Promise<void> {
    this.options.signal?.throwIfAborted();
    this.options.onPrefix?.(this.x.shape[0]! - this.#missing.size, this.x.shape[0]!);
    await new Promise((done) => setTimeout(done, 0));
  }

  /** Takes what the cache has. */
  async #load(): Promise<void> {
    if (this.keeper === null) return;
    let last = performance.now();
    for (const row of [...this.#missing]) {
      const found = this.keeper.get(this.#row(this.x, row)), place = this.#row(this.features, row);
      if (found?.shape.join() === place.shape.join()) {
        place.data.set(found.data);
        this.#missing.delete(row);
      }
      if (performance.now() - last > 50) {
        await this.#pause();
        last = performance.now();
      }
    }
  }

  /** Computes what is missing, batch by batch; a batch is kept before the next one begins. */
  async #compute(): Promise<void> {
    const missing = [...this.#missing], [, ...shape] = this.x.shape;
    const size = shape.reduce((a, b) => a * b, 1);
    for (let start = 0; start < missing.length; start += ROWS_AT_ONCE) {
      await this.#pause();
      const batch = missing.slice(start, start + ROWS_AT_ONCE);
      const data = new Float32Array(batch.length * size);
      batch.forEach((row, i) => data.set(this.#row(this.x, row).data, i * size));
      const out = tf.tidy(() => {
        const x = tf.tensor(data, [batch.length, ...shape]);
        return this.prefix.apply(x, { training: false }) as tf.Tensor;
      });
      const values = await out.data();
      out.dispose();
      batch.forEach((row, i) => {
        const place = this.#row(this.features, row);
        place.data.set(values.subarray(i * place.data.length, (i + 1) * place.data.length));
        this.keeper?.put(this.#row(this.x, row), place);
        this.#missing.delete(row);
      });
    }
    await this.#pause();
  }
}
