/**
 * What a run was made with: versions, processor, commit, lock file.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { FormatError } from "../errors.ts";
import { readFileOr, sha256Hex } from "../io.ts";
import type { Environment } from "./record.ts";

/** The machine and the versions; what the engine is, the caller knows. */
export function gatherEnvironment(engine: { readonly tensorflow: string; readonly backend: string }): Environment {
  return {
    deno: Deno.version.deno,
    tensorflow: engine.tensorflow,
    backend: engine.backend,
    // Some machines (containers on ARM) do not name their processor.
    cpu: cpus()[0]?.model.trim() || `unknown ${Deno.build.arch}`,
    cores: availableParallelism(),
  };
}

function git(dir: string, ...args: string[]): string | null {
  try {
    return execFileSync("git", ["-C", dir, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    // No git, no repository, or no permission to run it: then there is no commit to name.
    return null;
  }
}

/**
 * The commit of the code in a folder, with `-dirty` where files differ from it; null without git.
 *
 * Files under `results/` do not count: they are what a run writes, not what it is made of.
 */
export function gitCommit(dir: string): string | null {
  const commit = git(dir, "rev-parse", "HEAD")?.trim();
  if (commit === undefined || !/^[0-9a-f]{40,64}$/.test(commit)) return null;
  const changes = git(dir, "status", "--porcelain", "--untracked-files=normal", "--", ".", ":(exclude)results");
  // A repository whose state cannot be asked is not known to be clean.
  return changes === "" ? commit : `${commit}-dirty`;
}

/** SHA-256 of `deno.lock` in a folder; null without one. */
export function lockHash(dir: string): string | null {
  const path = join(dir, "deno.lock");
  return existsSync(path) ? sha256Hex(readFileOr(path, FormatError)) : null;
}
