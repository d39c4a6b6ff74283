import { expect, test } from "vitest";
import { ClockWatch } from "./clock-watch.ts";

const HOUR = 3_600_000;

test.each([
  ["goes on", [5_000, 10_100, 15_050], [undefined, undefined, undefined]],
  ["is looked at late", [5_000, 14_000, 19_000], [undefined, undefined, undefined]],
  ["is put forward", [5_000, HOUR, HOUR + 5_000], [undefined, 10_000, undefined]],
  ["is put back", [5_000, 10_000 - HOUR, 15_000 - HOUR], [undefined, 10_000, undefined]],
])("a clock that %s", (_what, looks, seen) => {
  const watch = new ClockWatch(5_000, 0);
  expect(looks.map((now) => watch.look(now))).toEqual(seen);
});
