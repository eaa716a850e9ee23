import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type * as danfojs from "danfojs-node";
import { requirePatiently } from "../lib/notebook/frames.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), "utf8");

/** A package's versions, up to but not including `below` (`*`: all), that have a published hole. */
interface Hole {
  readonly name: string;
  readonly from?: string;
  readonly below: string;
  readonly advisory: string;
  readonly about: string;
}

type Overrides = { readonly [name: string]: string | Overrides };

interface PackageJson {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly overrides: Overrides;
}

interface LockFile {
  readonly specifiers: Readonly<Record<string, string>>;
  readonly npm: Readonly<
    Record<
      string,
      {
        readonly integrity?: string;
        readonly dependencies?: readonly string[];
        readonly optionalDependencies?: readonly string[];
      }
    >
  >;
  readonly workspace: {
    readonly packageJson: { readonly dependencies: readonly string[]; readonly overrides: Overrides };
  };
}

const packageJson = JSON.parse(read("package.json")) as PackageJson;
const lock = JSON.parse(read("deno.lock")) as LockFile;
const holes = JSON.parse(read("tests/advisories.json")) as Hole[];
const direct = { ...packageJson.dependencies, ...packageJson.devDependencies };
const EXACT = /^\d+\.\d+\.\d+$/;

/** The stand-in for what danfojs asks of packages with holes; it lies in this repository. */
const STAND_IN = "@serlab/danfojs-io";

/** `["@scope/name", "1.2.3"]` of a lock file's `@scope/name@1.2.3_peer@4.5.6`. */
function nameAndVersion(key: string): [string, string] {
  const at = key.indexOf("@", 1);
  return [key.slice(0, at), key.slice(at + 1).split("_")[0]!];
}

/** Negative, zero or positive as version a is older than, equal to or newer than b; a pre-release is older. */
function compareVersions(a: string, b: string): number {
  const parts = (version: string) => version.split(/[-+]/)[0]!.split(".").map(Number);
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return Number(b.includes("-")) - Number(a.includes("-"));
}

function isHit(hole: Hole, name: string, version: string): boolean {
  return hole.name === name && (hole.from === undefined || compareVersions(version, hole.from) >= 0) &&
    (hole.below === "*" || compareVersions(version, hole.below) < 0);
}

function holesIn(keys: readonly string[]): string[] {
  return keys.map(nameAndVersion).flatMap(([name, version]) =>
    holes.filter((hole) => isHit(hole, name, version)).map((hole) => `${name}@${version}: ${hole.advisory}`)
  );
}

/** `[path of names, version]` of every override. */
function flatten(overrides: Overrides, path: readonly string[] = []): [string[], string][] {
  return Object.entries(overrides).flatMap(([name, value]): [string[], string][] =>
    typeof value === "string" ? [[name === "." ? [...path] : [...path, name], value]] : flatten(value, [...path, name])
  );
}

function filesBelow(folder: string, ending: RegExp): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder)).flatMap((name) => {
    const path = `${folder}/${name}`;
    if (name === "node_modules" || name.startsWith(".")) return [];
    if (statSync(join(root, path)).isDirectory()) return filesBelow(path, ending);
    return ending.test(name) ? [path] : [];
  });
}

Deno.test("package.json names exact versions only, overrides included", () => {
  for (const [name, version] of Object.entries(direct)) assert.match(version, EXACT, name);
  for (const [path, version] of flatten(packageJson.overrides)) {
    const plain = version.startsWith("npm:") ? version.slice(version.lastIndexOf("@") + 1) : version;
    assert.match(plain, EXACT, path.join(" > "));
  }
});

Deno.test("deno.lock is frozen, and was made from package.json as it stands", () => {
  const config = JSON.parse(read("deno.json")) as { lock: { frozen: boolean }; links: string[] };
  assert.equal(config.lock.frozen, true);
  assert.deepEqual(config.links, ["./packages/danfojs-io"]);
  const { dependencies, overrides } = lock.workspace.packageJson;
  assert.deepEqual([...dependencies].sort(), Object.entries(direct).map(([n, v]) => `npm:${n}@${v}`).sort());
  assert.deepEqual(overrides, packageJson.overrides);
  for (const [name, version] of Object.entries(direct)) {
    assert.equal(lock.specifiers[`npm:${name}@${version}`]?.split("_")[0], version);
  }
});

