/** Requests of one isolate before a service: who is let in when, to which replica, and what its object is told. */
import { describe, expect, it } from "vitest";
import { Cancellation } from "../core/cancellation.ts";
import { DoorsWorld, lease, replicaOf } from "./_doors-world.test-util.ts";
import type { AcquireAnswer } from "./messages.ts";

const warming: AcquireAnswer = { kind: "warming", reason: "r1 is starting", elsewhere: 0 };

describe("a request", () => {
  it("that comes first asks for a lease, those after it ask nobody", async () => {
    const world = new DoorsWorld({ base_path: "/api" });
    const first = await world.in();
    expect(first).toMatchObject({
      replica: { service: "albums", replica: "r1", place: "desk", address: null },
      via: "environment",
      environment: { name: "rack", digest: "rack@1" },
      basePath: "/api",
      others: false,
    });
    for (let count = 0; count < 10; count++) await world.in();
    expect(world.acquired).toHaveLength(1);
    expect(world.acquired[0]).toMatchObject({ waiting: 1, inFlight: {}, begun: 0, idleMs: 0, broken: {}, waitMs: 500 });
    expect(world.counted).toEqual([
      "service_requests albums_v1 cold",
      ...Array<string>(10).fill("service_requests albums_v1 warm"),
    ]);
  });

  it("renews the lease after half of it without waiting, and never uses one beyond its time", async () => {
    const world = new DoorsWorld();
    await world.in();
    await world.pass(499);
    await world.in();
    expect(world.acquired).toHaveLength(1);
    world.now += 1;
    const answer = Promise.withResolvers<AcquireAnswer>();
    world.answer = () => answer.promise;
    await world.in();
    expect(world.acquired).toHaveLength(2);
    expect(world.acquired[1]).toMatchObject({ waitMs: 0, waiting: 0 });
    world.now += 499;
    await world.in();
    world.now += 1;
    // The first is over, the second not there.
    const waits = world.enter();
    await world.rest();
    expect(world.counted.at(-1)).toBe("service_requests albums_v1 warm");
    answer.resolve(lease("r2"));
    expect(await waits).toMatchObject({ replica: { replica: "r2" } });
    // Half of that lease was over when it came.
    expect(world.acquired).toHaveLength(3);
  });

  it("goes by no lease of before the clock was put back, and what is under way is told on", async () => {
    const world = new DoorsWorld();
    await world.in();
    world.putBack(300_000);
    world.answer = () => lease("r2");
    expect(await world.in()).toMatchObject({ replica: { replica: "r2" } });
    world.putBack(300_000);
    world.reports.length = 0;
    await world.pass(1_000);
    expect(world.reports.at(-1)).toMatchObject({ inFlight: { r1: 1, r2: 1 } });
  });

  it("counts a lease from when it was asked for: one that comes too late is asked for again", async () => {
    const world = new DoorsWorld();
    const late = Promise.withResolvers<AcquireAnswer>();
    world.answer = () => late.promise;
    const waits = world.enter();
    await world.pass(1_100);
    world.answer = () => lease("r2");
    late.resolve(lease("r1"));
    expect(await waits).toMatchObject({ ok: true, replica: { replica: "r2" } });
    expect(world.acquired).toHaveLength(2);
  });

  it("waits with others behind one question, and they go in the order of their coming", async () => {
    const world = new DoorsWorld();
    const answer = Promise.withResolvers<AcquireAnswer>();
    world.answer = () => answer.promise;
    const order: number[] = [];
    const waits = Array.from({ length: 100 }, async (_, place) => {
      await world.in();
      order.push(place);
    });
    await world.rest();
    expect(world.acquired).toHaveLength(1);
    answer.resolve(lease("r1"));
    await Promise.all(waits);
    expect(order).toEqual(Array.from({ length: 100 }, (_, place) => place));
    expect(world.acquired).toHaveLength(1);
  });

  it("waits on while the service warms, asking again with how many wait", async () => {
    const world = new DoorsWorld();
    world.answer = async ({ waitMs }) => {
      await world.pass(waitMs);
      return world.acquired.length < 4 ? warming : lease("r1");
    };
    const waits = Promise.all([world.in(), world.in(), world.in()]);
    await world.pass(2_000);
    await waits;
    expect(world.acquired.map(({ waiting }) => waiting)).toEqual([1, 3, 3, 3, 0]);
  });

  it("is refused with the object's own words, all who wait alike, and the next asks anew", async () => {
    const world = new DoorsWorld();
    const error = { code: "environment_unavailable", detail: "it loops", after_ms: 7_000 } as const;
    world.answer = async () => {
      await world.rest();
      return { kind: "refused", error };
    };
    const refused = await Promise.all([world.enter(), world.enter(), world.enter()]);
    for (const each of refused) {
      expect(each).toEqual({ ok: false, error, retry: { kind: "after", after_ms: 7_000 }, logs: [], unstarted: true });
    }
    expect(world.acquired).toHaveLength(1);
    world.answer = () => lease("r1");
    expect(await world.enter()).toMatchObject({ ok: true });
    expect(world.counted.at(0)).toBe("service_requests albums_v1 refused");
  });

  it("gives up at its own time, and those behind it go on", async () => {
    const world = new DoorsWorld();
    world.answer = async ({ waitMs }) => {
      await world.pass(waitMs);
      return world.now < 1_003_000 ? warming : lease("r1");
    };
    const short = world.enter({ waitMs: 700 });
    const long = world.enter({ waitMs: 10_000 });
    await world.pass(4_000);
    expect(await short).toMatchObject({
      ok: false,
      unstarted: true,
      error: {
        code: "environment_unavailable",
        detail: expect.stringMatching(/time-out, of which 700 ms were left; none is: r1 is starting/) as string,
      },
    });
    expect(await long).toMatchObject({ ok: true });
  });

  it("that is cancelled waits no longer", async () => {
    const world = new DoorsWorld();
    world.answer = () => new Promise(() => undefined);
    const cancellation = new Cancellation();
    const waits = world.enter({ cancellation });
    await world.rest();
    cancellation.request();
    expect(await waits).toMatchObject({ ok: false, unstarted: true, error: { code: "execution_cancelled" } });
  });

  it.each([
    [3, 0, 3],
    [3, 2, 1],
    [0, 0, 0],
  ])("over max_waiting %i with %i elsewhere is refused: %i wait", async (maxWaiting, elsewhere, room) => {
    const world = new DoorsWorld();
    world.maxWaiting = 1;
    world.answer = () => ({ ...warming, elsewhere });
    // So that it is known how many wait elsewhere.
    await Promise.all([world.enter({ waitMs: 1 }), world.pass(1)]);
    world.answer = () => new Promise(() => undefined);
    world.maxWaiting = maxWaiting;
    const waits = Array.from({ length: 5 }, () => world.enter({ waitMs: 100 }));
    await world.pass(200);
    const codes = (await Promise.all(waits)).map((each) => (each.ok ? "" : each.error.code));
    const wait = Array<string>(room).fill("environment_unavailable");
    expect(codes).toEqual([...wait, ...Array<string>(5 - room).fill("environment_throttled")]);
  });

  it("that may not wait makes the service warm all the same", async () => {
    const world = new DoorsWorld();
    world.maxWaiting = 0;
    expect(await world.enter()).toMatchObject({ error: { code: "environment_throttled", after_ms: 1_000 } });
    expect(world.acquired).toMatchObject([{ waiting: 1, waitMs: 0 }]);
    await world.rest();
    expect(await world.enter()).toMatchObject({ ok: true });
  });

  it.each<[string, Partial<DoorsWorld>, string, string]>([
    ["an exposure that is not there", { exposure: undefined }, "no_environment", 'exposure "albums_v1"'],
    [
      "one that is off",
      { exposure: { ...new DoorsWorld().exposure!, active: false } },
      "no_environment",
      "must be active",
    ],
    [
      "a service that is gone",
      { exposure: { ...new DoorsWorld().exposure!, service: "gone" } },
      "no_environment",
      'service "gone"',
    ],
    [
      "an environment that is gone",
      { answer: () => lease(replicaOf("r1", { environment: "gone" })) },
      "no_environment",
      'environment "gone"',
    ],
    [
      "no address",
      { exposure: { ...new DoorsWorld().exposure!, via: "direct" } },
      "environment_misconfigured",
      "addresses",
    ],
  ])("by %s is refused", async (_what, changes, code, words) => {
    const world = Object.assign(new DoorsWorld(), changes);
    expect(await world.enter()).toMatchObject({
      ok: false,
      unstarted: true,
      error: { code, detail: expect.stringContaining(words) as string },
    });
    // And no replica is kept.
    await world.pass(10_000);
    expect(world.reports.every(({ inFlight }) => Object.keys(inFlight).length === 0)).toBe(true);
  });
});

