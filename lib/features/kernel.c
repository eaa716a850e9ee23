/*
 * The inner loops of the features, for WebAssembly with 128-bit SIMD. `kernel_build.ts` compiles this file into
 * `kernel_wasm.ts`, `kernel.ts` calls it; nothing here allocates, and every address comes from the caller.
 *
 * Spectra are computed in 64 bits, two butterflies at a time: Stockham's self-sorting transform in radix 4 (with one
 * pass of radix 2 where the exponent is odd) of half the frame's length, then the split into even and odd samples.
 * Lengths are powers of two of at least 32.
 */

#include <wasm_simd128.h>

typedef v128_t vec;

#define EXPORT(name) __attribute__((export_name(#name)))
#define LOAD(p) wasm_v128_load(p)
#define STORE(p, v) wasm_v128_store(p, v)
#define SPLAT(p) wasm_v128_load64_splat(p)
#define ADD wasm_f64x2_add
#define SUB wasm_f64x2_sub
#define MUL wasm_f64x2_mul
#define LOW wasm_f64x2_promote_low_f32x4
#define SWAP(v) wasm_i64x2_shuffle(v, v, 1, 0)

/* Everything that a frame's length needs; addresses are laid out by kernel.ts. */
typedef struct {
  int n;               /* length of a frame */
  const double *window; /* n values */
  const double *first; /* twiddles of the first pass: six rows of n / 8 */
  const double *later; /* twiddles of the later passes, six values a butterfly group */
  const double *cosine; /* cos(2 pi k / n), k <= n / 4 */
  const double *sine;   /* -sin(2 pi k / n), k <= n / 4 */
  double *work;         /* 2 n values */
  double *re;           /* n / 2 + 2 values */
  double *im;           /* n / 2 + 2 values */
} Plan;

/* The butterfly of radix 4 without twiddles: a, b, c, d become y0 ... y3. */
#define BUTTERFLY(ar, ai, br, bi, cr, ci, dr, di)                                   \
  vec s0r = ADD(ar, cr), s0i = ADD(ai, ci), d0r = SUB(ar, cr), d0i = SUB(ai, ci);   \
  vec s1r = ADD(br, dr), s1i = ADD(bi, di), d1r = SUB(br, dr), d1i = SUB(bi, di);   \
  vec y0r = ADD(s0r, s1r), y0i = ADD(s0i, s1i), y2r = SUB(s0r, s1r), y2i = SUB(s0i, s1i); \
  vec y1r = ADD(d0r, d1i), y1i = SUB(d0i, d1r), y3r = SUB(d0r, d1i), y3i = ADD(d0i, d1r);

#define TWIDDLE(r, i, wr, wi)               \
  do {                                      \
    vec t_ = SUB(MUL(r, wr), MUL(i, wi));   \
    i = ADD(MUL(r, wi), MUL(i, wr));        \
    r = t_;                                 \
  } while (0)

/* Two complex numbers from four windowed samples: even samples are real parts, odd ones imaginary. */
static inline void load_pair(const float *x, const double *w, vec *re, vec *im) {
  vec s = LOAD(x);
  vec a = MUL(LOW(s), LOAD(w)), b = MUL(LOW(wasm_i64x2_shuffle(s, s, 1, 0)), LOAD(w + 2));
  *re = wasm_i64x2_shuffle(a, b, 0, 2);
  *im = wasm_i64x2_shuffle(a, b, 1, 3);
}

/* First pass, from the samples; vectors run over the butterflies and are turned on the way out. */
static void first_pass(const float *x, const double *window, double *yr, double *yi, const double *tw, int h) {
  int q = h / 4;
  for (int p = 0; p < q; p += 2) {
    vec ar, ai, br, bi, cr, ci, dr, di;
    load_pair(x + 2 * p, window + 2 * p, &ar, &ai);
    load_pair(x + 2 * (p + q), window + 2 * (p + q), &br, &bi);
    load_pair(x + 2 * (p + 2 * q), window + 2 * (p + 2 * q), &cr, &ci);
    load_pair(x + 2 * (p + 3 * q), window + 2 * (p + 3 * q), &dr, &di);
    BUTTERFLY(ar, ai, br, bi, cr, ci, dr, di)
    vec w1r = LOAD(tw + p), w1i = LOAD(tw + q + p), w2r = LOAD(tw + 2 * q + p), w2i = LOAD(tw + 3 * q + p);
    vec w3r = LOAD(tw + 4 * q + p), w3i = LOAD(tw + 5 * q + p);
    TWIDDLE(y1r, y1i, w1r, w1i);
    TWIDDLE(y2r, y2i, w2r, w2i);
    TWIDDLE(y3r, y3i, w3r, w3i);
    double *r = yr + 4 * p, *i = yi + 4 * p;
    STORE(r, wasm_i64x2_shuffle(y0r, y1r, 0, 2));
    STORE(r + 2, wasm_i64x2_shuffle(y2r, y3r, 0, 2));
    STORE(r + 4, wasm_i64x2_shuffle(y0r, y1r, 1, 3));
    STORE(r + 6, wasm_i64x2_shuffle(y2r, y3r, 1, 3));
    STORE(i, wasm_i64x2_shuffle(y0i, y1i, 0, 2));
    STORE(i + 2, wasm_i64x2_shuffle(y2i, y3i, 0, 2));
    STORE(i + 4, wasm_i64x2_shuffle(y0i, y1i, 1, 3));
    STORE(i + 6, wasm_i64x2_shuffle(y2i, y3i, 1, 3));
  }
}

