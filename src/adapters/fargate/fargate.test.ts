import { describe, expect, it } from "vitest";
import * as v from "valibot";
import { FakeJobs } from "../../../test/contracts/fake-jobs.ts";
import { Cancellation } from "../../core/cancellation.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { Implementation } from "../../model/resolved.ts";
import type { Adapter, AdapterCall, EnvironmentHandle } from "../adapter.ts";
import { FakeEcs } from "./_fake-ecs.node.ts";
import { FargateConfigSchema } from "./config.ts";
import { fargateAdapter } from "./fargate.ts";
import { stateOfTask } from "./task-state.ts";

const MODULE: Implementation = { kind: "module", sha256: "a".repeat(64), export: "run", language: "javascript" };
const CONTAINER: Implementation = { kind: "container", image: "team/thumb:1", command: ["thumb", "--fast"] };
const LAMBDA: Implementation = { kind: "lambda", function: "f", qualifier: null };
const OTHER_IMAGE: Implementation = { ...CONTAINER, image: "team/other:1" };
const OK = '{"ok":true,"logs":[]}\n7';
const CONFIG = {
  region: "eu-central-1",
  cluster: "c",
  task_definition: "switchyard-host:3",
  container: "main",
  subnets: ["subnet-1"],
  security_groups: ["sg-1"],
};
const SECRETS = { access_key_id: "AKID", secret_access_key: "the-secret-key", session_token: "the-session" };

class World {
  readonly ecs = new FakeEcs();
  readonly jobs = new FakeJobs();
  readonly adapter: Adapter;
  readonly environment: EnvironmentHandle;

  constructor(config: object = {}, openSecrets: () => Promise<Record<string, string>> = async () => SECRETS) {
    this.adapter = fargateAdapter({
      ...this.jobs.ports(),
      connectOn: () => {
        throw new TypeError("nothing here speaks TCP");
      },
      fetchOn: () => this.ecs.fetch,
      isolates: { isolateId: () => "i", loadIsolate: () => Promise.reject(new Error("not here")) },
      artifacts: { put: async () => "ar_1", text: async () => "1" },
    });
    const row = { name: "fargate-eu", config: { ...CONFIG, ...config } };
    this.environment = { ...row, openSecrets } as unknown as EnvironmentHandle;
  }

  reports(text: string, atMs = 1_000): void {
    this.jobs.at(atMs, () => (this.jobs.last.report = text));
  }

  run(
    implementation: Implementation = MODULE,
    more: { input?: string; cancellation?: Cancellation } = {},
  ): Promise<Outcome> {
    return this.adapter.invoke({
      operation: { name: "work", implementation },
      environment: this.environment,
      input: more.input ?? '{"n":1}',
      meta: { execution_id: "ex_00_1", attempt: 1, timeout_ms: 20_000, traceparent: "00-1-2-01" },
      ...(more.cancellation === undefined ? {} : { options: { cancellation: more.cancellation } }),
    } as unknown as AdapterCall);
  }

  asked(action: string): Record<string, unknown> | undefined {
    return this.ecs.asked.find((asked) => asked.action === action)?.body;
  }
}

const failure = (code: string, more: object = {}) => ({ ok: false, error: { code }, ...more });

