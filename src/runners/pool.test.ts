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
import type { PoolReport } from "../model/services.ts";
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

function newPool(): Pool {
  incarnation += 1;
  return new Pool({
    environment: "rack-1",
    incarnation: `inc${incarnation}`,
    now: () => Date.now(),
    later: (ms, callback) => {
      const timer = setTimeout(callback, ms);
      return () => clearTimeout(timer);
    },
    tellService: async (service, report) => void told.push({ service, ...report }),
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
