import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as tf from "@tensorflow/tfjs";
import { type Binding, nativeBackend } from "../../lib/engine/compiled/binding.ts";
import { compile, NotCompilable } from "../../lib/engine/compiled/mod.ts";
import { createTrainer } from "../../lib/engine/mod.ts";
import { readWeights } from "../../lib/engine/trainer.ts";
import { checkpointFile } from "../../lib/training/checkpoint.ts";
import { temporaryFolder } from "../study/small.ts";
import { examples, model, train } from "./compiled_faults_child.ts";
import { engine } from "./engine_for_tests.ts";

const ignore = engine.backend !== "native";
const test = (name: string, fn: () => Promise<void> | void): void =>
  Deno.test({ name: `${name} [native]`, ignore, fn });
const child = fileURLToPath(new URL("./compiled_faults_child.ts", import.meta.url));
const SGD = { kind: "sgd", learningRate: 0.05 } as const;

/** Runs `f` with some of the binding's functions replaced, and with a temporary folder of its own, which is handed over. */
async function withFaults<T>(
  faults: (real: Binding) => Partial<Binding>,
  f: (folder: string) => T,
): Promise<Awaited<T>> {
  const backend = nativeBackend()!, real = backend.binding, replaced = faults(real);
  const folder = temporaryFolder(), before = Deno.env.get("TMPDIR");
  backend.binding = new Proxy({} as Binding, {
    get: (_, name) => {
      const own = (replaced as Record<string | symbol, unknown>)[name] ?? real[name as keyof Binding];
      return typeof own === "function" ? own.bind(real) : own;
    },
  });
  Deno.env.set("TMPDIR", folder);
  try {
    return await f(folder);
  } finally {
    backend.binding = real;
    if (before === undefined) Deno.env.delete("TMPDIR");
    else Deno.env.set("TMPDIR", before);
    rmSync(folder, { recursive: true });
  }
}

