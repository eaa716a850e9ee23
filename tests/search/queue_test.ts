import assert from "node:assert/strict";
import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { Queue } from "bullmq";
import { findSearch } from "../../experiments/searches.ts";
import { workerArgs } from "../../lib/commands/sweep.ts";
import { UsageError } from "../../lib/errors.ts";
import { localExecutor } from "../../lib/search/local.ts";
import { type Connection, connectRedis, QueueError, redisAddress } from "../../lib/search/queue/connection.ts";
import { queueExecutor, type QueueExecutorOptions } from "../../lib/search/queue/executor.ts";
import {
  beat,
  codeHash,
  misfit,
  needsOf,
  queueName,
  readBoard,
  removeForgotten,
  storeOutcome,
  sweepKeys,
  type SweepNeeds,
} from "../../lib/search/queue/protocol.ts";
import { processRunner } from "../../lib/search/queue/runner.ts";
import { type ServeOptions, serveTrials } from "../../lib/search/queue/worker.ts";
import { restrict } from "../../lib/search/space.ts";
import { runSweep, type SweepRequest } from "../../lib/search/sweep.ts";
import { makeJob, ownLock, SEARCH_VERSION } from "../../lib/search/trial.ts";
import type { Executor, TrialJob, TrialOutcome, TrialRecord } from "../../lib/search/types.ts";
import { prepare } from "../../lib/study/run.ts";
import { root, serlab, start } from "../commands/run_cli.ts";
import { smallCorpus, temporaryFolder } from "../study/small.ts";
import { hillJobs, hillOutcome, IDENTITY, kept } from "./queue_child.ts";
import { runFaults } from "./queue_faults.ts";
import { freePort, hasRedis, type RedisServer, startRedis } from "./redis_server.ts";

/** A test with a server of its own. */
function redisTest(name: string, fn: (redis: RedisServer) => Promise<void>, args: readonly string[] = []): void {
  Deno.test({
    name: `[redis] ${name}`,
    ignore: !hasRedis,
    fn: async () => {
      const redis = await startRedis(args);
      try {
        await fn(redis);
      } finally {
        await redis.stop();
      }
    },
  });
}

/** A worker in this process; ends with the function it returns. */
function serve(url: string, options: Partial<ServeOptions> = {}): () => Promise<void> {
  const abort = new AbortController();
  const served = serveTrials(url, {
    identity: () => Promise.resolve(IDENTITY),
    slots: 2,
    check: () => Promise.resolve(null),
    onNotice: () => {},
    runner: { run: hillOutcome },
    signal: abort.signal,
    ...options,
  });
  served.catch(() => {});
  return async () => {
    abort.abort();
    await served;
  };
}

const executorFor = (url: string, options: QueueExecutorOptions = {}): Promise<Executor> =>
  queueExecutor(url, { code: IDENTITY.code, ...options });

/** Runs jobs and returns what a sweep would keep; a job that ends twice fails the test. */
async function collect(
  executor: Executor,
  jobs: readonly TrialJob[],
  signal?: AbortSignal,
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  await executor.run(jobs, {
    onStart: () => {},
    onOutcome: (job, outcome) => {
      assert.ok(!found.has(job.id), `${job.id} ended twice`);
      found.set(job.id, kept(outcome));
    },
    ...(signal ? { signal } : {}),
  });
  return found;
}

async function undisturbed(jobs: readonly TrialJob[]): Promise<Map<string, string>> {
  return new Map(await Promise.all(jobs.map(async (job) => [job.id, kept(await hillOutcome(job))] as const)));
}

const sorted = (map: ReadonlyMap<string, string>): [string, string][] => [...map].sort();

