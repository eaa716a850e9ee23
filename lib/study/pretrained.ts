/**
 * Weights that a model starts from: a Keras weight file (HDF5), or a bundle of serlab.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { readBundle } from "../bundle_files.ts";
import { weightsOfLayer } from "../engine/topology.ts";
import { FormatError, UsageError } from "../errors.ts";
import { readFileOr, sha256Hex } from "../io.ts";
import type { NdArray } from "../types.ts";
import type { Pretrained } from "./declare.ts";

/** Weights by layer, in the order of the layer's weights. */
export interface LayerWeights {
  /** What they are, by hash: a run that starts from others is another run. */
  readonly sha256: string;
  /** Arrays by the layer's name. */
  readonly layers: ReadonlyMap<string, readonly NdArray[]>;
}

/** Options of {@linkcode loadPretrained}. */
export interface PretrainedOptions {
  /** The weight file that the user gives. */
  readonly path?: string | undefined;
  /** Folders of results, below which bundles lie; the first that has it is taken. */
  readonly results: readonly [string, ...string[]];
  /** Whether a Keras file that is not the official one is taken (tests). Default false. */
  readonly allowAnyFile?: boolean | undefined;
}

/**
 * Reads the weights that a variant starts from.
 *
 * @throws {UsageError} when they are not there, saying how to get them.
 * @throws {FormatError} when a file is not the official one or cannot be read.
 */
export async function loadPretrained(spec: Pretrained, options: PretrainedOptions): Promise<LayerWeights> {
  if (spec.kind === "bundle") {
    const folders = options.results.map((results) => join(results, "bundles", spec.bundle));
    const folder = folders.find((each) => existsSync(each));
    if (folder === undefined) {
      throw new UsageError(`${folders[0]}: the ${spec.describe} are not there; make them with: ${spec.command}.`);
    }
    const bundle = await readBundle(folder);
    const layers = new Map(spec.layers.map((name) => {
      const own = weightsOfLayer(bundle.weights, name);
      if (own.length === 0) throw new FormatError(`${folder}: its model has no layer ${name}.`);
      return [name, own.map(({ data, shape }): NdArray => ({ data, shape }))];
    }));
    bundle.model.dispose();
    return { sha256: hashOf(layers), layers };
  }
  const { path } = options;
  if (path === undefined) {
    throw new UsageError(
      `The ${spec.describe} are needed: download ${spec.url} and give its path with --weights (MD5 ${spec.md5}).`,
    );
  }
  const bytes = readFileOr(path, FormatError);
  if (!options.allowAnyFile) {
    const md5 = createHash("md5").update(bytes).digest("hex");
    if (md5 !== spec.md5) {
      throw new FormatError(`${path}: is not the official ${spec.file}, its MD5 is ${md5} and not ${spec.md5}.`);
    }
  }
  const layers = await readKerasWeights(bytes, basename(path), spec.layers);
  return { sha256: hashOf(layers), layers };
}

function hashOf(layers: ReadonlyMap<string, readonly NdArray[]>): string {
  return sha256Hex(JSON.stringify(
    [...layers].map(([name, arrays]) => [
      name,
      arrays.map(({ data, shape }) => [
        shape,
        sha256Hex(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
      ]),
    ]),
  ));
}

let files = 0;

/** What an HDF5 file begins with. */
const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

/**
 * Layers of a Keras 2 weight file (HDF5): a group a layer, whose attribute `weight_names` names its arrays in order.
 *
 * @param bytes The file.
 * @param file Name for errors.
 * @param layers Names of the layers that are wanted.
 * @throws {FormatError} when it is not such a file or lacks a layer.
 */
export async function readKerasWeights(
  bytes: Uint8Array,
  file: string,
  layers: readonly string[],
): Promise<Map<string, NdArray[]>> {
  // The library would write its own account of a file that it cannot open.
  if (!SIGNATURE.every((byte, i) => bytes[i] === byte)) throw new FormatError(`${file}: is not an HDF5 file.`);
  const h5 = await import("h5wasm");
  const { FS } = await h5.ready;
  const name = `weights-${files++}.h5`;
  FS.writeFile(name, bytes);
  try {
    const opened = new h5.File(name, "r");
    if (!(opened.file_id > 0n)) throw new FormatError(`${file}: is damaged, HDF5 cannot open it.`);
    try {
      const root = opened.get("model_weights") instanceof h5.Group ? opened.get("model_weights") : opened;
      return new Map(layers.map((layer) => {
        const group = (root as InstanceType<typeof h5.Group>).get(layer);
        if (!(group instanceof h5.Group)) throw new FormatError(`${file}: has no layer ${layer}.`);
        const names = group.attrs["weight_names"]?.value;
        if (!Array.isArray(names)) throw new FormatError(`${file}: layer ${layer} does not name its weights.`);
        return [
          layer,
          names.map((each): NdArray => {
            const array = group.get(String(each));
            const value = array instanceof h5.Dataset ? array.value : null;
            if (!(array instanceof h5.Dataset) || !(value instanceof Float32Array) || !array.shape) {
              throw new FormatError(`${file}: layer ${layer} has no float32 array ${each}.`);
            }
            return { data: Float32Array.from(value), shape: array.shape };
          }),
        ];
      }));
    } finally {
      opened.close();
    }
  } finally {
    FS.unlink(name);
  }
}

/**
 * Puts weights into the layers of a model.
 *
 * @throws {FormatError} when a layer is missing or its weights have other shapes.
 */
export function applyPretrained(model: tf.LayersModel, weights: LayerWeights): void {
  for (const [name, arrays] of weights.layers) {
    const layer = model.layers.find((each) => each.name === name);
    const shapes = layer?.getWeights().map((w) => w.shape.join());
    if (!layer || shapes!.length !== arrays.length || arrays.some(({ shape }, i) => shape.join() !== shapes![i])) {
      throw new FormatError(`The weights for the layer ${name} do not fit the model ${model.name}.`);
    }
    tf.tidy(() => layer.setWeights(arrays.map(({ data, shape }) => tf.tensor(data, [...shape]))));
  }
}
