/**
 * Compiles `aac/`, Symphonia's AAC-LC decoder with `aac/symphonia-codec-aac.patch` on it, into `aac_wasm.ts`. Needs cargo
 * with the target wasm32-unknown-unknown, patch and wasm-opt (`rustup target add wasm32-unknown-unknown`; Debian:
 * `apt install patch binaryen`); only who changes the decoder runs it.
 *
 * Run after a change in `aac/`: `deno run -A lib/audio/aac_build.ts`.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { deflateRawSync } from "node:zlib";
import { concatBytes } from "../bytes.ts";
import { sha256Hex, writeFileAtomic } from "../io.ts";

/** What the module is made from, within `aac/`. */
const SOURCES = ["Cargo.toml", "Cargo.lock", "src/lib.rs", "symphonia-codec-aac.patch"] as const;

const folder = join(import.meta.dirname!, "aac");
const scratch = mkdtempSync(join(tmpdir(), "serlab-aac-"));
try {
  const run = (command: string, args: string[], env: Record<string, string> = {}): string =>
    execFileSync(command, args, {
      cwd: scratch,
      encoding: "utf8",
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
  for (const path of SOURCES) cpSync(join(folder, path), join(scratch, path));
  // Cargo checks what it fetches against the lock file; the patched crate's own files have other checksums afterwards.
  const config = run("cargo", ["vendor", "--locked", "vendor"]);
  run("patch", ["-p1", "-d", "vendor/symphonia-codec-aac", "-i", "../../symphonia-codec-aac.patch"]);
  const checksums = join(scratch, "vendor", "symphonia-codec-aac", ".cargo-checksum.json");
  writeFileSync(checksums, JSON.stringify({ ...JSON.parse(readFileSync(checksums, "utf8")), files: {} }));
  mkdirSync(join(scratch, ".cargo"));
  writeFileSync(join(scratch, ".cargo", "config.toml"), config);
  run("cargo", [
    ...["build", "--release", "--locked", "--offline", "--target", "wasm32-unknown-unknown", "--target-dir", "target"],
  ], { RUSTFLAGS: `-C target-feature=+simd128 --remap-path-prefix=${scratch}=aac` });
  run("wasm-opt", [
    ...["-O3", "--enable-simd", "--enable-bulk-memory", "--enable-sign-ext", "--enable-nontrapping-float-to-int"],
    ...["--enable-mutable-globals", "--enable-reference-types", "--enable-multivalue"],
    ...["target/wasm32-unknown-unknown/release/serlab_aac.wasm", "-o", "aac.wasm"],
  ]);
  const wasm = readFileSync(join(scratch, "aac.wasm"));
  const compiler = run("rustc", ["--version"]).trim();
  const lines = deflateRawSync(wasm, { level: 9 }).toString("base64").match(/.{1,110}/g)!;
  writeFileAtomic(
    join(import.meta.dirname!, "aac_wasm.ts"),
    `/**
 * \`aac/\` compiled to WebAssembly by \`aac_build.ts\` (${compiler}). Not edited by hand.
 *
 * It holds symphonia-codec-aac and symphonia-core 0.5.5, Copyright The Project Symphonia Developers, under the Mozilla
 * Public License 2.0 (https://mozilla.org/MPL/2.0/). Their source is at https://github.com/pdeljanov/Symphonia;
 * what is changed in it is \`aac/symphonia-codec-aac.patch\`.
 *
 * @module
 */

/** SHA-256 of the files in \`aac/\` that this was compiled from, one after the other; a test compares it. */
export const AAC_SOURCE_SHA256: string = "${
      sha256Hex(concatBytes(SOURCES.map((path) => readFileSync(join(folder, path)))))
    }";

/** The module, deflated, base64, and whose it is; both go wherever one goes. */
export const AAC_WASM: { readonly notice: string; readonly deflated: string } = {
  notice: "symphonia-codec-aac and symphonia-core 0.5.5, Mozilla Public License 2.0 (https://mozilla.org/MPL/2.0/); " +
    "source: https://github.com/pdeljanov/Symphonia and lib/audio/aac of serlab",
  deflated: [
${lines.map((line) => `    "${line}",`).join("\n")}
  ].join(""),
};
`,
  );
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
