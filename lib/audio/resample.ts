/**
 * Change of sampling rate: a band-limited polyphase filter whose response is that of soxr's HQ quality.
 *
 * @module
 */

import { AudioError } from "../errors.ts";
import type { Waveform } from "../types.ts";

/** Pass band and stop band as fractions of the lower Nyquist frequency: what soxr 0.1.3 HQ measures. */
const PASS = 0.9136;
const STOP = 1;
const ATTENUATION_DB = 126;

function besselI0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

interface Bank {
  up: number;
  down: number;
  taps: number;
  rows: Float32Array;
}

const banks = new Map<string, Bank>();

function gcd(a: number, b: number): number {
  while (b) [a, b] = [b, a % b];
  return a;
}

function bankFor(from: number, to: number): Bank {
  const key = `${from}:${to}`;
  const known = banks.get(key);
  if (known) return known;
  const divisor = gcd(from, to);
  const up = to / divisor;
  const down = from / divisor;
  const lower = Math.min(1, to / from);
  const cutoff = lower * (PASS + STOP) / 2; // fraction of the input's Nyquist frequency
  const width = lower * (STOP - PASS) * Math.PI;
  const half = Math.ceil(((ATTENUATION_DB - 8) / (2.285 * width) + 1) / 2);
  const beta = 0.1102 * (ATTENUATION_DB - 8.7);
  const taps = 4 * Math.ceil(2 * half / 4);
  const reach = taps / 2;
  const rows = new Float32Array(up * taps);
  const scale = 1 / besselI0(beta);
  for (let p = 0; p < up; p++) {
    for (let t = 0; t < taps; t++) {
      const x = t - reach + 1 - p / up;
      const window = 1 - (x / reach) ** 2;
      if (window <= 0) continue;
      const phase = Math.PI * cutoff * x;
      const sinc = Math.abs(phase) < 1e-9 ? 1 : Math.sin(phase) / phase;
      rows[p * taps + t] = cutoff * sinc * besselI0(beta * Math.sqrt(window)) * scale;
    }
  }
  const bank = { up, down, taps, rows };
  banks.set(key, bank);
  return bank;
}

/**
 * Resamples to another rate, with the length that librosa gives: ceil(n · to / from).
 *
 * @param wave Mono audio.
 * @param toHz The new rate in Hz, a whole number.
 * @throws {AudioError} when a rate is not a whole number above 0.
 */
export function resample(wave: Waveform, toHz: number): Waveform {
  const { samples, sampleRateHz: fromHz } = wave;
  for (const rate of [fromHz, toHz]) {
    if (!Number.isInteger(rate) || rate < 1) {
      throw new AudioError("resample", `a sampling rate must be a whole number of Hz above 0, not ${rate}`);
    }
  }
  if (fromHz === toHz) return wave;
  const { up, down, taps, rows } = bankFor(fromHz, toHz);
  // librosa multiplies by the quotient in double precision, and so do we.
  const length = Math.ceil(samples.length * (toHz / fromHz));
  const reach = taps / 2;
  const padded = new Float32Array(samples.length + 2 * taps + 2);
  padded.set(samples, reach);
  const out = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const position = i * down;
    const base = Math.floor(position / up);
    const row = (position - base * up) * taps;
    const from = base + 1;
    let a = 0, b = 0, c = 0, d = 0;
    for (let t = 0; t < taps; t += 4) {
      a += rows[row + t]! * padded[from + t]!;
      b += rows[row + t + 1]! * padded[from + t + 1]!;
      c += rows[row + t + 2]! * padded[from + t + 2]!;
      d += rows[row + t + 3]! * padded[from + t + 3]!;
    }
    out[i] = a + b + (c + d);
  }
  return { samples: out, sampleRateHz: toHz };
}
