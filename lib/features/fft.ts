/**
 * The discrete Fourier transform of real frames: one transform of half the length, radix 4, with tables made once
 * per length and no allocation per call.
 *
 * @module
 */

import { UsageError } from "../errors.ts";

/** A complex spectrum or sequence as two arrays of equal length. */
export interface Complex {
  /** Real parts. */
  readonly re: Float64Array;
  /** Imaginary parts. */
  readonly im: Float64Array;
}

/** In-place forward transform of complex data of one length. */
interface ComplexTransform {
  readonly re: Float64Array;
  readonly im: Float64Array;
  /** Transforms what lies in `re` and `im`. */
  run(): void;
}

/** Stockham's self-sorting radix-4 transform (with one radix-2 pass for odd powers); `n` is a power of two. */
class PowerOfTwo implements ComplexTransform {
  re: Float64Array;
  im: Float64Array;
  #re2: Float64Array;
  #im2: Float64Array;
  /** cos and sin of -2πk/n for k < n. */
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;

  constructor(readonly n: number) {
    this.re = new Float64Array(n);
    this.im = new Float64Array(n);
    this.#re2 = new Float64Array(n);
    this.#im2 = new Float64Array(n);
    this.#cos = new Float64Array(n);
    this.#sin = new Float64Array(n);
    for (let k = 0; k < n; k++) {
      this.#cos[k] = Math.cos((2 * Math.PI * k) / n);
      this.#sin[k] = -Math.sin((2 * Math.PI * k) / n);
    }
  }

