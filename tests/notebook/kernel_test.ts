import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeKernelspec } from "../../lib/notebook/execute.ts";
import { ensureTool } from "../../lib/setup/tools.ts";

const jupyter = await ensureTool("jupyter", { install: false });
const root = fileURLToPath(new URL("../../", import.meta.url));

/** Runs cells in one kernel of ours, interrupts those that ask for it, and prints what came of each. */
const SCRIPT = String.raw`
import json, os, queue, sys, time
from jupyter_client import KernelManager

km = KernelManager(kernel_name="deno")
km.start_kernel(cwd=sys.argv[1])
kc = km.client()
kc.start_channels()
kc.wait_for_ready(timeout=60)

def text_of(mid):
    said = ""
    while True:
        m = kc.get_iopub_msg(timeout=60)
        if m["parent_header"].get("msg_id") != mid:
            continue
        if m["msg_type"] == "stream":
            said += m["content"]["text"]
        if m["msg_type"] == "status" and m["content"]["execution_state"] == "idle":
            break
    # What a cell printed last may arrive after it is idle.
    while True:
        try:
            m = kc.get_iopub_msg(timeout=0.4)
        except queue.Empty:
            return said
        if m["parent_header"].get("msg_id") == mid and m["msg_type"] == "stream":
            said += m["content"]["text"]

def interrupt():
    request = kc.session.msg("interrupt_request", {})
    kc.control_channel.send(request)
    reply = kc.get_control_msg(timeout=60)
    assert reply["msg_type"] == "interrupt_reply" and reply["content"]["status"] == "ok", reply
    assert reply["parent_header"]["msg_id"] == request["header"]["msg_id"], reply

def cell(code, stopped):
    mid = kc.execute(code)
    if stopped:
        # A file, because what is printed in a loop without await arrives after it.
        waited = time.time()
        while not os.path.exists(sys.argv[2]):
            assert time.time() - waited < 60, code
            time.sleep(0.01)
        os.remove(sys.argv[2])
        interrupt()
    while True:
        r = kc.get_shell_msg(timeout=60)
        if r["parent_header"].get("msg_id") == mid:
            break
    c = r["content"]
    return {"status": c["status"], "error": str(c.get("ename")) + ": " + str(c.get("evalue")), "said": text_of(mid)}

results = []
try:
    for step in json.loads(sys.stdin.read()):
        if step.get("idle"):
            interrupt()
            continue
        results.append(cell(step["code"], step.get("interrupted", False)))
    kc.shutdown()
    for _ in range(600):
        if not km.is_alive():
            break
        time.sleep(0.1)
    results.append({"status": "still alive" if km.is_alive() else "ended"})
finally:
    km.shutdown_kernel(now=True)
    print(json.dumps(results))
`;

interface Step {
  readonly code?: string;
  /** The cell is interrupted when it has called `mark()`. */
  readonly interrupted?: boolean;
  /** An interrupt while no cell runs. */
  readonly idle?: boolean;
}

interface Outcome {
  readonly status: string;
  readonly error?: string;
  readonly said?: string;
}

