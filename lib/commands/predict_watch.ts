/**
 * `predict --watch`: what the microphone hears, window after window. A program that is on PATH records; serlab itself
 * opens no device.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Bundle } from "../bundle.ts";
import { UsageError } from "../errors.ts";
import { predict, windowSizes } from "../predict.ts";
import type { PredictCommandOptions, Printer } from "./predict.ts";

/** Rate that is recorded at, Hz: what microphones and the corpora have. */
const RATE_HZ = 48_000;

/** A program that records, and how it is told to write 16-bit mono samples to its standard output. */
export interface Recorder {
  /** Name on PATH. */
  readonly program: string;
  /** Its arguments; `device` is the microphone's name, where one was given. */
  arguments(device: string | undefined): string[];
}

const RAW = ["-ar", String(RATE_HZ), "-ac", "1", "-f", "s16le", "-"];

/**
 * Programs that record on a system, the surest first.
 *
 * @param os As `Deno.build.os` names it.
 */
export function recorders(os: string): Recorder[] {
  const ffmpeg = (...input: string[]): string[] => ["-hide_banner", "-loglevel", "error", "-nostdin", ...input, ...RAW];
  const sox: Recorder = {
    program: "sox",
    arguments: (device) => [
      ...["-q", ...(device === undefined ? ["-d"] : ["-t", os === "darwin" ? "coreaudio" : "alsa", device])],
      ...["-t", "raw", "-e", "signed-integer", "-b", "16", "-L", "-r", String(RATE_HZ), "-c", "1", "-"],
    ],
  };
  if (os === "darwin") {
    return [
      { program: "ffmpeg", arguments: (device = "default") => ffmpeg("-f", "avfoundation", "-i", `:${device}`) },
      sox,
    ];
  }
  if (os === "windows") {
    return [
      {
        program: "ffmpeg",
        arguments: (device = "default") => ffmpeg("-f", "dshow", "-i", `audio=${device}`),
      },
      sox,
    ];
  }
  return [
    {
      program: "arecord",
      arguments: (device) => [
        ...["-q", ...(device === undefined ? [] : ["-D", device])],
        ...["-t", "raw", "-f", "S16_LE", "-r", String(RATE_HZ), "-c", "1"],
      ],
    },
    { program: "ffmpeg", arguments: (device = "default") => ffmpeg("-f", "pulse", "-i", device) },
    { program: "ffmpeg", arguments: (device = "default") => ffmpeg("-f", "alsa", "-i", device) },
    sox,
  ];
}

/** Whether a program lies on PATH. */
function isOnPath(program: string): boolean {
  const endings = Deno.build.os === "windows" ? [".exe", ".cmd", ""] : [""];
  return (Deno.env.get("PATH") ?? "").split(delimiter).some((folder) =>
    folder !== "" && endings.some((ending) => existsSync(join(folder, program + ending)))
  );
}

/** The last line that a program wrote to its standard error, for a message; it may complain for days. */
async function lastLine(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  let end = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) end = (end + text).slice(-2000);
  return end.trim().split("\n").at(-1)!.trim().slice(0, 200);
}

/**
 * Listens until the microphone's program ends or Ctrl-C, and prints an answer a window.
 *
 * @throws {UsageError} when no program that records is on PATH, or none of them could open a microphone.
 */
export async function watchMicrophone(
  bundle: Bundle,
  printer: Printer,
  options: Pick<PredictCommandOptions, "windows" | "hop" | "device">,
): Promise<void> {
  const { windowSec, hopSec } = windowSizes(bundle.info, {
    ...(typeof options.windows === "number" ? { windowSec: options.windows } : {}),
    ...(options.hop === undefined ? {} : { hopSec: options.hop }),
  });
  const known = recorders(Deno.build.os);
  const there = known.filter(({ program }) => isOnPath(program));
  if (there.length === 0) {
    const names = [...new Set(known.map(({ program }) => program))].join(", ");
    throw new UsageError(`--watch needs a program that records: none of ${names} is on PATH.`);
  }
  const problems: string[] = [];
  for (const recorder of there) {
    const problem = await listen(recorder);
    if (problem === null) return;
    problems.push(`${recorder.program}: ${problem}`);
  }
  throw new UsageError(`No microphone could be opened (${[...new Set(problems)].join("; ")}).`);

  /** Listens with one program; null when it gave audio, otherwise why it did not. */
  async function listen({ program, arguments: argumentsFor }: Recorder): Promise<string | null> {
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command(program, {
        args: argumentsFor(options.device),
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) return "serlab was started without permission to run it";
      return "could not be started";
    }
    let interrupted = false;
    const stop = (): void => {
      interrupted = true;
      try {
        child.kill("SIGTERM");
      } catch { /* it has ended already */ }
    };
    Deno.addSignalListener("SIGINT", stop);
    const said = lastLine(child.stderr);
    try {
      const heard = await answerStream(child.stdout);
      const [{ success }, line] = [await child.status, await said];
      if (interrupted) return null;
      if (heard === 0) return line || (success ? "it recorded nothing" : "it failed");
      if (!success) console.error(`serlab: ${program} stopped${line ? `: ${line}` : ""}`);
      return null;
    } finally {
      Deno.removeSignalListener("SIGINT", stop);
    }
  }

  /** Answers window after window; returns the number of samples heard. */
  async function answerStream(stream: ReadableStream<Uint8Array>): Promise<number> {
    const length = Math.round(windowSec * RATE_HZ), hop = Math.max(1, Math.round(hopSec * RATE_HZ));
    let kept = new Float32Array(0), odd = new Uint8Array(0);
    let heard = 0, start = 0, skip = 0;
    for await (const part of stream) {
      const bytes = new Uint8Array(odd.length + part.length);
      bytes.set(odd);
      bytes.set(part, odd.length);
      const whole = bytes.length & ~1;
      odd = bytes.slice(whole);
      const samples = decodePcm(bytes.subarray(0, whole));
      if (samples.length === 0) continue;
      if (heard === 0) console.error(`Listening; ${windowSec} s at a time. Ctrl-C ends.`);
      heard += samples.length;
      const joined = new Float32Array(kept.length + samples.length);
      joined.set(kept);
      joined.set(samples, kept.length);
      kept = joined;
      while (kept.length >= skip + length) {
        kept = kept.slice(skip);
        start += skip;
        const startSec = start / RATE_HZ, wave = { samples: kept.slice(0, length), sampleRateHz: RATE_HZ };
        const answer = await predict(bundle, wave, { source: { isWindow: true } });
        printer.window("microphone", { startSec, endSec: startSec + length / RATE_HZ, ...answer });
        skip = hop;
      }
    }
    return heard;
  }
}

/** 16-bit little-endian samples as floats. */
function decodePcm(bytes: Uint8Array): Float32Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(2 * i, true) / 32768);
}
