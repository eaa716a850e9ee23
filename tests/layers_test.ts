import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

// From the bottom up: a module imports from its own layer or from those before it.
const LAYERS: readonly (readonly string[])[] = [
  ["lib/types.ts", "lib/errors.ts", "lib/interruption.ts"],
  ["lib/bytes.ts", "lib/io.ts", "lib/npy.ts", "lib/random.ts"],
  ["lib/setup"],
  ["lib/audio"],
  ["lib/features"],
  ["lib/augment"],
  ["lib/corpora"],
  ["lib/split"],
  ["lib/engine"],
  ["lib/models"],
  ["lib/training"],
  ["lib/figures"],
  ["lib/results"],
  ["lib/bundle.ts", "lib/bundle_archive.ts", "lib/bundle_card.ts", "lib/bundle_files.ts"],
  [
    "lib/predict.ts",
    "lib/predict_doubts.ts",
    "lib/predict_figure.ts",
    "lib/predict_files.ts",
    "lib/predict_pool.ts",
    "lib/predict_worker.ts",
  ],
  ["lib/page"],
  ["lib/serve"],
  ["lib/notebook"],
  ["lib/study"],
  ["lib/search"],
  ["experiments"],
  ["lib/commands", "lib/cli.ts"],
];

// A bundle predicts in the browser: what predict.ts needs may import nothing of Deno or Node.
const BROWSER_ENTRIES = [
  "lib/page/app.ts",
  "lib/page/worker.ts",
  "lib/page/worklet.ts",
  "lib/page/sw.ts",
  "lib/predict.ts",
  "lib/figures/mod.ts",
  "lib/audio/mod.ts",
  "lib/features/mod.ts",
  "lib/augment/mod.ts",
];

function sources(folder: string): string[] {
  return readdirSync(join(root, folder)).sort().flatMap((name) => {
    const path = join(folder, name);
    if (statSync(join(root, path)).isDirectory()) return sources(path);
    return path.endsWith(".ts") && !path.endsWith(".d.ts") ? [path] : [];
  });
}

/** What a module imports when it is loaded or later; types alone do not count. */
function importsOf(file: string): string[] {
  // Doc blocks hold examples with imports of their own.
  const text = readFileSync(join(root, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "");
  const found = text.matchAll(
    /^(?:import|export)\s+(?!type\b)(?:[^;]*?\sfrom\s+)?"([^"]+)";|\bimport\(\s*(?:\/\/.*\s*)?"([^"]+)"\s*\)/gm,
  );
  return [...found].map((match) => match[1] ?? match[2]!);
}

function layerOf(file: string): number {
  return LAYERS.findIndex((layer) => layer.some((part) => file === part || file.startsWith(`${part}/`)));
}

const files = [...sources("lib"), ...sources("experiments")];

Deno.test("every module belongs to a layer and imports only from its own or lower ones", () => {
  const wrong: string[] = [];
  for (const file of files) {
    const layer = layerOf(file);
    if (layer < 0) wrong.push(`${file} belongs to no layer`);
    for (const specifier of importsOf(file).filter((each) => each.startsWith("."))) {
      const target = relative(root, resolve(root, dirname(file), specifier));
      if (target.startsWith("lib") || target.startsWith("experiments")) {
        if (layerOf(target) > layer) wrong.push(`${file} imports ${target}, which lies above it`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

Deno.test("no module imports itself through others", () => {
  const state = new Map<string, "open" | "done">();
  const visit = (file: string, path: readonly string[]): void => {
    if (state.get(file) === "done") return;
    assert.ok(state.get(file) !== "open", `cycle: ${[...path, file].join(" -> ")}`);
    state.set(file, "open");
    for (const specifier of importsOf(file).filter((each) => each.startsWith(".") && each.endsWith(".ts"))) {
      visit(relative(root, resolve(root, dirname(file), specifier)), [...path, file]);
    }
    state.set(file, "done");
  };
  for (const file of files) visit(file, []);
});

Deno.test("what the browser page needs imports nothing of Deno or Node", () => {
  const wrong: string[] = [];
  const seen = new Set<string>();
  const visit = (file: string, from: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const text = readFileSync(join(root, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    if (/\bDeno\./.test(text)) wrong.push(`${file} (from ${from}) uses Deno`);
    for (const specifier of importsOf(file)) {
      if (specifier.startsWith("node:")) wrong.push(`${file} (from ${from}) imports ${specifier}`);
      if (specifier.startsWith(".") && specifier.endsWith(".ts")) {
        visit(relative(root, resolve(root, dirname(file), specifier)), from);
      }
    }
  };
  for (const entry of BROWSER_ENTRIES) visit(entry, entry);
  assert.deepEqual(wrong, []);
  assert.ok(seen.size > 20);
});

Deno.test("no code draws from Math.random and no result depends on the time of day", () => {
  for (const file of files) {
    const text = readFileSync(join(root, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    assert.ok(!/Math\.random\(/.test(text), `${file} calls Math.random`);
  }
});
