/**
 * A small picture of how a recording sounds, by which near copies are found: the same recording with noise, another
 * level, pitch shifted a little, resampled, cut or coded again.
 *
 * Browser-safe.
 *
 * @module
 */

import { resample } from "../audio/resample.ts";
import type { Waveform } from "../types.ts";
import { melspectrogram } from "./mel.ts";

/** Mel bands and stretches of time of a fingerprint. */
const BANDS = 24, FRAMES = 32;

/** Rate at which it is taken: what all recordings of speech have. */
const RATE_HZ = 16000;

/** What lies this many dB below the loudest cell does not count: noise of a near copy lies there. */
const DEPTH_DB = 35;

/** Share of the energy before and after the stretch that is looked at. */
const EDGE = 0.02;

/** A fingerprint: 768 numbers of mean 0 and length 1, 24 bands by 32 stretches of the recording's time. */
export type Fingerprint = Float32Array<ArrayBuffer>;

/**
 * Takes a recording's fingerprint: mel powers (24 bands up to 4 kHz) averaged over 32 equal stretches of the time
 * that holds 96 % of the energy, in dB down to 35 dB under the loudest, each band's mean taken out.
 *
 * Level does not count, and neither do the silence around the speech nor the tempo as a whole.
 *
 * @returns null where nothing is to be heard.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = (f: number, gain: number) => ({
 *   samples: Float32Array.from({ length: 16000 }, (_, i) => gain * Math.sin(f * i * (1 + i / 32000)) * Math.sin(i / 3000)),
 *   sampleRateHz: 16000,
 * });
 * const a = fingerprint(wave(0.1, 0.5))!, softer = fingerprint(wave(0.1, 0.1))!, other = fingerprint(wave(0.4, 0.5))!;
 * assert.ok(likeness(a, softer) > 0.99);
 * assert.ok(likeness(a, other) < 0.9);
 * assert.equal(fingerprint({ samples: new Float32Array(16000), sampleRateHz: 16000 }), null);
 * ```
 */
export function fingerprint(wave: Waveform): Fingerprint | null {
  const audio = resample(wave, RATE_HZ);
  if (audio.samples.length === 0) return null;
  const { data, shape: [, frames] } = melspectrogram(audio, { nFft: 512, hopLength: 160, nMels: BANDS, fmax: 4000 });
  const energy = new Float64Array(frames);
  for (let band = 0; band < BANDS; band++) for (let t = 0; t < frames; t++) energy[t]! += data[band * frames + t]!;
  const total = energy.reduce((sum, e) => sum + e, 0);
  if (!(total > 0)) return null;
  // Where the energy begins and ends: steadier under noise than where the first sound is.
  let first = 0, last = 0;
  for (let t = 0, sum = 0; t < frames; t++) {
    if (sum <= EDGE * total) first = t;
    if (sum < (1 - EDGE) * total) last = t + 1;
    sum += energy[t]!;
  }
  const cells = new Float64Array(BANDS * FRAMES);
  let most = 0;
  for (let cell = 0; cell < FRAMES; cell++) {
    const from = first + Math.floor((last - first) * cell / FRAMES);
    const to = Math.max(from + 1, first + Math.floor((last - first) * (cell + 1) / FRAMES));
    for (let band = 0; band < BANDS; band++) {
      let sum = 0;
      for (let t = from; t < to && t < frames; t++) sum += data[band * frames + t]!;
      const mean = sum / (to - from);
      cells[band * FRAMES + cell] = mean;
      most = Math.max(most, mean);
    }
  }
  const print = new Float32Array(BANDS * FRAMES);
  let square = 0;
  for (let band = 0; band < BANDS; band++) {
    let mean = 0;
    for (let cell = 0; cell < FRAMES; cell++) {
      const i = band * FRAMES + cell;
      cells[i] = Math.max(10 * Math.log10(cells[i]! / most + 1e-12), -DEPTH_DB);
      mean += cells[i]! / FRAMES;
    }
    for (let cell = 0; cell < FRAMES; cell++) {
      const i = band * FRAMES + cell, value = cells[i]! - mean;
      print[i] = value;
      square += value * value;
    }
  }
  if (square === 0) return null;
  const length = Math.sqrt(square);
  return print.map((value) => value / length);
}

/** How alike two recordings sound, at most 1: the correlation of their fingerprints. */
export function likeness(a: Fingerprint, b: Fingerprint): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
