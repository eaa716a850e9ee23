/**
 * Search spaces: what can be chosen, how it is drawn, enumerated and mapped to the unit interval. Browser-safe.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import type { RandomState } from "../random.ts";
import type { Configuration, Value } from "./types.ts";

/** A parameter is there only where another one has one of some values. */
export interface Condition {
  /** The other parameter, which stands before this one in the space. */
  readonly parameter: string;
  /** Its values for which this one is there. */
  readonly is: readonly Value[];
}

/** Options of every parameter. */
export interface ParameterOptions {
  /** Whether it is there at all; default always. */
  readonly when?: Condition;
}

/** One of some values, in no order. */
export interface ChoiceParameter extends ParameterOptions {
  /** Kind. */
  readonly kind: "choice";
  /** The values, all different. */
  readonly values: readonly Value[];
}

/** A number between two, both included. */
export interface NumberParameter extends ParameterOptions {
  /** `integer`: whole numbers, evenly or (with `log`) by ratio; `uniform`, `log-uniform`: all numbers. */
  readonly kind: "integer" | "uniform" | "log-uniform";
  /** Least value. */
  readonly low: number;
  /** Largest value. */
  readonly high: number;
  /** Whether whole numbers are spread by ratio. */
  readonly log?: boolean;
  /** Values that a grid takes of it; a grid needs them of `uniform` and `log-uniform`. */
  readonly grid?: readonly number[];
}

/** A hyper-parameter. */
export type Parameter = ChoiceParameter | NumberParameter;

/** Hyper-parameters by name, in the order of a grid's nested loops: the last one runs fastest. */
export type Space = Readonly<Record<string, Parameter>>;

/** One of some values. */
export function choice(values: readonly Value[], options: ParameterOptions = {}): ChoiceParameter {
  return { kind: "choice", values, ...options };
}

/** Options of a number. */
export type NumberOptions = Pick<NumberParameter, "when" | "grid">;

/** A whole number from `low` to `high`; with `log` every doubling is as likely as every other. */
export function integer(
  low: number,
  high: number,
  options: NumberOptions & Pick<NumberParameter, "log"> = {},
): NumberParameter {
  return { kind: "integer", low, high, ...options };
}

/** A number from `low` to `high`. */
export function uniform(low: number, high: number, options: NumberOptions = {}): NumberParameter {
  return { kind: "uniform", low, high, ...options };
}

/** A positive number from `low` to `high`, its logarithm uniform. */
export function logUniform(low: number, high: number, options: NumberOptions = {}): NumberParameter {
  return { kind: "log-uniform", low, high, ...options };
}

/** Whether equal steps of a parameter are equal ratios. */
function isLog(parameter: NumberParameter): boolean {
  return parameter.kind === "log-uniform" || parameter.log === true;
}

/**
 * A number as it stands in a configuration: four digits are more than any search can tell apart, and no last bit of a
 * machine's logarithm shows in it.
 */
function tidy(value: number): number {
  return Number(value.toPrecision(4));
}

/** A space as sentences need it. */
function names(space: Space): string {
  return Object.keys(space).join(", ");
}

/**
 * Makes sure that a space makes sense.
 *
 * @throws {UsageError} naming the parameter and the rule.
 */
export function checkSpace(space: Space): void {
  const before: string[] = [];
  for (const [name, parameter] of Object.entries(space)) {
    const fault = parameterFault(space, parameter, before);
    if (fault !== null) throw new UsageError(`Parameter ${name}: ${fault}.`);
    before.push(name);
  }
  if (before.length === 0) throw new UsageError("The search space is empty: it has no parameter.");
}

