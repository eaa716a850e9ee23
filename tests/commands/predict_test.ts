import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { encodeWav } from "../../lib/audio/mod.ts";
import { recorders } from "../../lib/commands/predict_watch.ts";
import { stream } from "../../lib/random.ts";
import { parseCsv } from "../../lib/results/csv.ts";
import { temporaryFolder } from "../study/small.ts";
import { type Finished, hasStack, root, serlab, start } from "./run_cli.ts";

const bundle = join(root, "results", "bundles", "004-scaled");
const labels = ["calm", "disgust", "fearful", "happy"];
const folder = temporaryFolder();

/** Noisy voiced sound. */
function sound(seconds: number, sampleRateHz: number, seed = 0): Float32Array {
  const rng = stream(seed, "predict command");
  return Float32Array.from({ length: Math.round(seconds * sampleRateHz) }, (_, i) => {
    const t = i / sampleRateHz;
    return 0.2 * Math.sin(2 * Math.PI * 3 * t) * Math.sin(2 * Math.PI * 170 * t) + 0.01 * rng.standardNormal();
  });
}

/** Writes a recording. */
function recording(name: string, seconds: number, sampleRateHz = 48000, seed = 0): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, encodeWav({ samples: sound(seconds, sampleRateHz, seed), sampleRateHz }));
  return path;
}

