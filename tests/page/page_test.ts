/// <reference lib="dom" />

import axe from "axe-core";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { loadAudio } from "../../lib/audio/load.ts";
import { decodeWav, encodeWav, resample } from "../../lib/audio/mod.ts";
import { speak } from "../../lib/corpora/voice.ts";
import { readBundle } from "../../lib/bundle_files.ts";
import { predict, type Prediction } from "../../lib/predict.ts";
import { RandomState } from "../../lib/random.ts";
import { type RunningServer, startServer } from "../../lib/serve/server.ts";
import { ensureTool } from "../../lib/setup/tools.ts";
import { fromBase64, snrDb } from "../audio/signals.ts";
import { buildSite, type BuiltSite, bundleFolder, root } from "./site_for_tests.ts";

const chromiumTool = await ensureTool("chromium", { install: false });

/** Rate of the recording that the fake microphone plays: Chromium's fake device has no other. */
const PLAYED_HZ = 44100;

/** Rate at which the page records. */
const RECORDED_HZ = 48000;

/** Terminal and page must agree to this in every probability. */
const SAME = 1e-3;

/** Over the microphone: another phase of the looped recording, 16 bits, the browser's own audio path. */
const BY_MICROPHONE = 0.05;

let browser: Browser;
let built: BuiltSite;
let server: RunningServer;
let terminal: Map<string, Prediction & { readonly error?: string }>;
/** Path of each recording by its name. */
const recordings = new Map<string, string>();

/**
 * Four seconds of a quiet synthetic voice in a room, on whose answer small changes have little effect: the fake
 * microphone plays it again and again, and a recording may begin anywhere in it.
 */
function fourSeconds(): Float32Array {
  const rng = new RandomState(1);
  // Nothing above 12 kHz: what the browser's own changes of rate do near the upper end is not what is tested.
  const room = Float32Array.from({ length: 4 * 24000 }, () => 3e-4 * (2 * rng.randomSample() - 1));
  const samples = resample({ samples: room, sampleRateHz: 24000 }, PLAYED_HZ).samples.slice(0, 4 * PLAYED_HZ);
  const end = samples.length - PLAYED_HZ / 2;
  for (let at = PLAYED_HZ / 2, sentence = 1; at < end; sentence++) {
    const spoken = speak({ seed: 3, speaker: 3, emotion: "disgust", sentence, take: 1, sampleRateHz: 16000 });
    const voice = resample(spoken, PLAYED_HZ).samples;
    for (let i = 0; i < voice.length && at + i < end; i++) samples[at + i]! += 0.08 * voice[i]!;
    at += voice.length;
  }
  return samples;
}

/** How well a tenth of a second where the recording is loudest fits the looped source anywhere, SNR in dB. */
function bestFit(recorded: Float32Array, source: Float32Array): number {
  const size = RECORDED_HZ / 10;
  const energy = (from: number) => recorded.subarray(from, from + size).reduce((sum, x) => sum + x * x, 0);
  let loudest = 0;
  for (let from = 0; from + size <= recorded.length; from += size) {
    if (energy(from) > energy(loudest)) loudest = from;
  }
  const part = recorded.subarray(loudest, loudest + size);
  let lag = 0, most = -Infinity;
  for (let at = 0; at + size <= source.length; at++) {
    let sum = 0;
    for (let i = 0; i < size; i += 5) sum += part[i]! * source[at + i]!;
    if (sum > most) [most, lag] = [sum, at];
  }
  return snrDb(part, source.subarray(lag, lag + size));
}

