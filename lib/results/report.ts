/**
 * `results/README.md` and its pictures, generated from run records and their predictions alone: the same records give
 * the same bytes.
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../io.ts";
import { classificationReport, formatFixed, mostConfused } from "../training/metrics.ts";
import { wilsonInterval } from "../training/statistics.ts";
import {
  cellConfusionSvg,
  cellFigureName,
  cellFigureText,
  cellLearningSvg,
  forestSvg,
  type StudyCells,
} from "./figures.ts";
import { findRunRecords, verifyRunRecord } from "./record.ts";
import {
  ablationSection,
  corporaSection,
  ladderSection,
  ladderSvg,
  listenersSection,
  searchSummary,
  sweepFigureName,
  sweepSection,
  type SweepText,
} from "./sections.ts";
import {
  type Cell,
  type CheckedRecord,
  compareCells,
  isMain,
  oneAnswer,
  protocolOf,
  studyCells,
  type StudyText,
} from "./summary.ts";
import { kindText, percent, plural, range, spread, table } from "./text.ts";

export type { ClaimText, StudyText } from "./summary.ts";

function seedsText(cell: Cell): string {
  return cell.runs.length === 1 ? `seed ${cell.runs[0].record.seed} only` : plural(cell.runs.length, "seed");
}

function measured(cell: Cell): string {
  const { recordings, speakers } = cell.intervals;
  const rows = cell.rows === recordings ? "" : `${plural(cell.rows, "row")} of `;
  return `${rows}${plural(recordings, "clip")} of ${plural(speakers, "speaker")}`;
}

/** What differs between values of the records, shortened; the same value only once. */
function distinct(cells: readonly Cell[], of: (each: CheckedRecord) => string | null): string {
  const values = new Set(cells.flatMap((cell) => cell.runs.map(of)).map((value) => value ?? "unknown"));
  return [...values].sort().join(", ");
}

function short(hash: string | null): string | null {
  return hash === null ? null : hash.replace(/^([0-9a-f]{12})[0-9a-f]*/, "$1");
}

/** Where GitHub puts a heading. */
function anchor(heading: string): string {
  return `#${heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\- ]/gu, "").replaceAll(" ", "-")}`;
}

function headingOf({ id, study }: StudyCells): string {
  return `Study ${id}${study === undefined ? "" : `: ${study.title}`}`;
}

/** Says of a model that gives nearly always the same answer that its number is about the training, not about the leak. */
function failure(cell: Cell, study: StudyText | undefined): string[] {
  const found = oneAnswer(cell);
  if (found === null) return [];
  const caution = study?.variants?.[cell.variant]?.caution;
  return [
    `- **\`${cell.protocol}\`, *${cell.variant}*, says ${found.answer} of ${percent(found.share)} of its rows**, ` +
    `whatever they are: a UAR of ${percent(cell.uar.mean)}, guessing has ${percent(found.guessing)}. The training ` +
    `failed; the value does not tell what a leak is worth.${caution === undefined ? "" : ` ${caution}`}`,
  ];
}

/** All studies in one table: claimed, reproduced, left. */
function glance(parts: readonly StudyCells[]): string[] {
  const rows = parts.flatMap((part): string[][] => {
    const { id, study, cells: all } = part;
    if (study === undefined) return [];
    const cells = all.filter((cell) => isMain(cell, study));
    const variants = new Set([...study.claims.map(({ variant }) => variant), ...cells.map(({ variant }) => variant)]);
    const value = (variant: string, protocol: string): string => {
      const cell = cells.find((each) => each.variant === variant && each.protocol === protocol);
      if (cell === undefined) return "not run";
      const failed = oneAnswer(cell) === null ? "" : ", **training failed**";
      return `${spread(cell.accuracy)} (${range(cell.intervals.interval.accuracy)})${failed}`;
    };
    return [...variants].map((variant) => [
      `[${id}](${anchor(headingOf(part))})`,
      variant,
      study.claims.filter((claim) => claim.variant === variant).map(({ accuracy }) => percent(accuracy, 2)).join(
        ", ",
      ) ||
      "–",
      value(variant, "as-published"),
      value(variant, "clean"),
    ]);
  });
  if (rows.length === 0) return [];
  const columns = ["study", "variant", "claimed", "reproduced as published (95 %)", "left without leaks (95 %)"];
  return ["## At a glance", "", ...table(columns, rows, 0), ""];
}

