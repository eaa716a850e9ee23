/**
 * Any other corpus: a folder whose sub-folders are named as emotions, or a table that lists files and labels.
 *
 * @module
 */

import { promises as fs } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { CorpusError, UsageError } from "../errors.ts";
import { systemReason } from "../io.ts";
import { type Emotion, EMOTIONS, FURTHER_EMOTIONS, type Sex, type Utterance, type VocalChannel } from "../types.ts";
import { fileName } from "./corpus.ts";
import { listFiles } from "./find.ts";
import { readRows } from "./indexing.ts";
import { type Manifest, orderRows } from "./manifest.ts";

/** Options of {@linkcode indexFolder} and {@linkcode indexTable}. */
export interface GenericOptions {
  /** Identifier of the corpus (default: name of the folder, in lower case, with `-` for what is no letter or digit). */
  readonly corpus?: string;
  /** Canonical label of each name that the corpus uses, beside the usual English ones: `{ freude: "happy" }`. */
  readonly labels?: Readonly<Record<string, Emotion>>;
  /**
   * How the paths of {@linkcode indexFolder} tell what is recorded: a pattern over the path relative to the folder, with
   * the named groups `emotion`, `speaker`, `sentence`, `take`, `intensity`. Default: the last folder that is named as an
   * emotion is the label, the last other folder the speaker.
   */
  readonly pattern?: RegExp;
  /** What a file does whose label is not known: `error` (default) or `ignore`. */
  readonly unknown?: "error" | "ignore";
  /** Is told after every file how many are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Names of the canonical labels that other corpora use. */
const USUAL: Readonly<Record<Emotion, string>> = {
  neutral: "neu neutrality n",
  calm: "calmness",
  happy: "hap happiness joy joyful h",
  sad: "sadness s",
  angry: "ang anger a",
  fearful: "fea fear anxiety anxious scared f",
  disgust: "dis disgusted d",
  surprised: "sur surprise ps pleasant_surprise pleasant_surprised pleasant-surprise",
  bored: "boredom bor",
};

const ALL: readonly Emotion[] = [...EMOTIONS, ...FURTHER_EMOTIONS];

const AUDIO = /\.(wav|aiff?|aifc|flac|mp3|ogg|oga|opus|webm|m4a|mp4|aac)$/i;

/** Finds the canonical label of a name, whatever its case; undefined when there is none. */
function labeller(own: GenericOptions["labels"] = {}): (name: string) => Emotion | undefined {
  const labels = new Map<string, Emotion>();
  for (const emotion of ALL) {
    for (const name of [emotion, ...USUAL[emotion].split(" ")]) labels.set(name, emotion);
  }
  for (const [name, emotion] of Object.entries(own)) {
    if (!ALL.includes(emotion)) {
      throw new UsageError(`The label "${name}" cannot stand for "${emotion}"; there are ${ALL.join(", ")}.`);
    }
    labels.set(name.toLowerCase(), emotion);
  }
  return (name) => labels.get(name.trim().toLowerCase());
}

function corpusName(option: string | undefined, dir: string): string {
  const name = option ?? basename(resolve(dir)).toLowerCase().replaceAll(/[^a-z0-9]+/g, "-").replaceAll(/^-|-$/g, "");
  if (!/^[a-z0-9][a-z0-9-]*$/.test(name)) {
    throw new UsageError(`"${name}" cannot identify a corpus: lower-case letters, digits and - make an identifier.`);
  }
  return name;
}

/** What was read of a recording, before it is checked. */
interface Facts {
  readonly path: string;
  readonly emotion: string;
  readonly speaker?: string;
  readonly sex?: string;
  readonly sentence?: string;
  readonly take?: string;
  readonly intensity?: string;
  readonly channel?: string;
}

/** The speaker of recordings whose speaker is not told: all are one, so that no split by speaker can pretend. */
const UNKNOWN_SPEAKER = "unknown";

const SEXES: Readonly<Record<string, Sex>> = {
  female: "female",
  f: "female",
  woman: "female",
  male: "male",
  m: "male",
  man: "male",
};

function utteranceOf(corpus: string, facts: Facts, emotion: Emotion, where: string): Utterance {
  const text = (name: "sentence" | "take" | "intensity") => facts[name] ? { [name]: facts[name] } : {};
  let sex: Sex | undefined;
  if (facts.sex) {
    sex = SEXES[facts.sex.toLowerCase()];
    if (sex === undefined) throw new CorpusError(`${where}: sex must be female or male, not "${facts.sex}".`);
  }
  let channel: VocalChannel = "speech";
  if (facts.channel) {
    if (facts.channel !== "speech" && facts.channel !== "song") {
      throw new CorpusError(`${where}: channel must be speech or song, not "${facts.channel}".`);
    }
    channel = facts.channel;
  }
  return {
    // Names need not be unique in a folder of folders; paths are.
    key: `${corpus}/${facts.path.replace(/\.[^./]*$/, "")}`,
    path: facts.path,
    corpus,
    speaker: `${corpus}-${facts.speaker || UNKNOWN_SPEAKER}`,
    ...(sex === undefined ? {} : { sex }),
    emotion,
    ...text("sentence"),
    ...text("take"),
    ...text("intensity"),
    channel,
  };
}

async function manifestOf(dir: string, utterances: readonly Utterance[], options: GenericOptions): Promise<Manifest> {
  if (utterances.length === 0) throw new CorpusError(`${dir}: no audio file with a known label lies there.`);
  const keys = new Map<string, string>();
  for (const { key, path } of utterances) {
    const other = keys.get(key);
    if (other !== undefined) {
      throw new CorpusError(
        other === path
          ? `${join(dir, path)}: is listed twice.`
          : `${join(dir, path)}: differs from ${join(dir, other)} in nothing but its ending; one of the two must go.`,
      );
    }
    keys.set(key, path);
  }
  return { rows: orderRows(await readRows(dir, utterances, options.onProgress)), missing: [] };
}

/**
 * Indexes a folder of audio that is no corpus of the shelf, such as `<speaker>/<emotion>/<file>` or `<emotion>/<file>`.
 *
 * Where nothing tells the speaker, all recordings have the one speaker `<corpus>-unknown`: a split by speaker is then
 * refused rather than pretended.
 *
 * @param dir The folder.
 * @throws {CorpusError} when the folder cannot be read, holds no labelled audio, or, unless `unknown` is `ignore`, holds an
 * audio file whose label is not known.
 *
 * @example
 * ```ts ignore
 * const manifest = await indexFolder("recordings", { labels: { freude: "happy", trauer: "sad" } });
 * ```
 */
export async function indexFolder(dir: string, options: GenericOptions = {}): Promise<Manifest> {
  const corpus = corpusName(options.corpus, dir);
  const label = labeller(options.labels);
  const { files, unreadable } = await listFiles(dir);
  if (unreadable.length > 0) {
    throw new CorpusError(`${unreadable[0]}; a folder is only indexed when all of it can be read.`);
  }
  const utterances: Utterance[] = [];
  for (const path of files) {
    if (!AUDIO.test(path)) continue;
    const facts = options.pattern ? factsByPattern(path, options.pattern) : factsByFolders(path, label);
    const emotion = facts && label(facts.emotion);
    if (facts === undefined || emotion === undefined) {
      if (options.unknown === "ignore") continue;
      const why = facts === undefined
        ? options.pattern
          ? `does not fit the pattern ${options.pattern}`
          : "lies in no folder that is named as an emotion"
        : `has the unknown label "${facts.emotion}"`;
      throw new CorpusError(`${join(dir, path)}: ${why}; labels are ${ALL.join(", ")} and those given as options.`);
    }
    utterances.push(utteranceOf(corpus, facts, emotion, join(dir, path)));
  }
  return await manifestOf(dir, utterances, options);
}

function factsByPattern(path: string, pattern: RegExp): Facts | undefined {
  // A pattern with the flags g or y would remember where it stopped.
  const groups = new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, "")).exec(path)?.groups;
  return groups?.emotion === undefined ? undefined : { ...groups, path, emotion: groups.emotion };
}

