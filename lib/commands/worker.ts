/**
 * `worker`: takes trials of sweeps from a queue on Redis, on any machine.
 *
 * @module
 */

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findSearch } from "../../experiments/searches.ts";
import { EngineError, SerlabError, UsageError } from "../errors.ts";
import { codeHash, type SweepNeeds } from "../search/queue/protocol.ts";
import { processRunner } from "../search/queue/runner.ts";
import { serveTrials } from "../search/queue/worker.ts";
import { ownLock, SEARCH_VERSION } from "../search/trial.ts";
import type { TrialJob } from "../search/types.ts";
import { prepare } from "../study/run.ts";
import { childArgs } from "./child.ts";
import { workerArgs } from "./sweep.ts";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Options of the command. */
export interface WorkerCommandOptions {
  /** Address of the queue's server. */
  readonly redis: string;
  /** Folder with the corpora, or with folders named after manifests that hold them. */
  readonly corpora: string;
  /** Trials at the same time. */
  readonly workers: number;
  /** Folder of the results, for weights to start from. */
  readonly out: string;
  /** Weight file for a variant that starts from one. */
  readonly weights?: string;
  /** Folder of checkpoints; default a temporary one. */
  readonly checkpoints?: string;
  /** Seconds without a trial after which it ends. */
  readonly idle?: number;
  /** Seconds after which a trial whose worker is silent goes to another one. */
  readonly lock: number;
  /** Workers that a trial may take with it before it fails. */
  readonly losses: number;
  /** Keep features on disk. */
  readonly cache?: boolean;
}

/** What computes here, found out by a process that is gone afterwards: this one never computes. */
async function probeEngine(): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: childArgs("engine_probe.ts"),
    stdin: "null",
  }).output();
  const found = /^serlab engine (.*)$/m.exec(new TextDecoder().decode(stdout));
  if (found) return `${found[1]}, ${Deno.build.arch}`;
  const line = new TextDecoder().decode(stderr).trim().split("\n").at(-1) ?? "";
  throw new EngineError(`The engine cannot be started: ${line || "it said nothing"}`);
}

/** Ends at Ctrl-C, and when a cluster asks for its machine back. */
function endSignal(): AbortSignal {
  const abort = new AbortController();
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM"];
  const stop = (): void => {
    for (const signal of signals) Deno.removeSignalListener(signal, stop);
    abort.abort(new DOMException("interrupted", "AbortError"));
  };
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  return abort.signal;
}

/** Finds a sweep's recordings: in a folder named after their manifest, or in the corpora's own. */
class SharedFolder {
  readonly #found = new Map<string, Promise<string | null>>();

  constructor(readonly dir: string) {}

  /** Folder that was found to hold a job's recordings. */
  readonly folders = new Map<string, string>();

  /** Why the recordings are not here; null when they are. */
  check(needs: SweepNeeds): Promise<string | null> {
    const key = JSON.stringify([needs.study, needs.manifest, needs.fraction]);
    let there = this.#found.get(key);
    if (there === undefined) this.#found.set(key, there = this.#look(needs));
    return there;
  }

  async #look({ study, manifest, fraction }: SweepNeeds): Promise<string | null> {
    let search;
    try {
      search = findSearch(study);
    } catch (error) {
      if (error instanceof UsageError) return `it knows nothing of ${study}`;
      throw error;
    }
    if (search.kind === "function") return null;
    const own = [manifest, manifest.slice(0, 12)].map((name) => join(this.dir, name)).find((path) => existsSync(path));
    const dir = own ?? this.dir;
    if (!existsSync(dir)) return `${dir}: there is no such folder with the recordings of study ${study}`;
    try {
      const prepared = await prepare(search.study, { dir, fraction, allowIncomplete: true });
      if (prepared.manifest !== manifest) {
        return `the recordings of study ${study} in ${dir} are others than the sweep's (manifest ` +
          `${prepared.manifest.slice(0, 12)}, not ${manifest.slice(0, 12)})`;
      }
    } catch (error) {
      if (error instanceof SerlabError) return error.message.replace(/\.$/, "");
      throw error;
    }
    this.folders.set(manifest, dir);
    return null;
  }
}

/** Takes trials until it is interrupted, or has had none for `--idle` seconds. */
export async function workerCommand(options: WorkerCommandOptions): Promise<void> {
  const { redis, workers, out, weights, cache = true, idle, lock, losses } = options;
  for (const [name, value] of Object.entries({ idle, lock })) {
    if (value !== undefined && !(value > 0)) throw new UsageError(`--${name} takes seconds above 0, not ${value}.`);
  }
  const line = (text: string): void => console.error(text);
  const shared = new SharedFolder(options.corpora);
  const temporary = options.checkpoints === undefined ? mkdtempSync(join(tmpdir(), "serlab-worker-")) : null;
  const signal = endSignal();
  const runner = processRunner({
    slots: workers,
    args: ({ manifest, sweep }: TrialJob) =>
      workerArgs({
        corpora: shared.folders.get(manifest) ?? options.corpora,
        results: [out],
        weights,
        allowIncomplete: true,
        cache,
        checkpoints: join(options.checkpoints ?? temporary!, sweep.replaceAll(/[^\w-]/g, "_")),
      }),
    onNotice: line,
  });
  try {
    await serveTrials(redis, {
      identity: async () => {
        const engine = await probeEngine();
        line(`worker: ${workers} at the same time, ${engine}`);
        return { version: SEARCH_VERSION, lock: ownLock(), code: codeHash(ROOT), engine };
      },
      slots: workers,
      runner,
      check: (needs) => shared.check(needs),
      onNotice: line,
      onTrial: ({ sweep, id }, outcome) =>
        line(
          outcome.status === "done"
            ? `${sweep} ${id}: ${outcome.score.toFixed(4)}, ${outcome.seconds.toFixed(1)} s`
            : `${sweep} ${id}: failed, ${outcome.reason}`,
        ),
      signal,
      idleSec: idle,
      lockSec: lock,
      losses,
    });
  } finally {
    await runner.close();
    if (temporary !== null) rmSync(temporary, { recursive: true, force: true });
  }
}
