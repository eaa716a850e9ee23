/**
 * Makes one graph for every batch size out of traces taken at two sizes, and refuses what is not the same each time.
 *
 * A step is traced three times: at `rows` a, b and a again. The traces must consist of the same operations in the same
 * order. Constants must be equal between the first and the third trace: one that differs is random or counts
 * something. Between the first two they may differ only as the batch does: lengths and integers in proportion to the
 * number of rows, scalars in proportion or in inverse proportion. Those are computed from the batch at run time, so
 * the graph takes batches of any size. Activations are never larger than the few rows traced.
 *
 * @module
 */

import { DT, NotCompilable } from "./binding.ts";
import type { Attr } from "./protobuf.ts";
import type { Trace, TracedNode } from "./tracer.ts";

/**
 * Length of an axis: fixed, or so many times the rows of the batch. A fraction stands for a part of the batch that an
 * operation cut off; what it is at run time only the operations know, so no constant may depend on it.
 */
export type Dim = number | { readonly perRow: number };

/** A tensor of the graph. */
export interface Value {
  /** The operation that makes it. */
  readonly node: GraphNode;
  /** Which of that operation's results it is. */
  readonly index: number;
  /** Lengths of its axes. */
  readonly shape: readonly Dim[];
  /** Type of its elements. */
  readonly dtype: number;
}

/** The values of a constant, for any batch. */
export interface Constant {
  /** Lengths of its axes. */
  readonly shape: readonly Dim[];
  /** Type of its elements. */
  readonly dtype: number;
  /** The values; a single one where all are equal ({@linkcode Constant.uniform}). */
  readonly bytes: Uint8Array;
  /** Whether `bytes` is one value that fills the shape. */
  readonly uniform: boolean;
  /** Integers: what each value grows by with each row of the batch; `bytes` holds zeros there. */
  readonly perRow?: readonly number[];
  /** One float in proportion (`times`) or inverse proportion (`over`) to the rows; `bytes` holds the factor. */
  readonly scale?: "times" | "over";
}

/** One operation of the graph, a constant (`Const`) or a tensor given from outside (`External`). */
export interface GraphNode {
  /** Name of the operation. */
  readonly op: string;
  /** What it takes. */
  readonly inputs: readonly Value[];
  /** Attributes by name. */
  readonly attrs: Readonly<Record<string, Attr>>;
  /** What it makes. */
  readonly outputs: Value[];
  /** The constant's values. */
  readonly constant?: Constant;
  /** The outside tensor's name. */
  readonly external?: string;
}

/** A graph and its named results. */
export interface Graph {
  /** The operations, each after those it takes from. */
  readonly nodes: readonly GraphNode[];
  /** The results. */
  readonly results: ReadonlyMap<string, Value>;
}

/** Whether two lengths are the same for every batch. */
export function sameDim(a: Dim, b: Dim): boolean {
  return typeof a === "number" || typeof b === "number" ? a === b : a.perRow === b.perRow;
}

/** Whether two shapes are the same for every batch. */
export function sameShape(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((dim, i) => sameDim(dim, b[i]!));
}

/** Makes a node and the values that it gives. */
export function graphNode(
  op: string,
  inputs: readonly Value[],
  attrs: Readonly<Record<string, Attr>>,
  outputs: readonly { readonly shape: readonly Dim[]; readonly dtype: number }[],
  more: { readonly constant?: Constant; readonly external?: string } = {},
): GraphNode {
  const node: GraphNode = { op, inputs, attrs, outputs: [], ...more };
  outputs.forEach(({ shape, dtype }, index) => node.outputs.push({ node, index, shape, dtype }));
  return node;
}

/** One trace and the number of rows it was taken at. */
export interface TraceAt {
  /** What was recorded. */
  readonly trace: Trace;
  /** Rows of the batch. */
  readonly rows: number;
}

/**
 * Makes the graph for every batch size.
 *
 * @param first A trace.
 * @param second A trace at another number of rows.
 * @param third A trace at the first number of rows.
 * @throws {NotCompilable} when the three are not one computation.
 */
export function mergeTraces(first: TraceAt, second: TraceAt, third: TraceAt): Graph {
  const [a, b, c] = [first.trace.nodes, second.trace.nodes, third.trace.nodes];
  if (a.length !== b.length || a.length !== c.length) {
    throw new NotCompilable("The model does not do the same operations each time, or not for each batch size.");
  }
  const merger = new Merger(first, second);
  const values: Value[] = [];
  const nodes = a.map((node, i) => {
    if (!sameStep(node, b[i]!) || !sameStep(node, c[i]!)) {
      throw new NotCompilable(
        `The model does not do the same operations each time, or not for each batch size (${node.op}).`,
      );
    }
    if (node.bytes && !equalBytes(node.bytes, c[i]!.bytes!)) {
      throw new NotCompilable(
        "A layer computes with numbers that are other ones each time it runs (random, or counting).",
      );
    }
    const made = merger.node(node, b[i]!, values);
    node.outputs.forEach((at, k) => values[at] = made.outputs[k]!);
    return made;
  });
  const results = new Map([...first.trace.results].map(([name, at]) => [name, values[at]!]));
  return { nodes, results };
}

