import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toDecisions, toMermaid, toSentences } from "./explain.ts";
import { JobFault, type Job } from "./job.ts";
import type { Json, Value } from "./json.ts";
import { plan, planAsync, type Plan, type Problem } from "./plan.ts";
import { BLOCK_JOBS, BLOCK_MOVES, COUNTER_JOBS, fleet, SERVICE_JOBS, tower } from "./_domains.test-util.ts";
import { faultsOf, replay } from "./_replay.test-util.ts";

const twenty = (job: string) => () => Array.from({ length: 20 }, () => ({ job }));

const endless: { [key: string]: Json } = {};
endless["self"] = endless;

const counters = (values: Record<string, number>): Json => ({ counters: values });
const sentences = (problem: Problem): string[] => toSentences(plan(problem));

describe("plan()", () => {
  test("lets counters go on at the same time, each step after the one before on its own counter", () => {
    const state = counters({ a: 0, b: 0 });
    expect(sentences({ state, target: counters({ a: 3, b: 2 }), jobs: COUNTER_JOBS })).toEqual([
      "1. a + 1",
      "2. a + 1, after 1",
      "3. a + 1, after 2",
      "4. b + 1",
      "5. b + 1, after 4",
    ]);
  });

  test("has nothing to do where the target is met", () => {
    const state = counters({ a: 1 });
    expect(sentences({ state, target: { counters: { a: 1 } }, jobs: COUNTER_JOBS })).toEqual([
      "Nothing is to be done.",
    ]);
  });

  test("solves Sussman's anomaly, with a compound job and by search alone", () => {
    const problem = { state: { blocks: { a: "table", b: "table", c: "a" } }, target: { blocks: tower("c", "b", "a") } };
    for (const jobs of [BLOCK_JOBS, BLOCK_MOVES]) {
      expect(plan({ ...problem, jobs }).steps.map(({ description }) => description)).toEqual([
        "pick up c",
        "put c on the table",
        "pick up b",
        'stack b on "c"',
        "pick up a",
        'stack a on "b"',
      ]);
    }
  });

  test("turns a tower of twelve over", () => {
    const blocks = "abcdefghijkl".split("");
    const problem = { state: { blocks: tower(...blocks) }, target: { blocks: tower(...blocks.toReversed()) } };
    const made = plan({ ...problem, jobs: BLOCK_JOBS });
    expect(made).toMatchObject({ reached: true, makespan: 24 });
    expect(replay({ ...problem, jobs: BLOCK_JOBS }, made)).toEqual(problem.target);
  });

  test("updates sixty services side by side", () => {
    const problem = { state: fleet(60, "v1"), target: fleet(60, "v2"), jobs: SERVICE_JOBS };
    const made = plan(problem);
    expect(made).toMatchObject({ reached: true, makespan: 5 });
    expect(made.steps).toHaveLength(300);
    expect(made.state).toEqual(problem.target);
  });

  test("orders what a job reads beside its own path", () => {
    const jobs: Job[] = [
      { name: "fetch", path: "/images/:image", kind: "create", effect: () => true },
      {
        name: "start",
        path: "/services/:name",
        kind: "any",
        reads: ["/images"],
        when: ({ read, target }) => read(`/images/${target as string}`) === true,
        effect: ({ target }) => target,
      },
    ];
    const target = { services: { web: "one", db: "two" }, images: { one: true, two: true } };
    // Each start may look at all images: whatever changes them comes before it, or after.
    expect(sentences({ state: { services: {}, images: {} }, target, jobs })).toEqual([
      "1. fetch /images/one",
      "2. start /services/web, after 1",
      "3. fetch /images/two, after 2",
      "4. start /services/db, after 3",
    ]);
  });

  test.each<[string, Partial<Job>, Value, Value]>([
    ["create", { kind: "create", effect: () => 1 }, {}, { x: 1 }],
    ["update", { kind: "update", effect: () => 1 }, { x: 0 }, { x: 1 }],
    ["delete", { kind: "delete", effect: () => undefined }, { x: 1 }, { x: null }],
    ["any", { kind: "any", effect: ({ target }) => target }, { x: 1, y: 2 }, { x: null, y: 3, z: 4 }],
  ])("uses a job of kind %s for that", (_kind, job, state, target) => {
    const jobs = [{ name: "job", path: "/:at", effect: () => null, ...job } as Job];
    expect(plan({ state, target, jobs })).toMatchObject({ reached: true, unmet: [] });
  });

  test.each(["create", "update", "delete"] as const)("uses a job of kind %s for nothing else", (kind) => {
    const wants = { create: { x: 1 }, update: { y: 1 }, delete: { z: null } };
    const jobs: Job[] = [{ name: "job", path: "/:at", kind, effect: ({ target }) => target }];
    const { steps } = plan({
      state: { y: 0, z: 0 },
      target: { ...wants.create, ...wants.update, ...wants.delete },
      jobs,
    });
    expect(steps.map(({ path }) => path)).toEqual([{ create: "/x", update: "/y", delete: "/z" }[kind]]);
  });

  test("initialises what the target does not speak of, and changes it by a wildcard", () => {
    const jobs: Job[] = [
      { name: "open_store", path: "/store", kind: "initialise", effect: () => "open" },
      {
        name: "put",
        path: "/things/:name",
        kind: "create",
        reads: ["/store"],
        when: ({ read }) => read("/store") === "warm",
        effect: ({ target }) => target,
      },
      {
        name: "warm_up",
        path: "/store",
        kind: "wildcard",
        when: ({ value }) => value === "open",
        effect: () => "warm",
      },
    ];
    expect(sentences({ state: {}, target: { things: { a: 1 } }, jobs })).toEqual([
      "1. open_store /store",
      "2. warm_up /store, after 1",
      "3. put /things/a, after 2",
    ]);
  });

  test("a key * of the target stands for all that is there, also for what comes meanwhile", () => {
    const jobs: Job[] = [
      { name: "set", path: "/lamps/:name", effect: ({ target }) => target },
      { name: "add", path: "/lamps/:name", kind: "create", effect: () => "off" },
    ];
    const made = plan({ state: { lamps: { a: "off", b: "on" } }, target: { lamps: { "*": "on", c: "on" } }, jobs });
    expect(made).toMatchObject({ reached: true, state: { lamps: { a: "on", b: "on", c: "on" } } });
  });

  const COUNTING = "jobs work on /counters/:name.";
  test.each<[string, Json, Json, string[]]>([
    ["is misspelt", {}, { conters: { a: 3 } }, [`No job works on /conters/a; ${COUNTING}`]],
    ["a job works on", { counters: { a: "?" } }, { counters: { a: "!" } }, []],
    ["a job works below", { counters: { a: 1 } }, { counters: 7 }, [`No job works on /counters; ${COUNTING}`]],
    ["is inside what a job works on", { counters: { a: {} } }, { counters: { a: { b: 1 } } }, []],
    [
      "is one of many",
      {},
      { a: 1, b: 1, c: 1, d: 1, e: 1, counters: { x: null } },
      [`No job works on /a, /b, /c and 2 more; ${COUNTING}`],
    ],
    ["is met", { door: "open" }, { door: "open" }, []],
  ])("says where no job works: a place that %s", (_what, state, target, notes) => {
    expect(plan({ state, target, jobs: COUNTER_JOBS }).notes).toEqual(notes);
  });

  test("says that there are no jobs, and names some of many paths", () => {
    const jobs = Array.from({ length: 7 }, (_, at): Job => ({ name: `j${at}`, path: `/p${at}`, effect: () => 1 }));
    expect(plan({ state: {}, target: { a: 1 }, jobs }).unserved).toBe(
      "No job works on /a; jobs work on /p0, /p1, /p2, /p3, /p4 and 2 more.",
    );
    expect(plan({ state: {}, target: { a: 1 }, jobs: [] }).unserved).toBe("No job works on /a; there are no jobs.");
  });

  test("says how near it came, and what is unmet, when there is no way", () => {
    const problem = { state: counters({ a: 0 }), target: { counters: { a: 2 }, door: "open" }, jobs: COUNTER_JOBS };
    const made = plan(problem);
    expect(made).toMatchObject({ reached: false, bound: null, state: { counters: { a: 2 } } });
    expect(toSentences(made)).toEqual([
      "1. a + 1",
      "2. a + 1, after 1",
      'Not reached: /door should be "open"; it is not there.',
      `Every way was tried (${made.tries} tries).`,
    ]);
  });

  test.each([
    ["tries", { tries: 50 }],
    ["steps", { steps: 50 }],
  ])("says which bound ended the search: %s", (name, limits) => {
    const jobs: Job[] = [{ name: "away", path: "/n", effect: ({ value }) => Number(value) + 1 }];
    expect(plan({ state: { n: 1 }, target: { n: 0 }, jobs, limits })).toMatchObject({
      reached: false,
      bound: { name, limit: 50 },
    });
  });

  test("says that a bound ended the search of all goals at once, though each by itself was tried to the end", () => {
    const jobs: Job[] = [
      { name: "nothing", path: "/none", expand: () => [] },
      { name: "turn", path: "/:n", effect: ({ value }) => (Number(value) + 1) % 10 },
    ];
    const made = plan({ state: { a: 0, b: 0 }, target: { a: 99, b: 99 }, jobs, limits: { tries: 100 } });
    expect(made).toMatchObject({ reached: false, tries: 100, bound: { name: "tries", limit: 100 } });
  });

  test("has no more steps than it may, though they are at different places", () => {
    const made = plan({
      state: counters({ a: 0, b: 0, c: 0 }),
      target: counters({ a: 2, b: 2, c: 2 }),
      jobs: COUNTER_JOBS,
      limits: { steps: 4 },
    });
    expect(made.steps).toHaveLength(4);
    expect(made).toMatchObject({ reached: false, bound: { name: "steps", limit: 4 } });
  });

  test("counts each part of a compound job as a try", () => {
    const jobs: Job[] = [
      { name: "one", path: "/n", expand: twenty("two") },
      { name: "two", path: "/n", expand: twenty("three") },
      { name: "three", path: "/n", effect: ({ value }) => value },
    ];
    const made = plan({ state: { n: 0 }, target: { n: 1 }, jobs, limits: { tries: 100 } });
    expect(made).toMatchObject({ reached: false, tries: 100, bound: { name: "tries", limit: 100 } });
  });

  test("tells states apart by objects that are empty, and by names with slashes", () => {
    const drop: Job = {
      name: "drop",
      path: "/box",
      kind: "delete",
      when: ({ value }) => JSON.stringify(value) !== "{}",
      effect: () => undefined,
    };
    const fill: Job = { name: "fill", path: "/box/lid", kind: "initialise", effect: () => 1 };
    const emptied = { state: { box: {} }, target: { box: null }, jobs: [drop, fill] };
    expect(sentences(emptied)).toEqual(["1. fill /box/lid", "2. drop /box, after 1"]);
    const jobs: Job[] = [
      { name: "slash", path: "/a~1b", kind: "initialise", effect: () => 1 },
      { name: "below", path: "/a/b", kind: "initialise", effect: () => 1 },
      {
        name: "end",
        path: "/end",
        kind: "create",
        reads: ["/a"],
        when: ({ read }) => read("/a/b") === 1,
        effect: () => 1,
      },
    ];
    expect(sentences({ state: {}, target: { end: 1 }, jobs })).toEqual(["1. below /a/b", "2. end /end, after 1"]);
  });

  test.each<[string, string, string]>([
    ["nothing", "{}", '{"a":{"b":1}}'],
    ["a list", '{"a":[1]}', '{"a":{"b":1}}'],
    ["a value", '{"a":5}', '{"a":{"b":{"c":1}}}'],
  ])("leaves %s as it is where no job leads below it", (_what, state, target) => {
    const made = plan({ state: JSON.parse(state) as Json, target: JSON.parse(target) as Json, jobs: COUNTER_JOBS });
    expect(JSON.stringify(made.state)).toBe(state);
  });

  test("ends loops between states, and compound jobs that come back to themselves or grow for ever", () => {
    const jobs: Job[] = [
      { name: "flip", path: "/lamp", effect: ({ value }) => (value === "on" ? "off" : "on") },
      { name: "again", path: "/lamp", expand: () => [{ job: "again" }] },
      { name: "grow", path: "/lamp", expand: ({ target }) => [{ job: "grow", target: `${target as string}!` }] },
    ];
    const made = plan({ state: { lamp: "on" }, target: { lamp: "green" }, jobs, trace: true });
    expect(made).toMatchObject({ reached: false, bound: null });
    expect(toDecisions(made).join("\n")).toContain("again at /lamp: it comes back to itself");
    expect(toDecisions(made).join("\n")).toContain("grow at /lamp: it expands without an end");
    expect(toDecisions(made).join("\n")).toContain("flip at /lamp: leads to a state that was looked at");
  });

  test("takes all of a compound job or nothing", () => {
    const jobs: Job[] = [
      {
        name: "both",
        path: "/pair",
        expand: () => [
          { job: "left", path: "/pair/left" },
          { job: "right", path: "/pair/right" },
        ],
      },
      { name: "left", path: "/pair/:side", when: ({ params }) => params["side"] === "left", effect: () => 1 },
      { name: "right", path: "/pair/:side", when: () => false, effect: () => 1 },
    ];
    const made = plan({ state: { pair: { left: 0, right: 0 } }, target: { pair: { left: 1, right: 1 } }, jobs });
    expect(made).toMatchObject({ reached: false, state: { pair: { left: 1, right: 0 } } });
    expect(made.steps.map(({ of }) => of)).toEqual([[]]);
  });

  test.each<[string, Job[]]>([
    ["an undeclared path", [{ name: "job", path: "/x", effect: ({ read }) => read("/y") }]],
    ["a throw", [{ name: "job", path: "/x", effect: () => JSON.parse("{") as Json }]],
    ["a part that is no job", [{ name: "job", path: "/x", expand: () => [{ job: "none" }] }]],
    ["a part at another place", [{ name: "job", path: "/x", expand: () => [{ job: "job", path: "/y" }] }]],
    [
      "a name taken twice",
      [
        { name: "job", path: "/x", effect: () => 1 },
        { name: "job", path: "/x", effect: () => 1 },
      ],
    ],
    ["a number that JSON has not", [{ name: "job", path: "/x", effect: () => Number.NaN }]],
    ["a value inside itself", [{ name: "job", path: "/x", effect: () => endless }]],
    ["a parameter that its path lacks", [{ name: "job", path: "/x", reads: ["/:y"], effect: () => 1 }]],
    ["a path without a slash", [{ name: "job", path: "x", effect: () => 1 }]],
  ])("names the job at fault: %s", (_what, jobs) => {
    expect(() => plan({ state: { x: 0 }, target: { x: 1 }, jobs })).toThrow(JobFault);
  });

  test("does not meet names that JavaScript knows, and changes nothing that it was given", () => {
    const state = Object.freeze({ counters: Object.freeze({ constructor: 0, toString: 0 }) });
    const made = plan({ state, target: counters({ constructor: 1 }), jobs: COUNTER_JOBS });
    expect(made).toMatchObject({ reached: true });
    expect(state).toEqual({ counters: { constructor: 0, toString: 0 } });
    expect(plan({ state: {}, target: { counters: { hasOwnProperty: null } }, jobs: COUNTER_JOBS }).steps).toEqual([]);
  });

  test("keeps a name __proto__ as any other, of a place and of a parameter", () => {
    const jobs: Job[] = [{ name: "set", path: "/:__proto__/:x", kind: "any", effect: ({ target }) => target }];
    const [state, target] = ['{"__proto__":{"x":0}}', '{"__proto__":{"x":1}}'];
    const made = plan({ state: JSON.parse(state) as Json, target: JSON.parse(target) as Json, jobs });
    expect(JSON.stringify([made.state, made.steps[0]?.params])).toBe(`[${target},{"__proto__":"__proto__","x":"x"}]`);
  });

  test("takes no job to a name that is empty, whose pointer is that of the whole", () => {
    const jobs: Job[] = [{ name: "set", path: "/:x", kind: "any", effect: ({ target }) => target }];
    expect(plan({ state: { "": 0, a: 0 }, target: { "": 1 }, jobs })).toMatchObject({ reached: false, steps: [] });
  });
});

