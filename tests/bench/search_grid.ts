/**
 * The search bench: study 001's grid of 32 configurations (25 epochs each) with the full-width VGG16, on serlab with the
 * frozen layers run once, beside the same grid in KerasTuner, which runs them in every epoch; and by successive halving.
 *
 * `deno run -A tests/bench/search_grid.ts speed [--rounds N] [--append] [--clock]` measures both sides in turn, on random
 * weights and pictures, by the processor's time or, on an idle machine, by the clock; `… winner --corpora DIR` trains the whole grid on RAVDESS's pictures with the quarter
 * network and compares what halving would have chosen (goes on where it was stopped; `winner --sweep FOLDER` takes a sweep of the
 * grid instead); `… report` writes the tables again. KerasTuner is found by
 * SERLAB_KERASTUNER_PYTHON (its environment is described in search_kerastuner.py); without it only serlab's side runs.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { findSearch } from "../../experiments/searches.ts";
import { bottleneckFeatures, createTrainerOn } from "../../lib/engine/bottleneck.ts";
import { splitFrozenPrefix } from "../../lib/engine/prefix.ts";
import { startEngine } from "../../lib/engine/tf.ts";
import { FeatureCache } from "../../lib/features/cache.ts";
import { study001Vgg16 } from "../../lib/models/mod.ts";
import { RandomState } from "../../lib/random.ts";
import type { StudySearch } from "../../lib/search/declare.ts";
import { createStrategy, type Evaluation, halvingRungs } from "../../lib/search/methods.ts";
import { configurationText, gridOf } from "../../lib/search/space.ts";
import { readSweep } from "../../lib/search/store.ts";
import { trialSeed } from "../../lib/search/trial.ts";
import type { Configuration } from "../../lib/search/types.ts";
import { applyPretrained, loadPretrained } from "../../lib/study/pretrained.ts";
import { featuresOf, findVariant, prepare, tableOf } from "../../lib/study/run.ts";
import { checkpointFile } from "../../lib/training/checkpoint.ts";
import { take } from "../../lib/training/dataset.ts";
import { wilsonInterval } from "../../lib/training/statistics.ts";
import { type EpochLog, fit } from "../../lib/training/train.ts";
import type { NdArray } from "../../lib/types.ts";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));
const results = join(root, "results", "bench");

/** Study 001's numbers. */
const ROWS = 1228, VALIDATION = 154, EPOCHS = 25, BATCH = 50, CLASSES = 8;
/** Rows of a measured epoch: three steps and their share of validation, scaled to the whole by {@linkcode SCALE}. */
const SHARE = 150, SHARE_VALIDATION = 19, SCALE = ROWS / SHARE;
/** Rows of a measured pass through the frozen layers: six batches of 16. */
const PASSED = 96;
/** Epochs of a measured trial: those after the first are timed. */
const MEASURED = 3;

const search = findSearch("001") as StudySearch;

/** One trial of serlab as it was measured, s. */
interface OwnTrial {
  readonly config: Configuration;
  /** From the empty model to the disposed one. */
  readonly seconds: number;
  /** Each epoch of {@linkcode SHARE} rows with its validation; the first one warms up. */
  readonly epochs: readonly number[];
  /** The same trial taken up again from its checkpoint for one more epoch. */
  readonly again: { readonly seconds: number; readonly epochs: readonly number[] };
}

/** One trial of KerasTuner as it was measured, s. */
interface PeerTrial {
  readonly trainable: number;
  readonly seconds: number;
  /** Each epoch of {@linkcode SHARE} rows with its validation; the first one traces. */
  readonly epochs: readonly number[];
  /** What KerasTuner does at the end of each epoch. */
  readonly ends: readonly number[];
}

/** One round: both sides in turn. */
interface Round {
  /** Seconds of passing {@linkcode PASSED} rows through the frozen layers into an empty cache, by trained entries. */
  readonly pass: Readonly<Record<string, number>>;
  readonly own: readonly OwnTrial[];
  readonly peer: readonly PeerTrial[];
}

