/** Who starts when: places, lanes, limits, delays, expiry; and that nobody is ever left behind. */
import { describe, expect, it, vi } from "vitest";
import type { Accept } from "../../src/executions/messages.ts";
import { clock, ended, failed, item, randomFrom, SECOND, TestWorld } from "./execution-world.ts";

function items(count: number, changes: Parameters<typeof item>[0] = {}): Accept[] {
  return Array.from({ length: count }, () => item(changes));
}

const ids = (accepts: readonly Accept[]): string[] => accepts.map(({ id }) => id);

describe("places", () => {
  it("starts 64 at once and the others one by one, in the order of their acceptance", async () => {
    const world = new TestWorld();
    const all = items(70);
    await world.accept(all.slice(0, 66));
    await world.accept(all.slice(66));
    expect(await world.taken()).toEqual(ids(all.slice(0, 64)));
    const started: string[] = [];
    for (const one of all.slice(0, 6)) await world.settle([ended(one)]);
    // Places that come free one by one are given away together, in a moment.
    await vi.waitFor(async () => {
      started.push(...(await world.taken()));
      expect(started).toEqual(ids(all.slice(64)));
    });
  });

  it("lets a lane of a few in between a long one's", async () => {
    const world = new TestWorld();
    const many = items(300, { operation: "many" });
    const few = items(3, { operation: "few" });
    await world.accept(many);
    await world.accept(few);
    await world.taken();
    const started: string[] = [];
    for (const one of many.slice(0, 6)) await world.settle([ended(one)]);
    await vi.waitFor(async () => {
      started.push(...(await world.claims()).map(({ operation }) => operation));
      expect(started.filter((name) => name === "few")).toHaveLength(3);
      expect(started).toHaveLength(6);
    });
  });

  it("divides what comes free between the lanes that wait", async () => {
    const world = new TestWorld();
    const first = items(64, { operation: "first" });
    await world.accept(first);
    for (let lane = 0; lane < 8; lane++) await world.accept(items(100, { operation: `lane_${lane}` }));
    await world.taken();
    await world.settle(first.map((one) => ended(one)));
    const counts = Map.groupBy(await world.claims(), ({ operation }) => operation);
    expect(counts.size).toBe(8);
    for (const { length } of counts.values()) expect(length).toBeGreaterThanOrEqual(4);
  });

  it("gives a place to a synchronous call beyond the 64, and launches nothing for it", async () => {
    const world = new TestWorld();
    await world.accept(items(64));
    await world.taken();
    const sync = item({ operation: "sync", head: { mode: "sync" } });
    expect(await world.accept([sync])).toEqual([{ kind: "accepted" }]);
    expect(await world.shard().find(sync.id)).toMatchObject({ status: "running", attempt: 1 });
    const waiting = item();
    await world.accept([waiting]);
    expect(await world.taken()).toEqual([]);
    expect(await world.settle([ended(sync)])).toEqual(["succeeded"]);
    // 64 others are still there.
    expect(await world.taken()).toEqual([]);
    expect(await world.status(waiting.id)).toBe("queued");
  });
});

describe("concurrency", () => {
  it("keeps to the limit of each lane", async () => {
    const world = new TestWorld();
    const a = items(4, { lane: "work a", head: { limit: 2 } });
    const b = items(2, { lane: "work b", head: { limit: 2 } });
    await world.accept([...a, ...b]);
    expect(await world.taken()).toEqual(ids([a[0]!, a[1]!, ...b]));
    await world.settle([ended(b[0]!)]);
    expect(await world.taken()).toEqual([]);
    await world.settle([ended(a[1]!)]);
    expect(await world.taken()).toEqual([a[2]!.id]);
    await world.settle([ended(a[0]!), ended(a[2]!)]);
    expect(await world.taken()).toEqual([a[3]!.id]);
  });

  it("frees the place of one that waits for its next try, and takes it back in turn", async () => {
    const world = new TestWorld();
    const [first, second, third] = items(3, { lane: "one", head: { limit: 1 } }) as [Accept, Accept, Accept];
    await world.accept([first, second, third]);
    await world.settle([ended(first, failed)]);
    expect(await world.taken()).toEqual([first.id, second.id]);
    await world.ringUntil(clock.now + SECOND);
    expect(await world.status(first.id)).toBe("retrying");
    await world.settle([ended(second)]);
    // Accepted before the third.
    expect(await world.taken()).toEqual([first.id]);
  });

  it("lets nobody who comes later pass somebody who waits in the lane", async () => {
    const world = new TestWorld();
    const [first, second, third] = items(3, { lane: "one", head: { limit: 1 } }) as [Accept, Accept, Accept];
    await world.accept([first, second]);
    await world.shard().cancel(first.id);
    await world.accept([third]);
    expect(await world.taken()).toEqual([first.id, second.id]);
  });

  it("wakes a lane whose limit came after what runs in it", async () => {
    const world = new TestWorld();
    const before = item({ lane: "work" });
    const after = item({ lane: "work", head: { limit: 1 } });
    const other = item({ lane: "other" });
    await world.accept([before, after, other]);
    // A turn of the lane comes and goes.
    await world.settle([ended(other)]);
    expect(await world.taken()).toEqual([before.id, other.id]);
    await world.settle([ended(before)]);
    expect(await world.taken()).toEqual([after.id]);
  });
});

