import { describe, expect, it } from "vitest";
import { docComment, typeText, type TypeScope } from "./type-text.ts";

const DEFINITIONS: Record<string, Record<string, unknown>> = {
  "#/node": { type: "object", properties: { next: { $ref: "#/node" } } },
  "#/loop": { anyOf: [{ $ref: "#/loop" }, { type: "string" }] },
  "#/a": { allOf: [{ $ref: "#/b" }] },
  "#/b": { $ref: "#/a" },
  "#/list": { type: ["array", "string"], items: { $ref: "#/list" } },
};
const SCOPE: TypeScope = {
  resolve: (reference) => DEFINITIONS[reference],
  nameOf: (reference) => reference.slice(2).toUpperCase(),
};

describe("typeText()", () => {
  it.each<[string, unknown, string]>([
    ["anything", true, "unknown"],
    ["nothing", false, "never"],
    ["an empty schema", {}, "unknown"],
    ["limits alone", { minimum: 1, pattern: "x", format: "date" }, "unknown"],
    ["numbers", { type: "integer", minimum: 1 }, "number"],
    ["several types", { type: ["string", "null"] }, "string | null"],
    ["a constant", { const: "it's" }, `"it's"`],
    [
      "a structured constant",
      { const: { a: [1, null], "b-c": {} } },
      '{ a: [1, null]; "b-c": { [key: string]: never } }',
    ],
    ["an enumeration", { type: "string", enum: ["a", 'b"', "a"] }, '"a" | "b\\""'],
    ["a list", { type: "array", items: { type: ["string", "number"] } }, "Array<string | number>"],
    ["a list of anything", { type: "array" }, "Array<unknown>"],
    [
      "a tuple",
      { type: "array", prefixItems: [{ type: "string" }, { type: "number" }], items: false, minItems: 2 },
      "[string, number]",
    ],
    [
      "a tuple that may end early",
      { prefixItems: [{ type: "string" }, { type: "null" }], minItems: 1, maxItems: 2 },
      "[string, (null)?]",
    ],
    ["a tuple that goes on", { prefixItems: [{ const: 1 }], items: { type: "boolean" } }, "[(1)?, ...Array<boolean>]"],
    [
      "an object",
      { type: "object", properties: { a: { type: "string" }, "b c": true }, required: ["a"] },
      '{\n  a: string;\n  "b c"?: unknown;\n}',
    ],
    ["any object", { type: "object" }, "{ [key: string]: unknown }"],
    ["no member", { type: "object", additionalProperties: false }, "{ [key: string]: never }"],
    ["a map", { type: "object", additionalProperties: { type: "number" } }, "{\n  [key: string]: number;\n}"],
    [
      "a map with names",
      { type: "object", properties: { a: { type: "string" } }, additionalProperties: { type: "number" } },
      "{\n  a?: string;\n  [key: string]: unknown;\n}",
    ],
    ["a member that is only required", { properties: {}, required: ["x"] }, "{\n  x: unknown;\n}"],
    ["a member that changes prototypes", { properties: { ["__proto__"]: true } }, "{\n  __proto__?: unknown;\n}"],
    [
      "alternatives",
      { anyOf: [{ type: "string" }, { type: "object", properties: { a: true } }] },
      "string | (;{\n  a?: unknown;\n})".replace(";", ""),
    ],
    [
      "an intersection",
      { allOf: [{ $ref: "#/node" }, { type: "object", properties: { x: { type: "null" } } }] },
      "(NODE) & ({\n  x?: null;\n})",
    ],
    [
      "members beside alternatives",
      { type: "object", oneOf: [{ required: ["a"] }, { required: ["b"] }] },
      "{ [key: string]: unknown }",
    ],
    ["a reference with something beside", { $ref: "#/node", description: "x" }, "NODE"],
    ["a reference that leads nowhere", { $ref: "#/no*/where" }, "unknown /* #/no*\\/where */"],
    [
      "what only JSON Schema can say",
      { not: { type: "null" } },
      "unknown /* and more, in words of JSON Schema: not */",
    ],
    ["a type with more to it", { type: "string", if: true }, "string /* and more, in words of JSON Schema: if */"],
  ])("of %s", (_what, schema, text) => {
    expect(typeText(schema, SCOPE)).toBe(text);
  });

  it("tells apart what refers to itself by way of an object, and what by nothing", () => {
    expect(typeText(DEFINITIONS["#/node"], SCOPE, ["#/node"])).toBe("{\n  next?: NODE;\n}");
    expect(typeText(DEFINITIONS["#/list"], SCOPE, ["#/list"])).toBe("Array<LIST> | string");
    expect(typeText(DEFINITIONS["#/loop"], SCOPE, ["#/loop"])).toContain("unknown");
    expect(typeText(DEFINITIONS["#/a"], SCOPE, ["#/a"])).toBe("unknown /* refers to itself */");
  });
});

it("docComment() ends where it says", () => {
  expect(docComment("a */ b")).toBe("/** a *\\/ b */\n");
  expect(docComment("a\nb\u2028c")).toBe("/**\n * a\n * b\n * c\n */\n");
  expect(docComment("")).toBe("");
});
