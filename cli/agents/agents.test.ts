/** `opctl get agent`, `opctl plan` and `opctl seek` as a person runs them. */
import { describe, expect, test, vi } from "vitest";
import { viewOf } from "../testing/fake-executions.ts";
import { SwitchyardError } from "../../src/core/errors.ts";
import { opctlOnFake } from "../testing/opctl-on-fake.ts";
import { parseTarget, type AgentPlanView, type AgentStatusView } from "./api.ts";

// Each test starts processes; a busy machine takes its time.
vi.setConfig({ testTimeout: 60_000 });

const fake = opctlOnFake();

const PLANNED = { job: "plus_one", path: "/counters/a", params: {}, needs: [], of: [] };
const step = (id: number, over: object) => ({
  ...PLANNED,
  id,
  description: `a + ${id}`,
  status: "waiting" as const,
  execution_id: null,
  started_at: null,
  ended_at: null,
  error: null,
  ...over,
});
const STATUS: AgentStatusView = {
  name: "counters",
  active: true,
  phase: "running",
  reason: null,
  since: null,
  next_at: null,
  target: { counters: { a: 3 } },
  state: { counters: { a: 1 } },
  seek: 1,
  failures: 0,
  unmet: [],
  plan: {
    number: 2,
    steps: [
      step(0, { status: "succeeded", execution_id: "ex_1", started_at: "2026-01-01T00:00:00Z" }),
      step(1, { status: "started", execution_id: "ex_2", started_at: "2026-01-01T00:00:05Z" }),
      step(2, {}),
    ],
  },
  event: 9,
};

describe("opctl get agent", () => {
  test("shows what one is at: state, target, plan and last run", async () => {
    fake.platform.put("agent", { name: "counters", active: true, jobs: ["plus_one"] });
    fake.platform.answers.set("GET /agents/counters/status", STATUS);
    const run = await fake.opctl("get", "agent", "counters");
    expect(run).toMatchObject({ code: 0, stderr: "" });
    expect(
      run.stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.split(/ {2,}/)),
    ).toEqual([
      ["NAME", "ACTIVE", "PHASE", "TARGET", "STATE", "PLAN", "LAST_RUN", "LAST_STATUS"],
      [
        "counters",
        "true",
        "running",
        '{"counters":{"a":3}}',
        '{"counters":{"a":1}}',
        "2: 1 of 3 done",
        "ex_2",
        "started",
      ],
    ]);
    const json = JSON.parse((await fake.opctl("get", "agent", "counters", "--json")).stdout) as { meta: object };
    expect(json.meta).toMatchObject({ phase: "running", state: STATUS.state, target: STATUS.target, last_run: "ex_2" });
    // What can be applied again is the row alone.
    expect((await fake.opctl("get", "agent", "counters", "-o", "yaml")).stdout).not.toContain("phase");
  });

  test("of one that has done nothing has nothing to show for it", async () => {
    fake.platform.put("agent", { name: "counters", active: true, jobs: ["plus_one"] });
    const idle = { ...STATUS, phase: "idle", target: null, plan: null };
    fake.platform.answers.set("GET /agents/counters/status", idle);
    const { stdout } = await fake.opctl("get", "agent", "counters", "-a", "phase", "-a", "plan", "-a", "last_run");
    expect(stdout.trimEnd().split("\n")[1]?.split(/ {2,}/)).toEqual(["idle", "-", "-"]);
  });

  test("shows of a list the phase and plan of each, and why one cannot be told", async () => {
    for (const name of ["one", "two", "three"]) fake.platform.put("agent", { name, active: true, jobs: ["plus_one"] });
    fake.platform.answers.set("GET /agents/one/status", { ...STATUS, phase: "failed", reason: "gave up" });
    fake.platform.answers.set("GET /agents/three/status", { ...STATUS, phase: "idle", plan: null });
    const forbidden = new SwitchyardError("forbidden", "Cannot look at it");
    fake.platform.answers.set("GET /agents/two/status", forbidden);
    const { code, stdout } = await fake.opctl("get", "agents");
    expect(code).toBe(0);
    const rows = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    expect(rows.map((row) => [row[0], row[3], row[4]])).toEqual([
      ["NAME", "PHASE", "PLAN"],
      ["one", "failed", "2: 1 of 3 done"],
      ["two", "-", "-"],
      ["three", "idle", "-"],
    ]);
    const reasons = (await fake.opctl("get", "agents", "-a", "reason")).stdout.trimEnd().split("\n");
    expect(reasons).toEqual(["REASON", "gave up", "Cannot look at it", "-"]);
  });
});

test("opctl agent status says which sensor told nothing", async () => {
  const silent = { code: "handler_failed", detail: "/counters/a: it failed" };
  fake.platform.answers.set("GET /agents/counters/status", { ...STATUS, sensor_error: silent });
  const { stdout } = await fake.opctl("agent", "status", "counters");
  expect(stdout).toContain("sensor  handler_failed: /counters/a: it failed");
});

