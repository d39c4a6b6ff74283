import { describe, expect, it } from "vitest";
import { FakeJobs } from "../../test/contracts/fake-jobs.ts";
import { Cancellation } from "../core/cancellation.ts";
import { splitFrame } from "../model/frame.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Implementation } from "../model/resolved.ts";
import { unstarted, type AdapterCall } from "./adapter.ts";
import { runJob, type JobDriver, type JobOptions, type JobState } from "./job.ts";

const MODULE: Implementation = { kind: "module", sha256: "a".repeat(64), export: "handler", language: "javascript" };
const CONTAINER: Implementation = { kind: "container", image: "team/thumb:1", command: null };
const OK_FRAME = '{"ok":true,"logs":[]}\n{"n":2}';
const LOST: Outcome = {
  ok: false,
  error: { code: "executor_lost", detail: "the task is gone" },
  retry: { kind: "may" },
  logs: [],
};

type SetUp = { implementation?: Implementation; timeoutMs?: number; cancellation?: Cancellation } & JobOptions;

class World {
  readonly jobs = new FakeJobs();
  readonly done: string[] = [];
  state: JobState | "unknown" = { kind: "running" };
  /** What each start comes to, in their order; then it starts. */
  starts: (Outcome | Error)[] = [];
  /** By so much the platform's clock was put forward. */
  aheadMs = 0;

  readonly driver: JobDriver = {
    start: async ({ id }) => {
      this.done.push(`start ${id}`);
      const next = this.starts.shift();
      if (next instanceof Error) throw next;
      return next ?? { handle: `task of ${id}` };
    },
    look: async (handle) => {
      this.done.push(`look ${handle}`);
      if (this.state === "unknown") throw new Error("the credentials have expired");
      return this.state;
    },
    stop: async (handle) => void this.done.push(`stop ${handle}`),
  };

  reports(text: string, atMs: number): void {
    this.jobs.at(atMs, () => (this.jobs.last.report = text));
  }

  becomes(state: JobState | "unknown", atMs: number): void {
    this.jobs.at(atMs, () => (this.state = state));
  }

  run({ implementation = MODULE, timeoutMs = 60_000, cancellation, ...options }: SetUp = {}): Promise<Outcome> {
    const call = {
      operation: { name: "work", implementation },
      environment: { name: "fargate-eu" },
      input: '{"n":1}',
      meta: { execution_id: "ex_00_1", attempt: 1, timeout_ms: timeoutMs },
      ...(cancellation === undefined ? {} : { options: { cancellation } }),
    } as unknown as AdapterCall;
    const artifacts = { put: async () => "ar_1", text: async (id: string) => `"text of ${id}"` };
    const isolates = { isolateId: () => "isolate-1", loadIsolate: () => Promise.reject(new Error("not here")) };
    return runJob(
      call,
      this.driver,
      { ...this.jobs.ports(), now: () => this.jobs.nowMs + this.aheadMs, artifacts, isolates },
      options,
    );
  }

  get verbs(): string {
    return this.done.map((line) => line.split(" ")[0]).join(" ");
  }
}

const failure = (code: string, more: object = {}) => ({ ok: false, error: { code }, ...more });

