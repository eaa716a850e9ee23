import assert from "node:assert/strict";
import { AudioError, UsageError } from "../../lib/errors.ts";
import * as f from "../../lib/features/mod.ts";
import type { Matrix } from "../../lib/types.ts";
import { synthetic } from "./synthetic.ts";

const close = (a: number, b: number, bound: number, what = "") =>
  assert.ok(Math.abs(a - b) <= bound, `${what}: ${a} and ${b} differ by more than ${bound}`);

/** The discrete Fourier transform by its definition. */
function slowDft(x: ArrayLike<number>): [number, number][] {
  const n = x.length;
  return Array.from({ length: Math.floor(n / 2) + 1 }, (_, k) => {
    let re = 0, im = 0;
    for (let i = 0; i < n; i++) {
      const angle = (2 * Math.PI * ((k * i) % n)) / n;
      re += x[i]! * Math.cos(angle);
      im -= x[i]! * Math.sin(angle);
    }
    return [re, im];
  });
}

Deno.test("the transform equals its definition, and its inverse gives the data back, for lengths of every kind", () => {
  for (const n of [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 27, 32, 60, 64, 97, 100, 128, 240, 256, 441, 512]) {
    const x = Float64Array.from({ length: n }, (_, i) => Math.sin(i * i * 0.37 + i) + 0.3);
    const spectrum = f.rfft(x);
    slowDft(x).forEach(([re, im], k) => {
      close(spectrum.re[k]!, re, 1e-11, `n ${n}, bin ${k}`);
      close(spectrum.im[k]!, im, 1e-11, `n ${n}, bin ${k}`);
    });
    f.irfft(spectrum, n).forEach((value, i) => close(value, x[i]!, 1e-12, `n ${n}, sample ${i}`));
  }
});

Deno.test("Parseval: the energy of the frames is the energy of their spectra", () => {
  const y = synthetic(8000);
  for (const nFft of [256, 500, 1024]) {
    const { re, im, shape: [bins, frames] } = f.stft(y, { nFft, window: "boxcar", center: false, hopLength: nFft });
    for (let t = 0; t < frames; t++) {
      let energy = 0, spectral = 0;
      for (let i = 0; i < nFft; i++) energy += y[t * nFft + i]! ** 2;
      for (let k = 0; k < bins; k++) {
        const share = k === 0 || 2 * k === nFft ? 1 : 2;
        spectral += share * (re[k * frames + t]! ** 2 + im[k * frames + t]! ** 2);
      }
      close(spectral / nFft, energy, 1e-5 * (energy + 1e-9), `nFft ${nFft}, frame ${t}`);
    }
  }
});

Deno.test("the transform is linear: the spectrum of a sum is the sum of the spectra", () => {
  const a = synthetic(6000), b = a.map((_, i) => Math.sin(i * 0.05));
  const sum = f.stft(a.map((x, i) => x + b[i]!)), first = f.stft(a), second = f.stft(b);
  sum.re.forEach((x, i) => close(x, first.re[i]! + second.re[i]!, 1e-3));
});

Deno.test("a shift by whole hops shifts every frame feature by as many frames", () => {
  const y = synthetic(20000), hop = 512, shift = 3;
  const late = new Float32Array(y.length + shift * hop);
  late.set(y, shift * hop);
  const features: Record<string, (samples: Float32Array) => Matrix> = {
    mel: (s) => f.melspectrogram(s),
    rms: (s) => f.rms(s),
    zcr: (s) => f.zeroCrossingRate(s),
    centroid: (s) => f.spectralCentroid(s),
    flatness: (s) => f.spectralFlatness(s),
    chroma: (s) => f.chromaStft(s, { tuning: 0 }),
    yin: (s) => {
      const f0 = f.yin(s, { fmin: 65, fmax: 500 });
      return { data: f0, shape: [1, f0.length] };
    },
  };
  for (const [name, feature] of Object.entries(features)) {
    const a = feature(y), b = feature(late);
    const [rows, frames] = a.shape, [, lateFrames] = b.shape;
    for (let r = 0; r < rows; r++) {
      for (let t = 4; t < frames - 4; t++) {
        const x = a.data[r * frames + t]!;
        close(b.data[r * lateFrames + t + shift]!, x, 1e-5 * Math.max(1, Math.abs(x)), `${name}, row ${r}, frame ${t}`);
      }
    }
  }
});

