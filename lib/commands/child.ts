/**
 * How a command starts a process of its own that computes.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));

/**
 * What Deno is given to run a module beside this one, with the rights that computing needs: no network, no programs.
 *
 * @param file Name of the module.
 * @param args Its arguments.
 */
export function childArgs(file: string, ...args: string[]): string[] {
  const rights = ["read", "write", "env", "sys", "ffi"].map((right) => `--allow-${right}`);
  const config = join(HERE, "..", "..", "deno.json");
  return ["run", "--quiet", "--no-prompt", "--config", config, ...rights, join(HERE, file), ...args];
}
