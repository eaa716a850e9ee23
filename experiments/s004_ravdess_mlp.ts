/**
 * Study 004: means of 180 features of four emotions of RAVDESS, scikit-learn's perceptron, unscaled and scaled.
 *
 * @module
 */

import { labelMaps, mapLabel } from "../lib/corpora/labels.ts";
import { mlpClassifierOrder, study004Mlp } from "../lib/models/mod.ts";
import { trainTestSplit } from "../lib/split/mod.ts";
import type { Study, Variant } from "../lib/study/declare.ts";
import { ladder } from "../lib/study/ladder.ts";
import { ravdessFolds, speakerFolds } from "./hold_out.ts";

/** `MLPClassifier(alpha=0.01, batch_size=256, hidden_layer_sizes=(300,), max_iter=500)`, all else default. */
const mlp: Omit<Variant, "describe"> = {
  model: (options) => study004Mlp(options),
  optimizer: { kind: "adam", learningRate: 0.001, epsilon: 1e-8 },
  plan: { epochs: 500, batchSize: 256, penaltyRows: 256, noImprovement: { tolerance: 1e-4, epochs: 10 } },
  order: (seed, classes) => mlpClassifierOrder(seed, [180, 300, classes]),
};

/** Study 004, as its pickled model and its siblings' code have it (STUDIES: seed 004) and free of leakage. */
export const study004: Study = {
  id: "004",
  title: "Perceptron on feature means of four emotions of RAVDESS",
  source: "rahulkumar1408/Speech-emotion-Recognition",
  claims: [
    {
      variant: "unscaled",
      accuracy: 113 / 192,
      n: 192,
      of: "a sibling's",
      source: "sdrahmath/Speech-Emotion-Detection, the saved run of a sibling with the identical recipe",
      note: "another repository's: study 004 itself published no number",
      differs: "it was made with a copy of the corpus at 16 kHz, ours with RAVDESS's own 48 kHz",
    },
    {
      variant: "unscaled",
      accuracy: 119 / 192,
      n: 192,
      of: "a sibling's",
      source: "the README of 'VibeDetect', another sibling with the identical recipe",
      note: "another repository's: study 004 itself published no number",
    },
  ],
  flaw:
    "No number was published; the features are not scaled, six orders of magnitude apart in one vector, so training " +
    "is erratic and stops by chance.",
  why:
    "The split mixes the 24 actors and both takes of every utterance over training and test; the actor folds ask for " +
    "voices that were never heard.",
  corpora: ["ravdess"],
  labels: labelMaps["004"].labels,
  label: (row) => mapLabel(labelMaps["004"], row.emotion) ?? null,
  recipe: "study004",
  inputShape: [180],
  scaler: "none",
  variants: {
    unscaled: { describe: "300 hidden units by scikit-learn's rules, features as they are", ...mlp },
    scaled: {
      describe: "300 hidden units by scikit-learn's rules, features standardised",
      ...mlp,
      input: { scaler: "feature" },
    },
    "scaled-32k": {
      describe: "the same of audio brought to 32 kHz, so that what devices and codecs cut off has no say",
      ...mlp,
      input: { recipe: "study004-32k", scaler: "feature" },
    },
  },
  protocols: {
    "as-published": {
      describe: "75/25 at random, not stratified; the original's split had no seed, here it has the run's",
      scalerRows: "train",
      bySpeaker: false,
      folds: (rows, { seed }) => {
        const { train, test } = trainTestSplit(rows.length, { testSize: 0.25, randomState: seed });
        return [{ name: "published", train, validation: [], test }];
      },
    },
    clean: {
      describe: "six folds of four actors",
      scalerRows: "train",
      bySpeaker: true,
      folds: (rows, context) => speakerFolds(rows, ravdessFolds(context)),
    },
    ...ladder({
      speakerFolds: ravdessFolds,
      siblings: { doesNotApply: "one row is made of each recording" },
      testSelection: { doesNotApply: "no epoch is chosen by its score" },
      corpora: { doesNotApply: "the study has one corpus" },
      seeded: false,
    }),
  },
  seeds: 20,
};
