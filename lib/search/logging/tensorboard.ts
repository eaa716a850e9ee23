/**
 * TensorBoard's event files: one folder a run, scalars, and settings for its HParams page.
 *
 * A file is a sequence of records (`tensorflow/core/lib/io/record_writer.cc`): length as uint64, the length's masked
 * CRC-32C, the bytes, the bytes' masked CRC-32C, all little-endian. Each record is one `Event` message
 * (`tensorflow/core/util/event.proto`, `summary.proto`, `tensorboard/plugins/hparams/plugin_data.proto`); what we need of
 * protocol buffers' encoding is four functions.
 *
 * @module
 */

import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { concatBytes } from "../../bytes.ts";
import { systemReason } from "../../io.ts";
import {
  type LoggedRun,
  type LoggedValue,
  type LoggerOptions,
  type RunEnd,
  type RunLogger,
  valueText,
} from "./types.ts";

// CRC-32C (Castagnoli), RFC 3720 appendix B.4: reflected polynomial 0x82f63b78.
const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0x82f63b78 ^ (c >>> 1) : c >>> 1;
  return c;
});

/**
 * CRC-32C of bytes.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * // The check value of RFC 3720, appendix B.4: 32 bytes of zeros.
 * assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
 * ```
 */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** A CRC as records hold it: rotated and moved, because a CRC of a CRC is a weak one. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

/** Bytes as one record of a TFRecord file. */
export function encodeRecord(bytes: Uint8Array): Uint8Array {
  const record = new Uint8Array(bytes.length + 16), view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(bytes.length), true);
  view.setUint32(8, masked(record.subarray(0, 8)), true);
  record.set(bytes, 12);
  view.setUint32(12 + bytes.length, masked(bytes), true);
  return record;
}

// ---- protocol buffers ------------------------------------------------------------------------------------------

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

const whole = (field: number, value: number): Uint8Array => concatBytes([varint(field << 3), varint(value)]);

function double(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return concatBytes([varint(field << 3 | 1), bytes]);
}

function float(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return concatBytes([varint(field << 3 | 5), bytes]);
}

/** A text, bytes or a message. */
function nested(field: number, ...parts: (Uint8Array | string)[]): Uint8Array {
  const bytes = concatBytes(parts.map((part) => typeof part === "string" ? new TextEncoder().encode(part) : part));
  return concatBytes([varint(field << 3 | 2), varint(bytes.length), bytes]);
}

// ---- events ----------------------------------------------------------------------------------------------------

// A tensor of no values: HParams' summaries are all metadata, but a summary without a value is dropped.
const NULL_TENSOR = nested(8, whole(1, 1), nested(2, nested(2)));

function hparamsValue(tag: string, content: Uint8Array): Uint8Array {
  return nested(1, nested(1, tag), NULL_TENSOR, nested(9, nested(1, nested(1, "hparams"), nested(2, content))));
}

/** `google.protobuf.Value`. */
function valueMessage(value: LoggedValue): Uint8Array {
  switch (typeof value) {
    case "number":
      return double(2, value);
    case "boolean":
      return whole(4, value ? 1 : 0);
    default:
      return nested(3, valueText(value));
  }
}

/**
 * An event as bytes.
 *
 * @param time Time of the event, s since 1970.
 * @param step Number of the step.
 * @param payload The `file_version` or `summary` field, encoded; see {@linkcode scalars}.
 */
export function encodeEvent(time: number, step: number, payload: Uint8Array): Uint8Array {
  return concatBytes([double(1, time), ...(step === 0 ? [] : [whole(2, step)]), payload]);
}

/** The version that a file begins with. */
export const FILE_VERSION: Uint8Array = nested(3, "brain.Event:2");

/** Values as the summary of an event. */
export function scalars(values: Readonly<Record<string, number>>): Uint8Array {
  return nested(5, ...Object.entries(values).map(([tag, value]) => nested(1, nested(1, tag), float(2, value))));
}

/** Settings as the summary that begins a session of TensorBoard's HParams page. */
export function sessionStart(params: Readonly<Record<string, LoggedValue>>, time: number): Uint8Array {
  const entries = Object.entries(params).map(([name, value]) =>
    nested(1, nested(1, name), nested(2, valueMessage(value)))
  );
  return nested(5, hparamsValue("_hparams_/session_start_info", nested(3, ...entries, double(5, time))));
}

/** The summary that ends it. */
export function sessionEnd(status: RunEnd, time: number): Uint8Array {
  // hparams.Status: 1 is success, 2 failure; a pruned trial has done what it should.
  const content = nested(4, whole(1, status === "failed" ? 2 : 1), double(2, time));
  return nested(5, hparamsValue("_hparams_/session_end_info", content));
}

/** A part of a path that every file system takes. */
function safe(name: string): string {
  return name.split("/").map((part) => part.replaceAll(/[^\w.=+-]+/g, "_").replace(/^\.+$/, "_")).join("/");
}

/**
 * Logs runs as event files: `<dir>/<experiment>/<name>/events.out.tfevents.…`, shown by `tensorboard --logdir <dir>`.
 *
 * What cannot be written is said once, and then nothing more is written.
 *
 * @param dir Folder; it is made.
 */
export function tensorboardLogger(dir: string, options: LoggerOptions): RunLogger {
  const now = options.now ?? Date.now;
  const open = new Set<number>();
  let count = 0, broken = false;
  const attempt = (work: () => void): void => {
    if (broken) return;
    try {
      work();
    } catch (error) {
      broken = true;
      options.onNotice(`TensorBoard: ${dir} cannot be written, ${systemReason(error)}; no more is logged there.`);
    }
  };
  return {
    start({ experiment, name, params, tags }): LoggedRun {
      let file: number | undefined;
      const write = (step: number, payload: Uint8Array): void => {
        if (file === undefined) return;
        const record = encodeRecord(encodeEvent(now() / 1000, step, payload));
        for (let at = 0; at < record.length;) at += writeSync(file, record, at, record.length - at);
      };
      attempt(() => {
        const folder = join(dir, safe(experiment), safe(name));
        mkdirSync(folder, { recursive: true });
        const second = String(Math.floor(now() / 1000)).padStart(10, "0");
        // The name must be new: two runs of one process may begin in the same second.
        file = openSync(join(folder, `events.out.tfevents.${second}.${hostname()}.${Deno.pid}.${count++}`), "wx");
        open.add(file);
        write(0, FILE_VERSION);
        write(0, sessionStart({ ...tags, ...params }, now() / 1000));
      });
      return {
        metrics: (step, values) => attempt(() => write(step, scalars(values))),
        artifact: () => {},
        end: (status) =>
          attempt(() => {
            if (file === undefined) return;
            write(0, sessionEnd(status, now() / 1000));
            open.delete(file);
            closeSync(file);
            file = undefined;
          }),
      };
    },
    close() {
      for (const file of open) attempt(() => closeSync(file));
      open.clear();
      return Promise.resolve();
    },
  };
}
