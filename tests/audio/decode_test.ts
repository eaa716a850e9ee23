import assert from "node:assert/strict";
import { decodeAudio, resample, toMono } from "../../lib/audio/mod.ts";
import { AudioError } from "../../lib/errors.ts";
import { assertClose, bestDelay, floats, fromBase64, snrDb, voice } from "./signals.ts";

interface PcmCase {
  name: string;
  container: string;
  encoding: string;
  channels: number;
  expected: string;
  data: string;
}
interface LossyCase {
  name: string;
  container: string;
  encoding: string;
  sourceRateHz: number;
  channels: number;
  data: string;
}
const golden: { pcm: PcmCase[]; lossy: LossyCase[] } = JSON.parse(
  Deno.readTextFileSync(new URL("../golden/audio_containers.json", import.meta.url)),
);
const recorded: { recordings: { mimeType: string; data: string }[] } = JSON.parse(
  Deno.readTextFileSync(new URL("../golden/audio_mediarecorder.json", import.meta.url)),
);

// Made by ffmpeg 5.1 and SoX; expected values by libsndfile 1.2.2 (tests/golden/make_audio.py). Tolerance: none.
for (const { name, container, encoding, channels, expected, data } of golden.pcm) {
  Deno.test(`${name} decodes to libsndfile's samples exactly`, async () => {
    const decoded = await decodeAudio(fromBase64(data), name);
    assert.equal(decoded.sampleRateHz, 8000);
    assert.equal(decoded.container, container);
    assert.equal(decoded.encoding, encoding);
    assert.equal(decoded.channels.length, channels);
    const frames = floats(expected);
    for (let c = 0; c < channels; c++) {
      const channel = frames.filter((_, i) => i % channels === c);
      assertClose(decoded.channels[c]!, channel, 0, `${name} channel ${c}`);
    }
  });
}

/**
 * What each lossy file must reach against the voice that went in: SNR in dB (about 3 dB below what was measured), and the
 * padding that stays at the end where the container does not say how long the audio is.
 */
const LOSSY: Record<string, { snrDb: number; padding: number }> = {
  "mono.mp3": { snrDb: 23, padding: 0 },
  "stereo.mp3": { snrDb: 19, padding: 0 },
  "mono.ogg": { snrDb: 28, padding: 0 },
  "stereo.ogg": { snrDb: 29, padding: 0 },
  "mono.opus": { snrDb: 27, padding: 0 },
  "stereo.opus": { snrDb: 24, padding: 0 },
  "mono.webm": { snrDb: 27, padding: 0 },
  "live.webm": { snrDb: 23, padding: 0 },
  "mono.m4a": { snrDb: 25, padding: 0 },
  "stereo.m4a": { snrDb: 15, padding: 0 },
  "fragmented.mp4": { snrDb: 23, padding: 960 },
  "opus.mp4": { snrDb: 27, padding: 0 },
  "mono.aac": { snrDb: 25, padding: 320 },
};

for (const { name, container, encoding, sourceRateHz, channels, data } of golden.lossy) {
  const { snrDb: bound, padding } = LOSSY[name]!;
  Deno.test(`${name} decodes to the voice that was encoded, without delay, with at least ${bound} dB SNR`, async () => {
    const decoded = await decodeAudio(fromBase64(data), name);
    const rate = encoding === "opus" ? 48000 : sourceRateHz;
    assert.equal(decoded.sampleRateHz, rate);
    assert.equal(decoded.container, container);
    assert.equal(decoded.encoding, encoding);
    assert.equal(decoded.channels.length, channels);
    const source = voice(sourceRateHz, 0.3, channels).map((samples) =>
      resample({ samples, sampleRateHz: sourceRateHz }, rate).samples
    );
    for (let c = 0; c < channels; c++) {
      const actual = decoded.channels[c]!;
      const snr = snrDb(source[c]!, actual);
      assert.equal(actual.length, source[c]!.length + padding);
      assert.equal(bestDelay(source[c]!, actual, 40), 0);
      assert.ok(snr >= bound, `channel ${c}: ${snr.toFixed(1)} dB`);
    }
  });
}

