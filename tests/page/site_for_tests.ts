/** The page as tests serve it: built once into a temporary folder, two bundles, a small table of results. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ResultsTable } from "../../lib/page/results_types.ts";
import { buildApp } from "../../lib/serve/build.ts";
import { assembleSite, type Site } from "../../lib/serve/site.ts";

/** The repository. */
export const root: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The committed bundle that the page has. */
export const bundleFolder: string = join(root, "results", "bundles", "004-scaled-32k");

const row = (study: string, variant: string, protocol: string, order: number, accuracy: number) => ({
  study,
  variant,
  protocol,
  order,
  bySpeaker: protocol === "clean",
  claim: variant === "first" ? { accuracy: 0.9, n: 36 } : null,
  accuracy,
  sd: 0.012,
  interval: [accuracy - 0.05, accuracy + 0.05] as const,
  uar: accuracy - 0.01,
  clips: 240,
  speakers: 4,
  seeds: 10,
  failed: false,
  less: protocol === "clean" && study === "101" ? "10 % of the recordings" : null,
  text: `${study} ${variant} ${protocol} perceptron`,
});

/** A table of four rows. */
export const table: ResultsTable = {
  rows: [
    row("101", "first", "as-published", 0, 0.8),
    row("101", "first", "clean", 7, 0.5),
    row("102", "second", "as-published", 0, 0.7),
    { ...row("102", "second", "clean", 7, 0.6), failed: true },
  ],
  studies: [
    {
      id: "101",
      title: "One",
      source: "somewhere",
      claims: ["Claimed: 90 %."],
      flaw: "It knew the voices.",
      why: "Voices were shared.",
    },
    { id: "102", title: "Two", source: "elsewhere", claims: [], flaw: "It did not.", why: "They were not." },
  ],
};

/** A site and the folder it was built in. */
export interface BuiltSite {
  /** The site, with the bundles `004-scaled-32k` and `004-scaled-32k-as-published`. */
  readonly site: Site;
  /** The same page with the first bundle only: another version. */
  readonly smaller: Site;
  /** Folder for what a test writes. */
  readonly folder: string;
  /** Removes the folder. */
  remove(): void;
}

/** Builds the page. */
export async function buildSite(): Promise<BuiltSite> {
  const folder = mkdtempSync(join(tmpdir(), "serlab-page-"));
  const app = join(folder, "app"), second = `${bundleFolder}-as-published`;
  await buildApp({ out: app, results: () => table, quality: 1 });
  return {
    site: await assembleSite(app, [bundleFolder, second]),
    smaller: await assembleSite(app, [bundleFolder]),
    folder,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
