/**
 * Jobs on this machine: worker processes that live as long as the sweep and share nothing but their program.
 *
 * @module
 */

import { EngineError, UsageError } from "../errors.ts";
import { type CoordinatorMessage, linesOf, parseWorkerMessage, type WorkerMessage } from "./messages.ts";
import { timeReason } from "./trial.ts";
import type { Executor, ExecutorHooks, TrialJob, TrialOutcome } from "./types.ts";

/** Options of {@linkcode localExecutor}. */
export interface LocalExecutorOptions {
  /** Worker processes. */
  readonly workers: number;
  /** Threads of each one's engine. */
  readonly threads: number;
  /** What Deno is given to start a worker: flags, the entry, its arguments. */
  readonly args: readonly string[];
  /** Folder they run in. */
  readonly cwd?: string;
  /** Seconds that a worker has to end a job by itself after its time limit; default 2. */
  readonly graceSec?: number;
  /** Receives lines for people. */
  readonly onNotice?: (line: string) => void;
}

/** How often a job is begun when its worker dies. */
const ATTEMPTS = 2;

/** Characters of a worker's standard error that are kept, for why it died. */
const TAIL = 4000;

/** A worker process. */
interface WorkerProcess {
  readonly name: string;
  readonly child: Deno.ChildProcess;
  readonly input: WritableStreamDefaultWriter<Uint8Array>;
  job: TrialJob | null;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** Why it was killed, when we did it. */
  killed: string | null;
  ready: boolean;
  tail: string;
  exited: Promise<void>;
}

/** Why a process ended, from its status and the last it said. */
function deathReason({ code, signal }: Deno.CommandStatus, tail: string): string {
  if (/out of memory|\bOOM\b|bad_alloc|allocation failed/i.test(tail)) return "out of memory: its worker ended";
  if (signal !== null) {
    return `its worker was ended by ${signal}${signal === "SIGKILL" ? ", perhaps for want of memory" : ""}`;
  }
  return `its worker ended with code ${code}`;
}

