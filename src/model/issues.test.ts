import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { issuesOf } from "./issues.ts";

const schema = v.strictObject({ name: v.string(), timeout_ms: v.optional(v.pipe(v.number(), v.minValue(1))) });

function found(value: unknown): ReturnType<typeof issuesOf> {
  const result = v.safeParse(schema, value);
  if (result.success) throw new Error("It fits.");
  return issuesOf(result.issues, schema);
}

describe("issuesOf()", () => {
  it.each([
    [{}, "/name", "must be there; it is missing"],
    [{ name: 1 }, "/name", "must be string; it is 1"],
    [{ name: "a", timeout_ms: "1s" }, "/timeout_ms", 'must be number; it is "1s"'],
    [{ name: "a", "x/y": 1 }, "/x~1y", "there is no such field"],
  ])("says of %j what is wrong and where", (value, pointer, detail) => {
    expect(found(value).issues).toEqual([expect.objectContaining({ pointer, detail })]);
  });

  it.each([
    ["timeout", 'Did you mean "timeout_ms"?'],
    ["nam", 'Did you mean "name"?'],
    ["something", "The fields are name, timeout_ms."],
  ])("hints what %s may have meant", (field, hint) => {
    expect(found({ name: "a", [field]: 1 }).hint).toBe(hint);
  });

  it("hints at nothing when the value is what is wrong", () => {
    expect(found({ name: "a", timeout_ms: 0 }).hint).toBeUndefined();
  });
});