Deno.test("istft undoes stft for every window, hop and length that cover the signal", () => {
  for (const length of [3000, 4097, 22050]) {
    const y = synthetic(length).map((x, i) => x + 0.1 * Math.sin(i * 0.01));
    for (
      const options of [
        {},
        { nFft: 512 },
        { nFft: 1024, hopLength: 256, winLength: 800 },
        { nFft: 600, hopLength: 150, window: "hamming" },
        { nFft: 512, hopLength: 128, padMode: "reflect" },
      ] as f.StftOptions[]
    ) {
      const { padMode: _, ...rest } = options;
      const again = f.istft(f.stft(y, options), { ...rest, length });
      assert.equal(again.length, length);
      // The last samples may lie beyond the last whole frame.
      const covered = length - (options.hopLength ?? (options.nFft ?? 2048) / 4);
      for (let i = 0; i < covered; i++) close(again[i]!, y[i]!, 1e-5, `sample ${i} of ${length}`);
    }
  }
});

Deno.test("frames: 1 + floor(length / hop) when centred, whole frames only when not", () => {
  for (const length of [1, 511, 512, 513, 2047, 2048, 5000]) {
    assert.equal(f.spectrogram(new Float32Array(length)).shape[1], 1 + Math.floor(length / 512));
    assert.equal(f.rms(new Float32Array(length)).shape[1], 1 + Math.floor(length / 512));
    assert.equal(f.zeroCrossingRate(new Float32Array(length)).shape[1], 1 + Math.floor(length / 512));
    assert.equal(f.yin(new Float32Array(length), { fmin: 65, fmax: 500 }).length, 1 + Math.floor(length / 512));
  }
  assert.equal(f.spectrogram(new Float32Array(5000), { center: false }).shape[1], 6);
  assert.throws(() => f.spectrogram(new Float32Array(2047), { center: false }), AudioError);
});

Deno.test("mel filters: every triangle of Slaney's norm covers an area of 1, peaks are 1 without norm", () => {
  const sr = 22050, nFft = 16384;
  for (const htk of [false, true]) {
    const { data, shape: [nMels, bins] } = f.melFilters(sr, { nFft, nMels: 40, htk });
    for (let m = 0; m < nMels; m++) {
      const area = data.subarray(m * bins, (m + 1) * bins).reduce((a, b) => a + b) * (sr / nFft);
      close(area, 1, 0.01, `band ${m}`);
    }
    const plain = f.melFilters(sr, { nFft, nMels: 40, htk, norm: null });
    for (let m = 0; m < nMels; m++) {
      close(Math.max(...plain.data.subarray(m * bins, (m + 1) * bins)), 1, 0.05, `band ${m}`);
    }
    const unit = f.melFilters(sr, { nFft, nMels: 40, htk, norm: 2 });
    for (let m = 0; m < nMels; m++) {
      close(unit.data.subarray(m * bins, (m + 1) * bins).reduce((a, b) => a + b * b), 1, 1e-5, `band ${m}`);
    }
  }
});

Deno.test("mel frequencies and their inverse agree, in both formulas", () => {
  for (const htk of [false, true]) {
    for (const hz of [0, 60, 440, 999.9, 1000, 4321, 11025]) {
      close(f.melToHz(f.hzToMel(hz, { htk }), { htk }), hz, 1e-8);
    }
  }
});

Deno.test("DCT-II keeps DC and energy: a constant has one coefficient, the norm stays", () => {
  const rows = 128;
  const constant = f.dct({ data: new Float32Array(rows).fill(-7), shape: [rows, 1] }).data;
  close(constant[0]!, -7 * Math.sqrt(rows), 1e-4);
  for (let k = 1; k < rows; k++) close(constant[k]!, 0, 1e-5);
  const x = Float32Array.from({ length: rows }, (_, i) => Math.sin(i * i));
  const energy = (v: Float32Array) => v.reduce((sum, a) => sum + a * a, 0);
  close(energy(f.dct({ data: x, shape: [rows, 1] }).data), energy(x), 1e-4);
});

