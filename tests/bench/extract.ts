/**
 * Speed of getting a corpus's features: one recording (beside librosa), all cores, the cache, augmentation, memory.
 *
 *     deno run -A tests/bench/extract.ts CORPORA [--clips 80] [--rows 1200] [--librosa librosa.json] [--out results/bench/extract.json]
 *
 * CORPORA holds CREMA-D, RAVDESS, SAVEE and TESS. A clip's time is its best of three, here and there. librosa's times come from `librosa_extract.py` over the same files.
 * The mean over 'the four corpora' weighs each by its full size, 12,162 recordings in all.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { loadAudio } from "../../lib/audio/load.ts";
import { trim } from "../../lib/audio/trim.ts";
import { type AugmentationRecord, noise, pitchShift, study002Copies, timeStretch } from "../../lib/augment/mod.ts";
import { extractAll, extractEach } from "../../lib/augment/extract.ts";
import { FeatureCache } from "../../lib/features/cache.ts";
import { logMelSpectrogram, recipe } from "../../lib/features/mod.ts";
import { sha256Hex } from "../../lib/io.ts";
import { stream } from "../../lib/random.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    clips: { type: "string", default: "80" },
    rows: { type: "string", default: "1200" },
    librosa: { type: "string" },
    out: { type: "string" },
  },
});
const folder = positionals[0];
if (folder === undefined) throw new Error("Name the folder with the corpora.");

/** Recordings of the full corpora. */
const FULL = { "CREMA-D": 7442, "RAVDESS": 1440, "SAVEE": 480, "TESS": 2800 } as const;
type Corpus = keyof typeof FULL;
const corpora = Object.keys(FULL) as Corpus[];

function clips(corpus: Corpus, most = Number(values.clips)): string[] {
  const all = readdirSync(join(folder!, corpus), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".wav")).map((path) => join(corpus, path)).sort();
  const count = Math.min(most, all.length);
  return Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!);
}

