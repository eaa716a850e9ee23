import assert from "node:assert/strict";
import { coloredNoise, noise, noiseAtSnr, noiseAtSnrKind, noiseKind } from "../../lib/augment/noise.ts";
import { study001Noise, study002Noise } from "../../lib/augment/studies.ts";
import { FormatError, UsageError } from "../../lib/errors.ts";
import { rfft } from "../../lib/features/mod.ts";
import { RandomState } from "../../lib/random.ts";
import { closeToSampled, glide, golden } from "./signal.ts";

const wave = glide();
const power = (x: ArrayLike<number>) => Array.from(x).reduce((sum, value) => sum + value * value, 0) / x.length;

Deno.test("noise is x + amplitude · np.amax(x) · RandomState(seed).normal(size=n) of NumPy 2.1.3, within 1e-7", () => {
  const { samples } = noiseKind.apply(wave, { amplitude: 0.0213, scale: "max", seed: 99 });
  closeToSampled(samples, golden.noise, 1e-7, "noise");
});

Deno.test("full-scale noise does not depend on the recording's level", () => {
  const params = { amplitude: 0.1, scale: "full-scale", seed: 7 } as const;
  const quiet = { ...wave, samples: wave.samples.map((x) => x / 1024) };
  const added = (of: typeof wave) => noiseKind.apply(of, params).samples.map((x, i) => x - of.samples[i]!);
  const loudly = added(wave), quietly = added(quiet);
  assert.ok(loudly.every((x, i) => Math.abs(x - quietly[i]!) < 1e-6));
  assert.ok(Math.abs(power(loudly) / 0.01 - 1) < 0.05);
});

Deno.test("the studies' amplitudes have their ranges and means", () => {
  const rng = new RandomState(11);
  const drawn = (of: ReturnType<typeof noise>) => Array.from({ length: 4000 }, () => of.draw(rng, wave).amplitude);
  const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
  // U(0, 1) has mean 1/2, U(0.01, 0.04) has mean 0.025.
  const first = drawn(study001Noise()), second = drawn(study002Noise());
  assert.ok(Math.max(...first) < 0.04 && Math.min(...first) >= 0 && Math.abs(mean(first) - 0.0125) < 5e-4);
  assert.ok(Math.max(...second) < 0.035 && Math.max(...second) > 0.034 && Math.abs(mean(second) - 0.0175) < 5e-4);
  const fixed = noise({ minFactor: 0.005, timesUniform: false, scale: "full-scale" }).draw(rng, wave);
  assert.equal(fixed.amplitude, 0.005);
});

Deno.test("the signal-to-noise ratio is met within 0.001 dB, white and pink", () => {
  for (const color of ["white", "pink"] as const) {
    for (const snrDb of [-10, 0, 20, 40]) {
      const { samples } = noiseAtSnrKind.apply(wave, { snrDb, color, seed: 3 });
      const noisePower = power(samples.map((x, i) => x - wave.samples[i]!));
      assert.ok(Math.abs(10 * Math.log10(power(wave.samples) / noisePower) - snrDb) < 1e-3);
    }
  }
});

Deno.test("pink noise has equal power in every octave and white noise doubles it, within 1 dB", () => {
  const octaves = (color: "white" | "pink") => {
    const sums = new Float64Array(5);
    for (let seed = 0; seed < 20; seed++) {
      const { re, im } = rfft(coloredNoise(4096, { seed, color }));
      for (let o = 0; o < 5; o++) {
        for (let k = 64 << o; k < 128 << o && k < re.length; k++) sums[o]! += re[k]! ** 2 + im[k]! ** 2;
      }
    }
    return Array.from(sums.subarray(1), (sum, o) => 10 * Math.log10(sum / sums[o]!));
  };
  for (const step of octaves("pink")) assert.ok(Math.abs(step) < 1, `pink: ${step} dB`);
  for (const step of octaves("white")) assert.ok(Math.abs(step - 3.01) < 1, `white: ${step} dB`);
});

Deno.test("the same record gives the same samples, another seed others; the input stays as it is", () => {
  const before = wave.samples.slice();
  for (const augmentation of [noise(), noiseAtSnr(), noiseAtSnr({ color: "pink" })]) {
    const params = augmentation.draw(new RandomState(5), wave);
    const again = augmentation.parse(JSON.parse(JSON.stringify(params)));
    const first = augmentation.apply(wave, params as never).samples;
    assert.deepEqual(augmentation.apply(wave, again as never).samples, first);
    assert.notDeepEqual(augmentation.apply(wave, { ...params, seed: (params.seed ^ 1) >>> 0 } as never).samples, first);
  }
  assert.deepEqual(wave.samples, before);
});

Deno.test("silence stays silence under noise that is relative to it, and empty audio stays empty", () => {
  const silent = { samples: new Float32Array(100), sampleRateHz: 8000 };
  assert.ok(noiseKind.apply(silent, { amplitude: 0.03, scale: "max", seed: 1 }).samples.every((x) => x === 0));
  for (const color of ["white", "pink"] as const) {
    assert.ok(noiseAtSnrKind.apply(silent, { snrDb: 10, color, seed: 1 }).samples.every((x) => x === 0));
    const empty = { samples: new Float32Array(0), sampleRateHz: 8000 };
    assert.equal(noiseAtSnrKind.apply(empty, { snrDb: 10, color, seed: 1 }).samples.length, 0);
    assert.equal(noiseKind.apply(empty, { amplitude: 1, scale: "max", seed: 1 }).samples.length, 0);
  }
});

Deno.test("factors, ratios and records that make no sense are refused", () => {
  assert.throws(() => noise({ minFactor: -1 }), UsageError);
  assert.throws(() => noise({ minFactor: 0.04, maxFactor: 0.01 }), UsageError);
  assert.throws(() => noise({ minFactor: NaN }), UsageError);
  assert.throws(() => noiseAtSnr({ minSnrDb: 30, maxSnrDb: 5 }), UsageError);
  assert.throws(() => noiseAtSnr({ maxSnrDb: Infinity }), UsageError);
  const good = { amplitude: 0.01, scale: "max", seed: 1 };
  assert.deepEqual(noiseKind.parse(good), good);
  for (const bad of [{ amplitude: "1" }, { amplitude: -1 }, { scale: "rms" }, { seed: 0.5 }, { seed: -1 }]) {
    assert.throws(() => noiseKind.parse({ ...good, ...bad }), FormatError);
  }
  for (const bad of [null, 3, "x", []]) assert.throws(() => noiseAtSnrKind.parse(bad), FormatError);
});
