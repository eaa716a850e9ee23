/**
 * Writes a TensorFlow graph as the bytes of a SavedModel: the few protocol-buffer messages that takes, and no more.
 *
 * Field numbers are those of TensorFlow 2's `saved_model.proto`, `meta_graph.proto`, `graph.proto`, `node_def.proto`,
 * `attr_value.proto`, `tensor.proto` and `tensor_shape.proto`. Browser-safe.
 *
 * @module
 */

/** Value of a node's attribute. */
export type Attr =
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "type"; readonly value: number }
  | { readonly kind: "shape"; readonly value: readonly number[] | null }
  | { readonly kind: "tensor"; readonly dtype: number; readonly shape: readonly number[]; readonly bytes: Uint8Array }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "bools"; readonly value: readonly boolean[] }
  | { readonly kind: "types"; readonly value: readonly number[] };

/** One node of a graph. */
export interface NodeDef {
  /** Its name, unique in the graph. */
  readonly name: string;
  /** Its operation. */
  readonly op: string;
  /** `name:output` of what it takes; `^name` of what must have run before. */
  readonly inputs: readonly string[];
  /** Its attributes by name. */
  readonly attrs: Readonly<Record<string, Attr>>;
}

/** Builds one message; nested messages are built first and put in as bytes. */
class Message {
  readonly #parts: Uint8Array[] = [];
  #small: number[] = [];

  #flush(): void {
    if (this.#small.length > 0) this.#parts.push(Uint8Array.from(this.#small));
    this.#small = [];
  }

  #varint(value: number): void {
    // Negative numbers are written as 64-bit two's complement.
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 127n) {
      this.#small.push(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    this.#small.push(Number(rest));
  }

  int(field: number, value: number): this {
    this.#varint(field << 3);
    this.#varint(value);
    return this;
  }

  float(field: number, value: number): this {
    this.#varint((field << 3) | 5);
    const bytes = new DataView(new ArrayBuffer(4));
    bytes.setFloat32(0, value, true);
    for (let i = 0; i < 4; i++) this.#small.push(bytes.getUint8(i));
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.#varint((field << 3) | 2);
    this.#varint(value.length);
    this.#flush();
    this.#parts.push(value);
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, value: Message): this {
    return this.bytes(field, value.done());
  }

  done(): Uint8Array {
    this.#flush();
    const all = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

function shapeMessage(shape: readonly number[] | null): Message {
  const message = new Message();
  if (shape === null) return message.int(3, 1); // unknown_rank
  for (const size of shape) message.message(2, new Message().int(1, size));
  return message;
}

function attrMessage(attr: Attr): Message {
  const message = new Message(), list = new Message();
  switch (attr.kind) {
    case "string":
      return message.string(2, attr.value);
    case "int":
      return message.int(3, attr.value);
    case "float":
      return message.float(4, attr.value);
    case "bool":
      return message.int(5, attr.value ? 1 : 0);
    case "type":
      return message.int(6, attr.value);
    case "shape":
      return message.message(7, shapeMessage(attr.value));
    case "tensor":
      return message.message(
        8,
        new Message().int(1, attr.dtype).message(2, shapeMessage(attr.shape)).bytes(4, attr.bytes),
      );
    case "strings":
      attr.value.forEach((value) => list.string(2, value));
      break;
    case "ints":
      attr.value.forEach((value) => list.int(3, value));
      break;
    case "floats":
      attr.value.forEach((value) => list.float(4, value));
      break;
    case "bools":
      attr.value.forEach((value) => list.int(5, value ? 1 : 0));
      break;
    case "types":
      attr.value.forEach((value) => list.int(6, value));
      break;
  }
  return message.message(1, list);
}

/** The bytes of `saved_model.pb` for a graph, under the tag `serve`. */
export function savedModelBytes(nodes: readonly NodeDef[]): Uint8Array {
  const graph = new Message();
  for (const node of nodes) {
    const message = new Message().string(1, node.name).string(2, node.op);
    for (const input of node.inputs) message.string(3, input);
    for (const [name, attr] of Object.entries(node.attrs)) {
      message.message(5, new Message().string(1, name).message(2, attrMessage(attr)));
    }
    graph.message(1, message);
  }
  graph.message(4, new Message().int(1, 1882).int(2, 12)); // versions: producer (TensorFlow 2.19), min_consumer
  const meta = new Message().message(1, new Message().string(4, "serve")).message(2, graph);
  return new Message().int(1, 1).message(2, meta).done();
}
