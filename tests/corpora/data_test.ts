import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zipSync } from "fflate";
import { CorpusError, UsageError, WriteError } from "../../lib/errors.ts";
import { sha256Hex } from "../../lib/io.ts";
import type { Corpus, DownloadSource } from "../../lib/corpora/corpus.ts";
import { cremaD } from "../../lib/corpora/crema-d.ts";
import { dataCheck, dataGet, dataIndex, dataList } from "../../lib/corpora/data.ts";
import { getCorpus, type GetProgress } from "../../lib/corpora/download.ts";
import { corpora, indexCorpus, readManifest } from "../../lib/corpora/mod.ts";
import { savee } from "../../lib/corpora/savee.ts";
import { serveFile, withHost } from "./host.ts";
import { findVotes } from "../../lib/corpora/votes.ts";
import { tess } from "../../lib/corpora/tess.ts";
import { inFolder, tinyWav, writeFiles } from "./temporary.ts";

const quick = { pauseSec: 0.01, stallSec: 0.5, attempts: 3 };

/** All 480 recordings of SAVEE, each 244 bytes. */
const SAVEE: Readonly<Record<string, Uint8Array>> = Object.fromEntries(
  savee.expected[0]!.keys!().map((key, i) => [`AudioData/${key.slice(6).replace("_", "/")}.wav`, tinyWav(i)]),
);
const archive = zipSync(SAVEE, { level: 0 });
const md5 = createHash("md5").update(archive).digest("hex");

const zipSource = (url: string, change: Partial<Extract<DownloadSource, { kind: "zip" }>> = {}): DownloadSource => ({
  kind: "zip",
  channel: "speech",
  file: "AudioData.zip",
  url: `${url}/AudioData.zip`,
  bytes: archive.length,
  md5,
  unpackedBytes: 10_000_000,
  ...change,
});

const downloadable = (source: DownloadSource, corpus: Corpus = savee): Corpus => ({ ...corpus, downloads: [source] });

Deno.test("a corpus is downloaded, verified, unpacked and indexed; a second call leaves it alone", async () => {
  await inFolder((dir) =>
    withHost((request, reply) => serveFile(request, reply, archive), async (url, requests) => {
      const corpus = downloadable(zipSource(url));
      const steps: GetProgress[] = [];
      const parts = await getCorpus(corpus, { dir, ...quick, onProgress: (step) => steps.push(step) });
      const home = join(dir, "savee", "speech");
      assert.deepEqual(parts, [{ channel: "speech", dir: home, files: 480, downloaded: true }]);
      assert.deepEqual([...new Set(steps.map((step) => step.step))], ["download", "unpack"]);
      assert.equal((await indexCorpus(dir, { corpus: "savee" })).rows.length, 480);
      assert.deepEqual(readdirSync(dir), ["savee"]);
      const again = await getCorpus(corpus, { dir, ...quick });
      assert.deepEqual(again.map((part) => [part.files, part.downloaded]), [[480, false]]);
      assert.equal(requests.length, 1);
    })
  );
});

Deno.test("size and checksum come from the host's record where they are not pinned", async () => {
  const record = {
    files: [{ key: "other.zip", size: 1, checksum: "md5:00" }, {
      key: "AudioData.zip",
      size: archive.length,
      checksum: `md5:${md5}`,
    }],
  };
  await inFolder((dir) =>
    withHost(async (request, reply) => {
      if (request.path === "/record") await serveFile(request, reply, new TextEncoder().encode(JSON.stringify(record)));
      else await serveFile(request, reply, archive);
    }, async (url) => {
      const { bytes: _bytes, md5: _md5, ...open } = zipSource(url) as Extract<DownloadSource, { kind: "zip" }>;
      const source = { ...open, record: `${url}/record` };
      assert.equal((await getCorpus(downloadable(source), { dir, ...quick }))[0]!.files, 480);
      rmSync(join(dir, "savee"), { recursive: true });
      record.files[1]!.checksum = `md5:${"0".repeat(32)}`;
      await assert.rejects(getCorpus(downloadable(source), { dir, ...quick }), /has the MD5/);
      record.files.pop();
      await assert.rejects(
        getCorpus(downloadable(source), { dir, ...quick }),
        /record does not tell size and MD5 of AudioData\.zip/,
      );
      assert.deepEqual(readdirSync(dir), []);
    })
  );
});

