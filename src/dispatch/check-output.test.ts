import { describe, expect, it } from "vitest";
import type { ResolvedOperation } from "../model/resolved.ts";
import { checkOutput } from "./check-output.ts";

/** Whose check must not be reached. */
const operation = {
  name: "op",
  output: {
    any: false,
    schema: true,
    check: () => {
      throw new Error("checked");
    },
  },
} as unknown as ResolvedOperation;
const answer = (output: string) => ({ ok: true, output, logs: [] }) as const;

describe("checkOutput()", () => {
  it("refuses more values than the limit before it checks any", () => {
    const many = `[${"1,".repeat(100_000)}1]`;
    expect(checkOutput(operation, answer(many))).toMatchObject({
      ok: false,
      error: { code: "output_too_large", detail: expect.stringContaining("at most 100000 values") },
    });
    expect(() => checkOutput(operation, answer(`[${"1,".repeat(99_000)}1]`))).toThrow("checked");
  });

  it("takes what is not JSON for a failure of the implementation", () => {
    expect(checkOutput(operation, answer("{"))).toMatchObject({ ok: false, error: { code: "output_not_json" } });
  });
});
