/**
 * Whole documents: those of the folder samples, which a linter of other people finds in order, the albums of examples/, and the one that
 * the platform writes of itself. What is made of them can be stored: each type is one, and each manifest fits its kind.
 */
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { createConfig, lintFromString } from "@redocly/openapi-core";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { documentText } from "../../src/edge/openapi/document.ts";
import { pieceOf } from "../../src/edge/openapi/operation-item.ts";
import { ROUTES } from "../../src/edge/routes.ts";
import { requestOf } from "../../src/adapters/service/request.ts";
import type { ProvidedBy } from "../../src/model/services.ts";
import { checkRequest } from "../../src/registry/kinds/operation-request.ts";
import { readDocument } from "../manifests/load.ts";
import { importing, type Operations } from "./_import.test-util.ts";
import type { Json } from "./_obstacle.ts";
import { openDocuments } from "./documents.ts";
import { importOpenApi } from "./import-openapi.ts";

const ALBUMS = path.resolve("examples/albums");
const SAMPLES = path.join(import.meta.dirname, "samples");
const FILES = [
  ...readdirSync(SAMPLES).map((name) => path.join(SAMPLES, name)),
  path.join(ALBUMS, "openapi/albums.yaml"),
];

async function read(file: string, service?: string): Promise<Operations> {
  const documents = openDocuments(readFileSync(file, "utf8"), file, path.dirname(file));
  const imported = await importOpenApi(documents, { exposure: "api", prefix: "", service });
  const operations = imported.manifests.filter(({ kind }) => kind === "operation");
  return { ...imported, operations: Object.fromEntries(operations.map((each) => [each["name"] as string, each])) };
}

describe.each(FILES)("%s", (file) => {
  it("is in order, as others see it", async () => {
    // One operation has no id on purpose, and no server of theirs is there.
    const rules = { "operation-operationId": "off", "no-server-example.com": "off" } as const;
    const config = await createConfig({ extends: ["recommended"], rules });
    const problems = await lintFromString({ source: readFileSync(file, "utf8"), absoluteRef: file, config });
    expect(problems.map(({ ruleId, message }) => `${ruleId}: ${message}`)).toEqual([]);
  });

  it("makes manifests that fit", async () => {
    const { manifests } = await read(file, "some_service");
    expect(manifests.length).toBeGreaterThan(2);
    const documents = manifests.map((manifest) => readDocument(manifest, { source: file, folder: "." }));
    for (const { kind, name, content } of documents) {
      if (kind !== "operation") continue;
      const request = content["provided_by"] as ProvidedBy;
      checkRequest(name, request, content["input_type"] as Json);
      for (const { input } of content["examples"] as { input: unknown }[]) requestOf(request, input, name);
    }
  });
});

it("examples/albums/operations.yaml is what is made of the document beside it", async () => {
  const documents = openDocuments(readFileSync(path.join(ALBUMS, "openapi/albums.yaml"), "utf8"), "albums");
  const { manifests, skipped, notes } = await importOpenApi(documents, {
    exposure: "albums",
    prefix: "",
    group: "albums",
  });
  const written = parseAllDocuments(readFileSync(path.join(ALBUMS, "operations.yaml"), "utf8"));
  expect(manifests).toEqual(written.map((each) => each.toJS() as Json));
  expect({ skipped, notes }).toEqual({ skipped: [], notes: [] });
});

