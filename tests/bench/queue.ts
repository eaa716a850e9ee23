/**
 * What a trial costs on the queue, and 10,000 trivial ones: none lost or double, and no growth of the coordinator.
 *
 *     deno run -A tests/bench/queue.ts [--trials 10000] [--out results/bench/queue.json]
 *
 * - `overheadMs`: median time of one trial from sending to outcome, the next one sent when it has come; the trial itself
 *   computes nothing. Once in the worker's own process (the queue alone), once through the `worker` command with its
 *   trials in processes of their own.
 * - `throughput`: all trials at once, with the coordinator's memory after each tenth.
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { trivialSearch } from "../../lib/search/toy.ts";
import { queueExecutor } from "../../lib/search/queue/executor.ts";
import { makeJob } from "../../lib/search/trial.ts";
import type { Executor, TrialJob } from "../../lib/search/types.ts";
import { root } from "../commands/run_cli.ts";
import { IDENTITY } from "../search/queue_child.ts";
import { startRedis } from "../search/redis_server.ts";

const { values } = parseArgs({
  options: {
    trials: { type: "string", default: "10000" },
    out: { type: "string" },
    single: { type: "string", default: "200" },
  },
});

/** Jobs of a search whose trials compute nothing. */
function trivialJobs(count: number, sweep: string, from = 0): TrialJob[] {
  return Array.from({ length: count }, (_, i) =>
    makeJob({
      sweep,
      rows: "validation",
      study: trivialSearch.id,
      variant: "function",
      protocol: "function",
      fold: 0,
      innerFolds: 1,
      config: { number: from + i },
      dataSeed: 0,
      epochs: 1,
      metric: "accuracy",
      threads: 1,
      manifest: "",
      fraction: 1,
      timeLimitSec: 60,
    }));
}

const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1]!;
const round = (value: number): number => Number(value.toPrecision(3));

/** Waits for work that a worker does; a worker that ends by itself would be waited for without end. */
async function whileAlive<T>(worker: Deno.ChildProcess, work: Promise<T>): Promise<T> {
  const died = worker.status.then(({ code }): never => {
    throw new Error(`the worker ended by itself with code ${code}`);
  });
  return await Promise.race([work, died]);
}

/** One job after the other; times of each, ms, without the first ones. */
async function oneByOne(executor: Executor, jobs: readonly TrialJob[]): Promise<number[]> {
  const times: number[] = [];
  for (const job of jobs) {
    const began = performance.now();
    await executor.run([job], { onStart: () => {}, onOutcome: () => {} });
    times.push(performance.now() - began);
  }
  return times.slice(20);
}

function start(args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", ...args],
    cwd: root,
    stdin: "null",
    stdout: "null",
    stderr: Deno.env.get("SERLAB_TEST_SHOW") ? "inherit" : "null",
  }).spawn();
}

async function end(child: Deno.ChildProcess): Promise<void> {
  child.kill("SIGTERM");
  await child.status;
}

/** Resident and heap memory after a collection, where there is one to ask for (`--v8-flags=--expose-gc`). */
function memory(): { readonly rss: number; readonly heap: number } {
  (globalThis as { gc?: () => void }).gc?.();
  const { rss, heapUsed } = process.memoryUsage();
  return { rss: Math.round(rss / 2 ** 20), heap: Math.round(heapUsed / 2 ** 20 * 10) / 10 };
}

if (import.meta.main) {
  const redis = await startRedis();
  try {
    const single = Number(values.single), trials = Number(values.trials);
    const own = start(["tests/search/queue_child.ts", "worker", redis.url, "0"]);
    const executor = await queueExecutor(redis.url, { code: IDENTITY.code });
    const asIdentity = (job: TrialJob): TrialJob => ({ ...job, version: IDENTITY.version, lock: IDENTITY.lock });
    const hill = { rate: 0.003, units: 64, regularised: false };
    const direct = await whileAlive(
      own,
      oneByOne(executor, trivialJobs(single, "direct").map((job) => ({ ...asIdentity(job), config: hill }))),
    );

    const jobs = trivialJobs(trials, "many").map((job) => ({ ...asIdentity(job), config: hill }));
    const seen = new Set<string>(), samples: { ended: number; rss: number; heap: number }[] = [];
    let double = 0;
    const began = performance.now();
    const before = memory();
    await whileAlive(
      own,
      executor.run(jobs, {
        onStart: () => {},
        onOutcome: ({ id }) => {
          if (seen.has(id)) double++;
          seen.add(id);
          if (seen.size % Math.ceil(trials / 10) === 0) samples.push({ ended: seen.size, ...memory() });
        },
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    await executor.close();
    await end(own);

    const worker = start(["lib/cli.ts", "worker", "--redis", redis.url, "--workers", "1"]);
    const real = await queueExecutor(redis.url);
    const throughWorker = await whileAlive(worker, oneByOne(real, trivialJobs(single, "worker")));
    await real.close();
    await end(worker);

    const result = {
      cpu: cpus()[0]?.model.trim() ?? "unknown",
      deno: Deno.version.deno,
      overheadMs: { queueAlone: round(median(direct)), worker: round(median(throughWorker)), bound: 100 },
      throughput: {
        trials,
        lost: trials - seen.size,
        double,
        seconds: round(seconds),
        msPerTrial: round(1000 * seconds / trials),
        memoryMb: { before, samples },
      },
    };
    const text = JSON.stringify(result, null, 1);
    console.log(text);
    if (values.out !== undefined) writeFileSync(join(root, values.out), `${text}\n`);
  } finally {
    await redis.stop();
  }
  Deno.exit(0);
}
