/**
 * The engine as commands use it: installed, then started with what was asked for, saying once what could be better.
 *
 * @module
 */

import { installNative } from "../engine/native.ts";
import { type BackendName, type Engine, HOW_TO_GET_NATIVE, startEngine } from "../engine/tf.ts";
import { EngineError } from "../errors.ts";

/** Starts the engine and prints its notice, if any, to stderr (unless set-up has just said the same). */
export async function commandEngine(backend: BackendName | undefined, told = false): Promise<Engine> {
  const engine = await startEngine({ backend });
  if (engine.notice && !told) console.error(engine.notice);
  return engine;
}

/** One part that setup looked after. */
export interface Part {
  /** What it is. */
  readonly name: string;
  /** Whether it is there. */
  readonly available: boolean;
  /** Its version, or why it is not there. */
  readonly detail: string;
}

/** Makes sure that native TensorFlow is there, or says in one line why wasm will compute. */
export async function setUpEngine(quiet: boolean): Promise<Part> {
  const log = (line: string): void => console.error(line);
  try {
    const { detail } = await installNative({ log });
    if (!quiet) console.error(`engine: native, ${detail}`);
    return { name: "engine", available: true, detail };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const reason = error.message.replace(/\.$/, "");
    console.error(`engine: wasm, because native TensorFlow could not be had (${reason}); ${HOW_TO_GET_NATIVE}`);
    return { name: "engine", available: false, detail: reason };
  }
}
