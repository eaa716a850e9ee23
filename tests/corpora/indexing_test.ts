import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CorpusError, UsageError } from "../../lib/errors.ts";
import { sha256Hex } from "../../lib/io.ts";
import { corpora, findCorpora, indexCorpus, manifestHash, verifyManifest } from "../../lib/corpora/mod.ts";
import { tess } from "../../lib/corpora/tess.ts";
import { inFolder, tinyWav, writeFiles } from "./temporary.ts";

const one = "Actor_01/03-01-01-01-01-01-01.wav";
const two = "Actor_02/03-01-05-02-01-01-02.wav";
const song = "Actor_02/03-02-05-02-01-01-02.wav";

/** A rejection with one sentence: no line ends, ends with a full stop. */
async function sentence(
  work: Promise<unknown>,
  pattern: RegExp,
  kind: typeof CorpusError | typeof UsageError = CorpusError,
) {
  await assert.rejects(work, (error) => {
    assert.ok(error instanceof kind, String(error));
    assert.match(error.message, pattern);
    assert.ok(!error.message.includes("\n"), error.message);
    assert.match(error.message, /\.$/);
    return true;
  });
}

Deno.test("corpora are found by their file names at any depth, junk beside them is passed over", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, {
      [`deep/er/${one}`]: tinyWav(1),
      [two]: tinyWav(2),
      [song]: tinyWav(3),
      "CREMA/1001_IEO_SAD_MD.wav": tinyWav(4),
      "savee/DC/a01.wav": tinyWav(5),
      "._03-01-01-01-01-01-01.wav": "junk of macOS",
      ".DS_Store": "",
      "__MACOSX/Actor_01/03-01-01-01-01-01-03.wav": "",
      "readme.txt": "",
      "labels.csv": "",
      "notes.md": "",
    });
    const found = await findCorpora(dir);
    assert.deepEqual(found.corpora.map((part) => [part.corpus.id, part.channel, part.utterances.length]), [
      ["ravdess", "speech", 2],
      ["ravdess", "song", 1],
      ["crema-d", "speech", 1],
      ["savee", "speech", 1],
    ]);
    assert.deepEqual(found.unknown, []);
    const [speech] = found.corpora;
    assert.equal(speech!.missingCount, 1438);
    assert.equal(speech!.missing.length, 1438);
    assert.ok(!speech!.missing.includes("ravdess/03-01-01-01-01-01-01"));
    assert.equal(speech!.utterances[0]!.path, `deep/er/${one}`);
  });
});

Deno.test("a manifest's rows say what the file holds, ordered by key whatever the layout", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, { [`z/${one}`]: tinyWav(1), [`a/${two}`]: tinyWav(2) });
    const { rows, missing } = await indexCorpus(dir, { allowIncomplete: true });
    assert.deepEqual(rows.map((row) => row.path), [`z/${one}`, `a/${two}`]);
    assert.equal(missing.length, 1438);
    assert.deepEqual(rows[0], {
      key: "ravdess/03-01-01-01-01-01-01",
      path: `z/${one}`,
      corpus: "ravdess",
      speaker: "ravdess-01",
      sex: "male",
      emotion: "neutral",
      sentence: "01",
      take: "01",
      intensity: "normal",
      channel: "speech",
      sha256: sha256Hex(tinyWav(1)),
      bytes: 244,
      durationSec: 100 / 16000,
      sampleRateHz: 16000,
      channels: 1,
    });
    // The same recordings elsewhere, laid out otherwise.
    writeFiles(dir, { "flat/03-01-01-01-01-01-01.wav": tinyWav(1), "flat/03-01-05-02-01-01-02.wav": tinyWav(2) });
    const flat = await indexCorpus(join(dir, "flat"), { allowIncomplete: true });
    assert.deepEqual(flat.rows.map((row) => row.key), rows.map((row) => row.key));
    assert.equal(manifestHash(flat.rows), manifestHash(rows));
  });
});