Deno.test("an unsafe, damaged or incomplete archive leaves nothing in the folder of corpora", async () => {
  const cases: [Uint8Array, RegExp][] = [
    [zipSync({ ...SAVEE, "../../evil.wav": tinyWav() }, { level: 0 }), /entry|contents/],
    [
      zipSync({ ...SAVEE, link: [new Uint8Array(1), { os: 3, attrs: 0o120777 * 65536 }] }, { level: 0 }),
      /"link" is a link/,
    ],
    [archive.slice(0, 100_000), /cannot be opened as a zip archive/],
    [zipSync({ "DC/a01.wav": tinyWav() }), /not all of savee: 479 of 480 files are missing/],
    [zipSync({ "readme.txt": tinyWav() }), /not all of savee: no recording of it/],
  ];
  for (const [bytes, pattern] of cases) {
    await inFolder((dir) =>
      withHost((request, reply) => serveFile(request, reply, bytes), async (url) => {
        const source = zipSource(url, { bytes: bytes.length, md5: createHash("md5").update(bytes).digest("hex") });
        await assert.rejects(
          getCorpus(downloadable(source), { dir: join(dir, "data"), ...quick }),
          (error) => error instanceof CorpusError && pattern.test(error.message),
        );
        assert.ok(!existsSync(join(dir, "data", "savee")));
        assert.ok(!existsSync(join(dir, "evil.wav")));
        assert.deepEqual(readdirSync(join(dir, "data")).filter((name) => name.startsWith(".")), []);
      })
    );
  }
});

Deno.test("an incomplete corpus is completed in place, and what else lies there stays", async () => {
  await inFolder((dir) =>
    withHost((request, reply) => serveFile(request, reply, archive), async (url) => {
      writeFiles(dir, { "savee/speech/AudioData/DC/a01.wav": "damaged", "savee/speech/mine.txt": "mine" });
      await getCorpus(downloadable(zipSource(url)), { dir, ...quick });
      assert.equal((await indexCorpus(dir, { corpus: "savee" })).rows.length, 480);
      assert.equal(readFileSync(join(dir, "savee/speech/mine.txt"), "utf8"), "mine");
    })
  );
});

/** A host with a repository of pointers and the large files they stand for. */
function lfsScene(
  large: Readonly<Record<string, Uint8Array>>,
  serve: (name: string, count: number) => Uint8Array | undefined,
  work: (corpus: Corpus, dir: string, fetched: string[]) => Promise<void>,
): Promise<void> {
  const pointer = (bytes: Uint8Array) =>
    new TextEncoder().encode(
      `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256Hex(bytes)}\nsize ${bytes.length}\n`,
    );
  const repository = zipSync({
    ...Object.fromEntries(
      Object.entries(large).map(([name, bytes]) => [`Repo-master/AudioWAV/${name}`, pointer(bytes)]),
    ),
    "Repo-master/AudioMP3/1001_DFA_ANG_XX.mp3": pointer(tinyWav()),
    "Repo-master/README.md": new Uint8Array(10),
    "Repo-master/processedResults/tabulatedVotes.csv": new TextEncoder().encode(VOTES),
    "Repo-master/processedResults/summaryTable.csv": new Uint8Array(10),
    "Repo-master/AudioWAV/large/tabulatedVotes.csv": pointer(new Uint8Array(10)),
  });
  const counts = new Map<string, number>();
  const fetched: string[] = [];
  return inFolder((dir) =>
    withHost(async (request, reply) => {
      if (request.path === "/repository.zip") {
        await reply.head("200 OK"); // made on the fly: no length, no ranges
        await reply.body(repository);
        return;
      }
      const name = request.path.split("/").at(-1)!;
      const count = counts.get(name) ?? 0;
      counts.set(name, count + 1);
      fetched.push(name);
      const bytes = serve(name, count);
      if (bytes === undefined) await reply.head("404 Not Found", { "content-length": 0 });
      else await serveFile(request, reply, bytes);
    }, async (url) => {
      const names = Object.keys(large);
      const corpus: Corpus = {
        ...cremaD,
        expected: [{
          ...cremaD.expected[0]!,
          files: names.length,
          perSpeaker: { "crema-d-1001": names.length },
          keys: () => names.map((name) => `crema-d/${name.slice(0, -4)}`),
        }],
        downloads: [{
          kind: "git-lfs",
          channel: "speech",
          archive: `${url}/repository.zip`,
          archiveBytes: 1e6,
          folder: "AudioWAV",
          media: `${url}/media/AudioWAV/`,
          files: names.length,
          beside: ["processedResults/tabulatedVotes.csv", "large/tabulatedVotes.csv"],
        }],
      };
      await work(corpus, dir, fetched);
    })
  );
}

const VOTES = '"","A","D","F","H","N","S","fileName"\n"100001",8,0,0,0,2,0,"1001_DFA_ANG_XX"\n';

const CREMA = Object.fromEntries(
  ["ANG", "DIS", "FEA", "HAP", "NEU", "SAD"].map((code, i) => [`1001_DFA_${code}_XX.wav`, tinyWav(i)]),
);

