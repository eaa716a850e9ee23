/**
 * Takes the features of 10,000 broken files (or as many as the first argument says) and reports how they end.
 *
 * A worker decodes; a file that takes longer than 2 s is a hang: the worker is ended and the file named.
 *
 * `deno run -A tests/bench/fuzz_audio.ts [files] [first]`
 */

import { decodeAudio, examineAudio, resample, toMono } from "../../lib/audio/mod.ts";
import { loadAudioBytes } from "../../lib/audio/load.ts";
import { AudioError } from "../../lib/errors.ts";
import { recipe, recipeNames } from "../../lib/features/mod.ts";
import { mutation, seeds } from "../audio/mutations.ts";

const LIMIT_MS = 2000;
const LIMIT_BYTES = 500e6;
const WORKER = "decoder";

interface Outcome {
  index: number;
  name: string;
  end: "samples" | "error" | "defect";
  text: string;
  ms: number;
}

const scope = self as unknown as {
  name?: string;
  onmessage: ((event: MessageEvent<number>) => void) | null;
  postMessage(outcome: Outcome): void;
};

// `import.meta.main` is true in the worker as well.
if (scope.name !== WORKER) await main();
else {
  const all = seeds(), recipes = recipeNames().map(recipe);
  scope.onmessage = async ({ data: index }) => {
    const { name, bytes } = mutation(all, index);
    const start = performance.now();
    let end: Outcome["end"] = "samples";
    let text = "";
    try {
      const audio = await decodeAudio(bytes, name);
      examineAudio(audio, name);
      const { samples } = resample(toMono(audio), 22050);
      if (!samples.every(Number.isFinite)) [end, text] = ["defect", "samples that are not finite"];
      const chosen = recipes[index % recipes.length]!;
      const { data } = chosen.extract(await loadAudioBytes(bytes, name, chosen.load));
      if (!data.every(Number.isFinite)) [end, text] = ["defect", `${chosen.name}: features that are not finite`];
    } catch (error) {
      const fine = error instanceof AudioError && error.message.startsWith(`${name}: `);
      end = fine ? "error" : "defect";
      text = fine ? error.rule : String(error instanceof Error ? error.stack : error);
    }
    scope.postMessage({ index, name, end, text, ms: performance.now() - start });
  };
}

async function main(): Promise<void> {
  const files = Number(Deno.args[0] ?? 10_000);
  const first = Number(Deno.args[1] ?? 0);
  const start = () => new Worker(import.meta.url, { type: "module", name: WORKER });
  let worker = start();
  const ends = { samples: 0, error: 0, defect: 0, hang: 0 };
  const rules = new Map<string, number>();
  let slowest: Outcome | undefined;
  let memory = 0;
  const baseline = Deno.memoryUsage().rss;
  for (let index = first; index < first + files; index++) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const outcome = await Promise.race([
      new Promise<Outcome>((resolve) => {
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = (event) => {
          event.preventDefault();
          resolve({ index, name: `#${index}`, end: "defect", text: `the worker died: ${event.message}`, ms: 0 });
        };
        worker.postMessage(index);
      }),
      // The first file also loads the modules.
      new Promise<undefined>((resolve) =>
        timer = setTimeout(() => resolve(undefined), LIMIT_MS + (index === first ? 10_000 : 0))
      ),
    ]);
    clearTimeout(timer);
    memory = Math.max(memory, Deno.memoryUsage().rss - baseline);
    if (!outcome) {
      ends.hang++;
      console.log(`HANG #${index}: ${mutation(seeds(), index).name}`);
      worker.terminate();
      worker = start();
      continue;
    }
    ends[outcome.end]++;
    if (outcome.end === "defect") {
      console.log(`DEFECT ${outcome.name}: ${outcome.text}`);
      worker.terminate();
      worker = start();
    }
    const rule = outcome.text.replace(/\d[\d.]*/g, "#").replace(/"[^"]*"/g, "…").slice(0, 60);
    if (outcome.end === "error") rules.set(rule, (rules.get(rule) ?? 0) + 1);
    if (index > first && (!slowest || outcome.ms > slowest.ms)) slowest = outcome;
  }
  worker.terminate();
  console.log(`${files} files:`, ends);
  console.log(`slowest: ${slowest?.ms.toFixed(0)} ms, ${slowest?.name}`);
  console.log(`most memory above the start: ${(memory / 1e6).toFixed(0)} MB`);
  for (const [rule, count] of [...rules].sort((a, b) => b[1] - a[1])) console.log(String(count).padStart(6), rule);
  if (ends.defect || ends.hang || memory > LIMIT_BYTES) Deno.exit(1);
}