for (const { mimeType, data } of recorded.recordings) {
  Deno.test(`what MediaRecorder writes as ${mimeType} holds the voice that was played`, async () => {
    const decoded = await decodeAudio(fromBase64(data), "recording");
    assert.equal(decoded.sampleRateHz, 48000);
    assert.equal(decoded.encoding, "opus");
    const { samples } = toMono(decoded);
    // A recording starts when it starts; the browser's destination node is stereo and keeps the level.
    assert.ok(samples.length > 0.2 * 48000 && samples.length < 1.5 * 48000, `${samples.length} samples`);
    const [source] = voice(48000, 0.3);
    const middle = source!.subarray(4800, 9600);
    let best = -Infinity;
    for (let at = 0; at + middle.length <= samples.length; at++) {
      best = Math.max(best, snrDb(middle.subarray(0, 960), samples.subarray(at, at + 960)));
      if (best > 10) break;
    }
    assert.ok(best > 10, `best fit ${best.toFixed(1)} dB`);
  });
}

Deno.test("every container names the file and the rule when it is cut anywhere", async () => {
  for (const { name, data } of [...golden.pcm, ...golden.lossy]) {
    const bytes = fromBase64(data);
    // WAV of streams apart, no header leaves it open where the audio ends, except live WebM between two elements.
    for (const share of [0.02, 0.3, 0.6, 0.95]) {
      const cut = bytes.slice(0, Math.floor(bytes.length * share));
      await assert.rejects(
        decodeAudio(cut, `cut-${name}`),
        (error) => {
          assert.ok(error instanceof AudioError, String(error));
          assert.ok(error.message.startsWith(`cut-${name}: `) && error.message.endsWith("."), error.message);
          assert.ok(!error.message.includes("\n"), error.message);
          return true;
        },
        `${name} cut to ${share}`,
      );
    }
  }
});

Deno.test("files that are no audio are told for what they are", async () => {
  const text = (content: string) => new TextEncoder().encode(content);
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(0), /^x\.wav: is empty \(0 bytes\)\.$/],
    [
      text("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 104\n"),
      /^x\.wav: is a Git LFS pointer, not audio; /,
    ],
    [text("\n<!DOCTYPE html>\n<html><body>403</body></html>"), /^x\.wav: is an HTML page, not audio; /],
    [text('<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>'), /^x\.wav: is an XML document, not audio\.$/],
    [text('{"error": "not found"}'), /^x\.wav: is JSON, not audio\.$/],
    [text("PK\x03\x04 and more of it"), /^x\.wav: is a ZIP archive, not audio\.$/],
    [new Uint8Array(100), /^x\.wav: starts with nothing but zero bytes and is not audio\.$/],
    [text("label,path\nhappy,a.wav\n"), /^x\.wav: is not audio of a kind that is read /],
  ];
  for (const [bytes, message] of cases) {
    await assert.rejects(decodeAudio(bytes, "x.wav"), (error) => {
      assert.ok(error instanceof AudioError);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("a FLAC file with a flipped bit in its audio fails its checksum", async () => {
  const bytes = fromBase64(golden.pcm.find(({ name }) => name === "mono16.flac")!.data);
  bytes[bytes.length - 20]! ^= 4;
  await assert.rejects(decodeAudio(bytes, "x.flac"), /x\.flac: is (corrupt|truncated)/);
});

Deno.test("an Ogg page with a flipped bit fails its checksum", async () => {
  const bytes = fromBase64(golden.lossy.find(({ name }) => name === "mono.opus")!.data);
  bytes[bytes.length - 20]! ^= 4;
  await assert.rejects(
    decodeAudio(bytes, "x.opus"),
    /x\.opus: is corrupt: the checksum of the page at byte \d+ does not fit\.$/,
  );
});

Deno.test("decoding WAV, AIFF and FLAC loads no codec", async () => {
  const script = `
    import { decodeAudio } from ${JSON.stringify(new URL("../../lib/audio/mod.ts", import.meta.url).href)};
    const golden = JSON.parse(Deno.readTextFileSync(${
    JSON.stringify(new URL("../golden/audio_containers.json", import.meta.url).pathname)
  }));
    let compiled = 0;
    for (const name of ["compile", "instantiate", "compileStreaming", "instantiateStreaming"]) {
      const real = WebAssembly[name];
      WebAssembly[name] = (...args) => (compiled++, real(...args));
    }
    WebAssembly.Module = new Proxy(WebAssembly.Module, { construct: (...args) => (compiled++, Reflect.construct(...args)) });
    const decode = ({ name, data }) => decodeAudio(Uint8Array.from(atob(data), (c) => c.charCodeAt(0)), name);
    for (const file of golden.pcm) await decode(file);
    const before = compiled;
    await decode(golden.lossy[0]);
    console.log(before, compiled > 0);
  `;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", script],
    cwd: new URL("../..", import.meta.url),
  }).output();
  assert.equal(new TextDecoder().decode(stdout).trim(), "0 true", new TextDecoder().decode(stderr));
});
