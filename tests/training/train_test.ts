import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { eagerTrainer, readWeights, type Trainer, type TrainerState } from "../../lib/engine/trainer.ts";
import { FormatError, UsageError } from "../../lib/errors.ts";
import { glorot } from "../../lib/models/mod.ts";
import { RandomState } from "../../lib/random.ts";
import { checkpointFile, type CheckpointStore } from "../../lib/training/checkpoint.ts";
import type { Dataset } from "../../lib/training/dataset.ts";
import { type EpochLog, fit, type TrainingPlan } from "../../lib/training/train.ts";
import "../engine/engine_for_tests.ts";

// Keras 3's own callbacks on the same scripted losses: tests/golden/make_optimizers.py.
const golden = JSON.parse(readFileSync(new URL("../golden/optimizers.json", import.meta.url), "utf8")) as {
  losses: number[];
  callbacks: {
    plan: Partial<TrainingPlan>;
    result: { epochs: number; rates: number[]; weights_of_epoch: number };
  }[];
};

/** A trainer whose validation losses are written down and whose only weight is the number of its epoch. */
function scripted(losses: readonly number[]): { trainer: Trainer; weight: () => number; order: number[][] } {
  let epoch = 0;
  const order: number[][] = [];
  const state = (): TrainerState => ({
    weights: [{ data: Float32Array.of(epoch), shape: [1] }],
    optimizer: { step: 0, slots: {} },
  });
  const trainer = {
    learningRate: 0.1,
    trainOnBatch: (x) => {
      order.push([...x.data]);
      return Promise.resolve({ loss: 1, accuracy: 0.5 });
    },
    evaluate: () => Promise.resolve({ loss: losses[epoch++]!, accuracy: 0.5 }),
    state: () => Promise.resolve(state()),
    restore: (saved) => epoch = saved.weights[0]!.data[0]!,
    pullWeights: () => {},
    dispose: () => {},
  } as Partial<Trainer> as Trainer;
  return { trainer, weight: () => epoch, order };
}

const two: Dataset = { x: { data: Float32Array.of(0, 1, 2), shape: [3, 1] }, y: Int32Array.of(0, 1, 0) };

for (const { plan, result } of golden.callbacks) {
  Deno.test(`${JSON.stringify(plan)} acts at the epochs at which Keras 3 does`, async () => {
    const { trainer, weight } = scripted(golden.losses);
    const fitted = await fit(trainer, two, { epochs: golden.losses.length, batchSize: 2, ...plan }, {
      seed: 0,
      validation: two,
    });
    assert.equal(fitted.history.length, result.epochs);
    assert.equal(weight(), result.weights_of_epoch);
    assert.equal(fitted.epoch, result.weights_of_epoch);
    fitted.history.forEach((log, i) => assert.ok(Math.abs(log.learningRate - result.rates[i]!) < 1e-8));
  });
}

Deno.test("every epoch takes every row once, in an order that the seed decides, the last batch smaller", async () => {
  const orders = async (seed: number): Promise<number[][]> => {
    const { trainer, order } = scripted([1, 1]);
    await fit(trainer, two, { epochs: 2, batchSize: 2 }, { seed });
    return order;
  };
  const first = await orders(1);
  assert.deepEqual(first.map((batch) => batch.length), [2, 1, 2, 1]);
  assert.deepEqual([...first[0]!, ...first[1]!].sort(), [0, 1, 2]);
  assert.deepEqual(await orders(1), first);
  const others = await Promise.all([2, 3, 4, 5].map(orders));
  assert.ok(others.some((other) => JSON.stringify(other) !== JSON.stringify(first)));
});

function model(seed: number): tf.LayersModel {
  const init = (name: string) => ({ name, kernelInitializer: glorot(seed, name) });
  return tf.sequential({
    layers: [
      tf.layers.dense({ ...init("hidden"), inputShape: [6], units: 8, activation: "relu" }),
      tf.layers.dropout({ name: "drop", rate: 0.3 }),
      tf.layers.dense({ ...init("output"), units: 3, activation: "softmax" }),
    ],
  });
}

