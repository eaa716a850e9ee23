/**
 * Splits by group (speaker, recording, corpus): leave one group out, published folds, hold-out; and the checks that a
 * split is what it says.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { sha256Hex } from "../io.ts";
import { RandomState } from "../random.ts";
import { type Label, unique } from "./sklearn.ts";

/** One fold: three disjoint sets of row numbers, ascending. */
export interface Fold {
  /** What the fold is called, e.g. the speaker left out. */
  readonly name: string;
  /** Rows to learn from. */
  readonly train: number[];
  /** Rows to stop on and choose by; empty where there are none. */
  readonly validation: number[];
  /** Rows that are touched once, at the end. */
  readonly test: number[];
}

/** Whole groups taken out of a fold's training set for validation, others for every fold and every seed. */
export interface RotatingValidation {
  /** The run's seed, an integer ≥ 0. */
  readonly seed: number;
  /** How many groups; default 1. */
  readonly count?: number;
}

/** Options of {@linkcode leaveOneGroupOut} and {@linkcode groupFolds}. */
export interface GroupFoldOptions {
  /** Validation on whole groups; absent: none. */
  readonly validation?: RotatingValidation | undefined;
}

/**
 * The six folds of RAVDESS's 24 actors in which studies 001 and 004 are tested by speaker: four actors a fold
 * (even numbers are women: fold 2 tests women only).
 */
export const RAVDESS_ACTOR_FOLDS: readonly (readonly number[])[] = [
  [1, 11, 20, 21],
  [4, 10, 12, 14],
  [8, 9, 19, 23],
  [3, 5, 7, 24],
  [2, 15, 16, 18],
  [6, 13, 17, 22],
];

/** The folds' rows from the groups that each one tests; validation groups rotate with the seed. */
function foldRows(
  groups: readonly Label[],
  tests: readonly { readonly name: string; readonly groups: ReadonlySet<Label> }[],
  validation: RotatingValidation | undefined,
): Fold[] {
  const all = unique(groups).values;
  return tests.map(({ name, groups: tested }, index) => {
    const held = new Set<Label>();
    if (validation !== undefined) {
      const { seed, count = 1 } = validation;
      const others = all.filter((group) => !tested.has(group));
      if (!Number.isSafeInteger(seed) || seed < 0) throw new RangeError(`seed must be an integer ≥ 0, not ${seed}.`);
      if (!Number.isInteger(count) || count < 1 || count >= others.length) {
        throw new RangeError(`of ${others.length} groups left for training, ${count} cannot be held out to validate.`);
      }
      // Steps of `count`, so that successive seeds go round all groups before one returns.
      for (let i = 0; i < count; i++) held.add(others[(index + seed * count + i) % others.length]!);
    }
    const fold: Fold = { name, train: [], validation: [], test: [] };
    groups.forEach((group, row) => {
      (tested.has(group) ? fold.test : held.has(group) ? fold.validation : fold.train).push(row);
    });
    return fold;
  });
}

/**
 * One fold a group, in the groups' order, which that group alone is tested on (scikit-learn's `LeaveOneGroupOut`);
 * with `validation`, one of the others is held out of training, rotating by seed.
 *
 * This is study 000's clean protocol: four actors, four folds; `optimised` stops on one of the three other actors,
 * `vanilla` trains on all three.
 *
 * @param groups The group of every row.
 * @throws {RangeError} when there are fewer than two groups, or too few to validate on.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const folds = leaveOneGroupOut(["a", "b", "c", "a"], { validation: { seed: 0 } });
 * assert.deepEqual(folds[0], { name: "a", train: [2], validation: [1], test: [0, 3] });
 * ```
 */
export function leaveOneGroupOut(groups: readonly Label[], options: GroupFoldOptions = {}): Fold[] {
  const { values } = unique(groups);
  if (values.length < 2) throw new RangeError(`leaving one group out needs at least 2 groups, not ${values.length}.`);
  return foldRows(
    groups,
    values.map((group) => ({ name: String(group), groups: new Set([group]) })),
    options.validation,
  );
}

/**
 * Folds by named groups: each one is tested on the rows of its groups and learns from all others.
 *
 * @param groups The group of every row.
 * @param named The groups of every fold; together they are exactly the groups of the rows.
 * @throws {UsageError} when a group of the rows is in no fold or in two, or a fold names a group without rows.
 */
