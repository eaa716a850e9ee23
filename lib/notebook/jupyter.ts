/**
 * Jupyter's display protocol as the Deno kernel defines it: an object with a method under `Symbol.for("Jupyter.display")`
 * is shown as what the method returns, an object from MIME types to contents. Outside a kernel such objects are inert.
 *
 * @module
 */

/** The key of the method that the Deno kernel calls to show an object. */
export const DISPLAY: unique symbol = Symbol.for("Jupyter.display") as typeof DISPLAY;

/** One output in several forms; the reader's program takes the richest that it knows. */
export type MimeBundle = Readonly<Record<string, unknown>>;

/** An object that a notebook shows when it is the last value of a cell. */
export interface Displayable {
  /** All its forms; `text/plain` is always among them. */
  readonly mime: MimeBundle;
  /** What the kernel calls. */
  readonly [DISPLAY]: () => MimeBundle;
}

/** Makes an object that shows itself as the given forms. */
export function displayable(mime: MimeBundle): Displayable {
  const shown = { [DISPLAY]: () => mime } as { mime: MimeBundle; [DISPLAY]: () => MimeBundle };
  // Not enumerable: printing the object outside a notebook shall not print an embedded picture.
  Object.defineProperty(shown, "mime", { value: mime, enumerable: false });
  Object.defineProperty(shown, Symbol.for("Deno.customInspect"), {
    value: () => String(mime["text/plain"] ?? ""),
    enumerable: false,
  });
  return shown;
}

/** The part of `Deno.jupyter` that we use. */
export interface JupyterKernel {
  /** Sends a message on the kernel's public channel. */
  broadcast(
    type: string,
    content: Readonly<Record<string, unknown>>,
    extra?: { readonly metadata?: Readonly<Record<string, unknown>> },
  ): Promise<void>;
}

/** The kernel that this code runs in, or nothing outside a notebook. */
export function kernel(): JupyterKernel | undefined {
  try {
    // The getter throws outside `deno jupyter`.
    return (Deno as unknown as { jupyter?: JupyterKernel }).jupyter;
  } catch {
    return undefined;
  }
}

/**
 * Shows several objects one under the other, from anywhere in a cell; outside a notebook their plain text is printed.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const shown = displayable({ "text/plain": "two lines" });
 * assert.equal(shown[DISPLAY]()["text/plain"], "two lines");
 * await display(shown);
 * ```
 */
export async function display(...objects: readonly Displayable[]): Promise<void> {
  const here = kernel();
  for (const { mime } of objects) {
    if (here) await here.broadcast("display_data", { data: mime, metadata: {}, transient: {} });
    else console.log(String(mime["text/plain"] ?? ""));
  }
}

/** Text for HTML: the five special characters escaped. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c] ?? "&#39;");
}
