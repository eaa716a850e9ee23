/**
 * How long the features of all rows of a study take, copies among them, from audio files to the table that is trained on:
 * in full, nothing read from the cache, nothing extrapolated.
 *
 *     deno run -A tests/bench/study_features.ts 002 --variant conv1d --protocol as-published [--corpora data] [--out FILE]
 *
 * Study 002's notebook took 327 s for its 48,608 rows (STUDIES, seed 002).
 *
 * @module
 */

import { availableParallelism, cpus } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { findStudy } from "../../experiments/mod.ts";
import { writeFileAtomic } from "../../lib/io.ts";
import { prettyJson } from "../../lib/results/record.ts";
import type { ProtocolName } from "../../lib/study/declare.ts";
import { featuresOf, prepare, tableOf } from "../../lib/study/run.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    corpora: { type: "string", default: "data" },
    variant: { type: "string", default: "conv1d" },
    protocol: { type: "string", default: "as-published" },
    out: { type: "string" },
  },
});
const id = positionals[0];
if (id === undefined) throw new Error("Name a study.");
const { variant } = values, protocol = values.protocol as ProtocolName;
const prepared = await prepare(findStudy(id), { dir: values.corpora });
const started = performance.now();
const { x } = await featuresOf(prepared, { variant, protocol, seed: 0 });
const seconds = Number(((performance.now() - started) / 1000).toFixed(1));
const result = {
  study: id,
  variant,
  protocol,
  recordings: prepared.rows.length,
  rows: x.shape[0],
  examples: tableOf(prepared, { variant, protocol, seed: 0 }).examples.length,
  seconds,
  peakMemoryMb: Math.round(process.resourceUsage().maxRSS / 1024),
  cpu: cpus()[0]?.model,
  cores: availableParallelism(),
  deno: Deno.version.deno,
};
console.log(JSON.stringify(result));
if (values.out !== undefined) writeFileAtomic(values.out, `${prettyJson(result)}\n`);
