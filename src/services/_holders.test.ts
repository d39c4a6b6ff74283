import { describe, expect, test } from "vitest";
import { Holders, SILENCE_MS } from "./_holders.ts";
import type { HolderReport } from "./messages.ts";

const report = (more: Partial<HolderReport> = {}): HolderReport => ({
  holder: "h",
  waiting: 0,
  inFlight: {},
  begun: 0,
  idleMs: 0,
  broken: {},
  ...more,
});
const BORN = 1_000_000;
const OLD = BORN + SILENCE_MS;

describe("Holders", () => {
  test("know nobody to be idle and nothing to be free before old leases are over", () => {
    const holders = new Holders(BORN);
    expect(holders.idleSince(OLD - 1)).toBeUndefined();
    expect(holders.leasedUntil("a")).toBe(OLD);
    expect(holders.idleSince(OLD)).toBe(BORN);
  });

  test.each([
    ["nobody has said anything", [], BORN],
    ["one has been idle for long", [report({ idleMs: 500 })], OLD - 500],
    ["the one that was busy last counts", [report({ idleMs: 500 }), report({ holder: "i", idleMs: 100 })], OLD - 100],
    ["a request waits", [report({ waiting: 1 })], undefined],
    ["a request is under way", [report({ inFlight: { a: 1 } })], undefined],
    ["none of its replicas has any", [report({ inFlight: { a: 0 } })], OLD],
  ])("say since when it idles: %s", (_what, reports, since) => {
    const holders = new Holders(BORN);
    for (const each of reports) holders.heard(each, OLD);
    expect(holders.idleSince(OLD)).toBe(since);
  });

  test("forget who is silent for longer than a lease, but not who waits for an answer", () => {
    const holders = new Holders(BORN);
    holders.heard(report({ waiting: 2, inFlight: { a: 3 } }), OLD);
    holders.heard(report({ holder: "i", waiting: 1 }), OLD);
    holders.asks("i", 1, OLD);
    expect([holders.waiting(OLD), holders.waiting(OLD, "i"), holders.inFlight("a")]).toEqual([3, 2, 3]);
    expect(holders.nextChange()).toBe(OLD + SILENCE_MS);
    const later = OLD + SILENCE_MS;
    expect([holders.waiting(later), holders.inFlight("a")]).toEqual([1, 0]);
    holders.asks("i", -1, later);
    expect(holders.waiting(later + SILENCE_MS)).toBe(0);
    // It was busy when it was heard last.
    expect(holders.idleSince(later + SILENCE_MS)).toBe(later);
  });

  test("believe in a lease for longer than its holder does, and only in the newest", () => {
    const holders = new Holders(BORN);
    holders.lease(["a"], OLD);
    holders.lease(["a"], OLD + 500);
    expect(holders.leasedUntil("a")).toBe(OLD + 500 + SILENCE_MS);
    expect(holders.leasedUntil("b")).toBe(OLD);
  });

  test("count requests over ten seconds, once they have been there for so long", () => {
    const holders = new Holders(BORN);
    holders.heard(report({ begun: 30 }), BORN + 1_000);
    expect(holders.perSecond(BORN + 9_000)).toBeUndefined();
    expect(holders.perSecond(BORN + 10_000)).toBe(3);
    expect(holders.perSecond(BORN + 12_000)).toBe(0);
  });
});
