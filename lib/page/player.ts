/**
 * Plays a recording and moves the playhead.
 *
 * @module
 */

/// <reference lib="dom" />

import { encodeWav } from "../audio/wav.ts";
import { byId } from "./dom.ts";
import type { Clip } from "./protocol.ts";

/** The recording as a WAV file, sample for sample. */
export function wavOf(clip: Clip): Blob {
  return new Blob([new Uint8Array(encodeWav(clip, { encoding: "float32" }))], { type: "audio/wav" });
}

/** Play button, slider, clock and playhead of the page. */
export class Player {
  readonly #audio = new Audio();
  readonly #seek = byId<HTMLInputElement>("seek");
  readonly #button = byId<HTMLButtonElement>("play");
  #url: string | undefined;
  #durationSec = 1;
  #onTime: (sec: number) => void;

  /**
   * Takes hold of the page's elements.
   *
   * @param onTime Hears the position in s whenever it has changed.
   */
  constructor(onTime: (sec: number) => void) {
    this.#onTime = onTime;
    this.#audio.preload = "auto";
    this.#button.addEventListener("click", () => this.toggle());
    this.#seek.addEventListener("input", () => this.seek(Number(this.#seek.value)));
    for (const event of ["play", "pause", "ended"]) this.#audio.addEventListener(event, () => this.#show());
    byId("stack").addEventListener("click", (event) => {
      const box = byId("plot-wave").getBoundingClientRect();
      this.seek((event.clientX - box.left) / box.width * this.#durationSec);
    });
  }

  /** Takes a recording. */
  load(clip: Clip): void {
    this.#audio.pause();
    if (this.#url) URL.revokeObjectURL(this.#url);
    this.#url = URL.createObjectURL(wavOf(clip));
    this.#audio.src = this.#url;
    this.#durationSec = clip.samples.length / clip.sampleRateHz;
    this.#seek.max = String(this.#durationSec);
    this.#seek.step = String(Math.min(0.1, this.#durationSec / 50));
    this.#tell(0);
    this.#show();
  }

  /** Plays or pauses. */
  toggle(): void {
    if (this.#audio.paused) void this.#audio.play().then(() => this.#follow(), () => {});
    else this.#audio.pause();
  }

  /** Stops playing. */
  pause(): void {
    this.#audio.pause();
  }

  /** Goes to a position in s. */
  seek(sec: number): void {
    const to = Math.min(this.#durationSec, Math.max(0, sec));
    this.#audio.currentTime = to;
    this.#tell(to);
  }

  #follow(): void {
    if (this.#audio.paused) return;
    this.#tell(this.#audio.currentTime);
    requestAnimationFrame(() => this.#follow());
  }

  #show(): void {
    const playing = !this.#audio.paused && !this.#audio.ended;
    byId("play-label").textContent = playing ? "Pause" : "Play";
    this.#button.classList.toggle("playing", playing);
    if (this.#audio.ended) this.#tell(this.#durationSec);
  }

  #tell(sec: number): void {
    this.#seek.value = String(sec);
    this.#seek.setAttribute("aria-valuetext", `${sec.toFixed(1)} of ${this.#durationSec.toFixed(1)} seconds`);
    byId("clock").textContent = `${sec.toFixed(1)} / ${this.#durationSec.toFixed(1)} s`;
    const canvas = byId("plot-wave"), stack = byId("stack");
    const left = canvas.getBoundingClientRect().left - stack.getBoundingClientRect().left;
    byId("playhead").style.transform = `translateX(${left + sec / this.#durationSec * canvas.clientWidth}px)`;
    this.#onTime(sec);
  }
}
