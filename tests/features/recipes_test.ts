import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadAudio } from "../../lib/audio/load.ts";
import { encodeWav } from "../../lib/audio/mod.ts";
import { resample } from "../../lib/audio/resample.ts";
import { extractAll } from "../../lib/augment/extract.ts";
import { AudioError, UsageError } from "../../lib/errors.ts";
import { egemapsLikeNames, extractFrom, type Recipe, recipe, recipeHash, recipeNames } from "../../lib/features/mod.ts";
import { clips, difference, expected, type GoldenClip, missing, present } from "./golden.ts";
import { synthetic } from "./synthetic.ts";

const load = (clip: GoldenClip, { load }: Recipe) => loadAudio(clip.path, load);

// librosa 0.11.0 and scikit-image 0.26.0: resize(amplitude_to_db(abs(stft(load(file, sr=48000)))), (64, 64),
// anti_aliasing=True). Bounds of the project: 0.05 dB mean and 1 dB largest at 48 kHz, 0.3 dB mean after resampling.
Deno.test({
  name: `study000 gives the reference's dB picture within the bounds${missing}`,
  ignore: !present,
  async fn() {
    for (const clip of clips) {
      const { data, shape } = recipe("study000").extract(await load(clip, recipe("study000")));
      assert.deepEqual(shape, [64, 64]);
      const { mean, max, range } = difference(data, expected(clip, "study000_db_64x64").data);
      if (clip.rate === 48000) {
        assert.ok(mean <= 0.05 && max <= 1, `${clip.id}: mean ${mean} dB, largest ${max} dB`);
        if (range > 0) {
          assert.ok(mean <= 1e-4 * range && max <= 0.01 * range, `${clip.id}: ${mean}, ${max} of ${range}`);
        }
      } else assert.ok(mean <= 0.3, `${clip.id}: mean ${mean} dB`);
    }
  },
});

// matplotlib and Pillow as the study used them; mean absolute difference of at most 0.02 of full brightness.
Deno.test({
  name: `study001 gives the reference's picture within a mean difference of 0.02${missing}`,
  ignore: !present,
  async fn() {
    for (const clip of clips) {
      const reference = expected(clip, "study001_picture_50x300x3");
      const { data, shape } = recipe("study001").extract(await load(clip, recipe("study001")));
      assert.deepEqual(shape, [50, 300, 3]);
      const { mean } = difference(data, reference.data);
      assert.ok(mean <= 0.02, `${clip.id}: mean ${mean}`);
      // From the reference's own audio not one pixel differs.
      const wave = { samples: expected(clip, "audio_22050").data, sampleRateHz: 22050 };
      assert.equal(difference(recipe("study001").extract(wave).data, reference.data).max, 0, clip.id);
    }
  },
});

/** A block of a study's vector: where it lies and whether it counts zero crossings. */
type Block = readonly [name: string, from: number, to: number];

/** The project's bounds for what comes from the file, block by block, each by its own range. */
function blocksWithinBounds(
  clip: GoldenClip,
  actual: Float32Array,
  reference: Float32Array,
  blocks: readonly Block[],
  rateChanged: boolean,
): void {
  assert.equal(actual.length, reference.length, `${clip.id}: length`);
  for (const [name, from, to] of blocks) {
    const { mean, max, range, within } = difference(actual.subarray(from, to), reference.subarray(from, to));
    const what = `${clip.id} ${name}: mean ${mean}, largest ${max} of a range of ${range}`;
    if (range <= 1e-12) assert.ok(max <= 1e-6, what);
    else if (!rateChanged) assert.ok(mean <= 1e-4 * range && max <= 0.01 * range, what);
    else if (name === "zcr") assert.ok(mean <= 0.015 * range && max <= 0.15 * range, what);
    else assert.ok(mean <= 0.002 * range && within(0.01 * range) >= 0.99 && max <= 0.12 * range, what);
  }
}

const blocksOf: Record<string, (length: number) => Block[]> = {
  "study002": (n) => [["zcr", 0, n / 22], ["rms", n / 22, n / 11], ["mfcc", n / 11, n]],
  "study003": (n) => [["mel", 0, n]],
  "study003-vector": () => [["zcr", 0, 157], ["rms", 157, 314]],
  "study004": () => [["mfcc", 0, 40], ["chroma", 40, 52], ["mel", 52, 180]],
};
const arrayOf: Record<string, string> = {
  "study002": "study002_vector",
  "study003": "study003_mel_db",
  "study003-vector": "study003_vector",
  "study004": "study004_vector",
};
for (const name of Object.keys(blocksOf)) {
  Deno.test({
    name: `${name} gives the reference's values within the bounds, block by block${missing}`,
    ignore: !present,
    async fn() {
      for (const clip of clips) {
        const each = recipe(name);
        const { data } = each.extract(await load(clip, each));
        const rate = each.load.sampleRateHz;
        const reference = expected(clip, arrayOf[name]!).data;
        blocksWithinBounds(clip, data, reference, blocksOf[name]!(data.length), rate !== null && rate !== clip.rate);
      }
    },
  });
}

