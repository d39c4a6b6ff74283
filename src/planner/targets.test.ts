/** What a target can ask for, and what jobs for any place, wildcard and initialise, are tried at: a table each. */
import { describe, expect, test } from "vitest";
import { toSentences } from "./explain.ts";
import type { Job } from "./job.ts";
import { withTarget } from "./goals.ts";
import type { Json, Value } from "./json.ts";
import { plan, type Plan } from "./plan.ts";
import { faultsOf } from "./_replay.test-util.ts";

/** One job a sort of change, at two depths. */
const JOBS: Job[] = ["/:x/:y", "/:x"].flatMap((path, at): Job[] => {
  const what = at === 0 ? "" : "all of ";
  return [
    { name: `add${at}`, path, kind: "create", effect, describe: saying(`add ${what}`) },
    { name: `set${at}`, path, kind: "update", effect, describe: saying(`set ${what}`) },
    { name: `drop${at}`, path, kind: "delete", effect: () => undefined, describe: saying(`drop ${what}`) },
  ];
});

function effect({ value, target }: { value: Value; target: Value }): Value {
  return withTarget(value, target);
}

function saying(verb: string): NonNullable<Job["describe"]> {
  return ({ params }) => `${verb}${Object.values(params).join(".")}`;
}

/** In order, without what waits for what. */
function toDo(made: Plan): string[] {
  return made.steps.map(({ description }) => description);
}

describe("a target", () => {
  const lamps = { lamps: { a: "off", b: "on" } };
  test.each<[string, Json, Json, string[]]>([
    ["* asks the same of all that is there", lamps, { lamps: { "*": "on" } }, ["set lamps.a"]],
    [
      "* of * asks it of all that is in all",
      { p: { a: 0, b: 1 }, q: { c: 0 } },
      { "*": { "*": 1 } },
      ["set p.a", "set q.c"],
    ],
    [
      "a name beside * has a wish of its own",
      lamps,
      { lamps: { "*": "on", b: "off" } },
      ["set lamps.b", "set lamps.a"],
    ],
    ["a name beside * need not be there", lamps, { lamps: { "*": "on", c: "on" } }, ["add lamps.c", "set lamps.a"]],
    ["null takes away", lamps, { lamps: { a: null } }, ["drop lamps.a"]],
    ["null takes away all below", lamps, { lamps: null }, ["drop all of lamps"]],
    ["null of * takes away all that is there", lamps, { lamps: { "*": null } }, ["drop lamps.a", "drop lamps.b"]],
    ["null of * leaves what has a wish of its own", lamps, { lamps: { "*": null, b: "on" } }, ["drop lamps.a"]],
    ["a name may go where the others stay", lamps, { lamps: { "*": "on", b: null } }, ["drop lamps.b", "set lamps.a"]],
    ["what is not there need not go", lamps, { lamps: { z: null }, doors: null }, []],
    ["* where nothing is asks for nothing", { lamps: {} }, { lamps: { "*": "on" }, doors: { "*": "shut" } }, []],
    [
      "{} asks for something to be in",
      { a: { x: 1 }, b: 1 },
      { a: {}, b: {}, c: {} },
      ["set all of b", "add all of c"],
    ],
    ["what is no object makes room for one", { a: 1 }, { a: { x: 1 } }, ["add a.x"]],
    ["a list is one value", { a: { x: [1, 2] } }, { a: { x: [2, 1] } }, ["set a.x"]],
    ["the same list is left alone", { a: { x: [1, { y: 2 }] } }, { a: { x: [1, { y: 2 }] } }, []],
    ["names of JavaScript's are names", {}, { a: { constructor: 1 } }, ["add a.constructor"]],
    ["a slash and a tilde in a name stay in it", { a: { "x/~y": 0 } }, { a: { "x/~y": 1 } }, ["set a.x/~y"]],
  ])("%s", (_what, state, target, steps) => {
    const problem = { state, target, jobs: JOBS };
    const made = plan(problem);
    expect(made).toMatchObject({ reached: true, unmet: [] });
    expect(toDo(made)).toEqual(steps);
    expect(faultsOf(problem)).toEqual([]);
  });

  test.each<[string, Json | undefined, Json | undefined, Json | undefined]>([
    ["stays but for what is named", { a: 1, b: { c: 2, d: 3 } }, { b: { c: null, e: 4 } }, { a: 1, b: { d: 3, e: 4 } }],
    ["is all of it where * says so", { a: 1, b: 2, c: 3 }, { "*": 0, c: null }, { a: 0, b: 0 }],
    ["has no member * where nothing is", undefined, { "*": 1 }, {}],
    ["gives way to an object", 1, { a: { b: null } }, { a: {} }],
    ["goes", { a: 1 }, null, undefined],
    [
      "takes a name of JavaScript's as its own",
      {},
      JSON.parse('{"__proto__": 1}') as Json,
      JSON.parse('{"__proto__": 1}') as Json,
    ],
  ])("applied to a value: it %s", (_what, value, target, after) => {
    expect(JSON.stringify(withTarget(value, target))).toBe(JSON.stringify(after));
  });

  test("* asks nothing of what has gone, and as much of what came on the way", () => {
    const jobs: Job[] = [
      { name: "throw", path: "/lamps/:x", kind: "wildcard", when: isBroken, effect: () => undefined },
      { name: "buy", path: "/shop", expand: () => [{ job: "sell" }, { job: "hang", path: "/lamps/new" }] },
      { name: "sell", path: "/shop", effect: () => "empty" },
      {
        name: "hang",
        path: "/lamps/:x",
        kind: "initialise",
        when: ({ params }) => params["x"] === "new",
        effect: () => 0,
      },
      { name: "light", path: "/lamps/:x", when: (context) => !isBroken(context), effect: () => 1 },
    ];
    const state = { lamps: { a: 1, b: "broken" }, shop: "full" };
    const made = plan({ state, target: { lamps: { "*": 1 }, shop: "empty" }, jobs });
    expect(made).toMatchObject({ reached: true });
    expect(made.state).toEqual({ lamps: { a: 1, new: 1 }, shop: "empty" });
  });

  test("that something goes is unmet while it is there, and says so", () => {
    const made = plan({ state: { a: 1, b: { c: 2 } }, target: { a: null, b: { "*": null } }, jobs: [] });
    expect(toSentences(made)).toEqual([
      "Not reached: /a should be gone; it is 1.",
      "Not reached: /b/c should be gone; it is 2.",
      "Every way was tried (0 tries).",
    ]);
  });
});

