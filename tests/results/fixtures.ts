import { RandomState } from "../../lib/random.ts";
import type { RunInput } from "../../lib/results/record.ts";
import { mostProbable, type PredictionRow, type Predictions } from "../../lib/training/evaluate.ts";

/** Predictions of a pretended model: right with probability `skill`, one fold a speaker. */
export function pretend(
  seed: number,
  options: { speakers?: number; clips?: number; labels?: readonly string[]; skill?: number; folds?: boolean } = {},
): Predictions {
  const { speakers = 4, clips = 12, labels = ["neutral", "happy", "sad"], skill = 0.6, folds = true } = options;
  const rng = new RandomState(seed);
  const rows: PredictionRow[] = [];
  for (let s = 0; s < speakers; s++) {
    for (let i = 0; i < clips; i++) {
      const truth = labels[i % labels.length]!;
      const raw = labels.map((label) => rng.randomSample() + (label === truth ? 2 * skill * rng.randomSample() : 0));
      const sum = raw.reduce((total, value) => total + value, 0);
      const probabilities = Float32Array.from(raw, (value) => value / sum);
      const key = `ravdess/clip-${s}-${i}`;
      const prediction = mostProbable(probabilities, labels);
      rows.push({
        key,
        parent: key,
        copy: 0,
        speaker: `ravdess-0${s + 1}`,
        fold: folds ? s : 0,
        truth,
        prediction,
        probabilities,
      });
    }
  }
  return { labels, rows };
}

/** A run that fits `pretend`. */
export function pretendRun(more: Partial<RunInput> = {}, predictions: Predictions = pretend(0)): RunInput {
  const folds = [...new Set(predictions.rows.map((row) => row.fold))];
  return {
    study: "000",
    variant: "vanilla",
    protocol: "clean",
    seed: 0,
    claim: { accuracy: 24 / 36, n: 36, source: "a README" },
    commit: "0123456789abcdef0123456789abcdef01234567",
    lock: "a".repeat(64),
    manifest: "b".repeat(64),
    split: "c".repeat(64),
    environment: { deno: "2.9.6", tensorflow: "2.19.1", backend: "native", cpu: "A processor", cores: 2 },
    config: { batchSize: 32, optimizer: { kind: "rmsprop", learningRate: 0.001 } },
    fraction: 1,
    epochs: 3,
    bySpeaker: true,
    counts: {
      train: 3 * predictions.rows.length,
      validation: 0,
      test: predictions.rows.length,
      speakersTrain: 4,
      speakersTest: new Set(predictions.rows.map((row) => row.speaker)).size,
    },
    folds: folds.map((fold) => ({
      fold,
      name: `fold ${fold}`,
      history: [1, 2, 3].map((epoch) => ({ epoch, loss: 2 / epoch, accuracy: 0.2 * epoch, learningRate: 0.001 })),
    })),
    seconds: { features: 1.5, train: 12.25, evaluate: 0.125 },
    peakMemoryMb: 812.5,
    ...more,
  };
}
