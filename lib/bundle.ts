/**
 * Bundles: all that a prediction needs in one place: model, weights, features, scaler, labels, calibration, provenance,
 * what was measured with it, hashed.
 *
 * A bundle is a few files: `bundle.json` ({@linkcode BundleInfo}), `model.json` (tf.js topology and weight
 * specifications), `weights.bin` (little-endian float32), `outlier.bin` ({@linkcode OutlierModel}) and `card.md`, the
 * model card for people. They lie in a folder or in one `.serlab` file (`bundle_archive.ts`). Loading executes nothing:
 * it takes layers that serlab knows and numbers, and refuses any file whose hash is not the one that `bundle.json` states.
 * Browser-safe; `bundle_files.ts` reads and writes files.
 *
 * @module
 */

import type * as tf from "@tensorflow/tfjs";
import { type Classifier, plainClassifier } from "./engine/forward.ts";
import { type NamedWeights, readStoredModel } from "./engine/topology.ts";
import { FormatError } from "./errors.ts";
import { recipe, recipeHash, recipeNames } from "./features/recipes.ts";
import type { CoveragePoint } from "./training/calibration.ts";
import type { Scaler } from "./training/dataset.ts";
import type { OutlierModel, OutlierView } from "./training/outlier.ts";
import type { Interval, IntervalKind } from "./training/statistics.ts";

export type { OutlierModel, OutlierView } from "./training/outlier.ts";
export type { CoveragePoint } from "./training/calibration.ts";

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
  /** Which fold's model it is, from 0; absent where it was not written. */
  readonly fold?: number;
  /** Speakers that neither training nor calibration has heard; absent where it was not written. */
  readonly heldOut?: readonly string[];
  /** Version of serlab; absent where it was not written. */
  readonly lab?: string;
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
  /** 95 % interval of the accuracy, or null where none can be given. */
  readonly interval: readonly [number, number] | null;
  /** How the interval was made; absent where it was not written. */
  readonly kind?: IntervalKind;
  /** Clips it was measured on. */
  readonly n: number;
  /** Speakers it was measured on; absent where it was not written. */
  readonly speakers?: number;
}

/** How probabilities are calibrated, and what it changes on test rows that had no part in it. */
export interface Calibration {
  /** Temperature scaling: logits are divided by this. 1 changes nothing, more makes answers less certain. */
  readonly temperature: number;
  /** What it was fitted on, in one sentence. */
  readonly fittedOn: string;
  /** Rows it was fitted on. */
  readonly n: number;
  /** Mean negative log probability of the truth on test rows. */
  readonly nll: BeforeAfter;
  /** Expected calibration error on test rows, 15 bins of equal width. */
  readonly ece: BeforeAfter;
  /** Test rows that both were measured on. */
  readonly measuredOn: number;
}

/** A number without and with calibration. */
export interface BeforeAfter {
  /** Without. */
  readonly before: number;
  /** With. */
  readonly after: number;
}

/** When the bundle says 'cannot say', and what that does on test rows. */
export interface Abstention {
  /** Least calibrated probability of the most probable label for an answer. */
  readonly leastConfidence: number;
  /** The accuracy on answered validation rows that `leastConfidence` was chosen for. */
  readonly targetAccuracy: number;
  /** Whether validation rows reached it. */
  readonly reached: boolean;
  /** Largest outlier score for an answer: 1, the limits being part of the score; null without an outlier model. */
  readonly mostOutlying: number | null;
  /** Share of validation rows that `mostOutlying` lets through, as chosen. */
  readonly insideShare: number;
  /** What both were chosen on, in one sentence. */
  readonly chosenOn: string;
  /** On test rows with the threshold chosen without them: share answered and accuracy on those. */
  readonly test: { readonly n: number; readonly coverage: number; readonly accuracy: number | null };
  /** Accuracy on answered test rows by the share answered, most certain first. */
  readonly curve: readonly CoveragePoint[];
  /** What is no speech, made by a generator: how many of each kind were answered 'cannot say'. */
  readonly notSpeech: readonly {
    readonly id: string;
    readonly describe: string;
    readonly n: number;
    readonly abstained: number;
  }[];
}

/** What the training recordings were like: lower and upper 1 % of each quantity. */
export interface TrainedOn {
  /** Number of training recordings. */
  readonly recordings: number;
  /** Duration in seconds. */
  readonly durationSec: readonly [number, number];
  /** Median duration in seconds: the length of a window over a long recording. */
  readonly medianSec: number;
  /** Level (root mean square) in dB relative to full scale. */
  readonly rmsDbfs: readonly [number, number];
  /** Highest frequency that holds more than noise, Hz. */
  readonly bandwidthHz: readonly [number, number];
}

