/**
 * A small model's forward pass in plain TypeScript: no tf.js, no addon, nothing to start.
 *
 * Sums are taken in double precision and each layer's result is kept in single, so results equal tf.js's to rounding
 * (a test holds them together). Large models are left to tf.js, which is faster there. Browser-safe.
 *
 * @module
 */

import { FormatError } from "../errors.ts";
import type { NdArray } from "../types.ts";
import { type LayerConfig, type NamedWeights, type StoredModel, weightsOfLayer } from "./topology.ts";

/** What turns examples into class probabilities. */
export interface Classifier {
  /** What computes: `plain`, or tf.js's backend. */
  readonly backend: string;
  /** Shape of one example. */
  readonly inputShape: readonly number[];
  /** Number of classes. */
  readonly classes: number;
  /** Class probabilities `[n, classes]` of examples `[n, …inputShape]`. */
  predict(x: NdArray): Promise<NdArray<readonly [number, number]>>;
  /** Frees what it holds. */
  dispose(): void;
}

/** Most multiplications an example for which plain TypeScript is taken: about 0.1 s. */
export const PLAIN_MULTIPLICATIONS = 6e7;

/** One layer, ready to run on one example. */
interface Step {
  readonly outShape: readonly number[];
  readonly multiplications: number;
  run(x: Float32Array): Float32Array;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** What a layer needs that this module does not compute: then tf.js does. */
class Unsupported extends Error {}

/** The two values of a size that is given once or for both axes. */
function pair(value: unknown, axes: 1 | 2): number[] {
  const list = Array.isArray(value) ? value : Array(axes).fill(value);
  if (list.length !== axes || list.some((each) => !Number.isInteger(each) || each < 1)) throw new Unsupported();
  return axes === 1 ? [1, list[0]] : list;
}

type Activation = (values: Float32Array, width: number) => void;

const each = (f: (value: number) => number): Activation => (values) => {
  for (let i = 0; i < values.length; i++) values[i] = f(values[i]!);
};

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  linear: () => {},
  relu: each((v) => v > 0 ? v : 0),
  tanh: each(Math.tanh),
  sigmoid: each((v) => 1 / (1 + Math.exp(-v))),
  softmax(values, width) {
    for (let at = 0; at < values.length; at += width) {
      let top = -Infinity, sum = 0;
      for (let i = at; i < at + width; i++) if (values[i]! > top) top = values[i]!;
      const powers = new Float64Array(width);
      for (let i = 0; i < width; i++) sum += powers[i] = Math.exp(values[at + i]! - top);
      for (let i = 0; i < width; i++) values[at + i] = powers[i]! / sum;
    }
  },
};

function activationOf(config: LayerConfig["config"]): Activation {
  const name = config["activation"] ?? "linear";
  const found = typeof name === "string" && Object.hasOwn(ACTIVATIONS, name) ? ACTIVATIONS[name] : undefined;
  if (!found) throw new Unsupported();
  return found;
}

/** Finds a layer's weights and holds them to the shapes that its configuration asks for. */
class Variables {
  readonly #all: readonly NamedWeights[];
  readonly #layer: string;

  constructor(model: StoredModel, layer: string) {
    this.#all = weightsOfLayer(model.weights, layer);
    this.#layer = layer;
  }

  get(variable: string, shape: readonly number[]): Float32Array {
    // tf.js numbers the variables of a second model with the same layer names.
    const found = this.#all.find(({ name }) => name.slice(this.#layer.length + 1).replace(/_\d+$/, "") === variable);
    if (!found || found.shape.join() !== shape.join()) {
      throw new FormatError(
        `layer ${this.#layer} needs ${variable} [${shape}], ${
          found ? `which is [${found.shape}]` : "which is not there"
        }`,
      );
    }
    return found.data;
  }
}

function denseStep(config: LayerConfig["config"], shape: readonly number[], weights: Variables): Step {
  const units = config["units"] as number, inputs = shape.at(-1)!;
  const kernel = weights.get("kernel", [inputs, units]);
  const bias = config["use_bias"] === false ? null : weights.get("bias", [units]);
  const activate = activationOf(config);
  const rows = sizeOf(shape) / inputs;
  const sums = new Float64Array(units);
  return {
    outShape: [...shape.slice(0, -1), units],
    multiplications: rows * inputs * units,
    run(x) {
      const out = new Float32Array(rows * units);
      for (let r = 0; r < rows; r++) {
        if (bias) sums.set(bias);
        else sums.fill(0);
        for (let i = 0; i < inputs; i++) {
          const value = x[r * inputs + i]!;
          if (value === 0) continue;
          for (let u = 0, k = i * units; u < units; u++, k++) sums[u]! += value * kernel[k]!;
        }
        out.set(sums, r * units);
      }
      activate(out, units);
      return out;
    },
  };
}

