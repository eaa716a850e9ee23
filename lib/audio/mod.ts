/**
 * Audio in: decoding, down-mix, change of rate, trimming, the input doctor. Safe for the browser; files are read by
 * `load.ts`.
 *
 * @module
 */

export type { Waveform } from "../types.ts";
export * from "./decode.ts";
export * from "./doctor.ts";
export * from "./resample.ts";
export * from "./trim.ts";
export * from "./types.ts";
export { decodeWav, encodeWav, type EncodeWavOptions } from "./wav.ts";
