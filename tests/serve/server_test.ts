import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { DEFAULT_LIMITS, type RunningServer, type ServerLimits, startServer } from "../../lib/serve/server.ts";
import type { Site, SiteFile } from "../../lib/serve/site.ts";
import { compressed } from "../../lib/serve/compress.ts";
import { sha256Hex } from "../../lib/io.ts";

const file = (bytes: Uint8Array, type: string, immutable: boolean, path: string): SiteFile => ({
  bytes,
  type,
  etag: `"${sha256Hex(bytes).slice(0, 24)}"`,
  immutable,
  ...compressed(path, bytes, 5),
});

const PAGE = `<!DOCTYPE html><title>page</title>${"<p>so it goes on</p>".repeat(200)}`;
const LARGE = new Uint8Array(64 * 2 ** 20);
const site = {
  info: {},
  files: new Map([
    ["index.html", file(new TextEncoder().encode(PAGE), "text/html; charset=utf-8", false, "index.html")],
    ["assets/a-1.js", file(new TextEncoder().encode("1;".repeat(500)), "text/javascript; charset=utf-8", true, "a.js")],
    ["large.bin", { bytes: LARGE, type: "application/octet-stream", etag: '"large"', immutable: true }],
  ]),
  bundles: new Map(),
} as unknown as Site;

async function withServer(limits: Partial<ServerLimits>, work: (server: RunningServer) => Promise<void>) {
  const server = await startServer({ site, host: "127.0.0.1", port: 0, limits });
  try {
    await work(server);
  } finally {
    await server.close();
  }
}

/** Opens a connection; everything that comes back is kept, `closed` resolves with it. */
function dial(server: RunningServer): Promise<{ socket: Socket; closed: Promise<string> }> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, "127.0.0.1");
    let text = "";
    socket.on("data", (part: Uint8Array) => text += new TextDecoder("latin1").decode(part));
    const closed = new Promise<string>((done) => socket.on("close", () => done(text)));
    socket.on("error", () => {}); // a reset is a way to be closed
    socket.once("connect", () => resolve({ socket, closed }));
    setTimeout(() => socket.connecting && reject(new Error("no connection")), 10_000).unref();
  });
}

/** Sends bytes as they are, without a client's clean-up, and gives the whole answer. */
async function raw(server: RunningServer, text: string): Promise<string> {
  const { socket, closed } = await dial(server);
  socket.write(text);
  return await closed;
}

const get = (target: string, more = ""): string =>
  `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n`;

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);

Deno.test("the page is sent with headers that keep it to itself, compressed as the client takes it", () =>
  withServer({}, async (server) => {
    for (const [encoding, expected] of [["br, gzip", "br"], ["gzip", "gzip"], ["br;q=0, identity", null]] as const) {
      const response = await fetch(server.url, { headers: { "accept-encoding": encoding } });
      assert.equal(response.status, 200);
      assert.equal(await response.text(), PAGE);
      const answer = await raw(server, get("/", `Accept-Encoding: ${encoding}\r\n`));
      assert.equal(/^content-encoding: (.*)\r$/mi.exec(answer)?.[1] ?? null, expected);
    }
    const { headers, body } = await fetch(server.url);
    await body!.cancel();
    const policy = headers.get("content-security-policy")!;
    assert.ok(policy.startsWith("default-src 'none'") && policy.includes("frame-ancestors 'none'"), policy);
    assert.ok(!/unsafe-inline|'unsafe-eval'|\*|https?:/.test(policy), policy);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.equal(headers.get("cache-control"), "no-cache");
    assert.equal(headers.get("vary"), "accept-encoding");
    assert.match(headers.get("permissions-policy")!, /^microphone=\(self\)/);
  }));

