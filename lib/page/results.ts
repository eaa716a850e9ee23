/**
 * The third view: the results of results/ as a table that can be sorted and filtered.
 *
 * @module
 */

/// <reference lib="dom" />

import { PageError } from "./client.ts";
import { byId, el, showError, svg } from "./dom.ts";
import type { ResultRow, ResultsTable } from "./results_types.ts";

const points = (share: number): string => (100 * share).toFixed(1);
const percent = (share: number): string => `${points(share)} %`;

interface Column {
  readonly name: string;
  readonly key: (row: ResultRow) => string | number;
  readonly numeric?: true;
  readonly cell: (row: ResultRow) => Node | string;
}

/** Accuracy, its interval and the claim on one line from 0 to 100 %. */
function strip({ accuracy, interval, claim }: ResultRow): SVGSVGElement {
  const x = (share: number): number => 2 + 136 * share;
  return svg(
    "svg",
    { class: "strip", viewBox: "0 0 140 20", width: 112, height: 20, "aria-hidden": "true" },
    svg("line", { class: "strip-axis", x1: 2, x2: 138, y1: 10, y2: 10 }),
    interval && svg("line", { class: "strip-interval", x1: x(interval[0]), x2: x(interval[1]), y1: 10, y2: 10 }),
    claim && svg("path", {
      class: "strip-claim",
      d: `M${x(claim.accuracy)} 3v14`,
    }),
    svg("circle", { class: "strip-dot", cx: x(accuracy), cy: 10, r: 4 }),
  );
}

/** The protocol as a pill; on narrow screens it stands below the variant. */
function protocolOf({ protocol, bySpeaker }: ResultRow, kind: string): HTMLElement {
  return el("span", { class: `${kind} ${bySpeaker ? "clean" : "leaky"}` }, protocol);
}

const COLUMNS: readonly Column[] = [
  {
    name: "Study, variant",
    key: (row) => `${row.study} ${row.variant}`,
    cell: (row) =>
      el("span", {}, el("span", { class: "study" }, row.study), row.variant, protocolOf(row, "protocol narrow")),
  },
  {
    name: "Protocol",
    key: (row) => row.order,
    cell: (row) => protocolOf(row, "protocol"),
  },
  {
    name: "Accuracy",
    key: (row) => row.accuracy,
    numeric: true,
    cell: (row) => {
      const value = row.sd === null ? percent(row.accuracy) : `${points(row.accuracy)} ± ${percent(row.sd)}`;
      const notes = [row.failed ? "training failed" : null, row.less === null ? null : `on ${row.less}`]
        .filter((note) => note !== null).join(", ");
      const mark = notes === "" ? "" : el("span", { class: "row-note" }, notes);
      return el("span", {}, row.failed ? value : el("strong", {}, value), mark);
    },
  },
  { name: "0 to 100 %", key: (row) => row.accuracy, cell: strip },
  {
    name: "95 % interval",
    key: (row) => row.interval?.[0] ?? -1,
    numeric: true,
    cell: (row) => row.interval ? `${points(row.interval[0])} to ${percent(row.interval[1])}` : "–",
  },
  {
    name: "Claimed",
    key: (row) => row.claim?.accuracy ?? -1,
    numeric: true,
    cell: (row) =>
      row.claim ? `${percent(row.claim.accuracy)}, n ${row.claim.n}${row.claim.of ? ` (${row.claim.of})` : ""}` : "–",
  },
  { name: "UAR", key: (row) => row.uar, numeric: true, cell: (row) => percent(row.uar) },
  { name: "Clips", key: (row) => row.clips, numeric: true, cell: (row) => String(row.clips) },
  { name: "Speakers", key: (row) => row.speakers, numeric: true, cell: (row) => String(row.speakers) },
  { name: "Seeds", key: (row) => row.seeds, numeric: true, cell: (row) => String(row.seeds) },
];

/** The third view. */
export class ResultsView {
  readonly #path: string;
  #table: ResultsTable | undefined;
  #loading = false;
  #sort: { column: number; down: boolean } | undefined;

