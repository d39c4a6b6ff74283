import { describe, expect, it } from "vitest";
import { ARTIFACT_ID, codeOf, fakePlatform, ID, UNKNOWN_ID, VIEW } from "../_fake-platform.node.ts";

async function running() {
  const fake = fakePlatform();
  return { ...fake, as: await fake.capability() };
}

describe("a running handler", () => {
  const own = { "caller-execution": ID };
  const report = { attempt: 1, first: 0, lines: [{ level: "info", message: "hello", at_ms: 3 }] };
  const json = { ...own, "content-type": "application/json" };

  it.each([
    ["GET", `/executions/${ID}`, 200],
    ["GET", `/executions/${ID}/output`, 409],
    ["POST", `/executions/${ID}/cancel`, 200],
    ["GET", `/artifacts/${ARTIFACT_ID}`, 200],
    ["GET", "/executions", 403],
    ["GET", "/artifacts", 403],
    ["GET", `/executions/${ID}/input`, 403],
    ["GET", `/executions/${ID}/logs`, 403],
    ["GET", `/executions/${ID}/events`, 403],
    ["POST", `/executions/${ID}/replay`, 403],
    ["GET", "/registry/operations", 403],
    ["GET", "/openapi.json", 403],
  ])("%s %s answers %i", async (method, path, status) => {
    const { request, as } = await running();
    expect((await request(method, path, { as, headers: own })).status).toBe(status);
  });

  it("is kept out by the route table, not by its scopes", async () => {
    const { request, capability } = fakePlatform();
    const response = await request("GET", "/executions", { as: await capability("everything"), headers: own });
    expect([response.status, await response.text()]).toEqual([403, expect.stringContaining("through ctx")]);
  });

  it("stores an artifact of its execution", async () => {
    const { request, as, calls } = await running();
    const response = await request("POST", `/executions/${ID}/artifacts?name=a%20b.csv&content_type=text/csv`, {
      as,
      headers: own,
      body: "a,b,c",
    });
    expect(response.status).toBe(201);
    expect(response.headers.get("location")).toBe(`/artifacts/${ARTIFACT_ID}`);
    expect(await response.json()).toEqual({ artifact_id: ARTIFACT_ID, sha256: "a".repeat(64), size_bytes: 5 });
    expect(calls).toEqual([["putArtifact", ID, { name: "a b.csv", contentType: "text/csv", text: "a,b,c" }]]);
  });

  it("may store nothing at all, and leave name and media type out", async () => {
    const { request, as, calls } = await running();
    await request("POST", `/executions/${ID}/artifacts`, { as, headers: own });
    expect(calls).toEqual([
      ["putArtifact", ID, { name: "artifact", contentType: "application/octet-stream", text: "" }],
    ]);
  });

  it("may store an artifact in a synchronous call, which has no record before its end", async () => {
    const { request, as, calls } = await running();
    const headers = { "caller-execution": UNKNOWN_ID };
    expect((await request("POST", `/executions/${UNKNOWN_ID}/artifacts?name=a`, { as, headers })).status).toBe(201);
    expect(calls).toHaveLength(1);
  });

  it.each([
    ["a name that is empty", "?name=", {}, 400],
    ["a name with a line feed", "?name=a%0Ab", {}, 400],
    ["a name too long", `?name=${"a".repeat(256)}`, {}, 400],
    ["a media type that is none", "?name=a&content_type=text", {}, 400],
    ["a media type with a header in it", "?name=a&content_type=text/csv%0D%0Ax:y", {}, 400],
    ["an unknown parameter", "?name=a&type=text/csv", {}, 400],
    ["more than fits", "?name=a", { "content-length": "6000000000" }, 413],
    ["another's execution", "?name=a", { "caller-execution": UNKNOWN_ID }, 403],
    ["no execution of its own", "?name=a", { "caller-execution": "" }, 403],
  ])("cannot store an artifact with %s", async (_, query, headers, status) => {
    const { request, as, calls } = await running();
    const response = await request("POST", `/executions/${ID}/artifacts${query}`, {
      as,
      headers: { ...own, ...headers },
    });
    expect(response.status).toBe(status);
    expect(calls).toEqual([]);
  });

  it("cannot claim that what is no execution is its own", async () => {
    const { request, as, calls } = await running();
    const headers = { "caller-execution": "nonsense" };
    const response = await request("POST", "/executions/unknown/artifacts?name=a", { as, headers });
    expect([response.status, calls]).toEqual([403, []]);
  });

  it("adds lines to its log", async () => {
    const { request, as, calls } = await running();
    const response = await request("POST", `/executions/${ID}/logs`, {
      as,
      headers: json,
      body: JSON.stringify(report),
    });
    expect([response.status, await response.text()]).toEqual([204, ""]);
    expect(calls).toEqual([["appendLogs", ID, report]]);
  });

  it.each([
    [{}],
    [[]],
    [null],
    [{ ...report, attempt: 0 }],
    [{ ...report, first: -1 }],
    [{ ...report, first: 0.5 }],
    [{ ...report, lines: [] }],
    [{ ...report, lines: Array.from({ length: 300 }, () => report.lines[0]) }],
    [{ ...report, lines: [{ ...report.lines[0], level: "loud" }] }],
    [{ ...report, lines: [{ ...report.lines[0], message: "x".repeat(10_000) }] }],
    [{ ...report, more: 1 }],
  ])("cannot add %j", async (body) => {
    const { request, as, calls } = await running();
    const response = await request("POST", `/executions/${ID}/logs`, { as, headers: json, body: JSON.stringify(body) });
    expect([response.status, await codeOf(response), calls]).toEqual([400, "bad_request", []]);
  });

  it.each(["logs", "artifacts?name=a"])("cannot add to what has ended, or to another principal's: %s", async (what) => {
    const { request, as, state, calls, capability } = await running();
    const init = { headers: json, body: JSON.stringify(report) };
    const foreign = await request("POST", `/executions/${ID}/${what}`, { ...init, as: await capability("other") });
    expect([foreign.status, await codeOf(foreign)]).toEqual([404, "entity_not_found"]);
    state.view = { ...VIEW, status: "cancelled" };
    const late = await request("POST", `/executions/${ID}/${what}`, { ...init, as });
    expect([late.status, await codeOf(late)]).toEqual([409, "execution_final"]);
    expect(calls).toEqual([]);
  });
});