describe("planAsync()", () => {
  test("makes the same plan with jobs that answer later, and plan() refuses those", async () => {
    const later = COUNTER_JOBS.map((job): Job => {
      const when = job.when;
      return { ...job, when: async (context) => (await when?.(context)) ?? true };
    });
    const problem = { state: counters({ a: 0, b: 5 }), target: counters({ a: 3, b: 2 }) };
    expect(await planAsync({ ...problem, jobs: later })).toEqual(plan({ ...problem, jobs: COUNTER_JOBS }));
    expect(() => plan({ ...problem, jobs: later })).toThrow(TypeError);
    const broken: Job[] = [{ name: "job", path: "/x", effect: async () => Promise.reject(new Error("no")) }];
    await expect(planAsync({ state: { x: 0 }, target: { x: 1 }, jobs: broken })).rejects.toBeInstanceOf(JobFault);
  });
});

test("planAsync() lets others have a turn while it searches long", async () => {
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 0);
  const jobs: Job[] = [{ name: "away", path: "/n", effect: async ({ value }) => Number(value) + 1 }];
  await planAsync({ state: { n: 1 }, target: { n: 0 }, jobs, limits: { tries: 3_000 } });
  clearInterval(timer);
  expect(turns).toBeGreaterThan(0);
});

test("toDecisions() tells of the first that was tried where that was much, and deep", () => {
  const jobs: Job[] = [{ name: "away", path: "/n", effect: ({ value }) => Number(value) + 1 }];
  const limits = { tries: 12_000, steps: 12_000 };
  const lines = toDecisions(plan({ state: { n: 1 }, target: { n: 0 }, jobs, limits, trace: true }));
  expect(lines).toHaveLength(10_001);
  expect(lines.at(-1)).toBe("and 2001 lines more");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(200);
});

