/**
 * One model under training: a step, an evaluation, a prediction. The training loop and everything above it knows only
 * {@linkcode Trainer}. Browser-safe.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { FormatError, UsageError } from "../errors.ts";
import { afterKill } from "../interruption.ts";
import type { NdArray } from "../types.ts";
import {
  classesOf,
  type Constrained,
  constrainedOf,
  countCorrect,
  crossEntropy,
  logitsOf,
  totalLoss,
} from "./objective.ts";
import { Optimizer, type OptimizerSpec, type OptimizerState } from "./optimizers.ts";
import { RandomLayers } from "./random_layers.ts";

/** What to train for. */
export interface TrainerOptions {
  /** The optimiser. */
  readonly optimizer: OptimizerSpec;
  /** Seed of dropout and other random layers: the same seed gives the same masks, step by step. */
  readonly seed: number;
}

/** Targets of a batch: class indices, or rows of class probabilities `[n, classes]` (mixup). */
export type Targets = Int32Array | NdArray;

/** Result of one training step, before the step's update. */
export interface StepResult {
  /** Mean loss of the batch, regularisation included, as Keras reports it. */
  readonly loss: number;
  /** Share of the batch whose arg-max is the target's. */
  readonly accuracy: number;
}

/** How a step is to be taken. */
export interface StepOptions {
  /** Learning rate of this step; default: the optimiser's. */
  readonly learningRate?: number;
  /** Weight of each row's loss, length n; the loss is the weighted sum divided by n, as in Keras. */
  readonly sampleWeights?: Float32Array;
  /** Factor on the model's regularisation in this step; default 1 (scikit-learn's depends on the batch's rows). */
  readonly penaltyScale?: number;
}

/** Everything besides the program that decides how a training goes on. */
export interface TrainerState {
  /** Weights in the order of `model.weights`. */
  readonly weights: readonly NdArray[];
  /** The optimiser's step count and slots. */
  readonly optimizer: OptimizerState;
}

/** One model under training. */
export interface Trainer {
  /** The model that is trained. */
  readonly model: tf.LayersModel;
  /** The optimiser's learning rate, before schedules. */
  readonly learningRate: number;
  /**
   * Takes one step on a batch `[n, …]`.
   *
   * @throws {UsageError} when the batch is empty or does not fit its targets, weights or the model ({@linkcode checkBatch}).
   */
  trainOnBatch(x: NdArray, targets: Targets, options?: StepOptions): Promise<StepResult>;
  /** Loss (regularisation included, as Keras) and accuracy over all rows, in batches. */
  evaluate(x: NdArray, targets: Targets, options?: { readonly batchSize?: number }): Promise<StepResult>;
  /** Class probabilities `[n, classes]`. */
  predict(x: NdArray, options?: { readonly batchSize?: number }): Promise<NdArray<readonly [number, number]>>;
  /** The state to go on from; see {@linkcode Trainer.restore}. */
  state(): Promise<TrainerState>;
  /** Puts a state back: training goes on from there as if it had not stopped. */
  restore(state: TrainerState): void;
  /** Copies the trained weights into `model`. */
  pullWeights(): void;
  /** Frees the trainer's memory; the model stays. */
  dispose(): void;
}

/** What tf.js keeps while a `tidy` or a gradient is under way. */
interface EngineState {
  scopeStack: { track: tf.Tensor[] }[];
  activeScope: { track: tf.Tensor[] } | undefined;
  activeTape: { readonly saved: tf.Tensor[] }[] | null;
  gradientDepth: number;
  kernelDepth: number;
}

/** Ends what was under way in tf.js when JavaScript was ended in the middle: its `finally` did not run. */
function resetEngine(): void {
  const { state } = tf.engine() as unknown as { state: EngineState };
  for (const { track } of state.scopeStack) {
    for (const tensor of track) if (!(tensor as { kept?: boolean }).kept && !tensor.isDisposed) tensor.dispose();
  }
  state.scopeStack = [];
  state.activeScope = undefined;
  for (const { saved } of state.activeTape ?? []) tf.dispose(saved);
  state.activeTape = null;
  state.gradientDepth = 0;
  state.kernelDepth = 0;
}

afterKill(resetEngine);

