/**
 * `bundle`: makes a study's bundle with all that it says of itself: calibration, thresholds, what faults cost, the card.
 *
 * @module
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findStudy } from "../../experiments/mod.ts";
import { loadAudioBytes } from "../audio/load.ts";
import { encodeWav } from "../audio/wav.ts";
import { writeBundleFiles } from "../bundle_files.ts";
import type { BackendName } from "../engine/tf.ts";
import { makeBundle } from "../study/bundle.ts";
import { findProtocol } from "../study/run.ts";
import { prepare } from "../study/run.ts";
import type { LossyCodec } from "../study/degrade.ts";
import type { ProtocolName } from "../study/declare.ts";
import { commandEngine } from "./engine.ts";
import { progressBar } from "./progress.ts";
import { interruptSignal } from "./study.ts";

/** Options of the command. */
export interface BundleCommandOptions {
  /** The variant. */
  readonly variant: string;
  /** The protocol of the training. */
  readonly protocol: string;
  /** The seed. */
  readonly seed: number;
  /** Folder with the corpora. */
  readonly corpora: string;
  /** Where the bundle goes: a folder, or a file that ends in `.serlab`; default `<results>/bundles/<name>`. */
  readonly to?: string;
  /** Folder of the run records, for what the clean protocol found. */
  readonly out: string;
  /** Corpora that the model is tried on without having heard them. */
  readonly elsewhere?: readonly string[];
  /** Accuracy wanted on the answers given. */
  readonly target?: number;
  /** Fewer epochs than the study's. */
  readonly epochs?: number;
  /** Go on when recordings are missing. */
  readonly allowIncomplete?: boolean;
  /** The backend that must be used. */
  readonly backend?: BackendName;
}

/** Programs that encode MP3, with their arguments from one file to another. */
const ENCODERS: readonly (readonly [string, (from: string, to: string) => string[]])[] = [
  ["lame", (from, to) => ["--quiet", "-b", "32", "--cbr", from, to]],
  ["ffmpeg", (from, to) => ["-v", "error", "-y", "-i", from, "-c:a", "libmp3lame", "-b:a", "32k", to]],
];

/** MP3 at 32 kbit/s by a program that is found on PATH, or null. */
export async function mp3Codec(): Promise<{ readonly program: string; readonly codec: LossyCodec } | null> {
  for (const [program, argumentsOf] of ENCODERS) {
    try {
      const { success } = await new Deno.Command(program, {
        args: [program === "lame" ? "--version" : "-version"],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).output();
      if (!success) continue;
    } catch {
      continue;
    }
    return {
      program,
      async codec(wave) {
        const folder = mkdtempSync(join(tmpdir(), "serlab-mp3-"));
        try {
          const from = join(folder, "in.wav"), to = join(folder, "out.mp3");
          writeFileSync(from, encodeWav(wave));
          const { success } = await new Deno.Command(program, {
            args: argumentsOf(from, to),
            stdin: "null",
            stdout: "null",
            stderr: "null",
          }).output();
          if (!success) throw new Error(`${program} could not encode a recording.`);
          return await loadAudioBytes(new Uint8Array(readFileSync(to)), to, { sampleRateHz: null });
        } finally {
          rmSync(folder, { recursive: true, force: true });
        }
      },
    };
  }
  return null;
}

/** Makes a bundle; takes minutes, because every fold is trained, calibrated and tried with every fault. */
export async function bundleCommand(id: string, options: BundleCommandOptions): Promise<void> {
  const study = findStudy(id);
  const { variant, protocol, seed, out, elsewhere = [], allowIncomplete } = options;
  findProtocol(study, protocol);
  const engine = await commandEngine(options.backend);
  const mp3 = await mp3Codec();
  const bar = progressBar(`bundle ${id}`);
  if (!mp3) bar.line("neither lame nor ffmpeg is here: what MP3 costs is not measured");
  try {
    const prepared = await prepare(study, {
      dir: options.corpora,
      allowIncomplete,
      cache: true,
      onProgress: (done, total) => bar.update(done, total, "files found and hashed"),
    });
    const { files, info } = await makeBundle(prepared, {
      variant,
      protocol: protocol as ProtocolName,
      seed,
      out,
      engine,
      epochs: options.epochs,
      target: options.target,
      elsewhere,
      mp3: mp3?.codec,
      signal: interruptSignal(),
      onProgress: (what, done, total) => bar.update(done, total, what),
    });
    const to = options.to ?? join(out, "bundles", info.name);
    writeBundleFiles(to, files);
    const [expected] = info.provenance.expected;
    const bytes = [...files.values()].reduce((sum, { length }) => sum + length, 0);
    bar.line(
      `${to}: ${(bytes / 1e6).toFixed(2)} MB, accuracy ${(100 * expected!.accuracy).toFixed(2)} % (${
        expected!.protocol
      }, n ${expected!.n})`,
    );
  } finally {
    bar.end();
  }
}
