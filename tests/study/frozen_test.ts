import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { demo } from "../../experiments/demo.ts";
import { readBundle } from "../../lib/bundle_files.ts";
import { FeatureCache } from "../../lib/features/cache.ts";
import { study000Cnn } from "../../lib/models/mod.ts";
import type { Study, Variant } from "../../lib/study/declare.ts";
import { prepare, type Prepared, runStudy } from "../../lib/study/run.ts";
import { engine } from "../engine/engine_for_tests.ts";
import { onSynthetic, smallCorpus, temporaryFolder } from "./small.ts";

/** The demo's network with its first convolution frozen. */
const frozen: Variant = {
  ...demo.variants["cnn"]!,
  model: (options) => {
    const model = study000Cnn({ ...options, dropout: 0.5 });
    model.layers[0]!.trainable = false;
    return model;
  },
};

/** A change of batches that changes nothing keeps the whole model at work. */
const unchanged: Variant = {
  ...frozen,
  batch: { describe: "nothing", apply: ({ x, y }) => ({ x, targets: y }) },
};

const study: Study = {
  ...demo,
  // Unscaled, so that the folds have the same rows.
  scaler: "none",
  variants: { frozen, unchanged },
};

async function prepared(cache: FeatureCache): Promise<Prepared> {
  return await prepare(onSynthetic(study), { dir: await smallCorpus(), cache });
}

Deno.test("a run with frozen layers equals that of the whole model, and its bundle holds the whole", async () => {
  const dir = temporaryFolder(), cache = new FeatureCache(dir);
  const options = { protocol: "clean", seed: 3, engine, epochs: 2 } as const;
  const out = temporaryFolder(), bundle = join(out, "bundle");
  const { record } = await runStudy(await prepared(cache), { ...options, variant: "frozen", out, bundle });
  const { record: whole } = await runStudy(await prepared(cache), { ...options, variant: "unchanged", out });
  for (const [i, { history }] of record.folds.entries()) {
    for (const [epoch, log] of history.entries()) {
      const expected = whole.folds[i]!.history[epoch]!;
      assert.ok(Math.abs(log.loss! - expected.loss!) < 1e-4, `${log.loss} is not ${expected.loss}`);
    }
  }
  const probabilities = (name: string): number[] =>
    readFileSync(join(out, "demo", "clean", name), "utf8").trim().split("\n").slice(1)
      .flatMap((line) => line.split(",").slice(-8).map(Number));
  const [a, b] = [probabilities(record.predictions), probabilities(whole.predictions)];
  assert.equal(a.length, 64 * 8);
  a.forEach((p, i) => assert.ok(Math.abs(p - b[i]!) < 1e-4, `${p} is not ${b[i]}`));

  const folders = readdirSync(join(dir, "numbers-1"));
  assert.equal(folders.filter((name) => name.startsWith("bottleneck-")).length, 1, "both folds share the features");
  const { weights } = await readBundle(bundle);
  const values = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
  assert.equal(values, 1_625_608, "study 000's network");
  assert.equal(existsSync(join(out, ".checkpoints")) && readdirSync(join(out, ".checkpoints")).length > 0, false);
});
