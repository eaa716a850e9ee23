import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../../lib/errors.ts";
import { sha256Hex } from "../../lib/io.ts";
import { EMOTIONS } from "../../lib/types.ts";
import { indexCorpus, manifestHash } from "../../lib/corpora/mod.ts";
import { ravdess } from "../../lib/corpora/ravdess.ts";
import { synthesize, synthetic } from "../../lib/corpora/synthetic.ts";
import { speak } from "../../lib/corpora/voice.ts";

async function inFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "serlab-synthetic-"));
  try {
    await work(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const rms = (samples: Float32Array) => Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);

Deno.test("the synthetic corpus has the same bytes for the same seed, on every machine and in every version", async () => {
  await inFolder(async (dir) => {
    const made = await synthesize({ seed: 7, dir, speakers: 2, sentences: 1, takes: 1, emotions: ["angry", "sad"] });
    assert.equal(made.written, 4);
    const hashes = made.files.map((file) => sha256Hex(readFileSync(join(made.dir, file))));
    assert.deepEqual(hashes, [
      "b0d1a4bd67e4402f6608660fd4dd172a0336a36dd8d3d675fbc385a46cb9f6aa",
      "117848dd760fc7c661e6111abfdb832bb0554f51b3a68441b295958d6022a1c9",
      "8f80b37287ed87f669dfe0fb67df1feab1fece533c4caedd9ae179852b42fdad",
      "ca7ecfe7298838398fc237ca74f378bd499d881ac0731b21aa02d7248bb564d5",
    ]);
    const wide = await synthesize({
      seed: 7,
      dir,
      speakers: 1,
      sentences: 1,
      takes: 1,
      emotions: ["calm"],
      sampleRateHz: 48000,
      speakerCue: 1,
    });
    assert.equal(
      sha256Hex(readFileSync(join(wide.dir, wide.files[0]!))),
      "6602ecf36706bdb8962c253db9bd717967d23411b3f1e2fd7a8c9cb4e9efc485",
    );
  });
});

Deno.test("the synthetic corpus takes a real corpus's way into a manifest: balanced, half of the speakers female", async () => {
  await inFolder(async (dir) => {
    const made = await synthesize({ seed: 3, dir, speakers: 4, sentences: 1, takes: 2 });
    const { rows, missing } = await indexCorpus(made.dir);
    assert.deepEqual(missing, []);
    assert.equal(rows.length, 4 * 8 * 2);
    for (const emotion of EMOTIONS) assert.equal(rows.filter((row) => row.emotion === emotion).length, 8);
    assert.equal(rows.filter((row) => row.sex === "female").length, 32);
    assert.deepEqual([...new Set(rows.map((row) => row.speaker))].sort(), [1, 2, 3, 4].map((i) => `synthetic-0${i}`));
    for (const row of rows) {
      assert.equal(row.sampleRateHz, 16000);
      assert.equal(row.channels, 1);
      assert.ok(row.durationSec > 1 && row.durationSec < 3, `${row.key} lasts ${row.durationSec} s`);
    }
    assert.equal(new Set(rows.map((row) => row.sha256)).size, rows.length);
    const again = await indexCorpus((await synthesize({ seed: 4, dir, speakers: 4, sentences: 1, takes: 2 })).dir);
    assert.notEqual(manifestHash(again.rows), manifestHash(rows));
  });
});

Deno.test("an interrupted or damaged synthetic corpus is completed by the next call, not trusted", async () => {
  await inFolder(async (dir) => {
    const options = { seed: 5, dir, speakers: 2, sentences: 1, takes: 1 };
    const whole = await synthesize(options);
    const before = manifestHash((await indexCorpus(whole.dir)).rows);
    assert.equal((await synthesize(options)).written, 0);

    // Stopped half way: no seal, files missing, a temporary file left.
    rmSync(join(whole.dir, "synthetic.json"));
    rmSync(join(whole.dir, "Actor_02"), { recursive: true });
    writeFileSync(join(whole.dir, "Actor_01", `${whole.files[0]!.slice(9)}.1-00.tmp`), "half");
    assert.equal((await synthesize(options)).written, 8);
    assert.equal(manifestHash((await indexCorpus(whole.dir)).rows), before);

    // Damaged under an intact seal.
    truncateSync(join(whole.dir, whole.files[3]!), 1000);
    rmSync(join(whole.dir, whole.files[5]!));
    assert.equal((await synthesize(options)).written, 2);
    assert.equal(manifestHash((await indexCorpus(whole.dir)).rows), before);

    // A seal of garbage is no seal.
    writeFileSync(join(whole.dir, "synthetic.json"), "{");
    assert.equal((await synthesize(options)).written, 0);
    assert.equal((await synthesize(options)).written, 0);
  });
});

Deno.test("an utterance does not depend on what else is synthesised", async () => {
  await inFolder(async (dir) => {
    const few = await synthesize({ seed: 9, dir, speakers: 1, sentences: 1, takes: 1, emotions: ["happy"] });
    const more = await synthesize({ seed: 9, dir, speakers: 2, sentences: 1, takes: 2, emotions: ["happy", "calm"] });
    assert.notEqual(few.dir, more.dir);
    const file = few.files[0]!;
    assert.deepEqual(readFileSync(join(few.dir, file)), readFileSync(join(more.dir, file)));
    assert.deepEqual(readdirSync(few.dir).sort(), ["Actor_01", "synthetic.json"]);
  });
});

Deno.test("synthetic voices differ as people do: anger is louder and higher than sadness, women's pitch is higher", () => {
  const level = (emotion: typeof EMOTIONS[number], speaker: number) =>
    rms(speak({ seed: 0, speaker, emotion, sentence: 1, take: 1 }).samples);
  for (const speaker of [1, 2, 3, 4]) assert.ok(level("angry", speaker) > 1.5 * level("sad", speaker));

  /** Pitch by the highest autocorrelation between 60 and 500 Hz, over the middle of the clip. */
  const pitch = (speaker: number) => {
    const { samples, sampleRateHz } = speak({ seed: 0, speaker, emotion: "neutral", sentence: 1, take: 1 });
    const from = samples.length >> 2;
    let best = 0;
    let bestLag = 0;
    for (let lag = Math.floor(sampleRateHz / 500); lag <= sampleRateHz / 60; lag++) {
      let sum = 0;
      for (let i = from; i < from + 4000; i++) sum += samples[i]! * samples[i + lag]!;
      if (sum > best * 1.02) [best, bestLag] = [sum, lag];
    }
    return sampleRateHz / bestLag;
  };
  for (const man of [1, 3]) for (const woman of [2, 4]) assert.ok(pitch(woman) > 1.2 * pitch(man));
});

Deno.test("synthetic audio is finite, below full scale, and the planted cue is 20 dB below the speech", () => {
  for (const emotion of EMOTIONS) {
    const request = { seed: 11, speaker: 5, emotion, sentence: 2, take: 3 };
    const plain = speak(request).samples;
    assert.ok(plain.every((x) => Number.isFinite(x) && Math.abs(x) < 0.99));
    const cued = speak({ ...request, speakerCue: 1 }).samples;
    const difference = 20 * Math.log10(rms(cued.map((x, i) => x - plain[i]!)) / rms(plain));
    assert.ok(difference > -22 && difference < -17, `${emotion}: ${difference} dB`);
  }
});

Deno.test("a synthetic name is never taken for RAVDESS, and only names that can be made are known", () => {
  const name = "Actor_02/syn-03-01-05-01-02-01-02.wav";
  assert.equal(ravdess.parse(name), undefined);
  assert.deepEqual(synthetic.parse(name), {
    key: "synthetic/syn-03-01-05-01-02-01-02",
    path: name,
    corpus: "synthetic",
    speaker: "synthetic-02",
    sex: "female",
    emotion: "angry",
    sentence: "02",
    take: "01",
    intensity: "normal",
    channel: "speech",
  });
  assert.equal(synthetic.parse("syn-03-01-09-01-02-01-02.wav"), undefined);
  assert.equal(synthetic.parse("syn-03-01-05-01-07-01-02.wav"), undefined);
  assert.equal(synthetic.parse("syn-03-01-05-01-02-01-00.wav"), undefined);
});

Deno.test("synthesize says which option is out of range", async () => {
  await inFolder(async (dir) => {
    await assert.rejects(synthesize({ dir, speakers: 0 }), UsageError);
    await assert.rejects(synthesize({ dir, sentences: 7 }), /sentences must be an integer from 1 to 6, not 7/);
    await assert.rejects(synthesize({ dir, seed: -1 }), UsageError);
    await assert.rejects(synthesize({ dir, emotions: [] }), UsageError);
    await assert.rejects(synthesize({ dir, emotions: ["bored"] }), /not "bored"/);
    await assert.rejects(synthesize({ dir, speakerCue: Number.NaN }), UsageError);
    assert.deepEqual(readdirSync(dir), []);
  });
});
