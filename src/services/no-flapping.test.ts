import * as fc from "fast-check";
import * as v from "valibot";
import { describe, expect, test } from "vitest";
import { analyse } from "../machines/analyse.ts";
import type { Facts } from "../machines/evaluate.ts";
import { READY_MADE } from "../machines/ready-made.ts";
import { REVISIONS, StateMachineSchema, type Requirement, type StateMachine } from "../model/state-machines.ts";
import { drive } from "./drive.ts";

const NOON = Date.parse("2026-11-29T12:00:00Z");
const NAMES = ["a", "b", "c", "d"];

const leaf: fc.Arbitrary<Requirement> = fc.oneof(
  fc.record({
    fact: fc.constantFrom("waiting", "replicas"),
    op: fc.constantFrom("=", "<", ">" as const),
    value: fc.integer({ min: 0, max: 4 }),
  }),
  fc.record({
    fact: fc.constantFrom("cpu", "idle_seconds", "seconds_in_state", "requests_per_second"),
    op: fc.constantFrom("<", ">=" as const),
    value: fc.constantFrom(0.5, 1, 20),
  }),
  fc.record({
    fact: fc.constantFrom("healthy", "new_revision", "candidate_healthy"),
    op: fc.constant("=" as const),
    value: fc.boolean(),
  }),
);
const requirement: fc.Arbitrary<Requirement> = fc.oneof(
  leaf,
  fc.record({ all: fc.array(leaf, { minLength: 2, maxLength: 3 }) }),
  fc.record({ any: fc.array(leaf, { minLength: 2, maxLength: 2 }) }),
  fc.record({ not: leaf }),
);
const way = fc.record({
  from: fc.constantFrom(...NAMES),
  to: fc.constantFrom(...NAMES),
  when: requirement,
  by: fc.constantFrom(-2, -1, 1, 2),
});
const machines = fc
  .record({
    states: fc.tuple(
      ...NAMES.map(() =>
        fc.record({ replicas: fc.constantFrom(null, null, 0, 1, 2), revision: fc.constantFrom(...REVISIONS) }),
      ),
    ),
    ways: fc.array(way, { minLength: 3, maxLength: 8 }),
  })
  .map(({ states, ways }): StateMachine => {
    const all = Object.fromEntries(NAMES.map((name, at) => [name, states[at]]));
    return v.parse(StateMachineSchema, {
      name: "any",
      initial: "a",
      states: all,
      transitions: ways
        .filter(({ from, to }) => from !== to || all[from]?.replicas === null)
        .map(({ from, to, when, by }, at) => ({ name: `t${at}`, from, to, when, scale_by: from === to ? by : null })),
    });
  });

/** What a service does not change by itself; such as can be together. */
const outside = fc
  .record({
    waiting: fc.integer({ min: 0, max: 3 }),
    idle_seconds: fc.constantFrom(0, 0.7, 5, 30),
    requests_per_second: fc.constantFrom(0, 0.7, 5, 30),
    cpu: fc.constantFrom(0, 0.5, 0.7, 1),
    new_revision: fc.boolean(),
  })
  .filter((each) => each.idle_seconds === 0 || each.waiting === 0)
  .filter((each) => each.idle_seconds <= 10 || each.requests_per_second === 0);
type Outside = Omit<Facts, "now">;

/** Whether one is in the way of coming to rest: it comes back to a state, or scales back. */
async function goesRound(machine: StateMachine, facts: Outside, chance: readonly number[]): Promise<boolean> {
  let state = machine.initial;
  let since = NOON;
  let now = NOON;
  let replicas = machine.states[state]?.replicas ?? 1;
  let [isHealthy, hasCandidate] = [true, false];
  const passed = new Set<string>();
  let directions = new Set<number>();
  for (const pick of chance) {
    now += (pick % 4) * 400 + 1;
    const known = { ...facts, replicas, healthy: isHealthy, candidate_healthy: hasCandidate, now };
    const { take } = await drive({ machine, state, since, taken: {}, facts: known }, async () => undefined);
    if (take === undefined) continue;
    const to = machine.states[take.to];
    if (take.from === take.to) {
      directions.add(Math.sign(take.scale_by ?? 0));
      if (directions.size > 1) return true;
      replicas = Math.min(6, Math.max(1, replicas + (take.scale_by ?? 0)));
      isHealthy = pick % 2 === 0;
    } else {
      passed.add(state);
      if (passed.has(take.to)) return true;
      const from = machine.states[state];
      directions = new Set();
      if (from?.replicas !== to?.replicas || from?.revision !== to?.revision) {
        isHealthy = pick % 2 === 0;
        hasCandidate = to?.revision === "both" && facts["new_revision"] === true && pick % 3 > 0;
      }
      replicas = to?.replicas ?? Math.max(1, replicas);
      [state, since] = [take.to, now];
    }
  }
  return false;
}

const RESTLESS: ReadonlySet<string> = new Set(["overlap", "flapping", "not_analysed"]);
const chances = fc.array(fc.nat({ max: 1_000 }), { minLength: 40, maxLength: 40 });

/** Without the transitions that something is wrong with. */
function mended(machine: StateMachine): StateMachine {
  for (const { kind, pointer } of analyse(machine)) {
    const at = Number(/^\/transitions\/(\d+)/.exec(pointer)?.[1]);
    if (RESTLESS.has(kind) && Number.isInteger(at)) {
      return mended({ ...machine, transitions: machine.transitions.toSpliced(at, 1) });
    }
  }
  return machine;
}

describe("while nothing but itself changes, a service comes to rest", { timeout: 60_000 }, () => {
  test("by each machine with which nothing is wrong, and not by all others", async () => {
    let [moved, restless] = [0, 0];
    await fc.assert(
      fc.asyncProperty(machines, outside, chances, async (machine, facts, chance) => {
        const fine = mended(machine);
        if (fine.transitions.length < machine.transitions.length && (await goesRound(machine, facts, chance)))
          restless++;
        if (fine.transitions.length > 1) moved++;
        expect(await goesRound(fine, facts, chance)).toBe(false);
      }),
      { numRuns: 1_000 },
    );
    // Else it would say nothing.
    expect(moved).toBeGreaterThan(100);
    expect(restless).toBeGreaterThan(5);
  });

  test.each(READY_MADE.map((each) => [each.name, each] as const))("by %s", async (_name, machine) => {
    await fc.assert(
      fc.asyncProperty(
        outside,
        fc.constantFrom(...Object.keys(machine.states)),
        chances,
        async (facts, initial, chance) => {
          expect(await goesRound({ ...machine, initial }, facts, chance)).toBe(false);
        },
      ),
      { numRuns: 100 },
    );
  });
});
