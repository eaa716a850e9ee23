// Every function against librosa 0.11.0 (SciPy, scikit-image 0.26.0, matplotlib, Pillow) on a synthetic signal:
// tests/golden/features.json, made by tests/golden/make_features.py, which holds the exact calls. Tolerances are shares
// of the array's range, 1e-5 unless said otherwise (values are kept with seven digits).

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as f from "../../lib/features/mod.ts";
import type { Matrix, NdArray } from "../../lib/types.ts";
import { synthetic } from "./synthetic.ts";

interface Thinned {
  readonly shape: readonly number[];
  readonly every: number;
  readonly values: readonly (number | null)[];
}
const golden = (JSON.parse(
  readFileSync(new URL("../golden/features.json", import.meta.url), "utf8"),
) as { arrays: Record<string, Thinned> }).arrays;

const sr = 22050;
const y = synthetic(22050);
const wave = { samples: y, sampleRateHz: sr };
const D = f.stft(y);
const S = f.spectrogram(y);
const P = f.spectrogram(y, { power: 2 });
const mel = f.melspectrogram(wave);
const mfcc = f.mfcc(wave);
const image: Matrix = {
  data: Float32Array.from({ length: 2700 }, (_, i) => Math.fround((i * 7919) % 1009) / 1009),
  shape: [60, 45],
};

type Values = NdArray | ArrayLike<number>;
const flat = (values: Values): ArrayLike<number> => "shape" in values ? values.data : values;

/** Asserts that `actual` has the golden shape and values. */
function same(name: string, actual: Values, share = 1e-5): void {
  const { shape, every, values } = golden[name]!;
  if ("shape" in actual) assert.deepEqual([...actual.shape], [...shape], `${name}: shape`);
  const all = flat(actual);
  assert.equal(all.length, shape.reduce((a, b) => a * b, 1), `${name}: length`);
  const finite = values.filter((v) => v !== null);
  const range = Math.max(...finite) - Math.min(...finite);
  values.forEach((expected, i) => {
    const value = all[i * every]!;
    if (expected === null) assert.ok(Number.isNaN(value), `${name}[${i * every}] is ${value}, not NaN`);
    else {
      assert.ok(
        Math.abs(value - expected) <= share * (range || 1e-1),
        `${name}[${i * every}] is ${value}, expected ${expected} (range ${range})`,
      );
    }
  });
}
const real = (spectrum: f.ComplexMatrix): Matrix => ({ data: spectrum.re, shape: spectrum.shape });
const imaginary = (spectrum: f.ComplexMatrix): Matrix => ({ data: spectrum.im, shape: spectrum.shape });

