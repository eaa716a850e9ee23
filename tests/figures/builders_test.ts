import assert from "node:assert/strict";
import {
  boxFigure,
  confusionFigure,
  countFigure,
  forestFigure,
  histogramFigure,
  learningCurveFigure,
  lineFigure,
  scatterFigure,
  smallMultiples,
  spectrogramFigure,
  waveformFigure,
} from "../../lib/figures/mod.ts";
import { envelope } from "../../lib/figures/audio.ts";
import { binEdges, quantile } from "../../lib/figures/charts.ts";
import { formatNumber, linearTicks, logTicks, niceStep } from "../../lib/figures/ticks.ts";
import type { Figure, HeatmapTrace } from "../../lib/figures/types.ts";
import { ridge, tone } from "./gallery.ts";

const bars = (figure: { data: readonly { type: string }[] }) =>
  figure.data.map((t) => t as unknown as { x: unknown[]; y: number[] });

Deno.test("a decimated waveform keeps every peak and stays small", () => {
  const samples = new Float32Array(480_000);
  samples[123_457] = 0.9;
  samples[400_001] = -0.8;
  const kept = envelope(samples, 1200);
  assert.ok(kept.length <= 1200);
  assert.ok(kept.includes(123_457) && kept.includes(400_001));
  assert.deepEqual(kept, [...kept].sort((a, b) => a - b));
  const figure = waveformFigure({ samples, sampleRateHz: 48_000 });
  assert.ok(JSON.stringify(figure).length < 32_000);
  assert.deepEqual(figure.layout.xaxis?.range, [0, 10]);
});

Deno.test("a joined spectrogram keeps its greatest values at their time and frequency", () => {
  const spectrum = ridge();
  const figure = spectrogramFigure(spectrum, {
    frequenciesHz: Array.from({ length: 257 }, (_, k) => k * 8000 / 512),
    secondsPerFrame: 0.016,
    maxCells: 2000,
  });
  const { z, x0 = 0, dx = 1, y0 = 0, dy = 1 } = figure.data[0] as HeatmapTrace;
  assert.ok(z.length * z[0]!.length <= 2000);
  for (const frame of [10, 60, 110]) {
    const column = Math.round((frame * 0.016 - x0) / dx);
    let best = 0;
    z.forEach((row, r) => {
      if (row[column]! > z[best]![column]!) best = r;
    });
    // The ridge lies at bin 20 + frame.
    assert.ok(Math.abs(y0 + best * dy - (20 + frame) * 8000 / 512) <= dy * 1.5, `frame ${frame}`);
  }
});

Deno.test("rows of a mel picture lie evenly on Slaney's scale", () => {
  const figure = spectrogramFigure(ridge(), {
    frequenciesHz: Array.from({ length: 257 }, (_, k) => k * 8000 / 512),
    secondsPerFrame: 0.016,
    scale: "mel",
  });
  const rows = (figure.data[0] as HeatmapTrace).z.length;
  const { tickvals = [], ticktext = [] } = figure.layout.yaxis!;
  const at = (hz: number) => tickvals[ticktext.indexOf(String(hz))]!;
  // librosa.hz_to_mel: 1000 Hz is 15, 2000 Hz is 25.08, 4000 Hz is 35.16 mel.
  assert.ok(Math.abs((at(2000) + 0.5) / rows - 25.0818 / 35.1637) < 0.001);
  assert.ok(Math.abs((at(1000) + 0.5) / rows - 15 / 35.1637) < 0.001);
});

// numpy.histogram_bin_edges(v, "auto") and numpy.histogram of NumPy 2.4.6.
Deno.test("histograms have NumPy's automatic bins and counts", () => {
  const values = Array.from(
    { length: 120 },
    (_, i) => Math.round((((i * 37) % 101) / 10 + ((i * 7) % 13) / 7) * 1000) / 1000,
  );
  assert.equal(binEdges(values).length, 9);
  assert.deepEqual(bars(histogramFigure([{ name: "v", values }]))[0]!.y, [9, 13, 17, 16, 15, 19, 11, 20]);
  const spiky = [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 5];
  assert.deepEqual(bars(histogramFigure([{ name: "v", values: spiky }]))[0]!.y, [9, 1, 0, 0, 1]);
  assert.deepEqual([0.25, 0.5, 0.9].map((q) => Math.round(quantile([1, 2, 3, 10], q) * 100) / 100), [1.75, 2.5, 7.9]);
});

