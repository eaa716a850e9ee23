/**
 * Calls the compiled inner loops of `kernel.c`, in pieces of bounded size.
 *
 * Where WebAssembly with SIMD is missing {@linkcode kernel} gives nothing, and the callers' own loops in TypeScript do
 * the same work more slowly. They do it as well for lengths that are no power of two.
 *
 * @module
 */

import { FEATURE_KERNEL_WASM } from "./kernel_wasm.ts";

/** Frames that go through the kernel at once: enough to forget the calls, few enough to stay in the cache. */
const CHUNK = 128;

/** Bytes of tables after which the kernel starts anew, so that callers with ever new windows do not fill the memory. */
const MOST_TABLES = 32 * 2 ** 20;

/** A window laid out over a frame, and how frames are cut. */
export interface FramePlan {
  /** Length of a frame and of its transform in samples. */
  readonly nFft: number;
  /** Samples from one frame to the next. */
  readonly hop: number;
  /** The window over `nFft` samples; the same array for the same window. */
  readonly window: Float64Array;
  /** First sample of frame 0, negative when centred. */
  readonly origin: number;
  /** Copies samples `from …` to `target`, padding both ends. */
  readonly copy: (samples: Float32Array, from: number, target: Float32Array) => void;
}

/** Filters without their zeros: band m covers `count[m]` bins from `first[m]`, its weights begin at `start[m]`. */
export interface SparseBank {
  /** Number of bands. */
  readonly bands: number;
  /** Number of bins that the filters are made for. */
  readonly bins: number;
  /** First bin of each band. */
  readonly first: Int32Array;
  /** Number of bins of each band. */
  readonly count: Int32Array;
  /** Where each band's weights begin. */
  readonly start: Int32Array;
  /** All weights. */
  readonly weights: Float64Array;
  /** The weights in 32 bits, which is how librosa keeps them: no digit is lost. */
  readonly single: Float32Array;
}

/** One axis's resize as a sparse linear map: output `o` is the sum of `count[o]` weights and inputs from `first[o]` on. */
export interface AxisMap {
  /** First input of each output. */
  readonly first: Int32Array;
  /** Number of inputs of each output. */
  readonly count: Int32Array;
  /** Weights, `stride` apart. */
  readonly weights: Float64Array;
  /** Distance of the outputs' weights. */
  readonly stride: number;
}

/** One pass of the 32-bit transform: its radix, the lengths of its loops, its twiddles. */
export interface SinglePass {
  /** 2 or 4. */
  readonly radix: 2 | 4;
  /** Length of the inner loop. */
  readonly ido: number;
  /** Number of outer loops. */
  readonly l1: number;
  /** Cosines and sines. */
  readonly twiddles: Float32Array;
}

/** What `kernel.c` exports; all numbers but counts and levels are addresses. */
interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly __heap_base: WebAssembly.Global;
  powers(plan: number, x: number, hop: number, frames: number, out: number): void;
  spectra(plan: number, x: number, hop: number, frames: number, re: number, im: number): void;
  magnitudes(plan: number, x: number, hop: number, frames: number, out: number, row: number): void;
  bandPowers(plan: number, x: number, hop: number, frames: number, bank: number, out: number): void;
  singlePowers(plan: number, x: number, hop: number, frames: number, out: number): void;
  singleBandPowers(plan: number, x: number, hop: number, frames: number, bank: number, out: number): void;
  bands(
    ...args: [
      bank: number,
      spectra: number,
      frames: number,
      bins: number,
      square: number,
      row: number,
      out: number,
    ]
  ): void;
  products(data: number, frames: number, width: number, basis: number, rows: number, out: number): void;
  decibels(values: number, n: number, floor: number, offset: number, reciprocal: number, logarithm: number): number;
  resizeRows(
    ...args: [
      data: number,
      rows: number,
      columns: number,
      to: number,
      first: number,
      count: number,
      weights: number,
      stride: number,
      least: number,
      out: number,
      range: number,
    ]
  ): void;
  yinDifferences(
    ...args: [
      x: number,
      hop: number,
      length: number,
      passes: number,
      count: number,
      a: number,
      b: number,
      energy: number,
      least: number,
      most: number,
      out: number,
    ]
  ): void;
}