const FAULTS: Readonly<Record<string, [(real: Binding) => Partial<Binding>, RegExp]>> = {
  "a graph file that is gone when it is to be loaded": [
    (real) => ({
      loadSavedModel: (folder, tags) => {
        rmSync(join(folder, "saved_model.pb"));
        return real.loadSavedModel(folder, tags);
      },
    }),
    /could not be loaded \(.*(not find|no such file)/i,
  ],
  "a graph file cut in half": [
    (real) => ({
      loadSavedModel: (folder, tags) => {
        const file = join(folder, "saved_model.pb");
        truncateSync(file, Math.floor(readFileSync(file).length / 2));
        return real.loadSavedModel(folder, tags);
      },
    }),
    /could not be loaded \(/,
  ],
  "a graph file that holds something else": [
    (real) => ({
      loadSavedModel: (folder, tags) => {
        writeFileSync(join(folder, "saved_model.pb"), "hello");
        return real.loadSavedModel(folder, tags);
      },
    }),
    /could not be loaded \(/,
  ],
  "a graph that loads and does not run": [
    (real) => ({
      runSavedModel: (id, inputs, names, outputs) => {
        if (outputs === "train:0") throw new Error("No OpKernel was registered to support Op 'SplitV'");
        return real.runSavedModel(id, inputs, names, outputs);
      },
    }),
    /does not run \(No OpKernel/,
  ],
};

for (const [name, [faults, reason]] of Object.entries(FAULTS)) {
  test(`${name}: one line says so, nothing is left of it, and the model trains operation by operation`, async () => {
    const network = model(), weights = await readWeights(network);
    const { binding } = nativeBackend()!;
    nativeBackend()!.getInputTensorIds(network.getWeights()); // uploads them, so that handles can be counted
    const count = () => [tf.memory().numTensors, binding.getNumOfTensors(), binding.getNumOfSavedModels()];
    const before = count(), notices: string[] = [];
    const trainer = await withFaults(faults, (folder) => {
      assert.throws(() => compile(network, { optimizer: SGD, seed: 1 }), (error) => {
        assert.ok(error instanceof NotCompilable);
        assert.match(error.message, reason);
        return true;
      });
      assert.deepEqual(count(), before);
      const trainer = createTrainer(network, { optimizer: SGD, seed: 1, onNotice: (line) => notices.push(line) });
      assert.deepEqual(readdirSync(folder), []);
      return trainer;
    });
    assert.deepEqual(await readWeights(network), weights);
    assert.equal(notices.length, 1);
    assert.match(notices[0]!, /^engine: the model faulty is trained operation by operation/);
    assert.match(notices[0]!, reason);
    const { x, y } = examples(6), first = await trainer.trainOnBatch(x, y);
    for (let i = 0; i < 20; i++) await trainer.trainOnBatch(x, y);
    assert.ok((await trainer.evaluate(x, y)).loss < first.loss);
    trainer.dispose();
  });
}

test("a step that TensorFlow ends with an error leaves the weights, and the step can be taken again", async () => {
  const failing = { now: false };
  const trainer = await withFaults(
    (real) => ({
      runSavedModel: (id, inputs, names, outputs) => {
        if (failing.now) throw new Error("OOM when allocating tensor");
        return real.runSavedModel(id, inputs, names, outputs);
      },
    }),
    () => compile(model(), { optimizer: SGD, seed: 1 }),
  );
  const whole = compile(model(), { optimizer: SGD, seed: 1 });
  const { x, y } = examples(6);
  for (const each of [trainer, whole]) await each.trainOnBatch(x, y);
  const tensors = nativeBackend()!.binding.getNumOfTensors(), before = await trainer.state();
  failing.now = true;
  await assert.rejects(trainer.trainOnBatch(x, y), /OOM/);
  failing.now = false;
  assert.equal(nativeBackend()!.binding.getNumOfTensors(), tensors);
  assert.deepEqual(await trainer.state(), before);
  for (const each of [trainer, whole]) await each.trainOnBatch(x, y);
  assert.deepEqual(await trainer.state(), await whole.state());
  for (const each of [trainer, whole]) each.dispose();
});

Deno.test({
  name: "on a full disk one line says that the graph could not be written, and the model trains all the same [native]",
  ignore: ignore || Deno.build.os === "windows",
  fn: async () => {
    // No file of the process can grow beyond a kilobyte: the write ends in the middle, as on a full disk.
    const folder = temporaryFolder();
    const { code, stdout, stderr } = await new Deno.Command("sh", {
      args: ["-c", `trap '' XFSZ; ulimit -f 1; exec "$0" run -A --no-check "$1" full`, Deno.execPath(), child],
      env: { TMPDIR: folder },
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    const { notices, untouched, losses } = JSON.parse(lines.at(-1)!) as {
      notices: string[];
      untouched: boolean;
      losses: number[];
    };
    assert.equal(notices.length, 1);
    assert.match(notices[0]!, /operation by operation, .*could not be loaded \(.*(EFBIG|too large)/i);
    assert.ok(untouched);
    assert.ok(losses[1]! < losses[0]!);
    assert.deepEqual(readdirSync(folder), [], "half a graph stays behind");
  },
});

test("a process killed while it traces loses nothing: the checkpoint stands, and training goes on from it", async () => {
  const folder = temporaryFolder(), path = join(folder, "a.ckpt");
  mkdirSync(folder, { recursive: true });
  const { success, signal, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", child, "killed", path],
  }).output();
  assert.ok(!success && signal === "SIGKILL", new TextDecoder().decode(stderr));
  assert.ok(existsSync(`${path}.before`));
  assert.deepEqual(readFileSync(path), readFileSync(`${path}.before`));
  const epochs: number[] = [];
  const resumed = await train(model(), checkpointFile(path), { onEpoch: (epoch) => epochs.push(epoch) });
  assert.deepEqual(epochs, [3, 4]);
  assert.deepEqual(resumed, await train(model(), undefined));
});
