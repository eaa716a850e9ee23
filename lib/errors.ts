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
  override name = "AudioError";
  /**
   * @param file The file (or a name for the bytes) at fault.
   * @param rule What is wrong with it, without the final full stop.
   */
  constructor(readonly file: string, readonly rule: string, options?: ErrorOptions) {
    super(`${file}: ${rule}.`, options);
  }
}

/** A corpus folder or manifest that breaks a rule: missing, empty, an unknown file name, a changed file. */
export class CorpusError extends SerlabError {
  override name = "CorpusError";
}

/** Wrong use of a command or a function: an unknown option, study, variant, protocol, recipe. */
export class UsageError extends SerlabError {
  override name = "UsageError";
}

/** The engine asked for is not there, or could not be installed. */
export class EngineError extends SerlabError {
  override name = "EngineError";
}

/** A file of ours (run record, manifest, bundle, checkpoint, cache) that cannot be read or does not fit. */
export class FormatError extends SerlabError {
  override name = "FormatError";
}

/** A file or folder that cannot be written: disk full, no permission. */
export class WriteError extends SerlabError {
  override name = "WriteError";
}
