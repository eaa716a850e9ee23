import assert from "node:assert/strict";
import * as tf from "@tensorflow/tfjs";
import { nativeStatus } from "../../lib/engine/native.ts";
import { startEngine } from "../../lib/engine/tf.ts";
import { UsageError } from "../../lib/errors.ts";

const { installed } = nativeStatus();

Deno.test({
  name: "without a wish native TensorFlow computes, in single precision, and stays for the process [native]",
  ignore: !installed,
  fn: async () => {
    const engine = await startEngine();
    assert.deepEqual(engine, { backend: "native", version: "tensorflow 2.19.1" });
    const product = tf.matMul([[1, 2], [3, 4]], [[5], [6]]);
    assert.deepEqual([...await product.data()], [17, 39]);
    product.dispose();
    assert.equal(await startEngine({ backend: "native" }), engine);
    await assert.rejects(startEngine({ backend: "wasm" }), (error: Error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /^Backend wasm cannot be started: this process already runs native\.$/);
      return true;
    });
  },
});

Deno.test("an unknown backend is refused by name", () => {
  assert.throws(() => startEngine({ backend: "abacus" as never }), /abacus: unknown; there are native, webgpu, wasm/);
});
