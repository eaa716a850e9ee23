import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadAudio, readAudioInfo } from "../../lib/audio/load.ts";
import { decodeAudio, encodeWav, resample } from "../../lib/audio/mod.ts";
import { AudioError } from "../../lib/errors.ts";
import { fromBase64, voice } from "./signals.ts";

const golden: { pcm: { name: string; data: string }[]; lossy: { name: string; data: string }[] } = JSON.parse(
  Deno.readTextFileSync(new URL("../golden/audio_containers.json", import.meta.url)),
);

/** A folder that is removed after the test. */
async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "serlab-audio-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function assertRefused(promise: Promise<unknown>, rule: RegExp): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof AudioError, String(error));
    assert.match(error.message, rule);
    return true;
  });
}

const wave = { samples: voice(16000, 0.3)[0]!, sampleRateHz: 16000 };
const float = { encoding: "float32" } as const;

Deno.test("loadAudio resamples to 22,050 Hz by default and keeps the file's rate where asked", () =>
  inFolder(async (folder) => {
    const path = join(folder, "voice.wav");
    writeFileSync(path, encodeWav(wave, float));
    assert.deepEqual(await loadAudio(path), resample(wave, 22050));
    assert.deepEqual(await loadAudio(path, { sampleRateHz: null }), wave);
    assert.equal((await loadAudio(path, { sampleRateHz: 8000 })).samples.length, 2400);
  }));

Deno.test("offset and duration are truncated to whole samples at the file's rate before it is changed, as in librosa", () =>
  inFolder(async (folder) => {
    const path = join(folder, "voice.wav");
    writeFileSync(path, encodeWav(wave, float));
    // int(0.10007 * 16000) = 1601, int(0.05009 * 16000) = 801: librosa.load 0.11.
    const options = { offsetSec: 0.10007, durationSec: 0.05009 };
    const cut = wave.samples.slice(1601, 1601 + 801);
    assert.deepEqual((await loadAudio(path, { ...options, sampleRateHz: null })).samples, cut);
    assert.deepEqual(await loadAudio(path, options), resample({ samples: cut, sampleRateHz: 16000 }, 22050));
    const long = await loadAudio(path, { sampleRateHz: null, offsetSec: 0.2, durationSec: 60 });
    assert.equal(long.samples.length, 1600);
    await assertRefused(
      loadAudio(path, { offsetSec: 0.3 }),
      /the offset of 0\.3 s lies at or beyond its end \(0\.300 s\)/,
    );
    assert.deepEqual(await loadAudio(path, { sampleRateHz: null, offsetSec: 0.3, wholeIfShort: true }), wave);
    assert.equal(
      (await loadAudio(path, { sampleRateHz: null, offsetSec: 0.29, wholeIfShort: true })).samples.length,
      160,
    );
    await assertRefused(loadAudio(path, { offsetSec: -1 }), /the offset must be 0 s or more, not -1/);
    await assertRefused(loadAudio(path, { durationSec: 0 }), /the duration must be above 0 s, not 0/);
    await assertRefused(loadAudio(path, { durationSec: 1e-6 }), /less than one sample/);
  }));

Deno.test("the content of a file decides, not its name", () =>
  inFolder(async (folder) => {
    const path = join(folder, "tess.wav");
    writeFileSync(path, fromBase64(golden.pcm.find(({ name }) => name === "pcm_s16be.aiff")!.data));
    assert.equal((await loadAudio(path, { sampleRateHz: null })).sampleRateHz, 8000);
    assert.equal((await readAudioInfo(path)).container, "aiff");
  }));

Deno.test("stereo becomes the mean of its channels", () =>
  inFolder(async (folder) => {
    const path = join(folder, "stereo.wav");
    const bytes = fromBase64(golden.pcm.find(({ name }) => name === "stereo.wav")!.data);
    writeFileSync(path, bytes);
    const view = new DataView(bytes.buffer);
    const { samples } = await loadAudio(path, { sampleRateHz: null });
    const start = bytes.length - 4 * samples.length;
    for (let i = 0; i < samples.length; i++) {
      const [left, right] = [view.getInt16(start + 4 * i, true), view.getInt16(start + 4 * i + 2, true)];
      assert.equal(samples[i], Math.fround((left + right) / 65536));
    }
  }));

