/**
 * The coordinator's half of the queue: an executor whose workers are on any machine.
 *
 * Redis is a means of transport, not the record: what was sent and not answered is asked after again and again, and sent
 * anew when the server has lost it. An outcome stays there until it has been handed on.
 *
 * @module
 */

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { UsageError } from "../../errors.ts";
import { canonicalJson } from "../../io.ts";
import type { Executor, ExecutorHooks, TrialJob, TrialOutcome } from "../types.ts";
import { asQueueError, type Connection, connectRedis } from "./connection.ts";
import {
  beat,
  codeHash,
  leave,
  type Message,
  misfit,
  needsOf,
  PREFIX,
  queueName,
  readBoard,
  removeForgotten,
  sweepKeys,
  type SweepNeeds,
  takeMessages,
  type WorkerCard,
} from "./protocol.ts";

/** How a queue's coordinator works. */
export interface QueueExecutorOptions {
  /** Receives a line about the server and the workers. */
  readonly onNotice?: ((line: string) => void) | undefined;
  /**
   * Backend and its version that workers must have, as trials name them, such as `native, tensorflow 2.19.1`, with or
   * without the processor's kind after it (`, x86_64`); default: what the sweep's first worker has.
   */
  readonly engine?: string | undefined;
  /** Longest time for the server's first answer, s; default 5. */
  readonly firstSec?: number | undefined;
  /** How long a lost server is sought before the sweep ends with an error, s; default 600. */
  readonly giveUpSec?: number | undefined;
  /** Most jobs in Redis at the same time; default 1000. */
  readonly window?: number | undefined;
  /** Time after which jobs without news are asked after, s; default 10. */
  readonly askAfterSec?: number | undefined;
  /** Hash of the sources that workers must have; default that of this serlab. */
  readonly code?: string | undefined;
}

const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));

/** How long a worker counts as there that is not heard of, s; it says so every {@linkcode BEAT_SEC}. */
export const PRESENT_SEC = 20;

/** Time between two signs of life, s. */
export const BEAT_SEC = 5;

/** Jobs that are sent at once. */
const CHUNK = 200;

/** One batch of jobs under way. */
interface Batch {
  readonly queue: Queue;
  readonly name: string;
  readonly needs: SweepNeeds;
  readonly hooks: ExecutorHooks;
  /** Jobs that have no outcome yet and were sent. */
  readonly sent: Map<string, TrialJob>;
  /** Jobs that were not sent yet, the next one last. */
  readonly unsent: TrialJob[];
}

/** Whether an error says that the connection was closed by ourselves. */
function isClosed(error: unknown): boolean {
  return /connection is closed/i.test(String(error));
}

class QueueExecutor implements Executor {
  readonly #connection: Connection;
  readonly #options: QueueExecutorOptions;
  readonly #blocking: Redis;
  readonly #code: string;
  readonly #queues = new Map<string, Queue>();
  readonly #told = new Set<string>();
  #slots = 1;
  #lostSomething = false;
  #isUnfinished = false;

  constructor(connection: Connection, options: QueueExecutorOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#blocking = connection.another();
    this.#code = options.code ?? codeHash(ROOT);
    connection.onBack = () => {
      this.#lostSomething = true;
    };
  }

  get workers(): number {
    return this.#slots;
  }

