import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildApp } from "../../lib/serve/build.ts";
import { assembleSite, writeSite } from "../../lib/serve/site.ts";
import { bundleFolder, root, table } from "../page/site_for_tests.ts";

/** The permissions that the task `serve` gives the process that strangers can reach. */
const { tasks } = JSON.parse(readFileSync(join(root, "deno.json"), "utf8"));
const permissions = (tasks.serve.command as string).split(" && ")[1]!.match(/--allow-[\w=,-]+/g)!;

function serve(...args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, "lib/cli.ts", "serve", ...args],
    cwd: root,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "serlab-serve-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

Deno.test({
  name: "serve may neither write nor start programs, says what another host means, judges, and ends when told",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () =>
    inFolder(async (folder) => {
      assert.deepEqual(permissions, ["--allow-read", "--allow-env", "--allow-sys", "--allow-net"]);
      await buildApp({ out: folder, results: () => table, quality: 1 });
      const child = serve("--app", folder, "--model", bundleFolder, "--port", "0", "--host", "0.0.0.0", "--api");
      const errors = new Response(child.stderr).text();
      const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
      let said = "";
      while (!said.includes("certificate before it")) {
        const { value, done } = await reader.read();
        if (done) assert.fail(await errors);
        said += value;
      }
      const port = /^serlab: http:\/\/0\.0\.0\.0:(\d+)\/ /m.exec(said)![1]!;
      assert.match(
        said,
        /^Everybody who can reach 0\.0\.0\.0 on port \d+ can open the page and let this machine judge/m,
      );
      const page = await fetch(`http://127.0.0.1:${port}/`);
      assert.match(await page.text(), /<title>serlab/);
      const wav = readFileSync(
        join(folder, "examples", readdirSync(join(folder, "examples")).find((name) => name.endsWith(".wav"))!),
      );
      const answer = await fetch(`http://127.0.0.1:${port}/predict`, {
        method: "POST",
        body: new Uint8Array(wav),
        headers: { "content-type": "audio/wav" },
      });
      assert.equal(answer.status, 200);
      assert.equal(typeof (await answer.json()).emotion, "string");
      child.kill("SIGTERM");
      await reader.cancel();
      assert.equal((await child.status).code, 0);
      assert.equal(await errors, "");
    }),
});

Deno.test("what cannot be served is said in one sentence", () =>
  inFolder(async (folder) => {
    const { code, stderr } = await serve("--app", folder).output();
    assert.equal(code, 2);
    assert.match(new TextDecoder().decode(stderr), /^serlab: .*: holds no built page; run: deno task page\n$/);
    const bad = await serve("--port", "70000").output();
    assert.equal(bad.code, 2);
    assert.match(new TextDecoder().decode(bad.stderr), /--port takes a number from 0 to 65535, not 70000/);
  }));

Deno.test({
  name: "a site is written for any web server, twice the same, and holds what its service worker lists",
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () =>
    inFolder(async (folder) => {
      for (const name of ["one", "two"]) {
        const app = join(folder, `app-${name}`);
        await buildApp({ out: app, results: () => table, quality: 1 });
        writeSite(await assembleSite(app, [bundleFolder]), join(folder, name));
      }
      const files = readdirSync(join(folder, "one"), { recursive: true }) as string[];
      assert.deepEqual(files.sort(), (readdirSync(join(folder, "two"), { recursive: true }) as string[]).sort());
      const same = (name: string) =>
        assert.deepEqual(readFileSync(join(folder, "one", name)), readFileSync(join(folder, "two", name)), name);
      for (const name of ["index.html", "sw.js"]) same(name);
      const listed = JSON.parse(/^self\.SERLAB=(.*);$/m.exec(readFileSync(join(folder, "one", "sw.js"), "utf8"))![1]!);
      const paths = (listed.files as [string, string][]).map(([path]) => path);
      assert.deepEqual(paths, files.filter((name) => /\.\w+$/.test(name) && name !== "sw.js").sort());
      // What is under the GPL is not shipped.
      const faad = join(root, "node_modules", "@audio", "decode-aac", "decode-aac.js"), mark = "_aac_create";
      assert.ok(readFileSync(faad, "utf8").includes(mark));
      assert.ok(!files.some((name) => name.endsWith(".js") && readFileSync(join(folder, "one", name)).includes(mark)));
      // What is under the MPL says so, and where its source is.
      const decoder = files.find((name) => /aac_wasm-\w+\.js$/.test(name))!;
      assert.ok(
        /Mozilla Public License 2\.0 .*Symphonia/.test(readFileSync(join(folder, "one", decoder), "utf8")),
        decoder,
      );
      assert.doesNotMatch(readFileSync(join(folder, "one", "index.html"), "utf8"), /\son\w+=|<style|style="|https?:/);
    }),
});
