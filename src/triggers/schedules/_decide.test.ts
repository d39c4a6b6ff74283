import { describe, expect, test } from "vitest";
import { dueTimes } from "../../model/due-times.ts";
import { again, decide, decideSome, ON_TIME_MS, type Known, type OpenFiring, type Spec } from "./_decide.ts";

const MINUTE = 60_000;
const NOON = Date.parse("2026-06-01T12:00:00Z");
const SPEC: Spec = {
  cron: null,
  time_zone: "UTC",
  every_ms: MINUTE,
  overlap: "allow",
  catch_up: "last",
  catch_up_ms: 60 * MINUTE,
  jitter_ms: 0,
};

function look(
  now: number,
  { cursor = NOON, open = [] as OpenFiring[], ...spec }: Partial<Spec> & { cursor?: number; open?: OpenFiring[] } = {},
) {
  const known: Known = { name: "s", spec: { ...SPEC, ...spec }, cursor };
  return decide(known, open, { now, times: dueTimes(known.spec) });
}

const waiting = (seq: number, due: number, over: Partial<OpenFiring> = {}): OpenFiring => ({
  seq,
  due,
  status: "pending",
  inFlight: false,
  ...over,
});
const minutes = (...all: number[]): number[] => all.map((n) => NOON + n * MINUTE);
const duesOf = (result: ReturnType<typeof decide>, status: string): number[] =>
  result.firings.filter((each) => each.status === status).map(({ due }) => due);

describe("on time", () => {
  test("nothing is due before its time, and the alarm is for then", () => {
    expect(look(NOON + MINUTE - 1)).toEqual({ cursor: NOON, nextAt: NOON + MINUTE, firings: [], closings: [] });
  });

  test("a due time starts once", () => {
    const first = look(NOON + MINUTE + 5);
    expect(first).toMatchObject({ cursor: NOON + MINUTE, nextAt: NOON + 2 * MINUTE });
    expect(duesOf(first, "pending")).toEqual(minutes(1));
    expect(look(NOON + MINUTE + 6, { cursor: first.cursor }).firings).toEqual([]);
  });

  test("all that came while the object was busy start, even with catch_up none", () => {
    const result = look(NOON + 10_000, { every_ms: 1_000, catch_up: "none" });
    expect(duesOf(result, "pending")).toEqual(Array.from({ length: 10 }, (_, n) => NOON + (n + 1) * 1_000));
  });

  test("jitter puts off the start and not the due time", () => {
    const result = look(NOON, { jitter_ms: 30_000 });
    const start = result.nextAt ?? 0;
    expect(start).toBeGreaterThan(NOON + MINUTE);
    expect(start).toBeLessThanOrEqual(NOON + MINUTE + 30_000);
    expect(look(start - 1, { jitter_ms: 30_000 }).firings).toEqual([]);
    expect(duesOf(look(start, { jitter_ms: 30_000 }), "pending")).toEqual(minutes(1));
  });
});

describe("the clock", () => {
  test("goes back an hour: nothing that has been decided is decided again", () => {
    const cursor = NOON + 60 * MINUTE;
    for (const now of minutes(0, 1, 30, 60)) expect(look(now, { cursor }).firings).toEqual([]);
    expect(duesOf(look(NOON + 61 * MINUTE, { cursor }), "pending")).toEqual(minutes(61));
  });

  test("goes forward an hour: as if the platform had been down", () => {
    const result = look(NOON + 60 * MINUTE + 30_000);
    expect(duesOf(result, "pending")).toEqual(minutes(60));
    expect(duesOf(result, "missed")).toEqual(minutes(59));
  });
});

describe("after 100 due times with the platform down", () => {
  const now = NOON + 100 * MINUTE + 30_000;

  test("none: they are forgotten, in one line that says how many", () => {
    const result = look(now, { catch_up: "none" });
    expect(result.firings).toEqual([
      { due: NOON + 100 * MINUTE, status: "missed", madeUp: false, reason: expect.stringContaining("100 due times") },
    ]);
    expect(result).toMatchObject({ cursor: now - ON_TIME_MS, nextAt: NOON + 101 * MINUTE });
  });

  test("last: the last of them makes up for all", () => {
    const result = look(now);
    expect(duesOf(result, "pending")).toEqual(minutes(100));
    expect(result.firings.at(-1)).toMatchObject({ madeUp: true });
    expect(result.firings[0]).toMatchObject({ status: "missed", reason: expect.stringContaining("99 due times") });
  });

  test("last: one that is on time makes up for all", () => {
    const result = look(NOON + 100 * MINUTE + 3_000);
    expect(duesOf(result, "pending")).toEqual(minutes(100));
    expect(result.firings.at(-1)).toMatchObject({ madeUp: false });
    expect(result.firings[0]).toMatchObject({ reason: expect.stringContaining("99 due times") });
  });

  test("all: each of them, within catch_up_ms", () => {
    const all = look(now, { catch_up: "all", catch_up_ms: 24 * 60 * MINUTE });
    expect(duesOf(all, "pending")).toEqual(Array.from({ length: 100 }, (_, n) => NOON + (n + 1) * MINUTE));
    expect(duesOf(all, "missed")).toEqual([]);
    const hour = look(now, { catch_up: "all" });
    expect(duesOf(hour, "pending")).toHaveLength(60);
    expect(hour.firings[0]).toMatchObject({ status: "missed", reason: expect.stringContaining("40 due times") });
  });

  test("last and all look no further back than catch_up_ms", () => {
    for (const catch_up of ["last", "all"] as const) {
      expect(duesOf(look(now, { catch_up, catch_up_ms: 20_000 }), "pending")).toEqual([]);
      expect(duesOf(look(now, { catch_up, catch_up_ms: 0 }), "pending")).toEqual([]);
    }
  });

  test("all: at most a thousand, the newest, and says what it left out", () => {
    const result = look(NOON + 24 * 60 * MINUTE + 30_000, { catch_up: "all", catch_up_ms: 24 * 60 * MINUTE });
    const pending = duesOf(result, "pending");
    expect(pending).toHaveLength(1_000);
    expect(pending.at(-1)).toBe(NOON + 24 * 60 * MINUTE);
    expect(result.firings[0]).toMatchObject({
      status: "missed",
      reason: expect.stringContaining("440 due times"),
    });
  });

  test("all with skip: those that are made up for wait for each other, and what comes meanwhile is skipped", () => {
    const result = look(NOON + 3 * MINUTE + 1_000, { overlap: "skip", catch_up: "all" });
    expect(duesOf(result, "pending")).toEqual(minutes(1, 2));
    expect(duesOf(result, "skipped")).toEqual(minutes(3));
  });
});

