import { describe, expect, test } from "vitest";
import { mergePatch } from "../src/registry/merge-patch.ts";
import { diffPatch } from "./merge-patch.ts";

describe("diffPatch()", () => {
  test.each([
    ["equal but for key order", { a: { x: 1, y: 2 } }, { a: { y: 2, x: 1 } }, {}],
    ["a changed field", { a: 1, b: 2 }, { a: 1, b: 3 }, { b: 3 }],
    ["a nested field", { a: { x: 1, y: 2 } }, { a: { x: 1, y: 3 } }, { a: { y: 3 } }],
    ["a removed field", { a: 1, b: { x: 1, y: 1 } }, { b: { y: 1 } }, { a: null, b: { x: null } }],
    ["a list is replaced", { a: [1, null] }, { a: [null] }, { a: [null] }],
    ["null on top", { a: "t" }, { a: null }, { a: null }],
    ["a nested null cannot be said", { a: { x: 1 } }, { a: { x: null } }, undefined],
    ["a new object with a null inside cannot be said", { a: 1 }, { a: { b: { x: null } } }, undefined],
  ])("%s", (_, before, after, patch) => {
    expect(diffPatch(before, after)).toEqual(patch);
    // What it says is what the registry's own merge makes of it, up to a top-level null.
    if (patch !== undefined) expect(withoutNulls(mergePatch(before, patch))).toEqual(withoutNulls(after));
  });
});

function withoutNulls(value: unknown): unknown {
  return Object.fromEntries(Object.entries(value as object).filter(([, member]) => member !== null));
}