  async run(jobs: readonly TrialJob[], hooks: ExecutorHooks): Promise<void> {
    const [first] = jobs;
    if (first === undefined) return;
    hooks.signal?.throwIfAborted();
    this.#connection.gone.throwIfAborted();
    const needs = needsOf(first, this.#code, this.#options.engine ?? null), name = queueName(needs);
    const other = jobs.find((job) => canonicalJson(needsOf(job, needs.code, needs.engine)) !== canonicalJson(needs));
    if (other !== undefined) throw new UsageError(`Jobs ${first.id} and ${other.id} ask for different workers.`);
    const queue = this.#queue(name);
    const batch: Batch = { queue, name, needs, hooks, sent: new Map(), unsent: [...jobs].reverse() };
    const ended = new AbortController();
    const abort = (reason: unknown): void => ended.abort(reason);
    const onSignal = (): void => abort(hooks.signal!.reason), onGone = (): void => abort(this.#connection.gone.reason);
    hooks.signal?.addEventListener("abort", onSignal);
    this.#connection.gone.addEventListener("abort", onGone);
    let stop: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      ended.signal.addEventListener("abort", () => reject(ended.signal.reason));
    });
    aborted.catch(() => {});
    this.#isUnfinished = true;
    try {
      await Promise.race([removeForgotten(this.#connection.redis), aborted]);
      await Promise.race([this.#beat(batch), aborted]);
      stop = this.#keepBeating(batch, abort);
      const work = this.#work(batch, ended.signal);
      work.catch(() => {});
      await Promise.race([work, aborted]);
      this.#isUnfinished = false;
    } catch (error) {
      // What nobody waits for any more shall not be begun; what runs may end, and its outcome waits for a resumed sweep.
      if (!this.#connection.gone.aborted) this.#isUnfinished = await this.#drain(queue);
      throw asQueueError(error, this.#connection);
    } finally {
      stop?.();
      hooks.signal?.removeEventListener("abort", onSignal);
      this.#connection.gone.removeEventListener("abort", onGone);
    }
  }

  async close(): Promise<void> {
    if (!this.#connection.gone.aborted && !this.#isUnfinished) {
      for (const [name, queue] of this.#queues) {
        const { outcomes, ready, engine } = sweepKeys(name), { redis } = this.#connection;
        try {
          await leave(redis, "sweeps", name);
          await queue.obliterate({ force: true });
          await redis.del(outcomes, ready, engine);
        } catch { /* what stays is small, and no worker takes it */ }
      }
    }
    this.#connection.close();
  }

  /** Does the batch, until every job has its outcome. */
  async #work(batch: Batch, signal: AbortSignal): Promise<void> {
    const askAfter = (this.#options.askAfterSec ?? 10) * 1000;
    let news = performance.now();
    while (batch.sent.size + batch.unsent.length > 0) {
      await this.#send(batch);
      if (batch.sent.size === 0) continue;
      const popped = await this.#blocking.blpop(sweepKeys(batch.name).ready, 1);
      if (signal.aborted) return;
      const now = performance.now();
      if (popped !== null) {
        const more = await takeMessages(this.#connection.redis, batch.name, CHUNK);
        await this.#hear(batch, [JSON.parse(popped[1]) as Message, ...more]);
      }
      if (this.#lostSomething || now - news > askAfter) {
        this.#lostSomething = false;
        news = now;
        await this.#askAfter(batch);
      }
    }
  }

  /** Sends jobs until as many are there as may be, and hands on outcomes that are there already. */
  async #send(batch: Batch): Promise<void> {
    const window = this.#options.window ?? 1000;
    // Half empty is soon enough: sending in bulk is cheaper.
    if (batch.unsent.length === 0 || batch.sent.size > window / 2) return;
    while (batch.unsent.length > 0 && batch.sent.size < window) {
      const jobs = batch.unsent.splice(-Math.min(CHUNK, window - batch.sent.size)).reverse();
      for (const job of jobs) batch.sent.set(job.id, job);
      await this.#deliver(batch, jobs.map(({ id }) => id));
      await this.#add(batch, jobs.filter(({ id }) => batch.sent.has(id)));
    }
  }

  async #add({ queue }: Batch, jobs: readonly TrialJob[]): Promise<void> {
    if (jobs.length === 0) return;
    // A job that is in the queue already, sent by a coordinator that was killed, is not added again.
    await queue.addBulk(jobs.map((job) => ({ name: "trial", data: job, opts: { jobId: job.id } })));
  }

  async #hear(batch: Batch, messages: readonly Message[]): Promise<void> {
    const ended: string[] = [];
    for (const [kind, id, worker] of messages) {
      const job = batch.sent.get(id);
      if (kind === "outcome") ended.push(id);
      else if (job !== undefined) batch.hooks.onStart(job, worker);
    }
    await this.#deliver(batch, ended);
  }

  /** Hands on the outcomes of jobs that have one, then removes them from Redis. */
  async #deliver({ name, sent, queue, hooks }: Batch, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return;
    const { redis } = this.#connection, { outcomes } = sweepKeys(name);
    const found = await redis.hmget(outcomes, ...ids);
    const delivered: string[] = [], failed: string[] = [];
    for (const [i, text] of found.entries()) {
      const id = ids[i]!, job = sent.get(id);
      if (text === null || text === undefined) continue;
      const outcome = JSON.parse(text) as TrialOutcome;
      if (job !== undefined) {
        sent.delete(id);
        hooks.onOutcome(job, outcome);
      }
      delivered.push(id);
      if (outcome.status === "failed") failed.push(id);
    }
    if (delivered.length > 0) await redis.hdel(outcomes, ...delivered);
    // BullMQ keeps failed jobs; asked for again later, they shall run again.
    await Promise.all(failed.map((id) => queue.remove(id)));
  }

  /** Looks after jobs without news: their outcome may be there, or the server may have lost them. */
  async #askAfter(batch: Batch): Promise<void> {
    const { sent, queue, hooks } = batch;
    const ids = [...sent.keys()];
    // In this order: a worker stores the outcome before its job leaves the queue.
    const states = await Promise.all(ids.map((id) => queue.getJobState(id)));
    await this.#deliver(batch, ids);
    const lost: TrialJob[] = [];
    for (const [i, id] of ids.entries()) {
      const job = sent.get(id);
      if (job === undefined) continue;
      if (states[i] === "failed") {
        const reason = (await queue.getJob(id))?.failedReason ?? "";
        sent.delete(id);
        hooks.onOutcome(job, { status: "failed", reason: lossReason(reason), seconds: 0 });
        await queue.remove(id);
      } else if (states[i] === "unknown" || states[i] === "completed") {
        if (states[i] === "completed") await queue.remove(id);
        lost.push(job);
      }
    }
    await this.#add(batch, lost);
  }

  #queue(name: string): Queue {
    const there = this.#queues.get(name);
    if (there) return there;
    const queue = new Queue(name, {
      connection: this.#connection.redis,
      prefix: PREFIX,
      streams: { events: { maxLen: 100 } },
      defaultJobOptions: { removeOnComplete: true, removeOnFail: false, attempts: 1 },
    });
    queue.on("error", () => {});
    this.#queues.set(name, queue);
    return queue;
  }

  /** Takes out what has not begun; whether anything is left, running or not collected, that somebody may come back to. */
  async #drain(queue: Queue): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), 2000);
    });
    const drained = (async () => {
      await queue.drain();
      const kept = await this.#connection.redis.hlen(sweepKeys(queue.name).outcomes);
      return kept + await queue.getActiveCount() > 0;
    })().catch(() => true);
    const isLeft = await Promise.race([drained, late]);
    clearTimeout(timer);
    return isLeft;
  }

  /** Says that the sweep is there and looks who else is. */
  async #beat({ name, needs }: Batch): Promise<void> {
    const { redis } = this.#connection;
    await beat(redis, "sweeps", name, needs);
    const workers = await readBoard<WorkerCard>(redis, "workers", PRESENT_SEC);
    const engine = await redis.get(sweepKeys(name).engine);
    let slots = 0;
    for (const worker of workers.values()) {
      const reason = misfit({ ...needs, engine: needs.engine ?? engine }, worker);
      if (reason === null) slots += worker.slots;
      else this.#tell(`Worker ${worker.name} takes no trial of ${needs.sweep}: ${reason}.`);
    }
    this.#slots = Math.max(1, slots);
    if (slots === 0) {
      this.#tell(`No worker is there for ${needs.sweep} yet: deno task worker --redis ${this.#connection.shown}`);
    }
  }

  #keepBeating(batch: Batch, abort: (reason: unknown) => void): () => void {
    let stopped = false, timer: ReturnType<typeof setTimeout> | undefined;
    const again = (): void => {
      timer = setTimeout(async () => {
        try {
          await this.#beat(batch);
        } catch (error) {
          if (!stopped && !isClosed(error)) abort(error);
        }
        if (!stopped) again();
      }, BEAT_SEC * 1000);
    };
    again();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }

  #tell(line: string): void {
    if (this.#told.has(line)) return;
    this.#told.add(line);
    this.#options.onNotice?.(line);
  }
}

/** Why a job failed that BullMQ gave up, in our words. */
export function lossReason(reason: string): string {
  return /stalled/.test(reason)
    ? "its worker died each time it was tried (killed, out of memory, or the machine was lost)"
    : reason.split("\n")[0]!.replace(/\.$/, "") || "the worker gave no reason";
}

/**
 * Connects to a queue and returns the executor whose workers take from it.
 *
 * @param url `redis://…` or `rediss://…`; the password may stand in SERLAB_REDIS_PASSWORD.
 * @throws {UsageError} when the address is none; {QueueError} when there is no server, or it refuses us.
 */
export async function queueExecutor(url: string, options: QueueExecutorOptions = {}): Promise<Executor> {
  const { firstSec, giveUpSec, onNotice = () => {} } = options;
  return new QueueExecutor(await connectRedis(url, { onNotice, firstSec, giveUpSec }), options);
}
