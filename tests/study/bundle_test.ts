import assert from "node:assert/strict";
import { demo } from "../../experiments/demo.ts";
import { study004 } from "../../experiments/s004_ravdess_mlp.ts";
import { loadAudio } from "../../lib/audio/load.ts";
import { decodeBundle } from "../../lib/bundle.ts";
import { modelCard } from "../../lib/bundle_card.ts";
import { predict } from "../../lib/predict.ts";
import { trainTestSplit } from "../../lib/split/mod.ts";
import { makeBundle } from "../../lib/study/bundle.ts";
import type { Study } from "../../lib/study/declare.ts";
import { degradations } from "../../lib/study/degrade.ts";
import { planRun, runStudy } from "../../lib/study/run.ts";
import { readPredictions, recordPath } from "../../lib/results/record.ts";
import { resample } from "../../lib/audio/resample.ts";
import { describeRecording } from "../../lib/predict_doubts.ts";
import { engine } from "../engine/engine_for_tests.ts";
import { prepareSmall, smallCorpus, temporaryFolder } from "./small.ts";

const { scaled } = study004.variants;

/** Study 004's perceptron on four synthetic speakers, in two folds of two. */
const small: Study = {
  ...study004,
  variants: { scaled: { ...scaled!, plan: { ...scaled!.plan, epochs: 30 } } },
  protocols: {
    clean: demo.protocols["clean"]!,
    "as-published": {
      describe: "a quarter at random",
      scalerRows: "train",
      bySpeaker: false,
      folds: (rows) => {
        const { train, test } = trainTestSplit(rows.length, { testSize: 0.25, randomState: 0 });
        return [{ name: "published", train, validation: [], test }];
      },
    },
  },
};
const prepared = await prepareSmall(small);
const out = temporaryFolder();
const options = { variant: "scaled", seed: 0, out, engine } as const;
const { record } = await runStudy(prepared, { ...options, protocol: "clean" });
const codec = { calls: 0, mp3: (wave: Parameters<typeof resample>[0]) => (codec.calls++, Promise.resolve(wave)) };
const { files, info } = await makeBundle(prepared, { ...options, protocol: "clean", mp3: codec.mp3 });

Deno.test("a bundle's expected accuracy is the run record's, and its model the first fold's", async () => {
  const [expected] = info.provenance.expected;
  assert.equal(expected!.accuracy, record.metrics.accuracy);
  assert.deepEqual(expected!.interval, record.metrics.interval.accuracy);
  assert.equal(expected!.n, record.metrics.n);
  assert.equal(info.provenance.split, record.split);
  assert.deepEqual(info.provenance.heldOut, ["synthetic-01", "synthetic-02"]);
  const bundle = await decodeBundle(files, "b");
  const raw = { ...bundle, info: { ...bundle.info, calibration: null } };
  const { rows } = readPredictions(recordPath(out, record), record);
  for (const tested of rows.filter((row) => row.fold === 0).slice(0, 6)) {
    const path = `${await smallCorpus()}/${prepared.rows.find(({ key }) => key === tested.key)!.path}`;
    const answer = await predict(raw, await loadAudio(path, { sampleRateHz: null }));
    small.labels.forEach((label, k) =>
      assert.ok(Math.abs(answer.probabilities[label]! - tested.probabilities[k]!) < 1e-4, tested.key)
    );
  }
});

