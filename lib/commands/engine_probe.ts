/**
 * Says what computes here and ends: for a program that wants to know it and never computes itself.
 *
 * @module
 */

import { startEngine } from "../engine/tf.ts";

if (import.meta.main) {
  const { backend, version } = await startEngine({ threads: 1 });
  console.log(`\nserlab engine ${backend}, ${version}`);
  Deno.exit(0);
}
