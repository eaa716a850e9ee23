/**
 * The training bench: each study's model on serlab beside Keras 3 on the same TensorFlow, alternating in one run.
 *
 * `deno task bench [--only speed,studies,patches,wasm,agreement] [--models a,b] [--rounds 5] [--install-keras]`. Without
 * `--only` all parts are measured. A part, or some of its models, replaces only its own rows of results/bench, each as
 * soon as it is measured. Keras is found by SERLAB_KERAS_PYTHON, or in the user cache, where `--install-keras` puts it;
 * without it only serlab's own columns are measured and nothing is written.
 *
 * @module
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Patches } from "../../lib/engine/compiled/mod.ts";
import { writeFileAtomic } from "../../lib/io.ts";
import { RandomState } from "../../lib/random.ts";
import { MODELS } from "./training_models.ts";
import { type Answer, Child, environment, installKeras, kerasPython, ours, peer } from "./training_processes.ts";
import {
  type Column,
  load,
  markdown,
  median,
  print,
  round,
  type Row,
  save,
  spread,
  type Table,
} from "./training_tables.ts";

const results = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), "results", "bench");

/** A row of the table of speeds: what is run, how often in a round, and what is to be reached. */
interface Speed {
  readonly row: string;
  readonly model: string;
  readonly target: number;
  readonly kind: "step" | "predict";
  readonly warm: number;
  readonly count: number;
  readonly rows?: number;
  /** False where a step operation by operation does not fit into memory. */
  readonly eager?: boolean;
}

const SPEEDS: readonly Speed[] = [
  { row: "cnn2d", model: "cnn2d", target: 0.95, kind: "step", warm: 2, count: 7 },
  { row: "cnn-lstm", model: "cnn_lstm", target: 0.75, kind: "step", warm: 3, count: 25 },
  { row: "study 002 Conv1D", model: "study002", target: 0.9, kind: "step", warm: 1, count: 2 },
  { row: "MLP", model: "study004", target: 0.6, kind: "step", warm: 20, count: 200 },
  {
    row: "study 003 2-D CNN, batch 1024",
    model: "study003_2d",
    target: 0.95,
    kind: "step",
    warm: 1,
    count: 2,
    eager: false,
  },
  { row: "VGG16 block5 fine-tuning", model: "study001_vgg16", target: 0.95, kind: "step", warm: 1, count: 2 },
  { row: "predict, 64 × cnn2d", model: "cnn2d", target: 1.0, kind: "predict", warm: 2, count: 10, rows: 64 },
  { row: "study 000 optimised", model: "study000", target: 0.95, kind: "step", warm: 3, count: 20 },
  { row: "study 003 1-D CNN", model: "study003_1d", target: 0.95, kind: "step", warm: 3, count: 20 },
];

/** Whole trainings: what a study's run takes from the start of the process to the last epoch. */
const WHOLE = [
  { row: "study 000 vanilla, 50 epochs", model: "study000_vanilla", rows: 168, validation: 36, epochs: 50, batch: 32 },
  { row: "study 000 optimised, 29 epochs", model: "study000", rows: 168, validation: 36, epochs: 29, batch: 32 },
  { row: "study 003 1-D CNN, 5 epochs", model: "study003_1d", rows: 4948, validation: 261, epochs: 5, batch: 120 },
  { row: "study 003 2-D CNN, 5 epochs", model: "study003_2d", rows: 4948, validation: 261, epochs: 5, batch: 1024 },
] as const;

/** Models on which each patch is left out by itself. */
const PATCHED: readonly { readonly model: string; readonly rows?: number; readonly without: (keyof Patches)[] }[] = [
  { model: "cnn2d", without: ["relu", "matMul", "crossEntropy", "optimizer"] },
  { model: "study000", without: ["penalty", "optimizer"] },
  { model: "cnn_lstm", without: ["matMul", "lstm"] },
  { model: "study004", without: ["crossEntropy", "penalty", "optimizer", "matMul"] },
  { model: "study002", rows: 16, without: ["batchNorm", "relu", "matMul", "crossEntropy", "optimizer"] },
];

