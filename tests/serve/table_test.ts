import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { studies } from "../../experiments/mod.ts";
import { resultsTable } from "../../lib/serve/table.ts";
import { root } from "../page/site_for_tests.ts";

Deno.test("a row of the table says what its run records say, with claim, interval, clips and speakers", () => {
  const folder = mkdtempSync(join(tmpdir(), "serlab-table-"));
  try {
    for (const protocol of ["as-published", "clean"]) {
      mkdirSync(join(folder, "000", protocol), { recursive: true });
      for (const name of ["vanilla-s0.json", "vanilla-s0.predictions.csv"]) {
        cpSync(join(root, "results", "000", protocol, name), join(folder, "000", protocol, name));
      }
    }
    const { rows, studies: told } = resultsTable(folder, studies);
    assert.deepEqual(rows.map(({ study, variant, protocol }) => [study, variant, protocol]), [
      ["000", "vanilla", "as-published"],
      ["000", "vanilla", "clean"],
    ]);
    const record = JSON.parse(readFileSync(join(folder, "000", "clean", "vanilla-s0.json"), "utf8"));
    const row = rows[1]!;
    assert.equal(row.accuracy, record.metrics.accuracy);
    assert.deepEqual(row.interval, record.metrics.interval.accuracy);
    assert.deepEqual([row.clips, row.speakers, row.seeds, row.sd, row.failed, row.less], [
      240,
      4,
      1,
      null,
      false,
      null,
    ]);
    assert.ok(row.bySpeaker && !rows[0]!.bySpeaker && rows[0]!.order < row.order);
    assert.ok(Math.abs(row.claim!.accuracy - 0.6667) < 1e-4 && row.claim!.n === 36);
    assert.ok(row.text.includes("vanilla") && row.text === row.text.toLowerCase());
    assert.deepEqual(told.map(({ id }) => id), ["000"]);
    assert.match(told[0]!.claims[1]!, /^Claimed for optimised: 77\.78 % of 36 clips \(.*; in truth .*\)\.$/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
