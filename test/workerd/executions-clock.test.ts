/** Clocks that jump, and alarms that come twice: nothing is done twice for it, and nothing waits for the clock to come back. */
import { describe, expect, it } from "vitest";
import { clock, DAY, ended, failed, item, SECOND, TestWorld, until } from "./execution-world.ts";

const HOUR = 60 * 60 * SECOND;

describe("an alarm that is delivered twice", () => {
  it("starts what is due once", async () => {
    const world = new TestWorld();
    const [one, other] = [item({ due: clock.now + SECOND }), item({ due: clock.now + SECOND })];
    await world.accept([one, other]);
    clock.now += SECOND;
    await world.inside((shard) => Promise.all([shard.alarm(), shard.alarm()]));
    await world.inside((shard) => shard.alarm());
    expect((await world.claims()).map(({ id, attempt }) => [id, attempt])).toEqual([
      [one.id, 1],
      [other.id, 1],
    ]);
    expect([...world.launches.values()]).toEqual([1, 1]);
  });

  it("ends a lease once, and interrupts nothing that has begun since", async () => {
    const world = new TestWorld();
    const one = item();
    await world.accept([one]);
    clock.now += 20 * SECOND;
    await world.inside((shard) => Promise.all([shard.alarm(), shard.alarm()]));
    expect(await world.shard().find(one.id)).toMatchObject({ status: "retrying", attempts: [{ end: "interrupted" }] });
    await world.ringUntil(clock.now + 5 * SECOND);
    await world.inside((shard) => Promise.all([shard.alarm(), shard.alarm()]));
    expect(await world.shard().find(one.id)).toMatchObject({ status: "running", attempt: 2 });
    expect(await world.settle([ended({ id: one.id, attempt: 2 })])).toEqual(["succeeded"]);
    await world.inside((shard) => shard.alarm());
    expect(await world.status(one.id)).toBe("succeeded");
  });

  it("expires once what waited too long", async () => {
    const world = new TestWorld();
    const late = item({ due: clock.now + 2 * SECOND, head: { expires_at: clock.now + SECOND } });
    await world.accept([late]);
    clock.now += 3 * SECOND;
    await world.inside((shard) => Promise.all([shard.alarm(), shard.alarm()]));
    const first = await world.shard().find(late.id);
    expect(first).toMatchObject({ status: "expired", attempts: [] });
    clock.now += SECOND;
    await world.inside((shard) => shard.alarm());
    expect(await world.shard().find(late.id)).toEqual(first);
  });
});

describe("an alarm that failed and is to be repeated in a long time", () => {
  it("is set anew with the next write, by the same object or the next", async () => {
    const world = new TestWorld();
    for (const restarts of [false, true]) {
      const one = item({ due: clock.now + SECOND });
      await world.accept([one]);
      // Nothing rings: as after minutes of a full disk.
      clock.now += 300 * SECOND;
      if (restarts) await world.restart();
      const other = item();
      await world.accept([other]);
      await until(async () => (await world.alarmAt()) === clock.now);
      await world.ring();
      expect((await world.taken()).toSorted()).toEqual([one.id, other.id].toSorted());
      await world.settle([ended(one), ended(other)]);
      await world.ring();
    }
  });
});

