import { afterEach, beforeEach, describe, expect, it } from "vitest";
import * as v from "valibot";
import { callOf, TRACE, TRACESTATE } from "../../../test/contracts/adapter/call-of.ts";
import { fakePorts } from "../../../test/contracts/adapter/fake-ports.ts";
import { FakeJobs } from "../../../test/contracts/fake-jobs.ts";
import { environmentOf } from "../../model/_environment.test-util.ts";
import type { Outcome } from "../../model/outcome.ts";
import type { Implementation } from "../../model/resolved.ts";
import { FAKE_TOKEN, FakeApi, statusOf } from "./_fake-api.node.ts";
import { KubernetesJobConfigSchema } from "./config.ts";
import { jobBody } from "./job-body.ts";
import { stateOfJob, type KubePod } from "./job-state.ts";
import { kubernetesJobAdapter } from "./kubernetes-job.ts";

const MODULE: Implementation = { kind: "module", sha256: "a".repeat(64), export: "run", language: "javascript" };
const CONTAINER: Implementation = { kind: "container", image: "team/thumb:1", command: ["thumb", "$(HOME)"] };
const LAMBDA: Implementation = { kind: "lambda", function: "f", qualifier: null };
const OK = '{"ok":true,"logs":[]}\n7';
const TICKET = { id: "sy-00-job-1", url: "https://platform.test/jobs/sy-00-job-1", token: "the-ticket" };
const parsed = (more: object = {}) =>
  v.parse(KubernetesJobConfigSchema, { api_server: "https://k8s.test", image: "registry.test/host:1", ...more });

let api: FakeApi;
beforeEach(async () => {
  api = await new FakeApi().open();
});
afterEach(() => api.close());

function world(config: object = {}) {
  const jobs = new FakeJobs();
  const ports = fakePorts(jobs.ports());
  ports.jobs = jobs;
  const adapter = kubernetesJobAdapter(ports);
  const environment = environmentOf("cluster", {
    config: { api_server: api.url, image: "registry.test/host:1", ...config },
    openSecrets: async () => ({ token: FAKE_TOKEN }),
  });
  const run = (implementation: Implementation = MODULE, input: unknown = { n: 1 }): Promise<Outcome> =>
    adapter.invoke(callOf(implementation, input, { environment, timeoutMs: 20_000 }));
  const reports = (text: string) => jobs.at(1_000, () => (jobs.last.report = text));
  return { jobs, run, reports, check: () => adapter.check?.(environment) };
}

const failure = (code: string, more: object = {}) => ({ ok: false, error: { code }, ...more });

const bodyOf = (implementation: Implementation, config: object = {}, input: unknown = { n: 1 }) =>
  jobBody(callOf(implementation, input, { timeoutMs: 20_000 }), parsed(config), { ticket: TICKET, image: "i:1" });
const pod = (status: KubePod["status"]): KubePod => ({ status: status ?? {} });
const condition = (type: string, reason: string) => ({ status: { conditions: [{ type, status: "True", reason }] } });
const podList = (state: object) => ({
  status: 200,
  body: { items: [{ status: { containerStatuses: [{ name: "work", state }] } }] },
});

const containerOf = (...given: Parameters<typeof bodyOf>) => bodyOf(...given).spec.template.spec.containers[0];

