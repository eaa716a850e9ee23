/**
 * Getting a corpus from its official host, where its licence lets anyone download it.
 *
 * @module
 */

import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { CorpusError, WriteError } from "../errors.ts";
import { sha256Hex, systemReason } from "../io.ts";
import type { VocalChannel } from "../types.ts";
import { type Corpus, type DownloadSource, fileName } from "./corpus.ts";
import { describeMissing, findOnShelf } from "./find.ts";
import { downloadFile, type DownloadOptions } from "./http.ts";
import { mapConcurrently } from "./indexing.ts";
import { lfsPointer } from "./lfs.ts";
import { unzip } from "./zip.ts";

/** How far a download is. */
export interface GetProgress {
  /** What is being done. */
  readonly step: "download" | "unpack" | "large files";
  /** How much is done: bytes, or files for `large files`. */
  readonly done: number;
  /** Of how much; absent where the host does not say. */
  readonly total?: number;
}

/** Options of {@linkcode getCorpus}. */
export interface GetOptions extends Pick<DownloadOptions, "stallSec" | "attempts" | "pauseSec" | "signal"> {
  /** Folder of all corpora (default `data`); the corpus comes to lie in `<dir>/<id>/<speech|song>`. */
  readonly dir?: string;
  /** Speech (default), song, or both. */
  readonly channel?: VocalChannel | "all";
  /** Keep the archive in `<dir>/downloads` (default false). */
  readonly keepArchive?: boolean;
  /** Is told how far it is. */
  readonly onProgress?: (progress: GetProgress) => void;
}

/** A part of a corpus that is there now. */
export interface GotPart {
  /** Speech or song. */
  readonly channel: VocalChannel;
  /** Where it lies. */
  readonly dir: string;
  /** How many recordings it has. */
  readonly files: number;
  /** Whether it was downloaded now; false when it was there, whole. */
  readonly downloaded: boolean;
}

type Zip = Extract<DownloadSource, { kind: "zip" }>;
type Lfs = Extract<DownloadSource, { kind: "git-lfs" }>;

/** Large files fetched at a time. */
const AT_ONCE = 8;

/** Most bytes that a single recording may have, and a record of the host's. */
const MAX_RECORDING_BYTES = 64 * 2 ** 20;
const MAX_RECORD_BYTES = 16 * 2 ** 20;

/** Size and MD5 of an archive, from the pinned values or from the host's record. */
async function facts(source: Zip, folder: string, options: GetOptions): Promise<{ bytes: number; md5: string }> {
  if (source.bytes !== undefined && source.md5 !== undefined) return { bytes: source.bytes, md5: source.md5 };
  if (source.record === undefined) throw new CorpusError(`${source.url}: neither its size nor its MD5 is known.`);
  const path = join(folder, `${source.file}.record.json`);
  await downloadFile(source.record, path, { ...transfer(options), maxBytes: MAX_RECORD_BYTES });
  try {
    const record = JSON.parse(readFileSync(path, "utf8")) as {
      files?: readonly { key?: string; size?: number; checksum?: string }[];
    };
    const entry = record.files?.find((file) => file.key === source.file);
    const md5 = /^md5:([0-9a-f]{32})$/.exec(entry?.checksum ?? "")?.[1];
    if (Number.isSafeInteger(entry?.size) && md5 !== undefined) return { bytes: entry!.size!, md5 };
  } catch {
    /* not JSON: the same sentence says it */
  } finally {
    rmSync(path, { force: true });
  }
  throw new CorpusError(`${source.record}: the record does not tell size and MD5 of ${source.file}.`);
}

