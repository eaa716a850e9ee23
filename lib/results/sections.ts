/**
 * Sections of the report beyond cards and tables of cells: the ladder, the ablation, corpora, listeners.
 *
 * @module
 */

import { forestFigure, renderSvg } from "../figures/mod.ts";
import { type Predictions, restrictPredictions } from "../training/evaluate.ts";
import { formatFixed } from "../training/metrics.ts";
import {
  clipIntervals,
  type Interval,
  type IntervalKind,
  meanSd,
  type ScoreIntervals,
  speakerIntervals,
} from "../training/statistics.ts";
import { scores } from "../training/metrics.ts";
import { confusionMatrix } from "../training/metrics.ts";
import { type Cell, marked, protocolOf, RUNG_ORDER, shortened, type StudyText } from "./summary.ts";
import { intervalText, kindText, percent, plural, range, signedPoints, spread, table } from "./text.ts";

/** What every rung's sentence ends with: said once below the table. */
const COMMON_TO_RUNGS = /; equally many training rows of a class on every rung$/;

/** The ladder's picture of a study; null where fewer than two of its cells are there. */
export function ladderSvg(id: string, cells: readonly Cell[], study?: StudyText): string | null {
  const rungs = ladderCells(cells);
  if (rungs.length < 2) return null;
  const less = new Set(rungs.flatMap((cell) => shortened(cell, study) ?? []));
  const rows = RUNG_ORDER.flatMap((rung) =>
    rungs.filter((cell) => cell.protocol === rung).map((cell) => {
      const [low, high] = cell.intervals.interval.accuracy, value = cell.accuracy.mean;
      return {
        label: rung,
        group: `${cell.variant}${shortened(cell, study) === null ? "" : " *"}`,
        value,
        interval: [Math.min(low, value), Math.max(high, value)] as const,
      };
    })
  );
  return renderSvg(forestFigure(rows, {
    title: `Study ${id}: one cause of optimism less a rung`,
    subtitle: `${
      less.size === 0 ? "" : `* on ${[...less].join("; ")}; `
    }equally many training rows of a class; 95 % intervals`,
    xTitle: "Accuracy",
    range: [0, 1],
  }));
}

/** Training rows of a fold on the average of a run; from the least to the most where seeds differ. */
function trainingRows({ runs }: Cell): string {
  const each = runs.map(({ record }) => Math.round(record.counts.train / record.folds.length));
  const [least, most] = [Math.min(...each), Math.max(...each)];
  return least === most ? String(least) : `${least} to ${most}`;
}

function ladderCells(cells: readonly Cell[]): Cell[] {
  return cells.filter((cell) => RUNG_ORDER.includes(cell.protocol));
}

/** Mean and interval of some rows' accuracy and UAR over the seeds of a cell. */
function scoresOf(cell: Cell, select: (predictions: Predictions) => Predictions) {
  const runs = cell.runs.map(({ predictions }) => select(predictions)).filter(({ rows }) => rows.length > 0);
  if (runs.length === 0) return null;
  const rows = runs.map((each) => each.rows);
  const each = runs.map(({ labels, rows }) =>
    scores(confusionMatrix(rows.map((row) => row.truth), rows.map((row) => row.prediction), { labels }))
  );
  const intervals: ScoreIntervals = cell.bySpeaker ? speakerIntervals(rows) : clipIntervals(rows);
  return { accuracy: meanSd(each.map((s) => s.accuracy)), uar: meanSd(each.map((s) => s.uar)), intervals };
}

