/**
 * The leakage linter: what two sets of a split share that they should not. What a row does not say is 'not checkable',
 * never 'clean'.
 *
 * Browser-safe.
 *
 * @module
 */

import { type Fingerprint, likeness } from "../features/fingerprint.ts";

/** One row of a split, as anyone's manifest may give it. */
export interface LintRow {
  /** Identifier of the row; rows of one recording may share it. */
  readonly key: string;
  /** File of the row; only shown in examples. */
  readonly path?: string;
  /** Which set the row is in: `train`, `validation`, `test`, or a fold's name. */
  readonly split: string;
  /** The class. */
  readonly label: string;
  /** Corpus, within which sentences are named; absent: one corpus. */
  readonly corpus?: string;
  /** Who speaks. */
  readonly speaker?: string;
  /** What is said. */
  readonly sentence?: string;
  /** Which repetition of the same speaker, sentence, emotion and intensity. */
  readonly take?: string;
  /** Intensity, where the corpus has it. */
  readonly intensity?: string;
  /** The recording that the row was made from (its own key for a recording itself). */
  readonly parent?: string;
  /** SHA-256 of the file. */
  readonly sha256?: string;
  /** Hash of the decoded audio, which sees through other headers and containers. */
  readonly contentHash?: string;
  /** How it sounds ({@linkcode Fingerprint}); null where nothing is to be heard. */
  readonly fingerprint?: Fingerprint | null;
  /** Whether the scaler was fitted on this row. */
  readonly scaler?: boolean;
}

/** What a check says: `leak` breaks the evaluation, `warning` weakens it. */
export type LintStatus = "leak" | "warning" | "clean" | "not checkable";

/** The checks, in the order of a report. */
export const LINT_CHECKS = [
  "recordings",
  "identical-audio",
  "near-duplicates",
  "takes",
  "speakers",
  "sentences",
  "scaler",
  "labels",
  "balance",
  "test-size",
] as const;

/** Name of a check. */
export type LintCheck = typeof LINT_CHECKS[number];

/** What one check found in all pairs of sets. */
export interface LintFinding {
  /** Which check. */
  readonly check: LintCheck;
  /** Its result. */
  readonly status: LintStatus;
  /** How many things are shared or wrong (recordings, speakers, …); 0 where nothing was found. */
  readonly count: number;
  /** Rows that the check concerns in each set, by the set's name. */
  readonly rows: Readonly<Record<string, number>>;
  /** Rows that do not say what the check needs. */
  readonly unknown: number;
  /** Up to five cases in words, keys included. */
  readonly examples: readonly string[];
  /** The finding in one plain sentence. */
  readonly message: string;
}

/** The linter's report; it is plain JSON. */
export interface LintReport {
  /** Magic string. */
  readonly format: "serlab-lint";
  /** Version of the format. */
  readonly version: 1;
  /** Rows, and speakers where all rows name theirs, of every set. */
  readonly sets: readonly { readonly name: string; readonly rows: number; readonly speakers: number | null }[];
  /** One finding a check, in the order of {@linkcode LINT_CHECKS}. */
  readonly findings: readonly LintFinding[];
  /** Whether any finding is a leak. */
  readonly leak: boolean;
}

/** Options of {@linkcode lintSplit}. */
export interface LintOptions {
  /** Difference of a class's share between two sets above which the balance is a warning. Default 0.1. */
  readonly shareTolerance?: number;
  /** How many times the rows of a class another may have, all sets together, before it is a warning. Default 1.5. */
  readonly imbalanceTolerance?: number;
  /** Widest tolerable 95 % interval of an accuracy near 50 % on the test set. Default 0.1 (± 5 points). */
  readonly widthTolerance?: number;
  /**
   * Likeness of two fingerprints from which on they count as near copies. Default 0.96: of 18,000 pairs of different
   * recordings of RAVDESS, CREMA-D and TESS the most alike (two takes) had 0.94; copies that were trimmed, levelled or
   * resampled have 0.99 and more, with 1 % of noise 0.98; a shift of pitch by 0.7 semitones gives 0.85 to 0.97, of which
   * most go unseen.
   */
  readonly likenessTolerance?: number;
}

const EXAMPLES = 5;
/** 97.5 % point of the standard normal distribution. */
const Z = 1.959963984540054;

/** `1 row`, `2 rows`. */
function many(count: number, one: string, more = `${one}s`): string {
  return `${count} ${count === 1 ? one : more}`;
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, EXAMPLES).join(", ");
  return names.length > EXAMPLES ? `${shown}, …` : shown;
}

