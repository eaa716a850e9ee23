/**
 * The table of results as the page gets it. Types alone.
 *
 * @module
 */

/** A published number. */
export interface ResultClaim {
  /** Accuracy in [0, 1]. */
  readonly accuracy: number;
  /** Recordings it was measured on. */
  readonly n: number;
  /** Whose number it is, where it is not the study's own. */
  readonly of?: string;
}

/** One variant under one protocol, over its seeds. */
export interface ResultRow {
  /** Study. */
  readonly study: string;
  /** Variant. */
  readonly variant: string;
  /** Protocol. */
  readonly protocol: string;
  /** Place of the protocol from the leakiest to the cleanest. */
  readonly order: number;
  /** Whether test speakers were unseen. */
  readonly bySpeaker: boolean;
  /** The published number of the variant, the first where there are more. */
  readonly claim: ResultClaim | null;
  /** Mean accuracy over seeds. */
  readonly accuracy: number;
  /** Its standard deviation over seeds; null for one seed. */
  readonly sd: number | null;
  /** 95 % interval of the accuracy. */
  readonly interval: readonly [number, number] | null;
  /** Mean UAR over seeds. */
  readonly uar: number;
  /** Tested recordings. */
  readonly clips: number;
  /** Tested speakers. */
  readonly speakers: number;
  /** Number of seeds. */
  readonly seeds: number;
  /** Whether the model gives nearly always one answer, so that its number says nothing of the protocol. */
  readonly failed: boolean;
  /** In what the training was less than the study's (a share of the recordings, fewer epochs); null of a whole one. */
  readonly less: string | null;
  /** What the search looks in, lower case. */
  readonly text: string;
}

/** A study in words. */
export interface ResultStudy {
  /** Identifier. */
  readonly id: string;
  /** Title. */
  readonly title: string;
  /** Where it was published. */
  readonly source: string;
  /** Its published numbers, one sentence each. */
  readonly claims: readonly string[];
  /** Its own mistake. */
  readonly flaw: string;
  /** Why the clean value differs. */
  readonly why: string;
}

/** All of it. */
export interface ResultsTable {
  /** The rows, by study, variant and protocol. */
  readonly rows: readonly ResultRow[];
  /** The studies that have rows. */
  readonly studies: readonly ResultStudy[];
}
