/**
 * A small synthetic corpus and studies on it, for tests that go the whole way.
 *
 * @module
 */

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { synthesize } from "../../lib/corpora/synthetic.ts";
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
