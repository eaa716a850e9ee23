/**
 * What a logger of runs is. The sweep and `study` tell it what happens; where that goes is its own affair, and nothing
 * that goes wrong there may disturb a run.
 *
 * @module
 */

/** A setting as loggers take it; lists and objects are written as JSON. */
export type LoggedValue = string | number | boolean | null | object;

/** What is known of a run when it begins. */
export interface RunStart {
  /** What the run belongs to: a study or a sweep, such as `001-random-clean`. */
  readonly experiment: string;
  /** Name of the run within it, such as a trial's hash; `/` makes folders where a logger has them. */
  readonly name: string;
  /** Its settings. */
  readonly params: Readonly<Record<string, LoggedValue>>;
  /** Words about it: commit, backend, protocol. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

/** How a run ended. */
export type RunEnd = "done" | "pruned" | "failed";

/** A run that is being logged. None of its functions throws or waits. */
export interface LoggedRun {
  /**
   * Writes values of a step.
   *
   * @param step Number of the step: an epoch from 1, or 0 for what belongs to none.
   * @param values Value of each metric; those that are not finite are written as such where the logger can.
   */
  metrics(step: number, values: Readonly<Record<string, number>>): void;
  /** Keeps a text with the run, where the logger has a place for files. */
  artifact(name: string, content: string): void;
  /** Ends the run. */
  end(status: RunEnd, reason?: string): void;
}

/** Somewhere that runs are logged to. */
export interface RunLogger {
  /** Begins a run. Does not throw or wait. */
  start(run: RunStart): LoggedRun;
  /** Resolves when everything is written, or given up. Does not throw. */
  close(): Promise<void>;
}

/** What every logger is told. */
export interface LoggerOptions {
  /** Receives the one line that a logger says when it fails. */
  readonly onNotice: (line: string) => void;
  /** The time, ms since 1970; default the clock. Logs are no results: times may stand in them. */
  readonly now?: (() => number) | undefined;
}

/** A setting as text: text as it is, everything else as JSON. */
export function valueText(value: LoggedValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
