/** Cloud Run jobs and Container Apps jobs, each on a fake of its API: one ticket is one execution, whatever goes wrong. */
import { describe, expect, it } from "vitest";
import { callOf } from "../../test/contracts/adapter/call-of.ts";
import { fakePorts } from "../../test/contracts/adapter/fake-ports.ts";
import { FakeJobs } from "../../test/contracts/fake-jobs.ts";
import { Cancellation } from "../core/cancellation.ts";
import { environmentOf } from "../model/_environment.test-util.ts";
import type { Implementation } from "../model/resolved.ts";
import type { Adapter } from "./adapter.ts";
import { azureJobAdapter } from "./azure/azure-job.ts";
import { gcpJobAdapter } from "./gcp/gcp-job.ts";

const MODULE: Implementation = { kind: "module", sha256: "a".repeat(64), export: "run", language: "javascript" };
const CONTAINER: Implementation = { kind: "container", image: "team/thumb:1", command: ["--fast"] };
const OK = '{"ok":true,"logs":[]}\n7';

type State = "pending" | "running" | "exited" | "killed" | "gone";
type Kind = "gcp-job" | "azure-job";
const URLS = {
  "gcp-job": "https://run.googleapis.com/v2/projects/p/locations/l/jobs/j",
  "azure-job":
    "https://management.azure.com/subscriptions/s/resourceGroups/g/providers/Microsoft.App/jobs/j?api-version=2025-07-01",
};

const openSecrets = async () => ({ client_secret: "the-secret", subject_token: "the-secret" });
const ended = (executionReason: string) => ({
  startTime: "t",
  completionTime: "t",
  conditions: [{ type: "Completed", state: "CONDITION_FAILED", executionReason }],
});

class World {
  readonly jobs = new FakeJobs();
  readonly started: Record<string, unknown>[] = [];
  readonly asked: string[] = [];
  /** Answers in place of the usual, of starts. */
  readonly startAnswers: (Response | "started, then broken off")[] = [];
  state: State = "running";
  retries = 0;
  tokens = 0;
  validToken = 1;
  stops = 0;
  readonly kind: Kind;
  /** One for all calls, as in an installation: it keeps tokens. */
  readonly adapter: Adapter;

