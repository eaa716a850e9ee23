/** Help for the tests of the corpora: temporary folders, tiny recordings. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { encodeWav } from "../../lib/audio/wav.ts";

/** Runs work in a folder of its own, which is gone afterwards. */
export async function inFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "serlab-corpora-"));
  try {
    await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** A recording of 100 samples; another number makes another recording. */
export function tinyWav(number = 0): Uint8Array {
  return encodeWav({
    samples: Float32Array.from({ length: 100 }, (_, i) => Math.sin(i + number)),
    sampleRateHz: 16000,
  });
}

/** Writes files, given by path; folders are made. */
export function writeFiles(dir: string, files: Readonly<Record<string, Uint8Array | string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), content);
  }
}
