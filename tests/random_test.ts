import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { murmurHash3, RandomState, stream, streamSeed } from "../lib/random.ts";

// Sequences of NumPy 2.4.6, made by tests/golden/make_random.py. Everything is compared exactly, but for normal
// numbers: 1e-15 relative (their logarithm's last place belongs to the C library).
interface Case {
  seed: number | number[] | { range: number };
  uint32: number[];
  bytes: number[];
  randomSample: number[];
  randint10: number[];
  randintSigned: number[];
  randintOne: [number, number];
  randintWide: number[];
  tomaxint: string[];
  permutation: number[];
  shuffle: string;
  choice: number[];
  choiceWithout: number[];
  choiceP: number[];
  choicePWithout: number[];
  uniform: number[];
  standardNormal: number[];
  normal: number[];
  randn: number[];
  state: { pos: number; head: number[]; sum: number; hasGauss: boolean; gauss: number };
  after: number[];
}
const golden = JSON.parse(readFileSync(new URL("./golden/random.json", import.meta.url), "utf8")) as {
  cases: Case[];
  million: { xorUint32: number; sumPermutation: number; next: number };
  murmur: { text: string; seed: number; hash: number }[];
};

function close(actual: ArrayLike<number>, expected: number[]): void {
  assert.equal(actual.length, expected.length);
  expected.forEach((value, i) => {
    assert.ok(Math.abs(actual[i]! - value) <= 1e-15 * Math.max(1, Math.abs(value)), `${actual[i]} is not ${value}`);
  });
}

for (const expected of golden.cases) {
  const name = JSON.stringify(expected.seed);
  Deno.test(`RandomState(${name}) draws what NumPy's draws, call after call`, () => {
    const { seed } = expected;
    const rng = new RandomState(
      typeof seed === "object" && "range" in seed ? Array.from({ length: seed.range }, (_, i) => i) : seed,
    );
    assert.deepEqual(expected.uint32.map(() => rng.uint32()), expected.uint32);
    assert.deepEqual([...rng.bytes(7)], expected.bytes);
    assert.deepEqual([...rng.randomSample(5)], expected.randomSample);
    assert.deepEqual([...rng.randint(0, 10, 12)], expected.randint10);
    assert.deepEqual([...rng.randint(-1000, 70000, 5)], expected.randintSigned);
    assert.deepEqual([rng.randint(3, 4), rng.randint(0, 2 ** 32)], expected.randintOne);
    assert.deepEqual([...rng.randint(0, 2 ** 52 + 12345, 5)], expected.randintWide);
    assert.deepEqual([String(rng.tomaxint()), String(rng.tomaxint())], expected.tomaxint);
    assert.deepEqual([...rng.permutation(37)], expected.permutation);
    const letters = [..."abcdefghij"];
    rng.shuffle(letters);
    assert.equal(letters.join(""), expected.shuffle);
    assert.deepEqual([...rng.choice(20, 9)], expected.choice);
    assert.deepEqual([...rng.choice(20, 9, { replace: false })], expected.choiceWithout);
    assert.deepEqual([...rng.choice(4, 12, { p: [0.1, 0.2, 0.3, 0.4] })], expected.choiceP);
    assert.deepEqual(
      [...rng.choice(6, 5, { replace: false, p: [0.05, 0.05, 0.1, 0.1, 0.3, 0.4] })],
      expected.choicePWithout,
    );
    assert.deepEqual([...rng.uniform(-3, 5.5, 4)], expected.uniform);
    close(rng.standardNormal(5), expected.standardNormal);
    close(rng.normal(2, 0.25, 4), expected.normal);
    close(rng.randn(4), expected.randn);
    const state = rng.snapshot();
    assert.equal(state.pos, expected.state.pos);
    assert.deepEqual(state.key.slice(0, 4), expected.state.head);
    assert.equal(state.key.reduce((a, b) => (a ^ b) >>> 0, 0), expected.state.sum);
    assert.equal(state.hasGauss, expected.state.hasGauss);
    close([state.gauss], [expected.state.gauss]);
    assert.deepEqual([...rng.randomSample(2)], expected.after);
  });
}

