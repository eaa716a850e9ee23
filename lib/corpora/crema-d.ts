/**
 * CREMA-D.
 *
 * A file is called `<actor>_<sentence>_<emotion>_<level>.wav`. Sources: the corpus's repository (VideoDemographics.csv for
 * the actors' sex) and Cao et al., 2014.
 *
 * @module
 */

import type { Emotion, Utterance } from "../types.ts";
import { type Corpus, countBy, fileName, range } from "./corpus.ts";

const SENTENCES: Readonly<Record<string, string>> = {
  IEO: "It's eleven o'clock",
  TIE: "That is exactly what happened",
  IOM: "I'm on my way to the meeting",
  IWW: "I wonder what this is about",
  TAI: "The airplane is almost full",
  MTI: "Maybe tomorrow it will be cold",
  IWL: "I would like a new alarm clock",
  ITH: "I think I have a doctor's appointment",
  DFA: "Don't forget a jacket",
  ITS: "I think I've seen this before",
  TSI: "The surface is slick",
  WSI: "We'll stop in a couple of minutes",
};

const CODES: Readonly<Record<string, Emotion>> = {
  ANG: "angry",
  DIS: "disgust",
  FEA: "fearful",
  HAP: "happy",
  NEU: "neutral",
  SAD: "sad",
};

const LEVELS: Readonly<Record<string, string>> = {
  LO: "low",
  MD: "medium",
  HI: "high",
  XX: "unspecified",
  X: "unspecified",
};

const PATTERN = new RegExp(
  `^(10\\d\\d)_(${Object.keys(SENTENCES).join("|")})_(${Object.keys(CODES).join("|")})_(LO|MD|HI|XX|X)\\.wav$`,
  "i",
);

/** The 43 actresses; the other 48 of the actors 1001 to 1091 are men. */
const FEMALE: ReadonlySet<number> = new Set([
  ...[1002, 1003, 1004, 1006, 1007, 1008, 1009, 1010, 1012, 1013, 1018, 1020, 1021, 1024, 1025, 1028, 1029, 1030],
  ...[1037, 1043, 1046, 1047, 1049, 1052, 1053, 1054, 1055, 1056, 1058, 1060, 1061, 1063, 1072, 1073, 1074, 1075],
  ...[1076, 1078, 1079, 1082, 1084, 1089, 1091],
]);

const ACTORS = range(1001, 1091);

function parse(path: string): Utterance | undefined {
  const name = fileName(path);
  const match = PATTERN.exec(name);
  if (match === null) return undefined;
  const [actor, sentence, emotion, level] = match.slice(1).map((field) => field.toUpperCase());
  if (Number(actor) < 1001 || Number(actor) > 1091) return undefined;
  return {
    key: `crema-d/${name.slice(0, -4)}`,
    path,
    corpus: "crema-d",
    speaker: `crema-d-${actor}`,
    sex: FEMALE.has(Number(actor)) ? "female" : "male",
    emotion: CODES[emotion!]!,
    sentence: sentence!,
    intensity: LEVELS[level!]!,
    channel: "speech",
  };
}

/** `crema-d/1040_ITH_SAD_XX`, whatever a copy calls that recording. */
function canonicalKey({ key }: Utterance): string {
  return `crema-d/${key.slice("crema-d/".length).toUpperCase().replace(/_X$/, "_XX")}`;
}

/** What was never distributed, 20 recordings: single ones, and of three actors a sentence in all its emotions. */
const NEVER_DISTRIBUTED = /^(1002_TIE_NEU|1008_WSI_...|1009_MTI_...|1019_ITH_...|1076_ITS_NEU)_XX$/;

/** One sentence is spoken at three levels, but for neutral, which has none. */
const levelsOf = (sentence: string, emotion: string): readonly string[] =>
  sentence === "IEO" && emotion !== "NEU" ? ["LO", "MD", "HI"] : ["XX"];

function keys(): string[] {
  return ACTORS.flatMap((actor) =>
    Object.keys(SENTENCES).flatMap((sentence) =>
      Object.keys(CODES).flatMap((emotion) =>
        levelsOf(sentence, emotion).map((level) => `${actor}_${sentence}_${emotion}_${level}`)
      )
    )
  ).filter((name) => !NEVER_DISTRIBUTED.test(name)).map((name) => `crema-d/${name}`);
}

const all = keys().map((key) => parse(`${key.slice("crema-d/".length)}.wav`)!);

