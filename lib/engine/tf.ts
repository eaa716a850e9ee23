/**
 * The one place that picks a backend for tf.js: native TensorFlow, then WebGPU, then wasm.
 *
 * @module
 */

import * as tf from "@tensorflow/tfjs";
import { tmpdir } from "node:os";
import util from "node:util";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { EngineError, UsageError } from "../errors.ts";
import { nativeStatus, TENSORFLOW_VERSION } from "./native.ts";
import { registerWasmKernels } from "./wasm_kernels.ts";

/** Names of the backends, best first. */
export const BACKENDS = ["native", "webgpu", "wasm"] as const;

/** Name of a backend. */
export type BackendName = typeof BACKENDS[number];

/** The engine that was started. */
export interface Engine {
  /** Which backend computes. */
  readonly backend: BackendName;
  /** Version of what computes: `tensorflow 2.19.1` or `tfjs 4.22.0`. */
  readonly version: string;
  /** Why a better backend was not taken, as one plain line; absent when the best was. */
  readonly notice?: string;
}

/** How to start the engine. */
export interface EngineOptions {
  /** The backend that must be used; without it the best there is. */
  readonly backend?: BackendName | undefined;
  /** Threads of native TensorFlow within one op (default: all cores). Must be the same in every call of a process. */
  readonly threads?: number | undefined;
}

/** How to get the native engine, for messages. */
export const HOW_TO_GET_NATIVE =
  "for native speed install Python 3 with pip and a C++ compiler (Debian: apt install python3-pip g++), then run: deno task setup";

let started: Promise<Engine> | undefined;
let startedWith: string | undefined;

/**
 * Starts the engine, once a process; later calls return the same one.
 *
 * @throws {EngineError} when the backend asked for is not there; another one is never put in its place.
 * @throws {UsageError} when the process already runs another backend, or the name is unknown.
 */
export function startEngine(options: EngineOptions = {}): Promise<Engine> {
  const { backend } = options;
  if (backend !== undefined && !BACKENDS.includes(backend)) {
    throw new UsageError(`--backend ${backend}: unknown; there are ${BACKENDS.join(", ")}.`);
  }
  if (started && (backend === undefined || backend === startedWith)) return started;
  if (started) {
    return started.then((engine) => {
      if (engine.backend === backend) return engine;
      throw new UsageError(`Backend ${backend} cannot be started: this process already runs ${engine.backend}.`);
    });
  }
  startedWith = backend;
  started = start(options);
  started.catch(() => started = undefined);
  return started;
}

async function start({ backend, threads }: EngineOptions): Promise<Engine> {
  if (backend !== undefined) {
    const problem = await tryBackend(backend, threads, true);
    if (problem !== null) throw new EngineError(`Backend ${backend} is not there: ${problem}.`);
    return { backend, version: versionOf(backend) };
  }
  const problems: string[] = [];
  for (const name of BACKENDS) {
    const problem = await tryBackend(name, threads);
    if (problem !== null) {
      problems.push(`${name}: ${problem}`);
      continue;
    }
    const notice = name === "native" ? {} : {
      notice: `engine: native TensorFlow is not there (${
        problems[0]?.slice("native: ".length)
      }), so ${name} computes, several times slower; ${HOW_TO_GET_NATIVE}`,
    };
    return { backend: name, version: versionOf(name), ...notice };
  }
  throw new EngineError(`No backend could be started (${problems.join("; ")}).`);
}

function versionOf(backend: BackendName): string {
  return backend === "native" ? `tensorflow ${TENSORFLOW_VERSION}` : `tfjs ${tf.version["tfjs-core"]}`;
}

/** Starts one backend; returns null, or why it is not there. */
async function tryBackend(name: BackendName, threads?: number, asked = false): Promise<string | null> {
  try {
    if (name === "native") return await startNative(threads);
    if (name === "webgpu") return await startWebgpu(asked);
    return await startWasm();
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).split("\n")[0]!.replace(/\.$/, "");
  }
}

async function startNative(threads: number | undefined): Promise<string | null> {
  const status = nativeStatus();
  if (!status.installed) return status.detail;
  // TensorFlow writes its start-up notes to stderr unless told otherwise before it is loaded.
  if (!Deno.env.get("TF_CPP_MIN_LOG_LEVEL")) Deno.env.set("TF_CPP_MIN_LOG_LEVEL", "2");
  if (threads !== undefined) {
    Deno.env.set("TF_NUM_INTRAOP_THREADS", String(threads));
    Deno.env.set("TF_NUM_INTEROP_THREADS", "1");
  }
  // tfjs-node 4.22 calls a function that Node 23 and Deno no longer have.
  (util as unknown as Record<string, unknown>)["isNullOrUndefined"] ??= (value: unknown): boolean =>
    value === null || value === undefined;
  await import("@tensorflow/tfjs-node");
  if (!await tf.setBackend("tensorflow")) return "its addon could not be started";
  quietGraphs();
  return null;
}

/**
 * Keeps TensorFlow from writing notes to stderr when a graph is loaded: those come from a logger that heeds no variable
 * of the environment, only this call.
 */
function quietGraphs(): void {
  if (Number(Deno.env.get("TF_CPP_MIN_LOG_LEVEL")) < 2) return;
  const name = "_ZN4absl12lts_2023080214SetMinLogLevelENS0_18LogSeverityAtLeastE"; // absl::SetMinLogLevel
  const folder = dirname(fileURLToPath(import.meta.resolve("@tensorflow/tfjs-node/package.json")));
  const file = Deno.build.os === "darwin" ? "libtensorflow_framework.2.dylib" : "libtensorflow_framework.so.2";
  try {
    const library = Deno.dlopen(join(folder, "deps", "lib", file), { [name]: { parameters: ["i32"], result: "void" } });
    (library.symbols[name] as (level: number) => void)(2);
  } catch {
    // Another build of TensorFlow has another name for it: then the notes stay.
  }
}

/** The part of WebGPU's adapter that is asked here; Deno has it where the machine has a driver. */
interface GpuAdapter {
  readonly info: { readonly isFallbackAdapter?: boolean; readonly description: string };
}

async function startWebgpu(asked: boolean): Promise<string | null> {
  const { gpu } = (globalThis.navigator ?? {}) as unknown as { gpu?: { requestAdapter(): Promise<GpuAdapter | null> } };
  if (!gpu) return "this runtime has no WebGPU";
  // Linux drivers complain on stderr about its absence; any folder does.
  if (Deno.build.os === "linux" && !Deno.env.get("XDG_RUNTIME_DIR")) Deno.env.set("XDG_RUNTIME_DIR", tmpdir());
  const adapter = await gpu.requestAdapter();
  if (!adapter) return "no WebGPU adapter was found";
  // A driver that computes on the processor is slower than wasm: taken only when it was asked for by name.
  if (adapter.info.isFallbackAdapter && !asked) {
    return `only a software adapter was found (${adapter.info.description})`;
  }
  await import("@tensorflow/tfjs-backend-webgpu");
  return await tf.setBackend("webgpu") ? null : "it could not be started";
}

async function startWasm(): Promise<string | null> {
  const wasm = await import("@tensorflow/tfjs-backend-wasm");
  const folder = dirname(fileURLToPath(import.meta.resolve("@tensorflow/tfjs-backend-wasm/package.json")));
  wasm.setWasmPaths(join(folder, "dist") + "/");
  if (!await tf.setBackend("wasm")) return "it could not be started";
  registerWasmKernels();
  return null;
}