/** The card of a study: claim, reproduction, what is left, and why they differ. */
function card({ study, cells: all }: StudyCells): string[] {
  if (study === undefined) return [];
  const cells = all.filter((cell) => isMain(cell, study));
  const variants = [...new Set([...study.claims.map((claim) => claim.variant), ...cells.map((cell) => cell.variant)])];
  const find = (variant: string, protocol: string) =>
    cells.find((cell) => cell.variant === variant && cell.protocol === protocol);
  const rows: string[][] = [];
  for (const variant of variants) {
    for (const claim of study.claims.filter((each) => each.variant === variant)) {
      rows.push([
        variant,
        "**claimed**",
        percent(claim.accuracy, 2),
        `${range(wilsonInterval(claim.accuracy * claim.n, claim.n))} (Wilson)`,
        plural(claim.n, "clip"),
      ]);
    }
    for (const [protocol, name] of [["as-published", "reproduced as published"], ["clean", "**left without leaks**"]]) {
      const cell = find(variant, protocol!);
      rows.push(
        cell === undefined ? [variant, name!, "not run", "", ""] : [
          variant,
          name!,
          `${spread(cell.accuracy)} (${seedsText(cell)})`,
          `${range(cell.intervals.interval.accuracy)} (${kindText(cell.intervals.kind, cell.intervals.speakers)})`,
          measured(cell),
        ],
      );
    }
  }
  const lines = [
    `Published in ${study.source}.`,
    "",
    ...table(["variant", "what", "accuracy", "95 % interval", "measured on"], rows, 0),
    "",
  ];
  for (const protocol of ["as-published", "clean"]) {
    const describe = protocolOf(study, protocol)?.describe;
    if (describe !== undefined) lines.push(`- **Protocol \`${protocol}\`:** ${describe}.`);
  }
  lines.push(`- **The study's own mistake:** ${study.flaw}`, `- **Why they differ:** ${study.why}`);
  for (const claim of study.claims) {
    lines.push(
      `- **Claimed for *${claim.variant}*:** ${claim.source}${
        claim.note === undefined ? "" : `; in truth ${claim.note}`
      }.`,
    );
  }
  for (const claim of study.claims) {
    const isOne = study.claims.filter((each) => each.variant === claim.variant).length === 1;
    const title = isOne ? "Claim" : `Claim of ${percent(claim.accuracy, 2)}`;
    const reproduced = find(claim.variant, "as-published");
    if (reproduced !== undefined && oneAnswer(reproduced) === null) {
      const reaching = reproduced.runs.filter(({ record }) => record.metrics.accuracy >= claim.accuracy - 1e-9).length;
      const claimed = wilsonInterval(claim.accuracy * claim.n, claim.n);
      const [low, high] = reproduced.intervals.interval.accuracy;
      const overlap = claimed[0] <= high && low <= claimed[1];
      lines.push(
        `- **${title} and reproduction of *${claim.variant}*:** ${reaching} of ${
          plural(reproduced.runs.length, "seed")
        } ${reaching === 1 ? "reaches" : "reach"} the claim; ` +
          (overlap
            ? "the two intervals overlap, so the numbers cannot be told apart."
            : "the two intervals do not overlap: the claim was not reproduced."),
      );
    }
    const clean = find(claim.variant, "clean");
    if (clean !== undefined && oneAnswer(clean) === null) {
      const claimed = wilsonInterval(claim.accuracy * claim.n, claim.n);
      const [low, high] = clean.intervals.interval.accuracy;
      const overlap = claimed[0] <= high && low <= claimed[1];
      const points = formatFixed(100 * Math.abs(clean.accuracy.mean - claim.accuracy), 1);
      const side = clean.accuracy.mean < claim.accuracy ? "below" : "above";
      lines.push(
        `- **${title} and what is left of *${claim.variant}*:** the clean mean lies ${points} points ${side} the claim; ` +
          (overlap
            ? `the two intervals overlap, so with ${claim.n} clips in the claim they cannot be told apart.`
            : "the two intervals do not overlap."),
      );
    }
  }
  lines.push(...cells.flatMap((cell) => failure(cell, study)));
  return lines;
}

