/**
 * What is trained for: categorical cross-entropy from the logits, as Keras computes it behind the same names, plus the
 * layers' regularisation. Browser-safe.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { UsageError } from "../errors.ts";
import { withUndo } from "../interruption.ts";

/** The parts of tf.js's layers that are not in its public types. */
interface LayerParts {
  activation?: { getClassName(): string };
}

interface ModelParts {
  calculateLosses(): tf.Scalar[];
}

/** A trained weight with a constraint (`maxNorm`, `nonNeg`, …), and the constraint. */
export interface Constrained {
  /** The weight. */
  readonly variable: tf.Variable;
  /** The weight as the constraint lets it be. */
  apply(weight: tf.Tensor): tf.Tensor;
}

/** The weights of a model that a constraint holds after each step, as in Keras. */
export function constrainedOf(model: tf.LayersModel): Constrained[] {
  return model.trainableWeights.flatMap((weight) => {
    const { constraint } = weight as unknown as { constraint?: { apply(w: tf.Tensor): tf.Tensor } | null };
    return constraint ? [{ variable: weight.read() as tf.Variable, apply: (w) => constraint.apply(w) }] : [];
  });
}

const LINEAR = (tf.layers.activation({ activation: "linear" }) as unknown as Required<LayerParts>).activation;

/** Number of classes of a model that ends in a softmax. @throws {UsageError} when it does not. */
export function classesOf(model: tf.LayersModel): number {
  const last = model.layers.at(-1) as unknown as LayerParts;
  if (last.activation?.getClassName() !== "softmax") {
    throw new UsageError(`The model ${model.name} must end in a softmax.`);
  }
  return model.outputs[0]!.shape.at(-1)!;
}

/** Logits `[n, classes]`: the model without its last softmax. */
export function logitsOf(model: tf.LayersModel, x: tf.Tensor, training: boolean): tf.Tensor2D {
  const last = model.layers.at(-1) as unknown as LayerParts;
  const softmax = last.activation!;
  return withUndo(() => last.activation = softmax, () => {
    last.activation = LINEAR;
    return model.apply(x, { training }) as tf.Tensor2D;
  });
}

/** Cross-entropy of each row `[n]` between targets and logits `[n, classes]`. */
export function crossEntropy(logits: tf.Tensor2D, y: tf.Tensor2D): tf.Tensor1D {
  return tf.neg(tf.sum(tf.mul(y, tf.logSoftmax(logits)), -1));
}

/** Mean of the rows' losses, plus the model's regularisation, times a factor where one is given. */
export function totalLoss(model: tf.LayersModel, rowLosses: tf.Tensor1D, penaltyScale?: tf.Scalar): tf.Scalar {
  const terms = (model as unknown as ModelParts).calculateLosses();
  return terms.reduce<tf.Scalar>(
    (sum, term) => tf.add(sum, penaltyScale ? tf.mul(term, penaltyScale) : term),
    tf.mean(rowLosses),
  );
}

/** How many rows' arg-max is the target's. */
export function countCorrect(logits: tf.Tensor2D, y: tf.Tensor2D): tf.Scalar {
  return tf.sum(tf.equal(tf.argMax(logits, -1), tf.argMax(y, -1)).toFloat());
}