describe("fargateAdapter()", () => {
  it("runs a module in the host's task, signed, and answers what it reports", async () => {
    const world = new World({ assign_public_ip: true, memory_mb: 2_048, cpu: 1_024, platform_version: "1.4.0" });
    world.reports(OK);
    expect(await world.run()).toEqual({ ok: true, output: "7", logs: [] });
    const { id, url, token } = world.jobs.last.ticket;
    expect(world.asked("RunTask")).toEqual({
      cluster: "c",
      taskDefinition: "switchyard-host:3",
      count: 1,
      clientToken: id,
      startedBy: id,
      launchType: "FARGATE",
      platformVersion: "1.4.0",
      networkConfiguration: {
        awsvpcConfiguration: { subnets: ["subnet-1"], securityGroups: ["sg-1"], assignPublicIp: "ENABLED" },
      },
      overrides: {
        cpu: "1024",
        memory: "2048",
        containerOverrides: [
          {
            name: "main",
            environment: [
              { name: "SWITCHYARD_JOB_URL", value: url },
              { name: "SWITCHYARD_JOB_TOKEN", value: token },
            ],
          },
        ],
      },
    });
    const { headers } = world.ecs.asked[0] ?? { headers: new Headers() };
    expect(headers.get("authorization")).toMatch(
      /^AWS4-HMAC-SHA256 Credential=AKID\/\d{8}\/eu-central-1\/ecs\/aws4_request/,
    );
    expect(headers.get("x-amz-security-token")).toBe("the-session");
  });

  it("runs a container of the team's own with its command, its input and its trace", async () => {
    const world = new World({ capacity_provider: "FARGATE_SPOT" });
    world.reports('{"output":{"n":2}}');
    expect(await world.run(CONTAINER)).toMatchObject({ ok: true, output: '{"n":2}' });
    const body = world.asked("RunTask") as { overrides: { containerOverrides: Record<string, unknown>[] } };
    expect(body).toMatchObject({ capacityProviderStrategy: [{ capacityProvider: "FARGATE_SPOT", weight: 1 }] });
    expect(body).not.toHaveProperty("launchType");
    expect(body.overrides.containerOverrides[0]).toMatchObject({ name: "main", command: ["thumb", "--fast"] });
    expect(body.overrides.containerOverrides[0]?.["environment"]).toEqual(
      expect.arrayContaining([
        { name: "SWITCHYARD_INPUT", value: '{"n":1}' },
        { name: "TRACEPARENT", value: "00-1-2-01" },
      ]),
    );
  });

  it("leaves an input that is too long for the overrides to be fetched", async () => {
    const world = new World();
    world.reports('{"output":1}');
    await world.run(CONTAINER, { input: JSON.stringify("x".repeat(5_000)) });
    expect(JSON.stringify(world.asked("RunTask"))).not.toContain("SWITCHYARD_INPUT");
    expect(world.jobs.last.order).toContain("xxxx");
  });

  it.each([
    ["an image that the task definition does not have", {}, OTHER_IMAGE, "environment_misconfigured"],
    ["a module where the row says that there is no host", { host: false }, MODULE, "environment_misconfigured"],
    ["what is neither", {}, LAMBDA, "no_environment"],
  ])("refuses %s before anything is started", async (_what, config, implementation, code) => {
    const world = new World(config);
    expect(await world.run(implementation)).toMatchObject(failure(code, { unstarted: true }));
    expect(world.ecs.started).toBe(0);
  });

  it.each([
    ["ThrottlingException", "Rate exceeded", 400, "environment_throttled"],
    [
      "ClientException",
      "You've reached the limit on the number of tasks you can run concurrently",
      400,
      "environment_throttled",
    ],
    ["ServiceUnavailableException", "Capacity is unavailable at this time", 503, "environment_throttled"],
    ["AccessDeniedException", "not authorized to perform: ecs:RunTask", 400, "environment_refused"],
    [
      "UnrecognizedClientException",
      "The security token included in the request is invalid.",
      400,
      "environment_refused",
    ],
    ["ExpiredTokenException", "The security token included in the request is expired", 400, "environment_refused"],
    ["InvalidSignatureException", "The request signature we calculated does not match", 403, "environment_refused"],
    ["ClusterNotFoundException", "Cluster not found.", 400, "environment_misconfigured"],
    ["InvalidParameterException", "TaskDefinition not found.", 400, "environment_misconfigured"],
    ["ClientException", "TaskDefinition is inactive", 400, "environment_misconfigured"],
    ["PlatformUnknownException", "The specified platform version doesn't exist.", 400, "environment_misconfigured"],
  ])("answers for %s (%s): nothing has run, and it may be tried again", async (type, message, status, code) => {
    const world = new World();
    world.ecs.refuse("RunTask", type, message, status);
    const outcome = await world.run();
    expect(outcome).toMatchObject(failure(code, { unstarted: true, retry: { kind: "may" } }));
    expect(JSON.stringify(outcome)).toContain(type);
    expect(JSON.stringify(outcome)).not.toContain(SECRETS.secret_access_key);
    expect(world.ecs.started).toBe(0);
    expect(world.jobs.last.closed).toBe(true);
  });

  it("waits as long as ECS says", async () => {
    const world = new World();
    world.ecs.answer("RunTask", {
      status: 429,
      body: { __type: "ThrottlingException" },
      headers: { "retry-after": "7" },
    });
    expect(await world.run()).toMatchObject(
      failure("environment_throttled", { retry: { kind: "after", after_ms: 7_000 } }),
    );
  });

  it.each([
    ["RESOURCE:MEMORY", "environment_throttled"],
    ["Capacity is unavailable at this time", "environment_throttled"],
    ["ATTRIBUTE", "environment_misconfigured"],
  ])("answers for the failure %s of a start", async (reason, code) => {
    const world = new World();
    world.ecs.answer("RunTask", { body: { tasks: [], failures: [{ reason }] } });
    expect(await world.run()).toMatchObject(failure(code, { unstarted: true }));
  });

  it.each([
    ["the connection is cut", new Error("cut")],
    ["ECS fails", { status: 500, body: { __type: "ServerException", message: "internal" } }],
    ["something else answers", { status: 502, body: "<html>" }],
  ])("starts one task though %s: the token makes the second start the same", async (_what, answer) => {
    const world = new World();
    world.ecs.answer("RunTask", answer);
    world.reports(OK, 2_000);
    expect(await world.run()).toMatchObject({ ok: true });
    expect(world.ecs.started).toBe(1);
    const tokens = world.ecs.asked.filter(({ action }) => action === "RunTask").map(({ body }) => body["clientToken"]);
    expect(tokens).toEqual([world.jobs.last.ticket.id, world.jobs.last.ticket.id]);
  });

  it("finds the task of an earlier attempt whose start was asked for otherwise", async () => {
    const world = new World();
    world.ecs.refuse("RunTask", "ConflictException", "The clientToken is in use");
    world.ecs.answer("ListTasks", { body: { taskArns: [] } }, { body: { taskArns: ["arn:of:before"] } });
    world.reports(OK);
    expect(await world.run()).toMatchObject({ ok: true });
    expect(world.jobs.last.handle).toBe("arn:of:before");
    expect(world.asked("ListTasks")).toMatchObject({ startedBy: world.jobs.last.ticket.id });
  });

  it("answers environment_unavailable when ECS cannot be reached, for both sorts of work", async () => {
    const cut = [new Error("cut"), new Error("cut"), new Error("cut")];
    const world = new World();
    world.ecs.answer("RunTask", ...cut);
    expect(await world.run()).toMatchObject(failure("environment_unavailable", { unstarted: true }));
    const other = new World();
    other.ecs.answer("DescribeTaskDefinition", ...cut);
    expect(await other.run(CONTAINER)).toMatchObject(failure("environment_unavailable", { unstarted: true }));
  });

  it("finds a lost callback with DescribeTasks", async () => {
    const world = new World();
    world.ecs.task = {
      lastStatus: "STOPPED",
      stopCode: "SpotInterruption",
      stoppedReason: "Your Spot Task was interrupted.",
    };
    const outcome = await world.run();
    expect(outcome).toMatchObject(failure("executor_lost", { retry: { kind: "may" } }));
    expect(outcome).not.toHaveProperty("unstarted");
    expect(world.ecs.actions()).toBe("RunTask DescribeTasks");
  });

  it("stops the task at its time-out", async () => {
    const world = new World();
    expect(await world.run()).toMatchObject(failure("timeout"));
    expect(world.asked("StopTask")).toMatchObject({ cluster: "c", task: world.jobs.last.handle });
  });

  it("stops the task when it is cancelled", async () => {
    const world = new World();
    const cancellation = new Cancellation();
    world.jobs.at(2_000, () => cancellation.request());
    expect(await world.run(MODULE, { cancellation })).toMatchObject(failure("execution_cancelled"));
    expect(world.ecs.actions()).toBe("RunTask StopTask");
  });

  it("goes on when the credentials expire meanwhile, and uses renewed ones", async () => {
    let key = "AKID";
    const world = new World({}, async () => ({ ...SECRETS, access_key_id: key }));
    world.ecs.answer("DescribeTasks", { status: 400, body: { __type: "ExpiredTokenException", message: "expired" } });
    world.jobs.at(6_000, () => (key = "RENEWED"));
    world.reports(OK, 14_000);
    expect(await world.run()).toMatchObject({ ok: true });
    expect(world.ecs.asked.at(-1)?.headers.get("authorization")).toContain("Credential=RENEWED/");
  });
});