const rateOf = (each: Recipe) => each.load.sampleRateHz ?? 16000;

Deno.test("every recipe gives finite features of its shape for silence, one sample, noise, a click and full scale", () => {
  const noise = synthetic(30000);
  const inputs: Record<string, Float32Array> = {
    silence: new Float32Array(40000),
    "one sample": Float32Array.of(0.3),
    "one zero": Float32Array.of(0),
    "two samples": Float32Array.of(0.3, -0.3),
    click: new Float32Array(9000).fill(1, 4000, 4001),
    DC: new Float32Array(9000).fill(0.5),
    "a signal": noise,
    "full scale": noise.map((x) => Math.sign(x)),
    "far beyond full scale": noise.map((x) => x * 1e6),
    "next to nothing": noise.map((x) => x * 1e-20),
    "six seconds": synthetic(6 * 48000),
  };
  for (const name of recipeNames()) {
    const each = recipe(name);
    for (const [what, samples] of Object.entries(inputs)) {
      const { data, shape } = each.extract({ samples, sampleRateHz: rateOf(each) });
      assert.ok(data.every(Number.isFinite), `${name} of ${what} is not finite`);
      assert.equal(data.length, shape.reduce((a, b) => a * b, 1), `${name} of ${what}`);
      each.shape.forEach((n, axis) => {
        if (n !== null) assert.equal(shape[axis], n, `${name} of ${what}, axis ${axis}`);
      });
    }
  }
});

Deno.test("a recipe leaves its input as it was and gives the same values twice", () => {
  for (const name of recipeNames()) {
    const each = recipe(name);
    const samples = synthetic(20000), before = samples.slice();
    const first = each.extract({ samples, sampleRateHz: rateOf(each) });
    assert.deepEqual(samples, before, name);
    assert.deepEqual(each.extract({ samples, sampleRateHz: rateOf(each) }), first, name);
  }
});

Deno.test("unusable audio ends in one sentence, not in NaN", () => {
  for (const name of recipeNames()) {
    const each = recipe(name), sampleRateHz = rateOf(each);
    assert.throws(() => each.extract({ samples: new Float32Array(0), sampleRateHz }), AudioError);
    for (const bad of [NaN, Infinity, -Infinity]) {
      const samples = new Float32Array(5000);
      samples[1234] = bad;
      assert.throws(() => each.extract({ samples, sampleRateHz }), {
        name: "AudioError",
        message: `audio: sample 1234 is ${bad}, samples must be finite numbers.`,
      });
    }
  }
});

Deno.test("a recipe refuses audio at another rate, and extractFrom brings it there", () => {
  const samples = synthetic(40000);
  assert.throws(() => recipe("study000").extract({ samples, sampleRateHz: 16000 }), UsageError);
  for (const name of recipeNames()) {
    const { data } = extractFrom(recipe(name), { samples, sampleRateHz: 16000 });
    assert.ok(data.every(Number.isFinite), name);
  }
});

Deno.test("study002 repaired: the same values where the audio is long enough, aligned columns where it is short", () => {
  const at = (samples: number) => ({
    samples: Float32Array.from({ length: samples }, (_, i) => Math.sin(i / 9) * (1 + Math.sin(i / 4000))),
    sampleRateHz: 22050,
  });
  const long = at(80000);
  const published = extractFrom(recipe("study002"), long), padded = extractFrom(recipe("study002-padded"), long);
  assert.deepEqual(padded, published);
  const frames = extractFrom(recipe("study002-frames"), long);
  assert.deepEqual(frames.shape, [108, 22]);
  for (const t of [0, 50, 107]) {
    assert.equal(frames.data[22 * t], padded.data[t]);
    assert.equal(frames.data[22 * t + 1], padded.data[108 + t]);
    assert.equal(frames.data[22 * t + 21], padded.data[216 + 20 * t + 19]);
  }
  const short = extractFrom(recipe("study002-padded"), at(30000));
  assert.deepEqual(short.shape, [2376]);
  assert.deepEqual([...short.data.slice(108, 120)], [...extractFrom(recipe("study002"), at(30000)).data.slice(33, 45)]);
  assert.equal(short.data[107], 0, "silence after the end");
  // A stretched copy is longer than what was loaded: it is cut.
  assert.deepEqual(recipe("study002").extract(at(70000)).shape, [2376]);
});