/** Training first, then validation, then test, then any other name by its text. */
function setOrder(a: string, b: string): number {
  const rank = (name: string): number => {
    const at = [/^train/i, /^(val|dev)/i, /^test/i].findIndex((pattern) => pattern.test(name));
    return at < 0 ? 3 : at;
  };
  return rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0);
}

interface Shared {
  /** Values that stand in at least two sets, with a row of each set. */
  readonly values: { readonly value: string; readonly rows: ReadonlyMap<string, LintRow> }[];
  /** Rows of each set that have such a value. */
  readonly rows: Record<string, number>;
  /** Rows without a value. */
  readonly unknown: number;
}

/** Finds what stands in more than one set. */
function shared(rows: readonly LintRow[], valueOf: (row: LintRow) => string | undefined): Shared {
  const seen = new Map<string, Map<string, LintRow[]>>();
  let unknown = 0;
  for (const row of rows) {
    const value = valueOf(row);
    if (value === undefined || value === "") {
      unknown++;
      continue;
    }
    const sets = seen.get(value) ?? new Map<string, LintRow[]>();
    seen.set(value, sets);
    const ofSet = sets.get(row.split);
    if (ofSet === undefined) sets.set(row.split, [row]);
    else ofSet.push(row);
  }
  const found = [...seen].filter(([, sets]) => sets.size > 1);
  const perSet: Record<string, number> = {};
  for (const name of [...new Set(rows.map((row) => row.split))].sort(setOrder)) {
    const count = found.reduce((sum, [, sets]) => sum + (sets.get(name)?.length ?? 0), 0);
    if (count > 0) perSet[name] = count;
  }
  return {
    values: found.map(([value, sets]) => ({
      value,
      rows: new Map([...sets].sort(([a], [b]) => setOrder(a, b)).map(([name, ofSet]) => [name, ofSet[0]!])),
    })),
    rows: perSet,
    unknown,
  };
}

function rowName(row: LintRow): string {
  return row.path === undefined || row.path === row.key ? row.key : `${row.key} (${row.path})`;
}

/** How many of each set's rows are concerned, in words. */
function rowsText(perSet: Readonly<Record<string, number>>, total: ReadonlyMap<string, number>): string {
  return Object.entries(perSet).map(([name, count]) => `${count} of ${total.get(name)} in ${name}`).join(", ");
}

/**
 * Finds leakage in a split: rows of one recording, identical audio, other takes of one utterance, speakers and
 * sentences on both sides; classes that are missing or shifted; a test too small to tell models apart.
 *
 * Shared recordings, audio, takes and speakers are leaks (the number then says how well the model knows these people
 * and recordings); shared sentences, contradicting labels, shifted classes and a small test are warnings.
 *
 * @param rows All rows of all sets.
 * @throws {RangeError} when there are no rows or fewer than two sets.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const report = lintSplit([
 *   { key: "a", split: "train", label: "sad", speaker: "1" },
 *   { key: "b", split: "test", label: "sad", speaker: "1" },
 * ]);
 * assert.equal(report.leak, true);
 * assert.equal(report.findings.find((finding) => finding.check === "speakers")!.status, "leak");
 * assert.equal(report.findings.find((finding) => finding.check === "sentences")!.status, "not checkable");
 * ```
 */
