/**
 * Folds of whole speakers that several studies share.
 *
 * @module
 */

import { type Fold, groupHoldOut, RAVDESS_ACTOR_FOLDS } from "../lib/split/mod.ts";
import type { Example, FoldContext } from "../lib/study/declare.ts";
import { rowsOf } from "../lib/study/examples.ts";

/** How many speakers of each corpus are tested and validated on. */
export interface HoldOutOptions {
  /** Tested. */
  readonly test: Readonly<Record<string, number>>;
  /** Held out of training to choose epochs by. */
  readonly validation: Readonly<Record<string, number>>;
}

/**
 * One hold-out, the same for every seed, variant and fraction: draws the speakers with random_state 42; copies are trained on
 * and neither tested nor validated on.
 */
export function speakerHoldOut(
  { test, validation }: HoldOutOptions,
): (rows: readonly Example[], context: FoldContext) => Fold[] {
  return (rows, { speakers }) => {
    const held = groupHoldOut(speakers.map(({ speaker }) => speaker), {
      test,
      validation,
      strata: speakers.map(({ corpus }) => corpus),
      randomState: 42,
    });
    const set = (numbers: readonly number[], which: "all" | "recordings"): number[] => {
      const names = new Set(numbers.map((i) => speakers[i]!.speaker));
      return rowsOf(rows, rows.flatMap((row) => names.has(row.speaker) ? [row.recording] : []), which);
    };
    return [{
      name: "hold-out",
      train: set(held.train, "all"),
      validation: set(held.validation, "recordings"),
      test: set(held.test, "recordings"),
    }];
  };
}

/** The six actor folds of RAVDESS by name, for speakers that end in the actor's number; folds of nobody are left out. */
export function ravdessFolds({ speakers }: Pick<FoldContext, "speakers">): Record<string, string[]> {
  return Object.fromEntries(
    RAVDESS_ACTOR_FOLDS.map((actors, i) =>
      [
        `fold-${i + 1}`,
        speakers.map(({ speaker }) => speaker).filter((speaker) => actors.includes(Number(/\d+$/.exec(speaker)?.[0]))),
      ] as const
    ).filter(([, own]) => own.length > 0),
  );
}

/** One fold a group of speakers: tested on their recordings, trained on all rows of the others. */
export function speakerFolds(rows: readonly Example[], groups: Readonly<Record<string, readonly string[]>>): Fold[] {
  return Object.entries(groups).map(([name, speakers]) => {
    const tested = new Set(speakers);
    const at = (isTested: boolean): number[] =>
      rows.flatMap(({ speaker, copy }, row) =>
        tested.has(speaker) === isTested && (!isTested || copy === 0) ? [row] : []
      );
    return { name, train: at(false), validation: [], test: at(true) };
  }).filter(({ test }) => test.length > 0);
}
