/**
 * Kernels that training needs and tf.js's wasm backend (4.22) lacks or is slow at. Browser-safe.
 *
 * - `Conv2DBackpropFilter` is missing: without it no convolution trains.
 * - `Conv2DBackpropInput` exists, ten times slower than the forward pass; as a convolution it is as fast as one.
 * - `BatchMatMul` with a transposed factor is six times slower than transposing first.
 * - `MaxPoolGrad` and `AvgPoolGrad` go value by value through accessors; here they run over the arrays.
 *
 * The convolutions are written with the backend's own fast kernels (matMul and conv2d, which are XNNPACK's).
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";

interface FilterAttrs {
  strides: [number, number] | number;
  pad: "valid" | "same" | number;
  dataFormat: "NHWC" | "NCHW";
  dimRoundingMode?: "floor" | "round" | "ceil";
  filterShape: [number, number, number, number];
}

interface InputAttrs extends Omit<FilterAttrs, "filterShape"> {
  inputShape: [number, number, number, number];
}

/** Puts `strideHeight - 1` rows and `strideWidth - 1` columns of zeros after every row and column of `[n, h, w, c]`. */
function spread(dy: tf.Tensor4D, strideHeight: number, strideWidth: number): tf.Tensor4D {
  if (strideHeight === 1 && strideWidth === 1) return dy;
  const [n, h, w, c] = dy.shape;
  const gaps = tf.pad(tf.reshape(dy, [n, h, 1, w, c]), [[0, 0], [0, 0], [0, strideHeight - 1], [0, 0], [0, 0]]);
  const rows = tf.reshape(gaps, [n, h * strideHeight, w, 1, c]);
  const both = tf.pad(rows, [[0, 0], [0, 0], [0, 0], [0, strideWidth - 1], [0, 0]]);
  return tf.reshape(both, [n, h * strideHeight, w * strideWidth, c]);
}

/** Cuts or zero-fills height and width of `[n, h, w, c]` at the end. */
function fit(x: tf.Tensor4D, height: number, width: number): tf.Tensor4D {
  const [n, h, w, c] = x.shape;
  const cut = tf.slice4d(x, [0, 0, 0, 0], [n, Math.min(h, height), Math.min(w, width), c]);
  return tf.pad4d(cut, [[0, 0], [0, Math.max(0, height - h)], [0, Math.max(0, width - w)], [0, 0]]);
}

/**
 * Gradient of a convolution's filter as one product a filter tap.
 *
 * With x padded and both x and dy laid out on the same `[rows of all pictures, width]` grid, the tap (i, j) is
 * dyᵀ · x shifted by i·width + j rows: the shift is a contiguous slice. One channel (a first layer) is a line of
 * numbers; its shifts one below the other are one factor, and one product takes all taps.
 */
function filterGradient(x: tf.Tensor4D, dy: tf.Tensor4D, attrs: FilterAttrs): tf.Tensor4D {
  const { strides, pad, dimRoundingMode, filterShape } = attrs;
  const info = tf.backend_util.computeConv2DInfo(x.shape, filterShape, strides, 1, pad, dimRoundingMode, false);
  const { top, left, right, bottom } = info.padInfo;
  const padded = top || left || right || bottom ? tf.pad4d(x, [[0, 0], [top, bottom], [left, right], [0, 0]]) : x;
  const [n, h, w, c] = padded.shape;
  const [kh, kw, , f] = filterShape;
  const grid = fit(spread(dy, info.strideHeight, info.strideWidth), h, w);
  const rows = n * h * w, last = (kh - 1) * w + kw - 1;
  // The rows of zeros meet windows that would leave the picture: dy is zero there.
  const flatX = tf.pad2d(tf.reshape(padded, [rows, c]) as tf.Tensor2D, [[0, last], [0, 0]]);
  const flatDy = tf.reshape(grid, [rows, f]) as tf.Tensor2D;
  const shifted = Array.from({ length: kh * kw }, (_, tap) => {
    return tf.slice2d(flatX, [Math.floor(tap / kw) * w + tap % kw, 0], [rows, c]);
  });
  if (c === 1) {
    const lines = tf.concat(shifted.map((xs) => tf.reshape(xs, [1, rows]) as tf.Tensor2D), 0);
    return tf.reshape(tf.matMul(lines, flatDy), [kh, kw, c, f]);
  }
  const dyT = tf.transpose(flatDy);
  const taps = tf.stack(shifted.map((xs) => tf.matMul(dyT, xs)));
  return tf.reshape(tf.transpose(taps, [0, 2, 1]), [kh, kw, c, f]);
}