describe("a job for any place", () => {
  /** Opens what the target asks for, if all that its place names is warm. */
  const open: Job = {
    name: "open",
    path: "/open",
    kind: "any",
    reads: ["/rooms"],
    when: ({ read }) => isWarm(read("/rooms")),
    effect: ({ target }) => target,
    describe: () => "open",
  };
  const isWarm = (value: unknown): boolean =>
    typeof value === "object" && value !== null ? Object.values(value).every(isWarm) : value === "warm";
  const heat = { effect: () => "warm" as const, describe: saying("heat ") };

  test.each<[string, Partial<Job>, Json, string[] | undefined]>([
    [
      "wildcard: whatever is there",
      { kind: "wildcard", path: "/rooms/:room" },
      { hall: "cold", bath: "cold" },
      ["heat hall", "heat bath", "open"],
    ],
    [
      "wildcard: only what is not as it makes it",
      { kind: "wildcard", path: "/rooms/:room" },
      { hall: "warm", bath: "cold" },
      ["heat bath", "open"],
    ],
    [
      "wildcard: every parameter by itself",
      { kind: "wildcard", path: "/rooms/:room/:part" },
      { hall: { n: "cold", s: "warm" }, bath: { n: "cold" } },
      ["heat hall.n", "heat bath.n", "open"],
    ],
    [
      "wildcard: a parameter twice is one name",
      { kind: "wildcard", path: "/rooms/:room/:room" },
      { hall: { hall: "cold" }, bath: { bath: "warm", hall: "warm" } },
      ["heat hall", "open"],
    ],
    [
      "wildcard: not what is not there",
      { kind: "wildcard", path: "/rooms/hall/heater" },
      { hall: { wall: "cold" } },
      undefined,
    ],
    ["wildcard: nothing below a value", { kind: "wildcard", path: "/rooms/:room/:part" }, { hall: "cold" }, undefined],
    ["update: not where the target is silent", { kind: "update", path: "/rooms/:room" }, { hall: "cold" }, undefined],
    ["initialise: not where something is", { kind: "initialise", path: "/rooms/:room" }, { hall: "cold" }, undefined],
  ])("%s", (_what, job, rooms, steps) => {
    const problem = {
      state: { rooms, open: false },
      target: { open: true },
      jobs: [open, { name: "heat", ...heat, ...job } as Job],
    };
    const made = plan(problem);
    expect(made.reached).toBe(steps !== undefined);
    expect(toDo(made)).toEqual(steps ?? []);
    expect(faultsOf(problem)).toEqual([]);
  });

  /** Builds in a room what the target wants there; the room must have been founded. */
  const build: Job = {
    name: "build",
    path: "/things/:room",
    kind: "create",
    reads: ["/rooms/:room"],
    when: ({ read, params }) => read(`/rooms/${params["room"]}`) !== undefined,
    effect: ({ target }) => target,
    describe: saying("build in "),
  };

  test.each<[string, Partial<Job>, Json, Json, string[]]>([
    ["initialise: a fixed place", { path: "/rooms/hall" }, {}, { things: { hall: 1 } }, ["found ", "build in hall"]],
    [
      "initialise: what the target names",
      { path: "/rooms/:room" },
      {},
      { rooms: { hall: {} }, things: { hall: 1 } },
      ["found hall", "build in hall"],
    ],
    [
      "initialise: only what is not there",
      { path: "/rooms/:room" },
      { rooms: { hall: "old" } },
      { things: { hall: 1 } },
      ["build in hall"],
    ],
    [
      "initialise: below what is there",
      { path: "/rooms/:room/door" },
      { rooms: { hall: {} }, things: {} },
      { rooms: { hall: { door: "oak" } } },
      ["found hall"],
    ],
  ])("%s", (_what, job, state, target, steps) => {
    const found = { name: "found", kind: "initialise", effect: foundation, describe: saying("found "), ...job } as Job;
    const problem = { state, target, jobs: [build, found] };
    const made = plan(problem);
    expect(made).toMatchObject({ reached: true, unmet: [] });
    expect(toDo(made)).toEqual(steps);
    expect(faultsOf(problem)).toEqual([]);
  });

  test("gives a wildcard the wish of a key * for its place", () => {
    const jobs: Job[] = [{ name: "paint", path: "/walls/:wall", kind: "wildcard", effect: ({ target }) => target }];
    const problem = { state: { walls: { n: "white", s: "grey" } }, target: { walls: { "*": "blue", s: "red" } }, jobs };
    expect(plan(problem)).toMatchObject({ reached: true, state: { walls: { n: "blue", s: "red" } } });
  });
});

function isBroken({ value }: { value: Value }): boolean {
  return value === "broken";
}

function foundation({ target }: { target: unknown }): Json {
  return (target as Json | undefined) ?? {};
}
