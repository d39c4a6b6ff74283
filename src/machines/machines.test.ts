import * as fc from "fast-check";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import {
  COMPARISONS,
  FACTS,
  StateMachineSchema,
  type Fact,
  type Requirement,
  type StateMachine,
} from "../model/state-machines.ts";
import { analyse, type Finding } from "./analyse.ts";
import { toMermaid, toText } from "./diagram.ts";
import { evaluate, inThePast, type Facts } from "./evaluate.ts";
import { READY_MADE } from "./ready-made.ts";
import { both, regionOf, witnessOf, type Witness } from "./regions.ts";

const NOON = Date.parse("2026-11-29T12:00:00Z");
const nobody = async (): Promise<undefined> => undefined;
const holds = async (requirement: Requirement, facts: Partial<Facts>): Promise<boolean | undefined> =>
  (await evaluate(requirement, { now: NOON, ...facts }, nobody)).holds;

type Short = [name: string, from: string, to: string, when: Requirement, scaleBy?: number];
function machine(states: Record<string, number | null | "kept" | "both">, transitions: readonly Short[]): StateMachine {
  return v.parse(StateMachineSchema, {
    name: "demo",
    initial: Object.keys(states)[0],
    states: Object.fromEntries(
      Object.entries(states).map(([name, is]) => [
        name,
        typeof is === "string" ? { replicas: 1, revision: is } : { replicas: is },
      ]),
    ),
    transitions: transitions.map(([name, from, to, when, scaleBy]) => ({
      name,
      from,
      to,
      when,
      scale_by: scaleBy ?? null,
    })),
  });
}
const is = (fact: Fact, op: (typeof COMPARISONS)[number], value: number | boolean | string): Requirement => ({
  fact,
  op,
  value,
});
/** Thirty-two boxes, and never the same ones. */
const wide = (at: number): Requirement => ({
  all: [0, 1, 2, 3, 4].map((part) => ({
    any: [0, 1].map((other) => {
      const value = 10 * at + 2 * part + other;
      return { all: [is("waiting", "!=", value), is("requests_per_second", "!=", value)] };
    }),
  })),
});
const kinds = (found: readonly Finding[]): string[] => found.map(({ kind, pointer }) => `${kind} ${pointer}`);

