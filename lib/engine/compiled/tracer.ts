/**
 * Records what a function does with tf.js on the native backend: every operation that passes the binding, every
 * constant made on the way and every tensor taken from outside.
 *
 * @module
 */

import type * as tf from "@tensorflow/tfjs";
import { withUndo } from "../../interruption.ts";
import { type Binding, DT, type NativeBackend, NotCompilable, type OpAttribute, type TensorInfo } from "./binding.ts";
import type { Attr } from "./protobuf.ts";

/** A tensor seen while tracing. */
export interface TracedValue {
  /** Lengths of its axes. */
  readonly shape: readonly number[];
  /** Type of its elements, one of {@linkcode DT}. */
  readonly dtype: number;
}

/** One recorded operation, a constant (`op` is `Const`) or a tensor given from outside (`op` is `External`). */
export interface TracedNode {
  /** Name of the operation. */
  readonly op: string;
  /** Places in {@linkcode Trace.values} of what it takes. */
  readonly inputs: readonly number[];
  /** Attributes by name. */
  readonly attrs: Readonly<Record<string, Attr>>;
  /** Places in {@linkcode Trace.values} of what it makes. */
  readonly outputs: readonly number[];
  /** The values of a constant. */
  readonly bytes?: Uint8Array;
  /** Name of a tensor given from outside. */
  readonly external?: string;
}

/** What was recorded, in order. */
export interface Trace {
  /** The operations. */
  readonly nodes: readonly TracedNode[];
  /** The tensors. */
  readonly values: readonly TracedValue[];
  /** Places in {@linkcode Trace.values} of the results, by name. */
  readonly results: ReadonlyMap<string, number>;
}

/** Records one trace; make a new one for the next. */
export class Tracer {
  readonly #nodes: TracedNode[] = [];
  readonly #values: TracedValue[] = [];
  readonly #ofTensor = new Map<number, number>();
  readonly #made = new Map<number, { shape: number[]; dtype: number; bytes: Uint8Array }>();
  readonly #results = new Map<string, number>();
  readonly #backend: NativeBackend;
  readonly #binding: Binding;

  /**
   * Makes a recorder; it listens from {@linkcode Tracer.run} on.
   *
   * @param backend The backend whose binding is listened to.
   */
  constructor(backend: NativeBackend) {
    this.#backend = backend;
    this.#binding = backend.binding;
  }

  /** Declares a tensor as given from outside, under a name. Call it before {@linkcode Tracer.run}. */
  bind(name: string, tensor: tf.Tensor, dtype: number = DT.FLOAT): void {
    const id = this.#idOf(tensor);
    if (this.#ofTensor.has(id)) throw new NotCompilable("Two weights of the model share one tensor.");
    const value = this.#value({ shape: tensor.shape, dtype });
    this.#ofTensor.set(id, value);
    this.#nodes.push({ op: "External", inputs: [], attrs: {}, outputs: [value], external: name });
  }

  /** Names a result. Call it inside {@linkcode Tracer.run}, while the tensor lives. */
  result(name: string, tensor: tf.Tensor): void {
    this.#results.set(name, this.#ref(this.#idOf(tensor)));
  }

  /**
   * Runs `f` and records it. The binding is put back whatever happens.
   *
   * @throws {NotCompilable} when `f` looks at a tensor's values, or uses types that a graph of ours cannot have.
   */
  run(f: () => void): Trace {
    const recording: Partial<Binding> = {
      createTensor: (shape, dtype, values) => {
        const id = this.#binding.createTensor(shape, dtype, values);
        // The tensor shares the array's memory and the array may be reused, so its bytes are copied now.
        if (ArrayBuffer.isView(values)) {
          const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength).slice();
          this.#made.set(id, { shape: [...shape], dtype, bytes });
        }
        return id;
      },
      tensorDataSync: () => {
        throw new NotCompilable("A layer looks at the values of a tensor while it computes.");
      },
      executeOp: (op, attributes, inputs, outputs) => {
        const refs = inputs.map((id) => this.#ref(id));
        const made = this.#binding.executeOp(op, attributes, inputs, outputs);
        this.#record(op, attributes, refs, made);
        return made;
      },
    };
    // The binding's own methods are read-only, and a proxy of it would have to respect that: an empty one does not.
    const binding = this.#binding;
    const traced = new Proxy({} as Binding, {
      get: (_, name) => {
        const own = recording[name as keyof Binding];
        if (own !== undefined) return own;
        const real = binding[name as keyof Binding] as unknown;
        return typeof real === "function" ? real.bind(binding) : real;
      },
    });
    withUndo(() => this.#backend.binding = binding, () => {
      this.#backend.binding = traced;
      f();
    });
    return { nodes: this.#nodes, values: this.#values, results: this.#results };
  }

  #idOf(tensor: tf.Tensor): number {
    return this.#backend.getInputTensorIds([tensor])[0]!; // uploads what is pending
  }

