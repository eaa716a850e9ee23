/**
 * serlab's side of the training bench: a process that training.ts starts and talks to, one JSON object a line.
 *
 * @module
 */

import { readFileSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import process from "node:process";
import * as tf from "@tensorflow/tfjs";
import { compile, NO_PATCHES, type Patches } from "../../lib/engine/compiled/mod.ts";
import { createTrainer } from "../../lib/engine/mod.ts";
import { type BackendName, startEngine } from "../../lib/engine/tf.ts";
import { eagerTrainer, type Trainer } from "../../lib/engine/trainer.ts";
import { fit } from "../../lib/training/train.ts";
import type { NdArray } from "../../lib/types.ts";
import { plainFilterGradient, useFilterGradient } from "../engine/wasm_plain.ts";
import { MODELS } from "./training_models.ts";

const started = performance.timeOrigin;
let trainer: Trainer;
let model: tf.LayersModel;

interface Build {
  readonly name: string;
  readonly backend?: BackendName;
  readonly mode: "compiled" | "eager";
  readonly patches?: "all" | "none" | Partial<Patches>;
  readonly dropout?: boolean;
  /** On wasm: with the filter's gradient as the plain sum. */
  readonly plain?: boolean;
  /** Relative size of a random change of the initial weights. */
  readonly moved?: number;
}

/** Highest resident memory so far, MB. */
function peakMb(): number {
  const status = Deno.build.os === "linux" ? readFileSync("/proc/self/status", "utf8") : "";
  const kB = /VmHWM:\s+(\d+)/.exec(status)?.[1];
  return kB ? Number(kB) / 1024 : Deno.memoryUsage().rss / 2 ** 20;
}

function read(path: string, shape: readonly number[]): NdArray {
  return { data: new Float32Array(readFileSync(path).buffer.slice(0)), shape };
}

/** Each layer's weights in its own order, one after the other: as Keras has them too. */
function layerWeights(): Float32Array {
  const parts = model.layers.flatMap((layer) => layer.getWeights().map((w) => w.dataSync()));
  const flat = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    flat.set(part, at);
    at += part.length;
  }
  return flat;
}

const calls = {
  async build({ name, backend, mode, patches, dropout = true, moved = 0, plain = false }: Build) {
    await startEngine({ backend });
    if (plain) useFilterGradient(plainFilterGradient);
    const { make, optimizer } = MODELS[name]!;
    model = make();
    if (!dropout) {
      for (const layer of model.layers) {
        if (layer.getClassName() === "Dropout") (layer as unknown as { rate: number }).rate = 0;
      }
    }
    if (moved > 0) {
      const factor = (w: tf.Tensor) => tf.randomUniform(w.shape, 1 - moved, 1 + moved, "float32", 1);
      tf.tidy(() => model.setWeights(model.getWeights().map((w) => tf.mul(w, factor(w)))));
    }
    const before = performance.now();
    const chosen = patches === "none" ? NO_PATCHES : patches === "all" || !patches ? {} : patches;
    trainer = mode === "eager"
      ? eagerTrainer(model, { optimizer, seed: 1 })
      : compile(model, { optimizer, seed: 1, patches: chosen });
    return {
      params: model.countParams(),
      buildMs: performance.now() - before,
      ...("statistics" in trainer ? { statistics: trainer.statistics } : {}),
    };
  },

  async steps({ x, y, shape, classes, count, warm = 0 }: Steps) {
    const rows = read(x, shape), targets = read(y, [shape[0]!, classes]);
    const ms: number[] = [], processorMs: number[] = [], losses: number[] = [];
    for (let i = 0; i < warm + count; i++) {
      const before = performance.now(), used = process.cpuUsage();
      const { loss } = await trainer.trainOnBatch(rows, targets);
      losses.push(loss);
      if (i < warm) continue;
      ms.push(performance.now() - before);
      const { user, system } = process.cpuUsage(used);
      processorMs.push((user + system) / 1000);
    }
    return { ms, processorMs, losses, peakMb: peakMb() };
  },

  async predict({ x, shape, count, warm = 0 }: Steps) {
    const rows = read(x, shape), ms: number[] = [];
    for (let i = 0; i < warm + count; i++) {
      const before = performance.now();
      await trainer.predict(rows, { batchSize: shape[0]! });
      if (i >= warm) ms.push(performance.now() - before);
    }
    return { ms };
  },

  weights({ path }: { path: string }) {
    trainer.pullWeights();
    writeFileSync(path, new Uint8Array(layerWeights().buffer));
    return {};
  },

  /** A whole training on made-up data, from this process's start. */
  async fit({ name, rows, validation, epochs, batch }: Fit) {
    await startEngine();
    const { make, optimizer, shape, classes } = MODELS[name]!;
    const size = shape.reduce((a, b) => a * b, 1);
    const numbers = (n: number): Float32Array => {
      const data = new Float32Array(n);
      for (let i = 0; i < n; i++) data[i] = (i * 40_503 % 65_536) / 65_536 - 0.5;
      return data;
    };
    const data = (n: number) => ({
      x: { data: numbers(n * size), shape: [n, ...shape] },
      y: Int32Array.from({ length: n }, (_, i) => i % classes),
    });
    const training = data(rows), held = validation ? data(validation) : undefined;
    const model = make(), own = createTrainer(model, { optimizer, seed: 1 });
    const { history } = await fit(own, training, { epochs, batchSize: batch }, { seed: 1, validation: held });
    const seconds = (performance.timeOrigin + performance.now() - started) / 1000;
    return { loss: history.at(-1)!.loss, params: model.countParams(), seconds };
  },
};

interface Steps {
  readonly x: string;
  readonly y: string;
  readonly shape: readonly number[];
  readonly classes: number;
  readonly count: number;
  readonly warm?: number;
}

interface Fit {
  readonly name: string;
  readonly rows: number;
  readonly validation?: number;
  readonly epochs: number;
  readonly batch: number;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...call } = JSON.parse(line) as { do: keyof typeof calls };
  const answer = await (calls[name] as (call: unknown) => unknown)(call);
  console.log(JSON.stringify(answer));
}
