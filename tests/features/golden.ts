/** The reference features of ../shared/golden, where present, and comparisons that state their bound. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { decodeNpy } from "../../lib/npy.ts";
import type { NdArray } from "../../lib/types.ts";

const golden = new URL("../../../shared/golden/", import.meta.url);
const corpora = new URL("../../../shared/corpora/", import.meta.url);

/** Whether ../shared/golden lies beside the repository. */
export const present = existsSync(new URL("index.json", golden)) && existsSync(corpora);

/** What a test's name says where the reference is missing. */
export const missing = present ? "" : " [../shared/golden is not there]";

/** One clip of the reference. */
export interface GoldenClip {
  readonly id: string;
  /** Path of the audio file. */
  readonly path: string;
  readonly rate: number;
  readonly arrays: readonly string[];
}

interface Index {
  readonly clips: Record<string, { file: string; native_rate: number; arrays: Record<string, number[]> }>;
}

/** All clips of the reference, none where it is missing. */
export const clips: readonly GoldenClip[] = present
  ? Object.entries((JSON.parse(readFileSync(new URL("index.json", golden), "utf8")) as Index).clips).map((
    [id, { file, native_rate, arrays }],
  ) => ({ id, path: new URL(file, corpora).pathname, rate: native_rate, arrays: Object.keys(arrays) }))
  : [];

/** An array of a clip. */
export function expected(clip: GoldenClip, name: string): NdArray {
  const file = `${clip.id}/${name}.npy`;
  return decodeNpy(readFileSync(new URL(file, golden)), file);
}

/** How two arrays differ. */
export interface Difference {
  /** Mean absolute difference. */
  readonly mean: number;
  /** Largest absolute difference. */
  readonly max: number;
  /** Largest minus smallest reference value. */
  readonly range: number;
  /** Share of values that differ by at most `bound`. */
  within(bound: number): number;
}

/** Compares values; a NaN where the reference has none counts as infinitely far. */
export function difference(actual: ArrayLike<number>, reference: ArrayLike<number>): Difference {
  assert.equal(actual.length, reference.length, "the arrays differ in length");
  let sum = 0, max = 0, low = Infinity, high = -Infinity;
  const each = new Float64Array(reference.length);
  for (let i = 0; i < reference.length; i++) {
    const d = Math.abs(actual[i]! - reference[i]!);
    each[i] = Number.isNaN(d) ? Infinity : d;
    sum += each[i]!;
    max = Math.max(max, each[i]!);
    low = Math.min(low, reference[i]!);
    high = Math.max(high, reference[i]!);
  }
  return {
    mean: sum / each.length,
    max,
    range: high - low,
    within: (bound) => each.filter((d) => d <= bound).length / each.length,
  };
}

/** Asserts that the largest difference is at most `bound` times the reference's range (1e-6 where that is constant). */
export function closeByRange(
  actual: ArrayLike<number>,
  reference: ArrayLike<number>,
  bound: number,
  what: string,
): void {
  const { max, range } = difference(actual, reference);
  const allowed = range === 0 ? 1e-6 : bound * range;
  assert.ok(max <= allowed, `${what}: differs by ${max}, allowed ${allowed}`);
}
