/**
 * The program of a local worker: takes trials from its coordinator's end of standard input.
 *
 * @module
 */

import { findSearch } from "../../experiments/searches.ts";
import { serveCoordinator } from "../search/serve.ts";
import { createTrialRunner, type TrialRunnerOptions } from "../search/trial.ts";

/** What a worker is told when it is started: JSON, its only argument. */
export type WorkerSettings = Omit<TrialRunnerOptions, "find" | "onNotice">;

if (import.meta.main) {
  const settings = JSON.parse(Deno.args[0] ?? "{}") as WorkerSettings;
  await serveCoordinator((onNotice) => createTrialRunner({ ...settings, find: findSearch, onNotice }));
  Deno.exit(0);
}
