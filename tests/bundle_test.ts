import assert from "node:assert/strict";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { demo } from "../experiments/demo.ts";
import { loadAudio } from "../lib/audio/load.ts";
import { resample } from "../lib/audio/resample.ts";
import { readBundle } from "../lib/bundle_files.ts";
import { AudioError, FormatError } from "../lib/errors.ts";
import { predict } from "../lib/predict.ts";
import { readPredictions, recordPath } from "../lib/results/record.ts";
import { runStudy } from "../lib/study/run.ts";
import { engine } from "./engine/engine_for_tests.ts";
import { prepareSmall, smallCorpus, temporaryFolder } from "./study/small.ts";

const out = temporaryFolder();
const folder = join(out, "bundles", "demo");
const prepared = await prepareSmall(demo);
const { record } = await runStudy(prepared, {
  variant: "cnn",
  protocol: "clean",
  seed: 0,
  out,
  engine,
  epochs: 2,
  bundle: folder,
});

Deno.test("a bundle predicts from the file what the run predicted for it", async () => {
  const bundle = await readBundle(folder);
  const { rows } = readPredictions(recordPath(out, record), record);
  const before = tf.memory().numTensors;
  for (const tested of rows.filter((row) => row.fold === 0).slice(0, 5)) {
    const path = prepared.rows.find((row) => row.key === tested.key)!.path;
    const answer = await predict(bundle, await loadAudio(join(await smallCorpus(), path), { sampleRateHz: null }));
    assert.equal(answer.emotion, tested.prediction);
    demo.labels.forEach((label, i) =>
      assert.ok(Math.abs(answer.probabilities[label]! - tested.probabilities[i]!) < 1e-5, `${tested.key}: ${label}`)
    );
  }
  assert.equal(tf.memory().numTensors, before, "predicting leaves no tensor behind");
});

Deno.test("any length, rate and level is answered; what speaks against the answer is said", async () => {
  const bundle = await readBundle(folder);
  const wave = await loadAudio(join(await smallCorpus(), prepared.rows[0]!.path), { sampleRateHz: null });
  const full = resample(wave, 48000);
  assert.deepEqual((await predict(bundle, full)).warnings, []);
  const cases: [string, { samples: Float32Array; sampleRateHz: number }, RegExp][] = [
    ["one sample", { samples: Float32Array.of(0.1), sampleRateHz: 48000 }, /lasts only 0\.00 s/],
    ["silence", { samples: new Float32Array(48000), sampleRateHz: 48000 }, /silent/],
    ["8 kHz", resample(wave, 8000), /nothing above 4000 Hz/],
    ["clipped", { ...full, samples: full.samples.map((v) => Math.max(-1, Math.min(1, 100 * v))) }, /clipped/],
    ["very quiet", { ...full, samples: full.samples.map((v) => v * 1e-5) }, /very quiet/],
  ];
  for (const [name, input, warning] of cases) {
    const answer = await predict(bundle, input);
    const sum = Object.values(answer.probabilities).reduce((a, b) => a + b, 0);
    assert.ok(Math.abs(sum - 1) < 1e-5, name);
    assert.match(answer.warnings.join(" "), warning, name);
    assert.equal(answer.abstained, name === "silence" || name === "one sample", name);
  }
  await assert.rejects(predict(bundle, { samples: new Float32Array(0), sampleRateHz: 48000 }), AudioError);
  await assert.rejects(predict(bundle, { samples: Float32Array.of(NaN), sampleRateHz: 48000 }), AudioError);
});

Deno.test("a bundle with any file missing, changed, or of another version is refused with the reason", async () => {
  const spoil = async (change: (folder: string) => void, reason: RegExp): Promise<void> => {
    const copy = join(temporaryFolder(), "b");
    cpSync(folder, copy, { recursive: true });
    change(copy);
    await assert.rejects(readBundle(copy), (error: Error) => {
      assert.ok(error instanceof FormatError, String(error));
      assert.match(error.message, reason);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
  };
  const edit = (file: string, change: (text: string) => string) => (copy: string): void =>
    writeFileSync(join(copy, file), change(readFileSync(join(copy, file), "utf8")));
  await spoil((copy) => rmSync(join(copy, "bundle.json")), /no bundle\.json/);
  await spoil((copy) => rmSync(join(copy, "weights.bin")), /weights\.bin is missing/);
  await spoil((copy) => {
    const bytes = readFileSync(join(copy, "weights.bin"));
    bytes[100]! ^= 1;
    writeFileSync(join(copy, "weights.bin"), bytes);
  }, /weights\.bin: has been changed/);
  await spoil(edit("model.json", (text) => text.replace("relu", "tanh")), /model\.json: has been changed/);
  await spoil(edit("bundle.json", (text) => text.replace('"neutral"', '"happier"')), /bundle\.json: has been changed/);
  await spoil(
    edit("bundle.json", (text) => text.replace('"version": 2', '"version": 7')),
    /version 7.*reads version 1 and 2; a newer serlab made it/,
  );
  await spoil(edit("bundle.json", () => "not json"), /bundle\.json: not JSON/);
  await spoil(edit("bundle.json", () => "[]"), /not a serlab bundle/);
  await assert.rejects(readBundle(join(out, "nothing")), /nothing: no such bundle/);
  await assert.rejects(readBundle(join(folder, "model.json")), /not a bundle, which is a folder or a \.serlab file/);
});
