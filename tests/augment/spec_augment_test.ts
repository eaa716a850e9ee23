import assert from "node:assert/strict";
import { specAugment, specAugmentKind } from "../../lib/augment/spec_augment.ts";
import { FormatError, UsageError } from "../../lib/errors.ts";
import { RandomState } from "../../lib/random.ts";
import type { Matrix } from "../../lib/types.ts";

const features: Matrix = { data: Float32Array.from({ length: 40 * 60 }, (_, i) => i), shape: [40, 60] };

Deno.test("masks have drawn widths up to the widest and lie within the features", () => {
  const rng = new RandomState(4);
  const augmentation = specAugment({ maxFrequencyWidth: 8, maxTimeWidth: 30, maxTimeShare: 0.25, timeMasks: 3 });
  const widths = { frequency: new Set<number>(), time: new Set<number>() };
  for (let i = 0; i < 500; i++) {
    const { frequencyMasks, timeMasks } = augmentation.draw(rng, features);
    assert.equal(frequencyMasks.length, 2);
    assert.equal(timeMasks.length, 3);
    for (const [start, width] of frequencyMasks) {
      assert.ok(start >= 0 && start + width <= 40);
      widths.frequency.add(width);
    }
    for (const [start, width] of timeMasks) {
      assert.ok(start >= 0 && start + width <= 60);
      widths.time.add(width);
    }
  }
  assert.deepEqual([...widths.frequency].sort((a, b) => a - b), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  // A quarter of 60 frames is less than 30.
  assert.equal(Math.max(...widths.time), 15);
});

Deno.test("masked cells take the fill, all others stay as they are", () => {
  const mean = features.data.reduce((a, b) => a + b) / features.data.length;
  for (const [fill, value] of [["mean", mean], ["min", 0], [-80, -80]] as const) {
    const params = { frequencyMasks: [[3, 2]], timeMasks: [[10, 5]], fill } as const;
    const { data, shape } = specAugmentKind.apply(features, params);
    assert.deepEqual(shape, [40, 60]);
    for (let bin = 0; bin < 40; bin++) {
      for (let frame = 0; frame < 60; frame++) {
        const masked = bin === 3 || bin === 4 || (frame >= 10 && frame < 15);
        assert.equal(data[bin * 60 + frame], masked ? Math.fround(value) : bin * 60 + frame);
      }
    }
  }
  assert.equal(features.data[3 * 60], 180);
});

Deno.test("features smaller than the widest mask, and masks beyond them, are no trouble", () => {
  const tiny: Matrix = { data: Float32Array.of(1, 2), shape: [1, 2] };
  const rng = new RandomState(0);
  for (let i = 0; i < 50; i++) {
    const params = specAugment({ maxTimeShare: 1 }).draw(rng, tiny);
    assert.equal(specAugmentKind.apply(tiny, params).data.length, 2);
  }
  const beyond = { frequencyMasks: [[5, 5]], timeMasks: [[1, 100]], fill: 0 } as const;
  assert.deepEqual([...specAugmentKind.apply(tiny, beyond).data], [1, 0]);
});

Deno.test("a record read from JSON gives the same features", () => {
  const augmentation = specAugment();
  const params = augmentation.draw(new RandomState(8), features);
  assert.deepEqual(
    augmentation.apply(features, augmentation.parse(JSON.parse(JSON.stringify(params)))),
    augmentation.apply(features, params),
  );
});

Deno.test("options and records that make no sense are refused", () => {
  assert.throws(() => specAugment({ timeMasks: -1 }), UsageError);
  assert.throws(() => specAugment({ maxTimeWidth: 1.5 }), UsageError);
  assert.throws(() => specAugment({ maxTimeShare: 2 }), UsageError);
  const good = { frequencyMasks: [[0, 1]], timeMasks: [], fill: "mean" };
  assert.deepEqual(specAugmentKind.parse(good), good);
  for (const bad of [{ timeMasks: [[1]] }, { timeMasks: [[-1, 2]] }, { frequencyMasks: 3 }, { fill: "zero" }]) {
    assert.throws(() => specAugmentKind.parse({ ...good, ...bad }), FormatError);
  }
});
