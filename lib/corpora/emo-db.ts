/**
 * EMO-DB.
 *
 * A file is called `<speaker><text><emotion><version>.wav`, e.g. `03a01Fa.wav`; the emotion is the first letter of the
 * German word. Source: the corpus's own documentation, http://emodb.bilderbar.info/docu/.
 *
 * @module
 */

import type { Emotion, Sex, Utterance } from "../types.ts";
import { type Corpus, countBy, fileName } from "./corpus.ts";

const CODES: Readonly<Record<string, Emotion>> = {
  W: "angry", // Wut, Ärger
  L: "bored", // Langeweile
  E: "disgust", // Ekel
  A: "fearful", // Angst
  F: "happy", // Freude
  T: "sad", // Trauer
  N: "neutral",
};

const SPEAKERS: Readonly<Record<string, Sex>> = {
  "03": "male",
  "08": "female",
  "09": "female",
  "10": "male",
  "11": "male",
  "12": "male",
  "13": "female",
  "14": "female",
  "15": "male",
  "16": "female",
};

/** The speakers in their order; an object has those from 10 on before 03. */
const IDS = Object.keys(SPEAKERS).sort();

const SENTENCES: Readonly<Record<string, string>> = {
  a01: "Der Lappen liegt auf dem Eisschrank.",
  a02: "Das will sie am Mittwoch abgeben.",
  a04: "Heute abend könnte ich es ihm sagen.",
  a05: "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
  a07: "In sieben Stunden wird es soweit sein.",
  b01: "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
  b02: "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
  b03: "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
  b09: "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
  b10: "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
};

/** What was kept of each speaker, of the ten sentences in their order: emotion and version, emotion and version, … */
const KEPT: Readonly<Record<string, string>> = {
  "03": "FaNcWa FcNcTaWbWc AdFdLcNcTaWc AaFcNdTcWaWb FaFbLaNcWc " +
    "FaLbNbTdWaWc AaLaNaTbWb NbTcWc LaNcTcWa AbEcNaNcWbWc",
  "08": "AbFdLcNaWaWc AbAcFeLaNaTbWc FfLaNcTbWc FeLcNbTaWa FdLaNaTaTbWc " +
    "AaFdFeLbNaWa FfLaNbTcWd FeLcNbTcWd AbFdLcNbTbWaWc AaFdLaNcTcWa",
  "09": "EaFaNbWb EaEbLaWb FdLaNbWa EdLcNbTbWbWc EbNaTaWbWd " +
    "EaNaWb NaTbWcWd EdFaFdLbNbTaWb EaNdWa AaNdWa",
  "10": "AcNbWa AbFaLbNaWa FdNbWaWb AaLdTbWb AaAdLaTaWb " +
    "AaEaFaLb AaLaNaWb LaTbWb AdLbWb FcLcWa",
  "11": "AaAbLdNdWc EcFbLdNcTcWc AcFdNdWc AdFbFcLcNaTdWd AcLdTaWc " +
    "AbEbFcLbNcWd AbFdNaTdWb FcLcNbTdWaWb AdFdLdNaTdWa AdAeLdNcTdWa",
  "12": "FbLbNbWc AcEcNbWaWc Wc AbLbNdTaWb AcLaWa " +
    "TaWa AdEaFbNaWaWbWd LaTa AcTdWc AcLdWa",
  "13": "AcEaEcFdLbNbWb AdEcFaLcNcTaWa AcFcLbTaWc AaEaLcNbTcWaWc FdLbNaTcWb " +
    "AbEcFcLdNcWa FbLcNbWa AcEdFdLbNaTdWc AbEcFbFcLaNaWa EcFaLaNcWaWc",
  "14": "AaAcEaNaWaWc AbEaFdLaNcTbWaWc AaEdLbTbTcWbWc AaAcFaFbLbNaTaTcWaWb AaEbFdLcLdNaTcWc " +
    "AcEbFaFcNaWc AaFbNaTcWbWd AdEdLbTaWb AcEaFcLbTdWaWc AdEbLbNbTcWc",
  "15": "EaFbLaNbWa AcEaLaNaTaWbWd AbAcFdNcWaWb EbFbLbNaWa AcEbFaFbLdNc " +
    "EcLbNaWc AaLbNdTcWaWc AaLcNbTcWaWb AcFaLaNbTaWb AcLcNbNcWa",
  "16": "EcFcLbNcTbWb EaEcLbNbTcWb AbEaFaLaLcNcTcWbWc AbEaFcLaTbWbWc EaFaFbLaLbNbTdWa " +
    "AaEbFaLaLcTbWaWb AaEbFdLbWb AdEaFaFdLaNbTaWb AbEbFbLaLbWb AaEbFbLbTbTdWaWb",
};

