import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FormatError, UsageError } from "../../lib/errors.ts";
import { float32Text, parseCsv } from "../../lib/results/csv.ts";
import {
  findRunRecords,
  hasRunRecord,
  mergeFolds,
  parsePredictions,
  predictionsCsv,
  readFolds,
  readPredictions,
  readRunRecord,
  recomputeMetrics,
  recordPath,
  verifyRunRecord,
  writeFold,
  writeRunRecord,
} from "../../lib/results/record.ts";
import { RandomState } from "../../lib/random.ts";
import { evaluatePredictions, type PredictionRow } from "../../lib/training/evaluate.ts";
import { pretend, pretendRun } from "./fixtures.ts";

function withFolder(body: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "serlab-record-"));
  try {
    body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

Deno.test("a record is written where the design says, with its fixed names, and reads back as it was", () => {
  withFolder((dir) => {
    const predictions = pretend(1);
    const written = writeRunRecord(dir, pretendRun({}, predictions), predictions);
    const path = join(dir, "000", "clean", "vanilla-s0.json");
    assert.equal(recordPath(dir, written), path);
    assert.deepEqual(readdirSync(join(dir, "000", "clean")), ["vanilla-s0.json", "vanilla-s0.predictions.csv"]);
    assert.deepEqual(readRunRecord(path), written);
    assert.ok(hasRunRecord(dir, written));
    const raw = JSON.parse(readFileSync(path, "utf8"));
    for (
      const name of (
        "format version study variant protocol seed claim commit lock manifest split environment config fraction " +
        "epochs counts folds metrics seconds peakMemoryMb predictions"
      ).split(" ")
    ) assert.ok(name in raw, name);
    assert.deepEqual(Object.keys(raw.metrics.confusion), ["labels", "matrix"]);
    assert.equal(raw.metrics.interval.accuracy.length, 2);
    assert.equal(raw.metrics.interval.uar.length, 2);
    assert.deepEqual(Object.keys(raw.counts), ["train", "validation", "test", "speakersTrain", "speakersTest"]);
    assert.equal(raw.folds.length, 4);
    assert.equal(raw.folds[0].history.length, 3);
    assert.equal(
      readFileSync(join(dir, "000", "clean", "vanilla-s0.predictions.csv"), "utf8").split("\n")[0],
      "key,parent,copy,speaker,fold,truth,prediction,p_neutral,p_happy,p_sad",
    );
  });
});

Deno.test("every metric follows from the predictions file, to the last digit, under both kinds of protocol", () => {
  withFolder((dir) => {
    for (let seed = 0; seed < 6; seed++) {
      const predictions = pretend(seed, { speakers: 2 + 2 * seed, clips: 9 + seed });
      const bySpeaker = seed % 2 === 0;
      const run = pretendRun({ seed, bySpeaker, protocol: bySpeaker ? "clean" : "as-published" }, predictions);
      const record = writeRunRecord(dir, run, predictions);
      const { predictions: read } = verifyRunRecord(recordPath(dir, run));
      assert.deepEqual(recomputeMetrics(read, record), record.metrics);
      assert.equal(JSON.stringify(recomputeMetrics(read, record)), JSON.stringify(record.metrics));
      // Pooled over all folds, not a mean of folds.
      const right = read.rows.filter((row) => row.truth === row.prediction).length;
      assert.equal(record.metrics.accuracy, right / read.rows.length);
      for (const fold of record.folds) {
        const own = read.rows.filter((row) => row.fold === fold.fold);
        assert.equal(fold.metrics.accuracy, own.filter((row) => row.truth === row.prediction).length / own.length);
      }
    }
  });
});

Deno.test("which interval belongs to which protocol: Wilson, by recording, t, bootstrap, range", () => {
  const kind = (speakers: number, bySpeaker: boolean) =>
    evaluatePredictions(pretend(0, { speakers }), { bySpeaker }).interval.kind;
  assert.equal(kind(4, false), "wilson");
  assert.equal(kind(2, true), "speaker-range");
  assert.equal(kind(4, true), "speaker-t");
  assert.equal(kind(12, true), "speaker-bootstrap");
  const { labels, rows } = pretend(0);
  const copied = rows.flatMap((row) => [row, { ...row, copy: 1 }]);
  const metrics = evaluatePredictions({ labels, rows: copied }, { bySpeaker: false });
  assert.equal(metrics.interval.kind, "wilson-by-recording");
  assert.equal(metrics.n, 96);
  assert.equal(metrics.recordings, 48);
  assert.deepEqual(
    metrics.interval.accuracy,
    evaluatePredictions({ labels, rows }, { bySpeaker: false }).interval.accuracy,
  );
});

Deno.test("probabilities read back to the same single-precision numbers, with at most nine digits", () => {
  const rng = new RandomState(0);
  const samples = [0, 1, 0.1, 1 / 3, 1e-7, 1.17549435e-38, 1e-45, 0.99999994];
  for (let i = 0; i < 20000; i++) samples.push(rng.randomSample() ** rng.randint(1, 40));
  for (const sample of samples) {
    const text = float32Text(sample);
    assert.equal(Math.fround(Number(text)), Math.fround(sample), text);
    assert.ok(text.replace(/e.*$|^0\.0*|\./g, "").length <= 9, text);
  }
  assert.equal(float32Text(Math.fround(0.1)), "0.1");
});

Deno.test("keys and labels with commas, quotes and line breaks survive the file (RFC 4180)", () => {
  const labels = ['glad, "very"', "so\nso", "plain"];
  const predictions = pretend(3, { labels });
  const odd = {
    labels,
    rows: predictions.rows.map((row, i) => ({ ...row, key: `${row.key},"${i}"\r\n`, parent: `"${i}` })),
  };
  const text = predictionsCsv(odd);
  const back = parsePredictions(text, "x.csv");
  assert.deepEqual(back.labels, labels);
  assert.deepEqual(
    back.rows.map((row) => ({ ...row, probabilities: [...row.probabilities as Float32Array] })),
    odd.rows.map((row) => ({ ...row, probabilities: [...row.probabilities as Float32Array] })),
  );
  // With the line ends of RFC 4180 and a byte order mark it is the same table.
  const quoted = pretend(3);
  const plain = predictionsCsv(quoted);
  assert.deepEqual(
    parsePredictions(`\ufeff${plain.replaceAll("\n", "\r\n")}`, "x.csv"),
    parsePredictions(plain, "x.csv"),
  );
});

Deno.test("CSV: empty fields, a last line without end, and broken quotes", () => {
  assert.deepEqual(parseCsv("a,,c\n,\n"), [["a", "", "c"], ["", ""]]);
  assert.deepEqual(parseCsv("a,b\nc,"), [["a", "b"], ["c", ""]]);
  assert.deepEqual(parseCsv('a,""'), [["a", ""]]);
  assert.deepEqual(parseCsv(""), []);
  assert.throws(() => parseCsv('x\n"a\nb'), /line 2: a quote is not closed/);
  assert.throws(() => parseCsv('"a"b'), /line 1: text after a quote/);
  assert.throws(() => parseCsv('a"b'), /line 1: a quote within/);
});

Deno.test("numbers that belong to another model or other rows cannot be written", () => {
  withFolder((dir) => {
    const predictions = pretend(1);
    const run = pretendRun({}, predictions);
    const change = (row: Partial<PredictionRow>) => ({
      labels: predictions.labels,
      rows: predictions.rows.map((each, i) => i === 5 ? { ...each, ...row } : each),
    });
    const other = predictions.labels.find((label) => label !== predictions.rows[5]!.prediction)!;
    const refused: [() => unknown, RegExp][] = [
      [() => writeRunRecord(dir, run, change({ prediction: other })), /clip-0-5: predicts .* is the most probable/],
      [() => writeRunRecord(dir, run, change({ truth: "bored" })), /label bored is not one of/],
      [() => writeRunRecord(dir, run, change({ key: predictions.rows[4]!.key })), /stands there twice/],
      [() => writeRunRecord(dir, run, change({ probabilities: [0.5, 0.6, 0.7] })), /add up to 1\.[78]/],
      [() => writeRunRecord(dir, run, change({ probabilities: [NaN, 0, 1] })), /NaN is not a probability/],
      [() => writeRunRecord(dir, run, change({ fold: 9 })), /fold 9, which the run lacks/],
      [() => writeRunRecord(dir, run, { ...predictions, rows: [] }), /there is no row/],
      [() => writeRunRecord(dir, run, { ...predictions, rows: predictions.rows.slice(1) }), /counts: say 48 test rows/],
      [() => writeRunRecord(dir, { ...run, study: "../x" }, predictions), /study \.\.\/x: must be/],
      [() => writeRunRecord(dir, { ...run, study: "sweeps" }, predictions), /folder of its own/],
      [() => writeRunRecord(dir, { ...run, seed: -1 }, predictions), /seed -1/],
    ];
    for (const [call, message] of refused) {
      assert.throws(
        call,
        (error: unknown) => error instanceof UsageError && message.test(error.message),
        String(message),
      );
    }
    assert.deepEqual(readdirSync(dir), []);
  });
});

Deno.test("a record that breaks a rule is refused with its file and the rule", () => {
  withFolder((dir) => {
    const predictions = pretend(1);
    writeRunRecord(dir, pretendRun({}, predictions), predictions);
    const path = join(dir, "000", "clean", "vanilla-s0.json");
    const good = JSON.parse(readFileSync(path, "utf8"));
    const broken: [(record: typeof good) => void, RegExp][] = [
      [(record) => record.format = "else", /format must be "serlab-run"/],
      [(record) => record.version = 2, /version must be 1/],
      [(record) => delete record.seed, /seed must be an integer/],
      [(record) => record.seed = 1, /predictions must be vanilla-s1|stands in/],
      [(record) => record.study = "001", /stands in 001\/clean\/vanilla-s0\.json/],
      [(record) => record.lock = "x", /lock must be a SHA-256 .* or null/],
      [(record) => record.metrics.accuracy = 1.5, /metrics\.accuracy must be a number from 0 to 1/],
      [(record) => record.metrics.interval.uar = [0.5, 0.4], /metrics\.interval\.uar must be two ascending/],
      [(record) => record.metrics.confusion.matrix[0][0]++, /must agree/],
      [(record) => record.metrics.confusion.matrix.pop(), /3 rows and columns/],
      [(record) => record.folds[1].metrics.n++, /must add up/],
      [(record) => record.folds[2].history[1] = {}, /folds entry 2 \.history entry 1 \.epoch must be/],
      [(record) => record.environment = null, /environment must be an object/],
      [(record) => record.predictions = "../../x.csv", /predictions must be vanilla-s0/],
    ];
    for (const [spoil, message] of broken) {
      const record = structuredClone(good);
      spoil(record);
      writeFileSync(path, JSON.stringify(record));
      assert.throws(() => readRunRecord(path), (error: unknown) => {
        assert.ok(error instanceof FormatError);
        assert.ok(error.message.startsWith(path), error.message);
        assert.match(error.message, message);
        return true;
      });
    }
    writeFileSync(path, JSON.stringify(good).slice(0, 300));
    assert.throws(() => readRunRecord(path), /is not JSON/);
    assert.throws(() => readRunRecord(join(dir, "none.json")), /cannot be read, no such file/);
  });
});

Deno.test("a typed number is found: metrics that the predictions do not give are refused", () => {
  withFolder((dir) => {
    const predictions = pretend(1);
    const run = pretendRun({}, predictions);
    writeRunRecord(dir, run, predictions);
    const path = recordPath(dir, run);
    writeFileSync(path, readFileSync(path, "utf8").replace(/"uar": 0\.\d+,/, '"uar": 0.99,'));
    assert.throws(() => verifyRunRecord(path), /metrics\.uar is 0\.99, but the predictions give/);
    const csv = path.replace(".json", ".predictions.csv");
    writeFileSync(csv, readFileSync(csv, "utf8").replace(",ravdess-01,", ",,"));
    assert.throws(() => verifyRunRecord(path), /predictions\.csv: row .* needs a key, a parent and a speaker/);
    writeFileSync(csv, "key,truth\n");
    assert.throws(() => readPredictions(path, readRunRecord(path)), /columns must begin with key,parent/);
  });
});

Deno.test("all records are found, sorted by seed as a number, and other folders of results are left alone", () => {
  withFolder((dir) => {
    assert.deepEqual(findRunRecords(join(dir, "none")), []);
    for (
      const [study, protocol, variant, seed] of [
        ["004", "clean", "plain", 0],
        ["000", "clean", "vanilla", 10],
        ["000", "clean", "vanilla", 2],
        ["000", "as-published", "optimised", 0],
      ] as const
    ) {
      const predictions = pretend(seed);
      writeRunRecord(dir, pretendRun({ study, protocol, variant, seed }, predictions), predictions);
    }
    mkdirSync(join(dir, "bundles", "x"), { recursive: true });
    writeFileSync(join(dir, "bundles", "x", "model-s1.json"), "{}");
    writeFileSync(join(dir, "README.md"), "");
    writeFileSync(join(dir, "000", "clean", "notes.json"), "{}");
    assert.deepEqual(findRunRecords(dir).map(({ path }) => path.slice(dir.length + 1)), [
      join("000", "as-published", "optimised-s0.json"),
      join("000", "clean", "vanilla-s2.json"),
      join("000", "clean", "vanilla-s10.json"),
      join("004", "clean", "plain-s0.json"),
    ]);
  });
});

Deno.test("a killed run keeps its finished folds; a damaged one, or one of another make, is made again", () => {
  withFolder((dir) => {
    const predictions = pretend(1);
    const run = pretendRun({}, predictions);
    const parts = run.folds.map((fold) => ({
      fold,
      predictions: { labels: predictions.labels, rows: predictions.rows.filter((row) => row.fold === fold.fold) },
      seconds: { features: 0, train: 2.5, evaluate: 0.25 },
    }));
    assert.deepEqual(readFolds(dir, run, "made of this"), []);
    for (const part of [parts[2]!, parts[0]!, parts[3]!]) writeFold(dir, run, "made of this", part);
    assert.ok(!hasRunRecord(dir, run));
    assert.deepEqual(findRunRecords(dir), []);
    assert.deepEqual(readFolds(dir, run, "made of this").map((part) => part.fold.fold), [0, 2, 3]);
    assert.deepEqual(readFolds(dir, run, "made of that"), []);
    assert.throws(() => writeFold(dir, run, "x", { ...parts[0]!, fold: run.folds[1]! }), /is of fold 0/);
    const folder = join(dir, "000", "clean", "vanilla-s0.partial");
    writeFileSync(join(folder, "fold-3.json"), readFileSync(join(folder, "fold-3.json"), "utf8").slice(0, 400));
    assert.deepEqual(readFolds(dir, run, "made of this").map((part) => part.fold.fold), [0, 2]);
    for (const part of [parts[1]!, parts[3]!]) writeFold(dir, run, "made of this", part);
    // Put together they give the record of the run that was not killed.
    const merged = mergeFolds(readFolds(dir, run, "made of this"));
    assert.deepEqual(merged.seconds, { features: 0, train: 10, evaluate: 1 });
    const resumed = writeRunRecord(dir, { ...run, folds: merged.folds }, merged.predictions);
    assert.ok(!existsSync(folder));
    const elsewhere = join(dir, "elsewhere");
    assert.deepEqual(resumed, writeRunRecord(elsewhere, run, predictions));
    for (const name of readdirSync(join(dir, "000", "clean"))) {
      assert.equal(
        readFileSync(join(dir, "000", "clean", name), "utf8"),
        readFileSync(join(elsewhere, "000", "clean", name), "utf8"),
      );
    }
  });
});

Deno.test("a loss that is not finite is kept as null", () => {
  withFolder((dir) => {
    const predictions = pretend(1, { folds: false });
    const run = pretendRun({ folds: [{ fold: 0, history: [{ epoch: 1, loss: NaN, accuracy: 0.5 }] }] }, predictions);
    const record = writeRunRecord(dir, run, predictions);
    assert.deepEqual(record.folds[0]!.history, [{ epoch: 1, loss: null, accuracy: 0.5 }]);
  });
});
