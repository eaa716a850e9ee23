import assert from "node:assert/strict";
import { decodeAacLc, isAacLc } from "../../lib/audio/aac.ts";
import { AAC_SOURCE_SHA256 } from "../../lib/audio/aac_wasm.ts";
import { decodeAudio } from "../../lib/audio/mod.ts";
import { concatBytes } from "../../lib/bytes.ts";
import { AudioError } from "../../lib/errors.ts";
import { sha256Hex } from "../../lib/io.ts";
import { floats, fromBase64 } from "./signals.ts";

interface File {
  name: string;
  noise: boolean;
  sampleRateHz: number;
  channels: number;
  frames: number;
  stride: number;
  expected: string;
  data: string;
}
const golden: { files: File[]; high: { name: string; sampleRateHz: number; frames: number; data: string }[] } = JSON
  .parse(Deno.readTextFileSync(new URL("../golden/aac.json", import.meta.url)));

/**
 * Largest difference from ffmpeg's samples (full scale is 1): both compute in 32 bits, in another order, and noise is scaled
 * by a sum of large squares. Measured: a third of it.
 */
const BOUND = { plain: 2e-7, noise: 2e-5 } as const;

// Made and decoded by ffmpeg 5.1 (tests/golden/make_aac.py), noise substitution included.
for (const { name, noise, sampleRateHz, channels, frames, stride, expected, data } of golden.files) {
  Deno.test(`${name}${noise ? ", made with noise substitution," : ""} decodes to ffmpeg's samples`, async () => {
    const decoded = await decodeAudio(fromBase64(data), name);
    assert.equal(decoded.sampleRateHz, sampleRateHz);
    assert.equal(decoded.encoding, "aac");
    assert.equal(decoded.channels.length, channels);
    const values = floats(expected);
    let worst = 0;
    for (const [c, samples] of decoded.channels.entries()) {
      assert.equal(samples.length, frames);
      for (let i = 0; i * stride < frames; i++) {
        worst = Math.max(worst, Math.abs(samples[i * stride]! - values[i * channels + c]!));
      }
    }
    assert.ok(worst <= (noise ? BOUND.noise : BOUND.plain), `${worst} apart`);
  });
}

Deno.test("noise is drawn the same whenever the same bytes are decoded", async () => {
  const { name, data } = golden.files.find(({ noise }) => noise)!;
  const [first, second] = await Promise.all([decodeAudio(fromBase64(data), name), decodeAudio(fromBase64(data), name)]);
  for (const other of golden.files) await decodeAudio(fromBase64(other.data), other.name);
  const third = await decodeAudio(fromBase64(data), name);
  for (const again of [second, third]) assert.deepEqual(again.channels, first.channels);
});

for (const { name, sampleRateHz, frames, data } of golden.high) {
  Deno.test(`${name}, HE-AAC, is left to the decoder that has both halves of the spectrum`, async () => {
    const decoded = await decodeAudio(fromBase64(data), name);
    assert.equal(decoded.sampleRateHz, sampleRateHz);
    const [samples] = decoded.channels;
    // An ADTS stream keeps the padding at its end and what the encoder's delay is longer than a unit.
    if (name.endsWith(".m4a")) assert.equal(samples!.length, frames);
    else assert.ok(samples!.length >= frames && samples!.length < frames + 4 * 2048, `${samples!.length} samples`);
    assert.ok(samples!.some((x) => Math.abs(x) > 0.1));
  });
}

Deno.test("a configuration is taken where it says low complexity without replication", () => {
  const cases: [string, number[], boolean][] = [
    ["mono", [0x12, 0x08], true],
    ["without replication, said so", [0x12, 0x10, 0x56, 0xe5, 0x00], true],
    ["seven and one channels", [0x12, 0x38], true],
    ["with replication", [0x12, 0x10, 0x56, 0xe5, 0x80], false],
    ["replication first", [0x2b, 0x11, 0x88, 0x00], false],
    ["parametric stereo first", [0xeb, 0x09, 0x88, 0x00], false],
    ["Main", [0x0a, 0x10], false],
    ["long-term prediction", [0x22, 0x10], false],
    ["units of 960 samples", [0x12, 0x14], false],
    ["channels as the stream says", [0x12, 0x00], false],
    ["nothing", [], false],
  ];
  for (const [what, bytes, taken] of cases) assert.equal(isAacLc(Uint8Array.from(bytes)), taken, what);
});

/** Bytes of bits as text; blanks are left out, zeros fill up. */
function bits(text: string): Uint8Array {
  const digits = text.replaceAll(" ", "");
  const byte = (_: unknown, i: number) => Number.parseInt(digits.slice(8 * i, 8 * i + 8).padEnd(8, "0"), 2);
  return Uint8Array.from({ length: Math.ceil(digits.length / 8) }, byte);
}

/** A unit of one channel without a sound: element 0, gain, window, no bands, no tools, end. */
const SILENCE = bits("000 0000 00000000 0 00 0 000000 0 0 0 0 111");
const MONO = { rateHz: 48000, channelCode: 1 };

Deno.test("what needs another decoder is handed back, whenever it shows", async () => {
  const cases: [string, Uint8Array][] = [
    ["spectral band replication in a fill element", bits("110 0010 1101 0000 00000000 111")],
    ["a coupling channel", bits("010 0000 00000000")],
    ["a program configuration", bits("101 0000 00000000")],
    ["no channel at all", bits("111")],
  ];
  assert.deepEqual(await decodeAacLc([SILENCE], MONO, "x"), [new Float32Array(1024)]);
  assert.deepEqual(await decodeAacLc([], MONO, "x"), [new Float32Array(0)]);
  for (const [what, unit] of cases) assert.equal(await decodeAacLc([SILENCE, unit], MONO, "x"), undefined, what);
});

Deno.test("units that break the format end in one sentence, the decoder's traps included", async () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ["cut short", SILENCE.subarray(0, 2), /^x\.aac: is corrupt: access unit 1 cannot be decoded\.$/],
    ["a bit that is reserved", bits("000 0000 00000000 1"), /access unit 1 cannot be decoded\.$/],
    // The decoder looks 14 bands beyond its table and panics.
    [
      "63 bands",
      bits("000 0000 00000000 0 00 0 111111 0 0000 11111 11111 00001 0 0 0 111"),
      /unit 1 cannot be decoded\.$/,
    ],
    ["far too long", new Uint8Array(70_000), /^x\.aac: is corrupt: access unit 1 has 70000 bytes, which no AAC has\.$/],
  ];
  for (const [what, unit, message] of cases) {
    await assert.rejects(decodeAacLc([SILENCE, unit, SILENCE], MONO, "x.aac"), (error) => {
      assert.ok(error instanceof AudioError, what);
      assert.match(error.message, message);
      assert.equal(error.cause instanceof WebAssembly.RuntimeError, what === "63 bands");
      return true;
    });
    assert.equal((await decodeAacLc([SILENCE], MONO, "x.aac"))!.length, 1, "the next file has a decoder of its own");
  }
});

Deno.test("the compiled decoder is that of its source", () => {
  const sources = ["Cargo.toml", "Cargo.lock", "src/lib.rs", "symphonia-codec-aac.patch"];
  const read = (name: string) => Deno.readFileSync(new URL(`../../lib/audio/aac/${name}`, import.meta.url));
  assert.equal(sha256Hex(concatBytes(sources.map(read))), AAC_SOURCE_SHA256);
});