/** What a fault of a recording costs, measured on the bundle's own test clips. */
export interface Consequence {
  /** The fault: `bandwidth-8000`, `clipping`, `mp3-32k`, `short-0.5s`, `quiet-30dB`, … */
  readonly id: string;
  /** What was done to the test clips, in one phrase. */
  readonly describe: string;
  /** Clips. */
  readonly n: number;
  /** Speakers. */
  readonly speakers: number;
  /** Accuracy on the clips as they are. */
  readonly before: number;
  /** Accuracy on the same clips with the fault. */
  readonly after: number;
  /** 95 % interval of the accuracy with the fault. */
  readonly interval: readonly [number, number];
  /** Share of the clips with the fault that were answered 'cannot say'. */
  readonly abstained: number;
}

/** Scores of a part of the test rows. */
export interface PartScore {
  /** The part's name. */
  readonly name: string;
  /** Clips. */
  readonly n: number;
  /** Speakers. */
  readonly speakers: number;
  /** Accuracy in [0, 1]. */
  readonly accuracy: number;
  /** 95 % interval, or null where none can be given. */
  readonly interval: Interval | null;
  /** Share of the clips answered 'cannot say'. */
  readonly abstained: number;
}

/** What was measured on test rows, by kind of recording; and on corpora that the model never saw. */
export interface Measured {
  /** By corpus. */
  readonly corpus: readonly PartScore[];
  /** By the speaker's sex, as the corpus states it. */
  readonly sex: readonly PartScore[];
  /** By duration, in three parts. */
  readonly duration: readonly PartScore[];
  /** By true label. */
  readonly label: readonly PartScore[];
  /** Other corpora, on the labels that they share. */
  readonly elsewhere: readonly (PartScore & { readonly labels: readonly string[] })[];
}

/** What `bundle.json` says. */
export interface BundleInfo {
  /** Always `serlab-bundle`. */
  readonly format: "serlab-bundle";
  /** Version of the format. */
  readonly version: 2;
  /** Name of the bundle. */
  readonly name: string;
  /** The features the model is fed: a recipe by name, and the hash of its definition. */
  readonly features: { readonly recipe: string; readonly hash: string; readonly shape: readonly number[] };
  /** Rate that audio is brought to before anything else, Hz; null where the recipe or the file decides. */
  readonly sampleRateHz: number | null;
  /** The scaler fitted on the training rows. */
  readonly scaler: Scaler;
  /** Labels in the order of the model's outputs. */
  readonly labels: readonly string[];
  /** Where it comes from. */
  readonly provenance: Provenance;
  /** How probabilities are calibrated; null where they are the model's own. */
  readonly calibration: Calibration | null;
  /** When it says 'cannot say'; null where only silence is refused. */
  readonly abstention: Abstention | null;
  /** What the training recordings were like; null where unknown. */
  readonly trained: TrainedOn | null;
  /** What faults of a recording cost. */
  readonly consequences: readonly Consequence[];
  /** What was measured by kind of recording; null where nothing was. */
  readonly measured: Measured | null;
}

/** A bundle ready to predict with. */
export interface Bundle {
  /** What `bundle.json` says. */
  readonly info: BundleInfo;
  /** The model. */
  readonly model: Classifier;
  /** How far an input is from the training rows; null where the bundle does not say. */
  readonly outlier: OutlierModel | null;
  /** The model's weights by name, `<layer>/<variable>`. */
  readonly weights: ReadonlyMap<string, NamedWeights>;
  /** The model card (Markdown); null where there is none. */
  readonly card: string | null;
  /** SHA-256 that `bundle.json` states of itself: one bundle, one hash. */
  readonly sha256: string;
}

/** Files of a bundle by name. */
export type BundleFiles = ReadonlyMap<string, Uint8Array>;

/** Options of {@linkcode decodeBundle}. */
export interface DecodeBundleOptions {
  /** `plain`: without tf.js, or fail; `tf`: with tf.js; `auto` (default): without where the model is small enough. */
  readonly engine?: "auto" | "plain" | "tf";
  /** Is called, and waited for, before tf.js builds a model: the place to start a backend. */
  readonly startTf?: () => Promise<unknown>;
}

