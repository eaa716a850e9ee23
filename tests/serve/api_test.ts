import assert from "node:assert/strict";
import { connect } from "node:net";
import { encodeWav } from "../../lib/audio/mod.ts";
import { packBundle } from "../../lib/bundle_archive.ts";
import { readBundle, readBundleFiles } from "../../lib/bundle_files.ts";
import { speak } from "../../lib/corpora/voice.ts";
import { predict } from "../../lib/predict.ts";
import { type ApiLimits, makeApi, RateLimit } from "../../lib/serve/api.ts";
import { type RunningServer, type ServerLimits, startServer } from "../../lib/serve/server.ts";
import type { Site } from "../../lib/serve/site.ts";
import { bundleFolder } from "../page/site_for_tests.ts";

const bundle = await readBundle(bundleFolder);
const bytes = packBundle(readBundleFiles(bundleFolder));
const site = {
  info: {},
  files: new Map(),
  bundles: new Map([["004-scaled", { bundle, bytes }]]),
} as unknown as Site;

const spoken = speak({ seed: 1, speaker: 2, emotion: "happy", sentence: 1, take: 1, sampleRateHz: 48000 });
const wav = new Uint8Array(encodeWav(spoken));

interface Limits {
  readonly api?: Partial<ApiLimits>;
  readonly server?: Partial<ServerLimits>;
}

function test(name: string, { api: apiLimits, server: limits }: Limits, fn: (server: RunningServer) => Promise<void>) {
  Deno.test(name, async () => {
    const api = makeApi(site, { perMinute: 6000, burst: 1000, perAddress: 16, ...apiLimits });
    const server = await startServer({ site, host: "127.0.0.1", port: 0, api, limits });
    try {
      await fn(server);
    } finally {
      await server.close();
    }
  });
}

const post = (server: RunningServer, body: BodyInit, type?: string, query = ""): Promise<Response> =>
  fetch(`${server.url}predict${query}`, { method: "POST", body, ...(type && { headers: { "content-type": type } }) });

/** The problem in an answer; nothing of the inside may show. */
async function problemOf(response: Response, status: number, code: string): Promise<string> {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.equal(response.headers.get("content-type"), "application/json; charset=utf-8");
  assert.equal(response.headers.get("x-content-type-options"), "nosniff");
  const { error } = JSON.parse(text);
  assert.equal(error.code, code);
  assert.match(error.message, /^[^\n]{5,300}\.$/);
  assert.ok(!/\.ts\b|\n +at |node_modules|\/home|\/work|\/tmp/.test(text), text);
  return error.message;
}

test("audio as it is and as a form get the answer that predict gives", {}, async (server) => {
  const expected = await predict(bundle, toSent(), { source: { container: "wav", bytes: wav.length } });
  const form = new FormData();
  form.set("file", new File([wav], "../evil/hello world.wav", { type: "audio/wav" }));
  for (const response of [await post(server, wav, "audio/wav"), await post(server, form)]) {
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("cache-control"), "no-store");
    const answer = await response.json();
    assert.equal(answer.emotion, expected.emotion);
    assert.equal(answer.abstained, expected.abstained);
    assert.deepEqual(answer.warnings, expected.warnings);
    assert.equal(answer.model, "004-scaled");
    assert.ok(!answer.file.includes("/"), answer.file);
    for (const [label, p] of Object.entries(expected.probabilities)) {
      assert.ok(Math.abs(answer.probabilities[label] - p) < 1e-6);
    }
  }
});

/** The samples as 16-bit WAV holds them. */
function toSent(): { samples: Float32Array; sampleRateHz: number } {
  const view = new DataView(wav.buffer, wav.byteLength - 2 * spoken.samples.length);
  return {
    samples: Float32Array.from(spoken.samples, (_, i) => view.getInt16(2 * i, true) / 32768),
    sampleRateHz: spoken.sampleRateHz,
  };
}

