// Meyda 5.6.3 against the functions here, where both define the same thing. Their definitions differ: Meyda's frames
// are not padded, its zero crossings are a count, its centroid and roll-off are in bins or with another share.

import assert from "node:assert/strict";
import Meyda from "meyda";
import * as f from "../../lib/features/mod.ts";
import { perceptual } from "../../lib/features/perceptual.ts";
import { synthetic } from "./synthetic.ts";

interface MeydaValues {
  readonly rms: number;
  readonly zcr: number;
  readonly spectralCentroid: number;
  readonly spectralRolloff: number;
  readonly amplitudeSpectrum: Float32Array;
}
const meyda = Meyda as unknown as {
  sampleRate: number;
  bufferSize: number;
  windowingFunction: string;
  extract(features: readonly string[], frame: Float32Array): MeydaValues;
};
const n = 2048, hop = 512;
const y = synthetic(22050).map((x, i) => x + 0.01 * Math.sin(i * 0.3));
const frames = Array.from({ length: 20 }, (_, t) => y.slice(2048 + t * hop, 2048 + t * hop + n));
const options = { center: false, hopLength: hop } as const;
const part = y.slice(2048, 2048 + 19 * hop + n);

function each(window: "rect" | "hanning", check: (values: MeydaValues, frame: Float32Array, t: number) => void): void {
  meyda.sampleRate = 22050;
  meyda.bufferSize = n;
  // Meyda windows the samples for every feature, those of the waveform too.
  meyda.windowingFunction = window;
  frames.forEach((frame, t) => {
    const values = meyda.extract(["rms", "zcr", "spectralCentroid", "spectralRolloff", "amplitudeSpectrum"], frame);
    check(values, frame, t);
  });
}

Deno.test("RMS is Meyda's", () => {
  const ours = f.rms(part, options).data;
  each("rect", ({ rms }, _, t) => assert.ok(Math.abs(rms - ours[t]!) < 1e-6, `frame ${t}: ${rms} and ${ours[t]}`));
});

Deno.test("zero crossings are Meyda's count over the frame's length", () => {
  const ours = f.zeroCrossingRate(part, options).data;
  each("rect", ({ zcr }, _, t) => assert.equal(Math.round(ours[t]! * n), zcr, `frame ${t}`));
});

Deno.test("magnitudes are Meyda's (whose window is symmetric and whose Nyquist bin is missing)", () => {
  const window = Float64Array.from({ length: n }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / (n - 1)));
  const { data, shape: [, count] } = f.spectrogram(part, { ...options, window });
  each("hanning", ({ amplitudeSpectrum }, _, t) => {
    assert.equal(amplitudeSpectrum.length, n / 2);
    amplitudeSpectrum.forEach((x, k) => {
      assert.ok(Math.abs(x - data[k * count + t]!) < 1e-3, `frame ${t}, bin ${k}: ${x} and ${data[k * count + t]}`);
    });
  });
});

Deno.test("the spectral centroid is Meyda's, in Hz instead of bins", () => {
  const ours = f.spectralCentroid(part, options).data;
  each("hanning", ({ spectralCentroid }, _, t) => {
    const hz = (spectralCentroid * 22050) / n;
    assert.ok(Math.abs(hz - ours[t]!) < 0.01 * ours[t]!, `frame ${t}: ${hz} and ${ours[t]} Hz`);
  });
});

Deno.test("loudness, sharpness and spread are finite, in range and 0 for silence", () => {
  const { loudness, specificLoudness, sharpness, spread } = perceptual(y);
  const [bands, count] = specificLoudness.shape;
  assert.equal(bands, 24);
  assert.equal(count, 1 + Math.floor(y.length / hop));
  for (let t = 0; t < count; t++) {
    let sum = 0;
    for (let b = 0; b < bands; b++) sum += specificLoudness.data[b * count + t]!;
    assert.ok(Math.abs(sum - loudness[t]!) < 1e-3, `frame ${t}: the bands make the total`);
    assert.ok(sharpness[t]! >= 0 && spread[t]! >= 0 && spread[t]! <= 1, `frame ${t}`);
  }
  const silent = perceptual(new Float32Array(4096));
  for (const values of [silent.loudness, silent.sharpness, silent.spread]) assert.ok(values.every((x) => x === 0));
});
