/**
 * Augmentation: draw, record, apply, with an explicit generator. Browser-safe.
 *
 * An augmentation draws its parameters from a generator it is given; the draw is plain JSON; applied again it gives the
 * same numbers bit for bit.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { stream } from "../random.ts";
 * import { augment, compose, fromRecord, noiseAtSnr, timeStretch } from "./mod.ts";
 * const wave = { samples: Float32Array.from({ length: 4000 }, (_, i) => Math.sin(i / 7)), sampleRateHz: 16000 };
 * const chain = compose([{ augmentation: timeStretch(), p: 0.5 }, noiseAtSnr({ color: "pink" })]);
 * const { result, record } = augment(chain, wave, { rng: stream(42, "augment", "clip-1") });
 * const again = fromRecord(JSON.parse(JSON.stringify(record)));
 * assert.ok(again.on === "wave");
 * assert.deepEqual(again.apply(wave), result);
 * ```
 *
 * @module
 */

export type { Matrix, NdArray, Waveform } from "../types.ts";
export * from "./augmentation.ts";
export * from "./compose.ts";
export * from "./gain.ts";
export * from "./mixup.ts";
export * from "./noise.ts";
export * from "./pitch_shift.ts";
export * from "./record.ts";
export * from "./spec_augment.ts";
export * from "./studies.ts";
export * from "./time_shift.ts";
export * from "./time_stretch.ts";
