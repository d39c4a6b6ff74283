import { describe, expect, test } from "vitest";
import * as v from "valibot";
import { callOf, TRACE, TRACESTATE } from "../../../test/contracts/adapter/call-of.ts";
import { Cancellation } from "../../core/cancellation.ts";
import { splitFrame } from "../../model/frame.ts";
import { NEED_REPLY, type HostOrder } from "../../model/host-protocol.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { PoolOrder, PoolStatus } from "../../model/runner-protocol.ts";
import type { AdapterCall } from "../adapter.ts";
import { runnerAdapter, RunnerConfigSchema } from "./runner.ts";

const MODULE = { kind: "module", sha256: "0".repeat(64), export: "f", language: "javascript" } as const;
const PROCESS = { kind: "process" as const, command: ["./thumb.sh"] };

function setUp(run: (order: PoolOrder) => Promise<string | Outcome>, status?: PoolStatus) {
  const orders: PoolOrder[] = [];
  const cancelled: string[] = [];
  const adapter = runnerAdapter({
    isolates: {
      isolateId: () => "tested:abc",
      loadIsolate: async () => ({ code: "code", language: "javascript", export: "f", network: [], secrets: {} }),
    },
    artifacts: { put: async () => "ar_1", text: async () => "null" },
    platformUrl: undefined,
    now: () => 1_000,
    fetchOn: () => () => Promise.reject(new Error("no network")),
    pool: () => ({
      run: (order) => {
        orders.push(order);
        return run(order);
      },
      cancel: async (id) => void cancelled.push(id),
      status: async () => status ?? { runners: [], queued: 0 },
    }),
  });
  return { adapter, orders, cancelled };
}

function call(more: Partial<AdapterCall> = {}, config: Record<string, unknown> = {}): AdapterCall {
  const plain = callOf(MODULE, { n: 1 });
  return { ...plain, environment: { ...plain.environment, name: "rack-1", adapter: "runner", config }, ...more };
}

const ok = async () => '{"ok":true,"logs":[]}\n{"n":2}';

