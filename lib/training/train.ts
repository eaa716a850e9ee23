/**
 * The training loop: epochs over shuffled batches, validation, Keras's callbacks, checkpoints and exact resume.
 *
 * Everything random follows from the seed and everything that decides how a training goes on is in the checkpoint, so
 * that an interrupted and resumed training equals an uninterrupted one.
 *
 * A kill at any moment loses at most one epoch, or of shorter ones as many as twenty checkpoints take to write, ten
 * seconds at most: so writing takes a twentieth to a tenth of the time, less where epochs are long, more where a write
 * takes over half a second.
 *
 * @module
 */

import { FormatError, UsageError } from "../errors.ts";
import { beginInterruptible } from "../interruption.ts";
import { type RandomState, stream } from "../random.ts";
import type { NdArray } from "../types.ts";
import type { StepOptions, StepResult, Targets, Trainer, TrainerState } from "../engine/trainer.ts";
import type { Checkpoint, CheckpointStore } from "./checkpoint.ts";
import { Batches, type Dataset } from "./dataset.ts";

/** What is known after an epoch. */
export interface EpochLog {
  /** Number of the epoch, from 1. */
  readonly epoch: number;
  /** Mean training loss over the epoch's steps, regularisation included, as Keras reports it. */
  readonly loss: number;
  /** Training accuracy over the epoch's steps. */
  readonly accuracy: number;
  /** Validation loss after the epoch; absent without validation. */
  readonly valLoss?: number;
  /** Validation accuracy after the epoch; absent without validation. */
  readonly valAccuracy?: number;
  /** Learning rate of the epoch. */
  readonly learningRate: number;
}

/** A quantity that a callback watches. */
export type Monitor = "loss" | "accuracy" | "valLoss" | "valAccuracy";

/** `keras.callbacks.EarlyStopping` (Keras 3). */
export interface EarlyStopping {
  /** What to watch. */
  readonly monitor: Monitor;
  /** Epochs without improvement before training stops. */
  readonly patience: number;
  /** The least change that counts; default 0. */
  readonly minDelta?: number;
  /** Whether the weights of the best epoch are put back at the end, stopped early or not; default false. */
  readonly restoreBestWeights?: boolean;
}

/** `keras.callbacks.ReduceLROnPlateau` (Keras 3), without cooldown. */
export interface ReduceOnPlateau {
  /** What to watch. */
  readonly monitor: Monitor;
  /** The rate is multiplied by this. */
  readonly factor: number;
  /** Epochs without improvement before it is. */
  readonly patience: number;
  /** The least change that counts; default 1e-4. */
  readonly minDelta?: number;
  /** The rate never falls below; default 0. */
  readonly minLearningRate?: number;
}

/** The rule by which scikit-learn's `MLPClassifier` stops without early stopping (`_update_no_improvement_count`). */
export interface NoImprovement {
  /** The training loss must fall below the best one by more than this (`tol`). */
  readonly tolerance: number;
  /** Training stops after more than so many epochs in a row without that (`n_iter_no_change`). */
  readonly epochs: number;
}

/** Choices that a study declares. */
export interface TrainingPlan {
  /** Most epochs. */
  readonly epochs: number;
  /** Rows a step; the last, smaller batch of an epoch is kept, as in Keras. */
  readonly batchSize: number;
  /** Stop when nothing improves. */
  readonly earlyStopping?: EarlyStopping;
  /** Lower the rate when nothing improves. */
  readonly reduceOnPlateau?: ReduceOnPlateau;
  /** Stop when the training loss no longer falls, by scikit-learn's rule; the last weights stay. */
  readonly noImprovement?: NoImprovement;
  /** The model's penalties are meant for batches of so many rows and grow as a batch is smaller (scikit-learn's alpha). */
  readonly penaltyRows?: number;
  /** Put the weights of the best epoch back at the end (`ModelCheckpoint(save_best_only)` and loading it). */
  readonly keepBest?: Monitor;
  /** Weight of each class's rows in the loss, by class index. */
  readonly classWeights?: readonly number[];
}

