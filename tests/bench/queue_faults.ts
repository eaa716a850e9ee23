/**
 * Fifty kills at moments drawn from a seed: of workers, of the coordinator, of Redis (append-only file on). Every trial
 * must end exactly once, as it does undisturbed.
 *
 * Usage: deno run -A tests/bench/queue_faults.ts [faults] [jobs] [seed]
 *
 * @module
 */

import { runFaults } from "../search/queue_faults.ts";

const [faults = 50, jobs = 1500, seed = 0] = Deno.args.map(Number);
const report = await runFaults({ jobs, faults, seed, ms: 40, onFault: (line) => console.error(line) });
console.log(JSON.stringify({ faults, jobs, seed, ...report }));
Deno.exit(report.missing + report.double + report.different === 0 ? 0 : 1);
