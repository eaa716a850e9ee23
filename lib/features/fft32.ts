/**
 * A real transform in 32-bit arithmetic that rounds as SciPy's does.
 *
 * librosa's YIN takes differences of autocorrelations that SciPy computes in single precision. Where a recording
 * rumbles below the pitch range those differences are mostly rounding, and they decide which trough is the deepest: an
 * exact transform gives other pitches than librosa. So this module does the same additions and multiplications in the
 * same order: FFTPACK's radix-4 and radix-2 passes (Swarztrauber 1982), which pocketfft in SciPy follows.
 *
 * @module
 */

import type { SinglePass } from "./kernel.ts";

const f = Math.fround;
const HALF_SQRT2 = f(Math.SQRT1_2), SQRT2 = f(Math.SQRT2);

/** Single-precision real transforms of one power of two, at least 4; spectra are half-complex: r0, r1, i1, … r(n/2). */
export class SingleRealFft {
  /** Samples before {@linkcode SingleRealFft.forward}, the spectrum after it, and the reverse for `inverse`. */
  data: Float32Array;
  #other: Float32Array;
  /** The passes of {@linkcode SingleRealFft.inverse} in their order; `forward` takes them backwards. */
  readonly passes: readonly SinglePass[];

  /** Makes the tables for one length. */
  constructor(readonly n: number) {
    this.data = new Float32Array(n);
    this.#other = new Float32Array(n);
    const passes: SinglePass[] = [];
    const radices: (2 | 4)[] = [];
    let rest = n;
    for (; rest % 4 === 0; rest /= 4) radices.push(4);
    if (rest === 2) {
      // The odd factor of two goes first, in the place of a four that goes last.
      radices.push(2);
      [radices[0], radices[radices.length - 1]] = [radices[radices.length - 1]!, radices[0]!];
    }
    let l1 = 1;
    for (const radix of radices) {
      const ido = n / (l1 * radix);
      const twiddles = new Float32Array((radix - 1) * Math.max(0, ido - 1));
      for (let j = 1; j < radix; j++) {
        for (let i = 1; i <= (ido - 1) / 2; i++) {
          const angle = (2 * Math.PI * j * l1 * i) / n;
          twiddles[(j - 1) * (ido - 1) + 2 * i - 2] = Math.cos(angle);
          twiddles[(j - 1) * (ido - 1) + 2 * i - 1] = Math.sin(angle);
        }
      }
      passes.push({ radix, ido, l1, twiddles });
      l1 *= radix;
    }
    this.passes = passes;
  }

