/**
 * From a folder to a manifest: every recording found, hashed and measured.
 *
 * @module
 */

import { promises as fs } from "node:fs";
import { join } from "node:path";
import { decodeAudio } from "../audio/decode.ts";
import { isWav, parseWavHeader } from "../audio/wav.ts";
import { CorpusError, SerlabError, UsageError } from "../errors.ts";
import { sha256Hex, systemReason } from "../io.ts";
import type { ManifestRow, Utterance, VocalChannel } from "../types.ts";
import { byCodeUnits, type Corpus } from "./corpus.ts";
import {
  describeExtra,
  describeMissing,
  findOnShelf,
  firstFive,
  type FoundCorpora,
  type FoundCorpus,
  speakerOf,
} from "./find.ts";
import { lfsPointer } from "./lfs.ts";
import { type Manifest, orderRows } from "./manifest.ts";

/** Options of `indexCorpus`. */
export interface IndexOptions {
  /** Identifier of the corpus, or of several; default: all that lie under the folder. */
  readonly corpus?: string | readonly string[];
  /** Speech, song, or all (default `speech`). */
  readonly channel?: VocalChannel | "all";
  /** Only these speakers, such as `ravdess-01`; completeness is then asked of these alone. Default: all. */
  readonly speakers?: readonly string[];
  /** Go on when recordings are missing or extra, and list them (default false). */
  readonly allowIncomplete?: boolean;
  /** What an audio file does that no parser knows: `error` (default) or `ignore`. */
  readonly unknown?: "error" | "ignore";
  /** Is told after every file how many are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** The recordings under a folder, and how they differ from complete corpora. */
export interface IndexedCorpora extends Manifest {
  /** Keys of rows that a complete copy does not hold, or that are there a second time under another name. */
  readonly extra: readonly string[];
  /** Audio files whose names no parser knows, which were ignored: paths relative to the folder. */
  readonly unknown: readonly string[];
}

/** How many files are read at a time; hashing is what takes the time. */
const AT_ONCE = 8;

/** Runs work over items, a few at a time, keeping their order. */
export async function mapConcurrently<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  async function runner(): Promise<void> {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]!, index);
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, runner));
  return results;
}

/** No recording of a corpus comes near this; what does is not read into memory. */
const MAX_BYTES = 2 ** 30;

async function readFile(path: string): Promise<Uint8Array> {
  try {
    const { size } = await fs.stat(path);
    if (size > MAX_BYTES) {
      throw new CorpusError(`${path}: has ${size} bytes; recordings of up to ${MAX_BYTES} bytes are read.`);
    }
    return await fs.readFile(path);
  } catch (error) {
    if (error instanceof CorpusError) throw error;
    throw new CorpusError(`${path}: cannot be read, ${systemReason(error)}.`, { cause: error });
  }
}

/** Rate, channels and length; of a WAV file only the header is read. */
async function measure(bytes: Uint8Array, file: string): Promise<{ rate: number; channels: number; frames: number }> {
  if (isWav(bytes)) {
    const { sampleRateHz, channels, frames } = parseWavHeader(bytes, file);
    return { rate: sampleRateHz, channels, frames };
  }
  const { sampleRateHz, channels } = await decodeAudio(bytes, file);
  return { rate: sampleRateHz, channels: channels.length, frames: channels[0]!.length };
}

/**
 * Reads one recording: its hash, and from its header rate, channels and length.
 *
 * @param dir The folder that the utterance's path is relative to.
 * @throws {CorpusError} when it cannot be read or is a Git LFS pointer.
 * @throws {AudioError} when it is not audio, is cut off or holds no sample.
 */
export async function readRow(dir: string, utterance: Utterance): Promise<ManifestRow> {
  const file = join(dir, utterance.path);
  const bytes = await readFile(file);
  const pointer = lfsPointer(bytes);
  if (pointer !== undefined) {
    throw new CorpusError(
      `${file}: is a Git LFS pointer to ${pointer.bytes} bytes of audio, not the audio; run "git lfs pull" in that ` +
        `checkout, or "deno task data get ${utterance.corpus}".`,
    );
  }
  const { rate, channels, frames } = await measure(bytes, file);
  return {
    ...utterance,
    sha256: sha256Hex(bytes),
    bytes: bytes.length,
    durationSec: frames / rate,
    sampleRateHz: rate,
    channels,
  };
}