function writeRecordings(folder: string): void {
  const put = (name: string, bytes: Uint8Array): void => {
    writeFileSync(join(folder, name), bytes);
    recordings.set(name, join(folder, name));
  };
  put("four-seconds.wav", encodeWav({ samples: fourSeconds(), sampleRateHz: PLAYED_HZ }));
  const golden = (name: string) => JSON.parse(readFileSync(join(root, "tests", "golden", name), "utf8"));
  const { pcm, lossy } = golden("audio_containers.json") as Record<string, { name: string; data: string }[]>;
  const pcmNames = ["pcm_s16le.wav", "pcm_s16be.aiff", "mono.flac"];
  for (const { name, data } of [...lossy!, ...pcm!.filter(({ name }) => pcmNames.includes(name))]) {
    put(name, fromBase64(data));
  }
  // Made with noise substitution, whose noise every decoder draws for itself.
  const { files } = golden("aac.json") as { files: { name: string; noise: boolean; data: string }[] };
  for (const { name, data } of files.filter(({ noise }) => noise)) put(name, fromBase64(data));
  for (const { mimeType, data } of golden("audio_mediarecorder.json").recordings) {
    put(`recorder.${mimeType.includes("webm") ? "webm" : "mp4"}`, fromBase64(data));
  }
  put("silence.wav", encodeWav({ samples: new Float32Array(48000), sampleRateHz: 48000 }));
}

/** What the command line answers for all recordings. */
async function askTerminal(): Promise<typeof terminal> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "lib/cli.ts", "predict", bundleFolder, ...recordings.values(), "--json"],
    cwd: root,
    stdin: "null",
  }).output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
  return new Map(lines.map((line) => [line.file.split("/").at(-1), line]));
}

/** A browser whose microphone plays a file again and again. */
const launch = (played: string): Promise<Browser> =>
  chromium.launch({
    executablePath: chromiumTool.available ? chromiumTool.path : "",
    args: [
      ...(Deno.build.os === "linux" && Deno.uid() === 0 ? ["--no-sandbox"] : []),
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
      `--use-file-for-fake-audio-capture=${played}`,
    ],
  });

Deno.test.beforeAll(async () => {
  if (!chromiumTool.available) return;
  built = await buildSite();
  writeRecordings(built.folder);
  [server, browser, terminal] = await Promise.all([
    startServer({ site: built.site, host: "127.0.0.1", port: 0 }),
    launch(recordings.get("four-seconds.wav")!),
    askTerminal(),
  ]);
});

Deno.test.afterAll(async () => {
  await browser?.close();
  await server?.close();
  built?.remove();
});

interface Visit extends BrowserContextOptions {
  /** Another browser than the shared one. */
  readonly by?: Browser;
  /** Address instead of the shared server's. */
  readonly url?: string;
  /** Runs before the page's own scripts. */
  readonly before?: () => void;
  /** What is done before the page is ready. */
  readonly early?: (page: Page) => Promise<void>;
}

/**
 * Opens the page, waits until it is ready, and looks on: nothing may be reported to the console, no policy violated, no
 * request sent elsewhere.
 */
