/**
 * The user cache: what `setup` builds or downloads once and every checkout shares, one folder a part and version.
 *
 * @module
 */

import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { systemReason } from "../io.ts";
import { WriteError } from "../errors.ts";

/** Folder of the user cache: `SERLAB_CACHE`, else the platform's own place for caches with `serlab` below it. */
export function cacheFolder(): string {
  const own = Deno.env.get("SERLAB_CACHE");
  if (own) return own;
  switch (Deno.build.os) {
    case "darwin":
      return join(homedir(), "Library", "Caches", "serlab");
    case "windows":
      return join(Deno.env.get("LOCALAPPDATA") ?? join(homedir(), "AppData", "Local"), "serlab");
    default:
      return join(Deno.env.get("XDG_CACHE_HOME") || join(homedir(), ".cache"), "serlab");
  }
}

function isAlive(pid: number): boolean {
  try {
    return Deno.kill === undefined ? true : (Deno.kill(pid, "SIGCONT"), true);
  } catch (error) {
    return !(error instanceof Deno.errors.NotFound) && (error as { code?: string }).code !== "ESRCH";
  }
}

/** How long a lock whose holder cannot be asked is honoured, in ms. */
const STALE_MS = 30 * 60_000;

/**
 * Runs `work` while no other process runs work under the same lock; the lock of a process that is gone is taken over.
 *
 * @param path A path beside what is guarded; `<path>.lock` is made while the work runs.
 * @param onWait Called once when somebody else holds the lock.
 * @throws {WriteError} when the lock cannot be made.
 */
export async function withLock<T>(path: string, work: () => Promise<T>, onWait?: () => void): Promise<T> {
  const lock = `${path}.lock`;
  let told = false;
  while (true) {
    try {
      mkdirSync(dirname(lock), { recursive: true });
      mkdirSync(lock);
      writeFileSync(join(lock, "pid"), String(Deno.pid));
      break;
    } catch (error) {
      if ((error as { code?: string }).code !== "EEXIST") {
        throw new WriteError(`${lock}: cannot be made, ${systemReason(error)}.`, { cause: error });
      }
      if (isStale(lock)) {
        rmSync(lock, { recursive: true, force: true });
        continue;
      }
      if (!told) onWait?.();
      told = true;
      await new Promise((done) => setTimeout(done, 250));
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

function isStale(lock: string): boolean {
  try {
    const age = Date.now() - statSync(lock).mtimeMs;
    let pid: number;
    try {
      pid = Number(readFileSync(join(lock, "pid"), "utf8"));
    } catch {
      return age > 5_000; // the holder died between making the folder and writing its number
    }
    return age > STALE_MS || !Number.isInteger(pid) || pid <= 0 || (pid !== Deno.pid && !isAlive(pid));
  } catch {
    return false; // gone by now: try again
  }
}

/**
 * Makes a folder whole or not at all: `make` fills a temporary folder beside it, which is renamed when it is done.
 *
 * @param target The folder to make; an existing one is left alone and `make` is not called.
 */
export async function makeFolderAtomic(target: string, make: (folder: string) => Promise<void>): Promise<void> {
  const temporary = `${target}.${Deno.pid}.partial`;
  rmSync(temporary, { recursive: true, force: true });
  try {
    mkdirSync(temporary, { recursive: true });
  } catch (error) {
    throw new WriteError(`${temporary}: cannot be made, ${systemReason(error)}.`, { cause: error });
  }
  try {
    await make(temporary);
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}
