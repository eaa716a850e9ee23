/**
 * Progress of long work: a bar in a notebook, a line on a terminal, nothing elsewhere.
 *
 * @module
 */

import process from "node:process";
import { beginInterruptible } from "../interruption.ts";
import { escapeHtml, kernel } from "./jupyter.ts";

/** How progress is shown. */
export interface ProgressOptions {
  /** What is being done. */
  readonly label?: string;
  /** Shortest time between two pictures in ms (default 200). */
  readonly everyMs?: number;
  /** Whether the bar stays when all is done (default true). */
  readonly leave?: boolean;
}

/** A bar that is moved by hand. */
export interface Progress {
  /** Steps that are done. */
  readonly done: number;
  /**
   * Moves on by `steps` (1); awaiting it lets the notebook draw and an interrupt through.
   *
   * @throws {InterruptedError} when the cell was interrupted.
   */
  tick(steps?: number, note?: string): Promise<void>;
  /** Draws the last state; what a stored notebook keeps. */
  finish(note?: string): Promise<void>;
}

let count = 0;

/**
 * Starts a progress bar of `total` steps.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const bar = progress(3, { label: "features" });
 * for (let i = 0; i < 3; i++) await bar.tick();
 * await bar.finish();
 * assert.equal(bar.done, 3);
 * ```
 */
export function progress(total: number, options: ProgressOptions = {}): Progress {
  const { label = "", everyMs = 200, leave = true } = options;
  const id = `serlab-progress-${++count}`;
  const here = kernel();
  // It only looks now and then: the loop around it is somebody else's.
  const work = beginInterruptible({ steady: false });
  const terminal = here === undefined && process.stderr.isTTY === true;
  let done = 0, last = -Infinity, drawn = false, note = "";
  const text = () => `${label ? `${label}: ` : ""}${done} of ${total}${note ? `, ${note}` : ""}`;
  async function draw(isOver = false): Promise<void> {
    if (here && isOver && !leave) {
      if (!drawn) return;
      await here.broadcast("update_display_data", {
        data: { "text/html": "", "text/plain": "" },
        metadata: {},
        transient: { display_id: id },
      });
    } else if (here) {
      const share = total > 0 ? done / total : 1;
      const html = `<div>${
        escapeHtml(text())
      }<br><progress style="width:min(100%,24em)" value="${share}" max="1"></progress></div>`;
      await here.broadcast(drawn ? "update_display_data" : "display_data", {
        data: { "text/html": html, "text/plain": text() },
        metadata: {},
        transient: { display_id: id },
      });
    } else if (terminal) process.stderr.write(`\r\x1b[2K${text()}`);
    drawn = true;
    last = performance.now();
  }
  return {
    get done() {
      return done;
    },
    async tick(steps = 1, said = "") {
      work.signal.throwIfAborted();
      done = Math.min(total, done + steps);
      note = said;
      if (performance.now() - last < everyMs) return;
      await draw();
      // One turn of the event loop, so that messages (an interrupt among them) get through between steps.
      await new Promise((next) => setTimeout(next, 0));
      work.signal.throwIfAborted();
    },
    async finish(said = "") {
      work.end();
      note = said;
      await draw(true);
      if (terminal) process.stderr.write("\n");
    },
  };
}

/**
 * Goes through items while a bar shows how far: `for await (const item of track(items, { label })) …`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * let sum = 0;
 * for await (const n of track([1, 2, 3])) sum += n;
 * assert.equal(sum, 6);
 * ```
 */
export async function* track<T>(items: readonly T[], options: ProgressOptions = {}): AsyncGenerator<T, void, void> {
  const bar = progress(items.length, options);
  for (const item of items) {
    yield item;
    await bar.tick();
  }
  await bar.finish();
}
