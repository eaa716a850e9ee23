/**
 * The training bench: each study's model on serlab beside Keras 3 on the same TensorFlow, alternating in one run.
 *
 * `deno run -A tests/bench/training.ts [speed] [agreement] [patches] [studies] [--models a,b] [--rounds 5]` (all parts
 * without one named). Keras is found by SERLAB_KERAS_PYTHON, or in the user cache, where `--install-keras` puts it; without
 * it only serlab's own columns are measured and nothing is written.
 *
 * @module
 */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import process from "node:process";
import { RandomState } from "../../lib/random.ts";
import type { Patches } from "../../lib/engine/compiled/mod.ts";
import { cacheFolder } from "../../lib/setup/cache.ts";
import { MODELS } from "./training_models.ts";

const KERAS = "3.15.1", TENSORFLOW = "2.19.1";
const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));
const results = join(root, "results", "bench");

/** A row of the table: what is run, how often in a round, and what is to be reached. */
interface Row {
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

const ROWS: readonly Row[] = [
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
const STUDIES = [
  { row: "study 000 vanilla, 50 epochs", model: "study000_vanilla", rows: 168, validation: 36, epochs: 50, batch: 32 },
  { row: "study 000 optimised, 29 epochs", model: "study000", rows: 168, validation: 36, epochs: 29, batch: 32 },
  { row: "study 003 1-D CNN, 5 epochs", model: "study003_1d", rows: 4948, validation: 261, epochs: 5, batch: 120 },
  { row: "study 003 2-D CNN, 5 epochs", model: "study003_2d", rows: 4948, validation: 261, epochs: 5, batch: 1024 },
];

type Answer = Readonly<Record<string, unknown>>;

/** A process that answers one JSON line with another. */
class Child {
  readonly #process: ReturnType<typeof spawn>;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor(command: string, args: readonly string[]) {
    this.#process = spawn(command, [...args], { stdio: ["pipe", "pipe", "inherit"], cwd: root });
    this.#reader = createInterface({ input: this.#process.stdout! });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  async ask(call: Answer): Promise<Answer> {
    this.#process.stdin!.write(JSON.stringify(call) + "\n");
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`The process ended instead of answering ${call["do"]}.`);
      if (value.startsWith("{")) return JSON.parse(value) as Answer;
    }
  }

  async end(): Promise<void> {
    this.#process.stdin!.end();
    await new Promise((gone) => this.#process.once("exit", gone));
    this.#reader.close();
  }
}

const ours = (): Child => new Child(Deno.execPath(), ["run", "-A", join(here, "training_child.ts")]);

function kerasPython(): string | null {
  const own = Deno.env.get("SERLAB_KERAS_PYTHON");
  if (own) return own;
  const cached = join(kerasFolder(), "bin", "python");
  return existsSync(cached) ? cached : null;
}

function kerasFolder(): string {
  return join(cacheFolder(), `keras-${KERAS}-tensorflow-${TENSORFLOW}`);
}

