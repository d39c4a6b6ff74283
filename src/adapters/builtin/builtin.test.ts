import { describe, expect, it } from "vitest";
import { callOf } from "../../../test/contracts/adapter/call-of.ts";
import { describeAdapter } from "../../../test/contracts/adapter/in-process.ts";
import { builtinAdapter } from "./builtin.ts";

const own = { kind: "builtin", function: "list_type" } as const;

describeAdapter("builtin", {
  adapter: (implemented) =>
    builtinAdapter(async (_name, { inputValue }) => ({
      ok: true,
      output: JSON.stringify(await implemented(inputValue)),
      logs: [],
    })),
  own,
  foreign: { kind: "module", sha256: "a".repeat(64), export: "handler", language: "javascript" },
});

describe("builtinAdapter()", () => {
  it("runs the function by its own name, whatever the row is called, as the caller", async () => {
    const call = callOf(own, { limit: 1 });
    const asked: unknown[] = [];
    const adapter = builtinAdapter(async (...all) => {
      asked.push(all);
      return { ok: true, output: "null", logs: [] };
    });
    await adapter.invoke(call);
    expect(asked).toEqual([["list_type", call]]);
  });
});