const PATTERN = new RegExp(
  `^(${IDS.join("|")})(${Object.keys(SENTENCES).join("|")})([WLEAFTN])([a-z])\\.wav$`,
);

function parse(path: string): Utterance | undefined {
  const name = fileName(path);
  const match = PATTERN.exec(name);
  if (match === null) return undefined;
  const [, speaker, sentence, emotion, take] = match;
  return {
    key: `emo-db/${name.slice(0, -4)}`,
    path,
    corpus: "emo-db",
    speaker: `emo-db-${speaker}`,
    sex: SPEAKERS[speaker!]!,
    emotion: CODES[emotion!]!,
    sentence: sentence!,
    take: take!,
    channel: "speech",
  };
}

function keys(): string[] {
  const sentences = Object.keys(SENTENCES);
  return IDS.flatMap((id) =>
    KEPT[id]!.split(" ").flatMap((takes, i) => takes.match(/../g)!.map((take) => `emo-db/${id}${sentences[i]}${take}`))
  );
}

const all = keys().map((key) => parse(`${key.slice("emo-db/".length)}.wav`)!);

/**
 * The Berlin Database of Emotional Speech.
 *
 * Its seventh emotion, boredom, keeps a label of its own, `bored`, which no study's label map has: a study that maps
 * labels leaves those recordings out, and nothing that was recorded is relabelled.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(emoDb.parse("wav/03a01Fa.wav")?.emotion, "happy");
 * assert.equal(emoDb.parse("wav/16b10Lb.wav")?.emotion, "bored");
 * ```
 */
export const emoDb: Corpus = {
  id: "emo-db",
  title: "Berlin Database of Emotional Speech (EMO-DB)",
  language: "German",
  filePattern: "<speaker><text a01…b10><W|L|E|A|F|T|N><version a…>.wav",
  parse,
  emotions: Object.values(CODES),
  speakers: IDS.map((id) => ({ id: `emo-db-${id}`, sex: SPEAKERS[id]! })),
  sentences: SENTENCES,
  expected: [{
    channel: "speech",
    files: all.length,
    perEmotion: countBy(all, (utterance) => utterance.emotion),
    perSpeaker: countBy(all, (utterance) => utterance.speaker),
    keys,
  }],
  licence: {
    name: "as stated on its Zenodo record",
    url: "https://zenodo.org/records/7447302",
    note: "Open for download; read the record's terms, and cite the article.",
  },
  citation:
    "Burkhardt, F., Paeschke, A., Rolfes, M., Sendlmeier, W. F. and Weiss, B. (2005). A database of German emotional " +
    "speech. Proc. Interspeech 2005, 1517–1520. https://doi.org/10.21437/Interspeech.2005-446",
  homepage: "http://emodb.bilderbar.info/docu/",
  howToGet: "deno task data get emo-db, or unpack emodb.zip of https://zenodo.org/records/7447302 into data/emo-db.",
  downloads: [{
    kind: "zip",
    channel: "speech",
    file: "emodb.zip",
    url: "https://zenodo.org/records/7447302/files/emodb.zip?download=1",
    record: "https://zenodo.org/api/records/7447302",
    unpackedBytes: 500_000_000,
  }],
  oddities: [
    { keys: [], what: "Boredom is labelled bored, which is no class of the five studies." },
    { keys: [], what: "Classes are uneven, 46 (disgust) to 127 (angry), and so are speakers, 35 to 71." },
    {
      keys: [],
      what: "Only takes that listeners recognised were kept, so it is easier than what actors do unselected.",
    },
  ],
};
