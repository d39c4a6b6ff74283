/** The runner of attempts before a shard that the test holds, those who wait, and the keeper before real shards. */
import { operationOf } from "../../src/model/_operation.test-util.ts";
import { describedAs, environmentOf } from "../../src/model/_environment.test-util.ts";
import { Health } from "../../src/dispatch/health.ts";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SwitchyardError, type ErrorCode } from "../../src/core/errors.ts";
import { newExecutionId, shardOfExecutionId } from "../../src/core/ids.ts";
import type { WantedPort } from "../../src/executions/port.ts";
import type { Wanted } from "../../src/model/ended.ts";
import type { KeptCall } from "../../src/dispatch/dispatch.ts";
import { Accepter } from "../../src/executions/accepter.ts";
import type { RunnerPorts, RunnerShard } from "../../src/executions/_runner-ports.ts";
import { runClaims } from "../../src/executions/attempt-runner.ts";
import { nameOfShard } from "../../src/executions/execution-shard.ts";
import { Keeper, placeOf } from "../../src/executions/keeper.ts";
import type { Claim, Settlement } from "../../src/executions/messages.ts";
import { Payloads } from "../../src/executions/payloads.ts";
import { Waiting } from "../../src/executions/waiting.ts";
import type { ExecutionView } from "../../src/model/execution.ts";
import type { InvocationMeta } from "../../src/model/invocation.ts";
import type { Outcome } from "../../src/model/outcome.ts";
import type { ResolvedOperation } from "../../src/model/resolved.ts";
import { clock, DAY, ended, head, SHARDS, TestWorld, until } from "./execution-world.ts";

const operation = operationOf("work", {
  isAsync: true,
  retry: { max_attempts: 4, initial_ms: 200, max_ms: 30_000 },
  retentionMs: DAY,
});

const STATUS = {
  succeeded: "succeeded",
  failed: "dead",
  lost: "retrying",
  interrupted: "retrying",
  put_back: "queued",
} as const;

/** Waits of the code under test, in the test's hands. */
class Waits {
  #now = 0;
  #open: { at: number; end: () => void }[] = [];

  wait = (ms: number): Promise<void> => new Promise((end) => this.#open.push({ at: this.#now + ms, end }));

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 50) {
      this.#now += Math.min(50, left);
      clock.now += Math.min(50, left);
      const due = this.#open.filter(({ at }) => at <= this.#now);
      this.#open = this.#open.filter(({ at }) => at > this.#now);
      for (const { end } of due) end();
      // What they wake goes on in between.
      for (let turns = 0; turns < 40; turns++) await Promise.resolve();
    }
  }
}

type Handler = (meta: InvocationMeta, cancelled: Promise<void>) => Promise<Outcome>;

const done: Outcome = { ok: true, output: '"done"', logs: [] };

function failure(code: ErrorCode): Outcome {
  return { ok: false, error: { code, detail: "d" }, retry: { kind: "may" }, logs: [] };
}

function claim(id: string, changes: Partial<Claim> = {}): Claim {
  return { id, operation: "work", attempt: 1, head: head(), input: { text: "1" }, ...changes };
}

function setUp(handler: Handler, more: Partial<RunnerPorts> = {}) {
  const told: [string, Outcome][] = [];
  const invoked: string[] = [];
  const ports = {
    registry: { resolve: async () => ({ operation }), principalById: async () => ({ id: "p", name: "p", scopes: [] }) },
    payloads: new Payloads({ put: async () => undefined, get: async (key) => `"large ${key}"` }),
    ended: (id: string, outcome: Outcome) => void told.push([id, outcome]),
    giveWay: async () => undefined,
    wanted: () => undefined,
    now: () => clock.now,
    environments: { environment: async (name: string) => environmentOf(name), environments: async () => [] },
    health: new Health(),
    adapters: new Map([
      [
        "inline",
        {
          ...describedAs("inline"),
          invoke: ({ meta, input, options }) => {
            invoked.push(input);
            return handler(meta, new Promise((resolve) => options?.cancellation?.onRequest(resolve)));
          },
        },
      ],
    ]) as RunnerPorts["adapters"],
    capability: () => "c",
    ...more,
  } as RunnerPorts;
  const settled: Settlement[] = [];
  const renewed: string[][] = [];
  const shard: RunnerShard & { failing: number; gone: string[] } = {
    failing: 0,
    gone: [],
    settle: async (text) => {
      if (shard.failing-- > 0) throw new Error("the shard starts again");
      const settlements = JSON.parse(text) as Settlement[];
      settled.push(...settlements);
      return JSON.stringify(
        settlements.map(({ id, ending }) => (shard.gone.includes(id) ? null : STATUS[ending.kind])),
      );
    },
    renew: async (attempts) => {
      renewed.push(attempts.map(({ id }) => id));
      return shard.gone;
    },
    progress: async () => true,
  };
  return { ports, shard, settled, renewed, told, invoked };
}

