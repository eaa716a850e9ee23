/**
 * The model card: what a bundle can and cannot do, for people. Every number in it stands in `bundle.json`, where
 * measurements put it; none is typed. Browser-safe.
 *
 * @module
 */

import type { BundleInfo, ExpectedAccuracy, PartScore } from "./bundle.ts";
import { recipe } from "./features/recipes.ts";

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const range = (ends: readonly [number, number] | null): string =>
  ends ? `${percent(ends[0])} to ${percent(ends[1])}` : "none";
const listed = (words: readonly string[]): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;

/** Markdown table. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** The rate that audio is brought to. */
function audioRate({ features, sampleRateHz }: BundleInfo): string {
  const own = recipe(features.recipe).sampleRateHz;
  if (own !== null && own !== sampleRateHz) return `brought to ${own} Hz`;
  return sampleRateHz === null ? "at the file's own rate" : `at ${sampleRateHz} Hz`;
}

function partTable(name: string, parts: readonly PartScore[]): string {
  return table(
    [name, "clips", "speakers", "accuracy", "95 % interval", "'cannot say'"],
    parts.map((each) => [
      each.name,
      String(each.n),
      String(each.speakers),
      percent(each.accuracy),
      range(each.interval),
      percent(each.abstained),
    ]),
  );
}

function expectation({ protocol, accuracy, interval, n, speakers }: ExpectedAccuracy): string {
  const whom = protocol === "clean"
    ? "speakers it has never heard"
    : "clips drawn at random, of speakers it may have heard";
  const of = speakers === undefined ? `${n} clips` : `${n} clips of ${speakers} speakers`;
  return `**${percent(accuracy)}** of ${of} (95 % interval ${range(interval)}): ${whom} (protocol \`${protocol}\`)`;
}

/**
 * The model card of a bundle (Markdown).
 *
 * @param info What `bundle.json` says.
 */
