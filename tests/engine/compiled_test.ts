import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { nativeBackend } from "../../lib/engine/compiled/binding.ts";
import { compile, type CompileOptions, NO_PATCHES } from "../../lib/engine/compiled/mod.ts";
import { createTrainer } from "../../lib/engine/mod.ts";
import type { OptimizerSpec } from "../../lib/engine/optimizers.ts";
import { eagerTrainer, readWeights, type Trainer, type TrainerState } from "../../lib/engine/trainer.ts";
import { FormatError, UsageError } from "../../lib/errors.ts";
import { cnnLstm, study000Cnn, study001Vgg16, study002Conv1d } from "../../lib/models/mod.ts";
import { RandomState } from "../../lib/random.ts";
import type { NdArray } from "../../lib/types.ts";
import { examples, model } from "./compiled_faults_child.ts";
import { engine } from "./engine_for_tests.ts";

const ignore = engine.backend !== "native";
const test = (name: string, fn: () => Promise<void> | void): void =>
  Deno.test({ name: `${name} [native]`, ignore, fn });

const SGD = { kind: "sgd", learningRate: 0.05 } as const;

/** Rows of Gaussian noise with labels in turn. */
function batch(n: number, shape: readonly number[], classes: number, seed: number): { x: NdArray; y: Int32Array } {
  const rng = new RandomState(seed), size = shape.reduce((a, b) => a * b, n);
  return {
    x: { data: Float32Array.from({ length: size }, () => rng.normal(0, 1)), shape: [n, ...shape] },
    y: Int32Array.from({ length: n }, (_, i) => (i * 7 + seed) % classes),
  };
}

function smallModel(options: { dropout?: number; l2?: number; seed?: number; norm?: boolean } = {}): tf.LayersModel {
  const { dropout = 0, l2 = 0, seed = 1, norm = true } = options;
  const init = (name: string, k: number) => ({
    name,
    kernelInitializer: tf.initializers.glorotUniform({ seed: seed * 10 + k }),
  });
  const penalty = l2 ? { kernelRegularizer: tf.regularizers.l2({ l2 }) } : {};
  return tf.sequential({
    layers: [
      tf.layers.conv2d({
        ...init("c", 1),
        ...penalty,
        inputShape: [8, 8, 1],
        filters: 4,
        kernelSize: 3,
        activation: "relu",
      }),
      ...(norm ? [tf.layers.batchNormalization({ name: "b" })] : []),
      tf.layers.maxPooling2d({ name: "p", poolSize: 2 }),
      tf.layers.flatten({ name: "f" }),
      ...(dropout ? [tf.layers.dropout({ name: "d", rate: dropout })] : []),
      tf.layers.dense({ ...init("o", 2), units: 3, activation: "softmax" }),
    ],
  });
}

const small = (n: number, seed: number) => batch(n, [8, 8, 1], 3, seed);

async function train(trainer: Trainer, steps: number, from = 0): Promise<number[]> {
  const losses: number[] = [];
  for (let i = from; i < from + steps; i++) {
    const { x, y } = small(4 + i % 3, 100 + i);
    losses.push((await trainer.trainOnBatch(x, y)).loss);
  }
  return losses;
}

/** Largest difference of two lists of arrays. */
function distance(a: readonly NdArray[], b: readonly NdArray[]): number {
  assert.deepEqual(a.map(({ shape }) => shape), b.map(({ shape }) => shape));
  return Math.max(...a.map(({ data }, i) => data.reduce((m, v, k) => Math.max(m, Math.abs(v - b[i]!.data[k]!)), 0)));
}

for (const [variant, options] of [["vanilla", {}], ["optimised", { dropout: 0.5, penalty: { l2: 0.01 } }]] as const) {
  test(`study 000 ${variant}: compiled equals eager in loss, gradient and weights, masks included`, async () => {
    const make = () => study000Cnn({ classes: 8, seed: 3, ...options });
    const one = async (build: typeof eagerTrainer): Promise<TrainerState & { losses: number[]; first: NdArray[] }> => {
      // A step of plain descent at rate 1 moves the weights by the gradient.
      const descent = build(make(), { optimizer: { kind: "sgd", learningRate: 1 }, seed: 2 });
      const data = batch(8, [64, 64, 1], 8, 5);
      const before = (await descent.state()).weights;
      await descent.trainOnBatch(data.x, data.y);
      const after = (await descent.state()).weights;
      descent.dispose();
      const first = after.map(({ data, shape }, i) => ({ data: data.map((v, k) => v - before[i]!.data[k]!), shape }));
      const trainer = build(make(), { optimizer: { kind: "adam", learningRate: 1e-3 }, seed: 2 });
      const losses: number[] = [];
      for (let i = 0; i < 5; i++) {
        const { x, y } = batch(8, [64, 64, 1], 8, i);
        losses.push((await trainer.trainOnBatch(x, y)).loss);
      }
      const state = await trainer.state();
      trainer.dispose();
      return { ...state, losses, first };
    };
    const eager = await one(eagerTrainer), compiled = await one(compile);
    eager.first.forEach((gradient, i) => {
      const scale = gradient.data.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      const off = distance([gradient], [compiled.first[i]!]) / scale;
      assert.ok(off < 2e-5, `gradient ${i} is off by ${off}`);
    });
    eager.losses.forEach((loss, i) => assert.ok(Math.abs(loss - compiled.losses[i]!) < 3e-4, `step ${i}: ${loss}`));
    assert.ok(distance(eager.weights, compiled.weights) < 1e-3);
  });
}

