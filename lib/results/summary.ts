/**
 * What the records of a study say together: means over seeds with their intervals, claims beside them, and which models
 * can be told apart.
 *
 * @module
 */

import { FormatError } from "../errors.ts";
import type { Predictions } from "../training/evaluate.ts";
import {
  clipIntervals,
  type Interval,
  type MeanSd,
  meanSd,
  type ScoreIntervals,
  type SignFlip,
  speakerIntervals,
  wilsonInterval,
} from "../training/statistics.ts";
import { comparedApart, compareRuns, type Estimate } from "./compare.ts";
import type { RunRecord } from "./record.ts";
import { percent } from "./text.ts";

/** A published number as a study declares it. */
export interface ClaimText {
  /** Variant it belongs to. */
  readonly variant: string;
  /** Published accuracy in [0, 1]. */
  readonly accuracy: number;
  /** Clips it was measured on, or rows made of them. */
  readonly n: number;
  /** Recordings that the `n` rows are made of, where they are fewer: only these count as independent. */
  readonly recordings?: number;
  /** Whose number it is, where it is not the study's own: shown beside it in a few words. */
  readonly of?: string;
  /** Where it stands. */
  readonly source: string;
  /** What it really is, where that is not what its source says. */
  readonly note?: string;
  /** In what ours differs from it on purpose. */
  readonly differs?: string;
}

/** What a report needs to know of a study; a declared study has it all. */
export interface StudyText {
  /** Identifier: `000` … */
  readonly id: string;
  /** Title. */
  readonly title: string;
  /** Where it was published. */
  readonly source: string;
  /** Published numbers. */
  readonly claims: readonly ClaimText[];
  /** The study's own mistake, in one sentence. */
  readonly flaw: string;
  /** Why the clean value differs from the claim, in one sentence. */
  readonly why: string;
  /** Variants by name, in the order of the report. */
  readonly variants?: Readonly<Record<string, VariantText>>;
  /** Protocols by name; one that the study cannot have says why. */
  readonly protocols?: Readonly<Partial<Record<string, ProtocolText | { readonly doesNotApply: string }>>>;
}

/** What a report needs to know of a variant. */
export interface VariantText {
  /** One sentence. */
  readonly describe: string;
  /** Group that it is run with. */
  readonly group?: string;
  /** What is known to make its training fail, in one sentence; said where it has failed. */
  readonly caution?: string;
  /** Epochs of a whole training. */
  readonly plan?: { readonly epochs: number };
  /** Weights that it starts from. */
  readonly pretrained?: { readonly kind: string; readonly describe: string };
}

/** What a report needs to know of a protocol. */
export interface ProtocolText {
  /** One sentence. */
  readonly describe: string;
  /** Labels that the test is scored on besides all of them. */
  readonly commonLabels?: readonly string[];
}

/** A protocol of a study, where it has it. */
export function protocolOf(study: StudyText | undefined, name: string): ProtocolText | undefined {
  const protocol = study?.protocols?.[name];
  return protocol === undefined || "doesNotApply" in protocol ? undefined : protocol;
}

/** A record with the predictions that its numbers follow from. */
export interface CheckedRecord {
  /** The record. */
  readonly record: RunRecord;
  /** Its predictions. */
  readonly predictions: Predictions;
}

/** One variant under one protocol: all its seeds. */
export interface Cell {
  /** Variant. */
  readonly variant: string;
  /** Protocol. */
  readonly protocol: string;
  /** Whether test speakers were unseen. */
  readonly bySpeaker: boolean;
  /** Its runs by ascending seed; at least one. */
  readonly runs: readonly [CheckedRecord, ...CheckedRecord[]];
  /** Accuracy over seeds. */
  readonly accuracy: MeanSd;
  /** UAR over seeds. */
  readonly uar: MeanSd;
  /** Macro F1 over seeds. */
  readonly macroF1: MeanSd;
  /** Intervals of the means over seeds, with the recordings and speakers of one run. */
  readonly intervals: ScoreIntervals;
  /** Test rows of one run. */
  readonly rows: number;
  /** In which settings the seeds differ although they should not; empty where all is well. */
  readonly mixed: readonly string[];
}

