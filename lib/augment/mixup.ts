/**
 * Mixup: every example of a batch is mixed with another one, and so are their targets.
 *
 * Source: H. Zhang et al., "mixup: Beyond Empirical Risk Minimization", ICLR 2018.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { NdArray } from "../types.ts";
import { type Augmentation, type Batch, Fields, type Kind } from "./augmentation.ts";

/** What {@linkcode mixup} draws. */
export interface MixupParams {
  /** Share of the example itself, from 0 to 1: one for the whole batch, or one an example. */
  readonly lambda: readonly number[];
  /** Which example each one is mixed with. */
  readonly partners: readonly number[];
}

/** Options of {@linkcode mixup}. */
export interface MixupOptions {
  /** Both parameters of the beta distribution that the share is drawn from; default 0.2. */
  readonly alpha?: number;
  /** Whether every example has a share of its own; default false, one a batch as in the paper. */
  readonly perExample?: boolean;
}

/** Most examples of a recorded batch. */
const MAX_BATCH = 1e7;

function allNumbers(list: readonly unknown[]): list is readonly number[] {
  return list.every((x) => typeof x === "number");
}

function mix({ data, shape }: NdArray, { lambda, partners }: MixupParams): NdArray {
  const n = shape[0] ?? 0;
  const size = n > 0 ? data.length / n : 0;
  const out = new Float32Array(data.length);
  for (let i = 0; i < n; i++) {
    const share = lambda[lambda.length === 1 ? 0 : i]!;
    const at = i * size, other = partners[i]! * size;
    for (let j = 0; j < size; j++) out[at + j] = share * data[at + j]! + (1 - share) * data[other + j]!;
  }
  return { data: out, shape };
}

/** Applies a recorded mix. */
export const mixupKind: Kind<MixupParams, Batch> = {
  name: "mixup",
  version: 1,
  on: "batch",
  parse(params) {
    const fields: Fields = new Fields("mixup", params);
    const partners = fields.list("partners", MAX_BATCH), lambda = fields.list("lambda", MAX_BATCH);
    const n = partners.length;
    if (!allNumbers(partners) || !partners.every((x) => Number.isInteger(x) && x >= 0 && x < n)) {
      fields.fail("partners", "a list of indices into itself");
    }
    if ((lambda.length !== 1 && lambda.length !== n) || !allNumbers(lambda) || !lambda.every((x) => x >= 0 && x <= 1)) {
      fields.fail("lambda", "a list of one share from 0 to 1, or one an example");
    }
    return { lambda, partners };
  },
  /** @throws {UsageError} when the record is of a batch of another size. */
  apply({ x, y }, params) {
    const n = params.partners.length;
    if (x.shape[0] !== n || y.shape[0] !== n) {
      throw new UsageError(`The mix was drawn for ${n} examples, not for ${x.shape[0]} with ${y.shape[0]} targets.`);
    }
    return { x: mix(x, params), y: mix(y, params) };
  },
};

/**
 * Mixes every example with a partner (a random permutation of the batch) by a share drawn from Beta(alpha, alpha).
 *
 * @throws {UsageError} when `alpha` is not a positive finite number.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const x = { data: Float32Array.of(0, 0, 8, 8), shape: [2, 2] };
 * const y = { data: Float32Array.of(1, 0, 0, 1), shape: [2, 2] };
 * const mixed = mixup().apply({ x, y }, { lambda: [0.75], partners: [1, 0] });
 * assert.deepEqual([...mixed.x.data], [2, 2, 6, 6]);
 * assert.deepEqual([...mixed.y.data], [0.75, 0.25, 0.25, 0.75]);
 * ```
 */
export function mixup(options: MixupOptions = {}): Augmentation<MixupParams, Batch> {
  const { alpha = 0.2, perExample = false } = options;
  if (!(alpha > 0 && alpha < Infinity)) throw new UsageError(`alpha is a positive finite number, not ${alpha}.`);
  return {
    ...mixupKind,
    drawsFromInput: true,
    draw(rng, { x }) {
      const n = x.shape[0] ?? 0;
      return {
        lambda: Array.from({ length: perExample && n > 0 ? n : 1 }, () => rng.beta(alpha, alpha)),
        partners: [...rng.permutation(n)],
      };
    },
  };
}
