/**
 * `sweep`: hyper-parameter search, its state, and the one look at the sealed test rows.
 *
 * @module
 */

import { existsSync } from "node:fs";
import process from "node:process";
import { findSearch } from "../../experiments/searches.ts";
import { UsageError } from "../errors.ts";
import { ensureWritable } from "../io.ts";
import type { Search } from "../search/declare.ts";
import { localExecutor } from "../search/local.ts";
import { openLoggers, trialLog } from "../search/logging/mod.ts";
import { methodName } from "../search/methods.ts";
import { optimism } from "../search/optimism.ts";
import { checkSpace, configurationText, gridOf, restrict } from "../search/space.ts";
import { chosenTrial, findSweeps, readTrials, type Sweep, sweepFolder } from "../search/store.ts";
import {
  checkpointFolder,
  configurationsLookedAt,
  hasEnded,
  runSweep,
  sweepStatus,
  unsealedText,
  unsealSweep,
} from "../search/sweep.ts";
import type { Executor, Value } from "../search/types.ts";
import type { ProtocolName } from "../study/declare.ts";
import { featuresOf, prepare, type Prepared } from "../study/run.ts";
import { childArgs } from "./child.ts";
import { interruptSignal } from "./study.ts";
import { progressBar } from "./progress.ts";
import type { WorkerSettings } from "./sweep_worker.ts";
import { sweepTable } from "./sweep_table.ts";

/** Options of the command. */
export interface SweepCommandOptions {
  /** Method; default halving. */
  readonly method: string;
  /** Protocol; default clean. */
  readonly protocol: string;
  /** Configurations in every outer fold. */
  readonly trials?: number;
  /** Most epochs of a trial. */
  readonly epochs?: number;
  /** Local worker processes. */
  readonly workers: number;
  /** Threads of each trial. */
  readonly threads: number;
  /** Folder with the corpora. */
  readonly corpora: string;
  /** Share of the recordings. */
  readonly fraction?: number;
  /** Folder of the results. */
  readonly out: string;
  /** Seed of the split and of what is drawn. */
  readonly seed: number;
  /** Seconds that a trial may take. */
  readonly timeLimit: number;
  /** A queue instead of local workers. */
  readonly redis?: string;
  /** Values to choose from instead of a parameter's own: `rate=0.001,0.005`. */
  readonly set?: readonly string[];
  /** Weight file for a variant that starts from one. */
  readonly weights?: string;
  /** Go on when recordings are missing. */
  readonly allowIncomplete?: boolean;
  /** Start anew. */
  readonly fresh?: boolean;
  /** Look at the test rows, once. */
  readonly unseal?: boolean;
  /** One JSON object. */
  readonly json?: boolean;
  /** Keep features on disk. */
  readonly cache?: boolean;
  /** Address of an MLflow server that trials are logged to. */
  readonly mlflow?: string;
  /** Folder that trials are logged to as TensorBoard's event files. */
  readonly tensorboard?: string;
}

/** `rate=0.001,0.005` as values by name. */
function parseSet(list: readonly string[]): Record<string, Value[]> {
  return Object.fromEntries(list.map((each) => {
    const at = each.indexOf("=");
    if (at < 1) throw new UsageError(`--set takes NAME=VALUE,VALUE…, not ${each}.`);
    const values = each.slice(at + 1).split(",").filter((text) => text !== "").map((text): Value =>
      text === "true" ? true : text === "false" ? false : Number.isNaN(Number(text)) ? text : Number(text)
    );
    return [each.slice(0, at), values];
  }));
}

/** What Deno is given to start a worker. */
export function workerArgs(settings: WorkerSettings): string[] {
  return childArgs("sweep_worker.ts", JSON.stringify(settings));
}