test("without patches the graph does what eager does, to the last digits, on batches of sizes never traced", async () => {
  const options = { optimizer: SGD, seed: 4 };
  const make = () => smallModel({ dropout: 0.4, l2: 0.01, norm: false });
  const eager = eagerTrainer(make(), options), plain = compile(make(), { ...options, patches: NO_PATCHES });
  const losses = await train(eager, 6);
  // TensorFlow's own optimiser reorders some products; nothing else differs.
  (await train(plain, 6)).forEach((loss, i) => assert.ok(Math.abs(loss - losses[i]!) < 1e-6));
  assert.ok(distance((await plain.state()).weights, (await eager.state()).weights) < 1e-6);
  for (const trainer of [eager, plain]) trainer.dispose();
});

for (
  const optimizer of [
    SGD,
    { kind: "sgd", learningRate: 0.05, momentum: 0.9 },
    { kind: "sgd", learningRate: 0.05, momentum: 0.9, nesterov: true },
    { kind: "rmsprop", learningRate: 0.01 },
    { kind: "rmsprop", learningRate: 0.01, momentum: 0.5, rho: 0.8, epsilon: 1e-3 },
    { kind: "adam", learningRate: 0.01 },
    { kind: "adam", learningRate: 0.01, beta1: 0.8, beta2: 0.9, epsilon: 1e-3 },
    { kind: "adamw", learningRate: 0.01, weightDecay: 0.1 },
  ] as const satisfies readonly OptimizerSpec[]
) {
  const name = JSON.stringify(optimizer);
  const make = (seed = 1) => smallModel({ dropout: 0.3, seed });
  test(`${name}: compiled follows the eager rule, at a rate that changes`, async () => {
    const run = async (trainer: Trainer): Promise<TrainerState> => {
      for (let i = 0; i < 5; i++) {
        const { x, y } = small(6, i);
        await trainer.trainOnBatch(x, y, { learningRate: 0.01 / (i + 1) });
      }
      const state = await trainer.state();
      trainer.dispose();
      return state;
    };
    const options = { optimizer, seed: 5 };
    const [eager, compiled] = [await run(eagerTrainer(make(), options)), await run(compile(make(), options))];
    assert.ok(distance(eager.weights, compiled.weights) < 2e-4);
    assert.deepEqual(Object.keys(eager.optimizer.slots), Object.keys(compiled.optimizer.slots));
    for (const [slot, list] of Object.entries(eager.optimizer.slots)) {
      assert.ok(distance(list, compiled.optimizer.slots[slot]!) < 2e-4, slot);
    }
    assert.equal(compiled.optimizer.step, 5);
  });

  test(`${name}: interrupted and resumed equals uninterrupted, bit for bit, and eager takes over too`, async () => {
    const options = { optimizer, seed: 5 };
    const whole = compile(make(), options);
    await train(whole, 6);
    const first = compile(make(), options);
    await train(first, 3);
    const state = await first.state();
    const second = compile(make(99), options), eager = eagerTrainer(make(98), options);
    for (const trainer of [second, eager]) {
      trainer.restore(state);
      await train(trainer, 3, 3);
    }
    assert.deepEqual(await second.state(), await whole.state());
    assert.ok(distance((await eager.state()).weights, (await whole.state()).weights) < 2e-4);
    for (const trainer of [whole, first, second, eager]) trainer.dispose();
  });
}

