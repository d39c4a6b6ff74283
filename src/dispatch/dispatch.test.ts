import { operationOf } from "../model/_operation.test-util.ts";
import { describedAs, environmentOf } from "../model/_environment.test-util.ts";
import type { EnvironmentHandle } from "../model/environment.ts";
import { Health } from "./health.ts";
import { describe, expect, it } from "vitest";
import type { Adapter, AdapterCall } from "../adapters/adapter.ts";
import type { ExecutionRecord, Outcome } from "../model/outcome.ts";
import type { CompiledType, ResolvedOperation } from "../model/resolved.ts";
import { dispatch, type Call, type DispatchPorts } from "./dispatch.ts";

const numbers: CompiledType = {
  schema: { type: "number" },
  any: false,
  check: (value) =>
    typeof value === "number"
      ? { ok: true, value, changed: false }
      : { ok: false, errors: [{ pointer: "", keyword: "type", detail: "must be a number" }] },
};
/** Fills in a default, as a type with one does. */
const filled: CompiledType = { schema: {}, any: false, check: () => ({ ok: true, value: { n: 7 }, changed: true }) };

const operation = operationOf("double");

function setUp(changes: Partial<ResolvedOperation> = {}, outcome: Outcome = { ok: true, output: "4", logs: [] }) {
  const records: ExecutionRecord[] = [];
  const invoked: AdapterCall[] = [];
  const logged: string[] = [];
  const environments: Record<string, EnvironmentHandle> = {
    inline: environmentOf("inline"),
    off: environmentOf("off", { active: false, adapter: "inline" }),
    foreign: environmentOf("foreign", { adapter: "lambda" }),
  };
  const adapter = (name: string): Adapter => ({
    ...describedAs(name),
    async invoke(call) {
      invoked.push(call);
      return outcome;
    },
  });
  let clock = 1_000;
  const ports: DispatchPorts = {
    registry: { resolve: async () => ({ operation: { ...operation, ...changes }, stale: false }) },
    environments: {
      environment: async (name) => environments[name],
      environments: async () => Object.values(environments),
    },
    health: new Health(),
    adapters: new Map([
      ["inline", adapter("inline")],
      ["builtin", adapter("builtin")],
    ]),
    recorder: { shard: 5, add: (record) => void records.push(record) },
    rateLimits: { take: never },
    keeper: { keep: never, keepAndWait: never, outcome: never, finish: never },
    capability: (principal, depth) => `${principal}/${depth}`,
    log: (_id, { name }, lines) => void logged.push(...lines.map((line) => `${name}: ${line.message}`)),
    now: () => (clock += 10),
  };
  const call: Call = {
    name: "double",
    input: { value: 2, text: "2" },
    principal: { id: "p", name: "tester", scopes: ["ops:invoke"] },
    caller: { type: "token", id: "p" },
    depth: 0,
    traceparent: "00-1-2-01",
  };
  return { call, ports, records, invoked, logged };
}

/** See dispatch-kept.test.ts. */
async function never(): Promise<never> {
  throw new Error("nothing is kept here");
}

