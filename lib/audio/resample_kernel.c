/*
 * The inner loops of resample.ts, for WebAssembly with 128-bit SIMD: a complex FFT of two blocks at once, the product
 * with the filter's spectrum, and a short polyphase interpolator. `resample_kernel_build.ts` compiles this file into
 * `resample_kernel_wasm.ts`; nothing here allocates, and every address comes from the caller.
 *
 * FFT: Stockham's self-sorting form in radix 4 (and one pass of radix 2 where the exponent is odd), real and imaginary
 * parts apart. Sizes are powers of two of at least 16.
 */

#include <wasm_simd128.h>

typedef v128_t vec;

#define LOAD(p) wasm_v128_load(p)
#define STORE(p, v) wasm_v128_store(p, v)
#define SPLAT(p) wasm_v128_load32_splat(p)
#define ADD wasm_f32x4_add
#define SUB wasm_f32x4_sub
#define MUL wasm_f32x4_mul

/* The butterfly of radix 4 without twiddles: a, b, c, d become the four sums. */
#define BUTTERFLY(ar, ai, br, bi, cr, ci, dr, di)                              \
  vec s0r = ADD(ar, cr), s0i = ADD(ai, ci), d0r = SUB(ar, cr), d0i = SUB(ai, ci); \
  vec s1r = ADD(br, dr), s1i = ADD(bi, di), d1r = SUB(br, dr), d1i = SUB(bi, di); \
  vec y0r = ADD(s0r, s1r), y0i = ADD(s0i, s1i);                                \
  vec y2r = SUB(s0r, s1r), y2i = SUB(s0i, s1i);                                \
  vec y1r = ADD(d0r, d1i), y1i = SUB(d0i, d1r);                                \
  vec y3r = SUB(d0r, d1i), y3i = ADD(d0i, d1r);

/* (r, i) times the twiddle (wr, wi). */
#define TWIDDLE(r, i, wr, wi)                    \
  do {                                           \
    vec t_ = SUB(MUL(r, wr), MUL(i, wi));        \
    i = ADD(MUL(r, wi), MUL(i, wr));             \
    r = t_;                                      \
  } while (0)

/* Four rows become four columns, stored one after the other. */
static inline void store_transposed(float *out, vec a, vec b, vec c, vec d) {
  vec ab0 = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), ab1 = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
  vec cd0 = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), cd1 = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
  STORE(out, wasm_i64x2_shuffle(ab0, cd0, 0, 2));
  STORE(out + 4, wasm_i64x2_shuffle(ab0, cd0, 1, 3));
  STORE(out + 8, wasm_i64x2_shuffle(ab1, cd1, 0, 2));
  STORE(out + 12, wasm_i64x2_shuffle(ab1, cd1, 1, 3));
}

/* First pass (stride 1): vectors run over the butterflies. `tw` holds w, w^2, w^3 as six rows of n / 4. */
static void first_pass(const float *xr, const float *xi, float *yr, float *yi, const float *tw, int n) {
  int q = n / 4;
  for (int p = 0; p < q; p += 4) {
    vec ar = LOAD(xr + p), br = LOAD(xr + p + q), cr = LOAD(xr + p + 2 * q), dr = LOAD(xr + p + 3 * q);
    vec ai = LOAD(xi + p), bi = LOAD(xi + p + q), ci = LOAD(xi + p + 2 * q), di = LOAD(xi + p + 3 * q);
    BUTTERFLY(ar, ai, br, bi, cr, ci, dr, di)
    vec w1r = LOAD(tw + p), w1i = LOAD(tw + q + p);
    vec w2r = LOAD(tw + 2 * q + p), w2i = LOAD(tw + 3 * q + p);
    vec w3r = LOAD(tw + 4 * q + p), w3i = LOAD(tw + 5 * q + p);
    TWIDDLE(y1r, y1i, w1r, w1i);
    TWIDDLE(y2r, y2i, w2r, w2i);
    TWIDDLE(y3r, y3i, w3r, w3i);
    store_transposed(yr + 4 * p, y0r, y1r, y2r, y3r);
    store_transposed(yi + 4 * p, y0i, y1i, y2i, y3i);
  }
}

