import assert from "node:assert/strict";
import process from "node:process";
import { decodeAudio, examineAudio, resample, toMono } from "../../lib/audio/mod.ts";
import { loadAudioBytes } from "../../lib/audio/load.ts";
import { AudioError } from "../../lib/errors.ts";
import { recipe, recipeNames } from "../../lib/features/mod.ts";
import { mutation, seeds } from "./mutations.ts";

// The same generator with 10,000 files: `deno run -A tests/bench/fuzz_audio.ts`.
const FILES = 300;

Deno.test(`${FILES} broken files end in features or in one AudioError, each within 2 s`, async () => {
  const all = seeds();
  for (const { name, bytes } of all) await decodeAudio(bytes, name); // loads the codecs, which is not what is timed
  const recipes = recipeNames().map(recipe);
  let decoded = 0, extracted = 0;
  for (let i = 0; i < FILES; i++) {
    const { name, bytes } = mutation(all, i);
    const start = process.cpuUsage();
    try {
      const audio = await decodeAudio(bytes, name);
      examineAudio(audio, name);
      const { samples } = resample(toMono(audio), 22050);
      assert.ok(samples.length > 0 && samples.every(Number.isFinite), name);
      decoded++;
      // The recipes in turn; one that starts beyond the end of what is left says so.
      const chosen = recipes[i % recipes.length]!;
      const features = chosen.extract(await loadAudioBytes(bytes, name, chosen.load));
      assert.ok(features.data.length > 0 && features.data.every(Number.isFinite), `${name}: ${chosen.name}`);
      extracted++;
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
  assert.ok(extracted > 10 && extracted <= decoded, `${extracted} of ${FILES} give features`);
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
