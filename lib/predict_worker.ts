/**
 * The worker of `predict_pool.ts`: answers one file after the other. Only ever started as a worker, never imported.
 *
 * @module
 */

import { type Bundle, decodeBundle } from "./bundle.ts";
import { answerFile } from "./predict_files.ts";
import type { FromWorker, ToWorker } from "./predict_pool.ts";

/** The part of a worker's global scope that is used here. */
interface Scope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(reply: FromWorker): void;
}

const scope = globalThis as unknown as Scope;
let bundle: Promise<Bundle> | undefined;
let last: Promise<void> = Promise.resolve();

async function answer(id: number, file: string): Promise<void> {
  try {
    scope.postMessage({ id, result: await answerFile(await bundle!, file) });
  } catch (error) {
    // Anything but bad input is a defect: its trace goes to whoever waits.
    scope.postMessage({ id, defect: error instanceof Error ? error.stack ?? error.message : String(error) });
  }
}

scope.onmessage = ({ data }) => {
  if ("bundle" in data) bundle = decodeBundle(data.bundle, data.name, { engine: "plain" });
  else last = last.then(() => answer(data.id, data.file));
};
scope.postMessage({ ready: true });