describe("analyse()", () => {
  test.each(READY_MADE.map((each) => [each.name, each] as const))("finds nothing wrong with %s", (_name, ready) => {
    expect(v.parse(StateMachineSchema, ready)).toEqual(ready);
    expect(analyse(ready).filter(({ severity }) => severity === "error")).toEqual([]);
  });

  test.each<[string, StateMachine, string[]]>([
    [
      "a state that nothing leads to",
      machine({ a: 0, b: 1, c: 1 }, [
        ["go", "a", "b", is("waiting", ">", 0)],
        ["back", "b", "a", is("idle_seconds", ">", 9)],
      ]),
      ["unreachable /states/c"],
    ],
    [
      "a state that nothing leads out of",
      machine({ a: 0, b: 1 }, [["go", "a", "b", is("waiting", ">", 0)]]),
      ["trap /states/b"],
    ],
    [
      "a guard that can never hold",
      machine({ a: 0, b: 1 }, [
        ["go", "a", "b", { all: [is("waiting", ">", 3), is("waiting", "<", 4)] }],
        ["back", "b", "a", is("cpu", "=", 0)],
      ]),
      ["never /transitions/0/when", "unreachable /states/b", "trap /states/a"],
    ],
    [
      "a guard against what its state says",
      machine({ a: 0, b: null }, [
        ["go", "a", "b", is("replicas", ">", 0)],
        ["back", "b", "a", is("cpu", "=", 0)],
      ]),
      ["never /transitions/0/when", "unreachable /states/b", "trap /states/a"],
    ],
    [
      "two ways out at once",
      machine({ a: 0, b: 1, c: 2 }, [
        ["one", "a", "b", is("waiting", ">", 0)],
        ["two", "a", "c", is("waiting", ">", 10)],
        ["back", "b", "a", is("idle_seconds", ">", 9)],
        ["home", "c", "a", is("idle_seconds", ">", 9)],
      ]),
      ["overlap /transitions/1/when"],
    ],
    [
      "to and fro between two states",
      machine({ a: 0, b: 1 }, [
        ["go", "a", "b", is("cpu", ">", 0.5)],
        ["back", "b", "a", is("cpu", "<", 0.6)],
      ]),
      ["flapping /transitions/1/when"],
    ],
    [
      "to and fro by scaling",
      machine({ a: null }, [
        ["out", "a", "a", is("requests_per_second", ">", 10), 1],
        ["in", "a", "a", is("requests_per_second", "<=", 10), -1],
        ["in_more", "a", "a", is("requests_per_second", "<", 20), -2],
      ]),
      ["overlap /transitions/2/when", "overlap /transitions/2/when", "flapping /transitions/2/when"],
    ],
    [
      "to and fro by scaling, one replica further",
      machine({ a: null }, [
        ["out", "a", "a", { all: [is("replicas", "=", 1), is("cpu", ">", 0.5)] }, 1],
        ["in", "a", "a", { all: [is("replicas", "=", 2), is("cpu", "<", 0.6)] }, -1],
      ]),
      ["flapping /transitions/1/when"],
    ],
    [
      "nothing where scaling does not lead to where it is undone",
      machine({ a: null }, [
        ["out", "a", "a", { all: [is("replicas", "=", 1), is("cpu", ">", 0.5)] }, 1],
        ["in", "a", "a", { all: [is("replicas", "=", 3), is("cpu", "<", 0.6)] }, -1],
      ]),
      [],
    ],
    [
      "a round through three states",
      machine({ a: 0, b: 1, c: 2 }, [
        ["one", "a", "b", is("cpu", ">", 0.3)],
        ["two", "b", "c", is("cpu", ">", 0.5)],
        ["three", "c", "a", is("cpu", "<", 0.7)],
      ]),
      ["flapping /transitions/2/when"],
    ],
    [
      "nothing wrong with a round that no facts go through",
      machine({ a: 0, b: 1, c: 2 }, [
        ["one", "a", "b", is("cpu", ">", 0.3)],
        ["two", "b", "c", is("cpu", ">", 0.5)],
        ["three", "c", "a", is("cpu", "<", 0.4)],
      ]),
      [],
    ],
    [
      "to and fro by what the change itself makes healthy",
      machine({ a: 1, b: 2 }, [
        ["go", "a", "b", is("healthy", "=", false)],
        ["back", "b", "a", is("healthy", "=", true)],
      ]),
      ["flapping /transitions/1/when"],
    ],
    [
      "nothing wrong with that between states that run the same",
      machine({ a: 1, b: 1 }, [
        ["go", "a", "b", is("healthy", "=", false)],
        ["back", "b", "a", is("healthy", "=", true)],
      ]),
      [],
    ],
    [
      "to and fro by time alone between states that run the same",
      machine({ a: 1, b: 1 }, [
        ["go", "a", "b", is("seconds_in_state", ">=", 5)],
        ["back", "b", "a", is("seconds_in_state", ">", 9)],
      ]),
      ["flapping /transitions/1/when"],
    ],
    [
      "to and fro by a candidate that the state itself starts",
      machine({ a: "kept", b: "both" }, [
        ["go", "a", "b", is("new_revision", "=", true)],
        ["back", "b", "a", is("candidate_healthy", "=", true)],
      ]),
      ["flapping /transitions/1/when"],
    ],
    [
      "a candidate that is not new",
      machine({ a: "kept", b: "both" }, [
        ["go", "a", "b", { all: [is("new_revision", "=", false), is("candidate_healthy", "=", true)] }],
        ["back", "b", "a", is("waiting", ">", 9)],
      ]),
      ["never /transitions/0/when", "unreachable /states/b", "trap /states/a"],
    ],
    [
      "states that are none",
      machine({ a: 0 }, [["go", "a", "b", is("waiting", ">", 0)]]),
      ["unknown_state /transitions/0/to"],
    ],
    [
      "a name taken twice",
      machine({ a: 0, b: 1 }, [
        ["go", "a", "b", is("waiting", ">", 0)],
        ["go", "b", "a", is("idle_seconds", ">", 9)],
      ]),
      ["duplicate_transition /transitions/1/name"],
    ],
    [
      "scaling where the number is fixed",
      machine({ a: 1 }, [["out", "a", "a", is("cpu", ">", 0.5), 1]]),
      ["misplaced_scale /transitions/0/scale_by"],
    ],
    [
      "a transition to nowhere",
      machine({ a: 1 }, [["stay", "a", "a", is("cpu", ">", 0.5)]]),
      ["misplaced_scale /transitions/0/to"],
    ],
    [
      "what hangs on an operation",
      machine({ a: 0, b: 1 }, [
        ["go", "a", "b", { operation: "ask", input: {} }],
        ["back", "b", "a", is("idle_seconds", ">", 9)],
      ]),
      ["not_analysed /transitions/0/when"],
    ],
  ])("finds %s", (_what, wrong, expected) => {
    expect(kinds(analyse(wrong))).toEqual(expected);
  });

  test("gives facts for which it is so, and they are", async () => {
    const wrong = machine({ a: 0, b: 1 }, [
      ["go", "a", "b", { any: [is("cpu", ">", 0.5), is("waiting", ">", 2)] }],
      ["back", "b", "a", is("cpu", "<=", 0.6)],
    ]);
    const [found] = analyse(wrong);
    expect(found?.kind).toBe("flapping");
    for (const { when } of wrong.transitions) expect(await holds(when, found?.witness as Facts)).toBe(true);
    expect(found?.detail).toContain("both hold for");
  });

  test("says where it goes round, and for which facts", () => {
    const round = machine({ a: 0, b: 1, c: 2 }, [
      ["one", "a", "b", is("cpu", ">", 0.3)],
      ["two", "b", "c", is("cpu", ">=", 0.5)],
      ["three", "c", "a", is("cpu", "<", 0.7)],
    ]);
    expect(analyse(round).map(({ detail }) => detail)).toEqual([
      '"one", "two" and "three" must not send it round through "a", "b" and "c"; all hold for cpu = 0.5',
    ]);
    const scaling = machine({ a: null }, [
      ["out", "a", "a", { all: [is("replicas", "=", 1), is("cpu", ">=", 0.5)] }, 1],
      ["in", "a", "a", { all: [is("replicas", "=", 2), is("cpu", "<", 0.6)] }, -1],
    ]);
    expect(analyse(scaling).map(({ detail }) => detail)).toEqual([
      '"out" and "in" must not send it to and fro in "a"; one undoes the other for replicas = 1, cpu = 0.5',
    ]);
  });

  test("says so where there is too much to be looked through", () => {
    const names = Array.from({ length: 16 }, (_, at) => `s${at}`);
    const all = names.flatMap((from) => names.filter((to) => to !== from).map((to): [string, string] => [from, to]));
    const tangle = machine(
      Object.fromEntries(names.map((name) => [name, 1])),
      all.map(([from, to]): Short => [`${from}_${to}`, from, to, is("cpu", "=", Number(to.slice(1)) / 100)]),
    );
    // Only guards that meet are followed; here all do.
    for (const transition of tangle.transitions) transition.when = is("cpu", ">", 0);
    const found = analyse(tangle).filter(({ pointer }) => pointer === "/transitions");
    expect(kinds(found)).toEqual(["not_analysed /transitions"]);
  });

  test.each([
    ["to other states", (at: number): Short => [`t${at}`, "a", at % 2 === 0 ? "b" : "c", wide(at)]],
    ["that scale", (at: number): Short => [`t${at}`, "a", "a", wide(at), at % 2 === 0 ? 1 : -1]],
  ])("gives up on ways out of a state that ask too much, %s", (_what, way) => {
    const found = analyse(
      machine(
        { a: null, b: 0, c: 0 },
        Array.from({ length: 25 }, (_, at) => way(at)),
      ),
    );
    expect(kinds(found)).toContain("not_analysed /transitions");
  });

  test("takes many values of one fact as one", () => {
    const values = Array.from({ length: 32 }, (_, at) => is("waiting", "=", at * 2 + 1));
    const region = regionOf({ any: [...values, is("waiting", ">", 60)] });
    expect(region).toHaveLength(1);
    expect(witnessOf(both(region ?? [], regionOf(is("waiting", "<", 4)) ?? []) ?? [])).toEqual({ waiting: 1 });
    expect(both(region ?? [], regionOf(is("waiting", "=", 4)) ?? [])).toEqual([]);
  });

  test("knows that who waits is not idle", () => {
    const fine = machine({ a: 0, b: 1 }, [
      ["go", "a", "b", is("waiting", ">", 0)],
      ["back", "b", "a", is("idle_seconds", ">", 0)],
    ]);
    expect(analyse(fine)).toEqual([]);
  });

  test.each([
    ["08:00", "18:00", "17:30", "19:00"],
    ["22:00", "06:00", "05:00", "23:00"],
  ])("tells %s to %s apart from the time after", (from, until, inside, _outside) => {
    const day: Requirement = { fact: "time_of_day", between: [from, until], time_zone: "UTC" };
    const night: Requirement = { fact: "time_of_day", between: [until, from], time_zone: "UTC" };
    expect(both(regionOf(day) ?? [], regionOf(night) ?? [])).toEqual([]);
    expect(both(regionOf(day) ?? [], regionOf(is("time_of_day", "=", inside)) ?? [])).toHaveLength(1);
  });
});

