import * as v from "valibot";
import { describe, expect, test } from "vitest";
import type { Ask, Facts } from "../machines/evaluate.ts";
import { READY_MADE } from "../machines/ready-made.ts";
import { StateMachineSchema, type Requirement, type StateMachine } from "../model/state-machines.ts";
import { drive, lookAgainAt, type Situation } from "./drive.ts";

const NOON = Date.parse("2026-11-29T12:00:00Z");
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

type Fact = Extract<Requirement, { op: string }>["fact"];
const is = (fact: Fact, op: ">" | ">=" | "<" | "<=" | "=" | "!=", value: number | boolean | string): Requirement => ({
  fact,
  op,
  value,
});
const operation = (name: string): Requirement => ({ operation: name, input: {} });
const asks = operation("ask");
const between = (from: string, until: string, zone = "UTC"): Requirement => ({
  fact: "time_of_day",
  between: [from, until],
  time_zone: zone,
});

/** Ways out of the one state, each to a state of its own; a number is a cooldown. */
function machine(...ways: readonly (Requirement | [Requirement, number])[]): StateMachine {
  return v.parse(StateMachineSchema, {
    name: "demo",
    initial: "here",
    states: Object.fromEntries(["here", ...ways.map((_, at) => `s${at}`)].map((name) => [name, {}])),
    transitions: ways.map((way, at) => {
      const [when, cooldown] = Array.isArray(way) ? way : [way, 0];
      return { name: `t${at}`, from: "here", to: `s${at}`, when, cooldown_s: cooldown };
    }),
  });
}
function situation(of: StateMachine, facts: Partial<Facts> = {}, more: Partial<Situation> = {}): Situation {
  return { machine: of, state: "here", since: NOON, taken: {}, facts: { now: NOON, ...facts }, ...more };
}
const nobody: Ask = async () => undefined;

describe("drive()", () => {
  test.each<[string, StateMachine, Partial<Situation>, Partial<Facts>, string | undefined]>([
    ["what holds", machine(is("waiting", ">", 0)), {}, { waiting: 1 }, "t0"],
    ["nothing where nothing holds", machine(is("waiting", ">", 0)), {}, { waiting: 0 }, undefined],
    ["nothing that is not known to hold", machine(is("waiting", ">", 0), { not: asks }), {}, {}, undefined],
    [
      "the first of those that hold",
      machine(is("cpu", ">", 1), is("cpu", "<", 1), { all: [] }),
      {},
      { cpu: 0.5 },
      "t1",
    ],
    ["nothing out of other states", machine({ all: [] }), { state: "s0" }, {}, undefined],
    [
      "what time in the state tells",
      machine(is("seconds_in_state", ">=", 10)),
      { since: NOON - 10 * SECOND },
      {},
      "t0",
    ],
    ["nothing before its time", machine(is("seconds_in_state", ">=", 10)), { since: NOON - 9_999 }, {}, undefined],
    [
      "no time from a clock that was put back",
      machine(is("seconds_in_state", "<", 0)),
      { since: NOON + 5 },
      {},
      undefined,
    ],
    ["nothing that cools down", machine([{ all: [] }, 30]), { taken: { t0: NOON - 29_999 } }, {}, undefined],
    ["it again once it has cooled down", machine([{ all: [] }, 30]), { taken: { t0: NOON - 30_000 } }, {}, "t0"],
    ["what comes after one that cools down", machine([{ all: [] }, 9], { all: [] }), { taken: { t0: NOON } }, {}, "t1"],
    ["a name that objects have", machine([{ all: [] }, 9]), { taken: Object.create({ t0: NOON }) }, {}, "t0"],
  ])("takes %s", async (_what, of, more, facts, expected) => {
    const { take } = await drive(situation(of, facts, more), nobody);
    expect(take?.name).toBe(expected);
  });

  test("says of each way out what it found, and what holds it back", async () => {
    const of = machine(is("waiting", ">", 0), [is("healthy", "=", true), 10], is("cpu", ">", 0.5));
    const { next } = await drive(situation(of, { waiting: 0, healthy: true }, { taken: { t1: NOON - 4_000 } }), nobody);
    expect(
      next.map(({ transition: { name }, holds, because, notBefore }) => ({ name, holds, because, notBefore })),
    ).toEqual([
      { name: "t0", holds: false, because: ["waiting > 0: it is 0"], notBefore: null },
      { name: "t1", holds: true, because: ["healthy = true: it is true"], notBefore: NOON + 6_000 },
      { name: "t2", holds: undefined, because: ["cpu > 0.5: it is not known"], notBefore: null },
    ]);
  });

  test("asks only what could move it", async () => {
    const asked: string[] = [];
    const ask: Ask = async (leaf) => {
      asked.push("operation" in leaf ? leaf.operation : leaf.expression);
      return leaf !== undefined && "operation" in leaf && leaf.operation === "yes";
    };
    const of = machine([operation("cooling"), 60], operation("no"), operation("yes"), operation("after"));
    const { take, next } = await drive(situation(of, {}, { taken: { t0: NOON } }), ask);
    expect(take?.name).toBe("t2");
    expect(asked).toEqual(["no", "yes"]);
    expect(next.map(({ holds }) => holds)).toEqual([undefined, false, true, undefined]);
  });
});

