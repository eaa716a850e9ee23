/**
 * `predict`: one line a file, or a window of a file, or of what a microphone hears.
 *
 * What a small model needs is loaded and nothing else: no tf.js, no addon. Larger models start the engine.
 *
 * @module
 */

import { availableParallelism } from "node:os";
import { basename } from "node:path";
import process from "node:process";
import { type Bundle, decodeBundle } from "../bundle.ts";
import { readBundleFiles } from "../bundle_files.ts";
import type { BackendName } from "../engine/tf.ts";
import { AudioError, SerlabError, UsageError } from "../errors.ts";
import { writeFileAtomic } from "../io.ts";
import { type Prediction, predictWindows, type WindowPrediction } from "../predict.ts";
import {
  answerFile,
  expandInputs,
  failure,
  type FileAnswer,
  namingFile,
  type Recorded,
  recordedFile,
  recordedFrom,
  STANDARD_INPUT,
} from "../predict_files.ts";
import { csvText } from "../results/csv.ts";
import { predict } from "../predict.ts";

/** Options of the command. */
export interface PredictCommandOptions {
  /** One JSON object a line. */
  readonly json?: boolean;
  /** Comma-separated values with a header. */
  readonly csv?: boolean;
  /** Window by window: `true` for the bundle's own length, or seconds. */
  readonly windows?: true | number;
  /** From one window to the next, s. */
  readonly hop?: number;
  /** Where a figure of the probabilities over time goes, `.svg` or `.html`. */
  readonly figure?: string;
  /** Listen to the microphone instead of files. */
  readonly watch?: boolean;
  /** Name of the microphone for the program that records. */
  readonly device?: string;
  /** Number of workers; default: one a core where there are enough files. */
  readonly workers?: number;
  /** The backend that must be used. */
  readonly backend?: BackendName;
}

/** Files below which starting workers costs more than they save. */
const FEW_FILES = 24;

/** Most bytes of standard input. */
const MOST_INPUT_BYTES = 2 ** 30;

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** `happy — happy 61.0 %, calm 20.1 %, …` */
function inWords({ emotion, abstained, probabilities }: Prediction): string {
  const shares = Object.entries(probabilities).sort(([, a], [, b]) => b - a)
    .map(([label, p]) => `${label} ${percent(p)}`);
  return `${emotion}${abstained ? " (cannot say)" : ""} — ${shares.join(", ")}`;
}

/** What `--json` prints of an answer: these names are read by programs. */
function asData({ emotion, abstained, probabilities, warnings }: Prediction): Record<string, unknown> {
  return { emotion, abstained, probabilities, warnings };
}

/** Prints answers as text, JSON lines or CSV, the moment they are there. */
export interface Printer {
  /** An answer for a whole file. */
  answer(file: string, answer: Prediction): void;
  /** An answer for a window. */
  window(file: string, window: WindowPrediction): void;
  /** A file without an answer. */
  failed(file: string, message: string): void;
}

/**
 * The printer for some options.
 *
 * @param labels The bundle's labels.
 */
