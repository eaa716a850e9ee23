/**
 * Many files at once, on all cores, answered in their order.
 *
 * @module
 */

import type { BundleFiles } from "./bundle.ts";
import type { FileAnswer } from "./predict_files.ts";

/** What a worker is told: the bundle first, then files. */
export type ToWorker =
  | { readonly bundle: BundleFiles; readonly name: string }
  | { readonly id: number; readonly file: string };

/** What a worker says: that it runs, then an answer a file, or a defect. */
export type FromWorker =
  | { readonly ready: true }
  | { readonly id: number; readonly result: FileAnswer }
  | { readonly id: number; readonly defect: string };

/** Files a worker has at once: the one it is at and the next, so that it never waits for a message. */
const IN_FLIGHT = 2;

/** Files ahead of the one whose answer is waited for, for each worker: bounds what is kept. */
const AHEAD = 32;

/** Options of {@linkcode answerFiles}. */
export interface AnswerFilesOptions {
  /** Number of workers, 1 or more. */
  readonly workers: number;
  /** Another worker (tests). */
  readonly url?: string;
}

interface Thread {
  readonly worker: Worker;
  readonly busy: Map<number, Waiting>;
  ready: boolean;
}

interface Waiting {
  readonly file: string;
  /** Was in a worker that broke with others: goes on alone, so that it is known which one breaks it. */
  suspect: boolean;
  readonly done: (answer: FileAnswer) => void;
  readonly failed: (error: Error) => void;
}

/**
 * Answers files with workers, in their order; a file that breaks its worker is a failure of that file alone.
 *
 * @param bundle Files of a bundle whose model needs no tf.js, and its name.
 * @param files Paths.
 * @throws {Error} for a defect in a worker, with its trace.
 */
export async function* answerFiles(
  bundle: { readonly files: BundleFiles; readonly name: string },
  files: readonly string[],
  options: AnswerFilesOptions,
): AsyncGenerator<FileAnswer, void, void> {
  const url = options.url ?? new URL("./predict_worker.ts", import.meta.url).href;
  const threads = new Set<Thread>();
  const queue: number[] = [];
  const waiting = new Map<number, Waiting>();
  let closed = false;

  const start = (): void => {
    const worker = new Worker(url, { type: "module" });
    const thread: Thread = { worker, busy: new Map(), ready: false };
    threads.add(thread);
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if ("ready" in data) {
        thread.ready = true;
        assign();
        return;
      }
      const task = thread.busy.get(data.id);
      thread.busy.delete(data.id);
      if ("result" in data) task?.done(data.result);
      else task?.failed(new Error(data.defect));
      assign();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      threads.delete(thread);
      worker.terminate();
      if (!thread.ready) {
        // It did not even start: nothing can be done with workers here.
        const defect = new Error(`a worker did not start: ${event.message}`);
        for (const task of [...thread.busy.values(), ...waiting.values()]) task.failed(defect);
        return;
      }
      // An error may overtake the answers before it, so of two files it is not known which one broke the worker.
      const tasks = [...thread.busy];
      if (tasks.length === 1) {
        const { file, done } = tasks[0]![1];
        done({ file, error: `${file}: could not be answered, ${event.message}.`, exitCode: 1 });
      } else {
        for (const [id, task] of tasks.reverse()) {
          task.suspect = true;
          waiting.set(id, task);
          queue.unshift(id);
        }
      }
      if (closed) return;
      start();
      assign();
    };
    worker.postMessage({ bundle: bundle.files, name: bundle.name } satisfies ToWorker);
  };

  const assign = (): void => {
    for (;;) {
      const id = queue[0];
      if (id === undefined) return;
      const task = waiting.get(id)!;
      let thread: Thread | undefined;
      for (const each of threads) {
        if (!each.ready || [...each.busy.values()].some(({ suspect }) => suspect)) continue;
        if (!thread || each.busy.size < thread.busy.size) thread = each;
      }
      if (!thread || thread.busy.size >= (task.suspect ? 1 : IN_FLIGHT)) return;
      queue.shift();
      waiting.delete(id);
      thread.busy.set(id, task);
      thread.worker.postMessage({ id, file: task.file } satisfies ToWorker);
    }
  };

  try {
    for (let i = 0; i < Math.min(options.workers, files.length); i++) start();
    const results: Promise<FileAnswer>[] = [];
    let asked = 0;
    for (let next = 0; next < files.length; next++) {
      for (; asked < Math.min(files.length, next + AHEAD * options.workers); asked++) {
        const id = asked;
        const result = new Promise<FileAnswer>((done, failed) => {
          waiting.set(id, { file: files[id]!, suspect: false, done, failed });
          queue.push(id);
        });
        // Its failure is met when its turn comes.
        result.catch(() => {});
        results[id] = result;
      }
      assign();
      const answer = await results[next]!;
      delete results[next];
      yield answer;
    }
  } finally {
    closed = true;
    for (const { worker } of threads) worker.terminate();
  }
}
