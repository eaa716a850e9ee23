/**
 * The synthetic corpus: emotional speech of nobody, made from a seed, for demonstrations, tests and notebooks.
 *
 * Its files are named like RAVDESS's with a `syn-` in front, `syn-03-01-<emotion>-01-<sentence>-<take>-<actor>.wav`, so
 * that they take the same way as a real corpus and are never mistaken for one.
 *
 * @module
 */

import { promises as fs, readFileSync } from "node:fs";
import { join } from "node:path";
import { encodeWav } from "../audio/wav.ts";
import { UsageError } from "../errors.ts";
import { canonicalJson, sha256Hex, writeFileAtomic } from "../io.ts";
import { type Emotion, EMOTIONS, type Utterance } from "../types.ts";
import { type Corpus, fileName, padded, range } from "./corpus.ts";
import { SENTENCES, speak, speakerSex, VOICE_VERSION } from "./voice.ts";

const PATTERN = /^syn-03-01-0([1-8])-01-(\d\d)-(\d\d)-(\d\d)\.wav$/;

function parse(path: string): Utterance | undefined {
  const name = fileName(path);
  const match = PATTERN.exec(name);
  if (match === null) return undefined;
  const [, emotion, sentence, take, actor] = match as unknown as [string, string, string, string, string];
  if (sentence === "00" || Number(sentence) > SENTENCES.length || take === "00" || actor === "00") return undefined;
  return {
    key: `synthetic/${name.slice(0, -4)}`,
    path,
    corpus: "synthetic",
    speaker: `synthetic-${actor}`,
    sex: speakerSex(Number(actor)),
    emotion: EMOTIONS[Number(emotion) - 1]!,
    sentence,
    take,
    intensity: "normal",
    channel: "speech",
  };
}

/** The synthetic corpus, as the shelf knows it; {@linkcode synthesize} makes one. */
export const synthetic: Corpus = {
  id: "synthetic",
  title: "serlab's synthetic emotional speech",
  language: "English, after a fashion",
  filePattern: "syn-03-01-<emotion 01–08>-01-<sentence>-<take>-<actor>.wav",
  parse,
  emotions: EMOTIONS,
  speakers: range(1, 99).map((actor) => ({ id: `synthetic-${padded(actor)}`, sex: speakerSex(actor) })),
  sentences: Object.fromEntries(SENTENCES.map(({ text }, i) => [padded(i + 1), text])),
  expected: [],
  licence: {
    name: "MIT",
    url: "https://opensource.org/license/mit",
    note: "Made by serlab itself; use it as you like.",
  },
  citation: "serlab, synthetic emotional speech from a source–filter model (lib/corpora/voice.ts).",
  homepage: "lib/corpora/voice.ts",
  howToGet: "deno task data get synthetic, or run deno task demo.",
  downloads: [],
  oddities: [
    {
      keys: [],
      what: "Numbers reached on it say that a pipeline works; they say nothing about people's emotions.",
    },
  ],
};

