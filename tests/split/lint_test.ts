import assert from "node:assert/strict";
import { resample } from "../../lib/audio/mod.ts";
import { fingerprint } from "../../lib/features/fingerprint.ts";
import { RandomState } from "../../lib/random.ts";
import {
  LINT_CHECKS,
  type LintCheck,
  type LintReport,
  type LintRow,
  lintSplit,
  renderLint,
} from "../../lib/split/lint.ts";
import { leaveOneGroupOut } from "../../lib/split/groups.ts";
import { trainTestSplit } from "../../lib/split/sklearn.ts";

function finding(report: LintReport, check: LintCheck) {
  return report.findings.find((each) => each.check === check)!;
}

/** RAVDESS's design: 24 actors, 8 emotions, 2 sentences, 2 intensities (neutral: 1), 2 takes. */
const emotions = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"];
const ravdess: Omit<LintRow, "split">[] = [];
for (let actor = 1; actor <= 24; actor++) {
  for (const label of emotions) {
    for (const intensity of label === "neutral" ? ["normal"] : ["normal", "strong"]) {
      for (const sentence of ["kids", "dogs"]) {
        for (const take of ["1", "2"]) {
          const key = `${actor}-${label}-${intensity}-${sentence}-${take}`;
          ravdess.push({
            key,
            label,
            intensity,
            sentence,
            take,
            speaker: `a${actor}`,
            parent: key,
            sha256: `h-${key}`,
          });
        }
      }
    }
  }
}

Deno.test("a random split of RAVDESS leaks takes and speakers, and shares sentences; audio and recordings are clean", () => {
  assert.equal(ravdess.length, 1440);
  const { test } = trainTestSplit(1440, { testSize: 0.2, randomState: 42 });
  const tested = new Set(test);
  const report = lintSplit(ravdess.map((row, i) => ({ ...row, split: tested.has(i) ? "test" : "train" })));
  assert.equal(report.leak, true);
  assert.deepEqual(report.findings.map((each) => each.check), [...LINT_CHECKS]);
  assert.equal(finding(report, "speakers").status, "leak");
  assert.equal(finding(report, "speakers").count, 24);
  assert.deepEqual(finding(report, "speakers").rows, { train: 1152, test: 288 });
  assert.equal(finding(report, "sentences").status, "warning");
  assert.equal(finding(report, "sentences").count, 2);
  assert.equal(finding(report, "recordings").status, "clean");
  assert.equal(finding(report, "identical-audio").status, "clean");
  // Counted by hand: pairs of takes of which exactly one is in the test.
  let pairs = 0;
  for (let i = 0; i < 1440; i += 2) if (tested.has(i) !== tested.has(i + 1)) pairs++;
  assert.equal(finding(report, "takes").count, pairs);
  assert.deepEqual(finding(report, "takes").rows, { train: pairs, test: pairs });
  assert.match(finding(report, "speakers").message, /^24 speakers are in more than one set, .*288 of 288 in test/);
  assert.equal(finding(report, "takes").examples.length, 5);
});

Deno.test("leave one actor out shares no speaker; its test of one actor is small and says so", () => {
  const [fold] = leaveOneGroupOut(ravdess.map((row) => row.speaker!));
  const tested = new Set(fold!.test);
  const report = lintSplit(ravdess.map((row, i) => ({ ...row, split: tested.has(i) ? "test" : "train" })));
  assert.equal(report.leak, false);
  assert.equal(finding(report, "speakers").status, "clean");
  assert.equal(finding(report, "takes").status, "clean");
  // Neutral has one intensity, so half as many recordings as every other emotion.
  assert.match(
    finding(report, "balance").message,
    /^1 class is rare beside \w+ \(neutral\), .* UAR belongs beside it\.$/,
  );
  assert.deepEqual(
    lintSplit(ravdess.map((row, i) => ({ ...row, split: tested.has(i) ? "test" : "train" })), {
      imbalanceTolerance: 2,
    }).findings.find(({ check }) => check === "balance")?.status,
    "clean",
  );
  assert.equal(finding(report, "test-size").status, "warning");
  assert.match(
    finding(report, "test-size").message,
    /60 recordings of 1 speaker: .* ± 12\.3 points .* under 6 speakers/,
  );
  assert.match(renderLint(report), /No leak found, but not everything could be checked: near-duplicates, scaler\.\n$/);
});

