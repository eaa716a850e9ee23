/**
 * `study`: runs a study's variants under its protocols, seed after seed, and writes run records, bundles, the report.
 *
 * @module
 */

import { join } from "node:path";
import process from "node:process";
import { findStudy } from "../../experiments/mod.ts";
import type { BackendName } from "../engine/tf.ts";
import { UsageError } from "../errors.ts";
import { ensureWritable, writeFileAtomic } from "../io.ts";
import { type LoggedRun, openLoggers } from "../search/logging/mod.ts";
import { applies, type ProtocolName, RUNGS, type Study, type Variant } from "../study/declare.ts";
import { prepare, runFolds, type RunOptions, runStudy, splitCsv } from "../study/run.ts";
import { commandEngine } from "./engine.ts";
import { progressBar } from "./progress.ts";

/** Options of the command. */
export interface StudyOptions {
  /** A variant, a group of variants (`ablation`) or `all`; default the variants without a group. */
  readonly variant?: string;
  /** A protocol, `ladder` for all rungs, or `all`; default clean and as-published. */
  readonly protocol?: string;
  /** How many seeds, from 0; default the variant's or the study's. */
  readonly seeds?: number;
  /** One seed alone. */
  readonly seed?: number;
  /** One fold alone, from 0: its part of the run is kept until the others are there. */
  readonly fold?: number;
  /** Folder with the corpora. */
  readonly corpora: string;
  /** Other than the study's number of epochs. */
  readonly epochs?: number;
  /** Share of the recordings. */
  readonly fraction?: number;
  /** Folder of the results. */
  readonly out: string;
  /** Weight file for a variant that starts from one. */
  readonly weights?: string;
  /** Go on when recordings are missing. */
  readonly allowIncomplete?: boolean;
  /** Make runs again. */
  readonly fresh?: boolean;
  /** Write the split of the first run (of one fold) for `lint-split` and run nothing. */
  readonly writeSplit?: string;
  /** Keep no features on disk. */
  readonly cache?: boolean;
  /** The backend that must be used. */
  readonly backend?: BackendName;
  /** Address of an MLflow server that runs are logged to. */
  readonly mlflow?: string;
  /** Folder that runs are logged to as TensorBoard's event files. */
  readonly tensorboard?: string;
}

/** An abort signal that Ctrl-C sets; a second Ctrl-C ends the process at once. */
export function interruptSignal(): AbortSignal {
  const abort = new AbortController();
  const stop = (): void => {
    Deno.removeSignalListener("SIGINT", stop);
    abort.abort(new DOMException("interrupted", "AbortError"));
  };
  Deno.addSignalListener("SIGINT", stop);
  return abort.signal;
}

/** Protocols to run: clean before as-published, so that a bundle can say what unknown speakers may expect. */
function protocolsOf(study: Study, one: string | undefined): ProtocolName[] {
  const published = (["clean", "as-published"] as const).filter((name) => study.protocols[name]);
  const rungs = RUNGS.filter((name) => study.protocols[name]);
  if (one === undefined) return published;
  if (one === "all") return [...published, ...rungs];
  if (one === "ladder" && rungs.length > 0) return rungs;
  if (!(one in study.protocols)) {
    const names = [...Object.keys(study.protocols), ...(rungs.length > 0 ? ["ladder"] : []), "all"];
    throw new UsageError(`Study ${study.id} has no protocol ${one}; it has ${names.join(", ")}.`);
  }
  return [one as ProtocolName];
}

/** Variants to run, by a name, a group's name, `all`, or those that belong to no group. */
function variantsOf(study: Study, one: string | undefined): [string, Variant][] {
  const all = Object.entries(study.variants);
  if (one === undefined) return all.filter(([, { group }]) => group === undefined);
  if (one === "all") return all;
  const group = all.filter(([, variant]) => variant.group === one);
  if (group.length > 0) return group;
  const variant = study.variants[one];
  if (variant === undefined) {
    const groups = new Set(all.flatMap(([, { group }]) => group ?? []));
    const names = [...all.map(([name]) => name), ...groups, "all"];
    throw new UsageError(`Study ${study.id} has no variant ${one}; it has ${names.join(", ")}.`);
  }
  return [[one, variant]];
}

