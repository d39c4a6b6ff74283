import { describe, expect, test } from "vitest";
import type { ClosedType } from "../close.ts";
import { pointerFits } from "./pointer-fits.ts";

const closed = (properties: Record<string, unknown>, more: Record<string, unknown> = {}): ClosedType => ({
  type: "object",
  properties,
  additionalProperties: false,
  ...more,
});

describe("pointerFits()", () => {
  test.each<[string, ClosedType, string]>([
    ["the input itself", closed({}), ""],
    ["a member", closed({ a: { type: "string" } }), "/a"],
    ["a member of a member", closed({ a: closed({ b: true }) }), "/a/b"],
    ["any type", true, "/a/b"],
    ["an open type", { type: "object", properties: { a: true } }, "/b"],
    ["a type that says nothing of objects", { minimum: 1 }, "/a"],
    ["a pattern that might match", closed({}, { patternProperties: { "^x": true } }), "/xa"],
    ["members of one type", { type: "object", additionalProperties: closed({ b: true }) }, "/any/b"],
    ["one of several types", { anyOf: [closed({ a: true }), closed({ b: true })] }, "/b"],
    ["a name with a slash and a tilde", closed({ "a/b~c": true }), "/a~1b~0c"],
    ["an item of a list", closed({ a: { type: "array" } }), "/a/0"],
    ["a type by reference", { $ref: "#/$defs/x~1y", $defs: { "x/y": closed({ a: true }) } }, "/a"],
    ["a reference that is none of a schema here", { $ref: "https://example.com/x" }, "/a"],
    ["a type that holds itself", closed({ a: { $ref: "#" } }), "/a/a/a/a"],
    ["an empty choice", { anyOf: [] }, "/a"],
  ])("lets pass: %s", (_what, type, pointer) => {
    expect(pointerFits(type, pointer)).toBe(true);
  });

  test.each<[string, ClosedType, string]>([
    ["another member", closed({ a: true }), "/b"],
    ["a member that objects inherit", closed({ a: true }), "/constructor"],
    ["a member of text", closed({ a: { type: "string" } }), "/a/b"],
    ["a member of text or null", closed({ a: { type: ["string", "null"] } }), "/a/b"],
    ["a member of a closed member", closed({ a: closed({ b: true }) }), "/a/c"],
    ["a member that may never be there", { type: "object", properties: { a: false } }, "/a"],
    ["a name in a list", { type: "array" }, "/a"],
    ["none of several types", { oneOf: [closed({ a: true }), closed({ b: true })] }, "/c"],
    ["one of two that must both hold", { allOf: [closed({ a: true, b: true }), closed({ a: true })] }, "/b"],
    ["a type by reference", { $ref: "#/$defs/x", $defs: { x: closed({ a: true }) } }, "/b"],
    ["members of one type", { type: "object", additionalProperties: closed({ b: true }) }, "/any/c"],
    ["no type at all", false, ""],
  ])("refuses: %s", (_what, type, pointer) => {
    expect(pointerFits(type, pointer)).toBe(false);
  });

  test("gives up on a type that would take for ever, and lets it pass", () => {
    const both = { $ref: "#" };
    const started = performance.now();
    expect(pointerFits({ allOf: [both, both], anyOf: [both, both] }, "/a")).toBe(true);
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});
