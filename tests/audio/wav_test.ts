import assert from "node:assert/strict";
import { decodeWav, encodeWav } from "../../lib/audio/mod.ts";
import { AudioError } from "../../lib/errors.ts";
import { RandomState } from "../../lib/random.ts";

const RATE = 16000;
const samples = Float32Array.from(new RandomState(1).uniform(-1, 1, 64), (x) => Math.round(x * 32767) / 32768);

/** A chunk with its padding byte. */
function chunk(tag: string, body: Uint8Array, declared = body.length): Uint8Array {
  const bytes = new Uint8Array(8 + body.length + body.length % 2);
  for (let i = 0; i < 4; i++) bytes[i] = tag.charCodeAt(i);
  new DataView(bytes.buffer).setUint32(4, declared, true);
  bytes.set(body, 8);
  return bytes;
}

/** A RIFF file of chunks; `size` overrides what its header says. */
function riff(chunks: Uint8Array[], form = "RIFF", size?: number): Uint8Array {
  const length = chunks.reduce((sum, { length }) => sum + length, 0);
  const bytes = new Uint8Array(12 + length);
  for (let i = 0; i < 4; i++) {
    bytes[i] = form.charCodeAt(i);
    bytes[8 + i] = "WAVE".charCodeAt(i);
  }
  new DataView(bytes.buffer).setUint32(4, size ?? 4 + length, true);
  let at = 12;
  for (const part of chunks) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The body of a fmt chunk. */
function format(fields: { code?: number; channels?: number; rate?: number; align?: number; bits?: number } = {}) {
  const { code = 1, channels = 1, rate = RATE, bits = 16 } = fields;
  const body = new Uint8Array(16);
  const view = new DataView(body.buffer);
  const align = fields.align ?? channels * bits / 8;
  view.setUint16(0, code, true);
  view.setUint16(2, channels, true);
  view.setUint32(4, rate, true);
  view.setUint32(8, rate * align, true);
  view.setUint16(12, align, true);
  view.setUint16(14, bits, true);
  return body;
}

const pcm16 = new Uint8Array(Int16Array.from(samples, (x) => x * 32768).buffer);

function assertSamples(bytes: Uint8Array): void {
  const decoded = decodeWav(bytes, "x.wav");
  assert.equal(decoded.sampleRateHz, RATE);
  assert.equal(decoded.channels.length, 1);
  assert.deepEqual(decoded.channels[0], samples);
}

function assertRefused(bytes: Uint8Array, rule: RegExp): void {
  assert.throws(() => decodeWav(bytes, "x.wav"), (error) => {
    assert.ok(error instanceof AudioError, String(error));
    assert.match(error.message, rule);
    assert.ok(error.message.startsWith("x.wav: "));
    return true;
  });
}

Deno.test("a plain WAV file gives its integers divided by 32768", () => {
  assertSamples(riff([chunk("fmt ", format()), chunk("data", pcm16)]));
});

Deno.test("chunks of odd size, before fmt and before data, several of them, are stepped over", () => {
  const odd = [chunk("JUNK", new Uint8Array(5).fill(7)), chunk("LIST", new Uint8Array(13).fill(1))];
  assertSamples(riff([...odd, chunk("fmt ", format()), ...odd, chunk("data", pcm16), ...odd]));
});

Deno.test("the first data chunk counts, and a missing last padding byte does not matter", () => {
  const odd = chunk("LIST", new Uint8Array(3));
  const bytes = riff([chunk("fmt ", format()), chunk("data", pcm16), chunk("data", new Uint8Array(8)), odd]);
  assertSamples(bytes.subarray(0, bytes.length - 1));
});

Deno.test("bytes that start at an odd address of their buffer decode alike", () => {
  const bytes = riff([chunk("fmt ", format()), chunk("data", pcm16)]);
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  assertSamples(shifted.subarray(1));
});

Deno.test("a data size of 0xFFFFFFFF, SoX's 0x7FFFF000, or 0 in a stream means the rest of the file", () => {
  for (const [size, whole] of [[0xffffffff, 0xffffffff], [0x7ffff000, 0x7ffff024], [0, 0], [0, 0xffffffff]] as const) {
    assertSamples(riff([chunk("fmt ", format()), chunk("data", pcm16, size)], "RIFF", whole));
  }
  // The size of the whole may be right while that of the data was never filled in.
  assertSamples(riff([chunk("fmt ", format()), chunk("data", pcm16, 0)]));
});

Deno.test("a data size of 0 with nothing but further chunks behind it is an empty file", () => {
  assertRefused(
    riff([chunk("fmt ", format()), chunk("data", new Uint8Array(0)), chunk("LIST", new Uint8Array(6))]),
    /holds no samples/,
  );
});

Deno.test("RF64 takes the size of the data from its ds64 chunk", () => {
  const ds64 = new Uint8Array(28);
  new DataView(ds64.buffer).setUint32(8, pcm16.length, true);
  const rest = chunk("LIST", new Uint8Array(20));
  const parts = [chunk("ds64", ds64), chunk("fmt ", format()), chunk("data", pcm16, 0xffffffff), rest];
  assertSamples(riff(parts, "RF64", 0xffffffff));
  new DataView(ds64.buffer).setUint32(12, 1, true);
  assertRefused(riff([chunk("ds64", ds64), ...parts.slice(1)], "RF64"), /is truncated: .* missing/);
});

Deno.test("an extensible header names its encoding in the sub-format", () => {
  const body = new Uint8Array(40);
  body.set(format({ code: 0xfffe }));
  new DataView(body.buffer).setUint16(16, 22, true);
  new DataView(body.buffer).setUint16(18, 16, true);
  new DataView(body.buffer).setUint16(24, 1, true);
  assertSamples(riff([chunk("fmt ", body), chunk("data", pcm16)]));
});

Deno.test("seven channels come apart in order", () => {
  const data = new Uint8Array(Int16Array.from({ length: 14 }, (_, i) => i * 100).buffer);
  const { channels } = decodeWav(riff([chunk("fmt ", format({ channels: 7 })), chunk("data", data)]), "x.wav");
  assert.equal(channels.length, 7);
  assert.deepEqual([...channels[6]!], [600 / 32768, 1300 / 32768]);
});

Deno.test("a truncated file is refused with the number of missing bytes, not shortened", () => {
  const bytes = riff([chunk("fmt ", format()), chunk("data", pcm16)]);
  assertRefused(bytes.subarray(0, bytes.length - 5), /declares 128 bytes of samples and 5 of them are missing\.$/);
  assertRefused(bytes.subarray(0, 30), /is truncated inside its header|fmt chunk has 10 bytes/);
  assertRefused(bytes.subarray(0, 36), /has no data chunk/);
  assertRefused(bytes.subarray(0, 7), /is truncated inside its header: 7 bytes in all\.$/);
});

Deno.test("headers that no recording has are refused before anything is allocated", () => {
  const file = (fields: Parameters<typeof format>[0], declared?: number) =>
    riff([chunk("fmt ", format(fields)), chunk("data", pcm16, declared)]);
  assertRefused(file({ rate: 0 }), /declares 0 Hz; rates from 1000 to 768000 Hz are read/);
  assertRefused(file({ rate: 4_000_000_000 }), /declares 4000000000 Hz/);
  assertRefused(file({ channels: 0, align: 2 }), /declares 0 channels/);
  assertRefused(file({ align: 4 }), /contradicts itself: 1 channels of 16 bits in frames of 4 bytes/);
  assertRefused(file({ bits: 64 }), /64-bit samples/);
  assertRefused(file({ code: 2, bits: 4, align: 1 }), /is a WAV file with Microsoft ADPCM/);
  assertRefused(file({}, 0xfffffff0), /declares 4294967280 bytes of samples and 4294967152 of them are missing/);
  assertRefused(file({ channels: 65535, align: 65534 }), /contradicts itself/);
  assertRefused(riff([chunk("fmt ", format()), chunk("data", new Uint8Array(1))]), /holds no samples/);
  assertRefused(riff([chunk("data", pcm16)]), /data chunk comes before any fmt chunk/);
  assertRefused(riff([chunk("fmt ", format().subarray(0, 14)), chunk("data", pcm16)]), /at least 16 are needed/);
});

Deno.test("NaN and infinite samples are refused with their place", () => {
  for (const [value, word] of [[NaN, "NaN"], [Infinity, "infinite"], [-Infinity, "infinite"]] as const) {
    const data = new Uint8Array(Float32Array.of(0, 0.5, value, 0.1).buffer);
    const bytes = riff([chunk("fmt ", format({ code: 3, channels: 2, bits: 32 })), chunk("data", data)]);
    assertRefused(bytes, new RegExp(`sample 1 of channel 0 is ${word}`));
  }
  const huge = new Uint8Array(Float32Array.of(0, 1e38).buffer);
  assertRefused(
    riff([chunk("fmt ", format({ code: 3, bits: 32 })), chunk("data", huge)]),
    /sample 1 of channel 0 is 1\.00e\+38, which is no audio/,
  );
  // A 64-bit value that a 32-bit float cannot hold.
  const data = new Uint8Array(Float64Array.of(1e300).buffer);
  assertRefused(riff([chunk("fmt ", format({ code: 3, bits: 64 })), chunk("data", data)]), /is infinite/);
});

Deno.test("all-zero audio is valid", () => {
  const { channels } = decodeWav(riff([chunk("fmt ", format()), chunk("data", new Uint8Array(200))]), "x.wav");
  assert.ok(channels[0]!.length === 100 && channels[0]!.every((x) => x === 0));
});

Deno.test("encodeWav rounds to the nearest step, clips, and gives equal bytes for equal samples", () => {
  const wave = { samples: Float32Array.of(0.4 / 32768, 0.6 / 32768, 1, -1, 3, -3), sampleRateHz: RATE };
  const bytes = encodeWav(wave);
  assert.deepEqual(
    [...decodeWav(bytes, "x").channels[0]!].map((x) => x * 32768),
    [0, 1, 32767, -32768, 32767, -32768],
  );
  assert.deepEqual(encodeWav(wave), bytes);
  assert.equal(bytes.length, 44 + 12);
});

Deno.test("encodeWav and decodeWav give every 16-bit and float sample back", () => {
  const every = Float32Array.from({ length: 65536 }, (_, i) => (i - 32768) / 32768);
  assert.deepEqual(decodeWav(encodeWav({ samples: every, sampleRateHz: RATE }), "x").channels[0], every);
  const odd = Float32Array.of(1e-30, -1.5, 3.25, Math.fround(0.1));
  const float = encodeWav({ samples: odd, sampleRateHz: RATE }, { encoding: "float32" });
  assert.deepEqual(decodeWav(float, "x").channels[0], odd);
});

Deno.test("encodeWav refuses NaN and rates that no header holds", () => {
  assert.throws(() => encodeWav({ samples: Float32Array.of(0, NaN), sampleRateHz: RATE }), /sample 1 is NaN/);
  for (const sampleRateHz of [0, 22050.5, 1e9]) {
    assert.throws(() => encodeWav({ samples, sampleRateHz }), /a whole number from 1000 to 768000 is needed/);
  }
});