/** Runs `serlab predict` with something on standard input. */
async function piped(args: readonly string[], input: Uint8Array): Promise<Finished> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "-A", "lib/cli.ts", "predict", ...args],
    cwd: root,
    env: { NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // A command that has nothing to read for closes its end first.
  const written = writer.write(input).then(() => writer.close()).catch(() => {});
  const [{ code }, out, err] = await Promise.all([
    child.status,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  await written;
  return { code, out, err };
}

const lines = (text: string): Record<string, unknown>[] => text.trim().split("\n").map((line) => JSON.parse(line));

Deno.test("standard input is answered as the file is, and each JSON line has exactly the promised names", async () => {
  const path = recording("one.wav", 3);
  const [fromFile, fromInput] = await Promise.all([
    serlab(["predict", bundle, path, "--json"]),
    piped([bundle, "-", "--json"], readFileSync(path)),
  ]);
  assert.equal(fromFile.code, 0, fromFile.err);
  assert.equal(fromInput.code, 0, fromInput.err);
  const [a, b] = [lines(fromFile.out)[0]!, lines(fromInput.out)[0]!];
  assert.deepEqual(Object.keys(a), ["file", "emotion", "abstained", "probabilities", "warnings"]);
  assert.deepEqual(Object.keys(a["probabilities"] as object), labels);
  assert.deepEqual({ ...a, file: "-" }, b);
  const nothing = await piped([bundle, "-"], new Uint8Array(0));
  assert.equal(nothing.code, 2);
  assert.match(nothing.err, /^serlab: standard input: is empty \(0 bytes\)\.\n$/);
});

Deno.test("folders of many files are answered by workers in the files' order; a bad one costs nothing finished", async () => {
  const below = join(folder, "many");
  const names = Array.from({ length: 30 }, (_, i) => `many/${i < 15 ? "a" : "b"}/${String(i).padStart(2, "0")}.wav`);
  names.forEach((name, i) => recording(name, 0.4, 16000, i));
  writeFileSync(join(folder, names[7]!), encodeWav({ samples: sound(0.4, 16000), sampleRateHz: 16000 }).slice(0, 4000));
  writeFileSync(join(below, "readme.txt"), "not audio");
  const { code, out, err } = await serlab(["predict", bundle, below, "--json"]);
  assert.equal(code, 1, err);
  const answers = lines(out);
  assert.deepEqual(answers.map(({ file }) => file), names.map((name) => join(folder, name)));
  assert.match(String(answers[7]!["error"]), /07\.wav: /);
  assert.equal(answers.filter((answer) => "emotion" in answer).length, 29);
  assert.match(err, /^serlab: 1 other file in folders left out, no audio\.$/m);
  assert.ok(!hasStack(out + err));
  const alone = await serlab(["predict", bundle, below, "--json", "--workers", "1"]);
  assert.equal(alone.out, out, "the same lines without workers");
});

Deno.test("a long recording is answered in windows, as text, JSON, CSV and a figure without scripts", async () => {
  const path = recording("long.wav", 6.2), page = join(folder, "long.html"), svg = join(folder, "long.svg");
  const [json, csv, text] = await Promise.all([
    serlab(["predict", bundle, path, "--windows", "2", "--hop", "1", "--json", "--figure", page]),
    serlab(["predict", bundle, path, "--csv", "--windows", "2", "--hop", "1"]),
    serlab(["predict", bundle, path, "--figure", svg]),
  ]);
  assert.equal(json.code, 0, json.err);
  const windows = lines(json.out);
  assert.deepEqual(windows.map(({ startSec }) => startSec), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(Object.keys(windows[0]!).slice(0, 3), ["file", "startSec", "endSec"]);
  const [head, ...rows] = parseCsv(csv.out);
  const shares = labels.map((label) => `p_${label}`);
  assert.deepEqual(head, ["file", "start_s", "end_s", "emotion", "abstained", "confidence", ...shares, "warnings"]);
  assert.equal(rows.length, 6);
  rows.forEach((row, i) => {
    assert.equal(row[3], windows[i]!["emotion"]);
    const p = windows[i]!["probabilities"] as Record<string, number>;
    labels.forEach((label, k) => assert.equal(Number(row[6 + k]), p[label]));
  });
  assert.match(text.out, /long\.wav: 0\.0–3\.7 s: \w+/);
  assert.match(readFileSync(svg, "utf8"), /^<svg /);
  const html = readFileSync(page, "utf8");
  assert.match(html, /^<!DOCTYPE html>[\s\S]*<svg /);
  assert.ok(!/<script|https?:\/\/(?!www\.w3\.org)/.test(html), "nothing runs, nothing is fetched");
});

Deno.test("options that do not go together, and values that make no sense, end with one line and exit code 2", async () => {
  const path = recording("one.wav", 3);
  const cases: [string[], RegExp][] = [
    [[bundle], /Name audio files, folders, or - for standard input; or --watch\./],
    [[bundle, path, "--json", "--csv"], /Either --json or --csv, not both\./],
    [[bundle, path, "--hop", "1"], /--hop is for --windows\./],
    [[bundle, path, "--windows", "0"], /a number of seconds is above 0/],
    [[bundle, path, "--figure", "a.png"], /a figure is written as \.svg or \.html\./],
    [[bundle, path, path, "--figure", "a.svg"], /--figure shows one recording, not 2\./],
    [[bundle, path, "--watch"], /--watch listens to the microphone and takes no files\./],
    [[bundle, "-", "-"], /Standard input \(-\) can be named once\./],
    [[path, path], /one\.wav: not a bundle, which is a folder or a \.serlab file\./],
  ];
  await Promise.all(cases.map(async ([args, reason]) => {
    const { code, out, err } = await serlab(["predict", ...args]);
    assert.equal(code, 2, args.join(" "));
    assert.match(err, reason);
    assert.ok(!hasStack(err), err);
    assert.equal(out, "");
  }));
  assert.ok(!existsSync("a.svg"));
});

/** A program on PATH, in place of all others but the system's own. */
function fakeProgram(name: string, script: string): string {
  const own = join(folder, `path-${name}-${script.length}`);
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(own, name), 0o755);
  return own;
}

const isWindows = Deno.build.os === "windows";

Deno.test({
  name: "--watch answers what a recording program writes, window by window, and ends with it",
  ignore: isWindows,
  async fn() {
    const samples = sound(5, 48000);
    const pcm = new Uint8Array(2 * samples.length), view = new DataView(pcm.buffer);
    samples.forEach((value, i) => view.setInt16(2 * i, Math.round(32767 * value), true));
    const raw = join(folder, "microphone.raw"), said = join(folder, "arguments.txt");
    writeFileSync(raw, pcm);
    const { program } = recorders(Deno.build.os)[0]!;
    const path = fakeProgram(program, `echo "$@" > ${said}\ncat ${raw}`);
    const env = { PATH: `${path}${delimiter}/bin${delimiter}/usr/bin` };
    const args = ["predict", bundle, "--watch", "--windows", "2", "--hop", "1", "--json", "--device", "desk"];
    const { code, out, err } = await serlab(args, { env });
    assert.equal(code, 0, err);
    assert.match(err, /^Listening; 2 s at a time\. Ctrl-C ends\.\n$/);
    const windows = lines(out);
    assert.deepEqual(windows.map(({ startSec, endSec }) => [startSec, endSec]), [[0, 2], [1, 3], [2, 4], [3, 5]]);
    assert.ok(windows.every(({ file }) => file === "microphone"));
    assert.match(readFileSync(said, "utf8"), /desk.*48000/);
    // The same as the same sound from a file.
    const file = join(folder, "microphone.wav");
    writeFileSync(file, encodeWav({ samples: samples.map((v) => Math.round(32767 * v) / 32768), sampleRateHz: 48000 }));
    const fromFile = await serlab(["predict", bundle, file, "--windows", "2", "--hop", "1", "--json"]);
    const expected = lines(fromFile.out);
    windows.forEach(({ probabilities }, i) => {
      for (const label of labels) {
        const [a, b] = [probabilities, expected[i]!["probabilities"]] as Record<string, number>[];
        assert.ok(Math.abs(a![label]! - b![label]!) < 1e-3, `window ${i}`);
      }
    });
  },
});

Deno.test({
  name: "--watch ends with Ctrl-C, code 0, what it said kept; the recording program is ended too",
  ignore: isWindows,
  async fn() {
    const raw = join(folder, "endless.raw"), ended = join(folder, "ended.txt");
    writeFileSync(raw, new Uint8Array(2 * 48000 * 2));
    const { program } = recorders(Deno.build.os)[0]!;
    const path = fakeProgram(
      program,
      `trap 'echo yes > ${ended}; exit 0' TERM\ncat ${raw}\nwhile true; do sleep 0.1; done`,
    );
    const env = { PATH: `${path}${delimiter}/bin${delimiter}/usr/bin` };
    const child = start(["predict", bundle, "--watch", "--windows", "1", "--json"], { env });
    const reader = child.stdout.getReader(), err = new Response(child.stderr).text();
    // Its first line says that it listens.
    const first = await reader.read();
    assert.match(new TextDecoder().decode(first.value), /"file":"microphone"/);
    child.kill("SIGINT");
    while (!(await reader.read()).done);
    assert.equal((await child.status).code, 0, await err);
    assert.equal(readFileSync(ended, "utf8"), "yes\n");
  },
});

Deno.test({
  name: "--watch without a program or without a microphone says so in one line",
  ignore: isWindows,
  async fn() {
    const none = await serlab(["predict", bundle, "--watch"], { env: { PATH: temporaryFolder() } });
    assert.equal(none.code, 2);
    assert.match(none.err, /^serlab: --watch needs a program that records: none of [\w, ]+ is on PATH\.\n$/);
    const { program } = recorders(Deno.build.os)[0]!;
    const path = fakeProgram(program, `echo "audio open error: No such device" >&2\nexit 1`);
    const dead = await serlab(["predict", bundle, "--watch"], { env: { PATH: path } });
    assert.equal(dead.code, 2);
    assert.match(dead.err, /^serlab: No microphone could be opened \(\w+: audio open error: No such device\)\.\n$/);
  },
});
