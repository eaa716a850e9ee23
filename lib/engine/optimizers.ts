/**
 * Optimisers with Keras 3's update rules, their state in the open: what a checkpoint must save is what {@linkcode
 * Optimizer.state} lists, and the bias corrections follow from the step count, so that a resumed training equals an
 * uninterrupted one bit for bit.
 *
 * Browser-safe.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { FormatError, UsageError } from "../errors.ts";
import type { NdArray } from "../types.ts";

/** Stochastic gradient descent, with momentum as `keras.optimizers.SGD`. */
export interface SgdSpec {
  /** Which optimiser. */
  readonly kind: "sgd";
  /** Learning rate, positive. */
  readonly learningRate: number;
  /** Default 0. */
  readonly momentum?: number;
  /** Default false. */
  readonly nesterov?: boolean;
}

/** `keras.optimizers.RMSprop`: epsilon inside the root. */
export interface RmspropSpec {
  /** Which optimiser. */
  readonly kind: "rmsprop";
  /** Learning rate, positive. */
  readonly learningRate: number;
  /** Default 0.9. */
  readonly rho?: number;
  /** Default 0. */
  readonly momentum?: number;
  /** Default 1e-7. */
  readonly epsilon?: number;
}

/** `keras.optimizers.Adam` (Kingma & Ba 2015, the efficient form of its section 2). */
export interface AdamSpec {
  /** Which optimiser. */
  readonly kind: "adam";
  /** Learning rate, positive. */
  readonly learningRate: number;
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999. */
  readonly beta2?: number;
  /** Default 1e-7 (scikit-learn: 1e-8). */
  readonly epsilon?: number;
}

/** `keras.optimizers.AdamW` (Loshchilov & Hutter 2019): decoupled weight decay on every trainable weight. */
export interface AdamwSpec extends Omit<AdamSpec, "kind"> {
  /** Which optimiser. */
  readonly kind: "adamw";
  /** Default 0.004. */
  readonly weightDecay?: number;
}

/** An optimiser as data: what a study declares and a run record stores. */
export type OptimizerSpec = SgdSpec | RmspropSpec | AdamSpec | AdamwSpec;

/** Names of the slots that an optimiser keeps for each weight. */
export function slotNames(spec: OptimizerSpec): readonly string[] {
  switch (spec.kind) {
    case "sgd":
      return spec.momentum ? ["momentum"] : [];
    case "rmsprop":
      return spec.momentum ? ["velocity", "momentum"] : ["velocity"];
    case "adam":
    case "adamw":
      return ["m", "v"];
  }
}

/** A variable of zeros beside another one; it stays until it is disposed of. */
function zeroSlot(variable: tf.Variable): tf.Variable {
  const zeros = tf.zerosLike(variable);
  const slot = tf.variable(zeros, false);
  zeros.dispose(); // the variable holds the values by itself
  return slot;
}

/** An optimiser at work on a fixed list of variables. */
export class Optimizer {
  /** What it does. */
  readonly spec: OptimizerSpec;
  /** Steps taken so far. */
  step = 0;
  readonly #variables: readonly tf.Variable[];
  readonly #slots: Map<string, tf.Variable[]>;

  /**
   * Makes an optimiser with empty slots.
   *
   * @param spec What to do.
   * @param variables The trainable variables, in a fixed order.
   * @throws {UsageError} when a rate is not a positive number.
   */
  constructor(spec: OptimizerSpec, variables: readonly tf.Variable[]) {
    this.spec = spec;
    if (!(spec.learningRate > 0 && Number.isFinite(spec.learningRate))) {
      throw new UsageError(`The learning rate must be a positive number, not ${spec.learningRate}.`);
    }
    this.#variables = variables;
    this.#slots = new Map(slotNames(spec).map((name) => [name, variables.map(zeroSlot)]));
  }

