/**
 * Simplifies a graph and writes it as nodes of a TensorFlow graph.
 *
 * @module
 */

import { DT, NotCompilable } from "./binding.ts";
import type { Attr, NodeDef } from "./protobuf.ts";
import { type Constant, type Dim, type Graph, type GraphNode, graphNode, sameShape, type Value } from "./symbolic.ts";

/** Attribute for an element type. */
export const typeAttr = (value: number): Attr => ({ kind: "type", value });

/** A scalar's bytes. */
export const floatBytes = (value: number): Uint8Array => new Uint8Array(Float32Array.of(value).buffer);

/** Bytes of 32-bit integers. */
export const intBytes = (values: readonly number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer);

/** The value that a constant repeats, or null. */
function repeated(value: Value): number | null {
  const { constant } = value.node;
  if (!constant || constant.dtype !== DT.FLOAT || constant.scale) return null;
  if (!constant.uniform && constant.bytes.length !== 4) return null;
  return new Float32Array(constant.bytes.slice(0, 4).buffer)[0]!;
}

/**
 * Takes out what costs time and changes no number: casts to the same type, reshapes to the same shape, reshapes of
 * reshapes, products with one, sums with zero. `x · ones` of a wider shape becomes a broadcast.
 */
export function simplify(graph: Graph): Graph {
  const instead = new Map<Value, Value>();
  const resolve = (value: Value): Value => instead.get(value) ?? value;
  const nodes: GraphNode[] = [];
  for (const old of graph.nodes) {
    const inputs = old.inputs.map(resolve);
    const node = graphNode(old.op === "Add" ? "AddV2" : old.op, inputs, old.attrs, old.outputs, {
      ...(old.constant ? { constant: old.constant } : {}),
      ...(old.external === undefined ? {} : { external: old.external }),
    });
    const [out] = node.outputs;
    const same = out && sameValue(node, out);
    if (same) {
      instead.set(old.outputs[0]!, same);
      continue;
    }
    const made = rewrite(node);
    nodes.push(...made);
    old.outputs.forEach((value, i) => instead.set(value, made.at(-1)!.outputs[i]!));
  }
  return { nodes, results: new Map([...graph.results].map(([name, value]) => [name, resolve(value)])) };
}

/** The input that a node merely passes on, or null. */
function sameValue(node: GraphNode, out: Value): Value | null {
  const [a, b] = node.inputs;
  const passes = (value: Value | undefined): boolean =>
    value !== undefined && value.dtype === out.dtype && sameShape(value.shape, out.shape);
  switch (node.op) {
    case "Identity":
      return a!;
    case "Cast":
    case "Reshape":
      return passes(a) ? a! : null;
    case "Mul":
      return repeated(b!) === 1 && passes(a) ? a! : repeated(a!) === 1 && passes(b) ? b! : null;
    case "AddV2":
      return repeated(b!) === 0 && passes(a) ? a! : repeated(a!) === 0 && passes(b) ? b! : null;
    case "Sub":
      return repeated(b!) === 0 && passes(a) ? a! : null;
    case "RealDiv":
    case "Div":
      return repeated(b!) === 1 && passes(a) ? a! : null;
  }
  return null;
}

/** A constant vector of integers in a graph. */
function vector(values: readonly Dim[]): Value {
  if (values.some((dim) => typeof dim !== "number" && !Number.isInteger(dim.perRow))) {
    throw new NotCompilable("A layer computes with the length of a part of the batch.");
  }
  const fixed = values.map((dim) => typeof dim === "number" ? dim : 0);
  const perRow = values.map((dim) => typeof dim === "number" ? 0 : dim.perRow);
  const shape = [values.length], dtype = DT.INT32;
  const constant: Constant = {
    shape,
    dtype,
    bytes: intBytes(fixed),
    uniform: false,
    ...(perRow.some((k) => k !== 0) ? { perRow } : {}),
  };
  return graphNode("Const", [], {}, [{ shape, dtype }], { constant }).outputs[0]!;
}

