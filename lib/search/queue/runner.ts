/**
 * A queue worker's trials run in processes of their own, one a slot: training must not keep the process that renews
 * their locks from doing so, and a trial that crashes must not take the worker with it.
 *
 * @module
 */

import { localExecutor, type LocalExecutorOptions } from "../local.ts";
import type { Executor, TrialJob, TrialOutcome } from "../types.ts";
import type { TrialRunning } from "./worker.ts";

/** What the processes are started with. */
export interface ProcessRunnerOptions {
  /** Processes at the same time. */
  readonly slots: number;
  /** What Deno is given to start one that can do a job. */
  readonly args: (job: TrialJob) => readonly string[];
  /** Receives lines for people. */
  readonly onNotice?: LocalExecutorOptions["onNotice"];
}

/** One process, and what it was started for. */
interface Slot {
  executor: Executor | null;
  key: string;
}

/** Runs trials in processes that stay for the next trial; {@linkcode ProcessRunner.close} ends them. */
export interface ProcessRunner extends TrialRunning {
  /** Ends the processes. */
  close(): Promise<void>;
}

/** Runs trials in processes of this machine, each with the threads that its trial asks for. */
export function processRunner({ slots, args, onNotice }: ProcessRunnerOptions): ProcessRunner {
  const free: Slot[] = Array.from({ length: slots }, () => ({ executor: null, key: "" }));
  const all = [...free];
  return {
    async run(job, signal): Promise<TrialOutcome> {
      const own = args(job), key = JSON.stringify([job.threads, own]);
      // One that has the job's data in memory is best.
      const at = free.findIndex((slot) => slot.key === key);
      const [slot] = free.splice(Math.max(at, 0), 1);
      if (slot === undefined) throw new Error("more trials than slots");
      try {
        if (slot.key !== key) {
          await slot.executor?.close();
          slot.executor = localExecutor({
            workers: 1,
            threads: job.threads,
            args: own,
            ...(onNotice ? { onNotice } : {}),
          });
          slot.key = key;
        }
        let outcome: TrialOutcome | undefined;
        await slot.executor!.run([job], { onStart: () => {}, onOutcome: (_, ended) => outcome = ended, signal });
        return outcome!;
      } finally {
        free.push(slot);
      }
    },
    close: async () => void await Promise.all(all.map(({ executor }) => executor?.close())),
  };
}
