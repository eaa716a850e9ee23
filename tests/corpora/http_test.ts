import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CorpusError, WriteError } from "../../lib/errors.ts";
import { sha256Hex } from "../../lib/io.ts";
import { downloadFile } from "../../lib/corpora/http.ts";
import { type HostReply, type HostRequest, serveFile, withHost } from "./host.ts";
import { inFolder, writeFiles } from "./temporary.ts";

const content = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 2654435761) >>> 24);
const md5 = createHash("md5").update(content).digest("hex");
const quick = { pauseSec: 0.01, stallSec: 0.3, attempts: 3 };

/** A download from a host of its own, into a folder of its own. */
function scene(
  answer: (request: HostRequest, reply: HostReply) => Promise<void>,
  work: (url: string, path: string, requests: readonly HostRequest[], dir: string) => Promise<void>,
): Promise<void> {
  return inFolder((dir) =>
    withHost(answer, (url, requests) => work(`${url}/file`, join(dir, "new", "file"), requests, dir))
  );
}

function assertWhole(path: string): void {
  assert.equal(sha256Hex(readFileSync(path)), sha256Hex(content));
  assert.deepEqual(readdirSync(join(path, "..")), ["file"]);
}

Deno.test("a file comes whole, with progress, and nothing else stays", async () => {
  await scene((request, reply) => serveFile(request, reply, content), async (url, path) => {
    const progress: (number | undefined)[][] = [];
    await downloadFile(url, path, { md5, bytes: content.length, onProgress: (...step) => progress.push(step) });
    assertWhole(path);
    assert.deepEqual(progress.at(-1), [content.length, content.length]);
    assert.ok(progress.every(([done], i) => i === 0 || done! >= progress[i - 1]![0]!));
  });
});

Deno.test("a connection that is cut is continued from where it stopped, on condition of the same version", async () => {
  await scene(
    (request, reply) =>
      serveFile(request, reply, content, request.number < 4 ? { upTo: 60_000 * (request.number + 1) } : {}),
    async (url, path, requests) => {
      await downloadFile(url, path, quick);
      assertWhole(path);
      assert.equal(requests.length, 5);
      assert.deepEqual(requests.map((request) => request.headers.get("range")), [
        null,
        "bytes=60000-",
        "bytes=120000-",
        "bytes=180000-",
        "bytes=240000-",
      ]);
      assert.equal(requests[1]!.headers.get("if-range"), '"1"');
    },
  );
});

Deno.test("a host that stalls is left after a while and asked again", async () => {
  await scene(async (request, reply) => {
    if (request.number === 0) {
      await serveFile(request, reply, content, { upTo: 100_000 });
      await reply.stall();
    } else if (request.number === 1) await reply.stall();
    else await serveFile(request, reply, content);
  }, async (url, path, requests) => {
    const start = performance.now();
    await downloadFile(url, path, quick);
    assertWhole(path);
    assert.equal(requests[2]!.headers.get("range"), "bytes=100000-");
    const seconds = (performance.now() - start) / 1000;
    assert.ok(seconds > 0.5 && seconds < 5, `${seconds} s`);
  });
});

Deno.test("a host that never gets further is given up, what came is kept, and the next call goes on", async () => {
  let broken = true;
  await scene(
    (request, reply) => serveFile(request, reply, content, broken ? { upTo: 50_000 } : {}),
    async (url, path, requests) => {
      await assert.rejects(downloadFile(url, path, { ...quick, md5 }), (error) => {
        assert.ok(error instanceof CorpusError);
        assert.match(error.message, /cannot be downloaded, .*go on from 50000 bytes\.$/);
        return true;
      });
      assert.equal(readFileSync(`${path}.partial`).length, 50_000);
      assert.ok(!existsSync(path));
      broken = false;
      const before = requests.length;
      await downloadFile(url, path, { ...quick, md5 });
      assert.equal(requests[before]!.headers.get("range"), "bytes=50000-");
      assertWhole(path);
    },
  );
});