/** The compiled loops with their memory: tables that stay at the bottom, what a call needs above them. */
export class Kernel {
  readonly #exports: Exports;
  /** End of the tables. */
  #kept: number;
  /** End of what the present call has taken. */
  #top = 0;
  readonly #tables = new Map<object | string, number>();

  /** Instantiates the compiled module. */
  constructor(module: WebAssembly.Module) {
    this.#exports = new WebAssembly.Instance(module).exports as unknown as Exports;
    this.#kept = (this.#exports.__heap_base.value as number + 15) & ~15;
  }

  /** Bytes of tables that are kept. */
  get tableBytes(): number {
    return this.#kept;
  }

  #floats(at: number, length: number): Float32Array {
    return new Float32Array(this.#exports.memory.buffer, at, length);
  }

  #doubles(at: number, length: number): Float64Array {
    return new Float64Array(this.#exports.memory.buffer, at, length);
  }

  #integers(at: number, length: number): Int32Array {
    return new Int32Array(this.#exports.memory.buffer, at, length);
  }

  /** Makes room up to an address. */
  #reach(end: number): void {
    const missing = end - this.#exports.memory.buffer.byteLength;
    if (missing > 0) this.#exports.memory.grow(Math.ceil(missing / 65536));
  }

  /** Room for this call only; taking any makes earlier views of the memory stale if it grows, so views come last. */
  #take(bytes: number): number {
    const at = this.#top;
    this.#top = (at + bytes + 63) & ~63;
    this.#reach(this.#top);
    return at;
  }

  /** A table that stays, made once for each key. Only before the call takes room. */
  #keep(key: object | string, bytes: number, fill: (at: number) => void): number {
    let at = this.#tables.get(key);
    if (at === undefined) {
      at = this.#kept;
      this.#kept = (at + bytes + 63) & ~63;
      this.#reach(this.#kept);
      this.#tables.set(key, at);
      fill(at);
    }
    return at;
  }

  #keepDoubles(values: Float64Array): number {
    return this.#keep(values, values.byteLength, (at) => this.#doubles(at, values.length).set(values));
  }

  #keepFloats(values: Float32Array): number {
    return this.#keep(values, Math.max(4, values.byteLength), (at) => this.#floats(at, values.length).set(values));
  }

  #keepIntegers(values: Int32Array): number {
    return this.#keep(values, values.byteLength, (at) => this.#integers(at, values.length).set(values));
  }

  /** Address of a plan for frames of `nFft` samples under a window, for the transform of 64 or of 32 bits. */
  #plan({ nFft, window }: FramePlan, single = false): number {
    const name = single ? "single" : "double";
    const windowAt = single
      ? this.#table(`${name} window ${this.#keepDoubles(window)}`, nFft, single, (i) => window[i]!)
      : this.#keepDoubles(window);
    return this.#keep(`${name} plan ${nFft} ${windowAt}`, 48, (at) => {
      const tables = this.#transformTables(nFft, single);
      this.#integers(at, 2 + tables.length).set([nFft, windowAt, ...tables]);
    });
  }

  /** A table of computed values, in 64 or 32 bits. */
  #table(name: string, length: number, single: boolean, value: (i: number) => number): number {
    return this.#keep(name, (single ? 4 : 8) * length, (at) => {
      const table = single ? this.#floats(at, length) : this.#doubles(at, length);
      for (let i = 0; i < length; i++) table[i] = value(i);
    });
  }

  /** Twiddles and buffers of a transform, shared by all windows of its length. */
  #transformTables(n: number, single: boolean): number[] {
    const h = n / 2, quarter = h / 4;
    const table = (name: string, length: number, value: (i: number) => number) =>
      this.#table(`${single ? "single" : "double"} ${name} ${n}`, length, single, value);
    const first = table("first", 6 * quarter, (i) => {
      const row = Math.floor(i / quarter), angle = (2 * Math.PI * (i % quarter) * ((row >> 1) + 1)) / h;
      return row % 2 === 0 ? Math.cos(angle) : -Math.sin(angle);
    });
    const groups: number[] = [];
    for (let m = h / 4; m >= 4; m /= 4) {
      for (let p = 0; p < m / 4; p++) {
        for (let power = 1; power <= 3; power++) {
          const angle = (2 * Math.PI * p * power) / m;
          groups.push(Math.cos(angle), -Math.sin(angle));
        }
      }
    }
    const later = table("later", Math.max(1, groups.length), (i) => groups[i] ?? 0);
    // Vectors run a little past the middle, and past the last bin.
    const cosine = table("cosine", h / 2 + 8, (k) => Math.cos((2 * Math.PI * k) / n));
    const sine = table("sine", h / 2 + 8, (k) => -Math.sin((2 * Math.PI * k) / n));
    const buffers = [table("work", 2 * n, () => 0), table("re", h + 8, () => 0)];
    return [first, later, cosine, sine, ...buffers, ...(single ? [] : [table("im", h + 8, () => 0)])];
  }

  #bank(bank: SparseBank, single: boolean): number {
    const first = this.#keepIntegers(bank.first), count = this.#keepIntegers(bank.count);
    const start = this.#keepIntegers(bank.start);
    const weights = single ? this.#keepFloats(bank.single) : this.#keepDoubles(bank.weights);
    return this.#keep(
      `bank ${first} ${weights}`,
      20,
      (at) => this.#integers(at, 5).set([bank.bands, first, count, start, weights]),
    );
  }

  /** Runs frames through the kernel in pieces: `run` gets the address of the samples and writes `width` floats a frame. */
  #inChunks(
    samples: Float32Array,
    plan: FramePlan,
    frames: number,
    widths: readonly number[],
    run: (x: number, frames: number, outs: readonly number[]) => void,
    done: (frame: number, frames: number, outs: readonly Float32Array[]) => void,
  ): void {
    const most = Math.min(CHUNK, frames);
    const x = this.#take(4 * ((most - 1) * plan.hop + plan.nFft));
    const outs = widths.map((width) => this.#take(4 * width * most));
    for (let t = 0; t < frames; t += most) {
      const count = Math.min(most, frames - t);
      plan.copy(samples, plan.origin + t * plan.hop, this.#floats(x, (count - 1) * plan.hop + plan.nFft));
      run(x, count, outs);
      done(t, count, outs.map((out, i) => this.#floats(out, widths[i]! * count)));
    }
  }

  /** Whether transforms of this length are compiled. */
  static takes(nFft: number): boolean {
    return nFft >= 64 && nFft <= 65536 && (nFft & (nFft - 1)) === 0;
  }

  /** Power spectra, `[frames, 1 + nFft / 2]`. */
  powers(samples: Float32Array, plan: FramePlan, frames: number): Float32Array<ArrayBuffer> {
    const bins = plan.nFft / 2 + 1, out = new Float32Array(frames * bins);
    const at = this.#plan(plan);
    this.#top = this.#kept;
    this.#inChunks(samples, plan, frames, [bins], (x, count, [to]) => {
      this.#exports.powers(at, x, plan.hop, count, to!);
    }, (t, _, [values]) => out.set(values!, t * bins));
    return out;
  }

  /** Power spectra in dB, `[frames, 1 + nFft / 2]`, and the largest value; the transform is of 32 bits. */
  powersDb(
    samples: Float32Array,
    plan: FramePlan,
    frames: number,
    floor: number,
    offset: number,
    table: { readonly reciprocal: Float64Array; readonly logarithm: Float64Array },
  ): { readonly data: Float32Array<ArrayBuffer>; readonly top: number } {
    const bins = plan.nFft / 2 + 1, data = new Float32Array(frames * bins);
    const at = this.#plan(plan, true);
    const reciprocal = this.#keepDoubles(table.reciprocal), logarithm = this.#keepDoubles(table.logarithm);
    let top = -Infinity;
    this.#top = this.#kept;
    this.#inChunks(samples, plan, frames, [bins], (x, count, [to]) => {
      this.#exports.singlePowers(at, x, plan.hop, count, to!);
      top = Math.max(top, this.#exports.decibels(to!, count * bins, floor, offset, reciprocal, logarithm));
    }, (t, _, [values]) => data.set(values!, t * bins));
    return { data, top };
  }

  /** Magnitudes with NumPy's rounding, `[frames, 1 + nFft / 2]`. */
  magnitudes(samples: Float32Array, plan: FramePlan, frames: number): Float32Array<ArrayBuffer> {
    const bins = plan.nFft / 2 + 1, out = new Float32Array(frames * bins);
    const at = this.#plan(plan);
    this.#top = this.#kept;
    const row = this.#take(4 * (bins + 8));
    this.#inChunks(samples, plan, frames, [bins], (x, count, [to]) => {
      this.#exports.magnitudes(at, x, plan.hop, count, to!, row);
    }, (t, _, [values]) => out.set(values!, t * bins));
    return out;
  }

  /** Complex spectra, both `[frames, 1 + nFft / 2]`. */
  spectra(
    samples: Float32Array,
    plan: FramePlan,
    frames: number,
  ): { readonly re: Float32Array<ArrayBuffer>; readonly im: Float32Array<ArrayBuffer> } {
    const bins = plan.nFft / 2 + 1;
    const re = new Float32Array(frames * bins), im = new Float32Array(frames * bins);
    const at = this.#plan(plan);
    this.#top = this.#kept;
    this.#inChunks(samples, plan, frames, [bins, bins], (x, count, [r, i]) => {
      this.#exports.spectra(at, x, plan.hop, count, r!, i!);
    }, (t, _, [r, i]) => {
      re.set(r!, t * bins);
      im.set(i!, t * bins);
    });
    return { re, im };
  }

  /** Band energies of power spectra, `[frames, bands]`; `single`: by the transform of 32 bits. */
  bandPowers(
    samples: Float32Array,
    plan: FramePlan,
    frames: number,
    bank: SparseBank,
    single: boolean,
  ): Float32Array<ArrayBuffer> {
    const out = new Float32Array(frames * bank.bands);
    const at = this.#plan(plan, single), bankAt = this.#bank(bank, single);
    const run = single ? this.#exports.singleBandPowers : this.#exports.bandPowers;
    this.#top = this.#kept;
    this.#inChunks(samples, plan, frames, [bank.bands], (x, count, [to]) => {
      run(at, x, plan.hop, count, bankAt, to!);
    }, (t, _, [values]) => out.set(values!, t * bank.bands));
    return out;
  }

  /** Band energies of ready spectra `[frames, bank.bins]`, or of their squares, `[frames, bands]`. */
  bands(spectra: Float32Array, frames: number, bank: SparseBank, square: boolean): Float32Array<ArrayBuffer> {
    const out = new Float32Array(frames * bank.bands), { bins, bands } = bank;
    const bankAt = this.#bank(bank, false);
    this.#top = this.#kept;
    const most = Math.min(CHUNK, frames);
    const row = this.#take(8 * bins), x = this.#take(4 * bins * most), to = this.#take(4 * bands * most);
    for (let t = 0; t < frames; t += most) {
      const count = Math.min(most, frames - t);
      this.#floats(x, count * bins).set(spectra.subarray(t * bins, (t + count) * bins));
      this.#exports.bands(bankAt, x, count, bins, square ? 1 : 0, row, to);
      out.set(this.#floats(to, count * bands), t * bands);
    }
    return out;
  }

  /** Scalar products of each of `frames` rows of data with each of `rows` rows of a basis, `[frames, rows]`. */
  products(
    data: Float32Array,
    frames: number,
    width: number,
    basis: Float32Array,
    rows: number,
  ): Float32Array<ArrayBuffer> {
    const out = new Float32Array(frames * rows);
    this.#top = this.#kept;
    const most = Math.min(CHUNK, frames);
    const b = this.#take(basis.byteLength), x = this.#take(4 * width * most), to = this.#take(4 * rows * most);
    this.#floats(b, basis.length).set(basis);
    for (let t = 0; t < frames; t += most) {
      const count = Math.min(most, frames - t);
      this.#floats(x, count * width).set(data.subarray(t * width, (t + count) * width));
      this.#exports.products(x, count, width, b, rows, to);
      out.set(this.#floats(to, count * rows), t * rows);
    }
    return out;
  }

  /**
   * Rows of an image resized along their length, `[rows, map.first.length]`, and the image's range; values below
   * `least` count as `least`.
   */
  resizeRows(
    data: Float32Array,
    rows: number,
    columns: number,
    map: AxisMap,
    least: number,
  ): { readonly values: Float64Array<ArrayBuffer>; readonly low: number; readonly high: number } {
    const to = map.first.length, values = new Float64Array(rows * to);
    this.#top = this.#kept;
    const most = Math.min(rows, Math.max(1, Math.floor(2 ** 17 / columns)));
    const first = this.#take(4 * to), count = this.#take(4 * to), weights = this.#take(map.weights.byteLength);
    const x = this.#take(4 * columns * most + 16), out = this.#take(8 * to * most), range = this.#take(8);
    this.#integers(first, to).set(map.first);
    this.#integers(count, to).set(map.count);
    this.#doubles(weights, map.weights.length).set(map.weights);
    this.#floats(range, 2).set([Infinity, -Infinity]);
    for (let r = 0; r < rows; r += most) {
      const part = Math.min(most, rows - r);
      this.#floats(x, part * columns).set(data.subarray(r * columns, (r + part) * columns));
      this.#exports.resizeRows(x, part, columns, to, first, count, weights, map.stride, least, out, range);
      values.set(this.#doubles(out, part * to), r * to);
    }
    const [low, high] = this.#floats(range, 2);
    return { values, low: low!, high: high! };
  }

  /**
   * Calls `visit` for each frame with YIN's normalised differences of lags `least … most`, in an array that is reused.
   * Frames are not windowed: the plan's window is not looked at.
   */
  yin(
    samples: Float32Array,
    plan: FramePlan,
    frames: number,
    passes: readonly SinglePass[],
    least: number,
    most: number,
    visit: (difference: Float64Array, frame: number) => void,
  ): void {
    const n = 2 * plan.nFft, periods = most - least + 1;
    const tables = passes.map(({ twiddles }) => this.#keepFloats(twiddles));
    this.#top = this.#kept;
    const list = this.#take(16 * passes.length), a = this.#take(16 * n), b = this.#take(16 * n);
    const energy = this.#take(16 * (most + 1)), out = this.#take(4 * 8 * periods);
    const x = this.#take(4 * (3 * plan.hop + plan.nFft));
    this.#integers(list, 4 * passes.length).set(
      passes.flatMap(({ radix, ido, l1 }, i) => [radix, ido, l1, tables[i]!]),
    );
    const input = this.#floats(x, 3 * plan.hop + plan.nFft), difference = this.#doubles(out, 4 * periods);
    const rows = [0, 1, 2, 3].map((i) => difference.subarray(i * periods, (i + 1) * periods));
    for (let t = 0; t < frames; t += 4) {
      // The last call may look at frames beyond the end; they are padding, and are not visited.
      plan.copy(samples, plan.origin + t * plan.hop, input);
      this.#exports.yinDifferences(x, plan.hop, plan.nFft, list, passes.length, a, b, energy, least, most, out);
      for (let i = 0; i < 4 && t + i < frames; i++) visit(rows[i]!, t + i);
    }
  }
}

let module: WebAssembly.Module | null | undefined;
let current: Kernel | undefined;

/** The kernel, or nothing where WebAssembly with SIMD is missing. */
export function kernel(): Kernel | undefined {
  if (module === undefined) {
    try {
      module = new WebAssembly.Module(Uint8Array.from(atob(FEATURE_KERNEL_WASM), (c) => c.charCodeAt(0)));
    } catch {
      module = null;
    }
  }
  if (module === null) return undefined;
  if (current === undefined || current.tableBytes > MOST_TABLES) current = new Kernel(module);
  return current;
}

/** Turns the compiled loops off or on again; tests compare both ways. */
export function useKernel(on: boolean): void {
  module = on ? undefined : null;
  current = undefined;
}
