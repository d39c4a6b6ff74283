import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { subscriptionOf } from "./_fixture.test-util.ts";
import { createWanted } from "./wanted.ts";

const operation = { name: "charge", group: "shop" };
const caller = { type: "token", id: "tok" } as const;
const ALL = ["succeeded", "failed", "dead", "cancelled", "expired"];

describe("createWanted()", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("answers at once from what is known", () => {
    const rows = [subscriptionOf({ on: ["dead"] })];
    const wanted = createWanted({ known: () => rows, subscriptions: () => Promise.reject(new Error()), now: Date.now });
    expect(wanted(operation, caller)).toEqual({ group: "shop", on: ["dead"] });
    expect(wanted({ name: "deliver_event", group: "registry" }, caller)).toBeUndefined();
  });

  test("asks where nothing is known yet", async () => {
    const ask = vi.fn(async () => [subscriptionOf({ on: ["dead"] })]);
    const wanted = createWanted({ known: () => undefined, subscriptions: ask, now: Date.now });
    expect(await wanted(operation, caller)).toEqual({ group: "shop", on: ["dead"] });
  });

  test("notes every end while the registry fails, and does not ask it for each", async () => {
    const ask = vi.fn(() => Promise.reject(new Error("no registry")));
    const wanted = createWanted({ known: () => undefined, subscriptions: ask, now: Date.now });
    expect(await wanted(operation, caller)).toEqual({ group: "shop", on: ALL });
    expect(await wanted(operation, caller)).toEqual({ group: "shop", on: ALL });
    expect(ask).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(250);
    await wanted(operation, caller);
    expect(ask).toHaveBeenCalledTimes(2);
  });

  test("waits a quarter of a second for a registry that is silent", async () => {
    const wanted = createWanted({
      known: () => undefined,
      subscriptions: () => new Promise(() => undefined),
      now: Date.now,
    });
    const answer = wanted(operation, caller);
    await vi.advanceTimersByTimeAsync(250);
    expect(await answer).toEqual({ group: "shop", on: ALL });
  });
});
