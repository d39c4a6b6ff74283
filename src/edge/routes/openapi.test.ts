import { validate } from "@hyperjump/json-schema/openapi-3-1";
import { expect, it } from "vitest";
import type { ClosedOperation } from "../../registry/describe.ts";
import { ROUTES } from "../routes.ts";
import { openApiDocument } from "./openapi.ts";

type Item = { parameters: { name: string; in: string }[]; responses: Record<string, { content?: object }> };

const operation: ClosedOperation = {
  name: "double",
  description: "",
  group: "demo",
  revision: 3,
  digest: "d",
  isAsync: false,
  batch: false,
  annotations: null,
  input: true,
  output: true,
};
const document = openApiDocument([operation], { version: "1", server: "http://x", nextCursor: null, routes: ROUTES });
const paths = document["paths"] as Record<string, Record<string, Item>>;

it("openApiDocument() is OpenAPI 3.1, with every route", async () => {
  const verdict = await validate("https://spec.openapis.org/oas/3.1/schema-base", document as never, "BASIC");
  expect(verdict).toMatchObject({ valid: true });
  const described = Object.values(paths).flatMap((methods) => Object.keys(methods));
  expect(described).toHaveLength(ROUTES.length + 1);
});

it("openApiDocument() says what a call answers that is only kept", () => {
  expect(Object.keys(paths["/ops/double"]?.["post"]?.responses ?? {})).toEqual(["200", "202", "default"]);
});

it.each([
  ["get", "/executions/{id}/events", "200", "text/event-stream"],
  ["get", "/artifacts/{id}", "200", "*/*"],
  ["post", "/executions/{id}/replay", "202", "application/json"],
  ["post", "/executions/{id}/logs", "204", undefined],
])("openApiDocument() says that %s %s answers %s %s", (method, path, status, type) => {
  const response = paths[path]?.[method]?.responses[status];
  expect(response).toBeDefined();
  expect(Object.keys(response?.content ?? {})).toEqual(type === undefined ? [] : [type]);
});

it("openApiDocument() lists the parameters of a route", () => {
  const names = paths["/executions"]?.["get"]?.parameters.map(({ name }) => name);
  expect(names).toEqual(["operation", "status", "trigger", "parent", "since", "until", "limit", "cursor"]);
});
