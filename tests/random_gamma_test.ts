import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { RandomState } from "../lib/random.ts";

// Gamma and beta numbers of NumPy 2.1.3's RandomState, made by tests/golden/make_gamma.py. The uniform number that
// follows is compared exactly: every rejection fell as in NumPy. Values: 2e-15 relative, and where a power has a large
// exponent (shapes of 0.001) that times the exponent, because C libraries round pow and log differently.
interface Case {
  seed: number;
  gamma?: number;
  beta?: [number, number];
  values: number[];
  next: number;
}
const { cases } = JSON.parse(readFileSync(new URL("./golden/gamma.json", import.meta.url), "utf8")) as {
  cases: Case[];
};

Deno.test("gamma and beta numbers are those of NumPy's RandomState, and so is the state after them", () => {
  assert.equal(cases.length, 68);
  for (const { seed, gamma, beta, values, next } of cases) {
    const rng = new RandomState(seed);
    for (const value of values) {
      const drawn = beta ? rng.beta(...beta) : rng.gamma(gamma!, 2.5);
      const bound = 2e-15 * Math.max(1, 1 / Math.min(...(beta ?? [gamma!])));
      assert.ok(
        Math.abs(drawn - value) <= bound * Math.abs(value),
        `seed ${seed}, ${gamma ?? beta}: ${drawn}, ${value}`,
      );
    }
    assert.equal(rng.randomSample(), next);
  }
});

Deno.test("gamma and beta refuse shapes that no distribution has", () => {
  const rng = new RandomState(0);
  for (const shape of [-1, NaN, Infinity]) {
    assert.throws(() => rng.gamma(shape), RangeError);
    assert.throws(() => rng.beta(shape, 1), RangeError);
    assert.throws(() => rng.beta(1, shape), RangeError);
  }
  assert.throws(() => rng.beta(0, 1), RangeError);
  assert.throws(() => rng.gamma(1, -1), RangeError);
  assert.equal(rng.gamma(0), 0);
});
