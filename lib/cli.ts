/**
 * The command line: `deno task <command>`. Commands live in `commands/`, one file each, loaded when they run.
 *
 * Exit codes: 0 done, 1 found something wrong (or part of a batch failed), 2 misuse or unusable input.
 *
 * @module
 */

import { Command, CommanderError, Option } from "commander";
import process from "node:process";
import { SerlabError } from "./errors.ts";

const backend = (): Option =>
  new Option("--backend <name>", "compute with this backend, or fail").choices(["native", "webgpu", "wasm"]);

const whole = (name: string) => (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new CommanderError(2, "serlab.number", `error: ${name} takes a whole number of 1 or more, not ${text}`);
  }
  return value;
};

const share = (name: string) => (text: string): number => {
  const value = Number(text);
  if (!(value > 0 && value <= 1)) {
    throw new CommanderError(2, "serlab.share", `error: ${name} takes a number above 0 and up to 1, not ${text}`);
  }
  return value;
};

const seconds = (text: string): number => {
  const value = Number(text);
  if (!(value > 0 && value <= 3600)) {
    throw new CommanderError(2, "serlab.number", `error: a number of seconds is above 0 and up to 3600, not ${text}`);
  }
  return value;
};

const port = (text: string): number => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) {
    throw new CommanderError(2, "serlab.number", `error: --port takes a number from 0 to 65535, not ${text}`);
  }
  return value;
};