export function printerFor(options: Pick<PredictCommandOptions, "json" | "csv">, labels: readonly string[]): Printer {
  if (options.json) {
    const line = (value: unknown): void => console.log(JSON.stringify(value));
    return {
      answer: (file, answer) => line({ file, ...asData(answer) }),
      window: (file, window) => line({ file, startSec: window.startSec, endSec: window.endSec, ...asData(window) }),
      failed: (file, error) => line({ file, error }),
    };
  }
  const complain = (_file: string, message: string): void => console.error(`serlab: ${message}`);
  if (options.csv) {
    let begun = false;
    const row = (cells: readonly string[], windowed: boolean): void => {
      const head = ["file", ...(windowed ? ["start_s", "end_s"] : []), "emotion", "abstained", "confidence"];
      if (!begun) write([[...head, ...labels.map((label) => `p_${label}`), "warnings"]]);
      begun = true;
      write([cells]);
    };
    const write = (rows: readonly (readonly string[])[]): void => console.log(csvText(rows).trimEnd());
    const cells = ({ emotion, abstained, confidence, probabilities, warnings }: Prediction): string[] => [
      emotion,
      String(abstained),
      String(confidence),
      ...labels.map((label) => String(probabilities[label])),
      warnings.join(" "),
    ];
    return {
      answer: (file, answer) => row([file, ...cells(answer)], false),
      window: (file, window) =>
        row([file, window.startSec.toFixed(3), window.endSec.toFixed(3), ...cells(window)], true),
      failed: complain,
    };
  }
  const warn = (file: string, warnings: readonly string[]): void => {
    for (const warning of warnings) console.error(`${file}: ${warning}`);
  };
  const told = new Set<string>();
  return {
    answer(file, answer) {
      console.log(`${file}: ${inWords(answer)}`);
      warn(file, answer.warnings);
    },
    window(file, window) {
      console.log(`${file}: ${window.startSec.toFixed(1)}–${window.endSec.toFixed(1)} s: ${inWords(window)}`);
      // A fault of the whole recording is told once, not at every window.
      warn(
        file,
        window.doubts.filter(({ id, abstains }) => {
          const key = `${file}\n${id}`;
          if (abstains || told.has(key)) return false;
          told.add(key);
          return true;
        }).map(({ text }) => text),
      );
    },
    failed: complain,
  };
}

/** Reads standard input to its end. */
async function readStandardInput(): Promise<Uint8Array> {
  if (Deno.stdin.isTerminal()) {
    throw new UsageError(
      "Standard input is a terminal; pipe a recording into it, such as: predict BUNDLE - < clip.wav",
    );
  }
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of Deno.stdin.readable) {
    size += part.length;
    if (size > MOST_INPUT_BYTES) throw new AudioError("standard input", `has more than ${MOST_INPUT_BYTES} bytes`);
    parts.push(part);
  }
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}

async function recorded(file: string): Promise<Recorded> {
  return file === STANDARD_INPUT
    ? await recordedFrom(await readStandardInput(), "standard input")
    : await recordedFile(file);
}

