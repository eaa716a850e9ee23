/**
 * Connections to Redis, or to any server that speaks its protocol.
 *
 * A connection that cannot be made fails within seconds, in one line; one that is lost later is sought again for a
 * while, because a queue outlives restarts of its server. Passwords appear in no message.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { Redis, type RedisOptions } from "ioredis";
import { SerlabError, UsageError } from "../../errors.ts";
import { systemReason } from "../../io.ts";

/** The queue's server cannot be reached, refuses us, or holds what is not ours. */
export class QueueError extends SerlabError {
  /** Name of the class, which survives minification. */
  override name = "QueueError";
}

/** Environment variable with the server's password, so that it stands in no command line. */
export const PASSWORD_VARIABLE = "SERLAB_REDIS_PASSWORD";

/** Environment variable with a file of certificates (PEM) that a `rediss://` server's is checked against. */
export const CA_VARIABLE = "SERLAB_REDIS_CA";

/** A server's address, taken apart. */
export interface RedisAddress {
  /** As it may be shown: without name and password. */
  readonly shown: string;
  /** What ioredis takes. */
  readonly options: RedisOptions;
}

/**
 * Takes an address apart.
 *
 * @param url `redis://[name[:password]@]host[:port][/database]`, or `rediss://` for TLS.
 * @param env Environment variables; default the process's.
 * @throws {UsageError} when it is no such address, or the file of certificates cannot be read.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const { shown, options } = redisAddress("rediss://me:secret@queue.example:6380/2", () => undefined);
 * assert.equal(shown, "rediss://queue.example:6380/2");
 * assert.deepEqual([options.host, options.port, options.db, options.password], ["queue.example", 6380, 2, "secret"]);
 * ```
 */
export function redisAddress(
  url: string,
  env: (name: string) => string | undefined = (name) => Deno.env.get(name),
): RedisAddress {
  const rule = "--redis takes an address such as redis://127.0.0.1:6379 or rediss://host:6380 (TLS)";
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  // Whatever stands before an @ may be a password.
  const given = url.includes("@") ? "this one" : url;
  if (parsed === undefined || !/^rediss?:$/.test(parsed.protocol) || parsed.hostname === "") {
    throw new UsageError(`${rule}, not ${given}.`);
  }
  const database = /^\/?(\d{1,9})?$/.exec(parsed.pathname);
  if (database === null) throw new UsageError(`${rule}; after the port may stand the number of a database.`);
  const host = parsed.hostname.replace(/^\[(.*)\]$/, "$1");
  const port = parsed.port === "" ? 6379 : Number(parsed.port), db = Number(database[1] ?? 0);
  const username = decodeURIComponent(parsed.username);
  const password = decodeURIComponent(parsed.password) || env(PASSWORD_VARIABLE) || "";
  const isTls = parsed.protocol === "rediss:", ca = env(CA_VARIABLE);
  return {
    shown: `${parsed.protocol}//${parsed.hostname}:${port}${db === 0 ? "" : `/${db}`}`,
    options: {
      host,
      port,
      db,
      ...(username === "" ? {} : { username }),
      ...(password === "" ? {} : { password }),
      // A server is asked for by name; an IP address is none (RFC 6066).
      ...(isTls
        ? { tls: { ...(isIP(host) === 0 ? { servername: host } : {}), ...(ca ? { ca: certificates(ca) } : {}) } }
        : {}),
    },
  };
}

function certificates(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`${path} (${CA_VARIABLE}): cannot be read, ${systemReason(error)}.`, { cause: error });
  }
}

/** Why a server cannot be used, as a phrase without full stop; what the server says is not repeated. */
function reasonOf(error: unknown, isTls: boolean): string {
  const { code = "", message = String(error) } = error as { code?: string; message?: string };
  const text = `${code} ${message}`;
  if (/WRONGPASS|invalid password|invalid username/i.test(text)) return "name or password is wrong";
  if (/NOAUTH|Authentication required/i.test(text)) return `it wants a password (set ${PASSWORD_VARIABLE})`;
  if (/without any password configured/i.test(text)) return "it has no password, but one was given";
  if (/NOPERM/.test(text)) return "the user may not do what the queue needs";
  if (/^\S* ?OOM /.test(text)) return "its memory is full (maxmemory); it must not evict (maxmemory-policy noeviction)";
  if (/MISCONF/.test(text)) return "it cannot write its data to disk";
  if (/READONLY/.test(text)) return "it is a read-only replica";
  if (/unknown command/i.test(text)) return `it does not know a command that the queue needs (${message.slice(0, 80)})`;
  if (/DB index|invalid DB/i.test(text)) return "it has no database of that number";
  if (/ENOTFOUND|EAI_AGAIN|getaddrinfo|lookup address/i.test(text)) return "its name is not known";
  if (/ECONNREFUSED|connection refused/i.test(text)) return "no server answers there (connection refused)";
  if (/ETIMEDOUT|timed? ?out/i.test(text)) return "no server answers there (no answer in time)";
  if (/EHOSTUNREACH|ENETUNREACH/.test(text)) return "there is no way to that host";
  if (/cert|CA_|issuer|self.signed/i.test(text)) {
    return `its certificate is not trusted (${CA_VARIABLE} names a file of certificates to check it against)`;
  }
  if (isTls && /InvalidContentType|corrupt message|wrong version|ssl|tls|EPROTO/i.test(text)) {
    return "it does not speak TLS";
  }
  if (/NotCapable|Requires net access/i.test(text)) return "serlab was started without permission for the network";
  if (/LOADING/.test(text)) return "it is still loading its data";
  if (/Protocol error|ParserError|unexpected|closed|ECONNRESET|hang ?up|EPIPE/i.test(text)) {
    return isTls ? "it closed the connection" : "it is no Redis server, or wants TLS (rediss://)";
  }
  return message.split("\n")[0]!.replace(/\.$/, "");
}

