import assert from "node:assert/strict";
import process from "node:process";
import { decodeAudio, examineAudio, resample, toMono } from "../../lib/audio/mod.ts";
import { AudioError } from "../../lib/errors.ts";
import { mutation, seeds } from "./mutations.ts";

// The same generator with 10,000 files: `deno run -A tests/bench/fuzz_audio.ts`.
const FILES = 300;

Deno.test(`${FILES} broken files end in samples or in one AudioError that names the file, each within 2 s`, async () => {
  const all = seeds();
  for (const { name, bytes } of all) await decodeAudio(bytes, name); // loads the codecs, which is not what is timed
  let decoded = 0;
  for (let i = 0; i < FILES; i++) {
    const { name, bytes } = mutation(all, i);
    const start = process.cpuUsage();
    try {
      const audio = await decodeAudio(bytes, name);
      examineAudio(audio, name);
      const { samples } = resample(toMono(audio), 22050);
      assert.ok(samples.length > 0 && samples.every(Number.isFinite), name);
      decoded++;
    } catch (error) {
      assert.ok(error instanceof AudioError, `${name}: ${error instanceof Error ? error.stack : error}`);
      assert.ok(error.message.startsWith(`${name}: `), error.message);
    }
    // Time of the processor: a busy machine is not a hang.
    const { user, system } = process.cpuUsage(start);
    const seconds = (user + system) / 1e6;
    assert.ok(seconds < 2, `${name} took ${seconds} s`);
  }
  assert.ok(decoded > 10 && decoded < FILES, `${decoded} of ${FILES} still decode`);
});

Deno.test("after broken files every whole file still decodes as before", async () => {
  const all = seeds();
  for (const { name, bytes } of all) {
    const before = await decodeAudio(bytes, name);
    for (const at of [0.3, 0.5, 0.7, 0.9]) {
      const broken = bytes.slice();
      for (let i = 0; i < 12; i++) broken[Math.floor(at * broken.length) + i]! ^= 0x5a;
      await decodeAudio(broken, name).catch(() => {});
    }
    assert.deepEqual((await decodeAudio(bytes, name)).channels, before.channels, name);
  }
});
