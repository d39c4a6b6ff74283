/** Types and values made to hurt: time, memory, prototypes, numbers at the edge. */
import { describe, expect, it } from "vitest";
import { parseJsonText } from "../core/json.ts";
import { compileType, type TypeDefinition } from "./index.ts";

const none = (): undefined => undefined;

/** The same type by the fast way, and by the library: `not: false` says nothing, but valibot cannot say it. */
async function bothWays(schema: Record<string, unknown>) {
  return [await compileType(schema, none), await compileType({ ...schema, not: false }, none)] as const;
}

/** A member of a recursive union, its tag written last. */
const tagged = (op: string) => ({
  type: "object",
  properties: { left: { $ref: "#/$defs/expr" }, right: { $ref: "#/$defs/expr" }, op: { const: op } },
  required: ["op"],
});

describe("compileType() under attack", () => {
  it.each(["^(a+)+$", "^(a|a)*$", "(x+x+)+y", "^([a-z]+)*[0-9]$"])(
    "runs the pattern %s in linear time",
    async (pattern) => {
      const text = `${"a".repeat(30_000)}!${"x".repeat(30_000)}`;
      for (const type of await bothWays({ type: "string", pattern })) expect(type.check(text).ok).toBe(false);
      const keys = await compileType({ patternProperties: { [pattern]: false } }, none);
      expect(keys.check({ [text]: 1 }).ok).toBe(true);
    },
  );

  it("checks asserted formats in linear time", async () => {
    const texts = [
      "a".repeat(100_000),
      `${"a.".repeat(50_000)}!`,
      `"${"\\".repeat(100_000)}`,
      `/${"~".repeat(100_000)}`,
    ];
    for (const format of [
      "date-time",
      "email",
      "hostname",
      "ipv6",
      "uri",
      "uri-reference",
      "json-pointer",
      "duration",
    ]) {
      const type = await compileType({ schema: { type: "string", format }, assert_formats: true }, none);
      for (const text of texts) type.check(text);
    }
  }, 60_000);

  it.each(["constructor", "toString", "hasOwnProperty", "prototype", "valueOf", "__defineGetter__"])(
    "takes %s as a name like any other",
    async (name) => {
      const closed = {
        type: "object",
        properties: { a: { type: "string" } },
        required: [name],
        additionalProperties: false,
      };
      for (const type of await bothWays(closed)) {
        expect(type.check({})).toMatchObject({ errors: [{ keyword: "required" }] });
        expect(type.check({ [name]: 1 })).toMatchObject({
          errors: [{ pointer: `/${name}`, keyword: "additionalProperties" }],
        });
      }
      for (const type of await bothWays({ type: "object", properties: { [name]: { type: "integer" } } })) {
        expect(type.check({}).ok).toBe(true);
        expect(type.check({ [name]: "1" })).toMatchObject({ errors: [{ pointer: `/${name}`, keyword: "type" }] });
      }
      const filled = await compileType(
        { type: "object", properties: { [name]: { type: "integer", default: 7 } } },
        none,
      );
      expect(filled.check({})).toEqual({ ok: true, changed: true, value: { [name]: 7 } });
    },
  );

  it("does not let a __proto__ property or default change a prototype", async () => {
    const schema = JSON.parse(
      '{"type":"object","properties":{"__proto__":{"type":"object","default":{"polluted":true}}}}',
    ) as TypeDefinition;
    const type = await compileType(schema, none);
    const result = type.check({});
    expect(result.ok && Object.getPrototypeOf(result.value)).toBe(Object.prototype);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(type.check(JSON.parse('{"__proto__": 1}')).ok).toBe(false);
  });

  it.each<[Record<string, unknown>, string, boolean]>([
    [{ const: 0 }, "-0", true],
    [{ type: "integer" }, "-0.0", true],
    [{ type: "number", minimum: 0 }, "-0", true],
    [{ type: "integer" }, "123456789012345678901234567890", true],
    [{ type: "integer", maximum: 9007199254740991 }, "9007199254740993", false],
    [{ type: "number", multipleOf: 0.01 }, "19.99", true],
    [{ type: "number", multipleOf: 0.1 }, "0.30000000000000004", false],
    [{ type: "number", multipleOf: 1e-8 }, "1.5e-8", false],
    [{ type: "number", multipleOf: 1e-300 }, "1e300", true],
    [{ type: "string", maxLength: 1 }, '"💩"', true],
    [{ type: "string", minLength: 2 }, '"💩"', false],
    [{ type: "string", maxLength: 1 }, '"\\ud83d"', true],
    [{ type: "string", maxLength: 1 }, '"\\udca9\\ud83d"', false],
    [{ type: "string", maxLength: 1 }, '"e\\u0301"', false],
  ])("%j on %s is %s, both ways", async (schema, text, ok) => {
    for (const type of await bothWays(schema)) expect(type.check(parseJsonText(text)).ok).toBe(ok);
  });

  it("finds a repeated item among 90,000 without comparing each with each", async () => {
    const items = Array.from({ length: 90_000 }, (_, index) => ({ index }));
    for (const type of await bothWays({ type: "array", uniqueItems: true })) {
      expect(type.check(items).ok).toBe(true);
      expect(type.check([...items, { index: 5 }]).ok).toBe(false);
    }
  }, 60_000);

  it("looks a value up in an enum of 20,000 at once", async () => {
    const members = Array.from({ length: 20_000 }, (_, index) => `m${index}`);
    for (const type of await bothWays({ type: "array", items: { enum: members } })) {
      expect(type.check(Array.from({ length: 20_000 }, () => "m19999")).ok).toBe(true);
    }
  }, 60_000);

  it.each([
    ["anyOf", "anyOf"],
    ["oneOf", "oneOf"],
    ["allOf", "allOf"],
  ])(
    "stops a check that %s makes grow with the power of the depth",
    async (_name, keyword) => {
      const level = {
        type: "object",
        properties: { n: { [keyword]: [{ $ref: "#/$defs/a" }, { $ref: "#/$defs/b" }] } },
      };
      const type = await compileType(
        { $ref: "#/$defs/a", $defs: { a: level, b: { ...structuredClone(level), minProperties: 0 } } },
        none,
      );
      let value: unknown = { n: 1 };
      for (let depth = 0; depth < 60; depth++) value = { n: value };
      const result = type.check(value);
      expect(result.ok).toBe(false);
      expect(type.check({ n: {} }).ok).toBe(keyword !== "oneOf");
    },
    20_000,
  );

  it("checks a union by its tag, however deep", async () => {
    const expr = { anyOf: [tagged("add"), tagged("sub"), tagged("mul"), { type: "number" }] };
    const type = await compileType(
      { type: "object", properties: { root: { $ref: "#/$defs/expr" } }, $defs: { expr } },
      none,
    );
    let value: unknown = 1;
    for (let depth = 0; depth < 60; depth++) value = { op: "mul", left: value, right: 2 };
    expect(type.check({ root: value })).toMatchObject({ ok: true });
  });

  it("answers at most 50 issues", async () => {
    for (const type of await bothWays({ type: "array", items: { type: "string" } })) {
      const result = type.check(Array.from({ length: 10_000 }, () => 1));
      expect(!result.ok && result.errors.length).toBe(50);
    }
  });

  it("leaves nothing behind in the library, however many types are compiled", async () => {
    const { getAllRegisteredSchemaUris, hasSchema } = await import("@hyperjump/json-schema/draft-2020-12");
    await compileType({ not: false }, none);
    const before = getAllRegisteredSchemaUris().length;
    for (let round = 0; round < 200; round++) {
      const $id = `https://x.example/${round}`;
      await compileType({ $id, not: { const: round }, [`unknown_${round}`]: 1 }, none);
      expect(hasSchema($id)).toBe(false);
    }
    expect(getAllRegisteredSchemaUris()).toHaveLength(before);
  });
});