describe("lookAgainAt()", () => {
  const idle = is("idle_seconds", ">=", 300);
  test.each<[string, StateMachine, Partial<Facts>, number | null]>([
    ["never where only events tell", machine(is("waiting", ">", 0), is("healthy", "=", false)), { waiting: 0 }, null],
    ["never where nothing leads out", machine(), {}, null],
    ["when it has idled long enough", machine(idle), { idle_seconds: 20 }, 280 * SECOND],
    ["also where it is busy now", machine(idle), { idle_seconds: 0 }, 300 * SECOND],
    ["to the millisecond", machine(idle), { idle_seconds: 299.9995 }, 1],
    ["just after, where it must be longer", machine(is("idle_seconds", ">", 300)), { idle_seconds: 300 }, 1],
    ["never, once it has idled longer", machine(is("idle_seconds", "<", 300)), { idle_seconds: 300.5 }, null],
    ["soon where nobody knows yet whether it idles", machine(idle), {}, 5 * SECOND],
    ["the first of several times", machine(idle, is("seconds_in_state", ">", 60)), { idle_seconds: 0 }, 60 * SECOND],
    ["in five seconds for what is asked", machine(asks), {}, 5 * SECOND],
    [
      "in five seconds for throughput",
      machine(is("requests_per_second", ">", 5)),
      { requests_per_second: 9 },
      5 * SECOND,
    ],
    ["in five seconds for load", machine(is("cpu", ">", 0.5)), { cpu: 0.1, replicas: 1 }, 5 * SECOND],
    [
      "never for throughput of what is not there",
      machine(is("requests_per_second", ">", 5)),
      { requests_per_second: 0, replicas: 0 },
      null,
    ],
    [
      "never for what is asked only when more is so",
      machine({ all: [is("waiting", ">", 0), asks] }),
      { waiting: 0 },
      null,
    ],
    ["in five seconds once it is", machine({ all: [is("waiting", ">", 0), asks] }), { waiting: 1 }, 5 * SECOND],
    [
      "never for what is settled either way",
      machine({ not: { any: [is("waiting", "=", 0), asks] } }),
      { waiting: 0 },
      null,
    ],
    ["at that time of day", machine(is("time_of_day", ">=", "12:30")), {}, 30 * MINUTE],
    ["at that time tomorrow", machine(is("time_of_day", "=", "12:00")), {}, MINUTE],
    ["at midnight", machine(is("time_of_day", "<", "06:00")), {}, 12 * HOUR],
    ["when the hours begin", machine(between("13:00", "14:00")), {}, HOUR],
    ["when they end", machine(between("10:00", "14:00")), {}, 2 * HOUR],
    ["when they begin elsewhere", machine(between("22:00", "23:00", "Asia/Tokyo")), {}, HOUR],
    ["never in a time zone that is none", machine(between("22:00", "23:00", "Mars/Utopia")), {}, null],
    ["never for all of the day", machine(between("10:00", "10:00")), {}, null],
  ])("is %s", (_what, of, facts, inMs) => {
    expect(lookAgainAt(situation(of, facts))).toBe(inMs === null ? null : NOON + inMs);
  });

  test.each<[string, StateMachine, Record<string, number>, Partial<Facts>, number | null]>([
    ["when it has cooled down", machine([{ all: [] }, 30]), { t0: NOON - 10 * SECOND }, {}, 20 * SECOND],
    ["not for what does not hold then", machine([is("waiting", ">", 0), 30]), { t0: NOON }, { waiting: 0 }, null],
    ["not to ask before", machine([asks, 30]), { t0: NOON }, {}, 30 * SECOND],
    [
      "later where time tells later",
      machine([is("idle_seconds", ">", 60), 30]),
      { t0: NOON },
      { idle_seconds: 0 },
      MINUTE,
    ],
  ])("is %s", (_what, of, taken, facts, inMs) => {
    expect(lookAgainAt(situation(of, facts, { taken }))).toBe(inMs === null ? null : NOON + inMs);
  });

  test.each([
    ["Europe/Berlin", "2026-03-28T20:00:00Z"],
    ["Europe/Berlin", "2026-10-24T20:00:00Z"],
    ["America/New_York", "2026-03-08T03:00:00Z"],
    ["America/New_York", "2026-11-01T03:00:00Z"],
    ["Australia/Lord_Howe", "2026-04-04T12:00:00Z"],
    ["Australia/Lord_Howe", "2026-10-03T12:00:00Z"],
  ])("does not miss a time of day in %s while clocks change after %s", async (zone, from) => {
    const begin = Date.parse(from);
    for (const [start, end] of [
      ["01:30", "02:15"],
      ["02:30", "03:30"],
      ["03:00", "08:00"],
      ["23:30", "00:15"],
    ] as const) {
      const of = machine(between(start, end, zone), { not: between(start, end, zone) });
      const stateAt = async (now: number): Promise<string | undefined> =>
        (await drive(situation(of, { now }), nobody)).take?.name;
      let looks = 0;
      let at = begin;
      let last = await stateAt(at);
      while (at < begin + 30 * HOUR) {
        const again = lookAgainAt(situation(of, { now: at })) ?? Number.NaN;
        expect(again).toBeGreaterThan(at);
        // Nothing changes in between.
        for (let minute = at; minute < again; minute += 5 * MINUTE) expect(await stateAt(minute)).toBe(last);
        at = again;
        last = await stateAt(at);
        looks += 1;
      }
      expect(looks).toBeLessThan(200);
    }
  });

  test("lets each machine that comes with the platform sleep while it is cold", () => {
    for (const of of READY_MADE) {
      if (of.states[of.initial]?.replicas !== 0) continue;
      const facts = { now: NOON, waiting: 0, idle_seconds: 4_000, requests_per_second: 0, replicas: 0, healthy: false };
      expect(lookAgainAt({ machine: of, state: of.initial, since: NOON - HOUR, taken: {}, facts })).toBeNull();
    }
  });
});
