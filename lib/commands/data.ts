/**
 * `data`: lists, gets, checks and indexes corpora.
 *
 * @module
 */

import process from "node:process";
import { dataCheck, dataGet, dataIndex, dataList } from "../corpora/data.ts";
import type { VocalChannel } from "../types.ts";
import { progressBar } from "./progress.ts";

const plural = (n: number, one: string): string => `${n} ${one}${n === 1 ? "" : "s"}`;

/** `data list`: the corpora, their licences, and what of them lies under a folder. */
export async function dataListCommand(options: { readonly corpora: string; readonly json?: boolean }): Promise<void> {
  for (const { corpus, downloadable, found } of await dataList(options.corpora)) {
    const here = found.map((part) => ({
      channel: part.channel,
      files: part.utterances.length,
      expected: part.expected?.files ?? null,
      missing: part.missingCount,
    }));
    if (options.json) {
      const { id, title, language, homepage, citation, licence, howToGet } = corpus;
      console.log(JSON.stringify({ id, title, language, homepage, citation, licence, downloadable, howToGet, here }));
      continue;
    }
    console.log(`${corpus.id}: ${corpus.title}`);
    console.log(`  licence: ${corpus.licence.name}. ${corpus.licence.note}`);
    console.log(
      `  here: ${
        here.map(({ channel, files, expected }) => `${files} of ${expected ?? "any number of"} ${channel} recordings`)
          .join(", ") || "nothing"
      }`,
    );
    console.log(`  get it: ${downloadable ? `deno task data get ${corpus.id}` : corpus.howToGet}`);
  }
}

/** `data get`: downloads a corpus, or says how to get it. */
export async function dataGetCommand(
  name: string,
  options: { readonly to: string; readonly channel: VocalChannel | "all"; readonly keepArchive?: boolean },
): Promise<void> {
  const bar = progressBar(`data get ${name}`);
  const { parts, instructions } = await dataGet(name, {
    dir: options.to,
    channel: options.channel,
    keepArchive: options.keepArchive ?? false,
    onProgress: ({ step, done, total }) => bar.update(done, total ?? done, step),
  }).finally(() => bar.end());
  for (const part of parts) {
    console.log(
      `${part.dir}: ${plural(part.files, "recording")} (${part.channel}), ${part.downloaded ? "new" : "was there"}`,
    );
  }
  if (instructions) {
    console.log(instructions);
    process.exitCode = 1;
  }
}

/** `data check`: a folder against what complete copies hold and the hashes on record; exit code 1 when it is not so. */
export async function dataCheckCommand(dir: string, options: { readonly json?: boolean }): Promise<void> {
  const bar = progressBar("data check");
  const report = await dataCheck(dir, { onProgress: (done, total) => bar.update(done, total) }).finally(() =>
    bar.end()
  );
  process.exitCode = report.ok ? 0 : 1;
  if (options.json) {
    console.log(JSON.stringify(report));
    return;
  }
  for (const corpus of report.corpora) {
    const of = corpus.expected === undefined ? "" : ` of ${corpus.expected}`;
    console.log(
      `${corpus.id} ${corpus.channel}: ${corpus.files}${of} recordings, ${corpus.verified} with the hash on record`,
    );
    if (corpus.missing) console.log(`  missing: ${corpus.missing}`);
    if (corpus.extra) console.log(`  extra: ${corpus.extra}`);
    for (const { path, reason } of corpus.bad) console.log(`  bad: ${path}: ${reason}`);
    for (const key of corpus.changed) console.log(`  changed: ${key}`);
    for (const keys of corpus.identical) console.log(`  the same audio file: ${keys.join(", ")}`);
    for (const { keys, what } of corpus.oddities) {
      console.log(`  known: ${keys.length > 0 ? `${keys.join(", ")}: ` : ""}${what}`);
    }
  }
  for (const path of report.unknown) console.log(`unknown file name: ${path}`);
  for (const path of report.unreadable) console.log(`cannot be read: ${path}`);
  if (report.corpora.length === 0) console.log(`${dir}: no corpus lies there`);
}

/** `data index`: writes the manifest of the corpora under a folder. */
export async function dataIndexCommand(
  dir: string,
  options: {
    readonly corpus?: string;
    readonly channel?: VocalChannel | "all";
    readonly out?: string;
    readonly allowIncomplete?: boolean;
  },
): Promise<void> {
  const bar = progressBar("data index");
  const { manifest, hash, path } = await dataIndex(dir, {
    ...options,
    unknown: options.allowIncomplete ? "ignore" : "error",
    onProgress: (done, total) => bar.update(done, total),
  }).finally(() => bar.end());
  console.log(`${path}: ${plural(manifest.rows.length, "recording")}, manifest ${hash}`);
  if (manifest.missing.length > 0) console.log(`  ${plural(manifest.missing.length, "recording")} missing`);
  for (const key of manifest.extra) console.log(`  extra: ${key}`);
  for (const file of manifest.unknown) console.log(`  unknown file name, ignored: ${file}`);
}
