/**
 * Compiles `kernel.c` into `kernel_wasm.ts`. Needs clang and wasm-ld (Debian: `apt install clang lld`).
 *
 * Run after a change of the C file: `deno run -A lib/features/kernel_build.ts`.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256Hex, writeFileAtomic } from "../io.ts";

const folder = import.meta.dirname!;
const source = join(folder, "kernel.c");
const scratch = mkdtempSync(join(tmpdir(), "serlab-kernel-"));
try {
  const object = join(scratch, "kernel.wasm");
  execFileSync("clang", [
    "--target=wasm32",
    "-O3",
    "-msimd128",
    "-mbulk-memory",
    "-ffp-contract=off",
    "-nostdlib",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wl,--no-entry",
    "-Wl,--export=__heap_base",
    "-Wl,--strip-all",
    "-Wl,-z,stack-size=4096",
    "-o",
    object,
    source,
  ], { stdio: "inherit" });
  const compiler = execFileSync("clang", ["--version"], { encoding: "utf8" }).split("\n")[0]!;
  const lines = readFileSync(object).toString("base64").match(/.{1,110}/g)!;
  writeFileAtomic(
    join(folder, "kernel_wasm.ts"),
    `/**
 * \`kernel.c\` compiled to WebAssembly by \`kernel_build.ts\` (${compiler}). Not edited by hand.
 *
 * @module
 */

/** SHA-256 of the C file that this was compiled from; a test compares it. */
export const FEATURE_KERNEL_SOURCE_SHA256: string = "${sha256Hex(readFileSync(source))}";

/** The module, base64. */
export const FEATURE_KERNEL_WASM: string = [
${lines.map((line) => `  "${line}",`).join("\n")}
].join("");
`,
  );
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