describe("invoke()", () => {
  test("answers what the runner did, and hands the input on as it is", async () => {
    const { adapter, orders } = setUp(ok);
    expect(await adapter.invoke(call())).toEqual({ ok: true, output: '{"n":2}', logs: [] });
    expect(splitFrame(orders[0]?.order ?? "")[1]).toBe('{"n":1}');
    expect(orders[0]).toMatchObject({
      execution: expect.stringMatching(/^ex_00_/) as string,
      attempt: 1,
      item: null,
      isolate: "tested:abc",
      hold: true,
    });
  });

  test("hands on the trace as it came", async () => {
    const { adapter, orders } = setUp(ok);
    await adapter.invoke(call());
    const { meta } = JSON.parse(splitFrame(orders[0]?.order ?? "")[0]) as HostOrder;
    expect(meta).toMatchObject({ traceparent: TRACE, tracestate: TRACESTATE });
  });

  test("sends the definition when it is asked for, with the same call", async () => {
    const { adapter, orders } = setUp(async ({ order }) => {
      const head = JSON.parse(splitFrame(order)[0]) as HostOrder;
      return head.definition === undefined ? NEED_REPLY : ok();
    });
    expect(await adapter.invoke(call())).toMatchObject({ ok: true });
    expect(orders.map(({ id }) => id)).toEqual([orders[0]?.id, orders[0]?.id]);
  });

  const failure = { ok: false, error: { code: "timeout", detail: "late" }, retry: { kind: "may" }, logs: [] } as const;
  test.each<[string, () => Promise<string | Outcome>, object]>([
    ["what the pool says", async () => ({ ...failure, unstarted: true }), { ...failure, unstarted: true }],
    [
      "executor_lost when the pool breaks off",
      () => Promise.reject(new Error("reset")),
      { error: { code: "executor_lost" } },
    ],
    [
      "a failure with its advice",
      async () =>
        '{"ok":false,"error":{"code":"implementation_failed","detail":"no"},"retry":{"kind":"never"},"logs":[]}\n',
      { error: { code: "implementation_failed", detail: "no" }, retry: { kind: "never" } },
    ],
    [
      "implementation_failed for what is no reply",
      async () => "nonsense",
      { error: { code: "implementation_failed" } },
    ],
    ["host_outdated for one that never has enough", async () => NEED_REPLY, { error: { code: "host_outdated" } }],
  ])("answers %s", async (_what, run, outcome) => {
    expect(await setUp(run).adapter.invoke(call())).toMatchObject(outcome);
  });

  test("what the pool broke off is not said to be unstarted", async () => {
    expect(await setUp(() => Promise.reject(new Error("reset"))).adapter.invoke(call())).not.toHaveProperty(
      "unstarted",
    );
  });

  test("takes the order back when the call is cancelled", async () => {
    const answer = Promise.withResolvers<string>();
    const { adapter, orders, cancelled } = setUp(() => answer.promise);
    const cancellation = new Cancellation();
    const outcome = adapter.invoke(call({ options: { cancellation } }));
    await expect.poll(() => orders.length).toBe(1);
    cancellation.request();
    expect(cancelled).toEqual([orders[0]?.id]);
    answer.resolve(await ok());
    await outcome;
  });

  test("runs nothing for a call that was cancelled before", async () => {
    const { adapter, orders } = setUp(ok);
    const cancellation = new Cancellation();
    cancellation.request();
    expect(await adapter.invoke(call({ options: { cancellation } }))).toMatchObject({
      error: { code: "execution_cancelled" },
      unstarted: true,
    });
    expect(orders).toEqual([]);
  });

  const meta = callOf(MODULE).meta;
  test.each<[string, Partial<AdapterCall>, Record<string, unknown>, Partial<PoolOrder>]>([
    ["its time-out", { meta: { ...meta, timeout_ms: 700 } }, {}, { wait_ms: 700, timeout_ms: 700 }],
    ["wait_ms", { meta: { ...meta, timeout_ms: 60_000 } }, { wait_ms: 200 }, { wait_ms: 200, hold: true }],
    ["its attempt's life", { meta: { ...meta, timeout_ms: 60_000, live: true } }, {}, { wait_ms: 60_000 }],
    ["no runner when others are left", { isLast: false, meta: { ...meta, live: true } }, {}, { hold: false }],
  ])("waits for %s", async (_what, more, config, wanted) => {
    const { adapter, orders } = setUp(ok);
    await adapter.invoke(call(more, config));
    expect(orders[0]).toMatchObject(wanted);
  });

  test("says which sort of work it is", async () => {
    const { adapter, orders } = setUp(ok);
    await adapter.invoke({ ...call(), operation: callOf(PROCESS).operation });
    expect(orders[0]).toMatchObject({ runnable: "process", isolate: "" });
  });

  test("runs nothing that no host runs", async () => {
    const { adapter, orders } = setUp(ok);
    const { operation } = callOf({ kind: "lambda", function: "f", qualifier: null });
    expect(await adapter.invoke({ ...call(), operation })).toMatchObject({ error: { code: "no_environment" } });
    expect(orders).toEqual([]);
  });
});

describe("check()", () => {
  const { environment } = call();
  test("says that no runner is connected, and what to do", async () => {
    expect(await setUp(ok).adapter.check?.(environment)).toMatchObject({
      reachable: false,
      missing: ["no runner is connected: opctl runner start --environment rack-1"],
      facts: { runners: 0 },
    });
  });

  test("shows the runners", async () => {
    const runner = {
      name: "a",
      version: "1",
      slots: 4,
      in_flight: 1,
      replicas: 0,
      services: {},
      capabilities: { gpu: true },
      runs: ["module"],
      state: "connected" as const,
      last_seen_at: 0,
    };
    expect(await setUp(ok, { runners: [runner], queued: 2 }).adapter.check?.(environment)).toMatchObject({
      reachable: true,
      missing: [],
      facts: { runners: 1, slots: 4, in_flight: 1, queued: 2, "runner a": expect.stringContaining("gpu=true") },
    });
  });
});

test.each([
  [{}, true],
  [{ max_queued: 0, wait_ms: 0, resume_ms: 0 }, true],
  [{ region: "eu" }, false],
  [{ wait_ms: -1 }, false],
  [{ max_queued: 1.5 }, false],
])("the configuration %j is taken: %s", (config, taken) => {
  expect(v.safeParse(RunnerConfigSchema, config).success).toBe(taken);
});