/** Weights of a model as plain arrays, in the order of `model.weights`. */
export async function readWeights(model: tf.LayersModel): Promise<NdArray[]> {
  return await Promise.all(
    model.getWeights().map(async (w) => ({ data: Float32Array.from(await w.data()), shape: w.shape })),
  );
}

/**
 * Puts weights into a model.
 *
 * @throws {FormatError} when their number or shapes are not the model's.
 */
export function writeWeights(model: tf.LayersModel, weights: readonly NdArray[]): void {
  const shapes = model.getWeights().map((w) => w.shape);
  const fits = shapes.length === weights.length &&
    shapes.every((shape, i) => shape.join() === weights[i]!.shape.join());
  if (!fits) throw new FormatError("The weights do not fit the model: other number or shapes.");
  tf.tidy(() => model.setWeights(weights.map((w) => tf.tensor(w.data, [...w.shape]))));
}

/** Rows `start … end` of an array along its first axis, sharing memory. */
export function rows(x: NdArray, start: number, end: number): NdArray {
  const size = x.shape.slice(1).reduce((a, b) => a * b, 1);
  return { data: x.data.subarray(start * size, end * size), shape: [end - start, ...x.shape.slice(1)] };
}

/** Targets `start … end`, sharing memory. */
export function targetRows(targets: Targets, start: number, end: number): Targets {
  return targets instanceof Int32Array ? targets.subarray(start, end) : rows(targets, start, end);
}

/**
 * Refuses a batch on which no step can be taken: taken all the same, it would turn weights into NaN, or count rows
 * against other rows' targets.
 *
 * @throws {UsageError} when there are no rows, their number is not that of targets or weights, a label is none of the
 * classes, or a rate is not a number.
 */
export function checkBatch(x: NdArray, targets: Targets, classes: number, options: StepOptions = {}): void {
  const n = x.shape[0] ?? 0;
  if (n === 0) throw new UsageError("There are no rows to take a step on, or to evaluate.");
  const counts = targets instanceof Int32Array ? [targets.length, classes] : targets.shape;
  if (counts.length !== 2 || counts[0] !== n || counts[1] !== classes) {
    throw new UsageError(`${n} rows and ${classes} classes take targets [${n}, ${classes}], not [${counts}].`);
  }
  if (targets instanceof Int32Array) {
    const wrong = targets.find((label) => label < 0 || label >= classes);
    if (wrong !== undefined) throw new UsageError(`The label ${wrong} is none of the ${classes} classes from 0.`);
  }
  const { sampleWeights, learningRate, penaltyScale } = options;
  if (sampleWeights && sampleWeights.length !== n) {
    throw new UsageError(`${n} rows take as many weights, not ${sampleWeights.length}.`);
  }
  for (const [name, value] of Object.entries({ learningRate, penaltyScale })) {
    if (value !== undefined && !(value >= 0 && Number.isFinite(value))) {
      throw new UsageError(`A step's ${name} must be a number from 0, not ${value}.`);
    }
  }
}

/** Rows at a time of an evaluation or a prediction. @throws {UsageError} when it is not a positive integer. */
export function rowsAtATime({ batchSize = 32 }: { readonly batchSize?: number }): number {
  if (!(Number.isInteger(batchSize) && batchSize > 0)) {
    throw new UsageError(`The batch size must be a positive integer, not ${batchSize}.`);
  }
  return batchSize;
}

/**
 * A trainer that runs op by op on any backend.
 *
 * The model's last layer must be a softmax over the classes; the loss is categorical cross-entropy computed from the
 * logits (as Keras does behind the same names), plus the layers' regularisation.
 *
 * @throws {UsageError} when the model does not end in a softmax.
 */
export function eagerTrainer(model: tf.LayersModel, options: TrainerOptions): Trainer {
  return new EagerTrainer(model, options);
}

class EagerTrainer implements Trainer {
  readonly learningRate: number;
  readonly #optimizer: Optimizer;
  readonly #variables: tf.Variable[];
  readonly #constrained: readonly Constrained[];
  readonly #randomLayers: RandomLayers;
  readonly #classes: number;

  constructor(readonly model: tf.LayersModel, readonly options: TrainerOptions) {
    this.#classes = classesOf(model);
    this.learningRate = options.optimizer.learningRate;
    this.#variables = model.trainableWeights.map((w) => w.read() as tf.Variable);
    this.#constrained = constrainedOf(model);
    this.#randomLayers = new RandomLayers(model, options.seed);
    this.#optimizer = new Optimizer(options.optimizer, this.#variables);
  }

