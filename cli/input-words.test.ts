import { describe, expect, test } from "vitest";
import { parseAssignment } from "./assignments.ts";
import type { Schema } from "./input-type.ts";
import { readInput } from "./input-words.ts";

const read = (words: string[], schema: Schema): unknown => readInput(words.map(parseAssignment), schema);
const withType = (property: unknown): Schema => ({ type: "object", properties: { k: property } });

describe("readInput()", () => {
  test.each([
    ["string", { type: "string" }, "12", "12"],
    ["a string that may be null", { type: ["string", "null"] }, "null", "null"],
    ["a string or null by anyOf", { anyOf: [{ type: "string" }, { type: "null" }] }, "x=y", "x=y"],
    ["an enum of strings", { enum: ["1", "2"] }, "1", "1"],
    ["a const string", { const: "a" }, "a", "a"],
    ["a reference to a string", { $ref: "#/$defs/s" }, "5", "5"],
    ["an integer", { type: "integer" }, "12", 12],
    ["string or integer: JSON decides", { type: ["string", "integer"] }, "12", 12],
    ["an object", { type: "object" }, '{"op":"$eq","value":"x"}', { op: "$eq", value: "x" }],
    ["string or object: JSON decides", { anyOf: [{ type: "string" }, { type: "object" }] }, '{"a":1}', { a: 1 }],
    ["anything", true, "true", true],
  ])("reads %s", (_, property, text, value) => {
    const schema = { ...(withType(property) as object), $defs: { s: { type: "string" } } };
    expect(read([`k=${text}`], schema)).toEqual({ k: value });
  });

  test("looks through allOf, a root reference, and additionalProperties", () => {
    const text = { type: "string" };
    expect(read(["k=1"], { allOf: [withType(text)] })).toEqual({ k: "1" });
    expect(read(["k=1"], { $ref: "#/$defs/in", $defs: { in: withType(text) } })).toEqual({ k: "1" });
    expect(read(["k=1"], { type: "object", additionalProperties: text })).toEqual({ k: "1" });
  });

  test("a type that refers to itself ends", () => {
    expect(read(["k=1"], { allOf: [{ $ref: "#" }] })).toEqual({ k: 1 });
  });

  test(":= is JSON even where the type says string", () => {
    expect(read(["k:=1", 's:="x"'], withType({ type: "string" }))).toEqual({ k: 1, s: "x" });
  });

  test("a text that is not JSON is refused with the way to quote it", () => {
    expect(() => read(["k=hi"], withType(true))).toThrow(
      expect.objectContaining({ code: "usage", hint: expect.stringContaining(`'k:="hi"'`) }),
    );
  });

  test("where the type takes no text, the hint shows what it takes", () => {
    expect(() => read(["k=a,b"], withType({ type: "array" }))).toThrow(
      expect.objectContaining({
        message: expect.stringContaining("says array"),
        hint: expect.stringContaining("'k=["),
      }),
    );
  });

  test("a mistyped member is said with the nearest", () => {
    expect(() => read(["input_st=hi"], { properties: { input_str: { type: "string" } } })).toThrow(
      expect.objectContaining({ hint: 'Did you mean "input_str"?' }),
    );
  });

  test.each([["k=1", "k=2"], ["novalue"], ["=x"], ['{"a":1}']])("refuses %j", (...words) => {
    expect(() => read(words, true)).toThrow(expect.objectContaining({ code: "usage" }));
  });

  test("__proto__ is only a member", () => {
    expect(Object.keys(read(["__proto__:={}"], true) as object)).toEqual(["__proto__"]);
  });
});
