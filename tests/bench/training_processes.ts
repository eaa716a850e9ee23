/**
 * The processes that the training bench talks to: serlab's own and Keras's, one JSON object a line.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { cacheFolder } from "../../lib/setup/cache.ts";

const KERAS = "3.15.1", TENSORFLOW = "2.19.1";
const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));

/** A line's object. */
export type Answer = Readonly<Record<string, unknown>>;

/** A process that answers one JSON line with another. */
export class Child {
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  #ended: { readonly code: number | null } | undefined;

  /** Starts a process. */
  constructor(command: string, args: readonly string[]) {
    this.#process = spawn(command, [...args], { stdio: ["pipe", "pipe", "inherit"], cwd: root });
    this.#process.once("exit", (code) => this.#ended = { code });
    this.#process.stdin!.on("error", () => {}); // a process that is gone is told of below
    this.#reader = createInterface({ input: this.#process.stdout! });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  /** Sends a call and waits for its answer. */
  async ask(call: Answer): Promise<Answer> {
    this.#process.stdin!.write(JSON.stringify(call) + "\n");
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`The process ended (code ${this.#ended?.code}) instead of answering ${call["do"]}.`);
      if (value.startsWith("{")) return JSON.parse(value) as Answer;
    }
  }

  /** Ends the process and waits for it. */
  async end(): Promise<void> {
    this.#process.stdin!.end();
    if (!this.#ended) await new Promise((gone) => this.#process.once("exit", gone));
    this.#reader.close();
  }
}

/** A process of serlab's. */
export const ours = (): Child => new Child(Deno.execPath(), ["run", "-A", join(here, "training_child.ts")]);

/** A process of Keras's. */
export const peer = (python: string): Child => new Child(python, [join(here, "training_keras.py")]);

function kerasFolder(): string {
  return join(cacheFolder(), `keras-${KERAS}-tensorflow-${TENSORFLOW}`);
}

/** The Python that has Keras: SERLAB_KERAS_PYTHON, or the user cache's; null where there is none. */
export function kerasPython(): string | null {
  const own = Deno.env.get("SERLAB_KERAS_PYTHON");
  if (own) return own;
  return existsSync(join(kerasFolder(), READY)) ? join(kerasFolder(), "bin", "python") : null;
}

/** A file that is there when an installation went to its end. */
const READY = "serlab-ready";

/** Makes the virtual environment in the user cache, with the versions that the bench is for. */
export async function installKeras(): Promise<void> {
  const run = async (command: string, args: string[]): Promise<void> => {
    const { code } = await new Deno.Command(command, { args, stdout: "inherit", stderr: "inherit" }).output();
    if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with code ${code}.`);
  };
  await run("python3", ["-m", "venv", kerasFolder()]);
  const python = join(kerasFolder(), "bin", "python");
  await run(python, ["-m", "pip", "install", "--quiet", `keras==${KERAS}`, `tensorflow-cpu==${TENSORFLOW}`]);
  writeFileSync(join(kerasFolder(), READY), "");
}

/** The machine and the versions. */
export async function environment(keras: string | null): Promise<Answer> {
  const python = keras ? peer(keras) : null;
  const versions = await python?.ask({ do: "versions" });
  await python?.end();
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    deno: Deno.version.deno,
    tensorflow: TENSORFLOW,
    ...(versions ? { peer: versions } : {}),
  };
}