describe("runJob()", () => {
  it.each([
    ["a host's value", MODULE, OK_FRAME, { ok: true, output: '{"n":2}' }],
    [
      "a host's failure",
      MODULE,
      '{"ok":false,"error":{"code":"implementation_failed","detail":"no"},"retry":{"kind":"never"},"logs":[]}\n',
      failure("implementation_failed", { retry: { kind: "never" } }),
    ],
    [
      "an output that travels as an artifact",
      MODULE,
      '{"ok":true,"logs":[],"output_artifact":"ar_7"}\n',
      { ok: true, output: '"text of ar_7"' },
    ],
    ["a container's value", CONTAINER, '{"output": {"n": 2}}', { ok: true, output: '{"n":2}' }],
    ["a container's value over several lines", CONTAINER, '{\n  "output": null\n}\n', { ok: true, output: "null" }],
    [
      "a container's failure",
      CONTAINER,
      '{"error":{"detail":"no film","retry":"never"}}',
      failure("implementation_failed", { retry: { kind: "never" } }),
    ],
    [
      "a container's failure without advice",
      CONTAINER,
      '{"error":{"detail":"no film"}}',
      failure("implementation_failed", { retry: { kind: "may" } }),
    ],
    ["what is no report", CONTAINER, "done", failure("implementation_failed")],
    ["a host that asks for what it has", MODULE, '{"need":"definition"}\n', failure("host_outdated")],
  ])("answers %s as soon as it is reported, and closes the ticket", async (_what, implementation, report, expected) => {
    const world = new World();
    world.reports(report, 1_200);
    expect(await world.run({ implementation })).toMatchObject(expected);
    expect(world.jobs.nowMs).toBe(1_200);
    expect(world.jobs.last).toMatchObject({ closed: true, handle: "task of sy-00-job-1" });
  });

  it("keeps no definition with the order, and hands a container its input in one", async () => {
    const world = new World();
    world.reports(OK_FRAME, 1);
    await world.run();
    const [head, input] = splitFrame(world.jobs.last.order);
    expect(JSON.parse(head)).toMatchObject({ isolate: "isolate-1", work: { kind: "module", language: "javascript" } });
    expect(head).not.toContain("definition");
    expect(input).toBe('{"n":1}');
  });

  it("looks less and less often while the job runs", async () => {
    const world = new World();
    world.reports(OK_FRAME, 200_000);
    await world.run({ timeoutMs: 600_000 });
    expect(world.jobs.waits.map((ms) => Math.round(ms / 1_000))).toEqual([5, 8, 11, 17, 25, 30, 30, 30, 30, 30]);
  });

  it("finds a lost callback by looking: the place's own word counts after the grace", async () => {
    const world = new World();
    world.becomes({ kind: "ended", outcome: LOST }, 3_000);
    expect(await world.run()).toEqual(LOST);
    expect(world.jobs.nowMs).toBe(5_000 + 5_000);
    expect(world.jobs.last.closed).toBe(true);
  });

  it("takes a report that comes within the grace", async () => {
    const world = new World();
    world.becomes({ kind: "ended", outcome: LOST }, 3_000);
    world.reports(OK_FRAME, 7_000);
    expect(await world.run()).toMatchObject({ ok: true });
    expect(world.jobs.nowMs).toBe(7_000);
  });

  it("counts the time-out from when the place says that it runs, then stops it", async () => {
    const world = new World();
    world.state = { kind: "pending" };
    world.becomes({ kind: "running" }, 60_000);
    expect(await world.run({ timeoutMs: 10_000 })).toMatchObject(failure("timeout"));
    expect(world.jobs.nowMs).toBe(60_000 + 10_000);
    expect(world.done.at(-1)).toBe("stop task of sy-00-job-1");
    expect(world.jobs.last.closed).toBe(true);
  });

  it.each([3_600_000, -3_600_000])("gives it its time and no more where the clock jumps by %d ms", async (byMs) => {
    const world = new World();
    world.jobs.at(7_000, () => (world.aheadMs = byMs));
    expect(await world.run({ timeoutMs: 60_000 })).toMatchObject(failure("timeout"));
    expect(world.jobs.nowMs).toBeGreaterThan(50_000);
    expect(world.jobs.nowMs).toBeLessThan(75_000);
  });

  it("counts the time-out from the start where the place cannot be asked", async () => {
    const world = new World();
    world.state = "unknown";
    expect(await world.run({ timeoutMs: 12_000 })).toMatchObject(failure("timeout"));
    expect(world.jobs.nowMs).toBe(12_000);
  });

  it("lets a job report although the place cannot be asked any more", async () => {
    const world = new World();
    world.becomes("unknown", 6_000);
    world.reports(OK_FRAME, 40_000);
    expect(await world.run()).toMatchObject({ ok: true });
  });

  it.each([
    ["a module whose order nobody fetched: unstarted", MODULE, false, true],
    ["a module whose order was fetched", MODULE, true, undefined],
    ["a container, which needs no order", CONTAINER, false, undefined],
  ])("gives up what waits for its place too long, %s", async (_what, implementation, fetched, isUnstarted) => {
    const world = new World();
    world.state = { kind: "pending" };
    if (fetched) world.jobs.at(20_000, () => (world.jobs.last.fetched = true));
    const outcome = await world.run({ implementation, queueLimitMs: 30_000 });
    expect(outcome).toMatchObject(failure("environment_throttled"));
    expect("unstarted" in outcome ? outcome.unstarted : undefined).toBe(isUnstarted);
    expect(world.verbs).toMatch(/ stop$/);
  });

  it("stops the job at once when nobody wants it any more", async () => {
    const world = new World();
    const cancellation = new Cancellation();
    world.jobs.at(2_000, () => cancellation.request());
    expect(await world.run({ cancellation })).toMatchObject(
      failure("execution_cancelled", { retry: { kind: "never" } }),
    );
    expect(world.verbs).toBe("start stop");
    expect(world.jobs.last.closed).toBe(true);
  });

  it("starts nothing that nobody wants", async () => {
    const world = new World();
    const cancellation = new Cancellation();
    cancellation.request();
    expect(await world.run({ cancellation })).toMatchObject(failure("execution_cancelled", { unstarted: true }));
    expect(world.done).toEqual([]);
  });

  it("passes on a refusal to start, and closes the ticket", async () => {
    const world = new World();
    const refusal = unstarted("environment_refused", "the key is wrong");
    world.starts = [refusal];
    expect(await world.run()).toEqual(refusal);
    expect(world.verbs).toBe("start");
    expect(world.jobs.last.closed).toBe(true);
  });

  it("asks again with the same ticket when the start breaks off", async () => {
    const world = new World();
    world.starts = [new Error("cut"), new Error("cut")];
    world.reports(OK_FRAME, 3_000);
    expect(await world.run()).toMatchObject({ ok: true });
    expect(new Set(world.done.filter((line) => line.startsWith("start")))).toEqual(new Set(["start sy-00-job-1"]));
    expect(world.jobs.jobs).toHaveLength(1);
  });

  it.each([
    ["a module whose order nobody fetched: unstarted", MODULE, false, true],
    ["a module whose order was fetched", MODULE, true, undefined],
    ["a container, which needs no order", CONTAINER, false, undefined],
  ])(
    "answers environment_unavailable when no start gets through, %s",
    async (_what, implementation, fetched, isUnstarted) => {
      const world = new World();
      world.starts = [new Error("cut"), new Error("cut"), new Error("cut")];
      if (fetched) world.jobs.at(100, () => (world.jobs.last.fetched = true));
      const outcome = await world.run({ implementation });
      expect(outcome).toMatchObject(failure("environment_unavailable"));
      expect("unstarted" in outcome ? outcome.unstarted : undefined).toBe(isUnstarted);
      expect(world.jobs.last.closed).toBe(true);
    },
  );

  it("follows the job that an interrupted attempt has left, and does not start another", async () => {
    const world = new World();
    const { ticket } = await world.jobs.open({ meta: {} as never, environment: "fargate-eu", order: "" });
    await world.jobs.note(ticket.id, "task of before");
    world.jobs.last.report = OK_FRAME;
    expect(await world.run()).toMatchObject({ ok: true });
    expect(world.done).toEqual([]);
    expect(world.jobs.nowMs).toBe(0);
  });

  it("survives that its own keeper starts again, and leaves the job open when that does not come back", async () => {
    const once = new World();
    once.jobs.failingWaits = 2;
    once.reports(OK_FRAME, 4_000);
    expect(await once.run()).toMatchObject({ ok: true });
    const never = new World();
    never.jobs.failingWaits = 1_000;
    expect(await never.run()).toMatchObject(failure("internal", { retry: { kind: "may" } }));
    expect(never.jobs.last.closed).toBe(false);
    expect(never.verbs).not.toContain("stop");
  });
});