function factsByFolders(path: string, label: (name: string) => Emotion | undefined): Facts | undefined {
  const folders = path.split("/").slice(0, -1);
  const at = folders.findLastIndex((folder) => label(folder) !== undefined);
  if (at < 0) return undefined;
  const speaker = folders.filter((_, i) => i !== at).at(-1);
  return { path, emotion: folders[at]!, ...(speaker === undefined ? {} : { speaker }) };
}

/**
 * Reads comma- or tab-separated text.
 *
 * @returns rows of fields; quoted fields may hold separators, line ends and doubled quotes (RFC 4180).
 */
export function parseTable(text: string): string[][] {
  const clean = text.replace(/^\ufeff/, "");
  const firstLine = clean.slice(0, clean.search(/[\r\n]|$/));
  const separator = firstLine.includes("\t") ? "\t" : firstLine.includes(";") && !firstLine.includes(",") ? ";" : ",";
  const rows: string[][] = [];
  let row: string[] = [];
  let field = "";
  let quoted = false;
  const endField = () => {
    row.push(field);
    field = "";
  };
  const endRow = () => {
    endField();
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
  };
  for (let i = 0; i < clean.length; i++) {
    const c = clean[i]!;
    if (quoted) {
      if (c !== '"') field += c;
      else if (clean[i + 1] === '"') field += clean[++i]!;
      else quoted = false;
    } else if (c === '"' && field === "") quoted = true;
    else if (c === separator) endField();
    else if (c === "\n") endRow();
    else if (c !== "\r") field += c;
  }
  endRow();
  return rows;
}

