import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import {
  executeNotebook,
  joined,
  type Notebook,
  notebookFiles,
  notebookHtml,
  writeKernelspec,
} from "../../lib/notebook/execute.ts";
import { PLOTLY_MIME } from "../../lib/notebook/mod.ts";
import { ensureTool } from "../../lib/setup/tools.ts";

const jupyter = await ensureTool("jupyter", { install: false });
const browser = await ensureTool("chromium", { install: false });
const root = fileURLToPath(new URL("../../", import.meta.url));
const realCorpora = join(root, "..", "shared", "corpora");
const explore = join(root, "notebooks", "01_explore.ipynb");
const features = join(root, "notebooks", "02_features_and_augmentation.ipynb");
const stored = (path: string) => JSON.parse(readFileSync(path, "utf8")) as Notebook;
const outputs = (notebook: Notebook) => notebook.cells.flatMap((cell) => cell.outputs ?? []);

/** Number of figures, and of players, that a notebook's outputs hold. */
function contents(notebook: Notebook): { figures: number; players: number } {
  const all = outputs(notebook);
  const html = all.map(({ data }) => joined((data?.["text/html"] ?? "") as string | string[]));
  return {
    figures: all.filter(({ data }) => data?.[PLOTLY_MIME] !== undefined).length,
    players: html.reduce((sum, text) => sum + text.split("<audio ").length - 1, 0),
  };
}

/** What every executed notebook must be like; `figures` is how many it must have. */
function assertSound(notebook: Notebook, figures: number): void {
  const code = notebook.cells.filter((cell) => cell.cell_type === "code");
  assert.deepEqual(code.map((cell) => cell.execution_count), code.map((_, i) => i + 1));
  for (const output of outputs(notebook)) {
    assert.notEqual(output.output_type, "error");
    assert.notEqual(output.name, "stderr", joined(output.text));
  }
  // A cell that shows nothing prepares the next one.
  code.forEach((cell, i) => {
    const shown = [cell, code[i + 1]].some((each) => each !== undefined && (each.outputs ?? []).length > 0);
    assert.ok(shown || (code[i + 2]?.outputs ?? []).length > 0, `cell ${cell.id} or those after it show something`);
  });
  const drawn = outputs(notebook).filter((output) => output.data?.[PLOTLY_MIME] !== undefined);
  assert.equal(drawn.length, figures);
  for (const { data } of drawn) {
    const plotly = data![PLOTLY_MIME] as { data: unknown[]; layout: { title: { text: string } } };
    assert.ok(plotly.data.length > 0);
    const svg = joined(data!["image/svg+xml"] as string | string[]);
    // Many marks, or lines of many points, or pictures of many cells.
    const marks = svg.match(/<(path|rect|circle|image)\b/g) ?? [];
    const large = svg.match(/ d="[^"]{200,}"|base64,[A-Za-z0-9+/=]{500,}/g) ?? [];
    assert.ok(marks.length > 4 || large.length > 0, plotly.layout.title.text);
    // Base64 may spell anything.
    assert.doesNotMatch(svg.replaceAll(/base64,[A-Za-z0-9+/=]+/g, ""), /NaN|undefined/);
  }
}

/** Text with its numbers taken out, and the numbers. */
function split(text: string): { words: string; numbers: number[] } {
  const numbers: number[] = [];
  const words = text.replace(/[−-]?\d+(?:\.\d+)?(?:e[+-]\d+)?/g, (n) => {
    numbers.push(Number(n.replace("−", "-")));
    return "#";
  }).replace(/ +/g, " ");
  return { words, numbers };
}

/** Compares what an execution says with what is stored, from an output on. */
function assertAsStored(notebook: Notebook, kept: Notebook, from = 0): void {
  const texts = (n: Notebook) =>
    outputs(n).slice(from).map((o) => joined((o.text ?? o.data?.["text/plain"]) as string | string[]));
  const [now, before] = [texts(notebook).map(split), texts(kept).map(split)];
  assert.deepEqual(now.map((t) => t.words), before.map((t) => t.words), "run: deno task notebooks --write");
  // Rounding may differ a little from machine to machine.
  now.forEach(({ numbers }, i) =>
    numbers.forEach((n, k) => {
      const m = before[i]!.numbers[k]!;
      assert.ok(
        Math.abs(n - m) <= 0.02 + 0.02 * Math.abs(m),
        `${n} against the stored ${m}: deno task notebooks --write`,
      );
    })
  );
}

