/**
 * The methods: which configuration to try next, and for how many epochs.
 *
 * A method sees what has ended only at fixed points (all of a rung, all of a batch), never what merely ended first. Its
 * suggestions therefore follow from the scores alone: on one worker, on many, on a queue, after a restart they are the
 * same. This is why halving waits for a whole rung and is not ASHA (Li et al. 2020), which promotes whoever is ready.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { canonicalJson } from "../io.ts";
import { stream } from "../random.ts";
import { checkSpace, drawConfiguration, gridOf, type Parameter, type Space } from "./space.ts";
import { type Observation, suggestTpe } from "./tpe.ts";
import { type Configuration, type MethodName, METHODS } from "./types.ts";

/** A configuration to try. */
export interface Suggestion {
  /** Its number in the search, from 0; the same at every budget. */
  readonly number: number;
  /** The configuration. */
  readonly config: Configuration;
  /** Epochs. */
  readonly epochs: number;
}

/** What came of a suggestion; a null score is a failure. */
export interface Evaluation {
  /** Number of the suggestion. */
  readonly number: number;
  /** Its epochs. */
  readonly epochs: number;
  /** Its score, the larger the better. */
  readonly score: number | null;
}

/** A suggestion that goes no further. */
export interface Pruned {
  /** Its number. */
  readonly number: number;
  /** Why, in words. */
  readonly reason: string;
}

/** What a method says next. */
export interface Step {
  /** What to try now; none when the search has ended. */
  readonly suggestions: readonly Suggestion[];
  /** All that have been pruned so far. */
  readonly pruned: readonly Pruned[];
  /** Suggestions still to come after these, as far as is known, in epochs. */
  readonly epochsLeft: number;
}

/** A method at work on a space. */
export interface Strategy {
  /** What to try when these have ended: everything suggested so far must be among them. */
  next(ended: readonly Evaluation[]): Step;
}

/** Options of {@linkcode createStrategy}. */
export interface StrategyOptions {
  /** Configurations to try; for a grid, and where a space has no more, all of them. */
  readonly trials: number;
  /** Most epochs of a trial. */
  readonly epochs: number;
  /** Seed of what is drawn. */
  readonly seed: number;
  /** Halving: one in so many goes on. Default 3. */
  readonly eta?: number;
  /** TPE: how many are suggested at once. Default 4. */
  readonly batch?: number;
}

/** TPE's first configurations are drawn at random. */
const STARTUP = 10;

/** The name as a method, or a UsageError that lists what there is. */
export function methodName(name: string): MethodName {
  const found = METHODS.find((each) => each === name);
  if (found === undefined) throw new UsageError(`There is no method ${name}; there are ${METHODS.join(", ")}.`);
  return found;
}

/** Whether a space has finitely many points, and they can be listed. */
function listed(space: Space): Configuration[] | null {
  const isFinite = Object.values(space).every((each) =>
    each.kind === "choice" || (each.kind === "integer" && each.high - each.low < 64)
  );
  if (!isFinite) return null;
  // A grid's own values are fewer than what can be drawn.
  const whole: Space = Object.fromEntries(
    Object.entries(space).map(([name, each]): [string, Parameter] => {
      if (each.kind === "choice") return [name, each];
      const { grid: _grid, ...rest } = each;
      return [name, rest];
    }),
  );
  const size = Object.values(whole).reduce(
    (product, each) => product * (each.kind === "choice" ? each.values.length : each.high - each.low + 1),
    1,
  );
  return size <= 4096 ? gridOf(whole) : null;
}

/** Different configurations drawn one after the other; fewer where the space has no more. */
function drawAll(space: Space, count: number, seed: number): Configuration[] {
  const all = listed(space);
  if (all !== null) return stream(seed, "search", "order").permutation(all).slice(0, count);
  const seen = new Set<string>(), drawn: Configuration[] = [];
  for (let i = 0; drawn.length < count && i < 100 * count; i++) {
    const config = drawConfiguration(space, stream(seed, "search", "draw", i));
    const text = canonicalJson(config);
    if (seen.has(text)) continue;
    seen.add(text);
    drawn.push(config);
  }
  return drawn;
}

/** The budgets of successive halving: how many configurations are trained for how many epochs. */
export interface HalvingRung {
  /** Epochs. */
  readonly epochs: number;
  /** Configurations. */
  readonly count: number;
}

/**
 * The rungs of successive halving: each trains one in `eta` of the last one's configurations for `eta` times its epochs,
 * up to all epochs.
 *
 * Source: K. Jamieson, A. Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS
 * 2016, with `eta` as in Hyperband (Li et al. 2018).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(halvingRungs(27, 27).map(({ epochs, count }) => [epochs, count]), [[1, 27], [3, 9], [9, 3], [27, 1]]);
 * ```
 */
