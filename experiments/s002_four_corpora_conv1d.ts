/**
 * Study 002: four corpora in one, 2376 values a row, a large one-dimensional network, augmented before the split.
 *
 * @module
 */

import {
  mixup,
  specAugment,
  study002Copies,
  study002Noise,
  study002PitchShift,
  timeShift,
  timeStretch,
} from "../lib/augment/mod.ts";
import { labelMaps, mapLabel } from "../lib/corpora/labels.ts";
import { cnnLstm, study002Conv1d } from "../lib/models/mod.ts";
import { stream } from "../lib/random.ts";
import { trainTestSplit } from "../lib/split/mod.ts";
import type { BatchChange, Copies, FoldContext, Study, Variant } from "../lib/study/declare.ts";
import { ladder } from "../lib/study/ladder.ts";
import type { NdArray } from "../lib/types.ts";
import { speakerHoldOut } from "./hold_out.ts";

const FRAMES = 108, COEFFICIENTS = 20;

/** The three augmented rows of the notebook. */
const NOTEBOOK: Copies = {
  describe: "three copies: noise of up to 3.5 % of the largest sample; 0.7 semitones up; both",
  of: study002Copies(),
};

/** The four augmentations that the README names, one row each. */
const README: Copies = {
  describe:
    "four copies: noise of up to 3.5 %; stretched to 1.25 times its length; 0.7 semitones up; shifted by up to " +
    "5000 samples",
  of: [study002Noise(), timeStretch({ minRate: 0.8, maxRate: 0.8 }), study002PitchShift(), timeShift()],
};

/** Position in a vector of a value of a frame: zero-crossing rates, energies, then coefficients frame by frame. */
function position(bin: number, frame: number): number {
  return bin < 2 ? bin * FRAMES + frame : 2 * FRAMES + frame * COEFFICIENTS + bin - 2;
}

const masks = specAugment({ frequencyMasks: 1, maxFrequencyWidth: 4, timeMasks: 2, maxTimeWidth: 20, fill: 0 });
const mixing = mixup({ alpha: 0.2 });

/** SpecAugment of every row, seen as 22 values by 108 frames, then mixup of the batch; 0 is the mean of scaled values. */
const ADVANCED: BatchChange = {
  describe: "SpecAugment (a mask of up to 4 of 22 values, two of up to 20 of 108 frames), then mixup with alpha 0.2",
  apply({ x, y }, rng, classes) {
    const data = Float32Array.from(x.data), size = data.length / y.length;
    const shape = [2 + COEFFICIENTS, FRAMES] as const;
    for (let row = 0; row < y.length; row++) {
      const { frequencyMasks, timeMasks } = masks.draw(rng, { data, shape });
      for (let bin = 0; bin < shape[0]; bin++) {
        const isMasked = frequencyMasks.some(([start, width]) => bin >= start && bin < start + width);
        for (let frame = 0; frame < FRAMES; frame++) {
          if (isMasked || timeMasks.some(([start, width]) => frame >= start && frame < start + width)) {
            data[row * size + position(bin, frame)] = 0;
          }
        }
      }
    }
    const targets: NdArray = { data: new Float32Array(y.length * classes), shape: [y.length, classes] };
    y.forEach((label, i) => targets.data[i * classes + label] = 1);
    const batch = { x: { data, shape: x.shape }, y: targets };
    const mixed = mixing.apply(batch, mixing.draw(rng, batch));
    return { x: mixed.x, targets: mixed.y };
  },
};

/** Training as in the notebook. */
const training = {
  optimizer: { kind: "adam", learningRate: 0.001 },
  plan: {
    epochs: 50,
    batchSize: 64,
    earlyStopping: { monitor: "valAccuracy", patience: 5, restoreBestWeights: true },
    reduceOnPlateau: { monitor: "valAccuracy", patience: 3, factor: 0.5, minLearningRate: 1e-5 },
  },
} as const satisfies Partial<Variant>;

/** Training to the last epoch, the best one kept: patience of five epochs is a tenth as long on a tenth of the rows. */
const patient = {
  ...training,
  plan: { epochs: 50, batchSize: 64, keepBest: "valAccuracy" },
} as const satisfies Partial<Variant>;

/** The CNN-LSTM, trained as the notebook's network is. */
const lstm = {
  model: (options: { readonly classes: number; readonly seed: number }) => cnnLstm(options),
  ...training,
  copies: NOTEBOOK,
  input: { recipe: "study002-frames", inputShape: [FRAMES, 2 + COEFFICIENTS] },
} as const satisfies Partial<Variant>;

/** Two halves of every corpus's speakers, drawn once. */
function halves({ speakers }: Pick<FoldContext, "speakers">): Record<string, string[]> {
  const folds: [string[], string[]] = [[], []];
  for (const corpus of new Set(speakers.map((each) => each.corpus))) {
    const own = speakers.filter((each) => each.corpus === corpus).map(({ speaker }) => speaker);
    stream(42, "ladder", "speakers", corpus).permutation(own).forEach((speaker, i) =>
      folds[i % 2 as 0 | 1].push(speaker)
    );
  }
  return { "half-1": folds[0], "half-2": folds[1] };
}

const { labels } = labelMaps["002"];

