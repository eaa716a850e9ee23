/**
 * Scores of a classifier, from truth and prediction alone, as scikit-learn computes them.
 *
 * Source: behaviour of sklearn.metrics 1.9.1 (`confusion_matrix`, `classification_report`, `balanced_accuracy_score`,
 * `log_loss`), zero_division 0.
 *
 * Browser-safe.
 *
 * @module
 */

/** Counts of rows by true label (first index) and predicted label (second index). */
export interface ConfusionMatrix {
  /** The labels of rows and columns. */
  readonly labels: readonly string[];
  /** `matrix[i][j]` rows of true label `labels[i]` were predicted as `labels[j]`. */
  readonly matrix: readonly (readonly number[])[];
}

/** Precision, recall and F1, each in [0, 1]. */
export interface PrecisionRecallF1 {
  /** Share of the rows predicted as the class that are of it; 0 where none was predicted. */
  readonly precision: number;
  /** Share of the class's rows that were predicted as it; 0 where it has none. */
  readonly recall: number;
  /** Harmonic mean of both; 0 where both are 0. */
  readonly f1: number;
}

/** Scores of one class. */
export interface ClassScores extends PrecisionRecallF1 {
  /** The class. */
  readonly label: string;
  /** Number of rows whose true label it is. */
  readonly support: number;
  /** Number of rows predicted as it. */
  readonly predicted: number;
}

/** All scores that follow from a confusion matrix. */
export interface Scores {
  /** Number of rows. */
  readonly n: number;
  /** Share of rows predicted rightly. */
  readonly accuracy: number;
  /** Recall averaged over the classes that have rows (scikit-learn's `balanced_accuracy_score`). */
  readonly uar: number;
  /** Averages over the union of the labels in truth and prediction, every class alike. */
  readonly macro: PrecisionRecallF1;
  /** Averages weighted by the classes' rows. */
  readonly weighted: PrecisionRecallF1;
  /** The classes that occur in truth or prediction, in the matrix's order. */
  readonly classes: readonly ClassScores[];
}

/** One kind of mistake. */
export interface ConfusedPair {
  /** The true label. */
  readonly truth: string;
  /** What was predicted instead. */
  readonly prediction: string;
  /** How often. */
  readonly count: number;
  /** Share of the true label's rows, in [0, 1]. */
  readonly share: number;
}

/**
 * Counts predictions by true and predicted label (scikit-learn's `confusion_matrix`).
 *
 * @param truth True label of every row.
 * @param prediction Predicted label of every row.
 * @param options.labels Order of the labels; default: the sorted union of both. It may name labels without rows.
 * @throws {RangeError} when the lengths differ or a label is not listed.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const { labels, matrix } = confusionMatrix(["sad", "sad", "happy"], ["sad", "happy", "happy"]);
 * assert.deepEqual(labels, ["happy", "sad"]);
 * assert.deepEqual(matrix, [[1, 0], [1, 1]]);
 * ```
 */
export function confusionMatrix(
  truth: readonly string[],
  prediction: readonly string[],
  options: { readonly labels?: readonly string[] } = {},
): ConfusionMatrix {
  if (truth.length !== prediction.length) {
    throw new RangeError(`${truth.length} true labels need as many predictions, not ${prediction.length}.`);
  }
  const labels = options.labels ?? [...new Set([...truth, ...prediction])].sort();
  const index = new Map(labels.map((label, i) => [label, i]));
  if (index.size !== labels.length) throw new RangeError(`labels must differ: ${labels.join(", ")}.`);
  const matrix = labels.map(() => labels.map(() => 0));
  truth.forEach((label, row) => {
    const i = index.get(label);
    const j = index.get(prediction[row]!);
    if (i === undefined || j === undefined) {
      throw new RangeError(`label ${i === undefined ? label : prediction[row]} is not one of ${labels.join(", ")}.`);
    }
    matrix[i]![j]!++;
  });
  return { labels, matrix };
}

