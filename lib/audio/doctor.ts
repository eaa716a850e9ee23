/**
 * The input doctor: what a recording is really like, and what its owner should know before computing anything from it.
 *
 * @module
 */

import { type DecodedAudio, toMono } from "./types.ts";

/** What {@linkcode examineAudio} finds. Levels are in dB relative to full scale; silence has -Infinity. */
export interface AudioReport {
  /** Name of the file, as it was given. */
  readonly file: string;
  /** Container, told from the content. */
  readonly container: DecodedAudio["container"];
  /** How the samples are stored. */
  readonly encoding: string;
  /** Sampling rate in Hz. */
  readonly sampleRateHz: number;
  /** Number of channels. */
  readonly channels: number;
  /** Duration in seconds. */
  readonly durationSec: number;
  /** Largest absolute sample over all channels, in dBFS. */
  readonly peakDbfs: number;
  /** Root mean square over all channels, in dBFS (a full-scale sine has -3.01). */
  readonly rmsDbfs: number;
  /** How often at least three samples in a row stand at full scale, over all channels. */
  readonly clippedRuns: number;
  /** Fraction of the samples that lie in such runs. */
  readonly clippedFraction: number;
  /** Silence at the start in seconds: 20 ms frames more than 40 dB below the loudest. */
  readonly leadingSilenceSec: number;
  /** Silence at the end in seconds. */
  readonly trailingSilenceSec: number;
  /** All silence in seconds, pauses included. */
  readonly silenceSec: number;
  /** Mean of the samples of the channel where it is furthest from zero. */
  readonly dcOffset: number;
  /** Highest frequency in Hz that holds more than noise of quantisation and a ten-millionth of the strongest band. */
  readonly bandwidthHz: number;
  /** True where every sample is zero. */
  readonly allZero: boolean;
  /** What to know before using the file, each in one plain sentence; empty where nothing is wrong. */
  readonly warnings: readonly string[];
}

const SILENCE_FRAME_SEC = 0.02;
const SILENCE_BELOW_LOUDEST = 10 ** (-40 / 10);
const SPECTRUM_LENGTH = 2048;

/** Power as dB, in full scale. */
function db(power: number): number {
  return 10 * Math.log10(power);
}

let tables: { readonly cosine: Float64Array; readonly sine: Float64Array } | undefined;

/** Cosine and sine of the first half turn in n / 2 steps, kept for the one length there is. */
function turns(n: number): { readonly cosine: Float64Array; readonly sine: Float64Array } {
  if (tables?.cosine.length !== n / 2) {
    const at = (f: (x: number) => number) => Float64Array.from({ length: n / 2 }, (_, k) => f(2 * Math.PI * k / n));
    tables = { cosine: at(Math.cos), sine: at(Math.sin) };
  }
  return tables;
}

/** In-place complex FFT of radix 2, for this module alone: `features` lies above us. */
function fft(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i++) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      const a = re[i]!, b = im[i]!;
      re[i] = re[j]!;
      im[i] = im[j]!;
      re[j] = a;
      im[j] = b;
    }
  }
  const { cosine, sine } = turns(n);
  for (let size = 2; size <= n; size *= 2) {
    const half = size / 2, step = n / size;
    for (let k = 0; k < half; k++) {
      const wr = cosine[k * step]!, wi = -sine[k * step]!;
      for (let a = k; a < n; a += size) {
        const b = a + half;
        const tr = re[b]! * wr - im[b]! * wi;
        const ti = re[b]! * wi + im[b]! * wr;
        re[b] = re[a]! - tr;
        im[b] = im[a]! - ti;
        re[a] = re[a]! + tr;
        im[a] = im[a]! + ti;
      }
    }
  }
}

/**
 * Mean power spectrum (Welch's method, Hann windows that overlap by half); white noise of variance v has v in every bin.
 *
 * @returns `SPECTRUM_LENGTH / 2 + 1` bins from 0 Hz to the Nyquist frequency.
 */
function meanSpectrum(samples: Float32Array, mostFrames: number): Float64Array {
  const n = SPECTRUM_LENGTH;
  const window = Float64Array.from({ length: n }, (_, i) => 0.5 - 0.5 * Math.cos(2 * Math.PI * i / n));
  const bins = new Float64Array(n / 2 + 1);
  const re = new Float64Array(n);
  const im = new Float64Array(n);
  let frames = 0;
  // Of a long recording frames are taken here and there.
  const step = n * Math.max(1, Math.ceil(2 * samples.length / n / mostFrames));
  for (let start = 0; frames === 0 || start + n <= samples.length; start += step) {
    // Two overlapping frames at once, as real and imaginary part: their powers add up in the mean of bins k and -k.
    for (let i = 0; i < n; i++) {
      re[i] = (samples[start + i] ?? 0) * window[i]!;
      im[i] = (samples[start + n / 2 + i] ?? 0) * window[i]!;
    }
    fft(re, im);
    for (let k = 0; k <= n / 2; k++) {
      const m = (n - k) % n;
      bins[k] = bins[k]! + (re[k]! ** 2 + im[k]! ** 2 + re[m]! ** 2 + im[m]! ** 2) / 2;
    }
    frames += 2;
  }
  const scale = 1 / (frames * 0.375 * n);
  return bins.map((power) => power * scale);
}