  /**
   * Takes hold of the view.
   *
   * @param path Where the table lies.
   */
  constructor(path: string) {
    this.#path = path;
    const filters = byId("filters");
    filters.addEventListener("submit", (event) => event.preventDefault());
    filters.addEventListener("input", () => this.#draw());
  }

  /** Fetches the table when it is first looked at. */
  async show(): Promise<void> {
    if (this.#table || this.#loading) return;
    this.#loading = true;
    try {
      const response = await fetch(this.#path).catch(() => null);
      if (!response?.ok) throw new PageError("The results cannot be fetched: there is no connection.");
      this.#table = await response.json() as ResultsTable;
      const { rows, studies } = this.#table;
      const ordered = rows.toSorted((a, b) => a.order - b.order);
      for (const { id, title } of studies) {
        byId("filter-study").append(el("option", { value: id }, `${id}: ${title}`));
      }
      for (const protocol of new Set(ordered.map((row) => row.protocol))) {
        byId("filter-protocol").append(el("option", { value: protocol }, protocol));
      }
      this.#draw();
    } catch (error) {
      showError(error instanceof PageError ? error.message : "The results cannot be read.");
    } finally {
      this.#loading = false;
    }
  }

  #rows(): ResultRow[] {
    const study = byId<HTMLSelectElement>("filter-study").value;
    const protocol = byId<HTMLSelectElement>("filter-protocol").value;
    const words = byId<HTMLInputElement>("filter-text").value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = this.#table!.rows.filter((row) =>
      (!study || row.study === study) && (!protocol || row.protocol === protocol) &&
      words.every((word) => row.text.includes(word))
    );
    const sort = this.#sort;
    if (!sort) return rows;
    const { key } = COLUMNS[sort.column]!;
    return rows.toSorted((a, b) => {
      const x = key(a), y = key(b);
      return (x < y ? -1 : x > y ? 1 : 0) * (sort.down ? -1 : 1);
    });
  }

  #draw(): void {
    if (!this.#table) return;
    const rows = this.#rows();
    byId("results-count").textContent = `${rows.length} of ${this.#table.rows.length} rows`;
    const focused = document.activeElement instanceof HTMLElement
      ? document.activeElement.dataset["column"]
      : undefined;
    const heads = COLUMNS.map(({ name, numeric }, column) => {
      const state = this.#sort?.column === column ? (this.#sort.down ? "descending" : "ascending") : "none";
      const button = el(
        "button",
        { type: "button", "data-column": column },
        name,
        el("span", { class: "arrow", "aria-hidden": "true" }),
      );
      button.addEventListener("click", () => {
        this.#sort = this.#sort?.column === column
          ? { column, down: !this.#sort.down }
          : { column, down: numeric === true };
        this.#draw();
      });
      return el("th", { scope: "col", "aria-sort": state, class: numeric && "number" }, button);
    });
    const body = rows.map((row) =>
      el(
        "tr",
        {},
        ...COLUMNS.map(({ cell, numeric }, i) =>
          el(i === 0 ? "th" : "td", { class: numeric && "number", scope: i === 0 && "row" }, cell(row))
        ),
      )
    );
    byId("results-table").replaceChildren(
      el("caption", { class: "visually-hidden" }, "Accuracy of every variant under every protocol; the heads sort"),
      el("thead", {}, el("tr", {}, ...heads)),
      el("tbody", {}, ...body),
    );
    if (focused !== undefined) {
      byId("results-table").querySelector<HTMLElement>(`[data-column="${focused}"]`)?.focus();
    }
    const chosen = byId<HTMLSelectElement>("filter-study").value;
    byId("results-notes").replaceChildren(
      ...this.#table.studies.filter(({ id, why }) => why && (!chosen || id === chosen)).map((
        { id, title, source, claims, flaw, why },
      ) =>
        el(
          "article",
          { class: "note" },
          el("h2", {}, `${id}: ${title}`),
          el("p", { class: "hint" }, `Published in ${source}.`),
          ...claims.map((claim) => el("p", { class: "hint" }, claim)),
          el("p", {}, flaw),
          el("p", {}, why),
        )
      ),
    );
  }
}
