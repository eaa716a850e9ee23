/**
 * The page's side of the worker: a question is a promise.
 *
 * @module
 */

/// <reference lib="dom" />

import type { FromWorker, WorkerCalls } from "./protocol.ts";

/** Something went wrong, in one sentence for people. */
export class PageError extends Error {
  /** Name of the class, which survives minification. */
  override readonly name = "PageError";
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
  progress: ((value: unknown) => void) | undefined;
}

/** How a question is asked. */
export interface AskOptions {
  /** Hears how it goes. */
  readonly onProgress?: (progress: unknown) => void;
  /** Stops it. */
  readonly signal?: AbortSignal;
  /** Buffers that are given away. */
  readonly transfer?: readonly ArrayBuffer[];
}

/** Asks the worker; see {@linkcode WorkerCalls}. */
export class Client {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #next = 0;

  /**
   * Starts the worker.
   *
   * @param url Its script.
   */
  constructor(url: string) {
    this.#worker = new Worker(url, { type: "module" });
    this.#worker.addEventListener("message", ({ data }: MessageEvent<FromWorker>) => this.#receive(data));
    this.#worker.addEventListener("error", (event) => {
      const error = new PageError("The part of this page that computes has stopped; reload the page to go on.");
      if (event.message) console.error(event.message);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
  }

  #receive(message: FromWorker): void {
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return;
    if ("progress" in message) return waiting.progress?.(message.progress);
    this.#waiting.delete(message.id);
    if ("value" in message) waiting.resolve(message.value);
    else {
      waiting.reject(
        new PageError(message.expected ? message.error : `Something went wrong that should not have: ${message.error}`),
      );
    }
  }

  /**
   * Asks one question.
   *
   * @throws {PageError} with what the worker says went wrong.
   */
  ask<C extends keyof WorkerCalls>(
    call: C,
    value: WorkerCalls[C]["takes"],
    { onProgress, signal, transfer = [] }: AskOptions = {},
  ): Promise<WorkerCalls[C]["gives"]> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject, progress: onProgress });
      signal?.addEventListener("abort", () => this.#worker.postMessage({ cancel: id }), { once: true });
      this.#worker.postMessage({ id, call, value }, [...transfer]);
    });
  }
}
