/**
 * The command line in a process of its own, as a user runs it.
 *
 * @module
 */

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** Root of the checkout. */
export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** What a finished command left. */
export interface Finished {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Options of {@linkcode serlab}. */
export interface CliOptions {
  /** Environment on top of this process's. */
  readonly env?: Record<string, string>;
  /** Permissions instead of all. */
  readonly permissions?: readonly string[];
}

/** Starts `serlab <args>`. */
export function start(args: readonly string[], options: CliOptions = {}): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...(options.permissions ?? ["-A"]), "lib/cli.ts", ...args],
    cwd: root,
    env: { NO_COLOR: "1", ...options.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs `serlab <args>` to its end. */
export async function serlab(args: readonly string[], options: CliOptions = {}): Promise<Finished> {
  const child = start(args, options);
  const [{ code }, out, err] = await Promise.all([
    child.status,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code, out, err };
}

/** Whether a text shows a stack trace. */
export function hasStack(text: string): boolean {
  return /^\s+at .*\(?(file|ext|node):/m.test(text) || /Uncaught/.test(text);
}
