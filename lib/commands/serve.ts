/**
 * `serve`: the page, and where asked for `POST /predict`.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { makeApi } from "../serve/api.ts";
import { startServer } from "../serve/server.ts";
import { assembleSite } from "../serve/site.ts";

/** Bundles that are served when none is named. */
const DEFAULT_BUNDLES = ["004-scaled-32k", "004-scaled-32k-as-published"] as const;

/** Options of the command `serve`. */
export interface ServeCommandOptions {
  /** Folder of the built page. */
  readonly app: string;
  /** Folder of the run records, for the bundles served by default. */
  readonly results: string;
  /** Bundles. */
  readonly model?: readonly string[];
  /** Port. */
  readonly port: number;
  /** Address. */
  readonly host: string;
  /** Whether machines may ask too. */
  readonly api?: boolean;
}

/** The bundles that were named, or those that are served by default and there. */
export function bundlesOf(
  { model, results }: { readonly model?: readonly string[]; readonly results: string },
): string[] {
  if (model && model.length > 0) return [...model];
  return DEFAULT_BUNDLES.map((name) => join(results, "bundles", name)).filter((folder) => existsSync(folder));
}

/** Whether only this machine can reach the address. */
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** Serves the page until it is stopped. */
export async function serveCommand(options: ServeCommandOptions): Promise<void> {
  const { app, host, port } = options;
  const site = await assembleSite(app, bundlesOf(options));
  const api = options.api ? makeApi(site) : undefined;
  const server = await startServer({ site, host, port, api });
  console.log(`serlab: ${server.url} (stop with Ctrl-C)`);
  if (api) console.log(`machines: POST ${server.url}predict, described at ${server.url}openapi.json`);
  if (!isLoopback(host)) {
    console.log(
      `Everybody who can reach ${host} on port ${server.port} can open the page${
        api ? " and let this machine judge recordings" : ""
      }. Browsers give a page the microphone only over https or on localhost: for others put a web server with a ` +
        "certificate before it.",
    );
  }
  const stopped = Promise.withResolvers<void>();
  const stop = (): void => stopped.resolve();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop);
  await stopped.promise;
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop);
  await server.close();
}
