import { expect, test } from "vitest";
import { dueBetween, dueTimes, jitterOf, lastDue } from "./due-times.ts";

const HOUR = 3_600_000;
const NOON = Date.parse("2026-06-01T12:00:00Z");
const hourly = dueTimes({ cron: "0 * * * *", time_zone: "UTC", every_ms: null });

test("an interval counts from the epoch", () => {
  const every = dueTimes({ cron: null, time_zone: "UTC", every_ms: 7_000 });
  expect(every.next(0)).toBe(7_000);
  expect(every.next(6_999)).toBe(7_000);
  expect(every.next(7_000)).toBe(14_000);
  expect(every.next(1_790_000_000_001)).toBe(Math.ceil(1_790_000_000_001 / 7_000) * 7_000);
});

test("next() is after the instant, to the millisecond, whatever was asked before", () => {
  for (const at of [NOON, NOON + HOUR - 1, NOON - 1, NOON, NOON + 1, NOON + HOUR]) {
    const next = hourly.next(at) ?? 0;
    expect(next).toBe((Math.floor(at / HOUR) + 1) * HOUR);
  }
});

test("dueBetween() leaves out the first instant, includes the last, and says when there are more", () => {
  expect(dueBetween(hourly, { after: NOON, until: NOON + 2 * HOUR }, 10)).toEqual({
    due: [NOON + HOUR, NOON + 2 * HOUR],
    more: false,
  });
  expect(dueBetween(hourly, { after: NOON, until: NOON + 9 * HOUR }, 2)).toEqual({
    due: [NOON + HOUR, NOON + 2 * HOUR],
    more: true,
  });
});

test.each(["0 * * * *", "* * * * *", "*/10 9-17 * * MON-FRI", "0 0 1 * *", "* * * * MON"])(
  "lastDue() of %s is the end of all",
  (cron) => {
    const times = dueTimes({ cron, time_zone: "Europe/Berlin", every_ms: null });
    const span = { after: NOON - 8 * 24 * HOUR, until: NOON + 1 };
    const all = dueBetween(times, span, 100_000).due;
    for (const limit of [1, 2, 7]) {
      expect(lastDue(times, span, limit)).toEqual({ due: all.slice(-limit), before: all.length > limit });
    }
  },
);

test("lastDue() finds the last thousand of a month of seconds in time", () => {
  const times = dueTimes({ cron: "* * * * * *", time_zone: "Europe/Berlin", every_ms: null });
  const { due, before } = lastDue(times, { after: NOON - 31 * 24 * HOUR, until: NOON }, 1_000);
  expect(before).toBe(true);
  expect(due).toHaveLength(1_000);
  expect([due[0], due.at(-1)]).toEqual([NOON - 999_000, NOON]);
});

test("jitterOf() is the same for a due time, within its bound, and spreads", () => {
  const all = Array.from({ length: 2_000 }, (_, index) => jitterOf("report", NOON + index * HOUR, 999));
  expect(all).toEqual(Array.from({ length: 2_000 }, (_, index) => jitterOf("report", NOON + index * HOUR, 999)));
  expect(Math.min(...all)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...all)).toBeLessThanOrEqual(999);
  const buckets = Array.from({ length: 10 }, (_, place) => all.filter((ms) => Math.floor(ms / 100) === place).length);
  for (const count of buckets) expect(count).toBeGreaterThan(120);
  expect(jitterOf("report", NOON, 0)).toBe(0);
});