export function lintSplit(rows: readonly LintRow[], options: LintOptions = {}): LintReport {
  const { shareTolerance = 0.1, imbalanceTolerance = 1.5, widthTolerance = 0.1, likenessTolerance = 0.96 } = options;
  const names = [...new Set(rows.map((row) => row.split))].sort(setOrder);
  if (names.length < 2) {
    throw new RangeError(`a split has at least two sets, not ${names.length === 0 ? "none" : `only ${names[0]}`}.`);
  }
  const total = new Map(names.map((name) => [name, rows.filter((row) => row.split === name).length]));
  const within = (row: LintRow, value: string | undefined) =>
    value === undefined || value === "" ? undefined : JSON.stringify([row.corpus ?? "", value]);
  const read = (value: string): string => (JSON.parse(value) as string[]).filter((part) => part !== "").join(" ");

  /** A check of one shared value: a leak (or warning) where found, clean only where every row could be asked. */
  const sharing = (
    check: LintCheck,
    found: Shared,
    worst: "leak" | "warning",
    text: {
      readonly things: (count: number) => string;
      readonly field: string;
      readonly consequence: string;
      readonly clean?: string;
    },
    example: (value: string, rows: ReadonlyMap<string, LintRow>) => string,
  ): LintFinding => {
    const count = found.values.length;
    const base = { check, count, rows: found.rows, unknown: found.unknown };
    const unknown = found.unknown === 0
      ? ""
      : ` (${many(found.unknown, "row")} of ${rows.length} ${found.unknown === 1 ? "names" : "name"} no ${text.field})`;
    if (count > 0) {
      return {
        ...base,
        status: worst,
        examples: found.values.slice(0, EXAMPLES).map(({ value, rows: each }) => example(value, each)),
        message: `${text.things(count)} in more than one set, rows concerned: ${rowsText(found.rows, total)}; ` +
          `${text.consequence}${unknown}.`,
      };
    }
    return {
      ...base,
      status: found.unknown > 0 ? "not checkable" : "clean",
      examples: [],
      message: found.unknown > 0
        ? `Cannot be checked: ${many(found.unknown, "row")} of ${rows.length} ` +
          `${found.unknown === 1 ? "names" : "name"} no ${text.field}.`
        : text.clean ?? `No two sets share ${/^[aeiou]/.test(text.field) ? "an" : "a"} ${text.field}.`,
    };
  };
  const places = (each: ReadonlyMap<string, LintRow>): string =>
    [...each].map(([name, row]) => `${name}: ${rowName(row)}`).join(" | ");

  const findings: LintFinding[] = [];

  // Rows made from one recording. A row without a parent is its own recording, but others may have been made from it
  // under another name: then nothing is clean.
  {
    const found = shared(rows, (row) => row.parent === undefined || row.parent === "" ? row.key : row.parent);
    const unknown = rows.filter((row) => row.parent === undefined || row.parent === "").length;
    findings.push(sharing(
      "recordings",
      { ...found, unknown },
      "leak",
      {
        things: (count) => many(count, "recording has rows", "recordings have rows"),
        field: "parent recording",
        consequence: "the test asks for copies of what was learned",
      },
      (value, each) => `recording ${value}: ${places(each)}`,
    ));
  }

  // Identical audio: by file, or by samples where their hash is known; each kind of hash is looked at by itself.
  {
    const byFile = shared(rows, (row) => row.sha256?.toLowerCase());
    const byContent = shared(rows, (row) => row.contentHash?.toLowerCase());
    const found = byContent.values.length > byFile.values.length ? byContent : byFile;
    findings.push(sharing(
      "identical-audio",
      { ...found, unknown: Math.min(byFile.unknown, byContent.unknown) },
      "leak",
      {
        things: (count) => many(count, "audio signal is", "audio signals are"),
        field: "audio hash",
        consequence: "the test asks for files that were learned",
      },
      (value, each) => `${value.slice(0, 12)}…: ${places(each)}`,
    ));
  }

  findings.push(nearDuplicates(rows, names, likenessTolerance));

  // Takes: the same speaker, sentence, label and intensity under another take.
  {
    const utterance = (row: LintRow): string | undefined =>
      [row.speaker, row.sentence, row.take].some((value) => value === undefined || value === "")
        ? undefined
        : JSON.stringify([row.corpus ?? "", row.speaker, row.sentence, row.label, row.intensity ?? ""]);
    const found = shared(rows, utterance);
    // Rows of one and the same take are one recording: that is the first check's business.
    const takes = new Map<string, Set<string>>();
    for (const row of rows) {
      const value = utterance(row);
      if (value === undefined) continue;
      takes.set(value, (takes.get(value) ?? new Set()).add(`${row.split}\n${row.take}`));
    }
    const differ = (value: string): boolean => {
      const seen = [...takes.get(value)!].map((text) => text.split("\n") as [string, string]);
      return seen.some(([set, take]) => seen.some(([otherSet, otherTake]) => set !== otherSet && take !== otherTake));
    };
    const kept = new Set(found.values.map(({ value }) => value).filter(differ));
    const perSet: Record<string, number> = {};
    for (const row of rows) {
      const value = utterance(row);
      if (value !== undefined && kept.has(value)) perSet[row.split] = (perSet[row.split] ?? 0) + 1;
    }
    findings.push(sharing(
      "takes",
      {
        values: found.values.filter(({ value }) => kept.has(value)),
        rows: Object.fromEntries(names.flatMap((name) => perSet[name] === undefined ? [] : [[name, perSet[name]]])),
        unknown: found.unknown,
      },
      "leak",
      {
        things: (count) => many(count, "utterance has its takes", "utterances have their takes"),
        field: "speaker, sentence and take",
        clean: "No utterance has its takes in different sets.",
        consequence: "the test asks for near copies of what was learned",
      },
      (value, each) => `${read(value)}: ${places(each)}`,
    ));
  }

  findings.push(sharing(
    "speakers",
    shared(rows, (row) => within(row, row.speaker)),
    "leak",
    {
      things: (count) => many(count, "speaker is", "speakers are"),
      field: "speaker",
      consequence: "the number does not tell how the model does on strangers",
    },
    (value, each) => `speaker ${read(value)}: ${places(each)}`,
  ));
  findings.push(sharing(
    "sentences",
    shared(rows, (row) => within(row, row.sentence)),
    "warning",
    {
      things: (count) => many(count, "sentence is", "sentences are"),
      field: "sentence",
      consequence: "the number does not tell how the model does on other words",
    },
    (value, each) => `sentence ${read(value)}: ${places(each)}`,
  ));

  findings.push(
    scalerRows(rows, names),
    contradictions(rows, names),
    balance(rows, names, shareTolerance, imbalanceTolerance),
    testSize(rows, names, widthTolerance),
  );

  return {
    format: "serlab-lint",
    version: 1,
    sets: names.map((name) => {
      const speakers = rows.filter((row) => row.split === name).map((row) => within(row, row.speaker));
      return {
        name,
        rows: speakers.length,
        speakers: speakers.includes(undefined) ? null : new Set(speakers).size,
      };
    }),
    findings,
    leak: findings.some((finding) => finding.status === "leak"),
  };
}