  run(): void {
    let n = this.n;
    let stride = 1;
    while (n >= 4) {
      if (stride === 1) firstPass(n, this.re, this.im, this.#re2, this.#im2, this.#cos, this.#sin);
      else laterPass(n, stride, this.re, this.im, this.#re2, this.#im2, this.#cos, this.#sin);
      this.#swap();
      n >>= 2;
      stride <<= 2;
    }
    if (n === 2) {
      const { re, im } = this, re2 = this.#re2, im2 = this.#im2;
      for (let q = 0; q < stride; q++) {
        const ar = re[q]!, ai = im[q]!, br = re[q + stride]!, bi = im[q + stride]!;
        re2[q] = ar + br;
        im2[q] = ai + bi;
        re2[q + stride] = ar - br;
        im2[q + stride] = ai - bi;
      }
      this.#swap();
    }
  }

  #swap(): void {
    [this.re, this.#re2] = [this.#re2, this.re];
    [this.im, this.#im2] = [this.#im2, this.im];
  }
}

/** The pass of stride 1: one butterfly a twiddle. */
function firstPass(
  n: number,
  xr: Float64Array,
  xi: Float64Array,
  yr: Float64Array,
  yi: Float64Array,
  cos: Float64Array,
  sin: Float64Array,
): void {
  const n1 = n >> 2, n2 = n >> 1, n3 = n1 + n2;
  for (let p = 0; p < n1; p++) {
    const ar = xr[p]!, ai = xi[p]!, br = xr[p + n1]!, bi = xi[p + n1]!;
    const cr = xr[p + n2]!, ci = xi[p + n2]!, dr = xr[p + n3]!, di = xi[p + n3]!;
    const sr = ar + cr, si = ai + ci, tr = ar - cr, ti = ai - ci;
    const ur = br + dr, ui = bi + di, vr = bi - di, vi = dr - br;
    const w1r = cos[p]!, w1i = sin[p]!, w2r = cos[2 * p]!, w2i = sin[2 * p]!;
    const w3r = cos[3 * p]!, w3i = sin[3 * p]!;
    const o = 4 * p;
    yr[o] = sr + ur;
    yi[o] = si + ui;
    const er = tr + vr, ei = ti + vi, fr = sr - ur, fi = si - ui, gr = tr - vr, gi = ti - vi;
    yr[o + 1] = er * w1r - ei * w1i;
    yi[o + 1] = er * w1i + ei * w1r;
    yr[o + 2] = fr * w2r - fi * w2i;
    yi[o + 2] = fr * w2i + fi * w2r;
    yr[o + 3] = gr * w3r - gi * w3i;
    yi[o + 3] = gr * w3i + gi * w3r;
  }
}

/** A pass of larger stride: the twiddles stay while the inner loop runs over neighbours in memory. */
function laterPass(
  n: number,
  stride: number,
  xr: Float64Array,
  xi: Float64Array,
  yr: Float64Array,
  yi: Float64Array,
  cos: Float64Array,
  sin: Float64Array,
): void {
  const n1 = n >> 2;
  const q1 = stride * n1, q2 = 2 * q1, q3 = 3 * q1;
  const s2 = 2 * stride, s3 = 3 * stride;
  for (let p = 0; p < n1; p++) {
    const w1r = cos[p * stride]!, w1i = sin[p * stride]!;
    const w2r = cos[2 * p * stride]!, w2i = sin[2 * p * stride]!;
    const w3r = cos[3 * p * stride]!, w3i = sin[3 * p * stride]!;
    let i = p * stride, o = 4 * i;
    for (const end = i + stride; i < end; i++, o++) {
      const ar = xr[i]!, ai = xi[i]!, br = xr[i + q1]!, bi = xi[i + q1]!;
      const cr = xr[i + q2]!, ci = xi[i + q2]!, dr = xr[i + q3]!, di = xi[i + q3]!;
      const sr = ar + cr, si = ai + ci, tr = ar - cr, ti = ai - ci;
      const ur = br + dr, ui = bi + di, vr = bi - di, vi = dr - br;
      yr[o] = sr + ur;
      yi[o] = si + ui;
      const er = tr + vr, ei = ti + vi, fr = sr - ur, fi = si - ui, gr = tr - vr, gi = ti - vi;
      yr[o + stride] = er * w1r - ei * w1i;
      yi[o + stride] = er * w1i + ei * w1r;
      yr[o + s2] = fr * w2r - fi * w2i;
      yi[o + s2] = fr * w2i + fi * w2r;
      yr[o + s3] = gr * w3r - gi * w3i;
      yi[o + s3] = gr * w3i + gi * w3r;
    }
  }
}

/** Any other length, as a convolution of chirps (Bluestein 1970). */
class AnyLength implements ComplexTransform {
  readonly re: Float64Array;
  readonly im: Float64Array;
  readonly #inner: PowerOfTwo;
  readonly #chirp: Complex;
  readonly #kernel: Complex;

  constructor(readonly n: number) {
    this.re = new Float64Array(n);
    this.im = new Float64Array(n);
    let size = 1;
    while (size < 2 * n - 1) size *= 2;
    const inner = this.#inner = new PowerOfTwo(size);
    const chirp = this.#chirp = { re: new Float64Array(n), im: new Float64Array(n) };
    for (let k = 0; k < n; k++) {
      const angle = (Math.PI * ((k * k) % (2 * n))) / n;
      chirp.re[k] = Math.cos(angle);
      chirp.im[k] = -Math.sin(angle);
    }
    inner.re.fill(0);
    inner.im.fill(0);
    for (let k = 0; k < n; k++) {
      inner.re[k] = inner.re[(size - k) % size] = chirp.re[k]!;
      inner.im[k] = inner.im[(size - k) % size] = -chirp.im[k]!;
    }
    inner.run();
    this.#kernel = { re: inner.re.slice(), im: inner.im.slice() };
  }

  run(): void {
    const { n, re, im } = this, inner = this.#inner, chirp = this.#chirp, kernel = this.#kernel;
    const size = inner.n;
    inner.re.fill(0);
    inner.im.fill(0);
    for (let k = 0; k < n; k++) {
      inner.re[k] = re[k]! * chirp.re[k]! - im[k]! * chirp.im[k]!;
      inner.im[k] = re[k]! * chirp.im[k]! + im[k]! * chirp.re[k]!;
    }
    inner.run();
    // The inverse transform is the forward one with real and imaginary parts exchanged.
    for (let k = 0; k < size; k++) {
      const r = inner.re[k]! * kernel.re[k]! - inner.im[k]! * kernel.im[k]!;
      inner.re[k] = inner.re[k]! * kernel.im[k]! + inner.im[k]! * kernel.re[k]!;
      inner.im[k] = r;
    }
    inner.run();
    for (let k = 0; k < n; k++) {
      const r = inner.im[k]! / size, i = inner.re[k]! / size;
      re[k] = r * chirp.re[k]! - i * chirp.im[k]!;
      im[k] = r * chirp.im[k]! + i * chirp.re[k]!;
    }
  }
}

function complexTransform(n: number): ComplexTransform {
  return (n & (n - 1)) === 0 ? new PowerOfTwo(n) : new AnyLength(n);
}

/**
 * Transforms of real data of one length, with their tables and buffers: make it once, use it for every frame.
 *
 * Any length works; powers of two are fast. Not for use by two callers at once (it owns its buffers).
 *
 * @example Parseval: the energy in time is the energy in frequency.
 * ```ts
 * import assert from "node:assert/strict";
 * const fft = new RealFft(8);
 * fft.input.set([1, 2, 3, 4, 0, 0, 0, 0]);
 * fft.forward();
 * const energy = Array.from(fft.re, (r, k) => (k === 0 || k === 4 ? 1 : 2) * (r ** 2 + fft.im[k]! ** 2));
 * assert.ok(Math.abs(energy.reduce((a, b) => a + b) / 8 - 30) < 1e-12);
 * ```
 */
export class RealFft {
  /** Number of samples. */
  readonly n: number;
  /** Number of bins from 0 Hz to the Nyquist frequency, `floor(n / 2) + 1`. */
  readonly bins: number;
  /** Samples: read by {@linkcode RealFft.forward}, written by {@linkcode RealFft.inverse}. */
  readonly input: Float64Array;
  /** Real parts of the bins. */
  readonly re: Float64Array;
  /** Imaginary parts of the bins. */
  readonly im: Float64Array;
  readonly #half: ComplexTransform | undefined;
  readonly #full: ComplexTransform | undefined;
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;

  /**
   * Makes tables and buffers for one length.
   *
   * @param n Number of samples, at least 1.
   * @throws {UsageError} when `n` is not a positive integer.
   */
  constructor(n: number) {
    if (!Number.isSafeInteger(n) || n < 1) {
      throw new UsageError(`A transform's length is a positive integer, not ${n}.`);
    }
    this.n = n;
    this.bins = Math.floor(n / 2) + 1;
    this.input = new Float64Array(n);
    this.re = new Float64Array(this.bins);
    this.im = new Float64Array(this.bins);
    if (n % 2 === 0) this.#half = complexTransform(n / 2);
    else this.#full = complexTransform(n);
    this.#cos = new Float64Array(this.bins);
    this.#sin = new Float64Array(this.bins);
    for (let k = 0; k < this.bins; k++) {
      this.#cos[k] = Math.cos((2 * Math.PI * k) / n);
      this.#sin[k] = -Math.sin((2 * Math.PI * k) / n);
    }
  }

  /** From `input` to `re` and `im`, unscaled (numpy.fft.rfft). */
  forward(): void {
    const { n, input, re, im } = this;
    const half = this.#half;
    if (half === undefined) {
      const full = this.#full!;
      full.re.set(input);
      full.im.fill(0);
      full.run();
      re.set(full.re.subarray(0, this.bins));
      im.set(full.im.subarray(0, this.bins));
      return;
    }
    const h = n / 2;
    const hr = half.re, hi = half.im;
    for (let k = 0; k < h; k++) {
      hr[k] = input[2 * k]!;
      hi[k] = input[2 * k + 1]!;
    }
    half.run();
    const zr = half.re, zi = half.im, cos = this.#cos, sin = this.#sin;
    re[0] = zr[0]! + zi[0]!;
    im[0] = 0;
    re[h] = zr[0]! - zi[0]!;
    im[h] = 0;
    // The even samples' spectrum is E, the odd ones' is O; X = E + W·O, and bin h - k has the conjugates.
    for (let k = 1, j = h - 1; k <= j; k++, j--) {
      const er = (zr[k]! + zr[j]!) * 0.5, ei = (zi[k]! - zi[j]!) * 0.5;
      const or = (zi[k]! + zi[j]!) * 0.5, oi = (zr[j]! - zr[k]!) * 0.5;
      const tr = or * cos[k]! - oi * sin[k]!, ti = or * sin[k]! + oi * cos[k]!;
      re[k] = er + tr;
      im[k] = ei + ti;
      re[j] = er - tr;
      im[j] = ti - ei;
    }
  }

  /** From `re` and `im` to `input`, scaled by 1/n (numpy.fft.irfft; imaginary parts at 0 Hz and Nyquist are ignored). */
  inverse(): void {
    const { n, input, re, im } = this;
    const half = this.#half;
    if (half === undefined) {
      const full = this.#full!;
      // Exchanged parts turn the forward transform into the inverse one.
      full.im[0] = re[0]!;
      full.re[0] = 0;
      for (let k = 1; k < this.bins; k++) {
        full.im[k] = full.im[n - k] = re[k]!;
        full.re[k] = im[k]!;
        full.re[n - k] = -im[k]!;
      }
      full.run();
      for (let k = 0; k < n; k++) input[k] = full.im[k]! / n;
      return;
    }
    const h = n / 2;
    const zr = half.re, zi = half.im, cos = this.#cos, sin = this.#sin;
    zi[0] = (re[0]! + re[h]!) * 0.5;
    zr[0] = (re[0]! - re[h]!) * 0.5;
    for (let k = 1, j = h - 1; k <= j; k++, j--) {
      const er = (re[k]! + re[j]!) * 0.5, ei = (im[k]! - im[j]!) * 0.5;
      const tr = (re[k]! - re[j]!) * 0.5, ti = (im[k]! + im[j]!) * 0.5;
      const or = tr * cos[k]! + ti * sin[k]!, oi = ti * cos[k]! - tr * sin[k]!;
      // z[k] = E + iO, stored with exchanged parts.
      zi[k] = er - oi;
      zr[k] = ei + or;
      zi[j] = er + oi;
      zr[j] = or - ei;
    }
    half.run();
    const or = half.re, oi = half.im, scale = 1 / h;
    for (let k = 0; k < h; k++) {
      input[2 * k] = oi[k]! * scale;
      input[2 * k + 1] = or[k]! * scale;
    }
  }
}

/**
 * Spectrum of real data from 0 Hz to the Nyquist frequency, `floor(n / 2) + 1` bins, unscaled (numpy.fft.rfft).
 *
 * @param samples Data of any length from 1.
 * @throws {UsageError} when there are no samples.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const { re, im } = rfft(Float32Array.of(1, 0, 0));
 * assert.deepEqual([...re].map((x) => Math.round(x)), [1, 1]);
 * assert.ok(im.every((x) => Math.abs(x) < 1e-15));
 * ```
 */
export function rfft(samples: ArrayLike<number>): Complex {
  const fft = new RealFft(samples.length);
  fft.input.set(samples);
  fft.forward();
  return { re: fft.re, im: fft.im };
}

/**
 * Real data of length `n` from its spectrum (numpy.fft.irfft).
 *
 * @param spectrum `floor(n / 2) + 1` bins.
 * @param n Number of samples.
 * @throws {UsageError} when the number of bins does not fit.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const samples = irfft(rfft([3, 1, 2, 5, 4]), 5);
 * assert.deepEqual([...samples].map((x) => Math.round(x * 1e9) / 1e9), [3, 1, 2, 5, 4]);
 * ```
 */
export function irfft(spectrum: Complex, n: number): Float64Array {
  const fft = new RealFft(n);
  if (spectrum.re.length !== fft.bins || spectrum.im.length !== fft.bins) {
    throw new UsageError(`${n} samples have ${fft.bins} bins, not ${spectrum.re.length}.`);
  }
  fft.re.set(spectrum.re);
  fft.im.set(spectrum.im);
  fft.inverse();
  return fft.input;
}

const cache = new Map<number, RealFft>();

/**
 * A shared transform of length `n`. Between taking it and reading its result nothing else may run that takes it too.
 *
 * @throws {UsageError} when `n` is not a positive integer.
 */
export function sharedFft(n: number): RealFft {
  let fft = cache.get(n);
  if (fft === undefined) {
    // Tables of a few lengths only: features use one or two, tests and phase vocoders a handful.
    if (cache.size >= 16) cache.clear();
    cache.set(n, fft = new RealFft(n));
  }
  return fft;
}