interface Winner {
  readonly corpora: string;
  readonly rows: { readonly train: number; readonly validation: number };
  readonly seconds: number;
  readonly trials: readonly { readonly config: Configuration; readonly validation: readonly number[] }[];
}

interface Saved {
  readonly machine: Readonly<Record<string, unknown>>;
  /** By the processor's time. */
  readonly rounds: readonly Round[];
  /** By the clock. */
  readonly clockRounds?: readonly Round[];
  readonly winner?: Winner;
}

const byClock = process.argv.includes("--clock");

/** The processor's time of this process, all threads, ms: a neighbour on the machine does not count into it; or the clock. */
const clock = (): number => {
  if (byClock) return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const seconds = (from: number): number => (clock() - from) / 1000;
const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
};
const summary = (values: readonly number[]) => ({
  min: round(Math.min(...values)),
  median: round(median(values)),
  max: round(Math.max(...values)),
  n: values.length,
});

/** The model of a configuration, full width. The base's weights follow from the seed: the same for all. */
function fullWidth(config: Configuration): ReturnType<typeof study001Vgg16> {
  return study001Vgg16({
    classes: CLASSES,
    seed: 1,
    train: config["trainable"] === 2 ? "last-convolution" : "last-two-convolutions",
    hidden: Array.from({ length: Number(config["layers"]) }, () => ({
      units: Number(config["neurons"]),
      dropout: Number(config["dropout"]),
    })),
  });
}

/** Rows of an array, sharing memory. */
function part({ data, shape }: NdArray, from: number, to: number): NdArray {
  const size = data.length / shape[0]!;
  return { data: data.subarray(from * size, to * size), shape: [to - from, ...shape.slice(1)] };
}

/** A trial as a sweep has it: the model, its trainer on the cached features, epochs with validation, the checkpoint. */
async function ownTrial(config: Configuration, x: NdArray, cache: FeatureCache, folder: string): Promise<OwnTrial> {
  const y = Int32Array.from({ length: SHARE + SHARE_VALIDATION }, (_, i) => i % CLASSES);
  const store = checkpointFile(join(folder, "checkpoint"));
  const run = async (epochs: number): Promise<{ seconds: number; epochs: number[] }> => {
    const started = clock();
    const model = fullWidth(config);
    const optimizer = { kind: "adam", learningRate: Number(config["rate"]) } as const;
    const { trainer, x: fed } = await createTrainerOn(model, x, { optimizer, seed: 1, cache });
    let mark = clock();
    const took: number[] = [];
    await fit(trainer, { x: fed, y }, { epochs, batchSize: BATCH }, {
      seed: 1,
      rows: Int32Array.from({ length: SHARE }, (_, i) => i),
      validation: { x: part(fed, SHARE, SHARE + SHARE_VALIDATION), y: y.subarray(SHARE) },
      checkpoint: store,
      checkpointEverySec: Infinity,
      checkpointAtEnd: true,
      onEpoch: () => {
        took.push(seconds(mark));
        mark = clock();
      },
    });
    trainer.dispose();
    model.dispose();
    return { seconds: seconds(started), epochs: took };
  };
  const first = await run(MEASURED), again = await run(MEASURED + 1);
  store.clear();
  return { config, ...first, again };
}

/**
 * Configurations that differ in what they compute: dropout's rate and the learning rate cost nothing, and two more hidden
 * layers next to nothing; the ones measured have them.
 */
function structures(): Configuration[] {
  return gridOf(search.space).filter(({ layers, dropout, rate }) => layers === 4 && dropout === 0.2 && rate === 0.001);
}

