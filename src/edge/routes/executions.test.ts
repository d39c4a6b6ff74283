import { describe, expect, it } from "vitest";
import { SwitchyardError } from "../../core/errors.ts";
import type { ExecutionStatus } from "../../model/execution.ts";
import { ARTIFACT_ID, fakePlatform, ID, line, UNKNOWN_ID, VIEW } from "../_fake-platform.node.ts";

/** What each may do: 200 and its like, 403, or 404 as for an id that is nobody's. */
const RIGHTS: [string, string, Record<string, number>][] = [
  ["GET", "/executions", { owner: 403, other: 403, reader: 200, writer: 200 }],
  ["GET", "/artifacts", { owner: 403, other: 403, reader: 200, writer: 200 }],
  ["GET", `/executions/${ID}`, { owner: 200, other: 404, reader: 200, writer: 200 }],
  ["GET", `/executions/${ID}/input`, { owner: 200, other: 404, reader: 200, writer: 200 }],
  ["GET", `/executions/${ID}/output`, { owner: 200, other: 404, reader: 200, writer: 200 }],
  ["GET", `/executions/${ID}/logs`, { owner: 200, other: 404, reader: 200, writer: 200 }],
  ["GET", `/executions/${ID}/events`, { owner: 200, other: 404, reader: 200, writer: 200 }],
  ["GET", `/artifacts/${ARTIFACT_ID}`, { owner: 200, other: 404, reader: 200, writer: 200 }],
  ["POST", `/executions/${ID}/cancel`, { owner: 200, other: 404, reader: 403, writer: 200 }],
  // A writer may replay what it may also invoke.
  ["POST", `/executions/${ID}/replay`, { owner: 202, other: 404, reader: 403, writer: 403, everything: 202 }],
  ["POST", `/executions/${ID}/artifacts?name=a`, { owner: 403, other: 403, reader: 403, writer: 403 }],
  ["POST", `/executions/${ID}/logs`, { owner: 403, other: 403, reader: 403, writer: 403 }],
];

function ended(status: ExecutionStatus = "succeeded") {
  const fake = fakePlatform();
  fake.state.view = { ...VIEW, status };
  fake.state.output = '{"n":4}';
  fake.state.input = '{"n":2}';
  return fake;
}

const post = { body: "{}", headers: { "content-type": "application/json" } };

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { code: string }).code;
}

async function running() {
  const fake = fakePlatform();
  return { ...fake, as: await fake.capability() };
}

async function replay(body: string, fake = ended()) {
  const response = await fake.request("POST", `/executions/${ID}/replay`, {
    headers: { ...post.headers, traceparent: VIEW.traceparent },
    body,
  });
  return { response, calls: fake.calls };
}

describe("rights", () => {
  const cases = RIGHTS.flatMap(([method, path, statuses]) =>
    Object.entries(statuses).map(([as, status]) => [method, path, as, status] as const),
  );
  it.each(cases)("%s %s as %s answers %i", async (method, path, as, status) => {
    const { request } = ended();
    expect((await request(method, path, { as, ...(method === "POST" ? post : {}) })).status).toBe(status);
  });

  it.each(RIGHTS.filter(([, path, statuses]) => path.includes(ID) && statuses["other"] === 404))(
    "%s %s tells a stranger the same as for an id that is not there",
    async (method, path) => {
      const { request, calls } = ended();
      const init = method === "POST" ? post : {};
      const foreign = await request(method, path, { as: "other", ...init });
      const unknown = await request(method, path.replace(ID, UNKNOWN_ID), init);
      expect(unknown.status).toBe(404);
      expect((await foreign.text()).replaceAll(ID, UNKNOWN_ID)).toBe(await unknown.text());
      expect(Object.fromEntries(foreign.headers)).toEqual(Object.fromEntries(unknown.headers));
      expect(calls).toEqual([]);
    },
  );

  it.each(["nonsense", "ex_03", "%00", encodeURIComponent("../health"), "x".repeat(2_000)])(
    "no execution has the id %j",
    async (id) => {
      const response = await ended().request("GET", `/executions/${id}`);
      expect([response.status, await codeOf(response)]).toEqual([404, "entity_not_found"]);
    },
  );
});

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

