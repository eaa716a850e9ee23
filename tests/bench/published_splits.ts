/**
 * Lints the splits that the five studies were published with, those that serlab puts in their place, and EmoBox's:
 * `results/lint-splits.json` and `.md`.
 *
 * ```sh
 * deno run -A tests/bench/published_splits.ts --corpora data --emobox <EmoBox>/data
 * ```
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { hearRows, readLintRows } from "../../lib/commands/lint_split.ts";
import { FormatError } from "../../lib/errors.ts";
import { writeFileAtomic } from "../../lib/io.ts";
import { type LintReport, lintSplit, renderLint } from "../../lib/split/mod.ts";
import { applies, type ProtocolName } from "../../lib/study/declare.ts";
import { prepare, splitCsv } from "../../lib/study/run.ts";
import { studies } from "../../experiments/mod.ts";

/** A linted split. */
interface Linted {
  /** Where the split is from. */
  readonly name: string;
  /** What the linter says. */
  readonly report: LintReport;
}

/** The corpora of EmoBox that are on our shelf. */
const EMOBOX = ["cremad", "ravdess", "tess", "savee", "emodb"];

/** A fold of EmoBox as a manifest: its two lists in one, with the names that `lint-split` reads. */
function emoboxManifest(folder: string, corpus: string): string {
  const lines: string[] = [];
  for (const split of ["train", "test"]) {
    const file = join(folder, `${corpus}_${split}_fold_1.jsonl`);
    for (const line of readFileSync(file, "utf8").split("\n").filter((text) => text.trim() !== "")) {
      const { key, wav, emo } = JSON.parse(line) as { key: string; wav: string; emo: string };
      lines.push(JSON.stringify({ key, path: wav, split, label: emo }));
    }
  }
  return lines.join("\n");
}

/** Lints fold 1 of EmoBox's corpora that lie in a folder. */
function lintEmobox(data: string): Linted[] {
  return EMOBOX.filter((corpus) => existsSync(join(data, corpus, "fold_1"))).map((corpus) => {
    const folds = readdirSync(join(data, corpus)).filter((name) => /^fold_\d+$/.test(name)).length;
    const rows = readLintRows(emoboxManifest(join(data, corpus, "fold_1"), corpus), `EmoBox ${corpus}`);
    return { name: `EmoBox ${corpus}, fold 1 of ${folds}`, report: lintSplit(rows) };
  });
}

async function lintStudies(dir: string): Promise<Linted[]> {
  const linted: Linted[] = [];
  for (const study of Object.values(studies)) {
    const variant = Object.entries(study.variants).find(([, { group }]) => group === undefined)![0];
    const protocols = (["as-published", "clean"] as ProtocolName[]).filter((name) => applies(study.protocols[name]));
    if (study.claims.length === 0) continue;
    const prepared = await prepare(study, { dir });
    for (const protocol of protocols) {
      const name = `study ${study.id} ${variant}, ${protocol}, first fold`;
      const rows = readLintRows(splitCsv(prepared, { variant, protocol, seed: 0 }), name);
      // Augmented copies, which have no hash, sound otherwise than the recording that they name.
      const heard = new Map((await hearRows(rows.filter(({ sha256 }) => sha256), dir)).map((row) => [row.key, row]));
      linted.push({ name, report: lintSplit(rows.map((row) => heard.get(row.key) ?? row)) });
      console.error(name);
    }
  }
  return linted;
}

function markdown(all: readonly Linted[]): string {
  const checks = all[0]!.report.findings.map(({ check }) => check);
  const mark = { leak: "**leak**", warning: "warning", clean: "clean", "not checkable": "–" };
  const table = [
    `| split | ${checks.join(" | ")} |`,
    `| --- | ${checks.map(() => "---").join(" | ")} |`,
    ...all.map(({ name, report }) =>
      `| ${name} | ${
        report.findings.map(({ status, count }) => status === "leak" ? `${mark.leak} (${count})` : mark[status]).join(
          " | ",
        )
      } |`
    ),
  ];
  return [
    "# Splits, linted",
    "",
    "Made by `tests/bench/published_splits.ts` with `lint-split`'s checks; – is 'not checkable', never 'clean'.",
    "In brackets how many recordings, speakers, takes … are in more than one set; of the scaler the rows outside of training",
    "that it was fitted on. The studies' audio was heard; of augmented copies and of EmoBox's lists it was not.",
    "",
    ...table,
    "",
    ...all.flatMap(({ name, report }) => [`## ${name}`, "", "```text", renderLint(report).trimEnd(), "```", ""]),
  ].join("\n");
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { corpora: { type: "string", default: "data" }, emobox: { type: "string" }, out: { type: "string" } },
  });
  const out = values.out ?? "results";
  const all = [...await lintStudies(values.corpora), ...(values.emobox ? lintEmobox(values.emobox) : [])];
  if (all.length === 0) throw new FormatError("There is no split to lint.");
  writeFileAtomic(join(out, "lint-splits.json"), JSON.stringify(all, null, 1) + "\n");
  writeFileAtomic(join(out, "lint-splits.md"), markdown(all));
}
