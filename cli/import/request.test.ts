/** Parameters and bodies: which fields the input has, and where each goes in the request. */
import { describe, expect, it } from "vitest";
import { importOne, jsonBody } from "./_import.test-util.ts";
import type { Json } from "./_obstacle.ts";

const TEXT = { type: "string" };
const NUMBER = { type: "integer" };
const query = (name: string, more: Json = {}): Json => ({ name, in: "query", schema: TEXT, ...more });
const header = (name: string, more: Json = {}): Json => ({ name, in: "header", schema: TEXT, ...more });
const inPath = (name: string, more: Json = {}): Json => ({ name, in: "path", required: true, schema: TEXT, ...more });
const LIST = { type: "array", items: NUMBER };
const POINT = { type: "object", properties: { x: NUMBER, y: NUMBER }, required: ["x"] };

/** The input's fields with what is demanded and what may stand beside, and the request without its exposure. */
async function read(line: string, operation: Json, more: Json = {}) {
  const { input_type: type, provided_by: request, notes, skipped } = await importOne(line, operation, more);
  const { exposure: _, ...providedBy } = (request ?? {}) as Json;
  return { type: type as Json, request: providedBy, notes, skipped };
}

type Case = [what: string, line: string, operation: Json, type: Json, request: Json, notes?: string[]];

