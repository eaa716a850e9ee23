import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { studies } from "../../experiments/mod.ts";
import { glorot, study001Vgg16 } from "../../lib/models/mod.ts";
import { recordPath, verifyRunRecord } from "../../lib/results/record.ts";
import { applies, type ProtocolName, type Study, type Variant } from "../../lib/study/declare.ts";
import { needsValidation, prepare, runStudy, tableOf } from "../../lib/study/run.ts";
import { engine } from "../engine/engine_for_tests.ts";
import { temporaryFolder, tinyCorpora } from "./small.ts";

/** What each study needs at least (hold-outs ask for numbers of speakers), and the share of it that is run. */
const data: Record<string, { readonly folder: () => string; readonly fraction: number }> = {
  "000": { folder: () => tinyCorpora({ ravdess: 4 }), fraction: 1 },
  "001": { folder: () => tinyCorpora({ ravdess: 6 }), fraction: 1 },
  "002": { folder: () => tinyCorpora({ ravdess: 8, cremaD: 26, others: true }), fraction: 0.5 },
  "003": { folder: () => tinyCorpora({ cremaD: 32 }), fraction: 0.4 },
  "004": { folder: () => tinyCorpora({ ravdess: 4 }), fraction: 1 },
};

/** A row of each of two classes: what a smoke run needs of a set. */
function few(rows: readonly number[], label: (row: number) => string): number[] {
  const seen = new Set<string>();
  return rows.filter((row) => seen.size < 2 && !seen.has(label(row)) && seen.add(label(row)));
}

/** A small network in the place of one that has a test of its own. */
function standIn({ classes, seed }: { readonly classes: number; readonly seed: number }): tf.LayersModel {
  const { conv1d, flatten, dense } = tf.layers;
  return tf.sequential({
    layers: [
      conv1d({ inputShape: [2376, 1], filters: 2, kernelSize: 9, strides: 9, kernelInitializer: glorot(seed, "c") }),
      flatten(),
      dense({ units: classes, activation: "softmax", kernelInitializer: glorot(seed, "d") }),
    ],
  });
}

/** The like for study 002's frames. */
function linear({ classes, seed }: { readonly classes: number; readonly seed: number }): tf.LayersModel {
  const { flatten, dense } = tf.layers;
  return tf.sequential({
    layers: [
      flatten({ inputShape: [108, 22] }),
      dense({ units: classes, activation: "softmax", kernelInitializer: glorot(seed, "d") }),
    ],
  });
}

/**
 * The study with little to compute: of every protocol one fold and few of its rows; of nine copies two; study 002's
 * network of 7.2 million parameters in one variant, as published and clean, small ones where the rows alone differ; VGG16 with a
 * thirty-second of its widths and without weights to start from (those have tests of their own).
 */
function quick(study: Study): Study {
  const protocols = Object.fromEntries(
    Object.entries(study.protocols).map(([name, protocol]) => [
      name,
      !applies(protocol) ? protocol : {
        ...protocol,
        folds: ((rows, context) => {
          const label = (row: number): string => rows[row]!.label;
          return protocol.folds(rows, context).slice(0, 1).map((fold) => ({
            ...fold,
            train: few(fold.train, label),
            validation: few(fold.validation, label),
            test: few(fold.test, label),
          }));
        }) satisfies typeof protocol.folds,
      },
    ]),
  );
  const variants = Object.fromEntries(
    Object.entries(study.variants).map(([name, { pretrained, copies, ...variant }]): [string, Variant] => [
      name,
      {
        ...variant,
        ...(copies ? { copies: { ...copies, of: study.id === "001" ? copies.of.slice(0, 2) : copies.of } } : {}),
        ...(pretrained ? { model: (options) => study001Vgg16({ ...options, widthDivisor: 32 }) } : {}),
        ...(variant.group === "augmentation" ? { model: standIn } : {}),
        // Its rows, folds and features are cnn-lstm's.
        ...(variant.group === "whole" ? { model: linear } : {}),
      },
    ]),
  );
  return { ...study, protocols, variants };
}