function dataset(n: number, seed: number): Dataset {
  const rng = new RandomState(seed);
  const data = Float32Array.from({ length: n * 6 }, () => rng.normal(0, 1));
  return { x: { data, shape: [n, 6] }, y: Int32Array.from({ length: n }, (_, i) => data[i * 6]! > 0 ? i % 2 : 2) };
}

const plan: TrainingPlan = {
  epochs: 8,
  batchSize: 4,
  earlyStopping: { monitor: "valLoss", patience: 6, restoreBestWeights: true },
  reduceOnPlateau: { monitor: "valLoss", factor: 0.5, patience: 1 },
};

function run(
  options: { checkpoint?: CheckpointStore; signal?: AbortSignal; onEpoch?: (log: EpochLog) => void },
): Promise<{ history: readonly EpochLog[]; weights: Float32Array[] }> {
  const trainer = eagerTrainer(model(11), { optimizer: { kind: "adam", learningRate: 0.05 }, seed: 11 });
  return fit(trainer, dataset(22, 1), plan, {
    seed: 11,
    validation: dataset(9, 2),
    checkpointEverySec: 0,
    identity: "this training",
    ...options,
  }).then(async ({ history }) => ({ history, weights: (await readWeights(trainer.model)).map((w) => w.data) }))
    .finally(() => {
      trainer.dispose();
      trainer.model.dispose();
    });
}

Deno.test("a training stopped after any epoch and started again equals one that was not, bit for bit", async () => {
  const folder = mkdtempSync(join(tmpdir(), "serlab-"));
  const whole = await run({});
  for (const stopAfter of [1, 3, 6]) {
    const checkpoint = checkpointFile(join(folder, `${stopAfter}.ckpt`));
    const abort = new AbortController();
    await assert.rejects(
      run({
        checkpoint,
        signal: abort.signal,
        onEpoch: ({ epoch }) => epoch === stopAfter + 1 && abort.abort(new Error("stopped")),
      }),
      /stopped/,
    );
    const resumed: number[] = [];
    assert.deepEqual(await run({ checkpoint, onEpoch: ({ epoch }) => void resumed.push(epoch) }), whole);
    assert.equal(resumed[0], stopAfter + 2, "the finished epochs are not trained again");
  }
});

Deno.test("the seconds of an interrupted training count up to the checkpoint from which it goes on", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "serlab-")), "a.ckpt"), checkpoint = checkpointFile(path);
  const plan: TrainingPlan = { epochs: 6, batchSize: 3 };
  /** A session that was compiling for so many seconds before. */
  const session = (compiledSec: number, signal?: AbortSignal, onEpoch?: (log: EpochLog) => void) =>
    fit(scripted([]).trainer, two, plan, {
      seed: 0,
      checkpoint,
      checkpointEverySec: 0,
      startedAt: performance.now() - 1000 * compiledSec,
      signal,
      onEpoch,
    });
  const isAbout = (seconds: number, expected: number): void =>
    assert.ok(seconds >= expected && seconds < expected + 50, `${seconds} s, not ${expected} s`);
  for (const compiledSec of [100, 1000]) {
    const abort = new AbortController();
    await assert.rejects(session(compiledSec, abort.signal, () => checkpoint.load() && abort.abort()));
  }
  isAbout((await session(0)).seconds, 1100);
  const { meta, arrays } = checkpoint.load()!;
  const { seconds, ...old } = meta as { seconds: number };
  isAbout(seconds, 1100);
  checkpoint.save({ meta: old, arrays });
  isAbout((await session(10)).seconds, 10);
  checkpoint.clear();
  isAbout((await session(10)).seconds, 10);
});

