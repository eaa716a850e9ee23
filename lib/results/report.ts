/**
 * `results/README.md` and its pictures, generated from run records and their predictions alone: the same records give
 * the same bytes.
 *
 * @module
 */

import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../io.ts";
import { minimumDetectableDifference } from "../training/statistics.ts";
import { classificationReport, formatFixed, mostConfused } from "../training/metrics.ts";
import { compareEstimates, type Estimate } from "./compare.ts";
import {
  cellConfusionSvg,
  cellFigureName,
  cellFigureText,
  cellLearningSvg,
  forestClaim,
  forestSvg,
  isPublished,
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
  claimInterval,
  claimSource,
  type ClaimText,
  compareCells,
  isMain,
  marked,
  middleRun,
  oneAnswer,
  protocolOf,
  shortened,
  studyCells,
  type StudyText,
} from "./summary.ts";
import { intervalText, kindText, percent, plural, range, spread, table } from "./text.ts";

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

/** Why a cell has no run, as far as its variant tells. */
function notRun(study: StudyText, variant: string): string {
  const pretrained = study.variants?.[variant]?.pretrained;
  return pretrained?.kind === "keras-h5" ? `not run: needs ${pretrained.describe}` : "not run";
}

/** All studies in one table: claimed, reproduced, left. */
function glance(parts: readonly StudyCells[]): string[] {
  const rows = parts.flatMap((part): string[][] => {
    const { id, study, cells: all } = part;
    if (study === undefined || !isPublished(study)) return [];
    const cells = all.filter((cell) => isMain(cell, study));
    const variants = new Set([...study.claims.map(({ variant }) => variant), ...cells.map(({ variant }) => variant)]);
    const value = (variant: string, protocol: string): string => {
      const cell = cells.find((each) => each.variant === variant && each.protocol === protocol);
      if (cell === undefined) return notRun(study, variant);
      const less = shortened(cell, study), { interval, kind, speakers } = cell.intervals;
      return `${spread(cell.accuracy)} (${intervalText(interval.accuracy, kind, speakers)})` +
        `${less === null ? "" : `, **on ${less}**`}${oneAnswer(cell) === null ? "" : ", **training failed**"}`;
    };
    return [...variants].map((variant) => [
      `[${id}](${anchor(headingOf(part))})`,
      variant,
      study.claims.filter((claim) => claim.variant === variant)
        .map(({ accuracy, of }) => `${percent(accuracy, 2)}${of === undefined ? "" : ` (${of})`}`).join(", ") || "–",
      value(variant, "as-published"),
      value(variant, "clean"),
    ]);
  });
  if (rows.length === 0) return [];
  const columns = ["study", "variant", "claimed", "under the published protocol (95 %)", "left without leaks (95 %)"];
  return ["## At a glance", "", ...table(columns, rows, 0), ""];
}

const estimateOf = ({ accuracy, intervals }: Cell): Estimate => ({
  value: accuracy.mean,
  interval: intervals.interval.accuracy,
});

/** What a claim's own protocol gave, and what is left of it. */
function verdicts(study: StudyText, claim: ClaimText, find: (variant: string, protocol: string) => Cell | undefined) {
  const { variant } = claim;
  const isOne = study.claims.filter((each) => each.variant === variant).length === 1;
  const title = isOne ? "Claim" : `Claim of ${percent(claim.accuracy, 2)}`;
  const published: Estimate = { value: claim.accuracy, interval: claimInterval(claim) };
  const lines: string[] = [];
  const reproduced = find(variant, "as-published");
  if (reproduced !== undefined && oneAnswer(reproduced) === null) {
    const less = shortened(reproduced, study);
    const reaching = reproduced.runs.filter(({ record }) => record.metrics.accuracy >= claim.accuracy - 1e-9).length;
    const { differ, text } = compareEstimates(estimateOf(reproduced), published);
    lines.push(
      `- **${title} and reproduction of *${variant}*:** ` +
        (less === null
          ? `${reaching} of ${plural(reproduced.runs.length, "seed")} ` +
            `${reaching === 1 || reproduced.runs.length === 1 ? "reaches" : "reach"} the claim; ${text}` +
            (!differ
              ? "."
              : reproduced.accuracy.mean > claim.accuracy
              ? ": the reproduction lies above the claim."
              : ": the claim was not reproduced.")
          : `trained on ${less}, which is not the study's training: ` +
            `${percent(reproduced.accuracy.mean)} neither reproduces the claim nor refutes it.`),
    );
  }
  const clean = find(variant, "clean");
  if (clean !== undefined && oneAnswer(clean) === null) {
    const less = shortened(clean, study);
    const { text } = compareEstimates(estimateOf(clean), published);
    lines.push(
      `- **${title} and what is left of *${variant}*:** ${text}` +
        (less === null ? "." : `, but what is left was trained on ${less}.`),
    );
  }
  return lines;
}

