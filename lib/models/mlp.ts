/**
 * The perceptron of study 004.
 *
 * Browser-safe.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { streamSeed } from "../random.ts";
import { glorot, penalised } from "./cnn.ts";

/** Choices of {@linkcode study004Mlp}. */
export interface MlpOptions {
  /** Number of classes. */
  readonly classes: number;
  /** Seed of the initial weights. */
  readonly seed: number;
  /** Number of inputs; default 180. */
  readonly inputs?: number;
  /** Units of the hidden layer; default 300. */
  readonly hidden?: number;
  /** scikit-learn's `alpha`; default 0.01. */
  readonly alpha?: number;
  /** Rows of a batch, by which scikit-learn divides `alpha`; default 256. */
  readonly batchSize?: number;
}

/**
 * The perceptron of study 004, as scikit-learn's `MLPClassifier` starts and penalises it: weights and biases uniform in
 * ±√(6 / (inputs + outputs)) and alpha / (2 · rows of a batch) · Σw².
 *
 * Input `[n, 180]`; 55,504 parameters with four classes. Source: the study's pickled model (STUDIES.md, seed 004) and
 * scikit-learn 1.3, `neural_network/_multilayer_perceptron.py`.
 */
export function study004Mlp(
  { classes, seed, inputs = 180, hidden = 300, alpha = 0.01, batchSize = 256 }: MlpOptions,
): tf.LayersModel {
  const layer = (name: string, fanIn: number, units: number) => {
    const bound = Math.sqrt(6 / (fanIn + units));
    return {
      name,
      units,
      kernelInitializer: glorot(seed, name),
      biasInitializer: tf.initializers.randomUniform({
        minval: -bound,
        maxval: bound,
        seed: streamSeed(seed, "init", name, "bias"),
      }),
      ...penalised({ l2: alpha / (2 * batchSize) }),
    };
  };
  return tf.sequential({
    name: "study004-mlp",
    layers: [
      tf.layers.dense({ ...layer("hidden", inputs, hidden), inputShape: [inputs], activation: "relu" }),
      tf.layers.dense({ ...layer("output", hidden, classes), activation: "softmax" }),
    ],
  });
}
