/**
 * Executes notebooks headless on the Deno kernel, and opens JupyterLab: nbclient and JupyterLab from the project's
 * virtual environments, with a kernelspec of our own.
 *
 * @module
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { FormatError, SerlabError } from "../errors.ts";
import { readFileOr, systemReason, writeFileAtomic } from "../io.ts";
import { ensureTool } from "../setup/tools.ts";
import { escapeHtml } from "./jupyter.ts";
import { PLOTLY_MIME } from "./show.ts";

/** Folder of this checkout. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A notebook that could not be executed to its end. */
export class NotebookError extends SerlabError {
  /** Name of the class, which survives minification. */
  override name = "NotebookError";
  /** The notebook was found wrong. */
  override readonly exitCode: number = 1;
}

/** An output of a cell, as nbformat 4 defines it. */
export interface CellOutput {
  /** `display_data`, `execute_result`, `stream` or `error`. */
  readonly output_type: string;
  /** The forms of a display. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** `stdout` or `stderr`, of a stream. */
  readonly name?: string;
  /** The text of a stream. */
  readonly text?: string | readonly string[];
  /** Which execution made it. */
  readonly execution_count?: number | null;
}

/** A cell, as nbformat 4 defines it. */
export interface NotebookCell {
  /** Identifier within the notebook. */
  readonly id?: string;
  /** `markdown`, `code` or `raw`. */
  readonly cell_type: string;
  /** Text, whole or by lines. */
  readonly source: string | readonly string[];
  /** What it showed. */
  readonly outputs?: readonly CellOutput[];
  /** When it was run. */
  readonly execution_count?: number | null;
}

/** A notebook, as nbformat 4 defines it. */
export interface Notebook {
  /** Cells from top to bottom. */
  readonly cells: readonly NotebookCell[];
  /** Kernel and language. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** 4. */
  readonly nbformat: number;
  /** 5. */
  readonly nbformat_minor: number;
}

/** How a notebook is executed. */
export interface ExecuteOptions {
  /** Whether the outputs are stored in the file. */
  readonly write?: boolean;
  /** Variables for the kernel, for example the notebook's parameters. */
  readonly env?: Readonly<Record<string, string>>;
  /** Longest time of one cell in seconds (default 300). */
  readonly timeoutSec?: number;
}

/** A notebook that was executed. */
export interface ExecutedNotebook {
  /** Its file. */
  readonly path: string;
  /** It, with outputs. */
  readonly notebook: Notebook;
  /** How long that took, from the start of the kernel to its end, in seconds. */
  readonly seconds: number;
}

/** Text of a cell's or stream's lines. */
export function joined(text: string | readonly string[] | undefined): string {
  return typeof text === "string" ? text : (text ?? []).join("");
}

/**
 * Writes the project's kernelspec and returns the folder that `JUPYTER_PATH` must name.
 *
 * It starts the very Deno that runs now, so that none need be on PATH, by way of `kernel.ts`, which makes interrupts
 * work, and asks for them by message: Deno's own kernelspec leaves that out, and a signal would end the kernel.
 */
export function writeKernelspec(): string {
  const folder = join(ROOT, ".cache", "jupyter");
  const path = join(folder, "kernels", "deno", "kernel.json");
  const spec = JSON.stringify({
    argv: [
      Deno.execPath(),
      "run",
      "--quiet",
      "--no-config",
      "--no-lock",
      "--allow-all",
      fileURLToPath(new URL("kernel.ts", import.meta.url)),
      "{connection_file}",
    ],
    display_name: "Deno",
    language: "typescript",
    interrupt_mode: "message",
  });
  let before = "";
  try {
    before = readFileSync(path, "utf8");
  } catch { /* not written yet */ }
  if (before !== spec) writeFileAtomic(path, spec);
  return folder;
}

/** The notebooks of this checkout, in order. */
export function notebookFiles(): string[] {
  const folder = join(ROOT, "notebooks");
  return readdirSync(folder).filter((name) => name.endsWith(".ipynb")).sort().map((name) => join(folder, name));
}

