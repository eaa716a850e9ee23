/**
 * Tree-structured Parzen estimator: where good configurations are denser than bad ones.
 *
 * Source: J. Bergstra, R. Bardenet, Y. Bengio, B. Kégl, "Algorithms for hyper-parameter optimization", NIPS 2011,
 * section 4; bandwidths by its rule of the larger gap to a neighbour.
 *
 * @module
 */

import { canonicalJson } from "../io.ts";
import type { RandomState } from "../random.ts";
import { isActive, type NumberParameter, type Parameter, placeOf, type Space, valueAt } from "./space.ts";
import type { Configuration, Value } from "./types.ts";

/** A configuration that was tried; a null score is a failure. */
export interface Observation {
  /** The configuration. */
  readonly config: Configuration;
  /** Its score, the larger the better. */
  readonly score: number | null;
}

/** Configurations that are drawn from the good ones' density, of which the most promising is taken. */
const DRAWS = 24;

/** Density of one parameter's values in some configurations. */
interface Density {
  /** Draws a value. */
  draw(rng: RandomState): Value;
  /** Logarithm of the density (of the probability, for choices) at a value. */
  logAt(value: Value): number;
}

/** Probability that a standard normal number is at most x (W. J. Cody's erf is not needed to this accuracy). */
function normalCdf(x: number): number {
  // Abramowitz & Stegun 7.1.26, absolute error below 1.5e-7.
  const t = 1 / (1 + 0.3275911 * Math.abs(x) / Math.SQRT2);
  const poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  const tail = poly * Math.exp(-x * x / 2) / 2;
  return x > 0 ? 1 - tail : tail;
}

/** How many good ones of n: a fifth, at least two, at most 25. */
function goodCount(n: number): number {
  return Math.min(25, Math.max(2, Math.ceil(n / 5)));
}

function choiceDensity(values: readonly Value[], seen: readonly Value[]): Density {
  // Two observations of each value as prior: with fewer an early run of luck shuts a value out for good.
  const weights = values.map((value) => 2 + seen.filter((each) => each === value).length);
  const total = weights.reduce((a, b) => a + b, 0);
  return {
    draw(rng) {
      let left = rng.randomSample() * total;
      for (const [i, weight] of weights.entries()) if ((left -= weight) < 0) return values[i]!;
      return values.at(-1)!;
    },
    logAt: (value) => Math.log(weights[values.indexOf(value)]! / total),
  };
}

/** A mixture of normal densities cut to [0, 1], one at each place seen and a broad one for the prior. */
function numberDensity(parameter: NumberParameter, seen: readonly Value[]): Density {
  const places = seen.map((value) => placeOf(parameter, value));
  const centres = [...places, 0.5].sort((a, b) => a - b);
  const least = 1 / Math.min(100, centres.length + 1);
  const prior = centres.indexOf(0.5);
  const kernels = centres.map((centre, i) => {
    const left = centre - (centres[i - 1] ?? 0), right = (centres[i + 1] ?? 1) - centre;
    const sigma = i === prior ? 1 : Math.min(1, Math.max(least, left, right));
    return { centre, sigma, mass: normalCdf((1 - centre) / sigma) - normalCdf(-centre / sigma) };
  });
  const draw = (rng: RandomState): Value => {
    const { centre, sigma } = kernels[Math.floor(rng.randomSample() * kernels.length)]!;
    for (;;) {
      const place = rng.normal(centre, sigma);
      if (place >= 0 && place < 1) return valueAt(parameter, place);
    }
  };
  const logAt = (value: Value): number => {
    const place = placeOf(parameter, value);
    let sum = 0;
    for (const { centre, sigma, mass } of kernels) {
      sum += Math.exp(-(((place - centre) / sigma) ** 2) / 2) / (sigma * mass);
    }
    return Math.log(sum / kernels.length);
  };
  return { draw, logAt };
}

function densityOf(name: string, parameter: Parameter, among: readonly Configuration[]): Density {
  const seen = among.flatMap((config) => config[name] === undefined ? [] : [config[name]!]);
  return parameter.kind === "choice" ? choiceDensity(parameter.values, seen) : numberDensity(parameter, seen);
}

/**
 * The next configuration to try: of some drawn where the good ones are dense, the one where good ones outweigh bad ones
 * most. Parameters count where they are there, each by itself.
 *
 * @param observed Configurations that were tried. Those without a score (failed, or suggested and not yet tried) count
 * among the bad ones.
 * @param taken Configurations that are not to be suggested again, as canonical JSON.
 * @returns null when none of the draws is new.
 */
export function suggestTpe(
  space: Space,
  observed: readonly Observation[],
  taken: ReadonlySet<string>,
  rng: RandomState,
): Configuration | null {
  const scored = observed.map((each, i) => ({ ...each, i })).filter(({ score }) => score !== null)
    .sort((a, b) => b.score! - a.score! || a.i - b.i);
  const count = Math.min(scored.length, goodCount(scored.length));
  const good = scored.slice(0, count).map(({ config }) => config);
  const isGood = new Set(scored.slice(0, count).map(({ i }) => i));
  const bad = observed.flatMap(({ config }, i) => isGood.has(i) ? [] : [config]);
  const densities = Object.entries(space).map(([name, parameter]) => ({
    name,
    parameter,
    good: densityOf(name, parameter, good),
    bad: densityOf(name, parameter, bad),
  }));
  let best: Configuration | null = null, most = -Infinity;
  for (let draw = 0; draw < DRAWS; draw++) {
    const config: Record<string, Value> = {};
    let gain = 0;
    for (const { name, parameter, good: l, bad: g } of densities) {
      if (!isActive(parameter, config)) continue;
      const value = l.draw(rng);
      config[name] = value;
      gain += l.logAt(value) - g.logAt(value);
    }
    if (gain > most && !taken.has(canonicalJson(config))) {
      best = config;
      most = gain;
    }
  }
  return best;
}
