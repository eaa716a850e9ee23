import assert from "node:assert/strict";
import { mfcc } from "../../lib/features/mel.ts";
import { type Emotion, EMOTIONS } from "../../lib/types.ts";
import { speak } from "../../lib/corpora/voice.ts";
import { leaveOneGroupOut } from "../../lib/split/groups.ts";
import { stratifiedKFold } from "../../lib/split/sklearn.ts";

interface Row {
  readonly x: Float64Array;
  readonly emotion: Emotion;
  readonly speaker: number;
}

/** The default corpus as mean and deviation of 20 MFCCs, and a 1 for the intercept. */
function corpus(speakerCue: number): Row[] {
  const rows: Row[] = [];
  for (let speaker = 1; speaker <= 8; speaker++) {
    for (const emotion of EMOTIONS) {
      for (const [sentence, take] of [[1, 1], [1, 2], [2, 1], [2, 2]] as const) {
        const wave = speak({ seed: 0, speaker, emotion, sentence, take, speakerCue });
        const { data, shape: [bins, frames] } = mfcc(wave, { nMfcc: 20 });
        const x = new Float64Array(2 * bins + 1).fill(1);
        for (let b = 0; b < bins; b++) {
          const row = data.subarray(b * frames, (b + 1) * frames);
          const mean = row.reduce((sum, v) => sum + v, 0) / frames;
          x[2 * b] = mean;
          x[2 * b + 1] = Math.sqrt(row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / frames);
        }
        rows.push({ x, emotion, speaker });
      }
    }
  }
  return rows;
}

/** Accuracy of ridge regression on the classes, standardised on the training rows, over folds. */
function accuracy(
  rows: readonly Row[],
  folds: readonly { train: ArrayLike<number>; test: ArrayLike<number> }[],
): number {
  const n = rows[0]!.x.length;
  const k = EMOTIONS.length;
  let right = 0;
  let total = 0;
  for (const fold of folds) {
    const train = Array.from(fold.train, (i) => rows[i]!);
    const mean = new Float64Array(n);
    const scale = new Float64Array(n).fill(1);
    for (let j = 0; j < n - 1; j++) {
      mean[j] = train.reduce((sum, row) => sum + row.x[j]!, 0) / train.length;
      scale[j] = Math.sqrt(train.reduce((sum, row) => sum + (row.x[j]! - mean[j]!) ** 2, 0) / train.length) || 1;
    }
    const z = (row: Row) => row.x.map((v, j) => (v - mean[j]!) / scale[j]!);
    // [X'X + λI | X'Y], solved by Gauss–Jordan elimination; it is positive definite, so no pivoting is needed.
    const system = Array.from({ length: n }, (_, i) => {
      const row = new Float64Array(n + k);
      row[i] = 3;
      return row;
    });
    for (const row of train) {
      const v = z(row);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) system[i]![j]! += v[i]! * v[j]!;
        system[i]![n + EMOTIONS.indexOf(row.emotion as typeof EMOTIONS[number])]! += v[i]!;
      }
    }
    for (let i = 0; i < n; i++) {
      const pivot = system[i]![i]!;
      for (let j = i; j < n + k; j++) system[i]![j]! /= pivot;
      for (let r = 0; r < n; r++) {
        const factor = system[r]![i]!;
        if (r !== i && factor !== 0) { for (let j = i; j < n + k; j++) system[r]![j]! -= factor * system[i]![j]!; }
      }
    }
    for (const row of Array.from(fold.test, (i) => rows[i]!)) {
      const v = z(row);
      const scores = EMOTIONS.map((_, c) => v.reduce((sum, value, i) => sum + value * system[i]![n + c]!, 0));
      if (EMOTIONS[scores.indexOf(Math.max(...scores))] === row.emotion) right++;
      total++;
    }
  }
  return right / total;
}

Deno.test("a simple model on the synthetic corpus beats chance on new speakers, is not perfect, and a random split flatters it", () => {
  const scores = [0, 1].map((speakerCue) => {
    const rows = corpus(speakerCue);
    const speakers = rows.map((row) => row.speaker);
    const labels = rows.map((row) => row.emotion);
    return {
      speaker: accuracy(rows, leaveOneGroupOut(speakers)),
      random: accuracy(rows, stratifiedKFold(labels, { nSplits: 8, shuffle: true, randomState: 0 })),
    };
  });
  const [plain, cued] = scores as [typeof scores[0], typeof scores[0]];
  const text = JSON.stringify(scores);
  // Chance is 12.5 %.
  assert.ok(plain.speaker > 0.4 && plain.speaker < 0.75, text);
  assert.ok(plain.random > plain.speaker + 0.05 && plain.random < 0.9, text);
  // The planted cue helps who has heard the speaker, and nobody else.
  assert.ok(cued.random > plain.random + 0.05, text);
  assert.ok(cued.speaker < plain.speaker, text);
});
