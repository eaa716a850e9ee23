// The reference features of ../shared/golden (librosa 0.11.0) from its own audio at 22,050 Hz, so without our decoding
// and resampling. Bounds are the project's: shares of the array's range, constant arrays within 1e-6.

import assert from "node:assert/strict";
import * as f from "../../lib/features/mod.ts";
import { clips, closeByRange, difference, expected, type GoldenClip, missing, present } from "./golden.ts";

const audio = (clip: GoldenClip) => expected(clip, "audio_22050").data;
const reference = (clip: GoldenClip, name: string) => expected(clip, `at22050_${name}`).data;

function check(what: string, each: (clip: GoldenClip) => void): void {
  Deno.test({
    name: `${what}${missing}`,
    ignore: !present,
    fn: () => {
      for (const clip of clips) each(clip);
    },
  });
}

/** Asserts that at least `share` of the values lie within `bound` times the reference's range. */
function mostly(actual: ArrayLike<number>, wanted: ArrayLike<number>, bound: number, share: number, what: string) {
  const d = difference(actual, wanted);
  const within = d.within(d.range === 0 ? 1e-6 : bound * d.range);
  assert.ok(within >= share, `${what}: ${within} of the values are within the bound`);
}

check("STFT magnitude is librosa's within 1e-4 of its range", (clip) => {
  const { data, shape: [bins, frames] } = f.spectrogram(audio(clip));
  const wanted = expected(clip, "at22050_stft_magnitude_every_16th_frame");
  const columns = wanted.shape[1]!;
  const thinned = Float32Array.from(
    { length: bins * columns },
    (_, i) => data[Math.floor(i / columns) * frames + 16 * (i % columns)]!,
  );
  closeByRange(thinned, wanted.data, 1e-4, clip.id);
});

check("mel power and its dB are librosa's within 1e-4 of the range and 0.02 dB", (clip) => {
  const mel = f.melspectrogram(audio(clip), { fmax: 8000 });
  closeByRange(mel.data, reference(clip, "mel_power_fmax8000"), 1e-4, clip.id);
  const { max } = difference(f.powerToDb(mel, { ref: "max" }).data, reference(clip, "mel_db_refmax_fmax8000"));
  assert.ok(max <= 0.02, `${clip.id}: dB differ by ${max}`);
});

check("20 and 40 MFCC are librosa's within 0.02", (clip) => {
  for (const nMfcc of [20, 40]) {
    const { max } = difference(f.mfcc(audio(clip), { nMfcc }).data, reference(clip, `mfcc${nMfcc}`));
    assert.ok(max <= 0.02, `${clip.id}: ${nMfcc} MFCC differ by ${max}`);
  }
});

check("delta of MFCC is librosa's within 1e-4 of its range", (clip) => {
  const mfcc = f.mfcc(audio(clip));
  const wanted = reference(clip, "mfcc20_delta");
  const level = mfcc.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const { max, range } = difference(f.delta(mfcc).data, wanted);
  // The digitally silent clip has a delta of exactly 0; SciPy fits its edges in 32 bits and gives the rounding of the
  // level (-1131) instead, which differs from machine to machine.
  assert.ok(max <= Math.max(1e-4 * range, 1e-7 * level), `${clip.id}: differs by ${max}`);
});

check("chroma of |STFT| is librosa's within 1e-4 of its range", (clip) => {
  closeByRange(f.chromaStft(f.spectrogram(audio(clip))).data, reference(clip, "chroma_stft"), 1e-4, clip.id);
});

check("chroma of audio, tuning estimated, is librosa's within 1e-3 for 99 % of the values", (clip) => {
  mostly(f.chromaStft(audio(clip)).data, reference(clip, "chroma_stft_from_audio"), 1e-3, 0.99, clip.id);
});

check("zero-crossing rate and RMS are librosa's within 1e-4 of their range", (clip) => {
  closeByRange(f.zeroCrossingRate(audio(clip)).data, reference(clip, "zero_crossing_rate"), 1e-4, clip.id);
  closeByRange(f.rms(audio(clip)).data, reference(clip, "rms"), 1e-4, clip.id);
});

check("centroid, bandwidth and flatness are librosa's within 1e-4 of their range", (clip) => {
  closeByRange(f.spectralCentroid(audio(clip)).data, reference(clip, "spectral_centroid"), 1e-4, clip.id);
  closeByRange(f.spectralBandwidth(audio(clip)).data, reference(clip, "spectral_bandwidth"), 1e-4, clip.id);
  closeByRange(f.spectralFlatness(audio(clip)).data, reference(clip, "spectral_flatness"), 1e-4, clip.id);
});

check("contrast is librosa's within 1e-3 for 99 % of the values", (clip) => {
  mostly(f.spectralContrast(audio(clip)).data, reference(clip, "spectral_contrast"), 1e-3, 0.99, clip.id);
});

check("roll-off is librosa's in 99.5 % of the frames", (clip) => {
  // Equal up to the 32 bits in which the reference is kept; one bin is 10.8 Hz.
  const { within } = difference(f.spectralRolloff(audio(clip)).data, reference(clip, "spectral_rolloff"));
  assert.ok(within(1e-2) >= 0.995, `${clip.id}: ${within(1e-2)}`);
});

check("YIN is librosa's within 0.5 % in 99 % of the frames", (clip) => {
  const wanted = reference(clip, "yin_f0_65_500"), actual = f.yin(audio(clip), { fmin: 65, fmax: 500 });
  const good = wanted.filter((x, i) => Math.abs(actual[i]! - x) <= 0.005 * x).length;
  assert.equal(actual.length, wanted.length);
  assert.ok(good >= 0.99 * wanted.length, `${clip.id}: ${good} of ${wanted.length}`);
});

check(
  "pYIN decides voicing as librosa in 98 % of the frames and is within a pitch bin in 97 % of the voiced",
  (clip) => {
    const wanted = reference(clip, "pyin_f0_65_500_nan_unvoiced");
    const { f0, voicedFlag, voicedProb } = f.pyin(audio(clip), { fmin: 65, fmax: 500 });
    assert.equal(f0.length, wanted.length);
    let decided = 0, both = 0, near = 0;
    wanted.forEach((x, i) => {
      const voiced = !Number.isNaN(x);
      if (voiced === (voicedFlag[i] === 1)) decided++;
      if (!voiced || voicedFlag[i] !== 1) return;
      both++;
      // A bin is a tenth of a semitone.
      if (Math.abs(Math.log2(f0[i]! / x)) * 120 <= 1.001) near++;
    });
    assert.ok(decided >= 0.98 * wanted.length, `${clip.id}: voicing equal in ${decided} of ${wanted.length}`);
    assert.ok(near >= 0.97 * both, `${clip.id}: ${near} of ${both} voiced frames`);
    mostly(voicedProb, reference(clip, "pyin_voiced_probability"), 0.01, 0.98, clip.id);
  },
);
