/**
 * What listeners heard: the votes that come with CREMA-D, by recording.
 *
 * @module
 */

import { join } from "node:path";
import { CorpusError } from "../errors.ts";
import { readFileOr, sha256Hex } from "../io.ts";
import type { Emotion } from "../types.ts";
import { fileName } from "./corpus.ts";
import { listFiles } from "./find.ts";

/** Votes of people who listened to the audio alone. */
export interface ListenerVotes {
  /** The corpus. */
  readonly corpus: string;
  /** SHA-256 of the file they stand in. */
  readonly sha256: string;
  /** How often each label was named, by the recording's key. */
  readonly byKey: ReadonlyMap<string, Readonly<Partial<Record<Emotion, number>>>>;
}

const COLUMNS: readonly (readonly [string, Emotion])[] = [
  ["A", "angry"],
  ["D", "disgust"],
  ["F", "fearful"],
  ["H", "happy"],
  ["N", "neutral"],
  ["S", "sad"],
];

const FILE = "tabulatedVotes.csv";

/**
 * Reads `tabulatedVotes.csv` of CREMA-D, whose rows are numbered from 100001 on for audio alone, from 200001 on for the
 * picture alone and from 300001 on for both; only the first are taken.
 *
 * @param file Name for errors.
 * @throws {CorpusError} when it is not that table.
 */
export function parseCremaVotes(bytes: Uint8Array, file: string): ListenerVotes {
  const [head = "", ...lines] = new TextDecoder().decode(bytes).split(/\r?\n/);
  const names = head.split(",").map((name) => name.replaceAll('"', ""));
  const at = (name: string): number => {
    const index = names.indexOf(name);
    if (index < 0) throw new CorpusError(`${file}: has no column ${name}.`);
    return index;
  };
  const columns = COLUMNS.map(([name, emotion]) => [at(name), emotion] as const), name = at("fileName");
  const byKey = new Map<string, Partial<Record<Emotion, number>>>();
  lines.forEach((line, i) => {
    const fields = line.split(",").map((field) => field.replaceAll('"', ""));
    if (!/^1\d{5}$/.test(fields[0] ?? "")) return;
    const votes: Partial<Record<Emotion, number>> = {};
    for (const [index, emotion] of columns) {
      const count = Number(fields[index]);
      if (!Number.isInteger(count) || count < 0) {
        throw new CorpusError(`${file}: line ${i + 2}: ${fields[index]} is no number of votes.`);
      }
      votes[emotion] = count;
    }
    byKey.set(`crema-d/${fields[name]}`, votes);
  });
  if (byKey.size === 0) throw new CorpusError(`${file}: has no rows for audio alone (numbered from 100001 on).`);
  return { corpus: "crema-d", sha256: sha256Hex(bytes), byKey };
}

/**
 * Looks for CREMA-D's votes below a folder, at any depth and through links, as its recordings are.
 *
 * @returns null where they are not there.
 * @throws {CorpusError} when the folder cannot be read, or the file is there and is not that table.
 */
export async function findVotes(dir: string): Promise<ListenerVotes | null> {
  const { files } = await listFiles(dir);
  const path = files.find((file) => fileName(file) === FILE);
  if (path === undefined) return null;
  const full = join(dir, path);
  return parseCremaVotes(readFileOr(full, CorpusError), full);
}
