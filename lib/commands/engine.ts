/**
 * Starting the engine from a command: with what was asked for, saying once what could be better.
 *
 * @module
 */

import { type BackendName, type Engine, startEngine } from "../engine/tf.ts";

/** Starts the engine and prints its notice, if any, to stderr. */
export async function commandEngine(backend: BackendName | undefined): Promise<Engine> {
  const engine = await startEngine({ backend });
  if (engine.notice) console.error(engine.notice);
  return engine;
}
