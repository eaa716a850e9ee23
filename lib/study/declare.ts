/**
 * What a study is: one declared, typed object. The runner (`run.ts`) and the report read it; nothing else about a study
 * is written anywhere.
 *
 * @module
 */

import type * as tf from "@tensorflow/tfjs";
import type { Augmentation } from "../augment/mod.ts";
import type { Targets } from "../engine/trainer.ts";
import type { OptimizerSpec } from "../engine/optimizers.ts";
import type { RandomState } from "../random.ts";
import type { Fold } from "../split/mod.ts";
import type { Dataset, ScalerKind } from "../training/dataset.ts";
import type { ClaimText } from "../results/summary.ts";
import type { TrainingPlan } from "../training/train.ts";
import type { ManifestRow, NdArray } from "../types.ts";

/** A published number. */
export type Claim = ClaimText;

/** Augmented rows that are made of every recording besides the recording itself. */
export interface Copies {
  /** One sentence. */
  readonly describe: string;
  /** The augmentation of each copy, from copy 1 on; none may look at the audio before it draws. */
  readonly of: readonly Augmentation<unknown>[];
}

/** A change of every training batch before its step. */
export interface BatchChange {
  /** One sentence. */
  readonly describe: string;
  /** Changes a batch of scaled examples; draws from the generator alone. */
  readonly apply: (batch: Dataset, rng: RandomState, classes: number) => { x: NdArray; targets: Targets };
}

/** Weights that a variant starts from. */
export type Pretrained =
  | {
    /** A Keras weight file. */
    readonly kind: "keras-h5";
    /** What it holds, in a few words. */
    readonly describe: string;
    /** Name of the official file. */
    readonly file: string;
    /** Where the official file lies. */
    readonly url: string;
    /** MD5 of the official file, lower-case hexadecimal. */
    readonly md5: string;
    /** Names of the layers that take their weights from it. */
    readonly layers: readonly string[];
  }
  | {
    /** A bundle of serlab. */
    readonly kind: "bundle";
    /** What it holds, in a few words. */
    readonly describe: string;
    /** Name of the bundle below `bundles/` of the results. */
    readonly bundle: string;
    /** The command that makes it. */
    readonly command: string;
    /** Names of the layers that take their weights from it. */
    readonly layers: readonly string[];
  };

/** A variant of a study's data, model and training. */
export interface Variant {
  /** One sentence. */
  readonly describe: string;
  /** Builds the uncompiled model. */
  readonly model: (options: { readonly classes: number; readonly seed: number }) => tf.LayersModel;
  /** The optimiser. */
  readonly optimizer: OptimizerSpec;
  /** Epochs, batches, callbacks. */
  readonly plan: TrainingPlan;
  /** Other features than the study's. */
  readonly input?: Partial<Input>;
  /** Augmented rows. */
  readonly copies?: Copies;
  /** Whether small classes are filled up with duplicates; before or after the split, the protocol says. */
  readonly oversample?: boolean;
  /** Changes of training batches. */
  readonly batch?: BatchChange;
  /** Weights to start from. */
  readonly pretrained?: Pretrained;
  /** Order of the rows in an epoch; default: from the seed and the epoch. */
  readonly order?: (seed: number, classes: number) => (epoch: number, n: number) => Int32Array;
  /** Seeds of a full run; default the study's. */
  readonly seeds?: number;
  /** Name of the group that it is run with (`ablation`); one without a group is run by default. */
  readonly group?: string;
  /** What is known to make its training fail, in one sentence; the report says it where it has failed. */
  readonly caution?: string;
}

/** Features and how they are scaled. */
export interface Input {
  /** Name of the recipe that makes the features. */
  readonly recipe: string;
  /** Name of the recipe of all protocols but `as-published`, where the published features are flawed. */
  readonly repairedRecipe?: string;
  /**
   * Shape that the model takes one example in (`[64, 64, 1]`): the recipe's values in their order. Where their number
   * follows from the audio's length, zeros are put after the last one, as study 002 did.
   */
  readonly inputShape: readonly number[];
  /** Scaler fitted on the rows that the protocol names. */
  readonly scaler: ScalerKind;
}

/** One row of a study's table: a recording, or a copy of one. */
export interface Example extends ManifestRow {
  /** Number of the recording. */
  readonly recording: number;
  /** 0 for the recording itself, 1… for augmented rows, then for duplicates. */
  readonly copy: number;
  /** Number of its features: duplicates share them with what they are of. */
  readonly feature: number;
  /** Its class. */
  readonly label: string;
}

/** A speaker of a study, whether or not the fraction that is used holds a recording of theirs. */
export interface StudySpeaker {
  /** Identifier. */
  readonly speaker: string;
  /** Corpus. */
  readonly corpus: string;
}

/** What a protocol may ask when it draws its folds. */
export interface FoldContext {
  /** Seed of the run. */
  readonly seed: number;
  /** Name of the variant. */
  readonly variant: string;
  /** Whether the variant watches validation rows. */
  readonly needsValidation: boolean;
  /** All speakers of the study, sorted. */
  readonly speakers: readonly StudySpeaker[];
}

/** A way to split, scale and test. */
export interface Protocol {
  /** One sentence. */
  readonly describe: string;
  /** Which rows the scaler is fitted on: `all` is a leak that a published study may have. */
  readonly scalerRows: "all" | "train";
  /** Whether test speakers are unseen in training: decides the kind of interval. */
  readonly bySpeaker: boolean;
  /** Whether the variant's callbacks watch the test rows (a leak). */
  readonly validatesOnTest?: boolean;
  /** When a variant that oversamples does so; default `training`. */
  readonly oversample?: "before-split" | "training" | "both";
  /** Labels that the test is scored on besides all of them, where the sets' labels differ. */
  readonly commonLabels?: readonly string[];
  /** Draws the folds. */
  readonly folds: (rows: readonly Example[], context: FoldContext) => readonly Fold[];
}

/** A protocol that a study cannot have. */
export interface DoesNotApply {
  /** Why, in one sentence without a full stop. */
  readonly doesNotApply: string;
}

/** Whether a study has a protocol. */
export function applies(protocol: Protocol | DoesNotApply | undefined): protocol is Protocol {
  return protocol !== undefined && !("doesNotApply" in protocol);
}

/** The rungs between `as-published` and `clean`, from the leakiest to the cleanest. */
export const RUNGS = [
  "random",
  "no-siblings",
  "no-test-selection",
  "speaker",
  "speaker-sentence",
  "cross-corpus",
] as const;

/** One of the {@linkcode RUNGS}. */
export type Rung = typeof RUNGS[number];

/** Names of the protocols. */
export type ProtocolName = "as-published" | Rung | "clean";

/** A study. */
export interface Study extends Input {
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
  /** Order of the recordings, by key within: by `label` (default), or by `corpus` as `corpora` names them. */
  readonly order?: "label" | "corpus";
  /** Variants by name. */
  readonly variants: Readonly<Record<string, Variant>>;
  /** Protocols by name; one that the study cannot have says why. */
  readonly protocols: Readonly<Partial<Record<ProtocolName, Protocol | DoesNotApply>>>;
  /** Seeds of a full run. */
  readonly seeds: number;
}