describe("jobBody()", () => {
  it("is a Job that runs once, ends by itself and is told where to report", () => {
    expect(bodyOf(MODULE)).toMatchObject({
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: TICKET.id, namespace: "default", labels: { "app.kubernetes.io/managed-by": "switchyard" } },
      spec: {
        backoffLimit: 0,
        // A quarter of an hour in the queue, 20 s of work, a minute's slack.
        activeDeadlineSeconds: 980,
        ttlSecondsAfterFinished: 3_600,
        template: { spec: { restartPolicy: "Never", automountServiceAccountToken: false } },
      },
    });
    expect(containerOf(MODULE)).toEqual({
      name: "work",
      image: "i:1",
      env: [
        { name: "SWITCHYARD_JOB_URL", value: TICKET.url },
        { name: "SWITCHYARD_JOB_TOKEN", value: TICKET.token },
      ],
    });
  });

  it("has what the row says", () => {
    const config = {
      namespace: "jobs",
      service_account: "worker",
      resources: { requests: { cpu: "500m" }, limits: { memory: "1Gi" } },
      node_selector: { "kubernetes.io/arch": "arm64" },
      image_pull_secrets: ["registry"],
      labels: { team: "pictures" },
    };
    expect(bodyOf(MODULE, config)).toMatchObject({
      metadata: { namespace: "jobs", labels: { team: "pictures" } },
      spec: {
        template: {
          metadata: { labels: { team: "pictures" } },
          spec: {
            serviceAccountName: "worker",
            nodeSelector: { "kubernetes.io/arch": "arm64" },
            imagePullSecrets: [{ name: "registry" }],
            containers: [{ resources: config.resources }],
          },
        },
      },
    });
  });

  it("gives a container its command, input and trace, with no variable expanded", () => {
    const { command, env } = containerOf(CONTAINER, {}, "costs $$5 $(HOME)") ?? {};
    expect(command).toEqual(["thumb", "$$(HOME)"]);
    expect(env).toContainEqual({ name: "TRACEPARENT", value: TRACE });
    expect(env).toContainEqual({ name: "TRACESTATE", value: TRACESTATE });
    expect(env).toContainEqual({ name: "SWITCHYARD_INPUT", value: '"costs $$$$5 $$(HOME)"' });
  });

  it("leaves a long input to be fetched", () => {
    expect(JSON.stringify(containerOf(CONTAINER, {}, "x".repeat(40_000)))).not.toContain("SWITCHYARD_INPUT");
  });
});

describe("stateOfJob()", () => {
  const names = { environment: "cluster", operation: "work", isModule: false };
  const waiting = (reason: string) =>
    pod({ phase: "Pending", containerStatuses: [{ name: "work", state: { waiting: { reason } } }] });
  const exited = (exitCode: number, reason = "Error") =>
    pod({ phase: "Failed", containerStatuses: [{ name: "work", state: { terminated: { exitCode, reason } } }] });
  const FAILED = condition("Failed", "BackoffLimitExceeded");
  const unscheduled = pod({
    phase: "Pending",
    conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable" }],
  });
  const disrupted = pod({
    phase: "Failed",
    conditions: [{ type: "DisruptionTarget", status: "True", reason: "PreemptionByScheduler" }],
  });

  it.each([
    ["no pod yet", {}, [], "pending"],
    ["no machine for it", {}, [unscheduled], "pending"],
    ["an image on its way", {}, [waiting("ContainerCreating")], "pending"],
    [
      "a running container",
      {},
      [pod({ phase: "Running", containerStatuses: [{ name: "work", state: { running: {} } }] })],
      "running",
    ],
    ["a machine that is not heard of", {}, [pod({ phase: "Unknown" })], "running"],
  ])("takes %s as not ended", (_what, job, pods, kind) => {
    expect(stateOfJob(job, pods, names)).toEqual({ kind });
  });

  it.each([
    ["ErrImagePull", {}, [waiting("ErrImagePull")], "environment_misconfigured", true],
    ["ImagePullBackOff", {}, [waiting("ImagePullBackOff")], "environment_misconfigured", true],
    ["InvalidImageName", {}, [waiting("InvalidImageName")], "environment_misconfigured", true],
    ["CreateContainerConfigError", {}, [waiting("CreateContainerConfigError")], "environment_misconfigured", true],
    ["a command that is not there", FAILED, [exited(128, "StartError")], "environment_misconfigured", true],
    ["OOMKilled", FAILED, [exited(137, "OOMKilled")], "executor_lost", false],
    ["an exit code", FAILED, [exited(3)], "implementation_failed", false],
    [
      "an end without a report",
      condition("Complete", "Completed"),
      [exited(0, "Completed")],
      "implementation_failed",
      false,
    ],
    ["Evicted", FAILED, [pod({ phase: "Failed", reason: "Evicted" })], "executor_lost", false],
    ["a preempted pod", FAILED, [disrupted], "executor_lost", false],
    ["a lost machine", {}, [pod({ phase: "Running", reason: "NodeLost" })], "executor_lost", false],
    ["a pod that is gone", FAILED, [], "executor_lost", false],
    ["its deadline", condition("Failed", "DeadlineExceeded"), [], "timeout", false],
    ["a Job that is gone", undefined, [], "executor_lost", false],
    ["a Job that somebody deletes", { metadata: { deletionTimestamp: "now" } }, [], "executor_lost", false],
  ])("answers for %s", (_what, job, pods, code, isUnstarted) => {
    const state = stateOfJob(job, pods, names);
    expect(state).toMatchObject({ kind: "ended", outcome: failure(code, { retry: { kind: "may" } }) });
    expect(state.kind === "ended" && Object.hasOwn(state.outcome, "unstarted")).toBe(isUnstarted);
  });

  it("says the exit code, which of a host means that it was lost", () => {
    expect(JSON.stringify(stateOfJob(FAILED, [exited(3)], names))).toContain("exited with 3");
    const ofHost = stateOfJob(FAILED, [exited(3)], { ...names, isModule: true });
    expect(ofHost).toMatchObject({ outcome: failure("executor_lost") });
  });
});

