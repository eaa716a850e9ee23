import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs";
import { Optimizer, type OptimizerSpec } from "../../lib/engine/optimizers.ts";
import "./engine_for_tests.ts";

// Keras 3's own updates on the same gradients and rates: tests/golden/make_optimizers.py. Tolerance: float32 rounding.
const golden = JSON.parse(readFileSync(new URL("../golden/optimizers.json", import.meta.url), "utf8")) as {
  start: number[];
  gradients: number[][];
  rates: number[];
  cases: { spec: OptimizerSpec; values: number[][] }[];
};

for (const { spec, values } of golden.cases) {
  Deno.test(`${JSON.stringify(spec)} moves a weight as Keras 3 does`, async () => {
    const variable = tf.variable(tf.tensor1d(golden.start));
    const optimizer = new Optimizer(spec, [variable]);
    for (const [i, gradient] of golden.gradients.entries()) {
      const g = tf.tensor1d(gradient);
      optimizer.apply([g], golden.rates[i]!);
      g.dispose();
      const got = await variable.data();
      values[i]!.forEach((want, k) =>
        assert.ok(Math.abs(got[k]! - want) < 2e-6, `step ${i}: ${got[k]} is not ${want}`)
      );
    }
    optimizer.dispose();
    variable.dispose();
  });
}