/** Runs what is not there yet; Ctrl-C keeps what is finished. */
export async function studyCommand(id: string, options: StudyOptions): Promise<void> {
  const study = findStudy(id);
  const protocols = protocolsOf(study, options.protocol);
  const variants = variantsOf(study, options.variant);
  if (options.seed !== undefined && !(Number.isInteger(options.seed) && options.seed >= 0)) {
    throw new UsageError(`--seed takes a whole number of 0 or more, not ${options.seed}.`);
  }
  if (options.fold !== undefined && !(Number.isInteger(options.fold) && options.fold >= 0)) {
    throw new UsageError(`--fold takes a whole number of 0 or more, not ${options.fold}.`);
  }
  const seedsOf = (variant: Variant): number[] =>
    options.seed !== undefined
      ? [options.seed]
      : Array.from({ length: options.seeds ?? variant.seeds ?? study.seeds }, (_, seed) => seed);
  const bar = progressBar(`study ${id}`);
  const running = protocols.filter((name) => {
    const protocol = study.protocols[name]!;
    if (!applies(protocol)) bar.line(`study ${id}, ${name}: does not apply, ${protocol.doesNotApply}`);
    return applies(protocol);
  });
  if (running.length === 0) return;
  if (options.writeSplit !== undefined) {
    const { fraction, allowIncomplete, writeSplit } = options;
    const prepared = await prepare(study, { dir: options.corpora, fraction, allowIncomplete });
    const [[name, variant]] = variants as [[string, Variant]];
    const run = { variant: name, protocol: running[0]!, seed: seedsOf(variant)[0]! };
    writeFileAtomic(writeSplit, splitCsv(prepared, run, options.fold ?? 0));
    bar.line(`study ${id}: the split of ${run.protocol}, ${name}, seed ${run.seed} stands in ${writeSplit}`);
    return;
  }
  ensureWritable(options.out);
  const { mlflow, tensorboard } = options;
  const logger = openLoggers({ mlflow, tensorboard, onNotice: (line) => bar.line(line) });
  const engine = await commandEngine(options.backend);
  const signal = interruptSignal();
  const { fraction, allowIncomplete, epochs, fresh, out, weights } = options;

  const prepared = await prepare(study, {
    dir: options.corpora,
    fraction,
    allowIncomplete,
    cache: options.cache ?? true,
    onProgress: (done, total) => bar.update(done, total, "files found and hashed"),
  });
  bar.line(
    `study ${id}: ${prepared.rows.length} recordings of ${prepared.speakers.length} speakers, backend ${engine.backend}`,
  );
  if (prepared.votes === null && study.corpora.includes("crema-d")) {
    bar.line(
      `study ${id}: no votes of listeners lie under ${options.corpora} (CREMA-D's processedResults/tabulatedVotes.csv), ` +
        "so the records do not say what people made of the clips; a later run adds it",
    );
  }
  const total = running.length * variants.reduce((sum, [, variant]) => sum + seedsOf(variant).length, 0);
  const notices = new Set<string>();
  let done = 0;
  try {
    for (const protocol of running) {
      for (const [name, variant] of variants) {
        for (const seed of seedsOf(variant)) {
          const what = `${protocol} ${name} seed ${seed}`;
          // The honest model is the one to predict with; `bundle` makes others.
          const bundled = study.protocols["clean"] ? "clean" : "as-published";
          const isBundled = seed === 0 && protocol === bundled && variant.group === undefined;
          let logged: LoggedRun | undefined;
          // A run that was there already is not logged again.
          const log = (): LoggedRun =>
            logged ??= logger.start({
              experiment: `${id}-${protocol}`,
              name: `${name}-s${seed}`,
              params: {
                variant: name,
                seed,
                optimizer: { ...variant.optimizer },
                ...variant.plan,
                epochs: epochs ?? variant.plan.epochs,
              },
              tags: { study: id, protocol, backend: engine.backend, engine: engine.version },
            });
          const run: RunOptions = {
            variant: name,
            protocol,
            seed,
            out,
            engine,
            epochs,
            fresh,
            weights,
            signal,
            bundle: isBundled ? join(out, "bundles", `${id}-${name}`) : undefined,
            onNotice: (line) => {
              if (!notices.has(line)) bar.line(line);
              notices.add(line);
            },
            onFeatures: (at, all) => bar.update(at, all, `${what}, features`),
            onEpoch: ({ epoch, ...values }, fold) => {
              bar.update(done, total, `${what}, ${fold.name} ${fold.index + 1}/${fold.count}, epoch ${epoch}`);
              const names = Object.entries(values).map(([metric, value]) => [`fold${fold.index}/${metric}`, value]);
              log().metrics(epoch, Object.fromEntries(names));
            },
          };
          try {
            if (options.fold !== undefined) {
              const parts = await runFolds(prepared, run, [options.fold]);
              bar.line(`${what}: ${parts.done} of ${parts.total} folds are finished`);
              if (parts.done < parts.total) {
                done++;
                continue;
              }
            }
            const { record, kept } = await runStudy(prepared, run);
            const { accuracy, uar, n } = record.metrics;
            if (!kept) {
              log().metrics(0, { accuracy, uar, n, trainSeconds: record.seconds.train });
              log().end("done");
            }
            bar.line(
              `${what}: accuracy ${(100 * accuracy).toFixed(2)} %, UAR ${(100 * uar).toFixed(2)} %, n ${n}${
                kept ? " (was there)" : `, ${record.seconds.train.toFixed(0)} s`
              }`,
            );
          } catch (error) {
            logged?.end("failed", signal.aborted ? "interrupted" : (error as Error).message);
            // Without weights the other variants can still be run.
            if (!(error instanceof UsageError) || !variant.pretrained || options.variant === name) throw error;
            bar.line(`${what}: not run. ${error.message}`);
          }
          done++;
        }
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
    bar.line(`interrupted; ${done} of ${total} runs are finished and kept, the same command goes on from here`);
    process.exitCode = 130;
    return;
  } finally {
    bar.end();
    await logger.close();
  }
  if (done === 0) throw new UsageError(`Study ${id} has nothing to run.`);
}
