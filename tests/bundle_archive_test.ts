import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { zipSync } from "fflate";
import { type BundleFiles, decodeBundle } from "../lib/bundle.ts";
import { packBundle, unpackBundle } from "../lib/bundle_archive.ts";
import { readBundle, readBundleFiles, writeBundleFiles } from "../lib/bundle_files.ts";
import { FormatError, SerlabError, WriteError } from "../lib/errors.ts";
import { predict } from "../lib/predict.ts";
import { stream } from "../lib/random.ts";
import { temporaryFolder } from "./study/small.ts";

const folder = fileURLToPath(new URL("../results/bundles/004-scaled", import.meta.url));
const files = readBundleFiles(folder);

/** Decoding either gives the same bundle or is refused in one sentence. */
async function refusedOrSame(read: () => BundleFiles, what: string): Promise<"refused" | "same"> {
  try {
    const { sha256 } = await decodeBundle(read(), "b");
    assert.equal(sha256, (await decodeBundle(files, "b")).sha256, what);
    return "same";
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    assert.ok(error instanceof FormatError, `${what}: ${error}`);
    assert.match(error.message, /^b[^\n]*\.$/, what);
    return "refused";
  }
}

Deno.test("a folder and a .serlab file read alike, and equal bundles are equal bytes", async () => {
  const out = temporaryFolder(), path = join(out, "one.serlab");
  writeBundleFiles(path, files);
  writeBundleFiles(join(out, "two"), files);
  const [one, two] = [await readBundle(path), await readBundle(join(out, "two"))];
  assert.deepEqual(one.info, two.info);
  assert.equal(one.card, two.card);
  assert.deepEqual(packBundle(new Map([...files].reverse())), new Uint8Array(readFileSync(path)));
  assert.deepEqual(readdirSync(join(out, "two")).sort(), [...files.keys()].sort());
});

Deno.test("any byte of a bundle that is changed is refused, or changes nothing that is read", async () => {
  const rng = stream(0, "flip");
  for (const [name, bytes] of files) {
    for (let i = 0; i < 12; i++) {
      const changed = bytes.slice();
      changed[rng.randint(0, bytes.length)]! ^= 1 << rng.randint(0, 8);
      const outcome = await refusedOrSame(() => new Map(files).set(name, changed), `${name} flipped`);
      // JSON may be spelt in several ways; of every other file each bit counts.
      if (name !== "bundle.json") assert.equal(outcome, "refused", name);
    }
    if (name === "bundle.json") continue;
    const lacking = new Map(files);
    lacking.delete(name);
    assert.equal(await refusedOrSame(() => lacking, `${name} missing`), "refused");
    assert.equal(await refusedOrSame(() => new Map(files).set(name, bytes.slice(1)), `${name} cut`), "refused");
  }
  const archive = packBundle(files);
  let refused = 0;
  for (let i = 0; i < 60; i++) {
    const changed = archive.slice();
    // Half of them in the directory at the end, where the names and sizes stand.
    const at = i % 2 ? archive.length - 1 - rng.randint(0, 400) : rng.randint(0, archive.length);
    changed[at]! ^= 1 << rng.randint(0, 8);
    if (await refusedOrSame(() => unpackBundle(changed, "b"), `byte ${at}`) === "refused") refused++;
  }
  assert.ok(refused > 30, String(refused));
  for (const length of [0, 3, 30, 1000, archive.length - 1]) {
    assert.equal(
      await refusedOrSame(() => unpackBundle(archive.subarray(0, length), "b"), `cut at ${length}`),
      "refused",
    );
  }
});

/** `bundle.json` with a value replaced and its hash made anew, as anyone can. */
async function forged(change: (body: Record<string, unknown>) => void): Promise<BundleFiles> {
  const { sha256: _, ...body } = JSON.parse(new TextDecoder().decode(files.get("bundle.json")));
  change(body);
  const text = (value: unknown): Uint8Array<ArrayBuffer> =>
    new TextEncoder().encode(JSON.stringify(value, null, 1) + "\n");
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", text(body)));
  const sha256 = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return new Map(files).set("bundle.json", text({ ...body, sha256 }));
}

