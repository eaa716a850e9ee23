/**
 * The worker's half of the queue: takes trials of the sweeps that it fits, one sweep at a time.
 *
 * A trial's lock is renewed while it runs; when the worker dies the lock ends and another worker takes the trial. So a
 * trial may run twice, and only its first outcome is kept.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { type Job, WaitingError, Worker } from "bullmq";
import { SerlabError } from "../../errors.ts";
import { canonicalJson } from "../../io.ts";
import type { TrialJob, TrialOutcome } from "../types.ts";
import { asQueueError, type Connection, connectRedis, QueueError } from "./connection.ts";
import { BEAT_SEC, lossReason, PRESENT_SEC } from "./executor.ts";
import {
  beat,
  leave,
  misfit,
  needsOf,
  PREFIX,
  readBoard,
  storeOutcome,
  sweepKeys,
  type SweepNeeds,
  tellStarted,
  type WorkerIdentity,
} from "./protocol.ts";

/** What runs a worker's trials: other processes, so that the one that holds the locks is never busy. */
export interface TrialRunning {
  /**
   * Runs a trial, beside others up to the number of slots.
   *
   * @throws {SerlabError} when the trial cannot be begun here; it is given back then, and its sweep left alone.
   * @throws the signal's reason when it is aborted.
   */
  run(job: TrialJob, signal: AbortSignal): Promise<TrialOutcome>;
}

/** How a worker works. */
export interface ServeOptions {
  /** What it is; asked when the server has been reached. */
  readonly identity: () => Promise<WorkerIdentity>;
  /** How many trials it runs at the same time. */
  readonly slots: number;
  /** Runs them. */
  readonly runner: TrialRunning;
  /** Why it cannot work on a sweep, as a phrase without full stop (other recordings, an unknown study); null when it can. */
  readonly check: (needs: SweepNeeds) => Promise<string | null>;
  /** Receives lines about the server and sweeps. */
  readonly onNotice: (line: string) => void;
  /** Is told of each trial that ended here. */
  readonly onTrial?: ((job: TrialJob, outcome: TrialOutcome) => void) | undefined;
  /** Ends the worker: its trials go back to the queue. */
  readonly signal?: AbortSignal | undefined;
  /** Ends the worker after so many seconds without a trial; default never. */
  readonly idleSec?: number | undefined;
  /** Time after which a trial whose worker is not heard of is given to another one, s; default 30. */
  readonly lockSec?: number | undefined;
  /** A trial fails when it has lost so many workers; default 2. */
  readonly losses?: number | undefined;
  /** Longest time for the server's first answer, s; default 5. */
  readonly firstSec?: number | undefined;
  /** How long a lost server is sought, s; default 600. */
  readonly giveUpSec?: number | undefined;
}

/** How long a sweep is worked on whose coordinator is not heard of, s: a day, for one that was killed over night. */
const ABANDONED_SEC = 24 * 3600;

/** Time between two looks for sweeps, ms. */
const LOOK_MS = 500;

/** One sweep being worked on. */
interface Service {
  readonly name: string;
  readonly needs: SweepNeeds;
  readonly worker: Worker<TrialJob>;
  /** Trials that run. */
  active: number;
}

class Server {
  readonly #connection: Connection;
  readonly #options: ServeOptions;
  readonly #name = `${hostname()}-${Deno.pid}-${randomBytes(2).toString("hex")}`;
  /** Sweeps that it does not fit, and why. */
  readonly #refused = new Map<string, string>();
  readonly #fits = new Set<string>();
  readonly #ending = new AbortController();
  readonly #identity: WorkerIdentity;
  #service: Service | undefined;
  #lastTrial = performance.now();

  constructor(connection: Connection, identity: WorkerIdentity, options: ServeOptions) {
    this.#connection = connection;
    this.#identity = identity;
    this.#options = options;
  }

