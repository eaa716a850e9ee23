import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256Hex } from "../../lib/io.ts";
import { gatherEnvironment, gitCommit, lockHash } from "../../lib/results/environment.ts";

function withFolder(body: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "serlab-environment-"));
  try {
    body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const hasGit = (() => {
  try {
    execFileSync("git", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

Deno.test("the environment names versions, processor and cores", () => {
  const environment = gatherEnvironment({ tensorflow: "2.19.1", backend: "native" });
  assert.equal(environment.deno, Deno.version.deno);
  assert.equal(environment.tensorflow, "2.19.1");
  assert.ok(environment.cpu.length > 0);
  assert.ok(Number.isInteger(environment.cores) && environment.cores >= 1);
});

Deno.test("outside a repository there is no commit, and without a lock file no hash", () => {
  withFolder((dir) => {
    assert.equal(gitCommit(dir), null);
    assert.equal(lockHash(dir), null);
    writeFileSync(join(dir, "deno.lock"), "{}");
    assert.equal(lockHash(dir), sha256Hex("{}"));
  });
});

Deno.test({
  name: "a commit is clean, dirty after a change or a new file, and not made dirty by results (needs git)",
  ignore: !hasGit,
  fn() {
    withFolder((dir) => {
      const git = (...args: string[]) =>
        execFileSync("git", ["-C", dir, "-c", "user.name=t", "-c", "user.email=t@t", ...args], { encoding: "utf8" });
      git("init", "-q");
      assert.equal(gitCommit(dir), null);
      writeFileSync(join(dir, "code.ts"), "1");
      git("add", ".");
      git("commit", "-q", "-m", "one");
      const commit = git("rev-parse", "HEAD").trim();
      assert.equal(gitCommit(dir), commit);
      mkdirSync(join(dir, "results"));
      writeFileSync(join(dir, "results", "x.json"), "{}");
      assert.equal(gitCommit(dir), commit);
      writeFileSync(join(dir, "new.ts"), "2");
      assert.equal(gitCommit(dir), `${commit}-dirty`);
      rmSync(join(dir, "new.ts"));
      writeFileSync(join(dir, "code.ts"), "3");
      assert.equal(gitCommit(dir), `${commit}-dirty`);
    });
  },
});
