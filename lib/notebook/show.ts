/**
 * Figures in notebooks, and in a browser from scripts.
 *
 * @module
 */

import process from "node:process";
import { type Figure, renderSvg } from "../figures/mod.ts";
import { plainText } from "../figures/text.ts";
import { type Displayable, displayable } from "./jupyter.ts";

/** MIME type of a Plotly figure in Jupyter. */
export const PLOTLY_MIME = "application/vnd.plotly.v1+json";

/**
 * A figure as a notebook shows it: live in Plotly where the reader's program has it (JupyterLab with its extension,
 * VS Code), and beside it our own SVG for all others (nbviewer, GitHub, exports to HTML).
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { barFigure } from "../figures/mod.ts";
 * const shown = show(barFigure(["a"], [{ name: "n", values: [1] }], { title: "One" }));
 * assert.deepEqual(Object.keys(shown.mime), ["application/vnd.plotly.v1+json", "image/svg+xml", "text/plain"]);
 * ```
 */
export function show(figure: Figure): Displayable {
  const title = plainText(figure.layout.title?.text ?? "", ": ") || "Figure";
  return displayable({
    [PLOTLY_MIME]: { data: figure.data, layout: figure.layout, config: { responsive: true, displaylogo: false } },
    "image/svg+xml": renderSvg(figure),
    "text/plain": `${title}. ${figure.layout.meta?.description ?? ""}`.trim(),
  });
}

/**
 * Opens figures in the reader's browser with nodeplotlib, which serves them from this process until all pages are
 * closed. Its page takes Plotly from the network. Set `NODEPLOTLIB_PORT` to serve without opening a browser.
 *
 * @param figures One page with all of them, in order.
 */
export async function plot(...figures: readonly Figure[]): Promise<void> {
  // Deno's own types of Node lack the property.
  const node = process as { noDeprecation?: boolean };
  const before = node.noDeprecation;
  // A package that it loads uses Node's old punycode, which nobody here can change.
  node.noDeprecation = true;
  try {
    const nodeplotlib = await import("nodeplotlib");
    for (const figure of figures) {
      // Its types are those of Plotly 1.54 and older than what its page draws.
      const { data, layout } = structuredClone(figure) as unknown as { data: never[]; layout: Record<string, never> };
      nodeplotlib.plot(data, layout);
    }
  } finally {
    node.noDeprecation = before ?? false;
  }
}
