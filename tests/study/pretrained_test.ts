import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { pretrain001 } from "../../experiments/s001_pretrain.ts";
import { study001 } from "../../experiments/s001_ravdess_pictures.ts";
import { FormatError, UsageError } from "../../lib/errors.ts";
import { study001Vgg16 } from "../../lib/models/mod.ts";
import { readRunRecord, recordPath } from "../../lib/results/record.ts";
import { applyPretrained, loadPretrained } from "../../lib/study/pretrained.ts";
import { prepare, runStudy } from "../../lib/study/run.ts";
import { engine } from "../engine/engine_for_tests.ts";
import { temporaryFolder, tinyCorpora } from "./small.ts";

// In the layout of Keras 2's VGG16 files, a thirty-second of the widths: tests/golden/make_weights_h5.py.
const golden = fileURLToPath(new URL("../golden/weights.h5", import.meta.url));
const spec = study001.variants["vgg16"]!.pretrained!;
assert.ok(spec.kind === "keras-h5");
const md5 = createHash("md5").update(readFileSync(golden)).digest("hex");

Deno.test("the convolutions of a Keras weight file are read by name and put into VGG16", async () => {
  const weights = await loadPretrained({ ...spec, md5 }, { path: golden, results: [temporaryFolder()] });
  assert.deepEqual([...weights.layers.keys()].slice(0, 3), ["block1_conv1", "block1_conv2", "block2_conv1"]);
  assert.equal(weights.layers.size, 13);
  const [kernel, bias] = weights.layers.get("block1_conv1")!;
  assert.deepEqual(kernel!.shape, [3, 3, 3, 2]);
  kernel!.data.forEach((value, i) => assert.ok(Math.abs(value - ((i % 97) / 100 - 0.5) / 10) < 1e-7));
  assert.deepEqual([...bias!.data], [0.5, 0.5]);
  const model = study001Vgg16({ classes: 8, seed: 1, widthDivisor: 32 });
  const head = model.getLayer("hidden1").getWeights()[0]!.dataSync();
  applyPretrained(model, weights);
  const last = model.getLayer("block5_conv3").getWeights()[0]!;
  assert.deepEqual(Array.from(last.dataSync()), Array.from(weights.layers.get("block5_conv3")![0]!.data));
  assert.deepEqual(model.getLayer("hidden1").getWeights()[0]!.dataSync(), head, "the head keeps its own");
  assert.throws(
    () => applyPretrained(study001Vgg16({ classes: 8, seed: 1, widthDivisor: 4 }), weights),
    (error: Error) => error instanceof FormatError && /block1_conv1 do not fit/.test(error.message),
  );
});

Deno.test("weights that are not there, not official or no HDF5 are refused in one sentence", async () => {
  const results: [string] = [temporaryFolder()];
  await assert.rejects(
    loadPretrained(spec, { results }),
    (error: Error) =>
      error instanceof UsageError &&
      /ImageNet weights of VGG16 are needed: download https:.* --weights/.test(error.message),
  );
  await assert.rejects(
    loadPretrained(spec, { path: golden, results }),
    /weights\.h5: is not the official vgg16_weights/,
  );
  await assert.rejects(loadPretrained(spec, { path: join(results[0], "no.h5"), results }), /no such file/);
  const text = join(results[0], "text.h5");
  writeFileSync(text, "words, not weights");
  await assert.rejects(
    loadPretrained(spec, { path: text, results, allowAnyFile: true }),
    (error: Error) => error instanceof FormatError && /text\.h5: is not an HDF5 file/.test(error.message),
  );
  await assert.rejects(
    loadPretrained({ ...spec, md5, layers: ["block9_conv1"] }, { path: golden, results }),
    /weights\.h5: has no layer block9_conv1/,
  );
  const quarter = study001.variants["vgg16-quarter"]!.pretrained!;
  await assert.rejects(
    loadPretrained(quarter, { results }),
    /quarter VGG16 .* are not there; make them with: deno task study 001-pretrain/,
  );
});

Deno.test("a pre-training's bundle starts the fine-tuning; other weights make another run; frozen layers stay", async () => {
  const out = temporaryFolder();
  mkdirSync(out, { recursive: true });
  const small = (train: "all" | "last-convolution") => (options: { classes: number; seed: number }) =>
    study001Vgg16({ ...options, widthDivisor: 32, train });
  const first = (study: typeof study001) => ({
    ...study,
    protocols: Object.fromEntries(
      Object.entries(study.protocols).map(([name, protocol]) => [
        name,
        "doesNotApply" in protocol ? protocol : {
          ...protocol,
          folds: ((rows, context) => {
            const [fold] = protocol.folds(rows, context);
            return [{
              ...fold!,
              train: fold!.train.slice(0, 4),
              validation: fold!.validation.slice(0, 2),
              test: fold!.test.slice(0, 3),
            }];
          }) satisfies typeof protocol.folds,
        },
      ]),
    ),
  });
  const source = first({
    ...pretrain001,
    variants: { "vgg16-quarter": { ...pretrain001.variants["vgg16-quarter"]!, model: small("all") } },
  });
  const crema = await prepare(source, { dir: tinyCorpora({ cremaD: 26 }), allowIncomplete: true, fraction: 0.3 });
  await runStudy(crema, {
    variant: "vgg16-quarter",
    protocol: "clean",
    seed: 0,
    out,
    engine,
    epochs: 1,
    bundle: join(out, "bundles", "001-pretrain-vgg16-quarter"),
  });
  const target = first({
    ...study001,
    variants: { tuned: { ...study001.variants["vgg16-quarter"]!, model: small("last-convolution") } },
  });
  const ravdess = await prepare(target, { dir: tinyCorpora({ ravdess: 6 }), allowIncomplete: true });
  const bundle = join(out, "bundles", "tuned");
  const options = { variant: "tuned", protocol: "clean", seed: 0, out, engine, epochs: 1 } as const;
  const { record } = await runStudy(ravdess, { ...options, bundle });
  const layers = ["block1_conv1", "block5_conv2", "block5_conv3"];
  const read = (name: string) =>
    loadPretrained({ kind: "bundle", describe: "", bundle: name, command: "", layers }, { results: [out] });
  const before = await read("001-pretrain-vgg16-quarter"), after = await read("tuned");
  const same = (layer: string) =>
    Buffer.compare(
      new Uint8Array(before.layers.get(layer)![0]!.data.buffer),
      new Uint8Array(after.layers.get(layer)![0]!.data.buffer),
    ) === 0;
  assert.deepEqual(layers.map(same), [true, true, false], "only the last convolution is tuned");
  assert.match(JSON.stringify(record.config["pretrained"]), /CREMA-D's pictures.*[0-9a-f]{64}/);
  await runStudy(crema, {
    variant: "vgg16-quarter",
    protocol: "clean",
    seed: 1,
    out,
    engine,
    epochs: 1,
    bundle: join(out, "bundles", "001-pretrain-vgg16-quarter"),
  });
  assert.ok(readRunRecord(recordPath(out, record)));
  await assert.rejects(runStudy(ravdess, options), /was made with other settings/);
});