describe("toMermaid()", () => {
  test("draws each step and arrow, whatever a description holds", () => {
    const jobs: Job[] = [
      { name: "job", path: "/:x", kind: "any", effect: ({ target }) => target, describe: () => 'say "<hi>"\n' },
    ];
    expect(toMermaid(plan({ state: {}, target: { x: 1 }, jobs }))).toBe('graph LR\n  s0["say &quot;&lt;hi>&quot; "]');
  });
});

/** Random worlds: counters that may be capped by others, chains of doors, blocks. */
const WORLD: Job[] = [
  ...COUNTER_JOBS,
  {
    name: "open",
    path: "/doors/:door",
    kind: "any",
    reads: ["/doors"],
    when: ({ params, read }) => {
      const doors = read("/doors") as Record<string, Json>;
      const before = Number(params["door"]) - 1;
      return doors[String(before)] === undefined || doors[String(before)] === "open";
    },
    effect: () => "open",
  },
  { name: "shut", path: "/doors/:door", when: ({ target }) => target === "shut", effect: () => "shut" },
  { name: "note", path: "/notes/:note", kind: "any", effect: ({ target }) => target },
];

const small = fc.integer({ min: 0, max: 6 });
const world = fc.record({
  counters: fc.dictionary(fc.constantFrom("a", "b", "c"), small),
  doors: fc.dictionary(fc.constantFrom("1", "2", "3", "4"), fc.constantFrom("open", "shut")),
  notes: fc.dictionary(fc.constantFrom("x", "y"), fc.oneof(small, fc.constantFrom("hi", true))),
});
const problems = fc.record({ state: world, target: world, jobs: fc.constant(WORLD) });