Deno.test("study 002's order is found: copies made before the split, by parent and by key alone", () => {
  const rows: LintRow[] = [];
  for (let i = 0; i < 100; i++) {
    for (let copy = 0; copy < 4; copy++) {
      rows.push({
        key: `clip${i}#${copy}`,
        parent: `clip${i}`,
        split: (i * 4 + copy) % 5 === 0 ? "test" : "train",
        label: "x",
      });
    }
  }
  const report = lintSplit(rows);
  const found = finding(report, "recordings");
  assert.equal(found.status, "leak");
  assert.equal(found.count, 80);
  assert.deepEqual(found.rows, { train: 240, test: 80 });
  // Without parents only equal keys can be found; what is left is not clean.
  const bare = rows.map(({ key, split, label }) => ({ key, split, label }));
  assert.equal(finding(lintSplit(bare), "recordings").status, "not checkable");
  const duplicated = [...bare, { key: "clip0#0", split: "train", label: "x" }, {
    key: "clip0#0",
    split: "test",
    label: "x",
  }];
  assert.equal(finding(lintSplit(duplicated), "recordings").status, "leak");
});

Deno.test("study 001's order is found: oversampled clips with a copy in the test", () => {
  const rows: LintRow[] = [
    { key: "n1", split: "train", label: "neutral", sha256: "AA" },
    { key: "n1-again", split: "test", label: "neutral", sha256: "aa" },
    { key: "n2", split: "train", label: "neutral", sha256: "bb" },
  ];
  const found = finding(lintSplit(rows), "identical-audio");
  assert.equal(found.status, "leak");
  assert.equal(found.count, 1);
  assert.match(found.examples[0]!, /train: n1 \| test: n1-again/);
});

Deno.test("identical samples under other headers are found by their content", () => {
  const rows: LintRow[] = [
    { key: "a", split: "train", label: "x", sha256: "1", contentHash: "c" },
    { key: "b", split: "test", label: "x", sha256: "2", contentHash: "c" },
  ];
  assert.equal(finding(lintSplit(rows), "identical-audio").status, "leak");
  assert.equal(finding(lintSplit(rows.map(({ contentHash: _, ...row }) => row)), "identical-audio").status, "clean");
});

Deno.test("one audio under two labels is a warning, found once", () => {
  const rows: LintRow[] = [
    { key: "1006_TIE_HAP", split: "train", label: "happy", sha256: "s" },
    { key: "1006_TIE_NEU", split: "train", label: "neutral", sha256: "s" },
    { key: "z", split: "test", label: "happy", sha256: "t" },
    { key: "y", split: "test", label: "neutral", sha256: "u" },
  ];
  const found = finding(lintSplit(rows), "labels");
  assert.equal(found.status, "warning");
  assert.equal(found.count, 1);
  assert.equal(found.examples[0], "1006_TIE_HAP = happy | 1006_TIE_NEU = neutral");
});

Deno.test("what rows do not say is not checkable, never clean, and one silent row is enough", () => {
  const base = [
    { key: "a", split: "train", label: "x" },
    { key: "b", split: "test", label: "x" },
  ];
  for (const field of ["speaker", "sentence", "take", "parent", "sha256"] as const) {
    const check: LintCheck = ({
      speaker: "speakers",
      sentence: "sentences",
      take: "takes",
      parent: "recordings",
      sha256: "identical-audio",
    } as const)[field];
    assert.equal(finding(lintSplit(base), check).status, "not checkable");
    const half = [{ ...base[0]!, [field]: "1" }, base[1]!];
    assert.equal(finding(lintSplit(half), check).status, "not checkable");
    const empty = [{ ...base[0]!, [field]: "1" }, { ...base[1]!, [field]: "" }];
    assert.equal(finding(lintSplit(empty), check).status, "not checkable");
  }
  assert.match(
    renderLint(lintSplit(base)),
    /not everything could be checked: recordings, identical-audio, near-duplicates, takes/,
  );
});

Deno.test("what is known is still found when other rows are silent", () => {
  const rows: LintRow[] = [
    { key: "a", split: "train", label: "x", speaker: "s" },
    { key: "b", split: "test", label: "x", speaker: "s" },
    { key: "c", split: "test", label: "x" },
  ];
  const found = finding(lintSplit(rows), "speakers");
  assert.equal(found.status, "leak");
  assert.match(found.message, /1 row of 3 names no speaker/);
});

Deno.test("sentences and speakers of different corpora are different ones, even under one name", () => {
  const rows: LintRow[] = [
    { key: "a", split: "train", label: "x", corpus: "tess", speaker: "1", sentence: "1" },
    { key: "b", split: "test", label: "x", corpus: "savee", speaker: "1", sentence: "1" },
  ];
  assert.equal(finding(lintSplit(rows), "speakers").status, "clean");
  assert.equal(finding(lintSplit(rows), "sentences").status, "clean");
});