function wanted(shelf: readonly Corpus[], option: IndexOptions["corpus"]): Corpus[] {
  if (option === undefined) return [...shelf];
  const ids = typeof option === "string" ? [option] : option;
  return [...new Set(ids)].map((id) => {
    const corpus = shelf.find((one) => one.id === id);
    if (corpus === undefined) {
      throw new UsageError(`There is no corpus "${id}"; serlab knows ${shelf.map((one) => one.id).join(", ")}.`);
    }
    return corpus;
  });
}

function whereToGet(corpora: readonly Corpus[]): string {
  return corpora.length === 1
    ? `get it with: ${corpora[0]!.howToGet}`
    : `"deno task data list" says which corpora there are and how to get them.`;
}

function checkSpeakers(corpora: readonly Corpus[], speakers: readonly string[]): void {
  for (const speaker of speakers) {
    if (!corpora.some((corpus) => corpus.speakers.some((one) => one.id === speaker))) {
      throw new UsageError(
        `There is no speaker "${speaker}" in ${corpora.map((corpus) => corpus.id).join(", ")}; a speaker is named ` +
          `like ${corpora[0]?.speakers[0]?.id}.`,
      );
    }
  }
}

/** The part of a found corpus that belongs to some speakers, with what they should have. */
function onlySpeakers(found: FoundCorpus, speakers: ReadonlySet<string>): FoundCorpus {
  const mine = (key: string) => speakers.has(speakerOf(found.corpus, key) ?? "");
  const utterances = found.utterances.filter((one) => speakers.has(one.speaker));
  const missing = found.missing.filter(mine);
  const { expected } = found;
  const narrowed = {
    ...found,
    utterances,
    copies: found.copies.filter((one) => speakers.has(one.speaker)),
    missing,
    extra: found.extra.filter(mine),
  };
  if (expected === undefined) return narrowed;
  const perSpeaker = Object.fromEntries(
    Object.entries(expected.perSpeaker).filter(([speaker]) => speakers.has(speaker)),
  );
  const files = Object.values(perSpeaker).reduce((sum, n) => sum + n, 0);
  return {
    ...narrowed,
    expected: { ...expected, files, perSpeaker },
    missingCount: expected.keys ? missing.length : Math.max(0, files - utterances.length),
  };
}

/** What is indexed: parts of corpora, and keys of the recordings that they and absent corpora lack. */
interface Selection {
  readonly parts: readonly FoundCorpus[];
  readonly missing: readonly string[];
}

/** Refuses absent and incomplete corpora, and those with extra files, all in one sentence. */
function refuse(dir: string, parts: readonly FoundCorpus[], absent: readonly Corpus[], none: string): void {
  const lacking = parts.filter((part) => part.missingCount > 0);
  const complaints = [
    ...(absent.length > 0 ? [none] : []),
    ...lacking.map((part) => `${part.corpus.id} is incomplete, ${describeMissing(part)}`),
    ...parts.filter((part) => part.extra.length > 0).map((part) => `of ${part.corpus.id} ${describeExtra(part)}`),
  ];
  if (complaints.length === 0) return;
  const toGet = [...new Set([...absent, ...lacking.map((part) => part.corpus)])];
  throw new CorpusError(
    `${dir}: ${complaints.join("; ")}; go on all the same with --allow-incomplete (in code allowIncomplete)` +
      (toGet.length === 0 ? "." : `; ${whereToGet(toGet)}`),
  );
}