  /** Samples to spectrum, unscaled. */
  forward(): void {
    for (let p = this.passes.length - 1; p >= 0; p--) {
      const pass = this.passes[p]!;
      (pass.radix === 4 ? forward4 : forward2)(pass.ido, pass.l1, this.data, this.#other, pass.twiddles);
      this.#swap();
    }
  }

  /** Spectrum to samples times n. */
  inverse(): void {
    for (const pass of this.passes) {
      (pass.radix === 4 ? inverse4 : inverse2)(pass.ido, pass.l1, this.data, this.#other, pass.twiddles);
      this.#swap();
    }
  }

  #swap(): void {
    [this.data, this.#other] = [this.#other, this.data];
  }
}

function forward4(ido: number, l1: number, c: Float32Array, h: Float32Array, w: Float32Array): void {
  const s = ido * l1, last = ido - 1;
  for (let k = 0; k < l1; k++) {
    const i = ido * k, o = 4 * ido * k;
    const x0 = c[i]!, x1 = c[i + s]!, x2 = c[i + 2 * s]!, x3 = c[i + 3 * s]!;
    const t1 = f(x3 + x1), t2 = f(x0 + x2);
    h[o + 2 * ido] = f(x3 - x1);
    h[o + last + ido] = f(x0 - x2);
    h[o] = f(t2 + t1);
    h[o + last + 3 * ido] = f(t2 - t1);
  }
  if (ido % 2 !== 0) return;
  for (let k = 0; k < l1; k++) {
    const i = last + ido * k, o = 4 * ido * k;
    const x0 = c[i]!, x1 = c[i + s]!, x2 = c[i + 2 * s]!, x3 = c[i + 3 * s]!;
    const ti = f(-HALF_SQRT2 * f(x1 + x3)), tr = f(HALF_SQRT2 * f(x1 - x3));
    h[o + last] = f(x0 + tr);
    h[o + last + 2 * ido] = f(x0 - tr);
    h[o + 3 * ido] = f(ti + x2);
    h[o + ido] = f(ti - x2);
  }
  const v1 = ido - 1, v2 = 2 * v1;
  for (let k = 0; k < l1; k++) {
    const b = ido * k, o = 4 * ido * k;
    for (let i = 2; i < ido; i += 2) {
      const ic = ido - i, at = b + i;
      const w1r = w[i - 2]!, w1i = w[i - 1]!, w2r = w[i - 2 + v1]!, w2i = w[i - 1 + v1]!;
      const w3r = w[i - 2 + v2]!, w3i = w[i - 1 + v2]!;
      const x1r = c[at + s - 1]!, x1i = c[at + s]!, x2r = c[at + 2 * s - 1]!, x2i = c[at + 2 * s]!;
      const x3r = c[at + 3 * s - 1]!, x3i = c[at + 3 * s]!, x0r = c[at - 1]!, x0i = c[at]!;
      const cr2 = f(f(w1r * x1r) + f(w1i * x1i)), ci2 = f(f(w1r * x1i) - f(w1i * x1r));
      const cr3 = f(f(w2r * x2r) + f(w2i * x2i)), ci3 = f(f(w2r * x2i) - f(w2i * x2r));
      const cr4 = f(f(w3r * x3r) + f(w3i * x3i)), ci4 = f(f(w3r * x3i) - f(w3i * x3r));
      const tr1 = f(cr4 + cr2), tr4 = f(cr4 - cr2), ti1 = f(ci2 + ci4), ti4 = f(ci2 - ci4);
      const tr2 = f(x0r + cr3), tr3 = f(x0r - cr3), ti2 = f(x0i + ci3), ti3 = f(x0i - ci3);
      h[o + i - 1] = f(tr2 + tr1);
      h[o + ic - 1 + 3 * ido] = f(tr2 - tr1);
      h[o + i] = f(ti1 + ti2);
      h[o + ic + 3 * ido] = f(ti1 - ti2);
      h[o + i - 1 + 2 * ido] = f(tr3 + ti4);
      h[o + ic - 1 + ido] = f(tr3 - ti4);
      h[o + i + 2 * ido] = f(tr4 + ti3);
      h[o + ic + ido] = f(tr4 - ti3);
    }
  }
}

function inverse4(ido: number, l1: number, c: Float32Array, h: Float32Array, w: Float32Array): void {
  const s = ido * l1, last = ido - 1;
  for (let k = 0; k < l1; k++) {
    const i = 4 * ido * k, o = ido * k;
    const tr2 = f(c[i]! + c[i + last + 3 * ido]!), tr1 = f(c[i]! - c[i + last + 3 * ido]!);
    const tr3 = 2 * c[i + last + ido]!, tr4 = 2 * c[i + 2 * ido]!;
    h[o] = f(tr2 + tr3);
    h[o + 2 * s] = f(tr2 - tr3);
    h[o + 3 * s] = f(tr1 + tr4);
    h[o + s] = f(tr1 - tr4);
  }
  if (ido % 2 !== 0) return;
  for (let k = 0; k < l1; k++) {
    const i = 4 * ido * k, o = last + ido * k;
    const ti1 = f(c[i + 3 * ido]! + c[i + ido]!), ti2 = f(c[i + 3 * ido]! - c[i + ido]!);
    const tr2 = f(c[i + last]! + c[i + last + 2 * ido]!), tr1 = f(c[i + last]! - c[i + last + 2 * ido]!);
    h[o] = f(tr2 + tr2);
    h[o + s] = f(SQRT2 * f(tr1 - ti1));
    h[o + 2 * s] = f(ti2 + ti2);
    h[o + 3 * s] = f(-SQRT2 * f(tr1 + ti1));
  }
  const v1 = ido - 1, v2 = 2 * v1;
  for (let k = 0; k < l1; k++) {
    const b = 4 * ido * k, o = ido * k;
    for (let i = 2; i < ido; i += 2) {
      const ic = ido - i;
      const a0r = c[b + i - 1]!, a0i = c[b + i]!, a3r = c[b + ic - 1 + 3 * ido]!, a3i = c[b + ic + 3 * ido]!;
      const a2r = c[b + i - 1 + 2 * ido]!, a2i = c[b + i + 2 * ido]!;
      const a1r = c[b + ic - 1 + ido]!, a1i = c[b + ic + ido]!;
      const tr2 = f(a0r + a3r), tr1 = f(a0r - a3r), ti1 = f(a0i + a3i), ti2 = f(a0i - a3i);
      const tr4 = f(a2i + a1i), ti3 = f(a2i - a1i), tr3 = f(a2r + a1r), ti4 = f(a2r - a1r);
      const cr3 = f(tr2 - tr3), ci3 = f(ti2 - ti3);
      const cr4 = f(tr1 + tr4), cr2 = f(tr1 - tr4), ci2 = f(ti1 + ti4), ci4 = f(ti1 - ti4);
      const w1r = w[i - 2]!, w1i = w[i - 1]!, w2r = w[i - 2 + v1]!, w2i = w[i - 1 + v1]!;
      const w3r = w[i - 2 + v2]!, w3i = w[i - 1 + v2]!;
      const at = o + i;
      h[at - 1] = f(tr2 + tr3);
      h[at] = f(ti2 + ti3);
      h[at + s] = f(f(w1r * ci2) + f(w1i * cr2));
      h[at + s - 1] = f(f(w1r * cr2) - f(w1i * ci2));
      h[at + 2 * s] = f(f(w2r * ci3) + f(w2i * cr3));
      h[at + 2 * s - 1] = f(f(w2r * cr3) - f(w2i * ci3));
      h[at + 3 * s] = f(f(w3r * ci4) + f(w3i * cr4));
      h[at + 3 * s - 1] = f(f(w3r * cr4) - f(w3i * ci4));
    }
  }
}

function forward2(ido: number, l1: number, c: Float32Array, h: Float32Array, w: Float32Array): void {
  const s = ido * l1, last = ido - 1;
  for (let k = 0; k < l1; k++) {
    const i = ido * k, o = 2 * ido * k;
    h[o] = f(c[i]! + c[i + s]!);
    h[o + last + ido] = f(c[i]! - c[i + s]!);
  }
  if (ido % 2 !== 0) return;
  for (let k = 0; k < l1; k++) {
    h[2 * ido * k + ido] = -c[last + ido * k + s]!;
    h[2 * ido * k + last] = c[last + ido * k]!;
  }
  for (let k = 0; k < l1; k++) {
    for (let i = 2; i < ido; i += 2) {
      const ic = ido - i, at = ido * k + i, o = 2 * ido * k;
      const wr = w[i - 2]!, wi = w[i - 1]!, xr = c[at + s - 1]!, xi = c[at + s]!;
      const tr = f(f(wr * xr) + f(wi * xi)), ti = f(f(wr * xi) - f(wi * xr));
      h[o + i - 1] = f(c[at - 1]! + tr);
      h[o + ic - 1 + ido] = f(c[at - 1]! - tr);
      h[o + i] = f(ti + c[at]!);
      h[o + ic + ido] = f(ti - c[at]!);
    }
  }
}

function inverse2(ido: number, l1: number, c: Float32Array, h: Float32Array, w: Float32Array): void {
  const s = ido * l1, last = ido - 1;
  for (let k = 0; k < l1; k++) {
    const i = 2 * ido * k, o = ido * k;
    h[o] = f(c[i]! + c[i + last + ido]!);
    h[o + s] = f(c[i]! - c[i + last + ido]!);
  }
  if (ido % 2 !== 0) return;
  for (let k = 0; k < l1; k++) {
    h[last + ido * k] = 2 * c[2 * ido * k + last]!;
    h[last + ido * k + s] = -2 * c[2 * ido * k + ido]!;
  }
  for (let k = 0; k < l1; k++) {
    for (let i = 2; i < ido; i += 2) {
      const ic = ido - i, b = 2 * ido * k, at = ido * k + i;
      const tr = f(c[b + i - 1]! - c[b + ic - 1 + ido]!), ti = f(c[b + i]! + c[b + ic + ido]!);
      const wr = w[i - 2]!, wi = w[i - 1]!;
      h[at - 1] = f(c[b + i - 1]! + c[b + ic - 1 + ido]!);
      h[at] = f(c[b + i]! - c[b + ic + ido]!);
      h[at + s] = f(f(wr * ti) + f(wi * tr));
      h[at + s - 1] = f(f(wr * tr) - f(wi * ti));
    }
  }
}
