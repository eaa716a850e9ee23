import assert from "node:assert/strict";
import { dirname } from "node:path";
import { fileURLToPath as fromFileUrl } from "node:url";

// A process runs one backend, so the wasm kernels are compared in a process of their own.
Deno.test("on wasm the gradients of convolutions, pools and products are those of the definition, for strides, paddings and odd sizes", async () => {
  const script = new URL("./wasm_gradients.ts", import.meta.url);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", fromFileUrl(script)],
    cwd: dirname(fromFileUrl(script)),
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const { cases, worst } = JSON.parse(new TextDecoder().decode(stdout)) as { cases: number; worst: number };
  assert.equal(cases, 19);
  assert.ok(worst < 2e-5, `worst relative difference ${worst}`);
});

interface Trained {
  readonly trained: readonly { readonly name: string; readonly losses: readonly number[] }[];
  readonly ours: number;
  readonly plain: number;
}

Deno.test("on wasm every study's model trains, five times faster than with the plain filter gradient", async () => {
  const script = new URL("./wasm_models.ts", import.meta.url);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", fromFileUrl(script)],
    cwd: dirname(fromFileUrl(script)),
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const { trained, ours, plain } = JSON.parse(new TextDecoder().decode(stdout)) as Trained;
  assert.equal(trained.length, 10);
  for (const { name, losses } of trained) {
    assert.equal(losses.length, 2, `${name}: a weight did not move`);
    assert.ok(losses.every(Number.isFinite), name);
  }
  assert.ok(plain / ours >= 5, `${ours} ms a step, ${plain} ms with the plain sum`);
});
