import { describe, expect, it } from "vitest";
import { firstExecutionIdAt, newExecutionId, randomId, shardOfExecutionId } from "./ids.ts";

describe("newExecutionId()", () => {
  it("carries its shard and sorts by time", () => {
    const ids = [1, 2_000, 3_000_000_000_000].map((time) => newExecutionId(11, time));
    expect(ids.map(shardOfExecutionId)).toEqual([11, 11, 11]);
    expect(ids.toSorted()).toEqual(ids);
  });

  it("lies between the first ids of any times around it, however far", () => {
    const id = newExecutionId(11, Date.parse("2026-11-22T09:00:00Z"));
    const [before = "", after = ""] = ["1900-01-01T00:00:00Z", "9999-12-31T00:00:00Z"].map((time) =>
      firstExecutionIdAt(11, Date.parse(time)),
    );
    expect([before, id, after].toSorted()).toEqual([before, id, after]);
  });

  it("never repeats, beyond many refills of the random pool", () => {
    const ids = new Set(Array.from({ length: 20_000 }, () => randomId(16)));
    expect(ids.size).toBe(20_000);
  });
});

describe("shardOfExecutionId()", () => {
  it.each([
    "",
    "ex_1_x",
    "ex_zz_0000000000000000000000000",
    "ex_00_000000000000000000000000i",
    `${newExecutionId(1, 1)}0`,
  ])("refuses %j", (text) => expect(shardOfExecutionId(text)).toBeUndefined());
});
