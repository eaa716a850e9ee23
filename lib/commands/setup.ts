/**
 * `setup`: the engine, and the parts that notebooks and tests need. Idempotent; seconds when all is there.
 *
 * @module
 */

import process from "node:process";
import { installNative } from "../engine/native.ts";
import { HOW_TO_GET_NATIVE } from "../engine/tf.ts";
import { EngineError } from "../errors.ts";
import { ensureTool, TOOLS } from "../setup/tools.ts";

/** Options of the command. */
export interface SetupOptions {
  /** The engine alone. */
  readonly engine?: boolean;
  /** Say only what was done or is missing. */
  readonly quiet?: boolean;
  /** One JSON object. */
  readonly json?: boolean;
}

/** One part that setup looked after. */
interface Part {
  readonly name: string;
  readonly available: boolean;
  readonly detail: string;
}

/** Makes sure that native TensorFlow is there, or says in one line why wasm will compute. */
export async function setUpEngine(quiet: boolean): Promise<Part> {
  const log = (line: string): void => console.error(line);
  try {
    const { detail } = await installNative(log);
    if (!quiet) console.error(`engine: native, ${detail}`);
    return { name: "engine", available: true, detail };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const reason = error.message.replace(/\.$/, "");
    console.error(`engine: wasm, because native TensorFlow could not be had (${reason}); ${HOW_TO_GET_NATIVE}`);
    return { name: "engine", available: false, detail: reason };
  }
}

/** Installs what is missing and can be had; never fails because a part cannot, it says so. */
export async function setupCommand(options: SetupOptions): Promise<void> {
  const parts: Part[] = [await setUpEngine(options.quiet ?? false)];
  if (!options.engine) {
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