describe("queue_full", () => {
  it.each([
    ["in messages of their own", 1],
    ["in one message", 10],
  ])("counts to max_queued, %s", async (_how, size) => {
    const world = new TestWorld();
    const all = items(10, { lane: "one", head: { limit: 1 }, max_queued: 3 });
    const replies = [];
    for (let at = 0; at < all.length; at += size) replies.push(...(await world.accept(all.slice(at, at + size))));
    expect(replies.map(({ kind }) => kind)).toEqual([
      ...Array.from({ length: 4 }, () => "accepted"),
      ...Array.from({ length: 6 }, () => "queue_full"),
    ]);
    expect(replies.at(-1)).toEqual({ kind: "queue_full", limit: 3, waiting: 3 });
    expect(await world.status(all[4]!.id)).toBeUndefined();
    // Another lane has its own count, and a place that comes free counts again.
    expect(await world.accept(items(1, { lane: "two", head: { limit: 1 }, max_queued: 0 }))).toEqual([
      { kind: "accepted" },
    ]);
    await world.settle([ended(all[0]!)]);
    expect((await world.accept(items(1, { lane: "one", head: { limit: 1 }, max_queued: 3 })))[0]?.kind).toBe(
      "accepted",
    );
  });

  it("starts at once with max_queued 0 while there is a place", async () => {
    const world = new TestWorld();
    const [first, second] = items(2, { lane: "one", head: { limit: 1 }, max_queued: 0 }) as [Accept, Accept];
    expect(await world.accept([first])).toEqual([{ kind: "accepted" }]);
    expect(await world.accept([second])).toEqual([{ kind: "queue_full", limit: 0, waiting: 0 }]);
    await world.settle([ended(first)]);
    expect(await world.accept([second])).toEqual([{ kind: "accepted" }]);
  });

  it("refuses what is over 100,000 in the shard, in one lane or in others, and says that number", async () => {
    const world = new TestWorld();
    await world.accept(items(64));
    await world.inside((_, { storage }) => {
      storage.sql.exec(
        `INSERT INTO executions (seq, id, operation, status, trigger, lane, ready, attempt, version, head, tail)
         WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 100998)
         SELECT i, 'ex_00_' || i, 'seeded', 'queued', 'token', 'seeded', 1, 0, 1, ?, '{}' FROM n`,
        JSON.stringify(item().head),
      );
    });
    await world.restart();
    const [last, over, named] = [item(), item(), item({ lane: "rare", max_queued: 500_000 })];
    expect(await world.accept([last, over, named])).toEqual([
      { kind: "accepted" },
      { kind: "queue_full", limit: 100_000, waiting: 100_000 },
      { kind: "queue_full", limit: 100_000, waiting: 100_000 },
    ]);
    // What runs at once needs no place in the queue, and neither does what is not due.
    expect(await world.accept([item({ due: clock.now + SECOND })])).toEqual([{ kind: "accepted" }]);
  });
});

describe("delay and expiry", () => {
  it("starts nothing before its time, and by alarm then", async () => {
    const world = new TestWorld();
    const late = item({ due: clock.now + 60 * SECOND });
    const soon = item({ due: clock.now + 5 * SECOND });
    await world.accept([late, soon]);
    expect(await world.alarmAt()).toBe(soon.due);
    expect(await world.shard().find(soon.id)).toMatchObject({
      status: "queued",
      attempt: 0,
      next_attempt_at: new Date(soon.due ?? 0).toISOString(),
    });
    // An alarm that comes too early starts nothing either.
    clock.now += 4 * SECOND;
    await world.ring();
    expect(await world.taken()).toEqual([]);
    clock.now += SECOND;
    await world.ring();
    expect(await world.taken()).toEqual([soon.id]);
    await world.settle([ended(soon)]);
    await world.ringUntil(late.due ?? 0);
    expect(await world.taken()).toEqual([late.id]);
  });

  it("treats a time that has passed as none", async () => {
    const world = new TestWorld();
    const one = item({ due: clock.now });
    await world.accept([one]);
    expect(await world.taken()).toEqual([one.id]);
  });

  it("expires what waits for its place too long, and keeps it for its retention", async () => {
    const world = new TestWorld();
    const [first, second] = items(2, { lane: "one", head: { limit: 1, expires_at: clock.now + SECOND } });
    await world.accept([first!, second!]);
    await world.ringUntil(clock.now + SECOND);
    expect(await world.shard().find(second!.id)).toMatchObject({
      status: "expired",
      finished_at: new Date(clock.now).toISOString(),
      attempts: [],
      started_at: null,
    });
    // The first has begun in time.
    expect(await world.status(first!.id)).toBe("running");
    expect(await world.settle([ended(first!)])).toEqual(["succeeded"]);
    expect(await world.taken()).toEqual([first!.id]);
  });

  it("expires what is delayed and then finds no place", async () => {
    const world = new TestWorld();
    const first = item({ lane: "one", head: { limit: 1 } });
    const due = clock.now + SECOND;
    const second = item({ lane: "one", due, head: { limit: 1, expires_at: due + SECOND } });
    await world.accept([first, second]);
    await world.ringUntil(due);
    expect(await world.status(second.id)).toBe("queued");
    await world.ringUntil(due + SECOND);
    expect(await world.status(second.id)).toBe("expired");
  });

  it("does what 1,200 that are due at once ask for, with the alarms that follow", async () => {
    const world = new TestWorld();
    const due = clock.now + SECOND;
    const all = items(1_200, { due, head: { expires_at: due + 1 } });
    for (let at = 0; at < 1_200; at += 400) await world.accept(all.slice(at, at + 400));
    await world.ringUntil(due);
    expect((await world.taken()).length).toBe(64);
    await world.ringUntil(due + 1);
    expect(await world.rows("SELECT status, count(*) AS n FROM executions GROUP BY status ORDER BY status")).toEqual([
      { status: "expired", n: 1_136 },
      { status: "running", n: 64 },
    ]);
  });
});

