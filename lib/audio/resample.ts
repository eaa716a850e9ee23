/**
 * Change of sampling rate with the response of soxr's HQ quality, which librosa.load uses.
 *
 * A sharp linear-phase low-pass works by FFT on blocks and brings the signal to between two and four times the lower
 * rate; a short polyphase filter interpolates from there to any rational ratio. This is how soxr itself is built, so
 * that the few constants below, all of them measured on soxr 1.1.0 (libsoxr 0.1.3) with sine waves, reproduce its output
 * to the rounding of 32-bit floats.
 *
 * Sources: J. O. Smith, "Digital Audio Resampling"; J. F. Kaiser, "Nonrecursive digital filter design using the
 * I0-sinh window function" (1974); the block convolution is overlap-save.
 *
 * @module
 */

import { AudioError } from "../errors.ts";
import type { Waveform } from "../types.ts";
import { RESAMPLE_KERNEL_WASM } from "./resample_kernel_wasm.ts";
import { MAX_SAMPLE_RATE_HZ } from "./types.ts";

/** Half-gain frequency of the sharp filter, as a fraction of the lower of the two Nyquist frequencies. */
const CUTOFF = 0.956872;

/** Rows of the interpolator that are kept exactly; ratios with more phases mix the two nearest of as many rows. */
const MAX_ROWS = 4096;

/** Largest ratio of the two rates; a larger one is a mistake, and its filter would be as long as the recording. */
const MAX_RATIO = 768;

/** Samples of the lower rate over which the sharp filter's ringing of one step of 16 bits falls below -200 dB, and a few. */
const SILENCE_MARGIN = 100;

/** Plans that are kept (a plan holds the filters of one pair of rates, about half a megabyte). */
const MAX_PLANS = 8;

interface Kernel {
  readonly memory: WebAssembly.Memory;
  readonly heapBase: number;
  filter(
    x: number,
    step: number,
    n: number,
    m: number,
    spectrum: number,
    passing: number,
    forward: number,
    inverse: number,
    work: number,
    y: number,
    skip: number,
    keep: number,
  ): void;
  interpolate(
    y: number,
    bank: number,
    taps: number,
    phases: number,
    place: number,
    phase: number,
    whole: number,
    part: number,
    out: number,
    count: number,
  ): void;
  pick(y: number, place: number, whole: number, out: number, count: number): void;
  interpolateBetween(
    y: number,
    bank: number,
    taps: number,
    rows: number,
    phases: number,
    place: number,
    phase: number,
    whole: number,
    part: number,
    out: number,
    count: number,
  ): void;
}

let compiled: WebAssembly.Module | undefined;

function instantiate(): Kernel {
  compiled ??= new WebAssembly.Module(Uint8Array.from(atob(RESAMPLE_KERNEL_WASM), (c) => c.charCodeAt(0)));
  const exports = new WebAssembly.Instance(compiled).exports;
  const heapBase = (exports["__heap_base"] as WebAssembly.Global).value as number;
  return { ...(exports as unknown as Kernel), heapBase };
}

/** Everything that a pair of rates needs: sizes, and addresses in the kernel's own memory. */
interface Plan {
  readonly kernel: Kernel;
  readonly memory: Float32Array;
  /** Block length before and after the sharp filter. */
  readonly n: number;
  readonly m: number;
  /** New samples that a block takes in, and what it gives at the intermediate rate. */
  readonly step: number;
  readonly keep: number;
  /** Samples at the head of a block that the overlap spoils, before and after. */
  readonly lead: number;
  readonly skip: number;
  /** The interpolator: place of output i is i · (whole + part / phases) samples of the intermediate rate. */
  readonly taps: number;
  readonly phases: number;
  readonly rows: number;
  readonly whole: number;
  readonly part: number;
  /** Whether the interpolator starts from silence, and otherwise how many samples before the first one it looks. */
  readonly silentStart: boolean;
  readonly early: number;
  /** Addresses, in floats. */
  readonly x: number;
  readonly spectrum: number;
  /** Bins from which on the spectrum is zero. */
  readonly passing: number;
  readonly forward: number;
  readonly inverse: number;
  readonly work: number;
  readonly y: number;
  readonly yLength: number;
  readonly bank: number;
  readonly out: number;
  readonly outLength: number;
}