Deno.test("a host that ignores ranges is taken from the start again, not joined to what was there", async () => {
  await scene(async (request, reply) => {
    await reply.head("200 OK", { "content-length": content.length, etag: '"x"' });
    await reply.body(content.subarray(0, request.number === 0 ? 70_000 : content.length));
  }, async (url, path, requests) => {
    await downloadFile(url, path, quick);
    assert.equal(requests[1]!.headers.get("range"), "bytes=70000-");
    assertWhole(path);
  });
});

Deno.test("a file that changed on the host between two requests is not joined to the old one", async () => {
  const old = content.map((byte) => byte ^ 255);
  await scene(
    (request, reply) =>
      request.number === 0
        ? serveFile(request, reply, old, { etag: '"old"', upTo: 90_000 })
        : serveFile(request, reply, content, { etag: '"new"' }),
    async (url, path) => {
      await downloadFile(url, path, quick);
      assertWhole(path);
    },
  );
});

Deno.test("pieces that do not fit together are found by the checksum, and the file is taken in one piece", async () => {
  const old = content.map((byte) => byte ^ 255);
  await scene(async (request, reply) => {
    // A host without any mark of the version: only the checksum can tell.
    const range = /(\d+)-/.exec(request.headers.get("range") ?? "")?.[1];
    const from = Number(range ?? 0);
    const bytes = request.number === 0 ? old : content;
    await reply.head(range ? "206 Partial Content" : "200 OK", {
      "content-length": bytes.length - from,
      ...(range ? { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    await reply.body(bytes.subarray(from, request.number === 0 ? 90_000 : bytes.length));
  }, async (url, path, requests) => {
    await downloadFile(url, path, { ...quick, md5 });
    assert.deepEqual(requests.map((request) => request.headers.get("range")), [null, "bytes=90000-", null]);
    assertWhole(path);
  });
});

Deno.test("without a mark of the version and without a checksum, nothing is joined", async () => {
  await scene(async (request, reply) => {
    await reply.head("200 OK", { "content-length": content.length });
    await reply.body(content.subarray(0, request.number === 0 ? 90_000 : content.length));
  }, async (url, path, requests) => {
    await downloadFile(url, path, quick);
    assert.deepEqual(requests.map((request) => request.headers.get("range")), [null, null]);
    assertWhole(path);
  });
});

Deno.test("a wrong part is refused, and taken from the start", async () => {
  await scene(async (request, reply) => {
    if (request.number === 1) {
      await reply.head("206 Partial Content", {
        etag: '"1"',
        "content-range": `bytes 0-9/${content.length}`,
        "content-length": 10,
      });
      await reply.body(content.subarray(0, 10));
    } else await serveFile(request, reply, content, request.number === 0 ? { upTo: 80_000 } : {});
  }, async (url, path) => {
    await downloadFile(url, path, quick);
    assertWhole(path);
  });
});

Deno.test("a part that is whole already is not asked for again in vain", async () => {
  await scene((request, reply) => serveFile(request, reply, content), async (url, path) => {
    writeFiles(join(path, ".."), { "file.partial": content });
    await downloadFile(url, path, { ...quick, md5 });
    assertWhole(path);
  });
});

Deno.test("a wrong checksum is an error, and nothing of it is kept", async () => {
  await scene((request, reply) => serveFile(request, reply, content), async (url, path, requests) => {
    await assert.rejects(
      downloadFile(url, path, { ...quick, md5: "0".repeat(32) }),
      (error) =>
        error instanceof CorpusError &&
        /has the MD5 [0-9a-f]{32} instead of 0{32}; it was thrown away\.$/.test(error.message),
    );
    assert.equal(requests.length, 1);
    await assert.rejects(downloadFile(url, path, { ...quick, sha256: "0".repeat(64) }), /has the SHA-256/);
    assert.deepEqual(readdirSync(join(path, "..")), []);
  });
});

Deno.test("a host that lies about the length is found out: offers another size, sends more, sends less", async () => {
  await scene((request, reply) => serveFile(request, reply, content), async (url, path) => {
    await assert.rejects(
      downloadFile(url, path, { ...quick, bytes: 299_999 }),
      /offers 300000 bytes where 299999 are expected/,
    );
    assert.deepEqual(readdirSync(join(path, "..")), []);
    await assert.rejects(
      downloadFile(url, path, { ...quick, maxBytes: 1000 }),
      /offers 300000 bytes; at most 1000 are taken/,
    );
  });
  await scene(async (_request, reply) => {
    await reply.head("200 OK"); // no length: it ends when the connection does
    await reply.body(content);
  }, async (url, path) => {
    await assert.rejects(downloadFile(url, path, { ...quick, bytes: 1000, md5 }), /sends more than the 1000 bytes/);
    await assert.rejects(downloadFile(url, path, { ...quick, maxBytes: 1000 }), /sends more than the 1000 bytes/);
    await assert.rejects(downloadFile(url, path, { ...quick, bytes: 400_000 }), /ended after 300000 of 400000 bytes/);
    assert.ok(!existsSync(path));
  });
  await scene(async (_request, reply) => {
    await reply.head("200 OK", { "content-length": 1e15 });
    await reply.body("x");
  }, async (url, path) => {
    await assert.rejects(downloadFile(url, path, quick), /offers 1000000000000000 bytes; at most/);
  });
});

Deno.test("an answer that will not change is not asked for twice; one that may is", async () => {
  await scene(
    (_request, reply) => reply.head("404 Not Found", { "content-length": 0 }),
    async (url, path, requests) => {
      await assert.rejects(
        downloadFile(url, path, quick),
        /file: the host answers 404 Not Found, so it cannot be fetched\./,
      );
      assert.equal(requests.length, 1);
    },
  );
  await scene(async (request, reply) => {
    if (request.number < 2) await reply.head("503 Service Unavailable", { "retry-after": "0.01", "content-length": 0 });
    else await serveFile(request, reply, content);
  }, async (url, path) => {
    await downloadFile(url, path, quick);
    assertWhole(path);
  });
});

Deno.test("a refusal of the host does not cost what was downloaded before", async () => {
  await scene(async (request, reply) => {
    if (request.number === 1) await reply.head("403 Forbidden", { "content-length": 0 });
    else await serveFile(request, reply, content, request.number === 0 ? { upTo: 80_000 } : {});
  }, async (url, path, requests) => {
    await assert.rejects(downloadFile(url, path, quick), /403/);
    await downloadFile(url, path, quick);
    assert.equal(requests[2]!.headers.get("range"), "bytes=80000-");
    assertWhole(path);
  });
});

Deno.test("stopping keeps what came for the next call", async () => {
  await scene(async (request, reply) => {
    await serveFile(request, reply, content, request.number === 0 ? { upTo: 100_000 } : {});
    if (request.number === 0) await reply.stall();
  }, async (url, path, requests) => {
    const controller = new AbortController();
    const reason = new Error("stopped");
    const onProgress = (done: number) => {
      if (done >= 100_000) controller.abort(reason);
    };
    await assert.rejects(downloadFile(url, path, { stallSec: 5, signal: controller.signal, onProgress }), reason);
    await downloadFile(url, path, quick);
    assert.equal(requests[1]!.headers.get("range"), "bytes=100000-");
    assertWhole(path);
    const stopped = AbortSignal.abort(reason);
    await assert.rejects(downloadFile(url, `${path}2`, { signal: stopped }), reason);
  });
});

Deno.test("a host that is not there, and a place that cannot be written, are one sentence each", async () => {
  await inFolder(async (dir) => {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr as Deno.NetAddr;
    listener.close();
    await assert.rejects(
      downloadFile(`http://127.0.0.1:${port}/x`, join(dir, "x"), quick),
      (error) => error instanceof CorpusError && /cannot be downloaded, .*go on from 0 bytes\.$/.test(error.message),
    );
    assert.deepEqual(readdirSync(dir), []);
    writeFileSync(join(dir, "file"), "");
    await assert.rejects(downloadFile(`http://127.0.0.1:${port}/x`, join(dir, "file", "x"), quick), WriteError);
  });
});
