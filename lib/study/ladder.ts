/**
 * The ladder between `as-published` and `clean`: one cause of optimism taken away a rung, all else alike.
 *
 * On every rung a class has equally many training rows, every recording is tested once over the folds, and only
 * recordings themselves are tested, never copies. A rung's number of training rows is therefore smaller than the study's;
 * rungs compare with each other.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { stream, streamSeed } from "../random.ts";
import { type Fold, groupKFold, stratifiedKFold, unique } from "../split/mod.ts";
import type { DoesNotApply, Example, FoldContext, Protocol, Rung } from "./declare.ts";
import { recordingRows } from "./examples.ts";

/** What a study's ladder is made of. */
export interface LadderOptions {
  /** Speakers of each fold of the rungs that keep speakers apart; the random rungs have as many folds. */
  readonly speakerFolds: (context: FoldContext) => Readonly<Record<string, readonly string[]>>;
  /** Whether several rows are made of a recording, or why not. */
  readonly siblings: true | DoesNotApply;
  /** Whether the study chooses the epoch by the test rows, or why not. */
  readonly testSelection: true | DoesNotApply;
  /** Labels that all corpora have, where there are several; or why not. */
  readonly corpora: { readonly commonLabels: readonly string[] } | DoesNotApply;
  /** Whether duplicates of small classes are made before the split on the first rung. */
  readonly duplicates?: boolean;
  /** Share of the speakers (of the recordings, where they are mixed) to validate on; default 0.1, at least one. */
  readonly validationShare?: number;
  /** Whether the original's split was seeded: then all seeds share the random folds. Default true. */
  readonly seeded?: boolean;
}

/** A fold before its training rows are drawn: numbers of rows of the table. */
interface Pool {
  readonly name: string;
  readonly pool: readonly number[];
  readonly validation: readonly number[];
  readonly test: readonly number[];
}

/** A recording with all its rows. */
interface Recording {
  readonly row: number;
  readonly rows: readonly number[];
  readonly example: Example;
}

function recordingsOf(examples: readonly Example[]): Recording[] {
  const rows = new Map<number, number[]>();
  examples.forEach(({ recording }, row) => {
    const own = rows.get(recording);
    if (own) own.push(row);
    else rows.set(recording, [row]);
  });
  return recordingRows(examples).map((row) => {
    const example = examples[row]!;
    return { row, rows: rows.get(example.recording)!, example };
  });
}

/** A stratified share of the recordings, at least one of each class that has two. */
function drawShare(recordings: readonly Recording[], share: number, seed: number): Set<Recording> {
  const drawn = new Set<Recording>();
  for (const label of new Set(recordings.map(({ example }) => example.label))) {
    const own = recordings.filter(({ example }) => example.label === label);
    const count = Math.min(own.length - 1, Math.max(1, Math.round(share * own.length)));
    for (const i of stream(seed, "ladder", "validation", label).permutation(own.length).slice(0, count)) {
      drawn.add(own[i]!);
    }
  }
  return drawn;
}

/** Whole speakers of the training side for validation, of every corpus that has two there; they rotate by seed. */
function drawSpeakers(recordings: readonly Recording[], share: number, turn: number): Set<Recording> {
  const held = new Set<string>();
  for (const corpus of unique(recordings.map(({ example }) => example.corpus)).values) {
    const own = recordings.filter(({ example }) => example.corpus === corpus);
    const speakers = unique(own.map(({ example }) => example.speaker)).values;
    const count = Math.min(speakers.length - 1, Math.max(1, Math.round(share * speakers.length)));
    for (let i = 0; i < count; i++) held.add(speakers[(turn * count + i) % speakers.length]!);
  }
  return new Set(recordings.filter(({ example }) => held.has(example.speaker)));
}

/** Two halves of every corpus's sentences, about equally many recordings in each. */
function sentenceHalves(recordings: readonly Recording[]): Map<Recording, number> {
  const half = new Map<Recording, number>();
  for (const corpus of unique(recordings.map(({ example }) => example.corpus)).values) {
    const own = recordings.filter(({ example }) => example.corpus === corpus);
    const sentences = own.map(({ example }) => example.sentence ?? "");
    if (new Set(sentences).size < 2) {
      throw new UsageError(`The rung speaker-sentence needs at least two sentences in ${corpus}.`);
    }
    const [first] = groupKFold(sentences, { nSplits: 2 });
    const tested = new Set(first!.test);
    own.forEach((recording, i) => half.set(recording, tested.has(i) ? 0 : 1));
  }
  return half;
}

