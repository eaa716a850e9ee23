import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { bottleneckFeatures, type BottleneckOptions, createTrainerOn } from "../../lib/engine/bottleneck.ts";
import { createTrainer } from "../../lib/engine/mod.ts";
import { splitFrozenPrefix, suffixTrainer } from "../../lib/engine/prefix.ts";
import { readWeights, type Trainer } from "../../lib/engine/trainer.ts";
import { FormatError, UsageError } from "../../lib/errors.ts";
import { FeatureCache } from "../../lib/features/cache.ts";
import { glorot, penalised, study001Vgg16 } from "../../lib/models/mod.ts";
import { RandomState } from "../../lib/random.ts";
import { checkpointFile } from "../../lib/training/checkpoint.ts";
import { fit } from "../../lib/training/train.ts";
import type { NdArray } from "../../lib/types.ts";
import "./engine_for_tests.ts";

interface SmallOptions {
  /** Seed of the layers that are trained; the frozen ones always begin with seed 1. */
  readonly seed?: number;
  readonly functional?: boolean;
}

/** Two frozen convolutions (penalised, as a base may be), then one that is trained, normalised, with dropout. */
function small({ seed = 2, functional = false }: SmallOptions = {}): tf.LayersModel {
  const init = (name: string, of = seed) => ({ name, kernelInitializer: glorot(of, name) });
  const frozen = (name: string) => ({
    ...init(name, 1),
    ...penalised({ l2: 0.02 }),
    filters: 4,
    kernelSize: 3,
    activation: "relu" as const,
    trainable: false,
  });
  const layers = [
    tf.layers.conv2d({ ...frozen("frozen1"), ...(functional ? {} : { inputShape: [10, 10, 1] }) }),
    tf.layers.conv2d(frozen("frozen2")),
    tf.layers.maxPooling2d({ name: "pool", poolSize: 2 }),
    tf.layers.conv2d({ ...init("conv"), filters: 6, kernelSize: 2, activation: "relu" }),
    tf.layers.batchNormalization({ name: "norm" }),
    tf.layers.flatten({ name: "flat" }),
    tf.layers.dense({ ...init("hidden"), ...penalised({ l2: 0.01 }), units: 12, activation: "relu" }),
    tf.layers.dropout({ name: "drop", rate: 0.4 }),
    tf.layers.dense({ ...init("out"), units: 3, activation: "softmax" }),
  ];
  if (!functional) return tf.sequential({ name: "small", layers });
  const inputs = tf.input({ shape: [10, 10, 1] });
  const outputs = layers.reduce((x, layer) => layer.apply(x) as tf.SymbolicTensor, inputs);
  return tf.model({ name: "small", inputs, outputs });
}

function examples(n: number, seed: number): { x: NdArray; y: Int32Array } {
  const data = Float32Array.from(new RandomState(seed).randn(n * 100));
  return { x: { data, shape: [n, 10, 10, 1] }, y: Int32Array.from({ length: n }, (_, i) => (i + seed) % 3) };
}

const how = { optimizer: { kind: "adam", learningRate: 0.01 }, seed: 5 } as const;

/** How often, and on how many rows, the frozen layers of models were run. */
function counting(model: tf.LayersModel): { rows: number } {
  const seen = { rows: 0 };
  const first = model.layers.find((layer) => layer.name === "frozen1")! as unknown as {
    call: (x: tf.Tensor | tf.Tensor[], kwargs: unknown) => tf.Tensor;
  };
  const before = first.call.bind(first);
  first.call = (x, kwargs) => {
    seen.rows += (Array.isArray(x) ? x[0]! : x).shape[0]!;
    return before(x, kwargs);
  };
  return seen;
}

