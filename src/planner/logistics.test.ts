/** Packages, trucks and planes in two cities: the plan leads there, says so in sentences, and makes no detours. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toSentences } from "./explain.ts";
import { plan, type Problem } from "./plan.ts";
import { logisticsJobs, logisticsMoves, type Freight } from "./_logistics.test-util.ts";
import { faultsOf } from "./_replay.test-util.ts";

const PLACES = ["a.depot", "a.airport", "b.depot", "b.airport"];
const WORLD: Freight = {
  trucks: { truck_a: "a.airport", truck_b: "b.airport" },
  planes: { plane: "a.airport" },
  packages: { x: "a.depot", y: "a.depot", z: "b.depot" },
};
const WAYS = { "with a compound job": logisticsJobs, "by search alone": logisticsMoves };
const shipping = (packages: Freight["packages"], jobs: typeof logisticsJobs, world = WORLD): Problem => ({
  state: world,
  target: { packages },
  jobs: jobs(world, PLACES),
});

describe.each(Object.entries(WAYS))("logistics %s", (_how, jobs) => {
  test("takes a package from one city to the other, step after step", () => {
    expect(toSentences(plan(shipping({ x: "b.depot" }, jobs)))).toEqual([
      "1. drive truck_a to a.depot",
      "2. load x into truck_a, after 1",
      "3. drive truck_a to a.airport, after 2",
      "4. unload x from truck_a, after 3",
      "5. load x into plane, after 4",
      "6. fly plane to b.airport, after 5",
      "7. unload x from plane, after 6",
      "8. load x into truck_b, after 7",
      "9. drive truck_b to b.depot, after 8",
      "10. unload x from truck_b, after 9",
    ]);
  });

  test("moves what is to stay in its city by truck", () => {
    expect(toSentences(plan(shipping({ z: "b.airport" }, jobs)))).toEqual([
      "1. drive truck_b to b.depot",
      "2. load z into truck_b, after 1",
      "3. drive truck_b to b.airport, after 2",
      "4. unload z from truck_b, after 3",
    ]);
  });

  test.each<[string, Partial<Freight>, Freight["packages"], { steps: number; makespan: number }]>([
    ["two that go the same way", {}, { x: "b.depot", y: "b.depot" }, { steps: 24, makespan: 16 }],
    ["three that cross", {}, { x: "b.depot", y: "b.airport", z: "a.depot" }, { steps: 32, makespan: 20 }],
    ["one that is on board", { packages: { x: "plane" } }, { x: "b.depot" }, { steps: 5, makespan: 5 }],
    [
      "one that is on board, and is there",
      { packages: { x: "truck_b" } },
      { x: "b.airport" },
      { steps: 1, makespan: 1 },
    ],
  ])("is soon done with %s", (_what, start, packages, most) => {
    const problem = shipping(packages, jobs, { ...WORLD, ...start });
    const made = plan(problem);
    expect(made).toMatchObject({ reached: true, state: { packages } });
    expect(made.steps.length).toBeLessThanOrEqual(most.steps);
    expect(made.makespan).toBeLessThanOrEqual(most.makespan);
    expect(faultsOf(problem)).toEqual([]);
  });

  test("goes on from wherever packages and vehicles are", () => {
    const where = {
      trucks: fc.record({
        truck_a: fc.constantFrom(...PLACES.slice(0, 2)),
        truck_b: fc.constantFrom(...PLACES.slice(2)),
      }),
      planes: fc.record({ plane: fc.constantFrom("a.airport", "b.airport") }),
      packages: fc.record({
        x: fc.constantFrom(...PLACES, "truck_a", "truck_b", "plane"),
        y: fc.constantFrom(...PLACES, "truck_a", "truck_b", "plane"),
      }),
    };
    const wanted = fc.record({ x: fc.constantFrom(...PLACES), y: fc.constantFrom(...PLACES) }, { requiredKeys: [] });
    fc.assert(
      fc.property(fc.record(where), wanted, (world, packages) => {
        const problem = shipping(packages, jobs, world);
        expect(plan(problem)).toMatchObject({ reached: true, bound: null });
        expect(faultsOf(problem)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

test("two packages share each truck and flight where a job knows that they can", () => {
  const made = plan(shipping({ x: "b.depot", y: "b.depot" }, logisticsJobs));
  expect(made).toMatchObject({ reached: true, makespan: 10 });
  expect(made.steps.filter(({ description }) => description.startsWith("fly"))).toHaveLength(1);
});

test("a package that no truck can fetch is said, and the others travel", () => {
  const world = { ...WORLD, trucks: { truck_a: "a.airport" } };
  const problem = shipping({ x: "b.airport", z: "a.depot" }, logisticsMoves, world);
  const made = plan(problem);
  expect(made).toMatchObject({ reached: false, bound: null, state: { packages: { x: "b.airport", z: "b.depot" } } });
  expect(toSentences(made).slice(-2)).toEqual([
    'Not reached: /packages/z should be "a.depot"; it is "b.depot".',
    `Every way was tried (${made.tries} tries).`,
  ]);
  expect(faultsOf(problem)).toEqual([]);
});
