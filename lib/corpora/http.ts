/**
 * Downloading one large file from a host that may stall, cut, or serve something else.
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, readSync, renameSync } from "node:fs";
import { rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { CorpusError, WriteError } from "../errors.ts";
import { systemReason, writeFileAtomic } from "../io.ts";

/** Options of {@linkcode downloadFile}. */
export interface DownloadOptions {
  /** Size of the file in bytes; absent where unknown. */
  readonly bytes?: number;
  /** MD5 of the file, lower-case hexadecimal; absent where unknown. */
  readonly md5?: string;
  /** SHA-256 of the file, lower-case hexadecimal; absent where unknown. */
  readonly sha256?: string;
  /** Most bytes to take, whatever the host says (default 8 GiB). */
  readonly maxBytes?: number;
  /** Give a connection up when no byte came for this long, in s (default 30). */
  readonly stallSec?: number;
  /** How often to try in a row without getting a byte further (default 5). */
  readonly attempts?: number;
  /** Pause before the second try in s, doubled for each one after it up to 30 s (default 1). */
  readonly pauseSec?: number;
  /** Is told how many bytes are there, of how many where that is known. */
  readonly onProgress?: (done: number, total: number | undefined) => void;
  /** Stops the work; what was downloaded stays for the next call. */
  readonly signal?: AbortSignal;
}

/** A fault that another try may mend. */
class Interruption extends Error {
  constructor(message: string, readonly pauseSec?: number) {
    super(message);
  }
}

/** What is known of a partial file: where it came from, and the host's mark of that very version. */
interface PartialState {
  readonly url: string;
  readonly validator?: string;
  readonly total?: number;
}

function readState(path: string, url: string): PartialState | undefined {
  try {
    const state = JSON.parse(readFileSync(path, "utf8")) as PartialState;
    return state.url === url ? state : undefined;
  } catch {
    return undefined;
  }
}

/** The file while it is coming in: its bytes so far, and their hashes. */
class Incoming {
  readonly #handle: number;
  #md5: Hash = createHash("md5");
  #sha256: Hash = createHash("sha256");
  /** Bytes that are there. */
  length = 0;

  constructor(readonly path: string) {
    try {
      mkdirSync(dirname(path), { recursive: true });
      this.#handle = openSync(path, "a+");
    } catch (error) {
      throw new WriteError(`${path}: cannot be written, ${systemReason(error)}.`, { cause: error });
    }
    const buffer = new Uint8Array(1 << 20);
    for (let got; (got = readSync(this.#handle, buffer, 0, buffer.length, this.length)) > 0;) {
      this.#count(buffer.subarray(0, got));
    }
  }

  #count(bytes: Uint8Array): void {
    this.#md5.update(bytes);
    this.#sha256.update(bytes);
    this.length += bytes.length;
  }

  add(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#handle, bytes, at);
    } catch (error) {
      throw new WriteError(`${this.path}: cannot be written, ${systemReason(error)}.`, { cause: error });
    }
    this.#count(bytes);
  }

