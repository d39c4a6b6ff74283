import { describe, expect, it } from "vitest";
import { Capabilities } from "./capability.ts";
import { Tickets } from "./ticket.ts";

describe("Tickets", () => {
  it("verify() takes what sign() made, which is always the same text", async () => {
    const tickets = new Tickets("key", () => 0);
    const text = await tickets.sign("sy-00-1", 1_000);
    expect(text).toBe(await new Tickets("key", () => 500).sign("sy-00-1", 1_000));
    await tickets.verify(text, "sy-00-1");
  });

  it("verify() refuses another job's, another key's, a changed one, and a capability", async () => {
    const tickets = new Tickets("key", () => 0);
    const text = await tickets.sign("sy-00-1", 1_000);
    const [prefix, payload, signature] = text.split(".") as [string, string, string];
    const later = btoa(JSON.stringify({ j: "sy-00-1", e: 9e15 })).replaceAll("=", "");
    const capability = await new Capabilities("key", () => 0).issue("p", 1);
    for (const forged of [
      await tickets.sign("sy-00-2", 1_000),
      await new Tickets("other", () => 0).sign("sy-00-1", 1_000),
      [prefix, later, signature].join("."),
      [
        prefix,
        payload,
        `A${signature.slice(1)}` === signature ? `B${signature.slice(1)}` : `A${signature.slice(1)}`,
      ].join("."),
      [prefix, payload].join("."),
      ["syc", payload, signature].join("."),
      capability,
      capability.replace("syc.", "syj."),
      "",
    ]) {
      await expect(tickets.verify(forged, "sy-00-1"), forged).rejects.toMatchObject({ code: "token_unknown" });
    }
  });

  it("is no capability", async () => {
    const text = await new Tickets("key", () => 0).sign("sy-00-1", 1_000);
    const verified = new Capabilities("key", () => 0).verify(text.replace("syj.", "syc."));
    await expect(verified).rejects.toMatchObject({ code: "token_unknown" });
  });

  it("verify() refuses one that has ended", async () => {
    const tickets = new Tickets("key", () => 1_001);
    const text = await tickets.sign("sy-00-1", 1_000);
    await expect(tickets.verify(text, "sy-00-1")).rejects.toMatchObject({ code: "token_expired" });
  });
});