/** The node, or what is better in its place; the last one gives the node's results. */
function rewrite(node: GraphNode): GraphNode[] {
  const [a, b] = node.inputs, [out] = node.outputs;
  if (node.op === "Reshape" && a!.node.op === "Reshape") {
    return rewrite(graphNode("Reshape", [a!.node.inputs[0]!, b!], node.attrs, node.outputs));
  }
  if (node.op === "ExpandDims" || node.op === "Squeeze") { // as reshapes they join others
    const attrs = { T: typeAttr(a!.dtype), Tshape: typeAttr(DT.INT32) }, shape = vector(out!.shape);
    return [shape.node, ...rewrite(graphNode("Reshape", [a!, shape], attrs, node.outputs))];
  }
  if (node.op === "Reshape" && out!.shape.filter((dim) => typeof dim !== "number").length === 1) {
    // One length that follows from the others needs no computing.
    const shape = vector(out!.shape.map((dim) => typeof dim === "number" ? dim : -1));
    return [shape.node, graphNode("Reshape", [a!, shape], node.attrs, node.outputs)];
  }
  if (node.op === "Mul" && out!.dtype === DT.FLOAT) {
    const other = repeated(b!) === 1 ? a : repeated(a!) === 1 ? b : undefined;
    if (other && sameShape((other === a ? b! : a!).shape, out!.shape)) {
      const shape = vector(out!.shape);
      const attrs = { T: typeAttr(DT.FLOAT), Tidx: typeAttr(DT.INT32) };
      return [shape.node, graphNode("BroadcastTo", [other, shape], attrs, node.outputs)];
    }
  }
  return [node];
}

/** Writes nodes under unique names. */
export class GraphWriter {
  /** The nodes written so far. */
  readonly nodes: NodeDef[] = [];
  readonly #constants = new Map<string, string>();
  #count = 0;

  /** Writes a node and returns its name. */
  add(op: string, inputs: readonly string[], attrs: Readonly<Record<string, Attr>>, name?: string): string {
    const unique = name ?? `n${this.#count++}`;
    this.nodes.push({ name: unique, op, inputs, attrs });
    return unique;
  }

  /** Writes a constant, once for all that are equal, and returns its name. */
  constant(dtype: number, shape: readonly number[], bytes: Uint8Array): string {
    const key = bytes.length <= 256 ? `${dtype}:${shape.join()}:${bytes.join()}` : null;
    const known = key === null ? undefined : this.#constants.get(key);
    if (known) return known;
    const name = this.add("Const", [], { dtype: typeAttr(dtype), value: { kind: "tensor", dtype, shape, bytes } });
    if (key !== null) this.#constants.set(key, name);
    return name;
  }

  /** Writes a float scalar and returns its name. */
  scalar(value: number): string {
    return this.constant(DT.FLOAT, [], floatBytes(value));
  }

  /** Writes a vector of integers and returns its name. */
  integers(values: readonly number[]): string {
    return this.constant(DT.INT32, [values.length], intBytes(values));
  }
}

/** Where the batch's number of rows comes from, and what the outside tensors are called. */
export interface EmitOptions {
  /** Name of each outside tensor's node. */
  readonly externals: ReadonlyMap<string, string>;
  /** Name of the node of a tensor whose first axis is the batch. */
  readonly batch: string;
  /** The values that are wanted; what they do not need is left out. */
  readonly wanted: readonly Value[];
}

/** Writes the part of a graph that the wanted values need; returns `name:output` of each of them. */
export function emit(graph: Graph, writer: GraphWriter, options: EmitOptions): string[] {
  const needed = new Set<GraphNode>();
  const open = options.wanted.map((value) => value.node);
  for (let node = open.pop(); node; node = open.pop()) {
    if (needed.has(node)) continue;
    needed.add(node);
    open.push(...node.inputs.map((value) => value.node));
  }
  const constants = new ConstantWriter(writer, options.batch);
  const names = new Map<GraphNode, string>();
  const ref = (value: Value): string => `${names.get(value.node)!}:${value.index}`;
  for (const node of graph.nodes) {
    if (!needed.has(node)) continue;
    if (node.external !== undefined) names.set(node, options.externals.get(node.external)!);
    else if (node.constant) names.set(node, constants.write(node.constant));
    else names.set(node, writer.add(node.op, node.inputs.map(ref), node.attrs));
  }
  return options.wanted.map(ref);
}

