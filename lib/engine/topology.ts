/**
 * What a stored model may say of itself: layers that serlab knows, with sizes that fit its weights. Nothing of it is ever
 * executed, and nothing is built before it is checked. Browser-safe.
 *
 * @module
 */

import { FormatError } from "../errors.ts";

/** A named array of weights. */
export interface NamedWeights {
  /** Name as stored, `<layer>/<variable>`. */
  readonly name: string;
  /** Lengths of the axes. */
  readonly shape: readonly number[];
  /** The values. */
  readonly data: Float32Array;
}

/** One layer of a sequential model: its class and its configuration in Keras's spelling. */
export interface LayerConfig {
  /** Class, such as `Dense`. */
  readonly className: string;
  /** Name, unique in the model. */
  readonly name: string;
  /** Everything else. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** A sequential model as data. */
export interface StoredModel {
  /** Layers from input to output. */
  readonly layers: readonly LayerConfig[];
  /** Shape of one example. */
  readonly inputShape: readonly number[];
  /** The weights by name. */
  readonly weights: ReadonlyMap<string, NamedWeights>;
  /** The topology as stored, for tf.js. */
  readonly topology: unknown;
}

/** Layers that a stored model may have: they compute, and none of them can hold code. */
export const LAYER_CLASSES: ReadonlySet<string> = new Set([
  "InputLayer",
  "Dense",
  "Activation",
  "Dropout",
  "Flatten",
  "BatchNormalization",
  "Conv1D",
  "Conv2D",
  "MaxPooling1D",
  "MaxPooling2D",
  "AveragePooling1D",
  "AveragePooling2D",
  "GlobalAveragePooling1D",
  "GlobalAveragePooling2D",
  "LSTM",
]);

/** What stands in a layer's configuration beside it: initialisers, penalties, constraints. */
const HELPERS = new Set([
  "Zeros",
  "Ones",
  "Constant",
  "GlorotUniform",
  "GlorotNormal",
  "HeUniform",
  "HeNormal",
  "LeCunUniform",
  "LeCunNormal",
  "RandomUniform",
  "RandomNormal",
  "TruncatedNormal",
  "VarianceScaling",
  "Orthogonal",
  "Identity",
  "L1L2",
  "MaxNorm",
  "NonNeg",
  "UnitNorm",
  "MinMaxNorm",
]);

/** Largest array, in values: 256 MiB. */
const MOST_VALUES = 2 ** 26;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value);

/** Product of sizes that are whole numbers of 1 or more, or null. */
function product(sizes: readonly unknown[]): number | null {
  let all = 1;
  for (const size of sizes) {
    if (typeof size !== "number" || !Number.isInteger(size) || size < 1) return null;
    all *= size;
    if (all > MOST_VALUES) return null;
  }
  return all;
}

/** Refuses any class that is not known, wherever in a configuration it is named. */
function checkClasses(value: unknown, file: string, depth = 0): void {
  if (depth > 12) throw new FormatError(`${file}: is nested too deeply.`);
  if (Array.isArray(value)) { for (const each of value) checkClasses(each, file, depth + 1); }
  if (!isRecord(value)) {
    // A layer of a billion units would be allocated before its weights are looked at.
    if (typeof value === "number" && Math.abs(value) > MOST_VALUES) {
      throw new FormatError(`${file}: names the size ${value}, the most is ${MOST_VALUES}.`);
    }
    return;
  }
  const name = value["class_name"];
  if (name !== undefined && !(typeof name === "string" && HELPERS.has(name))) {
    throw new FormatError(`${file}: names the class ${String(name).slice(0, 60)}, which serlab does not know.`);
  }
  for (const [key, each] of Object.entries(value)) if (key !== "seed") checkClasses(each, file, depth + 1);
}

/**
 * Reads a model from what tf.js stored of it.
 *
 * @param json The parsed `model.json`: `{modelTopology, weightSpecs}`.
 * @param weights The bytes of `weights.bin`, little-endian float32, in the order of `weightSpecs`.
 * @param file What to call the model in errors.
 * @throws {FormatError} when it is no sequential model of known layers, or the weights are not the ones it names.
 */
export function readStoredModel(json: unknown, weights: Uint8Array, file: string): StoredModel {
  const { modelTopology, weightSpecs } = (isRecord(json) ? json : {}) as Record<string, unknown>;
  const inner = isRecord(modelTopology) && isRecord(modelTopology["model_config"])
    ? modelTopology["model_config"]
    : modelTopology;
  const { class_name: kind, config } = (isRecord(inner) ? inner : {}) as Record<string, unknown>;
  if (kind !== "Sequential") {
    throw new FormatError(`${file}: is not a model of layers in a row (its class is ${String(kind).slice(0, 60)}).`);
  }
  const list = Array.isArray(config) ? config : isRecord(config) ? config["layers"] : undefined;
  if (!Array.isArray(list) || list.length === 0 || list.length > 500) throw new FormatError(`${file}: has no layers.`);
  const layers = list.map((each): LayerConfig => {
    const { class_name: className, config: own } = (isRecord(each) ? each : {}) as Record<string, unknown>;
    if (typeof className !== "string" || !LAYER_CLASSES.has(className)) {
      const shown = String(className).slice(0, 60);
      throw new FormatError(
        `${file}: has a layer of class ${shown}; serlab loads ${[...LAYER_CLASSES].join(", ")}, and never code.`,
      );
    }
    if (!isRecord(own) || typeof own["name"] !== "string") throw new FormatError(`${file}: a layer has no name.`);
    checkClasses(own, file);
    return { className, name: own["name"], config: own };
  });
  if (new Set(layers.map(({ name }) => name)).size !== layers.length) {
    throw new FormatError(`${file}: two of its layers have one name.`);
  }
  const batchShape = layers[0]!.config["batch_input_shape"];
  const inputShape = Array.isArray(batchShape) ? batchShape.slice(1) : [];
  if (inputShape.length === 0 || product(inputShape) === null) {
    throw new FormatError(`${file}: does not say how large its input is.`);
  }
  return { layers, inputShape, weights: readWeights(weightSpecs, weights, file), topology: modelTopology };
}

function readWeights(specs: unknown, bytes: Uint8Array, file: string): Map<string, NamedWeights> {
  if (!Array.isArray(specs)) throw new FormatError(`${file}: does not name its weights.`);
  const weights = new Map<string, NamedWeights>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  for (const spec of specs) {
    const { name, shape, dtype, quantization } = (isRecord(spec) ? spec : {}) as Record<string, unknown>;
    const size = Array.isArray(shape) ? product(shape) : null;
    if (typeof name !== "string" || weights.has(name) || size === null || dtype !== "float32" || quantization) {
      throw new FormatError(
        `${file}: weight ${String(name).slice(0, 60)} is not a float32 array with a name and a shape.`,
      );
    }
    if (at + 4 * size > bytes.length) throw new FormatError(`${file}: names more weights than there are.`);
    const data = new Float32Array(size);
    for (let i = 0; i < size; i++) data[i] = view.getFloat32(at + 4 * i, true);
    weights.set(name, { name, shape: shape as number[], data });
    at += 4 * size;
  }
  if (at !== bytes.length) throw new FormatError(`${file}: there are more weights than it names.`);
  return weights;
}

/**
 * Weights of one layer in the order in which they were stored.
 *
 * @param weights A model's weights by name.
 * @param layer Name of the layer.
 */
export function weightsOfLayer(weights: ReadonlyMap<string, NamedWeights>, layer: string): NamedWeights[] {
  return [...weights.values()].filter(({ name }) => name.startsWith(`${layer}/`));
}
