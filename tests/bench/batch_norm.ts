/**
 * Why study 002's network fails on a tenth of the recordings:
 * `deno run -A tests/bench/batch_norm.ts DATA [--divisor 4] [--epochs 10] [--python PATH]` writes
 * results/bench/batch-norm.json and batch-norm.md.
 *
 * The network, at a part of its widths, is trained on the training rows of `clean` here and in Keras. After each epoch
 * a fifth of those very rows is predicted: what the network made of them in training, by the batches' own statistics,
 * stands beside what it makes of them in prediction, by batch normalisation's moving averages.
 *
 * @module
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { findStudy } from "../../experiments/mod.ts";
import { createTrainer } from "../../lib/engine/mod.ts";
import { startEngine } from "../../lib/engine/tf.ts";
import { writeFileAtomic } from "../../lib/io.ts";
import { study002Conv1d } from "../../lib/models/mod.ts";
import { encodeNpy } from "../../lib/npy.ts";
import { stream } from "../../lib/random.ts";
import { featuresOf, planRun, prepare } from "../../lib/study/run.ts";
import { applyScaler, fitScaler, takeRows } from "../../lib/training/dataset.ts";

const { values, positionals: [dir = "data"] } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    divisor: { type: "string", default: "4" },
    epochs: { type: "string", default: "10" },
    fraction: { type: "string", default: "0.1" },
    python: { type: "string", default: Deno.env.get("SERLAB_KERAS_PYTHON") ?? "python3" },
  },
});
const divisor = Number(values.divisor), epochs = Number(values.epochs), fraction = Number(values.fraction);
const BATCH = 64;

/** Accuracies of one epoch. */
interface Epoch {
  readonly epoch: number;
  /** On the training rows, in training mode, while they were trained on. */
  readonly training: number;
  /** On a fifth of the training rows, in prediction mode. */
  readonly predicted: number;
  /** On the test rows. */
  readonly test: number;
}

const engine = await startEngine({ backend: "native" });
const study = findStudy("002");
const prepared = await prepare(study, { dir, fraction, cache: true });
const run = { variant: "conv1d", protocol: "clean", seed: 0, out: tmpdir(), engine } as const;
const { examples, folds: [fold], input } = await planRun(prepared, run);
const { x: raw } = await featuresOf(prepared, run);
const y = new Int32Array(raw.shape[0]!);
for (const { feature, label } of examples) y[feature] = study.labels.indexOf(label);
const featureRows = (rows: readonly number[]): Int32Array => Int32Array.from(rows, (row) => examples[row]!.feature);
const train = featureRows(fold!.train), test = featureRows(fold!.test);
const sample = train.filter((_, i) => i % 5 === 0);
const x = applyScaler(fitScaler(input.scaler, raw, train), raw);
const batch = (rows: Int32Array) => [takeRows(x, rows), Int32Array.from(rows, (row) => y[row]!)] as const;

async function ours(): Promise<Epoch[]> {
  const model = study002Conv1d({ classes: study.labels.length, seed: 0, widthDivisor: divisor });
  const trainer = createTrainer(model, {
    optimizer: { kind: "adam", learningRate: 0.001 },
    seed: 0,
    onNotice: (line) => console.error(line),
  });
  const done: Epoch[] = [];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const order = stream(0, "shuffle", epoch).permutation(train.length).map((i) => train[i]!);
    let hits = 0;
    for (let start = 0; start < order.length; start += BATCH) {
      const rows = Int32Array.from(order.slice(start, start + BATCH));
      hits += (await trainer.trainOnBatch(...batch(rows))).accuracy * rows.length;
    }
    const [predicted, tested] = [await trainer.evaluate(...batch(sample)), await trainer.evaluate(...batch(test))];
    done.push({ epoch, training: hits / train.length, predicted: predicted.accuracy, test: tested.accuracy });
    console.error("serlab", JSON.stringify(done.at(-1)));
  }
  trainer.dispose();
  model.dispose();
  return done;
}

async function keras(): Promise<Epoch[]> {
  const folder = mkdtempSync(join(tmpdir(), "serlab-batch-norm-"));
  try {
    const put = (name: string, data: Float32Array, shape: readonly number[] = [data.length]): void =>
      writeFileSync(join(folder, `${name}.npy`), encodeNpy({ data, shape }));
    put("x", x.data, x.shape);
    for (const [name, rows] of Object.entries({ y, train, sample, test })) put(name, Float32Array.from(rows));
    const script = fileURLToPath(new URL("batch_norm.py", import.meta.url));
    const { code, stdout } = await new Deno.Command(values.python, {
      args: [script, folder, String(divisor), String(epochs)],
      stdout: "piped",
      stderr: "inherit",
    }).output();
    if (code !== 0) throw new Error(`${script} ended with exit code ${code}.`);
    return new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line) as Epoch);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const sides = { serlab: await ours(), keras: await keras() };
const steps = Math.ceil(train.length / BATCH);
const what = {
  fraction,
  divisor,
  trainingRows: train.length,
  testRows: test.length,
  stepsAnEpoch: steps,
  machine: {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    deno: Deno.version.deno,
    tensorflow: engine.version,
  },
};
const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
const rows = sides.serlab.map((own, i) => [own, sides.keras[i]!]).map(([own, peer]) =>
  `| ${own!.epoch} | ${steps * own!.epoch} | ${
    [own!, peer!].flatMap(({ training, predicted, test }) => [training, predicted, test]).map(percent).join(" | ")
  } |`
);
const text = `# Study 002's network on a part of the recordings: what batch normalisation's moving averages cost

Written by tests/bench/batch_norm.ts. ${JSON.stringify(what)}

The notebook's network with every width divided by ${divisor}, Adam 0.001, batches of ${BATCH}, on the ${train.length} training rows of
\`clean\` (${
  percent(fraction)
} of the recordings); no early stopping. 'Trained' is the accuracy on training rows while they are
trained on, normalised by their own batch; 'predicted' that on a fifth of the same rows afterwards, normalised by the
moving averages (momentum 0.99), as every prediction is; 'test' that on ${test.length} rows of unknown speakers.

| epoch | steps so far | serlab: trained | predicted | test | Keras: trained | predicted | test |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
${rows.join("\n")}
`;
const results = fileURLToPath(new URL("../../results/bench", import.meta.url));
writeFileAtomic(join(results, "batch-norm.json"), `${JSON.stringify({ ...what, ...sides }, null, 1)}\n`);
writeFileAtomic(join(results, "batch-norm.md"), text);
