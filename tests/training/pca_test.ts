// Against scikit-learn 1.9.1, PCA(n_components, svd_solver="full"): tests/golden/pca.json, made by make_pca.py. Variance
// to 1e-9, components to 1e-6, scores to 1e-6 of the largest.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { UsageError } from "../../lib/errors.ts";
import { pca } from "../../lib/training/pca.ts";

interface Case {
  readonly n: number;
  readonly d: number;
  readonly k: number;
  readonly x: readonly number[];
  readonly ratio: readonly number[];
  readonly components: readonly (readonly number[])[];
  readonly scores: readonly (readonly number[])[];
}
const { cases } = JSON.parse(readFileSync(new URL("../golden/pca.json", import.meta.url), "utf8")) as { cases: Case[] };

Deno.test("principal components are scikit-learn's, signs included", () => {
  for (const { n, d, k, x, ratio, components, scores } of cases) {
    const data = Float32Array.from({ length: n * d }, (_, i) => Math.sin(i * i * 0.37 + i) * (1 + i % d));
    x.forEach((value, i) => assert.ok(Math.abs(value - data[i]!) < 1e-6));
    const found = pca({ data, shape: [n, d] }, { nComponents: k });
    const name = `${n} × ${d}`;
    ratio.forEach((r, i) => assert.ok(Math.abs(r - found.explainedVarianceRatio[i]!) < 1e-9, `${name}: variance ${i}`));
    components.forEach((row, c) =>
      row.forEach((value, i) => assert.ok(Math.abs(value - found.components.data[c * d + i]!) < 1e-6, `${name}: ${c}`))
    );
    const most = Math.max(...scores.flat().map(Math.abs));
    scores.forEach((row, i) =>
      row.forEach((value, c) =>
        assert.ok(Math.abs(value - found.scores.data[i * k + c]!) < 1e-6 * most, `${name}: score ${i}, ${c}`)
      )
    );
  }
});

Deno.test("examples that are all alike, or differ in one direction only, have components of length 0 beyond it", () => {
  const same = pca({ data: new Float32Array(12).fill(3), shape: [4, 3] });
  assert.deepEqual(same.explainedVarianceRatio, [0, 0]);
  assert.deepEqual([...same.components.data, ...same.scores.data], new Array(6 + 8).fill(0));
  const line = pca({ data: Float32Array.of(0, 0, 1, 2, 2, 4, 3, 6), shape: [4, 2] });
  assert.ok(Math.abs(line.explainedVarianceRatio[0]! - 1) < 1e-12);
  assert.deepEqual([...line.components.data.subarray(2)], [0, 0]);
});

Deno.test("fewer than two examples and numbers of components that there cannot be are refused", () => {
  assert.throws(() => pca({ data: new Float32Array(3), shape: [1, 3] }), UsageError);
  for (const nComponents of [0, 1.5, 4]) {
    assert.throws(() => pca({ data: new Float32Array(12), shape: [4, 3] }, { nComponents }), UsageError);
  }
});
