import { describe, expect, test } from "vitest";
import { admit, emptyInMs, type Meter, type Rate } from "./gcra.ts";

const START = Date.UTC(2026, 10, 29);
const rate = (limit: number, windowS: number, burst = limit): Rate => ({ limit, windowMs: windowS * 1000, burst });

/** A bucket and a clock that moves when told. */
function bucket(first: Rate) {
  let meter: Meter | undefined;
  const state = { now: START, rate: first };
  const take = () => {
    const admission = admit(meter, state.rate, state.now);
    ({ meter } = admission);
    return admission;
  };
  const many = (count: number) => Array.from({ length: count }, take).filter(({ allowed }) => allowed).length;
  return { state, take, many, empty: () => emptyInMs(meter!, state.now) };
}

describe("admit()", () => {
  test.each([
    [100, 60],
    [7, 1],
    [3, 7],
    [1, 1],
    [1, 86_400],
    [999, 13],
    [100_000, 1],
  ])("lets exactly %d in %d s pass of any number that come at once", (limit, window) => {
    const { many } = bucket(rate(limit, window));
    expect(many(limit + 5)).toBe(limit);
  });

  test.each([
    [7, 1],
    [3, 7],
    [997, 60],
  ])("lets exactly the next pass when it is said to, and never one more: %d in %d s", (limit, window) => {
    const { state, take, many } = bucket(rate(limit, window));
    many(limit);
    for (let turn = 0; turn < 3 * limit; turn++) {
      const { allowed, afterMs } = take();
      expect(allowed).toBe(false);
      expect(afterMs).toBeGreaterThan(0);
      state.now += afterMs - 1;
      expect(take().allowed).toBe(false);
      state.now += 1;
      expect(take().allowed).toBe(true);
    }
    // Over these refills no time was given away: in three windows 3 × limit came, to the millisecond of each rounding up.
    expect(state.now - START).toBeGreaterThanOrEqual(3 * window * 1000);
    expect(state.now - START).toBeLessThan(3 * window * 1000 + 3 * limit);
  });

  test("gives back evenly what was used", () => {
    const { state, take, many } = bucket(rate(10, 10));
    expect(take()).toMatchObject({ allowed: true, remaining: 9, resetMs: 1000, afterMs: 0 });
    expect(many(9)).toBe(9);
    expect(take()).toMatchObject({ allowed: false, remaining: 0, resetMs: 10_000, afterMs: 1000 });
    state.now += 2500;
    expect(many(10)).toBe(2);
    state.now += 60_000;
    expect(many(20)).toBe(10);
  });

  test("keeps to a burst below and above the limit", () => {
    const small = bucket(rate(60, 60, 1));
    expect(small.many(5)).toBe(1);
    small.state.now += 1000;
    expect(small.many(5)).toBe(1);
    const large = bucket(rate(1, 60, 5));
    expect(large.many(10)).toBe(5);
    expect(large.take().afterMs).toBe(60_000);
  });

  test("counts what was counted when the limit changes, at once", () => {
    const { state, take, many } = bucket(rate(10, 60));
    many(10);
    state.rate = rate(100, 60);
    expect(take()).toMatchObject({ allowed: true, remaining: 89 });
    state.rate = rate(100, 1);
    expect(take()).toMatchObject({ allowed: true, remaining: 88 });
    state.rate = rate(5, 60);
    expect(take()).toMatchObject({ allowed: false, remaining: 0, afterMs: 12_000, resetMs: 60_000 });
  });

  test.each([3_600_000, 86_400_000 * 365])("locks nobody out for longer when the clock goes back %d ms", (ms) => {
    const { state, take, many } = bucket(rate(10, 60));
    many(20);
    state.now -= ms;
    const { allowed, afterMs, resetMs } = take();
    expect(allowed).toBe(false);
    expect(afterMs).toBe(6_000);
    expect(resetMs).toBe(60_000);
    state.now += afterMs;
    expect(take().allowed).toBe(true);
  });

  test("takes a clock that goes forward and back again for a pause", () => {
    const { state, many } = bucket(rate(10, 60));
    many(10);
    state.now += 86_400_000 * 365;
    expect(many(20)).toBe(10);
    state.now -= 86_400_000 * 365;
    expect(many(20)).toBe(0);
    state.now += 60_000;
    expect(many(20)).toBe(10);
  });

  test("is empty when it says so", () => {
    const { state, take, empty } = bucket(rate(7, 1));
    take();
    take();
    expect(empty()).toBe(286);
    state.now += empty();
    expect(take().remaining).toBe(6);
  });
});
