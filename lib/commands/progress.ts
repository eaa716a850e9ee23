/**
 * Progress on stderr: a bar where it is a terminal, nothing otherwise; finished steps are lines of their own.
 *
 * @module
 */

import process from "node:process";

/** Something that shows how far a long work is. */
export interface Progress {
  /** Shows a step: `done` of `total`, and a few words. */
  update(done: number, total: number, words?: string): void;
  /** Writes a line that stays. */
  line(text: string): void;
  /** Removes the bar. */
  end(): void;
}

const WIDTH = 24;

/** A progress display with a title. */
export function progressBar(title: string): Progress {
  const live = process.stderr.isTTY === true;
  let shown = false, last = 0;
  const clear = (): void => {
    if (shown) process.stderr.write("\r\x1b[2K");
    shown = false;
  };
  return {
    update(done, total, words = "") {
      const now = performance.now();
      if (!live || (now - last < 80 && done < total)) return;
      last = now;
      const filled = Math.round(WIDTH * Math.min(1, done / Math.max(1, total)));
      clear();
      const text = `${title} [${"=".repeat(filled)}${" ".repeat(WIDTH - filled)}] ${done}/${total} ${words}`;
      process.stderr.write(text.slice(0, (process.stderr.columns || 100) - 1));
      shown = true;
    },
    line(text) {
      clear();
      console.error(text);
    },
    end: clear,
  };
}
