/**
 * The server: a site's files by GET and HEAD, and, where it was asked for, `POST /predict`. Made to be reached by
 * strangers: nothing is read from disk for a request, every wait has an end, every size a limit.
 *
 * @module
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { UsageError } from "../errors.ts";
import type { Api } from "./api.ts";
import { SECURITY_HEADERS } from "./headers.ts";
import type { Site, SiteFile } from "./site.ts";

/** Limits of the server; times in ms. */
export interface ServerLimits {
  /** Until the head of a request must be there. */
  readonly headersMs: number;
  /** Until a whole request must be there. */
  readonly requestMs: number;
  /** Without any byte on a connection, either way. */
  readonly idleMs: number;
  /** Kept open for a next request. */
  readonly keepAliveMs: number;
  /** Connections at a time; more are refused. */
  readonly connections: number;
}

/** The limits of `deno task serve`. */
export const DEFAULT_LIMITS: ServerLimits = {
  headersMs: 10_000,
  requestMs: 60_000,
  idleMs: 30_000,
  keepAliveMs: 5_000,
  connections: 512,
};

/** What to serve and where. */
export interface ServeOptions {
  /** The files. */
  readonly site: Site;
  /** Address to listen on. */
  readonly host: string;
  /** Port; 0 takes a free one. */
  readonly port: number;
  /** The machine interface; absent: there is none. */
  readonly api?: Api | undefined;
  /** Other limits than the default ones. */
  readonly limits?: Partial<ServerLimits> | undefined;
}

/** A server that runs. */
export interface RunningServer {
  /** Its address for people. */
  readonly url: string;
  /** The port it listens on. */
  readonly port: number;
  /** How many connections are open. */
  connections(): Promise<number>;
  /** Ends it: no new connections, open ones are closed. */
  close(): Promise<void>;
}

/** A short text answer. */
export function sendText(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}) {
  const bytes = new TextEncoder().encode(text + "\n");
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    "content-type": "text/plain; charset=utf-8",
    "content-length": String(bytes.length),
    "cache-control": "no-store",
    ...headers,
  });
  response.end(response.req.method === "HEAD" ? undefined : bytes);
}

/** The path of a request without query, or null where it is no path. */
function pathOf(target: string): string | null {
  if (!target.startsWith("/") || target.length > 1024) return null;
  try {
    return decodeURIComponent(target.slice(1).split("?", 1)[0]!);
  } catch {
    return null;
  }
}

/** The form of a file that the request takes: Brotli, gzip or as it is. */
function formOf(file: SiteFile, accepted: string): { bytes: Uint8Array; encoding: string | null } {
  const takes = (name: string): boolean =>
    accepted.split(",").some((part) => {
      const [coding, ...parameters] = part.trim().toLowerCase().split(/\s*;\s*/);
      return coding === name && !parameters.some((each) => /^q=0(\.0*)?$/.test(each));
    });
  if (file.br && takes("br")) return { bytes: file.br, encoding: "br" };
  if (file.gz && takes("gzip")) return { bytes: file.gz, encoding: "gzip" };
  return { bytes: file.bytes, encoding: null };
}

function sendFile(request: IncomingMessage, response: ServerResponse, file: SiteFile): void {
  const { bytes, encoding } = formOf(file, String(request.headers["accept-encoding"] ?? ""));
  const etag = encoding ? file.etag.replace(/"$/, `-${encoding}"`) : file.etag;
  const headers: Record<string, string> = {
    ...SECURITY_HEADERS,
    "cache-control": file.immutable ? "public, max-age=31536000, immutable" : "no-cache",
    etag,
    ...((file.br || file.gz) && { vary: "accept-encoding" }),
  };
  const known = String(request.headers["if-none-match"] ?? "").split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  if (known.includes(etag) || known.includes("*")) {
    response.writeHead(304, headers).end();
    return;
  }
  response.writeHead(200, {
    ...headers,
    "content-type": file.type,
    "content-length": String(bytes.length),
    ...(encoding && { "content-encoding": encoding }),
  });
  response.end(request.method === "HEAD" ? undefined : bytes);
}

/** Answers one request. */
function handle(request: IncomingMessage, response: ServerResponse, { site, api }: ServeOptions): void {
  const path = pathOf(request.url ?? "");
  if (path === null) return sendText(response, 400, "This is no address of a file.", { connection: "close" });
  if (api?.serves(path)) return api.handle(path, request, response);
  if (request.method !== "GET" && request.method !== "HEAD") {
    return sendText(response, 405, "Only GET and HEAD are answered here.", { allow: "GET, HEAD", connection: "close" });
  }
  const file = site.files.get(path === "" ? "index.html" : path);
  if (!file) return sendText(response, 404, "There is no such file.");
  sendFile(request, response, file);
}

/**
 * Starts the server.
 *
 * @throws {UsageError} when it cannot listen there.
 */
export async function startServer(options: ServeOptions): Promise<RunningServer> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const server: Server = createServer({
    headersTimeout: Math.min(limits.headersMs, limits.requestMs),
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.min(1000, limits.headersMs / 4, limits.requestMs / 4),
    maxHeaderSize: 16_384,
  }, (request, response) => {
    response.on("error", () => {}); // a client that went away
    try {
      handle(request, response, options);
    } catch (error) {
      console.error(error);
      if (response.headersSent) response.destroy();
      else sendText(response, 500, "Something went wrong that should not have.");
    }
  });
  server.maxConnections = limits.connections;
  server.timeout = limits.idleMs;
  // A request that is none is answered by nothing, or by the parser's own 400, 408 or 431.
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code === "ECONNRESET" || !socket.writable) return socket.destroy();
    const status = error.code === "HPE_HEADER_OVERFLOW"
      ? "431 Request Header Fields Too Large"
      : error.code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? "408 Request Timeout"
      : "400 Bad Request";
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  });
  const { host } = options;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "EADDRINUSE"
        ? "another program listens there; choose another with --port"
        : error.code === "EACCES"
        ? "the system does not allow it; choose a port above 1023"
        : error.message;
      reject(new UsageError(`${host}:${options.port}: cannot be listened on, ${why}.`, { cause: error }));
    });
    server.listen(options.port, host, () => resolve());
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}/`,
    port,
    connections: () =>
      new Promise((resolve, reject) => server.getConnections((error, count) => error ? reject(error) : resolve(count))),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        options.api?.close();
      }),
  };
}