Deno.test("a class without test rows is named, as study 000's missing neutral", () => {
  const rows: LintRow[] = Array.from({ length: 60 }, (_, i) => ({
    key: `${i}`,
    split: i < 40 ? "train" : "test",
    label: i < 10 ? "neutral" : i % 2 ? "happy" : "sad",
  }));
  const found = finding(lintSplit(rows), "balance");
  assert.equal(found.status, "warning");
  assert.equal(found.examples[0], "happy: 37.5 % of train, 50.0 % of test");
  assert.ok(found.examples.includes("neutral: no row in test"));
});

Deno.test("folds named by number are each compared with each other", () => {
  const rng = new RandomState(0);
  const rows: LintRow[] = Array.from({ length: 300 }, (_, i) => ({
    key: `${i}`,
    split: `fold-${i % 3}`,
    label: "x",
    speaker: `s${i % 3}-${rng.randint(0, 4)}`,
  }));
  assert.equal(finding(lintSplit(rows), "speakers").status, "clean");
  assert.match(finding(lintSplit(rows), "test-size").message, /300 recordings of 12 speakers/);
  rows.push({ key: "300", split: "fold-1", label: "x", speaker: "s0-0" });
  assert.equal(finding(lintSplit(rows), "speakers").count, 1);
});

Deno.test("the report is plain JSON, the same for the same rows", () => {
  const rows = ravdess.slice(0, 100).map((row, i) => ({ ...row, split: i % 2 ? "test" : "train" }));
  const report = lintSplit(rows);
  assert.deepEqual(JSON.parse(JSON.stringify(report)), report);
  assert.equal(renderLint(lintSplit(rows)), renderLint(report));
  assert.match(renderLint(report), /LEAK .*\n[\s\S]*This split leaks\.\n$/);
});

Deno.test("rows of one set only are no split", () => {
  assert.throws(() => lintSplit([]), /not none/);
  assert.throws(() => lintSplit([{ key: "a", split: "train", label: "x" }]), /not only train/);
});

/** A sweep of tones, by which recordings differ. */
function sound(step: number, gain = 0.5): { samples: Float32Array; sampleRateHz: number } {
  const samples = Float32Array.from(
    { length: 16000 },
    (_, i) => gain * Math.sin(step * i * (1 + i / 40000)) * (1 + Math.sin(i / 900)),
  );
  return { samples, sampleRateHz: 16000 };
}

Deno.test("the same sound in another file is found: softer, noisy, at another rate; other sounds are not", () => {
  const rng = new RandomState(1);
  const original = sound(0.2);
  const copies = {
    softer: sound(0.2, 0.05),
    noisy: { ...original, samples: original.samples.map((x) => x + 0.01 * rng.standardNormal()) },
    resampled: resample(original, 11025),
  };
  for (const [name, copy] of Object.entries(copies)) {
    const report = lintSplit([
      { key: "a", split: "train", label: "x", fingerprint: fingerprint(original) },
      { key: "b", split: "train", label: "x", fingerprint: fingerprint(sound(0.5)) },
      { key: name, split: "test", label: "x", fingerprint: fingerprint(copy) },
    ]);
    const found = finding(report, "near-duplicates");
    assert.deepEqual([found.status, found.count, found.rows], ["leak", 1, { train: 1, test: 1 }], name);
    assert.match(found.examples[0]!, new RegExp(`train: a.* \\| test: ${name}`));
  }
  const clean = [
    { key: "a", split: "train", label: "x", fingerprint: fingerprint(original) },
    { key: "b", split: "test", label: "x", fingerprint: fingerprint(sound(0.5)) },
    { key: "silent", split: "test", label: "x", fingerprint: null },
  ];
  assert.equal(finding(lintSplit(clean), "near-duplicates").status, "clean");
  const half = [clean[0]!, { key: "b", split: "test", label: "x" }];
  assert.equal(finding(lintSplit(half), "near-duplicates").status, "not checkable");
});

Deno.test("a scaler fitted on test rows is a leak; one fitted on training rows is clean; silence is not checkable", () => {
  const rows = (test: boolean | undefined) => [
    { key: "a", split: "train", label: "x", scaler: true },
    { key: "b", split: "test", label: "x", ...(test === undefined ? {} : { scaler: test }) },
  ];
  const all = finding(lintSplit(rows(true)), "scaler");
  assert.deepEqual([all.status, all.count, all.rows], ["leak", 1, { test: 1 }]);
  assert.equal(finding(lintSplit(rows(false)), "scaler").status, "clean");
  assert.equal(finding(lintSplit(rows(undefined)), "scaler").status, "not checkable");
});