/** Whether a cell is told at length: as published or clean, and of no group such as an ablation. */
export function isMain(cell: Cell, study: StudyText | undefined): boolean {
  return (cell.protocol === "as-published" || cell.protocol === "clean") &&
    study?.variants?.[cell.variant]?.group !== "ablation";
}

/** In what a cell's training is less than the study's: a share of its recordings, fewer epochs; null of a whole one. */
export function shortened({ variant, runs }: Cell, study: StudyText | undefined): string | null {
  const declared = study?.variants?.[variant]?.plan?.epochs;
  const isLess = ({ record }: CheckedRecord): boolean =>
    record.fraction < 1 || record.epochs !== (declared ?? record.epochs);
  const { record } = runs.find(isLess) ?? runs[0];
  const whole = declared ?? record.epochs;
  const parts = [
    ...(record.fraction < 1 ? [`${percent(record.fraction, 0)} of the recordings`] : []),
    ...(record.epochs === whole ? [] : [`${record.epochs} of ${whole} epochs`]),
  ];
  return parts.length === 0 ? null : parts.join(", ");
}

/** Interval of a published accuracy: Wilson's, each recording counting once. */
export function claimInterval({ accuracy, n, recordings = n }: ClaimText): Interval {
  return wilsonInterval(accuracy * recordings, recordings);
}

/** Where a claim stands, what it really is, and in what ours differs. */
export function claimSource({ source, note, differs }: ClaimText): string {
  return [source, ...(note === undefined ? [] : [`in truth ${note}`]), ...(differs === undefined ? [] : [differs])]
    .join("; ");
}

/** A variant's name in a table, with a star where it was trained on less than the study. */
export function marked(cell: Cell, study: StudyText | undefined): string {
  return `${cell.variant}${shortened(cell, study) === null ? "" : " \\*"}`;
}

/** The seed of middle accuracy, the lower of two: shown where one run stands for all. */
export function middleRun({ runs }: Cell): CheckedRecord {
  const byAccuracy = runs.toSorted((a, b) => a.record.metrics.accuracy - b.record.metrics.accuracy);
  return byAccuracy[Math.floor((byAccuracy.length - 1) / 2)]!;
}

/** The answer that a failed training nearly always gives. */
export interface OneAnswer {
  /** The label. */
  readonly answer: string;
  /** Its share of all predictions. */
  readonly share: number;
  /** UAR of guessing. */
  readonly guessing: number;
}

/** Share of the rows from which on one answer is nearly the only one, and how near to guessing the UAR then is. */
const ONE_ANSWER = 0.8, NEAR_GUESSING = 0.03;

/** What a model answers whatever it is asked; null of a model that has learnt anything, however little. */
export function oneAnswer(cell: Cell): OneAnswer | null {
  const rows = cell.runs.flatMap(({ predictions }) => predictions.rows);
  const counts = new Map<string, number>();
  for (const { prediction } of rows) counts.set(prediction, (counts.get(prediction) ?? 0) + 1);
  const [answer, count] = [...counts].reduce((a, b) => b[1] > a[1] ? b : a);
  const classes = new Set(rows.map(({ truth }) => truth)).size;
  const hasFailed = classes > 1 && count >= ONE_ANSWER * rows.length && cell.uar.mean <= 1 / classes + NEAR_GUESSING;
  return hasFailed ? { answer, share: count / rows.length, guessing: 1 / classes } : null;
}

/** Two variants under one protocol. */
export interface Comparison {
  /** Protocol. */
  readonly protocol: string;
  /** The variant whose score counts positive. */
  readonly first: string;
  /** The other one. */
  readonly second: string;
  /** The verdict in one sentence. */
  readonly text: string;
  /** The test, where the protocol has one. */
  readonly test: SignFlip | null;
}

/** Rungs of the ladder from the leakiest to the cleanest. */
export const RUNG_ORDER: readonly string[] = [
  "random",
  "no-siblings",
  "no-test-selection",
  "speaker",
  "speaker-sentence",
  "cross-corpus",
];

