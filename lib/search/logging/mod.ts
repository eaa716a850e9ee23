/**
 * Logging of runs, to MLflow and to TensorBoard, both optional.
 *
 * @module
 */

import { mlflowLogger } from "./mlflow.ts";
import { tensorboardLogger } from "./tensorboard.ts";
import type { LoggedRun, LoggerOptions, RunLogger } from "./types.ts";

export type { LoggedRun, LoggedValue, LoggerOptions, RunEnd, RunLogger, RunStart } from "./types.ts";
export { mlflowLogger, type MlflowOptions } from "./mlflow.ts";
export { type TrialLog, trialLog } from "./sweep.ts";
export { tensorboardLogger } from "./tensorboard.ts";

/** Where runs are logged to. */
export interface LoggingOptions extends LoggerOptions {
  /** Address of an MLflow server, such as `http://127.0.0.1:5000`. */
  readonly mlflow?: string | undefined;
  /** Folder for TensorBoard's event files. */
  readonly tensorboard?: string | undefined;
}

/** Tells several loggers the same. */
function together(loggers: readonly RunLogger[]): RunLogger {
  return {
    start(run): LoggedRun {
      const runs = loggers.map((logger) => logger.start(run));
      return {
        metrics: (step, values) => runs.forEach((each) => each.metrics(step, values)),
        artifact: (name, content) => runs.forEach((each) => each.artifact(name, content)),
        end: (status, reason) => runs.forEach((each) => each.end(status, reason)),
      };
    },
    close: async () => void await Promise.all(loggers.map((logger) => logger.close())),
  };
}

/**
 * The loggers asked for, as one; one that does nothing when none is asked for.
 *
 * @throws {UsageError} when the address of the server is none.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const logger = openLoggers({ onNotice: assert.fail });
 * const run = logger.start({ experiment: "example", name: "a", params: { rate: 0.1 } });
 * run.metrics(1, { loss: 0.5 });
 * run.end("done");
 * await logger.close();
 * ```
 */
export function openLoggers(options: LoggingOptions): RunLogger {
  const { mlflow, tensorboard, ...common } = options;
  return together([
    ...(mlflow === undefined ? [] : [mlflowLogger(mlflow, common)]),
    ...(tensorboard === undefined ? [] : [tensorboardLogger(tensorboard, common)]),
  ]);
}
