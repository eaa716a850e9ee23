/**
 * The vocabulary of hyper-parameter search: what a configuration, a trial, its job and its outcome are.
 *
 * Everything here that travels to a worker (another process, another machine) is plain JSON.
 *
 * @module
 */

import type { HistoryEntry } from "../results/record.ts";

/** A value of a hyper-parameter. */
export type Value = string | number | boolean;

/** A point of a search space: values by the parameter's name; a parameter whose condition does not hold is absent. */
export type Configuration = Readonly<Record<string, Value>>;

/** Names of the methods. */
export const METHODS = ["grid", "random", "halving", "tpe"] as const;

/** Name of a method. */
export type MethodName = typeof METHODS[number];

/** What a trial is scored by: accuracy, or recall averaged over the classes that have rows. */
export type Metric = "accuracy" | "uar";

/** Where a trial stands. `pruned`: ended early, because others were better at the same number of epochs. */
export type TrialStatus = "waiting" | "running" | "done" | "pruned" | "failed";

/**
 * One training that a worker does: a configuration in one outer fold for a number of epochs. All that a worker anywhere
 * needs; JSON.
 */
export interface TrialJob {
  /** Unique in the sweep and the same on every machine: `<hash>-<epochs>`, with `test-` before it for sealed rows. */
  readonly id: string;
  /** The trial: hash of study, variant, protocol, fold, configuration, data and settings. */
  readonly hash: string;
  /** The sweep: `<study>-<method>-<protocol>`. */
  readonly sweep: string;
  /** `validation`: a trial of the search; `test`: the sealed rows, once, after the search has ended. */
  readonly rows: "validation" | "test";
  /** Study, or the name of a function that is searched instead of one. */
  readonly study: string;
  /** Variant that the configuration changes. */
  readonly variant: string;
  /** Protocol that draws the folds. */
  readonly protocol: string;
  /** Outer fold, from 0. */
  readonly fold: number;
  /** How many inner trainings the score pools. */
  readonly innerFolds: number;
  /** The configuration. */
  readonly config: Configuration;
  /** Seed of the training: follows from study, variant and configuration alone. An empty one is the variant as it is. */
  readonly seed: number;
  /** Seed of the split, of augmented copies and of the inner folds: the sweep's. */
  readonly dataSeed: number;
  /** Epochs to train (the budget). */
  readonly epochs: number;
  /** What the score is. */
  readonly metric: Metric;
  /** Threads of the engine. */
  readonly threads: number;
  /** Hash of the manifest of the recordings; empty where a function is searched. */
  readonly manifest: string;
  /** Share of the recordings used. */
  readonly fraction: number;
  /** Seconds after which the job fails. */
  readonly timeLimitSec: number;
  /** Version of serlab. */
  readonly version: string;
  /** SHA-256 of deno.lock: a worker with another one is refused. */
  readonly lock: string | null;
}

/** How a job ended; JSON. */
export type TrialOutcome =
  | {
    /** It was trained and scored. */
    readonly status: "done";
    /** The score on the validation rows, in [0, 1]. */
    readonly score: number;
    /** Predictions of the scored rows as CSV: `key,parent,copy,speaker,fold,truth,prediction` (`fold`: the inner one). */
    readonly predictions: string;
    /** At most a hundred entries, the last epoch among them, of the first inner training. */
    readonly history: readonly HistoryEntry[];
    /** Seconds that the job took where it ran, data preparation not counted. */
    readonly seconds: number;
    /** Seconds of those spent in training itself. */
    readonly trainSeconds: number;
    /** Peak resident memory of the worker so far, MiB. */
    readonly peakMemoryMb: number;
    /** Who did it: a worker's name. */
    readonly worker?: string;
    /** Backend and version that computed, such as `native, tensorflow 2.19.1`. */
    readonly engine?: string;
  }
  | {
    /** It could not be trained. */
    readonly status: "failed";
    /** Why, in one sentence without a full stop. */
    readonly reason: string;
    /** Seconds until then. */
    readonly seconds: number;
    /** Who tried. */
    readonly worker?: string;
  };

/** One budget that a trial was given, and what came of it. */
export interface Rung {
  /** Epochs. */
  readonly epochs: number;
  /** Score on the validation rows; null when the training failed. */
  readonly score: number | null;
  /** Seconds. */
  readonly seconds: number;
}

/** A trial as it stands in `trials/<hash>.json`. */
export interface TrialRecord {
  /** Magic string. */
  readonly format: "serlab-trial";
  /** Version of the format. */
  readonly version: 1;
  /** Hash that names it. */
  readonly hash: string;
  /** Where it stands. */
  readonly status: TrialStatus;
  /** `baseline`: the study's own configuration, run beside the search and never chosen. */
  readonly role: "candidate" | "baseline";
  /** Number of the suggestion within its fold, from 0; of the baseline −1. */
  readonly number: number;
  /** Study. */
  readonly study: string;
  /** Variant that the configuration changes. */
  readonly variant: string;
  /** Protocol. */
  readonly protocol: string;
  /** Outer fold, from 0: each has a search of its own. */
  readonly fold: number;
  /** The configuration. */
  readonly config: Configuration;
  /** Score at the largest budget so far; null before the first one and when it failed. */
  readonly score: number | null;
  /** What the score is. */
  readonly metric: Metric;
  /** Seed of the training. */
  readonly seed: number;
  /** Threads of the engine. */
  readonly threads: number;
  /** Epochs of the largest budget so far; 0 before the first one. */
  readonly epochs: number;
  /** Every budget it was given. */
  readonly rungs: readonly Rung[];
  /** Seconds of all its jobs. */
  readonly seconds: number;
  /** Why it was pruned or failed; null otherwise. */
  readonly reason: string | null;
  /** At most a hundred epochs of the largest budget. */
  readonly history: readonly HistoryEntry[];
  /** File of the validation predictions, beside the record; null when there are none. */
  readonly predictions: string | null;
  /** Who ran its last job. */
  readonly worker: string | null;
  /** What computed its last job. */
  readonly engine: string | null;
  /** Peak memory of the worker of its last job, MiB. */
  readonly peakMemoryMb: number | null;
}

/** What an executor tells while it runs jobs. */
export interface ExecutorHooks {
  /** A job was taken by a worker; may come again when it is tried again. */
  readonly onStart: (job: TrialJob, worker: string) => void;
  /** A job ended; comes exactly once for every job. */
  readonly onOutcome: (job: TrialJob, outcome: TrialOutcome) => void;
  /** Ends the work: running jobs are given up and have no outcome. */
  readonly signal?: AbortSignal | undefined;
}

/** Something that runs jobs: local processes, or a queue that many machines take from. */
export interface Executor {
  /** How many jobs run at the same time, as far as is known; for the estimate of the time left. */
  readonly workers: number;
  /**
   * Runs jobs, in any order; resolves when every one has had its outcome.
   *
   * A job whose worker dies is tried once more, then it fails. Rejects with the signal's reason when it is aborted.
   */
  run(jobs: readonly TrialJob[], hooks: ExecutorHooks): Promise<void>;
  /** Ends its workers and connections. */
  close(): Promise<void>;
}
