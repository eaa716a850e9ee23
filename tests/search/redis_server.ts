/**
 * A Redis server of a test's own: free port, temporary folder, append-only file; can be killed and started again.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureTool } from "../../lib/setup/tools.ts";

const tool = await ensureTool("redis", { install: false });

/** Whether there is a server to start. */
export const hasRedis: boolean = tool.available;

/** A server that runs. */
export interface RedisServer {
  /** Its address. */
  readonly url: string;
  /** Its port. */
  readonly port: number;
  /** Its folder. */
  readonly folder: string;
  /** Kills it with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on its port and folder; resolves when it answers. */
  start(): Promise<void>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

/** A port that is free now. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

/** Sends PING by hand; whether anything that is Redis answers. */
async function answers(port: number): Promise<boolean> {
  try {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    try {
      await connection.write(new TextEncoder().encode("PING\r\n"));
      const bytes = new Uint8Array(64);
      const n = await connection.read(bytes);
      // A server with a password says that it wants one: it is there.
      return /^\+PONG|^-NOAUTH/.test(new TextDecoder().decode(bytes.subarray(0, n ?? 0)));
    } finally {
      connection.close();
    }
  } catch {
    return false;
  }
}

/**
 * Starts a server.
 *
 * @param args More arguments, such as `--requirepass secret`.
 * @param tls Certificate and key: the server then speaks TLS alone.
 */
export async function startRedis(
  args: readonly string[] = [],
  tls?: { readonly certificate: string; readonly key: string },
): Promise<RedisServer> {
  if (!tool.available) throw new Error("there is no Redis server");
  const { path } = tool;
  const folder = mkdtempSync(join(tmpdir(), "serlab-redis-"));
  const port = freePort();
  let child: Deno.ChildProcess | undefined;
  const listen = tls === undefined
    ? ["--port", String(port)]
    : ["--port", "0", "--tls-port", String(port), "--tls-cert-file", tls.certificate, "--tls-key-file", tls.key]
      .concat("--tls-auth-clients", "no");
  const start = async (): Promise<void> => {
    child = new Deno.Command(path, {
      args: [...listen, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "yes", ...args],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    let ended = false;
    child.status.then(() => ended = true);
    for (;;) {
      if (ended) throw new Error(`redis-server ended at once (port ${port})`);
      // Without TLS of our own, a listening port has to do.
      if (tls === undefined ? await answers(port) : await listens(port)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const end = async (signal: Deno.Signal): Promise<void> => {
    const there = child;
    child = undefined;
    try {
      there?.kill(signal);
    } catch { /* it has ended */ }
    await there?.status;
  };
  await start();
  return {
    url: `${tls === undefined ? "redis" : "rediss"}://127.0.0.1:${port}`,
    port,
    folder,
    kill: () => end("SIGKILL"),
    start,
    stop: async () => {
      await end("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function listens(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