describe("GET /executions", () => {
  it("asks for what the parameters say", async () => {
    const { request, calls } = fakePlatform();
    const query = `operation=double&status=succeeded&trigger=execution&parent=${ID}&since=2026-11-22T10:00:00%2B01:00&until=1795345200000&limit=7&cursor=abc`;
    const response = await request("GET", `/executions?${query}`, { as: "reader" });
    expect(await response.json()).toEqual({ items: [VIEW], next_cursor: null });
    const since = Date.parse("2026-11-22T09:00:00Z");
    expect(calls).toEqual([
      [
        "list",
        {
          operation: "double",
          status: "succeeded",
          trigger: "execution",
          parent: ID,
          since,
          until: 1_795_345_200_000,
          limit: 7,
          cursor: "abc",
        },
      ],
    ]);
    await request("GET", "/executions", { as: "reader" });
    expect(calls[1]).toEqual(["list", { limit: 100 }]);
  });

  it.each([
    ["/executions?operation=Double", "operation"],
    ["/executions?status=done", "status"],
    ["/executions?trigger=cron", "trigger"],
    ["/executions?parent=7", "parent"],
    ["/executions?since=yesterday", "since"],
    ["/executions?since=2026-11-22", "since"],
    ["/executions?until=2026-13-45T00:00:00Z", "until"],
    ["/executions?since=-1", "since"],
    ["/executions?limit=0", "limit"],
    ["/executions?limit=1001", "limit"],
    ["/executions?limit=1e3", "limit"],
    ["/executions?state=dead", "did you mean status"],
    ["/executions?status=dead&status=failed", "be given once"],
    ["/executions?__proto__=1", "__proto__"],
    ["/artifacts?execution=7", "execution"],
    ["/artifacts?sha256=abc", "sha256"],
    ["/artifacts?status=dead", "status"],
    [`/executions/${ID}/logs?after=-1`, "after"],
    [`/executions/${ID}/logs?after=1&cursor=1`, "after and cursor"],
    [`/executions/${ID}/logs?limit=x`, "limit"],
  ])("%s is refused, and told why", async (path, reason) => {
    const { request, calls } = fakePlatform();
    const response = await request("GET", path, { as: "reader" });
    const problem = (await response.json()) as { code: string; detail: string; hint?: string };
    expect([response.status, problem.code, calls]).toEqual([400, "bad_request", []]);
    expect(`${problem.detail} ${problem.hint}`).toContain(reason);
  });
});

describe("GET /executions/:id/output", () => {
  const path = `/executions/${ID}/output`;

  it("answers the bare output", async () => {
    const response = await ended().request("GET", path);
    expect(response.headers.get("execution-id")).toBe(ID);
    expect([response.headers.get("content-type"), await response.text()]).toEqual(["application/json", '{"n":4}']);
  });

  it("answers the problem that it ended with", async () => {
    const fake = ended("dead");
    fake.state.view = { ...fake.state.view, error: { code: "timeout", detail: "Cannot wait any longer" } };
    const response = await fake.request("GET", path);
    expect(response.headers.get("execution-id")).toBe(ID);
    expect([response.status, await response.json()]).toEqual([
      504,
      expect.objectContaining({ code: "timeout", detail: "Cannot wait any longer" }),
    ]);
  });

  it("says when there is none yet, and waits only if asked to", async () => {
    const { request, calls, state } = fakePlatform();
    const now = await request("GET", path);
    expect([now.status, await codeOf(now), calls]).toEqual([409, "execution_unfinished", []]);
    const later = await request("GET", path, { headers: { prefer: "wait=2" } });
    expect([later.status, later.headers.get("preference-applied")]).toEqual([409, "wait=2"]);
    expect(calls).toEqual([["wait", 2_000]]);
    state.view = { ...VIEW, status: "succeeded" };
    state.output = "4";
    const done = await request("GET", path, { headers: { prefer: "wait=1000" } });
    expect([done.status, await done.text(), done.headers.get("preference-applied")]).toEqual([200, "4", "wait=300"]);
    expect(calls).toHaveLength(1);
  });

  it("waits for the end and answers what came of it", async () => {
    const fake = fakePlatform();
    fake.state.output = "4";
    fake.platform.executions.wait = async () => ({ ...VIEW, status: "succeeded" as const });
    const response = await fake.request("GET", path, { headers: { prefer: "wait=2" } });
    expect([response.status, await response.text()]).toEqual([200, "4"]);
    fake.platform.executions.wait = async () => undefined;
    expect((await fake.request("GET", path, { headers: { prefer: "wait=2" } })).status).toBe(404);
  });

  it.each(["input", "output"])("says that a synchronous call's %s is not kept", async (what) => {
    const fake = ended();
    fake.state.view = { ...fake.state.view, mode: "sync" };
    fake.state.output = fake.state.input = undefined;
    const response = await fake.request("GET", `/executions/${ID}/${what}`);
    expect([response.status, await response.text()]).toEqual([404, expect.stringContaining("synchronous")]);
  });
});