  restart(): void {
    ftruncateSync(this.#handle, 0);
    this.#md5 = createHash("md5");
    this.#sha256 = createHash("sha256");
    this.length = 0;
  }

  finish(): { md5: string; sha256: string } {
    fsyncSync(this.#handle);
    return { md5: this.#md5.digest("hex"), sha256: this.#sha256.digest("hex") };
  }

  close(): void {
    closeSync(this.#handle);
  }
}

/** Waits, unless the signal comes first. */
function pause(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}

/** `bytes 100-199/200` or the same with a star for the part. */
function contentRange(header: string | null): { start?: number; total?: number } | undefined {
  const match = /^bytes (?:(\d+)-(\d+)|\*)\/(\d+|\*)$/.exec(header?.trim() ?? "");
  if (match === null) return undefined;
  return {
    ...(match[1] === undefined ? {} : { start: Number(match[1]) }),
    ...(match[3] === "*" ? {} : { total: Number(match[3]) }),
  };
}

/** A strong validator: only with one may pieces of two answers be joined (RFC 9110, section 13.1.5). */
function validatorOf(headers: Headers): string | undefined {
  const etag = headers.get("etag");
  if (etag !== null) return etag.startsWith("W/") ? undefined : etag;
  return headers.get("last-modified") ?? undefined;
}

function lengthOf(headers: Headers): number | undefined {
  const value = headers.get("content-length");
  return value !== null && /^\d+$/.test(value) && !headers.has("content-encoding") ? Number(value) : undefined;
}

/** One request: takes what comes, and returns when the file is whole. */
async function attempt(url: string, incoming: Incoming, statePath: string, options: DownloadOptions): Promise<void> {
  const { bytes, maxBytes = 8 * 2 ** 30, stallSec = 30, signal } = options;
  const controller = new AbortController();
  const stop = () => controller.abort(signal!.reason);
  if (signal?.aborted) stop();
  else signal?.addEventListener("abort", stop, { once: true });
  let stalled = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      stalled = true;
      controller.abort();
    }, stallSec * 1000);
  };
  try {
    alive();
    const known = readState(statePath, url);
    // Without a mark of the version, pieces may be joined only when a checksum will tell.
    const checked = options.md5 !== undefined || options.sha256 !== undefined;
    const resuming = incoming.length > 0 && (known?.validator !== undefined || checked);
    if (!resuming && incoming.length > 0) incoming.restart();
    const headers = new Headers({ "accept-encoding": "identity" });
    if (resuming) {
      headers.set("range", `bytes=${incoming.length}-`);
      if (known?.validator !== undefined) headers.set("if-range", known.validator);
    }
    const response = await fetch(url, { headers, signal: controller.signal });
    try {
      const range = contentRange(response.headers.get("content-range"));
      let total = bytes;
      if (response.status === 416) {
        if (incoming.length > 0 && range?.total === incoming.length) return;
        incoming.restart();
        throw new Interruption("the host refused the part that was asked for");
      } else if (response.status === 206) {
        if (!resuming || range?.start !== incoming.length) {
          incoming.restart();
          throw new Interruption("the host sent another part than was asked for");
        }
        total ??= range.total;
      } else if (response.status === 200) {
        // The host does not resume, or the file there is a new one.
        if (incoming.length > 0) incoming.restart();
        total ??= lengthOf(response.headers);
      } else if (response.status === 408 || response.status === 429 || response.status >= 500) {
        const wait = Number(response.headers.get("retry-after"));
        throw new Interruption(
          `the host answers ${response.status}`,
          Number.isFinite(wait) && wait > 0 ? Math.min(60, wait) : undefined,
        );
      } else {
        throw new CorpusError(
          `${url}: the host answers ${response.status} ${response.statusText}, so it cannot be fetched.`,
        );
      }
      const declared = response.status === 206 ? range?.total : lengthOf(response.headers);
      if (bytes !== undefined && declared !== undefined && declared !== bytes) {
        incoming.restart();
        throw new CorpusError(
          `${url}: the host offers ${declared} bytes where ${bytes} are expected; it is another file.`,
        );
      }
      const limit = total ?? maxBytes;
      if (limit > maxBytes) {
        throw new CorpusError(`${url}: the host offers ${limit} bytes; at most ${maxBytes} are taken.`);
      }
      const validator = validatorOf(response.headers) ?? known?.validator;
      writeFileAtomic(
        statePath,
        JSON.stringify({
          url,
          ...(validator === undefined ? {} : { validator }),
          ...(total === undefined ? {} : { total }),
        }),
      );
      options.onProgress?.(incoming.length, total);
      if (response.body !== null) {
        for await (const chunk of response.body) {
          alive();
          if (incoming.length + chunk.length > limit) {
            incoming.restart();
            throw new CorpusError(`${url}: the host sends more than the ${limit} bytes that there should be.`);
          }
          incoming.add(chunk);
          options.onProgress?.(incoming.length, total);
        }
      }
      if (total !== undefined && incoming.length < total) {
        throw new Interruption(`the host ended after ${incoming.length} of ${total} bytes`);
      }
    } finally {
      await response.body?.cancel().catch(() => {});
    }
  } catch (error) {
    if (error instanceof Interruption || error instanceof CorpusError || error instanceof WriteError) throw error;
    if (signal?.aborted) throw signal.reason;
    if (stalled) throw new Interruption(`no byte came for ${stallSec} s`);
    if (error instanceof Deno.errors.NotCapable) {
      throw new CorpusError(`${url}: serlab was started without permission to reach this host.`, { cause: error });
    }
    throw new Interruption(error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

/**
 * Downloads a file: to `<path>.partial`, verified, then renamed.
 *
 * What is there of an earlier call is continued with a range request, on condition that the host still has the same
 * version. A connection that stalls or breaks is tried again from where it stopped.
 *
 * @param url Where it lies.
 * @param path Where it shall stand.
 * @throws {CorpusError} when the host does not have it, has another file (size, checksum), or cannot be reached in
 * `attempts` tries without a byte of progress; what came so far is kept for the next call, unless it was wrong.
 * @throws {WriteError} when it cannot be written.
 */
export async function downloadFile(url: string, path: string, options: DownloadOptions = {}): Promise<void> {
  const { attempts = 5, pauseSec = 1, signal } = options;
  const partial = `${path}.partial`;
  const statePath = `${partial}.json`;
  const incoming = new Incoming(partial);
  let whole = false;
  try {
    let resumed = incoming.length > 0;
    for (let failures = 0;;) {
      signal?.throwIfAborted();
      const before = incoming.length;
      try {
        if (options.bytes === undefined || incoming.length !== options.bytes) {
          await attempt(url, incoming, statePath, options);
        }
      } catch (error) {
        if (!(error instanceof Interruption)) throw error;
        failures = incoming.length > before ? 1 : failures + 1;
        if (failures >= attempts) {
          throw new CorpusError(
            `${url}: cannot be downloaded, ${error.message}; run the command again to go on from ${incoming.length} bytes.`,
            { cause: error },
          );
        }
        resumed = incoming.length > 0;
        await pause(error.pauseSec ?? Math.min(30, pauseSec * 2 ** (failures - 1)), signal);
        continue;
      }
      const size = incoming.length;
      const { md5, sha256 } = incoming.finish();
      const wrong = options.bytes !== undefined && size !== options.bytes
        ? `has ${size} bytes instead of ${options.bytes}`
        : options.md5 !== undefined && md5 !== options.md5
        ? `has the MD5 ${md5} instead of ${options.md5}`
        : options.sha256 !== undefined && sha256 !== options.sha256
        ? `has the SHA-256 ${sha256} instead of ${options.sha256}`
        : undefined;
      if (wrong === undefined) {
        whole = true;
        break;
      }
      incoming.restart();
      if (!resumed) {
        throw new CorpusError(`${url}: what was downloaded ${wrong}; it was thrown away.`);
      }
      // Pieces of two versions may have been joined: once more, in one piece.
      resumed = false;
    }
  } finally {
    incoming.close();
    if (!whole && incoming.length === 0) {
      rmSync(partial, { force: true });
      rmSync(statePath, { force: true });
    }
  }
  try {
    renameSync(partial, path);
    rmSync(statePath, { force: true });
  } catch (error) {
    throw new WriteError(`${path}: cannot be written, ${systemReason(error)}.`, { cause: error });
  }
}
