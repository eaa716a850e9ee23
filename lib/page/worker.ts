/**
 * The page's worker: all that computes. It answers the questions of {@linkcode WorkerCalls}.
 *
 * @module
 */

import { type Bundle, decodeBundle } from "../bundle.ts";
import { unpackBundle } from "../bundle_archive.ts";
import { FormatError, SerlabError } from "../errors.ts";
import { predict } from "../predict.ts";
import { summarise } from "./bundle_words.ts";
import { decodeFile, spectrogramPicture } from "./listening.ts";
import type { FromWorker, SiteBundle, ToWorker, WorkerCalls } from "./protocol.ts";
import { timelineOf } from "./timeline.ts";

type Call = keyof WorkerCalls;
type Takes<C extends Call> = WorkerCalls[C]["takes"];
type Gives<C extends Call> = WorkerCalls[C]["gives"];

/** What a call may use besides its value. */
interface Context {
  readonly tell: (progress: unknown) => void;
  readonly signal: AbortSignal;
}

type Handlers = { readonly [C in Call]: (value: Takes<C>, context: Context) => Promise<Gives<C>> | Gives<C> };

const bundles = new Map<string, Bundle>();
let wasm = "";

async function engine(): Promise<void> {
  const { startBrowserEngine } = await import("./engine.ts");
  await startBrowserEngine(wasm);
}

function bundleOf(id: string): Bundle {
  const bundle = bundles.get(id);
  if (!bundle) throw new FormatError(`${id}: this bundle has not been loaded.`);
  return bundle;
}

async function fetchBundle({ id, path }: SiteBundle): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(path);
  } catch (error) {
    throw new FormatError(`The model ${id} could not be fetched: there is no connection.`, { cause: error });
  }
  if (!response.ok) {
    throw new FormatError(`The model ${id} could not be fetched: the server answers ${response.status}.`);
  }
  return new Uint8Array(await response.arrayBuffer());
}

const handlers: Handlers = {
  start(value) {
    wasm = value.wasm;
  },

  async load(site) {
    const files = unpackBundle(await fetchBundle(site), site.id);
    const bundle = await decodeBundle(files, site.id, { startTf: engine });
    bundles.set(site.id, bundle);
    // The first run compiles what later ones use.
    const sampleRateHz = 48000;
    const samples = Float32Array.from({ length: sampleRateHz }, (_, i) => 0.1 * Math.sin(i * i / 4e5));
    await predict(bundle, { samples, sampleRateHz });
    return summarise(site.id, bundle);
  },

  decode: ({ bytes, file }) => decodeFile(bytes, file),

  predict: ({ clip, bundles: ids }) =>
    Promise.all(ids.map((id) => predict(bundleOf(id), clip, clip.source && { source: clip.source }))),

  spectrogram: ({ clip, columns, rows }) => spectrogramPicture(clip, columns, rows),

  timeline: ({ clip, bundle }, { signal }) => timelineOf(bundleOf(bundle), clip, signal),

  async classroom(request, { tell, signal }) {
    await engine();
    const { runClassroom } = await import("./classroom_training.ts");
    return await runClassroom(request, tell, signal);
  },
};

const running = new Map<number, AbortController>();
const reply = (message: FromWorker): void =>
  (self as unknown as { postMessage(m: FromWorker): void }).postMessage(message);

async function answer({ id, call, value }: Extract<ToWorker, { readonly call: Call }>): Promise<void> {
  const controller = new AbortController();
  running.set(id, controller);
  try {
    const handler = handlers[call] as (value: unknown, context: Context) => unknown;
    const tell = (progress: unknown): void => reply({ id, progress });
    reply({ id, value: await handler(value, { tell, signal: controller.signal }) });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    reply({ id, error: message, expected: error instanceof SerlabError || controller.signal.aborted });
    if (!(error instanceof SerlabError) && !controller.signal.aborted) console.error(error);
  } finally {
    running.delete(id);
  }
}

self.addEventListener("message", (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  if ("cancel" in message) running.get(message.cancel)?.abort(new DOMException("Stopped.", "AbortError"));
  else void answer(message);
});
