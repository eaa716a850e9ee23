/**
 * Builds the page: modules, style sheet, WebAssembly, synthetic examples and the table of results, as files whose names
 * hold their hashes. Only this part of serving starts a program (esbuild).
 *
 * @module
 */

import * as esbuild from "esbuild";
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { encodeWav } from "../audio/wav.ts";
import { resample } from "../audio/resample.ts";
import { speak } from "../corpora/voice.ts";
import { FormatError } from "../errors.ts";
import { sha256Hex, writeFileAtomic } from "../io.ts";
import type { SiteExample } from "../page/protocol.ts";
import type { ResultsTable } from "../page/results_types.ts";
import type { Emotion } from "../types.ts";
import { compressed } from "./compress.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const pageFolder = join(root, "lib", "page");

/** What `app.json` says of a built page. */
export interface BuiltApp {
  /** Always `serlab-page`. */
  readonly format: "serlab-page";
  /** Version of the format. */
  readonly version: 1;
  /** Files by path, with their SHA-256. */
  readonly files: Readonly<Record<string, string>>;
  /** Where the parts that the page names lie. */
  readonly parts: {
    readonly app: string;
    readonly worker: string;
    readonly worklet: string;
    readonly style: string;
    readonly wasm: string;
    readonly icon: string;
    readonly results: string;
  };
  /** The synthetic examples. */
  readonly examples: readonly SiteExample[];
  /** The page with places to fill in. */
  readonly html: string;
  /** The service worker's script, without its listing. */
  readonly serviceWorker: string;
}

/** Bytes of a file, and its hash in its name: `name-0123456789.ext`. */
function hashed(name: string, bytes: Uint8Array): string {
  const dot = name.lastIndexOf(".");
  return `${name.slice(0, dot)}-${sha256Hex(bytes).slice(0, 10)}${name.slice(dot)}`;
}

/** The packages that tf.js itself depends on can only be found from its own folder. */
const tfjsFolder = (): string => realpathSync(join(root, "node_modules", "@tensorflow", "tfjs"));

/**
 * What differs between Deno and the page: tf.js without its slow backends and converter, HE-AAC left to the browser,
 * and the wasm backend without its threads, which need cross-origin isolation.
 */
const pageModules: esbuild.Plugin = {
  name: "serlab-page",
  setup(build) {
    build.onResolve(
      { filter: /^@tensorflow\/tfjs$/ },
      () => ({ path: "tfjs", namespace: "serlab", sideEffects: true }),
    );
    build.onLoad({ filter: /^tfjs$/, namespace: "serlab" }, () => ({
      contents: [
        'import "@tensorflow/tfjs-core/dist/register_all_gradients";',
        'import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops";',
        'export * from "@tensorflow/tfjs-core";',
        'export * from "@tensorflow/tfjs-layers";',
      ].join("\n"),
      resolveDir: tfjsFolder(),
    }));
    build.onResolve({ filter: /^@audio\/decode-aac$/ }, () => ({ path: join(pageFolder, "aac.ts") }));
    build.onResolve({ filter: /tfjs-backend-wasm-threaded-simd(\.worker)?\.js$/ }, () => ({
      path: "threads",
      namespace: "serlab",
    }));
    build.onLoad({ filter: /^threads$/, namespace: "serlab" }, () => ({
      contents: "export default undefined; export const wasmWorkerContents = '';",
    }));
  },
};

const common = {
  bundle: true,
  minify: true,
  target: "es2022",
  platform: "browser",
  legalComments: "none",
  absWorkingDir: root,
  write: false,
  logLevel: "silent",
  plugins: [pageModules],
  // tf.js looks for Node; the page has none.
  define: { "process.env.NODE_ENV": '"production"' },
} as const satisfies esbuild.BuildOptions;

async function bundleModules(): Promise<{ files: Map<string, Uint8Array>; entries: Map<string, string> }> {
  const out = join(root, "out");
  const [modules, worklet, worker, style] = await Promise.all([
    esbuild.build({
      ...common,
      entryPoints: [join(pageFolder, "app.ts"), join(pageFolder, "worker.ts")],
      format: "esm",
      splitting: true,
      outdir: out,
      entryNames: "[name]-[hash]",
      chunkNames: "[name]-[hash]",
      metafile: true,
    }),
    esbuild.build({ ...common, entryPoints: [join(pageFolder, "worklet.ts")], format: "iife", outdir: out }),
    esbuild.build({ ...common, entryPoints: [join(pageFolder, "sw.ts")], format: "iife", outdir: out }),
    esbuild.build({ ...common, entryPoints: [join(pageFolder, "style.css")], outdir: out }),
  ]);
  const files = new Map<string, Uint8Array>();
  const entries = new Map<string, string>();
  const nameOf = (path: string): string => path.slice(out.length + 1);
  for (const { path, contents } of modules.outputFiles) files.set(`assets/${nameOf(path)}`, contents);
  for (const [path, { entryPoint }] of Object.entries(modules.metafile.outputs)) {
    if (entryPoint?.startsWith("lib/page/")) entries.set(entryPoint, `assets/${nameOf(join(root, path))}`);
  }
  for (const [name, { outputFiles }] of [["worklet.js", worklet], ["style.css", style]] as const) {
    const bytes = outputFiles[0]!.contents;
    const path = `assets/${hashed(name, bytes)}`;
    files.set(path, bytes);
    entries.set(name, path);
  }
  entries.set("sw", worker.outputFiles[0]!.text);
  return { files, entries };
}