Deno.test("every finite value is counted once, also on the edges of bins", () => {
  const values = Array.from({ length: 101 }, (_, i) => i / 10);
  for (const bins of [1, 3, 7, 10, 100]) {
    const { y } = bars(histogramFigure([{ name: "v", values: [...values, NaN, Infinity] }], { bins }))[0]!;
    assert.equal(y.length, bins);
    assert.equal(y.reduce((a, b) => a + b, 0), 101);
  }
  const ten = bars(histogramFigure([{ name: "v", values }], { bins: 10 }))[0]!.y;
  assert.deepEqual(ten, [10, 10, 10, 10, 10, 10, 10, 10, 10, 11]);
});

Deno.test("counts follow the given order and leave out labels that do not occur", () => {
  const figure = countFigure(["sad", "angry", "sad"], { order: ["angry", "calm", "sad"], by: ["f", "m", "m"] });
  const [first, second] = bars(figure);
  assert.deepEqual(first!.x, ["angry", "sad"]);
  assert.deepEqual([first!.y, second!.y], [[0, 1], [1, 1]]);
});

Deno.test("whiskers end at the last value within one and a half quartile distances", () => {
  const box = boxFigure([{ name: "v", values: [1, 2, 3, 4, 5, 6, 7, 100] }]).data[0]!;
  assert.ok(box.type === "box");
  assert.deepEqual([box.lowerfence[0], box.q1[0], box.median[0], box.q3[0], box.upperfence[0]], [
    1,
    2.75,
    4.5,
    6.25,
    7,
  ]);
});

Deno.test("a learning curve over runs of different lengths averages the runs that are left", () => {
  const figure = learningCurveFigure([{ name: "loss", runs: [[1, 2, 3], [3]] }]);
  const line = figure.data.at(-1)!, band = figure.data[0]!;
  assert.ok(line.type === "scatter" && band.type === "scatter");
  assert.deepEqual(line.y, [2, 2, 3]);
  assert.deepEqual(band.y.slice(0, 3), [3.4142, 2, 3]);
});

Deno.test("a learning curve ends where fewer than half of its runs are left, and says so; a single run is drawn whole", () => {
  const drawn = (figure: Figure): unknown[] =>
    figure.data.flatMap((trace) => trace.type === "scatter" && trace.name !== undefined ? [trace.y] : []);
  const runs = [[1, 2], [3, 2, 8], [2, 2, 9, 100, 100]];
  const cut = learningCurveFigure([{ name: "training", runs }, { name: "validation", runs: [[5, 6, 7, 8]] }]);
  assert.deepEqual(drawn(cut), [[2, 2, 8.5], [5, 6, 7, 8]]);
  const band = cut.data[0]!;
  assert.ok(band.type === "scatter" && band.y.length === 6);
  assert.deepEqual(cut.layout.annotations!.map(({ text }) => text), ["ends when most have stopped"]);
  assert.match(cut.layout.meta!.description, /Drawn while at least half of the runs are left\.$/);
  // Two of four are half; what is no number at the end is no epoch, and a gap is one.
  const four = learningCurveFigure([{ name: "loss", runs: [[1], [1, NaN], [1, NaN, 3], [1, NaN, 3, NaN]] }]);
  assert.deepEqual(drawn(four), [[1, null, 3]]);
  assert.equal(four.layout.annotations, undefined);
  const single = learningCurveFigure([{ name: "loss", runs: [[3, 2, 1, 0.5]] }]);
  assert.deepEqual(drawn(single), [[3, 2, 1, 0.5]]);
  assert.equal(single.layout.annotations, undefined);
});

Deno.test("a learning curve's vertical axis says what is drawn, with the curve's name where there is no legend", () => {
  const title = (names: readonly string[], yTitle?: string): string | undefined =>
    learningCurveFigure(names.map((name) => ({ name, runs: [[1, 2]] })), yTitle === undefined ? {} : { yTitle })
      .layout.yaxis?.title?.text;
  assert.equal(title(["training", "validation"], "Loss"), "Loss");
  assert.equal(title(["training"], "Loss"), "Loss (training)");
  assert.equal(title(["loss"], "Loss"), "Loss");
  assert.equal(title(["loss"]), "loss");
  assert.equal(title(["training", "validation"]), undefined);
  assert.equal(title(["training"], ""), undefined);
});

Deno.test("a confusion matrix colours shares of the true class and writes counts", () => {
  const figure = confusionFigure(["a", "b"], [[3, 1], [0, 0]]);
  const heatmap = figure.data[0] as HeatmapTrace;
  assert.deepEqual(heatmap.z, [[0.75, 0.25], [null, null]]);
  assert.equal(figure.layout.annotations![0]!.text, "3<br><sub>75%</sub>");
  assert.match(figure.layout.meta!.description, /a 75% and b no rows/);
});