async function withFolder(f: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "serlab-prefix-"));
  try {
    await f(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Features of fresh copies of the rows: memory knows an array by itself, so that the cache has to answer. */
async function featuresOf(model: tf.LayersModel, x: NdArray, options: BottleneckOptions): Promise<NdArray> {
  const split = splitFrozenPrefix(model)!;
  try {
    return await bottleneckFeatures(split, { data: x.data.slice(), shape: x.shape }, options);
  } finally {
    split.dispose();
  }
}

function apart(a: readonly NdArray[], b: readonly NdArray[]): number {
  assert.deepEqual(a.map(({ shape }) => shape), b.map(({ shape }) => shape));
  return Math.max(...a.flatMap(({ data }, i) => [...data].map((value, k) => Math.abs(value - b[i]!.data[k]!))));
}

Deno.test("a model is split behind its last frozen layer that is the same in training and in inference", () => {
  const dense = (name: string, trainable = false) => tf.layers.dense({ name, units: 4, trainable });
  const output = () => tf.layers.dense({ name: "output", units: 3, activation: "softmax" });
  const first = (trainable = false) => tf.layers.dense({ name: "first", inputShape: [5], units: 4, trainable });
  const cutOf = (...layers: tf.layers.Layer[]): string | null => {
    const model = tf.sequential({ layers });
    const split = splitFrozenPrefix(model);
    split?.dispose();
    model.dispose();
    return split?.layer ?? null;
  };
  assert.equal(cutOf(first(), dense("second"), output()), "second");
  assert.equal(cutOf(first(), tf.layers.activation({ name: "relu", activation: "relu" }), output()), "relu");
  assert.equal(cutOf(first(), dense("second", true), dense("third"), output()), "first");
  assert.equal(cutOf(first(), tf.layers.dropout({ name: "off", rate: 0 }), dense("second"), output()), "second");
  assert.equal(cutOf(first(), tf.layers.dropout({ name: "on", rate: 0.1 }), dense("second"), output()), "first");
  assert.equal(cutOf(first(), tf.layers.gaussianNoise({ name: "noise", stddev: 1 }), output()), "first");
  const norm = tf.layers.batchNormalization({ name: "norm", trainable: false });
  assert.equal(cutOf(first(), norm, dense("second"), output()), "first", "it would take the batch's statistics");
  assert.equal(cutOf(first(true), output()), null, "nothing is frozen");
  assert.equal(cutOf(tf.layers.flatten({ inputShape: [5, 1] }), output()), null, "nothing to compute");
  assert.equal(cutOf(first(), tf.layers.dense({ units: 3, activation: "softmax", trainable: false })), null);
  const base = tf.sequential({ layers: [first(), dense("second")] });
  assert.equal(cutOf(base, output()), base.name, "a frozen model within the model");
});

Deno.test("the quarter VGG16 of study 001 is frozen up to block5_conv2", () => {
  const model = study001Vgg16({ classes: 8, seed: 1, widthDivisor: 4 });
  const split = splitFrozenPrefix(model)!;
  assert.equal(split.layer, "block5_conv2");
  assert.deepEqual(split.suffix.inputs[0]!.shape, [null, 3, 18, 128]);
  assert.equal(split.prefix.trainableWeights.length, 0);
  assert.deepEqual(
    split.suffix.trainableWeights.map((w) => w.read()),
    model.trainableWeights.map((w) => w.read()),
    "the same variables in the same order",
  );
  split.dispose();
  model.dispose();
});

Deno.test("a model with branches is not split", () => {
  const input = tf.input({ shape: [4] });
  const layer = (name: string) => tf.layers.dense({ name, units: 4, trainable: false });
  const a = layer("a").apply(input) as tf.SymbolicTensor, b = layer("b").apply(input) as tf.SymbolicTensor;
  const sum = tf.layers.add().apply([a, b]) as tf.SymbolicTensor;
  const outputs = tf.layers.dense({ units: 2, activation: "softmax" }).apply(sum) as tf.SymbolicTensor;
  const model = tf.model({ inputs: input, outputs });
  assert.equal(splitFrozenPrefix(model), null);
  model.dispose();
});

for (const functional of [false, true]) {
  Deno.test(`a ${functional ? "functional" : "sequential"} model is as it was after it was split, and no tensor stays`, () => {
    const before = tf.memory().numTensors;
    const model = small({ functional });
    const text = model.toJSON(undefined, false), { x } = examples(4, 1);
    const predict = () => tf.tidy(() => (model.predict(tf.tensor(x.data, [4, 10, 10, 1])) as tf.Tensor).dataSync());
    const probabilities = predict();
    const split = splitFrozenPrefix(model)!;
    assert.deepEqual(model.toJSON(undefined, false), text);
    split.dispose();
    assert.deepEqual(predict(), probabilities);
    assert.deepEqual(model.toJSON(undefined, false), text);
    model.dispose();
    assert.equal(tf.memory().numTensors, before);
  });
}

Deno.test("training the rest on the prefix's features equals training the whole, step by step, dropout and all", async () => {
  const tensors = tf.memory().numTensors;
  const whole = small(), other = small({ functional: true });
  const { x, y } = examples(24, 3);
  const reference = createTrainer(whole, how);
  const { trainer, x: fed, frozen } = await createTrainerOn(other, x, how);
  assert.equal(frozen, "pool");
  assert.deepEqual(fed.shape, [24, 3, 3, 4]);
  assert.deepEqual([trainer.model, trainer.learningRate], [other, reference.learningRate]);
  const part = ({ data, shape }: NdArray, start: number): NdArray => {
    const size = data.length / shape[0]!;
    return { data: data.slice(start * size, (start + 8) * size), shape: [8, ...shape.slice(1)] };
  };
  for (let i = 0; i < 6; i++) {
    const start = i % 3 * 8, targets = y.slice(start, start + 8);
    const options = { penaltyScale: 1 + i, sampleWeights: Float32Array.from(targets, (label) => 1 + label) };
    const expected = await reference.trainOnBatch(part(x, start), targets, options);
    const { loss, accuracy } = await trainer.trainOnBatch(part(fed, start), targets, options);
    assert.ok(Math.abs(loss - expected.loss) < 1e-5, `step ${i}: ${loss} is not ${expected.loss}`);
    assert.equal(accuracy, expected.accuracy);
  }
  const [a, b] = [await reference.evaluate(x, y), await trainer.evaluate(fed, y)];
  assert.ok(Math.abs(a.loss - b.loss) < 1e-5, `${b.loss} is not ${a.loss}`);
  assert.ok(apart([await reference.predict(x)], [await trainer.predict(fed)]) < 1e-6);
  const [expected, found] = [await reference.state(), await trainer.state()];
  assert.ok(apart(expected.weights, found.weights) < 1e-6);
  assert.ok(apart(expected.optimizer.slots["m"]!, found.optimizer.slots["m"]!) < 1e-6);
  assert.equal(found.optimizer.step, 6);
  for (const each of [reference, trainer]) each.pullWeights();
  assert.ok(apart(await readWeights(whole), await readWeights(other)) < 1e-6, "the model itself has the weights");
  reference.dispose();
  trainer.dispose();
  assert.ok(apart([await createPrediction(whole, x)], [await createPrediction(other, x)]) < 1e-6);
  whole.dispose();
  other.dispose();
  assert.equal(tf.memory().numTensors, tensors);
});

async function createPrediction(model: tf.LayersModel, x: NdArray): Promise<NdArray> {
  const out = tf.tidy(() => model.predict(tf.tensor(x.data, [...x.shape])) as tf.Tensor);
  const data = Float32Array.from(await out.data()), { shape } = out;
  out.dispose();
  return { data, shape };
}

Deno.test("a checkpoint of the whole model goes on with features of its prefix, and the other way round", async () => {
  await withFolder(async (folder) => {
    const { x, y } = examples(24, 3), validation = examples(9, 4);
    const rows = { data: Float32Array.from([...x.data, ...validation.x.data]), shape: [33, 10, 10, 1] };
    const plan = { epochs: 4, batchSize: 8, keepBest: "valLoss" } as const;
    type Kind = "whole" | "split";
    const run = async (name: string, kinds: readonly Kind[]): Promise<NdArray[]> => {
      const checkpoint = checkpointFile(join(folder, name));
      for (const [i, kind] of kinds.entries()) {
        const model = small();
        const { trainer, x: all } = kind === "split"
          ? await createTrainerOn(model, rows, how)
          : { trainer: createTrainer(model, how), x: rows };
        const size = all.data.length / 33, stop = new AbortController();
        const part = (from: number, to: number): NdArray => ({
          data: all.data.subarray(from * size, to * size),
          shape: [to - from, ...all.shape.slice(1)],
        });
        const fitting = fit(trainer, { x: part(0, 24), y }, plan, {
          seed: 1,
          checkpoint,
          checkpointEverySec: 0,
          validation: { x: part(24, 33), y: validation.y },
          signal: stop.signal,
          onEpoch: ({ epoch }) => i + 1 < kinds.length && epoch === i + 2 && stop.abort(new Error("stopped")),
        });
        if (i + 1 < kinds.length) await assert.rejects(fitting, /stopped/);
        else await fitting;
        const weights = await readWeights(model);
        trainer.dispose();
        model.dispose();
        if (i + 1 === kinds.length) return weights;
      }
      return [];
    };
    const expected = await run("a", ["whole"]);
    assert.ok(apart(await run("b", ["split"]), expected) < 1e-6);
    assert.ok(apart(await run("c", ["whole", "split"]), expected) < 1e-6);
    assert.ok(apart(await run("d", ["split", "whole", "split"]), expected) < 1e-6);
    assert.deepEqual(await run("e", ["split", "split"]), await run("f", ["split"]), "exact, to the bit");
  });
});

Deno.test("a state with other frozen weights, or of another model, is refused", async () => {
  const model = small(), split = splitFrozenPrefix(model)!;
  const trainer: Trainer = suffixTrainer(model, split, createTrainer(split.suffix, how));
  const { weights, optimizer } = await trainer.state();
  const isFrozen = (i: number): boolean => model.weights[i]!.originalName.startsWith("frozen1");
  const moved = weights.map(({ data, shape }, i) => ({ data: isFrozen(i) ? data.map((v) => v + 1) : data, shape }));
  assert.throws(() => trainer.restore({ weights: moved, optimizer }), FormatError);
  assert.throws(() => trainer.restore({ weights: weights.slice(1), optimizer }), FormatError);
  trainer.restore({ weights, optimizer });
  trainer.dispose();
  model.dispose();
});

Deno.test("features are found again by the row, the frozen weights and the layers, whatever the rest is", async () => {
  await withFolder(async (dir) => {
    const cache = new FeatureCache(dir), { x } = examples(40, 1);
    const first = small();
    const seen = counting(first);
    const features = await featuresOf(first, x, { cache });
    assert.equal(seen.rows, 40);
    assert.equal(cache.size().entries, 40);

    const other = small({ seed: 9, functional: true }), again = counting(other);
    assert.deepEqual(await featuresOf(other, x, { cache }), features, "the trained layers began with another seed");
    const turned = { data: Float32Array.from([...x.data.slice(2000), ...x.data.slice(0, 2000)]), shape: x.shape };
    const half = await featuresOf(other, turned, { cache });
    assert.deepEqual(
      half.data.slice(0, 36),
      features.data.slice(20 * 36, 21 * 36),
      "a row is found wherever it stands",
    );
    assert.equal(again.rows, 0);

    await featuresOf(other, examples(40, 2).x, { cache });
    assert.equal(again.rows, 40, "other rows");
    const [kernel, ...rest] = other.getLayer("frozen1").getWeights();
    other.getLayer("frozen1").setWeights([tf.mul(kernel!, 2), ...rest]);
    const doubled = await featuresOf(other, x, { cache });
    assert.equal(again.rows, 80, "other weights");
    assert.notDeepEqual(doubled, features);

    const files = (readdirSync(dir, { recursive: true }) as string[]).filter((name) => name.endsWith(".f32"));
    assert.equal(files.length, 120);
    for (const name of files) {
      const bytes = readFileSync(join(dir, name));
      bytes[bytes.length - 2]! ^= 1;
      writeFileSync(join(dir, name), bytes);
    }
    assert.deepEqual(await featuresOf(first, x, { cache }), features);
    assert.equal(seen.rows, 80, "damaged entries are made anew");
    assert.equal(cache.damaged > 0, true);
    first.dispose();
    other.dispose();
  });
});

Deno.test("the layers' settings are part of the name: another activation has other features", async () => {
  await withFolder(async (dir) => {
    const cache = new FeatureCache(dir);
    const build = (activation: "relu" | "linear") =>
      tf.sequential({
        layers: [
          tf.layers.dense({
            inputShape: [3],
            units: 2,
            trainable: false,
            activation,
            kernelInitializer: glorot(1, "d"),
          }),
          tf.layers.dense({ units: 2, activation: "softmax" }),
        ],
      });
    const x = { data: Float32Array.from(new RandomState(1).randn(15)), shape: [5, 3] };
    const [relu, linear] = [build("relu"), build("linear")];
    const [a, b] = [await featuresOf(relu, x, { cache }), await featuresOf(linear, x, { cache })];
    assert.notDeepEqual(a.data, b.data);
    assert.deepEqual(a.data, b.data.map((v) => Math.max(0, v)));
    relu.dispose();
    linear.dispose();
  });
});

Deno.test("of two that want the same features at once one computes, and both have them", async () => {
  await withFolder(async (dir) => {
    const model = small(), seen = counting(model), { x } = examples(40, 1);
    const found = await Promise.all([1, 2, 3].map(() => featuresOf(model, x, { cache: new FeatureCache(dir) })));
    assert.equal(seen.rows, 40);
    assert.deepEqual(found[1], found[0]);
    assert.deepEqual(found[2], found[0]);
    assert.deepEqual(readdirSync(dir).filter((name) => name.endsWith(".lock")), []);
    model.dispose();
  });
});

Deno.test("a pass that is stopped keeps what it has and goes on from there", async () => {
  await withFolder(async (dir) => {
    const model = small(), seen = counting(model), { x } = examples(70, 1), cache = new FeatureCache(dir);
    const stop = new AbortController();
    await assert.rejects(
      featuresOf(model, x, {
        cache,
        signal: stop.signal,
        onPrefix: (done) => done > 20 && stop.abort(new Error("Ctrl-C")),
      }),
      /Ctrl-C/,
    );
    const before = seen.rows;
    assert.ok(before > 20 && before < 70, `${before} rows`);
    assert.equal(cache.size().entries, before);
    const features = await featuresOf(model, x, { cache });
    assert.equal(seen.rows, 70);
    assert.deepEqual(features, await featuresOf(model, x, {}), "the same as in one go");
    model.dispose();
  });
});

Deno.test("where nothing can be kept the features are computed all the same, with one notice", async () => {
  await withFolder(async (folder) => {
    writeFileSync(join(folder, "file"), "");
    const model = small(), seen = counting(model), { x } = examples(40, 1), notices: string[] = [];
    const cache = new FeatureCache(join(folder, "file", "cache"));
    const features = await featuresOf(model, x, { cache, onNotice: (line) => notices.push(line) });
    assert.equal(seen.rows, 40);
    assert.equal(notices.length, 1);
    assert.match(notices[0]!, /^features: those of frozen layers are not kept: .*a part of the path is a file/);
    assert.deepEqual(features, await featuresOf(model, x, {}));
    assert.equal(existsSync(join(folder, "file", "cache")), false);
    model.dispose();
  });
});

Deno.test("without a cache an array's features are remembered with it; rows of another shape are refused", async () => {
  const model = small(), seen = counting(model), { x } = examples(20, 1), split = splitFrozenPrefix(model)!;
  const features = await bottleneckFeatures(split, x);
  assert.equal(await bottleneckFeatures(split, x), features);
  assert.equal(seen.rows, 20);
  await assert.rejects(bottleneckFeatures(split, { data: x.data, shape: [20, 100] }), UsageError);
  await assert.rejects(createTrainerOn(model, { data: x.data, shape: [20, 100] }, how), UsageError);
  split.dispose();
  model.dispose();
});