/* A later pass: the twiddles stay while vectors run over neighbours. */
static void later_pass(const double *xr, const double *xi, double *yr, double *yi, const double *tw, int n, int stride) {
  int n1 = n / 4, q = stride * n1;
  for (int p = 0; p < n1; p++, tw += 6) {
    const double *r = xr + p * stride, *i = xi + p * stride;
    double *or = yr + 4 * p * stride, *oi = yi + 4 * p * stride;
    if (p == 0) {
      for (int s = 0; s < stride; s += 2) {
        vec ar = LOAD(r + s), br = LOAD(r + s + q), cr = LOAD(r + s + 2 * q), dr = LOAD(r + s + 3 * q);
        vec ai = LOAD(i + s), bi = LOAD(i + s + q), ci = LOAD(i + s + 2 * q), di = LOAD(i + s + 3 * q);
        BUTTERFLY(ar, ai, br, bi, cr, ci, dr, di)
        STORE(or + s, y0r);
        STORE(oi + s, y0i);
        STORE(or + s + stride, y1r);
        STORE(oi + s + stride, y1i);
        STORE(or + s + 2 * stride, y2r);
        STORE(oi + s + 2 * stride, y2i);
        STORE(or + s + 3 * stride, y3r);
        STORE(oi + s + 3 * stride, y3i);
      }
      continue;
    }
    vec w1r = SPLAT(tw), w1i = SPLAT(tw + 1), w2r = SPLAT(tw + 2), w2i = SPLAT(tw + 3);
    vec w3r = SPLAT(tw + 4), w3i = SPLAT(tw + 5);
    for (int s = 0; s < stride; s += 2) {
      vec ar = LOAD(r + s), br = LOAD(r + s + q), cr = LOAD(r + s + 2 * q), dr = LOAD(r + s + 3 * q);
      vec ai = LOAD(i + s), bi = LOAD(i + s + q), ci = LOAD(i + s + 2 * q), di = LOAD(i + s + 3 * q);
      BUTTERFLY(ar, ai, br, bi, cr, ci, dr, di)
      TWIDDLE(y1r, y1i, w1r, w1i);
      TWIDDLE(y2r, y2i, w2r, w2i);
      TWIDDLE(y3r, y3i, w3r, w3i);
      STORE(or + s, y0r);
      STORE(oi + s, y0i);
      STORE(or + s + stride, y1r);
      STORE(oi + s + stride, y1i);
      STORE(or + s + 2 * stride, y2r);
      STORE(oi + s + 2 * stride, y2i);
      STORE(or + s + 3 * stride, y3r);
      STORE(oi + s + 3 * stride, y3i);
    }
  }
}

/* The frame at x, windowed and transformed, into plan->re and plan->im (bins 0 ... n / 2). */
static void transform(const Plan *plan, const float *x) {
  int h = plan->n / 2;
  double *ar = plan->work, *ai = ar + h, *br = ai + h, *bi = br + h;
  first_pass(x, plan->window, ar, ai, plan->first, h);
  const double *tw = plan->later;
  int n = h / 4, stride = 4;
  for (; n >= 4; n /= 4, stride *= 4) {
    later_pass(ar, ai, br, bi, tw, n, stride);
    tw += 6 * (n / 4);
    double *t = ar;
    ar = br;
    br = t;
    t = ai;
    ai = bi;
    bi = t;
  }
  if (n == 2) {
    for (int s = 0; s < stride; s += 2) {
      vec r0 = LOAD(ar + s), r1 = LOAD(ar + s + stride), i0 = LOAD(ai + s), i1 = LOAD(ai + s + stride);
      STORE(br + s, ADD(r0, r1));
      STORE(br + s + stride, SUB(r0, r1));
      STORE(bi + s, ADD(i0, i1));
      STORE(bi + s + stride, SUB(i0, i1));
    }
    ar = br;
    ai = bi;
  }
  double *re = plan->re, *im = plan->im;
  re[0] = ar[0] + ai[0];
  im[0] = 0;
  re[h] = ar[0] - ai[0];
  im[h] = 0;
  /* Bins k and h - k come from the same two numbers; the middle ones are written twice, with equal values. */
  vec half = wasm_f64x2_splat(0.5);
  for (int k = 1; k <= h / 2; k += 2) {
    int j = h - k - 1;
    vec zr = LOAD(ar + k), zi = LOAD(ai + k), mr = LOAD(ar + j), mi = LOAD(ai + j);
    mr = SWAP(mr);
    mi = SWAP(mi);
    vec er = MUL(ADD(zr, mr), half), ei = MUL(SUB(zi, mi), half);
    vec pr = MUL(ADD(zi, mi), half), pi = MUL(SUB(mr, zr), half);
    vec c = LOAD(plan->cosine + k), s = LOAD(plan->sine + k);
    vec tr = SUB(MUL(pr, c), MUL(pi, s)), ti = ADD(MUL(pr, s), MUL(pi, c));
    vec hr = SUB(er, tr), hi = SUB(ti, ei);
    STORE(re + k, ADD(er, tr));
    STORE(im + k, ADD(ei, ti));
    STORE(re + j, SWAP(hr));
    STORE(im + j, SWAP(hi));
  }
}

/* Power of the spectrum in plan->re, in place. */
static void power(const Plan *plan) {
  for (int k = 0; k <= plan->n / 2; k += 2) {
    vec r = LOAD(plan->re + k), i = LOAD(plan->im + k);
    STORE(plan->re + k, ADD(MUL(r, r), MUL(i, i)));
  }
}

/* Two pairs of 64-bit numbers to four of 32 bits. */
static inline vec narrow(vec a, vec b) {
  return wasm_i64x2_shuffle(wasm_f32x4_demote_f64x2_zero(a), wasm_f32x4_demote_f64x2_zero(b), 0, 2);
}

/* n 64-bit numbers to 32 bits. */
static void narrow_row(const double *from, float *to, int n) {
  int k = 0;
  for (; k + 4 <= n; k += 4) STORE(to + k, narrow(LOAD(from + k), LOAD(from + k + 2)));
  for (; k < n; k++) to[k] = (float)from[k];
}

