/**
 * Compares the wasm backend's convolution gradients with sums written out from the definition; prints JSON.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { startEngine } from "../../lib/engine/tf.ts";
import { RandomState } from "../../lib/random.ts";

await startEngine({ backend: "wasm" });

/** Gradients of Σ dy·conv(x, k) by the definition. */
function byDefinition(
  x: Float32Array,
  k: Float32Array,
  dy: Float32Array,
  info: ReturnType<typeof tf.backend_util.computeConv2DInfo>,
): { dx: Float64Array; dk: Float64Array } {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels } = info;
  const { filterHeight, filterWidth, strideHeight, strideWidth, padInfo } = info;
  const dx = new Float64Array(x.length), dk = new Float64Array(k.length);
  for (let n = 0; n < batchSize; n++) {
    for (let oy = 0; oy < outHeight; oy++) {
      for (let ox = 0; ox < outWidth; ox++) {
        for (let i = 0; i < filterHeight; i++) {
          for (let j = 0; j < filterWidth; j++) {
            const y = oy * strideHeight + i - padInfo.top, z = ox * strideWidth + j - padInfo.left;
            if (y < 0 || z < 0 || y >= inHeight || z >= inWidth) continue;
            for (let c = 0; c < inChannels; c++) {
              const at = ((n * inHeight + y) * inWidth + z) * inChannels + c;
              for (let f = 0; f < outChannels; f++) {
                const tap = ((i * filterWidth + j) * inChannels + c) * outChannels + f;
                const g = dy[((n * outHeight + oy) * outWidth + ox) * outChannels + f]!;
                dk[tap]! += g * x[at]!;
                dx[at]! += g * k[tap]!;
              }
            }
          }
        }
      }
    }
  }
  return { dx, dk };
}

const rng = new RandomState(0);
const draw = (n: number): Float32Array => Float32Array.from({ length: n }, () => rng.normal(0, 1));
const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
let worst = 0;
const cases = [
  [8, 9, 3, 4, 3, 3, 1, "valid"],
  [8, 9, 3, 4, 3, 5, 1, "same"],
  [9, 8, 2, 5, 3, 3, 2, "same"],
  [9, 8, 2, 5, 3, 2, 2, "valid"],
  [1, 20, 3, 4, 1, 5, 1, "same"],
  [11, 13, 1, 4, 4, 3, 3, "same"],
  [10, 10, 2, 3, 2, 2, 3, "valid"],
] as const;
for (const [h, w, c, f, kh, kw, stride, pad] of cases) {
  const info = tf.backend_util.computeConv2DInfo([2, h, w, c], [kh, kw, c, f], stride, 1, pad);
  const x = draw(size(info.inShape)), k = draw(kh * kw * c * f), dy = draw(size(info.outShape));
  const [dx, dk] = tf.grads((x, k) => tf.conv2d(x as tf.Tensor4D, k as tf.Tensor4D, stride, pad))(
    [tf.tensor4d(x, info.inShape), tf.tensor4d(k, [kh, kw, c, f])],
    tf.tensor4d(dy, info.outShape),
  );
  const expected = byDefinition(x, k, dy, info);
  for (const [got, want] of [[await dx!.data(), expected.dx], [await dk!.data(), expected.dk]] as const) {
    const scale = want.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    want.forEach((v, i) => worst = Math.max(worst, Math.abs(v - got[i]!) / scale));
  }
}

/** Gradients of Σ dy·f(x) by central differences, in double precision on the definition of f. */
function byDifferences(f: (x: Float64Array) => number, x: Float32Array): Float64Array {
  const at = Float64Array.from(x), h = 1e-5;
  return at.map((v, i) => {
    at[i] = v + h;
    const above = f(at);
    at[i] = v - h;
    const below = f(at);
    at[i] = v;
    return (above - below) / (2 * h);
  });
}

/** Σ dy·pool(x) by the definition. */
function pooledBy(isMax: boolean, dy: Float32Array, info: ReturnType<typeof tf.backend_util.computePool2DInfo>) {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, padInfo } = info;
  return (x: Float64Array): number => {
    let total = 0, k = 0;
    for (let n = 0; n < batchSize; n++) {
      for (let oy = 0; oy < outHeight; oy++) {
        for (let ox = 0; ox < outWidth; ox++) {
          for (let c = 0; c < inChannels; c++) {
            const window: number[] = [];
            for (let i = 0; i < info.filterHeight; i++) {
              for (let j = 0; j < info.filterWidth; j++) {
                const y = oy * info.strideHeight + i - padInfo.top, z = ox * info.strideWidth + j - padInfo.left;
                if (y < 0 || z < 0 || y >= inHeight || z >= inWidth) continue;
                window.push(x[((n * inHeight + y) * inWidth + z) * inChannels + c]!);
              }
            }
            const value = isMax ? Math.max(...window) : window.reduce((a, b) => a + b, 0) / window.length;
            total += dy[k++]! * value;
          }
        }
      }
    }
    return total;
  };
}

const compare = (got: Float32Array, want: Float64Array): void => {
  const scale = want.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  want.forEach((v, i) => worst = Math.max(worst, Math.abs(v - got[i]!) / scale));
};
const pools = [[6, 7, 2, 2, 2, "valid"], [6, 7, 3, 3, 2, "same"], [5, 9, 2, 3, 1, "same"], [
  1,
  12,
  3,
  5,
  2,
  "same",
]] as const;
for (const [h, w, c, size_, stride, pad] of pools) {
  const filter: [number, number] = [h === 1 ? 1 : size_, size_];
  const info = tf.backend_util.computePool2DInfo([2, h, w, c], filter, stride, 1, pad);
  const x = draw(size(info.inShape)), dy = draw(size(info.outShape));
  for (const isMax of [true, false]) {
    const pool = isMax ? tf.maxPool<tf.Tensor4D> : tf.avgPool<tf.Tensor4D>;
    const dx = tf.grad((x) => pool(x as tf.Tensor4D, filter, stride, pad))(
      tf.tensor4d(x, info.inShape),
      tf.tensor4d(dy, info.outShape),
    );
    compare(await dx.data() as Float32Array, byDifferences(pooledBy(isMax, dy, info), x));
  }
}

const a = draw(5 * 7), b = draw(7 * 3), dy = draw(5 * 3);
for (const [transposeA, transposeB] of [[false, false], [true, false], [false, true], [true, true]] as const) {
  const one = transposeA ? tf.tensor2d(a, [7, 5]) : tf.tensor2d(a, [5, 7]);
  const other = transposeB ? tf.tensor2d(b, [3, 7]) : tf.tensor2d(b, [7, 3]);
  const [da, db] = tf.grads((p, q) => tf.matMul(p, q, transposeA, transposeB))([one, other], tf.tensor2d(dy, [5, 3]));
  const product = (p: ArrayLike<number>, q: ArrayLike<number>): number => {
    let total = 0;
    for (let i = 0; i < 5; i++) {
      for (let j = 0; j < 3; j++) {
        for (let k = 0; k < 7; k++) {
          total += dy[i * 3 + j]! * p[transposeA ? k * 5 + i : i * 7 + k]! * q[transposeB ? j * 7 + k : k * 3 + j]!;
        }
      }
    }
    return total;
  };
  compare(await da!.data() as Float32Array, byDifferences((p) => product(p, b), a));
  compare(await db!.data() as Float32Array, byDifferences((q) => product(a, q), b));
}
console.log(JSON.stringify({ cases: cases.length + 2 * pools.length + 4, worst }));