Deno.test({
  name: "01_explore runs on synthetic audio, and its stored outputs are those of its code [jupyter]",
  ignore: !jupyter.available,
  fn: async () => {
    const { notebook } = await executeNotebook(explore, { env: { SERLAB_CORPORA: "", SERLAB_SEED: "0" } });
    const kept = stored(explore), { figures } = contents(kept);
    assert.ok(figures >= 9 && contents(kept).players >= 8);
    assertSound(notebook, figures);
    assertSound(kept, figures);
    assertAsStored(notebook, kept);
  },
});

Deno.test({
  name:
    "02_features_and_augmentation runs on synthetic audio, also where the corpus folder is missing, and its stored outputs are those of its code [jupyter]",
  ignore: !jupyter.available,
  fn: async () => {
    const env = { SERLAB_CORPORA: "no/such/folder", SERLAB_SEED: "0" };
    const { notebook } = await executeNotebook(features, { env });
    const [first] = outputs(notebook);
    assert.match(joined(first!.text), /no such file or folder.*Going on with synthetic speech, seed 0/);
    const kept = stored(features);
    assert.deepEqual(contents(kept), { figures: 14, players: 12 });
    for (const each of [notebook, kept]) {
      assertSound(each, 14);
      const titles = outputs(each).flatMap(({ data }) =>
        (data?.[PLOTLY_MIME] as { layout: { title: { text: string } } } | undefined)?.layout.title.text ?? []
      );
      // Two figures show no recording of the corpus.
      assert.equal(titles.filter((title) => title.includes("synthetic speech, seed 0")).length, 12);
    }
    assertAsStored(notebook, kept, 1);
    assert.doesNotMatch(JSON.stringify(outputs(kept)), /DIFFERENT/);
  },
});

/** Chapters that train: their numbers may differ a little from processor to processor, and what is read from results/. */
const trained = { "03_model_comparison": 5, "04_hyperparameter_search": 7, "05_leakage": 4 };

for (const [name, figures] of Object.entries(trained)) {
  Deno.test({
    name: `${name} runs on synthetic audio, and its stored outputs are those of its code but for numbers [jupyter]`,
    ignore: !jupyter.available,
    fn: async () => {
      const path = join(root, "notebooks", `${name}.ipynb`), kept = stored(path);
      const { notebook } = await executeNotebook(path, { env: { SERLAB_CORPORA: "", SERLAB_SEED: "0" } });
      for (const each of [notebook, kept]) assertSound(each, figures);
      const words = (n: Notebook) =>
        n.cells.filter(({ id }) => !id?.startsWith("real")).flatMap((cell) => cell.outputs ?? [])
          .map((o) => split(joined((o.text ?? o.data?.["text/plain"]) as string | string[])).words);
      assert.deepEqual(words(notebook), words(kept), "run: deno task notebooks --write");
      // What the prose says of them: the estimates of the first figure of models are where they were stored.
      const estimates = (n: Notebook) =>
        outputs(n).map((o) => joined(o.data?.["text/plain"] as string | string[]))
          .filter((text) => / Estimates: /.test(text) && /synthetic speech/.test(text)).flatMap((t) =>
            split(t).numbers
          );
      estimates(notebook).forEach((n, i) => assert.ok(Math.abs(n - estimates(kept)[i]!) <= 0.1, `${n}: figure ${i}`));
    },
  });
}

