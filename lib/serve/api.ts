/**
 * The machine interface: `POST /predict` and its description at `/openapi.json`. Off unless asked for.
 *
 * Audio of strangers is decoded and judged in a worker of its own, which is ended when it takes too long: whatever is
 * sent, the server goes on.
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { SECURITY_HEADERS } from "./headers.ts";
import { openApi } from "./openapi.ts";
import type { FromPredictor, ToPredictor } from "./predict_worker.ts";
import type { Site } from "./site.ts";

/** Limits of the interface. */
export interface ApiLimits {
  /** Largest body, bytes. */
  readonly bodyBytes: number;
  /** Requests of one address in a minute, on average. */
  readonly perMinute: number;
  /** Requests of one address at once. */
  readonly burst: number;
  /** Requests under way or waiting, of all addresses: each may hold a whole body in memory. */
  readonly queue: number;
  /** Requests under way or waiting, of one address. */
  readonly perAddress: number;
  /** Longest computation, ms. */
  readonly computeMs: number;
  /** Longest recording, s. */
  readonly seconds: number;
}

/** The limits of `deno task serve --api`. */
export const DEFAULT_API_LIMITS: ApiLimits = {
  bodyBytes: 16 * 2 ** 20,
  perMinute: 60,
  burst: 20,
  queue: 16,
  perAddress: 4,
  computeMs: 10_000,
  seconds: 300,
};

/** The machine interface. */
export interface Api {
  /** Whether a path is one of its own. */
  serves(path: string): boolean;
  /** Answers a request. */
  handle(path: string, request: IncomingMessage, response: ServerResponse): void;
  /** Ends the worker. */
  close(): void;
}

/** What goes wrong, as it is answered. */
class Refusal extends Error {
  constructor(readonly status: number, readonly code: string, message: string, readonly retryAfterSec?: number) {
    super(message);
  }
}

function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  const bytes = new TextEncoder().encode(JSON.stringify(value) + "\n");
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    "content-type": "application/json; charset=utf-8",
    "content-length": String(bytes.length),
    "cache-control": "no-store",
    ...headers,
  });
  response.end(response.req.method === "HEAD" ? undefined : bytes);
}

/** Allows so many requests of an address: a bucket that fills again evenly. */
export class RateLimit {
  readonly #buckets = new Map<string, { tokens: number; at: number }>();

  /**
   * Sets the limit.
   *
   * @param perMinute Requests a minute, on average.
   * @param burst Requests at once.
   * @param most Addresses that are remembered; the one not seen for longest is forgotten.
   */
  constructor(readonly perMinute: number, readonly burst: number, readonly most = 10_000) {}

  /**
   * Takes one request.
   *
   * @param address Who asks.
   * @param nowMs The time, ms.
   * @returns 0 where it is allowed, otherwise the seconds to wait.
   */
  take(address: string, nowMs: number): number {
    const perMs = this.perMinute / 60_000;
    const bucket = this.#buckets.get(address) ?? { tokens: this.burst, at: nowMs };
    this.#buckets.delete(address);
    bucket.tokens = Math.min(this.burst, bucket.tokens + (nowMs - bucket.at) * perMs);
    bucket.at = nowMs;
    this.#buckets.set(address, bucket);
    if (this.#buckets.size > this.most) this.#buckets.delete(this.#buckets.keys().next().value!);
    if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) / perMs / 1000);
    bucket.tokens--;
    return 0;
  }
}

/** The body of a request, up to a limit. */
function readBody(request: IncomingMessage, most: number): Promise<Uint8Array<ArrayBuffer>> {
  const tooLarge = new Refusal(413, "too-large", `A recording may have at most ${most} bytes.`);
  if (Number(request.headers["content-length"] ?? 0) > most) return Promise.reject(tooLarge);
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    let length = 0;
    request.on("data", (part: Uint8Array) => {
      length += part.length;
      if (length > most) {
        request.pause();
        return reject(tooLarge);
      }
      parts.push(part);
    });
    request.on("end", () => {
      const all = new Uint8Array(length);
      parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
      resolve(all);
    });
    for (const event of ["error", "close"]) {
      request.on(event, () => reject(new Refusal(400, "aborted", "The request ended before its body.")));
    }
  });
}

/** The audio in a body, and what to call it. */
async function audioIn(
  body: Uint8Array<ArrayBuffer>,
  contentType: string,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; file: string }> {
  const type = contentType.split(";", 1)[0]!.trim().toLowerCase();
  if (/^(audio\/[\w.+-]+|video\/(webm|mp4|ogg)|application\/(octet-stream|ogg))$/.test(type)) {
    return { bytes: body, file: "recording" };
  }
  if (type !== "multipart/form-data") {
    throw new Refusal(
      415,
      "media-type",
      "Send the recording as multipart/form-data, audio/* or application/octet-stream.",
    );
  }
  let form: FormData;
  try {
    form = await new Response(body, { headers: { "content-type": contentType } }).formData();
  } catch {
    throw new Refusal(400, "multipart", "The multipart body cannot be read.");
  }
  const file = form.get("file");
  if (!(file instanceof File)) throw new Refusal(400, "multipart", "The multipart body has no part named file.");
  const name = file.name.replaceAll(/[^\p{L}\p{N} ._-]/gu, "").slice(0, 80) || "recording";
  return { bytes: new Uint8Array(await file.arrayBuffer()), file: name };
}