  /**
   * Takes one step.
   *
   * @param gradients One gradient a variable, in the variables' order.
   * @param learningRate The rate of this step.
   */
  apply(gradients: readonly tf.Tensor[], learningRate: number): void {
    this.step++;
    tf.tidy(() => this.#variables.forEach((variable, i) => this.#update(variable, i, gradients[i]!, learningRate)));
  }

  #slot(name: string, index: number): tf.Variable {
    return this.#slots.get(name)![index]!;
  }

  #update(variable: tf.Variable, index: number, gradient: tf.Tensor, rate: number): void {
    const { spec } = this;
    switch (spec.kind) {
      case "sgd": {
        if (!spec.momentum) return variable.assign(tf.sub(variable, tf.mul(gradient, rate)));
        const slot = this.#slot("momentum", index);
        slot.assign(tf.sub(tf.mul(slot, spec.momentum), tf.mul(gradient, rate)));
        const move = spec.nesterov ? tf.sub(tf.mul(slot, spec.momentum), tf.mul(gradient, rate)) : slot;
        return variable.assign(tf.add(variable, move));
      }
      case "rmsprop": {
        const { rho = 0.9, momentum = 0, epsilon = 1e-7 } = spec;
        const velocity = this.#slot("velocity", index);
        velocity.assign(tf.add(tf.mul(velocity, rho), tf.mul(tf.square(gradient), 1 - rho)));
        const move = tf.mul(tf.mul(gradient, rate), tf.rsqrt(tf.add(velocity, epsilon)));
        if (momentum === 0) return variable.assign(tf.sub(variable, move));
        const slot = this.#slot("momentum", index);
        slot.assign(tf.add(tf.mul(slot, momentum), move));
        return variable.assign(tf.sub(variable, slot));
      }
      case "adam":
      case "adamw": {
        const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 } = spec;
        const m = this.#slot("m", index), v = this.#slot("v", index);
        m.assign(tf.add(tf.mul(m, beta1), tf.mul(gradient, 1 - beta1)));
        v.assign(tf.add(tf.mul(v, beta2), tf.mul(tf.square(gradient), 1 - beta2)));
        const alpha = rate * Math.sqrt(1 - beta2 ** this.step) / (1 - beta1 ** this.step);
        const decayed = spec.kind === "adamw" ? tf.mul(variable, 1 - rate * (spec.weightDecay ?? 0.004)) : variable;
        return variable.assign(tf.sub(decayed, tf.div(tf.mul(m, alpha), tf.add(tf.sqrt(v), epsilon))));
      }
    }
  }

  /** All that a resumed training needs besides the weights. */
  async state(): Promise<OptimizerState> {
    const slots: Record<string, NdArray[]> = {};
    for (const [name, list] of this.#slots) {
      slots[name] = await Promise.all(
        list.map(async (slot) => ({ data: Float32Array.from(await slot.data()), shape: slot.shape })),
      );
    }
    return { step: this.step, slots };
  }

  /**
   * Puts a saved state back.
   *
   * @throws {FormatError} when it is of another optimiser or model.
   */
  restore(state: OptimizerState): void {
    for (const [name, list] of this.#slots) {
      const saved = state.slots[name];
      if (saved?.length !== list.length || saved.some((s, i) => s.data.length !== list[i]!.size)) {
        throw new FormatError(`The optimiser's saved state does not fit: slot ${name} has other shapes.`);
      }
      tf.tidy(() => list.forEach((slot, i) => slot.assign(tf.tensor(saved[i]!.data, slot.shape))));
    }
    this.step = state.step;
  }

  /** Frees the slots. */
  dispose(): void {
    for (const list of this.#slots.values()) tf.dispose(list);
    this.#slots.clear();
  }
}

/** State of an {@linkcode Optimizer}: steps taken and slots, one array a variable. */
export interface OptimizerState {
  /** Steps taken. */
  readonly step: number;
  /** Slots by name, one array a variable. */
  readonly slots: Readonly<Record<string, readonly NdArray[]>>;
}
