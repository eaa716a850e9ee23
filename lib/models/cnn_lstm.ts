/**
 * A convolution over time with an LSTM on it: what study 002 names as its future work.
 *
 * Browser-safe.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { stream } from "../random.ts";
import { glorot } from "./cnn.ts";

/** Choices of {@linkcode cnnLstm}. */
export interface CnnLstmOptions {
  /** Number of classes. */
  readonly classes: number;
  /** Seed of the initial weights. */
  readonly seed: number;
  /** Frames of an example; default 108 (study 002). */
  readonly frames?: number;
  /** Values of a frame; default 22 (study 002: zero-crossing rate, energy, 20 MFCCs). */
  readonly values?: number;
  /** Filters of the convolution; default 64. */
  readonly filters?: number;
  /** Units of the LSTM; default 128. */
  readonly units?: number;
  /** Dropout after the LSTM; default 0. */
  readonly dropout?: number;
}

/**
 * Convolution over 5 frames, pooling by 2, LSTM (Hochreiter & Schmidhuber 1997), softmax. The LSTM starts as Keras 3's:
 * orthogonal recurrent weights, forget biases of one, sigmoid gates.
 *
 * Input `[n, frames, values]`.
 */
export function cnnLstm(
  { classes, seed, frames = 108, values = 22, filters = 64, units = 128, dropout = 0 }: CnnLstmOptions,
): tf.LayersModel {
  const init = (name: string) => ({ name, kernelInitializer: glorot(seed, name) });
  const lstm = tf.layers.lstm({
    ...init("lstm"),
    units,
    recurrentActivation: "sigmoid",
    recurrentInitializer: "zeros", // set below: tf.js's orthogonal initialiser takes seconds
  });
  const model = tf.sequential({
    name: "cnn-lstm",
    layers: [
      tf.layers.conv1d({
        ...init("conv"),
        inputShape: [frames, values],
        filters,
        kernelSize: 5,
        padding: "same",
        activation: "relu",
      }),
      tf.layers.maxPooling1d({ name: "pool", poolSize: 2 }),
      lstm,
      ...(dropout > 0 ? [tf.layers.dropout({ name: "dropout", rate: dropout })] : []),
      tf.layers.dense({ ...init("output"), units: classes, activation: "softmax" }),
    ],
  });
  tf.tidy(() => {
    const [kernel, , bias] = lstm.getWeights();
    const recurrent = tf.tensor2d(orthogonalRows(units, 4 * units, seed), [units, 4 * units]);
    lstm.setWeights([kernel!, recurrent, bias!]);
  });
  return model;
}

/** `count` orthonormal rows of a length, from Gaussian ones by Gram and Schmidt's modified process. */
function orthogonalRows(count: number, length: number, seed: number): Float32Array {
  const rng = stream(seed, "init", "lstm", "recurrent");
  const basis: Float64Array[] = [];
  for (let i = 0; i < count; i++) {
    const row = Float64Array.from({ length }, () => rng.normal(0, 1));
    for (const other of basis) {
      const along = other.reduce((sum, v, k) => sum + v * row[k]!, 0);
      for (let k = 0; k < length; k++) row[k]! -= along * other[k]!;
    }
    const norm = Math.hypot(...row);
    basis.push(row.map((v) => v / norm));
  }
  return Float32Array.from(basis.flatMap((row) => [...row]));
}
