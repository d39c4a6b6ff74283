import { describe, expect, test } from "vitest";
import { boundedError } from "./bounded-error.ts";
import type { ErrorData } from "./errors.ts";

describe("boundedError()", () => {
  test("leaves an error as it is that a row can hold", () => {
    const error: ErrorData = {
      code: "output_invalid",
      detail: "no",
      hint: "do",
      errors: [{ pointer: "/a", keyword: "type", detail: "is none" }],
      after_ms: 3,
    };
    expect(boundedError(error)).toEqual(error);
    expect(boundedError({ code: "timeout", detail: "late" })).toEqual({ code: "timeout", detail: "late" });
  });

  test("bounds every text of it, and their number", () => {
    const long = "k".repeat(1_000_000);
    const errors = Array.from({ length: 1_000 }, () => ({ pointer: long, keyword: long, detail: long }));
    const bounded = boundedError({ code: "output_invalid", detail: long, hint: long, errors });
    expect(JSON.stringify(bounded).length).toBeLessThan(15_000);
    expect(bounded.errors?.[0]?.pointer).toMatch(/^kkk/);
  });
});