describe("runClaims()", () => {
  let waits: Waits;

  beforeEach(() => {
    // A new world sets the clock to its start.
    expect(new TestWorld().launched).toEqual([]);
    waits = new Waits();
    vi.spyOn(scheduler, "wait").mockImplementation(waits.wait);
  });

  afterEach(() => {
    vi.restoreAllMocks();
  });

  it("reports those that end together together, and tells who waits", async () => {
    const { ports, shard, settled, told, invoked } = setUp(async () => done);
    const settle = vi.spyOn(shard, "settle");
    const run = runClaims([claim("a"), claim("b", { attempt: 7, input: { key: "k" } })], shard, ports);
    await waits.pass(100);
    await run;
    expect(settle).toHaveBeenCalledTimes(1);
    expect(invoked).toEqual(["1", '"large k"']);
    expect(settled).toMatchObject([
      {
        id: "a",
        attempt: 1,
        environment: "inline",
        ending: { kind: "succeeded", output: { text: '"done"' }, size_bytes: 6 },
      },
      { id: "b", attempt: 7 },
    ]);
    expect(told.map(([id]) => id)).toEqual(["a", "b"]);
  });

  it("says with an end who wants to hear of it, where the operation was found", async () => {
    const asked: unknown[] = [];
    const wanted: RunnerPorts["wanted"] = ({ name, group }, caller) => {
      asked.push([name, group, caller.id]);
      return { group, on: ["dead"] };
    };
    const { ports, shard, settled } = setUp(async () => done, { wanted });
    const run = runClaims([claim("a")], shard, ports);
    await waits.pass(100);
    await run;
    expect(asked).toEqual([[operation.name, operation.group, "tok"]]);
    expect(settled).toMatchObject([{ id: "a", wanted: { group: operation.group, on: ["dead"] } }]);
  });

  it("renews every second what goes on, and stops with the last", async () => {
    const { promise: long, resolve: end } = Promise.withResolvers<Outcome>();
    const { ports, shard, renewed } = setUp(({ execution_id }) =>
      execution_id === "long" ? long : Promise.resolve(done),
    );
    const run = runClaims([claim("short"), claim("long")], shard, ports);
    await waits.pass(3_050);
    expect(renewed).toEqual([["long"], ["long"], ["long"]]);
    end(done);
    await waits.pass(100);
    await run;
    await waits.pass(5_000);
    expect(renewed).toHaveLength(3);
  });

  it("tells an attempt that does not count any more to stop, and no other; nobody hears its end", async () => {
    const cancelled: string[] = [];
    const { ports, shard, told, settled } = setUp(async ({ execution_id }, stop) => {
      if (execution_id === "b") return done;
      await stop;
      cancelled.push(execution_id);
      return failure("execution_cancelled");
    });
    shard.gone = ["a"];
    const run = runClaims([claim("a"), claim("b")], shard, ports);
    await waits.pass(900);
    expect(cancelled).toEqual([]);
    await waits.pass(300);
    await run;
    expect(cancelled).toEqual(["a"]);
    expect(settled.map(({ id }) => id)).toEqual(["b", "a"]);
    expect(told.map(([id]) => id)).toEqual(["b"]);
  });

  it("goes on renewing when the shard does not hear it for a while", async () => {
    const { promise: long, resolve: end } = Promise.withResolvers<Outcome>();
    const { ports, shard } = setUp(() => long);
    const renew = vi
      .spyOn(shard, "renew")
      .mockRejectedValueOnce(new Error("away"))
      .mockRejectedValueOnce(new Error("away"));
    const run = runClaims([claim("a")], shard, ports);
    await waits.pass(4_050);
    expect(renew).toHaveBeenCalledTimes(4);
    end(done);
    await waits.pass(100);
    await run;
  });

  it.each([1, 7, 30])(
    "keeps a result until the shard hears it, after %d failures, and renews meanwhile",
    async (failing) => {
      const { ports, shard, settled, renewed, told } = setUp(async () => done);
      shard.failing = failing;
      const run = runClaims([claim("a")], shard, ports);
      await waits.pass(failing * 2_000 + 200);
      await run;
      expect(settled.map(({ id }) => id)).toEqual(["a"]);
      expect(told.map(([id]) => id)).toEqual(["a"]);
      if (failing > 5) expect(renewed.flat()).toContain("a");
    },
  );

  it("reports what ended while another report was on its way", async () => {
    const ends = new Map<string, (outcome: Outcome) => void>();
    const { ports, shard, settled } = setUp(
      ({ execution_id }) => new Promise<Outcome>((resolve) => void ends.set(execution_id, resolve)),
    );
    shard.failing = 1;
    const run = runClaims([claim("a"), claim("b"), claim("c")], shard, ports);
    await waits.pass(50);
    ends.get("a")?.(done);
    await waits.pass(50);
    ends.get("b")?.(done);
    ends.get("c")?.(failure("implementation_failed"));
    await waits.pass(500);
    await run;
    expect(settled.map(({ id, ending }) => `${id} ${ending.kind}`).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      "a succeeded",
      "b succeeded",
      "c failed",
    ]);
  });

  it.each<[ErrorCode, string, string | undefined]>([
    ["implementation_failed", "failed", "may"],
    ["timeout", "failed", "may"],
    ["output_invalid", "failed", "may"],
    ["executor_lost", "lost", undefined],
    ["registry_unavailable", "put_back", undefined],
    ["no_environment", "put_back", undefined],
    ["secret_unavailable", "put_back", undefined],
    ["artifact_store_unavailable", "put_back", undefined],
    ["operation_not_found", "failed", "never"],
    ["forbidden", "failed", "never"],
    ["token_revoked", "failed", "never"],
    ["payload_lost", "failed", "never"],
  ])("reports %s as %s, whether answered or thrown", async (code, kind, retry) => {
    const answered = setUp(async () => failure(code));
    const thrown = setUp(async () => done, {
      registry: {
        resolve: () => Promise.reject(new SwitchyardError(code, "d")),
        principalById: () => Promise.reject(new Error()),
      },
    });
    for (const { ports, shard, settled, invoked } of [answered, thrown]) {
      const run = runClaims([claim("a")], shard, ports);
      await waits.pass(100);
      await run;
      expect(settled[0]?.ending).toMatchObject({
        kind,
        error: { code },
        ...(retry === undefined ? {} : { retry: { kind: retry } }),
      });
      if (invoked.length === 0) expect(settled[0]?.environment).toBeNull();
    }
  });

  it("holds back what belongs to an operation that was closed", async () => {
    const { ports, shard, settled, invoked } = setUp(async () => done, {
      registry: {
        resolve: async () => ({ operation: { ...operation, active: false } }),
        principalById: () => Promise.reject(new Error()),
      },
    });
    const run = runClaims([claim("a")], shard, ports);
    await waits.pass(100);
    await run;
    expect([settled[0]?.ending.kind, invoked]).toEqual(["put_back", []]);
  });
});

