/**
 * As much of ZeroMQ's wire protocol as a go-between for Jupyter's channels needs: telling messages apart in a stream of
 * bytes, and signing Jupyter's.
 *
 * Source: ZMTP 3.1 (rfc.zeromq.org/spec/37) and "Messaging in Jupyter" (jupyter-client.readthedocs.io).
 *
 * @module
 */

import { createHmac, randomUUID } from "node:crypto";
import { concatBytes } from "../bytes.ts";

const GREETING_BYTES = 64;
const MORE = 1, LONG = 2, COMMAND = 4;

/** A piece of the stream that must stay in one: the greeting, a command, or all frames of a message. */
export interface Unit {
  /** What it is. */
  readonly kind: "greeting" | "command" | "message";
  /** Its bytes as they came. */
  readonly bytes: Uint8Array;
  /** Contents of the frames of a message, of a command its one. */
  readonly frames: readonly Uint8Array[];
}

/** Cuts one direction of a connection into its {@linkcode Unit}s, whatever the pieces in which it arrives. */
export class UnitReader {
  #waiting: Uint8Array = new Uint8Array(0);
  #greeted = false;

  /** Takes what has arrived and returns what is complete. */
  push(chunk: Uint8Array): Unit[] {
    this.#waiting = concatBytes([this.#waiting, chunk]);
    const units: Unit[] = [];
    for (;;) {
      const unit = this.#greeted ? this.#unit() : this.#greeting();
      if (unit === null) return units;
      this.#waiting = this.#waiting.subarray(unit.bytes.length);
      units.push(unit);
    }
  }

  #greeting(): Unit | null {
    if (this.#waiting.length < GREETING_BYTES) return null;
    this.#greeted = true;
    return { kind: "greeting", bytes: this.#waiting.slice(0, GREETING_BYTES), frames: [] };
  }

  #unit(): Unit | null {
    const frames: Uint8Array[] = [], bytes = this.#waiting;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0;;) {
      if (at + 2 > bytes.length) return null;
      const flags = bytes[at]!, head = flags & LONG ? 9 : 2;
      if (at + head > bytes.length) return null;
      const size = flags & LONG ? Number(view.getBigUint64(at + 1)) : bytes[at + 1]!;
      if (at + head + size > bytes.length) return null;
      frames.push(bytes.slice(at + head, at + head + size));
      at += head + size;
      if (flags & COMMAND) return { kind: "command", bytes: bytes.slice(0, at), frames };
      if (!(flags & MORE)) return { kind: "message", bytes: bytes.slice(0, at), frames };
    }
  }
}

function frame(content: Uint8Array, flags: number): Uint8Array {
  if (content.length < 256) return concatBytes([Uint8Array.of(flags, content.length), content]);
  const head = new Uint8Array(9);
  head[0] = flags | LONG;
  new DataView(head.buffer).setBigUint64(1, BigInt(content.length));
  return concatBytes([head, content]);
}

/** The bytes of a message of these frames. */
export function encodeMessage(frames: readonly Uint8Array[]): Uint8Array {
  return concatBytes(frames.map((content, i) => frame(content, i < frames.length - 1 ? MORE : 0)));
}

/** What a client without security sends first: the greeting of ZMTP 3.0 and who it is. */
export function clientHandshake(socketType: "DEALER"): Uint8Array {
  const greeting = new Uint8Array(GREETING_BYTES);
  greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 0]);
  greeting.set(new TextEncoder().encode("NULL"), 12);
  const property = (name: string, value: string): Uint8Array => {
    const bytes = new Uint8Array(1 + name.length + 4 + value.length);
    bytes[0] = name.length;
    bytes.set(new TextEncoder().encode(name), 1);
    new DataView(bytes.buffer).setUint32(1 + name.length, value.length);
    bytes.set(new TextEncoder().encode(value), 5 + name.length);
    return bytes;
  };
  const ready = concatBytes([
    Uint8Array.of(5),
    new TextEncoder().encode("READY"),
    property("Socket-Type", socketType),
    property("Identity", ""),
  ]);
  return concatBytes([greeting, frame(ready, COMMAND)]);
}

/** A message of Jupyter's, as far as a go-between reads it. */
export interface JupyterMessage {
  /** For whom, before the delimiter: frames of the router. */
  readonly route: readonly Uint8Array[];
  /** `execute_request`, … */
  readonly type: string;
  /** The header. */
  readonly header: Readonly<Record<string, unknown>>;
  /** `msg_id` of what it answers, if anything. */
  readonly parentId: string | undefined;
  /** The content. */
  readonly content: Readonly<Record<string, unknown>>;
}

const DELIMITER = "<IDS|MSG>";
const text = new TextDecoder();

/** Reads a message's frames; null where they are not a message of Jupyter's. */
export function readMessage(frames: readonly Uint8Array[]): JupyterMessage | null {
  const at = frames.findIndex((each) => each.length === DELIMITER.length && text.decode(each) === DELIMITER);
  if (at < 0 || frames.length < at + 6) return null;
  try {
    const part = (i: number) => JSON.parse(text.decode(frames[at + i])) as Record<string, unknown>;
    const header = part(2), parent = part(3);
    return {
      route: frames.slice(0, at),
      type: String(header.msg_type),
      header,
      parentId: typeof parent.msg_id === "string" ? parent.msg_id : undefined,
      content: part(5),
    };
  } catch {
    return null;
  }
}

/** A message to send. */
export interface OutgoingMessage {
  /** `interrupt_reply`, … */
  readonly type: string;
  /** The content. */
  readonly content: Readonly<Record<string, unknown>>;
  /** Header of what it answers. */
  readonly parent?: Readonly<Record<string, unknown>>;
  /** Session of the sender; one of its own where absent. */
  readonly session?: string;
  /** For whom, before the delimiter. */
  readonly route?: readonly Uint8Array[];
}

/** A message of Jupyter's with its signature, and its identifier. */
export function signMessage(key: string, message: OutgoingMessage): { id: string; bytes: Uint8Array } {
  const id = randomUUID();
  const header = {
    msg_id: id,
    session: message.session ?? randomUUID(),
    username: "serlab",
    date: new Date().toISOString(),
    msg_type: message.type,
    version: "5.3",
  };
  const parts = [header, message.parent ?? {}, {}, message.content].map((part) =>
    new TextEncoder().encode(JSON.stringify(part))
  );
  const hmac = createHmac("sha256", key);
  for (const part of parts) hmac.update(part);
  const signature = key === "" ? "" : hmac.digest("hex");
  const head = [DELIMITER, signature].map((part) => new TextEncoder().encode(part));
  return { id, bytes: encodeMessage([...message.route ?? [], ...head, ...parts]) };
}