describe("dispatch()", () => {
  it("runs the closed revision and records it", async () => {
    const { call, ports, records, invoked } = setUp();
    const answer = await dispatch(call, ports);
    expect(answer.outcome).toEqual({ ok: true, output: "4", logs: [] });
    expect(answer.executionId).toMatch(/^ex_05_/);
    expect(invoked[0]).toMatchObject({
      input: "2",
      meta: { operation: "double", revision: 3, capability: "p/1", timeout_ms: 1_000 },
    });
    expect(records).toEqual([
      expect.objectContaining({
        id: answer.executionId,
        status: "succeeded",
        environment: "inline",
        revision: 3,
        error: null,
      }),
    ]);
  });

  it("hands on the text as it came, unless a default was filled in", async () => {
    const plain = setUp();
    await dispatch({ ...plain.call, input: { value: { a: 1 }, text: '{ "a": 1 }' } }, plain.ports);
    expect(plain.invoked[0]?.input).toBe('{ "a": 1 }');
    const { call, ports, invoked } = setUp({ input: filled });
    await dispatch(call, ports);
    expect(invoked[0]).toMatchObject({ input: '{"n":7}', inputValue: { n: 7 } });
  });

  it("refuses an input that does not fit, and runs nothing", async () => {
    const { call, ports, records, invoked } = setUp({ input: numbers });
    await expect(dispatch({ ...call, input: { value: "x", text: '"x"' } }, ports)).rejects.toMatchObject({
      code: "input_invalid",
      errors: [{ pointer: "", keyword: "type" }],
    });
    expect([records, invoked]).toEqual([[], []]);
  });

  it("answers and records a failure for an output that does not fit", async () => {
    const { call, ports, records } = setUp({ output: numbers }, { ok: true, output: '"four"', logs: [] });
    const { outcome } = await dispatch(call, ports);
    expect(outcome).toMatchObject({ ok: false, error: { code: "output_invalid", errors: [{ pointer: "" }] } });
    expect(records).toMatchObject([{ status: "failed", error: { code: "output_invalid" } }]);
  });

  it("answers a failure for a text that is no JSON, whatever the type allows", async () => {
    const { call, ports } = setUp({}, { ok: true, output: "<html>", logs: [] });
    expect((await dispatch(call, ports)).outcome).toMatchObject({ ok: false, error: { code: "output_not_json" } });
  });

  it("passes a failure and its log on", async () => {
    const lines = [{ level: "info", message: "hello", at_ms: 0 } as const];
    const failure: Outcome = {
      ok: false,
      error: { code: "timeout", detail: "late" },
      retry: { kind: "may" },
      logs: lines,
    };
    const { call, ports, logged } = setUp({ output: numbers }, failure);
    expect((await dispatch(call, ports)).outcome).toEqual(failure);
    expect(logged).toEqual(["double: hello"]);
  });

  it("only checks when asked to, and records nothing", async () => {
    const { call, ports, records, invoked } = setUp();
    expect(await dispatch({ ...call, validateOnly: true }, ports)).toMatchObject({ executionId: undefined });
    expect([records, invoked]).toEqual([[], []]);
  });

  const refusals: [string, Partial<ResolvedOperation>, Partial<Call>, string][] = [
    [
      "a group that the principal may not invoke",
      {},
      { principal: { id: "p", name: "t", scopes: ["ops:invoke:other"] } },
      "forbidden",
    ],
    ["a reader of the registry", {}, { principal: { id: "p", name: "t", scopes: ["registry:write"] } }, "forbidden"],
    ["an inactive operation", { active: false }, {}, "operation_inactive"],
    [
      "an inactive operation, first by its group",
      { active: false },
      { principal: { id: "p", name: "t", scopes: [] } },
      "forbidden",
    ],
    ["an environment that is off", { environments: ["off"] }, {}, "no_environment"],
    ["an adapter that is not installed", { environments: ["foreign"] }, {}, "no_environment"],
    ["an environment that is not there", { environments: ["nowhere"] }, {}, "no_environment"],
    ["calls nested too deeply", {}, { depth: 17 }, "call_depth_exceeded"],
  ];
  it.each(refusals)("refuses %s", async (_, changes, callChanges, code) => {
    const { call, ports, invoked } = setUp(changes);
    await expect(dispatch({ ...call, ...callChanges }, ports)).rejects.toMatchObject({ code });
    expect(invoked).toEqual([]);
  });

  it("takes the first environment that can run it", async () => {
    const { call, ports, records } = setUp({ environments: ["nowhere", "off", "inline"] });
    await dispatch(call, ports);
    expect(records).toMatchObject([{ environment: "inline" }]);
  });

  it("runs a built-in whatever environment its row names", async () => {
    const { call, ports, records } = setUp({
      implementation: { kind: "builtin", function: "list_operation" },
      environments: ["off"],
    });
    await dispatch(call, ports);
    expect(records).toMatchObject([{ environment: "builtin" }]);
  });
});