function sameStep(a: TracedNode, b: TracedNode): boolean {
  return a.op === b.op && a.external === b.external && a.inputs.join() === b.inputs.join() &&
    a.outputs.join() === b.outputs.join() && JSON.stringify(a.attrs) === JSON.stringify(b.attrs);
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** The one value that an array repeats, as bytes; null where there are several. */
function uniformBytes(bytes: Uint8Array, width: number): Uint8Array | null {
  if (bytes.length === 0) return null;
  for (let i = width; i < bytes.length; i++) if (bytes[i] !== bytes[i - width]) return null;
  return bytes.slice(0, width);
}

class Merger {
  readonly #first: TraceAt;
  readonly #second: TraceAt;

  constructor(first: TraceAt, second: TraceAt) {
    this.#first = first;
    this.#second = second;
  }

  node(a: TracedNode, b: TracedNode, values: readonly Value[]): GraphNode {
    const outputs = a.outputs.map((at, k) => {
      const x = this.#first.trace.values[at]!, y = this.#second.trace.values[b.outputs[k]!]!;
      if (x.dtype !== y.dtype) throw new NotCompilable(`${a.op} gives other types for other batch sizes.`);
      return { shape: this.#shape(a.op, x.shape, y.shape), dtype: x.dtype };
    });
    const inputs = a.inputs.map((at) => values[at]!);
    if (a.external !== undefined) return graphNode(a.op, inputs, a.attrs, outputs, { external: a.external });
    if (!a.bytes) return graphNode(a.op, inputs, a.attrs, outputs);
    const constant = this.#constant(outputs[0]!, a.bytes, b.bytes!);
    return graphNode(a.op, inputs, a.attrs, outputs, { constant });
  }

  #shape(op: string, a: readonly number[], b: readonly number[]): Dim[] {
    if (a.length !== b.length) throw new NotCompilable(`${op} gives other shapes for other batch sizes.`);
    return a.map((x, i) => {
      const dim = this.#inProportion(x, b[i]!) ?? this.#part(x, b[i]!);
      if (dim === null) throw new NotCompilable(`${op} gives lengths that are not in proportion to the batch.`);
      return dim;
    });
  }

  /** The integer as a function of the rows; null where it is neither constant nor in proportion. */
  #inProportion(a: number, b: number): Dim | null {
    if (a === b) return a;
    const perRow = a / this.#first.rows;
    return Number.isInteger(perRow) && perRow * this.#second.rows === b ? { perRow } : null;
  }

  /** As {@linkcode Merger.#inProportion}, for a part of the batch. */
  #part(a: number, b: number): Dim | null {
    const perRow = a / this.#first.rows;
    return perRow * this.#second.rows === b ? { perRow } : null;
  }

  #constant(
    { shape, dtype }: { readonly shape: readonly Dim[]; readonly dtype: number },
    a: Uint8Array,
    b: Uint8Array,
  ): Constant {
    if (shape.some((dim) => typeof dim !== "number" && !Number.isInteger(dim.perRow))) {
      throw new NotCompilable("A layer computes with constants as long as a part of the batch.");
    }
    const width = dtype === DT.BOOL ? 1 : 4;
    const one = uniformBytes(a, width), other = uniformBytes(b, width);
    const grows = shape.some((dim) => typeof dim !== "number");
    if (!grows && equalBytes(a, b)) {
      return one && a.length > width ? { shape, dtype, bytes: one, uniform: true } : {
        shape,
        dtype,
        bytes: a,
        uniform: false,
      };
    }
    if (one && other && equalBytes(one, other)) return { shape, dtype, bytes: one, uniform: true };
    if (dtype === DT.INT32 && !grows) {
      const x = new Int32Array(a.slice().buffer), y = new Int32Array(b.slice().buffer);
      const dims = [...x].map((value, i) => this.#inProportion(value, y[i]!));
      if (dims.every((dim) => dim !== null)) {
        const fixed = Int32Array.from(dims, (dim) => typeof dim === "number" ? dim : 0);
        const perRow = dims.map((dim) => typeof dim === "number" ? 0 : dim!.perRow);
        return { shape, dtype, bytes: new Uint8Array(fixed.buffer), uniform: false, perRow };
      }
    }
    if (dtype === DT.FLOAT && one && other) {
      const x = new Float32Array(one.slice().buffer)[0]!, y = new Float32Array(other.slice().buffer)[0]!;
      const scaled = this.#scaled(x, y);
      if (scaled) {
        const bytes = new Uint8Array(Float32Array.of(scaled.factor).buffer);
        return { shape, dtype, bytes, uniform: true, scale: scaled.scale };
      }
    }
    throw new NotCompilable("A layer computes with constants that depend on the batch size in no simple way.");
  }

  #scaled(x: number, y: number): { scale: "times" | "over"; factor: number } | null {
    const [m, n] = [this.#first.rows, this.#second.rows];
    const near = (p: number, q: number): boolean => Math.abs(p - q) <= 1e-6 * Math.abs(p);
    if (near(x / m, y / n)) return { scale: "times", factor: Math.fround(x / m) };
    if (near(x * m, y * n)) return { scale: "over", factor: Math.fround(x * m) };
    return null;
  }
}
