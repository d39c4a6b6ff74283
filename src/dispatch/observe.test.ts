import { describe, expect, it } from "vitest";
import { callOf } from "../../test/contracts/adapter/call-of.ts";
import { unstarted, type Adapter } from "../adapters/adapter.ts";
import { SwitchyardError } from "../core/errors.ts";
import { describedAs, environmentOf } from "../model/_environment.test-util.ts";
import type { Outcome } from "../model/outcome.ts";
import type { ResolvedOperation } from "../model/resolved.ts";
import { Meter } from "../telemetry/meter.ts";
import { createTracer, type Span } from "../telemetry/tracer.ts";
import { dispatch, type Call, type DispatchPorts, type Kept, type KeptCall } from "./dispatch.ts";
import { Health } from "./health.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SERVER = "b7ad6b7169203331";
const SECRET = "hunter2-and-more";
const done: Outcome = { ok: true, output: "1", logs: [] };
const failed: Outcome = {
  ok: false,
  error: { code: "implementation_failed", detail: "no" },
  retry: { kind: "may" },
  logs: [],
};
const gone = unstarted("environment_unavailable", `nobody at http://u:${SECRET}@there`);

type World = {
  operation?: Partial<ResolvedOperation>;
  first?: Outcome;
  kept?: Kept;
  outcome?: Outcome;
  flags?: string;
};

function setUp({ operation = {}, first = done, kept, outcome, flags = "01" }: World = {}) {
  const spans: Span[] = [];
  const kepts: KeptCall[] = [];
  const meter = new Meter(() => undefined);
  const answers: Record<string, Outcome> = { first, second: done };
  const adapter: Adapter = {
    ...describedAs("any"),
    invoke: async ({ environment }) => answers[environment.name] ?? done,
  };
  const row = { adapter: "any", secrets: { token: "t" }, openSecrets: async () => ({ token: SECRET }) };
  const ports: DispatchPorts = {
    registry: {
      async resolve(name) {
        if (name === "nope") throw new SwitchyardError("operation_not_found", "Cannot find it");
        const { operation: resolved } = callOf({ kind: "module", sha256: "a", export: "f", language: "javascript" });
        const places = { environments: ["missing", "first", "second"] };
        return { operation: { ...resolved, name, ...places, ...operation }, stale: false };
      },
    },
    environments: {
      environment: async (name) => (name === "missing" ? undefined : environmentOf(name, row)),
      environments: async () => [],
    },
    adapters: new Map([["any", adapter]]),
    health: new Health(),
    recorder: { shard: 1, add: () => undefined },
    rateLimits: { take: () => Promise.reject(new TypeError("nothing is limited here")) },
    keeper: {
      async keep(call) {
        kepts.push(call);
        return kept ?? { id: "ex_kept", repeated: false };
      },
      keepAndWait: () => Promise.reject(new TypeError("nobody waits here")),
      outcome: async () => outcome,
      finish: async () => undefined,
    },
    capability: () => "c",
    log: () => undefined,
    now: () => 1_000,
    telemetry: {
      meter,
      tracer: createTracer({ sampler: () => true, take: (span) => void spans.push(span), now: () => 1 }),
    },
  };
  const call: Call = {
    name: "echo",
    input: { value: 2, text: "2" },
    principal: { id: "p", name: "tester", scopes: ["ops:invoke"] },
    caller: { type: "token", id: "p" },
    depth: 0,
    traceparent: `00-${TRACE}-${SERVER}-${flags}`,
  };
  const counted = () =>
    meter
      .take()
      .flatMap(([name, labels, cells]) => (name.endsWith("duration") ? [] : [[name, ...labels, cells[0]].join(" ")]));
  const tree = () =>
    spans.map(({ name, kind, attributes }) => [
      name,
      kind,
      attributes["switchyard.environment"],
      attributes["error.type"],
    ]);
  return { call, ports, spans, kepts, counted, tree };
}