/** What is lost from the published protocol to the clean one by the same variant, trained alike. */
function lost(study: StudyText, cells: readonly Cell[]): string[] {
  return cells.filter(({ protocol }) => protocol === "as-published").flatMap((leaky) => {
    const clean = cells.find(({ variant, protocol }) => protocol === "clean" && variant === leaky.variant);
    if (clean === undefined || oneAnswer(clean) !== null || oneAnswer(leaky) !== null) return [];
    const less = shortened(clean, study);
    if (less !== shortened(leaky, study)) return [];
    const { text } = compareEstimates(estimateOf(clean), estimateOf(leaky));
    return [
      `- **From the published protocol to the clean one, *${leaky.variant}*:** ${percent(leaky.accuracy.mean)} to ` +
      `${percent(clean.accuracy.mean)}${less === null ? "" : ` (both on ${less})`}; ${text}.`,
    ];
  });
}

/** The card of a study: claim, reproduction, what is left, and why they differ. */
function card({ study, cells: all }: StudyCells): string[] {
  if (study === undefined) return [];
  const cells = all.filter((cell) => isMain(cell, study));
  if (!isPublished(study)) return unpublished(study, cells);
  const variants = [...new Set([...study.claims.map((claim) => claim.variant), ...cells.map((cell) => cell.variant)])];
  const find = (variant: string, protocol: string) =>
    cells.find((cell) => cell.variant === variant && cell.protocol === protocol);
  const rows: string[][] = [];
  for (const variant of variants) {
    const claims = study.claims.filter((each) => each.variant === variant);
    for (const claim of claims) {
      const { accuracy, n, recordings, of } = claim;
      rows.push([
        variant,
        of === undefined ? "**claimed**" : `**claimed** (${of})`,
        percent(accuracy, 2),
        `${range(claimInterval(claim))} (Wilson${recordings === undefined ? "" : ", each recording once"})`,
        recordings === undefined ? plural(n, "clip") : `${plural(n, "row")} of ${plural(recordings, "clip")}`,
      ]);
    }
    const published = claims.length > 0 ? "reproduced as published" : "under the published protocol";
    for (const [protocol, name] of [["as-published", published], ["clean", "**left without leaks**"]]) {
      const cell = find(variant, protocol!);
      const less = cell === undefined ? null : shortened(cell, study);
      const { interval, kind, speakers } = cell?.intervals ?? {};
      rows.push(
        cell === undefined ? [variant, name!, notRun(study, variant), "", ""] : [
          variant,
          less === null ? name! : `${name}, on ${less}`,
          `${spread(cell.accuracy)} (${seedsText(cell)})`,
          `${intervalText(interval!.accuracy, kind!, speakers!)} (${kindText(kind!, speakers!)})`,
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
    ...variantLines(study, variants),
    ...protocolLines(study, ["as-published", "clean"]),
    `- **The study's own mistake:** ${study.flaw}`,
    `- **Why they differ:** ${study.why}`,
    ...lost(study, cells),
  ];
  for (const claim of study.claims) {
    lines.push(`- **The claim of ${percent(claim.accuracy, 2)} of *${claim.variant}*:** ${claimSource(claim)}.`);
  }
  for (const claim of study.claims) lines.push(...verdicts(study, claim, find));
  lines.push(...cells.flatMap((cell) => failure(cell, study)));
  return lines;
}

function variantLines(study: StudyText, variants: readonly string[]): string[] {
  return variants.flatMap((variant) => {
    const describe = study.variants?.[variant]?.describe;
    return describe === undefined ? [] : [`- ***${variant}*:** ${describe}.`];
  });
}

function protocolLines(study: StudyText, protocols: readonly string[]): string[] {
  return protocols.flatMap((protocol) => {
    const describe = protocolOf(study, protocol)?.describe;
    return describe === undefined ? [] : [`- **Protocol \`${protocol}\`:** ${describe}.`];
  });
}

function unpublished(study: StudyText, cells: readonly Cell[]): string[] {
  return [
    `Nobody's claim: ${study.why}`,
    "",
    ...variantLines(study, [...new Set(cells.map(({ variant }) => variant))]),
    ...protocolLines(study, [...new Set(cells.map(({ protocol }) => protocol))]),
  ];
}

/** What the picture of all studies leaves out, and why. */
function besideForest(parts: readonly StudyCells[]): string[] {
  const published = parts.filter(({ study }) => study !== undefined && isPublished(study));
  const failed = published.flatMap(({ id, study, cells }) =>
    cells.filter((cell) => isMain(cell, study) && oneAnswer(cell) !== null)
      .map(({ variant, protocol }) => `${id} *${variant}*, \`${protocol}\``)
  );
  const claims = published.flatMap(({ id, study, cells }) =>
    study!.claims.filter((claim) => forestClaim(study!, cells, claim.variant) !== claim)
      .map(({ variant, accuracy }) => `${id} *${variant}* ${percent(accuracy, 2)}`)
  );
  const others = published.flatMap(({ id, study, cells }) =>
    study!.claims.flatMap((claim) =>
      claim.of !== undefined && forestClaim(study!, cells, claim.variant) === claim
        ? [`${id} *${claim.variant}* (${claim.of})`]
        : []
    )
  );
  return [
    ...(others.length > 0
      ? [`A published number in the figure that is not the study's own: ${others.join("; ")}.`, ""]
      : []),
    ...(failed.length > 0 ? [`Not in the figure, because their training failed: ${failed.join("; ")}.`, ""] : []),
    ...(claims.length > 0
      ? [
        `Claims that are not in the figure (a variant's second one, or no reproduction drawn): ${claims.join("; ")}.`,
        "",
      ]
      : []),
  ];
}

/** Verdicts on pairs of variants under the same protocol. */
function comparisons(cells: readonly Cell[], study: StudyText | undefined): string[] {
  const lines: string[] = [];
  const failed = new Set(cells.filter((cell) => oneAnswer(cell) !== null));
  cells.forEach((first, i) => {
    for (const second of cells.slice(i + 1)) {
      if (second.protocol !== first.protocol) continue;
      const names = [second, first].filter((cell) => failed.has(cell)).map(({ variant }) => `*${variant}*`);
      const less = [second, first].map((cell) => shortened(cell, study));
      const unlike = [second, first].flatMap(({ variant }, i) => less[i] === null ? [] : `*${variant}* on ${less[i]}`);
      const text = names.length > 0
        ? `not compared: the training of ${names.join(" and of ")} failed`
        : less[0] !== less[1]
        ? `not compared: they were not trained alike (${unlike.join(", ")})`
        : compareCells(second, first).text;
      lines.push(`- **\`${first.protocol}\`, *${second.variant}* against *${first.variant}*:** ${text}.`);
    }
  });
  return lines;
}

/** Scores and costs of cells, a line each. */
function cellTables(cells: readonly Cell[], study: StudyText | undefined): string[] {
  const mean = (cell: Cell, of: (each: CheckedRecord) => number): number =>
    cell.runs.reduce((sum, each) => sum + of(each), 0) / cell.runs.length;
  const interval = ({ intervals: { interval, kind, speakers } }: Cell, of: "accuracy" | "uar"): string =>
    intervalText(interval[of], kind, speakers);
  return table(
    ["variant", "protocol", "seeds", "clips", "speakers", "accuracy", "95 %", "UAR", "95 %", "macro F1", "log loss"],
    cells.map((cell) => [
      marked(cell, study),
      `\`${cell.protocol}\``,
      String(cell.runs.length),
      cell.rows === cell.intervals.recordings ? String(cell.rows) : `${cell.rows} rows of ${cell.intervals.recordings}`,
      String(cell.intervals.speakers),
      spread(cell.accuracy),
      interval(cell, "accuracy"),
      spread(cell.uar),
      interval(cell, "uar"),
      spread(cell.macroF1),
      formatFixed(mean(cell, ({ record }) => record.metrics.logLoss), 3),
    ]),
    9,
  ).concat(
    "",
    table(
      ["variant", "protocol", "features, s", "training, s", "test, s", "peak memory, MiB"],
      cells.map((cell) => [
        marked(cell, study),
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

/** How small a difference the test sets of unseen speakers can show, a line a size. */
function detectable(cells: readonly Cell[]): string[] {
  const sizes = new Map<string, string[]>();
  for (const { bySpeaker, protocol, intervals: { recordings, speakers } } of cells) {
    if (!bySpeaker) continue;
    const least = minimumDetectableDifference({ clips: recordings, speakers });
    const line = `${plural(recordings, "clip")} of ${plural(speakers, "speaker")}: ` +
      (least === null
        ? "no difference can be shown, there are too few speakers"
        : `true differences under about ${formatFixed(100 * least, 1)} points would mostly go unseen`);
    sizes.set(line, [...new Set([...sizes.get(line) ?? [], `\`${protocol}\``])]);
  }
  if (sizes.size === 0) return [];
  return [
    "How small a difference a paired test over speakers can show, as a rule of thumb (level 5 %, power 0.8; on three clips of",
    "ten exactly one of the two models is right, and speakers do not differ; models that agree more often are told apart",
    "more finely):",
    "",
    ...[...sizes].map(([line, protocols]) => `- ${protocols.join(", ")}: ${line}.`),
    "",
  ];
}

/** All cells of a study: those of an ablation, which are many, folded away. */
function overview(cells: readonly Cell[], study: StudyText | undefined): string[] {
  const isAblation = ({ variant }: Cell): boolean => study?.variants?.[variant]?.group === "ablation";
  const own = cells.filter((cell) => !isAblation(cell)), ablation = cells.filter(isAblation);
  const less = new Set(cells.flatMap((cell) => shortened(cell, study) ?? []));
  return [
    ...(less.size > 0 ? [`In this study's tables \\* marks what was trained on ${[...less].join("; ")}.`, ""] : []),
    ...(own.length > 0 ? [...cellTables(own, study), ""] : []),
    ...(ablation.length > 0
      ? [
        "<details><summary>The same of the ablation's variants</summary>",
        "",
        ...cellTables(ablation, study),
        "",
        "</details>",
        "",
      ]
      : []),
  ];
}

function matrixText(cell: Cell): string[] {
  const { labels, matrix } = middleRun(cell).record.metrics.confusion;
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
  const { record } = middleRun(cell);
  const { metrics } = record;
  const seed = cell.runs.length === 1 ? `Seed ${record.seed}` : `Seed ${record.seed}, that of middle accuracy`;
  const most = Math.max(...metrics.classes.map((each) => each.support));
  const present = metrics.classes.filter((each) => each.support > 0).length;
  const absent = metrics.confusion.labels.filter((_, i) => metrics.confusion.matrix[i]!.every((count) => count === 0));
  const picture = (what: "confusion" | "learning"): string =>
    `![${cellFigureText(id, cell, what)}](figures/${cellFigureName(id, cell, what)})`;
  const pairs = mostConfused(metrics.confusion, { top: 3 }).filter(({ count }) => count > 1);
  return [
    `#### ${cell.variant}, \`${cell.protocol}\``,
    "",
    `${seed}${record.folds.length === 1 ? "" : ", all folds pooled"}: ${
      plural(metrics.n, "row")
    }. Always the most frequent class would give ` +
    `${percent(most / metrics.n)} accuracy and ${percent(1 / present)} UAR.` +
    (absent.length === 0 ? "" : ` No test row is ${absent.join(" or ")}.`),
    "",
    metrics.accuracy === 1
      ? "No mistakes."
      : pairs.length === 0
      ? "No label was taken for the same other one more than once."
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

/** What of its corpora a cell lacked or had besides, as its first record says; null where they were whole. */
function incomplete({ runs: [{ record: { config, ignored } }] }: Cell): string | null {
  const parts = (["missing", "extra"] as const).flatMap((what) => {
    const names = config[what];
    return Array.isArray(names) && names.length > 0 ? [`${plural(names.length, "recording")} ${what}`] : [];
  });
  if (ignored !== undefined) parts.push(`${plural(ignored.length, "file")} of unknown name ignored`);
  return parts.length === 0 ? null : parts.join(", ");
}

function provenance(cells: readonly Cell[], study: StudyText | undefined): string[] {
  const environment = ({ record }: CheckedRecord): string => {
    const { deno, tensorflow, backend, cpu, cores } = record.environment;
    return `Deno ${deno}, ${tensorflow} (${backend}), ${cpu}, ${plural(cores, "core")}`;
  };
  const less = new Map<string, string[]>();
  for (const cell of cells) {
    const text = shortened(cell, study);
    if (text !== null) less.set(text, [...less.get(text) ?? [], `${cell.variant}, \`${cell.protocol}\``]);
  }
  return [
    ...[...less].map(([text, which]) =>
      `- **On ${text}:** ${which.length === cells.length ? "all runs" : which.join("; ")}.`
    ),
    ...cells.flatMap((cell) => {
      const text = incomplete(cell);
      return text === null
        ? []
        : [`- **${cell.variant}, \`${cell.protocol}\`: the corpora were not as distributed, ${text}.**`];
    }),
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
    "- **Mean ± sd** is over seeds; seeds tell how far training scatters (in studies 001 and 004, as published, the split",
    "  too) and never make a larger n.",
    "- **UAR** is recall averaged over the classes that have test rows; **macro F1** is averaged over the labels that",
    "  occur in truth or prediction; **log loss** is the mean cross-entropy of the test rows, without the penalties on",
    "  weights that Keras adds to its loss.",
    "- **Intervals** (95 %): for clips split at random Wilson's, rows made from one recording counting once (the UAR's from",
    "  the intervals of the classes' recalls); where the test's speakers are unseen, by speaker: from 10 speakers on a",
    "  bootstrap over speakers, from 4 on a t interval over speaker scores, below only the range.",
    "- **Two models** with unseen speakers are compared by a sign-flip test over speakers; under 6 it cannot be tested. With",
    "  known speakers, on the same clips, by one over recordings, the median p over the seeds; on different ones, as a",
    "  claim and what was measured, by the interval of the difference (Newcombe's, from the two intervals).",
    "- **The published protocol and the clean one** differ in the clips they test and in the rows they train on too; the",
    "  ladder, where there is one, changes one cause at a time.",
    "- **Seconds** of features are those of reading them where they had been kept; **memory** is the highest that the",
    "  process had reached, whatever else it had run before.",
    "",
  ];
  if (parts.length === 0) lines.push("There are no run records yet.", "");
  lines.push(...glance(parts));
  const forest = forestSvg(parts);
  if (forest !== null) {
    files.set("figures/forest.svg", forest);
    lines.push("![Published accuracies beside reproduced and clean ones](figures/forest.svg)", "");
    lines.push(...besideForest(parts));
  }
  lines.push(...searchSummary(sweeps));
  for (const part of parts) {
    const { id, study, cells } = part;
    const main = cells.filter((cell) => isMain(cell, study));
    const pairs = comparisons(main, study);
    const ladder = ladderSvg(id, cells, study);
    const ladderFile = ladder === null ? null : `figures/${id}-ladder.svg`;
    if (ladderFile !== null) files.set(ladderFile, ladder!);
    lines.push(`## ${headingOf(part)}`, "", ...card(part));
    lines.push(...(study === undefined ? [] : [""]));
    if (cells.length > 0) lines.push("### Variants and protocols", "", ...overview(cells, study), ...detectable(cells));
    if (pairs.length > 0) lines.push("Variants side by side, scores averaged over seeds:", "", ...pairs, "");
    lines.push(
      ...ladderSection(study, cells, ladderFile),
      ...ablationSection(study, cells),
      ...corporaSection(cells, study),
      ...listenersSection(cells, study),
      ...sweepSection(sweeps.filter(({ study }) => study === id)),
    );
    if (cells.length > 0) lines.push("Made with:", "", ...provenance(cells, study), "");
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
