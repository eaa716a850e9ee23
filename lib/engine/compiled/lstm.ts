/**
 * The LSTM with its products over all frames at once, in two halves of the batch side by side.
 *
 * tf.js multiplies each frame's input with the kernel by itself, and its gradient makes two products of weights a frame
 * and adds them up. None of these depends on the frame before: here the input's product is one for all frames, and so
 * are the gradients of both kernels, of the bias and of the input; only the recurrent product stays in the loop, which
 * is unrolled. A frame's operations are too small to share out between cores, and each frame waits for the one before;
 * but rows of a batch do not wait for each other, so the two halves of a batch are two loops that run at once.
 *
 * The formulas are those of Hochreiter & Schmidhuber (1997) with forget gates (Gers et al. 2000), as Keras's.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { attributesFor, DT, type NativeBackend } from "./binding.ts";

/** The parts of tf.js's LSTM layer that are not in its public types. */
export interface LstmLayer {
  /** Whether the output is every frame's, not the last one's. */
  readonly returnSequences: boolean;
  /** Whether the last states are given out too. */
  readonly returnState: boolean;
  /** Whether it goes from the last frame to the first. */
  readonly goBackwards: boolean;
  /** Whether a batch goes on from the states of the one before. */
  readonly stateful: boolean;
  /** What it does at each frame. */
  readonly cell: LstmCell;
  /** The layer's method, while it is replaced. */
  call?: unknown;
}

/** The cell of an LSTM layer. */
export interface LstmCell {
  /** Length of its state. */
  readonly units: number;
  /** Share of the input that is dropped. */
  readonly dropout: number;
  /** Share of the state that is dropped. */
  readonly recurrentDropout: number;
  /** Of the new values and of the state that is given out. */
  readonly activation: Named;
  /** Of the gates. */
  readonly recurrentActivation: Named;
  /** Weights of the input `[values, 4 · units]`: input gate, forget gate, new values, output gate. */
  readonly kernel: Readable;
  /** Weights of the state before `[units, 4 · units]`. */
  readonly recurrentKernel: Readable;
  /** `[4 · units]`. */
  readonly bias?: Readable | null;
}

/** Something with a class name. */
export interface Named {
  /** The name. */
  getClassName(): string;
}

/** A layer's weight. */
export interface Readable {
  /** Its tensor. */
  read(): tf.Tensor;
}

/** What tf.js hands to a recurrent layer's `call`. */
export interface LstmCall {
  /** Frames that do not count. */
  readonly mask?: tf.Tensor | readonly tf.Tensor[] | null;
  /** States to begin with. */
  readonly initialState?: readonly tf.Tensor[] | null;
  /** Whether it is a training step. */
  readonly training?: boolean;
}

/** Whether a call is one that {@linkcode lstm} computes; others are left to tf.js. */
export function isPlainLstm(
  { returnState, stateful, cell }: LstmLayer,
  { mask, initialState }: LstmCall = {},
): boolean {
  return !mask && !initialState && !returnState && !stateful && !cell.dropout && !cell.recurrentDropout &&
    cell.activation.getClassName() === "tanh" && cell.recurrentActivation.getClassName() === "sigmoid";
}

/** What the gradient needs of one frame of one half of the batch, each `[rows of the half, units]`. */
interface Frame {
  /** Input gate, forget gate, new values, output gate. */
  readonly i: tf.Tensor;
  readonly f: tf.Tensor;
  readonly g: tf.Tensor;
  readonly o: tf.Tensor;
  /** The cell's state after the frame, and its tanh. */
  readonly c: tf.Tensor;
  readonly tanhC: tf.Tensor;
  /** What the frame gives out. */
  readonly h: tf.Tensor;
}

const PARTS = ["i", "f", "g", "o", "c", "tanhC", "h"] as const;
const HALVES = [0, 1] as const;

/**
 * Output of an LSTM layer for `x` `[n, frames, values]`: `[n, frames, units]` with `returnSequences`, else the last
 * frame's `[n, units]`.
 */
