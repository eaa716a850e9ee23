/**
 * A sweep's trials in a logger of runs: one run a trial, written when it has ended.
 *
 * @module
 */

import type { TrialRecord } from "../types.ts";
import type { RunLogger } from "./types.ts";

/** Tells a logger what becomes of trials. */
export interface TrialLog {
  /** Looks at a trial that started or ended; once it has ended for good it is logged. */
  saw(trial: TrialRecord): void;
  /** Logs the trials that were seen and have ended since (a method prunes between two rounds), by their last records. */
  end(trials: readonly TrialRecord[]): void;
}

/**
 * Logs a sweep's trials as runs of the experiment that the sweep's name is: the configuration as parameters, the curves
 * of training as metrics by epoch, the score by epochs of the budget, the reason of a failure.
 *
 * Trials that were there before this run of the sweep are not logged again.
 */
export function trialLog(logger: RunLogger, sweep: string): TrialLog {
  const open = new Set<string>(), logged = new Set<string>();
  const log = (trial: TrialRecord): void => {
    const { hash, status, study, variant, protocol, fold, seed, role, threads, engine, worker, metric, config } = trial;
    if (status === "waiting" || status === "running" || logged.has(hash)) return;
    logged.add(hash);
    open.delete(hash);
    const run = logger.start({
      experiment: sweep,
      name: hash,
      params: { ...config, fold, seed, threads },
      tags: { study, variant, protocol, role, engine: engine ?? "none", worker: worker ?? "none" },
    });
    for (const { epoch, ...values } of trial.history) {
      // What a log holds as null (no number, or not reported) is no point of a curve.
      const known = Object.entries(values).filter((entry): entry is [string, number] => typeof entry[1] === "number");
      if (known.length > 0) run.metrics(epoch, Object.fromEntries(known));
    }
    for (const { epochs, score } of trial.rungs) {
      if (score !== null) run.metrics(epochs, { [`score_${metric}`]: score });
    }
    run.metrics(0, { seconds: trial.seconds });
    run.artifact("trial.json", JSON.stringify(trial, null, 1));
    run.end(status, trial.reason ?? undefined);
  };
  return {
    saw(trial) {
      open.add(trial.hash);
      // A rung's others may still prune it, or let it go on: only what cannot change any more.
      if (trial.status === "done" || trial.status === "failed") log(trial);
    },
    end(trials) {
      for (const trial of trials) if (open.has(trial.hash)) log(trial);
    },
  };
}