Deno.test("MFCC: a gain moves the first coefficient only", () => {
  const y = synthetic(22050);
  // No floor in play: topDb would cut the two spectra alike, but amin would not.
  const db = (samples: Float32Array) =>
    f.logMelSpectrogram(samples.map((x, i) => x + 1e-3 * Math.sin(i * i)), { topDb: null });
  const a = f.mfcc(db(y), { nMfcc: 20 }), b = f.mfcc({ ...db(y), data: db(y).data.map((x) => x + 6) }, { nMfcc: 20 });
  const frames = a.shape[1];
  for (let i = 0; i < a.data.length; i++) {
    close(b.data[i]! - a.data[i]!, i < frames ? 6 * Math.sqrt(128) : 0, 2e-3);
  }
});

Deno.test("decibels: logarithms are Math.log10's to 1e-14, over all magnitudes", () => {
  const values = Float64Array.from({ length: 20000 }, (_, i) => 10 ** ((i - 10000) / 33) * (1 + (i % 97) / 97));
  const expected = values.map(Math.log10);
  const special = Float64Array.of(1, 2, 0.5, 1 - 2 ** -53, 1 + 2 ** -52, 0, 5e-324, Infinity, 1.7e308);
  f.log10InPlace(values);
  values.forEach((x, i) => close(x, expected[i]!, 1e-14 * Math.max(1, Math.abs(expected[i]!))));
  const wanted = special.map(Math.log10);
  f.log10InPlace(special);
  special.forEach((x, i) =>
    assert.ok(Object.is(x, wanted[i]) || Math.abs(x - wanted[i]!) < 1e-14, `${x} ${wanted[i]}`)
  );
});

Deno.test("decibels: the maximum is the reference, everything else at most topDb under it, zeros at amin", () => {
  const power = { data: Float32Array.of(4, 0.04, 4e-7, 0, 1e-12), shape: [5] };
  const near = (actual: ArrayLike<number>, expected: number[]) =>
    expected.forEach((x, i) => close(actual[i]!, x, 1e-4, `value ${i}`));
  near(f.powerToDb(power, { ref: "max" }).data, [0, -20, -70, -80, -80]);
  near(f.powerToDb(power, { ref: "max", topDb: null }).data, [0, -20, -70, -106.0206, -106.0206]);
  near(f.powerToDb(power, { ref: 4, topDb: 30 }).data, [0, -20, -30, -30, -30]);
  near(f.powerToDb({ data: new Float32Array(3), shape: [3] }, { ref: "max" }).data, [0, 0, 0]);
  near(f.amplitudeToDb({ data: Float32Array.of(-2, 0.02, 0), shape: [3] }).data, [6.0206, -33.9794, -73.9794]);
  near(f.dbToPower(f.powerToDb(power, { topDb: null })).data, [4, 0.04, 4e-7, 1e-10, 1e-10]);
  assert.throws(() => f.powerToDb(power, { amin: 0 }), UsageError);
  assert.throws(() => f.powerToDb(power, { topDb: -1 }), UsageError);
});

Deno.test("delta of a polynomial of its order is its derivative, ends included", () => {
  const frames = 30;
  const row = (g: (t: number) => number): Matrix => ({
    data: Float32Array.from({ length: frames }, (_, t) => g(t)),
    shape: [1, frames],
  });
  for (const width of [3, 5, 9, 21]) {
    f.delta(row((t) => 5 - 2 * t), { width }).data.forEach((x) => close(x, -2, 1e-5));
    if (width > 3) f.delta(row((t) => 0.5 * t * t), { width, order: 2 }).data.forEach((x) => close(x, 1, 1e-4));
  }
  assert.throws(() => f.delta(row((t) => t), { width: 31 }), UsageError);
  assert.throws(() => f.delta(row((t) => t), { width: 8 }), UsageError);
});

Deno.test("pitch: tones over the whole range are found by yin and pyin, at several rates", () => {
  for (const sr of [16000, 22050, 48000]) {
    for (const hz of [80, 123.4, 220, 301.5, 440]) {
      const samples = Float32Array.from(
        { length: sr },
        (_, i) => 0.3 * (Math.sin((2 * Math.PI * hz * i) / sr) + 0.4 * Math.sin((4 * Math.PI * hz * i) / sr + 1)),
      );
      const frameLength = sr === 48000 ? 4096 : 2048;
      const options = { fmin: 65, fmax: 500, sr, frameLength };
      const f0 = f.yin(samples, options), track = f.pyin(samples, options);
      for (let t = 4; t < f0.length - 4; t++) {
        close(f0[t]!, hz, 0.01 * hz, `yin at ${sr} Hz, frame ${t}`);
        assert.equal(track.voicedFlag[t], 1, `pyin at ${sr} Hz, ${hz} Hz, frame ${t} is voiced`);
        close(track.f0[t]!, hz, 0.01 * hz, `pyin at ${sr} Hz, frame ${t}`);
      }
    }
  }
});

