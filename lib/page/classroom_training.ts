/**
 * The leakage classroom's experiment: study 004's perceptron on synthetic voices, split at random and split by speaker.
 * Everything but the split is the same.
 *
 * @module
 */

import { speak } from "../corpora/voice.ts";
import { eagerTrainer } from "../engine/trainer.ts";
import { recipe } from "../features/recipes.ts";
import { mlpClassifierOrder, study004Mlp } from "../models/mlp.ts";
import { stream } from "../random.ts";
import { trainTestSplit } from "../split/sklearn.ts";
import { applyScaler, type Dataset, fitScaler, stack, take } from "../training/dataset.ts";
import { wilsonInterval } from "../training/statistics.ts";
import { fit } from "../training/train.ts";
import type { Emotion, NdArray } from "../types.ts";
import type { ClassroomProgress, ClassroomRequest, ClassroomResult, ClassroomSplit } from "./protocol.ts";

/** Study 004's classes. */
export const CLASSROOM_LABELS: readonly Emotion[] = ["calm", "disgust", "fearful", "happy"];

const SENTENCES = 3, TAKES = 2, HIDDEN = 300, BATCH = 64;

/** Gives the worker a moment to hear that it should stop. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** Rows of the experiment: features, class, speaker. */
interface Rows {
  readonly data: Dataset;
  readonly speakers: Int32Array;
}

async function makeRows(
  { seed, speakers, speakerCue }: ClassroomRequest,
  tell: (progress: ClassroomProgress) => void,
  signal: AbortSignal,
): Promise<Rows> {
  const features = recipe("study004");
  const x: NdArray[] = [], y: number[] = [], who: number[] = [];
  const total = speakers * CLASSROOM_LABELS.length * SENTENCES * TAKES;
  for (let speaker = 1; speaker <= speakers; speaker++) {
    for (const [label, emotion] of CLASSROOM_LABELS.entries()) {
      for (let sentence = 1; sentence <= SENTENCES; sentence++) {
        for (let number = 1; number <= TAKES; number++) {
          const wave = speak({ seed, speaker, emotion, sentence, take: number, sampleRateHz: 16000, speakerCue });
          x.push(features.extract(wave));
          y.push(label);
          who.push(speaker);
        }
      }
      tell({ kind: "voices", done: x.length, total });
      await pause();
      signal.throwIfAborted();
    }
  }
  return { data: { x: stack(x), y: Int32Array.from(y) }, speakers: Int32Array.from(who) };
}

/** The rows of training and test: a quarter of the rows, or all rows of a quarter of the speakers. */
function splitRows(split: ClassroomSplit, rows: Rows, seed: number): { train: number[]; test: number[] } {
  const n = rows.data.y.length;
  if (split === "random") return trainTestSplit(n, { testSize: 0.25, randomState: seed });
  const ids = [...new Set(rows.speakers)];
  const order = stream(seed, "classroom speakers").permutation(ids.length);
  const held = new Set([...order.subarray(0, Math.max(1, Math.round(ids.length / 4)))].map((i) => ids[i]!));
  const train: number[] = [], test: number[] = [];
  rows.speakers.forEach((speaker, row) => (held.has(speaker) ? test : train).push(row));
  return { train, test };
}

/**
 * Trains the same model twice, on a random split and on a split by speaker.
 *
 * @param request What to make and train.
 * @param tell Hears how it goes.
 * @param signal Stops it.
 * @throws the signal's reason when it is aborted.
 */
export async function runClassroom(
  request: ClassroomRequest,
  tell: (progress: ClassroomProgress) => void,
  signal: AbortSignal,
): Promise<ClassroomResult> {
  const rows = await makeRows(request, tell, signal);
  const classes = CLASSROOM_LABELS.length;
  const scores = {} as Record<ClassroomSplit, ClassroomResult["scores"][ClassroomSplit]>;
  for (const split of ["random", "speaker"] as const) {
    const { train, test } = splitRows(split, rows, request.seed);
    const inTraining = new Set(train.map((row) => rows.speakers[row]!));
    const tested = new Set(test.map((row) => rows.speakers[row]!));
    tell({
      kind: "split",
      split,
      train: train.length,
      test: test.length,
      speakersTrain: inTraining.size,
      speakersTest: tested.size,
      known: [...tested].filter((speaker) => inTraining.has(speaker)).length,
    });
    const scaler = fitScaler("feature", rows.data.x, train);
    const scaled: Dataset = { x: applyScaler(scaler, rows.data.x), y: rows.data.y };
    const model = study004Mlp({ classes, seed: request.seed, batchSize: BATCH });
    const trainer = eagerTrainer(model, {
      optimizer: { kind: "adam", learningRate: 0.001, epsilon: 1e-8 },
      seed: request.seed,
    });
    try {
      let last = 0;
      const { history } = await fit(
        trainer,
        take(scaled, train),
        { epochs: request.epochs, batchSize: BATCH, penaltyRows: BATCH },
        {
          seed: request.seed,
          order: mlpClassifierOrder(request.seed, [180, HIDDEN, classes]),
          validation: take(scaled, test),
          signal,
          onEpoch: ({ epoch, accuracy, valAccuracy }) => {
            last = valAccuracy!;
            tell({ kind: "epoch", split, epoch, train: accuracy, test: last });
          },
        },
      );
      scores[split] = {
        accuracy: last,
        interval: wilsonInterval(Math.round(last * test.length), test.length),
        n: test.length,
        epochs: history.length,
      };
    } finally {
      trainer.dispose();
      model.dispose();
    }
  }
  return { scores, chance: 1 / classes };
}
