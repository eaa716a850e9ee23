/**
 * The workers of `extract.ts`: started when there is work, replaced when they break, given up when they cannot start.
 *
 * @module
 */

import type { Recipe } from "../features/recipes.ts";
import { type Job, type JobResult, runJob } from "./extract_job.ts";
import { fromPlainError, type WorkerReply, type WorkerRequest } from "./extract_messages.ts";

/** Jobs that a worker has at once: the one it does and the next one, so that it never waits for a message. */
const IN_FLIGHT = 2;

interface Task {
  readonly job: Job;
  readonly done: (result: JobResult) => void;
  readonly failed: (error: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly tasks: Map<number, Task>;
  ready: boolean;
}

/** A number of workers that do jobs of one recipe; without any, jobs are done in the caller's thread. */
export class JobPool {
  readonly #recipe: Recipe;
  readonly #url: string;
  readonly #queue: Task[] = [];
  readonly #threads = new Set<Thread>();
  #size: number;
  #nextId = 0;
  #own: Promise<unknown> = Promise.resolve();
  #closed = false;

  /**
   * Plans a pool; nothing is started yet.
   *
   * @param recipe The recipe of all jobs; workers find it by its name.
   * @param size Number of workers; 0 for none.
   * @param options The worker's module.
   */
  constructor(recipe: Recipe, size: number, options: { readonly url?: string } = {}) {
    this.#recipe = recipe;
    this.#size = typeof Worker === "undefined" ? 0 : size;
    this.#url = options.url ?? new URL("./extract_worker.ts", import.meta.url).href;
  }

  /** Number of workers that jobs may be given to; 0 when they are done in the caller's thread. */
  get size(): number {
    return this.#size;
  }

  /** Does a job; rejects with what {@linkcode runJob} throws. */
  run(job: Job): Promise<JobResult> {
    return new Promise<JobResult>((done, failed) => {
      this.#queue.push({ job, done, failed });
      this.#assign();
    });
  }

  /** Ends all workers at once; what is not done yet never will be. */
  close(): void {
    this.#closed = true;
    for (const { worker } of this.#threads) worker.terminate();
    this.#threads.clear();
    this.#queue.length = 0;
  }

  #assign(): void {
    if (this.#size === 0) {
      for (const task of this.#queue.splice(0)) this.#doHere(task);
      return;
    }
    while (this.#queue.length > 0) {
      let thread: Thread | undefined;
      for (const each of this.#threads) if (!thread || each.tasks.size < thread.tasks.size) thread = each;
      if (this.#threads.size < this.#size && (!thread || thread.tasks.size > 0)) thread = this.#start();
      if (!thread) break; // no worker can be started: #giveUp took the queue
      if (thread.tasks.size >= IN_FLIGHT) break;
      const task = this.#queue.shift()!;
      const id = this.#nextId++;
      thread.tasks.set(id, task);
      const request: WorkerRequest = { id, recipe: this.#recipe.name, job: task.job };
      thread.worker.postMessage(request);
    }
  }

  /** One after the other, as a worker would. */
  #doHere({ job, done, failed }: Task): void {
    this.#own = this.#own.then(async () => {
      if (!this.#closed) await runJob(job, this.#recipe).then(done, failed);
    });
  }

  #start(): Thread | undefined {
    let worker: Worker;
    try {
      worker = new Worker(this.#url, { type: "module" });
    } catch {
      this.#giveUp();
      return undefined;
    }
    const thread: Thread = { worker, tasks: new Map(), ready: false };
    worker.onmessage = ({ data }: MessageEvent<WorkerReply>) => {
      if ("ready" in data) {
        thread.ready = true;
        return;
      }
      const task = thread.tasks.get(data.id);
      thread.tasks.delete(data.id);
      if ("result" in data) task?.done(data.result);
      else task?.failed(fromPlainError(data.error));
      this.#assign();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (!this.#threads.delete(thread)) return;
      worker.terminate();
      const [first, ...others] = thread.tasks.values();
      if (thread.ready) {
        // The job it was at broke it; the next one did nothing.
        first?.failed(new Error(`${first.job.path}: the worker broke down, ${event.message}`));
        this.#queue.unshift(...others);
        this.#assign();
      } else {
        this.#queue.unshift(...thread.tasks.values());
        this.#giveUp();
      }
    };
    this.#threads.add(thread);
    return thread;
  }

  /** Workers do not start here: the rest is done in the caller's thread. */
  #giveUp(): void {
    this.#size = 0;
    for (const { worker, tasks } of this.#threads) {
      worker.terminate();
      this.#queue.unshift(...tasks.values());
    }
    this.#threads.clear();
    this.#assign();
  }
}
