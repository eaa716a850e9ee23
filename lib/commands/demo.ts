/**
 * `demo`: sets itself up and goes the whole way on a synthetic corpus, from wav to prediction.
 *
 * @module
 */

import { join } from "node:path";
import { demo } from "../../experiments/demo.ts";
import { loadAudio } from "../audio/load.ts";
import { readBundle } from "../bundle_files.ts";
import { synthesize } from "../corpora/synthetic.ts";
import type { BackendName } from "../engine/tf.ts";
import { UsageError } from "../errors.ts";
import { ensureWritable } from "../io.ts";
import { predict } from "../predict.ts";
import { featuresOf, prepare, runStudy } from "../study/run.ts";
import { commandEngine, setUpEngine } from "./engine.ts";
import { progressBar } from "./progress.ts";
import { interruptSignal } from "./study.ts";

/** Options of the command. */
export interface DemoOptions {
  /** Folder for results and bundle. */
  readonly out: string;
  /** Seed of corpus and training. */
  readonly seed: number;
  /** The backend that must be used. */
  readonly backend?: BackendName;
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** Runs the demo; a second run uses what the first one left. */
export async function demoCommand({ out, seed, backend }: DemoOptions): Promise<void> {
  if (!Number.isInteger(seed) || seed < 0) {
    throw new UsageError(`--seed takes a whole number of 0 or more, not ${seed}.`);
  }
  ensureWritable(out);
  const setUp = backend === undefined || backend === "native";
  if (setUp) await setUpEngine(true);
  const engine = await commandEngine(backend, setUp);
  const signal = interruptSignal();
  const started = performance.now();
  const bar = progressBar("demo");
  console.log(`1. engine: ${engine.backend}, ${engine.version}`);

  const corpus = await synthesize({
    seed,
    sampleRateHz: 48000,
    onProgress: (done, total) => bar.update(done, total, "recordings spoken"),
  });
  bar.end();
  console.log(`2. corpus: ${corpus.files.length} synthetic recordings in ${corpus.dir} (${corpus.written} new)`);

  const prepared = await prepare(demo, { dir: corpus.dir });
  const { seconds: featureSeconds } = await featuresOf(prepared, {
    variant: "cnn",
    protocol: "clean",
    seed,
    onFeatures: (done, total) => bar.update(done, total, "features"),
  });
  bar.end();
  const speakers = new Set(prepared.rows.map((row) => row.speaker)).size;
  console.log(
    `3. features: 64×64 spectrograms of ${prepared.rows.length} recordings in ${featureSeconds.toFixed(1)} s`,
  );

  const bundleFolder = join(out, "bundles", "demo");
  const { record } = await runStudy(prepared, {
    variant: "cnn",
    protocol: "clean",
    seed,
    out,
    engine,
    signal,
    fresh: true,
    bundle: bundleFolder,
    onEpoch: (log, fold) => bar.update(fold.index, fold.count, `${fold.name} left out, epoch ${log.epoch}`),
  });
  bar.end();
  const { metrics, seconds } = record;
  console.log(
    `4. training: ${record.folds.length} folds of ${record.epochs} epochs in ${
      seconds.train.toFixed(1)
    } s; each fold is ` +
      `tested on two of the ${speakers} speakers, whom its model has never heard`,
  );
  const [low, high] = metrics.interval.accuracy;
  console.log(
    `5. result: accuracy ${percent(metrics.accuracy)} (95 % interval over speakers ${percent(low)} to ${
      percent(high)
    }), ` +
      `UAR ${percent(metrics.uar)}; guessing gives ${percent(1 / demo.labels.length)}`,
  );
  console.log(`6. bundle: ${bundleFolder}`);

  const bundle = await readBundle(bundleFolder);
  const testFile = prepared.rows.find((row) => row.key === firstTested(record.folds[0]!.name!, prepared.rows))!;
  const file = join(corpus.dir, testFile.path);
  const answer = await predict(bundle, await loadAudio(file, { sampleRateHz: null }));
  const best = answer.probabilities[answer.emotion]!;
  console.log(
    `7. prediction: ${file} is spoken ${testFile.emotion}; the bundle says ${answer.emotion} (${percent(best)})`,
  );
  console.log(`done in ${((performance.now() - started) / 1000).toFixed(0)} s; try it on a recording of your own:`);
  console.log(`  deno task predict ${bundleFolder} my-recording.wav`);
}

/** Key of the first recording of the speakers that a fold left out. */
function firstTested(fold: string, rows: readonly { readonly key: string; readonly speaker: string }[]): string {
  const tested = fold.split(" and ");
  return rows.find((row) => tested.includes(row.speaker))!.key;
}
