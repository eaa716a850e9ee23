import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addListeners, recordPath, writeRunRecord } from "../../lib/results/record.ts";
import { readChecked, renderReport, type StudyText } from "../../lib/results/report.ts";
import { evaluatePredictions, type Predictions, restrictPredictions } from "../../lib/training/evaluate.ts";
import { pretend, pretendRun } from "./fixtures.ts";

const study: StudyText = {
  id: "000",
  title: "A small CNN",
  source: "someone/something",
  claims: [],
  flaw: "",
  why: "",
  variants: {
    vanilla: { describe: "plain" },
    ...Object.fromEntries(
      ["adam-none", "adam-l2", "rmsprop-none", "rmsprop-l2"].map((
        name,
      ) => [name, { describe: name, group: "ablation" }]),
    ),
  },
  protocols: {
    random: { describe: "folds at random" },
    "no-siblings": { doesNotApply: "one row is made of each recording" },
    speaker: { describe: "folds of speakers" },
    "speaker-sentence": { describe: "folds of speakers and sentences" },
    "cross-corpus": { describe: "one corpus left out", commonLabels: ["happy", "sad"] },
    clean: { describe: "by actor" },
  },
};

/** The same rows, as recordings of two corpora. */
function ofTwoCorpora({ labels, rows }: Predictions): Predictions {
  return {
    labels,
    rows: rows.map((row, i) => {
      const corpus = i % 2 === 0 ? "one" : "two";
      return {
        ...row,
        key: `${corpus}/${row.key}`,
        parent: `${corpus}/${row.parent}`,
        speaker: `${corpus}-${row.speaker}`,
      };
    }),
  };
}

function report(fill: (dir: string) => void, text: StudyText = study): ReadonlyMap<string, string> {
  const dir = mkdtempSync(join(tmpdir(), "serlab-sections-"));
  fill(dir);
  const checked = readChecked(dir);
  const files = renderReport(checked, [text]);
  assert.deepEqual(renderReport([...checked].reverse(), [text]).get("README.md"), files.get("README.md"));
  return files;
}

const run = (dir: string, predictions: Predictions, more: Parameters<typeof pretendRun>[0]): void => {
  const speakers = new Set(predictions.rows.map((row) => row.speaker)).size;
  const base = pretendRun(more, predictions);
  writeRunRecord(dir, { ...base, counts: { ...base.counts, speakersTest: speakers } }, predictions);
};

Deno.test("the ladder shows every rung: measured, not run, or why it does not apply; its picture comes with it", () => {
  const files = report((dir) => {
    for (const protocol of ["random", "speaker"]) {
      run(dir, pretend(1, { skill: 1 }), { protocol, bySpeaker: protocol === "speaker" });
    }
  });
  const text = files.get("README.md")!;
  assert.match(text, /\| vanilla \| `random` \| \d+\.\d % \(\d+\.\d to \d+\.\d %\) \|/);
  assert.match(text, /\| vanilla \| `no-siblings` \| does not apply: one row is made of each recording \|/);
  assert.match(text, /\| vanilla \| `speaker-sentence` \| not run \|/);
  assert.match(files.get("figures/000-ladder.svg")!, /speaker/);
  assert.ok(!text.includes("no-test-selection"), "a rung that the study does not name is not in the table");
});

Deno.test("cross-corpus stands beside speaker on the labels that all corpora have", () => {
  const three = pretend(3, { skill: 1 });
  const files = report((dir) => {
    for (const protocol of ["speaker", "cross-corpus"]) {
      run(dir, three, { protocol, bySpeaker: true });
    }
  }, {
    ...study,
    protocols: { ...study.protocols, "cross-corpus": { describe: "x", commonLabels: three.labels.slice(0, 2) } },
  });
  const common = restrictPredictions(three, three.labels.slice(0, 2));
  const { accuracy, n } = evaluatePredictions(common, { bySpeaker: true });
  assert.ok(n < three.rows.length);
  const row = new RegExp(`\\| vanilla \\| \`cross-corpus\` \\| ${n} \\| ${(100 * accuracy).toFixed(1)} % `);
  assert.match(files.get("README.md")!, row);
});