/**
 * The highest frequency in Hz that holds more than noise of quantisation and a ten-millionth of the strongest band.
 *
 * @param samples Mono audio, not all zero.
 * @param sampleRateHz Its rate in Hz.
 * @param options.bits Bits of a sample, where it was stored as an integer.
 * @param options.mostFrames Frames of 2048 samples that are looked at, spread over the recording; default all.
 */
export function audioBandwidth(
  samples: Float32Array,
  sampleRateHz: number,
  options: { readonly bits?: number | undefined; readonly mostFrames?: number } = {},
): number {
  const { bits, mostFrames = Infinity } = options;
  const bins = meanSpectrum(samples, mostFrames);
  const width = sampleRateHz / SPECTRUM_LENGTH;
  // Bands of about 100 Hz, so that a single bin decides nothing.
  const reach = Math.max(1, Math.round(50 / width));
  const sums = new Float64Array(bins.length + 1);
  // The lowest bins hold hum and offset.
  const lowest = Math.ceil(60 / width);
  for (let k = 0; k < bins.length; k++) sums[k + 1] = sums[k]! + (k < lowest ? 0 : bins[k]!);
  const band = (k: number) => {
    const from = Math.max(0, k - reach);
    const to = Math.min(bins.length, k + reach + 1);
    return (sums[to]! - sums[from]!) / (to - from);
  };
  let strongest = 0;
  for (let k = lowest; k < bins.length; k++) strongest = Math.max(strongest, band(k));
  // Rounding to b bits adds noise of step² / 12, and dither up to three times that again.
  const quantisation = bits === undefined ? 0 : 8 * (2 ** (1 - bits)) ** 2 / 12;
  const limit = Math.max(quantisation, 1e-7 * strongest);
  let highest = bins.length - 1;
  while (highest > 0 && band(highest) <= limit) highest--;
  return highest * width;
}

/**
 * Examines one decoded file.
 *
 * @param decoded All its channels.
 * @param file Its name, for the report.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const samples = Float32Array.from({ length: 16000 }, (_, i) => 2 * Math.sin(i / 20));
 * const clipped = samples.map((x) => Math.max(-1, Math.min(32767 / 32768, x)));
 * const report = examineAudio(
 *   { channels: [clipped], sampleRateHz: 16000, container: "wav", encoding: "pcm16" },
 *   "loud.wav",
 * );
 * assert.ok(report.clippedRuns > 100);
 * assert.match(report.warnings.join(" "), /clipped/);
 * ```
 */