describe("an object that", () => {
  it("does not answer is asked again by another, and the request ends at its own time", async () => {
    const world = new DoorsWorld();
    world.answer = () => new Promise(() => undefined);
    const waits = world.enter({ waitMs: 9_000 });
    await world.pass(8_000);
    expect(world.acquired.length).toBeGreaterThan(1);
    expect(world.acquired.length).toBeLessThan(6);
    world.answer = () => lease("r1");
    await world.pass(900);
    expect(await waits).toMatchObject({ ok: true });
  });

  it("fails is asked less and less often, and its words are the reason", async () => {
    const world = new DoorsWorld();
    world.answer = () => Promise.reject(new Error("overloaded"));
    const waits = world.enter({ waitMs: 5_000 });
    await world.pass(6_000);
    expect(await waits).toMatchObject({ error: { detail: expect.stringContaining("overloaded") as string } });
    expect(world.acquired.length).toBeLessThan(10);
  });

  it("fails to renew disturbs nobody while the lease holds", async () => {
    const world = new DoorsWorld();
    await world.in();
    world.answer = () => Promise.reject(new Error("restarting"));
    world.now += 600;
    await world.in();
    await world.in();
    await world.pass(300);
    world.answer = () => lease("r1");
    await world.pass(200);
    expect(await world.enter()).toMatchObject({ ok: true });
  });
});