async function ownRound(): Promise<Pick<Round, "pass" | "own">> {
  const folder = mkdtempSync(join(tmpdir(), "serlab-search-"));
  try {
    const cache = new FeatureCache(join(folder, "cache"));
    const n = SHARE + SHARE_VALIDATION, rng = new RandomState(1);
    const x: NdArray = {
      data: Float32Array.from({ length: n * 45_000 }, () => rng.uniform(0, 1)),
      shape: [n, 50, 300, 3],
    };
    const pass: Record<string, number> = {};
    for (const trainable of [2, 3]) {
      const model = fullWidth({ layers: 2, neurons: 100, dropout: 0.2, rate: 0.001, trainable });
      const split = splitFrozenPrefix(model)!;
      await bottleneckFeatures(split, part(x, PASSED, n), { cache }); // warms up
      const before = clock();
      await bottleneckFeatures(split, { ...part(x, 0, PASSED), data: x.data.slice(0, PASSED * 45_000) }, { cache });
      pass[trainable] = seconds(before);
      console.log(`frozen layers up to ${split.layer}, ${PASSED} pictures: ${round(pass[trainable])} s`);
      split.dispose();
      model.dispose();
    }
    const own: OwnTrial[] = [];
    for (const config of structures()) {
      const trial = await ownTrial(config, x, cache, folder);
      own.push(trial);
      console.log(`serlab ${configurationText(config)}: ${trial.epochs.map((s) => round(s)).join(", ")} s an epoch`);
    }
    return { pass, own };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Asks the process of KerasTuner; null where it is not installed. */
async function ask(call: Readonly<Record<string, unknown>>): Promise<Record<string, unknown> | null> {
  const python = Deno.env.get("SERLAB_KERASTUNER_PYTHON");
  if (!python) return null;
  const child = spawn(python, [join(here, "search_kerastuner.py")], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(JSON.stringify(call) + "\n");
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith("{")) return JSON.parse(line) as Record<string, unknown>;
  }
  throw new Error(`KerasTuner ended instead of answering ${call["do"]}.`);
}

async function speed(append: boolean, count: number): Promise<void> {
  await startEngine();
  const versions = await ask({ do: "versions" });
  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    deno: Deno.version.deno,
    tensorflow: "2.19.1",
    threads: "all cores on both sides (TensorFlow's default)",
    peer: versions,
  };
  for (let i = 0; i < count; i++) {
    const own = await ownRound();
    const call = { clock: byClock, rows: SHARE, validation: SHARE_VALIDATION, epochs: MEASURED, batch: BATCH };
    const answer = await ask({ do: "grid", ...call });
    const peer = (answer?.["trials"] ?? []) as PeerTrial[];
    for (const { trainable, seconds, epochs } of peer) {
      const each = epochs.map((s) => round(s)).join(", ");
      console.log(`KerasTuner trainable ${trainable}: ${each} s an epoch, ${round(seconds)} s the trial`);
    }
    if (!versions) return console.log("SERLAB_KERASTUNER_PYTHON is not set: nothing is written.");
    const before = load();
    const kept = byClock ? before?.clockRounds : before?.rounds;
    const rounds = [...(append || i > 0 ? kept ?? [] : []), { ...own, peer }];
    save({ rounds: [], ...before, machine, ...(byClock ? { clockRounds: rounds } : { rounds }) });
  }
}