Deno.test("every package of deno.lock has an integrity hash, but for the stand-in that lies in this repository", () => {
  const without = Object.entries(lock.npm).filter(([, entry]) => !/^sha512-/.test(entry.integrity ?? ""));
  assert.deepEqual(without.map(([key]) => nameAndVersion(key)), [[STAND_IN, "1.0.0"]]);
  assert.ok(Object.keys(lock.npm).length > 200);
});

Deno.test("deno.lock names no tarball, URL or host", () => {
  assert.doesNotMatch(read("deno.lock"), /:\/\/|\bnpmjs\b|\bregistry\b|localhost|\d+\.\d+\.\d+\.\d+/i);
  // A package from elsewhere than the registry that is asked would have a field "tarball" here.
  const known = ["integrity", "dependencies", "optionalDependencies", "optionalPeers", "bin", "scripts", "os", "cpu"];
  const fields = new Set(Object.values(lock.npm).flatMap((entry) => Object.keys(entry)));
  assert.deepEqual([...fields].filter((field) => !known.includes(field)), []);
});

Deno.test("every override is in force in deno.lock", () => {
  const versions = new Map<string, Set<string>>();
  for (const [name, version] of Object.keys(lock.npm).map(nameAndVersion)) {
    versions.set(name, (versions.get(name) ?? new Set()).add(version));
  }
  for (const [path, version] of flatten(packageJson.overrides)) {
    const name = path.at(-1)!;
    if (path.length === 1) {
      assert.deepEqual([...versions.get(name) ?? []], [version], name);
      continue;
    }
    const [, parent] = Object.entries(lock.npm).find(([key]) => nameAndVersion(key)[0] === path[0])!;
    const children = [...parent.dependencies ?? [], ...parent.optionalDependencies ?? []];
    // A package of which there is one version stands in its parent's list without it.
    const listed = children.find((dependency) => nameAndVersion(`${dependency}@`)[0] === name)!;
    const found = listed.startsWith(`${name}@`) ? listed.slice(name.length + 1) : [...versions.get(name)!].join();
    assert.equal(found.split("_")[0], version, path.join(" > "));
  }
});

Deno.test("no package of deno.lock has a known hole", () => {
  assert.deepEqual(holesIn(Object.keys(lock.npm)), []);
});

Deno.test("the list of holes is sound, and finds what the tree held before the overrides", () => {
  for (const hole of holes) {
    assert.match(hole.advisory, /CVE-\d{4}-\d+|GHSA(-\w{4}){3}|npm advisory \d+|node-asn1#57|release notes/, hole.name);
    assert.ok(hole.about.length > 5, hole.name);
    if (hole.below !== "*") assert.match(hole.below, EXACT, hole.name);
    if (hole.from !== undefined) assert.ok(compareVersions(hole.from, hole.below) < 0, hole.name);
  }
  const before = [
    "axios@0.27.2",
    "xlsx@0.17.2",
    "@nestjs/core@8.4.7_rxjs@7.8.2",
    "tar@6.2.1",
    "uuid@8.3.2",
    "ws@8.2.3",
  ];
  before.push("request@2.88.2", "form-data@2.3.3", "qs@6.10.3", "path-to-regexp@3.2.0", "multer@1.4.4-lts.1");
  for (const key of before) assert.ok(holesIn([key]).length > 0, key);
  for (const key of ["axios@1.13.5", "path-to-regexp@3.3.0", "uuid@11.1.1", "form-data@3.0.5"]) {
    assert.deepEqual(holesIn([key]), []);
  }
});

Deno.test("docs/dependencies.md gives every dependency's version and reason, and says which are not imported", () => {
  const page = read("docs/dependencies.md");
  const rows = new Map(
    [...page.matchAll(/^\| `([^`]+)` +\| (\d[\d.]*) +\| (.+?) +\|$/gm)].map(([, name, version, reason]) =>
      [name!, { version: version!, reason: reason! }] as const
    ),
  );
  assert.deepEqual([...rows.keys()].sort(), Object.keys(direct).sort());
  const code = [
    ...["lib", "tests", "experiments"].flatMap((folder) => filesBelow(folder, /\.ts$/)),
    ...filesBelow("notebooks", /\.ipynb$/),
  ].map(read).join("\n");
  for (const [name, version] of Object.entries(direct)) {
    const { version: written, reason } = rows.get(name)!;
    assert.equal(written, version, name);
    assert.ok(reason.length > 20, name);
    const escaped = name.replace(/[/.]/g, "\\$&");
    const imported = new RegExp(`(from |import\\(|import )\\\\?["'](npm:)?${escaped}(@[\\d.]+)?(/[^"']*)?\\\\?["']`)
      .test(code);
    assert.equal(reason.startsWith("Not imported:"), !imported, `${name}: imported is ${imported}`);
  }
  for (const [path] of flatten(packageJson.overrides)) {
    for (const name of path) assert.ok(page.includes(`\`${name}\``), `${name} is overridden, and not explained`);
  }
});

