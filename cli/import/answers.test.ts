/** Answers: which of them the output type is made of, and what cannot be read. */
import { describe, expect, it } from "vitest";
import { importOne } from "./_import.test-util.ts";
import type { Json } from "./_obstacle.ts";

const A = { type: "object", properties: { a: { type: "string" } } };
const B = { type: "array", items: { type: "integer" } };
const json = (schema: unknown, more: Json = {}): Json => ({
  description: "",
  content: { "application/json": { schema, ...more } },
});
const as = (media: string): Json => ({ description: "", content: { [media]: { schema: { type: "string" } } } });
const NOTHING = { description: "" };
const NULL = { type: "null" };

describe("the output of an operation", () => {
  it.each<[what: string, responses: Json, output: unknown, notes?: string[]]>([
    ["JSON", { 200: json(A) }, A],
    ["nothing", { 204: NOTHING }, NULL],
    ["JSON or nothing", { 204: NOTHING, 200: json(A) }, { anyOf: [A, NULL] }],
    ["two sorts", { 201: json(B), 200: json(A) }, { anyOf: [A, B] }],
    ["the same twice", { 201: json(A), 200: json(A) }, A],
    ["a range", { "2XX": json(A) }, A],
    ["no refusal", { 404: json(B), default: json(B), 200: json(A) }, A],
    ["no promise", { 202: json(B), 200: json(A) }, A],
    ["a promise, where there is nothing else", { 202: json(B) }, B],
    ["anything", { 200: json(undefined) }, true],
    ["a text", { 200: as("text/plain; charset=utf-8") }, { type: "string" }],
    [
      "JSON rather than text",
      { 200: { description: "", content: { "text/html": {}, "application/json": { schema: A } } } },
      A,
    ],
    ["a sort of JSON", { 200: { description: "", content: { "application/hal+json": { schema: A } } } }, A],
    ["whatever there is", { 200: { description: "", content: { "*/*": { schema: A } } } }, A],
    ["unknown", { default: json(A) }, true, ["GET /a: it says nothing of its success: the output may be anything"]],
    [
      "JSON, and bytes at times",
      { 200: json(A), 206: as("application/pdf") },
      A,
      ["GET /a: left out: its answer 206 is application/pdf, and only JSON and text can be read"],
    ],
  ])("is %s", async (_, responses, output, notes = []) => {
    expect(await importOne("GET /a", { responses })).toMatchObject({ output_type: output, notes, skipped: [] });
  });

  it("of a HEAD is nothing", async () => {
    expect(await importOne("HEAD /a", { responses: { 200: json(A) } })).toMatchObject({ output_type: NULL });
  });

  it.each([
    ["application/xml", "its answer 200 is application/xml, and only JSON and text can be read"],
    ["application/octet-stream", "its answer 200 is application/octet-stream, and only JSON and text can be read"],
  ])("cannot be %s", async (media, reason) => {
    expect((await importOne("GET /a", { responses: { 200: as(media) } }))["skipped"]).toEqual([`GET /a: ${reason}`]);
  });

  it("is what a response refers to", async () => {
    const more = { components: { responses: { R: json({ $ref: "#/components/schemas/S" }) }, schemas: { S: A } } };
    const read = await importOne("GET /a", { responses: { 200: { $ref: "#/components/responses/R" } } }, more);
    expect(read).toMatchObject({ output_type: A });
  });
});