/** Verdicts on pairs of variants under the same protocol. */
function comparisons(cells: readonly Cell[]): string[] {
  const lines: string[] = [];
  const failed = new Set(cells.filter((cell) => oneAnswer(cell) !== null));
  cells.forEach((first, i) => {
    for (const second of cells.slice(i + 1)) {
      if (second.protocol !== first.protocol) continue;
      const names = [second, first].filter((cell) => failed.has(cell)).map(({ variant }) => `*${variant}*`);
      const text = names.length > 0
        ? `not compared: the training of ${names.join(" and of ")} failed`
        : compareCells(second, first).text;
      lines.push(`- **\`${first.protocol}\`, *${second.variant}* against *${first.variant}*:** ${text}.`);
    }
  });
  return lines;
}

/** All cells of a study in one table. */
function overview(cells: readonly Cell[]): string[] {
  const mean = (cell: Cell, of: (each: CheckedRecord) => number): number =>
    cell.runs.reduce((sum, each) => sum + of(each), 0) / cell.runs.length;
  return table(
    ["variant", "protocol", "seeds", "clips", "speakers", "accuracy", "95 %", "UAR", "95 %", "macro F1"],
    cells.map((cell) => [
      cell.variant,
      `\`${cell.protocol}\``,
      String(cell.runs.length),
      cell.rows === cell.intervals.recordings ? String(cell.rows) : `${cell.rows} rows of ${cell.intervals.recordings}`,
      String(cell.intervals.speakers),
      spread(cell.accuracy),
      range(cell.intervals.interval.accuracy),
      spread(cell.uar),
      range(cell.intervals.interval.uar),
      spread(cell.macroF1),
    ]),
    8,
  ).concat(
    "",
    table(
      ["variant", "protocol", "features, s", "training, s", "test, s", "peak memory, MiB"],
      cells.map((cell) => [
        cell.variant,
        `\`${cell.protocol}\``,
        ...(["features", "train", "evaluate"] as const).map((part) =>
          formatFixed(mean(cell, ({ record }) => record.seconds[part]), 1)
        ),
        formatFixed(Math.max(...cell.runs.map(({ record }) => record.peakMemoryMb)), 0),
      ]),
      4,
    ),
  );
}

function matrixText(cell: Cell): string[] {
  const { labels, matrix } = cell.runs[0].record.metrics.confusion;
  const width = Math.max(
    4,
    ...labels.map((label) => label.length),
    ...matrix.flat().map((count) => String(count).length),
  );
  const line = (cells: readonly string[]): string => cells.map((text) => text.padStart(width)).join(" ").trimEnd();
  return [
    line(["true", ...labels]),
    ...matrix.map((row, i) => line([labels[i]!, ...row.map(String)])),
  ];
}

/** The classes of one cell: report, mistakes, matrix, pictures. */
function classes(id: string, cell: Cell, hasLearning: boolean): string[] {
  const { record } = cell.runs[0];
  const { metrics } = record;
  const most = Math.max(...metrics.classes.map((each) => each.support));
  const present = metrics.classes.filter((each) => each.support > 0).length;
  const absent = metrics.confusion.labels.filter((_, i) => metrics.confusion.matrix[i]!.every((count) => count === 0));
  const picture = (what: "confusion" | "learning"): string =>
    `![${cellFigureText(id, cell, what)}](figures/${cellFigureName(id, cell, what)})`;
  const pairs = mostConfused(metrics.confusion, { top: 3 });
  return [
    `#### ${cell.variant}, \`${cell.protocol}\``,
    "",
    `Seed ${record.seed}, all folds pooled: ${metrics.n} rows. Always the most frequent class would give ` +
    `${percent(most / metrics.n)} accuracy and ${percent(1 / present)} UAR.` +
    (absent.length === 0 ? "" : ` No test row is ${absent.join(" or ")}.`),
    "",
    pairs.length === 0
      ? "No mistakes."
      : `Most confused: ${
        pairs.map((pair) =>
          `${pair.truth} taken for ${pair.prediction} (${pair.count}, ${percent(pair.share, 0)} of its rows)`
        )
          .join(", ")
      }.`,
    "",
    picture("confusion"),
    "",
    ...(hasLearning ? [picture("learning"), ""] : []),
    "<details><summary>Scores by class and confusion matrix as text</summary>",
    "",
    "```text",
    ...classificationReport(metrics.confusion, { digits: 3 }).trimEnd().split("\n").map((line) => line.trimEnd()),
    "",
    ...matrixText(cell),
    "```",
    "",
    "</details>",
    "",
  ];
}

