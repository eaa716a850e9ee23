import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";
import {
  barFigure,
  boxFigure,
  confusionFigure,
  countFigure,
  type Figure,
  forestFigure,
  heatmapFigure,
  histogramFigure,
  learningCurveFigure,
  lineFigure,
  renderSvg,
  scatterFigure,
  smallMultiples,
  spectrogramFigure,
  waveformFigure,
} from "../../lib/figures/mod.ts";
import { SMALL, textWidth } from "../../lib/figures/text.ts";
import { examples } from "./gallery.ts";

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: (Element | string)[];
}

/** Parses XML strictly enough to find unclosed tags, bad nesting, doubled attributes and raw special characters. */
function parseXml(text: string): Element {
  const root: Element = { name: "", attributes: {}, children: [] };
  const stack = [root];
  for (const match of text.matchAll(/<(\/?)([\w:]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)|(<)/g)) {
    const [whole, closing, name, attributes, empty, content] = match;
    assert.ok(match[6] === undefined, `unreadable at ${match.index}: ${text.slice(match.index, match.index + 80)}`);
    const top = stack.at(-1)!;
    if (content !== undefined) {
      assert.ok(!/&(?!(?:amp|lt|gt|quot|#39);)/.test(content), `a raw & in ${content}`);
      top.children.push(content);
    } else if (closing) {
      assert.equal(top.name, name, `closing tag ${whole}`);
      stack.pop();
    } else {
      const pairs = [...attributes!.matchAll(/([\w:-]+)="([^"]*)"/g)].map((m) => [m[1]!, m[2]!] as const);
      assert.equal(new Set(pairs.map(([key]) => key)).size, pairs.length, `doubled attribute in ${whole}`);
      const element: Element = { name: name!, attributes: Object.fromEntries(pairs), children: [] };
      top.children.push(element);
      if (!empty) stack.push(element);
    }
  }
  assert.equal(stack.length, 1, "every tag is closed");
  assert.equal(root.children.length, 1);
  return root.children[0] as Element;
}

function* walk(element: Element, inherited: Record<string, string> = {}): Generator<[Element, Record<string, string>]> {
  const here = { ...inherited, ...element.attributes };
  yield [element, here];
  for (const child of element.children) if (typeof child !== "string") yield* walk(child, here);
}

const content = (element: Element): string =>
  element.children.map((c) =>
    typeof c === "string" ? c.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&") : content(c)
  ).join("");

interface Box {
  readonly text: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Where the texts of a picture are, lines apart; slanted ones are left out. */
function textBoxes(svg: string): Box[] {
  const boxes: Box[] = [];
  for (const [element, style] of walk(parseXml(svg))) {
    if (element.name !== "text") continue;
    const size = Number(style["font-size"]);
    const lines = element.children.every((c) => typeof c !== "string" && c.attributes["x"] !== undefined)
      ? element.children as Element[]
      : [element];
    const turn = /rotate\((-?[\d.]+)/.exec(style["transform"] ?? "")?.[1];
    if (turn !== undefined && Math.abs(Number(turn)) !== 90) continue;
    for (const line of lines) {
      const x = Number(line.attributes["x"]), y = Number(line.attributes["y"]);
      const text = content(line);
      const small = line.children.some((c) => typeof c !== "string" && c.attributes["baseline-shift"] !== undefined);
      const width = textWidth(text, size * (small ? SMALL : 1), style["font-weight"] === "600");
      const before = style["text-anchor"] === "middle" ? width / 2 : style["text-anchor"] === "end" ? width : 0;
      const [left, right, top, bottom] = [x - before, x - before + width, y - size * 0.72, y + size * 0.2];
      const up = Number(turn ?? 0) < 0;
      if (turn === undefined) boxes.push({ text, left, right, top, bottom });
      else {
        boxes.push({
          text,
          left: x - size * (up ? 0.72 : 0.2),
          right: x + size * (up ? 0.2 : 0.72),
          top: y - width / 2,
          bottom: y + width / 2,
        });
      }
    }
  }
  return boxes;
}

/** Ends of all rectangles under the group that holds the bars. */
function rects(svg: string): { x: number; y: number; width: number; height: number; fill: string }[] {
  return [...walk(parseXml(svg))].filter(([e]) => e.name === "rect").map(([e, style]) => ({
    x: Number(e.attributes["x"] ?? 0),
    y: Number(e.attributes["y"] ?? 0),
    width: Number(e.attributes["width"]),
    height: Number(e.attributes["height"]),
    fill: style["fill"] ?? "",
  }));
}

const all = Object.entries(examples());

Deno.test("every figure is plain JSON and every picture is well-formed, named, described and free of NaN", () => {
  for (const [name, figure] of all) {
    assert.deepEqual(JSON.parse(JSON.stringify(figure)), figure, `${name} survives JSON`);
    for (const theme of ["light", "dark", "auto"] as const) {
      const svg = renderSvg(figure, { theme });
      const root = parseXml(svg);
      assert.equal(root.name, "svg");
      const title = root.children.find((c) => typeof c !== "string" && c.name === "title") as Element;
      const description = root.children.find((c) => typeof c !== "string" && c.name === "desc") as Element;
      assert.ok(content(title).length > 2 && content(description).length > 20, name);
      assert.equal(root.attributes["aria-labelledby"], `${title.attributes["id"]} ${description.attributes["id"]}`);
      assert.ok(!/NaN|undefined|Infinity|\[object/.test(svg), `${name} ${theme}`);
    }
  }
});

Deno.test("equal figures give equal pictures, and identifiers of different figures differ", () => {
  const again = examples();
  const seen = new Set<string>();
  for (const [name, figure] of all) {
    const svg = renderSvg(figure);
    assert.equal(svg, renderSvg(again[name]!), name);
    for (const [element] of walk(parseXml(svg))) {
      const id = element.attributes["id"];
      if (id === undefined) continue;
      assert.ok(!seen.has(id), `${name}: ${id}`);
      seen.add(id);
    }
  }
});

Deno.test("no text leaves the picture and no two texts overlap", () => {
  for (const [name, figure] of all) {
    for (const width of [720, 480]) {
      if (width === 480 && figure.layout.width !== undefined) continue;
      const svg = renderSvg(figure, { width });
      const [, , w, h] = /viewBox="(\d+) (\d+) (\d+) (\d+)"/.exec(svg)!.slice(1).map(Number) as [
        number,
        number,
        number,
        number,
      ];
      const boxes = textBoxes(svg);
      assert.ok(boxes.length > 3, name);
      for (const b of boxes) {
        assert.ok(
          b.left >= -0.5 && b.right <= w + 0.5 && b.top >= -0.5 && b.bottom <= h + 0.5,
          `${name} at ${width}: ${JSON.stringify(b)}`,
        );
      }
      if (width < 720) continue;
      boxes.forEach((a, i) => {
        for (const b of boxes.slice(i + 1)) {
          const apart = a.right <= b.left + 0.5 || b.right <= a.left + 0.5 || a.bottom <= b.top + 0.5 ||
            b.bottom <= a.top + 0.5;
          assert.ok(apart, `${name}: ${JSON.stringify(a)} over ${JSON.stringify(b)}`);
        }
      });
    }
  }
});

Deno.test("bars are as long as their values, from a common zero", () => {
  const svg = renderSvg(barFigure(["a", "b", "c"], [{ name: "n", values: [1, 2, 4], color: "#123456" }]));
  const bars = rects(svg).filter((r) => r.fill === "#123456");
  assert.equal(bars.length, 3);
  assert.ok(Math.abs(bars[2]!.height / bars[0]!.height - 4) < 0.02);
  assert.ok(Math.abs(bars[1]!.height / bars[0]!.height - 2) < 0.02);
  for (const bar of bars) assert.ok(Math.abs(bar.y + bar.height - bars[0]!.y - bars[0]!.height) < 0.11);
  assert.ok(bars[0]!.x < bars[1]!.x && bars[1]!.x < bars[2]!.x);
});

Deno.test("stacked bars stand on each other and the axis reaches their sum", () => {
  const figure = barFigure(["a"], [{ name: "x", values: [3], color: "#111111" }, {
    name: "y",
    values: [1],
    color: "#222222",
  }], {
    mode: "stack",
  });
  const drawn = rects(renderSvg(figure)).filter((r) => r.width > 50);
  const below = drawn.find((r) => r.fill === "#111111")!, above = drawn.find((r) => r.fill === "#222222")!;
  assert.ok(Math.abs(above.y + above.height - below.y) < 0.15);
  assert.ok(Math.abs(below.height / above.height - 3) < 0.03);
  assert.ok(above.y > 20);
});

Deno.test("a point on a line is drawn where its axes put it", () => {
  const figure: Figure = {
    data: [{ type: "scatter", mode: "lines", x: [0, 10], y: [0, 100] }],
    layout: { xaxis: { range: [0, 10] }, yaxis: { range: [0, 100] } },
  };
  const svg = renderSvg(figure, { width: 500, height: 300, theme: "light" });
  const clip = rects(svg).find((r) => r.x > 0)!;
  const line = /<path d="M([\d.]+),([\d.]+)L([\d.]+),([\d.]+)" fill="none" stroke="#0072B2"/.exec(svg)!.slice(1).map(
    Number,
  );
  const expected = [clip.x + 1, clip.y + clip.height - 1, clip.x + clip.width - 1, clip.y + 1];
  line.forEach((v, i) => assert.ok(Math.abs(v - expected[i]!) < 0.2, `${v} against ${expected[i]}`));
});

Deno.test("row 0 of a heatmap is at the bottom, and at the top when the axis is reversed", () => {
  const values = { data: Float32Array.of(0, 0, 1, 1), shape: [2, 2] as const };
  const scale = [[0, "#000000"], [1, "#ffffff"]] as const;
  for (const topDown of [false, true]) {
    const cells = rects(renderSvg(heatmapFigure(values, { colorscale: scale, topDown }))).filter((r) =>
      r.fill === "#000000"
    );
    const white = rects(renderSvg(heatmapFigure(values, { colorscale: scale, topDown }))).find((r) =>
      r.fill === "#ffffff" && r.y > 0
    )!;
    assert.equal(cells.length, 2);
    assert.equal(cells[0]!.y < white.y, topDown);
  }
});

Deno.test("a large heatmap becomes a PNG whose pixels are the values", () => {
  const [rows, columns] = [30, 40];
  const data = Float32Array.from({ length: rows * columns }, (_, i) => i === 5 * columns + 7 ? NaN : i);
  const svg = renderSvg(heatmapFigure({ data, shape: [rows, columns] }));
  const png = Uint8Array.from(atob(/base64,([^"]+)"/.exec(svg)![1]!), (c) => c.charCodeAt(0));
  const view = new DataView(png.buffer);
  const chunks = new Map<string, Uint8Array>();
  for (let at = 8; at < png.length;) {
    const length = view.getUint32(at);
    chunks.set(String.fromCharCode(...png.subarray(at + 4, at + 8)), png.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  assert.deepEqual([view.getUint32(16), view.getUint32(20)], [columns, rows]);
  const pixels = inflateSync(chunks.get("IDAT")!);
  assert.equal(pixels.length, rows * (columns + 1));
  const at = (row: number, column: number) => pixels[(rows - 1 - row) * (columns + 1) + 1 + column]!;
  assert.equal(at(0, 0), 0);
  assert.equal(at(29, 39), 254);
  assert.equal(at(5, 7), 255, "a gap is transparent");
  assert.ok(Math.abs(at(15, 0) - 254 * 600 / 1199) < 2);
  assert.equal(chunks.get("tRNS")!.at(-1), 0);
});

Deno.test("labels with special characters stay text", () => {
  const hostile = `<script>alert("1")</script> & 'x'`;
  const svg = renderSvg(barFigure([hostile, "b\u0000\u001b"], [{ name: hostile, values: [1, 2] }], { title: hostile }));
  parseXml(svg);
  assert.ok(!svg.includes("<script"));
  assert.ok(svg.includes("&lt;script&gt;"));
});

Deno.test("dark pictures have dark ground and light text, and auto follows the reader's system", () => {
  const figure = barFigure(["a"], [{ name: "n", values: [1] }], { title: "T" });
  const dark = renderSvg(figure, { theme: "dark" });
  assert.match(dark, /<rect width="720" height="360" fill="#161A20"\/>/);
  assert.ok(!dark.includes('fill="#24292F"') && !dark.includes('fill="#FFFFFF"'));
  assert.match(renderSvg(figure, { theme: "auto" }), /@media \(prefers-color-scheme:dark\)/);
  assert.ok(!renderSvg(figure, { theme: "light" }).includes("<style"));
});

Deno.test("empty, constant, single and broken values are drawn without a fault", () => {
  const silent = { samples: new Float32Array(1000), sampleRateHz: 8000 };
  const axes = { frequenciesHz: [0, 100, 200], secondsPerFrame: 0.01 };
  const hostile: Record<string, Figure> = {
    noSamples: waveformFigure({ samples: new Float32Array(0), sampleRateHz: 8000 }),
    oneSample: waveformFigure({ samples: Float32Array.of(0.5), sampleRateHz: 8000 }),
    silence: waveformFigure(silent),
    brokenSamples: waveformFigure({ samples: Float32Array.of(NaN, Infinity, 0.1), sampleRateHz: 8000 }),
    constantPicture: spectrogramFigure({ data: new Float32Array(30), shape: [3, 10] }, axes),
    oneFrame: spectrogramFigure({ data: new Float32Array(3), shape: [3, 1] }, { ...axes, scale: "mel" }),
    brokenPicture: spectrogramFigure({ data: new Float32Array(30).fill(NaN), shape: [3, 10] }, {
      ...axes,
      scale: "log",
    }),
    brokenMatrix: heatmapFigure({ data: new Float32Array(4).fill(NaN), shape: [2, 2] }),
    noBars: barFigure([], []),
    brokenBars: barFigure(["a", "b"], [{ name: "n", values: [NaN, 0] }], { decimals: 1 }),
    negativeBars: barFigure(["a", "b"], [{ name: "n", values: [-1, -2] }], { decimals: 1 }),
    noCounts: countFigure([]),
    noHistogram: histogramFigure([{ name: "n", values: [] }]),
    constantHistogram: histogramFigure([{ name: "n", values: [2, 2, 2] }]),
    hugeHistogram: histogramFigure([{ name: "n", values: [0, 1e12] }]),
    noLine: lineFigure([]),
    gaps: lineFigure([{ name: "n", x: [1, 2, 3], y: [1, NaN, 3] }]),
    logOfZero: lineFigure([{ name: "n", x: [0, 1, 10], y: [0, -1, 5] }], { logX: true, logY: true }),
    noCurve: learningCurveFigure([{ name: "n", runs: [] }], { bestEpoch: 3 }),
    noPoints: scatterFigure([], []),
    constantPoints: scatterFigure([1, 1], [1, 1], { identity: true }),
    noBox: boxFigure([{ name: "n", values: [] }]),
    oneBox: boxFigure([{ name: "n", values: [3] }]),
    emptyConfusion: confusionFigure(["a", "b"], [[0, 0], [0, 0]]),
    noForest: forestFigure([]),
    nothing: { data: [], layout: {} },
  };
  for (const [name, figure] of Object.entries(hostile)) {
    const svg = renderSvg(figure, { width: 200, height: 120 });
    parseXml(svg);
    assert.ok(!/NaN|undefined|Infinity/.test(svg.replace(/<desc.*?<\/desc>/, "")), `${name}: ${svg}`);
    assert.deepEqual(JSON.parse(JSON.stringify(figure)), figure, `${name} is plain JSON`);
  }
  assert.throws(() => smallMultiples([]), { name: "RangeError" });
});