/** Why the notebook's network may fail on few recordings; measured by tests/bench/batch_norm.ts. */
const CAUTION =
  "With a tenth of the recordings an epoch is about fifty steps, and batch normalisation's moving averages " +
  "(momentum 0.99), by which alone the network is validated and tested, follow the weights too slowly: rows that it fits " +
  "in training it misses when they are predicted, in Keras as here ([measured](bench/batch-norm.md)), so that early " +
  "stopping ends the training before they have caught up. *conv1d-patient* has no early stopping.";

/** Ten recordings of TESS that the study's copy lacked (its all_data_path.csv lists 12,152): speaker, word, label. */
const ABSENT: ReadonlySet<string> = new Set([
  ...["tire", "ton", "tool"].map((word) => `tess-OAF ${word} happy`),
  "tess-YAF neat fearful",
  ...["food", "gap", "gas"].map((word) => `tess-YAF ${word} neutral`),
  ...["phone", "pick", "pike"].map((word) => `tess-YAF ${word} surprised`),
]);

/** Study 002, as its notebook has it (STUDIES: seed 002) and free of leakage. */
export const study002: Study = {
  id: "002",
  title: "Conv1D on four corpora",
  source: "SajedTabikh/EmotionalSpeechRecognition",
  claims: [{
    variant: "conv1d",
    accuracy: 9568 / 9722,
    n: 9722,
    recordings: 7183,
    source: "SajedTabikh/EmotionalSpeechRecognition, README (2024-09-25)",
    note: "an accuracy on rows: 9,722 of 48,608 that were made of 12,152 recordings, 7,183 of which are tested",
    differs: "its copies' noise was drawn without a seed, ours with the run's",
  }],
  flaw: "The copies were made before the split, so that 99.0 % of the test rows have a row of the same recording in " +
    "training, and the test rows also chose the epoch and the learning rate; as " +
    "published, the values of short clips are misaligned in *conv1d* and *conv1d-readme*; other variants have them repaired.",
  why:
    "The published number measures the recognition of copies of known recordings by known speakers; the hold-out asks " +
    "for recordings of unseen speakers, tested once and without copies.",
  corpora: ["ravdess", "crema-d", "tess", "savee"],
  labels,
  label: ({ speaker, sentence, emotion }) =>
    ABSENT.has(`${speaker} ${sentence} ${emotion}`) ? null : mapLabel(labelMaps["002"], emotion) ?? null,
  order: "corpus",
  recipe: "study002",
  repairedRecipe: "study002-padded",
  inputShape: [2376, 1],
  scaler: "feature",
  variants: {
    conv1d: {
      describe: "five convolutions on 2376 values, four rows a recording, Adam 0.001, early stopping on accuracy",
      model: (options) => study002Conv1d(options),
      ...training,
      copies: NOTEBOOK,
      caution: CAUTION,
    },
    "cnn-lstm": {
      describe: "a convolution and an LSTM on 108 frames of 22 values (its future work), four rows a recording",
      ...lstm,
    },
    "cnn-lstm-whole": {
      describe: "cnn-lstm on all the recordings, trained to its end, for which the notebook's network takes days here",
      ...lstm,
      group: "whole",
    },
    "conv1d-readme": {
      describe: "the notebook's network with the README's four augmentations, five rows a recording",
      model: (options) => study002Conv1d(options),
      ...training,
      copies: README,
      group: "augmentation",
      caution: CAUTION,
    },
    "conv1d-patient": {
      describe:
        "the notebook's network and rows without early stopping, the best epoch kept: for runs on few recordings",
      model: (options) => study002Conv1d(options),
      ...patient,
      copies: NOTEBOOK,
      input: { recipe: "study002-padded" },
      group: "augmentation",
    },
    "conv1d-advanced": {
      describe: "as conv1d-patient, with SpecAugment and mixup on training batches (its future work)",
      model: (options) => study002Conv1d(options),
      ...patient,
      copies: NOTEBOOK,
      batch: ADVANCED,
      input: { recipe: "study002-padded" },
      group: "augmentation",
    },
  },
  protocols: {
    "as-published": {
      describe:
        "80/20 of the rows at random (random_state 42), copies on both sides, the epoch and the learning rate " +
        "chosen by the test rows; short clips' values misaligned",
      scalerRows: "train",
      bySpeaker: false,
      validatesOnTest: true,
      folds: (rows) => {
        const { train, test } = trainTestSplit(rows.length, { testSize: 0.2, randomState: 42 });
        return [{ name: "published", train, validation: [], test }];
      },
    },
    clean: {
      describe:
        "speakers held out with random_state 42: 5 of RAVDESS, 18 of CREMA-D, 1 of SAVEE and 1 of TESS tested, 2 " +
        "of RAVDESS and 7 of CREMA-D to choose the epoch; short audio padded",
      scalerRows: "train",
      bySpeaker: true,
      folds: speakerHoldOut({
        test: { "ravdess": 5, "crema-d": 18, "savee": 1, "tess": 1 },
        validation: { "ravdess": 2, "crema-d": 7 },
      }),
    },
    ...ladder({
      speakerFolds: halves,
      siblings: true,
      testSelection: true,
      corpora: { commonLabels: labels.filter((label) => label !== "surprised") },
    }),
  },
  seeds: 1,
};