/* The first pass of numbers whose second and third quarter are zero and are not read. */
static void first_pass_outer(const float *xr, const float *xi, float *yr, float *yi, const float *tw, int n) {
  int q = n / 4;
  for (int p = 0; p < q; p += 4) {
    vec ar = LOAD(xr + p), dr = LOAD(xr + p + 3 * q), ai = LOAD(xi + p), di = LOAD(xi + p + 3 * q);
    vec y1r = SUB(ar, di), y1i = ADD(ai, dr), y2r = SUB(ar, dr), y2i = SUB(ai, di);
    vec y3r = ADD(ar, di), y3i = SUB(ai, dr);
    TWIDDLE(y1r, y1i, LOAD(tw + p), LOAD(tw + q + p));
    TWIDDLE(y2r, y2i, LOAD(tw + 2 * q + p), LOAD(tw + 3 * q + p));
    TWIDDLE(y3r, y3i, LOAD(tw + 4 * q + p), LOAD(tw + 5 * q + p));
    store_transposed(yr + 4 * p, ADD(ar, dr), y1r, y2r, y3r);
    store_transposed(yi + 4 * p, ADD(ai, di), y1i, y2i, y3i);
  }
}

/* A later pass: vectors run over the stride s (a multiple of 4). */
static void pass(const float *xr, const float *xi, float *yr, float *yi, const float *tw, int n, int s) {
  int q = n / 4, step = q * s;
  for (int p = 0; p < q; p++) {
    vec w1r = SPLAT(tw + p), w1i = SPLAT(tw + q + p);
    vec w2r = SPLAT(tw + 2 * q + p), w2i = SPLAT(tw + 3 * q + p);
    vec w3r = SPLAT(tw + 4 * q + p), w3i = SPLAT(tw + 5 * q + p);
    const float *ur = xr + s * p, *ui = xi + s * p;
    float *vr = yr + 4 * s * p, *vi = yi + 4 * s * p;
    for (int k = 0; k < s; k += 4) {
      vec ar = LOAD(ur + k), br = LOAD(ur + k + step), cr = LOAD(ur + k + 2 * step), dr = LOAD(ur + k + 3 * step);
      vec ai = LOAD(ui + k), bi = LOAD(ui + k + step), ci = LOAD(ui + k + 2 * step), di = LOAD(ui + k + 3 * step);
      BUTTERFLY(ar, ai, br, bi, cr, ci, dr, di)
      TWIDDLE(y1r, y1i, w1r, w1i);
      TWIDDLE(y2r, y2i, w2r, w2i);
      TWIDDLE(y3r, y3i, w3r, w3i);
      STORE(vr + k, y0r), STORE(vi + k, y0i);
      STORE(vr + k + s, y1r), STORE(vi + k + s, y1i);
      STORE(vr + k + 2 * s, y2r), STORE(vi + k + 2 * s, y2i);
      STORE(vr + k + 3 * s, y3r), STORE(vi + k + 3 * s, y3i);
    }
  }
}

/* The last pass of radix 4: all twiddles are 1. */
static void last_pass4(const float *xr, const float *xi, float *yr, float *yi, int s) {
  for (int k = 0; k < s; k += 4) {
    vec ar = LOAD(xr + k), br = LOAD(xr + k + s), cr = LOAD(xr + k + 2 * s), dr = LOAD(xr + k + 3 * s);
    vec ai = LOAD(xi + k), bi = LOAD(xi + k + s), ci = LOAD(xi + k + 2 * s), di = LOAD(xi + k + 3 * s);
    BUTTERFLY(ar, ai, br, bi, cr, ci, dr, di)
    STORE(yr + k, y0r), STORE(yi + k, y0i);
    STORE(yr + k + s, y1r), STORE(yi + k + s, y1i);
    STORE(yr + k + 2 * s, y2r), STORE(yi + k + 2 * s, y2i);
    STORE(yr + k + 3 * s, y3r), STORE(yi + k + 3 * s, y3i);
  }
}

/* Four values of a falling response, `last` being the one of the first lane. */
static inline vec falling(const float *last) {
  vec h = LOAD(last - 3);
  return wasm_i32x4_shuffle(h, h, 3, 2, 1, 0);
}

/*
 * The last pass of radix 4 and the product with the spectrum, of the s bins from 0 on and the s bins below 0 alone: they
 * go to y and z.
 */
static void last_pass_narrow(const float *xr, const float *xi, const float *spectrum, float *yr, float *yi, float *zr,
                             float *zi, int s) {
  for (int k = 0; k < s; k += 4) {
    vec ar = LOAD(xr + k), br = LOAD(xr + k + s), cr = LOAD(xr + k + 2 * s), dr = LOAD(xr + k + 3 * s);
    vec ai = LOAD(xi + k), bi = LOAD(xi + k + s), ci = LOAD(xi + k + 2 * s), di = LOAD(xi + k + 3 * s);
    vec h = LOAD(spectrum + k), g = falling(spectrum + s - k);
    STORE(yr + k, MUL(ADD(ADD(ar, cr), ADD(br, dr)), h)), STORE(yi + k, MUL(ADD(ADD(ai, ci), ADD(bi, di)), h));
    STORE(zr + k, MUL(SUB(SUB(ar, cr), SUB(bi, di)), g)), STORE(zi + k, MUL(ADD(SUB(ai, ci), SUB(br, dr)), g));
  }
}