Deno.test("everything that a bundle says is measured on all test rows, and stands in the card", () => {
  const n = record.metrics.n;
  const { calibration, abstention, measured, trained, consequences } = info;
  assert.deepEqual(consequences.map(({ id }) => id), degradations(codec.mp3).map(({ id }) => id));
  for (const each of consequences) {
    assert.equal(each.n, n);
    assert.equal(each.before, record.metrics.accuracy);
    assert.ok(each.after >= 0 && each.after <= 1 && each.interval[0] <= each.after && each.interval[1] >= each.after);
  }
  assert.equal(codec.calls, n);
  // The codec of this test changes nothing, so it costs nothing.
  assert.equal(consequences.find(({ id }) => id === "mp3-32k")!.after, record.metrics.accuracy);
  assert.equal(calibration!.measuredOn, n);
  assert.equal(calibration!.n, prepared.rows.length / 2, "calibrated on the first fold's training rows alone");
  assert.ok(calibration!.nll.after <= calibration!.nll.before + 0.05);
  assert.equal(abstention!.curve.at(-1)!.accuracy, record.metrics.accuracy);
  assert.deepEqual(measured!.sex.reduce((sum, part) => sum + part.n, 0), n);
  assert.deepEqual(measured!.label.map(({ name }) => name), [...small.labels].sort());
  assert.equal(trained!.recordings, prepared.rows.length / 2);
  assert.ok(trained!.durationSec[0] <= trained!.medianSec && trained!.medianSec <= trained!.durationSec[1]);
  const card = new TextDecoder().decode(files.get("card.md"));
  assert.equal(card, modelCard(info));
  assert.ok(card.includes("has never heard synthetic-01 and synthetic-02"));
});

Deno.test("a bundle is the same to the last bit when it is made again", async () => {
  const again = await makeBundle(prepared, { ...options, protocol: "clean", mp3: codec.mp3 });
  for (const file of ["model.json", "weights.bin", "outlier.bin"]) {
    assert.deepEqual(again.files.get(file), files.get(file), file);
  }
  // Somebody may commit in between.
  const { commit } = info.provenance;
  assert.deepEqual({ ...again.info, provenance: { ...again.info.provenance, commit } }, info);
});

Deno.test("an as-published bundle says what unknown speakers may expect instead", async () => {
  const { info: published } = await makeBundle(prepared, { ...options, protocol: "as-published" });
  assert.equal(published.name, "004-scaled-as-published");
  assert.deepEqual(published.provenance.expected.map(({ protocol }) => protocol), ["as-published", "clean"]);
  assert.equal(published.provenance.expected[1]!.accuracy, record.metrics.accuracy);
  assert.deepEqual(published.provenance.heldOut, []);
  assert.ok(published.consequences.every(({ id }) => id !== "mp3-32k"), "without an encoder MP3 is not measured");
  assert.match(modelCard(published), /For a new voice expect \d/);
});

Deno.test("each fault does to a recording what it says", async () => {
  const { folds, examples } = await planRun(prepared, { ...options, protocol: "clean" });
  const row = examples[folds[0]!.test[0]!]!;
  const wave = resample(await loadAudio(`${await smallCorpus()}/${row.path}`, { sampleRateHz: null }), 48000);
  const level = (samples: Float32Array): number =>
    10 * Math.log10(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
  for (const { id, apply } of degradations(null)) {
    const worse = await apply(wave, "key"), again = await apply(wave, "key");
    assert.deepEqual(worse.samples, again.samples, `${id} is the same every time`);
    assert.equal(worse.sampleRateHz, 48000);
    const { bandwidthHz, clippedShare, durationSec } = describeRecording(worse);
    if (id === "bandwidth-8000" || id === "telephone") assert.ok(bandwidthHz < 4400, `${id}: ${bandwidthHz}`);
    if (id === "bandwidth-16000") assert.ok(bandwidthHz < 8800, `${id}: ${bandwidthHz}`);
    if (id === "clipping") assert.ok(clippedShare > 0.02 && clippedShare < 0.06, String(clippedShare));
    if (id === "short-0.5s") assert.equal(durationSec, 0.5);
    if (id === "quiet-30dB") assert.ok(Math.abs(level(worse.samples) - level(wave.samples) + 30) < 0.5);
    if (id === "noise-20dB") {
      const noise = worse.samples.map((x, i) => x - wave.samples[i]!);
      assert.ok(Math.abs(level(noise) - level(wave.samples) + 20) < 0.3);
    }
  }
});
