/** The document as other people's tools read it: the standard's own schema, and a linter. */
import { validate } from "@hyperjump/json-schema/openapi-3-1";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { expect, it } from "vitest";
import type { ClosedOperation } from "../../registry/describe.ts";
import { ROUTES } from "../routes.ts";
import { documentText } from "./document.ts";
import { pieceOf } from "./operation-item.ts";

/** With its types as they are, for reading. */
type Typed = Omit<ClosedOperation, "input" | "output"> & { input: unknown; output: unknown };
type Parameter = { name: string; in: string; required?: boolean; schema?: unknown; example?: unknown };
type Item = {
  operationId: string;
  parameters: Parameter[];
  requestBody?: { required: boolean; content: Record<string, { schema: unknown; examples?: unknown }> };
  responses: Record<string, { content?: Record<string, { schema: unknown; examples?: unknown }> }>;
};
type Document = {
  paths: Record<string, Record<string, Item>>;
  components: { schemas: Record<string, unknown> };
};

const PLAIN: Typed = {
  name: "double",
  description: "",
  group: "demo",
  revision: 3,
  isAsync: false,
  batch: false,
  path: null,
  annotations: null,
  examples: [],
  input: true,
  output: true,
};
const PERSON = {
  type: "object",
  properties: {
    person_id: { type: "integer", description: "Which person" },
    tags: { type: "array", items: { type: "string" } },
    near: { type: "object", properties: { x: { type: "number" } } },
  },
  required: ["person_id", "tags"],
  additionalProperties: false,
};
const TREE = {
  $ref: "#/$defs/node",
  $defs: {
    node: {
      type: "object",
      properties: { "a/b": { $ref: "#/$defs/node" }, of: { enum: ["x", "y"] }, self: { $ref: "#" } },
      required: ["of"],
    },
  },
};

const AWKWARD: Typed[] = [
  PLAIN,
  { ...PLAIN, name: "nothing", input: false, output: { type: "null" } },
  { ...PLAIN, name: "words", description: "<script>alert(1)</script> [x](javascript:y)\n\nMore | of *it*." },
  { ...PLAIN, name: "tree", input: TREE, output: TREE, examples: [{ input: { of: "x" }, output: { of: "y" } }] },
  {
    ...PLAIN,
    name: "a.b-c_d",
    isAsync: true,
    input: { type: ["string", "null"], default: "x", const: "x", pattern: "^x" },
    output: { anyOf: [{ type: "integer", minimum: 1, exclusiveMaximum: 5 }, { const: "all" }] },
  },
  {
    ...PLAIN,
    name: "many",
    batch: true,
    input: { type: "string" },
    output: { type: "integer" },
    examples: [{ summary: "one", input: "a", output: 1 }, { input: "b" }],
  },
  { ...PLAIN, name: "tuple", input: { type: "array", prefixItems: [{ type: "string" }, true], items: false } },
  {
    ...PLAIN,
    name: "identified",
    input: { $id: "https://example.com/a", $ref: "#b", $defs: { b: { $anchor: "b", type: "string" } } },
    output: { $dynamicRef: "#x", $defs: { x: { $dynamicAnchor: "x" } } },
  },
  {
    ...PLAIN,
    name: "formal",
    input: {
      "x-assert-formats": true,
      type: "object",
      properties: { at: { type: "string", format: "date-time" }, $ref: { type: "string" } },
      patternProperties: { "^x-": { type: "number" } },
      propertyNames: { maxLength: 10 },
      dependentRequired: { at: ["$ref"] },
      if: { required: ["at"] },
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword's name
      then: { minProperties: 2 },
      else: { maxProperties: 3 },
      not: { required: ["never"] },
      unevaluatedProperties: false,
      title: "Formal",
      $comment: "nothing",
      readOnly: true,
    },
    output: { allOf: [{ type: "object" }, { oneOf: [{ required: ["a"] }, { required: ["b"] }] }], deprecated: true },
  },
  {
    ...PLAIN,
    name: "people_read",
    input: PERSON,
    path: "GET /people/{person_id}",
    examples: [{ input: { person_id: 7, tags: ["a"] } }],
  },
  { ...PLAIN, name: "people_save", input: PERSON, path: "PATCH /people/{person_id}" },
  {
    ...PLAIN,
    name: "people_drop",
    input: { type: "object", properties: { id: { type: "integer" } }, required: ["id"], additionalProperties: false },
    path: "DELETE /people/{id}",
  },
  {
    ...PLAIN,
    name: "people_act",
    input: { properties: { a: true }, anyOf: [{ required: ["a"] }] },
    path: "POST /acts/{a}",
  },
  { ...PLAIN, name: "people_ask", input: { properties: { a: true } }, path: "GET /acts/{a}" },
  { ...PLAIN, name: "tree_read", input: TREE, path: "GET /trees/{of}" },
  { ...PLAIN, name: "tree_save", input: TREE, path: "PUT /trees/{of}" },
  { ...PLAIN, name: "sums", input: { type: "array" }, path: "POST /sums" },
];

const text = documentText(
  AWKWARD.map(({ input, output, ...rest }) =>
    pieceOf({ ...rest, input: JSON.stringify(input), output: JSON.stringify(output) }),
  ),
  { version: "1", server: "http://x", nextCursor: null, routes: ROUTES },
);
const { paths, components } = JSON.parse(text) as Document;
const itemAt = (path: string, method: string): Item => {
  const item = paths[path]?.[method];
  if (item === undefined) throw new Error(`nothing at ${method} ${path}`);
  return item;
};
const json = (holder: { content?: Record<string, { schema: unknown; examples?: unknown }> } | undefined) =>
  holder?.content?.["application/json"];