/** What a command of the queue was answered with, as our error; errors that are no answers of the server stay. */
export function asQueueError(error: unknown, { shown, gone }: Pick<Connection, "shown" | "gone">): unknown {
  if (gone.aborted) return gone.reason;
  if (!(error instanceof Error) || error.name !== "ReplyError") return error;
  return new QueueError(`${shown}: ${reasonOf(error, shown.startsWith("rediss:"))}.`, { cause: error });
}

/** A server that was reached. */
export interface Connection {
  /** The client; commands wait while the server is sought again. */
  readonly redis: Redis;
  /** The server's address as it may be shown. */
  readonly shown: string;
  /** Is aborted, with a QueueError as reason, when the server is given up. */
  readonly gone: AbortSignal;
  /** Called whenever the server is there again after it was lost. */
  onBack: () => void;
  /** Another client of the same server, for commands that wait. */
  another(): Redis;
  /** Closes all its clients. */
  close(): void;
}

/** How to connect. */
export interface ConnectOptions {
  /** Receives a line when the server is lost and when it is there again. */
  readonly onNotice: (line: string) => void;
  /** Longest time for the first answer, s; default 5. */
  readonly firstSec?: number | undefined;
  /** How long a lost server is sought, s; default 600. */
  readonly giveUpSec?: number | undefined;
}

/**
 * Connects to a server.
 *
 * @throws {UsageError} when the address is none; {QueueError} when there is no server, or it refuses us.
 */
export async function connectRedis(url: string, options: ConnectOptions): Promise<Connection> {
  const { firstSec = 5, giveUpSec = 600, onNotice } = options;
  const { shown, options: address } = redisAddress(url);
  const isTls = address.tls !== undefined;
  const gone = new AbortController();
  let wasReady = false, isClosing = false, lostAt: number | undefined, last: unknown;
  const clients: Redis[] = [];
  const giveUp = (reason: string): void => {
    if (!isClosing) gone.abort(new QueueError(`${shown}: ${reason}.`));
  };
  const redis = new Redis({
    ...address,
    lazyConnect: true,
    connectTimeout: firstSec * 1000,
    // Commands wait for a restart instead of failing; when the server is given up they all fail.
    maxRetriesPerRequest: null,
    enableReadyCheck: true,
    // A peer that vanished without a word is noticed; no command waits this long.
    socketTimeout: 30000,
    retryStrategy: (times) => {
      // All clients share this; that of the commands decides whether the server is gone.
      if (!wasReady || isClosing || gone.signal.aborted) return null;
      if (lostAt !== undefined && performance.now() - lostAt > giveUpSec * 1000) {
        giveUp(`is gone for ${giveUpSec} s, given up`);
        return null;
      }
      return Math.min(50 * 2 ** Math.min(times, 6), 2000);
    },
    // A password that was changed while we were away will not become right by asking again.
    reconnectOnError: () => false,
  });
  const connection: Connection = {
    redis,
    shown,
    gone: gone.signal,
    onBack: () => {},
    another() {
      const client = redis.duplicate({ lazyConnect: false });
      client.on("error", () => {});
      clients.push(client);
      return client;
    },
    close() {
      isClosing = true;
      for (const client of [redis, ...clients]) client.disconnect();
    },
  };
  redis.on("error", (error: unknown) => {
    last = error;
    if (wasReady && /WRONGPASS|NOAUTH|NOPERM/.test(String(error))) giveUp(reasonOf(error, isTls));
  });
  redis.on("close", () => {
    if (!wasReady || isClosing || lostAt !== undefined) return;
    lostAt = performance.now();
    onNotice(`${shown}: the server is gone; waiting for it`);
  });
  redis.on("ready", () => {
    if (lostAt !== undefined) {
      onNotice(`${shown}: the server is back`);
      lostAt = undefined;
      connection.onBack();
    }
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    // A server that takes the connection and then says nothing would be waited for.
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error("timed out")), firstSec * 1000);
    });
    const first = redis.connect().then(() => redis.ping());
    first.catch(() => {});
    await Promise.race([first, late]);
    wasReady = true;
    return connection;
  } catch (error) {
    isClosing = true;
    redis.disconnect();
    // ioredis rejects with "Connection is closed" and tells the cause as an event.
    const cause = /closed|ended/i.test(String(error)) && last !== undefined ? last : error;
    throw new QueueError(`${shown}: ${reasonOf(cause, isTls)}.`);
  } finally {
    clearTimeout(timer);
  }
}
