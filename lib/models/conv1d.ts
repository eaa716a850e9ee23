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

/** Choices of {@linkcode study002Conv1d}; the defaults are the study's. */
export interface Study002Options extends Conv1dOptions {
  /** What every width is divided by; default 1. */
  readonly widthDivisor?: number;
  /** Dropout where the study has 0.2; default that. */
  readonly dropout?: number;
}

/** Choices of {@linkcode study003Conv1d}; the defaults are the study's. */
export interface Study003Conv1dOptions extends Conv1dOptions {
  /** L2 of the convolutions; default 0.1. */
  readonly l2?: number;
  /** Units of the first hidden layer; default 64. */
  readonly hidden?: number;
  /** Dropout before the hidden layers; default 0. */
  readonly dropout?: number;
}

/** The blocks of study 002: filters, kernel size, pool size, whether dropout follows. */
const STUDY_002 = [[512, 5, 5, false], [512, 5, 5, true], [256, 5, 5, false], [256, 3, 5, true], [
  128,
  3,
  3,
  true,
]] as const;

/**
 * The network of study 002: five blocks of convolution, batch normalisation and pooling by 2, a hidden layer of 512.
 *
 * Input `[n, 2376, 1]`; 7,193,223 parameters with seven classes. Source: the study's notebook (STUDIES.md, seed 002).
 */
export function study002Conv1d(
  { classes, seed, widthDivisor = 1, dropout = 0.2 }: Study002Options,
): tf.LayersModel {
  const init = (name: string) => ({ name, kernelInitializer: glorot(seed, name) });
  const { conv1d, batchNormalization, maxPooling1d, flatten, dense } = tf.layers;
  const blocks = STUDY_002.flatMap(([filters, kernelSize, poolSize, dropped], i) => [
    conv1d({
      ...init(`conv${i + 1}`),
      ...(i === 0 ? { inputShape: [2376, 1] } : {}),
      filters: filters / widthDivisor,
      kernelSize,
      padding: "same",
      activation: "relu",
    }),
    batchNormalization({ name: `norm${i + 1}` }),
    maxPooling1d({ name: `pool${i + 1}`, poolSize, strides: 2, padding: "same" }),
    ...(dropped && dropout > 0 ? [tf.layers.dropout({ name: `dropout${i + 1}`, rate: dropout })] : []),
  ]);
  return tf.sequential({
    name: "study002-conv1d",
    layers: [
      ...blocks,
      flatten({ name: "flatten" }),
      dense({ ...init("hidden"), units: 512 / widthDivisor, activation: "relu" }),
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
export function study003Conv1d(
  { classes, seed, l2 = 0.1, hidden = 64, dropout = 0 }: Study003Conv1dOptions,
): tf.LayersModel {
  const init = (name: string) => ({ name, kernelInitializer: glorot(seed, name), activation: "relu" as const });
  const { conv1d, maxPooling1d, flatten, dense } = tf.layers;
  const blocks = STUDY_003.flatMap(([filters, kernelSize, pooled], i) => [
    conv1d({
      ...init(`conv${i + 1}`),
      ...penalised({ l2 }),
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
      ...(dropout > 0 ? [tf.layers.dropout({ name: "dropout", rate: dropout })] : []),
      dense({ ...init("hidden1"), ...penalised({ l2: 0.003 }), units: hidden }),
      dense({ ...init("hidden2"), ...penalised({ l2: 0.001 }), units: 32 }),
      dense({ ...init("output"), units: classes, activation: "softmax" }),
    ],
  });
}
