/**
 * The corpus that a notebook works on: a real one where its folder is given, the synthetic one otherwise.
 *
 * @module
 */

import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { decodeAudio } from "../audio/mod.ts";
import { type AudioReport, examineAudio } from "../audio/doctor.ts";
import { readAudioBytes } from "../audio/load.ts";
import { corpora, indexCorpus, synthesize } from "../corpora/mod.ts";
import { CorpusError } from "../errors.ts";
import { sha256Hex } from "../io.ts";
import type { ManifestRow } from "../types.ts";

/** Folder of this checkout, to which relative folders are relative wherever the notebook runs. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Which corpus a notebook wants. */
export interface OpenCorpusOptions {
  /** Folder with one or several corpora at any depth; empty or absent means the synthetic corpus. */
  readonly dir?: string | undefined;
  /** Seed of the synthetic corpus (default 0). */
  readonly seed?: number;
  /** Speakers of the synthetic corpus (default 8). */
  readonly speakers?: number;
  /** Strength of a cue planted into the synthetic corpus that tells the label to who knows the speaker (default 0). */
  readonly speakerCue?: number;
}

/** A corpus that was opened. */
export interface NotebookCorpus {
  /** Its folder. */
  readonly dir: string;
  /** Its recordings. */
  readonly rows: readonly ManifestRow[];
  /** Whether the audio is synthetic. */
  readonly synthetic: boolean;
  /** For titles: `synthetic speech, seed 0`, or the names of the corpora. */
  readonly title: string;
  /** What a reader should know, in one or two sentences. */
  readonly notice: string;
  /** Path of a recording's file. */
  path(row: ManifestRow): string;
}

/**
 * Opens the corpus of a notebook. A folder that is missing or holds no known corpus is told in `notice`, with what to
 * do, and the synthetic corpus is opened instead: its titles say so.
 */
export async function openCorpus(options: OpenCorpusOptions = {}): Promise<NotebookCorpus> {
  const { seed = 0, speakers = 8, speakerCue = 0 } = options;
  const asked = options.dir?.trim() ?? "";
  let problem = "";
  if (asked !== "") {
    const dir = resolve(ROOT, asked);
    try {
      const { rows, missing } = await indexCorpus(dir, { allowIncomplete: true, unknown: "ignore" });
      if (rows.length > 0) {
        const ids = [...new Set(rows.map((row) => row.corpus))];
        const title = ids.map(corpusTitle).join(", ");
        const lack = missing.length > 0 ? ` ${missing.length} recordings of the full corpora are not here.` : "";
        const synthetic = ids.every((id) => id === "synthetic");
        return opened(dir, rows, synthetic, title, `${rows.length} recordings: ${title}.${lack}`);
      }
      problem = `${asked}: no corpus that serlab knows lies here. `;
    } catch (error) {
      if (!(error instanceof CorpusError)) throw error;
      problem = `${error.message.replaceAll(dir, asked)} `;
    }
  }
  const { dir } = await synthesize({ seed, speakers, speakerCue, dir: join(ROOT, "data", "synthetic") });
  const { rows } = await indexCorpus(dir);
  const title = `synthetic speech${speakerCue > 0 ? " with a planted cue" : ""}, seed ${seed}`;
  const advice = problem
    ? `${problem}Going on with ${title}; give the folder of a corpus in SERLAB_CORPORA.`
    : `${rows.length} recordings: ${title}. For a real corpus give its folder in SERLAB_CORPORA; ` +
      "what synthetic speech shows says nothing about people.";
  return opened(dir, rows, true, title, advice);
}

function opened(
  dir: string,
  rows: readonly ManifestRow[],
  synthetic: boolean,
  title: string,
  notice: string,
): NotebookCorpus {
  return { dir, rows, synthetic, title, notice, path: (row) => join(dir, row.path) };
}

/** Short name of a corpus for titles. */
export function corpusTitle(id: string): string {
  const short: Readonly<Record<string, string>> = { synthetic: "synthetic speech" };
  return short[id] ?? (corpora.some((c) => c.id === id) ? id.toUpperCase() : id);
}

/** A recording with what its sound is really like. */
export interface SurveyedRow extends ManifestRow {
  /** What the input doctor found. */
  readonly report: AudioReport;
  /** SHA-256 of the samples: equal for equal sound, whatever the header says. */
  readonly soundHash: string;
}

/**
 * Decodes every recording once and examines it.
 *
 * @param onRow Is awaited after every recording, for progress.
 * @throws {AudioError} naming the file that cannot be decoded.
 */
export async function surveyAudio(
  corpus: NotebookCorpus,
  onRow: () => Promise<void> | void = () => {},
): Promise<SurveyedRow[]> {
  const surveyed: SurveyedRow[] = [];
  for (const row of corpus.rows) {
    const path = corpus.path(row);
    const decoded = await decodeAudio(readAudioBytes(path), row.path);
    const first = decoded.channels[0] ?? new Float32Array(0);
    const soundHash = sha256Hex(new Uint8Array(first.buffer, first.byteOffset, first.byteLength));
    surveyed.push({ ...row, report: examineAudio(decoded, row.path), soundHash });
    await onRow();
  }
  return surveyed;
}
