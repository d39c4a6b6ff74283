import { describe, expect, it } from "vitest";
import { from, none, refusalOf } from "./_refusal.test-util.ts";
import { compileType, type TypeDefinition } from "./index.ts";

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
        { pointer: "/d", keyword: "format", detail: 'must be of the format date-time; it is "2026-02-30T00:00:00Z"' },
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

  it.each(["int", { data_type: "int" }])("requires an attribute written as %j", async (attribute) => {
    const type = await compileType({ attributes: { x: attribute } }, none);
    expect(type.check({})).toMatchObject({ errors: [{ pointer: "", keyword: "required" }] });
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
