/**
 * The little Markdown that model cards use, as elements: headings, paragraphs, lists, tables, bold and code. Everything
 * else stays text.
 *
 * @module
 */

/// <reference lib="dom" />

import { el } from "./dom.ts";

/** Bold and code in a line. */
function inline(text: string): (Node | string)[] {
  return text.split(/(\*\*[^*]+\*\*|`[^`]+`)/).filter(Boolean).map((part) =>
    part.startsWith("**") && part.length > 4
      ? el("strong", {}, part.slice(2, -2))
      : part.startsWith("`") && part.length > 2
      ? el("code", {}, part.slice(1, -1))
      : part
  );
}

const cellsOf = (line: string): string[] =>
  line.replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));

function tableOf(lines: readonly string[]): HTMLElement {
  const [head = "", rule = "", ...body] = lines;
  const hasHead = /^[|\s:-]+$/.test(rule);
  const row = (line: string, tag: "th" | "td"): HTMLElement =>
    el("tr", {}, ...cellsOf(line).map((cell) => el(tag, tag === "th" ? { scope: "col" } : {}, ...inline(cell))));
  const rows = hasHead ? body : lines;
  return el(
    "div",
    { class: "table-scroll", tabindex: 0, role: "region", "aria-label": cellsOf(head)[0] ?? "Table" },
    el(
      "table",
      { class: "numbers" },
      hasHead && el("thead", {}, row(head, "th")),
      el("tbody", {}, ...rows.map((line) => row(line, "td"))),
    ),
  );
}

/**
 * Elements of a Markdown text.
 *
 * @param text The text.
 * @param top Level of its first heading, 1 to 4.
 */
export function markdown(text: string, top: number): HTMLElement[] {
  const blocks = text.replaceAll("\r", "").split(/\n{2,}/).map((block) => block.trim()).filter(Boolean);
  return blocks.flatMap((block): HTMLElement[] => {
    const lines = block.split("\n");
    const heading = /^(#{1,3}) (.*)$/.exec(lines[0]!);
    if (heading) {
      const tag = `h${Math.min(6, top + heading[1]!.length - 1)}` as "h2";
      const rest = lines.slice(1).join("\n");
      return [el(tag, {}, ...inline(heading[2]!)), ...(rest ? markdown(rest, top) : [])];
    }
    if (lines.every((line) => line.startsWith("|"))) return [tableOf(lines)];
    if (lines.every((line) => /^([-*] | {2})/.test(line))) {
      const items = block.split(/^[-*] /m).filter(Boolean);
      return [el("ul", {}, ...items.map((item) => el("li", {}, ...inline(item.trim()))))];
    }
    return [el("p", {}, ...inline(lines.join(" ")))];
  });
}
