/**
 * Decodes and judges recordings that strangers sent, apart from the server.
 *
 * @module
 */

import { decodeAudio, toMono } from "../audio/mod.ts";
import { type Bundle, decodeBundle } from "../bundle.ts";
import { unpackBundle } from "../bundle_archive.ts";
import { AudioError, SerlabError } from "../errors.ts";
import { predict, type Prediction } from "../predict.ts";

/** What the worker is told. */
export type ToPredictor =
  | {
    readonly kind: "start";
    /** Bundles as single files, by name. */
    readonly bundles: readonly (readonly [string, Uint8Array])[];
    /** Longest recording, s. */
    readonly seconds: number;
  }
  | {
    readonly kind: "predict";
    readonly bytes: Uint8Array;
    readonly file: string;
    readonly model: string;
  };

/** What the worker answers. */
export type FromPredictor =
  | { readonly kind: "started" }
  | {
    readonly kind: "answer";
    readonly answer: Pick<Prediction, "emotion" | "abstained" | "probabilities" | "warnings">;
  }
  | { readonly kind: "refused"; readonly message: string }
  | { readonly kind: "failed" };

const bundles = new Map<string, Bundle>();
let longest = 0;

async function startTf(): Promise<void> {
  const { startEngine } = await import("../engine/tf.ts");
  await startEngine({ backend: "wasm" });
}

async function answer(message: ToPredictor): Promise<FromPredictor> {
  if (message.kind === "start") {
    longest = message.seconds;
    for (const [id, bytes] of message.bundles) {
      bundles.set(id, await decodeBundle(unpackBundle(bytes, id), id, { startTf }));
    }
    return { kind: "started" };
  }
  const { bytes, file, model } = message;
  const decoded = await decodeAudio(bytes, file);
  const wave = toMono(decoded);
  const seconds = wave.samples.length / wave.sampleRateHz;
  if (seconds > longest) throw new AudioError(file, `lasts ${seconds.toFixed(0)} s; at most ${longest} s are judged`);
  const source = { container: decoded.container, bytes: bytes.length };
  const { emotion, abstained, probabilities, warnings } = await predict(bundles.get(model)!, wave, { source });
  return { kind: "answer", answer: { emotion, abstained, probabilities, warnings } };
}

/** The worker's own scope; the tests import this module for its types alone. */
const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<ToPredictor>) => void) | null;
  postMessage(message: FromPredictor): void;
};

scope.onmessage = ({ data }) => {
  answer(data).then((reply) => scope.postMessage(reply), (error) => {
    if (error instanceof SerlabError) return scope.postMessage({ kind: "refused", message: error.message });
    console.error(error);
    scope.postMessage({ kind: "failed" });
  });
};