/** Size of the result along an axis and the zeros before it, as TensorFlow counts them. */
function along(length: number, window: number, stride: number, padding: unknown): [size: number, before: number] {
  if (padding === "valid") {
    const size = Math.floor((length - window) / stride) + 1;
    if (size < 1) throw new FormatError(`a window of ${window} does not fit into ${length}`);
    return [size, 0];
  }
  if (padding !== "same") throw new Unsupported();
  const size = Math.ceil(length / stride);
  return [size, Math.max(0, (size - 1) * stride + window - length) >> 1];
}

/** Height, width and channels of an input; a sequence has height 1. */
function plane(shape: readonly number[], axes: 1 | 2, config: LayerConfig["config"]): [number, number, number] {
  const { data_format: format = "channels_last" } = config;
  if (shape.length !== axes + 1 || (format !== null && format !== "channels_last" && format !== "channelsLast")) {
    throw new Unsupported();
  }
  return axes === 1 ? [1, shape[0]!, shape[1]!] : [shape[0]!, shape[1]!, shape[2]!];
}

function convStep(config: LayerConfig["config"], shape: readonly number[], weights: Variables, axes: 1 | 2): Step {
  const [height, width, channels] = plane(shape, axes, config);
  const [kernelHeight, kernelWidth] = pair(config["kernel_size"], axes) as [number, number];
  const [strideY, strideX] = pair(config["strides"] ?? 1, axes) as [number, number];
  if (pair(config["dilation_rate"] ?? 1, axes).some((rate) => rate !== 1)) throw new Unsupported();
  const filters = config["filters"] as number, padding = config["padding"] ?? "valid";
  const [outHeight, top] = along(height, kernelHeight, strideY, padding);
  const [outWidth, left] = along(width, kernelWidth, strideX, padding);
  const kernelShape = [...(axes === 1 ? [kernelWidth] : [kernelHeight, kernelWidth]), channels, filters];
  const kernel = weights.get("kernel", kernelShape);
  const bias = config["use_bias"] === false ? null : weights.get("bias", [filters]);
  const activate = activationOf(config);
  const sums = new Float64Array(filters);
  return {
    outShape: axes === 1 ? [outWidth, filters] : [outHeight, outWidth, filters],
    multiplications: outHeight * outWidth * filters * kernelHeight * kernelWidth * channels,
    run(x) {
      const out = new Float32Array(outHeight * outWidth * filters);
      for (let oy = 0; oy < outHeight; oy++) {
        for (let ox = 0; ox < outWidth; ox++) {
          if (bias) sums.set(bias);
          else sums.fill(0);
          for (let ky = 0; ky < kernelHeight; ky++) {
            const y = oy * strideY + ky - top;
            if (y < 0 || y >= height) continue;
            for (let kx = 0; kx < kernelWidth; kx++) {
              const at = ox * strideX + kx - left;
              if (at < 0 || at >= width) continue;
              const from = (y * width + at) * channels, k0 = (ky * kernelWidth + kx) * channels * filters;
              for (let c = 0; c < channels; c++) {
                const value = x[from + c]!;
                if (value === 0) continue;
                for (let f = 0, k = k0 + c * filters; f < filters; f++, k++) sums[f]! += value * kernel[k]!;
              }
            }
          }
          out.set(sums, (oy * outWidth + ox) * filters);
        }
      }
      activate(out, filters);
      return out;
    },
  };
}

function poolStep(config: LayerConfig["config"], shape: readonly number[], axes: 1 | 2, isMax: boolean): Step {
  const [height, width, channels] = plane(shape, axes, config);
  const [poolHeight, poolWidth] = pair(config["pool_size"], axes) as [number, number];
  const [strideY, strideX] = pair(config["strides"] ?? config["pool_size"], axes) as [number, number];
  const padding = config["padding"] ?? "valid";
  const [outHeight, top] = along(height, poolHeight, strideY, padding);
  const [outWidth, left] = along(width, poolWidth, strideX, padding);
  return {
    outShape: axes === 1 ? [outWidth, channels] : [outHeight, outWidth, channels],
    multiplications: 0,
    run(x) {
      const out = new Float32Array(outHeight * outWidth * channels);
      for (let oy = 0; oy < outHeight; oy++) {
        const y0 = Math.max(0, oy * strideY - top), y1 = Math.min(height, oy * strideY - top + poolHeight);
        for (let ox = 0; ox < outWidth; ox++) {
          const x0 = Math.max(0, ox * strideX - left), x1 = Math.min(width, ox * strideX - left + poolWidth);
          for (let c = 0; c < channels; c++) {
            let value = isMax ? -Infinity : 0;
            for (let y = y0; y < y1; y++) {
              for (let at = x0; at < x1; at++) {
                const v = x[(y * width + at) * channels + c]!;
                value = isMax ? (v > value ? v : value) : value + v;
              }
            }
            // TensorFlow's mean leaves the padding out.
            out[(oy * outWidth + ox) * channels + c] = isMax ? value : value / ((y1 - y0) * (x1 - x0));
          }
        }
      }
      return out;
    },
  };
}

