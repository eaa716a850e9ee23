import assert from "node:assert/strict";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { study001 } from "../../experiments/s001_ravdess_pictures.ts";
import { study002 } from "../../experiments/s002_four_corpora_conv1d.ts";
import { findVotes, parseCremaVotes } from "../../lib/corpora/votes.ts";
import { RandomState, stream } from "../../lib/random.ts";
import { expand, randomOverSampler, withDuplicates } from "../../lib/study/examples.ts";
import { copyRecords } from "../../lib/study/features.ts";
import { scoreListeners } from "../../lib/study/listeners.ts";
import type { ManifestRow } from "../../lib/types.ts";
import { inFolder, writeFiles } from "../corpora/temporary.ts";

// imbalanced-learn, RandomOverSampler(random_state=seed): tests/golden/make_over_sampler.py.
const golden = JSON.parse(readFileSync(new URL("../golden/over_sampler.json", import.meta.url), "utf8")) as {
  cases: { seed: number; labels: number[]; added: number[] }[];
};

Deno.test("small classes are filled up with the very rows that imbalanced-learn draws", () => {
  for (const { seed, labels, added } of golden.cases) {
    assert.deepEqual(randomOverSampler(labels, new RandomState(seed)), added);
  }
});

const row = (key: string, emotion: "sad" | "happy"): ManifestRow => ({
  key,
  path: key,
  corpus: "ravdess",
  speaker: "ravdess-01",
  emotion,
  sha256: "0".repeat(64),
  bytes: 1,
  durationSec: 1,
  sampleRateHz: 16000,
  channels: 1,
});

Deno.test("copies stand beside their recording; duplicates share its features and have numbers of their own", () => {
  const rows = [row("a", "sad"), row("b", "happy"), row("c", "happy"), row("d", "happy")];
  const table = expand(rows, ({ emotion }) => emotion, 2);
  assert.deepEqual(table.slice(0, 4).map(({ key, copy, feature, recording }) => [key, copy, feature, recording]), [
    ["a", 0, 0, 0],
    ["a", 1, 1, 0],
    ["a", 2, 2, 0],
    ["b", 0, 3, 1],
  ]);
  const plain = expand(rows, ({ emotion }) => emotion, 0);
  const full = withDuplicates(plain, ({ label }) => label === "sad" ? 0 : 1, new RandomState(1));
  assert.deepEqual(full.slice(4).map(({ key, copy, feature }) => [key, copy, feature]), [["a", 1, 0], ["a", 2, 0]]);
});

Deno.test("a copy's draw follows from seed, recording and copy alone", () => {
  const copies = study001.variants["cnn-augmented"]!.copies;
  const drawn = copyRecords("ravdess/x", copies, 3);
  assert.equal(drawn.length, 10);
  assert.equal(drawn[0], null);
  assert.deepEqual(copyRecords("ravdess/x", copies, 3), drawn);
  assert.notDeepEqual(copyRecords("ravdess/x", copies, 4), drawn);
  assert.notDeepEqual(copyRecords("ravdess/y", copies, 3), drawn);
  assert.equal(new Set(drawn.map((each) => JSON.stringify(each))).size > 5, true);
});

Deno.test("SpecAugment and mixup change a batch by the generator alone, masks in all three parts of the vector", () => {
  const { batch } = study002.variants["conv1d-advanced"]!;
  const x = { data: new Float32Array(2 * 2376).fill(1), shape: [2, 2376, 1] };
  const given = { x, y: Int32Array.of(2, 5) };
  const first = batch!.apply(given, stream(1, "t"), 7);
  assert.deepEqual(batch!.apply(given, stream(1, "t"), 7), first);
  assert.notDeepEqual(batch!.apply(given, stream(2, "t"), 7), first);
  assert.ok(x.data.every((value) => value === 1), "the batch itself stays");
  const targets = first.targets as { data: Float32Array; shape: readonly number[] };
  assert.deepEqual(targets.shape, [2, 7]);
  for (const i of [0, 1]) {
    const sum = targets.data.slice(7 * i, 7 * i + 7).reduce((a, b) => a + b, 0);
    assert.ok(Math.abs(sum - 1) < 1e-6);
  }
  // A frame that is masked in the coefficients is masked in zero crossings and energy too.
  let masked = 0;
  for (let seed = 0; seed < 20; seed++) {
    const { data } = batch!.apply(
      { x: { data: x.data.slice(0, 2376), shape: [1, 2376, 1] }, y: Int32Array.of(0) },
      stream(seed, "m"),
      7,
    ).x;
    for (let frame = 0; frame < 108; frame++) {
      const whole = Array.from({ length: 20 }, (_, k) => data[216 + 20 * frame + k]!).every((value) => value === 0);
      if (!whole) continue;
      masked++;
      assert.equal(data[frame], 0);
      assert.equal(data[108 + frame], 0);
    }
  }
  assert.ok(masked > 50, `${masked} masked frames`);
});

Deno.test("listeners are scored on the tested clips, audio alone, a clip once", () => {
  const csv = [
    '"","A","D","F","H","N","S","fileName","numResponses"',
    '"100001",8,0,0,0,2,0,"1001_IEO_ANG_HI",10',
    '"100002",0,0,0,0,5,5,"1002_IEO_SAD_XX",10',
    '"200001",0,10,0,0,0,0,"1001_IEO_ANG_HI",10',
  ].join("\n");
  const votes = parseCremaVotes(new TextEncoder().encode(csv), "votes.csv");
  assert.equal(votes.byKey.size, 2);
  const clip = (parent: string, truth: string, prediction: string, copy = 0) => ({ parent, truth, prediction, copy });
  const score = scoreListeners(votes, [
    clip("crema-d/1001_IEO_ANG_HI", "angry", "sad"),
    clip("crema-d/1001_IEO_ANG_HI", "angry", "angry", 1),
    clip("crema-d/1002_IEO_SAD_XX", "sad", "sad"),
    clip("ravdess/x", "sad", "sad"),
  ])!;
  assert.deepEqual(
    [score.clips, score.votes, score.accuracy, score.majority, score.model],
    [2, 20, (0.8 + 0.5) / 2, 1.5 / 2, 0.5],
  );
  assert.equal(scoreListeners(votes, [clip("ravdess/x", "sad", "sad")]), null);
  assert.throws(
    () => parseCremaVotes(new TextEncoder().encode("a,b\n1,2"), "votes.csv"),
    /votes\.csv: has no column A/,
  );
});

Deno.test("listeners' votes are found as recordings are: at any depth, through links, not in hidden folders", async () => {
  const csv = '"","A","D","F","H","N","S","fileName"\n"100001",8,0,0,0,2,0,"1001_IEO_ANG_HI"\n';
  await inFolder(async (dir) => {
    writeFiles(dir, {
      "here/.hidden/tabulatedVotes.csv": csv,
      "elsewhere/CREMA-D/processedResults/tabulatedVotes.csv": csv,
    });
    assert.equal(await findVotes(join(dir, "here")), null);
    symlinkSync(join(dir, "elsewhere", "CREMA-D"), join(dir, "here", "crema-d"));
    assert.deepEqual([...(await findVotes(join(dir, "here")))!.byKey.keys()], ["crema-d/1001_IEO_ANG_HI"]);
  });
});
