/**
 * `deno doc --lint` over the library. A public signature that names a type of an npm package is reported by Deno as a
 * 'private type', although its reader finds it in that package: those reports alone are left out.
 *
 * @module
 */

import { readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function sources(folder: string): string[] {
  return readdirSync(folder).sort().flatMap((name) => {
    const path = join(folder, name);
    return statSync(path).isDirectory() ? sources(path) : name.endsWith(".ts") ? [path] : [];
  });
}

const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
  args: ["doc", "--lint", ...sources(join(root, "lib")), ...sources(join(root, "experiments"))],
  cwd: root,
  env: { NO_COLOR: "1" },
  stdin: "null",
}).output();
const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
const complaints = text.split(/^(?=error\[)/m).filter((part) => part.startsWith("error["))
  .filter((part) => !part.startsWith("error[private-type-ref]") && !/node_modules/.test(part.split("\n")[1] ?? ""));
if (code !== 0 && !/^error\[/m.test(text)) { // it could not even look
  console.error(text);
  Deno.exit(1);
}
for (const complaint of complaints) console.error(complaint.trimEnd());
console.log(`documentation: ${complaints.length} complaints`);
Deno.exit(complaints.length === 0 ? 0 : 1);
