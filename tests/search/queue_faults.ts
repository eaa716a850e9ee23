/**
 * Kills workers, the coordinator and the server of a queue at moments drawn from a seed, and looks at what came of the
 * trials. Shared by the test (a few faults) and the bench (many).
 *
 * @module
 */

import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stream } from "../../lib/random.ts";
import { hillJobs, hillOutcome, kept } from "./queue_child.ts";
import { startRedis } from "./redis_server.ts";

/** What is killed. */
export const VICTIMS = ["worker", "coordinator", "redis"] as const;

/** What to do. */
export interface FaultOptions {
  /** Trials. */
  readonly jobs: number;
  /** Faults. */
  readonly faults: number;
  /** Seed of the moments. */
  readonly seed: number;
  /** Mean time of a trial, ms. */
  readonly ms: number;
  /** Told of each fault. */
  readonly onFault?: (line: string) => void;
}

/** What came of it. */
export interface FaultReport {
  /** Trials without an outcome. */
  readonly missing: number;
  /** Trials with more than one. */
  readonly double: number;
  /** Trials with another outcome than undisturbed. */
  readonly different: number;
  /** How often each was killed. */
  readonly killed: Readonly<Record<string, number>>;
  /** Seconds it took. */
  readonly seconds: number;
}

const child = fileURLToPath(new URL("./queue_child.ts", import.meta.url));

/** A process that is started again whenever it ends with an error, as a cluster would. */
class Kept {
  #process: Deno.ChildProcess;
  #stopped = false;
  /** Resolves when it has ended well. */
  readonly done: Promise<void>;

  constructor(readonly args: readonly string[]) {
    this.#process = this.#start();
    this.done = this.#watch();
  }

  #start(): Deno.ChildProcess {
    return new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", child, ...this.args],
      stdin: "null",
      stdout: "null",
      stderr: Deno.env.get("SERLAB_TEST_SHOW") ? "inherit" : "null",
    }).spawn();
  }

  async #watch(): Promise<void> {
    for (;;) {
      const { code } = await this.#process.status;
      if (code === 0 || this.#stopped) return;
      // It may have come up while the server was down.
      await pause(200);
      if (!this.#stopped) this.#process = this.#start();
    }
  }

  kill(): void {
    try {
      this.#process.kill("SIGKILL");
    } catch { /* it has just ended by itself */ }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.kill();
    await this.done;
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs trials through all the faults. */
export async function runFaults({ jobs, faults, seed, ms, onFault }: FaultOptions): Promise<FaultReport> {
  const began = performance.now();
  const redis = await startRedis();
  const folder = join(redis.folder, "outcomes");
  mkdirSync(folder);
  const ended = (): number => readdirSync(folder).length;
  const rng = stream(seed, "queue faults");
  // A moment is a number of trials that have ended, and some milliseconds more: so every fault finds work under way.
  const moments = Array.from(rng.permutation(Math.floor(0.9 * jobs))).slice(0, faults).sort((a, b) => a - b);
  const victims = Array.from({ length: faults }, (_, i) => VICTIMS[i % VICTIMS.length]!);
  const order = Array.from(rng.permutation(faults), (i) => victims[i]!);
  const delays = Array.from({ length: faults }, () => rng.randint(0, 3 * ms + 1));
  const workers = [1, 2].map(() => new Kept(["worker", redis.url, String(ms)]));
  const coordinator = new Kept(["coordinator", redis.url, folder, String(jobs)]);
  const killed: Record<string, number> = { worker: 0, coordinator: 0, redis: 0 };
  try {
    for (const [i, moment] of moments.entries()) {
      while (ended() < moment) await pause(5);
      await pause(delays[i]!);
      const victim = order[i]!;
      killed[victim]!++;
      onFault?.(`${((performance.now() - began) / 1000).toFixed(1)} s, ${ended()} of ${jobs} ended: kill -9 ${victim}`);
      if (victim === "redis") {
        await redis.kill();
        await pause(rng.randint(0, 1000));
        await redis.start();
      } else {
        (victim === "coordinator" ? coordinator : workers[rng.randint(0, workers.length)]!).kill();
      }
    }
    await coordinator.done;
    const files = new Set(readdirSync(folder));
    let missing = 0, different = 0;
    for (const job of hillJobs(jobs)) {
      if (!files.has(job.id)) missing++;
      else if (readFileSync(join(folder, job.id), "utf8") !== kept(await hillOutcome(job))) different++;
    }
    const double = [...files].filter((name) => name.endsWith(".again")).length;
    return { missing, double, different, killed, seconds: (performance.now() - began) / 1000 };
  } finally {
    await Promise.all([...workers, coordinator].map((process) => process.stop()));
    await redis.stop();
  }
}