Deno.test("a million draws keep step with NumPy", () => {
  const rng = new RandomState(7);
  let xor = 0;
  for (let i = 0; i < 1_000_000; i++) xor ^= rng.uint32();
  assert.equal(xor >>> 0, golden.million.xorUint32);
  const sum = rng.permutation(100_000).reduce((total, value, i) => total + BigInt(value) * BigInt(i), 0n);
  assert.equal(Number(sum), golden.million.sumPermutation);
  assert.equal(rng.randomSample(), golden.million.next);
});

Deno.test("a state saved as JSON goes on with the same numbers, the kept normal number included", () => {
  const rng = new RandomState(3);
  rng.randomSample(1000);
  rng.standardNormal();
  const copy = RandomState.restore(JSON.parse(JSON.stringify(rng.snapshot())));
  assert.deepEqual(copy.standardNormal(7), rng.standardNormal(7));
  assert.deepEqual(copy.permutation(50), rng.permutation(50));
  assert.deepEqual(copy.snapshot(), rng.snapshot());
});

Deno.test("a permutation of an array is the permutation of its indices and leaves the array alone", () => {
  const items = ["a", "b", "c", "d", "e", "f"];
  const shuffled = new RandomState(11).permutation(items);
  assert.deepEqual(shuffled, [...new RandomState(11).permutation(6)].map((i) => items[i]));
  assert.deepEqual(items, ["a", "b", "c", "d", "e", "f"]);
});

Deno.test("seeds, sizes, ranges and probabilities that make no sense are refused with the rule and the value", () => {
  for (const seed of [-1, 2 ** 32, 0.5, NaN]) {
    assert.throws(() => new RandomState(seed), { name: "RangeError", message: new RegExp(String(seed)) });
  }
  assert.throws(() => new RandomState([]), /must not be empty/);
  assert.throws(() => new RandomState([1, -2]), /not -2/);
  const rng = new RandomState(0);
  assert.throws(() => rng.randint(5, 5), /low must be below high/);
  assert.throws(() => rng.choice(3, 4, { replace: false }), /cannot draw 4 of 3/);
  assert.throws(() => rng.choice(2, 1, { p: [0.5, 0.4] }), /add up to 1, not 0.9/);
  assert.throws(() => rng.choice(2, 1, { p: [1.5, -0.5] }), /not -0.5/);
  assert.throws(() => rng.choice(3, 2, { replace: false, p: [1, 0, 0] }), /non-zero entries/);
  assert.throws(() => rng.randomSample(-1), /non-negative/);
  assert.throws(() => rng.normal(0, -1), /negative/);
  assert.throws(() => RandomState.restore({ ...rng.snapshot(), key: [1, 2] }), /624 words/);
  assert.throws(() => RandomState.restore({ ...rng.snapshot(), pos: 625 }), /not 625/);
  // A refused call draws nothing.
  assert.deepEqual(rng.snapshot(), new RandomState(0).snapshot());
});

Deno.test("murmurHash3 is scikit-learn's murmurhash3_32", () => {
  for (const { text, seed, hash } of golden.murmur) assert.equal(murmurHash3(text, seed), hash, `${text} ${seed}`);
});

Deno.test("streams are named by purpose: equal names give equal numbers, any other name others", () => {
  assert.equal(streamSeed(0, "train", 0), streamSeed(0, "train", 0));
  const seeds = new Set<number>();
  for (let seed = 0; seed < 40; seed++) {
    for (const purpose of ["init", "shuffle", "dropout", "augment", "split"]) {
      for (let fold = 0; fold < 24; fold++) seeds.add(streamSeed(seed, purpose, fold));
    }
  }
  assert.equal(seeds.size, 40 * 5 * 24);
  assert.notEqual(streamSeed(0, "a", "b"), streamSeed(0, "a,b"));
  assert.notEqual(streamSeed(0, "ab"), streamSeed(0, "a", "b"));
  assert.deepEqual(stream(5, "x").randomSample(3), new RandomState(streamSeed(5, "x")).randomSample(3));
  assert.throws(() => streamSeed(0.5), /safe integer/);
  assert.throws(() => streamSeed(0, NaN), /finite/);
});