  #value(value: TracedValue): number {
    return this.#values.push({ shape: [...value.shape], dtype: value.dtype }) - 1;
  }

  #record(op: string, attributes: readonly OpAttribute[], inputs: number[], made: readonly TensorInfo[]): void {
    const attrs: Record<string, Attr> = {};
    for (const attribute of attributes) attrs[attribute.name] = convert(this.#binding, attribute);
    const outputs = made.map((info) => this.#value(info));
    made.forEach((info, i) => this.#ofTensor.set(info.id, outputs[i]!));
    this.#nodes.push({ op, inputs, attrs, outputs });
  }

  /** Place of a tensor's value; one that was not made here is taken in as a constant. */
  #ref(id: number): number {
    const known = this.#ofTensor.get(id);
    if (known !== undefined) return known;
    const { shape, dtype, bytes } = this.#made.get(id) ?? this.#capture(id);
    if (dtype !== DT.FLOAT && dtype !== DT.INT32 && dtype !== DT.BOOL) {
      throw new NotCompilable(`A constant of TensorFlow's type ${dtype} cannot be compiled.`);
    }
    const value = this.#value({ shape, dtype });
    this.#ofTensor.set(id, value);
    this.#nodes.push({ op: "Const", inputs: [], attrs: {}, outputs: [value], bytes });
    return value;
  }

  #capture(id: number): { shape: number[]; dtype: number; bytes: Uint8Array } {
    const b = this.#binding;
    const data = b.tensorDataSync(id);
    const dtype = data instanceof Float32Array ? DT.FLOAT : data instanceof Int32Array ? DT.INT32 : DT.BOOL;
    const [shapeInfo] = b.executeOp(
      "Shape",
      [{ name: "T", type: b.TF_ATTR_TYPE, value: dtype }, { name: "out_type", type: b.TF_ATTR_TYPE, value: DT.INT32 }],
      [id],
      1,
    );
    const shape = [...b.tensorDataSync(shapeInfo!.id)];
    b.deleteTensor(shapeInfo!.id);
    return { shape, dtype, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice() };
  }
}

function convert(binding: Binding, { name, type, value }: OpAttribute): Attr {
  const many = Array.isArray(value);
  switch (type) {
    case binding.TF_ATTR_STRING:
      return many ? { kind: "strings", value: value as string[] } : { kind: "string", value: value as string };
    case binding.TF_ATTR_INT:
      return many ? { kind: "ints", value: value as number[] } : { kind: "int", value: value as number };
    case binding.TF_ATTR_FLOAT:
      return many ? { kind: "floats", value: value as number[] } : { kind: "float", value: value as number };
    case binding.TF_ATTR_BOOL:
      return many ? { kind: "bools", value: value as boolean[] } : { kind: "bool", value: value as boolean };
    case binding.TF_ATTR_TYPE:
      return many ? { kind: "types", value: value as number[] } : { kind: "type", value: value as number };
    case binding.TF_ATTR_SHAPE:
      return { kind: "shape", value: value as number[] };
  }
  throw new NotCompilable(`The attribute ${name} is of a kind that cannot be compiled.`);
}