const TWICE: readonly [() => tf.LayersModel, number][] = [
  [() => study000Cnn({ classes: 8, seed: 1, dropout: 0.5, penalty: { l2: 0.01 } }), 32],
  [() => study002Conv1d({ classes: 7, seed: 1 }), 2],
  [() => study001Vgg16({ classes: 8, seed: 1, widthDivisor: 4 }), 4],
  [() => cnnLstm({ classes: 7, seed: 1, dropout: 0.3 }), 16],
];
for (const [make, n] of TWICE) {
  test(`${make().name}: the same seed gives identical weights twice on all threads; another seed other ones`, async () => {
    const weightsOf = async (seed: number): Promise<readonly NdArray[]> => {
      const model = make(), shape = model.inputs[0]!.shape.slice(1) as number[];
      const trainer = compile(model, { optimizer: { kind: "adam", learningRate: 1e-3 }, seed });
      for (let i = 0; i < 3; i++) {
        const { x, y } = batch(n, shape, 7, i);
        await trainer.trainOnBatch(x, y);
      }
      const { weights } = await trainer.state();
      trainer.dispose();
      return weights;
    };
    const same = (a: readonly NdArray[], b: readonly NdArray[]): boolean =>
      a.every(({ data }, i) => data.every((v, k) => v === b[i]!.data[k]));
    const once = await weightsOf(3);
    assert.ok(same(await weightsOf(3), once));
    assert.ok(!same(await weightsOf(4), once));
  });
}

test("memory is constant over 1,000 steps and nothing outlives the trainer", async () => {
  const { binding } = nativeBackend()!;
  const model = smallModel({ dropout: 0.5, l2: 0.1 });
  const start = [binding.getNumOfTensors(), binding.getNumOfSavedModels(), tf.memory().numTensors];
  const trainer = compile(model, { optimizer: { kind: "adam", learningRate: 0.01 }, seed: 1 });
  const { x, y } = small(8, 1);
  const round = async (steps: number): Promise<void> => {
    for (let i = 0; i < steps; i++) await trainer.trainOnBatch(x, y);
    await trainer.evaluate(x, y, { batchSize: 3 });
    await trainer.predict(x, { batchSize: 3 });
    trainer.restore(await trainer.state());
    trainer.pullWeights();
  };
  await round(100);
  const count = () => [binding.getNumOfTensors(), binding.getNumOfSavedModels(), tf.memory().numTensors];
  const before = count(), rss = Deno.memoryUsage().rss;
  await round(1000);
  assert.deepEqual(count(), before);
  const grown = (Deno.memoryUsage().rss - rss) / 2 ** 20;
  assert.ok(grown < 64, `${grown.toFixed(1)} MB more after 1,000 steps`);
  trainer.dispose();
  trainer.dispose();
  assert.deepEqual(count(), start);
});

test("nothing is traced again for another rate, batch, weighting, evaluation, prediction or restored state", async () => {
  let calls = 0;
  const trainer = compile(model(() => calls++), { optimizer: { kind: "adam", learningRate: 0.01 }, seed: 1 });
  const { binding } = nativeBackend()!, traced = calls, sessions = binding.getNumOfSavedModels();
  assert.ok(traced > 0);
  for (const n of [5, 1, 2, 7]) {
    const { x, y } = examples(n);
    await trainer.trainOnBatch(x, y, {
      learningRate: 0.1 / n,
      penaltyScale: n,
      sampleWeights: new Float32Array(n).fill(n),
    });
    await trainer.evaluate(x, y, { batchSize: 3 });
    await trainer.predict(x, { batchSize: 2 });
    trainer.restore(await trainer.state());
  }
  assert.deepEqual([calls, binding.getNumOfSavedModels()], [traced, sessions]);
  trainer.dispose();
});

test("evaluation and prediction take any number of rows and equal eager's", async () => {
  const options = { optimizer: SGD, seed: 1 };
  const model = smallModel({ dropout: 0.5, l2: 0.01 });
  const trainer = compile(model, options), eager = eagerTrainer(model, options);
  const { x, y } = small(37, 3);
  for (const batchSize of [1, 5, 64]) {
    const [a, b] = [await trainer.evaluate(x, y, { batchSize }), await eager.evaluate(x, y, { batchSize })];
    assert.ok(Math.abs(a.loss - b.loss) < 1e-5);
    assert.equal(a.accuracy, b.accuracy);
    const [p, q] = [await trainer.predict(x, { batchSize }), await eager.predict(x, { batchSize })];
    assert.ok(distance([p], [q]) < 1e-6);
  }
  trainer.dispose();
});

test("sample weights and soft targets count as in eager", async () => {
  const options = { optimizer: SGD, seed: 1 };
  const { x } = small(4, 3);
  const soft: NdArray = { data: Float32Array.of(1, 0, 0, 0.2, 0.8, 0, 0, 0.5, 0.5, 0, 0, 1), shape: [4, 3] };
  const step = async (trainer: Trainer): Promise<TrainerState & { loss: number }> => {
    const { loss } = await trainer.trainOnBatch(x, soft, { sampleWeights: Float32Array.of(0, 1, 2, 0.5) });
    const state = await trainer.state();
    trainer.dispose();
    return { ...state, loss };
  };
  const a = await step(compile(smallModel(), options)), b = await step(eagerTrainer(smallModel(), options));
  assert.ok(Math.abs(a.loss - b.loss) < 1e-6);
  assert.ok(distance(a.weights, b.weights) < 1e-5);
});

