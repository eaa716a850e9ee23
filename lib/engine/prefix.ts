/**
 * Frozen prefixes: the layers of a model that compute the same numbers in every epoch, apart from those that are trained.
 *
 * A prefix that is frozen and not random gives each row one value for good (its bottleneck feature): computed once, the
 * rest of the model is trained on it as if it were the whole. Browser-safe; bottleneck.ts keeps the features on disk.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { FormatError } from "../errors.ts";
import type { NdArray } from "../types.ts";
import { isActiveRandomLayer } from "./random_layers.ts";
import type { StepOptions, StepResult, Targets, Trainer, TrainerState } from "./trainer.ts";

/**
 * Layers that give a row the same value in training as in inference, whatever rows stand beside it. Not among them are
 * batch normalisation (in tf.js a frozen one still takes the batch's statistics in training), layers that make masks (a
 * mask would end at the cut) and classes that are not tf.js's own.
 */
const STEADY: ReadonlySet<string> = new Set([
  ...["InputLayer", "Activation", "ReLU", "LeakyReLU", "PReLU", "ELU", "ThresholdedReLU", "Softmax"],
  ...["Conv1D", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "SeparableConv2D", "DepthwiseConv2D"],
  ...["Dense", "Flatten", "Reshape", "Permute", "RepeatVector", "LayerNormalization", "Rescaling"],
  ...["Cropping2D", "UpSampling2D", "ZeroPadding2D"],
  ...["MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D"],
  ...["GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"],
  // Steady at a rate of zero, which is asked for below.
  ...["Dropout", "SpatialDropout1D", "GaussianDropout", "AlphaDropout"],
  // Steady when all within is.
  ...["Sequential", "Functional", "Model", "LayersModel", "TimeDistributed"],
]);

/** The parts of tf.js's layers that are not in its public types. */
interface LayerParts {
  readonly layers?: readonly tf.layers.Layer[];
  readonly layer?: tf.layers.Layer;
  readonly inboundNodes: readonly {
    readonly inboundLayers: readonly tf.layers.Layer[];
    readonly nodeIndices: readonly number[];
  }[];
  calculateLosses(): tf.Scalar[];
}

const partsOf = (layer: tf.layers.Layer | tf.LayersModel): LayerParts => layer as unknown as LayerParts;

/** A model in two parts that share its weights. */
export interface FrozenSplit {
  /** The frozen layers, from the model's input on. */
  readonly prefix: tf.LayersModel;
  /** The layers after them, under their own names: its input is the prefix's output. */
  readonly suffix: tf.LayersModel;
  /** Name of the last frozen layer. */
  readonly layer: string;
  /** Frees what the parts hold besides the model's own; the model stays as it is. */
  dispose(): void;
}

/** Whether a layer gives a row the same value at any time and has nothing to train. */
function isSteady(layer: tf.layers.Layer): boolean {
  if (layer.trainableWeights.length > 0 || layer.stateful) return false;
  if (!STEADY.has(layer.getClassName()) || isActiveRandomLayer(layer)) return false;
  const { layers, layer: inner } = partsOf(layer);
  return (layers ?? []).every(isSteady) && (inner === undefined || isSteady(inner));
}

/** The layers of a model whose every layer takes the one before it, without the input; null for any other model. */
function chainOf(model: tf.LayersModel): tf.layers.Layer[] | null {
  if (model.inputs.length !== 1 || model.outputs.length !== 1) return null;
  const isInput = (layer: tf.layers.Layer): boolean => layer.getClassName() === "InputLayer";
  const own = model.layers.filter((layer) => !isInput(layer));
  if (model instanceof tf.Sequential) return own;
  const output = model.outputs[0]!;
  const chain: tf.layers.Layer[] = [];
  let layer = output.sourceLayer, node = output.nodeIndex;
  while (!isInput(layer)) {
    const { inboundLayers, nodeIndices } = partsOf(layer).inboundNodes[node]!;
    if (inboundLayers.length !== 1 || chain.includes(layer)) return null;
    chain.unshift(layer);
    [layer, node] = [inboundLayers[0]!, nodeIndices[0]!];
  }
  return chain.length === own.length ? chain : null;
}

function modelOf(layers: readonly tf.layers.Layer[], shape: tf.Shape, name: string): tf.LayersModel {
  const inputs = tf.input({ shape: shape.slice(1) });
  const outputs = layers.reduce((x, layer) => layer.apply(x) as tf.SymbolicTensor, inputs);
  return tf.model({ inputs, outputs, name });
}

/**
 * Finds the longest frozen prefix of a model and splits the model behind it.
 *
 * The suffix has the layers themselves, so that it is trained as they would be in the model: the same weights, and the
 * same random numbers, which follow from a layer's name.
 *
 * @param model A sequential model, or a functional one whose every layer takes the one before it.
 * @returns the two parts; null when the model has no such prefix with weights, nothing to train, or branches.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import * as tf from "@tensorflow/tfjs";
 * const model = tf.sequential({
 *   layers: [
 *     tf.layers.dense({ name: "frozen", inputShape: [3], units: 2, trainable: false }),
 *     tf.layers.activation({ name: "relu", activation: "relu" }),
 *     tf.layers.dense({ name: "output", units: 4, activation: "softmax" }),
 *   ],
 * });
 * const { prefix, suffix, layer } = splitFrozenPrefix(model)!;
 * assert.equal(layer, "relu");
 * assert.deepEqual([prefix.outputs[0]!.shape, suffix.inputs[0]!.shape], [[null, 2], [null, 2]]);
 * ```
 */
