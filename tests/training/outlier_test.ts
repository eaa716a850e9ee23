import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { FormatError } from "../../lib/errors.ts";
import { stream } from "../../lib/random.ts";
import { fitOutlier, fitOutlierLimits, outlierDistances, outlierScore } from "../../lib/training/outlier.ts";

interface Golden {
  readonly tolerance: number;
  readonly rows: number[][];
  readonly queries: number[][];
  readonly distances: number[][];
}
const golden = JSON.parse(
  readFileSync(new URL("../golden/outlier.json", import.meta.url), "utf8"),
) as Golden;

Deno.test("distances equal those of scikit-learn's Ledoit-Wolf covariance, as values and as logarithms", () => {
  const { rows, queries, distances, tolerance } = golden;
  const model = fitOutlier({ data: Float32Array.from(rows.flat()), shape: [rows.length, rows[0]!.length] });
  assert.equal(model.views.length, 2);
  assert.deepEqual([...model.views[1]!.floor].map((floor) => floor > 0), [false, false, false, true, true, true]);
  queries.forEach((query, i) => {
    outlierDistances(model, Float32Array.from(query)).forEach((value, v) => {
      const expected = distances[i]![v]!;
      assert.ok(
        Math.abs(value - expected) <= tolerance * Math.max(1, expected),
        `${i}, view ${v}: ${value}, ${expected}`,
      );
    });
  });
});

Deno.test("rows like the training's lie near 1, whatever their number of columns; others far away", () => {
  const rng = stream(0, "outlier test");
  for (const size of [3, 100, 1000]) {
    const row = (gain: number): number[] => Array.from({ length: size }, () => gain * rng.standardNormal());
    const data = Float32Array.from(Array.from({ length: 300 }, () => row(1)).flat());
    const model = fitOutlier({ data, shape: [300, size] });
    assert.ok(model.size <= 256);
    const near = outlierScore(model, Float32Array.from(row(1))), far = outlierScore(model, Float32Array.from(row(20)));
    assert.ok(near > 0.3 && near < 1.9, `${size}: ${near}`);
    assert.ok(far > 2 * near, `${size}: ${far}`);
  }
});

Deno.test("a band that is missing altogether is told by its logarithm, a constant column does no harm", () => {
  const rng = stream(1, "outlier test");
  const row = (): number[] => [Math.exp(rng.standardNormal() - 9), Math.exp(rng.standardNormal()), 7];
  const data = Float32Array.from(Array.from({ length: 200 }, row).flat());
  const model = fitOutlier({ data, shape: [200, 3] });
  const [plain, logs] = outlierDistances(model, Float32Array.of(1e-12, 1, 7));
  assert.ok(plain! < 1 && logs! > 2.5, `${plain} ${logs}`);
  assert.throws(() => outlierScore(model, new Float32Array(5)), FormatError);
  assert.throws(() => fitOutlier({ data, shape: [200, 3] }, [4]), RangeError);
});

Deno.test("limits let the asked share of rows through all views together", () => {
  const rng = stream(2, "outlier test");
  const distances = Array.from({ length: 500 }, () => [rng.uniform(0, 1), rng.uniform(0, 3)]);
  const limits = fitOutlierLimits(distances, 0.9);
  const inside = distances.filter((each) => each.every((value, v) => value <= limits[v]!)).length / 500;
  assert.ok(inside >= 0.9 && inside < 0.91, String(inside));
  assert.deepEqual(fitOutlierLimits([[1, 2], [3, 1]], 1), [3, 2]);
});
