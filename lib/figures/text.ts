/**
 * Text in figures: its width without a browser, line breaks, and the few tags that Plotly understands.
 *
 * @module
 */

/** The fonts of every figure; the first three share the widths below. */
export const FONT_FAMILY = "Helvetica, Arial, 'Liberation Sans', sans-serif";

// Widths of Helvetica in thousandths of the font size, characters 32 to 126 (Adobe Font Metrics, Core 14 fonts).
const WIDTHS = [
  ...[278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278],
  ...[556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556],
  ...[1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778],
  ...[667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556],
  ...[333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556],
  ...[556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584],
];

// Some systems have none of the named fonts; their stand-ins are a little wider.
const SAFETY = 1.05;

/** A piece of one line in one style. */
export interface Span {
  /** The text. */
  readonly text: string;
  /** Bold. */
  readonly bold: boolean;
  /** Italic. */
  readonly italic: boolean;
  /** Lowered, raised, or on the line. */
  readonly shift: "sub" | "sup" | "";
}

/** Width in pixels of plain text at a font size in pixels. */
export function textWidth(text: string, size: number, bold = false): number {
  let sum = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    sum += WIDTHS[code - 32] ??
      (code === 0x2212 ? 584 : code >= 0x2e80 ? 1000 : code >= 0x2070 && code < 0x2090 ? 380 : 580);
  }
  return sum / 1000 * size * SAFETY * (bold ? 1.07 : 1);
}

/**
 * Lines of a text with Plotly's tags `<br>`, `<b>`, `<i>`, `<sub>`, `<sup>`; any other `<` stands for itself.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const lines = parseText("a<br><b>b</b> < c");
 * assert.deepEqual(lines.map((line) => line.map((span) => span.text).join("")), ["a", "b < c"]);
 * assert.equal(lines[1]![0]!.bold, true);
 * ```
 */
export function parseText(text: string): Span[][] {
  const lines: Span[][] = [[]];
  let bold = 0, italic = 0;
  let shift: Span["shift"] = "";
  for (const part of text.split(/(<br\s*\/?>|<\/?(?:b|i|sub|sup)>)/i)) {
    const tag = /^<(\/?)(br|b|i|sub|sup)\s*\/?>$/i.exec(part);
    const name = tag?.[2]?.toLowerCase();
    if (tag === null) {
      const plain = part.replace(
        /&(amp|lt|gt|nbsp);/g,
        (_, n: string) => ({ amp: "&", lt: "<", gt: ">" })[n] ?? "\u00a0",
      );
      if (plain !== "") lines.at(-1)!.push({ text: plain, bold: bold > 0, italic: italic > 0, shift });
    } else if (name === "br") lines.push([]);
    else if (name === "b") bold += tag[1] ? -1 : 1;
    else if (name === "i") italic += tag[1] ? -1 : 1;
    else shift = tag[1] ? "" : name === "sub" ? "sub" : "sup";
  }
  return lines;
}

/** The text without tags, its lines joined. */
export function plainText(text: string, between = " "): string {
  return parseText(text).map((line) => line.map((span) => span.text).join("")).join(between);
}

/** Share of the font size that a lowered or raised span has. */
export const SMALL = 0.75;

/** Width in pixels of one parsed line. */
export function lineWidth(line: readonly Span[], size: number, bold = false): number {
  return line.reduce((sum, s) => sum + textWidth(s.text, size * (s.shift ? SMALL : 1), bold || s.bold), 0);
}

/** Breaks a parsed line at spaces so that no part is wider than `limit` pixels, as far as words allow. */
export function wrapLine(line: readonly Span[], size: number, limit: number, bold = false): Span[][] {
  if (lineWidth(line, size, bold) <= limit) return [[...line]];
  const lines: Span[][] = [[]];
  let width = 0;
  for (const span of line) {
    for (const word of span.text.split(/(?<= )/)) {
      const w = textWidth(word, size * (span.shift ? SMALL : 1), bold || span.bold);
      if (width > 0 && width + w > limit) {
        lines.push([]);
        width = 0;
      }
      lines.at(-1)!.push({ ...span, text: word });
      width += w;
    }
  }
  return lines.map((spans) => joinEqual(spans));
}

function joinEqual(spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const span of spans) {
    const last = joined.at(-1);
    if (last && last.bold === span.bold && last.italic === span.italic && last.shift === span.shift) {
      joined[joined.length - 1] = { ...last, text: last.text + span.text };
    } else joined.push(span);
  }
  return joined;
}

/** Text for XML: the five special characters escaped, and characters that XML forbids left out. */
export function escapeXml(text: string): string {
  // deno-lint-ignore no-control-regex -- XML 1.0 forbids exactly these
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "").toWellFormed()
    .replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c] ?? "&#39;");
}
