/**
 * Dropout and its relatives drawn from our seed: the numbers follow from (seed, layer, step), so that the same training
 * draws the same masks wherever it is interrupted.
 *
 * On native TensorFlow the numbers come from its counter-based generator (`StatelessRandomUniform`, Salmon et al. 2011),
 * the same in a compiled graph as op by op; elsewhere from tf.js's seeded generator.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { streamSeed } from "../random.ts";
import { attributesFor, DT, nativeBackend } from "./compiled/binding.ts";
import { withUndo } from "../interruption.ts";

/** The parts of tf.js's layers that are not in its public types. */
interface RandomLayer {
  readonly name: string;
  readonly rate: number;
  readonly stddev: number;
  readonly layers?: readonly RandomLayer[];
  readonly layer?: RandomLayer;
  readonly forwardLayer?: RandomLayer;
  readonly backwardLayer?: RandomLayer;
  readonly cell?: RandomCell;
  getClassName(): string;
  getNoiseShape?(input: tf.Tensor): number[] | null | undefined;
  _getNoiseShape?(input: tf.Tensor): number[];
  call?: unknown;
}

interface RandomCell {
  readonly name: string;
  readonly dropout?: number;
  readonly recurrentDropout?: number;
  readonly cells?: readonly RandomCell[];
  dropoutFunc?: unknown;
}

/** What one layer of a kind does to its input, given a source of numbers. */
type Draw = (layer: RandomLayer, x: tf.Tensor, random: LayerRandom) => tf.Tensor;

const KINDS: Readonly<Record<string, Draw>> = {
  Dropout: (layer, x, random) => dropped(x, layer.rate, layer.getNoiseShape?.(x) ?? x.shape, random),
  SpatialDropout1D: (layer, x, random) => dropped(x, layer.rate, layer.getNoiseShape?.(x) ?? x.shape, random),
  GaussianNoise: (layer, x, random) => tf.add(x, tf.mul(random.normal(x.shape), layer.stddev)),
  GaussianDropout: (layer, x, random) =>
    tf.mul(x, tf.add(tf.mul(random.normal(x.shape), Math.sqrt(layer.rate / (1 - layer.rate))), 1)),
  AlphaDropout: (layer, x, random) => {
    // Klambauer et al. 2017, section "alpha dropout".
    const low = -1.6732632423543772 * 1.0507009873554805, { rate } = layer;
    const kept = tf.cast(tf.greaterEqual(random.uniform(layer._getNoiseShape?.(x) ?? x.shape), rate), "float32");
    const a = ((1 - rate) * (1 + rate * low ** 2)) ** -0.5, b = -a * low * rate;
    return tf.add(tf.mul(tf.add(tf.mul(x, kept), tf.mul(tf.sub(1, kept), low)), a), b);
  },
};

function dropped(x: tf.Tensor, rate: number, shape: readonly number[], random: LayerRandom): tf.Tensor {
  const kept = tf.cast(tf.greaterEqual(random.uniform(shape), rate), "float32");
  return tf.mul(x, tf.mul(kept, 1 / (1 - rate)));
}

/** The numbers of one layer in one step. */
class LayerRandom {
  #draws = 0;

  constructor(readonly seed: number, readonly layer: string, readonly step: number | tf.Scalar) {}

  /** Uniform on [0, 1). */
  uniform(shape: readonly number[]): tf.Tensor {
    return this.#draw("StatelessRandomUniform", shape, (seed) => tf.randomUniform([...shape], 0, 1, "float32", seed));
  }

  /** Normal with mean 0 and standard deviation 1. */
  normal(shape: readonly number[]): tf.Tensor {
    return this.#draw("StatelessRandomNormal", shape, (seed) => tf.randomNormal([...shape], 0, 1, "float32", seed));
  }

  #draw(op: string, shape: readonly number[], elsewhere: (seed: number) => tf.Tensor): tf.Tensor {
    const draw = this.#draws++, backend = nativeBackend();
    if (!backend) {
      const names = draw === 0 ? [] : [draw];
      return elsewhere(streamSeed(this.seed, "layer", this.layer, this.step as number, ...names));
    }
    const key = tf.scalar(streamSeed(this.seed, "layer", this.layer, draw) | 0, "int32");
    const step = typeof this.step === "number" ? tf.scalar(this.step, "int32") : this.step;
    const { type } = attributesFor(backend.binding);
    const attributes = [type("dtype", DT.FLOAT), type("T", DT.INT32), type("Tseed", DT.INT32)];
    // Called on the backend itself: there is nothing here to take a gradient of.
    return backend.executeSingleOutput(op, attributes, [tf.tensor1d([...shape], "int32"), tf.stack([key, step])]);
  }
}

/** Whether a layer itself draws random numbers in training: one of a rate of zero does not. */
export function isActiveRandomLayer(layer: tf.layers.Layer): boolean {
  const random = layer as unknown as RandomLayer;
  if (KINDS[random.getClassName()] === undefined) return false;
  return random.getClassName() === "GaussianNoise" || (random.rate > 0 && random.rate < 1);
}

/** The random layers of a model. */
export class RandomLayers {
  readonly #seed: number;
  readonly #layers: RandomLayer[] = [];
  readonly #cells: RandomCell[] = [];

  /**
   * Finds the random layers of a model.
   *
   * @param model The model; nested models, wrappers and recurrent cells are searched too.
   * @param seed What the numbers follow from, with the layer's name and the step.
   */
  constructor(model: tf.LayersModel, seed: number) {
    this.#seed = seed;
    this.#find(model as unknown as RandomLayer);
  }

  #find(layer: RandomLayer): void {
    if (KINDS[layer.getClassName()]) this.#layers.push(layer);
    for (const inner of [layer.layer, layer.forwardLayer, layer.backwardLayer]) if (inner) this.#find(inner);
    for (const inner of layer.layers ?? []) this.#find(inner);
    for (const cell of layer.cell?.cells ?? [layer.cell]) {
      if (cell?.dropout || cell?.recurrentDropout) this.#cells.push(cell);
    }
  }

  /**
   * Runs `f` with every random layer drawing for this step; afterwards the layers are as they were.
   *
   * @param step Number of the step, or an int32 scalar that holds it.
   */
  during<T>(step: number | tf.Scalar, f: () => T): T {
    const random = (name: string): LayerRandom => new LayerRandom(this.#seed, name, step);
    const undo: (() => void)[] = [];
    return withUndo(() => undo.splice(0).forEach((put) => put()), () => {
      for (const layer of this.#layers) {
        const source = random(layer.name), draw = KINDS[layer.getClassName()]!;
        layer.call = (inputs: tf.Tensor | tf.Tensor[], kwargs?: { training?: boolean }): tf.Tensor => {
          const x = Array.isArray(inputs) ? inputs[0]! : inputs;
          const idle = !isActiveRandomLayer(layer as unknown as tf.layers.Layer);
          return !kwargs?.training || idle ? tf.clone(x) : tf.tidy(() => draw(layer, x, source));
        };
        undo.push(() => delete layer.call); // uncovers the class's own method
      }
      for (const cell of this.#cells) {
        const source = random(cell.name), before = cell.dropoutFunc;
        cell.dropoutFunc = (ones: tf.Tensor, rate: number): tf.Tensor => dropped(ones, rate, ones.shape, source);
        undo.push(() => cell.dropoutFunc = before);
      }
      return f();
    });
  }
}