  #targets(targets: Targets): tf.Tensor2D {
    return targets instanceof Int32Array
      ? tf.oneHot(tf.tensor1d(targets, "int32"), this.#classes).toFloat() as tf.Tensor2D
      : tf.tensor2d(targets.data, targets.shape as [number, number]);
  }

  #loss(logits: tf.Tensor2D, y: tf.Tensor2D, { sampleWeights, penaltyScale }: StepOptions = {}): tf.Scalar {
    const rowLosses = crossEntropy(logits, y);
    return totalLoss(
      this.model,
      sampleWeights ? tf.mul(rowLosses, tf.tensor1d(sampleWeights)) : rowLosses,
      penaltyScale === undefined ? undefined : tf.scalar(penaltyScale),
    );
  }

  async trainOnBatch(x: NdArray, targets: Targets, options: StepOptions = {}): Promise<StepResult> {
    const n = x.shape[0]!;
    checkBatch(x, targets, this.#classes, options);
    const result = tf.tidy(() => {
      const xs = tf.tensor(x.data, [...x.shape]), y = this.#targets(targets);
      let correct!: tf.Scalar;
      const { value, grads } = tf.variableGrads(() => {
        const logits = this.#randomLayers.during(this.#optimizer.step, () => logitsOf(this.model, xs, true));
        correct = tf.keep(countCorrect(logits, y));
        return this.#loss(logits, y, options);
      }, this.#variables);
      const rate = options.learningRate ?? this.learningRate;
      this.#optimizer.apply(this.#variables.map((v) => grads[v.name]!), rate);
      for (const { variable, apply } of this.#constrained) variable.assign(apply(variable));
      const both = tf.stack([value, correct]);
      correct.dispose();
      return both;
    });
    const [loss, correct] = await result.data();
    result.dispose();
    return { loss: loss!, accuracy: correct! / n };
  }

  async evaluate(x: NdArray, targets: Targets, options: { readonly batchSize?: number } = {}): Promise<StepResult> {
    const n = x.shape[0]!, batchSize = rowsAtATime(options);
    checkBatch(x, targets, this.#classes);
    let loss = 0, correct = 0;
    for (let start = 0; start < n; start += batchSize) {
      const end = Math.min(n, start + batchSize), part = rows(x, start, end);
      const result = tf.tidy(() => {
        const y = this.#targets(targetRows(targets, start, end));
        const logits = logitsOf(this.model, tf.tensor(part.data, [...part.shape]), false);
        return tf.stack([this.#loss(logits, y), countCorrect(logits, y)]);
      });
      const [partLoss, partCorrect] = await result.data();
      result.dispose();
      loss += partLoss! * (end - start);
      correct += partCorrect!;
    }
    return { loss: loss / n, accuracy: correct / n };
  }

  async predict(
    x: NdArray,
    options: { readonly batchSize?: number } = {},
  ): Promise<NdArray<readonly [number, number]>> {
    return await predictProbabilities(this.model, x, options);
  }

  async state(): Promise<TrainerState> {
    return { weights: await readWeights(this.model), optimizer: await this.#optimizer.state() };
  }

  restore(state: TrainerState): void {
    writeWeights(this.model, state.weights);
    this.#optimizer.restore(state.optimizer);
  }

  pullWeights(): void {} // the weights are the model's own

  dispose(): void {
    this.#optimizer.dispose();
  }
}

/**
 * Class probabilities `[n, classes]` of a model for rows `[n, …]`, in batches.
 *
 * @param options.batchSize Rows at a time; default 32.
 */
export async function predictProbabilities(
  model: tf.LayersModel,
  x: NdArray,
  options: { readonly batchSize?: number } = {},
): Promise<NdArray<readonly [number, number]>> {
  const n = x.shape[0]!, batchSize = rowsAtATime(options);
  const classes = model.outputs[0]!.shape.at(-1)!;
  const data = new Float32Array(n * classes);
  for (let start = 0; start < n; start += batchSize) {
    const part = rows(x, start, Math.min(n, start + batchSize));
    const out = tf.tidy(() => model.apply(tf.tensor(part.data, [...part.shape]), { training: false }) as tf.Tensor);
    data.set(await out.data(), start * classes);
    out.dispose();
  }
  return { data, shape: [n, classes] };
}