describe("a lease", () => {
  it("of three spreads requests by how many each has, ties in turn", async () => {
    const world = new DoorsWorld();
    world.answer = () => lease("r1", "r2", "r3");
    const entered = [];
    for (let count = 0; count < 9; count++) entered.push(await world.in());
    const counts = Map.groupBy(entered, ({ replica }) => replica.replica);
    expect([...counts.values()].map(({ length }) => length)).toEqual([3, 3, 3]);
    for (const one of counts.get("r2") ?? []) one.leave("answered");
    for (let count = 0; count < 3; count++) expect((await world.in()).replica.replica).toBe("r2");
    for (const one of entered) one.leave("answered");
    const idle = [];
    for (let count = 0; count < 6; count++) {
      const one = await world.in();
      idle.push(one.replica.replica);
      one.leave("answered");
    }
    expect(new Set(idle).size).toBeGreaterThan(1);
  });

  it("without a replica that was in the one before gives it no more requests", async () => {
    const world = new DoorsWorld();
    await world.in();
    world.answer = () => lease("r2");
    world.now += 600;
    await world.in();
    await world.rest();
    for (let count = 0; count < 5; count++) expect((await world.in()).replica.replica).toBe("r2");
    // Its requests are told of until they end.
    expect(world.acquired.at(-1)?.inFlight).toEqual({ r1: 2 });
  });
});

describe("a request that was turned away by a replica", () => {
  it("gets another at once where there is one", async () => {
    const world = new DoorsWorld();
    world.answer = () => lease("r1", "r2");
    const first = await world.in();
    expect(first.others).toBe(true);
    first.leave("not_sent");
    const second = await world.in({ avoid: [first.replica.replica] });
    expect(second.replica.replica).not.toBe(first.replica.replica);
    expect(second.others).toBe(false);
    expect(world.acquired).toHaveLength(1);
  });

  it("makes the object look where there is none, and waits for the next", async () => {
    const world = new DoorsWorld();
    (await world.in()).leave("not_sent");
    await world.rest();
    world.answer = async ({ waitMs }) => {
      await world.pass(waitMs);
      return world.acquired.length < 4 ? warming : lease("r2");
    };
    const waits = world.in({ avoid: ["r1"] });
    await world.pass(3_000);
    expect((await waits).replica.replica).toBe("r2");
    expect(world.acquired[1]?.broken).toEqual({ r1: "nobody takes connections there" });
  });

  it("tries it once more where the object still means it", async () => {
    const world = new DoorsWorld();
    (await world.in()).leave("not_sent");
    expect((await world.in({ avoid: ["r1"] })).replica.replica).toBe("r1");
    expect(world.acquired).toHaveLength(2);
  });
});

