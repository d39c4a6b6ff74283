import { describe, expect, test } from "vitest";
import { compileType } from "../../types/index.ts";
import { asObject, isMisread } from "./as-object.ts";

type Schema = Record<string, unknown>;
const nothing = () => undefined;
const accepts = async (schema: unknown, value: unknown): Promise<boolean> =>
  (await compileType({ schema: schema as Schema }, nothing)).check(value).ok;

const POINT: Schema = { type: "object", properties: { x: { type: "number" } }, required: ["x"] };
const TREE: Schema = { type: "array", items: { $ref: "#" }, maxItems: 2 };

describe("asObject()", () => {
  test.each<[string, Schema]>([
    ["an object", POINT],
    ["an object with a dialect", { $schema: "https://json-schema.org/draft/2020-12/schema", ...POINT }],
    ["an object that refers to itself", { type: "object", properties: { next: { $ref: "#" } } }],
  ])("leaves %s as it is", (_what, type) => {
    expect(asObject(type, "input")).toEqual({ schema: type, wrapped: false });
  });

  test("says of a definition that is an object that it is one", async () => {
    const type = { $ref: "#/$defs/point", $defs: { point: POINT } };
    const { schema, wrapped } = asObject(type, "input");
    expect(schema).toEqual({ ...type, type: "object" });
    expect(wrapped).toBe(false);
    expect(await accepts(schema, { x: 1 })).toBe(true);
    expect(await accepts(schema, {})).toBe(false);
  });

  test("spells out properties that are true or false", () => {
    expect(asObject({ type: "object", properties: { any: true, none: false } }, "input").schema["properties"]).toEqual({
      any: {},
      none: { not: {} },
    });
  });

  const CASES: [string, boolean | Schema, fits: unknown[], breaks: unknown[]][] = [
    ["text", { type: "string", minLength: 1 }, ["a"], ["", 1]],
    ["anything", true, [1, null, {}], []],
    ["nothing", false, [], [1]],
    ["a choice", { type: ["object", "null"] }, [null, {}], [1]],
    ["one that refers to its top", TREE, [[], [[], [[]]]], [1, [1], [[[], [], []]]]],
    [
      "one that refers to a member",
      { type: "array", prefixItems: [{ type: "string" }, { $ref: "#/prefixItems/0" }] },
      [["a", "b"]],
      [["a", 1]],
    ],
    [
      "one with definitions",
      {
        anyOf: [{ $ref: "#/$defs/point" }, { $ref: "#/$defs/list" }],
        $defs: { point: POINT, list: { type: "array", items: { $ref: "#/anyOf/0" } } },
      },
      [{ x: 1 }, [{ x: 1 }]],
      [1, [1], {}],
    ],
    ["a constant that looks like a reference", { const: { $ref: "#" } }, [{ $ref: "#" }], [{}]],
    ["one with an id", { $id: "urn:a", type: "array", items: { $ref: "#" } }, [[[]]], [[1]]],
    [
      "one with an id inside",
      { items: { $id: "urn:b", type: "array", items: { $ref: "#" } }, type: "array" },
      [[[[]]]],
      [[[1]]],
    ],
  ];
  test.each(CASES)("puts %s under a member, with the same verdicts", async (_what, type, fits, breaks) => {
    const before = JSON.stringify(type);
    const { schema, wrapped } = asObject(type, "input");
    expect(wrapped).toBe(true);
    expect(schema.type).toBe("object");
    for (const value of fits) expect(await accepts(schema, { input: value }), JSON.stringify(value)).toBe(true);
    for (const value of breaks) expect(await accepts(schema, { input: value }), JSON.stringify(value)).toBe(false);
    expect(await accepts(schema, {})).toBe(false);
    expect(JSON.stringify(type)).toBe(before);
  });

  test("keeps the dialect and the definitions at the top", () => {
    const type = { $schema: "https://json-schema.org/draft/2020-12/schema", $ref: "#/$defs/a", $defs: { a: true } };
    expect(asObject(type, "output").schema).toEqual({
      $schema: type.$schema,
      $defs: { a: true },
      type: "object",
      properties: { output: { $ref: "#/$defs/a" } },
      required: ["output"],
      additionalProperties: false,
    });
  });
});

describe("isMisread()", () => {
  test.each<[boolean, unknown]>([
    [true, { $id: "urn:a" }],
    [true, { properties: { a: { $anchor: "x" } } }],
    [true, { $defs: { a: { allOf: [{ $dynamicRef: "#x" }] } } }],
    [true, { items: { prefixItems: [true], items: false } }],
    [true, { contains: true, minContains: 0 }],
    [false, { prefixItems: [true] }],
    [false, { const: { $id: "urn:a" }, properties: { $id: { type: "string" } } }],
    [false, true],
  ])("is %s for %j", (expected, type) => {
    expect(isMisread(type)).toBe(expected);
  });
});