function program(): Command {
  const serlab = new Command("serlab")
    .description("A reproducibility lab for speech emotion recognition.")
    .usage("<command> [options]   (as: deno task <command> [options])")
    .showHelpAfterError("(--help says what there is)")
    .exitOverride();

  serlab.command("setup")
    .description(
      "install the engine and the parts that tests and notebooks need; says what it found and what it could not",
    )
    .option("--engine", "the engine alone")
    .option("--quiet", "say only what was done or is missing")
    .option("--json", "one JSON object")
    .action(async (options) => (await import("./commands/setup.ts")).setupCommand(options));

  serlab.command("doctor")
    .description("versions, backends and their speed, corpora, what is missing and how to get it")
    .option("--corpora <dir>", "folder to look for corpora in", "data")
    .option("--json", "one JSON object")
    .action(async (options) => (await import("./commands/doctor.ts")).doctorCommand(options));

  serlab.command("demo")
    .description("the whole way on a synthetic corpus: features, training, evaluation by speaker, bundle, prediction")
    .option("--out <dir>", "where results and bundle go", "data/demo")
    .option("--seed <n>", "seed of corpus and training", (text) => Number(text), 0)
    .addOption(backend())
    .action(async (options) => (await import("./commands/demo.ts")).demoCommand(options));

  serlab.command("study")
    .description("run a study and write its run records; what is already there is kept")
    .argument("<id>", "number of the study, such as 000")
    .option("--variant <name>", "a variant, a group of variants (such as ablation), or all; default: those of no group")
    .option("--protocol <name>", "a protocol, ladder for all its rungs, or all; default: as-published and clean")
    .option("--seeds <n>", "how many seeds, from 0", whole("--seeds"))
    .option("--seed <n>", "this seed alone", (text) => Number(text))
    .option("--fold <n>", "this fold alone, from 0; kept until the others are there", (text) => Number(text))
    .option("--weights <file>", "weight file for a variant that starts from one")
    .option("--write-split <file>", "write the split for lint-split, and run nothing")
    .option("--no-cache", "keep no features on disk")
    .option("--corpora <dir>", "folder with the corpora, at any depth", "data")
    .option("--epochs <n>", "fewer epochs than the study's (recorded)", whole("--epochs"))
    .option("--fraction <share>", "a share of the recordings, stratified (recorded)", share("--fraction"))
    .option("--out <dir>", "where run records and bundles go", "results")
    .option("--allow-incomplete", "go on when recordings are missing or others lie there (recorded)")
    .addOption(new Option("--resume", "go on where a run was stopped: the default").conflicts("fresh"))
    .option("--fresh", "run again what is already there")
    .option("--mlflow <url>", "log runs to an MLflow server, such as http://127.0.0.1:5000")
    .option("--tensorboard <dir>", "log runs as TensorBoard's event files")
    .addOption(backend())
    .action(async (id, options) => (await import("./commands/study.ts")).studyCommand(id, options));

  serlab.command("bundle")
    .description("make a study's bundle, calibrated and measured: what it is worth, what faults of a recording cost")
    .argument("<id>", "number of the study, such as 004")
    .requiredOption("--variant <name>", "the variant")
    .option("--protocol <name>", "how it is trained and tested", "clean")
    .option("--seed <n>", "seed", (text) => Number(text), 0)
    .option("--corpora <dir>", "folder with the corpora, at any depth", "data")
    .option("--elsewhere <corpus...>", "corpora to try it on that it was not trained on")
    .option("--target <share>", "accuracy wanted on the answers that are given", share("--target"), 0.7)
    .option("--epochs <n>", "fewer epochs than the study's", whole("--epochs"))
    .option("--to <path>", "where the bundle goes: a folder, or a .serlab file; default: <out>/bundles/<name>")
    .option("--out <dir>", "folder of the run records", "results")
    .option("--allow-incomplete", "go on when recordings are missing or others lie there")
    .addOption(backend())
    .action(async (id, options) => (await import("./commands/bundle.ts")).bundleCommand(id, options));

  serlab.command("sweep")
    .description(
      "search hyper-parameters of a study, scored on validation rows alone; goes on where it stopped. " +
        "`sweep status` says where the sweeps stand",
    )
    .argument("<id>", "number of the study, such as 004; or status")
    .option("--method <name>", "grid, random, halving or tpe", "halving")
    .option("--protocol <name>", "protocol that draws the folds", "clean")
    .option("--trials <n>", "configurations in every outer fold; of a grid all", whole("--trials"))
    .option("--epochs <n>", "most epochs of a trial; default the study's", whole("--epochs"))
    .option("--workers <n>", "local worker processes", whole("--workers"), 1)
    .option("--threads <n>", "threads of each trial, whatever the number of workers (recorded)", whole("--threads"), 1)
    .option("--set <name=values...>", "values to choose from instead, such as --set rate=0.001,0.005")
    .option("--seed <n>", "seed of the split and of what is drawn", (text) => Number(text), 0)
    .option("--time-limit <seconds>", "a trial that takes longer fails", (text) => Number(text), 3600)
    .option("--redis <url>", "give the trials to a queue that `worker` takes from, on any machine")
    .option("--mlflow <url>", "log trials to an MLflow server, such as http://127.0.0.1:5000")
    .option("--tensorboard <dir>", "log trials as TensorBoard's event files")
    .option("--unseal", "test what was chosen, once, beside the study's own configuration")
    .option("--corpora <dir>", "folder with the corpora, at any depth", "data")
    .option("--fraction <share>", "a share of the recordings, stratified (recorded)", share("--fraction"))
    .option("--weights <file>", "weight file for a variant that starts from one")
    .option("--out <dir>", "where sweeps/ goes", "results")
    .option("--allow-incomplete", "go on when recordings are missing or others lie there")
    .option("--no-cache", "keep no features on disk")
    .option("--fresh", "forget the trials that are there")
    .option("--json", "one JSON object (of status: one a line)")
    .action(async (id, options) => {
      const { sweepCommand, sweepStatusCommand } = await import("./commands/sweep.ts");
      if (id === "status") sweepStatusCommand(options);
      else await sweepCommand(id, options);
    });

  serlab.command("worker")
    .description("take trials of sweeps from a queue (sweep --redis), on any machine")
    .requiredOption(
      "--redis <url>",
      "the queue's server: redis://host:6379, rediss:// for TLS; see docs/distributed.md",
    )
    .option("--corpora <dir>", "folder with the corpora; must hold the sweep's very recordings", "data")
    .option("--workers <n>", "trials at the same time", whole("--workers"), 1)
    .option("--idle <seconds>", "end after so long without a trial; default never", (text) => Number(text))
    .option("--lock <seconds>", "a worker that is silent for so long has lost its trial", (text) => Number(text), 30)
    .option("--losses <n>", "a trial that loses so many workers fails", whole("--losses"), 2)
    .option("--checkpoints <dir>", "folder where halving's trials go on from; default a temporary one")
    .option("--weights <file>", "weight file for a variant that starts from one")
    .option("--out <dir>", "folder of results, for weights to start from", "results")
    .option("--no-cache", "keep no features on disk")
    .action(async (options) => (await import("./commands/worker.ts")).workerCommand(options));

  serlab.command("predict")
    .description("predict the emotion of recordings with a bundle: one line a file, or a window, or of the microphone")
    .argument("<bundle>", "the bundle: a folder or a .serlab file")
    .argument("[file...]", "audio files of any kind, folders (audio is told by content), - for standard input")
    .option("--json", "one JSON object a line")
    .option("--csv", "comma-separated values with a header")
    .option("--windows [seconds]", "a long recording window by window; default: as long as the training's", seconds)
    .option("--hop <seconds>", "from one window to the next; default: half a window", seconds)
    .option("--figure <file>", "the probabilities over time of one recording as .svg or .html")
    .option("--watch", "listen to the microphone (with arecord, ffmpeg or sox) until Ctrl-C")
    .option("--device <name>", "the microphone for --watch, as the recording program names it")
    .option(
      "--workers <n>",
      "answer files with so many workers; default: one a core for many files",
      whole("--workers"),
    )
    .addOption(backend())
    .action(async (bundle, files, options) =>
      (await import("./commands/predict.ts")).predictCommand(bundle, files, options)
    );

  const model = (): Option =>
    new Option("--model <bundle>", "bundle to offer, may be given again; default: study 004's").argParser(
      (path: string, before: readonly string[] | undefined) => [...before ?? [], path],
    );

  serlab.command("page")
    .description("build the page; with --out, everything that any web server needs to serve it")
    .addOption(model())
    .option("--out <dir>", "where the whole site goes")
    .option(
      "--app <dir>",
      "where the built page goes; hidden, so that its examples are not taken for a corpus",
      "data/.page",
    )
    .option("--results <dir>", "folder of the run records", "results")
    .option("--quiet", "say nothing when only the page is built")
    .action(async (options) => (await import("./commands/page.ts")).pageCommand(options));

  serlab.command("serve")
    .description("serve the page; all computing happens in the visitor's browser")
    .addOption(model())
    .option("--port <n>", "port; 0 takes a free one", port, 8000)
    .option("--host <address>", "address to listen on; other than loopback, others can reach it", "127.0.0.1")
    .option("--api", "answer POST /predict too, for machines")
    .option("--app <dir>", "folder of the built page", "data/.page")
    .option("--results <dir>", "folder of the run records", "results")
    .action(async (options) => (await import("./commands/serve.ts")).serveCommand(options));

  const data = serlab.command("data").description("corpora: list, get, check, index");
  data.command("list")
    .description("the corpora, their licences, and what of them is here")
    .option("--corpora <dir>", "folder to look in", "data")
    .option("--json", "one JSON object a line")
    .action(async (options) => (await import("./commands/data.ts")).dataListCommand(options));
  data.command("get")
    .description("download a corpus, or say how to get it")
    .argument("<name>", "identifier of the corpus, such as ravdess")
    .option("--to <dir>", "folder of the corpora", "data")
    .addOption(new Option("--channel <name>", "which recordings").choices(["speech", "song", "all"]).default("speech"))
    .option("--keep-archive", "keep the downloaded archive")
    .action(async (name, options) => (await import("./commands/data.ts")).dataGetCommand(name, options));
  data.command("check")
    .description("check a folder against expected counts and hashes; exit code 1 when something is wrong")
    .argument("<dir>", "the folder")
    .option("--json", "one JSON object")
    .action(async (dir, options) => (await import("./commands/data.ts")).dataCheckCommand(dir, options));
  data.command("index")
    .description("write the manifest of the corpora under a folder")
    .argument("<dir>", "the folder")
    .option("--corpus <name>", "only this corpus")
    .addOption(new Option("--channel <name>", "which recordings").choices(["speech", "song", "all"]).default("speech"))
    .option("--out <file>", "where the manifest goes; default: data/manifests/<corpora>.jsonl")
    .option("--allow-incomplete", "go on when recordings are missing or others lie there")
    .action(async (dir, options) => (await import("./commands/data.ts")).dataIndexCommand(dir, options));

  serlab.command("features")
    .description("extract a recipe's features, one .npy a file")
    .argument("[file...]", "audio files")
    .option("--recipe <name>", "the recipe; --list names them")
    .option("--out <dir>", "where the .npy files go")
    .option("--list", "name the recipes")
    .option("--json", "one JSON object a line")
    .action(async (files, options) => (await import("./commands/features.ts")).featuresCommand(files, options));

  serlab.command("report")
    .description("regenerate results/README.md and the figures from the run records")
    .option("--out <dir>", "folder of the run records", "results")
    .option("--check", "write nothing; exit code 1 when the files are not what the records give")
    .action(async (options) => (await import("./commands/report.ts")).reportCommand(options));

  serlab.command("lint-split")
    .description("find leakage in a split: a CSV or JSONL manifest with key, path, split, label")
    .argument("<manifest>", "the file")
    .option("--audio <dir>", "folder that the paths start from: hear the audio too, for identical and near copies")
    .option("--json", "one JSON object")
    .action(async (file, options) => (await import("./commands/lint_split.ts")).lintSplitCommand(file, options));

  serlab.command("notebooks")
    .description("execute every notebook headless")
    .argument("[notebook...]", "notebooks; default: all of notebooks/")
    .option("--write", "store the outputs in the notebooks")
    .option("--corpora <dir>", "folder with real corpora; default: synthetic audio")
    .option("--seed <n>", "seed", (text) => Number(text))
    .action(async (files, options) => (await import("./commands/notebooks.ts")).notebooksCommand(files, options));

  serlab.command("lab")
    .description("open JupyterLab with the Deno kernel")
    .action(async () => (await import("./commands/notebooks.ts")).labCommand());

  return serlab;
}

async function main(args: readonly string[]): Promise<number> {
  try {
    const code = await program().parseAsync(args as string[], { from: "user" });
    void code;
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.code === "serlab.number" || error.code === "serlab.share") console.error(error.message);
      return error.exitCode === 0 ? 0 : 2;
    }
    if (error instanceof SerlabError) {
      console.error(`serlab: ${error.message}`);
      return error.exitCode;
    }
    throw error;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
