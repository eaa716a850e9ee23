/**
 * The perceptron of study 004.
 *
 * Browser-safe.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { RandomState } from "../random.ts";
import { penalised } from "./cnn.ts";

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

/** Draws a layer after the other: kernel `[inputs, units]`, bias `[units]`. */
function drawWeights(rng: RandomState, sizes: readonly number[]): Float32Array[] {
  return sizes.slice(1).flatMap((units, i) => {
    const fanIn = sizes[i]!, bound = Math.sqrt(6 / (fanIn + units));
    const draw = (count: number) => Float32Array.from({ length: count }, () => rng.uniform(-bound, bound));
    return [draw(fanIn * units), draw(units)];
  });
}

/**
 * The order of rows in every epoch as scikit-learn's `MLPClassifier(random_state=seed)` draws it: one generator gives the
 * initial weights and then shuffles the rows, each epoch from the last one's order. An epoch's order can be asked for in
 * any sequence.
 *
 * Source: scikit-learn 1.3, `_multilayer_perceptron.py`, `_init_coef` and `_fit_stochastic`.
 *
 * @param seed Seed, an integer from 0 to 2³² − 1.
 * @param sizes Inputs, units of the hidden layers, outputs.
 */
export function mlpClassifierOrder(seed: number, sizes: readonly number[]): (epoch: number, n: number) => Int32Array {
  let rng = new RandomState(seed), current = new Int32Array(0), next = -1;
  const start = (n: number): void => {
    rng = new RandomState(seed);
    drawWeights(rng, sizes);
    current = Int32Array.from({ length: n }, (_, i) => i);
    next = 0;
  };
  return (epoch, n) => {
    if (next < 0 || epoch < next || current.length !== n) start(n);
    for (; next <= epoch; next++) {
      const before = current;
      current = Int32Array.from(rng.permutation(n), (i) => before[i]!);
    }
    return current;
  };
}

/**
 * The perceptron of study 004, as scikit-learn's `MLPClassifier(random_state=seed)` starts and penalises it: weights and
 * biases uniform in ±√(6 / (inputs + outputs)), from the same generator in the same order, and alpha / (2 · rows of a
 * batch) · Σw².
 *
 * Input `[n, 180]`; 55,504 parameters with four classes. Source: the study's pickled model (STUDIES.md, seed 004) and
 * scikit-learn 1.3, `neural_network/_multilayer_perceptron.py`.
 */
export function study004Mlp(
  { classes, seed, inputs = 180, hidden = 300, alpha = 0.01, batchSize = 256 }: MlpOptions,
): tf.LayersModel {
  const layer = (name: string, units: number) => ({
    name,
    units,
    kernelInitializer: "zeros" as const,
    ...penalised({ l2: alpha / (2 * batchSize) }),
  });
  const model = tf.sequential({
    name: "study004-mlp",
    layers: [
      tf.layers.dense({ ...layer("hidden", hidden), inputShape: [inputs], activation: "relu" }),
      tf.layers.dense({ ...layer("output", classes), activation: "softmax" }),
    ],
  });
  const weights = drawWeights(new RandomState(seed), [inputs, hidden, classes]);
  tf.tidy(() => model.setWeights(model.getWeights().map((old, i) => tf.tensor(weights[i]!, old.shape))));
  return model;
}