describe("kubernetesJobAdapter()", () => {
  it("runs a module as one Job and answers what it reports", async () => {
    const { run, reports, jobs } = world();
    reports(OK);
    expect(await run()).toEqual({ ok: true, output: "7", logs: [] });
    expect(api.asked[0]?.headers).toMatchObject({ authorization: `Bearer ${FAKE_TOKEN}` });
    expect([...api.jobs.keys()]).toEqual([`default/${jobs.last.ticket.id}`]);
  });

  it("runs a container of the team's own, by its image", async () => {
    const { run, reports } = world({ image: undefined });
    reports('{"output":7}');
    expect(await run(CONTAINER)).toMatchObject({ ok: true, output: "7" });
    expect(JSON.stringify([...api.jobs.values()])).toContain("team/thumb:1");
  });

  it.each([
    ["a module without the host's image", MODULE, "environment_misconfigured"],
    ["what is neither", LAMBDA, "no_environment"],
  ])("refuses %s before anything is asked", async (_what, implementation, code) => {
    const config = { api_server: api.url, image: undefined };
    expect(await world(config).run(implementation)).toMatchObject(failure(code, { unstarted: true }));
    expect(api.asked).toEqual([]);
  });

  it.each([
    [401, "Unauthorized", "Unauthorized", "environment_refused"],
    [403, "Forbidden", 'User "u" cannot create resource "jobs"', "environment_refused"],
    [403, "Forbidden", 'jobs.batch "j" is forbidden: exceeded quota: few', "environment_throttled"],
    [
      403,
      "Forbidden",
      "unable to create new content in namespace x because it is being terminated",
      "environment_misconfigured",
    ],
    [404, "NotFound", 'namespaces "x" not found', "environment_misconfigured"],
    [409, "Conflict", "the object has been modified", "environment_misconfigured"],
    [422, "Invalid", "spec.template is invalid", "environment_misconfigured"],
    [429, "TooManyRequests", "too many requests", "environment_throttled"],
  ])("answers for %i %s (%s): nothing has run", async (status, reason, message, code) => {
    api.answer("POST jobs", statusOf(status, reason, message));
    const { run, jobs } = world();
    const outcome = await run();
    expect(outcome).toMatchObject(failure(code, { unstarted: true, retry: { kind: "may" } }));
    expect(JSON.stringify(outcome)).toContain(message.slice(0, 20).replaceAll('"', '\\"'));
    expect(JSON.stringify(outcome)).not.toContain(FAKE_TOKEN);
    expect(api.created).toBe(0);
    expect(jobs.last.closed).toBe(true);
  });

  it("waits as long as the API server says", async () => {
    api.answer("POST jobs", statusOf(429, "TooManyRequests", "later", { "retry-after": "7" }));
    expect(await world().run()).toMatchObject({ retry: { kind: "after", after_ms: 7_000 } });
  });

  it.each([
    ["the answer is lost", () => (api.losesAnswers = 1)],
    ["etcd fails", () => api.answer("POST jobs", statusOf(500, "InternalError", "etcdserver: request timed out"))],
    ["something else answers", () => api.answer("POST jobs", { status: 502, body: "<html>" })],
  ])("makes one Job though %s", async (_what, breaks) => {
    breaks();
    const { run, jobs } = world();
    jobs.at(2_000, () => (jobs.last.report = OK));
    expect(await run()).toMatchObject({ ok: true });
    expect(api.created).toBe(1);
    expect(api.words()).toMatch(/^POST jobs, POST jobs/);
  });

  it("answers environment_unavailable when the API server keeps failing", async () => {
    const fails = statusOf(503, "ServiceUnavailable", "apiserver is shutting down");
    api.answer("POST jobs", fails, fails, fails);
    expect(await world().run()).toMatchObject(failure("environment_unavailable", { unstarted: true }));
  });

  it("deletes what cannot start before it says that nothing has run", async () => {
    api.podStatus = {
      phase: "Pending",
      containerStatuses: [{ name: "work", state: { waiting: { reason: "ErrImagePull" } } }],
    };
    expect(await world().run(CONTAINER)).toMatchObject(failure("environment_misconfigured", { unstarted: true }));
    expect(api.words()).toBe("POST jobs, GET jobs, GET pods, DELETE jobs, GET pods");
    expect(api.asked.find(({ method }) => method === "DELETE")?.body).toMatchObject({
      propagationPolicy: "Background",
    });
  });

  it("does not say that nothing has run when it began while it was deleted", async () => {
    api.answer("GET pods", podList({ waiting: { reason: "ErrImagePull" } }), podList({ running: {} }));
    const outcome = await world().run(CONTAINER);
    expect(outcome).toMatchObject(failure("executor_lost"));
    expect(outcome).not.toHaveProperty("unstarted");
  });

  it("deletes the Job at the time-out", async () => {
    expect(await world().run()).toMatchObject(failure("timeout"));
    expect(api.deleted).toBe(1);
  });

  it("gives up a Job that gets no machine, as throttled", async () => {
    api.podStatus = { phase: "Pending" };
    expect(await world().run()).toMatchObject(failure("environment_throttled", { unstarted: true }));
    expect(api.deleted).toBe(1);
  });
});

