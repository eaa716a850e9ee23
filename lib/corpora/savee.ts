/**
 * SAVEE.
 *
 * A file is called `<speaker>/<emotion><sentence>.wav`, in some copies `<speaker>_<emotion><sentence>.wav`. Source: the
 * corpus's own Info.txt and Haq and Jackson, 2009.
 *
 * @module
 */

import type { Emotion, Utterance } from "../types.ts";
import { type Corpus, countBy, padded, range } from "./corpus.ts";

const CODES: Readonly<Record<string, Emotion>> = {
  a: "angry",
  d: "disgust",
  f: "fearful",
  h: "happy",
  n: "neutral",
  sa: "sad",
  su: "surprised",
};

const SPEAKERS = ["DC", "JE", "JK", "KL"] as const;

const PATTERN = /(?:^|\/)(DC|JE|JK|KL)[/_](sa|su|[adfhn])(\d\d)\.wav$/i;

/** Sentences a speaker and emotion: 30 neutral ones, 15 of every other. */
const sentencesOf = (code: string): number => code === "n" ? 30 : 15;

function parse(path: string): Utterance | undefined {
  const match = PATTERN.exec(path);
  if (match === null) return undefined;
  const speaker = match[1]!.toUpperCase();
  const code = match[2]!.toLowerCase();
  const number = Number(match[3]);
  if (number < 1 || number > sentencesOf(code)) return undefined;
  return {
    // The file name alone, a01, is not unique: every speaker has one.
    key: `savee/${speaker}_${code}${match[3]}`,
    path,
    corpus: "savee",
    speaker: `savee-${speaker}`,
    sex: "male",
    emotion: CODES[code]!,
    sentence: `${code}${match[3]}`,
    channel: "speech",
  };
}

function keys(): string[] {
  return SPEAKERS.flatMap((speaker) =>
    Object.keys(CODES).flatMap((code) =>
      range(1, sentencesOf(code)).map((number) => `savee/${speaker}_${code}${padded(number)}`)
    )
  );
}

const all = keys().map((key) => parse(`${key.slice("savee/".length)}.wav`)!);

/**
 * Surrey Audio-Visual Expressed Emotion.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const utterance = savee.parse("AudioData/DC/sa03.wav");
 * assert.equal(utterance?.key, "savee/DC_sa03");
 * assert.equal(utterance?.emotion, "sad");
 * ```
 */
export const savee: Corpus = {
  id: "savee",
  title: "Surrey Audio-Visual Expressed Emotion (SAVEE)",
  language: "English (British)",
  filePattern: "<DC|JE|JK|KL>/<a|d|f|h|n|sa|su><01–15, neutral 01–30>.wav",
  parse,
  emotions: Object.values(CODES),
  speakers: SPEAKERS.map((speaker) => ({ id: `savee-${speaker}`, sex: "male" })),
  // The texts come with the corpus and are not ours to repeat.
  sentences: {},
  expected: [{
    channel: "speech",
    files: all.length,
    perEmotion: countBy(all, (utterance) => utterance.emotion),
    perSpeaker: countBy(all, (utterance) => utterance.speaker),
    keys,
  }],
  licence: {
    name: "research use only",
    url: "http://kahlan.eps.surrey.ac.uk/savee/Download.html",
    note: "Free for research after registration; it may not be passed on.",
  },
  citation:
    "Haq, S. and Jackson, P. J. B. (2009). Speaker-dependent audio-visual emotion recognition. Proc. Int. Conf. on " +
    "Auditory-Visual Speech Processing (AVSP), 53–58.",
  homepage: "http://kahlan.eps.surrey.ac.uk/savee/",
  howToGet:
    "register at http://kahlan.eps.surrey.ac.uk/savee/Register.html, download AudioData.zip and put its folders DC, " +
    "JE, JK and KL into data/savee.",
  downloads: [],
  oddities: [
    { keys: [], what: "Four men, no woman." },
    { keys: [], what: "Neutral has twice as many recordings as every other class." },
    {
      keys: [],
      what:
        "Three sentences of each emotion are the same for all, and neutral repeats sentences of the emotions; the file " +
        "names do not tell which, so the sentence identifiers here (a01, sa03, …) join the same emotion only.",
    },
  ],
};