function parameterFault(space: Space, parameter: Parameter, before: readonly string[]): string | null {
  const { when } = parameter;
  if (when !== undefined) {
    const other = space[when.parameter];
    if (other === undefined || !before.includes(when.parameter)) {
      return `depends on ${when.parameter}, which does not stand before it`;
    }
    const strange = when.is.find((value) => valueFault(other, value) !== null);
    if (strange !== undefined) return `depends on ${when.parameter} being ${strange}, which it cannot be`;
    if (when.is.length === 0) return `depends on no value of ${when.parameter}`;
  }
  if (parameter.kind === "choice") {
    if (parameter.values.length === 0) return "has no values to choose from";
    return new Set(parameter.values).size === parameter.values.length ? null : "has a value twice";
  }
  const { low, high, grid } = parameter;
  if (!Number.isFinite(low) || !Number.isFinite(high) || low > high) return `has no range from ${low} to ${high}`;
  if (parameter.kind === "integer" && !(Number.isInteger(low) && Number.isInteger(high))) {
    return `its range from ${low} to ${high} must end in whole numbers`;
  }
  if (isLog(parameter) && low <= 0) return `its least value ${low} must be positive, it is spread by ratio`;
  const outside = grid?.find((value) => valueFault(parameter, value) !== null);
  return outside === undefined ? null : `its grid's ${outside} ${valueFault(parameter, outside)}`;
}

/** Why a value is none of a parameter; null when it is one. */
function valueFault(parameter: Parameter, value: Value): string | null {
  if (parameter.kind === "choice") {
    return parameter.values.includes(value) ? null : `is not one of ${parameter.values.join(", ")}`;
  }
  if (typeof value !== "number" || !(value >= parameter.low && value <= parameter.high)) {
    return `is not a number from ${parameter.low} to ${parameter.high}`;
  }
  return parameter.kind === "integer" && !Number.isInteger(value) ? "is not a whole number" : null;
}

/** Whether a parameter is there, given the values of those before it. */
export function isActive(parameter: Parameter, config: Configuration): boolean {
  const { when } = parameter;
  if (when === undefined) return true;
  const value = config[when.parameter];
  return value !== undefined && when.is.includes(value);
}

/**
 * Makes sure that a configuration is a point of a space.
 *
 * @throws {UsageError} naming the parameter: unknown, missing, not there under its condition, or outside its range.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const space = { layers: choice([2, 4]), rate: logUniform(1e-4, 1e-2) };
 * checkConfiguration(space, { layers: 2, rate: 0.001 });
 * assert.throws(() => checkConfiguration(space, { layers: 3, rate: 0.001 }), /layers: 3 is not one of 2, 4/);
 * assert.throws(() => checkConfiguration(space, { depth: 2 }), /no parameter depth; it has layers, rate/);
 * ```
 */
export function checkConfiguration(space: Space, config: Configuration): void {
  for (const name of Object.keys(config)) {
    if (!Object.hasOwn(space, name)) {
      throw new UsageError(`The search space has no parameter ${name}; it has ${names(space)}.`);
    }
  }
  for (const [name, parameter] of Object.entries(space)) {
    const value = config[name];
    if (!isActive(parameter, config)) {
      const { parameter: other, is } = parameter.when!;
      if (value === undefined) continue;
      throw new UsageError(`Parameter ${name}: is there only where ${other} is ${is.join(" or ")}.`);
    }
    if (value === undefined) throw new UsageError(`Parameter ${name}: has no value.`);
    const fault = valueFault(parameter, value);
    if (fault !== null) throw new UsageError(`Parameter ${name}: ${value} ${fault}.`);
  }
}

/**
 * The space with some parameters' values replaced by others: `--set rate=0.001,0.005` on the command line.
 *
 * @throws {UsageError} when a parameter is unknown or a value is none of it.
 */
export function restrict(space: Space, values: Readonly<Record<string, readonly Value[]>>): Space {
  const entries = Object.entries(space).map(([name, parameter]): [string, Parameter] => {
    const own = values[name];
    if (own === undefined) return [name, parameter];
    for (const value of own) {
      const fault = valueFault(parameter, value);
      if (fault !== null) throw new UsageError(`Parameter ${name}: ${value} ${fault}.`);
    }
    return [name, choice(own, parameter.when ? { when: parameter.when } : {})];
  });
  const unknown = Object.keys(values).find((name) => !Object.hasOwn(space, name));
  if (unknown !== undefined) {
    throw new UsageError(`The search space has no parameter ${unknown}; it has ${names(space)}.`);
  }
  return Object.fromEntries(entries);
}

