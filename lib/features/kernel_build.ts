/**
 * Compiles `kernel.c` into `kernel_wasm.ts`.
 *
 * Run after a change of the C file: `deno run -A lib/features/kernel_build.ts`.
 *
 * @module
 */

import { buildWasm } from "../setup/wasm_build.ts";

buildWasm({ folder: import.meta.dirname!, name: "kernel", constant: "FEATURE_KERNEL", flags: ["-ffp-contract=off"] });