/**
 * The Crowd-sourced Emotional Multimodal Actors Dataset.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const utterance = cremaD.parse("AudioWAV/1001_IEO_FEA_HI.wav");
 * assert.equal(utterance?.emotion, "fearful");
 * assert.equal(utterance?.intensity, "high");
 * assert.equal(utterance?.speaker, "crema-d-1001");
 * ```
 */
export const cremaD: Corpus = {
  id: "crema-d",
  title: "Crowd-sourced Emotional Multimodal Actors Dataset (CREMA-D)",
  language: "English (North American)",
  filePattern: "<actor 1001–1091>_<sentence>_<ANG|DIS|FEA|HAP|NEU|SAD>_<LO|MD|HI|XX>.wav",
  parse,
  canonicalKey,
  emotions: Object.values(CODES),
  speakers: ACTORS.map((actor) => ({ id: `crema-d-${actor}`, sex: FEMALE.has(actor) ? "female" : "male" })),
  sentences: SENTENCES,
  expected: [{
    channel: "speech",
    files: all.length,
    perEmotion: countBy(all, (utterance) => utterance.emotion),
    perSpeaker: countBy(all, (utterance) => utterance.speaker),
    keys,
  }],
  licence: {
    name: "ODbL 1.0 (contents: DbCL 1.0)",
    url: "https://opendatacommons.org/licenses/odbl/1-0/",
    note: "Free to use with attribution; an adapted database that is published stays under the same licence.",
  },
  citation:
    "Cao, H., Cooper, D. G., Keutmann, M. K., Gur, R. C., Nenkova, A. and Verma, R. (2014). CREMA-D: Crowd-sourced " +
    "Emotional Multimodal Actors Dataset. IEEE Transactions on Affective Computing 5(4): 377–390. " +
    "https://doi.org/10.1109/TAFFC.2014.2336244",
  homepage: "https://github.com/CheyneyComputerScience/CREMA-D",
  howToGet:
    "deno task data get crema-d, or clone https://github.com/CheyneyComputerScience/CREMA-D with Git LFS and put " +
    "its AudioWAV into data/crema-d, and beside it processedResults, where listeners' votes stand.",
  downloads: [{
    kind: "git-lfs",
    channel: "speech",
    archive: "https://codeload.github.com/CheyneyComputerScience/CREMA-D/zip/refs/heads/master",
    archiveBytes: 1_000_000_000,
    folder: "AudioWAV",
    media: "https://media.githubusercontent.com/media/CheyneyComputerScience/CREMA-D/master/AudioWAV/",
    files: 7442,
    beside: ["processedResults/tabulatedVotes.csv"],
  }],
  oddities: [
    { keys: ["crema-d/1076_MTI_SAD_XX"], what: "All of its samples are zero." },
    {
      keys: ["crema-d/1006_TIE_HAP_XX", "crema-d/1006_TIE_NEU_XX"],
      what: "The same audio stands under two labels, happy and neutral.",
    },
    {
      keys: ["crema-d/1013_WSI_DIS_XX", "crema-d/1013_WSI_SAD_XX"],
      what: "The same audio stands under two labels, disgust and sad.",
    },
    {
      keys: ["crema-d/1017_IWW_ANG_XX", "crema-d/1017_IWW_FEA_XX"],
      what: "The same audio stands under two labels, angry and fearful.",
    },
    ...([
      ["1017_IWL_ANG_XX", "1017_IWL_FEA_XX", "labels, angry and fearful"],
      ["1067_IEO_DIS_LO", "1067_IEO_FEA_LO", "labels, disgust and fearful"],
      ["1045_ITH_DIS_XX", "1045_IWL_DIS_XX", "sentences, ITH and IWL"],
      ["1056_MTI_ANG_XX", "1056_TAI_ANG_XX", "sentences, MTI and TAI"],
    ] as const).map(([one, other, what]) => ({
      keys: [`crema-d/${one}`, `crema-d/${other}`],
      what: `The same recording, cut and coded anew, stands under two ${what}: shifted, their waveforms correlate by ` +
        "0.98 and more (measured here).",
    })),
    {
      keys: ["crema-d/1040_ITH_SAD_X"],
      what: "Its level is written X instead of XX; it is counted as 1040_ITH_SAD_XX.",
    },
    {
      keys: [],
      what:
        "20 of the 7,462 combinations of actor, sentence, emotion and level were never distributed, 1002_TIE_NEU_XX among them.",
    },
    {
      keys: [],
      what: "A checkout without Git LFS holds small text files called .wav; they are recognised and refused.",
    },
    {
      keys: [],
      what:
        "The label is what the actor was asked for; listeners to the audio alone heard it in 40.9 % of cases (Cao et al., 2014).",
    },
  ],
};
