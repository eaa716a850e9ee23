/**
 * The human ceiling: what listeners made of the very clips that a model was tested on.
 *
 * @module
 */

import type { ListenerVotes } from "../corpora/votes.ts";
import type { ListenerScore } from "../results/record.ts";
import type { Emotion } from "../types.ts";

/**
 * Scores listeners as if they had sat the test: `accuracy` is the chance that one listener names the label that the actor
 * was asked for, `majority` the share of clips of which most listeners do (a tie counts in part).
 *
 * @param tested The tested rows; a recording counts once.
 * @returns null where none of them has votes.
 */
export function scoreListeners(
  votes: ListenerVotes | null,
  tested: readonly {
    readonly parent: string;
    readonly truth: string;
    readonly prediction: string;
    readonly copy: number;
  }[],
): ListenerScore | null {
  if (votes === null) return null;
  const perClass = new Map<string, number[]>();
  let listened = 0, majority = 0, right = 0;
  const seen = new Set<string>();
  for (const { parent, truth, prediction, copy } of tested) {
    const own = votes.byKey.get(parent);
    if (own === undefined || copy !== 0 || seen.has(parent)) continue;
    const counts = Object.values(own), all = counts.reduce((a, b) => a + b, 0);
    if (all === 0) continue;
    seen.add(parent);
    const named = own[truth as Emotion] ?? 0, most = Math.max(...counts);
    listened += all;
    if (named === most) majority += 1 / counts.filter((count) => count === most).length;
    if (prediction === truth) right++;
    perClass.set(truth, [...(perClass.get(truth) ?? []), named / all]);
  }
  if (seen.size === 0) return null;
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  return {
    corpus: votes.corpus,
    source: votes.sha256,
    clips: seen.size,
    votes: listened,
    accuracy: mean([...perClass.values()].flat()),
    uar: mean([...perClass.values()].map(mean)),
    majority: majority / seen.size,
    model: right / seen.size,
  };
}
