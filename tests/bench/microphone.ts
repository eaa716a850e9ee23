/**
 * How far an answer by way of the microphone lies from the file's own:
 * `deno run -A tests/bench/microphone.ts [../shared/corpora/RAVDESS] [--chromium /usr/bin/chromium]` writes
 * results/bench/microphone.json.
 *
 * Real recordings of RAVDESS, one of each emotion that the bundles know and of each speaker that is there, cut or padded
 * to four seconds, are played by Chromium's fake microphone at their own 48 kHz; the page records them beginning anywhere
 * in the loop. The page's answer is set beside the terminal's for the file. What the page saved is given to every bundle,
 * so that all are measured on the same recordings.
 *
 * @module
 */

/// <reference lib="dom" />

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";
import { loadAudio } from "../../lib/audio/load.ts";
import { encodeWav } from "../../lib/audio/mod.ts";
import { readBundle } from "../../lib/bundle_files.ts";
import { writeFileAtomic } from "../../lib/io.ts";
import { predict, type Prediction } from "../../lib/predict.ts";
import { audioBelow } from "../../lib/predict_files.ts";
import { startServer } from "../../lib/serve/server.ts";
import { quantile } from "../../lib/training/statistics.ts";
import { buildSite, bundleFolder, root } from "../page/site_for_tests.ts";

const { values: { chromium: executablePath }, positionals: [folder = "../shared/corpora/RAVDESS"] } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: { chromium: { type: "string", default: "/usr/bin/chromium" } },
});

const SECONDS = 4, BOUND = 0.05;
const bundles = [basename(bundleFolder), `${basename(bundleFolder)}-as-published`, "004-scaled"];

/** Largest difference in a probability. */
function apart(a: Prediction, b: Prediction): number {
  return Math.max(...Object.entries(a.probabilities).map(([label, p]) => Math.abs(p - b.probabilities[label]!)));
}

/** The second take of the second sentence, of the emotions calm, happy, fearful and disgust. */
const clips = audioBelow(folder).files.filter((path) => /^03-01-0[2367]-02-02-02-\d\d\.wav$/.test(basename(path)));
if (clips.length === 0) throw new Error(`${folder}: holds none of RAVDESS's recordings.`);

const scratch = mkdtempSync(join(tmpdir(), "serlab-microphone-"));
const built = await buildSite();
const server = await startServer({ site: built.site, host: "127.0.0.1", port: 0 });
let version = "";
const onPage: number[] = [], byBundle = new Map(bundles.map((name) => [name, [] as number[]]));
try {
  for (const clip of clips) {
    const { samples, sampleRateHz } = await loadAudio(clip, { sampleRateHz: null });
    const four = new Float32Array(SECONDS * sampleRateHz);
    four.set(samples.subarray(0, four.length));
    const played = join(scratch, basename(clip)), saved = join(scratch, `saved-${basename(clip)}`);
    writeFileSync(played, encodeWav({ samples: four, sampleRateHz }));
    // What is played is chosen when the browser starts.
    const browser = await chromium.launch({
      executablePath,
      args: [
        ...(Deno.build.os === "linux" && Deno.uid() === 0 ? ["--no-sandbox"] : []),
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        `--use-file-for-fake-audio-capture=${played}`,
      ],
    });
    version = browser.version();
    let answer: Prediction;
    try {
      const page = await browser.newPage({ acceptDownloads: true });
      await page.goto(server.url);
      await page.waitForSelector("html[data-ready]");
      await page.click("#record");
      await page.waitForSelector('#clip[data-answered="your recording"]');
      answer = JSON.parse((await page.locator("#answers").getAttribute("data-answers"))!)[0];
      const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
      await download.saveAs(saved);
    } finally {
      await browser.close();
    }
    const file = await loadAudio(played, { sampleRateHz: null }),
      heard = await loadAudio(saved, { sampleRateHz: null });
    for (const [i, name] of bundles.entries()) {
      const bundle = await readBundle(join(root, "results", "bundles", name));
      const expected = await predict(bundle, file);
      byBundle.get(name)!.push(apart(await predict(bundle, heard), expected));
      if (i === 0) onPage.push(apart(answer, expected));
    }
    console.log(`${basename(clip)}: ${onPage.at(-1)!.toFixed(4)} apart`);
  }
} finally {
  await server.close();
  built.remove();
  rmSync(scratch, { recursive: true, force: true });
}
const summary = (values: readonly number[]) => {
  const sorted = values.toSorted((a, b) => a - b), round = (value: number) => Math.round(1e4 * value) / 1e4;
  return {
    median: round(quantile(sorted, 0.5)),
    most: round(sorted.at(-1)!),
    within: sorted.filter((value) => value <= BOUND).length,
    n: sorted.length,
  };
};
const result = {
  format: "serlab-bench-microphone",
  version: 1,
  environment: { chromium: version, cpu: cpus()[0]?.model ?? "", cores: cpus().length, deno: Deno.version.deno },
  clips: clips.map((clip) => basename(clip, ".wav")),
  bound: BOUND,
  page: { bundle: bundles[0], ...summary(onPage) },
  savedRecordings: Object.fromEntries([...byBundle].map(([name, values]) => [name, summary(values)])),
};
writeFileAtomic(join(root, "results", "bench", "microphone.json"), JSON.stringify(result, null, 1) + "\n");
console.log(JSON.stringify(result, null, 1));
Deno.exit();
