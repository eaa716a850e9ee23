/**
 * Cheaper ways to the same numbers, in force while a step is traced: TensorFlow's own fused operations in place of the
 * compositions that tf.js makes for every backend.
 *
 * There is none for biases: measured on two cores, `BiasAddGrad` takes four times as long as the sum that tf.js makes (27
 * of cnn2d's 118 ms), and `BiasAdd` gains nothing and holds more memory. LSTMs are not given to `BlockLSTMV2` either, which
 * takes twice as long as unrolled frames, which use both cores: see lstm.ts.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { withUndo } from "../../interruption.ts";
import { attributesFor, DT, type NativeBackend } from "./binding.ts";
import { isPlainLstm, lstm, type LstmCall, type LstmLayer } from "./lstm.ts";

/** Which patches are in force. */
export interface Patches {
  /** Gradient of ReLU as `ReluGrad`. */
  readonly relu: boolean;
  /** Matrix products as `MatMul`, not as a batch of one. */
  readonly matMul: boolean;
  /** Batch normalisation as `FusedBatchNormV3`. */
  readonly batchNorm: boolean;
  /** LSTMs with the products that do not recur over all frames at once. */
  readonly lstm: boolean;
  /** Penalties L1 and L2 with their gradient in one product. */
  readonly penalty: boolean;
  /** Gradient of `tile` as one sum; tf.js adds slice by slice, another number of them for each batch size. */
  readonly tile: boolean;
  /** Cross-entropy as `SoftmaxCrossEntropyWithLogits`. */
  readonly crossEntropy: boolean;
  /** The optimiser's update as one operation a weight. */
  readonly optimizer: boolean;
}

/** All patches. */
export const ALL_PATCHES: Patches = {
  relu: true,
  matMul: true,
  batchNorm: true,
  lstm: true,
  penalty: true,
  tile: true,
  crossEntropy: true,
  optimizer: true,
};

/** No patch: the graph does what tf.js does. */
export const NO_PATCHES: Patches = {
  relu: false,
  matMul: false,
  batchNorm: false,
  lstm: false,
  penalty: false,
  tile: false,
  crossEntropy: false,
  optimizer: false,
};

type Kernel = tf.KernelConfig["kernelFunc"];
type Gradient = tf.GradConfig;

/** The parts of tf.js's layers that are not in its public types. */
interface Patchable {
  readonly layers?: readonly Patchable[];
  readonly layer?: Patchable;
  readonly forwardLayer?: Patchable;
  readonly backwardLayer?: Patchable;
  getClassName(): string;
}

interface LayerVariable {
  read(): tf.Variable;
  write(value: tf.Tensor): void;
}

interface BatchNormalization extends Patchable {
  readonly axis: number;
  readonly epsilon: number;
  readonly momentum: number;
  readonly center: boolean;
  readonly scale: boolean;
  readonly gamma: LayerVariable;
  readonly beta: LayerVariable;
  readonly movingMean: LayerVariable;
  readonly movingVariance: LayerVariable;
  call?: unknown;
}

/** `L1L2`; every layer that was given a plain `l2` has one too. */
interface Penalty {
  readonly l1: number;
  readonly l2: number;
  apply?: unknown;
}

/** Runs `f` with the patches in force; whatever happens, nothing of them is left afterwards. */
export function withPatches<T>(backend: NativeBackend, model: tf.LayersModel, patches: Patches, f: () => T): T {
  const patcher = new Patcher(backend);
  return withUndo(() => patcher.undo(), () => {
    if (patches.relu) patcher.relu();
    if (patches.matMul) patcher.matMul();
    if (patches.tile) patcher.tile();
    const layers = allLayers(model as unknown as Patchable);
    if (patches.batchNorm && !backend.binding.isUsingGpuDevice()) {
      for (const layer of layers) {
        if (layer.getClassName() === "BatchNormalization") patcher.batchNorm(layer as BatchNormalization);
      }
    }
    for (const layer of layers) {
      if (patches.penalty) patcher.penalties(layer);
      if (patches.lstm && layer.getClassName() === "LSTM") patcher.lstm(layer as unknown as LstmLayer);
    }
    return f();
  });
}

function allLayers(layer: Patchable): Patchable[] {
  const inner = [layer.layer, layer.forwardLayer, layer.backwardLayer, ...layer.layers ?? []];
  return [layer, ...inner.flatMap((one) => one ? allLayers(one) : [])];
}

