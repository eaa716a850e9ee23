/**
 * A bundle in the words of the page.
 *
 * @module
 */

import type { Bundle } from "../bundle.ts";
import type { BundleSummary } from "./protocol.ts";

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** How a protocol is called where people read it. */
const PROTOCOLS: Readonly<Record<string, string>> = {
  clean: "with voices it had never heard",
  "as-published": "as the study was published, with the same voices in training and test",
  random: "on clips drawn at random, with the same voices in training and test",
  speaker: "with voices it had never heard",
  "speaker-sentence": "with voices and sentences it had never heard",
};

/**
 * What the page says of a bundle.
 *
 * @param id The bundle's place on the site.
 * @param bundle The bundle.
 */
export function summarise(id: string, { info, card }: Bundle): BundleSummary {
  const { provenance: { study, variant, protocol, corpora, expected } } = info;
  const honest = expected.toSorted((a, b) => Number(b.protocol === "clean") - Number(a.protocol === "clean"));
  return {
    id,
    name: info.name,
    labels: info.labels,
    origin: `study ${study}, ${variant}`,
    protocol,
    expected: honest.map(({ protocol: where, accuracy, interval, n }) => {
      const between = interval ? ` (95 % interval ${percent(interval[0])} to ${percent(interval[1])})` : "";
      return `Right for ${percent(accuracy)} of ${n} clips${between} ${
        PROTOCOLS[where] ?? `under the protocol ${where}`
      }.`;
    }),
    corpora: corpora.map(({ id: corpus, licence }) => `${corpus} (${licence})`),
    card,
  };
}