describe("the kennel, OpenAPI 3.0", () => {
  it("says what is not carried over", async () => {
    const { skipped, notes } = await read(path.join(SAMPLES, "kennel-3.0.yaml"));
    expect(skipped).toEqual([
      "GET /dogs/{dogId}/picture: its answer 200 is image/png, and only JSON and text can be read",
      "PUT /dogs/{dogId}/picture: its body is multipart/form-data, and only JSON can be sent",
    ]);
    const pattern =
      /^(GET|POST) \/dogs(\/\{dogId\})?: left out of its (in|out)put type: .*chip\/pattern, which must be a pattern/;
    expect(notes.filter((note) => pattern.test(note)).length).toBeGreaterThan(2);
    expect(notes.filter((note) => !pattern.test(note))).toEqual([
      'its server is at "/api/v1": the exposure "api" must have that as its base_path',
      'GET /dogs: the query parameter "sort" is a text here, with commas between its items',
      'GET /dogs: left out: the cookie parameter "session" is a cookie, and no request has one',
      'left out: security "keeper" (oauth2) of 5 operations; no credentials are sent',
    ]);
  });

  it("has the operations that remain", async () => {
    const { operations } = await read(path.join(SAMPLES, "kennel-3.0.yaml"));
    expect(Object.keys(operations)).toEqual(["find_dogs", "add_dog", "get_dog", "let_dog_go", "order_food"]);
    expect(operations["find_dogs"]).toMatchObject({
      description: "Dogs",
      provided_by: { exposure: "api", method: "GET", path: "/dogs", headers: { "X-Trace": "x_trace" } },
      input_type: {
        properties: {
          breed: { type: "array", items: { type: "string" } },
          sort: { type: "string" },
          "page[size]": { type: "integer", default: 20 },
          "page[after]": { type: ["string", "null"] },
          x_trace: { type: "string" },
        },
      },
      output_type: { type: "array", items: { $ref: "#/$defs/Dog" } },
    });
    const { add_dog: add, order_food: order } = operations;
    expect(add).toMatchObject({ input_type: { required: ["name"] }, output_type: { required: ["id", "name"] } });
    expect(add?.["examples"]).toEqual([
      {
        input: { name: "Rex", breed: "collie", weight: 12.5 },
        output: { id: 7, name: "Rex", breed: "collie", weight: 12.5, owner: null },
      },
    ]);
    expect(order).toMatchObject({
      input_type: { properties: { kilograms: { type: "number", exclusiveMinimum: 0 } } },
      output_type: { type: "string" },
    });
  });
});

describe("a request that is made of an input", () => {
  it.each<[sample: string, operation: string, input: Json, request: Json]>([
    [
      "kennel-3.0.yaml",
      "find_dogs",
      { breed: ["collie", "terrier"], sort: "name,id", "page[size]": 5, "page[after]": null, x_trace: "t" },
      {
        method: "GET",
        path: "/dogs?breed=collie&breed=terrier&sort=name%2Cid&page%5Bsize%5D=5",
        headers: { "x-trace": "t" },
      },
    ],
    ["kennel-3.0.yaml", "let_dog_go", { dogId: 7 }, { method: "DELETE", path: "/dogs/7" }],
    ["kennel-3.0.yaml", "add_dog", { name: "Rex" }, { method: "POST", path: "/dogs", body: '{"name":"Rex"}' }],
    [
      "shop-3.1.yaml",
      "place_order",
      { dry: true, lines: [], payment: { by: "invoice" } },
      { method: "POST", path: "/orders?dry=true", body: '{"lines":[],"payment":{"by":"invoice"}}' },
    ],
    [
      "shop-3.1.yaml",
      "change_order",
      { id: "1", body: { id: "2", note: null } },
      { method: "PATCH", path: "/orders/1", body: '{"id":"2","note":null}' },
    ],
    [
      "shop-3.1.yaml",
      "get_catalogue",
      { sku: ["a"], near: { lat: 1, lon: 2 } },
      { method: "GET", path: "/catalogue?sku=a&near=%7B%22lat%22%3A1%2C%22lon%22%3A2%7D" },
    ],
  ])("is that of the document: %s, %s", async (sample, operation, input, request) => {
    const file = path.join(SAMPLES, sample);
    const { operations } = await read(file);
    const { content } = readDocument(operations[operation], { source: file, folder: "." });
    expect(requestOf(content["provided_by"] as ProvidedBy, input, operation)).toMatchObject(request);
  });
});

