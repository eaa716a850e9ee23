/**
 * What coordinator and workers leave for each other in Redis, beside BullMQ's own keys.
 *
 * A sweep has a queue of its own, whose name follows from the sweep and from what a worker must be to work on it: the
 * same code, the same lock file, the same recordings. So a worker that does not fit never takes a trial. All keys share
 * the tag `{serlab}`, which keeps them on one node of a cluster.
 *
 * @module
 */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Redis } from "ioredis";
import { canonicalJson, sha256Hex } from "../../io.ts";
import type { TrialJob } from "../types.ts";

/** Prefix of all keys; BullMQ's `prefix`. */
export const PREFIX = "{serlab}";

/** What a worker must be, and have, to work on a sweep. */
export interface SweepNeeds {
  /** Name of the sweep. */
  readonly sweep: string;
  /** Study, or the name of a function. */
  readonly study: string;
  /** Hash of the manifest of the recordings; empty where a function is searched. */
  readonly manifest: string;
  /** Share of the recordings used. */
  readonly fraction: number;
  /** Threads of the engine. */
  readonly threads: number;
  /** Version of jobs. */
  readonly version: string;
  /** SHA-256 of deno.lock. */
  readonly lock: string | null;
  /** SHA-256 over serlab's sources. */
  readonly code: string;
  /** Backend and version that must compute, the processor's kind or not; null: what the sweep's first worker has. */
  readonly engine: string | null;
}

/** What a worker is. */
export interface WorkerIdentity {
  /** Version of jobs. */
  readonly version: string;
  /** SHA-256 of deno.lock. */
  readonly lock: string | null;
  /** SHA-256 over serlab's sources. */
  readonly code: string;
  /** Backend, its version and the processor's kind, such as `native, 2.19.1, x86_64`; null: none is needed. */
  readonly engine: string | null;
}

/** A worker as it says that it is there. */
export interface WorkerCard extends WorkerIdentity {
  /** Its name, unique: host, process, a few random digits. */
  readonly name: string;
  /** How many trials it runs at the same time. */
  readonly slots: number;
}

/** What jobs ask of a worker. */
export function needsOf(job: TrialJob, code: string, engine: string | null): SweepNeeds {
  const { sweep, study, manifest, fraction, threads, version, lock } = job;
  return { sweep, study, manifest, fraction, threads, version, lock, code, engine };
}

/** Name of a sweep's queue; the engine is no part of it, because it may be known only when the sweep goes on. */
export function queueName({ engine: _, ...needs }: SweepNeeds): string {
  return `${needs.sweep.replaceAll(/[^\w.-]/g, "_")}-${sha256Hex(canonicalJson(needs)).slice(0, 8)}`;
}

/**
 * Why a worker does not fit a sweep, as a phrase without full stop; null when it fits.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const worker = { version: "1", lock: "a", code: "b", engine: "wasm, 4.22.0, x86_64" };
 * const needs = { ...worker, sweep: "004-random-clean", study: "004", manifest: "c", fraction: 1, threads: 1 };
 * assert.equal(misfit(needs, worker), null);
 * assert.match(misfit({ ...needs, engine: "native, 2.19.1, x86_64" }, worker)!, /computes with wasm/);
 * ```
 */
export function misfit(needs: SweepNeeds, worker: WorkerIdentity): string | null {
  const short = (hash: string | null): string => hash === null ? "none" : hash.slice(0, 8);
  if (needs.version !== worker.version) {
    return `its serlab is another version (jobs of version ${worker.version}, not ${needs.version})`;
  }
  if (needs.lock !== worker.lock) {
    return `its deno.lock is another one (${short(worker.lock)}, not ${short(needs.lock)})`;
  }
  if (needs.code !== worker.code) {
    return `its serlab is another one (sources ${short(worker.code)}, not ${short(needs.code)}); ` +
      "bring both to the same commit";
  }
  const { engine } = needs;
  // A trial's record does not name the processor's kind.
  if (engine !== null && worker.engine !== null && !`${worker.engine}, `.startsWith(`${engine}, `)) {
    return `it computes with ${worker.engine}, not ${engine}`;
  }
  return null;
}

/** SHA-256 over the sources that decide a trial's result: `lib/` and `experiments/` of a folder. */
export function codeHash(root: string): string {
  const files: string[] = [];
  const visit = (folder: string): void => {
    for (const name of readdirSync(join(root, folder)).sort()) {
      const path = `${folder}/${name}`;
      if (statSync(join(root, path)).isDirectory()) visit(path);
      else if (name.endsWith(".ts")) files.push(`${path} ${sha256Hex(readFileSync(join(root, path)))}`);
    }
  };
  visit("lib");
  visit("experiments");
  return sha256Hex(files.join("\n"));
}

/** Keys of a sweep's queue. */
export interface SweepKeys {
  /** Hash: outcome by job, until the coordinator has it. */
  readonly outcomes: string;
  /** List: what there is to tell the coordinator. */
  readonly ready: string;
  /** Text: the engine of the first worker. */
  readonly engine: string;
}

