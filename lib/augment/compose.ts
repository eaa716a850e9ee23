/**
 * Several augmentations one after the other, each with a probability; which were applied is part of the record.
 *
 * @module
 */

import { FormatError, UsageError } from "../errors.ts";
import type { Waveform } from "../types.ts";
import { type Augmentation, type AugmentationRecord, recordOf } from "./augmentation.ts";

/** A step of {@linkcode compose}: an augmentation, applied with probability `p`. */
export interface Step<T = Waveform> {
  /** What to apply. */
  readonly augmentation: Augmentation<unknown, T>;
  /** Probability, from 0 to 1; default 1. */
  readonly p?: number;
}

/** What {@linkcode compose} draws. */
export interface ComposeParams {
  /** A record for each step, null where it was left out. */
  readonly steps: readonly (AugmentationRecord | null)[];
}

/** Name of compositions in records. */
export const COMPOSE = { name: "compose", version: 1 } as const;

/**
 * Several augmentations one after the other.
 *
 * A number is drawn for every step whose probability is below 1, whether it is then applied or not.
 *
 * @param steps Augmentations, or steps with a probability.
 * @throws {UsageError} when a probability is not from 0 to 1, or the steps work on different things.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { gain } from "./gain.ts";
 * import { timeShift } from "./time_shift.ts";
 * import { RandomState } from "../random.ts";
 * const both = compose([{ augmentation: gain(), p: 0.5 }, timeShift()]);
 * const wave = { samples: Float32Array.of(1, 2, 3), sampleRateHz: 8000 };
 * const params = both.draw(new RandomState(1), wave);
 * assert.deepEqual(params.steps.map((step) => step?.name), ["gain", "time-shift"]);
 * assert.deepEqual(both.apply(wave, params), both.apply(wave, params));
 * ```
 */
export function compose<T = Waveform>(
  steps: readonly (Step<T> | Augmentation<unknown, T>)[],
): Augmentation<ComposeParams, T> {
  const all = steps.map((step) => "augmentation" in step ? step : { augmentation: step });
  for (const { p = 1, augmentation } of all) {
    if (!(p >= 0 && p <= 1)) throw new UsageError(`A step's probability is a number from 0 to 1, not ${p}.`);
    if (augmentation.on !== all[0]!.augmentation.on) {
      throw new UsageError(
        `A composition works on one thing, not on ${all[0]!.augmentation.on} and ${augmentation.on}.`,
      );
    }
  }
  const on = all[0]?.augmentation.on ?? "wave";
  const kindOf = (record: AugmentationRecord, i: number): Augmentation<unknown, T> => {
    const augmentation = all[i]?.augmentation;
    if (!augmentation || augmentation.name !== record.name || augmentation.version !== record.version) {
      throw new UsageError(
        `Step ${i} of this composition is ${
          augmentation?.name ?? "missing"
        }, the record has ${record.name} version ${record.version}.`,
      );
    }
    return augmentation;
  };
  // The last step that has to see what the earlier ones made of the input.
  const lastLook = all.findLastIndex(({ augmentation }) => augmentation.drawsFromInput ?? false);
  return {
    ...COMPOSE,
    on,
    drawsFromInput: lastLook >= 0,
    parse(params) {
      return { steps: stepsOf(params).map((step, i) => step && recordOf(step, kindOf(step, i).parse(step.params))) };
    },
    draw(rng, input) {
      let seen = input;
      return {
        steps: all.map(({ augmentation, p = 1 }, i) => {
          if (p < 1 && rng.randomSample() >= p) return null;
          const params = augmentation.draw(rng, seen);
          if (i < lastLook) seen = augmentation.apply(seen, params);
          return recordOf(augmentation, params);
        }),
      };
    },
    apply(input, { steps }) {
      return steps.reduce((now, step, i) => step === null ? now : kindOf(step, i).apply(now, step.params), input);
    },
  };
}

/**
 * The steps of a composition's recorded parameters, their own parameters not yet checked.
 *
 * @throws {FormatError} when it is not a list of records and nulls.
 */
export function stepsOf(params: unknown): (AugmentationRecord | null)[] {
  const steps = (params as { steps?: unknown } | null)?.steps;
  const isStep = (step: unknown): step is AugmentationRecord | null =>
    step === null || (typeof step === "object" && "name" in step! && "version" in step! && "params" in step!);
  if (!Array.isArray(steps) || !steps.every(isStep)) {
    throw new FormatError("compose: steps is a list of records and nulls.");
  }
  return steps;
}
