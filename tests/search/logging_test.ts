import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../../lib/errors.ts";
import { mlflowLogger, openLoggers, tensorboardLogger, trialLog } from "../../lib/search/logging/mod.ts";
import {
  encodeEvent,
  encodeRecord,
  FILE_VERSION,
  scalars,
  sessionEnd,
  sessionStart,
} from "../../lib/search/logging/tensorboard.ts";

import type { TrialRecord } from "../../lib/search/types.ts";
import { serlab } from "../commands/run_cli.ts";
import { tinyCorpora } from "../study/small.ts";

const here = dirname(fileURLToPath(import.meta.url));
const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

// Written by tensorboard 2.21.0's own classes: tests/golden/make_tensorboard.py. Equal to the byte.
const golden = JSON.parse(readFileSync(join(here, "..", "golden", "tensorboard.json"), "utf8")) as Record<
  "version" | "start" | "scalars" | "end",
  string
>;
const TIME = 1.5e9;

Deno.test("event records are TensorBoard's own, byte for byte", () => {
  const record = (step: number, payload: Uint8Array): string => hex(encodeRecord(encodeEvent(TIME, step, payload)));
  assert.equal(record(0, FILE_VERSION), golden.version);
  assert.equal(record(0, sessionStart({ rate: 0.001, name: "é", on: true }, TIME)), golden.start);
  assert.equal(record(300, scalars({ loss: 0.125, valLoss: NaN })), golden.scalars);
  assert.equal(record(0, sessionEnd("failed", TIME)), golden.end);
});

