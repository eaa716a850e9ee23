/**
 * What `extract.ts` and its workers say to each other.
 *
 * @module
 */

import { AudioError, CorpusError, FormatError, SerlabError, UsageError } from "../errors.ts";
import type { Job, JobResult } from "./extract_job.ts";

/** What a worker is sent. */
export interface WorkerRequest {
  /** Name of the recipe. */
  readonly recipe: string;
  /** Jobs, done one after the other and answered together. */
  readonly jobs: readonly Job[];
}

/** What became of a job. */
export type JobAnswer = { readonly result: JobResult } | { readonly error: PlainError };

/** An error as it travels between threads. */
export interface PlainError {
  /** Name of its class. */
  readonly name: string;
  /** Its sentence. */
  readonly message: string;
  /** Where it was thrown, for defects. */
  readonly stack: string | null;
  /** The parts of an {@linkcode AudioError}. */
  readonly audio: { readonly file: string; readonly rule: string } | null;
}

/** What a worker answers: first that it is ready, then to each request in turn, and how long it took. */
export type WorkerReply =
  | { readonly ready: true }
  | { readonly answers: readonly JobAnswer[]; readonly ms: number };

/** Lays an error open for the way to another thread. */
export function toPlainError(error: unknown): PlainError {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  const audio = error instanceof AudioError ? { file: error.file, rule: error.rule } : null;
  return { name, message, stack: stack ?? null, audio };
}

/** The error that was laid open, of the same class where it is one of serlab's. */
export function fromPlainError({ name, message, stack, audio }: PlainError): Error {
  if (audio) return new AudioError(audio.file, audio.rule);
  switch (name) {
    case "CorpusError":
      return new CorpusError(message);
    case "UsageError":
      return new UsageError(message);
    case "FormatError":
      return new FormatError(message);
    case "SerlabError":
      return new SerlabError(message);
  }
  const error = new Error(message);
  error.name = name;
  if (stack !== null) error.stack = stack;
  return error;
}
