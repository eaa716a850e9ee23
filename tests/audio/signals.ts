/** Signals and helpers that the audio tests share. */

import assert from "node:assert/strict";

/** The voice of `tests/golden/make_audio.py`: a gliding pitch with twenty harmonics; the second channel is higher. */
export function voice(rate: number, seconds: number, channels = 1): Float32Array[] {
  return Array.from(
    { length: channels },
    (_, c) =>
      Float32Array.from({ length: Math.round(rate * seconds) }, (_, i) => {
        const t = i / rate;
        const phase = 140 * t + 40 / (2 * Math.PI * 1.3) * (1 - Math.cos(2 * Math.PI * 1.3 * t));
        const envelope = Math.min(1, t / 0.02, (seconds - t) / 0.05);
        let sum = 0;
        for (let h = 1; h <= 20; h++) sum += Math.sin(2 * Math.PI * h * phase * (1 + 0.25 * c)) / h;
        return (0.3 - 0.06 * c) * envelope * sum;
      }),
  );
}

/** Signal-to-noise ratio in dB of `actual` shifted by `delay` samples against `expected`. */
export function snrDb(expected: Float32Array, actual: Float32Array, delay = 0): number {
  let signal = 0;
  let noise = 0;
  for (let i = Math.max(0, -delay); i < expected.length && i + delay < actual.length; i++) {
    signal += expected[i]! ** 2;
    noise += (expected[i]! - actual[i + delay]!) ** 2;
  }
  return 10 * Math.log10(signal / noise);
}

/** The delay within ±`reach` samples at which `actual` fits `expected` best. */
export function bestDelay(expected: Float32Array, actual: Float32Array, reach: number): number {
  let best = 0;
  let bestSnr = -Infinity;
  for (let delay = -reach; delay <= reach; delay++) {
    const snr = snrDb(expected, actual, delay);
    if (snr > bestSnr) [best, bestSnr] = [delay, snr];
  }
  return best;
}

/** Bytes of a base64 text. */
export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** Little-endian floats of a base64 text. */
export function floats(text: string): Float32Array {
  return new Float32Array(fromBase64(text).buffer);
}

/** Asserts that two arrays differ by at most `bound` in every element. */
export function assertClose(actual: Float32Array, expected: Float32Array, bound: number, what: string): void {
  assert.equal(actual.length, expected.length, `${what}: length`);
  let worst = 0;
  let at = 0;
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= worst)) [worst, at] = [difference, i];
  }
  assert.ok(worst <= bound, `${what}: element ${at} differs by ${worst}, at most ${bound} is allowed`);
}