async function visit(options: Visit, look: (page: Page) => Promise<void>): Promise<void> {
  const { url = server.url, by = browser, before, early, ...rest } = options;
  const context = await by.newContext({
    viewport: { width: 1200, height: 900 },
    // Only the tests of the service worker need it: it fetches and hashes the whole site.
    serviceWorkers: "block",
    ...rest,
  });
  context.setDefaultTimeout(20_000);
  const problems: string[] = [];
  try {
    const page = await context.newPage();
    await page.addInitScript(() => {
      addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective}`));
    });
    if (before) await page.addInitScript(before);
    page.on("console", (message) => {
      if (message.type() === "error") problems.push(message.text());
    });
    page.on("pageerror", (error) => problems.push(error.message));
    context.on("request", (request) => {
      const { origin, protocol } = new URL(request.url());
      if (origin !== new URL(url).origin && protocol !== "blob:") problems.push(`request to ${request.url()}`);
    });
    await page.goto(url);
    await early?.(page);
    await page.waitForSelector("html[data-ready]");
    await look(page);
    assert.deepEqual(problems, []);
  } finally {
    await context.close();
  }
}

const answersOf = async (page: Page): Promise<Prediction[]> =>
  JSON.parse((await page.locator("#answers").getAttribute("data-answers"))!);

/** Chooses a file and gives the answer for it. */
async function upload(page: Page, name: string): Promise<Prediction> {
  await page.setInputFiles("#file", recordings.get(name)!);
  await page.waitForSelector(`#clip[data-answered="${name}"]`);
  return (await answersOf(page))[0]!;
}

/** Largest difference in a probability. */
function difference(a: Prediction, b: Prediction): number {
  assert.deepEqual(Object.keys(a.probabilities), Object.keys(b.probabilities));
  return Math.max(...Object.entries(a.probabilities).map(([label, p]) => Math.abs(p - b.probabilities[label]!)));
}

const test = (name: string, fn: () => Promise<void>): void =>
  Deno.test({
    name: `${name} [chromium]`,
    ignore: !chromiumTool.available,
    // Browser, server and esbuild are shared and outlive a test.
    sanitizeOps: false,
    sanitizeResources: false,
    fn,
  });

test("every container that is chosen gets the terminal's answer, warnings included", () =>
  visit({}, async (page) => {
    assert.ok(recordings.size >= 20);
    for (const name of recordings.keys()) {
      const answer = await upload(page, name), expected = terminal.get(name)!;
      const apart = difference(answer, expected);
      assert.ok(apart <= SAME, `${name}: ${apart} apart`);
      assert.equal(answer.abstained, expected.abstained, name);
      assert.deepEqual(answer.warnings, expected.warnings, name);
    }
  }));

test("HE-AAC, which our decoder does not take, is decoded by the browser with both halves of its spectrum", () =>
  visit({}, async (page) => {
    const { high } = JSON.parse(readFileSync(join(root, "tests", "golden", "aac.json"), "utf8")) as {
      high: { name: string; sampleRateHz: number; frames: number; data: string }[];
    };
    for (const { name, sampleRateHz, frames, data } of high) {
      await page.setInputFiles("#file", { name, mimeType: "", buffer: Buffer.from(data, "base64") });
      await page.waitForSelector(`#clip[data-answered="${name}"]`);
      const [, seconds, rate] = /^([\d.]+) s at ([\d,]+) Hz$/.exec((await page.textContent("#clip-facts"))!)!;
      assert.equal(rate, sampleRateHz.toLocaleString("en"));
      // ADTS keeps its padding.
      assert.ok(Math.abs(Number(seconds) - frames / sampleRateHz) <= 0.2, `${name}: ${seconds} s`);
    }
  }));

test("a recording of the microphone gets the file's answer, is saved as WAV and answers at once", () =>
  visit({ acceptDownloads: true }, async (page) => {
    await page.focus("#record");
    await page.keyboard.press("Space");
    await page.waitForSelector(".record-button.recording");
    assert.match((await page.textContent("#status"))!, /^Recording for up to 4 seconds/);
    await page.waitForSelector('#clip[data-answered="your recording"]');
    assert.equal(await page.textContent("#clip-facts"), "4.0 s at 48,000 Hz");
    const [answer] = await answersOf(page);
    const apart = difference(answer!, terminal.get("four-seconds.wav")!);
    assert.ok(apart <= BY_MICROPHONE, `${apart} apart`);
    assert.notEqual(await page.getAttribute("#meter", "aria-valuetext"), null);
    assert.equal(await page.evaluate(() => document.activeElement?.id), "clip-title", "focus goes to the result");
    assert.match(
      (await page.textContent("#status"))!,
      new RegExp(`^004-scaled-32k: (cannot say; )?${answer!.emotion}\\b.* \\d+ %`),
    );

    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
    assert.equal(download.suggestedFilename(), "your-recording.wav");
    const saved = decodeWav(readFileSync((await download.path())!), "saved");
    const [samples] = saved.channels, { sampleRateHz } = saved;
    assert.equal(samples!.length, 4 * RECORDED_HZ);
    assert.equal(sampleRateHz, RECORDED_HZ);
    const fit = bestFit(
      samples!,
      resample({ samples: fourSeconds(), sampleRateHz: PLAYED_HZ }, RECORDED_HZ).samples,
    );
    // Between two rates by the browser's own filters, and up to half a sample apart.
    assert.ok(fit > 25, `what was saved fits what was played by ${fit.toFixed(1)} dB`);
    const again = await predict(await readBundle(bundleFolder), { samples: samples!, sampleRateHz });
    assert.ok(difference(answer!, again) <= 1e-6, "nothing was lost in saving");
  }));

const realClip = join(root, "..", "shared", "corpora", "RAVDESS", "Actor_03", "03-01-06-02-02-02-03.wav");
const hasRealClip = existsSync(realClip);

Deno.test({
  name: `real speech at 48 kHz gets the file's answer by the microphone [chromium]${
    hasRealClip ? "" : " [../shared/corpora is not there]"
  }`,
  ignore: !chromiumTool.available || !hasRealClip,
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const { samples, sampleRateHz } = await loadAudio(realClip, { sampleRateHz: null });
    const wave = { samples: new Float32Array(4 * sampleRateHz), sampleRateHz };
    wave.samples.set(samples.subarray(0, wave.samples.length));
    const played = join(built.folder, "real.wav");
    writeFileSync(played, encodeWav(wave));
    const own = await launch(played);
    try {
      await visit({ by: own }, async (page) => {
        await page.click("#record");
        await page.waitForSelector('#clip[data-answered="your recording"]');
        const expected = await predict(await readBundle(bundleFolder), await loadAudio(played, { sampleRateHz: null }));
        const apart = difference((await answersOf(page))[0]!, expected);
        assert.ok(apart <= BY_MICROPHONE, `${apart} apart`);
      });
    } finally {
      await own.close();
    }
  },
});

test("where there is no audio worklet, MediaRecorder's file is taken", () =>
  visit({
    before: () => Object.defineProperty(BaseAudioContext.prototype, "audioWorklet", { value: undefined }),
  }, async (page) => {
    await page.click("#record");
    await page.waitForSelector(".record-button.recording");
    await page.waitForFunction(() => Number(document.getElementById("meter")!.getAttribute("aria-valuenow")) > -60);
    await page.click("#record");
    await page.waitForSelector('#clip[data-answered="your recording"]');
    const [answer] = await answersOf(page);
    assert.ok(Object.keys(answer!.probabilities).length === 4);
  }));

test("a recording that cannot be read is not lost", () =>
  visit({
    acceptDownloads: true,
    before: () => {
      Object.defineProperty(BaseAudioContext.prototype, "audioWorklet", { value: undefined });
      // What this recorder hands over is no audio of any kind.
      class Broken extends MediaRecorder {
        override set ondataavailable(heard: (event: BlobEvent) => void) {
          this.addEventListener("dataavailable", () =>
            heard(new BlobEvent("dataavailable", { data: new Blob(["nonsense"], { type: "audio/webm" }) })));
        }
      }
      globalThis.MediaRecorder = Broken;
    },
  }, async (page) => {
    await page.click("#record");
    await page.waitForSelector(".record-button.recording");
    await page.click("#record");
    await page.waitForSelector("#error:not([hidden])");
    assert.match((await page.textContent("#error-text"))!, /^your recording: [^\n]*\.$/);
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#error-save")]);
    assert.equal(download.suggestedFilename(), "your-recording.webm");
    assert.match(readFileSync((await download.path())!, "utf8"), /^(nonsense)+$/);
  }));

test("a microphone that may not be used is said in one sentence", () =>
  visit({
    before: () => {
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"));
    },
  }, async (page) => {
    await page.click("#record");
    await page.waitForSelector("#error:not([hidden])");
    assert.match((await page.textContent("#error-text"))!, /^The microphone may not be used: .*\.$/);
    assert.equal(await page.textContent("#record-label"), "Record");
  }));

test("what is no audio is refused in one sentence, and what was there before can still be saved", () =>
  visit({ acceptDownloads: true }, async (page) => {
    const choose = (name: string, text: string) =>
      page.setInputFiles("#file", { name, mimeType: "audio/wav", buffer: Buffer.from(text) });
    await choose("page.wav", "<!DOCTYPE html><title>Sign in</title>");
    await page.waitForSelector("#error:not([hidden])");
    assert.equal(
      await page.textContent("#error-text"),
      "page.wav: is an HTML page, not audio; the download was probably answered by a web page.",
    );
    assert.ok(await page.isHidden("#error-save"));
    await upload(page, "four-seconds.wav");
    assert.ok(await page.isHidden("#error"));
    await choose("empty.wav", "");
    await page.waitForSelector("#error:not([hidden])");
    assert.match((await page.textContent("#error-text"))!, /^empty\.wav: [^\n]*\.$/);
    assert.ok(await page.isVisible("#clip"));
    const [download] = await Promise.all([page.waitForEvent("download"), page.click("#error-save")]);
    assert.equal(download.suggestedFilename(), "four-seconds.wav");
    await page.click("#error-close");
    assert.ok(await page.isHidden("#error"));
  }));

test("silence is answered 'Cannot say', and a name is text and not markup", () =>
  visit({}, async (page) => {
    const name = "<img src=x onerror=alert(1)>.wav";
    await page.setInputFiles("#file", {
      name,
      mimeType: "audio/wav",
      buffer: Buffer.from(readFileSync(recordings.get("silence.wav")!)),
    });
    await page.waitForSelector("#clip[data-drawn]");
    assert.equal(await page.textContent("#clip-title"), name);
    assert.equal(await page.locator("#clip-title img").count(), 0);
    assert.equal(await page.locator(".answer-label").first().textContent(), "Cannot say");
    assert.match((await page.locator(".warnings").first().textContent())!, /silent/);
  }));

test("two models answer side by side, or one alone", () =>
  visit({}, async (page) => {
    await upload(page, "four-seconds.wav");
    assert.equal(await page.locator(".answer").count(), 2);
    const [first, second] = await answersOf(page);
    assert.ok(difference(first!, terminal.get("four-seconds.wav")!) <= SAME);
    assert.ok(difference(first!, second!) > 0, "two models, two answers");
    assert.match((await page.locator(".answer").nth(1).textContent())!, /protocol as-published/);
    await page.selectOption("#model-b", "");
    await page.waitForFunction(() => document.querySelectorAll(".answer").length === 1);
    const label = (await page.locator(".answer-label").textContent())!;
    assert.ok(label === first!.emotion || label === "Cannot say");
    const worth = (await page.locator(".worth").textContent())!;
    assert.match(worth, /with voices it had never heard/);
    await page.click("#cards summary");
    assert.match((await page.locator("#cards .card-text").textContent())!, /How often it is right/);
    assert.ok(await page.locator("#cards table").count() > 2);
  }));

test("pictures are drawn, the recording plays, and the playhead follows", () =>
  visit({}, async (page) => {
    await upload(page, "four-seconds.wav");
    await page.waitForSelector("#clip[data-drawn]");
    for (const id of ["plot-wave", "plot-spectrogram", "plot-probabilities"]) {
      const colours = await page.evaluate((id) => {
        const canvas = document.getElementById(id) as HTMLCanvasElement;
        const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
      }, id);
      assert.ok(colours > 8, `${id} has ${colours} colours`);
    }
    assert.match(
      (await page.getAttribute("#plot-probabilities", "aria-label"))!,
      /^Most probable over time: \w+ from /,
    );
    assert.ok(await page.locator("#numbers-table tbody tr").count() > 10);
    const place = () =>
      page.evaluate(() => new DOMMatrix(getComputedStyle(document.getElementById("playhead")!).transform).e);
    const atStart = await place();
    await page.focus("#seek");
    await page.keyboard.press("End");
    const atEnd = await place();
    assert.ok(atEnd > atStart + 500, `${atStart} to ${atEnd}`);
    assert.equal(await page.getAttribute("#seek", "aria-valuetext"), "4.0 of 4.0 seconds");
    await page.keyboard.press("Home");
    await page.click("#play");
    await page.waitForFunction(
      (from) => new DOMMatrix(getComputedStyle(document.getElementById("playhead")!).transform).e > from + 20,
      atStart,
    );
    assert.equal(await page.textContent("#play-label"), "Pause");
    await page.click("#play");
    await page.waitForFunction(() => document.getElementById("play-label")!.textContent === "Play");
  }));

test("a file that is chosen before the model is there is answered when it is", () =>
  visit({
    // A worker that takes its time: its first answer comes when the test lets it.
    before: () => {
      const own = Worker.prototype.postMessage;
      const held: [Worker, unknown[]][] = [];
      Worker.prototype.postMessage = function (this: Worker, ...message: unknown[]) {
        if (document.documentElement.dataset["let"]) return own.apply(this, message as never);
        held.push([this, message]);
      } as typeof own;
      addEventListener("let", () => {
        document.documentElement.dataset["let"] = "true";
        for (const [worker, message] of held) own.apply(worker, message as never);
      });
    },
    early: async (page) => {
      await page.setInputFiles("#file", recordings.get("four-seconds.wav")!);
      await page.waitForFunction(() => document.getElementById("status")!.textContent!.startsWith("Reading"));
      await page.evaluate(() => dispatchEvent(new Event("let")));
    },
  }, async (page) => {
    await page.waitForSelector('#clip[data-answered="four-seconds.wav"]');
    assert.ok(difference((await answersOf(page))[0]!, terminal.get("four-seconds.wav")!) <= SAME);
  }));

test("the synthetic examples can be tried", () =>
  visit({}, async (page) => {
    const buttons = page.locator("#examples button");
    assert.equal(await buttons.count(), built.site.info.examples.length);
    await page.getByRole("button", { name: "happy, by telephone" }).click();
    await page.waitForSelector('#clip[data-answered="synthetic-happy-by-telephone.wav"]');
    assert.match((await page.textContent("#clip-facts"))!, /at 8,000 Hz$/);
  }));

test("the classroom trains both splits and shows the gap; it can be stopped", () =>
  visit({}, async (page) => {
    await page.click("nav >> text=Classroom");
    await page.fill("#speakers", "16");
    await page.selectOption("#cue", "1");
    await page.click("#train");
    await page.click("#train-stop");
    await page.waitForSelector("#train:enabled");
    assert.equal(await page.textContent("#status"), "Stopped.");
    assert.ok(await page.isHidden("#verdict"));
    await page.fill("#speakers", "4");
    await page.click("#train");
    await page.waitForSelector("#verdict:not([hidden])");
    const score = async (split: string) => Number.parseInt((await page.textContent(`#score-${split}`))!);
    const [random, speaker] = [await score("random"), await score("speaker")];
    assert.ok(random > speaker, `${random} % against ${speaker} %`);
    assert.match((await page.textContent("#verdict"))!, /points are worth nothing with a new voice/);
    assert.match((await page.textContent("#facts-random"))!, /4 of the exam’s 4 voices were in the lessons/);
    assert.match((await page.textContent("#facts-speaker"))!, /0 of the exam’s 1 voices were in the lessons/);
    assert.match((await page.getAttribute("#plot-curve", "aria-label"))!, /over 60 passes/);
  }));

test("the results are sorted by their heads and filtered", () =>
  visit({}, async (page) => {
    await page.click("nav >> text=Results");
    await page.waitForSelector("#results-table tbody tr");
    const column = async (n: number) =>
      await page.locator(`#results-table tbody tr > :nth-child(${n})`).allInnerTexts();
    assert.deepEqual(await column(1), ["101first", "101first", "102second", "102second"]);
    await page.getByRole("button", { name: "Accuracy" }).click();
    assert.deepEqual(await column(3), [
      ...["80.0 ± 1.2 %", "70.0 ± 1.2 %"],
      ...["60.0 ± 1.2 %\ntraining failed", "50.0 ± 1.2 %\non 10 % of the recordings"],
    ]);
    assert.equal(await page.locator("th[aria-sort=descending]").textContent(), "Accuracy");
    await page.keyboard.press("Enter");
    assert.equal((await column(3))[0], "50.0 ± 1.2 %\non 10 % of the recordings", "the head keeps the focus");
    await page.selectOption("#filter-protocol", "clean");
    await page.fill("#filter-text", "second");
    assert.deepEqual(await column(1), ["102second"]);
    assert.equal(await page.textContent("#results-count"), "1 of 4 rows");
    await page.selectOption("#filter-study", "101");
    assert.equal(await page.textContent("#results-count"), "0 of 4 rows");
  }));

test("the keyboard reaches everything in order, and a change of view says its title", () =>
  visit({}, async (page) => {
    const focused = () =>
      page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent?.trim() || "");
    await page.keyboard.press("Tab");
    assert.equal(await focused(), "Skip to the content");
    const order: string[] = [];
    for (let i = 0; i < 7; i++) {
      await page.keyboard.press("Tab");
      order.push(await focused());
    }
    assert.deepEqual(order, ["serlab", "Listen", "Classroom", "Results", "record", "length", "file"]);
    await page.focus('nav a[href="#classroom"]');
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.activeElement?.id === "title-classroom");
    assert.match(await page.title(), /^The leakage classroom/);
    assert.equal(await page.locator("nav [aria-current=page]").textContent(), "Classroom");
  }));

