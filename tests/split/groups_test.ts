import assert from "node:assert/strict";
import { RandomState } from "../../lib/random.ts";
import {
  checkFolds,
  type Fold,
  groupFolds,
  groupHoldOut,
  leaveOneGroupOut,
  RAVDESS_ACTOR_FOLDS,
  ravdessActorFolds,
  splitHash,
} from "../../lib/split/groups.ts";

const actors = Array.from({ length: 240 }, (_, i) => `ravdess-0${1 + i % 4}`);
const allActors = Array.from({ length: 1440 }, (_, i) => `ravdess-${String(1 + i % 24).padStart(2, "0")}`);

function speakers(rows: readonly number[], groups: readonly string[]): string[] {
  return [...new Set(rows.map((row) => groups[row]!))].sort();
}

Deno.test("study 000 clean: four folds of 60 test clips, each actor tested once and never trained on", () => {
  const vanilla = leaveOneGroupOut(actors);
  assert.deepEqual(vanilla.map((fold) => fold.name), ["ravdess-01", "ravdess-02", "ravdess-03", "ravdess-04"]);
  checkFolds(vanilla, 240, { groups: actors, groupName: "speaker", complete: true });
  for (const fold of vanilla) {
    assert.equal(fold.test.length, 60);
    assert.equal(fold.train.length, 180);
    assert.deepEqual(fold.validation, []);
  }
});

Deno.test("study 000 clean, optimised: one of the three other actors validates, another one for every seed of three", () => {
  const seen = new Map<string, Set<string>>();
  for (let seed = 0; seed < 10; seed++) {
    const folds = leaveOneGroupOut(actors, { validation: { seed } });
    checkFolds(folds, 240, { groups: actors, groupName: "speaker", complete: true });
    for (const fold of folds) {
      assert.equal(fold.train.length, 120);
      const [validator, ...others] = speakers(fold.validation, actors);
      assert.deepEqual(others, []);
      assert.notEqual(validator, fold.name);
      if (seed < 3) seen.set(fold.name, (seen.get(fold.name) ?? new Set()).add(validator!));
    }
    // The same seed gives the same folds.
    assert.deepEqual(leaveOneGroupOut(actors, { validation: { seed } }), folds);
  }
  for (const validators of seen.values()) assert.equal(validators.size, 3);
});

Deno.test("the published actor folds test 24 actors once, 240 clips a fold, four validation actors where asked", () => {
  assert.deepEqual(RAVDESS_ACTOR_FOLDS.flat().sort((a, b) => a - b), Array.from({ length: 24 }, (_, i) => i + 1));
  const folds = ravdessActorFolds(allActors);
  checkFolds(folds, 1440, { groups: allActors, complete: true });
  folds.forEach((fold, i) => {
    assert.equal(fold.test.length, 240);
    assert.deepEqual(
      speakers(fold.test, allActors),
      RAVDESS_ACTOR_FOLDS[i]!.map((actor) => `ravdess-${String(actor).padStart(2, "0")}`).sort(),
    );
  });
  for (let seed = 0; seed < 4; seed++) {
    const validated = ravdessActorFolds(allActors, { validation: { seed, count: 4 } });
    checkFolds(validated, 1440, { groups: allActors, complete: true });
    for (const fold of validated) assert.equal(speakers(fold.validation, allActors).length, 4);
  }
  assert.throws(() => ravdessActorFolds(actors), /actor 20: has no rows|actor 11: has no rows/);
  assert.throws(() => ravdessActorFolds(["ravdess-25"]), /not an actor/);
  assert.throws(() => ravdessActorFolds([...allActors, "Actor_01"]), /same actor/);
});

Deno.test("random groups: the folds by group are disjoint and complete, whatever the groups", () => {
  const rng = new RandomState(1);
  for (let round = 0; round < 200; round++) {
    const k = rng.randint(4, 12);
    const groups = [...rng.randint(0, k, rng.randint(40, 90))].map(String);
    for (let g = 0; g < k; g++) groups.push(String(g));
    const count = rng.randint(1, k - 1);
    const folds = leaveOneGroupOut(groups, { validation: { seed: round, count } });
    checkFolds(folds, groups.length, { groups, complete: true });
    for (const fold of folds) {
      assert.equal(fold.train.length + fold.validation.length + fold.test.length, groups.length);
    }
    const cut = rng.randint(1, k - 1);
    const named = {
      a: Array.from({ length: cut }, (_, i) => String(i)),
      b: Array.from({ length: k - cut }, (_, i) => String(cut + i)),
    };
    checkFolds(groupFolds(groups, named), groups.length, { groups, complete: true });
    const held = groupHoldOut(groups, { test: 1, validation: 1, randomState: rng });
    checkFolds([held], groups.length, { groups });
    assert.equal(speakers(held.test, groups).length, 1);
  }
});