describe("evaluate()", () => {
  test.each<[Requirement, Partial<Facts>, boolean | undefined]>([
    [is("waiting", ">", 0), { waiting: 1 }, true],
    [is("waiting", ">", 0), {}, undefined],
    [{ not: is("cpu", "<", 0.5) }, {}, undefined],
    [{ all: [is("waiting", ">", 0), is("cpu", "<", 1)] }, { waiting: 0 }, false],
    [{ all: [is("waiting", ">", 0), is("cpu", "<", 1)] }, { waiting: 1 }, undefined],
    [{ any: [is("waiting", ">", 0), is("cpu", "<", 1)] }, { waiting: 1 }, true],
    [{ all: [] }, {}, true],
    [is("healthy", "=", true), { healthy: false }, false],
    [{ fact: "time_of_day", between: ["11:59", "12:01"], time_zone: "UTC" }, {}, true],
    [{ fact: "time_of_day", between: ["22:00", "06:00"], time_zone: "Asia/Tokyo" }, {}, false],
    [{ fact: "time_of_day", between: ["20:00", "22:00"], time_zone: "Asia/Tokyo" }, {}, true],
    [{ fact: "time_of_day", between: ["20:00", "22:00"], time_zone: "Mars/Utopia" }, {}, undefined],
    [is("time_of_day", ">=", "12:00"), {}, true],
  ])("%j of %j is %s", async (requirement, facts, expected) => {
    expect(await holds(requirement, facts)).toBe(expected);
  });

  test("says what it found, and asks nobody when the facts have decided", async () => {
    const asked: unknown[] = [];
    const ask = async (leaf: unknown): Promise<boolean> => {
      asked.push(leaf);
      return true;
    };
    const requirement: Requirement = { all: [is("waiting", ">", 0), { operation: "ready", input: {} }] };
    expect(await evaluate(requirement, { now: NOON, waiting: 0 }, ask)).toEqual({
      holds: false,
      because: ["waiting > 0: it is 0"],
    });
    expect(asked).toEqual([]);
    expect((await evaluate(requirement, { now: NOON, waiting: 2 }, ask)).because).toEqual([
      "waiting > 0: it is 2",
      "ready: it says true",
    ]);
  });
});

