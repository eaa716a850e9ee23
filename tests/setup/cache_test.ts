import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withLock } from "../../lib/setup/cache.ts";

const module = new URL("../../lib/setup/cache.ts", import.meta.url).href;
const config = new URL("../../deno.json", import.meta.url).pathname;

/** Starts a process that runs some code with `withLock`; its arguments are in `Deno.args`. */
function start(code: string, ...args: string[]): Deno.ChildProcess {
  const whole = `const { withLock } = await import(${JSON.stringify(module)}); ${code}`;
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", "--config", config, whole, ...args],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "serlab-lock-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

Deno.test("processes that want the same lock go in one at a time, and leave no lock behind", () =>
  inFolder(async (folder) => {
    // Two at once inside would make the same folder twice, which is an error.
    const code = `for (let i = 0; i < 40; i++) await withLock(Deno.args[0] + "/a", async () => {
      Deno.mkdirSync(Deno.args[0] + "/in");
      await new Promise((done) => setTimeout(done, i % 3));
      Deno.removeSync(Deno.args[0] + "/in");
    });`;
    const ended = await Promise.all([1, 2, 3].map(() => start(code, folder).output()));
    for (const { code, stderr } of ended) assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.deepEqual(readdirSync(folder), []);
  }));

Deno.test("within a process, too, the second waits and is told so once", () =>
  inFolder(async (folder) => {
    const order: string[] = [];
    const first = withLock(join(folder, "a"), async () => {
      await new Promise((done) => setTimeout(done, 300));
      order.push("first");
    });
    const second = withLock(join(folder, "a"), () => Promise.resolve(order.push("second")), () => order.push("waits"));
    await Promise.all([first, second]);
    assert.deepEqual(order, ["waits", "first", "second"]);
  }));

Deno.test({
  name: "the lock of a process that was killed is free",
  ignore: Deno.build.os === "windows",
  fn: () =>
    inFolder(async (folder) => {
      const holder = start(
        `await withLock(Deno.args[0] + "/a", async () => { console.log("in"); await new Promise((d) => setTimeout(d, 60_000)); });`,
        folder,
      );
      const reader = holder.stdout.getReader();
      await reader.read();
      assert.ok(existsSync(join(folder, "a.lock")));
      holder.kill("SIGKILL");
      await reader.cancel();
      await holder.stderr.cancel();
      await holder.status;
      const began = performance.now();
      assert.equal(await withLock(join(folder, "a"), () => Promise.resolve("got it")), "got it");
      assert.ok(performance.now() - began < 5000);
      assert.deepEqual(readdirSync(folder), []);
    }),
});
