/**
 * The user cache: what `setup` builds or downloads once and every checkout shares, one folder a part and version.
 *
 * @module
 */

import { mkdirSync, renameSync, rmSync, statSync } from "node:fs";
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

/**
 * Runs `work` while no other process runs work under the same lock. The lock is the system's own on an open file, so
 * that of a process that is gone, however it went, is free again.
 *
 * @param path A path beside what is guarded; `<path>.lock` is there while the work runs.
 * @param onWait Called once when somebody else holds the lock.
 * @throws {WriteError} when the lock cannot be made.
 */
export async function withLock<T>(path: string, work: () => Promise<T>, onWait?: () => void): Promise<T> {
  const lock = `${path}.lock`;
  let held: Deno.FsFile | undefined;
  for (let told = false; held === undefined; told = true) {
    held = tryLock(lock);
    if (held !== undefined) break;
    if (!told) onWait?.();
    await new Promise((done) => setTimeout(done, 100));
  }
  try {
    return await work();
  } finally {
    // The name goes before the lock does: who opened the file meanwhile sees that it is another one, or none, by then.
    // (Windows keeps the name of an open file.)
    if (Deno.build.os !== "windows") rmSync(lock, { force: true });
    held.close();
    if (Deno.build.os === "windows") rmSync(lock, { force: true });
  }
}

/** The lock's open file, or nothing when somebody else has it. */
function tryLock(lock: string): Deno.FsFile | undefined {
  let file: Deno.FsFile | undefined;
  try {
    mkdirSync(dirname(lock), { recursive: true });
    file = Deno.openSync(lock, { create: true, write: true, read: true });
    if (file.tryLockSync(true) && file.statSync().ino === statSync(lock, { throwIfNoEntry: false })?.ino) return file;
  } catch (error) {
    file?.close();
    throw new WriteError(`${lock}: cannot be made, ${systemReason(error)}.`, { cause: error });
  }
  file.close();
  return undefined;
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
