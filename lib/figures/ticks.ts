/**
 * Ticks at round numbers, and how they are written.
 *
 * @module
 */

/** A tick: where it is (log₁₀ on a log axis, index on a category axis) and what stands there. */
export interface Tick {
  /** Position. */
  readonly at: number;
  /** Text; empty for a grid line without one. */
  readonly text: string;
}

/**
 * The smallest step of 1, 2 or 5 times a power of ten that gives at most `count` steps over `span`.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(niceStep(1, 5), 0.2);
 * assert.equal(niceStep(8000, 5), 2000);
 * ```
 */
export function niceStep(span: number, count: number): number {
  const raw = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  // The slack keeps 1 / 5 = 0.2 at 0.2 although 0.2 / 0.1 is a little over 2 in binary.
  for (const factor of [1, 2, 5]) if (raw <= factor * power * (1 + 1e-9)) return clean(factor * power);
  return clean(10 * power);
}

function clean(value: number): number {
  return Number(value.toPrecision(12));
}

/** A number with a true minus sign. */
export function withMinus(text: string): string {
  return text.replace(/^-/, "\u2212");
}

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** Ten to an integer power as text: `10⁻³`. */
export function powerOfTen(exponent: number): string {
  const digits = String(Math.abs(exponent)).replace(/\d/g, (d) => SUPERSCRIPTS[Number(d)]!);
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

/**
 * Writes a number in the part of d3's format notation that figures use.
 *
 * @param format `d`, `,d`, `.Nf`, `.Ng`, `.N%`, `~s`; anything else writes the number as JavaScript does.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(formatNumber(0.256, ".0%"), "26%");
 * assert.equal(formatNumber(-1234.5, ",d"), "−1,235");
 * assert.equal(formatNumber(12000, "~s"), "12k");
 * ```
 */
export function formatNumber(value: number, format: string): string {
  const parts = /^(,)?(?:\.(\d+))?(~)?([dfgs%])$/.exec(format);
  if (!parts) return withMinus(String(value));
  const digits = parts[2] === undefined ? undefined : Number(parts[2]);
  const group = (text: string) =>
    parts[1] ? text.replace(/\d+/, (whole) => whole.replace(/\B(?=(\d{3})+$)/g, ",")) : text;
  switch (parts[4]) {
    case "d":
      // Away from zero at halves, as d3 does; Math.round would go up.
      return withMinus(group(String(Math.sign(value) * Math.round(Math.abs(value)))));
    case "f":
      return withMinus(group(value.toFixed(digits ?? 6)));
    case "%":
      return withMinus(`${(value * 100).toFixed(digits ?? 0)}%`);
    case "g":
      return withMinus(String(Number(value.toPrecision(Math.max(1, digits ?? 6)))));
    default: {
      const tier = value === 0 ? 0 : Math.max(-4, Math.min(4, Math.floor(Math.log10(Math.abs(value)) / 3 + 1e-9)));
      const prefix = ["p", "n", "µ", "m", "", "k", "M", "G", "T"][tier + 4]!;
      return withMinus(`${Number((value / 1000 ** tier).toPrecision(6))}${prefix}`);
    }
  }
}

/** Ticks of a linear axis between `low` and `high`, at most about `count` of them. */
export function linearTicks(low: number, high: number, count: number, format?: string, dtick?: number): Tick[] {
  const step = dtick !== undefined && (high - low) / dtick <= 4 * count ? dtick : niceStep(high - low, count);
  const decimals = Math.min(12, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  const large = Math.max(Math.abs(low), Math.abs(high)) >= 1e5;
  const ticks: Tick[] = [];
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  for (let i = first; i <= last; i++) {
    const at = clean(i * step);
    const text = format ? formatNumber(at, format) : large ? formatNumber(at, "~s") : withMinus(at.toFixed(decimals));
    ticks.push({ at, text });
  }
  return ticks;
}

/** Ticks of a log axis; `low` and `high` are log₁₀ of the ends, and so are the positions. */
export function logTicks(low: number, high: number, count: number, format?: string): Tick[] {
  const decades = high - low;
  const plain = low >= -3.001 && high <= 4.999;
  // Few decades: 1, 2 and 5 are labelled as well; otherwise whole decades, thinned when there are many.
  const dense = decades * 3 <= Math.max(count, 5) && (plain || decades < 1.5);
  const digits = decades <= 0.7 ? [1, 2, 3, 4, 5, 6, 7, 8, 9] : dense ? [1, 2, 5] : [1];
  const every = Math.max(1, Math.ceil(decades / Math.max(1, count)));
  const ticks: Tick[] = [];
  for (let e = Math.floor(low); e <= Math.ceil(high); e++) {
    if (digits.length === 1 && ((e % every) + every) % every !== 0) continue;
    for (const digit of digits) {
      const at = e + Math.log10(digit);
      if (at < low - 1e-9 || at > high + 1e-9) continue;
      const value = Number(`${digit}e${e}`);
      const text = format
        ? formatNumber(value, format)
        : plain
        ? String(value)
        : digit === 1
        ? powerOfTen(e)
        : `${digit}·${powerOfTen(e)}`;
      ticks.push({ at, text });
    }
  }
  return ticks;
}