Deno.test("pitch: silence is unvoiced, and unvoiced frames hold fillNa", () => {
  const silent = f.pyin(new Float32Array(8192), { fmin: 65, fmax: 500 });
  assert.ok(silent.voicedFlag.every((x) => x === 0) && silent.f0.every(Number.isNaN));
  assert.ok(f.pyin(new Float32Array(8192), { fmin: 65, fmax: 500, fillNa: 0 }).f0.every((x) => x === 0));
  assert.ok(f.pyin(new Float32Array(8192), { fmin: 65, fmax: 500, fillNa: null }).f0.every((x) => x >= 65));
  assert.ok(f.yin(new Float32Array(8192), { fmin: 65, fmax: 500 }).every(Number.isFinite));
  const samples = new Float32Array(8192);
  assert.throws(() => f.yin(samples, { fmin: 500, fmax: 65 }), UsageError);
  assert.throws(() => f.yin(samples, { fmin: 65, fmax: 20000 }), UsageError);
  assert.throws(() => f.yin(samples, { fmin: 5, fmax: 500 }), UsageError);
});

Deno.test("resize: a constant stays, a ramp stays a ramp, transposing commutes, values stay in range", () => {
  const constant = f.imresize({ data: new Float32Array(35 * 20).fill(3.5), shape: [35, 20] }, [8, 50]);
  assert.ok(constant.data.every((x) => Math.abs(x - 3.5) < 1e-6));
  const data = Float32Array.from({ length: 40 * 30 }, (_, i) => Math.sin(i * i));
  const resized = f.imresize({ data, shape: [40, 30] }, [11, 17]);
  const turned = f.imresize({ data: data.map((_, i) => data[(i % 40) * 30 + Math.floor(i / 40)]!), shape: [30, 40] }, [
    17,
    11,
  ]);
  for (let r = 0; r < 11; r++) {
    for (let c = 0; c < 17; c++) close(turned.data[c * 11 + r]!, resized.data[r * 17 + c]!, 1e-6);
  }
  assert.ok(resized.data.every((x) => x >= -1 && x <= 1));
  assert.deepEqual(f.imresize({ data, shape: [40, 30] }, [40, 30]).data, data);
  const ramp = f.imresize({ data: Float32Array.from({ length: 100 }, (_, i) => i), shape: [1, 100] }, [1, 10]).data;
  for (let i = 2; i < 9; i++) close(ramp[i]! - ramp[i - 1]!, 10, 0.1, `column ${i}`);
});

Deno.test("silence gives finite features everywhere", () => {
  const y = new Float32Array(6000);
  const all: Record<string, ArrayLike<number>> = {
    mel: f.logMelSpectrogram(y, { ref: "max" }).data,
    mfcc: f.mfcc(y).data,
    chroma: f.chromaStft(y).data,
    tonnetz: f.tonnetz(f.chromaStft(y)).data,
    zcr: f.zeroCrossingRate(y).data,
    rms: f.rms(y).data,
    centroid: f.spectralCentroid(y).data,
    bandwidth: f.spectralBandwidth(y).data,
    rolloff: f.spectralRolloff(y).data,
    flatness: f.spectralFlatness(y).data,
    contrast: f.spectralContrast(y).data,
    slope: f.spectralSlope(y).data,
    istft: f.istft(f.stft(y)),
  };
  for (const [name, values] of Object.entries(all)) {
    for (let i = 0; i < values.length; i++) assert.ok(Number.isFinite(values[i]!), `${name}[${i}] is ${values[i]}`);
  }
});