/** Recordings of different sets that sound alike, whatever their files are. */
function nearDuplicates(rows: readonly LintRow[], names: readonly string[], tolerance: number): LintFinding {
  const unknown = rows.filter((row) => row.fingerprint === undefined).length;
  const heard = names.map((name) => rows.filter((row) => row.split === name && row.fingerprint));
  const pairs: { readonly first: LintRow; readonly second: LintRow; readonly value: number }[] = [];
  heard.forEach((ofSet, i) => {
    for (const others of heard.slice(i + 1)) {
      for (const first of ofSet) {
        for (const second of others) {
          const value = likeness(first.fingerprint!, second.fingerprint!);
          if (value >= tolerance) pairs.push({ first, second, value });
        }
      }
    }
  });
  pairs.sort((a, b) => b.value - a.value);
  const concerned = new Set(pairs.flatMap(({ first, second }) => [first, second]));
  const perSet: Record<string, number> = {};
  for (const { split } of concerned) perSet[split] = (perSet[split] ?? 0) + 1;
  const total = new Map(names.map((name) => [name, rows.filter((row) => row.split === name).length]));
  return {
    check: "near-duplicates",
    status: pairs.length > 0 ? "leak" : unknown > 0 ? "not checkable" : "clean",
    count: pairs.length,
    rows: perSet,
    unknown,
    examples: pairs.slice(0, EXAMPLES).map(({ first, second, value }) =>
      `${value.toFixed(3)}: ${first.split}: ${rowName(first)} | ${second.split}: ${rowName(second)}`
    ),
    message: pairs.length > 0
      ? `${many(pairs.length, "pair")} of recordings in different sets ${
        pairs.length === 1 ? "sounds" : "sound"
      } the ` +
        `same, rows concerned: ${rowsText(perSet, total)}; the test asks for copies of what was learned.`
      : unknown > 0
      ? `Cannot be checked: of ${many(unknown, "row")} of ${rows.length} the audio was not heard.`
      : "No two recordings in different sets sound the same.",
  };
}

