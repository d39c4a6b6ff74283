import { describe, expect, it } from "vitest";
import { callOf } from "../../test/contracts/adapter/call-of.ts";
import { unstarted, type Adapter, type AdapterCall } from "../adapters/adapter.ts";
import { describedAs, environmentOf } from "../model/_environment.test-util.ts";
import type { EnvironmentHandle } from "../model/environment.ts";
import type { Outcome } from "../model/outcome.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import { Health } from "./health.ts";
import { invoke } from "./invoke.ts";

const module = { kind: "module", sha256: "a".repeat(64), export: "f", language: "javascript" } as const;
const done: Outcome = { ok: true, output: "1", logs: [] };
const gone = unstarted("environment_unavailable", "nobody there");
const busy = unstarted("environment_throttled", "full", { retry: { kind: "after", after_ms: 2_000 } });
const failed: Outcome = {
  ok: false,
  error: { code: "executor_lost", detail: "cut" },
  retry: { kind: "may" },
  logs: [],
};

/** `places`: what each environment answers, in turn; the last answer stays. */
function setUp(places: Record<string, Outcome[]>, rows: Record<string, Partial<EnvironmentHandle>> = {}) {
  const asked: string[] = [];
  const calls: AdapterCall[] = [];
  const clock = { now: 0 };
  const adapter: Adapter = {
    ...describedAs("any", { runs: ["module", "process"] }),
    async invoke(call) {
      const { name } = call.environment;
      asked.push(name);
      calls.push(call);
      const answers = places[name] ?? [];
      return (answers.length > 1 ? answers.shift() : answers[0]) ?? done;
    },
  };
  const members: Adapter = { ...adapter, name: "members", hasMembers: true };
  const handles = Object.keys(places).map((name) => environmentOf(name, { adapter: "any", ...rows[name] }));
  const ports = {
    environments: {
      environment: async (name: string) => handles.find((handle) => handle.name === name),
      environments: async () => handles,
    },
    adapters: new Map([
      ["any", adapter],
      ["members", members],
      ["service", { ...adapter, name: "service", runs: [], judgesItself: true }],
    ]),
    health: new Health(),
    now: () => clock.now,
    capability: () => "c",
  };
  const run = (changes: Partial<ResolvedOperation> = {}) => {
    const call = callOf(module);
    const operation = { ...call.operation, environments: Object.keys(places), ...changes };
    return invoke({ ...call, operation, input: { text: call.input, value: call.inputValue } }, ports);
  };
  return { run, asked, calls, clock };
}

describe("invoke()", () => {
  it("goes on to the next environment when nothing has run, and says which were passed over and why", async () => {
    const { run, calls } = setUp({ a: [gone], b: [busy], c: [done] });
    expect(await run()).toEqual({
      outcome: done,
      environment: "c",
      passedOver: [
        { environment: "a", code: "environment_unavailable", reason: "nobody there" },
        { environment: "b", code: "environment_throttled", reason: "full" },
      ],
    });
    expect(calls.map(({ isLast }) => isLast)).toEqual([false, false, true]);
  });

  it("never goes on after work may have begun", async () => {
    const { run, asked } = setUp({ a: [failed], b: [done] });
    expect(await run()).toMatchObject({ outcome: failed, environment: "a" });
    expect(asked).toEqual(["a"]);
  });

  it("takes what a service provides to its exposure, which no environment is, and asks it again however it answered", async () => {
    const { run, asked, calls } = setUp({ a: [done], albums: [busy, done] });
    const provided = { exposure: "albums", method: "GET", path: "/", query: [], headers: {}, body: null } as const;
    const implementation = { kind: "service" as const, ...provided, query: [] };
    expect(await run({ implementation })).toMatchObject({ outcome: busy, environment: "albums", passedOver: [] });
    expect(await run({ implementation })).toMatchObject({ outcome: done, environment: "albums" });
    expect(asked).toEqual(["albums", "albums"]);
    expect(calls[0]?.isLast).toBe(true);
  });

  it("answers what the last one said when none ran it", async () => {
    const { run } = setUp({ a: [gone], b: [busy] });
    expect(await run()).toMatchObject({ outcome: busy, environment: "b", passedOver: [{ environment: "a" }] });
  });

  it("leaves out, with the reason, what is off, unknown, or lacks a capability", async () => {
    const { run, asked } = setUp(
      { a: [done], b: [done], c: [done] },
      { a: { active: false }, c: { capabilities: { gpu: true } } },
    );
    expect(await run({ environments: ["a", "nowhere", "b", "c"], requires: { gpu: true } })).toMatchObject({
      environment: "c",
      passedOver: [
        { environment: "a", code: "no_environment", reason: "it is switched off" },
        { environment: "nowhere", reason: "it is not registered" },
        { environment: "b", reason: "it needs gpu=true; it has none" },
      ],
    });
    expect(asked).toEqual(["c"]);
  });

  it("takes any that has what is required when the row names none", async () => {
    const rows = { small: { capabilities: { memory_mb: 1_024 } }, large: { capabilities: { memory_mb: 4_096 } } };
    const { run, asked } = setUp({ small: [done], large: [done] }, rows);
    expect(await run({ environments: null, requires: { memory_mb: 2_048 } })).toMatchObject({ environment: "large" });
    expect(asked).toEqual(["large"]);
    await expect(run({ environments: null, requires: { gpu: true } })).rejects.toMatchObject({
      code: "no_environment",
      message: expect.stringContaining("gpu=true") as string,
    });
  });

  it("leaves it to an adapter with members whether one of them suits", async () => {
    const { run, asked } = setUp({ a: [done] }, { a: { adapter: "members" } });
    await run({ requires: { gpu: true } });
    expect(asked).toEqual(["a"]);
  });

  it("tries what did not answer after what did, until it has had time to mend", async () => {
    const { run, asked, clock } = setUp({ a: [gone, done], b: [done] });
    await run();
    await run();
    expect(asked).toEqual(["a", "b", "b"]);
    clock.now = 501;
    expect(await run()).toMatchObject({ environment: "a" });
  });

  it("does not ask a place that said when to come back before that time", async () => {
    const { run, asked, clock } = setUp({ a: [busy, done] });
    await run();
    clock.now = 1_500;
    expect(await run()).toMatchObject({
      outcome: { unstarted: true, error: { code: "environment_throttled" }, retry: { kind: "after", after_ms: 500 } },
    });
    expect(asked).toEqual(["a"]);
    clock.now = 2_000;
    expect(await run()).toMatchObject({ outcome: done });
  });
});
