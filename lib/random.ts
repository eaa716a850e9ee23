/**
 * Random numbers from an explicit generator: NumPy's legacy `RandomState` (MT19937), so that what was drawn in Python
 * with `random_state=42` is drawn here again, and streams named by purpose, so that no two uses share a sequence.
 *
 * Integers, permutations and uniform numbers are NumPy's bit for bit. Normal numbers take a logarithm, which C
 * libraries and JavaScript engines may round differently in the last place (NumPy itself differs so between
 * machines): of a million, 359 differ from NumPy 2.4.6 on x86-64, by at most 3.6e-16 of their value; the state
 * afterwards is the same.
 *
 * Source: M. Matsumoto and T. Nishimura, "Mersenne Twister", ACM TOMACS 8(1), 1998 (initialisation of 2002);
 * behaviour of numpy.random.RandomState, frozen since NumPy 1.17 (NEP 19).
 *
 * Browser-safe.
 *
 * @module
 */

const N = 624;
const M = 397;
const UPPER = 0x80000000;
const LOWER = 0x7fffffff;
const MATRIX_A = 0x9908b0df;
const TWO_32 = 0x100000000;

/** The whole state of a {@linkcode RandomState}, ready for JSON (NumPy's `get_state(legacy=False)`). */
export interface RandomStateSnapshot {
  /** Name of the generator. */
  readonly bitGenerator: "MT19937";
  /** The 624 words. */
  readonly key: readonly number[];
  /** Next word to hand out, 0 to 624; 624 means that the words are made anew first. */
  readonly pos: number;
  /** Whether a second normal number is kept for the next call. */
  readonly hasGauss: boolean;
  /** That number; 0 without one. */
  readonly gauss: number;
}

/** Options of {@linkcode RandomState.choice}. */
export interface ChoiceOptions {
  /** Whether an index may be drawn more than once (default true, as in NumPy). */
  readonly replace?: boolean;
  /** Probability of every index; they must add up to 1. Default: all alike. */
  readonly p?: ArrayLike<number>;
}

/** Anything whose elements can be exchanged in place: arrays and typed arrays. */
export interface Exchangeable<T> {
  /** Number of elements. */
  readonly length: number;
  /** The elements. */
  [index: number]: T;
}

function isUint32(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < TWO_32;
}

