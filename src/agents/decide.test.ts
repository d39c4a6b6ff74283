import { describe, expect, test } from "vitest";
import { AGENT_PHASES, AGENT_STATES, mayFollow } from "../model/agent-states.ts";
import { backOff, decide, type Known } from "./decide.ts";

const NOW = 1_000_000;
const RETRY = { max_failures: 3 };
const step = (id: number, status: Known["steps"][number]["status"], needs: number[] = []) => ({ id, status, needs });
const known = (fields: Partial<Known>): Known => ({
  phase: "running",
  intent: "seek",
  active: true,
  hasTarget: true,
  replan: false,
  failures: 0,
  notBefore: 0,
  steps: [],
  ...fields,
});

const DIAMOND = [step(0, "succeeded"), step(1, "waiting", [0]), step(2, "waiting", [0]), step(3, "waiting", [1, 2])];
const HALF = [step(0, "succeeded"), step(1, "succeeded", [0]), step(2, "started", [0]), step(3, "waiting", [1, 2])];
const DONE = [step(0, "succeeded"), step(1, "succeeded")];

const CASES: [string, Partial<Known>, object][] = [
  ["steps whose needs are met", { steps: DIAMOND }, { do: "start", steps: [1, 2] }],
  ["waits for those under way", { steps: HALF }, { do: "nothing" }],
  ["plans again when all are done", { steps: DONE }, { do: "plan" }],
  ["lets what runs end before it plans anew", { steps: HALF, replan: true }, { do: "nothing" }],
  ["lets what runs end before it stops", { steps: HALF, intent: "stop" }, { do: "nothing" }],
  ["lets what runs end before it is paused", { steps: HALF, active: false }, { do: "nothing" }],
  ["lets what runs end before it gives up", { steps: HALF, replan: true, failures: 3 }, { do: "nothing" }],
  ["plans anew once nothing runs", { steps: DIAMOND, replan: true }, { do: "plan" }],
  ["stops once nothing runs", { steps: DIAMOND, intent: "stop" }, { do: "stop" }],
  ["is stopped already", { phase: "stopped", intent: "stop" }, { do: "nothing" }],
  ["has never begun", { phase: "idle", intent: "stop", hasTarget: false }, { do: "nothing" }],
  ["is paused", { steps: DONE, active: false }, { do: "wait", until: null }],
  ["is idle without a target, also when paused", { phase: "idle", hasTarget: false, active: false }, { do: "nothing" }],
  ["waits after a failure", { replan: true, failures: 1, notBefore: NOW + 1 }, { do: "wait", until: NOW + 1 }],
  ["tries again then", { phase: "waiting", replan: true, failures: 1, notBefore: NOW }, { do: "plan" }],
  ["gives up after too many", { replan: true, failures: 3, notBefore: NOW + 1 }, { do: "give_up" }],
  ["has given up", { phase: "failed", failures: 3 }, { do: "nothing" }],
  ["begins again with a new target", { phase: "failed", replan: true }, { do: "plan" }],
  ["is there", { phase: "reached", steps: DONE }, { do: "nothing" }],
  ["is not there any more", { phase: "reached", steps: DONE, replan: true }, { do: "plan" }],
  ["cannot get there", { phase: "unreachable", notBefore: NOW + 1 }, { do: "nothing" }],
  ["looks again for a way", { phase: "unreachable", notBefore: NOW }, { do: "plan" }],
  ["goes on planning after a loss", { phase: "planning" }, { do: "plan" }],
];

describe("decide()", () => {
  test.each(CASES)("%s", (_what, fields, decision) => {
    expect(decide(known(fields), RETRY, NOW)).toMatchObject(decision);
  });

  test("never starts anything while it should not", () => {
    for (const phase of AGENT_PHASES) {
      for (const fields of [{ intent: "stop" as const }, { active: false }, { hasTarget: false }]) {
        for (const replan of [true, false]) {
          const { do: what } = decide(known({ phase, replan, steps: DIAMOND, ...fields }), RETRY, NOW);
          expect([phase, what === "start" || what === "plan"]).toEqual([phase, false]);
        }
      }
    }
  });

  test("asks for no move that the table does not have", () => {
    const leads = { plan: "planning", wait: "waiting", stop: "stopped", give_up: "failed" } as const;
    for (const phase of AGENT_PHASES) {
      for (const intent of ["seek", "stop"] as const) {
        for (const active of [true, false]) {
          // What has settled has no failures: see rethink().
          for (const failures of AGENT_STATES[phase].settled ? [0] : [0, 3]) {
            for (const replan of [true, false]) {
              for (const notBefore of [0, NOW + 1]) {
                const all = { phase, intent, active, failures, replan, notBefore };
                const { do: what } = decide(known(all), RETRY, NOW);
                if (what === "nothing" || what === "start") continue;
                expect({ ...all, what, ok: mayFollow(phase, leads[what]) }).toMatchObject({ ok: true });
              }
            }
          }
        }
      }
    }
  });
});

test.each([
  [1, 1_000],
  [2, 2_000],
  [5, 16_000],
  [30, 300_000],
  [2_000, 300_000],
])("backOff() doubles up to its most: %i", (failures, ms) => {
  expect(backOff({ initial_ms: 1_000, max_ms: 300_000 }, failures)).toBe(ms);
});
