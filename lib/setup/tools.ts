/**
 * The programs that notebooks and some tests need: Jupyter, Chromium, Redis. Each is taken from PATH, else installed
 * from its registry into the user cache (Jupyter) or by apt where we are root (Chromium, Redis), else reported as
 * missing with the reason, so that what needs it can be skipped by name.
 *
 * @module
 */

import { existsSync, readFileSync, rmSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { sha256Hex, systemReason } from "../io.ts";
import { cacheFolder, makeFolderAtomic, withLock } from "./cache.ts";

/** What `setup` installs and tests use. */
export const TOOLS = ["jupyter", "chromium", "redis"] as const;

/** Name of a tool; `jupyterlab` is installed by `lab` alone. */
export type ToolName = typeof TOOLS[number] | "jupyterlab";

/** A tool that is there. */
export interface AvailableTool {
  /** Which tool. */
  readonly name: ToolName;
  /** Always true. */
  readonly available: true;
  /** The program; for `jupyter` and `jupyterlab` the Python interpreter that has them (`python -m nbconvert`, …). */
  readonly path: string;
  /** Its version as it states it. */
  readonly version: string;
  /** Where it comes from: `PATH`, `cache`, `apt`. */
  readonly source: "PATH" | "cache" | "apt";
}

/** A tool that is not there. */
export interface MissingTool {
  /** Which tool. */
  readonly name: ToolName;
  /** Always false. */
  readonly available: false;
  /** Why, as a plain phrase without full stop. */
  readonly reason: string;
  /** What a person can do, as a plain phrase without full stop. */
  readonly howToGet: string;
}

/** A tool, there or not. */
export type Tool = AvailableTool | MissingTool;

/** How to look for a tool. */
export interface EnsureOptions {
  /** Whether a missing tool is installed. */
  readonly install: boolean;
  /** Told what is being installed, one line each. */
  readonly log?: (line: string) => void;
}

/**
 * Finds a tool, and installs it when it is missing and `install` is set. Never throws because a tool cannot be had.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const chromium = await ensureTool("chromium", { install: false });
 * assert.ok(chromium.available ? chromium.path !== "" : chromium.reason !== "");
 * ```
 */
export async function ensureTool(name: ToolName, options: EnsureOptions): Promise<Tool> {
  const log = options.log ?? (() => {});
  switch (name) {
    case "jupyter":
    case "jupyterlab":
      return await ensurePython(name, options.install, log);
    case "chromium":
    case "redis":
      return await ensureProgram(name, options.install, log);
  }
}

interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; a program that cannot be started has code -1 and the reason in `stderr`. */
async function run(command: string, args: readonly string[], env: Record<string, string> = {}): Promise<Finished> {
  try {
    const result = await new Deno.Command(command, { args: [...args], env, stdin: "null" }).output();
    const decoder = new TextDecoder();
    return { code: result.code, stdout: decoder.decode(result.stdout), stderr: decoder.decode(result.stderr) };
  } catch (error) {
    return { code: -1, stdout: "", stderr: systemReason(error) };
  }
}

/** The last line that says something, for a reason of one line. */
function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)?.trim().replace(/\.$/, "") || "it said nothing";
}

/** The first of some programs that PATH has. */
export function findOnPath(names: readonly string[]): string | undefined {
  const endings = Deno.build.os === "windows" ? (Deno.env.get("PATHEXT") ?? ".EXE;.CMD").split(";") : [""];
  for (const name of names) {
    for (const folder of (Deno.env.get("PATH") ?? "").split(delimiter)) {
      for (const ending of folder === "" ? [] : endings) {
        const path = join(folder, name + ending);
        if (existsSync(path)) return path;
      }
    }
  }
  return undefined;
}

// ---- programs of the system: Chromium and Redis ----------------------------------------------------------------

interface Program {
  /** Names on PATH, best first. */
  readonly names: readonly string[];
  /** Places outside PATH where installers put it. */
  readonly places: readonly string[];
  /** Debian's package. */
  readonly packages: readonly string[];
  /** Finds the version in what `--version` prints. */
  readonly version: RegExp;
  readonly howToGet: string;
}

