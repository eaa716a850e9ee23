/**
 * What can be searched: one declared search a study, the last ones for trials of the machinery.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import {
  cnnLstm,
  mlpClassifierOrder,
  study000Cnn,
  study001Vgg16,
  study002Conv1d,
  study003Conv1d,
  study004Mlp,
} from "../lib/models/mod.ts";
import type { FunctionSearch, Search, StudySearch } from "../lib/search/declare.ts";
import { choice, integer, logUniform, uniform } from "../lib/search/space.ts";
import { toySearches } from "../lib/search/toy.ts";
import type { Configuration } from "../lib/search/types.ts";
import { demo } from "./demo.ts";
import { study000 } from "./s000_ravdess_cnn.ts";
import { study001 } from "./s001_ravdess_pictures.ts";
import { study002 } from "./s002_four_corpora_conv1d.ts";
import { study003 } from "./s003_cremad_cnn.ts";
import { study004 } from "./s004_ravdess_mlp.ts";

/** A parameter's value as a number; the space holds it to that. */
function number(config: Configuration, name: string): number {
  return config[name] as number;
}

const search000: StudySearch = {
  kind: "study",
  id: "000",
  study: study000,
  variant: "optimised",
  describe: "what the README calls optimisation and never did: optimiser, rate, penalty, dropout, batch size",
  space: {
    optimizer: choice(["adam", "rmsprop"]),
    rate: logUniform(1e-4, 1e-2, { grid: [3e-4, 1e-3, 3e-3] }),
    penalty: choice(["none", "l1", "l2"]),
    strength: logUniform(1e-5, 1e-1, { when: { parameter: "penalty", is: ["l1", "l2"] }, grid: [1e-4, 1e-2] }),
    dropout: uniform(0, 0.7, { grid: [0, 0.5] }),
    batchSize: choice([16, 32, 64]),
  },
  change: (config, { plan }) => ({
    model: (options) =>
      study000Cnn({
        ...options,
        dropout: number(config, "dropout"),
        penalty: config["penalty"] === "none"
          ? undefined
          : { [config["penalty"] as "l1" | "l2"]: number(config, "strength") },
      }),
    optimizer: { kind: config["optimizer"] as "adam" | "rmsprop", learningRate: number(config, "rate") },
    plan: { ...plan, batchSize: number(config, "batchSize") },
  }),
};

/** Right of 154 validation rows in the order of the grid (STUDIES, seed 001: hyper-parameter search). */
const HITS_001 = [
  [114, 111, 111, 106],
  [117, 19, 114, 19],
  [122, 105, 116, 116],
  [118, 19, 97, 19],
  [113, 84, 53, 70],
  [102, 19, 19, 19],
  [119, 94, 108, 19],
  [100, 19, 81, 19],
].flat();

const search001: StudySearch = {
  kind: "study",
  id: "001",
  study: study001,
  variant: "vgg16-quarter",
  describe: "the study's own grid of 32, on a VGG16 of a quarter of the widths",
  space: {
    layers: choice([2, 4]),
    neurons: choice([100, 300]),
    trainable: choice([2, 3]),
    dropout: choice([0.2, 0.4]),
    rate: choice([0.001, 0.005]),
  },
  change: (config, { plan }) => ({
    model: (options) =>
      study001Vgg16({
        ...options,
        widthDivisor: 4,
        // The study counts layers of the list: the pooling after block5_conv3 is one of them.
        train: config["trainable"] === 2 ? "last-convolution" : "last-two-convolutions",
        hidden: Array.from({ length: number(config, "layers") }, () => ({
          units: number(config, "neurons"),
          dropout: number(config, "dropout"),
        })),
      }),
    optimizer: { kind: "adam", learningRate: number(config, "rate") },
    plan,
  }),
  published: {
    source: "LeyaJoseph/Speech-Emotion-Recognition, Hyperparameter_Tuning_VGG16_Fine_Tuned_Model",
    n: 154,
    hits: HITS_001,
    note: "the largest of 32 validation accuracies was set beside the untuned model's test accuracy, 75.97 %; the " +
      "untuned model had 80.52 % on its validation rows",
  },
};

const search002: StudySearch = {
  kind: "study",
  id: "002",
  study: study002,
  variant: "cnn-lstm",
  describe: "the network of the study's future work, which trains about a hundred times faster than the published one",
  space: {
    rate: logUniform(1e-4, 1e-2, { grid: [3e-4, 1e-3, 3e-3] }),
    filters: choice([32, 64, 128]),
    units: choice([64, 128]),
    dropout: uniform(0, 0.6, { grid: [0, 0.3] }),
    batchSize: choice([32, 64, 128]),
  },
  change: (config, { plan }) => ({
    model: (options) =>
      cnnLstm({
        ...options,
        filters: number(config, "filters"),
        units: number(config, "units"),
        dropout: number(config, "dropout"),
      }),
    optimizer: { kind: "adam", learningRate: number(config, "rate") },
    plan: { ...plan, batchSize: number(config, "batchSize") },
  }),
};

