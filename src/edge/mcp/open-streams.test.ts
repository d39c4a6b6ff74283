import { expect, test } from "vitest";
import { OpenStreams } from "./open-streams.ts";

test("OpenStreams counts those that left no more, nor those that were not seen for a minute", () => {
  const clock = { now: 0 };
  const streams = new OpenStreams(2, () => clock.now);
  const first = streams.enter();
  const second = streams.enter();
  expect(() => streams.enter()).toThrow("at most 2 are open here at once");
  first.left();
  streams.enter();
  clock.now = 40_000;
  second.seen();
  clock.now = 61_000;
  // The third was not seen since.
  streams.enter();
  expect(() => streams.enter()).toThrow("Cannot open another stream");
  clock.now = 101_000;
  streams.enter();
});