Deno.test("CREMA-D's large files are fetched for their pointers, each verified by the pointer's hash", async () => {
  await lfsScene(CREMA, (name) => CREMA[name], async (corpus, dir, fetched) => {
    const steps: GetProgress[] = [];
    const parts = await getCorpus(corpus, { dir, ...quick, onProgress: (step) => steps.push(step) });
    assert.equal(parts[0]!.files, 6);
    assert.deepEqual(steps.at(-1), { step: "large files", done: 6, total: 6 });
    assert.equal(fetched.length, 6);
    const { rows } = await indexCorpus(dir, { corpus: "crema-d", allowIncomplete: true });
    assert.deepEqual(rows.map((row) => row.sha256), Object.keys(CREMA).sort().map((name) => sha256Hex(CREMA[name]!)));
    assert.deepEqual(readdirSync(dir), ["crema-d"]);
    // What listeners heard comes with it.
    assert.equal((await findVotes(dir))!.byKey.get("crema-d/1001_DFA_ANG_XX")?.angry, 8);
  });
});

Deno.test("a large file that is not what its pointer says stops the work; the others are kept for the next call", async () => {
  let good = false;
  await lfsScene(
    CREMA,
    (name) => name === "1001_DFA_SAD_XX.wav" && !good ? tinyWav(99) : CREMA[name],
    async (corpus, dir, fetched) => {
      await assert.rejects(getCorpus(corpus, { dir, ...quick }), /SAD_XX\.wav: what was downloaded has the SHA-256/);
      assert.ok(!existsSync(join(dir, "crema-d")));
      good = true;
      fetched.length = 0;
      assert.equal((await getCorpus(corpus, { dir, ...quick }))[0]!.files, 6);
      assert.ok(fetched.includes("1001_DFA_SAD_XX.wav") && fetched.length < 6, fetched.join());
      assert.deepEqual(readdirSync(dir), ["crema-d"]);
    },
  );
});

Deno.test("a repository with another number of recordings is refused", async () => {
  await lfsScene(CREMA, (name) => CREMA[name], async (corpus, dir) => {
    const source = { ...corpus.downloads[0]!, files: 7 } as DownloadSource;
    await assert.rejects(getCorpus(downloadable(source, corpus), { dir, ...quick }), /AudioWAV has 6 files, not 7/);
  });
});

Deno.test("data get says how to get what no program may download, and refuses what it does not know", async () => {
  await inFolder(async (dir) => {
    for (const name of ["tess", "SAVEE"]) {
      const got = await dataGet(name, { dir });
      assert.deepEqual(got.parts, []);
      assert.match(got.instructions!, name === "tess" ? /doi\.org.*data\/tess/ : /register at .*data\/savee/);
    }
    await assert.rejects(dataGet("iemocap", { dir }), UsageError);
    await assert.rejects(getCorpus(cremaD, { dir, channel: "song" }), /crema-d has no song to download/);
    const { parts } = await dataGet("synthetic", { dir });
    assert.equal(parts[0]!.files, 256);
    assert.equal((await indexCorpus(dir)).rows.length, 256);
    writeFileSync(join(dir, "file"), "");
    await assert.rejects(getCorpus(cremaD, { dir: join(dir, "file") }), WriteError);
  });
});

Deno.test("every download goes to the official host over https, RAVDESS pinned to its published checksum", () => {
  const sources = corpora.flatMap((corpus) => corpus.downloads.map((source) => ({ id: corpus.id, source })));
  assert.deepEqual(sources.map(({ id, source }) => [id, source.channel]), [
    ["ravdess", "speech"],
    ["ravdess", "song"],
    ["crema-d", "speech"],
    ["emo-db", "speech"],
  ]);
  for (const { source } of sources) {
    const urls = source.kind === "zip" ? [source.url, source.record!] : [source.archive, source.media];
    for (const url of urls) {
      assert.match(url, /^https:\/\/(zenodo\.org|codeload\.github\.com|media\.githubusercontent\.com)\//);
    }
  }
  const speech = sources[0]!.source as Extract<DownloadSource, { kind: "zip" }>;
  assert.deepEqual([speech.file, speech.bytes, speech.md5], [
    "Audio_Speech_Actors_01-24.zip",
    208_468_073,
    "bc696df654c87fed845eb13823edef8a",
  ]);
});

Deno.test("data list has every corpus with licence, citation and how to get it, and what is there", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, { "x/03-01-01-01-01-01-01.wav": tinyWav() });
    const listed = await dataList(dir);
    assert.deepEqual(listed.map(({ corpus }) => corpus.id), [
      "ravdess",
      "crema-d",
      "tess",
      "savee",
      "emo-db",
      "synthetic",
    ]);
    assert.deepEqual(listed.map(({ downloadable }) => downloadable), [true, true, false, false, true, true]);
    for (const { corpus } of listed) {
      for (const text of [corpus.title, corpus.licence.name, corpus.citation, corpus.homepage, corpus.howToGet]) {
        assert.ok(text.length > 2, corpus.id);
      }
    }
    assert.deepEqual(listed.map(({ found }) => found.length), [1, 0, 0, 0, 0, 0]);
    assert.equal((await dataList(join(dir, "none"))).length, 6);
    assert.equal((await dataList())[0]!.found.length, 0);
  });
});

