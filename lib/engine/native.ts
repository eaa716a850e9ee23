/**
 * Native TensorFlow for tf.js: finds it, or builds it once into the user cache and links it into this checkout.
 *
 * tfjs-node's own download is libtensorflow 2.9.1 of 2022: not built for Apple silicon, with known security holes, and
 * without oneDNN's later kernels. Where a TensorFlow 2.19.1 wheel exists we take the libraries and C headers out of it
 * (nothing of Python is used) and compile tfjs-node's own addon against them; tfjs-node's download is tried where it
 * exists and the wheel's way is closed. What is built is kept in the user cache, keyed by versions and platform.
 *
 * @module
 */

import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { copyFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { EngineError } from "../errors.ts";
import { sha256Hex, systemReason } from "../io.ts";
import { cacheFolder, makeFolderAtomic, withLock } from "../setup/cache.ts";

/** Version of TensorFlow whose libraries are used. */
export const TENSORFLOW_VERSION = "2.19.1";

/** One wheel that holds the libraries, by its client's names and its SHA-256. */
interface Wheel {
  readonly package: string;
  readonly platform: string;
  readonly sha256: string;
  readonly libraries: readonly [string, string];
}

// The CPython tag does not matter (no Python code is used); one is fixed so that one hash can be pinned.
const WHEELS: Readonly<Record<string, Wheel>> = {
  "linux-x86_64": {
    package: "tensorflow-cpu",
    platform: "manylinux_2_17_x86_64",
    sha256: "0b6d72bd09c267e7573757bd309f5b1e2cdb02577339991da751f3a1411e4dae",
    libraries: ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"],
  },
  "linux-aarch64": {
    package: "tensorflow",
    platform: "manylinux_2_17_aarch64",
    sha256: "22deedc251837f2382d2b287c705705cb089bfaf79b2274b78c08740e02bf188",
    libraries: ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"],
  },
  "darwin-aarch64": {
    package: "tensorflow",
    platform: "macosx_12_0_arm64",
    sha256: "8a274a1336051bef0e7e042fa5818a9d342e300d9c311c5d7933eb60e2269770",
    libraries: ["libtensorflow_cc.2.dylib", "libtensorflow_framework.2.dylib"],
  },
};

/** Platforms for which tfjs-node 4.22.0 offers a download of its own. */
const OWN_BINARIES = new Set(["linux-x86_64", "darwin-x86_64", "windows-x86_64"]);

const HEADERS = [
  "tensorflow/include/tensorflow/c/",
  "tensorflow/include/tensorflow/core/platform/",
  "tensorflow/include/tsl/",
  "tensorflow/include/xla/tsl/",
];

/** What is known of the native engine without loading it. */
export interface NativeStatus {
  /** Whether the addon and its libraries stand where tfjs-node looks for them. */
  readonly installed: boolean;
  /** Where the libraries come from, or why it is not installed: one plain phrase. */
  readonly detail: string;
}

/** Where things are and where messages go; the defaults are this checkout's. */
export interface NativeOptions {
  /** Receives one plain line a step. */
  readonly log?: (line: string) => void;
  /** Folder of the package @tensorflow/tfjs-node. */
  readonly tfjsNode?: string;
  /** Folder of the user cache. */
  readonly cache?: string;
}

function platformKey(): string {
  return `${Deno.build.os}-${Deno.build.arch}`;
}

/** Folder of the package `name` as this checkout resolves it. */
function packageFolder(name: string): string {
  return dirname(fileURLToPath(import.meta.resolve(`${name}/package.json`)));
}

function addonPath(tfjsNode: string): string {
  return join(tfjsNode, "lib", "napi-v8", "tfjs_binding.node");
}

/** Folder in the user cache that holds the libraries and the addon for this platform and these versions. */
function cachedFolder(wheel: Wheel, tfjsNode: string, cache: string): string {
  const { version } = JSON.parse(readFileSync(join(tfjsNode, "package.json"), "utf8")) as { version: string };
  const name = `native-tensorflow-${TENSORFLOW_VERSION}-tfjs-node-${version}-${platformKey()}`;
  return join(cache, `${name}-${wheel.sha256.slice(0, 8)}`);
}

/** Looks whether the native engine is installed in this checkout; loads nothing. */
export function nativeStatus(options: Pick<NativeOptions, "tfjsNode"> = {}): NativeStatus {
  let folder: string;
  try {
    folder = options.tfjsNode ?? packageFolder("@tensorflow/tfjs-node");
  } catch {
    return { installed: false, detail: "the package @tensorflow/tfjs-node is not installed" };
  }
  if (!existsSync(addonPath(folder))) return { installed: false, detail: "its addon has not been built" };
  const libraries = join(folder, "deps", "lib");
  const found = existsSync(libraries)
    ? readdirSync(libraries).filter((name) => /tensorflow/.test(name) && existsSync(join(libraries, name)))
    : [];
  if (found.length === 0) return { installed: false, detail: "its TensorFlow libraries are missing" };
  const own = found.some((name) => /tensorflow_cc/.test(name));
  return { installed: true, detail: own ? `TensorFlow ${TENSORFLOW_VERSION}` : "tfjs-node's own TensorFlow 2.9.1" };
}

/** Result of a finished command: its exit code and both outputs together. */
interface Finished {
  readonly code: number;
  readonly output: string;
}

async function runCommand(command: string, args: readonly string[], cwd?: string): Promise<Finished> {
  try {
    const { code, stdout, stderr } = await new Deno.Command(command, {
      args: [...args],
      ...(cwd === undefined ? {} : { cwd }),
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
  } catch (error) {
    return { code: -1, output: systemReason(error) };
  }
}

async function firstThatRuns(
  commands: readonly (readonly string[])[],
  args: readonly string[],
): Promise<string[] | null> {
  for (const command of commands) {
    if (command[0] === "") continue;
    const { code } = await runCommand(command[0]!, [...command.slice(1), ...args]);
    if (code === 0) return [...command];
  }
  return null;
}

/** The line of a failed command's output that says most. */
function tellingLine(output: string): string {
  const lines = output.split("\n").map((line) => line.trim()).filter(Boolean);
  return lines.find((line) => /^error|error:|no matching|hashes/i.test(line)) ?? lines.at(-1) ?? "no output";
}

/**
 * Makes sure that native TensorFlow is linked into this checkout: uses what is there, else the user cache, else builds.
 *
 * Nothing half-installed is ever left: everything is made in a temporary folder, verified and renamed.
 *
 * @throws {EngineError} with the reason, in one sentence, when it cannot be had on this machine.
 */
export async function installNative(options: NativeOptions = {}): Promise<NativeStatus> {
  const present = nativeStatus(options);
  if (present.installed) return present;
  const { log = () => {}, tfjsNode = packageFolder("@tensorflow/tfjs-node"), cache = cacheFolder() } = options;
  const wheel = WHEELS[platformKey()];
  let reason = `no TensorFlow ${TENSORFLOW_VERSION} wheel is known for ${platformKey()}`;
  if (wheel) {
    try {
      const cached = cachedFolder(wheel, tfjsNode, cache);
      if (!isComplete(cached)) {
        await withLock(cached, async () => {
          if (!isComplete(cached)) await build(wheel, cached, tfjsNode, log);
        }, () => log("engine: another process is installing it; waiting"));
      }
      link(wheel, cached, tfjsNode);
      return nativeStatus(options);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      reason = error.message.replace(/\.$/, "");
    }
  }
  if (OWN_BINARIES.has(platformKey()) && options.tfjsNode === undefined) {
    log(`engine: ${reason}; trying tfjs-node's own download`);
    await runCommand(Deno.execPath(), ["install", "--allow-scripts=npm:@tensorflow/tfjs-node"], checkoutFolder());
    const after = nativeStatus();
    if (after.installed) return after;
    // A download that stopped half-way must not look installed the next time.
    rmSync(join(tfjsNode, "deps"), { recursive: true, force: true });
    reason += ", and tfjs-node's own download failed";
  }
  throw new EngineError(`${reason}.`);
}

function checkoutFolder(): string {
  return fileURLToPath(new URL("../../", import.meta.url));
}

/** The stamp written last into the cached folder: sizes of its files, so that a damaged cache is seen cheaply. */
interface Stamp {
  readonly files: Readonly<Record<string, number>>;
}

function isComplete(folder: string): boolean {
  try {
    const stamp = JSON.parse(readFileSync(join(folder, "installed.json"), "utf8")) as Stamp;
    return Object.entries(stamp.files).every(([name, size]) => statSync(join(folder, name)).size === size);
  } catch {
    return false;
  }
}

async function build(wheel: Wheel, cached: string, tfjsNode: string, log: (line: string) => void): Promise<void> {
  rmSync(cached, { recursive: true, force: true });
  for (const name of existsSync(dirname(cached)) ? readdirSync(dirname(cached)) : []) {
    if (name.startsWith(basename(cached)) && name.endsWith(".partial")) { // of a killed process: we hold the lock
      rmSync(join(dirname(cached), name), { recursive: true, force: true });
    }
  }
  const compiler = await firstThatRuns([[Deno.env.get("CXX") ?? ""], ["g++"], ["clang++"], ["c++"]], ["--version"]);
  if (!compiler) throw new EngineError("No C++ compiler was found (g++ or clang++).");
  const python = await firstThatRuns([["python3"], ["python"]], ["-m", "pip", "--version"]);
  if (!python) throw new EngineError("No Python with pip was found.");

  await makeFolderAtomic(cached, async (folder) => {
    log(`engine: downloading TensorFlow ${TENSORFLOW_VERSION}'s libraries (about 250 MB, once)`);
    const requirements = join(folder, "requirements.txt");
    writeFileSync(requirements, `${wheel.package}==${TENSORFLOW_VERSION} --hash=sha256:${wheel.sha256}\n`);
    const download = await runCommand(python[0]!, [
      ...["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-cache-dir"],
      ...["--no-deps", "--only-binary=:all:", "--require-hashes", "--platform", wheel.platform],
      ...["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"],
      ...["--dest", folder, "--requirement", requirements],
    ]);
    const file = readdirSync(folder).find((name) => name.endsWith(".whl"));
    if (download.code !== 0 || !file) {
      throw new EngineError(`TensorFlow's wheel could not be downloaded (${tellingLine(download.output)}).`);
    }
    log("engine: unpacking the libraries and building tfjs-node's addon (about 15 seconds)");
    // zipfile checks every member's CRC, and pip has checked the hash of the whole.
    const unpack = await runCommand(python[0]!, [
      "-c",
      "import sys, zipfile; z = zipfile.ZipFile(sys.argv[1]); " +
      "z.extractall(sys.argv[2], [n for n in z.namelist() if n in sys.argv[3].split(',') or n.startswith(tuple(sys.argv[4].split(',')))])",
      join(folder, file),
      folder,
      wheel.libraries.map((name) => `tensorflow/${name}`).join(","),
      HEADERS.join(","),
    ]);
    if (unpack.code !== 0) throw new EngineError(`${file}: could not be unpacked (${tellingLine(unpack.output)}).`);
    for (const name of wheel.libraries) renameSync(join(folder, "tensorflow", name), join(folder, name));
    await compile(wheel, compiler[0]!, folder, tfjsNode);
    for (const name of [file, "tensorflow", "requirements.txt"]) rmSync(join(folder, name), { recursive: true });
    const names = [...wheel.libraries, "tfjs_binding.node"];
    const files = Object.fromEntries(names.map((name) => [name, statSync(join(folder, name)).size]));
    const addon = sha256Hex(readFileSync(join(folder, "tfjs_binding.node")));
    writeFileSync(join(folder, "installed.json"), JSON.stringify({ files, addon }, null, 1));
  });
}

async function compile(wheel: Wheel, compiler: string, folder: string, tfjsNode: string): Promise<void> {
  const isMac = Deno.build.os === "darwin";
  const { code, output } = await runCommand(compiler, [
    ...["-O2", "-fPIC", "-shared", "-std=c++17", "-DNAPI_VERSION=8", "-DBUILDING_NODE_EXTENSION"],
    `-I${join(packageFolder("node-api-headers"), "include")}`,
    `-I${tfjsNode}`,
    `-I${join(folder, "tensorflow", "include")}`,
    join(tfjsNode, "binding", "tfjs_backend.cc"),
    join(tfjsNode, "binding", "tfjs_binding.cc"),
    ...["-o", join(folder, "tfjs_binding.node")],
    ...wheel.libraries.map((name) => join(folder, name)),
    `-Wl,-rpath,${isMac ? "@loader_path" : "$ORIGIN"}/../../deps/lib`,
    ...(isMac ? ["-undefined", "dynamic_lookup"] : []),
  ]);
  if (code !== 0) throw new EngineError(`tfjs-node's addon could not be built (${tellingLine(output)}).`);
}

/** Links the cached libraries and addon into this checkout's tfjs-node. */
function link(wheel: Wheel, cached: string, tfjsNode: string): void {
  const libraries = join(tfjsNode, "deps", "lib");
  mkdirSync(libraries, { recursive: true });
  for (const name of wheel.libraries) {
    const at = join(libraries, name);
    if (lstatSync(at, { throwIfNoEntry: false })) rmSync(at);
    symlinkSync(join(cached, name), at);
  }
  // The addon comes last, by rename: it is what `nativeStatus` takes for installed.
  const addon = addonPath(tfjsNode);
  mkdirSync(dirname(addon), { recursive: true });
  copyFileSync(join(cached, "tfjs_binding.node"), `${addon}.${process.pid}`);
  renameSync(`${addon}.${process.pid}`, addon);
}