/**
 * Runs a notebook with nbclient. The Deno kernel (2.9.6) may send a cell's result after it said that it is idle, and
 * nbclient drops what comes then: some outputs would be missing, others each time. So after every cell a mark is sent the
 * same ways as outputs are, and what arrives before it belongs to the cell.
 */
const SCRIPT = String.raw`
import json, sys, nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete, CellExecutionError, CellTimeoutError, DeadKernelError
from nbclient.util import ensure_async

MARK = "serlab-end-of-cell"
MARKER = (
    'console.log("' + MARK + '"); await Deno.jupyter.broadcast("display_data", '
    '{ data: { "text/plain": "' + MARK + '" }, metadata: {}, transient: {} });'
)

class Client(NotebookClient):
    async def async_execute_cell(self, cell, cell_index, execution_count=None, store_history=True):
        result = await super().async_execute_cell(cell, cell_index, execution_count, store_history)
        if cell.cell_type == "code" and cell.source.strip():
            await self.drain(cell, cell_index)
        return result

    async def drain(self, cell, cell_index):
        count = cell.execution_count
        mark = await ensure_async(self.kc.execute(MARKER, store_history=False, allow_stdin=False))
        waiting = {"stream", "display_data", "idle"}
        while waiting:
            message = await ensure_async(self.kc.iopub_channel.get_msg(timeout=30))
            kind, content = message["msg_type"], message["content"]
            own = message["parent_header"].get("msg_id") == mark
            if kind == "status":
                if own and content["execution_state"] == "idle":
                    waiting.discard("idle")
                continue
            if kind == "stream" and MARK in content["text"]:
                waiting.discard("stream")
                content["text"] = content["text"].replace(MARK + "\n", "")
                if content["text"] == "":
                    continue
            if kind == "display_data" and content["data"].get("text/plain") == MARK:
                waiting.discard("display_data")
                continue
            if kind == "execute_input":
                continue
            try:
                self.process_message(message, cell, cell_index)
            except CellExecutionComplete:
                pass
        while (await ensure_async(self.kc.shell_channel.get_msg(timeout=30)))["parent_header"].get("msg_id") != mark:
            pass
        cell.execution_count = count

source, target, folder, timeout = sys.argv[1:5]
notebook = nbformat.read(source, as_version=4)
client = Client(notebook, timeout=float(timeout), kernel_name="deno", record_timing=False,
                resources={"metadata": {"path": folder}})
problem = None
try:
    client.execute()
except CellExecutionError as e:
    problem = f"{e.ename}: {e.evalue}"
except CellTimeoutError:
    problem = f"it took longer than {timeout} s"
except DeadKernelError:
    problem = "the kernel died"
nbformat.write(notebook, target)
print(json.dumps({"problem": problem, "executed": client.code_cells_executed}))
`;

function childEnvironment(jupyterPath: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    // Plain text in stored outputs, no settings of the reader's own Jupyter, no reminders to update Deno.
    NO_COLOR: "1",
    JUPYTER_NO_CONFIG: "1",
    DENO_NO_UPDATE_CHECK: "1",
    ...more,
    JUPYTER_PATH: jupyterPath,
  };
}

/**
 * Executes a notebook from top to bottom in a fresh kernel whose folder is the notebook's.
 *
 * @param path The notebook.
 * @throws {NotebookError} when Jupyter is not there, when a cell fails (it says which, and how), or when outputs that
 * are to be stored name a folder of this machine.
 * @throws {FormatError} when the file is not a notebook.
 */
