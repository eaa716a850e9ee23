import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { EMOTIONS } from "../../lib/types.ts";
import { corpora, labelMaps, mapLabel, readManifest } from "../../lib/corpora/mod.ts";
import { ABSENT_IN_STUDY_002 } from "../../lib/corpora/tess.ts";

const shelf = new Map(corpora.map((corpus) => [corpus.id, corpus]));
const parse = (id: string, path: string) => shelf.get(id)!.parse(path);

/** Corpus, path, speaker, sex, emotion, sentence, take, intensity. */
const KNOWN: readonly (readonly (string | undefined)[])[] = [
  ["ravdess", "Actor_01/03-01-08-02-02-01-01.wav", "ravdess-01", "male", "surprised", "02", "01", "strong"],
  ["crema-d", "AudioWAV/1001_DFA_ANG_XX.wav", "crema-d-1001", "male", "angry", "DFA", undefined, "unspecified"],
  ["crema-d", "1091_IEO_SAD_MD.wav", "crema-d-1091", "female", "sad", "IEO", undefined, "medium"],
  ["crema-d", "1040_ITH_SAD_X.wav", "crema-d-1040", "male", "sad", "ITH", undefined, "unspecified"],
  ["tess", "OAF_Pleasant_surprise/OAF_back_ps.wav", "tess-OAF", "female", "surprised", "back"],
  ["tess", "YAF_neutral/YAF_youth_neutral.wav", "tess-YAF", "female", "neutral", "youth"],
  ["tess", "507testYAF_germ_angry29.wav", "tess-YAF", "female", "angry", "germ"],
  ["tess", "751testOA_bite_neutral48.wav", "tess-OAF", "female", "neutral", "bite"],
  ["tess", "OA_bite_neutral.wav", "tess-OAF", "female", "neutral", "bite"],
  ["savee", "AudioData/DC/sa03.wav", "savee-DC", "male", "sad", "sa03"],
  ["savee", "KL/n30.wav", "savee-KL", "male", "neutral", "n30"],
  ["savee", "ALL/JE_su15.wav", "savee-JE", "male", "surprised", "su15"],
  ["emo-db", "wav/03a01Fa.wav", "emo-db-03", "male", "happy", "a01", "a"],
  ["emo-db", "16b10Lb.wav", "emo-db-16", "female", "bored", "b10", "b"],
  ["emo-db", "08a05Ac.wav", "emo-db-08", "female", "fearful", "a05", "c"],
];

Deno.test("every parser reads its own names and leaves the others' alone", () => {
  for (const [id = "", path = "", speaker, sex, emotion, sentence, take, intensity] of KNOWN) {
    const utterance = parse(id, path);
    assert.ok(utterance, path);
    assert.deepEqual(
      [utterance.corpus, utterance.path, utterance.speaker, utterance.sex, utterance.emotion],
      [id, path, speaker, sex, emotion],
    );
    assert.deepEqual([utterance.sentence, utterance.take, utterance.intensity], [sentence, take, intensity]);
    for (const other of corpora) {
      if (other.id !== id) assert.equal(other.parse(path), undefined, `${other.id} takes ${path}`);
    }
  }
});

Deno.test("a name just outside a corpus's scheme is unknown to every parser", () => {
  for (
    const path of [
      "1000_DFA_ANG_XX.wav",
      "1092_DFA_ANG_XX.wav",
      "1001_DFA_SUR_XX.wav",
      "1001_XXX_ANG_XX.wav",
      "1001_DFA_ANG_XX.mp3",
      "OAF_zebra_angry.wav",
      "OAF_back_bored.wav",
      "EAF_back_angry.wav",
      "DC/a16.wav",
      "DC/n31.wav",
      "DC/a00.wav",
      "DC/x01.wav",
      "XX/a01.wav",
      "a01.wav",
      "04a01Fa.wav",
      "03a03Fa.wav",
      "03a01Xa.wav",
      "speech.wav",
      "",
    ]
  ) for (const corpus of corpora) assert.equal(corpus.parse(path), undefined, `${corpus.id} takes ${path}`);
});