describe("a clock that jumps forward", () => {
  it.each(["alone", "and something is written first"])("interrupts no attempt whose runner lives (%s)", async (how) => {
    const world = new TestWorld();
    const one = item();
    const sync = item({ head: { mode: "sync", timeout_ms: 30 * SECOND } });
    await world.accept([one, sync]);
    clock.now += 5 * SECOND;
    await world.shard().renew([{ id: one.id, attempt: 1 }]);
    clock.now += HOUR;
    // As after a sleep: the runner is no sooner awake than the shard.
    if (how !== "alone") await world.accept([item()]);
    await world.ring();
    expect(await world.shard().renew([{ id: one.id, attempt: 1 }])).toEqual([]);
    await world.ringUntil(clock.now + 9 * SECOND);
    expect(await world.settle([ended(one), ended(sync)])).toEqual(["succeeded", "succeeded"]);
    expect((await world.shard().find(one.id))?.attempts.map(({ end }) => end)).toEqual(["succeeded"]);
  });

  it("takes one that is not heard of for lost; its late answer is refused, and the next one counts", async () => {
    const world = new TestWorld();
    const one = item();
    await world.accept([one]);
    clock.now += DAY;
    await world.ringUntil(clock.now + 10 * SECOND);
    expect(await world.shard().find(one.id)).toMatchObject({ status: "running", attempt: 2 });
    expect(await world.shard().renew([{ id: one.id, attempt: 1 }])).toEqual([one.id]);
    expect(await world.settle([ended(one)])).toEqual([null]);
    expect(await world.settle([ended({ id: one.id, attempt: 2 })])).toEqual(["succeeded"]);
    expect((await world.shard().find(one.id))?.attempts.map(({ end }) => end)).toEqual(["interrupted", "succeeded"]);
  });

  it("and back again leaves what it made due where it is, once", async () => {
    const world = new TestWorld();
    const one = item({ due: clock.now + 60 * SECOND });
    await world.accept([one]);
    clock.now += DAY;
    await world.ring();
    clock.now -= DAY;
    await world.ring();
    await world.ring();
    expect((await world.claims()).map(({ attempt }) => attempt)).toEqual([1]);
    expect(await world.settle([ended(one)])).toEqual(["succeeded"]);
  });
});

describe("a clock that jumps back", () => {
  it("does not disturb an attempt whose runner is heard of", async () => {
    const world = new TestWorld();
    const one = item();
    await world.accept([one]);
    clock.now -= DAY;
    for (let seconds = 0; seconds < 60; seconds += 5) {
      expect(await world.shard().renew([{ id: one.id, attempt: 1 }])).toEqual([]);
      await world.ring();
      clock.now += 5 * SECOND;
    }
    expect(await world.settle([ended(one)])).toEqual(["succeeded"]);
    expect((await world.shard().find(one.id))?.attempts.map(({ end }) => end)).toEqual(["succeeded"]);
  });

  it("gives an attempt whose runner is gone no day more to be heard of", async () => {
    const world = new TestWorld();
    const one = item();
    await world.accept([one]);
    clock.now -= DAY;
    // Something else happens in the shard, as it does.
    const other = item();
    await world.accept([other]);
    await world.settle([ended(other)]);
    await world.ringUntil(clock.now + 60 * SECOND);
    expect((await world.shard().find(one.id))?.attempts[0]).toMatchObject({ end: "interrupted" });
  });

  it.each([false, true])(
    "makes neither a try nor a delay nor what is told wait for longer (asleep: %s)",
    async (isAsleep) => {
      const world = new TestWorld();
      const one = item({ head: { wanted: { on: ["succeeded"], group: "g" } } });
      const delayed = item({ due: clock.now + 60 * SECOND });
      world.tellersAreLost = true;
      const told = item({ head: { wanted: { on: ["succeeded"], group: "g" } } });
      await world.accept([one, delayed, told]);
      await world.settle([ended(one, failed), ended(told)]);
      await until(() => world.told.length > 0);
      world.tellersAreLost = false;
      if (isAsleep) await world.restart();
      clock.now -= HOUR;
      await world.shard().clockWasSet(clock.now + HOUR);
      await world.ringUntil(clock.now + 5 * SECOND);
      expect(await world.shard().find(one.id)).toMatchObject({ status: "running", attempt: 2 });
      expect(world.told.length).toBeGreaterThan(1);
      expect(await world.status(delayed.id)).toBe("queued");
      await world.ringUntil(clock.now + 60 * SECOND);
      expect(await world.status(delayed.id)).toBe("running");
    },
  );

  it("makes nobody wait for an end for longer", async () => {
    const world = new TestWorld();
    const one = item();
    await world.accept([one]);
    const [waits, watches] = [
      world.shard().wait(one.id, 50),
      world.shard().watch(one.id, { version: 99, afterLog: 0, waitMs: 50 }),
    ];
    clock.now -= HOUR;
    expect(await waits).toMatchObject({ status: "running" });
    expect(await watches).toMatchObject({ logs: [] });
  });

  it("keeps the key and the id of what was accepted before", async () => {
    const world = new TestWorld();
    const key = { hash: "k", input: "same", expires_at: clock.now + DAY };
    const one = item({ key });
    await world.accept([one]);
    clock.now -= 2 * DAY;
    expect(await world.accept([item({ key })])).toEqual([{ kind: "same", id: one.id, status: "running" }]);
  });
});
