/**
 * Imported before a package that loads Node's old punycode: its deprecation warning would stand in every notebook, and
 * nobody here can change the package. `quiet_end.ts` is imported after it.
 *
 * @module
 */

import process from "node:process";

/** Whether deprecations were silent before. */
export const wasSilent: boolean = process.noDeprecation ?? false;

process.noDeprecation = true;