const search002Conv1d: StudySearch = {
  kind: "study",
  id: "002-conv1d",
  study: study002,
  variant: "conv1d",
  describe: "the published network, its widths among what is chosen",
  space: {
    rate: logUniform(1e-4, 3e-3, { grid: [3e-4, 1e-3] }),
    widthDivisor: choice([1, 4, 16]),
    dropout: uniform(0, 0.5, { grid: [0.2, 0.4] }),
    batchSize: choice([32, 64, 128]),
  },
  change: (config, { plan }) => ({
    model: (options) =>
      study002Conv1d({
        ...options,
        widthDivisor: number(config, "widthDivisor"),
        dropout: number(config, "dropout"),
      }),
    optimizer: { kind: "adam", learningRate: number(config, "rate") },
    plan: { ...plan, batchSize: number(config, "batchSize") },
  }),
};

const search003: StudySearch = {
  kind: "study",
  id: "003",
  study: study003,
  variant: "conv1d",
  describe: "the Conv1D, whose heavy penalty keeps it from learning its training rows",
  space: {
    rate: logUniform(3e-4, 1e-2, { grid: [1e-3, 2.5e-3] }),
    l2: logUniform(1e-4, 0.2, { grid: [1e-3, 1e-2, 1e-1] }),
    dropout: uniform(0, 0.6, { grid: [0, 0.3] }),
    hidden: choice([32, 64, 128]),
    batchSize: choice([60, 120, 240]),
  },
  change: (config, { plan }) => ({
    model: (options) =>
      study003Conv1d({
        ...options,
        l2: number(config, "l2"),
        dropout: number(config, "dropout"),
        hidden: number(config, "hidden"),
      }),
    optimizer: { kind: "adam", learningRate: number(config, "rate") },
    plan: { ...plan, batchSize: number(config, "batchSize") },
  }),
};

const search004: StudySearch = {
  kind: "study",
  id: "004",
  study: study004,
  variant: "scaled",
  describe: "scikit-learn's perceptron on standardised features",
  // Cheap enough to score every speaker of the training side.
  innerFolds: 5,
  space: {
    rate: logUniform(1e-4, 1e-2, { grid: [3e-4, 1e-3, 3e-3] }),
    hidden: integer(32, 512, { log: true, grid: [100, 300] }),
    alpha: logUniform(1e-4, 10, { grid: [1e-2, 1] }),
    batchSize: choice([32, 64, 128, 256]),
  },
  change: (config, { plan }) => {
    const hidden = number(config, "hidden"), batchSize = number(config, "batchSize");
    return {
      model: (options) => study004Mlp({ ...options, hidden, batchSize, alpha: number(config, "alpha") }),
      optimizer: { kind: "adam", learningRate: number(config, "rate"), epsilon: 1e-8 },
      plan: { ...plan, batchSize, penaltyRows: batchSize },
      order: (seed, classes) => mlpClassifierOrder(seed, [180, hidden, classes]),
    };
  },
};

const searchDemo: StudySearch = {
  kind: "study",
  id: "demo",
  study: demo,
  variant: "cnn",
  describe: "a few choices on the synthetic corpus, in seconds",
  space: {
    rate: logUniform(1e-4, 1e-2, { grid: [3e-4, 1e-3, 3e-3] }),
    dropout: choice([0, 0.5]),
    batchSize: choice([16, 32]),
  },
  change: (config, { plan }) => ({
    model: (options) => study000Cnn({ ...options, dropout: number(config, "dropout") }),
    optimizer: { kind: "adam", learningRate: number(config, "rate") },
    plan: { ...plan, batchSize: number(config, "batchSize") },
  }),
};

/** Searches of studies, by number. */
export const searches: readonly StudySearch[] = [
  search000,
  search001,
  search002,
  search002Conv1d,
  search003,
  search004,
  searchDemo,
];

/**
 * The search of that name, functions included.
 *
 * @throws {UsageError} when there is none, listing what there is.
 */
export function findSearch(id: string): Search {
  const all: readonly (StudySearch | FunctionSearch)[] = [...searches, ...toySearches];
  const found = all.find((each) => each.id === id);
  if (found) return found;
  throw new UsageError(`There is no search ${id}; there are ${searches.map((each) => each.id).join(", ")}.`);
}
