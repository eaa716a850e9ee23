/**
 * Sizes and speed of the page: `deno run -A tests/bench/page.ts [chromium]` writes results/bench/page.json.
 *
 * Sizes are of the files as they are sent. `ready` is from the start of the navigation, with nothing in any cache, until
 * a first answer could be given; `answer` from the end of a recording of four seconds (fake microphone) until its answer
 * stands on the page.
 *
 * @module
 */

/// <reference lib="dom" />

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { preparations, studies } from "../../experiments/mod.ts";
import { encodeWav } from "../../lib/audio/mod.ts";
import { speak } from "../../lib/corpora/voice.ts";
import { writeFileAtomic } from "../../lib/io.ts";
import { buildApp } from "../../lib/serve/build.ts";
import { startServer } from "../../lib/serve/server.ts";
import { assembleSite, type SiteFile } from "../../lib/serve/site.ts";
import { resultsTable } from "../../lib/serve/table.ts";

const VISITS = 9, RECORDINGS = 5, FILES = 15;

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
const round = (value: number): number => Math.round(10 * value) / 10;
const summary = (values: readonly number[]) => ({
  medianMs: round(median(values)),
  leastMs: round(Math.min(...values)),
  mostMs: round(Math.max(...values)),
  n: values.length,
});

const folder = mkdtempSync(join(tmpdir(), "serlab-bench-page-"));
try {
  await buildApp({ out: join(folder, "app"), results: () => resultsTable("results", [...studies, ...preparations]) });
  const site = await assembleSite(
    join(folder, "app"),
    ["004-scaled-32k", "004-scaled-32k-as-published"].map((name) => join("results", "bundles", name)),
  );
  const size = (wanted: (path: string) => boolean) => {
    const files = [...site.files].filter(([path]) => wanted(path)).map(([, file]) => file);
    const sum = (of: (file: SiteFile) => number): number => files.reduce((all, file) => all + of(file), 0);
    return {
      files: files.length,
      bytes: sum(({ bytes }) => bytes.length),
      gzip: sum(({ bytes, gz }) => (gz ?? bytes).length),
      brotli: sum(({ bytes, br }) => (br ?? bytes).length),
    };
  };
  const first = site.info.bundles[0]!.path;
  const sizes = {
    javascript: size((path) => path.endsWith(".js")),
    wasm: size((path) => path.endsWith(".wasm")),
    smallestBundle: size((path) => path === first),
    javascriptWasmAndSmallestBundle: size((path) => /\.(js|wasm)$/.test(path) || path === first),
    wholeSite: size(() => true),
  };

  const sampleRateHz = 48000, samples = new Float32Array(4 * sampleRateHz);
  const voice = speak({ seed: 1, speaker: 2, emotion: "happy", sentence: 1, take: 1, sampleRateHz }).samples;
  samples.set(voice, sampleRateHz);
  const clip = join(folder, "four-seconds.wav");
  writeFileSync(clip, encodeWav({ samples, sampleRateHz }));

  const server = await startServer({ site, host: "127.0.0.1", port: 0 });
  const browser = await chromium.launch({
    executablePath: Deno.args[0] ?? "/usr/bin/chromium",
    args: [
      ...(Deno.build.os === "linux" && Deno.uid() === 0 ? ["--no-sandbox"] : []),
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
      `--use-file-for-fake-audio-capture=${clip}`,
    ],
  });
  const ready: number[] = [], recorded: number[] = [], chosen: number[] = [];
  let firstLoad = 0;
  for (let visit = 0; visit < VISITS; visit++) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(server.url);
    await page.waitForSelector("html[data-ready]");
    const { at, bytes } = await page.evaluate(() => {
      const at = performance.getEntriesByName("serlab-ready")[0]!.startTime;
      const entries = performance.getEntriesByType("resource") as PerformanceResourceTiming[];
      const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
      const loaded = entries.filter(({ responseEnd }) => responseEnd <= at);
      return {
        at,
        bytes: loaded.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, navigation!.encodedBodySize),
      };
    });
    ready.push(at);
    firstLoad = Math.max(firstLoad, bytes);
    const since = (mark: string) =>
      page.evaluate((mark) => {
        const last = (name: string) => performance.getEntriesByName(name).at(-1)!.startTime;
        return last("serlab-answered") - last(mark);
      }, mark);
    if (visit < RECORDINGS) {
      await page.click("#record");
      await page.waitForSelector("#clip[data-drawn]");
      recorded.push(await since("serlab-recorded"));
    }
    if (visit === VISITS - 1) {
      for (let i = 0; i < FILES; i++) {
        await page.evaluate(() => {
          document.getElementById("clip")!.removeAttribute("data-drawn");
          performance.mark("bench-chosen");
        });
        await page.setInputFiles("#file", clip);
        await page.waitForSelector("#clip[data-drawn]");
        chosen.push(await since("bench-chosen"));
      }
    }
    await context.close();
  }
  const version = browser.version();
  await browser.close();
  await server.close();
  const result = {
    format: "serlab-bench-page",
    version: 1,
    environment: { chromium: version, cpu: cpus()[0]?.model ?? "", cores: cpus().length, deno: Deno.version.deno },
    sizes,
    mainThreadBytesUntilReady: firstLoad,
    ready: summary(ready),
    answerAfterRecording: summary(recorded),
    answerAfterChoosingFile: summary(chosen),
    bounds: { compressedBytes: 3_000_000, readyMs: 2000, answerMs: 150 },
  };
  writeFileAtomic(join("results", "bench", "page.json"), JSON.stringify(result, null, 1) + "\n");
  console.log(JSON.stringify(result, null, 1));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