export function groupFolds(
  groups: readonly Label[],
  named: Readonly<Record<string, readonly Label[]>>,
  options: GroupFoldOptions = {},
): Fold[] {
  const present = new Set(groups);
  const placed = new Map<Label, string>();
  for (const [name, members] of Object.entries(named)) {
    if (members.length === 0) throw new UsageError(`fold ${name}: names no group.`);
    for (const member of members) {
      const other = placed.get(member);
      if (other !== undefined) throw new UsageError(`group ${member}: stands in fold ${other} and in fold ${name}.`);
      if (!present.has(member)) throw new UsageError(`fold ${name}: group ${member} has no rows.`);
      placed.set(member, name);
    }
  }
  for (const group of present) {
    if (!placed.has(group)) throw new UsageError(`group ${group}: stands in no fold.`);
  }
  const tests = Object.entries(named).map(([name, members]) => ({ name, groups: new Set(members) }));
  if (tests.length < 2) throw new UsageError("folds by group need at least two folds.");
  return foldRows(groups, tests, options.validation);
}

/**
 * The six published actor folds ({@linkcode RAVDESS_ACTOR_FOLDS}) for RAVDESS speakers named by a number at the end
 * (`ravdess-01`, `Actor_01`, `1`).
 *
 * @param speakers The speaker of every row; all 24 actors must be there.
 * @throws {UsageError} when a speaker has no actor's number or an actor has no rows.
 */
export function ravdessActorFolds(speakers: readonly Label[], options: GroupFoldOptions = {}): Fold[] {
  const byActor = new Map<number, Label>();
  for (const speaker of new Set(speakers)) {
    const actor = Number(/\d+$/.exec(String(speaker))?.[0] ?? NaN);
    if (!(actor >= 1 && actor <= 24)) throw new UsageError(`speaker ${speaker}: is not an actor of RAVDESS (1 to 24).`);
    const other = byActor.get(actor);
    if (other !== undefined) throw new UsageError(`speakers ${other} and ${speaker}: are the same actor of RAVDESS.`);
    byActor.set(actor, speaker);
  }
  const named = RAVDESS_ACTOR_FOLDS.map((actors, i) =>
    [
      `fold-${i + 1}`,
      actors.map((actor) => {
        const speaker = byActor.get(actor);
        if (speaker === undefined) throw new UsageError(`actor ${actor}: has no rows; the folds need all 24 actors.`);
        return speaker;
      }),
    ] as const
  );
  return groupFolds(speakers, Object.fromEntries(named), options);
}

/** Options of {@linkcode groupHoldOut}. */
export interface GroupHoldOutOptions {
  /** Number of groups to test on: in all, or by stratum. */
  readonly test: number | Readonly<Record<string, number>>;
  /** Number of groups to validate on: in all, or by stratum. Default 0. */
  readonly validation?: number | Readonly<Record<string, number>>;
  /** Seed, or a generator that is drawn from. */
  readonly randomState: number | RandomState;
  /** The stratum of every row, e.g. its corpus; needed where numbers are given by stratum. */
  readonly strata?: readonly string[];
}

/**
 * One hold-out of whole groups: in every stratum the groups, sorted, are permuted; the first go to the test, the next
 * to validation.
 *
 * @param groups The group of every row.
 * @throws {UsageError} when a group lies in two strata, a stratum is unknown, or no group would be left to learn from.
 */
