/**
 * RAVDESS, speech and song.
 *
 * A file is called `03-<channel>-<emotion>-<intensity>-<statement>-<repetition>-<actor>.wav`; 03 means audio only, actors
 * with odd numbers are male. Source: the corpus's page (Zenodo 1188976) and Livingstone and Russo, 2018.
 *
 * @module
 */

import type { Emotion, Utterance, VocalChannel } from "../types.ts";
import { type Corpus, countBy, type ExpectedPart, fileName, padded, range } from "./corpus.ts";

const PATTERN = /^03-0([12])-0([1-8])-0([12])-0([12])-0([12])-(0[1-9]|1\d|2[0-4])\.wav$/i;

const CODES: readonly Emotion[] = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"];

/** Actor 18 recorded no song. */
const ACTOR_WITHOUT_SONG = 18;

function parse(path: string): Utterance | undefined {
  const name = fileName(path);
  const match = PATTERN.exec(name);
  if (match === null) return undefined;
  const [, channelCode, emotionCode, intensity, sentence, take, actor] = match;
  const emotion = CODES[Number(emotionCode) - 1]!;
  const channel: VocalChannel = channelCode === "1" ? "speech" : "song";
  // Neutral has no strong intensity; song has no disgust and no surprise.
  if (emotion === "neutral" && intensity !== "1") return undefined;
  if (channel === "song" && Number(emotionCode) > 6) return undefined;
  return {
    key: `ravdess/${name.slice(0, -4)}`,
    path,
    corpus: "ravdess",
    speaker: `ravdess-${actor}`,
    sex: Number(actor) % 2 === 1 ? "male" : "female",
    emotion,
    sentence: `0${sentence}`,
    take: `0${take}`,
    intensity: intensity === "1" ? "normal" : "strong",
    channel,
  };
}

function keys(channel: VocalChannel): string[] {
  const all: string[] = [];
  for (const actor of range(1, 24)) {
    if (channel === "song" && actor === ACTOR_WITHOUT_SONG) continue;
    for (const emotion of range(1, channel === "speech" ? 8 : 6)) {
      for (const intensity of emotion === 1 ? [1] : [1, 2]) {
        for (const statement of [1, 2]) {
          for (const repetition of [1, 2]) {
            const fields = [3, channel === "speech" ? 1 : 2, emotion, intensity, statement, repetition, actor];
            all.push(`ravdess/${fields.map((field) => padded(field)).join("-")}`);
          }
        }
      }
    }
  }
  return all;
}

function expected(channel: VocalChannel): ExpectedPart {
  const all = keys(channel).map((key) => parse(`${key.slice("ravdess/".length)}.wav`)!);
  return {
    channel,
    files: all.length,
    perEmotion: countBy(all, (utterance) => utterance.emotion),
    perSpeaker: countBy(all, (utterance) => utterance.speaker),
    keys: () => keys(channel),
  };
}

/**
 * The Ryerson Audio-Visual Database of Emotional Speech and Song.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const utterance = ravdess.parse("Actor_12/03-01-06-02-01-02-12.wav");
 * assert.equal(utterance?.emotion, "fearful");
 * assert.equal(utterance?.speaker, "ravdess-12");
 * assert.equal(utterance?.sex, "female");
 * ```
 */
export const ravdess: Corpus = {
  id: "ravdess",
  title: "Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS)",
  language: "English (North American)",
  filePattern: "03-<01 speech | 02 song>-<emotion 01–08>-<intensity 01–02>-<statement>-<repetition>-<actor 01–24>.wav",
  parse,
  emotions: CODES,
  speakers: range(1, 24).map((actor) => ({
    id: `ravdess-${padded(actor)}`,
    sex: actor % 2 === 1 ? "male" : "female",
  })),
  sentences: { "01": "Kids are talking by the door", "02": "Dogs are sitting by the door" },
  expected: [expected("speech"), expected("song")],
  licence: {
    name: "CC BY-NC-SA 4.0",
    url: "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    note: "Free for non-commercial use with attribution; what is made from it is shared under the same licence.",
  },
  citation:
    "Livingstone, S. R. and Russo, F. A. (2018). The Ryerson Audio-Visual Database of Emotional Speech and Song " +
    "(RAVDESS): A dynamic, multimodal set of facial and vocal expressions in North American English. PLoS ONE 13(5): " +
    "e0196391. https://doi.org/10.1371/journal.pone.0196391",
  homepage: "https://zenodo.org/records/1188976",
  howToGet: "deno task data get ravdess (speech, 199 MiB; --channel song for the song), or unpack " +
    "Audio_Speech_Actors_01-24.zip of https://zenodo.org/records/1188976 into data/ravdess.",
  downloads: [
    {
      kind: "zip",
      channel: "speech",
      file: "Audio_Speech_Actors_01-24.zip",
      url: "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip?download=1",
      bytes: 208_468_073,
      md5: "bc696df654c87fed845eb13823edef8a",
      record: "https://zenodo.org/api/records/1188976",
      unpackedBytes: 1_000_000_000,
    },
    {
      kind: "zip",
      channel: "song",
      file: "Audio_Song_Actors_01-24.zip",
      url: "https://zenodo.org/records/1188976/files/Audio_Song_Actors_01-24.zip?download=1",
      record: "https://zenodo.org/api/records/1188976",
      unpackedBytes: 1_000_000_000,
    },
  ],
  oddities: [
    {
      keys: ["ravdess/03-01-03-01-02-01-07", "ravdess/03-01-03-01-02-02-07"],
      what:
        "Both repetitions of Actor 07 hold the same audio, so a random split can have one in training and its copy in " +
        "the test.",
    },
    {
      keys: ["ravdess/03-01-02-01-01-02-01", "ravdess/03-01-08-01-02-02-01"],
      what: "A few files, these two of Actor 01 among them, are stereo, although the corpus is mono.",
    },
    { keys: [], what: "Neutral has half as many recordings as every other class, for it has no strong intensity." },
    { keys: [], what: "Actor 18 recorded no song." },
    { keys: [], what: "Recordings begin and end with about a second of silence." },
  ],
};