const FOLLOWED = [
  "study000",
  "study000_vanilla",
  "cnn_lstm",
  "study001_vgg16",
  "study002",
  "study003_1d",
  "study003_2d",
  "study004",
];
const ENGINES = ["eager", "eager moved by 1e-7", "compiled", "compiled, no patches", "wasm", "keras"];

const variantsOf = ({ without }: typeof PATCHED[number]): string[] => [
  ...["all", "none"],
  ...without.map((patch) => `without ${patch}`),
];
const TIMES: Table = {
  file: "training.json",
  key: ["model"],
  order: [...SPEEDS, ...WHOLE].map(({ row }) => row),
};
const PATCHES: Table = {
  file: "training-patches.json",
  key: ["model", "patches"],
  order: PATCHED.flatMap((one) => variantsOf(one).map((variant) => `${one.model} | ${variant}`)),
};
const AGREEMENT: Table = {
  file: "training-agreement.json",
  key: ["model", "engine"],
  order: FOLLOWED.flatMap((model) => ENGINES.map((engine) => `${model} | ${engine}`)),
};
/** Models on wasm, with so many rows that the plain sum takes seconds, not minutes. */
const ON_WASM: readonly { readonly model: string; readonly rows: number }[] = [
  { model: "study000", rows: 8 },
  { model: "study001_vgg16", rows: 1 },
  { model: "study002", rows: 1 },
  { model: "study003_1d", rows: 32 },
  { model: "study003_2d", rows: 2 },
  { model: "study004", rows: 256 },
  { model: "cnn_lstm", rows: 8 },
];
const WASM: Table = { file: "training-wasm.json", key: ["model"], order: ON_WASM.map(({ model }) => model) };
const ENVIRONMENT: Table = {
  file: "training-environment.json",
  key: ["part"],
  order: ["speed", "studies", "patches", "wasm", "agreement"],
};

const columns = (...names: string[]): Column[] => names.map((name) => [name, (row) => row[name]]);
const nested = (name: string, field: string) => (row: Row): unknown =>
  (row[name] as Record<string, unknown> | undefined)?.[field];
const SPEED_COLUMNS: readonly Column[] = [
  ...columns("model", "params", "batch"),
  ["serlab min / median / max", (row) => row["oursMs"]],
  ["Keras min / median / max", (row) => row["kerasMs"]],
  ...columns("ratio", "target"),
  ["op by op", (row) => row["eagerMs"]],
];
const FIRST_COLUMNS: readonly Column[] = [
  ...columns("model"),
  ["trace ms", nested("trace", "traceMs")],
  ["load ms", nested("trace", "loadMs")],
  ["first run ms", nested("trace", "firstRunMs")],
  ["first step ms", nested("trace", "firstStepMs")],
  ["bound ms", nested("trace", "boundMs")],
  ["nodes", nested("trace", "nodes")],
  ["peak MB, serlab", nested("peakMb", "ours")],
  ["peak MB, Keras", nested("peakMb", "keras")],
];
const WHOLE_COLUMNS: readonly Column[] = [
  ...columns("model", "params"),
  ["serlab min / median / max", (row) => row["oursS"]],
  ["Keras min / median / max", (row) => row["kerasS"]],
  ...columns("ratio", "target"),
];
const PATCH_COLUMNS: readonly Column[] = [
  ...columns("model", "batch", "patches"),
  ["min / median / max", (row) => row["spread"]],
  ...columns("ratio"),
];
const WASM_COLUMNS: readonly Column[] = [
  ...columns("model", "batch"),
  ["ms min / median / max", (row) => row["oursMs"]],
  ["with the plain sum", (row) => row["plainMs"]],
  ["times faster", (row) => row["faster"]],
];
const AGREEMENT_COLUMNS = columns(
  ...["model", "engine", "loss1", "loss5", "lossApart1", "lossApart5", "weightsApart1", "weightsApart5"],
);

let folder: string; // what the processes hand each other as files

