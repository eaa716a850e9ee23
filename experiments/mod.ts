/**
 * The shelf of studies: one declared object a file, one line here.
 *
 * @module
 */

import { UsageError } from "../lib/errors.ts";
import type { Study } from "../lib/study/declare.ts";
import { study000 } from "./s000_ravdess_cnn.ts";

/** All studies, by number. */
export const studies: readonly Study[] = [study000];

/**
 * The study of that number.
 *
 * @throws {UsageError} when there is none, listing what there is.
 */
export function findStudy(id: string): Study {
  const study = studies.find((each) => each.id === id);
  if (!study) throw new UsageError(`There is no study ${id}; there are ${studies.map((s) => s.id).join(", ")}.`);
  return study;
}
