import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { nativeBackend } from "../../lib/engine/compiled/binding.ts";
import { compile, NotCompilable } from "../../lib/engine/compiled/mod.ts";
import { createTrainer } from "../../lib/engine/mod.ts";
import { eagerTrainer, readWeights, type TrainerState } from "../../lib/engine/trainer.ts";
import { RandomState } from "../../lib/random.ts";
import type { NdArray } from "../../lib/types.ts";
import { engine } from "./engine_for_tests.ts";

const ignore = engine.backend !== "native";
const test = (name: string, fn: () => Promise<void> | void): void =>
  Deno.test({ name: `${name} [native]`, ignore, fn });
const SGD = { kind: "sgd", learningRate: 1 } as const;
const L = tf.layers;

type Make = () => tf.layers.Layer[];
const dense = (units = 3) => L.dense({ units, activation: "softmax", kernelInitializer: seeded() });
const seeded = () => tf.initializers.glorotUniform({ seed: 7 });
const k = () => ({ kernelInitializer: seeded() });
const picture = () => ({ ...k(), inputShape: [12, 10, 3] });
const series = () => ({ ...k(), inputShape: [20, 6] });
const recurrent = () => ({ ...series(), recurrentInitializer: seeded() });
const row = (units = 8) => ({ ...k(), inputShape: [10], units });
const flat = () => L.flatten();
const ACTIVATIONS = [
  ...["elu", "hardSigmoid", "linear", "relu", "relu6", "selu", "sigmoid", "softmax", "softplus", "softsign", "tanh"],
  ...["swish", "mish"],
] as const;

