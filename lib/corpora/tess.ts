/**
 * TESS.
 *
 * A file is called `<OAF|YAF>_<word>_<emotion>.wav`: an older or a younger actress says "Say the word …". Some copies put a
 * number and `test` before that name and a number after it. The words are the four lists of the Northwestern University
 * Auditory Test No. 6 (Tillman and Carhart, 1966).
 *
 * @module
 */

import type { Emotion, Utterance } from "../types.ts";
import { type Corpus, countBy, fileName } from "./corpus.ts";

const CODES: Readonly<Record<string, Emotion>> = {
  angry: "angry",
  disgust: "disgust",
  fear: "fearful",
  happy: "happy",
  neutral: "neutral",
  ps: "surprised",
  sad: "sad",
};

const WORDS = (
  "back bar base bath bean beg bite boat bone book bought burn cab calm came cause chain chair chalk chat check cheek " +
  "chief choice cool dab date dead death deep dime dip ditch dodge dog doll door fail fall far fat fit five food gap " +
  "gas gaze germ get gin goal good goose gun half hall hash hate have haze hire hit hole home hurl hush jail jar join " +
  "judge jug juice keen keep keg kick kill king kite knock late laud lean learn lease lid life limb live loaf long lore " +
  "lose lot love luck make match merge mess met mill mob mode mood moon mop mouse nag name near neat nice note numb " +
  "pad page pain pass pearl peg perch phone pick pike pole pool puff rag raid rain raise rat reach read red ring ripe " +
  "road room rose rot rough rush said sail search seize sell shack shall shawl sheep shirt should shout size soap " +
  "soup sour south sub such sure take talk tape team tell thin third thought thumb time tip tire ton tool tough " +
  "turn vine voice void vote wag walk wash week wheat when which whip white wife wire witch yearn yes young youth"
).split(" ");

const PATTERN = new RegExp(
  `^(?:\\d+test)?(OAF|YAF|OA)_(${WORDS.join("|")})_(${Object.keys(CODES).join("|")})\\d*\\.wav$`,
  "i",
);

function parse(path: string): Utterance | undefined {
  const name = fileName(path);
  const match = PATTERN.exec(name);
  if (match === null) return undefined;
  // One file is called OA_bite_neutral: the older actress.
  const speaker = match[1]!.toUpperCase() === "YAF" ? "YAF" : "OAF";
  return {
    key: `tess/${name.slice(0, -4)}`,
    path,
    corpus: "tess",
    speaker: `tess-${speaker}`,
    sex: "female",
    emotion: CODES[match[3]!.toLowerCase()]!,
    sentence: match[2]!.toLowerCase(),
    channel: "speech",
  };
}

const codeOf = new Map(Object.entries(CODES).map(([code, emotion]) => [emotion, code]));

/** `tess/OAF_bite_neutral`, whatever a copy calls that recording. */
function canonicalKey({ speaker, sentence, emotion }: Utterance): string {
  return `tess/${speaker.slice("tess-".length)}_${sentence}_${codeOf.get(emotion)}`;
}

function keys(): string[] {
  return ["OAF", "YAF"].flatMap((speaker) =>
    Object.keys(CODES).flatMap((code) => WORDS.map((word) => `tess/${speaker}_${word}_${code}`))
  );
}

const all = keys().map((key) => parse(`${key.slice("tess/".length)}.wav`)!);

/** The recordings that are absent from the copy that study 002 used: ten of 2,800. */
export const ABSENT_IN_STUDY_002: readonly string[] = [
  "tess/OAF_tire_happy",
  "tess/OAF_ton_happy",
  "tess/OAF_tool_happy",
  "tess/YAF_neat_fear",
  "tess/YAF_food_neutral",
  "tess/YAF_gap_neutral",
  "tess/YAF_gas_neutral",
  "tess/YAF_phone_ps",
  "tess/YAF_pick_ps",
  "tess/YAF_pike_ps",
];

/**
 * The Toronto Emotional Speech Set.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(tess.parse("OAF_Pleasant_surprise/OAF_back_ps.wav")?.emotion, "surprised");
 * assert.equal(tess.parse("751testOA_bite_neutral48.wav")?.speaker, "tess-OAF");
 * ```
 */
export const tess: Corpus = {
  id: "tess",
  title: "Toronto Emotional Speech Set (TESS)",
  language: "English (Canadian)",
  filePattern: "<OAF|YAF>_<word>_<angry|disgust|fear|happy|neutral|ps|sad>.wav",
  parse,
  canonicalKey,
  emotions: Object.values(CODES),
  speakers: [{ id: "tess-OAF", sex: "female" }, { id: "tess-YAF", sex: "female" }],
  sentences: Object.fromEntries(WORDS.map((word) => [word, `Say the word ${word}`])),
  expected: [{
    channel: "speech",
    files: all.length,
    perEmotion: countBy(all, (utterance) => utterance.emotion),
    perSpeaker: countBy(all, (utterance) => utterance.speaker),
    keys,
  }],
  licence: {
    name: "CC BY-NC-ND 4.0",
    url: "https://creativecommons.org/licenses/by-nc-nd/4.0/",
    note: "Free for non-commercial use with attribution; changed versions may not be passed on.",
  },
  citation: "Pichora-Fuller, M. K. and Dupuis, K. (2020). Toronto emotional speech set (TESS). Borealis, V1. " +
    "https://doi.org/10.5683/SP2/E8H2MF",
  homepage: "https://tspace.library.utoronto.ca/handle/1807/24487",
  howToGet: "download the data set at https://doi.org/10.5683/SP2/E8H2MF (accept its terms there) and unpack its 14 " +
    "folders, OAF_angry … YAF_sad, into data/tess.",
  downloads: [],
  oddities: [
    { keys: [], what: "ps in a file name stands for pleasant surprise." },
    {
      keys: ["tess/OA_bite_neutral", "tess/751testOA_bite_neutral48"],
      what: "Its speaker is misspelt OA, in a renumbered copy too; it is counted as OAF_bite_neutral.",
    },
    {
      keys: ["tess/507testYAF_germ_angry29", "tess/672testYAF_neat_fear19"],
      what: "In a renumbered copy these two are AIFF files called .wav.",
    },
    {
      keys: ["tess/762testOAF_food_fear52"],
      what: "In a renumbered copy this one is sampled at 96 kHz, all others at 24,414 Hz.",
    },
    { keys: ABSENT_IN_STUDY_002, what: "Absent from the copy that study 002 used, which had 2,790 of 2,800 files." },
    {
      keys: [],
      what:
        "Two actresses and one carrier phrase: models reach nearly 100 % on a random split and learn the two voices.",
    },
  ],
};
