import assert from "node:assert/strict";
import { join } from "node:path";
import { CorpusError, UsageError } from "../../lib/errors.ts";
import { indexFolder, indexTable, readManifest, writeManifest } from "../../lib/corpora/mod.ts";
import { parseTable } from "../../lib/corpora/generic.ts";
import { inFolder, tinyWav, writeFiles } from "./temporary.ts";

Deno.test("any folder: labels from folders named as emotions, speakers from the folder beside", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, {
      "My Corpus/anna/Angry/1.wav": tinyWav(1),
      "My Corpus/anna/joy/1.wav": tinyWav(2),
      "My Corpus/Sadness/bert/2.wav": tinyWav(3),
      "My Corpus/notes.txt": "",
    });
    const { rows } = await indexFolder(join(dir, "My Corpus"));
    assert.deepEqual(rows.map((row) => [row.key, row.speaker, row.emotion]), [
      ["my-corpus/Sadness/bert/2", "my-corpus-bert", "sad"],
      ["my-corpus/anna/Angry/1", "my-corpus-anna", "angry"],
      ["my-corpus/anna/joy/1", "my-corpus-anna", "happy"],
    ]);
    writeManifest(join(dir, "m.jsonl"), { rows, missing: [] });
    assert.deepEqual(readManifest(join(dir, "m.jsonl")).rows, rows);
  });
});

Deno.test("any folder: a pattern and own label names; without a speaker all recordings are one speaker", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, { "f/p1_freude_s2.wav": tinyWav(1), "f/p2_trauer_s1.wav": tinyWav(2) });
    const { rows } = await indexFolder(join(dir, "f"), {
      corpus: "eigen",
      pattern: /(?<speaker>p\d)_(?<emotion>[a-z]+)_(?<sentence>s\d)/g,
      labels: { Freude: "happy", trauer: "sad" },
    });
    assert.deepEqual(rows.map((row) => [row.speaker, row.emotion, row.sentence]), [
      ["eigen-p1", "happy", "s2"],
      ["eigen-p2", "sad", "s1"],
    ]);
    writeFiles(dir, { "g/calm/a.wav": tinyWav(1), "g/sad/b.wav": tinyWav(2) });
    const unknown = await indexFolder(join(dir, "g"));
    assert.deepEqual(new Set(unknown.rows.map((row) => row.speaker)), new Set(["g-unknown"]));
  });
});

Deno.test("any folder: unlabelled audio is an error that names it, or left out when asked", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, { "c/angry/a.wav": tinyWav(1), "c/excited/b.wav": tinyWav(2) });
    const c = join(dir, "c");
    await assert.rejects(
      indexFolder(c),
      /excited\/b\.wav: lies in no folder that is named as an emotion; labels are neutral/,
    );
    assert.equal((await indexFolder(c, { unknown: "ignore" })).rows.length, 1);
    assert.equal((await indexFolder(c, { labels: { excited: "happy" } })).rows.length, 2);
    await assert.rejects(indexFolder(c, { pattern: /^(?<emotion>\w+)\// }), /b\.wav: has the unknown label "excited"/);
    await assert.rejects(indexFolder(c, { labels: { excited: "glad" as "happy" } }), UsageError);
    await assert.rejects(indexFolder(c, { corpus: "My Corpus" }), UsageError);
    await assert.rejects(indexFolder(join(dir, "none")), /none: .*no such file or folder/);
    writeFiles(dir, { "d/readme.txt": "" });
    await assert.rejects(indexFolder(join(dir, "d")), /no audio file with a known label/);
    writeFiles(dir, { "c/excited/b.wav": "text" });
    await assert.rejects(indexFolder(c, { labels: { excited: "happy" } }), /b\.wav: is not audio/);
  });
});

Deno.test("a table lists recordings: CSV, TSV and JSON Lines, columns by their usual names", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, { "audio/1.wav": tinyWav(1), "audio/2, loud.wav": tinyWav(2) });
    const tables = {
      "a.csv":
        'File,Label,Actor,gender,text\r\n./audio/1.wav,happiness,A,F,"say ""hi"""\r\n"audio/2, loud.wav",ANG,B,m,\r\n',
      "b.tsv":
        '\ufeffpath\temotion\tspeaker\tsex\tsentence\naudio/1.wav\thappy\tA\tfemale\tsay "hi"\naudio\\2, loud.wav\tangry\tB\tmale\t\n',
      "c.jsonl": '{"path":"audio/1.wav","emotion":"happy","speaker":"A","sex":"female","sentence":"say \\"hi\\""}\n\n' +
        '{"path":"audio/2, loud.wav","label":"angry","speaker":"B","sex":"male","extra":[1]}\n',
    };
    writeFiles(dir, tables);
    for (const table of Object.keys(tables)) {
      const { rows } = await indexTable(join(dir, table), { corpus: "t" });
      assert.deepEqual(rows.map((row) => [row.path, row.emotion, row.speaker, row.sex, row.sentence]), [
        ["audio/1.wav", "happy", "t-A", "female", 'say "hi"'],
        ["audio/2, loud.wav", "angry", "t-B", "male", undefined],
      ], table);
    }
  });
});

Deno.test("a table's faults are named with the line", async () => {
  await inFolder(async (dir) => {
    writeFiles(dir, { "1.wav": tinyWav(1), "1.flac": tinyWav(1) });
    const table = join(dir, "t.csv");
    const cases: [string, RegExp][] = [
      ["", /no audio file/],
      ["path,emotion\n1.wav", /record 1 has 1 fields and the header 2/],
      ["path,speaker\n1.wav,A", /t\.csv:2: lacks an emotion/],
      ["path,emotion\n,sad", /lacks a path/],
      ["path,emotion\n1.wav,glum", /t\.csv:2: unknown label "glum"/],
      ["path,emotion\n../x.wav,sad", /must lead to a file below the folder/],
      ["path,emotion\n/etc/passwd,sad", /must lead to a file below the folder/],
      ["path,emotion\nC:\\x.wav,sad", /must lead to a file below the folder/],
      ["path,emotion\nnone.wav,sad", /none\.wav: cannot be read, no such file/],
      ["path,emotion\n1.wav,sad\n1.wav,calm", /1\.wav: is listed twice/],
      ["path,emotion\n1.wav,sad\n1.flac,sad", /differs from .* in nothing but its ending/],
      ["path,emotion,sex\n1.wav,sad,x", /sex must be female or male, not "x"/],
      ["path,emotion,channel\n1.wav,sad,radio", /channel must be speech or song/],
    ];
    for (const [text, pattern] of cases) {
      writeFiles(dir, { "t.csv": text });
      await assert.rejects(
        indexTable(table),
        (error) => error instanceof CorpusError && pattern.test(error.message),
        text,
      );
    }
    await assert.rejects(indexTable(join(dir, "none.csv")), /none\.csv: cannot be read/);
    writeFiles(dir, { "t.jsonl": "{}\n[" });
    await assert.rejects(indexTable(join(dir, "t.jsonl")), CorpusError);
  });
});

Deno.test("parseTable reads quotes, doubled quotes, line ends within fields, semicolons", () => {
  assert.deepEqual(parseTable('a;b\n"1;\n2";"say ""x"""\n\n'), [["a", "b"], ["1;\n2", 'say "x"']]);
  assert.deepEqual(parseTable("a,b\r\n1,"), [["a", "b"], ["1", ""]]);
  assert.deepEqual(parseTable(""), []);
});