const view = (status: string): ExecutionView => ({ status }) as ExecutionView;

const never = (): Promise<undefined> => new Promise(() => undefined);

describe("Waiting", () => {
  it("takes the short cut when it is told, and keeps nothing of it", async () => {
    const waiting = new Waiting();
    const both = [waiting.early("a", 60_000, never()), waiting.early("a", 60_000, never())];
    expect(waiting.size).toBe(1);
    waiting.ended("b", done);
    waiting.ended("a", done);
    expect(waiting.size).toBe(0);
    expect(await Promise.all(both)).toEqual([{ outcome: done }, { outcome: done }]);
    expect(await waiting.early("a", 60_000, Promise.resolve())).toBeUndefined();
    expect(waiting.size).toBe(0);
  });

  it("hears it too while it asks", async () => {
    const waiting = new Waiting();
    const ask = vi.fn(never);
    const wait = waiting.wait("a", 60_000, ask);
    await until(() => ask.mock.calls.length > 0);
    waiting.ended("a", done);
    expect(await wait).toEqual({ outcome: done });
    expect(waiting.size).toBe(0);
  });

  it.each<[string, ExecutionView | undefined, unknown]>([
    ["the end", view("succeeded"), { view: view("succeeded") }],
    ["that there is none", undefined, undefined],
  ])("falls back to asking, and answers %s", async (_what, answer, expected) => {
    const waiting = new Waiting();
    expect(await waiting.wait("a", 60_000, async () => answer)).toEqual(expected);
    expect(waiting.size).toBe(0);
  });

  it("asks again when the shard is away, and when it has not ended", async () => {
    expect(new TestWorld().launched).toEqual([]);
    const waiting = new Waiting();
    const answers = [() => Promise.reject(new Error("away")), async () => view("running"), async () => view("dead")];
    expect(await waiting.wait("a", 60_000, () => answers.shift()!())).toEqual({ view: view("dead") });
    expect(answers).toEqual([]);
  });

  it("answers nothing when the time is over, and forgets who waited", async () => {
    const waiting = new Waiting();
    expect(await waiting.wait("a", 0, async () => view("running"))).toBeUndefined();
    expect(await waiting.wait("a", 0, () => Promise.reject(new Error("away")))).toBeUndefined();
    expect(waiting.size).toBe(0);
  });
});

