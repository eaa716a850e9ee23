/**
 * What a sweep costs beside its trainings, and what a second worker gains: `deno run -A tests/bench/search_workers.ts`.
 *
 * - overhead: trials that train nothing, from the first one's end to the last one's, records and messages included;
 *   and, between trials that train, the time from a worker's outcome to its next job;
 * - workers: the same trials of equal work, single-threaded, on one worker and on two, in turn, several rounds;
 * - memory: the coordinator's heap after a tenth and after all of many trials (with `--v8-flags=--expose-gc`).
 *
 * Options: `--trials N --rounds N --epochs N`. Writes results/bench/search-workers.json.
 *
 * @module
 */

import { mkdtempSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { demo } from "../../experiments/demo.ts";
import { findSearch } from "../../experiments/searches.ts";
import { workerArgs } from "../../lib/commands/sweep.ts";
import { synthesize } from "../../lib/corpora/synthetic.ts";
import { writeFileAtomic } from "../../lib/io.ts";
import { prettyJson } from "../../lib/results/record.ts";
import { localExecutor } from "../../lib/search/local.ts";
import { restrict } from "../../lib/search/space.ts";
import { runSweep } from "../../lib/search/sweep.ts";
import type { Executor } from "../../lib/search/types.ts";
import { prepare } from "../../lib/study/run.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const folder = (): string => mkdtempSync(join(tmpdir(), "serlab-bench-"));
const option = (name: string, otherwise: number): number => {
  const at = Deno.args.indexOf(`--${name}`);
  return at < 0 ? otherwise : Number(Deno.args[at + 1]);
};

/** MB of the heap that are in use, garbage not counted where it can be collected. */
function heapMb(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return Math.round(Deno.memoryUsage().heapUsed / 1e5) / 10;
}

/** Trials that train nothing. */
async function overhead(trials: number) {
  const executor = localExecutor({ workers: 1, threads: 1, args: workerArgs({ corpora: "" }) });
  const ends: number[] = [];
  let early = 0;
  const sweep = await runSweep({
    search: findSearch("trivial"),
    method: "random",
    protocol: "function",
    out: folder(),
    prepared: null,
    trials,
  }, {
    executor,
    onProgress: ({ trial }) => {
      if (trial.status !== "done") return;
      ends.push(performance.now());
      if (ends.length === Math.ceil(trials / 10)) early = heapMb();
    },
  });
  await executor.close();
  const done = sweep.trials.filter(({ status }) => status === "done").length;
  const msPerTrial = (ends.at(-1)! - ends[0]!) / (trials - 1);
  return { trials, done, msPerTrial, heapMbAtATenth: early, heapMbAtTheEnd: heapMb() };
}

/** The same trainings on some workers, from the first begin to the last end, when all workers are warm. */
async function training(workers: number, corpora: string, epochs: number) {
  const search = findSearch("demo"), prepared = await prepare(demo, { dir: corpora });
  const rates = Array.from({ length: 8 }, (_, i) => Number((0.0005 + i * 0.0001).toFixed(4)));
  const executor = localExecutor({ workers, threads: 1, args: workerArgs({ corpora, cache: false }) });
  const request = { search, method: "grid", protocol: "clean", prepared } as const;
  // Every worker loads its engine and the features before the clock runs.
  await runSweep({
    ...request,
    out: folder(),
    epochs: 1,
    space: restrict(search.space, { rate: rates.slice(0, 4), dropout: [0], batchSize: [32] }),
  }, { executor });
  let busy = 0;
  const gaps: number[] = [];
  const freed = new Map<string, number>();
  const counting: Executor = {
    ...executor,
    run: (jobs, hooks) =>
      executor.run(jobs, {
        ...hooks,
        onStart: (job, worker) => {
          const since = freed.get(worker);
          if (since !== undefined) gaps.push(performance.now() - since);
          hooks.onStart(job, worker);
        },
        onOutcome: (job, outcome) => {
          freed.set(outcome.worker!, performance.now());
          busy += outcome.seconds;
          hooks.onOutcome(job, outcome);
        },
      }),
  };
  const started = performance.now();
  const sweep = await runSweep({
    ...request,
    out: folder(),
    epochs,
    space: restrict(search.space, { rate: rates, dropout: [0], batchSize: [32] }),
  }, { executor: counting });
  const seconds = (performance.now() - started) / 1000;
  await executor.close();
  return { seconds, busy, trials: sweep.trials.length, gapMs: gaps.reduce((a, b) => a + b, 0) / gaps.length };
}

const many = option("trials", 2000), rounds = option("rounds", 3), epochs = option("epochs", 12);
const cost = await overhead(many);
console.log(`overhead: ${cost.msPerTrial.toFixed(1)} ms a trial, ${cost.done} of ${many} done`);
console.log(`coordinator's heap: ${cost.heapMbAtATenth} MB after a tenth, ${cost.heapMbAtTheEnd} MB at the end`);
const corpora = (await synthesize({ dir: folder(), speakers: 6, sentences: 2, seed: 1 })).dir;
const one: number[] = [], two: number[] = [], gaps: number[] = [];
let trials = 0;
for (let round = 0; round < rounds; round++) {
  for (const workers of [1, 2]) {
    const run = await training(workers, corpora, epochs);
    (workers === 1 ? one : two).push(run.seconds);
    gaps.push(run.gapMs);
    trials = run.trials;
    console.log(
      `${workers} worker(s): ${run.seconds.toFixed(1)} s, trainings ${run.busy.toFixed(1)} s, ` +
        `${run.gapMs.toFixed(1)} ms between two`,
    );
  }
}
const median = (values: number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const ratio = median(one) / median(two);
console.log(`2 workers: ${ratio.toFixed(2)} times one`);
writeFileAtomic(
  join(root, "results", "bench", "search-workers.json"),
  `${
    prettyJson({
      cpu: cpus()[0]?.model.trim() ?? "unknown",
      cores: availableParallelism(),
      overhead: { ...cost, target: 50 },
      workers: { trials, epochs, one, two, ratio, gapMs: median(gaps), target: 1.7 },
    })
  }\n`,
);