/* Power spectra of frames, `[frames, n / 2 + 1]`. */
EXPORT(powers) void powers(const Plan *plan, const float *x, int hop, int frames, float *out) {
  int bins = plan->n / 2 + 1;
  for (int t = 0; t < frames; t++, x += hop, out += bins) {
    transform(plan, x);
    power(plan);
    narrow_row(plan->re, out, bins);
  }
}

/* Complex spectra of frames, twice `[frames, n / 2 + 1]`. */
EXPORT(spectra) void spectra(const Plan *plan, const float *x, int hop, int frames, float *re, float *im) {
  int bins = plan->n / 2 + 1;
  for (int t = 0; t < frames; t++, x += hop, re += bins, im += bins) {
    transform(plan, x);
    narrow_row(plan->re, re, bins);
    narrow_row(plan->im, im, bins);
  }
}

/*
 * Magnitudes of frames as NumPy's absolute value of a complex64 rounds them: max * sqrt(1 + (min / max)^2) in 32 bits,
 * the sum fused; 64 bits hold the exact square, so rounding their sum once more changes next to nothing.
 */
EXPORT(magnitudes) void magnitudes(const Plan *plan, const float *x, int hop, int frames, float *out, float *row) {
  int bins = plan->n / 2 + 1;
  vec one = wasm_f64x2_splat(1), zero = wasm_f32x4_splat(0);
  for (int t = 0; t < frames; t++, x += hop, out += bins) {
    transform(plan, x);
    for (int k = 0; k < bins; k += 4) {
      vec a = wasm_f32x4_abs(narrow(LOAD(plan->re + k), LOAD(plan->re + k + 2)));
      vec b = wasm_f32x4_abs(narrow(LOAD(plan->im + k), LOAD(plan->im + k + 2)));
      vec large = wasm_f32x4_pmax(a, b), small = wasm_f32x4_pmin(a, b);
      vec ratio = wasm_v128_andnot(wasm_f32x4_div(small, large), wasm_f32x4_eq(large, zero));
      vec low = LOW(ratio), high = LOW(wasm_i64x2_shuffle(ratio, ratio, 1, 0));
      vec sum = narrow(ADD(MUL(low, low), one), ADD(MUL(high, high), one));
      STORE(row + k, wasm_f32x4_mul(large, wasm_f32x4_sqrt(sum)));
    }
    __builtin_memcpy(out, row, sizeof(float) * bins);
  }
}

/* A bank of filters: band m covers count[m] bins from first[m], its weights begin at weights[start[m]]. */
typedef struct {
  int bands;
  const int *first, *count, *start;
  const double *weights;
} Bank;

/* Band energies of one spectrum. */
static void apply_bank(const Bank *bank, const double *spectrum, float *out) {
  for (int m = 0; m < bank->bands; m++) {
    const double *w = bank->weights + bank->start[m], *s = spectrum + bank->first[m];
    int n = bank->count[m], k = 0;
    vec sum = wasm_f64x2_splat(0), more = sum;
    for (; k + 4 <= n; k += 4) {
      sum = ADD(sum, MUL(LOAD(w + k), LOAD(s + k)));
      more = ADD(more, MUL(LOAD(w + k + 2), LOAD(s + k + 2)));
    }
    sum = ADD(sum, more);
    double total = wasm_f64x2_extract_lane(sum, 0) + wasm_f64x2_extract_lane(sum, 1);
    for (; k < n; k++) total += w[k] * s[k];
    out[m] = (float)total;
  }
}

/* Band energies of the power spectra of frames, `[frames, bands]`. */
EXPORT(bandPowers)
void band_powers(const Plan *plan, const float *x, int hop, int frames, const Bank *bank, float *out) {
  for (int t = 0; t < frames; t++, x += hop, out += bank->bands) {
    transform(plan, x);
    power(plan);
    apply_bank(bank, plan->re, out);
  }
}

/* Band energies of ready 32-bit spectra `[frames, bins]`; with `square`, of their squares (rounded to 32 bits). */
EXPORT(bands)
void bands(const Bank *bank, const float *spectra, int frames, int bins, int square, double *row, float *out) {
  for (int t = 0; t < frames; t++, spectra += bins, out += bank->bands) {
    if (square) {
      for (int k = 0; k < bins; k++) {
        float p = spectra[k] * spectra[k];
        row[k] = p;
      }
    } else {
      for (int k = 0; k < bins; k++) row[k] = spectra[k];
    }
    apply_bank(bank, row, out);
  }
}

/* out[t][r] = the scalar product of data row t and basis row r, in 32 bits, eight sums side by side; width is a multiple of 4. */
EXPORT(products)
void products(const float *data, int frames, int width, const float *basis, int rows, float *out) {
  for (int t = 0; t < frames; t++, data += width, out += rows) {
    for (int r = 0; r < rows; r += 2) {
      const float *a = basis + r * width, *b = r + 1 < rows ? a + width : a;
      vec a0 = wasm_f32x4_splat(0), a1 = a0, b0 = a0, b1 = a0;
      int k = 0;
      for (; k + 8 <= width; k += 8) {
        vec x0 = LOAD(data + k), x1 = LOAD(data + k + 4);
        a0 = wasm_f32x4_add(a0, wasm_f32x4_mul(LOAD(a + k), x0));
        a1 = wasm_f32x4_add(a1, wasm_f32x4_mul(LOAD(a + k + 4), x1));
        b0 = wasm_f32x4_add(b0, wasm_f32x4_mul(LOAD(b + k), x0));
        b1 = wasm_f32x4_add(b1, wasm_f32x4_mul(LOAD(b + k + 4), x1));
      }
      a0 = wasm_f32x4_add(a0, a1);
      b0 = wasm_f32x4_add(b0, b1);
      float sa = (wasm_f32x4_extract_lane(a0, 0) + wasm_f32x4_extract_lane(a0, 1)) +
                 (wasm_f32x4_extract_lane(a0, 2) + wasm_f32x4_extract_lane(a0, 3));
      float sb = (wasm_f32x4_extract_lane(b0, 0) + wasm_f32x4_extract_lane(b0, 1)) +
                 (wasm_f32x4_extract_lane(b0, 2) + wasm_f32x4_extract_lane(b0, 3));
      for (; k < width; k++) {
        sa += a[k] * data[k];
        sb += b[k] * data[k];
      }
      out[r] = sa;
      if (r + 1 < rows) out[r + 1] = sb;
    }
  }
}