/* The last pass of radix 2. */
static void last_pass2(const float *xr, const float *xi, float *yr, float *yi, int s) {
  for (int k = 0; k < s; k += 4) {
    vec ar = LOAD(xr + k), br = LOAD(xr + k + s), ai = LOAD(xi + k), bi = LOAD(xi + k + s);
    STORE(yr + k, ADD(ar, br)), STORE(yi + k, ADD(ai, bi));
    STORE(yr + k + s, SUB(ar, br)), STORE(yi + k + s, SUB(ai, bi));
  }
}

/*
 * The passes of a transform of n numbers after the first one, up to those of `end` numbers: 1 for all of them, 4 to leave
 * the last pass of radix 4 out. Returns 0 where the result is in a, 1 where it is in b.
 */
static int later_passes(float *ar, float *ai, float *br, float *bi, const float *tw, int n, int end) {
  tw += 6 * (n / 4);
  int length = n / 4, s = 4, in_b = 0;
  while (length > end) {
    const float *ur = in_b ? br : ar, *ui = in_b ? bi : ai;
    float *vr = in_b ? ar : br, *vi = in_b ? ai : bi;
    if (length == 2) {
      last_pass2(ur, ui, vr, vi, s);
      length = 1;
    } else if (length == 4) {
      last_pass4(ur, ui, vr, vi, s);
      length = 1;
    } else {
      pass(ur, ui, vr, vi, tw, length, s);
      tw += 6 * (length / 4);
      length /= 4, s *= 4;
    }
    in_b = !in_b;
  }
  return in_b;
}

/*
 * Filters two neighbouring blocks and changes their rate by m / n (a power of two): the first block starts at x, the
 * second at x + step. `work` has room for four rows of max(n, m) floats. `spectrum` is the filter's real response at
 * bins 0 ... min(n, m) / 2, divided by n, and zero from bin `passing` on. From each result `keep` samples from `skip` on
 * go to y, one block after the other.
 *
 * Two real blocks are the parts of one complex signal. The inverse transform is the forward one with real and imaginary
 * parts exchanged. Where a quarter of the bins on either side is all that passes, the others are not computed.
 */
__attribute__((export_name("filter"))) void filter(const float *x, int step, int n, int m, const float *spectrum,
                                                   int passing, const float *forward, const float *inverse,
                                                   float *work, float *y, int skip, int keep) {
  int row = n > m ? n : m, half = (n < m ? n : m) / 2;
  float *ar = work, *ai = work + row, *br = work + 2 * row, *bi = work + 3 * row;
  int narrow = (half == n / 4 || (half > n / 4 && passing <= n / 4)) && __builtin_ctz(n) % 2 == 0;
  /* Where the inverse transform's second and third quarter are empty. */
  int outer = half <= m / 4 || passing <= m / 4;
  first_pass(x, x + step, ar, ai, forward, n);
  int in_b = later_passes(ar, ai, br, bi, forward, n, narrow ? 4 : 1);
  float *ur = in_b ? br : ar, *ui = in_b ? bi : ai, *vr = in_b ? ar : br, *vi = in_b ? ai : bi;
  /* Bins from 0 on keep their place; those below 0 move to the end of the new length. */
  int side = narrow ? n / 4 : half;
  float *out_r = vr + m - side, *out_i = vi + m - side;
  if (narrow) {
    last_pass_narrow(ur, ui, spectrum, vr, vi, out_r, out_i, side);
  } else {
    const float *tail_r = ur + n - half, *tail_i = ui + n - half;
    for (int k = 0; k < half; k += 4) {
      vec h = LOAD(spectrum + k), g = falling(spectrum + half - k);
      STORE(vr + k, MUL(LOAD(ur + k), h)), STORE(vi + k, MUL(LOAD(ui + k), h));
      STORE(out_r + k, MUL(LOAD(tail_r + k), g)), STORE(out_i + k, MUL(LOAD(tail_i + k), g));
    }
  }
  if (outer) {
    /* A side longer than a quarter is zero beyond it, a shorter one is filled up with zeros. */
    vec zero = wasm_f32x4_splat(0);
    for (int k = side; k < m / 4; k += 4) STORE(vr + k, zero), STORE(vi + k, zero);
    for (int k = m - m / 4; k < m - side; k += 4) STORE(vr + k, zero), STORE(vi + k, zero);
    first_pass_outer(vi, vr, ui, ur, inverse, m);
  } else {
    vec zero = wasm_f32x4_splat(0);
    for (int k = side; k < m - side; k += 4) STORE(vr + k, zero), STORE(vi + k, zero);
    first_pass(vi, vr, ui, ur, inverse, m);
  }
  int back_b = later_passes(ui, ur, vi, vr, inverse, m, 1);
  const float *rr = back_b ? vr : ur, *ri = back_b ? vi : ui;
  __builtin_memcpy(y, rr + skip, keep * sizeof(float));
  __builtin_memcpy(y + keep, ri + skip, keep * sizeof(float));
}