const checks: Record<string, () => Values> = {
  "samples": () => y,
  "window hann": () => f.getWindow("hann", 32),
  "window hamming": () => f.getWindow("hamming", 31),
  "window blackman": () => f.getWindow("blackman", 32),
  "window blackmanharris symmetric": () => f.getWindow("blackmanharris", 33, { periodic: false }),
  "window triang": () => f.getWindow("triang", 32),
  "window triang symmetric": () => f.getWindow("triang", 33, { periodic: false }),
  "stft real": () => real(D),
  "stft imag": () => imaginary(D),
  "stft short reflect real": () =>
    real(f.stft(y, { nFft: 510, hopLength: 200, winLength: 400, window: "hamming", padMode: "reflect" })),
  "stft edge real": () => real(f.stft(y, { nFft: 512, padMode: "edge" })),
  "stft uncentred imag": () => imaginary(f.stft(y, { nFft: 1000, hopLength: 333, center: false })),
  "istft": () =>
    f.istft({ re: D.re.map((x) => 0.5 * x), im: D.im.map((x) => 0.5 * x), shape: D.shape }, { length: 20000 }),
  "istft short": () =>
    f.istft(f.stft(y, { nFft: 512, hopLength: 100, winLength: 300 }), { hopLength: 100, winLength: 300 }),
  "fft frequencies": () => f.fftFrequencies({ sr: 8000, nFft: 64 }),
  "mel frequencies": () => f.melFrequencies(40, { fmin: 50, fmax: 7000 }),
  "mel frequencies htk": () => f.melFrequencies(40, { fmin: 50, fmax: 7000, htk: true }),
  "mel filters": () => f.melFilters(sr),
  "mel filters htk 1": () => f.melFilters(16000, { nFft: 512, nMels: 26, fmin: 20, fmax: 8000, htk: true, norm: 1 }),
  "mel filters none": () => f.melFilters(16000, { nFft: 512, nMels: 26, norm: null }),
  "mel": () => mel,
  "mel of S": () => f.melspectrogram(P, { sr, nMels: 40 }),
  "mel amplitude htk": () => f.melspectrogram(wave, { nMels: 40, power: 1, htk: true, fmin: 100 }),
  "power to db": () => f.powerToDb(mel),
  "power to db max": () => f.powerToDb(mel, { ref: "max", topDb: 60 }),
  "power to db null": () => f.powerToDb(mel, { ref: 0.5, amin: 1e-7, topDb: null }),
  "amplitude to db": () => f.amplitudeToDb(S),
  "amplitude to db max": () => f.amplitudeToDb(S, { ref: "max", topDb: null, amin: 1e-4 }),
  "mfcc": () => mfcc,
  "mfcc 13 lifter": () => f.mfcc(wave, { nMfcc: 13, lifter: 22 }),
  "mfcc of S": () => f.mfcc(f.powerToDb(f.melspectrogram(P, { sr, nMels: 40 })), { nMfcc: 40 }),
  "delta": () => f.delta(mfcc),
  "delta 2": () => f.delta(mfcc, { order: 2, width: 7 }),
  "delta nearest": () => f.delta(mfcc, { mode: "nearest", width: 5 }),
  "delta mirror": () => f.delta(mfcc, { mode: "mirror" }),
  "delta constant": () => f.delta(mfcc, { mode: "constant" }),
  "delta wrap": () => f.delta(mfcc, { mode: "wrap" }),
  "chroma filters": () => f.chromaFilters(sr, { tuning: 0.2 }),
  "chroma filters 24": () => f.chromaFilters(sr, { nFft: 1024, nChroma: 24, octwidth: null, baseC: false }),
  "tuning": () => [f.estimateTuning(wave), f.estimateTuning(P, { sr })],
  "piptrack pitches": () => f.piptrack(S, { sr }).pitches,
  "piptrack magnitudes": () => f.piptrack(S, { sr }).magnitudes,
  "chroma": () => f.chromaStft(wave),
  "chroma of S": () => f.chromaStft(S, { sr }),
  "chroma 1": () => f.chromaStft(wave, { norm: 1, tuning: 0.1 }),
  "tonnetz": () => f.tonnetz(f.chromaStft(wave)),
  "zcr": () => f.zeroCrossingRate(y),
  "zcr short": () => f.zeroCrossingRate(y, { frameLength: 500, hopLength: 130, center: false }),
  "rms": () => f.rms(y),
  "rms reflect": () => f.rms(y, { frameLength: 1000, hopLength: 300, padMode: "reflect" }),
  "rms of S": () => f.rms(S),
  "centroid": () => f.spectralCentroid(wave),
  "bandwidth": () => f.spectralBandwidth(wave),
  "bandwidth 1": () => f.spectralBandwidth(S, { sr, p: 1, norm: false }),
  "rolloff": () => f.spectralRolloff(wave),
  "rolloff half": () => f.spectralRolloff(S, { sr, rollPercent: 0.5 }),
  "flatness": () => f.spectralFlatness(y),
  "contrast": () => f.spectralContrast(wave),
  "contrast linear": () => f.spectralContrast(S, { sr, linear: true, nBands: 4, fmin: 300, quantile: 0.1 }),
  "yin": () => f.yin(wave, { fmin: 65, fmax: 500 }),
  "yin 1000": () => f.yin(wave, { fmin: 90, fmax: 500, frameLength: 1000, hopLength: 250 }),
  "pyin f0": () => f.pyin(wave, { fmin: 65, fmax: 500 }).f0,
  "pyin voiced": () => f.pyin(wave, { fmin: 65, fmax: 500 }).voicedFlag,
  "pyin probability": () => f.pyin(wave, { fmin: 65, fmax: 500 }).voicedProb,
  "pyin short f0": () => f.pyin(wave, { fmin: 80, fmax: 400, frameLength: 1024, hopLength: 128 }).f0,
  "resize down": () => f.imresize(image, [16, 16]),
  "resize mixed": () => f.imresize(image, [100, 7]),
  "resize up": () =>
    f.imresize({
      data: Float32Array.from([0, 1, 45, 46, 90, 91], (i) => image.data[i]!),
      shape: [3, 2],
    }, [8, 9]),
  "resize plain": () => f.imresize(image, [16, 16], { antiAliasing: false }),
  "study000": () => f.recipe("study000").extract({ samples: y, sampleRateHz: 48000 }),
  "study001": () => f.recipe("study001").extract(wave),
  "study002": () => f.extractFrom(f.recipe("study002"), wave),
  "study003": () => f.recipe("study003").extract({ samples: y, sampleRateHz: 16000 }),
  "study003-vector": () => f.recipe("study003-vector").extract({ samples: y, sampleRateHz: 16000 }),
  "study004": () => f.recipe("study004").extract(wave),
};

Deno.test("every golden array of the synthetic signal is checked", () => {
  assert.deepEqual(Object.keys(checks).sort(), Object.keys(golden).sort());
});

for (const [name, compute] of Object.entries(checks)) {
  Deno.test(`librosa's values on the synthetic signal: ${name}`, () => same(name, compute()));
}
