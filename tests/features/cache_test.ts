import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { UsageError, WriteError } from "../../lib/errors.ts";
import { defaultFeatureCacheFolder, FeatureCache } from "../../lib/features/cache.ts";
import { recipe } from "../../lib/features/recipes.ts";
import { sha256Hex } from "../../lib/io.ts";
import { RandomState } from "../../lib/random.ts";
import type { NdArray } from "../../lib/types.ts";

const vector = recipe("study002");
const content = sha256Hex("a clip");
const array: NdArray = { data: Float32Array.of(1, -0, NaN, Infinity, 1e-45, 0.1), shape: [2, 3] };

async function inFolder(work: (cache: FeatureCache, dir: string) => void | Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "serlab-cache-"));
  try {
    await work(new FeatureCache(dir), dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function bits({ data }: NdArray): number[] {
  return [...new Uint32Array(data.buffer, data.byteOffset, data.length)];
}

Deno.test("what was put is got back bit for bit, also by another process's cache; anything else is not there", async () => {
  await inFolder((cache, dir) => {
    const key = { content, recipe: vector };
    assert.equal(cache.get(key), null);
    cache.put(key, array);
    const again = new FeatureCache(dir).get(key)!;
    assert.deepEqual(again.shape, [2, 3]);
    assert.deepEqual(bits(again), bits(array));
    const record = { name: "gain", version: 1, params: { gainDb: 1 } };
    for (
      const other of [
        { content: sha256Hex("another clip"), recipe: vector },
        { content, recipe: recipe("study004") },
        { content, recipe: { ...vector, version: vector.version + 1 } },
        { content, recipe: { ...vector, parameters: { ...vector.parameters, hopLength: 1 } } },
        { ...key, augmentation: record },
      ]
    ) assert.equal(cache.get(other), null);
    cache.put({ ...key, augmentation: record }, { data: Float32Array.of(7), shape: [1] });
    // The order of a record's fields is no part of it.
    const reordered = { params: { gainDb: 1 }, version: 1, name: "gain" };
    assert.deepEqual([...cache.get({ ...key, augmentation: reordered })!.data], [7]);
    assert.deepEqual(bits(cache.get(key)!), bits(array));
    assert.equal(cache.damaged, 0);
  });
});

Deno.test("an array of no values and one of many are kept", async () => {
  await inFolder((cache) => {
    const key = { content, recipe: vector };
    for (const length of [0, 1, 100_003]) {
      const data = Float32Array.from(new RandomState(1).randomSample(length));
      cache.put(key, { data, shape: [length] });
      assert.deepEqual(cache.get(key), { data, shape: [length] });
    }
    // A view into a larger buffer is kept as what it shows.
    const large = Float32Array.from({ length: 10 }, (_, i) => i);
    cache.put(key, { data: large.subarray(3, 5), shape: [2] });
    assert.deepEqual([...cache.get(key)!.data], [3, 4]);
  });
});

Deno.test("an entry with any bit flipped, any end cut off or anything added is not trusted, and can be put again", async () => {
  await inFolder((cache) => {
    const key = { content, recipe: vector };
    cache.put(key, array);
    const path = cache.path(key), good = readFileSync(path);
    const expected = bits(array);
    let damaged = 0;
    const check = (bytes: Uint8Array) => {
      writeFileSync(path, bytes);
      assert.equal(cache.get(key), null);
      assert.equal(cache.damaged, ++damaged);
    };
    for (let at = 0; at < good.length; at++) {
      const bad = Uint8Array.from(good);
      bad[at]! ^= 1 << (at % 8);
      check(bad);
    }
    for (let length = 0; length < good.length; length++) check(good.subarray(0, length));
    check(Uint8Array.from([...good, 0]));
    check(new Uint8Array(1000));
    cache.put(key, array);
    assert.deepEqual(bits(cache.get(key)!), expected);
  });
});

Deno.test("an intact entry under another key's name is not trusted", async () => {
  await inFolder((cache) => {
    const key = { content, recipe: vector }, other = { content: sha256Hex("other"), recipe: recipe("study004") };
    cache.put(key, array);
    mkdirSync(dirname(cache.path(other)), { recursive: true });
    renameSync(cache.path(key), cache.path(other));
    assert.equal(cache.get(other), null);
    assert.equal(cache.damaged, 1);
  });
});

Deno.test("writers at once and readers between them never meet half an entry", async () => {
  await inFolder(async (cache, dir) => {
    const program = `
      import { FeatureCache } from ${JSON.stringify(new URL("../../lib/features/cache.ts", import.meta.url).href)};
      import { recipe } from ${JSON.stringify(new URL("../../lib/features/recipes.ts", import.meta.url).href)};
      const cache = new FeatureCache(Deno.args[0]);
      const id = Number(Deno.args[1]);
      for (let round = 0; round < 60; round++) {
        for (let i = 0; i < 5; i++) {
          const key = { content: String(i).repeat(64), recipe: recipe("study002") };
          cache.put(key, { data: new Float32Array(20000).fill(id * 1000 + round), shape: [20000] });
          const seen = cache.get(key);
          if (!seen || !seen.data.every((x) => x === seen.data[0])) Deno.exit(3);
        }
      }
      if (cache.damaged) Deno.exit(4);`;
    const file = join(dir, "writer.ts");
    writeFileSync(file, program);
    const shelf = join(dir, "shelf");
    const outcomes = await Promise.all([1, 2, 3].map((id) =>
      new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", "--no-lock", file, shelf, String(id)],
        stderr: "piped",
      }).output()
    ));
    for (const { code, stderr } of outcomes) assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.equal(new FeatureCache(shelf).size().entries, 5);
    assert.equal(cache.damaged, 0);
  });
});

