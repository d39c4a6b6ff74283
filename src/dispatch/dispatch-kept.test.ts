/** Calls that are kept: which are, what the keeper is told, and what an Idempotency-Key makes of a synchronous one. */
import { operationOf } from "../model/_operation.test-util.ts";
import { describedAs, environmentOf } from "../model/_environment.test-util.ts";
import { Health } from "./health.ts";
import { describe, expect, it } from "vitest";
import type { Limited } from "../model/rate-limit.ts";
import type { Outcome } from "../model/outcome.ts";
import type { CompiledType, ResolvedOperation } from "../model/resolved.ts";
import { dispatch, type Call, type DispatchPorts, type Kept, type KeptCall } from "./dispatch.ts";

const numbers: CompiledType = {
  schema: { type: "number" },
  any: false,
  check: (value) =>
    typeof value === "number"
      ? { ok: true, value, changed: false }
      : { ok: false, errors: [{ pointer: "", keyword: "type", detail: "must be a number" }] },
};

const operation = operationOf("double", { input: numbers });

const done: Outcome = { ok: true, output: "4", logs: [] };
const broken: Outcome = {
  ok: false,
  error: { code: "implementation_failed", detail: "it threw" },
  retry: { kind: "may" },
  logs: [],
};

type World = {
  operation?: Partial<ResolvedOperation>;
  runs?: Outcome;
  kept?: Kept;
  becomes?: Outcome | undefined;
  keep?: () => never;
  finish?: () => never;
  limited?: Limited | undefined;
};

function setUp(world: World = {}) {
  const events: string[] = [];
  const calls: KeptCall[] = [];
  const finished: Parameters<DispatchPorts["keeper"]["finish"]>[] = [];
  const kept = world.kept ?? { id: "ex_kept", repeated: false };
  const keep = (call: KeptCall): Kept => {
    events.push(`keep ${call.mode}`);
    calls.push(call);
    world.keep?.();
    return kept;
  };
  const ports = {
    registry: { resolve: async () => ({ operation: { ...operation, ...world.operation }, stale: false }) },
    environments: {
      environment: async (name: string) => environmentOf(name, { active: name === "inline" }),
      environments: async () => [],
    },
    health: new Health(),
    adapters: new Map([
      [
        "inline",
        {
          ...describedAs("inline"),
          invoke: async ({ meta }: { meta: { execution_id: string } }) => {
            events.push(`run ${meta.execution_id}`);
            return world.runs ?? done;
          },
        },
      ],
    ]),
    recorder: { shard: 5, add: () => void events.push("record") },
    capability: () => "c",
    log: () => undefined,
    now: () => 1_000,
    rateLimits: {
      take: async (subject: string, id: string) => {
        events.push(`take ${subject} ${id}`);
        return world.limited;
      },
    },
    keeper: {
      keep: async (call: KeptCall) => keep(call),
      keepAndWait: async (call: KeptCall, waitMs: number) => {
        const answer = keep(call);
        events.push(`wait ${waitMs}`);
        return { kept: answer, outcome: world.becomes };
      },
      outcome: async (id: string, waitMs: number) => {
        events.push(`outcome ${id} ${waitMs}`);
        return world.becomes;
      },
      finish: async (...end: Parameters<DispatchPorts["keeper"]["finish"]>) => {
        events.push(`finish ${end[0]}`);
        finished.push(end);
        world.finish?.();
      },
    },
  } as unknown as DispatchPorts;
  const call: Call = {
    name: "double",
    input: { value: 2, text: "2" },
    principal: { id: "p", name: "tester", scopes: ["ops:invoke"] },
    caller: { type: "token", id: "p" },
    depth: 4,
    traceparent: "00-1-2-01",
  };
  return { call, ports, events, calls, finished };
}