async function installKeras(): Promise<void> {
  const run = async (command: string, args: string[]): Promise<void> => {
    const { code } = await new Deno.Command(command, { args, stdout: "inherit", stderr: "inherit" }).output();
    if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with code ${code}.`);
  };
  await run("python3", ["-m", "venv", kerasFolder()]);
  const python = join(kerasFolder(), "bin", "python");
  await run(python, ["-m", "pip", "install", "--quiet", `keras==${KERAS}`, `tensorflow-cpu==${TENSORFLOW}`]);
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
};
const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
const summary = (values: readonly number[]) => ({
  min: round(Math.min(...values)),
  median: round(median(values)),
  max: round(Math.max(...values)),
});

const folder = mkdtempSync(join(tmpdir(), "serlab-bench-"));

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

/** The machine and the versions, for the head of each table. */
async function environment(keras: string | null): Promise<Answer> {
  const python = keras ? new Child(keras, [join(here, "training_keras.py")]) : null;
  const versions = python ? await python.ask({ do: "versions" }) : {};
  await python?.end();
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    deno: Deno.version.deno,
    tensorflow: TENSORFLOW,
    peer: versions,
  };
}

async function speedRow(row: Row, rounds: number, keras: string | null): Promise<Answer> {
  const { make: _make, batch, classes, optimizer } = MODELS[row.model]!;
  const n = row.rows ?? batch, data = writeBatch(row.model, n);
  const call = { do: row.kind === "step" ? "steps" : "predict", x: data.x, shape: data.shape };
  const step = row.kind === "step" ? { y: data.y, classes } : {};
  const own = ours();
  const built = await own.ask({ do: "build", name: row.model, mode: "compiled" });
  const beforeFirst = performance.now();
  await own.ask({ ...call, ...step, count: 1, warm: 0 });
  const firstMs = performance.now() - beforeFirst;
  const peer = keras ? new Child(keras, [join(here, "training_keras.py")]) : null;
  await peer?.ask({
    do: "build",
    name: row.model,
    shape: MODELS[row.model]!.shape,
    classes,
    optimizer: optimizer.kind,
    rate: optimizer.learningRate,
  });
  const mine: number[] = [], theirs: number[] = [];
  let minePeak = 0, theirPeak = 0;
  for (let i = 0; i < rounds; i++) {
    const warm = i === 0 ? row.warm : 1;
    const a = await own.ask({ ...call, ...step, count: row.count, warm });
    mine.push(median(a["ms"] as number[]));
    minePeak = Math.max(minePeak, Number(a["peakMb"] ?? 0));
    if (!peer) continue;
    const kerasCall = row.kind === "step" ? { ...call, ...step } : call;
    const b = await peer.ask({ ...kerasCall, count: row.count, warm: i === 0 ? row.warm + 1 : 1 });
    theirs.push(median(b["ms"] as number[]));
    theirPeak = Math.max(theirPeak, Number(b["peakMb"] ?? 0));
  }
  await own.end();
  await peer?.end();
  const eager = row.kind === "step" && row.eager !== false ? await eagerMs(row, data) : null;
  const { traceMs, loadMs, nodes } = built["statistics"] as { traceMs: number; loadMs: number; nodes: number };
  return {
    model: row.row,
    params: built["params"],
    batch: n,
    ours: round(median(mine)),
    keras: theirs.length ? round(median(theirs)) : null,
    ratio: theirs.length ? round(median(mine) / median(theirs), 3) : null,
    target: row.target,
    oursMs: summary(mine),
    ...(theirs.length ? { kerasMs: summary(theirs) } : {}),
    ...(eager === null ? {} : { eagerMs: round(eager) }),
    trace: { traceMs: round(traceMs, 0), loadMs: round(loadMs, 0), firstRunMs: round(firstMs, 0), nodes },
    ...(row.kind === "step" ? { peakMb: { ours: round(minePeak, 0), keras: round(theirPeak, 0) } } : {}),
  };
}

async function eagerMs(row: Row, data: { x: string; y: string; shape: number[]; classes: number }): Promise<number> {
  const child = ours();
  await child.ask({ do: "build", name: row.model, mode: "eager" });
  const { ms } = await child.ask({ do: "steps", ...data, count: Math.max(1, Math.min(row.count, 5)), warm: 1 });
  await child.end();
  return median(ms as number[]);
}

async function speed(models: readonly string[] | null, rounds: number, keras: string | null): Promise<void> {
  const rows: Answer[] = [];
  for (const row of ROWS.filter(({ model }) => !models || models.includes(model))) {
    const result = await speedRow(row, rounds, keras);
    rows.push(result);
    console.log(JSON.stringify(result));
  }
  print("ms a step", rows, ["model", "params", "batch", "ours", "keras", "ratio", "target", "eagerMs"]);
  if (keras) save("training.json", rows, models !== null);
}

async function studies(models: readonly string[] | null, rounds: number, keras: string | null): Promise<void> {
  const rows: Answer[] = [];
  for (const { row, model, ...plan } of STUDIES.filter(({ model }) => !models || models.includes(model))) {
    const { shape, classes, optimizer } = MODELS[model]!;
    const mine: number[] = [], theirs: number[] = [];
    for (let i = 0; i < rounds; i++) {
      const own = ours();
      mine.push(Number((await own.ask({ do: "fit", name: model, ...plan }))["seconds"]));
      await own.end();
      if (!keras) continue;
      const peer = new Child(keras, [join(here, "training_keras.py")]);
      const rate = optimizer.learningRate;
      await peer.ask({ do: "build", name: model, shape, classes, optimizer: optimizer.kind, rate });
      theirs.push(Number((await peer.ask({ do: "fit", shape, classes, ...plan }))["seconds"]));
      await peer.end();
    }
    rows.push({
      model: row,
      ours: round(median(mine)),
      keras: theirs.length ? round(median(theirs)) : null,
      ratio: theirs.length ? round(median(mine) / median(theirs), 3) : null,
      target: 0.9,
      unit: "s",
      oursS: summary(mine),
      ...(theirs.length ? { kerasS: summary(theirs) } : {}),
    });
    console.log(JSON.stringify(rows.at(-1)));
  }
  print("s a whole training, process start included", rows, ["model", "ours", "keras", "ratio", "target"]);
  if (keras) save("training-studies.json", rows, models !== null);
}

/** What each patch gains in time and costs in accuracy, on its own: all patches against all but this one. */
async function patches(models: readonly string[] | null, rounds: number): Promise<void> {
  const cases: [string, (keyof Patches)[]][] = [
    ["cnn2d", ["relu", "matMul", "crossEntropy", "optimizer"]],
    ["study000", ["penalty", "optimizer"]],
    ["cnn_lstm", ["matMul"]],
    ["study004", ["crossEntropy", "penalty", "optimizer", "matMul"]],
    ["study002", ["batchNorm", "relu"]],
  ];
  const rows: Answer[] = [];
  for (const [model, names] of cases.filter(([model]) => !models || models.includes(model))) {
    const row = ROWS.find((row) => row.model === model && row.kind === "step")!;
    const data = writeBatch(model, model === "study002" ? 16 : MODELS[model]!.batch);
    const variants = [["all", {}], ["none", "none"], ...names.map((name) => [`without ${name}`, { [name]: false }])];
    const children = [];
    for (const [label, chosen] of variants) {
      const child = ours();
      await child.ask({ do: "build", name: model, mode: "compiled", patches: chosen === "none" ? "none" : chosen });
      children.push({ label: label as string, child, ms: [] as number[] });
    }
    for (let i = 0; i < rounds; i++) {
      for (const { child, ms } of children) {
        const answer = await child.ask({ do: "steps", ...data, count: row.count, warm: i === 0 ? row.warm : 1 });
        ms.push(median(answer["ms"] as number[]));
      }
    }
    const all = median(children[0]!.ms);
    for (const { label, child, ms } of children) {
      await child.end();
      rows.push({
        model,
        batch: data.shape[0],
        patches: label,
        ms: round(median(ms)),
        ratio: round(median(ms) / all, 3),
      });
    }
  }
  print("ms a step by patches (ratio to all of them)", rows, ["model", "batch", "patches", "ms", "ratio"]);
  save("training-patches.json", rows, models !== null);
}

/** Loss and weights after one and five steps on four engines, from the same weights and batches, without dropout. */
async function agreement(models: readonly string[] | null, keras: string | null): Promise<void> {
  const names = [
    "study000",
    "study000_vanilla",
    "cnn_lstm",
    "study001_vgg16",
    "study002",
    "study003_1d",
    "study003_2d",
    "study004",
  ];
  const rows: Answer[] = [];
  for (const model of names.filter((name) => !models || models.includes(name))) {
    const { shape, classes, optimizer } = MODELS[model]!;
    const data = writeBatch(model, 8);
    const start = join(folder, `${model}-start`);
    const engines: [string, () => Promise<{ losses: number[]; one: Float32Array; five: Float32Array }>][] = [
      ["eager", () => follow({ mode: "eager" })],
      ["eager moved by 1e-7", () => follow({ mode: "eager", moved: 1e-7 })],
      ["compiled", () => follow({ mode: "compiled" })],
      ["compiled, no patches", () => follow({ mode: "compiled", patches: "none" })],
      ["wasm", () => follow({ mode: "eager", backend: "wasm" })],
      ...keras ? [["keras", () => followKeras(keras)] as [string, () => ReturnType<typeof follow>]] : [],
    ];
    const follow = async (build: Answer) => {
      const child = ours();
      await child.ask({ do: "build", name: model, dropout: false, ...build });
      return await fiveSteps(child, build["mode"] === "eager" && !build["moved"] && !build["backend"] ? start : null);
    };
    const followKeras = async (python: string) => {
      const child = new Child(python, [join(here, "training_keras.py")]);
      const rate = optimizer.learningRate;
      const spec = { optimizer: optimizer.kind, rate, dropout: false, weights: start };
      await child.ask({ do: "build", name: model, shape, classes, ...spec });
      return await fiveSteps(child, null);
    };
    const fiveSteps = async (child: Child, writeStart: string | null) => {
      if (writeStart) await child.ask({ do: "weights", path: writeStart });
      const losses: number[] = [], found: Float32Array[] = [];
      for (let i = 0; i < 5; i++) {
        const answer = await child.ask({ do: "steps", ...data, count: 1 });
        losses.push(...answer["losses"] as number[]);
        if (i !== 0 && i !== 4) continue;
        const path = join(folder, "weights");
        await child.ask({ do: "weights", path });
        found.push(new Float32Array(readFileSync(path).buffer.slice(0)));
      }
      await child.end();
      return { losses, one: found[0]!, five: found[1]! };
    };
    let reference: Awaited<ReturnType<typeof follow>> | undefined;
    for (const [engine, run] of engines) {
      const result = await run();
      reference ??= result;
      const apart = (a: Float32Array, b: Float32Array) => a.reduce((m, v, i) => Math.max(m, Math.abs(v - b[i]!)), 0);
      rows.push({
        model,
        engine,
        loss1: result.losses[0],
        loss5: result.losses[4],
        lossApart1: Math.abs(result.losses[0]! - reference.losses[0]!),
        lossApart5: Math.abs(result.losses[4]! - reference.losses[4]!),
        weightsApart1: apart(result.one, reference.one),
        weightsApart5: apart(result.five, reference.five),
      });
      console.log(JSON.stringify(rows.at(-1)));
    }
  }
  print("agreement with eager", rows, [
    "model",
    "engine",
    "lossApart1",
    "lossApart5",
    "weightsApart1",
    "weightsApart5",
  ]);
  if (keras) save("training-agreement.json", rows, models !== null);
}

function print(title: string, rows: readonly Answer[], columns: readonly string[]): void {
  const show = (value: unknown): string =>
    typeof value === "number" && value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(1) : String(value ?? "–");
  const cells = [columns, ...rows.map((row) => columns.map((column) => show(row[column])))];
  const widths = columns.map((_, i) => Math.max(...cells.map((line) => line[i]!.length)));
  console.log(`\n${title}`);
  for (const line of cells) console.log(line.map((cell, i) => cell.padEnd(widths[i]!)).join("  "));
}

/** Writes rows; a run of some models replaces only theirs. */
function save(name: string, rows: readonly Answer[], partial: boolean): void {
  mkdirSync(results, { recursive: true });
  const path = join(results, name);
  let all = rows;
  if (partial && existsSync(path)) {
    const key = (row: Answer): string => [row["model"], row["engine"], row["patches"]].join();
    const fresh = new Map(rows.map((row) => [key(row), row]));
    const before = JSON.parse(readFileSync(path, "utf8")) as Answer[];
    const whole = name === "training-patches.json" ? new Set(rows.map((row) => row["model"])) : new Set();
    const kept = before.filter((row) => !whole.has(row["model"])).map((row) => fresh.get(key(row)) ?? row);
    all = [...kept, ...rows.filter((row) => !kept.some((old) => key(old) === key(row)))];
  }
  writeFileSync(path, `[\n${all.map((row) => "  " + JSON.stringify(row)).join(",\n")}\n]\n`);
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

/** Writes the tables as text, from the JSON files that are there. */
function report(): void {
  const load = (name: string): Answer[] => {
    const path = join(results, name);
    return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) as Answer[] : [];
  };
  const show = (value: unknown): string =>
    typeof value === "number" && value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(1) : String(value ?? "–");
  const table = (rows: readonly Answer[], columns: readonly string[]): string =>
    [columns, columns.map(() => "---"), ...rows.map((row) => columns.map((name) => show(row[name])))]
      .map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  const [machine] = load("training-environment.json");
  const text = [
    "# Training: serlab beside Keras 3 on the same TensorFlow",
    `Written by tests/bench/training.ts. ${JSON.stringify(machine)}`,
    "## ms a step (median of alternating rounds)",
    table(load("training.json"), ["model", "params", "batch", "ours", "keras", "ratio", "target", "eagerMs"]),
    "## s a whole training, process start included",
    table(load("training-studies.json"), ["model", "ours", "keras", "ratio", "target"]),
    "## ms a step by patches (ratio to all of them in force)",
    table(load("training-patches.json"), ["model", "batch", "patches", "ms", "ratio"]),
    "## Agreement: largest differences from eager after one and five steps",
    EXPLAINED,
    table(load("training-agreement.json"), [
      ...["model", "engine", "lossApart1", "lossApart5", "weightsApart1", "weightsApart5"],
    ]),
  ];
  writeFileSync(join(results, "training.md"), text.join("\n\n") + "\n");
}

const flag = (name: string): string | undefined => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
};
if (process.argv.includes("--install-keras")) await installKeras();
const keras = kerasPython();
if (!keras) console.log("Keras is not here: only serlab's own columns (--install-keras fetches it).");
const models = flag("models")?.split(",") ?? null;
const rounds = Number(flag("rounds") ?? 5);
const parts = process.argv.slice(2).filter((arg) => ["speed", "agreement", "patches", "studies"].includes(arg));
const wants = (part: string): boolean => parts.length === 0 || parts.includes(part);
try {
  const machine = await environment(keras);
  console.log(JSON.stringify(machine));
  if (keras) save("training-environment.json", [machine], false);
  if (wants("speed")) await speed(models, rounds, keras);
  if (wants("studies")) await studies(models, Math.min(rounds, 3), keras);
  if (wants("patches")) await patches(models, Math.min(rounds, 3));
  if (wants("agreement")) await agreement(models, keras);
  if (keras) report();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
