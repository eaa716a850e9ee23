/**
 * One backend's speed as a line of JSON; `doctor` runs it in a process of its own.
 *
 * @module
 */

import { type BackendName, startEngine } from "../engine/tf.ts";
import { eagerTrainer } from "../engine/trainer.ts";
import { study000Cnn } from "../models/mod.ts";

const backend = Deno.args[0] as BackendName;
try {
  const { version } = await startEngine({ backend });
  const trainer = eagerTrainer(study000Cnn({ classes: 8, seed: 0 }), {
    optimizer: { kind: "adam", learningRate: 1e-3 },
    seed: 0,
  });
  const x = { data: Float32Array.from({ length: 32 * 4096 }, (_, i) => Math.sin(i)), shape: [32, 64, 64, 1] };
  const y = Int32Array.from({ length: 32 }, (_, i) => i % 8);
  const times: number[] = [];
  for (let i = 0; i < 7; i++) {
    const started = performance.now();
    await trainer.trainOnBatch(x, y);
    if (i >= 2) times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  console.log(JSON.stringify({ backend, available: true, version, stepMs: times[times.length >> 1] }));
} catch (error) {
  const note = (error as Error).message.replace(/^Backend \w+ is not there: /, "").replace(/\.$/, "");
  console.log(JSON.stringify({ backend, available: false, note }));
}
Deno.exit(0);
