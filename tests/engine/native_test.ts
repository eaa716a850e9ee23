import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { installNative, nativeStatus } from "../../lib/engine/native.ts";
import { temporaryFolder } from "../study/small.ts";

// Programs that act as pip and the compiler do, so that the installer's own steps are what is tested; the real download
// and build are made by `deno task test` itself before it starts the tests.
const PYTHON = `#!/bin/sh
echo "python $*" >> "$FAKE_LOG"
case "$*" in
  *--version*) exit 0 ;;
  *download*)
    [ "$FAKE_PIP" = hash ] && { echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE." >&2; exit 1; }
    [ "$FAKE_PIP" = offline ] && { echo "ERROR: No matching distribution found for tensorflow-cpu==2.19.1" >&2; exit 1; }
    [ "$FAKE_PIP" = slow ] && sleep 1
    while [ "$1" != --dest ]; do shift; done
    echo wheel > "$2/tensorflow.whl" ;;
  *zipfile*)
    mkdir -p "$4/tensorflow/include"
    for name in $(echo "$5" | tr , ' '); do echo library > "$4/$name"; done ;;
esac
`;
const COMPILER = `#!/bin/sh
echo "g++ $*" >> "$FAKE_LOG"
[ "$1" = --version ] && exit 0
[ "$FAKE_CXX" = broken ] && { echo "fatal error: tensorflow/c/c_api.h: No such file" >&2; exit 1; }
while [ "$1" != -o ]; do shift; done
echo addon > "$2"
`;

/** A place to install into, with the given programs on PATH and nothing else but the shell's own. */
async function withPrograms<T>(
  programs: Record<string, string>,
  env: Record<string, string>,
  work: (place: { tfjsNode: string; cache: string; calls: () => string[] }) => Promise<T>,
): Promise<T> {
  const folder = temporaryFolder(), bin = join(folder, "bin"), tfjsNode = join(folder, "tfjs-node");
  mkdirSync(bin);
  mkdirSync(tfjsNode);
  writeFileSync(join(tfjsNode, "package.json"), JSON.stringify({ version: "4.22.0" }));
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  }
  const shell = join(folder, "shell");
  mkdirSync(shell);
  for (const name of ["sh", "mkdir", "tr", "sleep", "cat"]) {
    Deno.symlinkSync(existsSync(`/usr/bin/${name}`) ? `/usr/bin/${name}` : `/bin/${name}`, join(shell, name));
  }
  const log = join(folder, "log");
  const changed = { PATH: `${bin}:${shell}`, FAKE_LOG: log, CXX: "", FAKE_PIP: "", FAKE_CXX: "", ...env };
  const before = Object.fromEntries(Object.keys(changed).map((name) => [name, Deno.env.get(name)]));
  for (const [name, value] of Object.entries(changed)) Deno.env.set(name, value);
  try {
    const calls = (): string[] => existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
    return await work({ tfjsNode, cache: join(folder, "cache"), calls });
  } finally {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}

const posix = process.platform === "linux" || process.platform === "darwin";
const both = { python3: PYTHON, "g++": COMPILER };

Deno.test({
  name: "the engine is downloaded with its hash, built, cached, and linked from the cache the next time",
  ignore: !posix,
  fn: () =>
    withPrograms(both, {}, async ({ tfjsNode, cache, calls }) => {
      assert.equal(nativeStatus({ tfjsNode }).installed, false);
      const status = await installNative({ tfjsNode, cache });
      assert.deepEqual(status, { installed: true, detail: "TensorFlow 2.19.1" });
      assert.ok(calls().some((call) => /download .*--require-hashes/.test(call)));
      const [folder] = readdirSync(cache);
      assert.deepEqual(readdirSync(cache), [folder], "no lock and nothing temporary is left");
      assert.ok(!readdirSync(join(cache, folder!)).some((name) => /whl|requirements|^tensorflow$/.test(name)));
      const before = calls().length;
      const second = join(tfjsNode, "..", "second");
      mkdirSync(second);
      writeFileSync(join(second, "package.json"), JSON.stringify({ version: "4.22.0" }));
      assert.equal((await installNative({ tfjsNode: second, cache })).installed, true);
      assert.equal(calls().length, before, "a second checkout starts no program");
    }),
});

Deno.test({
  name: "a damaged or half-made cache is made anew, never used",
  ignore: !posix,
  fn: () =>
    withPrograms(both, {}, async ({ tfjsNode, cache, calls }) => {
      await installNative({ tfjsNode, cache });
      const folder = join(cache, readdirSync(cache)[0]!);
      const library = readdirSync(folder).find((name) => /tensorflow_cc/.test(name))!;
      truncateSync(join(folder, library), 3);
      mkdirSync(`${folder}.12345.partial`); // a process that was killed
      const second = join(tfjsNode, "..", "second");
      mkdirSync(second);
      writeFileSync(join(second, "package.json"), JSON.stringify({ version: "4.22.0" }));
      const before = calls().length;
      assert.equal((await installNative({ tfjsNode: second, cache })).installed, true);
      assert.ok(calls().length > before);
      assert.equal(readFileSync(join(folder, library), "utf8"), "library\n");
      assert.deepEqual(readdirSync(cache).length, 1, "what the killed process left is gone");
    }),
});

for (
  const [what, programs, env, reason] of [
    ["a wheel whose hash is not the pinned one", both, { FAKE_PIP: "hash" }, /could not be downloaded .*HASHES/],
    ["no network", both, { FAKE_PIP: "offline" }, /could not be downloaded .*No matching distribution/],
    ["no Python", { "g++": COMPILER }, {}, /No Python with pip was found\./],
    ["no compiler", { python3: PYTHON }, {}, /No C\+\+ compiler was found/],
    ["a compiler that fails", both, { FAKE_CXX: "broken" }, /addon could not be built \(.*c_api\.h/],
  ] as const
) {
  Deno.test({
    name: `${what} ends in one sentence and leaves nothing half-installed`,
    ignore: !posix,
    fn: () =>
      withPrograms(programs, env, async ({ tfjsNode, cache }) => {
        await assert.rejects(installNative({ tfjsNode, cache }), (error: Error) => {
          assert.equal(error.name, "EngineError");
          assert.match(error.message, reason);
          assert.ok(!error.message.includes("\n"));
          return true;
        });
        assert.equal(nativeStatus({ tfjsNode }).installed, false);
        assert.deepEqual(existsSync(cache) ? readdirSync(cache) : [], []);
        assert.deepEqual(readdirSync(tfjsNode), ["package.json"]);
      }),
  });
}

Deno.test({
  name: "two set-ups at once download once",
  ignore: !posix,
  fn: () =>
    withPrograms(both, { FAKE_PIP: "slow" }, async ({ tfjsNode, cache, calls }) => {
      const script = `import { installNative } from ${
        JSON.stringify(new URL("../../lib/engine/native.ts", import.meta.url).href)
      };
        await installNative({ tfjsNode: ${JSON.stringify(tfjsNode)}, cache: ${JSON.stringify(cache)} });`;
      const run = () =>
        new Deno.Command(Deno.execPath(), { args: ["eval", script], stdout: "null", stderr: "null" }).output();
      const outcomes = await Promise.all([run(), run()]);
      assert.deepEqual(outcomes.map(({ code }) => code), [0, 0]);
      assert.equal(calls().filter((call) => call.includes(" download ")).length, 1);
    }),
});
