/**
 * The kernel's end of the line to `kernel.ts`, which asks for interrupts over it. Imported into every kernel by
 * `kernel.ts` itself; importing it elsewhere does nothing.
 *
 * @module
 */

import { createConnection, type Socket } from "node:net";
import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { kernel } from "./jupyter.ts";
import { forgetInterrupt, interrupt, onSteadyWork, repairAfterKill } from "../interruption.ts";

/** Name of the variable with the port and the password of the line. */
export const LINE_VARIABLE = "SERLAB_KERNEL_LINE";

/** Connects this kernel to its `kernel.ts`, where there is one; returns whether. */
export async function connectKernel(): Promise<boolean> {
  const [port, password] = (process.env[LINE_VARIABLE] ?? "").split(":");
  if (!port || !password) return false;
  const socket = createConnection({ host: "127.0.0.1", port: Number(port) });
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  socket.on("error", () => {}); // without kernel.ts interrupts go their old way
  socket.write(`${password}\n`);
  // Child processes have no use for it.
  delete process.env[LINE_VARIABLE];
  onSteadyWork((steady) => socket.write(`steady ${steady}\n`));
  let rest = "";
  socket.on("data", (chunk) => {
    const lines = (rest + String(chunk)).split("\n");
    rest = lines.pop()!;
    for (const line of lines) obey(line, socket);
  });
  return true;
}

function obey(line: string, socket: Socket): void {
  const [command, id] = line.split(" ");
  if (command === "interrupt") socket.write(`asked ${id} ${interrupt()}\n`);
  if (command === "here") socket.write(`asked ${id} 1\n`);
  if (command === "hint") {
    const text = "This cell waits for something that cannot be stopped. If it does not end, restart the kernel.\n";
    void kernel()?.broadcast("stream", { name: "stderr", text });
  }
  if (command === "over") forgetInterrupt();
  if (command === "killed") {
    forgetInterrupt();
    repairAfterKill();
    collectGarbage();
  }
}

/**
 * Code that was ended while a cell awaited it leaves a promise that nothing can settle. When it is collected, V8 tells
 * the kernel so, and the cell ends with an error instead of never.
 */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  // What the stack or a queue still held a moment ago is free now.
  for (const later of [20, 100, 400]) setTimeout(collect, later);
}