function provenance(cells: readonly Cell[]): string[] {
  const environment = ({ record }: CheckedRecord): string => {
    const { deno, tensorflow, backend, cpu, cores } = record.environment;
    return `Deno ${deno}, ${tensorflow} (${backend}), ${cpu}, ${plural(cores, "core")}`;
  };
  const fractions = new Set(cells.flatMap((cell) => cell.runs.map(({ record }) => record.fraction)));
  return [
    ...[...fractions].filter((fraction) => fraction !== 1).sort().map((fraction) =>
      `- **On ${percent(fraction)} of the recordings only.**`
    ),
    ...cells.filter((cell) => cell.mixed.length > 0).map((cell) =>
      `- **${cell.variant}, \`${cell.protocol}\`: these seeds do not belong together, they differ in ${
        cell.mixed.join(", ")
      }.**`
    ),
    `- Code ${
      distinct(cells, ({ record }) =>
        record.commit === null ? null : record.commit.replace(/^([0-9a-f]{12})[0-9a-f]*/, "$1"))
    }; ` +
    `lock file ${distinct(cells, ({ record }) => short(record.lock))}; ` +
    `manifest ${distinct(cells, ({ record }) => short(record.manifest))}.`,
    `- ${distinct(cells, environment)}.`,
  ];
}

/**
 * The report's files from checked records: `README.md` and `figures/*.svg`, by path relative to the results folder.
 *
 * @param checked All records with their predictions.
 * @param studies What the report says of each study, in the order of the report; a study with records but no text gets
 * its tables only.
 * @param sweeps Hyper-parameter searches.
 */
export function renderReport(
  checked: readonly CheckedRecord[],
  studies: readonly StudyText[],
  sweeps: readonly SweepText[] = [],
): ReadonlyMap<string, string> {
  const ids = [...new Set([...checked.map(({ record }) => record.study), ...sweeps.map(({ study }) => study)])].sort();
  const parts: StudyCells[] = ids.map((id) => {
    const study = studies.find((each) => each.id === id);
    return { id, study, cells: studyCells(checked.filter(({ record }) => record.study === id), study) };
  });
  const files = new Map<string, string>();
  const lines = [
    "# Results",
    "",
    "Generated by `deno task report` from the run records in this folder; no number here is typed. Every record's",
    "metrics were recomputed from its predictions on the way.",
    "",
    "- **Mean ± sd** is over seeds; seeds tell how far training scatters and never make a larger n.",
    "- **UAR** is recall averaged over the classes that have test rows; **macro F1** is averaged over the labels that",
    "  occur in truth or prediction.",
    "- **Intervals** (95 %): Wilson for clips split at random, rows made from one recording counting once; where the",
    "  test's speakers are unseen, by speaker: from 10 speakers on a bootstrap over speakers, from 4 on a t interval over",
    "  speaker scores, below only the range.",
    "- **Two models** with unseen speakers are compared by a sign-flip test over speakers; under 6 it cannot be tested.",
    "",
  ];
  if (parts.length === 0) lines.push("There are no run records yet.", "");
  lines.push(...glance(parts));
  const forest = forestSvg(parts);
  if (forest !== null) {
    files.set("figures/forest.svg", forest);
    lines.push("![Published accuracies beside reproduced and clean ones](figures/forest.svg)", "");
    const failed = parts.flatMap(({ id, study, cells }) =>
      cells.filter((cell) => isMain(cell, study) && oneAnswer(cell) !== null)
        .map(({ variant, protocol }) => `${id} *${variant}*, \`${protocol}\``)
    );
    if (failed.length > 0) lines.push(`Not in the figure, because their training failed: ${failed.join("; ")}.`, "");
  }
  lines.push(...searchSummary(sweeps));
  for (const part of parts) {
    const { id, study, cells } = part;
    const main = cells.filter((cell) => isMain(cell, study));
    const pairs = comparisons(main);
    const ladder = ladderSvg(id, cells);
    const ladderFile = ladder === null ? null : `figures/${id}-ladder.svg`;
    if (ladderFile !== null) files.set(ladderFile, ladder!);
    lines.push(`## ${headingOf(part)}`, "", ...card(part));
    lines.push(...(study === undefined ? [] : [""]));
    if (cells.length > 0) lines.push("### Variants and protocols", "", ...overview(cells), "");
    if (pairs.length > 0) lines.push("Variants side by side, scores averaged over seeds:", "", ...pairs, "");
    lines.push(
      ...ladderSection(study, cells, ladderFile),
      ...ablationSection(study, cells),
      ...corporaSection(cells),
      ...listenersSection(cells),
      ...sweepSection(sweeps.filter(({ study }) => study === id)),
    );
    if (cells.length > 0) lines.push("Made with:", "", ...provenance(cells), "");
    lines.push(...(main.length > 0 ? ["### Classes", ""] : []));
    for (const cell of main) {
      files.set(`figures/${cellFigureName(id, cell, "confusion")}`, cellConfusionSvg(id, cell));
      const learning = cellLearningSvg(id, cell);
      if (learning !== null) files.set(`figures/${cellFigureName(id, cell, "learning")}`, learning);
      lines.push(...classes(id, cell, learning !== null));
    }
  }
  for (const { name, figures } of sweeps) {
    for (const [what, svg] of figures) files.set(`figures/${sweepFigureName(name, what)}`, svg);
  }
  files.set("README.md", `${lines.join("\n").trimEnd()}\n`);
  return files;
}