/** One worker, one question at a time, ended when a question takes too long. */
class Predictor {
  #worker: Worker | undefined;
  #ready: Promise<unknown> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    readonly bundles: readonly (readonly [string, Uint8Array])[],
    readonly limits: ApiLimits,
  ) {}

  /** Sends one message and waits for its answer, but not for ever. */
  #exchange(
    message: ToPredictor,
    transfer: readonly Uint8Array<ArrayBuffer>[],
    limitMs: number,
  ): Promise<FromPredictor> {
    const worker = this.#worker!;
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        worker.onmessage = worker.onerror = null;
        settle();
      };
      const fail = (error: Error): void =>
        end(() => {
          this.close();
          reject(error);
        });
      const timer = setTimeout(
        () => fail(new Refusal(422, "too-long", "This recording takes too long to judge; send a shorter one.")),
        limitMs,
      );
      worker.onmessage = ({ data }: MessageEvent<FromPredictor>) => end(() => resolve(data));
      worker.onerror = (event) => {
        event.preventDefault();
        fail(new Refusal(500, "internal", "Something went wrong that should not have."));
      };
      worker.postMessage(message, transfer.map(({ buffer }) => buffer));
    });
  }

  async #start(): Promise<void> {
    if (this.#worker) return void await this.#ready;
    this.#worker = new Worker(new URL("./predict_worker.ts", import.meta.url), { type: "module" });
    const { seconds } = this.limits;
    this.#ready = this.#exchange({ kind: "start", bundles: this.bundles, seconds }, [], 30_000);
    await this.#ready;
  }

  /** Judges a recording after those before it. */
  async predict(bytes: Uint8Array<ArrayBuffer>, file: string, model: string): Promise<FromPredictor> {
    const before = this.#last;
    const work = (async () => {
      await before.catch(() => {});
      await this.#start();
      return await this.#exchange({ kind: "predict", bytes, file, model }, [bytes], this.limits.computeMs);
    })();
    this.#last = work;
    return await work;
  }

  close(): void {
    this.#worker?.terminate();
    this.#worker = this.#ready = undefined;
  }
}

/**
 * Makes the machine interface of a site's bundles.
 *
 * @param site The site.
 * @param limits Other limits than the default ones.
 */
export function makeApi(site: Site, limits: Partial<ApiLimits> = {}): Api {
  const all = { ...DEFAULT_API_LIMITS, ...limits };
  const models = [...site.bundles.keys()];
  const predictor = new Predictor([...site.bundles].map(([id, { bytes }]) => [id, bytes]), all);
  const rates = new RateLimit(all.perMinute, all.burst);
  const labels = [...new Set([...site.bundles.values()].flatMap(({ bundle }) => bundle.info.labels))];
  const description = openApi({ models, labels, limits: all });

  const active = new Map<string, number>();
  let underWay = 0;

  const answer = async (request: IncomingMessage): Promise<unknown> => {
    const address = request.socket.remoteAddress ?? "";
    const wait = rates.take(address, performance.now());
    if (wait > 0) throw new Refusal(429, "rate", `Too many requests; try again in ${wait} s.`, wait);
    const own = active.get(address) ?? 0;
    if (underWay >= all.queue || own >= all.perAddress) {
      throw new Refusal(503, "busy", "Too many recordings are waiting; try again later.", 5);
    }
    underWay++;
    active.set(address, own + 1);
    try {
      return await judge(request);
    } finally {
      underWay--;
      const left = active.get(address)! - 1;
      if (left > 0) active.set(address, left);
      else active.delete(address);
    }
  };

  const judge = async (request: IncomingMessage): Promise<unknown> => {
    const model = new URL(request.url ?? "", "http://localhost").searchParams.get("model") ?? models[0]!;
    if (!models.includes(model)) {
      throw new Refusal(404, "model", `There is no model of that name; there are ${models.join(", ")}.`);
    }
    const body = await readBody(request, all.bodyBytes);
    const { bytes, file } = await audioIn(body, String(request.headers["content-type"] ?? ""));
    const result = await predictor.predict(bytes, file, model);
    if (result.kind === "answer") return { file, model, ...result.answer };
    if (result.kind === "refused") throw new Refusal(422, "audio", result.message);
    throw new Refusal(500, "internal", "Something went wrong that should not have.");
  };

  return {
    serves: (path) => path === "predict" || path === "openapi.json",
    handle(path, request, response) {
      if (path === "openapi.json") {
        if (request.method === "GET" || request.method === "HEAD") return sendJson(response, 200, description);
        return sendJson(response, 405, problem("method", "Only GET is answered here."), { allow: "GET, HEAD" });
      }
      if (request.method !== "POST") {
        return sendJson(response, 405, problem("method", "Send a recording by POST."), { allow: "POST" });
      }
      answer(request).then((value) => sendJson(response, 200, value), (error) => {
        if (response.destroyed) return;
        const refusal = error instanceof Refusal
          ? error
          : new Refusal(500, "internal", "Something went wrong that should not have.");
        if (refusal !== error) console.error(error);
        sendJson(response, refusal.status, problem(refusal.code, refusal.message), {
          // The rest of a body that was refused is not read.
          connection: "close",
          ...(refusal.retryAfterSec !== undefined && { "retry-after": String(refusal.retryAfterSec) }),
        });
      });
    },
    close: () => predictor.close(),
  };
}

const problem = (code: string, message: string) => ({ error: { code, message } });