/** Whether a rung's callbacks watch the test rows, as the study's do. */
function watchesTest(rung: Rung, { testSelection }: LadderOptions): boolean {
  return testSelection === true && (rung === "random" || rung === "no-siblings");
}

function rungPools(
  rung: Rung,
  examples: readonly Example[],
  context: FoldContext,
  options: LadderOptions,
): Pool[] {
  const { validationShare = 0.1, seeded = true } = options;
  const recordings = recordingsOf(examples);
  const named = Object.entries(options.speakerFolds(context));
  const ownValidation = context.needsValidation && !watchesTest(rung, options);
  const finish = (
    name: string,
    index: number,
    test: readonly Recording[],
    training: readonly Recording[],
    bySpeaker: boolean,
  ): Pool => {
    const held = !ownValidation
      ? new Set<Recording>()
      : bySpeaker
      ? drawSpeakers(training, validationShare, index + context.seed)
      : drawShare(training, validationShare, streamSeed(seeded ? 0 : context.seed, rung, index));
    return {
      name,
      test: test.map(({ row }) => row),
      validation: [...held].map(({ row }) => row),
      pool: training.filter((each) => !held.has(each)).flatMap(({ rows }) => rows),
    };
  };

  if (rung === "random" || rung === "no-siblings" || rung === "no-test-selection") {
    const randomState = streamSeed(seeded ? 0 : context.seed, "ladder", "folds");
    const labels = recordings.map(({ example }) => example.label);
    const folds = stratifiedKFold(labels, { nSplits: named.length, shuffle: true, randomState });
    const name = (i: number): string => `random-${i + 1}`;
    if (rung !== "random" || options.siblings !== true) {
      return folds.map(({ train, test }, i) =>
        finish(name(i), i, test.map((r) => recordings[r]!), train.map((r) => recordings[r]!), false)
      );
    }
    // Rows are dealt out one by one: the copies of a tested recording are anywhere.
    const dealt = stratifiedKFold(examples.map(({ label }) => label), {
      nSplits: named.length,
      shuffle: true,
      randomState: streamSeed(randomState, "rows"),
    });
    return folds.map(({ test }, i) => {
      const tested = new Set(test.map((r) => recordings[r]!.row));
      const elsewhere = dealt[i]!.train.filter((row) => !tested.has(row));
      return { name: name(i), test: [...tested], validation: [], pool: elsewhere };
    });
  }
  if (rung === "cross-corpus") {
    return unique(recordings.map(({ example }) => example.corpus)).values.map((corpus, i) =>
      finish(
        corpus,
        i,
        recordings.filter(({ example }) => example.corpus === corpus),
        recordings.filter(({ example }) => example.corpus !== corpus),
        true,
      )
    );
  }
  const foldOf = new Map(named.flatMap(([name, speakers]) => speakers.map((speaker) => [speaker, name] as const)));
  const halves = rung === "speaker-sentence" ? sentenceHalves(recordings) : null;
  return named.flatMap(([name], i) =>
    (halves ? [0, 1] : [null]).map((half) => {
      const isTested = (each: Recording): boolean => foldOf.get(each.example.speaker) === name;
      return finish(
        half === null ? name : `${name}, sentences ${half + 1}`,
        i * (halves ? 2 : 1) + (half ?? 0),
        recordings.filter((each) => isTested(each) && (half === null || halves!.get(each) === half)),
        recordings.filter((each) => !isTested(each) && (half === null || halves!.get(each) !== half)),
        true,
      );
    })
  ).filter(({ test }) => test.length > 0);
}

/** Rungs that the study has. */
function rungsOf(options: LadderOptions): Rung[] {
  return [
    "random",
    ...(options.siblings === true ? ["no-siblings" as const] : []),
    ...(options.testSelection === true ? ["no-test-selection" as const] : []),
    "speaker",
    "speaker-sentence",
    ...("doesNotApply" in options.corpora ? [] : ["cross-corpus" as const]),
  ];
}