function checkCount(value: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${what} must be a non-negative integer, not ${value}.`);
  }
}

/**
 * NumPy's legacy generator `numpy.random.RandomState`: the same seed gives the same numbers.
 *
 * @example The permutation behind scikit-learn's `train_test_split(…, random_state=42)`
 * ```ts
 * import assert from "node:assert/strict";
 * const rng = new RandomState(42);
 * assert.deepEqual([...rng.permutation(10)], [8, 1, 5, 0, 7, 2, 9, 4, 3, 6]);
 * assert.equal(new RandomState(42).randomSample(), 0.3745401188473625);
 * ```
 */
export class RandomState {
  readonly #key = new Uint32Array(N);
  #pos = N;
  #hasGauss = false;
  #gauss = 0;

  /**
   * Seeds the generator.
   *
   * @param seed An integer from 0 to 2³² − 1, or a non-empty array of such integers (NumPy's `init_by_array`).
   * @throws {RangeError} for any other seed.
   */
  constructor(seed: number | readonly number[] | Uint32Array) {
    if (typeof seed === "number") {
      if (!isUint32(seed)) throw new RangeError(`a seed must be an integer from 0 to 2^32 - 1, not ${seed}.`);
      this.#initGenrand(seed);
    } else {
      if (seed.length === 0) throw new RangeError("a seed array must not be empty.");
      for (const word of seed) {
        if (!isUint32(word)) throw new RangeError(`a seed must be an integer from 0 to 2^32 - 1, not ${word}.`);
      }
      this.#initByArray(seed);
    }
  }

  #initGenrand(seed: number): void {
    const key = this.#key;
    key[0] = seed;
    for (let i = 1; i < N; i++) {
      const before = key[i - 1]!;
      key[i] = Math.imul(1812433253, before ^ (before >>> 30)) + i;
    }
    this.#pos = N;
  }

  #initByArray(seed: ArrayLike<number>): void {
    this.#initGenrand(19650218);
    const key = this.#key;
    const length = seed.length;
    let i = 1;
    let j = 0;
    for (let k = Math.max(N, length); k > 0; k--) {
      const before = key[i - 1]!;
      key[i] = (key[i]! ^ Math.imul(before ^ (before >>> 30), 1664525)) + seed[j]! + j;
      i++;
      j++;
      if (i >= N) {
        key[0] = key[N - 1]!;
        i = 1;
      }
      if (j >= length) j = 0;
    }
    for (let k = N - 1; k > 0; k--) {
      const before = key[i - 1]!;
      key[i] = (key[i]! ^ Math.imul(before ^ (before >>> 30), 1566083941)) - i;
      i++;
      if (i >= N) {
        key[0] = key[N - 1]!;
        i = 1;
      }
    }
    key[0] = UPPER;
  }

  #twist(): void {
    const key = this.#key;
    let i = 0;
    for (; i < N - M; i++) {
      const y = (key[i]! & UPPER) | (key[i + 1]! & LOWER);
      key[i] = key[i + M]! ^ (y >>> 1) ^ ((y & 1) === 0 ? 0 : MATRIX_A);
    }
    for (; i < N - 1; i++) {
      const y = (key[i]! & UPPER) | (key[i + 1]! & LOWER);
      key[i] = key[i + M - N]! ^ (y >>> 1) ^ ((y & 1) === 0 ? 0 : MATRIX_A);
    }
    const y = (key[N - 1]! & UPPER) | (key[0]! & LOWER);
    key[N - 1] = key[M - 1]! ^ (y >>> 1) ^ ((y & 1) === 0 ? 0 : MATRIX_A);
    this.#pos = 0;
  }

  /** The next 32 random bits, an integer from 0 to 2³² − 1. */
  uint32(): number {
    if (this.#pos === N) this.#twist();
    let y = this.#key[this.#pos++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  /** Random bytes (NumPy's `bytes`): the 32-bit words in little-endian order. */
  bytes(length: number): Uint8Array {
    checkCount(length, "length");
    const out = new Uint8Array(length);
    for (let at = 0; at < length; at += 4) {
      let word = this.uint32();
      for (let i = at; i < Math.min(at + 4, length); i++) {
        out[i] = word & 0xff;
        word >>>= 8;
      }
    }
    return out;
  }

  /** One 53-bit uniform number in [0, 1). */
  #double(): number {
    const high = this.uint32() >>> 5;
    const low = this.uint32() >>> 6;
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** Uniform numbers in [0, 1) with 53 random bits (NumPy's `random_sample`); without `size`, one number. */
  randomSample(): number;
  /** `size` uniform numbers in [0, 1). */
  randomSample(size: number): Float64Array;
  randomSample(size?: number): number | Float64Array {
    if (size === undefined) return this.#double();
    return this.#fill(size, () => this.#double());
  }

  #fill(size: number, draw: () => number): Float64Array {
    checkCount(size, "size");
    const out = new Float64Array(size);
    for (let i = 0; i < size; i++) out[i] = draw();
    return out;
  }

  /**
   * A uniform integer from 0 to `max` inclusive by masked rejection (NumPy's `random_interval`), which `shuffle`,
   * `permutation` and `randint` use.
   *
   * @param max A non-negative safe integer; 0 draws nothing.
   */
  interval(max: number): number {
    checkCount(max, "max");
    if (max === 0) return 0;
    if (max < TWO_32) {
      let mask = max;
      mask |= mask >>> 1;
      mask |= mask >>> 2;
      mask |= mask >>> 4;
      mask |= mask >>> 8;
      mask |= mask >>> 16;
      for (;;) {
        const value = (this.uint32() & mask) >>> 0;
        if (value <= max) return value;
      }
    }
    // Two words, the first one high; only its bits under the mask count.
    const mask = 2 ** (Math.floor(Math.log2(Math.floor(max / TWO_32))) + 1) - 1;
    for (;;) {
      const high = (this.uint32() & mask) >>> 0;
      const value = high * TWO_32 + this.uint32();
      if (value <= max) return value;
    }
  }

  /** A uniform integer from 0 to 2⁶³ − 1 (NumPy's `tomaxint` where a C long has 64 bits). */
  tomaxint(): bigint {
    const high = this.uint32();
    return ((BigInt(high) << 32n) | BigInt(this.uint32())) >> 1n;
  }

  /**
   * Uniform integers from `low` to `high` − 1 (NumPy's legacy `randint` with its default 64-bit type); without `size`,
   * one integer.
   *
   * @throws {RangeError} when `low` is not below `high`.
   */
  randint(low: number, high: number): number;
  /** `size` uniform integers from `low` to `high` − 1. */
  randint(low: number, high: number, size: number): Float64Array;
  randint(low: number, high: number, size?: number): number | Float64Array {
    if (!Number.isSafeInteger(low) || !Number.isSafeInteger(high) || !Number.isSafeInteger(high - low)) {
      throw new RangeError(`low and high must be safe integers, not ${low} and ${high}.`);
    }
    if (low >= high) throw new RangeError(`low must be below high, not ${low} and ${high}.`);
    const span = high - 1 - low;
    if (size === undefined) return low + this.interval(span);
    return this.#fill(size, () => low + this.interval(span));
  }

  /** Shuffles in place (NumPy's `shuffle`: Fisher–Yates from the end). */
  shuffle<T>(items: Exchangeable<T>): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.interval(i);
      const kept = items[i]!;
      items[i] = items[j]!;
      items[j] = kept;
    }
  }

  /** The integers 0 … n − 1 in random order, or a shuffled copy of an array (NumPy's `permutation`). */
  permutation(n: number): Int32Array;
  /** A shuffled copy of an array. */
  permutation<T>(items: readonly T[]): T[];
  permutation<T>(items: number | readonly T[]): Int32Array | T[] {
    if (typeof items === "number") {
      checkCount(items, "n");
      const order = Int32Array.from({ length: items }, (_, i) => i);
      this.shuffle(order);
      return order;
    }
    const copy = [...items];
    this.shuffle(copy);
    return copy;
  }

  /**
   * Draws `size` of the indices 0 … n − 1 (NumPy's `choice(n, size, replace, p)`).
   *
   * @throws {RangeError} when more are wanted without replacement than there are, or `p` does not fit.
   */
  choice(n: number, size: number, options: ChoiceOptions = {}): Int32Array {
    checkCount(n, "n");
    checkCount(size, "size");
    const { replace = true, p } = options;
    if (n === 0 && size > 0) throw new RangeError("nothing can be drawn from an empty population.");
    if (!replace && size > n) {
      throw new RangeError(`cannot draw ${size} of ${n} without replacement.`);
    }
    if (p !== undefined) return this.#weighted(n, size, replace, p);
    if (!replace) return this.permutation(n).slice(0, size);
    const out = new Int32Array(size);
    for (let i = 0; i < size; i++) out[i] = this.interval(n - 1);
    return out;
  }

  #weighted(n: number, size: number, replace: boolean, p: ArrayLike<number>): Int32Array {
    if (p.length !== n) throw new RangeError(`p must have ${n} values, not ${p.length}.`);
    const weights = Float64Array.from(p);
    let sum = 0;
    let compensation = 0;
    let positive = 0;
    for (const weight of weights) {
      if (!(weight >= 0)) throw new RangeError(`probabilities must be non-negative numbers, not ${weight}.`);
      if (weight > 0) positive++;
      const term = weight - compensation;
      const next = sum + term;
      compensation = (next - sum) - term;
      sum = next;
    }
    if (!(Math.abs(sum - 1) <= 1.4901161193847656e-8)) {
      throw new RangeError(`probabilities must add up to 1, not ${sum}.`);
    }
    if (replace) {
      const cdf = cumulative(weights);
      return Int32Array.from(this.randomSample(size), (x) => searchRight(cdf, x));
    }
    if (positive < size) throw new RangeError(`cannot draw ${size} of ${positive} non-zero entries of p.`);
    const found = new Int32Array(size);
    let count = 0;
    while (count < size) {
      const draws = this.randomSample(size - count);
      for (let i = 0; i < count; i++) weights[found[i]!] = 0;
      const cdf = cumulative(weights);
      const seen = new Set<number>();
      for (const x of draws) {
        const index = searchRight(cdf, x);
        if (seen.has(index)) continue;
        seen.add(index);
        found[count++] = index;
      }
    }
    return found;
  }

  /** Uniform numbers from `low` (inclusive) to `high` (exclusive, but for rounding); without `size`, one number. */
  uniform(low: number, high: number): number;
  /** `size` uniform numbers from `low` to `high`. */
  uniform(low: number, high: number, size: number): Float64Array;
  uniform(low: number, high: number, size?: number): number | Float64Array {
    const range = high - low;
    if (!Number.isFinite(range)) throw new RangeError(`high - low must be finite, not ${range}.`);
    if (size === undefined) return low + range * this.#double();
    return this.#fill(size, () => low + range * this.#double());
  }

  /** One standard normal number by the polar method; every second one was made with the one before. */
  #normal(): number {
    if (this.#hasGauss) {
      const kept = this.#gauss;
      this.#hasGauss = false;
      this.#gauss = 0;
      return kept;
    }
    let x1: number;
    let x2: number;
    let r2: number;
    do {
      x1 = 2 * this.#double() - 1;
      x2 = 2 * this.#double() - 1;
      r2 = x1 * x1 + x2 * x2;
    } while (r2 >= 1 || r2 === 0);
    const f = Math.sqrt(-2 * Math.log(r2) / r2);
    this.#gauss = f * x1;
    this.#hasGauss = true;
    return f * x2;
  }

  /** Standard normal numbers (NumPy's legacy `standard_normal`); without `size`, one number. */
  standardNormal(): number;
  /** `size` standard normal numbers. */
  standardNormal(size: number): Float64Array;
  standardNormal(size?: number): number | Float64Array {
    if (size === undefined) return this.#normal();
    return this.#fill(size, () => this.#normal());
  }

  /** Standard normal numbers (NumPy's `randn`), the same as {@linkcode RandomState.standardNormal} with a size. */
  randn(size: number): Float64Array {
    return this.standardNormal(size);
  }

  /** Normal numbers of mean `loc` and standard deviation `scale`; without `size`, one number. */
  normal(loc: number, scale: number): number;
  /** `size` normal numbers of mean `loc` and standard deviation `scale`. */
  normal(loc: number, scale: number, size: number): Float64Array;
  normal(loc: number, scale: number, size?: number): number | Float64Array {
    if (!(scale >= 0)) throw new RangeError(`scale must not be negative, and is ${scale}.`);
    if (size === undefined) return loc + scale * this.#normal();
    return this.#fill(size, () => loc + scale * this.#normal());
  }

  /** One standard exponential number. */
  #exponential(): number {
    return -Math.log(1 - this.#double());
  }

  /**
   * A standard gamma number of the given shape, above 0 (NumPy's legacy `standard_gamma`: Marsaglia and Tsang, ACM TOMS
   * 26(3), 2000, from shape 1 on; Ahrens and Dieter's GS below).
   *
   * Powers and logarithms may differ from the C library's in the last place, as with normal numbers.
   *
   * @throws {RangeError} when the shape is negative or not finite.
   */
  standardGamma(shape: number): number {
    if (!(shape >= 0 && shape < Infinity)) throw new RangeError(`shape must be finite and not negative, not ${shape}.`);
    if (shape === 1) return this.#exponential();
    if (shape === 0) return 0;
    if (shape < 1) {
      for (;;) {
        const u = this.#double();
        const v = this.#exponential();
        if (u <= 1 - shape) {
          const x = u ** (1 / shape);
          if (x <= v) return x;
        } else {
          const y = -Math.log((1 - u) / shape);
          const x = (1 - shape + shape * y) ** (1 / shape);
          if (x <= v + y) return x;
        }
      }
    }
    const b = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * b);
    for (;;) {
      let x: number;
      let v: number;
      do {
        x = this.#normal();
        v = 1 + c * x;
      } while (v <= 0);
      v = v * v * v;
      const u = this.#double();
      if (u < 1 - 0.0331 * (x * x) * (x * x)) return b * v;
      if (Math.log(u) < 0.5 * x * x + b * (1 - v + Math.log(v))) return b * v;
    }
  }

  /** A gamma number of the given shape times `scale` (NumPy's legacy `gamma`). */
  gamma(shape: number, scale = 1): number {
    if (!(scale >= 0)) throw new RangeError(`scale must not be negative, and is ${scale}.`);
    return scale * this.standardGamma(shape);
  }

  /**
   * A number in [0, 1] of the beta distribution (NumPy's legacy `beta`: Jöhnk's method where both shapes are at most 1,
   * else the share of one gamma number in two).
   *
   * @throws {RangeError} when a shape is not a positive finite number.
   */
  beta(a: number, b: number): number {
    for (const shape of [a, b]) {
      if (!(shape > 0 && shape < Infinity)) throw new RangeError(`a shape must be positive and finite, not ${shape}.`);
    }
    if (a > 1 || b > 1) {
      const first = this.standardGamma(a);
      return first / (first + this.standardGamma(b));
    }
    for (;;) {
      const u = this.#double();
      const v = this.#double();
      const x = u ** (1 / a);
      const y = v ** (1 / b);
      if (x + y > 1) continue;
      if (x + y > 0) return x / (x + y);
      // Both powers vanished: the same share by logarithms.
      const logX = Math.log(u) / a;
      const logY = Math.log(v) / b;
      const top = Math.max(logX, logY);
      return Math.exp(logX - top - Math.log(Math.exp(logX - top) + Math.exp(logY - top)));
    }
  }

  /** The state, to be kept as JSON and given to {@linkcode RandomState.restore}. */
  snapshot(): RandomStateSnapshot {
    return {
      bitGenerator: "MT19937",
      key: [...this.#key],
      pos: this.#pos,
      hasGauss: this.#hasGauss,
      gauss: this.#gauss,
    };
  }

  /**
   * A generator that goes on where the one of {@linkcode RandomState.snapshot} stood.
   *
   * @throws {RangeError} when the snapshot is not one of MT19937.
   */
  static restore(snapshot: RandomStateSnapshot): RandomState {
    const { bitGenerator, key, pos, hasGauss, gauss } = snapshot;
    if (bitGenerator !== "MT19937") throw new RangeError(`the generator must be MT19937, not ${bitGenerator}.`);
    if (!Array.isArray(key) || key.length !== N || !key.every(isUint32)) {
      throw new RangeError(`a state has ${N} words of 32 bits.`);
    }
    if (!Number.isInteger(pos) || pos < 0 || pos > N) throw new RangeError(`pos must be from 0 to ${N}, not ${pos}.`);
    if (typeof hasGauss !== "boolean" || !Number.isFinite(gauss)) {
      throw new RangeError("hasGauss must be a boolean and gauss a finite number.");
    }
    const rng = new RandomState(0);
    rng.#key.set(key);
    rng.#pos = pos;
    rng.#hasGauss = hasGauss;
    rng.#gauss = gauss;
    return rng;
  }
}

/** Running sums divided by the last one. */
function cumulative(weights: Float64Array): Float64Array {
  const cdf = new Float64Array(weights.length);
  let sum = 0;
  for (let i = 0; i < weights.length; i++) cdf[i] = sum += weights[i]!;
  for (let i = 0; i < cdf.length; i++) cdf[i]! /= sum;
  return cdf;
}

/** First index whose value is above `x` (NumPy's `searchsorted(…, side='right')`). */
function searchRight(sorted: Float64Array, x: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * MurmurHash3 (x86, 32 bits) of bytes or of UTF-8 text: fast, well mixed, not cryptographic.
 *
 * Source: A. Appleby, MurmurHash3, public domain; scikit-learn's `murmurhash3_32(key, seed, positive=True)`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(murmurHash3("Hello, world!"), 0xc0363e43);
 * ```
 */
export function murmurHash3(content: Uint8Array | string, seed = 0): number {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const mix = (k: number): number => {
    k = Math.imul(k, 0xcc9e2d51);
    return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  };
  let h = seed;
  const whole = bytes.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    h ^= mix(bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    h = Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64;
  }
  let tail = 0;
  for (let i = bytes.length - 1; i >= whole; i--) tail = (tail << 8) | bytes[i]!;
  if (whole < bytes.length) h ^= mix(tail);
  h ^= bytes.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * The seed of a stream named by its purpose, e.g. `streamSeed(seed, "augment", fold)`: an integer from 0 to 2³² − 1.
 *
 * It is the MurmurHash3 of the JSON text of `[seed, …names]`, so that no two lists of names read alike. Streams of
 * different names are unrelated; adding a stream leaves the others as they are.
 *
 * @param seed The run's seed, a safe integer.
 * @param names The purpose: texts and finite numbers.
 * @throws {RangeError} when a number is not finite or the seed not a safe integer.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.notEqual(streamSeed(0, "shuffle", 1), streamSeed(0, "shuffle", 2));
 * assert.notEqual(streamSeed(0, "shuffle", 1), streamSeed(0, "shuffle", "1"));
 * ```
 */
export function streamSeed(seed: number, ...names: readonly (string | number)[]): number {
  if (!Number.isSafeInteger(seed)) throw new RangeError(`a seed must be a safe integer, not ${seed}.`);
  for (const name of names) {
    if (typeof name === "number" && !Number.isFinite(name)) {
      throw new RangeError(`a stream is named by texts and finite numbers, not ${name}.`);
    }
  }
  return murmurHash3(JSON.stringify([seed, ...names]));
}

/** A generator of its own for one purpose: `new RandomState(streamSeed(seed, …names))`. */
export function stream(seed: number, ...names: readonly (string | number)[]): RandomState {
  return new RandomState(streamSeed(seed, ...names));
}
