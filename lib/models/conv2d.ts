/**
 * The two-dimensional convolutional networks of studies 001 and 003.
 *
 * Browser-safe.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { glorot, penalised } from "./cnn.ts";

/** Choices of the networks of this module. */
export interface Conv2dOptions {
  /** Number of classes. */
  readonly classes: number;
  /** Seed of the initial weights. */
  readonly seed: number;
}

/**
 * The CNN of study 001 on pictures: two small convolutions with maximum pooling, a hidden layer of 50, L2 of 0.01.
 *
 * Input `[n, 50, 300, 3]` (rows, columns, RGB in [0, 1]); 201,943 parameters with eight classes. Source: the study's
 * notebook (STUDIES.md, seed 001).
 */
export function study001Cnn(options: Conv2dOptions): tf.LayersModel {
  return pictureCnn("study001-cnn", options, [10, 5], (i) => tf.layers.maxPooling2d({ name: `pool${i}`, poolSize: 2 }));
}

/**
 * The CNN of study 001 for augmented pictures: three convolutions with average pooling.
 *
 * Input `[n, 50, 300, 3]`; 37,103 parameters with eight classes. Source: the study's notebook (STUDIES.md, seed 001).
 */
export function study001AugmentedCnn(options: Conv2dOptions): tf.LayersModel {
  return pictureCnn(
    "study001-cnn-augmented",
    options,
    [10, 10, 5],
    (i) => tf.layers.averagePooling2d({ name: `pool${i}`, poolSize: 2 }),
  );
}

function pictureCnn(
  name: string,
  { classes, seed }: Conv2dOptions,
  filters: readonly number[],
  pool: (i: number) => tf.layers.Layer,
): tf.LayersModel {
  const init = (layer: string) => ({ name: layer, kernelInitializer: glorot(seed, layer) });
  const relu = { activation: "relu" as const, ...penalised({ l2: 0.01 }) };
  return tf.sequential({
    name,
    layers: [
      ...filters.flatMap((count, i) => [
        tf.layers.conv2d({
          ...init(`conv${i + 1}`),
          ...relu,
          ...(i === 0 ? { inputShape: [50, 300, 3] } : {}),
          filters: count,
          kernelSize: 3,
        }),
        pool(i + 1),
      ]),
      tf.layers.flatten({ name: "flatten" }),
      tf.layers.dense({ ...init("hidden"), ...relu, units: 50 }),
      tf.layers.dropout({ name: "dropout", rate: 0.2 }),
      tf.layers.dense({ ...init("output"), units: classes, activation: "softmax" }),
    ],
  });
}

/** The convolutions of study 003: filters, kernel size, L2 (the first three are valid, the others same). */
const STUDY_003 = [[16, 3, 0], [32, 3, 0], [64, 3, 0], [64, 5, 0.05], [128, 5, 0.05], [128, 7, 0.05]] as const;

/**
 * The two-dimensional network of study 003, on mel spectrograms: six convolutions, each pooled by 2, hidden layers of
 * 128 and 64.
 *
 * Input `[n, 128, 157, 1]` (mel bands, frames; dB); 1,175,174 parameters with six classes. Source: the study's notebook
 * (STUDIES.md, seed 003).
 */
export function study003Conv2d({ classes, seed }: Conv2dOptions): tf.LayersModel {
  const init = (name: string) => ({ name, kernelInitializer: glorot(seed, name), activation: "relu" as const });
  const { conv2d, maxPooling2d, flatten, dense } = tf.layers;
  return tf.sequential({
    name: "study003-conv2d",
    layers: [
      ...STUDY_003.flatMap(([filters, kernelSize, l2], i) => [
        conv2d({
          ...init(`conv${i + 1}`),
          ...penalised({ l2 }),
          ...(i === 0 ? { inputShape: [128, 157, 1] } : {}),
          filters,
          kernelSize,
          padding: i < 3 ? "valid" : "same",
        }),
        maxPooling2d({ name: `pool${i + 1}`, poolSize: 2 }),
      ]),
      flatten({ name: "flatten" }),
      dense({ ...init("hidden1"), ...penalised({ l2: 0.1 }), units: 128 }),
      dense({ ...init("hidden2"), ...penalised({ l2: 0.01 }), units: 64 }),
      dense({ ...init("output"), units: classes, activation: "softmax" }),
    ],
  });
}