export function modelCard(info: BundleInfo): string {
  const { name, labels, provenance, calibration, abstention, trained, consequences, measured } = info;
  const { study, variant, protocol, seed, expected, heldOut = [] } = provenance;
  const chance = 1 / labels.length;
  const out: string[] = [`# ${name}`, ""];
  const say = (...lines: readonly string[]): void => void out.push(...lines, "");
  say(
    `Tells ${
      listed(labels)
    } from the sound of a voice. Study ${study}, variant \`${variant}\`, protocol \`${protocol}\`, ` +
      `seed ${seed}. Guessing is right in ${percent(chance)} of the cases.`,
  );
  say("## How often it is right", "", ...expected.map((each) => `- ${expectation(each)}`));
  if (protocol !== "clean") {
    const clean = expected.find((each) => each.protocol === "clean");
    say(
      "This model was trained and tested as it was published: test clips are of speakers, and often of sentences, that " +
        "training had heard. Everything below was measured on such clips." +
        (clean ? ` For a new voice expect ${percent(clean.accuracy)}, not ${percent(expected[0]!.accuracy)}.` : ""),
    );
  } else if (heldOut.length > 0) {
    say(
      `The model of this bundle has never heard ${
        listed(heldOut)
      }. The numbers are over all folds: every speaker was ` +
        "tested by a model trained, calibrated and held back in the same way without that speaker.",
    );
  }
  say(
    "## What it is for",
    "",
    "Learning, teaching and comparing: what a small model hears in acted speech. It is **not** for judging people. The " +
      "emotions are played by actors and named by the corpus, not felt; what somebody feels cannot be told from a voice.",
  );
  if (trained) {
    say(
      "## What it was trained on",
      "",
      `${trained.recordings} recordings of ${
        listed(provenance.corpora.map(({ id, licence }) => `${id} (${licence})`))
      }, ` +
        `98 % of them from ${trained.durationSec[0].toFixed(2)} to ${trained.durationSec[1].toFixed(2)} s long ` +
        `(median ${trained.medianSec.toFixed(2)} s), at ${trained.rmsDbfs[0].toFixed(0)} to ` +
        `${trained.rmsDbfs[1].toFixed(0)} dB of full scale, reaching ${
          (trained.bandwidthHz[0] / 1000).toFixed(1)
        } to ` +
        `${(trained.bandwidthHz[1] / 1000).toFixed(1)} kHz. The corpus's licence holds for the use of the weights too.`,
    );
  }
  if (measured) {
    say("## Where it does better and worse");
    say(partTable("label", measured.label));
    say(partTable("sex (as the corpus states it)", measured.sex));
    say(partTable("duration", measured.duration));
    if (measured.corpus.length > 1) say(partTable("corpus", measured.corpus));
    if (measured.elsewhere.length > 0) {
      say(
        "Recordings of other corpora, which it never saw, on the labels that they share:",
        "",
        table(
          ["corpus", "labels", "clips", "speakers", "accuracy", "95 % interval", "'cannot say'"],
          measured.elsewhere.map((each) => [
            each.name,
            each.labels.join(", "),
            String(each.n),
            String(each.speakers),
            percent(each.accuracy),
            range(each.interval),
            percent(each.abstained),
          ]),
        ),
      );
    }
  }
  if (consequences.length > 0) {
    const { before, n } = consequences[0]!;
    say(
      "## What a fault of the recording costs",
      "",
      `The same ${n} test clips (${
        percent(before)
      } right as they are), each with one fault put on it. Where such a fault ` +
        "is recognised and left less than half of what the model knows beyond guessing, it says 'cannot say':",
      "",
      table(
        ["with", "accuracy", "95 % interval", "'cannot say'"],
        consequences.map((each) => [each.describe, percent(each.after), range(each.interval), percent(each.abstained)]),
      ),
    );
  }
  if (calibration) {
    const { temperature, fittedOn, nll, ece, measuredOn } = calibration;
    say(
      "## What its probabilities are worth",
      "",
      `They are scaled by a temperature of ${
        temperature.toFixed(3)
      }, fitted on ${fittedOn}. On ${measuredOn} test clips ` +
        "that had no part in it:",
      "",
      table(["", "as the model gives them", "calibrated"], [
        ["negative log-likelihood", nll.before.toFixed(3), nll.after.toFixed(3)],
        ["expected calibration error", percent(ece.before), percent(ece.after)],
      ]),
    );
  }
  if (abstention) {
    const { leastConfidence, mostOutlying, targetAccuracy, reached, insideShare, chosenOn, test, curve } = abstention;
    say(
      "## When it says 'cannot say'",
      "",
      (leastConfidence === 0
        ? `Not for a low probability: ${percent(targetAccuracy)} of validation's answers are right when all are given`
        : `Below a probability of ${percent(leastConfidence)}, chosen so that ${
          percent(targetAccuracy)
        } of the answers ` +
          `given are right${
            reached ? "" : " (not reached: the best point that answers a fifth of the clips was taken)"
          }`) +
        (mostOutlying === null
          ? ""
          : `; and where the recording is farther from the training recordings than ${percent(insideShare)} of ` +
            "validation's") +
        `. Chosen on ${chosenOn}. On ${test.n} test clips it answers ${percent(test.coverage)}` +
        (test.accuracy === null ? "." : `, and ${percent(test.accuracy)} of those answers are right.`),
    );
    if (abstention.notSpeech.length > 0) {
      say(
        table(
          ["no speech at all (generated)", "'cannot say'"],
          abstention.notSpeech.map(({ describe, n, abstained }) => [describe, `${abstained} of ${n}`]),
        ),
      );
    }
    say(
      "Accuracy on the clips it is most certain of, by the share of test clips answered:",
      "",
      table(
        ["answered", "least probability", "right"],
        curve.filter((_, i) => curve.length <= 10 || i % 2 === 1).map((point) => [
          percent(point.coverage),
          percent(point.threshold),
          percent(point.accuracy),
        ]),
      ),
    );
  }
  say(
    "## Where it comes from",
    "",
    ...[
      `serlab ${provenance.lab ?? "(version not written)"}, commit ${provenance.commit ?? "unknown"}`,
      `features \`${info.features.recipe}\` (${info.features.hash}), audio ${audioRate(info)}`,
      `manifest ${provenance.manifest}`,
      `split ${provenance.split}, fold ${(provenance.fold ?? 0) + 1}`,
    ].map((line) => `- ${line}`),
  );
  return `${out.join("\n").trimEnd()}\n`;
}
