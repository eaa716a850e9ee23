/**
 * The rows of a trial: what of an outer fold's training side is learnt from, what chooses epochs, what is scored. The
 * outer fold's test rows are not among them.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { stream } from "../random.ts";
import type { Fold } from "../split/mod.ts";
import type { Example, Protocol, ProtocolName, Variant } from "../study/declare.ts";
import { oversampleTraining } from "../study/examples.ts";
import { findProtocol, findVariant, type Prepared, type RunTable, tableOf } from "../study/run.ts";

/** Parts that the training side is dealt into; each trial scores `innerFolds` of them in turn. */
export const PARTS = 5;

/** The rows of one inner training: numbers of the table. */
export interface InnerFold {
  /** Rows to learn from; a row that fills up its class stands there again. */
  readonly train: readonly number[];
  /** Rows that callbacks watch; none where the variant watches nothing. */
  readonly validation: readonly number[];
  /** Rows that are scored. */
  readonly score: readonly number[];
}

/** What a trial is scored on, in words. */
export type ScoredOn =
  | "the protocol's validation rows"
  | "the test rows, as the study did"
  | "whole speakers of the training side"
  | "a stratified part of the training side";

/** An outer fold with its inner ones. */
export interface OuterFold {
  /** As the protocol draws it, test rows included. */
  readonly fold: Fold;
  /** The trainings of a trial. */
  readonly inner: readonly InnerFold[];
  /** What they are scored on. */
  readonly scoredOn: ScoredOn;
}

/** What decides the rows of all trials of a sweep. */
export interface FoldRequest {
  /** Name of the variant. */
  readonly variant: string;
  /** Name of the protocol. */
  readonly protocol: ProtocolName;
  /** Seed of the split. */
  readonly seed: number;
  /** How many inner trainings a trial has. */
  readonly innerFolds: number;
}

/** Recordings dealt into parts: whole speakers, corpus by corpus, or class by class. */
function deal(
  examples: readonly Example[],
  rows: readonly number[],
  bySpeaker: boolean,
  seed: number,
  name: string,
): number[][] {
  const parts: Set<number>[] = Array.from({ length: PARTS }, () => new Set());
  const recordings = new Map<number, Example>();
  for (const row of rows) recordings.set(examples[row]!.recording, examples[row]!);
  const units = new Map<string, Map<string, number[]>>();
  for (const [recording, { corpus, speaker, label }] of recordings) {
    const stratum = bySpeaker ? corpus : label, unit = bySpeaker ? speaker : String(recording);
    let own = units.get(stratum);
    if (own === undefined) units.set(stratum, own = new Map());
    const list = own.get(unit);
    if (list) list.push(recording);
    else own.set(unit, [recording]);
  }
  for (const stratum of [...units.keys()].sort()) {
    const own = units.get(stratum)!;
    // The only speaker of a corpus is learnt from.
    if (bySpeaker && own.size < 2) continue;
    const order = stream(seed, "inner", name, stratum).permutation([...own.keys()].sort());
    order.forEach((unit, i) => {
      for (const recording of own.get(unit)!) parts[i % PARTS]!.add(recording);
    });
  }
  return parts.map((part) => [...part]);
}

/**
 * The outer folds of a sweep with the rows of their trials.
 *
 * `as-published` scores what the study itself chose by: its validation rows, or its test rows where it looked at those.
 * Everywhere else a fifth of the training side's speakers (of its recordings, where the protocol mixes speakers) is taken
 * off and scored; rows that choose the epoch stay what they are, so that no row is used for both.
 *
 * @throws {UsageError} when the protocol does not apply, or the training side is too small.
 */
export function sweepFolds(prepared: Prepared, request: FoldRequest): { table: RunTable; folds: readonly OuterFold[] } {
  const { study } = prepared;
  const table = tableOf(prepared, request);
  const variant = findVariant(study, request.variant);
  const protocol = findProtocol(study, request.protocol) as Protocol;
  const folds = table.folds.map((fold, index): OuterFold => {
    if (request.protocol === "as-published" && (fold.validation.length > 0 || protocol.validatesOnTest)) {
      const score = protocol.validatesOnTest ? fold.test : fold.validation;
      return {
        fold,
        inner: [{ train: fold.train, validation: score, score }],
        scoredOn: protocol.validatesOnTest ? "the test rows, as the study did" : "the protocol's validation rows",
      };
    }
    return {
      fold,
      inner: innerFolds(table.examples, fold, index, variant, protocol, request, study.labels),
      scoredOn: protocol.bySpeaker ? "whole speakers of the training side" : "a stratified part of the training side",
    };
  });
  return { table, folds };
}

function innerFolds(
  examples: readonly Example[],
  fold: Fold,
  index: number,
  variant: Variant,
  protocol: Protocol,
  { seed, innerFolds: count, protocol: name }: FoldRequest,
  labels: readonly string[],
): InnerFold[] {
  // Duplicates that fill up training are drawn anew below, for what is left of it.
  const pool = [...new Set(fold.train)];
  const dealt = deal(examples, pool, protocol.bySpeaker, seed, fold.name);
  const parts = dealt.filter((part) => part.length > 0);
  if (parts.length < 2 || parts.length < count) {
    throw new UsageError(
      `A search needs ${Math.max(2, count)} groups of ${
        protocol.bySpeaker ? "speakers" : "recordings"
      } to train and score on in fold ${fold.name} of ${name}; there ${
        parts.length === 1 ? "is" : "are"
      } ${parts.length}.`,
    );
  }
  const fills = variant.oversample === true && (protocol.oversample ?? "training") !== "before-split";
  const classes = fills ? examples.map(({ label }) => labels.indexOf(label)) : [];
  return parts.slice(0, count).map((part, i) => {
    const held = new Set(part);
    const train = pool.filter((row) => !held.has(examples[row]!.recording));
    const own: Fold = {
      name: fold.name,
      train,
      // A protocol whose callbacks watch the test rows would unseal them here: what is scored is watched instead.
      validation: protocol.validatesOnTest ? pool.filter((row) => isOwn(examples[row]!, held)) : [...fold.validation],
      test: pool.filter((row) => isOwn(examples[row]!, held)),
    };
    const filled = fills ? oversampleTraining([own], classes, () => stream(seed, "oversample", index, i))[0]! : own;
    return { train: filled.train, validation: filled.validation, score: filled.test };
  });
}

/** Whether a row is one of the recordings themselves, not a copy of one. */
function isOwn(example: Example, recordings: ReadonlySet<number>): boolean {
  return example.copy === 0 && recordings.has(example.recording);
}