Deno.test("SAVEE's keys carry the speaker, for every speaker has an a01", () => {
  assert.equal(parse("savee", "DC/a01.wav")?.key, "savee/DC_a01");
  assert.equal(parse("savee", "DC_a01.wav")?.key, "savee/DC_a01");
  assert.notEqual(parse("savee", "JK/a01.wav")?.key, parse("savee", "KL/a01.wav")?.key);
});

Deno.test("expected counts add up, by class, by speaker and name by name", () => {
  const files: Record<string, number> = {};
  for (const corpus of corpora) {
    for (const part of corpus.expected) {
      files[`${corpus.id} ${part.channel}`] = part.files;
      const sum = (counts: Readonly<Record<string, number>>) =>
        Object.values(counts).reduce((total, n) => total + n, 0);
      assert.equal(sum(part.perEmotion), part.files, corpus.id);
      assert.ok(Object.keys(part.perEmotion).every((emotion) => (corpus.emotions as string[]).includes(emotion)));
      const known = new Set(corpus.speakers.map((speaker) => speaker.id));
      assert.ok(Object.keys(part.perSpeaker).every((speaker) => known.has(speaker)));
      assert.equal(sum(part.perSpeaker), part.files, corpus.id);
      const keys = part.keys!();
      assert.equal(new Set(keys).size, part.files);
      for (const key of keys) {
        const utterance = corpus.parse(`${key.slice(corpus.id.length + 1)}.wav`);
        assert.equal(corpus.canonicalKey?.(utterance!) ?? utterance?.key, key);
      }
    }
  }
  assert.deepEqual(files, {
    "ravdess speech": 1440,
    "ravdess song": 1012,
    "crema-d speech": 7442,
    "tess speech": 2800,
    "savee speech": 480,
    "emo-db speech": 535,
  });
});

Deno.test("the keys of a complete corpus are those of the recordings on record, all of them and no other", () => {
  for (const corpus of corpora) {
    for (const { channel, keys } of corpus.expected) {
      const name = channel === "song" ? `${corpus.id}-song` : corpus.id;
      const { rows } = readManifest(fileURLToPath(new URL(`../../data/manifests/${name}.jsonl`, import.meta.url)));
      const all = [...keys!()].sort();
      assert.deepEqual(all, rows.map((row) => corpus.canonicalKey?.(row) ?? row.key).sort(), name);
      // Only TESS is on record as a renumbered copy.
      if (corpus.id !== "tess") assert.deepEqual(all, rows.map((row) => row.key), name);
    }
  }
});

Deno.test("CREMA-D and EMO-DB hold what their documentation counts", () => {
  const part = (id: string) => shelf.get(id)!.expected[0]!;
  assert.deepEqual(part("crema-d").perEmotion, {
    angry: 1271,
    disgust: 1271,
    fearful: 1271,
    happy: 1271,
    neutral: 1087,
    sad: 1271,
  });
  // 12 sentences in 6 emotions, one of them at three levels, make 82; five actors lack some, 20 in all.
  assert.deepEqual(Object.entries(part("crema-d").perSpeaker).filter(([, files]) => files !== 82), [
    ["crema-d-1002", 81],
    ["crema-d-1008", 76],
    ["crema-d-1009", 76],
    ["crema-d-1019", 76],
    ["crema-d-1076", 81],
  ]);
  assert.deepEqual(part("emo-db").perEmotion, {
    happy: 71,
    neutral: 79,
    angry: 127,
    sad: 62,
    fearful: 69,
    disgust: 46,
    bored: 81,
  });
  assert.deepEqual(shelf.get("emo-db")!.speakers.map(({ id }) => [id, part("emo-db").perSpeaker[id]]), [
    ["emo-db-03", 49],
    ["emo-db-08", 58],
    ["emo-db-09", 43],
    ["emo-db-10", 38],
    ["emo-db-11", 55],
    ["emo-db-12", 35],
    ["emo-db-13", 61],
    ["emo-db-14", 69],
    ["emo-db-15", 56],
    ["emo-db-16", 71],
  ]);
});