export function groupHoldOut(groups: readonly Label[], options: GroupHoldOutOptions): Fold {
  const { test, validation = 0, randomState } = options;
  const strata = options.strata ?? groups.map(() => "");
  if (strata.length !== groups.length) {
    throw new UsageError(`strata: ${groups.length} rows need as many strata, not ${strata.length}.`);
  }
  if (options.strata === undefined && (typeof test !== "number" || typeof validation !== "number")) {
    throw new UsageError("strata: are needed where the numbers of groups are given by stratum.");
  }
  const rng = typeof randomState === "number" ? new RandomState(randomState) : randomState;
  const names = unique(strata).values;
  for (const wanted of [test, validation]) {
    if (typeof wanted === "number") continue;
    for (const name of Object.keys(wanted)) {
      if (!names.includes(name)) throw new UsageError(`stratum ${name}: has no rows.`);
    }
  }
  const stratumOf = new Map<Label, string>();
  groups.forEach((group, row) => {
    const known = stratumOf.get(group);
    if (known !== undefined && known !== strata[row]) {
      throw new UsageError(`group ${group}: lies in stratum ${known} and in stratum ${strata[row]}.`);
    }
    stratumOf.set(group, strata[row]!);
  });
  // With numbers for all groups together there is one stratum.
  const byStratum = typeof test !== "number" || typeof validation !== "number";
  const count = (wanted: number | Readonly<Record<string, number>>, name: string): number =>
    typeof wanted === "number" ? wanted : wanted[name] ?? 0;
  const tested = new Set<Label>();
  const held = new Set<Label>();
  const all = unique(groups).values;
  for (const name of byStratum ? names : [""]) {
    const members = byStratum ? all.filter((group) => stratumOf.get(group) === name) : all;
    const nTest = count(test, name);
    const nValidation = count(validation, name);
    if (!Number.isInteger(nTest) || !Number.isInteger(nValidation) || nTest < 0 || nValidation < 0) {
      throw new UsageError(`stratum ${name}: numbers of groups must be integers ≥ 0.`);
    }
    if (nTest + nValidation >= members.length && nTest + nValidation > 0) {
      throw new UsageError(
        `${name === "" ? "hold-out" : `stratum ${name}`}: of ${members.length} groups ${nTest} for the test and ` +
          `${nValidation} for validation leave none to learn from.`,
      );
    }
    const order = rng.permutation(members);
    for (const group of order.slice(0, nTest)) tested.add(group);
    for (const group of order.slice(nTest, nTest + nValidation)) held.add(group);
  }
  const fold: Fold = { name: "hold-out", train: [], validation: [], test: [] };
  groups.forEach((group, row) => {
    (tested.has(group) ? fold.test : held.has(group) ? fold.validation : fold.train).push(row);
  });
  return fold;
}

/** Options of {@linkcode checkFolds}. */
export interface CheckFoldsOptions {
  /** The group of every row that no two sets of a fold may share (speaker, recording). */
  readonly groups?: readonly Label[];
  /** What the groups are called in errors; default `group`. */
  readonly groupName?: string;
  /** Whether every row must be tested exactly once over the folds. Default false. */
  readonly complete?: boolean;
}

/**
 * Makes sure that the sets of every fold are disjoint, share no group, and hold rows that exist.
 *
 * @param n Number of rows.
 * @throws {UsageError} naming the fold, the row and the rule.
 */
export function checkFolds(folds: readonly Fold[], n: number, options: CheckFoldsOptions = {}): void {
  const { groups, groupName = "group", complete = false } = options;
  const tested = new Int32Array(n);
  for (const fold of folds) {
    const rowSet = new Map<number, string>();
    const groupSet = new Map<Label, string>();
    for (const set of ["train", "validation", "test"] as const) {
      for (const row of fold[set]) {
        if (!Number.isInteger(row) || row < 0 || row >= n) {
          throw new UsageError(`fold ${fold.name}: row ${row} of ${set} does not exist (0 to ${n - 1}).`);
        }
        const other = rowSet.get(row);
        if (other !== undefined) {
          throw new UsageError(`fold ${fold.name}: row ${row} stands in ${other} and in ${set}.`);
        }
        rowSet.set(row, set);
        if (set === "test") tested[row]!++;
        if (groups === undefined) continue;
        const group = groups[row]!;
        const home = groupSet.get(group);
        if (home !== undefined && home !== set) {
          throw new UsageError(`fold ${fold.name}: ${groupName} ${group} stands in ${home} and in ${set}.`);
        }
        groupSet.set(group, set);
      }
    }
    if (fold.train.length === 0 || fold.test.length === 0) {
      throw new UsageError(`fold ${fold.name}: has no ${fold.train.length === 0 ? "training" : "test"} rows.`);
    }
  }
  if (complete) {
    const wrong = tested.findIndex((count) => count !== 1);
    if (wrong >= 0) throw new UsageError(`row ${wrong}: is tested ${tested[wrong]} times over the folds, not once.`);
  }
}

/**
 * Identity of a split: SHA-256 over the keys of every set of every fold. The order of rows within a set does not count
 * (it belongs to the training's shuffle); the folds' order does.
 *
 * @param folds The folds.
 * @param keys The key of every row; duplicated rows may share a key and count as often as they occur.
 * @returns Lower-case hexadecimal.
 * @throws {RangeError} when a row has no key.
 */
export function splitHash(folds: readonly Omit<Fold, "name">[], keys: readonly string[]): string {
  const name = (row: number): string => {
    const key = keys[row];
    if (key === undefined) throw new RangeError(`row ${row} has no key: there are ${keys.length}.`);
    return key;
  };
  return sha256Hex(JSON.stringify(
    folds.map(({ train, validation, test }) => [train, validation, test].map((rows) => rows.map(name).sort())),
  ));
}
