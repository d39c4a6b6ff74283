/** Sets on ECS: what is registered and made, how it is judged, and what is left when it goes wrong. */
import { beforeEach, describe, expect, it } from "vitest";
import * as v from "valibot";
import { fakePorts } from "../../../test/contracts/adapter/fake-ports.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import { HEALTH_DEFAULTS } from "../../model/services.ts";
import type { StartOrder } from "../service-host.ts";
import { FakeEcs } from "./_fake-ecs.node.ts";
import { FakeEcsServices } from "./_fake-ecs-services.node.ts";
import { FargateConfigSchema } from "./config.ts";
import { addressOf, definitionOf, identityOf, standingOfService, type TaskDefinition } from "./ecs-set.ts";
import { fargateAdapter } from "./fargate.ts";

const CONFIG = {
  region: "eu-central-1",
  cluster: "c",
  task_definition: "template",
  container: "main",
  subnets: ["subnet-1"],
};
const SPEC: StartOrder["spec"] = {
  run: { container: { image: "team/album:1", command: ["serve"] } },
  port: 3_000,
  variables: { PASSWORD: "hush", MODE: "fast" },
  requires: {},
  stop_ms: 200_000,
  health: { ...HEALTH_DEFAULTS, path: "/health" },
};
const orderOf = (changes: Partial<StartOrder> = {}): StartOrder => ({
  service: "album.web",
  replica: "r-1",
  revision: "one",
  count: 2,
  spec: SPEC,
  place: "",
  ...changes,
});
const TEMPLATE: TaskDefinition = {
  taskDefinitionArn: "arn:template",
  revision: 4,
  status: "ACTIVE",
  networkMode: "awsvpc",
  executionRoleArn: "arn:role",
  cpu: "256",
  memory: "512",
  containerDefinitions: [
    { name: "sidecar", image: "log:1" },
    {
      name: "main",
      image: "host:1",
      command: ["npx", "opctl", "host", "job"],
      logConfiguration: { logDriver: "awslogs" },
      environment: [
        { name: "REGION", value: "eu" },
        { name: "MODE", value: "slow" },
      ],
    },
  ],
};

let ecs: FakeEcs;
let services: FakeEcsServices;
/** What tasks answer at their health. */
let health: (url: string) => Response;
beforeEach(() => {
  ecs = new FakeEcs();
  services = ecs.services = new FakeEcsServices();
  health = () => new Response(null, { status: 204 });
});

function world(config: object = {}) {
  let nowMs = 0;
  const probed: string[] = [];
  const networks: string[] = [];
  const { services: host } = fargateAdapter({
    ...fakePorts({ now: () => nowMs, sleep: async (ms) => void (nowMs += ms) }),
    fetchOn: (network) => async (request) => {
      if (request.headers.has("x-amz-target")) return ecs.fetch(request);
      probed.push(request.url);
      networks.push(network);
      return health(request.url);
    },
  });
  if (host === undefined) throw new TypeError("it has no services");
  const environment = environmentOf("fargate-eu", {
    config: { ...CONFIG, ...config },
    openSecrets: async () => ({ access_key_id: "AKID", secret_access_key: "secret" }),
  });
  const ref = { service: "album.web", replica: "r-1", place: "", address: null };
  return {
    now: () => nowMs,
    probed,
    networks,
    start: (changes: Partial<StartOrder> = {}) => host.start(orderOf(changes), environment),
    stop: () => host.stop({ ...ref, graceMs: 1_000 }, environment),
    observe: () =>
      host.observe({ service: "album.web", run: SPEC.run, health: SPEC.health, replicas: [ref] }, environment),
  };
}

const definitionWith = (changes: Partial<StartOrder> = {}, config: object = {}) =>
  definitionOf(orderOf(changes), v.parse(FargateConfigSchema, { ...CONFIG, ...config }), {
    set: "sy-album-web-1",
    template: TEMPLATE,
    image: "team/album:1",
    command: ["serve"],
  });

describe("definitionOf()", () => {
  it("is the row's task definition with another program in its container", () => {
    expect(definitionWith()).toEqual({
      family: "sy-album-web-1",
      networkMode: "awsvpc",
      executionRoleArn: "arn:role",
      cpu: "256",
      memory: "512",
      containerDefinitions: [
        { name: "sidecar", image: "log:1" },
        {
          name: "main",
          image: "team/album:1",
          entryPoint: ["serve"],
          logConfiguration: { logDriver: "awslogs" },
          environment: [
            { name: "REGION", value: "eu" },
            { name: "PASSWORD", value: "hush" },
            { name: "MODE", value: "fast" },
            { name: "PORT", value: "3000" },
          ],
          portMappings: [{ containerPort: 3_000, protocol: "tcp" }],
          dockerLabels: {
            "switchyard.service": "album.web",
            "switchyard.replica": "r-1",
            "switchyard.revision": "one",
          },
          stopTimeout: 120,
        },
      ],
    });
  });

  it("says itself who it is", () => {
    const identity = { service: "album.web", replica: "r-1", revision: "one", port: 3_000 };
    expect(identityOf(definitionWith() as TaskDefinition)).toEqual(identity);
    expect(identityOf(TEMPLATE)).toBeUndefined();
  });

  it("has the row's own size, and is none without the row's container", () => {
    expect(definitionWith({}, { cpu: 1_024, memory_mb: 2_048 })).toMatchObject({ cpu: "1024", memory: "2048" });
    expect(definitionWith({}, { container: "other" })).toBeUndefined();
  });
});

