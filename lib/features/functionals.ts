/**
 * Statistics over time of a small set of voice descriptors, after the eGeMAPS set.
 *
 * Inspired by Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice research and affective
 * computing", IEEE Trans. Affective Computing 7 (2016), and not equal to openSMILE's: pitch is pYIN's, loudness is a
 * plain power law, jitter and shimmer are Praat's definitions on periods found by cross-correlation.
 *
 * @module
 */

import type { NdArray, Waveform } from "../types.ts";
import { powerToDb } from "./decibels.ts";
import { samplesOf } from "./input.ts";
import { melOfFrames, mfccOfFrames } from "./mel.ts";
import { pyin } from "./pitch.ts";
import { spectralSlope, spectraToMatrix } from "./spectral.ts";
import { frameSpectra } from "./spectrum.ts";

/** The rate in Hz that the set is defined at, and its frames in samples: 25 ms every 10 ms, pitch from 64 ms. */
const RATE = 16000, N_FFT = 512, WIN = 400, HOP = 160, PITCH_FRAME = 1024;
/** Pitch range in Hz: low male to high emotional female voices. */
const FMIN = 60, FMAX = 600;
/** Descriptors of which all statistics are taken, in order. */
const DESCRIPTORS = [
  "pitchSemitones",
  "loudness",
  "mfcc1",
  "mfcc2",
  "mfcc3",
  "mfcc4",
  "slope0To500",
  "slope500To1500",
  "alphaRatio",
  "hammarbergIndex",
  "spectralFlux",
] as const;
/** Statistics of each descriptor, in order; the slope is per second, by least squares. */
const STATISTICS = ["mean", "sd", "p20", "p50", "p80", "slope"] as const;
/** Single values after them. */
const SINGLES = [
  "jitterLocal",
  "shimmerDb",
  "hnrDbMean",
  "hnrDbSd",
  "voicedShare",
  "voicedSegmentsPerSec",
  "voicedSegmentSecMean",
  "unvoicedSegmentSecMean",
  "soundLevelDb",
] as const;

/**
 * Names of the values of {@linkcode egemapsLike}, in order.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(egemapsLikeNames[0], "pitchSemitones.mean");
 * assert.equal(egemapsLikeNames.length, 75);
 * ```
 */
export const egemapsLikeNames: readonly string[] = [
  ...DESCRIPTORS.flatMap((descriptor) => STATISTICS.map((statistic) => `${descriptor}.${statistic}`)),
  ...SINGLES,
];

/** Value below which a share `q` of sorted values lies, linearly interpolated (NumPy's default percentile). */
function percentile(sorted: Float64Array, q: number): number {
  const at = q * (sorted.length - 1), low = Math.floor(at);
  const below = sorted[low]!, above = sorted[Math.min(sorted.length - 1, low + 1)]!;
  return below + (at - low) * (above - below);
}

/** Mean and population standard deviation, zeros without values. */
function moments(values: ArrayLike<number>): [mean: number, sd: number] {
  const n = values.length;
  if (n === 0) return [0, 0];
  let sum = 0;
  for (let i = 0; i < n; i++) sum += values[i]!;
  const mean = sum / n;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (values[i]! - mean) ** 2;
  return [mean, Math.sqrt(squares / n)];
}

/** The statistics of values at times in seconds; zeros without values. */
function statistics(values: readonly number[], times: readonly number[]): number[] {
  const n = values.length;
  if (n === 0) return STATISTICS.map(() => 0);
  const [mean, sd] = moments(values), [middle] = moments(times);
  let product = 0, spread = 0;
  for (let i = 0; i < n; i++) {
    product += (times[i]! - middle) * (values[i]! - mean);
    spread += (times[i]! - middle) ** 2;
  }
  const sorted = Float64Array.from(values).sort();
  return [
    mean,
    sd,
    percentile(sorted, 0.2),
    percentile(sorted, 0.5),
    percentile(sorted, 0.8),
    spread > 0 ? product / spread : 0,
  ];
}

/** Normalised cross-correlation of `length` samples at `a` and at `b`; 0 where a stretch leaves the signal or is silent. */
function similarity(samples: Float32Array, a: number, b: number, length: number): number {
  if (a < 0 || b < 0 || a + length > samples.length || b + length > samples.length) return 0;
  let product = 0, first = 0, second = 0;
  for (let i = 0; i < length; i++) {
    const x = samples[a + i]!, y = samples[b + i]!;
    product += x * y;
    first += x * x;
    second += y * y;
  }
  return first > 0 && second > 0 ? product / Math.sqrt(first * second) : 0;
}

/** One glottal period: its length and its peak-to-peak amplitude. */
interface Period {
  readonly samples: number;
  readonly amplitude: number;
}

