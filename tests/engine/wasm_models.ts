/**
 * Trains every study's model on the wasm backend, and times a step against one whose filter gradient is written as the
 * plain sum; prints JSON.
 *
 * @module
 */

import process from "node:process";
import * as tf from "@tensorflow/tfjs";
import { startEngine } from "../../lib/engine/tf.ts";
import { createTrainer } from "../../lib/engine/mod.ts";
import {
  cnnLstm,
  study000Cnn,
  study001AugmentedCnn,
  study001Cnn,
  study001Vgg16,
  study002Conv1d,
  study003Conv1d,
  study003Conv2d,
  study004Mlp,
} from "../../lib/models/mod.ts";
import { RandomState } from "../../lib/random.ts";
import type { NdArray } from "../../lib/types.ts";
import { plainFilterGradient, useFilterGradient } from "./wasm_plain.ts";

await startEngine({ backend: "wasm" });

const models: readonly (() => tf.LayersModel)[] = [
  () => study000Cnn({ classes: 8, seed: 1 }),
  () => study000Cnn({ classes: 8, seed: 1, dropout: 0.5, penalty: { l2: 0.01 } }),
  () => study001Cnn({ classes: 8, seed: 1 }),
  () => study001AugmentedCnn({ classes: 8, seed: 1 }),
  () => study001Vgg16({ classes: 8, seed: 1, widthDivisor: 4 }),
  () => study002Conv1d({ classes: 7, seed: 1 }),
  () => study003Conv1d({ classes: 6, seed: 1 }),
  () => study003Conv2d({ classes: 6, seed: 1 }),
  () => study004Mlp({ classes: 4, seed: 1 }),
  () => cnnLstm({ classes: 7, seed: 1 }),
];

function batch(model: tf.LayersModel, n: number): { x: NdArray; y: Int32Array } {
  const shape = model.inputs[0]!.shape.slice(1) as number[];
  const rng = new RandomState(1), size = shape.reduce((a, b) => a * b, n);
  return {
    x: { data: Float32Array.from(rng.randn(size)), shape: [n, ...shape] },
    y: Int32Array.from({ length: n }, (_, i) => i % 4),
  };
}

const trained: { name: string; losses: number[] }[] = [];
for (const make of models) {
  const model = make(), { x, y } = batch(model, 2);
  const trainer = createTrainer(model, { optimizer: { kind: "sgd", learningRate: 1e-4 }, seed: 1 });
  const losses: number[] = [];
  const before = model.trainableWeights.map((w) => w.read().dataSync().slice());
  for (let i = 0; i < 2; i++) losses.push((await trainer.trainOnBatch(x, y)).loss);
  const moved = model.trainableWeights.every((w, i) => w.read().dataSync().some((v, k) => v !== before[i]![k]));
  if (!moved) losses.push(Number.NaN);
  trained.push({ name: model.name, losses });
  trainer.dispose();
}

async function stepMs(): Promise<number> {
  const model = models[0]!(), { x, y } = batch(model, 8);
  const trainer = createTrainer(model, { optimizer: { kind: "sgd", learningRate: 1e-4 }, seed: 1 });
  let best = Infinity;
  for (let i = 0; i < 5; i++) {
    const before = process.cpuUsage(); // the processor's time: a busy machine takes longer by the clock
    await trainer.trainOnBatch(x, y);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}

const ourFilterGradient = tf.getKernel("Conv2DBackpropFilter", "wasm").kernelFunc;
let ours = Infinity, plain = 0;
// Neighbours on the same machine can slow one of the two: measured again, in turn, before it counts as slow.
for (let round = 0; round < 3 && plain / ours < 5; round++) {
  useFilterGradient(ourFilterGradient);
  ours = await stepMs();
  useFilterGradient(plainFilterGradient);
  plain = await stepMs();
}
console.log(JSON.stringify({ trained, ours, plain }));
