/**
 * The engine that tests run on: the best there is, or the one that SERLAB_TEST_BACKEND names.
 *
 * @module
 */

import { type BackendName, type Engine, startEngine } from "../../lib/engine/tf.ts";

/** Started once a process. */
export const engine: Engine = await startEngine({
  backend: Deno.env.get("SERLAB_TEST_BACKEND") as BackendName | undefined,
});
