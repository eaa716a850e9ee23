/**
 * `page`: builds the page.
 *
 * @module
 */

import { preparations, studies } from "../../experiments/mod.ts";
import { buildApp } from "../serve/build.ts";
import { assembleSite, writeSite } from "../serve/site.ts";
import { resultsTable } from "../serve/table.ts";
import { bundlesOf } from "./serve.ts";

/** Options of the command. */
export interface PageOptions {
  /** Folder of the built page. */
  readonly app: string;
  /** Folder of the run records. */
  readonly results: string;
  /** Bundles of the site. */
  readonly model?: readonly string[];
  /** Folder for the whole site; absent: only the page is built. */
  readonly out?: string;
  /** Say nothing when only the page is built. */
  readonly quiet?: boolean;
}

/** Builds the page; with a folder for the site, everything that a web server needs. */
export async function pageCommand(options: PageOptions): Promise<void> {
  const { app, results, out, quiet } = options;
  await buildApp({ out: app, results: () => resultsTable(results, [...studies, ...preparations]) });
  if (out === undefined) {
    if (!quiet) console.log(`${app}: the page is built; serve it with: deno task serve`);
    return;
  }
  const count = writeSite(await assembleSite(app, bundlesOf(options)), out);
  console.log(`${out}: ${count} files; any web server can serve them, over https or on localhost`);
}
