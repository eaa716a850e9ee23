import assert from "node:assert/strict";
import { loadAudio } from "../../lib/audio/load.ts";
import { recipe } from "../../lib/features/mod.ts";
import { clips, difference, expected, missing, present } from "./golden.ts";

// librosa 0.11.0 and scikit-image 0.26.0: resize(amplitude_to_db(abs(stft(load(file, sr=48000)))), (64, 64),
// anti_aliasing=True). Bounds of the project: 0.05 dB mean and 1 dB largest at 48 kHz, 0.3 dB mean after resampling.
Deno.test({
  name: `study000 gives the reference's dB picture within the bounds${missing}`,
  ignore: !present,
  async fn() {
    for (const clip of clips) {
      const wave = await loadAudio(clip.path, { sampleRateHz: 48000 });
      const { data, shape } = recipe("study000").extract(wave);
      assert.deepEqual(shape, [64, 64]);
      const { mean, max } = difference(data, expected(clip, "study000_db_64x64").data);
      if (clip.rate === 48000) {
        assert.ok(mean <= 0.05 && max <= 1, `${clip.id}: mean ${mean} dB, largest ${max} dB`);
      } else assert.ok(mean <= 0.3, `${clip.id}: mean ${mean} dB`);
    }
  },
});
