/**
 * Functions in place of trainings: for tests of the machinery and for what a trial costs beside its training.
 *
 * @module
 */

import { existsSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FunctionSearch } from "./declare.ts";
import { choice, integer, logUniform, uniform } from "./space.ts";

/** Scores at once: what a trial costs that trains nothing. */
export const trivialSearch: FunctionSearch = {
  kind: "function",
  id: "trivial",
  describe: "a score that costs nothing",
  space: { number: integer(0, 99_999) },
  evaluate: ({ number }) => (number as number) / 100_000,
};

/**
 * A hill in three parameters, one of them conditional, that more epochs climb further; its top, 1, stands at rate 0.003,
 * units 64, dropout 0.3.
 */
export const hillSearch: FunctionSearch = {
  kind: "function",
  id: "hill",
  describe: "a hill of which the top is known",
  space: {
    rate: logUniform(1e-5, 1e-1, { grid: [1e-4, 1e-3, 1e-2] }),
    units: integer(8, 512, { log: true, grid: [16, 64, 256] }),
    regularised: choice([false, true]),
    dropout: uniform(0, 0.8, { when: { parameter: "regularised", is: [true] }, grid: [0.2, 0.6] }),
  },
  epochs: 27,
  evaluate: ({ rate, units, regularised, dropout }, { epochs }) => {
    const off = [
      Math.log10(rate as number / 0.003) / 2,
      Math.log2(units as number / 64) / 4,
      regularised === true ? (dropout as number - 0.3) / 0.8 : 0.5,
    ];
    const height = Math.exp(-off.reduce((sum, each) => sum + each * each, 0));
    return height * (1 - Math.exp(-epochs / 6));
  },
};

/** What can go wrong with a trial. */
export const faultySearch: FunctionSearch = {
  kind: "function",
  id: "faulty",
  describe: "trials that fail in every way",
  space: {
    fault: choice(["none", "nan", "throw", "memory", "hang", "crash", "crash-once"]),
    number: integer(0, 3),
  },
  evaluate: async ({ fault, number }) => {
    switch (fault) {
      case "nan":
        return NaN;
      case "throw":
        throw new Error("the model cannot be built");
      case "memory":
        return new Float64Array(2 ** 53 - 1).length;
      case "hang":
        // An epoch that ends neither by itself nor by a signal.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
        break;
      case "crash":
        Deno.exit(70);
        break;
      case "crash-once": {
        // The next worker of the same coordinator finds that one has died of it.
        const mark = join(tmpdir(), `serlab-crash-${Deno.ppid}-${number}`);
        if (!existsSync(mark)) {
          writeFileSync(mark, "");
          Deno.exit(70);
        }
        rmSync(mark);
      }
    }
    await Promise.resolve();
    return 0.5 + (number as number) / 10;
  },
};

/** Takes a moment and no processor: what a sweep can be interrupted in. */
export const slowSearch: FunctionSearch = {
  kind: "function",
  id: "slow",
  describe: "a score that takes 20 ms",
  space: { number: integer(0, 39) },
  evaluate: async ({ number }) => {
    await new Promise((done) => setTimeout(done, 20));
    return (number as number) / 40;
  },
};

/** All functions that stand for trainings. */
export const toySearches: readonly FunctionSearch[] = [trivialSearch, hillSearch, slowSearch, faultySearch];
