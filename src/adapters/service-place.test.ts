import { describe, expect, it } from "vitest";
import { SwitchyardError } from "../core/errors.ts";
import { unstarted } from "./adapter.ts";
import { lookUntil, orRefused, setNames } from "./service-place.ts";

describe("setNames()", () => {
  it.each([
    ["a name", "albums", "r-1"],
    ["the longest", `a${"b".repeat(127)}`, "r-1"],
    ["one that ends where it is cut", `a${"b".repeat(34)}.-${"c".repeat(80)}`, "r-1"],
    ["dots, dashes and underscores", "a._-", "R-1"],
  ])("is a DNS label for %s, with the same beginning for each replica", async (_what, service, replica) => {
    const { prefix, set } = await setNames(service, replica);
    expect(set).toMatch(/^sy-[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/);
    expect(set).not.toContain("--");
    expect(set.length).toBeLessThanOrEqual(63);
    expect(set.startsWith(`${prefix}-`)).toBe(true);
    expect(await setNames(service, replica)).toEqual({ prefix, set });
    expect((await setNames(service, `${replica}x`)).set).not.toBe(set);
  });

  it("keeps apart what is spelt alike", async () => {
    const sets = await Promise.all(["a.b", "a-b", "a_b"].map(async (name) => (await setNames(name, "r")).set));
    expect(new Set(sets).size).toBe(3);
  });
});

const refusal = (thrown: unknown) =>
  thrown === "full" ? unstarted("environment_throttled", "full", { retry: { kind: "after", after_ms: 7 } }) : undefined;

describe("orRefused()", () => {
  it.each([
    ["what the place refused, with its time", "full", { code: "environment_throttled", afterMs: 7 }],
    ["what keeps it from answering", new TypeError("cut"), { code: "environment_unavailable" }],
    ["our own error", new SwitchyardError("secret_unavailable", "x"), { code: "secret_unavailable" }],
  ])("says %s", async (_what, thrown, expected) => {
    await expect(orRefused(Promise.reject(thrown as Error), { name: "e", refusal })).rejects.toMatchObject(expected);
  });
});

describe("lookUntil()", () => {
  it("looks a last time when the time is over", async () => {
    let now = 0;
    const looks: number[] = [];
    const clock = { now: () => now, sleep: async (ms: number) => void (now += ms) };
    const look = async () => void looks.push(now);
    expect(await lookUntil(look, { withinMs: 250, everyMs: 100, clock })).toBeUndefined();
    expect(looks).toEqual([0, 100, 200, 250]);
  });
});