test("what cannot be judged is refused in one sentence of JSON", { api: { bodyBytes: 500_000 } }, async (server) => {
  assert.match(await problemOf(await post(server, "<!DOCTYPE html>", "audio/wav"), 422, "audio"), /HTML page/);
  await problemOf(await post(server, wav.slice(0, 3000), "audio/wav"), 422, "audio");
  await problemOf(await post(server, new Uint8Array(0), "audio/wav"), 422, "audio");
  await problemOf(await post(server, "{}", "application/json"), 415, "media-type");
  await problemOf(await post(server, "--x\r\n", "multipart/form-data; boundary=y"), 400, "multipart");
  await problemOf(await post(server, new FormData()), 400, "multipart");
  await problemOf(await post(server, wav, "audio/wav", "?model=../../etc"), 404, "model");
  await problemOf(await post(server, wav, "audio/wav", "?model=__proto__"), 404, "model");
  await problemOf(await post(server, new Uint8Array(500_001), "audio/wav"), 413, "too-large");
  const stream = new ReadableStream({
    start(controller) {
      for (let i = 0; i < 12; i++) controller.enqueue(new Uint8Array(50_000));
      controller.close();
    },
  });
  // Chunked: no length is declared, so it is counted.
  await problemOf(await post(server, stream, "audio/wav"), 413, "too-large");
  await problemOf(await fetch(`${server.url}predict`), 405, "method");
  const after = await post(server, wav, "audio/wav");
  assert.equal(after.status, 200, "and the next one is judged");
  await after.body!.cancel();
});

test("a recording that is too long or takes too long does not hold the others up", {
  api: { computeMs: 1 },
}, async (server) => {
  // A minute takes a hundred times the millisecond that is allowed.
  const minute = encodeWav({ samples: new Float32Array(60 * 48000).fill(0.1), sampleRateHz: 48000 });
  await problemOf(await post(server, new Uint8Array(minute), "audio/wav"), 422, "too-long");
});

test("longer recordings than allowed are refused", { api: { seconds: 1 } }, async (server) => {
  const message = await problemOf(await post(server, wav, "audio/wav"), 422, "audio");
  assert.match(message, /lasts 2 s; at most 1 s/);
});

test("an address may ask so often and is told when again", { api: { burst: 2, perMinute: 1 } }, async (server) => {
  for (let i = 0; i < 2; i++) await (await post(server, "x", "audio/wav")).text();
  const refused = await post(server, "x", "audio/wav");
  assert.ok(Number(refused.headers.get("retry-after")) >= 1);
  await problemOf(refused, 429, "rate");
});

test("a body that never ends is let go", { server: { requestMs: 400 } }, async (server) => {
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => {});
  const closed = new Promise<string>((resolve) => {
    let text = "";
    socket.on("data", (part: Uint8Array) => text += new TextDecoder().decode(part));
    socket.on("close", () => resolve(text));
  });
  socket.write("POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: audio/wav\r\nContent-Length: 1000\r\n\r\n");
  const drip = setInterval(() => socket.writable && socket.write("b"), 50);
  const text = await closed;
  clearInterval(drip);
  assert.ok(!text.includes("200 OK"), text);
  const after = await post(server, wav, "audio/wav");
  assert.equal(after.status, 200);
  await after.body!.cancel();
});

test("more recordings than may wait are turned away", { api: { queue: 2 } }, async (server) => {
  const answers = await Promise.all(Array.from({ length: 12 }, () => post(server, wav, "audio/wav")));
  const statuses = answers.map(({ status }) => status);
  await Promise.all(answers.map((answer) => answer.text()));
  assert.ok(statuses.every((status) => status === 200 || status === 503), statuses.join());
  assert.ok(statuses.filter((status) => status === 200).length >= 2, statuses.join());
  assert.ok(statuses.includes(503), statuses.join());
});

