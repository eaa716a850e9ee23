/**
 * What notebooks use: figures, tables, players and progress by Jupyter's display protocol, and the corpus to work on.
 * Everything works outside a notebook too: the objects are returned, and nothing is shown.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * assert.match(String(table([{ a: 1 }]).mime["text/html"]), /<table/);
 * ```
 *
 * @module
 */

export { type NotebookCorpus, openCorpus, type OpenCorpusOptions, surveyAudio, type SurveyedRow } from "./corpus.ts";
export { concat, DataFrame, merge, Series } from "./frames.ts";
export {
  DISPLAY,
  display,
  type Displayable,
  displayable,
  type JupyterKernel,
  kernel,
  type MimeBundle,
} from "./jupyter.ts";
export { type LabelledWave, player, type PlayerOptions, players } from "./player.ts";
export { type Progress, progress, type ProgressOptions, track } from "./progress.ts";
export { plot, PLOTLY_MIME, show } from "./show.ts";
export { type FrameLike, table, type TableOptions } from "./table.ts";
