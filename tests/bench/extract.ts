/**
 * Speed of getting a corpus's features: one recording (beside librosa), all cores, the cache, augmentation, memory.
 *
 *     deno run -A tests/bench/extract.ts CORPORA [--clips 80] [--librosa librosa.json] [--out results/bench/extract.json]
 *
 * CORPORA holds CREMA-D, RAVDESS, SAVEE and TESS. A clip's time is its best of three, here and there. librosa's times come from `librosa_extract.py` over the same files.
 * The mean over 'the four corpora' weighs each by its full size, 12,162 recordings in all.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadAudio } from "../../lib/audio/load.ts";
import { trim } from "../../lib/audio/trim.ts";
import { noise, pitchShift, timeStretch } from "../../lib/augment/mod.ts";
import { extractAll, extractEach } from "../../lib/augment/extract.ts";
import { FeatureCache } from "../../lib/features/cache.ts";
import { logMelSpectrogram, recipe } from "../../lib/features/mod.ts";
import { sha256Hex } from "../../lib/io.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { clips: { type: "string", default: "80" }, librosa: { type: "string" }, out: { type: "string" } },
});
const folder = positionals[0];
if (folder === undefined) throw new Error("Name the folder with the corpora.");

/** Recordings of the full corpora. */
const FULL = { "CREMA-D": 7442, "RAVDESS": 1440, "SAVEE": 480, "TESS": 2800 } as const;
type Corpus = keyof typeof FULL;
const corpora = Object.keys(FULL) as Corpus[];

function clips(corpus: Corpus): string[] {
  const all = readdirSync(join(folder!, corpus), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".wav")).map((path) => join(corpus, path)).sort();
  const count = Math.min(Number(values.clips), all.length);
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

// All cores: every clip of the small corpora over and over, about as many as the full ones have.
{
  const few = corpora.flatMap(clips);
  const rows = Array.from({ length: Math.ceil(7680 / few.length) }, () => few).flat().map((path) => ({ path }));
  const seconds: number[] = [], residentMb: number[][] = [];
  for (const workers of [0, 1, 2]) {
    const start = performance.now(), resident: number[] = [];
    let count = 0;
    for await (const { items } of extractEach(rows, { dir: folder, recipe: "study003", workers })) {
      count += items.length;
      if (count % Math.floor(rows.length / 4) === 0) resident.push(Math.round(Deno.memoryUsage().rss / 2 ** 20));
    }
    if (count !== rows.length) throw new Error(`${rows.length - count} clips failed`);
    seconds.push(round((performance.now() - start) / 1000));
    residentMb.push(resident);
    say(`study003, ${rows.length} clips, ${workers} workers: ${seconds.at(-1)} s; ${resident.join(", ")} MiB resident`);
  }
  const [none, one, two] = seconds as [number, number, number];
  say(`2 workers are ${(one / two).toFixed(2)} times one, ${(none / two).toFixed(2)} times none (bound: 1.8)`);
  report["workers"] = { recipe: "study003", clips: rows.length, seconds: { none, one, two }, residentMb };
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
