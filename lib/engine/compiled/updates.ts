/**
 * The optimisers' updates as nodes of a graph: the rules of {@linkcode Optimizer}, on weights and slots that live in
 * the session. What changes from step to step is fed, so that no rule needs a state besides its slots.
 *
 * @module
 */

import type { OptimizerSpec } from "../optimizers.ts";
import { type GraphWriter, typeAttr } from "./graph.ts";
import { DT } from "./binding.ts";
import type { Attr } from "./protobuf.ts";

/** Numbers fed with each step. */
export interface Rates {
  /** The learning rate; for Adam with its bias corrections. */
  readonly rate: number;
  /** What weights are multiplied by before the update (AdamW's decay); 1 otherwise. */
  readonly decay: number;
}

/**
 * The numbers of one step.
 *
 * @param step Number of the step, from 1.
 */
export function ratesOf(spec: OptimizerSpec, learningRate: number, step: number): Rates {
  if (spec.kind !== "adam" && spec.kind !== "adamw") return { rate: learningRate, decay: 1 };
  const { beta1 = 0.9, beta2 = 0.999 } = spec;
  // The corrections are computed here in double precision, as op by op; the operation gets beta powers of zero.
  const rate = learningRate * Math.sqrt(1 - beta2 ** step) / (1 - beta1 ** step);
  return { rate, decay: spec.kind === "adamw" ? 1 - learningRate * (spec.weightDecay ?? 0.004) : 1 };
}

/** Names of the nodes that one weight's update works on. */
export interface UpdateInputs {
  /** The weight's handle. */
  readonly weight: string;
  /** The node that reads it; the update waits for it. */
  readonly read: string;
  /** `name:output` of its gradient. */
  readonly gradient: string;
  /** Handles of its slots by name. */
  readonly slots: Readonly<Record<string, string>>;
  /** Node of the fed rate. */
  readonly rate: string;
  /** Node of the fed decay. */
  readonly decay: string;
}

/** Slots that the graph needs besides {@linkcode slotNames}'s: no part of the state that is saved. */
export function scratchSlots(spec: OptimizerSpec): readonly string[] {
  // The operation wants a momentum slot; with no momentum what it holds is never used.
  return spec.kind === "rmsprop" && !spec.momentum ? ["scratch"] : [];
}

const F: Readonly<Record<string, Attr>> = { T: typeAttr(DT.FLOAT), use_locking: { kind: "bool", value: true } };

/** Writes one weight's update by TensorFlow's fused operations; returns the node's name. */
export function writeUpdate(writer: GraphWriter, spec: OptimizerSpec, at: UpdateInputs): string {
  const { weight, gradient, slots, rate } = at, after = `^${at.read}`;
  switch (spec.kind) {
    case "sgd": {
      if (!spec.momentum) return writer.add("ResourceApplyGradientDescent", [weight, rate, gradient, after], F);
      const inputs = [weight, slots["momentum"]!, rate, gradient, writer.scalar(spec.momentum), after];
      const nesterov: Attr = { kind: "bool", value: spec.nesterov ?? false };
      return writer.add("ResourceApplyKerasMomentum", inputs, { ...F, use_nesterov: nesterov });
    }
    case "rmsprop": {
      const { rho = 0.9, momentum = 0, epsilon = 1e-7 } = spec;
      const scalars = [rate, writer.scalar(rho), writer.scalar(momentum), writer.scalar(epsilon)];
      const moment = slots[momentum ? "momentum" : "scratch"]!;
      return writer.add("ResourceApplyRMSProp", [weight, slots["velocity"]!, moment, ...scalars, gradient, after], F);
    }
    case "adam":
    case "adamw": {
      const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 } = spec;
      const zero = writer.scalar(0);
      const scalars = [zero, zero, rate, writer.scalar(beta1), writer.scalar(beta2), writer.scalar(epsilon)];
      const wait = spec.kind === "adamw" ? `^${writeDecay(writer, at)}` : after;
      const nesterov: Attr = { kind: "bool", value: false };
      const inputs = [weight, slots["m"]!, slots["v"]!, ...scalars, gradient, wait];
      return writer.add("ResourceApplyAdam", inputs, { ...F, use_nesterov: nesterov });
    }
  }
}

function writeDecay(writer: GraphWriter, { weight, read, decay }: UpdateInputs): string {
  const decayed = writer.add("Mul", [read, decay], { T: typeAttr(DT.FLOAT) });
  return writer.add("AssignVariableOp", [weight, decayed], { dtype: typeAttr(DT.FLOAT) });
}

/** Writes one weight's update operation by operation, as {@linkcode Optimizer} does: only to measure what fusing gains. */
export function writePlainUpdate(writer: GraphWriter, spec: OptimizerSpec, at: UpdateInputs): string {
  const attrs = { T: typeAttr(DT.FLOAT) }, { gradient, rate, slots, read } = at;
  if (spec.kind !== "adam") return writeUpdate(writer, spec, at);
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 } = spec;
  const op = (name: string, ...inputs: string[]): string => writer.add(name, inputs, attrs);
  const load = (slot: string): string => writer.add("ReadVariableOp", [slot], { dtype: typeAttr(DT.FLOAT) });
  const store = (slot: string, value: string, ...after: string[]): string =>
    writer.add("AssignVariableOp", [slot, value, ...after], { dtype: typeAttr(DT.FLOAT) });
  const [oldM, oldV] = [load(slots["m"]!), load(slots["v"]!)];
  const m = op("AddV2", op("Mul", oldM, writer.scalar(beta1)), op("Mul", gradient, writer.scalar(1 - beta1)));
  const squared = op("Mul", op("Square", gradient), writer.scalar(1 - beta2));
  const v = op("AddV2", op("Mul", oldV, writer.scalar(beta2)), squared);
  const move = op("RealDiv", op("Mul", m, rate), op("AddV2", op("Sqrt", v), writer.scalar(epsilon)));
  const saved = [store(slots["m"]!, m), store(slots["v"]!, v)].map((name) => `^${name}`);
  return store(at.weight, op("Sub", read, move), ...saved);
}
