import assert from "node:assert/strict";
import { findSearch, searches } from "../../experiments/searches.ts";
import { UsageError } from "../../lib/errors.ts";
import { stream } from "../../lib/random.ts";
import {
  checkConfiguration,
  checkSpace,
  choice,
  drawConfiguration,
  gridOf,
  integer,
  logUniform,
  type Parameter,
  placeOf,
  restrict,
  type Space,
  uniform,
  valueAt,
} from "../../lib/search/space.ts";

const space: Space = {
  optimizer: choice(["adam", "sgd"]),
  momentum: uniform(0, 0.9, { when: { parameter: "optimizer", is: ["sgd"] }, grid: [0, 0.5] }),
  rate: logUniform(1e-5, 1e-1, { grid: [1e-3, 1e-2] }),
  layers: integer(1, 3),
};

Deno.test("a grid runs through nested loops, the last parameter fastest, and through conditional ones only where they are", () => {
  const grid = gridOf(space);
  assert.equal(grid.length, (1 + 2) * 2 * 3);
  assert.deepEqual(grid[0], { optimizer: "adam", rate: 1e-3, layers: 1 });
  assert.deepEqual(grid[1], { optimizer: "adam", rate: 1e-3, layers: 2 });
  assert.deepEqual(grid.at(-1), { optimizer: "sgd", momentum: 0.5, rate: 1e-2, layers: 3 });
  assert.equal(new Set(grid.map((each) => JSON.stringify(each))).size, grid.length);
  for (const config of grid) checkConfiguration(space, config);
});

Deno.test("what is drawn lies in the space: conditions hold, logarithms are uniform, whole numbers have equal shares", () => {
  const drawn = Array.from({ length: 3000 }, (_, i) => drawConfiguration(space, stream(1, "draw", i)));
  for (const config of drawn) checkConfiguration(space, config);
  assert.ok(drawn.every((config) => ("momentum" in config) === (config["optimizer"] === "sgd")));
  const share = (of: (config: (typeof drawn)[number]) => boolean): number => drawn.filter(of).length / drawn.length;
  // 4 standard errors of 3000 draws.
  const near = (value: number, expected: number): void => {
    assert.ok(Math.abs(value - expected) < 4 * Math.sqrt(expected * (1 - expected) / 3000), `${value}, ${expected}`);
  };
  near(share((config) => (config["rate"] as number) < 1e-3), 0.5);
  near(share((config) => config["layers"] === 1), 1 / 3);
  near(share((config) => config["layers"] === 3), 1 / 3);
});

Deno.test("places and values are each other's inverse", () => {
  const parameters: Parameter[] = [
    choice([16, 32, 64]),
    integer(-2, 5),
    integer(8, 512, { log: true }),
    uniform(-1, 1),
    logUniform(1e-4, 10),
  ];
  for (const parameter of parameters) {
    for (let place = 0.005; place < 1; place += 0.0173) {
      const value = valueAt(parameter, place);
      assert.equal(valueAt(parameter, placeOf(parameter, value)), value);
      assert.ok(Math.abs(placeOf(parameter, value) - place) <= (parameter.kind === "choice" ? 1 / 6 : 0.1));
    }
  }
});

Deno.test("spaces and configurations that make no sense are refused in one line that names the parameter", () => {
  const refused = (wrong: Space, message: RegExp): void =>
    assert.throws(
      () => checkSpace(wrong),
      (error: Error) => error instanceof UsageError && message.test(error.message),
    );
  refused({}, /The search space is empty/);
  refused({ rate: choice([]) }, /^Parameter rate: has no values to choose from\.$/);
  refused({ rate: choice([1, 1]) }, /Parameter rate: has a value twice/);
  refused({ rate: logUniform(0, 1) }, /Parameter rate: its least value 0 must be positive/);
  refused({ rate: uniform(2, 1) }, /Parameter rate: has no range from 2 to 1/);
  refused({ n: integer(0.5, 2) }, /Parameter n: its range from 0.5 to 2 must end in whole numbers/);
  refused({ rate: uniform(0, 1, { grid: [2] }) }, /Parameter rate: its grid's 2 is not a number from 0 to 1/);
  refused(
    { momentum: uniform(0, 1, { when: { parameter: "optimizer", is: ["sgd"] } }), optimizer: choice(["sgd"]) },
    /Parameter momentum: depends on optimizer, which does not stand before it/,
  );
  refused(
    { optimizer: choice(["adam"]), momentum: uniform(0, 1, { when: { parameter: "optimizer", is: ["sgd"] } }) },
    /Parameter momentum: depends on optimizer being sgd, which it cannot be/,
  );
  assert.throws(
    () => gridOf({ rate: uniform(0, 1) }),
    /Parameter rate: a grid cannot run through all numbers from 0 to 1/,
  );
  const good = { optimizer: "adam", rate: 0.001, layers: 1 };
  checkConfiguration(space, good);
  assert.throws(
    () => checkConfiguration(space, { ...good, depth: 1 }),
    /no parameter depth; it has optimizer, momentum/,
  );
  assert.throws(
    () => checkConfiguration(space, { ...good, layers: 1.5 }),
    /Parameter layers: 1.5 is not a whole number/,
  );
  assert.throws(
    () => checkConfiguration(space, { ...good, rate: 1 }),
    /Parameter rate: 1 is not a number from 0.00001 to/,
  );
  assert.throws(
    () => checkConfiguration(space, { ...good, momentum: 0.5 }),
    /momentum: is there only where optimizer is/,
  );
  assert.throws(() => checkConfiguration(space, { optimizer: "adam" }), /Parameter rate: has no value/);
});

Deno.test("values given on the command line take the place of a parameter's own", () => {
  const narrow = restrict(space, { rate: [0.002, 0.004], layers: [2] });
  assert.equal(gridOf(narrow).length, 3 * 2);
  assert.throws(() => restrict(space, { depth: [1] }), /no parameter depth/);
  assert.throws(() => restrict(space, { layers: [9] }), /Parameter layers: 9 is not a number from 1 to 3/);
});

Deno.test("every declared search makes sense: a grid, and a model, optimiser and plan of each corner", () => {
  for (const search of searches) {
    checkSpace(search.space);
    const variant = search.study.variants[search.variant]!;
    assert.ok(variant, `${search.id}: no variant ${search.variant}`);
    for (const config of [gridOf(search.space)[0]!, gridOf(search.space).at(-1)!]) {
      checkConfiguration(search.space, config);
      const { optimizer, plan } = search.change(config, variant);
      if ("rate" in config) assert.equal(optimizer.learningRate, config["rate"]);
      if ("batchSize" in config) assert.equal(plan.batchSize, config["batchSize"]);
      assert.equal(plan.epochs, variant.plan.epochs);
    }
  }
});

Deno.test("study 001's grid is the published one: 32 configurations, their hits, the best at 122 of 154", () => {
  const search = findSearch("001");
  assert.ok(search.kind === "study");
  const grid = gridOf(search.space), { hits, n } = search.published!;
  assert.equal(grid.length, 32);
  assert.equal(hits.length, 32);
  const best = hits.indexOf(Math.max(...hits));
  assert.equal((100 * hits[best]! / n).toFixed(2), "79.22");
  assert.deepEqual(grid[best], { layers: 2, neurons: 300, trainable: 2, dropout: 0.2, rate: 0.001 });
  assert.equal(hits.filter((each) => each === 19).length, 10, "ten collapsed to one class");
  assert.throws(() => findSearch("999"), /There is no search 999; there are 000, 001/);
});