/** Parts of a bundle beside `bundle.json`'s own. */
export interface BundleParts {
  /** How far an input is from the training rows. */
  readonly outlier?: OutlierModel | null;
  /** The model card. */
  readonly card?: string | null;
}

/** Version of the format that is written. */
export const BUNDLE_VERSION = 2;

/** Files that a bundle may have; nothing else of a folder or archive is read. */
export const BUNDLE_FILES = ["bundle.json", "model.json", "weights.bin", "outlier.bin", "card.md"] as const;

const NEEDED = ["model.json", "weights.bin"] as const;

/** Most bytes of one file of a bundle: what is larger is no bundle of ours and is not read. */
export const MOST_BUNDLE_BYTES = 2 ** 28;

/** `bundle.json` as it is stored: what it says, the hashes of the other files, and the hash of all that. */
interface StoredInfo extends BundleInfo {
  readonly outlier: { readonly pool: number; readonly size: number; readonly limits: readonly number[] } | null;
  readonly files: Readonly<Record<string, string>>;
  readonly sha256: string;
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(bytes));
  return Array.from(new Uint8Array(digest), (b) => b.toString(16).padStart(2, "0")).join("");
}

const utf8 = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value, null, 1) + "\n");

/** Float32 arrays one after the other, little-endian. */
function floatBytes(arrays: readonly Float32Array[]): Uint8Array {
  const bytes = new Uint8Array(4 * arrays.reduce((sum, { length }) => sum + length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const array of arrays) {
    for (let i = 0; i < array.length; i++, at += 4) view.setFloat32(at, array[i]!, true);
  }
  return bytes;
}

/** Files of a bundle of a model and what is said of it. */
export async function encodeBundle(
  info: BundleInfo,
  model: tf.LayersModel,
  parts: BundleParts = {},
): Promise<BundleFiles> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  await model.save({
    save: (all) => {
      artifacts = all;
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } });
    },
  });
  const { modelTopology, weightSpecs, weightData } = artifacts!;
  const buffers = Array.isArray(weightData) ? weightData : [weightData!];
  const weights = new Uint8Array(await new Blob(buffers).arrayBuffer());
  return await encodeFiles(info, utf8({ modelTopology, weightSpecs }), weights, parts);
}

/**
 * The same model with other words: a bundle's files with another `bundle.json`, outlier model or card.
 *
 * @param files Files of a bundle of this version.
 * @param info What to say instead.
 * @param parts The parts beside it.
 */
export async function rewriteBundle(
  files: BundleFiles,
  info: BundleInfo,
  parts: BundleParts = {},
): Promise<BundleFiles> {
  return await encodeFiles(info, files.get("model.json")!, files.get("weights.bin")!, parts);
}

async function encodeFiles(
  info: BundleInfo,
  model: Uint8Array,
  weights: Uint8Array,
  { outlier = null, card = null }: BundleParts,
): Promise<BundleFiles> {
  const others = new Map<string, Uint8Array>([["model.json", model], ["weights.bin", weights]]);
  if (outlier) others.set("outlier.bin", floatBytes(outlierArrays(outlier)));
  if (card !== null) others.set("card.md", new TextEncoder().encode(card));
  const files: Record<string, string> = {};
  for (const [name, bytes] of others) files[name] = await sha256(bytes);
  const body = {
    ...info,
    outlier: outlier && { pool: outlier.pool, size: outlier.size, limits: outlier.limits },
    files,
  };
  const stored: StoredInfo = { ...body, sha256: await sha256(utf8(body)) };
  return new Map([["bundle.json", utf8(stored)], ...others]);
}

function parse(bytes: Uint8Array, file: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    throw new FormatError(`${file}: not JSON.`);
  }
}

/** What version 1 lacked: no calibration, no threshold, nothing measured, no rate. */
function fromVersion1(body: Record<string, unknown>): Record<string, unknown> {
  return {
    ...body,
    version: BUNDLE_VERSION,
    sampleRateHz: null,
    calibration: null,
    abstention: null,
    trained: null,
    consequences: [],
    measured: null,
    outlier: null,
  };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value);
const isNumber = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);
const isPair = (value: unknown): boolean => Array.isArray(value) && value.length === 2 && value.every(isNumber);