Deno.test("a run is one event file in a folder of its own, whatever its name", async () => {
  const dir = mkdtempSync(join(tmpdir(), "serlab-log-"));
  try {
    const logger = tensorboardLogger(dir, { onNotice: assert.fail, now: () => TIME * 1000 });
    for (const name of ["a/1", "a/1", "../b: c"]) {
      const run = logger.start({ experiment: "x", name, params: { rate: 0.001, name: "é", on: true } });
      run.metrics(300, { loss: 0.125, valLoss: NaN });
      run.end("failed", "no reason");
      run.metrics(301, { loss: 1 });
    }
    await logger.close();
    assert.deepEqual(readdirSync(dir), ["x"]);
    assert.deepEqual(readdirSync(join(dir, "x")).sort(), ["_", "a"]);
    const [first, second, ...more] = readdirSync(join(dir, "x", "a", "1"));
    assert.deepEqual(more, []);
    assert.match(first!, /^events\.out\.tfevents\.1500000000\..+\.\d+\.\d+$/);
    for (const file of [first!, second!]) {
      const bytes = readFileSync(join(dir, "x", "a", "1", file));
      assert.equal(hex(bytes), golden.version + golden.start + golden.scalars + golden.end);
    }
    assert.equal(readdirSync(join(dir, "x", "_", "b_c")).length, 1);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

Deno.test("a folder that cannot be written is one line, and the runs go on", async () => {
  const dir = mkdtempSync(join(tmpdir(), "serlab-log-"));
  try {
    writeFileSync(join(dir, "file"), "");
    const notices: string[] = [];
    const logger = tensorboardLogger(join(dir, "file"), { onNotice: (line) => notices.push(line) });
    for (const name of ["a", "b"]) {
      const run = logger.start({ experiment: "x", name, params: {} });
      run.metrics(1, { loss: 1 });
      run.end("done");
    }
    await logger.close();
    assert.equal(notices.length, 1);
    assert.match(notices[0]!, /^TensorBoard: .*file cannot be written, .*; no more is logged there\.$/);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

interface Asked {
  readonly path: string;
  readonly body: Record<string, unknown>;
  readonly authorization: string | null;
}

/** A stand-in that answers as MLflow 3 does and keeps what it was asked. */
async function withMlflow(
  test: (url: string, asked: Asked[]) => Promise<void>,
  options: { readonly refuse?: (path: string) => Response | undefined; readonly existing?: boolean } = {},
): Promise<void> {
  const asked: Asked[] = [];
  let runs = 0;
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const { pathname, search } = new URL(request.url);
    const text = await request.text();
    asked.push({
      path: `${request.method} ${pathname}${search}`,
      body: text === "" ? {} : JSON.parse(text),
      authorization: request.headers.get("authorization"),
    });
    const refused = options.refuse?.(pathname);
    if (refused) return refused;
    switch (pathname) {
      case "/api/2.0/mlflow/experiments/create":
        return options.existing
          ? Response.json({ error_code: "RESOURCE_ALREADY_EXISTS", message: "it exists" }, { status: 400 })
          : Response.json({ experiment_id: "7" });
      case "/api/2.0/mlflow/experiments/get-by-name":
        return Response.json({ experiment: { experiment_id: "8", lifecycle_stage: "active" } });
      case "/api/2.0/mlflow/runs/create": {
        const run_id = `run${++runs}`;
        return Response.json({ run: { info: { run_id, artifact_uri: `mlflow-artifacts:/7/${run_id}/artifacts` } } });
      }
      default:
        return Response.json({});
    }
  });
  try {
    await test(`http://127.0.0.1:${server.addr.port}`, asked);
  } finally {
    await server.shutdown();
  }
}

Deno.test("MLflow gets experiment, run, parameters, metrics with steps, artifacts and the end, in order", async () => {
  await withMlflow(async (url, asked) => {
    const logger = mlflowLogger(`${url.replace("//", "//me:p%C3%A4ss@")}/`, { onNotice: assert.fail, now: () => 5 });
    const run = logger.start({
      experiment: "004-random-clean",
      name: "abc",
      params: { rate: 0.1, layers: [1, 2], "a:b": "c" },
      tags: { commit: "1" },
    });
    run.metrics(1, { loss: 0.5, valLoss: NaN });
    run.metrics(2, { loss: Infinity });
    run.artifact("a b/trial.json", '{"x":1}');
    run.end("failed", "the loss is NaN");
    await logger.close();
    const api = "/api/2.0/mlflow";
    assert.deepEqual(asked.map(({ path }) => path), [
      `POST ${api}/experiments/create`,
      `POST ${api}/runs/create`,
      `POST ${api}/runs/log-batch`,
      `POST ${api}/runs/log-batch`,
      `PUT ${api}-artifacts/artifacts/7/run1/artifacts/a%20b/trial.json`,
      `POST ${api}/runs/set-tag`,
      `POST ${api}/runs/update`,
    ]);
    const [create, start, params, metrics, artifact, reason, end] = asked.map(({ body }) => body);
    assert.deepEqual(create, { name: "004-random-clean" });
    assert.deepEqual(start, {
      experiment_id: "7",
      start_time: 5,
      run_name: "abc",
      tags: [{ key: "mlflow.source.name", value: "serlab" }, { key: "commit", value: "1" }],
    });
    assert.deepEqual(params, {
      run_id: "run1",
      params: [{ key: "rate", value: "0.1" }, { key: "layers", value: "[1,2]" }, { key: "a_b", value: "c" }],
    });
    assert.deepEqual(metrics, {
      run_id: "run1",
      metrics: [
        { key: "loss", value: 0.5, timestamp: 5, step: 1 },
        { key: "valLoss", value: "NaN", timestamp: 5, step: 1 },
        { key: "loss", value: "Infinity", timestamp: 5, step: 2 },
      ],
    });
    assert.deepEqual(artifact, { x: 1 });
    assert.deepEqual(reason, { run_id: "run1", key: "serlab.reason", value: "the loss is NaN" });
    assert.deepEqual(end, { run_id: "run1", status: "FAILED", end_time: 5 });
    assert.ok(asked.every(({ authorization }) => authorization === `Basic ${"bWU6cMOkc3M="}`));
  });
});

Deno.test("an experiment that is there already is used, and looked up once", async () => {
  await withMlflow(async (url, asked) => {
    const logger = mlflowLogger(url, { onNotice: assert.fail, token: "t" });
    for (const name of ["a", "b"]) logger.start({ experiment: "x y", name, params: {} }).end("done");
    await logger.close();
    assert.deepEqual(asked.map(({ path }) => path.replace(/^.*mlflow\//, "")), [
      "experiments/create",
      "experiments/get-by-name?experiment_name=x%20y",
      "runs/create",
      "runs/update",
      "runs/create",
      "runs/update",
    ]);
    assert.equal(asked[2]!.body.experiment_id, "8");
    assert.ok(asked.every(({ authorization }) => authorization === "Bearer t"));
  }, { existing: true });
});

Deno.test("long curves go in batches that MLflow takes", async () => {
  await withMlflow(async (url, asked) => {
    const logger = mlflowLogger(url, { onNotice: assert.fail });
    const params = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`p${i}`, i]));
    const run = logger.start({ experiment: "x", name: "a", params });
    for (let step = 1; step <= 1250; step++) run.metrics(step, { a: step, b: -step });
    run.end("done");
    await logger.close();
    const batches = asked.filter(({ path }) => path.endsWith("log-batch")).map(({ body }) => body);
    const sizes = batches.map((body) => (body.metrics ?? body.params as unknown[]) as unknown[]).map((all) =>
      all.length
    );
    assert.deepEqual(sizes, [100, 50, 1000, 1000, 500]);
  });
});

Deno.test("a server that is down, refuses, or is none is one line that holds no password, and the runs go on", async () => {
  const log = async (url: string): Promise<string[]> => {
    const notices: string[] = [];
    const logger = openLoggers({ mlflow: url, onNotice: (line) => notices.push(line) });
    for (const name of ["a", "b"]) {
      const run = logger.start({ experiment: "x", name, params: {} });
      run.metrics(1, { loss: 1 });
      run.end("done");
    }
    await logger.close();
    return notices;
  };
  const one = async (url: string, rule: RegExp): Promise<void> => {
    const notices = await log(url);
    assert.equal(notices.length, 1, notices.join("\n"));
    assert.match(notices[0]!, /^MLflow: http:\/\/127.*; no more is logged there\.$/);
    assert.match(notices[0]!, rule);
    assert.ok(!notices[0]!.includes("secret") && !notices[0]!.includes("\n"));
  };
  // A port that was free a moment ago.
  const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  await one(`http://me:secret@127.0.0.1:${port}`, /connection/);
  await withMlflow((url) => one(url.replace("//", "//me:secret@"), /password/), {
    refuse: () => new Response("<html>no</html>", { status: 401 }),
  });
  await withMlflow((url) => one(url, /refused \(500: out of disk\)/), {
    refuse: (path) =>
      path.endsWith("runs/create") ? Response.json({ message: "out of disk." }, { status: 500 }) : undefined,
  });
  await withMlflow((url) => one(url, /no MLflow server/), { refuse: () => new Response("<html>hello</html>") });
});

Deno.test("an address that is none is refused at once", () => {
  for (const url of ["localhost:5000", "ftp://me:secret@host", "nonsense"]) {
    assert.throws(() => openLoggers({ mlflow: url, onNotice: assert.fail }), (error) => {
      assert.ok(error instanceof UsageError);
      assert.match(error.message, /^--mlflow takes the address of a server/);
      return !error.message.includes("secret");
    });
  }
});

Deno.test("a sweep logs each trial once, when nothing can change it any more, and ends well without its server", async () => {
  const dir = mkdtempSync(join(tmpdir(), "serlab-log-"));
  try {
    const args = ["sweep", "hill", "--method", "halving", "--trials", "9", "--out", join(dir, "out")];
    const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    const { port } = listener.addr as Deno.NetAddr;
    listener.close();
    const logs = ["--tensorboard", join(dir, "log"), "--mlflow", `http://127.0.0.1:${port}`];
    const { code, err } = await serlab([...args, ...logs]);
    assert.equal(code, 0, err);
    assert.equal(err.split("\n").filter((line) => line.startsWith("MLflow: http://127.0.0.1")).length, 1, err);
    const folder = join(dir, "log", "hill-halving-function");
    const runs = readdirSync(folder).sort();
    const trials = readdirSync(join(dir, "out", "sweeps", "hill-halving-function", "trials")).sort();
    assert.deepEqual(runs.map((hash) => `${hash}.json`), trials.filter((name) => name.endsWith(".json")));
    assert.equal(runs.length, 9);
    for (const run of runs) assert.equal(readdirSync(join(folder, run)).length, 1);
    // The same command has nothing to do, and nothing to log.
    assert.equal((await serlab([...args, ...logs.slice(0, 2)])).code, 0);
    for (const run of runs) assert.equal(readdirSync(join(folder, run)).length, 1);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

Deno.test("a study logs each run with its epochs and its result, and a run that was there not again", async () => {
  const dir = mkdtempSync(join(tmpdir(), "serlab-log-"));
  try {
    const args = ["study", "004", "--variant", "scaled", "--protocol", "as-published", "--seeds", "1", "--epochs", "2"]
      .concat("--corpora", tinyCorpora({ ravdess: 4 }), "--allow-incomplete", "--no-cache", "--out", join(dir, "out"))
      .concat("--tensorboard", join(dir, "log"));
    const first = await serlab(args);
    assert.equal(first.code, 0, first.err);
    const folder = join(dir, "log", "004-as-published", "scaled-s0");
    const [file, ...more] = readdirSync(folder);
    assert.deepEqual(more, []);
    const text = new TextDecoder("latin1").decode(readFileSync(join(folder, file!)));
    // Tags in the order of the events: twice an epoch's, then the result.
    const tags = [
      ...text.matchAll(/fold0\/loss|fold0\/accuracy|(?<!\/)accuracy|uar|_hparams_\/session_(?:start|end)_info/g),
    ];
    assert.deepEqual(tags.map(([tag]) => tag), [
      "_hparams_/session_start_info",
      "fold0/loss",
      "fold0/accuracy",
      "fold0/loss",
      "fold0/accuracy",
      "accuracy",
      "uar",
      "_hparams_/session_end_info",
    ]);
    const again = await serlab(args);
    assert.match(again.err, /was there/);
    assert.equal(readdirSync(folder).length, 1);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

Deno.test("what a logger is told of a trial are its configuration, its curves, its scores and its end", () => {
  const told: unknown[] = [];
  const log = trialLog({
    start: (run) => {
      told.push(run);
      return {
        metrics: (step, values) => told.push([step, values]),
        artifact: (name) => told.push(name),
        end: (status, reason) => told.push([status, reason]),
      };
    },
    close: () => Promise.resolve(),
  }, "hill-halving-none");
  const trial: TrialRecord = {
    format: "serlab-trial",
    version: 1,
    hash: "abc",
    status: "waiting",
    role: "candidate",
    number: 0,
    study: "hill",
    variant: "function",
    protocol: "none",
    fold: 2,
    config: { rate: 0.1 },
    score: 0.5,
    metric: "uar",
    seed: 7,
    threads: 1,
    epochs: 3,
    rungs: [{ epochs: 3, score: 0.5, seconds: 1 }],
    seconds: 1,
    reason: null,
    history: [{ epoch: 1, loss: 2, valLoss: null }, { epoch: 3, loss: 1 }],
    predictions: null,
    worker: "w",
    engine: "wasm",
    peakMemoryMb: 1,
  };
  log.saw(trial);
  assert.deepEqual(told, []);
  const last: TrialRecord = { ...trial, status: "pruned", reason: "rank 2 of 3" };
  log.end([last, { ...last, hash: "of an earlier run" }]);
  log.end([last]);
  assert.deepEqual(told, [
    {
      experiment: "hill-halving-none",
      name: "abc",
      params: { rate: 0.1, fold: 2, seed: 7, threads: 1 },
      tags: { study: "hill", variant: "function", protocol: "none", role: "candidate", engine: "wasm", worker: "w" },
    },
    [1, { loss: 2 }],
    [3, { loss: 1 }],
    [3, { score_uar: 0.5 }],
    [0, { seconds: 1 }],
    "trial.json",
    ["pruned", "rank 2 of 3"],
  ]);
});

const real = Deno.env.get("MLFLOW_TRACKING_URI") ?? "";

// MLflow is optional: the test exists where a server is named.
const againstReal: Deno.TestDefinition = {
  name: "a real MLflow server (MLFLOW_TRACKING_URI) holds what was logged",
  fn: async () => {
    const experiment = `serlab test ${crypto.randomUUID()}`;
    const logger = mlflowLogger(real, { onNotice: assert.fail });
    const run = logger.start({ experiment, name: "a", params: { rate: 0.1 }, tags: { backend: "wasm" } });
    run.metrics(1, { loss: 0.5, valLoss: NaN });
    run.metrics(2, { loss: 0.25 });
    run.artifact("trial.json", "{}");
    run.end("pruned", "others were better");
    await logger.close();
    const api = `${real.replace(/\/+$/, "")}/api/2.0/mlflow`;
    const found = await (await fetch(
      `${api}/experiments/get-by-name?experiment_name=${encodeURIComponent(experiment)}`,
    )).json();
    const { runs } = await (await fetch(`${api}/runs/search`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ experiment_ids: [found.experiment.experiment_id] }),
    })).json();
    assert.equal(runs.length, 1);
    assert.equal(runs[0].info.status, "KILLED");
    assert.equal(runs[0].info.run_name, "a");
    assert.deepEqual(runs[0].data.params, [{ key: "rate", value: "0.1" }]);
    const loss = runs[0].data.metrics.find(({ key }: { key: string }) => key === "loss");
    assert.equal(loss.value, 0.25);
    assert.equal(loss.step, 2);
    const history = await (await fetch(`${api}/metrics/get-history?run_id=${runs[0].info.run_id}&metric_key=loss`))
      .json();
    assert.deepEqual(history.metrics.map(({ step }: { step: number }) => Number(step)), [1, 2]);
    await (await fetch(`${api}/experiments/delete`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ experiment_id: found.experiment.experiment_id }),
    })).body?.cancel();
  },
};
if (/^https?:/.test(real)) Deno.test(againstReal);
