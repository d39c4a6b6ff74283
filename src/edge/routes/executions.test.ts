import { describe, expect, it } from "vitest";
import {
  ARTIFACT_ID,
  codeOf,
  endedPlatform,
  fakePlatform,
  ID,
  line,
  POST,
  UNKNOWN_ID,
  VIEW,
} from "../_fake-platform.node.ts";

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

describe("rights", () => {
  const cases = RIGHTS.flatMap(([method, path, statuses]) =>
    Object.entries(statuses).map(([as, status]) => [method, path, as, status] as const),
  );
  it.each(cases)("%s %s as %s answers %i", async (method, path, as, status) => {
    const { request } = endedPlatform();
    expect((await request(method, path, { as, ...(method === "POST" ? POST : {}) })).status).toBe(status);
  });

  it.each(RIGHTS.filter(([, path, statuses]) => path.includes(ID) && statuses["other"] === 404))(
    "%s %s tells a stranger the same as for an id that is not there",
    async (method, path) => {
      const { request, calls } = endedPlatform();
      const init = method === "POST" ? POST : {};
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
      const response = await endedPlatform().request("GET", `/executions/${id}`);
      expect([response.status, await codeOf(response)]).toEqual([404, "entity_not_found"]);
    },
  );
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
    const response = await endedPlatform().request("GET", path);
    expect(response.headers.get("execution-id")).toBe(ID);
    expect([response.headers.get("content-type"), await response.text()]).toEqual(["application/json", '{"n":4}']);
  });

  it("answers the problem that it ended with", async () => {
    const fake = endedPlatform("dead");
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
    const fake = endedPlatform();
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
