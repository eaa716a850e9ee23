/**
 * `setup`: the engine, and the parts that notebooks and tests need. Idempotent; seconds when all is there.
 *
 * @module
 */

import process from "node:process";
import { type Part, setUpEngine } from "./engine.ts";

/** Options of the command. */
export interface SetupOptions {
  /** The engine alone. */
  readonly engine?: boolean;
  /** Say only what was done or is missing. */
  readonly quiet?: boolean;
  /** One JSON object. */
  readonly json?: boolean;
}

/** Installs what is missing and can be had; never fails because a part cannot, it says so. */
export async function setupCommand(options: SetupOptions): Promise<void> {
  const parts: Part[] = [await setUpEngine(options.quiet ?? false)];
  if (!options.engine) {
    const { ensureTool, TOOLS } = await import("../setup/tools.ts");
    for (const name of TOOLS) {
      const tool = await ensureTool(name, { install: true, log: (line) => console.error(line) });
      const detail = tool.available
        ? `${tool.version} (${tool.source})`
        : `not available, ${tool.reason}; ${tool.howToGet}`;
      if (!options.quiet || !tool.available) console.error(`${name}: ${detail}`);
      parts.push({ name, available: tool.available, detail });
    }
  }
  if (options.json) console.log(JSON.stringify(Object.fromEntries(parts.map(({ name, ...rest }) => [name, rest]))));
  process.exitCode = 0;
}