for (const study of studies) {
  Deno.test(`study ${study.id} runs: two epochs on synthetic audio, every variant and protocol`, async () => {
    const prepared = await prepare(quick(study), {
      dir: data[study.id]!.folder(),
      allowIncomplete: true,
      fraction: data[study.id]!.fraction,
    });
    const out = temporaryFolder();
    // Runs that share features follow one another.
    for (const [variant, declared] of Object.entries(study.variants)) {
      for (const [name, protocol] of Object.entries(study.protocols) as [ProtocolName, unknown][]) {
        if (!applies(protocol as never)) continue;
        // On the rungs, which differ in rows only, a small network stands in for the one of 7.2 million parameters.
        const isLight = variant === "conv1d" && study.id === "002" && name !== "as-published" && name !== "clean";
        const { variants } = prepared.study;
        const light = { ...variants, [variant]: { ...variants[variant]!, model: standIn } };
        const data = isLight ? { ...prepared, study: { ...prepared.study, variants: light } } : prepared;
        const { record } = await runStudy(data, { variant, protocol: name, seed: 0, out, engine, epochs: 2 });
        const again = verifyRunRecord(recordPath(out, record));
        assert.deepEqual(again.record, record);
        assert.equal(record.folds[0]!.history.length, 2);
        assert.ok(record.folds[0]!.history.every(({ loss }) => Number.isFinite(loss)));
        assert.equal(record.metrics.n, record.counts.test);
        assert.equal(record.counts.validation > 0 || !needsValidation(declared), true);
        assert.ok(record.config["protocol"] === study.protocols[name]!["describe" as never]);
      }
    }
    const checkpoints = join(out, ".checkpoints");
    assert.deepEqual(existsSync(checkpoints) ? readdirSync(checkpoints) : [], [], "no checkpoint is left");
  });

  Deno.test(`study ${study.id}: what its folds say holds: sets disjoint, speakers, sentences, copies, equal training`, async () => {
    const prepared = await prepare(study, { dir: data[study.id]!.folder(), allowIncomplete: true });
    for (const variant of Object.keys(study.variants)) {
      const perRung = new Map<string, string>();
      for (const [name, protocol] of Object.entries(study.protocols)) {
        if (!applies(protocol)) continue;
        const { examples, folds } = tableOf(prepared, { variant, protocol: name as ProtocolName, seed: 1 });
        const isRung = name !== "as-published" && name !== "clean";
        const tested = new Map<string, number>();
        for (const { train, validation, test } of folds) {
          const of = (rows: readonly number[], what: "speaker" | "key" | "sentence" | "corpus") =>
            new Set(
              rows.map((row) =>
                what === "sentence" ? `${examples[row]!.corpus} ${examples[row]!.sentence}` : examples[row]![what]
              ),
            );
          const heard = [...train, ...validation];
          const shares = (what: "speaker" | "key" | "sentence" | "corpus", a = heard) =>
            [...of(a, what)].some((value) => of(test, what).has(value));
          for (const row of test) {
            tested.set(examples[row]!.key, (tested.get(examples[row]!.key) ?? 0) + 1);
            if (name !== "as-published") assert.equal(examples[row]!.copy, 0, `${name}: a copy is tested`);
          }
          assert.equal(new Set([...validation, ...test]).size, validation.length + test.length);
          if (protocol.bySpeaker) assert.equal(shares("speaker"), false, `${name}: a test speaker was heard`);
          if (protocol.bySpeaker && validation.length > 0) {
            assert.equal([...of(validation, "speaker")].some((each) => of(train, "speaker").has(each)), false);
          }
          if (name === "speaker-sentence") assert.equal(shares("sentence"), false, "a test sentence was heard");
          if (name === "cross-corpus") assert.equal(shares("corpus"), false);
          if (isRung && name !== "random") assert.equal(shares("key"), false, `${name}: a sibling was heard`);
          if (isRung) {
            const counts = JSON.stringify(
              study.labels.map((label) => train.filter((row) => examples[row]!.label === label).length),
            );
            assert.equal(perRung.get(variant) ?? counts, counts, `${name}: other training numbers than other rungs`);
            perRung.set(variant, counts);
          }
        }
        if (isRung) {
          assert.equal(tested.size, prepared.rows.length, `${name}: not every recording is tested`);
          assert.ok([...tested.values()].every((times) => times === 1), `${name}: a recording is tested twice`);
        }
      }
    }
  });
}