/** The rungs of a study, those too that it cannot have. */
export function ladderSection(study: StudyText | undefined, cells: readonly Cell[], figure: string | null): string[] {
  const rungs = ladderCells(cells);
  const absent = RUNG_ORDER.flatMap((rung) => {
    const protocol = study?.protocols?.[rung];
    return protocol !== undefined && "doesNotApply" in protocol ? [[rung, protocol.doesNotApply] as const] : [];
  });
  if (rungs.length === 0) {
    return absent.length === 0 ? [] : [
      `Rungs of the ladder that do not apply: ${absent.map(([rung, why]) => `\`${rung}\` (${why})`).join("; ")}.`,
      "",
    ];
  }
  const lines = ["### Ladder", ""];
  if (figure !== null) {
    lines.push(
      `![Accuracy of ${study === undefined ? "the study" : `study ${study.id}`} on every rung](${figure})`,
      "",
    );
  }
  const rows: string[][] = [];
  for (const variant of new Set(rungs.map((cell) => cell.variant))) {
    for (const rung of RUNG_ORDER) {
      const cell = rungs.find((each) => each.variant === variant && each.protocol === rung);
      const none = absent.find(([name]) => name === rung);
      if (cell === undefined && none === undefined && protocolOf(study, rung) === undefined) continue;
      rows.push(
        cell === undefined ? [variant, `\`${rung}\``, none ? `does not apply: ${none[1]}` : "not run", "", "", ""] : [
          marked(cell, study),
          `\`${rung}\``,
          `${spread(cell.accuracy)} (${range(cell.intervals.interval.accuracy)})`,
          spread(cell.uar),
          String(cell.intervals.recordings),
          trainingRows(cell),
        ],
      );
    }
  }
  lines.push(
    ...table(["variant", "rung", "accuracy (95 %)", "UAR", "clips tested", "training rows a fold"], rows, 2),
    "",
    ...RUNG_ORDER.flatMap((rung) => {
      const describe = protocolOf(study, rung)?.describe;
      return describe === undefined ? [] : [`- \`${rung}\`: ${describe.replace(COMMON_TO_RUNGS, "")}.`];
    }),
    "",
    "Every rung trains on equally many rows of a class, as many as the poorest rung has, so that neighbouring rungs differ in",
    "one cause alone. `as-published` and `clean` train on all the rows they have: a rung's value and theirs are not one ladder.",
    "",
  );
  const common = protocolOf(study, "cross-corpus")?.commonLabels;
  const compared = rungs.filter(({ protocol }) => protocol === "cross-corpus" || protocol === "speaker");
  if (common !== undefined && compared.some(({ protocol }) => protocol === "cross-corpus")) {
    lines.push(
      `On the labels that all corpora have (${
        common.join(", ")
      }), clips of other labels left out and the most probable ` +
        "of these labels taken:",
      "",
      ...table(
        ["variant", "rung", "clips", "accuracy (95 %)", "UAR"],
        compared.map((cell) => {
          const part = scoresOf(cell, (predictions) => restrictPredictions(predictions, common));
          return [
            marked(cell, study),
            `\`${cell.protocol}\``,
            ...(part === null ? ["0", "", ""] : [
              String(part.intervals.recordings),
              `${spread(part.accuracy)} (${range(part.intervals.interval.accuracy)})`,
              spread(part.uar),
            ]),
          ];
        }),
        3,
      ),
      "",
    );
  }
  return lines;
}

/** Every corpus by itself, where a study has several. */
export function corporaSection(cells: readonly Cell[], study?: StudyText): string[] {
  const several = cells.filter((cell) => (cell.runs[0].record.metrics.corpora?.length ?? 0) > 1);
  if (several.length === 0) return [];
  return [
    "### Corpora",
    "",
    ...table(
      ["variant", "protocol", "corpus", "clips", "speakers", "accuracy", "95 %", "UAR"],
      several.flatMap((cell) =>
        cell.runs[0].record.metrics.corpora!.flatMap(({ corpus }) => {
          const own = scoresOf(cell, ({ labels, rows }) => ({
            labels,
            rows: rows.filter((row) => row.parent.startsWith(`${corpus}/`)),
          }));
          if (own === null) return [];
          const { intervals } = own;
          return [[
            marked(cell, study),
            `\`${cell.protocol}\``,
            corpus,
            String(intervals.recordings),
            String(intervals.speakers),
            spread(own.accuracy),
            `${intervalText(intervals.interval.accuracy, intervals.kind, intervals.speakers)} (${
              kindText(intervals.kind, intervals.speakers)
            })`,
            spread(own.uar),
          ]];
        })
      ),
      5,
    ),
    "",
  ];
}

