/**
 * tf.js in the visitor's browser: WebAssembly with SIMD, one thread, started when a model needs it.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import { EngineError } from "../errors.ts";
import { registerWasmKernels } from "../engine/wasm_kernels.ts";

let started: Promise<void> | undefined;

/**
 * Starts tf.js, once.
 *
 * @param wasm Where its WebAssembly lies.
 * @throws {EngineError} when the browser cannot run it.
 */
export function startBrowserEngine(wasm: string): Promise<void> {
  started ??= start(wasm);
  started.catch(() => started = undefined);
  return started;
}

async function start(wasm: string): Promise<void> {
  // Threads need cross-origin isolation and gain nothing on models of this size.
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  const files = ["tfjs-backend-wasm.wasm", "tfjs-backend-wasm-simd.wasm", "tfjs-backend-wasm-threaded-simd.wasm"];
  setWasmPaths(Object.fromEntries(files.map((file) => [file, wasm])));
  const failed = new EngineError("This browser cannot run the model: it needs WebAssembly with SIMD.");
  try {
    if (!await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT") || !await tf.setBackend("wasm")) throw failed;
  } catch (error) {
    throw error === failed ? error : new EngineError(failed.message, { cause: error });
  }
  registerWasmKernels();
}
