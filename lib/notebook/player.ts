/**
 * Audio players in notebooks.
 *
 * @module
 */

import { encodeWav, resample } from "../audio/mod.ts";
import { toBase64 } from "../figures/png.ts";
import type { Waveform } from "../types.ts";
import { type Displayable, displayable, escapeHtml } from "./jupyter.ts";

/** How a recording is stored in the notebook. */
export interface PlayerOptions {
  /** What is heard. */
  readonly label?: string;
  /** At most so many seconds are kept (default 4). */
  readonly maxSec?: number;
  /** Faster recordings are brought down to this rate in Hz (default 11,025), which halves telephone quality's size twice. */
  readonly maxRateHz?: number;
}

/** A recording with its label, for {@linkcode players}. */
export interface LabelledWave {
  /** What is heard. */
  readonly label: string;
  /** The sound. */
  readonly wave: Waveform;
}

/**
 * A small player with the sound in it: WAV of 16 bits, cut and brought down in rate so that a notebook stays small.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const wave = { samples: new Float32Array(48000 * 10), sampleRateHz: 48000 };
 * const shown = player(wave, { label: "silence" });
 * assert.match(String(shown.mime["text/html"]), /^<figure.*src="data:audio\/wav;base64,/);
 * assert.ok(String(shown.mime["text/html"]).length < 120_000);
 * ```
 */
export function player(wave: Waveform, options: PlayerOptions = {}): Displayable {
  return players([{ label: options.label ?? "", wave }], options);
}

/** Several players side by side, each with its label; see {@linkcode player}. */
export function players(recordings: readonly LabelledWave[], options: PlayerOptions = {}): Displayable {
  const items = recordings.map(({ label, wave }) => {
    const kept = shorten(wave, options);
    const caption = label ? `<figcaption style="font-size:0.9em">${escapeHtml(label)}</figcaption>` : "";
    const name = label ? ` aria-label="${escapeHtml(label)}"` : "";
    const bytes = encodeWav(kept);
    return `<figure style="margin:0">${caption}<audio controls preload="metadata" style="width:100%"${name} ` +
      `src="data:audio/wav;base64,${toBase64(bytes)}"></audio></figure>`;
  });
  const words = recordings.map(({ label, wave }) =>
    `${label || "audio"}: ${(wave.samples.length / wave.sampleRateHz).toFixed(2)} s at ${wave.sampleRateHz} Hz`
  );
  const html = items.length === 1
    ? items[0]!
    : `<div style="display:grid;grid-template-columns:repeat(auto-fit,minmax(220px,1fr));gap:8px 16px">${
      items.join("")
    }</div>`;
  return displayable({ "text/html": html, "text/plain": words.join("\n") });
}

function shorten(wave: Waveform, { maxSec = 4, maxRateHz = 11_025 }: PlayerOptions): Waveform {
  const samples = wave.samples.subarray(0, Math.max(1, Math.round(maxSec * wave.sampleRateHz)));
  const cut = { samples, sampleRateHz: wave.sampleRateHz };
  return wave.sampleRateHz > maxRateHz ? resample(cut, maxRateHz) : cut;
}