function normStep(config: LayerConfig["config"], shape: readonly number[], weights: Variables): Step {
  const channels = shape.at(-1)!, axis = config["axis"] ?? -1;
  if (axis !== -1 && axis !== shape.length) throw new Unsupported();
  const epsilon = typeof config["epsilon"] === "number" ? config["epsilon"] : 1e-3;
  const mean = weights.get("moving_mean", [channels]), variance = weights.get("moving_variance", [channels]);
  const gamma = config["scale"] === false ? null : weights.get("gamma", [channels]);
  const beta = config["center"] === false ? null : weights.get("beta", [channels]);
  const factor = Float64Array.from(variance, (v, c) => (gamma?.[c] ?? 1) / Math.sqrt(v + epsilon));
  const offset = Float64Array.from(mean, (m, c) => (beta?.[c] ?? 0) - m * factor[c]!);
  return {
    outShape: shape,
    multiplications: sizeOf(shape),
    run: (x) => x.map((value, i) => value * factor[i % channels]! + offset[i % channels]!),
  };
}

function globalAverageStep(shape: readonly number[]): Step {
  const channels = shape.at(-1)!, places = sizeOf(shape) / channels;
  return {
    outShape: [channels],
    multiplications: 0,
    run(x) {
      const sums = new Float64Array(channels);
      for (let i = 0; i < x.length; i++) sums[i % channels]! += x[i]!;
      return Float32Array.from(sums, (sum) => sum / places);
    },
  };
}

function stepOf({ className, config, name }: LayerConfig, shape: readonly number[], model: StoredModel): Step | null {
  const weights = new Variables(model, name);
  switch (className) {
    case "InputLayer":
    case "Dropout":
      return null;
    case "Flatten":
      return { outShape: [sizeOf(shape)], multiplications: 0, run: (x) => x };
    case "Dense":
      return denseStep(config, shape, weights);
    case "Activation": {
      const activate = activationOf(config), width = shape.at(-1)!;
      const run = (x: Float32Array): Float32Array => {
        const out = x.slice();
        activate(out, width);
        return out;
      };
      return { outShape: shape, multiplications: 0, run };
    }
    case "BatchNormalization":
      return normStep(config, shape, weights);
    case "Conv1D":
      return convStep(config, shape, weights, 1);
    case "Conv2D":
      return convStep(config, shape, weights, 2);
    case "MaxPooling1D":
      return poolStep(config, shape, 1, true);
    case "MaxPooling2D":
      return poolStep(config, shape, 2, true);
    case "AveragePooling1D":
      return poolStep(config, shape, 1, false);
    case "AveragePooling2D":
      return poolStep(config, shape, 2, false);
    case "GlobalAveragePooling1D":
    case "GlobalAveragePooling2D":
      return globalAverageStep(shape);
    default:
      throw new Unsupported();
  }
}

/**
 * A model that computes in plain TypeScript, or null where tf.js should: a layer that is not known here, or more than
 * `most` multiplications an example.
 *
 * @param model The model.
 * @param file What to call it in errors.
 * @param options.most Default {@linkcode PLAIN_MULTIPLICATIONS}.
 * @throws {FormatError} when weights do not fit the layers.
 */
export function plainClassifier(
  model: StoredModel,
  file: string,
  options: { readonly most?: number } = {},
): Classifier | null {
  const { most = PLAIN_MULTIPLICATIONS } = options;
  const steps: Step[] = [];
  let shape = model.inputShape, multiplications = 0;
  try {
    for (const layer of model.layers) {
      const step = stepOf(layer, shape, model);
      if (!step) continue;
      if (step.outShape.some((size) => !Number.isInteger(size) || size < 1)) throw new Unsupported();
      steps.push(step);
      shape = step.outShape;
      multiplications += step.multiplications;
    }
  } catch (error) {
    if (error instanceof Unsupported) return null;
    if (error instanceof FormatError) throw new FormatError(`${file}: ${error.message}.`);
    throw error;
  }
  if (multiplications > most || shape.length !== 1) return null;
  const { inputShape } = model, size = sizeOf(inputShape), classes = shape[0]!;
  return {
    backend: "plain",
    inputShape,
    classes,
    predict({ data, shape: [n] }) {
      const out = new Float32Array(n! * classes);
      for (let row = 0; row < n!; row++) {
        let values = data.subarray(row * size, (row + 1) * size);
        for (const step of steps) values = step.run(values);
        out.set(values, row * classes);
      }
      return Promise.resolve({ data: out, shape: [n!, classes] });
    },
    dispose() {},
  };
}
