/**
 * The program that the project's kernelspec starts: Deno's own kernel, with a go-between on the channels that carry
 * interrupts.
 *
 * Deno 2.9.6 answers an interrupt by ending whatever JavaScript runs at that moment. In a loop without `await` that
 * works. Elsewhere it ends a cell's continuation, so that the cell never returns, or, where the cell was waiting, Deno's
 * event loop, so that the kernel never runs anything again. So this program takes the interrupts: it asks the work in
 * the kernel to stop by itself (`lib/interruption.ts`), and lets Deno end it only where nobody answers.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { clientHandshake, type JupyterMessage, readMessage, signMessage, type Unit, UnitReader } from "./zmtp.ts";

/** How long an interrupt waits for an answer before force is used, ms. */
const PATIENCE_MS = { steady: 60_000, unknown: 500 } as const;
/** How long a cell that knows nothing of interrupts is watched for a moment to end it in, ms. */
const HUNT_MS = 1500;
/** JavaScript that has not answered for so long is at work and does not just pass through the event loop, ms. */
const BUSY_MS = 12;

/** Jupyter's connection file. */
interface Connection {
  readonly transport: string;
  readonly ip: string;
  readonly key: string;
  readonly shell_port: number;
  readonly control_port: number;
}

/** Processor time that a process has used, ms; null where the system does not tell. */
function processorMs(pid: number | undefined): number | null {
  try {
    const tasks = `/proc/${pid}/task`;
    return readdirSync(tasks).reduce(
      (sum, task) => sum + Number(readFileSync(`${tasks}/${task}/schedstat`, "utf8").split(" ")[0]) / 1e6,
      0,
    );
  } catch {
    return null;
  }
}

const sleep = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

async function freePort(ip: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.listen(0, ip, resolve).once("error", reject));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

async function connectTo(port: number, ip: string, alive: () => boolean): Promise<Socket> {
  for (;;) {
    const socket = createConnection({ port, host: ip });
    const failed = await new Promise<Error | null>((done) =>
      socket.once("connect", () => done(null)).once("error", (error) => done(error as Error))
    );
    if (failed === null) return socket.setNoDelay(true);
    if (!alive()) throw failed;
    await sleep(20);
  }
}

/** The line to `interrupt.ts` in the kernel. */
class Line {
  readonly #server: Server;
  readonly #password = randomUUID();
  readonly #waiting = new Map<string, (asked: number) => void>();
  #socket: Socket | null = null;
  /** Pieces of work that stop by themselves when asked. */
  steady = 0;

  constructor() {
    this.#server = createServer((socket) => this.#greet(socket));
  }