/** Everything around a training that is not part of its plan. */
export interface FitOptions {
  /** Seed of the order of the rows. */
  readonly seed: number;
  /** Which rows of the data to train on, in their order; a row may stand there more than once. Default: all. */
  readonly rows?: ArrayLike<number> | undefined;
  /** Order of n rows in an epoch (from 0); default: a permutation from the seed and the epoch. */
  readonly order?: ((epoch: number, n: number) => Int32Array) | undefined;
  /**
   * Changes a batch before its step (SpecAugment, mixup). What it draws must follow from the generator alone, which is
   * the epoch's and the step's own. The batch's arrays are used again for the next one.
   */
  readonly transform?: ((batch: Dataset, rng: RandomState) => { x: NdArray; targets: Targets }) | undefined;
  /** Rows to validate on after each epoch. */
  readonly validation?: Dataset | undefined;
  /** Weight of each training row in the loss. */
  readonly sampleWeights?: Float32Array | undefined;
  /** Learning rate by epoch (from 0), before `reduceOnPlateau`'s factor; default: the optimiser's. */
  readonly schedule?: ((epoch: number) => number) | undefined;
  /** Where checkpoints go; without it there are none. */
  readonly checkpoint?: CheckpointStore | undefined;
  /**
   * So many seconds of epochs may lie between checkpoints, s: one is written before the next epoch would go beyond.
   * Default: twenty times what the last one took to write, 10 at most.
   */
  readonly checkpointEverySec?: number | undefined;
  /** Whether the state after the last epoch is kept too, so that a plan of more epochs goes on from it. Default false. */
  readonly checkpointAtEnd?: boolean | undefined;
  /** When work on the training began, by `performance.now()`, so that compiling it counts; default: now. */
  readonly startedAt?: number | undefined;
  /** What the training is (data, model, plan): a checkpoint of anything else is refused. */
  readonly identity?: string | undefined;
  /** Stops the training at the next step when aborted. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each epoch. */
  readonly onEpoch?: ((log: EpochLog) => void) | undefined;
}

/** How a training went. */
export interface FitResult {
  /** One log an epoch. */
  readonly history: readonly EpochLog[];
  /** The epoch (from 1) whose weights the model has now. */
  readonly epoch: number;
  /** Whether it ended before the plan's last epoch. */
  readonly stoppedEarly: boolean;
  /**
   * Seconds that it took, those of earlier sessions among them, up to the checkpoint from which it went on. A checkpoint
   * that does not say counts 0.
   */
  readonly seconds: number;
}

/** The best value of a watched quantity so far, and how many epochs have passed since. */
interface Watch {
  best: number;
  wait: number;
  bestEpoch: number;
}

/** State of the loop between two epochs. */
interface LoopState {
  history: EpochLog[];
  factor: number;
  stopping: Watch;
  plateau: Watch;
  best: Watch;
  /** Best training loss and epochs in a row that were no better, for {@linkcode NoImprovement}. */
  stalled: { best: number | null; count: number };
  stopped: boolean;
}

/** Epochs that take so many times what a checkpoint takes to write may lie between two. */
const SPREAD = 20;

/** Most seconds of epochs between two checkpoints, whatever they take to write. */
const MOST_APART_SEC = 10;

/** What the first checkpoint is thought to take to write, s: measured of about 25 MB. */
const FIRST_WRITE_SEC = 0.1;

const fresh = (): Watch => ({ best: Number.NaN, wait: 0, bestEpoch: 0 });

function isBetter(monitor: Monitor, value: number, best: number, minDelta: number): boolean {
  if (Number.isNaN(best)) return !Number.isNaN(value);
  return monitor === "accuracy" || monitor === "valAccuracy" ? value > best + minDelta : value < best - minDelta;
}

/** Notes a new value; returns whether it is an improvement. */
function note(watch: Watch, monitor: Monitor, log: EpochLog, minDelta: number): boolean {
  const value = log[monitor];
  if (value === undefined) throw new UsageError(`${monitor} is watched but there are no validation rows.`);
  watch.wait++;
  if (!isBetter(monitor, value, watch.best, minDelta)) return false;
  watch.best = value;
  watch.bestEpoch = log.epoch;
  watch.wait = 0;
  return true;
}

/** Lets timers, signals and a notebook's interrupt run when the loop has been busy for a while. */
function yielder(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < 50) return;
    await new Promise((done) => setTimeout(done, 0));
    last = performance.now();
  };
}

/**
 * Trains for the epochs of the plan.
 *
 * @param trainer The model under training.
 * @param data The training rows.
 * @returns The history; the model has the last epoch's weights, or the best one's where the plan says so.
 * @throws {UsageError} when a callback watches validation without validation rows.
 * @throws the signal's reason when it is aborted, {InterruptedError} when a notebook's cell is interrupted; the last
 * checkpoint stays.
 */
