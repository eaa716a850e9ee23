import assert from "node:assert/strict";
import process from "node:process";
import { decodeWav } from "../../lib/audio/mod.ts";
import { barFigure } from "../../lib/figures/mod.ts";
import {
  DataFrame,
  DISPLAY,
  displayable,
  kernel,
  player,
  players,
  PLOTLY_MIME,
  progress,
  show,
  table,
  track,
} from "../../lib/notebook/mod.ts";

Deno.test("a figure is shown by Jupyter's protocol in Plotly, SVG and words", () => {
  const figure = barFigure(["a", "b"], [{ name: "n", values: [1, 2] }], { title: "Two", subtitle: "of two" });
  const bundle = show(figure)[DISPLAY]();
  assert.deepEqual(Object.keys(bundle), [PLOTLY_MIME, "image/svg+xml", "text/plain"]);
  const plotly = bundle[PLOTLY_MIME] as { data: unknown; layout: unknown };
  assert.deepEqual([plotly.data, plotly.layout], [figure.data, figure.layout]);
  assert.match(String(bundle["image/svg+xml"]), /^<svg /);
  assert.match(String(bundle["text/plain"]), /^Two: of two\. Bar chart over a and b/);
});

Deno.test("outside a notebook there is no kernel, and shown objects print as words", () => {
  assert.equal(kernel(), undefined);
  assert.equal(Deno.inspect(displayable({ "text/plain": "words", "text/html": "<b>words</b>" })), "words");
});

Deno.test("a danfojs table is shown with its columns, numbers at the right, gaps empty", () => {
  const frame = new DataFrame([{ name: "x", n: 1, share: 0.5 }, { name: "y", n: 20, share: NaN }]);
  const shown = table(frame, { caption: "Two rows", decimals: 1 });
  assert.equal(shown.mime["text/plain"], "Two rows\nname   n  share\nx      1    0.5\ny     20");
  const html = String(shown.mime["text/html"]);
  assert.equal(html.match(/<tr>/g)?.length, 3);
  assert.match(html, /<td style="text-align:right[^"]*">20<\/td><td[^>]*><\/td>/);
});

Deno.test("grouping in danfojs works without a native addon", () => {
  const frame = new DataFrame([{ g: "a", v: 1 }, { g: "b", v: 5 }, { g: "a", v: 3 }]);
  const means = frame.groupby(["g"]).agg({ v: "mean" });
  assert.deepEqual(means.values, [["a", 2], ["b", 5]]);
});

Deno.test("a long table is cut and says how much is left out", () => {
  const rows = Array.from({ length: 25 }, (_, i) => ({ i }));
  assert.match(String(table(rows, { maxRows: 3 }).mime["text/plain"]), /\n2\n… and 22 more rows$/);
});

Deno.test("text in tables and labels cannot become markup", () => {
  const html = String(table([{ "<i>": "<script>alert(1)</script>" }], { caption: "<b>" }).mime["text/html"]) +
    String(player({ samples: new Float32Array(10), sampleRateHz: 8000 }, { label: '"><script>' }).mime["text/html"]);
  assert.ok(!/<script|<i>|<b>/.test(html));
});

Deno.test("a table of nothing and of mixed records is still a table", () => {
  assert.equal(table([]).mime["text/plain"], "");
  assert.equal(table([{ a: 1 }, { b: "x" }]).mime["text/plain"], "a  b\n1\n   x");
  assert.equal(table([{ v: -0.001 }, { v: -1.5 }, { v: Infinity }]).mime["text/plain"], "    v\n 0.00\n−1.50\n    ∞");
});

