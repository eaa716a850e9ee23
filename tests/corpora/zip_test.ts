import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Zippable, zipSync } from "fflate";
import { CorpusError } from "../../lib/errors.ts";
import { unzip } from "../../lib/corpora/zip.ts";
import { inFolder } from "./temporary.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Packs files and tries to unpack them. */
async function attempt(
  files: Zippable | Uint8Array,
  work: (dir: string, done: Promise<string[]>) => Promise<void>,
  maxBytes = 1e6,
) {
  await inFolder(async (dir) => {
    const archive = join(dir, "a.zip");
    writeFileSync(archive, files instanceof Uint8Array ? files : zipSync(files));
    await work(dir, unzip(archive, join(dir, "in"), { maxBytes }));
  });
}

/** Asserts that an archive is refused before anything is written. */
function refused(files: Zippable | Uint8Array, pattern: RegExp, maxBytes?: number): Promise<void> {
  return attempt(files, async (dir, done) => {
    await assert.rejects(done, (error) => {
      assert.ok(error instanceof CorpusError, String(error));
      assert.match(error.message, pattern);
      assert.match(error.message, /a\.zip: .*\.$/s);
      return true;
    });
    assert.deepEqual(readdirSync(dir), ["a.zip"]);
  }, maxBytes);
}

/** Replaces bytes at the nth place where a pattern stands. */
function patch(archive: Uint8Array, pattern: Uint8Array, replacement: (at: number) => void): Uint8Array {
  for (let at = 0; at + pattern.length <= archive.length; at++) {
    if (pattern.every((byte, i) => archive[at + i] === byte)) replacement(at);
  }
  return archive;
}

const CENTRAL = bytes("PK\x01\x02");

Deno.test("an archive is unpacked with its folders, stored and deflated alike", async () => {
  await attempt({
    "Actor_01/a.wav": [bytes("a".repeat(1000)), { level: 9 }],
    "Actor_01/b.wav": [bytes("b"), { level: 0 }],
    "Actor_02/": new Uint8Array(0),
    "empty.txt": new Uint8Array(0),
  }, async (dir, done) => {
    assert.deepEqual(await done, ["Actor_01/a.wav", "Actor_01/b.wav", "empty.txt"]);
    assert.equal(readFileSync(join(dir, "in/Actor_01/a.wav"), "utf8"), "a".repeat(1000));
    assert.equal(readFileSync(join(dir, "in/Actor_01/b.wav"), "utf8"), "b");
    assert.equal(readFileSync(join(dir, "in/empty.txt"), "utf8"), "");
  });
});

Deno.test("only what is wanted is unpacked", async () => {
  await inFolder(async (dir) => {
    writeFileSync(join(dir, "a.zip"), zipSync({ "x/a.wav": bytes("a"), "x/b.txt": bytes("b") }));
    const steps: [number, number][] = [];
    const names = await unzip(join(dir, "a.zip"), join(dir, "in"), {
      maxBytes: 10,
      accept: (path) => path.endsWith(".wav"),
      onProgress: (done, total) => steps.push([done, total]),
    });
    assert.deepEqual(names, ["x/a.wav"]);
    assert.deepEqual(steps, [[1, 1]]);
    assert.ok(!existsSync(join(dir, "in/x/b.txt")));
  });
});

Deno.test("a path that leads out of the folder is refused, however it is written", async () => {
  for (
    const path of [
      "../evil.txt",
      "a/../../evil.txt",
      "a/..",
      "/etc/evil.txt",
      "C:/evil.txt",
      "C:evil.txt",
      "..\\evil.txt",
      "a\\..\\..\\evil.txt",
      "./evil.txt",
      "a\u0000.txt",
      "ä\n.txt",
    ]
  ) await refused({ "good.txt": bytes("good"), [path]: bytes("evil") }, /entry|contents/);
});

Deno.test("links and devices are refused", async () => {
  for (const kind of [0o120777, 0o060666, 0o020666, 0o010666]) {
    await refused({ link: [bytes("/etc/passwd"), { os: 3, attrs: kind * 65536 }] }, /"link" is a link or a device/);
  }
  await attempt({ "plain.txt": [bytes("x"), { os: 3, attrs: 0o100644 * 65536 }] }, async (_dir, done) => {
    assert.deepEqual(await done, ["plain.txt"]);
  });
});

