/**
 * The rows of the training bench: the studies' models, their batches and what is to be reached.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import type { OptimizerSpec } from "../../lib/engine/optimizers.ts";
import {
  cnnLstm,
  glorot,
  study000Cnn,
  study001Vgg16,
  study002Conv1d,
  study003Conv1d,
  study003Conv2d,
  study004Mlp,
} from "../../lib/models/mod.ts";

/** One model of the bench. */
export interface BenchModel {
  /** Builds it with its initial weights. */
  readonly make: () => tf.LayersModel;
  /** Rows of a batch. */
  readonly batch: number;
  /** Shape of an example. */
  readonly shape: readonly number[];
  /** Number of classes. */
  readonly classes: number;
  /** The optimiser. */
  readonly optimizer: OptimizerSpec;
}

const ADAM = { kind: "adam", learningRate: 1e-3 } as const;

/** Three convolutions (32, 64, 128) on 128×128: the two-dimensional CNN of ENGINE's table, with dropout. */
function cnn2d(): tf.LayersModel {
  const init = (name: string) => ({ name, kernelInitializer: glorot(1, name) });
  const convolutions = [32, 64, 128].flatMap((filters, i) => [
    tf.layers.conv2d({
      ...init(`conv${i + 1}`),
      ...(i === 0 ? { inputShape: [128, 128, 1] } : {}),
      filters,
      kernelSize: 3,
      activation: "relu",
    }),
    tf.layers.maxPooling2d({ name: `pool${i + 1}`, poolSize: 2 }),
  ]);
  return tf.sequential({
    name: "cnn2d",
    layers: [
      ...convolutions,
      tf.layers.flatten({ name: "flatten" }),
      tf.layers.dense({ ...init("hidden"), units: 128, activation: "relu" }),
      tf.layers.dropout({ name: "dropout", rate: 0.5 }),
      tf.layers.dense({ ...init("output"), units: 8, activation: "softmax" }),
    ],
  });
}

/** The models by the names that training_keras.py has for them. */
export const MODELS: Readonly<Record<string, BenchModel>> = {
  study000: {
    make: () => study000Cnn({ classes: 8, seed: 1, dropout: 0.5, penalty: { l2: 0.01 } }),
    batch: 32,
    shape: [64, 64, 1],
    classes: 8,
    optimizer: ADAM,
  },
  study000_vanilla: {
    make: () => study000Cnn({ classes: 8, seed: 1 }),
    batch: 32,
    shape: [64, 64, 1],
    classes: 8,
    optimizer: { kind: "rmsprop", learningRate: 1e-3 },
  },
  cnn2d: { make: cnn2d, batch: 32, shape: [128, 128, 1], classes: 8, optimizer: ADAM },
  cnn_lstm: {
    make: () => cnnLstm({ classes: 8, seed: 1, frames: 128, values: 64, dropout: 0.2 }),
    batch: 32,
    shape: [128, 64],
    classes: 8,
    optimizer: ADAM,
  },
  study001_vgg16: {
    make: () => study001Vgg16({ classes: 8, seed: 1 }),
    batch: 50,
    shape: [50, 300, 3],
    classes: 8,
    optimizer: ADAM,
  },
  study002: {
    make: () => study002Conv1d({ classes: 7, seed: 1 }),
    batch: 64,
    shape: [2376, 1],
    classes: 7,
    optimizer: ADAM,
  },
  study003_1d: {
    make: () => study003Conv1d({ classes: 6, seed: 1 }),
    batch: 120,
    shape: [314, 1],
    classes: 6,
    optimizer: { kind: "adam", learningRate: 2.5e-3 },
  },
  study003_2d: {
    make: () => study003Conv2d({ classes: 6, seed: 1 }),
    batch: 1024,
    shape: [128, 157, 1],
    classes: 6,
    optimizer: ADAM,
  },
  study004: {
    make: () => study004Mlp({ classes: 4, seed: 1 }),
    batch: 256,
    shape: [180],
    classes: 4,
    optimizer: ADAM,
  },
};