Deno.test("the stand-in has every function that danfojs calls in what it stands for", () => {
  const folder = "node_modules/danfojs-node/dist";
  const code = filesBelow(folder, /\.js$/).map(read).join("\n");
  const required = [...code.matchAll(/require\("((?:request|stream-json|xlsx)[^"]*)"\)/g)].map((match) => match[1]!);
  assert.deepEqual([...new Set(required)].sort(), [
    "request",
    "stream-json",
    "stream-json/streamers/StreamArray",
    "xlsx",
  ]);
  const calls = [...code.matchAll(/\b(?:request_1\.default|stream_json_1|StreamArray_1|xlsx_1)\.(\w+(?:\.\w+)?)/g)];
  const from = realpathSync(join(root, "node_modules/danfojs-node/package.json"));
  const require = (name: string): unknown => requirePatiently(from, name);
  const standIn = require("request");
  for (const name of required) assert.equal(require(name), standIn, name);
  const names = new Set(calls.map((match) => match[1]!));
  assert.ok(names.size >= 9, [...names].join());
  for (const name of names) {
    const found = name.split(".").reduce<unknown>((at, key) => (at as Record<string, unknown>)[key], standIn);
    assert.equal(typeof found, "function", name);
  }
});

Deno.test("a package's file that is gone for a moment is waited for, found or not; other errors are told at once", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const put = (name: string, code: string) => Deno.writeTextFileSync(`${folder}/${name}.cjs`, code);
    put(
      "gone",
      `if (!globalThis.serlabTries) { globalThis.serlabTries = 1; require("node:fs").readFileSync("${folder}/none"); }
      module.exports = ++globalThis.serlabTries;`,
    );
    assert.equal(requirePatiently(import.meta.url, `${folder}/gone.cjs`), 2);
    put("broken", 'throw new RangeError("broken")');
    assert.throws(() => requirePatiently(import.meta.url, `${folder}/broken.cjs`), RangeError);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("danfojs describes, groups, and reads CSV and JSON from files and by HTTP; spreadsheets are refused", async () => {
  const danfo = requirePatiently(import.meta.url, "danfojs-node") as typeof danfojs;
  const records = [{ a: 1, b: 2.5, c: "x" }, { a: 4, b: -1.5, c: "y" }, { a: 7, b: 3, c: "x" }, { a: 7, b: 9, c: "y" }];
  const frame = new danfo.DataFrame(records);
  const rows = frame.values;
  const numbers = frame.loc({ columns: ["a", "b"] }).describe();
  assert.deepEqual(numbers.values[0], [4, 4]);
  assert.deepEqual(numbers.values[1], [4.75, 3.25]);
  const groups = frame.groupby(["c"]).agg({ a: "mean", b: "median" }) as { values: unknown };
  assert.deepEqual(groups.values, [["x", 4, 2.75], ["y", 5.5, 3.75]]);
  assert.deepEqual(danfo.toJSON(frame), records);

  const csv = danfo.toCSV(frame) as string;
  const file = await Deno.makeTempFile({ suffix: ".csv" });
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, ({ url }) => {
    const { pathname } = new URL(url);
    if (pathname === "/moved") return Response.redirect(new URL("/table.csv", url));
    if (pathname === "/table.csv") return new Response(csv);
    if (pathname === "/table.json") return Response.json(records);
    return new Response("nothing here", { status: 404 });
  });
  const base = `http://127.0.0.1:${server.addr.port}`;
  try {
    writeFileSync(file, csv.trimEnd());
    assert.deepEqual((await danfo.readCSV(file)).values, rows);
    assert.deepEqual((await danfo.readCSV(`${base}/moved`)).values, rows);
    assert.deepEqual((await danfo.readJSON(`${base}/table.json`) as typeof frame).values, rows);
    await assert.rejects(danfo.readCSV(`${base}/none.csv`), /HTTP 404/);
    const streamed: unknown[] = [];
    await danfo.streamJSON(`${base}/table.json`, (row: typeof frame) => streamed.push(row.values[0]), {
      method: "GET",
      headers: {},
      frameConfig: {},
    });
    assert.deepEqual(streamed, rows);
    assert.throws(() => danfo.toExcel(frame), /Spreadsheets are neither read nor written here/);
  } finally {
    await server.shutdown();
    await Deno.remove(file);
  }
  await assert.rejects(danfo.readCSV(`${base}/gone.csv`), /HTTP 0: http:\/\/127\.0\.0\.1/);
});

Deno.test("nodeplotlib serves its page and the figures' data, and stops when the page is closed", async () => {
  const script = `const { plot } = await import("nodeplotlib");
    plot([{ x: [1, 2], y: [3, 4] }], { title: "first" });
    plot([{ x: [5], y: [6] }]);`;
  // A port of 0 is any free one; with the variable set no browser is opened.
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", script],
    cwd: root,
    env: { NODEPLOTLIB_PORT: "0", NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const deadline = setTimeout(() => child.kill("SIGKILL"), 60_000);
  try {
    let output = "";
    let base: string | undefined;
    while (!base) {
      const { value, done } = await lines.read();
      if (done) throw new Error(`the server ended: ${output}${await errors}`);
      output += value;
      base = /Server running at (http:\/\/localhost:\d+)/.exec(output)?.[1];
    }
    const page = await fetch(base);
    assert.equal(page.status, 200);
    assert.match(await page.text(), /main\.js/);
    const main = await fetch(`${base}/main.js`);
    assert.match(main.headers.get("content-type") ?? "", /javascript/);
    assert.ok((await main.text()).length > 100_000);

    // Engine.IO's protocol 4 by long polling, as the page speaks it.
    const engine = `${base}/socket.io/?EIO=4&transport=polling`;
    const opened = await (await fetch(engine)).text();
    const session = `${engine}&sid=${(JSON.parse(opened.slice(1)) as { sid: string }).sid}`;
    const send = async (packet: string) => await (await fetch(session, { method: "POST", body: packet })).text();
    assert.equal(await send("40"), "ok");
    assert.match(await (await fetch(session)).text(), /^40\{/);
    assert.equal(await send('42["readplots"]'), "ok");
    const figures = (await (await fetch(session)).text()).split("\u001e").map((packet) => JSON.parse(packet.slice(2)));
    assert.deepEqual(figures, [
      ["plotdata", { id: 0, data: [{ x: [1, 2], y: [3, 4] }], layout: { title: "first" } }],
      ["plotdata", { id: 1, data: [{ x: [5], y: [6] }] }],
    ]);
    assert.equal(await send("41"), "ok");
    while (!(await lines.read()).done);
    assert.equal((await child.status).code, 0, await errors);
  } finally {
    clearTimeout(deadline);
    await lines.cancel();
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await child.status;
    await errors;
  }
});
