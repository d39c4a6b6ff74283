import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { issuesOf } from "./issues.ts";
import { ServiceSchema } from "./services.ts";
import { RequirementSchema } from "./state-machines.ts";

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

  it.each<[object, string, string]>([
    [{ run: { process: { command: "serve" } } }, "/run/process/command", 'must be Array; it is "serve"'],
    [{ run: { container: { img: "a" } } }, "/run/container/image", "must be there; it is missing"],
    [{ run: { proces: {} } }, "/run", "must be an object with process, container or address"],
  ])("says of %j what is wrong with the form that was meant", (fields, pointer, detail) => {
    const result = v.safeParse(ServiceSchema, { name: "a", environment: "e", ...fields });
    expect(issuesOf(result.issues!, ServiceSchema).issues).toEqual([expect.objectContaining({ pointer, detail })]);
  });

  it.each<[unknown, string, string]>([
    [{ fact: "waiting", op: "gt", value: 0 }, "/op", 'it is "gt"'],
    [{ all: [{ fact: "waitin", op: ">", value: 0 }] }, "/all/0/fact", 'it is "waitin"'],
    [{ fact: "waiting", op: ">", value: "two" }, "/value", "must be a number"],
    [{ not: { fact: "waiting", op: ">" } }, "/not/value", "it is missing"],
    ["waiting > 0", "", "must be an object with fact, operation, expression, all, any or not"],
  ])("says of the requirement %j what is wrong with the form that was meant", (when, pointer, detail) => {
    const result = v.safeParse(RequirementSchema, when);
    expect(issuesOf(result.issues!, RequirementSchema).issues).toEqual([
      expect.objectContaining({ pointer, detail: expect.stringContaining(detail) }),
    ]);
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
