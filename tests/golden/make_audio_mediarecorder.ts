/**
 * Makes audio_mediarecorder.json: what Chromium's MediaRecorder writes while it plays the voice of `make_audio.py`.
 *
 * `deno run -A tests/golden/make_audio_mediarecorder.ts [path of chromium]`
 */

/// <reference lib="dom" />

import { chromium } from "playwright-core";
import { encodeWav } from "../../lib/audio/mod.ts";
import { voice } from "../audio/signals.ts";

const browser = await chromium.launch({
  executablePath: Deno.args[0] ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
});
const page = await browser.newPage();
const wav = encodeWav({ samples: voice(48000, 0.3)[0]!, sampleRateHz: 48000 });
const recordings: { mimeType: string; data: string }[] = [];
for (const mimeType of ["audio/webm;codecs=opus", "audio/mp4;codecs=opus"]) {
  const data = await page.evaluate(async ({ wav, mimeType }: { wav: string; mimeType: string }) => {
    const context = new AudioContext({ sampleRate: 48000 });
    await context.resume();
    const bytes = Uint8Array.from(atob(wav), (c) => c.charCodeAt(0));
    const buffer = await context.decodeAudioData(bytes.buffer);
    const target = context.createMediaStreamDestination();
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(target);
    const recorder = new MediaRecorder(target.stream, { mimeType, audioBitsPerSecond: 64000 });
    const parts: Blob[] = [];
    recorder.ondataavailable = (event) => parts.push(event.data);
    const stopped = new Promise((resolve) => recorder.onstop = resolve);
    const ended = new Promise((resolve) => source.onended = resolve);
    recorder.start(100);
    source.start(context.currentTime + 0.1);
    await ended;
    await new Promise((resolve) => setTimeout(resolve, 200));
    recorder.stop();
    await stopped;
    const all = new Uint8Array(await new Blob(parts).arrayBuffer());
    return btoa(Array.from(all, (byte) => String.fromCharCode(byte)).join(""));
  }, { wav: btoa(Array.from(wav, (byte) => String.fromCharCode(byte)).join("")), mimeType });
  recordings.push({ mimeType, data });
}
const made = `Chromium ${browser.version()} MediaRecorder`;
await browser.close();
Deno.writeTextFileSync(
  new URL("audio_mediarecorder.json", import.meta.url),
  JSON.stringify({ made, recordings }) + "\n",
);
