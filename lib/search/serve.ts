/**
 * The worker's side of a local sweep: takes jobs from standard input, one after the other, until that ends.
 *
 * @module
 */

import process from "node:process";
import { type CoordinatorMessage, linesOf, type WorkerMessage } from "./messages.ts";
import { isRefusal, type TrialRunner } from "./trial.ts";

/** Writes a message; synchronously, so that none is lost when the process ends. */
function say(message: WorkerMessage): void {
  const bytes = new TextEncoder().encode(`${JSON.stringify(message)}\n`);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

/**
 * Serves a coordinator until it closes its end, which it does by dying, too.
 *
 * @param make Makes the runner; what it has to tell goes to the function it is given.
 */
export async function serveCoordinator(make: (onNotice: (line: string) => void) => TrialRunner): Promise<void> {
  // Standard output belongs to the messages.
  console.log = console.error;
  console.info = console.error;
  watchParent();
  const runner = make((line) => say({ serlab: "notice", line }));
  const jobs: CoordinatorMessage[] = [];
  let wake = (): void => {};
  let ended = false, working = false;
  (async () => {
    for await (const line of linesOf(Deno.stdin.readable)) {
      jobs.push(JSON.parse(line) as CoordinatorMessage);
      wake();
    }
    // Nobody would hear of the job in work.
    if (jobs.length > 0 || working) process.exit(0);
    ended = true;
    wake();
  })();
  say({ serlab: "ready" });
  for (;;) {
    const next = jobs.shift();
    if (next === undefined) {
      if (ended) return;
      await new Promise<void>((resolve) => wake = resolve);
      continue;
    }
    const { job } = next;
    working = true;
    try {
      const outcome = await runner.run(job, { onBegin: () => say({ serlab: "begun", id: job.id }) });
      say({ serlab: "outcome", id: job.id, outcome });
    } catch (error) {
      if (!isRefusal(error)) throw error;
      say({ serlab: "refused", id: job.id, message: error.message });
    }
    working = false;
  }
}

/** The C library's `_exit` ends a process whose main thread no longer listens. */
const LIBC: Readonly<Record<string, string>> = { linux: "libc.so.6", darwin: "libSystem.dylib" };

/**
 * Ends this process when its parent is gone: a training that hangs would not see the end of its input. A thread of its
 * own looks; where it cannot be had, the end of the input has to do.
 */
function watchParent(): void {
  const library = LIBC[Deno.build.os];
  if (library === undefined) return;
  const source = `
    const parent = ${Deno.ppid};
    const { symbols } = Deno.dlopen("${library}", { _exit: { parameters: ["i32"], result: "void" } });
    setInterval(() => { if (Deno.ppid !== parent) symbols._exit(0); }, 500);
  `;
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const watcher = new Worker(url, { type: "module" });
  watcher.onerror = (event) => event.preventDefault();
  // The thread alone must not keep the process.
  (watcher as unknown as { unref?: () => void }).unref?.();
}
