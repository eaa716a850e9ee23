import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { createTrainer } from "../../lib/engine/mod.ts";
import { eagerTrainer, readWeights, type Trainer } from "../../lib/engine/trainer.ts";
import { FormatError, UsageError } from "../../lib/errors.ts";
import { glorot, penalised } from "../../lib/models/mod.ts";
import { RandomState } from "../../lib/random.ts";
import type { NdArray } from "../../lib/types.ts";
import "./engine_for_tests.ts";

function examples(n: number, seed: number): { x: NdArray; y: Int32Array } {
  const rng = new RandomState(seed);
  const y = Int32Array.from({ length: n }, (_, i) => i % 3);
  const data = new Float32Array(n * 64);
  for (let i = 0; i < data.length; i++) data[i] = rng.normal(0, 1) + (i % 64 < 21 * (y[(i / 64) | 0]! + 1) ? 0.5 : 0);
  return { x: { data, shape: [n, 8, 8, 1] }, y };
}

function smallModel(seed: number, options: { dropout?: number; l2?: number } = {}): tf.LayersModel {
  const init = (name: string) => ({ name, kernelInitializer: glorot(seed, name) });
  const penalty = penalised({ l2: options.l2 ?? 0 });
  return tf.sequential({
    layers: [
      tf.layers.conv2d({
        ...init("c"),
        ...penalty,
        inputShape: [8, 8, 1],
        filters: 4,
        kernelSize: 3,
        activation: "relu",
      }),
      tf.layers.maxPooling2d({ name: "p", poolSize: 2 }),
      tf.layers.flatten({ name: "f" }),
      ...(options.dropout ? [tf.layers.dropout({ name: "d", rate: options.dropout })] : []),
      tf.layers.dense({ ...init("o"), units: 3, activation: "softmax" }),
    ],
  });
}

async function train(trainer: Trainer, steps: number, from = 0): Promise<void> {
  for (let i = from; i < from + steps; i++) {
    const { x, y } = examples(8, 100 + i);
    await trainer.trainOnBatch(x, y);
  }
}

Deno.test("training lowers the loss and reports it with the regularisation, as Keras does", async () => {
  const model = smallModel(1, { l2: 0.01 });
  const trainer = eagerTrainer(model, { optimizer: { kind: "adam", learningRate: 0.01 }, seed: 1 });
  const { x, y } = examples(24, 7);
  const before = await trainer.evaluate(x, y);
  const probabilities = await trainer.predict(x);
  let expected = 0;
  y.forEach((label, i) => expected -= Math.log(probabilities.data[i * 3 + label]!) / y.length);
  const [kernel] = await readWeights(model);
  for (const w of kernel!.data) expected += 0.01 * w * w;
  assert.ok(Math.abs(before.loss - expected) < 1e-5, `${before.loss} is not ${expected}`);
  for (let i = 0; i < 40; i++) await trainer.trainOnBatch(x, y);
  const after = await trainer.evaluate(x, y);
  assert.ok(after.loss < before.loss / 2, `${after.loss} after ${before.loss}`);
  assert.ok(after.accuracy > 0.9);
  trainer.dispose();
});

Deno.test("the same seed gives identical weights twice, dropout included; another seed other ones", async () => {
  const weightsOf = async (seed: number): Promise<Float32Array> => {
    const trainer = eagerTrainer(smallModel(seed, { dropout: 0.5 }), {
      optimizer: { kind: "rmsprop", learningRate: 0.01 },
      seed,
    });
    await train(trainer, 5);
    const weights = (await readWeights(trainer.model))[0]!.data;
    trainer.dispose();
    return weights;
  };
  assert.deepEqual(await weightsOf(3), await weightsOf(3));
  assert.notDeepEqual(await weightsOf(3), await weightsOf(4));
});

for (
  const optimizer of [
    { kind: "sgd", learningRate: 0.05, momentum: 0.9, nesterov: true },
    { kind: "rmsprop", learningRate: 0.01, momentum: 0.5 },
    { kind: "adam", learningRate: 0.01 },
    { kind: "adamw", learningRate: 0.01, weightDecay: 0.1 },
  ] as const
) {
  Deno.test(`${optimizer.kind}: interrupted and resumed equals uninterrupted, bit for bit`, async () => {
    const options = { optimizer, seed: 5 };
    const whole = eagerTrainer(smallModel(5, { dropout: 0.3 }), options);
    await train(whole, 6);
    const first = eagerTrainer(smallModel(5, { dropout: 0.3 }), options);
    await train(first, 3);
    const state = await first.state();
    const second = eagerTrainer(smallModel(99, { dropout: 0.3 }), options);
    second.restore(state);
    await train(second, 3, 3);
    assert.deepEqual(await second.state(), await whole.state());
    for (const trainer of [whole, first, second]) trainer.dispose();
  });
}

Deno.test("sample weights scale each row's loss", async () => {
  const weigh = async (weights: number[]): Promise<number> => {
    const trainer = eagerTrainer(smallModel(2), { optimizer: { kind: "sgd", learningRate: 1e-9 }, seed: 0 });
    const { x, y } = examples(2, 3);
    const { loss } = await trainer.trainOnBatch(x, y, { sampleWeights: Float32Array.from(weights) });
    trainer.dispose();
    return loss;
  };
  const [both, first, second] = [await weigh([1, 1]), await weigh([1, 0]), await weigh([0, 1])];
  assert.ok(Math.abs(both - first - second) < 1e-6);
  assert.ok(Math.abs(await weigh([2, 0]) - 2 * first) < 1e-6);
});