/** The whole grid on real pictures with the quarter network, its validation accuracy after every epoch. */
async function winner(corpora: string): Promise<void> {
  await startEngine();
  const before = clock();
  const cache = new FeatureCache();
  const prepared = await prepare(search.study, { dir: corpora, cache });
  const request = { variant: search.variant, protocol: "as-published", seed: 0 } as const;
  const { x } = await featuresOf(prepared, request);
  const { examples, folds: [fold] } = tableOf(prepared, request);
  const y = new Int32Array(x.shape[0]!);
  for (const { feature, label } of examples) y[feature] = search.study.labels.indexOf(label);
  const rows = (of: readonly number[]): Int32Array => Int32Array.from(of, (row) => examples[row]!.feature);
  const base = findVariant(search.study, search.variant);
  const weights = await loadPretrained(base.pretrained!, { results: [join(root, "results")] });
  const known = load()?.winner;
  const counts = { train: fold!.train.length, validation: fold!.validation.length };
  const trials = [...known?.trials ?? []];
  const began = known?.seconds ?? 0;
  for (const config of gridOf(search.space)) {
    if (trials.some((each) => configurationText(each.config) === configurationText(config))) continue;
    const variant = { ...base, ...search.change(config, base) };
    const seed = trialSeed(search.id, search.variant, config);
    const model = variant.model({ classes: CLASSES, seed });
    applyPretrained(model, weights);
    const { trainer, x: fed } = await createTrainerOn(model, x, { optimizer: variant.optimizer, seed, cache });
    const { history } = await fit(trainer, { x: fed, y }, { ...variant.plan, epochs: EPOCHS }, {
      seed,
      rows: rows(fold!.train),
      validation: take({ x: fed, y }, rows(fold!.validation)),
    });
    trials.push({ config, validation: history.map(({ valAccuracy }: EpochLog) => valAccuracy!) });
    console.log(`${configurationText(config)}: ${round(100 * history.at(-1)!.valAccuracy!)} %`);
    trainer.dispose();
    model.dispose();
    const found = { corpora: "RAVDESS", rows: counts, seconds: round(began + seconds(before), 1), trials };
    save({ machine: {}, rounds: [], ...load(), winner: found });
  }
}

/** The same from a sweep of the grid that was run: its trials hold the validation accuracy after every epoch. */
function winnerOfSweep(folder: string): void {
  const { trials } = readSweep(folder);
  const grid = gridOf(search.space).map((config) => {
    const trial = trials.find((each) => configurationText(each.config) === configurationText(config));
    if (trial?.status !== "done" || trial.history.length !== EPOCHS) {
      throw new Error(`${folder}: the trial ${configurationText(config)} has not ended after ${EPOCHS} epochs.`);
    }
    return { config, validation: trial.history.map(({ valAccuracy }) => valAccuracy!) };
  });
  const rows = { train: ROWS, validation: VALIDATION };
  const took = sum(trials.map((each) => each.seconds));
  save({
    machine: {},
    rounds: [],
    ...load(),
    winner: { corpora: "RAVDESS", rows, seconds: round(took, 1), trials: grid },
  });
}

/** What halving chooses of trials whose every epoch is known: a trial of fewer epochs is the beginning of a longer one. */
function halve(trials: Winner["trials"]): {
  readonly chosen: Winner["trials"][number];
  readonly jobs: readonly { readonly config: Configuration; readonly from: number; readonly to: number }[];
} {
  const strategy = createStrategy("halving", search.space, { trials: trials.length, epochs: EPOCHS, seed: 0 });
  const of = (config: Configuration) =>
    trials.find((trial) => configurationText(trial.config) === configurationText(config))!;
  const ended: Evaluation[] = [], configs = new Map<number, Configuration>();
  const jobs: { config: Configuration; from: number; to: number }[] = [];
  for (let step = strategy.next(ended); step.suggestions.length > 0; step = strategy.next(ended)) {
    for (const { number, config, epochs } of step.suggestions) {
      const from = Math.max(0, ...ended.filter((each) => each.number === number).map((each) => each.epochs));
      configs.set(number, config);
      jobs.push({ config, from, to: epochs });
      ended.push({ number, epochs, score: of(config).validation[epochs - 1]! });
    }
  }
  const whole = ended.filter(({ epochs }) => epochs === EPOCHS);
  const best = whole.reduce((a, b) => b.score! > a.score! ? b : a);
  return { chosen: of(configs.get(best.number)!), jobs };
}