const stopped = (stopCode: string, stoppedReason: string, container: object = {}) => ({
  lastStatus: "STOPPED",
  stopCode,
  stoppedReason,
  containers: [
    { name: "main", ...container },
    { name: "sidecar", exitCode: 0 },
  ],
});

describe("stateOfTask()", () => {
  const names = { environment: "fargate-eu", operation: "work", container: "main", isModule: false };

  it.each([
    ["PROVISIONING", "pending"],
    ["PENDING", "pending"],
    ["ACTIVATING", "pending"],
    ["RUNNING", "running"],
    ["DEACTIVATING", "running"],
    ["STOPPING", "running"],
    ["DEPROVISIONING", "ended"],
    ["STOPPED", "ended"],
  ])("%s is %s", (lastStatus, kind) => {
    expect(stateOfTask({ lastStatus }, names).kind).toBe(kind);
  });

  it.each([
    [
      "a container's exit",
      stopped("EssentialContainerExited", "Essential container in task exited", { exitCode: 3 }),
      "implementation_failed",
      false,
    ],
    [
      "memory",
      stopped("EssentialContainerExited", "Essential container in task exited", {
        exitCode: 137,
        reason: "OutOfMemoryError: Container killed due to memory usage",
      }),
      "executor_lost",
      false,
    ],
    [
      "a Spot interruption",
      stopped("SpotInterruption", "Your Spot Task was interrupted.", { exitCode: 143 }),
      "executor_lost",
      false,
    ],
    [
      "a machine that ends",
      stopped("TerminationNotice", "Host EC2 (instance i-1) terminated."),
      "executor_lost",
      false,
    ],
    [
      "somebody's StopTask",
      stopped("UserInitiated", "Task stopped by user", { exitCode: 143 }),
      "executor_lost",
      false,
    ],
    [
      "an image that is not there",
      stopped("TaskFailedToStart", "CannotPullContainerError: pull image manifest has been retried", {}),
      "environment_misconfigured",
      true,
    ],
    [
      "a secret that cannot be read",
      stopped("TaskFailedToStart", "ResourceInitializationError: unable to pull secrets", {}),
      "environment_misconfigured",
      true,
    ],
    [
      "no room after all",
      stopped("TaskFailedToStart", "Capacity is unavailable at this time. Please try again later", {}),
      "environment_throttled",
      true,
    ],
    ["a task that is forgotten", undefined, "executor_lost", false],
  ])("tells %s", (_what, task, code, isUnstarted) => {
    const state = stateOfTask(task, names);
    expect(state).toMatchObject({ kind: "ended", outcome: failure(code) });
    expect(state.kind === "ended" && "unstarted" in state.outcome).toBe(isUnstarted);
  });

  it("does not take a host's exit for the module's failure", () => {
    const task = stopped("EssentialContainerExited", "Essential container in task exited", { exitCode: 1 });
    expect(stateOfTask(task, { ...names, isModule: true })).toMatchObject({ outcome: failure("executor_lost") });
  });
});