describe("the shop, OpenAPI 3.1", () => {
  it("has everything but what only others do", async () => {
    const { skipped, notes, operations } = await read(path.join(SAMPLES, "shop-3.1.yaml"));
    expect(skipped).toEqual([]);
    expect(notes).toEqual([
      'POST /orders: left out: the header parameter "Idempotency-Key", which the platform sets itself',
      "POST /orders: left out: its callbacks",
      "PATCH /orders/{id}: its body is application/merge-patch+json and is sent as application/json",
    ]);
    expect(operations["place_order"]).toMatchObject({
      provided_by: { exposure: "api", method: "POST", path: "/orders", query: ["dry"] },
      input_type: {
        required: ["lines", "payment"],
        properties: {
          dry: { type: "boolean", default: false },
          lines: {},
          note: {},
          payment: { $ref: "#/$defs/Payment" },
        },
      },
      output_type: { description: "What was ordered", allOf: [{ $ref: "#/$defs/NewOrder" }, {}] },
      examples: [{ summary: "By card" }],
    });
    expect(operations["change_order"]).toMatchObject({
      provided_by: { path: "/orders/{id}", body: "body" },
      input_type: { required: ["id", "body"], additionalProperties: false },
      output_type: { anyOf: [{ $ref: "#/$defs/Order" }, { type: "null" }] },
    });
    expect(operations["get_catalogue"]).toMatchObject({ input_type: { required: ["sku"] } });
  });
});

describe("the platform's own document", () => {
  const POINT = {
    type: "object",
    properties: { x: { type: "integer" } },
    required: ["x"],
    additionalProperties: false,
  };
  const TREE = {
    $ref: "#/$defs/node",
    $defs: { node: { type: "object", properties: { of: { $ref: "#/$defs/node" } }, required: ["of"] } },
  };
  const DATED = { "x-assert-formats": true, type: "object", properties: { at: { type: "string", format: "date" } } };
  const LIST = { type: "array", items: { type: "integer" } };
  const pieces = (
    Object.entries({
      double: [POINT, LIST],
      grow: [TREE, TREE],
      dated: [DATED, POINT],
      listed: [LIST, { type: "null" }],
    }) as [string, unknown[]][]
  ).map(([name, [input, output]]) =>
    pieceOf({
      name,
      description: `${name} it\n\nAnd more.`,
      group: "demo",
      revision: 1,
      isAsync: false,
      batch: false,
      path: name === "double" ? "PUT /points/{x}" : null,
      annotations: null,
      examples: name === "double" ? [{ summary: "two", input: { x: 2 }, output: [2] }] : [],
      input: JSON.stringify(input),
      output: JSON.stringify(output),
    }),
  );
  const text = documentText(pieces, {
    version: "1",
    server: "http://127.0.0.1:8787",
    nextCursor: null,
    routes: ROUTES,
  });

  it("comes back as it went out", async () => {
    const { operations, skipped } = await importing(JSON.parse(text) as Json, { prefix: "far_" });
    expect(operations["far_double"]).toMatchObject({
      description: "double it\n\nAnd more.",
      provided_by: { exposure: "api", method: "POST", path: "/ops/double" },
      input_type: POINT,
      output_type: LIST,
      examples: [{ summary: "two", input: { x: 2 }, output: [2] }],
    });
    expect(operations["far_double_path"]).toMatchObject({
      provided_by: { method: "PUT", path: "/points/{x}" },
      input_type: POINT,
    });
    expect(operations["far_dated"]).toMatchObject({ input_type: DATED });
    expect(operations["far_listed"]).toMatchObject({
      input_type: { properties: { body: LIST } },
      output_type: { type: "null" },
    });
    const node = { type: "object", properties: { of: { $ref: "#/$defs/node" } }, required: ["of"] };
    expect(operations["far_grow"]?.["input_type"]).toEqual({ ...node, $defs: { node } });
    // Its own routes that answer no JSON.
    expect(
      skipped.filter(
        (line) =>
          !/its answer 200 is text\/event-stream|its body is|its answer 200 is application\/octet-stream/.test(line),
      ),
    ).toEqual([]);
  });
});