Deno.test("a writer killed at any moment leaves entries that are whole, and pruning clears what it left", async () => {
  await inFolder(async (_cache, dir) => {
    const shelf = join(dir, "shelf"), file = join(dir, "writer.ts");
    writeFileSync(
      file,
      `
      import { FeatureCache } from ${JSON.stringify(new URL("../../lib/features/cache.ts", import.meta.url).href)};
      import { recipe } from ${JSON.stringify(new URL("../../lib/features/recipes.ts", import.meta.url).href)};
      const cache = new FeatureCache(Deno.args[0]);
      console.log("ready");
      for (let i = 0;; i++) {
        const key = { content: (i % 256).toString(16).padStart(2, "0").repeat(32), recipe: recipe("study002") };
        cache.put(key, { data: new Float32Array(200_000).fill(i), shape: [200_000] });
      }`,
    );
    for (const delay of [0, 13, 37, 80]) {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", "--no-lock", file, shelf],
        stdout: "piped",
        stderr: "null",
      }).spawn();
      const reader = child.stdout.getReader();
      await reader.read();
      await new Promise((done) => setTimeout(done, delay));
      child.kill("SIGKILL");
      await reader.cancel();
      await child.status;
    }
    const cache = new FeatureCache(shelf);
    let seen = 0;
    for (let i = 0; i < 256; i++) {
      const found = cache.get({ content: i.toString(16).padStart(2, "0").repeat(32), recipe: vector });
      if (found) {
        assert.ok(found.data.every((x) => x === found.data[0]));
        seen++;
      }
    }
    assert.ok(seen > 0);
    assert.equal(cache.damaged, 0);
    const left = readdirSync(shelf, { recursive: true }).map(String).filter((name) => name.endsWith(".tmp"));
    for (const name of left) utimesSync(join(shelf, name), 0, 0);
    cache.prune();
    assert.equal(readdirSync(shelf, { recursive: true }).map(String).filter((name) => name.endsWith(".tmp")).length, 0);
    assert.equal(cache.size().entries, seen);
  });
});

Deno.test("the size is told by recipe, and pruning keeps what was used last", async () => {
  await inFolder((cache) => {
    const keys = [0, 1, 2, 3].map((i) => ({
      content: sha256Hex(String(i)),
      recipe: recipe(i < 3 ? "study002" : "study004"),
    }));
    keys.forEach((key, i) => {
      cache.put(key, { data: new Float32Array(1000).fill(i), shape: [1000] });
      const days = Date.now() / 1000 - 86_400 * (10 + i);
      utimesSync(cache.path(key), days, days);
    });
    const size = cache.size();
    assert.equal(size.entries, 4);
    assert.deepEqual(size.recipes.map(({ recipe, entries }) => [recipe.replace(/-.*/, ""), entries]), [
      ["study002", 3],
      ["study004", 1],
    ]);
    assert.equal(size.bytes, size.recipes.reduce((sum, each) => sum + each.bytes, 0));
    assert.ok(size.bytes > 16_000 && size.bytes < 17_500);
    // Using an entry makes it the newest.
    assert.ok(cache.get(keys[3]!));
    assert.deepEqual(cache.prune({ maxBytes: size.bytes / 2 + 100 }).entries, 2);
    assert.deepEqual(keys.map((key) => cache.get(key) !== null), [true, false, false, true]);
    utimesSync(cache.path(keys[0]!), 0, 0);
    assert.equal(cache.prune({ maxDays: 30 }).entries, 1);
    assert.equal(cache.size().entries, 1);
    assert.equal(cache.prune({ maxBytes: 0 }).entries, 1);
    assert.deepEqual(readdirSync(cache.dir), []);
    assert.deepEqual(cache.prune(), { entries: 0, bytes: 0 });
    assert.throws(() => cache.prune({ maxBytes: -1 }), UsageError);
  });
});

Deno.test("entries of other numbers are not found and go with the next pruning; young temporary files stay", async () => {
  await inFolder((cache, dir) => {
    const key = { content, recipe: vector };
    cache.put(key, array);
    const old = cache.path(key).replace(/numbers-\d+/, "numbers-0");
    mkdirSync(dirname(old), { recursive: true });
    renameSync(cache.path(key), old);
    writeFileSync(`${cache.path(key)}.1-ab.tmp`, "half");
    assert.equal(cache.get(key), null);
    assert.equal(cache.prune().entries, 1);
    assert.ok(!existsSync(old));
    assert.ok(existsSync(`${cache.path(key)}.1-ab.tmp`));
    assert.ok(existsSync(dir));
  });
});

Deno.test("what cannot be written is said, a key that is no hash is refused, a missing folder is an empty cache", async () => {
  await inFolder((_cache, dir) => {
    writeFileSync(join(dir, "file"), "");
    const key = { content, recipe: vector };
    const blocked = new FeatureCache(join(dir, "file"));
    assert.throws(() => blocked.put(key, array), WriteError);
    assert.equal(blocked.get(key), null);
    assert.deepEqual(new FeatureCache(join(dir, "none")).size(), { entries: 0, bytes: 0, recipes: [] });
    assert.throws(() => blocked.get({ content: "../../etc/passwd", recipe: vector }), UsageError);
  });
});

Deno.test("the default folder is SERLAB_CACHE's, else data/cache, which git ignores", () => {
  const before = Deno.env.get("SERLAB_CACHE");
  try {
    Deno.env.set("SERLAB_CACHE", "/somewhere");
    assert.equal(defaultFeatureCacheFolder(), join("/somewhere", "features"));
    Deno.env.delete("SERLAB_CACHE");
    assert.ok(defaultFeatureCacheFolder().endsWith(join("data", "cache", "features")));
  } finally {
    if (before !== undefined) Deno.env.set("SERLAB_CACHE", before);
  }
});
