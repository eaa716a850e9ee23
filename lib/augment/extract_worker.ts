/**
 * The worker of `extract.ts`: does one request after the other. Only ever started as a worker, never imported.
 *
 * @module
 */

import { recipe } from "../features/recipes.ts";
import { type JobResult, runJob } from "./extract_job.ts";
import { type JobAnswer, toPlainError, type WorkerReply, type WorkerRequest } from "./extract_messages.ts";

/** The part of a worker's global scope that is used here. */
interface Scope {
  onmessage: ((event: MessageEvent<WorkerRequest>) => void) | null;
  postMessage(reply: WorkerReply, transfer?: Transferable[]): void;
}

/** Buffers that go with a reply: each array gets one of its own. */
function ownBuffers(result: JobResult): { result: JobResult; transfer: ArrayBuffer[] } {
  const arrays = result.arrays.map(({ data, shape }) => {
    const own = data.byteLength === data.buffer.byteLength && data.buffer instanceof ArrayBuffer ? data : data.slice();
    return { data: own, shape: [...shape] };
  });
  // Two records may have given one and the same array.
  const transfer = [...new Set(arrays.map(({ data }) => data.buffer as ArrayBuffer))];
  return { result: { ...result, arrays }, transfer };
}

const scope = globalThis as unknown as Scope;
let last: Promise<void> = Promise.resolve();

async function answer({ recipe: name, jobs }: WorkerRequest): Promise<void> {
  const start = performance.now();
  const answers: JobAnswer[] = [], transfer: ArrayBuffer[] = [];
  for (const job of jobs) {
    try {
      const own = ownBuffers(await runJob(job, recipe(name)));
      answers.push({ result: own.result });
      transfer.push(...own.transfer);
    } catch (error) {
      answers.push({ error: toPlainError(error) });
    }
  }
  scope.postMessage({ answers, ms: performance.now() - start }, transfer);
}

scope.onmessage = ({ data }) => {
  last = last.then(() => answer(data));
};
scope.postMessage({ ready: true });
