import { describe, expect, test } from "vitest";
import type { DispatchPorts } from "../../dispatch/dispatch.ts";
import type { Scope } from "../../model/scope.ts";
import { subscriptionOf } from "./_fixture.test-util.ts";
import { tryOut } from "./try-out.ts";

const STARTED = new Error("it was started");

const resolve = async () => Promise.reject(STARTED);

function tried(row: Record<string, unknown>, scopes: Scope[]) {
  const dispatch = { registry: { resolve }, now: () => 0 } as unknown as DispatchPorts;
  const subscription = async () => subscriptionOf(row);
  return tryOut("tell", { id: "tok", name: "tok", scopes }, { subscription, dispatch, now: () => 0 });
}

describe("tryOut()", () => {
  test.each<[string, Record<string, unknown>, Scope[]]>([
    ["secrets", { unsigned: false, secrets: ["key"] }, ["registry:write", "ops:invoke"]],
    ["rights", { operation: "pay", scopes: ["ops:invoke:payments"] }, ["registry:write", "secrets:use"]],
  ])("lends nobody its %s", async (_, row, scopes) => {
    await expect(tried(row, scopes)).rejects.toMatchObject({ code: "forbidden" });
  });

  test.each<[string, Record<string, unknown>, Scope[]]>([
    ["its secrets", { unsigned: false, secrets: ["key"] }, ["secrets:use"]],
    ["its rights", { operation: "pay", scopes: ["ops:invoke:payments"] }, ["ops:invoke"]],
    ["nothing, where it lends nothing", {}, []],
  ])("is for who has %s", async (_, row, scopes) => {
    await expect(tried(row, scopes)).rejects.toBe(STARTED);
  });
});
