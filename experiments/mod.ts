/**
 * The shelf of studies: one declared object a file, one line here.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import type { Study } from "../lib/study/declare.ts";
import { study000 } from "./s000_ravdess_cnn.ts";
import { pretrain001 } from "./s001_pretrain.ts";
import { study001 } from "./s001_ravdess_pictures.ts";
import { study002 } from "./s002_four_corpora_conv1d.ts";
import { study003 } from "./s003_cremad_cnn.ts";
import { study004 } from "./s004_ravdess_mlp.ts";

/** All studies, by number. */
export const studies: readonly Study[] = [study000, study001, study002, study003, study004];

/** Work that studies rest on and nobody published: run like a study, without a claim. */
export const preparations: readonly Study[] = [pretrain001];

/**
 * The study of that number.
 *
 * @throws {UsageError} when there is none, listing what there is.
 */
export function findStudy(id: string): Study {
  const all = [...studies, ...preparations];
  const study = all.find((each) => each.id === id);
  if (!study) throw new UsageError(`There is no study ${id}; there are ${all.map((s) => s.id).join(", ")}.`);
  return study;
}