  /** Opens the line; returns what the kernel needs to find it. */
  async open(): Promise<string> {
    await new Promise<void>((resolve, reject) => this.#server.listen(0, "127.0.0.1", resolve).once("error", reject));
    this.#server.unref();
    return `${(this.#server.address() as { port: number }).port}:${this.#password}`;
  }

  #greet(socket: Socket): void {
    let rest = "", known = false;
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      const lines = (rest + String(chunk)).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        if (!known) {
          known = line === this.#password;
          if (!known) return socket.destroy();
          this.#socket = socket.setNoDelay(true);
        } else this.#hear(line);
      }
    });
  }

  #hear(line: string): void {
    const [what, first, second] = line.split(" ");
    if (what === "steady") this.steady = Number(first);
    if (what === "asked") this.#waiting.get(first!)?.(Number(second));
  }

  /** Says something that wants no answer. */
  say(what: string): void {
    this.#socket?.write(`${what}\n`);
  }

  /** Asks; resolves to the answer, or to null when there is none in time or `hurry` resolves first. */
  async ask(what: string, patienceMs: number, hurry?: Promise<void>): Promise<number | null> {
    if (this.#socket === null) return null;
    const id = randomUUID();
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise((done) => {
        this.#waiting.set(id, done);
        timer = setTimeout(() => done(null), patienceMs);
        hurry?.then(() => done(null));
        this.say(`${what} ${id}`);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }
}

/** What one channel's go-between does with a message; true keeps it from going on. */
interface Hooks {
  readonly fromClient?: (message: JupyterMessage, unit: Unit, client: Socket, kernel: Socket) => boolean;
  readonly fromKernel?: (message: JupyterMessage) => boolean;
}

/** Listens where Jupyter expects the kernel and passes everything on, both ways, message by message. */
async function goBetween(
  ip: string,
  port: number,
  upstream: () => Promise<Socket>,
  hooks: Hooks,
): Promise<void> {
  const server = createServer({ noDelay: true, pauseOnConnect: true }, async (client) => {
    client.on("error", () => {});
    let kernel: Socket;
    try {
      kernel = await upstream();
    } catch {
      return client.destroy();
    }
    kernel.on("error", () => {});
    client.on("close", () => kernel.destroy());
    kernel.on("close", () => client.destroy());
    const out = new UnitReader(), back = new UnitReader();
    client.on("data", (chunk: Uint8Array) => {
      for (const unit of out.push(chunk)) {
        const message = unit.kind === "message" ? readMessage(unit.frames) : null;
        if (message && hooks.fromClient?.(message, unit, client, kernel)) continue;
        kernel.write(unit.bytes);
      }
    });
    // Whole units only, so that an answer of ours never stands in the middle of one.
    kernel.on("data", (chunk: Uint8Array) => {
      for (const unit of back.push(chunk)) {
        const message = unit.kind === "message" ? readMessage(unit.frames) : null;
        if (message && hooks.fromKernel?.(message)) continue;
        client.write(unit.bytes);
      }
    });
    client.resume();
  });
  await new Promise<void>((resolve, reject) => server.listen(port, ip, resolve).once("error", reject));
}

/** Has the kernel import `interrupt.ts` before it hears anybody else. */
async function prepareKernel(kernel: Socket, key: string): Promise<void> {
  const module = new URL("interrupt.ts", import.meta.url).href;
  const code = `await (await import(${JSON.stringify(module)})).connectKernel(); undefined`;
  const { id, bytes } = signMessage(key, {
    type: "execute_request",
    content: {
      code,
      silent: true,
      store_history: false,
      user_expressions: {},
      allow_stdin: false,
      stop_on_error: true,
    },
  });
  const reader = new UnitReader();
  const done = new Promise<void>((resolve) => {
    kernel.once("close", resolve);
    kernel.on("data", (chunk: Uint8Array) => {
      for (const unit of reader.push(chunk)) {
        if (unit.kind === "greeting") kernel.write(bytes);
        const message = unit.kind === "message" ? readMessage(unit.frames) : null;
        if (message?.type === "execute_reply" && message.parentId === id) resolve();
      }
    });
  });
  kernel.write(clientHandshake("DEALER"));
  await done;
  kernel.destroy();
}

/** What an interrupt leads to. */
class Interrupts {
  readonly #line: Line;
  readonly #pid: () => number | undefined;
  readonly #running = new Set<unknown>();
  #hurry: (() => void) | null = null;

  constructor(line: Line, pid: () => number | undefined) {
    this.#line = line;
    this.#pid = pid;
  }

  /** A cell was sent. */
  begin(id: unknown): void {
    this.#running.add(id);
  }

  /** A cell has ended. */
  end(id: unknown): void {
    if (this.#running.delete(id)) this.#line.say("over");
  }

  /** Stops the cell that runs; `force` ends the JavaScript that runs. */
  async request(force: () => void): Promise<void> {
    // Asked again while still waiting for an answer: no more patience.
    if (this.#hurry) return this.#hurry();
    const [cell] = this.#running;
    if (cell === undefined) return; // between cells there is nothing to stop, and force would hit the event loop
    const runs = (): boolean => this.#running.has(cell);
    const end = (): void => {
      force();
      this.#line.say("killed");
    };
    const hurried = new Promise<void>((done) => this.#hurry = done);
    try {
      const patience = this.#line.steady > 0 ? PATIENCE_MS.steady : PATIENCE_MS.unknown;
      const asked = await this.#line.ask("interrupt", patience, hurried);
      if (asked === null) return end();
      if (asked > 0) return;
      // It heard us but nothing of ours is at work. What follows may yet stop by itself; then end it, but only while
      // it computes: a kernel that waits would not survive that.
      await sleep(150);
      for (const until = performance.now() + HUNT_MS; runs() && performance.now() < until;) {
        const before = processorMs(this.#pid());
        const answer = await this.#line.ask("here", BUSY_MS);
        const used = (processorMs(this.#pid()) ?? NaN) - (before ?? NaN);
        // A kernel that waits may be slow to answer too where others have the processor; that one must not be ended. It
        // uses next to nothing, while one that computes has its share even then.
        const computes = !(used < BUSY_MS / 4);
        if (answer === null && computes) {
          end();
          await sleep(200);
        } else await sleep(1);
      }
      if (runs()) this.#line.say("hint");
    } finally {
      this.#hurry = null;
    }
  }
}

async function main(file: string): Promise<void> {
  const connection = JSON.parse(readFileSync(file, "utf8")) as Connection;
  const { ip, key, transport } = connection;
  let child: ChildProcess | null = null, code: number | null = null;
  const start = (path: string, environment: Record<string, string>): ChildProcess => {
    const started = spawn(process.execPath, ["jupyter", "--quiet", "--kernel", "--conn", path], {
      stdio: "inherit",
      env: { ...process.env, ...environment },
    });
    started.once("exit", (status) => process.exit(code = status ?? 1));
    return started;
  };
  // Other transports go without a go-between.
  if (transport !== "tcp") return void start(file, {});

  const line = new Line(), interrupts = new Interrupts(line, () => child?.pid);
  const password = await line.open();
  const shell = await freePort(ip), control = await freePort(ip);
  const folder = mkdtempSync(join(tmpdir(), "serlab-kernel-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "connection.json");
  writeFileSync(path, JSON.stringify({ ...connection, shell_port: shell, control_port: control }), { mode: 0o600 });
  child = start(path, { SERLAB_KERNEL_LINE: password });
  for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => child!.kill(signal));
  process.on("SIGINT", () => {}); // a terminal's Ctrl-C is meant for Jupyter

  // Whoever started us may be killed without a word; nobody could reach this kernel then.
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && child!.kill("SIGKILL"), 1000).unref();

  const alive = (): boolean => code === null;
  const ready = connectTo(shell, ip, alive).then((socket) => prepareKernel(socket, key));
  const upstream = (port: number) => async (): Promise<Socket> => {
    await ready;
    return await connectTo(port, ip, alive);
  };
  await goBetween(ip, connection.shell_port, upstream(shell), {
    fromClient: ({ type, header }) => {
      if (type === "execute_request") interrupts.begin(header.msg_id);
      return false;
    },
    fromKernel: ({ type, parentId }) => {
      if (type === "execute_reply") interrupts.end(parentId);
      return false;
    },
  });
  await goBetween(ip, connection.control_port, upstream(control), {
    fromClient: ({ type, header, route }, unit, client, kernel) => {
      if (type !== "interrupt_request") return false;
      client.write(
        signMessage(key, { type: "interrupt_reply", content: { status: "ok" }, parent: header, route }).bytes,
      );
      interrupts.request(() => kernel.write(unit.bytes));
      return true;
    },
    fromKernel: ({ type }) => type === "interrupt_reply", // it has been answered
  });
}

if (import.meta.main) await main(process.argv[2]!);