Deno.test("a kill costs at most one epoch, or of shorter ones as many as twenty writes take, 10 s at most", async () => {
  /** Epochs that are kept of twelve, by what an epoch and a write take, s. */
  const kept = async (epochSec: number, writeSec: number, checkpointEverySec?: number): Promise<number[]> => {
    const { now } = performance, epochs: number[] = [];
    let clock = 0;
    performance.now = () => 1000 * clock;
    try {
      const { trainer } = scripted([]);
      const slow: Trainer = {
        ...trainer,
        trainOnBatch() {
          clock += epochSec;
          return Promise.resolve({ loss: 1, accuracy: 0 });
        },
      };
      const checkpoint: CheckpointStore = {
        load: () => null,
        save({ meta }) {
          clock += writeSec;
          epochs.push((meta as { loop: { history: EpochLog[] } }).loop.history.length);
        },
        clear() {},
      };
      await fit(slow, two, { epochs: 12, batchSize: 3 }, { seed: 0, checkpoint, checkpointEverySec });
    } finally {
      performance.now = now;
    }
    return epochs;
  };
  const all = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
  assert.deepEqual(await kept(3, 0.125), all);
  assert.deepEqual(await kept(60, 5), all);
  assert.deepEqual(await kept(3, 0.375), [1, 3, 5, 7, 9, 11]);
  assert.deepEqual(await kept(3, 5), [1, 4, 7, 10]);
  // Before the first one it is not known what they take: 2 s.
  assert.deepEqual(await kept(0.5, 0.0625), [3, 5, 7, 9, 11]);
  assert.deepEqual(await kept(0.5, 0.0625, 0), all);
  assert.deepEqual(await kept(60, 0, Infinity), []);
});

Deno.test("a damaged checkpoint and one of another training are refused", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "serlab-")), "a.ckpt");
  const checkpoint = checkpointFile(path);
  const abort = new AbortController();
  await assert.rejects(run({ checkpoint, signal: abort.signal, onEpoch: ({ epoch }) => epoch === 2 && abort.abort() }));
  const trainer = eagerTrainer(model(1), { optimizer: { kind: "adam", learningRate: 0.05 }, seed: 1 });
  const options = { seed: 1, validation: dataset(9, 2), checkpoint };
  await assert.rejects(
    fit(trainer, dataset(22, 1), plan, { ...options, identity: "another training" }),
    (error: Error) => error instanceof FormatError && /another training/.test(error.message),
  );
  const bytes = readFileSync(path);
  bytes[bytes.length - 5]! ^= 1;
  writeFileSync(path, bytes);
  await assert.rejects(run({ checkpoint }), /a\.ckpt: the checkpoint is damaged/);
  writeFileSync(path, "hello");
  await assert.rejects(run({ checkpoint }), /a\.ckpt: not a checkpoint/);
  trainer.dispose();
});

Deno.test("class weights weigh the rows of their class", async () => {
  const seen: number[][] = [];
  const { trainer } = scripted([1]);
  const spy = {
    ...trainer,
    trainOnBatch: (_x: unknown, y: Int32Array, options: { sampleWeights: Float32Array }) => {
      seen.push([...y].map((label, i) => label * 10 + options.sampleWeights[i]!));
      return Promise.resolve({ loss: 1, accuracy: 0 });
    },
  } as unknown as Trainer;
  await fit(spy, two, { epochs: 1, batchSize: 3, classWeights: [2, 3] }, { seed: 0 });
  assert.deepEqual(seen.flat().sort((a, b) => a - b), [2, 2, 13]);
});

Deno.test("watching validation without validation rows, and training on nothing, are refused", async () => {
  const { trainer } = scripted([1]);
  await assert.rejects(fit(trainer, two, plan, { seed: 0 }), UsageError);
  const none: Dataset = { x: { data: new Float32Array(0), shape: [0, 1] }, y: new Int32Array(0) };
  await assert.rejects(fit(trainer, none, plan, { seed: 0 }), /no training rows/);
});

Deno.test("an epoch leaves no tensor behind", async () => {
  const trainer = eagerTrainer(model(1), { optimizer: { kind: "adam", learningRate: 0.05 }, seed: 1 });
  const counts: number[] = [];
  await fit(trainer, dataset(22, 1), { epochs: 4, batchSize: 4 }, {
    seed: 1,
    validation: dataset(9, 2),
    onEpoch: () => void counts.push(tf.memory().numTensors),
  });
  assert.equal(new Set(counts).size, 1, `tensors after each epoch: ${counts}`);
  trainer.dispose();
});
