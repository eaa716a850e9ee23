import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as f from "../../lib/features/mod.ts";
import { kernel, useKernel } from "../../lib/features/kernel.ts";
import { FEATURE_KERNEL_SOURCE_SHA256 } from "../../lib/features/kernel_wasm.ts";
import { sha256Hex } from "../../lib/io.ts";
import { synthetic } from "./synthetic.ts";

Deno.test("kernel_wasm.ts was compiled from kernel.c as it stands", () => {
  const source = readFileSync(new URL("../../lib/features/kernel.c", import.meta.url));
  assert.equal(sha256Hex(source), FEATURE_KERNEL_SOURCE_SHA256, "run lib/features/kernel_build.ts");
});

/** Everything that the kernel computes, over lengths that fill, miss and overfill its pieces. */
function everything(samples: Float32Array): Record<string, ArrayLike<number>> {
  const wave = { samples, sampleRateHz: 22050 };
  const out: Record<string, ArrayLike<number>> = {};
  for (const nFft of [64, 128, 256, 512, 1024, 2048, 4096]) {
    const { re, im } = f.stft(samples, { nFft });
    out[`re ${nFft}`] = re;
    out[`im ${nFft}`] = im;
    out[`power ${nFft}`] = f.spectrogram(samples, { nFft, power: 2 }).data;
    out[`mel ${nFft}`] = f.melspectrogram(wave, { nFft, nMels: 20, winLength: nFft - 10, window: "hamming" }).data;
    out[`log-mel ${nFft}`] = f.logMelSpectrogram(wave, { nFft, nMels: 20, hopLength: 100 }).data;
    out[`tuning ${nFft}`] = [f.estimateTuning(wave, { nFft })];
  }
  out["reflect"] = f.stft(samples, { padMode: "reflect" }).re;
  out["uncentred"] = samples.length < 2048 ? [] : f.spectrogram(samples, { center: false, hopLength: 77 }).data;
  out["cube"] = f.spectrogram(samples, { power: 3 }).data;
  out["mfcc"] = f.mfcc(wave, { nMfcc: 33 }).data;
  out["mel of a spectrogram"] = f.melspectrogram(f.spectrogram(samples, { power: 2 })).data;
  out["chroma"] = f.chromaStft(wave).data;
  out["chroma 7"] = f.chromaStft(wave, { nChroma: 7, tuning: 0 }).data;
  const { data, shape } = f.logMelSpectrogram(wave);
  for (const to of [[5, 5], [200, 300], [128, 1]] as const) out[`resize ${to}`] = f.imresize({ data, shape }, to).data;
  out["study000"] = f.recipe("study000").extract({ samples, sampleRateHz: 48000 }).data;
  out["study004"] = f.recipe("study004").extract(wave).data;
  return out;
}

Deno.test("the compiled loops and those in TypeScript give the same features", () => {
  for (const length of [1, 1000, 2048, 22050, 128 * 512 + 1, 150000]) {
    const samples = synthetic(length + 1500).slice(1500);
    useKernel(true);
    assert.ok(kernel() !== undefined, "WebAssembly with SIMD is there");
    const fast = everything(samples);
    useKernel(false);
    assert.equal(kernel(), undefined);
    const slow = everything(samples);
    useKernel(true);
    for (const [name, values] of Object.entries(slow)) {
      const others = fast[name]!;
      assert.equal(others.length, values.length, name);
      let most = 0, apart = 0;
      for (let i = 0; i < values.length; i++) {
        most = Math.max(most, Math.abs(values[i]!));
        apart = Math.max(apart, Math.abs(values[i]! - others[i]!));
      }
      // Logarithms of 32-bit spectra are within 0.002 dB, everything else agrees to 32 bits.
      const bound = /log-mel|mfcc|resize|study/.test(name) ? 3e-5 * Math.max(most, 60) : 2e-6 * most;
      assert.ok(apart <= bound, `${name} of ${length} samples: ${apart} apart, largest value ${most}`);
    }
  }
});

Deno.test("pitch is the same to the last bit with and without the compiled loops", () => {
  for (const length of [500, 3000, 22050, 40000]) {
    const samples = synthetic(length + 1500).slice(1500);
    for (const options of [{}, { frameLength: 1024, hopLength: 100 }, { center: false, frameLength: 512 }]) {
      if (options.center === false && length < 512) continue;
      const range = { fmin: 100, fmax: 500, ...options };
      useKernel(true);
      const fast = [f.yin(samples, range), f.pyin(samples, range).f0, f.pyin(samples, range).voicedProb];
      useKernel(false);
      const slow = [f.yin(samples, range), f.pyin(samples, range).f0, f.pyin(samples, range).voicedProb];
      useKernel(true);
      assert.deepEqual(fast, slow);
    }
  }
});

Deno.test("ever new windows and filters do not fill the kernel's memory", () => {
  const samples = synthetic(100);
  for (let i = 0; i < 600; i++) {
    f.stft(samples, { nFft: 8192, window: Float64Array.from({ length: 8192 }, (_, k) => k + i) });
    assert.ok(kernel()!.tableBytes < 34 * 2 ** 20);
  }
});