Deno.test("named folds must place every group once", () => {
  const groups = ["a", "b", "c"];
  assert.throws(() => groupFolds(groups, { one: ["a"], two: ["b"] }), /group c: stands in no fold/);
  assert.throws(() => groupFolds(groups, { one: ["a", "b"], two: ["b", "c"] }), /group b: stands in fold one and in/);
  assert.throws(() => groupFolds(groups, { one: ["a", "b"], two: ["c", "d"] }), /group d has no rows/);
  assert.throws(() => groupFolds(groups, { one: ["a", "b", "c"], two: [] }), /names no group/);
  assert.throws(() => leaveOneGroupOut(["a", "a"]), /at least 2 groups, not 1/);
  assert.throws(() => leaveOneGroupOut(["a", "b"], { validation: { seed: 0 } }), /cannot be held out/);
});

Deno.test("a hold-out by stratum takes the speakers asked for of every corpus", () => {
  const groups: string[] = [];
  const strata: string[] = [];
  for (const [corpus, count] of [["ravdess", 24], ["crema-d", 91], ["savee", 4], ["tess", 2]] as const) {
    for (let speaker = 0; speaker < count; speaker++) {
      groups.push(`${corpus}-${speaker}`, `${corpus}-${speaker}`);
      strata.push(corpus, corpus);
    }
  }
  const test = { ravdess: 5, "crema-d": 18, savee: 1, tess: 1 };
  const fold = groupHoldOut(groups, { test, validation: { "crema-d": 8 }, randomState: 0, strata });
  checkFolds([fold], groups.length, { groups });
  const count = (rows: number[], corpus: string) =>
    speakers(rows, groups).filter((name) => name.startsWith(`${corpus}-`)).length;
  for (const [corpus, wanted] of Object.entries(test)) assert.equal(count(fold.test, corpus), wanted);
  assert.equal(count(fold.validation, "crema-d"), 8);
  assert.throws(() => groupHoldOut(groups, { test: { tess: 2 }, randomState: 0, strata }), /stratum tess: of 2 groups/);
  assert.throws(() => groupHoldOut(groups, { test: { emodb: 1 }, randomState: 0, strata }), /emodb: has no rows/);
  assert.throws(() => groupHoldOut(groups, { test: { tess: 1 }, randomState: 0 }), /strata: are needed/);
});

Deno.test("checkFolds names the row or the speaker that stands on both sides", () => {
  const fold = (train: number[], validation: number[], test: number[]): Fold => ({
    name: "x",
    train,
    validation,
    test,
  });
  assert.throws(() => checkFolds([fold([0, 1], [], [1])], 2), /row 1 stands in train and in test/);
  assert.throws(() => checkFolds([fold([0], [1], [2])], 2), /row 2 of test does not exist/);
  assert.throws(
    () => checkFolds([fold([0], [1], [2])], 3, { groups: ["s1", "s2", "s1"], groupName: "speaker" }),
    /speaker s1 stands in train and in test/,
  );
  assert.throws(() => checkFolds([fold([0], [], [1])], 2, { complete: true }), /row 0: is tested 0 times/);
  assert.throws(() => checkFolds([fold([], [], [1])], 2), /no training rows/);
});

Deno.test("a split's identity follows its sets, not the order within them or the rows' numbers", () => {
  const keys = ["a", "b", "c", "d"];
  const one = splitHash([{ train: [0, 1], validation: [2], test: [3] }], keys);
  assert.match(one, /^[0-9a-f]{64}$/);
  assert.equal(splitHash([{ train: [1, 0], validation: [2], test: [3] }], keys), one);
  assert.equal(splitHash([{ train: [3, 2], validation: [1], test: [0] }], ["d", "c", "b", "a"]), one);
  assert.notEqual(splitHash([{ train: [0, 2], validation: [1], test: [3] }], keys), one);
  assert.notEqual(splitHash([{ train: [0, 1, 1], validation: [2], test: [3] }], keys), one);
  assert.throws(() => splitHash([{ train: [4], validation: [], test: [0] }], keys), /row 4 has no key/);
});
