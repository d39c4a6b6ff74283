import { describe, expect, test } from "vitest";
import { SwitchyardError } from "../../core/errors.ts";
import type { DispatchPorts, KeptCall } from "../../dispatch/dispatch.ts";
import { Health } from "../../dispatch/health.ts";
import type { EndedExecution } from "../../model/ended.ts";
import type { ExecutionView } from "../../model/execution.ts";
import { subscriptionOf } from "./_fixture.test-util.ts";
import { tellEnds } from "./tell-ends.ts";

const TRACE = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`;

function endOf(id: string, change: Partial<ExecutionView> = {}, more: Partial<EndedExecution> = {}): EndedExecution {
  const view = {
    id,
    operation: "charge",
    revision: 2,
    status: "succeeded",
    caller: { type: "token", id: "tok" },
    traceparent: TRACE,
    accepted_at: "2030-01-01T00:00:00.000Z",
    started_at: "2030-01-01T00:00:01.000Z",
    finished_at: "2030-01-01T00:00:02.000Z",
    attempt: 1,
    error: null,
    output: null,
    parent: null,
    replay_of: null,
    ...change,
  } as ExecutionView;
  return { view, depth: 0, ...more };
}

type World = {
  rows?: readonly ReturnType<typeof subscriptionOf>[];
  ends?: readonly EndedExecution[];
  /** How many the shard tells with one message. */
  page?: number;
  keep?: (call: KeptCall) => void;
};

function setUp({ rows = [subscriptionOf()], ends = [], page = 50, keep }: World) {
  const kept: KeptCall[] = [];
  const reads: [string[], boolean][] = [];
  const schedules: string[] = [];
  const type = { schema: true, any: true, check: (value: unknown) => ({ ok: true, value, changed: false }) };
  const operation = {
    name: "deliver_event",
    group: "registry",
    active: true,
    isAsync: true,
    batch: false,
    rateLimit: null,
    input: type,
  };
  const dispatch = {
    registry: { resolve: async () => ({ operation, stale: false }) },
    keeper: {
      keep: async (call: KeptCall) => {
        keep?.(call);
        kept.push(call);
        return { id: `ex_${kept.length}`, repeated: false };
      },
    },
    health: new Health(),
    now: () => 0,
  } as unknown as DispatchPorts;
  const tell = (ids: readonly string[]) =>
    tellEnds(
      ids.map((id) => ({ id, group: "shop" })),
      {
        read: async (wanted, { inputs }) => {
          reads.push([[...wanted], inputs]);
          const found = wanted.flatMap((id) => ends.find(({ view }) => view.id === id) ?? []);
          return JSON.stringify(found.slice(0, page));
        },
        subscriptions: async () => rows,
        schedulesEnded: async (ended) => {
          for (const { schedule, execution } of ended) schedules.push(`${schedule} ${execution}`);
        },
        dispatch,
      },
    );
  return { tell, kept, reads, schedules };
}

describe("tellEnds()", () => {
  test("keeps a delivery for each subscription, under a key of the two", async () => {
    const rows = [
      subscriptionOf(),
      subscriptionOf({ name: "second", on: ["dead"] }),
      subscriptionOf({ name: "third" }),
    ];
    const { tell, kept, reads } = setUp({ rows, ends: [endOf("ex_a", {}, { output: '{"n":1}', depth: 3 })] });
    expect(await tell(["ex_a"])).toEqual(["ex_a"]);
    expect(reads).toEqual([[["ex_a"], false]]);
    expect(kept.map(({ idempotencyKey }) => idempotencyKey)).toEqual(["tell ex_a", "third ex_a"]);
    expect(kept[0]).toMatchObject({
      mode: "async",
      beside: "ex_a",
      operation: { name: "deliver_event" },
      caller: { type: "subscription", id: "tell" },
      principal: { id: "subscription:tell" },
      depth: 3,
      traceparent: expect.stringMatching(`^00-${"a".repeat(32)}-`),
      policy: { timeoutMs: 15_000, retry: { max_attempts: 12 } },
      input: {
        value: {
          subscription: "tell",
          event: {
            type: "execution.succeeded",
            id: "evt_a",
            at: "2030-01-01T00:00:02.000Z",
            data: { execution: { id: "ex_a", operation: "charge", status: "succeeded" }, output: { n: 1 } },
          },
        },
      },
    });
    expect(JSON.stringify(kept[0]?.input.value)).toBe(kept[0]?.input.text);
  });

  test("gives the input to mappings, and to nobody else", async () => {
    const rows = [subscriptionOf(), subscriptionOf({ name: "mapped", mapping: "data.input" })];
    const { tell, kept, reads } = setUp({ rows, ends: [endOf("ex_a", {}, { input: '{"secret":1}' })] });
    await tell(["ex_a"]);
    expect(reads).toEqual([[["ex_a"], true]]);
    const inputs = kept.map(({ input }) => (input.value as { event: { data: { input?: unknown } } }).event.data.input);
    expect(inputs).toEqual([undefined, { secret: 1 }]);
  });

  test("names the artifact of an output that is too large, and of no other", async () => {
    const output = { artifact_id: "ar_a", sha256: "00", size_bytes: 300_000 };
    const ends = [endOf("ex_a", { output }), endOf("ex_b", { output }, { output: "1" })];
    const { tell, kept } = setUp({ ends });
    await tell(["ex_a", "ex_b"]);
    const data = kept.map(({ input }) => (input.value as { event: { data: object } }).event.data);
    expect(data).toEqual([
      { execution: expect.anything(), output_artifact: output },
      { execution: expect.anything(), output: 1 },
    ]);
    expect(JSON.stringify(data[1])).not.toContain("ar_a");
  });

  test("goes on until all is read, and forgets what is kept no more", async () => {
    const ends = ["ex_a", "ex_b", "ex_d"].map((id) => endOf(id));
    const { tell, kept, reads } = setUp({ ends, page: 2 });
    expect(await tell(["ex_a", "ex_b", "ex_c", "ex_d", "ex_e"])).toEqual(["ex_a", "ex_b", "ex_c", "ex_d", "ex_e"]);
    expect(kept.map(({ idempotencyKey }) => idempotencyKey)).toEqual(["tell ex_a", "tell ex_b", "tell ex_d"]);
    expect(reads.map(([ids]) => ids.length)).toEqual([5, 3, 1]);
  });

  test("answers for all but those that could not be told", async () => {
    const ends = ["ex_a", "ex_b"].map((id) => endOf(id));
    const { tell } = setUp({
      ends,
      keep: ({ idempotencyKey }) => {
        if (idempotencyKey === "tell ex_a") throw new SwitchyardError("queue_full", "full");
      },
    });
    expect(await tell(["ex_a", "ex_b"])).toEqual(["ex_b"]);
  });

  test("takes one that was delivered before as told, though its event is another now", async () => {
    const { tell } = setUp({
      ends: [endOf("ex_a")],
      keep: () => {
        throw new SwitchyardError("idempotency_key_reused", "other input");
      },
    });
    expect(await tell(["ex_a"])).toEqual(["ex_a"]);
  });

  test("tells schedules of what they have started", async () => {
    const ends = [endOf("ex_a", { caller: { type: "schedule", id: "nightly" } })];
    const { tell, schedules, kept } = setUp({ rows: [], ends });
    expect(await tell(["ex_a"])).toEqual(["ex_a"]);
    expect(schedules).toEqual(["nightly ex_a"]);
    expect(kept).toEqual([]);
  });

  test("delivers the end of a delivery one level deeper, to whoever names it", async () => {
    const rows = [subscriptionOf({ operations: ["deliver_event"] }), subscriptionOf({ name: "all" })];
    const ends = [
      endOf("ex_a", { operation: "deliver_event", caller: { type: "subscription", id: "all" } }, { depth: 2 }),
    ];
    const { tell, kept } = setUp({ rows, ends });
    await tell(["ex_a"]);
    expect(kept.map(({ caller, depth }) => [caller.id, depth])).toEqual([["tell", 3]]);
  });
});
