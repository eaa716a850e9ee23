import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FormatError, WriteError } from "../../lib/errors.ts";
import type { ManifestRow } from "../../lib/types.ts";
import { type Manifest, manifestHash, readManifest, writeManifest } from "../../lib/corpora/mod.ts";
import { inFolder, writeFiles } from "./temporary.ts";

const row = (name: string, change: Partial<ManifestRow> = {}): ManifestRow => ({
  key: `savee/${name}`,
  path: `DC/${name}.wav`,
  corpus: "savee",
  speaker: "savee-DC",
  sex: "male",
  emotion: "angry",
  sentence: name,
  channel: "speech",
  sha256: "0123456789abcdef".repeat(4),
  bytes: 100,
  durationSec: 1.25,
  sampleRateHz: 44100,
  channels: 1,
  ...change,
});

const manifest: Manifest = { rows: [row("b"), row("a")], missing: ["savee/c"] };

Deno.test("a manifest is read back as it was written, in its own order, with a header line first", async () => {
  await inFolder((dir) => {
    const path = join(dir, "new", "savee.jsonl");
    writeManifest(path, manifest);
    const lines = readFileSync(path, "utf8").split("\n");
    assert.equal(lines.length, 4);
    const header = JSON.parse(lines[0]!);
    assert.equal(header.format, "serlab-manifest");
    assert.equal(header.version, 1);
    assert.equal(header.rows, 2);
    assert.equal(header.hash, manifestHash(manifest.rows));
    assert.deepEqual(readManifest(path), { rows: [row("a"), row("b")], missing: ["savee/c"] });
    const first = readFileSync(path);
    writeManifest(path, { ...manifest, rows: [...manifest.rows].reverse() });
    assert.deepEqual(readFileSync(path), first);
    return Promise.resolve();
  });
});

Deno.test("the hash of a manifest changes with key, content and label, and with nothing else", () => {
  const hash = manifestHash([row("a"), row("b")]);
  assert.equal(hash, "b1ce1adad1cded5ab6c9e04aaa084288f2173c3692d8e93812bc4f967df00ae6");
  assert.equal(manifestHash([row("b", { path: "elsewhere.wav", durationSec: 9 }), row("a")]), hash);
  assert.notEqual(manifestHash([row("a"), row("c")]), hash);
  assert.notEqual(manifestHash([row("a"), row("b", { emotion: "sad" })]), hash);
  assert.notEqual(manifestHash([row("a"), row("b", { sha256: "f".repeat(64) })]), hash);
  assert.notEqual(manifestHash([row("a")]), hash);
});

Deno.test("what is no manifest, or was changed, is refused with file, line and rule", async () => {
  await inFolder((dir) => {
    const path = join(dir, "m.jsonl");
    writeManifest(path, manifest);
    const [header, a, b] = readFileSync(path, "utf8").trimEnd().split("\n") as [string, string, string];
    const changed = (change: Partial<Record<keyof ManifestRow, unknown>>) =>
      JSON.stringify({ ...JSON.parse(a), ...change });
    const cases: [string, RegExp][] = [
      ["", /m\.jsonl: not a manifest/],
      ["{}", /not a manifest/],
      ["null\n", /not a manifest/],
      ["key,path\n", /m\.jsonl:1: this line of a manifest is not JSON/],
      [header.replace('"version":1', '"version":2'), /version 2 of manifests is unknown/],
      [`${header}\n${a}`, /declares 2 rows, but 1 are there/],
      [`${header}\n${a}\n${b.slice(0, 40)}`, /m\.jsonl:3: this line of a manifest is not JSON/],
      [`${header}\n${a}\n${a}`, /the key savee\/a stands there twice/],
      [`${header}\n${changed({ emotion: "sad" })}\n${b}`, /do not have the hash/],
      [`${header}\n${changed({ emotion: "glad" })}\n${b}`, /m\.jsonl:2: "emotion" .* cannot be "glad"/],
      [`${header}\n${changed({ path: "../../etc/passwd" })}\n${b}`, /"path"/],
      [`${header}\n${changed({ path: "/etc/passwd" })}\n${b}`, /"path"/],
      [`${header}\n${changed({ path: "C:\\x.wav" })}\n${b}`, /"path"/],
      [`${header}\n${changed({ sha256: "ABC" })}\n${b}`, /"sha256"/],
      [`${header}\n${changed({ bytes: -1 })}\n${b}`, /"bytes"/],
      [`${header}\n${changed({ channels: 0 })}\n${b}`, /"channels"/],
      [`${header}\n${changed({ durationSec: null })}\n${b}`, /"durationSec"/],
      [`${header}\n${changed({ speaker: undefined })}\n${b}`, /"speaker" .* cannot be absent/],
      [`${header}\n[]\n${b}`, /must be a JSON object/],
    ];
    for (const [content, pattern] of cases) {
      writeFileSync(path, content);
      assert.throws(
        () => readManifest(path),
        (error) => error instanceof FormatError && pattern.test(error.message),
        content,
      );
    }
    assert.throws(() => readManifest(join(dir, "none.jsonl")), /none\.jsonl: cannot be read, no such file or folder\./);
    return Promise.resolve();
  });
});

Deno.test("a manifest that cannot be written leaves nothing behind", async () => {
  await inFolder((dir) => {
    writeFiles(dir, { file: "" });
    assert.throws(() => writeManifest(join(dir, "file", "m.jsonl"), manifest), WriteError);
    return Promise.resolve();
  });
});