/** Rows outside of training that the scaler was fitted on. */
function scalerRows(rows: readonly LintRow[], names: readonly string[]): LintFinding {
  const unknown = rows.filter((row) => row.scaler === undefined).length;
  const wrong = rows.filter((row) => row.scaler === true && !/^train/i.test(row.split));
  const perSet: Record<string, number> = {};
  for (const { split } of wrong) perSet[split] = (perSet[split] ?? 0) + 1;
  const total = new Map(names.map((name) => [name, rows.filter((row) => row.split === name).length]));
  return {
    check: "scaler",
    status: wrong.length > 0 ? "leak" : unknown > 0 ? "not checkable" : "clean",
    count: wrong.length,
    rows: perSet,
    unknown,
    examples: wrong.slice(0, EXAMPLES).map((row) => `${row.split}: ${rowName(row)}`),
    message: wrong.length > 0
      ? `The scaler was fitted on ${many(wrong.length, "row")} outside of training: ${rowsText(perSet, total)}; the ` +
        "training has seen the test's mean and spread."
      : unknown > 0
      ? `Cannot be checked: ${many(unknown, "row")} of ${rows.length} ${
        unknown === 1 ? "does" : "do"
      } not say whether the scaler was fitted on ${unknown === 1 ? "it" : "them"}.`
      : "The scaler was fitted on training rows only.",
  };
}

/** The same audio or the same key under two labels, wherever it stands. */
function contradictions(rows: readonly LintRow[], names: readonly string[]): LintFinding {
  const groups = new Map<string, LintRow[]>();
  const add = (name: string, row: LintRow): void => {
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [row]);
    else group.push(row);
  };
  let unknown = 0;
  for (const row of rows) {
    const hash = row.contentHash ?? row.sha256;
    if (hash === undefined || hash === "") unknown++;
    else add(`audio ${hash.toLowerCase()}`, row);
    add(`key ${row.key}`, row);
  }
  const wrong = [...groups].filter(([, group]) => new Set(group.map((row) => row.label)).size > 1);
  // One pair of rows may be found by its key and by its audio: it counts once.
  const number = new Map(rows.map((row, i) => [row, i]));
  const distinct = new Map(wrong.map(([, group]) => [group.map((row) => number.get(row)).join(), group]));
  const concerned = new Set([...distinct.values()].flat());
  const perSet: Record<string, number> = {};
  for (const name of names) {
    const count = [...concerned].filter((row) => row.split === name).length;
    if (count > 0) perSet[name] = count;
  }
  const count = distinct.size;
  return {
    check: "labels",
    status: count > 0 ? "warning" : unknown > 0 ? "not checkable" : "clean",
    count,
    rows: perSet,
    unknown,
    examples: [...distinct.values()].slice(0, EXAMPLES).map((group) =>
      group.map((row) => `${rowName(row)} = ${row.label}`).join(" | ")
    ),
    message: count > 0
      ? `${
        many(count, "recording has", "recordings have")
      } more than one label, so no model can be right on all of them.`
      : unknown > 0
      ? `Cannot be checked: ${many(unknown, "row")} of ${rows.length} ${
        unknown === 1 ? "names" : "name"
      } no audio hash.`
      : "No audio has two labels.",
  };
}

/** Classes that are missing in a set or whose share differs between sets. */
function balance(
  rows: readonly LintRow[],
  names: readonly string[],
  tolerance: number,
  imbalance: number,
): LintFinding {
  const labels = [...new Set(rows.map((row) => row.label))].sort();
  const share = new Map(names.map((name) => {
    const ofSet = rows.filter((row) => row.split === name);
    return [name, labels.map((label) => ofSet.filter((row) => row.label === label).length / ofSet.length)];
  }));
  const examples: string[] = [];
  const wrong = new Set<string>();
  let largest = 0;
  labels.forEach((label, i) => {
    for (const name of names) {
      if (share.get(name)![i] !== 0) continue;
      wrong.add(label);
      examples.push(`${label}: no row in ${name}`);
    }
    for (const [at, a] of names.entries()) {
      for (const b of names.slice(at + 1)) {
        const first = share.get(a)![i]!;
        const second = share.get(b)![i]!;
        largest = Math.max(largest, Math.abs(first - second));
        if (first === 0 || second === 0 || Math.abs(first - second) <= tolerance) continue;
        wrong.add(label);
        examples.push(`${label}: ${(100 * first).toFixed(1)} % of ${a}, ${(100 * second).toFixed(1)} % of ${b}`);
      }
    }
  });
  // All sets together, so that the chance of small sets does not count.
  const totals = labels.map((label) => rows.filter((row) => row.label === label).length);
  const most = Math.max(...totals), frequent = labels[totals.indexOf(most)]!;
  const rare = labels.filter((_, i) => totals[i]! * imbalance < most);
  examples.push(...rare.map((label) => {
    const own = totals[labels.indexOf(label)]!;
    return `${label}: ${own} rows, ${frequent} ${(most / own).toFixed(1)} times as many`;
  }));
  const perSet = Object.fromEntries(names.map((name) => [name, rows.filter((row) => row.split === name).length]));
  const said = [
    ...(wrong.size === 0 ? [] : [
      `${many(wrong.size, "class is", "classes are")} missing in a set or differ in share between sets ` +
      `(${list([...wrong])}), so accuracies of the sets do not compare`,
    ]),
    ...(rare.length === 0 ? [] : [
      `${many(rare.length, "class is", "classes are")} rare beside ${frequent} (${list(rare)}), so an accuracy is ` +
      "mostly that of the frequent ones, and UAR belongs beside it",
    ]),
  ];
  const concerned = new Set([...wrong, ...rare]);
  return {
    check: "balance",
    status: concerned.size > 0 ? "warning" : "clean",
    count: concerned.size,
    rows: concerned.size > 0 ? perSet : {},
    unknown: 0,
    examples: examples.slice(0, EXAMPLES),
    message: concerned.size > 0
      ? `${said.join("; ")}.`
      : `Every class stands in every set, no share differs by more than ${(100 * largest).toFixed(1)} points, and no ` +
        `class has over ${imbalance} times the rows of another.`,
  };
}

