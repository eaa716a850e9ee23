/**
 * Features on disk: one small file an array, found by the content of the audio, the recipe and the augmentation.
 *
 * Small files in 256 folders were chosen over a few large ones by measurement: 12,162 vectors of study 002 (115 MB) are
 * read and checked in half a second from memory, in two from a cold disk, and a small file needs no index, no lock and
 * no compaction.
 *
 * An entry is written under a temporary name and renamed, so that a reader finds all of it or nothing, whoever else
 * writes. It holds its own key and a SHA-256 of its content: one that was damaged, cut off or moved is never trusted.
 *
 * @module
 */

import { createHash, randomBytes } from "node:crypto";
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError, WriteError } from "../errors.ts";
import { canonicalJson, sha256Hex, systemReason } from "../io.ts";
import type { NdArray } from "../types.ts";
import { recipeHash, type RecipeIdentity } from "./recipes.ts";

/**
 * Counts up when the numbers of any recipe change for another reason than the recipe itself: decoding, change of rate,
 * transforms. Entries of other numbers are then not found any more, and pruned in time.
 */
export const NUMBERS = 1;

const MAGIC = new TextEncoder().encode("SERLABF1");
/** Magic, length of the description, SHA-256 of what follows. */
const HEADER = MAGIC.length + 4 + 32;

/** Temporary files older than this belong to nobody any more, in ms. */
const STALE_MS = 60 * 60_000;

/** An entry's time of last use is renewed when it is older than this, in ms. */
const USED_MS = 24 * 60 * 60_000;

/** What an entry is of. */
export interface CacheKey {
  /** SHA-256 of the audio file's bytes (of the input's, where that is no audio), lower-case hexadecimal. */
  readonly content: string;
  /** The recipe. */
  readonly recipe: RecipeIdentity;
  /** The augmentation's record (plain JSON); null or absent for the recording itself. */
  readonly augmentation?: unknown;
}

/** Size of one recipe's entries. */
export interface CacheUse {
  /** Folder of the recipe, `<name>-<hash>`. */
  readonly recipe: string;
  /** Number of entries. */
  readonly entries: number;
  /** Their size in bytes. */
  readonly bytes: number;
}

/** Size of a cache. */
export interface CacheSize {
  /** Number of entries. */
  readonly entries: number;
  /** Their size in bytes. */
  readonly bytes: number;
  /** The same by recipe, the largest first. */
  readonly recipes: readonly CacheUse[];
}

/** What {@linkcode FeatureCache.prune} shall keep. */
export interface PruneOptions {
  /** Bytes that may stay; the entries used last are kept. Default: no limit. */
  readonly maxBytes?: number;
  /** Days since the last use after which an entry goes. Default: no limit. */
  readonly maxDays?: number;
}

/** What {@linkcode FeatureCache.prune} removed. */
export interface Pruned {
  /** Number of entries. */
  readonly entries: number;
  /** Bytes, those of abandoned temporary files included. */
  readonly bytes: number;
}

interface Entry {
  readonly path: string;
  readonly recipe: string;
  readonly bytes: number;
  readonly usedMs: number;
}

/** Where features are kept: `SERLAB_CACHE/features` where that variable is set, else `data/cache/features`. */
export function defaultFeatureCacheFolder(): string {
  const own = Deno.env.get("SERLAB_CACHE");
  return own ? join(own, "features") : fileURLToPath(new URL("../../data/cache/features", import.meta.url));
}

/** A cache of feature arrays in a folder, safe for any number of processes and threads at once. */
export class FeatureCache {
  /** The folder. */
  readonly dir: string;
  #damaged = 0;

  /**
   * Uses a folder, which is made when the first entry is written.
   *
   * @param dir The folder; default {@linkcode defaultFeatureCacheFolder}.
   */
  constructor(dir: string = defaultFeatureCacheFolder()) {
    this.dir = dir;
  }

  /** Number of entries so far that were there and could not be trusted. */
  get damaged(): number {
    return this.#damaged;
  }

