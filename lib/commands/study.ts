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
import { ensureWritable } from "../io.ts";
import type { ProtocolName, Study } from "../study/declare.ts";
import { findProtocol, findVariant, prepare, runStudy } from "../study/run.ts";
import { commandEngine } from "./engine.ts";
import { progressBar } from "./progress.ts";

/** Options of the command. */
export interface StudyOptions {
  /** One variant; default all. */
  readonly variant?: string;
  /** One protocol; default clean and as-published. */
  readonly protocol?: string;
  /** How many seeds; default the study's. */
  readonly seeds?: number;
  /** Folder with the corpora. */
  readonly corpora: string;
  /** Other than the study's number of epochs. */
  readonly epochs?: number;
  /** Share of the recordings. */
  readonly fraction?: number;
  /** Folder of the results. */
  readonly out: string;
  /** Go on when recordings are missing. */
  readonly allowIncomplete?: boolean;
  /** Make runs again. */
  readonly fresh?: boolean;
  /** The backend that must be used. */
  readonly backend?: BackendName;
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
  if (one !== undefined) {
    findProtocol(study, one);
    return [one as ProtocolName];
  }
  return (["clean", "as-published"] as const).filter((name) => study.protocols[name]);
}

/** Runs what is not there yet; Ctrl-C keeps what is finished. */
export async function studyCommand(id: string, options: StudyOptions): Promise<void> {
  const study = findStudy(id);
  const protocols = protocolsOf(study, options.protocol);
  if (options.variant !== undefined) findVariant(study, options.variant);
  const variants = options.variant !== undefined ? [options.variant] : Object.keys(study.variants);
  const seeds = options.seeds ?? study.seeds;
  ensureWritable(options.out);
  const engine = await commandEngine(options.backend);
  const signal = interruptSignal();
  const { fraction, allowIncomplete, epochs, fresh, out } = options;

  const bar = progressBar(`study ${id}`);
  const prepared = await prepare(study, {
    dir: options.corpora,
    fraction,
    allowIncomplete,
    onProgress: (done, total) => bar.update(done, total, "recordings"),
  });
  bar.line(
    `study ${id}: ${prepared.rows.length} recordings, features ${
      prepared.seconds.toFixed(1)
    } s, backend ${engine.backend}`,
  );
  const total = protocols.length * variants.length * seeds;
  let done = 0;
  try {
    for (const protocol of protocols) {
      for (const variant of variants) {
        for (let seed = 0; seed < seeds; seed++) {
          const isBundled = seed === 0 && protocol === "as-published";
          const { record, kept } = await runStudy(prepared, {
            variant,
            protocol,
            seed,
            out,
            engine,
            epochs,
            fresh,
            signal,
            bundle: isBundled ? join(out, "bundles", `${id}-${variant}`) : undefined,
            onEpoch: (log, fold) =>
              bar.update(
                done,
                total,
                `${protocol} ${variant} seed ${seed}, ${fold.name} ${fold.index + 1}/${fold.count}, epoch ${log.epoch}`,
              ),
          });
          done++;
          const { accuracy, uar, n } = record.metrics;
          bar.line(
            `${protocol} ${variant} seed ${seed}: accuracy ${(100 * accuracy).toFixed(2)} %, UAR ${
              (100 * uar).toFixed(2)
            } %, n ${n}${kept ? " (was there)" : `, ${record.seconds.train.toFixed(0)} s`}`,
          );
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
  }
  if (done === 0) throw new UsageError(`Study ${id} has nothing to run.`);
}
