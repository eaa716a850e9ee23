import assert from "node:assert/strict";
import { nearestFraction, pitchShift, pitchShiftKind, shiftPitch } from "../../lib/augment/pitch_shift.ts";
import { AudioError, FormatError, UsageError } from "../../lib/errors.ts";
import { melspectrogram, powerToDb } from "../../lib/features/mod.ts";
import { RandomState } from "../../lib/random.ts";
import { clips, difference, expected, missing, present } from "../features/golden.ts";
import { closeToSampled, glide, golden } from "./signal.ts";

const wave = glide();

Deno.test("a shift is librosa.effects.pitch_shift 0.11 within 2e-4 of full scale", () => {
  for (const { nSteps, binsPerOctave, ...reference } of golden.pitch) {
    const { samples, sampleRateHz } = shiftPitch(wave, nSteps, { binsPerOctave });
    closeToSampled(samples, reference, 2e-4, `${nSteps} steps of ${binsPerOctave}`);
    assert.equal(sampleRateHz, 16000);
  }
});

Deno.test({
  name: `shifted speech has the reference's length, log-mel within 0.005 dB mean and samples within 2e-4${missing}`,
  ignore: !present,
  fn() {
    let checked = 0;
    for (const clip of clips) {
      for (const nSteps of [0.7, 2]) {
        if (!clip.arrays.includes(`pitch_shift_${nSteps}`)) continue;
        const reference = expected(clip, `pitch_shift_${nSteps}`).data;
        const audio = { samples: expected(clip, "audio_22050").data, sampleRateHz: 22050 };
        const ours = shiftPitch(audio, nSteps).samples;
        const db = (samples: Float32Array) => powerToDb(melspectrogram(samples)).data;
        assert.ok(difference(db(ours), db(reference)).mean < 0.005, clip.id);
        assert.ok(difference(ours, reference).max < 2e-4, clip.id);
        checked++;
      }
    }
    assert.ok(checked >= 4);
  },
});

Deno.test("the ratio's fraction is less than 1e-8 off up to an octave and 3e-7 up to four", () => {
  for (let cents = -4800; cents <= 4800; cents++) {
    const ratio = 2 ** (cents / 1200);
    const [p, q] = nearestFraction(ratio, 768_000);
    assert.ok(p <= 768_000 && q <= 768_000 && p > 0 && q > 0);
    assert.ok(Math.abs(p / q / ratio - 1) < (Math.abs(cents) <= 1200 ? 1e-8 : 3e-7), `${cents} cents: ${p}/${q}`);
  }
  assert.deepEqual(nearestFraction(2, 768_000), [2, 1]);
  assert.deepEqual(nearestFraction(1, 768_000), [1, 1]);
});

Deno.test("no shift gives the signal back, and very short audio keeps its length", () => {
  assert.ok(difference(shiftPitch(wave, 0).samples, wave.samples).max < 2e-3);
  for (const length of [1, 2, 3, 100]) {
    const short = { samples: wave.samples.subarray(900, 900 + length), sampleRateHz: 16000 };
    for (const nSteps of [-7, 0.7, 12]) assert.equal(shiftPitch(short, nSteps).samples.length, length);
  }
});

Deno.test("steps are drawn from the list or the range, and the same seed draws the same", () => {
  const listed = pitchShift({ choices: [1, 2, 3] });
  const rng = new RandomState(1);
  const drawn = Array.from({ length: 300 }, () => listed.draw(rng, wave).nSteps);
  assert.deepEqual([...new Set(drawn)].sort(), [1, 2, 3]);
  const ranged = pitchShift({ minSteps: -0.5, maxSteps: 0.5 });
  for (let i = 0; i < 100; i++) assert.ok(Math.abs(ranged.draw(rng, wave).nSteps) <= 0.5);
  assert.deepEqual(ranged.draw(new RandomState(3), wave), ranged.draw(new RandomState(3), wave));
  const params = ranged.draw(new RandomState(3), wave);
  assert.deepEqual(
    ranged.apply(wave, params),
    ranged.apply(wave, pitchShiftKind.parse(JSON.parse(JSON.stringify(params)))),
  );
});

Deno.test("shifts beyond four octaves and unusable audio are refused", () => {
  for (const nSteps of [49, -49, NaN, Infinity]) {
    assert.throws(() => shiftPitch(wave, nSteps), UsageError);
    assert.throws(() => pitchShift({ choices: [nSteps] }), UsageError);
    assert.throws(() => pitchShiftKind.parse({ nSteps, binsPerOctave: 12 }), FormatError);
  }
  assert.throws(() => shiftPitch(wave, 1, { binsPerOctave: 0 }), UsageError);
  assert.throws(() => pitchShift({ choices: [] }), UsageError);
  assert.throws(() => pitchShift({ minSteps: 1, maxSteps: 0 }), UsageError);
  assert.throws(() => shiftPitch({ samples: new Float32Array(0), sampleRateHz: 16000 }, 1), AudioError);
});