/** A page of its own with the figure in it: no script, nothing from elsewhere. */
function figurePage(svg: string, title: string): string {
  const safe = title.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n` +
    `<meta name="viewport" content="width=device-width">\n<title>${safe}</title>\n` +
    `<style>body { margin: 1rem; font-family: sans-serif } svg { max-width: 100%; height: auto }</style>\n` +
    `<h1>${safe}</h1>\n${svg}\n</html>\n`;
}

function checkOptions(files: readonly string[], options: PredictCommandOptions): void {
  const { json, csv, figure, watch, hop, windows } = options;
  if (json && csv) throw new UsageError("Either --json or --csv, not both.");
  if (hop !== undefined && windows === undefined && !watch && figure === undefined) {
    throw new UsageError("--hop is for --windows.");
  }
  if (figure !== undefined && !/\.(svg|html)$/.test(figure)) {
    throw new UsageError(`--figure ${figure}: a figure is written as .svg or .html.`);
  }
  if (watch) {
    if (files.length > 0) throw new UsageError("--watch listens to the microphone and takes no files.");
    if (figure !== undefined) throw new UsageError("--figure is for one recording, not for --watch.");
    return;
  }
  if (files.length === 0) throw new UsageError("Name audio files, folders, or - for standard input; or --watch.");
  if (files.filter((file) => file === STANDARD_INPUT).length > 1) {
    throw new UsageError("Standard input (-) can be named once.");
  }
}

/**
 * Predicts files, folders, standard input or the microphone. A file that cannot be read costs exit code 1 (2 when there
 * was no other), not the rest.
 *
 * @throws {FormatError} when the bundle cannot be read; {UsageError} for options that do not go together.
 */
export async function predictCommand(
  bundlePath: string,
  files: readonly string[],
  options: PredictCommandOptions,
): Promise<void> {
  checkOptions(files, options);
  const bundleFiles = readBundleFiles(bundlePath);
  const name = basename(bundlePath) || bundlePath;
  const bundle = await decodeBundle(bundleFiles, name, {
    engine: options.backend ? "tf" : "auto",
    // Only a model that needs tf.js pays for loading it.
    startTf: async () => (await import("./engine.ts")).commandEngine(options.backend),
  });
  const printer = printerFor(options, bundle.info.labels);
  if (options.watch) {
    const { watchMicrophone } = await import("./predict_watch.ts");
    await watchMicrophone(bundle, printer, options);
    return;
  }
  const { inputs, others } = expandInputs(files);
  if (options.figure !== undefined && inputs.length !== 1) {
    throw new UsageError(`--figure shows one recording, not ${inputs.length}.`);
  }
  const failures: number[] = [];
  const report = (result: FileAnswer): void => {
    if ("answer" in result) return printer.answer(result.file, result.answer);
    failures.push(result.exitCode);
    printer.failed(result.file, result.error);
  };
  if (options.windows !== undefined || options.figure !== undefined) {
    for (const input of inputs) {
      if (typeof input !== "string") report(input);
      else await answerWindows(bundle, input, printer, options, report);
    }
  } else {
    for await (const result of answers({ files: bundleFiles, name }, bundle, inputs, options)) report(result);
  }
  if (others > 0) {
    console.error(`serlab: ${others} other file${others === 1 ? "" : "s"} in folders left out, no audio.`);
  }
  if (failures.length > 0) process.exitCode = inputs.length === 1 ? failures[0]! : 1;
}

/** Answers in the order of the inputs, by workers where there are enough of them. */
async function* answers(
  files: { readonly files: ReadonlyMap<string, Uint8Array>; readonly name: string },
  bundle: Bundle,
  inputs: readonly (string | FileAnswer)[],
  options: PredictCommandOptions,
): AsyncGenerator<FileAnswer> {
  const paths = inputs.filter((input): input is string => typeof input === "string" && input !== STANDARD_INPUT);
  const cores = Math.min(availableParallelism(), 16);
  const workers = options.workers ?? (paths.length < FEW_FILES ? 1 : cores);
  const pooled = workers > 1 && bundle.model.backend === "plain"
    ? (await import("../predict_pool.ts")).answerFiles(files, paths, { workers })
    : null;
  try {
    for (const input of inputs) {
      if (typeof input !== "string") yield input;
      else if (input === STANDARD_INPUT) yield await answerStandardInput(bundle);
      else if (!pooled) yield await answerFile(bundle, input);
      else yield (await pooled.next()).value!;
    }
  } finally {
    await pooled?.return(undefined);
  }
}

async function answerStandardInput(bundle: Bundle): Promise<FileAnswer> {
  const file = STANDARD_INPUT;
  try {
    const { wave, source } = await recorded(file);
    return { file, answer: await namingFile("standard input", () => predict(bundle, wave, { source })) };
  } catch (error) {
    return failure(file, error);
  }
}

async function answerWindows(
  bundle: Bundle,
  file: string,
  printer: Printer,
  options: PredictCommandOptions,
  report: (result: FileAnswer) => void,
): Promise<void> {
  try {
    const { wave, source } = await recorded(file);
    const windows = await namingFile(file, () =>
      predictWindows(bundle, wave, {
        source,
        ...(typeof options.windows === "number" ? { windowSec: options.windows } : {}),
        ...(options.hop === undefined ? {} : { hopSec: options.hop }),
        onWindow: (window) => printer.window(file, window),
      }));
    if (options.figure === undefined) return;
    const [{ windowsFigure }, { renderSvg }] = await Promise.all([
      import("../predict_figure.ts"),
      import("../figures/mod.ts"),
    ]);
    const title = `${basename(file)}: probabilities over time (${bundle.info.name})`;
    const svg = renderSvg(windowsFigure(windows, { title }));
    writeFileAtomic(options.figure, options.figure.endsWith(".html") ? figurePage(svg, title) : svg);
  } catch (error) {
    // An option that is wrong is wrong for every file.
    if (!(error instanceof SerlabError) || error instanceof UsageError) throw error;
    report(failure(file, error));
  }
}
