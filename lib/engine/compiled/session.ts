/**
 * A TensorFlow session that holds variables and runs parts of one graph.
 *
 * @module
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Binding, DT, NotCompilable, type TensorInfo } from "./binding.ts";
import { type GraphWriter, typeAttr } from "./graph.ts";
import { type NodeDef, savedModelBytes } from "./protobuf.ts";

/** Values fed into a run; the array must stay as it is until the run is over. */
export interface Feed {
  /** Name of the placeholder. */
  readonly name: string;
  /** Lengths of the axes. */
  readonly shape: readonly number[];
  /** The values: floats, or 32-bit integers. */
  readonly data: Float32Array | Int32Array;
}

/** Names of the nodes around one variable. */
export interface VariableNodes {
  /** The handle. */
  readonly handle: string;
  /** The node that reads it. */
  readonly read: string;
}

/** Writes a variable: its handle, a read, and an assignment that {@linkcode Session.assign} runs. */
export function writeVariable(writer: GraphWriter, name: string, shape: readonly number[]): VariableNodes {
  const dtype = typeAttr(DT.FLOAT), F = { T: dtype };
  const handle = writer.add("VarHandleOp", [], {
    dtype,
    shape: { kind: "shape", value: shape },
    shared_name: { kind: "string", value: name },
    container: { kind: "string", value: "" },
  }, name);
  const read = writer.add("ReadVariableOp", [handle], { dtype }, `${name}/read`);
  writer.add("Placeholder", [], { dtype, shape: { kind: "shape", value: shape } }, `${name}/value`);
  // A product with a fed one makes a copy: fed values lie in JavaScript's memory, where updates must not write.
  const copy = writer.add("Mul", [`${name}/value`, ONE], F, `${name}/copy`);
  const assign = writer.add("AssignVariableOp", [handle, copy], { dtype }, `${name}/assign`);
  writer.add("Identity", [ONE, `^${assign}`], F, `${name}/done`);
  return { handle, read };
}

const ONE = "one";

/** Writes what every session needs, before its variables. */
export function writeCommon(writer: GraphWriter): void {
  writer.add("Placeholder", [], { dtype: typeAttr(DT.FLOAT), shape: { kind: "shape", value: [] } }, ONE);
}

/** First line of an error, without its full stop. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0]!.replace(/\.$/, "");
}

/** A loaded graph. */
export class Session {
  readonly #binding: Binding;
  #id: number | null;

  /**
   * Loads a graph into a session of its own.
   *
   * @throws {NotCompilable} when the graph cannot be written to the temporary folder or TensorFlow refuses it.
   */
  constructor(binding: Binding, nodes: readonly NodeDef[]) {
    this.#binding = binding;
    let folder: string | undefined;
    try {
      folder = mkdtempSync(join(tmpdir(), "serlab-graph-"));
      writeFileSync(join(folder, "saved_model.pb"), savedModelBytes(nodes));
      this.#id = binding.loadSavedModel(folder, "serve");
    } catch (error) {
      throw new NotCompilable(`The graph could not be loaded (${reasonOf(error)}).`, { cause: error });
    } finally {
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Runs what the fetched nodes need and returns their values. */
  run(feeds: readonly Feed[], fetches: readonly string[]): { data: Float32Array; shape: readonly number[] }[] {
    if (this.#id === null) throw new Error("The session has been disposed of.");
    const binding = this.#binding;
    const inputs: number[] = [];
    let outputs: TensorInfo[] = [];
    try {
      for (const { shape, data } of feeds) {
        inputs.push(binding.createTensor(shape, data instanceof Int32Array ? DT.INT32 : DT.FLOAT, data));
      }
      const names = feeds.map(({ name }) => `${name}:0`).join(",");
      outputs = binding.runSavedModel(this.#id, inputs, names, fetches.map((name) => `${name}:0`).join(","));
      return outputs.map(({ id, shape }) => ({ data: binding.tensorDataSync(id) as Float32Array, shape }));
    } finally {
      for (const id of inputs) binding.deleteTensor(id);
      for (const { id } of outputs) binding.deleteTensor(id);
    }
  }

  /** Gives variables new values; the arrays are copied. */
  assign(values: readonly Feed[]): void {
    const one = { name: ONE, shape: [], data: Float32Array.of(1) };
    const feeds = values.map(({ name, shape, data }) => ({ name: `${name}/value`, shape, data }));
    this.run([one, ...feeds], values.map(({ name }) => `${name}/done`));
  }

  /** Values of variables. */
  read(names: readonly string[]): { data: Float32Array; shape: readonly number[] }[] {
    return names.length === 0 ? [] : this.run([], names.map((name) => `${name}/read`));
  }

  /** Ends the session and frees what it holds; safe to call more than once. */
  dispose(): void {
    if (this.#id !== null) this.#binding.deleteSavedModel(this.#id);
    this.#id = null;
  }
}
