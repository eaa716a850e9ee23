import assert from "node:assert/strict";
import {
  phaseVocoder,
  roundHalfEven,
  stretchTime,
  timeStretch,
  timeStretchKind,
} from "../../lib/augment/time_stretch.ts";
import { AudioError, FormatError, UsageError } from "../../lib/errors.ts";
import { istft, melspectrogram, powerToDb, stft } from "../../lib/features/mod.ts";
import { RandomState } from "../../lib/random.ts";
import { clips, difference, expected, missing, present } from "../features/golden.ts";
import { closeToSampled, glide, golden } from "./signal.ts";

const wave = glide();

Deno.test("the test signal is the reference's", () => closeToSampled(wave.samples, golden.input, 1e-7, "input"));

Deno.test("a stretch is librosa.effects.time_stretch 0.11 within 2e-4 of full scale", () => {
  for (const { rate, ...reference } of golden.stretch) {
    closeToSampled(stretchTime(wave, rate), reference, 2e-4, `rate ${rate}`);
  }
});

Deno.test({
  name: `stretched speech has the reference's length, log-mel within 0.005 dB mean and samples within 2e-4${missing}`,
  ignore: !present,
  fn() {
    let checked = 0;
    for (const clip of clips) {
      for (const rate of [0.8, 1.2]) {
        if (!clip.arrays.includes(`time_stretch_${rate}`)) continue;
        const reference = expected(clip, `time_stretch_${rate}`).data;
        const ours = stretchTime(expected(clip, "audio_22050").data, rate);
        const db = (samples: Float32Array) => powerToDb(melspectrogram(samples)).data;
        assert.ok(difference(db(ours), db(reference)).mean < 0.005, clip.id);
        assert.ok(difference(ours, reference).max < 2e-4, clip.id);
        checked++;
      }
    }
    assert.ok(checked >= 4);
  },
});

Deno.test("stretching frame by frame is istft(phaseVocoder(stft(y))) to a rounding, also of very short audio", () => {
  for (const length of [1, 300, 511, 512, 2047, 5000, 20011]) {
    const samples = wave.samples.subarray(0, length);
    for (const rate of [0.3, 0.8, 1, 1.2, 3]) {
      const ours = stretchTime(samples, rate);
      const parts = istft(phaseVocoder(stft(samples), rate), { length: ours.length });
      assert.ok(ours.every((x, i) => Math.abs(x - parts[i]!) < 1e-6), `${length} samples at ${rate}`);
    }
  }
});

Deno.test("at rate 1 the signal comes back", () => {
  const again = stretchTime(wave, 1);
  assert.equal(again.length, wave.samples.length);
  assert.ok(difference(again, wave.samples).max < 2e-3);
});

Deno.test("lengths are round(n / rate), halves to the even number, as Python rounds", () => {
  assert.deepEqual([0.5, 1.5, 2.5, 2.4, 2.6, 7].map(roundHalfEven), [0, 2, 2, 2, 3, 7]);
  assert.equal(stretchTime(wave.samples.subarray(0, 5), 2).length, 2);
  assert.equal(stretchTime(wave.samples.subarray(0, 7), 2).length, 4);
  assert.equal(stretchTime(wave.samples.subarray(0, 1), 0.05).length, 20);
});

Deno.test("the vocoder keeps magnitudes: a rate of 2 picks every second frame", () => {
  const spectrum = stft(wave);
  const fast = phaseVocoder(spectrum, 2);
  const [bins, frames] = spectrum.shape;
  assert.deepEqual(fast.shape, [bins, Math.ceil(frames / 2)]);
  for (let k = 0; k < bins; k += 7) {
    for (let t = 0; t < fast.shape[1]; t++) {
      const ours = Math.hypot(fast.re[k * fast.shape[1] + t]!, fast.im[k * fast.shape[1] + t]!);
      const theirs = Math.hypot(spectrum.re[k * frames + 2 * t]!, spectrum.im[k * frames + 2 * t]!);
      assert.ok(Math.abs(ours - theirs) <= 1e-6 * Math.max(1, theirs));
    }
  }
});

Deno.test("a tone keeps its pitch when stretched", () => {
  const tone = Float32Array.from({ length: 16384 }, (_, i) => Math.sin(2 * Math.PI * 64 * i / 2048));
  const slow = stretchTime(tone, 0.7);
  const { re, im, shape } = stft(slow);
  const frame = shape[1] >> 1;
  let loudest = 0;
  const power = (k: number) => re[k * shape[1] + frame]! ** 2 + im[k * shape[1] + frame]! ** 2;
  for (let k = 0; k < shape[0]; k++) if (power(k) > power(loudest)) loudest = k;
  assert.equal(loudest, 64);
});

Deno.test("silence stays silence", () => {
  assert.ok(stretchTime(new Float32Array(5000), 0.9).every((x) => x === 0));
});

Deno.test("rates are drawn from the range, and the same seed draws the same", () => {
  const stretch = timeStretch();
  const rng = new RandomState(1);
  for (let i = 0; i < 200; i++) {
    const { rate } = stretch.draw(rng, wave);
    assert.ok(rate >= 0.8 && rate < 1.2);
  }
  assert.deepEqual(stretch.draw(new RandomState(3), wave), stretch.draw(new RandomState(3), wave));
  assert.deepEqual(stretch.apply(wave, { rate: 0.9 }), stretch.apply(wave, { rate: 0.9 }));
});

Deno.test("rates that no speech survives and unusable audio are refused", () => {
  for (const rate of [0, -1, NaN, Infinity, 1e-9, 21]) {
    assert.throws(() => stretchTime(wave, rate), UsageError);
    assert.throws(() => timeStretchKind.parse({ rate }), FormatError);
  }
  assert.throws(() => timeStretch({ minRate: 1.2, maxRate: 0.8 }), UsageError);
  assert.throws(() => stretchTime(new Float32Array(0), 1), AudioError);
  assert.throws(() => stretchTime(Float32Array.of(NaN), 1), AudioError);
});
