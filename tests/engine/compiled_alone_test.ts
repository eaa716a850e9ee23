import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** All modules that one needs, and what they import from elsewhere. */
function closure(entry: string): { files: string[]; packages: Map<string, string[]> } {
  const files = new Set<string>(), packages = new Map<string, string[]>(), open = [entry];
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    const text = readFileSync(join(root, file), "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "");
    for (
      const [, from, later] of text.matchAll(/^(?:import|export)\s[^;]*?from\s+"([^"]+)";|\bimport\("([^"]+)"\)/gm)
    ) {
      const name = (from ?? later)!;
      if (name.startsWith(".")) open.push(join(dirname(file), name));
      else packages.set(name, [...packages.get(name) ?? [], file]);
    }
    assert.doesNotMatch(text, /\bDeno\./, `${file} needs Deno`);
  }
  return { files: [...files].sort(), packages };
}

Deno.test("engine/compiled stands by itself: tf.js, three of Node's modules in one place, and the eight files its README names", () => {
  const { files, packages } = closure("lib/engine/compiled/mod.ts");
  const readme = readFileSync(join(root, "lib/engine/compiled/README.md"), "utf8");
  const others = files.filter((file) => !file.startsWith("lib/engine/compiled/"));
  assert.deepEqual(others, [
    ...["objective", "optimizers", "random_layers", "trainer"].map((name) => `lib/engine/${name}.ts`),
    ...["errors", "interruption", "random", "types"].map((name) => `lib/${name}.ts`),
  ]);
  for (const file of others) assert.ok(readme.includes(`\`${relative(dirname(file), file)}\``), file);
  assert.deepEqual([...packages.keys()].sort(), ["@tensorflow/tfjs", "node:fs", "node:os", "node:path"]);
  for (const [name, users] of packages) {
    if (name.startsWith("node:")) assert.deepEqual(users, ["lib/engine/compiled/session.ts"]);
  }
});