async function inKernel(steps: readonly Step[]): Promise<Outcome[]> {
  if (!jupyter.available) throw new Error("ignored");
  const folder = mkdtempSync(join(tmpdir(), "serlab-test-")), marker = join(folder, "mark");
  const mark = { code: `const mark = () => Deno.writeTextFileSync(${JSON.stringify(marker)}, "");` };
  const child = new Deno.Command(jupyter.path, {
    args: ["-c", SCRIPT, root, marker],
    env: { JUPYTER_PATH: writeKernelspec(), NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", JUPYTER_NO_CONFIG: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify([mark, ...steps])));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const last = new TextDecoder().decode(stdout).trim().split("\n").at(-1)!;
  // What stopped the script, and after which cell.
  assert.equal(code, 0, `${last}\n${new TextDecoder().decode(stderr)}`);
  assert.ok(last.startsWith("["), new TextDecoder().decode(stderr));
  rmSync(folder, { recursive: true, force: true });
  return JSON.parse(last).slice(1);
}

const SETUP = `
import * as tf from "@tensorflow/tfjs";
import { startEngine } from "./lib/engine/tf.ts";
import { createTrainer } from "./lib/engine/mod.ts";
import { fit } from "./lib/training/train.ts";
await startEngine();
const data = { x: { data: Float32Array.from({ length: 64 * 20 }, (_, i) => Math.sin(i * i)), shape: [64, 20] },
  y: Int32Array.from({ length: 64 }, (_, i) => i % 2) };
function build() {
  const model = tf.sequential({ layers: [
    tf.layers.dense({ units: 16, inputShape: [20], activation: "relu", kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }) }),
    tf.layers.batchNormalization(),
    tf.layers.dense({ units: 2, activation: "softmax", kernelInitializer: tf.initializers.glorotUniform({ seed: 2 }) }),
  ] });
  return { model, trainer: createTrainer(model, { optimizer: { kind: "adam", learningRate: 0.01 }, seed: 1 }) };
}
async function train(epochs: number) {
  const { model, trainer } = build();
  try {
    const onEpoch = ({ epoch }) => epoch === 5 && epochs > 5 && mark();
    return (await fit(trainer, data, { epochs, batchSize: 8 }, { seed: 1, onEpoch })).history.at(-1)!.loss;
  } finally {
    trainer.dispose();
    model.dispose();
    console.log("cleaned up");
  }
}
const layer = new (class extends tf.layers.Layer {
  static className = "Endless";
  override call() { mark(); for (;;); }
})({});
function traceForever() {
  const model = tf.sequential({ layers: [
    tf.layers.inputLayer({ inputShape: [20] }), layer, tf.layers.dense({ units: 2, activation: "softmax" })] });
  createTrainer(model, { optimizer: { kind: "sgd", learningRate: 0.1 }, seed: 1 });
}
const tensorsBefore = tf.memory().numTensors;`;

Deno.test({
  name:
    "an interrupt stops training, a trace, a loop and a cell that awaits its own; afterwards the kernel trains as before [jupyter]",
  ignore: !jupyter.available,
  fn: async () => {
    const check = { code: "console.log(await train(3), tf.engine().state.scopeStack.length)" };
    const training = { code: "await train(1e7)", interrupted: true };
    const steps: Step[] = [
      { code: SETUP },
      check,
      training,
      check,
      { code: "mark(); for (;;);", interrupted: true },
      check,
      { code: "traceForever()", interrupted: true },
      check,
      { code: "await 1; traceForever()", interrupted: true },
      check,
      { idle: true },
      check,
      {
        code: `for (let i = 0; ; i++) {
          for (const start = performance.now(); performance.now() - start < 40;);
          await new Promise((done) => setTimeout(done, 0));
          if (i === 3) mark();
        }`,
        interrupted: true,
      },
      check,
      training,
      training,
      check,
    ];
    const outcomes = await inKernel(steps);
    const cells = steps.filter(({ idle }) => !idle);
    assert.deepEqual(outcomes.pop(), { status: "ended" });
    assert.equal(outcomes.length, cells.length);
    const [setup, first] = outcomes;
    assert.equal(setup!.status, "ok", String(setup!.error));
    cells.forEach((step, i) => {
      const { status, error, said } = outcomes[i]!;
      if (step === check) assert.deepEqual({ status, said }, { status: "ok", said: first!.said }, `cell ${i}`);
      if (!step.interrupted) return;
      assert.equal(status, "error", String(step.code));
      // Training ends by itself: it says so, and what it opened is closed.
      if (step === training) {
        assert.equal(error, "InterruptedError: Interrupted.");
        assert.match(said!, /cleaned up\n$/);
      }
    });
    assert.match(first!.said!, /cleaned up\n0\.\d+ 0\n$/);
  },
});

Deno.test({
  name: "a progress bar stops the loop around it, and a cell that cannot be stopped says so [jupyter]",
  ignore: !jupyter.available,
  fn: async () => {
    const outcomes = await inKernel([
      { code: 'import { progress } from "./lib/notebook/progress.ts";' },
      {
        code: `const bar = progress(1e9);
          for (let i = 0; i < 1e9; i++) { if (i === 3) mark(); await bar.tick(); }`,
        interrupted: true,
      },
      {
        code: 'mark(); await new Promise((done) => setTimeout(done, 4000)); "done"',
        interrupted: true,
      },
      { code: "1 + 1" },
    ]);
    assert.deepEqual(outcomes.map(({ status }) => status), ["ok", "error", "ok", "ok", "ended"]);
    assert.equal(outcomes[1]!.error, "InterruptedError: Interrupted.");
    assert.match(outcomes[2]!.said!, /cannot be stopped/);
  },
});