Deno.test("a CREMA-D file whose level is written X, or whose letters are small, counts as the recording it is", () => {
  const cremaD = shelf.get("crema-d")!;
  const key = (name: string) => cremaD.canonicalKey!(cremaD.parse(name)!);
  assert.equal(key("1040_ITH_SAD_X.wav"), "crema-d/1040_ITH_SAD_XX");
  assert.equal(key("1040_ith_sad_xx.wav"), "crema-d/1040_ITH_SAD_XX");
  assert.equal(key("1040_IEO_SAD_HI.wav"), "crema-d/1040_IEO_SAD_HI");
});

Deno.test("speakers have the sexes that the corpora state", () => {
  const women = (id: string) => shelf.get(id)!.speakers.filter((speaker) => speaker.sex === "female").length;
  assert.deepEqual(corpora.map((corpus) => [corpus.id, women(corpus.id), corpus.speakers.length]), [
    ["ravdess", 12, 24],
    ["crema-d", 43, 91],
    ["tess", 2, 2],
    ["savee", 0, 4],
    ["emo-db", 5, 10],
    ["synthetic", 49, 99],
  ]);
});

Deno.test("a TESS file under another name counts as the recording it is", () => {
  const tess = shelf.get("tess")!;
  const key = (name: string) => tess.canonicalKey!(tess.parse(name)!);
  assert.equal(key("OA_bite_neutral.wav"), "tess/OAF_bite_neutral");
  assert.equal(key("672testYAF_neat_fear19.wav"), "tess/YAF_neat_fear");
  const keys = new Set(tess.expected[0]!.keys!());
  assert.equal(ABSENT_IN_STUDY_002.length, 10);
  for (const absent of ABSENT_IN_STUDY_002) assert.ok(keys.has(absent), absent);
  // STUDIES: fear 399, happy, neutral and surprised 397 of 400.
  const counts: Record<string, number> = {};
  for (const absent of ABSENT_IN_STUDY_002) {
    const { emotion } = tess.parse(`${absent.slice(5)}.wav`)!;
    counts[emotion] = (counts[emotion] ?? 0) + 1;
  }
  assert.deepEqual(counts, { happy: 3, fearful: 1, neutral: 3, surprised: 3 });
});

Deno.test("every oddity names recordings of its corpus", () => {
  for (const corpus of corpora) {
    for (const oddity of corpus.oddities) {
      assert.match(oddity.what, /\.$/);
      for (const key of oddity.keys) {
        assert.equal(corpus.parse(`${key.slice(corpus.id.length + 1)}.wav`)?.key, key, key);
      }
    }
  }
});

Deno.test("each study's classes come in its own order, with what it merged and left out", () => {
  assert.deepEqual(labelMaps["000"].labels, EMOTIONS);
  assert.deepEqual(labelMaps["001"].labels, EMOTIONS);
  assert.deepEqual(EMOTIONS.map((emotion) => mapLabel(labelMaps["002"], emotion)), [
    "neutral",
    "neutral",
    "happy",
    "sad",
    "angry",
    "fearful",
    "disgust",
    "surprised",
  ]);
  assert.deepEqual(EMOTIONS.filter((emotion) => mapLabel(labelMaps["003"], emotion) === undefined), [
    "calm",
    "surprised",
  ]);
  assert.deepEqual(labelMaps["004"].labels, ["calm", "disgust", "fearful", "happy"]);
  for (const map of Object.values(labelMaps)) assert.equal(mapLabel(map, "bored"), undefined);
  for (const id of ["002", "003", "004"] as const) {
    assert.deepEqual([...labelMaps[id].labels].sort(), labelMaps[id].labels);
  }
});