Deno.test("readAudioInfo agrees with what decoding gives, for every container", () =>
  inFolder(async (folder) => {
    for (const { name, data } of [...golden.pcm, ...golden.lossy]) {
      const path = join(folder, name);
      writeFileSync(path, fromBase64(data));
      const info = await readAudioInfo(path);
      const native = await loadAudio(path, { sampleRateHz: null });
      assert.equal(info.frames, native.samples.length, name);
      assert.equal(info.sampleRateHz, native.sampleRateHz, name);
      assert.equal(info.durationSec, info.frames / info.sampleRateHz);
    }
  }));

Deno.test("readAudioInfo finds the data behind a header longer than it reads at first", () =>
  inFolder(async (folder) => {
    const bytes = encodeWav(wave);
    const junk = new Uint8Array(8 + 200_000);
    junk.set([..."JUNK"].map((c) => c.charCodeAt(0)));
    new DataView(junk.buffer).setUint32(4, 200_000, true);
    const path = join(folder, "long.wav");
    const all = new Uint8Array(bytes.length + junk.length);
    all.set(bytes.subarray(0, 12));
    all.set(junk, 12);
    all.set(bytes.subarray(12), 12 + junk.length);
    writeFileSync(path, all);
    assert.equal((await readAudioInfo(path)).frames, wave.samples.length);
  }));

Deno.test("files that cannot be read are named in one sentence", () =>
  inFolder(async (folder) => {
    for (const read of [loadAudio, readAudioInfo]) {
      await assertRefused(read(join(folder, "none.wav")), /none\.wav: cannot be read, no such file or folder\.$/);
      mkdirSync(join(folder, "folder.wav"), { recursive: true });
      await assertRefused(read(join(folder, "folder.wav")), /folder\.wav: cannot be read, it is a folder\.$/);
      await assertRefused(read("/dev/zero"), /\/dev\/zero: cannot be read, it is not a regular file\.$/);
      writeFileSync(join(folder, "empty.wav"), "");
      await assertRefused(read(join(folder, "empty.wav")), /empty\.wav: is empty \(0 bytes\)\.$/);
      writeFileSync(join(folder, "cut.wav"), encodeWav(wave).subarray(0, 1000));
      await assertRefused(read(join(folder, "cut.wav")), /cut\.wav: is truncated: .* 8644 of them are missing\.$/);
    }
  }));

Deno.test("a stretch of a file is the same stretch of all of it, whatever the encoding and the number of channels", async () => {
  const range = () => ({ start: 137, end: 733 });
  let compared = 0;
  for (const { name, data } of [...golden.pcm, ...golden.lossy]) {
    const bytes = fromBase64(data);
    const whole = await decodeAudio(bytes, name);
    const length = whole.channels[0]!.length;
    if (length < 733) continue;
    compared++;
    const part = await decodeAudio(bytes, name, {
      range: (frames, rate) => {
        assert.equal(frames, length, name);
        assert.equal(rate, whole.sampleRateHz, name);
        return range();
      },
    });
    assert.deepEqual(
      part.channels.map((samples) => [...samples]),
      whole.channels.map((samples) => [...samples.subarray(137, 733)]),
      name,
    );
  }
  assert.ok(compared > 10, `${compared} files are long enough`);
});

Deno.test("a float that is none is found outside of the wanted stretch too", async () => {
  const bytes = encodeWav(wave, float);
  new DataView(bytes.buffer).setFloat32(58 + 4 * 4000, NaN, true);
  await assertRefused(decodeAudio(bytes, "x.wav", { range: () => ({ start: 0, end: 100 }) }), /sample 4000 .* is NaN/);
});
