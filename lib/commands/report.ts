/**
 * `report`: regenerates results/README.md and the figures from the run records.
 *
 * @module
 */

import process from "node:process";
import { preparations, studies } from "../../experiments/mod.ts";
import { staleReport, writeReport } from "../results/report.ts";
import { sweepTexts } from "../search/report.ts";

/** Options of the command. */
export interface ReportOptions {
  /** Folder of the run records. */
  readonly out: string;
  /** Write nothing; exit code 1 when files are not what the records give. */
  readonly check?: boolean;
}

/** Writes the report, or checks it. */
export function reportCommand({ out, check }: ReportOptions): void {
  const texts = [...studies, ...preparations];
  if (!check) {
    for (const file of writeReport(out, texts, sweepTexts(out))) console.log(`${out}/${file}`);
    return;
  }
  const stale = staleReport(out, texts, sweepTexts(out));
  for (const file of stale) console.error(`${out}/${file}: is not what the run records give; run: deno task report`);
  if (stale.length > 0) process.exitCode = 1;
}