Deno.test("stored notebooks are small, name no folder of a machine, and have short cells", () => {
  assert.ok(notebookFiles().includes(explore));
  for (const path of notebookFiles()) {
    const text = readFileSync(path, "utf8");
    assert.ok(text.length < 1_500_000, `${path}: ${text.length} bytes`);
    const plain = text.replace(/base64,[A-Za-z0-9+/=]+/g, "");
    assert.doesNotMatch(plain, /file:\/\/\/|\/(?:home|root|Users|tmp|work)\/|[A-Z]:\\\\/, path);
    for (const cell of stored(path).cells.filter((c) => c.cell_type === "code")) {
      assert.ok(joined(cell.source).split("\n").length < 20, `${path}: cell ${cell.id} is long`);
    }
  }
});

Deno.test({
  name:
    "a missing corpus folder is told, and the notebook goes on with synthetic speech and says so in its titles [jupyter]",
  ignore: !jupyter.available,
  fn: async () => {
    const env = { SERLAB_CORPORA: "no/such/folder", SERLAB_SEED: "7" };
    const { notebook } = await executeNotebook(explore, { env });
    assertSound(notebook, contents(stored(explore)).figures);
    const said = joined(outputs(notebook)[0]!.text);
    assert.match(said, /^no\/such\/folder: .*no such file or folder.*Going on with synthetic speech, seed 7/);
    for (const { data } of outputs(notebook)) {
      const figure = data?.[PLOTLY_MIME] as { layout: { title: { text: string } } } | undefined;
      if (figure) assert.match(figure.layout.title.text, /synthetic speech, seed 7/);
    }
  },
});

Deno.test({
  name:
    "01_explore runs on real corpora and finds CREMA-D's double labels and its silent file [jupyter] (../shared/corpora)",
  ignore: !jupyter.available || !existsSync(join(realCorpora, "RAVDESS")),
  fn: () =>
    inFolder(async (folder) => {
      linkPart(folder, /^(1001|1006|1013|1017|1076)_/, /^OAF_(angry|neutral)$/i);
      const { notebook } = await executeNotebook(explore, { env: { SERLAB_CORPORA: folder } });
      assertSound(notebook, contents(stored(explore)).figures);
      const text = (id: string) =>
        joined(notebook.cells.find((c) => c.id === id)!.outputs!.at(-1)!.data!["text/plain"] as string | string[]);
      assert.match(text("survey"), /1006_TIE_HAP_XX = crema-d\/1006_TIE_NEU_XX/);
      assert.match(text("survey"), /1017_IWW_ANG_XX = crema-d\/1017_IWW_FEA_XX/);
      assert.match(text("survey"), /1076_MTI_SAD_XX\s+Every sample is zero/);
      assert.match(text("classes"), /CREMA-D, RAVDESS, SAVEE, TESS/);
      assert.match(text("pick"), /calm\s+ravdess\/03-01-02-01-01-01-01/);
    }),
});

/** A part of each real corpus, so that a test takes seconds. */
function linkPart(folder: string, cremaD: RegExp, tess: RegExp): void {
  const link = (from: string, wanted: RegExp) => {
    mkdirSync(join(folder, from), { recursive: true });
    for (const name of readdirSync(join(realCorpora, from))) {
      if (wanted.test(name)) symlinkSync(join(realCorpora, from, name), join(folder, from, name));
    }
  };
  link("RAVDESS", /^Actor_01$/);
  link("CREMA-D/AudioWAV", cremaD);
  link("TESS", tess);
  link("SAVEE", /^DC$/);
}

Deno.test({
  name:
    "02_features_and_augmentation on real corpora: copies find their originals, speakers are nearer than emotions [jupyter] (../shared/corpora)",
  ignore: !jupyter.available || !existsSync(join(realCorpora, "RAVDESS")),
  fn: () =>
    inFolder(async (folder) => {
      linkPart(folder, /^10(01|13)_/, /^YAF_angry$/i);
      const { notebook } = await executeNotebook(features, { env: { SERLAB_CORPORA: folder } });
      assertSound(notebook, 14);
      const numbers = (id: string) => {
        const { data } = notebook.cells.find((c) => c.id === id)!.outputs!.at(-1)!;
        const lines = joined(data!["text/plain"] as string | string[]).split("\n").slice(2);
        return lines.map((line) => line.trim().split(/\s{2,}/).slice(1).map(Number));
      };
      assert.equal(numbers("copies").length, 3);
      for (const [found, chance] of numbers("copies")) assert.ok(found! > 0.8 && chance! < 0.1, `${found}`);
      for (const [speaker, , others] of numbers("neighbours-table")) {
        assert.ok(speaker! > others! + 0.2, `${speaker} and ${others}`);
      }
    }),
});