Deno.test("a forest plot has one line a label and the published value on it", () => {
  const figure = forestFigure([
    { label: "s", group: "as published", value: 0.6, interval: [0.5, 0.7], published: 0.66 },
    { label: "s", group: "clean", value: 0.4 },
  ]);
  assert.deepEqual(figure.layout.yaxis!.ticktext, ["s"]);
  const [a, , published] = bars(figure);
  assert.deepEqual([published!.x, published!.y], [[0.66], a!.y]);
  assert.deepEqual(figure.layout.annotations!.map((x) => x.text), ["0.60 [0.50, 0.70]", "0.40"]);
  const uneven = forestFigure([
    { label: "a", group: "one", value: 0.1 },
    { label: "a", group: "two", value: 0.2 },
    { label: "b", group: "three", value: 0.3 },
  ]);
  assert.deepEqual(bars(uneven).map(({ y }) => y), [[0], [1], [2.6]], "no line is left free for what is not there");
  assert.deepEqual(uneven.layout.yaxis!.tickvals, [0.5, 2.6]);
});

Deno.test("many points are thinned evenly and classes keep their colours", () => {
  const n = 20_000;
  const figure = scatterFigure(Array.from({ length: n }, (_, i) => i), new Float32Array(n), { maxPoints: 100 });
  assert.equal(bars(figure)[0]!.x.length, 100);
  const one = scatterFigure([1], [1], { groups: ["angry"] }).data[0]!;
  assert.ok(one.type === "scatter");
  assert.equal(one.marker!.color, "#D55E00");
});

Deno.test("small multiples rename axes, share ranges and explain colours and names once", () => {
  const spectrum = ridge();
  const options = {
    frequenciesHz: Array.from({ length: 257 }, (_, k) => k * 20),
    secondsPerFrame: 0.01,
    maxCells: 500,
  };
  const louder = { data: spectrum.data.map((v) => v + 30), shape: spectrum.shape };
  const figure = smallMultiples([spectrogramFigure(spectrum, options), spectrogramFigure(louder, options)], {
    columns: 2,
  });
  const [a, b] = figure.data as [HeatmapTrace, HeatmapTrace];
  assert.deepEqual([a.zmin, a.zmax], [b.zmin, b.zmax]);
  assert.deepEqual([a.showscale, b.showscale], [true, false]);
  assert.deepEqual([b.xaxis, b.yaxis, figure.layout.xaxis2!.anchor], ["x2", "y2", "y2"]);
  const [left, right] = [figure.layout.xaxis!.domain!, figure.layout.xaxis2!.domain!];
  assert.ok(left[0] === 0 && left[1] < right[0] && right[1] === 1);
  const lines = [1, 2].map(() => lineFigure([{ name: "p", x: [1], y: [1] }, { name: "q", x: [1], y: [2] }]));
  assert.deepEqual(smallMultiples(lines).data.map((t) => t.showlegend !== false), [true, true, false, false]);
});

Deno.test("a wave of any length is a figure of bounded size", () => {
  const { samples } = tone();
  for (const n of [10, 1200, 1201, 8000]) {
    const { x } = bars(waveformFigure({ samples: samples.subarray(0, n), sampleRateHz: 8000 }))[0]!;
    assert.ok(x.length <= 1200 && x.length >= Math.min(n, 600));
  }
});

Deno.test("ticks are round, inside the range and written without noise", () => {
  assert.deepEqual(linearTicks(0, 1, 5).map((t) => t.text), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
  assert.deepEqual(linearTicks(-0.3, 0.3, 4).map((t) => t.text), ["−0.2", "0.0", "0.2"]);
  assert.deepEqual(linearTicks(0, 250_000, 3).map((t) => t.text), ["0", "100k", "200k"]);
  assert.deepEqual(logTicks(-5, -2, 8).map((t) => t.text), ["10⁻⁵", "10⁻⁴", "10⁻³", "10⁻²"]);
  assert.deepEqual(logTicks(0, 2, 8).map((t) => t.text), ["1", "2", "5", "10", "20", "50", "100"]);
  for (const span of [1e-9, 0.07, 1, 3, 7, 44, 1e7]) {
    for (const count of [1, 2, 5, 9]) {
      const step = niceStep(span, count);
      assert.ok(span / step <= count * (1 + 1e-9) && span / step > count / 2.6, `${span} in ${count}: ${step}`);
    }
  }
});

Deno.test("numbers are written in d3's notation", () => {
  const cases: [number, string, string][] = [
    [0.5, "d", "1"],
    [-2.5, "d", "−3"],
    [1234567, ",d", "1,234,567"],
    [0.12345, ".3f", "0.123"],
    [0.12345, ".1%", "12.3%"],
    [1500, "~s", "1.5k"],
    [0.002, "~s", "2m"],
    [0, "~s", "0"],
    [1e-9, ".2g", "1e-9"],
    [1234.5678, ",.1f", "1,234.6"],
  ];
  for (const [value, format, expected] of cases) assert.equal(formatNumber(value, format), expected);
});
