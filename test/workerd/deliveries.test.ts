/// <reference types="@cloudflare/vitest-pool-workers/types" />
/** Deliveries on real objects: written, listed, bounded, forgotten. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../src/core/limits.ts";
import { TestWorld } from "./deliveries-world.ts";

const DAY_MS = 24 * 60 * 60_000;
let names = 0;
/** A webhook of its own for each test, so that none meets another's deliveries. */
const hook = (): string => `hook-${names++}`;

async function count(world: TestWorld, webhook: string, verified: boolean): Promise<number> {
  return runInDurableObject(world.log(webhook), (_, state) =>
    Number(
      state.storage.sql
        .exec("SELECT count(*) AS n FROM deliveries WHERE webhook = ? AND verified = ?", webhook, Number(verified))
        .one()["n"],
    ),
  );
}

describe("a delivery", () => {
  it("is found by its id with its bytes, before and after it is written, and after the object is lost", async () => {
    const world = new TestWorld();
    const webhook = hook();
    const delivery = world.delivery({ webhook, event_id: "msg_1" });
    const body = new Uint8Array([0xff, 0x00, 0x7b]);
    world.recorder.add(delivery, body);
    expect(await world.deliveries.find(delivery.id)).toEqual({ delivery, others: 0, body });
    await world.write([]);
    expect(world.recorder.unwritten(delivery.id)).toBeUndefined();
    await evictDurableObject(world.log(webhook));
    expect(await world.deliveries.find(delivery.id)).toEqual({ delivery, others: 0, body });
  });

  it("that is sent twice is kept once, and counted once", async () => {
    const world = new TestWorld();
    const webhook = hook();
    const delivery = world.delivery({ webhook });
    await world.write([delivery]);
    await world.write([delivery]);
    const { items } = await world.deliveries.list({ webhook, limit: 10 });
    expect(items).toHaveLength(1);
    const budget = await runInDurableObject(world.log(webhook), (_, state) => [
      state.storage.sql.exec("SELECT bytes FROM budgets WHERE webhook = ?", webhook).one()["bytes"],
      state.storage.sql.exec("SELECT sum(bytes) AS s FROM deliveries WHERE webhook = ?", webhook).one()["s"],
    ]);
    expect(budget[0]).toBe(budget[1]);
  });

  it.each(["", "dl_", "dl_ff_0000000000000000000000000", "ex_00_0000000000000000000000000", "dl_00_' OR 1=1"])(
    "of the id %j is none",
    async (id) => {
      expect(await new TestWorld().deliveries.find(id)).toBeUndefined();
    },
  );
});

describe("a list of deliveries", () => {
  it("is newest first, by webhook, status and time, page by page", async () => {
    const world = new TestWorld();
    const webhook = hook();
    const start = Date.now() - 60_000;
    const all = Array.from({ length: 7 }, (_, n) =>
      world.delivery({ webhook, at_ms: start + n * 1_000, status: n % 2 === 0 ? "accepted" : "failed" }),
    );
    await world.write(all);
    const ids = all.map(({ id }) => id).toReversed();
    const first = await world.deliveries.list({ webhook, limit: 4 });
    expect(first.items.map(({ id }) => id)).toEqual(ids.slice(0, 4));
    const second = await world.deliveries.list({ webhook, limit: 4, cursor: first.next_cursor! });
    expect(second.items.map(({ id }) => id)).toEqual(ids.slice(4));
    expect(second.next_cursor).toBeNull();
    const failed = await world.deliveries.list({ webhook, status: "failed", limit: 10 });
    expect(failed.items).toHaveLength(3);
    const some = await world.deliveries.list({ webhook, since: start + 2_000, until: start + 5_000, limit: 10 });
    expect(some.items.map(({ id }) => id)).toEqual(ids.slice(2, 5));
    await expect(world.deliveries.list({ limit: 1, cursor: "x" })).rejects.toMatchObject({ code: "input_invalid" });
  });

  it("of all webhooks merges the logs in the order of time", async () => {
    const world = new TestWorld();
    const start = Date.now() + DAY_MS;
    const all = Array.from({ length: 12 }, (_, n) => world.delivery({ webhook: hook(), at_ms: start + n }));
    await world.write(all);
    const ids = all.map(({ id }) => id).toReversed();
    const first = await world.deliveries.list({ since: start, limit: 5 });
    const second = await world.deliveries.list({ since: start, limit: 50, cursor: first.next_cursor! });
    expect([...first.items, ...second.items].map(({ id }) => id)).toEqual(ids);
  });
});

describe("what is kept", () => {
  it("of unverified requests is bounded, and never at the cost of verified ones", async () => {
    const world = new TestWorld();
    const webhook = hook();
    const good = world.delivery({ webhook, at_ms: Date.now() - 1_000_000 });
    await world.write([good]);
    const body = new Uint8Array(LIMITS.unverifiedBodyBytes);
    // Minute after minute of a flood, each with as many records as it may have.
    const most = Math.ceil(LIMITS.unverifiedBytes / LIMITS.unverifiedBodyBytes);
    const start = Date.now() - 3_000_000;
    for (let minute = 0; minute * LIMITS.unverifiedPerMinute < most + 200; minute++) {
      const at_ms = start + minute * 60_000;
      const forged = { webhook, at_ms, status: "refused", verified: false } as const;
      await world.write(
        Array.from({ length: LIMITS.unverifiedPerMinute }, () => world.delivery(forged)),
        body,
      );
    }
    const kept = await count(world, webhook, false);
    expect(kept).toBeLessThan(most);
    expect(kept).toBeGreaterThan(most / 2);
    expect(await world.deliveries.find(good.id)).toBeDefined();
  });

  it("counts the others of a minute on its last record", async () => {
    const world = new TestWorld();
    const webhook = hook();
    const forged = { webhook, status: "refused", verified: false } as const;
    const at_ms = Date.now();
    const flood = Array.from({ length: LIMITS.unverifiedPerMinute + 25 }, () => world.delivery({ ...forged, at_ms }));
    await world.write(flood);
    const { items } = await world.deliveries.list({ webhook, limit: 100 });
    expect(items).toHaveLength(LIMITS.unverifiedPerMinute);
    expect(items.reduce((sum, { others }) => sum + others, 0)).toBe(25);
  });

  it("is forgotten after its time, and only then", async () => {
    const world = new TestWorld();
    const webhook = hook();
    const old = world.delivery({ webhook, at_ms: Date.now() - LIMITS.deliveryRetentionMs - 1 });
    const young = world.delivery({ webhook, at_ms: Date.now() - LIMITS.deliveryRetentionMs + 60_000 });
    await world.write([old, young]);
    // It is due at once, so the runtime may have come before us.
    await runDurableObjectAlarm(world.log(webhook));
    expect(await world.deliveries.find(old.id)).toBeUndefined();
    expect(await world.deliveries.find(young.id)).toBeDefined();
    // The alarm stands for what is left, also for an object that starts again.
    await evictDurableObject(world.log(webhook));
    const alarm = await runInDurableObject(world.log(webhook), (_, state) => state.storage.getAlarm());
    expect(alarm).toBeGreaterThan(Date.now());
    expect(alarm).toBeLessThan(Date.now() + 60 * 60_000);
  });
});