/** What the synthetic examples are: one a class of study 004, and one of them over a telephone. */
const EXAMPLES: readonly {
  readonly title: string;
  readonly describe: string;
  readonly emotion: Emotion;
  readonly speaker: number;
  readonly telephone?: true;
}[] = [
  { title: "calm", describe: "A synthetic man, told to sound calm.", emotion: "calm", speaker: 1 },
  { title: "happy", describe: "A synthetic woman, told to sound happy.", emotion: "happy", speaker: 2 },
  { title: "fearful", describe: "A synthetic woman, told to sound fearful.", emotion: "fearful", speaker: 4 },
  { title: "disgust", describe: "A synthetic man, told to sound disgusted.", emotion: "disgust", speaker: 3 },
  {
    title: "happy, by telephone",
    describe: "The same happy woman through 8 kHz telephone bandwidth.",
    emotion: "happy",
    speaker: 2,
    telephone: true,
  },
];

/** Rate of the examples, Hz: what study 004's bundle was trained at. */
const EXAMPLE_RATE_HZ = 48000;

function makeExamples(files: Map<string, Uint8Array>): SiteExample[] {
  return EXAMPLES.map(({ title, describe, emotion, speaker, telephone }) => {
    const spoken = speak({
      seed: 9,
      speaker,
      emotion,
      sentence: 1 + speaker % 3,
      take: 1,
      sampleRateHz: EXAMPLE_RATE_HZ,
    });
    const bytes = encodeWav(telephone ? resample(spoken, 8000) : spoken);
    const file = `synthetic-${title.replaceAll(/[^a-z]+/g, "-")}.wav`;
    const path = `examples/${hashed(file, bytes)}`;
    files.set(path, bytes);
    return { title, describe, file, path };
  });
}

/** What a build takes. */
export interface BuildOptions {
  /** Folder that the built files go to. */
  readonly out: string;
  /** Makes the table of results. */
  readonly results: () => ResultsTable;
  /** How hard Brotli tries, 0 to 11; default 11. */
  readonly quality?: number;
}

/**
 * Builds the page into a folder: files with hashes in their names, their compressed forms, and `app.json`.
 *
 * @returns what `app.json` says.
 * @throws {WriteError} when a file cannot be written.
 * @throws {FormatError} when a module cannot be bundled.
 */
export async function buildApp({ out, results, quality = 11 }: BuildOptions): Promise<BuiltApp> {
  let bundled: Awaited<ReturnType<typeof bundleModules>>;
  try {
    bundled = await bundleModules();
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n").slice(0, 3).join(" ") : String(error);
    throw new FormatError(`The page cannot be built: ${why.replace(/\.$/, "")}.`, { cause: error });
  } finally {
    await esbuild.stop();
  }
  const { files, entries } = bundled;
  const put = (name: string, bytes: Uint8Array): string => {
    const path = `assets/${hashed(name, bytes)}`;
    files.set(path, bytes);
    return path;
  };
  const wasmFolder = join(root, "node_modules", "@tensorflow", "tfjs-backend-wasm", "dist");
  const parts = {
    app: entries.get("lib/page/app.ts")!,
    worker: entries.get("lib/page/worker.ts")!,
    worklet: entries.get("worklet.js")!,
    style: entries.get("style.css")!,
    wasm: put("tfjs.wasm", new Uint8Array(readFileSync(join(wasmFolder, "tfjs-backend-wasm-simd.wasm")))),
    icon: put("icon.svg", new Uint8Array(readFileSync(join(pageFolder, "icon.svg")))),
    results: put("results.json", new TextEncoder().encode(JSON.stringify(results()))),
  };
  const examples = makeExamples(files);
  const app: BuiltApp = {
    format: "serlab-page",
    version: 1,
    files: Object.fromEntries([...files].sort(([a], [b]) => a < b ? -1 : 1).map(([path, b]) => [path, sha256Hex(b)])),
    parts,
    examples,
    html: readFileSync(join(pageFolder, "index.html"), "utf8"),
    serviceWorker: entries.get("sw")!,
  };
  writeApp(out, files, app, quality);
  return app;
}

function writeApp(out: string, files: ReadonlyMap<string, Uint8Array>, app: BuiltApp, quality: number): void {
  const keep = new Set(["app.json"]);
  for (const [path, bytes] of files) {
    for (const ending of ["", ".br", ".gz"]) keep.add(path + ending);
    const target = join(out, path);
    // The name holds the hash: what is there need not be written or compressed again.
    if (existsSync(target) && statSync(target).size === bytes.length && existsSync(`${target}.done`)) {
      keep.add(`${path}.done`);
      continue;
    }
    mkdirSync(dirname(target), { recursive: true });
    const { br, gz } = compressed(path, bytes, quality);
    writeFileAtomic(target, bytes);
    if (br) writeFileAtomic(`${target}.br`, br);
    if (gz) writeFileAtomic(`${target}.gz`, gz);
    writeFileAtomic(`${target}.done`, "");
    keep.add(`${path}.done`);
  }
  writeFileAtomic(join(out, "app.json"), JSON.stringify(app));
  for (const folder of ["assets", "examples"]) {
    for (const name of existsSync(join(out, folder)) ? readdirSync(join(out, folder)) : []) {
      if (!keep.has(`${folder}/${name}`)) rmSync(join(out, folder, name), { force: true });
    }
  }
}
