/**
 * Small helpers for building the page: elements from text only, so that nothing a file name says becomes markup.
 *
 * @module
 */

/// <reference lib="dom" />

/** Attributes of an element; `null`, `undefined` and `false` leave it out, `true` sets it empty. */
export type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** What may stand in an element. */
export type Child = Node | string | null | undefined | false;

function fill<E extends Element>(element: E, attributes: Attributes, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children) if (child) element.append(child);
  return element;
}

/** Makes an HTML element. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

/** Makes an SVG element. */
export function svg<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: readonly Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/**
 * The element with that id.
 *
 * @throws {TypeError} when the page has none, which is a defect of the page.
 */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const found = document.getElementById(id);
  if (!found) throw new TypeError(`The page has no element #${id}.`);
  return found as E;
}

/** Says something in the polite live region. */
export function announce(text: string): void {
  byId("status").textContent = text;
}

/** Says what went wrong, where everybody sees and hears it. */
export function showError(text: string): void {
  byId("error-text").textContent = text;
  byId("error").hidden = false;
}

/** Takes the last error away. */
export function clearError(): void {
  byId("error").hidden = true;
  byId("error-text").textContent = "";
}

/** A variable of the style sheet, which follows light and dark. */
export function styleOf(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** A canvas's context, its size set to the element's on this screen; drawing is in CSS pixels. */
export function fitCanvas(canvas: HTMLCanvasElement): {
  readonly context: CanvasRenderingContext2D;
  readonly width: number;
  readonly height: number;
} {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = Math.min(3, globalThis.devicePixelRatio || 1);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d")!;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}