  #numbers(): string {
    return join(this.dir, `numbers-${NUMBERS}`);
  }

  /**
   * The file of an entry.
   *
   * @throws {UsageError} when `content` is no SHA-256.
   */
  path(key: CacheKey): string {
    const { content, recipe, augmentation } = key;
    if (!/^[0-9a-f]{64}$/.test(content)) {
      throw new UsageError(`A cache's key is a SHA-256 in hexadecimal, not "${content}".`);
    }
    const suffix = augmentation === undefined || augmentation === null ? "" : `-${hashOf(augmentation).slice(0, 32)}`;
    return join(this.#numbers(), folderOf(recipe), content.slice(0, 2), `${content}${suffix}.f32`);
  }

  /** The array of a key, or null when it is not there or cannot be trusted. */
  get(key: CacheKey): NdArray | null {
    const path = this.path(key);
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = readFileSync(path) as Uint8Array<ArrayBuffer>;
    } catch {
      return null;
    }
    const array = decode(bytes, descriptionOf(key));
    if (array === null) {
      this.#damaged++;
      return null;
    }
    this.#touch(path);
    return array;
  }

  #touch(path: string): void {
    try {
      const now = Date.now();
      if (now - statSync(path).mtimeMs > USED_MS) utimesSync(path, now / 1000, now / 1000);
    } catch { /* somebody else's folder: pruning will only know less */ }
  }

  /**
   * Keeps an array.
   *
   * @throws {WriteError} when it cannot be written; nothing is left behind.
   */
  put(key: CacheKey, array: NdArray): void {
    const path = this.path(key);
    const bytes = encode(array, descriptionOf(key));
    const temporary = `${path}.${Deno.pid}-${randomBytes(6).toString("hex")}.tmp`;
    let handle: number | undefined;
    try {
      // Pruning may take an empty folder away between making and using it.
      for (let attempt = 0; handle === undefined; attempt++) {
        try {
          handle = openSync(temporary, "wx");
        } catch (error) {
          if ((error as { code?: string }).code !== "ENOENT" || attempt > 4) throw error;
          mkdirSync(dirname(path), { recursive: true });
        }
      }
      for (let at = 0; at < bytes.length;) at += writeSync(handle, bytes, at, bytes.length - at);
      closeSync(handle);
      handle = undefined;
      // Not flushed: after a power cut an entry may be empty, which its own checksum tells.
      renameSync(temporary, path);
    } catch (error) {
      try {
        if (handle !== undefined) closeSync(handle);
        rmSync(temporary, { force: true });
      } catch { /* the folder itself may be unwritable */ }
      throw new WriteError(`${path}: cannot be written, ${systemReason(error)}.`, { cause: error });
    }
  }

  /** Number and size of the entries. */
  size(): CacheSize {
    const recipes = new Map<string, { entries: number; bytes: number }>();
    let entries = 0, bytes = 0;
    for (const entry of this.#list([])) {
      const sum = recipes.get(entry.recipe) ?? { entries: 0, bytes: 0 };
      recipes.set(entry.recipe, { entries: sum.entries + 1, bytes: sum.bytes + entry.bytes });
      entries++;
      bytes += entry.bytes;
    }
    const list = [...recipes].map(([recipe, sum]) => ({ recipe, ...sum }));
    return { entries, bytes, recipes: list.sort((a, b) => b.bytes - a.bytes) };
  }

  /**
   * Removes what is no longer used: temporary files of killed writers, entries of other {@linkcode NUMBERS}, entries not
   * used for some days, and the ones used longest ago until the rest fits.
   *
   * @throws {UsageError} when a limit is negative or not a number.
   * @throws {WriteError} when something cannot be removed.
   */
  prune(options: PruneOptions = {}): Pruned {
    const { maxBytes = Infinity, maxDays = Infinity } = options;
    for (const [name, value] of Object.entries({ maxBytes, maxDays })) {
      if (!(value >= 0)) throw new UsageError(`${name} is a number of at least 0, not ${value}.`);
    }
    const now = Date.now();
    const temporaries: Entry[] = [];
    const entries = this.#list(temporaries);
    const current = `${this.#numbers()}/`.replaceAll("\\", "/");
    const isCurrent = ({ path }: Entry) => path.replaceAll("\\", "/").startsWith(current);
    let removed = 0, bytes = 0;
    const remove = (entry: Entry): void => {
      try {
        rmSync(entry.path, { force: true });
      } catch (error) {
        throw new WriteError(`${entry.path}: cannot be removed, ${systemReason(error)}.`, { cause: error });
      }
      bytes += entry.bytes;
      if (entry.path.endsWith(".f32")) removed++;
    };
    for (const entry of temporaries) if (now - entry.usedMs > STALE_MS) remove(entry);
    let kept = 0;
    for (const entry of entries.sort((a, b) => b.usedMs - a.usedMs)) {
      const fits = kept + entry.bytes <= maxBytes;
      if (isCurrent(entry) && fits && now - entry.usedMs <= maxDays * 86_400_000) kept += entry.bytes;
      else remove(entry);
    }
    this.#removeEmptyFolders(this.dir);
    return { entries: removed, bytes };
  }

  /** All entries; temporary files go to the list given. */
  #list(temporaries: Entry[]): Entry[] {
    const entries: Entry[] = [];
    const visit = (folder: string, depth: number, recipe: string): void => {
      let names: string[];
      try {
        names = readdirSync(folder);
      } catch {
        return; // not there, or gone meanwhile
      }
      for (const name of names) {
        const path = join(folder, name);
        if (depth < 3) {
          visit(path, depth + 1, depth === 1 ? name : recipe);
          continue;
        }
        const isEntry = name.endsWith(".f32");
        if (!isEntry && !name.endsWith(".tmp")) continue;
        try {
          const { size, mtimeMs, isFile } = statOf(path);
          if (isFile) (isEntry ? entries : temporaries).push({ path, recipe, bytes: size, usedMs: mtimeMs });
        } catch { /* gone meanwhile */ }
      }
    };
    visit(this.dir, 0, "");
    return entries;
  }

  #removeEmptyFolders(folder: string, depth = 0): void {
    if (depth > 3) return;
    let names: string[];
    try {
      names = readdirSync(folder);
    } catch {
      return;
    }
    for (const name of names) this.#removeEmptyFolders(join(folder, name), depth + 1);
    try {
      // Fails when something lies in it, also something that was written this moment.
      if (depth > 0) rmdirSync(folder);
    } catch { /* in use */ }
  }
}