export function halvingRungs(trials: number, epochs: number, eta = 3): HalvingRung[] {
  if (!(eta > 1)) throw new UsageError(`Halving keeps one in eta configurations; eta must be above 1, not ${eta}.`);
  // A logarithm may fall a hair below a whole number.
  const times = (value: number): number => Math.floor(Math.log(value) / Math.log(eta) + 1e-9);
  const last = Math.max(0, Math.min(times(trials), times(epochs)));
  return Array.from({ length: last + 1 }, (_, i) => ({
    epochs: i === last ? epochs : Math.max(1, Math.round(epochs * eta ** (i - last))),
    count: Math.max(1, Math.floor(trials * eta ** -i + 1e-9)),
  }));
}

/**
 * A method at work.
 *
 * @throws {UsageError} when the space is empty, or a grid has no values for a parameter.
 */
export function createStrategy(method: MethodName, space: Space, options: StrategyOptions): Strategy {
  checkSpace(space);
  if (!(Number.isInteger(options.trials) && options.trials > 0)) {
    throw new UsageError(`--trials takes a whole number of 1 or more, not ${options.trials}.`);
  }
  switch (method) {
    case "grid":
      return oneBatch(gridOf(space), options.epochs);
    case "random":
      return oneBatch(drawAll(space, options.trials, options.seed), options.epochs);
    case "halving":
      return halving(space, options);
    case "tpe":
      return tpe(space, options);
  }
}

function oneBatch(configs: readonly Configuration[], epochs: number): Strategy {
  const all = configs.map((config, number) => ({ number, config, epochs }));
  return {
    next(ended) {
      const done = new Set(ended.map(({ number }) => number));
      return { suggestions: all.filter(({ number }) => !done.has(number)), pruned: [], epochsLeft: 0 };
    },
  };
}

/** Best first: by score, failures last, then by number. */
function ranked(evaluations: readonly Evaluation[]): Evaluation[] {
  return [...evaluations].sort((a, b) => (b.score ?? -Infinity) - (a.score ?? -Infinity) || a.number - b.number);
}

function halving(space: Space, { trials, epochs, seed, eta = 3 }: StrategyOptions): Strategy {
  const configs = drawAll(space, trials, seed);
  const rungs = halvingRungs(configs.length, epochs, eta);
  return {
    next(ended) {
      const pruned: Pruned[] = [];
      let numbers = configs.map((_, i) => i);
      for (const [i, rung] of rungs.entries()) {
        const left = rungs.slice(i + 1).reduce((sum, each) => sum + each.count * each.epochs, 0);
        const here = ended.filter((each) => each.epochs === rung.epochs && numbers.includes(each.number));
        const done = new Set(here.map(({ number }) => number));
        const waiting = numbers.filter((number) => !done.has(number));
        if (waiting.length > 0) {
          const suggestions = waiting.map((number) => ({ number, config: configs[number]!, epochs: rung.epochs }));
          return { suggestions, pruned, epochsLeft: left };
        }
        const next = rungs[i + 1];
        if (next === undefined) break;
        const order = ranked(here);
        const alive = order.filter(({ score }) => score !== null);
        numbers = alive.slice(0, next.count).map(({ number }) => number);
        alive.slice(next.count).forEach(({ number }, k) =>
          pruned.push({
            number,
            reason: `rank ${next.count + k + 1} of ${order.length} after ${rung.epochs} epochs, ${next.count} went on`,
          })
        );
        if (numbers.length === 0) break;
      }
      return { suggestions: [], pruned, epochsLeft: 0 };
    },
  };
}

function tpe(space: Space, { trials, epochs, seed, batch = 4 }: StrategyOptions): Strategy {
  const all = listed(space);
  const total = all === null ? trials : Math.min(trials, all.length);
  const configs = drawAll(space, Math.min(total, STARTUP), seed);
  /** Suggests the next batch from the evaluations of all before it. */
  const extend = (scores: ReadonlyMap<number, number | null>): void => {
    const observed: Observation[] = configs.map((config, i) => ({ config, score: scores.get(i) ?? null }));
    const taken = new Set(configs.map(canonicalJson));
    const end = Math.min(total, configs.length + batch);
    while (configs.length < end) {
      const number = configs.length;
      const config = suggestTpe(space, observed, taken, stream(seed, "search", "tpe", number)) ??
        drawAll(space, 10 * total, seed).find((each) => !taken.has(canonicalJson(each)));
      if (config === undefined) return;
      configs.push(config);
      taken.add(canonicalJson(config));
      // Counted as bad until it has a score, so that the rest of the batch looks elsewhere.
      observed.push({ config, score: null });
    }
  };
  return {
    next(ended) {
      const scores = new Map(ended.map(({ number, score }) => [number, score]));
      for (let before = 0; configs.every((_, i) => scores.has(i)) && configs.length < total;) {
        before = configs.length;
        extend(scores);
        if (configs.length === before) break; // the space has no more
      }
      const suggestions = configs.map((config, number) => ({ number, config, epochs }))
        .filter(({ number }) => !scores.has(number));
      return { suggestions, pruned: [], epochsLeft: (total - configs.length) * epochs };
    },
  };
}
