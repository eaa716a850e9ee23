/**
 * `notebooks` and `lab`: notebooks executed headless, and JupyterLab with the kernel.
 *
 * @module
 */

import { relative, resolve } from "node:path";
import process from "node:process";
import { SerlabError, UsageError } from "../errors.ts";
import { executeNotebook, notebookFiles, openLab } from "../notebook/execute.ts";

/** Options of the command. */
export interface NotebooksOptions {
  /** Store the outputs in the notebooks. */
  readonly write?: boolean;
  /** Folder with real corpora. */
  readonly corpora?: string;
  /** Seed. */
  readonly seed?: number;
}

/** Executes notebooks one after the other; one that fails costs exit code 1, not the rest. */
export async function notebooksCommand(files: readonly string[], options: NotebooksOptions): Promise<void> {
  if (options.seed !== undefined && !(Number.isInteger(options.seed) && options.seed >= 0)) {
    throw new UsageError(`--seed takes a whole number of 0 or more, not ${options.seed}.`);
  }
  const env = {
    ...(options.corpora === undefined ? {} : { SERLAB_CORPORA: resolve(options.corpora) }),
    ...(options.seed === undefined ? {} : { SERLAB_SEED: String(options.seed) }),
  };
  for (const file of files.length > 0 ? files : notebookFiles()) {
    try {
      const { seconds } = await executeNotebook(file, { write: options.write ?? false, env });
      console.log(`${relative(Deno.cwd(), file)}: executed in ${seconds.toFixed(1)} s`);
    } catch (error) {
      if (!(error instanceof SerlabError)) throw error;
      console.error(`serlab: ${error.message}`);
      process.exitCode = 1;
    }
  }
}

/** Opens JupyterLab and stays until it ends. */
export async function labCommand(): Promise<void> {
  process.exitCode = await openLab();
}