describe("an operation's parameters", () => {
  it.each<Case>([
    ["none", "GET /a", {}, { properties: {}, additionalProperties: false }, { method: "GET", path: "/a" }],
    ["none of a POST", "POST /a", {}, { properties: {}, additionalProperties: false }, { method: "POST", path: "/a" }],
    [
      "path and query",
      "GET /a/{id}",
      { parameters: [inPath("id", { schema: NUMBER }), query("q"), query("r", { required: true })] },
      { properties: { id: NUMBER, q: TEXT, r: TEXT }, required: ["id", "r"], additionalProperties: false },
      { method: "GET", path: "/a/{id}" },
    ],
    [
      "the query of a POST",
      "POST /a",
      { parameters: [query("q"), query("r")] },
      { properties: { q: TEXT, r: TEXT }, additionalProperties: false },
      { method: "POST", path: "/a", query: ["q", "r"] },
    ],
    [
      "headers",
      "GET /a",
      { parameters: [header("X-Request-ID", { required: true })] },
      { properties: { x_request_id: TEXT }, required: ["x_request_id"], additionalProperties: false },
      { method: "GET", path: "/a", headers: { "X-Request-ID": "x_request_id" } },
    ],
    [
      "what the platform sends itself",
      "GET /a",
      { parameters: [header("Accept", { required: true }), header("Idempotency-Key")] },
      { properties: {}, additionalProperties: false },
      { method: "GET", path: "/a" },
      [
        'GET /a: left out: the header parameter "Accept", which the platform sets itself',
        'GET /a: left out: the header parameter "Idempotency-Key", which the platform sets itself',
      ],
    ],
    [
      "one name in three places",
      "GET /a/{id}",
      { parameters: [inPath("id", { schema: NUMBER }), query("id"), header("id")] },
      {
        properties: { path_id: NUMBER, id: TEXT, header_id: TEXT },
        required: ["path_id"],
        additionalProperties: false,
      },
      { method: "GET", path: "/a/{path_id}", headers: { id: "header_id" } },
    ],
    [
      "a parameter that only the path has",
      "GET /a/{id}.json",
      {},
      { properties: { id: TEXT }, required: ["id"], additionalProperties: false },
      { method: "GET", path: "/a/{id}.json" },
    ],
    [
      "a list",
      "GET /a",
      { parameters: [query("ids", { schema: LIST })] },
      { properties: { ids: LIST }, additionalProperties: false },
      { method: "GET", path: "/a" },
    ],
    [
      "a list in one text",
      "GET /a",
      { parameters: [query("ids", { schema: LIST, explode: false, description: "Which" })] },
      { properties: { ids: { type: "string", description: "commas between items" } }, additionalProperties: false },
      { method: "GET", path: "/a" },
      ['GET /a: the query parameter "ids" is a text here, with commas between its items'],
    ],
    [
      "a list with bars",
      "GET /a",
      { parameters: [query("ids", { schema: LIST, style: "pipeDelimited" })] },
      { properties: { ids: { type: "string", description: "| between items" } }, additionalProperties: false },
      { method: "GET", path: "/a" },
      ['GET /a: the query parameter "ids" is a text here, with | between its items'],
    ],
    [
      "an object spread over the query",
      "GET /a",
      { parameters: [query("near", { schema: POINT, required: true })] },
      { properties: { x: NUMBER, y: NUMBER }, required: ["x"], additionalProperties: true },
      { method: "GET", path: "/a" },
    ],
    [
      "one that has no more",
      "GET /a",
      { parameters: [query("near", { schema: { ...POINT, additionalProperties: false } })] },
      { properties: { x: NUMBER, y: NUMBER }, additionalProperties: false },
      { method: "GET", path: "/a" },
    ],
    [
      "one in brackets",
      "GET /a",
      { parameters: [query("near", { schema: POINT, style: "deepObject", explode: true })] },
      { properties: { "near[x]": NUMBER, "near[y]": NUMBER }, additionalProperties: false },
      { method: "GET", path: "/a" },
    ],
    [
      "one as JSON",
      "GET /a",
      { parameters: [{ name: "near", in: "query", content: { "application/json": { schema: POINT } } }] },
      { properties: { near: POINT }, additionalProperties: false },
      { method: "GET", path: "/a" },
    ],
    [
      "lists in path and header",
      "GET /a/{ids}",
      { parameters: [inPath("ids", { schema: LIST }), header("Ids", { schema: LIST })] },
      { properties: { ids: LIST, header_ids: LIST }, required: ["ids"], additionalProperties: false },
      { method: "GET", path: "/a/{ids}", headers: { Ids: "header_ids" } },
    ],
    [
      "its own description",
      "GET /a",
      { parameters: [query("q", { description: "What for" })] },
      { properties: { q: { type: "string", description: "What for" } }, additionalProperties: false },
      { method: "GET", path: "/a" },
    ],
    [
      "what is optional and a cookie",
      "GET /a",
      { parameters: [{ name: "c", in: "cookie", schema: TEXT }] },
      { properties: {}, additionalProperties: false },
      { method: "GET", path: "/a" },
      ['GET /a: left out: the cookie parameter "c" is a cookie, and no request has one'],
    ],
  ])("%s", async (_, line, operation, type, request, notes = []) => {
    expect(await read(line, operation)).toEqual({ type: { type: "object", ...type }, request, notes, skipped: [] });
  });

  it.each<[operation: Json, reason: string, line?: string]>([
    [
      { parameters: [{ name: "c", in: "cookie", required: true }] },
      'the cookie parameter "c" is a cookie, and no request has one',
    ],
    [
      { parameters: [{ name: "é", in: "header", required: true }] },
      'the header parameter "é" has a name that no header may have here',
    ],
    [
      { parameters: [inPath("id", { style: "matrix" })] },
      'the path parameter "id" is written as matrix of string',
      "GET /a/{id}",
    ],
    [
      { parameters: [inPath("id", { schema: POINT })] },
      'the path parameter "id" is written as simple of object',
      "GET /a/{id}",
    ],
    [
      { parameters: [query("q", { schema: POINT, explode: false, required: true })] },
      'the query parameter "q" is an object written as form',
    ],
    [
      { parameters: [query("q", { schema: { type: "object", minProperties: 1 }, required: true })] },
      'the query parameter "q" is more than a list of members',
    ],
    [
      { parameters: [query("q", { schema: { type: "object" }, style: "deepObject", required: true })] },
      'the query parameter "q" does not say what it has',
    ],
    [
      { parameters: [{ name: "q", in: "query", required: true, content: { "application/json": { schema: LIST } } }] },
      'the query parameter "q" is written as application/json of array',
    ],
    [
      { parameters: [{ name: "q", in: "query", required: true, content: { "text/csv": { schema: TEXT } } }] },
      'the query parameter "q" is written as text/csv of string',
    ],
    [
      { parameters: [{ $ref: "#/components/parameters/Nothing" }] },
      'the reference "#/components/parameters/Nothing" must lead somewhere; it does not',
    ],
    [
      { parameters: [inPath("id", { schema: false })] },
      'its request cannot be stored: each field that it names must be one that the input type can have; "id" is none',
      "GET /a/{id}",
    ],
    [{ parameters: [query("__proto__")] }, 'a field must have another name than "__proto__"'],
    [
      { parameters: Array.from({ length: 65 }, (_, at) => query(`q${at}`)) },
      "its request cannot be stored: query Invalid length: Expected <=64 but received 65",
      "POST /a",
    ],
    [{}, "its path must begin with / and have no query", "GET /a?b=c"],
    [{}, "no operation has the method OPTIONS", "OPTIONS /a"],
  ])("stand in the way: %j", async (operation, reason, line = "GET /a") => {
    expect(await read(line, operation)).toMatchObject({ skipped: [`${line}: ${reason}`] });
  });

  it("of the path hold for all of its operations, and give way to those of one", async () => {
    const paths = {
      "/a/{id}": {
        parameters: [inPath("id"), query("q"), { $ref: "#/components/parameters/R" }],
        get: { operationId: "op", parameters: [query("q", { schema: NUMBER })], responses: {} },
      },
    };
    const { type } = await read("GET /x", {}, { paths, components: { parameters: { R: query("r") } } });
    expect(type["properties"]).toEqual({ id: TEXT, q: NUMBER, r: TEXT });
  });
});

