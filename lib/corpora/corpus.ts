/**
 * What serlab knows of a corpus before it has seen a file of it.
 *
 * @module
 */

import type { Emotion, Sex, Utterance, VocalChannel } from "../types.ts";

/** A speaker of a corpus. */
export interface Speaker {
  /** Identifier, unique over all corpora: `<corpus>-<id>`. */
  readonly id: string;
  /** Sex as the corpus states it; absent where unknown. */
  readonly sex?: Sex;
}

/** What a complete copy of a corpus (or of its speech, or of its song) holds. */
export interface ExpectedPart {
  /** Speech or song. */
  readonly channel: VocalChannel;
  /** Number of recordings. */
  readonly files: number;
  /** Recordings a canonical label. */
  readonly perEmotion: Readonly<Partial<Record<Emotion, number>>>;
  /** Recordings a speaker. */
  readonly perSpeaker: Readonly<Record<string, number>>;
  /** The keys of all recordings; absent where no source names them one by one, and then what is extra is not seen. */
  readonly keys?: () => readonly string[];
}

/** Under which terms a corpus may be used. */
export interface Licence {
  /** Its name. */
  readonly name: string;
  /** Its text. */
  readonly url: string;
  /** What it means for a user of serlab, in one sentence. */
  readonly note: string;
}

/** A file, or a folder of Git LFS files, on an official host that anyone may download. */
export type DownloadSource =
  | {
    /** A zip archive. */
    readonly kind: "zip";
    /** Speech or song. */
    readonly channel: VocalChannel;
    /** Name of the archive. */
    readonly file: string;
    /** Where it lies. */
    readonly url: string;
    /** Its size in bytes; absent where only the host's record tells it. */
    readonly bytes?: number;
    /** Its MD5; absent where only the host's record tells it. */
    readonly md5?: string;
    /** Record of the host (Zenodo's API) that tells size and MD5 of the file. */
    readonly record?: string;
    /** Most bytes that it may unpack to. */
    readonly unpackedBytes: number;
  }
  | {
    /** A repository whose audio lies in Git LFS. */
    readonly kind: "git-lfs";
    /** Speech or song. */
    readonly channel: VocalChannel;
    /** Zip archive of the repository: the pointers of the audio, each with SHA-256 and size. */
    readonly archive: string;
    /** Most bytes that the archive may have. */
    readonly archiveBytes: number;
    /** Folder of the audio in the repository. */
    readonly folder: string;
    /** Address of that folder's contents on the host of the large files, with a final `/`. */
    readonly media: string;
    /** Number of audio files in the folder. */
    readonly files: number;
    /** Other files of the archive that are kept where it has them, by the ends of their paths. */
    readonly beside?: readonly string[];
  };

/** Something in the corpus that a user should know before counting on it. */
export interface Oddity {
  /** Keys of the recordings concerned; empty where it concerns the corpus as a whole. */
  readonly keys: readonly string[];
  /** What is odd, in one sentence. */
  readonly what: string;
}

/** One corpus: how its files are named, what it holds, under which terms, and how to get it. */
export interface Corpus {
  /** Identifier: `ravdess`, `crema-d`, … */
  readonly id: string;
  /** Full title. */
  readonly title: string;
  /** Language spoken. */
  readonly language: string;
  /** How a file is named, for people: `03-01-<emotion>-….wav`. */
  readonly filePattern: string;
  /**
   * Reads a file name.
   *
   * @param path Path with `/`; only its last parts matter.
   * @returns the utterance, its `path` as given; undefined when this is not a file of this corpus.
   */
  readonly parse: (path: string) => Utterance | undefined;
  /**
   * The key that a recording has in {@linkcode ExpectedPart.keys}; absent where that is its own key. Some copies of a
   * corpus call a recording otherwise than the original does.
   */
  readonly canonicalKey?: (utterance: Utterance) => string;
  /** The canonical labels that occur, in the corpus's own order. */
  readonly emotions: readonly Emotion[];
  /** The speakers. */
  readonly speakers: readonly Speaker[];
  /** What is said: text by identifier. */
  readonly sentences: Readonly<Record<string, string>>;
  /** What a complete copy holds, one entry for speech and one for song; empty where no copy is complete by itself. */
  readonly expected: readonly ExpectedPart[];
  /** Terms of use. */
  readonly licence: Licence;
  /** The publication to cite. */
  readonly citation: string;
  /** Its official page. */
  readonly homepage: string;
  /** How to get it and what to put where, in plain sentences. */
  readonly howToGet: string;
  /** What may be downloaded from the official hosts without asking; empty where one has to register. */
  readonly downloads: readonly DownloadSource[];
  /** What is odd about it. */
  readonly oddities: readonly Oddity[];
}

/** The last part of a path with `/`. */
export function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Orders texts by their UTF-16 code units, the same on every machine whatever its language. */
export function byCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** `[first, first + 1, …, last]`. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** A whole number with leading zeros. */
export function padded(value: number, digits = 2): string {
  return String(value).padStart(digits, "0");
}

/** Counts values by a name of theirs, in order of first appearance. */
export function countBy<T>(values: Iterable<T>, name: (value: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) {
    const key = name(value);
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}