export async function executeNotebook(path: string, options: ExecuteOptions = {}): Promise<ExecutedNotebook> {
  const jupyter = await ensureTool("jupyter", { install: false });
  if (!jupyter.available) {
    throw new NotebookError(`${path}: cannot be executed, ${jupyter.reason}; ${jupyter.howToGet}.`);
  }
  parseNotebook(path);
  const started = performance.now();
  const folder = mkdtempSync(join(tmpdir(), "serlab-notebook-"));
  try {
    const target = join(folder, "executed.ipynb");
    const absolute = resolve(path);
    const child = await new Deno.Command(jupyter.path, {
      args: ["-c", SCRIPT, absolute, target, dirname(absolute), String(options.timeoutSec ?? 300)],
      env: childEnvironment(writeKernelspec(), options.env),
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    if (child.code !== 0) {
      const reason = decoder.decode(child.stderr).trim().split("\n").at(-1) ?? "";
      throw new NotebookError(`${path}: cannot be executed, ${reason || `Jupyter ended with ${child.code}`}.`);
    }
    const { problem, executed } = JSON.parse(decoder.decode(child.stdout).trim().split("\n").at(-1)!) as {
      problem: string | null;
      executed: number;
    };
    if (problem !== null) {
      throw new NotebookError(`${path}: code cell ${executed} failed, ${problem.split("\n")[0]!.replace(/\.$/, "")}.`);
    }
    const notebook = tidy(parseNotebook(target));
    if (options.write) writeNotebook(path, notebook);
    return { path, notebook, seconds: (performance.now() - started) / 1000 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function parseNotebook(path: string): Notebook {
  const text = new TextDecoder().decode(readFileOr(path, FormatError));
  let notebook: Notebook;
  try {
    notebook = JSON.parse(text) as Notebook;
  } catch (error) {
    throw new FormatError(`${path}: is not a notebook, it is not JSON.`, { cause: error });
  }
  if (notebook?.nbformat !== 4 || !Array.isArray(notebook.cells)) {
    throw new FormatError(`${path}: is not a notebook of format 4.`);
  }
  return notebook;
}

/** What does not depend on the run: the kernel's name instead of this machine's, no bars of work that is over. */
function tidy(notebook: Notebook): Notebook {
  const isOver = ({ output_type, data }: CellOutput): boolean =>
    output_type === "display_data" && data !== undefined && joined(data["text/html"] as string | undefined) === "" &&
    joined(data["text/plain"] as string | undefined) === "" && Object.keys(data).length <= 2;
  return {
    cells: notebook.cells.map((cell) =>
      cell.outputs ? { ...cell, outputs: cell.outputs.filter((output) => !isOver(output)) } : cell
    ),
    metadata: {
      kernelspec: { display_name: "Deno", language: "typescript", name: "deno" },
      language_info: { file_extension: ".ts", mimetype: "text/x.typescript", name: "typescript" },
    },
    nbformat: 4,
    nbformat_minor: 5,
  };
}

function writeNotebook(path: string, notebook: Notebook): void {
  for (const [i, cell] of notebook.cells.entries()) {
    // Embedded sound and pictures may spell anything.
    const text = JSON.stringify(cell.outputs ?? []).replace(/base64,[A-Za-z0-9+/=]+/g, "");
    const named = [ROOT.replace(/[/\\]$/, ""), homedir(), tmpdir()].find((folder) =>
      folder.length > 1 && new RegExp(`${folder.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}(?=[/\\\\"'\\s:])`).test(text)
    );
    if (named !== undefined) {
      throw new NotebookError(`${path}: is not stored, an output of cell ${i + 1} names the folder ${named}.`);
    }
  }
  writeFileAtomic(path, `${serialize(notebook)}\n`);
}

/** JSON as Jupyter writes it, one line a value, but figures on one line each: they are not for reading. */
function serialize(notebook: Notebook): string {
  const figures: string[] = [];
  const text = JSON.stringify(
    notebook,
    (key, value) => key === PLOTLY_MIME ? `@figure ${figures.push(JSON.stringify(value)) - 1}@` : value,
    1,
  );
  return text.replace(/"@figure (\d+)@"/g, (_, i: string) => figures[Number(i)]!);
}

/**
 * A notebook with its outputs as one page of HTML that needs no network, made by nbconvert: pictures shrink to the width
 * of the screen and say what they show.
 *
 * @throws {NotebookError} when Jupyter is not there or cannot convert it.
 */
export async function notebookHtml(path: string): Promise<string> {
  const jupyter = await ensureTool("jupyter", { install: false });
  if (!jupyter.available) {
    throw new NotebookError(`${path}: cannot be converted, ${jupyter.reason}; ${jupyter.howToGet}.`);
  }
  const folder = mkdtempSync(join(tmpdir(), "serlab-notebook-"));
  try {
    const network = ["--HTMLExporter.require_js_url=", "--HTMLExporter.mathjax_url=", "--HTMLExporter.mermaid_js_url="];
    const child = await new Deno.Command(jupyter.path, {
      args: ["-m", "nbconvert", "--to", "html", ...network, "--output-dir", folder, "--output", "page", resolve(path)],
      env: { JUPYTER_NO_CONFIG: "1" },
      stdin: "null",
    }).output();
    if (child.code !== 0) {
      const reason = new TextDecoder().decode(child.stderr).trim().split("\n").at(-1);
      throw new NotebookError(`${path}: cannot be converted, ${reason || `nbconvert ended with ${child.code}`}.`);
    }
    const page = new TextDecoder().decode(readFileOr(join(folder, "page.html"), FormatError));
    const words = parseNotebook(path).cells.flatMap((cell) => cell.outputs ?? [])
      .filter((output) => output.data?.["image/svg+xml"] !== undefined)
      .map((output) => joined(output.data!["text/plain"] as string | string[] | undefined));
    let at = 0;
    return page
      .replace("</head>", "<style>.jp-RenderedSVG img { max-width: 100%; height: auto; }</style></head>")
      .replace(
        /<img(?: alt="[^"]*")? src="data:image\/svg\+xml/g,
        () => `<img alt="${escapeHtml(words[at++] ?? "")}" src="data:image/svg+xml`,
      );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How JupyterLab is opened. */
export interface LabOptions {
  /** Further arguments for JupyterLab, for example `--no-browser`. */
  readonly args?: readonly string[];
  /** Told what is being installed, one line each. */
  readonly log?: (line: string) => void;
}

/**
 * Opens JupyterLab on the notebooks with the kernel set up, and waits until it is closed. Installs it on first use.
 *
 * @returns its exit code.
 * @throws {NotebookError} when JupyterLab cannot be had or started.
 */
export async function openLab(options: LabOptions = {}): Promise<number> {
  const lab = await ensureTool("jupyterlab", { install: true, ...(options.log ? { log: options.log } : {}) });
  if (!lab.available) throw new NotebookError(`JupyterLab cannot be opened, ${lab.reason}; ${lab.howToGet}.`);
  const first = notebookFiles()[0];
  const settings = join(ROOT, ".cache", "jupyterlab");
  // No questions about news: a newcomer shall see the notebook.
  writeFileAtomic(
    join(settings, "overrides.json"),
    JSON.stringify({ "@jupyterlab/apputils-extension:notification": { fetchNews: "false" } }),
  );
  const open = first === undefined ? [] : [`--LabApp.default_url=/lab/tree/notebooks/${basename(first)}`];
  try {
    const child = new Deno.Command(lab.path, {
      args: [
        "-m",
        "jupyterlab",
        `--ServerApp.root_dir=${ROOT}`,
        "--LabApp.news_url=None",
        `--LabApp.app_settings_dir=${settings}`,
        ...open,
        ...(options.args ?? []),
      ],
      cwd: ROOT,
      env: { JUPYTER_PATH: writeKernelspec(), DENO_NO_UPDATE_CHECK: "1" },
    }).spawn();
    return (await child.status).code;
  } catch (error) {
    throw new NotebookError(`JupyterLab cannot be opened, ${systemReason(error)}.`, { cause: error });
  }
}
