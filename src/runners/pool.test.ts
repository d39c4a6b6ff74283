import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Outcome } from "../model/outcome.ts";
import {
  CLOSE,
  RUNNER_PROTOCOL,
  ToRunnerSchema,
  unpackParcels,
  type FromRunner,
  type Hello,
  type PoolOrder,
  type RunnerJob,
  type ToRunner,
} from "../model/runner-protocol.ts";
import type { PoolReport, ReplicaReport } from "../model/services.ts";
import type { TellService } from "./_replica-reports.ts";
import { Pool, type Socket } from "./pool.ts";

const REPLY = '{"ok":true,"logs":[]}\n1';

class FakeRunner implements Socket {
  readonly heard: ToRunner[] = [];
  readonly bodies: string[] = [];
  closed: { code: number; reason: string } | undefined;
  beat = 0;
  readonly pool: Pool;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  send(text: string): void {
    for (const { head, body } of unpackParcels<ToRunner>(text, ToRunnerSchema)) {
      this.heard.push(head);
      this.bodies.push(body);
    }
  }

  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
  }

  attach(): void {}

  beatAt(): number {
    return this.beat;
  }

  says(head: FromRunner, body = ""): void {
    this.pool.received(this, { head, body });
  }

  hello(more: Partial<Hello> = {}): this {
    const { name = "a", instance = `i-${name}` } = more;
    this.says({
      type: "hello",
      protocol: RUNNER_PROTOCOL,
      version: "1",
      slots: 1,
      capabilities: {},
      runs: ["module"],
      running: [],
      finished: [],
      ...more,
      name,
      instance,
    });
    return this;
  }

  reports(...replicas: ReplicaReport[]): void {
    this.says({ type: "replicas" }, JSON.stringify(replicas));
  }

  types(): string[] {
    return this.heard.map(({ type }) => type);
  }

  runs(): RunnerJob[] {
    return this.heard.filter((head) => head.type === "run");
  }

  fence(at = -1): string {
    return this.runs().at(at)?.fence ?? "none.0";
  }

  answers(fence = this.fence(), reply = REPLY): void {
    this.says({ type: "result", fence }, reply);
  }
}

function order(id: string, more: Partial<PoolOrder> = {}): PoolOrder {
  return {
    id,
    execution: `ex_${id}`,
    attempt: 1,
    item: null,
    runnable: "module",
    isolate: "",
    requires: {},
    capabilities: {},
    order: `order ${id}`,
    timeout_ms: 60_000,
    wait_ms: 5_000,
    hold: true,
    max_queued: 2,
    resume_ms: 3_000,
    ...more,
  };
}

let incarnation = 0;
const told: ({ service: string } & PoolReport)[] = [];

function replica(name: string, more: Partial<ReplicaReport> = {}): ReplicaReport {
  return {
    replica: name,
    service: "shop",
    revision: "r",
    place: "",
    status: "ready",
    address: null,
    cpu: 0,
    count: 1,
    ready: 1,
    ended: null,
    lines: [],
    ...more,
  };
}

const note: TellService = async (service, report) => void told.push({ service, ...report });

function newPool(tellService: TellService = note): Pool {
  incarnation += 1;
  return new Pool({
    environment: "rack-1",
    incarnation: `inc${incarnation}`,
    now: () => Date.now(),
    later: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    tellService,
  });
}

/** How it ended, looked at without waiting. */
function watch(promise: Promise<string | Outcome>): { now(): Promise<string> } {
  let seen = "open";
  void promise.then((answer) => {
    seen =
      typeof answer === "string"
        ? "reply"
        : answer.ok
          ? "ok"
          : `${answer.error.code}${answer.unstarted === true ? " unstarted" : ""}: ${answer.error.detail}`;
  });
  return {
    now: async () => {
      await vi.advanceTimersByTimeAsync(0);
      return seen;
    },
  };
}

