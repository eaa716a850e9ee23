/**
 * The vocabulary of serlab: the few shapes that travel between its layers. This module imports nothing.
 *
 * @module
 */

/** Mono audio: samples in [-1, 1] (nominal full scale) at a fixed rate in Hz. */
export interface Waveform {
  /** Samples, one channel, nominal range [-1, 1]. */
  readonly samples: Float32Array;
  /** Sampling rate in Hz. */
  readonly sampleRateHz: number;
}

/** A dense row-major array of 32-bit floats (the last axis varies fastest, as in NumPy's C order). */
export interface NdArray<S extends readonly number[] = readonly number[]> {
  /** The values, `shape[0] * shape[1] * …` of them. */
  readonly data: Float32Array;
  /** Lengths of the axes. */
  readonly shape: S;
}

/** A two-dimensional array; features are `[bins, frames]` as in librosa. */
export type Matrix = NdArray<readonly [number, number]>;

/** The canonical emotion labels. RAVDESS's order, which study 000 uses for its class indices. */
export const EMOTIONS = [
  "neutral",
  "calm",
  "happy",
  "sad",
  "angry",
  "fearful",
  "disgust",
  "surprised",
] as const;

/**
 * Canonical labels that no study has as a class: boredom, in EMO-DB. They stand apart so that a label's place in
 * {@linkcode EMOTIONS} stays study 000's class index.
 */
export const FURTHER_EMOTIONS = ["bored"] as const;

/** One of the canonical emotion labels, {@linkcode EMOTIONS} or {@linkcode FURTHER_EMOTIONS}. */
export type Emotion = typeof EMOTIONS[number] | typeof FURTHER_EMOTIONS[number];

/** Sex of the speaker as the corpus states it. */
export type Sex = "female" | "male";

/** How a recording was produced. */
export type VocalChannel = "speech" | "song";

/** One recording of a corpus: what its file name and its corpus's documentation say of it. */
export interface Utterance {
  /** Identifier, unique over all corpora: `<corpus>/<file name without extension>`. */
  readonly key: string;
  /** Path of the file relative to the folder of the corpus, with `/`. */
  readonly path: string;
  /** Identifier of the corpus: `ravdess`, `crema-d`, `tess`, `savee`, `emo-db`, `synthetic`, … */
  readonly corpus: string;
  /** Speaker, unique over all corpora: `<corpus>-<id>`. */
  readonly speaker: string;
  /** Sex of the speaker; absent where unknown. */
  readonly sex?: Sex;
  /** Canonical label. */
  readonly emotion: Emotion;
  /** What is said: an identifier of the sentence or word within the corpus; absent where unknown. */
  readonly sentence?: string;
  /** Which repetition of the same speaker, sentence, emotion and intensity; absent where unknown. */
  readonly take?: string;
  /** Intensity as the corpus names it; absent where it has none. */
  readonly intensity?: string;
  /** Speech or song; absent means speech. */
  readonly channel?: VocalChannel;
}

/** An {@linkcode Utterance} whose file was read: what a manifest holds. */
export interface ManifestRow extends Utterance {
  /** SHA-256 of the file's bytes, lower-case hexadecimal. */
  readonly sha256: string;
  /** Size of the file in bytes. */
  readonly bytes: number;
  /** Duration in seconds. */
  readonly durationSec: number;
  /** Sampling rate of the file in Hz. */
  readonly sampleRateHz: number;
  /** Number of channels of the file. */
  readonly channels: number;
}