describe("toMermaid()", () => {
  test("draws states, guards and where it is", () => {
    const [hotCold] = READY_MADE;
    expect(toMermaid(hotCold as StateMachine, "hot").split("\n")).toEqual([
      "stateDiagram-v2",
      "  [*] --> s_cold",
      '  state "cold (0)" as s_cold',
      '  state "hot (1)" as s_hot',
      "  s_cold --> s_hot: warm_up [waiting > 0]",
      "  s_hot --> s_cold: cool_down [idle_seconds >= 300]",
      "  classDef current font-weight:bold,stroke-width:3px",
      "  class s_hot current",
    ]);
  });
});

test("toMermaid() says which revisions a state runs", () => {
  const drawn = toMermaid(machine({ a: "kept", b: "both" }, []));
  expect(drawn).toContain('state "a (1, kept)" as s_a');
  expect(drawn).toContain('state "b (1, both)" as s_b');
});

describe("toText()", () => {
  test("draws states, ways and where it is", () => {
    const drawn = machine({ cold: 0, hot: null, beside: "both" }, [
      ["warm_up", "cold", "hot", is("waiting", ">", 0)],
      ["out", "hot", "hot", is("cpu", ">", 0.5), 2],
      ["try", "hot", "beside", { any: [is("new_revision", "=", true), { operation: "ask", input: {} }] }],
      ["end", "beside", "cold", is("idle_seconds", ">=", 300)],
    ]);
    for (const transition of drawn.transitions) if (transition.name === "out") transition.cooldown_s = 30;
    expect(toText(drawn, "hot").split("\n")).toEqual([
      "┌───────────────────────────────────────────┐",
      "│ cold  0 replicas                          │  it begins here",
      "└───────────────────────────────────────────┘",
      "  └─▶ hot  (warm_up)",
      "        waiting > 0",
      "",
      "╔═══════════════════════════════════════════╗",
      "║ hot  replicas as scaled                   ║  it is here",
      "╚═══════════════════════════════════════════╝",
      "  ├─▶ hot +2  (out, then not for 30 s)",
      "  │     cpu > 0.5",
      "  └─▶ beside  (try)",
      "        new_revision = true or ask()",
      "",
      "┌───────────────────────────────────────────┐",
      "│ beside  1 replica, new revision beside it │",
      "└───────────────────────────────────────────┘",
      "  └─▶ cold  (end)",
      "        idle_seconds >= 300",
    ]);
  });

  test("is not wider than a terminal, and hides what would move its cursor", () => {
    const wide = machine({ a: 1, b: 1 }, [
      ["go", "a", "b", { any: Array.from({ length: 9 }, (_, at) => is("requests_per_second", ">", at)) }],
      ["back", "b", "a", { expression: `cpu > 0.5 and ${"(replicas < 3 or healthy) and ".repeat(9)}\u001B[2Jtrue` }],
    ]);
    for (const each of [wide, ...READY_MADE]) {
      const text = toText(each);
      expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
      expect(text).not.toContain("\u001B");
    }
  });
});

