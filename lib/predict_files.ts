/**
 * Files to predict: named ones, whole folders, standard input; one answer or one failure each.
 *
 * @module
 */

import { closeSync, lstatSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { decodeAudio, looksLikeAudio } from "./audio/decode.ts";
import { readAudioBytes } from "./audio/load.ts";
import { toMono } from "./audio/types.ts";
import type { Bundle } from "./bundle.ts";
import { AudioError, SerlabError } from "./errors.ts";
import { systemReason } from "./io.ts";
import { type AudioSource, predict, type Prediction } from "./predict.ts";
import type { Waveform } from "./types.ts";

/** What came of one file: an answer, or why there is none. */
export type FileAnswer =
  | { readonly file: string; readonly answer: Prediction }
  | { readonly file: string; readonly error: string; readonly exitCode: number };

/** Bytes of a file that its kind is told by. */
const HEAD_BYTES = 16_384;

/** Deepest folder below the one given. */
const MOST_DEPTH = 40;

/** Name of standard input among files. */
export const STANDARD_INPUT = "-";

function headOf(path: string): Uint8Array {
  const handle = openSync(path, "r");
  try {
    const buffer = new Uint8Array(HEAD_BYTES);
    return buffer.subarray(0, readSync(handle, buffer, 0, buffer.length, 0));
  } finally {
    closeSync(handle);
  }
}

/**
 * The audio below a folder, told by content, in order of the paths. Hidden files and links to folders are left out.
 *
 * @param folder The folder.
 * @returns paths, and how many other files there are.
 * @throws {AudioError} when the folder cannot be read.
 */
export function audioBelow(folder: string): { readonly files: string[]; readonly others: number } {
  const files: string[] = [];
  let others = 0;
  const visit = (path: string, depth: number): void => {
    let names: string[];
    try {
      names = readdirSync(path).sort();
    } catch (error) {
      throw new AudioError(path, `cannot be read, ${systemReason(error)}`, { cause: error });
    }
    for (const name of names) {
      if (name.startsWith(".")) continue;
      const inner = join(path, name);
      try {
        const own = lstatSync(inner);
        if (own.isDirectory()) {
          if (depth < MOST_DEPTH) visit(inner, depth + 1);
        } else if (statSync(inner).isFile() && looksLikeAudio(headOf(inner))) files.push(inner);
        else others++;
      } catch (error) {
        if (error instanceof AudioError) throw error;
        others++; // a broken link, or a file that may not be read
      }
    }
  };
  visit(folder, 0);
  return { files, others };
}

/** What is named on the command line as a list of files, or failures where a folder holds none. */
export function expandInputs(
  paths: readonly string[],
): { readonly inputs: readonly (string | FileAnswer)[]; readonly others: number } {
  let others = 0;
  const inputs = paths.flatMap((path): (string | FileAnswer)[] => {
    if (path === STANDARD_INPUT || !statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [path];
    try {
      const found = audioBelow(path);
      others += found.others;
      if (found.files.length > 0) return found.files;
      throw new AudioError(path, "this folder holds no audio that is read");
    } catch (error) {
      return [failure(path, error)];
    }
  });
  return { inputs, others };
}

/**
 * A failure as data; anything but bad input is a defect and thrown on.
 *
 * @param file The file.
 * @param error What was thrown.
 */
export function failure(file: string, error: unknown): FileAnswer {
  if (!(error instanceof SerlabError)) throw error;
  return { file, error: error.message, exitCode: error.exitCode };
}

/** A recording and where it comes from. */
export interface Recorded {
  /** Mono audio at its own rate. */
  readonly wave: Waveform;
  /** Where it comes from. */
  readonly source: AudioSource;
}

/**
 * Decodes a file's bytes for prediction.
 *
 * @param bytes The whole file.
 * @param file Its name, for errors.
 * @throws {AudioError} when it is no audio that is read.
 */
export async function recordedFrom(bytes: Uint8Array, file: string): Promise<Recorded> {
  const decoded = await decodeAudio(bytes, file);
  const { container, sampleRateHz } = decoded;
  return { wave: toMono(decoded), source: { container, bytes: bytes.length, sampleRateHz } };
}

/**
 * Reads a file for prediction.
 *
 * @throws {AudioError} when it cannot be read or is no audio that is read.
 */
export async function recordedFile(path: string): Promise<Recorded> {
  return await recordedFrom(readAudioBytes(path), path);
}

/**
 * Answers one file; bad input is an answer too.
 *
 * @param bundle The bundle.
 * @param file Path of the file.
 */
export async function answerFile(bundle: Bundle, file: string): Promise<FileAnswer> {
  try {
    const { wave, source } = await recordedFile(file);
    return { file, answer: await namingFile(file, () => predict(bundle, wave, { source })) };
  } catch (error) {
    return failure(file, error);
  }
}

/**
 * What a recipe cannot use it says of 'audio'; people want to know which file.
 *
 * @param file The file.
 * @param work What to do.
 */
export async function namingFile<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof AudioError && error.file !== file) {
      throw new AudioError(file, `${error.file} ${error.rule}`, { cause: error });
    }
    throw error;
  }
}
