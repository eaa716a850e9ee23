/**
 * Principal components: the directions in which examples differ most, for pictures of what a feature set holds.
 * Browser-safe.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { RandomState } from "../random.ts";
import type { Matrix, NdArray } from "../types.ts";

/** Principal components of some examples. */
export interface Pca {
  /** Places of the examples along the components, `[examples, nComponents]`. */
  readonly scores: Matrix;
  /** The components, each of length 1 (of 0 where the examples do not differ any further), `[nComponents, columns]`. */
  readonly components: Matrix;
  /** Share of the examples' variance along each component, falling. */
  readonly explainedVarianceRatio: readonly number[];
}

/** Directions that are iterated beside the wanted ones: the more, the fewer iterations. */
const MORE = 8;

/** Most iterations; where neighbouring components hold nearly the same variance, their mixture is as good as they are. */
const MOST_STEPS = 300;

/**
 * Principal components of examples (sklearn.decomposition.PCA, its signs included: the largest entry of a component is
 * positive). Columns are centred and not scaled: standardise them first where their units differ.
 *
 * By subspace iteration with the Rayleigh–Ritz method on the smaller of the two matrices of scalar products (Golub and
 * Van Loan, "Matrix Computations", 2013, chapter 8).
 *
 * @param x Examples `[n, …]`, at least two.
 * @param options `nComponents`, default 2, at most the number of examples and of columns.
 * @throws {UsageError} when there are fewer than two examples, or `nComponents` is no such number.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const x = { data: Float32Array.of(1, 1, 2, 2, 3, 3.1, 4, 3.9), shape: [4, 2] };
 * const { scores, explainedVarianceRatio } = pca(x, { nComponents: 1 });
 * assert.deepEqual(scores.shape, [4, 1]);
 * assert.ok(explainedVarianceRatio[0]! > 0.99);
 * ```
 */
export function pca(x: NdArray, options: { readonly nComponents?: number } = {}): Pca {
  const n = x.shape[0] ?? 0, columns = n > 0 ? x.data.length / n : 0;
  if (n < 2 || columns < 1) throw new UsageError(`Principal components are of at least two examples, not of ${n}.`);
  const { nComponents = 2 } = options;
  const size = Math.min(n, columns);
  if (!Number.isInteger(nComponents) || nComponents < 1 || nComponents > size) {
    throw new UsageError(`nComponents is an integer from 1 to ${size}, not ${nComponents}.`);
  }
  const centred = centre(x.data, n, columns);
  // Scalar products of the examples or of the columns, whichever are fewer: their eigenvalues other than 0 are the same.
  const rows = size === n ? centred : transposed(centred, n, columns);
  const width = size === n ? columns : n;
  const gram = Array.from({ length: size }, () => new Float64Array(size));
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) gram[i]![j] = gram[j]![i] = dot(rows[i]!, rows[j]!, width);
  }
  const total = gram.reduce((sum, row, i) => sum + row[i]!, 0);
  const { values, vectors } = largestEigenpairs(gram, nComponents);

  const scores = new Float32Array(n * nComponents), components = new Float32Array(nComponents * columns);
  for (let c = 0; c < nComponents; c++) {
    const length = Math.sqrt(Math.max(0, values[c]!)), v = vectors[c]!;
    // Rounding of the products leaves so much of nothing.
    if (length * length <= 1e-12 * total) continue;
    const direction = new Float64Array(columns);
    if (size === n) {
      for (let i = 0; i < n; i++) for (let k = 0; k < columns; k++) direction[k]! += v[i]! * centred[i]![k]! / length;
    } else direction.set(v);
    const largest = direction.reduce((best, entry) => Math.abs(entry) > Math.abs(best) ? entry : best, 0);
    const sign = largest < 0 ? -1 : 1;
    for (let k = 0; k < columns; k++) components[c * columns + k] = sign * direction[k]!;
    for (let i = 0; i < n; i++) {
      scores[i * nComponents + c] = sign * (size === n ? v[i]! * length : dot(centred[i]!, direction, columns));
    }
  }
  return {
    scores: { data: scores, shape: [n, nComponents] },
    components: { data: components, shape: [nComponents, columns] },
    explainedVarianceRatio: values.map((value) => total > 0 ? Math.max(0, value) / total : 0),
  };
}

function centre(data: Float32Array, n: number, columns: number): Float64Array[] {
  const mean = new Float64Array(columns);
  for (let i = 0; i < n; i++) for (let k = 0; k < columns; k++) mean[k]! += data[i * columns + k]! / n;
  return Array.from({ length: n }, (_, i) => mean.map((m, k) => data[i * columns + k]! - m));
}