it("documentText() is OpenAPI 3.1, with every route and every operation", async () => {
  const verdict = await validate("https://spec.openapis.org/oas/3.1/schema-base", JSON.parse(text) as never, "BASIC");
  expect(verdict).toMatchObject({ valid: true });
  const described = Object.values(paths).flatMap((methods) => Object.keys(methods));
  const atPaths = AWKWARD.filter(({ path }) => path !== null);
  expect(described).toHaveLength(ROUTES.length + AWKWARD.length + atPaths.length);
});

it("documentText() has nothing that a linter finds fault with", async () => {
  const config = await createConfig({
    extends: ["recommended"],
    rules: {
      // Whose registry it is says under which terms it may be used; the document does not know.
      "info-license": "off",
      "info-license-strict": "off",
      // A segment that is written out goes before a parameter (docs/rest-paths.md): /ops/echo and /ops/{name} are two.
      "no-ambiguous-paths": "off",
      // How a type is put is its author's: `required` in an `if`, an `anyOf` of one.
      "no-required-schema-properties-undefined": "off",
      "no-illogical-composition-keywords": "off",
      // What a description says is its author's, and shown as text.
      "no-unsafe-markdown": "off",
    },
  });
  const problems = await lintFromString({ source: text, absoluteRef: "openapi.json", config });
  const said = problems.map(
    ({ ruleId, severity, message, location }) => `${severity} ${ruleId}: ${message} ${location[0]?.pointer ?? ""}`,
  );
  expect(said).toEqual([]);
});

it("documentText() says what a call answers that is only kept", () => {
  expect(Object.keys(itemAt("/ops/double", "post").responses)).toEqual(["200", "202", "4XX", "default"]);
});

it.each([
  ["get", "/executions/{id}/events", "200", "text/event-stream"],
  ["get", "/artifacts/{id}", "200", "*/*"],
  ["post", "/executions/{id}/replay", "202", "application/json"],
  ["post", "/executions/{id}/logs", "204", undefined],
])("documentText() says that %s %s answers %s %s", (method, path, status, type) => {
  const response = itemAt(path, method).responses[status];
  expect(response).toBeDefined();
  expect(Object.keys(response?.content ?? {})).toEqual(type === undefined ? [] : [type]);
});

it("documentText() lists the parameters of a route", () => {
  const names = itemAt("/executions", "get").parameters.map(({ name }) => name);
  expect(names).toEqual(["operation", "status", "trigger", "parent", "since", "until", "limit", "cursor"]);
});

it("documentText() shows the row's examples and no other", () => {
  expect(json(itemAt("/ops/double", "post").requestBody)).toEqual({ schema: {} });
  expect(json(itemAt("/ops/tree", "post").requestBody)?.examples).toEqual({ 1: { value: { of: "x" } } });
  expect(json(itemAt("/ops/many", "post").requestBody)?.examples).toEqual({
    1: { summary: "one", value: ["a"] },
    2: { value: ["b"] },
  });
  expect(json(itemAt("/ops/many", "post").responses["200"])?.examples).toEqual({
    1: { summary: "one", value: [{ ok: true, output: 1 }] },
  });
});

it("documentText() has one item for a path, whoever answers its methods and whatever its parameters are called", () => {
  expect(Object.keys(paths["/people/{person_id}"] ?? {})).toEqual(["get", "patch", "delete"]);
  expect(itemAt("/people/{person_id}", "delete")).toMatchObject({
    operationId: "people_drop:path",
    parameters: [{ name: "person_id", in: "path", required: true, schema: { type: "integer" } }],
  });
});

it("documentText() says which members stand in path, query and body", () => {
  const { parameters } = itemAt("/people/{person_id}", "get");
  expect(parameters).toEqual([
    {
      name: "person_id",
      in: "path",
      required: true,
      description: "Which person",
      schema: PERSON.properties.person_id,
      example: 7,
    },
    { name: "tags", in: "query", required: true, schema: PERSON.properties.tags, example: ["a"] },
    { name: "near", in: "query", content: { "application/json": { schema: PERSON.properties.near } } },
  ]);
  const { tags, near } = PERSON.properties;
  expect(itemAt("/people/{person_id}", "patch").requestBody).toEqual({
    required: true,
    content: {
      "application/json": {
        schema: { type: "object", properties: { tags, near }, required: ["tags"], additionalProperties: false },
      },
    },
  });
  expect(itemAt("/people/{person_id}", "delete").requestBody).toBeUndefined();
  expect(itemAt("/acts/{a}", "get").parameters.map(({ name }) => name)).toEqual(["a", "input"]);
});

it("documentText() makes a component of a type with references, and leads them into it", () => {
  expect(json(itemAt("/ops/tree", "post").requestBody)?.schema).toEqual({ $ref: "#/components/schemas/tree.input" });
  expect(components.schemas["tree.input"]).toMatchObject({
    $ref: "#/components/schemas/tree.input/$defs/node",
    $defs: { node: { properties: { self: { $ref: "#/components/schemas/tree.input" } } } },
  });
  expect(components.schemas["formal.input"]).toMatchObject({ properties: { $ref: { type: "string" } } });
  expect(json(itemAt("/ops/identified", "post").requestBody)?.schema).toEqual({
    description: expect.stringContaining("GET /ops/identified") as string,
    "x-schema": expect.stringContaining('"$anchor":"b"') as string,
  });
});
