import assert from "node:assert/strict";
import {
  applyRecords,
  augment,
  type Augmentation,
  augmentationNames,
  type AugmentationRecord,
  compose,
  fromRecord,
  gain,
  noise,
  noiseAtSnr,
  pitchShift,
  study002Copies,
  timeShift,
  timeStretch,
} from "../../lib/augment/mod.ts";
import { FormatError } from "../../lib/errors.ts";
import { RandomState } from "../../lib/random.ts";
import { glide } from "./signal.ts";

const wave = { ...glide(), samples: glide().samples.subarray(0, 6000) };
const all: readonly Augmentation<unknown>[] = [
  gain(),
  noise(),
  noiseAtSnr({ color: "pink" }),
  timeShift(),
  timeStretch(),
  pitchShift(),
  compose([gain(), timeStretch()]),
];

Deno.test("every draw survives JSON and gives the same samples bit for bit, whatever ran in between", () => {
  for (const augmentation of all) {
    const { result, record } = augment(augmentation, wave, { rng: new RandomState(31) });
    const text = JSON.stringify(record);
    for (const other of all) augment(other, wave, { rng: new RandomState(1) });
    const again = fromRecord(JSON.parse(text));
    assert.ok(again.on === "wave");
    assert.deepEqual(again.apply(wave), result);
    assert.equal(JSON.stringify(again.record), text);
    assert.ok(augmentationNames().includes(record.name));
  }
});

Deno.test("records of one recording share the step they begin with and give what each gives alone", () => {
  const rng = new RandomState(3);
  const records: (AugmentationRecord | null)[] = [null];
  for (const each of study002Copies()) records.push(augment<unknown, typeof wave>(each, wave, { rng }).record);
  records.push(records[3]!);
  const together = [...applyRecords(wave, records)];
  assert.equal(together.length, 5);
  assert.equal(together[0], wave);
  records.forEach((record, i) => {
    if (record === null) return;
    const alone = fromRecord(record);
    assert.ok(alone.on === "wave");
    assert.deepEqual(together[i], alone.apply(wave));
  });
});

Deno.test("records that are none are refused with what is wrong", () => {
  const good = { name: "gain", version: 1, params: { gainDb: 1 } };
  const nested = (depth: number): unknown =>
    depth === 0 ? good : { name: "compose", version: 1, params: { steps: [nested(depth - 1)] } };
  assert.doesNotThrow(() => fromRecord(nested(8)));
  const features = { name: "spec-augment", version: 1, params: { frequencyMasks: [], timeMasks: [], fill: 0 } };
  for (
    const bad of [
      null,
      "gain",
      [],
      {},
      { ...good, name: "loudness" },
      { ...good, version: 2 },
      { ...good, params: null },
      { name: "compose", version: 1, params: { steps: 3 } },
      { name: "compose", version: 2, params: { steps: [] } },
      { name: "compose", version: 1, params: { steps: [{}] } },
      { name: "compose", version: 1, params: { steps: [good, features] } },
      nested(9),
    ]
  ) assert.throws(() => fromRecord(bad), FormatError, JSON.stringify(bad));
  assert.throws(() => [...applyRecords(wave, [features])], FormatError);
  assert.throws(() => fromRecord({ ...good, version: 7 }), /version 7/);
});
