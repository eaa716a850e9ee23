import assert from "node:assert/strict";
import { resample } from "../../lib/audio/mod.ts";
import { RESAMPLE_KERNEL_SOURCE_SHA256 } from "../../lib/audio/resample_kernel_wasm.ts";
import { AudioError } from "../../lib/errors.ts";
import { sha256Hex } from "../../lib/io.ts";
import { decodeNpy } from "../../lib/npy.ts";
import { loadAudio } from "../../lib/audio/load.ts";
import { RandomState } from "../../lib/random.ts";
import { floats, snrDb } from "./signals.ts";

/** Pairs of rates: the corpora's to 22,050 and 16,000 Hz, simple ratios, and odd ones that have no small fraction. */
const PAIRS = [
  ...[[48000, 22050], [44100, 22050], [24414, 22050], [16000, 22050], [96000, 22050], [8000, 22050]],
  ...[[48000, 16000], [44100, 16000], [24414, 16000], [22050, 16000], [8000, 16000]],
  ...[[16000, 48000], [48000, 32000], [12345, 16001], [16001, 12345], [44100, 8000], [192000, 16000], [22050, 24414]],
] as [number, number][];

function sine(rate: number, hz: number, length: number, phase = 0): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(2 * Math.PI * hz * i / rate + phase));
}

function noise(seed: number, length: number): Float32Array {
  return Float32Array.from(new RandomState(seed).standardNormal(length), (x) => 0.1 * x);
}

function at(samples: Float32Array, from: number, to: number): Float32Array {
  return resample({ samples, sampleRateHz: from }, to).samples;
}

/** Largest absolute value of the middle, away from both ends. */
function peak(samples: Float32Array, margin: number): number {
  let most = 0;
  for (let i = margin; i < samples.length - margin; i++) most = Math.max(most, Math.abs(samples[i]!));
  return most;
}

Deno.test("a sine below the pass band's edge comes through with its amplitude and phase", () => {
  for (const [from, to] of PAIRS) {
    const lower = Math.min(from, to) / 2;
    for (const share of [0.02, 0.3, 0.5]) {
      const hz = share * lower;
      const actual = at(sine(from, hz, Math.round(from * 0.6), 0.7), from, to);
      const expected = sine(to, hz, actual.length, 0.7);
      const margin = Math.ceil(110 * to / (2 * lower)) + 8;
      const snr = snrDb(expected.subarray(margin, -margin), actual.subarray(margin, -margin));
      assert.ok(snr > 100, `${from} → ${to} Hz, sine of ${hz.toFixed(0)} Hz: ${snr.toFixed(1)} dB`);
    }
    // Up to the edge soxr's own roll-off of 0.01 dB is allowed.
    const hz = 0.913 * lower;
    const edge = peak(at(sine(from, hz, Math.round(from * 0.6)), from, to), Math.ceil(220 * to / (2 * lower)));
    assert.ok(Math.abs(20 * Math.log10(edge)) < 0.02, `${from} → ${to} Hz at the edge: ${edge}`);
  }
});

Deno.test("a sine above the lower Nyquist frequency is at least 100 dB down", () => {
  for (const [from, to] of PAIRS.filter(([from, to]) => from > to)) {
    for (const share of [1.0005, 1.05, 1.3, 1.8]) {
      const hz = share * to / 2;
      if (hz >= from / 2) continue;
      const rest = peak(at(sine(from, hz, Math.round(from * 0.6)), from, to), Math.ceil(to * 0.02));
      assert.ok(
        20 * Math.log10(rest) < -100,
        `${from} → ${to} Hz, sine of ${hz.toFixed(0)} Hz: ${20 * Math.log10(rest)} dB`,
      );
    }
  }
});

Deno.test("images above the old Nyquist frequency are at least 100 dB down", () => {
  for (const [from, to] of PAIRS.filter(([from, to]) => from < to)) {
    const hz = 0.7 * from / 2;
    const actual = at(sine(from, hz, Math.round(from * 0.6)), from, to);
    const margin = Math.ceil(110 * to / from) + 8;
    const snr = snrDb(sine(to, hz, actual.length).subarray(margin, -margin), actual.subarray(margin, -margin));
    assert.ok(snr > 72, `${from} → ${to} Hz: ${snr}`);
    // The roll-off scales the sine; what is left after fitting its amplitude are images and noise.
    let dot = 0;
    let own = 0;
    const expected = sine(to, hz, actual.length);
    for (let i = margin; i < actual.length - margin; i++) {
      dot += expected[i]! * actual[i]!;
      own += expected[i]! ** 2;
    }
    const fitted = expected.map((x) => x * dot / own);
    const images = snrDb(fitted.subarray(margin, -margin), actual.subarray(margin, -margin));
    assert.ok(images > 100, `${from} → ${to} Hz: images at -${images.toFixed(1)} dB`);
  }
});

