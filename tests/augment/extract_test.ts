import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeWav, toMono } from "../../lib/audio/mod.ts";
import { loadAudio } from "../../lib/audio/load.ts";
import type { AugmentationRecord } from "../../lib/augment/augmentation.ts";
import { extractAll, extractEach, type Extraction, type ExtractRow } from "../../lib/augment/extract.ts";
import { fromPlainError, toPlainError } from "../../lib/augment/extract_messages.ts";
import { JobPool } from "../../lib/augment/extract_pool.ts";
import { recordOf } from "../../lib/augment/augmentation.ts";
import { applyRecords } from "../../lib/augment/record.ts";
import { study002Copies } from "../../lib/augment/studies.ts";
import { AudioError, CorpusError, FormatError, SerlabError, UsageError } from "../../lib/errors.ts";
import { FeatureCache } from "../../lib/features/cache.ts";
import { type Recipe, recipe } from "../../lib/features/recipes.ts";
import { sha256Hex } from "../../lib/io.ts";
import { RandomState, stream } from "../../lib/random.ts";

/** A little corpus of noisy glides at several rates; `work` gets its rows with their hashes. */
async function inCorpus(
  count: number,
  work: (dir: string, rows: Required<ExtractRow>[]) => Promise<void>,
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "serlab-extract-"));
  try {
    const rows = Array.from({ length: count }, (_, i) => {
      const sampleRateHz = [16000, 22050, 24414, 48000][i % 4]!;
      const noise = new RandomState(i).randomSample(Math.round(sampleRateHz * (0.8 + 0.05 * (i % 5))));
      const samples = Float32Array.from(noise, (x, t) => 0.1 * x + 0.5 * Math.sin((t * (100 + i)) / sampleRateHz));
      const bytes = encodeWav({ samples, sampleRateHz });
      const path = `${i}.wav`;
      writeFileSync(join(dir, path), bytes);
      return { path, sha256: sha256Hex(bytes) };
    });
    await work(dir, rows);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const draws = (row: ExtractRow): (AugmentationRecord | null)[] => {
  const rng = stream(1, "augment", row.path);
  return [
    null,
    ...study002Copies().map((each) =>
      recordOf(each, each.draw(rng, { samples: new Float32Array(0), sampleRateHz: 22050 }))
    ),
  ];
};

function same(a: Extraction<ExtractRow>, b: Extraction<ExtractRow>): void {
  assert.deepEqual(
    a.items.map(({ index, copy, features }) => [index, copy, features]),
    b.items.map(({ index, copy, features }) => [index, copy, features]),
  );
  assert.deepEqual(
    a.failures.map(({ index, error }) => [index, error.constructor, error.message]),
    b.failures.map(({ index, error }) => [index, error.constructor, error.message]),
  );
}

Deno.test("no worker, one and two give the same numbers in the same order: those of load, augment and extract by hand", async () => {
  await inCorpus(6, async (dir, rows) => {
    for (const [name, augment] of [["study003-vector", undefined], ["study004", draws]] as const) {
      const options = { dir, recipe: name, ...(augment ? { augment } : {}) };
      const [none, one, two] = [
        await extractAll(rows, { ...options, workers: 0 }),
        await extractAll(rows, { ...options, workers: 1 }),
        await extractAll(rows, { ...options, workers: 2 }),
      ];
      assert.equal(none.items.length, augment ? 24 : 6);
      assert.deepEqual(none.failures, []);
      same(none, one);
      same(none, two);
      const wanted = recipe(name);
      for (const [i, row] of rows.entries()) {
        const wave = await loadAudio(join(dir, row.path), wanted.load);
        const records = augment ? draws(row) : [null];
        [...applyRecords(wave, records)].forEach((each, copy) => {
          assert.deepEqual(none.items[i * records.length + copy]!.features, wanted.extract(each));
        });
      }
    }
  });
});

Deno.test("a second run takes everything from the cache, and a damaged entry is made again", async () => {
  await inCorpus(6, async (dir, rows) => {
    const cache = new FeatureCache(join(dir, "cache"));
    const options = { dir, recipe: "study004", augment: draws, cache };
    const first = await extractAll(rows, { ...options, workers: 2 });
    assert.equal(first.cached, 0);
    assert.equal(cache.size().entries, 24);
    // With the hashes known not even the files are needed.
    const second = await extractAll(rows, { ...options, dir: join(dir, "nowhere"), workers: 0 });
    assert.equal(second.cached, 24);
    same(first, second);
    same(first, await extractAll(rows, { ...options, dir: join(dir, "nowhere"), workers: 2 }));
    // Without them the content is hashed first.
    const bare = rows.map(({ path }) => ({ path }));
    for (const workers of [0, 2]) {
      const third = await extractAll(bare, { ...options, workers });
      assert.equal(third.cached, 24);
      same(first, third);
    }
    const victim = cache.path({ content: rows[2]!.sha256, recipe: recipe("study004") });
    writeFileSync(victim, new Uint8Array(statSync(victim).size));
    assert.equal(cache.get({ content: rows[2]!.sha256, recipe: recipe("study004") }), null);
    assert.equal(cache.damaged, 1);
    const fourth = await extractAll(rows, { ...options, workers: 0 });
    assert.equal(fourth.cached, 23);
    same(first, fourth);
    assert.ok(cache.get({ content: rows[2]!.sha256, recipe: recipe("study004") }));
  });
});

Deno.test("broken files cost their own row and are listed with a typed error that names them", async () => {
  await inCorpus(8, async (dir, rows) => {
    writeFileSync(join(dir, "1.wav"), "");
    writeFileSync(join(dir, "3.wav"), "not audio, whatever its name says");
    rmSync(join(dir, "5.wav"));
    const stale = rows.map((row, i) => i === 6 ? { ...row, sha256: sha256Hex("before") } : row)
      .map((row, i) => i === 1 || i === 3 ? { path: row.path } : row);
    let expected: Extraction<ExtractRow> | undefined;
    for (const workers of [0, 1, 2]) {
      const result = await extractAll<ExtractRow>(stale, { dir, recipe: "study004", workers });
      assert.deepEqual(result.items.map(({ index }) => index), [0, 2, 4, 7]);
      assert.deepEqual(result.failures.map(({ index }) => index), [1, 3, 5, 6]);
      for (const { row, error } of result.failures) {
        assert.ok(error instanceof SerlabError && error.message.startsWith(join(dir, row.path)), error.message);
      }
      assert.ok(result.failures.slice(0, 3).every(({ error }) => error instanceof AudioError));
      assert.ok(result.failures[3]!.error instanceof CorpusError);
      same(expected ??= result, result);
    }
  });
});

Deno.test("audio that a recipe cannot use is that file's failure, whatever thread it is in", async () => {
  await inCorpus(3, async (dir, rows) => {
    // Study 002 begins at 0.6 s.
    const bytes = encodeWav({ samples: new Float32Array(4000), sampleRateHz: 16000 });
    writeFileSync(join(dir, "1.wav"), bytes);
    const bare = rows.map(({ path }) => ({ path }));
    for (const workers of [0, 2]) {
      const { failures, items } = await extractAll(bare, { dir, recipe: "study002", workers });
      assert.deepEqual(items.map(({ index }) => index), [0, 2]);
      assert.match(failures[0]!.error.message, /1\.wav/);
    }
    // A record that is none: refused row by row.
    const broken = await extractAll(bare, {
      dir,
      recipe: "study004",
      augment: () => [{ name: "x", version: 1, params: {} }],
    });
    assert.equal(broken.failures.length, 3);
    assert.ok(broken.failures.every(({ error }) => error instanceof FormatError));
  });
});

Deno.test("rows are not started before those some way ahead of them were taken", async () => {
  await inCorpus(4, async (dir, few) => {
    const rows = Array.from({ length: 200 }, (_, i) => few[i % 4]!);
    for (const [workers, window] of [[0, 32], [2, 64]] as const) {
      let started = 0, taken = 0;
      const augment = () => {
        started++;
        assert.ok(started - taken <= window);
        return [null];
      };
      for await (const { index, items } of extractEach(rows, { dir, recipe: "study004", workers, augment })) {
        assert.equal(index, taken);
        assert.equal(items.length, 1);
        taken++;
        if (taken === 100) break;
      }
      assert.ok(started < 100 + window + 1);
    }
  });
});

Deno.test("progress counts every row, broken ones too; no rows are no work", async () => {
  await inCorpus(5, async (dir, rows) => {
    writeFileSync(join(dir, "2.wav"), "");
    const seen: string[] = [];
    await extractAll(rows, { dir, recipe: "study004", onProgress: (done, total) => seen.push(`${done}/${total}`) });
    assert.deepEqual(seen, ["1/5", "2/5", "3/5", "4/5", "5/5"]);
    assert.deepEqual(await extractAll([], { dir, recipe: "study004" }), { items: [], failures: [], cached: 0 });
  });
});

Deno.test("an abort ends the extraction with its reason, before it begins or in the midst", async () => {
  await inCorpus(40, async (dir, rows) => {
    for (const workers of [0, 2]) {
      const controller = new AbortController();
      const reason = new Error("enough");
      const running = extractAll(rows, {
        dir,
        recipe: "study000",
        workers,
        signal: controller.signal,
        onProgress: (done) => done === 3 && controller.abort(reason),
      });
      await assert.rejects(running, (error) => error === reason);
      await assert.rejects(
        extractAll(rows, { dir, recipe: "study000", workers, signal: controller.signal }),
        (error) => error === reason,
      );
    }
  });
});

Deno.test("a cache that cannot be written costs one warning and nothing else", async () => {
  await inCorpus(4, async (dir, rows) => {
    writeFileSync(join(dir, "blocked"), "");
    const warnings: string[] = [];
    const { items, failures } = await extractAll(rows, {
      dir,
      recipe: "study004",
      workers: 2,
      cache: new FeatureCache(join(dir, "blocked")),
      onWarning: (message) => warnings.push(message),
    });
    assert.equal(items.length, 4);
    assert.deepEqual(failures, []);
    assert.equal(warnings.length, 1);
    assert.match(warnings[0]!, /cannot be written/);
  });
});

Deno.test("a recipe that is not on the shelf is extracted in the caller's thread, workers or not", async () => {
  await inCorpus(3, async (dir, rows) => {
    const own: Recipe = {
      name: "peak",
      version: 1,
      describe: "The largest sample.",
      load: { sampleRateHz: 8000 },
      sampleRateHz: 8000,
      parameters: {},
      shape: [1],
      extract: ({ samples }) => ({ data: Float32Array.of(Math.max(...samples)), shape: [1] }),
    };
    const { items } = await extractAll(rows, { dir, recipe: own, workers: 2 });
    for (const { row, features } of items) {
      const { samples } = await loadAudio(join(dir, row.path), { sampleRateHz: 8000 });
      assert.equal(features.data[0], Math.max(...toMono({ channels: [samples], sampleRateHz: 8000 }).samples));
    }
    assert.equal(items.length, 3);
  });
});

Deno.test("an unknown recipe and numbers of workers that are none are refused", async () => {
  await assert.rejects(extractAll([], { dir: ".", recipe: "study009" }), UsageError);
  for (const workers of [-1, 0.5, NaN, 1e9]) {
    await assert.rejects(extractAll([], { dir: ".", recipe: "study004", workers }), UsageError);
  }
});

Deno.test("where workers do not start, the caller's thread does their jobs", async () => {
  await inCorpus(5, async (dir, rows) => {
    const pool = new JobPool(recipe("study004"), 2, { url: "data:application/javascript,throw new Error('no')" });
    const jobs = rows.map(({ path, sha256 }) => ({ path: join(dir, path), sha256, records: [null], cacheDir: null }));
    const results = await Promise.all(jobs.map((job) => pool.run(job)));
    assert.deepEqual(results.map(({ arrays }) => arrays[0]!.shape), jobs.map(() => [180]));
    assert.equal(pool.size, 0);
    pool.close();
  });
});

Deno.test("short jobs go to the workers several at a time; one that breaks a worker costs itself alone", async () => {
  await inCorpus(6, async (dir, rows) => {
    // Does nothing but answer with the number of jobs in the request; breaks at the file named 2.wav.
    const program = `
      self.postMessage({ ready: true });
      self.onmessage = ({ data: { jobs } }) => {
        if (jobs.some(({ path }) => path.endsWith("2.wav"))) throw new Error("broken");
        const result = () => ({ arrays: [{ data: Float32Array.of(jobs.length), shape: [1] }], cached: 0, warning: null });
        self.postMessage({ answers: jobs.map(() => ({ result: result() })), ms: 0.1 * jobs.length });
      };`;
    for (const size of [1, 2]) {
      const pool = new JobPool(recipe("study004"), size, {
        url: `data:application/javascript,${encodeURIComponent(program)}`,
      });
      const jobs = Array.from({ length: 120 }, (_, i) => {
        const { path, sha256 } = rows[i === 77 ? 2 : i % 2]!;
        return { path: join(dir, path), sha256, records: [null], cacheDir: null };
      });
      const results = await Promise.allSettled(jobs.map((job) => pool.run(job)));
      assert.deepEqual(results.map(({ status }) => status), jobs.map((_, i) => i === 77 ? "rejected" : "fulfilled"));
      assert.match(String((results[77] as PromiseRejectedResult).reason), /2\.wav: the worker broke down.*broken/);
      const sizes = results.flatMap((each) => each.status === "fulfilled" ? [each.value.arrays[0]!.data[0]!] : []);
      assert.equal(sizes[0], 1);
      assert.equal(Math.max(...sizes), 8);
      pool.close();
    }
  });
});

Deno.test("errors keep their class, sentence and parts on the way between threads", () => {
  const audio = new AudioError("a.wav", "is silent");
  const there = fromPlainError(structuredClone(toPlainError(audio)));
  assert.ok(there instanceof AudioError && there.file === "a.wav" && there.rule === "is silent");
  for (const Class of [CorpusError, UsageError, FormatError, SerlabError]) {
    const again = fromPlainError(structuredClone(toPlainError(new Class("a sentence."))));
    assert.equal(again.constructor, Class);
    assert.equal(again.message, "a sentence.");
  }
  const defect = fromPlainError(toPlainError(new RangeError("oops")));
  assert.ok(!(defect instanceof SerlabError));
  assert.equal(defect.name, "RangeError");
  assert.match(defect.stack!, /extract_test/);
});