const MODULE = { kind: "module", sha256: "a", export: "e", language: "javascript" } as const;
const withKey = (key: string | null) => ({
  name: "op",
  implementation: MODULE,
  concurrency: { limit: 1, key, max_queued: null },
});
const delivery = {
  name: "deliver_event",
  implementation: { kind: "builtin", function: "deliver_event" },
  concurrency: null,
} as const;

describe("placeOf()", () => {
  it("gives the deliveries of each subscription a lane in every shard", async () => {
    const place = { lane: "deliver_event slow", shard: undefined };
    expect(await placeOf(delivery, "async", { subscription: "slow", event: {} })).toEqual(place);
    const { concurrency } = withKey("/subscription");
    const own = await placeOf({ ...delivery, concurrency }, "async", { subscription: "slow", event: {} });
    expect(own.shard).toBeDefined();
  });

  it.each<[string, string | null, unknown, string]>([
    ["no key", null, { a: 1 }, "op"],
    ["a value", "/a", { a: 1 }, "op 1"],
    ["a text, apart from the number", "/a", { a: "1" }, 'op "1"'],
    ["null, apart from nothing", "/a", { a: null }, "op null"],
    ["nothing there", "/b", { a: 1 }, "op "],
    ["an object, whatever its order", "/a", { a: { y: 1, x: 2 } }, 'op {"x":2,"y":1}'],
    ["a place in a list", "/l/1", { l: [1, 2] }, "op 2"],
    ["an escaped name", "/a~1b~0c", { "a/b~c": 3 }, "op 3"],
    ["an empty name", "/", { "": 4 }, "op 4"],
    ["all of the input", "", "x", 'op "x"'],
    ["what only the prototype has", "/constructor", {}, "op "],
    ["a way through a text", "/a/length", { a: "xyz" }, "op "],
  ])("finds %s", async (_what, key, input, lane) => {
    expect(await placeOf(withKey(key), "async", input)).toMatchObject({ lane });
  });

  it("shortens a long one, and keeps apart what differs at its end", async () => {
    const [one, same, other] = await Promise.all(
      ["a", "a", "b"].map((end) => placeOf(withKey("/v"), "async", { v: "x".repeat(5_000) + end })),
    );
    expect(one?.lane.length).toBeLessThan(200);
    expect(one).toEqual(same);
    expect(one?.lane).not.toBe(other?.lane);
  });

  it("ties a limited one to a shard, and neither an unlimited nor a synchronous one", async () => {
    const { shard } = await placeOf(withKey("/a"), "async", { a: 1 });
    expect(shard).toBeLessThan(SHARDS);
    expect((await placeOf(withKey("/a"), "async", { a: 1, b: 2 })).shard).toBe(shard);
    expect((await placeOf({ ...withKey(null), concurrency: null }, "async", {})).shard).toBeUndefined();
    expect((await placeOf(withKey("/a"), "sync", { a: 1 })).shard).toBeUndefined();
  });
});