/** Writes a batch of Gaussian noise and labels as float32 files. */
function writeBatch(model: string, n: number, seed = 0): { x: string; y: string; shape: number[]; classes: number } {
  const { shape, classes } = MODELS[model]!;
  const rng = new RandomState(seed), size = shape.reduce((a, b) => a * b, n);
  const x = join(folder, `${model}-${n}-${seed}-x`), y = join(folder, `${model}-${n}-${seed}-y`);
  const targets = new Float32Array(n * classes);
  for (let i = 0; i < n; i++) targets[i * classes + (i * 7 + seed) % classes] = 1;
  writeFileSync(x, new Uint8Array(Float32Array.from(rng.randn(size)).buffer));
  writeFileSync(y, new Uint8Array(targets.buffer));
  return { x, y, shape: [n, ...shape], classes };
}

/** What Keras is told of a model. */
function kerasModel(name: string): Answer {
  const { shape, classes, optimizer } = MODELS[name]!;
  return { do: "build", name, shape, classes, optimizer: optimizer.kind, rate: optimizer.learningRate };
}

/** Medians of both sides and their ratio. */
function beside(mine: readonly number[], theirs: readonly number[], unit: "ms" | "s"): Row {
  const names = unit === "ms" ? ["oursMs", "kerasMs"] as const : ["oursS", "kerasS"] as const;
  const keras = theirs.length ? round(median(theirs)) : null;
  return {
    unit,
    ours: round(median(mine)),
    keras,
    peer: keras, // under the name that every bench of serlab has for what stands beside it
    ratio: theirs.length ? round(median(mine) / median(theirs), 3) : null,
    [names[0]]: spread(mine),
    ...(theirs.length ? { [names[1]]: spread(theirs) } : {}),
  };
}

async function speedRow(row: Speed, rounds: number, keras: string | null): Promise<Row> {
  const { batch, classes } = MODELS[row.model]!;
  const n = row.rows ?? batch, data = writeBatch(row.model, n);
  const call = row.kind === "step"
    ? { do: "steps", x: data.x, shape: data.shape, y: data.y, classes }
    : { do: "predict", x: data.x, shape: data.shape };
  const own = ours();
  const built = await own.ask({ do: "build", name: row.model, mode: "compiled" });
  const first = await own.ask({ ...call, count: 1, warm: 0 });
  const other = keras ? peer(keras) : null;
  await other?.ask(kerasModel(row.model));
  const mine: number[] = [], theirs: number[] = [];
  let minePeak = 0, theirPeak = 0;
  for (let i = 0; i < rounds; i++) {
    const warm = i === 0 ? row.warm : 1;
    const a = await own.ask({ ...call, count: row.count, warm });
    mine.push(median(a["ms"] as number[]));
    minePeak = Math.max(minePeak, Number(a["peakMb"] ?? 0));
    if (!other) continue;
    const b = await other.ask({ ...call, count: row.count, warm: i === 0 ? row.warm + 1 : 1 });
    theirs.push(median(b["ms"] as number[]));
    theirPeak = Math.max(theirPeak, Number(b["peakMb"] ?? 0));
  }
  await own.end();
  await other?.end();
  const eager = row.kind === "step" && row.eager !== false ? await eagerMs(row, data) : null;
  const { traceMs, loadMs, nodes } = built["statistics"] as { traceMs: number; loadMs: number; nodes: number };
  const firstRunMs = (first["ms"] as number[])[0]!;
  return {
    model: row.row,
    params: built["params"],
    batch: n,
    target: row.target,
    ...beside(mine, theirs, "ms"),
    ...(eager === null ? {} : { eagerMs: round(eager) }),
    trace: {
      traceMs: round(traceMs, 0),
      loadMs: round(loadMs, 0),
      firstRunMs: round(firstRunMs, 0),
      firstStepMs: round(traceMs + loadMs + firstRunMs, 0),
      ...(eager === null ? {} : { boundMs: round(4 * eager + 1000, 0) }), // four steps op by op, and a second
      nodes,
    },
    ...(row.kind === "step" ? { peakMb: { ours: round(minePeak, 0), keras: other ? round(theirPeak, 0) : null } } : {}),
  };
}

async function eagerMs(row: Speed, data: { x: string; y: string; shape: number[]; classes: number }): Promise<number> {
  const child = ours();
  await child.ask({ do: "build", name: row.model, mode: "eager" });
  const { ms } = await child.ask({ do: "steps", ...data, count: Math.max(1, Math.min(row.count, 5)), warm: 1 });
  await child.end();
  return median(ms as number[]);
}

