import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { decodeAudio } from "../../lib/audio/decode.ts";
import { readAudioBytes } from "../../lib/audio/load.ts";
import { countBy } from "../../lib/corpora/corpus.ts";
import { dataCheck } from "../../lib/corpora/data.ts";
import { findCorpora, indexCorpus, manifestHash, readManifest } from "../../lib/corpora/mod.ts";

const root = fileURLToPath(new URL("../../../shared/corpora", import.meta.url));
const manifests = fileURLToPath(new URL("../../data/manifests", import.meta.url));
const ignore = !existsSync(root);

/** A test that needs the small real corpus, which is never part of the repository. */
function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `${name} (needs ../shared/corpora)`, ignore, fn });
}

const all = { allowIncomplete: true } as const;

test("the small real corpus is found whole, nothing in it is unknown", async () => {
  const found = await findCorpora(root);
  assert.deepEqual(
    found.corpora.map((part) => [part.corpus.id, part.channel, part.utterances.length, part.copies.length]),
    [
      ["ravdess", "speech", 240, 0],
      ["crema-d", "speech", 334, 0],
      ["tess", "speech", 116, 0],
      ["savee", "speech", 84, 0],
    ],
  );
  assert.deepEqual(found.unknown, []);
  assert.deepEqual(found.unreadable, []);
});

test("study 000's data are four actors of RAVDESS: 16 neutral clips, 32 of every other class", async () => {
  const actors = ["ravdess-01", "ravdess-02", "ravdess-03", "ravdess-04"];
  const { rows, missing } = await indexCorpus(root, { corpus: "ravdess", speakers: actors });
  assert.deepEqual(missing, []);
  assert.deepEqual(countBy(rows, (row) => row.emotion), {
    neutral: 16,
    calm: 32,
    happy: 32,
    sad: 32,
    angry: 32,
    fearful: 32,
    disgust: 32,
    surprised: 32,
  });
  assert.deepEqual(countBy(rows, (row) => row.speaker), Object.fromEntries(actors.map((actor) => [actor, 60])));
  assert.ok(rows.every((row) => row.sampleRateHz === 48000));
  assert.deepEqual(rows.filter((row) => row.channels === 2).map((row) => row.key), [
    "ravdess/03-01-02-01-01-02-01",
    "ravdess/03-01-08-01-02-02-01",
  ]);
  // Ordered by name, so the classes come in the order of their codes, as the study's folders did.
  assert.deepEqual(Object.keys(countBy(rows, (row) => row.emotion)).indexOf("surprised"), 7);
});

test("the hashes on record are those of the small real corpus", async () => {
  const report = await dataCheck(root);
  for (const part of report.corpora) {
    assert.deepEqual(part.changed, [], part.id);
    assert.equal(part.verified, part.files, part.id);
  }
  const { rows } = readManifest(join(manifests, "ravdess.jsonl"));
  const four = rows.filter((row) => /-0[1-4]$/.test(row.speaker));
  assert.equal(manifestHash(four), "de03751871d37da0a1105f699872add59848b903b401ced8c8874aac01485cd7");
});

test("CREMA-D's speakers, rate and its silent and its doubly labelled recordings are as known", async () => {
  const report = await dataCheck(join(root, "CREMA-D"));
  const [part] = report.corpora;
  assert.deepEqual(part!.bad, []);
  assert.deepEqual(part!.identical, [
    ["crema-d/1006_TIE_HAP_XX", "crema-d/1006_TIE_NEU_XX"],
    ["crema-d/1013_WSI_DIS_XX", "crema-d/1013_WSI_SAD_XX"],
    ["crema-d/1017_IWW_ANG_XX", "crema-d/1017_IWW_FEA_XX"],
  ]);
  assert.deepEqual(part!.oddities.filter((oddity) => oddity.keys.length > 0).map((oddity) => oddity.keys[0]), [
    "crema-d/1076_MTI_SAD_XX",
    "crema-d/1006_TIE_HAP_XX",
    "crema-d/1013_WSI_DIS_XX",
    "crema-d/1017_IWW_ANG_XX",
  ]);
  const { rows } = await indexCorpus(root, { corpus: "crema-d", ...all });
  assert.ok(rows.every((row) => row.sampleRateHz === 16000 && row.channels === 1));
  // 82 combinations of sentence, emotion and level make a speaker; 1002_TIE_NEU_XX is one of the 20 never distributed.
  const complete = rows.filter((row) => /-100[1-4]$/.test(row.speaker));
  assert.deepEqual(countBy(complete, (row) => row.speaker), {
    "crema-d-1001": 82,
    "crema-d-1002": 81,
    "crema-d-1003": 82,
    "crema-d-1004": 82,
  });
  const silent = join(root, rows.find((row) => row.key === "crema-d/1076_MTI_SAD_XX")!.path);
  const { channels } = await decodeAudio(readAudioBytes(silent), silent);
  assert.ok(channels[0]!.every((sample) => sample === 0));
});

test("TESS as distributed, and its oddities: AIFF called .wav, 96 kHz, a misspelt speaker", async () => {
  const { rows } = await indexCorpus(root, { corpus: "tess", ...all });
  const usual = rows.filter((row) => row.path.startsWith("TESS/"));
  assert.equal(usual.length, 112);
  assert.deepEqual(countBy(usual, (row) => row.emotion), {
    angry: 16,
    disgust: 16,
    fearful: 16,
    happy: 16,
    neutral: 16,
    surprised: 16,
    sad: 16,
  });
  assert.ok(usual.every((row) => row.sampleRateHz === 24414 && row.channels === 1));
  const odd = rows.filter((row) => row.path.startsWith("oddities/"));
  assert.deepEqual(odd.map((row) => [row.key.slice(5), row.speaker, row.sentence, row.emotion, row.sampleRateHz]), [
    ["507testYAF_germ_angry29", "tess-YAF", "germ", "angry", 24414],
    ["672testYAF_neat_fear19", "tess-YAF", "neat", "fearful", 24414],
    ["751testOA_bite_neutral48", "tess-OAF", "bite", "neutral", 24414],
    ["762testOAF_food_fear52", "tess-OAF", "food", "fearful", 96000],
  ]);
});

test("SAVEE: three recordings of each emotion and speaker, all at 44.1 kHz", async () => {
  const { rows } = await indexCorpus(root, { corpus: "savee", ...all });
  assert.equal(rows.length, 84);
  assert.ok(Object.values(countBy(rows, (row) => row.speaker)).every((count) => count === 21));
  assert.ok(Object.values(countBy(rows, (row) => row.emotion)).every((count) => count === 12));
  assert.ok(rows.every((row) => row.sampleRateHz === 44100));
});

test("the small real corpus has nothing extra, and all that it lacks is known by name", async () => {
  const corpus = ["ravdess", "crema-d", "tess", "savee", "emo-db"];
  const { rows, missing, extra, unknown } = await indexCorpus(root, { corpus, ...all });
  assert.deepEqual([extra, unknown], [[], []]);
  assert.equal(rows.length + missing.length, 1440 + 7442 + 2800 + 480 + 535);
  assert.deepEqual(countBy(missing, (key) => key.slice(0, key.indexOf("/"))), {
    "crema-d": 7108,
    "emo-db": 535,
    ravdess: 1200,
    savee: 396,
    tess: 2684,
  });
});

test("without leave, an incomplete corpus is refused with what is missing and how to get it", async () => {
  await assert.rejects(
    indexCorpus(root, { corpus: "ravdess" }),
    /1200 of 1440 files are missing: all of ravdess-05 … ravdess-24 \(20 speakers\); .*deno task data get ravdess/,
  );
});