describe("check()", () => {
  it("finds nothing missing, and tells what is there", async () => {
    const world = new World();
    expect(await world.adapter.check?.(world.environment)).toEqual({
      reachable: true,
      allowed: null,
      latency_ms: 0,
      missing: [],
      facts: { running_tasks: 2, pending_tasks: 1, task_definition_revision: 4, image: "team/thumb:1" },
    });
  });

  it.each([
    [
      "credentials",
      (ecs: FakeEcs) => ecs.refuse("DescribeClusters", "ExpiredTokenException", "expired"),
      { reachable: true, allowed: false },
      "ExpiredToken",
    ],
    [
      "the cluster",
      (ecs: FakeEcs) => ecs.answer("DescribeClusters", { body: { clusters: [] } }),
      { reachable: true, allowed: null },
      "not there",
    ],
    [
      "the container",
      (ecs: FakeEcs) =>
        ecs.answer("DescribeTaskDefinition", { body: { taskDefinition: { containerDefinitions: [{ name: "web" }] } } }),
      { reachable: true },
      "it has web",
    ],
    [
      "the way there",
      (ecs: FakeEcs) => ecs.answer("DescribeClusters", new Error("no route")),
      { reachable: false, latency_ms: null },
      "no route",
    ],
  ])("names %s when that is missing", async (_what, breaks, expected, part) => {
    const world = new World();
    breaks(world.ecs);
    const check = await world.adapter.check?.(world.environment);
    expect(check).toMatchObject(expected);
    expect(check?.missing.join("\n")).toContain(part);
  });
});

describe("FargateConfigSchema", () => {
  it.each([
    ["a word it does not know", { colour: "red" }],
    ["no subnet", { subnets: [] }],
    ["both a launch type and a provider", { launch_type: "FARGATE", capacity_provider: "FARGATE_SPOT" }],
    ["an endpoint that is no URL", { endpoint: "here" }],
  ])("refuses %s", (_what, changes) => {
    expect(v.is(FargateConfigSchema, CONFIG)).toBe(true);
    expect(v.is(FargateConfigSchema, { ...CONFIG, ...changes })).toBe(false);
  });
});