/** A round's totals, s. */
interface Totals {
  readonly peerGrid: number;
  readonly ownGrid: number;
  readonly ownHalving: number | null;
  /** Halving where the dearest configurations always go on. */
  readonly ownHalvingAtMost: number;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Seconds of a whole epoch and of what a trial takes besides its epochs. */
interface Parts {
  readonly epoch: number;
  readonly fixed: number;
  /** The same when it goes on from a checkpoint. */
  readonly again: number;
}

function ownParts({ seconds, epochs, again }: OwnTrial): Parts {
  const short = median(epochs.slice(1));
  return {
    epoch: SCALE * short,
    fixed: seconds - MEASURED * short,
    again: again.seconds - again.epochs.length * short,
  };
}

function peerParts({ seconds, epochs, ends }: PeerTrial): Parts {
  const short = median(epochs.slice(1)), end = sum(ends) / ends.length;
  const fixed = seconds - epochs.length * (short + end);
  return { epoch: SCALE * short + end, fixed, again: fixed };
}

/** Seconds of all rows through the frozen layers, for both prefixes. */
function passSeconds({ pass }: Round): number {
  return sum(Object.values(pass)) * (ROWS + VALIDATION) / PASSED;
}

/** The whole searches from a round's measured parts; explained in the report. */
function extrapolate(measured: Round, jobs: ReturnType<typeof halve>["jobs"] | null): Totals {
  const { own, peer } = measured, passes = passSeconds(measured);
  const ownSeconds = (config: Configuration, from: number, to: number): number => {
    const isSame = (each: OwnTrial): boolean =>
      ["neurons", "trainable"].every((name) => each.config[name] === config[name]);
    const { epoch, fixed, again } = ownParts(own.find(isSame)!);
    return (from === 0 ? fixed : again) + (to - from) * epoch;
  };
  const grid = gridOf(search.space);
  const dearest = [...grid].sort((a, b) => ownSeconds(b, 3, EPOCHS) - ownSeconds(a, 3, EPOCHS));
  const rungs = halvingRungs(grid.length, EPOCHS);
  const atMost = rungs.flatMap(({ epochs, count }, i) =>
    dearest.slice(0, count).map((config) => ownSeconds(config, i === 0 ? 0 : rungs[i - 1]!.epochs, epochs))
  );
  return {
    ownHalvingAtMost: passes + sum(atMost),
    peerGrid: sum(grid.map(({ trainable }) => {
      const { epoch, fixed } = peerParts(peer.find((each) => each.trainable === trainable)!);
      return fixed + EPOCHS * epoch;
    })),
    ownGrid: passes + sum(grid.map((config) => ownSeconds(config, 0, EPOCHS))),
    ownHalving: jobs && passes + sum(jobs.map(({ config, from, to }) => ownSeconds(config, from, to))),
  };
}

function load(): Saved | null {
  const path = join(results, "search-grid.json");
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) as Saved : null;
}

function save(saved: Saved): void {
  mkdirSync(results, { recursive: true });
  const short = (_key: string, value: unknown): unknown =>
    typeof value === "number" && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value;
  const { rounds, clockRounds = [], winner, machine } = saved;
  const lines = (all: readonly unknown[]): string =>
    all.map((each) => `    ${JSON.stringify(each, short)}`).join(",\n");
  const tail = winner
    ? `,\n  "winner": {\n    "corpora": ${JSON.stringify(winner.corpora)}, "rows": ${JSON.stringify(winner.rows)}, ` +
      `"seconds": ${winner.seconds}, "trials": [\n${lines(winner.trials)}\n  ]}`
    : "";
  const text = `{\n  "machine": ${JSON.stringify(machine)},\n  "rounds": [\n${lines(rounds)}\n  ],\n` +
    `  "clockRounds": [\n${lines(clockRounds)}\n  ]${tail}\n}\n`;
  JSON.parse(text);
  writeFileSync(join(results, "search-grid.json"), text);
  report(saved);
}