/** Names of the columns that a table may use instead. */
const COLUMNS: Readonly<Record<string, keyof Facts>> = {
  path: "path",
  file: "path",
  filename: "path",
  wav: "path",
  emotion: "emotion",
  label: "emotion",
  class: "emotion",
  speaker: "speaker",
  actor: "speaker",
  sex: "sex",
  gender: "sex",
  sentence: "sentence",
  text: "sentence",
  take: "take",
  repetition: "take",
  intensity: "intensity",
  channel: "channel",
};

/** The records of a table, CSV, TSV or JSON Lines, with the number of the line or record each came from. */
function tableRecords(text: string, table: string): { record: Readonly<Record<string, unknown>>; line: number }[] {
  if (/\.(jsonl|ndjson)$/i.test(table)) {
    return text.split("\n").flatMap((line, i) => {
      if (line.trim() === "") return [];
      let record: unknown;
      try {
        record = JSON.parse(line);
      } catch (error) {
        throw new CorpusError(`${table}:${i + 1}: this line is not JSON.`, { cause: error });
      }
      if (record === null || typeof record !== "object") {
        throw new CorpusError(`${table}:${i + 1}: a line must be a JSON object.`);
      }
      return [{ record: record as Record<string, unknown>, line: i + 1 }];
    });
  }
  const [header = [], ...rows] = parseTable(text);
  return rows.map((row, i) => {
    if (row.length !== header.length) {
      throw new CorpusError(`${table}: record ${i + 1} has ${row.length} fields and the header ${header.length}.`);
    }
    return { record: Object.fromEntries(header.map((name, column) => [name, row[column]!])), line: i + 2 };
  });
}

/**
 * Indexes the recordings that a table lists: CSV, TSV or JSON Lines with the columns `path` and `emotion` (or `label`), and
 * where they are known `speaker`, `sex`, `sentence`, `take`, `intensity`, `channel`. Paths are relative to the table.
 *
 * @param table Path of the table.
 * @throws {CorpusError} when it cannot be read, lacks a column, or lists a file that is not there, is not audio, lies outside
 * the table's folder, or has an unknown label.
 */
export async function indexTable(table: string, options: GenericOptions = {}): Promise<Manifest> {
  let text: string;
  try {
    text = await fs.readFile(table, "utf8");
  } catch (error) {
    throw new CorpusError(`${table}: cannot be read, ${systemReason(error)}.`, { cause: error });
  }
  const dir = dirname(table);
  const corpus = corpusName(options.corpus, dir);
  const label = labeller(options.labels);
  const utterances: Utterance[] = [];
  for (const { record, line } of tableRecords(text, table)) {
    const where = `${table}:${line}`;
    const facts: Partial<Record<keyof Facts, string>> = {};
    for (const [name, value] of Object.entries(record)) {
      const field = COLUMNS[name.trim().toLowerCase()];
      if (field !== undefined && value !== null && value !== undefined) facts[field] ??= String(value).trim();
    }
    const { path, emotion } = facts;
    if (!path || !emotion) {
      throw new CorpusError(
        `${where}: lacks ${path ? "an emotion" : "a path"}; a table needs the columns path and emotion.`,
      );
    }
    const clean = path.replaceAll("\\", "/").replace(/^(?:\.\/)+/, "");
    if (
      clean.startsWith("/") || /^[A-Za-z]:/.test(clean) || clean.split("/").includes("..") || fileName(clean) === ""
    ) {
      throw new CorpusError(`${where}: the path "${path}" must lead to a file below the folder of the table.`);
    }
    const known = label(emotion);
    if (known === undefined) {
      if (options.unknown === "ignore") continue;
      throw new CorpusError(
        `${where}: unknown label "${emotion}"; labels are ${ALL.join(", ")} and those given as options.`,
      );
    }
    utterances.push(utteranceOf(corpus, { ...facts, path: clean, emotion }, known, where));
  }
  return await manifestOf(dir, utterances, options);
}