describe("GET /executions/:id/logs", () => {
  it("pages through the lines", async () => {
    const { request, state } = fakePlatform();
    state.logs = [1_000, 1_001, 1_002].map(line);
    const page = async (query: string): Promise<unknown> =>
      (await request("GET", `/executions/${ID}/logs?${query}`)).json();
    expect(await page("limit=2")).toEqual({ items: [line(1_000), line(1_001)], next_cursor: "1001" });
    expect(await page("limit=2&cursor=1001")).toEqual({ items: [line(1_002)], next_cursor: null });
    expect(await page("after=1000")).toEqual({ items: [line(1_001), line(1_002)], next_cursor: null });
    expect(await page("after=1002")).toEqual({ items: [], next_cursor: null });
  });
});

describe("POST /executions/:id/replay", () => {
  it.each([
    ["{}", { revision: 3 }, "same"],
    ['{"revision":2}', { revision: 2 }, 2],
    ['{"revision":"latest"}', {}, "latest"],
  ])("%s makes a new execution, if its operation may be called now", async (body, resolved, revision) => {
    const { response, calls } = await replay(body);
    expect([response.status, await response.json()]).toEqual([202, { execution_id: UNKNOWN_ID }]);
    expect(response.headers.get("location")).toBe(`/executions/${UNKNOWN_ID}`);
    expect(response.headers.get("execution-id")).toBe(UNKNOWN_ID);
    expect(calls).toEqual([
      ["resolve", "double", resolved],
      [
        "replay",
        {
          revision,
          principal: expect.objectContaining({ id: "owner" }),
          traceparent: expect.stringMatching(`^00-${"1".repeat(32)}-`),
        },
      ],
    ]);
  });

  it.each(['{"revision":0}', '{"revision":1.5}', '{"revision":"3"}', '{"revision":null}', '{"rev":3}', "[]", "null"])(
    "refuses %s",
    async (body) => {
      const { response, calls } = await replay(body);
      expect([response.status, await codeOf(response), calls]).toEqual([400, "bad_request", []]);
    },
  );

  it.each([
    [{ group: "elsewhere" }, 403, "forbidden"],
    [{ active: false }, 409, "operation_inactive"],
  ])("refuses an operation that may not be called now: %j", async (changes, status, code) => {
    const fake = ended();
    Object.assign(fake.state.operation, changes);
    const { response, calls } = await replay("{}", fake);
    expect([response.status, await codeOf(response)]).toEqual([status, code]);
    expect(calls.map(([name]) => name)).toEqual(["resolve"]);
  });
});

it("POST /executions/:id/cancel answers the record, or why it cannot be", async () => {
  const fake = fakePlatform();
  const response = await fake.request("POST", `/executions/${ID}/cancel`);
  expect([response.status, await response.json()]).toEqual([200, { ...VIEW, status: "cancelled" }]);
  fake.platform.executions.cancel = async () => {
    throw new SwitchyardError("execution_final", "Cannot cancel");
  };
  expect((await fake.request("POST", `/executions/${ID}/cancel`)).status).toBe(409);
});

describe("GET /artifacts/:id", () => {
  const path = `/artifacts/${ARTIFACT_ID}`;

  it.each(["*/*", "text/csv", "image/png"])(
    "answers the bytes to Accept: %s, so that no browser runs them",
    async (accept) => {
      const response = await fakePlatform().request("GET", path, { headers: { accept } });
      expect([response.status, await response.text()]).toEqual([200, "a,b,c"]);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "content-type": "text/csv",
        "content-length": "5",
        etag: `"${"a".repeat(64)}"`,
        "content-disposition": "attachment; filename*=UTF-8''sums%20of%202026.csv",
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
      });
    },
  );

  it.each([
    [`"${"a".repeat(64)}"`, 304],
    [`"x", W/"${"a".repeat(64)}"`, 304],
    ["*", 304],
    [`"${"b".repeat(64)}"`, 200],
  ])("to If-None-Match: %s answers %i", async (tag, status) => {
    const response = await fakePlatform().request("GET", path, { headers: { "if-none-match": tag } });
    expect(response.status).toBe(status);
    if (status === 304) expect(await response.text()).toBe("");
  });

  it("knows no other id", async () => {
    const response = await fakePlatform().request("GET", "/artifacts/ar_03", { as: "reader" });
    expect([response.status, await codeOf(response)]).toEqual([404, "entity_not_found"]);
  });
});
