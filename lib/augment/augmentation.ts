/**
 * What an augmentation is: it draws its parameters from an explicit generator, the draw is kept as plain JSON, and the
 * draw applied again gives the same numbers bit for bit.
 *
 * Browser-safe.
 *
 * @module
 */

import { FormatError } from "../errors.ts";
import type { RandomState } from "../random.ts";
import type { NdArray, Waveform } from "../types.ts";

/** What an augmentation works on: audio, features `[bins, frames]`, or a batch of examples with their targets. */
export type Subject = "wave" | "features" | "batch";

/** A batch as mixup takes it: as many targets as examples. */
export interface Batch {
  /** Examples, `[n, …]`. */
  readonly x: NdArray;
  /** Targets, `[n, classes]`: one-hot, or already mixed. */
  readonly y: NdArray;
}

/** One draw, ready for JSON: which augmentation, in which version, with which parameters. */
export interface AugmentationRecord<P = unknown> {
  /** Name of the augmentation. */
  readonly name: string;
  /** Version of its arithmetic: counts up when the same parameters give other numbers. */
  readonly version: number;
  /** What was drawn. */
  readonly params: P;
}

/**
 * An augmentation apart from how its parameters are drawn: what is needed to apply a record.
 *
 * @typeParam P What is drawn; plain JSON.
 * @typeParam T What it works on.
 */
export interface Kind<P, T = Waveform> {
  /** Its name in records. */
  readonly name: string;
  /** Version of its arithmetic. */
  readonly version: number;
  /** What it works on. */
  readonly on: Subject;
  /**
   * Checks parameters that were read from somewhere.
   *
   * @throws {FormatError} naming the field and its rule.
   */
  parse(params: unknown): P;
  /** Applies parameters; the input is left as it is, and the same input and parameters give the same result. */
  apply(input: T, params: P): T;
}

/**
 * An augmentation: draw, record, apply.
 *
 * @typeParam P What is drawn; plain JSON.
 * @typeParam T What it works on.
 */
export interface Augmentation<P, T = Waveform> extends Kind<P, T> {
  /** Whether {@linkcode Augmentation.draw} looks at its input; when absent, no. */
  readonly drawsFromInput?: boolean;
  /** Draws parameters. */
  draw(rng: RandomState, input: T): P;
}

/**
 * The record of a draw.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const half = { name: "half", version: 1 };
 * assert.deepEqual(recordOf(half, { by: 2 }), { name: "half", version: 1, params: { by: 2 } });
 * ```
 */
export function recordOf<P>(kind: Pick<Kind<P>, "name" | "version">, params: P): AugmentationRecord<P> {
  return { name: kind.name, version: kind.version, params };
}

/** What {@linkcode augment} returns. */
export interface Augmented<P, T> {
  /** The augmented input. */
  readonly result: T;
  /** What was drawn; applied again it gives the same result. */
  readonly record: AugmentationRecord<P>;
}

/**
 * Draws, records and applies in one go.
 *
 * @param augmentation What to do.
 * @param input What to do it to.
 * @param options The generator.
 */
export function augment<P, T>(
  augmentation: Augmentation<P, T>,
  input: T,
  options: { readonly rng: RandomState },
): Augmented<P, T> {
  const params = augmentation.draw(options.rng, input);
  return { result: augmentation.apply(input, params), record: recordOf(augmentation, params) };
}

/** The fields of recorded parameters, each read with its rule. */
export class Fields {
  readonly #name: string;
  readonly #fields: Readonly<Record<string, unknown>>;

  /**
   * Takes what was read.
   *
   * @param name Name of the augmentation, for errors.
   * @param params What was read.
   * @throws {FormatError} when it is not an object.
   */
  constructor(name: string, params: unknown) {
    if (params === null || typeof params !== "object" || Array.isArray(params)) {
      throw new FormatError(`${name}: recorded parameters are an object, not ${JSON.stringify(params)}.`);
    }
    this.#name = name;
    this.#fields = params as Record<string, unknown>;
  }

  /** A field as it is. */
  raw(field: string): unknown {
    return this.#fields[field];
  }

  /**
   * A number.
   *
   * @throws {FormatError} when it is none, or outside of `least` to `most`.
   */
  number(field: string, least: number, most: number, integer = false): number {
    const value = this.#fields[field];
    if (typeof value !== "number" || !(value >= least && value <= most) || (integer && !Number.isInteger(value))) {
      this.fail(field, `${integer ? "an integer" : "a number"} from ${least} to ${most}`);
    }
    return value;
  }

  /** A seed: an integer from 0 to 2³² − 1. */
  seed(field: string): number {
    return this.number(field, 0, 0xffffffff, true);
  }

  /**
   * One of some texts.
   *
   * @throws {FormatError} when it is none of them.
   */
  text<const T extends string>(field: string, allowed: readonly T[]): T {
    const value = this.#fields[field];
    const found = allowed.find((each) => each === value);
    if (found === undefined) this.fail(field, allowed.join(" or "));
    return found;
  }

  /**
   * A list.
   *
   * @throws {FormatError} when it is none, or longer than `most`.
   */
  list(field: string, most: number): readonly unknown[] {
    const value = this.#fields[field];
    if (!Array.isArray(value) || value.length > most) this.fail(field, `a list of at most ${most}`);
    return value;
  }

  /** Says that a field breaks its rule. */
  fail(field: string, rule: string): never {
    throw new FormatError(`${this.#name}: ${field} is ${rule}, not ${JSON.stringify(this.#fields[field])}.`);
  }
}
