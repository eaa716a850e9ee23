import assert from "node:assert/strict";
import type * as tf from "@tensorflow/tfjs";
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
import "../engine/engine_for_tests.ts";

/** Parameters and layer output shapes that the studies' notebooks and texts state (STUDIES.md). */
const cases: readonly [() => tf.LayersModel, number, Readonly<Record<string, readonly number[]>>][] = [
  [() => study000Cnn({ classes: 8, seed: 1, dropout: 0.5 }), 1_625_608, { flatten: [12544] }],
  [() => study001Cnn({ classes: 8, seed: 1 }), 201_943, { flatten: [4015] }],
  [() => study001AugmentedCnn({ classes: 8, seed: 1 }), 37_103, { flatten: [700] }],
  [() => study001Vgg16({ classes: 8, seed: 1 }), 15_921_100, { block5_pool: [1, 9, 512], flatten: [4608] }],
  [() => study002Conv1d({ classes: 7, seed: 1 }), 7_193_223, {
    pool1: [1188, 512],
    pool2: [594, 512],
    pool3: [297, 256],
    pool4: [149, 256],
    pool5: [75, 128],
    flatten: [9600],
  }],
  [() => study003Conv1d({ classes: 6, seed: 1 }), 318_438, {
    conv1: [312, 16],
    pool1: [156, 16],
    conv2: [154, 32],
    conv3: [150, 32],
    conv4: [144, 64],
    flatten: [4608],
  }],
  [() => study003Conv2d({ classes: 6, seed: 1 }), 1_175_174, {
    conv1: [126, 155, 16],
    pool1: [63, 77, 16],
    conv2: [61, 75, 32],
    pool2: [30, 37, 32],
    conv3: [28, 35, 64],
    pool3: [14, 17, 64],
    pool4: [7, 8, 64],
    pool5: [3, 4, 128],
    flatten: [256],
  }],
  [() => study004Mlp({ classes: 4, seed: 1 }), 55_504, { hidden: [300] }],
  // conv (5·22 + 1)·64, LSTM 4·128·(64 + 128 + 1), dense 129·7
  [() => cnnLstm({ classes: 7, seed: 1 }), 7_104 + 98_816 + 903, { pool: [54, 64], lstm: [128] }],
];

for (const [make, parameters, shapes] of cases) {
  const model = make();
  Deno.test(`${model.name} has ${parameters} parameters and the stated layer shapes`, () => {
    assert.equal(model.countParams(), parameters);
    for (const [name, shape] of Object.entries(shapes)) {
      assert.deepEqual((model.getLayer(name).outputShape as number[]).slice(1), shape, name);
    }
  });
}

Deno.test("of study 001's VGG16 3,566,220 parameters are trained; a quarter of its widths makes 0.92 M in the base", () => {
  const count = (weights: readonly { shape: readonly (number | null)[] }[]) =>
    weights.reduce((sum, { shape }) => sum + shape.reduce<number>((a, b) => a * b!, 1), 0);
  assert.equal(count(study001Vgg16({ classes: 8, seed: 1 }).trainableWeights), 3_566_220);
  const quarter = study001Vgg16({ classes: 8, seed: 1, widthDivisor: 4, train: "all" });
  const base = quarter.layers.filter(({ name }) => name.startsWith("block")).flatMap((layer) => layer.weights);
  assert.equal(count(base), 920_784); // 448 + 2320 + 4640 + 9248 + 18496 + 2·36928 + 73856 + 5·147584
  assert.equal(count(quarter.trainableWeights), quarter.countParams());
});

Deno.test("initial weights follow from the seed, and the LSTM's recurrent rows are orthonormal", () => {
  const weights = (seed: number) => cnnLstm({ classes: 3, seed, units: 16 }).getWeights().map((w) => w.dataSync());
  assert.deepEqual(weights(1), weights(1));
  assert.notDeepEqual(weights(1), weights(2));
  const recurrent = weights(1)[3]!;
  for (let i = 0; i < 16; i++) {
    for (let j = 0; j <= i; j++) {
      let dot = 0;
      for (let k = 0; k < 64; k++) dot += recurrent[i * 64 + k]! * recurrent[j * 64 + k]!;
      assert.ok(Math.abs(dot - (i === j ? 1 : 0)) < 1e-5);
    }
  }
});