Deno.test("song is left out unless it is asked for", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, { [two]: tinyWav(2), [song]: tinyWav(3) });
    const keys = async (channel?: "speech" | "song" | "all") =>
      (await indexCorpus(dir, { allowIncomplete: true, ...(channel ? { channel } : {}) })).rows.map((row) =>
        row.channel
      );
    assert.deepEqual(await keys(), ["speech"]);
    assert.deepEqual(await keys("song"), ["song"]);
    assert.deepEqual(await keys("all"), ["speech", "song"]);
    rmSync(join(dir, two));
    await sentence(
      indexCorpus(dir, { corpus: "ravdess", allowIncomplete: true }),
      /no speech file of ravdess.*data get ravdess/,
    );
  });
});

Deno.test("an unknown .wav name is one sentence with the file and the rule, or ignored when asked", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, {
      [one]: tinyWav(1),
      "Actor_01/take 3 final.wav": tinyWav(2),
      "Actor_01/03-01-09-01-01-01-01.wav": "",
    });
    await sentence(
      indexCorpus(dir, { corpus: "ravdess", allowIncomplete: true }),
      /: unknown file names, Actor_01\/03-01-09-01-01-01-01\.wav, Actor_01\/take 3 final\.wav; ravdess names its files 03-/,
    );
    const names = ["Actor_01/03-01-09-01-01-01-01.wav", "Actor_01/take 3 final.wav"];
    const { rows, unknown } = await indexCorpus(dir, { allowIncomplete: true, unknown: "ignore" });
    assert.equal(rows.length, 1);
    assert.deepEqual(unknown, names);
    assert.deepEqual((await findCorpora(dir)).unknown, names);
    rmSync(join(dir, "Actor_01/take 3 final.wav"));
    await sentence(
      indexCorpus(dir),
      /: unknown file name, Actor_01\/03-[-\d]+\.wav; no corpus .* so; ignore .* --allow-incomplete \(.*"ignore"\)\.$/,
    );
    writeFiles(dir, Object.fromEntries(Array.from("abcdef", (letter) => [`${letter}.wav`, ""])));
    await sentence(indexCorpus(dir), /unknown file names, Actor_01\/03-[-\d]+\.wav, a\.wav, .*, d\.wav and 2 more;/);
  });
});

Deno.test("a missing folder, an empty one and a missing corpus say where to get the corpus", async () => {
  await inFolder(async (dir) => {
    const none = join(dir, "none");
    await sentence(
      indexCorpus(none, { corpus: "ravdess" }),
      /none: .*no such file or folder.*deno task data get ravdess/,
    );
    await sentence(indexCorpus(none), /none: .*deno task data list/);
    await sentence(findCorpora(none), /none: .*no such file or folder; "deno task data list"/);
    await sentence(indexCorpus(dir), /no speech corpus lies there; "deno task data list"/);
    await sentence(
      indexCorpus(dir, { corpus: "tess" }),
      /no speech file of tess lies there; get it with: download the data/,
    );
    await sentence(
      indexCorpus(dir, { corpus: "iemocap" }),
      /no corpus "iemocap"; serlab knows ravdess, crema-d/,
      UsageError,
    );
    writeFileSync(join(dir, "file"), "");
    await sentence(indexCorpus(join(dir, "file"), { corpus: "savee" }), /savee/);
    writeFiles(dir, { [one]: tinyWav() });
    await sentence(
      indexCorpus(dir, { corpus: ["ravdess", "savee"] }),
      /no speech file of savee lies there; ravdess is incomplete, 1439 of .*--allow-incomplete.*deno task data list/,
    );
  });
});

/** Recordings by their keys, each with the content of its place in the list. */
const named = (keys: readonly string[]): Record<string, Uint8Array> =>
  Object.fromEntries(keys.map((key, i) => [`${key}.wav`, tinyWav(i)]));

const keysOf = (id: string, speaker: RegExp): string[] =>
  corpora.find((corpus) => corpus.id === id)!.expected[0]!.keys!().filter((key) => speaker.test(key));