Deno.test("ready spectrograms give what the audio gives", () => {
  const y = synthetic(15000), S = f.spectrogram(y), P = f.spectrogram(y, { power: 2 });
  const pairs: [string, Matrix, Matrix][] = [
    ["mel", f.melspectrogram(y), f.melspectrogram(P)],
    ["mfcc", f.mfcc(y), f.mfcc(f.logMelSpectrogram(P))],
    ["centroid", f.spectralCentroid(y), f.spectralCentroid(S)],
    ["bandwidth", f.spectralBandwidth(y), f.spectralBandwidth(S)],
    ["rolloff", f.spectralRolloff(y), f.spectralRolloff(S)],
    ["flatness", f.spectralFlatness(y), f.spectralFlatness(S)],
    ["contrast", f.spectralContrast(y), f.spectralContrast(S)],
    ["magnitude", S, f.magnitude(f.stft(y))],
  ];
  for (const [name, a, b] of pairs) {
    assert.deepEqual(a.shape, b.shape, name);
    const most = a.data.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
    a.data.forEach((x, i) => close(x, b.data[i]!, 2e-5 * most, `${name}[${i}]`));
  }
});

Deno.test("options out of range are refused in one sentence each", () => {
  const y = synthetic(5000);
  const refused: (() => unknown)[] = [
    () => f.stft(y, { nFft: 0 }),
    () => f.stft(y, { nFft: 2.5 }),
    () => f.stft(y, { hopLength: 0 }),
    () => f.stft(y, { nFft: 512, winLength: 600 }),
    () => f.stft(y, { nFft: 512, window: [1, 2, 3] }),
    () => f.stft(y, { window: "kaiser" as "hann" }),
    () => f.stft(y, { padMode: "wrap" as "edge" }),
    () => f.melspectrogram(y, { nMels: 0 }),
    () => f.melspectrogram(y, { fmin: 5000, fmax: 100 }),
    () => f.melspectrogram(y, { sr: -1 }),
    () => f.melspectrogram({ data: new Float32Array(5), shape: [2, 3] }),
    () => f.melspectrogram({ data: new Float32Array(0), shape: [0, 0] }),
    () => f.mfcc(y, { nMfcc: 0 }),
    () => f.mfcc(y, { lifter: -1 }),
    () => f.spectralRolloff(y, { rollPercent: 1 }),
    () => f.spectralCentroid({ data: Float32Array.of(1, -1, 1), shape: [3, 1] }),
    () => f.spectralContrast(y, { nBands: 12 }),
    () => f.spectralContrast(y, { quantile: 0 }),
    () => f.chromaStft(y, { norm: 0 }),
    () => f.rms({ data: new Float32Array(10), shape: [10, 1] }),
    () => f.imresize({ data: new Float32Array(4), shape: [2, 2] }, [0, 2]),
    () => f.melPicture({ data: Float32Array.of(NaN, 1), shape: [2, 1] }),
    () => f.istft({ re: new Float32Array(5), im: new Float32Array(5), shape: [5, 1] }, { nFft: 1024 }),
  ];
  for (const each of refused) {
    assert.throws(each, (error: unknown) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, /^[^\n]+\.$/);
      return true;
    });
  }
});

Deno.test("zero crossings are those of librosa's definition, frame by frame, for every cut into frames", () => {
  // Signs at random, zeros of both signs, and numbers around the threshold of 1e-10.
  let state = 7;
  const draw = () => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  const kinds = [() => draw() - 0.5, () => 0, () => -0, () => -1e-10, () => -1.1e-10, () => 1e-10, () => -1e-38];
  const samples = Float32Array.from({ length: 3000 }, () => kinds[Math.floor(draw() * kinds.length)]!());
  const negative = (i: number) => samples[Math.min(2999, Math.max(0, i))]! < -Math.fround(1e-10);
  for (
    const [frameLength, hopLength] of [[2048, 512], [100, 33], [97, 101], [1, 1], [4000, 1000], [512, 512]] as const
  ) {
    for (const center of [true, false]) {
      if (!center && frameLength > 3000) continue;
      const { data } = f.zeroCrossingRate(samples, { frameLength, hopLength, center });
      const origin = center ? -Math.floor(frameLength / 2) : 0;
      data.forEach((rate, t) => {
        let count = 0;
        for (let i = 1; i < frameLength; i++) {
          const at = origin + t * hopLength + i;
          if (negative(at) !== negative(at - 1)) count++;
        }
        assert.equal(rate, Math.fround(count / frameLength), `${frameLength}, ${hopLength}, frame ${t}`);
      });
    }
  }
});