function table(columns: readonly string[], rows: readonly (readonly unknown[])[]): string {
  return [columns, columns.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const HOW =
  `How the totals come about. Both sides train the same grid of the study: layers {2, 4} × neurons {100, 300} ×
trainable entries {2, 3} × dropout {0.2, 0.4} × rate {0.001, 0.005}, ${EPOCHS} epochs of ${ROWS} training and
${VALIDATION} validation pictures in batches of ${BATCH}, float32, full-width VGG16 with random weights, random pictures.
Neither grid was run whole. The processor's times are those of all threads of the process: other work on the machine does
not count, and with two busy cores the clock shows about half of them. Times by the clock were taken on an idle machine.

- An epoch is measured on ${SHARE} training rows (three steps) and ${SHARE_VALIDATION} validation rows and multiplied by
  ${ROWS}/${SHARE} on both sides; what is done once an epoch or once a trial is not multiplied.
- KerasTuner: in each round its \`GridSearch\` runs two configurations (2 × 100 neurons, the cheapest; 2 and 3 trainable
  entries) for ${MEASURED} such epochs. An epoch is the median of those after the first (which traces) and, unmultiplied,
  what KerasTuner does at its end; a trial's fixed part is the rest of its time. The grid is 16 × (fixed + ${EPOCHS}
  epochs) of each. Dropout and rate do not change what is computed, more neurons would cost KerasTuner more.
- serlab: in each round ${PASSED} pictures pass the frozen layers of each of the two prefixes into an empty cache, as all
  ${
    ROWS + VALIDATION
  } do once for the whole grid; then each of four structures (4 layers) is trained for ${MEASURED} such epochs
  as a sweep trains it, and once more from its checkpoint. An epoch is the median of those after the first; a trial's
  fixed part is the rest of its time (building, compiling, the cache, the checkpoint). The grid is both passes + eight
  times the four (fixed + ${EPOCHS} epochs).
- Halving: the jobs that serlab's own halving (eta 3) makes of the 32 when it sees the validation accuracies of the real
  grid below, each costing its structure's fixed part and the epochs that it adds (a trial goes on from its checkpoint).
  'At most' needs no accuracies: in every rung the configurations that cost most go on.
`;

function report(saved: Saved | null = load()): void {
  if (!saved) return;
  const { machine, rounds, winner } = saved;
  const halved = winner?.trials.length === gridOf(search.space).length ? halve(winner.trials) : null;
  const row = (name: string, values: readonly number[], target = ""): unknown[] => {
    const { min, median, max } = summary(values);
    return [name, min, median, max, target];
  };
  const text: string[] = [
    "# Search: study 001's grid of 32 beside KerasTuner",
    `Written by tests/bench/search_grid.ts. ${JSON.stringify(machine)}`,
  ];
  const full = rounds.filter(({ peer }) => peer.length > 0);
  const totals = (title: string, measured: readonly Round[]): void => {
    if (measured.length === 0) return;
    const all = measured.map((each) => extrapolate(each, halved?.jobs ?? null));
    const halving = all.flatMap(({ ownHalving }) => ownHalving ?? []);
    text.push(
      `## Whole searches, s ${title} (${measured.length} rounds, both sides in turn)`,
      table(["", "min", "median", "max", "target"], [
        row("KerasTuner, grid", all.map((each) => each.peerGrid)),
        row("serlab, grid", all.map((each) => each.ownGrid)),
        ...(halving.length > 0 ? [row("serlab, halving", halving)] : []),
        row("serlab, halving at most", all.map((each) => each.ownHalvingAtMost)),
        row("grid: times faster", all.map((each) => each.peerGrid / each.ownGrid), "7"),
        row("halving: at least so many times faster", all.map((t) => t.peerGrid / t.ownHalvingAtMost), "20"),
        ...(halving.length > 0
          ? [row("halving: times faster than KerasTuner's grid", all.map((t) => t.peerGrid / t.ownHalving!), "20")]
          : []),
      ]),
    );
  };
  totals("of the processor", full);
  totals("by the clock", (saved.clockRounds ?? []).filter(({ peer }) => peer.length > 0));
  if (full.length > 0) {
    text.push(
      HOW,
      "## What that is made of, s of the processor (scaled to the whole epoch)",
      table(["", "min", "median", "max"], [
        row("serlab, frozen layers once for all, both prefixes", full.map(passSeconds)).slice(0, 4),
        ...structures().map((config) => {
          const { layers, neurons, trainable } = config;
          const name = configurationText({ layers: layers!, neurons: neurons!, trainable: trainable! });
          const all = full.flatMap(({ own }) =>
            own.filter((each) => configurationText(each.config) === configurationText(config)).map(ownParts)
          );
          return row(`serlab, an epoch: ${name}`, all.map(({ epoch }) => epoch)).slice(0, 4);
        }),
        row("serlab, fixed part of a trial", full.flatMap(({ own }) => own.map((each) => ownParts(each).fixed)))
          .slice(0, 4),
        ...[2, 3].map((trainable) => {
          const all = full.flatMap(({ peer }) => peer.filter((each) => each.trainable === trainable).map(peerParts));
          return row(`KerasTuner, an epoch, ${trainable} trainable`, all.map(({ epoch }) => epoch)).slice(0, 4);
        }),
        row("KerasTuner, fixed part of a trial", full.flatMap(({ peer }) => peer.map((each) => peerParts(each).fixed)))
          .slice(0, 4),
      ]),
    );
  }
  if (winner && halved) {
    const last = (trial: Winner["trials"][number]): number => trial.validation.at(-1)!;
    const ranked = [...winner.trials].sort((a, b) => last(b) - last(a)), best = ranked[0]!;
    const n = winner.rows.validation;
    const [low, high] = wilsonInterval(Math.round(last(best) * n), n);
    const percent = (value: number): string => `${round(100 * value)} %`;
    const within = last(halved.chosen) >= low;
    text.push(
      "## What halving chooses: the grid trained on RAVDESS",
      `The quarter network from its pre-trained weights, the published split (${winner.rows.train} training, ${n} ` +
        `validation rows), all 32 configurations for ${EPOCHS} epochs in ${winner.seconds} s. A trial of fewer epochs is ` +
        "the beginning of a longer one (same seed, same order), so what halving would have seen and chosen is read from " +
        "the same runs.",
      table(["", "configuration", "validation accuracy"], [
        [
          "the grid's best",
          configurationText(best.config),
          `${percent(last(best))} (95 % ${percent(low)} – ${percent(high)})`,
        ],
        ["halving's", configurationText(halved.chosen.config), percent(last(halved.chosen))],
      ]),
      `Halving's is ${within ? "within" : "outside"} the grid's interval; it stands at place ` +
        `${ranked.filter((each) => last(each) > last(halved.chosen)).length + 1} of 32. It trains ` +
        `${halved.jobs.reduce((sum, { from, to }) => sum + to - from, 0)} epochs where the grid trains ${32 * EPOCHS}.`,
      table(
        ["configuration", "after 3 epochs", "8", "25"],
        ranked.map(({ config, validation }) => [
          configurationText(config),
          ...[3, 8, 25].map((epoch) => percent(validation[epoch - 1]!)),
        ]),
      ),
    );
  }
  writeFileSync(join(results, "search-grid.md"), text.join("\n\n").replaceAll(/\n{3,}/g, "\n\n") + "\n");
}

const argument = (name: string): string | undefined => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
};
const wants = (name: string): boolean => process.argv.slice(2).includes(name);
if (wants("speed")) await speed(wants("--append"), Number(argument("rounds") ?? 1));
if (wants("winner")) {
  const corpora = argument("corpora"), sweep = argument("sweep");
  if (sweep !== undefined) winnerOfSweep(sweep);
  else if (corpora !== undefined) await winner(corpora);
  else throw new Error("winner takes --corpora DIR with RAVDESS, or --sweep FOLDER of a finished sweep of the grid.");
}
report();
process.exit(0);