/** Options of {@linkcode synthesize}. */
export interface SynthesisOptions {
  /** Seed, an integer from 0 to 2³² − 1 (default 0). */
  readonly seed?: number;
  /** Folder below which the corpus gets a folder of its own, named by the options (default `data/synthetic`). */
  readonly dir?: string;
  /** Number of speakers, 1 to 99, alternately male and female (default 8). */
  readonly speakers?: number;
  /** Number of sentences, 1 to 6 (default 2). */
  readonly sentences?: number;
  /** The labels, any of the eight {@linkcode EMOTIONS} (default all). */
  readonly emotions?: readonly Emotion[];
  /** Takes of each speaker, sentence and emotion, 1 to 99 (default 2). */
  readonly takes?: number;
  /** Sampling rate in Hz, an integer from 8000 to 48000 (default 16000; RAVDESS has 48000). */
  readonly sampleRateHz?: number;
  /** Strength of a planted cue that tells the label to who knows the speaker (default 0, see {@linkcode speak}). */
  readonly speakerCue?: number;
  /** Is told after every file how many are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A corpus that {@linkcode synthesize} made or found whole. */
export interface SyntheticCorpus {
  /** Its folder: what `indexCorpus` takes. */
  readonly dir: string;
  /** Paths of its files relative to that folder, `Actor_NN/syn-….wav`. */
  readonly files: readonly string[];
  /** How many of them had to be written; 0 when the corpus was there. */
  readonly written: number;
}

/** The file that says a corpus is whole, written last. */
const SEAL = "synthetic.json";

function settings(options: SynthesisOptions) {
  const { seed = 0, speakers = 8, sentences = 2, takes = 2, sampleRateHz = 16000, speakerCue = 0 } = options;
  const emotions = EMOTIONS.filter((emotion) => options.emotions?.includes(emotion) ?? true);
  const whole = (name: string, value: number, least: number, most: number) => {
    if (!Number.isInteger(value) || value < least || value > most) {
      throw new UsageError(`The synthetic corpus's ${name} must be an integer from ${least} to ${most}, not ${value}.`);
    }
  };
  whole("seed", seed, 0, 2 ** 32 - 1);
  whole("number of speakers", speakers, 1, 99);
  whole("number of sentences", sentences, 1, SENTENCES.length);
  whole("number of takes", takes, 1, 99);
  whole("sampling rate in Hz", sampleRateHz, 8000, 48000);
  if (!(speakerCue >= 0 && speakerCue <= 10)) {
    throw new UsageError(`The synthetic corpus's speakerCue must be from 0 to 10, not ${speakerCue}.`);
  }
  const odd = (options.emotions ?? []).find((emotion) => !(EMOTIONS as readonly Emotion[]).includes(emotion));
  if (odd !== undefined || emotions.length === 0) {
    throw new UsageError(`The synthetic corpus knows the labels ${EMOTIONS.join(", ")}, not "${odd ?? ""}".`);
  }
  return { voice: VOICE_VERSION, seed, speakers, sentences, emotions, takes, sampleRateHz, speakerCue };
}

function fileHash(path: string): string | undefined {
  try {
    return sha256Hex(readFileSync(path));
  } catch {
    return undefined;
  }
}

/** The hashes that the seal of a finished corpus holds; none when there is no seal, or it is another corpus's. */
function sealedHashes(path: string, options: unknown): Readonly<Record<string, string>> {
  try {
    const seal = JSON.parse(readFileSync(path, "utf8"));
    if (seal.format === "serlab-synthetic" && canonicalJson(seal.options) === canonicalJson(options)) return seal.files;
  } catch { /* as good as none */ }
  return {};
}

/**
 * Makes the synthetic corpus, or finds it made: 16-bit WAV files below `<dir>/seed<seed>-<hash of the options>/`.
 *
 * The same options give the same bytes everywhere. Every file is written whole or not at all, and a seal with all hashes
 * comes last: a corpus without it, or with a file that was removed or changed, is completed by the next call. A file
 * does not depend on how many others are asked for.
 *
 * @throws {UsageError} when an option is out of its range.
 * @throws {WriteError} when a file cannot be written.
 *
 * @example
 * ```ts ignore
 * const { dir } = await synthesize({ seed: 1 });
 * const manifest = await indexCorpus(dir); // 256 rows: 8 speakers, 8 emotions, 2 sentences, 2 takes
 * ```
 */
export async function synthesize(options: SynthesisOptions = {}): Promise<SyntheticCorpus> {
  const chosen = settings(options);
  const dir = join(
    options.dir ?? join("data", "synthetic"),
    `seed${chosen.seed}-${sha256Hex(canonicalJson(chosen)).slice(0, 8)}`,
  );
  const sealed = sealedHashes(join(dir, SEAL), chosen);
  const { seed, sampleRateHz, speakerCue } = chosen;
  const requests = range(1, chosen.speakers).flatMap((speaker) =>
    chosen.emotions.flatMap((emotion) =>
      range(1, chosen.sentences).flatMap((sentence) =>
        range(1, chosen.takes).map((take) => ({ seed, speaker, emotion, sentence, take, sampleRateHz, speakerCue }))
      )
    )
  );
  const hashes: Record<string, string> = {};
  let written = 0;
  for (const [index, request] of requests.entries()) {
    const { speaker, emotion, sentence, take } = request;
    const fields = [3, 1, EMOTIONS.indexOf(emotion as typeof EMOTIONS[number]) + 1, 1, sentence, take, speaker];
    const path = `Actor_${padded(speaker)}/syn-${fields.map((field) => padded(field)).join("-")}.wav`;
    const there = fileHash(join(dir, path));
    if (there !== undefined && there === sealed[path]) {
      hashes[path] = there;
    } else {
      const bytes = encodeWav(speak(request));
      hashes[path] = sha256Hex(bytes);
      if (there !== hashes[path]) {
        writeFileAtomic(join(dir, path), bytes);
        written++;
      }
    }
    options.onProgress?.(index + 1, requests.length);
    // Lets timers and signals in, so that Ctrl-C is heard.
    if (index % 16 === 15) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const seal = JSON.stringify({ format: "serlab-synthetic", version: 1, options: chosen, files: hashes }, null, 1) +
    "\n";
  const before = await fs.readFile(join(dir, SEAL), "utf8").catch(() => undefined);
  if (before !== seal) writeFileAtomic(join(dir, SEAL), seal);
  return { dir, files: Object.keys(hashes), written };
}
