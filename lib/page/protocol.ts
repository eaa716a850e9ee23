/**
 * What page and worker say to each other, and what the server tells the page about itself. Types alone.
 *
 * @module
 */

import type { AudioSource, Prediction } from "../predict.ts";

/** A bundle as the site offers it. */
export interface SiteBundle {
  /** Name of the bundle's folder, unique on the site. */
  readonly id: string;
  /** Path of the bundle as one file, relative to the page. */
  readonly path: string;
}

/** A synthetic recording that the site offers. */
export interface SiteExample {
  /** What its button says. */
  readonly title: string;
  /** One sentence about it. */
  readonly describe: string;
  /** Its file name. */
  readonly file: string;
  /** Its path, relative to the page. */
  readonly path: string;
}

/** What the data block of `index.html` says. */
export interface SiteInfo {
  /** Changes with any byte of the site. */
  readonly version: string;
  /** The bundles, the one to start with first. */
  readonly bundles: readonly SiteBundle[];
  /** The synthetic recordings. */
  readonly examples: readonly SiteExample[];
  /** Path of the table of results. */
  readonly results: string;
  /** Path of the worker's script. */
  readonly worker: string;
  /** Path of the audio worklet's script. */
  readonly worklet: string;
  /** Path of tf.js's WebAssembly. */
  readonly wasm: string;
}

/** A bundle in the words of the page. */
export interface BundleSummary {
  /** As in {@linkcode SiteBundle}. */
  readonly id: string;
  /** Name of the bundle. */
  readonly name: string;
  /** Its labels. */
  readonly labels: readonly string[];
  /** Study, variant and protocol of its training. */
  readonly origin: string;
  /** Protocol of its training. */
  readonly protocol: string;
  /** What may be expected of it, one sentence each, the most honest first. */
  readonly expected: readonly string[];
  /** Corpora and licences. */
  readonly corpora: readonly string[];
  /** The model card as it is written, or null. */
  readonly card: string | null;
}

/** Mono audio on its way between page and worker. */
export interface Clip {
  /** Samples in [-1, 1]. */
  readonly samples: Float32Array;
  /** Samples a second. */
  readonly sampleRateHz: number;
  /** Where it comes from, where that matters to the answer. */
  readonly source?: AudioSource;
}

/** What came of decoding a file: audio, or what the browser's own decoder must be told (HE-AAC). */
export type Decoded =
  | { readonly kind: "audio"; readonly clip: Clip }
  | {
    readonly kind: "browser";
    /** Rate to decode at in Hz. */
    readonly sampleRateHz: number;
    /** Samples before the audio that is meant, and its length where the file says it. */
    readonly start: number;
    /** Samples of the audio that is meant, or null. */
    readonly length: number | null;
    /** What the answer needs to know of the file. */
    readonly source: AudioSource;
  };

/** A picture of the mel spectrogram. */
export interface SpectrogramPicture {
  /** Columns (time). */
  readonly columns: number;
  /** Rows (mel bands), the lowest first. */
  readonly rows: number;
  /** Level of each cell, row by row: 0 is `-range` dB below the maximum, 255 the maximum. */
  readonly levels: Uint8Array;
  /** Upper edge of the highest band in Hz. */
  readonly fmaxHz: number;
  /** Band in which each of some frequencies lies: `[Hz, share of the height from below]`. */
  readonly ticks: readonly (readonly [number, number])[];
}

/** Probabilities over time. */
export interface Timeline {
  /** Middle of each window in s. */
  readonly timesSec: readonly number[];
  /** Length of a window in s. */
  readonly windowSec: number;
  /** Labels. */
  readonly labels: readonly string[];
  /** Probabilities of each window, in the order of the labels. */
  readonly probabilities: readonly (readonly number[])[];
  /** Whether each window's answer is 'cannot say'. */
  readonly abstained: readonly boolean[];
}

/** What the classroom is to do. */
export interface ClassroomRequest {
  /** Seed of voices, split and training. */
  readonly seed: number;
  /** Number of speakers. */
  readonly speakers: number;
  /** Strength of the planted cue, 0 for none. */
  readonly speakerCue: number;
  /** Most epochs of a training. */
  readonly epochs: number;
}

/** The two ways to split. */
export type ClassroomSplit = "random" | "speaker";

/** What the classroom says on its way. */
export type ClassroomProgress =
  | { readonly kind: "voices"; readonly done: number; readonly total: number }
  | {
    readonly kind: "split";
    readonly split: ClassroomSplit;
    readonly train: number;
    readonly test: number;
    readonly speakersTrain: number;
    readonly speakersTest: number;
    /** Test speakers that are in training too. */
    readonly known: number;
  }
  | {
    readonly kind: "epoch";
    readonly split: ClassroomSplit;
    readonly epoch: number;
    /** Accuracy on the training rows. */
    readonly train: number;
    /** Accuracy on the test rows. */
    readonly test: number;
  };

/** What the classroom found. */
export interface ClassroomResult {
  /** Accuracy on the test rows after the last epoch, with its Wilson interval and n. */
  readonly scores: Readonly<
    Record<
      ClassroomSplit,
      {
        readonly accuracy: number;
        readonly interval: readonly [number, number];
        readonly n: number;
        readonly epochs: number;
      }
    >
  >;
  /** Chance of a guess. */
  readonly chance: number;
}

/** Questions to the worker, by name, with what they take and give. */
export interface WorkerCalls {
  /** Says where things lie. */
  start: { readonly takes: { readonly wasm: string }; readonly gives: void };
  /** Loads a bundle and makes it ready. */
  load: { readonly takes: SiteBundle; readonly gives: BundleSummary };
  /** Decodes a file. */
  decode: { readonly takes: { readonly bytes: Uint8Array; readonly file: string }; readonly gives: Decoded };
  /** Predicts. */
  predict: {
    readonly takes: { readonly clip: Clip; readonly bundles: readonly string[] };
    readonly gives: readonly Prediction[];
  };
  /** Draws the spectrogram. */
  spectrogram: {
    readonly takes: { readonly clip: Clip; readonly columns: number; readonly rows: number };
    readonly gives: SpectrogramPicture;
  };
  /** Predicts window by window. */
  timeline: { readonly takes: { readonly clip: Clip; readonly bundle: string }; readonly gives: Timeline };
  /** Trains twice. */
  classroom: { readonly takes: ClassroomRequest; readonly gives: ClassroomResult };
}

/** A question on its way to the worker. */
export type ToWorker =
  | { readonly id: number; readonly call: keyof WorkerCalls; readonly value: unknown }
  | { readonly cancel: number };

/** What the worker answers. */
export type FromWorker =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly progress: unknown }
  | { readonly id: number; readonly error: string; readonly expected: boolean };
