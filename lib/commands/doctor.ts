/**
 * `doctor`: what is here, how fast it is, what is missing and how to get it.
 *
 * @module
 */

import { availableParallelism, cpus, totalmem } from "node:os";
import { dataList } from "../corpora/data.ts";
import { nativeStatus, TENSORFLOW_VERSION } from "../engine/native.ts";
import { BACKENDS, HOW_TO_GET_NATIVE } from "../engine/tf.ts";
import { fileURLToPath } from "node:url";

/** Speed of one backend, measured in a process of its own because a process runs one. */
interface BackendReport {
  readonly backend: string;
  readonly available: boolean;
  readonly version?: string;
  readonly note?: string;
  /** Time of a training step of study 000's network, batch 32, ms (median). */
  readonly stepMs?: number;
}

async function measure(backend: string): Promise<BackendReport> {
  const script = fileURLToPath(new URL("./doctor_speed.ts", import.meta.url));
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", script, backend],
    stdin: "null",
    stderr: "null",
  }).output();
  try {
    return JSON.parse(new TextDecoder().decode(stdout)) as BackendReport;
  } catch {
    return { backend, available: false, note: "its process ended without an answer" };
  }
}

/** Prints the state of this machine. */
export async function doctorCommand(options: { readonly corpora: string; readonly json?: boolean }): Promise<void> {
  const { ensureTool, TOOLS } = await import("../setup/tools.ts");
  const machine = {
    deno: Deno.version.deno,
    system: `${Deno.build.os} ${Deno.build.arch}`,
    cpu: cpus()[0]?.model.trim() || "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
  const backends: BackendReport[] = [];
  for (const backend of BACKENDS) backends.push(await measure(backend)); // one after the other: they are timed
  const tools = [];
  for (const name of TOOLS) tools.push(await ensureTool(name, { install: false }));
  const corpora = (await dataList(options.corpora)).map(({ corpus, downloadable, found }) => ({
    id: corpus.id,
    found: found.map((part) => ({ channel: part.channel, files: part.utterances.length, missing: part.missingCount })),
    get: downloadable ? `deno task data get ${corpus.id}` : corpus.howToGet,
  }));
  if (options.json) {
    console.log(JSON.stringify({ machine, backends, tools, corpora }));
    return;
  }
  console.log(
    `machine   Deno ${machine.deno} on ${machine.system}, ${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB`,
  );
  for (const report of backends) {
    const state = report.available
      ? `${report.version}, a training step of study 000 takes ${report.stepMs?.toFixed(0)} ms${
        report.note ? ` (${report.note})` : ""
      }`
      : `not there: ${report.note}`;
    console.log(`${report.backend.padEnd(9)} ${state}`);
  }
  if (!nativeStatus().installed) console.log(`          ${HOW_TO_GET_NATIVE} (TensorFlow ${TENSORFLOW_VERSION})`);
  for (const tool of tools) {
    console.log(
      `${tool.name.padEnd(9)} ${
        tool.available ? `${tool.version} (${tool.source})` : `${tool.reason}; ${tool.howToGet}`
      }`,
    );
  }
  for (const { id, found, get } of corpora) {
    const state = found.map((part) =>
      `${part.files} ${part.channel} recordings${part.missing > 0 ? `, ${part.missing} missing` : ""}`
    );
    console.log(`${id.padEnd(9)} ${state.join(", ") || `not under ${options.corpora}; ${get}`}`);
  }
}