/** Every layer that the studies, a CNN-LSTM and VGG16 use, and their relatives. */
const CATALOGUE: Readonly<Record<string, Make>> = {
  "conv1d, same": () => [L.conv1d({ ...series(), filters: 4, kernelSize: 5, padding: "same" }), flat(), dense()],
  "conv1d, strided": () => [L.conv1d({ ...series(), filters: 4, kernelSize: 3, strides: 2 }), flat(), dense()],
  "conv2d, valid": () => [L.conv2d({ ...picture(), filters: 4, kernelSize: 3, activation: "relu" }), flat(), dense()],
  "conv2d, same, strided, no bias": () => [
    L.conv2d({ ...picture(), filters: 4, kernelSize: [3, 2], strides: 2, padding: "same", useBias: false }),
    flat(),
    dense(),
  ],
  "conv2d on conv2d": () => [
    L.conv2d({ ...picture(), filters: 4, kernelSize: 3, activation: "relu" }),
    L.conv2d({ ...k(), filters: 5, kernelSize: 3, padding: "same", activation: "tanh" }),
    flat(),
    dense(),
  ],
  "depthwiseConv2d": () => [
    L.depthwiseConv2d({ ...picture(), depthwiseInitializer: seeded(), kernelSize: 3, activation: "relu" }),
    flat(),
    dense(),
  ],
  "separableConv2d": () => [
    L.separableConv2d({
      inputShape: [12, 10, 3],
      depthwiseInitializer: seeded(),
      pointwiseInitializer: seeded(),
      filters: 6,
      kernelSize: 3,
    }),
    L.globalAveragePooling2d({}),
    dense(),
  ],
  "maxPooling1d, same, overlapping": () => [
    L.conv1d({ ...series(), filters: 4, kernelSize: 3 }),
    L.maxPooling1d({ poolSize: 5, strides: 2, padding: "same" }),
    flat(),
    dense(),
  ],
  "averagePooling1d": () => [
    L.conv1d({ ...series(), filters: 4, kernelSize: 3 }),
    L.averagePooling1d({ poolSize: 2 }),
    flat(),
    dense(),
  ],
  "maxPooling2d": () => [
    L.conv2d({ ...picture(), filters: 4, kernelSize: 3 }),
    L.maxPooling2d({ poolSize: 2 }),
    flat(),
    dense(),
  ],
  "averagePooling2d": () => [
    L.conv2d({ ...picture(), filters: 4, kernelSize: 3 }),
    L.averagePooling2d({ poolSize: [2, 3] }),
    flat(),
    dense(),
  ],
  "globalMaxPooling1d": () => [L.conv1d({ ...series(), filters: 4, kernelSize: 3 }), L.globalMaxPooling1d(), dense()],
  "globalAveragePooling1d": () => [
    L.conv1d({ ...series(), filters: 4, kernelSize: 3 }),
    L.globalAveragePooling1d(),
    dense(),
  ],
  "globalMaxPooling2d":
    () => [L.conv2d({ ...picture(), filters: 4, kernelSize: 3 }), L.globalMaxPooling2d({}), dense()],
  "batchNormalization of rows": () => [L.dense(row()), L.batchNormalization(), dense()],
  "batchNormalization of frames": () => [
    L.conv1d({ ...series(), filters: 4, kernelSize: 3 }),
    L.batchNormalization({ momentum: 0.9, epsilon: 1e-2 }),
    flat(),
    dense(),
  ],
  "batchNormalization of pictures": () => [
    L.conv2d({ ...picture(), filters: 4, kernelSize: 3 }),
    L.batchNormalization(),
    flat(),
    dense(),
  ],
  "layerNormalization": () => [L.dense(row()), L.layerNormalization(), dense()],
  "dropout": () => [L.dense(row(32)), L.dropout({ rate: 0.4 }), dense()],
  "dropout with a noise shape": () => [
    L.conv1d({ ...series(), filters: 8, kernelSize: 3 }),
    L.dropout({ rate: 0.4, noiseShape: [null as unknown as number, 1, 8] }),
    flat(),
    dense(),
  ],
  "spatialDropout1d": () => [
    L.conv1d({ ...series(), filters: 8, kernelSize: 3 }),
    L.spatialDropout1d({ rate: 0.4 }),
    flat(),
    dense(),
  ],
  "gaussianNoise": () => [L.gaussianNoise({ inputShape: [10], stddev: 0.3 }), dense()],
  "gaussianDropout": () => [L.dense(row(32)), L.gaussianDropout({ rate: 0.3 }), dense()],
  "alphaDropout": () => [L.dense({ ...row(32), activation: "selu" }), L.alphaDropout({ rate: 0.3 }), dense()],
  "leakyReLU, prelu, elu": () => [
    L.dense(row()),
    L.leakyReLU({ alpha: 0.1 }),
    L.dense({ ...k(), units: 8 }),
    L.prelu({ alphaInitializer: tf.initializers.constant({ value: 0.2 }) }),
    L.dense({ ...k(), units: 8 }),
    L.elu(),
    dense(),
  ],
  "lstm": () => [L.lstm({ ...recurrent(), units: 5, recurrentActivation: "sigmoid" }), dense()],
  "lstm, sequences, no bias, on an lstm of sequences": () => [
    L.lstm({ ...recurrent(), units: 5, recurrentActivation: "sigmoid", returnSequences: true, useBias: false }),
    L.lstm({ ...k(), recurrentInitializer: seeded(), units: 4, recurrentActivation: "sigmoid", returnSequences: true }),
    flat(),
    dense(),
  ],
  "lstm, backwards, on an lstm backwards": () => [
    L.lstm({
      ...recurrent(),
      units: 5,
      recurrentActivation: "sigmoid",
      goBackwards: true,
      returnSequences: true,
      trainable: false,
    }),
    L.lstm({ ...k(), recurrentInitializer: seeded(), units: 4, recurrentActivation: "sigmoid", goBackwards: true }),
    dense(),
  ],
  "lstm of one frame": () => [
    L.lstm({ ...recurrent(), inputShape: [1, 6], units: 5, recurrentActivation: "sigmoid" }),
    dense(),
  ],
  "lstm, hard sigmoid, sequences, on an lstm": () => [
    L.lstm({ ...recurrent(), units: 5, returnSequences: true }),
    L.lstm({ ...k(), recurrentInitializer: seeded(), units: 4, goBackwards: true }),
    dense(),
  ],
  "lstm, dropout in and between steps": () => [
    L.lstm({ ...recurrent(), units: 5, dropout: 0.3, recurrentDropout: 0.2, recurrentActivation: "sigmoid" }),
    dense(),
  ],
  "gru": () => [L.gru({ ...recurrent(), units: 5 }), dense()],
  "simpleRNN": () => [L.simpleRNN({ ...recurrent(), units: 5 }), dense()],
  "masking under an lstm": () => [
    L.masking({ inputShape: [12, 6], maskValue: 0 }),
    L.lstm({ ...k(), recurrentInitializer: seeded(), units: 4, recurrentActivation: "sigmoid" }),
    dense(),
  ],
  "repeatVector under a gru": () => [
    L.dense(row()),
    L.repeatVector({ n: 3 }),
    L.gru({ ...k(), recurrentInitializer: seeded(), units: 4 }),
    dense(),
  ],
  "lstm cells stacked": () => [
    L.rnn({
      inputShape: [12, 6],
      cell: [4, 3].map((units) => L.lstmCell({ ...k(), recurrentInitializer: seeded(), units })),
    }) as tf.layers.Layer,
    dense(),
  ],
  "bidirectional lstm": () => [
    L.bidirectional({
      inputShape: [20, 6],
      layer: L.lstm({ ...k(), recurrentInitializer: seeded(), units: 4, recurrentActivation: "sigmoid" }) as tf.RNN,
      mergeMode: "concat",
    }),
    dense(),
  ],
  "timeDistributed dense": () => [
    L.timeDistributed({ inputShape: [20, 6], layer: L.dense({ ...k(), units: 4, activation: "relu" }) }),
    flat(),
    dense(),
  ],
  "dense on sequences, reshape, permute": () => [
    L.dense({ ...series(), units: 4, activation: "relu" }),
    L.permute({ dims: [2, 1] }),
    L.reshape({ targetShape: [8, 10] }),
    flat(),
    dense(),
  ],
  "zeroPadding2d and upSampling2d": () => [
    L.zeroPadding2d({ inputShape: [6, 5, 2], padding: 1 }),
    L.conv2d({ ...k(), filters: 3, kernelSize: 3 }),
    L.upSampling2d({ size: [2, 2] }),
    flat(),
    dense(),
  ],
  "conv2dTranspose, cropping2D": () => [
    L.conv2dTranspose({ ...k(), inputShape: [5, 4, 2], filters: 3, kernelSize: 3, strides: 2, activation: "relu" }),
    L.cropping2D({ cropping: [[1, 0], [2, 1]] }),
    flat(),
    dense(),
  ],
  "softmax and activation as layers": () => [
    L.dense(row()),
    L.softmax(),
    L.dense({ ...k(), units: 8 }),
    L.activation({ activation: "tanh" }),
    dense(),
  ],
  "l1, l2 and both, on kernel and bias": () => [
    L.dense({ ...row(), kernelRegularizer: tf.regularizers.l1({ l1: 0.01 }), activation: "relu" }),
    L.dense({
      ...k(),
      units: 8,
      kernelRegularizer: tf.regularizers.l2({ l2: 0.02 }),
      biasInitializer: "ones",
      biasRegularizer: tf.regularizers.l1l2({ l1: 0.01, l2: 0.03 }),
    }),
    dense(),
  ],
  "a frozen layer under a trained one": () => [
    L.conv2d({ ...picture(), filters: 4, kernelSize: 3, activation: "relu", trainable: false }),
    L.conv2d({ ...k(), filters: 4, kernelSize: 3, activation: "relu" }),
    flat(),
    dense(),
  ],
  "a trained layer under a frozen one": () => [
    L.dense(row()),
    L.dense({ ...k(), units: 8, trainable: false, activation: "tanh" }),
    dense(),
  ],
  ...Object.fromEntries(
    ACTIVATIONS.map((activation) => [
      `dense, ${activation}`,
      () => [L.dense({ ...row(), activation: activation as "relu", biasInitializer: "ones" }), dense()],
    ]),
  ),
};

