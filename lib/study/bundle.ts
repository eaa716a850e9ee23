/**
 * Makes a bundle of a study that says what it is worth: trains every fold, calibrates on rows that neither training nor
 * test has seen, and measures on the test rows what the bundle then says of itself. Nothing is typed by hand.
 *
 * The bundle holds the first fold's model, so that there are speakers whom nothing of it has heard; what is said of
 * accuracy is measured over all folds, each tested by its own model, calibrated and held back in the same way.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadAudio } from "../audio/load.ts";
import { modelCard } from "../bundle_card.ts";
import {
  type Abstention,
  type Bundle,
  BUNDLE_VERSION,
  type BundleFiles,
  type BundleInfo,
  type Calibration,
  type Consequence,
  decodeBundle,
  encodeBundle,
  type ExpectedAccuracy,
  type Measured,
  type OutlierModel,
  type PartScore,
  rewriteBundle,
  type TrainedOn,
} from "../bundle.ts";
import { corpora, indexCorpus } from "../corpora/mod.ts";
import { UsageError } from "../errors.ts";
import { recipeHash } from "../features/recipes.ts";
import { type AudioSource, predict, type Prediction, wantedRate } from "../predict.ts";
import { answerDoubts, describeRecording, doubtsOf, type Recording } from "../predict_doubts.ts";
import { stream } from "../random.ts";
import { gitCommit } from "../results/environment.ts";
import { hasRunRecord, readRunRecord, recordPath } from "../results/record.ts";
import { type Fold, groupKFold, kFold } from "../split/mod.ts";
import {
  applyTemperature,
  chooseThreshold,
  confidences,
  coverageCurve,
  expectedCalibrationError,
  fitTemperature,
  negativeLogLikelihood,
} from "../training/calibration.ts";
import { fitOutlier, fitOutlierLimits, outlierDistances } from "../training/outlier.ts";
import { clipIntervals, quantile, type ScoredRow, speakerIntervals } from "../training/statistics.ts";
import type { ManifestRow, NdArray, Waveform } from "../types.ts";
import type { ProtocolName } from "./declare.ts";
import { degradations, type LossyCodec, notSpeech } from "./degrade.ts";
import {
  commonRate,
  featuresOf,
  planRun,
  type Prepared,
  type RunOptions,
  type RunPlan,
  type TrainedFold,
  trainFold,
} from "./run.ts";

/** What to make a bundle of. */
export interface MakeBundleOptions extends Pick<RunOptions, "variant" | "seed" | "out" | "engine" | "weights"> {
  /** Protocol of the training: `clean` or `as-published`. */
  readonly protocol: ProtocolName;
  /** Name of the bundle; default study and variant, with the protocol where it is not `clean`. */
  readonly name?: string | undefined;
  /** Fewer epochs than the variant's (tests). */
  readonly epochs?: number | undefined;
  /** Accuracy wanted on the answers that are given. Default 0.7. */
  readonly target?: number | undefined;
  /** Corpora that the model is tried on without having been trained on them. */
  readonly elsewhere?: readonly string[] | undefined;
  /** A codec for MP3 at 32 kbit/s; without one that consequence is not measured. */
  readonly mp3?: LossyCodec | null | undefined;
  /** Is told what is done, and how far. */
  readonly onProgress?: ((what: string, done: number, total: number) => void) | undefined;
  /** Stops the work. */
  readonly signal?: AbortSignal | undefined;
}

/** A bundle that was made. */
export interface MadeBundle {
  /** Its files. */
  readonly files: BundleFiles;
  /** What `bundle.json` says. */
  readonly info: BundleInfo;
}

/** Folds that validation predictions are made with, within the training rows. */
const INNER_FOLDS = 5;

/** Share of validation rows that the outlier threshold lets through. */
const INSIDE = 0.975;

/** Examples of each kind of sound that is no speech. */
const NOT_SPEECH = 20;