describe("an operation's body", () => {
  const closed = { ...POINT, additionalProperties: false };

  it.each<Case>([
    ["an object's members", "POST /a", jsonBody(POINT), POINT, { method: "POST", path: "/a" }],
    [
      "those beside parameters",
      "PUT /a/{id}",
      { parameters: [inPath("id"), query("q")], ...jsonBody(closed) },
      { properties: { id: TEXT, q: TEXT, x: NUMBER, y: NUMBER }, required: ["id", "x"], additionalProperties: false },
      { method: "PUT", path: "/a/{id}", query: ["q"] },
    ],
    [
      "those of all that it is made of",
      "POST /a",
      {
        parameters: [query("q")],
        ...jsonBody({ allOf: [POINT, { properties: { z: NUMBER }, required: ["z"] }], description: "A place" }),
      },
      { description: "A place", properties: { q: TEXT, x: NUMBER, y: NUMBER, z: NUMBER }, required: ["x", "z"] },
      { method: "POST", path: "/a", query: ["q"] },
    ],
    [
      "a header gives way",
      "POST /a",
      { parameters: [header("x")], ...jsonBody(closed) },
      { properties: { header_x: TEXT, x: NUMBER, y: NUMBER }, required: ["x"], additionalProperties: false },
      { method: "POST", path: "/a", headers: { x: "header_x" } },
    ],
    [
      "a member that the path has too",
      "PUT /a/{x}",
      { parameters: [inPath("x")], ...jsonBody(POINT) },
      { properties: { x: TEXT, body: POINT }, required: ["x", "body"], additionalProperties: false },
      { method: "PUT", path: "/a/{x}", body: "body" },
    ],
    [
      "a member that the query has too",
      "PUT /a",
      { parameters: [query("y"), query("body")], ...jsonBody(POINT) },
      {
        properties: { y: TEXT, body: TEXT, request_body: POINT },
        required: ["request_body"],
        additionalProperties: false,
      },
      { method: "PUT", path: "/a", query: ["y", "body"], body: "request_body" },
    ],
    [
      "a list",
      "POST /a",
      jsonBody(LIST),
      { properties: { body: LIST }, required: ["body"], additionalProperties: false },
      { method: "POST", path: "/a", body: "body" },
    ],
    [
      "anything",
      "POST /a",
      jsonBody(undefined),
      { properties: { body: true }, required: ["body"], additionalProperties: false },
      { method: "POST", path: "/a", body: "body" },
    ],
    [
      "one that may be left out",
      "POST /a",
      jsonBody(POINT, {}),
      { properties: { body: POINT }, additionalProperties: false },
      { method: "POST", path: "/a", body: "body" },
    ],
    [
      "one that may be left out and be empty",
      "POST /a",
      jsonBody({ type: "object", properties: { x: NUMBER } }, {}),
      { properties: { x: NUMBER } },
      { method: "POST", path: "/a" },
    ],
    [
      "an object that is one of two",
      "POST /a",
      jsonBody({ type: "object", oneOf: [{ required: ["a"] }, { required: ["b"] }] }),
      { oneOf: [{ required: ["a"] }, { required: ["b"] }] },
      { method: "POST", path: "/a" },
    ],
    [
      "the same beside a parameter",
      "POST /a",
      { parameters: [query("q")], ...jsonBody({ type: "object", minProperties: 1 }) },
      {
        properties: { q: TEXT, body: { type: "object", minProperties: 1 } },
        required: ["body"],
        additionalProperties: false,
      },
      { method: "POST", path: "/a", query: ["q"], body: "body" },
    ],
    [
      "a kind of JSON",
      "PATCH /a",
      { requestBody: { required: true, content: { "application/merge-patch+json": { schema: closed } } } },
      closed,
      { method: "PATCH", path: "/a" },
      ["PATCH /a: its body is application/merge-patch+json and is sent as application/json"],
    ],
    [
      "JSON among others",
      "POST /a",
      {
        requestBody: { required: true, content: { "multipart/form-data": {}, "application/json": { schema: closed } } },
      },
      closed,
      { method: "POST", path: "/a" },
    ],
    [
      "one that may be left out and is no JSON",
      "POST /a",
      { requestBody: { content: { "text/csv": {} } } },
      { properties: {}, additionalProperties: false },
      { method: "POST", path: "/a" },
      ["POST /a: left out: its body is text/csv, and only JSON can be sent"],
    ],
    [
      "that of a DELETE",
      "DELETE /a",
      { requestBody: { content: { "application/json": {} } } },
      { properties: {}, additionalProperties: false },
      { method: "DELETE", path: "/a" },
      ["DELETE /a: left out: a DELETE can have no body here"],
    ],
    [
      "a query that has more",
      "POST /a",
      { parameters: [query("near", { schema: POINT })], ...jsonBody(LIST) },
      { properties: { x: NUMBER, y: NUMBER, body: LIST }, required: ["body"], additionalProperties: true },
      { method: "POST", path: "/a", query: ["x", "y"], body: "body" },
    ],
    [
      "a query that would have more",
      "POST /a",
      { parameters: [query("near", { schema: POINT })], ...jsonBody({ type: "object", properties: { b: TEXT } }) },
      { properties: { x: NUMBER, y: NUMBER, b: TEXT } },
      { method: "POST", path: "/a", query: ["x", "y"] },
      ["POST /a: left out: further parameters of the query, which would go into the body"],
    ],
  ])("%s", async (_, line, operation, type, request, notes = []) => {
    expect(await read(line, operation)).toEqual({ type: { type: "object", ...type }, request, notes, skipped: [] });
  });

  it.each<[operation: Json, line: string, reason: string]>([
    [
      { requestBody: { required: true, content: { "multipart/form-data": {}, "application/xml": {} } } },
      "POST /a",
      "its body is multipart/form-data, application/xml, and only JSON can be sent",
    ],
    [
      { requestBody: { required: true, content: { "application/json": {} } } },
      "DELETE /a",
      "a DELETE can have no body here",
    ],
    [{ requestBody: { $ref: "#/nowhere" } }, "POST /a", 'the reference "#/nowhere" must lead somewhere; it does not'],
  ])("stands in the way: %j of %s", async (operation, line, reason) => {
    expect(await read(line, operation)).toMatchObject({ skipped: [`${line}: ${reason}`] });
  });

  it("is described by what it refers to", async () => {
    const body = { requestBody: { $ref: "#/components/requestBodies/B" } };
    const content = { "application/json": { schema: { $ref: "#/components/schemas/S" } } };
    const { type } = await read("POST /a", body, {
      components: { requestBodies: { B: { required: true, content } }, schemas: { S: closed } },
    });
    expect(type).toEqual(closed);
  });
});
