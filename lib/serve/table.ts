/**
 * The table of results for the page, from the run records alone.
 *
 * @module
 */

import type { ResultRow, ResultsTable } from "../page/results_types.ts";
import { formatFixed } from "../training/metrics.ts";
import { readChecked } from "../results/report.ts";
import {
  type CheckedRecord,
  claimSource,
  oneAnswer,
  PROTOCOL_ORDER,
  shortened,
  studyCells,
  type StudyText,
} from "../results/summary.ts";

/**
 * One row a study, variant and protocol, with claim, mean over seeds, interval, clips and speakers.
 *
 * @param resultsDir The folder of all results.
 * @param studies What is said of each study; a study that is not among them keeps its number as title.
 * @throws {FormatError} when a record cannot be read or does not follow from its predictions.
 */
export function resultsTable(resultsDir: string, studies: readonly StudyText[]): ResultsTable {
  const groups = new Map<string, CheckedRecord[]>();
  for (const each of readChecked(resultsDir)) {
    const { study } = each.record;
    groups.set(study, [...groups.get(study) ?? [], each]);
  }
  const ids = [...groups.keys()].sort();
  const rows = ids.flatMap((id) => {
    const study = studies.find((each) => each.id === id);
    return studyCells(groups.get(id)!, study).map((cell): ResultRow => {
      const claim = study?.claims.find((each) => each.variant === cell.variant);
      const place = PROTOCOL_ORDER.indexOf(cell.protocol);
      const describe = study?.variants?.[cell.variant]?.describe ?? "";
      return {
        study: id,
        variant: cell.variant,
        protocol: cell.protocol,
        order: place < 0 ? PROTOCOL_ORDER.length : place,
        bySpeaker: cell.bySpeaker,
        claim: claim
          ? {
            accuracy: claim.accuracy,
            n: claim.recordings ?? claim.n,
            ...(claim.of === undefined ? {} : { of: claim.of }),
          }
          : null,
        accuracy: cell.accuracy.mean,
        sd: cell.accuracy.sd,
        interval: cell.intervals.interval.accuracy,
        uar: cell.uar.mean,
        clips: cell.intervals.recordings,
        speakers: cell.intervals.speakers,
        seeds: cell.runs.length,
        failed: oneAnswer(cell) !== null,
        less: shortened(cell, study),
        text: [id, study?.title, cell.variant, cell.protocol, describe].join(" ").toLowerCase(),
      };
    });
  });
  return {
    rows,
    studies: ids.map((id) => {
      const study = studies.find((each) => each.id === id);
      const { title = id, source = "serlab", flaw = "", why = "" } = study ?? {};
      const claims = (study?.claims ?? []).map((claim) => {
        const { variant, accuracy, n, recordings } = claim;
        const rows = recordings === undefined ? `${n} clips` : `${n} rows of ${recordings} clips`;
        return `Claimed for ${variant}: ${formatFixed(100 * accuracy, 2)} % of ${rows} (${claimSource(claim)}).`;
      });
      return { id, title, source, claims, flaw, why };
    }),
  };
}
