import { describe, expect, it } from "vitest";
import { SwitchyardError, type Issue } from "../core/errors.ts";
import { ANY, closeType, compileType, type TypeDefinition } from "./index.ts";

const none = (): undefined => undefined;
const from = (types: Record<string, TypeDefinition>) => (name: string) => types[name];

async function refusalOf(run: () => Promise<unknown>): Promise<{ code: string; issues: readonly Issue[] }> {
  try {
    await run();
  } catch (error) {
    if (error instanceof SwitchyardError) return { code: error.code, issues: error.errors ?? [] };
    throw error;
  }
  throw new Error("was accepted");
}

describe("compileType() with attributes", () => {
  it("checks each data type", async () => {
    const type = await compileType(
      {
        attributes: {
          s: { data_type: "string", min_length: 1, max_length: 2, pattern: "^[a-z💩]+$" },
          i: { data_type: "int", minimum: 0, maximum: 9 },
          f: { data_type: "float" },
          b: { data_type: "bool" },
          d: { data_type: "datetime" },
          l: { data_type: "list", items: { data_type: "list", items: "int" } },
          m: { data_type: "map", values: { data_type: "float", nullable: true } },
          a: { data_type: "any" },
          e: { data_type: "string", enum: ["x", "y"], nullable: true },
        },
      },
      none,
    );
    const good = {
      s: "a💩",
      i: 1.0,
      f: 0.5,
      b: true,
      d: "2026-01-02T03:04:05.678+01:00",
      l: [[1], []],
      m: { constructor: 1, x: null },
      a: [{}],
      e: null,
    };
    expect(type.check(good)).toEqual({ ok: true, value: good, changed: false });
    const bad = {
      s: "abc",
      i: 10,
      f: "1",
      b: 0,
      d: "2026-02-30T00:00:00Z",
      l: [["1"]],
      m: { constructor: "1" },
      e: "z",
    };
    expect(type.check(bad)).toEqual({
      ok: false,
      errors: [
        { pointer: "", keyword: "required", detail: 'must have "a"; it is missing' },
        { pointer: "/b", keyword: "type", detail: "must be boolean; it is number" },
        { pointer: "/d", keyword: "format", detail: 'must be a date-time; it is "2026-02-30T00:00:00Z"' },
        { pointer: "/e", keyword: "enum", detail: 'must be one of "x", "y", null; it is "z"' },
        { pointer: "/f", keyword: "type", detail: "must be number; it is string" },
        { pointer: "/i", keyword: "maximum", detail: "must be at most 9; it is 10" },
        { pointer: "/l/0/0", keyword: "type", detail: "must be integer; it is string" },
        { pointer: "/m/constructor", keyword: "type", detail: "must be number or null; it is string" },
        { pointer: "/s", keyword: "maxLength", detail: 'must have at most 2 characters; it is "abc"' },
      ],
    });
  });

  it("says what is wrong inside a value that could also be null", async () => {
    const type = await compileType(
      { attributes: { at: { data_type: "box", nullable: true } } },
      from({ box: { attributes: { size: "int" } } }),
    );
    expect(type.check({ at: null }).ok).toBe(true);
    expect(type.check({ at: { size: "1" } })).toMatchObject({ errors: [{ pointer: "/at/size", keyword: "type" }] });
  });

  it("refuses a property that is not an attribute, and says which one was meant", async () => {
    const type = await compileType({ attributes: { input_str: { data_type: "string" } } }, none);
    expect(type.check({ input_str: "x", inptu_str: "y" })).toMatchObject({
      errors: [
        { pointer: "/inptu_str", keyword: "additionalProperties", detail: expect.stringContaining('"input_str"') },
      ],
    });
  });

  it("fills defaults without touching the value passed in, and copies nothing where there is none to fill", async () => {
    const inner: TypeDefinition = {
      attributes: { size: { data_type: "int", default: 3 }, name: { data_type: "string" } },
    };
    const type = await compileType(
      {
        attributes: {
          one: { data_type: "box" },
          many: { data_type: "list", items: { data_type: "box" }, default: [{ name: "first" }] },
          maybe: { data_type: "string", required: false },
        },
      },
      from({ box: inner }),
    );
    const value = { one: { name: "a" } };
    expect(type.check(value)).toEqual({
      ok: true,
      changed: true,
      value: { one: { name: "a", size: 3 }, many: [{ name: "first", size: 3 }] },
    });
    expect(value).toEqual({ one: { name: "a" } });
    const full = { one: { name: "a", size: 1 }, many: [] };
    const checked = type.check(full);
    expect(checked).toEqual({ ok: true, changed: false, value: full });
    expect(checked.ok && checked.value).toBe(full);
  });

  it.each<[TypeDefinition, string, string]>([
    [{ attributes: { x: { data_type: "strng" } } }, "schema_unsupported", "/attributes/x/data_type"],
    [{ attributes: { x: { data_type: "String" } } }, "definition_invalid", "/attributes/x/data_type"],
    [{ attributes: { x: { data_type: "int", requird: true } } }, "definition_invalid", "/attributes/x/requird"],
    [{ attributes: { x: { data_type: "int", pattern: "a" } } }, "definition_invalid", "/attributes/x/pattern"],
    [{ attributes: { x: { data_type: "int", minimum: "1" } } }, "definition_invalid", "/attributes/x/minimum"],
    [{ attributes: { x: { data_type: "string", min_length: -1 } } }, "definition_invalid", "/attributes/x/min_length"],
    [{ attributes: { x: { data_type: "string", pattern: "(?=a)" } } }, "schema_unsupported", "/attributes/x/pattern"],
    [{ attributes: { x: { data_type: "int", default: "a" } } }, "definition_invalid", "/attributes/x/default"],
    [{ attributes: { x: { data_type: "int", default: null } } }, "definition_invalid", "/attributes/x/default"],
    [
      {
        attributes: {
          x: { data_type: "list", items: { data_type: "map", values: { data_type: "int", enum: [], minimum: "x" } } },
        },
      },
      "definition_invalid",
      "/attributes/x/items/values/minimum",
    ],
    [{ attributes: { x: {} } }, "definition_invalid", "/attributes/x"],
    [{ attributes: [] }, "definition_invalid", "/attributes"],
    [{ attributes: {}, schema: {} }, "definition_invalid", ""],
    [{ name: "x" }, "definition_invalid", ""],
    [{ attributes: {}, assert_formats: false }, "definition_invalid", "/assert_formats"],
  ])("refuses %j", async (definition, code, pointer) => {
    const { code: found, issues } = await refusalOf(() => compileType(definition, none));
    expect({ code: found, pointers: issues.map((issue) => issue.pointer) }).toEqual({
      code,
      pointers: expect.arrayContaining([pointer]),
    });
  });
});

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
