import assert from "node:assert/strict";
import { stream } from "../../lib/random.ts";
import {
  applyTemperature,
  chooseThreshold,
  confidences,
  coverageCurve,
  expectedCalibrationError,
  fitTemperature,
  negativeLogLikelihood,
} from "../../lib/training/calibration.ts";
import { logLoss } from "../../lib/training/metrics.ts";
import type { NdArray } from "../../lib/types.ts";

type Rows = NdArray<readonly [number, number]>;

/** Rows that are right as often as they say, then sharpened by a temperature. */
function sharpened(n: number, classes: number, temperature: number): { rows: Rows; truth: number[] } {
  const rng = stream(5, "calibration test", n, classes);
  const data = new Float32Array(n * classes), truth: number[] = [];
  for (let row = 0; row < n; row++) {
    const powers = Array.from({ length: classes }, () => Math.exp(1.5 * rng.standardNormal()));
    const sum = powers.reduce((a, b) => a + b, 0);
    let left = rng.uniform(0, 1), drawn = classes - 1;
    for (let k = 0; k < classes; k++) {
      left -= powers[k]! / sum;
      if (left < 0) {
        drawn = k;
        break;
      }
    }
    truth.push(drawn);
    powers.forEach((power, k) => data[row * classes + k] = power / sum);
  }
  return { rows: applyTemperature({ data, shape: [n, classes] }, 1 / temperature), truth };
}

Deno.test("the temperature that sharpened calibrated rows is found again, and mends their calibration", () => {
  const { rows, truth } = sharpened(20000, 4, 2.5);
  const temperature = fitTemperature(rows, truth);
  assert.ok(Math.abs(temperature - 2.5) < 0.06, String(temperature));
  const mended = applyTemperature(rows, temperature);
  assert.ok(expectedCalibrationError(rows, truth) > 0.1);
  assert.ok(expectedCalibrationError(mended, truth) < 0.012);
  assert.ok(negativeLogLikelihood(mended, truth) < negativeLogLikelihood(rows, truth));
  for (const factor of [0.98, 1.02]) {
    const beside = negativeLogLikelihood(applyTemperature(rows, factor * temperature), truth);
    assert.ok(beside > negativeLogLikelihood(mended, truth), "no temperature nearby is better");
  }
});

Deno.test("a temperature moves probabilities, never the order of the labels, and 1 moves nothing", () => {
  const { rows, truth } = sharpened(200, 5, 1);
  assert.equal(applyTemperature(rows, 1), rows);
  for (const temperature of [0.2, 0.9, 7]) {
    const other = applyTemperature(rows, temperature);
    assert.deepEqual(confidences(other, truth).right, confidences(rows, truth).right);
    for (let row = 0; row < 200; row++) {
      const sum = other.data.subarray(5 * row, 5 * row + 5).reduce((a, b) => a + b, 0);
      assert.ok(Math.abs(sum - 1) < 1e-5);
    }
  }
  // What single precision made 0 still has a logarithm.
  const [a, b] = applyTemperature({ data: Float32Array.of(1, 0), shape: [1, 2] }, 50).data;
  assert.ok(a! > b! && b! > 0.1);
  for (const wrong of [0, -1, NaN, Infinity]) assert.throws(() => applyTemperature(rows, wrong), RangeError);
});

Deno.test("the NLL is scikit-learn's log loss; the calibration error is what its bins say by hand", () => {
  const { rows, truth } = sharpened(300, 3, 1.4), labels = ["a", "b", "c"];
  const each = Array.from({ length: 300 }, (_, i) => rows.data.subarray(3 * i, 3 * i + 3));
  assert.ok(Math.abs(negativeLogLikelihood(rows, truth) - logLoss(truth.map((k) => labels[k]!), each, labels)) < 1e-6);
  // Two bins of 0.5: three rows in the upper one, confidence 0.6 + 0.8 + 1 = 2.4, two right: |2 - 2.4| / 3.
  const upper: Rows = { data: Float32Array.of(0.6, 0.4, 0.8, 0.2, 0, 1), shape: [3, 2] };
  assert.ok(Math.abs(expectedCalibrationError(upper, [0, 1, 1], { bins: 2 }) - 0.4 / 3) < 1e-6);
  assert.throws(() => negativeLogLikelihood(rows, [0]), RangeError);
  assert.throws(() => fitTemperature({ data: new Float32Array(0), shape: [0, 2] }, []), RangeError);
});

Deno.test("coverage rises to 1, ties are answered together, a thinned curve keeps its end", () => {
  const curve = coverageCurve([0.5, 0.9, 0.5, 0.7], [1, 1, 0, 0]);
  assert.deepEqual(curve.map(({ n }) => n), [1, 2, 4]);
  assert.deepEqual(curve.at(-1), { coverage: 1, threshold: 0.5, accuracy: 0.5, n: 4 });
  const { rows, truth } = sharpened(1000, 4, 1);
  const { confidence, right } = confidences(rows, truth);
  const thin = coverageCurve(confidence, right, { points: 20 });
  assert.ok(thin.length <= 20 && thin.at(-1)!.coverage === 1);
  assert.ok(thin[0]!.accuracy > thin.at(-1)!.accuracy, "the most certain answers are right more often");
});

Deno.test("a threshold answers as much as its target allows, nothing held back where all answers reach it", () => {
  const confidence = [0.9, 0.8, 0.7, 0.6, 0.5], right = [1, 1, 0, 1, 0];
  const chosen = chooseThreshold(confidence, right, { target: 0.75 });
  assert.deepEqual([chosen.threshold, chosen.coverage, chosen.accuracy, chosen.reached], [0.6, 0.8, 0.75, true]);
  assert.equal(chooseThreshold(confidence, right, { target: 0.5 }).threshold, 0);
  const missed = chooseThreshold([0.9, 0.8, 0.7], [0, 1, 0], { target: 0.9, leastCoverage: 0.5 });
  assert.deepEqual([missed.threshold, missed.reached], [0.8, false]);
});
