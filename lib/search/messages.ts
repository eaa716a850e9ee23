/**
 * What a coordinator and its local workers say to each other: JSON, one message a line, over the worker's standard input
 * and output.
 *
 * @module
 */

import type { TrialJob, TrialOutcome } from "./types.ts";

/** From the worker. */
export type WorkerMessage =
  /** It can take jobs. */
  | { readonly serlab: "ready" }
  /** A job's data are there and its training begins. */
  | { readonly serlab: "begun"; readonly id: string }
  /** A job has ended. */
  | { readonly serlab: "outcome"; readonly id: string; readonly outcome: TrialOutcome }
  /** A job cannot be begun here, nor would any other. */
  | { readonly serlab: "refused"; readonly id: string; readonly message: string }
  /** A line for people. */
  | { readonly serlab: "notice"; readonly line: string };

/** To the worker. */
export interface CoordinatorMessage {
  /** The job to do. */
  readonly job: TrialJob;
}

/** The message of a line; null where the line is anything else (a library that prints, say). */
export function parseWorkerMessage(line: string): WorkerMessage | null {
  if (!line.startsWith('{"serlab":')) return null;
  try {
    return JSON.parse(line) as WorkerMessage;
  } catch {
    return null; // cut off: its writer died within it
  }
}

/** Whole lines of a byte stream; what stands after the last line break is not one. */
export async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    yield* parts;
  }
}