/** Layers are named by a counter that never goes back, and masks follow from names: the copy takes the first's. */
function twin(make: Make): [tf.LayersModel, tf.LayersModel] {
  const one = tf.sequential({ layers: make() }), other = tf.sequential({ layers: make() });
  const rename = (from: tf.layers.Layer, to: tf.layers.Layer): void => {
    to.name = from.name;
    const cell = (layer: tf.layers.Layer) => (layer as unknown as { cell?: { name: string } }).cell;
    if (cell(to)) cell(to)!.name = cell(from)!.name;
  };
  one.layers.forEach((layer, i) => rename(layer, other.layers[i]!));
  other.setWeights(one.getWeights());
  return [one, other];
}

function rows(model: tf.LayersModel, n: number, seed: number): { x: NdArray; y: Int32Array } {
  const rng = new RandomState(seed), shape = model.inputs[0]!.shape.slice(1) as number[];
  const size = shape.reduce((a, b) => a * b, n);
  return {
    x: { data: Float32Array.from({ length: size }, () => rng.normal(0, 1)), shape: [n, ...shape] },
    y: Int32Array.from({ length: n }, () => Math.floor(rng.uniform(0, 3))),
  };
}

async function follow(
  build: typeof eagerTrainer,
  model: tf.LayersModel,
): Promise<{ losses: number[]; states: TrainerState[] }> {
  const trainer = build(model, { optimizer: SGD, seed: 3 });
  const losses: number[] = [], states = [await trainer.state()];
  for (let i = 0; i < 4; i++) {
    const { x, y } = rows(model, [5, 1, 8, 4][i]!, 20 + i);
    losses.push((await trainer.trainOnBatch(x, y, { learningRate: i === 0 ? 1 : 0.01 })).loss);
    states.push(await trainer.state());
  }
  const { x, y } = rows(model, 7, 90);
  losses.push((await trainer.evaluate(x, y, { batchSize: 4 })).loss);
  trainer.dispose();
  return { losses, states };
}