test("one address may not take every place", { api: { queue: 8, perAddress: 1 } }, async (server) => {
  const answers = await Promise.all(Array.from({ length: 6 }, () => post(server, wav, "audio/wav")));
  const statuses = answers.map(({ status }) => status);
  await Promise.all(answers.map((answer) => answer.text()));
  assert.ok(statuses.includes(200) && statuses.includes(503), statuses.join());
});

Deno.test("the rate limit fills again evenly, for each address apart, and forgets the oldest", () => {
  const limit = new RateLimit(60, 2, 2);
  assert.equal(limit.take("a", 0), 0);
  assert.equal(limit.take("a", 0), 0);
  assert.equal(limit.take("a", 0), 1);
  assert.equal(limit.take("b", 0), 0);
  assert.equal(limit.take("a", 1000), 0);
  assert.equal(limit.take("a", 1000), 1);
  assert.equal(limit.take("a", 1e9), 0, "it never holds more than the burst");
  assert.equal(limit.take("a", 1e9), 0);
  assert.equal(limit.take("a", 1e9), 1);
  limit.take("c", 1e9);
  limit.take("d", 1e9);
  assert.equal(limit.take("a", 1e9), 0, "a was forgotten");
});

type Json = { readonly [key: string]: Json } & { readonly type?: string; readonly items?: Json };

/** Whether a value is as a schema (of the few kinds that are used) says; the place where it is not. */
function mismatch(schema: Json, value: unknown, root: Json, path = "$"): string | null {
  const ref = schema["$ref"] as unknown as string | undefined;
  if (ref) {
    const target = ref.slice(2).split("/").reduce((at, name) => at?.[name] as Json, root);
    return target ? mismatch(target, value, root, path) : `${path}: no ${ref}`;
  }
  const kind = Array.isArray(value) ? "array" : typeof value;
  if (schema.type && schema.type !== kind && !(schema.type === "integer" && Number.isInteger(value))) {
    return `${path}: ${kind} for ${schema.type}`;
  }
  const choices = schema["enum"] as unknown as unknown[] | undefined;
  if (choices && !choices.includes(value)) return `${path}: ${value} is none of ${choices}`;
  if (kind === "array") {
    return (value as unknown[]).map((each, i) => mismatch(schema.items!, each, root, `${path}[${i}]`)).find(Boolean) ??
      null;
  }
  if (kind !== "object") return null;
  const members = value as Record<string, unknown>;
  const missing = ((schema["required"] ?? []) as unknown as string[]).find((name) => !(name in members));
  if (missing) return `${path}: no ${missing}`;
  for (const [name, each] of Object.entries(members)) {
    const own = schema["properties"]?.[name] ?? schema["additionalProperties"];
    if (!own) return `${path}: ${name} is not described`;
    const inside = mismatch(own as Json, each, root, `${path}.${name}`);
    if (inside) return inside;
  }
  return null;
}

test("the OpenAPI document is whole, and answers are as it says", {}, async (server) => {
  const response = await fetch(`${server.url}openapi.json`);
  const document = await response.json();
  assert.match(document.openapi, /^3\.1\.\d+$/);
  assert.ok(document.info.title && document.info.version);
  const operation = document.paths["/predict"].post;
  assert.ok(operation.operationId && operation.requestBody.content["multipart/form-data"]);
  for (const [status, { description }] of Object.entries<Json>(operation.responses)) {
    assert.match(status, /^[2-5]\d\d$/);
    assert.ok(description);
  }
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1]!);
  assert.ok(references.length > 5);
  for (const path of references) {
    assert.ok(path.split("/").reduce((at, name) => at?.[name], document), `${path} is there`);
  }
  const schema = (status: number) => operation.responses[status].content["application/json"].schema;
  const answer = await post(server, wav, "audio/wav");
  assert.equal(mismatch(schema(200), await answer.json(), document), null);
  const refusal = await post(server, "no", "audio/wav");
  assert.equal(mismatch(schema(refusal.status), await refusal.json(), document), null);
});
