/**
 * `features`: a recipe's numbers of audio files, as .npy.
 *
 * @module
 */

import { basename, extname, join } from "node:path";
import process from "node:process";
import { loadAudio } from "../audio/load.ts";
import { SerlabError, UsageError } from "../errors.ts";
import { recipe, recipeNames } from "../features/recipes.ts";
import { writeFileAtomic } from "../io.ts";
import { encodeNpy } from "../npy.ts";

/** Options of the command. */
export interface FeaturesOptions {
  /** Name of the recipe. */
  readonly recipe?: string;
  /** Folder for the results. */
  readonly out?: string;
  /** Name the recipes instead. */
  readonly list?: boolean;
  /** One JSON object a line. */
  readonly json?: boolean;
}

/** Extracts each file; a file that cannot be read costs exit code 1 (2 when there was no other), not the rest. */
export async function featuresCommand(files: readonly string[], options: FeaturesOptions): Promise<void> {
  if (options.list) {
    for (const name of recipeNames()) {
      const { describe, shape } = recipe(name);
      console.log(options.json ? JSON.stringify({ name, describe, shape }) : `${name}: ${describe}`);
    }
    return;
  }
  if (!options.recipe) throw new UsageError("--recipe is missing; --list names the recipes.");
  if (!options.out) throw new UsageError("--out is missing: the folder for the .npy files.");
  if (files.length === 0) throw new UsageError("No audio file was given.");
  const chosen = recipe(options.recipe);
  const targets = new Map<string, string>();
  for (const file of files) {
    const target = join(options.out, `${basename(file, extname(file))}.npy`);
    const other = targets.get(target);
    if (other !== undefined) throw new UsageError(`${file}: has the same name as ${other}; both would be ${target}.`);
    targets.set(target, file);
  }
  const failures: SerlabError[] = [];
  for (const [target, file] of targets) {
    try {
      const features = chosen.extract(await loadAudio(file, chosen.load));
      writeFileAtomic(target, encodeNpy(features));
      console.log(options.json ? JSON.stringify({ file, npy: target, shape: features.shape }) : target);
    } catch (error) {
      if (!(error instanceof SerlabError)) throw error;
      failures.push(error);
      if (options.json) console.log(JSON.stringify({ file, error: error.message }));
      else console.error(`serlab: ${error.message}`);
    }
  }
  if (failures.length > 0) process.exitCode = files.length === 1 ? failures[0]!.exitCode : 1;
}
