/**
 * Speed of loading and features, in ms a clip on one core, beside librosa's where its times are given.
 *
 *     deno run -A tests/bench/features.ts CORPORA [--clips 48] [--librosa librosa.json] > ours.json
 *
 * The table goes to stderr. librosa's times come from `librosa_features.py` over the same files. Every task runs three
 * times a clip; a clip's time is the middle one, a task's time the median (and mean) over the clips.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { loadAudio } from "../../lib/audio/load.ts";
import { trim } from "../../lib/audio/trim.ts";
import { logMelSpectrogram, pyin, recipe, recipeNames, yin } from "../../lib/features/mod.ts";
import type { Waveform } from "../../lib/types.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { clips: { type: "string", default: "48" }, librosa: { type: "string" } },
});
const folder = positionals[0];
if (folder === undefined) throw new Error("Name the folder with the corpora.");

/** The same choice as librosa_features.py: all WAV files by path, evenly spaced. */
const all = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".wav")).sort();
const count = Math.min(Number(values.clips), all.length);
const files = Array.from({ length: count }, (_, i) => join(folder, all[Math.floor((i * all.length) / count)]!));

interface Task {
  readonly load: (file: string) => Promise<Waveform>;
  readonly extract: (wave: Waveform) => unknown;
}
const pitch = { fmin: 65, fmax: 500 };
const tasks: Record<string, Task> = {
  "log-mel at 16 kHz, trimmed": {
    load: (file) => loadAudio(file, { sampleRateHz: 16000 }),
    extract: (wave) => logMelSpectrogram(trim(wave).wave, { ref: "max" }),
  },
  ...Object.fromEntries(
    recipeNames().map((name) => [name, {
      load: (file: string) => loadAudio(file, recipe(name).load),
      extract: (wave: Waveform) => recipe(name).extract(wave),
    }]),
  ),
  "yin": { load: (file) => loadAudio(file), extract: (wave) => yin(wave, pitch) },
  "pyin": { load: (file) => loadAudio(file), extract: (wave) => pyin(wave, pitch) },
};

const median = (times: readonly number[]) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]!;
const mean = (times: readonly number[]) => times.reduce((a, b) => a + b, 0) / times.length;

/** Times of loading and of extracting, and of both, of one task over all files. */
async function measure({ load, extract }: Task): Promise<Record<string, number>> {
  const loads: number[] = [], extracts: number[] = [];
  for (const warm of files.slice(0, 6)) extract(await load(warm));
  for (const file of files) {
    const loading: number[] = [], extracting: number[] = [];
    for (let i = 0; i < 3; i++) {
      const start = performance.now();
      const wave = await load(file);
      const between = performance.now();
      extract(wave);
      loading.push(between - start);
      extracting.push(performance.now() - between);
    }
    loads.push(median(loading));
    extracts.push(median(extracting));
  }
  return {
    extractMedianMs: median(extracts),
    extractMeanMs: mean(extracts),
    loadMedianMs: median(loads),
    loadMeanMs: mean(loads),
    totalMeanMs: mean(loads) + mean(extracts),
  };
}

const theirs: Record<string, Record<string, number>> = values.librosa
  ? JSON.parse(readFileSync(values.librosa, "utf8"))
  : {};
const ours: Record<string, Record<string, number>> = {};
const cell = (x: number | undefined) => x === undefined ? "–" : x.toFixed(2);
const times = (a: number | undefined, b: number) => a === undefined ? "–" : `${(a / b).toFixed(1)}×`;
console.error(`${count} clips; ms a clip, mean; extract is without loading`);
console.error("| task | extract | librosa | | with loading | librosa | |\n|---|---|---|---|---|---|---|");
for (const [name, task] of Object.entries(tasks)) {
  const mine = ours[name] = await measure(task), peer = theirs[name];
  console.error(
    `| ${name} | ${cell(mine["extractMeanMs"])} | ${cell(peer?.["extractMeanMs"])} | ${
      times(peer?.["extractMeanMs"], mine["extractMeanMs"]!)
    } | ${cell(mine["totalMeanMs"])} | ${cell(peer?.["totalMeanMs"])} | ${
      times(peer?.["totalMeanMs"], mine["totalMeanMs"]!)
    } |`,
  );
}
console.log(JSON.stringify(ours, null, 2));
