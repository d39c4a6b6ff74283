/** Inputs, however hostile, as requests: each stays on the path of its row. */
import { describe, expect, it } from "vitest";
import { SwitchyardError } from "../../core/errors.ts";
import type { ProvidedBy } from "../../model/services.ts";
import { requestOf } from "./request.ts";

function row(changes: Partial<ProvidedBy>): ProvidedBy {
  return { exposure: "albums", method: "GET", path: "/albums", query: [], headers: {}, body: null, ...changes };
}

function made(changes: Partial<ProvidedBy>, input: unknown): { path: string; body: unknown } {
  const { path, body } = requestOf(row(changes), input, "tested");
  return { path, body: body === undefined ? undefined : JSON.parse(body) };
}

describe("requestOf() puts fields where the row says", () => {
  it.each<[string, Partial<ProvidedBy>, unknown, string, unknown?]>([
    [
      "a GET's into the query",
      {},
      { artist: "Low", year: 2001, live: false },
      "/albums?artist=Low&year=2001&live=false",
    ],
    ["a DELETE's into the query", { method: "DELETE" }, { force: true }, "/albums?force=true"],
    ["a HEAD's into the query", { method: "HEAD" }, { a: "" }, "/albums?a="],
    ["a POST's into the body", { method: "POST" }, { title: "x", tags: ["a"] }, "/albums", { title: "x", tags: ["a"] }],
    ["path and rest", { method: "PUT", path: "/albums/{id}" }, { id: 7, title: "x" }, "/albums/7", { title: "x" }],
    [
      "one field as the body, the rest as query",
      { method: "POST", body: "doc" },
      { doc: [1], v: 2 },
      "/albums?v=2",
      [1],
    ],
    ["a body that is null", { method: "POST", body: "doc" }, { doc: null }, "/albums", null],
    ["a body that is not there", { method: "POST", body: "doc" }, {}, "/albums", undefined],
    ["a POST without fields as an empty object", { method: "POST" }, {}, "/albums", {}],
    ["no input as no fields", { method: "POST" }, null, "/albums", {}],
    [
      "what the row wants in a POST's query",
      { method: "POST", query: ["dry"] },
      { dry: true, a: 1 },
      "/albums?dry=true",
      { a: 1 },
    ],
    ["a list as the key again and again", {}, { tag: ["a", "b"] }, "/albums?tag=a&tag=b"],
    ["an empty list as nothing", {}, { tag: [] }, "/albums"],
    ["null as nothing", {}, { tag: null, of: [null, 1] }, "/albums?of=1"],
    ["objects as JSON", {}, { by: { a: 1 } }, "/albums?by=%7B%22a%22%3A1%7D"],
    ["lists in lists as JSON", {}, { by: [[1, 2]] }, "/albums?by=%5B1%2C2%5D"],
    ["two in one segment", { path: "/{a}-{b}.json" }, { a: "x", b: 1 }, "/x-1.json"],
    ["a list in the path with commas", { path: "/{ids}" }, { ids: [1, "a,b"] }, "/1,a%2Cb"],
    ["an input that is no object as the body", { method: "POST" }, [1, 2], "/albums", [1, 2]],
    ["a text as the body", { method: "POST" }, "x", "/albums", "x"],
  ])("%s", (_what, changes, input, path, body) => {
    expect(made(changes, input)).toEqual({ path, body });
  });

  it("headers in lower case, and none for what is null or missing", () => {
    const headers = { "X-Tenant": "tenant", "X-Count": "count", "X-Tags": "tags", "X-Gone": "gone", "X-Null": "none" };
    const input = { tenant: "acme", count: 3, tags: ["a", "b"], none: null };
    expect(requestOf(row({ headers }), input, "tested")).toEqual({
      method: "GET",
      path: "/albums",
      headers: {
        accept: expect.stringContaining("application/json") as string,
        "x-tenant": "acme",
        "x-count": "3",
        "x-tags": "a, b",
      },
    });
  });

  it("and says that a body is JSON", () => {
    expect(requestOf(row({ method: "POST" }), {}, "tested").headers["content-type"]).toBe("application/json");
    expect(requestOf(row({}), {}, "tested").headers).not.toHaveProperty("content-type");
  });
});

describe("requestOf() keeps hostile values inside their place", () => {
  const BASE = "http://replica.test/base";
  it.each([
    "../admin",
    "..%2Fadmin",
    "a/../../b",
    "?admin=1",
    "#x",
    "%2F",
    "%00",
    "\\..\\x",
    "//evil.test",
    "a b",
    "a\r\nX: y",
    "ü☃😀",
    "%",
    "&a=b",
    ";",
    "@evil.test",
    "{id}",
    "%2e%2e",
  ])("%j in path and query", (hostile) => {
    const { path } = requestOf(row({ path: "/albums/{id}/tracks" }), { id: hostile, q: hostile }, "tested");
    const url = new URL(`${BASE}${path}`);
    expect(url.host).toBe("replica.test");
    expect(url.pathname.split("/")).toHaveLength(5);
    expect(decodeURIComponent(url.pathname.split("/")[3] ?? "")).toBe(hostile);
    expect([...url.searchParams]).toEqual([["q", hostile]]);
    expect(url.hash).toBe("");
  });

  it.each<[string, Partial<ProvidedBy>, unknown, string]>([
    ["a path's field that is missing", { path: "/{id}" }, {}, "/id"],
    ["one that is inherited", { path: "/{toString}" }, {}, "/toString"],
    ["null", { path: "/{id}" }, { id: null }, "/id"],
    ["an object", { path: "/{id}" }, { id: {} }, "/id"],
    ["an empty text", { path: "/{id}" }, { id: "" }, "/id"],
    ["an empty list", { path: "/{id}" }, { id: [] }, "/id"],
    ["a list with null", { path: "/{id}" }, { id: [1, null] }, "/id"],
    ["one dot", { path: "/{id}" }, { id: "." }, "/id"],
    ["two dots", { path: "/a/{id}" }, { id: ".." }, "/id"],
    ["half of a character in the path", { path: "/{id}" }, { id: "\ud800" }, "/id"],
    ["half of a character in the query", {}, { q: "\udc00" }, "/q"],
    ["a header with a line break", { headers: { "X-A": "a" } }, { a: "x\r\nSet-Cookie: y" }, "/a"],
    ["a header with a null", { headers: { "X-A": "a" } }, { a: "\0" }, "/a"],
    ["a header that is not ASCII", { headers: { "X-A": "a/b" } }, { "a/b": "ü" }, "/a~1b"],
    ["an input without fields for a GET", {}, "x", ""],
    ["an input without fields for a path that has some", { method: "POST", path: "/{id}" }, [1], ""],
    ["a query without end", {}, { q: "x".repeat(100_000) }, ""],
  ])("refuses %s", (_what, changes, input, pointer) => {
    let thrown: unknown;
    try {
      requestOf(row(changes), input, "tested");
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SwitchyardError);
    expect(thrown).toMatchObject({ code: "input_invalid", errors: [{ pointer }] });
  });
});
