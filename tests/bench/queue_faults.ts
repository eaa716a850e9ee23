/**
 * Fifty kills at moments drawn from a seed: of workers, of the coordinator, of Redis (append-only file on). Every trial
 * must end exactly once, as it does undisturbed.
 *
 *     deno run -A tests/bench/queue_faults.ts [faults] [jobs] [seed] [--out results/bench/queue-faults.json]
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { runFaults } from "../search/queue_faults.ts";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: "string" } } });
const [faults = 50, jobs = 1500, seed = 0] = positionals.map(Number);
const report = await runFaults({ jobs, faults, seed, ms: 40, onFault: (line) => console.error(line) });
const text = JSON.stringify({ faults, jobs, seed, ...report }, null, 1);
console.log(text);
if (values.out !== undefined) writeFileSync(values.out, `${text}\n`);
Deno.exit(report.missing + report.double + report.different === 0 ? 0 : 1);