describe("standingOfService()", () => {
  const primary = { status: "PRIMARY", runningCount: 2, failedTasks: 0, rolloutState: "IN_PROGRESS" };
  const before = { status: "ACTIVE", runningCount: 2 };
  it.each([
    ["all of it", { deployments: [primary], runningCount: 2 }, "settled"],
    ["too few", { deployments: [{ ...primary, runningCount: 1 }], runningCount: 1 }, "warming"],
    ["none yet", { deployments: [{ ...primary, runningCount: 0 }], runningCount: 0 }, "placing"],
    ["tasks of the revision before", { deployments: [primary, before], runningCount: 4 }, "warming"],
    [
      "a new revision that has none",
      { deployments: [{ ...primary, runningCount: 0 }, before], runningCount: 2 },
      "placing",
    ],
    ["tasks that end", { deployments: [{ ...primary, runningCount: 0, failedTasks: 3 }], runningCount: 0 }, "hopeless"],
    ["some that end", { deployments: [{ ...primary, failedTasks: 3 }], runningCount: 1 }, "warming"],
    ["the breaker's word", { deployments: [{ ...primary, rolloutState: "FAILED" }], runningCount: 0 }, "hopeless"],
  ])("takes %s for %3$s", (_what, service, kind) => {
    expect(standingOfService({ desiredCount: 2, ...service }).kind).toBe(kind);
  });
});

describe("addressOf()", () => {
  it.each([
    ["its container's interface", { containers: [{}, { networkInterfaces: [{ privateIpv4Address: "10.0.0.5" }] }] }],
    ["its attachment", { attachments: [{ details: [{ name: "privateIPv4Address", value: "10.0.0.5" }] }] }],
  ])("finds %s", (_what, task) => {
    expect(addressOf(task, 8_080)).toBe("http://10.0.0.5:8080");
  });
  it("is none of a task without network", () => {
    expect(addressOf({}, 8_080)).toBeUndefined();
  });
});