Deno.test("data check tells counts, bad files, copies, identical recordings, oddities and changed hashes", async () => {
  await inFolder(async (dir) => {
    const good = join(dir, "good");
    writeFiles(good, SAVEE);
    const manifests = join(dir, "manifests");
    await dataIndex(good, { corpus: "savee", out: join(manifests, "savee.jsonl") });
    const fine = await dataCheck(good, { manifests });
    assert.ok(fine.ok);
    const [part] = fine.corpora;
    assert.deepEqual([part!.files, part!.expected, part!.verified, part!.changed], [480, 480, 480, []]);
    assert.equal(part!.missing, undefined);
    assert.deepEqual(part!.emotions.find((count) => count.name === "neutral"), {
      name: "neutral",
      found: 120,
      expected: 120,
    });
    assert.deepEqual(part!.identical, []);

    rmSync(join(good, "AudioData/KL/su15.wav"));
    writeFiles(good, {
      "AudioData/DC/a01.wav": tinyWav(5000),
      "AudioData/DC/a02.wav": "text",
      "AudioData/JE/a01.wav": readFileSync(join(good, "AudioData/JE/a02.wav")),
      "more/DC/a03.wav": readFileSync(join(good, "AudioData/DC/a03.wav")),
      "what.wav": tinyWav(),
    });
    const report = await dataCheck(good, { manifests });
    assert.equal(report.ok, false);
    assert.deepEqual(report.unknown, ["what.wav"]);
    const found = report.corpora[0]!;
    assert.equal(found.missing, "1 of 480 files is missing: savee/KL_su15");
    assert.deepEqual(found.missingKeys, ["savee/KL_su15"]);
    assert.deepEqual(found.bad.map((file) => file.path), ["AudioData/DC/a02.wav"]);
    assert.match(found.bad[0]!.reason, /is not audio/);
    assert.deepEqual(found.copies, ["more/DC/a03.wav"]);
    assert.deepEqual(found.identical, [["savee/JE_a01", "savee/JE_a02"]]);
    assert.deepEqual(found.changed, ["savee/DC_a01", "savee/JE_a01"]);
    assert.deepEqual(found.speakers.find((count) => count.name === "savee-KL"), {
      name: "savee-KL",
      found: 119,
      expected: 120,
    });
    assert.ok(found.oddities.length > 0);

    mkdirSync(join(dir, "empty"));
    assert.equal((await dataCheck(join(dir, "empty"))).ok, false);
    await assert.rejects(dataCheck(join(dir, "none")), CorpusError);
  });
});

Deno.test("data check tells extra recordings, and a corpus that has some is not as it should be", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, Object.fromEntries(tess.expected[0]!.keys!().map((key, i) => [`${key}.wav`, tinyWav(i)])));
    const whole = await dataCheck(dir, { manifests: join(dir, "none") });
    assert.deepEqual([whole.ok, whole.corpora[0]!.extra, whole.corpora[0]!.extraKeys], [true, undefined, []]);
    writeFiles(dir, { "tess/OA_bite_neutral.wav": tinyWav(5000) });
    const { ok, corpora: [part] } = await dataCheck(dir, { manifests: join(dir, "none") });
    assert.equal(ok, false);
    assert.equal(part!.missing, undefined);
    assert.equal(part!.extra, "1 file is extra: tess/OA_bite_neutral");
    assert.deepEqual(part!.extraKeys, ["tess/OA_bite_neutral"]);
  });
});

Deno.test("data index writes the manifest that indexCorpus returns", async () => {
  await inFolder(async (dir) => {
    writeFiles(join(dir, "s"), SAVEE);
    const out = join(dir, "m", "savee.jsonl");
    const { manifest, hash, path } = await dataIndex(join(dir, "s"), { out });
    assert.equal(path, out);
    const { extra, unknown, ...kept } = manifest;
    assert.deepEqual(readManifest(out), kept);
    assert.deepEqual([extra, unknown], [[], []]);
    assert.equal(JSON.parse(readFileSync(out, "utf8").split("\n")[0]!).hash, hash);
    await assert.rejects(dataIndex(join(dir, "none"), { out: join(dir, "n.jsonl") }), CorpusError);
    assert.ok(!existsSync(join(dir, "n.jsonl")));
  });
});