/*
 * 10 log10 of values (floored, less `offset`), in place; returns the largest. The logarithm comes from a table of 513
 * steps of the mantissa and four terms of the series of log(1 + r) in between, as in decibels.ts.
 */
EXPORT(decibels)
float decibels(float *values, int n, double floor, double offset, const double *reciprocal, const double *logarithm) {
  const double log2 = 0.30102999566398119521, loge = 0.43429448190325182765;
  float top = -__builtin_inff();
  for (int i = 0; i < n; i++) {
    double x = values[i];
    if (!(x > floor)) x = floor;
    unsigned long long bits;
    __builtin_memcpy(&bits, &x, 8);
    int high = (int)(bits >> 32), exponent = (high >> 20) - 1023;
    int row = ((high & 0xfffff) + (1 << 10)) >> 11;
    bits = (bits & 0xfffffffffffffULL) | 0x3ff0000000000000ULL;
    double m;
    __builtin_memcpy(&m, &bits, 8);
    double r = m * reciprocal[row] - 1;
    double log = exponent * log2 + logarithm[row] + loge * (r * (1 - r * (0.5 - r * (0.3333333333333333 - r * 0.25))));
    float db = (float)(10 * log - offset);
    values[i] = db;
    top = db > top ? db : top;
  }
  return top;
}

/*
 * Rows of an image resized along their length by a sparse map: output o is the product of count[o] weights and inputs
 * from first[o]. Inputs below `least` count as `least`. Minimum and maximum of the inputs go to range[0] and range[1].
 */
EXPORT(resizeRows)
void resize_rows(float *data, int rows, int columns, int to, const int *first, const int *count,
                 const double *weights, int stride, float least, double *out, float *range) {
  vec floor = wasm_f32x4_splat(least);
  vec low = wasm_f32x4_splat(range[0]), high = wasm_f32x4_splat(range[1]);
  for (int r = 0; r < rows; r++, data += columns) {
    int k = 0;
    for (; k + 4 <= columns; k += 4) {
      vec x = wasm_f32x4_pmax(LOAD(data + k), floor);
      STORE(data + k, x);
      low = wasm_f32x4_pmin(low, x);
      high = wasm_f32x4_pmax(high, x);
    }
    for (; k < columns; k++) {
      if (data[k] < least) data[k] = least;
      low = wasm_f32x4_pmin(low, wasm_f32x4_splat(data[k]));
      high = wasm_f32x4_pmax(high, wasm_f32x4_splat(data[k]));
    }
    for (int o = 0; o < to; o++) {
      const double *w = weights + o * stride;
      const float *x = data + first[o];
      int n = count[o], i = 0;
      vec a = wasm_f64x2_splat(0), b = a;
      for (; i + 4 <= n; i += 4) {
        vec s = LOAD(x + i);
        a = ADD(a, MUL(LOAD(w + i), LOW(s)));
        b = ADD(b, MUL(LOAD(w + i + 2), LOW(wasm_i64x2_shuffle(s, s, 1, 0))));
      }
      a = ADD(a, b);
      double sum = wasm_f64x2_extract_lane(a, 0) + wasm_f64x2_extract_lane(a, 1);
      for (; i < n; i++) sum += w[i] * x[i];
      *out++ = sum;
    }
  }
  float l[4], h[4];
  STORE(l, low);
  STORE(h, high);
  for (int i = 0; i < 4; i++) {
    if (l[i] < range[0]) range[0] = l[i];
    if (h[i] > range[1]) range[1] = h[i];
  }
}

/* ------------------------------------------------------------------------------------------------------------------
 * The same transform in 32 bits, four butterflies at a time, for what ends in decibels at most 80 under the maximum: its
 * rounding lies some 150 dB under a frame's strongest bin.
 */

#define ADD4 wasm_f32x4_add
#define SUB4 wasm_f32x4_sub
#define MUL4 wasm_f32x4_mul
#define SPLAT4 wasm_v128_load32_splat
#define REVERSE4(v) wasm_i32x4_shuffle(v, v, 3, 2, 1, 0)

typedef struct {
  int n;               /* length of a frame */
  const float *window; /* n values */
  const float *first;  /* twiddles of the first pass: six rows of n / 8 */
  const float *later;  /* twiddles of the later passes, six values a butterfly group */
  const float *cosine; /* cos(2 pi k / n), k < n / 4 + 5 */
  const float *sine;   /* -sin(2 pi k / n), k < n / 4 + 5 */
  float *work;         /* 2 n values */
  float *row;          /* n / 2 + 8 values */
} SinglePlan;

