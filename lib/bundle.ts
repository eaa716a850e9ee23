/**
 * Bundles: all that a prediction needs in one folder: model, weights, features, scaler, labels, provenance, hashed.
 *
 * A bundle is three files: `bundle.json` (this module's {@linkcode BundleInfo}), `model.json` (tf.js topology and weight
 * specifications) and `weights.bin` (little-endian float32). Loading executes nothing, and refuses any file whose hash
 * is not the one that `bundle.json` states. Browser-safe; `bundle_files.ts` reads and writes folders.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { FormatError } from "./errors.ts";
import { recipe, recipeHash } from "./features/recipes.ts";
import type { Scaler } from "./training/dataset.ts";

/** Where a bundle comes from, and what may be expected of it. */
export interface Provenance {
  /** Identifier of the study. */
  readonly study: string;
  /** Variant of the study. */
  readonly variant: string;
  /** Protocol of the training. */
  readonly protocol: string;
  /** Seed of the training. */
  readonly seed: number;
  /** Commit of serlab, or null. */
  readonly commit: string | null;
  /** Hash of the manifest of the data. */
  readonly manifest: string;
  /** Hash of the split. */
  readonly split: string;
  /** Corpora with their licences. */
  readonly corpora: readonly { readonly id: string; readonly licence: string }[];
  /** What to expect, with n, by the protocol that says it; more than one where more is known. */
  readonly expected: readonly ExpectedAccuracy[];
}

/** A measured accuracy and where it was measured. */
export interface ExpectedAccuracy {
  /** Protocol under which it was measured: `clean` is the one for unseen speakers. */
  readonly protocol: string;
  /** Accuracy in [0, 1]. */
  readonly accuracy: number;
  /** Interval of the accuracy, or null where none can be given. */
  readonly interval: readonly [number, number] | null;
  /** Clips it was measured on. */
  readonly n: number;
}

/** What `bundle.json` says. */
export interface BundleInfo {
  /** Always `serlab-bundle`. */
  readonly format: "serlab-bundle";
  /** Version of the format. */
  readonly version: 1;
  /** Name of the bundle. */
  readonly name: string;
  /** The features the model is fed: a recipe by name, and the hash of its definition. */
  readonly features: { readonly recipe: string; readonly hash: string; readonly shape: readonly number[] };
  /** The scaler fitted on the training rows. */
  readonly scaler: Scaler;
  /** Labels in the order of the model's outputs. */
  readonly labels: readonly string[];
  /** Where it comes from. */
  readonly provenance: Provenance;
}

/** A bundle ready to predict with. */
export interface Bundle {
  /** What `bundle.json` says. */
  readonly info: BundleInfo;
  /** The model. */
  readonly model: tf.LayersModel;
}

/** Files of a bundle by name. */
export type BundleFiles = ReadonlyMap<string, Uint8Array>;

const VERSION = 1;
const FILES = ["model.json", "weights.bin"] as const;

/** `bundle.json` as it is stored: what it says, the hashes of the other files, and the hash of all that. */
interface StoredInfo extends BundleInfo {
  readonly files: Readonly<Record<string, string>>;
  readonly sha256: string;
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(bytes));
  return Array.from(new Uint8Array(digest), (b) => b.toString(16).padStart(2, "0")).join("");
}

const utf8 = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value, null, 1) + "\n");

/** Files of a bundle of a model and what is said of it. */
export async function encodeBundle(info: BundleInfo, model: tf.LayersModel): Promise<BundleFiles> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  await model.save(tf.io.withSaveHandler((all) => {
    artifacts = all;
    return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } });
  }));
  const { modelTopology, weightSpecs, weightData } = artifacts!;
  const weights = new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData));
  const modelJson = utf8({ modelTopology, weightSpecs });
  const files = { "model.json": await sha256(modelJson), "weights.bin": await sha256(weights) };
  const body = { ...info, files };
  const stored: StoredInfo = { ...body, sha256: await sha256(utf8(body)) };
  return new Map([["bundle.json", utf8(stored)], ["model.json", modelJson], ["weights.bin", weights]]);
}

function parse(bytes: Uint8Array, file: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new FormatError(`${file}: not JSON.`);
  }
}

/**
 * Reads a bundle from its files.
 *
 * @param files The bundle's files.
 * @param name What to call the bundle in errors.
 * @throws {FormatError} when a file is missing, changed, of another version, or does not fit the others.
 */
export async function decodeBundle(files: BundleFiles, name: string): Promise<Bundle> {
  const raw = files.get("bundle.json");
  if (!raw) throw new FormatError(`${name}: not a bundle, it has no bundle.json.`);
  const stored = parse(raw, `${name}/bundle.json`) as StoredInfo;
  if (stored === null || typeof stored !== "object" || stored.format !== "serlab-bundle") {
    throw new FormatError(`${name}/bundle.json: not a serlab bundle.`);
  }
  if (stored.version !== VERSION) {
    throw new FormatError(`${name}: is a bundle of version ${stored.version}; this serlab reads version ${VERSION}.`);
  }
  const { sha256: hash, ...body } = stored;
  if (await sha256(utf8(body)) !== hash) {
    throw new FormatError(`${name}/bundle.json: has been changed, its hash does not fit.`);
  }
  for (const file of FILES) {
    const bytes = files.get(file);
    if (!bytes) throw new FormatError(`${name}: ${file} is missing.`);
    if (await sha256(bytes) !== body.files[file]) {
      throw new FormatError(`${name}/${file}: has been changed, its hash does not fit.`);
    }
  }
  const { files: _files, ...info } = body;
  const features = recipe(info.features.recipe);
  if (recipeHash(features) !== info.features.hash) {
    throw new FormatError(
      `${name}: was made with another version of the features ${features.name}; train it again with this serlab.`,
    );
  }
  const { modelTopology, weightSpecs } = parse(files.get("model.json")!, `${name}/model.json`) as tf.io.ModelArtifacts;
  const weightData = new Uint8Array(files.get("weights.bin")!).buffer;
  let model: tf.LayersModel;
  try {
    model = await tf.loadLayersModel(
      tf.io.fromMemory({ modelTopology, weightSpecs, weightData } as tf.io.ModelArtifacts),
    );
  } catch (error) {
    throw new FormatError(`${name}/model.json: is not a model that tf.js can build.`, { cause: error });
  }
  const classes = model.outputs[0]!.shape.at(-1);
  if (classes !== info.labels.length) {
    throw new FormatError(`${name}: the model has ${classes} outputs, the bundle names ${info.labels.length} labels.`);
  }
  return { info, model };
}
