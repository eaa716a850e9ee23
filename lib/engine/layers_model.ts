/**
 * A stored model that tf.js computes, on the backend that runs. Browser-safe.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { FormatError } from "../errors.ts";
import type { Classifier } from "./forward.ts";
import type { StoredModel } from "./topology.ts";
import { predictProbabilities } from "./trainer.ts";

/**
 * Builds a checked model in tf.js.
 *
 * @param model The model.
 * @param file What to call it in errors.
 * @throws {FormatError} when tf.js cannot build it.
 */
export async function layersClassifier(model: StoredModel, file: string): Promise<Classifier> {
  const all = [...model.weights.values()];
  const weightData = new Float32Array(all.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of all) {
    weightData.set(data, at);
    at += data.length;
  }
  const weightSpecs = all.map(({ name, shape }) => ({ name, shape: [...shape], dtype: "float32" as const }));
  let layers: tf.LayersModel;
  try {
    layers = await tf.loadLayersModel(
      tf.io.fromMemory(
        { modelTopology: model.topology, weightSpecs, weightData: weightData.buffer } as tf.io.ModelArtifacts,
      ),
    );
  } catch (error) {
    throw new FormatError(`${file}: is not a model that tf.js can build.`, { cause: error });
  }
  return {
    backend: tf.getBackend(),
    inputShape: model.inputShape,
    classes: layers.outputs[0]!.shape.at(-1)!,
    predict: (x) => predictProbabilities(layers, x),
    dispose: () => void layers.dispose(),
  };
}
