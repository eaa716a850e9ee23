/**
 * What compiled_faults_test.ts does in a process of its own: train where no file can grow (`full`), and be killed while
 * a model is traced (`killed <checkpoint>`).
 *
 * @module
 */

import { copyFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs";
import { createTrainer } from "../../lib/engine/mod.ts";
import { startEngine } from "../../lib/engine/tf.ts";
import { readWeights } from "../../lib/engine/trainer.ts";
import { RandomState } from "../../lib/random.ts";
import { checkpointFile, type CheckpointStore } from "../../lib/training/checkpoint.ts";
import type { Dataset } from "../../lib/training/dataset.ts";
import { fit } from "../../lib/training/train.ts";

/** A layer that passes on what it gets and tells that it was called. */
function passing(onCall: () => void): tf.layers.Layer {
  class Passing extends tf.layers.Layer {
    static className = "Passing";
    override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
      onCall();
      return tf.clone(Array.isArray(inputs) ? inputs[0]! : inputs);
    }
    override computeOutputShape(shape: tf.Shape): tf.Shape {
      return shape;
    }
  }
  return new Passing({ name: "passing" });
}

/** A small network; `onCall` is told each time it computes. */
export function model(onCall: () => void = () => {}): tf.LayersModel {
  const init = (seed: number) => ({ kernelInitializer: tf.initializers.glorotUniform({ seed }) });
  return tf.sequential({
    name: "faulty",
    layers: [
      tf.layers.dense({ ...init(1), name: "hidden", inputShape: [6], units: 8, activation: "relu" }),
      passing(onCall),
      tf.layers.dropout({ name: "dropout", rate: 0.3 }),
      tf.layers.dense({ ...init(2), name: "output", units: 3, activation: "softmax" }),
    ],
  });
}

/** Rows of noise with labels in turn. */
export function examples(n: number): Dataset {
  const rng = new RandomState(1);
  return {
    x: { data: Float32Array.from(rng.randn(n * 6)), shape: [n, 6] },
    y: Int32Array.from({ length: n }, (_, i) => i % 3),
  };
}

/** Trains a network for four epochs, with checkpoints after each. */
export async function train(
  network: tf.LayersModel,
  checkpoint: CheckpointStore | undefined,
  options: { readonly signal?: AbortSignal; readonly onEpoch?: (epoch: number) => void } = {},
): Promise<Float32Array[]> {
  const trainer = createTrainer(network, { optimizer: { kind: "adam", learningRate: 0.05 }, seed: 7 });
  try {
    await fit(trainer, examples(22), { epochs: 4, batchSize: 5 }, {
      seed: 7,
      checkpoint,
      checkpointEverySec: 0,
      signal: options.signal,
      onEpoch: ({ epoch }) => options.onEpoch?.(epoch),
    });
    trainer.pullWeights();
    return (await readWeights(network)).map(({ data }) => data);
  } finally {
    trainer.dispose();
  }
}

if (import.meta.main) {
  await startEngine({ backend: "native" });
  const [mode, path] = Deno.args;
  if (mode === "full") {
    const notices: string[] = [];
    const network = model(), before = await readWeights(network);
    const trainer = createTrainer(network, {
      optimizer: { kind: "sgd", learningRate: 0.05 },
      seed: 1,
      onNotice: (line) => notices.push(line),
    });
    const untouched = JSON.stringify(await readWeights(network)) === JSON.stringify(before);
    const { x, y } = examples(6), losses = [(await trainer.evaluate(x, y)).loss];
    for (let i = 0; i < 20; i++) await trainer.trainOnBatch(x, y);
    losses.push((await trainer.evaluate(x, y)).loss);
    console.log(JSON.stringify({ notices, untouched, losses }));
  } else {
    const checkpoint = checkpointFile(path!), abort = new AbortController();
    await train(model(), checkpoint, { signal: abort.signal, onEpoch: (epoch) => epoch === 2 && abort.abort() }).catch(
      () => copyFileSync(path!, `${path}.before`),
    );
    let calls = 0; // the second trace is under way at the second call
    await train(model(() => ++calls === 2 && Deno.kill(Deno.pid, "SIGKILL")), checkpoint);
    console.log("not killed");
  }
}
