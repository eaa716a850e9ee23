/**
 * The trainer that fits a model and this machine: compiled where that is sound, else operation by operation.
 *
 * @module
 */

import type * as tf from "@tensorflow/tfjs";
import { repairAfterKill, wasKilled } from "../interruption.ts";
import { nativeBackend } from "./compiled/binding.ts";
import { compile, type CompileOptions, NotCompilable } from "./compiled/mod.ts";
import { eagerTrainer, type Trainer } from "./trainer.ts";

/** How to train a model. */
export interface CreateTrainerOptions extends CompileOptions {
  /** Receives one line when native TensorFlow runs but the model is trained operation by operation, and why. */
  readonly onNotice?: (line: string) => void;
}

/**
 * Makes a trainer: on native TensorFlow a compiled one, as fast as Keras's; where the model cannot be compiled soundly,
 * or on another backend, one that runs operation by operation. Both follow the same rules and share their checkpoints.
 *
 * @throws {UsageError} when the model does not end in a softmax, or the learning rate is not positive.
 */
export function createTrainer(model: tf.LayersModel, options: CreateTrainerOptions): Trainer {
  // A trace that an interrupt ended in the middle left its recording binding in place, and more.
  if (wasKilled()) repairAfterKill();
  if (!nativeBackend()) return eagerTrainer(model, options);
  try {
    return compile(model, options);
  } catch (error) {
    if (!(error instanceof NotCompilable)) throw error;
    const reason = error.message.replace(/\.$/, "");
    options.onNotice?.(`engine: the model ${model.name} is trained operation by operation, which is slower: ${reason}`);
    return eagerTrainer(model, options);
  }
}
