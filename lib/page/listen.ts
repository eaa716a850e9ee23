/**
 * The first view: record, choose or try; the answer; waveform, spectrogram and probabilities while it plays.
 *
 * @module
 */

/// <reference lib="dom" />

import type { Prediction } from "../predict.ts";
import { type Client, PageError } from "./client.ts";
import { announce, byId, clearError, el, showError, svg } from "./dom.ts";
import { markdown } from "./markdown.ts";
import { Player, wavOf } from "./player.ts";
import { colorOf, dashesOf, drawSpectrogram, drawTimeline, drawWaveform } from "./plots.ts";
import type { BundleSummary, Clip, Decoded, SiteExample, SiteInfo, SpectrogramPicture, Timeline } from "./protocol.ts";
import { Recorder } from "./recorder.ts";

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** Largest file that is taken, bytes: about an hour of WAV. */
const MOST_BYTES = 512 * 2 ** 20;

/** Longest recording that is taken, s. */
const MOST_SECONDS = 1800;

/** Decodes with the browser what serlab's own code cannot (HE-AAC), at the file's own rate. */
async function decodeInBrowser(
  bytes: Uint8Array<ArrayBuffer>,
  file: string,
  { sampleRateHz, start, length, source }: Extract<Decoded, { readonly kind: "browser" }>,
): Promise<Clip> {
  let buffer: AudioBuffer;
  try {
    buffer = await new OfflineAudioContext(1, 1, sampleRateHz).decodeAudioData(bytes.buffer.slice(0));
  } catch (error) {
    throw new PageError(`${file}: holds AAC of a kind that this browser cannot decode.`, { cause: error });
  }
  const mono = new Float32Array(buffer.length);
  for (let c = 0; c < buffer.numberOfChannels; c++) {
    const channel = buffer.getChannelData(c);
    for (let i = 0; i < mono.length; i++) mono[i]! += channel[i]! / buffer.numberOfChannels;
  }
  // Browsers differ in whether they leave out the encoder's delay; one that has not gives at least so much more.
  const trimmed = length !== null && mono.length < length + start ? 0 : start;
  return { samples: mono.slice(trimmed, length === null ? undefined : trimmed + length), sampleRateHz, source };
}

/** The first view. */
export class ListenView {
  readonly #client: Client;
  readonly #site: SiteInfo;
  readonly #player: Player;
  readonly #bundles = new Map<string, Promise<BundleSummary>>();
  #recorder: Recorder | undefined;
  #opening = false;
  #clip: Clip | undefined;
  /** A recording of the browser's that has not been decoded: what can be saved when it cannot be. */
  #unread: Blob | undefined;
  #name = "";
  #picture: SpectrogramPicture | undefined;
  #timeline: Timeline | undefined;
  #work = new AbortController();
  /** Resolved when the first model can answer: a file may be chosen before. */
  readonly #started = Promise.withResolvers<void>();

  /**
   * Takes hold of the view.
   *
   * @param client The worker.
   * @param site What the site offers.
   */
  constructor(client: Client, site: SiteInfo) {
    this.#client = client;
    this.#site = site;
    this.#player = new Player((sec) => this.#showTime(sec));
    this.#wire();
  }

