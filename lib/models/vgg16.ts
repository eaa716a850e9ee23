/**
 * VGG16 (Simonyan & Zisserman 2015) with the classifier that study 001 puts on it.
 *
 * Browser-safe.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { streamSeed } from "../random.ts";
import { glorot, penalised } from "./cnn.ts";

/** Choices of {@linkcode study001Vgg16}. */
export interface Vgg16Options {
  /** Number of classes. */
  readonly classes: number;
  /** Seed of the initial weights. */
  readonly seed: number;
  /** What every width of the base is divided by; default 1. */
  readonly widthDivisor?: number;
  /** What of the base is trained: its last convolution (as the study fine-tunes), its last two, or all; default the last. */
  readonly train?: "last-convolution" | "last-two-convolutions" | "all";
  /** Hidden layers: units and the dropout after each; default 256 with 0.2, then 100 with 0.5. */
  readonly hidden?: readonly { readonly units: number; readonly dropout: number }[];
}

/** The classifier of the study. */
const HIDDEN = [{ units: 256, dropout: 0.2 }, { units: 100, dropout: 0.5 }] as const;

/** The blocks of the base: number of convolutions and their width. */
const BLOCKS = [[2, 64], [2, 128], [3, 256], [3, 512], [3, 512]] as const;

/**
 * VGG16 as study 001 fine-tunes it: the base frozen but for `block5_conv3`, hidden layers of 256 and 100 with L2 of 0.01
 * and dropout of 0.2 and 0.5. The base's layers have Keras's names, so that its weight files can be read by name; until
 * then its weights are He's (2015).
 *
 * Input `[n, 50, 300, 3]` (rows, columns, RGB in [0, 1]); 15,921,100 parameters with eight classes, of which 3,566,220
 * are trained. Source: the study's notebook (STUDIES.md, seed 001).
 */
export function study001Vgg16(
  { classes, seed, widthDivisor = 1, train = "last-convolution", hidden = HIDDEN }: Vgg16Options,
): tf.LayersModel {
  const init = (name: string) => ({ name, kernelInitializer: glorot(seed, name) });
  const relu = { activation: "relu" as const, ...penalised({ l2: 0.01 }) };
  const base = BLOCKS.flatMap(([count, width], block) => [
    ...Array.from({ length: count }, (_, i) => {
      const name = `block${block + 1}_conv${i + 1}`;
      return tf.layers.conv2d({
        name,
        kernelInitializer: tf.initializers.heNormal({ seed: streamSeed(seed, "init", name) }),
        ...(block === 0 && i === 0 ? { inputShape: [50, 300, 3] } : {}),
        filters: width / widthDivisor,
        kernelSize: 3,
        padding: "same",
        activation: "relu",
        trainable: train === "all" || name === "block5_conv3" ||
          (train === "last-two-convolutions" && name === "block5_conv2"),
      });
    }),
    tf.layers.maxPooling2d({ name: `block${block + 1}_pool`, poolSize: 2 }),
  ]);
  return tf.sequential({
    name: widthDivisor === 1 ? "study001-vgg16" : `study001-vgg16-over-${widthDivisor}`,
    layers: [
      ...base,
      tf.layers.flatten({ name: "flatten" }),
      ...hidden.flatMap(({ units, dropout }, i) => [
        tf.layers.dense({ ...init(`hidden${i + 1}`), ...relu, units }),
        ...(dropout > 0 ? [tf.layers.dropout({ name: `dropout${i + 1}`, rate: dropout })] : []),
      ]),
      tf.layers.dense({ ...init("output"), units: classes, activation: "softmax" }),
    ],
  });
}