const mean = (times: readonly number[]) => times.reduce((a, b) => a + b, 0) / times.length;
async function bestOfThree(work: () => unknown): Promise<number> {
  let best = Infinity;
  for (let i = 0; i < 3; i++) {
    const start = performance.now();
    await work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}
const overAll = (ms: Record<Corpus, number>) =>
  corpora.reduce((sum, corpus) => sum + FULL[corpus] * ms[corpus], 0) / 12162;
const round = (x: number, digits = 2) => Number(x.toFixed(digits));
const say = (...words: unknown[]) => console.error(...words);

interface Theirs {
  readonly logMelMs: Record<Corpus, number>;
  readonly augmentMs: Record<string, number>;
}
const theirs = values.librosa ? JSON.parse(readFileSync(values.librosa, "utf8")) as Theirs : null;
const report: Record<string, unknown> = {};

async function logMel(path: string): Promise<void> {
  logMelSpectrogram(trim(await loadAudio(join(folder!, path), { sampleRateHz: 16000 })).wave, { ref: "max" });
}

// One recording on one core.
{
  const ours = {} as Record<Corpus, number>;
  for (const corpus of corpora) for (const path of clips(corpus).slice(0, 25)) await logMel(path);
  for (const corpus of corpora) {
    const times: number[] = [];
    for (const path of clips(corpus)) times.push(await bestOfThree(() => logMel(path)));
    ours[corpus] = mean(times);
    say(`log-mel, ${corpus}: ${ours[corpus].toFixed(2)} ms, librosa ${theirs?.logMelMs[corpus].toFixed(2) ?? "?"} ms`);
  }
  const all = overAll(ours), peer = theirs && overAll(theirs.logMelMs);
  say(`log-mel, the four corpora: ${all.toFixed(2)} ms a clip, librosa ${peer?.toFixed(2) ?? "?"} ms (bound: 5 ms)`);
  report["logMelMs"] = { ours, theirs: theirs?.logMelMs ?? null, all: round(all), peer: peer && round(peer) };
}

// Augmentation of 2.5 s at 22,050 Hz, one core.
{
  const waves = [];
  for (const path of clips("RAVDESS").slice(0, 20)) {
    waves.push(await loadAudio(join(folder, path), { offsetSec: 0.6, durationSec: 2.5 }));
  }
  const kinds = { "time-stretch": timeStretch(), "pitch-shift": pitchShift(), "noise": noise() } as const;
  const params = {
    "time-stretch": { rate: 0.9 },
    "pitch-shift": { nSteps: 0.7, binsPerOctave: 12 },
    "noise": { amplitude: 0.02, scale: "max", seed: 1 },
  } as const;
  const ours: Record<string, number> = {};
  for (const name of Object.keys(kinds) as (keyof typeof kinds)[]) {
    for (let warm = 0; warm < 5; warm++) kinds[name].apply(waves[warm]!, params[name] as never);
    const times: number[] = [];
    for (const wave of waves) times.push(await bestOfThree(() => kinds[name].apply(wave, params[name] as never)));
    ours[name] = mean(times);
    say(`${name}: ${ours[name].toFixed(2)} ms, librosa ${theirs?.augmentMs[name]?.toFixed(2) ?? "?"} ms`);
  }
  report["augmentMs"] = { ours, theirs: theirs?.augmentMs ?? null };
}

// All cores: one recipe that is nearly all reading and sending, and study 002's four rows of each recording. As many of each
// corpus as the full ones have of each other, over and over where there are not enough; the ways in turn, medians of three.
{
  const sample = (most: number): { path: string }[] =>
    corpora.flatMap((corpus) => {
      const found = clips(corpus, Infinity), wanted = Math.round((FULL[corpus] * most) / 12162);
      return Array.from({ length: wanted }, (_, i) => ({ path: found[Math.floor(i * found.length / wanted)]! }));
    });
  const copies = study002Copies();
  const study002 = (row: { readonly path: string }) => [
    null,
    ...copies.map((copy, i) => {
      // None of these draws looks at the sound.
      const params = copy.draw(stream(0, "bench", row.path, i), { samples: new Float32Array(0), sampleRateHz: 22050 });
      return { name: copy.name, version: copy.version, params } as AugmentationRecord;
    }),
  ];
  const jobs = [
    { name: "study003", recipe: "study003", rows: sample(Number(values.rows) * 6), augment: undefined },
    { name: "study002, four rows a clip", recipe: "study002", rows: sample(Number(values.rows)), augment: study002 },
  ];
  const median = (times: readonly number[]) => times.toSorted((x, y) => x - y)[Math.floor(times.length / 2)]!;
  report["workers"] = [];
  for (const { name, recipe, rows, augment } of jobs) {
    const seconds: [number[], number[], number[]] = [[], [], []], residentMb: number[] = [];
    // Time of the processor, all threads together: what is spent does not depend on what else the machine does.
    const spent: [number[], number[], number[]] = [[], [], []];
    let arrays = 0;
    for (let turn = 0; turn < 3; turn++) {
      for (const workers of [0, 1, 2] as const) {
        const start = performance.now(), before = process.cpuUsage();
        let count = 0;
        arrays = 0;
        const options = { dir: folder, recipe, workers, ...(augment ? { augment } : {}) };
        for await (const { items } of extractEach(rows, options)) {
          count++;
          arrays += items.length;
          if (count % Math.floor(rows.length / 4) === 0) residentMb.push(Math.round(Deno.memoryUsage().rss / 2 ** 20));
        }
        const wanted = rows.length * (augment ? 4 : 1);
        if (arrays !== wanted) throw new Error(`${wanted - arrays} of ${wanted} arrays failed`);
        seconds[workers].push((performance.now() - start) / 1000);
        const { user, system } = process.cpuUsage(before);
        spent[workers].push((user + system) / 1e6);
      }
    }
    const [none, one, two] = seconds.map(median) as [number, number, number];
    const [cpuNone, , cpuTwo] = spent.map(median) as [number, number, number];
    const most = Math.max(...residentMb);
    say(
      `${name}, ${rows.length} clips: caller's thread ${none.toFixed(2)} s, one worker ${one.toFixed(2)} s, ` +
        `two ${two.toFixed(2)} s: ${(none / two).toFixed(2)} times none, ${
          (one / two).toFixed(2)
        } times one (bound: 1.8); ` +
        `of the processor ${cpuNone.toFixed(2)} s and with two workers ${cpuTwo.toFixed(2)} s, on two free cores ` +
        `${(2 * cpuNone / cpuTwo).toFixed(2)} times; at most ${most} MiB resident`,
    );
    if (augment) {
      say(
        `study 002's 48,608 rows on two cores: ${(two * 48608 / arrays).toFixed(0)} s (bound: 327 s, the original's)`,
      );
    }
    (report["workers"] as unknown[]).push({
      ...{ name, clips: rows.length, arrays },
      seconds: {
        none: seconds[0].map((s) => round(s)),
        one: seconds[1].map((s) => round(s)),
        two: seconds[2].map((s) => round(s)),
      },
      processorSeconds: { none: round(cpuNone), two: round(cpuTwo) },
      residentMb: most,
    });
  }
}

// The cache: 12,162 vectors of study 002, unpadded full length.
{
  const dir = mkdtempSync(join(tmpdir(), "serlab-bench-"));
  try {
    const cache = new FeatureCache(dir), chosen = recipe("study002");
    const rows = Array.from({ length: 12162 }, (_, i) => ({ path: `${i}.wav`, sha256: sha256Hex(String(i)) }));
    const data = new Float32Array(2376);
    let start = performance.now();
    for (const [i, { sha256 }] of rows.entries()) {
      data.fill(i);
      cache.put({ content: sha256, recipe: chosen }, { data, shape: [2376] });
    }
    const writing = (performance.now() - start) / 1000;
    start = performance.now();
    const { items, cached } = await extractAll(rows, { dir: "/nowhere", recipe: chosen, cache });
    const reading = (performance.now() - start) / 1000;
    if (cached !== 12162 || !items.every(({ features }, i) => features.data[7] === i)) throw new Error("not cached");
    say(`cache: 12,162 vectors written in ${writing.toFixed(2)} s, read in ${reading.toFixed(2)} s (bound: 20 s)`);
    report["cacheSeconds"] = { write: round(writing), read: round(reading) };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const text = JSON.stringify(report, null, 1);
if (values.out) writeFileSync(values.out, `${text}\n`);
else console.log(text);