#define BUTTERFLY4(ar, ai, br, bi, cr, ci, dr, di)                                        \
  vec s0r = ADD4(ar, cr), s0i = ADD4(ai, ci), d0r = SUB4(ar, cr), d0i = SUB4(ai, ci);     \
  vec s1r = ADD4(br, dr), s1i = ADD4(bi, di), d1r = SUB4(br, dr), d1i = SUB4(bi, di);     \
  vec y0r = ADD4(s0r, s1r), y0i = ADD4(s0i, s1i), y2r = SUB4(s0r, s1r), y2i = SUB4(s0i, s1i); \
  vec y1r = ADD4(d0r, d1i), y1i = SUB4(d0i, d1r), y3r = SUB4(d0r, d1i), y3i = ADD4(d0i, d1r);

#define TWIDDLE4(r, i, wr, wi)                 \
  do {                                         \
    vec t_ = SUB4(MUL4(r, wr), MUL4(i, wi));   \
    i = ADD4(MUL4(r, wi), MUL4(i, wr));        \
    r = t_;                                    \
  } while (0)

/* Four complex numbers from eight windowed samples. */
static inline void load_four(const float *x, const float *w, vec *re, vec *im) {
  vec a = MUL4(LOAD(x), LOAD(w)), b = MUL4(LOAD(x + 4), LOAD(w + 4));
  *re = wasm_i32x4_shuffle(a, b, 0, 2, 4, 6);
  *im = wasm_i32x4_shuffle(a, b, 1, 3, 5, 7);
}

/* Four rows become four columns, stored one after the other. */
static inline void store_turned(float *out, vec a, vec b, vec c, vec d) {
  vec ab0 = wasm_i32x4_shuffle(a, b, 0, 4, 1, 5), ab1 = wasm_i32x4_shuffle(a, b, 2, 6, 3, 7);
  vec cd0 = wasm_i32x4_shuffle(c, d, 0, 4, 1, 5), cd1 = wasm_i32x4_shuffle(c, d, 2, 6, 3, 7);
  STORE(out, wasm_i64x2_shuffle(ab0, cd0, 0, 2));
  STORE(out + 4, wasm_i64x2_shuffle(ab0, cd0, 1, 3));
  STORE(out + 8, wasm_i64x2_shuffle(ab1, cd1, 0, 2));
  STORE(out + 12, wasm_i64x2_shuffle(ab1, cd1, 1, 3));
}

/* Power of the frame at x, windowed, into plan->row (bins 0 ... n / 2). */
static void single_power(const SinglePlan *plan, const float *x) {
  int h = plan->n / 2, q = h / 4;
  float *ar = plan->work, *ai = ar + h, *br = ai + h, *bi = br + h;
  const float *tw = plan->first, *window = plan->window;
  for (int p = 0; p < q; p += 4) {
    vec r0, i0, r1, i1, r2, i2, r3, i3;
    load_four(x + 2 * p, window + 2 * p, &r0, &i0);
    load_four(x + 2 * (p + q), window + 2 * (p + q), &r1, &i1);
    load_four(x + 2 * (p + 2 * q), window + 2 * (p + 2 * q), &r2, &i2);
    load_four(x + 2 * (p + 3 * q), window + 2 * (p + 3 * q), &r3, &i3);
    BUTTERFLY4(r0, i0, r1, i1, r2, i2, r3, i3)
    TWIDDLE4(y1r, y1i, LOAD(tw + p), LOAD(tw + q + p));
    TWIDDLE4(y2r, y2i, LOAD(tw + 2 * q + p), LOAD(tw + 3 * q + p));
    TWIDDLE4(y3r, y3i, LOAD(tw + 4 * q + p), LOAD(tw + 5 * q + p));
    store_turned(ar + 4 * p, y0r, y1r, y2r, y3r);
    store_turned(ai + 4 * p, y0i, y1i, y2i, y3i);
  }
  tw = plan->later;
  int n = h / 4, stride = 4;
  for (; n >= 4; n /= 4, stride *= 4) {
    int n1 = n / 4;
    q = stride * n1;
    for (int p = 0; p < n1; p++, tw += 6) {
      const float *r = ar + p * stride, *i = ai + p * stride;
      float *or = br + 4 * p * stride, *oi = bi + 4 * p * stride;
      vec w1r = SPLAT4(tw), w1i = SPLAT4(tw + 1), w2r = SPLAT4(tw + 2), w2i = SPLAT4(tw + 3);
      vec w3r = SPLAT4(tw + 4), w3i = SPLAT4(tw + 5);
      for (int s = 0; s < stride; s += 4) {
        vec r0 = LOAD(r + s), r1 = LOAD(r + s + q), r2 = LOAD(r + s + 2 * q), r3 = LOAD(r + s + 3 * q);
        vec i0 = LOAD(i + s), i1 = LOAD(i + s + q), i2 = LOAD(i + s + 2 * q), i3 = LOAD(i + s + 3 * q);
        BUTTERFLY4(r0, i0, r1, i1, r2, i2, r3, i3)
        if (p > 0) {
          TWIDDLE4(y1r, y1i, w1r, w1i);
          TWIDDLE4(y2r, y2i, w2r, w2i);
          TWIDDLE4(y3r, y3i, w3r, w3i);
        }
        STORE(or + s, y0r);
        STORE(oi + s, y0i);
        STORE(or + s + stride, y1r);
        STORE(oi + s + stride, y1i);
        STORE(or + s + 2 * stride, y2r);
        STORE(oi + s + 2 * stride, y2i);
        STORE(or + s + 3 * stride, y3r);
        STORE(oi + s + 3 * stride, y3i);
      }
    }
    float *t = ar;
    ar = br;
    br = t;
    t = ai;
    ai = bi;
    bi = t;
  }
  if (n == 2) {
    for (int s = 0; s < stride; s += 4) {
      vec r0 = LOAD(ar + s), r1 = LOAD(ar + s + stride), i0 = LOAD(ai + s), i1 = LOAD(ai + s + stride);
      STORE(br + s, ADD4(r0, r1));
      STORE(br + s + stride, SUB4(r0, r1));
      STORE(bi + s, ADD4(i0, i1));
      STORE(bi + s + stride, SUB4(i0, i1));
    }
    ar = br;
    ai = bi;
  }
  float *row = plan->row;
  vec quarter = wasm_f32x4_splat(0.25f);
  for (int k = 1; k <= h / 2; k += 4) {
    int j = h - k - 3;
    vec zr = LOAD(ar + k), zi = LOAD(ai + k), mr = LOAD(ar + j), mi = LOAD(ai + j);
    mr = REVERSE4(mr);
    mi = REVERSE4(mi);
    vec er = ADD4(zr, mr), ei = SUB4(zi, mi), pr = ADD4(zi, mi), pi = SUB4(mr, zr);
    vec c = LOAD(plan->cosine + k), s = LOAD(plan->sine + k);
    vec tr = SUB4(MUL4(pr, c), MUL4(pi, s)), ti = ADD4(MUL4(pr, s), MUL4(pi, c));
    vec xr = ADD4(er, tr), xi = ADD4(ei, ti), yr = SUB4(er, tr), yi = SUB4(ti, ei);
    vec low = MUL4(ADD4(MUL4(xr, xr), MUL4(xi, xi)), quarter);
    vec high = MUL4(ADD4(MUL4(yr, yr), MUL4(yi, yi)), quarter);
    STORE(row + k, low);
    STORE(row + j, REVERSE4(high));
  }
  row[0] = (ar[0] + ai[0]) * (ar[0] + ai[0]);
  row[h] = (ar[0] - ai[0]) * (ar[0] - ai[0]);
}

