import assert from "node:assert/strict";
import { trim } from "../../lib/audio/mod.ts";

interface TrimCase {
  topDb: number;
  frameLength: number;
  hopLength: number;
  lead: number;
  body: number;
  tail: number;
  index: [number, number];
}
const golden: { trim: TrimCase[] } = JSON.parse(
  Deno.readTextFileSync(new URL("../golden/audio_containers.json", import.meta.url)),
);

// librosa 0.11.0, librosa.effects.trim(y, top_db, frame_length, hop_length)[1] (tests/golden/make_audio.py). Exact.
for (const { topDb, frameLength, hopLength, lead, body, tail, index } of golden.trim) {
  Deno.test(`trim at ${topDb} dB with frames of ${frameLength} cuts ${lead}+${body}+${tail} samples where librosa does`, () => {
    const quiet = 0.5 * 10 ** (-50 / 20);
    const samples = Float32Array.from(
      { length: lead + body + tail },
      (_, i) => Math.sin(0.05 * i) * (i >= lead && i < lead + body ? 0.5 : quiet),
    );
    const result = trim({ samples, sampleRateHz: 22050 }, { topDb, frameLength, hopLength });
    assert.deepEqual([result.start, result.end], index);
    assert.deepEqual(result.wave.samples, samples.subarray(result.start, result.end));
  });
}

Deno.test("trim leaves silence, a constant and the shortest signals as they are", () => {
  for (const samples of [new Float32Array(5000), new Float32Array(5000).fill(0.1), Float32Array.of(0.5)]) {
    const { wave, start, end } = trim({ samples, sampleRateHz: 8000 });
    assert.deepEqual([start, end, wave.samples.length], [0, samples.length, samples.length]);
  }
});