/** Local workers, or a queue. */
async function executorOf(
  options: SweepCommandOptions,
  settings: WorkerSettings,
  onNotice: (line: string) => void,
  engine: string | undefined,
): Promise<Executor> {
  if (options.redis === undefined) {
    return localExecutor({
      workers: options.workers,
      threads: options.threads,
      args: workerArgs(settings),
      cwd: Deno.cwd(),
      onNotice,
    });
  }
  const { queueExecutor } = await import("../search/queue/executor.ts");
  return await queueExecutor(options.redis, { onNotice, engine });
}

async function dataOf(search: Search, options: SweepCommandOptions, line: (text: string) => void) {
  if (search.kind === "function") return null;
  const bar = progressBar(`sweep ${search.id}`);
  try {
    const { fraction, allowIncomplete, cache = true } = options;
    const prepared = await prepare(search.study, {
      dir: options.corpora,
      fraction,
      allowIncomplete,
      cache,
      onProgress: (done, total) => bar.update(done, total, "files found and hashed"),
    });
    if (cache && options.redis === undefined) {
      // Once here, so that the workers find them on disk.
      await featuresOf(prepared, {
        variant: search.variant,
        protocol: options.protocol as ProtocolName,
        seed: options.seed,
        onFeatures: (done, total) => bar.update(done, total, "features"),
        onNotice: line,
      });
      prepared.memory.clear();
    }
    return prepared;
  } finally {
    bar.end();
  }
}

/** Runs a sweep to its end, or unseals it. */
export async function sweepCommand(id: string, options: SweepCommandOptions): Promise<void> {
  const search = findSearch(id), method = methodName(options.method);
  // A function has no folds to draw.
  const protocol = search.kind === "function" ? "function" : options.protocol;
  const space = options.set === undefined ? search.space : restrict(search.space, parseSet(options.set));
  // Before the recordings are read, which takes a while.
  checkSpace(space);
  if (method === "grid") gridOf(space);
  ensureWritable(options.out);
  const lines = new Set<string>();
  const table = sweepTable();
  const line = (text: string): void => {
    if (!lines.has(text)) table.line(text);
    lines.add(text);
  };
  const { mlflow, tensorboard } = options;
  const logger = openLoggers({ mlflow, tensorboard, onNotice: line });
  const signal = interruptSignal();
  const { allowIncomplete, cache = true, corpora, weights } = options;
  const settings: WorkerSettings = {
    corpora,
    results: [options.out],
    weights,
    allowIncomplete,
    cache,
    checkpoints: checkpointFolder(options.out, `${id}-${method}-${protocol}`),
  };
  // A sweep goes on with the engine that it was begun with.
  const begun = options.fresh ? [] : readTrials(sweepFolder(options.out, id, method, protocol));
  const engine = begun.find((trial) => trial.engine !== null)?.engine ?? undefined;
  // Before the recordings are looked at: a queue that is not there is said at once.
  const executor = await executorOf(options, settings, line, engine);
  try {
    const prepared: Prepared | null = await dataOf(search, options, line);
    const request = { search, method, protocol, out: options.out, prepared };
    if (options.unseal) {
      const unsealed = await unsealSweep(request, { executor, signal });
      console.log(options.json ? JSON.stringify(unsealed) : unsealedText(unsealed));
      return;
    }
    const log = trialLog(logger, `${id}-${method}-${protocol}`);
    const sweep = await runSweep({
      ...request,
      space,
      trials: options.trials,
      epochs: options.epochs,
      seed: options.seed,
      threads: options.threads,
      timeLimitSec: options.timeLimit,
    }, {
      executor,
      signal,
      fresh: options.fresh,
      onProgress: (progress) => {
        table.update(progress);
        log.saw(progress.trial);
      },
    });
    log.end(sweep.trials);
    table.end();
    if (options.json) console.log(JSON.stringify(summaryOf(sweep)));
    else for (const text of summaryText(sweep)) console.log(text);
    if (!hasEnded(sweep)) process.exitCode = 1;
  } catch (error) {
    if (!signal.aborted) throw error;
    table.line("interrupted; finished trials are kept, the same command goes on from here");
    process.exitCode = 130;
  } finally {
    table.end();
    await executor.close();
    await logger.close();
  }
}