/** Protocols from the leakiest to the cleanest. */
export const PROTOCOL_ORDER: readonly string[] = ["as-published", ...RUNG_ORDER, "clean"];

/** Compares names by a given order; names that are not in it come last, by their text. */
function byOrder(order: readonly string[]): (a: string, b: string) => number {
  const rank = (name: string): number => order.includes(name) ? order.indexOf(name) : order.length;
  return (a, b) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0);
}

/**
 * The cells of one study: variants in the declared order, under each the protocols from the leakiest to the cleanest.
 *
 * @param checked Records of this study with their predictions.
 * @throws {FormatError} when seeds of one cell disagree on the kind of protocol.
 */
export function studyCells(checked: readonly CheckedRecord[], study?: StudyText): Cell[] {
  const groups = new Map<string, CheckedRecord[]>();
  for (const each of checked) {
    const name = JSON.stringify([each.record.variant, each.record.protocol]);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [each]);
    else group.push(each);
  }
  const variants = byOrder(Object.keys(study?.variants ?? {}));
  const protocols = byOrder(PROTOCOL_ORDER);
  return [...groups.values()].map(cellOf).sort((a, b) =>
    variants(a.variant, b.variant) || protocols(a.protocol, b.protocol)
  );
}

function cellOf(group: CheckedRecord[]): Cell {
  const runs = group.toSorted((a, b) => a.record.seed - b.record.seed) as [CheckedRecord, ...CheckedRecord[]];
  const { variant, protocol, bySpeaker, study } = runs[0].record;
  if (runs.some(({ record }) => record.bySpeaker !== bySpeaker)) {
    throw new FormatError(`${study}/${protocol}/${variant}: bySpeaker must be the same for all seeds.`);
  }
  const values = (of: "accuracy" | "uar" | "macroF1"): number[] => runs.map(({ record }) => record.metrics[of]);
  const mixed = ([
    ["fraction", (record) => record.fraction],
    ["epochs", (record) => record.epochs],
    ["manifest", (record) => record.manifest],
    ["number of test rows", (record) => record.metrics.n],
    ["configuration", (record) => JSON.stringify(record.config)],
    ["backend", (record) => record.environment.backend],
  ] as const satisfies readonly (readonly [string, (record: RunRecord) => unknown])[])
    .filter(([, of]) => new Set(runs.map(({ record }) => of(record))).size > 1)
    .map(([name]) => name);
  const rows = runs.map(({ predictions }) => predictions.rows);
  return {
    variant,
    protocol,
    bySpeaker,
    runs,
    accuracy: meanSd(values("accuracy")),
    uar: meanSd(values("uar")),
    macroF1: meanSd(values("macroF1")),
    intervals: bySpeaker ? speakerIntervals(rows) : clipIntervals(rows),
    rows: Math.min(...rows.map((each) => each.length)),
    mixed,
  };
}

/** Sets two variants of one protocol side by side: {@linkcode compareRuns} says how. */
export function compareCells(first: Cell, second: Cell): Comparison {
  const estimate = ({ accuracy, intervals }: Cell): Estimate => ({
    value: accuracy.mean,
    interval: intervals.interval.accuracy,
  });
  const estimates = () => [estimate(first), estimate(second)] as const;
  // With known speakers a run is set beside the other variant's of the same seed.
  const seeds = new Set(second.runs.map(({ record }) => record.seed));
  const common = new Set(first.runs.map(({ record }) => record.seed).filter((seed) => seeds.has(seed)));
  const runs = (cell: Cell) =>
    cell.runs.filter(({ record }) => first.bySpeaker || common.has(record.seed))
      .map(({ predictions }) => predictions.rows);
  const verdict = first.bySpeaker || common.size > 0
    ? compareRuns(runs(first), runs(second), first.bySpeaker, estimates)
    : comparedApart(estimates());
  return { protocol: first.protocol, first: first.variant, second: second.variant, ...verdict };
}
