import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { type Classifier, plainClassifier } from "../../lib/engine/forward.ts";
import { layersClassifier } from "../../lib/engine/layers_model.ts";
import { predictProbabilities } from "../../lib/engine/trainer.ts";
import { readStoredModel, type StoredModel } from "../../lib/engine/topology.ts";
import { FormatError } from "../../lib/errors.ts";
import { study000Cnn, study002Conv1d, study003Conv1d, study003Conv2d, study004Mlp } from "../../lib/models/mod.ts";
import { stream } from "../../lib/random.ts";
import "./engine_for_tests.ts";

/** What a bundle stores of a model. */
async function stored(model: tf.LayersModel): Promise<{ json: Record<string, unknown>; weights: Uint8Array }> {
  let artifacts: tf.io.ModelArtifacts | undefined;
  await model.save({
    save: (all) => {
      artifacts = all;
      return Promise.resolve({ modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" } });
    },
  });
  const { modelTopology, weightSpecs, weightData } = artifacts!;
  const json = JSON.parse(JSON.stringify({ modelTopology, weightSpecs }));
  return { json, weights: new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData)) };
}

async function storedModel(model: tf.LayersModel): Promise<StoredModel> {
  const { json, weights } = await stored(model);
  return readStoredModel(json, weights, "model.json");
}

/** Random weights everywhere, moving statistics and biases too; small where many are summed, as trained ones are. */
function shake(model: tf.LayersModel): tf.LayersModel {
  const rng = stream(3, "forward test", model.name);
  tf.tidy(() =>
    model.setWeights(model.weights.map(({ shape, originalName }) => {
      const length = shape.reduce((a, b) => a! * b!, 1)!;
      const bound = shape.length < 2 ? 0.4 : Math.sqrt(3 * shape.at(-1)! / length);
      const values = Array.from({ length }, () => {
        const value = rng.uniform(-bound, bound);
        return /variance/.test(originalName) ? 0.5 + Math.abs(value) : value;
      });
      return tf.tensor(values, shape as number[]);
    }))
  );
  return model;
}

function someRows(shape: readonly number[], n: number) {
  const rng = stream(4, "forward rows", shape.join());
  const size = shape.reduce((a, b) => a * b, 1);
  return { data: Float32Array.from({ length: n * size }, () => rng.uniform(-1, 1)), shape: [n, ...shape] };
}

const { conv1d, conv2d, maxPooling1d, maxPooling2d, averagePooling1d, averagePooling2d, batchNormalization } =
  tf.layers;
const { dense, dropout, flatten, activation, globalAveragePooling1d, globalAveragePooling2d } = tf.layers;

const models: Record<string, () => tf.LayersModel> = {
  "study 004's perceptron": () => study004Mlp({ classes: 4, seed: 1 }),
  "study 000's network": () => study000Cnn({ classes: 8, seed: 1, dropout: 0.5 }),
  "study 003's vector network": () => study003Conv1d({ classes: 6, seed: 1 }),
  "planes: same and valid, strides, no bias, every pool, normalisation": () =>
    tf.sequential({
      layers: [
        conv2d({ inputShape: [13, 10, 2], filters: 5, kernelSize: [3, 4], strides: [2, 1], padding: "same" }),
        batchNormalization({}),
        activation({ activation: "relu" }),
        maxPooling2d({ poolSize: 3, strides: 2, padding: "same" }),
        conv2d({ filters: 4, kernelSize: 2, useBias: false, activation: "tanh" }),
        averagePooling2d({ poolSize: 2, strides: 1, padding: "same" }),
        dropout({ rate: 0.5 }),
        globalAveragePooling2d({}),
        dense({ units: 3, activation: "softmax" }),
      ],
    }),
  "sequences: same and valid, strides, pools, normalisation without scale": () =>
    tf.sequential({
      layers: [
        conv1d({ inputShape: [31, 3], filters: 6, kernelSize: 5, strides: 2, padding: "same", activation: "sigmoid" }),
        maxPooling1d({ poolSize: 5, strides: 2, padding: "same" }),
        batchNormalization({ scale: false, epsilon: 1e-2 }),
        averagePooling1d({ poolSize: 2 }),
        conv1d({ filters: 4, kernelSize: 2 }),
        globalAveragePooling1d({}),
        dense({ units: 3, useBias: false }),
        activation({ activation: "softmax" }),
      ],
    }),
  "a row of dense layers over places": () =>
    tf.sequential({
      layers: [
        dense({ inputShape: [4, 3], units: 5, activation: "relu" }),
        flatten(),
        dense({ units: 2, activation: "softmax" }),
      ],
    }),
};