redisTest("every job ends once with its own outcome, and nothing stays in Redis", async (redis) => {
  const notices: string[] = [], started = new Set<string>(), jobs = hillJobs(400);
  const executor = await executorFor(redis.url, { window: 100, onNotice: (line) => notices.push(line) });
  const stop = serve(redis.url);
  const found = new Map<string, string>();
  await executor.run(jobs, {
    onStart: ({ id }, worker) => void (started.add(id), assert.match(worker, /./)),
    onOutcome: ({ id }, outcome) => {
      assert.ok(!found.has(id) && started.has(id));
      assert.match(outcome.worker ?? "", /./);
      found.set(id, kept(outcome));
    },
  });
  assert.deepEqual(sorted(found), sorted(await undisturbed(jobs)));
  // Whether the worker was there first is open.
  assert.ok(notices.length <= 1, notices.join("\n"));
  await stop();
  await executor.close();
  const connection = await connectRedis(redis.url, { onNotice: assert.fail });
  assert.deepEqual(await connection.redis.keys("*"), []);
  connection.close();
});

redisTest("a sweep that is interrupted leaves nothing to begin, and goes on where it was", async (redis) => {
  const jobs = hillJobs(60), abort = new AbortController();
  // Trials of the first run wait for this, so that some are running when the sweep ends.
  let release = (): void => {};
  const held = new Promise<void>((resolve) => release = resolve);
  let running = 0;
  const stop = serve(redis.url, {
    runner: {
      run: async (job) => {
        if (job.seed >= 20) {
          if (++running === 2) abort.abort(new Error("enough"));
          await held;
        }
        return await hillOutcome(job);
      },
    },
  });
  const first = await executorFor(redis.url), found = new Map<string, string>();
  await assert.rejects(
    first.run(jobs, {
      onStart: () => {},
      onOutcome: (job, outcome) => void found.set(job.id, kept(outcome)),
      signal: abort.signal,
    }),
    /enough/,
  );
  await first.close();
  assert.ok(found.size <= 20);
  assert.equal(running, 2);
  release();
  const second = await executorFor(redis.url);
  const rest = await collect(second, jobs.filter(({ id }) => !found.has(id)));
  assert.deepEqual(sorted(new Map([...found, ...rest])), sorted(await undisturbed(jobs)));
  await second.close();
  await stop();
});

redisTest("a sweep that is interrupted before anything has begun leaves nothing at all", async (redis) => {
  const abort = new AbortController(), connection = await connectRedis(redis.url, { onNotice: assert.fail });
  const executor = await executorFor(redis.url), jobs = hillJobs(3);
  const running = collect(executor, jobs, abort.signal);
  running.catch(() => {});
  const queue = queueName(needsOf(jobs[0]!, IDENTITY.code, null));
  while (await connection.redis.llen(`{serlab}:${queue}:wait`) < 3) await new Promise((r) => setTimeout(r, 10));
  abort.abort(new Error("enough"));
  await assert.rejects(running, /enough/);
  await executor.close();
  assert.deepEqual(await connection.redis.keys("*"), []);
  // And what a killed coordinator left is no reason for a worker of another version to end.
  const needs = needsOf(jobs[0]!, "old", null), notices: string[] = [];
  await beat(connection.redis, "sweeps", queueName(needs), needs);
  const [seconds] = await connection.redis.time();
  await connection.redis.zadd("{serlab}:sweeps:seen", 1000 * (Number(seconds) - 3600), queueName(needs));
  const stop = serve(redis.url, { onNotice: (line) => notices.push(line) });
  while (notices.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.match(notices[0]!, /^This worker takes no trial of hill-random-none: its serlab is another one/);
  await stop();
  connection.close();
});

redisTest("a worker that is asked to end gives its trials back, and that is no loss", async (redis) => {
  const executor = await executorFor(redis.url), jobs = hillJobs(4);
  let begun = (): void => {};
  const isBegun = new Promise<void>((resolve) => begun = resolve);
  const stopFirst = serve(redis.url, {
    losses: 1,
    runner: {
      run: (_, signal) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason));
          begun();
        }),
    },
  });
  const found = collect(executor, jobs);
  await isBegun;
  await stopFirst();
  const stopSecond = serve(redis.url, { losses: 1 });
  assert.deepEqual(sorted(await found), sorted(await undisturbed(jobs)));
  await stopSecond();
  await executor.close();
});