describe("the way", () => {
  const addressed = replicaOf("r1", { address: "http://10.0.0.5:41234" });

  it.each([
    ["auto", "direct"],
    ["direct", "direct"],
    ["environment", "environment"],
  ] as const)("of an exposure via %s to a replica with an address is %s", async (via, way) => {
    const world = new DoorsWorld({ via });
    world.answer = () => lease(addressed);
    expect((await world.in()).via).toBe(way);
  });

  it.each(["not_sent", "failed"] as const)(
    "goes around by the environment for a minute where the direct one %s",
    async (how) => {
      const world = new DoorsWorld();
      world.answer = () => lease(addressed);
      (await world.in()).leave(how);
      for (let count = 0; count < 3; count++) {
        const one = await world.in();
        expect(one.via).toBe("environment");
        one.leave("answered");
        await world.pass(19_000);
      }
      // The replica is not to blame.
      expect(world.reports.every(({ broken }) => Object.keys(broken).length === 0)).toBe(true);
      await world.pass(3_000);
      expect((await world.in()).via).toBe("direct");
    },
  );

  it("stays direct where it has worked and a request fails", async () => {
    const world = new DoorsWorld();
    world.answer = () => lease(addressed);
    (await world.in()).leave("answered");
    (await world.in()).leave("failed");
    expect((await world.in()).via).toBe("direct");
  });

  it("is tried anew where the address is another", async () => {
    const world = new DoorsWorld();
    world.answer = () => lease(addressed);
    (await world.in()).leave("not_sent");
    world.answer = () => lease({ ...addressed, address: "http://10.0.0.6:1" });
    await world.pass(1_000);
    expect((await world.in()).via).toBe("direct");
  });
});

describe("the object is told", () => {
  it("every half second while anything is under way, and nothing while nothing is", async () => {
    const world = new DoorsWorld();
    const long = await world.in();
    await world.pass(5_000);
    expect(world.reports).toHaveLength(10);
    expect(world.reports.every(({ inFlight, idleMs }) => inFlight["r1"] === 1 && idleMs === 0)).toBe(true);
    expect(world.reports.reduce((sum, { begun }) => sum + begun, 0)).toBe(1);
    long.leave("answered");
    await world.pass(500);
    expect(world.reports).toHaveLength(11);
    expect(world.reports.at(-1)).toMatchObject({ inFlight: {}, idleMs: 500, begun: 0 });
    await world.pass(60_000);
    expect(world.reports).toHaveLength(11);
    expect(world.timers).toBe(0);
  });

  it("of a long request, though those that came before and after it have ended", async () => {
    const world = new DoorsWorld();
    const before = await world.in();
    const long = await world.in();
    before.leave("answered");
    (await world.in()).leave("answered");
    await world.pass(3_000);
    expect(world.reports.at(-1)).toMatchObject({ inFlight: { r1: 1 } });
    expect(world.reports.length).toBeGreaterThanOrEqual(5);
    long.leave("answered");
  });

  it("once for thousands of short requests one after another, beside the leases", async () => {
    const world = new DoorsWorld();
    for (let count = 0; count < 2_000; count++) {
      (await world.in()).leave("answered");
      if (count % 10 === 9) await world.pass(10);
    }
    // Two seconds: a lease or a report every half.
    expect(world.acquired.length + world.reports.length).toBeLessThanOrEqual(8);
    await world.pass(2_000);
    const begun = [...world.acquired, ...world.reports].reduce((sum, each) => sum + each.begun, 0);
    expect(begun).toBe(2_000);
    expect(world.reports.at(-1)).toMatchObject({ inFlight: {} });
    expect(world.timers).toBe(0);
  });

  it("its last word again where that was lost", async () => {
    const world = new DoorsWorld();
    world.report = () => (world.reports.length === 1 ? Promise.reject(new Error("lost")) : Promise.resolve());
    (await world.in()).leave("answered");
    await world.pass(10_000);
    expect(world.reports).toMatchObject([
      { begun: 1, idleMs: 500 },
      { begun: 1, idleMs: 1_000 },
    ]);
  });

  it("no more of a request that never came back", async () => {
    const world = new DoorsWorld();
    await world.in({ waitMs: 1_000 });
    await world.pass(6_500);
    expect(world.reports.at(-1)).toMatchObject({ inFlight: {} });
  });

  it("at once of a replica that is found broken, and how", async () => {
    const world = new DoorsWorld();
    world.answer = () => lease("r1", "r2");
    const entered = [await world.in(), await world.in()];
    entered.find(({ replica }) => replica.replica === "r1")?.leave("not_sent");
    await world.rest();
    expect(world.reports.at(-1)).toMatchObject({
      broken: { r1: "nobody takes connections there" },
      inFlight: { r2: 1 },
    });
  });

  it("of an end once, however often it is left", async () => {
    const world = new DoorsWorld();
    const one = await world.in();
    await world.in();
    one.leave("answered");
    one.leave("failed");
    await world.pass(500);
    expect(world.reports.at(-1)).toMatchObject({ inFlight: { r1: 1 } });
  });
});