Deno.test("restricted predictions leave other labels out and never predict them", () => {
  const rows = [
    {
      key: "a",
      parent: "a",
      copy: 0,
      speaker: "s",
      fold: 0,
      truth: "x",
      prediction: "z",
      probabilities: [0.2, 0.1, 0.7],
    },
    {
      key: "b",
      parent: "b",
      copy: 0,
      speaker: "s",
      fold: 0,
      truth: "z",
      prediction: "z",
      probabilities: [0.1, 0.1, 0.8],
    },
  ];
  const { rows: [only, ...rest] } = restrictPredictions({ labels: ["x", "y", "z"], rows }, ["x", "y"]);
  assert.equal(rest.length, 0);
  assert.equal(only!.prediction, "x");
  assert.ok(Math.abs(only!.probabilities[0]! - 2 / 3) < 1e-6);
  assert.throws(() => restrictPredictions({ labels: ["x"], rows: [] }, ["q"]), /there is no q/);
});

Deno.test("an ablation is told as differences between trainings that differ in one choice and share the seed", () => {
  const files = report((dir) => {
    ["adam-none", "adam-l2", "rmsprop-none", "rmsprop-l2"].forEach((variant) => {
      for (const seed of [0, 1]) run(dir, pretend(seed, { skill: 1 }), { variant, seed });
    });
  });
  const text = files.get("README.md")!;
  assert.match(text, /\| `clean` \| rmsprop instead of adam \| 0\.0 \| 0\.0 \| 0\.0 to 0\.0 \| 4 \|/);
  assert.match(text, /\| `clean` \| l2 instead of none \| 0\.0 /);
  assert.ok(!text.includes("#### adam-none"), "ablations have no chapter of their own");
  const [before, folded] = text.split("<details><summary>The same of the ablation's variants</summary>");
  assert.ok(!before!.includes("| adam-none |") && folded!.includes("| adam-none |"), "their table is folded away");
  assert.match(text, /^- `clean`: \d+ clips of 4 speakers: no difference can be shown, there are too few speakers\.$/m);
});

Deno.test("several corpora are scored one by one, in the record and in the report", () => {
  const predictions = ofTwoCorpora(pretend(5, { skill: 1 }));
  const { corpora, n } = evaluatePredictions(predictions, { bySpeaker: true });
  assert.deepEqual(corpora!.map(({ corpus }) => corpus), ["one", "two"]);
  assert.equal(corpora![0]!.n + corpora![1]!.n, n);
  const one = predictions.rows.filter((row) => row.parent.startsWith("one/"));
  assert.equal(corpora![0]!.accuracy, one.filter((row) => row.truth === row.prediction).length / one.length);
  assert.equal(evaluatePredictions(pretend(5), { bySpeaker: true }).corpora, undefined);
  const text = report((dir) => run(dir, predictions, {})).get("README.md")!;
  assert.match(text, /\| vanilla \| `clean` \| one \| \d+ \| \d+ \|/);
});

Deno.test("listeners stand beside the model on the same clips", () => {
  const text = report((dir) =>
    run(dir, pretend(2), {
      listeners: {
        corpus: "crema-d",
        source: "0".repeat(64),
        clips: 240,
        votes: 2400,
        accuracy: 0.409,
        uar: 0.41,
        majority: 0.5,
        model: 0.6,
      },
    })
  ).get("README.md")!;
  assert.match(text, /\| crema-d \| 240 \| 2400 \| 40\.9 % \| 50\.0 % \| 60\.0 % \|/);
});

Deno.test("listeners of one seed alone are told too, and can be added to a record that stands there", () => {
  const predictions = pretend(2);
  const listeners = {
    corpus: "crema-d",
    source: "0".repeat(64),
    clips: 48,
    votes: 480,
    accuracy: 0.4,
    uar: 0.41,
    majority: 0.5,
    model: 0.6,
  };
  const text = report((dir) => {
    run(dir, pretend(1), { seed: 0 });
    const bare = writeRunRecord(dir, pretendRun({ seed: 1 }, predictions), predictions);
    const path = recordPath(dir, bare);
    const before = readFileSync(path, "utf8");
    assert.deepEqual(addListeners(dir, bare, listeners), { ...bare, listeners });
    const added = readFileSync(path, "utf8");
    // Nothing else has moved, and a record that had them from the start looks the same.
    assert.equal(added.replace(/ {2}"listeners": \{[^}]*\},\n/, ""), before);
    writeRunRecord(dir, pretendRun({ seed: 1, listeners }, predictions), predictions);
    assert.equal(readFileSync(path, "utf8"), added);
  }).get("README.md")!;
  assert.match(text, /\| crema-d \| 48 \| 480 \| 40\.0 % \| 50\.0 % \| 60\.0 % \|/);
});
