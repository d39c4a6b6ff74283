import { expect, test } from "vitest";
import { parseDuration } from "./duration.ts";

test.each([
  ["500", 500],
  ["500ms", 500],
  ["1.5s", 1500],
  ["2m", 120_000],
  ["30d", 2_592_000_000],
])("parseDuration() reads %s", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([["0"], ["-1s"], ["soon"], ["1w"], [""]])('parseDuration() refuses "%s"', (text) => {
  expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: "usage" }));
});
