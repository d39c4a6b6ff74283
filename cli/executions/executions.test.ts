/** opctl's words for executions: listed, shown, followed, cancelled, replayed, completed. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import { idOf, logEvent, logLine, stateEvent, viewOf } from "../testing/fake-executions.ts";
import { opctlOnFake } from "../testing/opctl-on-fake.ts";

// Each test starts several processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 60_000 });

const fake = opctlOnFake();
const ID = idOf(1);

describe("opctl get", () => {
  test("lists executions by their conditions", async () => {
    fake.platform.executions.views.set(
      ID,
      viewOf(1, {
        status: "dead",
        attempt: 4,
        started_at: "2026-11-22T09:00:01Z",
        finished_at: "2026-11-22T09:03:21Z",
      }),
    );
    const run = await fake.opctl(
      "get",
      "executions",
      "--operation",
      "slow",
      "--status",
      "dead",
      "--trigger",
      "token",
      "--since",
      "2h",
    );
    expect(run.stdout).toBe(
      `ID${" ".repeat(31)}OPERATION  STATUS  ATTEMPT  ACCEPTED                  TOOK\n${ID}  slow       dead    4        2026-11-22T09:00:00.000Z  3 min 20 s\n`,
    );
    const query = new URL(fake.platform.seen[0]?.path ?? "", fake.platform.url).searchParams;
    expect(Object.fromEntries(query)).toMatchObject({
      operation: "slow",
      status: "dead",
      trigger: "token",
      limit: "50",
    });
    const since = Date.now() - Date.parse(query.get("since") ?? "");
    expect(since).toBeGreaterThanOrEqual(7_200_000);
    expect(since).toBeLessThan(7_260_000);
  });

  test("follows the cursors up to --limit, and says that there are more", async () => {
    for (let n = 1; n <= 9; n++) fake.platform.executions.views.set(idOf(n), viewOf(n));
    fake.platform.executions.page = 2;
    const run = await fake.opctl("get", "executions", "--limit", "5", "-a", "id", "--json");
    expect(JSON.parse(run.stdout)).toEqual([1, 2, 3, 4, 5].map((n) => ({ id: idOf(n) })));
    expect(run.stderr).toContain("There are more");
  });

  test("shows one execution for people: its course, its error, what it belongs to", async () => {
    const error = { code: "implementation_failed", detail: "boom" } as const;
    const times = { started_at: "2026-11-22T09:00:00.000Z", finished_at: "2026-11-22T09:00:01.500Z" };
    fake.platform.executions.views.set(
      ID,
      viewOf(1, {
        status: "retrying",
        attempt: 1,
        attempts: [{ attempt: 1, environment: "inline", end: "failed", error, ...times }],
        next_attempt_at: "2026-11-22T09:00:05.000Z",
        parent: idOf(7),
        replay_of: idOf(8),
        replayed_by: [idOf(9)],
        steps: [{ operation: "echo", execution_id: idOf(5), status: "succeeded" }],
        output: { artifact_id: "ar_00_1", sha256: "abc", size_bytes: 12 },
      }),
    );
    const { code, stdout } = await fake.opctl("get", "execution", ID);
    expect(code).toBe(0);
    expect(stdout).toContain(`execution ${ID}\nslow@1, retrying\n`);
    expect(stdout).toMatch(/next attempt {2}2026-11-22T09:00:05.000Z/);
    expect(stdout).toMatch(/1 +failed +inline +2026-11-22T09:00:00.000Z +1.5 s +implementation_failed: boom/);
    expect(stdout).toMatch(/1 +echo +succeeded/);
    for (const told of [idOf(7), idOf(8), idOf(9), idOf(5), "ar_00_1, 12 bytes, sha256 abc", "token tok_1"]) {
      expect(stdout).toContain(told);
    }
    expect(JSON.parse((await fake.opctl("get", "execution", ID, "--json")).stdout)).toMatchObject({
      id: ID,
      attempt: 1,
    });
  });

  test.each([
    [["get", "execution"], "Did you mean `opctl get executions`?"],
    [["get", "excutions"], 'Did you mean "executions"?'],
    [["get", ID], `opctl get execution ${ID}`],
    [["describe", ID], `opctl describe execution ${ID}`],
    [["get", "execution", "echo"], "opctl get executions --operation echo"],
    [["get", "execution", ID, "--status", "dead"], "Cannot use --status"],
    [["get", "executions", "--status", "ded"], "queued, running"],
    [["get", "executions", "--filter", "a=b"], "Cannot use --filter with executions"],
    [["get", "operations", "--status", "dead"], "Cannot use --status with operations"],
    [["get", "artifacts", "--status", "dead"], "Cannot use --status"],
    [["get", "artifact", "ar_00_1"], "opctl artifact get ar_00_1"],
    [["logs"], "`opctl get executions` lists the ids."],
    [["cancel", "ar_00_1"], "opctl artifact get ar_00_1"],
    [["artifact", "get", ID], `opctl get artifacts --execution ${ID}`],
  ])("%j is refused with %s", async (words, text) => {
    expect(await fake.opctl(...words)).toMatchObject({ code: 2, stdout: "", stderr: expect.stringContaining(text) });
    expect(fake.platform.seen).toEqual([]);
  });
});

test("opctl describe execution shows input, output and the end of the log", async () => {
  fake.end(ID, '{"n":1}');
  fake.platform.executions.inputs.set(ID, '{"n":0}');
  fake.platform.executions.logs.set(
    ID,
    Array.from({ length: 25 }, (_, n) => logLine(n + 1)),
  );
  fake.platform.executions.page = 10;
  const { stdout } = await fake.opctl("describe", "execution", ID);
  expect(stdout).toContain('Input\n  {"n":0}\n\nOutput\n  {"n":1}\n\nLog\n  … 5 before');
  expect(stdout).not.toMatch(/line 5$/m);
  expect(stdout).toMatch(/line 6$[^]*line 25$/m);
});

describe("opctl logs", () => {
  test("prints every page; the attempts where there are more", async () => {
    fake.platform.executions.views.set(ID, viewOf(1, { status: "running", attempt: 2 }));
    fake.platform.executions.logs.set(ID, [logLine(1), logLine(2, { level: "error" }), logLine(3, { attempt: 2 })]);
    fake.platform.executions.page = 2;
    const { stdout } = await fake.opctl("logs", ID);
    expect(stdout).toBe("09:00:01.250  #1  line 1\n09:00:01.250  #1  error  line 2\n09:00:01.250  #2  line 3\n");
  });

  test("--follow --json goes on to the end, one object a line", async () => {
    fake.platform.executions.views.set(ID, viewOf(1));
    fake.platform.executions.events = [
      logEvent(1, logLine(1)),
      logEvent(1, logLine(2)),
      stateEvent(2, viewOf(1, { status: "succeeded" })),
    ];
    const run = await fake.opctl("logs", ID, "--follow", "--json");
    expect(run).toMatchObject({ code: 0, stderr: "" });
    expect(
      run.stdout
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { seq: number }).seq),
    ).toEqual([1, 2]);
  });
});

test("opctl cancel cancels all that can be, and exits by the first that cannot", async () => {
  fake.platform.executions.views.set(idOf(1), viewOf(1, { status: "succeeded" }));
  fake.platform.executions.views.set(idOf(2), viewOf(2, { status: "running" }));
  const run = await fake.opctl("cancel", idOf(1), idOf(2));
  expect(run.code).toBe(5);
  expect(run.stderr).toContain("(execution_final)");
  expect(run.stderr).toContain(`execution ${idOf(2)}: cancelled`);
});

describe("opctl replay", () => {
  beforeEach(() => {
    fake.platform.executions.views.set(ID, viewOf(1, { status: "dead", revision: 2 }));
    fake.platform.operations.set("slow", { inputSchema: true, run: () => 1, async: true, revision: 3 });
  });

  test("says that there is a newer revision than the one it runs", async () => {
    const run = await fake.opctl("replay", ID);
    expect(run.stdout).toBe(`{"execution_id":"${idOf(2)}"}\n`);
    expect(run.stderr).toContain("slow has revision 3; this replays revision 2. --revision latest runs the newest.");
    expect(fake.platform.seen.at(-1)).toMatchObject({ path: `/executions/${ID}/replay`, body: "{}" });
  });

  test.each([
    ["latest", '{"revision":"latest"}'],
    ["3", '{"revision":3}'],
  ])("--revision %s sends %s and waits", async (revision, body) => {
    fake.platform.before = ({ path: route }) => {
      if (route.endsWith("/output")) fake.end(idOf(2), "1");
    };
    expect(await fake.opctl("replay", ID, "--revision", revision, "--wait")).toEqual({
      code: 0,
      stdout: "1\n",
      stderr: "",
    });
    expect(fake.platform.seen[0]).toMatchObject({ method: "POST", body });
  });

  test("goes on when the operation is gone or may not be looked at", async () => {
    fake.platform.operations.clear();
    expect(await fake.opctl("replay", ID, "--quiet")).toMatchObject({ code: 0, stderr: "" });
  });
});

test.each([
  [["get", "exec"], "execution\nexecutions\n"],
  [["edit", "exec"], ""],
  [["get", "executions", "--status", "r"], "refused\nretrying\nrunning\n"],
  [["get", "executions", "--operation", "d"], "demo\n"],
  [["logs", "ex_"], `${ID}\n`],
  [["cancel", ID, "ex_"], `${ID}\n`],
  [["describe", "execution", "ex_"], `${ID}\n`],
  [["artifact", "g"], "get\n"],
  [["call", "slow", "--id"], "--idempotency-key\n"],
])("completes %j", async (words, expected) => {
  fake.platform.put("operation", { name: "demo" });
  fake.platform.executions.views.set(ID, viewOf(1));
  expect((await fake.opctl("__complete", "--", ...words)).stdout).toBe(expected);
});
