/**
 * What a study is: one declared, typed object. The runner (`run.ts`) and the report read it; nothing else about a study
 * is written anywhere.
 *
 * @module
 */

import type * as tf from "@tensorflow/tfjs";
import type { OptimizerSpec } from "../engine/optimizers.ts";
import type { Fold } from "../split/mod.ts";
import type { ScalerKind } from "../training/dataset.ts";
import type { TrainingPlan } from "../training/train.ts";
import type { ManifestRow } from "../types.ts";

/** A published number. */
export interface Claim {
  /** Variant it belongs to. */
  readonly variant: string;
  /** Published accuracy in [0, 1]. */
  readonly accuracy: number;
  /** Clips it was measured on. */
  readonly n: number;
  /** Where it stands. */
  readonly source: string;
  /** What it really is, where that is not what its source says. */
  readonly note?: string;
}

/** A variant of a study's model and training. */
export interface Variant {
  /** One sentence. */
  readonly describe: string;
  /** Builds the uncompiled model. */
  readonly model: (options: { readonly classes: number; readonly seed: number }) => tf.LayersModel;
  /** The optimiser. */
  readonly optimizer: OptimizerSpec;
  /** Epochs, batches, callbacks. */
  readonly plan: TrainingPlan;
}

/** What a protocol may ask when it draws its folds. */
export interface FoldContext {
  /** Seed of the run. */
  readonly seed: number;
  /** Name of the variant. */
  readonly variant: string;
  /** Whether the variant watches validation rows. */
  readonly needsValidation: boolean;
}

/** A way to split, scale and test. */
export interface Protocol {
  /** One sentence. */
  readonly describe: string;
  /** Which rows the scaler is fitted on: `all` is a leak that a published study may have. */
  readonly scalerRows: "all" | "train";
  /** Whether test speakers are unseen in training: decides the kind of interval. */
  readonly bySpeaker: boolean;
  /** Draws the folds. */
  readonly folds: (rows: readonly ManifestRow[], context: FoldContext) => readonly Fold[];
}

/** Names of the protocols, from the leakiest to the cleanest. */
export type ProtocolName =
  | "as-published"
  | "random"
  | "no-siblings"
  | "no-test-selection"
  | "speaker"
  | "speaker-sentence"
  | "cross-corpus"
  | "clean";

/** A study. */
export interface Study {
  /** Identifier: `000` … */
  readonly id: string;
  /** Title. */
  readonly title: string;
  /** Repository it was published in. */
  readonly source: string;
  /** Published numbers. */
  readonly claims: readonly Claim[];
  /** The study's own mistake, in one sentence. */
  readonly flaw: string;
  /** Why the clean value differs from the claim, in one sentence. */
  readonly why: string;
  /** Corpora it needs, by identifier. */
  readonly corpora: readonly string[];
  /** Speakers it uses; all of the corpora where absent. */
  readonly speakers?: readonly string[];
  /** Labels in the order of the class indices. */
  readonly labels: readonly string[];
  /** Label of a row, or null where the study leaves the row out. */
  readonly label: (row: ManifestRow) => string | null;
  /** Name of the recipe that makes its features. */
  readonly recipe: string;
  /** Shape that the model takes one example in (`[64, 64, 1]`); same number of values as the recipe's. */
  readonly inputShape: readonly number[];
  /** Scaler fitted on the rows that the protocol names. */
  readonly scaler: ScalerKind;
  /** Variants by name. */
  readonly variants: Readonly<Record<string, Variant>>;
  /** Protocols by name. */
  readonly protocols: Readonly<Partial<Record<ProtocolName, Protocol>>>;
  /** Seeds of a full run. */
  readonly seeds: number;
}