Deno.test("a constant keeps its value to a millionth", () => {
  for (const [from, to] of PAIRS) {
    const actual = at(new Float32Array(from / 2 | 0).fill(0.5), from, to);
    const margin = Math.ceil(210 * to / Math.min(from, to));
    for (let i = margin; i < actual.length - margin; i++) {
      assert.ok(Math.abs(actual[i]! - 0.5) < 1e-6, `${from} → ${to} Hz: sample ${i} is ${actual[i]}`);
    }
  }
});

Deno.test("the response to an impulse is symmetric around its time", () => {
  for (const [from, to] of [[48000, 16000], [16000, 48000], [44100, 22050], [8000, 16000]] as const) {
    const samples = new Float32Array(6000);
    samples[3000] = 1;
    const actual = at(samples, from, to);
    const centre = 3000 * to / from;
    for (let i = 1; i < 500; i++) {
      const difference = Math.abs(actual[centre + i]! - actual[centre - i]!);
      assert.ok(difference < 2e-7, `${from} → ${to} Hz, ${i} samples off: ${difference}`);
    }
    const before = actual.subarray(0, centre - Math.ceil(110 * to / Math.min(from, to)) - 16);
    assert.ok(peak(before, 0) < 1e-6, "nothing rings before the filter begins");
  }
});

Deno.test("the length is the ceiling of n · to / from, for every n", () => {
  for (const [from, to] of PAIRS) {
    for (const n of [0, 1, 2, 3, 7, 100, 319, 320, 321, 1000, 4097, 12345]) {
      const actual = at(noise(n, n), from, to);
      assert.equal(actual.length, Math.ceil(n * (to / from)), `${n} samples from ${from} to ${to} Hz`);
      assert.ok(actual.every(Number.isFinite));
    }
  }
});

Deno.test("resampling is linear", () => {
  for (const [from, to] of PAIRS) {
    const [x, y] = [noise(1, 9000), noise(2, 9000)];
    const mixed = at(x.map((value, i) => 0.5 * value - 2 * y[i]!), from, to);
    const [rx, ry] = [at(x, from, to), at(y, from, to)];
    const snr = snrDb(rx.map((value, i) => 0.5 * value - 2 * ry[i]!), mixed);
    assert.ok(snr > 120, `${from} → ${to} Hz: ${snr.toFixed(1)} dB`);
  }
});

Deno.test("shifting the input by whole periods of the ratio shifts the output", () => {
  const x = noise(3, 12000);
  const shifted = new Float32Array(12000 + 3200);
  shifted.set(x, 3200);
  // As in soxr, the interpolator starts from silence, which the first samples of each show.
  const snr = snrDb(at(x, 48000, 22050).subarray(16), at(shifted, 48000, 22050).subarray(16), 1470);
  assert.ok(snr > 120, `${snr.toFixed(1)} dB`);
});

Deno.test("a signal survives going up and down again", () => {
  const x = Float32Array.from({ length: 16000 }, (_, i) => 0.2 * Math.sin(i * i / 30000) + 0.1 * Math.sin(i / 3));
  for (const up of [22050, 24414, 32000, 44100, 48000]) {
    const back = at(at(x, 16000, up), up, 16000);
    const snr = snrDb(x.subarray(400, 12000), back.subarray(400, 12000));
    assert.ok(snr > 60, `16000 → ${up} → 16000 Hz: ${snr.toFixed(1)} dB`);
  }
});

