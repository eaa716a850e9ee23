import assert from "node:assert/strict";
import { gain, gainKind } from "../../lib/augment/gain.ts";
import { FormatError, UsageError } from "../../lib/errors.ts";
import { RandomState } from "../../lib/random.ts";

const wave = { samples: Float32Array.of(0.5, -0.25, 0), sampleRateHz: 8000 };

Deno.test("20 dB are a factor of ten, 0 dB change nothing, and the input stays as it is", () => {
  assert.deepEqual([...gainKind.apply(wave, { gainDb: 20 }).samples], [5, -2.5, 0]);
  assert.deepEqual(gainKind.apply(wave, { gainDb: 0 }), wave);
  assert.deepEqual([...wave.samples], [0.5, -0.25, 0]);
});

Deno.test("gains are drawn uniformly in dB from the range", () => {
  const rng = new RandomState(2);
  const drawn = Array.from({ length: 2000 }, () => gain({ minGainDb: -6, maxGainDb: 2 }).draw(rng, wave).gainDb);
  assert.ok(Math.min(...drawn) >= -6 && Math.max(...drawn) < 2);
  assert.ok(Math.abs(drawn.reduce((a, b) => a + b) / 2000 + 2) < 0.2);
});

Deno.test("ranges and records out of bounds are refused", () => {
  assert.throws(() => gain({ minGainDb: 1, maxGainDb: 0 }), UsageError);
  assert.throws(() => gain({ maxGainDb: Infinity }), UsageError);
  assert.throws(() => gainKind.parse({ gainDb: 1e9 }), FormatError);
  assert.throws(() => gainKind.parse({}), FormatError);
});