const leaf = fc.oneof(
  fc.record({
    fact: fc.constantFrom("waiting", "replicas"),
    op: fc.constantFrom(...COMPARISONS),
    value: fc.integer({ min: -1, max: 4 }),
  }),
  fc.record({
    fact: fc.constantFrom("cpu", "idle_seconds"),
    op: fc.constantFrom(...COMPARISONS),
    value: fc.constantFrom(-0.5, 0, 0.25, 0.5, 1, 2),
  }),
  fc.record({
    fact: fc.constantFrom("healthy", "new_revision", "candidate_healthy"),
    op: fc.constantFrom("=", "!="),
    value: fc.boolean(),
  }),
);
const requirements = fc.letrec<{ requirement: Requirement }>((tie) => ({
  requirement: fc.oneof(
    { depthSize: "small" },
    leaf as fc.Arbitrary<Requirement>,
    fc.record({ not: tie("requirement") }),
    fc.record({ all: fc.array(tie("requirement"), { maxLength: 3 }) }),
    fc.record({ any: fc.array(tie("requirement"), { minLength: 1, maxLength: 3 }) }),
  ),
})).requirement;
const facts = fc.record({
  waiting: fc.integer({ min: 0, max: 5 }),
  replicas: fc.integer({ min: 0, max: 5 }),
  cpu: fc.constantFrom(0, 0.1, 0.25, 0.3, 0.5, 0.7, 1),
  idle_seconds: fc.constantFrom(0, 0.25, 0.4, 1, 1.5, 3),
  healthy: fc.boolean(),
  new_revision: fc.boolean(),
  candidate_healthy: fc.boolean(),
});

describe("a requirement's region", () => {
  test("has an example exactly where the requirement can hold", async () => {
    await fc.assert(
      fc.asyncProperty(requirements, facts, async (requirement, world) => {
        const region = regionOf(requirement);
        if (region === undefined) return;
        const witness = witnessOf(region);
        if (witness !== undefined) expect(await holds(requirement, { ...filled(witness) })).toBe(true);
        // Not idle and waited for at once, and nothing beside those that serve that is not new: see regions.ts.
        const possible =
          (world.waiting === 0 || world.idle_seconds === 0) && (world.new_revision || !world.candidate_healthy);
        if (possible && (await holds(requirement, world)) === true) expect(witness).toBeDefined();
      }),
      { numRuns: 500 },
    );
  });
});

function filled(witness: Witness): Facts {
  const rest = Object.fromEntries(
    Object.entries(FACTS).map(([fact, { type }]) => [fact, type === "boolean" ? false : 0]),
  );
  return { ...rest, ...witness, now: NOON };
}

test.each([
  ["waiting > 0: it is 2", "waiting > 0: it was 2"],
  ["cpu > 1: it is not known", "cpu > 1: it was not known"],
  ["time_of_day > 10:00: it is 10:30", "time_of_day > 10:00: it was 10:30"],
  ["may: it says true", "may: it said true"],
  ["may: there is no answer", "may: there was no answer"],
  ["a ? ': it is 1' : b: it says false", "a ? ': it is 1' : b: it said false"],
  ["it is where it begins", "it is where it begins"],
])("inThePast() of %j", (now, then) => {
  expect(inThePast(now)).toBe(then);
});