  #wire(): void {
    byId("record").addEventListener("click", () => void this.#toggleRecording());
    const input = byId<HTMLInputElement>("file");
    input.addEventListener("change", () => {
      const file = input.files?.[0];
      input.value = "";
      if (file) void this.openFile(file);
    });
    const view = byId("view-listen"), drop = byId("drop");
    view.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    view.addEventListener("dragleave", () => drop.classList.remove("over"));
    view.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      const file = event.dataTransfer?.files[0];
      if (file) void this.openFile(file);
    });
    for (const example of this.#site.examples) {
      const button = el("button", { type: "button", class: "chip", title: example.describe }, example.title);
      button.addEventListener("click", () => void this.#openExample(example));
      byId("examples").append(el("li", {}, button));
    }
    for (const id of ["save", "error-save"]) byId(id).addEventListener("click", () => this.#save());
    byId("error-close").addEventListener("click", () => clearError());
    for (const id of ["model-a", "model-b"]) byId(id).addEventListener("change", () => void this.#analyse());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    new ResizeObserver(() => this.redraw()).observe(byId("stack"));
  }

  /** Loads the first bundle; the view can answer from then on. Others are loaded when they are chosen. */
  async start(): Promise<void> {
    const [first, second] = this.#site.bundles;
    if (!first) throw new PageError("This site has no model.");
    await this.#load(first.id);
    const a = byId<HTMLSelectElement>("model-a"), b = byId<HTMLSelectElement>("model-b");
    b.append(el("option", { value: "" }, "nothing"));
    for (const { id } of this.#site.bundles) {
      a.append(el("option", { value: id }, id));
      b.append(el("option", { value: id }, id));
    }
    a.value = first.id;
    b.value = second?.id ?? "";
    if (!second) byId("model-a").closest<HTMLElement>(".compare")!.hidden = true;
    // The model beside it is fetched before it is asked, so that nobody waits for it; what fails is said when it is asked.
    if (second) this.#load(second.id).catch(() => {});
    byId<HTMLButtonElement>("record").disabled = false;
    this.#started.resolve();
    byId("engine-state").textContent = "Ready.";
    byId("engine-state").classList.add("ready");
  }

  /** Loads a bundle once; one that could not be loaded is tried again when it is asked for again. */
  #load(id: string): Promise<BundleSummary> {
    const there = this.#bundles.get(id);
    if (there) return there;
    const loading = this.#client.ask("load", this.#site.bundles.find((bundle) => bundle.id === id)!);
    this.#bundles.set(id, loading);
    loading.catch(() => this.#bundles.delete(id));
    return loading;
  }

  async #toggleRecording(): Promise<void> {
    if (this.#recorder) return this.#recorder.stop();
    if (this.#opening) return;
    this.#opening = true;
    clearError();
    this.#player.pause();
    const limitSec = Number(byId<HTMLSelectElement>("length").value);
    try {
      this.#recorder = await Recorder.start({
        worklet: this.#site.worklet,
        limitSec,
        onLevel: (peak, seconds) => this.#showLevel(peak, seconds, limitSec),
      });
      byId("record").classList.add("recording");
      byId("record-label").textContent = "Stop";
      announce(`Recording for up to ${limitSec} seconds.`);
      const recording = await this.#recorder.done;
      performance.mark("serlab-recorded");
      if (recording.kind === "samples") await this.#show("your recording", recording);
      else {
        const bytes = recording.bytes as Uint8Array<ArrayBuffer>;
        this.#unread = new Blob([bytes], { type: recording.type });
        await this.#decode("your recording", bytes);
      }
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#recorder = undefined;
      this.#opening = false;
      byId("record").classList.remove("recording");
      byId("record-label").textContent = this.#clip ? "Record again" : "Record";
      this.#showLevel(0, 0, limitSec);
    }
  }

  #lastSpoken = 0;

  #showLevel(peak: number, seconds: number, limitSec: number): void {
    const db = peak > 0 ? Math.max(-60, 20 * Math.log10(peak)) : -60;
    byId("meter-fill").style.transform = `scaleX(${1 + db / 60})`;
    byId("meter-time").style.transform = `scaleX(${Math.min(1, seconds / limitSec)})`;
    const meter = byId("meter");
    meter.classList.toggle("clipping", peak >= 0.98);
    // Once a second is enough for a reader, and for the hint not to flicker.
    const now = performance.now();
    if (now - this.#lastSpoken < 1000 && seconds > 0) return;
    this.#lastSpoken = now;
    const words = peak >= 0.98 ? "too loud" : db < -45 ? "very quiet" : "good";
    meter.setAttribute("aria-valuenow", db.toFixed(0));
    meter.setAttribute("aria-valuetext", seconds > 0 ? `${words}, ${db.toFixed(0)} decibels` : "silent");
    byId("record-hint").textContent = seconds === 0
      ? "Speak as you would to somebody across a table."
      : peak >= 0.98
      ? "Too loud: move back a little."
      : db < -45
      ? "Very quiet: come closer."
      : "Good level.";
  }

  /** Opens a file of the visitor's. */
  async openFile(file: File): Promise<void> {
    clearError();
    try {
      if (file.size > MOST_BYTES) {
        throw new PageError(
          `${file.name}: has ${Math.round(file.size / 2 ** 20)} MiB; files of up to 512 MiB are read.`,
        );
      }
      let bytes: Uint8Array<ArrayBuffer>;
      try {
        bytes = new Uint8Array(await file.arrayBuffer());
      } catch (error) {
        throw new PageError(`${file.name}: cannot be read.`, { cause: error });
      }
      await this.#decode(file.name, bytes);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #openExample(example: SiteExample): Promise<void> {
    clearError();
    try {
      const response = await fetch(example.path).catch(() => null);
      if (!response?.ok) throw new PageError(`${example.title}: cannot be fetched, there is no connection.`);
      await this.#decode(example.file, new Uint8Array(await response.arrayBuffer()));
    } catch (error) {
      this.#fail(error);
    }
  }

  async #decode(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    announce(`Reading ${name}.`);
    const decoded = await this.#client.ask("decode", { bytes, file: name });
    const clip = decoded.kind === "audio" ? decoded.clip : await decodeInBrowser(bytes, name, decoded);
    await this.#show(name, clip);
  }

  #fail(error: unknown): void {
    if (!(error instanceof PageError)) console.error(error);
    byId("error-save").hidden = !this.#clip && !this.#unread;
    showError(error instanceof PageError ? error.message : "Something went wrong that should not have; try again.");
  }

  #save(): void {
    const file = this.#unread ?? (this.#clip && wavOf(this.#clip));
    if (!file) return;
    const url = URL.createObjectURL(file);
    const name = this.#unread
      ? "your-recording"
      : this.#name.replace(/\.[a-z0-9]{1,5}$/i, "").replace(/[^\p{L}\p{N}._-]+/gu, "-");
    const ending = this.#unread ? /^(?:audio|video)\/(\w+)/.exec(file.type)?.[1] ?? "webm" : "wav";
    const link = el("a", { href: url, download: `${name || "recording"}.${ending}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  }

  async #show(name: string, clip: Clip): Promise<void> {
    const seconds = clip.samples.length / clip.sampleRateHz;
    if (seconds > MOST_SECONDS) {
      throw new PageError(`${name}: lasts ${Math.round(seconds / 60)} minutes; recordings of up to 30 are read here.`);
    }
    if (clip.samples.length === 0) throw new PageError(`${name}: holds no samples.`);
    const { samples, sampleRateHz, source } = clip;
    this.#clip = { samples, sampleRateHz, ...(source && { source }) };
    this.#unread = undefined;
    this.#name = name;
    this.#picture = this.#timeline = undefined;
    delete byId("clip").dataset["answered"];
    delete byId("clip").dataset["drawn"];
    byId("clip").hidden = false;
    byId("clip-title").textContent = name;
    byId("clip-facts").textContent = `${seconds.toFixed(1)} s at ${clip.sampleRateHz.toLocaleString("en")} Hz`;
    await this.#analyse(true);
  }

  /** Answers first, pictures after them. */
  async #analyse(isNew = false): Promise<void> {
    const clip = this.#clip;
    if (!clip) return;
    this.#work.abort();
    const work = this.#work = new AbortController();
    await this.#started.promise;
    if (work.signal.aborted) return;
    const a = byId<HTMLSelectElement>("model-a").value, b = byId<HTMLSelectElement>("model-b").value;
    const ids = b && b !== a ? [a, b] : [a];
    try {
      const summaries = await Promise.all(ids.map((id) => this.#load(id)));
      const answers = await this.#client.ask("predict", { clip, bundles: ids });
      if (work.signal.aborted) return;
      const cards = answers.map((answer, i) => answerCard(answer, summaries[i]!, ids.length > 1));
      byId("answers").replaceChildren(...cards);
      byId("answers").dataset["answers"] = JSON.stringify(answers);
      byId("clip").dataset["answered"] = this.#name;
      performance.mark("serlab-answered");
      announce(answers.map((answer, i) => spoken(answer, ids.length > 1 ? summaries[i]!.name : "")).join(" "));
      if (isNew) {
        this.#player.load(clip);
        const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
        byId("clip").scrollIntoView({ block: "start", behavior });
        byId("clip-title").focus({ preventScroll: true });
      }
      this.#legend(summaries[0]!);
      showCards(summaries);
      if (isNew) {
        this.redraw();
        const picture = await this.#client.ask("spectrogram", { clip, columns: 600, rows: 80 });
        if (work.signal.aborted) return;
        this.#picture = picture;
        this.redraw();
      }
      byId("over-time-name").textContent = ids.length > 1 ? `Probability over time, ${a}` : "Probability over time";
      const timeline = await this.#client.ask("timeline", { clip, bundle: a }, { signal: work.signal });
      if (work.signal.aborted) return;
      this.#timeline = timeline;
      this.#fillNumbers(timeline);
      this.redraw();
      byId("clip").dataset["drawn"] = this.#name;
    } catch (error) {
      if (!work.signal.aborted) this.#fail(error);
    }
  }

  #legend({ labels }: BundleSummary): void {
    byId("legend").replaceChildren(...labels.map((name, k) =>
      el(
        "li",
        { "data-label": name },
        svg(
          "svg",
          { width: 28, height: 8, "aria-hidden": "true" },
          svg("line", {
            x1: 1,
            x2: 27,
            y1: 4,
            y2: 4,
            stroke: colorOf(name, k),
            "stroke-width": 3,
            "stroke-dasharray": dashesOf(k).join(" ") || null,
          }),
        ),
        name,
        el("span", { class: "now" }),
      )
    ));
  }

  #showTime(sec: number): void {
    const timeline = this.#timeline;
    if (!timeline) return;
    let nearest = 0;
    timeline.timesSec.forEach((time, i) => {
      if (Math.abs(time - sec) < Math.abs(timeline.timesSec[nearest]! - sec)) nearest = i;
    });
    for (const item of byId("legend").children) {
      const k = timeline.labels.indexOf((item as HTMLElement).dataset["label"] ?? "");
      const now = item.querySelector(".now");
      if (now && k >= 0) now.textContent = percent(timeline.probabilities[nearest]![k]!);
    }
  }

  #fillNumbers({ timesSec, windowSec, labels, probabilities, abstained }: Timeline): void {
    byId("over-time-note").textContent = timesSec.length > 1
      ? `Each point is the answer for the ${windowSec.toFixed(1)} s around it.` +
        (abstained.some(Boolean) ? " Shaded: the model cannot say." : "")
      : "The recording is as short as one window, so there is one answer for all of it.";
    const rows = timesSec.map((time, i) =>
      el(
        "tr",
        {},
        el("th", { scope: "row" }, `${time.toFixed(2)} s`),
        ...probabilities[i]!.map((p) => el("td", {}, percent(p))),
        el("td", {}, abstained[i] ? "cannot say" : ""),
      )
    );
    byId("numbers-table").replaceChildren(
      el("caption", { class: "visually-hidden" }, "Probability of each label over time"),
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          ...["Time", ...labels, "Doubt"].map((name) => el("th", { scope: "col" }, name)),
        ),
      ),
      el("tbody", {}, ...rows),
    );
  }

  /** Draws all pictures again: after a change of size or of light and dark. */
  redraw(): void {
    const clip = this.#clip;
    if (!clip || byId("view-listen").hidden || byId("clip").hidden) return;
    const seconds = clip.samples.length / clip.sampleRateHz;
    let peak = 1e-5;
    for (const sample of clip.samples) peak = Math.max(peak, Math.abs(sample));
    const wave = byId<HTMLCanvasElement>("plot-wave");
    drawWaveform(wave, clip);
    wave.ariaLabel = `Waveform of ${seconds.toFixed(1)} seconds, peak ${(20 * Math.log10(peak)).toFixed(0)} decibels`;
    const spectrogram = byId<HTMLCanvasElement>("plot-spectrogram");
    if (this.#picture) {
      drawSpectrogram(spectrogram, this.#picture);
      spectrogram.ariaLabel = `Spectrogram from 0 to ${Math.round(this.#picture.fmaxHz)} hertz`;
    }
    const lines = byId<HTMLCanvasElement>("plot-probabilities");
    if (this.#timeline) {
      drawTimeline(lines, this.#timeline, seconds);
      lines.ariaLabel = describeTimeline(this.#timeline);
      this.#showTime(Number(byId<HTMLInputElement>("seek").value));
    }
  }
}

/** The model cards of the models that answered, closed until somebody wants to read them. */
function showCards(bundles: readonly BundleSummary[]): void {
  const cards = bundles.filter(({ card }) => card !== null).map(({ name, card }) =>
    el(
      "details",
      { class: "card" },
      el("summary", {}, `Model card of ${name}`),
      el("div", { class: "card-text" }, ...markdown(card!, 3)),
    )
  );
  byId("cards").replaceChildren(...cards);
}

function describeTimeline({ labels, probabilities, timesSec }: Timeline): string {
  const best = probabilities.map((row) => row.indexOf(Math.max(...row)));
  const parts: string[] = [];
  best.forEach((k, i) => {
    if (k !== best[i - 1]) parts.push(`${labels[k]} from ${timesSec[i]!.toFixed(1)} s`);
  });
  return `Most probable over time: ${parts.slice(0, 12).join(", ")}${parts.length > 12 ? " and on" : ""}`;
}

function spoken({ emotion, abstained, probabilities, warnings }: Prediction, model: string): string {
  const share = percent(probabilities[emotion]!);
  const said = abstained ? `cannot say; ${emotion} comes closest with ${share}` : `${emotion}, ${share}`;
  return `${model ? `${model}: ` : ""}${said}. ${warnings.join(" ")}`;
}

function answerCard(
  { emotion, abstained, probabilities, warnings }: Prediction,
  bundle: BundleSummary,
  named: boolean,
) {
  const share = percent(probabilities[emotion]!);
  const sorted = bundle.labels.map((label, k) => [label, probabilities[label]!, k] as const)
    .toSorted((a, b) => b[1] - a[1]);
  const bars = sorted.map(([label, p, k]) => {
    const fill = el("span", { class: "bar-fill" });
    fill.style.transform = `scaleX(${p})`;
    fill.style.backgroundColor = colorOf(label, k);
    return el(
      "li",
      {},
      el("span", { class: "bar-name" }, label),
      el("span", { class: "bar", "aria-hidden": "true" }, fill),
      el("span", { class: "bar-value" }, percent(p)),
    );
  });
  return el(
    "article",
    { class: abstained ? "answer abstained" : "answer", "aria-label": named ? `Answer of ${bundle.name}` : "Answer" },
    el("p", { class: "answer-model" }, `${named ? bundle.name : bundle.origin}, protocol ${bundle.protocol}`),
    el("h3", { class: "answer-label" }, abstained ? "Cannot say" : emotion),
    el(
      "p",
      { class: "answer-sure" },
      abstained ? `It comes closest to ${emotion}, ${share}.` : `${share} sure`,
    ),
    el("ul", { class: "bars" }, ...bars),
    warnings.length > 0 &&
      el(
        "div",
        { class: "warnings" },
        el("h4", {}, "What speaks against relying on it"),
        el("ul", {}, ...warnings.map((warning) => el("li", {}, warning))),
      ),
    el("div", { class: "worth" }, ...bundle.expected.map((sentence) => el("p", {}, sentence))),
  );
}