/** Listeners beside models on the same clips. */
export function listenersSection(cells: readonly Cell[], study?: StudyText): string[] {
  const heard = cells.filter(({ runs }) => runs.some(({ record }) => record.listeners !== undefined));
  if (heard.length === 0) return [];
  return [
    "### Listeners",
    "",
    "How often one listener, hearing the audio alone, names the label that the actor was asked for, and how often most of",
    "them do; the model on the same clips, copies left out.",
    "",
    ...table(
      ["variant", "protocol", "corpus", "clips", "votes", "one listener", "most listeners", "model"],
      heard.map((cell) => {
        const scored = cell.runs.flatMap(({ record }) => record.listeners ?? []);
        const { corpus, clips, votes, accuracy, majority } = scored[0]!;
        const model = meanSd(scored.map((each) => each.model));
        return [
          marked(cell, study),
          `\`${cell.protocol}\``,
          corpus,
          String(clips),
          String(votes),
          percent(accuracy),
          percent(majority),
          spread(model),
        ];
      }),
      5,
    ),
    "",
  ];
}

/**
 * What each factor of an ablation does: variants whose names differ in that part alone, seed by seed.
 *
 * The parts of a variant's name between dashes are its factors' levels.
 */
export function ablationSection(study: StudyText | undefined, cells: readonly Cell[]): string[] {
  const own = cells.filter((cell) => study?.variants?.[cell.variant]?.group === "ablation");
  if (own.length < 2) return [];
  const levels = (cell: Cell): string[] => cell.variant.split("-");
  const rows: string[][] = [];
  for (const protocol of new Set(own.map((cell) => cell.protocol))) {
    const here = own.filter((cell) => cell.protocol === protocol);
    for (let factor = 0; factor < levels(here[0]!).length; factor++) {
      const names = [...new Set(here.map((cell) => levels(cell)[factor]!))];
      names.forEach((first, i) => {
        for (const second of names.slice(i + 1)) {
          const rest = (cell: Cell): string => levels(cell).toSpliced(factor, 1).join("-");
          const pairs = here.filter((cell) => levels(cell)[factor] === first).flatMap((a) => {
            const b = here.find((cell) => levels(cell)[factor] === second && rest(cell) === rest(a));
            return b === undefined ? [] : [[a, b] as const];
          });
          if (pairs.length === 0) continue;
          const bySeed = new Map<number, number[]>();
          for (const [a, b] of pairs) {
            for (const { record } of b.runs) {
              const other = a.runs.find((run) => run.record.seed === record.seed);
              if (other === undefined) continue;
              const difference = record.metrics.accuracy - other.record.metrics.accuracy;
              bySeed.set(record.seed, [...(bySeed.get(record.seed) ?? []), difference]);
            }
          }
          const all = [...bySeed.values()].flat();
          if (all.length === 0) continue;
          const means = meanSd([...bySeed.values()].map((each) => meanSd(each).mean));
          rows.push([
            `\`${protocol}\``,
            `${second} instead of ${first}`,
            signedPoints(means.mean),
            means.sd === null ? "" : formatFixed(100 * means.sd, 1),
            `${signedPoints(Math.min(...all))} to ${signedPoints(Math.max(...all))}`,
            String(all.length),
            `${here[0]!.intervals.recordings} clips of ${here[0]!.intervals.speakers} speakers`,
          ]);
        }
      });
    }
  }
  if (rows.length === 0) return [];
  return [
    "### Ablation",
    "",
    "Differences of accuracy in points between trainings that differ in one choice alone and have the same seed; sd over",
    "seeds of the mean difference. Training scatters, and the clips and speakers are few: a difference within the spread",
    "of the pairs says nothing.",
    "",
    ...table(["protocol", "choice", "mean", "sd", "pairs from … to", "pairs", "measured on"], rows, 0),
    "",
  ];
}

/** Scores of sealed rows, as the report needs them. */
export interface TestedText {
  /** Rows. */
  readonly n: number;
  /** Speakers. */
  readonly speakers: number;
  /** Accuracy. */
  readonly accuracy: number;
  /** Its 95 % interval. */
  readonly interval: { readonly kind: IntervalKind; readonly accuracy: Interval };
}

