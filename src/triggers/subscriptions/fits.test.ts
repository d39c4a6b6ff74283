import { describe, expect, test } from "vitest";
import { LIMITS } from "../../core/limits.ts";
import { subscriptionOf } from "./_fixture.test-util.ts";
import { fits, wantedEnds, type Ended } from "./fits.ts";

const token = { type: "token", id: "tok" } as const;
const ended: Ended = { operation: "charge", group: "shop", status: "succeeded", caller: token, depth: 0 };
const delivery: Ended = { ...ended, operation: "deliver_event", group: "registry" };

describe("fits()", () => {
  test.each<[string, Record<string, unknown>, Partial<Ended>, boolean]>([
    ["of all, when none is named", {}, {}, true],
    ["of one that is named", { operations: ["refund", "charge"] }, {}, true],
    ["of one in a group that is named", { operations: ["refund"], groups: ["shop"] }, {}, true],
    ["not of another", { operations: ["refund"], groups: ["other"] }, {}, false],
    ["of an end that is asked for", { on: ["dead"] }, { status: "dead" }, true],
    ["not of another end", { on: ["dead"] }, {}, false],
    ["not while it is switched off", { active: false }, {}, false],
    ["not of what it started itself", {}, { caller: { type: "subscription", id: "tell" } }, false],
    ["of what another subscription started", {}, { caller: { type: "subscription", id: "other" } }, true],
    ["of what a token of the same name started", {}, { caller: { type: "token", id: "tell" } }, true],
    ["as deep as calls go", {}, { depth: LIMITS.callDepth }, true],
  ])("is told %s", (_, row, change, told) => {
    expect(fits(subscriptionOf(row), { ...ended, ...change })).toBe(told);
  });

  test.each<[string, Record<string, unknown>, Partial<Ended>, boolean]>([
    ["not of deliveries, when none is named", {}, {}, false],
    ["not of deliveries by their group", { groups: ["registry"] }, {}, false],
    ["of deliveries that it names", { operations: ["deliver_event"] }, {}, true],
    ["not of its own", { operations: ["deliver_event"] }, { caller: { type: "subscription", id: "tell" } }, false],
    ["not of one as deep as calls go", { operations: ["deliver_event"] }, { depth: LIMITS.callDepth }, false],
  ])("is told %s", (_, row, change, told) => {
    expect(fits(subscriptionOf(row), { ...delivery, ...change })).toBe(told);
  });
});

describe("wantedEnds()", () => {
  const operation = { name: "charge", group: "shop" };

  test("are those of all subscriptions together, and none where there is none", () => {
    const rows = [
      subscriptionOf({ on: ["dead"] }),
      subscriptionOf({ on: ["cancelled", "dead"] }),
      subscriptionOf({ operations: ["refund"] }),
    ];
    expect(wantedEnds(rows, operation, token)).toEqual({ group: "shop", on: ["dead", "cancelled"] });
    expect(wantedEnds(rows.slice(2), operation, token)).toBeUndefined();
    expect(wantedEnds([], operation, token)).toBeUndefined();
  });

  test("are every end of what a schedule started", () => {
    const { on } = wantedEnds([], operation, { type: "schedule", id: "nightly" }) ?? { on: [] };
    expect([...on].toSorted()).toEqual(["cancelled", "dead", "expired", "failed", "succeeded"]);
  });

  test("include every end that fits()", () => {
    for (const row of [{}, { groups: ["shop"], on: ["failed"] }, { operations: ["charge"], on: ["expired", "dead"] }]) {
      const subscription = subscriptionOf(row);
      for (const status of ["succeeded", "failed", "dead", "cancelled", "expired"] as const) {
        const wanted = wantedEnds([subscription], operation, token)?.on.includes(status) === true;
        expect(wanted).toBe(fits(subscription, { ...ended, status }));
      }
    }
  });
});