function transfer(options: GetOptions): DownloadOptions {
  const { stallSec, attempts, pauseSec, signal } = options;
  return {
    ...(stallSec === undefined ? {} : { stallSec }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(pauseSec === undefined ? {} : { pauseSec }),
    ...(signal === undefined ? {} : { signal }),
  };
}

function hashes(path: string, bytes: number, sha256: string): boolean {
  try {
    return statSync(path).size === bytes && sha256Hex(readFileSync(path)) === sha256;
  } catch {
    return false;
  }
}

/** Downloads and unpacks an archive into a folder. */
async function fetchZip(source: Zip, downloads: string, target: string, options: GetOptions): Promise<void> {
  const archive = join(downloads, source.file);
  const known = await facts(source, downloads, options);
  await downloadFile(source.url, archive, {
    ...transfer(options),
    ...known,
    onProgress: (done, total) =>
      options.onProgress?.({ step: "download", done, ...(total === undefined ? {} : { total }) }),
  });
  await unzip(archive, target, {
    maxBytes: source.unpackedBytes,
    onProgress: (done, total) => options.onProgress?.({ step: "unpack", done, total }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (!options.keepArchive) rmSync(archive, { force: true });
}

/** Downloads a repository's pointers and the large files they stand for. */
async function fetchLfs(
  source: Lfs,
  id: string,
  downloads: string,
  target: string,
  options: GetOptions,
): Promise<void> {
  const archive = join(downloads, `${id}-repository.zip`);
  await downloadFile(source.archive, archive, {
    ...transfer(options),
    maxBytes: source.archiveBytes,
    onProgress: (done, total) =>
      options.onProgress?.({ step: "download", done, ...(total === undefined ? {} : { total }) }),
  });
  const isAudio = (path: string): boolean => path.split("/").at(-2) === source.folder && path.endsWith(".wav");
  let unpacked: string[];
  try {
    unpacked = await unzip(archive, target, {
      // Pointers are small; a host that packs the audio itself is welcome too.
      maxBytes: source.files * MAX_RECORDING_BYTES,
      accept: (path) => isAudio(path) || source.beside?.some((end) => path.endsWith(`/${end}`)) === true,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  } finally {
    // Nothing tells whether such an archive is whole but unpacking it, so it is never kept for the next call.
    rmSync(archive, { force: true });
  }
  const paths = unpacked.filter(isAudio);
  for (const path of unpacked) {
    // A table that lies in Git LFS too is of no use as a pointer; the audio is complete without it.
    if (!isAudio(path) && lfsPointer(readFileSync(join(target, path)))) rmSync(join(target, path));
  }
  if (paths.length !== source.files) {
    throw new CorpusError(`${source.archive}: its ${source.folder} has ${paths.length} files, not ${source.files}.`);
  }
  // Files are moved only when all are there: until then they lie where the next call finds them.
  const finished = join(downloads, id);
  mkdirSync(finished, { recursive: true });
  let done = 0;
  const fetched = await mapConcurrently(paths, AT_ONCE, async (path) => {
    options.signal?.throwIfAborted();
    const pointer = lfsPointer(readFileSync(join(target, path)));
    const store = join(finished, fileName(path));
    if (pointer !== undefined && !hashes(store, pointer.bytes, pointer.sha256)) {
      await downloadFile(source.media + encodeURIComponent(fileName(path)), store, {
        ...transfer(options),
        ...pointer,
        maxBytes: MAX_RECORDING_BYTES,
      });
    }
    options.onProgress?.({ step: "large files", done: ++done, total: paths.length });
    return pointer === undefined ? undefined : store;
  });
  fetched.forEach((store, i) => {
    if (store !== undefined) renameSync(store, join(target, paths[i]!));
  });
  rmSync(finished, { recursive: true, force: true });
}

/** Moves what was unpacked to its place: the whole folder at once, or, where one is there, file by file. */
function install(from: string, to: string): void {
  try {
    mkdirSync(dirname(to), { recursive: true });
    if (!existsSync(to)) {
      renameSync(from, to);
      return;
    }
    for (const entry of readdirSync(from, { withFileTypes: true, recursive: true })) {
      if (!entry.isFile()) continue;
      const relative = join(entry.parentPath, entry.name).slice(from.length + 1);
      const path = join(to, relative);
      mkdirSync(dirname(path), { recursive: true });
      renameSync(join(from, relative), path);
    }
  } catch (error) {
    throw new WriteError(`${to}: cannot be written, ${systemReason(error)}.`, { cause: error });
  }
}

async function partOf(corpus: Corpus, channel: VocalChannel, dir: string) {
  if (!existsSync(dir)) return undefined;
  return (await findOnShelf([corpus], dir)).corpora.find((part) => part.channel === channel);
}

async function getPart(corpus: Corpus, source: DownloadSource, options: GetOptions): Promise<GotPart> {
  const { dir = "data" } = options;
  const { channel } = source;
  const home = join(dir, corpus.id);
  const there = await partOf(corpus, channel, home);
  if (there !== undefined && there.missingCount === 0) {
    return { channel, dir: home, files: there.utterances.length, downloaded: false };
  }
  const downloads = join(dir, "downloads");
  let temporary: string;
  try {
    mkdirSync(downloads, { recursive: true });
    // Beside its final place, so that a rename moves it; hidden, so that nobody finds half a corpus there.
    temporary = mkdtempSync(join(dir, `.${corpus.id}-${channel}-`));
  } catch (error) {
    throw new WriteError(`${dir}: cannot be written, ${systemReason(error)}.`, { cause: error });
  }
  try {
    if (source.kind === "zip") await fetchZip(source, downloads, temporary, options);
    else await fetchLfs(source, corpus.id, downloads, temporary, options);
    // The temporary folder's name is hidden, but what is searched is its inside.
    const got = await partOf(corpus, channel, temporary);
    if (got === undefined || got.missingCount > 0) {
      const what = got === undefined ? "no recording of it" : describeMissing(got);
      const url = source.kind === "zip" ? source.url : source.archive;
      throw new CorpusError(`${url}: what was downloaded is not all of ${corpus.id}: ${what}.`);
    }
    const target = join(home, channel);
    install(temporary, target);
    return { channel, dir: target, files: got.utterances.length, downloaded: true };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
    removeIfEmpty(downloads);
  }
}

function removeIfEmpty(dir: string): void {
  try {
    if (readdirSync(dir).length === 0) rmSync(dir, { recursive: true });
  } catch { /* it is gone, which is as well */ }
}

/**
 * Gets a corpus from its official host: downloads (going on where an earlier call stopped), verifies, unpacks into a
 * hidden folder, checks that all recordings are there, and only then puts them into `<dir>/<id>/<speech|song>`.
 *
 * @param corpus A corpus with {@linkcode Corpus.downloads}.
 * @returns one entry for each part; a part that was there, whole, is left alone.
 * @throws {CorpusError} when the corpus cannot be downloaded by anyone (the sentence says how to get it), when the host
 * fails or serves something else, when the archive is unsafe or incomplete.
 * @throws {WriteError} when it cannot be written.
 */
export async function getCorpus(corpus: Corpus, options: GetOptions = {}): Promise<GotPart[]> {
  const channel = options.channel ?? "speech";
  const sources = corpus.downloads.filter((source) => channel === "all" || source.channel === channel);
  if (sources.length === 0) {
    throw new CorpusError(
      corpus.downloads.length === 0
        ? `${corpus.id} cannot be downloaded by a program; ${corpus.howToGet}`
        : `${corpus.id} has no ${channel} to download.`,
    );
  }
  const parts: GotPart[] = [];
  for (const source of sources) parts.push(await getPart(corpus, source, options));
  return parts;
}