/** Reads all records of a results folder and recomputes them from their predictions. */
export function readChecked(resultsDir: string): CheckedRecord[] {
  return findRunRecords(resultsDir).map(({ path, record }) => verifyRunRecord(path, record));
}

/** Pictures that a report made and that this one no longer has. */
function stale(resultsDir: string, files: ReadonlyMap<string, string>): string[] {
  const folder = join(resultsDir, "figures");
  if (!existsSync(folder)) return [];
  return readdirSync(folder).sort().map((name) => `figures/${name}`).filter((name) =>
    /(-(confusion|learning|ladder|parallel|importance|interaction)|\/forest)\.svg$/.test(name) && !files.has(name)
  );
}

/**
 * Writes `README.md` and `figures/*.svg` of a results folder anew and removes pictures of records that are gone.
 *
 * @param resultsDir The folder of all results.
 * @param studies What the report says of each study.
 * @param sweeps Its hyper-parameter searches (`sweepTexts` of lib/search).
 * @returns Paths of the files, relative to the folder, sorted.
 * @throws {FormatError} when a record cannot be read or does not follow from its predictions; {WriteError} when a file
 * cannot be written.
 */
export function writeReport(
  resultsDir: string,
  studies: readonly StudyText[],
  sweeps: readonly SweepText[] = [],
): string[] {
  const files = renderReport(readChecked(resultsDir), studies, sweeps);
  for (const [name, content] of files) writeFileAtomic(join(resultsDir, name), content);
  for (const name of stale(resultsDir, files)) rmSync(join(resultsDir, name));
  return [...files.keys()].sort();
}

/**
 * Says which files of the report are not what the records give now (missing, changed or left over), sorted; none where
 * the report is up to date.
 *
 * @throws {FormatError} when a record cannot be read or does not follow from its predictions.
 */
export function staleReport(
  resultsDir: string,
  studies: readonly StudyText[],
  sweeps: readonly SweepText[] = [],
): string[] {
  const files = renderReport(readChecked(resultsDir), studies, sweeps);
  const differing = [...files].filter(([name, content]) => {
    const path = join(resultsDir, name);
    return !existsSync(path) || readFileSync(path, "utf8") !== content;
  }).map(([name]) => name);
  return [...differing, ...stale(resultsDir, files)].sort();
}
