import assert from "node:assert/strict";
import { timeShift, timeShiftKind } from "../../lib/augment/time_shift.ts";
import { FormatError, UsageError } from "../../lib/errors.ts";
import { RandomState } from "../../lib/random.ts";
import { closeToSampled, glide, golden } from "./signal.ts";

const wave = glide();

Deno.test("wrapping is np.roll, sample by sample, also by more than the whole length", () => {
  for (const { shift, ...reference } of golden.roll) {
    closeToSampled(timeShiftKind.apply(wave, { shift, fill: "wrap" }).samples, reference, 1e-7, `shift ${shift}`);
  }
});

Deno.test("the default draws study 002's shifts: int(np.random.uniform(-5, 5) * 1000)", () => {
  golden.shifts.forEach((shift, seed) => {
    assert.deepEqual(timeShift().draw(new RandomState(seed), wave), { shift, fill: "wrap" });
  });
});

Deno.test("filling with zeros moves silence in and never beyond the ends", () => {
  const short = { samples: Float32Array.of(1, 2, 3), sampleRateHz: 8000 };
  const shifted = (shift: number) => [...timeShiftKind.apply(short, { shift, fill: "zeros" }).samples];
  assert.deepEqual(shifted(0), [1, 2, 3]);
  assert.deepEqual(shifted(2), [0, 0, 1]);
  assert.deepEqual(shifted(-2), [3, 0, 0]);
  assert.deepEqual(shifted(3), [0, 0, 0]);
  assert.deepEqual(shifted(-1000), [0, 0, 0]);
});

Deno.test("wrapping loses no sample, back and forth gives the input, and empty audio stays empty", () => {
  const there = timeShiftKind.apply(wave, { shift: 1234, fill: "wrap" });
  assert.deepEqual(timeShiftKind.apply(there, { shift: -1234, fill: "wrap" }), wave);
  const empty = { samples: new Float32Array(0), sampleRateHz: 8000 };
  assert.equal(timeShiftKind.apply(empty, { shift: 3, fill: "wrap" }).samples.length, 0);
});

Deno.test("shifts that are no whole number of samples are refused", () => {
  assert.throws(() => timeShift({ maxShift: -1 }), UsageError);
  assert.throws(() => timeShift({ maxShift: Infinity }), UsageError);
  assert.throws(() => timeShiftKind.parse({ shift: 0.5, fill: "wrap" }), FormatError);
  assert.throws(() => timeShiftKind.parse({ shift: 1, fill: "mirror" }), FormatError);
});
