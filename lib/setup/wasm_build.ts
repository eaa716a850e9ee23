/**
 * Compiles one of serlab's C kernels to a TypeScript module that holds it. Needs clang and wasm-ld (Debian:
 * `apt install clang lld`); only who changes a kernel runs it.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { sha256Hex, writeFileAtomic } from "../io.ts";

/** What to compile. */
export interface WasmBuild {
  /** Folder of the source and the result. */
  readonly folder: string;
  /** Base of the names: `<name>.c` is compiled into `<name>_wasm.ts` by `<name>_build.ts`. */
  readonly name: string;
  /** Begin of the names of the two constants. */
  readonly constant: string;
  /** Further arguments for clang. */
  readonly flags?: readonly string[];
}

/** Compiles a kernel and writes its module, with the hash of the source that a test compares. */
export function buildWasm({ folder, name, constant, flags = [] }: WasmBuild): void {
  const source = join(folder, `${name}.c`);
  const scratch = mkdtempSync(join(tmpdir(), "serlab-kernel-"));
  try {
    const object = join(scratch, "kernel.wasm");
    execFileSync("clang", [
      ...["--target=wasm32", "-O3", ...flags, "-msimd128", "-mbulk-memory", "-nostdlib", "-Wall", "-Wextra", "-Werror"],
      ...["-Wl,--no-entry", "-Wl,--export=__heap_base", "-Wl,--strip-all", "-Wl,-z,stack-size=4096"],
      ...["-o", object, source],
    ], { stdio: "inherit" });
    const compiler = execFileSync("clang", ["--version"], { encoding: "utf8" }).split("\n")[0]!;
    const lines = readFileSync(object).toString("base64").match(/.{1,110}/g)!;
    writeFileAtomic(
      join(folder, `${name}_wasm.ts`),
      `/**
 * \`${basename(source)}\` compiled to WebAssembly by \`${name}_build.ts\` (${compiler}). Not edited by hand.
 *
 * @module
 */

/** SHA-256 of the C file that this was compiled from; a test compares it. */
export const ${constant}_SOURCE_SHA256: string = "${sha256Hex(readFileSync(source))}";

/** The module, base64. */
export const ${constant}_WASM: string = [
${lines.map((line) => `  "${line}",`).join("\n")}
].join("");
`,
    );
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