Deno.test("study002 of a clip that ends before 0.6 s is refused by name, a little longer gives 22 values a frame", () => {
  const at = (length: number) => ({ samples: synthetic(length), sampleRateHz: 22050 });
  assert.throws(() => extractFrom(recipe("study002"), at(13230)), {
    name: "AudioError",
    message: "audio: lasts 0.600 s, recipe study002 starts at 0.6 s.",
  });
  assert.deepEqual(extractFrom(recipe("study002"), at(13231)).shape, [22]);
  assert.deepEqual(extractFrom(recipe("study002"), at(30000)).shape, [22 * (1 + Math.floor(16770 / 512))]);
  assert.deepEqual(extractFrom(recipe("study002"), at(90000)).shape, [2376]);
});

Deno.test("study002 repaired hears a file of any length, one of 0.6 s or less whole from its start, however it comes", async () => {
  const dir = mkdtempSync(join(tmpdir(), "serlab-recipes-"));
  try {
    for (const rate of [16000, 22050, 48000]) {
      const waves = [0.05, 0.3, 0.6, 0.61, 3].map((seconds) => ({
        samples: synthetic(Math.round(seconds * rate)),
        sampleRateHz: rate,
      }));
      const offset = Math.trunc(0.6 * rate);
      const rows = waves.map((wave, i) => {
        writeFileSync(join(dir, `${i}.wav`), encodeWav(wave, { encoding: "float32" }));
        return { path: `${i}.wav` };
      });
      for (const name of ["study002-padded", "study002-frames"]) {
        const each = recipe(name);
        const { items, failures } = await extractAll(rows, { dir, recipe: name, workers: 0 });
        assert.equal(failures.length, 0);
        waves.forEach((wave, i) => {
          const heard = wave.samples.length <= offset ? wave.samples : wave.samples.slice(offset, offset + 2.5 * rate);
          const features = each.extract(resample({ samples: heard, sampleRateHz: rate }, 22050));
          // Prediction and page come by extractFrom.
          assert.deepEqual(extractFrom(each, wave), features, `${name}, ${wave.samples.length} samples at ${rate} Hz`);
          assert.deepEqual(items[i]!.features, features, `${name}, ${wave.samples.length} samples at ${rate} Hz`);
          assert.ok(features.data.some((x) => x > 0));
        });
        const published = await extractAll(rows, { dir, recipe: "study002", workers: 0 });
        assert.deepEqual(published.failures.map(({ index }) => index), [0, 1, 2]);
      }
    }
    const nothing = { samples: new Float32Array(0), sampleRateHz: 22050 };
    assert.throws(() => extractFrom(recipe("study002-padded"), nothing), {
      name: "AudioError",
      message: "audio: holds no samples.",
    });
    const path = join(dir, "empty.wav");
    writeFileSync(path, encodeWav(nothing));
    await assert.rejects(loadAudio(path, recipe("study002-padded").load), {
      name: "AudioError",
      message: `${path}: holds no samples.`,
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

Deno.test("study003 pads and cuts to 80,080 samples", () => {
  const samples = synthetic(100000);
  const cut = recipe("study003").extract({ samples, sampleRateHz: 16000 });
  const whole = recipe("study003").extract({ samples: samples.slice(0, 80080), sampleRateHz: 16000 });
  assert.deepEqual(cut, whole);
});

Deno.test("study004-32k is study004 of audio at 32 kHz, deaf to what lies above 16 kHz", () => {
  const voice = { samples: synthetic(90000), sampleRateHz: 48000 };
  const n = voice.samples.length;
  // It swells and fades, for a sudden beginning is heard at all frequencies.
  const hiss = voice.samples.map((x, i) =>
    x + 0.02 * Math.sin(Math.PI * i / n) ** 2 * Math.sin(38e3 * Math.PI * i / 48e3)
  );
  const plain = extractFrom(recipe("study004-32k"), voice).data;
  assert.deepEqual(plain, recipe("study004").extract(resample(voice, 32000)).data);
  /** Largest change of a value, in its own size. */
  const change = (values: ArrayLike<number>, from: ArrayLike<number>): number =>
    Math.max(...Array.from(from, (x, i) => Math.abs(values[i]! - x) / (1 + Math.abs(x))));
  const noisy = { ...voice, samples: hiss };
  const deaf = change(extractFrom(recipe("study004-32k"), noisy).data, plain);
  const hearing = change(recipe("study004").extract(noisy).data, recipe("study004").extract(voice).data);
  assert.ok(deaf < 2e-3 && hearing > 50 * deaf, `${deaf}, at 48 kHz ${hearing}`);
});

Deno.test("an unknown recipe is refused with the list of those there are", () => {
  assert.throws(() => recipe("study005"), {
    name: "UsageError",
    message: 'There is no recipe "study005"; there are study000, study001, study002, study002-padded, ' +
      "study002-frames, study003, study003-vector, " +
      "study004, study004-32k, egemaps-like.",
  });
});

Deno.test("recipe hashes differ between recipes and change with version and parameters only", () => {
  const hashes = recipeNames().map((name) => recipeHash(recipe(name)));
  assert.equal(new Set(hashes).size, hashes.length);
  const each = recipe("study003");
  const reworded = { ...each, describe: "other words" };
  assert.equal(recipeHash(reworded), recipeHash(each));
  assert.notEqual(recipeHash({ ...each, version: each.version + 1 }), recipeHash(each));
  assert.notEqual(recipeHash({ ...each, parameters: { ...each.parameters, nMels: 64 } }), recipeHash(each));
  // Caches rely on it: these values change only together with their recipes' versions.
  assert.equal(recipeHash(recipe("study000")), "ac48f567858a29db");
  assert.equal(recipeHash(recipe("study002-padded")), "1db6e1749b61f009");
  assert.equal(recipeHash(recipe("study002-frames")), "a4c4c06e8449f262");
});

Deno.test("egemaps-like finds pitch, steadiness and level of a tone, and nothing in silence", () => {
  const sampleRateHz = 16000;
  const tone = Float32Array.from(
    { length: 32000 },
    (_, i) => 0.1 * [1, 2, 3, 4].reduce((sum, k) => sum + Math.sin((2 * Math.PI * 150 * k * i) / sampleRateHz) / k, 0),
  );
  const values = recipe("egemaps-like").extract({ samples: tone, sampleRateHz }).data;
  const value = (name: string) => values[egemapsLikeNames.indexOf(name)]!;
  assert.ok(Math.abs(value("pitchSemitones.mean") - 12 * Math.log2(150 / 27.5)) < 0.1);
  assert.ok(Math.abs(value("pitchSemitones.slope")) < 0.1);
  assert.ok(value("jitterLocal") < 0.002 && value("shimmerDb") < 0.05 && value("hnrDbMean") > 30);
  assert.ok(value("voicedShare") > 0.95);
  assert.ok(Math.abs(value("soundLevelDb") - 10 * Math.log10(0.005 * (1 + 1 / 4 + 1 / 9 + 1 / 16))) < 0.1);
  const silent = recipe("egemaps-like").extract({ samples: new Float32Array(16000), sampleRateHz }).data;
  for (const name of ["pitchSemitones.mean", "jitterLocal", "shimmerDb", "voicedShare"]) {
    assert.equal(silent[egemapsLikeNames.indexOf(name)], 0, name);
  }
});

Deno.test("egemaps-like measures the jitter and shimmer that a pulse train was made with", () => {
  const sampleRateHz = 16000, samples = new Float32Array(32000);
  const periods: number[] = [], amplitudes: number[] = [];
  let seed = 1;
  const draw = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (let at = 0; at < samples.length;) {
    const amplitude = 0.9 + 0.1 * draw(), period = 99 + Math.floor(4 * draw());
    for (let i = 0; i < 60 && at + i < samples.length; i++) {
      samples[at + i]! += amplitude * 0.5 * Math.exp(-i / 12) * Math.sin((2 * Math.PI * i) / 16);
    }
    periods.push(period);
    amplitudes.push(amplitude);
    at += period;
  }
  const change = (values: number[], of: (a: number, b: number) => number) =>
    values.slice(1).reduce((sum, x, i) => sum + Math.abs(of(x, values[i]!)), 0) / (values.length - 1);
  const jitter = change(periods, (a, b) => a - b) / (periods.reduce((a, b) => a + b) / periods.length);
  const shimmer = change(amplitudes, (a, b) => 20 * Math.log10(a / b));
  const values = recipe("egemaps-like").extract({ samples, sampleRateHz }).data;
  const value = (name: string) => values[egemapsLikeNames.indexOf(name)]!;
  assert.ok(Math.abs(value("jitterLocal") / jitter - 1) < 0.1, `jitter ${value("jitterLocal")}, made with ${jitter}`);
  assert.ok(Math.abs(value("shimmerDb") / shimmer - 1) < 0.1, `shimmer ${value("shimmerDb")}, made with ${shimmer}`);
});
