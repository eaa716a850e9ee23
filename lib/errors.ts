/**
 * The errors that serlab throws for bad input: one sentence that names the file (or the value) and the rule it breaks.
 * The command line prints the sentence alone and exits with {@linkcode SerlabError.exitCode}; anything else that is
 * thrown is a defect of serlab and keeps its stack trace.
 *
 * @module
 */

/** Base class: bad input, said in one sentence. */
export class SerlabError extends Error {
  /** Exit code of a command that ends with this error: 1 found something wrong, 2 misuse or unusable input. */
  readonly exitCode: number = 2;
  /** Name of the class, which survives minification. */
  override name = "SerlabError";
}

/** A file that is not audio we can read, or audio that breaks a rule (truncated, empty, NaN samples, …). */
export class AudioError extends SerlabError {
  /** Name of the class, which survives minification. */
  override name = "AudioError";
  /** The file (or a name for the bytes) at fault. */
  readonly file: string;
  /** What is wrong with it, without the final full stop. */
  readonly rule: string;

  /**
   * Makes the sentence `<file>: <rule>.`
   *
   * @param file The file (or a name for the bytes) at fault.
   * @param rule What is wrong with it, without the final full stop.
   */
  constructor(file: string, rule: string, options?: ErrorOptions) {
    super(`${file}: ${rule}.`, options);
    this.file = file;
    this.rule = rule;
  }
}

/** A corpus folder or manifest that breaks a rule: missing, empty, an unknown file name, a changed file. */
export class CorpusError extends SerlabError {
  /** Name of the class, which survives minification. */
  override name = "CorpusError";
}

/** Wrong use of a command or a function: an unknown option, study, variant, protocol, recipe. */
export class UsageError extends SerlabError {
  /** Name of the class, which survives minification. */
  override name = "UsageError";
}

/** The engine asked for is not there, or could not be installed. */
export class EngineError extends SerlabError {
  /** Name of the class, which survives minification. */
  override name = "EngineError";
}

/** A file of ours (run record, manifest, bundle, checkpoint, cache) that cannot be read or does not fit. */
export class FormatError extends SerlabError {
  /** Name of the class, which survives minification. */
  override name = "FormatError";
}

/** A file or folder that cannot be written: disk full, no permission. */
export class WriteError extends SerlabError {
  /** Name of the class, which survives minification. */
  override name = "WriteError";
}
