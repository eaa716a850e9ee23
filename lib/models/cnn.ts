/**
 * Study 000's convolutional network on 64×64 spectrograms, and the pieces other convolutional models share.
 *
 * Browser-safe.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { streamSeed } from "../random.ts";

/** A penalty on the weights of a layer: `l1` · Σ|w| + `l2` · Σw², as Keras's regularisers. */
export interface Penalty {
  /** Factor of Σ|w|; default 0. */
  readonly l1?: number;
  /** Factor of Σw²; default 0. */
  readonly l2?: number;
}

/** Keras's default initialiser of a layer's kernel, drawn from our seed and the layer's name. */
export function glorot(seed: number, layer: string): ReturnType<typeof tf.initializers.glorotUniform> {
  return tf.initializers.glorotUniform({ seed: streamSeed(seed, "init", layer) });
}

/** The `kernelRegularizer` entry of a layer's configuration; empty without a penalty. */
export function penalised(penalty: Penalty | undefined): {
  kernelRegularizer?: ReturnType<typeof tf.regularizers.l1l2>;
} {
  const { l1 = 0, l2 = 0 } = penalty ?? {};
  return l1 === 0 && l2 === 0 ? {} : { kernelRegularizer: tf.regularizers.l1l2({ l1, l2 }) };
}

/** Choices of {@linkcode study000Cnn}. */
export interface Study000Options {
  /** Number of classes. */
  readonly classes: number;
  /** Seed of the initial weights. */
  readonly seed: number;
  /** Penalty on both convolutions and the hidden layer; default none. */
  readonly penalty?: Penalty | undefined;
  /** Dropout after the hidden layer; default 0. */
  readonly dropout?: number | undefined;
}

/**
 * The network of study 000: two valid 3×3 convolutions (32, 64) with 2×2 max pooling, a hidden layer of 128, softmax.
 *
 * Input `[n, 64, 64, 1]`; 1,625,608 parameters with eight classes. Source: the study's notebook (STUDIES.md, seed 000).
 */
export function study000Cnn({ classes, seed, penalty, dropout = 0 }: Study000Options): tf.LayersModel {
  const init = (name: string) => ({ name, kernelInitializer: glorot(seed, name) });
  const { conv2d, maxPooling2d, flatten, dense } = tf.layers;
  const relu = { activation: "relu" as const, ...penalised(penalty) };
  return tf.sequential({
    name: "study000-cnn",
    layers: [
      conv2d({ ...init("conv1"), ...relu, inputShape: [64, 64, 1], filters: 32, kernelSize: 3 }),
      maxPooling2d({ name: "pool1", poolSize: 2 }),
      conv2d({ ...init("conv2"), ...relu, filters: 64, kernelSize: 3 }),
      maxPooling2d({ name: "pool2", poolSize: 2 }),
      flatten({ name: "flatten" }),
      dense({ ...init("hidden"), ...relu, units: 128 }),
      ...(dropout > 0 ? [tf.layers.dropout({ name: "dropout", rate: dropout })] : []),
      dense({ ...init("output"), units: classes, activation: "softmax" }),
    ],
  });
}