Deno.test("what has not changed is not sent again; what has a hash in its name is kept for ever", () =>
  withServer({}, async (server) => {
    const first = await fetch(`${server.url}assets/a-1.js`);
    await first.text();
    assert.equal(first.headers.get("cache-control"), "public, max-age=31536000, immutable");
    const etag = first.headers.get("etag")!;
    const again = await fetch(`${server.url}assets/a-1.js`, { headers: { "if-none-match": `W/"other", ${etag}` } });
    assert.equal(again.status, 304);
    assert.equal(await again.text(), "");
    const changed = await fetch(`${server.url}assets/a-1.js`, { headers: { "if-none-match": '"other"' } });
    assert.equal(changed.status, 200);
    await changed.text();
    const head = await fetch(server.url, { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.ok(Number(head.headers.get("content-length")) > 0);
    assert.equal(await head.text(), "");
  }));

Deno.test("no path leads out of the site", () =>
  withServer({}, async (server) => {
    const targets = [
      "/../deno.json",
      "/../../../../etc/passwd",
      "/..%2f..%2fetc%2fpasswd",
      "/%2e%2e/%2e%2e/etc/passwd",
      "/assets/../../deno.json",
      "/assets/..%5c..%5cdeno.json",
      "//etc/passwd",
      "/etc/passwd%00.js",
      "/assets/a-1.js/../../deno.json",
      "/assets",
      "/assets/",
      "/.git/config",
      "/constructor",
      "/__proto__",
      "/%",
      "/%c0%ae%c0%ae/etc/passwd",
      `/${"a/".repeat(3000)}`,
      "http://elsewhere/../deno.json",
      "*",
    ];
    for (const target of targets) {
      const answer = await raw(server, get(target));
      const status = statusOf(answer);
      assert.ok(status === 400 || status === 404, `${target.slice(0, 60)}: ${answer.slice(0, 80)}`);
      assert.match(answer, /content-security-policy/i, target.slice(0, 60));
      assert.ok(!/root:|"tasks"|\[core\]|at .*\.ts/.test(answer), target.slice(0, 60));
    }
    assert.equal(statusOf(await raw(server, get("/index.html?x=../../deno.json"))), 200);
  }));

Deno.test("what is no request, or one too large, is refused, and the server goes on", () =>
  withServer({}, async (server) => {
    for (
      const [text, allowed] of [
        ["\r\n\r\nhello\r\n\r\n", [400]],
        ["GET / HTTP/9.9\r\n\r\n", [400, 505]],
        [`GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(40_000)}\r\n\r\n`, [431]],
        [get("/", "X: a\r\n".repeat(20_000)), [431, 400]],
        ["GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", [400]],
        ["GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", [400]],
        ["POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", [405]],
        ["DELETE /index.html HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", [405]],
        ["POST /predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc", [405]],
        [get("/openapi.json"), [404]],
      ] as const
    ) {
      const status = statusOf(await raw(server, text));
      assert.ok((allowed as readonly number[]).includes(status), `${JSON.stringify(text.slice(0, 50))}: ${status}`);
    }
    assert.equal(statusOf(await raw(server, get("/"))), 200);
  }));

Deno.test("a hundred clients that never finish their headers are let go, and others are served meanwhile", () =>
  withServer({ headersMs: 400, requestMs: 800 }, async (server) => {
    const slow = await Promise.all(Array.from({ length: 100 }, () => dial(server)));
    for (const { socket, closed } of slow) {
      socket.write("GET / HTTP/1.1\r\nHost: x\r\nX-a: ");
      // One byte now and then must not keep it alive.
      const drip = setInterval(() => socket.writable && socket.write("b"), 100);
      void closed.then(() => clearInterval(drip));
    }
    const meanwhile = await raw(server, get("/"));
    assert.equal(statusOf(meanwhile), 200);
    for (const answer of await Promise.all(slow.map(({ closed }) => closed))) {
      assert.match(answer, /^$|^HTTP\/1\.1 408/);
    }
    assert.equal(statusOf(await raw(server, get("/"))), 200);
  }));

Deno.test("a client that asks for much and reads nothing is let go", () =>
  withServer({ idleMs: 400 }, async (server) => {
    const { socket, closed } = await dial(server);
    socket.pause();
    socket.write(get("/large.bin"));
    // The other end has closed when its connection is gone there; only then is anything read here.
    while (await server.connections() > 0) await new Promise((resolve) => setTimeout(resolve, 20));
    socket.resume();
    const answer = await closed;
    assert.ok(answer.length < LARGE.length, `${answer.length} of ${LARGE.length} bytes`);
  }));

Deno.test("connections beyond the limit are refused, and the limit is free again afterwards", () =>
  withServer({ connections: 20 }, async (server) => {
    const held = await Promise.all(Array.from({ length: 20 }, () => dial(server)));
    while (await server.connections() < 20) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(await raw(server, get("/")), "");
    for (const { socket } of held) socket.destroy();
    await Promise.all(held.map(({ closed }) => closed));
    while (await server.connections() > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(statusOf(await raw(server, get("/"))), 200);
  }));

Deno.test("two thousand requests over fifty connections are all answered", () =>
  withServer({}, async (server) => {
    let right = 0;
    await Promise.all(Array.from({ length: 50 }, async () => {
      for (let i = 0; i < 40; i++) {
        const response = await fetch(`${server.url}${i % 2 ? "" : "assets/a-1.js"}`);
        if ((await response.text()).length > 0 && response.status === 200) right++;
      }
    }));
    assert.equal(right, 2000);
  }));

Deno.test("a port that is taken is said in one sentence", () =>
  withServer({}, async (server) => {
    await assert.rejects(
      startServer({ site, host: "127.0.0.1", port: server.port }),
      /^UsageError: 127\.0\.0\.1:\d+: cannot be listened on, another program listens there; choose another with --port\.$/,
    );
    assert.ok(DEFAULT_LIMITS.headersMs <= 15_000 && DEFAULT_LIMITS.requestMs <= 60_000);
  }));