/** A hyper-parameter search, as the report needs it. */
export interface SweepText {
  /** Study. */
  readonly study: string;
  /** Name of the sweep. */
  readonly name: string;
  /** Method. */
  readonly method: string;
  /** Protocol. */
  readonly protocol: string;
  /** Variant that was changed. */
  readonly variant: string;
  /** One sentence. */
  readonly describe: string;
  /** Score. */
  readonly metric: string;
  /** What was scored. */
  readonly scoredOn: string;
  /** Most epochs of a trial. */
  readonly epochs: number;
  /** Share of the recordings. */
  readonly fraction: number;
  /** Threads of a trial. */
  readonly threads: number;
  /** Different configurations that were looked at. */
  readonly configurations: number;
  /** Trials by how they ended. */
  readonly counts: { readonly done: number; readonly pruned: number; readonly failed: number; readonly open: number };
  /** Whether nothing is open. */
  readonly ended: boolean;
  /** Hours of all trials. */
  readonly hours: number;
  /** Outer folds. */
  readonly folds: readonly {
    readonly name: string;
    readonly scored: number;
    readonly speakers: number;
    readonly best: number | null;
    readonly config: string;
    readonly corrected: number | null;
    readonly interval: Interval | null;
    readonly units: string;
    readonly baseline: number | null;
  }[];
  /** Means over the folds; null when it cannot be estimated. */
  readonly optimism: { readonly maximum: number; readonly corrected: number; readonly optimism: number } | null;
  /** What failed, and why. */
  readonly failures: readonly string[];
  /** What mattered most, in words. */
  readonly important: string | null;
  /** A published search like it. */
  readonly published:
    | {
      readonly maximum: number;
      readonly configurations: number;
      readonly n: number;
      readonly resampled: number;
      readonly aboveNear: number;
      readonly near: number;
      readonly source: string;
      readonly note: string;
      readonly together: { readonly correlation: number; readonly optimism: number } | null;
    }
    | null;
  /** The look at the test rows. */
  readonly unsealed:
    | {
      readonly looked: number;
      readonly chosen: TestedText;
      readonly baseline: TestedText;
      readonly verdict: string;
    }
    | null;
  /** Pictures by name: `parallel`, `importance`, `interaction`. */
  readonly figures: ReadonlyMap<string, string>;
}

/** File of a sweep's picture. */
export function sweepFigureName(name: string, what: string): string {
  return `sweep-${name}-${what}.svg`;
}

const FIGURE_TEXT: Readonly<Record<string, string>> = {
  parallel: "Parallel coordinates of the trials",
  importance: "Share of the variance by parameter",
  interaction: "Expected score over two parameters",
};

/** What tuning gained, a line a search: what its best promised, what that was worth, what the sealed rows said. */
export function searchSummary(sweeps: readonly SweepText[]): string[] {
  if (sweeps.length === 0) return [];
  const rows = sweeps.map(
    ({ study, variant, protocol, method, configurations, fraction, epochs, folds, optimism, unsealed }) => {
      const best = folds.flatMap((fold) => fold.best ?? []);
      const share = fraction === 1 ? "" : `, ${percent(fraction, 0)} of the recordings, ${epochs} epochs at most`;
      return [
        `${study} *${variant}*, \`${protocol}\``,
        `${method}, ${configurations}${folds.length > 1 ? ` × ${folds.length} folds` : ""}${share}`,
        best.length === 0 ? "–" : percent(optimism?.maximum ?? best.reduce((sum, each) => sum + each, 0) / best.length),
        optimism === null ? "–" : percent(optimism.corrected),
        unsealed === null ? "sealed" : percent(unsealed.chosen.accuracy),
        unsealed === null ? "sealed" : percent(unsealed.baseline.accuracy),
        unsealed?.verdict ?? "–",
      ];
    },
  );
  return [
    "### What tuning gained",
    "",
    "The best score on validation rows, what the choice is worth on rows that had no part in it, and, looked at once, the",
    "test rows: the chosen configuration beside the study's own. Each search has its section below.",
    "",
    ...table(
      ["study", "search", "best on validation", "worth on others", "test: chosen", "test: the study's own", "verdict"],
      rows,
      0,
    ),
    "",
  ];
}