/** Adds confusion matrices of the same labels, e.g. of folds. */
export function addConfusion(parts: readonly ConfusionMatrix[]): ConfusionMatrix {
  const [first] = parts;
  if (first === undefined) throw new RangeError("there is no matrix to add.");
  for (const { labels } of parts) {
    if (labels.join("\n") !== first.labels.join("\n")) throw new RangeError("matrices of different labels do not add.");
  }
  return {
    labels: first.labels,
    matrix: first.matrix.map((row, i) => row.map((_, j) => parts.reduce((sum, { matrix }) => sum + matrix[i]![j]!, 0))),
  };
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

/**
 * Sum in NumPy's order (up to 128 values): eight running sums, then added in pairs, so that averages equal
 * scikit-learn's to the last bit and round to the same decimals.
 */
function sumOf(values: readonly number[]): number {
  const whole = values.length < 8 ? 0 : values.length - values.length % 8;
  let sum = 0;
  if (whole > 0) {
    const [a, b, c, d, e, f, g, h] = Array.from({ length: 8 }, (_, lane) => {
      let lanes = values[lane]!;
      for (let i = lane + 8; i < whole; i += 8) lanes += values[i]!;
      return lanes;
    }) as [number, number, number, number, number, number, number, number];
    sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
  }
  for (let i = whole; i < values.length; i++) sum += values[i]!;
  return sum;
}

/**
 * All scores of a confusion matrix: accuracy, UAR, macro and weighted averages, and every class.
 *
 * @throws {RangeError} when it has no rows.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const { accuracy, uar, macro } = scores({ labels: ["a", "b", "c"], matrix: [[3, 1, 0], [0, 2, 0], [0, 0, 0]] });
 * assert.equal(accuracy, 5 / 6);
 * assert.equal(uar, (3 / 4 + 1) / 2);
 * assert.equal(macro.recall, uar); // c occurs neither in truth nor in prediction
 * ```
 */
export function scores(confusion: ConfusionMatrix): Scores {
  const { labels, matrix } = confusion;
  const support = matrix.map((row) => row.reduce((sum, count) => sum + count, 0));
  const predicted = labels.map((_, j) => matrix.reduce((sum, row) => sum + row[j]!, 0));
  const n = support.reduce((sum, count) => sum + count, 0);
  if (n === 0) throw new RangeError("there are no rows to score.");
  const all = labels.map((label, i): ClassScores => {
    const right = matrix[i]![i]!;
    return {
      label,
      precision: ratio(right, predicted[i]!),
      recall: ratio(right, support[i]!),
      // 2 right / (support + predicted): the same as the harmonic mean, and 0 where nothing is right.
      f1: ratio(2 * right, support[i]! + predicted[i]!),
      support: support[i]!,
      predicted: predicted[i]!,
    };
  });
  const classes = all.filter((each) => each.support + each.predicted > 0);
  const average = (weight: (each: ClassScores) => number): PrecisionRecallF1 => {
    const total = sumOf(classes.map(weight));
    const mean = (of: keyof PrecisionRecallF1): number => sumOf(classes.map((each) => weight(each) * each[of])) / total;
    return { precision: mean("precision"), recall: mean("recall"), f1: mean("f1") };
  };
  const present = classes.filter((each) => each.support > 0);
  return {
    n,
    accuracy: matrix.reduce((sum, row, i) => sum + row[i]!, 0) / n,
    uar: sumOf(present.map((each) => each.recall)) / present.length,
    macro: average(() => 1),
    weighted: average((each) => each.support),
    classes,
  };
}

/**
 * The most frequent mistakes, most first; among equally frequent ones the larger share, then the matrix's order.
 *
 * @param options.top How many at most. Default 5.
 */
export function mostConfused(confusion: ConfusionMatrix, options: { readonly top?: number } = {}): ConfusedPair[] {
  const { top = 5 } = options;
  const { labels, matrix } = confusion;
  return matrix
    .flatMap((row, i) => {
      const support = row.reduce((sum, count) => sum + count, 0);
      return row.flatMap((count, j) =>
        i === j || count === 0 ? [] : [{ truth: labels[i]!, prediction: labels[j]!, count, share: count / support }]
      );
    })
    .sort((a, b) => b.count - a.count || b.share - a.share)
    .slice(0, top);
}

/**
 * A number with fixed decimals, ties to even as Python and C round them (`toFixed` rounds ties away).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(formatFixed(0.125, 2), "0.12");
 * assert.equal(formatFixed(0.375, 2), "0.38");
 * ```
 */
export function formatFixed(value: number, decimals: number): string {
  const text = value.toFixed(decimals);
  // A double lies halfway between two decimals of this length only if it is an odd multiple of 2^-(decimals + 1).
  const halves = Math.abs(value) * 2 ** (decimals + 1);
  if (!Number.isSafeInteger(halves) || halves % 2 === 0) return text;
  const last = text.charCodeAt(text.length - 1) - 48;
  // toFixed went away from zero; where that made the last digit odd, the even neighbour is one less.
  return last % 2 === 0 ? text : `${text.slice(0, -1)}${last - 1}`;
}

/**
 * The scores as text, character for character scikit-learn's `classification_report`.
 *
 * @param options.digits Decimals. Default 2.
 */
export function classificationReport(confusion: ConfusionMatrix, options: { readonly digits?: number } = {}): string {
  const { digits = 2 } = options;
  const { n, accuracy, macro, weighted, classes } = scores(confusion);
  const width = Math.max(...classes.map((each) => each.label.length), "weighted avg".length, digits);
  const line = (name: string, cells: readonly string[], support: number): string =>
    `${name.padStart(width)} ${cells.map((cell) => ` ${cell.padStart(9)}`).join("")} ${String(support).padStart(9)}`;
  const three = (each: PrecisionRecallF1): string[] =>
    [each.precision, each.recall, each.f1].map((value) => formatFixed(value, digits));
  const head = ["precision", "recall", "f1-score", "support"];
  return [
    `${" ".repeat(width)} ${head.map((name) => ` ${name.padStart(9)}`).join("")}`,
    "",
    ...classes.map((each) => line(each.label, three(each), each.support)),
    "",
    line("accuracy", ["", "", formatFixed(accuracy, digits)], n),
    line("macro avg", three(macro), n),
    line("weighted avg", three(weighted), n),
    "",
  ].join("\n");
}

/**
 * Mean negative logarithm of the probability given to the true label (scikit-learn's `log_loss` of probabilities that
 * add up to 1); probabilities are clipped to [2⁻⁵², 1 − 2⁻⁵²].
 *
 * @param truth True label of every row.
 * @param probabilities `[rows][labels]`, each row adding up to 1 but for single-precision rounding.
 * @param labels The label of every column.
 * @throws {RangeError} when lengths differ, a label is unknown or a row does not add up to 1 within 1e-3.
 */
export function logLoss(
  truth: readonly string[],
  probabilities: readonly ArrayLike<number>[],
  labels: readonly string[],
): number {
  if (truth.length === 0 || truth.length !== probabilities.length) {
    throw new RangeError(
      `${truth.length} true labels need as many rows of probabilities (and at least one), ` +
        `not ${probabilities.length}.`,
    );
  }
  const epsilon = Number.EPSILON;
  const index = new Map(labels.map((label, i) => [label, i]));
  let sum = 0;
  truth.forEach((label, row) => {
    const p = probabilities[row]!;
    const column = index.get(label);
    if (column === undefined) throw new RangeError(`label ${label} is not one of ${labels.join(", ")}.`);
    if (p.length !== labels.length) {
      throw new RangeError(`row ${row}: ${labels.length} probabilities, not ${p.length}.`);
    }
    let total = 0;
    for (let i = 0; i < p.length; i++) total += p[i]!;
    if (!(Math.abs(total - 1) <= 1e-3)) throw new RangeError(`row ${row}: probabilities add up to ${total}, not 1.`);
    sum -= Math.log(Math.min(1 - epsilon, Math.max(epsilon, p[column]!)));
  });
  return sum / truth.length;
}