/** Executor on processes of this machine. Workers are started when there is work for them. */
export function localExecutor(options: LocalExecutorOptions): Executor {
  const { workers: most, graceSec = 2, onNotice } = options;
  const pool = new Set<WorkerProcess>();
  let started = 0;
  let onMessage: (worker: WorkerProcess, message: WorkerMessage) => void = () => {};
  let onExit: (worker: WorkerProcess, status: Deno.CommandStatus) => void = () => {};

  const spawn = (): WorkerProcess => {
    const child = new Deno.Command(Deno.execPath(), {
      args: [...options.args],
      ...(options.cwd ? { cwd: options.cwd } : {}),
      env: {
        TF_NUM_INTRAOP_THREADS: String(options.threads),
        TF_NUM_INTEROP_THREADS: "1",
        OMP_NUM_THREADS: String(options.threads),
        NO_COLOR: "1",
      },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const worker: WorkerProcess = {
      name: `local-${started++}`,
      child,
      input: child.stdin.getWriter(),
      job: null,
      timer: undefined,
      killed: null,
      ready: false,
      tail: "",
      exited: Promise.resolve(),
    };
    const heard = (async () => {
      for await (const line of linesOf(child.stdout)) {
        const message = parseWorkerMessage(line);
        if (message !== null) onMessage(worker, message);
      }
    })();
    const errors = (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of child.stderr) {
        worker.tail = (worker.tail + decoder.decode(chunk, { stream: true })).slice(-TAIL);
      }
    })();
    // Its last words come before its death.
    worker.exited = Promise.all([child.status, heard, errors]).then(([status]) => {
      clearTimeout(worker.timer);
      pool.delete(worker);
      onExit(worker, status);
    });
    pool.add(worker);
    return worker;
  };

  const kill = (worker: WorkerProcess, why: string): void => {
    worker.killed = why;
    clearTimeout(worker.timer);
    try {
      worker.child.kill("SIGKILL");
    } catch { /* it is gone */ }
  };

  const give = (worker: WorkerProcess, job: TrialJob, hooks: ExecutorHooks): void => {
    worker.job = job;
    hooks.onStart(job, worker.name);
    const message: CoordinatorMessage = { job };
    // A worker that has just died is heard of by its exit.
    worker.input.write(new TextEncoder().encode(`${JSON.stringify(message)}\n`)).catch(() => {});
  };

  return {
    workers: most,
    run(jobs, hooks) {
      const { signal } = hooks;
      if (signal?.aborted) return Promise.reject(signal.reason);
      return new Promise((resolve, reject) => {
        const waiting = [...jobs];
        const attempts = new Map<string, number>();
        let left = jobs.length, over = false;
        const end = (how: () => void): void => {
          if (over) return;
          over = true;
          signal?.removeEventListener("abort", abort);
          how();
        };
        const fail = (error: unknown): void =>
          end(() => {
            for (const worker of pool) if (worker.job !== null) kill(worker, "the sweep has ended");
            reject(error);
          });
        const abort = (): void => fail(signal!.reason);
        signal?.addEventListener("abort", abort);
        const settle = (job: TrialJob, outcome: TrialOutcome): void => {
          left--;
          try {
            hooks.onOutcome(job, outcome);
          } catch (error) {
            fail(error);
            return;
          }
          if (left === 0) end(resolve);
        };
        const feed = (): void => {
          if (over) return;
          for (const worker of pool) {
            if (worker.ready && worker.job === null && worker.killed === null && waiting.length > 0) {
              give(worker, waiting.shift()!, hooks);
            }
          }
          // Starting ones will take a job each when they are ready.
          const starting = [...pool].filter((worker) => !worker.ready).length;
          for (let n = Math.min(most - pool.size, waiting.length - starting); n > 0; n--) {
            try {
              spawn();
            } catch (error) {
              fail(new EngineError(`A worker could not be started: ${(error as Error).message}`, { cause: error }));
              return;
            }
          }
        };
        onMessage = (worker, message) => {
          if (message.serlab === "notice") {
            onNotice?.(message.line);
          } else if (message.serlab === "ready") {
            worker.ready = true;
            feed();
          } else if (worker.job?.id !== message.id || worker.killed !== null) {
            return; // of a job that has been given up
          } else if (message.serlab === "begun") {
            const { timeLimitSec } = worker.job;
            worker.timer = setTimeout(() => kill(worker, timeReason(worker.job!)), (timeLimitSec + graceSec) * 1000);
          } else {
            const { job } = worker;
            clearTimeout(worker.timer);
            worker.job = null;
            if (message.serlab === "refused") fail(new UsageError(message.message));
            else settle(job, { ...message.outcome, worker: worker.name });
            feed();
          }
        };
        onExit = (worker, status) => {
          const { job } = worker;
          worker.job = null;
          if (over) return;
          if (!worker.ready) {
            const line = worker.tail.trim().split("\n").findLast((each) => /error|panic|fail/i.test(each)) ??
              `it ended with code ${status.code}`;
            fail(new EngineError(`A worker could not be started: ${line.trim()}`));
            return;
          }
          if (job !== null) {
            const attempt = (attempts.get(job.id) ?? 0) + 1;
            attempts.set(job.id, attempt);
            if (worker.killed !== null) {
              settle(job, { status: "failed", reason: worker.killed, seconds: job.timeLimitSec, worker: worker.name });
            } else if (attempt < ATTEMPTS) {
              onNotice?.(`${deathReason(status, worker.tail)}; its trial is tried once more`);
              waiting.unshift(job);
            } else {
              const reason = `${deathReason(status, worker.tail)}, twice`;
              settle(job, { status: "failed", reason, seconds: 0, worker: worker.name });
            }
          }
          feed();
        };
        if (left === 0) end(resolve);
        else feed();
      });
    },
    async close() {
      onExit = () => {};
      const all = [...pool];
      for (const worker of all) {
        if (worker.job !== null) kill(worker, "the sweep has ended");
        else worker.input.close().catch(() => {});
      }
      await Promise.all(all.map((worker) => worker.exited));
    },
  };
}