/** What tuning gained: the searches of a study. */
export function sweepSection(sweeps: readonly SweepText[]): string[] {
  if (sweeps.length === 0) return [];
  const lines = [
    "### Search",
    "",
    "The best of many scores promises too much. Beside it stands what the choice is worth on speakers (or recordings) that",
    "did not make it: bootstrap bias-corrected (Tsamardinos et al. 2018), all trials resampled together. Test rows stay",
    "sealed until the search has ended and are looked at once.",
    "",
  ];
  for (const sweep of sweeps) {
    const { configurations, counts, folds, published, unsealed } = sweep;
    const several = folds.length > 1 ? ` in each of ${folds.length} folds` : "";
    lines.push(
      `#### ${sweep.method}, \`${sweep.protocol}\`, *${sweep.variant}*`,
      "",
      `Searched: ${sweep.describe}; ${configurations} configurations${several}, ${
        plural(sweep.epochs, "epoch")
      } at most, ${plural(sweep.threads, "thread")} a trial, ${formatFixed(sweep.hours, 2)} hours in all${
        sweep.fraction === 1 ? "" : `, on ${percent(sweep.fraction, 0)} of the recordings`
      }; ${counts.done} trained to the end, ${counts.pruned} pruned, ${counts.failed} failed${
        counts.open > 0 ? `, **${counts.open} still open**` : ""
      }. Scored on ${sweep.scoredOn}.`,
      "",
      ...table(
        ["fold", "scored", "the study's own", `best ${sweep.metric}`, "worth on others (95 %)", "with"],
        folds.map((fold) => [
          fold.name,
          `${fold.scored} rows of ${plural(fold.speakers, "speaker")}`,
          fold.baseline === null ? "–" : percent(fold.baseline),
          fold.best === null ? "–" : percent(fold.best),
          fold.corrected === null
            ? "cannot be estimated"
            : `${percent(fold.corrected)} (${range(fold.interval!)}, ${fold.units})`,
          fold.config,
        ]),
        0,
      ),
      "",
    );
    if (sweep.optimism !== null) {
      const { maximum, corrected, optimism } = sweep.optimism;
      lines.push(
        `- **Optimism of the choice:** ${signedPoints(optimism)} points (${percent(maximum)} chosen, worth ${
          percent(corrected)
        }${folds.length > 1 ? ", means over the folds" : ""}).`,
      );
    }
    if (unsealed !== null) {
      const said = ({ accuracy, interval, speakers }: TestedText): string =>
        `${percent(accuracy)} (${range(interval.accuracy)}, ${kindText(interval.kind, speakers)})`;
      lines.push(
        `- **Unsealed after ${unsealed.looked} configurations:** chosen ${said(unsealed.chosen)}, the study's own ${
          said(unsealed.baseline)
        } on the same ${unsealed.chosen.n} test rows; ${unsealed.verdict}.`,
      );
    } else lines.push("- **The test rows are sealed.**");
    if (sweep.important !== null) lines.push(`- **What mattered:** ${sweep.important}.`);
    if (published !== null) {
      const { together } = published;
      lines.push(
        `- **The published search:** ${percent(published.maximum, 2)} is the largest of ${published.configurations} ` +
          `accuracies on ${published.n} validation rows (${published.source}); ${published.note}. If its validation rows were drawn anew, ` +
          `the best of ${published.configurations} would lie ${
            formatFixed(100 * published.resampled, 1)
          } points above what it is worth on the average` +
          `${
            together === null
              ? ""
              : ` (${formatFixed(100 * together.optimism, 1)} if mistakes go together as they do here, ` +
                `correlation ${formatFixed(together.correlation, 2)})`
          }; ${published.near} configurations lie within two standard errors of the maximum, which is ${
            formatFixed(100 * published.aboveNear, 1)
          } points above their mean.`,
      );
    }
    for (const failure of sweep.failures.slice(0, 5)) lines.push(`- Failed: ${failure}.`);
    if (sweep.failures.length > 5) lines.push(`- … and ${sweep.failures.length - 5} more failed.`);
    lines.push("");
    for (const what of sweep.figures.keys()) {
      lines.push(`![${FIGURE_TEXT[what] ?? what}, ${sweep.name}](figures/${sweepFigureName(sweep.name, what)})`, "");
    }
  }
  return lines;
}
