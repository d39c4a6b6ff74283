import { describe, expect, it } from "vitest";
import { from, none } from "./_refusal.test-util.ts";
import { closeType, compileType, type TypeDefinition } from "./index.ts";

describe("closeType()", () => {
  const types = from({
    address: { attributes: { street: { data_type: "string" }, since: { data_type: "datetime", required: false } } },
    node: { attributes: { label: { data_type: "string" }, next: { data_type: "node", required: false } } },
    loose: { schema: { type: "string", format: "date" } },
    local: { schema: { type: "array", items: { $ref: "#/$defs/x" }, $defs: { x: { type: "integer" } } } },
    anchored: { schema: { $ref: "#n", $defs: { x: { $anchor: "n", type: "integer" } } } },
    identified: { schema: { $id: "https://x.example/i", $ref: "#/$defs/x", $defs: { x: { type: "integer" } } } },
  });

  it("leaves a type that names none as it is", () => {
    expect(closeType({ type: "string" }, types)).toEqual({ schema: { type: "string" }, names: [] });
  });

  it("puts named types under $defs, with the formats each asserts", () => {
    const { schema, names } = closeType(
      {
        type: "object",
        properties: { home: { $ref: "type:address" }, day: { $ref: "type:loose" } },
        $defs: { address: {} },
      },
      types,
    );
    expect(names).toEqual(["address", "loose"]);
    expect(schema).toMatchObject({
      properties: { home: { $ref: "#/$defs/address_" }, day: { $ref: "#/$defs/loose" } },
      $defs: { address: {}, address_: { "x-assert-formats": true }, loose: { format: "date" } },
    });
  });

  it.each<[string, TypeDefinition, unknown, unknown]>([
    ["a named type", { attributes: { home: "address" } }, { home: { street: "x" } }, { home: { street: 1 } }],
    [
      "an asserted format in one",
      { attributes: { home: "address" } },
      { home: { street: "x", since: "2026-01-01T00:00:00Z" } },
      { home: { street: "x", since: "soon" } },
    ],
    [
      "a format that is only a note",
      { attributes: { day: "loose", at: "datetime" } },
      { day: "soon", at: "2026-01-01T00:00:00Z" },
      { day: "soon", at: "soon" },
    ],
    [
      "a recursive type",
      { $ref: "type:node" },
      { label: "a", next: { label: "b" } },
      { label: "a", next: { label: 1 } },
    ],
    ["references of a named type's own", { $ref: "type:local" }, [1], ["1"]],
    ["a pointer into a named type", { $ref: "type:local#/$defs/x" }, 1, "1"],
    ["anchors of a named type's own", { items: { $ref: "type:anchored" } }, [1], ["1"]],
    ["a $id of a named type's own", { anyOf: [{ $ref: "type:identified" }, { $ref: "type:node" }] }, 1, "1"],
    [
      "a root with a $id",
      { $id: "https://y.example/r", properties: { a: { $ref: "type:local" } } },
      { a: [1] },
      { a: ["1"] },
    ],
  ])("closes %s, and the closed form compiles to the same", async (_what, definition, good, bad) => {
    const direct = await compileType(definition, types);
    const { schema } = closeType(definition, types);
    const again = await compileType(JSON.parse(JSON.stringify(schema)) as TypeDefinition, none);
    expect(again.schema).toEqual(direct.schema);
    for (const type of [direct, again]) {
      expect(type.check(good)).toEqual({ ok: true, value: good, changed: false });
      expect(type.check(bad).ok).toBe(false);
    }
    expect(again.check(bad)).toEqual(direct.check(bad));
  });

  it("does not change the definition or the stored types", () => {
    const stored = { schema: { type: "object", properties: { x: { $ref: "type:leaf" } } } };
    const before = JSON.stringify(stored);
    closeType({ $ref: "type:a" }, from({ a: stored, leaf: true }));
    expect(JSON.stringify(stored)).toBe(before);
  });
});
