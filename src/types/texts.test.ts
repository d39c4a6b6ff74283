import { describe, expect, it } from "vitest";
import { takesMany, textReader } from "./texts.ts";

const NODE = { type: "object", properties: { next: { $ref: "#" } } };

describe("textReader()", () => {
  it.each<[string, unknown, string[], unknown]>([
    ["a string, verbatim", { type: "string" }, ["007"], "007"],
    ["a string that may be null", { type: ["string", "null"] }, ["null"], "null"],
    ["anything", true, ["1"], "1"],
    ["an integer", { type: "integer" }, ["-12"], -12],
    ["a whole number with a point", { type: "integer" }, ["1.0"], 1],
    ["a number", { type: "number" }, ["1e-3"], 0.001],
    ["a number that is large", { type: "number" }, ["1.5e300"], 1.5e300],
    ["a boolean", { type: "boolean" }, ["false"], false],
    ["null", { type: ["integer", "null"] }, ["null"], null],
    ["an enumeration of several types", { enum: [1, "1", null, "a"] }, ["1"], "1"],
    ["an enumeration without that string", { enum: [1, null, "a"] }, ["1"], 1],
    ["a number or a word", { anyOf: [{ type: "integer" }, { const: "all" }] }, ["5"], 5],
    ["a word or a number", { anyOf: [{ type: "integer" }, { const: "all" }] }, ["all"], "all"],
    ["a type of its own", { $ref: "#/$defs/count" }, ["5"], 5],
    ["an intersection", { allOf: [{ type: ["string", "integer"] }, { type: "number" }] }, ["5"], 5],
    ["an enumeration that its type narrows", { type: "integer", enum: [1, "1"] }, ["1"], 1],
    ["a list", { type: "array", items: { type: "integer" } }, ["1", "2"], [1, 2]],
    ["a list of one", { type: "array", items: { type: "integer" } }, ["1"], [1]],
    [
      "a list by place",
      { type: "array", prefixItems: [{ type: "integer" }], items: { type: "boolean" } },
      ["1", "true"],
      [1, true],
    ],
    ["one or many", { type: ["array", "string"] }, ["a"], "a"],
    ["many or one", { type: ["array", "string"] }, ["a", "b"], ["a", "b"]],
    ["an object", { type: "object" }, ['{"a":1}'], { a: 1 }],
    ["itself", { $ref: "#" }, ["{}"], {}],
  ])("reads %s", (_what, property, texts, value) => {
    const root = { type: "object", properties: { p: property }, $defs: { count: { type: "integer" } } };
    expect(textReader(root as never)("p", texts)).toEqual(value);
  });

  it.each<[unknown, string]>([
    [{ type: "integer" }, ""],
    [{ type: "integer" }, " 1"],
    [{ type: "integer" }, "+1"],
    [{ type: "integer" }, "01"],
    [{ type: "integer" }, "0x10"],
    [{ type: "integer" }, "1_000"],
    [{ type: "integer" }, "9007199254740993"],
    [{ type: "number" }, "1e999"],
    [{ type: "number" }, "NaN"],
    [{ type: "boolean" }, "TRUE"],
    [{ type: "boolean" }, "1"],
    [{ type: "null" }, ""],
    [{ type: "object" }, "{"],
    [{ type: "object" }, "[]"],
    [{ const: 1 }, "2"],
    [false, "x"],
  ])("leaves %j %j a text, for the check to refuse", (property, text) => {
    expect(textReader({ properties: { p: property } })("p", [text])).toBe(text);
  });

  it("refuses an object that parsers disagree on", () => {
    const read = textReader({ properties: { p: { type: "object" } } });
    expect(() => read("p", ['{"a":1,"a":2}'])).toThrow(/"a" is there twice/);
  });

  it("reads what no property names as additionalProperties says", () => {
    expect(textReader({ additionalProperties: { type: "integer" } })("x", ["1"])).toBe(1);
    expect(textReader({ properties: {} })("x", ["1"])).toBe("1");
    expect(textReader({ anyOf: [{ properties: { a: { type: "integer" } } }, true] })("a", ["1"])).toBe(1);
  });

  it("ends with a type that refers to itself without end", () => {
    expect(textReader({ $ref: "#" })("p", ["1"])).toBe("1");
    expect(textReader({ ...NODE, allOf: [{ $ref: "#" }, { $ref: "#" }] })("next", ["{}"])).toEqual({});
  });
});

it("takesMany() says what a list is", () => {
  const type = { properties: { a: { type: "array" }, b: { type: "string" }, c: true } };
  expect(["a", "b", "c"].map((name) => takesMany(type, name))).toEqual([true, false, true]);
});