/** Cross-entropy of each row by TensorFlow's fused operation. */
export function fusedCrossEntropy(backend: NativeBackend, logits: tf.Tensor2D, y: tf.Tensor2D): tf.Tensor1D {
  const rowLosses = tf.customGrad((x, save) => {
    const attributes = [attributesFor(backend.binding).type("T", DT.FLOAT)];
    const inputs = [x as tf.Tensor, y];
    const [losses, gradient] = backend.executeMultipleOutputs(
      "SoftmaxCrossEntropyWithLogits",
      attributes,
      inputs,
      2,
    );
    (save as tf.GradSaveFunc)([gradient!]);
    return {
      value: losses!,
      gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => tf.mul(tf.expandDims(dy, -1), saved!),
    };
  });
  return rowLosses(logits) as tf.Tensor1D;
}

class Patcher {
  readonly #undo: (() => void)[] = [];
  readonly #backend: NativeBackend;

  constructor(backend: NativeBackend) {
    this.#backend = backend;
  }

  undo(): void {
    for (const put of this.#undo.splice(0).reverse()) put();
  }

  /** Attributes are made when used: while tracing the binding is another one. */
  get #attributes(): ReturnType<typeof attributesFor> {
    return attributesFor(this.#backend.binding);
  }

  #gradient(kernelName: string, make: (before: Gradient) => Omit<Gradient, "kernelName">): void {
    const before = tf.getGradient(kernelName);
    tf.unregisterGradient(kernelName);
    tf.registerGradient({ kernelName, ...make(before) });
    this.#undo.push(() => {
      tf.unregisterGradient(kernelName);
      tf.registerGradient(before);
    });
  }

  #kernel(kernelName: string, make: (before: Kernel) => Kernel): void {
    const before = tf.getKernel(kernelName, "tensorflow")!;
    tf.unregisterKernel(kernelName, "tensorflow");
    tf.registerKernel({ ...before, kernelFunc: make(before.kernelFunc) });
    this.#undo.push(() => {
      tf.unregisterKernel(kernelName, "tensorflow");
      tf.registerKernel(before);
    });
  }

  #run(op: string, attributes: Parameters<NativeBackend["executeSingleOutput"]>[1], inputs: tf.Tensor[]): tf.Tensor {
    return this.#backend.executeSingleOutput(op, attributes, inputs);
  }

  relu(): void {
    this.#gradient("Relu", () => ({
      outputsToSave: [true],
      gradFunc: (dy, [y]) => ({
        x: () => this.#run("ReluGrad", [this.#attributes.type("T", DT.FLOAT)], [dy as tf.Tensor, y!]),
      }),
    }));
  }

  matMul(): void {
    this.#kernel("BatchMatMul", (before) => (args) => {
      const { a, b } = args.inputs as { a: tf.Tensor; b: tf.Tensor };
      const { transposeA, transposeB } = args.attrs as unknown as { transposeA: boolean; transposeB: boolean };
      const isPlain = (x: tf.Tensor): boolean =>
        x.dtype === "float32" && (x.shape.length === 2 || (x.shape.length === 3 && x.shape[0] === 1));
      if (!isPlain(a) || !isPlain(b) || a.shape.length !== b.shape.length) return before(args);
      return tf.tidy(() => {
        const { type, bool } = this.#attributes;
        const attributes = [
          type("T", DT.FLOAT),
          bool("transpose_a", Boolean(transposeA)),
          bool("transpose_b", Boolean(transposeB)),
        ];
        const flat = [a, b].map((x) => x.shape.length === 2 ? x : tf.reshape(x, x.shape.slice(1)));
        const product = this.#run("MatMul", attributes, flat);
        return a.shape.length === 2 ? product : tf.reshape(product, [1, ...product.shape]);
      });
    });
  }

  tile(): void {
    this.#gradient("Tile", () => ({
      inputsToSave: ["x"],
      gradFunc: (dy, [x], attrs) => ({
        x: () => {
          const { reps } = attrs as unknown as { reps: number[] };
          const apart = tf.reshape(dy as tf.Tensor, x!.shape.flatMap((size, i) => [reps[i]!, size]));
          return tf.sum(apart, reps.map((_, i) => 2 * i));
        },
      }),
    }));
  }

  batchNorm(layer: BatchNormalization): void {
    const before = layer.call as (x: tf.Tensor | tf.Tensor[], kwargs?: { training?: boolean }) => tf.Tensor;
    layer.call = (inputs: tf.Tensor | tf.Tensor[], kwargs?: { training?: boolean }): tf.Tensor => {
      const x = Array.isArray(inputs) ? inputs[0]! : inputs;
      const axis = layer.axis < 0 ? layer.axis + x.rank : layer.axis;
      if (!kwargs?.training || axis !== x.rank - 1 || !layer.scale || !layer.center) {
        return before.call(layer, inputs, kwargs);
      }
      return tf.tidy(() => {
        const channels = x.shape[axis]!;
        const flat = tf.reshape(x, [x.size / channels, 1, 1, channels]);
        const { y, mean, variance } = this.#normalize(flat, layer);
        const move = (average: LayerVariable, value: tf.Tensor): void => {
          const current = average.read();
          average.write(tf.sub(current, tf.mul(tf.sub(current, value), 1 - layer.momentum)));
        };
        move(layer.movingMean, mean);
        move(layer.movingVariance, variance);
        return tf.reshape(y, x.shape);
      });
    };
    this.#undo.push(() => delete layer.call); // uncovers the class's own method
  }

  #normalize(x: tf.Tensor, layer: BatchNormalization): { y: tf.Tensor; mean: tf.Tensor; variance: tf.Tensor } {
    const { type, float, string, bool } = this.#attributes;
    const shared = [
      type("T", DT.FLOAT),
      type("U", DT.FLOAT),
      float("epsilon", layer.epsilon),
      string("data_format", "NHWC"),
      bool("is_training", true),
    ];
    let statistics: tf.Tensor[] = [];
    const normalized = tf.customGrad((x, gamma, beta, save) => {
      const inputs = [x, gamma, beta] as tf.Tensor[], none = tf.tensor1d([]);
      const attributes = [...shared, float("exponential_avg_factor", 1)];
      const outputs = this.#backend.executeMultipleOutputs("FusedBatchNormV3", attributes, [...inputs, none, none], 6);
      // On a CPU outputs 3 and 4 are the batch's mean and its variance over n, as Keras's moving averages want them.
      const [y, , , mean, variance, third] = outputs as [
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
        tf.Tensor,
      ];
      statistics = [tf.keep(tf.clone(mean)), tf.keep(tf.clone(variance))];
      (save as tf.GradSaveFunc)([inputs[0]!, inputs[1]!, mean, variance, third]);
      return {
        value: y,
        gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) =>
          this.#backend.executeMultipleOutputs("FusedBatchNormGradV3", shared, [dy, ...saved], 5).slice(0, 3),
      };
    });
    const y = normalized(x, layer.gamma.read(), layer.beta.read());
    const [mean, variance] = statistics.map((kept) => tf.clone(kept)); // these end with the scope
    tf.dispose(statistics);
    return { y, mean: mean!, variance: variance! };
  }

  lstm(layer: LstmLayer): void {
    const before = layer.call as (x: tf.Tensor | tf.Tensor[], kwargs?: LstmCall) => tf.Tensor | tf.Tensor[];
    layer.call = (inputs: tf.Tensor | tf.Tensor[], kwargs?: LstmCall): tf.Tensor | tf.Tensor[] => {
      const x = Array.isArray(inputs) ? inputs[0]! : inputs;
      const plain = isPlainLstm(layer, kwargs) && (!Array.isArray(inputs) || inputs.length === 1);
      return plain ? tf.tidy(() => lstm(this.#backend, layer, x)) : before.call(layer, inputs, kwargs);
    };
    this.#undo.push(() => delete layer.call); // uncovers the class's own method
  }

  penalties(layer: Patchable): void {
    for (const value of Object.values(layer)) {
      if (!value || typeof value !== "object" || !("hasL1" in value) || !("hasL2" in value)) continue;
      const penalty = value as Penalty;
      if (Object.hasOwn(penalty, "apply")) continue;
      penalty.apply = (w: tf.Tensor): tf.Scalar => penaltyOf(penalty, w);
      this.#undo.push(() => delete penalty.apply); // uncovers the class's own method
    }
  }
}

/** l1·Σ|w| + l2·Σw² with its gradient in closed form. */
function penaltyOf({ l1, l2 }: Penalty, weights: tf.Tensor): tf.Scalar {
  const total = tf.customGrad((w, save) => {
    const x = w as tf.Tensor;
    (save as tf.GradSaveFunc)([x]);
    const terms: tf.Tensor[] = [];
    if (l1 !== 0) terms.push(tf.mul(tf.sum(tf.abs(x)), l1));
    if (l2 !== 0) terms.push(tf.mul(tf.sum(tf.square(x)), l2));
    const value = terms.length === 0 ? tf.scalar(0) : terms.reduce((a, b) => tf.add(a, b));
    return {
      value,
      gradFunc: (dy: tf.Tensor, [saved]: tf.Tensor[]) => {
        const slopes: tf.Tensor[] = [];
        if (l1 !== 0) slopes.push(tf.mul(tf.sign(saved!), tf.mul(dy, l1)));
        if (l2 !== 0) slopes.push(tf.mul(saved!, tf.mul(dy, 2 * l2)));
        return slopes.length === 0 ? tf.zerosLike(saved!) : slopes.reduce((a, b) => tf.add(a, b));
      },
    };
  });
  return total(weights) as tf.Scalar;
}