describe("every plan", () => {
  const given = { numRuns: 300 };

  test("leads where it says, in any order that its arrows allow", () => {
    fc.assert(
      fc.property(problems, fc.infiniteStream(fc.nat()), (problem, choices) => {
        const made = plan(problem);
        expect(replay(problem, made)).toEqual(made.state);
        expect(replay(problem, made, () => choices.next().value ?? 0)).toEqual(made.state);
      }),
      given,
    );
  });

  test("has no two steps at once of which one touches what the other reads or writes", () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const { steps } = plan(problem);
        const before = ancestors(steps);
        for (const a of steps) {
          for (const b of steps) {
            if (a.id >= b.id || before[b.id]?.has(a.id)) continue;
            expect(touches(a.writes, [...b.reads, ...b.writes]) || touches(b.writes, a.reads)).toBe(false);
          }
        }
      }),
      given,
    );
  });

  test("needs each of its steps, or says why it is not known to", () => {
    fc.assert(
      fc.property(problems, (problem) => {
        expect(faultsOf(problem)).toEqual([]);
      }),
      given,
    );
  });

  test("is the same each time, byte for byte", () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const again = structuredClone({ state: problem.state, target: problem.target });
        expect(JSON.stringify(plan({ ...again, jobs: WORLD }))).toBe(JSON.stringify(plan(problem)));
      }),
      given,
    );
  });
});

function ancestors(steps: Plan["steps"]): Set<number>[] {
  const all: Set<number>[] = [];
  for (const { id, needs } of steps) {
    const own = new Set(needs);
    for (const need of needs) for (const earlier of all[need] ?? []) own.add(earlier);
    all[id] = own;
  }
  return all;
}

function touches(one: readonly string[], other: readonly string[]): boolean {
  return one.some((x) => other.some((y) => `${x}/`.startsWith(`${y}/`) || `${y}/`.startsWith(`${x}/`)));
}
