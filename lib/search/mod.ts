/**
 * Hyper-parameter search, as notebooks and scripts use it: read a sweep, run one here, look at what mattered and at what
 * the best score is worth.
 *
 * @module
 */

export type { FunctionSearch, PublishedSearch, Search, StudySearch } from "./declare.ts";
export {
  importanceFigure,
  interactionFigure,
  parallelCoordinates,
  type ParallelOptions,
  sweepImportanceFigure,
} from "./figures.ts";
export { type Importance, importance, importanceOf, type Marginal, type ScoredConfiguration } from "./importance.ts";
export { inProcessExecutor } from "./in_process.ts";
export { localExecutor, type LocalExecutorOptions } from "./local.ts";
export { createStrategy, halvingRungs, type Strategy } from "./methods.ts";
export {
  hitCorrelation,
  type Optimism,
  optimism,
  type PublishedOptimism,
  publishedOptimism,
  selectionOptimism,
  type SweepOptimism,
} from "./optimism.ts";
export {
  choice,
  configurationText,
  drawConfiguration,
  gridOf,
  integer,
  logUniform,
  type Parameter,
  restrict,
  type Space,
  uniform,
} from "./space.ts";
export {
  chosenTrial,
  finalists,
  findSweeps,
  readSweep,
  type Sweep,
  type SweepDefinition,
  sweepFolder,
  trialRows,
  type Unsealed,
} from "./store.ts";
export {
  configurationsLookedAt,
  defineSweep,
  hasEnded,
  runSweep,
  type SweepProgress,
  type SweepRequest,
  type SweepRun,
  unsealSweep,
} from "./sweep.ts";
export { createTrialRunner, type TrialRunner, type TrialRunnerOptions } from "./trial.ts";
export type {
  Configuration,
  Executor,
  ExecutorHooks,
  MethodName,
  TrialJob,
  TrialOutcome,
  TrialRecord,
  TrialStatus,
  Value,
} from "./types.ts";