for (const build of [eagerTrainer, createTrainer]) {
  Deno.test(`${build.name}: batches that no step can be taken on are refused in a sentence, and the weights stay`, async () => {
    const trainer = build(smallModel(1), { optimizer: { kind: "adam", learningRate: 0.01 }, seed: 1 });
    const before = await trainer.state(), { x, y } = examples(3, 1);
    const none: NdArray = { data: new Float32Array(0), shape: [0, 8, 8, 1] };
    const soft: NdArray = { data: new Float32Array(6), shape: [3, 2] };
    const step = trainer.trainOnBatch.bind(trainer);
    const wrong: [Promise<unknown>, RegExp][] = [
      [step(none, new Int32Array(0)), /There are no rows/],
      [step(x, y.subarray(1)), /3 rows and 3 classes take targets \[3, 3\], not \[2,3\]/],
      [step(x, soft), /take targets \[3, 3\], not \[3,2\]/],
      [step(x, Int32Array.of(0, 1, 3)), /The label 3 is none of the 3 classes/],
      [step(x, Int32Array.of(0, -1, 2)), /The label -1 is none/],
      [step(x, y, { sampleWeights: Float32Array.of(1) }), /3 rows take as many weights, not 1/],
      [step(x, y, { learningRate: Number.NaN }), /learningRate must be a number from 0, not NaN/],
      [step(x, y, { penaltyScale: Infinity }), /penaltyScale must be a number from 0, not Infinity/],
      [trainer.evaluate(none, new Int32Array(0)), /There are no rows/],
      [trainer.evaluate(x, y, { batchSize: 0 }), /batch size must be a positive integer, not 0/],
      [trainer.predict(x, { batchSize: 1.5 }), /batch size must be a positive integer, not 1.5/],
    ];
    for (const [refused, reason] of wrong) {
      await assert.rejects(refused, (error: Error) => error instanceof UsageError && reason.test(error.message));
    }
    assert.deepEqual((await trainer.predict(none)).shape, [0, 3]);
    assert.deepEqual(await trainer.state(), before);
    trainer.dispose();
  });
}

Deno.test("constraints hold the weights after each step, whichever trainer there is, and leave no tensor", async () => {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({
        inputShape: [4],
        units: 5,
        activation: "relu",
        kernelConstraint: tf.constraints.maxNorm({ maxValue: 0.5, axis: 0 }),
      }),
      tf.layers.dense({ units: 3, activation: "softmax", biasConstraint: tf.constraints.nonNeg() }),
    ],
  });
  const notices: string[] = [];
  const trainer = createTrainer(model, {
    optimizer: { kind: "sgd", learningRate: 2 },
    seed: 1,
    onNotice: (line) => notices.push(line),
  });
  if (tf.getBackend() === "tensorflow") assert.match(notices.join("\n"), /a layer's constraint changes weights/i);
  const x: NdArray = { data: Float32Array.from(new RandomState(1).randn(24)), shape: [6, 4] };
  const counts: number[] = [];
  for (let i = 0; i < 5; i++) {
    await trainer.trainOnBatch(x, Int32Array.of(0, 1, 2, 0, 1, 2));
    counts.push(tf.memory().numTensors);
  }
  assert.equal(counts[4], counts[1]);
  const [kernel, , , bias] = (await trainer.state()).weights;
  for (let unit = 0; unit < 5; unit++) {
    let squares = 0;
    for (let i = 0; i < 4; i++) squares += kernel!.data[i * 5 + unit]! ** 2;
    assert.ok(Math.sqrt(squares) <= 0.5 + 1e-6, `unit ${unit}: ${Math.sqrt(squares)}`);
  }
  assert.ok(bias!.data.every((b) => b >= 0) && bias!.data.some((b) => b > 0));
  trainer.dispose();
});

Deno.test("no tensor is left over by steps, evaluations and predictions", async () => {
  const trainer = eagerTrainer(smallModel(1, { dropout: 0.5, l2: 0.1 }), {
    optimizer: { kind: "adam", learningRate: 0.01 },
    seed: 1,
  });
  const { x, y } = examples(8, 1);
  const round = async (): Promise<void> => {
    await trainer.trainOnBatch(x, y);
    await trainer.evaluate(x, y, { batchSize: 3 });
    await trainer.predict(x, { batchSize: 3 });
    await trainer.state();
  };
  await round();
  const before = tf.memory().numTensors;
  await round();
  assert.equal(tf.memory().numTensors, before);
  trainer.dispose();
});

Deno.test("a trainer and its model leave nothing behind when they are disposed of", async () => {
  const before = tf.memory().numTensors;
  const model = smallModel(1, { dropout: 0.5 });
  const trainer = eagerTrainer(model, { optimizer: { kind: "adam", learningRate: 0.01 }, seed: 1 });
  await train(trainer, 2);
  trainer.restore(await trainer.state());
  trainer.dispose();
  model.dispose();
  assert.equal(tf.memory().numTensors, before);
});

Deno.test("a model without softmax and weights of another model are refused", async () => {
  const open = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
  assert.throws(() => eagerTrainer(open, { optimizer: { kind: "sgd", learningRate: 1 }, seed: 0 }), UsageError);
  const trainer = eagerTrainer(smallModel(1), { optimizer: { kind: "adam", learningRate: 1 }, seed: 0 });
  const state = await trainer.state();
  assert.throws(() => trainer.restore({ ...state, weights: state.weights.slice(1) }), FormatError);
  assert.throws(() => trainer.restore({ ...state, optimizer: { step: 1, slots: {} } }), FormatError);
  assert.throws(
    () => eagerTrainer(smallModel(1), { optimizer: { kind: "adam", learningRate: 0 }, seed: 0 }),
    /learning rate must be a positive number, not 0/,
  );
});