const PROGRAMS: Readonly<Record<"chromium" | "redis", Program>> = {
  chromium: {
    names: ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"],
    places: [
      "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
      "/Applications/Chromium.app/Contents/MacOS/Chromium",
      "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
      "C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe",
    ],
    packages: ["chromium", "fonts-liberation"],
    version: /(\d+(?:\.\d+){2,})/,
    howToGet: "install Chromium or Google Chrome so that it is on PATH (Debian: apt install chromium)",
  },
  redis: {
    names: ["redis-server", "valkey-server"],
    places: [],
    packages: ["redis-server"],
    version: /v=([\d.]+)/,
    howToGet:
      "install Redis so that redis-server is on PATH (Debian: apt install redis-server, macOS: brew install redis)",
  },
};

async function ensureProgram(
  name: "chromium" | "redis",
  install: boolean,
  log: (line: string) => void,
): Promise<Tool> {
  const found = await findProgram(name);
  if (found.available || !install) return found;
  const aptGet = findOnPath(["apt-get"]);
  if (aptGet === undefined) return { ...found, reason: `${found.reason}, and there is no apt-get to install it` };
  if (Deno.uid() !== 0) return { ...found, reason: `${found.reason}, and apt-get needs root` };
  const problem = await withLock(join(cacheFolder(), "apt"), async () => {
    const meanwhile = await findProgram(name);
    return meanwhile.available ? undefined : await aptInstall(aptGet, PROGRAMS[name].packages, log);
  }, () => log(`${name}: waiting for another set-up`));
  if (problem !== undefined) return { ...found, reason: problem };
  const installed = await findProgram(name);
  return installed.available ? { ...installed, source: "apt" } : installed;
}

async function findProgram(name: "chromium" | "redis"): Promise<Tool> {
  const { names, places, version, howToGet } = PROGRAMS[name];
  const path = findOnPath(names) ?? places.find((place) => existsSync(place));
  if (path === undefined) return { name, available: false, reason: `no ${names[0]} on PATH`, howToGet };
  // Chrome on Windows opens a window when asked for its version.
  if (Deno.build.os === "windows" && name === "chromium") {
    return { name, available: true, path, version: "unknown", source: "PATH" };
  }
  const said = await run(path, ["--version"]);
  const found = version.exec(said.stdout)?.[1];
  // Ubuntu's chromium package is a script that asks for snap.
  if (said.code !== 0 || found === undefined) {
    return {
      name,
      available: false,
      reason: `${path} does not run (${lastLine(said.stderr || said.stdout)})`,
      howToGet,
    };
  }
  return { name, available: true, path, version: found, source: "PATH" };
}

/** Installs Debian packages; returns why not, or nothing. */
async function aptInstall(
  aptGet: string,
  packages: readonly string[],
  log: (line: string) => void,
): Promise<string | undefined> {
  log(`Installing ${packages.join(" ")} with apt-get …`);
  const env = { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };
  const wait = ["-o", "DPkg::Lock::Timeout=180", "-o", "Acquire::Retries=2"];
  // Package lists are often empty or too old for the packages they name; an update that fails may still do.
  const update = await run(aptGet, [...wait, "-q", "update"], env);
  const install = await run(aptGet, [...wait, "-q", "-y", "--no-install-recommends", "install", ...packages], env);
  if (install.code === 0) return undefined;
  const errors = (install.stderr + update.stderr).split("\n").filter((line) => line.startsWith("E:"));
  return `apt-get could not install ${packages[0]} (${
    (errors[0] ?? lastLine(install.stderr)).replace(/^E: |\.$/g, "")
  })`;
}

// ---- Jupyter: a virtual environment of exact versions ----------------------------------------------------------

interface PythonTool {
  /** File of exact versions beside this module. */
  readonly requirements: string;
  /** Distributions whose versions are shown, the first of them first. */
  readonly distributions: readonly string[];
}

const PYTHON_TOOLS: Readonly<Record<"jupyter" | "jupyterlab", PythonTool>> = {
  jupyter: { requirements: "jupyter.txt", distributions: ["nbclient", "nbformat", "nbconvert"] },
  jupyterlab: { requirements: "jupyterlab.txt", distributions: ["jupyterlab", "plotly"] },
};

const PYTHON_HOW_TO =
  "install Python 3.9 or later with venv (Debian: apt install python3-venv), then run: deno task setup";