for (const [name, make] of Object.entries(models)) {
  Deno.test(`without tf.js, ${name} gives tf.js's probabilities within 1e-6`, async () => {
    const model = shake(make());
    try {
      const own = plainClassifier(await storedModel(model), "model.json");
      assert.ok(own, "it needs no tf.js");
      assert.equal(own.backend, "plain");
      const x = someRows(own.inputShape, 5);
      const expected = await predictProbabilities(model, x), { data, shape } = await own.predict(x);
      assert.deepEqual(shape, expected.shape);
      expected.data.forEach((p, i) => assert.ok(Math.abs(data[i]! - p) < 1e-6, `${i}: ${data[i]} for ${p}`));
    } finally {
      model.dispose();
    }
  });
}

Deno.test("what is too large or unknown to plain TypeScript is left to tf.js, which gives the same", async () => {
  const models: [string, tf.LayersModel][] = [
    ["large", study003Conv2d({ classes: 6, seed: 1 })],
    ["larger", study002Conv1d({ classes: 6, seed: 1 })],
    [
      "recurrent",
      tf.sequential({
        layers: [tf.layers.lstm({ inputShape: [6, 3], units: 4 }), dense({ units: 2, activation: "softmax" })],
      }),
    ],
  ];
  for (const [name, model] of models) {
    shake(model);
    const topology = await storedModel(model);
    assert.equal(plainClassifier(topology, "model.json"), null, name);
    const before = tf.memory().numTensors;
    const classifier: Classifier = await layersClassifier(topology, "model.json");
    const x = someRows(classifier.inputShape, 2);
    const expected = await predictProbabilities(model, x), { data } = await classifier.predict(x);
    expected.data.forEach((p, i) => assert.ok(Math.abs(data[i]! - p) < 1e-6, name));
    classifier.dispose();
    assert.equal(tf.memory().numTensors, before, "nothing is left behind");
    model.dispose();
  }
});

Deno.test("a stored model with code, unknown classes, giant sizes or other weights is refused before it is built", async () => {
  const model = study004Mlp({ classes: 4, seed: 1 });
  const { json, weights } = await stored(model);
  model.dispose();
  const text = JSON.stringify(json);
  type Layer = { class_name: string; config: Record<string, unknown> };
  const layersOf = (copy: Record<string, unknown>): Layer[] =>
    (copy["modelTopology"] as { config: { layers: Layer[] } }).config.layers;
  const cases: [string, (copy: Record<string, unknown>) => unknown, RegExp, Uint8Array?][] = [
    ["Lambda", (c) => layersOf(c)[0]!.class_name = "Lambda", /class Lambda; serlab loads .* and never code\.$/],
    ["inner", (c) => layersOf(c)[0]!.config["kernel_initializer"] = { class_name: "Fetch" }, /class Fetch/],
    ["prototype", (c) => layersOf(c)[0]!.config["activation"] = "constructor", /layer|activation|null/],
    ["functional", (c) => (c["modelTopology"] as Layer).class_name = "Model", /not a model of layers in a row/],
    ["units", (c) => layersOf(c)[0]!.config["units"] = 1e12, /names the size 1000000000000/],
    ["other units", (c) => layersOf(c)[0]!.config["units"] = 301, /layer hidden needs kernel \[180,301\]/],
    ["input", (c) => layersOf(c)[0]!.config["batch_input_shape"] = [null, -1], /how large its input is/],
    ["names", (c) => layersOf(c)[1]!.config["name"] = "hidden", /two of its layers have one name/],
    ["no layers", (c) => (c["modelTopology"] as Layer).config["layers"] = [], /has no layers/],
    ["dtype", (c) => (c["weightSpecs"] as { dtype: string }[])[0]!.dtype = "int32", /not a float32 array/],
    ["short", () => {}, /names more weights than there are/, weights.subarray(4)],
    ["long", () => {}, /more weights than it names/, new Uint8Array([...weights, 0, 0, 0, 0])],
    ["nothing", (c) => delete c["modelTopology"], /not a model of layers in a row/],
  ];
  for (const [name, change, reason, bytes = weights] of cases) {
    const copy = JSON.parse(text);
    change(copy);
    const build = (): Classifier | null =>
      plainClassifier(readStoredModel(copy, bytes, "b/model.json"), "b/model.json");
    if (name === "prototype") {
      assert.equal(build(), null, "an activation that is not known is nobody's property");
      continue;
    }
    assert.throws(build, (error: Error) => {
      assert.ok(error instanceof FormatError, `${name}: ${error}`);
      assert.match(error.message, reason, name);
      assert.match(error.message, /^b\/model\.json: [^\n]*\.$/);
      return true;
    });
  }
});
