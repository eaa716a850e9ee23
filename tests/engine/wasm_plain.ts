/**
 * What wasm's gradient of a convolution's filter is measured against: the sum written out from its definition.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";

/** The filter gradient as the plain sum over batch, positions and taps. */
export const plainFilterGradient: tf.KernelFunc = ({ inputs, attrs }) => {
  const { x, dy } = inputs as unknown as { x: tf.Tensor4D; dy: tf.Tensor4D };
  const { strides, pad, filterShape } = attrs as unknown as {
    strides: number;
    pad: "valid" | "same";
    filterShape: [number, number, number, number];
  };
  const { batchSize, inHeight, inWidth, inChannels, outHeight, outWidth, outChannels, padInfo, ...info } = tf
    .backend_util
    .computeConv2DInfo(x.shape, filterShape, strides, 1, pad);
  const [xs, ds] = [x.dataSync(), dy.dataSync()];
  const out = new Float32Array(filterShape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < info.filterHeight; i++) {
    for (let j = 0; j < info.filterWidth; j++) {
      for (let c = 0; c < inChannels; c++) {
        for (let f = 0; f < outChannels; f++) {
          let sum = 0;
          for (let n = 0; n < batchSize; n++) {
            for (let oy = 0; oy < outHeight; oy++) {
              const row = oy * info.strideHeight + i - padInfo.top;
              if (row < 0 || row >= inHeight) continue;
              for (let ox = 0; ox < outWidth; ox++) {
                const column = ox * info.strideWidth + j - padInfo.left;
                if (column < 0 || column >= inWidth) continue;
                sum += xs[((n * inHeight + row) * inWidth + column) * inChannels + c]! *
                  ds[((n * outHeight + oy) * outWidth + ox) * outChannels + f]!;
              }
            }
          }
          out[((i * info.filterWidth + j) * inChannels + c) * outChannels + f] = sum;
        }
      }
    }
  }
  return tf.tensor(out, filterShape);
};

/** Puts a kernel in the place of wasm's gradient of a filter. */
export function useFilterGradient(kernelFunc: tf.KernelConfig["kernelFunc"]): void {
  tf.unregisterKernel("Conv2DBackpropFilter", "wasm");
  tf.registerKernel({ kernelName: "Conv2DBackpropFilter", backendName: "wasm", kernelFunc });
}