static inline float sum(vec a) {
  a = ADD(a, wasm_i32x4_shuffle(a, a, 2, 3, 0, 1));
  a = ADD(a, wasm_i32x4_shuffle(a, a, 1, 0, 3, 2));
  return wasm_f32x4_extract_lane(a, 0);
}

/* Products of a row of the interpolator with samples, summed down to four lanes; taps is a multiple of 4, at least 16. */
static inline vec products(const float *h, const float *u, int taps) {
  vec a = MUL(LOAD(h), LOAD(u)), b = MUL(LOAD(h + 4), LOAD(u + 4));
  vec c = MUL(LOAD(h + 8), LOAD(u + 8)), d = MUL(LOAD(h + 12), LOAD(u + 12));
  for (int t = 16; t < taps; t += 4) a = ADD(a, MUL(LOAD(h + t), LOAD(u + t)));
  return ADD(ADD(a, b), ADD(c, d));
}

/*
 * Polyphase interpolation: output i is the product of the row of its phase with the samples from its place on. Place
 * and phase advance by whole + part / phases an output. Returns nothing; the caller keeps count of place and phase.
 */
__attribute__((export_name("interpolate"))) void interpolate(const float *y, const float *bank, int taps, int phases,
                                                             int place, int phase, int whole, int part, float *out,
                                                             int count) {
  vec v[4];
  int i = 0;
  for (; i + 4 <= count; i += 4) {
    for (int j = 0; j < 4; j++) {
      v[j] = products(bank + phase * taps, y + place, taps);
      place += whole, phase += part;
      if (phase >= phases) phase -= phases, place++;
    }
    /* Four sums over lanes side by side, in the order of `sum`. */
    vec ab = ADD(wasm_i32x4_shuffle(v[0], v[1], 0, 4, 1, 5), wasm_i32x4_shuffle(v[0], v[1], 2, 6, 3, 7));
    vec cd = ADD(wasm_i32x4_shuffle(v[2], v[3], 0, 4, 1, 5), wasm_i32x4_shuffle(v[2], v[3], 2, 6, 3, 7));
    STORE(out + i, ADD(wasm_i64x2_shuffle(ab, cd, 0, 2), wasm_i64x2_shuffle(ab, cd, 1, 3)));
  }
  for (; i < count; i++) {
    out[i] = sum(products(bank + phase * taps, y + place, taps));
    place += whole, phase += part;
    if (phase >= phases) phase -= phases, place++;
  }
}

/* Every `whole`-th sample from `place` on. */
__attribute__((export_name("pick"))) void pick(const float *y, int place, int whole, float *out, int count) {
  for (int i = 0; i < count; i++) out[i] = y[place + i * whole];
}

/*
 * The same for ratios with more phases than are worth a row each: `rows` rows (and one more, the first again one place
 * on), and the two nearest are mixed linearly.
 */
__attribute__((export_name("interpolateBetween"))) void interpolate_between(const float *y, const float *bank, int taps,
                                                                            int rows, int phases, int place, int phase,
                                                                            int whole, int part, float *out, int count) {
  for (int i = 0; i < count; i++) {
    double exact = (double)phase * rows / phases;
    int row = (int)exact;
    vec mix = wasm_f32x4_splat((float)(exact - row));
    const float *h = bank + row * taps, *g = h + taps, *u = y + place;
    vec a = wasm_f32x4_splat(0), b = a;
    for (int t = 0; t < taps; t += 4) {
      vec s = LOAD(u + t);
      a = ADD(a, MUL(LOAD(h + t), s)), b = ADD(b, MUL(LOAD(g + t), s));
    }
    out[i] = sum(ADD(a, MUL(mix, SUB(b, a))));
    place += whole, phase += part;
    if (phase >= phases) phase -= phases, place++;
  }
}