describe("overlap", () => {
  const now = NOON + MINUTE + 1;

  test("allow starts beside whatever waits", () => {
    expect(duesOf(look(now, { open: [waiting(1, NOON)], catch_up: "all" }), "pending")).toEqual(minutes(1));
  });

  test("skip does not, while an earlier one is on its way or waits", () => {
    for (const open of [waiting(1, NOON, { inFlight: true }), waiting(1, NOON, { status: "queued" })]) {
      const result = look(now, { overlap: "skip", open: [open] });
      expect(duesOf(result, "skipped")).toEqual(minutes(1));
      expect(result.closings).toEqual([]);
    }
  });

  test("queue takes up to its bound, and says the bound", () => {
    const open = Array.from({ length: 999 }, (_, n) => waiting(n, NOON - n * MINUTE, { status: "queued" }));
    const result = look(NOON + 2_000, { overlap: "queue", every_ms: 1_000, open });
    expect(duesOf(result, "pending")).toEqual([NOON + 1_000]);
    expect(result.firings.at(-1)).toMatchObject({ status: "skipped", reason: expect.stringContaining("1000") });
  });

  test("cancel_previous takes the place of what has not been started", () => {
    const result = look(now, {
      overlap: "cancel_previous",
      open: [waiting(1, NOON, { status: "queued" }), waiting(2, NOON, { inFlight: true })],
    });
    expect(duesOf(result, "pending")).toEqual(minutes(1));
    expect(result.closings.map(({ seq }) => seq)).toEqual([1]);
    const many = look(NOON + 3_000, { overlap: "cancel_previous", every_ms: 1_000 });
    expect(duesOf(many, "pending")).toEqual([NOON + 3_000]);
    expect(duesOf(many, "skipped")).toHaveLength(2);
  });

  test("what could not be started for long is missed once another is due, unless all are wanted", () => {
    const open = [waiting(1, NOON)];
    for (const overlap of ["allow", "skip", "queue"] as const) {
      const result = look(now, { overlap, open });
      expect(result.closings).toMatchObject([{ seq: 1, status: "missed" }]);
      expect(duesOf(result, "pending")).toEqual(minutes(1));
      expect(look(now, { overlap, open, catch_up: "all" }).closings).toEqual([]);
    }
  });
});

test("again() tries with longer waits, for as long as catch_up_ms says, and a minute at least", () => {
  const firing = (tries: number) => ({ due: NOON, tries });
  expect(again(SPEC, firing(0), NOON)).toBe(NOON + 500);
  expect(again(SPEC, firing(3), NOON)).toBe(NOON + 4_000);
  expect(again(SPEC, firing(50), NOON)).toBe(NOON + 60_000);
  expect(again(SPEC, firing(50), NOON + 59 * MINUTE)).toBe(NOON + 60 * MINUTE);
  expect(again(SPEC, firing(50), NOON + 60 * MINUTE)).toBeUndefined();
  expect(again({ ...SPEC, catch_up: "none" }, firing(3), NOON + 50_000)).toBe(NOON + 54_000);
  expect(again({ ...SPEC, catch_up: "none" }, firing(3), NOON + 59_000)).toBeUndefined();
});

const DAY = 24 * 60 * MINUTE;
const some = (count: number, spec: Partial<Spec>, missedMs: number) => {
  const due = Array.from({ length: count }, (_, n) => ({ name: `s${n}`, spec: { ...SPEC, ...spec }, cursor: NOON }));
  let steps = 0;
  const timesOf = (known: Known) => {
    const times = dueTimes(known.spec);
    return {
      names: () => true,
      next: (after: number) => ((steps += 1), times.next(after)),
      count: (after: number, until: number) => times.count(after, until),
    };
  };
  const decided = decideSome(due, new Map(), { most: 500, now: NOON + missedMs, timesOf });
  return { decided, steps };
};

describe("decideSome()", () => {
  test("decides all that are on time in one turn, in their order", () => {
    const { decided } = some(400, {}, MINUTE);
    expect(decided.map(({ name }) => name)).toEqual(Array.from({ length: 400 }, (_, n) => `s${n}`));
  });

  test.each<[Spec["catch_up"], number]>([
    ["none", 50],
    ["last", 50],
    ["all", 5],
  ])("gets on after a month, a turn being short: catch_up %s", (catchUp, count) => {
    const { decided, steps } = some(400, { catch_up: catchUp, catch_up_ms: 31 * DAY }, 31 * DAY);
    expect(decided).toHaveLength(count);
    // To step through a cron expression takes a tenth of a millisecond.
    expect(steps).toBeLessThan(100_000);
  });
});