/** Values of a parameter in a grid. */
function gridValues(name: string, parameter: Parameter): readonly Value[] {
  if (parameter.kind === "choice") return parameter.values;
  if (parameter.grid !== undefined) return parameter.grid;
  if (parameter.kind === "integer" && parameter.high - parameter.low < 64) {
    return Array.from({ length: parameter.high - parameter.low + 1 }, (_, i) => parameter.low + i);
  }
  throw new UsageError(
    `Parameter ${name}: a grid cannot run through all numbers from ${parameter.low} to ${parameter.high}; ` +
      "give it values, or search at random.",
  );
}

/**
 * All configurations of a grid, in the order of nested loops over the parameters, the last one fastest; parameters that
 * are not there under their condition do not multiply.
 *
 * @throws {UsageError} when the grid is empty or a parameter has no values for one.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const space = { layers: choice([1, 2]), second: choice([100, 300], { when: { parameter: "layers", is: [2] } }) };
 * assert.deepEqual(gridOf(space), [{ layers: 1 }, { layers: 2, second: 100 }, { layers: 2, second: 300 }]);
 * ```
 */
export function gridOf(space: Space): Configuration[] {
  checkSpace(space);
  let all: Configuration[] = [{}];
  for (const [name, parameter] of Object.entries(space)) {
    const values = gridValues(name, parameter);
    all = all.flatMap((config) =>
      isActive(parameter, config) ? values.map((value) => ({ ...config, [name]: value })) : [config]
    );
  }
  if (all.length === 0) throw new UsageError("The grid is empty: a parameter has no values.");
  return all;
}

/** The value of a parameter at a place in [0, 1); choices have equal shares. */
export function valueAt(parameter: Parameter, place: number): Value {
  if (parameter.kind === "choice") {
    const { values } = parameter;
    return values[Math.min(values.length - 1, Math.floor(place * values.length))]!;
  }
  const { low, high } = parameter;
  if (parameter.kind === "integer") {
    // Every whole number has a share of its own, the ends too.
    const [from, to] = isLog(parameter) ? [Math.log(low - 0.5), Math.log(high + 0.5)] : [low - 0.5, high + 0.5];
    const value = from + place * (to - from);
    // Zero has no sign.
    return Math.min(high, Math.max(low, Math.round(isLog(parameter) ? Math.exp(value) : value))) + 0;
  }
  const value = isLog(parameter)
    ? Math.exp(Math.log(low) + place * (Math.log(high) - Math.log(low)))
    : low + place * (high - low);
  return Math.min(high, Math.max(low, tidy(value)));
}

/** The place in [0, 1] of a value: the middle of its share, for choices and whole numbers. */
export function placeOf(parameter: Parameter, value: Value): number {
  if (parameter.kind === "choice") return (parameter.values.indexOf(value) + 0.5) / parameter.values.length;
  const { low, high } = parameter, number = value as number;
  if (low === high) return 0.5;
  if (parameter.kind === "integer") {
    const scale = isLog(parameter) ? Math.log : (x: number): number => x;
    return (scale(number) - scale(low - 0.5)) / (scale(high + 0.5) - scale(low - 0.5));
  }
  const scale = isLog(parameter) ? Math.log : (x: number): number => x;
  return (scale(number) - scale(low)) / (scale(high) - scale(low));
}

/** Draws a configuration: every parameter that is there, in the space's order. */
export function drawConfiguration(space: Space, rng: RandomState): Configuration {
  const config: Record<string, Value> = {};
  for (const [name, parameter] of Object.entries(space)) {
    // A place is drawn for absent parameters too, so that what comes after does not hang on a condition.
    const place = rng.randomSample();
    if (isActive(parameter, config)) config[name] = valueAt(parameter, place);
  }
  return config;
}

/** A configuration as words: `layers 2, rate 0.001`. */
export function configurationText(config: Configuration): string {
  return Object.entries(config).map(([name, value]) => `${name} ${value}`).join(", ");
}
