import assert from "node:assert/strict";
import type { Augmentation } from "../../lib/augment/augmentation.ts";
import { compose } from "../../lib/augment/compose.ts";
import { gain } from "../../lib/augment/gain.ts";
import { noise } from "../../lib/augment/noise.ts";
import { fromRecord } from "../../lib/augment/record.ts";
import { specAugment } from "../../lib/augment/spec_augment.ts";
import { study001Copy, study002Copies } from "../../lib/augment/studies.ts";
import { timeShift } from "../../lib/augment/time_shift.ts";
import { timeStretch } from "../../lib/augment/time_stretch.ts";
import { recordOf } from "../../lib/augment/augmentation.ts";
import { UsageError } from "../../lib/errors.ts";
import { RandomState } from "../../lib/random.ts";
import { glide } from "./signal.ts";

const wave = glide();

Deno.test("steps are applied with their probabilities, which the record says", () => {
  const rng = new RandomState(6);
  const chain = compose([{ augmentation: gain(), p: 0.3 }, { augmentation: timeShift(), p: 0 }, noise()]);
  const counts = [0, 0, 0];
  for (let i = 0; i < 2000; i++) chain.draw(rng, wave).steps.forEach((step, j) => counts[j]! += step === null ? 0 : 1);
  assert.ok(Math.abs(counts[0]! - 600) < 70);
  assert.deepEqual(counts.slice(1), [0, 2000]);
});

Deno.test("a composition is its steps one after the other", () => {
  const first = { gainDb: -6 }, second = { shift: 77, fill: "wrap" } as const;
  const chain = compose([gain(), timeShift()]);
  const params = { steps: [recordOf(gain(), first), recordOf(timeShift(), second)] };
  assert.deepEqual(chain.apply(wave, params), timeShift().apply(gain().apply(wave, first), second));
  assert.equal(chain.apply(wave, { steps: [null, null] }), wave);
});

Deno.test("a step that looks at its input sees what the earlier steps made of it", () => {
  const seen: number[] = [];
  const looking: Augmentation<unknown> = {
    name: "looking",
    version: 1,
    on: "wave",
    drawsFromInput: true,
    parse: () => ({}),
    draw: (_rng, input) => {
      seen.push(input.samples.length);
      return {};
    },
    apply: (input) => input,
  };
  compose([timeStretch({ minRate: 2, maxRate: 2 }), looking]).draw(new RandomState(0), wave);
  assert.deepEqual(seen, [10006]);
});

Deno.test("study 001's copies leave one in eight as it was", () => {
  const rng = new RandomState(9);
  const copies = Array.from({ length: 4000 }, () => study001Copy().draw(rng, wave).steps);
  const same = copies.filter((steps) => steps.every((step) => step === null)).length;
  assert.ok(Math.abs(same - 500) < 70);
  assert.deepEqual(
    [...new Set(copies.flatMap((steps) => steps[1] ? [(steps[1].params as { nSteps: number }).nSteps] : []))].sort(),
    [
      1,
      2,
      3,
    ],
  );
});

Deno.test("study 002's fourth row is the second's noise on the third's shifted audio", () => {
  const [, shift, both] = study002Copies();
  const params = both.draw(new RandomState(1), wave);
  const shifted = shift.apply(wave, shift.draw(new RandomState(0), wave));
  const [, noisy] = params.steps;
  assert.deepEqual(both.apply(wave, params), noise().apply(shifted, noisy!.params as never));
});

Deno.test("a draw read back from JSON gives the same samples, compositions within compositions too", () => {
  const rng = new RandomState(12);
  const chain = compose([compose([{ augmentation: gain(), p: 0.5 }, noise()]), timeShift({ fill: "zeros" })]);
  for (let i = 0; i < 5; i++) {
    const params = chain.draw(rng, wave);
    const json: unknown = JSON.parse(JSON.stringify(recordOf(chain, params)));
    const again = fromRecord(json);
    assert.ok(again.on === "wave");
    assert.deepEqual(again.apply(wave), chain.apply(wave, params));
    assert.deepEqual(chain.apply(wave, chain.parse((json as { params: unknown }).params)), chain.apply(wave, params));
  }
});

Deno.test("probabilities, mixtures of subjects and records of other compositions are refused", () => {
  for (const p of [-0.1, 1.1, NaN]) assert.throws(() => compose([{ augmentation: gain(), p }]), UsageError);
  assert.throws(() => compose<never>([gain() as never, specAugment() as never]), UsageError);
  const params = compose([gain(), noise()]).draw(new RandomState(0), wave);
  assert.throws(() => compose([noise(), gain()]).apply(wave, params), UsageError);
  assert.throws(() => compose([gain()]).apply(wave, params), UsageError);
});
