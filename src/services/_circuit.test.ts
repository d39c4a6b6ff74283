/** When a replica counts as broken, and when it is tried again. */
import { expect, it } from "vitest";
import type { Left } from "../adapters/service/port.ts";
import { Circuit } from "./_circuit.ts";

function after(...hows: Left[]): Circuit {
  const circuit = new Circuit();
  for (const how of hows) circuit.end(how, { now: 0, decides: circuit.begin(0) });
  return circuit;
}
const times = (count: number, ...hows: Left[]): Left[] => Array.from({ length: count }, () => hows).flat();

it.each<[string, Left[], string | undefined]>([
  ["four failures in a row", times(4, "failed"), undefined],
  ["five failures in a row", times(5, "failed"), "5 requests in a row have failed"],
  ["four, an answer, four", [...times(4, "failed"), "answered", ...times(4, "failed")], undefined],
  ["cancelled ones between", [...times(4, "failed"), "cancelled", "failed"], "5 requests in a row have failed"],
  ["cancelled ones alone", times(50, "cancelled"), undefined],
  ["nobody there", ["not_sent"], "nobody takes connections there"],
  ["half of twenty", times(10, "failed", "answered"), undefined],
  [
    "more than half of twenty",
    [...times(6, "failed", "answered", "failed"), "failed", "failed"],
    "14 of 20 requests have failed",
  ],
  ["two thirds of nineteen", times(6, "failed", "failed", "answered"), undefined],
])("a circuit after %s", (_what, hows, reason) => {
  const circuit = after(...hows);
  expect([circuit.state(0), circuit.reason]).toEqual([reason === undefined ? "closed" : "open", reason]);
});

it("a circuit forgets what is longer ago than ten seconds", () => {
  const circuit = after(...times(4, "failed", "failed", "answered"), "failed");
  for (let count = 0; count < 10; count++) {
    circuit.end("failed", { now: 10_000, decides: false });
    circuit.end("answered", { now: 10_000, decides: false });
  }
  expect(circuit.state(10_000)).toBe("closed");
});

it("a circuit opens for a second, twice as long after each failed trial, at most half a minute; one trial at a time", () => {
  const circuit = after("not_sent");
  let now = 0;
  for (const ms of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
    expect(circuit.state(now + ms - 1)).toBe("open");
    now += ms;
    expect(circuit.state(now)).toBe("trial");
    const decides = circuit.begin(now);
    expect([decides, circuit.state(now)]).toEqual([true, "open"]);
    circuit.end("failed", { now, decides });
  }
  now += 30_000;
  circuit.end("answered", { now, decides: circuit.begin(now) });
  expect([circuit.state(now), circuit.reason]).toEqual(["closed", undefined]);
  // And begins from one second again.
  circuit.end("not_sent", { now, decides: circuit.begin(now) });
  expect(circuit.state(now + 1_000)).toBe("trial");
});

it("a circuit is closed by no answer that was under way when it opened, and by one that was asked in spite of it", () => {
  const circuit = new Circuit();
  const before = circuit.begin(0);
  circuit.end("not_sent", { now: 0, decides: circuit.begin(0) });
  circuit.end("answered", { now: 10, decides: before });
  expect(circuit.state(10)).toBe("open");
  circuit.end("failed", { now: 20, decides: circuit.begin(20) });
  expect(circuit.state(1_000)).toBe("trial");
  circuit.end("answered", { now: 1_000, decides: circuit.begin(1_000) });
  expect(circuit.state(1_000)).toBe("closed");
});

it("a trial that is cancelled or never heard of again keeps no later one from trying", () => {
  const circuit = after("not_sent");
  circuit.end("cancelled", { now: 1_000, decides: circuit.begin(1_000) });
  expect(circuit.state(1_000)).toBe("trial");
  circuit.begin(1_000);
  expect(circuit.state(30_999)).toBe("open");
  expect(circuit.state(31_000)).toBe("trial");
});
