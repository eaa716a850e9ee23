import assert from "node:assert/strict";
import { ravdess } from "../../lib/corpora/ravdess.ts";

Deno.test("a RAVDESS name tells channel, emotion, intensity, sentence, take, speaker and sex", () => {
  assert.deepEqual(ravdess.parse("any/where/Actor_12/03-01-06-02-01-02-12.wav"), {
    key: "ravdess/03-01-06-02-01-02-12",
    path: "any/where/Actor_12/03-01-06-02-01-02-12.wav",
    corpus: "ravdess",
    speaker: "ravdess-12",
    sex: "female",
    emotion: "fearful",
    sentence: "01",
    take: "02",
    intensity: "strong",
    channel: "speech",
  });
  assert.equal(ravdess.parse("03-02-02-01-02-01-01.WAV")?.channel, "song");
});

Deno.test("RAVDESS refuses names that its scheme cannot produce", () => {
  for (
    const name of [
      "02-01-06-02-01-02-12.wav", // video
      "03-03-06-02-01-02-12.wav", // no such channel
      "03-01-09-02-01-02-12.wav", // no such emotion
      "03-01-00-02-01-02-12.wav",
      "03-01-01-02-01-02-12.wav", // neutral is never strong
      "03-02-07-01-01-02-12.wav", // no disgust in song
      "03-01-06-02-03-02-12.wav", // no third statement
      "03-01-06-02-01-03-12.wav", // no third repetition
      "03-01-06-02-01-02-25.wav", // no such actor
      "03-01-06-02-01-02-00.wav",
      "03-01-06-02-01-02-12.wav.wav",
      "x03-01-06-02-01-02-12.wav",
      "syn-03-01-06-02-01-02-12.wav",
    ]
  ) assert.equal(ravdess.parse(name), undefined, name);
});

Deno.test("RAVDESS expects 1,440 speech and 1,012 song recordings, song without actor 18", () => {
  const [speech, song] = ravdess.expected;
  assert.equal(speech!.files, 1440);
  assert.deepEqual(speech!.perEmotion, {
    neutral: 96,
    calm: 192,
    happy: 192,
    sad: 192,
    angry: 192,
    fearful: 192,
    disgust: 192,
    surprised: 192,
  });
  assert.equal(Object.keys(speech!.perSpeaker).length, 24);
  assert.ok(Object.values(speech!.perSpeaker).every((n) => n === 60));
  assert.equal(song!.files, 1012);
  assert.equal(song!.perSpeaker["ravdess-18"], undefined);
  assert.ok(Object.values(song!.perSpeaker).every((n) => n === 44));
  assert.equal(new Set(speech!.keys!()).size, 1440);
});
