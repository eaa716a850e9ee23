import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { recordPath, writeRunRecord } from "../../lib/results/record.ts";
import { readChecked, renderReport, staleReport, type StudyText, writeReport } from "../../lib/results/report.ts";
import { compareRuns } from "../../lib/results/compare.ts";
import { type Cell, compareCells, studyCells } from "../../lib/results/summary.ts";
import {
  meanSd,
  minimumDetectableDifference,
  speakerIntervals,
  wilsonInterval,
} from "../../lib/training/statistics.ts";
import { pretend, pretendRun } from "./fixtures.ts";

const study: StudyText = {
  id: "000",
  title: "A small CNN",
  source: "someone/something",
  claims: [
    { variant: "vanilla", accuracy: 24 / 36, n: 36, source: "README" },
    { variant: "optimised", accuracy: 28 / 36, n: 36, source: "README", note: "a validation accuracy" },
  ],
  flaw: "It reported validation as test.",
  why: "Known voices against unknown ones.",
  variants: { vanilla: { describe: "plain" }, optimised: { describe: "tuned" } },
  protocols: { "as-published": { describe: "at random" }, clean: { describe: "by actor" } },
};

function withFolder(body: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "serlab-report-"));
  try {
    body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function fill(dir: string, seeds = 3): void {
  for (let seed = 0; seed < seeds; seed++) {
    for (const [variant, skill] of [["vanilla", 0.5], ["optimised", 0.7]] as const) {
      const clean = pretend(seed, { skill, clips: 60 });
      writeRunRecord(dir, pretendRun({ variant, seed }, clean), clean);
      const published = pretend(seed + 100, { skill: 1.5, clips: 9, folds: false });
      writeRunRecord(
        dir,
        pretendRun({ variant, seed, protocol: "as-published", bySpeaker: false }, published),
        published,
      );
    }
  }
}

Deno.test("the report sets claim, reproduction and what is left side by side, with n, speakers and intervals", () => {
  withFolder((dir) => {
    fill(dir);
    writeReport(dir, [study]);
    const text = readFileSync(join(dir, "README.md"), "utf8");
    const cell = studyCells(readChecked(dir), study).find((each) =>
      each.variant === "vanilla" && each.protocol === "clean"
    )!;
    const accuracies = cell.runs.map(({ record }) => record.metrics.accuracy);
    const { mean, sd } = meanSd(accuracies);
    const [low, high] = speakerIntervals(cell.runs.map(({ predictions }) => predictions.rows)).interval.accuracy;
    const points = (value: number) => (100 * value).toFixed(1);
    assert.ok(text.includes(
      `| vanilla | **left without leaks** | ${points(mean)} ± ${points(sd!)} % (3 seeds) | ` +
        `${points(low)} to ${points(high)} % (t over 4 speakers) | 240 clips of 4 speakers |`,
    ));
    const [at, heading] = [
      /\| \[000\]\(#([^)]+)\) \| vanilla \| 66\.67 % \| .* \| (.*) \|/.exec(text)!,
      /^## (Study .*)$/m.exec(text)!,
    ];
    assert.equal(at[2], `${points(mean)} ± ${points(sd!)} % (${points(low)} to ${points(high)} %)`);
    assert.equal(at[1], heading[1]!.toLowerCase().replaceAll(/[:']/g, "").replaceAll(" ", "-"));
    assert.ok(text.includes("| vanilla | **claimed** | 66.67 % | 50.3 to 79.8 % (Wilson) | 36 clips |"));
    assert.ok(text.includes("| optimised | **claimed** | 77.78 % | 61.9 to 88.3 % (Wilson) | 36 clips |"));
    assert.match(text, /\| vanilla \| reproduced as published \| .* \(Wilson\) \| 36 clips of 4 speakers \|/);
    assert.ok(text.includes("**The study's own mistake:** It reported validation as test."));
    assert.ok(text.includes("**Why they differ:** Known voices against unknown ones."));
    assert.ok(text.includes("README; in truth a validation accuracy."));
    assert.match(
      text,
      /`clean`, \*optimised\* against \*vanilla\*:\*\* cannot be tested: with 4 speakers .* p = 0\.125/,
    );
    assert.match(text, /of 3 seeds reach(es)? the claim/);
    assert.match(text, /12\.2 \| 0\.1 \| 812 \|/);
    assert.match(text, /Most confused: \w+ taken for \w+ \(\d+, \d+ % of its rows\)/);
    // Every picture that the text shows is there, and no other.
    const shown = [...text.matchAll(/\]\((figures\/[^)]+)\)/g)].map((match) => match[1]!).sort();
    assert.deepEqual(
      shown,
      [...renderReport(readChecked(dir), [study]).keys()].filter((name) => name !== "README.md").sort(),
    );
    for (const name of shown) assert.match(readFileSync(join(dir, name), "utf8"), /^<svg [\s\S]*<\/svg>/);
  });
});

Deno.test("the same records give the same bytes, whatever order they are in", () => {
  withFolder((dir) => {
    fill(dir, 2);
    const checked = readChecked(dir);
    const one = [...renderReport(checked, [study])];
    assert.deepEqual([...renderReport([...checked].reverse(), [study])], one);
    writeReport(dir, [study]);
    assert.deepEqual(staleReport(dir, [study]), []);
    assert.deepEqual(writeReport(dir, [study]), one.map(([name]) => name).sort());
    assert.deepEqual(staleReport(dir, [study]), []);
  });
});

Deno.test("a report that was edited, or whose records changed, is stale; pictures of records that are gone are removed", () => {
  withFolder((dir) => {
    fill(dir, 1);
    writeReport(dir, [study]);
    const readme = join(dir, "README.md");
    writeFileSync(readme, readFileSync(readme, "utf8").replace("66.67", "76.67"));
    assert.deepEqual(staleReport(dir, [study]), ["README.md"]);
    writeReport(dir, [study]);
    const id = { study: "000", protocol: "clean", variant: "vanilla", seed: 0 };
    writeFileSync(join(dir, "figures", "mine.svg"), "<svg/>");
    rmSync(recordPath(dir, id));
    assert.deepEqual(staleReport(dir, [study]), [
      "README.md",
      "figures/000-clean-vanilla-confusion.svg",
      "figures/000-clean-vanilla-learning.svg",
      "figures/forest.svg",
    ]);
    writeReport(dir, [study]);
    assert.deepEqual(staleReport(dir, [study]), []);
    assert.equal(readFileSync(join(dir, "figures", "mine.svg"), "utf8"), "<svg/>");
    assert.match(readFileSync(readme, "utf8"), /\| vanilla \| \*\*left without leaks\*\* \| not run \|/);
  });
});

Deno.test("a record whose numbers do not follow from its predictions stops the report", () => {
  withFolder((dir) => {
    fill(dir, 1);
    const path = recordPath(dir, { study: "000", protocol: "clean", variant: "vanilla", seed: 0 });
    writeFileSync(path, readFileSync(path, "utf8").replace(/"macroF1": 0\.\d+,(?=\s+"macro")/, '"macroF1": 0.999,'));
    assert.throws(() => writeReport(dir, [study]), /vanilla-s0\.json: metrics\.macroF1 is 0\.999, but the predictions/);
  });
});

Deno.test("seeds that do not belong together, and runs on a part of the recordings, are said", () => {
  withFolder((dir) => {
    fill(dir, 1);
    const small = pretend(5, { clips: 6 });
    writeRunRecord(dir, pretendRun({ seed: 1, fraction: 0.1, epochs: 1 }, small), small);
    writeReport(dir, [study]);
    const text = readFileSync(join(dir, "README.md"), "utf8");
    assert.ok(text.includes("- **On 10 % of the recordings:** "));
    assert.match(
      text,
      /\*\*vanilla, `clean`: these seeds do not belong together, they differ in fraction, epochs, number of test rows/,
    );
  });
});

Deno.test("with enough speakers two models are told apart or not, with p; on other rows they are not compared", () => {
  withFolder((dir) => {
    const write = (variant: string, seed: number, skill: number, speakers: number) => {
      const predictions = pretend(seed, { skill, speakers, clips: 30 });
      writeRunRecord(dir, pretendRun({ study: "004", variant, claim: null }, predictions), predictions);
    };
    write("good", 1, 2, 12);
    write("bad", 2, 0.2, 12);
    write("alike", 3, 2, 12);
    write("fewer", 4, 2, 8);
    const cells = studyCells(readChecked(dir));
    const compare = (first: string, second: string) =>
      compareCells(cells.find((cell) => cell.variant === first)!, cells.find((cell) => cell.variant === second)!);
    const clear = compare("good", "bad");
    assert.match(
      clear.text,
      /^differ by \+\d+\.\d points of accuracy \(sign-flip test over 12 speakers, p < 0\.001\)$/,
    );
    assert.ok(clear.test?.tested && clear.test.p <= 0.05);
    const alike = compare("good", "alike");
    assert.ok(alike.test?.tested && alike.test.p > 0.05);
    assert.match(
      alike.text,
      /^cannot be told apart: .* p = [01]\.\d{3}\); a true difference under about \d+\.\d points/,
    );
    assert.match(compare("good", "fewer").text, /^cannot be compared: they were not tested on the same rows/);
    const text = renderReport(readChecked(dir), []).get("README.md")!;
    assert.match(text, /^## Study 004$/m);
    assert.match(text, /bootstrap over speakers/);
  });
});

Deno.test("with known speakers models on the same clips are compared by recording; n is the clips of one seed", () => {
  withFolder((dir) => {
    for (const [variant, skill] of [["a", 0], ["b", 0.05], ["c", 8]] as const) {
      for (let seed = 0; seed < 5; seed++) {
        const predictions = pretend(seed, { skill, clips: 25, folds: false });
        const run = pretendRun({ variant, seed, protocol: "as-published", bySpeaker: false }, predictions);
        writeRunRecord(dir, run, predictions);
      }
    }
    const [a, b, c] = studyCells(readChecked(dir)) as [
      ReturnType<typeof studyCells>[0],
      ReturnType<typeof studyCells>[0],
      ReturnType<typeof studyCells>[0],
    ];
    assert.equal(a.intervals.recordings, 100);
    const expected = wilsonInterval(a.accuracy.mean * 100, 100);
    assert.ok(Math.abs(a.intervals.interval.accuracy[0] - expected[0]) < 1e-12);
    assert.match(
      compareCells(b, a).text,
      /^cannot be told apart: .* \(sign-flip test over 100 clips, median p of 5 seeds = 0\.\d{3}\)$/,
    );
    assert.match(
      compareCells(c, a).text,
      /^differ by \+\d+\.\d points of accuracy \(sign-flip test over 100 clips, median p of 5 seeds < 0\.001\)$/,
    );
  });
});

Deno.test("a model that nearly always gives one answer is said to have failed, one that merely is bad is not", () => {
  withFolder((dir) => {
    const bad = pretend(0, { skill: 0 });
    writeRunRecord(dir, pretendRun({ variant: "vanilla" }, bad), bad);
    const rows = bad.rows.map((row, i) => {
      const prediction = i % 12 === 0 ? "happy" : "sad";
      return {
        ...row,
        prediction,
        probabilities: Float32Array.from(bad.labels, (label) => label === prediction ? 0.8 : 0.1),
      };
    });
    const one = { ...bad, rows };
    writeRunRecord(dir, pretendRun({ variant: "optimised" }, one), one);
    const caution = "Too few steps.";
    const variants = { ...study.variants, optimised: { describe: "the one that fails", caution } };
    writeReport(dir, [{ ...study, variants }]);
    const text = readFileSync(join(dir, "README.md"), "utf8");
    assert.match(text, /what a leak is worth\. Too few steps\.$/m);
    assert.match(text, /\*optimised\* against \*vanilla\*:\*\* not compared: the training of \*optimised\* failed\.$/m);
    assert.match(text, /^Not in the figure, because their training failed: 000 \*optimised\*, `clean`\.$/m);
    assert.doesNotMatch(text, /what is left of \*optimised\*/);
    assert.match(text, /`clean`, \*optimised\*, says sad of 91\.7 % of its rows\*\*, .* guessing has 33\.3 %/);
    assert.equal(text.match(/of its rows\*\*/g)?.length, 1);
    assert.equal(text.match(/\*\*training failed\*\*/g)?.length, 1);
  });
});

Deno.test("without records the report says so", () => {
  withFolder((dir) => {
    assert.deepEqual(writeReport(dir, [study]), ["README.md"]);
    assert.match(readFileSync(join(dir, "README.md"), "utf8"), /There are no run records yet\.\n$/);
  });
});

Deno.test("a training on fewer recordings or epochs neither reproduces nor refutes a claim, and every table says so", () => {
  withFolder((dir) => {
    fill(dir);
    const variants = { vanilla: { describe: "plain", plan: { epochs: 50 } }, optimised: { describe: "tuned" } };
    writeReport(dir, [{ ...study, variants }]);
    const text = readFileSync(join(dir, "README.md"), "utf8");
    assert.equal(
      text.match(/^\| \[000\].*\| vanilla \|.*\*\*on 3 of 50 epochs\*\*.*\*\*on 3 of 50 epochs\*\* \|$/mg)?.length,
      1,
    );
    assert.match(text, /^\| vanilla \| reproduced as published, on 3 of 50 epochs \|/m);
    assert.match(
      text,
      /reproduction of \*vanilla\*:\*\* trained on 3 of 50 epochs, .* neither reproduces .* refutes it\.$/m,
    );
    assert.match(text, /what is left of \*vanilla\*:\*\* .*, but what is left was trained on 3 of 50 epochs\.$/m);
    assert.match(text, /^In this study's tables \\\* marks what was trained on 3 of 50 epochs\.$/m);
    assert.match(text, /^\| vanilla \\\* \| `clean` \|/m);
    assert.match(
      text,
      /\*optimised\* against \*vanilla\*:\*\* not compared: they were not trained alike \(\*vanilla\* on 3 of 50 epochs\)\.$/m,
    );
    assert.match(text, /^- \*\*On 3 of 50 epochs:\*\* vanilla, `as-published`; vanilla, `clean`\.$/m);
    assert.match(text, /reproduction of \*optimised\*:\*\* \d of 3 seeds reach/);
    assert.match(readFileSync(join(dir, "figures/forest.svg"), "utf8"), /000 vanilla \*/);
    assert.match(text, /to the clean one, \*vanilla\*:\*\* \d+\.\d % to \d+\.\d % \(both on 3 of 50 epochs\); they /);
  });
});

Deno.test("claims: rows of one recording count once, another's number is marked, what is not drawn or run is said", () => {
  withFolder((dir) => {
    fill(dir);
    const claims = [
      { variant: "vanilla", accuracy: 0.5, n: 400, recordings: 100, source: "README" },
      { variant: "vanilla", accuracy: 0.6, n: 36, source: "a README", of: "a sibling's" },
      { variant: "vgg16", accuracy: 0.75, n: 36, source: "README" },
    ];
    const pretrained = { kind: "keras-h5", describe: "ImageNet weights of VGG16" };
    writeReport(dir, [{ ...study, claims, variants: { ...study.variants, vgg16: { describe: "large", pretrained } } }]);
    const text = readFileSync(join(dir, "README.md"), "utf8");
    const [low, high] = wilsonInterval(50, 100).map((end) => (100 * end).toFixed(1));
    assert.ok(text.includes(`| 50.00 % | ${low} to ${high} % (Wilson, each recording once) | 400 rows of 100 clips |`));
    assert.match(text, /\| vanilla \| 50\.00 %, 60\.00 % \(a sibling's\) \|/);
    assert.match(text, /\| vgg16 \| 75\.00 % \| not run: needs ImageNet weights of VGG16 \| not run: needs/);
    assert.match(text, /no reproduction drawn\): 000 \*vanilla\* 60\.00 %; 000 \*vgg16\* 75\.00 %\.$/m);
  });
});

Deno.test("log loss, the run of middle accuracy, and what the test can show at best", () => {
  withFolder((dir) => {
    for (const [seed, skill] of [[0, 0.1], [1, 0.9], [2, 0.5]] as const) {
      const predictions = pretend(seed, { skill, speakers: 8, clips: 60 });
      writeRunRecord(dir, pretendRun({ seed }, predictions), predictions);
    }
    writeReport(dir, [study]);
    const text = readFileSync(join(dir, "README.md"), "utf8");
    const [cell] = studyCells(readChecked(dir), study);
    const loss = meanSd(cell!.runs.map(({ record }) => record.metrics.logLoss)).mean;
    assert.ok(text.includes(` | ${loss.toFixed(3)} |\n`));
    assert.match(text, /^Seed 2, that of middle accuracy, all folds pooled: 480 rows\./m);
    const least = minimumDetectableDifference({ clips: 480, speakers: 8 })!;
    assert.ok(
      text.includes(
        `- \`clean\`: 480 clips of 8 speakers: true differences under about ${(100 * least).toFixed(1)} points`,
      ),
    );
  });
});

Deno.test("a corpus that was not whole is said; work that nobody published gets no card of claims", () => {
  withFolder((dir) => {
    const predictions = pretend(0);
    const config = { missing: ["ravdess/a", "ravdess/b"], extra: ["ravdess/c"] };
    writeRunRecord(dir, pretendRun({ config, ignored: ["a b.wav"] }, predictions), predictions);
    const own = { ...study, claims: [], why: "others start from it." };
    writeReport(dir, [own]);
    const text = readFileSync(join(dir, "README.md"), "utf8");
    assert.match(
      text,
      /^- \*\*vanilla, `clean`: the corpora were not as distributed, 2 recordings missing, 1 recording extra, 1 file of unknown name ignored\.\*\*$/m,
    );
    assert.match(text, /^Nobody's claim: others start from it\.$/m);
    assert.doesNotMatch(text, /At a glance|Published in|claimed|forest\.svg/);
  });
});

Deno.test("a claim that lies outside its reproduction is not reproduced, or exceeded, whatever single seeds reach", () => {
  withFolder((dir) => {
    const skills = [0.2, 0.2, 0.2, 8] as const;
    skills.forEach((skill, seed) => {
      const rows = pretend(seed, { skill, clips: 100, folds: false });
      writeRunRecord(dir, pretendRun({ seed, protocol: "as-published", bySpeaker: false }, rows), rows);
    });
    const verdict = (accuracy: number): string => {
      const claims = [{ variant: "vanilla", accuracy, n: 2000, source: "README" }];
      const text = renderReport(readChecked(dir), [{ ...study, claims }]).get("README.md")!;
      return text.match(/^- \*\*Claim and reproduction of \*vanilla\*:\*\* (.*)$/m)![1]!;
    };
    assert.match(verdict(0.8), /^1 of 4 seeds reaches the claim; they differ by −.*: the claim was not reproduced\.$/);
    assert.match(
      verdict(0.3),
      /^4 of 4 seeds reach .* differ by \+\d+\.\d points \(95 % \+.*: the reproduction lies above/,
    );
    assert.match(
      verdict(meanSd(readChecked(dir).map(({ record }) => record.metrics.accuracy)).mean),
      /cannot be told apart: 0\.0/,
    );
  });
});

Deno.test("seeds make no larger n: many seeds of models that hardly differ do not tell them apart", () => {
  withFolder((dir) => {
    for (let seed = 0; seed < 12; seed++) {
      for (const variant of ["vanilla", "optimised"]) {
        const predictions = pretend(seed, { skill: 0.6, clips: 25, folds: false });
        // Of a hundred clips the second model has one more right in every seed.
        const first = predictions.rows.findIndex(({ truth, prediction }) => truth !== prediction);
        const rows = predictions.rows.map((row, i) =>
          i !== first || variant === "vanilla" ? row : {
            ...row,
            prediction: row.truth,
            probabilities: Float32Array.from(predictions.labels, (label) => label === row.truth ? 1 : 0),
          }
        );
        const own = { ...predictions, rows };
        writeRunRecord(dir, pretendRun({ variant, seed, protocol: "as-published", bySpeaker: false }, own), own);
      }
    }
    const [vanilla, optimised] = studyCells(readChecked(dir), study) as [Cell, Cell];
    assert.match(
      compareCells(optimised, vanilla).text,
      /^cannot be told apart: \+1\.0 points of accuracy \(sign-flip test over 100 clips, median p of 12 seeds = 1\.000\)$/,
    );
    // Without a common seed nothing is paired.
    const [other] = studyCells(
      readChecked(dir).slice(0, 6).map((each) => ({
        ...each,
        record: { ...each.record, seed: each.record.seed + 100 },
      })),
      study,
    ) as [Cell];
    assert.match(
      compareCells(other, vanilla).text,
      /^tested on different clips, they cannot be told apart: .* points of accuracy \(95 % −/,
    );
  });
});

Deno.test("where speakers have unlike many clips, what is tested is said beside the pooled difference", () => {
  const speakers = Array.from({ length: 8 }, (_, i) => `s${i}`);
  const rows = (right: (speaker: number, clip: number) => boolean) =>
    speakers.flatMap((speaker, s) =>
      Array.from({ length: s === 0 ? 80 : 10 }, (_, i) => ({
        parent: `${speaker} ${i}`,
        speaker,
        truth: "sad",
        prediction: right(s, i) ? "sad" : "happy",
      }))
    );
  const first = rows((s, i) => s === 0 || i % 2 === 0), second = rows((s) => s !== 0);
  const { text } = compareRuns([first], [second], true, () => assert.fail("not asked for"));
  assert.match(
    text,
    /: −31\.2 points of accuracy on the average of speakers, \+30\.0 over all clips \(sign-flip test over 8/,
  );
});

Deno.test("mistakes: none at all, none twice, or the pairs that were confused more than once", () => {
  withFolder((dir) => {
    const labels = ["happy", "neutral", "sad"];
    const rows = (wrong: number) =>
      pretend(0, { labels, clips: 6, folds: false }).rows.map((row, i) => {
        // Every mistake is another pair, until there are more mistakes than pairs.
        const at = labels.indexOf(row.truth), prediction = labels[i < wrong ? (at + 1 + (i / 3 & 1)) % 3 : at]!;
        const probabilities = Float32Array.from(labels, (label) => label === prediction ? 1 : 0);
        return { ...row, prediction, probabilities };
      });
    const told = (wrong: number): string => {
      const predictions = { labels, rows: rows(wrong) };
      writeRunRecord(dir, pretendRun({ protocol: "as-published", bySpeaker: false }, predictions), predictions);
      return renderReport(readChecked(dir), [study]).get("README.md")!;
    };
    assert.match(told(0), /^No mistakes\.$/m);
    assert.match(told(6), /^No label was taken for the same other one more than once\.$/m);
    assert.match(told(24), /^Most confused: \w+ taken for \w+ \(\d+, \d+ % of its rows\)/m);
  });
});
