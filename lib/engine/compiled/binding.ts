/**
 * tfjs-node's native binding, described: the one gate through which every operation goes to TensorFlow.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { EngineError } from "../../errors.ts";

/** TensorFlow's numbers for the types of elements (`DataType` in types.proto). */
export const DT = { FLOAT: 1, INT32: 3, INT64: 9, BOOL: 10, RESOURCE: 20 } as const;

/** What the binding says of a tensor it made. */
export interface TensorInfo {
  /** Handle of the tensor. */
  readonly id: number;
  /** Lengths of its axes. */
  readonly shape: readonly number[];
  /** Type of its elements, one of {@linkcode DT}. */
  readonly dtype: number;
}

/** An attribute of an operation as tfjs-node passes it. */
export interface OpAttribute {
  /** Name of the attribute in TensorFlow's registry. */
  readonly name: string;
  /** One of the binding's `TF_ATTR_…`. */
  readonly type: number;
  /** The value, or a list of values. */
  readonly value: unknown;
}

/** The part of tfjs-node's native binding that is used here. */
export interface Binding {
  /** Makes a tensor; it shares the array's memory where alignment allows. */
  createTensor(shape: readonly number[], dtype: number, values: Float32Array | Int32Array | Uint8Array): number;
  /** Frees a tensor. */
  deleteTensor(id: number): void;
  /** Copies a tensor's values out. */
  tensorDataSync(id: number): Float32Array | Int32Array | Uint8Array;
  /** Runs one operation. */
  executeOp(op: string, attributes: readonly OpAttribute[], inputs: readonly number[], outputs: number): TensorInfo[];
  /** Loads the graph of a folder into a session of its own. */
  loadSavedModel(folder: string, tags: string): number;
  /** Ends a session. */
  deleteSavedModel(id: number): void;
  /** Runs a session's graph; names are joined by commas. */
  runSavedModel(id: number, inputs: readonly number[], inputNames: string, outputNames: string): TensorInfo[];
  /** Sessions alive. */
  getNumOfSavedModels(): number;
  /** Tensors alive. */
  getNumOfTensors(): number;
  /** Whether operations run on a GPU. */
  isUsingGpuDevice(): boolean;
  /** Attribute kind: string. */
  readonly TF_ATTR_STRING: number;
  /** Attribute kind: integer. */
  readonly TF_ATTR_INT: number;
  /** Attribute kind: float. */
  readonly TF_ATTR_FLOAT: number;
  /** Attribute kind: boolean. */
  readonly TF_ATTR_BOOL: number;
  /** Attribute kind: element type. */
  readonly TF_ATTR_TYPE: number;
  /** Attribute kind: shape. */
  readonly TF_ATTR_SHAPE: number;
}

/** The part of tfjs-node's backend that is used here. */
export interface NativeBackend {
  /** The gate; replaced by a recorder while a step is traced. */
  binding: Binding;
  /** Handles of tensors; uploads values that are still pending. */
  getInputTensorIds(tensors: readonly tf.Tensor[]): number[];
  /** Runs an operation with one result. */
  executeSingleOutput(op: string, attributes: readonly OpAttribute[], inputs: readonly tf.Tensor[]): tf.Tensor;
  /** Runs an operation with several results. */
  executeMultipleOutputs(
    op: string,
    attributes: readonly OpAttribute[],
    inputs: readonly tf.Tensor[],
    outputs: number,
  ): tf.Tensor[];
}

/** A model (or this machine) for which no sound graph can be made; the message says why, in one sentence. */
export class NotCompilable extends EngineError {
  /** Name of the class, which survives minification. */
  override name = "NotCompilable";
}

/** The native backend, or null when another one computes. */
export function nativeBackend(): NativeBackend | null {
  return tf.getBackend() === "tensorflow" ? tf.backend() as unknown as NativeBackend : null;
}

/** Attributes of operations, as tfjs-node wants them. */
export function attributesFor(binding: Binding): {
  type: (name: string, value: number) => OpAttribute;
  string: (name: string, value: string) => OpAttribute;
  int: (name: string, value: number) => OpAttribute;
  bool: (name: string, value: boolean) => OpAttribute;
  float: (name: string, value: number) => OpAttribute;
} {
  return {
    type: (name, value) => ({ name, type: binding.TF_ATTR_TYPE, value }),
    string: (name, value) => ({ name, type: binding.TF_ATTR_STRING, value }),
    int: (name, value) => ({ name, type: binding.TF_ATTR_INT, value }),
    bool: (name, value) => ({ name, type: binding.TF_ATTR_BOOL, value }),
    float: (name, value) => ({ name, type: binding.TF_ATTR_FLOAT, value }),
  };
}
