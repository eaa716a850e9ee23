import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createTrainer } from "../../lib/engine/mod.ts";
import { eagerTrainer } from "../../lib/engine/trainer.ts";
import { mlpClassifierOrder, study004Mlp } from "../../lib/models/mod.ts";
import { fit } from "../../lib/training/train.ts";
import "../engine/engine_for_tests.ts";

// scikit-learn 1.9.1, MLPClassifier(random_state=…).fit: tests/golden/make_mlp.py. Theirs computes in double precision.
const golden = JSON.parse(readFileSync(new URL("../golden/mlp.json", import.meta.url), "utf8")) as {
  x: number[];
  y: number[];
  inputs: number;
  classes: number;
  hidden: number;
  runs: {
    seed: number;
    rows: number;
    batch_size: number;
    tol: number;
    max_iter: number;
    alpha: number;
    n_iter: number;
    loss_curve: number[];
    probabilities: number[];
  }[];
};
const { inputs, classes, hidden } = golden;
const shape = [golden.y.length, inputs];
const data = { x: { data: Float32Array.from(golden.x), shape }, y: Int32Array.from(golden.y) };

for (const run of golden.runs) {
  for (const [name, trainerOf] of [["compiled", createTrainer], ["operation by operation", eagerTrainer]] as const) {
    Deno.test(`${run.rows} rows train as scikit-learn's MLPClassifier does, loss by loss, and stop after ${run.n_iter} epochs: ${name}`, async () => {
      const { seed, rows, alpha } = run;
      const batchSize = Math.min(run.batch_size, rows);
      const model = study004Mlp({ classes, seed, inputs, hidden, alpha, batchSize });
      const trainer = trainerOf(model, { optimizer: { kind: "adam", learningRate: 0.01, epsilon: 1e-8 }, seed });
      const { history } = await fit(trainer, data, {
        epochs: run.max_iter,
        batchSize,
        penaltyRows: batchSize,
        noImprovement: { tolerance: run.tol, epochs: 10 },
      }, {
        seed,
        rows: Array.from({ length: rows }, (_, i) => i),
        order: mlpClassifierOrder(seed, [inputs, hidden, classes]),
      });
      assert.equal(history.length, run.n_iter);
      run.loss_curve.forEach((loss, i) => {
        const ours = history[i]!.loss;
        assert.ok(Math.abs(ours - loss) < 2e-5 * loss, `epoch ${i + 1}: ${ours}, scikit-learn ${loss}`);
      });
      const { data: p } = await trainer.predict({ data: data.x.data.subarray(0, 5 * inputs), shape: [5, inputs] });
      run.probabilities.forEach((theirs, i) => assert.ok(Math.abs(p[i]! - theirs) < 1e-4));
      trainer.dispose();
      model.dispose();
    });
  }
}

Deno.test("the order of any epoch is the same whether asked for in sequence or on resuming", () => {
  const sizes = [4, 3, 2];
  const once = mlpClassifierOrder(1, sizes);
  const inSequence = [0, 1, 2].map((epoch) => [...once(epoch, 9)]);
  assert.deepEqual([...mlpClassifierOrder(1, sizes)(2, 9)], inSequence[2]);
  assert.deepEqual([...once(1, 9)], inSequence[1], "going back");
  assert.notDeepEqual(inSequence[0], inSequence[1]);
});