let pool: Pool;
beforeEach(() => {
  vi.useFakeTimers();
  told.length = 0;
  pool = newPool();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("an order", () => {
  test("goes to a runner, and its reply is acknowledged", async () => {
    const runner = new FakeRunner(pool).hello();
    const call = watch(pool.run(order("1")));
    expect(runner.runs()).toMatchObject([{ execution: "ex_1", attempt: 1, item: null }]);
    expect(runner.bodies.at(-1)).toBe("order 1");
    runner.answers();
    expect(await call.now()).toBe("reply");
    await vi.advanceTimersByTimeAsync(50);
    expect(runner.types()).toEqual(["welcome", "run", "ack"]);
  });

  test("answered twice counts once; the second answer is refused", async () => {
    const runner = new FakeRunner(pool).hello();
    const call = watch(pool.run(order("1")));
    runner.answers();
    runner.answers();
    expect(await call.now()).toBe("reply");
    expect(runner.types()).toEqual(["welcome", "run", "ack", "refused"]);
  });

  test("nobody fits: fails at once unless it may be held, and says what is missing", async () => {
    expect(await watch(pool.run(order("1", { hold: false }))).now()).toMatch(
      /^environment_unavailable unstarted: .*no runner is connected/,
    );
    new FakeRunner(pool).hello();
    expect(await watch(pool.run(order("2", { hold: false, requires: { gpu: true } }))).now()).toMatch(
      /none of the 1 connected fits: a: it needs gpu=true; it has none/,
    );
  });

  test("held: starts as soon as a runner that fits connects", async () => {
    const call = watch(pool.run(order("1", { requires: { gpu: true } })));
    const poor = new FakeRunner(pool).hello();
    expect(poor.runs()).toEqual([]);
    const rich = new FakeRunner(pool).hello({ name: "b", capabilities: { gpu: true } });
    rich.answers();
    expect(await call.now()).toBe("reply");
  });

  test("held past its deadline: unavailable when nobody fits, throttled when all are busy", async () => {
    const nobody = watch(pool.run(order("1")));
    await vi.advanceTimersByTimeAsync(4_999);
    expect(await nobody.now()).toBe("open");
    await vi.advanceTimersByTimeAsync(1);
    expect(await nobody.now()).toMatch(/^environment_unavailable unstarted/);
    const runner = new FakeRunner(pool).hello();
    const first = watch(pool.run(order("2")));
    const second = watch(pool.run(order("3")));
    for (let i = 0; i < 6; i += 1) {
      await vi.advanceTimersByTimeAsync(1_000);
      runner.beat = Date.now();
    }
    expect(await second.now()).toMatch(/^environment_throttled unstarted: .*within 5000 ms/);
    expect(await first.now()).toBe("open");
  });

  test("never more in flight than slots; what waits goes in order; the queue is bounded", async () => {
    const runner = new FakeRunner(pool).hello({ slots: 2 });
    const calls = ["1", "2", "3", "4", "5"].map((id) => watch(pool.run(order(id))));
    expect(runner.runs().map(({ execution }) => execution)).toEqual(["ex_1", "ex_2"]);
    expect(await calls[4]?.now()).toMatch(/^environment_throttled unstarted: .*at most 2 calls may wait/);
    runner.answers(runner.fence(0));
    expect(runner.runs().map(({ execution }) => execution)).toEqual(["ex_1", "ex_2", "ex_3"]);
    expect(pool.status()).toMatchObject({ queued: 1, runners: [{ in_flight: 2, slots: 2 }] });
  });

  test("cancelled: the waiter is told at once, the slot stays taken until the runner has stopped", async () => {
    const runner = new FakeRunner(pool).hello();
    const call = watch(pool.run(order("1")));
    const next = watch(pool.run(order("2")));
    const queued = watch(pool.run(order("3")));
    pool.cancel("3");
    expect(await queued.now()).toMatch(/^execution_cancelled unstarted/);
    pool.cancel("1");
    expect(await call.now()).toMatch(/^execution_cancelled:/);
    expect(runner.types()).toEqual(["welcome", "run", "cancel"]);
    runner.answers();
    expect(runner.types()).toEqual(["welcome", "run", "cancel", "refused", "run"]);
    runner.answers();
    expect(await next.now()).toBe("reply");
  });

  test("not ended in time: the runner is told to stop", async () => {
    const runner = new FakeRunner(pool).hello();
    const call = watch(pool.run(order("1", { timeout_ms: 2_000 })));
    for (let i = 0; i < 4; i += 1) {
      await vi.advanceTimersByTimeAsync(1_000);
      runner.beat = Date.now();
    }
    expect(await call.now()).toMatch(/^timeout:/);
    expect(runner.types()).toContain("cancel");
  });

  test("goes to the runner that has run its isolate before", async () => {
    const a = new FakeRunner(pool).hello({ name: "a", slots: 4 });
    const b = new FakeRunner(pool).hello({ name: "b", slots: 2 });
    void pool.run(order("1", { isolate: "x" }));
    void pool.run(order("2", { isolate: "x" }));
    void pool.run(order("3", { isolate: "x" }));
    expect([a.runs().length, b.runs().length]).toEqual([3, 0]);
  });
});

describe("a runner", () => {
  test("silent past its lease loses its work; its late answer is refused; another takes the next try", async () => {
    const slow = new FakeRunner(pool).hello({ name: "slow" });
    const call = watch(pool.run(order("1")));
    await vi.advanceTimersByTimeAsync(8_000);
    expect(await call.now()).toMatch(/^executor_lost: .*silent for \d+ ms/);
    expect(slow.closed?.code).toBe(CLOSE.silent.code);
    const other = new FakeRunner(pool).hello({ name: "other" });
    const again = watch(pool.run(order("1", { attempt: 2 })));
    const fence = slow.fence();
    const back = new FakeRunner(pool).hello({
      name: "slow",
      finished: [{ fence, execution: "ex_1", attempt: 1, item: null }],
    });
    expect(back.types()).toEqual(["welcome", "cancel", "refused"]);
    other.answers();
    expect(await again.now()).toBe("reply");
    expect(other.runs().length).toBe(1);
  });

  test("that beats keeps its work beyond the lease", async () => {
    const runner = new FakeRunner(pool).hello();
    const call = watch(pool.run(order("1")));
    for (let i = 0; i < 20; i += 1) {
      await vi.advanceTimersByTimeAsync(1_000);
      if (i % 2 === 0) runner.beat = Date.now();
    }
    runner.answers();
    expect(await call.now()).toBe("reply");
  });

  test("idle sets no timers, so that the pool can sleep", async () => {
    const runner = new FakeRunner(pool).hello();
    expect(vi.getTimerCount()).toBe(0);
    void pool.run(order("1"));
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    runner.answers();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("whose socket closes has a grace: back in time it goes on, with what it had done and not heard of", async () => {
    const before = new FakeRunner(pool).hello({ slots: 3 });
    const calls = ["1", "2", "3"].map((id) => watch(pool.run(order(id))));
    const [running, finished, unheard] = before.runs();
    if (running === undefined || finished === undefined || unheard === undefined) throw new TypeError("three run");
    pool.closed(before);
    await vi.advanceTimersByTimeAsync(2_900);
    const after = new FakeRunner(pool).hello({ slots: 3, running: [running], finished: [finished] });
    expect(after.heard).toMatchObject([
      { type: "welcome" },
      { type: "claim", fence: finished.fence },
      { type: "run", fence: unheard.fence },
    ]);
    for (const { fence } of [running, finished, unheard]) after.answers(fence);
    for (const call of calls) expect(await call.now()).toBe("reply");
  });

  test("whose socket closes and who does not come back has lost its work", async () => {
    const runner = new FakeRunner(pool).hello();
    const call = watch(pool.run(order("1")));
    pool.closed(runner);
    await vi.advanceTimersByTimeAsync(2_999);
    expect(await call.now()).toBe("open");
    await vi.advanceTimersByTimeAsync(1);
    expect(await call.now()).toMatch(/^executor_lost: .*not back within 3000 ms/);
    expect(pool.status().runners).toEqual([]);
  });

  test("of a name that a live one has is refused; the same process takes its own place", () => {
    const holder = new FakeRunner(pool).hello({ name: "a", instance: "i1" });
    const second = new FakeRunner(pool).hello({ name: "a", instance: "i2" });
    expect(second.closed).toMatchObject({ code: CLOSE.name_taken.code });
    const again = new FakeRunner(pool).hello({ name: "a", instance: "i1" });
    expect(holder.closed).toMatchObject({ code: CLOSE.replaced.code });
    void pool.run(order("1"));
    expect(again.runs().length).toBe(1);
  });

  test("of another protocol is refused and told what to do", () => {
    const old = new FakeRunner(pool).hello({ protocol: 0 });
    expect(old.closed).toMatchObject({ code: CLOSE.outdated.code, reason: expect.stringContaining("npm i -g") });
    expect(pool.status().runners).toEqual([]);
  });

  test("that speaks before its hello is closed", () => {
    const rude = new FakeRunner(pool);
    rude.answers("inc1.1");
    expect(rude.closed?.code).toBe(CLOSE.refused.code);
  });

  test("that drains gets nothing new, finishes and is closed", async () => {
    const runner = new FakeRunner(pool).hello({ slots: 2 });
    const call = watch(pool.run(order("1")));
    runner.says({ type: "drain" });
    expect(await watch(pool.run(order("2", { hold: false }))).now()).toMatch(/environment_unavailable.*it is draining/);
    expect(runner.closed).toBeUndefined();
    runner.answers();
    expect(await call.now()).toBe("reply");
    expect(runner.closed?.code).toBe(CLOSE.drained.code);
  });
});

describe("after the platform started again", () => {
  const job = { fence: "gone.7", execution: "ex_1", attempt: 1, item: null };

  test("a later attempt is joined to what a runner still runs", async () => {
    const runner = new FakeRunner(pool).hello({ slots: 2, running: [job] });
    const call = watch(pool.run(order("1", { attempt: 2 })));
    expect(runner.runs()).toEqual([]);
    runner.answers(job.fence);
    expect(await call.now()).toBe("reply");
  });

  test("a result that nobody waits for yet is kept, and claimed by the later attempt", async () => {
    const runner = new FakeRunner(pool).hello({ running: [job] });
    runner.answers(job.fence);
    expect(runner.types()).toEqual(["welcome", "keep"]);
    const call = watch(pool.run(order("1", { attempt: 2 })));
    expect(runner.types()).toEqual(["welcome", "keep", "claim"]);
    runner.answers(job.fence);
    expect(await call.now()).toBe("reply");
    expect(runner.runs()).toEqual([]);
  });

  test.each([
    ["still runs", { running: [job] }, ["welcome"]],
    ["has finished", { finished: [job] }, ["welcome", "claim"]],
  ])("a later attempt that waits joins what the runner says that it %s", async (_what, has, said) => {
    const call = watch(pool.run(order("1", { attempt: 2 })));
    const runner = new FakeRunner(pool).hello({ slots: 5, ...has });
    expect(runner.types()).toEqual(said);
    runner.answers(job.fence);
    expect(await call.now()).toBe("reply");
    expect(runner.runs()).toEqual([]);
  });

  test("another item, another execution and an earlier attempt are not joined", () => {
    const runner = new FakeRunner(pool).hello({ slots: 5, finished: [{ ...job, attempt: 3, item: 1 }] });
    void pool.run(order("1", { attempt: 3, item: 2 }));
    void pool.run(order("1", { attempt: 2, item: 1 }));
    void pool.run(order("2", { attempt: 3, item: 1 }));
    expect(runner.runs().length).toBe(3);
  });

  test("what nobody asks for is forgotten, and the pool sleeps", async () => {
    const runner = new FakeRunner(pool).hello({ finished: [job] });
    for (let i = 0; i < 21; i += 1) {
      await vi.advanceTimersByTimeAsync(30_000);
      runner.beat = Date.now();
    }
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("an order for one runner", () => {
  const beside = { on: "a", beside: true, hold: false, runnable: "replica" } as const;
  const runs = ["module", "replica"];

  test("goes to that runner, takes no slot and is not told as one, but keeps the lease short", async () => {
    const a = new FakeRunner(pool).hello({ name: "a", runs });
    const b = new FakeRunner(pool).hello({ name: "b", runs });
    const calls = ["1", "2", "3"].map((id) => watch(pool.run(order(id, beside))));
    void pool.run(order("4", { runnable: "module" }));
    void pool.run(order("5", { runnable: "module" }));
    expect([a.runs().map(({ beside: is }) => is), b.runs().length]).toEqual([[true, true, true, undefined], 1]);
    expect(pool.status().runners.map((one) => one.in_flight)).toEqual([1, 1]);
    a.answers(a.fence(1));
    expect(await calls[1]?.now()).toBe("reply");
    await vi.advanceTimersByTimeAsync(8_000);
    expect(await calls[0]?.now()).toMatch(/^executor_lost: .*silent/);
  });

  test("is handed on while slots are waited for, and when they were full before", async () => {
    const a = new FakeRunner(pool).hello({ runs });
    void pool.run(order("1", { runnable: "module" }));
    void pool.run(order("2", { runnable: "module" }));
    pool.closed(a);
    const call = watch(pool.run(order("3", beside)));
    expect(await call.now()).toBe("open");
    const [job] = a.runs();
    const back = new FakeRunner(pool).hello({ runs, running: job === undefined ? [] : [job] });
    expect(back.runs().map(({ execution }) => execution)).toEqual(["ex_3"]);
  });

  test("fails when the runner is gone, and says which; at once, or when its grace is over", async () => {
    await vi.advanceTimersByTimeAsync(20_000);
    const b = new FakeRunner(pool).hello({ name: "b", runs });
    expect(await watch(pool.run(order("1", beside))).now()).toBe(
      'environment_unavailable unstarted: Cannot run it in "rack-1": the runner "a" must be connected; it is not',
    );
    const a = new FakeRunner(pool).hello({ runs });
    void pool.run(order("2", beside));
    pool.closed(a);
    const waiting = watch(pool.run(order("3", beside)));
    await vi.advanceTimersByTimeAsync(2_999);
    expect(await waiting.now()).toBe("open");
    await vi.advanceTimersByTimeAsync(1);
    expect(await waiting.now()).toMatch(
      /^environment_unavailable unstarted: .*the runner "a" must be connected; it is not/,
    );
    expect(b.runs()).toEqual([]);
  });

  test("waits in a pool that has just begun, since the runner may be on its way back", async () => {
    const call = watch(pool.run(order("1", beside)));
    expect(await call.now()).toBe("open");
    new FakeRunner(pool).hello({ name: "b", runs });
    expect(await call.now()).toBe("open");
    const a = new FakeRunner(pool).hello({ runs });
    a.answers();
    expect(await call.now()).toBe("reply");
    const late = watch(pool.run(order("2", { ...beside, on: "c" })));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await late.now()).toMatch(/^environment_unavailable unstarted: .*the runner "c"/);
  });

  test("goes on while the runner drains, which is closed when it has neither work nor replicas", async () => {
    const a = new FakeRunner(pool).hello({ runs });
    a.reports(replica("r1"));
    a.says({ type: "drain" });
    const call = watch(pool.run(order("1", beside)));
    a.answers();
    expect(await call.now()).toBe("reply");
    expect(a.closed).toBeUndefined();
    a.reports(replica("r1", { status: "ended", ended: "it was stopped" }));
    expect(a.closed?.code).toBe(CLOSE.drained.code);
  });
});

/** What services were told since it was asked. */
function said() {
  return told.splice(0).map(({ service, place, lost, replicas }) => {
    const has = replicas.map((one) => `${one.replica} ${one.status}`);
    return { service, place, lost, has };
  });
}

describe("replicas that a runner tells of", () => {
  test("are told to their services at once, and counted by service", async () => {
    const a = new FakeRunner(pool).hello();
    a.reports(replica("r1"), replica("r2", { status: "starting" }), replica("p1", { service: "paint" }));
    expect(said()).toEqual([
      { service: "shop", place: "a", lost: null, has: ["r1 ready", "r2 starting"] },
      { service: "paint", place: "a", lost: null, has: ["p1 ready"] },
    ]);
    expect(pool.status().runners).toMatchObject([{ replicas: 3, services: { shop: 2, paint: 1 } }]);
  });

  test("are told again when something changes, and their numbers every few seconds", async () => {
    const a = new FakeRunner(pool).hello();
    a.reports(replica("r1"));
    await vi.advanceTimersByTimeAsync(1_000);
    a.reports(replica("r1", { cpu: 0.7 }));
    expect(said()).toHaveLength(1);
    a.reports(replica("r1", { status: "unready" }));
    expect(said()).toMatchObject([{ has: ["r1 unready"] }]);
    await vi.advanceTimersByTimeAsync(5_000);
    a.reports(replica("r1", { status: "unready", cpu: 0.9 }));
    expect(told.splice(0)[0]?.replicas[0]?.cpu).toBe(0.9);
  });

  test("that are gone are told once as none", async () => {
    const a = new FakeRunner(pool).hello();
    a.reports(replica("r1"));
    await vi.advanceTimersByTimeAsync(0);
    said();
    a.reports();
    await vi.advanceTimersByTimeAsync(0);
    a.reports();
    await vi.advanceTimersByTimeAsync(6_000);
    a.reports();
    expect(said()).toEqual([{ service: "shop", place: "a", lost: null, has: [] }]);
  });

  test("are told as lost, with why, when the runner is silent or does not come back", async () => {
    const a = new FakeRunner(pool).hello();
    a.reports(replica("r1"));
    await vi.advanceTimersByTimeAsync(0);
    said();
    pool.closed(a);
    await vi.advanceTimersByTimeAsync(2_999);
    expect(said()).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(said()).toEqual([
      { service: "shop", place: "a", lost: expect.stringMatching(/not back within 3000 ms/) as string, has: [] },
    ]);
    const b = new FakeRunner(pool).hello({ name: "b" });
    b.reports(replica("r2"));
    await vi.advanceTimersByTimeAsync(8_000);
    expect(said().at(-1)).toMatchObject({ place: "b", lost: expect.stringMatching(/silent for/) as string, has: [] });
  });

  test("stay as they were while the runner is back within its grace", async () => {
    const a = new FakeRunner(pool).hello();
    a.reports(replica("r1"));
    await vi.advanceTimersByTimeAsync(0);
    said();
    pool.closed(a);
    await vi.advanceTimersByTimeAsync(1_000);
    const back = new FakeRunner(pool).hello();
    back.reports(replica("r1"));
    await vi.advanceTimersByTimeAsync(3_000);
    back.beat = Date.now();
    expect(said()).toEqual([]);
  });

  test("let the pool sleep when there are none", async () => {
    const a = new FakeRunner(pool).hello();
    a.reports(replica("r1"));
    expect(vi.getTimerCount()).toBeGreaterThan(0);
    a.reports();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each(["nonsense", '[{"replica":1}]', '{"a":1}'])("are refused when they are %s", (body) => {
    const a = new FakeRunner(pool).hello();
    a.says({ type: "replicas" }, body);
    expect(a.closed?.code).toBe(CLOSE.refused.code);
  });

  test("are told one after another; what could not be told comes with the next, with those that have ended", async () => {
    const calls: { report: PoolReport; done: PromiseWithResolvers<void> }[] = [];
    pool = newPool((_service, report) => {
      const done = Promise.withResolvers<void>();
      calls.push({ report, done });
      return done.promise;
    });
    const has = (at: number) => calls[at]?.report.replicas.map((one) => `${one.replica} ${one.status}`);
    const a = new FakeRunner(pool).hello();
    a.reports(replica("r1", { status: "starting" }));
    a.reports(replica("r1", { status: "ended", ended: "it ended with exit code 1" }));
    a.reports(replica("r2", { status: "starting" }));
    expect(calls).toHaveLength(1);
    calls[0]?.done.resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(has(1)).toEqual(["r2 starting", "r1 ended"]);
    calls[1]?.done.reject(new Error("reset"));
    await vi.advanceTimersByTimeAsync(0);
    a.reports(replica("r2", { status: "starting" }));
    expect(has(2)).toEqual(["r2 starting", "r1 ended"]);
  });
});

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** As it does on a machine whose clock is set, or that was asleep: no timer knows of it. */
function jump(byMs: number): void {
  vi.setSystemTime(Date.now() + byMs);
}

/** Beats as runners with work do. */
async function live(seconds: number, ...runners: FakeRunner[]): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    await vi.advanceTimersByTimeAsync(SECOND);
    if (second % 2 === 0) for (const runner of runners) runner.beat = Date.now();
  }
}

const JUMPS = [HOUR, 5 * MINUTE, 20 * SECOND, 7 * SECOND, -7 * SECOND, -5 * MINUTE, -HOUR];

describe("a clock that jumps", () => {
  test.each(JUMPS)("by %d ms takes neither work nor replicas from a runner that is alive", async (byMs) => {
    const runner = new FakeRunner(pool).hello({ slots: 2 });
    runner.reports(replica("r1"));
    const calls = ["1", "2"].map((id) => watch(pool.run(order(id))));
    await live(3, runner);
    jump(byMs);
    await live(30, runner);
    for (const { fence } of runner.runs()) runner.answers(fence);
    for (const call of calls) expect(await call.now()).toBe("reply");
    expect(runner.closed).toBeUndefined();
    expect(said()).toEqual([{ service: "shop", place: "a", lost: null, has: ["r1 ready"] }]);
  });

  test.each(JUMPS)("by %d ms keeps one that is dead no longer than one that may be on its way back", async (byMs) => {
    const runner = new FakeRunner(pool).hello();
    const call = watch(pool.run(order("1")));
    await live(3, runner);
    jump(byMs);
    await live(byMs > 20 * SECOND ? 22 : 10);
    expect(await call.now()).toMatch(/^executor_lost: .*silent for \d{4,5} ms/);
  });

  test.each(JUMPS)("by %d ms lets work run for its time, and no longer", async (byMs) => {
    const runner = new FakeRunner(pool).hello();
    const call = watch(pool.run(order("1", { timeout_ms: 20_000 })));
    await live(4, runner);
    jump(byMs);
    await live(14, runner);
    expect(await call.now()).toBe("open");
    await live(6, runner);
    expect(await call.now()).toMatch(/^timeout:/);
  });

  test("again and again, there and back, is no different", async () => {
    const runner = new FakeRunner(pool).hello();
    const call = watch(pool.run(order("1")));
    for (const byMs of [HOUR, -HOUR, 20 * SECOND, -2 * HOUR, HOUR]) {
      await live(5, runner);
      jump(byMs);
    }
    expect(await call.now()).toBe("open");
    await live(22);
    expect(await call.now()).toMatch(/^executor_lost/);
  });

  test("is seen by whoever comes before the next tick", async () => {
    const runner = new FakeRunner(pool).hello({ slots: 2, runs: ["module", "replica"] });
    void pool.run(order("1"));
    await live(3, runner);
    jump(HOUR);
    const second = new FakeRunner(pool).hello({ name: "a", instance: "i-other" });
    expect(second.closed?.code).toBe(CLOSE.name_taken.code);
    void pool.run(order("2"));
    expect(runner.runs()).toHaveLength(2);
  });

  test("while the machine sleeps: a runner elsewhere has given up the connection, and is back after its longest wait", async () => {
    const before = new FakeRunner(pool).hello();
    const call = watch(pool.run(order("1")));
    await live(3, before);
    jump(8 * HOUR);
    await vi.advanceTimersByTimeAsync(2 * SECOND);
    pool.closed(before);
    await vi.advanceTimersByTimeAsync(13 * SECOND);
    const [job] = before.runs();
    const after = new FakeRunner(pool).hello({ finished: job === undefined ? [] : [job] });
    after.answers(job?.fence);
    expect(await call.now()).toBe("reply");
  });

  test("forward while nobody has work: an idle runner is asked to connect again, and gets the order", async () => {
    const before = new FakeRunner(pool).hello();
    jump(HOUR);
    const call = watch(pool.run(order("1", { hold: false })));
    expect(before.closed?.code).toBe(CLOSE.silent.code);
    pool.closed(before);
    await vi.advanceTimersByTimeAsync(250);
    const after = new FakeRunner(pool).hello();
    after.answers();
    expect(await call.now()).toBe("reply");
  });

  test("forward while nobody has work, and the idle runner is gone: it is forgotten, the order fails as without it", async () => {
    new FakeRunner(pool).hello();
    jump(HOUR);
    const call = watch(pool.run(order("1", { hold: false })));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await call.now()).toMatch(/^environment_unavailable unstarted/);
    expect(pool.status().runners).toEqual([]);
  });

  test("back while nobody has work: a runner that has died since is found as ever", async () => {
    const runner = new FakeRunner(pool).hello();
    runner.beat = Date.now();
    jump(-HOUR);
    const call = watch(pool.run(order("1")));
    await vi.advanceTimersByTimeAsync(8_000);
    expect(await call.now()).toMatch(/^executor_lost: .*silent/);
  });

  test("back leaves the numbers of replicas told every few seconds", async () => {
    const runner = new FakeRunner(pool).hello();
    runner.reports(replica("r1"));
    await vi.advanceTimersByTimeAsync(0);
    jump(-HOUR);
    runner.reports(replica("r1", { cpu: 0.9 }));
    expect(said()).toHaveLength(2);
  });
});