/** What is to be measured. */
interface Plan {
  readonly models: readonly string[] | null;
  readonly rounds: number;
  readonly keras: string | null;
}

const chosen = <T extends { readonly model: string }>(list: readonly T[], { models }: Plan): T[] =>
  list.filter(({ model }) => !models || models.includes(model));

/** Keeps rows, where Keras stands beside them, and prints them. */
function found({ keras }: Plan, table: Table, rows: readonly Row[]): Row[] {
  for (const row of rows) console.log(JSON.stringify(row));
  if (keras) save(results, table, rows);
  return [...rows];
}

async function speed(plan: Plan): Promise<void> {
  const rows: Row[] = [];
  for (const row of chosen(SPEEDS, plan)) {
    rows.push(...found(plan, TIMES, [await speedRow(row, plan.rounds, plan.keras)]));
  }
  print("ms a step", rows, SPEED_COLUMNS);
  print("before the first step, and the highest memory", rows, FIRST_COLUMNS);
}

async function studies(plan: Plan): Promise<void> {
  const rows: Row[] = [];
  for (const { row, model, ...training } of chosen(WHOLE, plan)) {
    const { shape, classes } = MODELS[model]!;
    const mine: number[] = [], theirs: number[] = [];
    let params: unknown;
    for (let i = 0; i < plan.rounds; i++) {
      const own = ours();
      const fitted = await own.ask({ do: "fit", name: model, ...training });
      mine.push(Number(fitted["seconds"]));
      params = fitted["params"];
      await own.end();
      if (!plan.keras) continue;
      const other = peer(plan.keras);
      await other.ask(kerasModel(model));
      theirs.push(Number((await other.ask({ do: "fit", shape, classes, ...training }))["seconds"]));
      await other.end();
    }
    rows.push(...found(plan, TIMES, [{ model: row, params, target: 0.9, ...beside(mine, theirs, "s") }]));
  }
  print("s a whole training, process start included", rows, WHOLE_COLUMNS);
}

/** What each patch gains in time, on its own: all patches against all but this one. */
async function patches(plan: Plan): Promise<void> {
  const rows: Row[] = [];
  for (const one of chosen(PATCHED, plan)) {
    const { model, without } = one, { warm, count } = SPEEDS.find((row) => row.model === model && row.kind === "step")!;
    const data = writeBatch(model, one.rows ?? MODELS[model]!.batch);
    const variants: (Partial<Patches> | "none")[] = [{}, "none", ...without.map((patch) => ({ [patch]: false }))];
    const children: { variant: string; child: Child; ms: number[] }[] = [];
    for (const [i, chosen] of variants.entries()) {
      const child = ours();
      await child.ask({ do: "build", name: model, mode: "compiled", patches: chosen });
      children.push({ variant: variantsOf(one)[i]!, child, ms: [] });
    }
    for (let i = 0; i < plan.rounds; i++) {
      for (const { child, ms } of children) {
        const answer = await child.ask({ do: "steps", ...data, count, warm: i === 0 ? warm : 1 });
        ms.push(median(answer["ms"] as number[]));
      }
    }
    for (const { child } of children) await child.end();
    const all = median(children[0]!.ms);
    const measured = children.map(({ variant, ms }) => ({
      model,
      batch: data.shape[0],
      patches: variant,
      ms: round(median(ms)),
      ratio: round(median(ms) / all, 3),
      spread: spread(ms),
    }));
    rows.push(...found(plan, PATCHES, measured));
  }
  print("ms a step by patches (ratio to all of them)", rows, PATCH_COLUMNS);
}