/** The keys beside BullMQ's of a queue. */
export function sweepKeys(queue: string): SweepKeys {
  return {
    outcomes: `${PREFIX}:${queue}:outcomes`,
    ready: `${PREFIX}:${queue}:ready`,
    engine: `${PREFIX}:${queue}:engine`,
  };
}

const BOARDS = { sweeps: `${PREFIX}:sweeps`, workers: `${PREFIX}:workers` } as const;

/** A board: who is there, and since when nothing was heard of it. */
export type Board = keyof typeof BOARDS;

// The server's clock decides who is there: those of several machines differ.
const BEAT = `
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], t[1] * 1000 + math.floor(t[2] / 1000), ARGV[1])
return 1`;

const READ = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local found = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], now - ARGV[1], '+inf')) do
  local text = redis.call('HGET', KEYS[1], id)
  if text then
    found[#found + 1] = id
    found[#found + 1] = text
  end
end
return found`;

// First come, first kept: a trial may have run twice, on a worker that was thought dead and on the next.
const STORE = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return -1 end
if redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3]) == 0 then return 0 end
redis.call('RPUSH', KEYS[3], ARGV[4])
return 1`;

const TELL = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return -1 end
return redis.call('RPUSH', KEYS[2], ARGV[2])`;

const TAKE = `
local messages = {}
for i = 1, tonumber(ARGV[1]) do
  local message = redis.call('LPOP', KEYS[1])
  if not message then break end
  messages[i] = message
end
return messages`;

/** Says that a sweep or a worker is there. */
export async function beat(redis: Redis, board: Board, id: string, card: SweepNeeds | WorkerCard): Promise<void> {
  await redis.eval(BEAT, 2, BOARDS[board], `${BOARDS[board]}:seen`, id, JSON.stringify(card));
}

/** Removes a sweep or a worker from its board. */
export async function leave(redis: Redis, board: Board, id: string): Promise<void> {
  await redis.multi().hdel(BOARDS[board], id).zrem(`${BOARDS[board]}:seen`, id).exec();
}

/** Whether a sweep is on its board, heard of or not. */
export async function isOpen(redis: Redis, queue: string): Promise<boolean> {
  return await redis.hexists(BOARDS.sweeps, queue) === 1;
}

/**
 * Who has been heard of lately.
 *
 * @param withinSec How lately, s.
 */
export async function readBoard<T extends SweepNeeds | WorkerCard>(
  redis: Redis,
  board: Board,
  withinSec: number,
): Promise<Map<string, T>> {
  const args = [BOARDS[board], `${BOARDS[board]}:seen`, Math.round(withinSec * 1000)];
  const found = await redis.eval(READ, 2, ...args) as string[];
  const cards = new Map<string, T>();
  for (let i = 0; i + 1 < found.length; i += 2) cards.set(found[i]!, JSON.parse(found[i + 1]!) as T);
  return cards;
}

/** How long a sweep is kept that nobody comes back to, s: a month. */
const FORGOTTEN_SEC = 30 * 24 * 3600;

/** Removes the sweeps that nobody came back to. */
export async function removeForgotten(redis: Redis): Promise<void> {
  const [all, kept] = await Promise.all([redis.hkeys(BOARDS.sweeps), readBoard(redis, "sweeps", FORGOTTEN_SEC)]);
  for (const queue of all.filter((name) => !kept.has(name))) {
    await leave(redis, "sweeps", queue);
    let cursor = "0";
    do {
      // A pattern's special signs stand in no name of a queue, and the braces of the prefix are none.
      const [next, keys] = await redis.scan(cursor, "MATCH", `${PREFIX}:${queue}:*`, "COUNT", 500);
      if (keys.length > 0) await redis.del(...keys);
      cursor = next;
    } while (cursor !== "0");
  }
}

/** What a worker tells the coordinator: a job was begun, or has its outcome. */
export type Message = readonly ["started", id: string, worker: string] | readonly ["outcome", id: string];

/**
 * Keeps a job's outcome if it is the first, and tells the coordinator; one step.
 *
 * @returns false when the job had its outcome already, or the sweep is closed.
 */
export async function storeOutcome(redis: Redis, queue: string, id: string, outcome: string): Promise<boolean> {
  const { outcomes, ready } = sweepKeys(queue);
  const message: Message = ["outcome", id];
  return await redis.eval(
    STORE,
    3,
    BOARDS.sweeps,
    outcomes,
    ready,
    queue,
    id,
    outcome,
    JSON.stringify(message),
  ) === 1;
}

/** Tells the coordinator that a job was begun. */
export async function tellStarted(redis: Redis, queue: string, id: string, worker: string): Promise<void> {
  const message: Message = ["started", id, worker];
  await redis.eval(TELL, 2, BOARDS.sweeps, sweepKeys(queue).ready, queue, JSON.stringify(message));
}

/** Takes what there is to be told, in order. */
export async function takeMessages(redis: Redis, queue: string, most: number): Promise<Message[]> {
  const taken = await redis.eval(TAKE, 1, sweepKeys(queue).ready, most) as string[];
  return taken.map((text) => JSON.parse(text) as Message);
}
