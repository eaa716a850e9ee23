/**
 * Interrupts: whoever works long says so here and looks whether it shall stop; a notebook's stop button (or any other
 * source) asks all of them to. Nothing happens unless somebody calls {@linkcode interrupt}. Browser-safe.
 *
 * @module
 */

import { SerlabError } from "./errors.ts";

/** Work that was stopped because the reader asked for it. */
export class InterruptedError extends SerlabError {
  /** Name of the class, which survives minification. */
  override name = "InterruptedError";
  /** Exit code of a command that was interrupted, as shells have it: 128 and the number of SIGINT. */
  override readonly exitCode: number = 130;
}

/** Work under way that can be stopped. */
export interface InterruptibleWork {
  /** Aborted, with an {@linkcode InterruptedError} as its reason, when the work shall stop. */
  readonly signal: AbortSignal;
  /** Says that the work is over; safe to call more than once. */
  end(): void;
}

/** How work can be stopped. */
export interface InterruptibleOptions {
  /**
   * Whether the work stops by itself soon after it is asked to, so that nobody need use force; false for what only
   * looks now and then (a progress bar in somebody else's loop). Default true.
   */
  readonly steady?: boolean;
}

/** An interrupt that finds nobody at work is meant for what begins within this time, ms. */
const LINGER_MS = 1000;

interface Entry {
  readonly controller: AbortController;
  readonly steady: boolean;
}

interface State {
  readonly entries: Set<Entry>;
  readonly listeners: Set<(steady: number) => void>;
  readonly repairs: Set<() => void>;
  readonly underWay: Set<() => void>;
  missedAt: number;
}

// One for the whole program, even where this module was loaded twice (by two paths to one folder).
const KEY: unique symbol = Symbol.for("serlab.interruption");
const here = globalThis as { [KEY]?: State };
const state: State = here[KEY] ??= {
  entries: new Set(),
  listeners: new Set(),
  repairs: new Set(),
  underWay: new Set(),
  missedAt: -Infinity,
};

const steadyCount = (): number => [...state.entries].filter(({ steady }) => steady).length;
const reason = (): InterruptedError => new InterruptedError("Interrupted.");

/**
 * Begins work that an interrupt shall stop.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const work = beginInterruptible();
 * assert.equal(interrupt(), 1);
 * assert.throws(() => work.signal.throwIfAborted(), InterruptedError);
 * work.end();
 * assert.equal(interrupt(), 0);
 * ```
 */
export function beginInterruptible({ steady = true }: InterruptibleOptions = {}): InterruptibleWork {
  const entry: Entry = { controller: new AbortController(), steady };
  if (performance.now() - state.missedAt < LINGER_MS) {
    // Asked a moment ago, between two pieces of work: meant for this one.
    state.missedAt = -Infinity;
    entry.controller.abort(reason());
  } else {
    state.entries.add(entry);
    if (steady) announce();
  }
  return {
    signal: entry.controller.signal,
    end: () => {
      if (state.entries.delete(entry) && steady) announce();
    },
  };
}

/**
 * Asks all work under way to stop.
 *
 * @returns how many pieces of work were asked; where it is 0, what begins within a second stops at once.
 */
export function interrupt(): number {
  const asked = [...state.entries];
  state.missedAt = asked.length === 0 ? performance.now() : -Infinity;
  state.entries.clear();
  for (const { controller } of asked) controller.abort(reason());
  if (asked.some(({ steady }) => steady)) announce();
  return asked.length;
}

/**
 * Calls `listener` with the number of pieces of steady work under way, now and whenever it changes.
 *
 * @returns what ends that.
 */
export function onSteadyWork(listener: (steady: number) => void): () => void {
  state.listeners.add(listener);
  listener(steadyCount());
  return () => state.listeners.delete(listener);
}

function announce(): void {
  const steady = steadyCount();
  for (const listener of state.listeners) listener(steady);
}

/**
 * Registers what puts back a module's state after JavaScript was ended in the middle, as a notebook kernel's interrupt
 * does it where nobody listens: then not even `finally` runs.
 */
export function afterKill(repair: () => void): void {
  state.repairs.add(repair);
}

/**
 * Runs `work`, which must not wait, and then `undo`; where `work` is ended in the middle, {@linkcode repairAfterKill}
 * runs `undo`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * let installed = false;
 * const result = withUndo(() => installed = false, () => {
 *   installed = true;
 *   return 42;
 * });
 * assert.deepEqual([result, installed, wasKilled()], [42, false, false]);
 * ```
 */
export function withUndo<T>(undo: () => void, work: () => T): T {
  state.underWay.add(undo);
  try {
    return work();
  } finally {
    state.underWay.delete(undo);
    undo();
  }
}

/** Whether something of {@linkcode withUndo} was ended in the middle; ask outside of it. */
export function wasKilled(): boolean {
  return state.underWay.size > 0;
}

/** Forgets an interrupt that found nobody at work: what it was meant for is over. */
export function forgetInterrupt(): void {
  state.missedAt = -Infinity;
}

/** Puts back what work that was ended in the middle left behind. To be called while no such work is under way. */
export function repairAfterKill(): void {
  // The last to begin is the first to be undone.
  const left = [...state.underWay].reverse();
  state.underWay.clear();
  for (const undo of [...left, ...state.repairs]) undo();
}