/* Power spectra of frames, `[frames, n / 2 + 1]`. */
EXPORT(singlePowers) void single_powers(const SinglePlan *plan, const float *x, int hop, int frames, float *out) {
  int bins = plan->n / 2 + 1;
  for (int t = 0; t < frames; t++, x += hop, out += bins) {
    single_power(plan, x);
    __builtin_memcpy(out, plan->row, sizeof(float) * bins);
  }
}

/* Band energies of the power spectra of frames, `[frames, bands]`; the bank's weights are of 32 bits. */
EXPORT(singleBandPowers)
void single_band_powers(const SinglePlan *plan, const float *x, int hop, int frames, const Bank *bank, float *out) {
  for (int t = 0; t < frames; t++, x += hop, out += bank->bands) {
    single_power(plan, x);
    for (int m = 0; m < bank->bands; m++) {
      const float *w = (const float *)bank->weights + bank->start[m], *s = plan->row + bank->first[m];
      int n = bank->count[m], k = 0;
      vec sum = wasm_f32x4_splat(0);
      for (; k + 4 <= n; k += 4) sum = ADD4(sum, MUL4(LOAD(w + k), LOAD(s + k)));
      float total = (wasm_f32x4_extract_lane(sum, 0) + wasm_f32x4_extract_lane(sum, 1)) +
                    (wasm_f32x4_extract_lane(sum, 2) + wasm_f32x4_extract_lane(sum, 3));
      for (; k < n; k++) total += w[k] * s[k];
      out[m] = total;
    }
  }
}

/* ------------------------------------------------------------------------------------------------------------------
 * Autocorrelation in 32 bits with SciPy's rounding, four frames side by side: FFTPACK's radix-4 and radix-2 passes
 * (Swarztrauber 1982) in pocketfft's order of operations. fft32.ts says why; it holds the same passes for a test.
 */

/* a = c e + d f, b = c f - d e */
#define ROTATE(a, b, c, d, e, f)                  \
  vec a = ADD4(MUL4(c, e), MUL4(d, f)), b = SUB4(MUL4(c, f), MUL4(d, e));

static void forward4(int ido, int l1, const vec *c, vec *h, const float *w) {
  int s = ido * l1, last = ido - 1;
  for (int k = 0; k < l1; k++) {
    const vec *x = c + ido * k;
    vec *o = h + 4 * ido * k;
    vec t1 = ADD4(x[3 * s], x[s]), t2 = ADD4(x[0], x[2 * s]);
    o[2 * ido] = SUB4(x[3 * s], x[s]);
    o[last + ido] = SUB4(x[0], x[2 * s]);
    o[0] = ADD4(t2, t1);
    o[last + 3 * ido] = SUB4(t2, t1);
  }
  if (ido % 2) return;
  vec half = wasm_f32x4_splat(0.70710678118654752440f), minus = wasm_f32x4_splat(-0.70710678118654752440f);
  for (int k = 0; k < l1; k++) {
    const vec *x = c + last + ido * k;
    vec *o = h + 4 * ido * k;
    vec ti = MUL4(minus, ADD4(x[s], x[3 * s])), tr = MUL4(half, SUB4(x[s], x[3 * s]));
    o[last] = ADD4(x[0], tr);
    o[last + 2 * ido] = SUB4(x[0], tr);
    o[3 * ido] = ADD4(ti, x[2 * s]);
    o[ido] = SUB4(ti, x[2 * s]);
  }
  const float *w2 = w + ido - 1, *w3 = w2 + ido - 1;
  for (int k = 0; k < l1; k++) {
    const vec *x = c + ido * k;
    vec *o = h + 4 * ido * k;
    for (int i = 2; i < ido; i += 2) {
      int ic = ido - i;
      vec ur = SPLAT4(w + i - 2), ui = SPLAT4(w + i - 1), vr = SPLAT4(w2 + i - 2), vi = SPLAT4(w2 + i - 1);
      vec wr = SPLAT4(w3 + i - 2), wi = SPLAT4(w3 + i - 1);
      ROTATE(cr2, ci2, ur, ui, x[i - 1 + s], x[i + s])
      ROTATE(cr3, ci3, vr, vi, x[i - 1 + 2 * s], x[i + 2 * s])
      ROTATE(cr4, ci4, wr, wi, x[i - 1 + 3 * s], x[i + 3 * s])
      vec tr1 = ADD4(cr4, cr2), tr4 = SUB4(cr4, cr2), ti1 = ADD4(ci2, ci4), ti4 = SUB4(ci2, ci4);
      vec tr2 = ADD4(x[i - 1], cr3), tr3 = SUB4(x[i - 1], cr3), ti2 = ADD4(x[i], ci3), ti3 = SUB4(x[i], ci3);
      o[i - 1] = ADD4(tr2, tr1);
      o[ic - 1 + 3 * ido] = SUB4(tr2, tr1);
      o[i] = ADD4(ti1, ti2);
      o[ic + 3 * ido] = SUB4(ti1, ti2);
      o[i - 1 + 2 * ido] = ADD4(tr3, ti4);
      o[ic - 1 + ido] = SUB4(tr3, ti4);
      o[i + 2 * ido] = ADD4(tr4, ti3);
      o[ic + ido] = SUB4(tr4, ti3);
    }
  }
}

