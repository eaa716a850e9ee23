/**
 * Traces a model's training step and its forward pass, for every batch size, without changing the model.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { withUndo } from "../../interruption.ts";
import { countCorrect, crossEntropy, logitsOf, totalLoss } from "../objective.ts";
import { RandomLayers } from "../random_layers.ts";
import { DT, type NativeBackend, NotCompilable } from "./binding.ts";
import { simplify } from "./graph.ts";
import { fusedCrossEntropy, type Patches, withPatches } from "./patches.ts";
import { type Graph, mergeTraces } from "./symbolic.ts";
import { type Trace, Tracer } from "./tracer.ts";

/** Rows at which a step is traced: two sizes, and the first again; both even, because LSTMs halve the batch. */
const ROWS = [4, 2, 4] as const;

/** What is to be traced. */
export interface ModelToTrace {
  /** The backend. */
  readonly backend: NativeBackend;
  /** The model; it ends in a softmax. */
  readonly model: tf.LayersModel;
  /** Shape of one example. */
  readonly exampleShape: readonly number[];
  /** Number of classes. */
  readonly classes: number;
  /** Seed of the random layers. */
  readonly seed: number;
  /** Patches in force. */
  readonly patches: Patches;
}

/** Variables of a model, in the order of `model.weights`. */
export function variablesOf(model: tf.LayersModel): tf.Variable[] {
  return model.weights.map((weight) => weight.read() as tf.Variable);
}

/** Places in `model.weights` of the weights that are trained, in the order of `model.trainableWeights`. */
export function trainableOf(model: tf.LayersModel): number[] {
  const variables = variablesOf(model);
  return model.trainableWeights.map((weight) => variables.indexOf(weight.read() as tf.Variable));
}

/**
 * Graph of a training step: from `x`, `y`, `sampleWeights`, `step`, `penaltyScale` and `weight/i` to `loss`, `correct`, `gradient/i`
 * and, for weights that the forward pass moves (batch normalisation), `moved/i`.
 *
 * @throws {NotCompilable} when it is not the same computation each time.
 */
export function trainingGraph(what: ModelToTrace): Graph {
  const { backend, model } = what;
  const layers = new RandomLayers(model, what.seed), trainable = trainableOf(model);
  return graphOf(what, ({ x, y, sampleWeights, step, penaltyScale }, variables, tracer) => {
    const watched = trainable.map((i) => variables[i]!);
    const { value, grads } = tf.variableGrads(() => {
      const logits = layers.during(step, () => logitsOf(model, x, true));
      tracer.result("correct", countCorrect(logits, y));
      const rowLosses = what.patches.crossEntropy ? fusedCrossEntropy(backend, logits, y) : crossEntropy(logits, y);
      return totalLoss(model, tf.mul(rowLosses, sampleWeights) as tf.Tensor1D, penaltyScale);
    }, watched);
    tracer.result("loss", value);
    trainable.forEach((i) => {
      const gradient = grads[variables[i]!.name];
      if (!gradient) throw new NotCompilable(`The loss does not depend on the weight ${variables[i]!.name}.`);
      tracer.result(`gradient/${i}`, gradient);
    });
  });
}

/**
 * Graph of a forward pass: from `x`, `y` and `weight/i` to `loss` (regularisation included), `correct` and
 * `probabilities`.
 *
 * @throws {NotCompilable} when it is not the same computation each time.
 */
export function inferenceGraph(what: ModelToTrace): Graph {
  const { backend, model } = what;
  return graphOf(what, ({ x, y }, _variables, tracer) => {
    const logits = logitsOf(model, x, false);
    tracer.result("probabilities", tf.softmax(logits));
    tracer.result("correct", countCorrect(logits, y));
    const rowLosses = what.patches.crossEntropy ? fusedCrossEntropy(backend, logits, y) : crossEntropy(logits, y);
    tracer.result("loss", totalLoss(model, rowLosses));
  });
}

/** Tensors that a traced step is given. */
interface Given {
  readonly x: tf.Tensor;
  readonly y: tf.Tensor2D;
  readonly sampleWeights: tf.Tensor1D;
  readonly step: tf.Scalar;
  readonly penaltyScale: tf.Scalar;
}

type Step = (given: Given, variables: readonly tf.Variable[], tracer: Tracer) => void;

function graphOf(what: ModelToTrace, step: Step): Graph {
  const [first, second, third] = ROWS.map((rows) => ({ rows, trace: traceAt(rows, what, step) }));
  return simplify(mergeTraces(first!, second!, third!));
}

function traceAt(rows: number, { backend, model, exampleShape, classes, patches }: ModelToTrace, step: Step): Trace {
  const variables = variablesOf(model);
  const before = variables.map((variable) => tf.keep(variable.clone())); // shares the values
  const putBack = (): void => {
    variables.forEach((variable, i) => {
      if (variable.dataId !== before[i]!.dataId) variable.assign(before[i]!);
    });
    tf.dispose(before);
  };
  return withUndo(putBack, () => {
    let trace!: Trace;
    try {
      tf.tidy(() => {
        const given: Given = {
          // What the values are does not matter: nothing may look at them.
          x: tf.zeros([rows, ...exampleShape]),
          y: tf.zeros([rows, classes]),
          sampleWeights: tf.ones([rows]),
          step: tf.scalar(0, "int32"),
          penaltyScale: tf.scalar(1),
        };
        const tracer = new Tracer(backend);
        for (const name of ["x", "y", "sampleWeights", "penaltyScale"] as const) tracer.bind(name, given[name]);
        tracer.bind("step", given.step, DT.INT32);
        variables.forEach((variable, i) => tracer.bind(`weight/${i}`, variable));
        trace = tracer.run(() => {
          withPatches(backend, model, patches, () => step(given, variables, tracer));
          variables.forEach((variable, i) => {
            if (variable.dataId !== before[i]!.dataId) tracer.result(`moved/${i}`, variable);
          });
        });
      });
    } catch (error) {
      freeTape();
      throw error;
    }
    return trace;
  });
}

/** The part of tf.js's engine that records what a gradient needs. */
interface Tape {
  readonly state: { activeTape: { readonly saved: tf.Tensor[] }[] | null; readonly gradientDepth: number };
}

/** Frees what tf.js keeps for a gradient that was never finished: it does so itself only at the end of one. */
function freeTape(): void {
  const { state } = tf.engine() as unknown as Tape;
  if (state.gradientDepth > 0) return; // we are inside someone's gradient: it is theirs
  for (const node of state.activeTape ?? []) tf.dispose(node.saved);
  state.activeTape = null;
}