describe("any order of events", () => {
  const limits: [string, number | null][] = [
    ["free", null],
    ["one", 1],
    ["two", 2],
    ["five", 5],
  ];

  it.each([1, 2, 3])("keeps every rule and leaves nobody behind (seed %d)", async (seed) => {
    const random = randomFrom(seed);
    const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
    const world = new TestWorld();
    const accepted = new Map<string, Accept>();
    const running = new Map<string, { id: string; attempt: number }>();
    const firstStarts = new Map<string, string[]>();
    const attempts = new Map<string, number>();

    const look = async (): Promise<void> => {
      for (const { id, attempt } of await world.claims()) {
        expect(attempt).toBeGreaterThan(attempts.get(id) ?? 0);
        const { lane } = accepted.get(id)!;
        if (!attempts.has(id)) firstStarts.set(lane, [...(firstStarts.get(lane) ?? []), id]);
        attempts.set(id, attempt);
        running.set(id, { id, attempt });
      }
      expect(running.size).toBeLessThanOrEqual(64);
      for (const [lane, limit] of limits) {
        const inLane = [...running.keys()].filter((id) => accepted.get(id)!.lane === lane);
        expect(inLane.length).toBeLessThanOrEqual(limit ?? 64);
      }
    };

    for (let step = 0; step < 70; step++) {
      const what = random();
      if (what < 0.35) {
        const batch = Array.from({ length: 1 + Math.floor(random() * 6) }, () => {
          const [lane, limit] = pick(limits)!;
          const retry = { max_attempts: 100, initial_ms: 50, max_ms: 500 };
          return item({ operation: lane, head: { limit, retry } });
        });
        for (const one of batch) accepted.set(one.id, one);
        await world.accept(batch);
      } else if (what < 0.8) {
        const claim = pick([...running.values()]);
        if (claim === undefined) continue;
        const error = { code: "implementation_failed", detail: "" } as const;
        const ending = pick([
          undefined,
          undefined,
          failed,
          { kind: "put_back", error },
          { kind: "lost", error },
        ] as const);
        running.delete(claim.id);
        expect(await world.settle([ended(claim, ending)])).not.toEqual([null]);
      } else if (what < 0.85) {
        const id = pick([...accepted.keys()]);
        if (id === undefined || (await world.shard().cancel(id))?.status !== "cancelled") continue;
        running.delete(id);
      } else if (what < 0.95) {
        clock.now += Math.floor(random() * 300);
        const at = await world.alarmAt();
        if (at !== null && at <= clock.now) await world.ring();
        await world.shard().renew([...running.values()]);
      } else {
        await world.restart();
      }
      await look();
    }
    // Until all have ended: somebody runs, or an alarm is set.
    for (;;) {
      const [left] = await world.rows<{ n: number }>(
        "SELECT count(*) AS n FROM executions WHERE status IN ('queued', 'running', 'retrying')",
      );
      if (left?.n === 0) break;
      if (running.size > 0) {
        const claims = [...running.values()];
        running.clear();
        await world.settle(claims.map((claim) => ended(claim)));
      } else {
        const at = await world.alarmAt();
        if (at === null) throw new Error(`${left?.n} are left behind`);
        clock.now = Math.max(clock.now, at);
        await world.ring();
      }
      await look();
    }
    // Within a lane they began in the order of their acceptance; the cancelled may have begun never.
    for (const [lane, started] of firstStarts) {
      const order = [...accepted.values()].filter((one) => one.lane === lane && started.includes(one.id));
      expect(started).toEqual(ids(order));
    }
    for (const [name, times] of world.launches) expect([name, times]).toEqual([name, 1]);
  });
});