interface AxeResult {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

/** What axe has to say of the page as it is now. */
async function complaints(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return await page.evaluate(async () => {
    const { run } = (globalThis as unknown as { axe: { run(): Promise<{ violations: AxeResult[] }> } }).axe;
    const { violations } = await run();
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.failureSummary} ${node.html}`));
  });
}

/** Number of colours of the whole page, and the colour of its corner. */
async function colours(page: Page): Promise<{ count: number; ground: string }> {
  const shot = (await page.screenshot({ fullPage: true })).toString("base64");
  return await page.evaluate(async (shot) => {
    const bytes = Uint8Array.from(atob(shot), (c) => c.charCodeAt(0));
    const picture = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const context = new OffscreenCanvas(picture.width, picture.height).getContext("2d")!;
    context.drawImage(picture, 0, 0);
    const { data } = context.getImageData(0, 0, picture.width, picture.height);
    return { count: new Set(new Uint32Array(data.buffer)).size, ground: data.subarray(0, 3).join() };
  }, shot);
}

for (
  const [where, width, colorScheme, ground] of [
    ["on a desk in light", 1200, "light", "247,245,240"],
    ["on a phone in the dark", 360, "dark", "21,23,27"],
  ] as const
) {
  test(`${where} no view is blank or overflows, and axe finds nothing to complain of`, () =>
    visit({ viewport: { width, height: 800 }, colorScheme, reducedMotion: "reduce" }, async (page) => {
      await upload(page, "mono.mp3");
      await page.waitForSelector("#clip[data-drawn]");
      await page.click("#numbers summary");
      for (const view of ["Listen", "Classroom", "Results"]) {
        await page.click(`nav >> text=${view}`);
        if (view === "Results") await page.waitForSelector("#results-table tbody tr");
        const wide = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(wide <= width, `${view} is ${wide} pixels wide on ${width}`);
        const seen = await colours(page);
        assert.equal(seen.ground, ground);
        assert.ok(seen.count > 50, `${view} has ${seen.count} colours`);
        assert.deepEqual(await complaints(page), [], view);
      }
    }));
}

test("after the first load the page works with the server gone, decoders and all", async () => {
  const own = await startServer({ site: built.site, host: "127.0.0.1", port: 0 });
  try {
    await visit({ url: own.url, serviceWorkers: "allow" }, async (page) => {
      await page.waitForSelector("html[data-offline=ready]");
      await own.close();
      await page.reload();
      await page.waitForSelector("html[data-ready]");
      for (const name of ["mono.mp3", "mono.ogg", "mono.opus", "four-seconds.wav"]) {
        const apart = difference(await upload(page, name), terminal.get(name)!);
        assert.ok(apart <= SAME, `${name}: ${apart}`);
      }
      await page.getByRole("button", { name: "fearful" }).click();
      await page.waitForSelector('#clip[data-answered="synthetic-fearful.wav"]');
      await page.click("nav >> text=Results");
      await page.waitForSelector("#results-table tbody tr");
    });
  } finally {
    await own.close();
  }
});

test("a new version of the site is offered and taken", async () => {
  const first = await startServer({ site: built.site, host: "127.0.0.1", port: 0 });
  let second: RunningServer | undefined;
  try {
    await visit({ url: first.url, serviceWorkers: "allow" }, async (page) => {
      await page.waitForSelector("html[data-offline=ready]");
      const version = () => page.evaluate(() => JSON.parse(document.getElementById("site")!.textContent!).version);
      assert.equal(await version(), built.site.info.version);
      await first.close();
      second = await startServer({ site: built.smaller, host: "127.0.0.1", port: first.port });
      await page.reload();
      await page.waitForSelector("#update:not([hidden])");
      assert.equal(await version(), built.site.info.version, "the old page stays whole until it is told");
      await page.click("#update-now");
      await page.waitForFunction((old) => {
        const text = document.getElementById("site")?.textContent;
        return text && JSON.parse(text).version !== old && document.documentElement.dataset["ready"];
      }, built.site.info.version);
      assert.equal(await version(), built.smaller.info.version);
    });
  } finally {
    await first.close();
    await second?.close();
  }
});