describe("dispatch() of a call that runs later", () => {
  it.each<[string, Partial<ResolvedOperation>, Partial<Call>]>([
    ["is_async", { isAsync: true }, {}],
    ["Prefer: respond-async", {}, { async: true }],
    ["both, with a wait of nothing", { isAsync: true }, { async: true, waitMs: 0 }],
  ])("keeps it by %s, and runs and records nothing", async (_why, changes, more) => {
    const { call, ports, events, calls } = setUp({ operation: changes });
    const answer = await dispatch({ ...call, ...more }, ports);
    expect(answer).toMatchObject({ executionId: "ex_kept", kept: { id: "ex_kept", repeated: false } });
    expect(answer.outcome).toBeUndefined();
    expect(events).toEqual(["keep async"]);
    expect(calls[0]).toMatchObject({
      mode: "async",
      operation: { revision: 3 },
      input: { text: "2", value: 2 },
      principal: { id: "p" },
      caller: { type: "token", id: "p" },
      depth: 4,
      traceparent: "00-1-2-01",
      idempotencyKey: undefined,
      delayMs: 0,
      expiresMs: undefined,
    });
  });

  it("hands on key, delay and expiry", async () => {
    const { call, ports, calls } = setUp();
    await dispatch({ ...call, async: true, idempotencyKey: "k", delayMs: 5, expiresMs: 7 }, ports);
    expect(calls[0]).toMatchObject({ idempotencyKey: "k", delayMs: 5, expiresMs: 7 });
  });

  it.each<[string, Outcome | undefined]>([
    ["its result", done],
    ["its failure", broken],
    ["only that it is kept when the time is over", undefined],
  ])("waits as long as asked, and answers %s", async (_what, becomes) => {
    const { call, ports, events } = setUp({ becomes });
    const answer = await dispatch({ ...call, async: true, waitMs: 5_000 }, ports);
    expect(events).toEqual(["keep async", "wait 5000"]);
    expect(answer).toMatchObject({ executionId: "ex_kept", kept: { repeated: false } });
    expect(answer.outcome).toEqual(becomes);
  });

  it("says that a key had been used, with what it came to", async () => {
    const { call, ports } = setUp({ kept: { id: "ex_before", repeated: true }, becomes: done });
    const answer = await dispatch({ ...call, async: true, waitMs: 1, idempotencyKey: "k" }, ports);
    expect(answer).toMatchObject({ executionId: "ex_before", kept: { repeated: true }, outcome: done });
  });

  it.each<[string, Partial<ResolvedOperation>, Partial<Call>, string]>([
    ["an input that does not fit", {}, { input: { value: "x", text: '"x"' } }, "input_invalid"],
    ["a principal that may not", {}, { principal: { id: "p", name: "p", scopes: [] } }, "forbidden"],
    ["an inactive operation", { active: false }, {}, "operation_inactive"],
    ["calls nested too deeply", {}, { depth: 17 }, "call_depth_exceeded"],
  ])("refuses %s before it is kept", async (_what, changes, more, code) => {
    const { call, ports, events } = setUp({ operation: changes });
    await expect(dispatch({ ...call, async: true, idempotencyKey: "k", ...more }, ports)).rejects.toMatchObject({
      code,
    });
    expect(events).toEqual([]);
  });

  it("only checks when asked to, and keeps nothing", async () => {
    const { call, ports, events } = setUp();
    const answer = await dispatch({ ...call, async: true, validateOnly: true, idempotencyKey: "k" }, ports);
    expect([answer.executionId, events]).toEqual([undefined, []]);
  });

  it("passes the keeper's refusal on", async () => {
    const { call, ports } = setUp({
      keep: () => {
        throw Object.assign(new Error("full"), { code: "queue_full" });
      },
    });
    await expect(dispatch({ ...call, async: true }, ports)).rejects.toMatchObject({ code: "queue_full" });
  });
});

describe("dispatch() of an operation with a rate limit", () => {
  const policy = { limit: 2, window_s: 60, burst: null };
  const limited = (allowed: boolean): Limited => ({
    subject: "operation",
    policy,
    allowed,
    remaining: 0,
    resetMs: 60_000,
    afterMs: 29_001,
  });
  const ways: [string, Partial<Call>, string][] = [
    ["runs now", {}, "run"],
    ["is kept", { async: true }, "keep async"],
    ["has an Idempotency-Key", { idempotencyKey: "k" }, "keep sync"],
  ];

  it.each(ways)("counts a call that %s, once, before that", async (_what, more, next) => {
    const told: Limited[] = [];
    const { call, ports, events } = setUp({ operation: { rateLimit: policy }, limited: limited(true) });
    await dispatch({ ...call, ...more, limited: (each) => void told.push(each) }, ports);
    expect(events.filter((event) => event.startsWith("take"))).toEqual(["take operation double"]);
    expect(events[1]).toContain(next);
    expect(told).toEqual([limited(true)]);
  });

  it.each(ways)("refuses one that %s, and says when to come again", async (_what, more) => {
    const told: Limited[] = [];
    const { call, ports, events } = setUp({ operation: { rateLimit: policy }, limited: limited(false) });
    await expect(dispatch({ ...call, ...more, limited: (each) => void told.push(each) }, ports)).rejects.toMatchObject({
      code: "rate_limited",
      afterMs: 29_001,
      message: expect.stringContaining("2 times in 60 s") as string,
    });
    expect(events).toEqual(["take operation double"]);
    expect(told).toEqual([limited(false)]);
  });

  it("lets a call through when nobody can count it", async () => {
    const { call, ports, events } = setUp({ operation: { rateLimit: policy }, limited: undefined });
    expect((await dispatch(call, ports)).outcome).toEqual(done);
    expect(events[0]).toBe("take operation double");
  });

  it.each<[string, Partial<Call>]>([
    ["whose input does not fit", { input: { value: "x", text: '"x"' } }],
    ["of a stranger", { principal: { id: "p", name: "p", scopes: [] } }],
    ["that only checks", { validateOnly: true }],
  ])("counts no call %s", async (_what, more) => {
    const { call, ports, events } = setUp({ operation: { rateLimit: policy }, limited: limited(true) });
    await dispatch({ ...call, ...more }, ports).catch(() => undefined);
    expect(events).toEqual([]);
  });
});

