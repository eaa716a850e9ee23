/**
 * The one-dimensional convolutional networks of studies 002 and 003.
 *
 * Browser-safe.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { glorot, penalised } from "./cnn.ts";

/** Choices of {@linkcode study002Conv1d} and {@linkcode study003Conv1d}. */
export interface Conv1dOptions {
  /** Number of classes. */
  readonly classes: number;
  /** Seed of the initial weights. */
  readonly seed: number;
}

/** The blocks of study 002: filters, kernel size, pool size, dropout after it. */
const STUDY_002 = [[512, 5, 5, 0], [512, 5, 5, 0.2], [256, 5, 5, 0], [256, 3, 5, 0.2], [128, 3, 3, 0.2]] as const;

/**
 * The network of study 002: five blocks of convolution, batch normalisation and pooling by 2, a hidden layer of 512.
 *
 * Input `[n, 2376, 1]`; 7,193,223 parameters with seven classes. Source: the study's notebook (STUDIES.md, seed 002).
 */
export function study002Conv1d({ classes, seed }: Conv1dOptions): tf.LayersModel {
  const init = (name: string) => ({ name, kernelInitializer: glorot(seed, name) });
  const { conv1d, batchNormalization, maxPooling1d, dropout, flatten, dense } = tf.layers;
  const blocks = STUDY_002.flatMap(([filters, kernelSize, poolSize, rate], i) => [
    conv1d({
      ...init(`conv${i + 1}`),
      ...(i === 0 ? { inputShape: [2376, 1] } : {}),
      filters,
      kernelSize,
      padding: "same",
      activation: "relu",
    }),
    batchNormalization({ name: `norm${i + 1}` }),
    maxPooling1d({ name: `pool${i + 1}`, poolSize, strides: 2, padding: "same" }),
    ...(rate > 0 ? [dropout({ name: `dropout${i + 1}`, rate })] : []),
  ]);
  return tf.sequential({
    name: "study002-conv1d",
    layers: [
      ...blocks,
      flatten({ name: "flatten" }),
      dense({ ...init("hidden"), units: 512, activation: "relu" }),
      batchNormalization({ name: "norm6" }),
      dense({ ...init("output"), units: classes, activation: "softmax" }),
    ],
  });
}

/** The convolutions of study 003: filters, kernel size, whether pooled by 2. */
const STUDY_003 = [[16, 3, true], [32, 3, false], [32, 5, false], [64, 7, true]] as const;

/**
 * The one-dimensional network of study 003, on zero-crossing rate and energy: four valid convolutions with L2 of 0.1,
 * hidden layers of 64 and 32.
 *
 * Input `[n, 314, 1]`; 318,438 parameters with six classes. Source: the study's notebook (STUDIES.md, seed 003).
 */
export function study003Conv1d({ classes, seed }: Conv1dOptions): tf.LayersModel {
  const init = (name: string) => ({ name, kernelInitializer: glorot(seed, name), activation: "relu" as const });
  const { conv1d, maxPooling1d, flatten, dense } = tf.layers;
  const blocks = STUDY_003.flatMap(([filters, kernelSize, pooled], i) => [
    conv1d({
      ...init(`conv${i + 1}`),
      ...penalised({ l2: 0.1 }),
      ...(i === 0 ? { inputShape: [314, 1] } : {}),
      filters,
      kernelSize,
    }),
    ...(pooled ? [maxPooling1d({ name: `pool${i + 1}`, poolSize: 2 })] : []),
  ]);
  return tf.sequential({
    name: "study003-conv1d",
    layers: [
      ...blocks,
      flatten({ name: "flatten" }),
      dense({ ...init("hidden1"), ...penalised({ l2: 0.003 }), units: 64 }),
      dense({ ...init("hidden2"), ...penalised({ l2: 0.001 }), units: 32 }),
      dense({ ...init("output"), units: classes, activation: "softmax" }),
    ],
  });
}