function transposed(rows: readonly Float64Array[], n: number, columns: number): Float64Array[] {
  return Array.from({ length: columns }, (_, k) => Float64Array.from({ length: n }, (_, i) => rows[i]![k]!));
}

function dot(a: Float64Array, b: Float64Array, length: number): number {
  let even = 0, odd = 0;
  for (let i = 0; i + 1 < length; i += 2) {
    even += a[i]! * b[i]!;
    odd += a[i + 1]! * b[i + 1]!;
  }
  return length % 2 ? even + odd + a[length - 1]! * b[length - 1]! : even + odd;
}

/** The `count` largest eigenvalues of a symmetric matrix without negative ones, and their vectors of length 1. */
function largestEigenpairs(
  matrix: readonly Float64Array[],
  count: number,
): { values: number[]; vectors: Float64Array[] } {
  const size = matrix.length, width = Math.min(size, count + MORE);
  const rng = new RandomState(0);
  let basis = orthonormal(Array.from({ length: width }, () => Float64Array.from(rng.standardNormal(size))));
  let values: number[] = [];
  for (let step = 0; step < MOST_STEPS; step++) {
    const images = basis.map((v) => Float64Array.from(matrix, (row) => dot(row, v, size)));
    const small = basis.map((v) => Float64Array.from(images, (image) => dot(v, image, size)));
    const ritz = jacobi(small);
    const order = ritz.values.map((_, i) => i).sort((a, b) => ritz.values[b]! - ritz.values[a]!);
    const mixed = (vectors: readonly Float64Array[]) =>
      order.map((o) => {
        const out = new Float64Array(size);
        vectors.forEach((v, j) => out.forEach((_, k) => out[k]! += ritz.vectors[j]![o]! * v[k]!));
        return out;
      });
    values = order.map((o) => ritz.values[o]!);
    const vectors = mixed(basis), next = mixed(images);
    const apart = Math.max(
      ...vectors.slice(0, count).map((v, i) =>
        Math.sqrt(next[i]!.reduce((sum, image, k) => sum + (image - values[i]! * v[k]!) ** 2, 0))
      ),
    );
    basis = vectors;
    if (apart <= 1e-10 * values[0]! || width === size) break;
    basis = orthonormal(next);
  }
  return { values: values.slice(0, count), vectors: basis.slice(0, count) };
}

/** Gram and Schmidt's method, each vector twice; what nothing is left of becomes zero. */
function orthonormal(vectors: readonly Float64Array[]): Float64Array[] {
  const done: Float64Array[] = [];
  for (const vector of vectors) {
    const v = vector.slice(), before = Math.sqrt(dot(v, v, v.length));
    for (let round = 0; round < 2; round++) {
      for (const other of done) {
        const part = dot(v, other, v.length);
        for (let k = 0; k < v.length; k++) v[k]! -= part * other[k]!;
      }
    }
    const length = Math.sqrt(dot(v, v, v.length));
    done.push(length > 1e-12 * before ? v.map((entry) => entry / length) : v.fill(0));
  }
  return done;
}

/** All eigenvalues of a small symmetric matrix, and their vectors as columns, by Jacobi's rotations. */
function jacobi(matrix: readonly Float64Array[]): { values: number[]; vectors: Float64Array[] } {
  const n = matrix.length, a = matrix.map((row) => row.slice());
  const vectors = a.map((_, i) => Float64Array.from({ length: n }, (_, j) => i === j ? 1 : 0));
  const off = () => a.reduce((sum, row, i) => sum + row.reduce((s, x, j) => i === j ? s : s + x * x, 0), 0);
  const scale = a.reduce((sum, row) => sum + dot(row, row, n), 0);
  for (let sweep = 0; sweep < 60 && off() > 1e-30 * scale; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (a[p]![q] === 0) continue;
        const theta = (a[q]![q]! - a[p]![p]!) / (2 * a[p]![q]!);
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1), s = t * c;
        const rotate = (u: Float64Array, i: number, v: Float64Array, j: number) => {
          const x = u[i]!, y = v[j]!;
          u[i] = c * x - s * y;
          v[j] = s * x + c * y;
        };
        for (let k = 0; k < n; k++) rotate(a[k]!, p, a[k]!, q);
        for (let k = 0; k < n; k++) rotate(a[p]!, k, a[q]!, k);
        for (const row of vectors) rotate(row, p, row, q);
      }
    }
  }
  return { values: a.map((row, i) => row[i]!), vectors };
}
