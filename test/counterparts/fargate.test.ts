/** The Fargate adapter against moto's ECS (`pip install moto[server]`), which we did not write: RunTask, DescribeTasks, StopTask, and services. */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import net from "node:net";
import { AwsClient } from "aws4fetch";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AdapterCall, EnvironmentHandle } from "../../src/adapters/adapter.ts";
import { fargateAdapter } from "../../src/adapters/fargate/fargate.ts";
import type { Implementation } from "../../src/model/resolved.ts";
import type { Outcome } from "../../src/model/outcome.ts";
import { HEALTH_DEFAULTS } from "../../src/model/services.ts";
import { FakeJobs } from "../contracts/fake-jobs.ts";
import { openApp } from "../contracts/service-host/app.ts";

const MODULE: Implementation = { kind: "module", sha256: "a".repeat(64), export: "run", language: "javascript" };
const CONTAINER: Implementation = { kind: "container", image: "team/thumb:1", command: ["thumb"] };
const REGION = "eu-central-1";
const READY_WITHIN_MS = 30_000;

// The shim of a version manager is on the path although nothing is behind it.
const isThere = spawnSync("moto_server", ["--help"], { stdio: "ignore", timeout: 30_000 }).status === 0;
if (!isThere)
  console.warn("SKIPPED: moto_server is not on this machine, so the Fargate adapter meets no ECS but our own");

const openSecrets = async () => ({ access_key_id: "AKID", secret_access_key: "secret" });

