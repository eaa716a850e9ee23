/**
 * `predict`: one line a file.
 *
 * @module
 */

import { loadAudio } from "../audio/load.ts";
import { readBundle } from "../bundle_files.ts";
import type { BackendName } from "../engine/tf.ts";
import { SerlabError } from "../errors.ts";
import { predict } from "../predict.ts";
import { commandEngine } from "./engine.ts";
import process from "node:process";

/** Options of the command. */
export interface PredictOptions {
  /** One JSON object a line. */
  readonly json?: boolean;
  /** The backend that must be used. */
  readonly backend?: BackendName;
}

/**
 * Predicts each file; a file that cannot be read costs exit code 1 (2 when there was no other), not the rest.
 */
export async function predictCommand(
  bundleFolder: string,
  files: readonly string[],
  options: PredictOptions,
): Promise<void> {
  await commandEngine(options.backend);
  const bundle = await readBundle(bundleFolder);
  const failures: SerlabError[] = [];
  for (const file of files) {
    try {
      const answer = await predict(bundle, await loadAudio(file, { sampleRateHz: null }));
      if (options.json) {
        console.log(JSON.stringify({ file, ...answer }));
        continue;
      }
      const shares = Object.entries(answer.probabilities).sort(([, a], [, b]) => b - a)
        .map(([label, p]) => `${label} ${(100 * p).toFixed(1)} %`);
      const doubt = answer.abstained ? " (cannot say)" : "";
      console.log(`${file}: ${answer.emotion}${doubt} — ${shares.join(", ")}`);
      for (const warning of answer.warnings) console.error(`${file}: ${warning}`);
    } catch (error) {
      if (!(error instanceof SerlabError)) throw error;
      failures.push(error);
      if (options.json) console.log(JSON.stringify({ file, error: error.message }));
      else console.error(`serlab: ${error.message}`);
    }
  }
  if (failures.length > 0) process.exitCode = files.length === 1 ? failures[0]!.exitCode : 1;
}
