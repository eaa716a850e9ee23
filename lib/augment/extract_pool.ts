/**
 * The workers of `extract.ts`: started when there is work, replaced when they break, given up when they cannot start.
 *
 * @module
 */

import type { Recipe } from "../features/recipes.ts";
import { type Job, type JobResult, runJob } from "./extract_job.ts";
import { fromPlainError, type WorkerReply, type WorkerRequest } from "./extract_messages.ts";

/** Requests that a worker has at once: the one it does and the next one, so that it never waits for a message. */
const IN_FLIGHT = 2;

/** Work that a message is worth, in ms: short jobs go several at a time. */
const REQUEST_MS = 12;

/** Most jobs in a request. */
export const MOST_JOBS = 8;

interface Task {
  readonly job: Job;
  readonly done: (result: JobResult) => void;
  readonly failed: (error: unknown) => void;
  /** Whether it was with a worker that broke down, among others: it is then tried by itself. */
  isSuspect: boolean;
}

interface Thread {
  readonly worker: Worker;
  /** Requests that are not answered yet, in their order. */
  readonly requests: Task[][];
  ready: boolean;
}

/** A number of workers that do jobs of one recipe; without any, jobs are done in the caller's thread. */
export class JobPool {
  readonly #recipe: Recipe;
  readonly #url: string;
  readonly #queue: Task[] = [];
  readonly #threads = new Set<Thread>();
  #size: number;
  /** Jobs that the next request may hold. */
  #most = 1;
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
      this.#queue.push({ job, done, failed, isSuspect: false });
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
      for (const each of this.#threads) if (!thread || each.requests.length < thread.requests.length) thread = each;
      if (this.#threads.size < this.#size && (!thread || thread.requests.length > 0)) thread = this.#start();
      if (!thread) break; // no worker can be started: #giveUp took the queue
      if (thread.requests.length >= IN_FLIGHT) break;
      // What is there is shared out, so that no worker gets all of little.
      const share = Math.ceil(this.#queue.length / this.#size);
      const tasks = [this.#queue.shift()!];
      while (
        tasks.length < Math.min(share, this.#most) && !tasks[0]!.isSuspect && this.#queue[0]?.isSuspect === false
      ) {
        tasks.push(this.#queue.shift()!);
      }
      thread.requests.push(tasks);
      const request: WorkerRequest = { recipe: this.#recipe.name, jobs: tasks.map(({ job }) => job) };
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
    const thread: Thread = { worker, requests: [], ready: false };
    worker.onmessage = ({ data }: MessageEvent<WorkerReply>) => {
      if ("ready" in data) {
        thread.ready = true;
        return;
      }
      const tasks = thread.requests.shift()!;
      // By at most the double, as the first jobs are slow ones.
      this.#most = Math.floor(Math.min(MOST_JOBS, 2 * this.#most, Math.max(1, REQUEST_MS * tasks.length / data.ms)));
      this.#assign();
      data.answers.forEach((answer, i) => {
        if ("result" in answer) tasks[i]!.done(answer.result);
        else tasks[i]!.failed(fromPlainError(answer.error));
      });
    };
    worker.onerror = (event) => {
      event.preventDefault();
      if (!this.#threads.delete(thread)) return;
      worker.terminate();
      const [first = [], ...others] = thread.requests;
      if (!thread.ready) {
        this.#queue.unshift(...first, ...others.flat());
        this.#giveUp();
        return;
      }
      // One of the request it was at broke it; the next request did nothing.
      if (first.length === 1) {
        first[0]!.failed(new Error(`${first[0]!.job.path}: the worker broke down, ${event.message}`));
      } else {
        for (const task of first) task.isSuspect = true;
        this.#queue.unshift(...first);
      }
      this.#queue.splice(first.length > 1 ? first.length : 0, 0, ...others.flat());
      this.#assign();
    };
    this.#threads.add(thread);
    return thread;
  }

  /** Workers do not start here: the rest is done in the caller's thread. */
  #giveUp(): void {
    this.#size = 0;
    for (const { worker, requests } of this.#threads) {
      worker.terminate();
      this.#queue.unshift(...requests.flat());
    }
    this.#threads.clear();
    this.#assign();
  }
}