redisTest("the lock of a trial is renewed while it runs", async (redis) => {
  const connection = await connectRedis(redis.url, { onNotice: assert.fail });
  const [job] = hillJobs(1), queue = queueName(needsOf(job!, IDENTITY.code, null));
  const lock = `{serlab}:${queue}:${job!.id}:lock`;
  let renewals = 0;
  const stop = serve(redis.url, {
    lockSec: 4,
    runner: {
      run: async (job, signal) => {
        for (let before = Infinity; renewals === 0 && !signal.aborted;) {
          const left = await connection.redis.pttl(lock);
          if (left > before) renewals++;
          before = left;
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        return await hillOutcome(job);
      },
    },
  });
  const executor = await executorFor(redis.url);
  assert.equal((await collect(executor, [job!])).size, 1);
  assert.equal(renewals, 1);
  await stop();
  await executor.close();
  connection.close();
});

redisTest("a connection that breaks is made again, and that of one client is no loss of the server", async (redis) => {
  const notices: string[] = [], jobs = hillJobs(200);
  const executor = await executorFor(redis.url, {
    giveUpSec: 0.01,
    askAfterSec: 0.5,
    onNotice: (line) => notices.push(line),
  });
  const connection = await connectRedis(redis.url, { onNotice: assert.fail });
  let ended = 0;
  const stop = serve(redis.url, {
    runner: {
      run: async (job) => {
        // Those that wait for messages, again and again; the one that sends commands stays.
        if (ended++ % 20 === 0) {
          const list = await connection.redis.client("LIST") as string;
          for (const [, id] of list.matchAll(/^id=(\d+) .*cmd=(?:blpop|bzpopmin) /gm)) {
            await connection.redis.client("KILL", "ID", id!);
          }
        }
        return await hillOutcome(job);
      },
    },
  });
  assert.deepEqual(sorted(await collect(executor, jobs)), sorted(await undisturbed(jobs)));
  assert.ok(notices.every((line) => /^No worker is there/.test(line)), notices.join("\n"));
  await stop();
  await executor.close();
  connection.close();
});

redisTest("what the server has lost is sent again", async (redis) => {
  const jobs = hillJobs(30), notices: string[] = [];
  const executor = await executorFor(redis.url, { askAfterSec: 0.2, onNotice: (line) => notices.push(line) });
  const found = collect(executor, jobs);
  const connection = await connectRedis(redis.url, { onNotice: assert.fail });
  const queue = queueName(needsOf(jobs[0]!, IDENTITY.code, null));
  while (await connection.redis.llen(`{serlab}:${queue}:wait`) < jobs.length) {
    await new Promise((r) => setTimeout(r, 10));
  }
  assert.deepEqual(notices, [
    `No worker is there for hill-random-none yet: deno task worker --redis ${redis.url}`,
  ]);
  await connection.redis.flushall();
  // The next sign of life of the coordinator puts the sweep on its board again; the test does not wait for it.
  await beat(connection.redis, "sweeps", queue, needsOf(jobs[0]!, IDENTITY.code, null));
  const stop = serve(redis.url);
  assert.deepEqual(sorted(await found), sorted(await undisturbed(jobs)));
  await stop();
  await executor.close();
  connection.close();
});

redisTest("of two outcomes of a job the first is kept, and none of a sweep that is closed", async (redis) => {
  const connection = await connectRedis(redis.url, { onNotice: assert.fail });
  const [job] = hillJobs(1), needs = needsOf(job!, "code", null), queue = queueName(needs);
  assert.equal(await storeOutcome(connection.redis, queue, job!.id, "early"), false);
  await beat(connection.redis, "sweeps", queue, needs);
  assert.deepEqual([...await readBoard<SweepNeeds>(connection.redis, "sweeps", 60)], [[queue, needs]]);
  assert.equal(await storeOutcome(connection.redis, queue, job!.id, "first"), true);
  assert.equal(await storeOutcome(connection.redis, queue, job!.id, "second"), false);
  assert.equal(await connection.redis.hget(sweepKeys(queue).outcomes, job!.id), "first");
  assert.equal(await connection.redis.llen(sweepKeys(queue).ready), 1);
  connection.close();
});

redisTest("three kills, of a worker, the coordinator and Redis: every trial ends once, as undisturbed", async () => {
  const report = await runFaults({ jobs: 60, faults: 3, seed: 4, ms: 20 });
  assert.deepEqual(report.killed, { worker: 1, coordinator: 1, redis: 1 });
  const { missing, double, different } = report;
  assert.deepEqual({ missing, double, different }, { missing: 0, double: 0, different: 0 });
});

redisTest("a trial that kills its worker twice has failed, with its reason; the others are done", async (redis) => {
  const jobs = hillJobs(6), poison = jobs[2]!;
  const executor = await executorFor(redis.url, { askAfterSec: 1 });
  const found = collect(executor, jobs);
  const child = join(root, "tests", "search", "queue_child.ts");
  let deaths = 0, over = false;
  // Killed by its trial, a worker is started again, as a cluster would.
  const keep = (async () => {
    while (!over) {
      const process = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", child, "poisoned", redis.url, String(poison.seed)],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
      if ((await process.status).code !== 0) deaths++;
    }
  })();
  const outcomes = await found;
  over = true;
  assert.match(outcomes.get(poison.id)!, /its worker died each time it was tried/);
  outcomes.delete(poison.id);
  const expected = await undisturbed(jobs);
  expected.delete(poison.id);
  assert.deepEqual(sorted(outcomes), sorted(expected));
  await keep;
  assert.equal(deaths, 2);
  await executor.close();
});

redisTest("trials that cannot be trained fail with their reasons, in processes of their own", async (redis) => {
  const runner = processRunner({ slots: 2, args: () => workerArgs({ corpora: "none" }) });
  const stop = serve(redis.url, {
    runner,
    identity: () => Promise.resolve({ ...IDENTITY, version: SEARCH_VERSION, lock: ownLock() }),
  });
  const jobs = ["none", "nan", "throw", "crash", "hang"].map((fault): TrialJob =>
    makeJob({
      ...hillJobs(1)[0]!,
      sweep: "faulty-grid-none",
      study: "faulty",
      config: { fault, number: 1 },
      epochs: 1,
      timeLimitSec: fault === "hang" ? 0.2 : 60,
    })
  );
  const executor = await executorFor(redis.url);
  const outcomes = new Map<string, TrialOutcome>();
  await executor.run(jobs, {
    onStart: () => {},
    onOutcome: ({ config }, outcome) => void outcomes.set(String(config["fault"]), outcome),
  });
  const reason = (fault: string): string => {
    const outcome = outcomes.get(fault)!;
    assert.equal(outcome.status, "failed", fault);
    return outcome.status === "failed" ? outcome.reason : "";
  };
  assert.equal(outcomes.get("none")!.status, "done");
  assert.match(reason("nan"), /loss is not a number/);
  assert.match(reason("throw"), /model cannot be built/);
  assert.match(reason("crash"), /ended with code 70, twice/);
  assert.match(reason("hang"), /time limit of 0.2 s/);
  await stop();
  await runner.close();
  await executor.close();
});

Deno.test("what does not fit is said in one line", () => {
  const needs: SweepNeeds = { ...needsOf(hillJobs(1)[0]!, "code", "native, tensorflow 2.19.1, x86_64") };
  assert.equal(misfit(needs, { ...IDENTITY, engine: needs.engine }), null);
  assert.equal(misfit(needs, IDENTITY), null);
  for (
    const [change, rule] of [
      [{ version: "0" }, /another version \(jobs of version 0, not 1\)/],
      [{ lock: "b".repeat(64) }, /deno\.lock is another one \(bbbbbbbb, not lock\)/],
      [{ lock: null }, /deno\.lock is another one \(none, not lock\)/],
      [{ code: "d" }, /serlab is another one \(sources d, not code\); bring both to the same commit/],
      [{ engine: "wasm, tfjs 4.22.0, x86_64" }, /computes with wasm, tfjs 4.22.0, x86_64, not native/],
    ] as const
  ) {
    assert.match(misfit(needs, { ...IDENTITY, ...change })!, rule);
  }
  // As a trial's record names it.
  const recorded = { ...needs, engine: "native, tensorflow 2.19.1" };
  assert.equal(misfit(recorded, { ...IDENTITY, engine: "native, tensorflow 2.19.1, aarch64" }), null);
  assert.match(misfit(recorded, { ...IDENTITY, engine: "native, tensorflow 2.19.10, x86_64" })!, /computes with/);
  assert.equal(queueName(recorded), queueName(needs));
  assert.notEqual(queueName(needs), queueName({ ...needs, code: "d" }));
  assert.match(queueName(needs), /^hill-random-none-[0-9a-f]{8}$/);
  assert.match(codeHash(root), /^[0-9a-f]{64}$/);
});

redisTest("a worker of another version or engine takes nothing, and both sides say why", async (redis) => {
  const native = "native, tensorflow 2.19.1, x86_64", wasm = "wasm, tfjs 4.22.0, x86_64";
  const as = (change: Record<string, string>) => () => Promise.resolve({ ...IDENTITY, engine: native, ...change });
  const jobs = hillJobs(8).map((job) => ({ ...job, manifest: "f".repeat(64) }));
  const notices: string[] = [];
  const executor = await executorFor(redis.url, { onNotice: (line) => notices.push(line) });
  // A worker that waits for a sweep is on the board; it sees the sweep later and lets it be.
  const waiting: string[] = [];
  const stopWaiting = serve(redis.url, { identity: as({ lock: "old" }), onNotice: (line) => waiting.push(line) });
  const connection = await connectRedis(redis.url, { onNotice: assert.fail });
  while ((await readBoard(connection.redis, "workers", 60)).size === 0) await new Promise((r) => setTimeout(r, 10));
  connection.close();
  const found = collect(executor, jobs);
  while (waiting.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.match(
    waiting.join(),
    /^This worker takes no trial of hill-random-none: its deno\.lock is another one \(old, not lock\)\.$/,
  );
  const refused = (change: Record<string, string>, rule: RegExp): Promise<void> =>
    assert.rejects(
      serveTrials(redis.url, {
        identity: as(change),
        slots: 1,
        check: () => Promise.resolve(null),
        onNotice: assert.fail,
        runner: { run: () => assert.fail() },
      }),
      (error) => error instanceof QueueError && rule.test(error.message) && !error.message.includes("\n"),
    );
  await refused({ code: "new" }, /its serlab is another one/);
  const stop = serve(redis.url, { identity: as({}) });
  assert.equal((await found).size, jobs.length);
  // The first worker's engine is the sweep's.
  const again = collect(executor, hillJobs(9).map((job) => ({ ...job, manifest: "f".repeat(64) })).slice(8));
  await again;
  const held = new AbortController();
  const open = collect(executor, [{ ...jobs[0]!, id: "held" }], held.signal).catch(() => {});
  await stop();
  await refused(
    { engine: wasm },
    /it computes with wasm, tfjs 4\.22\.0, x86_64, not native, tensorflow 2\.19\.1, x86_64/,
  );
  held.abort();
  await open;
  assert.ok(
    notices.some((line) => /^Worker \S+ takes no trial of hill-random-none: its deno\.lock/.test(line)),
    notices.join("\n"),
  );
  await stopWaiting();
  await executor.close();
});

/** How a connection that cannot be made fails. */
async function failure(url: string, firstSec = 60): Promise<string> {
  try {
    const connection: Connection = await connectRedis(url, { onNotice: assert.fail, firstSec });
    connection.close();
  } catch (error) {
    assert.ok(error instanceof QueueError || error instanceof UsageError, String(error));
    assert.ok(!error.message.includes("\n"), error.message);
    assert.ok(!/secret|wrong-one/.test(error.message), error.message);
    return error.message;
  }
  return "connected";
}

Deno.test("a wrong address is one line", async () => {
  for (const url of ["127.0.0.1:6379", "http://127.0.0.1", "nonsense", "redis://", "amqp://me:secret@host"]) {
    assert.match(await failure(url), /^--redis takes an address such as redis:/, url);
  }
  assert.match(await failure("redis://127.0.0.1:6379/words"), /number of a database/);
  assert.match(
    await failure(`redis://me:secret@127.0.0.1:${freePort()}`),
    /^redis:\/\/127\S+: no server answers there \(connection refused\)\.$/,
  );
  assert.match(await failure("redis://no-such-host.invalid"), /its name is not known\.$/);
  const env = (name: string): string | undefined => ({ SERLAB_REDIS_PASSWORD: "p" })[name];
  assert.equal(redisAddress("redis://host", env).options.password, "p");
  assert.equal(redisAddress("redis://u:q%20r@[::1]:7", env).options.password, "q r");
  assert.equal(redisAddress("redis://u:q%20r@[::1]:7", env).options.host, "::1");
  assert.throws(
    () => redisAddress("rediss://host", () => "/no/such/file"),
    /\/no\/such\/file \(SERLAB_REDIS_CA\): cannot be read/,
  );
});

Deno.test("a server that is none, or says nothing, is one line within seconds", async () => {
  const http = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => new Response("hello"));
  assert.match(await failure(`redis://127.0.0.1:${http.addr.port}`), /it is no Redis server|no server answers/);
  await http.shutdown();
  const silent = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const taken: Deno.Conn[] = [];
  const taking = (async () => {
    for await (const connection of silent) taken.push(connection);
  })();
  const { port } = silent.addr as Deno.NetAddr;
  assert.match(await failure(`redis://127.0.0.1:${port}`, 0.3), /no answer in time/);
  silent.close();
  await taking;
  for (const connection of taken) connection.close();
});

Deno.test("the commands say in one line that there is no queue, before they look at recordings", async () => {
  const url = `redis://me:secret@127.0.0.1:${freePort()}`;
  const [sweep, worker] = await Promise.all([
    serlab(["sweep", "004", "--redis", url, "--corpora", "none", "--out", temporaryFolder()]),
    serlab(["worker", "--redis", "127.0.0.1:6379", "--corpora", "none"]),
  ]);
  assert.equal(sweep.code, 2);
  assert.match(sweep.err, /^serlab: redis:\/\/127\.0\.0\.1:\d+: no server answers there \(connection refused\)\.\n$/);
  assert.equal(worker.code, 2);
  assert.match(worker.err, /^serlab: --redis takes an address such as redis:[^\n]*, not 127\.0\.0\.1:6379\.\n$/);
});

redisTest("a password that is wrong or missing is one line, and is never shown", async (redis) => {
  const at = redis.url.slice("redis://".length);
  assert.match(await failure(redis.url), /it wants a password \(set SERLAB_REDIS_PASSWORD\)\.$/);
  assert.match(await failure(`redis://:wrong-one@${at}`), /name or password is wrong\.$/);
  assert.equal(await failure(`redis://:secret@${at}`), "connected");
  Deno.env.set("SERLAB_REDIS_PASSWORD", "secret");
  try {
    assert.equal(await failure(redis.url), "connected");
  } finally {
    Deno.env.delete("SERLAB_REDIS_PASSWORD");
  }
}, ["--requirepass", "secret"]);

redisTest("a server that stays away is given up, by coordinator and worker, in one line each", async (redis) => {
  const executor = await executorFor(redis.url, { giveUpSec: 0.5 });
  const running = collect(executor, hillJobs(3));
  let connected = (): void => {};
  const isConnected = new Promise<void>((resolve) => connected = resolve);
  const served = serveTrials(redis.url, {
    identity: () => (connected(), Promise.resolve(IDENTITY)),
    slots: 1,
    check: () => Promise.resolve(null),
    onNotice: () => {},
    runner: { run: () => new Promise(() => {}) },
    giveUpSec: 0.5,
  });
  for (const each of [running, served]) each.catch(() => {});
  await isConnected;
  await redis.kill();
  for (const ended of [running, served]) {
    await assert.rejects(
      ended,
      (error) => error instanceof QueueError && /is gone for 0.5 s, given up\.$/.test(error.message),
    );
  }
  await executor.close();
});

redisTest("a server whose memory is full is one line, for coordinator and worker", async (redis) => {
  const connection = await connectRedis(redis.url, { onNotice: assert.fail });
  await connection.redis.config("SET", "maxmemory", "1");
  connection.close();
  const executor = await executorFor(redis.url);
  const isFull = (error: unknown): boolean =>
    error instanceof QueueError && /^redis:\/\/127\S+: its memory is full/.test(error.message);
  await assert.rejects(collect(executor, hillJobs(3)), isFull);
  await executor.close();
  await assert.rejects(serve(redis.url, { signal: new AbortController().signal })(), isFull);
});

redisTest("a sweep that nobody came back to is removed with all its keys, another one is not", async (redis) => {
  const connection = await connectRedis(redis.url, { onNotice: assert.fail }), client = connection.redis;
  const [job] = hillJobs(1), kept = needsOf(job!, "code", null), old = { ...kept, sweep: "old" };
  for (const needs of [kept, old]) {
    await beat(client, "sweeps", queueName(needs), needs);
    await storeOutcome(client, queueName(needs), job!.id, "outcome");
  }
  await client.zadd("{serlab}:sweeps:seen", 1, queueName(old));
  await removeForgotten(client);
  const keys = await client.keys("*");
  assert.ok(keys.length >= 4 && !keys.some((key) => key.includes(queueName(old))), keys.join());
  assert.deepEqual(await client.hkeys("{serlab}:sweeps"), [queueName(kept)]);
  connection.close();
});

redisTest("a job that is none of its sweep's is not run", async (redis) => {
  const [good, bad] = hillJobs(2), needs = needsOf(good!, IDENTITY.code, null);
  const executor = await executorFor(redis.url), ran: string[] = [];
  const connection = await connectRedis(redis.url, { onNotice: assert.fail });
  const queue = new Queue(queueName(needs), { connection: connection.redis, prefix: "{serlab}" });
  // Somebody else's, under the name of one that the sweep will ask for.
  await queue.add("trial", { ...bad!, manifest: "other" }, { jobId: bad!.id });
  const stop = serve(redis.url, { runner: { run: (job) => (ran.push(job.id), hillOutcome(job)) } });
  const found = await collect(executor, [good!, bad!]);
  assert.deepEqual(ran, [good!.id]);
  assert.match(found.get(bad!.id)!, /the job is none of its sweep's/);
  await stop();
  await executor.close();
  await queue.close();
  connection.close();
});

const openssl = await new Deno.Command("openssl", { args: ["version"] }).output().then(() => true, () => false);

Deno.test({
  name: "[redis] a queue over TLS, with a certificate that is named and one that is not trusted",
  ignore: !hasRedis || !openssl,
  fn: async () => {
    const folder = temporaryFolder(), key = join(folder, "key.pem"), certificate = join(folder, "cert.pem");
    const made = await new Deno.Command("openssl", {
      args: ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
        .concat(
          "-keyout",
          key,
          "-out",
          certificate,
          "-subj",
          "/CN=localhost",
          "-addext",
          "basicConstraints=critical,CA:FALSE",
        )
        .concat("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
      stdout: "null",
      stderr: "null",
    }).output();
    assert.ok(made.success);
    const redis = await startRedis(["--requirepass", "secret"], { certificate, key });
    const url = `rediss://:secret@127.0.0.1:${redis.port}`;
    try {
      assert.match(await failure(url), /certificate is not trusted/);
      assert.match(await failure(`redis://127.0.0.1:${redis.port}`), /wants TLS|no server answers/);
      Deno.env.set("SERLAB_REDIS_CA", certificate);
      const stop = serve(url), executor = await executorFor(url), jobs = hillJobs(20);
      assert.deepEqual(sorted(await collect(executor, jobs)), sorted(await undisturbed(jobs)));
      await stop();
      await executor.close();
    } finally {
      Deno.env.delete("SERLAB_REDIS_CA");
      await redis.stop();
    }
  },
});

/** A trial without what depends on where and when it ran. */
function essence(trial: TrialRecord): unknown {
  const { worker: _w, seconds: _s, peakMemoryMb: _p, rungs, ...rest } = trial;
  return { ...rest, rungs: rungs.map(({ seconds: _, ...rung }) => rung) };
}

redisTest("a sweep on one worker, on two, and on the queue gives identical trials and predictions", async (redis) => {
  const search = findSearch("demo"), corpora = await smallCorpus();
  assert.ok(search.kind === "study");
  const prepared = await prepare(search.study, { dir: corpora, cache: true });
  const request = (out: string): SweepRequest => ({
    search,
    method: "halving",
    protocol: "clean",
    out,
    prepared,
    trials: 3,
    epochs: 3,
    space: restrict(search.space, { batchSize: [32] }),
  });
  const run = async (make: (out: string) => Executor | Promise<Executor>): Promise<[unknown[], string[]]> => {
    const out = temporaryFolder(), executor = await make(out);
    try {
      const { trials } = await runSweep(request(out), { executor });
      const folder = join(out, "sweeps", "demo-halving-clean", "trials");
      const texts = trials.flatMap(({ predictions }) =>
        predictions === null ? [] : [readFileSync(join(folder, predictions), "utf8")]
      );
      return [trials.map(essence), texts];
    } finally {
      await executor.close();
    }
  };
  const local = (workers: number) => (out: string) =>
    localExecutor({ workers, threads: 1, args: workerArgs({ corpora, results: [out] }) });
  const one = await run(local(1));
  assert.ok(one[0].length > 3 && one[1].length > 3);
  assert.deepEqual(await run(local(2)), one);
  // The recordings lie in a folder that is named after their manifest.
  const shared = temporaryFolder();
  symlinkSync(corpora, join(shared, prepared.manifest.slice(0, 12)));
  const worker = start(["worker", "--redis", redis.url, "--corpora", shared]);
  const said = new Response(worker.stderr).text(), printed = new Response(worker.stdout).text();
  // A worker that ends by itself would be waited for without end.
  const died = worker.status.then(async ({ code }) => assert.fail(`the worker ended with code ${code}: ${await said}`));
  died.catch(() => {});
  assert.deepEqual(await Promise.race([run(() => queueExecutor(redis.url)), died]), one);
  worker.kill("SIGTERM");
  assert.equal((await worker.status).code, 0, await said);
  assert.match(await said, /^worker: 1 at the same time, /);
  assert.equal(await printed, "");
});

redisTest("a worker without the sweep's recordings refuses in one line and never runs on others", async (redis) => {
  const connection = await connectRedis(redis.url, { onNotice: assert.fail });
  const job = makeJob({ ...hillJobs(1)[0]!, sweep: "demo-grid-clean", study: "demo", manifest: "0".repeat(64) });
  const needs = needsOf(job, codeHash(root), null);
  await beat(connection.redis, "sweeps", queueName(needs), needs);
  const { code, out, err } = await serlab(["worker", "--redis", redis.url, "--corpora", await smallCorpus()]);
  connection.close();
  assert.equal(code, 2, err);
  assert.equal(out, "");
  assert.match(
    err.trim().split("\n").at(-1)!,
    /^serlab: This worker takes no trial of demo-grid-clean: the recordings of study demo in .* are others than the sweep's \(manifest [0-9a-f]{12}, not 000000000000\)\.$/,
  );
});
