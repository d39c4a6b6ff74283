import { describe, expect, test } from "vitest";
import { isTimeZone, parseCron } from "./cron.ts";
import { twiceThatDay, wallClock } from "./wall-clock.ts";

function timesOf(cron: string, zone: string) {
  const parsed = parseCron(cron, zone);
  if (!parsed.ok) throw new Error(`${cron}: ${parsed.rule}`);
  return parsed.times;
}

function nextOf(cron: string, zone: string, { from, count }: { from: string; count: number }): string[] {
  const times = timesOf(cron, zone);
  const found: string[] = [];
  for (let at = times.next(Date.parse(from)); at !== undefined && found.length < count; at = times.next(at)) {
    found.push(wallClock(at, zone));
  }
  return found;
}

describe("the clocks go forward", () => {
  test.each([
    // Fixed: once a day, at the first instant after what is left out.
    ["30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]],
    [
      "0,30 1-3 * * *",
      "Europe/Berlin",
      "2026-03-29T00:00Z",
      [
        "2026-03-29T01:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T03:30:00+02:00",
        "2026-03-30T01:00:00+02:00",
      ],
    ],
    ["30 2 * * *", "America/New_York", "2026-03-07T12:00Z", ["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"]],
    [
      "15 2 * * *",
      "Australia/Lord_Howe",
      "2026-10-03T06:00Z",
      ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"],
    ],
    ["0 0 * * *", "Africa/Cairo", "2026-04-23T12:00Z", ["2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00"]],
    // Of what goes by the time that passes, nothing is due in what is left out.
    [
      "*/30 * * * *",
      "Europe/Berlin",
      "2026-03-29T00:00Z",
      ["2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"],
    ],
    ["*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["2026-03-30T02:00:00+02:00", "2026-03-30T02:30:00+02:00"]],
    [
      "*/15 * * * *",
      "Australia/Lord_Howe",
      "2026-10-03T15:15Z",
      ["2026-10-04T02:30:00+11:00", "2026-10-04T02:45:00+11:00"],
    ],
    // A day that was never on the calendar.
    ["0 12 * * *", "Pacific/Apia", "2011-12-29T00:00Z", ["2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00"]],
    ["0 9 * * FRI", "Pacific/Apia", "2011-12-20T00:00Z", ["2011-12-23T09:00:00-10:00", "2012-01-06T09:00:00+14:00"]],
    [
      "0 */8 * * *",
      "Pacific/Apia",
      "2011-12-30T00:00Z",
      ["2011-12-29T16:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T08:00:00+14:00"],
    ],
  ])("%s in %s", (cron, zone, from, expected) => {
    expect(nextOf(cron, zone, { from, count: expected.length })).toEqual(expected);
  });
});

describe("the clocks go back", () => {
  test.each([
    ["30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]],
    [
      "0,30 2,3 * * *",
      "Europe/Berlin",
      "2026-10-24T12:00Z",
      ["2026-10-25T02:00:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-25T03:00:00+01:00"],
    ],
    ["30 1 * * *", "America/New_York", "2026-10-31T12:00Z", ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"]],
    [
      "45 1 * * *",
      "Australia/Lord_Howe",
      "2026-04-04T12:00Z",
      ["2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"],
    ],
    [
      "*/30 * * * *",
      "Europe/Berlin",
      "2026-10-25T00:00Z",
      [
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-25T03:00:00+01:00",
      ],
    ],
    [
      "0 * * * *",
      "America/New_York",
      "2026-11-01T04:30Z",
      ["2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00"],
    ],
    [
      "*/15 1 * * *",
      "Australia/Lord_Howe",
      "2026-04-04T14:30Z",
      [
        "2026-04-05T01:45:00+11:00",
        "2026-04-05T01:30:00+10:30",
        "2026-04-05T01:45:00+10:30",
        "2026-04-06T01:00:00+10:30",
      ],
    ],
  ])("%s in %s", (cron, zone, from, expected) => {
    expect(nextOf(cron, zone, { from, count: expected.length })).toEqual(expected);
  });
});

describe("expressions", () => {
  test.each([
    ["0 0 1 * 1", ["2026-01-05", "2026-01-12"]], // the 1st or a Monday: either
    ["0 0 1 * +1", ["2026-06-01", "2027-02-01"]], // the 1st and a Monday
    ["0 0 L * *", ["2026-01-31", "2026-02-28"]],
    ["0 0 15W * *", ["2026-01-15", "2026-02-16"]],
    ["0 0 * * FRI#2", ["2026-01-09", "2026-02-13"]],
    ["0 0 * * FRIL", ["2026-01-30", "2026-02-27"]],
    ["0 0 29 FEB *", ["2028-02-29", "2032-02-29"]],
    ["0 0 * * 7", ["2026-01-04", "2026-01-11"]],
    ["0 0 ? * SUN", ["2026-01-04", "2026-01-11"]],
    ["@daily", ["2026-01-02", "2026-01-03"]],
    ["@Weekly", ["2026-01-04", "2026-01-11"]],
    ["  0  0 0 2,3 1 *", ["2026-01-02", "2026-01-03"]],
  ])("%s", (cron, days) => {
    const found = nextOf(cron, "UTC", { from: "2026-01-01T00:00Z", count: days.length });
    expect(found.map((text) => text.slice(0, 10))).toEqual(days);
  });

  test("takes seconds in front", () => {
    expect(nextOf("*/20 0 5 * * *", "Asia/Kolkata", { from: "2026-01-01T00:00Z", count: 3 })).toEqual([
      "2026-01-02T05:00:00+05:30",
      "2026-01-02T05:00:20+05:30",
      "2026-01-02T05:00:40+05:30",
    ]);
  });

  test.each([
    ["", "five fields", "0 fields"],
    ["* * * *", "five fields", "4 fields"],
    ["0 0 0 1 1 * 2030", "five fields", "7 fields"],
    ["2026-01-01T00:00:00", "five fields", "1 field"],
    ["60 * * * *", "field 1, the minute, must be *, or of 0-59", '"60"'],
    ["61 0 * * * *", "field 1, the second", '"61"'],
    ["0 24 * * *", "field 2, the hour", '"24"'],
    ["0 0 32 * *", "field 3, the day of the month", '"32"'],
    ["0 0 0 * *", "field 3, the day of the month", '"0"'],
    ["0 0 * 13 *", "field 4, the month", '"13"'],
    ["0 0 * * 8", "field 5, the day of the week", '"8"'],
    ["0 0 * * MON#6", "field 5", '"MON#6"'],
    ["0 0 * * FOO", "field 5", '"FOO"'],
    ["*/0 * * * *", "field 1", '"*/0"'],
    ["5-1 * * * *", "field 1", '"5-1"'],
    ["1.5 * * * *", "field 1", '"1.5"'],
    ["@noon", "a name must be one of", "@noon"],
    ["@reboot", "a name must be one of", "@reboot"],
    ["0 0 30 2 *", "some date must fit it", "one that comes in no year"],
    ["0 0 31 4,6,9,11 *", "some date must fit it", "one that comes in no year"],
  ])("refuses %j and says why", (cron, rule, is) => {
    const parsed = parseCron(cron, "Europe/Berlin");
    expect(parsed).toMatchObject({ ok: false, rule: expect.stringContaining(rule), is });
  });

  test("point out what else there is", () => {
    expect(parseCron("H * * * *", "UTC")).toMatchObject({ hint: expect.stringContaining("jitter_ms") });
    expect(parseCron("@every 5m", "UTC")).toMatchObject({ hint: expect.stringContaining("every_ms") });
  });
});

test("isTimeZone() takes names and nothing else", () => {
  for (const zone of ["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia"])
    expect(isTimeZone(zone)).toBe(true);
  for (const zone of ["", "+02:00", "Europe/Bielefeld", "CEST", "../x"]) expect(isTimeZone(zone)).toBe(false);
});

const of = (text: string) => twiceThatDay(Date.parse(text), "Europe/Berlin");

test("twiceThatDay() knows the hour that comes twice, both times, and no other", () => {
  expect(of("2026-10-25T02:30:00+02:00")).toBe("first");
  expect(of("2026-10-25T02:30:00+01:00")).toBe("second");
  expect(of("2026-10-25T01:59:59+02:00")).toBeUndefined();
  expect(of("2026-10-25T03:00:00+01:00")).toBeUndefined();
  expect(of("2026-03-29T03:00:00+02:00")).toBeUndefined();
});

/** The wall clock minute by minute, read from Intl alone: slow, and nothing of it is croner's. */
describe("what goes by the time that passes agrees with the wall clock, minute by minute", () => {
  const MINUTE = 60_000;
  test.each([
    ["*/15 * * * *", "Europe/Berlin", "2026-03-28T12:00Z"],
    ["*/20 1-4 * * *", "Europe/Berlin", "2026-10-24T12:00Z"],
    ["7 * * * *", "America/New_York", "2026-03-07T12:00Z"],
    ["*/10 */2 * * *", "America/New_York", "2026-10-31T12:00Z"],
    ["*/5 * * * *", "Australia/Lord_Howe", "2026-04-04T06:00Z"],
    ["*/5 * * * *", "Australia/Lord_Howe", "2026-10-03T06:00Z"],
    ["*/45 * * * *", "Asia/Kolkata", "2026-03-28T12:00Z"],
    ["0 */3 * * *", "Pacific/Apia", "2011-12-29T12:00Z"],
    ["* 23 * * *", "UTC", "2026-03-28T12:00Z"],
  ])("%s in %s", (cron, zone, start) => {
    const from = Date.parse(start);
    const until = from + 36 * 60 * MINUTE;
    const [minutes = "*", hours = "*"] = cron.split(" ");
    const expected: number[] = [];
    for (let at = from + MINUTE; at <= until; at += MINUTE) {
      const wall = wallClock(at, zone);
      if (fits(Number(wall.slice(14, 16)), minutes) && fits(Number(wall.slice(11, 13)), hours)) expected.push(at);
    }
    const times = timesOf(cron, zone);
    const found: number[] = [];
    for (let at = times.next(from); at !== undefined && at <= until; at = times.next(at)) found.push(at);
    expect(found.map((at) => wallClock(at, zone))).toEqual(expected.map((at) => wallClock(at, zone)));
    expect(found.length).toBeGreaterThan(10);
  });
});

function fits(value: number, field: string): boolean {
  const [range = "*", step = "1"] = field.split("/");
  const [low = 0, high = range === "*" ? 59 : low] = range === "*" ? [] : range.split("-").map(Number);
  return value >= low && value <= high && (value - low) % Number(step) === 0;
}