Deno.test("long and short signals agree: blocks leave no seams", () => {
  const x = noise(4, 100_000);
  for (const [from, to] of [[48000, 22050], [24414, 22050], [16000, 22050], [12345, 16001]] as const) {
    const whole = at(x, from, to);
    // A stretch from the middle, cut so that it starts on a common sample of both rates.
    const divisor = gcd(from, to);
    const start = Math.ceil(30_000 / (from / divisor)) * (from / divisor);
    const part = at(x.subarray(start, start + 20_000), from, to);
    const offset = start / from * to;
    const margin = 600;
    const snr = snrDb(whole.subarray(offset + margin, offset + part.length - margin), part.subarray(margin, -margin));
    assert.ok(snr > 120, `${from} → ${to} Hz: ${snr.toFixed(1)} dB`);
  }
});

Deno.test("silence stays exactly silent, and the wanted rate returns the wave itself", () => {
  assert.ok(at(new Float32Array(5000), 48000, 22050).every((x) => x === 0));
  const wave = { samples: noise(5, 100), sampleRateHz: 16000 };
  assert.equal(resample(wave, 16000), wave);
});

Deno.test("equal input gives equal bytes, also after other ratios were used", () => {
  const x = noise(6, 20_000);
  const first = at(x, 48000, 22050);
  for (const [from, to] of PAIRS) at(x, from, to);
  assert.deepEqual(at(x, 48000, 22050), first);
});

Deno.test("rates that are no whole number of Hz, or too far apart, are refused", () => {
  for (const rate of [0, -1, 22050.5, NaN, Infinity, 1e7]) {
    assert.throws(() => at(new Float32Array(10), 16000, rate), AudioError);
    assert.throws(() => at(new Float32Array(10), rate, 16000), AudioError);
  }
  assert.throws(() => at(new Float32Array(10), 10, 22050), /ratio above 768/);
});

Deno.test("the compiled kernel is that of its source", () => {
  const source = Deno.readFileSync(new URL("../../lib/audio/resample_kernel.c", import.meta.url));
  assert.equal(sha256Hex(source), RESAMPLE_KERNEL_SOURCE_SHA256);
});

function gcd(a: number, b: number): number {
  return b ? gcd(b, a % b) : a;
}

// White noise through soxr 1.1.0, quality HQ (tests/golden/make_audio.py). Bound: 5e-5 of the range, and 2e-2 in the first
// and last samples of 96 kHz and 24,414 → 16,000 Hz, where soxr has a stage before the sharp filter, which starts from
// silence. Noise fills the band's edge; speech is far nearer, as the clips below show.
const golden: { resample: { from: number; to: number; input: string; output: string }[] } = JSON.parse(
  Deno.readTextFileSync(new URL("../golden/audio_containers.json", import.meta.url)),
);
for (const { from, to, input, output } of golden.resample) {
  Deno.test(`white noise from ${from} to ${to} Hz is soxr's`, () => {
    const expected = floats(output);
    const actual = at(floats(input), from, to);
    let range = 0;
    for (const x of expected) range = Math.max(range, 2 * Math.abs(x));
    for (let i = 0; i < expected.length; i++) {
      const staged = from === 96000 || (from === 24414 && to === 16000);
      const edge = staged && (i < 40 || i >= expected.length - 40);
      const bound = edge ? 2e-2 : 5e-5;
      const difference = Math.abs(actual[i]! - expected[i]!) / range;
      assert.ok(difference < bound, `sample ${i} of ${expected.length}: ${difference}`);
    }
  });
}

// librosa 0.11.0, soxr_hq: librosa.load(file). Bound: 1e-5 of the range.
const shared = new URL("../../../shared/", import.meta.url).pathname;
let clips: [string, { file: string }][] = [];
try {
  clips = Object.entries(JSON.parse(Deno.readTextFileSync(`${shared}golden/index.json`)).clips);
} catch { /* the clips are not part of the repository */ }
Deno.test({
  name: "loadAudio gives librosa.load's samples (needs ../shared/golden)",
  ignore: clips.length === 0,
  async fn() {
    for (const [key, { file }] of clips) {
      const path = `${shared}golden/${key}/audio_22050.npy`;
      const expected = decodeNpy(Deno.readFileSync(path), path).data;
      const { samples } = await loadAudio(`${shared}corpora/${file}`);
      assert.equal(samples.length, expected.length, key);
      let range = 0;
      for (const x of expected) range = Math.max(range, 2 * Math.abs(x));
      let worst = 0;
      for (let i = 0; i < samples.length; i++) worst = Math.max(worst, Math.abs(samples[i]! - expected[i]!));
      assert.ok(worst <= 1e-5 * range, `${key}: ${worst / range} of the range`);
    }
  },
});