function setUpKeeper(world: TestWorld, wanted: WantedPort = () => undefined) {
  const namespace = world.namespace();
  const waiting = new Waiting();
  const accepter = new Accepter({ namespace, background: () => undefined, waiting: () => waiting.size });
  const payloads = new Payloads({ put: async () => undefined, get: async () => "0" });
  return {
    waiting,
    accepter,
    keeper: new Keeper({ namespace, accepter, payloads, waiting, wanted, hold: async () => undefined, now: Date.now }),
  };
}

function kept(changes: Partial<KeptCall> = {}): KeptCall {
  return {
    mode: "async",
    operation,
    input: { text: '{"n":1}', value: { n: 1 } },
    principal: { id: "tok", name: "t", scopes: [] },
    caller: { type: "token", id: "tok" },
    depth: 0,
    traceparent: "t",
    idempotencyKey: undefined,
    delayMs: 0,
    expiresMs: undefined,
    policy: undefined,
    beside: undefined,
    ...changes,
  };
}

const limited = { ...operation, concurrency: { limit: 1, key: "/n", max_queued: null } };

const shardOf = (id: string): number => shardOfExecutionId(id) ?? -1;

describe("Keeper", () => {
  it("notes with a call who wants to hear of its end, and with the end of a synchronous one again", async () => {
    const world = new TestWorld();
    const asked: unknown[] = [];
    let wanted: Wanted | undefined = { group: operation.group, on: ["dead"] };
    const { keeper } = setUpKeeper(world, (...asks) => {
      asked.push(asks);
      return wanted;
    });
    const { id } = await keeper.keep(kept());
    expect(asked).toEqual([[operation, { type: "token", id: "tok" }]]);
    expect((await world.shard(shardOf(id)).original(id))?.head).toMatchObject({ wanted });
    wanted = undefined;
    const call = kept({ mode: "sync", idempotencyKey: "k" });
    const sync = await keeper.keep(call);
    wanted = { group: operation.group, on: ["failed"] };
    await keeper.finish(sync.id, {
      operation,
      caller: call.caller,
      outcome: failure("implementation_failed"),
      environment: "inline",
      passedOver: [],
      startedAt: clock.now,
    });
    await until(() => world.told.length > 0);
    expect(world.told).toEqual([[sync.id]]);
  });

  it("keeps a call beside the execution that it names, key and all", async () => {
    const world = new TestWorld();
    const { keeper } = setUpKeeper(world);
    for (const shard of [3, 12]) {
      const beside = newExecutionId(shard, clock.now);
      const first = await keeper.keep(kept({ beside, idempotencyKey: `of ${beside}` }));
      expect(shardOf(first.id)).toBe(shard);
      expect(await keeper.keep(kept({ beside, idempotencyKey: `of ${beside}` }))).toEqual({ ...first, repeated: true });
      expect(shardOf((await keeper.keep(kept({ beside }))).id)).toBe(shard);
    }
  });

  it("lets deliveries take no places from others, and those of one subscription only some", async () => {
    const world = new TestWorld();
    const { keeper } = setUpKeeper(world);
    const deliver = { ...operation, ...delivery };
    const beside = newExecutionId(0, clock.now);
    const keep = (subscription: string) =>
      keeper.keep(kept({ operation: deliver, input: { text: "{}", value: { subscription } }, beside }));
    await Promise.all(Array.from({ length: 100 }, () => keep("slow")));
    const quick = await keep("quick");
    const other = await keeper.keep(kept({ beside }));
    // All that may start has started, and none of it ends.
    await until(async () => {
      clock.now += 20;
      await world.ring();
      return world.launched.length >= 10;
    });
    expect(world.launched.filter(({ head }) => head.waits === true)).toHaveLength(9);
    expect(world.launched.map(({ id }) => id)).toEqual(expect.arrayContaining([quick.id, other.id]));
  });

  it("takes tries and time-out of the call before those of the row", async () => {
    const world = new TestWorld();
    const { keeper } = setUpKeeper(world);
    const policy = { retry: { max_attempts: 12, initial_ms: 60_000, max_ms: 60_000 }, timeoutMs: 1_500 };
    const { id } = await keeper.keep(kept({ policy }));
    const original = await world.shard(shardOf(id)).original(id);
    expect(original?.head).toMatchObject({ retry: policy.retry, timeout_ms: 1_500 });
  });

  it("sends calls that come together in one message, and answers each its own", async () => {
    const world = new TestWorld();
    const { keeper, accepter } = setUpKeeper(world);
    const shard = accepter.shard;
    const calls = await Promise.all(
      Array.from({ length: 20 }, (_, n) => keeper.keep(kept({ input: { text: `${n}`, value: n } }))),
    );
    expect(new Set(calls.map(({ id }) => id)).size).toBe(20);
    expect(new Set(calls.map(({ id }) => shardOf(id)))).toEqual(new Set([shard]));
    const claims: Claim[] = [];
    await vi.waitFor(async () => {
      claims.push(...(await world.claims(shard)));
      expect(claims.map(({ id, input }) => [id, input])).toEqual(calls.map(({ id }, n) => [id, { text: `${n}` }]));
    });
  });

  it.each<[string, ResolvedOperation, ResolvedOperation]>([
    ["set", operation, limited],
    ["taken off", limited, operation],
  ])("gives a key's execution although concurrency was %s since", async (_edit, before, after) => {
    const { keeper } = setUpKeeper(new TestWorld());
    for (let n = 0; n < 6; n++) {
      const idempotencyKey = `edited ${n}`;
      const { id } = await keeper.keep(kept({ operation: before, idempotencyKey }));
      for (let again = 0; again < 2; again++) {
        const repeated = await keeper.keep(kept({ operation: after, idempotencyKey }));
        expect(repeated).toEqual({ id, repeated: true });
      }
    }
  });

  it.each<[string, ResolvedOperation]>([
    ["in the key's shard", operation],
    ["in the lane's shard, with the key in another", limited],
  ])("runs a key once, %s", async (_where, called) => {
    const world = new TestWorld();
    const { keeper } = setUpKeeper(world);
    for (let n = 0; n < 6; n++) {
      const idempotencyKey = `key ${n}`;
      const call = kept({ operation: called, idempotencyKey });
      const all = await Promise.all([keeper.keep(call), keeper.keep(call), keeper.keep(call)]);
      expect(new Set(all.map(({ id }) => id)).size).toBe(1);
      expect(all.filter(({ repeated }) => !repeated)).toHaveLength(1);
      expect(await keeper.keep({ ...call, input: { text: '{ "n": 1 }', value: { n: 1 } } })).toMatchObject({
        repeated: true,
      });
      await expect(keeper.keep({ ...call, input: { text: "2", value: 2 } })).rejects.toMatchObject({
        code: "idempotency_key_reused",
      });
      const others = [
        { ...call, principal: { id: "other", name: "o", scopes: [] } },
        { ...call, operation: { ...called, name: "another" } },
      ];
      for (const other of others) expect(await keeper.keep(other)).toMatchObject({ repeated: false });
    }
    const rows = await Promise.all(
      Array.from({ length: SHARDS }, (_, n) => world.shard(n).listIds({ limit: 100 }, { from: "", before: "~" })),
    );
    expect(rows.flat().length).toBe(6 * 3);
  });

  it("mends a crash between the two shards of a key with the next call", async () => {
    const world = new TestWorld();
    const { keeper } = setUpKeeper(world);
    const lane = (await placeOf(limited, "async", { n: 1 })).shard ?? 0;
    let call = kept({ operation: limited, idempotencyKey: "k" });
    world.silent.add(nameOfShard(lane));
    // A key of another shard than the lane's.
    for (let n = 0; ; n++) {
      call = kept({ operation: limited, idempotencyKey: `k${n}` });
      await expect(keeper.keep(call)).rejects.toThrow();
      world.silent.clear();
      const reserved = [];
      for (let shard = 0; shard < SHARDS; shard++) {
        if (shard === lane) continue;
        const rows = await world.inside(
          (_, { storage }) => storage.sql.exec("SELECT execution FROM keys").toArray(),
          shard,
        );
        reserved.push(...rows.map(({ execution }) => execution));
      }
      if (reserved.length > 0) {
        const again = await keeper.keep(call);
        expect(again).toEqual({ id: reserved[0], repeated: false });
        expect(shardOf(again.id)).toBe(lane);
        expect(await keeper.keep(call)).toEqual({ id: reserved[0], repeated: true });
        return;
      }
      world.silent.add(nameOfShard(lane));
    }
  });

  it("does not call a call accepted whose shard is silent", async () => {
    const world = new TestWorld();
    const { keeper, accepter } = setUpKeeper(world);
    world.silent.add(nameOfShard(accepter.shard));
    await expect(keeper.keep(kept())).rejects.toMatchObject({ code: "state_unavailable" });
    world.silent.add(nameOfShard(accepter.shard));
    await expect(keeper.keepAndWait(kept(), 60_000)).rejects.toMatchObject({ code: "state_unavailable" });
  });

  it("cancels at once what a cancelled parent starts", async () => {
    const world = new TestWorld();
    const { keeper } = setUpKeeper(world);
    const { id: parent } = await keeper.keep(kept());
    const child = kept({ caller: { type: "execution", id: parent } });
    const before = await keeper.keep(child);
    await world.shard(shardOf(parent)).cancel(parent);
    const { id: after } = await keeper.keep(child);
    expect(await world.status(after, shardOf(after))).toBe("cancelled");
    expect(await world.shard(shardOf(before.id)).find(before.id)).toMatchObject({ parent, trigger: "execution" });
  });

  it("waits through the short cut and through the shard, and knows every end", async () => {
    const world = new TestWorld();
    const { keeper, waiting, accepter } = setUpKeeper(world);
    let shard = accepter.shard;
    const first = keeper.keepAndWait(kept(), 60_000);
    await until(() => world.launched.length > 0);
    waiting.ended(world.launched[0]!.id, done);
    expect(await first).toMatchObject({ kept: { repeated: false }, outcome: done });
    world.launched.length = 0;
    shard = accepter.shard;
    const second = keeper.keepAndWait(kept(), 60_000);
    await until(() => world.launched.length > 0);
    await world.settle([ended(world.launched[0]!)], shard);
    expect(await second).toMatchObject({ outcome: { ok: true, output: '"out"' } });
    world.launched.length = 0;
    shard = accepter.shard;
    const third = keeper.keepAndWait(kept(), 60_000);
    await until(() => world.launched.length > 0);
    await world.shard(shard).cancel(world.launched[0]!.id);
    expect(await third).toMatchObject({ outcome: { ok: false, error: { code: "execution_cancelled" } } });
  });

  it("keeps the end of a synchronous call for whoever comes with its key", async () => {
    const world = new TestWorld();
    const { keeper } = setUpKeeper(world);
    const call = kept({ mode: "sync", idempotencyKey: "k" });
    const { id } = await keeper.keep(call);
    expect(await keeper.outcome(id, 0)).toBeUndefined();
    await keeper.finish(id, {
      operation,
      caller: call.caller,
      outcome: failure("implementation_failed"),
      environment: "inline",
      passedOver: [],
      startedAt: clock.now,
    });
    expect(await keeper.keep(call)).toEqual({ id, repeated: true });
    expect(await keeper.outcome(id, 0)).toMatchObject({ ok: false, error: { code: "implementation_failed" } });
    const view = await world.shard(shardOf(id)).find(id);
    expect(view).toMatchObject({ status: "failed", mode: "sync", attempts: [{ environment: "inline" }] });
    // The record stays as long as the key stands for it.
    expect(Date.parse(view?.kept_until ?? "")).toBeGreaterThanOrEqual(clock.now + DAY);
  });
});
