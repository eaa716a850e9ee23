/**
 * The demo as a study: study 000's optimised network on the synthetic corpus, tested on speakers it never heard.
 *
 * @module
 */

import { study000Cnn } from "../lib/models/mod.ts";
import { groupFolds } from "../lib/split/mod.ts";
import type { Study } from "../lib/study/declare.ts";
import { EMOTIONS } from "../lib/types.ts";

/** The demo study; not on the shelf, because nobody published it. */
export const demo: Study = {
  id: "demo",
  title: "The whole way on synthetic audio",
  source: "serlab",
  claims: [],
  flaw: "",
  why: "",
  corpora: ["synthetic"],
  labels: EMOTIONS,
  label: (row) => row.emotion,
  recipe: "study000",
  inputShape: [64, 64, 1],
  scaler: "global",
  variants: {
    cnn: {
      describe: "study 000's network with dropout 0.5, Adam 0.001, 12 epochs",
      model: (options) => study000Cnn({ ...options, dropout: 0.5 }),
      optimizer: { kind: "adam", learningRate: 0.001 },
      plan: { epochs: 12, batchSize: 32 },
    },
  },
  protocols: {
    clean: {
      describe: "two speakers left out in turn",
      scalerRows: "train",
      bySpeaker: true,
      folds: (rows) => {
        const speakers = [...new Set(rows.map((row) => row.speaker))].sort();
        const pairs = speakers.flatMap((first, i) => i % 2 === 0 ? [[first, speakers[i + 1]!]] : []);
        return groupFolds(
          rows.map((row) => row.speaker),
          Object.fromEntries(pairs.map((pair) => [pair.join(" and "), pair])),
        );
      },
    },
  },
  seeds: 1,
};
