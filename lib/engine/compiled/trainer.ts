/**
 * A trainer that runs each step as one TensorFlow graph.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { FormatError, UsageError } from "../../errors.ts";
import type { NdArray } from "../../types.ts";
import { classesOf, constrainedOf } from "../objective.ts";
import { type OptimizerSpec, slotNames } from "../optimizers.ts";
import {
  checkBatch,
  rows,
  rowsAtATime,
  type StepOptions,
  type StepResult,
  targetRows,
  type Targets,
  type Trainer,
  type TrainerOptions,
  type TrainerState,
} from "../trainer.ts";
import { DT, nativeBackend, NotCompilable } from "./binding.ts";
import { emit, GraphWriter, typeAttr } from "./graph.ts";
import { ALL_PATCHES, type Patches } from "./patches.ts";
import { type Feed, reasonOf, Session, type VariableNodes, writeCommon, writeVariable } from "./session.ts";
import type { Graph } from "./symbolic.ts";
import { inferenceGraph, type ModelToTrace, trainableOf, trainingGraph, variablesOf } from "./trace_model.ts";
import { ratesOf, scratchSlots, writePlainUpdate, writeUpdate } from "./updates.ts";

const LOSSES = ["categoricalCrossentropy", "sparseCategoricalCrossentropy"] as const;
const METRICS = ["accuracy"] as const;

/** How to compile a model. */
export interface CompileOptions extends TrainerOptions {
  /**
   * What is minimised: categorical cross-entropy, computed from the logits. Both names mean the same, since targets may
   * be class indices or rows of probabilities.
   */
  readonly loss?: typeof LOSSES[number];
  /** What is reported besides the loss. */
  readonly metrics?: readonly typeof METRICS[number][];
  /** Patches to leave out; default: all are in force. */
  readonly patches?: Partial<Patches>;
}

/** What compiling took. */
export interface CompileStatistics {
  /** Time to trace the model, ms. */
  readonly traceMs: number;
  /** Time to write and load the graph and to fill its variables, ms. */
  readonly loadMs: number;
  /** Nodes of the graph. */
  readonly nodes: number;
}

/** A trainer whose steps, evaluations and predictions are runs of one graph. */
export interface CompiledTrainer extends Trainer {
  /** What compiling took. */
  readonly statistics: CompileStatistics;
}

/**
 * Compiles a model for training on native TensorFlow: a step is traced once and runs as one graph, for batches of any
 * size. Weights and optimiser state live in TensorFlow until {@linkcode Trainer.pullWeights}.
 *
 * @throws {NotCompilable} when no sound graph can be made of the model, or native TensorFlow does not run.
 * @throws {UsageError} when the model does not end in a softmax, the learning rate is not positive, or the loss or a
 * metric is unknown.
 */
export function compile(model: tf.LayersModel, options: CompileOptions): CompiledTrainer {
  return new GraphTrainer(model, options);
}

function refuseUnknown(what: string, value: string | undefined, known: readonly string[]): void {
  if (value !== undefined && !known.includes(value)) {
    throw new UsageError(`There is no ${what} ${value} here: there is ${known.join(", ")}.`);
  }
}

/** Names of the session's variables. */
const weightName = (i: number): string => `weight_${i}`;
const slotName = (slot: string, i: number): string => `${slot}_${i}`;

class GraphTrainer implements CompiledTrainer {
  readonly learningRate: number;
  readonly statistics: CompileStatistics;
  readonly #spec: OptimizerSpec;
  readonly #variables: readonly tf.Variable[];
  readonly #trainable: readonly number[];
  readonly #classes: number;
  readonly #exampleShape: readonly number[];
  readonly #session: Session;
  readonly #feeds: ReadonlySet<string>;
  #step = 0;

