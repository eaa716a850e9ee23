/**
 * The two ends of a queue as processes that tests may kill: `worker URL` and `coordinator URL FOLDER JOBS`.
 *
 * @module
 */

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { canonicalJson } from "../../lib/io.ts";
import { queueExecutor } from "../../lib/search/queue/executor.ts";
import { serveTrials } from "../../lib/search/queue/worker.ts";
import { hillSearch } from "../../lib/search/toy.ts";
import type { TrialJob, TrialOutcome } from "../../lib/search/types.ts";

/** What the workers of these tests are. */
export const IDENTITY = { version: "1", lock: "lock", code: "code", engine: null };

/** Jobs of a search over a hill, all different, the same whoever asks. */
export function hillJobs(count: number): TrialJob[] {
  return Array.from({ length: count }, (_, i): TrialJob => {
    const config = {
      rate: 10 ** (-5 + 4 * i / count),
      units: 8 + i % 500,
      regularised: i % 2 === 1,
      dropout: i % 7 / 10,
    };
    return {
      id: `${i.toString(16).padStart(8, "0")}-1`,
      hash: i.toString(16).padStart(8, "0"),
      sweep: "hill-random-none",
      rows: "validation",
      study: "hill",
      variant: "function",
      protocol: "none",
      fold: 0,
      innerFolds: 1,
      config,
      seed: i,
      dataSeed: 0,
      epochs: 27,
      metric: "accuracy",
      threads: 1,
      manifest: "",
      fraction: 1,
      timeLimitSec: 60,
      version: IDENTITY.version,
      lock: IDENTITY.lock,
    };
  });
}

/** A job's outcome, computed here. */
export async function hillOutcome({ config, seed, epochs }: TrialJob): Promise<TrialOutcome> {
  const score = await hillSearch.evaluate(config, { seed, epochs, signal: new AbortController().signal });
  const rest = { predictions: "", history: [], seconds: 0, trainSeconds: 0, peakMemoryMb: 0 };
  return { status: "done", score, ...rest };
}

/** What a coordinator leaves of an outcome: nothing of who computed it, or when. */
export function kept(outcome: TrialOutcome): string {
  return outcome.status === "done"
    ? canonicalJson({ score: outcome.score, predictions: outcome.predictions })
    : canonicalJson({ reason: outcome.reason });
}

/** Takes trials; each takes `ms` on average, differently long ones. */
async function work(url: string, ms: number): Promise<void> {
  await serveTrials(url, {
    identity: () => Promise.resolve(IDENTITY),
    slots: 2,
    lockSec: 2,
    // Here the machine kills workers, not the trials.
    losses: 1000,
    check: () => Promise.resolve(null),
    onNotice: (line) => console.error(line),
    runner: {
      async run(job) {
        if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms * (0.5 + job.seed % 11 / 10)));
        return await hillOutcome(job);
      },
    },
  });
}

/** Takes trials one at a time, and is killed by that with the given seed. */
async function workPoisoned(url: string, seed: number): Promise<void> {
  await serveTrials(url, {
    identity: () => Promise.resolve(IDENTITY),
    slots: 1,
    lockSec: 1,
    idleSec: 3,
    check: () => Promise.resolve(null),
    onNotice: () => {},
    runner: {
      run: async (job) => {
        if (job.seed === seed) Deno.kill(Deno.pid, "SIGKILL");
        return await hillOutcome(job);
      },
    },
  });
}

/** Collects outcomes, one file each; a second outcome of a job leaves a file that says so. */
async function coordinate(url: string, folder: string, count: number): Promise<void> {
  const executor = await queueExecutor(url, {
    code: IDENTITY.code,
    askAfterSec: 2,
    onNotice: (line) => console.error(line),
  });
  const jobs = hillJobs(count).filter(({ id }) => !existsSync(join(folder, id)));
  await executor.run(jobs, {
    onStart: () => {},
    onOutcome: ({ id }, outcome) => {
      const path = join(folder, id);
      writeFileSync(existsSync(path) ? `${path}.again` : path, kept(outcome), { flag: "wx" });
    },
  });
  await executor.close();
}

if (import.meta.main) {
  const [role, url = "", ...rest] = Deno.args;
  if (role === "worker") await work(url, Number(rest[0] ?? 0));
  else if (role === "poisoned") await workPoisoned(url, Number(rest[0]));
  else await coordinate(url, rest[0]!, Number(rest[1]));
  Deno.exit(0);
}
