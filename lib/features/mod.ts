/**
 * Features: librosa's functions under librosa's names and defaults, in camelCase, and the studies' recipes.
 *
 * Functions take samples, a {@linkcode Waveform}, or a ready spectrogram `[bins, frames]` where librosa takes `S`.
 *
 * Meyda's perceptual descriptors are apart, in `perceptual.ts`.
 *
 * @module
 */

export type { Matrix, NdArray, Waveform } from "../types.ts";
export * from "./chroma.ts";
export * from "./decibels.ts";
export * from "./fft.ts";
export { egemapsLike, egemapsLikeNames } from "./functionals.ts";
export { imresize } from "./imresize.ts";
export * from "./mel.ts";
export * from "./normalize.ts";
export * from "./picture.ts";
export * from "./pitch.ts";
export * from "./recipes.ts";
export * from "./spectral.ts";
export * from "./spectrum.ts";
export * from "./temporal.ts";
export * from "./windows.ts";
