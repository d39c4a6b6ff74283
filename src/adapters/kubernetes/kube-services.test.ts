/** Sets on Kubernetes: what is applied, how it is judged, and what is left when it goes wrong. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as v from "valibot";
import { fakePorts } from "../../../test/contracts/adapter/fake-ports.ts";
import { openApp } from "../../../test/contracts/service-host/app.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import { HEALTH_DEFAULTS } from "../../model/services.ts";
import type { StartOrder } from "../service-host.ts";
import { FAKE_TOKEN, FakeApi, statusOf } from "./_fake-api.node.ts";
import { FakeWorkloads } from "./_fake-workloads.node.ts";
import { KubernetesJobConfigSchema } from "./config.ts";
import { setObjects } from "./deployment-body.ts";
import { reportOfSet, standingOf, type KubeDeployment } from "./deployment-state.ts";
import type { KubePod } from "./job-state.ts";
import { kubernetesJobAdapter } from "./kubernetes-job.ts";

const SPEC: StartOrder["spec"] = {
  run: { container: { image: "team/album:1", command: ["serve", "$(HOME)"] } },
  port: 3_000,
  variables: { PASSWORD: "hush ä", MODE: "fast" },
  requires: {},
  stop_ms: 12_500,
  health: { ...HEALTH_DEFAULTS, path: "/health", interval_ms: 2_500 },
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

let api: FakeApi;
let workloads: FakeWorkloads;
beforeEach(async () => {
  api = await new FakeApi().open();
  workloads = api.workloads = new FakeWorkloads();
});
afterEach(() => api.close());

function world(config: object = {}, capabilities: Record<string, boolean> = {}) {
  let nowMs = 0;
  const clock = { now: () => nowMs, sleep: async (ms: number) => void (nowMs += ms) };
  const { services } = kubernetesJobAdapter(fakePorts(clock));
  if (services === undefined) throw new TypeError("it has no services");
  const environment = environmentOf("cluster", {
    capabilities,
    config: { api_server: api.url, ...config },
    openSecrets: async () => ({ token: FAKE_TOKEN }),
  });
  const ref = { service: "album.web", replica: "r-1", place: "", address: null };
  return {
    clock,
    start: (changes: Partial<StartOrder> = {}) => services.start(orderOf(changes), environment),
    stop: () => services.stop({ ...ref, graceMs: 1_000 }, environment),
    observe: () => services.observe({ service: "album.web", run: SPEC.run, replicas: [ref] }, environment),
    send: (headers: Record<string, string>, more: object = {}) =>
      services.send(
        { ...ref, via: "environment", ...more },
        { method: "GET", path: "/x", headers, timeoutMs: 1_000, execution: "ex", attempt: 1 },
        environment,
      ),
  };
}

const waiting = (reason: string, restartCount = 0) => ({
  phase: "Pending",
  containerStatuses: [{ name: "work", restartCount, state: { waiting: { reason, message: "why" } } }],
});
const warming = { phase: "Running", containerStatuses: [{ name: "work", state: { running: {} } }] };

const objectsOf = (changes: Partial<StartOrder> = {}, config: object = {}) =>
  setObjects(
    orderOf(changes),
    v.parse(KubernetesJobConfigSchema, { api_server: "https://k8s.test", labels: { team: "a" }, ...config }),
    { image: "team/album:1", command: ["serve", "$(HOME)"], environment: "cluster" },
  );

const podOf = async (changes: Partial<StartOrder>) => {
  const { deployment } = await objectsOf(changes);
  return JSON.stringify((deployment as { spec: { template: unknown } }).spec.template);
};

const deployment = (status: KubeDeployment["status"]): KubeDeployment => ({
  metadata: { generation: 4 },
  spec: { replicas: 2 },
  status: { observedGeneration: 4, replicas: 2, updatedReplicas: 2, readyReplicas: 2, ...status },
});

const pods = (...statuses: object[]): KubePod[] => statuses.map((status) => ({ status }));

const exited = (restartCount: number, waitingFor?: string) => ({
  containerStatuses: [
    {
      name: "work",
      restartCount,
      state: waitingFor === undefined ? { terminated: { exitCode: 3 } } : { waiting: { reason: waitingFor } },
      lastState: { terminated: { exitCode: 3, reason: "Error" } },
    },
  ],
});

describe("setObjects()", () => {
  it("is a Deployment that is rolled without a gap, and judged by the row's health", async () => {
    const { deployment, names } = await objectsOf();
    expect(deployment).toMatchObject({
      metadata: { name: names.set, labels: { team: "a", "switchyard/set": names.set } },
      spec: {
        replicas: 2,
        selector: { matchLabels: { "switchyard/set": names.set } },
        strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
        template: {
          metadata: { annotations: { "switchyard/revision": "one" } },
          spec: {
            automountServiceAccountToken: false,
            terminationGracePeriodSeconds: 13,
            containers: [
              {
                image: "team/album:1",
                command: ["serve", "$$(HOME)"],
                env: [{ name: "PORT", value: "3000" }],
                envFrom: [{ secretRef: { name: names.secret } }],
                ports: [{ containerPort: 3_000 }],
                readinessProbe: {
                  httpGet: { path: "/health", port: 3_000 },
                  periodSeconds: 3,
                  timeoutSeconds: 2,
                  failureThreshold: 3,
                },
                startupProbe: { periodSeconds: 1, failureThreshold: 60 },
              },
            ],
          },
        },
      },
    });
  });

  it("has variables in its Secret only", async () => {
    const { secret, service, deployment } = await objectsOf();
    expect(secret).toMatchObject({ data: { MODE: btoa("fast"), PASSWORD: Buffer.from("hush ä").toString("base64") } });
    expect(JSON.stringify([service, deployment])).not.toMatch(/hush|fast|PASSWORD/);
  });

  it("listens on 8080 and takes a connection for health where the row says nothing", async () => {
    const { deployment } = await objectsOf({ spec: { ...SPEC, port: null, health: HEALTH_DEFAULTS } });
    expect(JSON.stringify(deployment)).toContain('"tcpSocket":{"port":8080}');
  });

  it("changes the pods with the revision and with nothing else", async () => {
    expect(await podOf({ count: 5 })).toBe(await podOf({}));
    expect(await podOf({ revision: "two" })).not.toBe(await podOf({}));
  });
});

describe("standingOf()", () => {
  const NOT_YET = { readyReplicas: 1 };
  const late = { type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded" };
  const unplaced = { conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable" }] };

  it.each<[string, KubeDeployment["status"], KubePod[], string, string]>([
    ["all ready", {}, [], "settled", ""],
    ["a change that it has not seen", { observedGeneration: 3 }, [], "placing", ""],
    ["pods of the revision before", { replicas: 3, updatedReplicas: 2 }, [], "placing", ""],
    ["too few of the newest", { updatedReplicas: 1 }, [], "placing", ""],
    ["none yet", NOT_YET, [], "placing", ""],
    ["an image on its way", NOT_YET, pods(waiting("ContainerCreating")), "placing", ""],
    ["no machine", NOT_YET, pods(unplaced), "placing", "Unschedulable"],
    [
      "no leave to make pods",
      { ...NOT_YET, conditions: [{ type: "ReplicaFailure", status: "True", message: "exceeded quota" }] },
      [],
      "placing",
      "exceeded quota",
    ],
    ["one that runs", NOT_YET, pods(warming), "warming", ""],
    ["its first end", NOT_YET, pods(exited(0)), "warming", "exited with 3"],
    ["its second start", NOT_YET, pods(exited(1, "CrashLoopBackOff")), "warming", "exited with 3"],
    ["a loop of crashes", NOT_YET, pods(exited(2, "CrashLoopBackOff")), "hopeless", "exited with 3"],
    ["one of several that loops", NOT_YET, pods(warming, exited(2, "CrashLoopBackOff")), "hopeless", "exited with 3"],
    ["a pull that failed once", NOT_YET, pods(waiting("ErrImagePull")), "warming", "ErrImagePull"],
    ["a pull that fails", NOT_YET, pods(waiting("ImagePullBackOff")), "hopeless", "ImagePullBackOff"],
    ["its own deadline", { ...NOT_YET, conditions: [late] }, [], "hopeless", "ProgressDeadlineExceeded"],
    ["a deadline of before its change", { ...NOT_YET, observedGeneration: 3, conditions: [late] }, [], "placing", ""],
  ])("takes %s for %5$s", (_what, status, its, kind, part) => {
    const standing = standingOf(deployment(status), its);
    expect(standing.kind).toBe(kind);
    expect(JSON.stringify(standing)).toContain(part);
  });

  it.each([
    [
      "one that has been ready and is not",
      [{ type: "Progressing", status: "True", reason: "NewReplicaSetAvailable" }],
      "unready",
    ],
    ["one that comes", [{ type: "Progressing", status: "True", reason: "ReplicaSetUpdated" }], "starting"],
    ["one that will not come", [late], "unready"],
  ])("reportOfSet() says of %s without ready pods: %3$s", (_what, conditions, status) => {
    expect(reportOfSet(deployment({ readyReplicas: 0, conditions }), [])).toMatchObject({ status, ready: 0, count: 2 });
  });
});

describe("kubeServices()", () => {
  it("applies each object once more when a step is asked for again, and leaves one of each", async () => {
    const { start } = world();
    await start();
    await start();
    expect([workloads.deployments.size, workloads.services.size, workloads.secrets.size]).toEqual([1, 1, 1]);
    expect(api.words()).toMatch(/^PATCH secrets, PATCH services, PATCH deployments, GET deployments, DELETE secrets/);
    expect(api.asked[0]?.query.get("fieldManager")).toBe("switchyard");
  });

  it.each([1, 2, 3, 4, 5])("comes to the same when its request number %i is lost after it was done", async (lost) => {
    const { start } = world();
    let asked = 0;
    const answer = workloads.answer.bind(workloads);
    workloads.answer = (...given) => {
      const came = answer(...given);
      return ++asked === lost ? new Error("lost") : came;
    };
    await start().catch((thrown: unknown) => expect(thrown).toMatchObject({ code: "environment_unavailable" }));
    expect(await start()).toMatchObject({ status: "ready", ready: 2 });
    expect([workloads.deployments.size, workloads.services.size, workloads.secrets.size]).toEqual([1, 1, 1]);
  });

  it("has an address of its own on the private network only", async () => {
    expect(await world().start()).toMatchObject({ address: null });
    const { start } = world({ network: "private", namespace: "shop" });
    const [name] = workloads.deployments.keys();
    expect(await start()).toMatchObject({ address: `http://${name}.shop.svc:3000` });
  });

  it("takes away what always crashes, and tells its last lines", async () => {
    workloads.pod = waiting("CrashLoopBackOff", 2);
    Object.assign(workloads.pod["containerStatuses"] as object[], [
      { ...(workloads.pod["containerStatuses"] as object[])[0], lastState: { terminated: { exitCode: 3 } } },
    ]);
    workloads.log = "booting\nno database\n";
    const report = await world().start();
    expect(report).toMatchObject({
      status: "ended",
      ready: 0,
      ended: expect.stringContaining("exited with 3") as string,
    });
    expect(report.lines.slice(1)).toEqual(["booting", "no database"]);
    expect([workloads.deployments.size, workloads.services.size, workloads.secrets.size]).toEqual([0, 0, 0]);
  });

  it("says why without lines where the token may not read them", async () => {
    workloads.pod = waiting("ImagePullBackOff");
    expect((await world().start()).lines).toEqual(["ImagePullBackOff: why"]);
  });

  it.each([
    ["one that runs", warming, "its health does not say that it is well"],
    ["one that gets no machine", { phase: "Pending" }, "no machine has taken it"],
  ])("gives up %s when the time of its start is over", async (_what, status, part) => {
    workloads.pod = status;
    const { start, clock } = world();
    const ended = `it was not ready within 60000 ms: ${part}`;
    expect(await start()).toMatchObject({ status: "ended", ended });
    expect(clock.now()).toBeLessThan(70_000);
  });

  it("leaves the revision before serving where the new one fails, and says so each time", async () => {
    const { start, observe } = world();
    await start();
    workloads.pod = waiting("ImagePullBackOff");
    for (let times = 0; times < 2; times++) {
      await expect(start({ revision: "two" })).rejects.toMatchObject({
        code: "environment_misconfigured",
        message: expect.stringContaining("ImagePullBackOff") as string,
      });
    }
    expect(await observe()).toMatchObject([{ status: "ready", revision: "one", ready: 2 }]);
    // Too few is not none: those that are there serve.
    workloads.pod = waiting("ImagePullBackOff");
    expect(await start({ revision: "one", count: 4 })).toMatchObject({
      status: "ready",
      revision: "one",
      count: 4,
      ready: 2,
    });
    await expect(start({ revision: "two" })).rejects.toMatchObject({ code: "environment_misconfigured" });
    // Pods of each may still be restarted, and need their variables.
    expect(workloads.secrets.size).toBe(2);
    workloads.pod = undefined;
    expect(await start({ revision: "two" })).toMatchObject({ revision: "two", ready: 2 });
    expect(workloads.secrets.size).toBe(1);
  });

  it("waits until what it deletes is gone, and says so when it stays", async () => {
    const { start, stop, clock } = world();
    await start();
    workloads.lingers = 5;
    await stop();
    expect(clock.now()).toBe(5_000);
    const deletion = api.asked.find(({ method, path }) => method === "DELETE" && path.includes("/deployments/"));
    expect(deletion?.body).toMatchObject({ propagationPolicy: "Foreground" });
    expect([workloads.deployments.size, workloads.services.size, workloads.secrets.size]).toEqual([0, 0, 0]);
    await start();
    workloads.lingers = 1_000;
    await expect(stop()).rejects.toMatchObject({ code: "environment_unavailable" });
  });

  it("tells of one that somebody has deleted", async () => {
    expect(await world().observe()).toMatchObject([{ replica: "r-1", status: "ended", ready: 0 }]);
  });

  it.each([
    [403, "Forbidden", "deployments.apps is forbidden", "environment_refused"],
    [403, "Forbidden", "exceeded quota: few", "environment_throttled"],
    [404, "NotFound", 'namespaces "x" not found', "environment_misconfigured"],
    [422, "Invalid", "spec.template is invalid", "environment_misconfigured"],
    [429, "TooManyRequests", "too many requests", "environment_throttled"],
    [500, "InternalError", "etcdserver: request timed out", "environment_unavailable"],
  ])("throws for %i %s (%s): %s", async (status, reason, message, code) => {
    api.answer("PATCH deployments", statusOf(status, reason, message));
    await expect(world().start()).rejects.toMatchObject({ code });
  });

  it("goes on waiting though a look fails", async () => {
    const lost = new Error("lost");
    api.answer("GET deployments", lost, statusOf(503, "ServiceUnavailable", "restarting"), lost);
    expect(await world().start()).toMatchObject({ status: "ready" });
  });

  it.each([
    ["a process", { spec: { ...SPEC, run: { process: { command: ["x"], working_directory: null } } } }],
    ["nothing", { spec: { ...SPEC, run: null } }],
    ["what needs more than the environment has", { spec: { ...SPEC, requires: { gpu: true } } }],
  ])("refuses %s before anything is asked", async (_what, changes) => {
    await expect(world().start(changes)).rejects.toMatchObject({ code: "environment_misconfigured" });
    expect(api.asked).toEqual([]);
    expect(await world({}, { gpu: true }).start({ spec: { ...SPEC, requires: { gpu: true } } })).toMatchObject({
      ready: 2,
    });
  });

  it("does not send a request with an Authorization of its own, which the API server would take", async () => {
    const { start, send } = world();
    await start();
    const before = api.asked.length;
    expect(await send({ Authorization: "Bearer own" })).toMatchObject({ kind: "not_sent" });
    expect(api.asked).toHaveLength(before);
  });

  it.each([
    [statusOf(503, "ServiceUnavailable", "no endpoints available for service"), "not_sent"],
    [
      statusOf(503, "ServiceUnavailable", "error trying to reach service: dial tcp 10.0.0.1:1: i/o timeout"),
      "not_sent",
    ],
    [statusOf(503, "ServiceUnavailable", "error trying to reach service: EOF"), "broken_off"],
    [statusOf(403, "Forbidden", "services/proxy is forbidden"), "not_sent"],
    [statusOf(429, "TooManyRequests", "too many requests"), "not_sent"],
    [{ status: 503, body: { detail: "the service's own" } }, "answer"],
    [{ status: 404, body: "<html>" }, "answer"],
  ])("tells what the API server says from what the service does: %j", async (answer, kind) => {
    api.answer("GET services", answer);
    expect(await world().send({})).toMatchObject({ kind });
  });

  it("goes to its own address without the cluster's token", async () => {
    const app = await openApp();
    try {
      expect(await world().send({}, { via: "direct", address: app.url })).toMatchObject({
        kind: "answer",
        status: 200,
      });
      expect(app.seen[0]?.headers["authorization"]).toBeUndefined();
      expect(await world().send({}, { via: "direct" })).toMatchObject({ kind: "not_sent" });
    } finally {
      app.close();
    }
  });
});
