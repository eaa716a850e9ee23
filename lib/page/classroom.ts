/**
 * The second view: the leakage classroom.
 *
 * @module
 */

/// <reference lib="dom" />

import { type Client, PageError } from "./client.ts";
import { announce, byId, clearError, el, showError, styleOf } from "./dom.ts";
import { type Curve, drawCurves } from "./plots.ts";
import type { ClassroomProgress, ClassroomResult, ClassroomSplit } from "./protocol.ts";

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
const SPLITS = ["random", "speaker"] as const;
const EPOCHS = 60, CHANCE = 0.25;

/** The second view. */
export class ClassroomView {
  readonly #client: Client;
  #work: AbortController | undefined;
  #curves: Record<ClassroomSplit, number[]> = { random: [], speaker: [] };

  /**
   * Takes hold of the view.
   *
   * @param client The worker.
   */
  constructor(client: Client) {
    this.#client = client;
    byId("lesson").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#train();
    });
    byId("train-stop").addEventListener("click", () => this.#work?.abort());
    const speakers = byId<HTMLInputElement>("speakers");
    speakers.addEventListener("input", () => byId("speakers-value").textContent = speakers.value);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    new ResizeObserver(() => this.redraw()).observe(byId("plot-curve"));
  }

  /** Draws the curves again. */
  redraw(): void {
    if (byId("view-classroom").hidden) return;
    const curve = (split: ClassroomSplit): Curve => ({
      name: split,
      color: styleOf(split === "random" ? "--random" : "--speaker"),
      dashes: split === "random" ? [] : [8, 5],
      values: this.#curves[split],
    });
    drawCurves(byId<HTMLCanvasElement>("plot-curve"), SPLITS.map(curve), EPOCHS, CHANCE);
  }

  #progress(value: number, text: string): void {
    const bar = byId("lesson-bar");
    bar.setAttribute("aria-valuenow", (100 * value).toFixed(0));
    bar.setAttribute("aria-valuetext", text);
    byId("lesson-fill").style.transform = `scaleX(${value})`;
  }

  #hear(progress: ClassroomProgress): void {
    if (progress.kind === "voices") {
      this.#progress(0.4 * progress.done / progress.total, `${progress.done} of ${progress.total} clips spoken`);
    } else if (progress.kind === "split") {
      byId(`facts-${progress.split}`).textContent =
        `${progress.train} clips of ${progress.speakersTrain} speakers to learn from, ${progress.test} in the exam; ` +
        `${progress.known} of the exam’s ${progress.speakersTest} voices were in the lessons.`;
      announce(progress.split === "random" ? "Training on the random split." : "Training on the split by speaker.");
    } else {
      this.#curves[progress.split].push(progress.test);
      byId(`score-${progress.split}`).textContent = percent(progress.test);
      const before = progress.split === "random" ? 0.4 : 0.7;
      this.#progress(before + 0.3 * progress.epoch / EPOCHS, `pass ${progress.epoch} of ${EPOCHS}`);
      this.redraw();
    }
  }

  async #train(): Promise<void> {
    if (this.#work) return;
    const work = this.#work = new AbortController();
    clearError();
    this.#curves = { random: [], speaker: [] };
    for (const split of SPLITS) {
      byId(`score-${split}`).textContent = "–";
      byId(`facts-${split}`).textContent = "";
    }
    byId("verdict").hidden = true;
    byId<HTMLButtonElement>("train").disabled = true;
    byId("train-stop").hidden = byId("lesson-bar").hidden = false;
    this.#progress(0, "starting");
    announce("Making the voices.");
    try {
      const result = await this.#client.ask("classroom", {
        seed: Number(byId<HTMLInputElement>("seed").value),
        speakers: Number(byId<HTMLInputElement>("speakers").value),
        speakerCue: Number(byId<HTMLSelectElement>("cue").value),
        epochs: EPOCHS,
      }, { signal: work.signal, onProgress: (progress) => this.#hear(progress as ClassroomProgress) });
      this.#conclude(result);
    } catch (error) {
      if (work.signal.aborted) announce("Stopped.");
      else showError(error instanceof PageError ? error.message : String(error));
    } finally {
      this.#work = undefined;
      byId<HTMLButtonElement>("train").disabled = false;
      byId("train-stop").hidden = byId("lesson-bar").hidden = true;
    }
  }

  #conclude({ scores: { random, speaker }, chance }: ClassroomResult): void {
    for (const [split, score] of [["random", random], ["speaker", speaker]] as const) {
      byId(`score-${split}`).textContent = percent(score.accuracy);
      byId(`facts-${split}`).textContent += ` 95 % interval ${percent(score.interval[0])} to ${
        percent(score.interval[1])
      }.`;
    }
    const points = Math.round(100 * (random.accuracy - speaker.accuracy));
    const overlap = random.interval[0] <= speaker.interval[1] && speaker.interval[0] <= random.interval[1];
    const first = points > 0
      ? `${points} of the ${Math.round(100 * random.accuracy)} points are worth nothing with a new voice.`
      : "This time the random split is no better: no voice gave anything away, or chance was kind.";
    const why = points > 0
      ? "Model, features, settings and recordings are the same. Only the exam differs: at random, every speaker of the exam " +
        "has been heard in the lessons, so knowing the person helps. People whom the model meets later were not in its lessons; " +
        "for them the second figure is the honest one."
      : "Try a clearer give-away, fewer speakers, or another seed.";
    const doubt = overlap
      ? ` The exam is small (${random.n} and ${speaker.n} clips), and the two intervals overlap: another seed may say otherwise.`
      : ` Even with so few clips (${random.n} and ${speaker.n}) the two intervals do not overlap.`;
    byId("verdict").replaceChildren(
      el("p", { class: "verdict-line" }, first),
      el("p", {}, `${why}${doubt} Guessing gives ${percent(chance)}.`),
    );
    byId("verdict").hidden = false;
    byId("plot-curve").ariaLabel = `Accuracy in the exam over ${random.epochs} passes: random split ends at ${
      percent(random.accuracy)
    }, split by speaker at ${percent(speaker.accuracy)}`;
    announce(`Random split ${percent(random.accuracy)}, split by speaker ${percent(speaker.accuracy)}. ${first}`);
  }
}
