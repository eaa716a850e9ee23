import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { demo } from "../../experiments/demo.ts";
import { encodeWav } from "../../lib/audio/mod.ts";
import { readBundle, writeBundle } from "../../lib/bundle_files.ts";
import { findCorpora } from "../../lib/corpora/mod.ts";
import { recipe, recipeHash } from "../../lib/features/recipes.ts";
import { study003Conv2d } from "../../lib/models/mod.ts";
import { decodeNpy } from "../../lib/npy.ts";
import { featuresOf, runStudy } from "../../lib/study/run.ts";
import { engine } from "../engine/engine_for_tests.ts";
import { prepareSmall, smallCorpus, temporaryFolder } from "../study/small.ts";
import { hasStack, root, serlab, start } from "./run_cli.ts";

const folder = temporaryFolder();
const bundle = join(folder, "bundles", "demo");
const prepared = await prepareSmall(demo);
await runStudy(prepared, { variant: "cnn", protocol: "clean", seed: 0, out: folder, engine, epochs: 1, bundle });
const good = join(await smallCorpus(), prepared.rows[0]!.path);

/** A file with the given bytes. */
function file(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const tone = (n: number, rate = 16000): Uint8Array =>
  encodeWav({ samples: Float32Array.from({ length: n }, (_, i) => 0.3 * Math.sin(i / 5)), sampleRateHz: rate });

Deno.test("predict answers good files and names bad ones, in one line each, without a stack trace", async () => {
  const nan = encodeWav({ samples: Float32Array.of(0, 0.5, 0.5), sampleRateHz: 16000 }, { encoding: "float32" });
  new DataView(nan.buffer).setFloat32(nan.length - 4, NaN, true);
  const bad: [string, string, RegExp][] = [
    ["text.wav", file("text.wav", "this is not audio at all, only words"), /not/],
    ["empty.wav", file("empty.wav", ""), /empty/],
    ["truncated.wav", file("truncated.wav", tone(16000).slice(0, 9000)), /./],
    ["none.wav", file("none.wav", tone(0)), /no samples/],
    ["nan.wav", file("nan.wav", nan), /NaN|finite/],
    ["missing.wav", join(folder, "missing.wav"), /no such file/],
    ["folder", temporaryFolder(), /this folder holds no audio that is read/],
  ];
  const silence = file("silence.wav", encodeWav({ samples: new Float32Array(16000), sampleRateHz: 16000 }));
  const { code, out, err } = await serlab(["predict", bundle, good, ...bad.map(([, path]) => path), silence, "--json"]);
  assert.equal(code, 1, err);
  assert.ok(!hasStack(out + err), err);
  const lines = out.trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(lines.length, bad.length + 2);
  assert.deepEqual(Object.keys(lines[0]), ["file", "emotion", "abstained", "probabilities", "warnings"]);
  assert.equal(lines[0].file, good);
  bad.forEach(([name, path, rule], i) => {
    const { error, file } = lines[i + 1];
    assert.equal(file, path);
    assert.ok(error.startsWith(path), `${name}: ${error}`);
    assert.match(error, rule, name);
    assert.ok(!error.includes("\n"));
  });
  assert.match(lines.at(-1).warnings.join(), /silent/);
  assert.equal(lines.at(-1).abstained, true);
});

Deno.test("predict exits with 2 for one bad file or a bad bundle, with 0 for a good one", async () => {
  const text = file("words.wav", "words");
  const one = await serlab(["predict", bundle, text]);
  assert.equal(one.code, 2);
  assert.match(one.err, /^serlab: .*words\.wav: .*\.\n$/);
  const none = await serlab(["predict", join(folder, "nothing"), good]);
  assert.equal(none.code, 2);
  assert.match(none.err, /nothing: no such bundle/);
  const fine = await serlab(["predict", bundle, good]);
  assert.equal(fine.code, 0, fine.err);
  assert.match(fine.out, /Actor_01.*: \w+ — \w+ \d+\.\d %/);
});

Deno.test("predict needs no network and starts no program", async () => {
  const permissions = ["--allow-read", "--allow-write", "--allow-env", "--allow-sys", "--allow-ffi"];
  const { code, err } = await serlab(["predict", bundle, good], { permissions });
  assert.equal(code, 0, err);
});

Deno.test("wrong use ends with one line and exit code 2", async () => {
  const cases: [string[], RegExp][] = [
    [["study", "999"], /There is no study 999; there are 000/],
    [["study", "000", "--variant", "best"], /has no variant best; it has vanilla, optimised, .*, ablation, all\./],
    [["study", "000", "--protocol", "magic"], /has no protocol magic; it has as-published, clean, .*, ladder, all\./],
    [["study", "000", "--seeds", "0"], /--seeds takes a whole number of 1 or more, not 0/],
    [["study", "000", "--fraction", "2"], /--fraction takes a number above 0 and up to 1, not 2/],
    [["sweep", "000", "--fraction", "2"], /--fraction takes a number above 0 and up to 1, not 2/],
    [["study", "000", "--corpora", join(folder, "nowhere")], /nowhere.*data get/s],
    [["study", "000", "--backend", "abacus"], /abacus.*native, webgpu, wasm/s],
    [["features", good, "--recipe", "nonsense", "--out", folder], /no recipe "nonsense"; there are study000/],
    [["features", good], /--recipe is missing/],
    [["dance"], /unknown command 'dance'/],
  ];
  for (const [args, message] of cases) {
    const { code, err, out } = await serlab(args);
    assert.equal(code, 2, `${args.join(" ")}: ${err}`);
    assert.match(err, message);
    assert.ok(!hasStack(err), err);
    assert.equal(out, "");
  }
});

Deno.test("an --out that cannot be written is said in one line and leaves nothing", async () => {
  const blocked = file("occupied", "a file where a folder should be");
  const { code, err } = await serlab(["features", good, "--recipe", "study000", "--out", join(blocked, "deeper")]);
  assert.equal(code, 2);
  assert.match(err, /^serlab: .*occupied.*: cannot be written, a part of the path is a file, not a folder\.\n$/);
  const study = await serlab(["study", "000", "--corpora", folder, "--out", blocked]);
  assert.equal(study.code, 2);
  assert.match(study.err, /^serlab: .*occupied: cannot be written, [^\n]*\.\n$/, "said before any work is done");
});

Deno.test("features writes one .npy a file, the same as the recipe gives, and goes on after a bad file", async () => {
  const out = join(folder, "npy");
  const { code, err } = await serlab(["features", good, file("bad.wav", "bad"), "--recipe", "study000", "--out", out]);
  assert.equal(code, 1);
  assert.match(err, /bad\.wav/);
  const [name] = readdirSync(out);
  assert.equal(readdirSync(out).length, 1, "nothing half-written beside it");
  const { shape, data } = decodeNpy(readFileSync(join(out, name!)), name!);
  assert.deepEqual(shape, [64, 64]);
  const { x } = await featuresOf(prepared, { variant: "cnn", protocol: "clean", seed: 0 });
  assert.deepEqual(data, x.data.slice(0, 4096));
});

Deno.test("a small model needs no engine; a backend that is not there is an error when asked for", async () => {
  // Without the permission for native code the addon cannot be loaded, as on a machine that lacks it.
  const permissions = ["--allow-read", "--allow-write", "--allow-env", "--allow-sys"];
  const asked = await serlab(["predict", bundle, good, "--backend", "native"], { permissions });
  assert.equal(asked.code, 2);
  assert.match(asked.err, /^serlab: Backend native is not there: [^\n]*\.\n$/);
  const unasked = await serlab(["predict", bundle, good, "--json"], { permissions });
  assert.equal(unasked.code, 0, unasked.err);
  assert.ok(!/engine/.test(unasked.err), unasked.err);
  const other = await serlab(["predict", bundle, good, "--json", "--backend", engine.backend]);
  const [a, b] = [unasked.out, other.out].map((text) => JSON.parse(text).probabilities as Record<string, number>);
  for (const label of demo.labels) assert.ok(Math.abs(a![label]! - b![label]!) < 1e-5, label);
});

Deno.test("a large model starts the engine, and wasm says how to get native", async () => {
  const large = join(folder, "bundles", "large");
  const model = study003Conv2d({ classes: 6, seed: 0 });
  const { info } = await readBundle(bundle);
  await writeBundle(large, {
    ...info,
    features: { recipe: "study003", hash: recipeHash(recipe("study003")), shape: [128, 157, 1] },
    scaler: { kind: "none" },
    labels: ["angry", "disgust", "fearful", "happy", "neutral", "sad"],
  }, model);
  model.dispose();
  const permissions = ["--allow-read", "--allow-write", "--allow-env", "--allow-sys"];
  const { code, out, err } = await serlab(["predict", large, good], { permissions });
  assert.equal(code, 0, err);
  assert.match(out, /Actor_01.*: \w+/);
  assert.match(err, /^engine: native TensorFlow is not there \(.*\), so \w+ computes.*deno task setup/m);
});

Deno.test("Ctrl-C during a study keeps the finished seeds, and the same command continues", async () => {
  const dir = await smallCorpusAsRavdess();
  const out = temporaryFolder();
  const args = ["study", "000", "--corpora", dir, "--variant", "vanilla", "--protocol", "as-published"];
  const rest = ["--epochs", "2", "--seeds", "3", "--out", out, "--allow-incomplete"];
  const child = start([...args, ...rest]);
  const records = join(out, "000", "as-published");
  const finished = (): string[] =>
    existsSync(records) ? readdirSync(records).filter((name) => name.endsWith(".json")).sort() : [];
  const deadline = performance.now() + 60_000;
  while (finished().length === 0 && performance.now() < deadline) await new Promise((done) => setTimeout(done, 20));
  child.kill("SIGINT");
  const [{ code }, err] = await Promise.all([
    child.status,
    new Response(child.stderr).text(),
    new Response(child.stdout).text(),
  ]);
  assert.equal(code, 130, err);
  assert.match(err, /interrupted; \d of 3 runs are finished and kept/);
  assert.ok(!hasStack(err), err);
  const before = finished();
  assert.ok(before.length >= 1 && before.length < 3, before.join());
  const again = await serlab([...args, ...rest]);
  assert.equal(again.code, 0, again.err);
  assert.match(again.err, /seed 0: .* \(was there\)/);
  assert.deepEqual(finished(), ["vanilla-s0.json", "vanilla-s1.json", "vanilla-s2.json"]);
});

/** The small corpus under RAVDESS's own file names. */
async function smallCorpusAsRavdess(): Promise<string> {
  const dir = temporaryFolder();
  for (const { path } of prepared.rows) {
    const target = join(dir, path.replace("syn-", ""));
    mkdirSync(join(target, ".."), { recursive: true });
    writeFileSync(target, readFileSync(join(await smallCorpus(), path)));
  }
  return dir;
}

Deno.test("every command of the table in README has help", async () => {
  const { out } = await serlab(["--help"]);
  for (
    const command of [
      "setup",
      "doctor",
      "demo",
      "study",
      "predict",
      "features",
      "report",
      "lint-split",
      "notebooks",
      "lab",
    ]
  ) {
    assert.match(out, new RegExp(`^  ${command}\\b`, "m"), command);
  }
  const { code, out: help } = await serlab(["study", "--help"]);
  assert.equal(code, 0);
  assert.match(help, /--corpora/);
  assert.ok(existsSync(join(root, "README.md")));
});

Deno.test("the page is built where a study does not take its examples for a corpus", async () => {
  for (const command of ["page", "serve"]) {
    const { out } = await serlab([command, "--help"]);
    const place = /--app <dir>[^(]*\(default: "(data\/[^"]+)"\)/.exec(out.replaceAll(/\s+/g, " "))![1]!;
    const home = temporaryFolder();
    mkdirSync(join(home, place, "examples"), { recursive: true });
    writeFileSync(join(home, place, "examples", "synthetic-calm-0.wav"), tone(100));
    const { corpora, unknown } = await findCorpora(join(home, "data"));
    assert.deepEqual([corpora, unknown], [[], []], `${command}: ${place}`);
  }
});
