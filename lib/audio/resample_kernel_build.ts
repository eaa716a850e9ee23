/**
 * Compiles `resample_kernel.c` into `resample_kernel_wasm.ts`.
 *
 * Run after a change of the C file: `deno run -A lib/audio/resample_kernel_build.ts`.
 *
 * @module
 */

import { buildWasm } from "../setup/wasm_build.ts";

buildWasm({ folder: import.meta.dirname!, name: "resample_kernel", constant: "RESAMPLE_KERNEL" });
