/** Stored types on the real runtime: no eval, no Node, nothing fetched, by the fast way and by the library. */
import { describe, expect, it } from "vitest";
import { compileType, type TypeDefinition } from "../../src/types/index.ts";

const types: Record<string, TypeDefinition> = {
  node: {
    attributes: { label: { data_type: "string", pattern: "^[a-z]+$" }, next: { data_type: "node", required: false } },
  },
};

describe("compileType() in workerd", () => {
  it.each<[string, TypeDefinition]>([
    [
      "the fast way",
      { attributes: { node: { data_type: "node" }, at: { data_type: "datetime", default: "2026-01-01T00:00:00Z" } } },
    ],
    [
      "the library",
      {
        schema: {
          type: "object",
          properties: {
            node: { oneOf: [{ $ref: "type:node" }] },
            at: { format: "date-time", default: "2026-01-01T00:00:00Z" },
          },
          unevaluatedProperties: false,
        },
        assert_formats: true,
      },
    ],
  ])("checks and fills by %s", async (_way, definition) => {
    const type = await compileType(definition, (name) => types[name]);
    expect(type.check({ node: { label: "a", next: { label: "b" } } })).toEqual({
      ok: true,
      changed: true,
      value: { node: { label: "a", next: { label: "b" } }, at: "2026-01-01T00:00:00Z" },
    });
    expect(type.check({ node: { label: "A" } }).ok).toBe(false);
    expect(type.check({ node: { label: "a" }, at: "soon" })).toMatchObject({
      errors: [{ pointer: "/at", keyword: "format" }],
    });
    expect(type.check({ node: { label: "a" }, more: 1 })).toMatchObject({ errors: [{ pointer: "/more" }] });
  });

  it("checks a value 64 levels deep against a recursive type without running out of stack", async () => {
    const type = await compileType({ not: false, $ref: "type:node" }, (name) => types[name]);
    let value: Record<string, unknown> = { label: "a" };
    for (let depth = 1; depth < 64; depth++) value = { label: "a", next: value };
    expect(type.check(value).ok).toBe(true);
  });

  it("refuses a remote reference instead of fetching it", async () => {
    await expect(compileType({ $ref: "https://example.com/x" }, () => undefined)).rejects.toMatchObject({
      code: "schema_unsupported",
    });
  });
});
