import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { ServiceSchema } from "../model/services.ts";
import { StateMachineSchema } from "../model/state-machines.ts";
import { afterFailure, hurried, isLooping, NO_CRASHES, steadyAt } from "./_crashes.ts";
import type { Head, Replica } from "./_kept.ts";
import { bounded, contentOf, revisionOf, stateInstead, wantedCount } from "./_wanted.ts";

const row = (fields: object = {}) => v.parse(ServiceSchema, { name: "a", environment: "e", ...fields });
const machine = (initial: string, states: Record<string, number | null>) =>
  v.parse(StateMachineSchema, {
    name: "m",
    initial,
    states: Object.fromEntries(Object.entries(states).map(([name, replicas]) => [name, { replicas }])),
    transitions: [],
  });

test.each([
  [0, {}, 0],
  [1, { replicas: { min: 2 } }, 2],
  [9, { replicas: { max: 3 } }, 3],
  [3, { run: { address: "http://10.0.0.1" } }, 1],
])("bounded(%i) within %j is %i", (count, fields, bound) => {
  expect(bounded(count, row(fields))).toBe(bound);
});

test.each([
  ["what the state says", { state: "on" }, {}, 2],
  ["what it was scaled to, where that is left open", { state: "open" }, {}, 4],
  ["none while it is switched off", { state: "on" }, { active: false }, 0],
  ["none when its row is gone", { state: "on", isGone: true }, {}, 0],
])("wantedCount() is %s", (_what, head, fields, count) => {
  const settings = { row: row(fields), machine: machine("on", { on: 2, open: null }) };
  expect(wantedCount({ scaled: 4, isGone: false, ...head, settings } as unknown as Head)).toBe(count);
});

const contentAt = (fields: object = {}, site = "here") => contentOf({ row: { ...row(fields), digest: "d" }, site });

describe("a revision", () => {
  test.each([
    ["run", { run: { process: { command: ["serve"] } } }],
    ["variables", { variables: { A: "1" } }],
    ["names of secrets", { secrets: { A: "key" } }],
    ["port", { port: 80 }],
    ["requires", { requires: { gpu: true } }],
    ["health.path", { health: { path: "/" } }],
  ])("changes with %s", async (_what, fields) => {
    expect(await contentAt(fields)).not.toBe(await contentAt());
  });

  test("changes with where its environment leads", async () => {
    expect(await contentAt({}, "there")).not.toBe(await contentAt({}, "here"));
  });

  test.each([
    ["description", { description: "b" }],
    ["state_machine", { state_machine: "always_on" }],
    ["replicas", { replicas: { max: 2 } }],
    ["max_waiting", { max_waiting: 1 }],
    ["drain_ms", { drain_ms: 1 }],
    ["health.interval_ms", { health: { interval_ms: 100 } }],
    ["scopes", { scopes: ["admin"] }],
  ])("does not change with %s", async (_what, fields) => {
    expect(await contentAt(fields)).toBe(await contentAt());
  });

  test("changes with a restart", () => {
    expect([0, 1, 2].map((generation) => revisionOf({ content: "c", generation }))).toEqual(["c", "c-1", "c-2"]);
  });
});

test.each([
  ["where it begins, if nothing runs", machine("cold", { cold: 0, hot: 1 }), false, "cold"],
  ["where replicas are wanted, if there are any", machine("cold", { cold: 0, hot: 1 }), true, "hot"],
  ["where it begins, if replicas are wanted there", machine("on", { hot: 1, on: null }), true, "on"],
  ["where it begins, if none are wanted anywhere", machine("cold", { cold: 0 }), true, "cold"],
])("stateInstead() is %s", (_what, states, runs, state) => {
  expect(stateInstead(states, runs)).toBe(state);
});

test("afterFailure() doubles the wait up to five minutes, and says from the third on that it loops", () => {
  let crashes = NO_CRASHES;
  const waits: number[] = [];
  const loops: boolean[] = [];
  for (let n = 0; n < 12; n++) {
    crashes = afterFailure(crashes, { reason: "exit code 1", lines: [], error: null }, 1_000);
    waits.push((crashes.nextAt - 1_000) / 1_000);
    loops.push(isLooping(crashes));
  }
  expect(waits).toEqual([0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  expect(loops.slice(0, 4)).toEqual([false, false, true, true]);
});

test("afterFailure() of what no place takes waits some five seconds before it loops, and at most half a minute then", () => {
  let crashes = NO_CRASHES;
  const waits: number[] = [];
  const loops: boolean[] = [];
  for (let n = 0; n < 8; n++) {
    crashes = afterFailure(crashes, { reason: "no runner", lines: [], error: null, unplaced: true }, 1_000);
    waits.push((crashes.nextAt - 1_000) / 1_000);
    loops.push(isLooping(crashes));
  }
  expect(waits).toEqual([0.5, 1, 2, 2, 8, 16, 30, 30]);
  expect(loops).toEqual([false, false, false, false, true, true, true, true]);
});

test.each([
  ["of what no place took, when that is a while ago", { failures: 5, unplaced: true, tried: 2_000 }, true],
  ["the same, later on", { failures: 9, unplaced: true, tried: 2_000 }, true],
  ["but not just after it was tried", { failures: 5, unplaced: true, tried: 1_999 }, false],
  ["nor before it loops, for it is tried soon enough", { failures: 3, unplaced: true, tried: 1_500 }, false],
  ["nor of what crashes", { failures: 9, unplaced: false, tried: 60_000 }, false],
])("hurried() %s", (_what, { failures, unplaced, tried }, expected) => {
  let crashes = NO_CRASHES;
  const failure = { reason: "why", lines: [], error: null, unplaced };
  for (let n = 0; n < failures; n++) crashes = afterFailure(crashes, failure, 1_000_000);
  const now = 1_000_000 + tried;
  expect(hurried(crashes, now)).toEqual(expected ? { ...crashes, nextAt: now } : undefined);
});

const replica = (phase: Replica["phase"], readyAt: number | null, broken: string | null = null): Replica =>
  ({ phase, readyAt, broken }) as Replica;

describe("steadyAt()", () => {
  const failed = { ...NO_CRASHES, failures: 2, nextAt: 10_000 };

  test.each([
    ["a minute after one was ready that came after the failure", [replica("ready", 20_000)], 80_000],
    ["a minute after the next was due, where one was ready long before", [replica("ready", 0)], 70_000],
    ["not while another start is under way", [replica("ready", 0), replica("starting", null)], null],
    ["not by one that is broken, or drains", [replica("ready", 0, "it answered 500"), replica("draining", 0)], null],
    ["by one that stands beside those that serve", [replica("candidate", 20_000)], 80_000],
    ["not by none", [], null],
  ])("forgives: %s", (_what, replicas, at) => {
    expect(steadyAt(failed, replicas)).toBe(at);
  });

  test("has nothing to forgive where nothing failed", () => {
    expect(steadyAt(NO_CRASHES, [replica("ready", 0)])).toBeNull();
  });
});
