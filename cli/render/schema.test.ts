import { describe, expect, test } from "vitest";
import { renderSchema } from "./schema.ts";

describe("renderSchema()", () => {
  test("shows members with type, presence, default and limits", () => {
    const schema = {
      type: "object",
      required: ["input_str"],
      additionalProperties: false,
      properties: {
        input_str: { type: "string", maxLength: 10, description: "What to say." },
        times: { type: "integer", default: 1, minimum: 1 },
        mode: { enum: ["a", "b"] },
      },
    };
    expect(renderSchema(schema).split("\n")).toEqual([
      "  object, nothing else",
      "  input_str  string, at most 10 characters — What to say.",
      "  times      integer, optional, default 1, ≥ 1",
      '  mode       "a" | "b", optional',
    ]);
  });

  test("goes into nested objects, lists and references", () => {
    const schema = {
      type: "object",
      properties: { list: { type: "array", items: { $ref: "#/$defs/item" } } },
      $defs: { item: { type: "object", properties: { id: { type: "string" } }, required: ["id"] } },
    };
    expect(renderSchema(schema)).toBe("  object\n  list     list of object, optional\n    [].id  string");
  });

  test("a type that contains itself ends", () => {
    const schema = {
      $ref: "#/$defs/node",
      $defs: { node: { type: "object", properties: { next: { $ref: "#/$defs/node" } } } },
    };
    expect(renderSchema(schema).split("\n").length).toBeLessThan(10);
  });

  test("leaves no keyword out", () => {
    expect(renderSchema({ type: "array", uniqueItems: true, not: { const: 1 } })).toBe(
      '  array, uniqueItems true, not {"const":1}',
    );
  });

  test.each([
    [true, "  any"],
    [false, "  nothing fits"],
    [{ type: ["string", "null"] }, "  string | null"],
    [{ anyOf: [{ type: "string" }, { type: "null" }] }, "  string | null"],
  ])("shows %j", (schema, text) => {
    expect(renderSchema(schema)).toBe(text);
  });
});