export function lstm(backend: NativeBackend, layer: LstmLayer, x: tf.Tensor): tf.Tensor {
  const { cell, returnSequences, goBackwards } = layer, { units } = cell;
  const weights = [cell.kernel.read(), cell.recurrentKernel.read()], bias = cell.bias?.read();
  const [n, frames, values] = x.shape as [number, number, number];
  const order = Array.from({ length: frames }, (_, k) => goBackwards ? frames - 1 - k : k);
  const float = () => attributesFor(backend.binding).type("T", DT.FLOAT); // made when used: a trace has a binding of its own
  const slope = (op: "SigmoidGrad" | "TanhGrad", y: tf.Tensor, dy: tf.Tensor): tf.Tensor =>
    backend.executeSingleOutput(op, [float()], [y, dy]);
  const byFrame = (t: tf.Tensor): tf.Tensor => tf.transpose(t, [1, 0, 2]);
  /** Both halves of all frames, one after the other: `[frames · n, columns]`. */
  const joined = (list: readonly (readonly tf.Tensor[])[]): tf.Tensor2D => tf.concat(list.flat() as tf.Tensor2D[], 0);

  const layered = tf.customGrad((...args: (tf.Tensor | tf.GradSaveFunc)[]) => {
    const save = args.pop() as tf.GradSaveFunc;
    const [input, kernel, recurrent, offset] = args as [tf.Tensor, tf.Tensor2D, tf.Tensor2D, tf.Tensor?];
    const sizes = halfSizes(backend, input);
    const flat = tf.reshape(byFrame(input), [n * frames, values]) as tf.Tensor2D;
    const product = tf.matMul(flat, kernel);
    const driven = tf.unstack(tf.reshape(offset ? tf.add(product, offset) : product, [frames, n, 4 * units]))
      .map((frame) => halves(backend, frame, sizes));
    const done: Frame[][] = [];
    for (const t of order) {
      done.push(HALVES.map((half) => {
        const before = done.at(-1)?.[half], fed = driven[t]![half]!;
        const z = before ? tf.add(fed, tf.matMul(before.h as tf.Tensor2D, recurrent)) : fed;
        const [zi, zf, zg, zo] = tf.split(z, 4, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
        const [i, f, g, o] = [tf.sigmoid(zi), tf.sigmoid(zf), tf.tanh(zg), tf.sigmoid(zo)];
        const c = before ? tf.add(tf.mul(f, before.c), tf.mul(i, g)) : tf.mul(i, g), tanhC = tf.tanh(c);
        return { i, f, g, o, c, tanhC, h: tf.mul(o, tanhC) };
      }));
    }
    save([flat, kernel, recurrent, sizes, ...done.flat().flatMap((frame) => PARTS.map((name) => frame[name]))]);
    const outputs = done.map((frame) => frame.map(({ h }) => h));
    const value = returnSequences
      ? byFrame(tf.reshape(joined(outputs), [frames, n, units]))
      : tf.concat(outputs.at(-1)!, 0);

    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]): tf.Tensor[] => {
      const [flat, kernel, recurrent, sizes] = saved as [tf.Tensor2D, tf.Tensor2D, tf.Tensor2D, tf.Tensor1D];
      const frameAt = (k: number, half: number): Frame => {
        const from = 4 + (2 * k + half) * PARTS.length;
        return Object.fromEntries(PARTS.map((name, j) => [name, saved[from + j]!])) as unknown as Frame;
      };
      const given = (returnSequences ? tf.unstack(byFrame(dy)) : [dy]).map((frame) => halves(backend, frame, sizes));
      // By the frame's place in the input: slopes of z, and the state before the frame.
      const slopes: tf.Tensor[][] = new Array(frames), states: tf.Tensor[][] = new Array(frames);
      const dh: tf.Tensor[] = [], dc: tf.Tensor[] = []; // from the frame after, a half each
      for (let k = frames - 1; k >= 0; k--) {
        const above = returnSequences ? given[k] : k === frames - 1 ? given[0] : undefined;
        const frame = HALVES.map((half) => {
          const { i, f, g, o, tanhC } = frameAt(k, half);
          const before = k > 0 ? frameAt(k - 1, half) : undefined, later = dh[half], own = above?.[half];
          const dhAll = own && later ? tf.add(own, later) : (own ?? later)!;
          const throughH = slope("TanhGrad", tanhC, tf.mul(dhAll, o));
          const dcAll = dc[half] ? tf.add(throughH, dc[half]) : throughH;
          const dz = tf.concat([
            slope("SigmoidGrad", i, tf.mul(dcAll, g)),
            before ? slope("SigmoidGrad", f, tf.mul(dcAll, before.c)) : tf.mul(f, 0), // there is no state before
            slope("TanhGrad", g, tf.mul(dcAll, i)),
            slope("SigmoidGrad", o, tf.mul(dhAll, tanhC)),
          ], 1);
          if (before) {
            dc[half] = tf.mul(dcAll, f);
            dh[half] = tf.matMul(dz as tf.Tensor2D, recurrent, false, true);
          }
          return { dz, state: before?.h ?? tf.mul(f, 0) };
        });
        slopes[order[k]!] = frame.map(({ dz }) => dz);
        states[order[k]!] = frame.map(({ state }) => state);
      }
      const dz = joined(slopes);
      const dx = byFrame(tf.reshape(tf.matMul(dz, kernel, false, true), [frames, n, values]));
      const dKernel = tf.matMul(flat, dz, true), dRecurrent = tf.matMul(joined(states), dz, true);
      return [dx, dKernel, dRecurrent, ...(bias ? [tf.sum(dz, 0)] : [])];
    };
    return { value, gradFunc };
  });
  return layered(x, ...weights, ...(bias ? [bias] : []));
}

/** Rows of the first half of a batch, rounded up, and -1 for the rest: computed, so that it is right for every batch. */
function halfSizes(backend: NativeBackend, x: tf.Tensor): tf.Tensor1D {
  const { type } = attributesFor(backend.binding);
  const shape = backend.executeSingleOutput("Shape", [type("T", DT.FLOAT), type("out_type", DT.INT32)], [x]);
  const rows = tf.slice(shape as tf.Tensor1D, [0], [1]);
  const half = tf.floorDiv(tf.add(rows, tf.tensor1d([1], "int32")), tf.tensor1d([2], "int32"));
  return tf.concat([half as tf.Tensor1D, tf.tensor1d([-1], "int32")]);
}

/** The two halves of `[n, columns]`. */
function halves(backend: NativeBackend, x: tf.Tensor, sizes: tf.Tensor1D): tf.Tensor[] {
  const { type, int } = attributesFor(backend.binding);
  const attributes = [int("num_split", 2), type("T", DT.FLOAT), type("Tlen", DT.INT32)];
  return backend.executeMultipleOutputs("SplitV", attributes, [x, sizes, tf.scalar(0, "int32")], 2);
}