describe("ecsServices()", () => {
  it("makes one service, which is rolled without a gap", async () => {
    const { start } = world({ capacity_provider: "FARGATE_SPOT", assign_public_ip: true });
    services.ip = "10.0.0.5";
    expect(await start()).toMatchObject({ status: "ready", address: "http://10.0.0.5:3000", count: 2, ready: 2 });
    expect(ecs.asked.find(({ action }) => action === "CreateService")?.body).toMatchObject({
      cluster: "c",
      desiredCount: 2,
      capacityProviderStrategy: [{ capacityProvider: "FARGATE_SPOT", weight: 1 }],
      networkConfiguration: { awsvpcConfiguration: { subnets: ["subnet-1"], assignPublicIp: "ENABLED" } },
      deploymentConfiguration: {
        minimumHealthyPercent: 100,
        maximumPercent: 200,
        deploymentCircuitBreaker: { enable: true, rollback: true },
      },
    });
    const token = ecs.asked.find(({ action }) => action === "CreateService")?.body["clientToken"];
    expect(String(token).length).toBeLessThanOrEqual(36);
  });

  it("registers nothing for another count, and another definition for another revision", async () => {
    const { start } = world();
    const registered = () => ecs.asked.filter(({ action }) => action === "RegisterTaskDefinition").length;
    await start();
    await start();
    await start({ count: 5 });
    expect(registered()).toBe(1);
    expect(await start({ revision: "two" })).toMatchObject({ revision: "two" });
    expect(registered()).toBe(2);
    expect(ecs.asked.findLast(({ action }) => action === "UpdateService")?.body).toMatchObject({
      forceNewDeployment: true,
    });
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "comes to the same when its request number %i is lost after it was done",
    async (lost) => {
      ecs.losesAnswer = lost;
      const { start } = world();
      await start().catch((thrown: unknown) => expect(thrown).toMatchObject({ code: "environment_unavailable" }));
      expect(await start()).toMatchObject({ status: "ready", ready: 2 });
      expect(services.services.size).toBe(1);
    },
  );

  it("is behind a load balancer where the row says so, by the network of services", async () => {
    const target = "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/album/1";
    const way = { service_url: "https://{service}.example.test/in", target_group: target, service_network: "private" };
    const { start, probed, networks } = world(way);
    expect(await start()).toMatchObject({ address: "https://album-web.example.test/in", ready: 2 });
    expect(probed).toEqual(["https://album-web.example.test/in/health"]);
    expect(networks).toEqual(["private"]);
    expect(ecs.asked.find(({ action }) => action === "CreateService")?.body).toMatchObject({
      loadBalancers: [{ targetGroupArn: target, containerName: "main", containerPort: 3_000 }],
    });
  });

  it.each([
    ["HEALTHY", 500, 2],
    ["UNHEALTHY", 200, 0],
    ["UNKNOWN", 200, 2],
    ["UNKNOWN", 500, 0],
  ])("believes ECS's %s before its own look (%i)", async (said, status, ready) => {
    const { start, observe } = world();
    await start();
    services.health = said;
    health = () => new Response(null, { status });
    expect(await observe()).toMatchObject([{ ready, status: ready > 0 ? "ready" : "unready" }]);
  });

  it("takes away what ECS has given up, and tells how its tasks ended", async () => {
    services.failing = true;
    services.breaks = true;
    const { start } = world();
    const report = await start();
    expect(report).toMatchObject({ status: "ended", ended: expect.stringContaining("circuit breaker") as string });
    expect(report.lines.join("\n")).toContain("CannotPullContainerError");
    expect([...services.services.values()].map(({ status }) => status)).toEqual(["INACTIVE"]);
    // They have its secrets.
    expect(services.definitions.size).toBe(0);
  });

  it("leaves the revision before serving where ECS has gone back to it, and says so", async () => {
    const { start, observe } = world();
    await start();
    services.failing = true;
    services.breaks = true;
    await expect(start({ revision: "two" })).rejects.toMatchObject({
      code: "environment_misconfigured",
      message: expect.stringContaining("gone back") as string,
    });
    expect(await observe()).toMatchObject([{ status: "ready", revision: "one", ready: 2 }]);
    services.failing = false;
    expect(await start({ revision: "two" })).toMatchObject({ revision: "two", ready: 2 });
  });

  it.each([
    ["gets no machine", true, "was unable to place a task"],
    ["runs and is not well", false, "GET /health answers status 503"],
  ])("gives up a set that %s when the time of its start is over", async (_what, failing, part) => {
    services.failing = failing;
    health = () => new Response(null, { status: 503 });
    const { start, now } = world();
    const report = await start();
    expect(report).toMatchObject({ status: "ended", ready: 0 });
    expect(report.ended).toMatch(new RegExp(`^it was not ready within 60000 ms: .*${part}`));
    expect(now()).toBeLessThan(80_000);
  });

  it("waits until ECS has drained it, and says so when it stays", async () => {
    const { start, stop, now } = world();
    await start();
    services.drains = 4;
    await stop();
    expect(now()).toBeGreaterThan(0);
    expect(services.definitions.size).toBe(0);
    await start();
    services.drains = 10_000;
    await expect(stop()).rejects.toMatchObject({ code: "environment_unavailable" });
    await expect(start()).rejects.toMatchObject({ code: "environment_throttled" });
  });

  it("stops a set although the user may not delete its task definitions", async () => {
    const { start, stop } = world();
    await start();
    ecs.refuse("ListTaskDefinitions", "AccessDeniedException", "no");
    await stop();
    expect(services.definitions.size).toBe(1);
  });

  it.each([
    ["CreateService", "AccessDeniedException", "not authorized", "environment_refused"],
    ["CreateService", "ThrottlingException", "Rate exceeded", "environment_throttled"],
    ["CreateService", "ClusterNotFoundException", "Cluster not found.", "environment_misconfigured"],
    ["RegisterTaskDefinition", "ClientException", "Invalid CPU", "environment_misconfigured"],
    ["DescribeTaskDefinition", "ClientException", "Unable to describe task definition", "environment_misconfigured"],
  ])("throws for %s %s: %4$s", async (action, type, message, code) => {
    ecs.refuse(action, type, message);
    await expect(world().start()).rejects.toMatchObject({ code });
    expect(services.services.size).toBe(0);
  });

  it.each([
    ["a process", { spec: { ...SPEC, run: { process: { command: ["x"], working_directory: null } } } }],
    ["what needs more than the environment has", { spec: { ...SPEC, requires: { gpu: true } } }],
  ])("refuses %s before anything is asked", async (_what, changes) => {
    await expect(world().start(changes)).rejects.toMatchObject({ code: "environment_misconfigured" });
    expect(ecs.asked).toEqual([]);
  });

  it.each([["ftp://x"], ["https://u:p@x"], ["{service}"]])("refuses the service_url %s", (service_url) => {
    expect(v.is(FargateConfigSchema, { ...CONFIG, service_url })).toBe(false);
  });
});
