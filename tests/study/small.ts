/**
 * Small synthetic corpora and studies on them, for tests that go the whole way.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { encodeWav } from "../../lib/audio/mod.ts";
import { synthesize } from "../../lib/corpora/synthetic.ts";
import { stream } from "../../lib/random.ts";
import type { Study } from "../../lib/study/declare.ts";
import { prepare, type Prepared } from "../../lib/study/run.ts";

/** A new empty folder. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "serlab-"));
}

let corpus: Promise<string> | undefined;

/** Folder of 4 speakers × 8 emotions × 2 takes of one sentence at 16 kHz; made once a process. */
export function smallCorpus(): Promise<string> {
  corpus ??= synthesize({ dir: temporaryFolder(), speakers: 4, sentences: 1, seed: 1 }).then(({ dir }) => dir);
  return corpus;
}

/** The study, on the synthetic corpus instead of its own. */
export function onSynthetic(study: Study): Study {
  const { speakers: _speakers, ...rest } = study;
  return { ...rest, corpora: ["synthetic"] };
}

/** A study's data, taken from the small corpus. */
export async function prepareSmall(study: Study, fraction = 1): Promise<Prepared> {
  return await prepare(onSynthetic(study), { dir: await smallCorpus(), fraction });
}

/** How many recordings of each corpus {@linkcode tinyCorpora} makes. */
export interface TinyOptions {
  /** Actors of RAVDESS, from 1. */
  readonly ravdess?: number;
  /** Actors of CREMA-D, from 1001. */
  readonly cremaD?: number;
  /** Whether TESS and SAVEE are there. */
  readonly others?: boolean;
}

/**
 * A folder of tones and noise of 0.7 to 0.9 s at 16 kHz under the file names of real corpora, every emotion in two
 * sentences of every speaker: what studies that ask for certain speakers and corpora can be tried on.
 */
export function tinyCorpora({ ravdess = 0, cremaD = 0, others = false }: TinyOptions): string {
  const dir = temporaryFolder();
  const names: string[] = [];
  const two = (value: number): string => String(value).padStart(2, "0");
  for (let actor = 1; actor <= ravdess; actor++) {
    for (let emotion = 1; emotion <= 8; emotion++) {
      for (const statement of [1, 2]) {
        names.push(`ravdess/Actor_${two(actor)}/03-01-${two(emotion)}-01-${two(statement)}-01-${two(actor)}.wav`);
      }
    }
  }
  for (let actor = 1001; actor < 1001 + cremaD; actor++) {
    for (const emotion of ["ANG", "DIS", "FEA", "HAP", "NEU", "SAD"]) {
      for (const sentence of ["DFA", "IOM"]) names.push(`crema-d/${actor}_${sentence}_${emotion}_XX.wav`);
    }
  }
  if (others) {
    for (const speaker of ["OAF", "YAF"]) {
      for (const emotion of ["angry", "disgust", "fear", "happy", "neutral", "ps", "sad"]) {
        for (const word of ["back", "bar"]) names.push(`tess/${speaker}_${word}_${emotion}.wav`);
      }
    }
    for (const speaker of ["DC", "JE", "JK", "KL"]) {
      for (const emotion of ["a", "d", "f", "h", "n", "sa", "su"]) {
        for (const sentence of ["01", "02"]) names.push(`savee/${speaker}/${emotion}${sentence}.wav`);
      }
    }
  }
  for (const name of names) {
    const rng = stream(0, "tiny", name);
    const step = rng.uniform(0.02, 0.2), length = 11200 + rng.randint(0, 3200);
    const samples = Float32Array.from({ length }, (_, i) => 0.3 * Math.sin(step * i) + 0.05 * rng.uniform(-1, 1));
    const path = join(dir, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, encodeWav({ samples, sampleRateHz: 16000 }));
  }
  return dir;
}
