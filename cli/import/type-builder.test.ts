/** What becomes of schemas: every keyword of OpenAPI that JSON Schema has other words for. */
import { describe, expect, it } from "vitest";
import { importing, importOne } from "./_import.test-util.ts";
import type { Json } from "./_obstacle.ts";

/** The type of an answer, and of what is sent, for a schema in a document of that version. */
async function typesOf(
  schema: unknown,
  openapi = "3.0.3",
  schemas: Json = {},
): Promise<{ output: unknown; input: unknown }> {
  const content = { "application/json": { schema } };
  const { operations, skipped } = await importing({
    openapi,
    info: { title: "T", version: "1" },
    paths: {
      "/out": { get: { operationId: "out", responses: { 200: { description: "", content } } } },
      // An array beside a parameter is one field, `body`; an object's members are fields of their own.
      "/in": {
        post: {
          operationId: "in",
          parameters: [QUERY],
          requestBody: { required: true, content },
          responses: { 204: { description: "" } },
        },
      },
    },
    components: { schemas },
  });
  expect(skipped).toEqual([]);
  return { output: operations["out"]?.["output_type"], input: operations["in"]?.["input_type"] };
}
// oxlint-disable-next-line unicorn/no-thenable -- a keyword's name
const CONDITIONS = { if: { minimum: 1 }, then: { multipleOf: 2 }, else: false };
const QUERY = { name: "body_is_whole", in: "query", schema: { type: "string" } };

describe("a schema of OpenAPI 3.0", () => {
  it.each<[what: string, schema: unknown, type: unknown]>([
    ["a type that may be null", { type: "string", nullable: true }, { type: ["string", "null"] }],
    ["one that may not", { type: "string", nullable: false }, { type: "string" }],
    [
      "null among the values",
      { type: "string", nullable: true, enum: ["a"] },
      { type: ["string", "null"], enum: ["a", null] },
    ],
    [
      "null once",
      { type: "string", nullable: true, enum: ["a", null] },
      { type: ["string", "null"], enum: ["a", null] },
    ],
    [
      "null beside allOf",
      { nullable: true, allOf: [{ type: "object" }] },
      { anyOf: [{ allOf: [{ type: "object" }] }, { type: "null" }] },
    ],
    [
      "an excluded minimum",
      { type: "number", minimum: 1, exclusiveMinimum: true },
      { type: "number", exclusiveMinimum: 1 },
    ],
    [
      "one that is not excluded",
      { type: "number", minimum: 1, exclusiveMinimum: false },
      { type: "number", minimum: 1 },
    ],
    ["an excluded maximum", { maximum: 1, exclusiveMaximum: true }, { exclusiveMaximum: 1 }],
    ["a flag without a bound", { type: "number", exclusiveMaximum: true }, { type: "number" }],
    ["an example", { type: "string", example: "x" }, { type: "string", examples: ["x"] }],
    [
      "what decides nothing",
      { type: "string", xml: { name: "x" }, externalDocs: {}, "x-order": 1, discriminator: {} },
      { type: "string" },
    ],
    [
      "things inside",
      { type: "array", items: { type: "integer", nullable: true } },
      { type: "array", items: { type: ["integer", "null"] } },
    ],
    [
      "no more than is named",
      { type: "object", additionalProperties: false },
      { type: "object", additionalProperties: false },
    ],
    [
      "a property named as a keyword",
      {
        type: "object",
        properties: { nullable: { type: "string" }, example: { type: "string" }, properties: { type: "string" } },
      },
      {
        type: "object",
        properties: { nullable: { type: "string" }, example: { type: "string" }, properties: { type: "string" } },
      },
    ],
    ["a default of an answer", { type: "string", default: "x" }, { type: "string" }],
    ["a format", { type: "integer", format: "int64" }, { type: "integer", format: "int64" }],
  ])("has %s", async (_, schema, type) => {
    expect((await typesOf(schema)).output).toEqual(type);
  });

  it("lets nothing count beside a reference", async () => {
    const { output } = await typesOf({ $ref: "#/components/schemas/A", maxLength: 1 }, "3.0.3", {
      A: { type: "string" },
    });
    expect(output).toEqual({ type: "string" });
  });
});