/** A sweep for programs. */
export function summaryOf(sweep: Sweep): Record<string, unknown> {
  const { definition, unsealed } = sweep;
  const bias = optimism(sweep);
  const counts = { waiting: 0, running: 0, done: 0, pruned: 0, failed: 0 };
  for (const { status, role } of sweep.trials) if (role === "candidate") counts[status]++;
  return {
    sweep: definition.name,
    study: definition.study,
    method: definition.method,
    protocol: definition.protocol,
    metric: definition.metric,
    trials: counts,
    configurations: configurationsLookedAt(sweep),
    ended: hasEnded(sweep),
    folds: sweepStatus(sweep).map(({ name, best, config }, fold) => ({
      name,
      hash: chosenTrial(sweep, fold)?.hash ?? null,
      score: best,
      config,
      corrected: bias?.folds[fold]?.corrected ?? null,
    })),
    optimism: bias === null ? null : {
      maximum: bias.maximum,
      corrected: bias.corrected,
      optimism: bias.optimism,
    },
    unsealed: unsealed === null
      ? null
      : { status: unsealed.status, accuracy: unsealed.chosen?.accuracy ?? null, text: unsealedText(unsealed) },
  };
}

/** A sweep for people. */
function summaryText(sweep: Sweep): string[] {
  const { definition, trials } = sweep;
  const bias = optimism(sweep);
  const share = (value: number): string => `${(100 * value).toFixed(2)} %`;
  const lines = sweepStatus(sweep).map(({ name, best, config, counts }, fold) => {
    const own = bias?.folds[fold];
    return best === null
      ? `${name}: ${
        counts.waiting + counts.running > 0 ? "no trial has had all its epochs yet" : "nothing could be trained"
      }`
      : `${name}: best ${definition.metric} ${share(best)}${
        own ? `, worth ${share(own.corrected)} on others (${own.configurations} tried, ${own.units} ${own.unit}s)` : ""
      }: ${configurationText(config!)}`;
  });
  if (bias !== null && definition.folds.length > 1) {
    lines.push(
      `mean of the best ${share(bias.maximum)}, worth ${share(bias.corrected)}: ${
        (100 * bias.optimism).toFixed(1)
      } points of optimism`,
    );
  }
  const failed = trials.filter(({ status }) => status === "failed");
  for (const { config, reason } of failed.slice(0, 5)) lines.push(`failed: ${configurationText(config)}: ${reason}`);
  if (failed.length > 5) lines.push(`… and ${failed.length - 5} more that failed`);
  if (definition.manifest === "") return lines;
  lines.push(
    sweep.unsealed === null
      ? "the test rows are sealed; --unseal looks at them, once"
      : `unsealed: ${unsealedText(sweep.unsealed)}`,
  );
  return lines;
}

/** Says where the sweeps of a folder of results stand. */
export function sweepStatusCommand({ out, json }: { readonly out: string; readonly json?: boolean }): void {
  if (!existsSync(out)) throw new UsageError(`${out}: no such folder.`);
  const sweeps = findSweeps(out);
  if (json) {
    for (const sweep of sweeps) console.log(JSON.stringify(summaryOf(sweep)));
    return;
  }
  if (sweeps.length === 0) console.log(`${out}: there are no sweeps yet`);
  for (const sweep of sweeps) {
    const counts = new Map<string, number>();
    for (const { status, role } of sweep.trials) {
      if (role === "candidate") counts.set(status, (counts.get(status) ?? 0) + 1);
    }
    const states = [...counts].map(([status, count]) => `${count} ${status}`).join(", ");
    console.log(`${sweep.definition.name}: ${states || "nothing begun"}`);
    for (const text of summaryText(sweep)) console.log(`  ${text}`);
  }
}