Deno.test("a bundle that is forged with a fitting hash is refused or answers; it never breaks the program", async () => {
  const rng = stream(1, "forge");
  const odd: readonly unknown[] = [null, -1, 0, 1e308, "", "__proto__", [], {}, [null], true, "1", 1.5, { length: 3 }];
  const samples = Float32Array.from({ length: 24000 }, (_, i) => 0.2 * Math.sin(i / 30) + 0.01 * Math.sin(i * i));
  let refused = 0;
  for (let i = 0; i < 250; i++) {
    const path: string[] = [];
    const value = odd[rng.randint(0, odd.length)];
    const changed = await forged((body) => {
      let at: Record<string, unknown> = body;
      for (;;) {
        const keys = Object.keys(at), key = keys[rng.randint(0, keys.length)]!;
        path.push(key);
        const inner = at[key];
        if (inner !== null && typeof inner === "object" && Object.keys(inner).length > 0 && rng.uniform(0, 1) < 0.75) {
          at = inner as Record<string, unknown>;
          continue;
        }
        at[key] = value;
        return;
      }
    });
    const what = `${path.join(".")} = ${JSON.stringify(value)}`;
    try {
      const bundle = await decodeBundle(changed, "b");
      const { probabilities } = await predict(bundle, { samples, sampleRateHz: 8000 });
      assert.ok(Object.values(probabilities).every((p) => p >= 0 && p <= 1), what);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      assert.ok(error instanceof SerlabError, `${what}: ${(error as Error).stack}`);
      assert.ok(!error.message.includes("\n"), what);
      refused++;
    }
  }
  assert.ok(refused > 100 && refused < 250, String(refused));
});

Deno.test("an archive with compressed, strange or too many entries is refused before it is read", () => {
  const bomb = new Uint8Array(4_000_000);
  const entries = (more: Record<string, Uint8Array>): Record<string, Uint8Array> => ({
    "bundle.json": files.get("bundle.json")!,
    ...more,
  });
  const cases: [Uint8Array, RegExp][] = [
    [zipSync({ "weights.bin": bomb }, { level: 9 }), /weights\.bin is compressed/],
    [zipSync(entries({ "../../evil": bomb.subarray(0, 3) }), { level: 0 }), /holds "\.\.\/\.\.\/evil"/],
    [zipSync(entries({ "run.js": bomb.subarray(0, 3) }), { level: 0 }), /holds "run\.js", which is no part/],
    [new TextEncoder().encode("PK but no archive"), /not a bundle, which is a folder or a \.serlab file/],
    [Uint8Array.of(0x50, 0x4b, 3, 4, 9, 9, 9), /is damaged/],
  ];
  for (const [bytes, reason] of cases) {
    assert.throws(() => unpackBundle(bytes, "b.serlab"), (error: Error) => {
      assert.ok(error instanceof FormatError, String(error));
      assert.match(error.message, reason);
      return true;
    });
  }
});

Deno.test("a file beside a bundle's own is left alone, one that bundle.json does not name is refused", async () => {
  const out = join(temporaryFolder(), "b");
  writeBundleFiles(out, files);
  writeFileSync(join(out, "notes.txt"), "mine");
  assert.equal((await readBundle(out)).info.name, "004-scaled");
  const named = new Map(files).set("later.bin", new Uint8Array(3));
  await assert.rejects(decodeBundle(named, "b"), /later\.bin: does not belong to the bundle/);
});

Deno.test("a folder that is there and no bundle is never replaced", () => {
  const out = join(temporaryFolder(), "photos");
  mkdirSync(out);
  writeFileSync(join(out, "a.jpg"), "");
  assert.throws(() => writeBundleFiles(out, files), (error: Error) => {
    assert.ok(error instanceof WriteError);
    assert.match(error.message, /it is there and no bundle/);
    return true;
  });
  assert.deepEqual(readdirSync(out), ["a.jpg"]);
});