test("opctl agent status says what holds up a step under way", async () => {
  const failed = { code: "service_crash_looping", detail: "Cannot start it" } as const;
  const next = "2026-11-29T18:10:22.000Z";
  fake.platform.answers.set("GET /agents/counters/status", STATUS);
  fake.platform.executions.views.set("ex_2", viewOf(2, { attempt: 2, next_attempt_at: next, error: failed }));
  const { stdout } = await fake.opctl("agent", "status", "counters");
  expect(stdout).toContain(`\n2. queued, attempt 2, next attempt ${next}, service_crash_looping: Cannot start it\n`);
});

test("opctl agent status says whole why a step failed, with the first places that did not fit", async () => {
  const detail = `Cannot call "echo" with this input: ${"it must fit the input type; ".repeat(5)}it breaks it in 5 places`;
  const errors = ["/a", "/b", "", "/d", "/e"].map((pointer) => ({ pointer, keyword: "type", detail: "must be text" }));
  const failed = step(0, { status: "failed", error: { code: "input_invalid", detail, errors } });
  const plan = { number: 1, steps: [failed, step(1, {})] };
  fake.platform.answers.set("GET /agents/counters/status", { ...STATUS, plan });
  const { stdout } = await fake.opctl("agent", "status", "counters");
  const places = "/a: must be text; /b: must be text; (the whole): must be text; and 2 more";
  expect(stdout).toContain(`\n1. input_invalid: ${detail}; ${places}\n`);
  expect(stdout).toMatch(/failed +- +input_invalid\n/);
});

describe("opctl agent stop", () => {
  const directed = { ...STATUS, plan: undefined };
  const busy = { ...STATUS, plan: { number: 1, steps: [0, 1, 2, 3, 4].map((id) => step(id, { status: "started" })) } };
  const stopped = { ...STATUS, phase: "stopped" };
  const how = "; to cancel it: opctl agent stop counters --cancel\n";
  test.each<[string, object, string[], string]>([
    ["a step under way", STATUS, [], `stopping: waits for 2. a + 1${how}`],
    ["many", busy, [], `stopping: waits for 1. a + 0, 2. a + 1, 3. a + 2, 2 more${how}`],
    ["one that may not be looked at", directed, [], `stopping: waits for what runs${how}`],
    ["a cancelled step", STATUS, ["--cancel"], "stopping: cancels 2. a + 1\n"],
    ["nothing", stopped, [], ""],
  ])("says what it waits for: %s", async (_what, status, words, stderr) => {
    fake.platform.answers.set("POST /agents/counters/stop", status);
    expect(await fake.opctl("agent", "stop", "counters", ...words)).toMatchObject({ code: 0, stderr });
  });
});

describe("opctl plan", () => {
  const plan: AgentPlanView = {
    reached: false,
    steps: [],
    makespan: 0,
    unmet: [],
    bound: null,
    notes: ["A note."],
    sentences: ["Not reached: /a should be 1; it is 2."],
    mermaid: "graph LR",
  };

  test("--why asks for what was tried, and prints it below the plan", async () => {
    const decisions = ["search 1", "  for /a: plus_one at /a: its condition does not hold"];
    fake.platform.answers.set("POST /agents/counters/plan", { ...plan, decisions });
    const run = await fake.opctl("plan", "counters", "-t", '{"a": 1}', "--why");
    expect(run).toMatchObject({ code: 1, stdout: [...plan.sentences, ...plan.notes, ...decisions, ""].join("\n") });
    expect(JSON.parse(fake.platform.seen.at(-1)?.body ?? "")).toEqual({ target: { a: 1 }, trace: true });
  });

  test("--why adds nothing where nothing was tried", async () => {
    fake.platform.answers.set("POST /agents/counters/plan", { ...plan, decisions: [] });
    const run = await fake.opctl("plan", "counters", "-t", '{"a": 1}', "--why");
    expect(run.stdout).toBe([...plan.sentences, ...plan.notes, ""].join("\n"));
  });

  test("without --why asks for no more than the plan", async () => {
    fake.platform.answers.set("POST /agents/counters/plan", { ...plan, reached: true });
    const run = await fake.opctl("plan", "counters", "-t", '{"a": 1}');
    expect(run).toMatchObject({ code: 0, stdout: [...plan.sentences, ...plan.notes, ""].join("\n") });
    expect(JSON.parse(fake.platform.seen.at(-1)?.body ?? "")).toEqual({ target: { a: 1 }, trace: false });
  });
});

describe("opctl seek", () => {
  const seek = { name: "counters", seek: 1, event: 4, active: false };

  test.each([[["--wait"], 1] as const, [[], 0] as const])(
    "says how an agent goes on that rests (%j), and does not wait for it",
    async (words, code) => {
      fake.platform.answers.set("POST /agents/counters/seek", seek);
      const run = await fake.opctl("seek", "counters", "-t", "{}", ...words);
      expect(run.code).toBe(code);
      expect(run.stderr).toContain("starts nothing: its row says active: false");
      expect(run.stderr).toContain("opctl edit agent counters -s active=true");
    },
  );
});

test("a target that nests too deep is refused in few words", () => {
  expect(() => parseTarget("[".repeat(10_000) + "]".repeat(10_000))).toThrow(
    /^Cannot read --target .{0,300}must be JSON/,
  );
});