describe("kubernetesJobAdapter().check()", () => {
  it("finds nothing missing, and the version", async () => {
    expect(await world().check()).toMatchObject({
      reachable: true,
      allowed: true,
      missing: [],
      facts: { version: "v1.32.4", image: "registry.test/host:1", services: "allowed" },
    });
  });

  it("tells what services lack, which Jobs do without", async () => {
    api.denied.add("create services/proxy");
    const expected = { allowed: true, missing: [], facts: { services: "the token may not create services/proxy" } };
    expect(await world().check()).toMatchObject(expected);
  });

  it.each([
    ["a permission", () => api.denied.add("delete jobs"), { reachable: true, allowed: false }, "delete jobs"],
    [
      "the token",
      () => api.answer("GET /version", statusOf(401, "Unauthorized", "Unauthorized")),
      { reachable: true, allowed: false },
      "Unauthorized",
    ],
    ["the way there", () => api.close(), { reachable: false, allowed: null }, "must answer"],
  ])("names %s when that is missing", async (_what, breaks, expected, part) => {
    breaks();
    const check = await world().check();
    expect(check).toMatchObject(expected);
    expect(check?.missing.join()).toContain(part);
  });
});

describe("KubernetesJobConfigSchema", () => {
  const CONFIG = { api_server: "https://k8s.test:6443" };
  it.each([
    ["a word it does not know", { ca: "pem" }],
    ["a server without TLS", { api_server: "http://k8s.test" }],
    ["credentials in the address", { api_server: "https://u:p@k8s.test" }],
    ["a namespace that is a path", { namespace: "../x" }],
    ["an amount it cannot read", { resources: { limits: { memory: "lots" } } }],
    ["a label's value with a space", { labels: { a: "b c" } }],
  ])("refuses %s", (_what, changes) => {
    expect(v.is(KubernetesJobConfigSchema, CONFIG)).toBe(true);
    expect(v.is(KubernetesJobConfigSchema, { ...CONFIG, ...changes })).toBe(false);
  });
});