Deno.test("one recording too few and one too many are both named, and go on only when allowed", async () => {
  await inFolder(async (dir) => {
    const speakers = ["crema-d-1002"];
    writeFiles(dir, named(keysOf("crema-d", /\/1002_/)));
    const whole = await indexCorpus(dir, { corpus: "crema-d", speakers });
    assert.deepEqual([whole.rows.length, whole.missing, whole.extra, whole.unknown], [81, [], [], []]);
    // 1002_TIE_NEU_XX was never distributed: whoever has it, has it from elsewhere.
    writeFiles(dir, { "crema-d/1002_TIE_NEU_XX.wav": tinyWav(99) });
    await sentence(
      indexCorpus(dir, { corpus: "crema-d", speakers }),
      /: of crema-d 1 file is extra: crema-d\/1002_TIE_NEU_XX; go on all the same with --allow-incomplete \(in code allowIncomplete\)\.$/,
    );
    rmSync(join(dir, "crema-d/1002_DFA_ANG_XX.wav"));
    await sentence(
      indexCorpus(dir, { corpus: "crema-d", speakers }),
      /crema-d is incomplete, 1 of 81 files is missing: crema-d\/1002_DFA_ANG_XX; of crema-d 1 file is extra: crema-d\/1002_TIE_NEU_XX; go on .*; get it with: deno task/,
    );
    const part = await indexCorpus(dir, { corpus: "crema-d", speakers, allowIncomplete: true });
    assert.deepEqual([part.missing, part.extra], [["crema-d/1002_DFA_ANG_XX"], ["crema-d/1002_TIE_NEU_XX"]]);
    assert.equal(part.rows.length, 81);
    assert.ok(part.rows.some((row) => row.key === "crema-d/1002_TIE_NEU_XX"), "what is extra is used");
    const others = await indexCorpus(dir, { corpus: "crema-d", speakers: ["crema-d-1001"], allowIncomplete: true });
    assert.deepEqual([others.missing.length, others.extra], [82, []]);
  });
});

Deno.test("a recording that is there a second time under another name is extra, its usual name is not", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, {
      "tess/OAF_bite_neutral.wav": tinyWav(1),
      "tess/OA_bite_neutral.wav": tinyWav(1),
      "tess/3testYAF_back_sad4.wav": tinyWav(2),
      "crema-d/1040_ITH_SAD_X.wav": tinyWav(3),
    });
    const extra = async () => (await findCorpora(dir)).corpora.map((part) => [part.corpus.id, part.extra]);
    assert.deepEqual(await extra(), [["crema-d", []], ["tess", ["tess/OA_bite_neutral"]]]);
    writeFiles(dir, {
      "tess/9testYAF_back_sad9.wav": tinyWav(2),
      "crema-d/1040_ITH_SAD_XX.wav": tinyWav(3),
    });
    assert.deepEqual(await extra(), [
      ["crema-d", ["crema-d/1040_ITH_SAD_X"]],
      ["tess", ["tess/9testYAF_back_sad9", "tess/OA_bite_neutral"]],
    ]);
    const { rows, missing } = await indexCorpus(dir, { allowIncomplete: true });
    assert.equal(rows.length, 6);
    assert.equal(missing.length, 7441 + 2798);
  });
});

Deno.test("of many extra files five are named, and how many more there are", async () => {
  await inFolder(async (dir) => {
    const absent = ["ANG", "DIS", "FEA", "HAP", "NEU", "SAD"].map((code) => `crema-d/1008_WSI_${code}_XX`);
    writeFiles(dir, named([...keysOf("crema-d", /\/1008_/), ...absent]));
    await sentence(
      indexCorpus(dir, { corpus: "crema-d", speakers: ["crema-d-1008"] }),
      /of crema-d 6 files are extra: crema-d\/1008_WSI_ANG_XX, .*, crema-d\/1008_WSI_NEU_XX and 1 more; go on/,
    );
  });
});

