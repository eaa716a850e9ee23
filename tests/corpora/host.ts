/** A local host that answers as badly as it is told to: a plain TCP server, so that it can lie, stall and cut. */

/** A request, as far as the tests look at it. */
export interface HostRequest {
  readonly path: string;
  readonly headers: Headers;
  /** How many requests came before it. */
  readonly number: number;
}

/** Writes an answer by hand. */
export interface HostReply {
  /** Status line and headers; a length is sent only when it is among them. */
  head(status: string, headers?: Readonly<Record<string, string | number>>): Promise<void>;
  body(bytes: Uint8Array | string): Promise<void>;
  /** Stays silent until the test is over. */
  stall(): Promise<void>;
}

/** Serves requests while `work` runs; every connection takes one request and is closed after the answer. */
export async function withHost(
  answer: (request: HostRequest, reply: HostReply) => Promise<void>,
  work: (url: string, requests: readonly HostRequest[]) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const requests: HostRequest[] = [];
  const over = Promise.withResolvers<void>();
  const running = new Set<Promise<void>>();

  async function serve(connection: Deno.Conn): Promise<void> {
    try {
      const buffer = new Uint8Array(65536);
      let text = "";
      while (!text.includes("\r\n\r\n")) {
        const count = await connection.read(buffer);
        if (count === null) return;
        text += new TextDecoder().decode(buffer.subarray(0, count));
      }
      const [first, ...lines] = text.split("\r\n\r\n")[0]!.split("\r\n");
      const headers = new Headers(lines.map((line) => {
        const at = line.indexOf(":");
        return [line.slice(0, at), line.slice(at + 1).trim()] as [string, string];
      }));
      const request = { path: first!.split(" ")[1]!, headers, number: requests.length };
      requests.push(request);
      const write = async (bytes: Uint8Array) => {
        for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
      };
      await answer(request, {
        head: (status, headers = {}) => {
          const all = Object.entries({ connection: "close", ...headers }).map(([name, value]) =>
            `${name}: ${value}\r\n`
          );
          return write(new TextEncoder().encode(`HTTP/1.1 ${status}\r\n${all.join("")}\r\n`));
        },
        body: (bytes) => write(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes),
        stall: () => over.promise,
      });
    } catch {
      // The other side went away, as some tests want it to.
    } finally {
      try {
        connection.close();
      } catch { /* closed already */ }
    }
  }

  const accepting = (async () => {
    for await (const connection of listener) {
      const task = serve(connection).finally(() => running.delete(task));
      running.add(task);
    }
  })();
  try {
    const { port } = listener.addr as Deno.NetAddr;
    await work(`http://127.0.0.1:${port}`, requests);
  } finally {
    over.resolve();
    listener.close();
    await accepting.catch(() => {});
    await Promise.all(running);
  }
}

/** Answers as a good host does: whole, or the part that was asked for, with an ETag. */
export async function serveFile(
  request: HostRequest,
  reply: HostReply,
  content: Uint8Array,
  options: { etag?: string; upTo?: number } = {},
): Promise<void> {
  const { etag = '"1"', upTo = content.length } = options;
  const range = /^bytes=(\d+)-$/.exec(request.headers.get("range") ?? "")?.[1];
  const condition = request.headers.get("if-range");
  if (range !== undefined && (condition === null || condition === etag)) {
    const from = Number(range);
    if (from >= content.length) {
      await reply.head("416 Range Not Satisfiable", {
        "content-range": `bytes */${content.length}`,
        "content-length": 0,
      });
      return;
    }
    await reply.head("206 Partial Content", {
      etag,
      "content-length": content.length - from,
      "content-range": `bytes ${from}-${content.length - 1}/${content.length}`,
    });
    await reply.body(content.subarray(from, Math.max(from, upTo)));
  } else {
    await reply.head("200 OK", { etag, "content-length": content.length });
    await reply.body(content.subarray(0, upTo));
  }
}
