/**
 * From records back to augmented numbers.
 *
 * @module
 */

import { FormatError } from "../errors.ts";
import type { Matrix, Waveform } from "../types.ts";
import { type AugmentationRecord, type Batch, Fields, type Kind, recordOf } from "./augmentation.ts";
import { COMPOSE, stepsOf } from "./compose.ts";
import { gainKind } from "./gain.ts";
import { mixupKind } from "./mixup.ts";
import { noiseAtSnrKind, noiseKind } from "./noise.ts";
import { pitchShiftKind } from "./pitch_shift.ts";
import { specAugmentKind } from "./spec_augment.ts";
import { timeShiftKind } from "./time_shift.ts";
import { timeStretchKind } from "./time_stretch.ts";

const kinds: readonly (Kind<unknown> | Kind<unknown, Matrix> | Kind<unknown, Batch>)[] = [
  gainKind,
  noiseKind,
  noiseAtSnrKind,
  timeShiftKind,
  timeStretchKind,
  pitchShiftKind,
  specAugmentKind,
  mixupKind,
];

/**
 * Names of all augmentations that {@linkcode fromRecord} knows.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.ok(augmentationNames().includes("time-stretch"));
 * ```
 */
export function augmentationNames(): string[] {
  return [...kinds.map(({ name }) => name), COMPOSE.name];
}

/** One recorded draw that can be applied. */
export interface ReplayOf<S extends string, T> {
  /** What it works on. */
  readonly on: S;
  /** The record, checked. */
  readonly record: AugmentationRecord;
  /** Applies it. */
  apply(input: T): T;
}

/** A recorded draw, by what it works on. */
export type Replay = ReplayOf<"wave", Waveform> | ReplayOf<"features", Matrix> | ReplayOf<"batch", Batch>;

/** Compositions within compositions: deeper is no augmentation any more. */
const MAX_DEPTH = 8;

/**
 * Makes a record applicable again.
 *
 * @param json A record as it was written, parsed.
 * @throws {FormatError} for an unknown name or version, or parameters that break a rule.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const again = fromRecord(JSON.parse('{"name":"gain","version":1,"params":{"gainDb":0}}'));
 * assert.ok(again.on === "wave");
 * assert.deepEqual([...again.apply({ samples: Float32Array.of(0.5), sampleRateHz: 8000 }).samples], [0.5]);
 * ```
 */
export function fromRecord(json: unknown): Replay {
  return replay(json, 0);
}

function replay(json: unknown, depth: number): Replay {
  const fields = new Fields("an augmentation's record", json);
  const name = fields.text("name", augmentationNames());
  const version = fields.number("version", 0, Number.MAX_SAFE_INTEGER, true);
  const params = fields.raw("params");
  if (name === COMPOSE.name) {
    checkVersion(name, version, COMPOSE.version);
    if (depth >= MAX_DEPTH) throw new FormatError(`compose: more than ${MAX_DEPTH} compositions within another.`);
    const steps = stepsOf(params).map((step) => step && replay(step, depth + 1));
    const present = steps.filter((step) => step !== null);
    const on = present[0]?.on ?? "wave";
    if (present.some((step) => step.on !== on)) throw new FormatError("compose: the steps work on different things.");
    const record = recordOf(COMPOSE, { steps: steps.map((step) => step && step.record) });
    const apply = <T>(input: T): T =>
      (present as unknown as ReplayOf<string, T>[]).reduce((now, s) => s.apply(now), input);
    return { on, record, apply } as Replay;
  }
  const kind = kinds.find((each) => each.name === name)! as Kind<unknown, unknown>;
  checkVersion(name, version, kind.version);
  const parsed = kind.parse(params);
  const apply = (input: unknown) => kind.apply(input, parsed);
  return { on: kind.on, record: recordOf(kind, parsed), apply } as Replay;
}

function checkVersion(name: string, version: number, ours: number): void {
  if (version !== ours) throw new FormatError(`${name}: the record is of version ${version}, this is version ${ours}.`);
}

/**
 * Applies records of one recording: a step that several of them begin with is computed once.
 *
 * @param wave The recording.
 * @param records One a result; null is the recording itself.
 * @returns As many waveforms as records.
 * @throws {FormatError} for a record that is not of a waveform's augmentation.
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = { samples: Float32Array.of(0.5), sampleRateHz: 8000 };
 * const record = { name: "gain", version: 1, params: { gainDb: 20 } };
 * assert.deepEqual([...applyRecords(wave, [null, record])].map(({ samples }) => samples[0]), [0.5, 5]);
 * ```
 */
export function* applyRecords(wave: Waveform, records: readonly (AugmentationRecord | null)[]): Generator<Waveform> {
  const lists = records.map((record) => record === null ? [] : flatten(fromRecord(record).record));
  const texts = lists.map((list) => list.map((record) => JSON.stringify(record)));
  const wanted = new Map<string, number>();
  const prefix = (i: number, length: number) => texts[i]!.slice(0, length).join("\n");
  texts.forEach((text, i) => {
    for (let length = 1; length <= text.length; length++) {
      wanted.set(prefix(i, length), (wanted.get(prefix(i, length)) ?? 0) + 1);
    }
  });
  const made = new Map<string, Waveform>();
  for (const [i, list] of lists.entries()) {
    let now = wave;
    for (const [j, record] of list.entries()) {
      const name = prefix(i, j + 1);
      let next = made.get(name);
      if (next === undefined) {
        const step = fromRecord(record);
        if (step.on !== "wave") throw new FormatError(`${record.name}: works on ${step.on}, not on a waveform.`);
        next = step.apply(now);
      }
      // Kept only while another record still begins this way.
      const left = wanted.get(name)! - 1;
      wanted.set(name, left);
      if (left > 0) made.set(name, next);
      else made.delete(name);
      now = next;
    }
    yield now;
  }
}

/** The steps of a checked record, compositions laid flat. */
function flatten(record: AugmentationRecord): AugmentationRecord[] {
  if (record.name !== COMPOSE.name) return [record];
  return stepsOf(record.params).flatMap((step) => step === null ? [] : flatten(step));
}
