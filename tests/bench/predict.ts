/**
 * Speed of prediction in the terminal: the first answer of a fresh process, and clips a second over a folder.
 *
 *     deno run -A tests/bench/predict.ts [FOLDER] [--bundle results/bundles/004-scaled-32k] [--clips 480] [--runs 11]
 *         [--out results/bench/predict.json]
 *
 * FOLDER holds recordings (RAVDESS); without it clips of 4 s at 48 kHz are made. Cold means: a process of its own, files
 * in the system's cache. The baseline of the first answer is the same command with native TensorFlow.
 */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { encodeWav } from "../../lib/audio/mod.ts";
import { readBundle } from "../../lib/bundle_files.ts";
import { writeFileAtomic } from "../../lib/io.ts";
import { modelFeatures, predict } from "../../lib/predict.ts";
import { describeRecording } from "../../lib/predict_doubts.ts";
import { audioBelow, type Recorded, recordedFile } from "../../lib/predict_files.ts";
import { stream } from "../../lib/random.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bundle: { type: "string", default: join(root, "results", "bundles", "004-scaled-32k") },
    clips: { type: "string", default: "480" },
    runs: { type: "string", default: "11" },
    out: { type: "string" },
  },
});
const clips = Number(values.clips), runs = Number(values.runs), path = values.bundle;
const round = (value: number, digits = 3): number => Number(value.toFixed(digits));
const median = (all: readonly number[]): number => [...all].sort((a, b) => a - b)[all.length >> 1]!;

/** A clip of 4 s at 48 kHz. */
function clip(seed: number): Uint8Array {
  const rng = stream(seed, "bench predict");
  const samples = Float32Array.from(
    { length: 4 * 48000 },
    (_, i) => 0.2 * Math.sin(i / 40) * Math.sin(i / 9000) ** 2 + 0.01 * rng.standardNormal(),
  );
  return encodeWav({ samples, sampleRateHz: 48000 });
}

/** Runs the command; seconds from start to exit, and its highest memory. */
async function timed(args: readonly string[]): Promise<{ seconds: number; lines: number }> {
  const started = performance.now();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "lib/cli.ts", "predict", path, ...args],
    cwd: root,
    stdin: "null",
  }).output();
  const seconds = (performance.now() - started) / 1000;
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return { seconds, lines: new TextDecoder().decode(stdout).trim().split("\n").length };
}

const folder = mkdtempSync(join(tmpdir(), "serlab-bench-"));
try {
  const one = join(folder, "one.wav");
  writeFileSync(one, clip(0));
  const cold = async (...more: string[]): Promise<{ medianSec: number; slowestSec: number; runs: number }> => {
    await timed([one, ...more]); // the disk's cache
    const all: number[] = [];
    for (let i = 0; i < runs; i++) all.push((await timed([one, ...more])).seconds);
    return { medianSec: round(median(all)), slowestSec: round(Math.max(...all)), runs };
  };
  const first = { plain: await cold(), native: await cold("--backend", "native").catch(() => null) };
  console.error("first answer", first);

  const given = positionals[0] === undefined ? null : audioBelow(positionals[0]).files;
  const files = given
    ? Array.from({ length: Math.min(clips, given.length) }, (_, i) => given[Math.floor(i * given.length / clips)]!)
    : Array.from({ length: clips }, (_, i) => join(folder, `${i}.wav`));
  if (!given) files.forEach((file, i) => writeFileSync(file, clip(i)));
  const many = async (...more: string[]): Promise<{ seconds: number; clipsPerSecond: number }> => {
    const all = [await timed([...files, "--json", ...more]), await timed([...files, "--json", ...more])];
    const seconds = Math.min(...all.map(({ seconds }) => seconds));
    if (all.some(({ lines }) => lines !== files.length)) throw new Error("a line is missing");
    return { seconds: round(seconds), clipsPerSecond: round(files.length / seconds, 1) };
  };
  const throughput = { workers: await many(), oneThread: await many("--workers", "1") };
  console.error("throughput", throughput);

  const bundle = await readBundle(path);
  const stages: Record<string, number> = {};
  const sample = files.slice(0, 40);
  const waves: Recorded[] = [];
  const measure = async <T>(name: string, work: (i: number) => T | Promise<T>): Promise<T[]> => {
    const results: T[] = [];
    for (let i = 0; i < 5; i++) await work(i); // warm
    const started = performance.now();
    for (let i = 0; i < sample.length; i++) results.push(await work(i));
    stages[name] = round((performance.now() - started) / sample.length, 2);
    return results;
  };
  waves.push(...await measure("read and decode", (i) => recordedFile(sample[i]!)));
  await measure("features", (i) => modelFeatures(bundle.info, waves[i]!.wave));
  await measure("level, clipping, bandwidth", (i) => describeRecording(waves[i]!.wave));
  await measure("whole answer without reading", (i) => predict(bundle, waves[i]!.wave));
  const seconds = waves.map(({ wave }) => wave.samples.length / wave.sampleRateHz);
  const result = {
    what: "prediction in the terminal, bundle " + bundle.info.name,
    bounds: { firstAnswerSec: 1.5, clipsPerSecond: 100 },
    machine: { deno: Deno.version.deno, cpu: cpus()[0]?.model.trim() ?? "unknown", cores: availableParallelism() },
    firstAnswer: { clipSec: 4, sampleRateHz: 48000, ...first },
    throughput: {
      clips: files.length,
      of: given ? "recordings of the folder given" : "made clips",
      meanClipSec: round(seconds.reduce((a, b) => a + b, 0) / seconds.length, 2),
      ...throughput,
    },
    millisecondsAClip: stages,
  };
  if (values.out) writeFileAtomic(values.out, `${JSON.stringify(result, null, 1)}\n`);
  console.log(JSON.stringify(result, null, 1));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