/** Prints the versions of the distributions it is given, or exits with 1 when one of them is missing. */
const VERSIONS_SCRIPT = `
import sys
from importlib import metadata
try:
    print(" ".join(f"{n} {metadata.version(n)}" for n in sys.argv[1:]))
except metadata.PackageNotFoundError as e:
    sys.exit(f"no {e.name}")
`;

async function ensurePython(
  name: "jupyter" | "jupyterlab",
  install: boolean,
  log: (line: string) => void,
): Promise<Tool> {
  const requirements = fileURLToPath(new URL(`./${PYTHON_TOOLS[name].requirements}`, import.meta.url));
  const key = sha256Hex(readFileSync(requirements)).slice(0, 12);
  const folder = join(cacheFolder(), `${name}-${key}`);
  const own = await askPython(name, pythonOf(folder), "cache");
  if (own.available) return own;
  let problem: string | undefined;
  if (install) {
    problem = await withLock(folder, async () => {
      if ((await askPython(name, pythonOf(folder), "cache")).available) return undefined;
      // What is there does not work any more: its Python was upgraded or removed.
      rmSync(folder, { recursive: true, force: true });
      log(`Installing ${PYTHON_TOOLS[name].distributions[0]} into a virtual environment …`);
      return await makeEnvironment(folder, requirements);
    }, () => log(`${name}: waiting for another set-up`));
    const made = await askPython(name, pythonOf(folder), "cache");
    if (made.available) return made;
  }
  // Other versions than the pinned ones are better than none.
  const python = findOnPath(["python3", "python"]);
  const system = python === undefined ? undefined : await askPython(name, python, "PATH");
  if (system?.available) return system;
  const missing = `no ${PYTHON_TOOLS[name].distributions[0]} in the user cache or on PATH`;
  return { name, available: false, reason: problem ?? missing, howToGet: PYTHON_HOW_TO };
}

function pythonOf(folder: string): string {
  return Deno.build.os === "windows" ? join(folder, "Scripts", "python.exe") : join(folder, "bin", "python");
}

async function askPython(name: "jupyter" | "jupyterlab", path: string, source: "cache" | "PATH"): Promise<Tool> {
  const missing = { name, available: false, howToGet: PYTHON_HOW_TO } as const;
  if (source === "cache" && !existsSync(path)) return { ...missing, reason: "not installed" };
  const said = await run(path, ["-c", VERSIONS_SCRIPT, ...PYTHON_TOOLS[name].distributions]);
  if (said.code !== 0) return { ...missing, reason: lastLine(said.stderr) };
  return { name, available: true, path, version: said.stdout.trim().replace(/ (?=[a-z])/g, ", "), source };
}

/** Makes the virtual environment whole or not at all; returns why not, or nothing. */
async function makeEnvironment(folder: string, requirements: string): Promise<string | undefined> {
  const python = findOnPath(["python3", "python"]);
  if (python === undefined) return "there is no Python on PATH";
  const age = await run(python, ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]);
  if (age.code !== 0) return `${python} is not Python 3.9 or later`;
  let problem: string | undefined;
  try {
    await makeFolderAtomic(folder, async (temporary) => {
      problem = await fillEnvironment(python, temporary, requirements);
      if (problem !== undefined) throw new Error(problem);
    });
    return undefined;
  } catch (error) {
    return problem ?? (error instanceof Error ? error.message.replace(/\.$/, "") : String(error));
  }
}

async function fillEnvironment(python: string, folder: string, requirements: string): Promise<string | undefined> {
  const pip = ["install", "--quiet", "--disable-pip-version-check", "--no-input", "--retries", "3", "-r", requirements];
  const made = await run(python, ["-m", "venv", folder]);
  if (made.code === 0) {
    const installed = await run(pythonOf(folder), ["-m", "pip", ...pip]);
    return installed.code === 0 ? undefined : `pip could not install it (${lastLine(installed.stderr)})`;
  }
  // Debian without python3-venv has no pip for new environments, but its own pip may install into one.
  const bare = await run(python, ["-m", "venv", "--without-pip", "--clear", folder]);
  if (bare.code !== 0) return `${python} cannot make a virtual environment (${lastLine(made.stdout + made.stderr)})`;
  const installed = await run(python, ["-m", "pip", "--python", pythonOf(folder), ...pip]);
  return installed.code === 0 ? undefined : `pip could not install it (${lastLine(installed.stderr)})`;
}