  constructor(readonly model: tf.LayersModel, options: CompileOptions) {
    refuseUnknown("loss", options.loss, LOSSES);
    for (const metric of options.metrics ?? []) refuseUnknown("metric", metric, METRICS);
    const backend = nativeBackend();
    if (!backend) throw new NotCompilable(`The backend ${tf.getBackend()} has no graphs.`);
    this.#spec = options.optimizer;
    this.learningRate = options.optimizer.learningRate;
    if (!(this.learningRate > 0 && Number.isFinite(this.learningRate))) {
      throw new UsageError(`The learning rate must be a positive number, not ${this.learningRate}.`);
    }
    this.#classes = classesOf(model);
    this.#exampleShape = exampleShapeOf(model);
    if (constrainedOf(model).length > 0) {
      throw new NotCompilable("A layer's constraint changes weights between the steps.");
    }
    this.#variables = variablesOf(model);
    this.#trainable = trainableOf(model);
    const patches = { ...ALL_PATCHES, ...options.patches };
    const started = performance.now();
    const what: ModelToTrace = {
      backend,
      model,
      exampleShape: this.#exampleShape,
      classes: this.#classes,
      seed: options.seed,
      patches,
    };
    const graphs = { training: trainingGraph(what), inference: inferenceGraph(what) };
    const traced = performance.now();
    const writer = new GraphWriter();
    this.#feeds = this.#write(writer, graphs, patches);
    this.#session = new Session(backend.binding, writer.nodes);
    try {
      const start = [...this.#weightFeeds(this.#modelWeights()), ...this.#emptySlots()];
      this.#session.assign(start);
      // A graph may load and still not run: that is found out here, not in the midst of a training.
      this.#run(rowsOf(2, this.#exampleShape), new Int32Array(2), { learningRate: 0 });
      this.#session.assign(start);
    } catch (error) {
      this.#session.dispose();
      throw new NotCompilable(`The graph does not run (${reasonOf(error)}).`, { cause: error });
    }
    this.statistics = {
      traceMs: traced - started,
      loadMs: performance.now() - traced,
      nodes: writer.nodes.length,
    };
  }

  /** Writes the whole graph; returns the names of the placeholders that a training step needs. */
  #write(writer: GraphWriter, graphs: { training: Graph; inference: Graph }, patches: Patches): Set<string> {
    const float = typeAttr(DT.FLOAT), F = { T: float };
    writeCommon(writer);
    const placeholder = (name: string, shape: readonly number[], dtype: number = DT.FLOAT): string =>
      writer.add("Placeholder", [], { dtype: typeAttr(dtype), shape: { kind: "shape", value: shape } }, name);
    const externals = new Map([
      ["x", placeholder("x", [-1, ...this.#exampleShape])],
      ["y", placeholder("y", [-1, this.#classes])],
      ["sampleWeights", placeholder("sample_weights", [-1])],
      ["step", placeholder("step", [], DT.INT32)],
      ["penaltyScale", placeholder("penalty_scale", [])],
    ]);
    const rate = placeholder("rate", []), decay = placeholder("decay", []);
    const weights = this.#variables.map((variable, i) => writeVariable(writer, weightName(i), variable.shape));
    weights.forEach(({ read }, i) => externals.set(`weight/${i}`, read));
    const at = (graph: Graph) => ({ externals, batch: "x", wanted: [...graph.results.values()] });
    const named = (graph: Graph, refs: readonly string[]): Map<string, string> =>
      new Map([...graph.results.keys()].map((name, i) => [name, refs[i]!]));
    const pair = (refs: ReadonlyMap<string, string>): string =>
      writer.add("Pack", [refs.get("loss")!, refs.get("correct")!], {
        ...F,
        N: { kind: "int", value: 2 },
        axis: { kind: "int", value: 0 },
      });

    const training = named(graphs.training, emit(graphs.training, writer, at(graphs.training)));
    const updates = this.#writeUpdates(writer, weights, training, { rate, decay }, patches.optimizer);
    writer.add("Identity", [pair(training), ...updates.map((name) => `^${name}`)], F, "train");

    const inference = named(graphs.inference, emit(graphs.inference, writer, at(graphs.inference)));
    writer.add("Identity", [pair(inference)], F, "evaluate");
    writer.add("Identity", [inference.get("probabilities")!], F, "predict");
    return needs(writer, "train");
  }

  #writeUpdates(
    writer: GraphWriter,
    weights: readonly VariableNodes[],
    refs: ReadonlyMap<string, string>,
    fed: { readonly rate: string; readonly decay: string },
    fused: boolean,
  ): string[] {
    const updates: string[] = [];
    weights.forEach(({ handle, read }, i) => {
      const moved = refs.get(`moved/${i}`);
      if (moved) {
        const attrs = { dtype: typeAttr(DT.FLOAT) };
        updates.push(writer.add("AssignVariableOp", [handle, moved, `^${read}`], attrs));
      }
    });
    for (const i of this.#trainable) {
      const slots: Record<string, string> = {};
      for (const slot of this.#slotNames()) {
        slots[slot] = writeVariable(writer, slotName(slot, i), this.#variables[i]!.shape).handle;
      }
      const { handle, read } = weights[i]!;
      const at = { weight: handle, read, gradient: refs.get(`gradient/${i}`)!, slots, ...fed };
      updates.push(fused ? writeUpdate(writer, this.#spec, at) : writePlainUpdate(writer, this.#spec, at));
    }
    return updates;
  }

  #slotNames(): string[] {
    return [...slotNames(this.#spec), ...scratchSlots(this.#spec)];
  }

  #modelWeights(): NdArray[] {
    return this.#variables.map((variable) => ({
      data: variable.dataSync() as Float32Array,
      shape: variable.shape,
    }));
  }

  #weightFeeds(weights: readonly NdArray[]): Feed[] {
    return weights.map(({ data, shape }, i) => ({ name: weightName(i), shape, data }));
  }

  #emptySlots(): Feed[] {
    return this.#slotNames().flatMap((slot) =>
      this.#trainable.map((i) => {
        const { shape, size } = this.#variables[i]!;
        return { name: slotName(slot, i), shape, data: new Float32Array(size) };
      })
    );
  }