function select(found: FoundCorpora, shelf: readonly Corpus[], options: IndexOptions): Selection {
  const { dir } = found;
  if (found.unreadable.length > 0) {
    const more = found.unreadable.length > 1 ? ` (and ${found.unreadable.length - 1} more folders)` : "";
    throw new CorpusError(
      `${found.unreadable[0]}${more}; a corpus is only indexed when all of its folder can be read.`,
    );
  }
  const corpora = wanted(shelf, options.corpus);
  if (found.unknown.length > 0 && options.unknown !== "ignore") {
    const rule = corpora.length === 1
      ? `${corpora[0]!.id} names its files ${corpora[0]!.filePattern}`
      : "no corpus that serlab knows names its files so";
    const names = `unknown file name${found.unknown.length > 1 ? "s" : ""}, ${firstFive(found.unknown)}`;
    throw new CorpusError(
      `${dir}: ${names}; ${rule}; ignore such files with --allow-incomplete (in code unknown: "ignore").`,
    );
  }
  const channel = options.channel ?? "speech";
  const asked = (part: { readonly channel: VocalChannel }) => channel === "all" || part.channel === channel;
  let parts = found.corpora.filter((part) => corpora.includes(part.corpus) && asked(part));
  const speakers = options.speakers && new Set(options.speakers);
  if (speakers) {
    checkSpeakers(corpora, [...speakers]);
    parts = parts.map((part) => onlySpeakers(part, speakers));
  }
  const absent = options.corpus === undefined
    ? parts.length === 0 ? corpora : []
    : corpora.filter((corpus) => !parts.some((part) => part.corpus === corpus));
  const kind = channel === "all" ? "" : ` ${channel}`;
  const none = `no${kind} file of ${absent.map((corpus) => corpus.id).join(", ")} lies there`;
  if (parts.length === 0) {
    const what = options.corpus === undefined ? `no${kind} corpus lies there` : none;
    throw new CorpusError(`${dir}: ${what}; ${whereToGet(absent)}`);
  }
  if (!options.allowIncomplete) refuse(dir, parts, absent, none);
  const lost = absent.flatMap((corpus) =>
    corpus.expected.filter(asked).flatMap((part) => part.keys?.() ?? [])
      .filter((key) => !speakers || speakers.has(speakerOf(corpus, key) ?? ""))
  );
  return { parts, missing: [...parts.flatMap((part) => part.missing), ...lost].sort(byCodeUnits) };
}

/**
 * Indexes the corpora under a folder.
 *
 * @param shelf The corpora to look for.
 * @param dir The folder.
 * @throws {CorpusError} see `indexCorpus` in mod.ts.
 */
export async function indexOnShelf(
  shelf: readonly Corpus[],
  dir: string,
  options: IndexOptions = {},
): Promise<IndexedCorpora> {
  let found: FoundCorpora;
  try {
    found = await findOnShelf(shelf, dir);
  } catch (error) {
    if (!(error instanceof CorpusError)) throw error;
    throw new CorpusError(`${error.message.slice(0, -1)}; ${whereToGet(wanted(shelf, options.corpus))}`, {
      cause: error,
    });
  }
  const { parts, missing } = select(found, shelf, options);
  const utterances = parts.flatMap((part) => part.utterances);
  const copies = parts.flatMap((part) => part.copies);
  const rows = await readRows(dir, [...utterances, ...copies], options.onProgress);
  const originals = rows.slice(0, utterances.length);
  const byKey = new Map(originals.map((row) => [row.key, row]));
  for (const copy of rows.slice(utterances.length)) {
    const original = byKey.get(copy.key)!;
    if (copy.sha256 !== original.sha256) {
      throw new CorpusError(
        `${join(dir, copy.path)}: another file of this name, ${
          join(dir, original.path)
        }, has other content; a recording ` +
          `may lie there twice only when both are the same.`,
      );
    }
  }
  const extra = parts.flatMap((part) => part.extra).sort(byCodeUnits);
  return { rows: orderRows(originals), missing, extra, unknown: found.unknown };
}

/** Reads many recordings; when some cannot be read, says which is the first and how many there are. */
export async function readRows(
  dir: string,
  utterances: readonly Utterance[],
  onProgress?: IndexOptions["onProgress"],
): Promise<ManifestRow[]> {
  let done = 0;
  const failures: (SerlabError | undefined)[] = new Array(utterances.length);
  const rows = await mapConcurrently(utterances, AT_ONCE, async (utterance, i) => {
    try {
      return await readRow(dir, utterance);
    } catch (error) {
      if (!(error instanceof SerlabError)) throw error;
      failures[i] = error;
      return undefined;
    } finally {
      onProgress?.(++done, utterances.length);
    }
  });
  const failed = failures.filter((error) => error !== undefined);
  if (failed.length > 0) {
    const more = failed.length > 1 ? ` ${failed.length - 1} more of ${utterances.length} files cannot be read.` : "";
    throw new CorpusError(failed[0]!.message + more, { cause: failed[0] });
  }
  return rows.filter((row) => row !== undefined);
}
