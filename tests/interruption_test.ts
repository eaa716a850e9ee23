import assert from "node:assert/strict";
import {
  afterKill,
  beginInterruptible,
  forgetInterrupt,
  interrupt,
  InterruptedError,
  onSteadyWork,
  repairAfterKill,
  wasKilled,
  withUndo,
} from "../lib/interruption.ts";

Deno.test("an interrupt reaches all work under way once, and says how many pieces that were", () => {
  const first = beginInterruptible(), second = beginInterruptible({ steady: false });
  assert.equal(interrupt(), 2);
  for (const { signal } of [first, second]) {
    assert.ok(signal.reason instanceof InterruptedError);
  }
  const third = beginInterruptible();
  assert.equal(third.signal.aborted, false);
  for (const work of [first, second, third]) work.end();
});

Deno.test("an interrupt between two pieces of work is meant for the next one alone, unless it is forgotten", () => {
  assert.equal(interrupt(), 0);
  const next = beginInterruptible(), later = beginInterruptible();
  assert.deepEqual([next.signal.aborted, later.signal.aborted], [true, false]);
  interrupt();
  next.end();
  later.end();
  assert.equal(interrupt(), 0);
  forgetInterrupt();
  const other = beginInterruptible();
  assert.equal(other.signal.aborted, false);
  other.end();
});

Deno.test("listeners hear how much steady work there is, and not of what only looks now and then", () => {
  const heard: number[] = [];
  const stop = onSteadyWork((steady) => heard.push(steady));
  const bar = beginInterruptible({ steady: false });
  const fit = beginInterruptible();
  fit.end();
  fit.end();
  bar.end();
  stop();
  beginInterruptible().end();
  assert.deepEqual(heard, [0, 1, 0]);
});

Deno.test("undo runs once, however the work ends; after a kill it runs with the repairs, innermost first", () => {
  const log: string[] = [];
  withUndo(() => log.push("undo"), () => log.push("work"));
  assert.throws(() =>
    withUndo(() => log.push("undo"), () => {
      throw new Error("fails");
    })
  );
  assert.deepEqual(log.splice(0), ["work", "undo", "undo"]);
  assert.equal(wasKilled(), false);
  // A generator that is never resumed stands for JavaScript that was ended: its finally does not run either.
  afterKill(() => log.push("repair"));
  withUndo(() => log.push("outer"), () =>
    withUndo(() => log.push("inner"), () => {
      assert.equal(wasKilled(), true);
      repairAfterKill();
      assert.equal(wasKilled(), false);
      assert.deepEqual(log.splice(0), ["inner", "outer", "repair"]);
    }));
});
