import { describe, expect, it } from "vitest";
import { Capabilities, isCapability } from "./capability.ts";

const MINUTE = 60_000;

describe("Capabilities", () => {
  it("verify() gives back what issue() was told", async () => {
    const capabilities = new Capabilities("key", () => 0);
    const text = await capabilities.issue("principal", 3);
    expect(isCapability(text)).toBe(true);
    expect(await capabilities.verify(text)).toEqual({ principalId: "principal", depth: 3 });
  });

  it("issue() signs once a minute for each principal and depth", async () => {
    let now = 0;
    const capabilities = new Capabilities("key", () => now);
    const first = await capabilities.issue("a", 1);
    expect(capabilities.issue("a", 1)).toBe(first);
    expect(await capabilities.issue("a", 2)).not.toBe(first);
    expect(await capabilities.issue("b", 1)).not.toBe(first);
    now = MINUTE;
    expect(await capabilities.issue("a", 1)).not.toBe(first);
  });

  it("verify() refuses another key's, a changed and a damaged one", async () => {
    const capabilities = new Capabilities("key", () => 0);
    const text = await capabilities.issue("principal", 1);
    const [prefix, payload, signature] = text.split(".") as [string, string, string];
    const deeper = btoa(JSON.stringify({ p: "admin", d: 0, e: 9e15 })).replaceAll("=", "");
    for (const forged of [
      await new Capabilities("other", () => 0).issue("principal", 1),
      [prefix, deeper, signature].join("."),
      [prefix, payload, `${signature.slice(0, -2)}AA`].join("."),
      [prefix, payload].join("."),
      [prefix, payload, signature, "more"].join("."),
      `${prefix}.${payload}.!!!`,
      `${prefix}.`,
    ]) {
      await expect(capabilities.verify(forged), forged).rejects.toMatchObject({ code: "token_unknown" });
    }
  });

  it("verify() refuses one that has ended", async () => {
    let now = 0;
    const capabilities = new Capabilities("key", () => now);
    const text = await capabilities.issue("principal", 1);
    now = 16 * MINUTE;
    expect(await capabilities.verify(text)).toMatchObject({ depth: 1 });
    now = 18 * MINUTE;
    await expect(capabilities.verify(text)).rejects.toMatchObject({ code: "token_expired" });
  });
});