describe.skipIf(!isThere)("fargateAdapter() on moto_server", () => {
  let server: ChildProcess;
  let endpoint = "";
  let subnet = "";
  let group = "";

  const aws = async <T>(service: string, target: string, body: object): Promise<T> => {
    const client = new AwsClient({ accessKeyId: "AKID", secretAccessKey: "secret", region: REGION, service });
    const signed = await client.sign(endpoint, {
      method: "POST",
      headers: { "content-type": "application/x-amz-json-1.1", "x-amz-target": target },
      body: JSON.stringify(body),
    });
    const response = await fetch(signed);
    const text = await response.text();
    if (!response.ok) throw new Error(`moto: ${target}: ${text}`);
    return JSON.parse(text) as T;
  };
  const ecs = <T>(action: string, body: object) => aws<T>("ecs", `AmazonEC2ContainerServiceV20141113.${action}`, body);

  /** EC2 speaks forms and XML. */
  const ec2 = async (action: string, more: Record<string, string>, tag: string): Promise<string> => {
    const client = new AwsClient({ accessKeyId: "AKID", secretAccessKey: "secret", region: REGION, service: "ec2" });
    const body = new URLSearchParams({ Action: action, Version: "2016-11-15", ...more }).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const response = await fetch(await client.sign(endpoint, { method: "POST", headers, body }));
    const text = await response.text();
    const found = new RegExp(`<${tag}>([^<]+)</${tag}>`).exec(text)?.[1];
    if (found === undefined) throw new Error(`moto: ${action}: ${text}`);
    return found;
  };

  beforeAll(async () => {
    const port = await freePort();
    endpoint = `http://127.0.0.1:${port}/`;
    server = spawn("moto_server", ["-H", "127.0.0.1", "-p", String(port)], {
      stdio: "ignore",
      detached: true,
      // moto makes services without tasks: it is told how many it is to say that a new one has.
      env: { ...process.env, MOTO_ECS_SERVICE_RUNNING: "2" },
    });
    await answers(endpoint);
    // Else moto's tasks run through their states by themselves, one with each DescribeTasks.
    await fetch(`${endpoint}moto-api/state-manager/set-transition`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model_name: "ecs::task", transition: { progression: "manual", times: 1_000 } }),
    });
    await ecs("CreateCluster", { clusterName: "c" });
    // moto wants the memory of each container, and a network with a subnet and a group that are there.
    await ecs("RegisterTaskDefinition", {
      family: "switchyard-host",
      networkMode: "awsvpc",
      requiresCompatibilities: ["FARGATE"],
      cpu: "256",
      memory: "512",
      containerDefinitions: [{ name: "main", image: "team/thumb:1", memory: 512, cpu: 256, essential: true }],
    });
    subnet = await ec2("DescribeSubnets", {}, "subnetId");
    group = await ec2("DescribeSecurityGroups", {}, "groupId");
  }, READY_WITHIN_MS + 10_000);

  afterAll(() => {
    // The shim starts the server as its child: both are in the group.
    if (server?.pid !== undefined) process.kill(-server.pid, "SIGKILL");
  });

  const world = (config: object = {}) => {
    const jobs = new FakeJobs();
    const adapter = fargateAdapter({
      ...jobs.ports(),
      connectOn: () => {
        throw new TypeError("nothing here speaks TCP");
      },
      fetchOn: () => (request: Request) => fetch(request),
      isolates: { isolateId: () => "i", loadIsolate: () => Promise.reject(new Error("not here")) },
      artifacts: { put: async () => "ar_1", text: async () => "1" },
    });
    const row = {
      name: "moto",
      config: {
        region: REGION,
        cluster: "c",
        task_definition: "switchyard-host",
        container: "main",
        subnets: [subnet],
        security_groups: [group],
        endpoint,
        ...config,
      },
    };
    const environment = { ...row, openSecrets } as unknown as EnvironmentHandle;
    const run = (implementation: Implementation): Promise<Outcome> =>
      adapter.invoke({
        operation: { name: "work", implementation },
        environment,
        input: '{"n":1}',
        meta: { execution_id: "ex_00_1", attempt: 1, timeout_ms: 20_000, traceparent: "00-1-2-01" },
      } as unknown as AdapterCall);
    return { jobs, adapter, environment, run };
  };

  type Task = {
    lastStatus: string;
    desiredStatus: string;
    startedBy: string;
    overrides: unknown;
    stoppedReason?: string;
  };
  const taskOf = async (arn: string | undefined): Promise<Task | undefined> =>
    (await ecs<{ tasks: Task[] }>("DescribeTasks", { cluster: "c", tasks: [arn] })).tasks[0];

  it.each([
    ["a module", MODULE, '{"ok":true,"logs":[]}\n7'],
    ["a container of the team's own", CONTAINER, '{"output":7}'],
  ])("runs a task for %s and takes its report", async (_what, implementation, report) => {
    const { jobs, run } = world();
    jobs.at(1_000, () => (jobs.last.report = report));
    expect(await run(implementation)).toEqual({ ok: true, output: "7", logs: [] });
    const task = await taskOf(jobs.last.handle);
    expect(task).toMatchObject({ startedBy: jobs.last.ticket.id });
    expect(JSON.stringify(task?.overrides)).toContain(jobs.last.ticket.url);
  });

  it("follows a task with DescribeTasks and stops it at the time-out", async () => {
    const { jobs, run } = world();
    expect(await run(MODULE)).toMatchObject({ ok: false, error: { code: "timeout" } });
    expect(await taskOf(jobs.last.handle)).toMatchObject({
      desiredStatus: "STOPPED",
      stoppedReason: "Switchyard: cancelled or timed out",
    });
  });

  it("finds by looking that somebody has stopped the task", async () => {
    const { jobs, run } = world();
    let stopped: Promise<unknown> | undefined;
    jobs.at(1_000, () => {
      stopped = ecs("StopTask", { cluster: "c", task: jobs.last.handle, reason: "by hand" });
    });
    const outcome = await run(MODULE);
    await stopped;
    expect(outcome).toMatchObject({ ok: false, error: { code: "executor_lost" } });
    expect(JSON.stringify(outcome)).toContain("by hand");
  });

  it.each([
    ["a cluster", { cluster: "missing" }],
    ["a task definition", { task_definition: "missing" }],
  ])("says that %s is missing, before anything has run", async (_what, config) => {
    const expected = { ok: false, error: { code: "environment_misconfigured" }, unstarted: true };
    expect(await world(config).run(MODULE)).toMatchObject(expected);
  });

  it("looks at the place", async () => {
    const { adapter, environment } = world();
    expect(await adapter.check?.(environment)).toMatchObject({
      reachable: true,
      missing: [],
      facts: { image: "team/thumb:1" },
    });
    const gone = world({ cluster: "missing" });
    expect((await gone.adapter.check?.(gone.environment))?.missing.join()).toContain("missing");
  });

  it("makes, scales, rolls, looks at and stops a service, and finds none after that", async () => {
    const app = await openApp();
    try {
      const { adapter, environment } = world({ service_url: app.url });
      const host = adapter.services;
      if (host === undefined) throw new TypeError("it has no services");
      const order = {
        service: "album.web",
        replica: "r-1",
        revision: "one",
        count: 2,
        place: "",
        spec: {
          run: { container: { image: "team/album:1", command: ["serve"] } },
          port: 3_000,
          variables: { MODE: "fast" },
          requires: {},
          stop_ms: 10_000,
          health: { ...HEALTH_DEFAULTS, path: "/health" },
        },
      };
      const ref = { service: "album.web", replica: "r-1", place: "", address: app.url };
      const observe = (replicas: (typeof ref)[]) =>
        host.observe({ service: "album.web", run: order.spec.run, health: order.spec.health, replicas }, environment);
      expect(await host.start(order, environment)).toMatchObject({
        status: "ready",
        revision: "one",
        count: 2,
        ready: 2,
      });
      expect(await host.start(order, environment)).toMatchObject({ status: "ready", count: 2 });
      expect(await host.start({ ...order, count: 3 }, environment)).toMatchObject({ count: 3, ready: 3 });
      expect(await host.start({ ...order, revision: "two" }, environment)).toMatchObject({ revision: "two", count: 2 });
      expect(await observe([])).toMatchObject([{ replica: "r-1", revision: "two", status: "ready", ready: 2 }]);
      const { serviceArns } = await ecs<{ serviceArns: string[] }>("ListServices", { cluster: "c" });
      expect(serviceArns).toHaveLength(1);
      await host.stop({ ...ref, graceMs: 1_000 }, environment);
      await host.stop({ ...ref, graceMs: 1_000 }, environment);
      expect(await observe([ref])).toMatchObject([{ replica: "r-1", status: "ended" }]);
      const left = await ecs<{ taskDefinitionArns: string[] }>("ListTaskDefinitions", {});
      expect(left.taskDefinitionArns.filter((arn) => arn.includes("/sy-album-web"))).toEqual([]);
    } finally {
      app.close();
    }
  });

  it("says that nobody is there", async () => {
    const port = await freePort();
    const { run } = world({ endpoint: `http://127.0.0.1:${port}/` });
    expect(await run(MODULE)).toMatchObject({ error: { code: "environment_unavailable" }, unstarted: true });
  });
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const listener = net.createServer().once("error", reject);
    listener.listen(0, "127.0.0.1", () => {
      const address = listener.address();
      listener.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

async function answers(url: string): Promise<void> {
  for (const giveUpAt = Date.now() + READY_WITHIN_MS; ;) {
    try {
      await fetch(`${url}moto-api/`, { signal: AbortSignal.timeout(2_000) });
      return;
    } catch (error) {
      if (Date.now() > giveUpAt) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