/** The first thing in `bundle.json` that is not as the format says, or null. A hash can be made anew by anyone. */
function faultOf(body: Record<string, unknown>): string | null {
  const { name, features, sampleRateHz, scaler, labels, provenance, calibration, abstention, trained } = body;
  const { consequences, outlier } = body;
  if (typeof name !== "string" || name === "" || name.length > 200) return "name";
  if (!isRecord(features) || typeof features["recipe"] !== "string" || !Array.isArray(features["shape"])) {
    return "features";
  }
  if (!features["shape"].every((size) => Number.isInteger(size) && size > 0)) return "features.shape";
  if (sampleRateHz !== null && !(isNumber(sampleRateHz) && sampleRateHz >= 1000 && sampleRateHz <= 768000)) {
    return "sampleRateHz";
  }
  if (!isRecord(scaler)) return "scaler";
  const { kind, mean, scale } = scaler;
  const sized = (values: unknown, fits: (v: number) => boolean): boolean =>
    Array.isArray(values) && values.every((v) => isNumber(v) && fits(v));
  const isScaler = kind === "none" || (kind === "global" && isNumber(mean) && isNumber(scale) && scale > 0) ||
    (kind === "feature" && sized(mean, () => true) && sized(scale, (v) => v > 0));
  if (!isScaler) return "scaler";
  const areLabels = Array.isArray(labels) && labels.length > 0 && new Set(labels).size === labels.length &&
    labels.every((label) => typeof label === "string" && label !== "" && label !== "__proto__");
  if (!areLabels) return "labels";
  if (!isRecord(provenance) || !Array.isArray(provenance["corpora"]) || !Array.isArray(provenance["expected"])) {
    return "provenance";
  }
  if (calibration !== null) {
    if (!isRecord(calibration)) return "calibration";
    const { temperature } = calibration;
    if (!isNumber(temperature) || temperature <= 0) return "calibration.temperature";
  }
  if (abstention !== null) {
    if (!isRecord(abstention) || !isNumber(abstention["leastConfidence"])) return "abstention";
    if (abstention["mostOutlying"] !== null && !isNumber(abstention["mostOutlying"])) return "abstention.mostOutlying";
  }
  if (trained !== null) {
    if (!isRecord(trained)) return "trained";
    const { durationSec, rmsDbfs, bandwidthHz, medianSec } = trained;
    if (![durationSec, rmsDbfs, bandwidthHz].every(isPair) || !isNumber(medianSec) || medianSec <= 0) return "trained";
  }
  const areConsequences = Array.isArray(consequences) &&
    consequences.every((each) =>
      isRecord(each) && typeof each["id"] === "string" && typeof each["describe"] === "string" &&
      [each["n"], each["before"], each["after"], each["abstained"]].every(isNumber)
    );
  if (!areConsequences) return "consequences";
  if (outlier !== null) {
    if (!isRecord(outlier)) return "outlier";
    const { pool, size, limits } = outlier;
    if (!sized(limits, (limit) => limit > 0)) return "outlier.limits";
    if (!Number.isInteger(pool) || (pool as number) < 1) return "outlier";
    if (!Number.isInteger(size) || (size as number) < 1 || (size as number) > 4096) return "outlier";
  }
  return null;
}

/**
 * Reads a bundle from its files.
 *
 * @param files The bundle's files.
 * @param name What to call the bundle in errors.
 * @throws {FormatError} when a file is missing, changed, of a version that cannot be read, or does not fit the others.
 */