for (const [name, make] of Object.entries(CATALOGUE)) {
  test(`${name}: compiled has eager's losses, gradients, weights and statistics on data and batches never traced`, async () => {
    const [a, b] = twin(make);
    const eager = await follow(eagerTrainer, a), compiled = await follow(compile, b);
    eager.losses.forEach((loss, i) => {
      const off = Math.abs(loss - compiled.losses[i]!);
      assert.ok(off <= 2e-5 * Math.max(1, loss), `loss ${i}: ${compiled.losses[i]} is not ${loss}`);
    });
    // The first step's rate is one: it moves each weight by its gradient.
    for (const step of [1, 4]) {
      eager.states[step]!.weights.forEach(({ data }, i) => {
        const got = compiled.states[step]!.weights[i]!.data, before = eager.states[0]!.weights[i]!.data;
        const scale = data.reduce((m, v, j) => Math.max(m, Math.abs(v - before[j]!)), 1e-2);
        data.forEach((v, j) => {
          assert.ok(Math.abs(v - got[j]!) <= 1e-4 * scale, `step ${step}, weight ${i}[${j}]: ${got[j]} is not ${v}`);
        });
      });
    }
  });
}

/** A layer of the tests' own; `fn` gets the input and how often it was called. */
function custom(fn: (x: tf.Tensor, call: number) => tf.Tensor): tf.layers.Layer {
  class Custom extends tf.layers.Layer {
    static className = "Custom";
    #calls = 0;
    override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
      return tf.tidy(() => fn(Array.isArray(inputs) ? inputs[0]! : inputs, ++this.#calls));
    }
    override computeOutputShape(shape: tf.Shape): tf.Shape {
      return shape;
    }
  }
  return new Custom({});
}

const REFUSED: Readonly<Record<string, [(x: tf.Tensor, call: number) => tf.Tensor, RegExp]>> = {
  "unseeded noise": [(x) => tf.add(x, tf.randomNormal(x.shape)), /random, or counting|depend on the batch size/],
  "unseeded noise of one size": [(x) => tf.add(x, tf.randomNormal([8])), /random, or counting/],
  "a counter": [(x, call) => tf.mul(x, call), /random, or counting/],
  "a look at the values": [(x) => x.sum().dataSync()[0]! > 0 ? x : tf.neg(x), /looks at the values/],
  "other operations now and then": [(x, call) => call % 3 === 1 ? tf.neg(x) : x, /same operations/],
  "a constant as long as half the batch": [
    (x) => {
      const [first, rest] = tf.split(x, 2);
      return tf.concat([tf.mul(first!, tf.ones([x.shape[0]! / 2, 1])), rest!]);
    },
    /part of the batch|depend on the batch size/,
  ],
  "a constant with the square of the batch": [(x) => tf.mul(x, x.shape[0]! ** 2), /depend on the batch size/],
};

for (const [name, [fn, reason]] of Object.entries(REFUSED)) {
  test(`${name} is refused, nothing of the attempt stays, and the model trains operation by operation`, async () => {
    const layers = [
      L.dense(row()),
      L.batchNormalization(),
      custom(fn),
      L.dense({ ...k(), units: 4, kernelRegularizer: "l1l2" }),
      dense(),
    ];
    const model = tf.sequential({ layers });
    const { binding } = nativeBackend()!, weights = await readWeights(model);
    nativeBackend()!.getInputTensorIds(model.getWeights()); // uploads them, so that handles can be counted
    const before = {
      binding,
      relu: tf.getGradient("Relu"),
      add: tf.getGradient("Add"),
      kernels: ["Add", "BatchMatMul"].map((kernel) => tf.getKernel(kernel, "tensorflow")),
      tensors: [tf.memory().numTensors, binding.getNumOfTensors(), binding.getNumOfSavedModels()],
    };
    assert.throws(() => compile(model, { optimizer: SGD, seed: 1 }), (error) => {
      assert.ok(error instanceof NotCompilable);
      assert.match(error.message, reason);
      return true;
    });
    assert.deepEqual({
      binding: nativeBackend()!.binding,
      relu: tf.getGradient("Relu"),
      add: tf.getGradient("Add"),
      kernels: ["Add", "BatchMatMul"].map((kernel) => tf.getKernel(kernel, "tensorflow")),
      tensors: [tf.memory().numTensors, binding.getNumOfTensors(), binding.getNumOfSavedModels()],
    }, before);
    assert.ok(model.layers.every((layer) => layer instanceof tf.layers.Layer && !Object.hasOwn(layer, "call")));
    assert.deepEqual(await readWeights(model), weights);
    const notices: string[] = [];
    const trainer = createTrainer(model, {
      optimizer: { ...SGD, learningRate: 0.01 },
      seed: 1,
      onNotice: (line) => notices.push(line),
    });
    assert.equal(notices.length, 1);
    assert.match(notices[0]!, /^engine: .* operation by operation/);
    const { x, y } = rows(model, 4, 1);
    assert.ok(Number.isFinite((await trainer.trainOnBatch(x, y)).loss));
    trainer.dispose();
  });
}

test("a model for examples of any length, or of two inputs, is refused", () => {
  const open = tf.sequential({
    layers: [
      L.conv1d({ inputShape: [null, 4] as unknown as number[], filters: 2, kernelSize: 3 }),
      L.globalMaxPooling1d(),
      dense(),
    ],
  });
  assert.throws(() => compile(open, { optimizer: SGD, seed: 1 }), /examples of any length/);
  const [a, b] = [tf.input({ shape: [3] }), tf.input({ shape: [3] })];
  const joined = L.concatenate().apply([a, b]) as tf.SymbolicTensor;
  const two = tf.model({ inputs: [a, b], outputs: dense().apply(joined) as tf.SymbolicTensor });
  assert.throws(() => compile(two, { optimizer: SGD, seed: 1 }), /several inputs/);
});

test("a model with branches and a nested model compiles", async () => {
  const make = (): tf.layers.Layer[] => {
    const inner = tf.sequential({
      name: "inner",
      layers: [L.dense({ ...row(6), activation: "relu" }), L.dropout({ name: "in", rate: 0.5 })],
    });
    const input = tf.input({ shape: [10] });
    const left = inner.apply(input) as tf.SymbolicTensor;
    const right = L.dense({ ...row(6), activation: "tanh" }).apply(input) as tf.SymbolicTensor;
    const sum = L.add().apply([left, right]) as tf.SymbolicTensor;
    return [tf.model({ inputs: input, outputs: sum }) as unknown as tf.layers.Layer, dense()];
  };
  const [a, b] = [tf.sequential({ layers: make() }), tf.sequential({ layers: make() })];
  b.setWeights(a.getWeights());
  const eager = await follow(eagerTrainer, a), compiled = await follow(compile, b);
  eager.losses.forEach((loss, i) => assert.ok(Math.abs(loss - compiled.losses[i]!) < 1e-5));
});

test("a graph that cannot be written is no loss: one line, and training goes on operation by operation", async () => {
  const before = Deno.env.get("TMPDIR");
  Deno.env.set("TMPDIR", "/nonexistent/folder");
  try {
    const notices: string[] = [];
    const model = tf.sequential({ layers: [L.dense(row()), dense()] });
    const trainer = createTrainer(model, { optimizer: SGD, seed: 1, onNotice: (line) => notices.push(line) });
    assert.match(notices.join("\n"), /could not be loaded \(.*no such file/i);
    const { x, y } = rows(model, 4, 1);
    assert.ok(Number.isFinite((await trainer.trainOnBatch(x, y)).loss));
  } finally {
    if (before === undefined) Deno.env.delete("TMPDIR");
    else Deno.env.set("TMPDIR", before);
  }
});
