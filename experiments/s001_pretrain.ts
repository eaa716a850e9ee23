/**
 * The pre-training of study 001's quarter VGG16: emotions of CREMA-D's pictures. It stands in for ImageNet where the
 * official weights are not at hand; nobody published it.
 *
 * @module
 */

import { study001Vgg16 } from "../lib/models/mod.ts";
import { labelMaps, mapLabel } from "../lib/corpora/labels.ts";
import type { Study } from "../lib/study/declare.ts";
import { speakerHoldOut } from "./hold_out.ts";

/** Pre-training of the quarter VGG16. */
export const pretrain001: Study = {
  id: "001-pretrain",
  title: "Quarter VGG16 pre-trained on CREMA-D's pictures",
  source: "serlab",
  claims: [],
  flaw: "",
  why:
    "study 001's quarter VGG16 starts from these weights, where the study's own start is ImageNet; they are tested on " +
    "speakers of CREMA-D that they never heard.",
  corpora: ["crema-d"],
  labels: labelMaps["003"].labels,
  label: (row) => mapLabel(labelMaps["003"], row.emotion) ?? null,
  recipe: "study001",
  inputShape: [50, 300, 3],
  scaler: "none",
  variants: {
    "vgg16-quarter": {
      describe: "VGG16 with a quarter of the widths, all of it trained, Adam 0.0001, the best of 20 epochs",
      model: (options) => study001Vgg16({ ...options, widthDivisor: 4, train: "all" }),
      optimizer: { kind: "adam", learningRate: 1e-4 },
      plan: { batchSize: 32, epochs: 20, keepBest: "valAccuracy" },
    },
  },
  protocols: {
    clean: {
      describe: "18 speakers tested, 6 to choose the epoch, random_state 42",
      scalerRows: "train",
      bySpeaker: true,
      folds: speakerHoldOut({ test: { "crema-d": 18 }, validation: { "crema-d": 6 } }),
    },
  },
  seeds: 1,
};
