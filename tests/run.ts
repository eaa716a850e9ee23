/**
 * Runs every test and doc test, and closes with the line `N passed, N failed, N skipped`.
 *
 * The lanes run side by side: tests that compute with the engine in one process, everything else in another, so that a
 * test of timing or memory in one is not disturbed by more than one neighbour. In CI (`CI=true`) a skipped test of a real
 * component (Jupyter, Chromium, Redis, native TensorFlow) is a failure: there it has to run.
 *
 * @module
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Folders and files (below tests/) for the first lane: those that compute with the engine; both take about as long. */
const HEAVY = /^tests\/(engine|training\/train_test|study|commands|predict|bundle|models|setup|search)/;

function testFiles(folder: string): string[] {
  return readdirSync(folder).sort().flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return testFiles(path);
    return name.endsWith("_test.ts") ? [relative(root, path)] : [];
  });
}

/** One lane: what to hand to `deno test`. */
interface Lane {
  readonly name: string;
  readonly args: readonly string[];
}

/** What a lane's JUnit report says. */
interface Outcome {
  passed: number;
  /** Name and reason of each. */
  failed: string[];
  skipped: string[];
}

/** Text of an attribute or an element of XML. */
function plain(xml: string): string {
  const named: Readonly<Record<string, string>> = { quot: '"', apos: "'", lt: "<", gt: ">", amp: "&" };
  return xml.replace(
    /&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi,
    (whole, hex, decimal, name) =>
      hex || decimal ? String.fromCodePoint(parseInt(hex ?? decimal, hex ? 16 : 10)) : named[name] ?? whole,
  )
    // deno-lint-ignore no-control-regex -- terminal colours
    .replace(/\u001b\[[\d;]*m/g, "");
}

function readJunit(path: string): Outcome | null {
  let xml: string;
  try {
    xml = readFileSync(path, "utf8");
  } catch {
    return null;
  }
  const outcome: Outcome = { passed: 0, failed: [], skipped: [] };
  for (const [, attributes, rest] of xml.matchAll(/<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g)) {
    const attribute = (key: string): string => plain(new RegExp(`\\b${key}="([^"]*)"`).exec(attributes!)?.[1] ?? "?");
    const name = attribute("name");
    if (rest !== undefined && /<(failure|error)/.test(rest)) {
      outcome.failed.push(`${attribute("classname")}: ${name}\n${plain(rest.replace(/<[^>]*>/g, "")).trim()}`);
    } else if (rest !== undefined && /<skipped/.test(rest)) outcome.skipped.push(name);
    else outcome.passed++;
  }
  return outcome;
}

async function run(lane: Lane, folder: string): Promise<Outcome> {
  const junit = join(folder, `${lane.name}.xml`);
  const started = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--hide-stacktraces", `--junit-path=${junit}`, ...lane.args],
    cwd: root,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const [{ code }, out, err] = await Promise.all([
    child.status,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  console.log(`\n=== ${lane.name} (${((performance.now() - started) / 1000).toFixed(0)} s)\n${out}`);
  if (err.trim()) console.error(err);
  const outcome = readJunit(junit) ?? { passed: 0, failed: [], skipped: [] };
  // A lane that broke before or between tests (a file that does not load, say) has failed even if no test did.
  if (code !== 0 && outcome.failed.length === 0) outcome.failed.push(`${lane.name}: ended with exit code ${code}`);
  return outcome;
}

const only = Deno.args.filter((arg) => !arg.startsWith("-"));
const files = testFiles(join(root, "tests")).filter((file) => only.length === 0 || only.some((o) => file.includes(o)));
const lanes: Lane[] = [
  { name: "engine", args: files.filter((file) => HEAVY.test(file)) },
  { name: "everything else", args: files.filter((file) => !HEAVY.test(file)) },
].filter((lane) => lane.args.length > 0);
if (only.length === 0) lanes.push({ name: "doc tests", args: ["--doc", "lib"] });

// Types once for all lanes; each lane then skips the check.
const check = await new Deno.Command(Deno.execPath(), { args: ["check"], cwd: root, stdin: "null" }).spawn().status;
const folder = mkdtempSync(join(tmpdir(), "serlab-test-"));
const [first, ...others] = lanes;
const [a, b] = await Promise.all([
  first ? run(first, folder) : null,
  (async () => {
    const all: Outcome[] = [];
    for (const lane of others) all.push(await run(lane, folder));
    return all;
  })(),
]);
rmSync(folder, { recursive: true, force: true });
const outcomes = [...(a ? [a] : []), ...b];
const failures = outcomes.flatMap((outcome) => outcome.failed);
let failed = failures.length;
const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
const skipped = outcomes.flatMap((outcome) => outcome.skipped);
// Here, because a log is read from its end.
for (const failure of failures) console.error(`FAILED: ${failure}\n`);
if (check.code !== 0) {
  failed++;
  console.error("FAILED: the types do not check.");
}
for (const name of skipped) {
  const isReal = /\[(jupyter|chromium|redis|native)\]/i.test(name);
  const counts = isReal && Deno.env.get("CI") === "true";
  console.error(`${counts ? "FAILED, skipped in CI" : "skipped"}: ${name}`);
  if (counts) failed++;
}
console.log(`\n${passed} passed, ${failed} failed, ${skipped.length} skipped`);
Deno.exit(failed > 0 || passed === 0 ? 1 : 0);