export async function decodeBundle(
  files: BundleFiles,
  name: string,
  options: DecodeBundleOptions = {},
): Promise<Bundle> {
  const raw = files.get("bundle.json");
  if (!raw) throw new FormatError(`${name}: not a bundle, it has no bundle.json.`);
  const stored = parse(raw, `${name}/bundle.json`);
  if (!isRecord(stored) || stored["format"] !== "serlab-bundle") {
    throw new FormatError(`${name}/bundle.json: not a serlab bundle.`);
  }
  const { sha256: hash, ...asStored } = stored;
  const { version } = asStored;
  if (version !== 1 && version !== BUNDLE_VERSION) {
    const newer = isNumber(version) && version > BUNDLE_VERSION ? "; a newer serlab made it" : "";
    throw new FormatError(
      `${name}: is a bundle of version ${String(version)}; this serlab reads version 1 and ${BUNDLE_VERSION}${newer}.`,
    );
  }
  if (await sha256(utf8(asStored)) !== hash) {
    throw new FormatError(`${name}/bundle.json: has been changed, its hash does not fit.`);
  }
  const body = version === 1 ? fromVersion1(asStored) : asStored;
  const hashes = isRecord(body["files"]) ? body["files"] : {};
  for (const file of new Set([...NEEDED, ...Object.keys(hashes)])) {
    const bytes = files.get(file);
    if (!bytes) throw new FormatError(`${name}: ${file} is missing.`);
    if (await sha256(bytes) !== hashes[file]) {
      throw new FormatError(`${name}/${file}: has been changed, its hash does not fit.`);
    }
  }
  for (const file of files.keys()) {
    if (file !== "bundle.json" && !Object.hasOwn(hashes, file)) {
      throw new FormatError(`${name}/${file}: does not belong to the bundle, bundle.json does not name it.`);
    }
  }
  const fault = faultOf(body);
  if (fault !== null) throw new FormatError(`${name}/bundle.json: ${fault} is not what a bundle may say.`);
  const { files: _files, outlier: outlierSize, ...rest } = body as unknown as StoredInfo;
  const info: BundleInfo = rest;
  if (!recipeNames().includes(info.features.recipe)) {
    throw new FormatError(`${name}: needs the features ${info.features.recipe}, which this serlab does not have.`);
  }
  const features = recipe(info.features.recipe);
  if (recipeHash(features) !== info.features.hash) {
    throw new FormatError(
      `${name}: was made with another version of the features ${features.name}; train it again with this serlab.`,
    );
  }
  const modelFile = `${name}/model.json`;
  const topology = readStoredModel(parse(files.get("model.json")!, modelFile), files.get("weights.bin")!, modelFile);
  if (topology.inputShape.join() !== info.features.shape.join()) {
    throw new FormatError(
      `${name}: the model takes [${topology.inputShape}], the features are [${info.features.shape}].`,
    );
  }
  const size = info.features.shape.reduce((a, b) => a * b, 1);
  if (info.scaler.kind === "feature" && (info.scaler.mean.length !== size || info.scaler.scale.length !== size)) {
    throw new FormatError(`${name}: the scaler has ${info.scaler.mean.length} columns, the features have ${size}.`);
  }
  const outlier = outlierSize && readOutlier(files.get("outlier.bin"), outlierSize, size, name);
  const { engine = "auto", startTf } = options;
  let model = engine === "tf"
    ? null
    : plainClassifier(topology, modelFile, engine === "plain" ? { most: Infinity } : {});
  if (!model) {
    if (engine === "plain") throw new FormatError(`${modelFile}: has layers that only tf.js computes.`);
    await startTf?.();
    const { layersClassifier } = await import("./engine/layers_model.ts");
    model = await layersClassifier(topology, modelFile);
  }
  if (model.classes !== info.labels.length) {
    const { classes } = model;
    model.dispose();
    throw new FormatError(`${name}: the model has ${classes} outputs, the bundle names ${info.labels.length} labels.`);
  }
  const card = files.get("card.md");
  return {
    info,
    model,
    outlier,
    weights: topology.weights,
    card: card ? new TextDecoder().decode(card) : null,
    sha256: hash as string,
  };
}

/** The arrays of `outlier.bin` in their order, view after view. */
function outlierArrays({ views }: OutlierModel): Float32Array[] {
  return views.flatMap(({ floor, center, spread, mean, whitening }) => [floor, center, spread, mean, whitening]);
}

function readOutlier(
  bytes: Uint8Array | undefined,
  { pool, size, limits }: { readonly pool: number; readonly size: number; readonly limits: readonly number[] },
  inputs: number,
  name: string,
): OutlierModel {
  const each = 4 * size + size * (size + 1) / 2;
  if (!bytes || limits.length < 1 || bytes.length !== 4 * each * limits.length || Math.ceil(inputs / pool) !== size) {
    throw new FormatError(`${name}/outlier.bin: does not fit the model's input.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const all = Float32Array.from({ length: each * limits.length }, (_, i) => view.getFloat32(4 * i, true));
  if (!all.every(Number.isFinite)) throw new FormatError(`${name}/outlier.bin: holds a value that is no number.`);
  const views = limits.map((_, v): OutlierView => {
    const part = (i: number): Float32Array => all.subarray(v * each + i * size, v * each + (i + 1) * size);
    const spread = part(2), floor = part(0);
    if (!spread.every((value) => value > 0) || !floor.every((value) => value >= 0)) {
      throw new FormatError(`${name}/outlier.bin: holds a spread that is not above 0.`);
    }
    return {
      floor,
      center: part(1),
      spread,
      mean: part(3),
      whitening: all.subarray(v * each + 4 * size, (v + 1) * each),
    };
  });
  return { pool, size, views, limits };
}
