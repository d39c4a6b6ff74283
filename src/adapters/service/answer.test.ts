/** Every sort of answer that a service may give, as the outcome of the call. */
import { expect, it } from "vitest";
import type { CompiledType } from "../../model/resolved.ts";
import { isTrouble, outcomeOf } from "./answer.ts";

const typeOf = (takes: (value: unknown) => boolean): CompiledType => ({
  schema: true,
  any: false,
  check: (value) =>
    takes(value)
      ? { ok: true, value, changed: false }
      : { ok: false, errors: [{ pointer: "", keyword: "type", detail: "" }] },
});
const TYPES = {
  any: typeOf(() => true),
  text: typeOf((value) => typeof value === "string"),
  number: typeOf((value) => typeof value === "number"),
  object: typeOf((value) => typeof value === "object"),
};
const JSON_TYPE = { "content-type": "application/json" };
const TEXT = { "content-type": "text/plain; charset=utf-8" };

function read(status: number, headers: Record<string, string>, text: string, type: keyof typeof TYPES = "any") {
  const asked = {
    operation: "tested",
    what: '"tested" at the service "albums"',
    nowMs: Date.parse("2030-01-01T00:00:00Z"),
  };
  return outcomeOf({ kind: "answer", status, headers: new Headers(headers), text }, { ...asked, output: TYPES[type] });
}

it.each<[number, Record<string, string>, string, keyof typeof TYPES, string]>([
  [200, JSON_TYPE, '{"a":1}', "any", '{"a":1}'],
  [201, {}, "[1]", "any", "[1]"],
  [204, {}, "", "any", "null"],
  [205, {}, "", "any", "null"],
  [200, JSON_TYPE, "", "any", "null"],
  [200, TEXT, "hello", "any", '"hello"'],
  [200, TEXT, "hello", "text", '"hello"'],
  [200, TEXT, "42", "any", '"42"'],
  [200, TEXT, "42", "number", "42"],
  [200, TEXT, '{"a":1}', "any", '{"a":1}'],
  [200, TEXT, '{"a":1}', "object", '{"a":1}'],
  [200, TEXT, '{"a":1}', "text", '"{\\"a\\":1}"'],
  [200, { "content-type": "text/csv" }, "a,b\n", "text", '"a,b\\n"'],
])("a %i %j with %j is an output where the type takes a %s", (status, headers, text, type, output) => {
  expect(read(status, headers, text, type)).toEqual({ ok: true, output, logs: [] });
});

it.each<[number, Record<string, string>, string, keyof typeof TYPES, Record<string, unknown>]>([
  [200, JSON_TYPE, "<html>", "any", { error: { code: "output_not_json" }, retry: { kind: "may" } }],
  [200, TEXT, "hello", "object", { error: { code: "output_not_json" } }],
  [
    404,
    { "content-type": "application/problem+json" },
    '{"title":"Gone","detail":"no album 7"}',
    "any",
    { error: { code: "implementation_failed", detail: "no album 7" }, retry: { kind: "never" } },
  ],
  [
    401,
    {},
    "who are you",
    "any",
    {
      error: { code: "implementation_failed", detail: expect.stringContaining("status 401: who are you") as string },
      retry: { kind: "never" },
    },
  ],
  [
    403,
    {},
    '{"error":{"message":"not yours"}}',
    "any",
    { error: { code: "implementation_failed", detail: "not yours" } },
  ],
  [
    422,
    {},
    '{"title":"bad"}',
    "any",
    { error: { code: "implementation_failed", detail: "bad" }, retry: { kind: "never" } },
  ],
  [500, {}, "", "any", { error: { code: "implementation_failed" }, retry: { kind: "may" } }],
  [502, {}, "", "any", { error: { code: "implementation_failed" }, retry: { kind: "may" } }],
  [
    503,
    { "retry-after": "7" },
    "",
    "any",
    { error: { code: "implementation_failed", after_ms: 7_000 }, retry: { kind: "after", after_ms: 7_000 } },
  ],
  [
    503,
    { "retry-after": "Tue, 01 Jan 2030 00:00:02 GMT" },
    "",
    "any",
    { error: { after_ms: 2_000 }, retry: { kind: "after", after_ms: 2_000 } },
  ],
  [
    429,
    { "retry-after": "3" },
    "",
    "any",
    {
      unstarted: true,
      error: { code: "environment_throttled", after_ms: 3_000 },
      retry: { kind: "after", after_ms: 3_000 },
    },
  ],
  [429, {}, "", "any", { unstarted: true, error: { code: "environment_throttled" }, retry: { kind: "may" } }],
  [413, {}, "", "any", { unstarted: true, error: { code: "payload_too_large" }, retry: { kind: "never" } }],
  [302, { location: "/login" }, "", "any", { error: { code: "environment_misconfigured" }, retry: { kind: "never" } }],
])("a %i %j with %j is a failure where the type takes a %s", (status, headers, text, type, failure) => {
  const outcome = read(status, headers, text, type);
  expect(outcome).toMatchObject({ ok: false, ...failure });
  if (failure["unstarted"] === undefined) expect(outcome).not.toHaveProperty("unstarted");
});

it("isTrouble() is what another replica may do better at", () => {
  expect([200, 404, 429, 500, 501, 502, 503, 504].filter((status) => isTrouble({ status }))).toEqual([502, 503, 504]);
});