/** Modified Bessel function of the first kind and order 0, by its power series. */
function besselI0(x: number): number {
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/**
 * A sinc under a Kaiser window, in samples around 0.
 *
 * @param cutoff Fraction of the Nyquist frequency.
 * @param support Full width of the window in samples.
 */
function kaiserSinc(cutoff: number, support: number, beta: number): (at: number) => number {
  const scale = cutoff / besselI0(beta);
  return (at) => {
    const inside = 1 - (2 * at / support) ** 2;
    if (inside <= 0) return 0;
    const phase = Math.PI * cutoff * at;
    const sinc = Math.abs(phase) < 1e-8 ? 1 : Math.sin(phase) / phase;
    return scale * sinc * besselI0(beta * Math.sqrt(inside));
  };
}

/** Twiddles of the kernel's FFT: for every pass of radix 4, real and imaginary parts of w, w² and w³. */
function twiddles(n: number): number[] {
  const values: number[] = [];
  for (let length = n; length > 4 || length === n; length /= 4) {
    for (let power = 1; power <= 3; power++) {
      for (const part of [Math.cos, (angle: number) => -Math.sin(angle)]) {
        for (let p = 0; p < length / 4; p++) values.push(part(2 * Math.PI * power * p / length));
      }
    }
  }
  return values;
}

function gcd(a: number, b: number): number {
  while (b) [a, b] = [b, a % b];
  return a;
}

/** The largest odd divisor. */
function oddPart(n: number): number {
  while (n % 2 === 0) n /= 2;
  return n;
}

/** Linear interpolation in a table of [x, y] with rising x, constant outside. */
function lookUp(table: readonly (readonly [number, number])[], x: number): number {
  let [x0, y0] = table[0]!;
  for (const [x1, y1] of table) {
    if (x <= x1) return x1 === x0 ? y1 : y0 + (y1 - y0) * Math.max(0, (x - x0) / (x1 - x0));
    [x0, y0] = [x1, y1];
  }
  return y0;
}

/**
 * What soxr's interpolator looks like for a ratio, in samples and Nyquist frequencies of the intermediate rate.
 *
 * @param ratio from / to, brought into [1, 2) by halving where it is above 1.
 */
function interpolator(ratio: number): { support: number; cutoff: number } {
  if (ratio < 1) return { support: 15, cutoff: 0.9088 };
  if (ratio < 1.069) return { support: 16, cutoff: lookUp([[1, 0.9091], [1.0627, 0.906725]], ratio) };
  if (ratio < 1.356) {
    return {
      support: 14,
      cutoff: lookUp([[1.075, 0.905283], [1.1072, 0.903723], [1.1877, 0.900709], [1.344, 0.896126]], ratio),
    };
  }
  if (ratio < 1.5) return { support: 12, cutoff: lookUp([[1.3689, 0.894467], [1.4938, 0.890975]], ratio) };
  return { support: 2 * Math.floor(8 * ratio), cutoff: 0.9036 / ratio };
}

function makePlan(fromHz: number, toHz: number): Plan {
  const lower = Math.min(fromHz, toHz);
  const divisor = gcd(fromHz, toHz);
  const p = fromHz / divisor;
  const q = toHz / divisor;
  // soxr changes the rate by factors of 2 and 3 with the sharp filter alone.
  const simple = oddPart(p) <= 3 && oddPart(q) <= 3;

  // The intermediate rate: the input's, halved or doubled until it is 2 to 4 times the lower rate.
  let shift = fromHz < toHz ? 1 : 0;
  while (fromHz * 2 ** shift < 2 * lower) shift++;
  while (fromHz * 2 ** shift >= 4 * lower) shift--;
  const halvings = Math.max(0, -shift);
  // Where every second sample would be thrown away, half the rate will do.
  const power = fromHz > toHz ? Math.log2(p / q) : 0;
  const direct = Number.isInteger(power) && power > 0;
  const exponent = direct ? -power : fromHz * 2 === toHz ? 1 : shift;
  const middleHz = fromHz * 2 ** exponent;

  // soxr asks for 21 bits, one more for the interpolator, and log2 of the number of its other stages.
  const stages = fromHz > toHz ? 1 + halvings : toHz > 4 * fromHz ? 2 : 1;
  const extraBits = (simple ? 0 : 1) + Math.log2(stages);
  const beta = 13.04 + 0.6713 * extraBits;
  // Its filter has 4k + 1 taps at the rate it works at, which is `unit` times the lower rate.
  const ratio = fromHz * 2 ** shift / toHz;
  const unit = simple ? (fromHz > toHz ? p / 2 ** halvings : q / stages) : fromHz > toHz && ratio < 3 ? ratio : 2;
  const wanted = 193.35 + 9.45 * extraBits + 0.1 * extraBits ** 2;
  const support = (4 * Math.ceil((wanted * unit - 1) / 4) + 1) / unit;

  // Blocks: long enough that the overlap costs little, short enough for the first levels of cache.
  const reach = Math.ceil(support / 2 * fromHz / lower) + 1;
  let n = 1024;
  while (n < 12 * reach || n * 2 ** exponent < 256) n *= 2;
  const m = n * 2 ** exponent;
  const grain = Math.max(1, 2 ** -exponent);
  const lead = Math.ceil(reach / grain) * grain;
  const step = Math.floor((n - 2 * lead) / grain) * grain;
  const keep = step * 2 ** exponent;

  // Spectrum of the sharp filter, from its impulse response at a rate that holds its stop band.
  const half = Math.min(n, m) / 2;
  const sharp = kaiserSinc(CUTOFF, support, beta);
  const spectrum = new Float32Array(half + 4);
  let passing = 0;
  {
    // In units of two samples per period of the lower rate's Nyquist frequency: time t samples at `fromHz` is t·scale.
    const scale = lower / fromHz;
    const over = fromHz < toHz ? 2 : 1;
    const taps: number[] = [];
    for (let t = 0; t <= reach * over; t++) taps.push(sharp(t * scale / over));
    const total = taps.reduce((sum, tap, t) => sum + (t ? 2 * tap : tap), 0);
    const size = n * over;
    const cosines = Float64Array.from({ length: size }, (_, k) => Math.cos(2 * Math.PI * k / size));
    for (let k = 0; k <= half; k++) {
      // Past the stop band's edge nothing is meant to pass.
      if (k / n * fromHz > 0.5005 * lower) break;
      let sum = taps[0]!;
      for (let t = 1, at = k; t < taps.length; t++, at = (at + k) & (size - 1)) sum += 2 * taps[t]! * cosines[at]!;
      spectrum[k] = sum / total / n;
      passing = k + 1;
    }
  }

  // The interpolator.
  const common = gcd(middleHz, toHz);
  const phases = toHz / common;
  const advance = middleHz / common;
  const whole = Math.floor(advance / phases);
  const part = advance - whole * phases;
  const rows = phases === 1 ? 0 : Math.min(phases, MAX_ROWS);
  const shape = simple ? { support: 20, cutoff: 1 } : interpolator(fromHz > toHz ? middleHz / (2 * toHz) : 0.5);
  const taps = Math.max(16, 4 * Math.ceil(shape.support / 4));
  const bank = new Float32Array(rows ? (rows + 1) * taps : 0);
  if (rows) {
    const short = kaiserSinc(shape.cutoff, shape.support, simple ? 14 : 14.063);
    for (let row = 0; row <= rows; row++) {
      const values = Array.from({ length: taps }, (_, t) => short(t - (taps / 2 - 1) - row / rows));
      const total = values.reduce((a, b) => a + b, 0);
      for (let t = 0; t < taps; t++) bank[row * taps + t] = values[t]! / total;
    }
  }

  const forward = twiddles(n);
  const inverse = twiddles(m);
  const kernel = instantiate();
  let at = Math.ceil(kernel.heapBase / 16) * 4;
  const take = (floats: number) => {
    const place = at;
    at += Math.ceil(floats / 4) * 4;
    return place;
  };
  const yLength = taps + 2 * keep;
  const outLength = Math.ceil(yLength * toHz / middleHz) + 4;
  const places = {
    x: take(n + step),
    spectrum: take(spectrum.length),
    forward: take(forward.length),
    inverse: take(inverse.length),
    work: take(4 * Math.max(n, m)),
    y: take(yLength),
    bank: take(bank.length),
    out: take(outLength),
  };
  const pages = Math.ceil(at * 4 / 65536) - kernel.memory.buffer.byteLength / 65536;
  if (pages > 0) kernel.memory.grow(pages);
  const memory = new Float32Array(kernel.memory.buffer);
  memory.set(spectrum, places.spectrum);
  memory.set(forward, places.forward);
  memory.set(inverse, places.inverse);
  memory.set(bank, places.bank);
  return {
    ...{ kernel, memory, n, m, step, keep, lead, skip: lead * 2 ** exponent },
    ...{ silentStart: !simple && (fromHz < toHz || ratio < 3), early: Math.ceil(taps / grain) * grain },
    ...{ taps, phases, rows, whole, part, passing, ...places, yLength, outLength },
  };
}

const plans = new Map<string, Plan>();

function planFor(fromHz: number, toHz: number): Plan {
  const key = `${fromHz}:${toHz}`;
  let plan = plans.get(key);
  if (plan) plans.delete(key);
  else plan = makePlan(fromHz, toHz);
  // The newest lies last; the oldest goes first.
  plans.set(key, plan);
  if (plans.size > MAX_PLANS) plans.delete(plans.keys().next().value!);
  return plan;
}

/**
 * Resamples mono audio: `librosa.resample` 0.11 with its default `soxr_hq`, to the rounding of 32-bit floats.
 *
 * Linear phase without delay. Pass band to 0.913 of the lower Nyquist frequency (soxr's own roll-off of at most 0.01 dB
 * included), stop band from that Nyquist frequency on at -120 dB or better. The signal is taken as silent outside of
 * itself. Length ceil(n · toHz / fromHz), computed in double precision as librosa does.
 *
 * @param wave Mono audio; where it has the wanted rate already it is returned as it is.
 * @param toHz The new rate, a whole number of Hz from 1 to 768,000.
 * @throws {AudioError} when one of the rates is not such a number, or their ratio is above 768.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const sine = (rate: number) => Float32Array.from({ length: rate }, (_, i) => Math.sin(2 * Math.PI * 440 * i / rate));
 * const { samples } = resample({ samples: sine(48000), sampleRateHz: 48000 }, 16000);
 * assert.equal(samples.length, 16000);
 * assert.ok(Math.abs(samples[8000 + 9]! - sine(16000)[8000 + 9]!) < 1e-5);
 * ```
 */
export function resample(wave: Waveform, toHz: number): Waveform {
  const { samples, sampleRateHz: fromHz } = wave;
  for (const rate of [fromHz, toHz]) {
    if (!Number.isInteger(rate) || rate < 1 || rate > MAX_SAMPLE_RATE_HZ) {
      throw new AudioError(
        "resample",
        `a rate must be a whole number of Hz from 1 to ${MAX_SAMPLE_RATE_HZ}, not ${rate}`,
      );
    }
  }
  if (fromHz === toHz) return wave;
  if (Math.max(fromHz, toHz) > MAX_RATIO * Math.min(fromHz, toHz)) {
    throw new AudioError("resample", `from ${fromHz} to ${toHz} Hz is a ratio above ${MAX_RATIO}`);
  }
  const length = Math.ceil(samples.length * (toHz / fromHz));
  const out = new Float32Array(length);
  // soxr rounds the length where librosa takes the ceiling, and librosa fills the one sample between them with zero.
  const end = Math.floor(samples.length * (toHz / fromHz) + 0.5);
  const plan = planFor(fromHz, toHz);
  const { kernel, memory, n, m, step, keep, lead, skip, taps, phases, rows, whole, part, silentStart, early } = plan;
  // The interpolator looks this many samples back; with one phase it is a plain pick.
  const back = rows ? taps / 2 - 1 : 0;
  const need = rows ? taps : 1;

  // y holds the intermediate signal from index `yStart` on. The sharp filter rings a little before the first sample; where
  // soxr's interpolator comes after it and starts from silence, ours does too.
  let yStart = -(silentStart ? back : early * m / n);
  let filled = silentStart ? back : 0;
  memory.fill(0, plan.y, plan.y + filled);
  let done = 0;
  // Place (sample of the intermediate rate) and phase of the next output.
  let place = 0;
  let phase = 0;
  for (let start = silentStart ? 0 : -early; done < end; start += 2 * step) {
    copyPadded(samples, start - lead, memory, plan.x, n + step);
    kernel.filter(
      ...[plan.x * 4, step, n, m, plan.spectrum * 4, plan.passing, plan.forward * 4, plan.inverse * 4] as const,
      ...[plan.work * 4, (plan.y + filled) * 4, skip, keep] as const,
    );
    filled += 2 * keep;
    // Outputs whose last needed sample is there: place - back + need <= yStart + filled.
    const room = yStart + filled - need + back - place;
    let count = room < 0 ? 0 : Math.floor((room * phases + (phases - 1 - phase)) / (whole * phases + part)) + 1;
    count = Math.min(count, end - done);
    if (count > 0) {
      const from = place - back - yStart;
      if (rows === 0) kernel.pick(plan.y * 4, from, whole, plan.out * 4, count);
      else if (rows === phases) {
        kernel.interpolate(
          ...[plan.y * 4, plan.bank * 4, taps, phases, from, phase, whole, part, plan.out * 4, count] as const,
        );
      } else {
        kernel.interpolateBetween(
          ...[plan.y * 4, plan.bank * 4, taps, rows, phases, from, phase, whole, part, plan.out * 4, count] as const,
        );
      }
      out.set(memory.subarray(plan.out, plan.out + count), done);
      done += count;
      const ahead = phase + count * part;
      place += count * whole + Math.floor(ahead / phases);
      phase = ahead % phases;
    }
    // What later outputs still need moves to the front.
    const drop = Math.min(filled, Math.max(0, place - back - yStart));
    memory.copyWithin(plan.y, plan.y + drop, plan.y + filled);
    yStart += drop;
    filled -= drop;
  }
  restoreSilence(samples, out, fromHz, toHz);
  return { samples: out, sampleRateHz: toHz };
}

/**
 * Clears what a block's transform leaves where the recording is digitally silent (about -190 dB, its rounding): librosa
 * counts zero crossings from -200 dB on, and soxr's silence is silent.
 */
function restoreSilence(samples: Float32Array, out: Float32Array, fromHz: number, toHz: number): void {
  const ratio = toHz / fromHz;
  const margin = Math.ceil(SILENCE_MARGIN * Math.max(1, 1 / ratio));
  const n = samples.length;
  // A shorter run leaves nothing to clear, and a longer one has a sample at a multiple of its length.
  for (let probe = 0; probe < n; probe += margin) {
    if (samples[probe] !== 0) continue;
    let first = probe, end = probe + 1;
    while (first > 0 && samples[first - 1] === 0) first--;
    while (end < n && samples[end] === 0) end++;
    // Nothing rings into the run from before the first sample or from after the last.
    const from = first === 0 ? 0 : Math.ceil((first + margin) * ratio);
    const to = end === n ? out.length : Math.floor((end - margin) * ratio);
    if (to > from) out.fill(0, from, to);
    probe = Math.floor(end / margin) * margin;
  }
}

/** Copies `count` samples from index `from` on (which may lie outside) to `memory`, with zeros where there are none. */
function copyPadded(samples: Float32Array, from: number, memory: Float32Array, at: number, count: number): void {
  const first = Math.max(0, from);
  const last = Math.min(samples.length, from + count);
  if (last <= first) {
    memory.fill(0, at, at + count);
    return;
  }
  memory.fill(0, at, at + first - from);
  memory.set(samples.subarray(first, last), at + first - from);
  memory.fill(0, at + last - from, at + count);
}