describe("dispatch() of a synchronous call", () => {
  it.each<[string, Partial<Call>]>([
    ["delay", { delayMs: 0 }],
    ["expiry", { expiresMs: 5 }],
  ])("refuses a %s, and says what would help", async (_what, more) => {
    const { call, ports, events } = setUp();
    await expect(dispatch({ ...call, ...more }, ports)).rejects.toMatchObject({
      code: "bad_request",
      hint: expect.stringContaining("respond-async") as string,
    });
    expect(events).toEqual([]);
  });

  it.each<[string, Outcome]>([
    ["result", done],
    ["failure", broken],
  ])("with an Idempotency-Key is kept, runs, and its %s is durable before it is answered", async (_what, runs) => {
    const { call, ports, events, finished } = setUp({ runs });
    const answer = await dispatch({ ...call, idempotencyKey: "k" }, ports);
    expect(events).toEqual(["keep sync", "run ex_kept", "finish ex_kept"]);
    expect(answer).toMatchObject({ executionId: "ex_kept", outcome: runs });
    expect(finished[0]?.[1]).toMatchObject({ outcome: runs, environment: "inline", startedAt: 1_000 });
  });

  it.each<[string, Outcome]>([
    ["result", done],
    ["failure", broken],
  ])("with a key that was used answers the first one's %s, and does not run", async (_what, becomes) => {
    const { call, ports, events } = setUp({ kept: { id: "ex_before", repeated: true }, becomes });
    const answer = await dispatch({ ...call, idempotencyKey: "k" }, ports);
    expect(answer).toMatchObject({ executionId: "ex_before", kept: { repeated: true }, outcome: becomes });
    expect(events).toEqual(["keep sync", "outcome ex_before 0"]);
  });

  it("with a key whose first call still runs is refused, with its id", async () => {
    const { call, ports, events } = setUp({ kept: { id: "ex_before", repeated: true }, becomes: undefined });
    await expect(dispatch({ ...call, idempotencyKey: "k" }, ports)).rejects.toMatchObject({
      code: "idempotency_in_progress",
      message: expect.stringContaining("ex_before") as string,
    });
    expect(events).toEqual(["keep sync", "outcome ex_before 0"]);
  });

  it("with a key whose input was another is refused by the keeper, and does not run", async () => {
    const { call, ports, events } = setUp({
      keep: () => {
        throw Object.assign(new Error("reused"), { code: "idempotency_key_reused" });
      },
    });
    await expect(dispatch({ ...call, idempotencyKey: "k" }, ports)).rejects.toMatchObject({
      code: "idempotency_key_reused",
    });
    expect(events).toEqual(["keep sync"]);
  });

  it("with a key ends its record when nothing can run it: the key must not stay in progress", async () => {
    const { call, ports, events, finished } = setUp({ operation: { environments: ["nowhere"] } });
    const answer = await dispatch({ ...call, idempotencyKey: "k" }, ports);
    expect(answer).toMatchObject({ executionId: "ex_kept", outcome: { ok: false, error: { code: "no_environment" } } });
    expect(events).toEqual(["keep sync", "finish ex_kept"]);
    expect(finished[0]?.[1]).toMatchObject({ environment: null, outcome: { ok: false } });
  });

  it("with a key does not answer a result that could not be kept", async () => {
    const { call, ports } = setUp({
      finish: () => {
        throw new Error("the shard is gone");
      },
    });
    await expect(dispatch({ ...call, idempotencyKey: "k" }, ports)).rejects.toThrow("the shard is gone");
  });

  it("without a key keeps nothing, and is recorded", async () => {
    const { call, ports, events } = setUp();
    const answer = await dispatch(call, ports);
    expect(answer.kept).toBeUndefined();
    expect(events).toEqual([`run ${answer.executionId}`, "record"]);
  });
});
