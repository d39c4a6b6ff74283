import { describe, expect, it } from "vitest";
import { parsePrefer, preferenceApplied } from "./prefer.ts";

describe("parsePrefer()", () => {
  const cases: [string | null, boolean, number | undefined][] = [
    [null, false, undefined],
    ["", false, undefined],
    ["respond-async", true, undefined],
    ["Respond-Async", true, undefined],
    ["respond-async, wait=5", true, 5_000],
    ["wait=5,respond-async", true, 5_000],
    [",, wait=5 ,", false, 5_000],
    ["wait=0", false, 0],
    ["wait = 7", false, 7_000],
    ['wait="7"', false, 7_000],
    ['wait="\\7"', false, 7_000],
    ["WAIT=7; strictly", false, 7_000],
    ["wait=301", false, 300_000],
    [`wait=${"9".repeat(400)}`, false, 300_000],
    [`wait=3, note=${"x".repeat(2_000)}`, false, undefined],
    // The first of two counts.
    ["wait=1, wait=2", false, 1_000],
    ["wait=x, wait=2", false, undefined],
    // Malformed or unknown: passed over, and what stands beside them holds.
    ["wait", false, undefined],
    ["wait=", false, undefined],
    ['wait=""', false, undefined],
    ["wait=-1, respond-async", true, undefined],
    ["wait=1.5, respond-async", true, undefined],
    ["wait=5s", false, undefined],
    ["wait=5 6", false, undefined],
    ["respond-async=maybe", false, undefined],
    ['respond-async=""', true, undefined],
    ["handling=strict, return=minimal, respond-async; level=1", true, undefined],
    ['note="a, wait=9, b", wait=3', false, 3_000],
    ['note="a \\", wait=9", wait=3', false, 3_000],
    ['wait=3, note="open', false, 3_000],
    ["@@, wait=3", false, 3_000],
  ];
  it.each(cases)("reads %j", (header, respondAsync, waitMs) => {
    expect(parsePrefer(header)).toEqual({ respondAsync, waitMs });
  });

  it("reads several headers as one list", () => {
    const headers = new Headers();
    headers.append("prefer", "wait=2");
    headers.append("prefer", "respond-async");
    expect(parsePrefer(headers.get("prefer"))).toEqual({ respondAsync: true, waitMs: 2_000 });
  });

  it("is through with a hostile header at once", () => {
    const from = performance.now();
    for (const length of [2_000, 60_000]) {
      parsePrefer('"\\'.repeat(length / 2));
      parsePrefer(`wait=${" ".repeat(length - 6)}x`);
      parsePrefer('"'.repeat(length));
    }
    expect(performance.now() - from).toBeLessThan(500);
  });
});

describe("preferenceApplied()", () => {
  it.each([
    [{ respondAsync: false, waitMs: undefined }, {}],
    [{ respondAsync: true, waitMs: undefined }, { "preference-applied": "respond-async" }],
    [{ respondAsync: false, waitMs: 300_000 }, { "preference-applied": "wait=300" }],
    [{ respondAsync: true, waitMs: 0 }, { "preference-applied": "respond-async, wait=0" }],
  ])("says %j", (preferences, headers) => {
    expect(preferenceApplied(preferences)).toEqual(headers);
  });
});