Deno.test("all corpora that lack something are named, and one that is not there at all is missing whole", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, { [one]: tinyWav(1), "DC/a01.wav": tinyWav(2) });
    const corpus = ["ravdess", "savee", "tess", "savee"];
    await sentence(
      indexCorpus(dir, { corpus }),
      /no speech file of tess lies there; ravdess is incomplete, 1439 of 1440 .*; savee is incomplete, 479 of 480 .*; go on/,
    );
    const { rows, missing } = await indexCorpus(dir, { corpus, allowIncomplete: true });
    assert.equal(rows.length, 2);
    assert.equal(missing.length, 1439 + 479 + 2800);
    assert.deepEqual(missing.filter((key) => key.startsWith("tess/")), [...tess.expected[0]!.keys!()].sort());
    const speakers = ["ravdess-01", "tess-YAF"];
    const narrowed = await indexCorpus(dir, { corpus: ["ravdess", "tess"], speakers, allowIncomplete: true });
    assert.equal(narrowed.missing.length, 59 + 1400);
    assert.ok(!narrowed.missing.some((key) => key.startsWith("tess/OAF")));
    // Without a list, what lies there is all that is asked for.
    assert.equal((await indexCorpus(dir, { allowIncomplete: true })).missing.length, 1439 + 479);
  });
});

Deno.test("missing recordings stop the work unless allowed; speakers narrow what is asked for", async () => {
  await inFolder(async (dir) => {
    const files = Object.fromEntries(
      ["a", "d", "f", "h", "n", "sa", "su"].flatMap((code, c) =>
        Array.from({ length: code === "n" ? 30 : 15 }, (_, i) => {
          return [`DC/${code}${String(i + 1).padStart(2, "0")}.wav`, tinyWav(100 * c + i)];
        })
      ),
    );
    writeFiles(dir, files);
    await sentence(
      indexCorpus(dir, { corpus: "savee" }),
      /savee is incomplete, 360 of 480 files are missing: all of savee-JE, savee-JK, savee-KL; go on .*--allow-incomplete/,
    );
    const whole = await indexCorpus(dir, { corpus: "savee", speakers: ["savee-DC"] });
    assert.equal(whole.rows.length, 120);
    assert.deepEqual(whole.missing, []);
    rmSync(join(dir, "DC/su07.wav"));
    await sentence(
      indexCorpus(dir, { corpus: "savee", speakers: ["savee-DC"] }),
      /1 of 120 files is missing: savee\/DC_su07;/,
    );
    const part = await indexCorpus(dir, { corpus: "savee", speakers: ["savee-DC"], allowIncomplete: true });
    assert.deepEqual(part.missing, ["savee/DC_su07"]);
    await sentence(indexCorpus(dir, { corpus: "savee", speakers: ["savee-XX"] }), /no speaker "savee-XX"/, UsageError);
  });
});