  #x(x: NdArray): Feed {
    if (x.shape.slice(1).join() !== this.#exampleShape.join()) {
      throw new UsageError(
        `The model ${this.model.name} takes rows of shape [${this.#exampleShape}], not [${x.shape.slice(1)}].`,
      );
    }
    return { name: "x", shape: x.shape, data: x.data };
  }

  #y(targets: Targets): Feed {
    const classes = this.#classes;
    if (!(targets instanceof Int32Array)) return { name: "y", shape: targets.shape, data: targets.data };
    const data = new Float32Array(targets.length * classes);
    targets.forEach((label, i) => data[i * classes + label] = 1);
    return { name: "y", shape: [targets.length, classes], data };
  }

  // deno-lint-ignore require-await -- TensorFlow runs at once; the interface promises
  async trainOnBatch(x: NdArray, targets: Targets, options: StepOptions = {}): Promise<StepResult> {
    checkBatch(x, targets, this.#classes, options);
    const result = this.#run(x, targets, options);
    this.#step++;
    return result;
  }

  #run(x: NdArray, targets: Targets, options: StepOptions): StepResult {
    const n = x.shape[0]!;
    const { rate, decay } = ratesOf(this.#spec, options.learningRate ?? this.learningRate, this.#step + 1);
    const weights = options.sampleWeights ?? new Float32Array(n).fill(1);
    const feeds: Feed[] = [
      this.#x(x),
      this.#y(targets),
      { name: "sample_weights", shape: [n], data: weights },
      { name: "step", shape: [], data: Int32Array.of(this.#step) },
      { name: "penalty_scale", shape: [], data: Float32Array.of(options.penaltyScale ?? 1) },
      { name: "rate", shape: [], data: Float32Array.of(rate) },
      { name: "decay", shape: [], data: Float32Array.of(decay) },
    ];
    const [result] = this.#session.run(feeds.filter(({ name }) => this.#feeds.has(name)), ["train"]);
    return { loss: result!.data[0]!, accuracy: result!.data[1]! / n };
  }

  // deno-lint-ignore require-await -- TensorFlow runs at once; the interface promises
  async evaluate(x: NdArray, targets: Targets, options: { readonly batchSize?: number } = {}): Promise<StepResult> {
    const n = x.shape[0]!, batchSize = rowsAtATime(options);
    checkBatch(x, targets, this.#classes);
    let loss = 0, correct = 0;
    for (let start = 0; start < n; start += batchSize) {
      const end = Math.min(n, start + batchSize);
      const feeds = [this.#x(rows(x, start, end)), this.#y(targetRows(targets, start, end))];
      const [result] = this.#session.run(feeds, ["evaluate"]);
      loss += result!.data[0]! * (end - start);
      correct += result!.data[1]!;
    }
    return { loss: loss / n, accuracy: correct / n };
  }

  // deno-lint-ignore require-await -- TensorFlow runs at once; the interface promises
  async predict(
    x: NdArray,
    options: { readonly batchSize?: number } = {},
  ): Promise<NdArray<readonly [number, number]>> {
    const n = x.shape[0]!, batchSize = rowsAtATime(options);
    const data = new Float32Array(n * this.#classes);
    for (let start = 0; start < n; start += batchSize) {
      const [result] = this.#session.run([this.#x(rows(x, start, Math.min(n, start + batchSize)))], ["predict"]);
      data.set(result!.data, start * this.#classes);
    }
    return { data, shape: [n, this.#classes] };
  }

  // deno-lint-ignore require-await -- TensorFlow runs at once; the interface promises
  async state(): Promise<TrainerState> {
    const weights = this.#session.read(this.#variables.map((_, i) => weightName(i)));
    const slots: Record<string, NdArray[]> = {};
    for (const slot of slotNames(this.#spec)) {
      slots[slot] = this.#session.read(this.#trainable.map((i) => slotName(slot, i)));
    }
    return { weights, optimizer: { step: this.#step, slots } };
  }

  restore(state: TrainerState): void {
    const fits = state.weights.length === this.#variables.length &&
      state.weights.every(({ shape }, i) => shape.join() === this.#variables[i]!.shape.join());
    if (!fits) throw new FormatError("The weights do not fit the model: other number or shapes.");
    const feeds = this.#weightFeeds(state.weights);
    for (const slot of slotNames(this.#spec)) {
      const saved = state.optimizer.slots[slot];
      const sizes = this.#trainable.map((i) => this.#variables[i]!.size);
      if (saved?.length !== sizes.length || saved.some(({ data }, k) => data.length !== sizes[k])) {
        throw new FormatError(`The optimiser's saved state does not fit: slot ${slot} has other shapes.`);
      }
      this.#trainable.forEach((i, k) => {
        feeds.push({ name: slotName(slot, i), shape: this.#variables[i]!.shape, data: saved[k]!.data });
      });
    }
    this.#session.assign(feeds);
    this.#step = state.optimizer.step;
  }

  pullWeights(): void {
    const weights = this.#session.read(this.#variables.map((_, i) => weightName(i)));
    tf.tidy(() => weights.forEach(({ data, shape }, i) => this.#variables[i]!.assign(tf.tensor(data, [...shape]))));
  }

  dispose(): void {
    this.#session.dispose();
  }
}

/** Rows of zeros. */
function rowsOf(n: number, shape: readonly number[]): NdArray {
  return { data: new Float32Array(shape.reduce((a, b) => a * b, n)), shape: [n, ...shape] };
}

function exampleShapeOf(model: tf.LayersModel): number[] {
  if (model.inputs.length !== 1 || model.outputs.length !== 1) {
    throw new NotCompilable(`The model ${model.name} has several inputs or outputs.`);
  }
  const shape = model.inputs[0]!.shape.slice(1);
  if (shape.some((size) => size === null || size === undefined)) {
    throw new NotCompilable(`The model ${model.name} takes examples of any length; only the batch may vary.`);
  }
  return shape as number[];
}

/** Names of all nodes that one node needs. */
function needs(writer: GraphWriter, name: string): Set<string> {
  const byName = new Map(writer.nodes.map((node) => [node.name, node]));
  const found = new Set<string>(), open = [name];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (found.has(next)) continue;
    found.add(next);
    open.push(...byName.get(next)!.inputs.map((input) => input.replace(/^\^|:\d+$/g, "")));
  }
  return found;
}