static void inverse4(int ido, int l1, const vec *c, vec *h, const float *w) {
  int s = ido * l1, last = ido - 1;
  for (int k = 0; k < l1; k++) {
    const vec *x = c + 4 * ido * k;
    vec *o = h + ido * k;
    vec tr2 = ADD4(x[0], x[last + 3 * ido]), tr1 = SUB4(x[0], x[last + 3 * ido]);
    vec tr3 = ADD4(x[last + ido], x[last + ido]), tr4 = ADD4(x[2 * ido], x[2 * ido]);
    o[0] = ADD4(tr2, tr3);
    o[2 * s] = SUB4(tr2, tr3);
    o[3 * s] = ADD4(tr1, tr4);
    o[s] = SUB4(tr1, tr4);
  }
  if (ido % 2) return;
  vec root = wasm_f32x4_splat(1.41421356237309504880f), minus = wasm_f32x4_splat(-1.41421356237309504880f);
  for (int k = 0; k < l1; k++) {
    const vec *x = c + 4 * ido * k;
    vec *o = h + last + ido * k;
    vec ti1 = ADD4(x[3 * ido], x[ido]), ti2 = SUB4(x[3 * ido], x[ido]);
    vec tr2 = ADD4(x[last], x[last + 2 * ido]), tr1 = SUB4(x[last], x[last + 2 * ido]);
    o[0] = ADD4(tr2, tr2);
    o[s] = MUL4(root, SUB4(tr1, ti1));
    o[2 * s] = ADD4(ti2, ti2);
    o[3 * s] = MUL4(minus, ADD4(tr1, ti1));
  }
  const float *w2 = w + ido - 1, *w3 = w2 + ido - 1;
  for (int k = 0; k < l1; k++) {
    const vec *x = c + 4 * ido * k;
    vec *o = h + ido * k;
    for (int i = 2; i < ido; i += 2) {
      int ic = ido - i;
      vec tr2 = ADD4(x[i - 1], x[ic - 1 + 3 * ido]), tr1 = SUB4(x[i - 1], x[ic - 1 + 3 * ido]);
      vec ti1 = ADD4(x[i], x[ic + 3 * ido]), ti2 = SUB4(x[i], x[ic + 3 * ido]);
      vec tr4 = ADD4(x[i + 2 * ido], x[ic + ido]), ti3 = SUB4(x[i + 2 * ido], x[ic + ido]);
      vec tr3 = ADD4(x[i - 1 + 2 * ido], x[ic - 1 + ido]), ti4 = SUB4(x[i - 1 + 2 * ido], x[ic - 1 + ido]);
      vec cr3 = SUB4(tr2, tr3), ci3 = SUB4(ti2, ti3);
      vec cr4 = ADD4(tr1, tr4), cr2 = SUB4(tr1, tr4), ci2 = ADD4(ti1, ti4), ci4 = SUB4(ti1, ti4);
      vec ur = SPLAT4(w + i - 2), ui = SPLAT4(w + i - 1), vr = SPLAT4(w2 + i - 2), vi = SPLAT4(w2 + i - 1);
      vec wr = SPLAT4(w3 + i - 2), wi = SPLAT4(w3 + i - 1);
      o[i - 1] = ADD4(tr2, tr3);
      o[i] = ADD4(ti2, ti3);
      ROTATE(b1, a1, ur, ui, ci2, cr2)
      o[i + s] = b1;
      o[i - 1 + s] = SUB4(MUL4(ur, cr2), MUL4(ui, ci2));
      (void)a1;
      ROTATE(b2, a2, vr, vi, ci3, cr3)
      o[i + 2 * s] = b2;
      o[i - 1 + 2 * s] = SUB4(MUL4(vr, cr3), MUL4(vi, ci3));
      (void)a2;
      ROTATE(b3, a3, wr, wi, ci4, cr4)
      o[i + 3 * s] = b3;
      o[i - 1 + 3 * s] = SUB4(MUL4(wr, cr4), MUL4(wi, ci4));
      (void)a3;
    }
  }
}

static void forward2(int ido, int l1, const vec *c, vec *h, const float *w) {
  int s = ido * l1, last = ido - 1;
  for (int k = 0; k < l1; k++) {
    const vec *x = c + ido * k;
    vec *o = h + 2 * ido * k;
    o[0] = ADD4(x[0], x[s]);
    o[last + ido] = SUB4(x[0], x[s]);
    o[ido] = wasm_f32x4_neg(x[last + s]);
    o[last] = x[last];
    for (int i = 2; i < ido; i += 2) {
      int ic = ido - i;
      vec wr = SPLAT4(w + i - 2), wi = SPLAT4(w + i - 1);
      ROTATE(tr, ti, wr, wi, x[i - 1 + s], x[i + s])
      o[i - 1] = ADD4(x[i - 1], tr);
      o[ic - 1 + ido] = SUB4(x[i - 1], tr);
      o[i] = ADD4(ti, x[i]);
      o[ic + ido] = SUB4(ti, x[i]);
    }
  }
}