/** Most clips of a corpus elsewhere. */
const ELSEWHERE = 400;

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** A recording of the table and how one bundle answered it. */
interface Answered {
  readonly row: number;
  readonly fold: number;
  readonly answer: Prediction;
  readonly source: AudioSource;
  /** Whether the bundle as it is made in the end says 'cannot say'. */
  abstained: boolean;
}

/** What was measured of one fold. */
interface FoldResult {
  readonly bundle: Bundle;
  readonly outlier: OutlierModel;
  readonly calibration: { readonly temperature: number; readonly n: number };
  readonly threshold: Pick<Abstention, "leastConfidence" | "reached" | "mostOutlying">;
  readonly raw: NdArray<readonly [number, number]>;
  readonly test: readonly number[];
  readonly files: BundleFiles;
}

/** Class probabilities as rows. */
function asRows(data: Float32Array, classes: number): NdArray<readonly [number, number]> {
  return { data, shape: [data.length / classes, classes] };
}

/** Rows that are a recording itself, each once. */
function recordingsOf(rows: readonly number[], { examples }: RunPlan): number[] {
  const seen = new Set<string>();
  return rows.filter((row) => {
    const { key, copy } = examples[row]!;
    if (copy !== 0 || seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

/**
 * Folds within a fold's training rows, drawn as its protocol draws its own: whole speakers where test speakers are
 * unknown, recordings (with all rows made from them) otherwise.
 */
function innerFolds(fold: Fold, plan: RunPlan): Fold[] {
  const groups = fold.train.map((row) =>
    plan.protocol.bySpeaker ? plan.examples[row]!.speaker : plan.examples[row]!.key
  );
  const different = [...new Set(groups)];
  const nSplits = Math.min(INNER_FOLDS, different.length);
  if (nSplits < 2) {
    throw new UsageError(
      `${fold.name}: its training rows are of one ${plan.protocol.bySpeaker ? "speaker" : "recording"}.`,
    );
  }
  const parts = plan.protocol.bySpeaker
    ? groupKFold(groups, { nSplits })
    : kFold(different.length, { nSplits, shuffle: true, randomState: 0 }).map(({ test }) => {
      const held = new Set(test.map((i) => different[i]!));
      const places = groups.map((_, i) => i);
      return {
        train: places.filter((i) => !held.has(groups[i]!)),
        test: places.filter((i) => held.has(groups[i]!)),
      };
    });
  return parts.map(({ train, test }, i) => ({
    name: `${fold.name}, inner ${i + 1}`,
    train: train.map((place) => fold.train[place]!),
    validation: fold.validation,
    test: recordingsOf(test.map((place) => fold.train[place]!), plan),
  }));
}

/**
 * Makes a bundle and measures what it says of itself.
 *
 * @throws {UsageError} when variant or protocol are unknown, or the recordings too few.
 */
export async function makeBundle(prepared: Prepared, options: MakeBundleOptions): Promise<MadeBundle> {
  const { study, dir } = prepared;
  const { protocol, variant, seed, target = 0.7, mp3 = null, onProgress, signal } = options;
  const plan = await planRun(prepared, options);
  const { examples, folds } = plan;
  const labels = study.labels, classes = labels.length;
  const name = options.name ?? `${study.id}-${variant}${protocol === "clean" ? "" : `-${protocol}`}`;
  const { bySpeaker } = plan.protocol;
  const truthOf = (row: number): number => labels.indexOf(examples[row]!.label);
  const waveOf = (row: ManifestRow): Promise<Waveform> => loadAudio(join(dir, row.path), { sampleRateHz: null });
  const check = (): void => signal?.throwIfAborted();

  const draft: BundleInfo = {
    format: "serlab-bundle",
    version: BUNDLE_VERSION,
    name,
    features: { recipe: plan.input.features.name, hash: recipeHash(plan.input.features), shape: plan.input.inputShape },
    sampleRateHz: commonRate(prepared.rows),
    scaler: { kind: "none" },
    labels,
    provenance: {
      study: study.id,
      variant,
      protocol,
      seed,
      fold: 0,
      heldOut: bySpeaker ? speakersOf(folds[0]!.test, plan) : [],
      lab: labVersion(),
      commit: gitCommit(ROOT),
      manifest: prepared.manifest,
      split: plan.split,
      corpora: study.corpora.map((id) => ({
        id,
        licence: corpora.find((c) => c.id === id)?.licence.name ?? "unknown",
      })),
      expected: [],
    },
    calibration: null,
    abstention: null,
    trained: null,
    consequences: [],
    measured: null,
  };

  const { x } = await featuresOf(prepared, { variant, protocol, seed, signal });
  const size = x.data.length / x.shape[0]!;
  const featuresOfRows = (rows: readonly number[]): number[] => rows.map((row) => examples[row]!.feature);
  const trainings = folds.reduce((sum, fold) => sum + 1 + innerFolds(fold, plan).length, 0);
  let trained = 0;
  const train = async (fold: Fold, index: number): Promise<TrainedFold> => {
    check();
    const result = await trainFold(prepared, plan, { variant, protocol, seed, signal }, fold, index);
    onProgress?.("trainings", ++trained, trainings);
    return result;
  };

  const results: FoldResult[] = [];
  for (const [index, fold] of folds.entries()) {
    results.push(await measureFold(fold, index));
  }

  async function measureFold(fold: Fold, index: number): Promise<FoldResult> {
    // Validation: every training recording predicted by a model that has not heard it (nor, in clean, its speaker).
    const validation: { p: number[]; truth: number[]; distances: number[][] } = {
      p: [],
      truth: [],
      distances: [],
    };
    for (const inner of innerFolds(fold, plan)) {
      const model = await train(inner, index);
      try {
        const distance = fitOutlier(x, featuresOfRows(recordingsOf(inner.train, plan)));
        validation.p.push(...await model.predict(inner.test));
        validation.truth.push(...inner.test.map(truthOf));
        for (const feature of featuresOfRows(inner.test)) {
          validation.distances.push(outlierDistances(distance, x.data.subarray(feature * size, (feature + 1) * size)));
        }
      } finally {
        model.dispose();
      }
    }
    const rawValidation = asRows(Float32Array.from(validation.p), classes);
    const temperature = fitTemperature(rawValidation, validation.truth);
    const limits = fitOutlierLimits(validation.distances, INSIDE);
    const { confidence, right } = confidences(applyTemperature(rawValidation, temperature), validation.truth);
    const inside = [...confidence.keys()].filter((i) => validation.distances[i]!.every((d, v) => d <= limits[v]!));
    const chosen = chooseThreshold(inside.map((i) => confidence[i]!), inside.map((i) => right[i]!), { target });
    const model = await train(fold, index);
    try {
      const outlier = { ...fitOutlier(x, featuresOfRows(recordingsOf(fold.train, plan))), limits };
      const test = recordingsOf(fold.test, plan);
      const raw = asRows(await model.predict(test), classes);
      const threshold = { leastConfidence: chosen.threshold, reached: chosen.reached, mostOutlying: 1 };
      const info: BundleInfo = {
        ...draft,
        scaler: model.scaler,
        calibration: { ...NOT_MEASURED, temperature, n: validation.truth.length },
        abstention: {
          ...threshold,
          targetAccuracy: target,
          insideShare: INSIDE,
          chosenOn: "",
          test: { n: 0, coverage: 1, accuracy: null },
          curve: [],
          notSpeech: [],
        },
      };
      const files = await encodeBundle(info, model.model, { outlier });
      const bundle = await decodeBundle(files, name);
      const calibration = { temperature, n: validation.truth.length };
      return { bundle, outlier, calibration, threshold, raw, test, files };
    } finally {
      model.dispose();
    }
  }

  // Every test recording through the very code that answers users, as it is and with each fault.
  const faults = degradations(mp3);
  const clean: Answered[] = [];
  const faulty = new Map(faults.map(({ id }) => [id, [] as Answered[]]));
  const total = results.reduce((sum, { test }) => sum + test.length, 0);
  for (const [fold, { bundle, test, raw, calibration }] of results.entries()) {
    const expectedRows = applyTemperature(raw, calibration.temperature).data;
    for (const [i, row] of test.entries()) {
      check();
      const wave = await waveOf(examples[row]!);
      const answer = await predict(bundle, wave);
      labels.forEach((label, k) => {
        const difference = Math.abs(answer.probabilities[label]! - expectedRows[i * classes + k]!);
        if (difference > 1e-3) {
          throw new Error(`${examples[row]!.key}: the bundle's answer differs from its training's by ${difference}.`);
        }
      });
      clean.push({ row, fold, answer, source: {}, abstained: false });
      for (const { id, apply, source: sourceOf } of faults) {
        const degraded = await apply(wave, examples[row]!.key);
        const source = sourceOf?.(degraded.samples.length / degraded.sampleRateHz) ?? {};
        const answered = await predict(bundle, degraded, { source });
        faulty.get(id)!.push({ row, fold, answer: answered, source, abstained: false });
      }
      onProgress?.("test recordings, as they are and with each fault", clean.length, total);
    }
  }

  const scored = (answers: readonly Answered[]): ScoredRow[] =>
    answers.map(({ row, answer }) => {
      const { key, speaker, label } = examples[row]!;
      return { parent: key, speaker, truth: label, prediction: answer.emotion };
    });
  const accuracyOf = (rows: readonly ScoredRow[]): number =>
    rows.reduce((sum, { truth, prediction }) => sum + (truth === prediction ? 1 : 0), 0) / rows.length;
  const intervalOf = (rows: readonly ScoredRow[]) => bySpeaker ? speakerIntervals([rows]) : clipIntervals([rows]);
  // What a fault costs decides whether a recording with it is answered at all: so it is measured first, and only then
  // counted who is answered, fold by fold with its own training's ranges.
  const cleanRows = scored(clean), before = accuracyOf(cleanRows);
  const costs = faults.map(({ id, describe }): Consequence => {
    const rows = scored(faulty.get(id)!), { interval, speakers } = intervalOf(rows);
    const after = accuracyOf(rows);
    return { id, describe, n: rows.length, speakers, before, after, interval: interval.accuracy, abstained: 0 };
  });
  const recordings = new Map(clean.map(({ row, answer }) => [examples[row]!.key, answer.recording]));
  const ranges = [];
  for (const fold of folds) {
    check();
    ranges.push(
      await describeTraining(recordingsOf(fold.train, plan).map((row) => examples[row]!), recordings, waveOf),
    );
  }
  const rateHz = wantedRate(draft);
  for (const each of [...clean, ...[...faulty.values()].flat()]) {
    const { answer: { recording, confidence, outlying }, fold, source } = each;
    const info = { ...results[fold]!.bundle.info, trained: ranges[fold]!, consequences: costs };
    const heard = { ...source, sampleRateHz: draft.sampleRateHz ?? examples[each.row]!.sampleRateHz };
    const doubts = [...doubtsOf(info, recording, rateHz, heard), ...answerDoubts(info, { confidence, outlying })];
    each.abstained = doubts.some(({ abstains }) => abstains);
  }
  const part = (partName: string, answers: readonly Answered[]): PartScore => {
    const rows = scored(answers);
    const { interval, speakers } = intervalOf(rows);
    return {
      name: partName,
      n: rows.length,
      speakers,
      accuracy: accuracyOf(rows),
      interval: interval.accuracy,
      abstained: answers.filter(({ abstained }) => abstained).length / rows.length,
    };
  };

  const pooledRaw = asRows(joined(results.map(({ raw }) => raw.data)), classes);
  const pooled = asRows(
    joined(results.map(({ raw, calibration }) => applyTemperature(raw, calibration.temperature).data)),
    classes,
  );
  const truth = results.flatMap(({ test }) => test.map(truthOf));
  const first = results[0]!;
  const whose = bySpeaker
    ? "speakers that its training has not heard, none of them a test speaker"
    : "recordings that training has not heard";
  const calibration: Calibration = {
    ...first.calibration,
    fittedOn: `${first.calibration.n} training recordings, each predicted by a model of ${
      Math.min(INNER_FOLDS, innerFolds(folds[0]!, plan).length)
    } that was trained without ${bySpeaker ? "its speaker" : "it"} (${whose})`,
    nll: {
      before: negativeLogLikelihood(pooledRaw, truth),
      after: negativeLogLikelihood(pooled, truth),
    },
    ece: {
      before: expectedCalibrationError(pooledRaw, truth),
      after: expectedCalibrationError(pooled, truth),
    },
    measuredOn: truth.length,
  };

  const answered = clean.filter(({ abstained }) => !abstained);
  const pooledConfidence = confidences(pooled, truth);
  const rate = draft.sampleRateHz ?? 48000;
  const final: Bundle = {
    ...first.bundle,
    info: { ...first.bundle.info, trained: ranges[0]!, consequences: costs },
  };
  const sounds: { id: string; describe: string; n: number; abstained: number }[] = [];
  for (const { id, describe, make } of notSpeech) {
    let abstained = 0;
    for (let i = 0; i < NOT_SPEECH; i++) {
      check();
      if ((await predict(final, make(i, rate))).abstained) abstained++;
    }
    sounds.push({ id, describe, n: NOT_SPEECH, abstained });
  }
  const abstention: Abstention = {
    ...first.threshold,
    targetAccuracy: target,
    insideShare: INSIDE,
    chosenOn: `the same ${first.calibration.n} recordings`,
    test: {
      n: clean.length,
      coverage: answered.length / clean.length,
      accuracy: answered.length > 0 ? accuracyOf(scored(answered)) : null,
    },
    curve: coverageCurve(pooledConfidence.confidence, pooledConfidence.right, { points: 20 }),
    notSpeech: sounds,
  };

  const consequences = costs.map((each): Consequence => {
    const answers = faulty.get(each.id)!;
    return { ...each, abstained: answers.filter(({ abstained }) => abstained).length / answers.length };
  });

  const own = intervalOf(cleanRows);
  const expected: ExpectedAccuracy[] = [{
    protocol,
    accuracy: before,
    interval: own.interval.accuracy,
    kind: own.kind,
    n: cleanRows.length,
    speakers: own.speakers,
  }];
  // What unknown speakers may expect of a model that was tested on known ones.
  const record = { ...plan.id, protocol: "clean" };
  if (protocol !== "clean" && hasRunRecord(options.out, record)) {
    const { metrics } = readRunRecord(recordPath(options.out, record));
    const { accuracy, interval, n, speakers } = metrics;
    expected.push({ protocol: "clean", accuracy, interval: interval.accuracy, kind: interval.kind, n, speakers });
  }

  const measured: Measured = {
    corpus: parts((row) => row.corpus),
    sex: parts((row) => row.sex ?? "unknown"),
    duration: durations(),
    label: parts((_, label) => label),
    elsewhere: await tryElsewhere(),
  };

  function parts(of: (row: ManifestRow, label: string) => string): PartScore[] {
    const groups = new Map<string, Answered[]>();
    for (const each of clean) {
      const example = examples[each.row]!, group = of(example, example.label);
      groups.set(group, [...(groups.get(group) ?? []), each]);
    }
    return [...groups].sort(([a], [b]) => a < b ? -1 : 1).map(([group, answers]) => part(group, answers));
  }

  function durations(): PartScore[] {
    const sorted = clean.map(({ row }) => examples[row]!.durationSec).sort((a, b) => a - b);
    const [low, high] = [quantile(sorted, 1 / 3), quantile(sorted, 2 / 3)];
    const bins: readonly (readonly [string, (d: number) => boolean])[] = [
      [`up to ${low.toFixed(2)} s`, (d) => d <= low],
      [`${low.toFixed(2)} to ${high.toFixed(2)} s`, (d) => d > low && d <= high],
      [`over ${high.toFixed(2)} s`, (d) => d > high],
    ];
    return bins.flatMap(([bin, fits]) => {
      const answers = clean.filter(({ row }) => fits(examples[row]!.durationSec));
      return answers.length > 0 ? [part(bin, answers)] : [];
    });
  }

  async function tryElsewhere(): Promise<Measured["elsewhere"]> {
    const all: Measured["elsewhere"][number][] = [];
    for (const id of options.elsewhere ?? []) {
      if (study.corpora.includes(id)) throw new UsageError(`${id} is what the model was trained on.`);
      const { rows } = await indexCorpus(dir, { corpus: [id], allowIncomplete: true, unknown: "ignore" });
      const usable = rows.filter((row) => labels.includes(study.label(row) ?? ""));
      const order = stream(0, "elsewhere", id).permutation(usable.length);
      const chosen = Array.from(order, (i) => usable[i]!).slice(0, ELSEWHERE);
      const answers: { row: ScoredRow; abstained: boolean }[] = [];
      for (const row of chosen) {
        check();
        const answer = await predict(final, await waveOf(row));
        answers.push({
          row: { parent: row.key, speaker: row.speaker, truth: study.label(row)!, prediction: answer.emotion },
          abstained: answer.abstained,
        });
        onProgress?.(id, answers.length, chosen.length);
      }
      if (answers.length === 0) continue;
      const own = answers.map(({ row }) => row);
      const { interval, speakers } = speakerIntervals([own]);
      all.push({
        name: id,
        n: own.length,
        speakers,
        accuracy: accuracyOf(own),
        interval: interval.accuracy,
        abstained: answers.filter(({ abstained }) => abstained).length / own.length,
        labels: labels.filter((label) => own.some((row) => row.truth === label)),
      });
    }
    return all;
  }

  const info: BundleInfo = {
    ...first.bundle.info,
    calibration,
    abstention,
    trained: ranges[0]!,
    consequences,
    measured,
    provenance: { ...draft.provenance, expected },
  };
  for (const { bundle } of results) bundle.model.dispose();
  return { files: await rewriteBundle(first.files, info, { outlier: first.outlier, card: modelCard(info) }), info };
}

/** What a calibration says before anything was measured with it. */
const NOT_MEASURED = {
  fittedOn: "",
  nll: { before: 0, after: 0 },
  ece: { before: 0, after: 0 },
  measuredOn: 0,
} as const;

function joined(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const each of parts) {
    all.set(each, at);
    at += each.length;
  }
  return all;
}

function speakersOf(rows: readonly number[], { examples }: RunPlan): string[] {
  return [...new Set(rows.map((row) => examples[row]!.speaker))].sort();
}

function labVersion(): string {
  return (JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8")) as { version: string }).version;
}

/** What the training recordings were like. */
async function describeTraining(
  rows: readonly ManifestRow[],
  known: Map<string, Recording>,
  waveOf: (row: ManifestRow) => Promise<Waveform>,
): Promise<TrainedOn> {
  const durations: number[] = [], levels: number[] = [], bandwidths: number[] = [];
  for (const row of rows) {
    const recording = known.get(row.key) ?? describeRecording(await waveOf(row));
    known.set(row.key, recording);
    const { durationSec, peak, rmsDbfs, bandwidthHz } = recording;
    durations.push(durationSec);
    if (peak === 0) continue;
    levels.push(rmsDbfs);
    bandwidths.push(bandwidthHz);
  }
  const ends = (values: readonly number[]): [number, number] => {
    const sorted = [...values].sort((a, b) => a - b);
    return [quantile(sorted, 0.01), quantile(sorted, 0.99)];
  };
  return {
    recordings: rows.length,
    durationSec: ends(durations),
    medianSec: quantile([...durations].sort((a, b) => a - b), 0.5),
    rmsDbfs: ends(levels),
    bandwidthHz: ends(bandwidths),
  };
}