Deno.test("an archive that would unpack to more than allowed is refused before it is unpacked", async () => {
  await refused({ "zeros.wav": new Uint8Array(2_000_000) }, /unpack to more than 1000000 bytes/);
  await refused({ a: new Uint8Array(600_000), b: new Uint8Array(600_000) }, /unpack to more than 1000000 bytes/);
});

Deno.test("an entry that holds more than it declares is stopped at its declared size", async () => {
  // A bomb that says it is small: the declared size in the table of contents is cut to 10 bytes.
  const archive = zipSync({ "bomb.wav": new Uint8Array(5_000_000) });
  patch(archive, CENTRAL, (at) => new DataView(archive.buffer).setUint32(at + 24, 10, true));
  await attempt(archive, async (dir, done) => {
    await assert.rejects(done, (error) => error instanceof CorpusError && /"bomb\.wav" is damaged/.test(error.message));
    assert.ok(!existsSync(join(dir, "in/bomb.wav")) || readFileSync(join(dir, "in/bomb.wav")).length <= 10);
  });
});

Deno.test("overlapping entries and names that come twice are refused", async () => {
  const archive = zipSync({ "a.wav": [bytes("x".repeat(500)), { level: 0 }], "b.wav": bytes("b") });
  patch(archive, CENTRAL, (at) => new DataView(archive.buffer).setUint32(at + 20, 600, true));
  await refused(archive, /overlap|contents/);
  await refused({ "A/x.wav": bytes("1"), "a/X.wav": bytes("2") }, /holds "a\/X\.wav" twice/);
});

Deno.test("encrypted entries and unknown methods are refused", async () => {
  const encrypted = zipSync({ "a.wav": bytes("x") });
  patch(encrypted, CENTRAL, (at) => encrypted[at + 8]! |= 1);
  await refused(encrypted, /"a\.wav" is encrypted/);
  const strange = zipSync({ "a.wav": bytes("x") });
  patch(strange, CENTRAL, (at) => strange[at + 10] = 99);
  await refused(strange, /"a\.wav" is packed by method 99/);
});

Deno.test("damaged content is found by its checksum, a damaged archive by its structure", async () => {
  const damaged = zipSync({ "a.wav": [bytes("abcdefgh".repeat(10)), { level: 0 }] });
  patch(damaged, bytes("abcdefgh".repeat(10)), (at) => damaged[at + 5]! ^= 1);
  await attempt(damaged, async (_dir, done) => {
    await assert.rejects(done, /"a\.wav" is damaged, its content has the CRC/);
  });
  const deflated = zipSync({ "a.wav": bytes(Array.from({ length: 300 }, (_, i) => i * i).join()) });
  await refused(deflated.slice(0, deflated.length - 30), /cannot be opened as a zip archive/);
  await refused(bytes("<html>not a zip</html>"), /cannot be opened as a zip archive/);
  await refused(new Uint8Array(0), /cannot be opened as a zip archive/);
  await inFolder(async (dir) => {
    await assert.rejects(
      unzip(join(dir, "none.zip"), dir, { maxBytes: 1 }),
      /none\.zip: cannot be opened .*no such file/,
    );
  });
});

Deno.test("no mutation of an archive ends in anything but files or one error, and none writes outside", async () => {
  const { RandomState } = await import("../../lib/random.ts");
  const rng = new RandomState(20240607);
  const good = zipSync({ "x/a.wav": bytes("hello ".repeat(50)), "x/b.wav": [bytes("stored"), { level: 0 }] });
  for (let round = 0; round < 150; round++) {
    const archive = good.slice();
    for (let flips = 1 + round % 4; flips > 0; flips--) {
      archive[rng.randint(0, archive.length)]! ^= 1 << rng.randint(0, 8);
    }
    const cut = round % 5 === 0 ? archive.slice(0, rng.randint(0, archive.length)) : archive;
    await attempt(cut, async (dir, done) => {
      await done.catch((error) => assert.equal(error.name, "CorpusError", `round ${round}: ${error.stack}`));
      assert.ok(readdirSync(dir).every((name) => name === "a.zip" || name === "in"));
    });
  }
});
