import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { preparations, studies } from "../../experiments/mod.ts";
import { staleReport } from "../../lib/results/report.ts";
import { sweepTexts } from "../../lib/search/report.ts";

const results = fileURLToPath(new URL("../../results", import.meta.url));
const present = existsSync(`${results}/README.md`);

Deno.test({
  name:
    "the committed results follow from their predictions, and the committed report from them (needs results/README.md)",
  ignore: !present,
  fn() {
    assert.deepEqual(
      staleReport(results, [...studies, ...preparations], sweepTexts(results)),
      [],
      "run `deno task report`",
    );
  },
});