/** A filter `[h, w, in, out]` turned by half a turn, as `[h, w, out, in]`. */
function turned(filter: tf.Tensor4D): tf.Tensor4D {
  const [kh, kw, c, f] = filter.shape, size = c * f;
  const from = (tf.backend() as unknown as { readSync(id: object): Float32Array }).readSync(filter.dataId);
  const to = new Float32Array(from.length);
  for (let tap = 0; tap < kh * kw; tap++) {
    const a = tap * size, b = (kh * kw - 1 - tap) * size;
    for (let i = 0; i < c; i++) for (let o = 0; o < f; o++) to[b + o * c + i] = from[a + i * f + o]!;
  }
  return tf.tensor4d(to, [kh, kw, f, c]);
}

/** Gradient of a convolution's input: dy, spread by the stride, convolved with the flipped filter. */
function inputGradient(dy: tf.Tensor4D, filter: tf.Tensor4D, attrs: InputAttrs): tf.Tensor4D {
  const { strides, pad, dimRoundingMode, inputShape } = attrs;
  const info = tf.backend_util.computeConv2DInfo(inputShape, filter.shape, strides, 1, pad, dimRoundingMode, false);
  const [kh, kw] = filter.shape;
  const [, h, w] = inputShape;
  const top = kh - 1 - info.padInfo.top, left = kw - 1 - info.padInfo.left;
  const grid = spread(dy, info.strideHeight, info.strideWidth);
  const placed = tf.pad4d(
    fit(grid, Math.min(grid.shape[1], h + kh - 1 - top), Math.min(grid.shape[2], w + kw - 1 - left)),
    [[0, 0], [top, Math.max(0, h + kh - 1 - top - grid.shape[1])], [
      left,
      Math.max(0, w + kw - 1 - left - grid.shape[2]),
    ], [0, 0]],
  );
  return tf.conv2d(placed, turned(filter), 1, "valid");
}

interface PoolAttrs {
  filterSize: [number, number] | number;
  strides: [number, number] | number;
  pad: "valid" | "same" | number;
  dimRoundingMode?: "floor" | "round" | "ceil";
}

/**
 * Gradient of a pooling: what each window's dy gives to the places of its window.
 *
 * @param best For maximum pooling the input, whose first largest place of a window gets all; null for averages, where
 * the places inside the picture share.
 */
function poolGradient(
  dy: Float32Array,
  best: Float32Array | null,
  info: ReturnType<typeof tf.backend_util.computePool2DInfo>,
): Float32Array {
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, padInfo } = info;
  const { strideHeight, strideWidth, filterHeight, filterWidth } = info;
  const dx = new Float32Array(batchSize * inHeight * inWidth * inChannels);
  for (let n = 0; n < batchSize; n++) {
    for (let oy = 0; oy < outHeight; oy++) {
      const top = Math.max(0, oy * strideHeight - padInfo.top);
      const bottom = Math.min(inHeight, oy * strideHeight - padInfo.top + filterHeight);
      for (let ox = 0; ox < outWidth; ox++) {
        const left = Math.max(0, ox * strideWidth - padInfo.left);
        const right = Math.min(inWidth, ox * strideWidth - padInfo.left + filterWidth);
        const from = ((n * outHeight + oy) * outWidth + ox) * inChannels;
        const share = 1 / ((bottom - top) * (right - left));
        for (let c = 0; c < inChannels; c++) {
          const given = dy[from + c]!;
          let place = -1, largest = -Infinity;
          for (let y = top; y < bottom; y++) {
            let at = ((n * inHeight + y) * inWidth + left) * inChannels + c;
            for (let x = left; x < right; x++, at += inChannels) {
              if (best === null) dx[at]! += given * share;
              else if (best[at]! > largest || place < 0) {
                largest = best[at]!;
                place = at;
              }
            }
          }
          if (place >= 0) dx[place]! += given;
        }
      }
    }
  }
  return dx;
}