function notebookOf(sources: readonly string[]): string {
  const cells = sources.map((source, i) => ({
    cell_type: "code",
    id: `cell-${i}`,
    metadata: {},
    source,
    outputs: [],
    execution_count: null,
  }));
  return JSON.stringify({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 });
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "serlab-test-"));
  try {
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

Deno.test({
  name: "no output is lost or put under another cell, however fast the cells follow each other [jupyter]",
  ignore: !jupyter.available,
  fn: () =>
    inFolder(async (folder) => {
      const path = join(folder, "fast.ipynb");
      const sources = Array.from({ length: 40 }, (_, i) =>
        i % 2
          ? `console.log("stream ${i}"); "result ${i}"`
          : `({ [Symbol.for("Jupyter.display")]: () => ({ "text/plain": "result ${i}" }) })`);
      writeFileSync(path, notebookOf(sources));
      const { notebook } = await executeNotebook(path, { write: true });
      notebook.cells.forEach((cell, i) => {
        const result = cell.outputs!.find((o) =>
          o.output_type === "execute_result"
        );
        assert.match(joined(result!.data!["text/plain"] as string | string[]), new RegExp(`result ${i}\\b`));
        const streams = cell.outputs!.filter((o) => o.output_type === "stream").map((o) => joined(o.text));
        assert.deepEqual(streams, i % 2 ? [`stream ${i}\n`] : []);
        assert.equal(cell.execution_count, i + 1);
      });
      assert.deepEqual(stored(path), notebook);
    }),
});

Deno.test({
  name:
    "a cell that fails, a slow one, and a stored path of this machine are one line each, and nothing is written [jupyter]",
  ignore: !jupyter.available,
  fn: () =>
    inFolder(async (folder) => {
      const path = join(folder, "bad.ipynb");
      const cases: [readonly string[], RegExp, number][] = [
        [
          ["1", "throw new TypeError('no such thing')", "2"],
          /bad\.ipynb: code cell 2 failed, TypeError: no such thing\.$/,
          60,
        ],
        [
          ["for (;;) await new Promise((done) => setTimeout(done, 50));"],
          /code cell 1 failed, it took longer than 2 s\.$/,
          2,
        ],
        [["Deno.cwd()"], /is not stored, an output of cell 1 names the folder/, 60],
      ];
      for (const [sources, message, timeoutSec] of cases) {
        const before = notebookOf(sources);
        writeFileSync(path, before);
        await assert.rejects(executeNotebook(path, { write: true, timeoutSec }), { name: "NotebookError", message });
        assert.equal(readFileSync(path, "utf8"), before);
      }
    }),
});

Deno.test({
  name: "what is not a notebook is refused by name [jupyter]",
  ignore: !jupyter.available,
  fn: () =>
    inFolder(async (folder) => {
      const path = join(folder, "x.ipynb");
      await assert.rejects(executeNotebook(path), { name: "FormatError", message: /x\.ipynb: cannot be read/ });
      for (const text of ["not json", "{}", '{"nbformat":3,"cells":[]}', "null"]) {
        writeFileSync(path, text);
        await assert.rejects(executeNotebook(path), { name: "FormatError", message: /x\.ipynb: is not a notebook/ });
      }
    }),
});

Deno.test("the kernelspec starts this very Deno and takes interrupts by message", () => {
  const spec = JSON.parse(readFileSync(join(writeKernelspec(), "kernels", "deno", "kernel.json"), "utf8"));
  assert.equal(spec.argv[0], Deno.execPath());
  assert.equal(spec.interrupt_mode, "message");
  assert.equal(spec.language, "typescript");
});

Deno.test({
  name:
    "the chapters as pages: no figure is blank, nothing overflows, no error, on a desk and on a phone [jupyter] [chromium]",
  ignore: !jupyter.available || !browser.available,
  sanitizeOps: false,
  sanitizeResources: false,
  fn: () =>
    inFolder(async (folder) => {
      const launched = await chromium.launch({
        executablePath: browser.available ? browser.path : "",
        args: Deno.build.os === "linux" && Deno.uid() === 0 ? ["--no-sandbox"] : [],
      });
      try {
        const chapters = notebookFiles().map((path) => ({ path, ...contents(stored(path)) }));
        const views = chapters.flatMap((chapter) =>
          ([[1200, "light"], [390, "dark"]] as const).map((view) => ({ chapter, view }))
        );
        for (const { chapter, view: [width, colorScheme] } of views) {
          const page = join(folder, `${basename(chapter.path)}.html`);
          if (!existsSync(page)) writeFileSync(page, await notebookHtml(chapter.path));
          const tab = await launched.newPage({ viewport: { width, height: 900 }, colorScheme });
          const problems: string[] = [];
          tab.on("console", (message) => message.type() === "error" && problems.push(message.text()));
          tab.on("pageerror", (error) => problems.push(error.message));
          tab.on("requestfailed", (request) => problems.push(request.url().slice(0, 80)));
          await tab.goto(`file://${page}`);
          const looks = await tab.evaluate(lookAtFigures);
          assert.deepEqual(problems, []);
          assert.equal(looks.figures.length, chapter.figures);
          assert.ok(looks.pageWidth <= width, `the page is ${looks.pageWidth} pixels wide on ${width}`);
          for (const figure of looks.figures) {
            assert.ok(figure.alt.length > 20, "a figure says what it shows");
            assert.ok(figure.right <= width, `${figure.alt.slice(0, 40)} ends at ${figure.right} of ${width}`);
            assert.ok(figure.colors > 20, `${figure.alt.slice(0, 40)} has ${figure.colors} colours`);
            assert.ok(figure.inked > 0.01, `${figure.alt.slice(0, 40)}: ${figure.inked} of it is drawn on`);
            assert.equal(
              figure.ground < 64,
              colorScheme === "dark",
              `${figure.alt.slice(0, 40)}: ground ${figure.ground}`,
            );
          }
          assert.equal(looks.players, chapter.players);
          assert.ok(looks.seconds.every((s) => s > 1 && s < 2.3), looks.seconds.join());
          await tab.close();
        }
      } finally {
        await launched.close();
      }
    }),
});

/** Runs in the page: what the figures look like, pixel by pixel, and what the players hold. */
async function lookAtFigures() {
  // deno-lint-ignore no-explicit-any -- the page's own globals, which Deno's types do not have
  const page = globalThis as any;
  const figures = [];
  for (const image of page.document.querySelectorAll(".jp-RenderedSVG img")) {
    await image.decode();
    const canvas = page.document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const colors = new Map<number, number>();
    for (let i = 0; i < data.length; i += 4) {
      const color = (data[i] << 16) | (data[i + 1] << 8) | data[i + 2];
      colors.set(color, (colors.get(color) ?? 0) + 1);
    }
    const ground = (data[0] + data[1] + data[2]) / 3;
    const groundColor = (data[0] << 16) | (data[1] << 8) | data[2];
    const inked = 1 - (colors.get(groundColor) ?? 0) / (data.length / 4);
    const right = image.getBoundingClientRect().right as number;
    figures.push({ alt: image.alt as string, colors: colors.size, inked, ground, right });
  }
  const audio = [...page.document.querySelectorAll("audio")];
  await Promise.all(
    // deno-lint-ignore no-explicit-any -- as above
    audio.map((a: any) => a.readyState >= 1 || new Promise((ready) => a.addEventListener("loadedmetadata", ready))),
  );
  return {
    figures,
    players: audio.length,
    // deno-lint-ignore no-explicit-any -- as above
    seconds: audio.map((a: any) => a.duration as number),
    pageWidth: page.document.documentElement.scrollWidth as number,
  };
}