export function examineAudio(decoded: DecodedAudio, file: string): AudioReport {
  const { channels, sampleRateHz, container, encoding } = decoded;
  const frames = channels[0]!.length;
  const bits = /^pcm(\d+)$/.exec(encoding)?.[1];
  // The largest value that an integer format can hold is one step below 1.
  const fullScale = 1 - 1.5 * 2 ** (1 - Math.min(16, Number(bits ?? 16)));

  let peak = 0;
  let power = 0;
  let dcOffset = 0;
  let clippedRuns = 0;
  let clippedSamples = 0;
  for (const samples of channels) {
    let sum = 0;
    let run = 0;
    for (let i = 0; i < frames; i++) {
      const x = samples[i]!;
      const size = Math.abs(x);
      if (size > peak) peak = size;
      sum += x;
      power += x * x;
      if (size >= fullScale) {
        run++;
        if (run === 3) {
          clippedRuns++;
          clippedSamples += 3;
        } else if (run > 3) clippedSamples++;
      } else run = 0;
    }
    if (Math.abs(sum / frames) > Math.abs(dcOffset)) dcOffset = sum / frames;
  }
  const total = frames * channels.length;
  const rms = Math.sqrt(power / total);
  const allZero = peak === 0;
  const durationSec = frames / sampleRateHz;

  const mono = toMono(decoded).samples;
  const { leading, trailing, silent } = silence(mono, Math.max(1, Math.round(SILENCE_FRAME_SEC * sampleRateHz)));
  const bandwidthHz = allZero
    ? 0
    : audioBandwidth(mono, sampleRateHz, { bits: bits === undefined ? undefined : Number(bits) });

  const warnings: string[] = [];
  const seconds = (value: number) => `${value.toFixed(2)} s`;
  if (allZero) {
    warnings.push("Every sample is zero: the file is silent.");
  } else {
    if (clippedRuns > 0) {
      const share = (100 * clippedSamples / total).toPrecision(2);
      warnings.push(`The sound is clipped: ${clippedRuns} runs at full scale, ${share} % of the samples.`);
    }
    if (db(rms ** 2) < -50) warnings.push(`The sound is very quiet: ${db(rms ** 2).toFixed(1)} dBFS on average.`);
    // An offset matters where it is heard in the level, not where it is one step of rounding.
    if (Math.abs(dcOffset) > 0.002 && Math.abs(dcOffset) > 0.05 * rms) {
      warnings.push(`The signal is off centre: its mean is ${dcOffset.toFixed(4)} instead of 0.`);
    }
    if (bandwidthHz < 0.6 * sampleRateHz / 2) {
      const khz = (bandwidthHz / 1000).toFixed(1);
      warnings.push(
        `There is nothing above ${khz} kHz although the rate of ${sampleRateHz} Hz would hold ` +
          `${(sampleRateHz / 2000).toFixed(1)} kHz${bandwidthHz <= 4200 ? "; this looks like telephone speech" : ""}.`,
      );
    }
    if (silent / durationSec > 0.6) {
      warnings.push(`Most of it is silence: ${seconds(silent)} of ${seconds(durationSec)}.`);
    }
  }
  if (durationSec < 0.2) warnings.push(`It is very short: ${seconds(durationSec)}.`);
  const [first, second] = channels;
  if (!allZero && first && second && channels.some((samples) => samples.every((x) => x === 0))) {
    warnings.push("One of its channels is silent, which halves the level of the mean of the channels.");
  } else if (!allZero && first && second && opposed(first, second)) {
    warnings.push("Its channels cancel each other: the mean of the channels is far quieter than each.");
  }

  return {
    ...{ file, container, encoding, sampleRateHz, channels: channels.length, durationSec },
    ...{ peakDbfs: db(peak ** 2), rmsDbfs: db(rms ** 2), clippedRuns, clippedFraction: clippedSamples / total },
    ...{ leadingSilenceSec: leading, trailingSilenceSec: trailing, silenceSec: silent },
    ...{ dcOffset, bandwidthHz, allZero, warnings },
  };

  function silence(samples: Float32Array, length: number): { leading: number; trailing: number; silent: number } {
    const powers: number[] = [];
    for (let at = 0; at < samples.length; at += length) {
      const end = Math.min(samples.length, at + length);
      let sum = 0;
      for (let i = at; i < end; i++) sum += (samples[i]! - dcOffset) ** 2;
      powers.push(sum / (end - at));
    }
    const limit = allZero ? Infinity : SILENCE_BELOW_LOUDEST * powers.reduce((a, b) => Math.max(a, b), 0);
    const quiet = powers.map((value) => value < limit);
    const duration = (count: number) => Math.min(count * length, samples.length) / sampleRateHz;
    const firstLoud = quiet.indexOf(false);
    if (firstLoud < 0) return { leading: durationSec, trailing: durationSec, silent: durationSec };
    const lastLoud = quiet.lastIndexOf(false);
    return {
      leading: duration(firstLoud),
      trailing: Math.max(0, samples.length - (lastLoud + 1) * length) / sampleRateHz,
      silent: duration(quiet.filter(Boolean).length),
    };
  }
}

/** True where the mean of two channels has less than a hundredth of their power. */
function opposed(a: Float32Array, b: Float32Array): boolean {
  let each = 0;
  let mean = 0;
  for (let i = 0; i < a.length; i++) {
    each += (a[i]! ** 2 + b[i]! ** 2) / 2;
    mean += ((a[i]! + b[i]!) / 2) ** 2;
  }
  return mean < 0.01 * each;
}

/**
 * Hash of what a file sounds like: SHA-256 over its rate and the mean of its channels.
 *
 * Equal audio in different containers (WAV and FLAC, or mono and twice the same channel) has equal hashes, which a hash of
 * the bytes would miss.
 *
 * @returns 64 hexadecimal digits.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const samples = Float32Array.of(0.25, -0.5);
 * const mono = await audioContentHash({ channels: [samples], sampleRateHz: 8000 });
 * const twice = await audioContentHash({ channels: [samples, samples], sampleRateHz: 8000 });
 * assert.equal(mono, twice);
 * assert.notEqual(mono, await audioContentHash({ channels: [samples], sampleRateHz: 16000 }));
 * ```
 */
export async function audioContentHash(decoded: Pick<DecodedAudio, "channels" | "sampleRateHz">): Promise<string> {
  const { samples } = toMono(decoded);
  const bytes = new Uint8Array(4 + 4 * samples.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, decoded.sampleRateHz, true);
  // Adding 0 turns -0 into 0, which sounds the same.
  for (let i = 0; i < samples.length; i++) view.setFloat32(4 + 4 * i, samples[i]! + 0, true);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Groups files whose hashes are equal.
 *
 * @param files Names with their hashes, in any order.
 * @returns One list of names for every hash that occurs more than once; names and groups in order of first appearance.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const files = [{ file: "a", hash: "1" }, { file: "b", hash: "2" }, { file: "c", hash: "1" }];
 * assert.deepEqual(findDuplicates(files), [["a", "c"]]);
 * ```
 */
export function findDuplicates(files: Iterable<{ readonly file: string; readonly hash: string }>): string[][] {
  const groups = new Map<string, string[]>();
  for (const { file, hash } of files) {
    const group = groups.get(hash);
    if (group) group.push(file);
    else groups.set(hash, [file]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}