/** What the filter's gradient gains on wasm: a step with ours, and with the sum written out, in the processor's time. */
async function wasm(plan: Plan): Promise<void> {
  const rows: Row[] = [];
  for (const { model, rows: n } of chosen(ON_WASM, plan)) {
    const data = writeBatch(model, n), times: number[][] = [];
    for (const plain of [false, true]) {
      const child = ours();
      await child.ask({ do: "build", name: model, mode: "eager", backend: "wasm", plain });
      const { processorMs } = await child.ask({ do: "steps", ...data, count: plan.rounds, warm: plain ? 0 : 1 });
      times.push(processorMs as number[]);
      await child.end();
    }
    const [mine, theirs] = times as [number[], number[]];
    rows.push(...found(plan, WASM, [{
      model,
      batch: n,
      oursMs: spread(mine),
      plainMs: spread(theirs),
      faster: round(median(theirs) / median(mine)),
    }]));
  }
  print("processor's ms a step on wasm", rows, WASM_COLUMNS);
}

/** Losses, and weights after the first and the fifth step. */
interface Followed {
  readonly losses: readonly number[];
  readonly one: Float32Array;
  readonly five: Float32Array;
}

/** Takes five steps on one batch in a process that has built its model. */
async function fiveSteps(child: Child, data: Answer): Promise<Followed> {
  const losses: number[] = [], weights: Float32Array[] = [];
  for (let i = 0; i < 5; i++) {
    const answer = await child.ask({ do: "steps", ...data, count: 1 });
    losses.push(...answer["losses"] as number[]);
    if (i !== 0 && i !== 4) continue;
    const path = join(folder, "weights");
    await child.ask({ do: "weights", path });
    weights.push(new Float32Array(readFileSync(path).buffer.slice(0)));
  }
  await child.end();
  return { losses, one: weights[0]!, five: weights[1]! };
}

/** Loss and weights after one and five steps on four engines, from the same weights and batches, without dropout. */
async function agreement(plan: Plan): Promise<void> {
  const rows: Row[] = [];
  for (const model of FOLLOWED.filter((name) => !plan.models || plan.models.includes(name))) {
    const data = writeBatch(model, 8), start = join(folder, `${model}-start`);
    const follow = async (build: Answer, keep?: string): Promise<Followed> => {
      const child = ours();
      await child.ask({ do: "build", name: model, dropout: false, ...build });
      if (keep) await child.ask({ do: "weights", path: keep });
      return await fiveSteps(child, data);
    };
    const followKeras = async (python: string): Promise<Followed> => {
      const child = peer(python);
      await child.ask({ ...kerasModel(model), dropout: false, weights: start });
      return await fiveSteps(child, data);
    };
    const { keras } = plan;
    const engines: Readonly<Record<string, (() => Promise<Followed>) | undefined>> = {
      "eager": () => follow({ mode: "eager" }, start),
      "eager moved by 1e-7": () => follow({ mode: "eager", moved: 1e-7 }),
      "compiled": () => follow({ mode: "compiled" }),
      "compiled, no patches": () => follow({ mode: "compiled", patches: "none" }),
      "wasm": () => follow({ mode: "eager", backend: "wasm" }),
      "keras": keras ? () => followKeras(keras) : undefined,
    };
    const apart = (a: Float32Array, b: Float32Array) => a.reduce((m, v, i) => Math.max(m, Math.abs(v - b[i]!)), 0);
    let reference: Followed | undefined;
    for (const engine of ENGINES) {
      const result = await engines[engine]?.();
      if (!result) continue;
      reference ??= result;
      rows.push(...found(plan, AGREEMENT, [{
        model,
        engine,
        loss1: result.losses[0],
        loss5: result.losses[4],
        lossApart1: Math.abs(result.losses[0]! - reference.losses[0]!),
        lossApart5: Math.abs(result.losses[4]! - reference.losses[4]!),
        weightsApart1: apart(result.one, reference.one),
        weightsApart5: apart(result.five, reference.five),
      }]));
    }
  }
  print("agreement with eager", rows, AGREEMENT_COLUMNS);
}

const EXPLAINED =
  `The agreement table compares with tf.js op by op ('eager'), from the same weights and batches of eight rows, dropout
off. 'eager moved by 1e-7' is eager itself from initial weights multiplied by 1 ± 1e-7: what rounding alone grows to. Adam
and RMSprop divide a gradient by its own size, so a weight whose gradient is zero but for rounding (a bias before batch
normalisation, a dead unit) moves by the whole learning rate in a direction that rounding decides: two engines may then
differ by twice the rate after one step, which the loss does not see. Five steps on eight rows multiply such differences
in networks with batch normalisation (study 002) most. wasm adds a penalty's squares up one after the other in single
precision, so a large layer's penalty (study 000: 1.6 million weights) is off in the fourth digit; its gradient is not.
`;

