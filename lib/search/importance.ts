/**
 * Which hyper-parameters mattered: a forest learns scores from configurations, and the variance of what it says is shared
 * out among parameters and pairs of them.
 *
 * Source: F. Hutter, H. Hoos, K. Leyton-Brown, "An efficient approach for assessing hyperparameter importance", ICML 2014
 * (functional ANOVA of a random forest), with the marginals averaged over drawn configurations.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { type RandomState, stream } from "../random.ts";
import { isActive, type Parameter, placeOf, type Space, valueAt } from "./space.ts";
import type { Sweep } from "./store.ts";
import type { Configuration, Value } from "./types.ts";

/** A configuration and what came of it. */
export interface ScoredConfiguration {
  /** The configuration. */
  readonly config: Configuration;
  /** Its score. */
  readonly score: number;
}

/** What mattered. */
export interface Importance {
  /** Parameters, the most important first; shares of the forest's variance, in [0, 1]. */
  readonly parameters: readonly { readonly name: string; readonly share: number }[];
  /** Pairs, the most important first: what two parameters do together beyond what each does by itself. */
  readonly pairs: readonly { readonly names: readonly [string, string]; readonly share: number }[];
  /** Share of the scores' variance that the forest explains on configurations it has not learnt from; null when few. */
  readonly explained: number | null;
  /** Configurations with a score. */
  readonly configurations: number;
  /** What the forest expects over a pair of parameters, averaged over the others. */
  readonly marginal: (first: string, second: string) => Marginal;
}

/** Expected scores over two parameters. */
export interface Marginal {
  /** Values of the first one. */
  readonly rows: readonly Value[];
  /** Values of the second one. */
  readonly columns: readonly Value[];
  /** `[row][column]`; NaN where the two cannot stand together. */
  readonly scores: readonly (readonly number[])[];
}

const TREES = 64;
/** Fewest configurations that a leaf of a tree holds. */
const LEAF = 2;
/** Configurations that a marginal is averaged over. */
const DRAWN = 64;
/** Places at which a number is looked at: alone, and together with another one. */
const LEVELS = 24, LEVELS_OF_PAIR = 8;
/** Configurations that the whole variance is taken over. */
const ALL = 1024;

/** A regression tree: a leaf's mean, or two trees left and right of a threshold. */
type Tree = { readonly mean: number } | {
  readonly feature: number;
  readonly threshold: number;
  readonly left: Tree;
  readonly right: Tree;
};

/** Grows a tree that lowers the squared error most at every step. */
function grow(x: readonly Float64Array[], y: readonly number[], rows: readonly number[]): Tree {
  const mean = rows.reduce((sum, row) => sum + y[row]!, 0) / rows.length;
  let best: { feature: number; threshold: number } | null = null, most = 1e-12;
  for (let feature = 0; feature < x[0]!.length && rows.length >= 2 * LEAF; feature++) {
    const sorted = [...rows].sort((a, b) => x[a]![feature]! - x[b]![feature]!);
    let left = 0;
    const total = mean * rows.length;
    for (let i = 0; i + 1 < sorted.length; i++) {
      left += y[sorted[i]!]!;
      const a = x[sorted[i]!]![feature]!, b = x[sorted[i + 1]!]![feature]!, n = i + 1, m = sorted.length - n;
      if (a === b || n < LEAF || m < LEAF) continue;
      const gain = left * left / n + (total - left) ** 2 / m - total * total / sorted.length;
      if (gain > most) [best, most] = [{ feature, threshold: (a + b) / 2 }, gain];
    }
  }
  if (best === null) return { mean };
  const { feature, threshold } = best;
  const isLeft = (row: number): boolean => x[row]![feature]! < threshold;
  return {
    feature,
    threshold,
    left: grow(x, y, rows.filter(isLeft)),
    right: grow(x, y, rows.filter((row) => !isLeft(row))),
  };
}

function valueOf(tree: Tree, x: Float64Array): number {
  let at = tree;
  while (!("mean" in at)) at = x[at.feature]! < at.threshold ? at.left : at.right;
  return at.mean;
}

/** Configurations as numbers: places in [0, 1], −1 where a parameter is not there; a choice has a column a value. */
function encoder(space: Space): (config: Configuration) => Float64Array {
  const columns = Object.entries(space).flatMap(([name, parameter]): ((config: Configuration) => number)[] => {
    if (parameter.kind !== "choice" || parameter.values.every((value) => typeof value === "number")) {
      return [(config) => config[name] === undefined ? -1 : placeOf(parameter, config[name]!)];
    }
    return parameter.values.map((value) => (config) =>
      config[name] === undefined ? -1 : config[name] === value ? 1 : 0
    );
  });
  return (config) => Float64Array.from(columns, (column) => column(config));
}

/** Values at which a parameter is looked at; each is as likely as any other. */
function levelsOf(parameter: Parameter, count: number): Value[] {
  if (parameter.kind === "choice") return [...parameter.values];
  if (parameter.kind === "integer" && !parameter.log && parameter.high - parameter.low < count) {
    return Array.from({ length: parameter.high - parameter.low + 1 }, (_, i) => parameter.low + i);
  }
  return Array.from({ length: count }, (_, i) => valueAt(parameter, (i + 0.5) / count));
}

/** A configuration with its absent parameters filled in, so that a condition may change: values for every name. */
type Filled = Readonly<Record<string, Value>>;

function pruned(space: Space, filled: Filled): Configuration {
  const config: Record<string, Value> = {};
  for (const [name, parameter] of Object.entries(space)) {
    if (isActive(parameter, config)) config[name] = filled[name]!;
  }
  return config;
}

function variance(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}