function statOf(path: string): { size: number; mtimeMs: number; isFile: boolean } {
  const stat = statSync(path);
  return { size: stat.size, mtimeMs: stat.mtimeMs, isFile: stat.isFile() };
}

function folderOf(recipe: RecipeIdentity): string {
  return `${recipe.name.replaceAll(/[^A-Za-z0-9_-]/g, "_")}-${recipeHash(recipe)}`;
}

function hashOf(augmentation: unknown): string {
  return sha256Hex(canonicalJson(augmentation));
}

/** Everything that an entry's numbers depend on. */
function descriptionOf({ content, recipe, augmentation }: CacheKey): string {
  return canonicalJson({
    numbers: NUMBERS,
    content,
    recipe: folderOf(recipe),
    augmentation: augmentation === undefined || augmentation === null ? null : hashOf(augmentation),
  });
}

function checksum(content: Uint8Array): Uint8Array {
  return createHash("sha256").update(content).digest();
}

function encode({ data, shape }: NdArray, description: string): Uint8Array {
  const text = new TextEncoder().encode(`${JSON.stringify(shape)} ${description}`);
  // Padded with spaces, so that the numbers lie at a multiple of four.
  const length = Math.ceil(text.length / 4) * 4;
  const bytes = new Uint8Array(HEADER + length + data.byteLength);
  bytes.set(MAGIC);
  new DataView(bytes.buffer).setUint32(MAGIC.length, length, true);
  bytes.fill(0x20, HEADER, HEADER + length);
  bytes.set(text, HEADER);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), HEADER + length);
  bytes.set(checksum(bytes.subarray(HEADER)), HEADER - 32);
  return bytes;
}

/** The array of an entry, or null when anything about it is not as it must be. */
function decode(bytes: Uint8Array<ArrayBuffer>, description: string): NdArray | null {
  if (bytes.length < HEADER || MAGIC.some((byte, i) => bytes[i] !== byte)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(MAGIC.length, true);
  if (HEADER + length > bytes.length) return null;
  const sum = checksum(bytes.subarray(HEADER));
  for (let i = 0; i < 32; i++) if (sum[i] !== bytes[HEADER - 32 + i]) return null;
  const text = new TextDecoder().decode(bytes.subarray(HEADER, HEADER + length));
  const end = text.indexOf(" ");
  // What the checksum covers was written by us; the key tells whether it was written for this key.
  if (text.slice(end + 1).trimEnd() !== description) return null;
  const shape = JSON.parse(text.slice(0, end)) as number[];
  const start = bytes.byteOffset + HEADER + length;
  const size = shape.reduce((a, b) => a * b, 1);
  if (bytes.byteLength !== HEADER + length + 4 * size) return null;
  return { data: new Float32Array(bytes.buffer.slice(start, start + 4 * size)), shape };
}