export async function fit(
  trainer: Trainer,
  data: Dataset,
  plan: TrainingPlan,
  options: FitOptions,
): Promise<FitResult> {
  const work = beginInterruptible();
  try {
    return await runEpochs(trainer, data, plan, options, work.signal);
  } finally {
    work.end();
  }
}

async function runEpochs(
  trainer: Trainer,
  data: Dataset,
  plan: TrainingPlan,
  options: FitOptions,
  interrupted: AbortSignal,
): Promise<FitResult> {
  const started = options.startedAt ?? performance.now();
  const n = options.rows?.length ?? data.y.length;
  if (n === 0) throw new UsageError("There are no training rows.");
  const { earlyStopping, reduceOnPlateau, keepBest, noImprovement, penaltyRows } = plan;
  const { rows } = options;
  const loop: LoopState = {
    history: [],
    factor: 1,
    stopping: fresh(),
    plateau: fresh(),
    best: fresh(),
    stalled: { best: null, count: 0 },
    stopped: false,
  };
  let bestWeights: readonly NdArray[] | null = null;
  const saved = options.checkpoint?.load() ?? null;
  if (saved) bestWeights = resume(trainer, loop, saved, options.identity);
  const resumed = loop.history.length, earlier = secondsOf(saved);
  const seconds = (): number => earlier + (performance.now() - started) / 1000;

  const baseRate = (epoch: number): number => options.schedule?.(epoch) ?? trainer.learningRate;
  const pause = yielder(), batches = new Batches(data, Math.min(n, plan.batchSize));
  let lastSave = performance.now(), writeSec = FIRST_WRITE_SEC;
  const save = async (store: CheckpointStore): Promise<void> => {
    const began = performance.now();
    store.save(await snapshot(trainer, loop, bestWeights, options.identity, seconds()));
    lastSave = performance.now();
    writeSec = (lastSave - began) / 1000;
  };
  for (let epoch = loop.history.length; epoch < plan.epochs && !loop.stopped; epoch++) {
    const rate = baseRate(epoch) * loop.factor, began = performance.now();
    const order = options.order?.(epoch, n) ?? stream(options.seed, "shuffle", epoch).permutation(n);
    let loss = 0, accuracy = 0;
    for (let start = 0; start < n; start += plan.batchSize) {
      options.signal?.throwIfAborted();
      interrupted.throwIfAborted();
      const indices = order.subarray(start, Math.min(n, start + plan.batchSize));
      const batch = batches.take(rows ? indices.map((i) => rows[i]!) : indices);
      const weights = rowWeights(batch.y, indices, plan.classWeights, options.sampleWeights);
      const step: StepOptions = {
        learningRate: rate,
        ...(weights ? { sampleWeights: weights } : {}),
        ...(penaltyRows ? { penaltyScale: penaltyRows / indices.length } : {}),
      };
      const { x, targets } = options.transform?.(batch, stream(options.seed, "transform", epoch, start)) ??
        { x: batch.x, targets: batch.y };
      const result = await trainer.trainOnBatch(x, targets, step);
      loss += result.loss * indices.length;
      accuracy += result.accuracy * indices.length;
      await pause();
    }
    const log: EpochLog = {
      epoch: epoch + 1,
      loss: loss / n,
      accuracy: accuracy / n,
      ...validationPart(options.validation && await trainer.evaluate(options.validation.x, options.validation.y)),
      learningRate: rate,
    };
    loop.history.push(log);

    if (keepBest && note(loop.best, keepBest, log, 0)) bestWeights = (await trainer.state()).weights;
    if (earlyStopping) {
      const improved = note(loop.stopping, earlyStopping.monitor, log, earlyStopping.minDelta ?? 0);
      if (earlyStopping.restoreBestWeights && (improved || (epoch === 0 && !bestWeights))) {
        loop.best.bestEpoch = log.epoch;
        bestWeights = (await trainer.state()).weights;
      }
      loop.stopped = !improved && loop.stopping.wait >= earlyStopping.patience && epoch > 0;
    }
    if (reduceOnPlateau) {
      const { monitor, minDelta = 1e-4, patience, factor, minLearningRate = 0 } = reduceOnPlateau;
      if (!note(loop.plateau, monitor, log, minDelta) && loop.plateau.wait >= patience) {
        loop.factor = Math.max(rate * factor, minLearningRate) / baseRate(epoch);
        loop.plateau.wait = 0;
      }
    }
    if (noImprovement) {
      const { stalled } = loop, best = stalled.best ?? Infinity;
      stalled.count = log.loss > best - noImprovement.tolerance ? stalled.count + 1 : 0;
      stalled.best = Math.min(best, log.loss);
      if (stalled.count > noImprovement.epochs) loop.stopped = true;
    }
    options.onEpoch?.(log);
    const apart = options.checkpointEverySec ?? Math.min(MOST_APART_SEC, SPREAD * writeSec);
    // Without one, a kill at the end of the next epoch would cost that epoch and all since the last checkpoint.
    const ended = performance.now(), due = ended - lastSave + (ended - began) >= apart * 1000;
    if (options.checkpoint && due && epoch + 1 < plan.epochs && !loop.stopped) await save(options.checkpoint);
  }
  const last = loop.history.length;
  if (options.checkpoint && options.checkpointAtEnd && last > resumed) await save(options.checkpoint);
  if (bestWeights) trainer.restore({ ...(await trainer.state()), weights: bestWeights });
  trainer.pullWeights();
  return {
    history: loop.history,
    epoch: bestWeights ? loop.best.bestEpoch : last,
    stoppedEarly: loop.stopped && last < plan.epochs,
    seconds: seconds(),
  };
}

