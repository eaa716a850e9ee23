/**
 * Window functions, periodic unless said otherwise, as `scipy.signal.get_window` gives them to librosa.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { integerOption } from "./input.ts";

/** Names of the windows; all but `boxcar` and `triang` are sums of cosines. */
export type WindowName = "hann" | "hamming" | "blackman" | "blackmanharris" | "boxcar" | "triang";

/** A window by name, or its values. */
export type WindowSpec = WindowName | ArrayLike<number>;

/** Coefficients a0 - a1·cos(x) + a2·cos(2x) - …; Harris, "On the use of windows", Proc. IEEE 66 (1978). */
const COSINES: Partial<Record<WindowName, readonly number[]>> = {
  hann: [0.5, 0.5],
  hamming: [0.54, 0.46],
  blackman: [0.42, 0.5, 0.08],
  blackmanharris: [0.35875, 0.48829, 0.14128, 0.01168],
};

/**
 * Values of a window of `length` samples (scipy.signal.get_window through librosa 0.11's `filters.get_window`).
 *
 * @param window Its name, or its values, which must then be `length` long.
 * @param options `periodic` (default true): for spectra; false gives the symmetric form for filters.
 * @throws {UsageError} for an unknown name or values of another length.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual([...getWindow("hann", 4)].map((x) => Math.round(x * 1e9) / 1e9), [0, 0.5, 1, 0.5]);
 * assert.deepEqual([...getWindow("triang", 3, { periodic: false })], [0.5, 1, 0.5]);
 * ```
 */
export function getWindow(
  window: WindowSpec,
  length: number,
  options: { readonly periodic?: boolean } = {},
): Float64Array {
  integerOption("A window's length", length, 1);
  if (typeof window !== "string") {
    if (window.length !== length) {
      throw new UsageError(`The window holds ${window.length} values, ${length} are needed.`);
    }
    return Float64Array.from(window);
  }
  const out = new Float64Array(length);
  const periodic = options.periodic ?? true;
  // The periodic form is the symmetric one of one sample more, its last sample dropped.
  const m = periodic ? length + 1 : length;
  if (length === 1) return out.fill(1);
  const cosines = COSINES[window];
  if (cosines !== undefined) {
    for (let i = 0; i < length; i++) {
      let sum = 0;
      for (let k = 0; k < cosines.length; k++) {
        sum += cosines[k]! * Math.cos(k * (-Math.PI + (2 * Math.PI * i) / (m - 1)));
      }
      out[i] = sum;
    }
  } else if (window === "boxcar") {
    out.fill(1);
  } else if (window === "triang") {
    for (let i = 0; i < length; i++) {
      const k = Math.min(i, m - 1 - i) + 1;
      out[i] = m % 2 === 0 ? (2 * k - 1) / m : (2 * k) / (m + 1);
    }
  } else {
    throw new UsageError(
      `There is no window "${window}"; there are hann, hamming, blackman, blackmanharris, boxcar, triang.`,
    );
  }
  return out;
}
