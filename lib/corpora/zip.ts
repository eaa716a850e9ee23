/**
 * Unpacking an archive that came from elsewhere: nothing leaves the folder, nothing is larger than it says.
 *
 * @module
 */

import { createWriteStream, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";
// @ts-types="./yauzl.d.ts"
import { type Entry, openPromise, type ZipFile } from "yauzl";
import { CorpusError, WriteError } from "../errors.ts";
import { systemReason } from "../io.ts";

/** Options of {@linkcode unzip}. */
export interface UnzipOptions {
  /** Most bytes that the files may have in all. */
  readonly maxBytes: number;
  /** Which files to unpack, by their paths in the archive (default all). */
  readonly accept?: (path: string) => boolean;
  /** Is told how many bytes are unpacked. */
  readonly onProgress?: (done: number, total: number) => void;
  /** Stops the work. */
  readonly signal?: AbortSignal;
}

/** Most files that an archive may hold; the largest corpus has 7,442 of them. */
const MAX_FILES = 200_000;

const FILE_KIND = 0o170000;
const REGULAR = 0o100000;
const FOLDER = 0o040000;

/** What makes an entry unwelcome; undefined when nothing does. */
function objection(entry: Entry): string | undefined {
  const { fileName } = entry;
  const parts = fileName.split("/");
  // deno-lint-ignore no-control-regex -- control characters are what is looked for
  if (/[\x00-\x1f\x7f:\\]/.test(fileName)) return "has a character in its name that no corpus uses";
  if (fileName.startsWith("/") || parts.includes("..") || parts.includes(".")) {
    return "would be written outside the folder";
  }
  if (entry.isEncrypted()) return "is encrypted";
  // The upper half holds the Unix mode when the archive was made on Unix; 0 when it was not.
  const kind = (entry.externalFileAttributes >>> 16) & FILE_KIND;
  if (kind !== 0 && kind !== REGULAR && kind !== FOLDER) return "is a link or a device, not a file";
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) {
    return `is packed by method ${entry.compressionMethod}; 0 and 8 are read`;
  }
  return undefined;
}

async function wantedEntries(zip: ZipFile, archive: string, options: UnzipOptions): Promise<Entry[]> {
  const entries: Entry[] = [];
  const names = new Set<string>();
  let packed = 0;
  let unpacked = 0;
  let seen = 0;
  for await (const entry of zip.eachEntry()) {
    options.signal?.throwIfAborted();
    const why = objection(entry);
    if (why !== undefined) throw new CorpusError(`${archive}: its entry ${JSON.stringify(entry.fileName)} ${why}.`);
    if (++seen > MAX_FILES) throw new CorpusError(`${archive}: holds more than ${MAX_FILES} files.`);
    packed += entry.compressedSize;
    if (packed > zip.fileSize) {
      throw new CorpusError(`${archive}: its files overlap, they have more bytes packed than the archive has.`);
    }
    if (entry.fileName.endsWith("/") || !(options.accept?.(entry.fileName) ?? true)) continue;
    // Case matters to some systems and not to others; on those two files would become one.
    const name = entry.fileName.toLowerCase();
    if (names.has(name)) throw new CorpusError(`${archive}: holds ${JSON.stringify(entry.fileName)} twice.`);
    names.add(name);
    unpacked += entry.uncompressedSize;
    if (unpacked > options.maxBytes) {
      throw new CorpusError(`${archive}: would unpack to more than ${options.maxBytes} bytes.`);
    }
    entries.push(entry);
  }
  return entries;
}

async function extract(
  zip: ZipFile,
  entry: Entry,
  path: string,
  onBytes: (count: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  let sum = 0;
  const meter = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      sum = crc32(chunk, sum);
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
  const source = await zip.openReadStreamPromise(entry);
  await pipeline(source, meter, createWriteStream(path, { flags: "wx", mode: 0o644 }), signal ? { signal } : {});
  if (sum !== entry.crc32) {
    throw new Error(`its content has the CRC ${sum.toString(16)} instead of ${entry.crc32.toString(16)}`);
  }
}

/**
 * Unpacks a zip archive into a folder.
 *
 * All entries are looked at before the first is written. Refused is an archive with a path that leads out of the folder,
 * a link, a device, an encrypted or overlapping entry, a name that comes twice, or more bytes than allowed; an entry that
 * unpacks to more or less than it declares, or to another CRC, ends the work. The caller throws the folder away then.
 *
 * @param archive Path of the archive.
 * @param target A new or empty folder.
 * @returns paths of the files relative to the folder, in the archive's order.
 * @throws {CorpusError} naming archive and entry.
 * @throws {WriteError} when a file cannot be written.
 */
export async function unzip(archive: string, target: string, options: UnzipOptions): Promise<string[]> {
  let zip: ZipFile;
  try {
    statSync(archive);
    zip = await openPromise(archive, { autoClose: false, lazyEntries: true, validateEntrySizes: true });
  } catch (error) {
    const why = (error as { code?: string }).code ? systemReason(error) : (error as Error).message;
    throw new CorpusError(`${archive}: cannot be opened as a zip archive, ${why}.`, { cause: error });
  }
  try {
    let entries: Entry[];
    try {
      entries = await wantedEntries(zip, archive, options);
    } catch (error) {
      if (error instanceof CorpusError || options.signal?.aborted) throw error;
      throw new CorpusError(`${archive}: its table of contents is broken, ${(error as Error).message}.`, {
        cause: error,
      });
    }
    const total = entries.reduce((sum, entry) => sum + entry.uncompressedSize, 0);
    let done = 0;
    for (const entry of entries) {
      options.signal?.throwIfAborted();
      const path = join(target, entry.fileName);
      try {
        await extract(zip, entry, path, (count) => {
          done += count;
          options.onProgress?.(done, total);
        }, options.signal);
      } catch (error) {
        if (options.signal?.aborted) throw error;
        // The system's errors come from writing: the archive itself is open.
        if ((error as { syscall?: string }).syscall !== undefined) {
          throw new WriteError(`${path}: cannot be written, ${systemReason(error)}.`, { cause: error });
        }
        throw new CorpusError(
          `${archive}: its entry ${JSON.stringify(entry.fileName)} is damaged, ${(error as Error).message}.`,
          { cause: error },
        );
      }
    }
    return entries.map((entry) => entry.fileName);
  } finally {
    zip.close();
  }
}