static void inverse2(int ido, int l1, const vec *c, vec *h, const float *w) {
  int s = ido * l1, last = ido - 1;
  vec minus = wasm_f32x4_splat(-2), two = wasm_f32x4_splat(2);
  for (int k = 0; k < l1; k++) {
    const vec *x = c + 2 * ido * k;
    vec *o = h + ido * k;
    o[0] = ADD4(x[0], x[last + ido]);
    o[s] = SUB4(x[0], x[last + ido]);
    o[last] = MUL4(two, x[last]);
    o[last + s] = MUL4(minus, x[ido]);
    for (int i = 2; i < ido; i += 2) {
      int ic = ido - i;
      vec tr = SUB4(x[i - 1], x[ic - 1 + ido]), ti = ADD4(x[i], x[ic + ido]);
      vec wr = SPLAT4(w + i - 2), wi = SPLAT4(w + i - 1);
      o[i - 1] = ADD4(x[i - 1], x[ic - 1 + ido]);
      o[i] = SUB4(x[i], x[ic + ido]);
      o[i + s] = ADD4(MUL4(wr, ti), MUL4(wi, tr));
      o[i - 1 + s] = SUB4(MUL4(wr, tr), MUL4(wi, ti));
    }
  }
}

/* One pass of the 32-bit transform. */
typedef struct {
  int radix, ido, l1;
  const float *twiddles;
} Pass;

/*
 * Cumulative mean normalised differences of four frames at x, x + hop, ... (librosa's YIN): lags 1 ... most, of which
 * least ... most are written, frame after frame. `a` and `b` hold 2 * length vectors each, `energy` most + 1.
 */
EXPORT(yinDifferences)
void yin_differences(const float *x, int hop, int length, const Pass *passes, int count, vec *a, vec *b, vec *energy,
                     int least, int most, double *out) {
  int n = 2 * length;
  vec sum = wasm_f32x4_splat(0);
  for (int i = 0; i < length; i += 4) {
    vec p = LOAD(x + i), q = LOAD(x + i + hop), r = LOAD(x + i + 2 * hop), s = LOAD(x + i + 3 * hop);
    vec pq0 = wasm_i32x4_shuffle(p, q, 0, 4, 1, 5), pq1 = wasm_i32x4_shuffle(p, q, 2, 6, 3, 7);
    vec rs0 = wasm_i32x4_shuffle(r, s, 0, 4, 1, 5), rs1 = wasm_i32x4_shuffle(r, s, 2, 6, 3, 7);
    a[i] = wasm_i64x2_shuffle(pq0, rs0, 0, 2);
    a[i + 1] = wasm_i64x2_shuffle(pq0, rs0, 1, 3);
    a[i + 2] = wasm_i64x2_shuffle(pq1, rs1, 0, 2);
    a[i + 3] = wasm_i64x2_shuffle(pq1, rs1, 1, 3);
  }
  for (int k = 0; k < most; k++) energy[k] = sum = ADD4(sum, MUL4(a[k], a[k]));
  /* librosa clears the difference at lag 0 in the array that still holds these sums, so lag 1 loses its own. */
  energy[0] = wasm_f32x4_splat(0);
  for (int i = length; i < n; i++) a[i] = wasm_f32x4_splat(0);
  for (int p = count - 1; p >= 0; p--) {
    (passes[p].radix == 4 ? forward4 : forward2)(passes[p].ido, passes[p].l1, a, b, passes[p].twiddles);
    vec *t = a;
    a = b;
    b = t;
  }
  a[0] = MUL4(a[0], a[0]);
  a[n - 1] = MUL4(a[n - 1], a[n - 1]);
  for (int k = 1; k < n - 1; k += 2) {
    a[k] = ADD4(MUL4(a[k], a[k]), MUL4(a[k + 1], a[k + 1]));
    a[k + 1] = wasm_f32x4_splat(0);
  }
  for (int p = 0; p < count; p++) {
    (passes[p].radix == 4 ? inverse4 : inverse2)(passes[p].ido, passes[p].l1, a, b, passes[p].twiddles);
    vec *t = a;
    a = b;
    b = t;
  }
  vec scale = wasm_f32x4_splat(1.0f / n), two = wasm_f32x4_splat(2), total = wasm_f32x4_splat(0);
  vec zero = MUL4(a[0], scale), tiny = wasm_f64x2_splat(2.2250738585072014e-308);
  int periods = most - least + 1;
  for (int k = 1; k <= most; k++) {
    vec d = SUB4(MUL4(two, SUB4(zero, MUL4(a[k], scale))), energy[k - 1]);
    total = ADD4(total, d);
    if (k < least) continue;
    vec lag = wasm_f64x2_splat(k);
    vec t0 = ADD(wasm_f64x2_div(LOW(total), lag), tiny);
    vec t1 = ADD(wasm_f64x2_div(LOW(wasm_i64x2_shuffle(total, total, 1, 0)), lag), tiny);
    vec d0 = wasm_f64x2_div(LOW(d), t0), d1 = wasm_f64x2_div(LOW(wasm_i64x2_shuffle(d, d, 1, 0)), t1);
    double *o = out + k - least;
    o[0] = wasm_f64x2_extract_lane(d0, 0);
    o[periods] = wasm_f64x2_extract_lane(d0, 1);
    o[2 * periods] = wasm_f64x2_extract_lane(d1, 0);
    o[3 * periods] = wasm_f64x2_extract_lane(d1, 1);
  }
}