  async serve(): Promise<void> {
    const { signal, idleSec = Infinity } = this.#options, { gone, redis } = this.#connection;
    let lastBeat = -Infinity, isFirst = true;
    const stop = (): void => this.#ending.abort(signal!.reason);
    signal?.addEventListener("abort", stop);
    // When the server is given up nothing that waits for it will ever answer.
    const lost = new Promise<never>((_, reject) => {
      if (gone.aborted) reject(gone.reason);
      gone.addEventListener("abort", () => reject(gone.reason));
    });
    lost.catch(() => {});
    try {
      while (!signal?.aborted) {
        const now = performance.now();
        if (now - lastBeat >= BEAT_SEC * 1000) {
          lastBeat = now;
          await Promise.race([this.#beat(), lost]);
        }
        const open = await Promise.race([readBoard<SweepNeeds>(redis, "sweeps", ABANDONED_SEC), lost]);
        const fitting = await Promise.race([this.#fitting(open, isFirst), lost]);
        isFirst = false;
        await Promise.race([this.#choose(fitting, open), lost]);
        if (this.#service?.active) this.#lastTrial = performance.now();
        if (performance.now() - this.#lastTrial > idleSec * 1000) return;
        await this.#pause();
      }
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#ending.abort(signal?.reason ?? new DOMException("the worker ends", "AbortError"));
      if (!gone.aborted) {
        await this.#leave();
        await leave(redis, "workers", this.#name).catch(() => {});
      } else {
        // It would ask a server that is gone again and again.
        this.#service?.worker.close(true).catch(() => {});
      }
      this.#connection.close();
    }
  }

  async #beat(): Promise<void> {
    const { slots } = this.#options;
    await beat(this.#connection.redis, "workers", this.#name, { ...this.#identity, name: this.#name, slots });
  }

  #pause(): Promise<void> {
    const { signal } = this.#options;
    return new Promise((resolve) => {
      const timer = setTimeout(end, LOOK_MS);
      function end(): void {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        resolve();
      }
      signal?.addEventListener("abort", end);
    });
  }

  /**
   * The open sweeps that this worker fits.
   *
   * @throws {QueueError} when it is the first look and there are sweeps with a coordinator, and none that it fits.
   */
  async #fitting(open: ReadonlyMap<string, SweepNeeds>, isFirst: boolean): Promise<string[]> {
    const lines: string[] = [], refused: string[] = [];
    for (const [name, needs] of open) {
      if (this.#refused.has(name) || this.#fits.has(name)) continue;
      const { redis } = this.#connection, identity = this.#identity;
      let reason = misfit(needs, identity) ?? await this.#options.check(needs);
      if (reason === null && identity.engine !== null && needs.manifest !== "") {
        // The first worker's engine decides where the coordinator does not.
        const { engine } = sweepKeys(name);
        await redis.setnx(engine, identity.engine);
        reason = misfit({ ...needs, engine: await redis.get(engine) }, identity);
      }
      if (reason === null) {
        this.#fits.add(name);
      } else {
        this.#refused.set(name, reason);
        refused.push(name);
        lines.push(`This worker takes no trial of ${needs.sweep}: ${reason}.`);
      }
    }
    if (isFirst && lines.length > 0 && this.#fits.size === 0) {
      // To wait for another sweep would hide what is wrong; what was left by a coordinator that is gone is no such sign.
      const alive = await readBoard(this.#connection.redis, "sweeps", PRESENT_SEC);
      const said = lines.filter((_, i) => alive.has(refused[i]!));
      if (said.length > 0) throw new QueueError(said.join("\n"));
    }
    for (const line of lines) this.#options.onNotice(line);
    // A sweep that was closed and is opened again is another one.
    for (const name of this.#fits) if (!open.has(name)) this.#fits.delete(name);
    return [...open.keys()].filter((name) => this.#fits.has(name));
  }

  /** Goes on with its sweep while there is something to do, else goes to one where there is. */
  async #choose(fitting: readonly string[], open: ReadonlyMap<string, SweepNeeds>): Promise<void> {
    const there = this.#service;
    if (there !== undefined && fitting.includes(there.name)) {
      if (there.active > 0 || fitting.length === 1) return;
      if (await this.#isWaiting(there.name)) return;
    }
    let next: string | undefined;
    for (const name of fitting) {
      if (name !== there?.name && await this.#isWaiting(name)) {
        next = name;
        break;
      }
    }
    if (next === undefined && there !== undefined && fitting.includes(there.name)) return;
    if (there !== undefined && there.active > 0) return;
    next ??= fitting[0];
    await this.#leave();
    if (next !== undefined) this.#enter(next, open.get(next)!);
  }

  async #isWaiting(name: string): Promise<boolean> {
    const { redis } = this.#connection;
    // BullMQ's own keys: jobs that wait, and jobs that run, whose worker may have died.
    const [waiting, active] = await Promise.all([
      redis.llen(`${PREFIX}:${name}:wait`),
      redis.llen(`${PREFIX}:${name}:active`),
    ]);
    return waiting + active > 0;
  }

  #enter(name: string, needs: SweepNeeds): void {
    const { slots, lockSec = 30, losses = 2 } = this.#options;
    const service: Service = {
      name,
      needs,
      active: 0,
      worker: new Worker<TrialJob>(name, (job, token) => this.#process(service, job, token), {
        connection: this.#connection.redis,
        prefix: PREFIX,
        concurrency: slots,
        lockDuration: lockSec * 1000,
        stalledInterval: lockSec * 500,
        maxStalledCount: losses - 1,
        runRetryDelay: 1000,
        drainDelay: 2,
        name: this.#name,
      }),
    };
    // Lost connections are told by the connection; a lock that is lost means that another worker has the trial.
    service.worker.on("error", () => {});
    service.worker.on("failed", (job, error) => {
      // A job that lost too many workers fails without being run.
      if (job !== undefined) void this.#fail(name, job.data, lossReason(error.message));
    });
    this.#service = service;
  }

  async #fail(queue: string, job: TrialJob, reason: string): Promise<void> {
    const outcome: TrialOutcome = { status: "failed", reason, seconds: 0, worker: this.#name };
    try {
      if (await storeOutcome(this.#connection.redis, queue, job.id, JSON.stringify(outcome))) {
        this.#options.onTrial?.(job, outcome);
      }
    } catch { /* the coordinator finds the failed job by itself */ }
  }

  /** Ends the work on its sweep; trials that run go back. */
  async #leave(): Promise<void> {
    const service = this.#service;
    this.#service = undefined;
    await service?.worker.close().catch(() => {});
  }

  async #process(service: Service, bullJob: Job<TrialJob>, token: string | undefined): Promise<null> {
    const { name } = service, job = bullJob.data, { redis } = this.#connection;
    const { runner, onTrial } = this.#options;
    service.active++;
    this.#lastTrial = performance.now();
    try {
      // It may have its outcome from a worker that was thought dead.
      if (await redis.hexists(sweepKeys(name).outcomes, job.id) === 1) return null;
      await tellStarted(redis, name, job.id, this.#name);
      let outcome: TrialOutcome;
      try {
        this.#ending.signal.throwIfAborted();
        checkJob(job, service.needs);
        outcome = { ...await runner.run(job, this.#ending.signal), worker: this.#name };
      } catch (error) {
        if (!this.#ending.signal.aborted && !(error instanceof SerlabError)) {
          const reason = (error instanceof Error ? error.message : String(error)).split("\n")[0]!.replace(/\.$/, "");
          outcome = { status: "failed", reason, seconds: 0, worker: this.#name };
        } else {
          if (!this.#ending.signal.aborted && error instanceof SerlabError) this.#leaveAlone(service, job, error);
          await bullJob.moveToWait(token);
          throw new WaitingError();
        }
      }
      if (await storeOutcome(redis, name, job.id, JSON.stringify(outcome))) onTrial?.(job, outcome);
      return null;
    } finally {
      service.active--;
      this.#lastTrial = performance.now();
    }
  }

  /** A sweep whose trials cannot be begun here is left to others. */
  #leaveAlone(service: Service, job: TrialJob, error: SerlabError): void {
    if (this.#refused.has(service.name)) return;
    this.#refused.set(service.name, error.message);
    this.#fits.delete(service.name);
    this.#options.onNotice(`This worker takes no more trials of ${job.sweep}: ${error.message}`);
    void service.worker.pause(true);
  }
}

/** Nothing runs but what its sweep said: not on other recordings, and with no name that leads out of a folder. */
function checkJob(job: TrialJob, needs: SweepNeeds): void {
  const asked = needsOf(job, needs.code, needs.engine);
  if (canonicalJson(asked) !== canonicalJson(needs) || !/^[\w-]{1,100}$/.test(job.hash)) {
    throw new Error("the job is none of its sweep's");
  }
}

/**
 * Takes trials from a queue until the signal is aborted, or nothing has been there for `idleSec`.
 *
 * @param url `redis://…` or `rediss://…`; the password may stand in SERLAB_REDIS_PASSWORD.
 * @throws {UsageError} when the address is none; {QueueError} when there is no server, it refuses us, it is gone for too
 *   long, or sweeps are open and this worker fits none of them.
 */
export async function serveTrials(url: string, options: ServeOptions): Promise<void> {
  const { firstSec, giveUpSec, onNotice } = options;
  const connection = await connectRedis(url, { onNotice, firstSec, giveUpSec });
  let identity: WorkerIdentity;
  try {
    identity = await options.identity();
  } catch (error) {
    connection.close();
    throw error;
  }
  try {
    await new Server(connection, identity, options).serve();
  } catch (error) {
    throw asQueueError(error, connection);
  }
}