/** How wide the interval of an accuracy on the smallest evaluated set is. */
function testSize(rows: readonly LintRow[], names: readonly string[], tolerance: number): LintFinding {
  const tests = names.filter((name) => /^test/i.test(name));
  // Folds: each one is the test once, and all of them together are what is evaluated.
  const evaluated = tests.length > 0 ? tests : names.filter((name) => !/^(train|val|dev)/i.test(name));
  const concerned = rows.filter((row) => evaluated.includes(row.split));
  if (concerned.length === 0) {
    return {
      check: "test-size",
      status: "not checkable",
      count: 0,
      rows: {},
      unknown: rows.length,
      examples: [],
      message: `Cannot be checked: no set is called test (there are ${list(names)}).`,
    };
  }
  const recordings = new Set(
    concerned.map((row) => row.parent === undefined || row.parent === "" ? row.key : row.parent),
  );
  const n = recordings.size;
  // Wilson's interval at an observed accuracy of 1/2 is exactly this wide.
  const width = Z / Math.sqrt(n + Z * Z);
  const speakers = concerned.map((row) => row.speaker);
  const known = !speakers.some((speaker) => speaker === undefined || speaker === "");
  const k = new Set(concerned.map((row) => `${row.corpus ?? ""}\n${row.speaker}`)).size;
  const small = width > tolerance;
  const few = known && k < 6;
  const points = (50 * width).toFixed(1);
  return {
    check: "test-size",
    status: small || few ? "warning" : "clean",
    count: n,
    rows: Object.fromEntries(evaluated.map((name) => [name, rows.filter((row) => row.split === name).length])),
    unknown: known ? 0 : speakers.filter((speaker) => speaker === undefined || speaker === "").length,
    examples: [],
    message:
      `The test has ${many(n, "recording")}${known ? ` of ${many(k, "speaker")}` : ""}: an accuracy near 50 % is ` +
      `known to ± ${points} points at best` +
      (few ? `, and under 6 speakers no difference between two models can be tested.` : "."),
  };
}

/**
 * The report as plain text: one line a check, its examples indented below.
 *
 * @returns Lines ending in a newline.
 */
export function renderLint(report: LintReport): string {
  const mark: Record<LintStatus, string> = {
    leak: "LEAK",
    warning: "warning",
    clean: "clean",
    "not checkable": "not checkable",
  };
  const width = Math.max(...report.findings.map((finding) => finding.check.length));
  const lines = [
    report.sets.map((set) =>
      `${set.name}: ${many(set.rows, "row")}${set.speakers === null ? "" : ` of ${many(set.speakers, "speaker")}`}`
    ).join("; "),
    "",
  ];
  for (const finding of report.findings) {
    lines.push(`${finding.check.padEnd(width)}  ${mark[finding.status].padEnd(13)}  ${finding.message}`);
    for (const example of finding.examples) lines.push(`${" ".repeat(width + 17)}- ${example}`);
  }
  const unknown = report.findings.filter((finding) => finding.status === "not checkable").map((f) => f.check);
  lines.push(
    "",
    report.leak
      ? "This split leaks."
      : unknown.length > 0
      ? `No leak found, but not everything could be checked: ${unknown.join(", ")}.`
      : "No leak found.",
  );
  return `${lines.join("\n")}\n`;
}
