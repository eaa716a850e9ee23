/**
 * Speed of getting a corpus's features: one recording (beside librosa), all cores, the cache, augmentation, memory.
 *
 *     deno run -A tests/bench/extract.ts CORPORA [--clips 80] [--librosa librosa.json] [--out results/bench/extract.json]
 *
 * CORPORA holds CREMA-D, RAVDESS, SAVEE and TESS. librosa's times come from `librosa_extract.py` over the same files.
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
    for (const path of clips(corpus)) {
      const start = performance.now();
      await logMel(path);
      times.push(performance.now() - start);
    }
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
    const start = performance.now();
    for (const wave of waves) kinds[name].apply(wave, params[name] as never);
    ours[name] = (performance.now() - start) / waves.length;
    say(`${name}: ${ours[name].toFixed(2)} ms, librosa ${theirs?.augmentMs[name]?.toFixed(2) ?? "?"} ms`);
  }
  report["augmentMs"] = { ours, theirs: theirs?.augmentMs ?? null };
}

// All cores: every clip of the small corpora, five times over.
{
  const rows = Array.from({ length: 5 }, () => corpora.flatMap(clips)).flat().map((path) => ({ path }));
  const seconds: Record<string, number> = {};
  for (const name of ["study003", "study002"]) {
    for (const workers of [0, 1, 2]) {
      const start = performance.now();
      let count = 0;
      for await (const { items } of extractEach(rows, { dir: folder, recipe: name, workers })) count += items.length;
      seconds[`${name}, ${workers} workers`] = round((performance.now() - start) / 1000);
      const { rss } = Deno.memoryUsage();
      say(
        `${name}, ${workers} workers: ${
          seconds[`${name}, ${workers} workers`]
        } s for ${count} of ${rows.length} clips,`,
        `${Math.round(rss / 2 ** 20)} MiB resident`,
      );
    }
    const ratio = (from: number) => seconds[`${name}, ${from} workers`]! / seconds[`${name}, 2 workers`]!;
    say(`${name}: 2 workers are ${ratio(1).toFixed(2)} times one, ${ratio(0).toFixed(2)} times none (bound: 1.8)`);
  }
  report["seconds"] = { clips: rows.length, ...seconds };
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