test("dropout draws other masks each step, keeps the stated share, and the masks are eager's", async () => {
  // One weight a unit, all one: the gradient of the bias-free product is what the mask lets through.
  const make = () =>
    tf.sequential({
      layers: [
        tf.layers.dropout({ name: "d", rate: 0.3, inputShape: [5000] }),
        tf.layers.dense({ name: "o", units: 2, activation: "softmax", kernelInitializer: "zeros", useBias: false }),
      ],
    });
  const x: NdArray = { data: new Float32Array(5000).fill(1), shape: [1, 5000] };
  const masks = async (build: typeof eagerTrainer): Promise<boolean[][]> => {
    const trainer = build(make(), { optimizer: { kind: "sgd", learningRate: 1e-3 }, seed: 8 });
    const found: boolean[][] = [];
    let before = (await trainer.state()).weights[0]!.data;
    for (let i = 0; i < 3; i++) {
      await trainer.trainOnBatch(x, Int32Array.of(0));
      const after = (await trainer.state()).weights[0]!.data;
      found.push(Array.from({ length: 5000 }, (_, k) => after[2 * k] !== before[2 * k]));
      before = after;
    }
    trainer.dispose();
    return found;
  };
  const compiled = await masks(compile);
  assert.deepEqual(compiled, await masks(eagerTrainer));
  assert.notDeepEqual(compiled[0], compiled[1]);
  const kept = compiled.flat().filter(Boolean).length / 15000;
  assert.ok(Math.abs(kept - 0.7) < 4 * Math.sqrt(0.21 / 15000), `${kept} kept`); // four standard errors
});

test("frozen weights stay, have no slots and cost no gradient", async () => {
  const options = { optimizer: { kind: "adam", learningRate: 0.01 }, seed: 1 } as const;
  const free = compile(smallModel(), options);
  const model = smallModel();
  model.layers[0]!.trainable = false;
  const frozen = compile(model, options);
  assert.ok(frozen.statistics.nodes < free.statistics.nodes);
  const before = (await frozen.state()).weights;
  await train(frozen, 2);
  const { weights, optimizer } = await frozen.state();
  model.weights.forEach(({ name }, i) => {
    if (name.startsWith("c/")) assert.deepEqual(weights[i], before[i]);
    else assert.notDeepEqual(weights[i], before[i]);
  });
  assert.equal(optimizer.slots["m"]!.length, 4);
  for (const trainer of [free, frozen]) trainer.dispose();
});

test("the model has the trained weights after pullWeights, and only then", async () => {
  const model = smallModel();
  const trainer = compile(model, { optimizer: SGD, seed: 1 });
  const before = await readWeights(model);
  await train(trainer, 2);
  assert.deepEqual(await readWeights(model), before);
  trainer.pullWeights();
  assert.deepEqual(await readWeights(model), (await trainer.state()).weights);
  trainer.dispose();
});

test("rows of another shape, states of another model and bad rates are refused in a sentence", async () => {
  const trainer = compile(smallModel(), { optimizer: { kind: "adam", learningRate: 0.01 }, seed: 1 });
  const wrong = batch(2, [8, 9, 1], 3, 0);
  await assert.rejects(trainer.trainOnBatch(wrong.x, wrong.y), UsageError);
  const state = await trainer.state();
  assert.throws(() => trainer.restore({ ...state, weights: state.weights.slice(1) }), FormatError);
  assert.throws(() => trainer.restore({ ...state, optimizer: { step: 1, slots: {} } }), FormatError);
  trainer.dispose();
  assert.throws(() => compile(smallModel(), { optimizer: { kind: "adam", learningRate: -1 }, seed: 1 }), UsageError);
  const open = tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3] })] });
  assert.throws(() => createTrainer(open, { optimizer: SGD, seed: 0 }), UsageError);
  const others = { loss: "meanSquaredError", metrics: ["recall"] } as unknown as CompileOptions;
  for (const [name, value] of Object.entries(others)) {
    const options = { optimizer: SGD, seed: 0, [name]: value };
    assert.throws(() => compile(smallModel(), options), /There is no (loss meanSquaredError|metric recall) here/);
  }
});

test("a trainer is compiled where that is sound, and says nothing then", () => {
  const notices: string[] = [];
  const options: CompileOptions & { onNotice: (line: string) => void } = {
    optimizer: SGD,
    seed: 1,
    onNotice: (line) => notices.push(line),
  };
  const trainer = createTrainer(smallModel(), options);
  assert.ok("statistics" in trainer);
  assert.deepEqual(notices, []);
  trainer.dispose();
});
