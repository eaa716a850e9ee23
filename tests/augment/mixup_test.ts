import assert from "node:assert/strict";
import type { Batch } from "../../lib/augment/augmentation.ts";
import { mixup, mixupKind } from "../../lib/augment/mixup.ts";
import { FormatError, UsageError } from "../../lib/errors.ts";
import { RandomState } from "../../lib/random.ts";

function batch(n: number): Batch {
  const x = { data: Float32Array.from({ length: n * 6 }, (_, i) => i), shape: [n, 2, 3] };
  const y = { data: new Float32Array(n * 4), shape: [n, 4] };
  for (let i = 0; i < n; i++) y.data[i * 4 + (i % 4)] = 1;
  return { x, y };
}

Deno.test("examples and targets are mixed with the same partner by the same share", () => {
  const input = batch(8);
  for (const perExample of [false, true]) {
    const augmentation = mixup({ alpha: 0.4, perExample });
    const params = augmentation.draw(new RandomState(1), input);
    assert.equal(params.lambda.length, perExample ? 8 : 1);
    assert.deepEqual([...params.partners].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
    const { x, y } = augmentation.apply(input, params);
    for (let i = 0; i < 8; i++) {
      const share = params.lambda[perExample ? i : 0]!, other = params.partners[i]!;
      for (let j = 0; j < 6; j++) {
        assert.equal(x.data[i * 6 + j], Math.fround(share * (i * 6 + j) + (1 - share) * (other * 6 + j)));
      }
      const total = y.data.subarray(i * 4, i * 4 + 4).reduce((a, b) => a + b);
      assert.ok(Math.abs(total - 1) < 1e-6);
    }
  }
  assert.deepEqual(input, batch(8));
});

Deno.test("shares follow Beta(alpha, alpha): mean 1/2, variance 1 / (4 (2 alpha + 1))", () => {
  const rng = new RandomState(7);
  for (const alpha of [0.2, 1, 4]) {
    const drawn = mixup({ alpha, perExample: true }).draw(rng, batch(5000)).lambda;
    const mean = drawn.reduce((a, b) => a + b) / 5000;
    const variance = drawn.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 5000;
    assert.ok(Math.abs(mean - 0.5) < 0.02);
    assert.ok(Math.abs(variance * 4 * (2 * alpha + 1) - 1) < 0.06);
  }
});

Deno.test("a record read from JSON gives the same batch, and fits no batch of another size", () => {
  const input = batch(5), augmentation = mixup();
  const params = augmentation.draw(new RandomState(2), input);
  const again = augmentation.parse(JSON.parse(JSON.stringify(params)));
  assert.deepEqual(augmentation.apply(input, again), augmentation.apply(input, params));
  assert.throws(() => augmentation.apply(batch(6), params), UsageError);
});

Deno.test("an alpha or a record that makes no sense is refused", () => {
  for (const alpha of [0, -1, NaN, Infinity]) assert.throws(() => mixup({ alpha }), UsageError);
  const good = { lambda: [0.5], partners: [1, 0] };
  assert.deepEqual(mixupKind.parse(good), good);
  for (
    const bad of [{ lambda: [2] }, { lambda: [0.1, 0.2, 0.3] }, { lambda: ["1"] }, { partners: [2, 0] }, {
      partners: 1,
    }]
  ) {
    assert.throws(() => mixupKind.parse({ ...good, ...bad }), FormatError);
  }
});
