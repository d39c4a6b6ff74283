/** The object that counts a rate limit, on the real runtime: at once, over restarts, and until nothing is left of it. */
import { beforeEach, describe, expect, it, vi } from "vitest";
import { RateLimits } from "../../src/limits/rate-limits.ts";
import type { RateLimit } from "../../src/model/rate-limit.ts";
import { clock, evict, inside, limiters, START, type Stub } from "./limits-world.ts";

const policy = (limit: number, window_s: number, burst: number | null = null): RateLimit => ({
  limit,
  window_s,
  burst,
});
const TEN = policy(10, 60);

let stub: Stub;
beforeEach(() => {
  clock.now = START;
  stub = limiters.getByName(crypto.randomUUID());
});

async function passed(count: number, rate: RateLimit = TEN): Promise<number> {
  const taken = await Promise.all(Array.from({ length: count }, () => stub.take(rate)));
  return taken.filter(({ allowed }) => allowed).length;
}

async function ring(ms: number): Promise<void> {
  clock.now += ms;
  await inside(stub, (limiter) => limiter.ring());
}

const alarmInMs = async (): Promise<number | null> => {
  const at = await inside(stub, (limiter) => limiter.alarmAt());
  return at === null ? null : at - clock.now;
};
const stored = (): Promise<number> => inside(stub, (limiter) => limiter.stored());

describe("a rate limiter", () => {
  it("lets exactly 100 of 1,000 calls pass that come at once", async () => {
    expect(await passed(1_000, policy(100, 3_600))).toBe(100);
  });

  it("tells what is left, and when there is more", async () => {
    expect(await stub.take(TEN)).toEqual({ allowed: true, remaining: 9, resetMs: 6_000, afterMs: 0 });
    await passed(9);
    expect(await stub.take(TEN)).toEqual({ allowed: false, remaining: 0, resetMs: 60_000, afterMs: 6_000 });
    clock.now += 6_000;
    expect(await passed(3)).toBe(1);
  });

  it("counts each key by itself", async () => {
    await passed(10);
    expect((await limiters.getByName(crypto.randomUUID()).take(TEN)).allowed).toBe(true);
  });

  it("holds to another limit with the next call", async () => {
    expect(await passed(20)).toBe(10);
    expect(await passed(200, policy(100, 60))).toBe(90);
    expect(await passed(5, TEN)).toBe(0);
  });
});

describe("what a rate limiter remembers", () => {
  it("is written within a second, and read by the next object", async () => {
    await passed(10);
    expect(await alarmInMs()).toBe(1_000);
    await ring(1_000);
    await evict(stub);
    expect(await passed(5)).toBe(0);
  });

  it("is written again within a second of the next call, however long the limit is full", async () => {
    await passed(5);
    await ring(1_000);
    await ring(1_000);
    expect(await alarmInMs()).toBeGreaterThan(20_000);
    await passed(5);
    expect(await alarmInMs()).toBe(1_000);
    await ring(1_000);
    await evict(stub);
    expect(await passed(5)).toBe(0);
  });

  it("is lost with the process for what came since the last write, and no more", async () => {
    await passed(6);
    await ring(1_000);
    await passed(4);
    await inside(stub, (limiter) => limiter.break()).catch(() => undefined);
    stub = limiters.getByName((stub as unknown as { name: string }).name);
    expect(await passed(20)).toBe(4);
  });

  it("is deleted when there is nothing left to remember, and the object with it", async () => {
    await passed(10);
    await ring(1_000);
    expect(await stored()).toBe(1);
    await ring(1_000);
    const left = await alarmInMs();
    expect(left).toBe(58_000);
    await ring(left ?? 0);
    expect(await stored()).toBe(0);
    expect(await alarmInMs()).toBeNull();
    expect(await passed(20)).toBe(10);
  });

  it("is written by no call that is refused", async () => {
    await passed(10);
    await ring(1_000);
    await ring(1_000);
    const before = await alarmInMs();
    await passed(100);
    expect(await alarmInMs()).toBe(before);
  });

  it("is written also when the clock went back, and locks nobody out for longer than a window", async () => {
    await passed(10);
    await ring(1_000);
    await ring(1_000);
    clock.now -= 86_400_000;
    const { allowed, afterMs } = await stub.take(TEN);
    expect([allowed, afterMs]).toEqual([false, 6_000]);
    clock.now += 6_000;
    expect(await passed(2)).toBe(1);
    expect(await alarmInMs()).toBe(1_000);
    await ring(1_000);
    await ring(1_000);
    expect(await alarmInMs()).toBeLessThanOrEqual(60_000);
  });

  it("survives an alarm that comes twice", async () => {
    await passed(10);
    clock.now += 1_000;
    await inside(stub, (limiter) => Promise.all([limiter.alarm(), limiter.alarm()]));
    await evict(stub);
    expect(await passed(5)).toBe(0);
  });
});

describe("RateLimits", () => {
  it("asks the object of the subject", async () => {
    const id = crypto.randomUUID();
    const limits = new RateLimits(limiters, () => clock.now);
    expect(await limits.take("operation", id, TEN)).toMatchObject({ subject: "operation", policy: TEN, remaining: 9 });
    expect(await limits.take("token", id, TEN)).toMatchObject({ subject: "token", remaining: 9 });
    expect(await limits.take("operation", id, TEN)).toMatchObject({ remaining: 8 });
    expect((await limiters.getByName(`operation:${id}`).take(TEN)).remaining).toBe(7);
  });

  it.each<[string, () => Promise<never>]>([
    ["fails", () => Promise.reject(new Error("overloaded"))],
    ["does not answer", () => new Promise(() => undefined)],
    [
      "cannot even be found",
      () => {
        throw new Error("no such class");
      },
    ],
  ])("lets a call through when the object %s, and warns once a second", async (_what, take) => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const limits = new RateLimits({ getByName: () => ({ take }) }, () => clock.now, 5);
    for (let count = 0; count < 3; count++) expect(await limits.take("token", "t", TEN)).toBeUndefined();
    expect(warn).toHaveBeenCalledTimes(1);
    expect(String(warn.mock.calls[0]?.[0])).toContain("rate limit of token:t not held");
    clock.now += 1_000;
    await limits.take("token", "t", TEN);
    expect(warn).toHaveBeenCalledTimes(2);
    warn.mockRestore();
  });
});