/**
 * Periods of a voiced stretch, one after the other: from each, the next begins where the waveform matches best within
 * a fifth of the pitch period (the idea of Praat's "To PointProcess (cc)"), refined by a parabola.
 */
function periods(samples: Float32Array, from: number, to: number, periodAt: (sample: number) => number): Period[] {
  const found: Period[] = [];
  let at = Math.max(0, from);
  while (at < to) {
    const expected = periodAt(at);
    const length = Math.round(expected);
    const first = Math.round(expected * 0.8), last = Math.round(expected * 1.2);
    let best = -1, lag = 0;
    for (let k = first; k <= last; k++) {
      const match = similarity(samples, at, at + k, length);
      if (match > best) {
        best = match;
        lag = k;
      }
    }
    if (!(best > 0.3)) {
      at += length;
      continue;
    }
    const below = similarity(samples, at, at + lag - 1, length), above = similarity(samples, at, at + lag + 1, length);
    const curve = below + above - 2 * best;
    const shift = curve < 0 ? Math.max(-0.5, Math.min(0.5, (below - above) / (2 * curve))) : 0;
    let low = Infinity, high = -Infinity;
    for (let i = at; i < at + lag && i < samples.length; i++) {
      low = Math.min(low, samples[i]!);
      high = Math.max(high, samples[i]!);
    }
    found.push({ samples: lag + shift, amplitude: high - low });
    at += lag;
  }
  return found;
}

/**
 * Mean change from one period to the next, Praat's local jitter (share of the period) and local shimmer (dB): pairs
 * that differ by more than a factor of 1.3 in length or 1.6 in amplitude are no neighbours.
 */
function perturbation(stretches: readonly Period[][]): [jitter: number, shimmerDb: number] {
  let change = 0, total = 0, pairs = 0, count = 0, decibels = 0, loudPairs = 0;
  for (const stretch of stretches) {
    stretch.forEach((period, i) => {
      total += period.samples;
      count++;
      if (i === 0) return;
      const before = stretch[i - 1]!;
      const ratio = period.samples / before.samples;
      if (ratio > 1.3 || ratio < 1 / 1.3) return;
      change += Math.abs(period.samples - before.samples);
      pairs++;
      if (!(before.amplitude > 0 && period.amplitude > 0)) return;
      const loud = period.amplitude / before.amplitude;
      if (loud > 1.6 || loud < 1 / 1.6) return;
      decibels += Math.abs(20 * Math.log10(loud));
      loudPairs++;
    });
  }
  return [pairs > 0 ? change / pairs / (total / count) : 0, loudPairs > 0 ? decibels / loudPairs : 0];
}

/** Runs of equal flags: `[first, end)` of each run of `wanted`. */
function runs(flags: Uint8Array, wanted: number): [number, number][] {
  const found: [number, number][] = [];
  for (let i = 0; i < flags.length;) {
    let end = i;
    while (end < flags.length && flags[end] === flags[i]) end++;
    if (flags[i] === wanted) found.push([i, end]);
    i = end;
  }
  return found;
}

/**
 * A vector of voice statistics in the spirit of eGeMAPS (see the module's head for what is different).
 *
 * Mean, standard deviation, 20th, 50th and 80th percentile and slope over time of pitch (semitones from 27.5 Hz, voiced
 * frames only), loudness, MFCC 1–4, spectral slopes 0–500 and 500–1500 Hz (dB per kHz), alpha ratio, Hammarberg index
 * (dB) and spectral flux; then jitter, shimmer, harmonics-to-noise ratio, voicing and level. What needs voice is 0
 * where there is none.
 *
 * @param wave Audio at 16 kHz.
 * @returns `[75]`, named by {@linkcode egemapsLikeNames}; always finite.
 * @throws {AudioError} when the audio is unusable.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const samples = Float32Array.from({ length: 16000 }, (_, i) => Math.sin((2 * Math.PI * 220 * i) / 16000));
 * const { data } = egemapsLike({ samples, sampleRateHz: 16000 });
 * assert.ok(Math.abs(data[0]! - 36) < 0.1); // 220 Hz lies 36 semitones above 27.5 Hz
 * ```
 */