function rungFolds(
  rung: Rung,
  examples: readonly Example[],
  context: FoldContext,
  options: LadderOptions,
): Fold[] {
  // What all rungs can give, duplicates (which only the first rung has) not counted.
  const seen = new Set<number>();
  const originals = examples.filter(({ feature }) => !seen.has(feature) && seen.add(feature));
  const size = Math.max(...recordingsOf(originals).map(({ rows }) => rows.length));
  const bound = new Map<string, number>();
  for (const each of rungsOf(options)) {
    for (const { pool } of rungPools(each, originals, context, options)) {
      const counts = new Map<string, number>();
      for (const row of pool) counts.set(originals[row]!.label, (counts.get(originals[row]!.label) ?? 0) + 1);
      for (const label of new Set(originals.map((example) => example.label))) {
        bound.set(label, Math.min(bound.get(label) ?? Infinity, counts.get(label) ?? 0));
      }
    }
  }
  for (const [label, rows] of bound) {
    if (rows < size) {
      throw new UsageError(`The ladder has a fold without training rows of ${label}: too few recordings.`);
    }
  }
  return rungPools(rung, examples, context, options).map((fold, i) => {
    const train: number[] = [];
    for (const [label, most] of bound) {
      const count = Math.floor(most / size);
      const rng = stream(context.seed, "ladder", "training", rung, i, label);
      const own = fold.pool.filter((row) => examples[row]!.label === label);
      if (rung === "random") {
        for (const at of rng.permutation(own.length).slice(0, count * size)) train.push(own[at]!);
        continue;
      }
      const rows = new Map<number, number[]>();
      for (const row of own) {
        const { recording } = examples[row]!;
        const list = rows.get(recording);
        if (list) list.push(row);
        else rows.set(recording, [row]);
      }
      const whole = [...rows.values()];
      for (const at of rng.permutation(whole.length).slice(0, count)) train.push(...whole[at]!);
    }
    return {
      name: fold.name,
      train: train.sort((a, b) => a - b),
      validation: [...fold.validation],
      test: [...fold.test],
    };
  });
}

const DESCRIBE: Readonly<Record<Rung, string>> = {
  "random": "recordings dealt into folds at random",
  "no-siblings": "folds at random, all rows of a recording on one side",
  "no-test-selection":
    "folds at random, all rows of a recording on one side, the epoch chosen on recordings that are not tested",
  "speaker": "folds of speakers: nobody who is tested was heard before",
  "speaker-sentence":
    "folds of speakers and halves of the sentences: neither voice nor words of the test were heard before",
  "cross-corpus": "one corpus left out in turn",
};

/**
 * The rungs of a study as protocols; those that it cannot have say why.
 *
 * Features and scaler are those of `clean` (repaired, fitted on training rows): the rungs differ in the split alone.
 */
export function ladder(options: LadderOptions): Readonly<Record<Rung, Protocol | DoesNotApply>> {
  const rung = (name: Rung, bySpeaker: boolean): Protocol => {
    const mixed = name === "random" && options.siblings === true;
    return {
      describe: `${DESCRIBE[name]}${mixed ? ", rows made of them anywhere" : ""}${
        watchesTest(name, options) ? ", the epoch chosen by the test rows" : ""
      }; equally many training rows of a class on every rung`,
      scalerRows: "train",
      bySpeaker,
      ...(watchesTest(name, options) ? { validatesOnTest: true } : {}),
      ...(name === "random" && options.duplicates ? { oversample: "both" as const } : {}),
      ...("doesNotApply" in options.corpora ? {} : { commonLabels: options.corpora.commonLabels }),
      folds: (examples, context) => rungFolds(name, examples, context, options),
    };
  };
  return {
    "random": rung("random", false),
    "no-siblings": options.siblings === true ? rung("no-siblings", false) : options.siblings,
    "no-test-selection": options.testSelection === true ? rung("no-test-selection", false) : options.testSelection,
    "speaker": rung("speaker", true),
    "speaker-sentence": rung("speaker-sentence", true),
    "cross-corpus": "doesNotApply" in options.corpora ? options.corpora : rung("cross-corpus", true),
  };
}
