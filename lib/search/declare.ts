/**
 * What is searched: a study's variant and how a configuration changes it, or a function that stands for a training.
 *
 * @module
 */

import type { Study, Variant } from "../study/declare.ts";
import type { Space } from "./space.ts";
import type { Configuration, Metric } from "./types.ts";

/** A search whose result somebody published. */
export interface PublishedSearch {
  /** Where it stands. */
  readonly source: string;
  /** Rows that each score was measured on. */
  readonly n: number;
  /** Rows predicted rightly, by configuration in the grid's order. */
  readonly hits: readonly number[];
  /** What was made of it, in one sentence. */
  readonly note: string;
}

/** Hyper-parameters of a study. */
export interface StudySearch {
  /** Kind. */
  readonly kind: "study";
  /** The study's identifier: `001` … */
  readonly id: string;
  /** The study. */
  readonly study: Study;
  /** Variant that configurations change; as it stands it is the search's baseline. */
  readonly variant: string;
  /** One sentence. */
  readonly describe: string;
  /** What can be chosen. */
  readonly space: Space;
  /** The variant as a configuration has it: model, optimiser and plan may change, features and copies may not. */
  readonly change: (config: Configuration, variant: Variant) => Pick<Variant, "model" | "optimizer" | "plan" | "order">;
  /** Score of the search; default accuracy. */
  readonly metric?: Metric;
  /** How many fifths of the training side are scored in turn by each trial; default 1. */
  readonly innerFolds?: number;
  /** A search like it that was published. */
  readonly published?: PublishedSearch;
}

/** What a function is told. */
export interface FunctionCall {
  /** Seed of the trial. */
  readonly seed: number;
  /** Budget. */
  readonly epochs: number;
  /** Set when the trial has to end. */
  readonly signal: AbortSignal;
}

/** A function in place of a training: for tests of the machinery and for what it costs. */
export interface FunctionSearch {
  /** Kind. */
  readonly kind: "function";
  /** Its name in place of a study's identifier. */
  readonly id: string;
  /** One sentence. */
  readonly describe: string;
  /** What can be chosen. */
  readonly space: Space;
  /** The score of a configuration, in [0, 1]; NaN stands for a training whose loss is not a number. */
  readonly evaluate: (config: Configuration, call: FunctionCall) => number | Promise<number>;
  /** Epochs where none are asked for; default 1. */
  readonly epochs?: number;
}

/** Something that can be searched. */
export type Search = StudySearch | FunctionSearch;

/** The variant and protocol names of what is searched: those of a function are fixed. */
export function variantOf(search: Search): string {
  return search.kind === "study" ? search.variant : "function";
}