export function egemapsLike(wave: Waveform): NdArray {
  const samples = samplesOf(wave), sr = wave.sampleRateHz;
  const spectra = frameSpectra(wave, { nFft: N_FFT, winLength: WIN, hopLength: HOP }, 2);
  const { data, frames, bins } = spectra;
  const bands = 26;
  const mel = melOfFrames(spectra, sr, { nMels: bands, fmin: 20, fmax: Math.min(8000, sr / 2), htk: true });
  const cepstra = mfccOfFrames(powerToDb({ data: mel, shape: [frames, bands] }).data, frames, bands, 5).data;
  const power = spectraToMatrix(spectra);
  const low = spectralSlope(power, { sr, nFft: N_FFT, fmin: 0, fmax: 500 }).data;
  const high = spectralSlope(power, { sr, nFft: N_FFT, fmin: 500, fmax: 1500 }).data;
  const { f0, voicedFlag } = pyin(wave, { fmin: FMIN, fmax: FMAX, frameLength: PITCH_FRAME, hopLength: HOP });

  const values: number[][] = DESCRIPTORS.map(() => []);
  const times: number[] = [], voicedTimes: number[] = [];
  const bin = (hz: number) => Math.min(bins, Math.round((hz * N_FFT) / sr));
  const floor = 1e-10;
  for (let t = 0; t < frames; t++) {
    const at = t * bins, time = (t * HOP) / sr;
    times.push(time);
    let loudness = 0;
    // Stevens' power law for power, band by band.
    for (let b = 0; b < bands; b++) loudness += mel[t * bands + b]! ** 0.3;
    let below = 0, above = 0, peakBelow = 0, peakAbove = 0, flux = 0;
    for (let k = 0; k < bins; k++) {
      const x = data[at + k]!;
      if (k >= bin(50) && k < bin(1000)) below += x;
      else if (k >= bin(1000) && k < bin(5000)) above += x;
      if (k < bin(2000)) peakBelow = Math.max(peakBelow, x);
      else if (k < bin(5000)) peakAbove = Math.max(peakAbove, x);
      if (t > 0) flux += (Math.sqrt(x) - Math.sqrt(data[at - bins + k]!)) ** 2;
    }
    const row = [
      NaN,
      loudness,
      cepstra[frames + t]!,
      cepstra[2 * frames + t]!,
      cepstra[3 * frames + t]!,
      cepstra[4 * frames + t]!,
      low[t]!,
      high[t]!,
      10 * Math.log10((below + floor) / (above + floor)),
      10 * Math.log10((peakBelow + floor) / (peakAbove + floor)),
      Math.sqrt(flux),
    ];
    row.forEach((x, i) => {
      if (i > 0) values[i]!.push(x);
    });
    if (voicedFlag[t] === 1) {
      values[0]!.push(12 * Math.log2(f0[t]! / 27.5));
      voicedTimes.push(time);
    }
  }

  const voiced = runs(voicedFlag, 1), unvoiced = runs(voicedFlag, 0);
  const periodAt = (sample: number) => {
    const t = Math.min(frames - 1, Math.max(0, Math.round(sample / HOP)));
    // At the edge of a stretch the nearest frame may be unvoiced; its voiced neighbour knows the pitch.
    const f = voicedFlag[t] === 1 ? f0[t]! : voicedFlag[t - 1] === 1 ? f0[t - 1]! : f0[t + 1] ?? NaN;
    return f > 0 ? sr / f : sr / FMIN;
  };
  const [jitter, shimmer] = perturbation(
    voiced.map(([first, end]) => periods(samples, first * HOP, (end - 1) * HOP, periodAt)),
  );
  const harmonicity: number[] = [];
  for (let t = 0; t < frames; t++) {
    if (voicedFlag[t] !== 1) continue;
    const period = Math.round(sr / f0[t]!), reach = Math.ceil(period / 20);
    let r = 0;
    for (let lag = period - reach; lag <= period + reach; lag++) {
      r = Math.max(r, similarity(samples, t * HOP - lag, t * HOP, 2 * period));
    }
    // Boersma 1993; limited to ±40 dB, which 16-bit recordings do not exceed.
    const share = Math.min(0.9999, Math.max(0.0001, r));
    harmonicity.push(10 * Math.log10(share / (1 - share)));
  }
  const seconds = Math.max(samples.length, HOP) / sr;
  const meanLength = (stretches: readonly [number, number][]) =>
    moments(stretches.map(([first, end]) => ((end - first) * HOP) / sr))[0];
  let energy = 0;
  for (let i = 0; i < samples.length; i++) energy += samples[i]! * samples[i]!;
  const [hnrMean, hnrSd] = moments(harmonicity);
  const singles = [
    jitter,
    shimmer,
    hnrMean,
    hnrSd,
    voicedTimes.length / frames,
    voiced.length / seconds,
    meanLength(voiced),
    meanLength(unvoiced),
    10 * Math.log10(energy / samples.length + floor),
  ];
  const vector = Float32Array.from([
    ...values.flatMap((series, i) => statistics(series, i === 0 ? voicedTimes : times)),
    ...singles,
  ]);
  return { data: vector, shape: [vector.length] };
}

/** The rate in Hz at which {@linkcode egemapsLike} is defined. */
export const EGEMAPS_RATE_HZ: number = RATE;
