/**
 * Jobs in this very process, one after the other: for notebooks and tests.
 *
 * @module
 */

import type { TrialRunner } from "./trial.ts";
import type { Executor } from "./types.ts";

/**
 * Executor without processes: what a notebook uses, where the data are at hand already. A crash or a training that hangs
 * takes the notebook with it; time limits hold between two training steps.
 */
export function inProcessExecutor(runner: TrialRunner): Executor {
  return {
    workers: 1,
    async run(jobs, { onStart, onOutcome, signal }) {
      for (const job of jobs) {
        signal?.throwIfAborted();
        onStart(job, "here");
        onOutcome(job, { ...await runner.run(job, { signal }), worker: "here" });
      }
    },
    close: () => Promise.resolve(),
  };
}
