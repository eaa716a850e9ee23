/**
 * Comma-separated values (RFC 4180) and numbers that read back as they were.
 *
 * Browser-safe.
 *
 * @module
 */

import { FormatError } from "../errors.ts";

/** One field, quoted where it has to be. */
export function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Rows of fields as text; lines end in `\n`. */
export function csvText(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(csvField).join(",")}\n`).join("");
}

/**
 * Reads RFC 4180: quoted fields may hold commas, quotes (doubled) and line breaks; lines end in `\n` or `\r\n`.
 *
 * @returns Rows of fields; an empty last line does not count.
 * @throws {RangeError} naming the line where a quote is not closed or stands in the middle of a field.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(parseCsv('a,"b ""c"", d"\r\n1,2\n'), [["a", 'b "c", d'], ["1", "2"]]);
 * ```
 */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  let line = 1;
  while (at < text.length) {
    let field = "";
    if (text[at] === '"') {
      const opened = line;
      at++;
      for (;;) {
        const close = text.indexOf('"', at);
        if (close < 0) throw new RangeError(`line ${opened}: a quote is not closed`);
        const part = text.slice(at, close);
        line += part.split("\n").length - 1;
        field += part;
        at = close + 1;
        if (text[at] !== '"') break;
        field += '"';
        at++;
      }
      if (at < text.length && !",\r\n".includes(text[at]!)) throw new RangeError(`line ${line}: text after a quote`);
    } else {
      const end = /[,\r\n]/g;
      end.lastIndex = at;
      const stop = end.exec(text)?.index ?? text.length;
      field = text.slice(at, stop);
      if (field.includes('"')) throw new RangeError(`line ${line}: a quote within a field`);
      at = stop;
    }
    row.push(field);
    if (text[at] === ",") {
      at++;
      // A comma at the very end is followed by one more, empty field.
      if (at === text.length) row.push("");
      else continue;
    }
    if (text[at] === "\r" && text[at + 1] === "\n") at++;
    if (at < text.length) {
      if (text[at] !== "\n") throw new RangeError(`line ${line}: a carriage return without line feed`);
      at++;
    }
    line++;
    rows.push(row);
    row = [];
  }
  return rows;
}

/**
 * The shortest decimal text that reads back to the same single-precision number.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(float32Text(Math.fround(0.1)), "0.1");
 * ```
 */
export function float32Text(value: number): string {
  const single = Math.fround(value);
  for (let digits = 1; digits < 9; digits++) {
    const text = String(Number(single.toPrecision(digits)));
    if (Math.fround(Number(text)) === single) return text;
  }
  // Nine digits tell any two single-precision numbers apart.
  return String(Number(single.toPrecision(9)));
}

/**
 * Reads a CSV file's text, as {@linkcode parseCsv}.
 *
 * @param file Name for errors.
 * @throws {FormatError} naming the file, the line and the rule.
 */
export function parseCsvFile(text: string, file: string): string[][] {
  try {
    return parseCsv(text);
  } catch (error) {
    throw new FormatError(`${file}: ${(error as Error).message}.`, { cause: error });
  }
}