Deno.test("files that are not audio are named: LFS pointer, text, empty, truncated, and how many more there are", async () => {
  await inFolder(async (dir) => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"ab".repeat(32)}\nsize 72156\n`;
    const cases: [string | Uint8Array, RegExp][] = [
      [pointer, /1001_DFA_ANG_XX\.wav: is a Git LFS pointer to 72156 bytes of audio.*git lfs pull.*data get crema-d/],
      ["hello", /1001_DFA_ANG_XX\.wav: is not audio/],
      ["", /1001_DFA_ANG_XX\.wav: is empty/],
      [tinyWav().subarray(0, 100), /1001_DFA_ANG_XX\.wav: is truncated/],
      [tinyWav().subarray(0, 44), /1001_DFA_ANG_XX\.wav: /],
    ];
    for (const [content, pattern] of cases) {
      writeFiles(dir, { "1001_DFA_ANG_XX.wav": content });
      await sentence(indexCorpus(dir, { allowIncomplete: true }), pattern);
    }
    writeFiles(dir, { "1001_DFA_DIS_XX.wav": "x", "1001_DFA_FEA_XX.wav": tinyWav() });
    await sentence(indexCorpus(dir, { allowIncomplete: true }), /1 more of 3 files cannot be read/);
  });
});

Deno.test("a recording may lie there twice when both are the same, and not when they differ", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, { [`first/${one}`]: tinyWav(1), [`second/${one}`]: tinyWav(1) });
    assert.equal((await findCorpora(dir)).corpora[0]!.copies.length, 1);
    const { rows } = await indexCorpus(dir, { allowIncomplete: true });
    assert.deepEqual(rows.map((row) => row.path), [`first/${one}`]);
    writeFiles(dir, { [`second/${one}`]: tinyWav(2) });
    await sentence(
      indexCorpus(dir, { allowIncomplete: true }),
      /second.*another file of this name, .*first.*, has other content/,
    );
  });
});

Deno.test("links are followed once: loops end, a linked corpus is found, a dead link is an unreadable recording", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, { [`real/${one}`]: tinyWav(1) });
    symlinkSync(join(dir, "real"), join(dir, "real", "Actor_01", "loop"));
    symlinkSync(dir, join(dir, "up"));
    symlinkSync(join(dir, "self"), join(dir, "self"));
    symlinkSync(join(dir, "real"), join(dir, "a-link"));
    mkdirSync(join(dir, "by-link"));
    symlinkSync(join(dir, "real"), join(dir, "by-link", "corpus"));
    const { rows } = await indexCorpus(dir, { allowIncomplete: true });
    assert.deepEqual(rows.map((row) => row.path), [`real/${one}`]);
    const linked = await indexCorpus(join(dir, "by-link"), { allowIncomplete: true });
    assert.deepEqual(linked.rows.map((row) => row.path), [`corpus/${one}`]);
    symlinkSync(join(dir, "gone"), join(dir, "03-01-02-01-01-01-01.wav"));
    await sentence(
      indexCorpus(dir, { allowIncomplete: true }),
      /03-01-02-01-01-01-01\.wav: cannot be read, no such file/,
    );
  });
});

Deno.test("a folder that may not be read is reported, not passed over", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, { [one]: tinyWav(1), [two]: tinyWav(2) });
    // Root may read any folder, so the permission is taken from a process.
    const script = join(dir, "script.ts");
    writeFileSync(
      script,
      `import { findCorpora, indexCorpus } from ${
        JSON.stringify(new URL("../../lib/corpora/mod.ts", import.meta.url).href)
      };
       const found = await findCorpora(${JSON.stringify(dir)});
       console.log(found.corpora[0].utterances.length, found.unreadable.length);
       await indexCorpus(${
        JSON.stringify(dir)
      }, { allowIncomplete: true }).catch((error) => console.log(error.name, error.message));`,
    );
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--no-prompt",
        `--config=${new URL("../../deno.json", import.meta.url).pathname}`,
        "--allow-read",
        "--allow-env",
        "--allow-sys",
        `--deny-read=${join(dir, "Actor_02")}`,
        script,
      ],
    }).output();
    const output = new TextDecoder().decode(stdout);
    assert.match(
      output,
      /^1 1\nCorpusError .*Actor_02: .*permission.*all of its folder can be read/,
      output + new TextDecoder().decode(stderr),
    );
  });
});

Deno.test("verifyManifest tells missing, extra and changed recordings apart, wherever they lie", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, { [one]: tinyWav(1), [two]: tinyWav(2), "Actor_03/03-01-02-01-01-01-03.wav": tinyWav(3) });
    const manifest = await indexCorpus(dir, { allowIncomplete: true });
    assert.deepEqual(await verifyManifest(dir, manifest), { missing: [], extra: [], changed: [], bad: [], ok: true });

    mkdirSync(join(dir, "moved"));
    renameSync(join(dir, "Actor_01"), join(dir, "moved", "somewhere"));
    writeFiles(dir, { [two]: tinyWav(9), "Actor_04/03-01-02-01-01-01-04.wav": tinyWav(4) });
    rmSync(join(dir, "Actor_03"), { recursive: true });
    assert.deepEqual(await verifyManifest(dir, manifest), {
      missing: ["ravdess/03-01-02-01-01-01-03"],
      extra: ["ravdess/03-01-02-01-01-01-04"],
      changed: ["ravdess/03-01-05-02-01-01-02"],
      bad: [],
      ok: false,
    });
    writeFiles(dir, { [two]: tinyWav(2).subarray(0, 60) });
    const { bad, changed } = await verifyManifest(dir, manifest);
    assert.deepEqual(changed, []);
    assert.match(bad[0]!.reason, /truncated/);
  });
});

Deno.test("progress is told for every file", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, { [one]: tinyWav(1), [two]: tinyWav(2) });
    const calls: [number, number][] = [];
    await indexCorpus(dir, { allowIncomplete: true, onProgress: (done, total) => calls.push([done, total]) });
    assert.deepEqual(calls, [[1, 2], [2, 2]]);
  });
});