/**
 * Shares out the variance of scores among the parameters of a space.
 *
 * @throws {UsageError} with fewer than four configurations.
 */
export function importanceOf(space: Space, scored: readonly ScoredConfiguration[], seed = 0): Importance {
  if (scored.length < 4) {
    throw new UsageError(`Importance needs at least 4 configurations with a score, not ${scored.length}.`);
  }
  const encode = encoder(space), names = Object.keys(space);
  const x = scored.map(({ config }) => encode(config)), y = scored.map(({ score }) => score);
  const outside = y.map((): { sum: number; count: number } => ({ sum: 0, count: 0 }));
  const forest = Array.from({ length: TREES }, (_, t): Tree => {
    const rng: RandomState = stream(seed, "importance", "tree", t);
    const rows = Array.from(y, () => rng.randint(0, y.length));
    const tree = grow(x, y, rows), inside = new Set(rows);
    y.forEach((_, row) => {
      if (inside.has(row)) return;
      outside[row]!.sum += valueOf(tree, x[row]!);
      outside[row]!.count++;
    });
    return tree;
  });
  const predict = (config: Configuration): number => {
    const encoded = encode(config);
    return forest.reduce((sum, tree) => sum + valueOf(tree, encoded), 0) / TREES;
  };
  const all = Array.from({ length: ALL }, (_, i): Filled => {
    const rng = stream(seed, "importance", "draw", i);
    return Object.fromEntries(names.map((name) => [name, valueAt(space[name]!, rng.randomSample())]));
  });
  const drawn = all.slice(0, DRAWN);
  const total = variance(all.map((filled) => predict(pruned(space, filled))));
  /** Mean over the drawn ones with some values put in; NaN where those are never there together. */
  const marginalAt = (values: Filled): number => {
    let sum = 0, count = 0;
    for (const filled of drawn) {
      const config = pruned(space, { ...filled, ...values });
      if (Object.keys(values).some((name) => config[name] === undefined)) continue;
      sum += predict(config);
      count++;
    }
    return sum / count;
  };
  const marginal = (first: string, second: string): Marginal => {
    const [a, b] = [first, second].map((name) => {
      if (!Object.hasOwn(space, name)) throw new UsageError(`The search space has no parameter ${name}.`);
      return [...new Set(levelsOf(space[name]!, LEVELS_OF_PAIR))];
    }) as [Value[], Value[]];
    const scores = a.map((row) => b.map((column) => marginalAt({ [first]: row, [second]: column })));
    return { rows: a, columns: b, scores };
  };
  const share = (part: number): number => total > 1e-15 ? Math.min(1, part / total) : 0;
  const mains = new Map(names.map((name) => [
    name,
    variance(
      levelsOf(space[name]!, LEVELS).map((value) => marginalAt({ [name]: value })).filter((each) =>
        !Number.isNaN(each)
      ),
    ),
  ]));
  const pairs = names.flatMap((first, i) =>
    names.slice(i + 1).map((second) => {
      const { scores } = marginal(first, second);
      // What is left of the table when the means of its rows and columns are taken off.
      const known = scores.flatMap((row, r) => row.map((value, c) => ({ value, r, c }))).filter(({ value }) =>
        !Number.isNaN(value)
      );
      const mean = (of: (cell: { r: number; c: number }) => boolean): number => {
        const own = known.filter(of);
        return own.reduce((sum, { value }) => sum + value, 0) / own.length;
      };
      const grand = mean(() => true);
      const rest = known.map(({ value, r, c }) =>
        value - mean((cell) => cell.r === r) - mean((cell) => cell.c === c) + grand
      );
      return { names: [first, second] as const, share: share(rest.length > 0 ? variance(rest) : 0) };
    })
  );
  const seen = outside.map(({ sum, count }, row) => ({ value: sum / count, row, count })).filter(({ count }) =>
    count > 0
  );
  const residual = seen.reduce((sum, { value, row }) => sum + (value - y[row]!) ** 2, 0);
  const around = variance(seen.map(({ row }) => y[row]!)) * seen.length;
  return {
    parameters: [...mains].map(([name, part]) => ({ name, share: share(part) })).sort((a, b) => b.share - a.share),
    pairs: pairs.sort((a, b) => b.share - a.share),
    explained: seen.length >= 8 && around > 0 ? 1 - residual / around : null,
    configurations: scored.length,
    marginal,
  };
}

/**
 * A sweep's configurations with scores that compare: all at the smallest budget that every one of them had, each fold's
 * scores about the sweep's mean, because some folds are harder than others.
 */
export function comparableScores(sweep: Pick<Sweep, "trials" | "definition">): ScoredConfiguration[] {
  const ended = sweep.trials.filter(({ role, rungs }) => role === "candidate" && rungs[0]?.score != null);
  const all = ended.map(({ fold, config, rungs }) => ({ fold, config, score: rungs[0]!.score! }));
  const mean = (values: readonly { score: number }[]): number =>
    values.reduce((sum, { score }) => sum + score, 0) / values.length;
  const grand = mean(all);
  const byFold = new Map(
    sweep.definition.folds.map((_, fold) => [fold, mean(all.filter((each) => each.fold === fold))]),
  );
  return all.map(({ fold, config, score }) => ({ config, score: score - byFold.get(fold)! + grand }));
}

/**
 * Which parameters of a sweep mattered; null with fewer than four scored trials.
 *
 * Of a halving search the first rung's scores count, which all configurations have.
 */
export function importance(sweep: Pick<Sweep, "trials" | "definition">): Importance | null {
  const scored = comparableScores(sweep);
  return scored.length < 4 ? null : importanceOf(sweep.definition.space, scored);
}
