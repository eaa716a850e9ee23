/**
 * Two models, or a published number and a measured one: whether they can be told apart, in words.
 *
 * @module
 */

import {
  differenceInterval,
  type Interval,
  meanSd,
  minimumDetectableDifference,
  pairedByRecording,
  pairedDifferences,
  type ScoredRow,
  type SignFlip,
  signFlipTest,
} from "../training/statistics.ts";
import { plural, signedPoints, signedRange } from "./text.ts";

/** The rows of every run (seed) of a model. */
export type Runs = readonly (readonly ScoredRow[])[];

/** What a comparison of two models came to. */
export interface Verdict {
  /** In one sentence without a full stop. */
  readonly text: string;
  /** The test, where one was made over speakers. */
  readonly test: SignFlip | null;
}

/** A score and its 95 % interval. */
export interface Estimate {
  /** The score. */
  readonly value: number;
  /** Its interval. */
  readonly interval: Interval;
}

/** Random sign patterns of a test over recordings, of which there are many. */
const FLIPS = 10_000;

/** The level of all tests. */
const ALPHA = 0.05;

function accuracyOf(runs: Runs): number {
  return meanSd(runs.map((rows) => rows.filter((row) => row.prediction === row.truth).length / rows.length)).mean;
}

function pText(p: number): string {
  return p < 0.001 ? "< 0.001" : `= ${p.toFixed(3)}`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b), half = (sorted.length - 1) / 2;
  return (sorted[Math.floor(half)]! + sorted[Math.ceil(half)]!) / 2;
}

/**
 * Two scores that were measured apart, by the interval of their difference (first minus second).
 *
 * @param unit What the numbers are of, said after the points.
 */
export function compareEstimates(first: Estimate, second: Estimate, unit = ""): { differ: boolean; text: string } {
  const [low, high] = differenceInterval(first, second);
  const differ = low > 0 || high < 0;
  const points = `${signedPoints(first.value - second.value)} points${unit} (95 % ${signedRange([low, high])})`;
  return { differ, text: differ ? `they differ by ${points}` : `they cannot be told apart: ${points}` };
}

/**
 * Sets two models side by side. With unseen speakers: a sign-flip test over speakers, on scores averaged over seeds. On
 * the same recordings otherwise: a sign-flip test over recordings of every pair of runs, the median p of them, so that
 * seeds make no larger n; on different ones the interval of the difference.
 *
 * @param first Rows of every run of the model whose score counts positive; with known speakers each beside the run of
 * the same place in `second`.
 * @param bySpeaker Whether the test's speakers are unseen.
 * @param estimates Scores and intervals of both, for known speakers on different recordings.
 */
export function compareRuns(
  first: Runs,
  second: Runs,
  bySpeaker: boolean,
  estimates: () => readonly [Estimate, Estimate],
): Verdict {
  const difference = accuracyOf(first) - accuracyOf(second);
  const pooled = `${signedPoints(difference)} points of accuracy`;
  if (!bySpeaker) {
    const pairs = pairsOf(first, second);
    if (pairs === null) return comparedApart(estimates());
    const tests = pairs.map((differences) => signFlipTest(differences, { flips: FLIPS }));
    const tested = tests.flatMap((test) => test.tested ? [test] : []);
    if (tested.length === 0) return { test: null, text: `cannot be tested on so few clips (${pooled})` };
    const p = median(tested.map((test) => test.p));
    const how = `sign-flip test over ${plural(Math.min(...pairs.map(({ length }) => length)), "clip")}, ` +
      `${tested.length === 1 ? "p" : `median p of ${tested.length} seeds`} ${pText(p)}`;
    return { test: null, text: `${p <= ALPHA ? "differ by" : "cannot be told apart:"} ${pooled} (${how})` };
  }
  let differences: number[];
  try {
    differences = [...pairedDifferences(first, second).values()];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { test: null, text: "cannot be compared: they were not tested on the same rows" };
  }
  const test = signFlipTest(differences);
  if (!test.tested) return { test, text: `${test.reason} (${pooled})` };
  // What is tested is the mean of the speakers' differences; speakers of many clips count more in the pooled score.
  const mean = signedPoints(test.mean);
  const points = mean === signedPoints(difference)
    ? pooled
    : `${mean} points of accuracy on the average of speakers, ${signedPoints(difference)} over all clips`;
  const how = `sign-flip test over ${test.speakers} speakers, p ${pText(test.p)}`;
  if (test.p <= ALPHA) return { test, text: `differ by ${points} (${how})` };
  const unseen = minimumDetectableDifference({
    clips: new Set(first.flat().map(({ parent }) => parent)).size,
    speakers: test.speakers,
    // The spread of the differences as observed holds both, clips and speakers.
    disagreement: 0,
    speakerSd: meanSd(differences).sd ?? 0,
  });
  return {
    test,
    text: `cannot be told apart: ${points} (${how}); a true difference under about ` +
      `${(100 * (unseen ?? 1)).toFixed(1)} points would mostly go unseen`,
  };
}

/** The verdict on two models that were tested on different clips. */
export function comparedApart(estimates: readonly [Estimate, Estimate]): Verdict {
  return { test: null, text: `tested on different clips, ${compareEstimates(...estimates, " of accuracy").text}` };
}

/** Differences by recording of every pair of runs; null where one was not tested on the same recordings. */
function pairsOf(first: Runs, second: Runs): number[][] | null {
  if (first.length !== second.length || first.length === 0) return null;
  try {
    return first.map((rows, run) => pairedByRecording(rows, second[run]!));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return null;
  }
}