describe("dispatch() with telemetry", () => {
  it("tells of the call, of where it ran and of what was passed over, each span a child of the right one", async () => {
    const { call, ports, spans, counted, tree } = setUp({ first: gone });
    const answer = await dispatch(call, ports);
    expect(tree()).toEqual([
      ["pass over", "internal", "missing", "no_environment"],
      ["invoke any", "client", "first", "environment_unavailable"],
      ["invoke any", "client", "second", undefined],
      ["dispatch", "internal", "second", undefined],
    ]);
    const whole = spans.at(-1);
    expect(whole).toMatchObject({ traceId: TRACE, parentSpanId: SERVER });
    expect(whole?.attributes).toMatchObject({
      "switchyard.operation": "echo",
      "switchyard.revision": 2,
      "switchyard.caller.type": "token",
      "faas.invocation_id": answer.executionId,
    });
    for (const span of spans.slice(0, -1)) expect(span.parentSpanId).toBe(whole?.spanId);
    expect(counted()).toEqual([
      "passed_over missing no_environment 1",
      "passed_over first environment_unavailable 1",
      "calls echo second succeeded  1",
    ]);
  });

  it("counts a failure and a refusal by their codes, and an unknown name under none", async () => {
    const world = setUp({ first: failed });
    await dispatch(world.call, world.ports);
    expect(world.counted()).toContain("calls echo first failed implementation_failed 1");
    await expect(dispatch({ ...world.call, name: "nope" }, world.ports)).rejects.toMatchObject({
      code: "operation_not_found",
    });
    const tooDeep = { ...world.call, name: "whatever", depth: 99 };
    await expect(dispatch(tooDeep, world.ports)).rejects.toMatchObject({ code: "call_depth_exceeded" });
    const stranger = { ...world.call, principal: { id: "x", name: "x", scopes: [] } };
    await expect(dispatch(stranger, world.ports)).rejects.toMatchObject({ code: "forbidden" });
    expect(world.counted()).toEqual([
      "calls _unknown  refused operation_not_found 1",
      "calls _unknown  refused call_depth_exceeded 1",
      "calls echo  refused forbidden 1",
    ]);
    expect(world.spans.at(-1)).toMatchObject({ name: "dispatch", isError: true });
  });

  it("keeps a call that runs later in the trace: what attempts are linked to is the span that kept it", async () => {
    const { call, ports, spans, kepts, counted } = setUp({ operation: { isAsync: true } });
    await dispatch(call, ports);
    expect(spans).toHaveLength(1);
    expect(spans[0]).toMatchObject({ kind: "producer", parentSpanId: SERVER });
    expect(kepts[0]?.traceparent).toBe(`00-${TRACE}-${spans[0]?.spanId}-01`);
    expect(counted()).toEqual(["calls echo  accepted  1"]);
  });

  it.each([
    ["an asynchronous one", { async: true }],
    ["a synchronous one", {}],
  ])("counts a repeated Idempotency-Key of %s as that", async (_what, more) => {
    const { call, ports, counted } = setUp({ kept: { id: "ex_kept", repeated: true }, outcome: done });
    await dispatch({ ...call, ...more, idempotencyKey: "k" }, ports);
    expect(counted()).toEqual(["calls echo  repeated  1"]);
  });

  it("counts no call that was only checked", async () => {
    const { call, ports, counted } = setUp();
    await dispatch({ ...call, validateOnly: true }, ports);
    expect(counted()).toEqual([]);
  });

  it("begins the trace of what no request has asked for, without a parent", async () => {
    const { call, ports, spans } = setUp();
    await dispatch({ ...call, isRoot: true }, ports);
    expect(spans.at(-1)).toMatchObject({ name: "dispatch", traceId: TRACE, parentSpanId: undefined });
    expect(spans[0]?.parentSpanId).toBe(spans.at(-1)?.spanId);
  });

  it("makes no span where the trace is not sampled, and counts all the same", async () => {
    const { call, ports, spans, counted } = setUp({ flags: "00" });
    await dispatch(call, ports);
    expect(spans).toEqual([]);
    expect(counted()).toContain("calls echo first succeeded  1");
  });

  it("answers, records and measures the same without it", async () => {
    const { call, ports } = setUp();
    const { telemetry: _, ...without } = ports;
    const [one, other] = [await dispatch(call, ports), await dispatch(call, without)];
    expect({ ...one, executionId: "", operation: "" }).toEqual({ ...other, executionId: "", operation: "" });
  });

  it("lets no secret that a place was reached with out in words, logs or spans", async () => {
    const said = { level: "info" as const, message: `with ${SECRET}`, at_ms: 1 };
    const world = setUp({
      operation: { environments: ["first"] },
      first: {
        ...failed,
        error: {
          code: "implementation_failed",
          detail: `got ${SECRET}`,
          hint: SECRET,
          errors: [{ pointer: "", keyword: "k", detail: SECRET }],
        },
        logs: [said],
      },
    });
    const { outcome } = await dispatch(world.call, world.ports);
    expect(outcome).toMatchObject({
      error: { detail: "got [secret]", hint: "[secret]" },
      logs: [{ message: "with [secret]" }],
    });
    const passedOver = setUp({ first: gone });
    await dispatch(passedOver.call, passedOver.ports);
    for (const each of [outcome, world.spans, world.counted(), passedOver.spans])
      expect(JSON.stringify(each)).not.toContain(SECRET);
  });
});