const WASM_EXPLAINED =
  `tf.js's wasm backend has no gradient of a convolution's filter; the plain sum is that gradient from its definition. VGG16
trains one convolution of thirteen, cnn-lstm's only one is small beside its LSTM, the MLP has none: there is little or no
such gradient to be fast at. The processor's time
is of all threads together: the sum has one, the kernels have several, so by the clock the distance is greater.
`;

/** The tables as text, from the JSON files in a folder. */
export function report(from: string): string {
  const times = load(from, TIMES), machines = load(from, ENVIRONMENT);
  const speeds = times.filter(({ unit }) => unit !== "s");
  const shared = machines.map(({ part: _, ...machine }) => JSON.stringify(machine));
  const machine = new Set(shared).size === 1
    ? `All parts: ${shared[0]}`
    : machines.map(({ part }, i) => `- ${part}: ${shared[i]}`).join("\n");
  const parts = [
    "# Training: serlab beside Keras 3 on the same TensorFlow",
    "Written by `deno task bench` (tests/bench/training.ts): alternating rounds, each figure min / median / max of them.",
    machine,
    "## ms a step",
    markdown(speeds, SPEED_COLUMNS),
    "## Before the first step, and the highest memory",
    "The first step's bound is four steps op by op and a second; it is paid once, for batches of every size.",
    markdown(speeds, FIRST_COLUMNS),
    "## s a whole training, process start included",
    markdown(times.filter(({ unit }) => unit === "s"), WHOLE_COLUMNS),
    "## ms a step by patches (ratio to all of them in force)",
    "`tile` is not here: it is there so that a model compiles at all (tf.js's gradient is another graph for each batch).",
    markdown(load(from, PATCHES), PATCH_COLUMNS),
    "## Processor's ms a step on wasm, and with the filter's gradient as the plain sum",
    WASM_EXPLAINED.trimEnd(),
    markdown(load(from, WASM), WASM_COLUMNS),
    "## Agreement: largest differences from eager after one and five steps",
    EXPLAINED.trimEnd(),
    markdown(load(from, AGREEMENT), AGREEMENT_COLUMNS),
  ];
  return parts.join("\n\n") + "\n";
}

const PARTS: Readonly<Record<string, (plan: Plan) => Promise<void>>> = { speed, studies, patches, wasm, agreement };

async function main(): Promise<void> {
  const { values } = parseArgs({
    args: process.argv.slice(2).filter((arg, i) => i > 0 || arg !== "--"), // `deno task bench -- --only …` hands it on
    options: {
      "only": { type: "string", default: Object.keys(PARTS).join() },
      "models": { type: "string" },
      "rounds": { type: "string", default: "5" },
      "install-keras": { type: "boolean", default: false },
    },
  });
  const parts = values.only.split(","), models = values.models?.split(",") ?? null, rounds = Number(values.rounds);
  const unknown = parts.find((part) => !PARTS[part]) ?? models?.find((model) => !MODELS[model]);
  if (unknown !== undefined || !(rounds >= 1)) {
    console.error(
      `There is no ${unknown ?? `round ${values.rounds}`}: parts are ${Object.keys(PARTS)}; models are ${
        Object.keys(MODELS)
      }; rounds are 1 or more.`,
    );
    Deno.exit(2);
  }
  if (values["install-keras"]) await installKeras();
  const keras = kerasPython();
  if (!keras) console.log("Keras is not here: only serlab's own columns (--install-keras fetches it).");
  folder = mkdtempSync(join(tmpdir(), "serlab-bench-"));
  try {
    const machine = await environment(keras);
    console.log(JSON.stringify(machine));
    for (const part of parts) {
      await PARTS[part]!({ models, rounds, keras });
      if (!keras) continue;
      save(results, ENVIRONMENT, [{ part, ...machine }]);
      writeFileAtomic(join(results, "training.md"), report(results));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) await main();