export function splitFrozenPrefix(model: tf.LayersModel): FrozenSplit | null {
  const chain = chainOf(model);
  if (chain === null || model.trainableWeights.length === 0) return null;
  const moving = chain.findIndex((layer) => !isSteady(layer));
  const count = moving < 0 ? chain.length : moving;
  // The last layer has the softmax, which the loss takes apart.
  const frozen = chain.slice(0, Math.min(count, chain.length - 1));
  if (!frozen.some((layer) => layer.weights.length > 0)) return null;
  const prefix = modelOf(frozen, model.inputs[0]!.shape, `${model.name}-prefix`);
  const suffix = modelOf(chain.slice(frozen.length), prefix.outputs[0]!.shape, model.name);
  return {
    prefix,
    suffix,
    layer: frozen.at(-1)!.name,
    dispose: () => {
      // Each layer counts its uses, of which the parts were one. (A model's own dispose takes two off a model within it.)
      for (const layer of chain) layer.dispose();
    },
  };
}

/**
 * A trainer of a whole model that is fed the prefix's features: steps, evaluations and predictions run the suffix alone.
 * Its state is the whole model's, so that checkpoints serve both ways.
 *
 * @param model The model that was split.
 * @param split Its parts; the trainer disposes of them.
 * @param trainer A trainer of the suffix; the trainer disposes of it.
 */
export function suffixTrainer(model: tf.LayersModel, split: FrozenSplit, trainer: Trainer): Trainer {
  return new SuffixTrainer(model, split, trainer);
}

class SuffixTrainer implements Trainer {
  readonly learningRate: number;
  readonly #split: FrozenSplit;
  readonly #trainer: Trainer;
  /** Where each of the model's weights is among the suffix's; -1 for one of the prefix. */
  readonly #places: readonly number[];
  /** The frozen layers' own penalties, which Keras's loss counts too. */
  readonly #penalty: number;
  #frozen: readonly (NdArray | null)[] | undefined;

  constructor(readonly model: tf.LayersModel, split: FrozenSplit, trainer: Trainer) {
    this.learningRate = trainer.learningRate;
    this.#split = split;
    this.#trainer = trainer;
    const own = split.suffix.weights.map((weight) => weight.read());
    this.#places = model.weights.map((weight) => own.indexOf(weight.read()));
    this.#penalty = tf.tidy(() =>
      partsOf(split.prefix).calculateLosses().reduce((sum, term) => sum + term.dataSync()[0]!, 0)
    );
  }

  #whole({ loss, accuracy }: StepResult, scale = 1): StepResult {
    return { loss: loss + this.#penalty * scale, accuracy };
  }

  async trainOnBatch(x: NdArray, targets: Targets, options: StepOptions = {}): Promise<StepResult> {
    return this.#whole(await this.#trainer.trainOnBatch(x, targets, options), options.penaltyScale);
  }

  async evaluate(x: NdArray, targets: Targets, options: { readonly batchSize?: number } = {}): Promise<StepResult> {
    return this.#whole(await this.#trainer.evaluate(x, targets, options));
  }

  async predict(
    x: NdArray,
    options: { readonly batchSize?: number } = {},
  ): Promise<NdArray<readonly [number, number]>> {
    return await this.#trainer.predict(x, options);
  }

  /** The frozen weights, read once: nothing moves them. */
  async #frozenWeights(): Promise<readonly (NdArray | null)[]> {
    this.#frozen ??= await Promise.all(this.model.weights.map(async (weight, i) => {
      const value = weight.read();
      return this.#places[i]! < 0 ? { data: Float32Array.from(await value.data()), shape: value.shape } : null;
    }));
    return this.#frozen;
  }

  async state(): Promise<TrainerState> {
    const { weights, optimizer } = await this.#trainer.state();
    const frozen = await this.#frozenWeights();
    return { weights: this.#places.map((place, i) => frozen[i] ?? weights[place]!), optimizer };
  }

  restore({ weights, optimizer }: TrainerState): void {
    if (weights.length !== this.#places.length) {
      throw new FormatError("The weights do not fit the model: other number or shapes.");
    }
    const own: NdArray[] = [];
    this.#places.forEach((place, i) => {
      if (place >= 0) own[place] = weights[i]!;
      else if (!isEqual(this.model.weights[i]!.read(), weights[i]!)) {
        throw new FormatError("The state has other weights in frozen layers than those the features were made with.");
      }
    });
    this.#trainer.restore({ weights: own, optimizer });
  }

  pullWeights(): void {
    this.#trainer.pullWeights(); // the suffix's variables are the model's
  }

  dispose(): void {
    this.#trainer.dispose();
    this.#split.dispose();
  }
}

function isEqual(tensor: tf.Tensor, { data, shape }: NdArray): boolean {
  if (tensor.shape.join() !== shape.join()) return false;
  return tensor.dataSync().every((value, i) => Object.is(value, data[i]!));
}