describe("a schema of OpenAPI 3.1", () => {
  it.each<[what: string, schema: unknown, type: unknown]>([
    ["several types", { type: ["string", "null"] }, { type: ["string", "null"] }],
    ["examples", { examples: ["x"] }, { examples: ["x"] }],
    ["an example of the old sort", { example: "x" }, { examples: ["x"] }],
    ["true", true, true],
    ["a bound", { exclusiveMinimum: 1 }, { exclusiveMinimum: 1 }],
    ["nullable, which says nothing", { type: "string", nullable: true }, { type: "string" }],
    ["tuples", { prefixItems: [{ const: 1 }], items: false }, { prefixItems: [{ const: 1 }], items: false }],
    [
      "words of a dialect",
      { $schema: "https://spec.openapis.org/oas/3.1/dialect/base", type: "string" },
      { type: "string" },
    ],
    ["conditions", CONDITIONS, CONDITIONS],
    [
      "formats that are checked",
      { "x-assert-formats": true, format: "date" },
      { "x-assert-formats": true, format: "date" },
    ],
  ])("has %s", async (_, schema, type) => {
    expect((await typesOf(schema, "3.1.1")).output).toEqual(type);
  });

  it("keeps what stands beside a reference", async () => {
    const { output } = await typesOf({ $ref: "#/components/schemas/A", maxLength: 1 }, "3.1.0", {
      A: { type: "string" },
    });
    expect(output).toEqual({ $ref: "#/$defs/A", maxLength: 1, $defs: { A: { type: "string" } } });
  });

  it.each<[schema: Json, reason: string]>([
    [{ $id: "https://example.com/a" }, "a schema must have no $id; one has"],
    [{ $dynamicRef: "#a" }, "a schema must have no $dynamicRef; one has"],
    [
      { $schema: "http://json-schema.org/draft-07/schema#" },
      "a schema must be of JSON Schema 2020-12; one is of http://json-schema.org/draft-07/schema#",
    ],
    [
      { $ref: "#/components/schemas/Nothing" },
      'the reference "#/components/schemas/Nothing" must lead somewhere; it does not',
    ],
    [
      { $ref: "https://example.com/a.json" },
      'the reference to "https://example.com/a.json" must lead to a file in the document\'s folder',
    ],
    [{ $ref: "a.yaml#/A" }, 'the reference to "a.yaml" must lead to a file in the document\'s folder'],
    [{ $ref: "#anchor" }, 'the reference "#anchor" must be a JSON Pointer; it is a name'],
    [{ $ref: "#/components/schemas/Self" }, 'the reference "#/components/schemas/Self" must end; it goes in a circle'],
    [{ type: "file" }, 'its output type is none: at "/type" must fit'],
    [
      { patternProperties: { "(?=a)": true } },
      'its output type is none: at "/patternProperties/(?=a)" must be a pattern',
    ],
  ])("stands in the way: %j", async (schema, reason) => {
    const { skipped } = await importOne(
      "GET /a",
      { responses: { 200: { description: "", content: { "application/json": { schema } } } } },
      { components: { schemas: { Self: { $ref: "#/components/schemas/Self" } } } },
    );
    expect(skipped).toEqual([expect.stringContaining(`GET /a: ${reason}`)]);
  });
});

describe("references", () => {
  it("become definitions of the type, under names of their own, once each", async () => {
    const { output } = await typesOf({ type: "array", items: { $ref: "#/components/schemas/A.B" } }, "3.0.0", {
      "A.B": {
        type: "object",
        properties: { more: { $ref: "#/components/schemas/A.B" }, other: { $ref: "#/components/schemas/A_B" } },
      },
      A_B: { type: "string" },
      Unused: { type: "null" },
    });
    expect(output).toEqual({
      type: "array",
      items: { $ref: "#/$defs/A_B" },
      $defs: {
        A_B: { type: "object", properties: { more: { $ref: "#/$defs/A_B" }, other: { $ref: "#/$defs/A_B_2" } } },
        A_B_2: { type: "string" },
      },
    });
  });

  it("put what they lead to at the top, also where it refers to itself", async () => {
    const { output } = await typesOf({ $ref: "#/components/schemas/Tree" }, "3.1.0", {
      Tree: { type: "object", properties: { left: { $ref: "#/components/schemas/Tree" } } },
    });
    const tree = { type: "object", properties: { left: { $ref: "#/$defs/Tree" } } };
    expect(output).toEqual({ ...tree, $defs: { Tree: tree } });
  });
});

describe("one side", () => {
  const schema = {
    type: "object",
    required: ["id", "password"],
    properties: {
      id: { type: "string", readOnly: true },
      password: { $ref: "#/components/schemas/Password" },
      name: { type: "string", default: "x" },
    },
  };

  it.each(["3.0.2", "3.1.0"])("sends nothing read only, and gets back nothing write only, in %s", async (version) => {
    const { input, output } = await typesOf(schema, version, { Password: { type: "string", writeOnly: true } });
    expect(output).toEqual({
      type: "object",
      required: ["id"],
      properties: { id: { type: "string" }, name: { type: "string" } },
    });
    expect(input).toMatchObject({
      required: ["password"],
      properties: { password: { $ref: "#/$defs/Password" }, name: { type: "string", default: "x" } },
    });
    expect((input as { properties: Json }).properties).not.toHaveProperty("id");
  });
});

describe("what a type cannot have and need not", () => {
  it.each<[schema: Json, left: Json, note: string]>([
    [
      { type: "string", pattern: "^(?!a)" },
      { type: "string" },
      "/properties/a/pattern, which must be a pattern that runs in linear time",
    ],
    [{ type: "integer", default: "1" }, { type: "integer" }, "/properties/a/default, which must be"],
    [
      { "x-assert-formats": true, format: "money" },
      { "x-assert-formats": true },
      "/properties/a/format, which must be one of",
    ],
  ])("is left out of it, and said: %j", async (schema, left, note) => {
    const { input_type: type, notes } = await importOne("GET /a", { parameters: [{ name: "a", in: "query", schema }] });
    expect((type as { properties: Json }).properties).toEqual({ a: left });
    expect(notes).toEqual([expect.stringContaining(`GET /a: left out of its input type: ${note}`)]);
  });

  it("is not a property that has such a name", async () => {
    const schema = { type: "object", properties: { pattern: { type: "nonsense" } } };
    const { skipped } = await importOne("POST /a", {
      requestBody: { required: true, content: { "application/json": { schema } } },
    });
    expect(skipped).toEqual([expect.stringContaining("its input type is none")]);
  });
});