Deno.test("a player holds the sound itself, cut, and at a lower rate", () => {
  const samples = Float32Array.from({ length: 48_000 * 6 }, (_, i) => 0.5 * Math.sin(2 * Math.PI * 440 * i / 48_000));
  const html = String(player({ samples, sampleRateHz: 48_000 }, { label: "tone", maxSec: 2 }).mime["text/html"]);
  const bytes = Uint8Array.from(atob(/base64,([^"]+)"/.exec(html)![1]!), (c) => c.charCodeAt(0));
  const { channels, sampleRateHz, encoding } = decodeWav(bytes, "player.wav");
  assert.equal(sampleRateHz, 11_025);
  assert.equal(channels[0]!.length, 22_050);
  assert.match(encoding, /16/);
  // The tone is still 440 Hz: it crosses zero 880 times a second.
  const middle = channels[0]!.subarray(1000, 12_025);
  const crossings = middle.filter((x, i) => i > 0 && x >= 0 !== middle[i - 1]! >= 0).length;
  assert.ok(Math.abs(crossings - 880) <= 4, String(crossings));
});

Deno.test("players stand side by side, each with its label", () => {
  const wave = { samples: new Float32Array(100), sampleRateHz: 8000 };
  const html = String(players([{ label: "one", wave }, { label: "two", wave }]).mime["text/html"]);
  assert.equal(html.match(/<audio controls/g)?.length, 2);
  assert.match(html, /grid.*<figcaption[^>]*>one<.*<figcaption[^>]*>two</);
});

Deno.test("progress counts, never beyond its end, and lets other work run", async () => {
  const bar = progress(3, { everyMs: 0 });
  let other = 0;
  const timer = setInterval(() => other++, 0);
  for (let i = 0; i < 5; i++) await bar.tick();
  await bar.finish();
  clearInterval(timer);
  assert.equal(bar.done, 3);
  assert.ok(other > 0);
  const seen: number[] = [];
  for await (const n of track([1, 2, 3])) seen.push(n);
  assert.deepEqual(seen, [1, 2, 3]);
});

Deno.test("importing the notebook library warns of nothing and takes less than two seconds", async () => {
  const module = new URL("../../lib/notebook/mod.ts", import.meta.url).href;
  // Time of the processor, so that a busy machine does not fail the test.
  const code = `import process from "node:process"; const t = process.cpuUsage(); await import(${
    JSON.stringify(module)
  }); const { user, system } = process.cpuUsage(t); console.log((user + system) / 1000);`;
  const run = () =>
    new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", code],
      cwd: new URL("../..", import.meta.url),
      env: { NO_COLOR: "1" },
    }).output();
  await run(); // warms the caches
  let best = Infinity;
  for (let attempt = 0; attempt < 3 && best > 1000; attempt++) {
    const { stdout, stderr } = await run();
    assert.equal(new TextDecoder().decode(stderr), "");
    best = Math.min(best, Number(new TextDecoder().decode(stdout)));
  }
  assert.ok(best < 2000, `${best} ms`);
  assert.equal(process.noDeprecation ?? false, false, "warnings of others are not silenced");
});

Deno.test("figures opened from a script are served by nodeplotlib", async () => {
  const show = new URL("../../lib/notebook/show.ts", import.meta.url).href;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--no-check",
      `const { plot } = await import(${JSON.stringify(show)});
       await plot({ data: [{ type: "bar", x: ["a"], y: [1] }], layout: { title: { text: "A figure" } } });`,
    ],
    cwd: new URL("../..", import.meta.url),
    // A port of 0 is any free one; with the variable set no browser is opened.
    env: { NODEPLOTLIB_PORT: "0", NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stderr = new Response(child.stderr).text();
  const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const deadline = setTimeout(() => child.kill("SIGKILL"), 60_000);
  try {
    let said = "", page: string | undefined;
    while (page === undefined) {
      const { value, done } = await output.read();
      if (done) throw new Error(`the server ended: ${said}${await stderr}`);
      const address = /Server running at (http:\/\/localhost:\d+)/.exec(said += value)?.[1];
      if (address) page = await (await fetch(address)).text();
    }
    assert.match(page, /<title>Nodeplotlib<\/title>/);
  } finally {
    clearTimeout(deadline);
    await output.cancel();
    try {
      child.kill();
    } catch {
      // It has ended.
    }
    await child.status;
  }
  assert.doesNotMatch(await stderr, /Deprecation|Error/);
});