/** The axes of a tensor with the last two swapped. */
function lastTwoSwapped({ shape }: tf.TensorInfo): number[] {
  const axes = shape.map((_, i) => i), [b, a] = [axes.pop()!, axes.pop()!];
  return [...axes, b, a];
}

/** Kernels of ours that wrap the backend's own: not to be wrapped again. */
const replaced = new Set<tf.KernelConfig["kernelFunc"]>();

/** Registers the kernels for the wasm backend; safe to call more than once. */
export function registerWasmKernels(): void {
  const replace = (kernelName: string, kernelFunc: tf.KernelConfig["kernelFunc"]): void => {
    if (tf.getKernel(kernelName, "wasm")) tf.unregisterKernel(kernelName, "wasm");
    tf.registerKernel({ kernelName, backendName: "wasm", kernelFunc });
  };
  // Inside a kernel the engine hands over the tensors themselves, and ops called here are not recorded for gradients.
  replace("Conv2DBackpropFilter", ({ inputs, attrs }) => {
    const { x, dy } = inputs as unknown as { x: tf.Tensor4D; dy: tf.Tensor4D };
    return tf.tidy(() => filterGradient(x, dy, attrs as unknown as FilterAttrs));
  });
  const pooled = (x: tf.Tensor4D, dy: tf.Tensor4D, attrs: PoolAttrs, isMax: boolean): tf.Tensor4D => {
    const { filterSize, strides, pad, dimRoundingMode } = attrs;
    const info = tf.backend_util.computePool2DInfo(x.shape, filterSize, strides, 1, pad, dimRoundingMode);
    const backend = tf.backend() as unknown as { readSync(id: object): Float32Array };
    const dx = poolGradient(backend.readSync(dy.dataId), isMax ? backend.readSync(x.dataId) : null, info);
    return tf.tensor4d(dx, x.shape);
  };
  replace("MaxPoolGrad", ({ inputs, attrs }) => {
    const { dy, input } = inputs as unknown as { dy: tf.Tensor4D; input: tf.Tensor4D };
    return pooled(input, dy, attrs as unknown as PoolAttrs, true);
  });
  replace("AvgPoolGrad", ({ inputs, attrs }) => {
    const { dy, input } = inputs as unknown as { dy: tf.Tensor4D; input: tf.Tensor4D };
    return pooled(input, dy, attrs as unknown as PoolAttrs, false);
  });
  const product = tf.getKernel("BatchMatMul", "wasm")!.kernelFunc;
  if (!replaced.has(product)) {
    const transposing: tf.KernelConfig["kernelFunc"] = ({ inputs, attrs, backend }) => {
      const { a, b } = inputs as unknown as { a: tf.Tensor; b: tf.Tensor };
      const { transposeA, transposeB } = attrs as unknown as { transposeA: boolean; transposeB: boolean };
      return tf.tidy(() => {
        const factors = {
          a: transposeA ? tf.transpose(a, lastTwoSwapped(a)) : a,
          b: transposeB ? tf.transpose(b, lastTwoSwapped(b)) : b,
        };
        const straight = { transposeA: false, transposeB: false };
        return product({ inputs: factors, attrs: straight, backend }) as tf.Tensor;
      });
    };
    replaced.add(transposing);
    replace("BatchMatMul", transposing);
  }
  replace("Conv2DBackpropInput", ({ inputs, attrs }) => {
    const { dy, filter } = inputs as unknown as { dy: tf.Tensor4D; filter: tf.Tensor4D };
    return tf.tidy(() => inputGradient(dy, filter, attrs as unknown as InputAttrs));
  });
}