/** Writes constants; those that depend on the batch are computed from its number of rows, once for all equal ones. */
class ConstantWriter {
  readonly #writer: GraphWriter;
  readonly #batch: string;
  readonly #computed = new Map<string, string>();

  constructor(writer: GraphWriter, batch: string) {
    this.#writer = writer;
    this.#batch = batch;
  }

  write({ shape, dtype, bytes, uniform, perRow, scale }: Constant): string {
    if (scale) return this.#spread(this.#scaled(bytes, scale), shape, dtype);
    if (uniform) {
      return this.#spread(this.#writer.constant(dtype, [], bytes), shape, dtype);
    }
    const fixed = shape.map((dim) => dim as number); // only uniform constants have lengths that grow
    if (!perRow) return this.#writer.constant(dtype, fixed, bytes);
    return this.#integers(fixed, bytes, perRow);
  }

  #once(key: string, make: () => string): string {
    const known = this.#computed.get(key);
    if (known !== undefined) return known;
    const name = make();
    this.#computed.set(key, name);
    return name;
  }

  /** Number of rows of the batch, as `[1]`. */
  #rows(): string {
    return this.#once("rows", () => {
      const w = this.#writer;
      const shape = w.add("Shape", [this.#batch], { T: typeAttr(DT.FLOAT), out_type: typeAttr(DT.INT32) });
      const attrs = { T: typeAttr(DT.INT32), Index: typeAttr(DT.INT32) };
      return w.add("Slice", [shape, w.integers([0]), w.integers([1])], attrs);
    });
  }

  #integers(shape: readonly number[], bytes: Uint8Array, perRow: readonly number[]): string {
    return this.#once(`integers ${shape.join()} ${bytes.join()} ${perRow.join()}`, () => {
      const w = this.#writer, attrs = { T: typeAttr(DT.INT32) };
      const grown = w.add("Mul", [this.#rows(), w.constant(DT.INT32, shape, intBytes(perRow))], attrs);
      if (bytes.every((byte) => byte === 0) && shape.length > 0) return grown;
      const sum = w.add("AddV2", [grown, w.constant(DT.INT32, shape, bytes)], attrs);
      return shape.length > 0 ? sum : this.#scalar(sum, DT.INT32);
    });
  }

  #scaled(bytes: Uint8Array, scale: "times" | "over"): string {
    return this.#once(`${scale} ${bytes.join()}`, () => {
      const w = this.#writer, attrs = { T: typeAttr(DT.FLOAT) };
      const cast = { SrcT: typeAttr(DT.INT32), DstT: typeAttr(DT.FLOAT), Truncate: { kind: "bool", value: false } };
      const rows = this.#once("rows as float", () => {
        return this.#scalar(w.add("Cast", [this.#rows()], cast as Record<string, Attr>), DT.FLOAT);
      });
      const factor = w.constant(DT.FLOAT, [], bytes);
      return scale === "times" ? w.add("Mul", [rows, factor], attrs) : w.add("RealDiv", [factor, rows], attrs);
    });
  }

  #scalar(vector: string, dtype: number): string {
    const attrs = { T: typeAttr(dtype), Tshape: typeAttr(DT.INT32) };
    return this.#writer.add("Reshape", [vector, this.#writer.integers([])], attrs);
  }

  /** A tensor that repeats one value. */
  #spread(scalar: string, shape: readonly Dim[], dtype: number): string {
    if (shape.length === 0) return scalar;
    const dims = vector(shape).node.constant!;
    const key = `spread ${scalar} ${JSON.stringify(shape)}`;
    return this.#once(key, () => {
      return this.#writer.add("Fill", [this.write(dims), scalar], {
        T: typeAttr(dtype),
        index_type: typeAttr(DT.INT32),
      });
    });
  }
}