function validationPart(result: StepResult | undefined): Partial<EpochLog> {
  return result ? { valLoss: result.loss, valAccuracy: result.accuracy } : {};
}

function rowWeights(
  y: Int32Array,
  indices: ArrayLike<number>,
  classWeights: readonly number[] | undefined,
  sampleWeights: Float32Array | undefined,
): Float32Array | null {
  if (!classWeights && !sampleWeights) return null;
  return Float32Array.from(y, (label, i) => (classWeights?.[label] ?? 1) * (sampleWeights?.[indices[i]!] ?? 1));
}

async function snapshot(
  trainer: Trainer,
  loop: LoopState,
  bestWeights: readonly NdArray[] | null,
  identity: string | undefined,
  seconds: number,
): Promise<Checkpoint> {
  const state = await trainer.state();
  const arrays: Record<string, NdArray> = {};
  state.weights.forEach((w, i) => arrays[`weights/${i}`] = w);
  for (const [name, list] of Object.entries(state.optimizer.slots)) {
    list.forEach((slot, i) => arrays[`slots/${name}/${i}`] = slot);
  }
  bestWeights?.forEach((w, i) => arrays[`best/${i}`] = w);
  return { meta: { identity: identity ?? null, step: state.optimizer.step, seconds, loop }, arrays };
}

/** Seconds of training that lie behind a checkpoint. */
function secondsOf(saved: Checkpoint | null): number {
  return (saved?.meta as { seconds?: number } | undefined)?.seconds ?? 0;
}

/** Puts a checkpoint back into trainer and loop; returns the best weights so far. */
function resume(
  trainer: Trainer,
  loop: LoopState,
  saved: Checkpoint,
  identity: string | undefined,
): readonly NdArray[] | null {
  const meta = saved.meta as { identity: string | null; step: number; loop: LoopState };
  if (meta.identity !== (identity ?? null)) {
    throw new FormatError(
      "The checkpoint is of another training (other data, model or plan); remove it to start anew.",
    );
  }
  const list = (prefix: string): NdArray[] =>
    Object.keys(saved.arrays).filter((name) => name.startsWith(prefix)).map((name) => saved.arrays[name]!);
  const slots: Record<string, NdArray[]> = {};
  for (const name of Object.keys(saved.arrays)) {
    const slot = /^slots\/(.+)\/\d+$/.exec(name)?.[1];
    if (slot !== undefined) (slots[slot] ??= []).push(saved.arrays[name]!);
  }
  const state: TrainerState = { weights: list("weights/"), optimizer: { step: meta.step, slots } };
  trainer.restore(state);
  // JSON has no NaN: a watch that has seen nothing comes back with null.
  for (const watch of [meta.loop.stopping, meta.loop.plateau, meta.loop.best]) watch.best ??= Number.NaN;
  Object.assign(loop, meta.loop);
  const best = list("best/");
  return best.length > 0 ? best : null;
}
