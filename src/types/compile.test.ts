import { describe, expect, it } from "vitest";
import { none, refusalOf } from "./_refusal.test-util.ts";
import { ANY, compileType, type TypeDefinition } from "./index.ts";

describe("compileType() with a JSON Schema", () => {
  it.each<[string, TypeDefinition, string, string]>([
    ["an unknown $schema", { $schema: "http://json-schema.org/draft-07/schema#" }, "schema_unsupported", "/$schema"],
    ["a remote $ref", { items: { $ref: "https://example.com/x.json" } }, "schema_unsupported", "/items/$ref"],
    ["a file $ref", { $ref: "file:///etc/passwd" }, "schema_unsupported", "/$ref"],
    ["a $ref to nothing", { $ref: "#/$defs/none" }, "schema_unsupported", "/$ref"],
    ["a $ref to a prototype's member", { $ref: "#toString" }, "schema_unsupported", "/$ref"],
    ["a stored type that is not there", { $ref: "type:none" }, "schema_unsupported", "/$ref"],
    ["a $ref to itself", { $ref: "#" }, "schema_unsupported", ""],
    ["a $ref to itself through anyOf", { anyOf: [{ type: "string" }, { $ref: "#" }] }, "schema_unsupported", ""],
    ["a dynamic reference to itself", { $dynamicAnchor: "x", $dynamicRef: "#x" }, "schema_unsupported", ""],
    ["a look-ahead", { pattern: "(?!a)" }, "schema_unsupported", "/pattern"],
    ["a back-reference", { patternProperties: { "(a)\\1": true } }, "schema_unsupported", "/patternProperties/(a)\\1"],
    ["a huge repetition", { pattern: "a{5000}" }, "schema_unsupported", "/pattern"],
    ["a malformed pattern", { type: "string", pattern: "[" }, "schema_unsupported", "/pattern"],
    [
      "an unknown vocabulary",
      { $vocabulary: { "https://x.example/v": true } },
      "schema_unsupported",
      "/$vocabulary/https:~1~1x.example~1v",
    ],
    ["the metaschema's own $id", { $id: "https://json-schema.org/draft/2020-12/schema" }, "definition_invalid", "/$id"],
    [
      "a $id twice",
      { $defs: { a: { $id: "https://x.example/a" }, b: { $id: "https://x.example/a" } } },
      "definition_invalid",
      "/$defs/b",
    ],
    ["a wrong type", { type: "text" }, "definition_invalid", "/type"],
    ["a negative minLength", { type: "string", minLength: -1 }, "definition_invalid", "/minLength"],
    ["items as a list", { type: "array", items: [{ type: "string" }] }, "definition_invalid", "/items"],
    [
      "a property that is no schema",
      { type: "object", properties: { a: "string" } },
      "definition_invalid",
      "/properties/a",
    ],
    [
      "a malformed schema under $defs",
      { type: "string", $defs: { a: { type: 3 } } },
      "definition_invalid",
      "/$defs/a/type",
    ],
    [
      "a default that does not fit",
      { properties: { a: { oneOf: [{ type: "string" }], default: 1 } } },
      "definition_invalid",
      "/properties/a/default",
    ],
    [
      "two defaults of one property",
      { properties: { a: { default: 1 } }, allOf: [{ properties: { a: { default: 2 } } }] },
      "definition_invalid",
      "/allOf/0/properties/a/default",
    ],
    [
      "a default without end",
      { $defs: { n: { type: "object", properties: { n: { $ref: "#/$defs/n", default: {} } } } }, $ref: "#/$defs/n" },
      "definition_invalid",
      "/$defs/n/properties/n/default",
    ],
    [
      "a format that cannot be asserted",
      { schema: { format: "idn-email" }, assert_formats: true },
      "schema_unsupported",
      "/schema/format",
    ],
    [
      "a format unheard of, asserted",
      { schema: { items: { format: "colour" } }, assert_formats: true },
      "schema_unsupported",
      "/schema/items/format",
    ],
    ["what is no definition", null as never, "definition_invalid", ""],
  ])("refuses %s", async (_what, definition, code, pointer) => {
    const { code: found, issues } = await refusalOf(() => compileType(definition, none));
    expect({ code: found, pointers: issues.map((issue) => issue.pointer) }).toEqual({
      code,
      pointers: expect.arrayContaining([pointer]),
    });
  });

  it("refuses a schema that is too deep or too large", async () => {
    let deep: Record<string, unknown> = {};
    for (let depth = 0; depth < 20_000; depth++) deep = { items: deep };
    expect((await refusalOf(() => compileType(deep, none))).code).toBe("schema_unsupported");
    const wide = { enum: Array.from({ length: 60_000 }, (_, index) => index) };
    expect((await refusalOf(() => compileType(wide, none))).code).toBe("schema_unsupported");
  });

  it("never fetches", async () => {
    const fetched: unknown[] = [];
    const real = globalThis.fetch;
    globalThis.fetch = (...args) => {
      fetched.push(args);
      return Promise.reject(new Error("no network"));
    };
    try {
      for (const $ref of [
        "http://localhost:1/x",
        "//x.example/y",
        "y.json",
        "urn:x:y",
        "data:application/schema+json,{}",
      ]) {
        await refusalOf(() => compileType({ $id: "http://localhost:1/root.json", not: { $ref } }, none));
      }
    } finally {
      globalThis.fetch = real;
    }
    expect(fetched).toEqual([]);
  });

  it("knows the 2020-12 metaschema", async () => {
    const type = await compileType({ $ref: "https://json-schema.org/draft/2020-12/schema" }, none);
    expect(type.check({ type: "string" }).ok).toBe(true);
    expect(type.check({ type: "text" }).ok).toBe(false);
  });

  it("takes a format as a note unless formats are asserted", async () => {
    const schema = { type: "string", format: "uuid" };
    expect((await compileType(schema, none)).check("x").ok).toBe(true);
    expect((await compileType({ schema }, none)).check("x").ok).toBe(true);
    expect((await compileType({ schema, assert_formats: true }, none)).check("x").ok).toBe(false);
  });

  it.each([true, {}, { description: "anything" }])("answers a type without a check for %j", async (definition) => {
    const type = await compileType(definition, none);
    expect(type.any).toBe(true);
    expect(type.check("anything")).toEqual({ ok: true, value: "anything", changed: false });
    expect(ANY.any).toBe(true);
  });

  it("refuses everything for false", async () => {
    const type = await compileType(false, none);
    expect(type.check(1)).toEqual({ ok: false, errors: [{ pointer: "", keyword: "false", detail: "is not allowed" }] });
  });
});