  constructor(kind: Kind) {
    this.kind = kind;
    const ports = { ...fakePorts({ fetchOn: () => this.#fetch }), ...this.jobs.ports() };
    this.adapter = (kind === "gcp-job" ? gcpJobAdapter : azureJobAdapter)(ports);
  }

  readonly #fetch = async (request: Request): Promise<Response> => {
    const { method, url } = request;
    const text = await request.text();
    this.asked.push(`${method} ${url}`);
    if (url.includes("/token")) return Response.json({ access_token: `t${++this.tokens}`, expires_in: 3600 });
    if (request.headers.get("authorization") !== `Bearer t${this.validToken}`) return new Response("", { status: 401 });
    const { pathname } = new URL(url);
    if (/:cancel$|\/stop$/.test(pathname)) {
      this.stops++;
      return Response.json({});
    }
    if (/:run$|\/start$/.test(pathname)) {
      const answer = this.startAnswers.shift();
      if (answer instanceof Response) return answer;
      this.started.push(JSON.parse(text) as Record<string, unknown>);
      if (answer !== undefined) throw new TypeError("fetch failed", { cause: { code: "ECONNRESET" } });
      const name = this.#nameOf(this.started.length);
      return Response.json(this.kind === "gcp-job" ? { metadata: { name } } : { name });
    }
    if (pathname.endsWith("/executions")) {
      const all = this.started.map((body, at) => ({ name: this.#nameOf(at + 1), ...this.#withTemplate(body) }));
      return Response.json(this.kind === "gcp-job" ? { executions: all } : { value: all });
    }
    if (pathname.includes("/executions/")) return this.#execution();
    const containers = [{ name: "main", image: "team/thumb:1", env: [{ name: "OWN", value: "1" }], probes: [] }];
    if (this.kind === "gcp-job")
      return Response.json({ template: { template: { maxRetries: this.retries, containers } } });
    return Response.json({
      properties: { configuration: { replicaRetryLimit: this.retries }, template: { containers } },
    });
  };

  #nameOf(at: number): string {
    return this.kind === "gcp-job" ? `projects/p/locations/l/jobs/j/executions/e${at}` : `e${at}`;
  }

  #withTemplate(body: Record<string, unknown>): object {
    const overrides = body["overrides"] as { containerOverrides?: unknown } | undefined;
    return this.kind === "gcp-job"
      ? { template: { containers: overrides?.containerOverrides } }
      : { properties: { template: body } };
  }

  #execution(): Response {
    if (this.state === "gone") return Response.json({ error: { message: "not found" } }, { status: 404 });
    const gcp = {
      pending: {},
      running: { runningCount: 1 },
      exited: ended("NON_ZERO_EXIT_CODE"),
      killed: ended("CANCELLED"),
    };
    const azure = { pending: "Processing", running: "Running", exited: "Failed", killed: "Stopped" };
    return Response.json(this.kind === "gcp-job" ? gcp[this.state] : { properties: { status: azure[this.state] } });
  }

  reports(text = OK): void {
    this.jobs.at(1_000, () => (this.jobs.last.report = text));
  }

  #environment() {
    const config =
      this.kind === "gcp-job"
        ? {
            project: "p",
            location: "l",
            job: "j",
            auth: "workload_identity",
            workload_identity_provider: "//iam.googleapis.com/projects/1/p",
          }
        : { subscription: "s", resource_group: "g", job: "j", tenant_id: "t", client_id: "c" };
    return environmentOf("jobs", { config, openSecrets });
  }

  run(implementation = MODULE, cancellation?: Cancellation) {
    const environment = this.#environment();
    const options = cancellation === undefined ? {} : { options: { cancellation } };
    return this.adapter.invoke(callOf(implementation, { n: 1 }, { environment, timeoutMs: 20_000, ...options }));
  }

  check() {
    return this.adapter.check?.(this.#environment());
  }
}

describe.each<Kind>(["gcp-job", "azure-job"])("%s", (kind) => {
  it("runs a module in an execution that is told its ticket, and answers what it reports", async () => {
    const world = new World(kind);
    world.reports();
    expect(await world.run()).toEqual({ ok: true, output: "7", logs: [] });
    const { url, token } = world.jobs.last.ticket;
    const told = [
      { name: "SWITCHYARD_JOB_URL", value: url },
      { name: "SWITCHYARD_JOB_TOKEN", value: token },
    ];
    expect(world.started).toEqual([
      kind === "gcp-job"
        ? { overrides: { containerOverrides: [{ env: told }], taskCount: 1, timeout: "140s" } }
        : { containers: [{ name: "main", image: "team/thumb:1", env: [{ name: "OWN", value: "1" }, ...told] }] },
    ]);
    expect(world.asked).toContain(`GET ${URLS[kind]}`);
  });

  it("runs a container of the team's with its arguments and its input", async () => {
    const world = new World(kind);
    world.reports('{"output":2}');
    expect(await world.run(CONTAINER)).toMatchObject({ ok: true, output: "2" });
    expect(JSON.stringify(world.started)).toContain('"args":["--fast"]');
    expect(JSON.stringify(world.started)).toContain(String.raw`{"name":"SWITCHYARD_INPUT","value":"{\"n\":1}"}`);
  });

  it("finds the execution of a start whose answer was lost, and starts no second", async () => {
    const world = new World(kind);
    world.startAnswers.push("started, then broken off");
    world.reports();
    expect(await world.run()).toMatchObject({ ok: true, output: "7" });
    expect(world.started).toHaveLength(1);
  });

  it("does no work twice in a storm of throttling, and hands on when to come back", async () => {
    const world = new World(kind);
    for (let at = 0; at < 20; at++) {
      world.startAnswers.push(new Response("", { status: 429, headers: { "retry-after": "3" } }));
      expect(await world.run()).toMatchObject({
        unstarted: true,
        error: { code: "environment_throttled" },
        retry: { kind: "after", after_ms: 3_000 },
      });
    }
    expect(world.started).toHaveLength(0);
    world.jobs.at(world.jobs.nowMs + 1_000, () => (world.jobs.last.report = OK));
    expect(await world.run()).toMatchObject({ ok: true });
    expect(world.started).toHaveLength(1);
  });

  it("renews credentials that expire while the job runs", async () => {
    const world = new World(kind);
    world.jobs.at(1_000, () => (world.validToken = 2));
    world.jobs.at(40_000, () => (world.jobs.last.report = OK));
    world.jobs.at(8_000, () => (world.state = "exited"));
    expect(await world.run()).toMatchObject({ error: { code: "executor_lost" } });
    expect(world.tokens).toBe(2);
    expect(world.started).toHaveLength(1);
  });

  it.each<[State, Implementation, string]>([
    ["exited", MODULE, "executor_lost"],
    ["exited", CONTAINER, "implementation_failed"],
    ["killed", CONTAINER, "executor_lost"],
    ["gone", MODULE, "executor_lost"],
  ])("finds a callback that was lost by looking: %s", async (state, implementation, code) => {
    const world = new World(kind);
    world.state = state;
    const outcome = await world.run(implementation);
    expect(outcome).toMatchObject({ ok: false, error: { code } });
    expect(outcome).not.toHaveProperty("unstarted");
  });

  it("stops an execution at its time-out and at a cancellation", async () => {
    const late = new World(kind);
    expect(await late.run()).toMatchObject({ error: { code: "timeout" } });
    expect(late.stops).toBe(1);
    const unwanted = new World(kind);
    const cancellation = new Cancellation();
    unwanted.jobs.at(1_000, () => cancellation.request());
    expect(await unwanted.run(MODULE, cancellation)).toMatchObject({ error: { code: "execution_cancelled" } });
    expect(unwanted.stops).toBe(1);
  });

  it("refuses a job that the place would try again by itself, and says so when looked at", async () => {
    const world = new World(kind);
    expect(await world.check()).toMatchObject({ reachable: true, missing: [], facts: { image: "team/thumb:1" } });
    world.retries = 3;
    expect(await world.run()).toMatchObject({ unstarted: true, error: { code: "environment_misconfigured" } });
    expect((await world.check())?.missing).toHaveLength(1);
    world.validToken = 99;
    expect(await world.check()).toMatchObject({ reachable: true, allowed: false });
    const refused = await world.run();
    expect(refused).toMatchObject({ unstarted: true, error: { code: "environment_refused" } });
    expect(JSON.stringify(refused)).not.toContain("the-secret");
    expect(world.started).toHaveLength(0);
  });
});
